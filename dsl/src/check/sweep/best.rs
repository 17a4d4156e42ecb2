//! `best(sweep).param`: the value a sweep chose, wherever a value of that param may stand.

use super::super::checker::Checker;
use super::super::describe::dotted;
use super::super::env::{Env, Resolved};
use super::super::notes::Notes;
use super::super::reads::Reads;
use super::super::scope::{Entity, MAIN, SEED};
use crate::ast::{Arg, Expr, ExprKind, Name};
use crate::diagnostic::{Code, Diagnostic};
use crate::experiment::Value;
use crate::sweep::Best;
use crate::types::{Kind, Type};

const USAGE: &str = "write `best(sweep).param`";

impl Checker<'_> {
    /// The chosen value and its type; none when an error was reported.
    ///
    /// While the choice is open, the first value of the param is used instead, so that
    /// all that depends on it is checked; `reads` says that it does.
    pub fn chosen(
        &mut self,
        whole: &Expr,
        path: &[Name],
        env: Env,
        notes: &mut Notes,
    ) -> Option<(Value, Type)> {
        let at = self.chosen_sweep(whole, env)?;
        self.progress.refer(at);
        let swept = self.swept(at)?;
        let sweep = &self.names.program.statements[at].name;
        let name = Name {
            text: dotted(path),
            span: path
                .iter()
                .map(|name| name.span)
                .reduce(|one, other| one.to(other))?,
        };
        let problem = if !swept.front.is_empty() {
            Some((
                whole.span,
                format!(
                    "`{}` has several objectives, so none of its points is best",
                    sweep.text
                ),
                "choose by one: `minimise: score.metric`",
            ))
        } else if swept.goal.is_none() {
            Some((
                whole.span,
                format!("`{}` does not say which point is best", sweep.text),
                "say so in the sweep: `minimise: score.metric`",
            ))
        } else if !self.sweep.own.is_empty() && !self.sweep.own.contains(&at) {
            Some((
                whole.span,
                format!("`{}` is part of another sweep", sweep.text),
                "choose from that one",
            ))
        } else {
            None
        };
        if let Some((span, message, hint)) = problem {
            let diagnostic = Diagnostic::error(Code::SweepObjective, span, message);
            self.report(env, diagnostic.and(sweep.span, "the sweep").hint(hint));
            return None;
        }
        let param = self.param_named(&name, env)?;
        if param == SEED {
            let message = "a seed is not chosen: points that differ in it count by their mean";
            let diagnostic = Diagnostic::error(Code::SweepNotParam, name.span, message);
            self.report(env, diagnostic);
            return None;
        }
        let of_sweep = swept.dims.iter().map(|dim| &self.sweep.dims[*dim]);
        let names: Vec<String> = of_sweep
            .filter(|dim| dim.param != SEED)
            .map(|dim| dim.name.clone())
            .collect();
        let dims = swept.dims.iter().copied();
        let Some(dim) = { dims }.find(|dim| self.sweep.dims[*dim].param == param) else {
            let message = format!("`{}` does not sweep `{}`", sweep.text, name.text);
            let names = names.iter().map(String::as_str);
            let diagnostic = Diagnostic::error(Code::SweepNotParam, name.span, message)
                .choices("its params", names);
            self.report(env, diagnostic);
            return None;
        };
        let ty = self.params[param].ty.clone()?;
        notes.reads |= Reads::CHOICE;
        let index = match swept.best {
            Best::Trial(at) => swept.points[at].get(&dim).copied(),
            Best::Never | Best::Open | Best::Nothing => {
                notes.reads |= Reads::OPEN_CHOICE;
                swept
                    .points
                    .iter()
                    .find_map(|point| point.get(&dim))
                    .copied()
            }
        };
        let value = match index {
            Some(index) => self.sweep.dims[dim].values.get(index as usize).cloned()?,
            // At the chosen point it has no say, or there is no point yet.
            None => self.unswept(param, notes)?,
        };
        Some((value, ty))
    }

    /// The type of the param that a choice is of, for messages and for choosing among types.
    pub fn part_type(&self, path: &[Name]) -> Option<Type> {
        if dotted(path) == "seed" {
            return Some(Type::Int);
        }
        match self.names.program.resolve(MAIN, path) {
            Ok(Entity::Param(param)) => self.params[param].ty.clone(),
            _ => None,
        }
    }

    /// The sweep of `best(sweep)`.
    fn chosen_sweep(&mut self, whole: &Expr, env: Env) -> Option<usize> {
        let argument = match &whole.kind {
            ExprKind::Call { callee, args } if dotted(callee) == "best" => match args.as_slice() {
                [Arg::Positional(argument)] => Some(argument),
                _ => None,
            },
            _ => None,
        };
        let Some(ExprKind::Name(path)) = argument.map(|argument| &argument.kind) else {
            let found = self.describe(whole, env);
            let message = format!("expected the choice of a sweep, found {found}");
            let diagnostic = Diagnostic::error(Code::WrongType, whole.span, message);
            self.report(env, diagnostic.hint(USAGE));
            return None;
        };
        let program = self.names.program;
        let (found, argument) = match self.find(path, env) {
            Resolved::Arg(inner, outer) => {
                let ExprKind::Name(path) = &inner.kind else {
                    return self.mismatch(inner, outer, &Type::Kind(Kind::Sweep));
                };
                (self.find(path, outer), inner)
            }
            found => (found, argument?),
        };
        match found {
            Resolved::Entity(Entity::Statement(at))
                if program.statements[at].keyword.text == Kind::Sweep.keyword()
                    && program.statements[at].module == MAIN =>
            {
                Some(at)
            }
            Resolved::Failed => None,
            Resolved::Nothing => {
                let name = &path[0];
                let sweeps = program.statements.iter().filter(|statement| {
                    statement.module == MAIN && statement.keyword.text == Kind::Sweep.keyword()
                });
                let sweeps: Vec<&str> = sweeps.map(|sweep| sweep.name.text.as_str()).collect();
                let message = format!("unknown name `{}`", name.text);
                let diagnostic = Diagnostic::error(Code::UnknownName, name.span, message)
                    .meant(&name.text, sweeps.iter().copied())
                    .choices("sweeps", sweeps.iter().copied());
                self.unknown(env, diagnostic);
                None
            }
            Resolved::Arg(..) | Resolved::Entity(_) => {
                self.mismatch(argument, env, &Type::Kind(Kind::Sweep))
            }
        }
    }
}
