//! The answer and the score table at the end of a run.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use clap::ValueEnum;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use engine::artifact::is_prediction;
use engine::choice::Choice;
use engine::headline::{by, ensemble, firsts, having, lowest};
use engine::metric::{Better, significant};
use engine::table::ScoreLine;

/// How many lines the whole table shows; the others are counted.
const SHOWN: usize = 40;

/// How many points of a sweep without a choice are shown.
const POINTS_SHOWN: usize = 5;

/// Which scores the table shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Shown {
    /// One line for each model, at the points that sweeps chose.
    #[default]
    Main,
    /// Also members, all points of sweeps, and the scores that choose among them.
    All,
}

/// The scores without groups as a table of at most this width.
pub fn table(lines: &[ScoreLine], choices: &[Choice], shown: Shown, width: Option<u16>) -> String {
    let whole = sorted(whole(lines), choices);
    let kept = match shown {
        Shown::Main => main_lines(&whole, choices),
        Shown::All => whole.clone(),
    };
    let rows = match shown {
        Shown::Main => main_rows(&kept),
        Shown::All => rows(&kept),
    };
    if rows.is_empty() && !lines.is_empty() {
        let count = lines.len();
        return format!(
            "{count} scores, each of a group of its own: the report and scores.csv have them\n"
        );
    }
    let mut columns = Columns::of(&kept, &rows);
    let mut table = columns.table(&rows);
    while let Some(width) = width
        && widest(&table) > usize::from(width)
    {
        if !columns.leave_one_out() {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(width);
            break;
        }
        table = columns.table(&rows);
    }
    let mut text = format!("{table}\n");
    let left_out = match shown {
        Shown::All => rows.len().saturating_sub(SHOWN),
        Shown::Main => {
            let all = rows_left(&whole, &kept);
            if all > 0 || columns.metrics_left > 0 {
                text.push_str(&more(all, columns.metrics_left));
            }
            0
        }
    };
    if left_out > 0 {
        text.push_str(&format!("… and {left_out} more lines in scores.csv\n"));
    }
    text
}

/// The lines without a group; of a statement that has none, those without a horizon, such as the
/// barriers of `path`, when they are few.
fn whole(lines: &[ScoreLine]) -> Vec<&ScoreLine> {
    let has_whole: BTreeSet<&str> = lines
        .iter()
        .filter(|line| line.group.is_none())
        .map(|line| &*line.statement)
        .collect();
    let of_groups =
        |line: &&ScoreLine| line.horizon.is_none() && !has_whole.contains(&*line.statement);
    let few = lines.iter().filter(of_groups).count() <= SHOWN;
    let is_shown = |line: &&ScoreLine| line.group.is_none() || few && of_groups(line);
    lines.iter().filter(is_shown).collect()
}

/// What is not shown, and how to see it.
fn more(lines: usize, metrics: usize) -> String {
    let plural = |count: usize, one: &str| match count {
        1 => format!("1 more {one}"),
        count => format!("{count} more {one}s"),
    };
    let parts = [(metrics, "metric"), (lines, "score")];
    let parts = parts.iter().filter(|(count, _)| *count > 0);
    let parts: Vec<String> = parts.map(|(count, one)| plural(*count, one)).collect();
    let parts = parts.join(" and ");
    format!("{parts}: --scores all, or scores.csv\n")
}

/// How many scores of models at points are not among those kept, single members not counted.
fn rows_left(whole: &[&ScoreLine], kept: &[&ScoreLine]) -> usize {
    let keys = |lines: &[&ScoreLine]| -> BTreeSet<String> {
        let single = |line: &&&ScoreLine| !is_single(line);
        let lines = lines.iter().filter(single);
        lines
            .map(|line| format!("{:?}", (&line.statement, &line.model, &line.point)))
            .collect()
    };
    let kept = keys(kept);
    keys(whole)
        .iter()
        .filter(|key| !kept.contains(*key))
        .count()
}

fn is_single(line: &ScoreLine) -> bool {
    line.member.parse::<u32>().is_ok()
}

