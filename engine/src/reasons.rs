//! Why something that others wrote in JSON or TOML is not what was expected, in their words.

/// The reason of serde without its words for types: `expected a list, found "sh"`.
pub fn reason(error: &impl ToString) -> String {
    let text = error.to_string();
    // The place is that in one line of JSON, which nobody sees.
    let text = text.split(" at line ").next().unwrap_or_default();
    if let Some(rest) = stripped(text, &["invalid type: ", "invalid value: "])
        && let Some((found, expected)) = rest.split_once(", expected ")
    {
        return format!("expected {}, found {}", type_in(expected), value(found));
    }
    if let Some(rest) = text.strip_prefix("invalid length ")
        && let Some((found, expected)) = rest.split_once(", expected ")
    {
        return format!("expected {}, found {found}", type_in(expected));
    }
    if let Some(rest) = text.strip_prefix("unknown variant ")
        && let Some((found, expected)) = rest.split_once(", expected ")
    {
        return format!("expected {expected}, found {found}");
    }
    if let Some(name) = text.strip_prefix("missing field ") {
        return format!("{name} is missing");
    }
    if let Some((name, known)) = unknown_key(text) {
        return format!("{name} is not known here; known: {known}");
    }
    text.to_owned()
}

/// The key in backticks that is not known, and those that are.
pub fn unknown_key(text: &str) -> Option<(&str, String)> {
    let rest = text.strip_prefix("unknown field ")?;
    let (name, known) = rest.split_once(", expected ")?;
    let known = stripped(known, &["one of "]).unwrap_or(known);
    let known = known.split(" at line ").next().unwrap_or(known);
    Some((name, known.replace(" or ", ", ")))
}

fn stripped<'a>(text: &'a str, prefixes: &[&str]) -> Option<&'a str> {
    prefixes
        .iter()
        .find_map(|prefix| text.strip_prefix(*prefix))
}

fn value(found: &str) -> String {
    for kind in ["string ", "integer ", "floating point ", "boolean "] {
        if let Some(value) = found.strip_prefix(kind) {
            return value.to_owned();
        }
    }
    match found {
        "null" | "unit value" => "nothing",
        "map" => "an object",
        "sequence" => "a list",
        "unit variant" => "a word",
        other => other,
    }
    .to_owned()
}

fn type_in(expected: &str) -> String {
    match expected {
        "a string" | "string" => "text",
        "a boolean" => "`true` or `false`",
        "a sequence" | "a sequence of values" => "a list",
        "a map" => "an object",
        "usize" | "u8" | "u16" | "u32" | "u64" | "u128" => "a whole number from 0",
        "isize" | "i8" | "i16" | "i32" | "i64" => "a whole number",
        "f32" | "f64" => "a number",
        other if other.starts_with("struct ") => "an object",
        other if other.contains("variant") || other.starts_with("enum ") => "a word",
        other => {
            return match other.strip_prefix("a tuple of size ") {
                Some(count) => format!("a list of {count}"),
                None => other.to_owned(),
            };
        }
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;
    use serde::de::DeserializeOwned;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Identity {
        Files,
        Version,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Named {
        #[expect(dead_code, reason = "it is only read")]
        name: String,
    }

    fn why<T: DeserializeOwned>(text: &str) -> String {
        match serde_json::from_str::<T>(text) {
            Ok(_) => panic!("`{text}` was read"),
            Err(error) => reason(&error),
        }
    }

    #[test]
    fn no_reason_has_the_words_of_serde() {
        assert_eq!(why::<Vec<u32>>("null"), "expected a list, found nothing");
        assert_eq!(why::<Vec<u32>>("3"), "expected a list, found `3`");
        assert_eq!(
            why::<Vec<u32>>("[-1]"),
            "expected a whole number from 0, found `-1`"
        );
        assert_eq!(
            why::<Vec<u32>>("[1.5]"),
            "expected a whole number from 0, found `1.5`"
        );
        assert_eq!(
            why::<BTreeMap<String, f64>>("[]"),
            "expected an object, found a list"
        );
        assert_eq!(
            why::<bool>("\"yes\""),
            "expected `true` or `false`, found \"yes\""
        );
        assert_eq!(
            why::<(u64, f64, f64)>("[1, 2]"),
            "expected a list of 3, found 2"
        );
        assert_eq!(why::<Named>("{}"), "`name` is missing");
        assert_eq!(
            why::<Named>("{\"name\": true}"),
            "expected text, found `true`"
        );
        assert_eq!(
            why::<Named>("{\"nome\": 1}"),
            "`nome` is not known here; known: `name`"
        );
        assert_eq!(
            why::<Identity>("\"file\""),
            "expected `files` or `version`, found `file`"
        );
    }
}
