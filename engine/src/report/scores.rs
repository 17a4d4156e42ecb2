//! Scores for readers: headline comparisons and one wide table per score statement.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;

use dsl::experiment::Experiment;
use dsl::sweep::Best;

use crate::table::ScoreLine;

/// Rows of a table beyond this are only counted.
const MOST_ROWS: usize = 50;
/// The same of a sweep, whose points are ranked in a section of their own.
const MOST_SWEPT: usize = 12;

/// One comparison: what the method gave against what there was before.
pub struct Headline {
    /// The metric.
    pub metric: String,
    /// The score statement.
    pub statement: String,
    /// The scored statement.
    pub model: String,
    /// Its value, of the ensemble when there is one.
    pub value: String,
    /// What it is compared with, name and value.
    pub base: Option<(String, String)>,
    /// The relative change, such as `−83 %`.
    pub change: Option<String>,
    /// `better`, `worse` or `same`; empty without a comparison.
    pub verdict: &'static str,
    /// Where and among what: ensemble, members, horizon, sweep point.
    pub notes: Vec<String>,
}

impl fmt::Display for Headline {
    /// `rmse of adapted 0.1240, −83 % against net`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} {}", self.metric, self.model, self.value)?;
        match (&self.change, &self.base) {
            (Some(change), Some((base, _))) => write!(f, ", {change} against {base}"),
            _ => Ok(()),
        }
    }
}

/// The numbers of one score statement, a row for each model and member.
pub struct ScoreTable {
    /// The score statement.
    pub statement: String,
    /// The head of each column.
    pub header: Vec<String>,
    /// How many columns of text come before the numbers.
    pub words: usize,
    /// Ensemble rows first; in a sweep those only, the best point first.
    pub rows: Vec<Row>,
    /// How many rows were left out.
    pub more: usize,
}

/// One row of a [`ScoreTable`].
pub struct Row {
    /// Whether it is about all members together.
    pub ensemble: bool,
    /// The cells in the order of the header.
    pub cells: Vec<String>,
}

/// What is good in a metric.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Aim {
    Low,
    High,
    Zero,
}

impl Aim {
    pub(crate) fn of(metric: &str) -> Self {
        match metric {
            "accuracy" | "r2" | "correlation" | "skill" | "nse" | "explained" => Aim::High,
            "bias" => Aim::Zero,
            _ => Aim::Low,
        }
    }

    /// The sign of a change for the better; 0 where the sign does not tell.
    pub(crate) fn good_sign(self) -> f64 {
        match self {
            Aim::Low => -1.0,
            Aim::High => 1.0,
            Aim::Zero => 0.0,
        }
    }

    /// Lower is better.
    pub(super) fn cost(self, value: f64) -> f64 {
        match self {
            Aim::Low => value,
            Aim::High => -value,
            Aim::Zero => value.abs(),
        }
    }

    /// The relative change in what counts.
    fn change(self, from: f64, to: f64) -> Option<f64> {
        let (from, to) = match self {
            Aim::Zero => (from.abs(), to.abs()),
            Aim::Low | Aim::High => (from, to),
        };
        (from != 0.0).then(|| (to - from) / from.abs())
    }
}

/// One comparison for each score statement, metric and scored model, of the ensembles; at the
/// point a sweep chose, else at the best one, and at the farthest horizon.
pub fn headlines(experiment: &Experiment, scores: &[ScoreLine]) -> Vec<Headline> {
    let chosen = chosen(experiment);
    let is_chosen = |line: &ScoreLine| chosen.contains(&(&*line.statement, &*line.point));
    let whole: Vec<&ScoreLine> = scores.iter().filter(|line| line.group.is_none()).collect();
    let mut headlines = Vec::new();
    for statement in statements(&whole) {
        let lines = having(&whole, |line| line.statement == statement);
        for metric in firsts(&lines, |line| &line.metric) {
            if about_members(metric) {
                continue;
            }
            let lines = having(&lines, |line| line.metric == metric);
            let scored = having(&lines, |line| matches!(&*line.role, "child" | "farcast"));
            for model in firsts(&scored, |line| &line.model) {
                let scored = having(&scored, |line| line.model == model);
                let at_choice = having(&scored, |line| is_chosen(line));
                headlines.extend(headline(&lines, &scored, &at_choice));
            }
        }
    }
    headlines
}

