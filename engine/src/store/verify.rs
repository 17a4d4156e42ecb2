//! Reads the whole store and says what is not as it should be.

use std::collections::BTreeSet;

use super::dir::DirStore;
use super::journal::Problem;
use super::{Harm, Store};
use crate::digest::Digest;
use crate::error::Fault;

/// What is done about damage that is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnDamage {
    /// It is told; nothing changes.
    Report,
    /// Damaged objects are set aside and records that need them forgotten, so that the next
    /// run makes them again.
    SetAside,
}

/// How every object that a record refers to was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// How many are what was stored.
    pub intact: u64,
    /// Those that are not.
    pub damaged: Vec<Digest>,
    /// Those that are not there.
    pub missing: Vec<Digest>,
    /// Lines of the journal that cannot be read.
    pub problems: Vec<Problem>,
}

impl VerifyReport {
    /// Whether everything is as it should be.
    pub fn is_clean(&self) -> bool {
        self.damaged.is_empty() && self.missing.is_empty() && self.problems.is_empty()
    }
}

impl DirStore {
    /// Reads every object that a record refers to.
    ///
    /// # Errors
    /// [`Fault::Environment`] when the store cannot be read.
    pub fn verify(&self, on_damage: OnDamage) -> Result<VerifyReport, Fault> {
        self.refresh()?;
        let records = self.records();
        let objects: BTreeSet<(Digest, u64)> = records
            .iter()
            .flat_map(|record| record.objects().map(|(_, digest, size)| (digest, size)))
            .collect();
        let mut report = VerifyReport {
            problems: self.problems(),
            ..VerifyReport::default()
        };
        for (digest, size) in objects {
            let harm = self
                .objects()
                .check(&digest, size)
                .map_err(|error| self.files.unreadable(&error))?;
            match harm {
                None => report.intact += 1,
                Some(Harm::Missing) => report.missing.push(digest),
                Some(Harm::Damaged) => report.damaged.push(digest),
            }
        }
        if on_damage == OnDamage::SetAside {
            self.files.check_writable()?;
            for digest in &report.damaged {
                self.objects().set_aside(digest);
            }
            let harmed: BTreeSet<&Digest> = report.damaged.iter().chain(&report.missing).collect();
            records
                .iter()
                .filter(|record| {
                    record
                        .objects()
                        .any(|(_, digest, _)| harmed.contains(&digest))
                })
                .for_each(|record| self.forget_record(record));
        }
        Ok(report)
    }
}
