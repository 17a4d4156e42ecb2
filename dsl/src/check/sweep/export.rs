//! What the experiment says of its sweeps, once every statement is made at every point.

use std::collections::BTreeSet;

use super::super::checker::Checker;
use super::super::scope::MAIN;
use super::objective::Goal;
use super::{Indices, Swept, full};
use crate::experiment::{NodeId, Value};
use crate::source::Span;
use crate::sweep::{Best, COST, Objective, Setting, Sweep, SweptParam, Trial, Waiting};
use crate::types::Kind;

impl Checker<'_> {
    /// All sweeps with their points and calls.
    pub fn export_sweeps(&mut self) -> Vec<Sweep> {
        if !self.sweep.set.is_empty() {
            // Every point of the file's sweeps runs at every value set: they are one sweep.
            let points = self.sweep.points.iter().map(|point| {
                let values = point.iter().enumerate();
                values
                    .filter_map(|(dim, value)| Some((dim, (*value)?)))
                    .collect()
            });
            let swept = Swept {
                dims: (0..self.sweep.dims.len()).collect(),
                points: points.collect(),
                ..Swept::default()
            };
            return vec![self.export(&swept, "--set", Span::default())];
        }
        let mut sweeps = Vec::new();
        for at in self.sweep.own.clone() {
            if let Some(swept) = self.swept(at) {
                let statement = &self.names.program.statements[at];
                sweeps.push(self.export(&swept, &statement.name.text, statement.value.span));
            }
        }
        sweeps
    }

    fn export(&mut self, swept: &Swept, name: &str, span: Span) -> Sweep {
        let groups = self.seed_groups(swept);
        let scores = self.statements_of(Kind::Score);
        let trials = swept.points.iter().zip(groups);
        let trials: Vec<Trial> = trials
            .map(|(point, group)| {
                let place = full(point, self.sweep.dims.len());
                let text = self.text_of(point);
                let made = |statement: &usize| self.progress.made(*statement, &place).flatten();
                let goals = swept.goals().filter_map(|goal| goal.statement);
                let objectives: Vec<NodeId> = goals.filter_map(|goal| made(&goal)).collect();
                let scores = scores.iter().filter_map(made).collect();
                Trial {
                    settings: swept
                        .dims
                        .iter()
                        .map(|dim| self.setting_of(point, *dim))
                        .collect(),
                    group,
                    finding: self.names.choices.get(name, &text),
                    objectives,
                    scores,
                    point: text,
                }
            })
            .collect();
        let dims = swept.dims.iter();
        Sweep {
            name: name.to_owned(),
            params: dims
                .map(|dim| SweptParam {
                    name: self.sweep.dims[*dim].name.clone(),
                    is_log: swept.logs.contains(dim),
                })
                .collect(),
            objective: swept.goal.as_ref().map(|goal| self.objective(goal)),
            front: swept
                .front
                .iter()
                .map(|goal| self.objective(goal))
                .collect(),
            over: swept
                .over
                .and_then(|over| swept.dims.iter().position(|dim| *dim == over)),
            within: swept.within,
            trials,
            to_come: swept.to_come,
            is_waiting: swept.is_waiting,
            best: swept.best,
            span,
        }
    }

    fn objective(&self, goal: &Goal) -> Objective {
        let program = self.names.program;
        let statement = goal.statement.map(|at| &program.statements[at]);
        Objective {
            statement: match statement {
                Some(statement) => program.full_name(statement.module, &statement.name),
                None => COST.to_owned(),
            },
            metric: goal.metric.text.clone(),
            member: goal.member.as_ref().map(|member| member.text.clone()),
            aim: goal.aim,
            span: goal.span,
        }
    }

    fn setting_of(&self, point: &Indices, dim: usize) -> Option<Setting> {
        let index = *point.get(&dim)? as usize;
        let dim = &self.sweep.dims[dim];
        let number = match dim.values.get(index)? {
            Value::Int(value) => Some(*value as f64),
            Value::Float(value) => Some(*value),
            _ => None,
        };
        let text = dim.texts.get(index)?.clone();
        Some(Setting { text, number })
    }

    fn statements_of(&self, kind: Kind) -> Vec<usize> {
        let statements = self.names.program.statements.iter().enumerate();
        let of_kind = statements.filter(|(_, statement)| {
            statement.module == MAIN && statement.keyword.text == kind.keyword()
        });
        of_kind.map(|(at, _)| at).collect()
    }

    /// The statements that wait for a choice, and for which.
    pub fn export_waiting(&mut self) -> Vec<Waiting> {
        let statements = 0..self.names.program.statements.len();
        let waiting = statements.filter(|at| {
            let is_main = self.names.program.statements[*at].module == MAIN;
            is_main && self.progress.reads(*at).has_open_choice()
        });
        let waiting: Vec<usize> = waiting.collect();
        waiting
            .into_iter()
            .map(|at| Waiting {
                statement: self.names.program.statements[at].name.text.clone(),
                sweeps: self.awaited(at),
            })
            .collect()
    }

    /// The open sweeps a statement is made from.
    fn awaited(&mut self, from: usize) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let mut open = vec![from];
        while let Some(at) = open.pop() {
            if seen.insert(at) {
                open.extend(&self.progress.edges[at]);
            }
        }
        let mut names = Vec::new();
        for at in self.sweep.own.clone() {
            let swept = self.swept(at).filter(|_| seen.contains(&at));
            if swept.is_some_and(|swept| matches!(swept.best, Best::Open | Best::Nothing)) {
                names.push(self.names.program.statements[at].name.text.clone());
            }
        }
        names
    }

    /// Drops the calls that wait for a choice; returns what each of the others is called now.
    pub fn drop_waiting(&mut self) -> Vec<Option<NodeId>> {
        let mut next = 0;
        let mut places = Vec::with_capacity(self.calls.nodes.len());
        for facts in &self.calls.facts {
            let stays = !facts.reads.has_open_choice();
            places.push(stays.then_some(NodeId(next)));
            next += usize::from(stays);
        }
        if next < self.calls.nodes.len() {
            let nodes = std::mem::take(&mut self.calls.nodes)
                .into_iter()
                .zip(&places);
            self.calls.nodes = nodes
                .filter(|(_, place)| place.is_some())
                .map(|(mut node, _)| {
                    for (_, argument) in &mut node.args {
                        // Calls that stay refer only to calls that stay.
                        argument
                            .value
                            .map_nodes(&mut |id| places[id.0].unwrap_or(id));
                    }
                    node
                })
                .collect();
        }
        places
    }
}
