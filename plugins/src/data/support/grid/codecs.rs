//! Decompressors that HDF5 filters and Zarr codecs share. Each returns at most `limit` bytes: a
//! few bytes may expand to any number.

use std::fmt;
use std::io::Read;

/// Why bytes do not decompress.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused(pub String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn damaged(codec: &str) -> Refused {
    Refused(format!("damaged {codec} data"))
}

fn too_large(codec: &str, limit: usize) -> Refused {
    Refused(format!("{codec} data expand to more than {limit} bytes"))
}

fn read(codec: &str, from: impl Read, limit: usize) -> Result<Vec<u8>, Refused> {
    let mut bytes = Vec::new();
    let read = from.take(limit as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|_| damaged(codec))?;
    match bytes.len() <= limit {
        true => Ok(bytes),
        false => Err(too_large(codec, limit)),
    }
}

/// Zstandard (RFC 8878), one or more frames.
pub fn zstd(bytes: &[u8], limit: usize) -> Result<Vec<u8>, Refused> {
    let decoder = zstd::stream::read::Decoder::with_buffer(bytes);
    read("zstd", decoder.map_err(|_| damaged("zstd"))?, limit)
}

/// gzip (RFC 1952), one or more members.
pub fn gzip(bytes: &[u8], limit: usize) -> Result<Vec<u8>, Refused> {
    read("gzip", flate2::bufread::MultiGzDecoder::new(bytes), limit)
}

/// zlib (RFC 1950).
pub fn zlib(bytes: &[u8], limit: usize) -> Result<Vec<u8>, Refused> {
    read("zlib", flate2::bufread::ZlibDecoder::new(bytes), limit)
}

/// Deflate without a head (RFC 1951), as in zip files.
pub fn deflate(bytes: &[u8], limit: usize) -> Result<Vec<u8>, Refused> {
    read(
        "deflate",
        flate2::bufread::DeflateDecoder::new(bytes),
        limit,
    )
}

/// bzip2.
pub fn bzip2(bytes: &[u8], limit: usize) -> Result<Vec<u8>, Refused> {
    read("bzip2", bzip2::bufread::MultiBzDecoder::new(bytes), limit)
}

/// An LZ4 block after its size in four bytes, as numcodecs writes it.
pub fn lz4(bytes: &[u8], limit: usize) -> Result<Vec<u8>, Refused> {
    let (size, block) = bytes.split_first_chunk().ok_or_else(|| damaged("lz4"))?;
    let size = u32::from_le_bytes(*size) as usize;
    if size > limit {
        return Err(too_large("lz4", limit));
    }
    let mut out = vec![0; size];
    lz4_block(block, &mut out)?;
    Ok(out)
}

fn lz4_block(bytes: &[u8], out: &mut [u8]) -> Result<(), Refused> {
    match lz4_flex::block::decompress_into(bytes, out) {
        Ok(count) if count == out.len() => Ok(()),
        _ => Err(damaged("lz4")),
    }
}

/// LZF, as h5py writes it (liblzf `lzf_d.c`).
pub fn lzf(bytes: &[u8], limit: usize) -> Result<Vec<u8>, Refused> {
    let mut out = Vec::new();
    let mut rest = bytes.iter().copied();
    let mut next = || rest.next().ok_or_else(|| damaged("lzf"));
    while let Ok(control) = next() {
        match usize::from(control) {
            literals @ 0..32 => {
                for _ in 0..=literals {
                    out.push(next()?);
                }
            }
            control => {
                let mut length = control >> 5;
                if length == 7 {
                    length += usize::from(next()?);
                }
                let distance = ((control & 31) << 8) + usize::from(next()?) + 1;
                repeat(&mut out, distance, length + 2).ok_or_else(|| damaged("lzf"))?;
            }
        }
        if out.len() > limit {
            return Err(too_large("lzf", limit));
        }
    }
    Ok(out)
}

/// Adds `length` bytes that stand `distance` bytes back; some of them may be among the added.
fn repeat(out: &mut Vec<u8>, distance: usize, length: usize) -> Option<()> {
    let start = out.len().checked_sub(distance)?;
    for at in start..start + length {
        out.push(out[at]);
    }
    Some(())
}

