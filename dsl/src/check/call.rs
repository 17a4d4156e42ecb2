//! Calls of plugins and constructors: arguments to parameters, and what follows for the result.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::bounds::{Bounds, shown};
use super::checker::Checker;
use super::columns::unknown_column;
use super::env::Env;
use super::facts::{Columns, Facts, Needed, holds_rows, nodes_of, takes_kind, union};
use super::scope::NOWHERE;
use super::value::{Want, type_name};
use crate::ast::{Arg, Expr, Name};
use crate::column::ColumnExpr;
use crate::diagnostic::{Code, Diagnostic};
use crate::experiment::{Argument, Made, Node, NodeId, Value};
use crate::nearest::{count, quoted};
use crate::signature::{ColumnRule, Makes, Need, Param, Signature};
use crate::source::Span;
use crate::types::{ColumnInfo, Kind, Over, Schema, Type};

/// What was written for one parameter.
enum Given<'e> {
    Nothing,
    /// One value, named or not.
    One(&'e Expr, Span),
    /// Positional values collected by a variadic parameter.
    Many(Vec<&'e Expr>),
    /// `name = formula` arguments.
    New(Vec<(&'e Name, &'e Expr)>),
}

impl Given<'_> {
    fn span(&self) -> Option<Span> {
        match self {
            Given::Nothing => None,
            Given::One(expr, _) => Some(expr.span),
            Given::Many(exprs) => match (exprs.first(), exprs.last()) {
                (Some(first), Some(last)) => Some(first.span.to(last.span)),
                _ => None,
            },
            Given::New(new) => match (new.first(), new.last()) {
                (Some((name, _)), Some((_, last))) => Some(name.span.to(last.span)),
                _ => None,
            },
        }
    }
}

/// The arguments of a call as far as they checked.
#[derive(Default)]
struct Args {
    values: BTreeMap<String, Argument>,
    needs: Vec<Needed>,
    /// The columns of `name = formula` arguments.
    defined: Vec<ColumnInfo>,
    broken: bool,
}

/// Everything about the call at hand that its arguments are checked by.
struct Call<'c, 'p> {
    signature: &'p Signature,
    span: Span,
    env: Env<'c>,
    name: &'c str,
}

impl<'p> Checker<'p> {
    /// The node of a plugin call; none when an error was reported.
    pub fn call(
        &mut self,
        signature: &'p Signature,
        kind: Kind,
        args: &[Arg],
        span: Span,
        env: Env,
        want: Want,
    ) -> Option<NodeId> {
        let outer = std::mem::take(&mut self.reads);
        let call = Call {
            signature,
            span,
            env,
            name: want.name,
        };
        let node = self.call_node(&call, kind, args, want.statement);
        self.reads |= outer;
        node
    }

    fn call_node(
        &mut self,
        call: &Call<'_, 'p>,
        kind: Kind,
        args: &[Arg],
        named: bool,
    ) -> Option<NodeId> {
        let signature = call.signature;
        let args = self.args(call, args, &Columns::Free)?;
        if args.broken {
            return None;
        }
        let facts = self.facts_of(call, &args)?;
        let seed = if signature.random { self.seed() } else { 0 };
        let node = Node {
            name: call.name.to_owned(),
            named,
            kind,
            plugin: signature.name.clone(),
            args: args.values,
            seed,
            point: self.point_text(self.reads),
            members: facts.members.map(|(count, _)| count),
            span: call.env.outermost_call().unwrap_or(call.span),
        };
        Some(self.add(node, facts))
    }

    /// Adds a node; a call inside a statement that is the same at another point is shared.
    fn add(&mut self, node: Node, facts: Facts) -> NodeId {
        let next = NodeId(self.nodes.len());
        if !node.named && !self.sweep.dims.is_empty() {
            let key = format!("{} {} {}", node.name, node.kind, call_text(&node));
            if let Some(known) = self.shared.get(&key) {
                return *known;
            }
            self.shared.insert(key, next);
        }
        self.nodes.push(node);
        self.facts.push(facts);
        next
    }

    /// The value of a constructor call.
    pub fn constructed(
        &mut self,
        signature: &'p Signature,
        args: &[Arg],
        span: Span,
        env: Env,
        want: Want,
    ) -> Option<Value> {
        let call = Call {
            signature,
            span,
            env,
            name: want.name,
        };
        let args = self.args(&call, args, want.columns)?;
        if args.broken {
            return None;
        }
        Some(Value::Made(Made {
            name: signature.name.clone(),
            args: args.values,
        }))
    }

