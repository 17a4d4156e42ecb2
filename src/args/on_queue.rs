//! The arguments of runs on a queue of jobs.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::scores::Shown;

/// A queue of jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Queue {
    /// Job arrays of Slurm.
    Slurm,
    /// A command of your own, which ends when its chunks have ended.
    Command,
}

#[derive(Debug, Args)]
pub struct Status {
    /// A run on a queue: its name or the start of it, its experiment file, or `last`
    /// [default: list all].
    pub run: Option<String>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Attach {
    /// A run on a queue: its name or the start of it, its experiment file, or `last`.
    #[arg(default_value = "last")]
    pub run: String,
    /// Print one JSON object to standard output.
    #[arg(long)]
    pub json: bool,
    /// Show no progress and no notes.
    #[arg(long, short)]
    pub quiet: bool,
    /// Which scores the table at the end shows.
    #[arg(long, value_enum, default_value_t = Shown::Main)]
    pub scores: Shown,
}

#[derive(Debug, Args)]
pub struct Cancel {
    /// A run on a queue: its name or the start of it, its experiment file, or `last`.
    pub run: String,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Jobs call it, on any machine with this program and the store. CHUNK is a number, or `next` to submit
what is missing after all chunks, or to write the results. With the folder of a store instead of an
order, it serves a run with `--executor processes`.

Examples:
  farcast work .farcast/work/storms-1f3a9c/1/order.json 7
  farcast work .farcast/work/storms-1f3a9c/1/order.json next")]
pub struct Work {
    /// The `order.json` of a run.
    pub order: PathBuf,
    /// The number of the chunk, or `next`.
    pub chunk: Option<String>,
}

/// Where to look for the store of a run on a queue: beside its experiment, if that is named.
pub(super) fn near_run(run: &str) -> &Path {
    let is_file = run.ends_with(".farcast");
    Path::new(if is_file { run } else { "." })
}
