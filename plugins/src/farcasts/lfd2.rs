//! `lfd2`: one linear layer on the first and last state observed.

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
    /// LFD-2: one linear layer on the first and last state, shared by all weights.
    ///
    /// `ŵ_h = A_h0 w_0 + A_hn w_n + b_h` (Shou et al. 2025, arXiv 2505.02714): three numbers a
    /// horizon, whatever the network, fitted to runs that reached the horizons. The loss is the
    /// mean over weights of the L1 norm of the residual and `beta` times
    /// `L_grad = Σ_j max(‖ŵ_{j+1} − ŵ_j‖ − ‖ŵ_j − ŵ_{j−1}‖, 0)`, which asks that moves do not
    /// grow. The paper leaves open the norm and what `w` comes before the first horizon: here
    /// norms are means over the minibatch, `ŵ_0` is the last state observed, and moves are
    /// divided by the steps they take, as horizons need not be equally far apart. Training
    /// starts from the exact least-squares solution over all weights and goes on by Adam over
    /// a sample of them, a tenth held out to stop by. Where `w_{i+1} = c_i w_i + d_i` for all
    /// weights, the layer is exact; it fails where runs oscillate or follow cyclic learning
    /// rates.
    ///
    /// Of the runs it reads the two states, twice, and those at the horizons; the prediction is
    /// four operations a weight and horizon. Memory is some blocks and the sample.
    ///
    /// ```farcast
    /// farcast ahead = lfd2(walk, observe: 4..=16, horizon: [24, 32], beta: 0.1, train_on: [0])
    /// ```
    "lfd2" version 2
    pub struct Lfd2 {
        /// The runs to go on from.
        trajectory: Gather<Trajectory>, one_for_all();
        /// The steps observed: a range of those recorded, or a list; all before the first
        /// horizon when left out. The first and the last count.
        observe: Option<Numbers>;
        /// The steps to predict.
        horizon: Vec<u64>;
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

impl Plugin for Lfd2 {
    type Output = Farcast;
    const RANDOM: bool = true;
    // Version 2 lies in other blocks.
    const STREAMS: u32 = 1;

    fn run(self, context: &Context) -> Result<Farcast, Fault> {
        let window = Window::new(&self.trajectory, self.observe.as_ref(), &self.horizon)?;
        let window = window.thinned(2)?;
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
