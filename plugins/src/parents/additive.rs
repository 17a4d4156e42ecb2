//! `additive`: a generalised additive model of the inputs.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::{Column, Formula, Input};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch, Training};

use super::Parent;
use super::support::exact::{ExactBlock, ExactRows, Normal};
use super::support::examine;
use super::support::targets::Targets;
use crate::networks::{Expanded, Loss, Network, Scaled};
use crate::splines::{Curve, Penalty, Strength, chosen_words, knots};

plugin! {
    /// A generalised additive model: a smooth curve of each input, summed.
    ///
    /// What the regression `gam` is for the predictors, for the inputs of a model of all rows:
    /// natural cubic splines with many knots and a cost on their roughness. Minimises
    /// `Σ (y - f)² / n + Σ_j penalty_j ∫ f_j''²` over `n` rows with standardised inputs and
    /// target (Wood 2017, section 4.3), exactly. Penalties are those of least generalised
    /// cross-validation, one for each input, summed over several targets. Beyond the training
    /// data a curve goes on straight. It has no interactions: `least_squares(…, degree: 2)` and
    /// `boost` have.
    ///
    /// Its weights are the slope of each input and how far its curve is from the straight line
    /// at each knot, so that it can be compared, given to `inner` and fine-tuned as any other
    /// parent. Knots are at quantiles of the rows that count, which are found by sorting one input at a
    /// time, in double precision; all else reads some rows at a time.
    ///
    /// ```farcast
    /// parent smooth = additive(seen, inputs: [x, z], target: y)
    /// ```
    "additive" version 1
    pub struct Additive {
        /// The training data.
        data: Input<Dataset>, with_truth();
        /// The input columns.
        inputs: Vec<Column>, needed();
        /// The column to be predicted, or several, `[u, v]`.
        target: Targets, target();
        /// How many knots the curve of each input has.
        knots: usize = "10", range("3..=40");
        /// What roughness costs; by generalised cross-validation when left out.
        penalty: Option<f64>, range("0..");
        /// How much each row counts: a column, or a formula such as `area(lat)`.
        weights: Option<Formula>;
    }
}

impl Plugin for Additive {
    type Output = Parent;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        examine::columns(call)
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let facts = examine::network(call, None, Training::Solved, None);
        examine::with_other(facts, "curves")
    }

    fn run(self, context: &Context) -> Result<Parent, Fault> {
        let weights = self.weights.as_ref();
        let rows = ExactRows::of(&self.data, &self.inputs, &self.target, weights)?;
        let counting = |scaled: &Scaled| -> Result<Vec<f64>, Fault> {
            let values = rows.standardised(scaled, 0..rows.rows())?.into_iter();
            let values = values.enumerate();
            let values = values.filter_map(|(row, value)| (rows.share(row) > 0.0).then_some(value));
            Ok(knots(values.collect(), self.knots))
        };
        let inputs = rows.columns.inputs.iter();
        let sum = CurveSum::new(inputs.map(counting).collect::<Result<_, Fault>>()?);
        let normal = sum.normal(&rows, context)?;
        let strength = self.penalty.map_or(Strength::Each, Strength::Given);
        let penalty = Penalty::of_roughness(&sum.knots, strength);
        let strengths = penalty.given().unwrap_or_else(|| {
            let chosen = penalty.chosen(&normal.seen(rows.rows()));
            context.note(chosen_words(&chosen));
            chosen
        });
        let below = penalty.below(&strengths, rows.rows(), sum.terms());
        let coefficients = normal.solve(&below, 0.0)?;
        let weights: Vec<(Vec<f64>, f64)> = { coefficients.iter() }
            .map(|coefficients| sum.weights(coefficients))
            .collect();
        let biases = weights.iter().map(|(_, bias)| *bias);
        let flat = { weights.iter() }.flat_map(|(slopes, _)| slopes.iter().copied());
        let flat = flat.chain(biases).map(|weight| weight as f32).collect();
        let network = Network::from(Expanded {
            columns: rows.columns,
            products: Vec::new(),
            curves: sum.knots,
            loss: Loss::Mse,
        });
        Ok(Parent::new(network, flat))
    }
}

/// An intercept, straight lines and curves, as terms that are summed.
struct CurveSum {
    /// Of each input.
    knots: Vec<Vec<f64>>,
    curves: Vec<Curve>,
}

impl CurveSum {
    fn new(knots: Vec<Vec<f64>>) -> Self {
        let curves = knots.iter().enumerate();
        let curves = curves.flat_map(|(input, knots)| Curve::all(input, knots));
        Self {
            curves: curves.collect(),
            knots,
        }
    }

    fn terms(&self) -> usize {
        1 + self.knots.len() + self.curves.len()
    }

    /// What is known of the terms and targets of all rows; block by block, so that the terms of all
    /// rows need not be in memory.
    fn normal(&self, rows: &ExactRows, context: &Context) -> Result<Normal, Fault> {
        let mut normal = Normal::new(self.terms(), rows.columns.targets.len());
        for block in rows.blocks() {
            context.check_stop()?;
            let (_, block) = block?;
            normal.add(&block, |row, at| self.term(&block, row, at));
        }
        Ok(normal)
    }

