//! A worker process: reads orders, carries them out one at a time, reports.

use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::carry::{carry, failure};
use super::results::Results;
use super::wire::{Report, Request, line};
use super::{Answer, Conclusion, Place};
use crate::error::Fault;
use crate::observer::Silent;
use crate::order::Order;
use crate::plugin::{Progress, Registry};
use crate::store::Store;

/// The least time between two reports of progress.
const PROGRESS_EVERY: Duration = Duration::from_millis(50);

/// What a worker process works with.
pub struct Worker<'a> {
    /// The plugins.
    pub registry: &'a Registry,
    /// Where results are.
    pub store: &'a dyn Store,
    /// The machine's name, for the records.
    pub host: &'a str,
}

/// An order, or why the line that should hold one does not.
type OrderLine = Result<Box<Order>, String>;

impl Worker<'_> {
    /// Serves the run at the other end of `input` and `output`. When `input` closes, the run is
    /// over or gone: `on_close` is called at once, also while an order is carried out.
    pub fn serve(
        &self,
        input: impl BufRead + Send + 'static,
        output: impl Write + Send,
        on_close: impl FnOnce() + Send + 'static,
    ) {
        let results = Arc::new(Results::default());
        let stop = Arc::new(AtomicBool::new(false));
        let (orders, queue) = channel();
        let listener = Listener {
            results: Arc::clone(&results),
            stop: Arc::clone(&stop),
            orders,
        };
        thread::spawn(move || {
            listener.listen(input);
            on_close();
        });
        let output = Mutex::new(output);
        self.carry_all(&queue, &results, &stop, &|report| say(&output, report));
    }

    fn carry_all(
        &self,
        queue: &Receiver<OrderLine>,
        results: &Results,
        stop: &Arc<AtomicBool>,
        say: &(dyn Fn(&Report) + Sync),
    ) {
        let place = Place {
            registry: self.registry,
            store: self.store,
            observer: &Silent,
            stop,
            host: self.host,
        };
        while let Ok(read) = queue.recv() {
            let answer = match self.refreshed(read) {
                Ok(order) => {
                    let last = Mutex::new(None);
                    let progress = |progress: Progress| {
                        if is_due(&last) {
                            say(&Report::Progress(progress));
                        }
                    };
                    let answer = carry(&order, &place, results, &progress);
                    // Others read the result as soon as they hear the answer.
                    match self.store.settle() {
                        Ok(()) => answer,
                        Err(unsettled) => failed(unsettled.fault),
                    }
                }
                Err(fault) => failed(fault),
            };
            say(&Report::Ended(answer));
        }
    }

    /// The order, once the store knows what other processes have recorded.
    fn refreshed(&self, read: OrderLine) -> Result<Box<Order>, Fault> {
        self.store.refresh()?;
        read.map_err(|error| Fault::Bug(format!("an order does not read: {error}")))
    }
}

fn failed(fault: Fault) -> Answer {
    Answer::without_result(Conclusion::Failed(failure(fault)))
}

fn is_due(last: &Mutex<Option<Instant>>) -> bool {
    let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
    let is_due = last.is_none_or(|last| last.elapsed() >= PROGRESS_EVERY);
    if is_due {
        *last = Some(Instant::now());
    }
    is_due
}

/// Writes one line. When nobody reads it, standard input closes as well, which ends the worker.
fn say(output: &Mutex<impl Write>, report: &Report) {
    let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
    if let Ok(line) = line(report) {
        let _ = output.write_all(&line).and_then(|()| output.flush());
    }
}

/// Reads requests while an order is carried out.
struct Listener {
    results: Arc<Results>,
    stop: Arc<AtomicBool>,
    orders: Sender<OrderLine>,
}

impl Listener {
    fn listen(self, input: impl BufRead) {
        for line in input.lines() {
            let Ok(line) = line else { return };
            match serde_json::from_str(&line) {
                Ok(Request::Release(key)) => self.results.release(&key),
                Ok(Request::Stop) => self.stop.store(true, Ordering::Relaxed),
                Ok(Request::Carry(order)) => {
                    let _ = self.orders.send(Ok(order));
                }
                Err(error) => {
                    let _ = self.orders.send(Err(error.to_string()));
                }
            }
        }
    }
}
