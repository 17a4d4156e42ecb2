//! Every row by its own network, without making the weights of any.

use crate::children::Correction;
use crate::networks::Network;
use crate::predictors::PredictorRows;

/// How many rows have their factors kept at a time.
const ROWS: usize = 4096;

impl Correction {
    /// The outputs of the row's own network for each row, `[rows, outputs]`; `points` are their
    /// standardised predictors.
    ///
    /// The weights of a row are those of the parent and the intercept of the regression, and the
    /// coefficients of each further term with its value there as factor. None where the weights of
    /// a row are no such sums, or where the network does not take them.
    pub(crate) fn outputs_by_sums(
        &self,
        parent: &[f32],
        network: &Network,
        inputs: &[f32],
        points: &PredictorRows,
        rows: usize,
    ) -> Option<Vec<f32>> {
        if self.clip.is_some() || self.nearest.is_some() {
            return None;
        }
        let regression = &self.regression;
        let intercept = regression.coefficients_of(0);
        let base = parent.iter().zip(intercept);
        let base: Vec<f32> = base.map(|(weight, intercept)| weight + intercept).collect();
        let (mut terms, mut sets) = (Vec::new(), vec![&base[..]]);
        for (at, term) in regression.form.terms().into_iter().enumerate().skip(1) {
            let coefficients = regression.coefficients_of(at);
            if coefficients.iter().any(|c| *c != 0.0) {
                terms.push(term);
                sets.push(coefficients);
            }
        }
        let sums = network.sums(&sets)?;
        let width = network.inputs().len();
        let (mut outputs, mut factors) = (Vec::new(), Vec::new());
        for start in (0..rows).step_by(ROWS) {
            let end = rows.min(start + ROWS);
            factors.clear();
            for row in start..end {
                let values = self.values(&terms, points.row(row));
                factors.extend(values.map(|value| value as f32));
            }
            let inputs = &inputs[start * width..end * width];
            outputs.append(&mut sums.evaluate(inputs, &factors, end - start));
        }
        Some(outputs)
    }
}

#[cfg(test)]
mod tests {
    use engine::artifact::Dataset;

    use super::*;
    use crate::children::tests::{child, correction, data};

    #[test]
    fn a_row_is_what_its_materialised_network_gives() {
        for degree in [1, 2, 3] {
            let child = child(degree);
            let data = data(37);
            let network = child.parent.network().unwrap();
            let predictors =
                PredictorRows::of(&correction(&child).regression.form.predictors, &data).unwrap();
            let inputs = network.inputs_of(&data).unwrap();
            let found = child.predict(&data).unwrap();
            assert_eq!(found.len(), data.rows());
            for row in 0..data.rows() {
                let weights = child.weights(predictors.row(row));
                let outputs = network.evaluate(&weights, &inputs[row * 2..row * 2 + 2], 1);
                let expected = network.unscale(&outputs)[0];
                let error = (found[row] - expected).abs() / expected.abs().max(1.0);
                assert!(error < 1e-5, "degree {degree} row {row}: {error}");
            }
        }
    }

    #[test]
    fn networks_differ_from_row_to_row_and_from_the_parent() {
        let (child, data) = (child(1), data(2));
        let predictors =
            PredictorRows::of(&correction(&child).regression.form.predictors, &data).unwrap();
        assert_ne!(
            child.weights(predictors.row(0)),
            child.weights(predictors.row(1))
        );
        let network = child.parent.network().unwrap();
        let inputs = network.inputs_of(&data).unwrap();
        let parent = network.unscale(&network.evaluate(&child.parent.weights, &inputs, 2));
        for (child, parent) in child.predict(&data).unwrap().iter().zip(parent) {
            assert!((child - parent).abs() > 1e-3);
        }
    }

    #[test]
    fn a_missing_value_stays_in_its_row() {
        let child = child(2);
        let (whole, mut gap) = (data(20), data(20));
        let values = gap.values("z").unwrap().to_vec();
        gap = data_with(&gap, "z", values, 3);
        let (whole, gap) = (child.predict(&whole).unwrap(), child.predict(&gap).unwrap());
        assert!(gap[3].is_nan());
        for row in (0..20).filter(|row| *row != 3) {
            assert_eq!(gap[row], whole[row]);
        }
    }

    fn data_with(data: &Dataset, name: &str, mut values: Vec<f64>, gap: usize) -> Dataset {
        values[gap] = f64::NAN;
        let columns = data.columns().iter().map(|column| {
            let mut column = column.clone();
            if column.name == name {
                column.values = values.clone().into();
            }
            column
        });
        Dataset::new(columns.collect()).unwrap()
    }
}
