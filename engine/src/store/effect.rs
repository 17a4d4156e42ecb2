//! Doing something, or only saying what would be done.

/// Whether something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It is done.
    Apply,
    /// Nothing changes; the report says what would be done.
    DryRun,
}
