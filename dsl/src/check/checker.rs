//! The state of checking, and the loop over statements and sweep points.

use std::collections::BTreeSet;

use super::env::Env;
use super::extent::Extent;
use super::known::Columns;
use super::lookup::Lookup;
use super::memo::Memo;
use super::notes::Notes;
use super::params::ParamState;
use super::progress::{Calls, Point, Progress};
use super::scope::MAIN;
use super::sink::Sink;
use super::sweep::Sweep;
use super::value::Expected;
use crate::diagnostic::{Code, Diagnostic};
use crate::experiment::{Experiment, NodeId, Value};
use crate::foreign;
use crate::nearest::quoted;
use crate::types::{Kind, Type};

/// Everything known so far.
///
/// Evaluation is by need and remembered: a statement is evaluated once for each
/// combination of values of the swept params it reads, so points share what they can.
pub struct Checker<'p> {
    pub names: Lookup<'p>,
    pub sink: Sink,
    pub params: Vec<ParamState>,
    pub sweep: Sweep,
    pub calls: Calls,
    pub progress: Progress,
    pub memo: Memo<'p>,
    pub limits: Limits,
}

/// How much of what is bounded was used.
#[derive(Default)]
pub struct Limits {
    /// How deep the expression at hand is.
    pub depth: usize,
    /// How much was made.
    pub extent: Extent,
}

impl<'p> Checker<'p> {
    pub fn new(names: Lookup<'p>, diagnostics: Vec<Diagnostic>) -> Self {
        let mut checker = Self {
            names,
            sink: Sink::new(diagnostics),
            params: Vec::new(),
            sweep: Sweep::default(),
            calls: Calls::default(),
            progress: Progress::new(names.program.statements.len()),
            memo: Memo::default(),
            limits: Limits::default(),
        };
        checker.declare_params();
        checker
    }

    /// What `inside` returns, and the diagnostics it found, which are not reported.
    pub fn quietly<R>(&mut self, inside: impl FnOnce(&mut Self) -> R) -> (R, Vec<Diagnostic>) {
        let before = self.sink.count();
        let result = inside(self);
        (result, self.sink.take_after(before))
    }

    /// Evaluates every statement of the main file at every point, reports last.
    pub fn run(&mut self) {
        self.validate_params();
        self.read_sweeps();
        let of_kind =
            |at: &usize| Kind::from_keyword(&self.names.program.statements[*at].keyword.text);
        let (reports, others): (Vec<usize>, Vec<usize>) = self
            .names
            .program
            .main_statements()
            .into_iter()
            .filter(|at| of_kind(at) != Some(Kind::Sweep))
            .partition(|at| of_kind(at) == Some(Kind::Report));
        // At each point all of them are looked at.
        let looks = 1 + (self.params.len() + others.len()) / 8;
        let sweep = self
            .sweep
            .own
            .first()
            .map(|at| &self.names.program.statements[*at]);
        let sweep = sweep.map(|sweep| sweep.value.span).unwrap_or_default();
        for at in 0..self.sweep.points.len() {
            self.enter(Some(at));
            if at > 0 && self.count(looks, sweep, Env::file(MAIN)).is_none() {
                break;
            }
            for statement in &others {
                if at == 0 || self.progress.reads(*statement).is_swept() {
                    self.statement(*statement, &mut Notes::default());
                }
            }
            if at == 0 {
                self.calls.at_first_point = self.calls.nodes.len();
            }
            if self.sink.is_full() {
                break;
            }
        }
        self.enter(None);
        for report in reports {
            self.statement(report, &mut Notes::default());
        }
        self.validate_objectives();
        self.warn();
    }

    pub fn finish(mut self) -> (Experiment, Vec<Diagnostic>) {
        let waiting = self.export_waiting();
        let mut sweeps = self.export_sweeps();
        let places = self.drop_waiting();
        let place = |node: &NodeId| places.get(node.0).copied().flatten();
        for trial in sweeps.iter_mut().flat_map(|sweep| &mut sweep.trials) {
            trial.objectives = trial.objectives.iter().filter_map(place).collect();
            trial.scores = trial.scores.iter().filter_map(place).collect();
        }
        let experiment = Experiment {
            title: self.names.program.title.clone(),
            metadata: self.names.program.metadata.clone(),
            params: self.effective_params(),
            nodes: self.calls.nodes,
            sweeps,
            plugins: Vec::new(),
            waiting,
        };
        (experiment, self.sink.finish())
    }

