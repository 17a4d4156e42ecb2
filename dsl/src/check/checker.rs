//! The state of checking, and the loop over statements and sweep points.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use super::Outside;
use super::bounds::Bounds;
use super::env::Env;
use super::inferred::{Columns, Inferred};
use super::params::ParamState;
use super::reads::Reads;
use super::scope::{MAIN, Program};
use super::sink::Sink;
use super::sweep::Sweep;
use super::value::Expected;
use crate::ast::Expr;
use crate::diagnostic::{Code, Diagnostic};
use crate::experiment::{Experiment, Node, NodeId, Value};
use crate::signature::Catalog;
use crate::source::Span;
use crate::sweep::Choices;
use crate::types::{Kind, Schema, Type};

/// An expression that comes from no file, with what follows it after `in`.
pub type Snippet = Rc<(Expr, Option<Expr>)>;

/// Everything known so far.
///
/// Evaluation is by need and remembered: a statement is evaluated once for each
/// combination of values of the swept params it reads, so points share what they can.
pub struct Checker<'p> {
    pub program: &'p Program,
    pub catalog: &'p Catalog,
    pub outside: &'p dyn Outside,
    pub choices: &'p Choices,
    pub sink: Sink,
    pub nodes: Vec<Node>,
    pub facts: Vec<Inferred>,
    pub params: Vec<ParamState>,
    pub sweep: Sweep,
    /// Which value of each swept param is in force; none is the default.
    pub point: Vec<Option<u32>>,
    /// The swept params and choices read since it was last cleared.
    pub reads: Reads,
    /// The columns named since the start of the argument at hand.
    pub seen: Vec<(String, Span)>,
    pub depth: usize,
    pub expansions: usize,
    pub snippets: BTreeMap<String, Option<Snippet>>,
    /// The defaults of parameters of plugins, once evaluated; only looked up.
    pub defaults: HashMap<(&'p str, &'p str), Value>,
    /// The ranges of parameters of plugins, once evaluated; only looked up.
    pub ranges: HashMap<(&'p str, &'p str), Option<Bounds>>,
    pub schemas: BTreeMap<String, Rc<Schema>>,
    /// Calls inside statements, to be shared between points.
    pub shared: BTreeMap<String, NodeId>,
    /// Whether lists take what they name at every point of the sweep, as reports do.
    pub gathering: bool,
    /// The statements each statement refers to.
    pub edges: Vec<BTreeSet<usize>>,
    /// How many nodes there were after the first point.
    pub first_nodes: usize,
    statements: Vec<StatementState>,
    /// The statements being evaluated, outermost first.
    pub open: Vec<usize>,
}

#[derive(Clone, Default)]
struct StatementState {
    reads: Reads,
    /// Only looked up, never listed.
    results: HashMap<Vec<Option<u32>>, Option<NodeId>>,
}

impl<'p> Checker<'p> {
    pub fn new(
        program: &'p Program,
        catalog: &'p Catalog,
        outside: &'p dyn Outside,
        choices: &'p Choices,
        diagnostics: Vec<Diagnostic>,
    ) -> Self {
        let count = program.statements.len();
        let mut checker = Self {
            program,
            catalog,
            outside,
            choices,
            sink: Sink::new(diagnostics),
            nodes: Vec::with_capacity(count),
            facts: Vec::with_capacity(count),
            params: Vec::new(),
            sweep: Sweep::default(),
            point: Vec::new(),
            reads: Reads::default(),
            seen: Vec::new(),
            depth: 0,
            expansions: 0,
            snippets: BTreeMap::new(),
            defaults: HashMap::new(),
            ranges: HashMap::new(),
            schemas: BTreeMap::new(),
            shared: BTreeMap::new(),
            gathering: false,
            edges: vec![BTreeSet::new(); count],
            first_nodes: 0,
            statements: vec![StatementState::default(); count],
            open: Vec::new(),
        };
        checker.declare_params();
        checker
    }

    /// Evaluates every statement of the main file at every point, reports last.
    pub fn run(&mut self) {
        self.validate_params();
        self.read_sweeps();
        let of_kind = |at: &usize| Kind::from_keyword(&self.program.statements[*at].keyword.text);
        let (reports, others): (Vec<usize>, Vec<usize>) = self
            .program
            .main_statements()
            .into_iter()
            .filter(|at| of_kind(at) != Some(Kind::Sweep))
            .partition(|at| of_kind(at) == Some(Kind::Report));
        for at in 0..self.sweep.points.len() {
            self.enter(Some(at));
            for statement in &others {
                if at == 0 || self.statements[*statement].reads.is_swept() {
                    self.statement(*statement);
                }
            }
            if at == 0 {
                self.first_nodes = self.nodes.len();
            }
            if self.sink.is_full() {
                break;
            }
        }
        self.enter(None);
        for report in reports {
            self.statement(report);
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
            trial.objective = trial.objective.as_ref().and_then(place);
            trial.scores = trial.scores.iter().filter_map(place).collect();
        }
        let experiment = Experiment {
            title: self.program.title.clone(),
            params: self.effective_params(),
            nodes: self.nodes,
            sweeps,
            waiting,
        };
        (experiment, self.sink.finish())
    }

