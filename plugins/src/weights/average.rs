//! `average(walk)`: one row of weights from many.

use std::collections::BTreeSet;

use dsl::column::{ColumnExpr, Values};
use dsl::facts::Coordinate;
use dsl::types::Kind;
use engine::error::Fault;
use engine::params::{Formula, Input, Origins};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use polars::prelude::{Column, DataType};

use super::Weights;
use super::support::chosen::{Candidates, Chosen};
use super::support::facts::{network, one};
use super::support::rows::Rows;
use super::support::stream::{Source, lone, weighted};
use crate::parents::Parent;

plugin! {
    /// The mean of all rows of a table: one row of weights.
    ///
    /// Of the states along training it is stochastic weight averaging (Izmailov et al. 2018) or
    /// checkpoint averaging. `weight` weighs the rows by their coordinates: `step ^ 6.94` is
    /// the power function of Karras et al. 2024 of relative width 0.1, `exp((step - 6000) / 800)`
    /// an exponential mean. Weights are divided by their sum; none may be negative. Rows that
    /// diverged are left out, with a note.
    ///
    /// With `on`, rows are judged by data first: `greedy` takes the best, then each next one that
    /// makes the mean no worse (Wortsman et al. 2022, greedy soup), `best` a share of them. `soup`
    /// is the same over the members of an ensemble.
    ///
    /// Time and memory are those of reading the table once, a few MiB at a time; with `on` two
    /// networks are in memory, and each row is run once or twice.
    ///
    /// ```farcast
    /// parent swa = average(walk, weight: step ^ 2)
    /// parent picked = average(walk, on: seen, choose: best, share: 25 %)
    /// ```
    "average" version 4
    pub struct Average {
        /// The rows.
        weights: Input<Weights>;
        /// The weight of each row, from its coordinates; of equal weight without it.
        weight: Option<Formula>, coordinates();
        /// Which rows are averaged.
        chosen: Chosen, flatten();
        /// The networks that the weights belong to.
        networks: Origins<Parent>, origins("weights");
    }
}

impl Plugin for Average {
    type Output = Weights;
    // Version 3 keeps negative zeros.
    const STREAMS: u32 = 2;

    fn kinds() -> Vec<Kind> {
        vec![Kind::Weights, Kind::Parent, Kind::Child]
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let formula = call.get::<Formula>("weight");
        let wrong = formula.and_then(|formula| unweighable(call, &formula.0));
        let wrong = wrong.or_else(|| Chosen::check(call, "weights"));
        Vec::from_iter(network(call, degree(call), true).or(wrong))
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        Facts {
            coordinates: Coordinate::numbers(["row"]),
            ..one(call, &call.inputs("weights"), degree(call))
        }
    }

    fn run(self, context: &Context) -> Result<Weights, Fault> {
        let rows = Rows::of(&self.weights, context.member())?.finished(context)?;
        let factors = self.factors(&rows)?;
        let (source, target) = lone(rows, &self.networks, "weights", context)?;
        let row = |at: usize| Ok(source.table.networks(&[source.rows[at]])?.concat());
        let candidates = Candidates {
            network: target.network.as_ref(),
            factors: &factors,
            weights: &row,
        };
        let chosen = self.chosen.among(&candidates, context)?;
        let sum: f64 = chosen.iter().map(|at| factors[*at]).sum();
        let factors: Vec<f64> = chosen.iter().map(|at| factors[*at] / sum).collect();
        let source = Source {
            table: source.table,
            rows: chosen.iter().map(|at| source.rows[*at]).collect(),
        };
        weighted(source, target, &factors, context)
    }
}

fn degree(call: &Sketch) -> f64 {
    call.input("weights").map_or(1.0, |input| input.degree())
}

impl Average {
    /// How much each row counts.
    fn factors(&self, rows: &Rows) -> Result<Vec<f64>, Fault> {
        let weights = match &self.weight {
            Some(Formula(formula)) => values(rows, formula, "weight")?,
            None => vec![1.0; rows.rows.len()],
        };
        if let Some(message) = no_weights(&weights) {
            return Err(Fault::at("weight", message));
        }
        Ok(weights)
    }
}

/// Why these numbers cannot weigh rows.
fn no_weights(weights: &[f64]) -> Option<String> {
    let is_wrong = |weight: &&f64| !(weight.is_finite() && **weight >= 0.0);
    if let Some(wrong) = weights.iter().find(is_wrong) {
        return Some(format!(
            "expected weights of rows that are 0 or more, found {wrong}"
        ));
    }
    let sum: f64 = weights.iter().sum();
    let is_sound = sum > 0.0 && sum.is_finite();
    (!is_sound).then(|| format!("expected weights of rows with a positive sum, found {sum}"))
}

