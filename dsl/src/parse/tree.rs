//! Pairs of the grammar to the spanned tree of one item.

use std::sync::LazyLock;

use pest::iterators::{Pair, Pairs};
use pest::pratt_parser::{Assoc, Op, PrattParser};

use super::expected::{reserved_hint, visible};
use super::grammar::Rule;
use super::place::Place;
use crate::ast::{
    Arg, BinaryOp, DefineParam, Expr, ExprKind, ItemKind, ItemSpan, Name, OpSpan, PluginItem,
    PluginOption, PluginParam, Text, TypeExpr, UnaryOp,
};
use crate::calendar::{Calendar, DateTime};
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;

/// The operators' strengths, loosest first.
static OPERATORS: LazyLock<PrattParser<Rule>> = LazyLock::new(|| {
    PrattParser::new()
        .op(Op::infix(Rule::or_word, Assoc::Left))
        .op(Op::infix(Rule::and_word, Assoc::Left))
        .op(Op::prefix(Rule::not_word))
        .op(Op::infix(Rule::comparison, Assoc::Left) | Op::infix(Rule::in_word, Assoc::Left))
        .op(Op::infix(Rule::sum, Assoc::Left))
        .op(Op::infix(Rule::product, Assoc::Left))
        .op(Op::prefix(Rule::negate))
        .op(Op::infix(Rule::power, Assoc::Right))
});

/// An expression and where it stands with the parentheses around it.
struct ParsedOperand {
    expr: Expr,
    outer: Span,
}

impl ParsedOperand {
    fn new(kind: ExprKind, span: Span) -> Self {
        Self {
            expr: Expr { kind, span },
            outer: span,
        }
    }
}

/// Makes the tree of one item. Values that cannot be (a number too large) get a stand-in
/// and an error, and the item is dropped in the end: so all of its errors are found.
pub(super) struct Tree<'a> {
    place: Place<'a>,
    errors: Vec<Diagnostic>,
}

/// The parts of a pair that carry meaning.
struct Children<'i>(Pairs<'i, Rule>);

impl<'i> Children<'i> {
    fn of(pair: Pair<'i, Rule>) -> Self {
        Self(pair.into_inner())
    }

    /// A part the grammar promises.
    fn need(&mut self) -> Pair<'i, Rule> {
        self.next()
            .unwrap_or_else(|| unreachable!("the grammar has another part here"))
    }
}

impl<'i> Iterator for Children<'i> {
    type Item = Pair<'i, Rule>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.find(|pair| !is_punctuation(pair.as_rule()))
    }
}

fn is_punctuation(rule: Rule) -> bool {
    matches!(
        rule,
        Rule::comma
            | Rule::open_paren
            | Rule::close_paren
            | Rule::open_square
            | Rule::close_square
            | Rule::as_word
            | Rule::in_word
            | Rule::from_word
            | Rule::bar
            | Rule::EOI
    )
}

impl<'a> Tree<'a> {
    /// The tree of an item, or everything wrong with it.
    pub(super) fn of(place: Place<'a>, pair: Pair<'_, Rule>) -> Result<ItemKind, Vec<Diagnostic>> {
        let mut tree = Tree {
            place,
            errors: Vec::new(),
        };
        let kind = tree.item(pair);
        if tree.errors.is_empty() {
            Ok(kind)
        } else {
            Err(tree.errors)
        }
    }

    fn item(&mut self, pair: Pair<'_, Rule>) -> ItemKind {
        let rule = pair.as_rule();
        let mut parts = Children(pair.into_inner());
        match rule {
            Rule::experiment => ItemKind::Experiment {
                title: self.text(&parts.need()),
                about: parts
                    .next()
                    .map_or_else(Vec::new, |about| self.arguments(about)),
            },
            Rule::import => ItemKind::Use {
                path: self.text(&parts.need()),
                name: self.name(&parts.need()),
            },
            Rule::param => {
                let name = self.name(&parts.need());
                parts.need();
                let ty = Some(self.type_expr(parts.need()));
                parts.need();
                ItemKind::Param {
                    name,
                    ty,
                    default: self.expr(parts.need()),
                    bounds: parts.next().map(|bounds| self.expr(bounds)),
                }
            }
            Rule::seed => {
                let name = self.name(&parts.need());
                parts.need();
                ItemKind::Param {
                    name,
                    ty: None,
                    default: self.expr(parts.need()),
                    bounds: parts.next().map(|bounds| self.expr(bounds)),
                }
            }
            Rule::define => self.define(parts),
            Rule::plugin => ItemKind::Plugin(self.plugin(parts)),
            Rule::statement => {
                let keyword = self.name(&parts.need());
                let name = self.name(&parts.need());
                parts.need();
                ItemKind::Statement {
                    keyword,
                    name,
                    value: self.expr(parts.need()),
                }
            }
            rule => unreachable!("{rule:?} is not an item"),
        }
    }

