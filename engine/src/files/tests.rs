//! Files that change while they are read, and what is not a file.

use std::fs::{self, OpenOptions};
use std::io::{Read, Write};
use std::sync::atomic::Ordering;

use tempfile::TempDir;

use super::*;
use crate::digest::BlockDigests;

const BLOCK: usize = BlockDigests::BYTES;

/// Three blocks and a bit, no two alike.
fn content(seed: usize) -> Vec<u8> {
    let bytes = 0..3 * BLOCK + 100;
    bytes.map(|at| (seed + at / 7 + at / BLOCK) as u8).collect()
}

struct Case {
    folder: TempDir,
    files: Files,
}

impl Case {
    /// A file `x.csv` with this content, and an action whose key holds its digest.
    fn of(bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.csv");
        fs::write(&path, bytes).unwrap();
        let digests = BTreeMap::from([(path, Digest::of(bytes))]);
        let files = Files::expected(digests, Arc::default());
        Self { folder, files }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("x.csv")
    }

    fn open(&self) -> DataFile {
        self.files.open(&self.path()).unwrap()
    }

    /// Writes over the file, which stays the same one.
    fn overwrite(&self, bytes: &[u8]) {
        let mut file = OpenOptions::new().write(true).open(self.path()).unwrap();
        file.write_all(bytes).unwrap();
    }

    fn expect_changed(&self) {
        let fault = self.files.verify().unwrap_err();
        assert!(matches!(fault, Fault::Changed(_)), "{fault:?}");
        let expected = format!("`{}` changed while it was read", self.path().display());
        assert_eq!(fault.to_string(), expected);
    }
}

#[test]
fn a_file_is_read_in_any_order() {
    let bytes = content(0);
    for size in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, bytes.len()] {
        let case = Case::of(&bytes[..size]);
        let file = case.open();
        for start in [size / 2, size / 3, size.saturating_sub(10), 0] {
            let mut part = vec![0; (size - start).min(BLOCK + 5)];
            file.read_at(start as u64, &mut part).unwrap();
            assert_eq!(part, bytes[start..start + part.len()]);
        }
        assert_eq!(file.read_all().unwrap(), bytes[..size]);
        assert!(file.read_at(size as u64, &mut [0]).is_err());
        assert!(file.read_at(u64::MAX, &mut [0, 0]).is_err());
        case.files.verify().unwrap();
    }
}

#[test]
fn what_was_not_read_counts_too() {
    let case = Case::of(&content(0));
    let mut byte = [0];
    case.open().reader().read_exact(&mut byte).unwrap();
    case.files.verify().unwrap();

    let mut other = content(0);
    *other.last_mut().unwrap() ^= 1;
    let case = Case::of(&content(0));
    case.overwrite(&other);
    case.open().reader().read_exact(&mut byte).unwrap();
    case.expect_changed();
}

#[test]
fn a_file_written_over_between_two_reads_has_changed() {
    let case = Case::of(&content(0));
    let file = case.open();
    file.read_at(0, &mut [0; 10]).unwrap();
    case.overwrite(&content(1));
    file.read_at(BLOCK as u64, &mut [0; 10]).unwrap();
    case.expect_changed();

    // Also when what was read is written back before it is read again.
    let case = Case::of(&content(0));
    let file = case.open();
    file.read_at(0, &mut [0; 10]).unwrap();
    case.overwrite(&content(1));
    file.read_at(BLOCK as u64, &mut [0; 10]).unwrap();
    case.overwrite(&content(0));
    case.expect_changed();
}

#[test]
fn a_block_read_again_is_the_same_or_an_error() {
    let case = Case::of(&content(0));
    let file = case.open();
    file.read_all().unwrap();
    case.overwrite(&content(1));
    assert!(file.read_at(0, &mut [0; 10]).is_err());
    case.expect_changed();
}

#[test]
fn a_file_cut_or_continued_while_it_is_read_has_changed() {
    for size in [0, 10, BLOCK as u64 + 10, 4 * BLOCK as u64] {
        let case = Case::of(&content(0));
        let file = case.open();
        file.read_at(0, &mut [0; 10]).unwrap();
        let writer = OpenOptions::new().write(true).open(case.path()).unwrap();
        writer.set_len(size).unwrap();
        let is_read = file.read_at(2 * BLOCK as u64, &mut [0; 10]).is_ok();
        assert_eq!(is_read, size > 3 * BLOCK as u64);
        case.expect_changed();
    }
}

#[test]
fn a_file_that_is_open_may_be_replaced() {
    let case = Case::of(&content(0));
    let file = case.open();
    let other = case.folder.path().join("other");
    fs::write(&other, content(1)).unwrap();
    fs::rename(&other, case.path()).unwrap();
    assert_eq!(file.read_all().unwrap(), content(0));
    case.files.verify().unwrap();
    // The next one to open it finds the other.
    case.open();
    case.expect_changed();
}

