//! Pieces of work on all processors at once, their results in order.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;

use engine::error::Fault;
use engine::plugin::ReadColumns;

/// More threads wait for memory.
const MOST_THREADS: usize = 8;

/// As many threads as are worth it.
pub fn processors() -> usize {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    threads.min(MOST_THREADS)
}

/// Does `work` with each piece on `threads` threads, and passes the results to `take` in the order of
/// the pieces while others are worked on. No more than twice as many pieces as threads are begun and
/// not taken.
///
/// # Errors
/// The first of `take`; no other piece is begun then.
pub fn in_order<P: Send, R: Send>(
    threads: usize,
    pieces: impl Iterator<Item = P> + Send,
    work: impl Fn(P) -> R + Sync,
    mut take: impl FnMut(R) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let threads = threads.max(1);
    let queue = Mutex::new(PieceQueue {
        pieces: Some(pieces),
        begun: 0,
        taken: 0,
    });
    let room = Condvar::new();
    let (queue, room, work) = (&queue, &room, &work);
    let lock = || queue.lock().unwrap_or_else(PoisonError::into_inner);
    let (sender, results) = channel();
    let worker = |sender: Sender<(usize, thread::Result<R>)>| loop {
        let mut all = lock();
        while all.begun >= all.taken + 2 * threads {
            all = room.wait(all).unwrap_or_else(PoisonError::into_inner);
        }
        let next = catch_unwind(AssertUnwindSafe(|| all.pieces.as_mut()?.next()));
        let at = all.begun;
        all.begun += 1;
        drop(all);
        // The thread that takes the result passes a panic on.
        let result = match next.transpose() {
            Some(next) => next.and_then(|it| catch_unwind(AssertUnwindSafe(|| work(it)))),
            None => break,
        };
        if sender.send((at, result)).is_err() {
            break;
        }
    };
    thread::scope(|scope| {
        for _ in 0..threads {
            let (sender, worker) = (sender.clone(), &worker);
            scope.spawn(move || worker(sender));
        }
        drop(sender);
        let (mut waiting, mut next) = (BTreeMap::new(), 0);
        let taken = catch_unwind(AssertUnwindSafe(|| {
            for (at, result) in results {
                waiting.insert(at, result);
                while let Some(result) = waiting.remove(&next) {
                    next += 1;
                    lock().taken = next;
                    room.notify_all();
                    take(result.unwrap_or_else(|panic| resume_unwind(panic)))?;
                }
            }
            Ok(())
        }));
        // Nobody takes what is left.
        let mut all = lock();
        all.pieces = None;
        all.taken = usize::MAX / 2;
        drop(all);
        room.notify_all();
        taken.unwrap_or_else(|panic| resume_unwind(panic))
    })
}

/// Pieces to be worked on.
struct PieceQueue<I> {
    /// None where no other is to be begun.
    pieces: Option<I>,
    begun: usize,
    taken: usize,
}

/// The columns that are read of pieces to come, as the taker of the results says.
pub struct SharedReads(Mutex<Arc<ReadColumns>>);

impl Default for SharedReads {
    fn default() -> Self {
        Self(Mutex::new(Arc::new(ReadColumns::All)))
    }
}

impl SharedReads {
    /// Those of now.
    pub fn now(&self) -> Arc<ReadColumns> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on these.
    pub fn set(&self, reads: ReadColumns) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(reads);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_pieces() {
        for threads in [1, 2, 5] {
            let mut taken = Vec::new();
            let slow = |at: u64| {
                thread::sleep(std::time::Duration::from_micros(at * 7 % 11 * 100));
                at
            };
            let all = in_order(threads, 0..40, slow, |at| {
                taken.push(at);
                Ok(())
            });
            assert!(all.is_ok() && taken.into_iter().eq(0..40));
        }
    }

    #[test]
    fn a_fault_ends_the_work() {
        let all = in_order(
            3,
            0..,
            |at: u64| at,
            |at| match at {
                7 => Err(Fault::user("seven")),
                _ => Ok(()),
            },
        );
        assert!(all.is_err());
    }

    #[test]
    #[should_panic(expected = "a piece")]
    fn a_panic_is_passed_on() {
        let _ = in_order(2, 0..9, |at| assert!(at != 5, "a piece"), |()| Ok(()));
    }
}
