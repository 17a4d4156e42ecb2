//! Parquet files: from their bytes to columns of numbers and texts.
//!
//! polars refuses a file for one column of a type that it does not know, and panics on some
//! damaged pages. Here every column is read by itself, and every length is checked before it is
//! believed. `thrift` reads the structures, `footer` the schema, `column` the pages of a column,
//! `encodings` what is in them. Source: the Parquet format 2.11 and its thrift definition.

mod column;
mod encodings;
mod footer;
mod thrift;

use std::thread;

use engine::memory;

pub use column::Held;
pub use footer::{Footer, Meaning};

/// More threads wait for memory.
const MOST_THREADS: usize = 8;

/// The values of some columns of a file, in the order asked for.
///
/// # Errors
/// Which column does not read and why, in one line.
pub fn read(bytes: &[u8], footer: &Footer, columns: &[usize]) -> Result<Vec<Held>, String> {
    let needs = (footer.rows as u64).saturating_mul(8 * columns.len() as u64);
    if memory::of_machine().is_some_and(|memory| needs > memory) {
        return Err(format!(
            "{} rows of {} columns need more memory than there is",
            footer.rows,
            columns.len()
        ));
    }
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let share = columns.len().div_ceil(threads.min(MOST_THREADS)).max(1);
    let one = |at: &usize| {
        column::read(bytes, footer, *at)
            .map_err(|why| format!("column `{}`: {why}", footer.leaves[*at].name))
    };
    let all: Vec<Result<Held, String>> = thread::scope(|scope| {
        let parts: Vec<_> = columns
            .chunks(share)
            .map(|some| scope.spawn(move || some.iter().map(one).collect::<Vec<_>>()))
            .collect();
        let joined = parts.into_iter().flat_map(|part| {
            part.join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        joined.collect()
    });
    all.into_iter().collect()
}
