//! Params: their types, bounds and values, by default, by `--set` and in sweeps.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::bounds::{Bounds, shown};
use super::checker::Checker;
use super::describe::type_name;
use super::env::Env;
use super::memo::Snippet;
use super::notes::Notes;
use super::reads::Reads;
use super::scope::{Entity, MAIN, NO_FILE, NOWHERE, ParamDecl, SEED};
use super::value::Expected;
use crate::ast::{Expr, ExprKind, ItemKind, Name, TypeExpr};
use crate::diagnostic::{Code, Diagnostic, Label};
use crate::experiment::Value;
use crate::foreign;
use crate::parse::parse;
use crate::source::Span;
use crate::types::Type;

/// What is known of a param.
pub struct ParamState {
    /// Its type; none when that did not check.
    pub ty: Option<Type>,
    /// Which swept param it is, if it is one.
    pub dim: Option<usize>,
    /// Whether anything reads it.
    pub used: bool,
    bounds: Option<Bounds>,
    /// What `--set` says; none inside when that did not check.
    set: Option<Option<Value>>,
    value: Evaluated,
}

enum Evaluated {
    Not,
    /// In evaluation, since this depth.
    Open(usize),
    Done(Option<Value>, Reads),
}

impl ParamState {
    /// Whether `--set` says what it is.
    pub fn is_set(&self) -> bool {
        self.set.is_some()
    }
}

