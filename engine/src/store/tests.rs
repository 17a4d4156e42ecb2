//! What a store promises, on disk and in memory, whatever happens to it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;

use super::*;
use crate::artifact::{Digested, Piece};
use crate::clock;

const APPLY: GcPolicy = GcPolicy::UNREFERRED;

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".farcast");
    (folder, path)
}

fn open(path: &Path) -> DirStore {
    DirStore::open(path, Access::Write).unwrap()
}

fn record(name: &str) -> Record {
    Record {
        key: Digest::of(name.as_bytes()),
        key_text: format!("key of {name}"),
        outcome: RecordedOutcome::Parts(BTreeMap::new()),
        notes: vec!["a note".to_owned()],
        seconds: 0.25,
        host: "here".to_owned(),
    }
}

fn parts(text: &str) -> Parts {
    Parts::default()
        .with("weights", text.as_bytes())
        .with("meta.json", b"{}".as_slice())
}

fn save(store: &impl Store, name: &str) -> Record {
    store.save(record(name), &parts(name)).unwrap()
}

fn files_in(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_in(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn segments(store: &Path) -> Vec<PathBuf> {
    files_in(&store.join("journal"))
}

fn object(store: &Path, content: &str) -> PathBuf {
    let digest = Digest::of(content.as_bytes()).to_string();
    store.join("objects").join(&digest[..2]).join(&digest)
}

fn flip_last_byte(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(path, bytes).unwrap();
}

/// Makes everything in the store two days old.
fn age(store: &Path) {
    let age = Duration::from_secs(48 * 3600);
    for segment in segments(store) {
        let name = segment.file_name().unwrap().to_str().unwrap();
        let nanos: u64 = name[..20].parse().unwrap();
        let older = format!("{:020}{}", nanos - age.as_nanos() as u64, &name[20..]);
        fs::rename(&segment, segment.with_file_name(older)).unwrap();
    }
    for folder in ["objects", "tmp"] {
        for file in files_in(&store.join(folder)) {
            let file = OpenOptions::new().append(true).open(file).unwrap();
            file.set_modified(clock::now() - age).unwrap();
        }
    }
}

fn keeps_what_it_is_given(store: &impl Store) {
    let saved = save(store, "one");
    assert_eq!(store.find(&saved.key), Some(saved.clone()));
    assert_eq!(store.load(&saved).unwrap(), parts("one"));
    assert_eq!(store.find(&Digest::of(b"two")), None);

    let mut diverged = record("bad");
    diverged.outcome = RecordedOutcome::Diverged("loss is NaN".to_owned());
    store.save(diverged.clone(), &Parts::default()).unwrap();
    assert_eq!(store.find(&diverged.key), Some(diverged.clone()));
    assert_eq!(store.load(&diverged).unwrap(), Parts::default());

    let keys = [diverged.key, Digest::of(b"two"), saved.key];
    let summaries = [Some(diverged.summary()), None, Some(saved.summary())];
    assert_eq!(store.records().find_many(&keys), summaries);

    let mut all = vec![saved, diverged];
    all.sort_by_key(|record| record.key);
    assert_eq!(store.records().all(), all);
}

#[test]
fn keeps_what_it_is_given_in_memory_and_on_disk() {
    keeps_what_it_is_given(&MemStore::default());
    let (_folder, path) = folder();
    keeps_what_it_is_given(&open(&path));
    assert_eq!(open(&path).records().all().len(), 2);
}

#[test]
fn memory_tells_damage_and_loss() {
    let store = MemStore::default();
    let saved = save(&store, "one");
    store.damage(&Digest::of(b"one"));
    assert!(store.find(&saved.key).is_some());
    assert!(matches!(store.load(&saved), Err(Fault::Damaged(_))));
    assert_eq!(store.find(&saved.key), None);
    save(&store, "one");
    assert_eq!(store.load(&saved).unwrap(), parts("one"));
    store.evict(&Digest::of(b"one"));
    assert_eq!(store.find(&saved.key), None);
    assert!(matches!(store.load(&saved), Err(Fault::Damaged(_))));
}

#[test]
fn the_folder_says_what_it_is() {
    let (_folder, path) = folder();
    open(&path);
    let read = |name: &str| fs::read_to_string(path.join(name)).unwrap();
    assert!(read("CACHEDIR.TAG").starts_with("Signature: 8a477f597d28d172789f06886806bc55\n"));
    assert_eq!(read(".gitignore"), "*\n");
    assert_eq!(read("version"), "1\n");
}

#[test]
fn journal_format_is_stable() {
    let (_folder, path) = folder();
    save(&open(&path), "one");
    let text = fs::read_to_string(&segments(&path)[0]).unwrap();
    let (_, json) = text.split_once(' ').unwrap();
    let at = json
        .split(['{', ','])
        .find(|field| field.starts_with("\"at\":"))
        .unwrap();
    expect_test::expect![[r#"
        {"kept":{"at":0,"record":{"key":"d33fb48ab5adff269ae172b29a6913ff04f6f266207a7a8e976f2ecd571d4492","key_text":"key of one","outcome":{"Parts":{"meta.json":["6e46dd10defc9b56c29a6ec56b508c21f54c08192194e4df25bf36f0c9c3c279",2],"weights":["d33fb48ab5adff269ae172b29a6913ff04f6f266207a7a8e976f2ecd571d4492",3]}},"notes":["a note"],"seconds":0.25,"host":"here"}}}
    "#]].assert_eq(&json.replace(at, "\"at\":0"));
}

#[test]
fn two_processes_see_each_other() {
    let (_folder, path) = folder();
    let (one, two) = (open(&path), open(&path));
    let saved = save(&one, "one");
    assert_eq!(two.find(&saved.key), None);
    two.refresh().unwrap();
    assert_eq!(two.find(&saved.key), Some(saved));
    let saved = save(&two, "two");
    one.refresh().unwrap();
    assert_eq!(one.load(&saved).unwrap(), parts("two"));
    assert_eq!(segments(&path).len(), 2);
}

#[test]
fn the_later_record_holds_whoever_wrote_first() {
    let (_folder, path) = folder();
    let (one, two) = (open(&path), open(&path));
    save(&one, "other");
    let from_two = two.save(record("key"), &parts("from two")).unwrap();
    one.refresh().unwrap();
    let from_one = one.save(record("key"), &parts("from one")).unwrap();
    assert_ne!(from_one, from_two);
    two.refresh().unwrap();
    assert_eq!(two.find(&from_one.key), Some(from_one.clone()));
    assert_eq!(open(&path).find(&from_one.key), Some(from_one));
}

#[test]
fn a_damaged_object_is_set_aside_and_made_again() {
    let (_folder, path) = folder();
    let store = open(&path);
    let saved = save(&store, "one");
    flip_last_byte(&object(&path, "one"));
    assert!(store.find(&saved.key).is_some());
    let text = store.load(&saved).unwrap_err().to_string();
    let digest = Digest::of(b"one");
    let (short, aside) = (digest.short(), path.join(format!("damaged/{digest}-0")));
    let expected = format!(
        "stored object `{short}` (part `weights`) is not what was stored: \
         it was set aside as `{}` and will be computed again",
        aside.display()
    );
    assert_eq!(text, expected);
    assert!(aside.exists());
    assert_eq!(store.find(&saved.key), None);
    assert_eq!(open(&path).records().all(), []);
    save(&store, "one");
    assert_eq!(store.load(&saved).unwrap(), parts("one"));
    assert_eq!(open(&path).load(&saved).unwrap(), parts("one"));
}

#[test]
fn saving_again_heals_a_damaged_object() {
    let (_folder, path) = folder();
    let store = open(&path);
    save(&store, "one");
    flip_last_byte(&object(&path, "one"));
    let saved = save(&store, "one");
    assert_eq!(store.load(&saved).unwrap(), parts("one"));
}

#[test]
fn a_missing_or_cut_object_is_not_found() {
    let (_folder, path) = folder();
    let store = open(&path);
    let saved = save(&store, "one");
    fs::write(object(&path, "one"), "on").unwrap();
    assert_eq!(store.find(&saved.key), None);
    assert!(matches!(store.load(&saved), Err(Fault::Damaged(_))));
    let saved = save(&store, "two");
    fs::remove_file(object(&path, "two")).unwrap();
    assert_eq!(store.find(&saved.key), None);
    let text = store.load(&saved).unwrap_err().to_string();
    assert!(
        text.ends_with("is missing: it will be computed again"),
        "{text}"
    );
}

#[test]
fn a_killed_writer_leaves_nothing_that_is_found() {
    let (_folder, path) = folder();
    let saved = save(&open(&path), "one");
    save(&open(&path), "two");
    let last = segments(&path).pop().unwrap();
    let bytes = fs::read(&last).unwrap();
    fs::write(&last, &bytes[..bytes.len() / 2]).unwrap();
    fs::write(path.join("tmp/1-2-3"), "half an obj").unwrap();
    let store = open(&path);
    assert_eq!(store.records().all(), std::slice::from_ref(&saved));
    assert_eq!(store.problems(), []);
    save(&store, "two");
    assert_eq!(open(&path).records().all().len(), 2);
}

#[test]
fn a_corrupt_line_is_skipped_and_told() {
    let (_folder, path) = folder();
    let store = open(&path);
    for name in ["one", "two", "three"] {
        save(&store, name);
    }
    let segment = &segments(&path)[0];
    let text = fs::read_to_string(segment).unwrap();
    fs::write(segment, text.replace("key of two", "key of 2wo")).unwrap();
    let store = open(&path);
    assert_eq!(store.records().all().len(), 2);
    let problems = store.problems();
    assert_eq!(problems.len(), 1);
    let text = problems[0].to_string();
    assert!(text.ends_with(": wrong checksum"), "{text}");
    assert!(!store.verify(OnDamage::Report).unwrap().is_clean());
}

#[test]
fn hostile_journals_do_no_harm() {
    let (_folder, path) = folder();
    open(&path);
    let mut line = record("huge");
    let size = u64::MAX;
    line.outcome = RecordedOutcome::Parts([("w".to_owned(), (Digest::of(b""), size))].into());
    let good = lines::encode(Line::kept(&line).unwrap().json()).unwrap();
    let good = String::from_utf8(good).unwrap();
    let digest = Digest::of(b"").to_string();
    let json = good[17..]
        .trim_end()
        .replace(&digest, "../../../../etc/passwd");
    let check = &Digest::of(json.as_bytes()).to_string()[..16];
    let name = path.join("journal/00000000000000000001-1-1.log");
    let mut bytes = format!("{check} {json}\n{good}").into_bytes();
    bytes.extend_from_slice(b"\xff\xfe\n\n\n0000000000000000 {\"kept\":");
    fs::write(name, bytes).unwrap();
    fs::write(
        path.join("journal/99999999999999999999-1.log"),
        "not a time",
    )
    .unwrap();
    fs::write(path.join("journal/notes.txt"), "not a segment").unwrap();
    let store = open(&path);
    assert_eq!(store.records().all(), std::slice::from_ref(&line));
    assert_eq!(store.find(&line.key), None);
    assert!(matches!(store.load(&line), Err(Fault::Damaged(_))));
    assert_eq!(store.problems().len(), 3);
}

#[test]
fn other_folders_and_newer_stores_are_refused() {
    let (_folder, path) = folder();
    let told = |path: &Path, access| match DirStore::open(path, access) {
        Err(Fault::Environment(text)) => text.replace(&path.display().to_string(), "S"),
        _ => panic!("opened"),
    };
    fs::write(&path, "a file").unwrap();
    assert_eq!(
        told(&path, Access::Write),
        "the store `S` is not a directory"
    );
    assert!(told(&path.join("below"), Access::Write).contains("`S`"));
    fs::remove_file(&path).unwrap();

    fs::create_dir(&path).unwrap();
    fs::write(path.join("thesis.tex"), "").unwrap();
    let text = "`S` is not a store: expected an empty folder, found `thesis.tex` in it";
    assert_eq!(told(&path, Access::Write), text);
    assert_eq!(told(&path, Access::Read), text);
    fs::remove_file(path.join("thesis.tex")).unwrap();

    open(&path);
    fs::write(path.join("version"), "3\n").unwrap();
    assert_eq!(
        told(&path, Access::Read),
        "the store `S` was written by a newer farcast: expected format 2, found 3"
    );
}

#[test]
fn a_store_opened_for_reading_changes_nothing() {
    let (_folder, path) = folder();
    let store = DirStore::open(&path, Access::Read).unwrap();
    assert_eq!(store.records().all(), []);
    assert!(!path.exists());
    let saved = save(&open(&path), "one");
    flip_last_byte(&object(&path, "one"));
    let before = files_in(&path);
    let store = DirStore::open(&path, Access::Read).unwrap();
    assert_eq!(store.find(&saved.key), Some(saved.clone()));
    let text = store.load(&saved).unwrap_err().to_string();
    assert!(
        text.ends_with("is not what was stored: it will be computed again"),
        "{text}"
    );
    assert_eq!(store.find(&saved.key), None);
    let text = store
        .save(record("two"), &parts("two"))
        .unwrap_err()
        .to_string();
    assert!(text.contains("is read-only"), "{text}");
    assert!(store.gc(APPLY).is_err());
    assert_eq!(files_in(&path), before);
}

#[test]
fn a_store_deleted_while_open_goes_on() {
    let (_folder, path) = folder();
    let store = open(&path);
    let saved = save(&store, "one");
    fs::remove_dir_all(&path).unwrap();
    assert_eq!(store.find(&saved.key), None);
    save(&store, "one");
    assert_eq!(open(&path).load(&saved).unwrap(), parts("one"));
}

#[test]
fn many_threads_save_at_once() {
    let (_folder, path) = folder();
    let stores = [open(&path), open(&path)];
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let store = &stores[thread % 2];
            scope.spawn(move || {
                for number in 0..20 {
                    // Every name is saved by four threads, through both stores.
                    let saved = save(store, &format!("{}-{number}", thread / 4));
                    assert!(store.load(&saved).is_ok());
                }
            });
        }
    });
    let store = open(&path);
    assert_eq!(store.records().all().len(), 40);
    assert_eq!(store.problems(), []);
    assert_eq!(store.verify(OnDamage::Report).unwrap().intact, 41);
    assert_eq!(fs::read_dir(path.join("tmp")).unwrap().count(), 0);
}