/// The lines, those that depend on no point or on a choice first, then the points of sweeps: the
/// chosen ones first, the others from the best to the worst.
fn sorted<'a>(lines: Vec<&'a ScoreLine>, choices: &[Choice]) -> Vec<&'a ScoreLine> {
    let mut costs: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    for (statement, own) in by(&lines, |line| &line.statement) {
        let points = by(&own, |line| &line.point).into_iter();
        costs.extend(points.map(|(point, at)| ((statement, point), cost(&at))));
    }
    let order = firsts(&lines, |line| &line.statement);
    let place = |line: &ScoreLine| {
        let statement = order.iter().position(|it| *it == line.statement);
        let cost = costs.get(&(&*line.statement, &*line.point)).copied();
        let is_swept = !line.point.is_empty();
        let rank = match is_chosen(line, choices) {
            true => f64::NEG_INFINITY,
            false => cost.filter(|_| is_swept).unwrap_or(f64::INFINITY),
        };
        (is_swept, statement, rank)
    };
    let mut placed: Vec<_> = lines.into_iter().map(|line| (place(line), line)).collect();
    placed.sort_by(|(one, _), (other, _)| {
        let by_rank = one.2.total_cmp(&other.2);
        (one.0, one.1).cmp(&(other.0, other.1)).then(by_rank)
    });
    placed.into_iter().map(|(_, line)| line).collect()
}

/// How bad a statement is at a point: its first metric, of the best child or farcast if any.
fn cost(lines: &[&ScoreLine]) -> f64 {
    let Some(first) = lines.first() else {
        return f64::INFINITY;
    };
    let aim = Better::of(&first.metric);
    let own = having(lines, |line| line.metric == first.metric);
    let scored = having(&own, |line| is_prediction(&line.role));
    let scored = if scored.is_empty() { own } else { scored };
    let best = lowest(&ensemble(&scored), aim);
    best.map_or(f64::INFINITY, |(_, value)| aim.cost(value))
}

fn is_chosen(line: &ScoreLine, choices: &[Choice]) -> bool {
    let mut at = choices.iter().flat_map(|choice| &choice.at);
    at.any(|(statement, point)| line.statement == *statement && line.point == *point)
}

/// What most readers look for: the ensembles at the farthest horizon, at chosen points or the
/// best few, without the scores that choose and those about members.
fn main_lines<'a>(lines: &[&'a ScoreLine], choices: &[Choice]) -> Vec<&'a ScoreLine> {
    let has_choice = |statement: &str| {
        let mut at = choices.iter().flat_map(|choice| &choice.at);
        at.any(|(chosen, point)| statement == chosen && !point.is_empty())
    };
    let chooses = |statement: &str| choices.iter().any(|choice| choice.by == statement);
    let is_all_inner = lines.iter().all(|line| chooses(&line.statement));
    let mut kept = Vec::new();
    for (statement, own) in by(lines, |line| &line.statement) {
        if chooses(statement) && !is_all_inner {
            continue;
        }
        let own = having(&own, |line| {
            !line.metric.starts_with("inner_") && !line.metric.starts_with("spread")
        });
        let mut points = by(&own, |line| &line.point);
        match has_choice(statement) {
            true => points.retain(|(point, _)| {
                let mut at = choices.iter().flat_map(|choice| &choice.at);
                at.any(|(chosen, there)| chosen == statement && there == point)
            }),
            false => points.truncate(POINTS_SHOWN),
        }
        for (_, at) in points {
            for (_, of_model) in by(&at, |line| &line.model) {
                let farthest = { of_model.iter() }
                    .filter_map(|line| line.horizon)
                    .max_by(f64::total_cmp);
                let is_far = |line: &ScoreLine| line.horizon.is_none() || line.horizon == farthest;
                kept.extend(having(&of_model, is_far));
            }
        }
    }
    kept
}

/// The columns of a table, as many as fit.
struct Columns<'a> {
    metrics: Vec<(&'a str, String)>,
    metrics_left: usize,
    has_points: bool,
    has_groups: bool,
    has_horizons: bool,
    has_roles: bool,
    has_members: bool,
}

