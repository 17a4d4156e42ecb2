//! What actions make: typed in memory, named parts of bytes in the store.

mod data_file;
mod dataset;
mod grid_file;
mod numbers;
mod other_format;
mod page;
mod parts;
mod piece;
mod pieces;
mod precision;
mod row;
mod rows_in_files;
mod saved;
mod scores;
mod tensor_file;
mod tensor_header;
mod trajectory;
mod weights;
mod weights_file;

use std::any::Any;
use std::sync::Arc;

use dsl::types::Kind;
use polars::frame::DataFrame;

use crate::error::Fault;
use crate::parcel::Parcel;

pub use data_file::DataForm;
pub use dataset::{DataColumn, Dataset, Each, ReadColumns, from_parquet, to_parquet};
pub use numbers::Numbers;
pub use page::{Cells, Figure, Page, Section, Series, Style};
pub use parts::{Blob, Parts};
pub use piece::{Digested, Piece};
pub use precision::Precision;
pub use row::Row;
pub use saved::{Naming, Saved, SavedModel, Selection, Template, model_names};
pub use scores::{ScoreRow, Scores, is_prediction};
pub use tensor_file::{StoredTensor, TensorFile, shown};
pub use trajectory::{Block, Trajectory};
pub use weights::{Layout, Tensor, WeightTable};
pub use weights_file::{Take, TakeWeights, WeightsFile, WeightsFiles};

/// Names and values in the head of a safetensors file.
pub type Metadata = Vec<(String, String)>;

/// Something an action makes and another one takes.
pub trait Artifact: Any + Send + Sync + Sized {
    /// Its kind in the language; the usual one when there are several.
    const KIND: Kind;

    /// The parts it always has: no two types have the same.
    const PARTS: &'static [&'static str];

    /// Its bytes, by part name such as `weights.safetensors`. Equal artifacts give equal bytes.
    ///
    /// # Errors
    /// When it cannot be written, which is the machine's fault or a bug.
    fn to_parts(&self) -> Result<Parts, Fault>;

    /// Reads it back.
    ///
    /// # Errors
    /// When a part is missing or is not what `to_parts` writes.
    fn from_parts(parts: &Parts) -> Result<Self, Fault>;

    /// What programs in other languages see of it.
    ///
    /// # Errors
    /// When they cannot take it.
    fn to_parcel(&self) -> Result<Parcel, Fault> {
        let kind = Self::KIND;
        Err(Fault::user(format!("a program cannot take a {kind} yet")))
    }

    /// About how many bytes it takes in memory, where that may be much.
    fn size(&self) -> u64 {
        0
    }

    /// The artifact behind a result, when it is this type or can be read as it.
    fn from_stored(stored: &AnyArtifact) -> Option<Arc<Self>> {
        downcast(stored)
    }

    /// The same as an artifact of another kind, where it can stand for one.
    fn in_role(&self, role: Kind) -> Option<AnyArtifact> {
        let _ = role;
        None
    }

    /// The weight table to export with `--tables`, for those that are one.
    ///
    /// # Errors
    /// When the table cannot be made.
    fn table(&self) -> Result<Option<DataFrame>, Fault> {
        Ok(None)
    }

    /// The files to export with `--weights`, by name, for those that have some. Their names begin
    /// with `stem`; `made_by` (key and seed) goes to their metadata, beside the architecture.
    ///
    /// # Errors
    /// When the files cannot be made.
    fn weights_files(&self, stem: &str, made_by: Metadata) -> Result<WeightsFiles<'_>, Fault> {
        let _ = (stem, made_by);
        Ok(WeightsFiles::new())
    }
}

/// A result of whatever type.
pub type AnyArtifact = Arc<dyn Stored>;

/// The artifact behind a result, when it is this type.
pub fn downcast<A: Artifact>(stored: &AnyArtifact) -> Option<Arc<A>> {
    Arc::clone(stored).as_any().downcast().ok()
}

/// An [`Artifact`] with its type erased.
pub trait Stored: Send + Sync {
    /// The kind of its type.
    fn kind(&self) -> Kind;
    /// See [`Artifact::to_parts`].
    ///
    /// # Errors
    /// As there.
    fn to_parts(&self) -> Result<Parts, Fault>;
    /// See [`Artifact::to_parcel`].
    ///
    /// # Errors
    /// As there.
    fn to_parcel(&self) -> Result<Parcel, Fault>;
    /// See [`Artifact::size`].
    fn size(&self) -> u64;
    /// See [`Artifact::in_role`].
    fn in_role(&self, role: Kind) -> Option<AnyArtifact>;
    /// See [`Artifact::table`].
    ///
    /// # Errors
    /// As there.
    fn table(&self) -> Result<Option<DataFrame>, Fault>;
    /// See [`Artifact::weights_files`].
    ///
    /// # Errors
    /// As there.
    fn weights_files(&self, stem: &str, made_by: Metadata) -> Result<WeightsFiles<'_>, Fault>;
    /// For downcasting.
    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

impl<A: Artifact> Stored for A {
    fn kind(&self) -> Kind {
        A::KIND
    }

    fn to_parts(&self) -> Result<Parts, Fault> {
        Artifact::to_parts(self)
    }

    fn to_parcel(&self) -> Result<Parcel, Fault> {
        Artifact::to_parcel(self)
    }

    fn size(&self) -> u64 {
        Artifact::size(self)
    }

    fn in_role(&self, role: Kind) -> Option<AnyArtifact> {
        Artifact::in_role(self, role)
    }

    fn table(&self) -> Result<Option<DataFrame>, Fault> {
        Artifact::table(self)
    }

    fn weights_files(&self, stem: &str, made_by: Metadata) -> Result<WeightsFiles<'_>, Fault> {
        Artifact::weights_files(self, stem, made_by)
    }

    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}
