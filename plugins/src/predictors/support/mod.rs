//! What the predictor plugins share.

pub(crate) mod matrix;