impl<'a> Columns<'a> {
    fn of(lines: &[&'a ScoreLine], rows: &[Row]) -> Self {
        let metrics = firsts(lines, |line| &line.metric).into_iter();
        let heading = |metric: &str| {
            let line = lines.iter().find(|line| line.metric == metric);
            line.map_or_else(String::new, |line| line.heading())
        };
        Self {
            metrics: metrics.map(|metric| (metric, heading(metric))).collect(),
            metrics_left: 0,
            has_points: rows.iter().any(|(key, _)| !key.point.is_empty()),
            has_groups: rows.iter().any(|(key, _)| !key.group.is_empty()),
            has_horizons: rows.iter().any(|(key, _)| !key.horizon.is_empty()),
            has_roles: true,
            has_members: true,
        }
    }

    /// Leaves out what is missed least; false when nothing is left to leave out.
    fn leave_one_out(&mut self) -> bool {
        match () {
            () if self.has_roles => self.has_roles = false,
            () if self.metrics.len() > 2 => {
                self.metrics.pop();
                self.metrics_left += 1;
            }
            () if self.has_members => self.has_members = false,
            () if self.metrics.len() > 1 => {
                self.metrics.pop();
                self.metrics_left += 1;
            }
            () => return false,
        }
        true
    }

    fn table(&self, rows: &[Row]) -> Table {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED);
        let mut header = vec!["score".to_owned(), "model".to_owned()];
        header.extend(self.has_roles.then(|| "role".to_owned()));
        header.extend(self.has_points.then(|| "point".to_owned()));
        header.extend(self.has_groups.then(|| "group".to_owned()));
        header.extend(self.has_horizons.then(|| "horizon".to_owned()));
        header.extend(self.has_members.then(|| "member".to_owned()));
        header.extend(self.metrics.iter().map(|(_, heading)| heading.clone()));
        table.set_header(header);
        for (key, values) in rows.iter().take(SHOWN) {
            let mut cells = vec![Cell::new(&key.statement), Cell::new(&key.model)];
            cells.extend(self.has_roles.then(|| Cell::new(&key.role)));
            cells.extend(self.has_points.then(|| Cell::new(&key.point)));
            cells.extend(self.has_groups.then(|| Cell::new(&key.group)));
            cells.extend(self.has_horizons.then(|| Cell::new(&key.horizon)));
            cells.extend(self.has_members.then(|| Cell::new(&key.member)));
            for (metric, _) in &self.metrics {
                let text = values.get(*metric).map_or("", String::as_str);
                cells.push(Cell::new(text).set_alignment(CellAlignment::Right));
            }
            table.add_row(cells);
        }
        table
    }
}

fn widest(table: &Table) -> usize {
    let lines = table.lines();
    lines.map(|line| line.chars().count()).max().unwrap_or(0)
}

/// One line of the table, and its numbers by metric.
type Row = (Key, BTreeMap<String, String>);

/// What a line of the table is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Key {
    statement: String,
    model: String,
    role: String,
    point: String,
    group: String,
    horizon: String,
    member: String,
}

impl Key {
    fn of(line: &ScoreLine) -> Self {
        Self {
            statement: line.statement.clone(),
            model: line.model.clone(),
            role: line.role.clone(),
            point: line.point.clone(),
            group: line.group.clone().unwrap_or_default(),
            horizon: line.horizon.map_or(String::new(), |h| h.to_string()),
            member: line.member.clone(),
        }
    }

    fn of_any_member(&self) -> Self {
        Self {
            role: String::new(),
            member: String::new(),
            ..self.clone()
        }
    }
}

/// One line for each model at a point: its ensemble, with how many members it is of.
fn main_rows(lines: &[&ScoreLine]) -> Vec<Row> {
    let mut kept: Vec<Row> = Vec::new();
    for (_, own) in by(lines, |line| &line.statement) {
        for (_, at) in by(&own, |line| &line.point) {
            for (_, of_model) in by(&at, |line| &line.model) {
                let mut groups: Vec<&Option<String>> = Vec::new();
                for line in &of_model {
                    if !groups.contains(&&line.group) {
                        groups.push(&line.group);
                    }
                }
                for group in groups {
                    kept.extend(main_row(&having(&of_model, |line| line.group == *group)));
                }
            }
        }
    }
    kept
}

