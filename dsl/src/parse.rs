//! Text to tree, by pest; total: whatever does not parse becomes a diagnostic.
//!
//! [`layout`](crate::layout) splits the text into items; pest reads each on its own, so a
//! syntax error costs one item. Pest's pairs become a spanned tree at once and no rule of
//! the grammar is seen outside this file.

use std::sync::LazyLock;

use pest::Parser;
use pest::error::{Error, ErrorVariant, InputLocation};
use pest::iterators::Pair;
use pest::pratt_parser::{Assoc, Op, PrattParser};

use self::grammar::{Grammar, Rule};
use crate::ast::{
    Arg, BinaryOp, DefineParam, Expr, ExprKind, File, Item, ItemKind, Name, OpSpan, Text, TypeExpr,
    UnaryOp,
};
use crate::diagnostic::{Code, Diagnostic};
use crate::layout::{Token, Tokens, is_reserved, layout};
use crate::source::{FileId, Span};

/// The longest text that is read, in bytes.
pub const MAX_TEXT: usize = 4 << 20;

/// How many brackets may be open at once.
pub const MAX_NESTING: usize = 128;

/// How high an expression's tree may be: operators and brackets on the way to a leaf.
pub const MAX_HEIGHT: usize = 256;

/// How many errors are told of one text; nobody reads more.
pub const MAX_ERRORS: usize = 100;

mod grammar {
    #[derive(pest_derive::Parser)]
    #[grammar = "grammar.pest"]
    pub(super) struct Grammar;
}

/// The tree of a text and everything wrong with its form; what could not be read is left out.
pub fn parse(file: FileId, text: &str) -> (File, Vec<Diagnostic>) {
    if text.len() > MAX_TEXT {
        let start = Span::new(file, 0, 0);
        let message = format!("a file of {} bytes is too large", text.len());
        let error = Diagnostic::error(Code::TooLarge, start, message)
            .hint(format!("at most {MAX_TEXT} bytes are read"));
        return (File::default(), vec![error]);
    }
    let layout = layout(file, text);
    let mut items = Vec::new();
    let mut diagnostics = Vec::new();
    for chunk in layout.chunks {
        if let Some(fault) = chunk.fault {
            diagnostics.push(fault);
            continue;
        }
        let place = Place {
            file,
            text,
            start: chunk.range.start,
            end: chunk.range.end,
        };
        match place.item() {
            Ok(item) => items.push(item),
            Err(errors) => diagnostics.extend(errors),
        }
    }
    diagnostics.truncate(MAX_ERRORS);
    let comments = layout.comments;
    (File { items, comments }, diagnostics)
}

/// The text of one item.
#[derive(Clone, Copy)]
struct Place<'a> {
    file: FileId,
    text: &'a str,
    start: usize,
    end: usize,
}

impl<'a> Place<'a> {
    fn item(self) -> Result<Item, Vec<Diagnostic>> {
        let written = &self.text[self.start..self.end];
        let mut tokens = Tokens::new(written);
        let rule = match tokens.next() {
            Some((Token::Word, first)) => match (&written[first], tokens.next()) {
                ("experiment", _) => Rule::experiment,
                ("use", _) => Rule::import,
                ("param", _) => Rule::param,
                ("define", _) => Rule::define,
                // `seed x = …` is read as a statement of an unknown kind.
                ("seed", Some((Token::Word, _))) => Rule::statement,
                ("seed", _) => Rule::seed,
                _ => Rule::statement,
            },
            _ => return Err(vec![self.no_item()]),
        };
        let pair = Grammar::parse(rule, written)
            .map_err(|error| vec![self.syntax_error(rule, &error)])?
            .next()
            .unwrap_or_else(|| unreachable!("pest gives the rule it was asked for"));
        let mut tree = Tree {
            place: self,
            errors: Vec::new(),
        };
        let kind = tree.item(pair);
        if tree.errors.is_empty() {
            let span = Span::new(self.file, self.start, self.end);
            Ok(Item { kind, span })
        } else {
            Err(tree.errors)
        }
    }

    fn span(self, pair: &Pair<'_, Rule>) -> Span {
        let span = pair.as_span();
        Span::new(
            self.file,
            self.start + span.start(),
            self.start + span.end(),
        )
    }

    fn no_item(self) -> Diagnostic {
        let (span, found) = self.found(0);
        let message = format!("expected a statement, found {found}");
        Diagnostic::error(Code::SyntaxError, span, message).hint(STATEMENT_HINT)
    }

    fn syntax_error(self, rule: Rule, error: &Error<Rule>) -> Diagnostic {
        let at = match error.location {
            InputLocation::Pos(at) | InputLocation::Span((at, _)) => at,
        };
        let (span, found) = self.found(at);
        let ErrorVariant::ParsingError { positives, .. } = &error.variant else {
            // Pest's own limits; ours are tighter, so this is a last resort.
            let message = "brackets and operators are nested too deep";
            return Diagnostic::error(Code::TooDeep, span, message);
        };
        let expected = expected(positives);
        let message = if expected.is_empty() {
            format!("unexpected {found}")
        } else {
            format!("expected {expected}, found {found}")
        };
        let diagnostic = Diagnostic::error(Code::SyntaxError, span, message);
        let written = self.text.get(span.start as usize..span.end as usize);
        if rule == Rule::statement && positives.contains(&Rule::name) {
            diagnostic.hint(STATEMENT_HINT)
        } else if let Some(word) = written.filter(|word| is_reserved(word)) {
            diagnostic.hint(format!("`{word}` is a word of the language, not a name"))
        } else {
            diagnostic
        }
    }

