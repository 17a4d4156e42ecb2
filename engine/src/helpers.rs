//! Helpers on idle cores, for work in parts and for many short pieces of such work one after the
//! other.
//!
//! Which core does a part changes no byte: results are in the order of the parts.
//!
//! To wake a thread takes as long as a step of a small network. So helpers that have joined look
//! for the next piece of work for a while before they return their core.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::spare::{Loan, Spare};

/// The cores of a run, of which idle ones help others; without a run there are none.
#[derive(Clone, Debug, Default)]
pub struct Cores(Option<Arc<Spare>>);

impl Cores {
    /// Idle cores without a run.
    pub fn idle(cores: usize) -> Self {
        Self::of(&Arc::new(Spare::all(cores)))
    }

    /// Those of a run.
    pub(crate) fn of(spare: &Arc<Spare>) -> Self {
        Self(Some(Arc::clone(spare)))
    }

    /// How many there are, and at least the caller's.
    pub fn count(&self) -> usize {
        self.0.as_ref().map_or(1, |spare| spare.cores.max(1))
    }

    /// What `work` returns for every part, in their order; idle cores help.
    ///
    /// No result may depend on another part, so that no byte depends on who helps.
    pub fn share<T: Sync, R: Send>(&self, parts: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
        Helpers::of(self).share(parts, work)
    }
}

/// Those that help one thread with work in parts, as long as there are idle cores.
#[derive(Default)]
pub struct Helpers {
    cores: Cores,
    board: Arc<Board>,
}

/// How long a helper looks for more work.
const PATIENCE: Duration = Duration::from_micros(500);

impl Helpers {
    /// Of these cores.
    pub fn of(cores: &Cores) -> Self {
        Self {
            cores: cores.clone(),
            board: Arc::default(),
        }
    }

    /// How many may work at the same time, the caller among them.
    pub fn count(&self) -> usize {
        self.cores.count()
    }

    /// What `work` returns for every part, in their order. The caller works too; idle cores help
    /// as soon as there are any, and as long as no action wants them.
    ///
    /// No result may depend on another part, so that no byte depends on who helps.
    pub fn share<T: Sync, R: Send>(&self, parts: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
        if parts.len() < 2 || self.count() < 2 {
            return parts.iter().map(work).collect();
        }
        let results = Mutex::new(Vec::with_capacity(parts.len()));
        self.each(parts.len(), &|at| {
            let result = work(&parts[at]);
            let mut results = results.lock().unwrap_or_else(PoisonError::into_inner);
            results.push((at, result));
        });
        let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
        results.sort_unstable_by_key(|(at, _)| *at);
        results.into_iter().map(|(_, result)| result).collect()
    }

    /// Does every part once.
    fn each(&self, parts: usize, work: &(dyn Fn(usize) + Sync)) {
        let shared = SharedWork {
            work,
            parts,
            next: AtomicUsize::new(0),
            panic: Mutex::default(),
        };
        let posted = Posted::on(&self.board, &shared);
        loop {
            self.recruit(shared.left());
            if !shared.do_one() {
                break;
            }
        }
        drop(posted);
        let panic = shared.panic.into_inner();
        if let Some(panic) = panic.unwrap_or_else(PoisonError::into_inner) {
            resume_unwind(panic);
        }
    }

    /// Lets idle cores join, one for each part that the caller cannot begin now.
    fn recruit(&self, left: usize) {
        while self.board.helpers.load(Ordering::Relaxed) + 1 < left
            && let Some(loan) = self.cores.0.as_ref().and_then(Spare::lend)
        {
            self.board.helpers.fetch_add(1, Ordering::SeqCst);
            let board = Arc::clone(&self.board);
            let started = thread::Builder::new().spawn(move || board.help(loan));
            if started.is_err() {
                // The loan is returned; the caller works on alone.
                self.board.helpers.fetch_sub(1, Ordering::SeqCst);
                break;
            }
        }
    }
}

impl Drop for Helpers {
    fn drop(&mut self) {
        self.board.is_over.store(true, Ordering::SeqCst);
        wait_for_none(&self.board.helpers);
    }
}

/// Where helpers look for work.
#[derive(Default)]
struct Board {
    /// What there is to do; null between two pieces of work.
    work: AtomicPtr<SharedWork<'static>>,
    /// How many helpers look at it.
    looking: AtomicUsize,
    helpers: AtomicUsize,
    is_over: AtomicBool,
}

impl Board {
    fn help(&self, loan: Loan) {
        let mut idle_since = Instant::now();
        while !loan.is_wanted() && !self.is_over.load(Ordering::SeqCst) {
            if self.do_some(&loan) {
                idle_since = Instant::now();
            } else if idle_since.elapsed() > PATIENCE {
                break;
            }
            std::hint::spin_loop();
        }
        drop(loan);
        self.helpers.fetch_sub(1, Ordering::SeqCst);
    }

    /// Does what parts are left; returns whether there were any.
    fn do_some(&self, loan: &Loan) -> bool {
        if self.work.load(Ordering::Relaxed).is_null() {
            return false;
        }
        self.looking.fetch_add(1, Ordering::SeqCst);
        let work = self.work.load(Ordering::SeqCst);
        // SAFETY: work is taken off the board before it ends, and its end waits for those who may
        // have seen it there: they have counted themselves before.
        let helped = unsafe { work.as_ref() }.is_some_and(|shared| shared.help(loan));
        self.looking.fetch_sub(1, Ordering::SeqCst);
        helped
    }
}

