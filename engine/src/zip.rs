//! Writes zip archives whose bytes follow from their content alone: no times, sorted names.
//!
//! PKWARE's APPNOTE 6.3.10, sections 4.3 and 4.5.3 (zip64).

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};

/// Sizes and offsets from here on are in the zip64 fields.
pub const LARGE: u64 = 0xFFFF_FFFF;
/// 1980-01-01, the first day of zip.
const DATE: u16 = 0x0021;
/// A plain file that everybody may read, as Unix says it.
const MODE: u32 = 0o100_644 << 16;
/// Names are UTF-8.
pub const UTF8: u16 = 0x0800;

/// What an entry holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Bytes, which are compressed.
    Text(Vec<u8>),
    /// Bytes, as they are.
    Bytes(Vec<u8>),
    /// A file, as it is.
    File(PathBuf),
}

struct Written {
    name: String,
    method: u16,
    crc: u32,
    packed: u64,
    size: u64,
    offset: u64,
}

/// Writes the entries in their order.
///
/// # Errors
/// As [`Archive::add`] and [`Archive::end`].
pub fn write_archive(entries: &[(String, Content)], out: &mut impl Write) -> io::Result<()> {
    let mut archive = Archive::new(out);
    for (name, content) in entries {
        archive.add(name, content)?;
    }
    archive.end()
}

/// An archive while it is written, one entry after the other.
pub struct Archive<'w, W> {
    out: &'w mut W,
    written: Vec<Written>,
    at: u64,
}

impl<'w, W: Write> Archive<'w, W> {
    /// One without entries.
    pub fn new(out: &'w mut W) -> Self {
        Self {
            out,
            written: Vec::new(),
            at: 0,
        }
    }

    /// Writes the next entry.
    ///
    /// # Errors
    /// When a file cannot be read, changes while it is read, or the archive cannot be written.
    pub fn add(&mut self, name: &str, content: &Content) -> io::Result<()> {
        let entry = write_entry(name, content, self.at, self.out)?;
        self.at += local_header(&entry).len() as u64 + entry.packed;
        self.written.push(entry);
        Ok(())
    }

    /// Writes the directory, which ends the archive.
    ///
    /// # Errors
    /// When the archive cannot be written.
    pub fn end(self) -> io::Result<()> {
        let mut at = self.at;
        for entry in &self.written {
            let header = central_header(entry);
            self.out.write_all(&header)?;
            at += header.len() as u64;
        }
        let count = self.written.len() as u64;
        self.out.write_all(&end(count, self.at, at - self.at))
    }
}

fn write_entry(
    name: &str,
    content: &Content,
    at: u64,
    out: &mut impl Write,
) -> io::Result<Written> {
    let mut entry = Written {
        name: name.to_owned(),
        method: 0,
        crc: 0,
        packed: 0,
        size: 0,
        offset: at,
    };
    match content {
        Content::Text(bytes) => {
            let mut packer = DeflateEncoder::new(Vec::new(), Compression::new(6));
            packer.write_all(bytes)?;
            let packed = packer.finish()?;
            entry.method = 8;
            (entry.crc, entry.size) = (crc(&bytes[..])?.0, bytes.len() as u64);
            entry.packed = packed.len() as u64;
            out.write_all(&local_header(&entry))?;
            out.write_all(&packed)?;
        }
        Content::Bytes(bytes) => {
            (entry.crc, entry.size) = crc(&bytes[..])?;
            entry.packed = entry.size;
            out.write_all(&local_header(&entry))?;
            out.write_all(bytes)?;
        }
        Content::File(path) => {
            (entry.crc, entry.size) = crc(File::open(path)?)?;
            entry.packed = entry.size;
            out.write_all(&local_header(&entry))?;
            let mut again = Crc::new();
            let copied = copy(File::open(path)?.take(entry.size + 1), |bytes| {
                again.update(bytes);
                out.write_all(bytes)
            })?;
            if (again.sum(), copied) != (entry.crc, entry.size) {
                let message = format!("`{}` changed while it was read", path.display());
                return Err(io::Error::other(message));
            }
        }
    }
    Ok(entry)
}

