//! `apply(drift, deep)`: the networks a regression gives for application data.

use dsl::calendar::TimeUnit;
use engine::artifact::{Dataset, WeightTable};
use engine::error::Fault;
use engine::params::{Input, MaybeVia};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, InParts, Plugin, Sketch};

use super::{Child, Clip, Cloud, Correction, Guard, Missing, Outside};
use crate::calls::complaints;
use crate::parents::Parent;
use crate::predictors::PredictorRows;
use crate::regressions::times;
use crate::regressions::{Form, Regression};
use crate::subsets::Subsets;

plugin! {
    /// The parent with its weights moved to where the predictors of each row say.
    ///
    /// Each row has a network of its own: the parent's weights plus the sum of the
    /// regression's terms at the row's predictors. Predictors that leave the range of the
    /// subsets are noted with both ranges, and rows whose predictors are farther than `trust`
    /// from those of the subsets are counted: in Mahalanobis distance (1936), which in one
    /// dimension is the number of standard deviations from the mean. What happens to them is
    /// said by `outside`. `linear` goes on along the tangent from where a predictor leaves the
    /// range of the subsets, however far that is from their mean.
    ///
    /// ```farcast
    /// child everywhere = apply(drift, all, trust: 2 sigma, outside: linear, clip: 2)
    /// ```
    "apply" version 2
    pub struct Apply {
        /// How the weights move with the predictors.
        regression: Input<Regression>;
        /// The rows it is meant for.
        data: Input<Dataset>;
        /// The Mahalanobis distance from the subsets up to which predictors are trusted.
        trust: f64 = "3 sigma", range("0..");
        /// What happens to rows beyond it.
        outside: Outside = "keep";
        /// Each weight's correction stays within the range of its anomalies, widened this many
        /// times around its middle; without it corrections have no limit.
        clip: Option<f64>, range("0..");
        /// What happens to rows without a predictor.
        missing: Missing = "leave_out";
        /// The network whose weights move.
        parent: MaybeVia<Parent>, via("regression.anomalies.parent");
        /// The weights the regression explains.
        anomalies: MaybeVia<WeightTable>, via("regression.anomalies");
        /// What these were fine-tuned on.
        subsets: MaybeVia<Subsets>, via("regression.anomalies.subsets");
        /// The rows of the subsets.
        rows: MaybeVia<Dataset>, via("regression.anomalies.subsets.data");
        /// The network that a regression without anomalies moves.
        joint_parent: MaybeVia<Parent>, via("regression.parent");
        /// The rows it was fitted to.
        joint_rows: MaybeVia<Dataset>, via("regression.data");
    }
}

impl Plugin for Apply {
    type Output = Child;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let no_anomalies = call.via("regression.anomalies").is_none();
        let unbounded = call.input("regression").is_some() && no_anomalies && call.has("clip");
        let message = "this regression explains no anomalies: corrections have no range";
        complaints([
            times(call, "regression", call.input("data")),
            unbounded.then(|| Complaint::at("clip", message)),
        ])
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        Facts {
            by_row: true,
            ..call.inherited()
        }
    }

    fn in_parts(_: &Sketch<'_>) -> Option<InParts> {
        Some(InParts::Rereads("data"))
    }

    fn run(self, context: &Context) -> Result<Child, Fault> {
        let parents = [&self.parent, &self.joint_parent];
        let parent = parents.into_iter().find_map(|parent| parent.0.as_ref());
        let parent = parent.ok_or_else(|| Fault::Bug("the parent was not found".to_owned()))?;
        if self.regression.layout != parent.layout {
            return Err(Fault::Bug(
                "the regression is of another network than the parent".to_owned(),
            ));
        }
        let form = &self.regression.form;
        let mut known = match (&self.subsets.0, &self.rows.0, &self.joint_rows.0) {
            (Some(subsets), Some(rows), _) => subset_points(form, subsets, rows)?,
            (_, _, Some(rows)) => {
                let points = PredictorRows::of(&form.predictors, rows)?;
                let rows = 0..rows.rows();
                rows.map(|row| form.standardised(points.row(row))).collect()
            }
            _ => {
                return Err(Fault::Bug(
                    "the rows of the regression were not found".to_owned(),
                ));
            }
        };
        known.retain(|point| point.iter().all(|value| value.is_finite()));
        let correction = Correction {
            regression: Regression::clone(&self.regression),
            guard: Guard {
                cloud: Cloud::of(&known),
                trust: self.trust,
                outside: self.outside,
                missing: self.missing,
            },
            clip: match (self.clip, &self.anomalies.0) {
                (Some(times), Some(anomalies)) => Some(Clip::of(anomalies, times)),
                _ => None,
            },
            nearest: None,
        };
        let child = Child {
            parent: Parent::clone(parent),
            correction: Some(correction),
        };
        if let Some(correction) = &child.correction {
            let mut met = Met::by(correction);
            let mut look = |rows: Dataset| {
                context.check_stop()?;
                met.add(&rows)
            };
            match child.is_by_row() {
                true => context.rows(&self.data, &mut |part| {
                    // Columns are looked for in a table without rows, too.
                    for start in (0..part.rows().max(1)).step_by(AT_ONCE) {
                        look(part.part(start..part.rows().min(start + AT_ONCE)))?;
                    }
                    Ok(child.reads())
                })?,
                false => look(context.all_rows(&self.data)?)?,
            }
            met.note_extrapolation(context);
            met.note_guard(context);
        }
        Ok(child)
    }
}