    /// Makes a point of the sweeps the one in force; none is the defaults.
    pub fn enter(&mut self, at: Option<usize>) {
        let point = match at.and_then(|at| self.sweep.points.get(at)) {
            Some(point) => point.clone(),
            None => vec![None; self.sweep.dims.len()],
        };
        self.enter_point(point);
    }

    /// Makes this point the one in force.
    pub fn enter_point(&mut self, point: Point) {
        self.sweep.point = point;
        self.forget_swept_params();
    }

    /// What a statement makes at the point in force; none when it did not check.
    pub fn statement(&mut self, at: usize, notes: &mut Notes) -> Option<NodeId> {
        self.progress.refer(at);
        if let Some(made) = self.progress.made(at, &self.sweep.point) {
            notes.reads |= self.progress.reads(at);
            return made;
        }
        if let Some(start) = self.progress.open.iter().position(|open| *open == at) {
            self.refuse_cycle(start);
            return None;
        }
        let mut own = Notes::default();
        self.progress.open.push(at);
        let made = self.apart(|checker| checker.elaborate(at, &mut own));
        self.progress.open.pop();
        notes.reads |= own.reads;
        self.progress.note(at, &self.sweep.point, own.reads, made);
        made
    }

    fn elaborate(&mut self, at: usize, notes: &mut Notes) -> Option<NodeId> {
        let program = self.names.program;
        let statement = &program.statements[at];
        let env = Env::file(statement.module);
        let word = &statement.keyword;
        let Some(kind) = Kind::from_keyword(&word.text) else {
            let keywords = Kind::ALL.map(Kind::keyword);
            let message = format!("unknown kind `{}`", word.text);
            let diagnostic = Diagnostic::error(Code::UnknownKind, word.span, message)
                .meant(&word.text, keywords);
            let diagnostic = match foreign::data_type(&word.text) {
                Some(_) => diagnostic.hint(foreign::A_PARAM),
                None => match foreign::kind(&word.text) {
                    Some(hint) => diagnostic.hint(hint),
                    None => diagnostic,
                },
            };
            let diagnostic = diagnostic.choices("kinds", keywords);
            self.report(env, diagnostic);
            return None;
        };
        let name = program.full_name(statement.module, &statement.name);
        let want = Expected {
            ty: &Type::Kind(kind),
            columns: &Columns::Free,
            coordinates: None,
            texts: false,
            name: &name,
            statement: true,
            gather: kind == Kind::Report,
        };
        let value = self.value(&statement.value, env, want, notes);
        if kind == Kind::Report && notes.reads.is_swept() {
            let message = "a report is made once, but this one reads a swept param";
            let diagnostic = Diagnostic::error(Code::NotConstant, statement.value.span, message)
                .hint("a report lists its scores at every point; its other arguments must not depend on a sweep");
            let swept = value.as_ref().map(|value| self.swept_among(value));
            let diagnostic = match swept.filter(|swept| !swept.is_empty()) {
                Some(swept) => diagnostic.hint(format!(
                    "what depends on it: {swept}; made with `best(sweep).param`, it is that of the chosen point"
                )),
                None => diagnostic,
            };
            self.report(env, diagnostic);
            return None;
        }
        match value? {
            Value::Node(node) => Some(node),
            _ => None,
        }
    }

    /// The statements among the arguments of a report that differ between the points of a sweep; its scores may.
    fn swept_among(&self, report: &Value) -> String {
        let args = report
            .nodes()
            .into_iter()
            .flat_map(|node| self.calls.nodes[node.0].args.values());
        let nodes = args.flat_map(|argument| argument.value.nodes());
        let swept = nodes.filter(|node| {
            self.calls.facts[node.0].reads.is_swept()
                && self.calls.nodes[node.0].kind != Kind::Score
        });
        let names: BTreeSet<&str> = swept
            .map(|node| self.calls.nodes[node.0].name.as_str())
            .collect();
        quoted(names)
    }

    fn refuse_cycle(&mut self, start: usize) {
        let statements = &self.names.program.statements;
        let mut cycle = self.progress.open[start..].to_vec();
        let first = (0..cycle.len()).min_by_key(|at| statements[cycle[*at]].name.span);
        cycle.rotate_left(first.unwrap_or_default());
        let mut cycle = cycle.iter().map(|at| &statements[*at].name);
        let Some(first) = cycle.next() else { return };
        let message = format!("`{}` is made from itself", first.text);
        let mut diagnostic = Diagnostic::error(Code::CyclicStatements, first.span, message);
        for name in cycle {
            diagnostic = diagnostic.and(name.span, format!("through `{}`", name.text));
        }
        self.report(Env::file(MAIN), diagnostic);
    }
}
