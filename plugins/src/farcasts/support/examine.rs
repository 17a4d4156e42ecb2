//! What farcasters check of a call before it runs.

use engine::error::Fault;
use engine::params::Numbers;
use engine::plugin::{Complaint, Coordinate, Facts, Sketch, Steps};

use super::window::Window;

/// What is wrong with a method that goes by what it observes; `states` chooses the states that
/// it reads.
pub fn observing(
    call: &Sketch,
    states: impl Fn(Window) -> Result<Window, Fault>,
) -> Vec<Complaint> {
    let found = [
        no_horizon(call),
        unobserved(call, call.get("horizon"), states),
    ];
    found.into_iter().flatten().collect()
}

/// The same of a method that is fitted to runs as well.
pub fn fitted(call: &Sketch, states: impl Fn(Window) -> Result<Window, Fault>) -> Vec<Complaint> {
    let found = [no_horizon(call), no_runs(call)];
    let unfit = unfit(call, call.get("horizon"), states);
    found.into_iter().flatten().chain(unfit).collect()
}

/// Why a method cannot be fitted to the steps recorded, whatever the data decide of these.
pub fn unfit(
    call: &Sketch,
    horizons: Option<Vec<u64>>,
    states: impl Fn(Window) -> Result<Window, Fault>,
) -> Vec<Complaint> {
    let has_others = call.has("runs");
    let observed = unobserved(call, horizons.clone(), |window| {
        let window = states(window)?;
        // Without other runs it is fitted to those observed, in each possible case.
        match has_others {
            true => Ok(window),
            false => window.within_recorded(),
        }
    });
    let others = other_runs(call, horizons, &states);
    observed.into_iter().chain(others).collect()
}

/// Why nothing can be observed, whatever the data decide of the steps recorded.
pub fn unobserved(
    call: &Sketch,
    horizons: Option<Vec<u64>>,
    states: impl Fn(Window) -> Result<Window, Fault>,
) -> Option<Complaint> {
    let (mut last, mut cases) = (None, 0);
    for window in windows(call, horizons)? {
        cases += 1;
        last = match window.and_then(&states) {
            Ok(_) => return None,
            Err(fault) => Some(fault),
        };
    }
    let mut complaint = last.map(Complaint::from)?;
    // The steps recorded are a guess where the data decide.
    complaint.hint = complaint.hint.filter(|_| cases == 1);
    Some(complaint)
}

/// Why other runs have not the steps that a method is fitted to.
fn other_runs(
    call: &Sketch,
    horizons: Option<Vec<u64>>,
    states: impl Fn(Window) -> Result<Window, Fault>,
) -> Option<Complaint> {
    let runs = call.steps("runs")?;
    let possible = runs.possible(mentioned(call))?;
    let mut last = None;
    for window in windows(call, horizons)? {
        // What cannot be observed is reported already.
        let Ok(window) = window.and_then(&states) else {
            continue;
        };
        for steps in &possible {
            last = match window.rows_among(steps) {
                Ok(_) => return None,
                Err(fault) => Some(fault),
            };
        }
    }
    last.map(Complaint::from)
}

/// What is known of a farcast of the steps in `horizon`.
pub fn at_horizons(call: &Sketch) -> Facts {
    let horizons = call.get("horizon").map(listed);
    Facts {
        single: matches!(&horizons, Some(Steps::Listed(steps)) if steps.len() == 1),
        steps: horizons,
        ..of_runs(call)
    }
}

/// What a farcast has of the runs that it goes on from.
pub fn of_runs(call: &Sketch) -> Facts {
    Facts {
        network: call.network("trajectory").cloned(),
        tensors: { call.input("trajectory") }.and_then(|runs| runs.facts.tensors.clone()),
        coordinates: Coordinate::numbers(["horizon", "step"]),
        ..Facts::default()
    }
}

/// These steps, each once.
pub fn listed(mut steps: Vec<u64>) -> Steps {
    steps.sort_unstable();
    steps.dedup();
    Steps::Listed(steps.into())
}

/// What a call observes for some horizons, in each case that the data can decide; none when
/// these are not known.
pub fn windows(
    call: &Sketch,
    horizons: Option<Vec<u64>>,
) -> Option<impl Iterator<Item = Result<Window, Fault>>> {
    let observe = call.get::<Numbers>("observe");
    let until = last_of(observe.as_ref()).into_iter();
    let until = until.chain(horizons.iter().flatten().copied()).max();
    let horizons = horizons.unwrap_or_else(|| vec![u64::MAX]);
    let nothing = matches!(&observe, Some(Numbers::Listed(steps)) if steps.is_empty());
    let possible = match (nothing, call.steps("trajectory")) {
        // Nothing is observed, whatever was recorded.
        (true, None) => vec![Vec::new()],
        (_, steps) => steps?.possible(until)?,
    };
    let window = move |recorded: Vec<u64>| Window::of_steps(&recorded, observe.as_ref(), &horizons);
    Some(possible.into_iter().map(window))
}

/// The largest step that a call names.
fn mentioned(call: &Sketch) -> Option<u64> {
    let observe = last_of(call.get::<Numbers>("observe").as_ref());
    let horizons = call.get::<Vec<u64>>("horizon").unwrap_or_default();
    horizons.into_iter().chain(observe).max()
}

fn last_of(numbers: Option<&Numbers>) -> Option<u64> {
    let last = match numbers? {
        Numbers::Listed(listed) => listed.iter().copied().max()?,
        Numbers::Ranged(_, last, _) => *last,
    };
    Some(u64::try_from(last).unwrap_or_default())
}

/// The argument with the runs that a method is fitted to.
fn runs(call: &Sketch) -> &'static str {
    match call.has("runs") {
        true => "runs",
        false => "trajectory",
    }
}

/// Refuses a list of horizons without one.
fn no_horizon(call: &Sketch) -> Option<Complaint> {
    let horizons = call.get::<Vec<u64>>("horizon")?;
    let message = "expected one step or more to predict, found none";
    horizons
        .is_empty()
        .then(|| Complaint::at("horizon", message))
}

/// Refuses runs to fit on that do not exist.
pub fn no_runs(call: &Sketch) -> Option<Complaint> {
    members_among(call, "train_on", runs(call), "to fit on")
}

/// Refuses numbers of members that an input lacks, or a choice of none of them.
pub fn members_among(call: &Sketch, field: &str, input: &str, what: &str) -> Option<Complaint> {
    let (numbers, about) = (call.get::<Numbers>(field)?, call.input(input)?);
    // Members that diverge are known in the run alone.
    let members: Vec<u64> = (0..u64::from(about.members.unwrap_or(1))).collect();
    let (name, last) = (about.name, members.len().saturating_sub(1));
    let message = match numbers.among(&members) {
        Err(member) => format!("there is no member {member} in `{name}`"),
        Ok(chosen) if chosen.is_empty() => format!("no member of `{name}` {what} is left"),
        Ok(_) => return None,
    };
    Some(Complaint::at(field, message).with_hint(format!("members: 0..={last}")))
}