/// Work on a board; when dropped, after a panic too, nobody looks at it any more.
struct Posted<'a>(&'a Board);

impl<'a> Posted<'a> {
    fn on(board: &'a Board, work: &'a SharedWork<'_>) -> Self {
        let work = ptr::from_ref(work).cast::<SharedWork<'static>>().cast_mut();
        board.work.store(work, Ordering::SeqCst);
        Self(board)
    }
}

impl Drop for Posted<'_> {
    fn drop(&mut self) {
        self.0.work.store(ptr::null_mut(), Ordering::SeqCst);
        wait_for_none(&self.0.looking);
    }
}

/// Waits until a count is zero: at first without a pause, as steps are short.
fn wait_for_none(count: &AtomicUsize) {
    let start = Instant::now();
    while count.load(Ordering::SeqCst) > 0 {
        match start.elapsed() < PATIENCE {
            true => std::hint::spin_loop(),
            false => thread::sleep(PATIENCE / 5),
        }
    }
}

/// Work in parts.
struct SharedWork<'a> {
    work: &'a (dyn Fn(usize) + Sync),
    parts: usize,
    /// The first part that nobody has begun.
    next: AtomicUsize,
    /// Of a helper.
    panic: Mutex<Option<Box<dyn Any + Send>>>,
}

impl SharedWork<'_> {
    fn left(&self) -> usize {
        (self.parts).saturating_sub(self.next.load(Ordering::Relaxed))
    }

    /// Does the next part; returns whether there was one.
    fn do_one(&self) -> bool {
        let at = self.next.fetch_add(1, Ordering::Relaxed);
        if at < self.parts {
            (self.work)(at);
        }
        at < self.parts
    }

    /// Does parts until none is left or the core is wanted; returns whether there were any.
    fn help(&self, loan: &Loan) -> bool {
        let mut helped = false;
        while self.left() > 0 && !loan.is_wanted() {
            match catch_unwind(AssertUnwindSafe(|| self.do_one())) {
                Ok(was_one) => helped |= was_one,
                Err(panic) => {
                    self.next.store(self.parts, Ordering::Relaxed);
                    *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(panic);
                }
            }
        }
        helped
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Barrier;

    use super::*;

    /// Cores of which an action uses one.
    fn beside_an_action(cores: usize) -> (Arc<Spare>, Cores) {
        let spare = Arc::new(Spare::all(cores));
        spare.action_starts();
        let cores = Cores::of(&spare);
        (spare, cores)
    }

    #[test]
    fn results_are_in_the_order_of_the_parts() {
        let parts: Vec<u64> = (0..1000).collect();
        for cores in [0, 1, 7] {
            let squares = Cores::idle(cores).share(&parts, |part| part * part);
            assert!((squares.iter().zip(&parts)).all(|(square, part)| *square == part * part));
            assert_eq!(squares.len(), parts.len());
        }
    }

    #[test]
    fn idle_cores_help_and_are_returned() {
        let (spare, cores) = beside_an_action(3);
        // None of the three parts ends before all have begun, each on a thread of its own.
        let (all, threads) = (Barrier::new(3), Mutex::new(BTreeSet::new()));
        cores.share(&[(); 3], |()| {
            all.wait();
            let name = format!("{:?}", thread::current().id());
            threads.lock().unwrap().insert(name);
        });
        assert_eq!(threads.into_inner().unwrap().len(), 3);
        spare.action_ends();
        assert_eq!(spare.idle(), 3);
    }

    #[test]
    fn many_short_pieces_of_work_borrow_what_each_needs() {
        let (spare, cores) = beside_an_action(4);
        let helpers = Helpers::of(&cores);
        for round in 0..20_000_u64 {
            let parts = [round, round + 1, round + 2];
            assert_eq!(
                helpers.share(&parts, |part| part * 2),
                parts.map(|it| it * 2)
            );
        }
        drop(helpers);
        assert_eq!(spare.idle(), 3);
    }

    #[test]
    fn an_action_that_starts_has_its_core() {
        let (spare, cores) = beside_an_action(2);
        let helpers = Helpers::of(&cores);
        let both = Barrier::new(2);
        helpers.share(&[(); 2], |()| both.wait());
        spare.action_starts();
        while spare.idle() < 0 {
            thread::yield_now();
        }
        let caller = thread::current().id();
        let alone = helpers.share(&[(); 50], |()| thread::current().id() == caller);
        assert!(alone.into_iter().all(|alone| alone));
    }

    #[test]
    fn without_idle_cores_the_caller_works_alone() {
        let (_spare, cores) = beside_an_action(1);
        let caller = thread::current().id();
        let alone = cores.share(&[(); 50], |()| thread::current().id() == caller);
        assert!(alone.into_iter().all(|alone| alone));
    }

    #[test]
    fn a_panic_reaches_the_caller_and_returns_the_core() {
        for wrong in [0, 1, 2] {
            let spare = Arc::new(Spare::all(2));
            let cores = Cores::of(&spare);
            let work = || cores.share(&[0, 1, 2], |part| assert_ne!(*part, wrong, "no two"));
            let panic = catch_unwind(AssertUnwindSafe(work)).unwrap_err();
            assert!(panic.downcast_ref::<String>().unwrap().contains("no two"));
            assert_eq!(spare.idle(), 2);
        }
    }
}
