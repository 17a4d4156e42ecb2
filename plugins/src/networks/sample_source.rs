//! Where batches come from: the columns of the data, so that no member needs a copy of these.

use std::convert::Infallible;

use engine::artifact::Numbers;
use engine::error::Fault;

use super::network::NO_ERRORS;
use super::scaled::{ROWS_AT_ONCE, numbers_of, standardise};
use super::{Loss, Network, Samples, Scaled, TrainingRows};

/// Rows of standardised inputs and targets, from which some are drawn at a time.
pub struct SampleSource<'a> {
    rows: usize,
    form: SourceForm<'a>,
}

enum SourceForm<'a> {
    /// Standardised once, row after row, where they are few numbers.
    Made(Samples),
    /// Standardised as they are drawn: the same operations, so the same bits.
    Columns {
        inputs: Vec<(&'a Scaled, &'a Numbers)>,
        targets: Vec<(&'a Scaled, &'a Numbers)>,
        rows: Option<&'a [u32]>,
        /// How much each row counts, and their mean.
        weights: Option<(&'a [f64], f64)>,
    },
}

/// Up to this many numbers, 32 MiB of them, are standardised once: to draw rows of many columns from
/// these takes a quarter of the time of a step of a small convolutional network.
const FEW: usize = 1 << 23;
/// How many rows are run at a time: whole blocks, whatever a network does side by side.
const AT_ONCE: usize = 4096;

impl<'a> SampleSource<'a> {
    /// The rows as the network sees them.
    ///
    /// # Errors
    /// When a column is missing, or has a class that the network does not know.
    pub fn of(network: &'a Network, rows: &'a TrainingRows) -> Result<Self, Fault> {
        let columns = Self::columns(network, rows)?;
        let numbers = columns.rows.saturating_mul(columns.width());
        Ok(match numbers <= FEW {
            true => columns.made(),
            false => columns,
        })
    }

    /// The same, standardised as they are drawn.
    pub(crate) fn columns(network: &'a Network, rows: &'a TrainingRows) -> Result<Self, Fault> {
        let mean = |weights: &'a [f64]| weights.iter().sum::<f64>() / weights.len() as f64;
        let weights = rows.weights.as_deref();
        if network.loss() == Loss::CrossEntropy {
            for target in network.targets() {
                for classes in rows.pieces(&target.name)? {
                    network.expect_known(classes.iter().map(|class| *class as f32))?;
                }
            }
        }
        Ok(Self {
            rows: rows.count(),
            form: SourceForm::Columns {
                inputs: numbers_of(network.inputs(), &rows.data)?,
                targets: numbers_of(network.targets(), &rows.data)?,
                rows: rows.rows.as_deref(),
                weights: weights.map(|weights| (weights, mean(weights))),
            },
        })
    }

    /// The same, standardised now.
    fn made(self) -> Self {
        let mut samples = Samples::default();
        if let SourceForm::Columns {
            inputs, targets, ..
        } = &self.form
        {
            samples.inputs.reserve_exact(self.rows * inputs.len());
            samples.targets.reserve_exact(self.rows * targets.len());
        }
        for start in (0..self.rows).step_by(ROWS_AT_ONCE) {
            self.add(start..self.rows.min(start + ROWS_AT_ONCE), &mut samples);
        }
        Self {
            rows: self.rows,
            form: SourceForm::Made(samples),
        }
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many numbers a row has, inputs and targets.
    pub fn width(&self) -> usize {
        match &self.form {
            SourceForm::Made(all) => (all.inputs.len() + all.targets.len()) / self.rows.max(1),
            SourceForm::Columns {
                inputs, targets, ..
            } => inputs.len() + targets.len(),
        }
    }

    /// All rows, where they were standardised once.
    pub fn all(&self) -> Option<&Samples> {
        match &self.form {
            SourceForm::Made(samples) => Some(samples),
            SourceForm::Columns { .. } => None,
        }
    }

    /// The rows with these indices, in this order.
    pub fn take(&self, rows: &[u32]) -> Samples {
        let mut taken = Samples::default();
        self.draw(rows, &mut taken);
        taken
    }

    /// Adds the rows with these indices, in this order.
    pub fn draw(&self, rows: &[u32], to: &mut Samples) {
        match &self.form {
            SourceForm::Made(samples) => to.extend(samples, rows),
            SourceForm::Columns { .. } => {
                for rows in rows.chunks(ROWS_AT_ONCE) {
                    self.add(rows.iter().map(|row| *row as usize), to);
                }
            }
        }
    }

    /// Adds rows of columns.
    fn add(&self, places: impl ExactSizeIterator<Item = usize> + Clone, to: &mut Samples) {
        let SourceForm::Columns {
            inputs,
            targets,
            rows,
            weights,
        } = &self.form
        else {
            return;
        };
        let count = places.len();
        for (columns, values) in [(inputs, &mut to.inputs), (targets, &mut to.targets)] {
            let start = values.len();
            values.resize(start + count * columns.len(), 0.0);
            let values = &mut values[start..];
            match rows {
                None => standardise(columns, places.clone(), values),
                Some(rows) => {
                    let rows = places.clone().map(|place| rows[place] as usize);
                    standardise(columns, rows, values);
                }
            }
        }
        if let Some((weights, mean)) = weights {
            let weights = places.map(|place| (weights[place] / mean) as f32);
            to.weights.extend(weights);
        }
        to.rows += count;
    }

    /// Passes all rows to `each`, some at a time.
    ///
    /// # Errors
    /// Those of `each`.
    pub fn each_block(&self, each: impl FnMut(&Samples) -> Result<(), Fault>) -> Result<(), Fault> {
        self.blocks_of(AT_ONCE, each)
    }

    fn blocks_of<E>(
        &self,
        size: usize,
        mut each: impl FnMut(&Samples) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut some = Samples::default();
        for start in (0..self.rows).step_by(size) {
            let end = self.rows.min(start + size);
            some.clear();
            for start in (start..end).step_by(ROWS_AT_ONCE) {
                self.add(start..end.min(start + ROWS_AT_ONCE), &mut some);
            }
            each(&some)?;
        }
        Ok(())
    }

    /// The mean loss of a network on all rows; not a number without rows.
    ///
    /// A program runs all rows at once: its outputs may depend on how many there are.
    pub fn loss(&self, network: &Network, weights: &[f32]) -> f64 {
        if let Some(all) = self.all() {
            return network.loss_on(all, weights);
        }
        let at_once = match network.program() {
            None => AT_ONCE,
            Some(_) => self.rows.max(1),
        };
        let (mut errors, mut numbers) = (NO_ERRORS, 0);
        let Ok(()) = self.blocks_of(at_once, |some| {
            let outputs = network.evaluate(weights, &some.inputs, some.rows);
            errors = network.errors_after(errors, &outputs, &some.targets, &some.weights);
            numbers += some.targets.len();
            Ok::<(), Infallible>(())
        });
        errors / numbers as f64
    }
}

#[cfg(test)]
mod tests {
    use engine::artifact::{DataColumn, Dataset};

