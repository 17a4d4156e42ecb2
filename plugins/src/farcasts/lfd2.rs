//! `lfd2`: one linear layer on the first and last state observed.

use engine::error::Fault;
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::Farcast;
use super::support::examine;
use super::support::linear_map::{Features, LayerFit, farcast};
use super::support::runs::{FitRuns, Runs};
use super::support::window::Observed;

plugin! {
    /// LFD-2: one linear layer on the first and last state, shared by all weights.
    ///
    /// `ŵ_h = A_h0 w_0 + A_hn w_n + b_h` (Shou et al. 2025, arXiv 2505.02714): three numbers a
    /// horizon, whatever the network, fitted to runs that reached the horizons. The loss is the
    /// mean over weights of the L1 norm of the residual and `beta` times
    /// `L_grad = Σ_j max(‖ŵ_{j+1} − ŵ_j‖ − ‖ŵ_j − ŵ_{j−1}‖, 0)`, which asks that moves do not
    /// grow. The paper leaves open the norm and what `w` comes before the first horizon: here
    /// norms are means over the minibatch, `ŵ_0` is the last state observed, and moves are
    /// divided by the steps they take, as horizons need not be equally far apart. A tenth of
    /// a sample of the weights is held out; the rest is learned from: first the least absolute
    /// deviations exactly, then, with `beta` above 0, the whole loss by Adam until it no longer
    /// falls on the weights held out, the learning rate divided by ten three times. Where `w_{i+1} = c_i w_i + d_i` for all
    /// weights, the layer is exact; it fails where runs oscillate or follow cyclic learning
    /// rates.
    ///
    /// Of the runs it reads the two states, twice, and those at the horizons; the prediction is
    /// four operations a weight and horizon. Memory is some blocks and the sample.
    ///
    /// ```farcast
    /// farcast ahead = lfd2(walk, observe: 4..=16, horizon: [24, 32], beta: 0.1, train_on: [0])
    /// ```
    "lfd2" version 5
    pub struct Lfd2 {
        /// What is observed and predicted.
        observed: Observed, flatten();
        /// What it is fitted on.
        fit_runs: FitRuns, flatten();
        /// How it is fitted.
        layer: LayerFit, flatten();
    }
}

impl Plugin for Lfd2 {
    type Output = Farcast;
    const RANDOM: bool = true;
    // Version 2 lies in other blocks, version 3 minimises its loss.
    const STREAMS: u32 = 1;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        examine::fitted(call, |window| window.thinned(2))
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        examine::at_horizons(call)
    }

    fn run(self, context: &Context) -> Result<Farcast, Fault> {
        let window = self.observed.window()?;
        let window = window.thinned(2)?;
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
