//! The commands about packages, with their flags.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use engine::packages::Freedom;

// What fetching may do.
#[derive(Debug, Args)]
pub struct FreedomArgs {
    /// Refuse to change `farcast.lock`.
    #[arg(long)]
    pub locked: bool,
    /// Take `farcast.lock` as it is, without a look at `farcast.toml`.
    #[arg(long, conflicts_with = "locked")]
    pub frozen: bool,
    /// Use no network: all must be in `vendor` or the cache.
    #[arg(long)]
    pub offline: bool,
}

impl FreedomArgs {
    pub fn freedom(&self) -> Freedom {
        Freedom {
            locked: self.locked,
            frozen: self.frozen,
            offline: self.offline,
        }
    }
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("source").required(true)))]
pub struct Add {
    /// What `use "@NAME"` calls it.
    pub name: String,
    /// A git repository: `https://`, `ssh://` or `file://`.
    #[arg(long, value_name = "URL", group = "source")]
    pub git: Option<String>,
    /// A tag of it.
    #[arg(long, requires = "git", conflicts_with = "rev")]
    pub tag: Option<String>,
    /// A commit of it, in full.
    #[arg(long, value_name = "COMMIT", requires = "git")]
    pub rev: Option<String>,
    /// A folder, relative to that of `farcast.toml`; read as it is.
    #[arg(long, value_name = "FOLDER", group = "source")]
    pub path: Option<String>,
    /// A zip archive: `https://` or `file://`.
    #[arg(long, value_name = "URL", group = "source")]
    pub archive: Option<String>,
    #[command(flatten)]
    pub freedom: FreedomArgs,
}

#[derive(Debug, Args)]
pub struct Fetch {
    #[command(flatten)]
    pub freedom: FreedomArgs,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Update {
    /// The packages; all when left out.
    pub names: Vec<String>,
    /// Change nothing; show what would change.
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub freedom: FreedomArgs,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Vendor {
    #[command(flatten)]
    pub freedom: FreedomArgs,
}

#[derive(Debug, Subcommand)]
pub enum PackageCommand {
    /// Find what is missing: metadata, license, documentation, examples that run.
    #[command(after_help = "Example:\n  farcast package check ocean")]
    Check(PackageCheck),
}

#[derive(Debug, Args)]
pub struct PackageCheck {
    /// The folder of the package.
    #[arg(default_value = ".")]
    pub folder: PathBuf,
    /// Let the programs of its plugins run this once.
    #[arg(long)]
    pub trust: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}
