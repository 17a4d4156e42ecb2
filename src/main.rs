//! The command line: arguments in, one library call, words and an exit code out.

mod answer;
mod args;
mod columns;
mod commands;
mod config;
mod exit;
mod exports;
mod host;
mod interrupt;
mod live;
mod lsp;
mod notes;
mod progress;
mod project;
mod remotes;
mod scores;
mod sentences;
mod session;
mod setting;
mod settings;
mod stored_run;
mod templates;
mod terminal;
mod trusted;
mod unfinished;

use std::process::ExitCode;

use crate::exit::Exit;
use crate::settings::{Settings, first_color};
use crate::terminal::{Terminal, is_output_lost};

/// Checking, planning and tables are many small allocations; this allocator makes them in
/// about two thirds of the system's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = args::Arguments::of_process();
    let terminal = Terminal::new(first_color(&arguments.flags));
    let near = arguments.command.near();
    match Settings::resolve(&arguments.flags, near, &terminal) {
        Err(abort) => Exit::from(abort).into(),
        Ok(settings) => {
            let terminal = Terminal::new(settings.color());
            match commands::run(arguments.command, &settings, &terminal) {
                Exit::Fine if is_output_lost() => Exit::Failed.into(),
                exit => exit.into(),
            }
        }
    }
}
