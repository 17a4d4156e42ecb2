//! `nearest(drift, deep)`: the parent as fine-tuned on the subset most like each row.

use dsl::experiment::Value;
use engine::artifact::{Dataset, WeightTable};
use engine::error::Fault;
use engine::params::{Input, Via};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::apply::subset_points;
use super::support::anomalies::{Nearest, ONCE};
use super::{Child, Correction, Guard};
use crate::parents::Parent;
use crate::regressions::Regression;
use crate::regressions::times;
use crate::subsets::Subsets;

plugin! {
    /// The parent as fine-tuned on the subset whose predictors are nearest to those of the row.
    ///
    /// The baseline of `apply`: the same subsets, predictors and fine-tuned weights, but none
    /// beyond those that were learned. Distances are between predictors on the scale of the
    /// subsets; of equally near subsets the first is taken.
    ///
    /// ```farcast
    /// child closest = nearest(drift, unseen)
    /// ```
    "nearest" version 1
    pub struct NearestSubset {
        /// Whose predictors and fine-tuned weights are taken; its slopes are not.
        regression: Input<Regression>;
        /// The rows it is meant for.
        data: Input<Dataset>;
        /// The network that was fine-tuned.
        parent: Via<Parent>, via("regression.anomalies.parent");
        /// The fine-tuned weights less the parent's.
        anomalies: Via<WeightTable>, via("regression.anomalies");
        /// What it was fine-tuned on.
        subsets: Via<Subsets>, via("regression.anomalies.subsets");
        /// The rows of the subsets.
        rows: Via<Dataset>, via("regression.anomalies.subsets.data");
    }
}

impl Plugin for NearestSubset {
    type Output = Child;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let anomalies = call.via("regression.anomalies");
        let repeats = anomalies.and_then(|it| it.args.get("repeats"));
        let repeated = repeats.is_some_and(|it| matches!(it.value, Value::Int(count) if count > 1));
        let message = "expected one anomaly for each subset, found several";
        let again = Complaint::at("regression", message).with_hint(ONCE);
        let fitted = call.input("regression").is_some() && anomalies.is_none();
        let none = Complaint::at("regression", "expected a regression of fine-tuned weights")
            .with_hint("`nearest` takes the weights of subsets, such as those behind `ols`");
        let again = repeated.then_some(again).or(fitted.then_some(none));
        let times = times(call, "regression", call.input("data"));
        again.into_iter().chain(times).collect()
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        Facts {
            by_row: true,
            ..call.inherited()
        }
    }

    fn run(self, context: &Context) -> Result<Child, Fault> {
        let points = subset_points(&self.regression.form, &self.subsets, &self.rows)?;
        let nearest = Nearest::of(points, &self.anomalies)?;
        let child = Child {
            parent: Parent::clone(&self.parent),
            correction: Some(Correction {
                regression: Regression::clone(&self.regression),
                guard: Guard::default(),
                clip: None,
                nearest: Some(nearest),
            }),
        };
        let missing = child
            .left_out(&self.data)?
            .iter()
            .filter(|out| **out)
            .count();
        if missing > 0 {
            context.note(format!(
                "{missing} of {} rows lack a predictor and are left out",
                self.data.rows()
            ));
        }
        Ok(child)
    }
}

#[cfg(test)]
mod tests {
    use engine::artifact::Artifact;
    use polars::prelude::df;

    use super::*;
    use crate::children::tests::{child, correction, data};

    #[test]
    fn a_row_has_the_weights_of_the_subset_most_like_it() {
        let regression = correction(&child(1)).regression.clone();
        let weights = regression.layout.len();
        let subsets: Vec<u32> = (0..3).collect();
        let table = WeightTable {
            layout: regression.layout.clone(),
            coordinates: df!("subset" => &subsets).unwrap(),
            weights: (0..3 * weights)
                .map(|at| {
                    if at / weights == 1 {
                        f32::NAN
                    } else {
                        (at / weights) as f32
                    }
                })
                .collect(),
        };
        let call = NearestSubset {
            regression: Input::new(regression),
            data: Input::new(data(5)),
            parent: Via(Input::new(child(1).parent)),
            anomalies: Via(Input::new(table)),
            // Predictors 0, 1 and 2; the second diverged.
            subsets: Via(Input::new(Subsets {
                rows: subsets.iter().map(|row| vec![*row]).collect(),
            })),
            rows: Via(Input::new(data(3))),
        };
        let child = call.run(&Context::alone("nearest")).unwrap();
        let moved = |z: f64| child.weights(&[z])[0] - child.parent.weights[0];
        assert!((moved(0.9) - 0.0).abs() < 1e-6);
        assert!((moved(1.2) - 2.0).abs() < 1e-6);
        assert!((moved(40.0) - 2.0).abs() < 1e-6);
        assert!(child.weights(&[f64::NAN])[0].is_nan());
        assert_eq!(child.predict(&data(5)).unwrap().len(), 5);
        assert_eq!(
            Child::from_parts(&child.to_parts().unwrap()).unwrap(),
            child
        );
    }
}
