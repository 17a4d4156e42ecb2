//! The arguments of a call: each checked as its parameter says, or taken from the default.

use std::rc::Rc;

use super::Missing;
use super::binding::{Binding, missing};
use super::bounds::{Bounds, shown};
use super::call::Call;
use super::checker::Checker;
use super::columns::{Names, Times};
use super::env::Env;
use super::extent::size;
use super::known::{Args, Columns, Needed, takes_kind};
use super::memo::{ArgumentPlace, Failed, SameArgument};
use super::notes::Notes;
use super::reads::Reads;
use super::scope::{NO_FILE, NOWHERE};
use super::value::Expected;
use crate::ast::{Arg, Expr, Name};
use crate::column::{ColumnExpr, Sort};
use crate::diagnostic::{Code, Diagnostic};
use crate::experiment::{Argument, Arguments, Value};
use crate::facts::Coordinate;
use crate::signature::{ColumnRule, Makes, Need, Param};
use crate::source::Span;
use crate::types::{ColumnInfo, Content, Kind, Over, Type};

impl<'p> Checker<'p> {
    /// All arguments: first what holds data, then what speaks of its columns.
    pub fn args(
        &mut self,
        call: &Call<'_, 'p>,
        args: &[Arg],
        outer: &Columns,
        notes: &mut Notes,
    ) -> Option<Args> {
        let params = &call.signature.params;
        let (given, mut broken, lacks) = self.bind_once(call, args);
        let said = self.sink.count();
        let outer_sweep = self.sweep.across.take();
        let mut result = Args {
            values: Arguments::with_capacity(params.len()),
            ..Args::default()
        };
        let pairs = || params.iter().zip(&given);
        let (mut columns, mut of_data) = (None, false);
        for (param, given) in pairs().filter(|(param, _)| takes_kind(&param.ty)) {
            let nodes_before = result.values.len();
            self.argument(call, param, given, &Columns::Free, &mut result, notes);
            let failed = result.values.len() == nodes_before && !matches!(given, Binding::Nothing);
            let found = match failed {
                true => Some(Columns::Poisoned),
                false => self.columns_of(param, &result),
            };
            // Rows at hand have the columns, whatever a network before them was trained on.
            let is_data = param.ty == Type::Kind(Kind::Data);
            if found.is_some() && (columns.is_none() || is_data && !of_data) {
                (columns, of_data) = (found, is_data);
            }
        }
        let columns = columns.unwrap_or_else(|| match call.signature.makes {
            Makes::Value(_) => outer.clone(),
            Makes::Kinds(_) if broken => Columns::Poisoned,
            Makes::Kinds(_) => Columns::Free,
        });
        result.data_reads = notes.reads;
        if let Some(trace) = self.names.trace
            && call.span.file != NO_FILE
        {
            let schema = match &columns {
                Columns::Known(schema, _) => Some(schema.as_ref()),
                Columns::Free | Columns::Poisoned => None,
            };
            trace.call(call.span, call.signature, schema);
        }
        // What a source reads is known once all else is: conditions speak of its own columns.
        let is_source = call.signature.columns == ColumnRule::Source;
        let of_own_rows = |param: &Param, given: &Binding| {
            is_source && !matches!(given, Binding::Nothing) && speaks_of_rows(&param.ty)
        };
        let others = pairs().filter(|(param, _)| !takes_kind(&param.ty));
        for (param, given) in others.filter(|(param, given)| !of_own_rows(param, given)) {
            self.argument(call, param, given, &columns, &mut result, notes);
        }
        for (param, given) in pairs().filter(|(param, given)| of_own_rows(param, given)) {
            let own = match broken || result.broken {
                true => None,
                false => self.source_schema(call, &result),
            };
            broken |= own.is_none();
            let own = own.map_or(Columns::Poisoned, |own| Columns::Known(own, call.span));
            self.argument(call, param, given, &own, &mut result, notes);
        }
        for param in params {
            broken |= self.divides(call, param, &result.values).is_none();
        }
        if lacks {
            self.refuse_missing(call, &given, said);
        }
        result.broken |= broken;
        self.sweep.across = outer_sweep;
        Some(result)
    }

