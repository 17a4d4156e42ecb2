//! Observers of a run.

use serde::{Deserialize, Serialize};

use crate::estimate::Left;
use crate::graph::ActionId;
use crate::plugin::Progress;

/// Is told of every action; called from several threads.
pub trait Observer: Sync {
    /// So many actions more are about to run; told again by every round of a run.
    fn planned(&self, count: usize) {
        let _ = count;
    }

    /// An action starts; `title` is what people call it.
    fn started(&self, action: ActionId, title: &str) {
        let _ = (action, title);
    }

    /// An action is this far.
    fn progress(&self, action: ActionId, progress: Progress) {
        let _ = (action, progress);
    }

    /// An action ended.
    fn ended(&self, action: ActionId, title: &str, ending: &Ending) {
        let _ = (action, title, ending);
    }

    /// What is left takes about this long, one action after another.
    fn remaining(&self, left: Left) {
        let _ = left;
    }

    /// Something about the run as a whole, such as damage that was found.
    fn remark(&self, text: &str) {
        let _ = text;
    }
}

/// Tells nobody.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {}

/// How an action of a run ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Ending {
    /// Its result was there.
    Cached,
    /// It ran, for this many seconds.
    Ran(f64),
    /// Its member diverged.
    Diverged {
        /// Why.
        why: String,
        /// How long it ran; none when that was in an earlier run.
        seconds: Option<f64>,
    },
    /// It failed.
    Failed(Failure),
    /// It did not run because something it takes failed, or the run was stopped.
    Skipped,
    /// Nothing that ran took it.
    NotNeeded,
}

/// Why an action failed, kept as text so that it can be told and written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Whose fault it is.
    pub blame: Blame,
    /// The parameter to point at, when one is to blame.
    pub param: Option<String>,
    /// One line.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

/// Whose fault a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Blame {
    /// The experiment's or its data's.
    User,
    /// The machine's.
    Environment,
    /// Farcast's own.
    Bug,
}

/// How many actions of a run ended in which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All of them.
    pub total: usize,
    /// Those that ran.
    pub ran: usize,
    /// Those whose result was there.
    pub cached: usize,
    /// Those that failed, or did not run because another one did.
    pub failed: usize,
}

impl Counts {
    /// Counts the endings of a run.
    pub fn of(endings: &[Ending]) -> Self {
        let mut counts = Self {
            total: endings.len(),
            ..Self::default()
        };
        for ending in endings {
            match ending {
                Ending::Ran(_)
                | Ending::Diverged {
                    seconds: Some(_), ..
                } => counts.ran += 1,
                Ending::Cached | Ending::NotNeeded | Ending::Diverged { .. } => counts.cached += 1,
                Ending::Failed(_) | Ending::Skipped => counts.failed += 1,
            }
        }
        counts
    }
}