#[test]
fn verify_tells_and_on_request_sets_aside() {
    let (_folder, path) = folder();
    let store = open(&path);
    for name in ["one", "two", "three"] {
        save(&store, name);
    }
    assert!(store.verify(OnDamage::Report).unwrap().is_clean());
    flip_last_byte(&object(&path, "one"));
    fs::remove_file(object(&path, "two")).unwrap();
    let expected = VerifyReport {
        intact: 2,
        damaged: vec![Digest::of(b"one")],
        missing: vec![Digest::of(b"two")],
        ..VerifyReport::default()
    };
    assert_eq!(store.verify(OnDamage::Report).unwrap(), expected);
    assert_eq!(store.verify(OnDamage::SetAside).unwrap(), expected);
    assert!(store.verify(OnDamage::Report).unwrap().is_clean());
    assert_eq!(open(&path).records().all().len(), 1);
}

#[test]
fn gc_keeps_what_is_referred_to_and_merges_segments() {
    let (_folder, path) = folder();
    for name in ["one", "two", "three", "four"] {
        save(&open(&path), name);
    }
    let first = open(&path);
    let forgotten = first.find(&Digest::of(b"one")).unwrap();
    first.records.forget(&forgotten);
    fs::remove_file(object(&path, "two")).unwrap();
    fs::write(path.join("tmp/left"), "half").unwrap();
    fs::write(path.join("damaged/x-0"), "harm").unwrap();
    age(&path);
    let fresh = Digest::of(b"fresh");
    first.objects().put(&fresh, b"fresh", "w").unwrap();

    let store = open(&path);
    let dry = GcPolicy {
        effect: Effect::DryRun,
        ..APPLY
    };
    let before = files_in(&path);
    let expected = GcReport {
        records: 1,
        files: 3,
        bytes: 4 + 4 + 3,
        segments: 5,
    };
    assert_eq!(store.gc(dry).unwrap(), expected);
    assert_eq!(files_in(&path), before);
    assert_eq!(store.gc(APPLY).unwrap(), expected);
    assert_eq!(segments(&path).len(), 1);
    assert!(store.objects().has(&fresh, 5));
    for store in [store, open(&path)] {
        assert_eq!(store.records().all().len(), 2);
        assert!(store.verify(OnDamage::Report).unwrap().is_clean());
        assert_eq!(store.gc(APPLY).unwrap(), GcReport::default());
        let usage = store.usage().unwrap();
        assert_eq!(
            (usage.records, usage.objects, usage.bytes),
            (2, 4, 5 + 4 + 2 + 5)
        );
    }
}

