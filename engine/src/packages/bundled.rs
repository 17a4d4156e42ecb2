//! The packages of an experiment as files to hand over: a `vendor`, a lock, and who names what.

use std::collections::BTreeMap;

use super::cache::{self, vendored};
use super::lock::{LOCK, Lock, Locked};
use super::manifest::MANIFEST;
use super::resolve::{PackageRecord, Packages};
use super::tree::Index;
use crate::error::Fault;
use crate::path_text::path_text;

impl Packages {
    /// What a folder needs so that these packages are found in it, by path; nothing without packages.
    ///
    /// # Errors
    /// When a package is not there or not what was fetched.
    pub fn bundled(
        &self,
        records: &BTreeMap<String, PackageRecord>,
    ) -> Result<BTreeMap<String, Vec<u8>>, Fault> {
        let mut files = BTreeMap::new();
        let mut lock = Lock::default();
        let mut named = String::new();
        for (prefix, record) in records {
            let opened = self.open(prefix).map_err(|missing| {
                let message = format!("package `{prefix}`: {}", missing.message);
                Fault::user(message).with_hint("run `farcast fetch`")
            })?;
            let is_own = !prefix.contains('/');
            let (index, source) = match (&opened.index, opened.record.tree) {
                // A folder in the tree of the package that names it.
                (Some(_), None) => continue,
                (Some(index), Some(_)) => (index.clone(), record.source.clone()),
                (None, _) if is_own => {
                    let index = Index::of_folder(&opened.folder);
                    let index =
                        index.map_err(|why| Fault::user(format!("package `{prefix}`: {why}")))?;
                    (index, record.source.clone())
                }
                (None, _) => {
                    let message =
                        format!("package `{prefix}` is a folder that another folder names");
                    return Err(
                        Fault::user(message).with_hint(format!("name it in `{MANIFEST}`, too"))
                    );
                }
            };
            let tree = index.digest();
            let folder = path_text(&vendored("".as_ref(), &record.name, &tree));
            for path in index.files.keys() {
                let bytes = cache::read(&opened.folder, &index, path).map_err(Fault::user)?;
                files.insert(format!("{folder}/{path}"), bytes);
            }
            files.insert(format!("{folder}.index"), index.text().into_bytes());
            let locked = Locked {
                name: record.name.clone(),
                commit: record.commit.clone(),
                tree,
            };
            lock.packages.insert(source, locked);
            if is_own {
                named += &format!("{} = {}\n", record.name, written(&record.source)?);
            }
        }
        if !records.is_empty() {
            let text =
                format!("# The packages of this bundle are in `vendor`.\n[dependencies]\n{named}");
            files.insert(MANIFEST.to_owned(), text.into_bytes());
            files.insert(LOCK.to_owned(), lock.text().into_bytes());
        }
        Ok(files)
    }
}

/// The text of a source as a `farcast.toml` has it.
fn written(source: &str) -> Result<String, Fault> {
    let known = super::manifest::Source::parse(source);
    let known = known.map(|source| source.written());
    known.ok_or_else(|| Fault::user(format!("unknown source `{source}`")))
}
