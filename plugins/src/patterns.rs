//! Patterns over the names of tensors, where a `*` is any text.

use engine::artifact::{Layout, shown};
use engine::error::Fault;

/// Which tensors have a name that one of the patterns matches.
///
/// # Errors
/// The first pattern that matches none.
pub fn chosen(layout: &Layout, patterns: &[String], param: &str) -> Result<Vec<bool>, Fault> {
    let names: Vec<&str> = layout.tensors.iter().map(|it| &it.name[..]).collect();
    if let Some((message, hint)) = unmatched(&names, patterns) {
        return Err(Fault::at(param, message).with_hint(hint));
    }
    let is_chosen = |name: &&str| patterns.iter().any(|pattern| matches(pattern, name));
    Ok(names.iter().map(is_chosen).collect())
}

/// The first pattern that matches no name, in words, with what to do.
pub fn unmatched(names: &[&str], patterns: &[String]) -> Option<(String, String)> {
    let is_idle = |pattern: &&String| !names.iter().any(|name| matches(pattern, name));
    let pattern = patterns.iter().find(is_idle)?;
    let message = format!("no tensor is named `{}`", shown(pattern));
    Some((message, listed(names)))
}

/// The first of these names of tensors, in words.
pub fn listed(names: &[&str]) -> String {
    let some = names.iter().take(8);
    let some: Vec<String> = some.map(|name| format!("`{}`", shown(name))).collect();
    let more = if names.len() > 8 { ", …" } else { "" };
    format!("tensors: {}{more}", some.join(", "))
}

/// Whether a name is what a pattern says; a `*` is any text.
pub fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_patterns() {
        for (pattern, name, expected) in [
            ("layers.0.*", "layers.0.weight", true),
            ("layers.0.*", "layers.10.weight", false),
            ("*.bias", "layers.0.bias", true),
            ("*0*weight", "layers.0.weight", true),
            ("a*a", "a", false),
            ("weight", "weight", true),
            ("weight", "weights", false),
            ("*", "anything", true),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