#[test]
fn gc_drops_old_records_wherever_they_are() {
    let (_folder, path) = folder();
    save(&open(&path), "settled");
    age(&path);
    let store = open(&path);
    save(&store, "new");
    let all = GcPolicy {
        older_than: Some(Duration::ZERO),
        ..APPLY
    };
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(store.gc(all).unwrap().records, 2);
    assert_eq!(store.records().all(), []);
    assert_eq!(open(&path).records().all(), []);
}

#[test]
fn a_writer_whose_segment_was_merged_loses_nothing() {
    let (_folder, path) = folder();
    let writer = open(&path);
    save(&writer, "before");
    save(&open(&path), "other");
    age(&path);
    open(&path).gc(APPLY).unwrap();
    assert_eq!(segments(&path).len(), 1);
    save(&writer, "after");
    assert_eq!(segments(&path).len(), 2);
    assert_eq!(open(&path).records().all().len(), 3);
}

#[test]
fn a_segment_that_grew_while_merged_stays() {
    let (_folder, path) = folder();
    save(&open(&path), "one");
    save(&open(&path), "two");
    age(&path);
    let store = open(&path);
    // The writer of the last segment adds a line after it was read.
    let (_other, elsewhere) = folder();
    save(&open(&elsewhere), "three");
    let line = fs::read(&segments(&elsewhere)[0]).unwrap();
    let settled = store.records.journal().settled().unwrap();
    let grown = segments(&path).pop().unwrap();
    let mut file = OpenOptions::new().append(true).open(&grown).unwrap();
    file.write_all(&line).unwrap();
    let index = store.records.index();
    let json: Vec<&[u8]> = index.iter().map(|(_, line)| line.json()).collect();
    store
        .records
        .journal()
        .replace(&store.folder, &settled, &json)
        .unwrap();
    assert!(grown.exists());
    assert_eq!(open(&path).records().all().len(), 3);
}