    /// All arguments: first what holds data, then what speaks of its columns.
    fn args(&mut self, call: &Call<'_, 'p>, args: &[Arg], outer: &Columns) -> Option<Args> {
        let params = &call.signature.params;
        let (given, mut broken) = self.bind(call, args);
        // An argument that found no parameter is most likely the one that is missing.
        broken = broken || self.refuse_missing(call, &given).is_none();
        let mut result = Args::default();
        let pairs = || params.iter().zip(&given);
        let mut columns = None;
        for (param, given) in pairs().filter(|(param, _)| takes_kind(&param.ty)) {
            let nodes_before = result.values.len();
            self.argument(call, param, given, &Columns::Free, &mut result);
            let failed = result.values.len() == nodes_before && !matches!(given, Given::Nothing);
            if columns.is_none() {
                columns = match failed {
                    true => Some(Columns::Poisoned),
                    false => self.columns_of(param, &result),
                };
            }
        }
        let columns = columns.unwrap_or_else(|| match call.signature.makes {
            Makes::Value(_) => outer.clone(),
            Makes::Kinds(_) if broken => Columns::Poisoned,
            Makes::Kinds(_) => Columns::Free,
        });
        for (param, given) in pairs().filter(|(param, _)| !takes_kind(&param.ty)) {
            self.argument(call, param, given, &columns, &mut result);
        }
        result.broken |= broken;
        Some(result)
    }

    fn columns_of(&self, param: &Param, args: &Args) -> Option<Columns> {
        let argument = args.values.get(&param.name)?;
        let nodes = nodes_of(&argument.value);
        let schema = nodes
            .iter()
            .find_map(|node| self.facts.get(node.0)?.schema.clone())?;
        Some(Columns::Known(schema, argument.span))
    }

