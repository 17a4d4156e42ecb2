//! `track(net, every: 100 steps)`: averages of weights along training, kept now and then.

use engine::artifact::{Dataset, Trajectory};
use engine::error::Fault;
use engine::params::{Input, MaybeVia, Steps};
use engine::plugin;
use engine::plugin::{Complaint, Context, Coordinate, Facts, Plugin, Sketch, Training};
use polars::prelude::{DataFrame, NamedFrom, Series};

use super::Weights;
use super::support::facts::one;
use super::support::power::power_of;
use crate::parents::Parent;
use crate::parents::support::again::{again, no_steps};

plugin! {
    /// Power function averages of the weights along training, for `ema`.
    ///
    /// At step t an average of relative width σ weighs the weights of step s by s^γ (Karras et al.
    /// 2024): θ̂ ← β θ̂ + (1 - β) θ with β = (1 - 1/t)^(γ + 1). The parent is trained again to the
    /// same bytes, as `record` does, so this takes as long as its training did. Rows have the
    /// coordinates `step` and `width`; they are kept in memory until the end.
    ///
    /// ```farcast
    /// weights averages = track(net, every: 4 steps)
    /// parent calm = ema(averages, length: 0.1)
    /// ```
    "track" version 1
    pub struct Track {
        /// The networks whose training is averaged.
        parent: Input<Parent>;
        /// The steps between two rows.
        every: Steps = "100 steps", range("1..");
        /// The relative widths of the averages.
        widths: Vec<f64> = "[0.05, 0.1]", range("0.01..=0.28");
        /// The rows the parent was trained on.
        data: MaybeVia<Dataset>, via("parent.data"), not_in_stream();
    }
}

/// The most bytes of weights that are kept.
const MOST_BYTES: usize = 2 << 30;

impl Plugin for Track {
    type Output = Weights;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let widths = call.get::<Vec<f64>>("widths").unwrap_or_default();
        let mut sorted = widths.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.dedup();
        let twice = sorted.len() < widths.len() || widths.is_empty();
        let twice =
            twice.then(|| Complaint::at("widths", "expected widths that differ, one or more"));
        let program = call
            .network("parent")
            .filter(|network| network.training == Training::Program);
        let program = program.map(|_| {
            Complaint::at(
                "parent",
                "a program trained it: its steps are not repeated here",
            )
            .with_hint("`average(record(…), weight: step ^ 6.94)` weighs the states it kept")
        });
        let short = call.network("parent").and_then(|network| {
            let every = call.get::<Steps>("every")?.0;
            let Training::Steps {
                most: Some(most),
                exact: true,
                ..
            } = network.training
            else {
                return None;
            };
            let message = format!("expected at most {most} steps, those of the training");
            (every > most).then(|| Complaint::at("every", message))
        });
        let found = [no_steps(call), program, twice, short];
        found.into_iter().flatten().collect()
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        Facts {
            single: false,
            coordinates: Coordinate::numbers(["step", "width"]),
            ..one(call, &call.inputs("parent"), 1.0)
        }
    }

    fn run(self, context: &Context) -> Result<Weights, Fault> {
        let parent = &*self.parent;
        let gammas = self.widths.iter().map(|width| power_of(*width));
        let gammas = gammas.collect::<Result<Vec<f64>, Fault>>()?;
        let mut averages = vec![vec![0.0_f64; parent.weights.len()]; gammas.len()];
        let (mut steps, mut widths, mut rows) = (Vec::new(), Vec::new(), Vec::new());
        let mut keep = |step: u64, state: &[f32]| {
            if step == 0 {
                return Ok(());
            }
            for (average, gamma) in averages.iter_mut().zip(&gammas) {
                let beta = (1.0 - 1.0 / step as f64).powf(gamma + 1.0);
                for (mean, weight) in average.iter_mut().zip(state) {
                    *mean = beta * *mean + (1.0 - beta) * f64::from(*weight);
                }
            }
            if !step.is_multiple_of(self.every.0) {
                return Ok(());
            }
            let more = size_of_val(state) * gammas.len();
            if size_of_val(&rows[..]) + more > MOST_BYTES {
                let message = format!("more than 2 GiB of weights by step {step}");
                return Err(Fault::at("every", message).with_hint("keep fewer rows"));
            }
            for (average, width) in averages.iter().zip(&self.widths) {
                steps.push(step);
                widths.push(*width);
                rows.extend(average.iter().map(|mean| *mean as f32));
            }
            Ok(())
        };
        again(parent, self.data.0.as_deref(), context, &mut keep)?;
        if steps.is_empty() {
            let message = "the training is shorter than the distance of two rows";
            return Err(Fault::at("every", message));
        }
        let columns = vec![
            Series::new("step".into(), &steps).into(),
            Series::new("width".into(), &widths).into(),
        ];
        let coordinates = DataFrame::new(steps.len(), columns)?;
        Ok(Weights {
            table: Trajectory::from_rows(parent.layout.clone(), coordinates, &rows)?,
            network: parent.network.clone(),
        })
    }
}