    /// The token at an offset into the item, and how to call it.
    fn found(self, at: usize) -> (Span, String) {
        let at = self.start + at;
        let rest = self.text.get(at..self.end).unwrap_or_default();
        let token =
            Tokens::new(rest).find(|(token, _)| !matches!(token, Token::Newline | Token::Comment));
        let Some((_, range)) = token else {
            let last = self.text[self.end..].trim().is_empty();
            let end = if last {
                "the end of the file"
            } else {
                "the end of the line"
            };
            return (Span::new(self.file, self.end, self.end), end.to_owned());
        };
        let span = Span::new(self.file, at + range.start, at + range.end);
        let word: String = rest[range].chars().take(40).flat_map(visible).collect();
        (span, format!("`{word}`"))
    }
}

const STATEMENT_HINT: &str =
    "a statement is a kind, a name, `=` and what it is: `data sea = csv(\"sea.csv\")`";

/// A character as it may stand in a message.
fn visible(character: char) -> impl Iterator<Item = char> {
    let escaped = character.is_control().then(|| character.escape_default());
    let plain = escaped.is_none().then_some(character);
    escaped.into_iter().flatten().chain(plain)
}

/// What pest would have taken, in the user's words: `a, b or c`.
fn expected(rules: &[Rule]) -> String {
    let known = |table: &[(&'static str, &[Rule])]| -> Vec<&'static str> {
        let is_expected = |of: &[Rule]| rules.iter().any(|rule| of.contains(rule));
        table
            .iter()
            .filter(|(_, of)| is_expected(of))
            .map(|(words, _)| *words)
            .collect()
    };
    let mut words = known(EXPECTED);
    if words.is_empty() {
        words = known(ALSO_EXPECTED);
    }
    match words.as_slice() {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// What rules are called in messages.
const EXPECTED: &[(&str, &[Rule])] = &[
    ("a name", &[Rule::name, Rule::define_param]),
    ("a type", &[Rule::type_expr, Rule::type_name]),
    ("text in quotes", &[Rule::text]),
    (
        "an expression",
        &[
            Rule::expr,
            Rule::operation,
            Rule::term,
            Rule::argument,
            Rule::reference,
        ],
    ),
    ("`,`", &[Rule::comma]),
    ("`)`", &[Rule::close_paren]),
    ("`]`", &[Rule::close_square]),
    ("the end of the line", &[Rule::EOI]),
];

/// What is only worth saying when nothing of [`EXPECTED`] is expected: it may always follow.
const ALSO_EXPECTED: &[(&str, &[Rule])] = &[
    ("`:`", &[Rule::colon]),
    ("`=`", &[Rule::equals]),
    ("`as`", &[Rule::as_word]),
    ("`(`", &[Rule::open_paren, Rule::arguments]),
];

/// The operators' strengths, loosest first.
static OPERATORS: LazyLock<PrattParser<Rule>> = LazyLock::new(|| {
    PrattParser::new()
        .op(Op::infix(Rule::or_word, Assoc::Left))
        .op(Op::infix(Rule::and_word, Assoc::Left))
        .op(Op::prefix(Rule::not_word))
        .op(Op::infix(Rule::comparison, Assoc::Left))
        .op(Op::infix(Rule::sum, Assoc::Left))
        .op(Op::infix(Rule::product, Assoc::Left))
        .op(Op::prefix(Rule::negate))
        .op(Op::infix(Rule::power, Assoc::Right))
});

/// An expression and where it stands with the parentheses around it.
struct Operand {
    expr: Expr,
    outer: Span,
}

impl Operand {
    fn new(kind: ExprKind, span: Span) -> Self {
        Self {
            expr: Expr { kind, span },
            outer: span,
        }
    }
}

/// Makes the tree of one item. Values that cannot be (a number too large) get a stand-in
/// and an error, and the item is dropped in the end: so all of its errors are found.
struct Tree<'a> {
    place: Place<'a>,
    errors: Vec<Diagnostic>,
}

/// The parts of a pair that carry meaning.
struct Parts<'i>(pest::iterators::Pairs<'i, Rule>);

impl<'i> Parts<'i> {
    fn of(pair: Pair<'i, Rule>) -> Self {
        Self(pair.into_inner())
    }

    /// A part the grammar promises.
    fn need(&mut self) -> Pair<'i, Rule> {
        self.next()
            .unwrap_or_else(|| unreachable!("the grammar has another part here"))
    }
}

impl<'i> Iterator for Parts<'i> {
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
            | Rule::EOI
    )
}

