//! What the data plugins share.

pub(crate) mod cf;
pub(crate) mod damage;
pub(crate) mod groups;
pub(crate) mod pixels;
pub(crate) mod source;
#[cfg(test)]
pub(crate) mod testing;