#[test]
fn gc_beside_writers_loses_nothing() {
    let (_folder, path) = folder();
    save(&open(&path), "old");
    age(&path);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..3)
            .map(|thread| {
                let path = &path;
                scope.spawn(move || {
                    for number in 0..10 {
                        // A new process each time, whose segment is soon settled.
                        save(&open(path), &format!("{thread}-{number}"));
                    }
                })
            })
            .collect();
        while !writers.iter().all(|writer| writer.is_finished()) {
            open(&path).gc(APPLY).unwrap();
        }
    });
    let store = open(&path);
    assert_eq!(store.records().all().len(), 31);
    assert!(store.verify(OnDamage::Report).unwrap().is_clean());
}

#[test]
fn data_files_are_read_again_only_when_they_change() {
    let (folder, path) = folder();
    let file = folder.path().join("data.csv");
    let settle = |text: &str| {
        fs::write(&file, text).unwrap();
        let opened = OpenOptions::new().append(true).open(&file).unwrap();
        opened.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    };
    settle("a,b");
    let store = open(&path);
    assert_eq!(store.file_digest(&file).unwrap(), Digest::of(b"a,b"));
    assert_eq!(files_in(&path.join("digests")).len(), 0, "changed just now");
    std::thread::sleep(Duration::from_millis(2100));
    assert_eq!(store.file_digest(&file).unwrap(), Digest::of(b"a,b"));
    assert_eq!(files_in(&path.join("digests")).len(), 1);

    // Another process believes what is remembered, and only for the file as it was.
    let segment = &files_in(&path.join("digests"))[0];
    let known = fs::read_to_string(segment).unwrap();
    let (there, other) = (Digest::of(b"a,b"), Digest::of(b"planted"));
    let json = known[17..]
        .trim_end()
        .replace(&there.to_string(), &other.to_string());
    let check = &Digest::of(json.as_bytes()).to_string()[..16];
    fs::write(segment, format!("{check} {json}\n")).unwrap();
    assert_eq!(open(&path).file_digest(&file).unwrap(), other);
    // Until it turns out to be wrong.
    open(&path).forget_file_digest(&file);
    for store in [&open(&path), &store] {
        assert_eq!(store.file_digest(&file).unwrap(), there);
    }
    settle("c,d");
    assert_eq!(open(&path).file_digest(&file).unwrap(), Digest::of(b"c,d"));

    let missing = folder.path().join("none");
    let message = store.file_digest(&missing).unwrap_err().to_string();
    let expected = format!("there is no file `{}`", missing.display());
    assert_eq!(message, expected);
}

