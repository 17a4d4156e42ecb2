//! One sweep from its text: `grid`, `random`, `latin`, `tpe`, `halving`.

use std::fmt::Display;

use super::super::checker::Checker;
use super::super::describe::dotted;
use super::super::env::{Env, Resolved};
use super::super::notes::Notes;
use super::super::reads::Reads;
use super::super::scope::{Entity, MAIN, SEED};
use super::super::value::Expected;
use super::objective::Goal;
use super::{EarlierAxis, Indices, MAX_POINTS, Swept};
use crate::ast::{Arg, Expr, ExprKind, Name};
use crate::diagnostic::{Code, Diagnostic};
use crate::experiment::Value;
use crate::nearest::nearest;
use crate::source::Span;
use crate::sweep;
use crate::sweep::search::{Finding, Method, Search};
use crate::sweep::space::{Scale, Setting, Space};
use crate::types::Type;

/// A way to say which points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Grid,
    Random,
    Latin,
    Tpe,
    Halving,
    Product,
    Zip,
}

const FORMS: [(&str, Form); 7] = [
    ("grid", Form::Grid),
    ("random", Form::Random),
    ("latin", Form::Latin),
    ("tpe", Form::Tpe),
    ("halving", Form::Halving),
    ("product", Form::Product),
    ("zip", Form::Zip),
];

impl Form {
    pub(super) fn usage(self) -> &'static str {
        match self {
            Form::Grid => "write `grid(param: values, …)`",
            Form::Random => "write `random(count, param: range, …)`",
            Form::Latin => "write `latin(count, param: range, …)`",
            Form::Tpe => "write `tpe(count, param: range, …, minimise: score.metric)`",
            Form::Halving => {
                "write `halving(count, param: range, …, over: epochs, epochs: [5, 15, 45], minimise: score.metric)`"
            }
            Form::Product => "write `product(sweep, sweep, …)`",
            Form::Zip => "write `zip(sweep, sweep, …)`",
        }
    }

    pub(super) fn word(self) -> &'static str {
        FORMS
            .iter()
            .find(|(_, form)| *form == self)
            .map_or("", |(word, _)| word)
    }

    /// Whether the text says the order of its points.
    fn is_ordered(self) -> bool {
        matches!(self, Self::Grid | Self::Product | Self::Zip)
    }
}

/// The arguments of a sweep, by what they are for.
#[derive(Default)]
pub(super) struct SweepArgs<'e> {
    pub positional: Vec<&'e Expr>,
    /// Param, name as written, values.
    pub params: Vec<(usize, &'e Name, &'e Expr)>,
    pub goal: Option<Goal>,
    /// Several goals, none of which decides alone.
    pub front: Vec<Goal>,
    pub over: Option<&'e Expr>,
    /// How many standard errors a choice may lie from the best.
    pub within: Option<&'e Expr>,
    /// Whether one of them did not check.
    pub broken: bool,
}

