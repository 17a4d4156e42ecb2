//! The headlines of a run: one comparison for each metric of each scored model.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use dsl::experiment::{Experiment, Node};
use dsl::sweep::Best;
use dsl::types::Kind;

use crate::artifact::is_prediction;
use crate::blocks::{self, Block};
use crate::metric::{Better, significant};
use crate::student::Interval;
use crate::table::ScoreLine;

/// One comparison: the method against its baseline.
pub struct Headline {
    /// The metric.
    pub metric: String,
    /// The score statement.
    pub statement: String,
    /// The scored statement.
    pub model: String,
    /// The point of a sweep; empty without one.
    pub point: String,
    /// Its value, for the ensemble if there is one.
    pub value: String,
    /// Name and value of the baseline.
    pub base: Option<(String, String)>,
    /// The relative change, such as `−83 %`.
    pub change: Option<String>,
    /// The ends of the 95 % interval of the mean difference over the members that both have, or
    /// over those of the model against a baseline of one; none for fewer than two. It covers the
    /// randomness of training, not that of other data.
    pub interval: Option<(f64, f64)>,
    /// The value as something to be small, to rank models by.
    pub cost: f64,
    /// The same of the baseline.
    base_cost: Option<f64>,
    /// `better`, `worse` or `same`; empty without a comparison.
    pub verdict: &'static str,
    /// Details: ensemble, members, horizon, point of a sweep.
    pub notes: Vec<String>,
}

impl Headline {
    /// Whether the interval of the difference leaves a doubt which of the two is better.
    pub fn is_doubtful(&self) -> bool {
        self.interval
            .is_some_and(|(low, high)| low <= 0.0 && high >= 0.0)
    }

    /// By how much it is better than its baseline, to compare points of a sweep whose data may differ.
    fn order(&self) -> f64 {
        match self.base_cost {
            Some(base) if base > 0.0 => self.cost / base - 1.0,
            Some(base) => self.cost - base,
            None => self.cost,
        }
    }

    /// The interval as text, `−0.0250 … +0.1300`.
    pub fn interval_text(&self) -> Option<String> {
        self.interval.map(ends)
    }
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

/// Both ends of an interval, with their signs.
fn ends((low, high): (f64, f64)) -> String {
    let end = |end: f64| {
        let sign = if end > 0.0 { "+" } else { "" };
        format!("{sign}{}", significant(end)).replace('-', "−")
    };
    format!("{} … {}", end(low), end(high))
}

/// One comparison for each score statement, metric and scored model, of the ensembles; at the
/// point a sweep chose, else at the middle one, and at the farthest horizon. Scores that others read, such as
/// the inner ones of a `compare`, and those by which sweeps choose come last: they are means to those.
pub fn headlines(experiment: &Experiment, scores: &[ScoreLine]) -> Vec<Headline> {
    headlines_at(&chosen(experiment), &read_by_scores(experiment), scores)
}

/// The same with the scores at the points that sweeps chose, statement and point, and those that others read.
pub fn headlines_at(
    chosen: &BTreeSet<(&str, &str)>,
    read: &BTreeSet<String>,
    scores: &[ScoreLine],
) -> Vec<Headline> {
    let is_chosen = |line: &ScoreLine| chosen.contains(&(&*line.statement, &*line.point));
    let (whole, grouped): (Vec<_>, Vec<_>) = scores.iter().partition(|line| line.group.is_none());
    let mut headlines = Vec::new();
    let mut statements = statements(&whole);
    statements.sort_by_key(|statement| read.contains(*statement));
    for statement in statements {
        let lines = having(&whole, |line| line.statement == statement);
        let grouped = having(&grouped, |line| line.statement == statement);
        for metric in firsts(&lines, |line| &line.metric) {
            if about_members(metric) {
                continue;
            }
            let inside = having(&lines, |line| line.metric == INNER);
            let lines = having(&lines, |line| line.metric == metric);
            let scored = having(&lines, |line| is_prediction(&line.role));
            let from = headlines.len();
            for (_, scored) in by(&scored, |line| &line.model) {
                let at_choice = having(&scored, |line| is_chosen(line));
                headlines.extend(headline(&lines, &grouped, &inside, &scored, &at_choice));
            }
            // The best of several models first.
            let of_metric: &mut [Headline] = &mut headlines[from..];
            of_metric.sort_by(|one, other| one.cost.total_cmp(&other.cost));
        }
    }
    headlines
}

/// The scores that other scores read, or by which sweeps choose.
pub(crate) fn read_by_scores(experiment: &Experiment) -> BTreeSet<String> {
    let nodes = &experiment.nodes;
    let scores = nodes.iter().filter(|node| node.kind == Kind::Score);
    let read = scores.flat_map(Node::references).map(|id| &nodes[id.0]);
    let read = read.filter(|node| node.kind == Kind::Score);
    let objectives = experiment
        .sweeps
        .iter()
        .filter_map(|sweep| sweep.objective.as_ref());
    let objectives = objectives.map(|objective| objective.statement.clone());
    read.map(|node| node.name.clone())
        .chain(objectives)
        .collect()
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

/// The points that sweeps chose.
pub(crate) fn chosen_points(experiment: &Experiment) -> BTreeSet<&str> {
    let points = chosen(experiment).into_iter().map(|(_, point)| point);
    points.filter(|point| !point.is_empty()).collect()
}

/// The statements in the order of the file, those at points of a sweep last.
pub(crate) fn statements<'a>(lines: &[&'a ScoreLine]) -> Vec<&'a str> {
    let mut statements = firsts(lines, |line| &line.statement);
    let is_swept = |statement: &str| {
        let mut own = lines.iter().filter(|line| line.statement == statement);
        own.any(|line| !line.point.is_empty())
    };
    statements.sort_by_cached_key(|statement| is_swept(statement));
    statements
}

