//! `farcast lsp`: the language server, for editors.

use lsp_server::Connection;

use crate::exit::{Abort, Exit};
use crate::lsp::serve;
use crate::terminal::Terminal;

pub fn run(terminal: &Terminal) -> Result<Exit, Abort> {
    let registry = plugins::registry();
    let (connection, threads) = Connection::stdio();
    let served = serve(&registry, &connection);
    drop(connection);
    let joined = threads.join().map_err(|error| error.to_string());
    served.and(joined).map_err(|message| {
        terminal.error(format!("the editor ended the connection: {message}"));
        Abort::Failed
    })?;
    Ok(Exit::Fine)
}
