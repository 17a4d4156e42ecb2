//! `lfd`: one linear layer on many states observed.

use engine::artifact::Trajectory;
use engine::error::Fault;
use engine::params::{Gather, Numbers};
use engine::plugin;
use engine::plugin::{Context, Plugin};

use super::linear_map::{Features, FitBy, Start, Training, farcast};
use super::objective::Objective;
use super::runs::Runs;
use super::window::Window;
use super::{Farcast, Norm};

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
    "lfd" version 2
    pub struct Lfd {
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
        /// How it is fitted.
        fit: FitBy = "minibatches";
        /// The share of L_grad in the loss.
        beta: f64 = "0.1", range("0..");
        /// How moves are measured in L_grad.
        norm: Norm = "l2";
        /// How many weights are drawn for the minibatches.
        sample: usize = "65536", range("10..=10000000");
        /// Goes over them at most.
        epochs: usize = "100", range("1..=100000");
        /// Weights of a minibatch.
        batch: usize = "1024", range("1..=1000000");
        /// Learning rate of Adam.
        rate: f64 = "1e-3", range("0..");
    }
}

impl Plugin for Lfd {
    type Output = Farcast;
    const RANDOM: bool = true;
    // Version 2 lies in other blocks.
    const STREAMS: u32 = 1;

    fn run(self, context: &Context) -> Result<Farcast, Fault> {
        let window = Window::new(&self.trajectory, self.observe.as_ref(), &self.horizon)?;
        let window = window.with_history(self.history)?;
        let (other, train_on) = (self.runs.as_ref(), self.train_on.as_ref());
        let runs = Runs::new(&self.trajectory, other, train_on, &window)?;
        let training = (self.fit == FitBy::Minibatches).then_some(Training {
            objective: Objective::Absolute {
                beta: self.beta,
                norm: self.norm,
            },
            start: Start::LeastSquares,
            sample: self.sample,
            epochs: self.epochs,
            batch: self.batch,
            rate: self.rate,
        });
        farcast(
            &self.trajectory,
            &runs,
            window,
            Features::States,
            training,
            context,
        )
    }
}
