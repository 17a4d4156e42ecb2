//! Sweeps: the points a file is evaluated at.

use std::collections::{BTreeMap, BTreeSet};

use super::checker::Checker;
use super::describe::dotted;
use super::env::Env;
use super::facts::Columns;
use super::params::value_text;
use super::scope::{Entity, MAIN, SEED};
use super::value::Want;
use crate::ast::{Arg, Expr, ExprKind, Name};
use crate::diagnostic::{Code, Diagnostic};
use crate::experiment::Value;
use crate::types::{Kind, Type};

/// What is swept, and where.
pub struct Sweep {
    /// The swept params, in the order first named.
    pub dims: Vec<Dim>,
    /// For each point, which value of each swept param; none is its default.
    /// Without sweeps there is one point.
    pub points: Vec<Vec<Option<u32>>>,
}

impl Default for Sweep {
    fn default() -> Self {
        Self {
            dims: Vec::new(),
            points: vec![Vec::new()],
        }
    }
}

/// A swept param and all values it takes.
pub struct Dim {
    pub param: usize,
    pub name: String,
    pub values: Vec<Value>,
    /// The values as written in the `point` of results.
    pub texts: Vec<String>,
}

/// How many points one experiment may have.
const MAX_POINTS: usize = 100_000;
/// How many params may be swept: reads are kept in 64 bits.
const MAX_DIMS: usize = 64;

