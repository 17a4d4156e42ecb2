//! Every command and flag, with its help.

mod cache;
mod experiment;
mod on_queue;
mod packages;
mod push;
mod values;

use std::ffi::OsString;
use std::io::{Write as _, stderr};
use std::path::{Path, PathBuf};
use std::process::exit;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

pub use cache::{Cache, ForPrograms, Gc, Why};
pub use experiment::ExperimentArgs;
use on_queue::near_run;
pub use on_queue::{Attach, Cancel, Queue, Status, Work};
pub use packages::{Add, Fetch, PackageCheck, PackageCommand, Update, Vendor};
pub use push::Push;
use values::{setting, whole};

use dsl::render::printable;
use engine::artifact::DataForm;

use crate::scores::Shown;
use crate::settings::Flags;
use crate::templates::TEMPLATES;

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
  farcast run storms.farcast --set degree=2 change a `param`; run only what depends on it
  farcast plan storms.farcast               show what would run, and why
  farcast runs                              list earlier runs and their scores
  farcast compare last~1 last               compare two runs
  farcast plugins mlp                       describe a plugin and its parameters")]
pub struct Arguments {
    /// The settings given as flags.
    #[command(flatten)]
    pub flags: Flags,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands; the arguments of one are made when it is typed. What a command does is said here alone:
/// words at the struct of its arguments would take their place in its help.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum Command {
    /// Find every mistake in experiment files without running anything.
    #[command(
        after_help = "Examples:\n  farcast check *.farcast\n  farcast check storms.farcast --set degree=2\n  farcast check storms.farcast --json"
    )]
    Check(Check),
    /// Rewrite experiment files in the canonical layout.
    #[command(after_help = "Examples:\n  farcast fmt *.farcast\n  farcast fmt --check *.farcast")]
    Fmt(Fmt),
    /// Show what a run would do, and why, without doing it.
    #[command(after_help = "Example:\n  farcast plan storms.farcast --set degree=2")]
    Plan(Plan),
    /// Run an experiment, reusing the results of earlier runs.
    #[command(after_help = "\
Examples:
  farcast run storms.farcast
  farcast run storms.farcast --set degree=2 --set members=20
  farcast run storms.farcast --json --quiet > scores.json
  farcast run storms.farcast --out results --tables --weights
  farcast run storms.farcast --weights adapted
  farcast run storms.farcast --executor processes
  farcast run storms.farcast --on slurm")]
    Run(Run),
    /// Show how far runs on a queue of jobs are.
    #[command(
        after_help = "Examples:\n  farcast status\n  farcast status storms.farcast\n  farcast status last --json"
    )]
    Status(Status),
    /// Wait for a run on a queue of jobs, with its progress, as if it ran here.
    #[command(after_help = "\
What is missing and in no job any more is submitted again. Ctrl-C leaves the jobs alone.

Examples:
  farcast attach
  farcast attach storms.farcast")]
    Attach(Attach),
    /// End the jobs of a run on a queue; what is finished is kept.
    #[command(after_help = "Example:\n  farcast cancel storms.farcast")]
    Cancel(Cancel),
    /// Write weights as safetensors and data as NetCDF, running only what they need.
    #[command(after_help = "\
Weights that came from files are written with the names, types and shards they came with.

Examples:
  farcast export storms.farcast adapted
  farcast export storms.farcast net adapted --out weights
  farcast export storms.farcast predictions --format csv")]
    Export(Export),
    /// Draw the graph of an experiment.
    #[command(after_help = "Example:\n  farcast graph storms.farcast --format svg > storms.svg")]
    Graph(Graph),
    /// Rewrite the report of an experiment, running only what is missing.
    #[command(after_help = "Example:\n  farcast report storms.farcast --out results")]
    Report(Report),
    /// List the plugins, or describe one.
    #[command(
        after_help = "Examples:\n  farcast plugins\n  farcast plugins mlp\n  farcast plugins storms.farcast\n  farcast plugins --json"
    )]
    Plugins(Plugins),
    /// Write, test and prepare plugins of your own, in any language.
    #[command(
        subcommand,
        after_help = "Examples:\n  farcast plugin new huber\n  farcast plugin test huber"
    )]
    Plugin(PluginCommand),
    /// Let the program of a plugin run, as it is now, until it changes; or use a shared store.
    #[command(after_help = "\
