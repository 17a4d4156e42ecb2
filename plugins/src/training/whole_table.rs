//! Steps on all rows of a large table, which is standardised anew each time it is read.

use engine::error::Fault;
use engine::plugin::Context;

use crate::networks::{Differentiate, Loss, Network, SampleSource, Samples};
use crate::triangle::Triangle;

/// All rows of a large table, as steps see them.
pub struct WholeTable<'a>(TableForm<'a>);

enum TableForm<'a> {
    /// Of a linear model: all that its squared error depends on.
    Squares(SquaredErrors),
    /// Read at each step, some rows at a time.
    Blocks(&'a SampleSource<'a>, BlockSums),
}

/// What steps add up over blocks of rows.
#[derive(Default)]
struct BlockSums {
    gradient: Vec<f64>,
    rounded: Vec<f32>,
}

/// The triangle of a linear model with more columns takes longer than its steps.
const MOST_COLUMNS: usize = 256;

impl<'a> WholeTable<'a> {
    /// Those of a network.
    ///
    /// # Errors
    /// When the run is stopped.
    pub fn of(
        network: &Network,
        rows: &'a SampleSource<'a>,
        context: &Context,
    ) -> Result<Self, Fault> {
        let layers = network.dense().map(|layers| &layers.widths[..]);
        let form = match layers {
            Some([inputs, outputs])
                if network.loss() == Loss::Mse && inputs + outputs <= MOST_COLUMNS =>
            {
                TableForm::Squares(SquaredErrors::of([*inputs, *outputs], rows, context)?)
            }
            _ => TableForm::Blocks(rows, BlockSums::default()),
        };
        Ok(Self(form))
    }

    /// The mean loss of all rows and its gradient by the weights, in parameter order; `by` computes
    /// that of some rows.
    ///
    /// # Errors
    /// When the run is stopped.
    pub fn gradient(
        &mut self,
        weights: &[f32],
        by: &mut dyn Differentiate,
        context: &Context,
    ) -> Result<(f64, &[f32]), Fault> {
        match &mut self.0 {
            TableForm::Squares(errors) => Ok(errors.gradient(weights)),
            TableForm::Blocks(source, sums) => {
                let (mut loss, all) = (0.0, source.rows() as f64);
                sums.gradient.clear();
                sums.gradient.resize(weights.len(), 0.0);
                source.each_block(|rows| {
                    context.check_stop()?;
                    let share = rows.rows as f64 / all;
                    let (own, gradient) = by.gradient(weights, rows);
                    loss += share * own;
                    for (sum, own) in sums.gradient.iter_mut().zip(gradient) {
                        *sum += share * f64::from(*own);
                    }
                    Ok(())
                })?;
                sums.rounded.clear();
                let rounded = sums.gradient.iter().map(|sum| *sum as f32);
                sums.rounded.extend(rounded);
                Ok((loss, &sums.rounded))
            }
        }
    }
}

/// The squared errors of a linear model in all rows, by the triangle `R` of inputs, ones and targets:
/// of `e = (w, b, -1)` their sum is `|R e|²`, and its gradient `2 Rᵀ R e`.
struct SquaredErrors {
    triangle: Triangle,
    inputs: usize,
    outputs: usize,
    /// How many errors there are: one for each row and output.
    errors: f64,
    gradient: Vec<f32>,
}

impl SquaredErrors {
    fn of(
        [inputs, outputs]: [usize; 2],
        rows: &SampleSource,
        context: &Context,
    ) -> Result<Self, Fault> {
        let mut triangle = Triangle::new(inputs + 1 + outputs);
        rows.each_block(|rows| {
            context.check_stop()?;
            triangle.add(rows.rows, |row, at| {
                number(rows, [inputs, outputs], row, at)
            });
            Ok(())
        })?;
        Ok(Self {
            triangle,
            inputs,
            outputs,
            errors: rows.rows() as f64 * outputs as f64,
            gradient: vec![0.0; (inputs + 1) * outputs],
        })
    }

