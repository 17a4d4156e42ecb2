//! Sweeps made of sweeps: `product(a, b)` and `zip(a, b)`.

use std::collections::BTreeSet;

use super::super::checker::Checker;
use super::super::env::Env;
use super::super::notes::Notes;
use super::super::scope::{Entity, MAIN};
use super::form::{Form, SweepArgs};
use super::{Indices, Swept};
use crate::ast::{Arg, Expr, ExprKind};
use crate::diagnostic::{Code, Diagnostic};
use crate::types::Kind;

impl Checker<'_> {
    /// The points of a product, the last sweep changing fastest, or of a zip.
    pub(super) fn joined(
        &mut self,
        form: Form,
        args: SweepArgs,
        value: &Expr,
        env: Env,
        notes: &mut Notes,
    ) -> Option<Swept> {
        let parts: Vec<Option<(&Expr, Swept)>> = args
            .positional
            .iter()
            .map(|expr| Some((*expr, self.part(expr, env, notes)?)))
            .collect();
        let parts: Vec<(&Expr, Swept)> = parts.into_iter().collect::<Option<_>>()?;
        let within = self.tolerance(&args, env, notes)?;
        if args.broken {
            return None;
        }
        let mut whole = Swept {
            points: vec![Indices::new()],
            goal: args.goal,
            front: args.front,
            within,
            ..Swept::default()
        };
        let Some((_, first)) = parts.first() else {
            let message = format!("`{}` is missing the sweeps to join", form.word());
            let diagnostic = Diagnostic::error(Code::MissingArgument, value.span, message);
            self.report(env, diagnostic.hint(form.usage()));
            return None;
        };
        if form == Form::Zip {
            whole.points = vec![Indices::new(); first.points.len()];
        }
        for (expr, part) in &parts {
            if let Some(twice) = part.dims.iter().find(|dim| whole.dims.contains(dim)) {
                let name = &self.sweep.dims[*twice].name;
                let message = format!("`{name}` is swept by two of these sweeps");
                self.report(env, Diagnostic::error(Code::SweepJoin, expr.span, message));
                return None;
            }
            whole.dims.extend(&part.dims);
            let (points, dims) = (whole.points.len().max(part.points.len()), whole.dims.len());
            if form == Form::Zip {
                self.count_points(points, dims, expr.span, env)?;
            }
            whole.logs.extend(&part.logs);
            whole.is_waiting |= part.is_waiting;
            let merged = |one: &Indices, other: &Indices| -> Indices {
                one.iter()
                    .chain(other)
                    .map(|(dim, value)| (*dim, *value))
                    .collect()
            };
            if form == Form::Zip {
                if part.points.len() != whole.points.len() {
                    let (least, most) = (whole.points.len(), part.points.len());
                    let message = format!(
                        "`zip` takes sweeps of equally many points, found {least} and {most}"
                    );
                    self.report(env, Diagnostic::error(Code::SweepJoin, expr.span, message));
                    return None;
                }
                let pairs = whole.points.iter().zip(&part.points);
                whole.points = pairs.map(|(one, other)| merged(one, other)).collect();
                continue;
            }
            let count = whole.points.len() as f64 * part.points.len() as f64;
            if self.is_too_large(count, value, env) {
                return None;
            }
            self.count_points(count as usize, dims, expr.span, env)?;
            let points = whole.points.iter();
            whole.points = points
                .flat_map(|one| part.points.iter().map(move |other| merged(one, other)))
                .collect();
        }
        Some(whole)
    }

    /// A sweep that another one takes.
    fn part(&mut self, expr: &Expr, env: Env, notes: &mut Notes) -> Option<Swept> {
        let program = self.names.program;
        let part = match &expr.kind {
            ExprKind::Name(path) => match program.resolve(MAIN, path) {
                Ok(Entity::Statement(at))
                    if program.statements[at].keyword.text == Kind::Sweep.keyword() =>
                {
                    (*self.swept(at)?).clone()
                }
                Ok(Entity::Broken) => return None,
                Ok(_) => {
                    let found = self.describe(expr, env);
                    let message = format!("expected a sweep, found {found}");
                    self.report(env, Diagnostic::error(Code::WrongKind, expr.span, message));
                    return None;
                }
                Err((module, name)) => {
                    let message = format!("unknown name `{}`", name.text);
                    let diagnostic = Diagnostic::error(Code::UnknownName, name.span, message)
                        .meant(&name.text, self.names_of(module));
                    self.unknown(env, diagnostic);
                    return None;
                }
            },
            _ => self.form(expr, "", env, notes)?,
        };
        let (message, hint) = if part.is_adaptive {
            (
                "a sweep whose points follow from scores cannot be joined",
                "give it all params itself; every point runs with each `seed:` it is given",
            )
        } else if part.goals().next().is_some() {
            (
                "a sweep that is joined does not choose by itself",
                "move `minimise:` or `maximise:` to the sweep that joins",
            )
        } else {
            return Some(part);
        };
        let diagnostic = Diagnostic::error(Code::SweepJoin, expr.span, message);
        self.report(env, diagnostic.hint(hint));
        None
    }

    /// The sweep statements that others take, which do not run on their own.
    pub(super) fn parts_of_others(&self) -> BTreeSet<usize> {
        let mut parts = BTreeSet::new();
        for statement in &self.names.program.statements {
            let is_sweep = statement.keyword.text == Kind::Sweep.keyword();
            if is_sweep && statement.module == MAIN {
                self.note_parts(&statement.value, &mut parts);
            }
        }
        parts
    }

    fn note_parts(&self, expr: &Expr, parts: &mut BTreeSet<usize>) {
        let ExprKind::Call { args, .. } = &expr.kind else {
            return;
        };
        for arg in args {
            let Arg::Positional(expr) = arg else { continue };
            match &expr.kind {
                ExprKind::Name(path) => {
                    if let Ok(Entity::Statement(at)) = self.names.program.resolve(MAIN, path)
                        && self.names.program.statements[at].keyword.text == Kind::Sweep.keyword()
                    {
                        parts.insert(at);
                    }
                }
                _ => self.note_parts(expr, parts),
            }
        }
    }
}