/// The error of a model in its inner extrapolation.
const INNER: &str = "inner_rmse";

/// The share of the rows that a group has.
const SHARE: &str = "share";

/// Whether a metric describes the members of an ensemble rather than its quality.
fn about_members(metric: &str) -> bool {
    metric.starts_with("inner_") || metric.starts_with("spread")
}

/// Of one model: at the choice of a sweep, or at the middle one of the points of a sweep that chooses none. The best of
/// them would be one tuned on what it is judged by, and points with data of their own have no best.
fn headline(
    lines: &[&ScoreLine],
    grouped: &[&ScoreLine],
    inside: &[&ScoreLine],
    scored: &[&ScoreLine],
    at_choice: &[&ScoreLine],
) -> Option<Headline> {
    let points = by(scored, |line| &line.point);
    let of_points = |word: &str, headline: &mut Headline, point: &str| {
        let note = format!("{word} of {} points: {point}", points.len());
        headline.notes.push(note);
    };
    if let ([_, _, ..], [chosen, ..]) = (&points[..], at_choice) {
        let mut headline = headline_of(lines, grouped, inside, at_choice)?;
        of_points("choice", &mut headline, &chosen.point);
        return Some(headline);
    }
    if let [] | [_] = points[..] {
        return headline_of(lines, grouped, inside, scored);
    }
    let [lines, inside] =
        [lines, inside].map(|lines| BTreeMap::from_iter(by(lines, |line| &line.point)));
    let of = |point: &str, scored: &[&ScoreLine], grouped: &[&ScoreLine]| {
        let [lines, inside] =
            [&lines, &inside].map(|at| at.get(point).map_or(&[][..], Vec::as_slice));
        headline_of(lines, grouped, inside, scored)
    };
    // Groups are drawn for the middle one alone.
    let at_points = points
        .iter()
        .filter_map(|at| Some((of(at.0, &at.1, &[])?, at)));
    let mut at_points: Vec<(Headline, _)> = at_points.collect();
    at_points.sort_by(|(one, _), (other, _)| one.order().total_cmp(&other.order()));
    let middle = at_points.len().checked_sub(1)? / 2;
    let ends = [0, at_points.len() - 1].map(|at| at_points[at].0.change.clone());
    let (point, scored) = at_points[middle].1;
    let mut headline = of(point, scored, grouped)?;
    of_points("middle", &mut headline, point);
    if let [Some(low), Some(high)] = ends {
        headline.notes.push(format!("from {low} to {high}"));
    }
    Some(headline)
}

