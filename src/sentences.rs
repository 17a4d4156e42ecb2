//! Sentences about sweeps and commands that a run says.

use dsl::sweep::{Sweep, Waiting};
use engine::losses::LostPoint;

/// How many points of a sweep are listed with their reasons; `run.json` has all.
const LOST_SHOWN: usize = 8;

/// The points of a sweep without a score, each with its reason.
pub fn lost_text(sweep: &Sweep, lost: &[&LostPoint]) -> String {
    let (count, all) = (lost.len(), sweep.trials.len());
    let diverged = lost.iter().filter(|lost| lost.diverged).count();
    let how = match diverged {
        0 => "failed",
        _ if diverged == count => "diverged",
        _ => "failed or diverged",
    };
    let points = if all == 1 { "point" } else { "points" };
    let ranked = match sweep.objective {
        Some(_) => ", and rank last",
        None => "",
    };
    let mut text = format!(
        "sweep `{}`: {count} of {all} {points} {how}{ranked}",
        sweep.name
    );
    for lost in lost.iter().take(LOST_SHOWN) {
        text.push_str(&format!("\n  {}  {}", lost.point, lost.why));
    }
    if count > LOST_SHOWN {
        let more = count - LOST_SHOWN;
        text.push_str(&format!("\n  … and {more} more in run.json"));
    }
    if diverged < count {
        text.push_str("\n  the next run tries those that failed again");
    }
    text
}

/// A sentence for all that wait for the same sweeps.
pub fn waiting_texts(waiting: &[Waiting]) -> Vec<String> {
    let mut grouped: Vec<Vec<&Waiting>> = Vec::new();
    for one in waiting {
        match grouped.iter_mut().find(|it| it[0].sweeps == one.sweeps) {
            Some(group) => group.push(one),
            None => grouped.push(vec![one]),
        }
    }
    let text = |group: &Vec<&Waiting>| match &group[..] {
        [one] => waits(one),
        [first, ..] => {
            let names: Vec<String> = group
                .iter()
                .map(|it| format!("`{}`", it.statement))
                .collect();
            let sweeps = waits(first);
            let sweeps = sweeps.split(" waits for ").last().unwrap_or_default();
            format!("{} wait for {sweeps}", names.join(", "))
        }
        [] => String::new(),
    };
    grouped.iter().map(text).collect()
}

/// `final waits for sweep tuning`.
pub fn waits(waiting: &Waiting) -> String {
    let Waiting { statement, sweeps } = waiting;
    let noun = if sweeps.len() == 1 { "sweep" } else { "sweeps" };
    let sweeps: Vec<String> = sweeps.iter().map(|sweep| format!("`{sweep}`")).collect();
    format!("`{statement}` waits for {noun} {}", sweeps.join(", "))
}

/// The text as one word of a shell.
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:@%+".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}