    fn define(&mut self, mut parts: Children<'_>) -> ItemKind {
        let name = self.name(&parts.need());
        let mut params = Vec::new();
        loop {
            let part = parts.need();
            if part.as_rule() != Rule::define_param {
                break;
            }
            let mut parts = Children::of(part);
            let name = self.name(&parts.need());
            let default = parts.nth(1).map(|default| self.expr(default));
            params.push(DefineParam { name, default });
        }
        let body = self.expr(parts.need());
        ItemKind::Define { name, params, body }
    }

    fn plugin(&mut self, mut parts: Children<'_>) -> PluginItem {
        let name = self.name(&parts.need());
        let mut params = Vec::new();
        loop {
            let part = parts.need();
            if part.as_rule() != Rule::plugin_param {
                break;
            }
            params.push(self.plugin_param(part));
        }
        PluginItem {
            name,
            params,
            makes: self.name(&parts.need()),
            from: self.text(&parts.need()),
            options: parts.map(|part| self.plugin_option(part)).collect(),
        }
    }

    fn plugin_param(&mut self, pair: Pair<'_, Rule>) -> PluginParam {
        let span = ItemSpan(self.place.span(&pair));
        let mut parts = pair.into_inner().peekable();
        let mut param = PluginParam {
            name: Name::default(),
            optional: false,
            types: Vec::new(),
            default: None,
            bounds: None,
            span,
        };
        let mut is_default = false;
        for part in parts.by_ref() {
            match part.as_rule() {
                Rule::name => param.name = self.name(&part),
                Rule::optional => param.optional = true,
                Rule::plugin_type => {
                    let types = Children::of(part).map(|part| self.type_expr(part));
                    param.types = types.collect();
                }
                Rule::equals => is_default = true,
                Rule::in_word => is_default = false,
                Rule::default | Rule::expr if is_default => param.default = Some(self.expr(part)),
                Rule::expr => param.bounds = Some(self.expr(part)),
                _ => {}
            }
        }
        param
    }

    fn plugin_option(&mut self, pair: Pair<'_, Rule>) -> PluginOption {
        let mut parts = Children::of(pair);
        let name = self.name(&parts.need());
        // Between them stands the colon.
        let value = parts.nth(1).map_or(Vec::new(), |value| {
            Children::of(value)
                .map(|part| match part.as_rule() {
                    Rule::text => {
                        let Text { value: text, span } = self.text(&part);
                        Name { text, span }
                    }
                    _ => Name {
                        text: part.as_str().to_owned(),
                        span: self.place.span(&part),
                    },
                })
                .collect()
        });
        PluginOption { name, value }
    }

    fn type_expr(&mut self, pair: Pair<'_, Rule>) -> TypeExpr {
        let span = self.place.span(&pair);
        let mut parts = Children::of(pair);
        TypeExpr {
            name: self.name(&parts.need()),
            args: match parts.next() {
                Some(args) => Children::of(args).map(|arg| self.type_expr(arg)).collect(),
                None => Vec::new(),
            },
            span,
        }
    }

    fn name(&mut self, pair: &Pair<'_, Rule>) -> Name {
        let (text, span) = (pair.as_str(), self.place.span(pair));
        if let Some(quoted) = text.strip_prefix('`') {
            return Name {
                text: quoted.strip_suffix('`').unwrap_or(quoted).to_owned(),
                span,
            };
        }
        // The grammar leaves these two to us.
        if matches!(text, "true" | "false") {
            let message = format!("expected a name, found `{text}`");
            let error = Diagnostic::error(Code::SyntaxError, span, message);
            self.errors.push(error.hint(reserved_hint(text)));
        }
        Name {
            text: text.to_owned(),
            span,
        }
    }

    fn expr(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let mut parts = pair.into_inner().peekable();
        // Most expressions are one operation, no range.
        if parts.len() == 1
            && let Some(operation) =
                parts.next_if(|part| matches!(part.as_rule(), Rule::operation | Rule::bounded))
        {
            return self.operation(operation).expr;
        }
        self.range(parts)
    }

