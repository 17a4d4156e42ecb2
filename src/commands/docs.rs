//! `farcast docs`: the reference as Markdown, the commands as man pages.

use clap::CommandFactory;
use clap_mangen::Man;
use engine::error::Fault;
use engine::output::write_file;

use crate::args::{Arguments, Docs};
use crate::exit::{Abort, Exit};
use crate::terminal::Terminal;

pub fn run(args: &Docs, terminal: &Terminal) -> Result<Exit, Abort> {
    let Some(folder) = &args.man else {
        terminal.out(plugins::reference::page());
        return Ok(Exit::Fine);
    };
    let mut command = Arguments::command().disable_help_subcommand(true);
    command.build();
    for (name, page) in pages(&command) {
        page.and_then(|page| write_file(&folder.join(name), &page))
            .map_err(|fault| {
                terminal.error(fault.to_string());
                Abort::Failed
            })?;
    }
    let folder = folder.display();
    terminal.say(format!("wrote the man pages to `{folder}`"));
    Ok(Exit::Fine)
}

/// File name and text of the pages of a command and all below it.
fn pages(command: &clap::Command) -> Vec<(String, Result<Vec<u8>, Fault>)> {
    let page = Man::new(command.clone());
    let mut text = Vec::new();
    let made = page.render(&mut text).map(|()| text).map_err(Fault::from);
    let below = command.get_subcommands().flat_map(pages);
    std::iter::once((page.get_filename(), made))
        .chain(below)
        .collect()
}
