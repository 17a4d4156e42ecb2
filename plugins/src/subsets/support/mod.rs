//! What the subset plugins share.

pub(crate) mod points;
