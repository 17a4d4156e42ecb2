//! Removes the folders of runs that have ended: orders, reports and logs. Results are elsewhere.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::campaign::Campaign;
use crate::error::Fault;
use crate::store::Effect;

/// How long a folder is kept after the end of its run, so that logs can be read.
pub const KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// What was, or would be, removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Runs.
    pub runs: u64,
    /// The size of their files.
    pub bytes: u64,
}

/// Removes the folders of runs of a store that have ended, or were cancelled, longer ago than
/// this. Others can go on, and stay.
///
/// # Errors
/// When a folder cannot be removed.
pub fn forget_ended(store: &Path, older: Duration, effect: Effect) -> Result<Forgotten, Fault> {
    let mut forgotten = Forgotten::default();
    for campaign in Campaign::all(store) {
        let is_older = |when: SystemTime| when.elapsed().is_ok_and(|age| age > older);
        if !campaign.ended_at().is_some_and(is_older) {
            continue;
        }
        forgotten.runs += 1;
        forgotten.bytes += size(&campaign.folder);
        if effect == Effect::Apply {
            let shown = campaign.folder.display();
            fs::remove_dir_all(&campaign.folder)
                .map_err(|error| Fault::Environment(format!("cannot remove `{shown}`: {error}")))?;
        }
    }
    Ok(forgotten)
}

fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    sizes.sum()
}
