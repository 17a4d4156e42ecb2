//! What a store is opened for.

/// Whether a store may be changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Reading only: nothing is created or changed, and a store that does not exist is empty.
    Read,
    /// Reading and writing.
    Write,
}
