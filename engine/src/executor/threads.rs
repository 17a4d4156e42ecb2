//! Orders carried out by threads of this process; results stay in memory while something reads
//! them.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, Scope};
use std::time::Duration;

use super::carry::carry;
use super::results::Results;
use super::{Answer, Backend, Event, Executor, Place};
use crate::artifact::Stored;
use crate::digest::Digest;
use crate::graph::ActionId;
use crate::order::Order;
use crate::plugin::Progress;

/// When nothing has ended for as long, what ended before is stored.
const SETTLE_AFTER: Duration = Duration::from_millis(100);

/// Threads of this process.
#[derive(Clone, Copy, Debug)]
pub struct Threads {
    /// How many actions run at a time.
    pub jobs: usize,
}

impl Backend for Threads {
    fn open(&self, place: Place<'_>, body: &mut dyn FnMut(&mut dyn Executor)) {
        let jobs = self.jobs.max(1);
        let results = Results::on(jobs);
        thread::scope(|scope| {
            body(&mut Pool::new(scope, jobs, &place, &results));
        });
    }
}

/// Threads that are started as they are needed and end with the pool.
struct Pool<'scope, 'env> {
    scope: &'scope Scope<'scope, 'env>,
    place: &'env Place<'env>,
    results: &'env Results,
    jobs: usize,
    threads: usize,
    running: usize,
    orders: Sender<(ActionId, Order)>,
    queue: Arc<Mutex<Receiver<(ActionId, Order)>>>,
    answers: Receiver<(ActionId, Answer)>,
    answering: Sender<(ActionId, Answer)>,
}

impl<'scope, 'env> Pool<'scope, 'env> {
    fn new(
        scope: &'scope Scope<'scope, 'env>,
        jobs: usize,
        place: &'env Place<'env>,
        results: &'env Results,
    ) -> Self {
        let (orders, queue) = channel();
        let (answering, answers) = channel();
        Self {
            scope,
            place,
            results,
            jobs,
            threads: 0,
            running: 0,
            orders,
            queue: Arc::new(Mutex::new(queue)),
            answers,
            answering,
        }
    }

    fn spawn(&mut self) {
        let (place, results) = (self.place, self.results);
        let (queue, answering) = (Arc::clone(&self.queue), self.answering.clone());
        let next = move || {
            let queue = queue.lock().unwrap_or_else(PoisonError::into_inner);
            queue.recv()
        };
        self.scope.spawn(move || {
            while let Ok((id, order)) = next() {
                let progress = |progress: Progress| place.observer.progress(id, progress);
                let answer = carry(&order, place, results, &progress);
                if answering.send((id, answer)).is_err() {
                    return;
                }
            }
        });
        self.threads += 1;
    }
}

impl Executor for Pool<'_, '_> {
    fn has_room(&self) -> bool {
        self.running < self.jobs
    }

    fn start(&mut self, id: ActionId, order: Order) {
        self.running += 1;
        self.results.spare.action_starts();
        if self.threads < self.running {
            self.spawn();
        }
        // The pool itself holds the other end.
        let _ = self.orders.send((id, order));
    }

    fn wait(&mut self) -> Event {
        if self.running == 0 {
            return Event::Idle;
        }
        match self.answers.recv_timeout(SETTLE_AFTER) {
            Ok((id, answer)) => {
                self.running -= 1;
                self.results.spare.action_ends();
                Event::Ended(id, answer)
            }
            Err(RecvTimeoutError::Timeout) => {
                // What cannot be stored now goes on waiting: the run says so when it ends.
                let _ = self.place.store.settle();
                Event::StillRunning
            }
            Err(RecvTimeoutError::Disconnected) => Event::Idle,
        }
    }

    fn abort(&mut self) {
        self.place.stop.store(true, Ordering::Relaxed);
    }

    fn release(&mut self, key: &Digest) {
        self.results.release(key);
    }

    fn result(&self, key: &Digest) -> Option<Arc<dyn Stored>> {
        self.results.get(key)
    }
}
