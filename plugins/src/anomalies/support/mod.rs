//! What the anomaly plugins share.

pub(crate) mod signal;