impl Checker<'_> {
    /// What a sweep's text says; `name` is how its scores are known.
    pub(super) fn form(
        &mut self,
        value: &Expr,
        name: &str,
        env: Env,
        notes: &mut Notes,
    ) -> Option<Swept> {
        let ExprKind::Call { callee, args } = &value.kind else {
            let found = self.describe(value, env);
            let message = format!("expected a sweep, found {found}");
            let diagnostic = Diagnostic::error(Code::WrongKind, value.span, message);
            self.report(env, diagnostic.hint(Form::Grid.usage()));
            return None;
        };
        let word = dotted(callee);
        let Some((_, form)) = FORMS.iter().find(|(known, _)| *known == word) else {
            let words = FORMS.map(|(word, _)| word);
            let span = callee.iter().map(|name| name.span).reduce(Span::to);
            let span = span.unwrap_or(value.span);
            let message = format!("unknown sweep `{word}`");
            let diagnostic = Diagnostic::error(Code::UnknownPlugin, span, message)
                .meant(&word, words)
                .choices("sweeps", words);
            self.report(env, diagnostic);
            return None;
        };
        let args = self.sweep_args(*form, args, env);
        if let Form::Product | Form::Zip = form {
            return self.joined(*form, args, value, env, notes);
        }
        self.searched(*form, args, value, name, env, notes)
    }

    fn sweep_args<'e>(&mut self, form: Form, args: &'e [Arg], env: Env) -> SweepArgs<'e> {
        let mut result = SweepArgs::default();
        for arg in args {
            let done = match arg {
                Arg::Positional(value) => {
                    result.positional.push(value);
                    Some(())
                }
                Arg::Named { name, value } => match name.text.as_str() {
                    "minimise" | "maximise" => self.add_goal(form, name, value, env, &mut result),
                    "over" if form == Form::Halving => {
                        result.over = Some(value);
                        Some(())
                    }
                    "within" if form.is_ordered() && !self.is_param(name) => {
                        result.within = Some(value);
                        Some(())
                    }
                    _ if self.is_misspelt(form, name, env) => None,
                    _ => self.add_param(form, name, value, env, &mut result),
                },
                Arg::New { name, value } => self.not_a_param(form, name, value, env),
            };
            result.broken |= done.is_none();
        }
        self.warn_of_swept_within(&result, env);
        result
    }

    /// Warns where a choice sweeps a param of the name of its own argument.
    fn warn_of_swept_within(&mut self, args: &SweepArgs, env: Env) {
        let names = args.params.iter().map(|(_, name, _)| name);
        let Some(name) = { names }.find(|name| name.text == "within" && args.goal.is_some()) else {
            return;
        };
        let message =
            "`within` is a param of this file: it is swept, and does not widen the choice";
        let diagnostic = Diagnostic::warning(Code::SweepObjective, name.span, message);
        let hint = "give the param another name to choose within standard errors of the best";
        self.report(env, diagnostic.hint(hint));
    }

    /// Refuses `minimize` and its like, which are not params.
    fn is_misspelt(&mut self, form: Form, name: &Name, env: Env) -> bool {
        let words: &[&str] = match form {
            Form::Halving => &["minimise", "maximise", "over"],
            _ if form.is_ordered() => &["minimise", "maximise", "within"],
            _ => &["minimise", "maximise"],
        };
        let meant = nearest(&name.text, words.iter().copied());
        let Some(meant) = meant.filter(|_| {
            let path = std::slice::from_ref(name);
            self.names.program.resolve(MAIN, path).is_err()
        }) else {
            return false;
        };
        let message = format!("`{}` has no parameter `{}`", form.word(), name.text);
        let diagnostic = Diagnostic::error(Code::UnknownArgument, name.span, message)
            .hint(format!("did you mean `{meant}`?"));
        self.report(env, diagnostic);
        true
    }

    fn not_a_param(&mut self, form: Form, name: &Name, value: &Expr, env: Env) -> Option<()> {
        let message = format!("expected `{}: values`", name.text);
        let span = name.span.to(value.span);
        let diagnostic = Diagnostic::error(Code::SweepNotParam, span, message);
        self.report(env, diagnostic.hint(form.usage()));
        None
    }

    fn add_param<'e>(
        &mut self,
        form: Form,
        name: &'e Name,
        value: &'e Expr,
        env: Env,
        args: &mut SweepArgs<'e>,
    ) -> Option<()> {
        if let Form::Product | Form::Zip = form {
            let message = format!(
                "`{}` takes sweeps, found param `{}`",
                form.word(),
                name.text
            );
            let diagnostic = Diagnostic::error(Code::SweepJoin, name.span, message)
                .hint(format!("write `grid({}: …)` for it", name.text));
            self.report(env, diagnostic);
            return None;
        }
        let param = self.param_named(name, env)?;
        if args.params.iter().any(|(known, ..)| *known == param) {
            let message = format!("`{}` is given twice", name.text);
            let diagnostic = Diagnostic::error(Code::DuplicateArgument, name.span, message);
            self.report(env, diagnostic);
            return None;
        }
        args.params.push((param, name, value));
        Some(())
    }

    /// The param a name means, that of a used file as `file.param`.
    pub(super) fn param_named(&mut self, name: &Name, env: Env) -> Option<usize> {
        let program = self.names.program;
        if name.text == "seed" {
            return Some(SEED);
        }
        let path: Vec<Name> = name
            .text
            .split('.')
            .map(|text| Name {
                text: text.to_owned(),
                span: name.span,
            })
            .collect();
        if let Ok(Entity::Param(param)) = program.resolve(MAIN, &path) {
            let found = Resolved::Entity(Entity::Param(param));
            self.names.trace_name(&path, &found);
            return Some(param);
        }
        let params: Vec<String> = program
            .params
            .iter()
            .skip(SEED + 1)
            .map(|declared| program.full_name(declared.module, &declared.name))
            .chain(["seed".to_owned()])
            .collect();
        let params = params.iter().map(String::as_str);
        let message = format!("`{}` is not a param", name.text);
        let diagnostic = Diagnostic::error(Code::SweepNotParam, name.span, message)
            .meant(&name.text, params.clone())
            .choices("params", params)
            .hint("only params are swept: a value becomes one as `param x: Int = 1`");
        self.unknown(env, diagnostic);
        None
    }

    /// The points of a form that gives its params values.
    fn searched(
        &mut self,
        form: Form,
        args: SweepArgs,
        value: &Expr,
        name: &str,
        env: Env,
        notes: &mut Notes,
    ) -> Option<Swept> {
        let (count, seed) = self.count_and_seed(form, &args, value, env, notes)?;
        if args.params.is_empty() && !args.broken {
            let message = format!("`{}` is missing the params to sweep", form.word());
            let diagnostic = Diagnostic::error(Code::MissingArgument, value.span, message);
            self.report(env, diagnostic.hint(form.usage()));
            return None;
        }
        let mut params = args.params.clone();
        let budget = match form {
            Form::Halving => Some(self.budget(&args, value, env, notes)?),
            _ => None,
        };
        if let Some((over, _)) = &budget {
            params.retain(|(param, ..)| param != over);
        }
        // A seed is nothing to search: every point runs with each.
        let seed_at = params.iter().position(|(param, ..)| *param == SEED);
        let seed_values = seed_at
            .filter(|_| form != Form::Grid)
            .map(|at| params.remove(at).2);
        let space = self.space(form, &params, env, notes)?;
        let within = self.tolerance(&args, env, notes)?;
        if args.broken {
            return None;
        }
        let is_adaptive = matches!(form, Form::Tpe | Form::Halving);
        if is_adaptive && args.goal.is_none() {
            let message = format!("`{}` does not say what it is ranked by", form.word());
            let diagnostic = Diagnostic::error(Code::SweepObjective, value.span, message);
            self.report(env, diagnostic.hint(form.usage()));
            return None;
        }
        let mut points = count;
        if form == Form::Grid {
            let sizes = space.axes.iter().filter_map(|axis| axis.values.count());
            let product = sizes.map(|size| size as f64).product();
            if self.is_too_large(product, value, env) {
                return None;
            }
            points = product as usize;
        }
        self.count_points(points, space.axes.len(), value.span, env)?;
        let mut order: Vec<usize> = params.iter().map(|(param, ..)| *param).collect();
        order.extend(budget.as_ref().map(|(over, _)| *over));
        let dims = self.dims(&order, &args, env)?;
        let seeds = match seed_values {
            Some(values) => self.seeds(values, &args, env, notes)?,
            None => vec![Indices::new()],
        };
        let logs = dims.iter().zip(&space.axes);
        let logs = logs.filter(|(_, axis)| axis.values.scale() == Scale::Log);
        let mut swept = Swept {
            logs: logs.map(|(dim, _)| *dim).collect(),
            over: budget.as_ref().and_then(|_| dims.last().copied()),
            dims,
            is_adaptive,
            goal: args.goal,
            front: args.front,
            within,
            ..Swept::default()
        };
        let method = match (form, budget) {
            (Form::Random, _) => Some(Method::Random),
            (Form::Latin, _) => Some(Method::Latin),
            (Form::Tpe, _) => Some(Method::Tpe),
            (_, Some((_, budgets))) => Some(Method::Halving(budgets)),
            (_, None) => None,
        };
        let outside = self.names.outside;
        let mut score = |settings: &[Setting]| self.candidate(name, &swept, settings, &seeds);
        let proposed = match method {
            None => space.grid().into(),
            Some(method) => {
                let search = Search {
                    method,
                    space,
                    count,
                    seed,
                };
                outside.propose(&search, &mut score)
            }
        };
        if self.is_too_large((proposed.points.len() * seeds.len()) as f64, value, env) {
            return None;
        }
        swept.to_come = proposed.to_come * seeds.len();
        for settings in &proposed.points {
            let point = self.place(&swept.dims, settings);
            swept.points.extend(seeded(&point, &seeds));
        }
        let seed_dims = seeds.iter().flat_map(|seed| seed.keys()).copied();
        swept.dims.extend(seed_dims.take(1));
        Some(swept)
    }

    /// What is known of a candidate: the mean over the seeds.
    fn candidate(
        &mut self,
        name: &str,
        swept: &Swept,
        settings: &[Setting],
        seeds: &[Indices],
    ) -> Finding {
        let Some(goal) = &swept.goal else {
            return Finding::Unknown;
        };
        let point = self.place(&swept.dims, settings);
        let points = seeded(&point, seeds);
        sweep::mean(points.map(|point| self.finding(name, &self.text_of(&point), goal)))
    }

    /// A point of the experiment from the settings of a form's axes.
    fn place(&mut self, dims: &[usize], settings: &[Setting]) -> Indices {
        let mut point = Indices::new();
        for (dim, setting) in dims.iter().zip(settings) {
            if let Some(value) = setting {
                point.insert(*dim, self.value_index(*dim, value));
            }
        }
        point
    }

    fn seeds(
        &mut self,
        values: &Expr,
        args: &SweepArgs,
        env: Env,
        notes: &mut Notes,
    ) -> Option<Vec<Indices>> {
        let values = self.swept_values(SEED, values, env, notes)?;
        let dim = *self.dims(&[SEED], args, env)?.first()?;
        let point = |value| Indices::from([(dim, self.value_index(dim, value))]);
        Some(values.iter().map(point).collect())
    }

    fn dims(&mut self, params: &[usize], args: &SweepArgs, env: Env) -> Option<Vec<usize>> {
        let mut dims = Vec::with_capacity(params.len());
        for param in params {
            let Some(dim) = self.dim(*param) else {
                let name = args.params.iter().find(|(known, ..)| known == param);
                let span = name.map(|(_, name, _)| name.span).unwrap_or_default();
                let most = Reads::MAX_PARAMS;
                let message = format!("more than {most} params are swept");
                self.report(env, Diagnostic::error(Code::SweepTooLarge, span, message));
                return None;
            };
            dims.push(dim);
        }
        Some(dims)
    }

    fn space(
        &mut self,
        form: Form,
        params: &[(usize, &Name, &Expr)],
        env: Env,
        notes: &mut Notes,
    ) -> Option<Space> {
        let mut axes: Vec<EarlierAxis> = Vec::with_capacity(params.len());
        for (param, name, expr) in params {
            let axis = self.axis(form, *param, expr, &axes, env, notes);
            axes.push((*param, name, axis));
        }
        let axes = axes.into_iter().map(|(.., axis)| axis);
        let axes = axes.collect::<Option<_>>()?;
        Some(Space { axes })
    }

    /// How many points, and the seed they follow from: the experiment's when none is written.
    fn count_and_seed(
        &mut self,
        form: Form,
        args: &SweepArgs,
        value: &Expr,
        env: Env,
        notes: &mut Notes,
    ) -> Option<(usize, u64)> {
        let takes = match form {
            Form::Grid => 0,
            _ => 2,
        };
        if let Some(extra) = args.positional.get(takes) {
            let message = "expected `param: values`";
            let diagnostic = Diagnostic::error(Code::SweepNotParam, extra.span, message);
            self.report(env, diagnostic.hint(form.usage()));
            return None;
        }
        if form == Form::Grid {
            return Some((0, 0));
        }
        let Some(count) = args.positional.first() else {
            let message = format!("`{}` is missing the number of points", form.word());
            let diagnostic = Diagnostic::error(Code::MissingArgument, value.span, message);
            self.report(env, diagnostic.hint(form.usage()));
            return None;
        };
        let points = self.whole(count, 1, env, notes)?;
        if self.is_too_large(points as f64, count, env) {
            return None;
        }
        let seed = match args.positional.get(1) {
            Some(seed) => self.whole(seed, 0, env, notes)?,
            None => self.seed(notes),
        };
        Some((usize::try_from(points).unwrap_or(MAX_POINTS), seed))
    }

    /// What `within:` says; outer none when it did not check.
    pub(super) fn tolerance(
        &mut self,
        args: &SweepArgs,
        env: Env,
        notes: &mut Notes,
    ) -> Option<Option<f64>> {
        let Some(expr) = args.within else {
            return Some(None);
        };
        if args.goal.is_none() && !args.broken {
            let message = "`within` is about the point that is chosen, and this sweep chooses none";
            let diagnostic = Diagnostic::error(Code::SweepObjective, expr.span, message);
            self.report(
                env,
                diagnostic.hint("say what by: `minimise: score.metric`"),
            );
            return None;
        }
        let want = Expected::plain(&Type::Float);
        let Value::Float(errors) = self.value(expr, env, want, notes)? else {
            return None;
        };
        if errors < 0.0 {
            return self.out_of_range(expr, errors, 0, env);
        }
        Some(Some(errors))
    }

    /// Whether a name means a param, which then can be swept.
    fn is_param(&self, name: &Name) -> bool {
        let path = std::slice::from_ref(name);
        let found = self.names.program.resolve(MAIN, path);
        matches!(found, Ok(Entity::Param(_)))
    }

    /// A whole number that is not below `least`.
    fn whole(&mut self, expr: &Expr, least: i64, env: Env, notes: &mut Notes) -> Option<u64> {
        let want = Expected::plain(&Type::Int);
        let Value::Int(number) = self.value(expr, env, want, notes)? else {
            return None;
        };
        if number < least {
            return self.out_of_range(expr, number, least, env);
        }
        u64::try_from(number).ok()
    }

    /// Refuses a number below the least that an argument may be.
    fn out_of_range<T>(
        &mut self,
        expr: &Expr,
        number: impl Display,
        least: i64,
        env: Env,
    ) -> Option<T> {
        let message = format!("`{number}` is out of range: it must be in `{least}..`");
        self.report(env, Diagnostic::error(Code::OutOfRange, expr.span, message));
        None
    }

    /// The param that is the budget of a halving, and what it is from rung to rung.
    fn budget(
        &mut self,
        args: &SweepArgs,
        value: &Expr,
        env: Env,
        notes: &mut Notes,
    ) -> Option<(usize, Vec<i64>)> {
        let usage = Form::Halving.usage();
        let over = args.over.map(|over| (over, &over.kind));
        let Some((over, ExprKind::Name(path))) = over else {
            let span = over.map_or(value.span, |(over, _)| over.span);
            let message = "`halving` is missing the param that is its budget";
            let diagnostic = Diagnostic::error(Code::MissingArgument, span, message);
            self.report(env, diagnostic.hint(usage));
            return None;
        };
        let name = Name {
            text: dotted(path),
            span: over.span,
        };
        let param = self.param_named(&name, env)?;
        let values = args.params.iter().find(|(known, ..)| *known == param);
        let Some((_, _, values)) = values else {
            let message = format!("`halving` is missing the budgets of `{}`", name.text);
            let diagnostic =
                Diagnostic::error(Code::MissingArgument, over.span, message).hint(format!(
                    "list them from small to large: `{}: [5, 15, 45]`",
                    name.text
                ));
            self.report(env, diagnostic);
            return None;
        };
        let budgets: Vec<i64> = self
            .swept_values(param, values, env, notes)?
            .iter()
            .filter_map(|value| match value {
                Value::Int(value) => Some(*value),
                _ => None,
            })
            .collect();
        let grows = budgets.windows(2).all(|pair| pair[0] < pair[1]);
        if !grows || budgets.first().is_none_or(|first| *first < 1) {
            let message = "budgets must be whole numbers from 1 that grow";
            let diagnostic = Diagnostic::error(Code::OutOfRange, values.span, message);
            self.report(env, diagnostic);
            return None;
        }
        Some((param, budgets))
    }
}

/// A point with each of the seeds.
fn seeded<'s>(point: &'s Indices, seeds: &'s [Indices]) -> impl Iterator<Item = Indices> + 's {
    seeds.iter().map(|seed| {
        let settings = point.iter().chain(seed);
        settings.map(|(dim, value)| (*dim, *value)).collect()
    })
}
