//! The text of an experiment as HTML with keywords, strings, numbers and comments marked.
//!
//! Works on any text, parsed or not: it only colours.

use dsl::types::Kind;

use crate::svg::escape;

/// The words of the language that are not kinds.
const WORDS: [&str; 11] = [
    "experiment",
    "use",
    "as",
    "param",
    "define",
    "in",
    "seed",
    "step",
    "and",
    "or",
    "not",
];

/// The text as HTML, to be put in a `<pre>`.
pub fn highlight(text: &str) -> String {
    let mut html = String::with_capacity(text.len() * 2);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (length, class) = token(rest, first);
        let (token, after) = rest.split_at(length);
        match class {
            "" => html.push_str(&escape(token)),
            class => html.push_str(&format!("<i class={class}>{}</i>", escape(token))),
        }
        rest = after;
    }
    html
}

/// The length of the next token and the class it is marked with.
fn token(text: &str, first: char) -> (usize, &'static str) {
    match first {
        '#' => (text.find('\n').unwrap_or(text.len()), "c"),
        '"' => (string(text), "s"),
        digit if digit.is_ascii_digit() => (number(text), "n"),
        letter if letter == '_' || letter.is_alphabetic() => {
            let length = run(text, |c| c == '_' || c.is_alphanumeric());
            let word = &text[..length];
            let known = WORDS.contains(&word) || Kind::from_keyword(word).is_some();
            // `seed: 1..=5` names an argument; a keyword is not followed by `:` or `(`.
            let after = text[length..].trim_start().chars().next();
            let keyword = known && !matches!(after, Some(':' | '(' | ',' | ')'));
            (length, if keyword { "k" } else { "" })
        }
        other => (other.len_utf8(), ""),
    }
}

fn run(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

/// Digits, `.5` but not `..`, and an exponent.
fn number(text: &str) -> usize {
    let digits = |from: usize| from + run(&text[from..], |c| c.is_ascii_digit() || c == '_');
    let starts_digit = |from: usize| text[from..].starts_with(|c: char| c.is_ascii_digit());
    let mut end = digits(0);
    if text[end..].starts_with('.') && starts_digit(end + 1) {
        end = digits(end + 1);
    }
    if text[end..].starts_with(['e', 'E']) {
        let sign = usize::from(text[end + 1..].starts_with(['-', '+']));
        if starts_digit(end + 1 + sign) {
            end = digits(end + 1 + sign);
        }
    }
    end
}

/// Up to the closing quote or the end of the line.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            '\n' => return at,
            '"' if !escaped => return at + 1,
            _ => escaped = character == '\\' && !escaped,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_what_it_knows() {
        assert_eq!(
            highlight("data a = csv(\"x\\\"<\", n: 1e-3) # <b>\n1..=5"),
            "<i class=k>data</i> a = csv(<i class=s>&quot;x\\&quot;&lt;&quot;</i>, n: \
             <i class=n>1e-3</i>) <i class=c># &lt;b&gt;</i>\n<i class=n>1</i>..=<i class=n>5</i>"
        );
    }

    #[test]
    fn argument_names_are_no_keywords() {
        assert_eq!(highlight("seed: 1"), "seed: <i class=n>1</i>");
        assert_eq!(highlight("seed = x"), "<i class=k>seed</i> = x");
    }

    #[test]
    fn any_text_is_kept() {
        for text in ["\"open\nnext", "\"", "1e", "1e+", "1.", "é\"\\", "\u{301}#"] {
            let html = highlight(text);
            let plain = ["c", "s", "k", "n"]
                .iter()
                .fold(html, |html, class| {
                    html.replace(&format!("<i class={class}>"), "")
                })
                .replace("</i>", "");
            assert_eq!(plain, escape(text));
        }
    }
}