Without a NAME, all plugins that the file or folder describes are listed, with what is trusted.

Examples:
  farcast trust huber
  farcast trust huber robust
  farcast trust
  farcast trust huber --withdraw
  farcast trust team           # `[remote.team]`: results may come from there")]
    Trust(Trust),
    /// List the runs of this store: time, params and scores.
    #[command(after_help = "Examples:\n  farcast runs\n  farcast runs --limit 5 --json")]
    Runs(Runs),
    /// Show one run: its parameters, data, versions and scores.
    #[command(after_help = "\
Examples:
  farcast show last
  farcast show 20261121-0451
  farcast show out/storms
  farcast show out/storms/net.0.safetensors")]
    Show(Show),
    /// Compare runs: params that differ, scores, differences and their confidence intervals.
    #[command(after_help = "\
Each RUN is a name from `farcast runs` or its start, `last`, `last~1` (the one before), an output
folder, a run.json, or an experiment file, which runs first. Differences are from the first.
Where members of two runs descend from the same trained parents, the comparison is paired by
member; elsewhere it compares means (Welch). Intervals are 95 % intervals of Student's t over
members.

Examples:
  farcast compare last~1 last
  farcast compare out/storms out/storms-deep --html storms.html
  farcast compare linear.farcast spline.farcast --json")]
    Compare(Compare),
    /// Repeat a run from its run.json, and check that the scores are the same.
    #[command(after_help = "\
run.json contains the texts, the settings and the digests of all data. Paths are relative to the
folder of the run, or to the working folder if that no longer exists. Results in the store are
reused unless `--fresh` is given. Exits with 1 if the scores are not byte-identical.

Examples:
  farcast rerun out/storms/run.json
  farcast rerun last --fresh")]
    Rerun(Rerun),
    /// Pack an experiment, or a run with its results, into one file to hand over.
    #[command(after_help = "\
The bundle is a zip archive and an RO-Crate: texts, data or their digests, the record of the run and
its report. The same run gives the same bytes. Paths must be relative to the working folder.

Examples:
  farcast pack storms.farcast --data
  farcast pack last --data --results -o storms.crate.zip
  farcast pack out/storms --results")]
    Pack(Pack),
    /// Put results into a store that is shared with others: `[remote.NAME]` of farcast.toml.
    #[command(after_help = "\
What is there already is not sent again. Results are signed with your key, which the first push
makes; others take them when `trust` of their `[remote.NAME]` has it.

Examples:
  farcast push storms.farcast
  farcast push last --to team --dry-run
  farcast push --key             # the line that others put into `trust`")]
    Push(Push),
    /// Verify a bundle and unpack it into a new folder; nothing runs.
    #[command(after_help = "\
Every file is verified by its digest. What no bundle contains is refused before anything is
written: paths that leave the folder, links, encryption, more bytes than promised.

Examples:
  farcast open storms.crate.zip
  farcast open storms.crate.zip review && farcast rerun review --spot-check 3")]
    Open(Open),
    /// Use a package of another team: name it in `farcast.toml`, and fetch it.
    #[command(after_help = "\
Without `--tag` or `--rev`, the newest tag that is a version is taken. Tags and archives are pinned in
farcast.lock by commit and by the digest of all files.

Examples:
  farcast add ocean --git https://example.org/ocean.git
  farcast add ocean --git https://example.org/ocean.git --tag v1.2.0
  farcast add common --path ../common
  farcast add levitus --archive https://example.org/levitus.zip")]
    Add(Add),
    /// Fetch the packages that `farcast.toml` names into the cache, and write `farcast.lock`.
    #[command(after_help = "\
