//! Rows that pass through plugins in parts, so that no table need be in memory whole.
//!
//! A reader gives its rows part after part; a function of rows answers each part at once; what
//! gathers rows answers after the last. The executor joins them ([`crate::executor`]) where
//! nothing reads the tables between them as wholes. A result is the same whatever the parts are.
//!
//! The first rows come with all columns. Once it is known that nobody keeps the table, each call says
//! which columns of the next rows it reads ([`Flow::reads`]), and the reader may leave out the others.

use crate::artifact::{Dataset, ReadColumns};
use crate::error::Fault;
use crate::plugin::Context;

/// How many calls are carried out beside the one that their rows come from, one within the other; the
/// last keeps its table, which others take in parts again.
pub const MOST_BESIDE: usize = 8;

/// How many calls rows pass through on their way to an action, one within the other.
pub const MOST_BEFORE: usize = 64;

/// What a call does to rows that come in parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InParts {
    /// It reads them from files: [`Plugin::read_parts`](crate::plugin::Plugin::read_parts).
    Reads,
    /// It answers each part of the rows of this input:
    /// [`Plugin::flow`](crate::plugin::Plugin::flow).
    Maps(&'static str),
    /// It answers after the last part, with little:
    /// [`Plugin::flow`](crate::plugin::Plugin::flow).
    Gathers(&'static str),
    /// It reads the rows of this input as often as it needs to, by
    /// [`Context::rows`](crate::plugin::Context::rows): where each answer depends on all rows. What
    /// passes rows on itself then does so by [`Plugin::read_parts`](crate::plugin::Plugin::read_parts).
    Rereads(&'static str),
}

impl InParts {
    /// The input whose rows it takes in parts.
    pub fn input(self) -> Option<&'static str> {
        match self {
            Self::Reads => None,
            Self::Maps(input) | Self::Gathers(input) | Self::Rereads(input) => Some(input),
        }
    }
}

/// A call that takes rows in parts.
pub trait Flow {
    /// Takes the next rows, in the order of the table; returns the rows of the result that these
    /// are enough for.
    ///
    /// # Errors
    /// As those of [`Plugin::run`](crate::plugin::Plugin::run).
    fn push(&mut self, rows: Dataset, context: &Context) -> Result<Option<Dataset>, Fault>;

    /// The columns that it reads of the next rows, where `after` are those that are read of its own;
    /// the others may be missing from then on. Asked after its first rows, and where `after` changes.
    fn reads(&self, after: &ReadColumns) -> ReadColumns {
        let _ = after;
        ReadColumns::All
    }

    /// The rest of the result, after the last rows.
    ///
    /// # Errors
    /// As those of [`Plugin::run`](crate::plugin::Plugin::run).
    fn finish(&mut self, context: &Context) -> Result<Option<Dataset>, Fault>;
}

/// What a call makes of a whole table, taken as one part.
///
/// # Errors
/// Those of the call.
pub fn at_once(mut flow: impl Flow, rows: Dataset, context: &Context) -> Result<Dataset, Fault> {
    let first = flow.push(rows, context)?;
    let rest = flow.finish(context)?;
    Ok(first.or(rest).unwrap_or_default())
}