    /// Which expression is for which parameter, whether something is wrong with that, and whether
    /// all that is wrong is that some are missing. It is wrong at every point.
    fn bind_once<'e>(&mut self, call: &Call, args: &'e [Arg]) -> (Vec<Binding<'e>>, bool, bool) {
        let place = || Failed::at("", call.span, call.env);
        if self.memo.failed(place).is_some() {
            let (given, _) = self.quietly(|checker| checker.bind(call, args)).0;
            return (given, true, false);
        }
        let (given, broken) = self.bind(call, args);
        // An argument that found no parameter is most likely the one that is missing.
        let lacks = !broken && !missing(call.signature, &given).is_empty();
        if broken || lacks {
            self.memo.fail(place(), Reads::default());
        }
        (given, broken || lacks, lacks)
    }

    fn columns_of(&self, param: &Param, args: &Args) -> Option<Columns> {
        let argument = args.values.get(&param.name)?;
        let nodes = argument.value.nodes();
        let schema = nodes
            .iter()
            .find_map(|node| self.calls.facts.get(node.0)?.schema.clone())?;
        Some(Columns::Known(schema, argument.span))
    }

    /// The coordinates that an argument may name: those of the first rows of the call.
    fn coordinates_for(
        &self,
        call: &Call<'_, 'p>,
        param: &Param,
        values: &Arguments,
    ) -> Option<Vec<Coordinate>> {
        let of_coordinates = matches!(
            param.ty,
            Type::Formula(Over::Coordinates) | Type::Condition(Over::Coordinates)
        );
        let params = call.signature.params.iter().filter(|_| of_coordinates);
        let mut rows = params.filter(|param| takes_kind(&param.ty));
        let rows = values.get(&rows.next()?.name)?;
        self.about(*rows.value.nodes().first()?).coordinates()
    }

    /// Checks one argument and notes its value and what it needs.
    fn argument(
        &mut self,
        call: &Call<'_, 'p>,
        param: &'p Param,
        given: &Binding,
        columns: &Columns,
        result: &mut Args,
        notes: &mut Notes,
    ) {
        let key = (call.signature.name.as_str(), param.name.as_str());
        if let (Binding::Nothing, Some(value)) = (given, self.memo.defaults.get(&key)) {
            let (value, span) = (value.clone(), call.span);
            if self.count(size(&value), span, call.env).is_none() {
                result.broken = true;
                return;
            }
            let argument = Argument { value, span };
            result.values.insert(param.name.clone(), argument);
            return;
        }
        if param.ty == Type::Kind(Kind::Sweep) {
            result.broken |= self.across(call, given).is_none();
            return;
        }
        let span = given.span().unwrap_or(call.span);
        let place = || Failed::at(&param.name, span, call.env);
        if let Some(reads) = self.memo.failed(place) {
            notes.reads |= reads;
            result.broken = true;
            return;
        }
        let name = format_args!("{}.{}", call.name, param.name);
        let coordinates = self.coordinates_for(call, param, &result.values);
        let want = Expected {
            ty: &param.ty,
            columns,
            coordinates: coordinates.as_deref(),
            texts: param.texts,
            name: &name,
            statement: false,
            gather: call.gather || param.every_point,
        };
        let mut own = Notes::default();
        let before = self.sink.count();
        let value = match given {
            Binding::Nothing => match self.default_value(call, param, want, &mut own) {
                Some(value) => value,
                None => return,
            },
            _ => self.given_value(call, param, given, want, result, &mut own),
        };
        self.mark_default(param, before);
        if param.need != Need::Here {
            let as_numbers = match &value {
                Some(Value::Formula(formula)) => Some(formula.read_as_numbers()),
                _ => None,
            };
            let is_number = |column: &String| match &as_numbers {
                Some(read) => read.contains(&column.as_str()),
                None => !param.texts,
            };
            let named = own.columns.iter();
            result.needs.extend(named.map(|(column, span)| Needed {
                column: column.clone(),
                span: *span,
                need: param.need,
                numbers: is_number(column),
            }));
        }
        let reads = own.reads;
        notes.add(own);
        let value = value.filter(|value| self.in_range(call, param, value, span).is_some());
        let value = value.filter(|value| self.of_one_row(call, param, value, span).is_some());
        let value = value.filter(|value| self.is_there(call, value, span));
        match value {
            Some(value) => {
                let argument = Argument { value, span };
                result.values.insert(param.name.clone(), argument);
            }
            None => {
                result.broken = true;
                // The columns of a constructor's arguments are those of the call around it.
                let is_node = matches!(call.signature.makes, Makes::Kinds(_));
                if is_node && !(reads | result.data_reads).is_swept() {
                    self.memo.fail(place(), reads);
                }
            }
        }
    }

    /// The value of an argument that was written. One that speaks of columns or makes a value is
    /// evaluated once where no sweep changes it.
    fn given_value(
        &mut self,
        call: &Call<'_, 'p>,
        param: &Param,
        given: &Binding,
        want: Expected,
        result: &mut Args,
        notes: &mut Notes,
    ) -> Option<Value> {
        let is_worth_it = self.sweep.points.len() > 1
            && self.names.trace.is_none()
            && want.coordinates.is_none()
            && (param.definitions || is_compound(&param.ty));
        let place = given.span().filter(|_| is_worth_it);
        let place = place.and_then(|span| ArgumentPlace::of(param, call.span, span, call.env));
        let Some(place) = place else {
            return self.evaluated(call, param, given, want, result, notes);
        };
        if let Some(known) = self.memo.argument(&place, want.columns) {
            let (value, extent) = (known.value.clone(), known.extent);
            notes.columns.extend(known.named.iter().cloned());
            result.defined.extend(known.defined.iter().cloned());
            return self.count(extent, call.span, call.env).map(|()| value);
        }
        let (said, defined) = (self.sink.count(), result.defined.len());
        let (named, extent) = (notes.columns.len(), self.limits.extent.values());
        let value = self.evaluated(call, param, given, want, result, notes)?;
        if notes.reads.is_nothing() && self.sink.count() == said && !value.has_nodes() {
            let argument = SameArgument {
                columns: want.columns.clone(),
                value: value.clone(),
                named: notes.columns[named..].to_vec(),
                defined: result.defined[defined..].to_vec(),
                extent: self.limits.extent.values() - extent,
            };
            self.memo.keep_argument(place, argument);
        }
        Some(value)
    }

    fn evaluated(
        &mut self,
        call: &Call<'_, 'p>,
        param: &Param,
        given: &Binding,
        want: Expected,
        result: &mut Args,
        notes: &mut Notes,
    ) -> Option<Value> {
        match given {
            Binding::Nothing => None,
            Binding::One(expr, _) => self.value(expr, call.env, want, notes),
            Binding::Many(exprs) => match (exprs.as_slice(), &param.ty) {
                ([expr], _) => self.value(expr, call.env, want, notes),
                (exprs, Type::List(inner)) => {
                    self.items(exprs.iter().copied(), call.env, inner, want, notes)
                }
                (exprs, ty) => exprs
                    .first()
                    .and_then(|expr| self.mismatch(expr, call.env, ty)),
            },
            Binding::New(new) => self.definitions(call, new, want.columns, result, notes),
        }
    }

    /// Says which of the choices that errors list is the default.
    fn mark_default(&mut self, param: &Param, before: usize) {
        let Some(default) = &param.default else {
            return;
        };
        let word = format!("`{default}`");
        self.sink.amend_after(before, |diagnostic| {
            let is_list = |hint: &&mut String| hint.starts_with("choices: ");
            if diagnostic.code == Code::UnknownChoice
                && let Some(hint) = diagnostic.hints.iter_mut().find(is_list)
            {
                *hint = hint.replacen(&word, &format!("{word} (the default)"), 1);
            }
        });
    }

    /// Refuses a function of many rows in what is used row by row with other data later.
    fn of_one_row(
        &mut self,
        call: &Call<'_, 'p>,
        param: &'p Param,
        value: &Value,
        span: Span,
    ) -> Option<()> {
        let Value::Formula(formula) = value else {
            return Some(());
        };
        let Some(function) = formula.of_rows().filter(|_| param.need != Need::Here) else {
            return Some(());
        };
        let message = format!("expected a formula of one row, found `{function}` of many");
        let diagnostic = Diagnostic::error(Code::WrongType, span, message)
            .hint("make a column of it with `derive`, before rows are chosen");
        self.report(call.env, diagnostic);
        None
    }

    fn in_range(
        &mut self,
        call: &Call<'_, 'p>,
        param: &'p Param,
        value: &Value,
        span: Span,
    ) -> Option<()> {
        let Some(range) = param.range.as_deref() else {
            return Some(());
        };
        let key = (call.signature.name.as_str(), param.name.as_str());
        if !self.memo.ranges.contains_key(&key) {
            let bounds = self.declared_bounds(range, &param.ty);
            self.memo.ranges.insert(key, bounds);
        }
        let bounds = self.memo.ranges.get(&key).and_then(Option::as_ref);
        let Some(bad) = bounds.and_then(|bounds| bounds.refused(value)) else {
            return Some(());
        };
        let shown = shown(bad, &param.ty);
        let message = format!(
            "`{shown}` is out of range: `{}` must be in `{range}`",
            param.name
        );
        let mut diagnostic = Diagnostic::error(Code::OutOfRange, span, message);
        let share = match bad {
            Value::Float(percent) if param.ty == Type::Float && *percent >= 2.0 => {
                Some(Value::Float(percent / 100.0))
            }
            _ => None,
        };
        // Only what cannot be more than a whole is a share.
        let fits = |share: &Value| {
            bounds.is_some_and(|bounds| {
                bounds.refused(share).is_none() && bounds.refused(&Value::Float(1.5)).is_some()
            })
        };
        if share.as_ref().is_some_and(fits) {
            diagnostic = diagnostic.hint(format!("a share in percent is written `{shown} %`"));
        }
        self.report(call.env, diagnostic);
        None
    }

    /// Refuses what must be a divisor of another argument and is not.
    fn divides(&mut self, call: &Call, param: &Param, values: &Arguments) -> Option<()> {
        let Some(whole) = &param.divides else {
            return Some(());
        };
        let [part, of] = [&param.name, whole].map(|name| values.get(name));
        let (Some(part), Some(of)) = (part, of) else {
            return Some(());
        };
        let (Value::Int(number), Value::Int(all)) = (&part.value, &of.value) else {
            return Some(());
        };
        if all.checked_rem(*number) == Some(0) {
            return Some(());
        }
        let message = format!(
            "`{}` must divide `{whole}` ({all}), found {number}",
            param.name
        );
        let diagnostic = Diagnostic::error(Code::OutOfRange, part.span, message);
        self.report(call.env, diagnostic);
        None
    }

    /// Whether the files a value names are there. Those of a source are read for their columns.
    fn is_there(&mut self, call: &Call, value: &Value, span: Span) -> bool {
        match value {
            _ if call.signature.columns == ColumnRule::Source => true,
            Value::Path(path) => {
                let found = self.names.outside.find(path);
                let is_there = found.is_ok();
                if let Err(Missing { message, hints }) = found {
                    let mut diagnostic = Diagnostic::error(Code::DataFile, span, message);
                    diagnostic.hints.extend(hints);
                    self.report(call.env, diagnostic);
                }
                is_there
            }
            Value::List(values) => values.iter().all(|value| self.is_there(call, value, span)),
            _ => true,
        }
    }

    /// The bounds a plugin declares; none for text that is not bounds, a mistake of the plugin.
    fn declared_bounds(&mut self, range: &str, ty: &Type) -> Option<Bounds> {
        let snippet = self.snippet(&format!("0 in {range}"))?;
        let range = snippet.1.as_ref()?;
        let bounds = |checker: &mut Self| checker.bounds(range, ty, Env::file(NOWHERE));
        self.quietly(bounds).0
    }

    /// The default of a parameter: outer none without one, inner none when it did not check.
    fn default_value(
        &mut self,
        call: &Call<'_, 'p>,
        param: &'p Param,
        want: Expected,
        notes: &mut Notes,
    ) -> Option<Option<Value>> {
        let text = param.default.as_deref()?;
        let (nodes, seen) = (self.calls.nodes.len(), notes.columns.len());
        let (value, found) = match self.snippet(text) {
            Some(snippet) => {
                let value = |it: &mut Self| it.value(&snippet.0, Env::file(NOWHERE), want, notes);
                self.quietly(value)
            }
            None => (None, Vec::new()),
        };
        // It is in no file: complaints about it point at the call.
        for diagnostic in found {
            let message = format!("the default of `{}`: {}", param.name, diagnostic.message);
            let diagnostic = Diagnostic::error(diagnostic.code, call.span, message);
            self.sink.report(diagnostic);
        }
        if let Some(value) = &value
            && (self.calls.nodes.len(), notes.columns.len()) == (nodes, seen)
        {
            let key = (call.signature.name.as_str(), param.name.as_str());
            self.memo.defaults.insert(key, value.clone());
        }
        Some(value)
    }

    /// The `name = formula` arguments, each seeing those before it.
    fn definitions(
        &mut self,
        call: &Call,
        new: &[(&Name, &Expr)],
        columns: &Columns,
        result: &mut Args,
        notes: &mut Notes,
    ) -> Option<Value> {
        let mut columns = columns.clone();
        let mut definitions = Vec::new();
        let mut sound = true;
        for (name, expr) in new {
            let known = match &columns {
                Columns::Known(schema, _) => schema.columns.len(),
                _ => 0,
            };
            let looks = 1 + (name.text.len() + known) / 64;
            self.count(looks, name.span, call.env)?;
            let place = match &columns {
                Columns::Known(schema, data) => schema.find(&name.text).map(|_| *data),
                _ => None,
            };
            if let Some(data) = place {
                let message = format!("there is a column `{}` already", name.text);
                let diagnostic = Diagnostic::error(Code::DuplicateName, name.span, message)
                    .and(data, "in these data");
                self.report(call.env, diagnostic);
                sound = false;
                continue;
            }
            let names = Names::Columns(&columns);
            let term = self.term(expr, call.env, names, notes).filter(|term| {
                // A time, a number or a text, but no condition and no date of no calendar.
                let is_column = term.sort == Sort::Text || matches!(term.times, Some(Times::In(_)));
                is_column
                    || self
                        .expect_sort(term, Sort::Number, expr.span, call.env, names)
                        .is_some()
            });
            let Some(term) = term else {
                sound = false;
                // Its users must not be told that it does not exist.
                columns = Columns::Poisoned;
                continue;
            };
            let (content, single, formula) = (term.content(), term.single, term.expr);
            let unit = match (&formula, &columns, content) {
                (_, _, Content::Time(unit)) => Some(unit.text()),
                (ColumnExpr::Column(column), Columns::Known(schema, _), _) => {
                    schema.find(column).and_then(|column| column.unit.clone())
                }
                _ => None,
            };
            let info = ColumnInfo {
                name: name.text.clone(),
                unit,
                content,
                single,
            };
            if let Columns::Known(schema, _) = &mut columns {
                Rc::make_mut(schema).columns.push(info.clone());
            }
            result.defined.push(info);
            definitions.push((name.text.clone(), formula));
        }
        sound.then_some(Value::Definitions(definitions.into()))
    }
}

/// Whether an argument is a formula, a condition or made by a constructor.
fn is_compound(ty: &Type) -> bool {
    matches!(
        ty,
        Type::Formula(_) | Type::Condition(_) | Type::Constructed(_)
    )
}

/// Whether an argument is a formula or condition over columns.
fn speaks_of_rows(ty: &Type) -> bool {
    matches!(
        ty,
        Type::Formula(Over::Columns) | Type::Condition(Over::Columns)
    )
}
