//! What actions make: typed in memory, named parts of bytes in the store.

mod dataset;
mod page;
mod scores;
mod weights;

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::Arc;

use dsl::types::Kind;
use polars::frame::DataFrame;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Fault;

pub use dataset::{DataColumn, Dataset, from_parquet, to_parquet};
pub use page::{Figure, Page, Section, Series, Style};
pub use scores::{ScoreRow, Scores};
pub use weights::{Layout, Tensor, WeightTable};

/// Names and values in the head of a safetensors file.
pub type Metadata = Vec<(String, String)>;

/// Something an action makes and another one takes.
pub trait Artifact: Any + Send + Sync + Sized {
    /// Its kind in the language; the usual one when there are several.
    const KIND: Kind;

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

    /// The weight table to export with `--tables`, for those that are one.
    ///
    /// # Errors
    /// When the table cannot be made.
    fn table(&self) -> Result<Option<DataFrame>, Fault> {
        Ok(None)
    }

    /// The safetensors file to export with `--weights`, for those that have one; `made_by`
    /// (key and seed) goes to its metadata, beside the architecture.
    ///
    /// # Errors
    /// When the file cannot be made.
    fn weights_file(&self, made_by: Metadata) -> Result<Option<Vec<u8>>, Fault> {
        let _ = made_by;
        Ok(None)
    }
}

/// An [`Artifact`] with its type erased.
pub trait Stored: Send + Sync {
    /// See [`Artifact::to_parts`].
    ///
    /// # Errors
    /// As there.
    fn to_parts(&self) -> Result<Parts, Fault>;
    /// See [`Artifact::table`].
    ///
    /// # Errors
    /// As there.
    fn table(&self) -> Result<Option<DataFrame>, Fault>;
    /// See [`Artifact::weights_file`].
    ///
    /// # Errors
    /// As there.
    fn weights_file(&self, made_by: Metadata) -> Result<Option<Vec<u8>>, Fault>;
    /// For downcasting.
    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
}

impl<A: Artifact> Stored for A {
    fn to_parts(&self) -> Result<Parts, Fault> {
        Artifact::to_parts(self)
    }

    fn table(&self) -> Result<Option<DataFrame>, Fault> {
        Artifact::table(self)
    }

    fn weights_file(&self, made_by: Metadata) -> Result<Option<Vec<u8>>, Fault> {
        Artifact::weights_file(self, made_by)
    }

    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}

/// Named bytes: what an artifact is in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts(pub BTreeMap<String, Arc<[u8]>>);

impl Parts {
    /// The same with one more part.
    pub fn with(mut self, name: &str, bytes: impl Into<Arc<[u8]>>) -> Self {
        self.0.insert(name.to_owned(), bytes.into());
        self
    }

    /// The same with one more part, as JSON.
    ///
    /// # Errors
    /// When the value has no JSON form.
    pub fn with_json(self, name: &str, value: &impl Serialize) -> Result<Self, Fault> {
        let bytes = serde_json::to_vec(value).map_err(|error| Fault::Bug(error.to_string()))?;
        Ok(self.with(name, bytes))
    }

    /// The part with this name.
    ///
    /// # Errors
    /// When there is none.
    pub fn get(&self, name: &str) -> Result<&Arc<[u8]>, Fault> {
        self.0
            .get(name)
            .ok_or_else(|| Fault::Damaged(format!("part `{name}` is missing")))
    }

    /// The part with this name, from JSON.
    ///
    /// # Errors
    /// When there is none or it does not parse.
    pub fn json<T: DeserializeOwned>(&self, name: &str) -> Result<T, Fault> {
        serde_json::from_slice(self.get(name)?)
            .map_err(|error| Fault::Damaged(format!("part `{name}`: {error}")))
    }
}