    fn range<'i>(&mut self, parts: impl Iterator<Item = Pair<'i, Rule>>) -> Expr {
        let (mut start, mut end, mut step) = (None, None, None);
        let mut inclusive = None;
        let mut in_step = false;
        let mut span: Option<Span> = None;
        for part in parts {
            let mut here = self.place.span(&part);
            match part.as_rule() {
                Rule::inclusive => inclusive = Some(true),
                Rule::exclusive => inclusive = Some(false),
                Rule::step_word => in_step = true,
                _ => {
                    let operand = self.operation(part);
                    here = operand.outer;
                    let role = match inclusive {
                        None => &mut start,
                        Some(_) if in_step => &mut step,
                        Some(_) => &mut end,
                    };
                    *role = Some(Box::new(operand.expr));
                }
            }
            span = Some(span.map_or(here, |span| span.to(here)));
        }
        Expr {
            kind: ExprKind::Range {
                start,
                end,
                inclusive: inclusive == Some(true),
                step,
            },
            span: span.unwrap_or_default(),
        }
    }

    fn operation(&mut self, pair: Pair<'_, Rule>) -> ParsedOperand {
        let mut parts = pair.into_inner();
        // Most operations are one term.
        if parts.len() == 1
            && let Some(term) = parts.next()
        {
            return self.term(term);
        }
        self.refuse_chains(parts.clone());
        self.refuse_dates(parts.clone());
        let place = self.place;
        OPERATORS
            .map_primary(|pair| self.term(pair))
            .map_prefix(|sign, operand| {
                let op = match sign.as_rule() {
                    Rule::negate => UnaryOp::Negate,
                    _ => UnaryOp::Not,
                };
                let outer = place.span(&sign).to(operand.outer);
                let operand = Box::new(operand.expr);
                ParsedOperand::new(ExprKind::Unary { op, operand }, outer)
            })
            .map_infix(|left, sign, right| {
                let outer = left.outer.to(right.outer);
                let kind = ExprKind::Binary {
                    op: binary_op(sign.as_str()),
                    op_span: OpSpan(place.span(&sign)),
                    left: Box::new(left.expr),
                    right: Box::new(right.expr),
                };
                ParsedOperand::new(kind, outer)
            })
            .parse(parts)
    }

    /// Reports `a < b < c`, which would not mean what it means in mathematics.
    fn refuse_chains(&mut self, operation: Pairs<'_, Rule>) {
        let mut earlier: Option<Pair<'_, Rule>> = None;
        for part in operation {
            match part.as_rule() {
                Rule::and_word | Rule::or_word => earlier = None,
                Rule::comparison | Rule::in_word => {
                    if let Some(earlier) = &earlier {
                        let (first, second) = (earlier.as_str(), part.as_str());
                        self.errors.push(
                            Diagnostic::error(
                                Code::SyntaxError,
                                self.place.span(&part),
                                format!(
                                    "expected one comparison, found `{second}` after `{first}`"
                                ),
                            )
                            .and(self.place.span(earlier), "the first comparison")
                            .hint(format!("write `a {first} b and b {second} c`")),
                        );
                    }
                    earlier = Some(part);
                }
                _ => {}
            }
        }
    }

    /// Reports `2012-01-31` and `2012/01/31`, which would be read as arithmetic.
    fn refuse_dates(&mut self, operation: Pairs<'_, Rule>) {
        let parts: Vec<Pair<'_, Rule>> = operation.collect();
        for date in parts.windows(5) {
            let words = [0, 2, 4].map(|at| date[at].as_str());
            // `01T06` is a number with a unit.
            let day = words[2].split('T').next().unwrap_or_default();
            let numbers = [words[0], words[1], day];
            let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
            let span = self.place.span(&date[0]).to(self.place.span(&date[4]));
            let sign = date[1].as_str();
            let is_date = matches!(sign, "-" | "/")
                && date[3].as_str() == sign
                && numbers.into_iter().all(is_number)
                && words[0].len() == 4
                && [words[1], day].iter().all(|word| matches!(word.len(), 1 | 2))
                // Written without blanks.
                && (span.end - span.start) as usize == words.iter().map(|it| it.len()).sum::<usize>() + 2;
            if !is_date {
                continue;
            }
            let written = words.join("-");
            let (found, read) = match sign {
                "/" => (words.join("/"), "division"),
                _ => (written.clone(), "subtraction"),
            };
            let message = format!("`{found}` is read as a {read}, not as a date");
            let date = DateTime::read(&written).filter(|date| {
                // A reader of the message should not meet a date that no calendar has.
                date.moment(Calendar::AllLeap).is_some()
            });
            let error = Diagnostic::error(Code::SyntaxError, span, message);
            self.errors.push(match date {
                Some(date) => error
                    .hint(format!("a date is written `{date}`"))
                    .fix(span, date.to_string()),
                None => error.hint("a date is written with all its zeros: `2012-01-31`"),
            });
        }
    }

    fn term(&mut self, pair: Pair<'_, Rule>) -> ParsedOperand {
        let span = self.place.span(&pair);
        let kind = match pair.as_rule() {
            Rule::group => {
                let expr = self.expr(Children::of(pair).need());
                return ParsedOperand { expr, outer: span };
            }
            Rule::number => self.number(pair),
            Rule::date => self.date(&pair),
            Rule::text => ExprKind::Text(self.text(&pair).value),
            Rule::reference if matches!(pair.as_str(), "true" | "false") => {
                ExprKind::Bool(pair.as_str() == "true")
            }
            Rule::list => ExprKind::List(Children::of(pair).map(|part| self.expr(part)).collect()),
            Rule::reference => self.reference(pair),
            rule => unreachable!("{rule:?} is not a term"),
        };
        ParsedOperand::new(kind, span)
    }

    fn reference(&mut self, pair: Pair<'_, Rule>) -> ExprKind {
        let mut parts = Children::of(pair);
        let mut path = vec![self.name(&parts.need())];
        let mut next = parts.next();
        while let Some(name) =
            next.take_if(|part| matches!(part.as_rule(), Rule::name | Rule::quoted))
        {
            path.push(self.name(&name));
            next = parts.next();
        }
        let Some(arguments) = next else {
            return ExprKind::Name(path);
        };
        let start = path.first().map(|name| name.span).unwrap_or_default();
        let span = start.to(self.place.span(&arguments));
        let args = self.arguments(arguments);
        let call = ExprKind::Call { callee: path, args };
        match parts.next() {
            None => call,
            Some(part) => ExprKind::Part {
                whole: Box::new(Expr { kind: call, span }),
                path: part.into_inner().map(|name| self.name(&name)).collect(),
            },
        }
    }

    fn arguments(&mut self, pair: Pair<'_, Rule>) -> Vec<Arg> {
        let arguments = pair.into_inner();
        let mut args = Vec::with_capacity(arguments.len() / 2);
        args.extend(Children(arguments).map(|part| self.argument(part)));
        args
    }

    fn argument(&mut self, pair: Pair<'_, Rule>) -> Arg {
        let mut parts = Children::of(pair);
        let first = self.expr(parts.need());
        let Some(sign) = parts.next() else {
            return Arg::Positional(first);
        };
        let value = self.expr(parts.need());
        let name = self.argument_name(first, &sign);
        if sign.as_rule() == Rule::colon {
            Arg::Named { name, value }
        } else {
            Arg::New { name, value }
        }
    }

    /// The name before a `:`, which may be that of a used file's param, or before an `=`.
    fn argument_name(&mut self, expr: Expr, sign: &Pair<'_, Rule>) -> Name {
        let is_colon = sign.as_rule() == Rule::colon;
        if let ExprKind::Name(path) = &expr.kind
            && (is_colon || path.len() == 1)
        {
            let names: Vec<&str> = path.iter().map(|name| name.text.as_str()).collect();
            return Name {
                text: names.join("."),
                span: expr.span,
            };
        }
        let is_told = self.errors.iter().any(|error| {
            let first = error.labels.first();
            first.is_some_and(|label| {
                expr.span.start <= label.span.start && label.span.end <= expr.span.end
            })
        });
        if is_told {
            return Name::default();
        }
        let error = if is_colon {
            let message = "expected the name of an argument before `:`";
            let error = Diagnostic::error(Code::SyntaxError, expr.span, message);
            match &expr.kind {
                ExprKind::Int {
                    value,
                    unit: Some(unit),
                } => error.hint(format!(
                    "a `,` is missing between `{value}` and `{}`",
                    unit.text
                )),
                ExprKind::Text(text) => error.hint(format!("a name has no quotes: `{text}: …`")),
                _ => error,
            }
        } else {
            let span = self.place.span(sign);
            let span = Span::new(span.file, span.start as usize, span.start as usize + 1);
            let message = "unexpected `=` in a formula";
            Diagnostic::error(Code::SyntaxError, span, message).hint("to compare, write `==`")
        };
        self.errors.push(error);
        Name::default()
    }

    fn number(&mut self, pair: Pair<'_, Rule>) -> ExprKind {
        let mut parts = Children::of(pair);
        let number = parts.need();
        let unit = parts.next().map(|unit| self.name(&unit));
        let digits = number.as_str().replace('_', "");
        if number.as_rule() == Rule::int {
            let value = digits.parse().unwrap_or_else(|_| {
                self.out_of_range(&number, format!("whole numbers end at {}", i64::MAX));
                0
            });
            return ExprKind::Int { value, unit };
        }
        let mut value: f64 = digits.parse().unwrap_or(f64::INFINITY);
        if value.is_infinite() {
            self.out_of_range(&number, format!("numbers end at {:e}", f64::MAX));
            value = 0.0;
        }
        ExprKind::Float { value, unit }
    }

    fn date(&mut self, pair: &Pair<'_, Rule>) -> ExprKind {
        let (span, written) = (self.place.span(pair), pair.as_str());
        if let Ok(date) = written.parse() {
            return ExprKind::Date(date);
        }
        let message = format!("`{written}` is not a date");
        let error = Diagnostic::error(Code::SyntaxError, span, message);
        // With a zone it is one, but the language has none.
        self.errors.push(match DateTime::read(written) {
            Some(date) => {
                let date = Calendar::ProlepticGregorian.written(date);
                error
                    .hint(format!("times are UTC: write `{date}`"))
                    .fix(span, &date)
            }
            None => error.hint("write `2012-01-31` or `2012-01-31T06:00`"),
        });
        ExprKind::Date(DateTime::midnight(1970, 1, 1))
    }

    fn out_of_range(&mut self, number: &Pair<'_, Rule>, hint: String) {
        let span = self.place.span(number);
        let error = Diagnostic::error(Code::NumberOutOfRange, span, "the number is too large");
        self.errors.push(error.hint(hint));
    }

    /// The value of a string literal, escapes resolved.
    fn text(&mut self, pair: &Pair<'_, Rule>) -> Text {
        let span = self.place.span(pair);
        let quoted = pair.as_str();
        let inner = quoted.get(1..quoted.len() - 1).unwrap_or_default();
        let mut value = String::with_capacity(inner.len());
        let mut characters = inner.char_indices();
        while let Some((at, character)) = characters.next() {
            let escaped = (character == '\\').then(|| characters.next()).flatten();
            match (character, escaped) {
                (_, Some((_, escaped))) => match unescape(escaped) {
                    Some(meant) => value.push(meant),
                    None => self.bad_escape(span.start as usize + 1 + at, escaped),
                },
                (control, None) if control.is_control() && control != '\t' => {
                    let message = format!("unexpected `{}` in text", control.escape_default());
                    self.errors
                        .push(Diagnostic::error(Code::SyntaxError, span, message));
                }
                (plain, None) => value.push(plain),
            }
        }
        Text { value, span }
    }

    fn bad_escape(&mut self, at: usize, escaped: char) {
        let span = Span::new(self.place.file, at, at + 1 + escaped.len_utf8());
        let shown: String = visible(escaped).collect();
        let message = format!("unknown escape `\\{shown}`");
        let hint = "the escapes are `\\\"`, `\\\\`, `\\n` and `\\t`; a path is written with `/`";
        self.errors
            .push(Diagnostic::error(Code::BadEscape, span, message).hint(hint));
    }
}

fn unescape(escaped: char) -> Option<char> {
    match escaped {
        '"' | '\\' => Some(escaped),
        'n' => Some('\n'),
        't' => Some('\t'),
        _ => None,
    }
}

fn binary_op(symbol: &str) -> BinaryOp {
    match symbol {
        "or" => BinaryOp::Or,
        "and" => BinaryOp::And,
        "==" => BinaryOp::Equal,
        "!=" => BinaryOp::NotEqual,
        "<" => BinaryOp::Less,
        "<=" => BinaryOp::LessEqual,
        ">" => BinaryOp::Greater,
        ">=" => BinaryOp::GreaterEqual,
        "in" => BinaryOp::In,
        "+" => BinaryOp::Add,
        "-" => BinaryOp::Subtract,
        "*" => BinaryOp::Multiply,
        "/" => BinaryOp::Divide,
        "%" => BinaryOp::Remainder,
        "^" => BinaryOp::Power,
        symbol => unreachable!("`{symbol}` is not an operator of the grammar"),
    }
}
