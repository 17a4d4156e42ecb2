//! Reads zip archives from strangers: everything is judged before a byte is written.
//!
//! Only what a bundle needs is accepted: plain files, stored or deflated, whose local and central
//! headers agree, that do not overlap, and whose names are safe on every system.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::Path;

use flate2::Crc;
use flate2::read::DeflateDecoder;

use crate::files;
use crate::zip::LARGE;

/// More entries than any bundle has.
const MOST_ENTRIES: u64 = 100_000;
/// A deflated entry is a text; none is larger than this.
const LARGEST_TEXT: u64 = 256 << 20;
/// All deflated entries together.
const LARGEST_TEXTS: u64 = 4 << 30;
/// The longest name, in bytes.
const LONGEST_NAME: usize = 1024;

/// An archive whose directory has been judged.
pub struct Archive {
    file: File,
    entries: BTreeMap<String, ArchiveFile>,
}

/// One file of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ArchiveFile {
    name: String,
    deflated: bool,
    crc: u32,
    packed: u64,
    size: u64,
    offset: u64,
    /// The bytes of its data in the archive.
    data: Range<u64>,
}

type ArchiveError = String;

/// What is done with entries for folders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folders {
    /// No bundle has any.
    Refused,
    /// Most other archives have some; they hold nothing.
    LeftOut,
}

impl Archive {
    /// Opens an archive and judges its directory.
    ///
    /// # Errors
    /// What is wrong with it, in one line.
    pub fn open(path: &Path) -> Result<Self, ArchiveError> {
        Self::open_with(path, Folders::Refused)
    }

    /// The same, with entries for folders or without.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(path: &Path, folders: Folders) -> Result<Self, ArchiveError> {
        let mut file = files::open(path).map_err(|error| error.message(path))?;
        let length = file.metadata().map_err(|error| error.to_string())?.len();
        let directory = Directory::find(&mut file, length)?;
        let mut entries = directory.entries(&mut file, folders)?;
        for entry in &mut entries {
            entry.data = local(&mut file, entry)?;
        }
        refuse_overlaps(&entries, directory.start)?;
        let texts = entries.iter().filter(|entry| entry.deflated);
        if texts.map(|entry| entry.size).sum::<u64>() > LARGEST_TEXTS {
            return Err("its compressed files would have more than 4 GiB".to_owned());
        }
        refuse_names(&entries)?;
        let entries = entries.into_iter().map(|entry| (entry.name.clone(), entry));
        Ok(Self {
            entries: entries.collect(),
            file,
        })
    }

    /// The names of its files, sorted, with their sizes.
    pub fn files(&self) -> impl Iterator<Item = (&str, u64)> {
        self.entries
            .values()
            .map(|entry| (&*entry.name, entry.size))
    }

    /// Writes the content of a file; not a byte more than its header says.
    ///
    /// # Errors
    /// When there is no such file, it is damaged, or cannot be written.
    pub fn copy(&mut self, name: &str, to: &mut dyn Write) -> Result<(), ArchiveError> {
        let entry = self.entries.get(name);
        let entry = entry.ok_or_else(|| format!("it has no `{name}`"))?;
        let failed = |error: io::Error| format!("`{name}`: {error}");
        let start = SeekFrom::Start(entry.data.start);
        self.file.seek(start).map_err(failed)?;
        let packed = (&mut self.file).take(entry.packed);
        let mut from: Box<dyn Read + '_> = match entry.deflated {
            true => Box::new(DeflateDecoder::new(packed)),
            false => Box::new(packed),
        };
        let (mut crc, mut left) = (Crc::new(), entry.size);
        let mut buffer = vec![0; 1 << 18];
        loop {
            let read = from.read(&mut buffer).map_err(failed)?;
            if read as u64 > left {
                return Err(format!("`{name}` has more bytes than its header says"));
            }
            if read == 0 {
                break;
            }
            left -= read as u64;
            crc.update(&buffer[..read]);
            to.write_all(&buffer[..read]).map_err(failed)?;
        }
        match (left, crc.sum() == entry.crc) {
            (0, true) => Ok(()),
            (0, false) => Err(format!("`{name}` is damaged: its checksum differs")),
            _ => Err(format!("`{name}` has fewer bytes than its header says")),
        }
    }

    /// The content of a small file.
    ///
    /// # Errors
    /// As [`copy`](Self::copy), and when it is larger than 256 MiB.
    pub fn read(&mut self, name: &str) -> Result<Vec<u8>, ArchiveError> {
        let mut bytes = Vec::new();
        if self
            .entries
            .get(name)
            .is_some_and(|entry| entry.size > LARGEST_TEXT)
        {
            return Err(format!("`{name}` has more than 256 MiB"));
        }
        self.copy(name, &mut bytes)?;
        Ok(bytes)
    }
}

