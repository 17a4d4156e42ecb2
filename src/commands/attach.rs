//! `farcast attach`: waits for a run on a queue, with its progress, as if it ran here.

use engine::cluster::{Occasion, Stay};

use super::submit::{OnQueue, find, options_of, reopened};
use crate::args::{Attach, RunOptions};
use crate::exit::{Abort, Exit};
use crate::settings::Settings;
use crate::terminal::Terminal;

pub fn run(args: &Attach, settings: &Settings, terminal: &Terminal) -> Result<Exit, Abort> {
    let terminal = &Terminal {
        json: args.json,
        ..*terminal
    };
    let campaign = find(&args.run, settings, terminal)?;
    let (mut study, store) = reopened(&campaign, terminal)?;
    let shown = RunOptions {
        json: args.json,
        quiet: args.quiet,
        scores: args.scores,
        ..RunOptions::default()
    };
    let options = options_of(&campaign, shown);
    let run = OnQueue {
        campaign,
        options: &options,
        occasion: Occasion::ToContinue,
        stay: Stay::Wait,
    };
    run.go(&mut study, &store, &store, terminal)
}
