//! Syntax errors in the user's words: what was expected, what was found, what to write.

use std::ops::Range;

use pest::error::{Error, ErrorVariant, InputLocation};

use super::grammar::Rule;
use super::layout::{Token, Tokens, is_reserved, unquoted_path};
use super::place::Place;
use crate::diagnostic::{Code, Diagnostic};
use crate::foreign;
use crate::source::Span;
use crate::types::Kind;

/// Where pest could not go on in an item.
struct Stop<'a> {
    place: Place<'a>,
    rule: Rule,
    /// What it would have taken.
    wanted: &'a [Rule],
    /// The text found there, and its description.
    span: Span,
    found: String,
    /// The tokens of the item before it.
    before: Vec<(Token, Range<usize>)>,
}

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
        let written = &self.text[self.start..self.end];
        let before = Tokens::new(written)
            .filter(|(token, _)| !matches!(token, Token::Newline | Token::Comment))
            .map(|(token, range)| (token, self.start + range.start..self.start + range.end))
            .take_while(|(_, range)| range.start < span.start as usize)
            .collect();
        let stop = Stop {
            place: self,
            rule,
            wanted: positives,
            span,
            found,
            before,
        };
        stop.diagnostic()
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

impl Stop<'_> {
    fn diagnostic(&self) -> Diagnostic {
        let special = [
            Self::letter,
            Self::foreign_word,
            Self::param_without_default,
            Self::path,
        ];
        if let Some(told) = special.iter().find_map(|tell| tell(self)) {
            return told;
        }
        let expected = expected(self.wanted);
        let found = &self.found;
        let message = if expected.is_empty() {
            format!("unexpected {found}")
        } else {
            format!("expected {expected}, found {found}")
        };
        let diagnostic = Diagnostic::error(Code::SyntaxError, self.span, message);
        match self.hint() {
            Some(hint) => diagnostic.hint(hint),
            None => diagnostic,
        }
    }

    fn hint(&self) -> Option<String> {
        let written = self.written();
        let is_before_value = !self.before.iter().any(|(_, it)| self.slice(it) == "=");
        if self.rule == Rule::statement && is_before_value {
            return Some(self.head_hint());
        }
        if written == "=" && self.wants_operator() {
            return Some("to compare, write `==`".to_owned());
        }
        if let Some(missing) = self.missing_comma() {
            return Some(missing);
        }
        if written == "in" && self.wants_operator() {
            return Some("compare: `x == 1 or x == 2`, or `1 <= x and x <= 2`".to_owned());
        }
        if let Some(hint) = self.number_as_name() {
            return Some(hint);
        }
        if written == "[" && self.wants_operator() {
            return Some("nothing is taken with `[…]`: `where(data, x > 1)` keeps rows".to_owned());
        }
        if written == "not" && self.wants_operator() {
            return Some("write `not (x in [1, 2])`".to_owned());
        }
        if is_reserved(written) {
            return Some(reserved_hint(written));
        }
        if let Some(hint) = self.list_in_parentheses() {
            return Some(hint);
        }
        if self.rule == Rule::import && self.written().is_empty() {
            return Some("write `use \"file.farcast\" as name`".to_owned());
        }
        if is_text_alone(self.wanted) {
            let line = self.rest_of_line();
            let line = match line.split_once(" as ") {
                Some((path, _)) if self.rule == Rule::import => path.trim_end(),
                _ => line,
            };
            return (!line.is_empty()).then(|| format!("text is in quotes: `\"{line}\"`"));
        }
        if written == "+" && !self.wants_operator() {
            return Some("a number has no `+` before it".to_owned());
        }
        if written == "." {
            return self.bare_point();
        }
        let first_of_line = self.line_start();
        let continues = matches!(first_of_line, "%" | "-" | "*" | "/");
        continues.then(|| {
            format!(
                "a line that begins with `{first_of_line}` continues the one before; \
                 a comment begins with `#`"
            )
        })
    }

    /// What is wrong with the head of a statement, `KIND name =`.
    fn head_hint(&self) -> String {
        let word = |at: usize| {
            let found = self.before.get(at).filter(|(it, _)| *it == Token::Word);
            found.map(|(_, range)| self.slice(range))
        };
        match (word(0), word(1), self.written(), self.next()) {
            (Some(name), None, "=", _) if Kind::from_keyword(name).is_none() => {
                format!("a statement begins with its kind: `data {name} = …`, `parent {name} = …`")
            }
            (Some(_), Some(name), "-", next) if self.is_within_word() => {
                format!("names are made of letters, digits and `_`: `{name}_{next}`")
            }
            (Some(_), None, found, _) if found.starts_with(|it: char| it.is_ascii_digit()) => {
                "a name begins with a letter".to_owned()
            }
            _ => STATEMENT_HINT.to_owned(),
        }
    }

    /// Whether letters or digits stand directly before and after the place.
    fn is_within_word(&self) -> bool {
        let (start, end) = (self.span.start as usize, self.span.end as usize);
        let before = self.place.text.get(..start).unwrap_or_default();
        let after = self.place.text.get(end..).unwrap_or_default();
        before.ends_with(char::is_alphanumeric) && after.starts_with(char::is_alphanumeric)
    }

    /// `import x`, `if a then b`, `a mod b`: a word that means something elsewhere.
    fn foreign_word(&self) -> Option<Diagnostic> {
        let found = (self.written(), self.span);
        let is_named = [found.0, self.next()]
            .iter()
            .any(|it| matches!(*it, ":" | "="));
        let (name, span, hint) = if let Some((_, first)) = self.before.first()
            && self.rule == Rule::statement
            && let Some(hint) = foreign::head(self.slice(first))
        {
            (self.slice(first), self.span_of(first), hint)
        } else if let Some((word, hint)) = self.control_word() {
            (self.slice(&word), self.span_of(&word), hint)
        } else {
            let hint = foreign::infix_word(found.0).filter(|_| !is_named);
            (found.0, found.1, hint.filter(|_| self.wants_operator())?)
        };
        let message = format!("unexpected `{name}`");
        Some(Diagnostic::error(Code::SyntaxError, span, message).hint(hint))
    }

    /// A word before the place that divides expressions elsewhere: the last `if` or `then`, or what
    /// reads as the unit of a number, `7 mod x`.
    fn control_word(&self) -> Option<(Range<usize>, &'static str)> {
        let is_name = |at: usize| {
            let next = self.before.get(at + 1).map(|(_, range)| self.slice(range));
            matches!(next.unwrap_or(self.written()), ":" | "=")
        };
        let words = self.before.iter().enumerate().rev();
        let mut words = words.filter(|(at, (token, _))| *token == Token::Word && !is_name(*at));
        words.find_map(|(at, (_, range))| {
            let is_last = at + 1 == self.before.len();
            let before = at.checked_sub(1).and_then(|at| self.before.get(at));
            let hint = match before {
                Some((Token::Number, _)) if is_last => foreign::infix_word(self.slice(range)),
                _ => foreign::control_word(self.slice(range)),
            };
            Some((range.clone(), hint?))
        })
    }

    /// A `param` that ends before its default.
    fn param_without_default(&self) -> Option<Diagnostic> {
        let at = |at: usize| Some(self.slice(&self.before.get(at)?.1));
        if self.rule != Rule::param || self.before.iter().any(|(_, it)| self.slice(it) == "=") {
            return None;
        }
        let name =
            at(1).filter(|_| self.before.get(1).is_some_and(|(it, _)| *it == Token::Word))?;
        let error = |message: String, hint: String| {
            Some(Diagnostic::error(Code::SyntaxError, self.span, message).hint(hint))
        };
        match (at(2), self.written()) {
            (None, "=") => {
                let line = self.rest_of_line();
                let value = line.trim_start_matches('=').trim();
                let ty = type_of(value);
                error(
                    format!("expected the type of `{name}`, found `=`"),
                    format!("write `param {name}: {ty} = {value}`"),
                )
            }
            (None, ty) if !ty.is_empty() => {
                let line = match self.rest_of_line() {
                    "" => "Int = 16",
                    line => line,
                };
                let is_type = name.starts_with(char::is_uppercase);
                let swapped = match foreign::data_type(name) {
                    None if is_type => Some(name),
                    theirs => theirs,
                };
                let hint = match swapped {
                    Some(swapped) => format!("write `param {ty}: {swapped} = …`"),
                    None => format!("write `param {name}: {line}`"),
                };
                error(
                    format!("expected `:` and a type, found {}", self.found),
                    hint,
                )
            }
            (None, "") => error(
                format!(
                    "expected the type and default of `{name}`, found {}",
                    self.found
                ),
                format!("a param has a type and a default: `param {name}: Int = 16`"),
            ),
            (Some(":"), "" | "in") if self.before.len() > 3 => {
                let head = self.before[2].1.end..self.before[self.before.len() - 1].1.end;
                let ty = self.place.text[head].trim();
                let found = &self.found;
                let bounds = match self.written() {
                    "" => String::new(),
                    _ => format!(" {}", self.rest_of_line()),
                };
                error(
                    format!("expected the default of `{name}`, found {found}"),
                    format!("write `param {name}: {ty} = …{bounds}`"),
                )
            }
            _ => None,
        }
    }

    fn path(&self) -> Option<Diagnostic> {
        let at = self.span.start as usize;
        let mut path = foreign::path(&self.place.text[..self.place.end], at)?;
        // `my file.csv`
        let mut starts = self.before.iter().rev().map(|(_, range)| range);
        let start = starts.find(|range| matches!(self.slice(range), "(" | "[" | "," | ":" | "="));
        if let Some(start) = start.filter(|start| start.end < path.start)
            && self.rule == Rule::statement
        {
            let whole = start.end..path.end;
            let blanks = self.slice(&whole).len() - self.slice(&whole).trim_start().len();
            let whole = whole.start + blanks..whole.end;
            if !self.slice(&whole).contains(['\n', '"', '(']) {
                path = whole;
            }
        }
        Some(unquoted_path(self.place.text, path, self.place.file))
    }

    /// A letter that names do not have.
    fn letter(&self) -> Option<Diagnostic> {
        let letter = self.written().chars().next()?;
        if letter.is_ascii() || !letter.is_alphabetic() {
            return None;
        }
        let shown = format!("`{letter}` (U+{:04X})", u32::from(letter));
        let message = format!("unexpected letter {shown}");
        let diagnostic = Diagnostic::error(Code::SyntaxError, self.span, message);
        Some(match foreign::homoglyph(letter) {
            Some((ours, script)) => {
                diagnostic.hint(format!("it is a {script} letter: write `{ours}`"))
            }
            None => diagnostic.hint(
                "names are made of the letters a to z, digits and `_`; write a column of another name in \
                 backticks",
            ),
        })
    }

    /// Where two values follow one another in brackets.
    fn missing_comma(&self) -> Option<String> {
        if !self.wanted.contains(&Rule::comma) {
            return None;
        }
        let (token, last) = self.before.last()?;
        let last = self.slice(last);
        let written = self.written();
        // `50 noise: 1` and `50 window(…)`: a number cannot have that unit.
        if matches!(written, ":" | "(") && *token == Token::Word {
            let (Token::Number, number) = self.before.iter().nth_back(1)? else {
                return None;
            };
            let number = self.slice(number);
            return Some(format!("a `,` is missing between `{number}` and `{last}`"));
        }
        let (next, _) = Tokens::new(written).next()?;
        let begins = ends_value(next, written) && next != Token::Close || written == "[";
        (begins && ends_value(*token, last))
            .then(|| format!("a `,` is missing between `{last}` and `{written}`"))
    }

    /// `z in (0, 1)`
    fn list_in_parentheses(&self) -> Option<String> {
        let open = self
            .before
            .iter()
            .rposition(|(_, it)| self.slice(it) == "(")?;
        let word = self.before.get(open.checked_sub(1)?)?;
        let is_list = self.written() == "," && self.slice(&word.1) == "in";
        is_list.then(|| "the values to choose from stand in `[…]`".to_owned())
    }

    /// `inside.rmse.0`: a name that is a number.
    fn number_as_name(&self) -> Option<String> {
        let start = self.span.start as usize;
        let before = self.place.text.get(..start)?.strip_suffix('.')?;
        let is_of_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '`');
        let word = before.rsplit(|c: char| !is_of_name(c)).next()?;
        let is_name = word.starts_with(|c: char| c.is_alphabetic() || matches!(c, '_' | '`'));
        let digits: String = { self.rest_of_line().chars() }
            .take_while(char::is_ascii_digit)
            .collect();
        (is_name && !digits.is_empty())
            .then(|| format!("a name that is a number is in backticks: `` `{digits}` ``"))
    }

    /// `.5` and `1.`
    fn bare_point(&self) -> Option<String> {
        let digits: String = self.rest_of_line().chars().skip(1).collect();
        let digits: String = digits.chars().take_while(char::is_ascii_digit).collect();
        match self.before.last() {
            Some((Token::Number, number)) if number.end == self.span.start as usize => {
                Some(format!("write `{}.0`", self.slice(number)))
            }
            _ if !digits.is_empty() => Some(format!("write `0.{digits}`")),
            _ => None,
        }
    }

    /// Whether an operand ends before the place.
    fn wants_operator(&self) -> bool {
        if !self
            .before
            .last()
            .is_some_and(|(token, last)| ends_value(*token, self.slice(last)))
        {
            return false;
        }
        let ends = [
            Rule::comma,
            Rule::close_paren,
            Rule::close_square,
            Rule::EOI,
        ];
        ends.iter().any(|rule| self.wanted.contains(rule))
    }

    fn written(&self) -> &str {
        self.slice(&(self.span.start as usize..self.span.end as usize))
    }

    fn slice(&self, range: &Range<usize>) -> &str {
        self.place.text.get(range.clone()).unwrap_or_default()
    }

    fn span_of(&self, range: &Range<usize>) -> Span {
        Span::new(self.place.file, range.start, range.end)
    }

    /// The token after the one at the place.
    fn next(&self) -> &str {
        let rest = self.slice(&(self.span.end as usize..self.place.end));
        let next = Tokens::new(rest).find(|(token, _)| *token != Token::Newline);
        next.map_or("", |(_, range)| &rest[range])
    }

    /// From the place to the end of its line.
    fn rest_of_line(&self) -> &str {
        let rest = self.slice(&(self.span.start as usize..self.place.end));
        let line = rest.lines().next().unwrap_or_default().trim_end();
        // It is repeated in a message.
        if line.len() > 100 || line.contains(char::is_control) {
            return "";
        }
        line
    }

    /// The first token of the line with the place, when the item begins above it.
    fn line_start(&self) -> &str {
        let before = self.slice(&(self.place.start..self.span.start as usize));
        let Some(line) = before.rfind('\n') else {
            return "";
        };
        let line = &before[line + 1..];
        Tokens::new(line)
            .next()
            .map_or("", |(_, range)| &line[range])
    }
}