/// Saves a record whose one part is kept before it; returns it and the part as loaded.
fn save_late(store: &impl Store) -> (Record, Blob) {
    let kept = store.keep(b"block").unwrap();
    let parts = Parts::default().with_kept("w.block", kept);
    let record = store.save(record("late"), &parts).unwrap();
    let parts = store.load(&record).unwrap();
    assert!(parts.get("w.block").is_err());
    let kept = parts.kept().next().unwrap().1.clone();
    (record, kept)
}

#[test]
fn large_parts_are_read_when_asked_for_and_verified_then() {
    let (_folder, path) = folder();
    let (disk, memory) = (open(&path), MemStore::default());
    let (record, on_disk) = save_late(&disk);
    let (_, in_memory) = save_late(&memory);
    assert_eq!(&*on_disk.read().unwrap(), b"block");
    assert_eq!(&*in_memory.read().unwrap(), b"block");
    flip_last_byte(&object(&path, "block"));
    memory.damage(&on_disk.digest);
    // Damage shows when the content is read, not before.
    assert!(disk.load(&record).is_ok() && disk.find(&record.key).is_some());
    for (kept, store) in [(on_disk, &disk as &dyn Store), (in_memory, &memory)] {
        assert!(matches!(kept.read(), Err(Fault::Damaged(_))));
        assert!(store.find(&record.key).is_none());
        let again = store.keep(b"block").unwrap();
        assert_eq!(&*again.read().unwrap(), b"block");
        assert!(store.find(&record.key).is_some());
    }
}