/// The scores at the points that sweeps chose: statement and point.
fn chosen(experiment: &Experiment) -> BTreeSet<(&str, &str)> {
    let best = experiment
        .sweeps
        .iter()
        .filter_map(|sweep| match sweep.best {
            Best::Trial(at) => sweep.trials.get(at),
            Best::Never | Best::Open | Best::Nothing => None,
        });
    let nodes = best.flat_map(|trial| &trial.scores);
    nodes
        .map(|id| &experiment.nodes[id.0])
        .map(|node| (&*node.name, &*node.point))
        .collect()
}

/// The statements in the order of the file, those at points of a sweep after what is made once.
fn statements<'a>(lines: &[&'a ScoreLine]) -> Vec<&'a str> {
    let mut statements = firsts(lines, |line| &line.statement);
    let is_swept = |statement: &str| {
        let mut own = lines.iter().filter(|line| line.statement == statement);
        own.any(|line| !line.point.is_empty())
    };
    statements.sort_by_cached_key(|statement| is_swept(statement));
    statements
}

/// Whether a metric tells something about the members of an ensemble, not how good it is.
fn about_members(metric: &str) -> bool {
    metric.starts_with("inner_") || metric.starts_with("spread")
}

/// Of one model; at the choice of a sweep, where there is one.
fn headline(
    lines: &[&ScoreLine],
    scored: &[&ScoreLine],
    at_choice: &[&ScoreLine],
) -> Option<Headline> {
    let points = firsts(scored, |line| &line.point).len();
    let (word, scored) = match at_choice {
        [] => ("best", scored),
        chosen => ("choice", chosen),
    };
    let first = scored.first()?;
    let aim = Aim::of(&first.metric);
    let farthest = scored
        .iter()
        .filter_map(|line| line.horizon)
        .max_by(f64::total_cmp);
    let ensembles = ensemble(&having(scored, |line| line.horizon == farthest));
    let (best, value) = lowest(&ensembles, aim)?;
    let rivals = having(lines, |line| {
        line.point == best.point
            && line.horizon == best.horizon
            && (line.role == "baseline" || line.role == "parent")
    });
    // A child is measured against its parent, a farcast against the simple forecasts.
    let own = if best.role == "child" {
        "parent"
    } else {
        "baseline"
    };
    let own = having(&rivals, |line| line.role == own);
    let rivals = if own.is_empty() { rivals } else { own };
    let base = lowest(&ensemble(&rivals), aim);
    let change = base.and_then(|(_, base)| aim.change(base, value));
    let mut notes = Vec::new();
    if best.member.parse::<u64>().is_err() {
        notes.push(format!("ensemble {}", best.member));
    }
    notes.extend(base.and_then(|(base, _)| members_better(lines, best, base, aim)));
    notes.extend(farthest.map(|horizon| format!("{horizon} steps ahead")));
    if points > 1 {
        notes.push(format!("{word} of {points} points: {}", best.point));
    }
    Some(Headline {
        metric: best.heading(),
        statement: best.statement.clone(),
        model: best.model.clone(),
        value: significant(value),
        base: base.map(|(base, value)| (base.model.clone(), significant(value))),
        change: change.map(percent),
        verdict: base.map_or("", |(_, base)| verdict(aim.cost(value), aim.cost(base))),
        notes,
    })
}

fn verdict(cost: f64, base: f64) -> &'static str {
    match cost.total_cmp(&base) {
        Ordering::Less => "better",
        Ordering::Greater => "worse",
        Ordering::Equal => "same",
    }
}

/// How many members improved on the same member of what they are compared with; one without
/// a value has not.
fn members_better(
    lines: &[&ScoreLine],
    model: &ScoreLine,
    base: &ScoreLine,
    aim: Aim,
) -> Option<String> {
    let of = |model: &ScoreLine| {
        having(lines, |line| {
            line.model == model.model
                && line.point == model.point
                && line.horizon == model.horizon
                && line.role == model.role
                && line.member.parse::<u64>().is_ok()
        })
    };
    let (members, bases) = (of(model), of(base));
    let is_better = |line: &&&ScoreLine| {
        let base = bases.iter().find(|base| base.member == line.member);
        let base = base.and_then(|base| base.value);
        matches!((line.value, base), (Some(own), Some(base)) if aim.cost(own) < aim.cost(base))
    };
    let better = members.iter().filter(is_better).count();
    let shared = bases.len() == members.len() && members.len() > 1;
    shared.then(|| format!("{better} of {} members better", members.len()))
}