/// Whether a token may be the last of a value.
fn ends_value(token: Token, written: &str) -> bool {
    match token {
        Token::Word => !is_reserved(written) || matches!(written, "true" | "false"),
        Token::Number | Token::Text | Token::Close => true,
        _ => false,
    }
}

/// The type that a default most likely has.
fn type_of(value: &str) -> &'static str {
    match Tokens::new(value).next() {
        Some((Token::Text, _)) => "String",
        Some((Token::Word, _)) if value.starts_with("true") || value.starts_with("false") => "Bool",
        Some((Token::Word, _)) => "Word",
        Some((Token::Number, range)) if value[range.clone()].contains(['.', 'e', 'E']) => "Float",
        Some((Token::Open, _)) if value.starts_with('[') => "List(Int)",
        _ => "Int",
    }
}

const STATEMENT_HINT: &str =
    "a statement is a kind, a name, `=` and what it is: `data sea = csv(\"sea.csv\")`";

pub(super) fn reserved_hint(word: &str) -> String {
    format!("`{word}` is a word of the language, not a name")
}

/// A character as a message shows it.
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
    // Where an operand may begin, pest lists how.
    if rules.contains(&Rule::text) && !is_text_alone(rules) {
        return "an expression".to_owned();
    }
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

/// Whether text in quotes is wanted, and not because an operand may be.
fn is_text_alone(rules: &[Rule]) -> bool {
    let is_operand = |rule: &Rule| {
        matches!(
            rule,
            Rule::name | Rule::quoted | Rule::reference | Rule::date | Rule::number
        )
    };
    rules.contains(&Rule::text) && !rules.iter().any(is_operand)
}

/// What rules are called in messages.
const EXPECTED: &[(&str, &[Rule])] = &[
    (
        "a name",
        &[
            Rule::name,
            Rule::quoted,
            Rule::define_param,
            Rule::plugin_param,
        ],
    ),
    (
        "a type",
        &[Rule::type_expr, Rule::type_name, Rule::plugin_type],
    ),
    ("text in quotes", &[Rule::text]),
    (
        "an expression",
        &[
            Rule::expr,
            Rule::default,
            Rule::operation,
            Rule::bounded,
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
    ("`from`", &[Rule::from_word]),
    ("`(`", &[Rule::open_paren, Rule::arguments]),
];
