//! What is known of the thing under the cursor, as Markdown.

use dsl::ast::{Arg, Expr, ExprKind, Item, ItemKind, Name, PluginItem};
use dsl::check::{Meaning, folder, join};
use dsl::column;
use dsl::signature::Catalog;
use dsl::source::{FileId, Span};
use dsl::sweep::forms::signatures;
use dsl::types::Schema;
use plugins::reference;

use super::analysis::{Analysis, contains};
use super::completion::detail;
use super::names::declared;

/// How many columns are listed before the rest is counted.
const MOST_COLUMNS: usize = 40;

/// The text, and the place it is about. `state` says what of a statement is in the store.
pub fn hover(
    analysis: &Analysis,
    catalog: &Catalog,
    state: &dyn Fn(&str) -> Option<String>,
    byte: usize,
) -> Option<(String, Span)> {
    if let Some((place, meaning, said)) = analysis.name_at(byte) {
        return named(analysis, catalog, state, place, meaning, said).map(|text| (text, place));
    }
    let mut items = analysis.trees.first()?.items.iter();
    let item = items.rfind(|item| contains(item.span, byte))?;
    let expr = match &item.kind {
        ItemKind::Statement {
            keyword,
            name,
            value,
        } => {
            if contains(keyword.span, byte) || contains(name.span, byte) {
                let text = statement(analysis, catalog, state, name)?;
                return Some((text, name.span));
            }
            value
        }
        ItemKind::Param { name, default, .. } if !contains(name.span, byte) => default,
        ItemKind::Param { name, .. }
        | ItemKind::Define { name, .. }
        | ItemKind::Plugin(PluginItem { name, .. })
            if contains(name.span, byte) =>
        {
            return Some((source_of(analysis, name.span)?, name.span));
        }
        ItemKind::Plugin(plugin) => {
            let mut params = plugin.params.iter();
            let place = params
                .find(|param| contains(param.name.span, byte))?
                .name
                .span;
            return Some((source_of(analysis, plugin.name.span)?, place));
        }
        ItemKind::Use { name, path } if contains(name.span, byte) => {
            return Some((format!("the names of `{}`", path.value), name.span));
        }
        ItemKind::Define { body, .. } => body,
        _ => return None,
    };
    in_expr(analysis, catalog, expr, byte)
}

/// Of a plugin, a parameter, a function or a value.
fn in_expr(
    analysis: &Analysis,
    catalog: &Catalog,
    expr: &Expr,
    byte: usize,
) -> Option<(String, Span)> {
    let within = |inner: &Expr| {
        contains(inner.span, byte)
            .then(|| in_expr(analysis, catalog, inner, byte))
            .flatten()
    };
    match &expr.kind {
        ExprKind::Call { callee, args } => {
            if let Some(item) = own(analysis, callee) {
                return in_own_call(analysis, item, callee, args, byte)
                    .or_else(|| args.iter().map(Arg::value).find_map(within));
            }
            let [name] = &callee[..] else {
                return args.iter().map(Arg::value).find_map(within);
            };
            let forms = signatures();
            let form = || forms.iter().find(|form| form.name == name.text);
            let signature = catalog.get(&name.text).or_else(form);
            if contains(name.span, byte) {
                let text = match signature {
                    Some(signature) => format!(
                        "```text\n{}\n```\n\n{}",
                        reference::usage(signature),
                        signature.doc
                    ),
                    None => function(&name.text)?,
                };
                return Some((text, name.span));
            }
            for arg in args {
                if let (Arg::Named { name, .. }, Some(signature)) = (arg, signature)
                    && contains(name.span, byte)
                {
                    let param = signature.param(&name.text)?;
                    let text = format!("`{}`: {}\n\n{}", param.name, detail(param), param.doc);
                    return Some((text, name.span));
                }
            }
            args.iter().map(Arg::value).find_map(within)
        }
        ExprKind::List(items) => items.iter().find_map(within),
        ExprKind::Unary { operand, .. } => within(operand),
        ExprKind::Binary { left, right, .. } => within(left).or_else(|| within(right)),
        ExprKind::Part { whole, .. } => within(whole),
        _ => {
            let (value, ty) = analysis.value_at(byte)?;
            Some((format!("`{value}`: {ty}"), expr.span))
        }
    }
}

/// The definition or plugin of the experiment's own that is called, `hub` or `robust.huber`.
fn own<'a>(analysis: &'a Analysis, callee: &[Name]) -> Option<&'a Item> {
    let mut tree = analysis.trees.first()?;
    let mut path = analysis.main().path.clone();
    let (last, modules) = callee.split_last()?;
    for module in modules {
        let used = tree.items.iter().find_map(|item| match &item.kind {
            ItemKind::Use { name, path } if name.text == module.text => Some(&path.value),
            _ => None,
        })?;
        path = join(folder(&path), used);
        tree = analysis.tree(&path)?;
    }
    let mut items = tree.items.iter();
    items.find(|item| match &item.kind {
        ItemKind::Define { name, .. } | ItemKind::Plugin(PluginItem { name, .. }) => {
            name.text == last.text
        }
        _ => false,
    })
}

