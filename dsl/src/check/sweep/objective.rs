//! What points are ranked by: `minimise: score.metric`, and what must be said against it.

use std::collections::BTreeSet;

use super::super::checker::Checker;
use super::super::env::{Env, Resolved};
use super::super::scope::{Entity, MAIN};
use super::form::{Form, SweepArgs};
use crate::ast::{Expr, ExprKind, Name};
use crate::diagnostic::{Code, Diagnostic};
use crate::experiment::{NodeId, Value};
use crate::source::Span;
use crate::sweep::Aim;
use crate::types::Kind;

/// What points are ranked by, with the places in the text.
#[derive(Clone, Debug)]
pub struct Goal {
    /// The score; none for what a point costs.
    pub statement: Option<usize>,
    pub metric: Name,
    pub member: Option<Name>,
    pub aim: Aim,
    pub span: Span,
}

const USAGE: &str = "write a score statement and its metric: `minimise: skill.rmse`";

impl Checker<'_> {
    /// Notes `minimise: skill.rmse`, also with a member after it: `skill.rmse.median`.
    ///
    /// A list makes a front instead of a choice, and so do `minimise:` and `maximise:` together.
    pub(super) fn add_goal(
        &mut self,
        form: Form,
        name: &Name,
        value: &Expr,
        env: Env,
        args: &mut SweepArgs,
    ) -> Option<()> {
        let values = match &value.kind {
            ExprKind::List(values) if !values.is_empty() => values.as_slice(),
            _ => std::slice::from_ref(value),
        };
        let mut goals: Vec<Goal> = args.front.drain(..).chain(args.goal.take()).collect();
        for value in values {
            let goal = self.goal(name, value, env)?;
            let same = |known: &&Goal| {
                let place = |goal: &Goal| {
                    let member = goal.member.as_ref().map(|member| member.text.clone());
                    (goal.statement, goal.metric.text.clone(), member)
                };
                place(known) == place(&goal)
            };
            if let Some(first) = goals.iter().find(same) {
                let message = "a score is named twice";
                let diagnostic = Diagnostic::error(Code::SweepObjective, value.span, message)
                    .and(first.span, "first here");
                self.report(env, diagnostic);
                return None;
            }
            goals.push(goal);
        }
        let is_searched = matches!(form, Form::Tpe | Form::Halving);
        match (goals.len(), &goals[0]) {
            (
                1,
                Goal {
                    statement: Some(_), ..
                },
            ) => args.goal = goals.pop(),
            (1, _) => {
                let message = "a sweep is not chosen by what it costs alone";
                let diagnostic = Diagnostic::error(Code::SweepObjective, value.span, message)
                    .hint("name a score, too: `minimise: [inside.rmse, cost.seconds]`");
                self.report(env, diagnostic);
                return None;
            }
            (_, first) if is_searched => {
                let message = format!("`{}` is ranked by one score", form.word());
                let diagnostic = Diagnostic::error(Code::SweepObjective, value.span, message)
                    .and(first.span, "first here")
                    .hint("`grid`, `random` and `latin` take several");
                self.report(env, diagnostic);
                return None;
            }
            _ => args.front = goals,
        }
        Some(())
    }

    fn goal(&mut self, name: &Name, value: &Expr, env: Env) -> Option<Goal> {
        let aim = match name.text.as_str() {
            "maximise" => Aim::Maximise,
            _ => Aim::Minimise,
        };
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
            if let [cost, metric] = &path[..]
                && cost.text == "cost"
                && program.resolve(MAIN, &path[..1]).is_err()
            {
                if metric.text != "seconds" {
                    let message = format!("a point has no cost in `{}`", metric.text);
                    let diagnostic = Diagnostic::error(Code::UnknownChoice, metric.span, message)
                        .choices("costs", ["seconds"]);
                    self.report(env, diagnostic);
                    return None;
                }
                return Some(Goal {
                    statement: None,
                    metric: metric.clone(),
                    member: None,
                    aim,
                    span: value.span,
                });
            }
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
        Some(Goal {
            statement: Some(statement),
            metric: metric.clone(),
            member: member.cloned(),
            aim,
            span: value.span,
        })
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
            let Some(swept) = self.swept(at) else {
                continue;
            };
            for goal in swept.goals() {
                let Some(statement) = goal.statement else {
                    continue;
                };
                if self.reaches(statement, at) {
                    let name = &self.names.program.statements[at].name.text;
                    let score = &self.names.program.statements[statement].name.text;
                    let message =
                        format!("`{name}` is chosen by `{score}`, which is made from its choice");
                    let diagnostic = Diagnostic::error(Code::CyclicStatements, goal.span, message);
                    self.report(Env::file(MAIN), diagnostic);
                }
                if let Some(node) = self.goal_node(goal) {
                    self.validate_metric(goal, node);
                    self.validate_member(goal, node);
                }
            }
        }
    }

    /// The call of the objective's score at the first point.
    fn goal_node(&self, goal: &Goal) -> Option<NodeId> {
        let name = &self.names.program.statements[goal.statement?].name;
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
        let score = &self.calls.nodes[node.0].name;
        let message = format!("`{score}` does not measure `{metric}`");
        let metrics = metrics.iter().map(String::as_str);
        let diagnostic = Diagnostic::error(Code::UnknownChoice, goal.metric.span, message)
            .meant(metric, metrics.clone())
            .choices("metrics", metrics);
        self.report(Env::file(MAIN), diagnostic);
    }

    /// Refuses what is not a member of the models that a score measures.
    fn validate_member(&mut self, goal: &Goal, node: NodeId) {
        const ENSEMBLES: [&str; 2] = ["mean", "median"];
        let Some(member) = &goal.member else { return };
        if ENSEMBLES.contains(&&*member.text) {
            return;
        }
        let args = self.calls.nodes[node.0].args.values();
        let inputs = args.flat_map(|argument| argument.value.nodes());
        let members = inputs.filter_map(|input| self.calls.facts[input.0].members);
        let most = members.map(|(count, _)| count).max().unwrap_or(1);
        let score = &self.calls.nodes[node.0].name;
        let is_number = member.text.bytes().all(|byte| byte.is_ascii_digit());
        let diagnostic = match member.text.parse::<u32>() {
            Ok(number) if is_number && number < most => {
                // Lines of scores have members without zeros before them.
                if number.to_string() == member.text {
                    return;
                }
                let message = format!("expected member `{number}`, found `{}`", member.text);
                Diagnostic::error(Code::UnknownChoice, member.span, message)
            }
            _ if is_number => {
                let message = format!("there is no member {} in `{score}`", member.text);
                Diagnostic::error(Code::UnknownChoice, member.span, message)
                    .hint(format!("members: 0..={}", most - 1))
            }
            _ => {
                let message = format!("`{score}` has no member `{}`", member.text);
                Diagnostic::error(Code::UnknownChoice, member.span, message)
                    .meant(&member.text, ENSEMBLES)
                    .choices("members", ENSEMBLES)
                    .hint("a member alone is its number in backticks: `` `0` ``")
            }
        };
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
                open.extend(swept.and_then(|swept| swept.goal.as_ref()?.statement));
            }
        }
        false
    }

    /// Warnings of objectives that see the only truth the choice is judged by: rows that no parent
    /// was trained on, while no other score is on further such rows.
    pub fn outer_objectives(&mut self) -> Vec<Diagnostic> {
        let mut warnings = Vec::new();
        for at in self.sweep.own.clone() {
            let swept = self.swept(at);
            let Some(goal) = swept.as_ref().and_then(|swept| swept.goal.as_ref()) else {
                continue;
            };
            let Some(node) = self.goal_node(goal) else {
                continue;
            };
            let outer = self.outer_truths(node);
            let Some(data) = outer.first() else { continue };
            if self.is_judged_elsewhere(&outer) {
                continue;
            }
            let (data, name) = (&self.calls.nodes[data.0], &goal.metric.text);
            let score = &self.calls.nodes[node.0].name;
            let message = format!(
                "`{score}.{name}` is measured on `{0}`, which no parent was trained on, and no score on other such rows: the choice is made to suit `{0}`, so its score there is too good",
                data.name
            );
            let warning = Diagnostic::warning(Code::OuterObjective, goal.span, message)
                .and(data.span, "these rows")
                .hint("rank the points by a score inside the training data, or score the choice on rows held out for that");
            warnings.push(warning);
        }
        warnings
    }

    /// Whether a score is on held-out rows that these are not made from, nor the other way round.
    fn is_judged_elsewhere(&self, outer: &[NodeId]) -> bool {
        let seen = self.ancestors(outer.to_vec());
        let scores = self.calls.nodes.iter().enumerate();
        let scores = scores.filter(|(_, node)| node.named && node.kind == Kind::Score);
        let mut truths = scores.flat_map(|(at, _)| self.outer_truths(NodeId(at)));
        truths.any(|truth| {
            let made_from = self.ancestors(vec![truth]);
            !seen.contains(&truth) && outer.iter().all(|data| !made_from.contains(data))
        })
    }

    /// Data with the truth that a score reads and its parents were not trained on.
    fn outer_truths(&self, score: NodeId) -> Vec<NodeId> {
        let all = self.ancestors(vec![score]);
        let is = |kind: Kind| {
            let all = all.iter().copied();
            all.filter(move |id| self.calls.nodes[id.0].kind == kind)
        };
        let training = self.ancestors(is(Kind::Parent).collect());
        let mut found = Vec::new();
        for score in is(Kind::Score) {
            let node = &self.calls.nodes[score.0];
            let Some(signature) = self.names.catalog.get(&node.plugin) else {
                continue;
            };
            for param in signature.params.iter().filter(|param| param.truth) {
                let argument = node.args.get(&param.name);
                let data = argument.map_or(Vec::new(), |argument| argument.value.nodes());
                found.extend(data.into_iter().filter(|data| !training.contains(data)));
            }
        }
        found
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
