//! Cores of a run that no action uses, lent to actions whose work has independent parts.
//!
//! Which core does a part changes no byte: results are in the order of the parts.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};
use std::thread;

/// How many cores are idle: those of the run, less those of running actions and what is lent.
///
/// Below zero when actions start on cores that are lent: these are returned after the part at
/// hand.
#[derive(Debug, Default)]
pub struct Spare(AtomicIsize);

impl Spare {
    /// All cores of a run, none of them in use.
    pub fn all(cores: usize) -> Self {
        Self(AtomicIsize::new(cores.try_into().unwrap_or(isize::MAX)))
    }

    /// An action starts on one of them.
    pub fn action_starts(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// An action ends.
    pub fn action_ends(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// What `work` returns for every part, in their order. The caller works too; idle cores help
    /// as soon as there are any, and as long as no action wants them.
    pub fn share<T: Sync, R: Send>(&self, parts: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
        let next = AtomicUsize::new(0);
        let do_one = || {
            let at = next.fetch_add(1, Ordering::Relaxed);
            parts.get(at).map(|part| (at, work(part)))
        };
        let help = |loan: Loan| {
            let mut results = Vec::new();
            while !loan.is_wanted()
                && let Some(result) = do_one()
            {
                results.push(result);
            }
            results
        };
        let mut results = thread::scope(|scope| {
            let mut results = Vec::new();
            let mut helpers = Vec::new();
            loop {
                let left = parts.len().saturating_sub(next.load(Ordering::Relaxed));
                for loan in (1..left).map_while(|_| self.lend()) {
                    helpers.push(scope.spawn(move || help(loan)));
                }
                match do_one() {
                    Some(result) => results.push(result),
                    None => break,
                }
            }
            for helper in helpers {
                results.extend(helper.join().unwrap_or_else(|panic| resume_unwind(panic)));
            }
            results
        });
        results.sort_by_key(|(at, _)| *at);
        results.into_iter().map(|(_, result)| result).collect()
    }

    fn lend(&self) -> Option<Loan<'_>> {
        let less = |idle| (idle > 0).then_some(idle - 1);
        let lent = (self.0).fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        lent.ok().map(|_| Loan(self))
    }
}

/// A core that is lent; returned when dropped, after a panic too.
struct Loan<'a>(&'a Spare);

impl Loan<'_> {
    /// Whether an action has started that should have it.
    fn is_wanted(&self) -> bool {
        self.0.0.load(Ordering::Relaxed) < 0
    }
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::{Barrier, Mutex};

    use super::*;

    #[test]
    fn results_are_in_the_order_of_the_parts() {
        let parts: Vec<u64> = (0..1000).collect();
        for cores in [0, 1, 7] {
            let squares = Spare::all(cores).share(&parts, |part| part * part);
            assert!(
                squares
                    .iter()
                    .zip(&parts)
                    .all(|(square, part)| *square == part * part)
            );
            assert_eq!(squares.len(), parts.len());
        }
    }

    #[test]
    fn idle_cores_help_and_are_returned() {
        let spare = Spare::all(3);
        spare.action_starts();
        // None of the three parts ends before all have begun, each on a thread of its own.
        let (all, threads) = (Barrier::new(3), Mutex::new(BTreeSet::new()));
        spare.share(&[(); 3], |()| {
            all.wait();
            let name = format!("{:?}", thread::current().id());
            threads.lock().unwrap().insert(name);
        });
        assert_eq!(threads.into_inner().unwrap().len(), 3);
        spare.action_ends();
        assert_eq!(spare.0.into_inner(), 3);
    }

    #[test]
    fn without_idle_cores_the_caller_works_alone() {
        let spare = Spare::all(1);
        spare.action_starts();
        let caller = thread::current().id();
        let alone = spare.share(&[(); 50], |()| thread::current().id() == caller);
        assert!(alone.into_iter().all(|alone| alone));
    }

    #[test]
    fn a_panic_reaches_the_caller_and_returns_the_core() {
        let spare = Spare::all(2);
        let work = || spare.share(&[1, 2, 3], |part| assert_ne!(*part, 2, "no two"));
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_err();
        assert!(panic.downcast_ref::<String>().unwrap().contains("no two"));
        assert_eq!(spare.0.into_inner(), 2);
    }
}