For packages, `add`, `fetch`, `update` and `vendor` are the only commands that touch a network.

Examples:
  farcast fetch
  farcast fetch --locked       # as in a clone: the lock must be right already
  farcast fetch --frozen       # what the lock says, whatever farcast.toml says
  farcast fetch --offline      # verify that all is there")]
    Fetch(Fetch),
    /// Take the newest version of packages, of the same major version.
    #[command(after_help = "\
`--dry-run` shows what the new versions define otherwise, and which actions of the experiments of this
project would run again.

Examples:
  farcast update --dry-run
  farcast update ocean")]
    Update(Update),
    /// Copy the packages into `vendor/`, which goes before the cache.
    #[command(after_help = "Example:\n  farcast vendor && git add vendor farcast.lock")]
    Vendor(Vendor),
    /// See whether a package is ready for others.
    #[command(subcommand, after_help = "Example:\n  farcast package check")]
    Package(PackageCommand),
    /// Inspect and clean the store of results.
    #[command(
        subcommand,
        after_help = "Examples:\n  farcast cache ls\n  farcast cache ls --json\n  farcast cache gc --older-than 30 --dry-run"
    )]
    Cache(Cache),
    /// Print every setting, its value and its source.
    #[command(after_help = "\
The first source that sets a value wins:
  1. the flag: --jobs 4
  2. the environment: FARCAST_JOBS=4
  3. the profile chosen by --profile or FARCAST_PROFILE: jobs = 4 in [profile.NAME]
  4. jobs = 4 in the nearest farcast.toml at or above the experiment's folder
  5. the default
Paths in farcast.toml are relative to its folder. A profile may also set params:
  [profile.quick]
  jobs = 1
  set = { members = 2, hidden = \"[8, 8]\" }

Examples:
  farcast config
  farcast config storms.farcast --profile quick
  farcast config --json")]
    Config(Config),
    /// Write a commented starter experiment that runs.
    #[command(
        after_help = "Examples:\n  farcast new storms && farcast run storms.farcast\n  farcast new ahead --from farcast"
    )]
    New(New),
    /// Print the reference of the language and all plugins as Markdown, or write man pages.
    #[command(
        after_help = "Examples:\n  farcast docs > reference.md\n  farcast docs --man ~/.local/share/man/man1"
    )]
    Docs(Docs),
    /// Explain a diagnostic: what it means, an example, and how to mend it.
    #[command(
        after_help = "Examples:\n  farcast explain unknown-column\n  farcast explain          # list all codes"
    )]
    Explain(Explain),
    /// Serve an editor over standard input and output: the language server protocol.
    #[command(
        after_help = "Editors start it themselves; docs/editors.md says how to tell them.\nIt runs no action and writes nothing.\n\nExample:\n  farcast lsp"
    )]
    Lsp,
    /// Carry out one chunk of a run on a queue of jobs.
    Work(Work),
    /// Print a completion script for a shell.
    #[command(
        after_help = "Example:\n  farcast completions bash > ~/.local/share/bash-completion/completions/farcast"
    )]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

impl Arguments {
    /// Those of this process; what is wrong with them ends it.
    pub fn of_process() -> Self {
        let words = with_bare_weights(std::env::args_os().collect());
        Self::try_parse_from(words).unwrap_or_else(|error| refuse(&error))
    }
}

/// Ends the process with what is wrong; what was typed is repeated as a terminal may show it.
fn refuse(error: &clap::Error) -> ! {
    let text = error.to_string();
    let shown: Vec<String> = text.lines().map(printable).collect();
    if shown.iter().map(String::as_str).eq(text.lines()) {
        error.exit();
    }
    // Where nobody listens there is nobody to tell.
    let _ = writeln!(stderr(), "{}", shown.join("\n"));
    exit(error.exit_code());
}