/// The rows of all members together: means where there are, else medians, else single members.
fn ensemble<'a>(lines: &[&'a ScoreLine]) -> Vec<&'a ScoreLine> {
    ["mean", "median"]
        .iter()
        .map(|word| having(lines, |line| line.member == *word))
        .find(|lines| !lines.is_empty())
        .unwrap_or_else(|| lines.to_vec())
}

/// The best row that has a value.
fn lowest<'a>(lines: &[&'a ScoreLine], aim: Aim) -> Option<(&'a ScoreLine, f64)> {
    lines
        .iter()
        .filter_map(|line| Some((*line, line.value.filter(|value| value.is_finite())?)))
        .min_by(|(_, a), (_, b)| aim.cost(*a).total_cmp(&aim.cost(*b)))
}

/// One table for each score statement, numbers by group left out.
pub fn tables(scores: &[ScoreLine]) -> Vec<ScoreTable> {
    let whole: Vec<&ScoreLine> = scores.iter().filter(|line| line.group.is_none()).collect();
    statements(&whole)
        .into_iter()
        .map(|statement| table(statement, &having(&whole, |l| l.statement == statement)))
        .collect()
}

fn table(statement: &str, lines: &[&ScoreLine]) -> ScoreTable {
    let metrics = firsts(lines, |line| &line.metric);
    let headings = metrics.iter().map(|metric| {
        let line = lines.iter().find(|line| line.metric == *metric);
        line.map_or_else(String::new, |line| line.heading())
    });
    let points = ranked_points(lines, metrics.first().copied().unwrap_or_default());
    let models = firsts(lines, |line| &line.model);
    let swept = points.len() > 1;
    let ahead = lines.iter().any(|line| line.horizon.is_some());
    let place = |names: &[&str], name: &str| names.iter().position(|other| *other == name);
    let key = |line: &ScoreLine| {
        let member = line.member.parse::<u64>();
        (
            place(&points, &line.point),
            member.is_ok(),
            place(&models, &line.model),
            order(line.horizon.unwrap_or(0.0)),
            member.unwrap_or(0),
            line.member.clone(),
        )
    };
    let mut sorted: Vec<_> = lines.iter().map(|line| (key(line), *line)).collect();
    sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut rows: Vec<Row> = sorted
        .chunk_by(|(a, _), (b, _)| a == b)
        .map(|cells| {
            let cells: Vec<&ScoreLine> = cells.iter().map(|(_, line)| *line).collect();
            wide_row(&cells, &metrics, swept, ahead)
        })
        .collect();
    let all = rows.len();
    if swept && rows.iter().any(|row| row.ensemble) {
        // Points are to be compared with each other; members would stand between them.
        rows.retain(|row| row.ensemble);
    }
    rows.truncate(if swept { MOST_SWEPT } else { MOST_ROWS });
    let more = all - rows.len();
    let mut header = vec!["model", "role", "member"];
    if ahead {
        header.push("steps ahead");
    }
    if swept {
        header.insert(0, "point");
    }
    ScoreTable {
        statement: statement.to_owned(),
        words: header.len(),
        header: header
            .into_iter()
            .map(str::to_owned)
            .chain(headings)
            .collect(),
        rows,
        more,
    }
}

/// One row from the lines that differ in the metric only.
fn wide_row(lines: &[&ScoreLine], metrics: &[&str], swept: bool, ahead: bool) -> Row {
    let mut cells = Vec::new();
    let Some(line) = lines.first() else {
        return Row {
            ensemble: false,
            cells,
        };
    };
    if swept {
        cells.push(line.point.replace(',', ", "));
    }
    cells.extend([&line.model, &line.role, &line.member].map(String::clone));
    if ahead {
        cells.push(line.horizon.map_or_else(String::new, |h| h.to_string()));
    }
    cells.extend(metrics.iter().map(|metric| {
        let value = lines.iter().find(|line| line.metric == *metric);
        value.map_or_else(String::new, |line| {
            line.value.map_or_else(|| "none".to_owned(), significant)
        })
    }));
    Row {
        ensemble: line.member.parse::<u64>().is_err(),
        cells,
    }
}

