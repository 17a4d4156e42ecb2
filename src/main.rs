//! The command line: arguments in, one library call, words and an exit code out.

mod args;
mod commands;
mod progress;
mod scores;
mod session;
mod terminal;

use std::process::ExitCode;

use clap::Parser;

use crate::terminal::Terminal;

/// Checking, planning and tables are many small allocations; this allocator makes them in
/// about two thirds of the system's time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = args::Arguments::parse();
    let terminal = Terminal::new(arguments.color);
    commands::run(arguments.command, &terminal).into()
}
