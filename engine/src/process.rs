//! Processes, as others can recognise them.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::since_1970;

/// How long a process on another machine, which cannot be looked up, is believed to run.
const BELIEVED: Duration = Duration::from_secs(24 * 3600);

/// A process: no other has the same, not even after its machine has started again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    machine: String,
    number: u32,
    /// When the machine and the process started, as the system counts.
    started: String,
}

impl Process {
    /// This process.
    pub fn this() -> Self {
        let number = std::process::id();
        Self {
            machine: machine(),
            number,
            started: started(number).unwrap_or_default(),
        }
    }

    /// Whether a process that was there at `seen` (milliseconds since 1970) is no longer.
    pub fn is_gone(&self, seen: u64) -> bool {
        if self.machine != machine() || !Path::new("/proc/self").exists() {
            return since_1970() > Duration::from_millis(seen) + BELIEVED;
        }
        started(self.number).as_ref() != Some(&self.started)
    }
}

/// When a process of this machine started; none when there is none of this number.
fn started(number: u32) -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let stat = fs::read(format!("/proc/{number}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The name of the program, in brackets, may contain anything.
    let mut after_name = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let (state, ticks) = (after_name.next()?, after_name.nth(18)?);
    (!matches!(state, "Z" | "X")).then(|| format!("{} {ticks}", boot.trim()))
}

/// The name of this machine, in characters that suit a file name.
pub(crate) fn machine() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    name.trim().chars().take(64).map(plain).collect()
}
