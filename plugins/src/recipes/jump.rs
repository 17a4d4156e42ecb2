//! Jumps inside training: now and then the weights go where a farcaster sees them later.

use std::sync::Arc;

use engine::artifact::{Layout, Trajectory};
use engine::error::Fault;
use engine::files::Files;
use engine::params::{DataPath, Gather, Label, Steps};
use engine::plugin::{Complaint, Context, Plugin};
use engine::{constructor, made, words};
use polars::prelude::{DataFrame, NamedFrom, Series};
use serde::{Deserialize, Serialize};

use crate::farcasts::{
    AdamOptions, Exponential, Farcast, FitBy, FitRuns, LayerFit, Lfd2, Linear, NinoNet, Norm,
    Observed, Velocity, nino,
};

words! {
    /// What says where the weights go.
    pub enum Method {
        /// The mean velocity of the states goes on.
        Linear = "linear",
        /// Every weight relaxes towards its own end.
        Exponential = "exponential",
        /// One linear layer for all weights, fitted to the states by least squares.
        Lfd2 = "lfd2",
        /// A network from a file.
        Nino = "nino",
    }
}

words! {
    /// What decides whether a jump is taken.
    pub enum Guard {
        /// Every jump is.
        Unguarded = "unguarded",
        /// Those that do not raise the loss on the rows held out.
        HeldOutLoss = "held_out_loss",
    }
}

words! {
    /// What a jump does to what the optimiser remembers.
    pub enum OptimizerMemory {
        /// It stays.
        Keep = "keep",
        /// It is forgotten.
        Reset = "reset",
    }
}

constructor! {
    /// Every N steps the weights jump to where a farcaster predicts them some steps later.
    ///
    /// The farcaster goes by `history` states of this very run, the newest being now, `every`
    /// divided by `history` steps apart and all after the jump before. With the guard the loss
    /// on the rows held out is taken before and after; a jump that raises it is not made:
    /// weights and optimiser go on to the bit as without it. A jump is not a step: the learning
    /// rate's schedule and the number of optimiser steps are those of a training without
    /// jumps, which also has the same start and the same minibatches.
    ///
    /// `linear`, `exponential` and `nino` are those of `farcast`; `exponential` needs an odd
    /// history, `nino` five states and its `weights`, and jumps at most forty times their
    /// distance. `lfd2` learns from the run's own past: from the first of the states and one
    /// in between to the newest, at the distance of the jump, so that `ahead` is a multiple of
    /// their distance and at most `history` less two of it.
    ///
    /// ```farcast
    /// parent leaping = mlp(
    ///     seen,
    ///     inputs: [x],
    ///     target: y,
    ///     jump: nowcast(lfd2, every: 20, ahead: 4),
    ///     hold_out: 0.2,
    ///     steps: 60,
    ///     members: 2,
    /// )
    /// ```
    "nowcast"
    pub struct Nowcast {
        /// What says where the weights go.
        method: Method;
        /// The steps between two jumps.
        every: Steps = "200 steps", range("1..");
        /// How many states it goes by.
        history: usize = "5", range("3..=1000");
        /// How many steps are jumped.
        ahead: Steps = "40 steps", range("1..");
        /// What decides whether a jump is taken.
        guard: Guard = "held_out_loss";
        /// What happens to what the optimiser remembers.
        optimizer_state: OptimizerMemory = "keep";
        /// The file with the network, for `nino`.
        weights: Option<DataPath>;
    }
}

made! {
    /// How training leaves the path of its gradients.
    pub enum Jump { Nowcast }
}

/// A jump with all it needs, kept with what was trained by it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Jumps {
    method: Method,
    every: u64,
    history: usize,
    ahead: u64,
    guard: Guard,
    memory: OptimizerMemory,
    net: Option<NinoNet>,
}

impl Jumps {
    /// What the statement asks for.
    ///
    /// # Errors
    /// When the network cannot be read.
    pub fn new(jump: &Jump, files: &Files) -> Result<Self, Fault> {
        let Jump::Nowcast(nowcast) = jump;
        Ok(Self {
            method: nowcast.method,
            every: nowcast.every.0,
            history: nowcast.history,
            ahead: nowcast.ahead.0,
            guard: nowcast.guard,
            memory: nowcast.optimizer_state,
            net: nowcast.net(files)?,
        })
    }

