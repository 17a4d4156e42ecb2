//! Sweeps: the points a file is evaluated at.
//!
//! `across` takes results at all of them, `form` reads one sweep, `axis` the values of its params, `join` products and zips,
//! `objective` what its points are ranked by, `best` the references to its choice; `export`
//! writes all of it into the experiment.

mod across;
mod axis;
mod best;
mod export;
mod form;
mod join;
mod objective;

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::checker::Checker;
use super::env::Env;
use super::notes::Notes;
use super::params::value_text;
use super::reads::Reads;
use super::scope::{MAIN, SEED};
use crate::ast::{Expr, Name};
use crate::diagnostic::{Code, Diagnostic};
use crate::experiment::Value;
use crate::source::Span;
use crate::sweep::search::Finding;
use crate::sweep::space::Axis;
use crate::sweep::{self, Best};
use crate::types::Kind;

use objective::Goal;

/// What is swept, and where.
pub struct Sweep {
    /// The swept params, in the order first named.
    pub dims: Vec<Dim>,
    /// For each point, which value of each swept param; none is its default.
    /// Without sweeps there is one point.
    pub points: Vec<Vec<Option<u32>>>,
    /// The sweeps of the main file that run on their own.
    pub own: Vec<usize>,
    /// What `--set` sweeps, and the values.
    pub set: Vec<(usize, Vec<Value>)>,
    /// Which value of each swept param is in force; none is the default.
    pub point: Vec<Option<u32>>,
    /// The sweep at whose points alone a list has its results.
    pub across: Option<usize>,
    read: BTreeMap<usize, Reading>,
}

/// A swept param and all values it takes.
pub struct Dim {
    pub param: usize,
    pub name: String,
    pub values: Vec<Value>,
    /// The values as written in the `point` of results.
    pub texts: Vec<String>,
    known: BTreeMap<String, u32>,
}

/// How far a sweep statement is read.
enum Reading {
    Open,
    Done(Option<Rc<Swept>>),
}

/// One sweep up to the points that are known.
#[derive(Clone, Default)]
pub struct Swept {
    /// The swept params, in the order first named.
    dims: Vec<usize>,
    /// Those searched by ratios.
    logs: BTreeSet<usize>,
    points: Vec<Indices>,
    /// How many more there will be at most.
    to_come: usize,
    goal: Option<Goal>,
    /// Several goals, none of which decides alone.
    front: Vec<Goal>,
    /// Which param is the budget, for those that halve.
    over: Option<usize>,
    /// How many standard errors from the best point the chosen one may lie.
    within: Option<f64>,
    /// Whether points follow from the scores of others.
    is_adaptive: bool,
    /// Whether its values depend on a choice that is not made yet.
    is_waiting: bool,
    best: Best,
}

impl Swept {
    /// All that its points are judged by.
    fn goals(&self) -> impl Iterator<Item = &Goal> {
        self.goal.iter().chain(&self.front)
    }
}

/// Which value of which swept param; the others have their default.
type Indices = BTreeMap<usize, u32>;

impl Default for Sweep {
    fn default() -> Self {
        Self {
            dims: Vec::new(),
            points: vec![Vec::new()],
            own: Vec::new(),
            set: Vec::new(),
            point: Vec::new(),
            across: None,
            read: BTreeMap::new(),
        }
    }
}

/// A swept param before another one, and its axis where that is sound.
type EarlierAxis<'a> = (usize, &'a Name, Option<Axis>);

