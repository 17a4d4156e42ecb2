//! Small objects that were stored together: `packs/<time>-<process>-<random>.pack`.
//!
//! A pack is one line, in the format of the journals, that lists digests and sizes; then the
//! bytes of these objects, one after another. It is written once and never changed, so that a
//! thousand small results cost one file and one sync. Of an object that is in several packs the
//! youngest counts: an older one may be damaged.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use super::folder::{Folder, PACKS, unique};
use super::lines::{decode, encode};
use super::listing::{StoredFile, list_files};
use crate::clock::unix_nanos;
use crate::digest::{Digest, DigestMap};
use crate::error::Fault;

/// The longest list of objects at the start of a pack, in bytes.
const LONGEST: u64 = 16 << 20;

/// Where an object is.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) pack: Arc<Path>,
    pub(super) start: u64,
    pub(super) size: u64,
}

/// The objects of one pack.
pub(super) struct Pack {
    pub(super) file: StoredFile,
    pub(super) objects: Vec<(Digest, u64)>,
}

/// All packs of a store; each list is read once, when an object is first looked for here.
pub(super) struct Packs {
    folder: Folder,
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    /// Whether the packs that were there at first are known.
    is_listed: bool,
    packs: BTreeSet<PathBuf>,
    places: DigestMap<Place>,
}

impl Pack {
    /// Its objects, each as if it were a file as old as the pack.
    pub(super) fn files(&self) -> impl Iterator<Item = (Digest, StoredFile)> {
        self.objects.iter().map(|&(digest, bytes)| {
            let file = self.file.clone();
            (digest, StoredFile { bytes, ..file })
        })
    }

    /// Whether less than half of what is in it is needed.
    pub(super) fn is_sparse(&self, needed: &BTreeSet<Digest>) -> bool {
        let size = |is_counted: &dyn Fn(&Digest) -> bool| -> u64 {
            let objects = self.objects.iter().filter(|(digest, _)| is_counted(digest));
            objects.map(|(_, size)| size).sum()
        };
        self.objects.is_empty() || size(&|digest| needed.contains(digest)) < size(&|_| true) / 2
    }
}

impl Packs {
    /// The packs in this folder, nothing of them read yet.
    pub(super) fn new(folder: Folder) -> Self {
        Self {
            folder,
            known: RwLock::default(),
        }
    }

    /// Reads the lists of the packs that are there at first.
    pub(super) fn read_at_first(&self) {
        if !self.read().is_listed {
            self.refresh();
        }
    }

    /// Whether an object of this size is in the packs that are known.
    pub(super) fn has(&self, digest: &Digest, size: u64) -> bool {
        self.read_at_first();
        let known = self.read();
        known.places.get(digest).is_some_and(|it| it.size == size)
    }

    /// Where an object is, in the packs that were there at first or that this process wrote.
    pub(super) fn known(&self, digest: &Digest) -> Option<Place> {
        self.read_at_first();
        self.read().places.get(digest).cloned()
    }

    /// Where an object is, also in packs that other processes have written meanwhile.
    pub(super) fn find(&self, digest: &Digest) -> Option<Place> {
        self.known(digest).or_else(|| {
            self.refresh();
            self.known(digest)
        })
    }

    /// Stores objects as one pack, which is on disk when this returns.
    pub(super) fn write(&self, objects: &[(Digest, Arc<[u8]>)]) -> Result<(), Fault> {
        self.folder.raise_format()?;
        let list: Vec<(Digest, u64)> = { objects.iter() }
            .map(|(digest, bytes)| (*digest, bytes.len() as u64))
            .collect();
        let json = serde_json::to_vec(&list).map_err(|error| Fault::Bug(error.to_string()))?;
        let mut text = encode(&json)?;
        let start = text.len() as u64;
        objects.iter().for_each(|(_, bytes)| text.extend(&**bytes));
        let name = format!("{:020}-{}.pack", unix_nanos(), unique());
        let path = self.folder.path(PACKS).join(name);
        self.folder.write(&path, "small results", &text)?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.add(path, start, &list);
        Ok(())
    }

