//! Values of flags.

/// `NAME=VALUE`.
pub(super) fn setting(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err("expected NAME=VALUE, such as `width=16`".to_owned()),
    }
}

/// A whole number.
pub(super) fn whole(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| format!("expected a whole number, found `{text}`"))
}

/// A size in bytes: `500MB`, `20 GB`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let end = text
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        _ => return Err("expected a size such as `500MB` or `20GB`".to_owned()),
    };
    match number.parse::<f64>() {
        Ok(number) => Ok((number * factor) as u64),
        Err(_) => Err("expected a size such as `500MB` or `20GB`".to_owned()),
    }
}
