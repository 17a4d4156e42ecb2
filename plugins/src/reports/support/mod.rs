//! What reports share: the sections of the page, and planes cut into cells.

pub(crate) mod anomalies;
pub(crate) mod grid;
pub(crate) mod members;
pub(crate) mod plots;
pub(crate) mod predicted;