    /// Forgets a pack that is gone.
    pub(super) fn forget(&self, pack: &Path) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.places.retain(|_, place| *place.pack != *pack);
    }

    /// Every pack with its objects, the oldest first. One whose list cannot be read has none.
    pub(super) fn list(&self) -> io::Result<Vec<Pack>> {
        let files = list_files(&self.folder.path(PACKS))?.into_iter();
        let files = files.filter(|file| is_pack(&file.path));
        Ok(files
            .map(|file| Pack {
                objects: read_list(&file.path).map_or_else(|_| Vec::new(), |(_, list)| list),
                file,
            })
            .collect())
    }

    /// Reads the lists of packs that are new.
    fn refresh(&self) {
        let entries = fs::read_dir(self.folder.path(PACKS)).into_iter().flatten();
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let new: BTreeSet<PathBuf> = {
            let known = self.read();
            let is_new = |path: &PathBuf| is_pack(path) && !known.packs.contains(path);
            paths.filter(is_new).collect()
        };
        let new = new.into_iter().map(|path| (read_list(&path), path));
        let lists: Vec<_> = new.collect();
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.is_listed = true;
        let count = |(list, _): &(io::Result<(u64, Vec<_>)>, _)| {
            list.as_ref().map_or(0, |(_, list)| list.len())
        };
        let objects = lists.iter().map(count).sum();
        known.places.reserve(objects);
        for (list, path) in lists {
            match list {
                Ok((start, list)) => known.add(path, start, &list),
                // What is in it counts as missing, and is computed again.
                Err(_) => {
                    known.packs.insert(path);
                }
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn add(&mut self, path: PathBuf, mut start: u64, list: &[(Digest, u64)]) {
        if !self.packs.insert(path.clone()) {
            return;
        }
        let pack: Arc<Path> = path.into();
        for &(digest, size) in list {
            let place = Place {
                pack: Arc::clone(&pack),
                start,
                size,
            };
            start += size;
            let older = |found: &Place| found.pack <= pack;
            if self.places.get(&digest).is_none_or(older) {
                self.places.insert(digest, place);
            }
        }
    }
}

/// The objects of a pack, and where the bytes of the first begin.
fn read_list(path: &Path) -> io::Result<(u64, Vec<(Digest, u64)>)> {
    let mut line = Vec::new();
    let reader = BufReader::with_capacity(1 << 16, File::open(path)?);
    let read = reader.take(LONGEST).read_until(b'\n', &mut line)?;
    let text = line.strip_suffix(b"\n").unwrap_or(&line);
    let list = decode(text, |json| serde_json::from_slice(json).ok());
    let list = list.map_err(|wrong| io::Error::new(io::ErrorKind::InvalidData, wrong))?;
    Ok((read as u64, list))
}

/// Whether a path is that of a pack.
pub(super) fn is_pack(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "pack")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs::OpenOptions;
    use std::time::Duration;

    use tempfile::TempDir;

    use super::*;
    use crate::artifact::Parts;
    use crate::clock;
    use crate::store::{Access, DirStore, GcPolicy, OnDamage, Record, RecordedOutcome, Store};

    const MANY: usize = 100;

    fn open(folder: &TempDir) -> DirStore {
        DirStore::open(&folder.path().join("store"), Access::Write).unwrap()
    }

    fn files(store: &DirStore, inside: &str) -> Vec<PathBuf> {
        let files = list_files(&store.path().join(inside)).unwrap();
        files.into_iter().map(|file| file.path).collect()
    }

    fn parts(number: usize) -> Parts {
        Parts::default().with("it", format!("result {number}").into_bytes())
    }

    fn save_soon(store: &DirStore, number: usize) -> Record {
        let record = Record {
            key: Digest::of(format!("key {number}").as_bytes()),
            key_text: String::new(),
            outcome: RecordedOutcome::Parts(BTreeMap::new()),
            notes: Vec::new(),
            seconds: 0.5,
            host: "here".to_owned(),
        };
        store.save_soon(record, &parts(number)).unwrap()
    }

    fn fill(store: &DirStore) -> Vec<Record> {
        (0..MANY).map(|number| save_soon(store, number)).collect()
    }

    /// What another process finds is whole.
    fn found(folder: &TempDir, records: &[Record]) -> usize {
        let other = open(folder);
        let found = records.iter().enumerate().filter(|(number, record)| {
            let found = other.find(&record.key);
            if let Some(found) = &found {
                assert_eq!(found, *record);
                assert_eq!(other.load(found).unwrap(), parts(*number));
            }
            found.is_some()
        });
        found.count()
    }

    #[test]
    fn many_results_wait_and_are_stored_as_one_pack() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let records = fill(&store);
        for (number, record) in records.iter().enumerate() {
            assert_eq!(store.find(&record.key), Some(record.clone()));
            assert_eq!(store.load(record).unwrap(), parts(number));
        }
        store.settle().unwrap();
        assert_eq!(files(&store, PACKS).len(), 1);
        assert_eq!(found(&folder, &records), MANY);
        assert_eq!(
            fs::read_to_string(store.path().join("version")).unwrap(),
            "2\n"
        );
        assert!(store.verify(OnDamage::Report).unwrap().is_clean());
        assert_eq!(store.usage().unwrap().objects, MANY as u64);
        // Stored again, nothing is written: all is there.
        fill(&store);
        store.settle().unwrap();
        assert_eq!(files(&store, PACKS).len(), 1);
    }

    #[test]
    fn few_results_are_files_of_their_own_and_the_format_stays() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let record = save_soon(&store, 1);
        store.settle().unwrap();
        assert_eq!(files(&store, PACKS), Vec::<PathBuf>::new());
        assert_eq!(open(&folder).find(&record.key), Some(record));
        assert_eq!(
            fs::read_to_string(store.path().join("version")).unwrap(),
            "1\n"
        );
    }

    #[test]
    fn killed_before_its_records_are_written_a_pack_is_found_by_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let records = fill(&store);
        store.objects.settle().unwrap();
        assert_eq!(found(&folder, &records), 0);
        std::mem::forget(store);
        let store = open(&folder);
        assert!(store.verify(OnDamage::Report).unwrap().is_clean());
        fill(&store);
        store.settle().unwrap();
        assert_eq!(found(&folder, &records), MANY);
        assert_eq!(files(&store, PACKS).len(), 1);
    }

    #[test]
    fn what_is_damaged_in_a_pack_is_told_and_stored_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let records = fill(&store);
        store.settle().unwrap();
        let digest = Digest::of(b"result 7");
        let place = store.objects.packs.find(&digest).unwrap();
        let mut bytes = fs::read(&place.pack).unwrap();
        bytes[place.start as usize] = b'R';
        fs::write(&place.pack, bytes).unwrap();
        let told = store.verify(OnDamage::Report).unwrap();
        assert_eq!((told.damaged, told.intact), (vec![digest], MANY as u64 - 1));
        assert!(matches!(store.load(&records[7]), Err(Fault::Damaged(_))));
        assert_eq!(store.find(&records[7].key), None);
        save_soon(&store, 7);
        store.settle().unwrap();
        assert_eq!(found(&folder, &records), MANY);
        assert!(store.verify(OnDamage::Report).unwrap().is_clean());
    }

    #[test]
    fn a_pack_that_cannot_be_read_counts_as_missing() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let records = fill(&store);
        store.settle().unwrap();
        fs::write(&files(&store, PACKS)[0], "torn").unwrap();
        let other = open(&folder);
        assert_eq!(found(&folder, &records), 0);
        assert_eq!(other.verify(OnDamage::Report).unwrap().missing.len(), MANY);
    }

    #[test]
    fn gc_puts_what_is_needed_of_a_sparse_pack_into_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let records = fill(&store);
        store.settle().unwrap();
        let pack = &files(&store, PACKS)[0];
        let aged = OpenOptions::new().append(true).open(pack).unwrap();
        let age = Duration::from_secs(48 * 3600);
        aged.set_modified(clock::now() - age).unwrap();
        store.gc(GcPolicy::UNREFERRED).unwrap();
        assert!(pack.exists());
        for record in &records[..90] {
            store.records().forget(record);
        }
        let other = open(&folder);
        let report = store.gc(GcPolicy::UNREFERRED).unwrap();
        assert_eq!((report.files, pack.exists()), (1, false));
        assert_eq!(found(&folder, &records), 10);
        assert!(store.verify(OnDamage::Report).unwrap().is_clean());
        // A process that knew the old pack.
        assert_eq!(other.load(&records[95]).unwrap(), parts(95));
    }

    #[test]
    fn what_cannot_be_stored_is_named_and_waits() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        let records = fill(&store);
        fs::write(store.path().join(PACKS), "in the way").unwrap();
        let unsettled = store.settle().unwrap_err();
        assert_eq!(
            unsettled.keys,
            records.iter().map(|record| record.key).collect()
        );
        assert_eq!(found(&folder, &records), 0);
        fs::remove_file(store.path().join(PACKS)).unwrap();
        store.settle().unwrap();
        assert_eq!(found(&folder, &records), MANY);
    }
}