/// Of one model at one point.
fn headline_of(
    lines: &[&ScoreLine],
    grouped: &[&ScoreLine],
    inside: &[&ScoreLine],
    scored: &[&ScoreLine],
) -> Option<Headline> {
    let first = scored.first()?;
    let aim = Better::of(&first.metric);
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
    // A child is measured against what does best without it, be it its parent or a baseline; a
    // farcast against the simple forecasts.
    let [parent, simple] = ["parent", "baseline"].map(|role| {
        let lines = having(&rivals, |line| line.role == role);
        lowest(&ensemble(&lines), aim)
    });
    let cost = |rival: Option<(&ScoreLine, f64)>| rival.map(|(_, value)| aim.cost(value));
    let is_best = best.role == "child" && cost(parent) <= cost(simple);
    let base = match simple {
        Some(_) if !(is_best && parent.is_some()) => simple,
        _ => parent.or(simple),
    };
    // Where all have been tried inside the training data, the rival is the one that was best there.
    let tried = having(inside, |line| {
        line.point == best.point && rivals.iter().any(|rival| rival.model == line.model)
    });
    let tried = lowest(&tried, Better::Lower).filter(|_| best.role == "child");
    let tried = tried.and_then(|(tried, _)| {
        lowest(
            &ensemble(&having(&rivals, |line| line.model == tried.model)),
            aim,
        )
    });
    let other = tried
        .and(base)
        .filter(|(other, _)| tried.is_some_and(|(it, _)| it.model != other.model));
    let base = tried.or(base);
    let change = base.and_then(|(_, base)| aim.change(base, value));
    let mut notes = Vec::new();
    if best.member.parse::<u64>().is_err() {
        notes.push(format!("ensemble {}", best.member));
    }
    notes.extend(base.and_then(|(base, _)| members_better(lines, best, base, aim)));
    notes.extend(base.and_then(|(base, _)| other_groups(grouped, best, base)));
    let own = parent.filter(|(own, _)| base.is_some_and(|(base, _)| base.model != own.model));
    let own = own
        .filter(|_| best.role == "child")
        .and_then(|(own, base)| {
            let change = percent(aim.change(base, value)?);
            Some(format!("{change} against {}", own.model))
        });
    notes.extend(own);
    if tried.is_some() {
        notes.push("the rival is the best in the inner extrapolation".to_owned());
    }
    notes.extend(
        other.map(|(other, value)| {
            format!("the best here is {}, {}", other.model, significant(value))
        }),
    );
    notes.extend(farthest.map(|horizon| format!("{horizon} steps ahead")));
    let base_cost = base.map(|(_, base)| aim.cost(base));
    Some(Headline {
        metric: best.heading(),
        statement: best.statement.clone(),
        model: best.model.clone(),
        point: best.point.clone(),
        value: significant(value),
        base: base.map(|(base, value)| (base.model.clone(), significant(value))),
        change: change.map(percent),
        interval: base.and_then(|(base, _)| interval(lines, best, base)),
        cost: aim.cost(value),
        verdict: base_cost.map_or("", |base| verdict(aim.cost(value), base)),
        base_cost,
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

/// The single members of a model.
fn members_of<'a>(lines: &[&'a ScoreLine], model: &ScoreLine) -> Vec<&'a ScoreLine> {
    having(lines, |line| {
        line.model == model.model
            && line.point == model.point
            && line.horizon == model.horizon
            && line.role == model.role
            && line.member.parse::<u64>().is_ok()
    })
}

/// The interval of the mean difference from the baseline, member by member.
fn interval(lines: &[&ScoreLine], model: &ScoreLine, base: &ScoreLine) -> Option<(f64, f64)> {
    let bases = members_of(lines, base);
    let members = members_of(lines, model).into_iter();
    let differences = members.filter_map(|line| {
        let own = bases.iter().find(|base| base.member == line.member);
        // A baseline without randomness has one member for all.
        let base = if let [only] = &bases[..] { only } else { own? };
        Some(line.value? - base.value?)
    });
    let interval = Interval::paired(&differences.collect::<Vec<f64>>())?;
    Some((interval.low, interval.high))
}