    /// The weights `ahead` of the newest state; `states` are weights with their steps.
    fn predict(&self, layout: &Layout, states: &[(u64, Vec<f32>)]) -> Result<Vec<f32>, Fault> {
        let newest = states.last().map_or(0, |(step, _)| *step);
        let horizon = vec![newest + self.ahead];
        let context = Context::alone("nowcast");
        let runs = runs(layout, states, 0)?;
        let farcast = match self.method {
            Method::Linear => Linear {
                observed: observed(runs, horizon),
                from: Velocity::First,
            }
            .run(&context),
            Method::Exponential => Exponential {
                observed: observed(runs, horizon),
            }
            .run(&context),
            Method::Lfd2 => self.lfd2(layout, states, horizon)?.run(&context),
            Method::Nino => {
                let bug = || Fault::Bug("`nino` has no network".to_owned());
                let net = self.net.as_ref().ok_or_else(bug)?;
                nino::farcast(net, &runs, None, &horizon, &context)
            }
        }?;
        weights(&farcast)
    }

    /// Fitted to the past as if it were `ahead` later, so that its end lies at the horizon.
    fn lfd2(
        &self,
        layout: &Layout,
        states: &[(u64, Vec<f32>)],
        horizon: Vec<u64>,
    ) -> Result<Lfd2, Fault> {
        let gap = self.every / self.history as u64;
        let seen = (self.ahead / gap) as usize;
        Ok(Lfd2 {
            observed: observed(runs(layout, &states[seen..], 0)?, horizon),
            fit_runs: FitRuns {
                train_on: None,
                runs: Some(runs(layout, states, self.ahead)?),
            },
            layer: LayerFit {
                fit: FitBy::LeastSquares,
                beta: 0.0,
                norm: Norm::L2,
                adam: AdamOptions {
                    sample: 0,
                    epochs: 0,
                    batch: 0,
                    rate: 0.0,
                },
            },
        })
    }
}

/// All states observed, and these horizons.
fn observed(trajectory: Gather<Trajectory>, horizon: Vec<u64>) -> Observed {
    Observed {
        trajectory,
        observe: None,
        horizon,
    }
}

impl Jump {
    /// What is wrong with it where `hold_out` is the share of rows that the guard goes by.
    pub fn complaint(&self, hold_out: f64) -> Option<Complaint> {
        let Jump::Nowcast(nowcast) = self;
        nowcast.complaint(hold_out)
    }
}

impl Nowcast {
    fn complaint(&self, hold_out: f64) -> Option<Complaint> {
        let at =
            |field: &str, message: String| Some(Complaint::at(format!("jump.{field}"), message));
        let (every, ahead, history) = (self.every.0, self.ahead.0, self.history as u64);
        if self.guard == Guard::HeldOutLoss && hold_out == 0.0 {
            let message = "the guard of `nowcast` needs rows held out";
            let complaint = Complaint::at("jump", message);
            return Some(complaint.with_hint("give `hold_out: 0.1` too, or `guard: unguarded`"));
        }
        let method = self.method.word();
        match (self.method, &self.weights) {
            (Method::Exponential, _) if history.is_multiple_of(2) => {
                return at("history", "`exponential` needs an odd `history`".to_owned());
            }
            (Method::Nino, _) if history != 5 => {
                return at("history", "`nino` needs `history: 5`".to_owned());
            }
            (Method::Nino, None) => {
                let complaint = Complaint::at("jump", "`nino` needs the file of its network");
                return Some(
                    complaint.with_hint("give `weights: \"nino_mlp.safetensors\"` to `nowcast`"),
                );
            }
            (Method::Nino, Some(_)) | (_, None) => {}
            (_, Some(_)) => {
                let message = format!("`{method}` has no network to read from `weights`");
                return at("weights", message);
            }
        }
        let gap = every / history;
        if gap * history != every {
            let message = "`every` must be a multiple of `history`";
            return at("every", format!("{message}, found {every} and {history}"));
        }
        let most = match self.method {
            Method::Linear | Method::Exponential => return None,
            Method::Lfd2 => gap * (history - 2),
            Method::Nino => gap * 40,
        };
        if ahead <= most && ahead.is_multiple_of(gap) {
            return None;
        }
        let expected = format!("expected `ahead` among {gap}..={most} step {gap} for `{method}`");
        at("ahead", format!("{expected}, found {ahead}"))
    }
    fn net(&self, files: &Files) -> Result<Option<NinoNet>, Fault> {
        let file = self.weights.as_ref();
        file.map(|path| NinoNet::load(&path.0, files)).transpose()
    }
}

