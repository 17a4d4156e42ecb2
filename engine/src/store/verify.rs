//! Reads the whole store and reports what is damaged.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::dir::DirStore;
use super::journal::Problem;
use super::{Defect, Objects, Record, Records};
use crate::digest::Digest;
use crate::error::Fault;

/// What to do about damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDamage {
    /// Report it; nothing changes.
    Report,
    /// Set it aside and forget the records that need it, so that the next run computes it again;
    /// remove unreadable lines from the journals.
    SetAside,
}

/// The state of everything in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// How many objects that a record refers to are intact.
    pub intact: u64,
    /// Those that are damaged.
    pub damaged: Vec<Digest>,
    /// Those that are files of somebody else, which have changed, and these.
    pub changed: Vec<(Digest, PathBuf)>,
    /// Those that are missing.
    pub missing: Vec<Digest>,
    /// How many runs are intact.
    pub intact_runs: u64,
    /// Those whose record or scores are damaged.
    pub runs: Vec<String>,
    /// The damaged holds.
    pub holds: Vec<PathBuf>,
    /// Lines of the journals that cannot be read.
    pub problems: Vec<Problem>,
}

impl VerifyReport {
    /// Whether nothing is damaged or missing.
    pub fn is_clean(&self) -> bool {
        self.damaged.is_empty()
            && self.changed.is_empty()
            && self.missing.is_empty()
            && self.runs.is_empty()
            && self.holds.is_empty()
            && self.problems.is_empty()
    }
}

impl DirStore {
    /// Reads every object that a record refers to, all runs, holds and journals.
    ///
    /// # Errors
    /// [`Fault::Environment`] when the store cannot be read, or written to with
    /// [`OnDamage::SetAside`].
    pub fn verify(&self, on_damage: OnDamage) -> Result<VerifyReport, Fault> {
        self.refresh()?;
        let records = self.records.all();
        let mut report = VerifyReport {
            holds: self.damaged_holds()?,
            problems: [self.problems(), self.file_digests.problems()].concat(),
            ..VerifyReport::default()
        };
        self.check_objects(&records, &mut report)?;
        for name in self.runs()? {
            match self.check_run(&name)? {
                None => report.intact_runs += 1,
                Some(_) => report.runs.push(name),
            }
        }
        if on_damage == OnDamage::SetAside {
            self.repair(&records, &report)?;
        }
        Ok(report)
    }

    fn check_objects(&self, records: &[Record], report: &mut VerifyReport) -> Result<(), Fault> {
        let objects: BTreeSet<(Digest, u64)> = records
            .iter()
            .flat_map(|record| record.objects().map(|(_, digest, size)| (digest, size)))
            .collect();
        for (digest, size) in objects {
            let defect = self.objects.check(&digest, size);
            match defect.map_err(|error| self.folder.unreadable(&error))? {
                None => report.intact += 1,
                Some(Defect::Missing) => report.missing.push(digest),
                Some(Defect::Damaged) => match self.objects.lent(&digest) {
                    Some(file) => report.changed.push((digest, file)),
                    None => report.damaged.push(digest),
                },
            }
        }
        Ok(())
    }

    fn repair(&self, records: &[Record], report: &VerifyReport) -> Result<(), Fault> {
        self.folder.check_writable()?;
        let changed = report.changed.iter().map(|(digest, _)| digest);
        let damaged: Vec<&Digest> = report.damaged.iter().chain(changed).collect();
        let defective: BTreeSet<&Digest> = damaged.iter().copied().chain(&report.missing).collect();
        for record in records {
            if record
                .objects()
                .any(|(_, digest, _)| defective.contains(&digest))
            {
                self.records.forget(record);
            }
        }
        // Last, so that a process killed here leaves no record without its objects.
        for digest in damaged {
            self.objects.discard(digest, Defect::Damaged);
        }
        for name in &report.runs {
            self.set_run_aside(name);
        }
        for hold in &report.holds {
            self.folder.set_aside(hold);
        }
        self.records.leave_out_problems()?;
        self.file_digests.repair(&self.folder)
    }
}