    fn gradient(&mut self, weights: &[f32]) -> (f64, &[f32]) {
        let (r, inputs) = (self.triangle.r(), self.inputs);
        let (slopes, biases) = weights.split_at(inputs * self.outputs);
        let (slopes_by, biases_by) = self.gradient.split_at_mut(slopes.len());
        let mut loss = 0.0;
        for output in 0..self.outputs {
            let own = inputs * output..inputs * (output + 1);
            let weights = slopes[own.clone()].iter().chain(&biases[output..=output]);
            let weights: Vec<f64> = weights.copied().map(f64::from).collect();
            // Of `R e`, where `R` has numbers on and beyond its diagonal.
            let errors: Vec<f64> = (0..r.nrows())
                .map(|row| {
                    let pairs = weights.iter().enumerate().skip(row);
                    let sum: f64 = pairs.map(|(at, weight)| r[(row, at)] * weight).sum();
                    sum - r[(row, inputs + 1 + output)]
                })
                .collect();
            loss += errors.iter().map(|error| error * error).sum::<f64>();
            let by = slopes_by[own].iter_mut();
            let by = by.chain(&mut biases_by[output..=output]);
            for (at, by) in by.enumerate() {
                let column = errors.iter().enumerate().take(at + 1);
                let sum: f64 = column.map(|(row, error)| r[(row, at)] * error).sum();
                *by = (2.0 / self.errors * sum) as f32;
            }
        }
        (loss / self.errors, &self.gradient)
    }
}

/// A number of a row of the triangle, counting as often as the row.
fn number(rows: &Samples, [inputs, outputs]: [usize; 2], row: usize, at: usize) -> f64 {
    let number = match at.checked_sub(inputs) {
        None => rows.inputs[row * inputs + at],
        Some(0) => 1.0,
        Some(at) => rows.targets[row * outputs + at - 1],
    };
    let counts = rows.weights.get(row).copied().map_or(1.0, f64::from);
    counts.sqrt() * f64::from(number)
}

#[cfg(test)]
mod tests {
    use engine::artifact::{DataColumn, Dataset};

    use super::*;
    use crate::networks::testing::{made_up, network};
    use crate::networks::{Scaled, TrainerChoice, TrainingRows};

    /// Rows of three inputs and two targets, some of which count more.
    fn rows(count: usize) -> TrainingRows {
        let column = |at: usize| {
            DataColumn::numbers(["a", "b", "c", "u", "v"][at], None, made_up(count, at))
        };
        let data = Dataset::new((0..5).map(column).collect()).expect("columns of one length");
        let weights = made_up(count, 7).into_iter();
        let weights = weights.map(|it| f64::from(it.abs())).collect();
        TrainingRows::weighted(data, Some(weights))
    }

    #[test]
    fn gradients_of_blocks_and_of_the_triangle_are_those_of_all_rows() {
        let scaled = |names: &[&str]| -> Vec<Scaled> {
            let scaled = names.iter().map(|name| Scaled {
                name: (*name).to_owned(),
                mean: 0.2,
                std: 0.6,
            });
            scaled.collect()
        };
        let rows = rows(10_000);
        for widths in [&[3, 2][..], &[3, 5, 2]] {
            let columns = [scaled(&["a", "b", "c"]), scaled(&["u", "v"])];
            let network = network(columns, widths, Loss::Mse);
            let weights = made_up(network.layout().len(), 3);
            let context = Context::alone("all");
            let source = SampleSource::columns(&network, &rows).expect("a source");
            let samples = network.samples(&rows.data).expect("samples");
            let samples = samples.weighted(rows.weights.as_deref());
            let mut by = network.differentiate(TrainerChoice::Auto);
            let (loss, gradient) = by.gradient(&weights, &samples);
            let gradient = gradient.to_vec();
            let mut all = WholeTable::of(&network, &source, &context).expect("all rows");
            let is_linear = matches!(&all.0, TableForm::Squares(_));
            assert_eq!(is_linear, widths.len() == 2);
            let (own_loss, own) = all
                .gradient(&weights, &mut *by, &context)
                .expect("a gradient");
            assert!((own_loss / loss - 1.0).abs() < 1e-5, "{own_loss} {loss}");
            let largest = gradient.iter().fold(0.0_f32, |most, it| most.max(it.abs()));
            for (own, expected) in own.iter().zip(&gradient) {
                let off = (own - expected).abs() / largest;
                assert!(off < 1e-5, "{own} {expected}");
            }
        }
    }
}
