//! Who carries orders out: threads of this process, or other processes over the same store.

mod carry;
mod pass;
mod processes;
mod results;
#[cfg(test)]
mod tests;
mod threads;
mod wire;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use dsl::experiment::Experiment;
use dsl::sweep::Choices;
use serde::{Deserialize, Serialize};

use crate::artifact::Stored;
use crate::contents::Contents;
use crate::digest::Digest;
use crate::graph::{ActionId, Graph};
use crate::observer::{Ending, Failure, Observer};
use crate::order::Order;
use crate::plugin::Registry;
use crate::store::{Cost, Store};

pub use carry::carry_out;
pub(crate) use carry::failure;
pub use pass::each_rows;
pub use processes::Processes;
pub use threads::Threads;
pub use worker::Worker;

/// A round of a run, before anything of it starts.
#[derive(Clone, Copy)]
pub struct Round<'a> {
    /// Its actions.
    pub graph: &'a Graph,
    /// The experiment that the graph was lowered from.
    pub experiment: &'a Experiment,
    /// What is known of its sweeps.
    pub choices: &'a Choices,
    /// What is known of the bytes of results that others are keyed by.
    pub contents: &'a Contents,
}

/// Carries out orders, several at a time.
pub trait Executor {
    /// A round begins; for executors that take in all of it at once. Returns how actions ended,
    /// by key, that were carried out for this run before it was joined.
    fn begin(&mut self, round: Round<'_>) -> BTreeMap<Digest, Ending> {
        let _ = round;
        BTreeMap::new()
    }

    /// Whether it can start another order now.
    fn has_room(&self) -> bool;

    /// Starts an order. Asked only when there is room.
    fn start(&mut self, id: ActionId, order: Order);

    /// Waits for something to happen.
    fn wait(&mut self) -> Event;

    /// Tells what runs to end soon; each order still gets its answer.
    fn abort(&mut self);

    /// A result that nothing will read any more, so that memory can be freed.
    fn release(&mut self, key: &Digest) {
        let _ = key;
    }

    /// A result that is in memory.
    fn result(&self, key: &Digest) -> Option<Arc<dyn Stored>> {
        let _ = key;
        None
    }
}

/// What an executor reports.
#[derive(Debug)]
pub enum Event {
    /// An order has ended.
    Ended(ActionId, Answer),
    /// Nothing has ended for a while: time to look whether the run is to stop.
    StillRunning,
    /// Nothing runs.
    Idle,
}

/// The answer to an order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// How it ended.
    pub conclusion: Conclusion,
    /// What a reader of the result must know.
    pub notes: Vec<String>,
    /// What the result costs; none without a result.
    pub cost: Cost,
}

/// How an order ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// The result is in the store.
    Produced {
        /// How long it took.
        seconds: f64,
    },
    /// The member diverged, which the store remembers.
    Diverged {
        /// Why.
        why: String,
        /// How long it ran.
        seconds: f64,
    },
    /// There is no result.
    Failed(Failure),
    /// An input is not what was stored: it must be computed again first.
    Damaged(String),
    /// The run was stopped.
    Cancelled,
}

impl Answer {
    /// An answer without a result.
    pub fn without_result(conclusion: Conclusion) -> Self {
        Self {
            conclusion,
            notes: Vec::new(),
            cost: Cost::default(),
        }
    }
}

/// What orders are carried out with.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The plugins.
    pub registry: &'a Registry,
    /// Where results are.
    pub store: &'a dyn Store,
    /// Receives progress and remarks.
    pub observer: &'a dyn Observer,
    /// Raised when the run is to stop.
    pub stop: &'a Arc<AtomicBool>,
    /// The machine's name, for the records.
    pub host: &'a str,
}

/// A way to carry orders out: opens an [`Executor`] for the time of a run.
pub trait Backend {
    /// Calls `body` with an executor, which is closed afterwards.
    fn open(&self, place: Place<'_>, body: &mut dyn FnMut(&mut dyn Executor));
}
