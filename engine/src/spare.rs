//! Cores of a run that no action uses, lent to actions whose work has independent parts.

use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, Ordering};

/// How many cores are idle: those of the run, less those of running actions and what is lent.
#[derive(Debug, Default)]
pub struct Spare {
    /// Those of the run.
    pub cores: usize,
    /// Below zero when actions start on cores that are lent: these are returned after the part at
    /// hand.
    idle: AtomicIsize,
}

impl Spare {
    /// All cores of a run, none of them in use.
    pub fn all(cores: usize) -> Self {
        Self {
            cores,
            idle: AtomicIsize::new(cores.try_into().unwrap_or(isize::MAX)),
        }
    }

    /// An action starts on one of them.
    pub fn action_starts(&self) {
        self.idle.fetch_sub(1, Ordering::Relaxed);
    }

    /// An action ends.
    pub fn action_ends(&self) {
        self.idle.fetch_add(1, Ordering::Relaxed);
    }

    /// Lends a core, when one is idle.
    pub fn lend(self: &Arc<Self>) -> Option<Loan> {
        let less = |idle| (idle > 0).then_some(idle - 1);
        let lent = (self.idle).fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        lent.ok().map(|_| Loan(Arc::clone(self)))
    }

    #[cfg(test)]
    pub fn idle(&self) -> isize {
        self.idle.load(Ordering::Relaxed)
    }
}

/// A core that is lent; returned when dropped, after a panic too.
pub struct Loan(Arc<Spare>);

impl Loan {
    /// Whether an action has started that should have it.
    pub fn is_wanted(&self) -> bool {
        self.0.idle.load(Ordering::Relaxed) < 0
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.0.idle.fetch_add(1, Ordering::Relaxed);
    }
}
