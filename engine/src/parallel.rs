//! A few requests at a time, for places that answer slowly.

use crate::helpers::Cores;

/// How many requests are under way.
const AT_A_TIME: usize = 8;

/// What `ask` returns for every item, in their order.
pub(crate) fn in_parallel<T: Sync, R: Send>(items: &[T], ask: impl Fn(&T) -> R + Sync) -> Vec<R> {
    // The caller asks, too.
    Cores::idle(AT_A_TIME - 1).share(items, ask)
}
