//! One canonical layout for every file, comments kept.
//!
//! The printer walks the tree and takes comments from beside it by position. Where things
//! follow one another (the items of a file, the content of brackets) a comment keeps its
//! place: on a line of its own before the next thing, or after the thing it follows. A
//! comment anywhere else goes before the nearest such thing around it, with all comments in
//! that thing before it: comments never change their order.

mod strength;

use std::borrow::Cow;
use std::collections::BTreeMap;

use self::strength::{Link, Strength, begins_with_date, begins_with_step, links};

use crate::ast::{
    Arg, BinaryOp, Comment, DefineParam, Expr, ExprKind, Item, ItemKind, Name, PluginItem,
    PluginParam, TypeExpr, UnaryOp,
};
use crate::diagnostic::Diagnostic;
use crate::name::{is_bare, written};
use crate::parse::parse;
use crate::source::{FileId, Span};

/// The longest line, in characters, unless a single word is longer.
pub const WIDTH: usize = 100;

const INDENT: usize = 4;

/// The text in canonical form.
///
/// # Errors
/// The syntax errors, when it has any: such a file is left as it is.
pub fn format(text: &str) -> Result<String, Vec<Diagnostic>> {
    let (file, diagnostics) = parse(FileId::default(), text);
    if diagnostics.is_empty() {
        Ok(Printer::new(text, &file.comments).file(&file.items))
    } else {
        Err(diagnostics)
    }
}

/// One of the things in brackets: `value`, `name: value`, `name = value` or `name`, or the
/// parameter of a plugin.
#[derive(Clone, Copy)]
struct Slot<'a> {
    name: Option<(&'a Name, &'static str)>,
    value: Option<&'a Expr>,
    declared: Option<&'a PluginParam>,
}

impl<'a> Slot<'a> {
    fn element(value: &'a Expr) -> Self {
        Self {
            name: None,
            value: Some(value),
            declared: None,
        }
    }

    fn arg(arg: &'a Arg) -> Self {
        let name = match arg {
            Arg::Positional(_) => None,
            Arg::Named { name, .. } => Some((name, ": ")),
            Arg::New { name, .. } => Some((name, " = ")),
        };
        Self {
            name,
            value: Some(arg.value()),
            declared: None,
        }
    }

    fn param(param: &'a DefineParam) -> Self {
        let value = param.default.as_ref();
        let joint = if value.is_some() { " = " } else { "" };
        Self {
            name: Some((&param.name, joint)),
            value,
            declared: None,
        }
    }

    fn declared(param: &'a PluginParam) -> Self {
        Self {
            name: None,
            value: None,
            declared: Some(param),
        }
    }

    fn span(self) -> Span {
        if let Some(param) = self.declared {
            return param.span.0;
        }
        let name = self.name.map(|(name, _)| name.span);
        let value = self.value.map(|value| value.span);
        match (name, value) {
            (Some(name), Some(value)) => name.to(value),
            (name, value) => name.or(value).unwrap_or_default(),
        }
    }
}

struct Printer<'a> {
    text: &'a str,
    /// Comments still to be printed, by where they start.
    comments: BTreeMap<u32, &'a str>,
    out: String,
    column: usize,
    indent: usize,
    /// While trying to print on one line: the last column there is.
    limit: Option<usize>,
}

impl<'a> Printer<'a> {
    fn new(text: &'a str, comments: &'a [Comment]) -> Self {
        let comments = comments.iter();
        Self {
            text,
            comments: comments
                .map(|comment| (comment.span.start, comment.text.as_str()))
                .collect(),
            out: String::with_capacity(text.len()),
            column: 0,
            indent: 0,
            limit: None,
        }
    }

    fn file(mut self, items: &[Item]) -> String {
        for item in items {
            self.own_lines_before(item.span.start);
            self.keep_blank_line(item.span.start);
            self.homeless(item.span, |at| item_houses(item, at));
            self.item(item);
            self.trailing(item.span.end, u32::MAX);
            self.line();
        }
        self.own_lines_before(u32::MAX);
        self.out
    }

    fn own_lines_before(&mut self, position: u32) {
        while let Some((at, text)) = self.first_comment(0, position) {
            self.comments.remove(&at);
            self.keep_blank_line(at);
            self.push(text);
            self.line();
        }
    }

    /// A blank line before what starts at `position`, if the text has any there.
    fn keep_blank_line(&mut self, position: u32) {
        let before = self.text.get(..position as usize).unwrap_or_default();
        let blanks = &before[before.trim_end().len()..];
        if blanks.matches('\n').count() > 1 && !self.out.is_empty() {
            self.line();
        }
    }

