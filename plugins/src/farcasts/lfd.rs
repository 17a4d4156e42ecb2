//! `lfd`: one linear layer on many states observed.

use engine::error::Fault;
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::Farcast;
use super::support::examine;
use super::support::linear_map::{Features, LayerFit, farcast};
use super::support::runs::{FitRuns, Runs};
use super::support::window::Observed;

plugin! {
    /// LFD: one linear layer on all states observed, shared by all weights.
    ///
    /// `ŵ_h = Σ_i A_hi w_i + b_h` with the loss and training of `lfd2` (Shou et al. 2025, arXiv
    /// 2505.02714, which finds the first and last state alone to do as well). States that are
    /// combinations of others, up to the rounding of single precision, get no share of their
    /// own: the solution of smallest norm is taken.
    ///
    /// With `n` states and `m` horizons, `n (n + m)` operations a weight for the fit and
    /// `2 n m` for the prediction; memory one block and `n` states of the sample.
    ///
    /// ```farcast
    /// farcast history = lfd(walk, observe: 4..=16, horizon: [24, 32], history: 3, train_on: [0])
    /// ```
    "lfd" version 5
    pub struct Lfd {
        /// What is observed and predicted.
        observed: Observed, flatten();
        /// How many of the states observed are used, evenly chosen with the first and the last;
        /// all when left out.
        history: Option<usize>, range("2..=1000");
        /// What it is fitted on.
        fit_runs: FitRuns, flatten();
        /// How it is fitted.
        layer: LayerFit, flatten();
    }
}

impl Plugin for Lfd {
    type Output = Farcast;
    const RANDOM: bool = true;
    // Version 2 lies in other blocks, version 3 minimises its loss.
    const STREAMS: u32 = 1;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let history = call.get::<usize>("history");
        examine::fitted(call, |window| window.with_history(history))
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        examine::at_horizons(call)
    }

    fn run(self, context: &Context) -> Result<Farcast, Fault> {
        let window = self.observed.window()?;
        let window = window.with_history(self.history)?;
        let runs = Runs::new(&self.observed.trajectory, &self.fit_runs, &window)?;
        let training = self.layer.training();
        farcast(
            &self.observed.trajectory,
            &runs,
            window,
            Features::States,
            training,
            context,
        )
    }
}