#[test]
fn pieces_of_large_parts_are_verified_alone() {
    let (_folder, path) = folder();
    let (disk, memory) = (open(&path), MemStore::default());
    let (record, on_disk) = save_late(&disk);
    let (_, in_memory) = save_late(&memory);
    let piece = |start: u64, bytes: &[u8]| Piece {
        start,
        size: bytes.len() as u64,
        digest: Digest::of(bytes),
        by: Digested::Alone,
    };
    let wanted = [piece(3, b"c"), piece(0, b"bl"), piece(5, b"")];
    flip_last_byte(&object(&path, "block"));
    memory.damage_byte(&on_disk.digest, 4);
    for (kept, store) in [(on_disk, &disk as &dyn Store), (in_memory, &memory)] {
        assert_eq!(&*kept.read_pieces(&wanted).unwrap(), b"cbl");
        assert!(store.find(&record.key).is_some());
        // Here the damage is, and a read beyond the end is no better.
        let harmed = kept.read_pieces(&[piece(0, b"b"), piece(3, b"ck")]);
        assert!(matches!(harmed, Err(Fault::Damaged(_))));
        assert!(store.find(&record.key).is_none());
        let again = store.keep(b"block").unwrap();
        assert!(again.read_pieces(&[piece(4, b"k!")]).is_err());
    }
}