    fn item(&mut self, item: &Item) {
        match &item.kind {
            ItemKind::Broken { .. } => self.source(item.span),
            ItemKind::Experiment { title, about } => {
                self.push("experiment ");
                self.source(title.span);
                self.about(about, about_span(title.span, item.span));
            }
            ItemKind::Use { path, name } => {
                self.push("use ");
                self.source(path.span);
                self.push(" as ");
                self.push(&name.text);
            }
            ItemKind::Param {
                name,
                ty,
                default,
                bounds,
            } => {
                if let Some(ty) = ty {
                    self.push("param ");
                    self.push(&name.text);
                    self.push(": ");
                    self.type_expr(ty);
                } else {
                    self.push(&name.text);
                }
                self.push(" = ");
                self.operand(default, holds_in(default), 0);
                if let Some(bounds) = bounds {
                    self.push(" in ");
                    self.expr(bounds, 0);
                }
            }
            ItemKind::Define { name, params, body } => {
                self.push("define ");
                self.push(&name.text);
                self.params(params, params_span(name, params));
                self.push(" = ");
                self.expr(body, 0);
            }
            ItemKind::Plugin(plugin) => self.plugin(plugin, item.span),
            ItemKind::Statement {
                keyword,
                name,
                value,
            } => {
                self.push(&keyword.text);
                self.push(" ");
                self.push(&name.text);
                self.push(" = ");
                self.expr(value, 0);
            }
        }
    }

    fn type_expr(&mut self, ty: &TypeExpr) {
        self.push(&ty.name.text);
        // Only words are several in a list.
        let joint = if ty.name.text == "List" { " | " } else { ", " };
        for (index, arg) in ty.args.iter().enumerate() {
            self.push(if index == 0 { "(" } else { joint });
            self.type_expr(arg);
        }
        self.push(if ty.args.is_empty() { "" } else { ")" });
    }

    fn plugin(&mut self, plugin: &PluginItem, whole: Span) {
        self.push("plugin ");
        self.push(&plugin.name.text);
        let slots: Vec<Slot<'_>> = plugin.params.iter().map(Slot::declared).collect();
        let span = declared_span(plugin);
        let head = |printer: &mut Self| printer.sequence("(", &slots, ")", span);
        let tail = |printer: &mut Self| {
            printer.push(" = ");
            printer.push(&plugin.makes.text);
            printer.push(" from ");
            printer.source(plugin.from.span);
            for option in &plugin.options {
                printer.push(", ");
                printer.push(&option.name.text);
                for (index, word) in option.value.iter().enumerate() {
                    printer.push(if index == 0 { ": " } else { " " });
                    printer.source(word.span);
                }
            }
        };
        let line = |printer: &mut Self| {
            head(printer);
            tail(printer);
        };
        if slots.is_empty() || !self.fits(whole, 0, line) {
            head(self);
            tail(self);
        }
    }

    fn declared(&mut self, param: &PluginParam) {
        self.push(&param.name.text);
        self.push(if param.optional { "?: " } else { ": " });
        for (index, ty) in param.types.iter().enumerate() {
            self.push(if index == 0 { "" } else { " | " });
            self.type_expr(ty);
        }
        if let Some(default) = &param.default {
            self.push(" = ");
            self.operand(default, holds_in(default), ",".len());
        }
        if let Some(bounds) = &param.bounds {
            self.push(" in ");
            self.expr(bounds, ",".len());
        }
    }

    fn about(&mut self, about: &[Arg], span: Span) {
        if about.is_empty() {
            return;
        }
        self.push(" ");
        let slots: Vec<Slot<'_>> = about.iter().map(Slot::arg).collect();
        let print = |printer: &mut Self| printer.sequence("(", &slots, ")", span);
        if !self.fits(span, 0, print) {
            print(self);
        }
    }

    fn params(&mut self, params: &[DefineParam], span: Span) {
        let slots: Vec<Slot<'_>> = params.iter().map(Slot::param).collect();
        let print = |printer: &mut Self| printer.sequence("(", &slots, ")", span);
        if !self.fits(span, " = ".len(), print) {
            print(self);
        }
    }

    /// Prints an expression that `tail` more characters must follow on its last line.
    fn expr(&mut self, expr: &Expr, tail: usize) {
        let print = |printer: &mut Self| printer.shape(expr, tail);
        if self.limit.is_some() || !self.fits(expr.span, tail, print) {
            print(self);
        }
    }