/// The central directory.
struct Directory {
    start: u64,
    size: u64,
    count: u64,
}

impl Directory {
    /// By the record at the end of the file; nothing follows it.
    fn find(file: &mut File, length: u64) -> Result<Self, ArchiveError> {
        let none = || "it is not a zip archive, or its end is missing".to_owned();
        let tail = length.min(65_557);
        let bytes = bytes_at(file, length - tail, tail).map_err(|_| none())?;
        let at = (0..bytes.len().saturating_sub(21)).rev().find(|at| {
            let end = &bytes[*at..];
            end.starts_with(b"PK\x05\x06") && end.len() == 22 + usize::from(u16_at(end, 20))
        });
        let at = at.ok_or_else(none)?;
        let end = &bytes[at..];
        let mut found = Self {
            count: u64::from(u16_at(end, 10)),
            size: u64::from(u32_at(end, 12)),
            start: u64::from(u32_at(end, 16)),
        };
        if (u16_at(end, 4), u16_at(end, 6)) != (0, 0) || u16_at(end, 8) != u16_at(end, 10) {
            return Err("it is a part of an archive in several files".to_owned());
        }
        let mut end_at = length - tail + at as u64;
        let is_large = found.count == 0xFFFF || found.size == LARGE || found.start == LARGE;
        if is_large {
            let wrong = || "its zip64 directory is damaged".to_owned();
            let locator = end_at.checked_sub(20).ok_or_else(wrong)?;
            let bytes = bytes_at(file, locator, 20).map_err(|_| wrong())?;
            if !bytes.starts_with(b"PK\x06\x07") || u32_at(&bytes, 4) != 0 {
                return Err(wrong());
            }
            end_at = u64_at(&bytes, 8);
            let bytes = bytes_at(file, end_at, 56).map_err(|_| wrong())?;
            let is_last = end_at.checked_add(56) == Some(locator);
            if !bytes.starts_with(b"PK\x06\x06") || u64_at(&bytes, 4) != 44 || !is_last {
                return Err(wrong());
            }
            if u64_at(&bytes, 24) != u64_at(&bytes, 32) || u64_at(&bytes, 16) != 0 {
                return Err(wrong());
            }
            found.count = u64_at(&bytes, 32);
            found.size = u64_at(&bytes, 40);
            found.start = u64_at(&bytes, 48);
        }
        if found.count > MOST_ENTRIES {
            return Err(format!(
                "it has {} files, more than {MOST_ENTRIES}",
                found.count
            ));
        }
        if found.start.checked_add(found.size) != Some(end_at) {
            return Err("its directory is not where its end says".to_owned());
        }
        // 46 bytes and a name for each entry.
        if found.size > found.count * (46 + 4 * LONGEST_NAME as u64) {
            return Err("its directory is larger than its number of files allows".to_owned());
        }
        Ok(found)
    }

    fn entries(&self, file: &mut File, folders: Folders) -> Result<Vec<ArchiveFile>, ArchiveError> {
        let failed = |error: io::Error| error.to_string();
        let bytes = bytes_at(file, self.start, self.size).map_err(failed)?;
        let mut rest = &bytes[..];
        let mut entries = Vec::new();
        for _ in 0..self.count {
            let left_out = folder_length(rest).filter(|_| folders == Folders::LeftOut);
            if let Some(length) = left_out {
                rest = &rest[length..];
                continue;
            }
            let (entry, length) = central(rest)?;
            entries.push(entry);
            rest = &rest[length..];
        }
        if !rest.is_empty() {
            return Err("its directory has more bytes than entries".to_owned());
        }
        Ok(entries)
    }
}

