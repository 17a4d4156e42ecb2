//! What a queue of jobs is asked.

use std::time::Duration;

use super::campaign::{Campaign, WorkOrder};
use crate::error::Fault;
use crate::observer::Observer;

/// A queue of jobs.
pub trait Queue: Sync {
    /// Submits what the queue does not have yet of an order, after all jobs with the ids `after`.
    ///
    /// # Errors
    /// When the queue refuses, or cannot be reached.
    fn submit(
        &self,
        campaign: &Campaign,
        order: &WorkOrder,
        after: &[u64],
        observer: &dyn Observer,
    ) -> Result<(), Fault>;

    /// The jobs of a run that the queue knows, ended ones among them for a while.
    ///
    /// # Errors
    /// When the queue cannot be reached.
    fn jobs(&self, campaign: &Campaign) -> Result<Vec<Job>, Fault>;

    /// Lets jobs wait for a place again that the queue holds because their start failed; returns how
    /// many.
    ///
    /// # Errors
    /// When the queue refuses, or cannot be reached.
    fn release(&self, _: &[Job]) -> Result<usize, Fault> {
        Ok(0)
    }

    /// How long to wait between questions, and for what jobs have written.
    fn patience(&self) -> Patience {
        Patience {
            ask: Duration::from_secs(5),
            delay: Duration::from_secs(8),
        }
    }

    /// Ends all jobs of a run; returns how many there were.
    ///
    /// # Errors
    /// When the queue cannot be reached.
    fn cancel(&self, campaign: &Campaign) -> Result<usize, Fault>;
}

/// How long to wait for a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Between two questions.
    pub ask: Duration,
    /// For what a job has written to be seen here, after the queue has said that the job is over.
    pub delay: Duration,
}

/// A job of a run, or several that are in the same state.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// The queue's id.
    pub id: u64,
    /// The number of the order.
    pub order: u32,
    /// What it is of the order.
    pub part: Part,
    /// How far it is.
    pub state: JobState,
    /// The queue's words for that.
    pub words: String,
}

/// What a job is of its order.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// These chunks.
    Chunks(Vec<usize>),
    /// What comes after all chunks.
    Coordinator,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobState {
    /// It waits.
    Pending,
    /// It runs.
    Running,
    /// It has ended, whatever it did.
    Over,
}

impl Job {
    /// Whether it waits or runs.
    pub fn is_live(&self) -> bool {
        self.state != JobState::Over
    }

    /// Whether Slurm holds it because its start failed, as on a node that remembers another job of
    /// its id.
    pub fn is_held(&self) -> bool {
        self.state == JobState::Pending && self.words.replace('_', " ").contains("requeued held")
    }

    /// Its chunks.
    pub fn chunks(&self) -> &[usize] {
        match &self.part {
            Part::Chunks(chunks) => chunks,
            Part::Coordinator => &[],
        }
    }
}
