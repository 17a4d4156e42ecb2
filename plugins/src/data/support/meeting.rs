//! The rows that meet a condition.

use std::collections::BTreeSet;

use dsl::column::ColumnExpr;
use dsl::name::written;
use dsl::types::Content;
use engine::artifact::{DataColumn, Dataset};
use engine::error::Fault;
use engine::plugin::Context;

use super::formulas::{by_row, no_dates};

/// The rows that meet the condition of a parameter, in their order.
///
/// # Errors
/// When no row does, with what the columns hold instead.
pub fn meeting(
    condition: &ColumnExpr,
    data: &Dataset,
    param: &'static str,
    context: &Context,
) -> Result<Dataset, Fault> {
    if let Some(lost) = no_dates(condition, data) {
        context.note(lost);
    }
    let met = by_row(condition, data, std::slice::from_ref(&(0..data.rows())))
        .map_err(|message| Fault::at(param, message))?;
    let rows: Vec<u32> = (0..data.rows() as u32)
        .filter(|row| met.get(*row as usize) == Some(1.0))
        .collect();
    match rows.len() {
        0 => Err(none_meets(condition, data, param)),
        _ => Ok(data.take(&rows)),
    }
}

/// That no row meets a condition, with what its columns hold.
pub fn none_meets(condition: &ColumnExpr, data: &Dataset, param: &'static str) -> Fault {
    let hint = extents(data, &condition.columns());
    Fault::at(param, "no row meets the condition").with_hint(hint)
}

/// `depth is 0..5000, lat is -77.5..89.5`
fn extents(data: &Dataset, names: &[&str]) -> String {
    let extents: Vec<String> = names
        .iter()
        .filter_map(|name| Some((written(name), data.column(name).ok()?)))
        .map(|(name, column)| {
            if let Content::Text = column.content {
                return texts(&name, column);
            }
            // `f64::min` and `max` pass over NaN.
            let low = column.values.iter().copied().fold(f64::NAN, f64::min);
            let high = column.values.iter().copied().fold(f64::NAN, f64::max);
            match low.is_nan() {
                true => format!("`{name}` has no values"),
                false => format!("`{name}` is {}..{}", column.show(low), column.show(high)),
            }
        })
        .collect();
    extents.join(", ")
}

/// How many texts a message lists.
const LISTED: usize = 12;

/// `station is "a", "b" or "c"`
fn texts(name: &str, column: &DataColumn) -> String {
    let used: BTreeSet<u64> = column
        .values
        .iter()
        .filter(|value| !value.is_nan())
        .map(|value| *value as u64)
        .collect();
    let mut shown: Vec<String> = used
        .iter()
        .take(LISTED)
        .map(|at| column.show(*at as f64))
        .collect();
    if used.len() > LISTED {
        shown.push(format!("… ({} texts)", used.len()));
    }
    match shown.is_empty() {
        true => format!("{name} has no values"),
        false => format!("{name} is one of {}", shown.join(", ")),
    }
}
