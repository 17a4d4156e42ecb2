//! The keys and values of a Zarr store: the files of a folder or the entries of a zip file.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use engine::error::Fault;
use engine::files::DataFile;

use super::super::codecs;

/// An open store.
pub struct Store {
    shown: String,
    /// By key, without the folder that holds the whole.
    entries: BTreeMap<String, Entry>,
}

/// Where the bytes of a key are.
enum Entry {
    File(DataFile),
    Zipped(Zipped),
}

/// An entry of a zip file.
struct Zipped {
    file: DataFile,
    head: u64,
    stored: u64,
    size: u64,
    is_deflated: bool,
    crc: u32,
}

/// Documents of metadata are not larger than this.
pub const LARGEST_DOCUMENT: usize = 64 << 20;

/// How many entries a zip file has at most.
const MOST_ENTRIES: u64 = 1_000_000;

impl Store {
    /// The files of a folder.
    pub fn of_folder(root: &Path, files: Vec<DataFile>) -> Self {
        let key = |file: &DataFile| {
            let below = file.path().strip_prefix(root).unwrap_or(file.path());
            let names = below
                .components()
                .map(|part| part.as_os_str().to_string_lossy());
            names.collect::<Vec<_>>().join("/")
        };
        let entries = files
            .into_iter()
            .map(|file| (key(&file), Entry::File(file)));
        Self {
            shown: root.display().to_string(),
            entries: entries.collect(),
        }
        .without_folder()
    }

    /// The entries of a zip file.
    ///
    /// # Errors
    /// When it is not one or is damaged.
    pub fn of_zip(file: &DataFile) -> Result<Self, Fault> {
        let shown = file.path().display().to_string();
        let zip = directory(file).map_err(|reason| refused(&shown, reason))?;
        let entries = zip
            .into_iter()
            .map(|(key, entry)| (key, Entry::Zipped(entry)));
        Ok(Self {
            shown,
            entries: entries.collect(),
        }
        .without_folder())
    }

    /// The same with keys that begin where the metadata of the whole is.
    fn without_folder(mut self) -> Self {
        let documents = ["zarr.json", ".zgroup", ".zarray", ".zmetadata"];
        let tops = self.entries.keys().filter_map(|key| {
            let name = key.rsplit('/').next().unwrap_or(key);
            let folder = &key[..key.len() - name.len()];
            documents.contains(&name).then_some(folder)
        });
        let top = tops
            .min_by_key(|folder| folder.len())
            .unwrap_or_default()
            .to_owned();
        if !top.is_empty() {
            let inside =
                |(key, entry): (String, Entry)| Some((key.strip_prefix(&top)?.to_owned(), entry));
            self.entries = self.entries.into_iter().filter_map(inside).collect();
        }
        self
    }

    /// What people call it.
    pub fn shown(&self) -> &str {
        &self.shown
    }

    /// All keys in their order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// The bytes of a key, at most `limit`; none when it is not there.
    ///
    /// # Errors
    /// When there are more, or they are damaged.
    pub fn get(&self, key: &str, limit: usize) -> Result<Option<Vec<u8>>, Fault> {
        let Some(entry) = self.entries.get(key) else {
            return Ok(None);
        };
        let size = match entry {
            Entry::File(file) => file.size(),
            Entry::Zipped(zipped) => zipped.size.max(zipped.stored),
        };
        let refuse = |reason: String| refused(&self.shown, format!("`{key}`: {reason}"));
        if size > limit as u64 {
            return Err(refuse(format!("it has {size} bytes, more than {limit}")));
        }
        let read = match entry {
            Entry::File(file) => file.read_all().map_err(|error| error.to_string()),
            Entry::Zipped(zipped) => zipped.read(),
        };
        read.map(Some).map_err(refuse)
    }
}

impl Zipped {
    fn read(&self) -> Result<Vec<u8>, String> {
        let mut head = [0; 30];
        let cut = |_: io::Error| "the zip file ends early".to_owned();
        self.file.read_at(self.head, &mut head).map_err(cut)?;
        if head[..4] != *b"PK\x03\x04" {
            return Err("its entry in the zip file is damaged".to_owned());
        }
        let lengths = u64::from(u16_at(&head, 26)) + u64::from(u16_at(&head, 28));
        let mut stored = vec![0; self.stored as usize];
        self.file
            .read_at(self.head + 30 + lengths, &mut stored)
            .map_err(cut)?;
        let bytes = match self.is_deflated {
            true => codecs::deflate(&stored, self.size as usize).map_err(|it| it.to_string())?,
            false => stored,
        };
        let mut crc = flate2::Crc::new();
        crc.update(&bytes);
        match bytes.len() as u64 == self.size && crc.sum() == self.crc {
            true => Ok(bytes),
            false => Err("its entry in the zip file is damaged".to_owned()),
        }
    }
}

