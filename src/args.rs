//! Every command and flag, with its help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Experiments on the weights of neural networks, in one short file.
#[derive(Debug, Parser)]
#[command(
    name = "farcast",
    version,
    arg_required_else_help = true,
    max_term_width = 100
)]
#[command(after_help = "\
Examples:
  farcast new storms                        write a commented starter, storms.farcast
  farcast check storms.farcast              find every mistake before anything runs
  farcast run storms.farcast                train, fine-tune, regress, score, report
  farcast run storms.farcast --set degree=2 change a `param`; only what depends on it runs
  farcast plan storms.farcast               what would run, and why
  farcast plugins mlp                       what a plugin takes")]
pub struct Arguments {
    /// When to use colour: NO_COLOR is honoured too.
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN")]
    pub color: ColorChoice,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Find every mistake in experiment files without running anything.
    #[command(
        after_help = "Examples:\n  farcast check *.farcast\n  farcast check storms.farcast --json"
    )]
    Check(Check),
    /// Bring experiment files into the one canonical layout.
    #[command(after_help = "Examples:\n  farcast fmt *.farcast\n  farcast fmt --check *.farcast")]
    Fmt(Fmt),
    /// Say what a run would do, and why, without doing it.
    #[command(after_help = "Example:\n  farcast plan storms.farcast --set degree=2")]
    Plan(Plan),
    /// Run an experiment: whatever earlier runs made is reused.
    #[command(after_help = "\
Examples:
  farcast run storms.farcast
  farcast run storms.farcast --set degree=2 --set members=20
  farcast run storms.farcast --json --quiet > scores.json
  farcast run storms.farcast --out results --tables --weights")]
    Run(Run),
    /// Draw the graph of an experiment.
    #[command(after_help = "Example:\n  farcast graph storms.farcast --format svg > storms.svg")]
    Graph(Graph),
    /// Write the report of an experiment again, running only what is missing.
    #[command(after_help = "Example:\n  farcast report storms.farcast --out results")]
    Report(Report),
    /// List the plugins, or say all about one.
    #[command(
        after_help = "Examples:\n  farcast plugins\n  farcast plugins mlp\n  farcast plugins --json"
    )]
    Plugins(Plugins),
    /// Look after the store of results.
    #[command(subcommand)]
    Cache(Cache),
    /// Write a commented starter experiment that runs.
    #[command(after_help = "Example:\n  farcast new storms && farcast run storms.farcast")]
    New(New),
    /// Print the reference of the language and all plugins as Markdown.
    Docs,
    /// Print a completion script for a shell.
    #[command(
        after_help = "Example:\n  farcast completions bash > ~/.local/share/bash-completion/completions/farcast"
    )]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// The experiment and what is set in it.
#[derive(Debug, Args)]
pub struct Subject {
    /// The experiment file.
    pub file: PathBuf,
    /// Give a `param` another value; may be repeated.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    pub settings: Vec<(String, String)>,
    /// Where results are kept [default: $FARCAST_STORE, or .farcast beside farcast.toml or the file].
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
}

/// `farcast check`
#[derive(Debug, Args)]
pub struct Check {
    /// The files.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Print one JSON object instead of words.
    #[arg(long)]
    pub json: bool,
}

/// `farcast fmt`
#[derive(Debug, Args)]
pub struct Fmt {
    /// The files.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Change nothing; exit with 1 when a file is not in canonical layout.
    #[arg(long)]
    pub check: bool,
}

/// `farcast plan`
#[derive(Debug, Args)]
pub struct Plan {
    #[command(flatten)]
    pub subject: Subject,
    /// Print one JSON object instead of words.
    #[arg(long)]
    pub json: bool,
}

/// `farcast run`
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    pub subject: Subject,
    /// Where to write tables and report [default: out/ and the file's stem].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// How many actions run at a time [default: one per core].
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub jobs: Option<u16>,
    /// When an action fails, go on with all that does not need it.
    #[arg(long)]
    pub keep_going: bool,
    /// Print one JSON object to standard output.
    #[arg(long)]
    pub json: bool,
    /// Show no progress and no notes.
    #[arg(long, short)]
    pub quiet: bool,
    /// Write one Parquet file for every anomaly and trajectory.
    #[arg(long)]
    pub tables: bool,
    /// Write parents and children as safetensors.
    #[arg(long)]
    pub weights: bool,
}

/// `farcast graph`
#[derive(Debug, Args)]
pub struct Graph {
    #[command(flatten)]
    pub subject: Subject,
    /// The form of the drawing.
    #[arg(long, value_enum, default_value_t = Drawing::Mermaid)]
    pub format: Drawing,
}

/// The forms of `farcast graph`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Drawing {
    /// For Graphviz.
    Dot,
    /// For Markdown.
    Mermaid,
    /// For the eye.
    Svg,
}

/// `farcast report`
#[derive(Debug, Args)]
pub struct Report {
    #[command(flatten)]
    pub subject: Subject,
    /// Where to write it [default: out/ and the file's stem].
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}

/// `farcast plugins`
#[derive(Debug, Args)]
pub struct Plugins {
    /// The plugin to say all about.
    pub name: Option<String>,
    /// Print one JSON object instead of words.
    #[arg(long)]
    pub json: bool,
}

/// `farcast cache …`
#[derive(Debug, Subcommand)]
pub enum Cache {
    /// List what is stored.
    Ls(StoreAt),
    /// Read everything stored and say what is damaged; exits with 1 when anything is.
    Verify(StoreAt),
    /// Remove what no result needs.
    Gc {
        #[command(flatten)]
        at: StoreAt,
        /// Remove results made more than so many days ago, too.
        #[arg(long, value_name = "DAYS")]
        older_than: Option<u64>,
        /// Only say what would be removed.
        #[arg(long)]
        dry_run: bool,
    },
    /// Print where the store is.
    Path(StoreAt),
}

/// Which store.
#[derive(Debug, Args)]
pub struct StoreAt {
    /// The store [default: $FARCAST_STORE, or .farcast beside farcast.toml or here].
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
}

/// `farcast new`
#[derive(Debug, Args)]
pub struct New {
    /// The experiment's name; `NAME.farcast` is written in the working folder.
    pub name: String,
}

fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err("expected NAME=VALUE, such as `width=16`".to_owned()),
    }
}
