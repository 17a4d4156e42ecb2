//! `nlinear`: one linear layer on the moves from the last state.

use engine::artifact::Trajectory;
use engine::error::Fault;
use engine::params::{Gather, Numbers};
use engine::plugin;
use engine::plugin::{Context, Plugin};

use super::Farcast;
use super::linear_map::{Features, farcast};
use super::runs::Runs;
use super::window::Window;

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
        /// The runs to go on from.
        trajectory: Gather<Trajectory>, one_for_all();
        /// The steps observed: a range of those recorded, or a list; all before the first
        /// horizon when left out.
        observe: Option<Numbers>;
        /// The steps to predict.
        horizon: Vec<u64>;
        /// How many of the states observed are used, evenly chosen with the first and the last;
        /// all when left out.
        history: Option<usize>, range("2..=1000");
        /// The members to fit on, counted from 0; all when left out.
        train_on: Option<Numbers>;
        /// Other runs to fit on.
        runs: Option<Gather<Trajectory>>;
    }
}

impl Plugin for NLinear {
    type Output = Farcast;
    // Version 2 lies in other blocks.
    const STREAMS: u32 = 1;

    fn run(self, context: &Context) -> Result<Farcast, Fault> {
        let window = Window::new(&self.trajectory, self.observe.as_ref(), &self.horizon)?;
        let window = window.with_history(self.history)?;
        window.expect(2)?;
        let (other, train_on) = (self.runs.as_ref(), self.train_on.as_ref());
        let runs = Runs::new(&self.trajectory, other, train_on, &window)?;
        farcast(
            &self.trajectory,
            &runs,
            window,
            Features::Moves,
            None,
            context,
        )
    }
}
