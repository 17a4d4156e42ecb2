//! What follows for a call's result from its arguments: columns, what it needs, members.

use std::rc::Rc;

use super::call::Call;
use super::checker::Checker;
use super::columns::unknown_column;
use super::known::{Args, Inferred, Needed, holds_rows, union};
use super::reads::Reads;
use super::value::texts_for_numbers;
use crate::diagnostic::{Code, Diagnostic};
use crate::experiment::{Argument, NodeId, Value};
use crate::facts::place_of;
use crate::signature::{ColumnRule, Need, Param};
use crate::source::Span;
use crate::types::{Content, Kind, Schema, Type};

impl<'p> Checker<'p> {
    /// What is known of the result of a call whose arguments checked.
    pub fn facts_of(&mut self, call: &Call<'_, 'p>, args: &Args) -> Option<Inferred> {
        let mut needs = Rc::new(Vec::new());
        let inputs: Vec<(&Param, &Argument, NodeId)> = call
            .signature
            .params
            .iter()
            .filter_map(|param| Some((param, args.values.get(&param.name)?)))
            .flat_map(|(param, argument)| {
                let nodes = argument.value.nodes();
                nodes.into_iter().map(move |node| (param, argument, node))
            })
            .collect();
        for (_, _, node) in &inputs {
            needs = match needs.is_empty() {
                true => Rc::clone(&self.calls.facts[node.0].needs),
                false => union(&needs, &self.calls.facts[node.0].needs),
            };
        }
        needs = union(&needs, &args.needs);
        let mut sound = true;
        for (param, argument, node) in &inputs {
            if holds_rows(self.calls.nodes[node.0].kind) {
                sound &= self.meets_needs(call, param, argument, *node, &needs);
            }
        }
        let members = self.members(call, args, &inputs);
        let schema = self.schema_of(call, args, &inputs);
        let facts = Inferred {
            needs,
            members: members?,
            schema: schema?,
            reads: Reads::default(),
            known: Rc::default(),
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
        let Some(schema) = self.calls.facts[node.0].schema.clone() else {
            return true;
        };
        let mut sound = true;
        for needed in needs {
            if needed.need != Need::Always && !param.truth {
                continue;
            }
            let diagnostic = match schema.find(&needed.column) {
                None => {
                    let diagnostic =
                        unknown_column(&needed.column, needed.span, &schema, argument.span);
                    self.fixed_where_written(&needed.column, diagnostic)
                }
                Some(column) if needed.numbers && column.content == Content::Text => {
                    texts_for_numbers(&needed.column, needed.span, argument.span)
                }
                Some(_) => continue,
            };
            self.report(call.env, diagnostic);
            sound = false;
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
        // One row of weights is joined with each of many members.
        let is_many = |param: &Param, node: &NodeId| {
            let members = self.calls.facts[node.0].members;
            let is_joined = !param.gather || param.one_for_all;
            is_joined && members.is_some_and(|(count, _)| count != 1)
        };
        let joins = inputs.iter().any(|(param, _, node)| is_many(param, node));
        for (param, argument, node) in inputs {
            if joins && takes_weights(&param.ty) && !is_many(param, node) {
                continue;
            }
            let Some((count, said)) = self.calls.facts[node.0].members else {
                continue;
            };
            if param.gather && !param.one_for_all {
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
            input.and_then(|(_, _, node)| checker.calls.facts[node.0].schema.clone())
        };
        let any = |checker: &Self| {
            inputs
                .iter()
                .find_map(|(_, _, node)| checker.calls.facts[node.0].schema.clone())
        };
        Some(match &call.signature.columns {
            ColumnRule::None => any(self),
            ColumnRule::Like(name) => of(self, name).or_else(|| any(self)),
            ColumnRule::Extend(name) => {
                let base = of(self, name).or_else(|| any(self));
                base.map(|base| match args.defined.is_empty() {
                    true => base,
                    false => self.memo.extended(call.span, base, args),
                })
            }
            ColumnRule::Groups(by) => {
                let by = columns_in(args.values.get(by));
                self.expect_gathered(call, args, &by)?;
                any(self).map(|schema| {
                    let kept = by.iter().filter_map(|name| schema.find(name)).cloned();
                    let columns = kept.chain(args.defined.iter().cloned()).collect();
                    Rc::new(Schema { columns })
                })
            }
            ColumnRule::Declared { like, columns } => {
                let base = like.as_ref().map(|name| of(self, name));
                let mut schema = match base {
                    Some(base) => base?,
                    None => Rc::new(Schema::default()),
                };
                let known = &mut Rc::make_mut(&mut schema).columns;
                known.retain(|old| columns.iter().all(|new| new.name != old.name));
                known.extend(columns.iter().cloned());
                Some(schema)
            }
            ColumnRule::Source => Some(self.source_schema(call, args)?),
        })
    }

    /// Refuses a definition that differs among the rows of a group.
    fn expect_gathered(&mut self, call: &Call, args: &Args, by: &[&str]) -> Option<()> {
        let definitions = args
            .values
            .values()
            .filter_map(|argument| match &argument.value {
                Value::Definitions(definitions) => Some((definitions, argument.span)),
                _ => None,
            });
        let mut same = by.to_vec();
        for (definitions, span) in definitions {
            for (name, formula) in &**definitions {
                let Some(column) = formula.varies_with(&same) else {
                    same.push(name);
                    continue;
                };
                let message =
                    format!("expected one number per group for `{name}`, `{column}` has many");
                let diagnostic = Diagnostic::error(Code::WrongType, span, message)
                    .hint(format!("say which: `mean({column})`, `std({column})`, …"));
                self.report(call.env, diagnostic);
                return None;
            }
        }
        Some(())
    }

    /// The columns of a source; conditions on its rows change nothing of them.
    pub fn source_schema(&mut self, call: &Call, args: &Args) -> Option<Rc<Schema>> {
        let last = self.memo.sources.get(&call.span);
        if let Some((_, schema)) = last.filter(|(last, _)| *last == args.values) {
            return Some(Rc::clone(schema));
        }
        let schema = self.schema_of_source(call, args)?;
        let known = (args.values.clone(), Rc::clone(&schema));
        self.memo.sources.insert(call.span, known);
        Some(schema)
    }

    fn schema_of_source(&mut self, call: &Call, args: &Args) -> Option<Rc<Schema>> {
        let plugin = &call.signature.name;
        let mut key = plugin.clone();
        let of_rows = |value: &Value| matches!(value, Value::Formula(_));
        let others = args.values.iter();
        for (name, argument) in others.filter(|(_, it)| !of_rows(&it.value)) {
            key.push_str(&format!(" {name}: {}", argument.value));
        }
        if let Some(schema) = self.memo.schemas.get(&key) {
            return Some(Rc::clone(schema));
        }
        match self.names.outside.schema(plugin, &args.values) {
            Ok(schema) => {
                let schema = Rc::new(schema);
                self.memo.schemas.insert(key, Rc::clone(&schema));
                Some(schema)
            }
            Err(error) => {
                let param = error.param.as_ref();
                let place = param.and_then(|param| place_of(&args.values, param));
                let span = place.unwrap_or(call.span);
                let mut diagnostic = Diagnostic::error(Code::DataFile, span, error.message);
                diagnostic.hints.extend(error.hint);
                self.report(call.env, diagnostic);
                None
            }
        }
    }
}

/// Whether weights of any origin may stand here.
fn takes_weights(ty: &Type) -> bool {
    match ty {
        Type::Kind(kind) => *kind == Kind::Weights,
        Type::List(inner) => takes_weights(inner),
        Type::OneOf(types) => types.iter().any(takes_weights),
        _ => false,
    }
}

/// The names of columns in an argument.
fn columns_in(argument: Option<&Argument>) -> Vec<&str> {
    let values = match argument.map(|argument| &argument.value) {
        Some(Value::List(values)) => values.as_slice(),
        Some(value) => std::slice::from_ref(value),
        None => &[],
    };
    let names = values.iter().filter_map(|value| match value {
        Value::Text(text) => Some(text.as_str()),
        _ => None,
    });
    names.collect()
}