fn main_row(lines: &[&ScoreLine]) -> Option<Row> {
    let singles = having(lines, is_single);
    let members = firsts(&singles, |line| &line.member).len();
    let mut of_ensemble = ensemble(lines);
    if of_ensemble.iter().all(|line| is_single(line)) {
        // The farthest horizon, with what is said of all of them together.
        let merged = rows(lines)
            .into_iter()
            .reduce(|(one, mut values), (other, more)| {
                values.extend(more);
                let key = if one.horizon.is_empty() { other } else { one };
                (key, values)
            });
        return merged;
    }
    // Some metrics have no value for the ensemble.
    of_ensemble.retain(|line| !is_single(line));
    let first = of_ensemble.first()?;
    let mut key = Key::of(first);
    if members > 1 {
        key.member = format!("{} of {members}", key.member);
    }
    key.horizon = { of_ensemble.iter() }
        .find_map(|line| line.horizon)
        .map_or(String::new(), |horizon| horizon.to_string());
    let values = of_ensemble.iter().map(|line| {
        let shown = line.value.map_or("none".to_owned(), significant);
        (line.metric.clone(), shown)
    });
    Some((key, values.collect()))
}

/// All lines; numbered members become one, `min … max`.
fn rows(lines: &[&ScoreLine]) -> Vec<Row> {
    let mut rows: Numbered<BTreeMap<String, String>> = Numbered::new();
    let mut spreads: Numbered<BTreeMap<String, Vec<f64>>> = Numbered::new();
    for line in lines {
        let mut key = Key::of(line);
        if is_single(line) {
            key.member = String::new();
            let spread = entry(&mut spreads, key);
            if let Some(value) = line.value {
                spread.entry(line.metric.clone()).or_default().push(value);
            }
        } else {
            let shown = line.value.map_or("none".to_owned(), significant);
            entry(&mut rows, key).insert(line.metric.clone(), shown);
        }
    }
    let mut rows: Vec<(usize, Row)> = in_order(rows).into_iter().enumerate().collect();
    let mut last: BTreeMap<Key, usize> = BTreeMap::new();
    last.extend(rows.iter().map(|(at, row)| (row.0.of_any_member(), *at)));
    for (mut key, values) in in_order(spreads) {
        let count = values.values().map(Vec::len).max().unwrap_or(0);
        if count == 0 {
            continue;
        }
        // After all other rows of the same model, point, group and horizon.
        let at = *last.entry(key.of_any_member()).or_insert(rows.len());
        key.member = match count {
            1 => "1 member".to_owned(),
            count => format!("{count} members"),
        };
        let shown = values.into_iter().map(|(metric, values)| {
            let least = values.iter().copied().fold(f64::INFINITY, f64::min);
            let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let shown = match least.total_cmp(&most) {
                Ordering::Less => format!("{} … {}", significant(least), significant(most)),
                _ => significant(least),
            };
            (metric, shown)
        });
        rows.push((at, (key, shown.collect())));
    }
    rows.sort_by_key(|(at, _)| *at);
    rows.into_iter().map(|(_, row)| row).collect()
}

/// What there is for each key, with how many keys came before it.
type Numbered<T> = BTreeMap<Key, (usize, T)>;

fn entry<T: Default>(rows: &mut Numbered<T>, key: Key) -> &mut T {
    let next = rows.len();
    &mut rows.entry(key).or_insert_with(|| (next, T::default())).1
}

/// In order of first use.
fn in_order<T>(rows: Numbered<T>) -> Vec<(Key, T)> {
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by_key(|(_, (number, _))| *number);
    let rows = rows.into_iter();
    rows.map(|(key, (_, value))| (key, value)).collect()
}