/// What the difference from the baseline would be over other groups of rows.
fn other_groups(grouped: &[&ScoreLine], model: &ScoreLine, base: &ScoreLine) -> Option<String> {
    let values = |of: &ScoreLine| -> BTreeMap<&str, f64> {
        let own = having(grouped, |line| {
            (&line.model, &line.role, &line.metric) == (&of.model, &of.role, &of.metric)
                && (&line.member, &line.point) == (&of.member, &of.point)
        });
        let own = own.into_iter();
        own.filter_map(|line| Some((line.group.as_deref()?, line.value?)))
            .collect()
    };
    let (values, bases) = (values(model), values(base));
    let shares = having(grouped, |line| {
        line.metric == SHARE && line.point == model.point
    });
    let blocks = shares.iter().map(|line| {
        let group = line.group.as_deref()?;
        Some(Block {
            share: line.value?,
            value: *values.get(group)?,
            base: *bases.get(group)?,
        })
    });
    let blocks: Vec<Block> = blocks.collect::<Option<_>>()?;
    let metric = model.metric.split(" of ").next()?;
    let interval = blocks::interval(metric, &blocks)?;
    let doubt = match interval.0 <= 0.0 && interval.1 >= 0.0 {
        true => ", so other rows may decide otherwise",
        false => "",
    };
    let (ends, count) = (ends(interval), blocks.len());
    Some(format!(
        "{ends} (95 %) when the {count} groups of rows are drawn anew{doubt}"
    ))
}

/// How many members are better than the same member of the baseline; one without a value is not.
fn members_better(
    lines: &[&ScoreLine],
    model: &ScoreLine,
    base: &ScoreLine,
    aim: Better,
) -> Option<String> {
    let (members, bases) = (members_of(lines, model), members_of(lines, base));
    let is_better = |line: &&&ScoreLine| {
        let base = bases.iter().find(|base| base.member == line.member);
        let base = base.and_then(|base| base.value);
        matches!((line.value, base), (Some(own), Some(base)) if aim.cost(own) < aim.cost(base))
    };
    let better = members.iter().filter(is_better).count();
    let shared = bases.len() == members.len() && members.len() > 1;
    shared.then(|| format!("{better} of {} members better", members.len()))
}

/// The lines of the ensemble: means if there are any, else medians, else single members.
pub fn ensemble<'a>(lines: &[&'a ScoreLine]) -> Vec<&'a ScoreLine> {
    ["mean", "median"]
        .iter()
        .map(|word| having(lines, |line| line.member == *word))
        .find(|lines| !lines.is_empty())
        .unwrap_or_else(|| lines.to_vec())
}

/// The best line that has a value.
pub fn lowest<'a>(lines: &[&'a ScoreLine], aim: Better) -> Option<(&'a ScoreLine, f64)> {
    lines
        .iter()
        .filter_map(|line| Some((*line, line.value.filter(|value| value.is_finite())?)))
        .min_by(|(_, a), (_, b)| aim.cost(*a).total_cmp(&aim.cost(*b)))
}

/// The different values of a field in order of first use.
pub fn firsts<'a>(
    lines: &[&'a ScoreLine],
    field: impl Fn(&'a ScoreLine) -> &'a String,
) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    let fields = lines.iter().map(|line| field(line).as_str());
    fields.filter(|value| seen.insert(*value)).collect()
}

