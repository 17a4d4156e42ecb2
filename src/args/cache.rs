//! `farcast cache …` with its flags.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::experiment::ExperimentArgs;
use super::values::{size, whole};

#[derive(Debug, Subcommand)]
pub enum Cache {
    /// List the stored results.
    Ls(ForPrograms),
    /// Show how much each plugin stores, the largest first.
    Du(ForPrograms),
    /// Show why a statement runs, or does not.
    #[command(
        after_help = "Examples:\n  farcast cache why storms.farcast shift\n  farcast cache why storms.farcast --set steps=200"
    )]
    Why(Why),
    /// Read the whole store and report damage; exits with 1 if there is any.
    Verify {
        /// Set damaged results aside, so that the next run computes them again.
        #[arg(long)]
        repair: bool,
        #[command(flatten)]
        output: ForPrograms,
    },
    /// Remove what no result needs; results of running and pinned runs stay.
    #[command(
        after_help = "Examples:\n  farcast cache gc --dry-run --older-than 90\n  farcast cache gc --max-size 20GB\n  farcast cache gc --only storms.farcast --only waves.farcast"
    )]
    Gc(Gc),
    /// Protect the results of a run from `gc`.
    #[command(after_help = "Examples:\n  farcast cache pin last\n  farcast cache pin out/storms")]
    Pin {
        /// The run: `last`, its name or the start of it, an out folder or a `run.json`.
        run: String,
    },
    /// Remove the protection of a pinned run.
    Unpin {
        /// The name of the pin, as `farcast cache ls` lists it.
        pin: String,
    },
    /// Print the path of the store.
    Path,
}

#[derive(Debug, Args)]
pub struct Why {
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    /// The statement [default: all that run].
    pub statement: Option<String>,
    #[command(flatten)]
    pub output: ForPrograms,
}

/// The flag of answers for programs.
#[derive(Clone, Copy, Debug, Args)]
pub struct ForPrograms {
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Gc {
    /// Remove results older than DAYS days, too.
    #[arg(long, value_name = "DAYS", value_parser = whole, allow_negative_numbers = true)]
    pub older_than: Option<u64>,
    /// Remove the oldest results until the others need no more than SIZE.
    #[arg(long, value_name = "SIZE", value_parser = size, allow_negative_numbers = true)]
    pub max_size: Option<u64>,
    /// Remove results that none of these experiments needs; may be repeated.
    #[arg(long, value_name = "FILE")]
    pub only: Vec<PathBuf>,
    /// Clean this shared store instead: files that no result names and that are older than a week.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["older_than", "max_size", "only"])]
    pub remote: Option<String>,
    /// Only show what would be removed.
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub output: ForPrograms,
}