#[test]
fn parts_left_elsewhere_are_brought_in() {
    let (_folder, path) = folder();
    let parts = Parts::default().with_kept("w.block", Blob::in_memory(b"far".as_slice()));
    for store in [&open(&path) as &dyn Store, &MemStore::default()] {
        let record = store.save(record("far"), &parts).unwrap();
        let parts = store.load(&record).unwrap();
        assert_eq!(&*parts.kept().next().unwrap().1.read().unwrap(), b"far");
    }
}

#[test]
fn gc_leaves_what_runs_and_what_is_pinned() {
    let (_folder, path) = folder();
    let store = open(&path);
    for name in ["runs", "pinned", "dead", "free"] {
        save(&store, name);
    }
    let key = |name: &str| Digest::of(name.as_bytes());
    let hold = open(&path).hold_keys(&BTreeSet::from([key("runs")]));
    store.pin("best", &BTreeSet::from([key("pinned")])).unwrap();
    // A process that cannot be: the number is above the largest there is.
    let before = files_in(&path.join("holds"));
    let left = open(&path).hold_keys(&BTreeSet::from([key("dead")]));
    let mut holds = files_in(&path.join("holds"));
    holds.retain(|file| !before.contains(file));
    let name = holds[0].file_name().unwrap().to_str().unwrap();
    let own = format!("-{}-", std::process::id());
    let dead = holds[0].with_file_name(name.replace(&own, "-4194305-"));
    fs::rename(&holds[0], &dead).unwrap();
    drop(left);

    let none = GcPolicy {
        only: Some(BTreeSet::new()),
        ..APPLY
    };
    assert_eq!(store.gc(none.clone()).unwrap().records, 2);
    assert!(!dead.exists());
    assert!(store.find(&key("runs")).is_some());
    assert!(store.find(&key("pinned")).is_some());

    drop(hold);
    // What a damaged pin keeps nobody knows.
    let pin = files_in(&path.join("holds")).pop().unwrap();
    let kept = fs::read(&pin).unwrap();
    for harm in [&kept[..kept.len() - 1], b"", &vec![0; kept.len()]] {
        fs::write(&pin, harm).unwrap();
        assert!(matches!(store.gc(none.clone()), Err(Fault::Damaged(_))));
        let report = store.verify(OnDamage::Report).unwrap();
        assert_eq!(report.holds, std::slice::from_ref(&pin));
    }
    fs::write(&pin, kept).unwrap();

    assert_eq!(store.gc(none.clone()).unwrap().records, 1);
    assert_eq!(store.pins().unwrap(), ["best"]);
    assert!(store.unpin("best").unwrap());
    assert!(!store.unpin("best").unwrap());
    assert_eq!(store.gc(none).unwrap().records, 1);
    assert_eq!(store.records().all(), []);
}