/// Arguments in which `--weights` before the experiment or run takes it for no name.
fn with_bare_weights(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let is_rerun = arguments.iter().any(|argument| argument == "rerun");
    for at in 0..arguments.len() {
        let next = arguments.get(at + 1).map(Path::new);
        let is_file = |path: &Path| {
            path.extension().is_some_and(|end| end == "farcast") || path.exists() || is_rerun
        };
        if arguments[at] == "--weights" && next.is_some_and(is_file) {
            arguments[at] = "--weights=".into();
        }
    }
    arguments
}

impl Command {
    /// The path at or above which to look for `farcast.toml`; none for commands without experiment
    /// and store.
    pub fn near(&self) -> Option<&Path> {
        let here = Path::new(".");
        match self {
            Command::Check(args) => args.files.first().map(PathBuf::as_path),
            Command::Fmt(args) => args.files.first().map(PathBuf::as_path),
            Command::Plan(args) => Some(&args.experiment.file),
            Command::Run(args) => Some(&args.experiment.file),
            Command::Export(args) => Some(&args.experiment.file),
            Command::Graph(args) => Some(&args.experiment.file),
            Command::Report(args) => Some(&args.experiment.file),
            Command::Config(args) => Some(args.file.as_deref().unwrap_or(here)),
            Command::Rerun(args) => Some(args.near()),
            Command::Pack(args) if args.what.ends_with(".farcast") => Some(Path::new(&args.what)),
            Command::Push(args) => Some(args.near()),
            Command::Trust(args) => Some(&args.path),
            Command::Status(args) => Some(near_run(args.run.as_deref().unwrap_or("last"))),
            Command::Attach(args) => Some(near_run(&args.run)),
            Command::Cancel(args) => Some(near_run(&args.run)),
            Command::Runs(_)
            | Command::Pack(_)
            | Command::Show(_)
            | Command::Compare(_)
            | Command::Cache(_) => Some(here),
            Command::Plugins(_)
            | Command::Plugin(_)
            | Command::New(_)
            | Command::Docs(_)
            | Command::Explain(_)
            | Command::Open(_)
            | Command::Add(_)
            | Command::Fetch(_)
            | Command::Update(_)
            | Command::Vendor(_)
            | Command::Package(_)
            | Command::Lsp
            | Command::Work(_)
            | Command::Completions { .. } => None,
        }
    }
}

#[derive(Debug, Args)]
pub struct Check {
    /// The files.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Set a `param`; may be repeated.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = setting)]
    pub settings: Vec<(String, String)>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Fmt {
    /// The files.
    #[arg(required = true)]
    pub files: Vec<PathBuf>,
    /// Change nothing; exit with 1 if a file is not in canonical layout.
    #[arg(long)]
    pub check: bool,
}

#[derive(Debug, Args)]
pub struct Plan {
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    #[command(flatten)]
    pub options: RunOptions,
    /// What actions run in.
    #[arg(long, value_enum, default_value_t = Executor::Threads)]
    pub executor: Executor,
    /// Submit what is missing to a queue of jobs: Slurm, or any other by the command of
    /// `[on.command]` in farcast.toml.
    #[arg(long, value_enum, value_name = "QUEUE", conflicts_with = "executor")]
    pub on: Option<Queue>,
    /// With `--on slurm`, wait for the results.
    #[arg(long, requires = "on")]
    pub wait: bool,
    /// Write a page that says how far the run is, `live.html` beside the results; it refreshes
    /// itself.
    #[arg(long, conflicts_with = "on")]
    pub live: bool,
}

#[derive(Debug, Args)]
pub struct Export {
    #[command(flatten)]
    pub experiment: ExperimentArgs,
    /// The statements: parents, children, farcasts and data.
    #[arg(required = true)]
    pub names: Vec<String>,
    /// The form of the files of data.
    #[arg(long, value_enum, default_value_t = Form::Netcdf)]
    pub format: Form,
    /// Print one JSON object to standard output.
    #[arg(long)]
    pub json: bool,
    /// Show no progress and no notes.
    #[arg(long, short)]
    pub quiet: bool,
}

/// What actions run in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Executor {
    /// Threads of one process: results stay in memory while something reads them.
    Threads,
    /// Worker processes, over the same store: an action that crashes or is killed fails alone.
    Processes,
}