/// The points of a sweep, that of the best scored ensemble first.
fn ranked_points<'a>(lines: &[&'a ScoreLine], metric: &str) -> Vec<&'a str> {
    let aim = Aim::of(metric);
    let cost = |point: &str| {
        let scored = having(lines, |line| {
            line.point == point
                && line.metric == metric
                && matches!(&*line.role, "child" | "farcast")
        });
        lowest(&ensemble(&scored), aim).map_or(f64::INFINITY, |(_, value)| aim.cost(value))
    };
    let mut points: Vec<(f64, &str)> = firsts(lines, |line| &line.point)
        .into_iter()
        .map(|point| (cost(point), point))
        .collect();
    points.sort_by(|(a, _), (b, _)| a.total_cmp(b));
    points.into_iter().map(|(_, point)| point).collect()
}

/// The different values of a field in order of first use.
fn firsts<'a>(
    lines: &[&'a ScoreLine],
    field: impl Fn(&'a ScoreLine) -> &'a String,
) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    let fields = lines.iter().map(|line| field(line).as_str());
    fields.filter(|value| seen.insert(*value)).collect()
}

fn having<'a>(lines: &[&'a ScoreLine], keep: impl Fn(&ScoreLine) -> bool) -> Vec<&'a ScoreLine> {
    lines.iter().copied().filter(|line| keep(line)).collect()
}

/// A number that sorts as the value does.
fn order(value: f64) -> i64 {
    let bits = value.to_bits() as i64;
    bits ^ (((bits >> 63) as u64) >> 1) as i64
}

/// Four significant digits, with a true minus sign.
pub fn significant(value: f64) -> String {
    let magnitude = if value == 0.0 {
        0.0
    } else {
        value.abs().log10().floor()
    };
    let text = if !value.is_finite() {
        return value.to_string();
    } else if (-4.0..7.0).contains(&magnitude) {
        let decimals = (3.0 - magnitude).clamp(0.0, 7.0) as usize;
        format!("{value:.decimals$}")
    } else {
        format!("{value:.3e}")
    };
    text.replace('-', "−")
}

fn percent(change: f64) -> String {
    let percent = change * 100.0;
    let text = if percent.abs() >= 1000.0 {
        format!("×{:.0}", change + 1.0)
    } else if percent.abs() < 10.0 {
        format!("{percent:+.1} %")
    } else {
        format!("{percent:+.0} %")
    };
    text.replace('-', "−")
}

#[cfg(test)]
pub(super) mod tests {
    use dsl::experiment::{Node, NodeId};
    use dsl::sweep::{Sweep, Trial};
    use dsl::types::Kind;

    use super::*;
    use crate::draw::tests::node;

    pub fn line(model: &str, role: &str, member: &str, metric: &str, value: f64) -> ScoreLine {
        ScoreLine {
            statement: "skill".to_owned(),
            member: member.to_owned(),
            model: model.to_owned(),
            role: role.to_owned(),
            metric: metric.to_owned(),
            value: Some(value),
            unit: None,
            point: String::new(),
            horizon: None,
            group: None,
        }
    }

    fn two_members() -> Vec<ScoreLine> {
        vec![
            line("net", "parent", "0", "rmse", 8.0),
            line("net", "parent", "1", "rmse", 12.0),
            line("net", "parent", "mean", "rmse", 10.0),
            line("adapted", "child", "0", "rmse", 2.0),
            line("adapted", "child", "1", "rmse", 13.0),
            line("adapted", "child", "mean", "rmse", 7.5),
            line("adapted", "child", "mean", "bias", -0.5),
        ]
    }

