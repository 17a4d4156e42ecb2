//! A journal: one list of entries in a folder of append-only segments, one per writing process.
//!
//! It needs only exclusive creation, appending by a single writer and renaming from the file
//! system, so that it works on a shared network folder: no locks, no time stamps.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::folder::{Folder, sync_folder, unique};
use super::lines::{Blocks, Decode, encode};
use crate::clock::unix_nanos;
use crate::error::Fault;

/// Segments younger than this are not merged.
const SETTLED: Duration = Duration::from_secs(3600);

/// How often to retry when other processes merge segments at the same moment.
const ATTEMPTS: usize = 8;

/// A line or a segment of a journal that cannot be read. Its results are computed again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The segment.
    pub file: PathBuf,
    /// The byte at which the line starts.
    pub byte: u64,
    /// What is wrong with it.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            file,
            byte,
            message,
        } = self;
        write!(f, "`{}`, byte {byte}: {message}", file.display())
    }
}

/// The name of a segment: `<nanoseconds>-<process>-<random>.log`. Names sort by time, and entries
/// of a later segment replace those of an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Segment(Arc<str>);

/// Digits of the nanoseconds in a segment's name, so that names sort as the numbers do.
const DIGITS: usize = 20;

impl Segment {
    fn parse(name: &str) -> Option<Self> {
        let (nanos, rest) = name.split_at_checked(DIGITS)?;
        let valid = nanos.bytes().all(|byte| byte.is_ascii_digit())
            && nanos.parse::<u64>().is_ok()
            && rest.starts_with('-')
            && rest.ends_with(".log");
        valid.then(|| Self(name.into()))
    }

    /// A new name that sorts after `last`, even if the clocks of two machines differ.
    fn after(last: Option<&Segment>) -> Self {
        let nanos = last.map_or(0, |last| last.nanos().saturating_add(1));
        let nanos = nanos.max(unix_nanos());
        Self(format!("{nanos:020}-{}.log", unique()).into())
    }

    /// A new name for the merged segments up to this one: it sorts after this one and before any
    /// that began later.
    fn merged(&self) -> Self {
        let (nanos, now) = (self.nanos(), unix_nanos());
        Self(format!("{nanos:020}-merged-{now:020}-{}.log", unique()).into())
    }

    fn nanos(&self) -> u64 {
        let digits = self.0.get(..DIGITS).unwrap_or_default();
        digits.parse().unwrap_or_default()
    }
}

/// What reads the entries of a journal.
pub(super) trait Reader<T> {
    /// Entries of about this many bytes follow.
    fn expect(&mut self, _bytes: u64) {}

    /// Reads the next entry.
    fn read(&mut self, segment: &Segment, entry: T);
}

/// The segments of one folder: how far each was read, and the one that this process writes.
#[derive(Debug)]
pub(super) struct Journal {
    folder: PathBuf,
    read: BTreeMap<Segment, u64>,
    writer: Option<JournalWriter>,
    problems: BTreeSet<Problem>,
}