fn crc(from: impl Read) -> io::Result<(u32, u64)> {
    let mut crc = Crc::new();
    let size = copy(from, |bytes| {
        crc.update(bytes);
        Ok(())
    })?;
    Ok((crc.sum(), size))
}

fn copy(mut from: impl Read, mut to: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<u64> {
    let mut buffer = vec![0; 1 << 18];
    let mut size = 0;
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(size),
            read => {
                to(&buffer[..read])?;
                size += read as u64;
            }
        }
    }
}

/// The fields that local and central headers share, from the version to the length of the name.
fn shared(entry: &Written, is_large: bool) -> Vec<u8> {
    let version: u16 = if is_large { 45 } else { 20 };
    let small = |size: u64| if is_large { LARGE as u32 } else { size as u32 };
    let mut bytes = Vec::new();
    for field in [version, UTF8, entry.method, 0, DATE] {
        bytes.extend(field.to_le_bytes());
    }
    for field in [entry.crc, small(entry.packed), small(entry.size)] {
        bytes.extend(field.to_le_bytes());
    }
    bytes.extend((entry.name.len() as u16).to_le_bytes());
    bytes
}

fn local_header(entry: &Written) -> Vec<u8> {
    let is_large = entry.size >= LARGE || entry.packed >= LARGE;
    let mut bytes = b"PK\x03\x04".to_vec();
    bytes.extend(shared(entry, is_large));
    bytes.extend((if is_large { 20_u16 } else { 0 }).to_le_bytes());
    bytes.extend(entry.name.as_bytes());
    if is_large {
        bytes.extend([1, 0, 16, 0]);
        bytes.extend(entry.size.to_le_bytes());
        bytes.extend(entry.packed.to_le_bytes());
    }
    bytes
}

fn central_header(entry: &Written) -> Vec<u8> {
    let is_large = [entry.size, entry.packed, entry.offset]
        .iter()
        .any(|field| *field >= LARGE);
    let mut bytes = b"PK\x01\x02".to_vec();
    bytes.extend((3_u16 << 8 | 45).to_le_bytes());
    bytes.extend(shared(entry, is_large));
    bytes.extend((if is_large { 28_u16 } else { 0 }).to_le_bytes());
    // No comment, the first disk, no internal attributes.
    bytes.extend([0; 6]);
    bytes.extend(MODE.to_le_bytes());
    let offset = if is_large { LARGE } else { entry.offset };
    bytes.extend((offset as u32).to_le_bytes());
    bytes.extend(entry.name.as_bytes());
    if is_large {
        bytes.extend([1, 0, 24, 0]);
        for field in [entry.size, entry.packed, entry.offset] {
            bytes.extend(field.to_le_bytes());
        }
    }
    bytes
}

fn end(count: u64, start: u64, size: u64) -> Vec<u8> {
    let is_large = count >= 0xFFFF || start >= LARGE || size >= LARGE;
    let mut bytes = Vec::new();
    if is_large {
        bytes.extend(b"PK\x06\x06");
        bytes.extend(44_u64.to_le_bytes());
        bytes.extend([45, 3, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        for field in [count, count, size, start] {
            bytes.extend(field.to_le_bytes());
        }
        bytes.extend(b"PK\x06\x07\0\0\0\0");
        bytes.extend((start + size).to_le_bytes());
        bytes.extend(1_u32.to_le_bytes());
    }
    let count = if is_large { 0xFFFF } else { count as u16 };
    let small = |field: u64| if is_large { LARGE as u32 } else { field as u32 };
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend(count.to_le_bytes());
    bytes.extend(count.to_le_bytes());
    bytes.extend(small(size).to_le_bytes());
    bytes.extend(small(start).to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}
