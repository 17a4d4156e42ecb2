//! `farcast lsp`: the language server, for editors.

use crate::exit::{Abort, Exit};
use crate::lsp::{serve, stdio};
use crate::terminal::Terminal;

pub fn run(terminal: &Terminal) -> Result<Exit, Abort> {
    let registry = plugins::registry();
    let (connection, writer) = stdio();
    let served = serve(&registry, &connection, std::env::current_exe().ok());
    drop(connection);
    let written = match writer.join() {
        Ok(written) => written.map_err(|error| error.to_string()),
        Err(_) => Err("nothing can be written".to_owned()),
    };
    served.and(written).map_err(|message| {
        terminal.error(format!("the editor ended the connection: {message}"));
        Abort::Failed
    })?;
    Ok(Exit::Fine)
}