impl Tree<'_> {
    fn item(&mut self, pair: Pair<'_, Rule>) -> ItemKind {
        let rule = pair.as_rule();
        let mut parts = Parts(pair.into_inner());
        match rule {
            Rule::experiment => ItemKind::Experiment {
                title: self.text(&parts.need()),
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
            rule => unreachable!("{rule:?} is no item"),
        }
    }

    fn define(&mut self, mut parts: Parts<'_>) -> ItemKind {
        let name = self.name(&parts.need());
        let mut params = Vec::new();
        loop {
            let part = parts.need();
            if part.as_rule() != Rule::define_param {
                break;
            }
            let mut parts = Parts::of(part);
            let name = self.name(&parts.need());
            let default = parts.nth(1).map(|default| self.expr(default));
            params.push(DefineParam { name, default });
        }
        let body = self.expr(parts.need());
        ItemKind::Define { name, params, body }
    }

    fn type_expr(&mut self, pair: Pair<'_, Rule>) -> TypeExpr {
        let span = self.place.span(&pair);
        let mut parts = Parts::of(pair);
        TypeExpr {
            name: self.name(&parts.need()),
            args: parts.map(|part| self.type_expr(part)).collect(),
            span,
        }
    }

    fn name(&self, pair: &Pair<'_, Rule>) -> Name {
        Name {
            text: pair.as_str().to_owned(),
            span: self.place.span(pair),
        }
    }

    fn expr(&mut self, pair: Pair<'_, Rule>) -> Expr {
        let (mut start, mut end, mut step) = (None, None, None);
        let mut inclusive = None;
        let mut in_step = false;
        let mut span: Option<Span> = None;
        for part in Parts::of(pair) {
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
        match (inclusive, start) {
            (None, Some(operation)) => *operation,
            (inclusive, start) => Expr {
                kind: ExprKind::Range {
                    start,
                    end,
                    inclusive: inclusive == Some(true),
                    step,
                },
                span: span.unwrap_or_default(),
            },
        }
    }

    fn operation(&mut self, pair: Pair<'_, Rule>) -> Operand {
        self.refuse_chains(&pair);
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
                Operand::new(ExprKind::Unary { op, operand }, outer)
            })
            .map_infix(|left, sign, right| {
                let outer = left.outer.to(right.outer);
                let kind = ExprKind::Binary {
                    op: binary_op(sign.as_str()),
                    op_span: OpSpan(place.span(&sign)),
                    left: Box::new(left.expr),
                    right: Box::new(right.expr),
                };
                Operand::new(kind, outer)
            })
            .parse(pair.into_inner())
    }

    /// Reports `a < b < c`, which would not mean what it means in mathematics.
    fn refuse_chains(&mut self, operation: &Pair<'_, Rule>) {
        let mut earlier: Option<Pair<'_, Rule>> = None;
        for part in operation.clone().into_inner() {
            match part.as_rule() {
                Rule::and_word | Rule::or_word => earlier = None,
                Rule::comparison => {
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

    fn term(&mut self, pair: Pair<'_, Rule>) -> Operand {
        let pair = match pair.as_rule() {
            Rule::term => Parts::of(pair).need(),
            _ => pair,
        };
        let span = self.place.span(&pair);
        let kind = match pair.as_rule() {
            Rule::group => {
                let expr = self.expr(Parts::of(pair).need());
                return Operand { expr, outer: span };
            }
            Rule::number => self.number(pair),
            Rule::text => ExprKind::Text(self.text(&pair).value),
            Rule::boolean => ExprKind::Bool(pair.as_str() == "true"),
            Rule::list => ExprKind::List(Parts::of(pair).map(|part| self.expr(part)).collect()),
            Rule::reference => self.reference(pair),
            rule => unreachable!("{rule:?} is no term"),
        };
        Operand::new(kind, span)
    }

    fn reference(&mut self, pair: Pair<'_, Rule>) -> ExprKind {
        let mut parts = Parts::of(pair);
        let path = parts.need().into_inner();
        let path = path.map(|name| self.name(&name)).collect();
        match parts.next() {
            None => ExprKind::Name(path),
            Some(arguments) => ExprKind::Call {
                callee: path,
                args: Parts::of(arguments)
                    .map(|part| self.argument(part))
                    .collect(),
            },
        }
    }

    fn argument(&mut self, pair: Pair<'_, Rule>) -> Arg {
        let mut parts = Parts::of(pair);
        let first = parts.need();
        if first.as_rule() == Rule::expr {
            return Arg::Positional(self.expr(first));
        }
        let name = self.name(&first);
        let sign = parts.need().as_rule();
        let value = self.expr(parts.need());
        if sign == Rule::colon {
            Arg::Named { name, value }
        } else {
            Arg::New { name, value }
        }
    }

    fn number(&mut self, pair: Pair<'_, Rule>) -> ExprKind {
        let mut parts = Parts::of(pair);
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
        "+" => BinaryOp::Add,
        "-" => BinaryOp::Subtract,
        "*" => BinaryOp::Multiply,
        "/" => BinaryOp::Divide,
        "%" => BinaryOp::Remainder,
        "^" => BinaryOp::Power,
        symbol => unreachable!("`{symbol}` is no operator of the grammar"),
    }
}

#[cfg(test)]
mod tests;
