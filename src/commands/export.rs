//! `farcast export`: the weights and data of statements, and nothing else.

use engine::error::Fault;
use engine::out_folder::begin_writing;
use engine::store::Access;
use serde_json::json;

use super::run::{Job, default_out, in_threads};
use crate::args::{Export, RunOptions};
use crate::exit::{Abort, Exit};
use crate::exports::named_exports;
use crate::interrupt::{ends_in_order, stop_flag};
use crate::session::open_for;
use crate::settings::Settings;
use crate::terminal::Terminal;
use engine::study::Scope;

pub fn run(args: &Export, settings: &Settings, terminal: &Terminal) -> Result<Exit, Abort> {
    let terminal = &Terminal {
        json: args.json,
        ..*terminal
    };
    let options = RunOptions {
        quiet: args.quiet,
        weights: Some(args.names.clone()),
        format: args.format,
        ..RunOptions::default()
    };
    let (mut study, store) = open_for(
        &named_exports(&options),
        &args.experiment,
        settings,
        Access::Write,
        terminal,
    )?;
    let job = Job {
        options: &options,
        backend: in_threads(settings),
        out: default_out(settings, &args.experiment.file),
    };
    let out = job.out.clone();
    job.ask_for_weights(&mut study, Scope::Exports, terminal)?;
    job.check_out(&study.experiment, terminal)?;
    stop_flag(*terminal);
    let finished = job.make(&mut study, &store, terminal);
    ends_in_order();
    let mut finished = finished?;
    let exit = finished.complain(terminal);
    if exit != Exit::Fine {
        return Ok(exit);
    }
    let _writing = begin_writing(&out);
    let refuse = |fault: Fault| {
        terminal.error(fault.to_string());
        Abort::Failed
    };
    let files = finished.export(&store, terminal).map_err(refuse)?;
    finished.note_exports(&files).map_err(refuse)?;
    let files: Vec<String> = files
        .keys()
        .map(|name| out.join(name).display().to_string())
        .collect();
    match args.json {
        true => terminal.answer(json!({ "files": files })),
        false => files
            .iter()
            .for_each(|file| terminal.out(format!("{file}\n"))),
    }
    Ok(exit)
}
