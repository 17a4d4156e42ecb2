//! `farcast docs`: the reference as Markdown.

use super::Exit;
use crate::session::Stop;
use crate::terminal::Terminal;

pub fn run(terminal: &Terminal) -> Result<Exit, Stop> {
    terminal.out(plugins::reference::page());
    Ok(Exit::Fine)
}
