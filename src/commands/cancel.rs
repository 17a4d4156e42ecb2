//! `farcast cancel`: ends the jobs of a run on a queue.

use super::submit::{find, plural, queue_of};
use crate::args::Cancel;
use crate::exit::{Abort, Exit};
use crate::settings::Settings;
use crate::stored_run::report_fault;
use crate::terminal::Terminal;

pub fn run(args: &Cancel, settings: &Settings, terminal: &Terminal) -> Result<Exit, Abort> {
    let campaign = find(&args.run, settings, terminal)?;
    // First, so that no job that starts now submits more.
    let ended = campaign
        .cancel()
        .and_then(|()| queue_of(&campaign).cancel(&campaign));
    let count = ended.map_err(|fault| report_fault(&fault, terminal))?;
    let jobs = plural(count, "job");
    terminal.say(format!(
        "{}: {count} {jobs} cancelled; what is finished is kept, and the same `farcast run` goes on",
        campaign.name()
    ));
    Ok(Exit::Fine)
}