    /// Which expression is for which parameter.
    fn bind<'e>(&mut self, call: &Call, args: &'e [Arg]) -> (Vec<Given<'e>>, bool) {
        let params = &call.signature.params;
        let mut given: Vec<Given> = params.iter().map(|_| Given::Nothing).collect();
        let mut broken = false;
        let mut next = 0;
        let mut named: Option<Span> = None;
        for arg in args {
            let done = match arg {
                Arg::Positional(value) => match named {
                    Some(before) => {
                        let message = "a value without a name comes after a named one";
                        let code = Code::PositionalAfterNamed;
                        let diagnostic =
                            Diagnostic::error(code, value.span, message).and(before, "named here");
                        self.report(call.env, diagnostic);
                        None
                    }
                    None => self.bind_positional(call, value, &mut next, &mut given),
                },
                Arg::Named { name, value } => {
                    named.get_or_insert(name.span);
                    self.bind_named(call, name, value, &mut given)
                }
                Arg::New { name, value } => self.bind_new(call, name, value, &mut given),
            };
            broken |= done.is_none();
        }
        (given, broken)
    }

    fn bind_positional<'e>(
        &mut self,
        call: &Call,
        value: &'e Expr,
        next: &mut usize,
        given: &mut [Given<'e>],
    ) -> Option<()> {
        let params = &call.signature.params;
        while params.get(*next).is_some_and(|param| param.definitions) {
            *next += 1;
        }
        let Some((param, slot)) = params.get(*next).zip(given.get_mut(*next)) else {
            let name = &call.signature.name;
            let takes = params.iter().filter(|param| !param.definitions).count();
            let message = format!("`{name}` takes {}", count(takes));
            let diagnostic = Diagnostic::error(Code::TooManyArguments, value.span, message)
                .choices("parameters", param_names(call.signature));
            self.report(call.env, diagnostic);
            return None;
        };
        if !param.variadic {
            *next += 1;
            *slot = Given::One(value, value.span);
            return Some(());
        }
        match slot {
            Given::Many(values) => values.push(value),
            _ => *slot = Given::Many(vec![value]),
        }
        Some(())
    }

    fn bind_named<'e>(
        &mut self,
        call: &Call,
        name: &Name,
        value: &'e Expr,
        given: &mut [Given<'e>],
    ) -> Option<()> {
        let signature = call.signature;
        let at = signature
            .params
            .iter()
            .position(|param| param.name == name.text && !param.definitions);
        let Some((at, slot)) = at.and_then(|at| Some((at, given.get_mut(at)?))) else {
            let message = format!("`{}` has no parameter `{}`", signature.name, name.text);
            let mut diagnostic = Diagnostic::error(Code::UnknownArgument, name.span, message)
                .meant(&name.text, param_names(signature))
                .choices("parameters", param_names(signature));
            if signature.params.iter().any(|param| param.definitions) {
                diagnostic =
                    diagnostic.hint(format!("a new column is written `{} = …`", name.text));
            }
            self.report(call.env, diagnostic);
            return None;
        };
        let before = match slot {
            Given::Nothing => {
                *slot = Given::One(value, name.span);
                return Some(());
            }
            Given::One(_, span) => Some(*span),
            other => other.span(),
        };
        let message = format!("`{}` is given twice", signature.params[at].name);
        let diagnostic = Diagnostic::error(Code::DuplicateArgument, name.span, message)
            .and(before.unwrap_or(call.span), "first here");
        self.report(call.env, diagnostic);
        None
    }

    fn bind_new<'e>(
        &mut self,
        call: &Call,
        name: &'e Name,
        value: &'e Expr,
        given: &mut [Given<'e>],
    ) -> Option<()> {
        let signature = call.signature;
        let at = signature.params.iter().position(|param| param.definitions);
        let Some(slot) = at.and_then(|at| given.get_mut(at)) else {
            let message = format!("`{}` defines nothing new", signature.name);
            let diagnostic = Diagnostic::error(Code::UnknownArgument, name.span, message)
                .hint(format!("write `{}: value`", name.text));
            self.report(call.env, diagnostic);
            return None;
        };
        match slot {
            Given::New(new) => new.push((name, value)),
            _ => *slot = Given::New(vec![(name, value)]),
        }
        Some(())
    }

    fn refuse_missing(&mut self, call: &Call, given: &[Given]) -> Option<()> {
        let missing: Vec<&Param> = call
            .signature
            .params
            .iter()
            .zip(given)
            .filter(|(param, given)| {
                matches!(given, Given::Nothing) && param.default.is_none() && !param.optional
            })
            .map(|(param, _)| param)
            .collect();
        if missing.is_empty() {
            return Some(());
        }
        let names = quoted(missing.iter().map(|param| param.name.as_str()));
        let message = format!("`{}` misses {names}", call.signature.name);
        let mut diagnostic = Diagnostic::error(Code::MissingArgument, call.span, message);
        for param in missing {
            let doc = param.doc.lines().next().unwrap_or_default();
            let what = type_name(&param.ty);
            diagnostic = diagnostic.hint(match doc {
                "" => format!("`{}` is {what}", param.name),
                doc => format!("`{}` is {what}: {doc}", param.name),
            });
        }
        self.report(call.env, diagnostic);
        None
    }

    /// Checks one argument and notes its value and what it needs.
    fn argument(
        &mut self,
        call: &Call<'_, 'p>,
        param: &'p Param,
        given: &Given,
        columns: &Columns,
        result: &mut Args,
    ) {
        let name = format!("{}.{}", call.name, param.name);
        let want = Want {
            ty: &param.ty,
            columns,
            name: &name,
            statement: false,
        };
        let seen = self.seen.len();
        let value = match given {
            Given::Nothing => match self.default_value(call, param, want) {
                Some(value) => value,
                None => return,
            },
            Given::One(expr, _) => self.value(expr, call.env, want),
            Given::Many(exprs) => match (exprs.as_slice(), &param.ty) {
                ([expr], _) => self.value(expr, call.env, want),
                (exprs, Type::List(inner)) => {
                    self.items(exprs.iter().copied(), call.env, inner, want)
                }
                (exprs, ty) => exprs
                    .first()
                    .and_then(|expr| self.mismatch(expr, call.env, ty)),
            },
            Given::New(new) => self.definitions(call, new, columns, result),
        };
        let span = given.span().unwrap_or(call.span);
        let named = self.seen[seen..].iter();
        if param.need != Need::Here {
            result.needs.extend(named.map(|(column, span)| Needed {
                column: column.clone(),
                span: *span,
                need: param.need,
            }));
        }
        let value = value.filter(|value| self.in_range(call, param, value, span).is_some());
        match value {
            Some(value) => {
                let argument = Argument { value, span };
                result.values.insert(param.name.clone(), argument);
            }
            None => result.broken = true,
        }
    }

    fn in_range(&mut self, call: &Call, param: &'p Param, value: &Value, span: Span) -> Option<()> {
        let Some(range) = param.range.as_deref() else {
            return Some(());
        };
        let bounds = self.declared_bounds(range, &param.ty);
        let Some(bad) = bounds.as_ref().and_then(|bounds| bounds.refused(value)) else {
            return Some(());
        };
        let shown = shown(bad);
        let message = format!(
            "`{shown}` is out of range: `{}` is in `{range}`",
            param.name
        );
        self.report(call.env, Diagnostic::error(Code::OutOfRange, span, message));
        None
    }

    /// The bounds a plugin declares; none for text that is no bounds, a mistake of the plugin.
    fn declared_bounds(&mut self, range: &str, ty: &Type) -> Option<Bounds> {
        let snippet = self.snippet(&format!("0 in {range}"))?;
        let before = self.diagnostics.len();
        let bounds = self.bounds(snippet.1.as_ref()?, ty, Env::file(NOWHERE));
        self.diagnostics.truncate(before);
        bounds
    }

    /// The default of a parameter: outer none without one, inner none when it did not check.
    fn default_value(
        &mut self,
        call: &Call<'_, 'p>,
        param: &'p Param,
        want: Want,
    ) -> Option<Option<Value>> {
        let text = param.default.as_deref()?;
        let key = (call.signature.name.as_str(), param.name.as_str());
        if let Some(value) = self.defaults.get(&key) {
            return Some(Some(value.clone()));
        }
        let (errors, nodes, seen) = (self.diagnostics.len(), self.nodes.len(), self.seen.len());
        let value = match self.snippet(text) {
            Some(snippet) => self.value(&snippet.0, Env::file(NOWHERE), want),
            None => None,
        };
        // It stands in no file: complaints about it go to the call.
        for diagnostic in &mut self.diagnostics[errors..] {
            let message = format!("the default of `{}`: {}", param.name, diagnostic.message);
            *diagnostic = Diagnostic::error(diagnostic.code, call.span, message);
        }
        if let Some(value) = &value
            && (self.nodes.len(), self.seen.len()) == (nodes, seen)
        {
            self.defaults.insert(key, value.clone());
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
    ) -> Option<Value> {
        let mut columns = columns.clone();
        let mut definitions = Vec::new();
        let mut sound = true;
        for (name, expr) in new {
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
            let ty = Type::Formula(Over::Columns);
            let want = Want {
                ty: &ty,
                columns: &columns,
                name: call.name,
                statement: false,
            };
            let value = self.value(expr, call.env, want);
            let Some(Value::Formula(formula)) = value else {
                sound = false;
                // Its users must not be told that it does not exist.
                columns = Columns::Poisoned;
                continue;
            };
            let unit = match (&formula, &columns) {
                (ColumnExpr::Column(column), Columns::Known(schema, _)) => {
                    schema.find(column).and_then(|column| column.unit.clone())
                }
                _ => None,
            };
            let info = ColumnInfo {
                name: name.text.clone(),
                unit,
            };
            if let Columns::Known(schema, _) = &mut columns {
                Rc::make_mut(schema).columns.push(info.clone());
            }
            result.defined.push(info);
            definitions.push((name.text.clone(), formula));
        }
        sound.then_some(Value::Definitions(definitions))
    }

    /// What is known of the result of a call whose arguments checked.
    fn facts_of(&mut self, call: &Call<'_, 'p>, args: &Args) -> Option<Facts> {
        let mut needs = Rc::new(Vec::new());
        let inputs: Vec<(&Param, &Argument, NodeId)> = call
            .signature
            .params
            .iter()
            .filter_map(|param| Some((param, args.values.get(&param.name)?)))
            .flat_map(|(param, argument)| {
                let nodes = nodes_of(&argument.value);
                nodes.into_iter().map(move |node| (param, argument, node))
            })
            .collect();
        for (_, _, node) in &inputs {
            needs = match needs.is_empty() {
                true => Rc::clone(&self.facts[node.0].needs),
                false => union(&needs, &self.facts[node.0].needs),
            };
        }
        needs = union(&needs, &args.needs);
        let mut sound = true;
        for (param, argument, node) in &inputs {
            if holds_rows(self.nodes[node.0].kind) {
                sound &= self.meets_needs(call, param, argument, *node, &needs);
            }
        }
        let members = self.members(call, args, &inputs);
        let schema = self.schema_of(call, args, &inputs);
        let facts = Facts {
            needs,
            members: members?,
            schema: schema?,
        };
        sound.then_some(facts)
    }

    /// Whether data have the columns that the networks and predictors beside them need.
    fn meets_needs(
        &mut self,
        call: &Call,
        param: &Param,
        argument: &Argument,
        node: NodeId,
        needs: &[Needed],
    ) -> bool {
        let Some(schema) = self.facts[node.0].schema.clone() else {
            return true;
        };
        let mut sound = true;
        for needed in needs {
            let asked = needed.need == Need::Always || param.truth;
            if asked && schema.find(&needed.column).is_none() {
                let diagnostic =
                    unknown_column(&needed.column, needed.span, &schema, argument.span);
                self.report(call.env, diagnostic);
                sound = false;
            }
        }
        sound
    }

    fn members(
        &mut self,
        call: &Call,
        args: &Args,
        inputs: &[(&Param, &Argument, NodeId)],
    ) -> Option<Option<(u32, Span)>> {
        if let Some(name) = &call.signature.members {
            return match args.values.get(name) {
                Some(Argument {
                    value: Value::Int(count),
                    span,
                }) => match u32::try_from(*count) {
                    Ok(count) => Some(Some((count, *span))),
                    Err(_) => {
                        let message = format!("`{count}` is not a number of members");
                        self.report(
                            call.env,
                            Diagnostic::error(Code::OutOfRange, *span, message),
                        );
                        None
                    }
                },
                _ => Some(None),
            };
        }
        let mut first: Option<(u32, Span, Span)> = None;
        for (param, argument, node) in inputs {
            let Some((count, said)) = self.facts[node.0].members else {
                continue;
            };
            if param.gather {
                continue;
            }
            match first {
                None => first = Some((count, said, argument.span)),
                Some((other, other_said, other_place)) if other != count => {
                    let message = format!("expected {other} members, found {count}");
                    let diagnostic = Diagnostic::error(Code::MembersDiffer, argument.span, message)
                        .says(format!("{count} members"))
                        .and(other_place, format!("{other} members"))
                        .and(said, "as said here")
                        .and(other_said, "as said here");
                    self.report(call.env, diagnostic);
                    return None;
                }
                Some(_) => {}
            }
        }
        Some(first.map(|(count, said, _)| (count, said)))
    }

    /// The columns of the result, when it has or was made from data.
    fn schema_of(
        &mut self,
        call: &Call<'_, 'p>,
        args: &Args,
        inputs: &[(&Param, &Argument, NodeId)],
    ) -> Option<Option<Rc<Schema>>> {
        let of = |checker: &Self, name: &str| {
            let input = inputs.iter().find(|(param, ..)| param.name == name);
            input.and_then(|(_, _, node)| checker.facts[node.0].schema.clone())
        };
        let any = |checker: &Self| {
            inputs
                .iter()
                .find_map(|(_, _, node)| checker.facts[node.0].schema.clone())
        };
        Some(match &call.signature.columns {
            ColumnRule::None => any(self),
            ColumnRule::Like(name) => of(self, name).or_else(|| any(self)),
            ColumnRule::Extend(name) => of(self, name).or_else(|| any(self)).map(|mut schema| {
                if !args.defined.is_empty() {
                    let columns = &mut Rc::make_mut(&mut schema).columns;
                    columns.extend(args.defined.iter().cloned());
                }
                schema
            }),
            ColumnRule::Source => Some(self.source_schema(call, args)?),
        })
    }

    fn source_schema(&mut self, call: &Call, args: &Args) -> Option<Rc<Schema>> {
        let plugin = &call.signature.name;
        let mut key = plugin.clone();
        for (name, argument) in &args.values {
            key.push_str(&format!(" {name}: {}", argument.value));
        }
        if let Some(schema) = self.schemas.get(&key) {
            return Some(Rc::clone(schema));
        }
        match self.outside.schema(plugin, &args.values) {
            Ok(schema) => {
                let schema = Rc::new(schema);
                self.schemas.insert(key, Rc::clone(&schema));
                Some(schema)
            }
            Err(error) => {
                let argument = error.param.and_then(|param| args.values.get(&param));
                let span = argument.map_or(call.span, |argument| argument.span);
                let mut diagnostic = Diagnostic::error(Code::DataFile, span, error.message);
                diagnostic.hints.extend(error.hint);
                self.report(call.env, diagnostic);
                None
            }
        }
    }
}

/// A call with all its arguments, as text.
fn call_text(node: &Node) -> String {
    let mut text = format!("{} {}", node.plugin, node.seed);
    for (name, argument) in &node.args {
        text.push_str(&format!(" {name}: {}", argument.value));
    }
    text
}

fn param_names(signature: &Signature) -> impl Iterator<Item = &str> {
    let params = signature.params.iter().filter(|param| !param.definitions);
    params.map(|param| param.name.as_str())
}