    /// A term of a row: one, an input or a curve.
    fn term(&self, block: &ExactBlock, row: usize, at: usize) -> f64 {
        let lines = 1 + self.knots.len();
        match at {
            0 => 1.0,
            _ if at < lines => block.inputs[at - 1][row],
            _ => {
                let curve = &self.curves[at - lines];
                curve.value(block.inputs[curve.variable][row])
            }
        }
    }

    /// The weights of the network of `Expanded`, and its bias, from the coefficients of the terms.
    fn weights(&self, coefficients: &[f64]) -> (Vec<f64>, f64) {
        let inputs = self.knots.len();
        let (lines, bends) = coefficients[1..].split_at(inputs);
        let (mut slopes, mut heights) = (Vec::new(), Vec::new());
        let mut bias = coefficients[0];
        for (input, (knots, line)) in self.knots.iter().zip(lines).enumerate() {
            let value = |z: f64| {
                let curves = self.curves.iter().zip(bends);
                let curves = curves.filter(|(curve, _)| curve.variable == input);
                line * z + curves.map(|(curve, b)| b * curve.value(z)).sum::<f64>()
            };
            let [first, inner @ .., last] = &knots[..] else {
                slopes.push(*line);
                continue;
            };
            let slope = (value(*last) - value(*first)) / (last - first);
            let straight = value(*first) - slope * first;
            slopes.push(slope);
            heights.extend(inner.iter().map(|z| value(*z) - straight - slope * z));
            bias += straight;
        }
        slopes.extend(heights);
        (slopes, bias)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::predictors::tests::dataset as table;
    use crate::testing::{call, given};

    /// What the script wrote.
    #[derive(Deserialize)]
    struct Golden {
        x: Vec<[f64; 3]>,
        w: Vec<f64>,
        u: Vec<f64>,
        v: Vec<f64>,
        at: Vec<[f64; 3]>,
        cases: Vec<Case>,
    }

    #[derive(Deserialize)]
    struct Case {
        call: String,
        /// `[at, targets]`
        predictions: Vec<f64>,
    }

    fn predicted(written: &str, data: &Dataset, at: &Dataset) -> Vec<f64> {
        let fit: Additive = call(written, &[("rows", given(data.clone()))]);
        let parent = fit.run(&Context::alone("additive")).expect("a parent");
        let network = parent.network().expect("a network");
        assert_eq!(network.layout().len(), parent.weights.len());
        let inputs = network.inputs_of(at).expect("inputs");
        network.unscale(&network.evaluate(&parent.weights, &inputs, at.rows()))
    }

    #[test]
    fn predictions_agree_with_numpy() {
        let golden: Golden =
            serde_json::from_str(include_str!("../../testdata/golden/additive.json"))
                .expect("json");
        let columns = |x: &[[f64; 3]], more: &[(&str, &[f64])]| {
            let column = |at: usize| -> Vec<f64> { x.iter().map(|row| row[at]).collect() };
            let (a, b, c) = (column(0), column(1), column(2));
            table(&[&[("a", &a[..]), ("b", &b), ("c", &c)], more].concat())
        };
        let rest = [("w", &golden.w[..]), ("u", &golden.u), ("v", &golden.v)];
        let data = columns(&golden.x, &rest);
        let at = columns(&golden.at, &[]);
        assert_eq!(golden.cases.len(), 6);
        for case in &golden.cases {
            let found = predicted(&case.call, &data, &at);
            assert_eq!(found.len(), case.predictions.len());
            for (found, expected) in found.iter().zip(&case.predictions) {
                let close = (found - expected).abs() < 2e-5 * expected.abs().max(1.0);
                assert!(close, "{}: {found} {expected}", case.call);
            }
        }
    }

    #[test]
    fn rows_count_as_rows_repeated() {
        // Those that count have the same quantiles as the rows repeated.
        let a = [0.0, 1.0, 2.0, 5.0, 7.0, 9.0, 12.0];
        let y = a.map(|a: f64| (a / 3.0).sin());
        let w = [1.0, 2.0, 0.0, 1.0, 2.0, 0.0, 1.0];
        let once = table(&[("a", &a), ("y", &y), ("w", &w)]);
        let often = |values: [f64; 7]| -> Vec<f64> {
            let pairs = values.into_iter().zip(w);
            pairs
                .flat_map(|(value, w)| vec![value; w as usize])
                .collect()
        };
        let repeated = table(&[("a", &often(a)), ("y", &often(y))]);
        let call = "rows, inputs: [a], target: y, knots: 3, penalty: 1e-3";
        let found = predicted(&format!("{call}, weights: w"), &once, &once);
        let expected = predicted(call, &repeated, &once);
        for (found, expected) in found.iter().zip(&expected) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }

    #[test]
    fn what_cannot_bend_stays_straight() {
        let (a, c) = ([0.0, 1.0, 1.0, 0.0], [3.0; 4]);
        let data = table(&[("a", &a), ("c", &c), ("y", &[1.0, 3.0, 5.0, 1.0])]);
        let found = predicted("rows, inputs: [a, c], target: y", &data, &data);
        for (found, expected) in found.iter().zip([1.0, 4.0, 4.0, 1.0]) {
            assert!((found - expected).abs() < 1e-5, "{found}");
        }
        let one = table(&[("a", &[2.0]), ("c", &[1.0]), ("y", &[7.0])]);
        assert_eq!(
            predicted("rows, inputs: [a, c], target: y", &one, &one),
            [7.0]
        );
    }
}
