//! What the child plugins share.

pub(crate) mod anomalies;
pub(crate) mod architecture;
pub(crate) mod correction;
pub(crate) mod fitted;
pub(crate) mod foreign;
pub(crate) mod forward;
pub(crate) mod guard;
pub(crate) mod tangent;
