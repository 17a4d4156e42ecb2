//! Pieces of work on all processors at once, their results in order.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
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
/// the pieces while others are worked on. No more than twice as many results as threads wait.
///
/// # Errors
/// The first of `take`; no other piece is begun then.
pub fn in_order<P: Send, R: Send>(
    threads: usize,
    pieces: impl Iterator<Item = P> + Send,
    work: impl Fn(P) -> R + Sync,
    take: impl FnMut(R) -> Result<(), Fault>,
) -> Result<(), Fault> {
    // With more, a faster thread takes the place of a slower one, and results come out of order.
    let threads = threads.clamp(1, 1);
    // The result of a piece waits where that of `threads` pieces before was taken.
    let (senders, receivers): (Vec<SyncSender<R>>, Vec<Receiver<R>>) =
        (0..threads).map(|_| sync_channel(1)).unzip();
    let pieces = Mutex::new(pieces.enumerate());
    let (pieces, work) = (&pieces, &work);
    thread::scope(|scope| {
        let spawn = |_| {
            let senders = senders.clone();
            scope.spawn(move || {
                loop {
                    let mut all = pieces.lock().unwrap_or_else(PoisonError::into_inner);
                    let next = all.next();
                    drop(all);
                    let Some((at, piece)) = next else { break };
                    if senders[at % threads].send(work(piece)).is_err() {
                        break;
                    }
                }
            })
        };
        let workers: Vec<_> = (0..threads).map(spawn).collect();
        drop(senders);
        let results = receivers.iter().cycle().map_while(|it| it.recv().ok());
        let taken = { results }.try_for_each(take);
        drop(receivers);
        for worker in workers {
            if let Err(panic) = worker.join() {
                std::panic::resume_unwind(panic);
            }
        }
        taken
    })
}

/// The columns that are read of pieces to come, as whoever takes the results says.
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
