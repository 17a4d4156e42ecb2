//! What the scores share.

pub(crate) mod distances;
pub(crate) mod ensemble;
pub(crate) mod groups;
pub(crate) mod measure;
pub(crate) mod metric;
mod reads;
pub(crate) mod scoring;
pub(crate) mod table;
pub(crate) mod trial;