/// The length of an entry for a folder, which is empty and whose name ends with `/`; none for files.
fn folder_length(bytes: &[u8]) -> Option<usize> {
    if bytes.len() < 46 || !bytes.starts_with(b"PK\x01\x02") {
        return None;
    }
    let lengths = [28, 30, 32].map(|at| usize::from(u16_at(bytes, at)));
    let length = 46 + lengths.iter().sum::<usize>();
    let name = bytes.get(46..length)?.get(..lengths[0])?;
    (name.ends_with(b"/") && u32_at(bytes, 24) == 0).then_some(length)
}

/// One entry of the central directory, and its length there.
fn central(bytes: &[u8]) -> Result<(ArchiveFile, usize), ArchiveError> {
    let damaged = || "its directory is damaged".to_owned();
    if bytes.len() < 46 || !bytes.starts_with(b"PK\x01\x02") {
        return Err(damaged());
    }
    let lengths = [28, 30, 32].map(|at| usize::from(u16_at(bytes, at)));
    let length = 46 + lengths.iter().sum::<usize>();
    let variable = bytes.get(46..length).ok_or_else(damaged)?;
    let (name, variable) = variable.split_at(lengths[0]);
    let name = plain_name(name)?;
    let mut entry = ArchiveFile {
        deflated: method(&name, u16_at(bytes, 8), u16_at(bytes, 10))?,
        crc: u32_at(bytes, 16),
        packed: u64::from(u32_at(bytes, 20)),
        size: u64::from(u32_at(bytes, 24)),
        offset: u64::from(u32_at(bytes, 42)),
        data: 0..0,
        name,
    };
    let name = &entry.name;
    // The upper byte names the system; 3 is Unix, whose modes are above the attributes of DOS.
    let kind = u32_at(bytes, 38) >> 16 & 0o170_000;
    if kind != 0 && kind != 0o100_000 {
        return Err(format!("`{name}` is not a plain file"));
    }
    if u32_at(bytes, 38) & 0x10 != 0 {
        return Err(format!("`{name}` is a folder"));
    }
    if u16_at(bytes, 34) != 0 {
        return Err("it is a part of an archive in several files".to_owned());
    }
    let fields = [&mut entry.size, &mut entry.packed, &mut entry.offset];
    large_fields(&variable[..lengths[1]], fields).ok_or_else(damaged)?;
    if entry.deflated && entry.size > LARGEST_TEXT {
        return Err(format!("`{}` would have more than 256 MiB", entry.name));
    }
    if !entry.deflated && entry.size != entry.packed {
        return Err(format!("`{}` has two sizes", entry.name));
    }
    Ok((entry, length))
}

/// Replaces the fields that are too large for the header by those of the zip64 block.
fn large_fields(mut extra: &[u8], fields: [&mut u64; 3]) -> Option<()> {
    let mut block: &[u8] = &[];
    while !extra.is_empty() {
        let size = usize::from(u16::from_le_bytes(extra.get(2..4)?.try_into().ok()?));
        let content = extra.get(4..4 + size)?;
        if extra.starts_with(&[1, 0]) {
            block = content;
        }
        extra = &extra[4 + size..];
    }
    for field in fields {
        if *field == LARGE {
            let (value, rest) = block.split_first_chunk()?;
            *field = u64::from_le_bytes(*value);
            block = rest;
        }
    }
    Some(())
}

/// Whether an entry is deflated; other methods, encryption and sizes that follow the data are
/// refused.
fn method(name: &str, flags: u16, method: u16) -> Result<bool, ArchiveError> {
    if flags & 0x2041 != 0 {
        return Err(format!("`{name}` is encrypted"));
    }
    if flags & !0x0806 != 0 {
        return Err(format!(
            "`{name}` has its sizes after its data, or is a patch"
        ));
    }
    match method {
        0 => Ok(false),
        8 => Ok(true),
        other => Err(format!(
            "`{name}` is compressed by method {other}; known are 0 and 8"
        )),
    }
}

