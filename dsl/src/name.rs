//! Names as they are written: bare, or in backticks where they are not identifiers.

use std::borrow::Cow;

/// The words that can be names in backticks alone.
pub const RESERVED: [&str; 7] = ["and", "or", "not", "in", "as", "true", "false"];

/// Whether a name needs no backticks.
pub fn is_bare(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let first = name.as_bytes().first();
    first.is_some_and(|first| letter(*first) && !first.is_ascii_digit())
        && name.bytes().all(letter)
        && !RESERVED.contains(&name)
}

/// Whether backticks can hold a name: it has none itself, nor a line end, and is not empty.
pub fn is_writable(name: &str) -> bool {
    !name.is_empty() && !name.contains(['`', '\n', '\r', '\t'])
}

/// The name as the language writes it.
pub fn written(name: &str) -> Cow<'_, str> {
    match is_bare(name) || !is_writable(name) {
        true => Cow::Borrowed(name),
        false => Cow::Owned(format!("`{name}`")),
    }
}

/// The identifier for a name: what no bare name can hold becomes `_`.
pub fn identifier(name: &str) -> String {
    let text: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    match text.chars().next() {
        Some(first) if !first.is_ascii_digit() => text,
        _ => format!("_{text}"),
    }
}

/// A text as the language writes it.
pub fn in_quotes(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_identifiers_are_bare() {
        for (name, expected) in [
            ("temp", "temp"),
            ("_x1", "_x1"),
            ("2t", "`2t`"),
            ("TEMP-SFC", "`TEMP-SFC`"),
            ("group/name", "`group/name`"),
            ("in", "`in`"),
            ("Température", "`Température`"),
            ("", ""),
        ] {
            assert_eq!(written(name), expected);
        }
        assert_eq!(identifier("2m temp"), "_2m_temp");
    }
}
