//! One file per command.

mod cache;
mod check;
mod docs;
mod fmt;
mod graph;
mod new;
mod plan;
mod plugins;
mod run;

use std::process::ExitCode;

use clap::CommandFactory;

use crate::args::{Arguments, Command};
use crate::session::Stop;
use crate::terminal::Terminal;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All is well.
    Fine,
    /// The experiment failed or has errors.
    Failed,
    /// Wrong usage.
    Usage,
    /// A bug.
    Bug,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(match exit {
            Exit::Fine => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Bug => 101,
        })
    }
}

/// Runs a command to its end.
pub fn run(command: Command, terminal: &Terminal) -> Exit {
    let result = match command {
        Command::Check(args) => check::run(&args, terminal),
        Command::Fmt(args) => fmt::run(&args, terminal),
        Command::Plan(args) => plan::run(&args, terminal),
        Command::Run(args) => run::run(&args, terminal),
        Command::Graph(args) => graph::run(&args, terminal),
        Command::Report(args) => run::report(args, terminal),
        Command::Plugins(args) => plugins::run(&args, terminal),
        Command::Cache(args) => cache::run(&args, terminal),
        Command::New(args) => new::run(&args, terminal),
        Command::Docs => docs::run(terminal),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "farcast", &mut script);
            terminal.out(String::from_utf8_lossy(&script));
            Ok(Exit::Fine)
        }
    };
    result.unwrap_or_else(|stop| match stop {
        Stop::Failed => Exit::Failed,
        Stop::Usage => Exit::Usage,
    })
}