    #[test]
    fn the_child_is_compared_with_its_parent() {
        let headlines = headlines(&Experiment::default(), &two_members());
        let first = &headlines[0];
        assert_eq!(first.base, Some(("net".to_owned(), "10.00".to_owned())));
        assert_eq!(first.value, "7.500");
        assert_eq!(first.change.as_deref(), Some("−25 %"));
        assert_eq!(first.verdict, "better");
        assert_eq!(first.notes, ["ensemble mean", "1 of 2 members better"]);
        assert_eq!(headlines[1].base, None);
        assert_eq!(headlines[1].verdict, "");
    }

    #[test]
    fn a_bias_nearer_to_zero_is_better() {
        let lines = [
            line("net", "parent", "mean", "bias", -4.0),
            line("adapted", "child", "mean", "bias", 1.0),
        ];
        let headline = &headlines(&Experiment::default(), &lines)[0];
        assert_eq!(headline.change.as_deref(), Some("−75 %"));
        assert_eq!(headline.verdict, "better");
    }

    #[test]
    fn higher_accuracy_is_better() {
        let lines = [
            line("last", "baseline", "mean", "accuracy", 0.8),
            line("lfd", "farcast", "mean", "accuracy", 0.84),
        ];
        let headline = &headlines(&Experiment::default(), &lines)[0];
        assert_eq!(headline.change.as_deref(), Some("+5.0 %"));
        assert_eq!(headline.verdict, "better");
    }

    #[test]
    fn ensemble_rows_come_first() {
        let table = &tables(&two_members())[0];
        assert_eq!(table.header, ["model", "role", "member", "rmse", "bias"]);
        let cells: Vec<String> = table.rows.iter().map(|row| row.cells.join(" ")).collect();
        assert_eq!(
            cells,
            [
                "net parent mean 10.00 ",
                "adapted child mean 7.500 −0.5000",
                "net parent 0 8.000 ",
                "net parent 1 12.00 ",
                "adapted child 0 2.000 ",
                "adapted child 1 13.00 ",
            ]
        );
    }

    #[test]
    fn the_best_point_of_a_sweep_comes_first_and_the_rest_is_counted() {
        let lines: Vec<ScoreLine> = (0..60)
            .map(|point| ScoreLine {
                point: format!("width={point}"),
                ..line("adapted", "child", "mean", "rmse", 100.0 - f64::from(point))
            })
            .collect();
        let table = &tables(&lines)[0];
        assert_eq!(table.rows[0].cells[0], "width=59");
        assert_eq!((table.rows.len(), table.more), (12, 48));
        let headline = &headlines(&Experiment::default(), &lines)[0];
        assert_eq!(headline.notes[1], "best of 60 points: width=59");
    }

    #[test]
    fn what_a_sweep_chose_is_the_headline_not_what_did_best_after_all() {
        let swept = ["width=1", "width=2"].map(|point| Node {
            point: point.to_owned(),
            ..node("skill", Kind::Score, "compare", &[])
        });
        let trial = |at: usize| Trial {
            point: swept[at].point.clone(),
            settings: Vec::new(),
            group: at,
            finding: None,
            objective: None,
            scores: vec![NodeId(at)],
        };
        let experiment = Experiment {
            nodes: swept.to_vec(),
            sweeps: vec![Sweep {
                trials: vec![trial(0), trial(1)],
                best: Best::Trial(0),
                ..Sweep::default()
            }],
            ..Experiment::default()
        };
        let lines = [("width=1", 2.0), ("width=2", 1.0)].map(|(point, value)| ScoreLine {
            point: point.to_owned(),
            ..line("adapted", "child", "mean", "rmse", value)
        });
        let headline = &headlines(&experiment, &lines)[0];
        assert_eq!(headline.value, "2.000");
        assert_eq!(headline.notes[1], "choice of 2 points: width=1");
    }

    #[test]
    fn horizons_sort_as_numbers() {
        assert!(order(-2.0) < order(-1.0) && order(-1.0) < order(0.0) && order(9.0) < order(10.0));
    }

    #[test]
    fn numbers_keep_four_digits() {
        assert_eq!(significant(1234567.0), "1234567");
        assert_eq!(significant(-0.012345), "−0.01235");
        assert_eq!(significant(1.5e-9), "1.500e−9");
        assert_eq!(significant(0.0), "0.000");
    }
}