impl Checker<'_> {
    /// Finds the points of all sweeps of the main file.
    pub fn read_sweeps(&mut self) {
        let program = self.program;
        let keyword = Kind::Sweep.keyword();
        let mut points = Vec::new();
        let mut any = false;
        for statement in &program.statements {
            if statement.module == MAIN && statement.keyword.text == keyword {
                any = true;
                if let Some(grid) = self.grid(&statement.value) {
                    self.product(&grid, &statement.value, &mut points);
                }
            }
        }
        if any && !points.is_empty() {
            let dims = self.sweep.dims.len();
            for point in &mut points {
                point.resize(dims, None);
            }
            let mut known = BTreeSet::new();
            points.retain(|point| known.insert(point.clone()));
            self.sweep.points = points;
        }
        for (dim, swept) in self.sweep.dims.iter().enumerate() {
            self.params[swept.param].dim = Some(dim);
        }
        self.forget_all_params();
    }

    /// The values of each param of one `grid(param: values, …)`.
    fn grid(&mut self, value: &Expr) -> Option<Vec<(usize, Vec<u32>)>> {
        let env = Env::file(MAIN);
        let args = match &value.kind {
            ExprKind::Call { callee, args } if dotted(callee) == "grid" => args,
            ExprKind::Call { callee, .. } => {
                let name = dotted(callee);
                let message = format!("unknown sweep `{name}`");
                let span = callee.first().map_or(value.span, |name| name.span);
                let diagnostic = Diagnostic::error(Code::UnknownPlugin, span, message)
                    .hint("write `grid(param: values, …)`");
                self.report(env, diagnostic);
                return None;
            }
            _ => {
                let found = self.describe(value, env);
                let message = format!("expected a sweep, found {found}");
                let diagnostic = Diagnostic::error(Code::WrongKind, value.span, message)
                    .hint("write `grid(param: values, …)`");
                self.report(env, diagnostic);
                return None;
            }
        };
        let mut grid: Vec<(usize, Vec<u32>)> = Vec::new();
        let mut sound = true;
        for arg in args {
            let Some((param, name)) = self.swept_param(arg, env) else {
                sound = false;
                continue;
            };
            let before = grid
                .iter()
                .any(|(dim, _)| self.sweep.dims[*dim].param == param);
            if before {
                let message = format!("`{}` is given twice", name.text);
                self.report(
                    env,
                    Diagnostic::error(Code::DuplicateArgument, name.span, message),
                );
                sound = false;
                continue;
            }
            match self.swept_values(param, arg.value(), env) {
                Some(values) => match self.dim(param, values) {
                    Some(dim) => grid.push(dim),
                    None => {
                        let message = format!("more than {MAX_DIMS} params are swept");
                        let diagnostic = Diagnostic::error(Code::SweepTooLarge, name.span, message);
                        self.report(env, diagnostic);
                        return None;
                    }
                },
                None => sound = false,
            }
        }
        sound.then_some(grid)
    }

    fn swept_param<'e>(&mut self, arg: &'e Arg, env: Env) -> Option<(usize, &'e Name)> {
        let name = match arg {
            Arg::Named { name, .. } => name,
            Arg::Positional(_) | Arg::New { .. } => {
                let message = "expected `param: values`";
                let diagnostic = Diagnostic::error(Code::SweepNotParam, arg.value().span, message);
                self.report(env, diagnostic.hint("write `grid(param: values, …)`"));
                return None;
            }
        };
        let program = self.program;
        if name.text == "seed" {
            return Some((SEED, name));
        }
        let module = &program.modules[MAIN];
        if let Some((Entity::Param(param), _)) = module.names.get(&name.text) {
            return Some((*param, name));
        }
        let params = module
            .names
            .iter()
            .filter(|(_, (entity, _))| matches!(entity, Entity::Param(_)))
            .map(|(name, _)| name.as_str())
            .chain(["seed"]);
        let message = format!("`{}` is not a param", name.text);
        let diagnostic = Diagnostic::error(Code::SweepNotParam, name.span, message)
            .meant(&name.text, params.clone())
            .choices("params", params);
        self.unknown(env, diagnostic);
        None
    }

    fn swept_values(&mut self, param: usize, expr: &Expr, env: Env) -> Option<Vec<Value>> {
        let ty = self.params[param].ty.clone()?;
        if matches!(expr.kind, ExprKind::Range { .. }) && !matches!(ty, Type::Range(_)) {
            let values = self.counted(&ty, expr, env)?;
            let sound = values
                .iter()
                .all(|value| self.within(param, value, expr.span, env).is_some());
            return sound.then_some(values);
        }
        let items = match &expr.kind {
            ExprKind::List(items) if items.is_empty() => {
                let message = "the sweep has no values";
                self.report(env, Diagnostic::error(Code::OutOfRange, expr.span, message));
                return None;
            }
            ExprKind::List(items) => items.as_slice(),
            _ => std::slice::from_ref(expr),
        };
        let values: Vec<Option<Value>> = items
            .iter()
            .map(|item| self.param_value(param, item, env))
            .collect();
        values.into_iter().collect()
    }

    /// The values of a range.
    fn counted(&mut self, ty: &Type, expr: &Expr, env: Env) -> Option<Vec<Value>> {
        let want = Want {
            ty: &Type::Range(Box::new(ty.clone())),
            columns: &Columns::Free,
            name: "",
            statement: false,
        };
        let Value::Range(first, last, step) = self.value(expr, env, want)? else {
            return None;
        };
        let count = match (&*first, &*last, &*step) {
            (Value::Int(first), Value::Int(last), Value::Int(step)) => {
                (*last as f64 - *first as f64) / *step as f64 + 1.0
            }
            // Half a millionth of a step forgives the rounding of `0..=1 step 0.1`.
            (Value::Float(first), Value::Float(last), Value::Float(step)) => {
                ((last - first) / step + 5e-7).floor() + 1.0
            }
            _ => return None,
        };
        if count > MAX_POINTS as f64 {
            self.too_large(expr, count, env);
            return None;
        }
        Some(
            (0..count as i64)
                .map(|at| match (&*first, &*step) {
                    (Value::Int(first), Value::Int(step)) => Value::Int(first + at * step),
                    (Value::Float(first), Value::Float(step)) => {
                        Value::Float(first + at as f64 * step)
                    }
                    _ => (*first).clone(),
                })
                .collect(),
        )
    }

    fn too_large(&mut self, expr: &Expr, count: f64, env: Env) {
        let message = format!("the sweep has {count} points, more than {MAX_POINTS}");
        let diagnostic = Diagnostic::error(Code::SweepTooLarge, expr.span, message);
        self.report(env, diagnostic.hint("sweep fewer values at once"));
    }

    /// The swept param with these values among its own, and which ones they are.
    fn dim(&mut self, param: usize, values: Vec<Value>) -> Option<(usize, Vec<u32>)> {
        let ty = self.params[param].ty.clone()?;
        let dims = &mut self.sweep.dims;
        let at = match dims.iter().position(|dim| dim.param == param) {
            Some(at) => at,
            None if dims.len() == MAX_DIMS => return None,
            None => {
                dims.push(Dim {
                    param,
                    name: self.program.params[param].name.text.clone(),
                    values: Vec::new(),
                    texts: Vec::new(),
                });
                dims.len() - 1
            }
        };
        let dim = &mut dims[at];
        let mut known: BTreeMap<String, u32> = dim.texts.iter().cloned().zip(0..).collect();
        let mut taken = BTreeSet::new();
        let mut indices = Vec::with_capacity(values.len());
        for value in values {
            let text = value_text(&value, &ty);
            let next = dim.values.len() as u32;
            let index = *known.entry(text.clone()).or_insert(next);
            if index == next {
                dim.values.push(value);
                dim.texts.push(text);
            }
            if taken.insert(index) {
                indices.push(index);
            }
        }
        Some((at, indices))
    }

    /// All combinations, the last param changing fastest.
    fn product(
        &mut self,
        grid: &[(usize, Vec<u32>)],
        expr: &Expr,
        points: &mut Vec<Vec<Option<u32>>>,
    ) {
        let count: f64 = grid.iter().map(|(_, values)| values.len() as f64).product();
        if points.len() as f64 + count > MAX_POINTS as f64 {
            self.too_large(expr, points.len() as f64 + count, Env::file(MAIN));
            return;
        }
        let mut fresh = vec![vec![None; self.sweep.dims.len()]];
        for (dim, values) in grid {
            fresh = fresh
                .iter()
                .flat_map(|point| {
                    values.iter().map(|value| {
                        let mut point = point.clone();
                        point[*dim] = Some(*value);
                        point
                    })
                })
                .collect();
        }
        points.append(&mut fresh);
    }

    /// The swept params that were read, as results name the point: `degree=1,width=8`.
    pub fn point_text(&self, reads: u64) -> String {
        let mut parts = Vec::new();
        for (at, dim) in self.sweep.dims.iter().enumerate() {
            let Some(value) = self.point.get(at).copied().flatten() else {
                continue;
            };
            if reads >> at & 1 == 1
                && let Some(text) = dim.texts.get(value as usize)
            {
                parts.push(format!("{}={text}", dim.name));
            }
        }
        parts.join(",")
    }
}