#[test]
fn many_files_are_open_a_few_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let at = |index: usize| folder.path().join(format!("step-{index:03}"));
    for index in 0..MOST_OPEN + 3 {
        fs::write(at(index), format!("content {index}")).unwrap();
    }
    let pattern = folder.path().join("step-*");
    let key = digest(&pattern, |file| Ok(Digest::of(&fs::read(file)?))).unwrap();
    let files = || {
        let digests = BTreeMap::from([(pattern.clone(), key)]);
        Files::expected(digests, Arc::default())
    };
    let all = files();
    for (index, file) in all.open_all(&pattern).unwrap().iter().enumerate() {
        assert_eq!(
            file.read_all().unwrap(),
            format!("content {index}").as_bytes()
        );
    }
    all.verify().unwrap();

    // One that is not kept open, replaced or removed.
    let last = at(MOST_OPEN + 2);
    let replaced = files();
    let opened = replaced.open_all(&pattern).unwrap();
    fs::write(&last, "contend").unwrap();
    assert!(opened.last().unwrap().read_all().is_err());
    assert!(matches!(replaced.verify(), Err(Fault::Changed(path)) if path == last));
    fs::remove_file(&last).unwrap();
    let missing = files();
    missing.open_all(&pattern).unwrap();
    assert!(matches!(missing.verify(), Err(Fault::Changed(path)) if path == pattern));
    // One more, or one of another name.
    fs::write(&last, format!("content {}", MOST_OPEN + 2)).unwrap();
    fs::rename(at(0), folder.path().join("step-")).unwrap();
    let renamed = files();
    renamed.open_all(&pattern).unwrap();
    assert!(matches!(renamed.verify(), Err(Fault::Changed(path)) if path == pattern));
}

#[test]
fn a_file_that_is_not_in_the_key_is_a_bug() {
    let files = Files::expected(BTreeMap::new(), Arc::default());
    let case = Case::of(b"content");
    assert!(matches!(files.open(&case.path()), Err(Fault::Bug(_))));
}

#[test]
fn a_stopped_run_reads_no_further() {
    let case = Case::of(&content(0));
    let stop = Arc::default();
    let digests = BTreeMap::from([(case.path(), Digest::of(&content(0)))]);
    let files = Files::expected(digests, Arc::clone(&stop));
    let file = files.open(&case.path()).unwrap();
    file.read_at(0, &mut [0; 10]).unwrap();
    stop.store(true, Ordering::Relaxed);
    assert!(file.read_all().is_err());
    assert!(matches!(files.verify(), Err(Fault::Cancelled)));
}

#[test]
fn what_is_not_a_file_is_refused() {
    let refused = |path: &Path| {
        let message = Files::unchecked().open(path).unwrap_err().to_string();
        assert_eq!(open(path).unwrap_err().message(path), message);
        message.replace(&format!("`{}`", path.display()), "it")
    };
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(
        refused(folder.path()),
        "expected a file, found the directory it"
    );
    assert_eq!(refused(&folder.path().join("none")), "there is no file it");
}

#[cfg(unix)]
#[test]
fn what_would_be_waited_for_is_refused() {
    use std::os::unix::net::UnixListener;
    let refused = |path: &Path| open(path).unwrap_err().message(path);
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    let message = format!("expected a file, found the FIFO `{}`", fifo.display());
    assert_eq!(refused(&fifo), message);
    let socket = folder.path().join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    let message = format!("expected a file, found the socket `{}`", socket.display());
    assert_eq!(refused(&socket), message);
    let message = "expected a file, found the device `/dev/zero`";
    assert_eq!(refused(Path::new("/dev/zero")), message);
}

#[test]
fn a_file_that_changes_after_its_header_was_read_has_no_digest() {
    let case = Case::of(&content(0));
    let digest = |path: &Path| Ok(Digest::of(&fs::read(path)?));
    let seen = FirstSeen::default();
    let headers = Files::unchecked();
    headers.open(&case.path()).unwrap();
    seen.note(&headers);
    case.overwrite(&content(1)[..BLOCK]);
    // Over the old bytes and never of the same time, however coarse the clock is.
    let file = OpenOptions::new().write(true).open(case.path()).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    let changed = seen.digest(&case.path(), digest).unwrap_err();
    assert!(matches!(changed, Fault::Changed(path) if path == case.path()));

    // One whose digest was taken keeps it in every round.
    let seen = FirstSeen::default();
    let first = seen.digest(&case.path(), digest).unwrap();
    case.overwrite(&content(2));
    assert_eq!(seen.digest(&case.path(), digest).unwrap(), first);
    assert_ne!(digest(&case.path()).unwrap(), first);
}
