//! `dlinear`: one linear layer on a trend, one on what remains.

use engine::artifact::Trajectory;
use engine::error::Fault;
use engine::params::{Gather, Numbers};
use engine::plugin;
use engine::plugin::{Context, Plugin};

use super::Farcast;
use super::linear_map::{Features, Start, Training, farcast};
use super::objective::Objective;
use super::runs::Runs;
use super::window::Window;

plugin! {
    /// DLinear: a linear layer on the moving average of the states, one on what remains.
    ///
    /// `ŵ_h = Σ_i A_hi t_i + Σ_i B_hi (w_i − t_i) + b_h`, `t_i` the mean of `kernel` states around
    /// `w_i`, the first and last repeated (Zeng et al., AAAI 2023, arXiv 2205.13504), shared by
    /// all weights. As there: squared error, Adam, minibatches, both layers start at the mean
    /// of the history. The two layers together are a linear map of the states, so that with
    /// endless training `lfd` on squared errors would come out; what differs is the way there.
    ///
    /// Some `6 n m` operations a drawn weight and epoch for `n` states and `m` horizons, `4 n m`
    /// a weight for the prediction; memory one block and `2 n` numbers a drawn weight.
    ///
    /// ```farcast
    /// farcast trend = dlinear(walk, observe: 4..=16, horizon: [24, 32], epochs: 5, train_on: [0])
    /// ```
    "dlinear" version 2
    pub struct DLinear {
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
        /// How many states the moving average is over.
        kernel: usize = "25", range("1..=1000");
        /// The members to fit on, counted from 0; all when left out.
        train_on: Option<Numbers>;
        /// Other runs to fit on.
        runs: Option<Gather<Trajectory>>;
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

impl Plugin for DLinear {
    type Output = Farcast;
    const RANDOM: bool = true;
    // Version 2 lies in other blocks.
    const STREAMS: u32 = 1;

    fn run(self, context: &Context) -> Result<Farcast, Fault> {
        let window = Window::new(&self.trajectory, self.observe.as_ref(), &self.horizon)?;
        let window = window.with_history(self.history)?;
        let (other, train_on) = (self.runs.as_ref(), self.train_on.as_ref());
        let runs = Runs::new(&self.trajectory, other, train_on, &window)?;
        let training = Training {
            objective: Objective::Squared,
            start: Start::Mean,
            sample: self.sample,
            epochs: self.epochs,
            batch: self.batch,
            rate: self.rate,
        };
        let features = Features::TrendAndRest(self.kernel);
        farcast(
            &self.trajectory,
            &runs,
            window,
            features,
            Some(training),
            context,
        )
    }
}