impl Journal {
    /// The journal in this folder, nothing of it read yet.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            read: BTreeMap::new(),
            writer: None,
            problems: BTreeSet::new(),
        }
    }

    /// Passes on every entry that is new since the last call, in order.
    pub(super) fn read<T: Send>(
        &mut self,
        decode: Decode<T>,
        reader: &mut impl Reader<T>,
    ) -> io::Result<()> {
        for _ in 0..ATTEMPTS {
            let mut vanished = false;
            for segment in self.list()? {
                match self.read_segment(&segment, decode, reader) {
                    Ok(()) => {}
                    // Another process merged it into one that our listing does not have yet.
                    Err(error) if error.kind() == ErrorKind::NotFound => vanished = true,
                    Err(error) => self.complain(&segment, 0, format!("cannot be read: {error}")),
                }
            }
            if !vanished {
                break;
            }
        }
        Ok(())
    }

    /// The segment to which an entry is added that is read after everything in `after`.
    pub(super) fn writing(
        &mut self,
        folder: &Folder,
        after: Option<&Segment>,
    ) -> Result<Segment, Fault> {
        folder.check_writable()?;
        let writer = self.writer.take();
        let writer = writer.filter(|writer| Some(&writer.segment) >= after);
        let writer = writer.map_or_else(|| self.begin(folder), Ok);
        let writer = writer.map_err(|error| folder.fault("a record", &error))?;
        Ok(self.writer.insert(writer).segment.clone())
    }

    /// Adds entries, as JSON, that are read after everything in `after`; they are on disk when
    /// this returns.
    pub(super) fn append(
        &mut self,
        folder: &Folder,
        entries: &[&[u8]],
        after: Option<&Segment>,
    ) -> Result<Segment, Fault> {
        folder.check_writable()?;
        let lines: Result<Vec<_>, Fault> = entries.iter().map(|json| encode(json)).collect();
        let lines = lines?.concat();
        self.writer = self
            .writer
            .take()
            .filter(|writer| Some(&writer.segment) >= after);
        for _ in 0..ATTEMPTS {
            match self.append_lines(folder, &lines) {
                Ok(Some(segment)) => return Ok(segment),
                Ok(None) => {}
                Err(error) if error.kind() == ErrorKind::StaleNetworkFileHandle => {}
                Err(error) => return Err(folder.fault("a record", &error)),
            }
        }
        Err(folder.fault(
            "a record",
            &io::Error::other("its journal disappears again and again"),
        ))
    }

    /// The oldest segments whose writers have most likely ended.
    pub(super) fn settled(&self) -> io::Result<BTreeSet<Segment>> {
        let now = unix_nanos();
        let writing = self.writer.as_ref().map(|writer| &writer.segment);
        let settled = |segment: &Segment| {
            let age = Duration::from_nanos(now.saturating_sub(segment.nanos()));
            age > SETTLED && self.read.contains_key(segment) && Some(segment) != writing
        };
        Ok(self.list()?.into_iter().take_while(settled).collect())
    }

    /// Replaces the settled segments by one with these entries, as JSON.
    ///
    /// It may be killed at any point: the new segment is complete before an old one is removed, and
    /// the oldest are removed first, so that a line that revokes an entry outlives the entry.
    pub(super) fn replace(
        &mut self,
        folder: &Folder,
        settled: &BTreeSet<Segment>,
        entries: &[&[u8]],
    ) -> Result<(), Fault> {
        let Some(last) = settled.last() else {
            return Ok(());
        };
        if !entries.is_empty() {
            let lines = entries
                .iter()
                .map(|json| encode(json))
                .collect::<Result<Vec<_>, _>>()?;
            let text = lines.concat();
            let merged = last.merged();
            folder.write(&self.path(&merged), "the merged journal", &text)?;
            self.read.insert(merged, text.len() as u64);
        }
        for segment in settled {
            self.retire(folder, segment)
                .map_err(|error| folder.fault("the merged journal", &error))?;
        }
        Ok(())
    }

    /// Everything found so far that cannot be read.
    pub(super) fn problems(&self) -> Vec<Problem> {
        self.problems.iter().cloned().collect()
    }

    /// The oldest segments up to the last one with an unreadable line. Their writers may still add
    /// to them: [`replace`](Self::replace) copes with that.
    pub(super) fn up_to_problems(&self) -> io::Result<BTreeSet<Segment>> {
        let is_read = |segment: &Segment| self.read.contains_key(segment);
        let segments: Vec<Segment> = self.list()?.into_iter().take_while(is_read).collect();
        let harmed = |segment: &Segment| {
            let path = self.path(segment);
            self.problems.iter().any(|problem| problem.file == path)
        };
        let count = segments.iter().rposition(harmed).map_or(0, |last| last + 1);
        Ok(segments.into_iter().take(count).collect())
    }

    /// Whether a line of one of these segments is unreadable.
    pub(super) fn has_problems_in(&self, segments: &BTreeSet<Segment>) -> bool {
        let files: BTreeSet<PathBuf> = segments.iter().map(|segment| self.path(segment)).collect();
        self.problems
            .iter()
            .any(|problem| files.contains(&problem.file))
    }

    fn list(&self) -> io::Result<BTreeSet<Segment>> {
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeSet::new()),
            other => other?,
        };
        let mut segments = BTreeSet::new();
        for entry in entries {
            segments.extend(entry?.file_name().to_str().and_then(Segment::parse));
        }
        Ok(segments)
    }

    fn path(&self, segment: &Segment) -> PathBuf {
        self.folder.join(&*segment.0)
    }

    fn complain(&mut self, segment: &Segment, byte: u64, message: String) {
        let file = self.path(segment);
        self.problems.insert(Problem {
            file,
            byte,
            message,
        });
    }

    /// Opens the segment where reading stopped last.
    fn open(&self, path: &Path, segment: &Segment) -> io::Result<(BufReader<File>, u64)> {
        let start = self.read.get(segment).copied().unwrap_or(0);
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(start))?;
        Ok((BufReader::with_capacity(1 << 18, file), start))
    }

    fn read_segment<T: Send>(
        &mut self,
        segment: &Segment,
        decode: Decode<T>,
        reader: &mut impl Reader<T>,
    ) -> io::Result<()> {
        let (file, start) = self.open(&self.path(segment), segment)?;
        let length = file.get_ref().metadata()?.len();
        reader.expect(length.saturating_sub(start));
        let mut blocks = Blocks::new(file, start);
        loop {
            let entries = blocks.next(decode)?;
            if entries.is_empty() {
                break;
            }
            for (byte, entry) in entries {
                match entry {
                    Ok(entry) => reader.read(segment, entry),
                    Err(message) => self.complain(segment, byte, message.to_owned()),
                }
            }
        }
        self.read.insert(segment.clone(), blocks.end());
        Ok(())
    }

    /// The segment of the new lines, or `None` when that segment was merged meanwhile.
    fn append_lines(&mut self, folder: &Folder, lines: &[u8]) -> io::Result<Option<Segment>> {
        let mut writer = match self.writer.take() {
            Some(writer) => writer,
            None => self.begin(folder)?,
        };
        // On failure the writer is dropped: a torn line may only be the last of its segment.
        writer.file.write_all(lines)?;
        writer.file.sync_data()?;
        writer.length += lines.len() as u64;
        // On a network file system, opening asks the server; a look-up may be answered from memory.
        match File::open(self.path(&writer.segment)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => drop(other?),
        }
        let segment = writer.segment.clone();
        self.read.insert(segment.clone(), writer.length);
        self.writer = Some(writer);
        Ok(Some(segment))
    }

    fn begin(&self, folder: &Folder) -> io::Result<JournalWriter> {
        let segment = Segment::after(self.read.keys().next_back());
        let file = folder.create(&self.path(&segment))?;
        sync_folder(&self.folder)?;
        Ok(JournalWriter {
            segment,
            file,
            length: 0,
        })
    }

    /// Removes a merged segment, unless its writer is still alive and has added to it. The segment is
    /// moved away first: its writer notices and adds later lines elsewhere, too (see
    /// [`append_lines`](Self::append_lines)).
    fn retire(&self, folder: &Folder, segment: &Segment) -> io::Result<()> {
        let (path, aside) = (self.path(segment), folder.temporary());
        match fs::rename(&path, &aside) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            other => other?,
        }
        let (mut unread, _) = self.open(&aside, segment)?;
        let mut torn = Vec::new();
        unread.read_until(b'\n', &mut torn)?;
        if torn.ends_with(b"\n") {
            fs::rename(&aside, &path)
        } else {
            fs::remove_file(&aside)
        }
    }
}

#[derive(Debug)]
struct JournalWriter {
    segment: Segment,
    file: File,
    length: u64,
}