    /// Makes a point of the sweeps the one in force; none is the defaults.
    pub fn enter(&mut self, at: Option<usize>) {
        self.point = match at.and_then(|at| self.sweep.points.get(at)) {
            Some(point) => point.clone(),
            None => vec![None; self.sweep.dims.len()],
        };
        self.forget_swept_params();
    }

    /// What a statement was found to read.
    pub fn reads_of(&self, at: usize) -> Reads {
        self.statements[at].reads
    }

    /// What a statement has made at a point.
    pub fn made_at(&mut self, point: Vec<Option<u32>>, at: usize) -> Option<NodeId> {
        let before = std::mem::replace(&mut self.point, point);
        let state = &self.statements[at];
        let made = state.results.get(&self.key(state.reads)).copied().flatten();
        self.point = before;
        made
    }

    /// The part of the point that these reads depend on.
    pub fn key(&self, reads: Reads) -> Vec<Option<u32>> {
        let dims = self.point.iter().enumerate();
        dims.filter(|(dim, _)| reads.has_param(*dim))
            .map(|(_, value)| *value)
            .collect()
    }

    /// What a statement makes at the point in force; none when it did not check.
    pub fn statement(&mut self, at: usize) -> Option<NodeId> {
        if let Some(user) = self.open.last() {
            self.edges[*user].insert(at);
        }
        let state = &self.statements[at];
        if let Some(result) = state.results.get(&self.key(state.reads)) {
            self.reads |= state.reads;
            return *result;
        }
        if let Some(start) = self.open.iter().position(|open| *open == at) {
            self.refuse_cycle(start);
            return None;
        }
        let outer = std::mem::take(&mut self.reads);
        let seen = std::mem::take(&mut self.seen);
        let gathering = std::mem::take(&mut self.gathering);
        self.open.push(at);
        let result = self.elaborate(at);
        self.open.pop();
        self.gathering = gathering;
        self.seen = seen;
        let reads = self.reads;
        self.reads |= outer;
        let key = self.key(reads);
        let state = &mut self.statements[at];
        if state.reads != reads {
            state.reads = reads;
            state.results.clear();
        }
        state.results.insert(key, result);
        result
    }

    fn elaborate(&mut self, at: usize) -> Option<NodeId> {
        let program = self.program;
        let statement = &program.statements[at];
        let env = Env::file(statement.module);
        let word = &statement.keyword;
        let Some(kind) = Kind::from_keyword(&word.text) else {
            let keywords = Kind::ALL.map(Kind::keyword);
            let message = format!("unknown kind `{}`", word.text);
            let diagnostic = Diagnostic::error(Code::UnknownKind, word.span, message)
                .meant(&word.text, keywords)
                .choices("kinds", keywords);
            self.report(env, diagnostic);
            return None;
        };
        self.gathering = kind == Kind::Report;
        let name = program.full_name(statement.module, &statement.name);
        let want = Expected {
            ty: &Type::Kind(kind),
            columns: &Columns::Free,
            name: &name,
            statement: true,
        };
        let value = self.value(&statement.value, env, want);
        if kind == Kind::Report && self.reads.is_swept() {
            let message = "a report is made once, but this one reads a swept param";
            let diagnostic = Diagnostic::error(Code::NotConstant, statement.value.span, message)
                .hint("a report lists its scores at every point; its other arguments must not depend on a sweep");
            self.report(env, diagnostic);
            return None;
        }
        match value? {
            Value::Node(node) => Some(node),
            _ => None,
        }
    }

    /// What an expression makes at every point of the sweeps, each once.
    pub fn at_every_point(&mut self, expr: &Expr, env: Env, want: Expected) -> Vec<Option<Value>> {
        let outer = self.reads;
        self.gathering = false;
        let mut reads = Reads::default();
        let mut done = BTreeSet::new();
        let mut values = Vec::new();
        for at in 0..self.sweep.points.len() {
            self.enter(Some(at));
            if done.contains(&self.key(reads)) {
                continue;
            }
            self.reads = Reads::default();
            let value = self.value(expr, env, want);
            reads |= self.reads;
            done.insert(self.key(reads));
            let broken = value.is_none();
            values.push(value);
            if broken || !reads.is_swept() {
                break;
            }
        }
        self.enter(None);
        self.gathering = true;
        self.reads = outer | reads.choices();
        values
    }

    fn refuse_cycle(&mut self, start: usize) {
        let statements = &self.program.statements;
        let mut cycle = self.open[start..].to_vec();
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
