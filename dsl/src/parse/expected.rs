//! Syntax errors in the user's words: what was expected, what was found.

use pest::error::{Error, ErrorVariant, InputLocation};

use super::grammar::Rule;
use super::layout::{Token, Tokens, is_reserved};
use super::place::Place;
use crate::diagnostic::{Code, Diagnostic};
use crate::source::Span;

impl Place<'_> {
    pub(super) fn no_item(self) -> Diagnostic {
        let (span, found) = self.found(0);
        let message = format!("expected a statement, found {found}");
        Diagnostic::error(Code::SyntaxError, span, message).hint(STATEMENT_HINT)
    }

    pub(super) fn syntax_error(self, rule: Rule, error: &Error<Rule>) -> Diagnostic {
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
            diagnostic.hint(reserved_hint(word))
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

pub(super) fn reserved_hint(word: &str) -> String {
    format!("`{word}` is a word of the language, not a name")
}

/// A character as it may stand in a message.
pub(super) fn visible(character: char) -> impl Iterator<Item = char> {
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
        &[Rule::expr, Rule::operation, Rule::argument, Rule::reference],
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