/// The entries of a zip file (APPNOTE.TXT 6.3.10, sections 4.3.12 to 4.3.16).
fn directory(file: &DataFile) -> Result<Vec<(String, Zipped)>, String> {
    const END: usize = 22;
    let damaged = || "it is not a zip file, or damaged".to_owned();
    let read = |start: u64, count: usize| {
        let mut bytes = vec![0; count];
        let read = file.read_at(start, &mut bytes);
        read.map(|()| bytes).map_err(|_| damaged())
    };
    // The end of the directory stands before a comment of at most 64 KiB.
    let tail = file.size().min(END as u64 + 0xffff);
    let bytes = read(file.size() - tail, tail as usize)?;
    let end = bytes.windows(4).rposition(|four| four == b"PK\x05\x06");
    let end = end
        .filter(|at| at + END <= bytes.len())
        .ok_or_else(damaged)?;
    let record = &bytes[end..];
    let mut count = u64::from(u16_at(record, 10));
    let mut size = u64::from(u32_at(record, 12));
    let mut start = u64::from(u32_at(record, 16));
    if count == 0xffff || size == 0xffff_ffff || start == 0xffff_ffff {
        let locator = end.checked_sub(20).map(|at| &bytes[at..end]);
        let locator = locator.filter(|it| it.starts_with(b"PK\x06\x07"));
        if let Some(locator) = locator {
            let wide = read(u64_at(locator, 8), 56)?;
            if !wide.starts_with(b"PK\x06\x06") {
                return Err(damaged());
            }
            (count, size, start) = (u64_at(&wide, 32), u64_at(&wide, 40), u64_at(&wide, 48));
        }
    }
    if count > MOST_ENTRIES || size > file.size() {
        return Err(damaged());
    }
    let all = read(start, size as usize)?;
    let mut rest = all.as_slice();
    let mut entries = Vec::new();
    for _ in 0..count {
        if rest.len() < 46 || !rest.starts_with(b"PK\x01\x02") {
            return Err(damaged());
        }
        let (name, extra) = (usize::from(u16_at(rest, 28)), usize::from(u16_at(rest, 30)));
        let comment = usize::from(u16_at(rest, 32));
        let whole = 46 + name + extra + comment;
        let entry = rest.get(..whole).ok_or_else(damaged)?;
        let key = String::from_utf8_lossy(&entry[46..46 + name]).into_owned();
        let mut sizes = [24, 20, 42].map(|at| u64::from(u32_at(entry, at)));
        widen(&mut sizes, &entry[46 + name..46 + name + extra]);
        let [size, stored, head] = sizes;
        let method = u16_at(entry, 10);
        if u16_at(entry, 8) & 1 != 0 {
            return Err(format!("`{key}` is encrypted"));
        }
        if !key.ends_with('/') {
            if ![0, 8].contains(&method) {
                return Err(format!("`{key}` is compressed by method {method} of zip"));
            }
            let entry = Zipped {
                file: file.clone(),
                head,
                stored,
                size,
                is_deflated: method == 8,
                crc: u32_at(entry, 16),
            };
            entries.push((key, entry));
        }
        rest = &rest[whole..];
    }
    Ok(entries)
}

/// Sizes that do not fit in 32 bits are in the extra field 1.
fn widen(sizes: &mut [u64; 3], mut extra: &[u8]) {
    while extra.len() >= 4 {
        let (id, length) = (u16_at(extra, 0), usize::from(u16_at(extra, 2)));
        let Some(field) = extra.get(4..4 + length) else {
            return;
        };
        if id == 1 {
            let mut wide = field.chunks_exact(8);
            for size in sizes.iter_mut().filter(|size| **size == 0xffff_ffff) {
                if let Some(bytes) = wide.next() {
                    *size = u64_at(bytes, 0);
                }
            }
        }
        extra = &extra[4 + length..];
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    let bytes = bytes.get(at..).and_then(|rest| rest.first_chunk());
    bytes.map_or(0, |bytes| u16::from_le_bytes(*bytes))
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let bytes = bytes.get(at..).and_then(|rest| rest.first_chunk());
    bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let bytes = bytes.get(at..).and_then(|rest| rest.first_chunk());
    bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// The complaint about a store that is not what it should be.
pub(super) fn refused(shown: &str, reason: impl std::fmt::Display) -> Fault {
    Fault::at("file", format!("cannot read `{shown}` as zarr: {reason}"))
}
