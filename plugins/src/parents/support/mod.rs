//! What the parent plugins share.

pub(crate) mod again;
pub(crate) mod boosting;
pub(crate) mod exact;
pub(crate) mod examine;
pub(crate) mod foreign;
pub(crate) mod init;
pub(crate) mod parent;
pub(crate) mod start;
pub(crate) mod targets;