/// Refuses a formula that weighs no rows whatever the data: one of numbers alone, or of steps that
/// are known.
fn unweighable(call: &Sketch, formula: &ColumnExpr) -> Option<Complaint> {
    let cases = match formula.columns()[..] {
        [] => vec![vec![0]],
        ["step"] => call.steps("weights")?.possible(None)?,
        _ => return None,
    };
    // Where a training may stop early, one of the cases may be sound.
    let found = cases.iter().map(|steps| {
        let steps: Vec<f64> = steps.iter().map(|step| *step as f64).collect();
        let values = formula.evaluate(steps.len(), &|_| Some(steps[..].into()));
        no_weights(&values.ok()?)
    });
    let found: Vec<String> = found.collect::<Option<_>>()?;
    Some(Complaint::at("weight", found.into_iter().next()?))
}

/// The values of a formula over the coordinates of rows.
pub(crate) fn values(rows: &Rows, formula: &ColumnExpr, param: &str) -> Result<Vec<f64>, Fault> {
    let as_numbers = formula.read_as_numbers();
    let columns = formula.columns().into_iter().map(|name| {
        let column = rows.coordinates.column(name).map_err(|_| {
            let known = rows.coordinates.get_column_names();
            let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
            Fault::at(param, format!("the rows have no coordinate `{name}`"))
                .with_hint(format!("coordinates: {}", known.join(", ")))
        })?;
        let held = CoordinateValues::of(column)?;
        if held.labels.is_some() && as_numbers.contains(&name) {
            let message = format!("expected numbers, found `{name}`, which holds texts");
            return Err(Fault::at(param, message));
        }
        Ok((name, held))
    });
    let columns = columns.collect::<Result<Vec<_>, Fault>>()?;
    let find = |name: &str| {
        let (_, held) = columns.iter().find(|(known, _)| *known == name)?;
        Some(Values {
            values: &held.values,
            labels: held.labels.as_deref(),
        })
    };
    let evaluated = formula.evaluate(rows.rows.len(), &find);
    evaluated.map_err(|message| Fault::at(param, message))
}

/// What a formula sees of a coordinate.
struct CoordinateValues {
    values: Vec<f64>,
    labels: Option<Vec<String>>,
}

impl CoordinateValues {
    fn of(column: &Column) -> Result<Self, Fault> {
        if let Ok(texts) = column.str() {
            let known: BTreeSet<&str> = texts.iter().flatten().collect();
            let labels: Vec<String> = known.into_iter().map(str::to_owned).collect();
            let place = |text: &str| labels.partition_point(|label| &label[..] < text) as f64;
            let values = texts.iter().map(|text| text.map_or(f64::NAN, place));
            return Ok(Self {
                values: values.collect(),
                labels: Some(labels),
            });
        }
        let numbers = column.cast(&DataType::Float64)?;
        let numbers = numbers.f64()?.iter();
        Ok(Self {
            values: numbers.map(|number| number.unwrap_or(f64::NAN)).collect(),
            labels: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{call, given};
    use crate::weights::Combine;
    use crate::weights::support::testing::{averages, close, table, weights_of};

    #[test]
    fn a_power_average_is_that_of_the_golden_file() {
        let golden = averages();
        let rows: Vec<usize> = golden
            .power_average_steps
            .iter()
            .map(|step| *step as usize - 1)
            .collect();
        let path: Vec<Vec<f64>> = rows.iter().map(|row| golden.path[*row].clone()).collect();
        let walk = table(&path, Some(&golden.power_average_steps));
        let weight = format!("w, weight: step ^ {}", golden.std_to_gamma["0.05"]);
        let average: Average = call(&weight, &[("w", given(walk))]);
        let found = average.run(&Context::alone("average")).expect("runs");
        close(&weights_of(&found), &golden.power_average, 1e-6);
    }

    #[test]
    fn the_mean_of_one_row_is_that_row_and_diverged_rows_take_no_part() {
        let one = table(&[vec![0.1, -3.0e7, 1e-30]], None);
        let average: Average = call("w", &[("w", given(one.clone()))]);
        let found = average.run(&Context::alone("average")).expect("runs");
        assert_eq!(weights_of(&found), weights_of(&one));
    }
    #[test]
    fn a_row_that_is_not_a_number_is_never_averaged_in() {
        let walk = table(
            &[vec![1.0, 2.0], vec![3.0, f64::NAN], vec![5.0, 6.0]],
            Some(&[0, 5, 10]),
        );
        let inputs = [("w", given(walk))];
        let context = Context::alone("average");
        let twice: Combine = call("terms: [w], factors: [2]", &inputs);
        let inputs = [("w", given(twice.run(&context).expect("marked")))];
        let average: Average = call("w", &inputs);
        let found = average.run(&context).expect("runs");
        assert_eq!(weights_of(&found), [6.0, 8.0]);
        assert_eq!(context.take_notes(), ["1 of 3 rows diverged: left out"]);
    }
}