/// Of how many rows the predictors are in memory at once.
const AT_ONCE: usize = 1 << 16;

/// The standardised predictors of each subset: the mean over its rows.
pub(super) fn subset_points(
    form: &Form,
    subsets: &Subsets,
    data: &Dataset,
) -> Result<Vec<Vec<f64>>, Fault> {
    let rows = PredictorRows::of(&form.predictors, data)?;
    let point = |subset: &Vec<u32>| form.standardised(&rows.mean(subset));
    Ok(subsets.rows.iter().map(point).collect())
}

/// What a correction meets in the rows it is meant for.
struct Met<'a> {
    correction: &'a Correction,
    /// The least and the largest value of each predictor, and the unit of its times.
    ranges: Vec<(f64, f64, Option<TimeUnit>)>,
    rows: usize,
    missing: usize,
    outside: usize,
    clipped: usize,
}

impl<'a> Met<'a> {
    fn by(correction: &'a Correction) -> Self {
        let names = &correction.regression.form.names;
        Self {
            correction,
            ranges: vec![(f64::INFINITY, f64::NEG_INFINITY, None); names.len()],
            rows: 0,
            missing: 0,
            outside: 0,
            clipped: 0,
        }
    }

    fn add(&mut self, data: &Dataset) -> Result<(), Fault> {
        let Correction {
            regression,
            guard,
            clip,
            ..
        } = self.correction;
        let form = &regression.form;
        let rows = PredictorRows::of(&form.predictors, data)?;
        for (index, (name, range)) in form.names.iter().zip(&mut self.ranges).enumerate() {
            let (low, high, time) = range;
            let values = rows.values.iter().skip(index).step_by(form.names.len());
            for value in values.filter(|value| value.is_finite()) {
                (*low, *high) = (low.min(*value), high.max(*value));
            }
            *time = data.column(name).ok().and_then(|it| it.content.time());
        }
        self.rows += data.rows();
        for row in 0..data.rows() {
            let standardised = form.standardised(rows.row(row));
            if standardised.iter().any(|value| !value.is_finite()) {
                self.missing += 1;
                continue;
            }
            self.outside += usize::from(guard.is_outside(&standardised));
            if let Some(clip) = clip
                && !guard.falls_back(&standardised)
            {
                self.clipped += clip.apply(&mut self.correction.corrections(&standardised));
            }
        }
        Ok(())
    }