/// How many points one experiment may have.
const MAX_POINTS: usize = 1_000_000;
impl Checker<'_> {
    /// Finds the points of all sweeps of the main file.
    pub fn read_sweeps(&mut self) {
        let program = self.names.program;
        let sweeps = program.statements.iter().enumerate();
        let sweeps = sweeps.filter(|(_, statement)| {
            statement.module == MAIN && statement.keyword.text == Kind::Sweep.keyword()
        });
        let parts = self.parts_of_others();
        self.sweep.own = sweeps
            .map(|(at, _)| at)
            .filter(|at| !parts.contains(at))
            .collect();
        for at in parts {
            self.swept(at);
        }
        let mut points: Vec<Indices> = Vec::new();
        for at in self.sweep.own.clone() {
            if let Some(swept) = self.swept(at) {
                points.extend(swept.points.iter().cloned());
                let value = &program.statements[at].value;
                if self.is_too_large(points.len() as f64, value, Env::file(MAIN)) {
                    points.clear();
                }
            }
        }
        self.warn_of_one_sweep_in_two();
        if self.refuse_set_of_swept().is_some() {
            self.add_set(&mut points);
        }
        if !points.is_empty() {
            let dims = self.sweep.dims.len();
            let points = points.iter().map(|point| full(point, dims));
            let mut known = BTreeSet::new();
            self.sweep.points = points.filter(|point| known.insert(point.clone())).collect();
        }
        for (dim, swept) in self.sweep.dims.iter().enumerate() {
            self.params[swept.param].dim = Some(dim);
        }
        self.forget_all_params();
    }

    /// What a sweep statement says; none when it did not check.
    pub(super) fn swept(&mut self, at: usize) -> Option<Rc<Swept>> {
        let program = self.names.program;
        let statement = &program.statements[at];
        match self.sweep.read.get(&at) {
            Some(Reading::Done(swept)) => return swept.clone(),
            Some(Reading::Open) => {
                let name = &statement.name;
                let message = format!("`{}` is made from itself", name.text);
                let diagnostic = Diagnostic::error(Code::CyclicStatements, name.span, message);
                self.report(Env::file(MAIN), diagnostic);
                return None;
            }
            None => {}
        }
        self.sweep.read.insert(at, Reading::Open);
        let notes = &mut Notes::default();
        self.progress.open.push(at);
        let swept = self.form(
            &statement.value,
            &statement.name.text,
            Env::file(MAIN),
            notes,
        );
        self.progress.open.pop();
        let is_waiting = notes.reads.has_open_choice();
        let swept = swept.map(|swept| {
            let mut swept = swept;
            if is_waiting {
                swept.points.clear();
                swept.is_waiting = true;
            }
            swept.best = self.best_of(&swept, &statement.name.text);
            Rc::new(swept)
        });
        let done = Reading::Done(swept.clone());
        self.sweep.read.insert(at, done);
        swept
    }

    /// The choice of a sweep, if everything it depends on is known. With a budget, only points
    /// on the largest one count.
    fn best_of(&self, swept: &Swept, name: &str) -> Best {
        let Some(goal) = &swept.goal else {
            return Best::Never;
        };
        let groups = self.seed_groups(swept);
        let count = groups.iter().max().map_or(0, |last| last + 1);
        let mut findings = vec![Vec::new(); count];
        for (point, group) in swept.points.iter().zip(&groups) {
            findings[*group].push(self.finding(name, &self.text_of(point), goal));
        }
        let findings: Vec<Finding> = findings
            .into_iter()
            .map(|trials| sweep::mean(trials.into_iter()))
            .collect();
        if swept.is_waiting || swept.to_come > 0 || findings.contains(&Finding::Unknown) {
            return Best::Open;
        }
        let budget = |at: usize| swept.over.and_then(|over| swept.points[at].get(&over));
        let mut scored = (0..swept.points.len()).filter_map(|at| match findings[groups[at]] {
            Finding::Cost(cost) => Some((at, cost)),
            _ => None,
        });
        let best = scored.clone().min_by(|(one, cost), (other, least)| {
            let larger = budget(*other).cmp(&budget(*one));
            larger.then(cost.total_cmp(least))
        });
        let Some((best, least)) = best else {
            return Best::Nothing;
        };
        let Some(errors) = swept.within else {
            return Best::Trial(best);
        };
        let points = swept.points.iter().zip(&groups);
        let alike = points.filter(|(_, group)| **group == groups[best]);
        let error = self.error(name, alike.map(|(point, _)| self.text_of(point)).collect());
        let first = scored.find(|(_, cost)| *cost <= least + errors * error);
        Best::Trial(first.map_or(best, |(at, _)| at))
    }

    /// The standard error of the mean of the scores of points; 0 where one has none.
    fn error(&self, sweep: &str, points: Vec<String>) -> f64 {
        let errors = points.iter().map(|it| self.names.choices.error(sweep, it));
        let squares: Option<f64> = errors.map(|error| Some(error?.powi(2))).sum();
        squares.unwrap_or(0.0).sqrt() / points.len() as f64
    }

    fn finding(&self, sweep: &str, point: &str, goal: &Goal) -> Finding {
        match self.names.choices.get(sweep, point) {
            None => Finding::Unknown,
            Some(None) => Finding::Nothing,
            Some(Some(score)) => Finding::Cost(goal.aim.cost(score)),
        }
    }

    /// For each point, the number of those that differ from it in the seed only.
    fn seed_groups(&self, swept: &Swept) -> Vec<usize> {
        let seed = self.sweep.dims.iter().position(|dim| dim.param == SEED);
        let mut known: BTreeMap<Indices, usize> = BTreeMap::new();
        let points = swept.points.iter().map(|point| {
            let mut point = point.clone();
            if let Some(seed) = seed {
                point.remove(&seed);
            }
            let next = known.len();
            *known.entry(point).or_insert(next)
        });
        points.collect()
    }

    /// What the sweeps that run on their own say, with their statements.
    fn own_sweeps(&self) -> Vec<(usize, Rc<Swept>)> {
        let own = self.sweep.own.iter();
        let read = own.filter_map(|at| match self.sweep.read.get(at) {
            Some(Reading::Done(Some(swept))) => Some((*at, Rc::clone(swept))),
            _ => None,
        });
        read.collect()
    }

    /// Refuses `--set` of what a sweep sets at each of its points.
    fn refuse_set_of_swept(&mut self) -> Option<()> {
        let program = self.names.program;
        let mut sound = Some(());
        for (at, swept) in self.own_sweeps() {
            for dim in &swept.dims {
                let dim = &self.sweep.dims[*dim];
                let is_listed = self.sweep.set.iter().any(|(param, _)| *param == dim.param);
                if !is_listed && !self.params[dim.param].is_set() {
                    continue;
                }
                let sweep = &program.statements[at];
                let name = &dim.name;
                let message = format!("`--set {name}`: `{}` sweeps `{name}`", sweep.name.text);
                let diagnostic = Diagnostic::error(Code::SweepJoin, sweep.value.span, message)
                    .hint("change the values of the sweep in the file");
                self.report(Env::file(MAIN), diagnostic);
                sound = None;
            }
        }
        sound
    }

    /// Warns of two sweeps over the same params: nothing tells their points apart.
    fn warn_of_one_sweep_in_two(&mut self) {
        let program = self.names.program;
        let mut known: BTreeMap<BTreeSet<usize>, usize> = BTreeMap::new();
        for (at, swept) in self.own_sweeps() {
            // The points of one that chooses are its own.
            if swept.goals().next().is_some() {
                continue;
            }
            let dims = swept.dims.iter().copied().collect();
            let Some(first) = known.insert(dims, at) else {
                continue;
            };
            let [first, second] = [first, at].map(|at| &program.statements[at]);
            let message = format!(
                "`{}` sweeps the same params as `{}`: their points are one sweep",
                second.name.text, first.name.text
            );
            let diagnostic = Diagnostic::warning(Code::SweepJoin, second.name.span, message)
                .and(first.name.span, "the other sweep")
                .hint("list all values in one sweep");
            self.report(Env::file(MAIN), diagnostic);
        }
    }

    /// Runs every point at each of the values that `--set` lists.
    fn add_set(&mut self, points: &mut Vec<Indices>) {
        let set = std::mem::take(&mut self.sweep.set);
        if set.is_empty() {
            return;
        }
        let chosen = self.sweep.own.iter().find(|at| {
            let reading = self.sweep.read.get(at);
            matches!(reading, Some(Reading::Done(Some(swept))) if swept.goal.is_some())
        });
        if let Some(at) = chosen {
            let name = &self.names.program.statements[*at].name.text;
            let message = format!("`--set` lists values, but `{name}` chooses among its own");
            let diagnostic = Diagnostic::without_place(Code::SweepJoin, message);
            self.sink
                .report(diagnostic.hint("set one value, or list the values in the file"));
            return;
        }
        if points.is_empty() {
            points.push(Indices::new());
        }
        for (param, values) in &set {
            let Some(dim) = self.dim(*param) else { return };
            let values: Vec<u32> = values
                .iter()
                .map(|value| self.value_index(dim, value))
                .collect();
            *points = points
                .iter()
                .flat_map(|point| {
                    values.iter().map(move |value| {
                        let mut point = point.clone();
                        point.insert(dim, *value);
                        point
                    })
                })
                .collect();
            if points.len() > MAX_POINTS {
                let message = format!(
                    "`--set` makes {} points, more than {MAX_POINTS}",
                    points.len()
                );
                let diagnostic = Diagnostic::without_place(Code::SweepTooLarge, message);
                self.sink.report(diagnostic);
                points.clear();
                return;
            }
        }
        self.sweep.set = set;
    }

    /// Counts the values of points about to be made, each with its place in several lists.
    fn count_points(&mut self, points: usize, dims: usize, span: Span, env: Env) -> Option<()> {
        self.count(points.saturating_mul(2 + 2 * dims), span, env)
    }

    fn is_too_large(&mut self, count: f64, expr: &Expr, env: Env) -> bool {
        let is_too_large = count > MAX_POINTS as f64;
        if is_too_large {
            // A step such as 1e-300 makes more than anyone reads.
            let points = match count < 1e15 {
                true => format!("{count}"),
                false => format!("{count:.0e}"),
            };
            let message = format!("the sweep has {points} points, more than {MAX_POINTS}");
            let diagnostic = Diagnostic::error(Code::SweepTooLarge, expr.span, message);
            self.report(env, diagnostic.hint("sweep fewer values at once"));
        }
        is_too_large
    }

    /// Which swept param a param is; none when there are too many.
    fn dim(&mut self, param: usize) -> Option<usize> {
        let dims = &mut self.sweep.dims;
        if let Some(at) = dims.iter().position(|dim| dim.param == param) {
            return Some(at);
        }
        if dims.len() == Reads::MAX_PARAMS {
            return None;
        }
        let declared = &self.names.program.params[param];
        dims.push(Dim {
            param,
            name: self
                .names
                .program
                .full_name(declared.module, &declared.name),
            values: Vec::new(),
            texts: Vec::new(),
            known: BTreeMap::new(),
        });
        Some(dims.len() - 1)
    }

    /// Which value of a swept param a value is.
    fn value_index(&mut self, dim: usize, value: &Value) -> u32 {
        let text = self.value_text(dim, value);
        let dim = &mut self.sweep.dims[dim];
        let next = dim.values.len() as u32;
        let index = *dim.known.entry(text.clone()).or_insert(next);
        if index == next {
            dim.values.push(value.clone());
            dim.texts.push(text);
        }
        index
    }

    fn value_text(&self, dim: usize, value: &Value) -> String {
        match &self.params[self.sweep.dims[dim].param].ty {
            Some(ty) => value_text(value, ty),
            None => value.to_string(),
        }
    }

    /// All settings of a point, as results name it: `degree=1,width=8`.
    fn text_of(&self, point: &Indices) -> String {
        let settings = point.iter().filter_map(|(dim, value)| {
            let dim = self.sweep.dims.get(*dim)?;
            Some(format!("{}={}", dim.name, dim.texts.get(*value as usize)?))
        });
        settings.collect::<Vec<_>>().join(",")
    }

    /// The swept params that were read, as results name the point.
    pub fn point_text(&self, reads: Reads) -> String {
        let values = self.sweep.point.iter().enumerate();
        let read = values.filter(|(dim, _)| reads.has_param(*dim));
        self.text_of(
            &read
                .filter_map(|(dim, value)| Some((dim, (*value)?)))
                .collect(),
        )
    }
}

/// A point with a place for every swept param.
fn full(point: &Indices, dims: usize) -> Vec<Option<u32>> {
    (0..dims).map(|dim| point.get(&dim).copied()).collect()
}