/// Of the name of such a call, and of the names of its arguments.
fn in_own_call(
    analysis: &Analysis,
    item: &Item,
    callee: &[Name],
    args: &[Arg],
    byte: usize,
) -> Option<(String, Span)> {
    let place = declared(item)?.span;
    if let Some(name) = callee.last().filter(|name| contains(name.span, byte)) {
        return Some((source_of(analysis, place)?, name.span));
    }
    let named = args.iter().filter_map(|arg| match arg {
        Arg::Named { name, .. } => Some(name),
        _ => None,
    });
    let name = { named }.find(|name| contains(name.span, byte))?;
    let param = match &item.kind {
        ItemKind::Plugin(plugin) => {
            let mut params = plugin.params.iter();
            params.find(|param| param.name.text == name.text)?.span.0
        }
        ItemKind::Define { params, .. } => {
            let mut params = params.iter();
            params.find(|param| param.name.text == name.text)?.name.span
        }
        _ => return None,
    };
    let text = analysis.checked.sources.get(param.file).slice(param);
    let of = declared(item)?;
    Some((format!("`{text}` of `{}`", of.text), name.span))
}

fn named(
    analysis: &Analysis,
    catalog: &Catalog,
    state: &dyn Fn(&str) -> Option<String>,
    place: Span,
    meaning: Meaning,
    said: Span,
) -> Option<String> {
    let slice = |span: Span| analysis.checked.sources.get(span.file).slice(span);
    match meaning {
        Meaning::Statement => {
            let name = Name {
                text: slice(said).to_owned(),
                span: said,
            };
            statement(analysis, catalog, state, &name).or_else(|| source_of(analysis, said))
        }
        Meaning::Column => {
            let name = slice(place);
            let unit = analysis
                .columns_at(place.start as usize)
                .and_then(|schema| schema.find(name))
                .and_then(|column| column.unit.clone());
            let unit = unit.map_or(String::new(), |unit| format!(" in `{unit}`"));
            Some(format!("column `{name}`{unit} of `{}`", slice(said)))
        }
        Meaning::Argument => Some(format!("`{}`", slice(said))),
        Meaning::Param | Meaning::Define | Meaning::Plugin | Meaning::File => {
            source_of(analysis, said)
        }
    }
}

/// The item that declares a name, with the comment above it.
fn source_of(analysis: &Analysis, said: Span) -> Option<String> {
    let tree = analysis.trees.get(said.file.0 as usize)?;
    let item = tree
        .items
        .iter()
        .find(|item| item.span.start <= said.start && said.end <= item.span.end)?;
    let source = analysis.checked.sources.get(said.file);
    let line = |byte: u32| source.position(byte).line;
    let mut comment = Vec::new();
    let mut above = line(item.span.start);
    for one in tree.comments.iter().rev() {
        let at = line(one.span.start);
        let alone = source.position(one.span.start).column == 1;
        if at + 1 == above && alone {
            comment.push(one.text.trim_start_matches('#').trim());
            above = at;
        }
    }
    comment.reverse();
    let text: Vec<&str> = source.slice(item.span).lines().take(12).collect();
    let words = comment.join(" ");
    Some(format!("```farcast\n{}\n```\n\n{words}", text.join("\n")))
}

/// A statement: its text, what its plugin does, its columns, members and points, and what of it is
/// in the store.
fn statement(
    analysis: &Analysis,
    catalog: &Catalog,
    state: &dyn Fn(&str) -> Option<String>,
    name: &Name,
) -> Option<String> {
    let mut text = source_of(analysis, name.span)?;
    let nodes: Vec<_> = analysis.nodes(&name.text).collect();
    let Some(node) = nodes.first() else {
        return Some(text);
    };
    let mut known = Vec::new();
    if let Some(signature) = catalog.get(&node.plugin) {
        let first = signature.doc.lines().next().unwrap_or_default();
        known.push(format!("`{}`: {first}", node.plugin));
    }
    if let Some(members) = node.members {
        known.push(format!("{members} members"));
    }
    if nodes.len() > 1 {
        known.push(format!("{} points of a sweep", nodes.len()));
    }
    if let Some(trainer) = &node.trainer {
        known.push(trainer.clone());
    }
    if node.kind == dsl::types::Kind::Data
        && let Some(schema) = analysis.columns_of(node.span)
    {
        known.push(format!("columns: {}", listed(schema)));
    }
    if name.span.file == FileId(0) {
        known.extend(state(&name.text));
    }
    text += &known.join("\n\n");
    Some(text)
}

fn listed(schema: &Schema) -> String {
    let columns = schema.columns.iter().take(MOST_COLUMNS);
    let mut names: Vec<String> = columns
        .map(|column| match &column.unit {
            Some(unit) => format!("`{}` ({unit})", column.name),
            None => format!("`{}`", column.name),
        })
        .collect();
    let more = schema.columns.len().saturating_sub(MOST_COLUMNS);
    if more > 0 {
        names.push(format!("and {more} more"));
    }
    names.join(", ")
}

fn function(name: &str) -> Option<String> {
    let function = column::function(name)?;
    let takes: Vec<&str> = function.takes.iter().map(|(name, _)| *name).collect();
    Some(format!(
        "```text\n{name}({})\n```\n\n{}",
        takes.join(", "),
        function.doc
    ))
}