    /// Says how many rows and weights the safeguards meet.
    fn note_guard(&self, context: &Context) {
        let (guard, count) = (&self.correction.guard, self.rows);
        if self.missing > 0 {
            let what = match guard.missing {
                Missing::LeaveOut => "left out",
                Missing::Parent => "given to the parent",
            };
            context.note(format!(
                "{} of {count} rows lack a predictor and are {what}",
                self.missing
            ));
        }
        if self.outside > 0 {
            let what = match guard.outside {
                Outside::Keep => "extrapolated as they are",
                Outside::Parent => "given to the parent",
                Outside::Linear => "extrapolated along straight lines",
            };
            context.note(format!(
                "{} of {count} rows are more than {} sigma from the predictors of the subsets \
                 and are {what}",
                self.outside, guard.trust
            ));
        }
        if self.clipped > 0 {
            let weights = count * self.correction.regression.layout.len();
            let share = self.clipped as f64 / weights as f64;
            context.note(format!(
                "{} % of the corrections of weights were clipped",
                short(100.0 * share)
            ));
        }
    }

    fn note_extrapolation(&self, context: &Context) {
        let form = &self.correction.regression.form;
        let degree = form.basis.degree();
        let met = form.names.iter().zip(&form.seen).zip(&self.ranges);
        for ((name, seen), (low, high, time)) in met {
            if *low < seen.0 || *high > seen.1 {
                // A predictor that is a column of times is shown as dates.
                let shown = |value: f64| match time {
                    Some(unit) => unit.show(value),
                    None => short(value),
                };
                let mut note = format!(
                    "`{name}` is applied at {}..{}, seen {}..{}",
                    shown(*low),
                    shown(*high),
                    shown(seen.0),
                    shown(seen.1)
                );
                if degree >= 2 {
                    note.push_str(&format!(
                        ": polynomials of degree {degree} extrapolate badly, compare with `degree: 1`"
                    ));
                }
                context.note(note);
            }
        }
    }
}

/// A number with four significant digits.
fn short(value: f64) -> String {
    // Rounded through text, then printed plainly: 1.235e3 becomes 1235.
    let rounded: f64 = format!("{value:.3e}").parse().unwrap_or(value);
    match rounded == 0.0 || (1e-9..1e15).contains(&rounded.abs()) {
        true => rounded.to_string(),
        false => format!("{rounded:e}"),
    }
}

#[cfg(test)]
mod tests {
    use engine::artifact::Artifact;
    use polars::prelude::df;

    use super::*;
    use crate::children::tests::{child, correction, correction_mut, data};

    /// A call for five rows with predictor 0, 1, 2, 3, 4 and subsets around 0, 1, 2, 3.
    fn call(child: &Child, outside: Outside) -> Apply {
        let layout = correction(child).regression.layout.clone();
        let subsets: Vec<u32> = (0..4).collect();
        let anomalies = WeightTable {
            coordinates: df!("subset" => &subsets).unwrap(),
            weights: (0..4 * layout.len())
                .map(|at| (at / layout.len()) as f32)
                .collect(),
            layout,
        };
        Apply {
            regression: Input::new(correction(child).regression.clone()),
            data: Input::new(data(5)),
            trust: 2.0,
            outside,
            clip: None,
            missing: Missing::LeaveOut,
            parent: MaybeVia(Some(Input::new(child.parent.clone()))),
            anomalies: MaybeVia(Some(Input::new(anomalies))),
            subsets: MaybeVia(Some(Input::new(Subsets {
                rows: subsets.into_iter().map(|row| vec![row]).collect(),
            }))),
            rows: MaybeVia(Some(Input::new(data(4)))),
            joint_parent: MaybeVia(None),
            joint_rows: MaybeVia(None),
        }
    }

    fn notes(degree: usize, seen: (f64, f64)) -> Vec<String> {
        let mut child = child(degree);
        correction_mut(&mut child).regression.form.seen = vec![seen];
        let context = Context::alone("apply");
        let call = Apply {
            trust: 5.0,
            ..call(&child, Outside::Keep)
        };
        call.run(&context).unwrap();
        context.take_notes()
    }

