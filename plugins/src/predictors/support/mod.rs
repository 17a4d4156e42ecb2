//! What the predictor plugins share.

pub(crate) mod foreign;
pub(crate) mod matrix;
