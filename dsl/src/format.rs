//! One canonical layout for every file, comments kept.
//!
//! The printer walks the tree and takes comments from beside it by position. Where things
//! follow one another (the items of a file, what stands in brackets) a comment keeps its
//! place: on a line of its own before the next thing, or after the thing it follows. A
//! comment anywhere else goes before the nearest such thing around it.

mod strength;

use std::collections::BTreeMap;

use self::strength::{Strength, begins_with_minus, begins_with_step, ends_with_number};

use crate::ast::{Arg, BinaryOp, Comment, Expr, ExprKind, Item, ItemKind, Name, TypeExpr, UnaryOp};
use crate::diagnostic::Diagnostic;
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

/// Something that may have comments before and after it.
#[derive(Clone, Copy)]
enum Slot<'a> {
    Arg(&'a Arg),
    Element(&'a Expr),
}

impl<'a> Slot<'a> {
    fn value(self) -> &'a Expr {
        match self {
            Slot::Arg(arg) => arg.value(),
            Slot::Element(expr) => expr,
        }
    }

    fn span(self) -> Span {
        let value = self.value().span;
        match self {
            Slot::Arg(Arg::Named { name, .. } | Arg::New { name, .. }) => name.span.to(value),
            Slot::Arg(Arg::Positional(_)) | Slot::Element(_) => value,
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
            let values = values(item);
            self.homeless(item.span, &values);
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
            ItemKind::Experiment { title } => {
                self.push("experiment ");
                self.source(title.span);
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
                self.expr(default, 0);
                if let Some(bounds) = bounds {
                    self.push(" in ");
                    self.expr(bounds, 0);
                }
            }
            ItemKind::Define { name, params, body } => {
                self.push("define ");
                self.push(&name.text);
                self.push("(");
                for (index, param) in params.iter().enumerate() {
                    self.push(if index == 0 { "" } else { ", " });
                    self.push(&param.name.text);
                    if let Some(default) = &param.default {
                        self.push(" = ");
                        self.expr(default, 0);
                    }
                }
                self.push(") = ");
                self.expr(body, 0);
            }
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
        for (index, arg) in ty.args.iter().enumerate() {
            self.push(if index == 0 { "(" } else { ", " });
            self.type_expr(arg);
        }
        self.push(if ty.args.is_empty() { "" } else { ")" });
    }

    /// Prints an expression that `tail` more characters must follow on its last line.
    fn expr(&mut self, expr: &Expr, tail: usize) {
        if self.limit.is_some() || !self.fits(expr, tail) {
            self.shape(expr, tail);
        }
    }

    /// Prints an expression on the rest of the line, or nothing if it needs more.
    fn fits(&mut self, expr: &Expr, tail: usize) -> bool {
        if self.first_comment(expr.span.start, expr.span.end).is_some() {
            return false;
        }
        let (length, column) = (self.out.len(), self.column);
        self.limit = Some(WIDTH.saturating_sub(tail));
        self.shape(expr, tail);
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
            ExprKind::Bool(_) | ExprKind::Text(_) => self.source(expr.span),
            ExprKind::Name(path) => self.path(path),
            ExprKind::List(elements) => {
                let slots: Vec<Slot<'_>> = elements.iter().map(Slot::Element).collect();
                self.sequence("[", &slots, "]", expr.span);
            }
            ExprKind::Call { callee, args } => {
                self.path(callee);
                let slots: Vec<Slot<'_>> = args.iter().map(Slot::Arg).collect();
                self.sequence("(", &slots, ")", expr.span);
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
                self.operand(operand, operand.strength() < expr.strength(), tail);
            }
            ExprKind::Binary {
                op, left, right, ..
            } => self.binary(*op, left, right, tail),
        }
    }

    fn binary(&mut self, op: BinaryOp, left: &Expr, right: &Expr, tail: usize) {
        let own = Strength::of(op);
        let left_in_parens = match own {
            Strength::Comparison | Strength::Power => left.strength() <= own,
            _ => left.strength() < own,
        };
        let right_in_parens = match own {
            Strength::Power => right.strength() < Strength::Negate,
            _ => right.strength() <= own,
        };
        let reads_as_percent = op == BinaryOp::Remainder
            && ends_with_number(left)
            && (begins_with_minus(right) || begins_with_step(right));
        self.operand(left, left_in_parens, 0);
        self.push(" ");
        self.push(op.symbol());
        self.push(" ");
        self.operand(right, right_in_parens || reads_as_percent, tail);
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

    /// What stands in brackets: on one line when trying that, one per line else.
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
            if !has_comments && open == "[" && slots.iter().all(|slot| is_scalar(slot.value())) {
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
            self.homeless(slot.span(), &[slot.value()]);
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
        for (index, slot) in slots.iter().enumerate() {
            let blank = if index == 0 { "" } else { " " };
            let (length, column) = (self.out.len(), self.column);
            self.push(blank);
            if !self.fits(slot.value(), 1) {
                self.out.truncate(length);
                self.column = column;
                if index > 0 {
                    self.line();
                }
                self.slot(*slot);
            }
            self.push(",");
        }
    }

    fn slot(&mut self, slot: Slot<'_>) {
        match slot {
            Slot::Arg(Arg::Named { name, .. }) => {
                self.push(&name.text);
                self.push(": ");
            }
            Slot::Arg(Arg::New { name, .. }) => {
                self.push(&name.text);
                self.push(" = ");
            }
            Slot::Arg(Arg::Positional(_)) | Slot::Element(_) => {}
        }
        self.expr(slot.value(), 1);
    }

    fn path(&mut self, path: &[Name]) {
        for (index, name) in path.iter().enumerate() {
            self.push(if index == 0 { "" } else { "." });
            self.push(&name.text);
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

    /// The comments inside `span` that none of the brackets in `values` will print.
    fn homeless(&mut self, span: Span, values: &[&Expr]) {
        let inside = self.comments.range(span.start..span.end);
        let homeless: Vec<(u32, &str)> = inside
            .filter(|(at, _)| !values.iter().any(|value| houses(value, **at)))
            .map(|(at, text)| (*at, *text))
            .collect();
        for (at, text) in homeless {
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

/// The expressions of an item whose brackets may be broken over lines.
fn values(item: &Item) -> Vec<&Expr> {
    match &item.kind {
        ItemKind::Experiment { .. } | ItemKind::Use { .. } => Vec::new(),
        ItemKind::Param {
            default, bounds, ..
        } => std::iter::once(default).chain(bounds).collect(),
        ItemKind::Define { params, body, .. } => {
            let defaults = params.iter().filter_map(|param| param.default.as_ref());
            defaults.chain([body]).collect()
        }
        ItemKind::Statement { value, .. } => vec![value],
    }
}

/// Whether a comment that starts at `at` stands in brackets of this expression.
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
        ExprKind::Unary { operand, .. } => houses(operand, at),
        ExprKind::Binary { left, right, .. } => houses(left, at) || houses(right, at),
        ExprKind::Int { .. }
        | ExprKind::Float { .. }
        | ExprKind::Bool(_)
        | ExprKind::Text(_)
        | ExprKind::Name(_) => false,
    }
}

fn is_scalar(expr: &Expr) -> bool {
    match &expr.kind {
        ExprKind::Unary { operand, .. } => is_scalar(operand),
        kind => !matches!(
            kind,
            ExprKind::List(_)
                | ExprKind::Call { .. }
                | ExprKind::Range { .. }
                | ExprKind::Binary { .. }
        ),
    }
}

#[cfg(test)]
mod tests;
