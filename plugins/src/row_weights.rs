//! How much rows count, in training and in scores: a formula over their columns.

use dsl::column::ColumnExpr;
use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::Formula;
use engine::plugin::{Complaint, Sketch, Training};

/// How much each row counts, by the formula of parameter `weights`; nothing where it is left out.
///
/// # Errors
/// When a weight is missing, negative or infinite, or all are zero.
pub(crate) fn row_weights(
    formula: Option<&ColumnExpr>,
    data: &Dataset,
) -> Result<Option<Vec<f64>>, Fault> {
    let Some(formula) = formula else {
        return Ok(None);
    };
    let weights = weights_by(formula, data)?;
    let mut seen = WeightsSeen::default();
    seen.add(&weights);
    seen.check(formula)?;
    Ok(Some(weights))
}

/// What weights of rows are, while they come in parts.
#[derive(Debug, Default)]
pub(crate) struct WeightsSeen {
    rows: usize,
    wrong: usize,
    counts: bool,
}

impl WeightsSeen {
    /// Looks at more of them.
    pub fn add(&mut self, weights: &[f64]) {
        let is_weight = |weight: &f64| weight.is_finite() && *weight >= 0.0;
        self.rows += weights.len();
        self.wrong += weights.iter().filter(|weight| !is_weight(weight)).count();
        self.counts |= weights.iter().any(|weight| *weight != 0.0);
    }

    /// Refuses what cannot be weights of all rows.
    ///
    /// # Errors
    /// When one is missing, negative or infinite, or all are zero.
    pub fn check(&self, formula: &ColumnExpr) -> Result<(), Fault> {
        if self.wrong > 0 {
            let message = format!(
                "`{formula}` is missing, negative or infinite in {} of {} rows",
                self.wrong, self.rows
            );
            let fault = Fault::at("weights", message);
            return Err(fault.with_hint("leave these rows out with `where`"));
        }
        match self.rows > 0 && !self.counts {
            true => Err(Fault::at("weights", none_counts("all rows"))),
            false => Ok(()),
        }
    }
}

fn none_counts(rows: &str) -> String {
    format!("the weights are 0 in {rows}")
}

/// The values of a formula; row by row some rows at a time, so that its columns stay as narrow as they come.
///
/// # Errors
/// When it cannot be computed.
pub(crate) fn weights_by(formula: &ColumnExpr, data: &Dataset) -> Result<Vec<f64>, Fault> {
    let of = |rows: &Dataset| {
        let values = formula.evaluate(rows.rows(), &|name| rows.look(name));
        values.map_err(|message| Fault::at("weights", message))
    };
    if formula.of_rows().is_some() || data.rows() <= AT_ONCE {
        return of(data);
    }
    let columns = formula.columns();
    let columns = columns.iter().filter_map(|name| data.column(name).ok());
    let columns = Dataset::new(columns.cloned().collect())?;
    let mut all = Vec::with_capacity(data.rows());
    for start in (0..data.rows()).step_by(AT_ONCE) {
        let rows: Vec<u32> = (start as u32..)
            .take(AT_ONCE.min(data.rows() - start))
            .collect();
        all.extend(of(&columns.take(&rows))?);
    }
    Ok(all)
}

/// How many rows a formula is evaluated on at a time.
const AT_ONCE: usize = 1 << 16;

/// Refuses a weight that is the same for all rows and counts none of them.
pub(crate) fn constant_weight(call: &Sketch) -> Option<Complaint> {
    let Formula(formula) = call.get::<Option<Formula>>("weights")??;
    if !formula.columns().is_empty() || formula.of_rows().is_some() {
        return None;
    }
    let weight = formula.evaluate(1, &|_| None).ok()?.first().copied()?;
    let is_weight = weight.is_finite() && weight > 0.0;
    let message = format!("expected weights above 0, found {weight} for every row");
    (!is_weight).then(|| Complaint::at("weights", message))
}

/// Refuses weights of rows where a program computes the gradients: the protocol has no place for them.
pub(crate) fn not_by_program(call: &Sketch) -> Option<Complaint> {
    let network = call.network("parent")?;
    let message = "the program that runs this network takes rows that all count the same";
    (network.training == Training::Program && call.has("weights"))
        .then(|| Complaint::at("weights", message))
}

/// Refuses rows of which none counts.
///
/// # Errors
/// When there are rows, and the weights of all are zero; `rows` says which these are.
pub(crate) fn any_counts(weights: &[f64], rows: &str) -> Result<(), Fault> {
    let none = !weights.is_empty() && weights.iter().all(|weight| *weight == 0.0);
    match none {
        true => Err(Fault::at("weights", none_counts(rows))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests;
