//! The answer of a run in a few lines: what won, by how much, how sure that is, and what was
//! chosen.

use std::collections::BTreeSet;

use engine::choice::{Choice, Front};
use engine::headline::{Headline, ensemble, firsts, having, headlines_at};
use engine::metric::significant;
use engine::table::ScoreLine;

/// How many points of a front are listed.
const FRONT_SHOWN: usize = 10;

/// The answer; empty without scores. `means` are the scores that others read.
pub fn answer(
    means: &BTreeSet<String>,
    lines: &[ScoreLine],
    choices: &[Choice],
    fronts: &[Front],
) -> String {
    let mut answer: Vec<String> = match winner(means, lines, choices) {
        Some(headline) => vec![what_won(&headline), how_sure(&headline)],
        None => only_parents(means, lines, choices).into_iter().collect(),
    };
    let chosen = choices.iter();
    answer.extend(chosen.map(|choice| {
        // One line would be too long for most terminals.
        let choice_text = choice.to_string().replace("; next ", "\n  next ");
        format!("`{}` chose {choice_text}", choice.sweep)
    }));
    answer.extend(fronts.iter().map(front));
    answer.retain(|line| !line.is_empty());
    let mut answer = answer.join("\n");
    if !answer.is_empty() {
        answer.push('\n');
    }
    answer
}

/// The best of the models in the first score that neither is a sweep's objective nor is read by another.
fn winner(means: &BTreeSet<String>, lines: &[ScoreLine], choices: &[Choice]) -> Option<Headline> {
    let headlines = headlines_at(&places(choices), means, lines);
    let chooses = |headline: &Headline| choices.iter().any(|it| it.by == headline.statement);
    let first = headlines
        .iter()
        .find(|it| !chooses(it))
        .or(headlines.first())?;
    let (statement, metric) = (first.statement.clone(), first.metric.clone());
    let rivals = headlines.into_iter();
    let rivals = rivals.filter(|it| it.statement == statement && it.metric == metric);
    rivals.min_by(|one, other| one.cost.total_cmp(&other.cost))
}

fn places(choices: &[Choice]) -> BTreeSet<(&str, &str)> {
    let at = choices.iter().flat_map(|choice| &choice.at);
    at.map(|(statement, point)| (&**statement, &**point))
        .collect()
}

fn what_won(headline: &Headline) -> String {
    let Headline {
        metric,
        statement,
        model,
        value,
        change,
        ..
    } = headline;
    let Some((base, base_value)) = &headline.base else {
        return format!("{metric} of {model} in {statement}: {value}");
    };
    let verb = match headline.verdict {
        "better" | "worse" if headline.is_doubtful() => "is not told apart from",
        "better" => "beats",
        "worse" => "does not beat",
        _ => "equals",
    };
    let change = change.as_ref();
    let change = change.map_or_else(String::new, |change| format!(" ({change})"));
    format!("{model} {verb} {base} in {statement}: {metric} {value} against {base_value}{change}")
}

fn how_sure(headline: &Headline) -> String {
    let mut parts = Vec::new();
    if let Some(interval) = headline.interval_text() {
        parts.push(format!("95 % interval of the difference {interval}"));
    }
    parts.extend(headline.notes.iter().cloned());
    parts.join("; ")
}

/// The scores of networks that nothing is compared with.
fn only_parents(
    means: &BTreeSet<String>,
    lines: &[ScoreLine],
    choices: &[Choice],
) -> Option<String> {
    let whole: Vec<&ScoreLine> = lines.iter().filter(|line| line.group.is_none()).collect();
    let places = places(choices);
    let at_choice = having(&whole, |line| {
        line.point.is_empty() || places.contains(&(&*line.statement, &*line.point))
    });
    let is_means = |line: &ScoreLine| {
        means.contains(&line.statement) || choices.iter().any(|it| it.by == line.statement)
    };
    let outer = having(&at_choice, |line| !is_means(line));
    let lines = if outer.is_empty() { at_choice } else { outer };
    let first = lines.first()?;
    let own = having(&lines, |line| {
        line.statement == first.statement
            && line.metric == first.metric
            && line.model == first.model
            && line.point == first.point
            && line.horizon == first.horizon
    });
    let best = *ensemble(&own).first()?;
    let members: Vec<f64> = { own.iter() }
        .filter(|line| line.member.parse::<u32>().is_ok())
        .filter_map(|line| line.value)
        .collect();
    let value = best.value.map_or("none".to_owned(), significant);
    let mut text = format!(
        "{} of {} in {}: {value}",
        best.heading(),
        best.model,
        best.statement
    );
    if members.len() > 1 {
        let least = members.iter().copied().fold(f64::INFINITY, f64::min);
        let most = members.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        text.push_str(&format!(
            " ({} of {} members, {} … {})",
            best.member,
            members.len(),
            significant(least),
            significant(most)
        ));
    }
    let models = firsts(&lines, |line| &line.model).len();
    if models > 1 {
        text.push_str(&format!("; {models} models in the table"));
    }
    Some(text)
}

fn front(front: &Front) -> String {
    let Front {
        sweep,
        objectives,
        points,
        best,
    } = front;
    let mut text = format!(
        "`{sweep}`: of {points} points, no other is better than {} by {}",
        match best.len() {
            1 => "this one".to_owned(),
            count => format!("these {count}"),
        },
        objectives.join(" and ")
    );
    for point in best.iter().take(FRONT_SHOWN) {
        let values: Vec<String> = point.values.iter().map(|it| significant(*it)).collect();
        text.push_str(&format!("\n  {}  {}", values.join("  "), point.point));
    }
    if best.len() > FRONT_SHOWN {
        let more = best.len() - FRONT_SHOWN;
        text.push_str(&format!("\n  … and {more} more in run.json"));
    }
    text
}
