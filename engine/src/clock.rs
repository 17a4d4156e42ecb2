//! The only place that reads the clock: names, ages and touched files need it, results never do.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The time on this machine.
#[expect(
    clippy::disallowed_methods,
    reason = "the age of files is measured against it; no result depends on it"
)]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// The time since 1970 on this machine.
pub(crate) fn since_1970() -> Duration {
    now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// Nanoseconds since 1970; they fit for some centuries.
pub(crate) fn unix_nanos() -> u64 {
    u64::try_from(since_1970().as_nanos()).unwrap_or(u64::MAX)
}

/// Milliseconds since 1970.
pub fn unix_millis() -> u64 {
    u64::try_from(since_1970().as_millis()).unwrap_or(u64::MAX)
}