/// One run of these states, each `later` steps later.
fn runs(
    layout: &Layout,
    states: &[(u64, Vec<f32>)],
    later: u64,
) -> Result<Gather<Trajectory>, Fault> {
    let steps: Vec<u64> = states.iter().map(|(step, _)| step + later).collect();
    let coordinates = DataFrame::new(steps.len(), vec![Series::new("step".into(), steps).into()])?;
    let weights: Vec<f32> = states
        .iter()
        .flat_map(|(_, state)| state)
        .copied()
        .collect();
    let run = Trajectory::from_rows(layout.clone(), coordinates, &weights)?;
    Ok(Gather {
        label: Label::default(),
        members: vec![Some(Arc::new(run))],
    })
}

/// The weights of the only prediction.
fn weights(farcast: &Farcast) -> Result<Vec<f32>, Fault> {
    let mut networks = farcast.predicted.networks(&[0])?;
    let none = || Fault::Bug("a farcast without a prediction".to_owned());
    networks.pop().ok_or_else(none)
}

/// How often what was done while training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Steps of the optimiser.
    pub steps: u64,
    /// Jumps made.
    pub jumps: u64,
    /// Jumps that the guard refused.
    pub rejected: u64,
    /// Losses on the rows held out that the guard took.
    pub guard_evaluations: u64,
}

/// The states of one training that wait for its next jump.
pub(super) struct Jumper<'a> {
    jumps: &'a Jumps,
    layout: Layout,
    states: Vec<(u64, Vec<f32>)>,
    /// What was done so far.
    pub counts: Counts,
}

/// Where a jump leads.
pub(super) struct Landing {
    /// The weights there.
    pub weights: Vec<f32>,
    /// Whether the optimiser forgets.
    pub memory: OptimizerMemory,
}

impl<'a> Jumper<'a> {
    /// One that has seen nothing yet.
    pub fn new(jumps: &'a Jumps, layout: Layout) -> Self {
        Self {
            jumps,
            layout,
            states: Vec::with_capacity(jumps.history),
            counts: Counts::default(),
        }
    }

    /// Looks at the weights after a step; where to go when it is time to jump and `loss`, that
    /// on the rows held out, does not speak against it.
    pub fn look(
        &mut self,
        done: u64,
        weights: &[f32],
        loss: impl Fn(&[f32]) -> Option<f64>,
    ) -> Result<Option<Landing>, Fault> {
        let jumps = self.jumps;
        if !done.is_multiple_of(jumps.every / jumps.history as u64) {
            return Ok(None);
        }
        self.states.push((done, weights.to_vec()));
        if !done.is_multiple_of(jumps.every) {
            return Ok(None);
        }
        let landed = jumps.predict(&self.layout, &self.states)?;
        self.states.clear();
        if jumps.guard == Guard::HeldOutLoss {
            self.counts.guard_evaluations += 2;
            // Written so that a loss that is not a number speaks against it.
            let better = match (loss(weights), loss(&landed)) {
                (Some(before), Some(after)) => after <= before,
                _ => false,
            };
            if !better {
                self.counts.rejected += 1;
                return Ok(None);
            }
        }
        self.counts.jumps += 1;
        Ok(Some(Landing {
            weights: landed,
            memory: jumps.memory,
        }))
    }
}

#[cfg(test)]
mod tests;