impl Checker<'_> {
    /// Types and bounds of all params.
    pub fn declare_params(&mut self) {
        let program = self.names.program;
        for declared in &program.params {
            let ty = match &declared.ty {
                Some(ty) => self.param_type(ty, Env::file(declared.module)),
                None => Some(Type::Int),
            };
            self.params.push(ParamState {
                ty,
                dim: None,
                used: false,
                bounds: None,
                set: None,
                value: Evaluated::Not,
            });
        }
        for (param, declared) in program.params.iter().enumerate() {
            if param == SEED {
                let (least, most, inclusive) = (Some(0.0), None, false);
                self.params[param].bounds = Some(Bounds::Between {
                    least,
                    most,
                    inclusive,
                });
            } else if let (Some(bounds), Some(ty)) =
                (&declared.bounds, self.params[param].ty.clone())
            {
                let bounds = self.bounds(bounds, &ty, Env::file(declared.module));
                if bounds.is_none() {
                    self.params[param].ty = None;
                }
                self.params[param].bounds = bounds;
            }
        }
    }

    /// Evaluates every default once, so that bad ones are found where nothing reads them.
    pub fn validate_params(&mut self) {
        for param in 0..self.params.len() {
            self.param(param, &mut Notes::default());
        }
        for state in &mut self.params {
            state.used = false;
        }
    }

    pub fn param_type(&mut self, ty: &TypeExpr, env: Env) -> Option<Type> {
        let name = ty.name.text.as_str();
        let takes = usize::from(matches!(name, "List" | "Range" | "Quantity"));
        let plain = match name {
            "Int" => Type::Int,
            "Float" => Type::Float,
            "Bool" => Type::Bool,
            "String" => Type::String,
            "Path" => Type::Path,
            "Duration" => Type::Duration,
            "Word" => Type::Word(Vec::new()),
            "Column" => Type::Column,
            "List" | "Range" | "Quantity" => Type::Bool,
            _ if self.names.groups().contains(&name) => Type::Constructed(name.to_owned()),
            _ => {
                let mut names = vec![
                    "Int", "Float", "Bool", "String", "Path", "Duration", "Word", "Column", "List",
                    "Range", "Quantity",
                ];
                names.extend(self.names.groups());
                let message = format!("unknown type `{name}`");
                let diagnostic = Diagnostic::error(Code::UnknownType, ty.name.span, message);
                let diagnostic = match foreign::data_type(name) {
                    Some(ours) => diagnostic.hint(format!("did you mean `{ours}`?")),
                    None => diagnostic.meant(name, names.iter().copied()),
                };
                let diagnostic = diagnostic.choices("types", names.iter().copied());
                self.report(env, diagnostic);
                return None;
            }
        };
        if ty.args.len() != takes {
            let message = match takes {
                0 => format!("`{name}` takes nothing in parentheses"),
                _ if name == "Quantity" => {
                    format!("`{name}` takes one unit, found {}", ty.args.len())
                }
                _ => format!("`{name}` takes one type, found {}", ty.args.len()),
            };
            let hint = match name {
                "Quantity" => "write a unit: `Quantity(km)`",
                "List" | "Range" => "write what it holds: `List(Int)`",
                _ => "leave the parentheses out",
            };
            let diagnostic = Diagnostic::error(Code::BadParam, ty.span, message);
            self.report(env, diagnostic.hint(hint));
            return None;
        }
        let Some(inner) = ty.args.first() else {
            return Some(plain);
        };
        if name == "Quantity" {
            let unit = &inner.name;
            self.unit(unit, env)?;
            return Some(Type::Quantity(unit.text.clone()));
        }
        let inner = Box::new(self.param_type(inner, env)?);
        Some(if name == "List" {
            Type::List(inner)
        } else {
            Type::Range(inner)
        })
    }

    /// The value of a param at the point in force; none when it did not check.
    pub fn param(&mut self, param: usize, notes: &mut Notes) -> Option<Value> {
        self.params[param].used = true;
        match &self.params[param].value {
            Evaluated::Done(value, reads) => {
                notes.reads |= *reads;
                return value.clone();
            }
            Evaluated::Open(since) => {
                self.refuse_param_cycle(*since);
                return None;
            }
            Evaluated::Not => {}
        }
        self.params[param].value = Evaluated::Open(self.limits.depth);
        let mut own = Notes::default();
        let value = self.apart(|checker| checker.evaluate_param(param, &mut own));
        notes.reads |= own.reads;
        self.params[param].value = Evaluated::Done(value.clone(), own.reads);
        value
    }

    /// An error: the params in evaluation since this depth need one another.
    fn refuse_param_cycle(&mut self, since: usize) {
        let states = self.params.iter().zip(&self.names.program.params);
        let open = states.filter_map(|(state, declared)| match state.value {
            Evaluated::Open(depth) if depth >= since => Some((depth, &declared.name)),
            _ => None,
        });
        let mut cycle: Vec<(usize, &Name)> = open.collect();
        cycle.sort_by_key(|(depth, _)| *depth);
        let first = (0..cycle.len()).min_by_key(|at| cycle[*at].1.span);
        cycle.rotate_left(first.unwrap_or_default());
        let mut names = cycle.into_iter().map(|(_, name)| name);
        let Some(first) = names.next() else { return };
        let message = format!("`{}` is defined by itself", first.text);
        let mut diagnostic = Diagnostic::error(Code::CyclicDefine, first.span, message);
        for name in names {
            diagnostic = diagnostic.and(name.span, format!("through `{}`", name.text));
        }
        self.report(Env::file(MAIN), diagnostic);
    }

    /// Says of the errors since `before` where the value of a param comes from.
    pub fn blame_param(&mut self, param: usize, before: usize) {
        if self.sink.count() == before {
            return;
        }
        let declared = &self.names.program.params[param];
        let name = self.full_param_name(declared);
        let state = &self.params[param];
        let swept = state.dim.and_then(|dim| {
            let value = self.sweep.point.get(dim).copied().flatten()?;
            self.sweep.dims[dim].values.get(value as usize)
        });
        let set = state.set.as_ref().and_then(Option::as_ref);
        let text = |value: &Value| match &state.ty {
            Some(ty) => value_text(value, ty),
            None => value.to_string(),
        };
        let hint = match (swept, set) {
            (Some(value), _) => Some(format!("the sweep sets `{name}` to `{}`", text(value))),
            (None, Some(value)) => {
                let value = text(value);
                Some(format!("the value comes from `--set {name}={value}`"))
            }
            (None, None) => None,
        };
        self.sink.amend_after(before, |diagnostic| {
            // Others follow from its type.
            if !matches!(diagnostic.code, Code::UnknownChoice | Code::UnknownColumn) {
                return;
            }
            match &hint {
                Some(hint) => diagnostic.hints.push(hint.clone()),
                None if declared.default.span.file != NO_FILE => diagnostic.labels.push(Label {
                    span: declared.default.span,
                    text: format!("the default of `{name}`"),
                }),
                None => {}
            }
        });
    }

    fn evaluate_param(&mut self, param: usize, notes: &mut Notes) -> Option<Value> {
        if let Some(dim) = self.params[param].dim {
            notes.reads |= Reads::param(dim);
            if let Some(value) = self.sweep.point.get(dim).copied().flatten() {
                return self.sweep.dims[dim].values.get(value as usize).cloned();
            }
        }
        self.unswept(param, notes)
    }

    /// The value of a param where no sweep says anything: what `--set` says, or the default.
    pub fn unswept(&mut self, param: usize, notes: &mut Notes) -> Option<Value> {
        if let Some(value) = &self.params[param].set {
            return value.clone();
        }
        let declared = &self.names.program.params[param];
        self.param_value(param, &declared.default, Env::file(declared.module), notes)
    }

    /// An expression as a value of a param, within its bounds.
    pub fn param_value(
        &mut self,
        param: usize,
        expr: &Expr,
        env: Env,
        notes: &mut Notes,
    ) -> Option<Value> {
        let ty = self.params[param].ty.clone()?;
        let value = self.value(expr, env, Expected::plain(&ty), notes)?;
        self.within(param, &value, expr.span, env)?;
        Some(value)
    }

    /// Refuses a value out of a param's bounds.
    pub fn within(&mut self, param: usize, value: &Value, span: Span, env: Env) -> Option<()> {
        let state = &self.params[param];
        let Some(bad) = state
            .bounds
            .as_ref()
            .and_then(|bounds| bounds.refused(value))
        else {
            return Some(());
        };
        let program = self.names.program;
        let declared = &program.params[param];
        let shown = match &state.ty {
            Some(ty) => shown(bad, ty),
            None => bad.to_string(),
        };
        let bounds = self.bounds_text(param).unwrap_or("0..");
        let message = format!(
            "`{shown}` is out of range: `{}` must be in `{bounds}`",
            declared.name.text
        );
        let mut diagnostic = Diagnostic::error(Code::OutOfRange, span, message);
        if let Some(bounds) = &declared.bounds
            && param != SEED
        {
            diagnostic = diagnostic.and(bounds.span, "the bounds");
        }
        self.report(env, diagnostic);
        None
    }

    /// The least and the largest value that a param may have; whole numbers end within `i64`.
    pub fn ends(&self, param: usize, is_whole: bool) -> (f64, f64) {
        let (mut least, mut most) = match &self.params[param].bounds {
            Some(Bounds::Between { least, most, .. }) => (*least, *most),
            _ => (None, None),
        };
        if let Some(Bounds::Between {
            inclusive: false, ..
        }) = &self.params[param].bounds
        {
            // Values have four digits: the end itself is never met.
            most = most.map(|most| match is_whole {
                true => most - 1.0,
                false => most - most.abs().max(1e-3) * 1e-3,
            });
        }
        if is_whole {
            least = least.or(Some(-1e15));
            most = most.or(Some(1e15));
        }
        (
            least.unwrap_or(f64::NEG_INFINITY),
            most.unwrap_or(f64::INFINITY),
        )
    }

    /// What a param's values must be in, as written.
    fn bounds_text(&self, param: usize) -> Option<&str> {
        match &self.names.program.params[param].bounds {
            _ if param == SEED => Some("0.."),
            bounds => Some(self.source(bounds.as_ref()?.span)),
        }
    }

    /// The same without a fix where the text holds another name than the wrong one: that of a
    /// param whose value it is.
    pub fn fixed_where_written(&self, name: &str, mut diagnostic: Diagnostic) -> Diagnostic {
        diagnostic.fixes.retain(|fix| self.source(fix.span) == name);
        diagnostic
    }

    /// What is written at a place; nothing for text that comes from no file.
    pub fn source(&self, span: Span) -> &str {
        match self
            .names
            .program
            .sources
            .iter()
            .find(|(file, _)| *file == span.file)
        {
            Some((_, source)) => source.slice(span),
            None => "",
        }
    }

    /// After the point has changed: values that depended on it are not known any more.
    pub fn forget_swept_params(&mut self) {
        for state in &mut self.params {
            let is_fixed = matches!(&state.value, Evaluated::Done(_, reads) if reads.is_nothing());
            if !is_fixed {
                state.value = Evaluated::Not;
            }
        }
    }

    /// Once the sweeps are known: whether a value depends on the point is not known any more.
    pub fn forget_all_params(&mut self) {
        for state in &mut self.params {
            state.value = Evaluated::Not;
        }
    }

    /// Takes what `--set` says.
    pub fn set(&mut self, settings: &[(String, String)]) {
        let mut known = BTreeMap::new();
        for (name, text) in settings {
            let path: Vec<Name> = name
                .split('.')
                .map(|text| Name {
                    text: text.to_owned(),
                    span: Span::default(),
                })
                .collect();
            let param = match self.names.program.resolve(MAIN, &path) {
                _ if name == "seed" => SEED,
                Ok(Entity::Param(param)) => param,
                _ => {
                    self.refuse_setting(name);
                    continue;
                }
            };
            if let Some(first) = known.insert(param, text) {
                let message = format!("`--set {name}` is given twice: `{first}` and `{text}`");
                let diagnostic = Diagnostic::without_place(Code::DuplicateArgument, message)
                    .hint(format!("to sweep, list the values: `--set {name}=a,b`"));
                self.sink.report(diagnostic);
                continue;
            }
            if self.is_ambiguous(param, text) {
                self.ask_which_list(name, text);
                self.params[param].set = Some(None);
                continue;
            }
            let ((), found) = self.quietly(|checker| match checker.listed(param, text) {
                Some(list) => {
                    if let Some(values) = checker.swept_setting(param, &list) {
                        checker.sweep.set.push((param, values));
                    }
                }
                None => {
                    let value = checker.setting(param, text);
                    checker.params[param].set = Some(value);
                }
            });
            self.reword_setting(param, (name, text), found);
        }
    }

    fn refuse_setting(&mut self, name: &str) {
        let program = self.names.program;
        let names: Vec<String> = program
            .params
            .iter()
            .map(|declared| program.full_name(declared.module, &declared.name))
            .collect();
        let message = format!("`--set`: the experiment has no param `{name}`");
        let diagnostic = Diagnostic::without_place(Code::UnknownParam, message);
        // A param of a used file is called by the name of the file, too.
        let own = format!(".{name}");
        let diagnostic = match names.iter().find(|known| known.ends_with(&own)) {
            Some(known) => diagnostic.hint(format!("did you mean `{known}`?")),
            None => diagnostic.meant(name, names.iter().map(String::as_str)),
        };
        let diagnostic = diagnostic.choices("params", names.iter().map(String::as_str));
        self.sink.report(diagnostic);
    }

    /// Says of a bad `--set` what the param takes, where it is not a value at all.
    fn reword_setting(&mut self, param: usize, (name, text): (&str, &str), found: Vec<Diagnostic>) {
        let Some(first) = found.into_iter().find(Diagnostic::is_error) else {
            return;
        };
        let means_nothing = matches!(
            first.code,
            Code::UnknownName | Code::UnknownFunction | Code::SyntaxError
        );
        let message = match self.params[param].ty.clone() {
            Some(ty) if means_nothing => {
                let bounds = match self.bounds_text(param) {
                    Some(bounds) => format!(" in `{bounds}`"),
                    None => String::new(),
                };
                let found = match self.bad_value(param, text) {
                    Some(value) => format!(", found `{value}`"),
                    None => String::new(),
                };
                format!("expected {}{bounds}{found}", type_name(&ty))
            }
            _ => first.message,
        };
        let message = format!("`--set {name}={text}`: {message}");
        let mut diagnostic = Diagnostic::without_place(first.code, message);
        diagnostic.hints = first.hints;
        self.sink.report(diagnostic);
    }

    /// The value among those that `--set` lists which is none.
    fn bad_value<'t>(&mut self, param: usize, text: &'t str) -> Option<&'t str> {
        let values = separated(text);
        if values.len() == 1 {
            return None;
        }
        let mut values = values.into_iter().map(str::trim);
        let is_bad = |it: &mut Self, value: &str| it.setting(param, value).is_none();
        let bad = self.quietly(|it| values.find(|value| is_bad(it, value)));
        bad.0
    }

    /// Whether values with commas between them may be one list or several.
    fn is_ambiguous(&self, param: usize, text: &str) -> bool {
        let values = separated(text);
        let is_list = |value: &&str| value.trim().starts_with('[');
        matches!(self.params[param].ty, Some(Type::List(_)))
            && values.len() > 1
            && !values.iter().all(is_list)
    }

    fn ask_which_list(&mut self, name: &str, text: &str) {
        let values: Vec<&str> = separated(text).into_iter().map(str::trim).collect();
        let each = values.iter().map(|value| match value.starts_with('[') {
            true => (*value).to_owned(),
            false => format!("[{value}]"),
        });
        let each: Vec<String> = each.collect();
        let message = format!(
            "`--set {name}={text}`: `{name}` is a list: expected one list, or several to sweep"
        );
        let diagnostic = Diagnostic::without_place(Code::WrongType, message)
            .hint(format!("one list: `--set '{name}=[{}]'`", values.join(",")))
            .hint(format!("a sweep: `--set '{name}={}'`", each.join(",")));
        self.sink.report(diagnostic);
    }

    /// The values that `--set` lists, as a list in the language: `8,16,32` or `1..=3`. Commas
    /// in brackets and quotes separate nothing, nor do those of bare text.
    fn listed(&mut self, param: usize, text: &str) -> Option<Snippet> {
        let ty = self.params[param].ty.clone()?;
        let is_bare = !text.trim_start().starts_with('"');
        if is_bare && matches!(ty, Type::String | Type::Path) {
            return None;
        }
        if separated(text).len() > 1 {
            return self.snippet(&format!("[{text}]"));
        }
        let snippet = self.snippet(text)?;
        let is_range = matches!(snippet.0.kind, ExprKind::Range { .. });
        (is_range && !matches!(ty, Type::Range(_))).then_some(snippet)
    }

    fn swept_setting(&mut self, param: usize, list: &Snippet) -> Option<Vec<Value>> {
        self.swept_values(param, &list.0, Env::file(NOWHERE), &mut Notes::default())
    }

    fn setting(&mut self, param: usize, text: &str) -> Option<Value> {
        let ty = self.params[param].ty.clone()?;
        let bare = !text.trim_start().starts_with('"');
        let env = Env::file(NOWHERE);
        // A shell has eaten the quotes already.
        if bare && matches!(ty, Type::String | Type::Path) {
            let value = match ty {
                Type::Path => Value::Path(text.to_owned()),
                _ => Value::Text(text.to_owned()),
            };
            self.within(param, &value, Span::default(), env)?;
            return Some(value);
        }
        match self.snippet(text).as_deref() {
            Some((expr, None)) => self.param_value(param, expr, env, &mut Notes::default()),
            _ => {
                let diagnostic = Diagnostic::without_place(Code::SyntaxError, "no value");
                self.sink.report(diagnostic);
                None
            }
        }
    }

    /// An expression that comes from no file, with what follows it after `in`.
    pub fn snippet(&mut self, text: &str) -> Option<Snippet> {
        if let Some(known) = self.memo.snippets.get(text) {
            return known.clone();
        }
        let (tree, errors) = parse(NO_FILE, &format!("param x: Int = {text}"));
        let mut items = tree.items.into_iter();
        let parsed = match (items.next().map(|item| item.kind), items.next()) {
            (
                Some(ItemKind::Param {
                    default, bounds, ..
                }),
                None,
            ) if errors.is_empty() => Some(Rc::new((default, bounds))),
            _ => None,
        };
        self.memo.snippets.insert(text.to_owned(), parsed.clone());
        parsed
    }

    /// The seed at the point in force.
    pub fn seed(&mut self, notes: &mut Notes) -> u64 {
        match self.param(SEED, notes) {
            Some(Value::Int(seed)) => u64::try_from(seed).unwrap_or_default(),
            _ => 0,
        }
    }

    /// The value of every param outside sweeps, as text in the language.
    pub fn effective_params(&self) -> BTreeMap<String, String> {
        let states = self.params.iter().zip(&self.names.program.params);
        states
            .filter_map(|(state, declared)| match (&state.value, &state.ty) {
                (Evaluated::Done(Some(value), reads), Some(ty)) if reads.is_nothing() => {
                    Some((self.full_param_name(declared), value_text(value, ty)))
                }
                _ => None,
            })
            .collect()
    }

    fn full_param_name(&self, declared: &ParamDecl) -> String {
        self.names
            .program
            .full_name(declared.module, &declared.name)
    }

    /// Warnings about params of the main file that nothing reads.
    pub fn unused_params(&self) -> impl Iterator<Item = (&ParamDecl, bool)> {
        let states = self
            .params
            .iter()
            .zip(&self.names.program.params)
            .skip(SEED + 1);
        states
            .filter(|(state, declared)| !state.used && declared.module == MAIN)
            .map(|(state, declared)| (declared, state.dim.is_some()))
    }
}

/// The parts of a text between its commas, except those in brackets and quotes.
fn separated(text: &str) -> Vec<&str> {
    let (mut depth, mut quoted, mut escaped) = (0_i32, false, false);
    let is_separator = |character: char| {
        match character {
            '"' if !escaped => quoted = !quoted,
            '[' | '(' if !quoted => depth += 1,
            ']' | ')' if !quoted => depth -= 1,
            _ => {}
        }
        escaped = character == '\\' && !escaped;
        character == ',' && !quoted && depth == 0
    };
    text.split(is_separator).collect()
}

/// A value as one writes it: words and columns bare, quantities with their unit.
pub fn value_text(value: &Value, ty: &Type) -> String {
    match (value, ty) {
        (Value::Text(text), Type::Word(_) | Type::Column) => text.clone(),
        (Value::Float(number), Type::Quantity(unit)) => format!("{number:?} {unit}"),
        (Value::Float(number), Type::Duration) => format!("{number:?} s"),
        (Value::List(values), Type::List(inner)) => {
            let values: Vec<String> = values.iter().map(|v| value_text(v, inner)).collect();
            format!("[{}]", values.join(", "))
        }
        _ => value.to_string(),
    }
}