/// The bytes of the data of an entry, when its local header says what the directory says.
fn local(file: &mut File, entry: &ArchiveFile) -> Result<Range<u64>, ArchiveError> {
    let name = &entry.name;
    let beyond = |_| format!("`{name}` is beyond the end of the archive");
    let head = bytes_at(file, entry.offset, 30).map_err(beyond)?;
    let lengths = [26, 28].map(|at| u64::from(u16_at(&head, at)));
    let start = entry.offset + 30;
    let variable = bytes_at(file, start, lengths[0] + lengths[1]).map_err(beyond)?;
    let (local_name, extra) = variable.split_at(lengths[0] as usize);
    let mut packed = u64::from(u32_at(&head, 18));
    let mut size = u64::from(u32_at(&head, 22));
    let mut none = 0;
    let agree = head.starts_with(b"PK\x03\x04")
        && large_fields(extra, [&mut size, &mut packed, &mut none]).is_some()
        && local_name == name.as_bytes()
        && method(name, u16_at(&head, 6), u16_at(&head, 8))? == entry.deflated
        && (u32_at(&head, 14), packed, size) == (entry.crc, entry.packed, entry.size);
    if !agree {
        return Err(format!("the two headers of `{name}` disagree"));
    }
    let start = start + lengths[0] + lengths[1];
    let end = start.checked_add(entry.packed);
    Ok(start..end.ok_or_else(|| beyond(io::ErrorKind::InvalidData.into()))?)
}

fn refuse_overlaps(entries: &[ArchiveFile], directory: u64) -> Result<(), ArchiveError> {
    let mut places: Vec<(u64, u64, &str)> = entries
        .iter()
        .map(|entry| (entry.offset, entry.data.end, &*entry.name))
        .collect();
    places.sort_unstable();
    let mut free = 0;
    for (start, end, name) in places {
        if start < free || end > directory {
            return Err(format!("`{name}` overlaps with other files of the archive"));
        }
        free = end;
    }
    Ok(())
}

/// The name of an entry, when it is a path inside of the archive on every system.
fn plain_name(bytes: &[u8]) -> Result<String, ArchiveError> {
    let name = std::str::from_utf8(bytes);
    let name = name.map_err(|_| "a name is not UTF-8".to_owned())?;
    let shown = name.escape_debug();
    let wrong = |why: &str| Err(format!("the name `{shown}` {why}"));
    let reserved = |part: &str| {
        let stem = part.split('.').next().unwrap_or(part).to_ascii_uppercase();
        let numbered = |head: &str| stem.len() == 4 && stem.starts_with(head);
        matches!(&*stem, "CON" | "PRN" | "AUX" | "NUL") || numbered("COM") || numbered("LPT")
    };
    match () {
        () if name.is_empty() || name.len() > LONGEST_NAME => wrong("is empty or too long"),
        () if name.starts_with('/') => wrong("is an absolute path"),
        () if name.contains(['\\', ':', '*', '?', '<', '>', '|', '"']) => {
            wrong("has a character that some systems do not allow")
        }
        () if name.chars().any(char::is_control) => wrong("has a control character"),
        () if name.split('/').any(|part| matches!(part, "" | "." | "..")) => {
            wrong("leaves its folder, or has an empty part")
        }
        () if name
            .split('/')
            .any(|part| part.ends_with(['.', ' ']) || part.len() > 255) =>
        {
            wrong("has a part that some systems change")
        }
        () if name.split('/').any(reserved) => wrong("is a device on some systems"),
        () => Ok(name.to_owned()),
    }
}

/// Refuses two names that are one on a system that ignores case, and files that are folders, too.
fn refuse_names(entries: &[ArchiveFile]) -> Result<(), ArchiveError> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for entry in entries {
        if let Some(other) = seen.insert(entry.name.to_lowercase(), &entry.name) {
            return Err(format!("`{}` and `{other}` have the same name", entry.name));
        }
    }
    for name in seen.keys() {
        for (at, _) in name.match_indices('/') {
            if let Some(other) = seen.get(&name[..at]) {
                return Err(format!("`{other}` is a file and a folder"));
            }
        }
    }
    Ok(())
}

fn bytes_at(file: &mut File, at: u64, length: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::new();
    file.take(length).read_to_end(&mut bytes)?;
    match bytes.len() as u64 == length {
        true => Ok(bytes),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// Callers have made sure that the bytes are there.
fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
