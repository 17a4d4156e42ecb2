//! Sweeps for readers: the best points, how the score answers each param, and whether another
//! seed would have chosen otherwise.

mod figures;
mod runs;

use dsl::experiment::Experiment;
use dsl::sweep::Best;

use crate::artifact::Section;
use crate::choice::Front;
use crate::metric::significant;
use crate::table::ScoreLine;
use runs::{Group, Runs};

/// Rows of the table of best points.
const MOST_BEST: usize = 10;

/// The sections of every sweep that has at least two points with a score.
pub fn sections(experiment: &Experiment, scores: &[ScoreLine], fronts: &[Front]) -> Vec<Section> {
    let sweeps = experiment.sweeps.iter();
    let several = fronts.iter().map(front);
    let single = sweeps.filter(|sweep| sweep.front.is_empty());
    let single = single
        .filter_map(|sweep| Runs::of(sweep, experiment, scores))
        .filter(|runs| {
            runs.groups
                .iter()
                .filter(|group| group.mean.is_some())
                .count()
                > 1
        })
        .flat_map(|runs| {
            let seeds = stability(&runs);
            [best(&runs)]
                .into_iter()
                .chain(seeds)
                .chain([response(&runs)])
        });
    several.chain(single).collect()
}

/// The points that no other is better than, by several objectives.
fn front(front: &Front) -> Section {
    let Front {
        sweep,
        objectives,
        points,
        best,
    } = front;
    let rows = best.iter().map(|point| {
        let values = point.values.iter().map(|value| significant(*value));
        std::iter::once(point.point.clone()).chain(values).collect()
    });
    let header = std::iter::once("point".to_owned()).chain(objectives.iter().cloned());
    Section {
        heading: format!("Sweep `{sweep}`"),
        text: vec![format!(
            "{points} points, judged by {} objectives, of which none decides alone. No other \
             point is at least as good in all of them and better in one than {} (the \
             Pareto front), sorted by the first.",
            objectives.len(),
            match best.len() {
                1 => "this one".to_owned(),
                count => format!("these {count}"),
            }
        )],
        table: Some((header.collect(), rows.collect())),
        ..Section::default()
    }
}

/// What was chosen, and the table of the best points.
fn best(runs: &Runs) -> Section {
    let sweep = runs.sweep;
    let lacking = runs.groups.iter().filter(|group| group.mean.is_none());
    let (count, lacking) = (runs.groups.len(), lacking.count());
    let mut text = vec![match &sweep.objective {
        Some(objective) => format!(
            "{count} points, ranked by `{}: {}.{}`{}.",
            objective.aim.word(),
            objective.statement,
            objective.metric,
            runs.over
        ),
        None => format!("{count} points, ranked by `{}`{}.", runs.heading, runs.over),
    }];
    if let Best::Trial(at) = sweep.best {
        text.push(format!("Chosen: `{}`.", sweep.best_point(at)));
    }
    match lacking {
        0 => {}
        1 => text.push("1 point has no score.".to_owned()),
        several => text.push(format!("{several} points have no score.")),
    }
    let mut header: Vec<String> = runs.params.iter().map(|param| param.name.clone()).collect();
    header.push(runs.heading.clone());
    let has_seeds = runs.groups.iter().any(|group| group.runs.len() > 1);
    if has_seeds {
        header.push("over seeds".to_owned());
    }
    let rows = runs.ranked().into_iter().take(MOST_BEST).map(|group| {
        let mut row: Vec<String> = group
            .settings
            .iter()
            .map(|setting| {
                setting
                    .as_ref()
                    .map_or("–".to_owned(), |setting| setting.text.clone())
            })
            .collect();
        row.push(group.mean.map_or("none".to_owned(), significant));
        if has_seeds {
            row.push(spread(group));
        }
        row
    });
    Section {
        heading: match sweep.name.as_str() {
            "--set" => "Values set".to_owned(),
            name => format!("Sweep `{name}`"),
        },
        text,
        table: Some((header, rows.collect())),
        ..Section::default()
    }
}

fn spread(group: &Group) -> String {
    let values = || group.runs.iter().filter_map(|run| run.value);
    let (low, high) = (
        values().fold(f64::INFINITY, f64::min),
        values().fold(f64::NEG_INFINITY, f64::max),
    );
    match low <= high {
        true => format!("{} … {}", significant(low), significant(high)),
        false => String::new(),
    }
}

fn response(runs: &Runs) -> Section {
    let mut figures: Vec<_> = runs
        .params
        .iter()
        .enumerate()
        .filter_map(|(at, _)| figures::response(runs, at))
        .collect();
    figures.extend(figures::parallel(runs));
    Section {
        heading: format!("Response of `{}`", runs.heading),
        figures,
        ..Section::default()
    }
}

/// For each seed, the point that would have won with it alone.
fn stability(runs: &Runs) -> Option<Section> {
    let seeds = runs.seeds();
    if seeds.len() < 2 {
        return None;
    }
    let best = runs.ranked().into_iter().next()?;
    let mut rows = Vec::new();
    let mut agreeing = 0;
    for seed in &seeds {
        let Some((winner, value)) = runs.winner(seed) else {
            continue;
        };
        agreeing += usize::from(winner.number == best.number);
        let of_best = best.runs.iter().find(|run| run.seed.as_ref() == Some(seed));
        let of_best = of_best.and_then(|run| run.value);
        rows.push(vec![
            seed.clone(),
            winner.text(&runs.params),
            significant(value),
            of_best.map_or("none".to_owned(), significant),
        ]);
    }
    let text = format!(
        "The best point over all seeds, `{}`, is the best of {agreeing} of {} seeds alone.",
        best.text(&runs.params),
        rows.len()
    );
    let header = ["seed", "best point", runs.heading.as_str(), "overall best"];
    Some(Section {
        heading: format!("How stable `{}` is", runs.sweep.name),
        text: vec![text],
        table: Some((header.map(str::to_owned).to_vec(), rows)),
        ..Section::default()
    })
}
