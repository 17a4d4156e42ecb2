//! `wnn`: a small network per weight, each weight scaled by its range.

use engine::artifact::Trajectory;
use engine::error::Fault;
use engine::params::{DataPath, Gather, Numbers};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::support::adam::AdamOptions;
use super::support::nets::{INPUTS, KnownNet};
use super::support::recurrent::{Learning, Nets, Scaling};
use super::support::runs::FitRuns;
use super::support::window::Window;
use super::support::{examine, recurrent};
use super::{Farcast, HorizonUnit, Origin, forecast};

plugin! {
    /// WNN: a network maps five states of a weight, scaled by their range, to the next.
    ///
    /// Five states equally far apart and their four differences go through two streams (Jang et
    /// al., ICML 2023): `h = W x + b` to 64, `z = relu(W h + b)` to 8,
    /// `y = gain(z) ⊙ exp(rate(z) ⊙ h) + base(z)` back to 64, 32 with a leaky rectifier of slope
    /// 0.3; the head takes both to one number, and `ŵ = w_4 + tanh(head)`. Before, each weight
    /// is scaled: `x = (w − w_0) / (range + 1e-8 + 1e-5) / 2`. The next prediction takes the
    /// last one as its newest state, and so on: the horizons are the steps one, two, … distances
    /// after the last step observed.
    ///
    /// The networks, one for convolutions, one for dense layers, one for biases, are those of a
    /// safetensors file (names `w.in.kernel`, …, kernels `[inputs, outputs]`, after `dense.`,
    /// `bias.`, `convolution.`, or without these one for all), or trained on the mean absolute
    /// error over all sequences of six states of `sample` weights of each run to fit on, until that
    /// of `lfd2` would end; a scale of a normalisation counts as bias. Some 17 700 operations a weight and horizon; memory one
    /// block.
    ///
    /// ```farcast
    /// farcast scaled = wnn(walk, observe: 4..=20, epochs: 3, train_on: [0])
    /// ```
    "wnn" version 5
    pub struct Wnn {
        /// The runs to go on from.
        trajectory: Gather<Trajectory>, one_for_all();
        /// The steps observed: a range of those recorded, or a list; all when left out. Five of
        /// them count, evenly chosen.
        observe: Option<Numbers>;
        /// How many distances ahead.
        recur: usize = "1", range("1..=1000");
        /// A file with the networks; trained on runs when left out.
        weights: Option<DataPath>;
        /// What it is fitted on.
        fit_runs: FitRuns, flatten();
        /// How it is trained.
        adam: AdamOptions, flatten(sample = "4096", batch = "256");
    }
}

impl Plugin for Wnn {
    type Output = Farcast;
    const RANDOM: bool = true;
    // Version 2 lies in other blocks, version 3 trains for longer.
    const STREAMS: u32 = 1;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        recurrent::check(call, |window| window)
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let window = recurrent::window(call);
        let recur = call.get("recur").unwrap_or(1);
        Facts {
            steps: window.map(|window| examine::listed(window.recurrences(recur))),
            ..examine::of_runs(call)
        }
    }

    fn run(self, context: &Context) -> Result<Farcast, Fault> {
        let window = Window::open(&self.trajectory, self.observe.as_ref())?;
        let mut window = window.equally_spaced(INPUTS)?;
        window.horizons = window.recurrences(self.recur as u64);
        let learning = Learning {
            trajectory: &self.trajectory,
            fit_runs: &self.fit_runs,
            adam: self.adam,
        };
        let file = self.weights.as_ref();
        let nets = Nets::new(file, learning, Scaling::Range, &window, context)?;
        let predicted = forecast(
            &self.trajectory,
            &window,
            HorizonUnit::Steps,
            context,
            |_, history| nets.recur(&window, history, self.recur),
        )?;
        let weights = (window.layout.len() * self.recur) as f64;
        Ok(Farcast {
            predicted,
            origin: Origin {
                observed: window.steps,
                fitted_on: nets.fitted_on,
                fit_operations: Some(nets.operations),
                predict_operations: Some(KnownNet::operations() * weights),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::support::testing::{gather, predictions, run};
    use super::*;
    use crate::testing::{call, members};

    fn wnn(train_on: &str) -> Wnn {
        let runs = members([Some(run(0.3)), Some(run(0.2)), Some(run(0.25))]);
        let arguments = format!(
            "w, observe: 0..=40 step 10, recur: 2, train_on: {train_on}, sample: 1000, \
             epochs: 300, batch: 16, rate: 2e-3"
        );
        call(&arguments, &[("w", runs)])
    }

    #[test]
    fn a_network_trained_on_some_runs_predicts_another() {
        let farcast = wnn("[0, 1]").run(&Context::alone("wnn")).unwrap();
        assert_eq!(farcast.origin.fitted_on, [0, 1]);
        assert_eq!(farcast.rows_of(2).unwrap(), [(50, 4), (60, 5)]);
        let truth = run(0.25).networks(&[4, 5, 6]).unwrap();
        let error = |found: &[f32], truth: &[f32]| -> f32 {
            found
                .iter()
                .zip(truth)
                .map(|(found, truth)| (found - truth).abs())
                .sum()
        };
        for (found, truth_at) in [(4, 1), (5, 2)] {
            let found = error(&predictions(&farcast)[found], &truth[truth_at]);
            let persistence = error(&truth[0], &truth[truth_at]);
            assert!(found < 0.5 * persistence, "{found} {persistence}");
        }
    }

    #[test]
    fn too_few_states_are_refused() {
        let refused = |change: &dyn Fn(&mut Wnn)| {
            let mut call = wnn("[0]");
            change(&mut call);
            call.run(&Context::alone("wnn")).unwrap_err().to_string()
        };
        assert_eq!(
            refused(&|call| call.observe = Some(Numbers::Ranged(0, 30, 10))),
            "expected at least 5 observed states, found 4"
        );
        assert_eq!(
            refused(&|call| call.fit_runs.train_on = Some(Numbers::Listed(vec![3]))),
            "there is no member 3 in `w`"
        );
        assert_eq!(
            refused(&|call| {
                call.trajectory = gather([Some(super::super::support::testing::run_of(
                    &[0, 1, 2, 3, 4],
                    |k, step| k as f32 + step as f32,
                ))]);
                call.observe = None;
            }),
            "expected six recorded states as far apart as those observed, found fewer"
        );
    }
}
