//! `farcast rerun RUN --spot-check N`: computes some results again and compares their bytes.

use engine::executor::{Answer, Conclusion, Place, carry_out};
use engine::graph::ActionId;
use engine::observer::Silent;
use engine::order::OrderWriter;
use engine::store::{Aside, Record, RecordedOutcome, Store};
use engine::study::Study;
use serde_json::json;

use crate::exit::{Abort, Exit};
use crate::host::hostname;
use crate::interrupt::stop_flag;
use crate::session::abort;
use crate::terminal::Terminal;

/// Computes the `count` results again that took the least time, and says which differ.
pub fn run(
    study: &mut Study,
    store: &dyn Store,
    count: u64,
    terminal: &Terminal,
) -> Result<Exit, Abort> {
    let graph = study
        .actions(store)
        .map_err(|error| abort(&error, terminal))?;
    let mut stored: Vec<(f64, usize, Record)> = graph
        .actions
        .iter()
        .enumerate()
        .filter_map(|(at, action)| {
            let record = store.find(&action.key.digest)?;
            Some((record.seconds, at, record))
        })
        .collect();
    stored.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    // Those that took no time at all show the least: they come last.
    let (short, long): (Vec<_>, Vec<_>) = stored.into_iter().partition(|one| one.0 < 1e-3);
    let chosen: Vec<_> = long.into_iter().chain(short.into_iter().rev()).collect();
    let chosen = chosen
        .into_iter()
        .take(usize::try_from(count).unwrap_or(usize::MAX));
    let stop = stop_flag(*terminal);
    let host = hostname();
    let (mut same, mut different) = (0, Vec::new());
    for (_, at, before) in chosen {
        let aside = Aside::new(store);
        let place = Place {
            registry: &study.registry,
            store: &aside,
            observer: &Silent,
            stop: &stop,
            host: &host,
        };
        let writer = OrderWriter {
            graph: &graph,
            experiment: &study.experiment,
            registry: &study.registry,
            store: &aside,
        };
        let order = writer.order(ActionId(at));
        let answer = carry_out(&order, &place);
        match difference(&before, &aside.saved(&before.key), &answer) {
            None => same += 1,
            Some(what) => different.push(format!("`{}` {what}", order.title)),
        }
    }
    if terminal.json {
        terminal.answer(json!({ "same": same, "different": different }));
    } else {
        for line in &different {
            terminal.error(line);
        }
        match same + different.len() {
            0 => terminal.say("the store has no results of this run to compare with"),
            all => terminal.say(format!("{same} of {all} results are byte-identical")),
        }
    }
    Ok(match different.is_empty() && same > 0 {
        true => Exit::Fine,
        false => Exit::Failed,
    })
}

fn difference(before: &Record, after: &Option<Record>, answer: &Answer) -> Option<String> {
    let Some(after) = after else {
        return Some(match &answer.conclusion {
            Conclusion::Failed(failure) => format!("fails now: {}", failure.message),
            other => format!("has no result now: {other:?}"),
        });
    };
    match (&before.outcome, &after.outcome) {
        (RecordedOutcome::Parts(old), RecordedOutcome::Parts(new)) if old == new => None,
        (RecordedOutcome::Diverged(_), RecordedOutcome::Diverged(_)) => None,
        (RecordedOutcome::Parts(old), RecordedOutcome::Parts(new)) => {
            let differs = |(name, part): &(&String, _)| old.get(*name) != Some(*part);
            let name = new.iter().find(differs).map_or("", |(name, _)| name);
            Some(format!("has other bytes now, in `{name}`"))
        }
        _ => Some("diverges in one of both".to_owned()),
    }
}
