//! The words for the parts of a comparison, on the terminal and in the page.

use super::{Method, ScoreComparison};
use crate::metric::significant;

/// `A`, `B`, …, `Z`, `27`, …: the name of a run in tables.
pub fn letter(index: usize) -> String {
    match u8::try_from(index) {
        Ok(index) if index < 26 => char::from(b'A' + index).to_string(),
        _ => (index + 1).to_string(),
    }
}

/// `ensemble mean`, `4 members`, `4 / 5 members`.
pub fn of(row: &ScoreComparison) -> String {
    match row.members.as_slice() {
        [] => format!("ensemble {}", row.of),
        [first, rest @ ..] if rest.iter().all(|count| count == first) => match first {
            1 => "1 member".to_owned(),
            count => format!("{count} members"),
        },
        counts => {
            let counts: Vec<String> = counts.iter().map(usize::to_string).collect();
            format!("{} members", counts.join(" / "))
        }
    }
}

/// A value with four digits; empty without a value.
pub fn shown(value: Option<f64>) -> String {
    value.map_or_else(String::new, significant)
}

/// A difference with its sign.
pub fn signed(value: f64) -> String {
    let sign = if value > 0.0 { "+" } else { "" };
    format!("{sign}{}", significant(value))
}

/// `paired over 4`, `Welch`.
pub fn method(method: Method) -> String {
    match method {
        Method::Paired(count) => format!("paired over {count}"),
        Method::Welch => "Welch".to_owned(),
        Method::None => String::new(),
    }
}
