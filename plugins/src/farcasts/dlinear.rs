//! `dlinear`: one linear layer on a trend, one on what remains.

use engine::error::Fault;
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::Farcast;
use super::support::adam::AdamOptions;
use super::support::examine;
use super::support::linear_map::{Features, Start, Training, farcast};
use super::support::objective::Objective;
use super::support::runs::{FitRuns, Runs};
use super::support::window::Observed;

plugin! {
    /// DLinear: a linear layer on the moving average of the states, one on what remains.
    ///
    /// `ŵ_h = Σ_i A_hi t_i + Σ_i B_hi (w_i − t_i) + b_h`, `t_i` the mean of `kernel` states around
    /// `w_i`, the first and last repeated (Zeng et al., AAAI 2023, arXiv 2205.13504), shared by
    /// all weights. As there: squared error, Adam, minibatches, both layers start at the mean
    /// of the history; training ends as that of `lfd2` does. The two layers together are a linear map of the states, so that with
    /// endless training `lfd` on squared errors would come out; what differs is the way there.
    ///
    /// Some `6 n m` operations a drawn weight and epoch for `n` states and `m` horizons, `4 n m`
    /// a weight for the prediction; memory one block and `2 n` numbers a drawn weight.
    ///
    /// ```farcast
    /// farcast trend = dlinear(walk, observe: 4..=16, horizon: [24, 32], epochs: 5, train_on: [0])
    /// ```
    "dlinear" version 5
    pub struct DLinear {
        /// What is observed and predicted.
        observed: Observed, flatten();
        /// How many of the states observed are used, evenly chosen with the first and the last;
        /// all when left out.
        history: Option<usize>, range("2..=1000");
        /// How many states the moving average is over.
        kernel: usize = "25", range("1..=1000");
        /// What it is fitted on.
        fit_runs: FitRuns, flatten();
        /// How it is trained.
        adam: AdamOptions, flatten();
    }
}

impl Plugin for DLinear {
    type Output = Farcast;
    const RANDOM: bool = true;
    // Version 2 lies in other blocks, version 3 trains for longer.
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
        let training = Training {
            objective: Objective::Squared,
            start: Start::Mean,
            adam: self.adam,
        };
        let features = Features::TrendAndRest(self.kernel);
        farcast(
            &self.observed.trajectory,
            &runs,
            window,
            features,
            Some(training),
            context,
        )
    }
}