/// Blosc 1 (<https://github.com/Blosc/c-blosc/blob/main/README_CHUNK_FORMAT.rst>): blocks, each
/// shuffled and compressed by one of several codecs.
pub fn blosc(bytes: &[u8], limit: usize) -> Result<Vec<u8>, Refused> {
    let cut = || damaged("blosc");
    let head: &[u8; 16] = bytes.first_chunk().ok_or_else(cut)?;
    let word = |at: usize| u32_at(head, at).unwrap_or_default() as usize;
    let [version, _, flags, typesize, ..] = *head;
    let (size, block_size, stored) = (word(4), word(8), word(12));
    if version > 2 {
        return Err(Refused(format!("blosc format {version} is not supported")));
    }
    if size > limit {
        return Err(too_large("blosc", limit));
    }
    let bytes = bytes.get(..stored).ok_or_else(cut)?;
    if size == 0 {
        return Ok(Vec::new());
    }
    if flags & 2 != 0 {
        return Ok(bytes.get(16..16 + size).ok_or_else(cut)?.to_vec());
    }
    if block_size == 0 {
        return Err(cut());
    }
    let typesize = usize::from(typesize).max(1);
    let mut out = vec![0; size];
    for (index, block) in out.chunks_mut(block_size).enumerate() {
        let start = u32_at(bytes, 16 + 4 * index).ok_or_else(cut)? as usize;
        // Each byte of the numbers in a stream of its own, unless the block is short.
        let is_split = flags & 0x10 == 0
            && typesize <= 16
            && block_size / typesize >= 128
            && block.len() == block_size;
        let streams = if is_split { typesize } else { 1 };
        let mut plain = vec![0; block.len()];
        let mut at = start;
        let width = block.len() / streams;
        for part in plain.chunks_mut(width.max(1)) {
            let length = u32_at(bytes, at).ok_or_else(cut)? as usize;
            let stream = bytes.get(at + 4..(at + 4).checked_add(length).ok_or_else(cut)?);
            blosc_stream(flags >> 5, stream.ok_or_else(cut)?, part)?;
            at += 4 + length;
        }
        match flags & 5 {
            0 => block.copy_from_slice(&plain),
            1 => unshuffle(&plain, typesize, block),
            _ => unshuffle_bits(&plain, typesize, block),
        }
    }
    Ok(out)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

fn blosc_stream(codec: u8, bytes: &[u8], out: &mut [u8]) -> Result<(), Refused> {
    if bytes.len() == out.len() {
        out.copy_from_slice(bytes);
        return Ok(());
    }
    let plain = match codec {
        0 => blosclz(bytes, out.len())?,
        1 => return lz4_block(bytes, out),
        3 => zlib(bytes, out.len())?,
        4 => zstd(bytes, out.len())?,
        2 => return Err(Refused("snappy inside blosc is not supported".to_owned())),
        other => return Err(Refused(format!("blosc codec {other} is not supported"))),
    };
    match plain.len() == out.len() {
        true => out.copy_from_slice(&plain),
        false => return Err(damaged("blosc")),
    }
    Ok(())
}

/// BloscLZ (c-blosc `blosclz.c`).
fn blosclz(bytes: &[u8], size: usize) -> Result<Vec<u8>, Refused> {
    const FAR: usize = 8191;
    let cut = || damaged("blosclz");
    let mut out = Vec::with_capacity(size);
    let mut rest = bytes.iter().copied().map(usize::from);
    let mut control = rest.next().map(|first| first & 31);
    while let Some(code) = control {
        if code < 32 {
            for _ in 0..=code {
                out.push(rest.next().ok_or_else(cut)? as u8);
            }
        } else {
            let mut length = (code >> 5) - 1;
            let mut offset = (code & 31) << 8;
            if length == 6 {
                loop {
                    let more = rest.next().ok_or_else(cut)?;
                    length += more;
                    if more != 255 {
                        break;
                    }
                }
            }
            let low = rest.next().ok_or_else(cut)?;
            let is_far = low == 255 && offset == 31 << 8;
            offset += low;
            if is_far {
                let high = rest.next().ok_or_else(cut)?;
                offset = (high << 8) + rest.next().ok_or_else(cut)? + FAR;
            }
            if out.len() + length + 3 > size {
                return Err(cut());
            }
            repeat(&mut out, offset + 1, length + 3).ok_or_else(cut)?;
        }
        if out.len() > size {
            return Err(cut());
        }
        control = rest.next();
    }
    Ok(out)
}

/// Undoes the byte shuffle of numbers of `typesize` bytes.
pub fn unshuffle(bytes: &[u8], typesize: usize, out: &mut [u8]) {
    let count = bytes.len() / typesize;
    let whole = count * typesize;
    for (byte, plane) in bytes[..whole].chunks_exact(count.max(1)).enumerate() {
        for (at, value) in plane.iter().enumerate() {
            out[at * typesize + byte] = *value;
        }
    }
    out[whole..].copy_from_slice(&bytes[whole..]);
}

/// Undoes the bit shuffle; what is left of eight numbers is not shuffled.
fn unshuffle_bits(bytes: &[u8], typesize: usize, out: &mut [u8]) {
    let count = bytes.len() / typesize;
    if !count.is_multiple_of(8) {
        out.copy_from_slice(bytes);
        return;
    }
    let whole = count * typesize;
    out[..whole].fill(0);
    for (bit, plane) in bytes[..whole].chunks_exact((count / 8).max(1)).enumerate() {
        for (eight, value) in plane.iter().enumerate() {
            for within in 0..8 {
                let number = 8 * eight + within;
                out[number * typesize + bit / 8] |= (value >> within & 1) << (bit % 8);
            }
        }
    }
    out[whole..].copy_from_slice(&bytes[whole..]);
}

/// CRC-32C (RFC 3720, appendix B.4).
pub fn crc32c(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ (0x82f6_3b78 & 0_u32.wrapping_sub(crc & 1));
        }
    }
    !crc
}

/// Adler-32 (RFC 1950).
pub fn adler32(bytes: &[u8]) -> u32 {
    let (mut low, mut high) = (1_u32, 0_u32);
    for part in bytes.chunks(4096) {
        for byte in part {
            low += u32::from(*byte);
            high += low;
        }
        (low, high) = (low % 65_521, high % 65_521);
    }
    high << 16 | low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_the_published_ones() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(adler32(b"Wikipedia"), 0x11e6_0398);
    }
}
