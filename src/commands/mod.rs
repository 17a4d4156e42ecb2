//! One file per command.

mod add;
mod attach;
mod cache;
mod cancel;
mod check;
mod compare;
mod config;
mod docs;
mod explain;
mod export;
mod fetch;
mod fmt;
mod graph;
mod lsp;
mod new;
mod open;
mod pack;
mod package;
mod plan;
mod plugin;
mod plugins;
mod push;
mod rerun;
mod run;
mod runs;
mod show;
mod show_file;
mod spot_check;
mod status;
mod submit;
mod trust;
mod update;
mod vendor;
mod why;
mod work;

use clap::CommandFactory;

use crate::args::{Arguments, Command};
use crate::exit::Exit;
use crate::settings::Settings;
use crate::terminal::Terminal;

/// That there is no such thing, with the nearest name.
fn unknown<'a>(thing: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let near = dsl::nearest(name, known);
    let hint = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
    format!("there is no {thing} `{name}`{hint}")
}

/// Runs a command to its end.
pub fn run(command: Command, settings: &Settings, terminal: &Terminal) -> Exit {
    let result = match command {
        Command::Check(args) => check::run(&args, settings, terminal),
        Command::Fmt(args) => fmt::run(&args, terminal),
        Command::Plan(args) => plan::run(&args, settings, terminal),
        Command::Run(args) if args.on.is_some() => submit::run(&args, settings, terminal),
        Command::Run(args) => run::run(&args, settings, terminal),
        Command::Export(args) => export::run(&args, settings, terminal),
        Command::Graph(args) => graph::run(&args, settings, terminal),
        Command::Report(args) => run::report(args, settings, terminal),
        Command::Plugins(args) => plugins::run(&args, terminal),
        Command::Plugin(args) => plugin::run(&args, terminal),
        Command::Trust(args) => trust::run(&args, settings, terminal),
        Command::Runs(args) => runs::run(&args, settings, terminal),
        Command::Show(args) => show::run(&args, settings, terminal),
        Command::Compare(args) => compare::run(&args, settings, terminal),
        Command::Rerun(args) => rerun::run(&args, settings, terminal),
        Command::Cache(args) => cache::run(&args, settings, terminal),
        Command::Config(args) => config::run(&args, settings, terminal),
        Command::New(args) => new::run(&args, terminal),
        Command::Docs(args) => docs::run(&args, terminal),
        Command::Explain(args) => explain::run(&args, terminal),
        Command::Push(args) => push::run(&args, settings, terminal),
        Command::Pack(args) => pack::run(&args, settings, terminal),
        Command::Open(args) => open::run(&args, terminal),
        Command::Add(args) => add::run(&args, terminal),
        Command::Fetch(args) => fetch::run(&args, terminal),
        Command::Update(args) => update::run(&args, terminal),
        Command::Package(args) => package::run(&args, settings, terminal),
        Command::Vendor(args) => vendor::run(&args, terminal),
        Command::Lsp => lsp::run(terminal),
        Command::Work(args) => work::run(&args, settings, terminal),
        Command::Status(args) => status::run(&args, settings, terminal),
        Command::Attach(args) => attach::run(&args, settings, terminal),
        Command::Cancel(args) => cancel::run(&args, settings, terminal),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "farcast", &mut script);
            terminal.out(String::from_utf8_lossy(&script));
            Ok(Exit::Fine)
        }
    };
    result.unwrap_or_else(Exit::from)
}