#[test]
fn gc_by_size_keeps_the_youngest_that_fit() {
    let (_folder, path) = folder();
    let store = open(&path);
    for name in ["old", "middle", "new"] {
        save(&store, name);
        std::thread::sleep(Duration::from_millis(1100));
    }
    let bound = |max_bytes| GcPolicy {
        max_bytes: Some(max_bytes),
        ..APPLY
    };
    assert_eq!(store.gc(bound(u64::MAX)).unwrap().records, 0);
    let size = |name: &str| {
        let record = store.find(&Digest::of(name.as_bytes())).unwrap();
        record.objects().map(|(_, _, size)| size).sum::<u64>()
    };
    let two = size("middle") + size("new");
    assert_eq!(store.gc(bound(two)).unwrap().records, 1);
    assert!(store.find(&Digest::of(b"old")).is_none());
    assert!(store.find(&Digest::of(b"middle")).is_some());
    assert_eq!(store.gc(bound(0)).unwrap().records, 2);
}

#[test]
fn a_file_elsewhere_is_an_object_for_as_long_as_it_is_what_it_was() {
    let (folder, path) = folder();
    let (disk, memory) = (open(&path), MemStore::default());
    let file = folder.path().join("step-1.safetensors");
    let digest = Digest::of(b"block");
    fs::write(&file, "block").unwrap();
    let lend = |store: &dyn Store| {
        let kept = store.lend(digest, 5, &file).unwrap();
        let parts = Parts::default().with_kept("w.block", kept.clone());
        (store.save(record("late"), &parts).unwrap(), kept)
    };
    let (record, on_disk) = lend(&disk);
    assert_eq!(&*lend(&memory).1.read().unwrap(), b"block");
    assert_eq!(&*on_disk.read().unwrap(), b"block");
    assert!(!object(&path, "block").exists());
    assert_eq!(disk.usage().unwrap().bytes, 0);
    assert_eq!(disk.file_to_read(&digest), file);
    age(&path);
    assert_eq!(disk.gc(APPLY).unwrap(), GcReport::default());
    assert!(disk.verify(OnDamage::Report).unwrap().is_clean());
    assert!(disk.find(&record.key).is_some());

    // The note is set aside then, never the file.
    flip_last_byte(&file);
    let report = disk.verify(OnDamage::Report).unwrap();
    assert_eq!(report.changed, [(digest, file.clone())]);
    assert_eq!(report.damaged, []);
    assert!(matches!(on_disk.read(), Err(Fault::Damaged(_))));
    assert!(disk.find(&record.key).is_none());
    assert_eq!(fs::read(&file).unwrap(), b"blocj");
    assert_eq!(files_in(&path.join("damaged")).len(), 1);
    let changed = memory.lend(digest, 5, &file).unwrap_err();
    assert!(matches!(changed, Fault::Changed(_)));

    fs::write(&file, "block").unwrap();
    lend(&disk);
    assert_eq!(&*on_disk.read().unwrap(), b"block");
    // A copy is better, and leaves nothing to the file.
    disk.keep(b"block").unwrap();
    fs::remove_file(&file).unwrap();
    assert_eq!(&*on_disk.read().unwrap(), b"block");
    fs::remove_file(object(&path, "block")).unwrap();
    assert!(disk.find(&record.key).is_none());
    assert!(matches!(on_disk.read(), Err(Fault::Damaged(_))));

    fs::write(&file, "block").unwrap();
    lend(&disk);
    let nothing = GcPolicy {
        only: Some(BTreeSet::new()),
        ..APPLY
    };
    age(&path);
    disk.gc(nothing).unwrap();
    assert_eq!(files_in(&path.join("objects")), [] as [PathBuf; 0]);
    assert!(file.exists());
}