    use super::*;
    use crate::networks::testing::made_up;
    use crate::networks::{Activation, Columns, Feedforward, Layers};

    /// A table whose columns are of each form, and a network of it.
    fn table(rows: usize) -> (Network, Dataset) {
        let singles = made_up(rows, 1);
        let doubles: Vec<f64> = made_up(rows, 2)
            .iter()
            .map(|it| f64::from(*it) / 3.0)
            .collect();
        let codes = (0..rows)
            .map(|row| (row * 7 % 5) as u16)
            .collect::<Vec<u16>>();
        let coded = Numbers::coded(&[0.1, -2.0, 1e6, 0.25, 7.5][..], codes);
        let data = Dataset::new(vec![
            DataColumn::numbers("single", None, singles),
            DataColumn::numbers("coded", None, coded),
            DataColumn::numbers("double", None, doubles),
        ]);
        let scaled = |name: &str, mean, std| Scaled {
            name: name.to_owned(),
            mean,
            std,
        };
        let network = Feedforward {
            columns: Columns {
                inputs: vec![scaled("single", 0.1, 0.7), scaled("coded", 2e5, 4e5)],
                targets: vec![scaled("double", -0.01, 0.3)],
            },
            layers: Layers {
                widths: vec![2, 5, 1],
                activation: Activation::Tanh,
            },
            loss: Loss::Mse,
        };
        (network.into(), data.expect("columns of one length"))
    }

    #[test]
    fn rows_drawn_from_columns_are_those_standardised_once() {
        let count = 2 * AT_ONCE + 100;
        let (network, data) = table(count);
        let weights = made_up(21, 3);
        for (some, weighs) in [(false, false), (true, false), (false, true), (true, true)] {
            let rows = some.then(|| (0..count as u32).rev().step_by(3).collect::<Vec<u32>>());
            let kept = rows.as_ref().map_or(count, Vec::len);
            let counts = (0..kept).map(|row| f64::from(weights[row % 21].abs()));
            let rows = TrainingRows {
                data: data.clone(),
                rows,
                weights: weighs.then(|| counts.collect()),
            };
            let of_columns = SampleSource::columns(&network, &rows).expect("a source");
            let once = SampleSource::columns(&network, &rows)
                .expect("a source")
                .made();
            assert!(of_columns.all().is_none());
            // What was trained on before there were sources.
            let picked = match &rows.rows {
                Some(picked) => data.take(picked),
                None => data.clone(),
            };
            let samples = network.samples(&picked).expect("samples");
            let samples = samples.weighted(rows.weights.as_deref());
            assert_eq!(once.all(), Some(&samples));
            let places: Vec<u32> = (0..200).map(|at| (at * 31 % kept) as u32).collect();
            assert_eq!(of_columns.take(&places), samples.take(&places));
            let of_network = made_up(network.layout().len(), 4);
            let loss = of_columns.loss(&network, &of_network);
            assert_eq!(loss.to_bits(), once.loss(&network, &of_network).to_bits());
            assert!(loss.is_finite());
        }
        let none = TrainingRows {
            rows: Some(Vec::new()),
            ..TrainingRows::alike(data)
        };
        let none = SampleSource::columns(&network, &none).expect("a source");
        assert!(
            none.loss(&network, &made_up(network.layout().len(), 4))
                .is_nan()
        );
    }
}
