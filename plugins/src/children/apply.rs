//! `apply(drift, deep)`: the networks a regression gives for application data.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::{Input, Via};
use engine::plugin;
use engine::plugin::{Context, Plugin};

use super::Child;
use crate::parents::Parent;
use crate::predictors::PredictorRows;
use crate::regressions::{Form, Regression};

plugin! {
    /// The parent with its weights moved to where the predictors of each row say.
    ///
    /// Each row has a network of its own: the parent's weights plus the sum of the
    /// regression's terms at the row's predictors. Predictors that leave the range of the
    /// subsets are told with both ranges.
    ///
    /// ```farcast
    /// child everywhere = apply(drift, all)
    /// ```
    "apply" version 1
    pub struct Apply {
        /// How the weights move with the predictors.
        regression: Input<Regression>;
        /// The rows it is meant for.
        data: Input<Dataset>;
        /// The network whose weights move.
        parent: Via<Parent>, via("regression.anomalies.parent");
    }
}

impl Plugin for Apply {
    type Output = Child;

    fn run(self, context: &Context) -> Result<Child, Fault> {
        if self.regression.layout != self.parent.network.layout() {
            return Err(Fault::Bug(
                "the regression is of another network than the parent".to_owned(),
            ));
        }
        note_extrapolation(&self.regression.form, &self.data, context)?;
        Ok(Child {
            parent: Parent::clone(&self.parent),
            regression: Regression::clone(&self.regression),
        })
    }
}

fn note_extrapolation(form: &Form, data: &Dataset, context: &Context) -> Result<(), Fault> {
    let rows = PredictorRows::of(&form.predictors, data)?;
    let degree = form.basis.degree();
    for (index, (name, seen)) in form.names.iter().zip(&form.seen).enumerate() {
        let values = rows.values.iter().skip(index).step_by(form.names.len());
        let (low, high) = values
            .filter(|value| value.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                (low.min(*value), high.max(*value))
            });
        if low < seen.0 || high > seen.1 {
            let mut note = format!(
                "`{name}` is applied at {}..{}, seen {}..{}",
                short(low),
                short(high),
                short(seen.0),
                short(seen.1)
            );
            if degree >= 2 {
                note.push_str(&format!(
                    ": polynomials of degree {degree} extrapolate badly, compare with `degree: 1`"
                ));
            }
            context.note(note);
        }
    }
    Ok(())
}

/// A number with four significant digits.
fn short(value: f64) -> String {
    // Rounded through text, then printed plainly: 1.235e3 becomes 1235.
    let rounded: f64 = format!("{value:.3e}").parse().unwrap_or(value);
    rounded.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::children::tests::{child, data};

    fn notes(degree: usize, seen: (f64, f64)) -> Vec<String> {
        let mut child = child(degree);
        child.regression.form.seen = vec![seen];
        let context = Context::alone("apply");
        let call = Apply {
            regression: Input::new(child.regression.clone()),
            data: Input::new(data(5)),
            parent: Via(Input::new(child.parent.clone())),
        };
        assert_eq!(call.run(&context).unwrap(), child);
        context.take_notes()
    }

    #[test]
    fn predictors_outside_the_range_seen_are_told() {
        // The predictor of the five rows is 0, 1, 2, 3, 4.
        assert_eq!(notes(2, (0.0, 4.0)), [""; 0]);
        assert_eq!(
            notes(1, (0.5, 3.217592)),
            ["`z` is applied at 0..4, seen 0.5..3.218"]
        );
        assert_eq!(
            notes(2, (-1.0, 3.0)),
            [
                "`z` is applied at 0..4, seen -1..3: polynomials of degree 2 extrapolate badly, \
                 compare with `degree: 1`"
            ]
        );
    }

    #[test]
    fn numbers_have_four_digits() {
        let written: Vec<String> = [1234.5678, 0.00012345678, -12.0, 0.0].map(short).to_vec();
        assert_eq!(written, ["1235", "0.0001235", "-12", "0"]);
    }
}
