//! Ctrl-C and other signals that ask a run to end.
//!
//! The first raises a flag, so that the run ends in order and answers. What cannot look at the
//! flag in time, and a second signal, end the process where it is, which loses nothing that was
//! recorded; the last words that were left here are spoken before.

use std::process::exit;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{park, sleep, spawn};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::exit::Exit;
use crate::terminal::Terminal;

/// How long a run has to end in order.
const GRACE: Duration = Duration::from_millis(800);

/// How often to look whether it has, or another signal has come.
const GLANCE: Duration = Duration::from_millis(20);

static SIGNAL: AtomicU8 = AtomicU8::new(0);
static END: Mutex<End> = Mutex::new(End::Silent);

/// What remains to be done when the process ends before its time.
enum End {
    Silent,
    Words(Box<dyn FnOnce() + Send>),
    /// The run has ended and answers itself.
    InOrder,
    /// The words are being spoken.
    Spoken,
}

/// The flag that the first signal raises.
pub fn stop_flag(terminal: Terminal) -> Arc<AtomicBool> {
    static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    let stop = STOP.get_or_init(|| {
        let stop = Arc::new(AtomicBool::new(false));
        // Without a handler a signal kills the process, which is safe too: hence no error.
        if let Ok(signals) = Signals::new([SIGINT, SIGTERM, SIGHUP]) {
            let flag = Arc::clone(&stop);
            spawn(move || listen(signals, &flag, terminal));
        }
        stop
    });
    Arc::clone(stop)
}

/// How a command ends that a signal has stopped.
pub fn interrupted() -> Exit {
    Exit::Signal(SIGNAL.load(Ordering::Relaxed))
}

/// Whether a signal has come.
pub fn is_asked_to_stop() -> bool {
    SIGNAL.load(Ordering::Relaxed) != 0
}

/// Leaves words for the end of a process whose run does not end in order.
pub fn leave_last_words(words: impl FnOnce() + Send + 'static) {
    set(End::Words(Box::new(words)));
}

/// The run has ended, and answers itself. Does not return when the process is ending.
pub fn ends_in_order() {
    if let End::Spoken = set(End::InOrder) {
        set(End::Spoken);
        loop {
            park();
        }
    }
}

fn set(end: End) -> End {
    std::mem::replace(&mut END.lock().unwrap_or_else(PoisonError::into_inner), end)
}

fn listen(mut signals: Signals, stop: &AtomicBool, terminal: Terminal) {
    let Some(signal) = signals.forever().next() else {
        return;
    };
    SIGNAL.store(u8::try_from(signal).unwrap_or_default(), Ordering::Relaxed);
    stop.store(true, Ordering::Relaxed);
    let first = Instant::now();
    terminal.say("stopping: running actions end, what is finished is kept");
    loop {
        sleep(GLANCE);
        let is_repeated = signals.pending().next().is_some();
        if is_repeated || first.elapsed() > GRACE {
            match set(End::Spoken) {
                End::Words(words) => words(),
                // It has come to its end; only somebody who insists need not wait for it.
                End::InOrder if !is_repeated => {
                    set(End::InOrder);
                    continue;
                }
                End::Silent | End::InOrder | End::Spoken => {}
            }
            engine::foreign::end_all();
            exit(128 + signal);
        }
    }
}
