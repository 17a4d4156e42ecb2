//! A run between its beginning and its end: what is left of it when a signal ends it in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use engine::estimate::Left;
use engine::graph::ActionId;
use engine::observer::{Counts, Ending, Observer};
use engine::output::run_answer;
use engine::plugin::Progress;
use engine::record::{BegunRun, RunRecord};
use engine::store::{Begun, DirStore};
use engine::study::Study;

use crate::host::hostname;
use crate::interrupt::leave_last_words;
use crate::terminal::Terminal;

/// A run that has begun and not ended.
pub struct Unfinished {
    record: RunRecord,
    /// Its file in the store; none when the store cannot be written, or has no runs.
    begun: Option<Begun>,
    started: Instant,
    planned: AtomicUsize,
    ran: AtomicUsize,
}

impl Unfinished {
    /// Notes the beginning of a run in the store, and what to say of it should a signal end it.
    pub fn begin(
        study: &Study,
        out: String,
        store: Option<&DirStore>,
        terminal: Terminal,
    ) -> Arc<Self> {
        let record = RunRecord::begun(
            &study.experiment,
            &study.registry,
            BegunRun {
                sources: &study.sources,
                packages: &study.packages,
                set: &study.set,
                host: hostname(),
                out,
            },
        );
        let begun = store.and_then(|store| {
            let bytes = serde_json::to_vec(&record).ok()?;
            // The end of the run says why the store takes no records.
            store.begin_run(&record.name(&bytes), &bytes).ok()
        });
        let unfinished = Arc::new(Self {
            record,
            begun,
            started: Instant::now(),
            planned: AtomicUsize::new(0),
            ran: AtomicUsize::new(0),
        });
        let last = Arc::clone(&unfinished);
        leave_last_words(move || last.interrupted(&terminal));
        unfinished
    }

    /// Its file in the store.
    pub fn begun(&self) -> Option<&Begun> {
        self.begun.as_ref()
    }

    /// The same observer, with the actions counted.
    pub fn counted(self: &Arc<Self>, observer: Box<dyn Observer>) -> Box<dyn Observer> {
        Box::new(Counted {
            run: Arc::clone(self),
            observer,
        })
    }

    fn interrupted(&self, terminal: &Terminal) {
        let (planned, ran) = (&self.planned, &self.ran);
        let (total, ran) = (planned.load(Ordering::Relaxed), ran.load(Ordering::Relaxed));
        let counts = Counts {
            total,
            ran,
            cached: 0,
            failed: total.saturating_sub(ran),
        };
        let seconds = self.started.elapsed().as_secs_f64();
        let record = self.record.clone().interrupted(counts, seconds);
        if let Some(begun) = &self.begun
            && let Ok(bytes) = serde_json::to_vec(&record)
        {
            // Without it the run counts as killed.
            let _ = begun.end(&record.name(&bytes), &bytes, None);
        }
        if terminal.json {
            let answer = run_answer(&record.experiment, false, seconds, counts, &[], &record.out);
            terminal.answer(&answer);
        }
        terminal.say("stopped: the next run goes on from here");
    }
}

/// Counts what another observer hears.
struct Counted {
    run: Arc<Unfinished>,
    observer: Box<dyn Observer>,
}

impl Observer for Counted {
    fn planned(&self, count: usize) {
        let ran = self.run.ran.load(Ordering::Relaxed);
        self.run.planned.store(ran + count, Ordering::Relaxed);
        self.observer.planned(count);
    }

    fn started(&self, action: ActionId, title: &str) {
        self.observer.started(action, title);
    }

    fn progress(&self, action: ActionId, progress: Progress) {
        self.observer.progress(action, progress);
    }

    fn ended(&self, action: ActionId, title: &str, ending: &Ending) {
        if matches!(ending, Ending::Ran(_) | Ending::Diverged { .. }) {
            self.run.ran.fetch_add(1, Ordering::Relaxed);
        }
        self.observer.ended(action, title, ending);
    }

    fn remaining(&self, left: Left) {
        self.observer.remaining(left);
    }

    fn remark(&self, text: &str) {
        self.observer.remark(text);
    }
}