// How to run, what to print and what to write.
#[derive(Clone, Debug, Default, Args)]
pub struct RunOptions {
    /// When an action fails, run everything that does not depend on it.
    #[arg(long)]
    pub keep_going: bool,
    /// Print one JSON object to standard output.
    #[arg(long)]
    pub json: bool,
    /// Show no progress and no notes.
    #[arg(long, short)]
    pub quiet: bool,
    /// Which scores the table at the end shows.
    #[arg(long, value_enum, default_value_t = Shown::Main)]
    pub scores: Shown,
    /// Try members that diverged before again.
    #[arg(long)]
    pub retry_diverged: bool,
    /// Write one Parquet file for every anomaly, trajectory and table of weights.
    #[arg(long)]
    pub tables: bool,
    /// Let the plugins of the experiment run their programs, and use shared stores, this time.
    #[arg(long)]
    pub trust: bool,
    /// Write weights as safetensors: of the statement NAME, used by a score or not, or of all
    /// parents and children.
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "", value_delimiter = ',')]
    pub weights: Option<Vec<String>>,
    /// The form of the files of data that `--weights` names.
    #[arg(long, value_enum, default_value_t = Form::Netcdf)]
    pub format: Form,
    /// [`Run::live`].
    #[arg(skip)]
    pub live: bool,
}

/// The forms of files of data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// A grid with coordinates and attributes, which xarray opens.
    #[default]
    Netcdf,
    /// The same grid as a Zarr store in a zip file.
    Zarr,
    /// A table.
    Parquet,
    /// A table of text.
    Csv,
}

impl From<Form> for DataForm {
    fn from(form: Form) -> Self {
        match form {
            Form::Netcdf => Self::NetCdf,
            Form::Zarr => Self::Zarr,
            Form::Parquet => Self::Parquet,
            Form::Csv => Self::Csv,
        }
    }
}

impl RunOptions {
    /// The statements whose weights are written; none named for all parents and children.
    pub fn weights(&self) -> Option<Vec<String>> {
        let names = self.weights.clone()?;
        Some(names.into_iter().filter(|name| !name.is_empty()).collect())
    }
}

#[derive(Debug, Args)]
pub struct Graph {
    #[command(flatten)]
    pub experiment: ExperimentArgs,
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

#[derive(Debug, Args)]
pub struct Report {
    #[command(flatten)]
    pub experiment: ExperimentArgs,
}

#[derive(Debug, Args)]
pub struct Plugins {
    /// The plugin to describe; of a `.farcast` file, the plugins that it declares or uses.
    #[arg(value_name = "NAME|FILE")]
    pub name: Option<String>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Write a working plugin into a new folder.
    #[command(
        after_help = "Examples:\n  farcast plugin new huber\n  farcast plugin new tally --sh"
    )]
    New(PluginNew),
    /// Try whether a plugin keeps its promises: same bytes, other seeds, bad arguments, cancelling.
    ///
    /// Its program runs.
    #[command(after_help = "Examples:\n  farcast plugin test huber")]
    Test(PluginTest),
    /// Make the `.venv` of plugins with `python = \"uv\"`, by uv from `uv.lock`.
    Sync(PluginSync),
}

#[derive(Debug, Args)]
pub struct PluginNew {
    /// Its name, and that of the folder.
    pub name: String,
    /// In Python; so it is when nothing else is said.
    #[arg(long, conflicts_with = "sh")]
    pub python: bool,
    /// In POSIX sh.
    #[arg(long)]
    pub sh: bool,
}

