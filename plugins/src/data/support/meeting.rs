//! The rows that meet a condition.

use std::collections::BTreeSet;

use dsl::column::ColumnExpr;
use dsl::name::written;
use dsl::types::Content;
use engine::artifact::{DataColumn, Dataset};
use engine::error::Fault;
use engine::plugin::{Context, ReadColumns};

use super::formulas::{by_row, no_dates, told_no_dates};

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
    let mut meeting = Meeting::new(condition.clone(), param);
    let met = meeting.of(data)?;
    meeting.end(context)?;
    Ok(met.unwrap_or_default())
}

/// The same of rows that come in parts.
pub struct Meeting {
    condition: ColumnExpr,
    param: &'static str,
    is_met: bool,
    /// Rows that say how far the columns extend, while none meets the condition.
    extremes: Vec<Dataset>,
    no_dates: usize,
}

impl Meeting {
    /// Of the condition of a parameter.
    pub fn new(condition: ColumnExpr, param: &'static str) -> Self {
        Self {
            condition,
            param,
            is_met: false,
            extremes: Vec::new(),
            no_dates: 0,
        }
    }

    /// The columns that the condition reads.
    pub fn reads(&self) -> Vec<&str> {
        self.condition.columns()
    }

    /// Those of the next rows that meet the condition; none where none does.
    ///
    /// # Errors
    /// When the condition cannot be computed.
    pub fn of(&mut self, rows: &Dataset) -> Result<Option<Dataset>, Fault> {
        let condition = &self.condition;
        self.no_dates += no_dates(condition, rows);
        let met = by_row(condition, rows, std::slice::from_ref(&(0..rows.rows())))
            .map_err(|message| Fault::at(self.param, message))?;
        let all = met.part(0..rows.rows());
        let places = (0..).zip(&*all).filter(|(_, met)| **met == 1.0);
        let places: Vec<u32> = places.map(|(row, _)| row).collect();
        if places.is_empty() {
            if !self.is_met {
                let read = rows.only(&ReadColumns::none().and(condition.columns()));
                self.extremes.push(read.take(&extremes(condition, &read)));
            }
            return Ok(None);
        }
        self.is_met = true;
        self.extremes.clear();
        Ok(Some(match places.len() == rows.rows() {
            true => rows.clone(),
            false => rows.take(&places),
        }))
    }

    /// After the last rows.
    ///
    /// # Errors
    /// When none met the condition, with what the columns hold instead.
    pub fn end(self, context: &Context) -> Result<(), Fault> {
        if let Some(lost) = told_no_dates(self.no_dates) {
            context.note(lost);
        }
        match self.is_met {
            true => Ok(()),
            false => {
                let data = Dataset::of_parts(self.extremes)?;
                Err(none_meets(&self.condition, &data, self.param))
            }
        }
    }
}

/// The rows that have the lowest or highest value of a column that a condition reads, or one of
/// its texts.
fn extremes(condition: &ColumnExpr, rows: &Dataset) -> Vec<u32> {
    let mut found = BTreeSet::new();
    let used = condition.columns();
    for column in used.iter().filter_map(|name| rows.column(name).ok()) {
        let values = &column.values;
        let present = || {
            (0..)
                .zip(values.iter())
                .filter(|(_, value)| !value.is_nan())
        };
        if column.content == Content::Text {
            let mut seen = BTreeSet::new();
            let first = present().filter(|(_, value)| seen.insert(value.to_bits()));
            found.extend(first.map(|(row, _)| row));
        } else {
            let by_value = |a: &(u32, &f64), b: &(u32, &f64)| a.1.total_cmp(b.1);
            found.extend(present().min_by(by_value).map(|(row, _)| row));
            found.extend(present().max_by(by_value).map(|(row, _)| row));
        }
    }
    found.into_iter().collect()
}

/// That no row meets a condition, with what its columns hold.
pub fn none_meets(condition: &ColumnExpr, data: &Dataset, param: &'static str) -> Fault {
    let fault = Fault::at(param, "no row meets the condition");
    match extents(data, &condition.columns()) {
        // No row was read.
        hint if hint.is_empty() => fault,
        hint => fault.with_hint(hint),
    }
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
