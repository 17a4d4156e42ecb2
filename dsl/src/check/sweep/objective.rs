//! What points are ranked by: `minimise: score.metric`, and what must be said against it.

use std::collections::BTreeSet;

use super::super::checker::Checker;
use super::super::env::{Env, Resolved};
use super::super::scope::{Entity, MAIN};
use super::form::SweepArgs;
use crate::ast::{Expr, ExprKind, Name};
use crate::diagnostic::{Code, Diagnostic};
use crate::experiment::{NodeId, Value};
use crate::source::Span;
use crate::sweep::Aim;
use crate::types::Kind;

/// What points are ranked by, with the places in the text.
#[derive(Clone, Debug)]
pub struct Goal {
    pub statement: usize,
    pub metric: Name,
    pub member: Option<Name>,
    pub aim: Aim,
    pub span: Span,
}

const USAGE: &str = "write a score statement and its metric: `minimise: skill.rmse`";

impl Checker<'_> {
    /// Notes `minimise: skill.rmse`, also with a member after it: `skill.rmse.median`.
    pub(super) fn add_goal(
        &mut self,
        name: &Name,
        value: &Expr,
        env: Env,
        args: &mut SweepArgs,
    ) -> Option<()> {
        if let Some(first) = &args.goal {
            let message = "a sweep is ranked by one score";
            let diagnostic = Diagnostic::error(Code::SweepObjective, name.span, message)
                .and(first.span, "first here");
            self.report(env, diagnostic);
            return None;
        }
        let program = self.names.program;
        let ExprKind::Name(path) = &value.kind else {
            return self.no_score(value, env);
        };
        let is_statement = |count: &usize| {
            matches!(
                program.resolve(MAIN, &path[..*count]),
                Ok(Entity::Statement(_))
            )
        };
        let Some(count) = (1..=path.len()).find(is_statement) else {
            return match program.resolve(MAIN, &path[..1]) {
                Err(_) => {
                    let scores = program.statements.iter().filter(|statement| {
                        statement.module == MAIN && statement.keyword.text == Kind::Score.keyword()
                    });
                    let scores: Vec<&str> = scores.map(|score| score.name.text.as_str()).collect();
                    let message = format!("unknown name `{}`", path[0].text);
                    let diagnostic = Diagnostic::error(Code::UnknownName, path[0].span, message)
                        .meant(&path[0].text, scores.iter().copied())
                        .choices("scores", scores.iter().copied());
                    self.unknown(env, diagnostic);
                    None
                }
                Ok(_) => self.no_score(value, env),
            };
        };
        let Ok(Entity::Statement(statement)) = program.resolve(MAIN, &path[..count]) else {
            return None;
        };
        let found = Resolved::Entity(Entity::Statement(statement));
        self.names.trace_name(&path[..count], &found);
        let is_score = program.statements[statement].keyword.text == Kind::Score.keyword();
        let (metric, member) = match &path[count..] {
            [metric] if is_score => (metric, None),
            [metric, member] if is_score => (metric, Some(member)),
            _ => return self.no_score(value, env),
        };
        args.goal = Some(Goal {
            statement,
            metric: metric.clone(),
            member: member.cloned(),
            aim: match name.text.as_str() {
                "maximise" => Aim::Maximise,
                _ => Aim::Minimise,
            },
            span: value.span,
        });
        Some(())
    }

    fn no_score<R>(&mut self, value: &Expr, env: Env) -> Option<R> {
        let found = match &value.kind {
            ExprKind::Name(path) => self.describe(
                &Expr {
                    kind: ExprKind::Name(path[..1].to_vec()),
                    span: value.span,
                },
                env,
            ),
            _ => self.describe(value, env),
        };
        let message = format!("expected a score and one of its metrics, found {found}");
        let diagnostic = Diagnostic::error(Code::SweepObjective, value.span, message);
        self.report(env, diagnostic.hint(USAGE));
        None
    }

    /// Looks at every objective once the statements are made: whether its score has the metric
    /// and does not depend on what it chooses.
    pub fn validate_objectives(&mut self) {
        for at in self.sweep.own.clone() {
            let swept = self.swept(at);
            let Some(goal) = swept.as_ref().and_then(|swept| swept.goal.as_ref()) else {
                continue;
            };
            if self.reaches(goal.statement, at) {
                let name = &self.names.program.statements[at].name.text;
                let score = &self.names.program.statements[goal.statement].name.text;
                let message =
                    format!("`{name}` is chosen by `{score}`, which is made from its choice");
                let diagnostic = Diagnostic::error(Code::CyclicStatements, goal.span, message);
                self.report(Env::file(MAIN), diagnostic);
            }
            if let Some(node) = self.goal_node(goal) {
                self.validate_metric(goal, node);
            }
        }
    }

    /// The call of the objective's score at the first point.
    fn goal_node(&self, goal: &Goal) -> Option<NodeId> {
        let name = &self.names.program.statements[goal.statement].name;
        let named = self
            .calls
            .nodes
            .iter()
            .position(|node| node.named && node.kind == Kind::Score && node.name == name.text);
        named.map(NodeId)
    }

    fn validate_metric(&mut self, goal: &Goal, node: NodeId) {
        let metrics = self.calls.nodes[node.0].args.get("metrics");
        let Some(Value::List(metrics)) = metrics.map(|argument| &argument.value) else {
            return;
        };
        let metrics: Vec<String> = metrics
            .iter()
            .filter_map(|metric| match metric {
                Value::Text(word) => Some(word.clone()),
                _ => None,
            })
            .collect();
        let metric = &goal.metric.text;
        if metrics.is_empty() || metrics.contains(metric) {
            return;
        }
        let score = &self.names.program.statements[goal.statement].name.text;
        let message = format!("`{score}` does not measure `{metric}`");
        let metrics = metrics.iter().map(String::as_str);
        let diagnostic = Diagnostic::error(Code::UnknownChoice, goal.metric.span, message)
            .meant(metric, metrics.clone())
            .choices("metrics", metrics);
        self.report(Env::file(MAIN), diagnostic);
    }

    /// Whether a statement is made from another, through arguments and choices.
    fn reaches(&mut self, from: usize, to: usize) -> bool {
        let mut seen = BTreeSet::new();
        let mut open = vec![from];
        while let Some(at) = open.pop() {
            if at == to {
                return true;
            }
            if seen.insert(at) {
                open.extend(self.progress.edges[at].clone());
                let is_sweep = self.sweep.own.contains(&at);
                let swept = is_sweep.then(|| self.swept(at)).flatten();
                open.extend(swept.and_then(|swept| Some(swept.goal.as_ref()?.statement)));
            }
        }
        false
    }

    /// Warnings of objectives that see the truth they are to be judged by: rows that no parent
    /// was trained on.
    pub fn outer_objectives(&mut self) -> Vec<Diagnostic> {
        let mut warnings = Vec::new();
        for at in self.sweep.own.clone() {
            let swept = self.swept(at);
            let Some(goal) = swept.as_ref().and_then(|swept| swept.goal.as_ref()) else {
                continue;
            };
            let Some(data) = self.goal_node(goal).and_then(|node| self.outer_truth(node)) else {
                continue;
            };
            let (data, name) = (&self.calls.nodes[data.0], &goal.metric.text);
            let score = &self.names.program.statements[goal.statement].name.text;
            let message = format!(
                "`{score}.{name}` is measured on `{}`, which no parent was trained on: the choice sees the truth it may be judged by",
                data.name
            );
            let warning = Diagnostic::warning(Code::OuterObjective, goal.span, message)
                .and(data.span, "these rows")
                .hint("rank the points by a score inside the training data");
            warnings.push(warning);
        }
        warnings
    }

    /// Data with the truth that a score reads and its parents were not trained on.
    fn outer_truth(&self, score: NodeId) -> Option<NodeId> {
        let all = self.ancestors(vec![score]);
        let is = |kind: Kind| {
            let all = all.iter().copied();
            all.filter(move |id| self.calls.nodes[id.0].kind == kind)
        };
        let training = self.ancestors(is(Kind::Parent).collect());
        for score in is(Kind::Score) {
            let node = &self.calls.nodes[score.0];
            let Some(signature) = self.names.catalog.get(&node.plugin) else {
                continue;
            };
            for param in signature.params.iter().filter(|param| param.truth) {
                let argument = node.args.get(&param.name);
                let data = argument.map_or(Vec::new(), |argument| argument.value.nodes());
                if let Some(outer) = data.into_iter().find(|data| !training.contains(data)) {
                    return Some(outer);
                }
            }
        }
        None
    }

    fn ancestors(&self, mut open: Vec<NodeId>) -> BTreeSet<NodeId> {
        let mut all = BTreeSet::new();
        while let Some(id) = open.pop() {
            if all.insert(id) {
                let args = self.calls.nodes[id.0].args.values();
                open.extend(args.flat_map(|argument| argument.value.nodes()));
            }
        }
        all
    }
}
