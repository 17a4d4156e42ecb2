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
    let (name, jobs) = (campaign.name(), plural(count, "job"));
    terminal.say(match (campaign.verdict(), count) {
        (Some(_), 0) => format!("{name}: it has ended already, nothing is left to cancel"),
        _ => format!(
            "{name}: {count} {jobs} cancelled; what is finished is kept, and the same `farcast run` \
             goes on"
        ),
    });
    Ok(Exit::Fine)
}
