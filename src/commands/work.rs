//! `farcast work`: a worker process of a run. Orders come in on standard input, reports go out on
//! standard output, until standard input closes.

use std::io::{BufReader, stdin, stdout};
use std::process::exit;

use engine::executor::Worker;
use engine::store::{Access, DirStore};

use crate::args::Work;
use crate::exit::{Abort, Exit};
use crate::host::hostname;
use crate::terminal::Terminal;

pub fn run(args: &Work, terminal: &Terminal) -> Result<Exit, Abort> {
    let store = DirStore::open(&args.folder, Access::Write).map_err(|fault| {
        terminal.error(fault.to_string());
        Abort::Failed
    })?;
    let worker = Worker {
        registry: &plugins::registry(),
        store: &store,
        host: &hostname(),
    };
    // What an order has not recorded yet is never found, so it may end in the middle of one.
    worker.serve(BufReader::new(stdin()), stdout(), || {
        engine::foreign::end_all();
        exit(0)
    });
    Ok(Exit::Fine)
}