#[derive(Debug, Args)]
pub struct PluginTest {
    /// The folder, or an experiment file in it.
    #[arg(default_value = ".")]
    pub path: PathBuf,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct PluginSync {
    /// The folder with `farcast.toml`.
    #[arg(default_value = ".")]
    pub folder: PathBuf,
}

#[derive(Debug, Args)]
pub struct Trust {
    /// The plugin or the shared store, as `farcast.toml` calls it.
    pub name: Option<String>,
    /// The folder of that `farcast.toml`, or a file in it.
    #[arg(default_value = ".")]
    pub path: PathBuf,
    /// Trust it no longer.
    #[arg(long, requires = "name")]
    pub withdraw: bool,
}

#[derive(Debug, Args)]
pub struct Runs {
    /// Print one line of CSV for each run, with a column for every param.
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// Write the same table to a Parquet file.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["json", "csv"])]
    pub parquet: Option<PathBuf>,
    /// Write an index of all runs for browsers, `index.html` and `runs.csv`, into a folder.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["json", "csv", "parquet"])]
    pub html: Option<PathBuf>,
    /// Only the newest N.
    #[arg(long, value_name = "N", value_parser = whole, allow_negative_numbers = true)]
    pub limit: Option<u64>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Show {
    /// A name from `farcast runs` or its start, `last`, an output folder or a run.json; or a file
    /// that a run wrote, to see which statement made it.
    pub run: String,
    /// Which scores the table shows.
    #[arg(long, value_enum, default_value_t = Shown::Main)]
    pub scores: Shown,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Compare {
    /// Names from `farcast runs`, output folders, run.json files or experiment files.
    #[arg(required = true, num_args = 2.., value_name = "RUN")]
    pub runs: Vec<String>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
    /// Write an HTML page, too.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Rerun {
    /// A run.json, an output folder, or a name from `farcast runs`.
    pub run: String,
    /// Reuse nothing: compute every result again, in a temporary store.
    #[arg(long)]
    pub fresh: bool,
    /// Compute N results again, those that took the least time, and compare their bytes with the
    /// stored ones; run nothing else.
    #[arg(long, value_name = "N", value_parser = whole, conflicts_with = "fresh")]
    pub spot_check: Option<u64>,
    #[command(flatten)]
    pub options: RunOptions,
}

impl Rerun {
    /// The folder whose settings and store are used: that of an opened bundle, or the working
    /// folder.
    pub fn near(&self) -> &Path {
        let run = Path::new(&self.run);
        match run.join("farcast.toml").is_file() {
            true => run,
            false => Path::new("."),
        }
    }
}

#[derive(Debug, Args)]
pub struct Pack {
    /// An experiment file, or a run: a name from `farcast runs`, an output folder or a run.json.
    pub what: String,
    /// Pack the data files, too, not only their digests.
    #[arg(long)]
    pub data: bool,
    /// Pack the stored results of the run, too.
    #[arg(long)]
    pub results: bool,
    /// The bundle [default: the experiment's name with `.crate.zip`].
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Open {
    /// The bundle.
    pub bundle: PathBuf,
    /// The new folder [default: the bundle's name].
    pub folder: Option<PathBuf>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct Config {
    /// The experiment (or folder) whose settings to print [default: the working folder].
    pub file: Option<PathBuf>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct New {
    /// The experiment's name; `NAME.farcast` is written in the working folder.
    pub name: String,
    /// The method to start from.
    #[arg(long, value_name = "METHOD", default_value = TEMPLATES[0].name,
        value_parser = PossibleValuesParser::new(TEMPLATES.iter().map(|template| template.name)))]
    pub from: String,
}

#[derive(Debug, Args)]
pub struct Explain {
    /// The code of a message: the word in brackets after `error` or `warning`.
    pub code: Option<String>,
}

#[derive(Debug, Args)]
pub struct Docs {
    /// Write a man page for every command to this folder instead.
    #[arg(long, value_name = "DIR")]
    pub man: Option<PathBuf>,
}
