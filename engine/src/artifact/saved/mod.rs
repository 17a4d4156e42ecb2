//! Models as other programs save them: safetensors files, whole or in shards.
//!
//! [`SavedModel::open_all`] finds the models behind a path: files, patterns, folders, indices.
//! [`Naming`] reads steps and members from their names, [`Selection`] says which tensors are
//! weights, [`Saved`] keeps how they are saved, with all that is saved beside them, so that other
//! weights can be written in the same form.

mod form;
mod model;
mod naming;
mod open;
mod selection;

pub use form::Saved;
pub use model::{SavedModel, model_names};
pub use naming::{Naming, Template};
pub use selection::Selection;
