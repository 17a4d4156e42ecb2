//! `known`: from less and less data to more than there are.

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
    /// KNOW: a network maps five states of a weight to the one that more data would give.
    ///
    /// The states are those of a network fine-tuned on nested parts of its data, in the
    /// published setting 6.25, 12.5, 25, 50 and 100 % of them (arXiv 2508.05059); fine-tuned on
    /// all data first and on fewer after, they are taken in `reverse`. The network is that of
    /// `wnn` without its scaling: weights go in as they are. Each recurrence takes the last
    /// prediction as its newest state. In `reverse` the horizons are the recurrences 1, 2, …;
    /// otherwise the steps as many distances after the last one observed.
    ///
    /// The networks, one for convolutions, one for dense layers, one for biases, are those of a
    /// safetensors file (names `w.in.kernel`, …, kernels `[inputs, outputs]`, after `dense.`,
    /// `bias.`, `convolution.`, or without these one for all), or trained as those of `wnn`, on
    /// `sample` weights of each run. The published ones shrink weights (a constant history comes
    /// back times 0.66 to 1.0): compare with `shrink(…, like: it)` and `persistence`. Some 17 700
    /// operations a weight and recurrence; memory one block.
    ///
    /// ```farcast
    /// farcast more = known(
    ///     walk,
    ///     observe: 4..=20,
    ///     reverse: true,
    ///     weights: "networks/known_random.safetensors",
    /// )
    /// ```
    "known" version 6
    pub struct Known {
        /// The runs to go on from.
        trajectory: Gather<Trajectory>, one_for_all();
        /// The steps observed: a range of those recorded, or a list; all when left out. Five of
        /// them count, evenly chosen.
        observe: Option<Numbers>;
        /// Whether the first state observed is the newest.
        reverse: bool = "false";
        /// How many recurrences.
        recur: usize = "3", range("1..=1000");
        /// A file with the networks; trained on runs when left out.
        weights: Option<DataPath>;
        /// What it is fitted on.
        fit_runs: FitRuns, flatten();
        /// How it is trained.
        adam: AdamOptions, flatten(sample = "4096", batch = "256");
    }
}

impl Plugin for Known {
    type Output = Farcast;
    const RANDOM: bool = true;
    // Version 2 lies in other blocks, version 3 trains for longer.
    const STREAMS: u32 = 1;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        match call.get("reverse") {
            Some(true) => recurrent::check(call, Window::reversed),
            _ => recurrent::check(call, |window| window),
        }
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let recurrences = call.get("reverse").unwrap_or(false);
        let recur = call.get("recur").unwrap_or(1);
        let window = recurrent::window(call);
        let steps = match recurrences {
            true => Some((1..=recur).collect()),
            false => window.map(|window| window.recurrences(recur)),
        };
        Facts {
            steps: steps.map(examine::listed),
            recurrences,
            ..examine::of_runs(call)
        }
    }

    fn run(self, context: &Context) -> Result<Farcast, Fault> {
        let window = Window::open(&self.trajectory, self.observe.as_ref())?;
        let mut window = window.equally_spaced(INPUTS)?;
        let recur = self.recur as u64;
        let counts = match self.reverse {
            true => {
                window = window.reversed();
                window.horizons = (1..=recur).collect();
                HorizonUnit::Recurrences
            }
            false => {
                window.horizons = window.recurrences(recur);
                HorizonUnit::Steps
            }
        };
        let learning = Learning {
            trajectory: &self.trajectory,
            fit_runs: &self.fit_runs,
            adam: self.adam,
        };
        let file = self.weights.as_ref();
        let nets = Nets::new(file, learning, Scaling::None, &window, context)?;
        let predicted = forecast(&self.trajectory, &window, counts, context, |_, history| {
            nets.recur(&window, history, self.recur)
        })?;
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
    use std::path::{Path, PathBuf};

    use engine::artifact::TensorFile;

    use super::super::support::testing::{predictions, run};
    use engine::files::Files;

    use super::*;
    use crate::testing::{call, given};

    fn path(file: &str) -> PathBuf {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/networks");
        folder.join(file)
    }

    fn known(file: &str) -> Known {
        let arguments = format!(
            "w, observe: 20..=60 step 10, reverse: true, weights: {:?}",
            path(file)
        );
        call(&arguments, &[("w", given(run(0.3)))])
    }

    #[test]
    fn networks_of_another_kind_are_refused() {
        let nino = known("nino_mlp_random.safetensors");
        let fault = nino.run(&Context::alone("known")).unwrap_err().to_string();
        assert!(
            fault.ends_with("tensor `dense.w.in.kernel` is missing"),
            "{fault}"
        );
    }

    #[test]
    fn reversed_states_recur_through_the_network_of_the_file() {
        let file =
            TensorFile::open(&path("known_random.safetensors"), &Files::unchecked()).unwrap();
        let net = KnownNet::load(&file, "").unwrap();
        let call = known("known_random.safetensors");
        let farcast = call.run(&Context::alone("known")).unwrap();
        assert_eq!(farcast.origin.observed, [60, 50, 40, 30, 20]);
        assert_eq!(farcast.rows_of(0).unwrap(), [(1, 0), (2, 1), (3, 2)]);
        assert!(!farcast.has_steps());
        let states = run(0.3).networks(&[6, 5, 4, 3, 2]).unwrap();
        let found = predictions(&farcast);
        for weight in 0..26 {
            let mut history: Vec<f32> = states.iter().map(|state| state[weight]).collect();
            for found in &found {
                let next = net.next(&history)[0];
                assert_eq!(found[weight], next);
                history.remove(0);
                history.push(next);
            }
        }
    }
}
