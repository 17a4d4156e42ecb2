//! Models that other programs saved: which tensors of files are the same, in which order the files
//! come, what their headers say before a run.

mod alike;
mod look;
mod run;

pub(crate) use alike::Ties;
pub(crate) use look::{Asked, ModelsSeen, look, look_at_models, selection};
pub(crate) use run::{Run, members};

use engine::error::Fault;

/// The same fault at the files, where it says no other place.
pub(crate) fn at_files(fault: Fault) -> Fault {
    match fault {
        Fault::User {
            param: None,
            message,
            hint,
        } => Fault::User {
            param: Some("files".to_owned()),
            message,
            hint,
        },
        other => other,
    }
}

/// That a number of runs was not found.
pub(crate) fn wrong_count(runs: &[String], expected: u64) -> String {
    let some: Vec<String> = runs.iter().take(5).map(|run| format!("`{run}`")).collect();
    let more = if runs.len() > 5 { ", …" } else { "" };
    let found = runs.len();
    format!(
        "expected {expected} runs, found {found}: {}{more}",
        some.join(", ")
    )
}
