//! What is in a page: runs of small numbers, differences, bytes apart.

use super::thrift::{DAMAGED, Input};

/// Numbers of `width` bits in runs of one number and runs of packed ones.
pub fn runs(bytes: &[u8], width: u32, count: usize) -> Result<Vec<u32>, String> {
    if width > 32 {
        return Err(DAMAGED.to_owned());
    }
    let mut input = Input { rest: bytes };
    let mut values = Vec::with_capacity(count);
    while values.len() < count {
        if width == 0 && input.rest.is_empty() {
            values.resize(count, 0);
            break;
        }
        let head = input.varint()?;
        let length = usize::try_from(head >> 1).map_err(|_| DAMAGED)?;
        let left = count - values.len();
        if length == 0 {
            return Err(DAMAGED.to_owned());
        }
        if head & 1 == 0 {
            let bytes = input.take(width.div_ceil(8) as usize)?;
            let value = bytes
                .iter()
                .rev()
                .fold(0_u32, |value, byte| (value << 8) | u32::from(*byte));
            values.resize(values.len() + length.min(left), value);
        } else {
            // The last run may stop where its values do.
            let most = length.saturating_mul(width as usize).min(input.rest.len());
            let bytes = input.take(most)?;
            let wanted = length.saturating_mul(8).min(left);
            let has = match width {
                0 => wanted,
                width => bytes.len() * 8 / width as usize,
            };
            if has < wanted {
                return Err(DAMAGED.to_owned());
            }
            unpack(bytes, width, wanted, |value| values.push(value as u32));
        }
    }
    Ok(values)
}

/// Calls `each` with `count` numbers of `width` bits, the lowest bit first; there are enough bytes.
fn unpack(bytes: &[u8], width: u32, count: usize, mut each: impl FnMut(u64)) {
    let (mut held, mut bits, mut next) = (0_u128, 0, bytes.iter());
    let mask = (1_u128 << width) - 1;
    for _ in 0..count {
        while bits < width {
            held |= u128::from(next.next().copied().unwrap_or_default()) << bits;
            bits += 8;
        }
        each((held & mask) as u64);
        held >>= width;
        bits -= width;
    }
}

/// Bits, the lowest first.
pub fn bits(bytes: &[u8], count: usize) -> Result<Vec<bool>, String> {
    match bytes.len() * 8 >= count {
        true => Ok((0..count)
            .map(|at| bytes[at / 8] >> (at % 8) & 1 == 1)
            .collect()),
        false => Err(DAMAGED.to_owned()),
    }
}

/// Bits, the highest first, as old files have their levels.
pub fn reversed_bits(bytes: &[u8], count: usize) -> Result<Vec<u32>, String> {
    match bytes.len() * 8 >= count {
        true => Ok((0..count)
            .map(|at| u32::from(bytes[at / 8] >> (7 - at % 8) & 1))
            .collect()),
        false => Err(DAMAGED.to_owned()),
    }
}

/// Whole numbers by their differences, packed in blocks; the input stands behind them then.
pub fn differences(input: &mut Input, count: usize) -> Result<Vec<i64>, String> {
    let number = |input: &mut Input| -> Result<usize, String> {
        usize::try_from(input.varint()?).map_err(|_| DAMAGED.to_owned())
    };
    let (block, parts, total) = (number(input)?, number(input)?, number(input)?);
    let first = input.zigzag()?;
    if total != count || parts == 0 || block % parts != 0 || (block / parts) % 8 != 0 || block == 0
    {
        return Err(DAMAGED.to_owned());
    }
    let each = block / parts;
    let mut values = Vec::with_capacity(count);
    if count > 0 {
        values.push(first);
    }
    let mut last = first;
    while values.len() < count {
        let least = input.zigzag()?;
        let widths = input.take(parts)?;
        for width in widths {
            let left = count - values.len();
            if left == 0 {
                break;
            }
            let width = u32::from(*width);
            if width > 64 {
                return Err(DAMAGED.to_owned());
            }
            let bytes = input.take((each / 8).checked_mul(width as usize).ok_or(DAMAGED)?)?;
            unpack(bytes, width, each.min(left), |difference| {
                last = last
                    .wrapping_add(least)
                    .wrapping_add(difference.cast_signed());
                values.push(last);
            });
        }
    }
    Ok(values)
}

/// Values of `width` bytes each from all their first bytes, then all their second bytes, ….
pub fn joined_streams(bytes: &[u8], width: usize, count: usize) -> Result<Vec<u8>, String> {
    let total = width.checked_mul(count).ok_or(DAMAGED)?;
    let bytes = bytes.get(..total).ok_or(DAMAGED)?;
    let mut joined = vec![0; total];
    for (place, stream) in bytes.chunks_exact(count.max(1)).enumerate() {
        for (at, byte) in stream.iter().enumerate() {
            joined[at * width + place] = *byte;
        }
    }
    Ok(joined)
}

/// Calls `each` with byte strings whose lengths stand before them as differences.
pub fn lengths_first<'b>(
    input: &mut Input<'b>,
    count: usize,
    mut each: impl FnMut(&'b [u8]) -> Result<(), String>,
) -> Result<(), String> {
    for length in differences(input, count)? {
        each(input.take(usize::try_from(length).map_err(|_| DAMAGED)?)?)?;
    }
    Ok(())
}

/// Byte strings that share their beginnings with the one before are no longer than this.
const LONGEST: usize = 1 << 24;

/// Calls `each` with byte strings that begin as the one before does.
pub fn shared_beginnings(
    input: &mut Input,
    count: usize,
    mut each: impl FnMut(&[u8]) -> Result<(), String>,
) -> Result<(), String> {
    let shared = differences(input, count)?;
    let mut last: Vec<u8> = Vec::new();
    let mut shared = shared.into_iter();
    lengths_first(input, count, |end| {
        let shared = usize::try_from(shared.next().unwrap_or_default()).map_err(|_| DAMAGED)?;
        if shared > last.len() || shared + end.len() > LONGEST {
            return Err(DAMAGED.to_owned());
        }
        last.truncate(shared);
        last.extend_from_slice(end);
        each(&last)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_and_packed_numbers_are_read() {
        // The example of the format: 0 to 7 in three bits, packed; then four times a 5.
        let bytes = [0x03, 0x88, 0xc6, 0xfa, 0x08, 0x05];
        let values = runs(&bytes, 3, 12).expect("values");
        assert_eq!(values, [0, 1, 2, 3, 4, 5, 6, 7, 5, 5, 5, 5]);
        assert!(runs(&bytes, 3, 13).is_err());
        assert_eq!(runs(&[], 0, 3), Ok(vec![0; 3]));
    }

    #[test]
    fn differences_are_summed() {
        // 7, 5, 3, 1, 2, 3, 4, 5 of the format's document: block 128, one part.
        let mut bytes = vec![0x80, 0x01, 0x01, 0x08, 0x0e];
        // The least difference is -2, the others are 0 0 0 3 3 3 3 in two bits.
        bytes.extend([0x03, 0x02, 0b1100_0000, 0b0011_1111]);
        bytes.extend([0; 30]);
        let mut input = Input { rest: &bytes };
        assert_eq!(differences(&mut input, 8), Ok(vec![7, 5, 3, 1, 2, 3, 4, 5]));
        assert!(input.rest.is_empty());
    }

    #[test]
    fn streams_are_joined() {
        assert_eq!(joined_streams(&[1, 2, 3, 4], 2, 2), Ok(vec![1, 3, 2, 4]));
        assert!(joined_streams(&[1, 2, 3], 2, 2).is_err());
    }
}
