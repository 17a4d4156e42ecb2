//! Words that are compared and are no names here: texts without their quotes, as in
//! `colour == red`.

use super::checker::Checker;
use super::columns::Names;
use super::env::{Env, Resolved};
use crate::ast::{Expr, ExprKind};
use crate::column;
use crate::diagnostic::{Code, Fix};

impl Checker<'_> {
    /// Whether an expression is a word that is no name here. Whether it is a text without its
    /// quotes follows from what it is compared with.
    pub fn may_be_text(&self, expr: &Expr, env: Env, names: Names) -> bool {
        let ExprKind::Name(path) = &expr.kind else {
            return false;
        };
        let [name] = &path[..] else {
            return false;
        };
        let is_known = match names {
            Names::Coordinates(known) => {
                known.is_none_or(|known| known.iter().any(|it| it.name == name.text))
            }
            names => self.is_column(path, names),
        };
        let is_nothing = matches!(self.names.find(path, env), Resolved::Nothing);
        is_nothing && !is_known && column::constant(&name.text).is_none()
    }

    /// Adds to the unknown names that were reported since that texts have quotes.
    pub fn hint_at_quotes(&mut self, before: usize) {
        for mut diagnostic in self.sink.take_after(before) {
            let is_unknown = matches!(diagnostic.code, Code::UnknownName | Code::UnknownColumn);
            if let (true, Some(label)) = (is_unknown, diagnostic.labels.first()) {
                let (span, text) = (label.span, format!("{:?}", self.source(label.span)));
                let hint = format!("a text has quotes: `{text}`");
                diagnostic.hints.insert(0, hint);
                diagnostic.fixes.push(Fix { span, text });
            }
            self.sink.report(diagnostic);
        }
    }
}
