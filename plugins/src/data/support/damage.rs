//! Readers that panic on damaged bytes: their panics become errors, and no trace is printed.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How many readings are under way; polars shares its threads among all of them.
static READING: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static IS_READING: Cell<bool> = const { Cell::new(false) };
}

/// What `read` returns, or nothing when it panics here or on a thread of polars.
pub fn survive<T>(read: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = take_hook();
        set_hook(Box::new(move |panic: &PanicHookInfo| {
            if !is_reading() {
                others(panic);
            }
        }));
    });
    READING.fetch_add(1, Ordering::SeqCst);
    let before = IS_READING.replace(true);
    let result = catch_unwind(AssertUnwindSafe(read)).ok();
    IS_READING.set(before);
    READING.fetch_sub(1, Ordering::SeqCst);
    result
}

/// Whether this thread reads a file, for itself or for another one.
fn is_reading() -> bool {
    let of_polars = || {
        let thread = thread::current();
        thread
            .name()
            .is_some_and(|name| name.starts_with("polars-"))
    };
    IS_READING.get() || (READING.load(Ordering::SeqCst) > 0 && of_polars())
}