/// The lines of each value of a field, in order of first use.
pub fn by<'a>(
    lines: &[&'a ScoreLine],
    field: impl Fn(&'a ScoreLine) -> &'a String,
) -> Vec<(&'a str, Vec<&'a ScoreLine>)> {
    let mut places = BTreeMap::new();
    let mut groups: Vec<(&str, Vec<_>)> = Vec::new();
    for line in lines {
        let value = field(line).as_str();
        let at = *places.entry(value).or_insert(groups.len());
        if at == groups.len() {
            groups.push((value, Vec::new()));
        }
        groups[at].1.push(*line);
    }
    groups
}

/// The lines that fit.
pub fn having<'a>(
    lines: &[&'a ScoreLine],
    keep: impl Fn(&ScoreLine) -> bool,
) -> Vec<&'a ScoreLine> {
    lines.iter().copied().filter(|line| keep(line)).collect()
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
pub(crate) mod tests {
    use dsl::experiment::NodeId;
    use dsl::sweep::{Sweep, Trial};

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

    pub fn two_members() -> Vec<ScoreLine> {
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
    fn a_baseline_that_is_better_than_the_parent_takes_its_place() {
        let mut lines = two_members();
        lines.push(line("line", "baseline", "mean", "rmse", 5.0));
        lines.push(line("worst", "baseline", "mean", "rmse", 20.0));
        let first = &headlines(&Experiment::default(), &lines)[0];
        assert_eq!(
            first.to_string(),
            "rmse of adapted 7.500, +50 % against line"
        );
        assert_eq!(first.verdict, "worse");
        assert_eq!(first.notes, ["ensemble mean", "−25 % against net"]);
        lines.remove(lines.len() - 2);
        let first = &headlines(&Experiment::default(), &lines)[0];
        assert_eq!(
            first.to_string(),
            "rmse of adapted 7.500, −25 % against net"
        );
    }

    #[test]
    fn the_rival_is_the_one_that_was_best_inside() {
        let mut lines = two_members();
        for (model, value, inside) in [("line", 5.0, 0.4), ("net2", 9.0, 0.3)] {
            lines.push(line(model, "baseline", "0", "rmse", value));
            lines.push(line(model, "baseline", "mean", "rmse", value));
            lines.push(line(model, "baseline", "all", "inner_rmse", inside));
        }
        let first = &headlines(&Experiment::default(), &lines)[0];
        assert_eq!(
            first.to_string(),
            "rmse of adapted 7.500, −17 % against net2"
        );
        let notes = [
            "ensemble mean",
            "−25 % against net",
            "the rival is the best in the inner extrapolation",
            "the best here is line, 5.000",
        ];
        assert_eq!(first.notes, notes);
        // The members are off by −7 and 4 from the only one of the rival.
        let (low, high) = first.interval.expect("an interval");
        assert!(
            (low + high + 3.0).abs() < 1e-9 && low < -60.0,
            "{low} {high}"
        );
    }

    #[test]
    fn groups_of_rows_say_how_far_other_rows_may_differ() {
        // In each of eight equal groups the child is 2 better.
        let mut lines = two_members();
        for group in 0..8 {
            let grouped = |line: ScoreLine| ScoreLine {
                group: Some(group.to_string()),
                ..line
            };
            let rows = [
                line("net", "parent", "mean", "rmse", 10.0),
                line("adapted", "child", "mean", "rmse", 8.0),
                line("net", "parent", "all", "share", 0.125),
            ];
            lines.extend(rows.map(grouped));
        }
        let first = &headlines(&Experiment::default(), &lines)[0];
        let note = "−2.000 … −2.000 (95 %) when the 8 groups of rows are drawn anew";
        assert_eq!(first.notes[2], note);
        // Worse by 20 in one of them.
        let odd = |line: &&mut ScoreLine| line.role == "child" && line.group.is_some();
        lines.iter_mut().find(odd).expect("a group").value = Some(30.0);
        let first = &headlines(&Experiment::default(), &lines)[0];
        assert!(
            first.notes[2].starts_with("−2.000 … +"),
            "{:?}",
            first.notes
        );
        assert!(first.notes[2].ends_with("so other rows may decide otherwise"));
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
            objectives: Vec::new(),
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
    fn scores_that_another_reads_come_after_it() {
        let experiment = Experiment {
            nodes: vec![
                node("inside", Kind::Score, "inner", &[]),
                node("skill", Kind::Score, "compare", &[0]),
            ],
            ..Experiment::default()
        };
        let lines = ["inside", "skill"].map(|statement| ScoreLine {
            statement: statement.to_owned(),
            ..line("adapted", "child", "mean", "rmse", 1.0)
        });
        let found = headlines(&experiment, &lines);
        let order: Vec<&str> = found.iter().map(|it| &*it.statement).collect();
        assert_eq!(order, ["skill", "inside"]);
    }

    #[test]
    fn of_a_sweep_that_chooses_nothing_the_middle_point_stands_for_all() {
        let lines = [
            ("case=a", 40.0, 10.0),
            ("case=b", 1.0, 4.0),
            ("case=c", 9.0, 10.0),
        ];
        let lines: Vec<ScoreLine> = { lines.iter() }
            .flat_map(|(point, child, parent)| {
                let models = [("adapted", "child", child), ("net", "parent", parent)];
                models.map(|(model, role, value)| ScoreLine {
                    point: (*point).to_owned(),
                    ..line(model, role, "mean", "rmse", *value)
                })
            })
            .collect();
        let headline = &headlines(&Experiment::default(), &lines)[0];
        assert_eq!(
            headline.to_string(),
            "rmse of adapted 9.000, −10 % against net"
        );
        let notes = [
            "ensemble mean",
            "middle of 3 points: case=c",
            "from −75 % to +300 %",
        ];
        assert_eq!(headline.notes, notes);
    }
}