    /// Prints something on the rest of the line, or nothing if it needs more.
    fn fits(&mut self, span: Span, tail: usize, print: impl FnOnce(&mut Self)) -> bool {
        if self.first_comment(span.start, span.end).is_some() {
            return false;
        }
        let (length, column) = (self.out.len(), self.column);
        self.limit = Some(WIDTH.saturating_sub(tail));
        print(self);
        let fits = !self.is_full();
        self.limit = None;
        if !fits {
            self.out.truncate(length);
            self.column = column;
        }
        fits
    }

    /// Whether it is already clear that one line is not enough.
    fn is_full(&self) -> bool {
        self.limit.is_some_and(|limit| self.column > limit)
    }

    fn shape(&mut self, expr: &Expr, tail: usize) {
        match &expr.kind {
            ExprKind::Int { unit, .. } | ExprKind::Float { unit, .. } => {
                self.number(expr.span, unit.as_ref());
            }
            ExprKind::Bool(_) | ExprKind::Text(_) | ExprKind::Date(_) => self.source(expr.span),
            ExprKind::Name(path) => self.path(path),
            ExprKind::List(elements) => {
                let slots: Vec<Slot<'_>> = elements.iter().map(Slot::element).collect();
                self.sequence("[", &slots, "]", expr.span);
            }
            ExprKind::Call { callee, args } => {
                self.path(callee);
                let slots: Vec<Slot<'_>> = args.iter().map(Slot::arg).collect();
                self.sequence("(", &slots, ")", expr.span);
            }
            ExprKind::Part { whole, path } => {
                let length: usize = path.iter().map(|name| name.text.len() + 1).sum();
                self.expr(whole, tail + length);
                self.push(".");
                self.path(path);
            }
            ExprKind::Range {
                start,
                end,
                inclusive,
                step,
            } => {
                if let Some(start) = start {
                    self.operand(start, start.strength() == Strength::Range, 0);
                }
                self.push(if *inclusive { "..=" } else { ".." });
                if let Some(end) = end {
                    let reads_as_step = start.is_some() && !inclusive && begins_with_step(end);
                    self.operand(
                        end,
                        end.strength() == Strength::Range || reads_as_step,
                        tail,
                    );
                }
                if let Some(step) = step {
                    self.push(" step ");
                    self.operand(step, step.strength() == Strength::Range, tail);
                }
            }
            ExprKind::Unary { op, operand } => {
                self.push(match op {
                    UnaryOp::Negate => "-",
                    UnaryOp::Not => "not ",
                });
                // With the minus before it, a date is another one.
                let is_other = *op == UnaryOp::Negate && begins_with_date(operand);
                let in_parens = is_other || operand.strength() < expr.strength();
                self.operand(operand, in_parens, tail);
            }
            ExprKind::Binary { .. } => self.chain(expr, tail),
        }
    }

    /// Operators of one strength: on one line when trying that, else each line takes as many
    /// as it holds, and all but the first begin with an operator.
    fn chain(&mut self, expr: &Expr, tail: usize) {
        let (first, links) = links(expr);
        let Some(innermost) = links.first() else {
            return;
        };
        self.operand(first, innermost.needs_parens(first), 0);
        let indent = self.indent;
        for (index, link) in links.iter().enumerate() {
            let tail = if index + 1 < links.len() { 0 } else { tail };
            let print = |printer: &mut Self| printer.link(link, tail);
            if self.limit.is_some() {
                print(self);
            } else if !self.fits(link.right.span, tail, print) {
                let (length, column, around) = (self.out.len(), self.column, self.indent);
                self.indent = indent + INDENT;
                self.line();
                if !self.fits(link.right.span, tail, print) {
                    // No line holds it: its brackets are broken where it stands.
                    self.out.truncate(length);
                    (self.column, self.indent) = (column, around);
                    print(self);
                }
            }
        }
        self.indent = indent;
    }

    fn link(&mut self, link: &Link<'_>, tail: usize) {
        if self.is_full() {
            return;
        }
        self.push(if self.column == 0 { "" } else { " " });
        self.push(link.op.symbol());
        self.push(" ");
        self.operand(link.right, link.right_in_parens, tail);
    }

    fn operand(&mut self, expr: &Expr, in_parens: bool, tail: usize) {
        if self.is_full() {
            return;
        }
        if in_parens {
            self.push("(");
            self.expr(expr, tail + 1);
            self.push(")");
        } else {
            self.expr(expr, tail);
        }
    }

