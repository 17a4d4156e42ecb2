//! The sections of the page.

pub(crate) mod anomalies;
pub(crate) mod members;
pub(crate) mod plots;