    #[test]
    fn predictors_outside_the_range_seen_are_told() {
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

    /// A call with one row at z = 40, another without z.
    fn far(outside: Outside) -> Apply {
        let mut child = child(2);
        correction_mut(&mut child).regression.form.seen = vec![(0.0, 3.0)];
        let values = [0.0, 1.0, 2.0, 40.0, f64::NAN];
        let whole = data(5);
        let columns = whole.columns().iter().map(|column| {
            let mut column = column.clone();
            if column.name == "z" {
                column.values = values.into();
            }
            column
        });
        let data = Dataset::new(columns.collect()).unwrap();
        Apply {
            data: Input::new(data),
            ..call(&child, outside)
        }
    }

    fn applied(call: Apply) -> (Child, Vec<f64>, Vec<String>) {
        let data = Dataset::clone(&call.data);
        let context = Context::alone("apply");
        let child = call.run(&context).unwrap();
        let found = child.predict(&data).unwrap();
        (child, found, context.take_notes())
    }

    #[test]
    fn rows_far_from_the_subsets_and_rows_without_predictors_are_told_and_may_fall_back() {
        let (kept, plain, notes) = applied(far(Outside::Keep));
        assert_eq!(
            notes[1..],
            [
                "1 of 5 rows lack a predictor and are left out",
                "1 of 5 rows are more than 2 sigma from the predictors of the subsets and are \
                 extrapolated as they are",
            ]
        );
        let data = Dataset::clone(&far(Outside::Keep).data);
        assert_eq!(
            kept.outside(&data).unwrap(),
            [false, false, false, true, false]
        );
        assert_eq!(
            kept.left_out(&data).unwrap(),
            [false, false, false, false, true]
        );
        assert!(plain[4].is_nan());

        let (child, found, _) = applied(Apply {
            missing: Missing::Parent,
            ..far(Outside::Parent)
        });
        let network = child.parent.network().unwrap();
        let inputs = network.inputs_of(&data).unwrap();
        let parent = network.unscale(&network.evaluate(&child.parent.weights, &inputs, 5));
        assert_eq!(found[..3], plain[..3]);
        assert_eq!(found[3..], parent[3..]);
        assert_eq!(child.left_out(&data).unwrap(), [false; 5]);
    }

    #[test]
    fn straight_lines_leave_the_range_of_the_subsets_along_the_tangent() {
        let (child, _, _) = applied(far(Outside::Linear));
        // Mean 1.5, deviation 1.2: z = 3 and 40 are x = 1.25 and 385 / 12. The square there
        // goes on as 1.25² + 2 · 1.25 (x - 1.25).
        let x = 385.0 / 12.0;
        let correction = correction(&child);
        let terms = correction.regression.form.terms();
        let values = |x: f64| correction.values(&terms, &[x]).collect::<Vec<f64>>();
        let expected = [1.0, x, 1.25 * 1.25 + 2.5 * (x - 1.25)];
        for (found, expected) in values(x).into_iter().zip(expected) {
            assert!(
                (found - expected).abs() < 1e-6 * expected,
                "{found} {expected}"
            );
        }
        assert_eq!(values(0.5), [1.0, 0.5, 0.25]);
    }

    #[test]
    fn clipped_corrections_stay_in_the_range_of_the_anomalies() {
        // Anomalies are 0, 1, 2, 3 in every weight: widened twice, -1.5 to 4.5.
        let (child, found, notes) = applied(Apply {
            clip: Some(2.0),
            ..far(Outside::Keep)
        });
        let weights = child.weights(&[40.0]);
        let corrections = weights
            .iter()
            .zip(&child.parent.weights)
            .map(|(w, p)| w - p);
        let (low, high) = corrections.fold((0.0f32, 0.0f32), |(l, h), c| (l.min(c), h.max(c)));
        assert!(
            (low + 1.5).abs() < 1e-6 && (high - 4.5).abs() < 1e-6,
            "{low} {high}"
        );
        assert!(
            notes
                .last()
                .unwrap()
                .ends_with("of the corrections of weights were clipped")
        );
        assert!(found[3].is_finite());
        let parts = child.to_parts().unwrap();
        assert_eq!(Child::from_parts(&parts).unwrap(), child);
    }

    #[test]
    fn numbers_have_four_digits() {
        let values = [1234.5678, 0.00012345678, -12.0, 0.0, -1e200, 1.23456e-200];
        let expected = ["1235", "0.0001235", "-12", "0", "-1e200", "1.235e-200"];
        assert_eq!(values.map(short), expected);
    }
}