    /// The content of brackets: on one line when trying that, one per line else.
    fn sequence(&mut self, open: &str, slots: &[Slot<'_>], close: &str, span: Span) {
        self.push(open);
        let has_comments = self.first_comment(span.start, span.end).is_some();
        if self.limit.is_some() {
            for (index, slot) in slots.iter().enumerate() {
                if self.is_full() {
                    return;
                }
                self.push(if index == 0 { "" } else { ", " });
                self.slot(*slot);
            }
        } else if has_comments || !slots.is_empty() {
            self.indent += INDENT;
            if !has_comments
                && open == "["
                && slots.iter().all(|slot| slot.value.is_some_and(is_scalar))
            {
                self.filled_lines(slots);
            } else {
                self.lines(slots, span);
            }
            self.indent -= INDENT;
            self.line();
        }
        self.push(close);
    }

    fn lines(&mut self, slots: &[Slot<'_>], span: Span) {
        for (index, slot) in slots.iter().enumerate() {
            let next = slots
                .get(index + 1)
                .map_or(span.end, |slot| slot.span().start);
            self.line();
            while let Some((at, text)) = self.first_comment(span.start, slot.span().start) {
                self.own_line(at, text);
            }
            let houses = |at| {
                slot.value.is_some_and(|value| houses(value, at))
                    || slot.declared.is_some_and(|param| param_houses(param, at))
            };
            self.homeless(slot.span(), houses);
            self.slot(*slot);
            self.push(",");
            self.trailing(slot.span().end, next);
        }
        while let Some((at, text)) = self.first_comment(span.start, span.end) {
            self.line();
            self.comments.remove(&at);
            self.push(text);
        }
    }

    /// As many short things on each line as it holds.
    fn filled_lines(&mut self, slots: &[Slot<'_>]) {
        self.line();
        for slot in slots {
            let print = |printer: &mut Self| {
                printer.push(if printer.column == 0 { "" } else { " " });
                printer.slot(*slot);
            };
            if !self.fits(slot.span(), ",".len(), print) {
                if self.column > 0 {
                    self.line();
                }
                print(self);
            }
            self.push(",");
        }
    }

    fn slot(&mut self, slot: Slot<'_>) {
        if let Some(param) = slot.declared {
            self.declared(param);
        }
        if let Some((name, joint)) = slot.name {
            self.push(&argument_name(&name.text, joint));
            self.push(joint);
        }
        if let Some(value) = slot.value {
            self.expr(value, ",".len());
        }
    }

    fn path(&mut self, path: &[Name]) {
        for (index, name) in path.iter().enumerate() {
            self.push(if index == 0 { "" } else { "." });
            self.push(&written(&name.text));
        }
    }

    /// A number keeps the spelling it was given.
    fn number(&mut self, span: Span, unit: Option<&Name>) {
        let end = unit.map_or(span.end, |unit| unit.span.start);
        let digits = self.slice(Span { end, ..span }).trim_end();
        self.push(digits);
        if let Some(unit) = unit {
            self.push(" ");
            self.push(&unit.text);
        }
    }

    fn source(&mut self, span: Span) {
        let written = self.slice(span);
        self.push(written);
    }

    fn slice(&self, span: Span) -> &'a str {
        let range = span.start as usize..span.end as usize;
        self.text.get(range).unwrap_or_default()
    }

    fn push(&mut self, text: &str) {
        if self.column == 0 && !text.is_empty() {
            self.out.extend(std::iter::repeat_n(' ', self.indent));
            self.column = self.indent;
        }
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn line(&mut self) {
        self.out.push('\n');
        self.column = 0;
    }

    /// The first comment that is not printed yet and starts in `from..to`.
    fn first_comment(&self, from: u32, to: u32) -> Option<(u32, &'a str)> {
        let mut comments = self.comments.range(from..to.max(from));
        comments.next().map(|(at, text)| (*at, *text))
    }

    fn own_line(&mut self, at: u32, text: &str) {
        self.comments.remove(&at);
        self.push(text);
        self.line();
    }

    /// Prints the comments inside `span` up to the last one that nothing in it will print.
    fn homeless(&mut self, span: Span, is_housed: impl Fn(u32) -> bool) {
        let mut inside = self.comments.range(span.start..span.end);
        let Some((last, _)) = inside.rfind(|(at, _)| !is_housed(**at)) else {
            return;
        };
        let last = *last;
        while let Some((at, text)) = self.first_comment(span.start, last + 1) {
            self.own_line(at, text);
        }
    }

    /// The comment on the line where something ends, if the next thing is not on it.
    fn trailing(&mut self, end: u32, next: u32) {
        let Some((at, text)) = self.first_comment(end, next) else {
            return;
        };
        if !self
            .slice(Span {
                file: FileId::default(),
                start: end,
                end: at,
            })
            .contains('\n')
        {
            self.comments.remove(&at);
            self.push("  ");
            self.push(text);
        }
    }
}

/// Whether a comment is in brackets of an item that may be broken over lines.
fn item_houses(item: &Item, at: u32) -> bool {
    match &item.kind {
        ItemKind::Use { .. } | ItemKind::Broken { .. } => false,
        ItemKind::Experiment { title, about } => {
            let span = about_span(title.span, item.span);
            !about.is_empty() && (span.start..span.end).contains(&at)
        }
        ItemKind::Param {
            default, bounds, ..
        } => houses(default, at) || bounds.as_ref().is_some_and(|bounds| houses(bounds, at)),
        ItemKind::Define { name, params, body } => {
            let span = params_span(name, params);
            (span.start..span.end).contains(&at) || houses(body, at)
        }
        ItemKind::Plugin(plugin) => {
            let span = declared_span(plugin);
            (span.start..span.end).contains(&at)
        }
        ItemKind::Statement { value, .. } => houses(value, at),
    }
}

/// Whether a comment is in brackets of the default or the bounds of a plugin's parameter.
fn param_houses(param: &PluginParam, at: u32) -> bool {
    let mut parts = param.default.iter().chain(&param.bounds);
    parts.any(|part| houses(part, at))
}

/// From the title of an experiment to the end of its item.
fn about_span(title: Span, item: Span) -> Span {
    Span {
        start: title.end,
        ..item
    }
}

/// From the name of a plugin to the kind it makes, where its parameters end.
fn declared_span(plugin: &PluginItem) -> Span {
    Span {
        start: plugin.name.span.end,
        end: plugin.makes.span.start,
        ..plugin.name.span
    }
}

/// From the name of a definition to the last of its parameters.
fn params_span(name: &Name, params: &[DefineParam]) -> Span {
    let start = name.span.end;
    let end = params
        .last()
        .map_or(start, |last| Slot::param(last).span().end);
    Span {
        start,
        end,
        ..name.span
    }
}

/// Whether a comment that starts at `at` is in brackets of this expression.
fn houses(expr: &Expr, at: u32) -> bool {
    if at < expr.span.start || at >= expr.span.end {
        return false;
    }
    let any = |parts: &[&Option<Box<Expr>>]| {
        let mut parts = parts.iter().copied().flatten();
        parts.any(|part| houses(part, at))
    };
    match &expr.kind {
        ExprKind::List(_) => true,
        ExprKind::Call { callee, .. } => callee.last().is_some_and(|name| at >= name.span.end),
        ExprKind::Range {
            start, end, step, ..
        } => any(&[start, end, step]),
        ExprKind::Part { whole: part, .. } | ExprKind::Unary { operand: part, .. } => {
            houses(part, at)
        }
        ExprKind::Binary { left, right, .. } => houses(left, at) || houses(right, at),
        ExprKind::Int { .. }
        | ExprKind::Float { .. }
        | ExprKind::Bool(_)
        | ExprKind::Date(_)
        | ExprKind::Text(_)
        | ExprKind::Name(_) => false,
    }
}

/// Whether a default has an `in` that would read as the one before its bounds.
fn holds_in(expr: &Expr) -> bool {
    let any = |parts: &[&Option<Box<Expr>>]| {
        let mut parts = parts.iter().copied().flatten();
        parts.any(|part| holds_in(part))
    };
    match &expr.kind {
        ExprKind::Binary {
            op, left, right, ..
        } => *op == BinaryOp::In || holds_in(left) || holds_in(right),
        ExprKind::Unary { operand, .. } => holds_in(operand),
        ExprKind::Range {
            start, end, step, ..
        } => any(&[start, end, step]),
        _ => false,
    }
}

/// The name before an argument; the params of used files have points in theirs.
fn argument_name<'n>(name: &'n str, joint: &str) -> Cow<'n, str> {
    match joint == ": " && name.split('.').all(is_bare) {
        true => Cow::Borrowed(name),
        false => written(name),
    }
}

fn is_scalar(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Unary { operand, .. } => is_scalar(operand),
        kind => !matches!(
            kind,
            ExprKind::List(_)
                | ExprKind::Call { .. }
                | ExprKind::Part { .. }
                | ExprKind::Range { .. }
                | ExprKind::Binary { .. }
        ),
    }
}

#[cfg(test)]
mod tests;
