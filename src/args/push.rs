//! `farcast push` with its flags.

use std::path::Path;

use clap::Args;

#[derive(Debug, Args)]
pub struct Push {
    /// Whose results: experiment files, or runs as `farcast runs` names them.
    #[arg(required_unless_present_any = ["all", "key"])]
    pub what: Vec<String>,
    /// All results of the store.
    #[arg(long, conflicts_with = "what")]
    pub all: bool,
    /// The shared store [default: the only one].
    #[arg(long, value_name = "NAME")]
    pub to: Option<String>,
    /// Only show what would be sent.
    #[arg(long)]
    pub dry_run: bool,
    /// Print your name and key, as others write them in `trust`.
    #[arg(long)]
    pub key: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

impl Push {
    /// Where to look for the store: beside an experiment that is named.
    pub(super) fn near(&self) -> &Path {
        let file = { self.what.iter() }.find(|what| what.ends_with(".farcast"));
        file.map_or(Path::new("."), Path::new)
    }
}
