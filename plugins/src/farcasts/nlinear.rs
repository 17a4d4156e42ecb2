//! `nlinear`: one linear layer on the moves from the last state.

use engine::error::Fault;
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::Farcast;
use super::support::examine;
use super::support::linear_map::{Features, farcast};
use super::support::runs::{FitRuns, Runs};
use super::support::window::Observed;

plugin! {
    /// NLinear: the last state is subtracted, one linear layer applied, and added again.
    ///
    /// `ŵ_h = w_n + Σ_{i<n} A_hi (w_i − w_n) + b_h` (Zeng et al., AAAI 2023, arXiv 2205.13504),
    /// shared by all weights. Their code trains on the squared error by minibatches; here its
    /// minimum is taken, exact least squares over all weights.
    ///
    /// With `n` states and `m` horizons, `n (n + m)` operations a weight for the fit and
    /// `2 n m` for the prediction; memory one block.
    ///
    /// ```farcast
    /// farcast moves = nlinear(walk, observe: 4..=16, horizon: [24, 32], train_on: [0])
    /// ```
    "nlinear" version 2
    pub struct NLinear {
        /// What is observed and predicted.
        observed: Observed, flatten();
        /// How many of the states observed are used, evenly chosen with the first and the last;
        /// all when left out.
        history: Option<usize>, range("2..=1000");
        /// What it is fitted on.
        fit_runs: FitRuns, flatten();
    }
}

impl Plugin for NLinear {
    type Output = Farcast;
    // Version 2 lies in other blocks.
    const STREAMS: u32 = 1;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let history = call.get::<usize>("history");
        examine::fitted(call, |window| {
            let window = window.with_history(history)?;
            window.expect(2).map(|()| window)
        })
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        examine::at_horizons(call)
    }

    fn run(self, context: &Context) -> Result<Farcast, Fault> {
        let window = self.observed.window()?;
        let window = window.with_history(self.history)?;
        window.expect(2)?;
        let runs = Runs::new(&self.observed.trajectory, &self.fit_runs, &window)?;
        farcast(
            &self.observed.trajectory,
            &runs,
            window,
            Features::Moves,
            None,
            context,
        )
    }
}
