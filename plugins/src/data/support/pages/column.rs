//! The pages of a column, one after the other.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Read;

use flate2::read::MultiGzDecoder;
use polars_parquet::parquet::compression::{Compression, DecompressionContext, decompress};

use super::encodings::{
    bits, differences, joined_streams, lengths_first, reversed_bits, runs, shared_beginnings,
};
use super::footer::{Chunk, EXACT, Footer, Leaf, Meaning, Physical};
use super::thrift::{DAMAGED, Input, Value};
use crate::data::support::damage::survive;

/// The values of a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Held {
    /// Numbers, or days since 1970-01-01; NaN where one is missing. And whether whole numbers
    /// were rounded.
    Numbers(Vec<f64>, bool),
    /// Numbers of 32 bits.
    Singles(Vec<f32>),
    /// Texts, each by its place in the list, which has none for one that is missing.
    Texts(Vec<u32>, Vec<String>),
}

/// A page has no more bytes than this.
const LARGEST_PAGE: usize = 1 << 30;

/// Different texts of a column have no more bytes than this in all.
const MOST_TEXT: usize = 1 << 30;

/// The place of a text that is missing.
const MISSING: u32 = u32::MAX;

/// The values of a column of a file.
pub fn read(bytes: &[u8], footer: &Footer, at: usize) -> Result<Held, String> {
    let leaf = &footer.leaves[at];
    let meaning = leaf.meaning.clone()?;
    let mut column = PageColumn {
        meaning,
        physical: leaf.physical,
        values: PageValues::new(meaning, leaf.physical),
        texts: PageTexts::default(),
        is_rounded: false,
    };
    column.values.reserve(footer.rows.min(bytes.len()));
    for group in &footer.groups {
        column.read_chunk(bytes, &group.chunks[at], leaf, group.rows)?;
    }
    Ok(match column.values {
        PageValues::Numbers(numbers) => Held::Numbers(numbers, column.is_rounded),
        PageValues::Singles(numbers) => Held::Singles(numbers),
        PageValues::Places(places) => Held::Texts(places, column.texts.labels),
    })
}

/// Values that were read, of a column, a dictionary or a page.
#[derive(Clone, Debug)]
enum PageValues {
    Numbers(Vec<f64>),
    Singles(Vec<f32>),
    Places(Vec<u32>),
}

impl PageValues {
    fn new(meaning: Meaning, physical: Physical) -> Self {
        match (meaning, physical) {
            (Meaning::Texts, _) => Self::Places(Vec::new()),
            (Meaning::Number, Physical::Float) => Self::Singles(Vec::new()),
            _ => Self::Numbers(Vec::new()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Numbers(values) => values.len(),
            Self::Singles(values) => values.len(),
            Self::Places(places) => places.len(),
        }
    }

    fn reserve(&mut self, count: usize) {
        match self {
            Self::Numbers(values) => values.reserve_exact(count),
            Self::Singles(values) => values.reserve_exact(count),
            Self::Places(places) => places.reserve_exact(count),
        }
    }

    fn extend(&mut self, other: Self) {
        match (self, other) {
            (Self::Numbers(values), Self::Numbers(more)) => values.extend(more),
            (Self::Singles(values), Self::Singles(more)) => values.extend(more),
            (Self::Places(places), Self::Places(more)) => places.extend(more),
            _ => {}
        }
    }

    /// The values at these places of a dictionary.
    fn at(&self, places: &[u32]) -> Result<Self, String> {
        fn found<T: Copy>(values: &[T], places: &[u32]) -> Result<Vec<T>, String> {
            let value = |place: &u32| values.get(*place as usize).copied();
            let found: Option<Vec<T>> = places.iter().map(value).collect();
            found.ok_or_else(|| DAMAGED.to_owned())
        }
        Ok(match self {
            Self::Numbers(values) => Self::Numbers(found(values, places)?),
            Self::Singles(values) => Self::Singles(found(values, places)?),
            Self::Places(values) => Self::Places(found(values, places)?),
        })
    }

    /// The values with those that are missing between them.
    fn spread(self, levels: &[u32]) -> Result<Self, String> {
        fn spread<T: Copy>(values: &[T], levels: &[u32], missing: T) -> Result<Vec<T>, String> {
            let mut values = values.iter();
            let value = |level: &u32| match level {
                0 => Some(missing),
                _ => values.next().copied(),
            };
            let spread: Option<Vec<T>> = levels.iter().map(value).collect();
            spread.ok_or_else(|| DAMAGED.to_owned())
        }
        Ok(match self {
            Self::Numbers(values) => Self::Numbers(spread(&values, levels, f64::NAN)?),
            Self::Singles(values) => Self::Singles(spread(&values, levels, f32::NAN)?),
            Self::Places(values) => Self::Places(spread(&values, levels, MISSING)?),
        })
    }
}

#[derive(Default)]
struct PageTexts {
    known: HashMap<String, u32>,
    labels: Vec<String>,
    bytes: usize,
}

impl PageTexts {
    fn place(&mut self, bytes: &[u8]) -> Result<u32, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "a text is not UTF-8")?;
        if let Some(place) = self.known.get(text) {
            return Ok(*place);
        }
        self.bytes += text.len();
        if self.bytes > MOST_TEXT {
            return Err("its texts have more than 1 GiB".to_owned());
        }
        let place = self.labels.len() as u32;
        self.labels.push(text.to_owned());
        self.known.insert(text.to_owned(), place);
        Ok(place)
    }
}

/// The part of a column that is read.
struct PageColumn {
    meaning: Meaning,
    physical: Physical,
    values: PageValues,
    texts: PageTexts,
    is_rounded: bool,
}

impl PageColumn {
    /// All rows of a group.
    fn read_chunk(
        &mut self,
        bytes: &[u8],
        chunk: &Chunk,
        leaf: &Leaf,
        rows: usize,
    ) -> Result<(), String> {
        let physical = match self.physical {
            Physical::Boolean => 0,
            Physical::Int32 => 1,
            Physical::Int64 => 2,
            Physical::Int96 => 3,
            Physical::Float => 4,
            Physical::Double => 5,
            Physical::Bytes => 6,
            Physical::Fixed(_) => 7,
        };
        if chunk.physical != physical {
            return Err(DAMAGED.to_owned());
        }
        let mut input = Input {
            rest: bytes.get(chunk.start..).ok_or(DAMAGED)?,
        };
        let end = self.values.len() + rows;
        let mut dictionary = None;
        while self.values.len() < end {
            let header = input.structure()?;
            let body = input.take(header.count(3)?)?;
            if let Some(expected) = header.int(4) {
                let mut sum = flate2::Crc::new();
                sum.update(body);
                if sum.sum() != expected as u32 {
                    return Err("a page is damaged: its checksum differs".to_owned());
                }
            }
            let size = header.count(2)?;
            if size > LARGEST_PAGE {
                return Err(format!("a page of {size} bytes is too large"));
            }
            let left = end - self.values.len();
            match header.int(1) {
                Some(0) => {
                    let head = header.field(5).ok_or(DAMAGED)?;
                    let body = expanded(chunk.codec, body, size)?;
                    self.read_page(&body, head, leaf, left, dictionary.as_ref())?;
                }
                Some(2) => {
                    let head = header.field(7).ok_or(DAMAGED)?;
                    let body = expanded(chunk.codec, body, size)?;
                    dictionary = Some(self.plain(&body, head.count(1)?)?);
                }
                Some(3) => {
                    let head = header.field(8).ok_or(DAMAGED)?;
                    self.read_page_2(
                        body,
                        size,
                        chunk.codec,
                        head,
                        leaf,
                        left,
                        dictionary.as_ref(),
                    )?;
                }
                // An index, or what is not known.
                Some(_) => {}
                None => return Err(DAMAGED.to_owned()),
            }
        }
        Ok(())
    }

    /// A page of the first version: all of it is compressed.
    fn read_page(
        &mut self,
        body: &[u8],
        head: &Value,
        leaf: &Leaf,
        left: usize,
        dictionary: Option<&PageValues>,
    ) -> Result<(), String> {
        let count = head.count(1)?;
        if count > left {
            return Err(DAMAGED.to_owned());
        }
        let mut input = Input { rest: body };
        let levels = match (leaf.is_optional, head.int(3)) {
            (false, _) => None,
            (true, Some(4)) => Some(reversed_bits(input.take(count.div_ceil(8))?, count)?),
            (true, _) => Some(runs(prefixed(&mut input)?, 1, count)?),
        };
        self.add(input, head.int(2), levels, count, dictionary)
    }

    /// A page of the second version: its levels are not compressed.
    #[expect(
        clippy::too_many_arguments,
        reason = "what a page is, and what is around it"
    )]
    fn read_page_2(
        &mut self,
        body: &[u8],
        size: usize,
        codec: i64,
        head: &Value,
        leaf: &Leaf,
        left: usize,
        dictionary: Option<&PageValues>,
    ) -> Result<(), String> {
        let count = head.count(1)?;
        if count > left {
            return Err(DAMAGED.to_owned());
        }
        let mut input = Input { rest: body };
        let repetition = head.count(6)?;
        input.take(repetition)?;
        let levels = input.take(head.count(5)?)?;
        let levels = match leaf.is_optional {
            true => Some(runs(levels, 1, count)?),
            false => None,
        };
        let size = size
            .checked_sub(body.len() - input.rest.len())
            .ok_or(DAMAGED)?;
        let body = match head.bool(7) {
            Some(false) => Cow::Borrowed(input.rest),
            _ if input.rest.is_empty() => Cow::Borrowed(input.rest),
            _ => expanded(codec, input.rest, size)?,
        };
        self.add(
            Input { rest: &body },
            head.int(4),
            levels,
            count,
            dictionary,
        )
    }

    /// The values of a page.
    fn add(
        &mut self,
        input: Input,
        encoding: Option<i64>,
        levels: Option<Vec<u32>>,
        count: usize,
        dictionary: Option<&PageValues>,
    ) -> Result<(), String> {
        let present = match &levels {
            Some(levels) => levels.iter().filter(|level| **level != 0).count(),
            None => count,
        };
        let values = self.decoded(input, encoding, present, dictionary)?;
        let values = match levels {
            Some(levels) if present < count => values.spread(&levels)?,
            _ => values,
        };
        match values.len() == count {
            true => self.values.extend(values),
            false => return Err(DAMAGED.to_owned()),
        }
        Ok(())
    }

    fn decoded(
        &mut self,
        mut input: Input,
        encoding: Option<i64>,
        count: usize,
        dictionary: Option<&PageValues>,
    ) -> Result<PageValues, String> {
        match (encoding, self.physical) {
            (Some(0), _) => self.plain(input.rest, count),
            (Some(2 | 8), _) => {
                let dictionary = dictionary.ok_or(DAMAGED)?;
                if count == 0 {
                    return Ok(PageValues::new(self.meaning, self.physical));
                }
                let width = u32::from(input.take(1)?[0]);
                dictionary.at(&runs(input.rest, width, count)?)
            }
            (Some(3), Physical::Boolean) => {
                let values = runs(prefixed(&mut input)?, 1, count)?;
                Ok(PageValues::Numbers(
                    values.into_iter().map(f64::from).collect(),
                ))
            }
            (Some(5), Physical::Int32) => {
                let values = differences(&mut input, count)?;
                let number = |value: i64| self.int32(value as i32);
                Ok(PageValues::Numbers(
                    values.into_iter().map(number).collect(),
                ))
            }
            (Some(5), Physical::Int64) => {
                let values = differences(&mut input, count)?;
                let number = |value| self.int64(value);
                Ok(PageValues::Numbers(
                    values.into_iter().map(number).collect(),
                ))
            }
            (Some(6), Physical::Bytes) => {
                self.gathered(count, |each| lengths_first(&mut input, count, each))
            }
            (Some(7), Physical::Bytes | Physical::Fixed(_)) => {
                self.gathered(count, |each| shared_beginnings(&mut input, count, each))
            }
            (Some(9), physical) => {
                let width = match physical {
                    Physical::Int32 | Physical::Float => 4,
                    Physical::Int64 | Physical::Double => 8,
                    Physical::Fixed(width) => width,
                    _ => return Err(DAMAGED.to_owned()),
                };
                let joined = joined_streams(input.rest, width, count)?;
                self.plain(&joined, count)
            }
            (encoding, _) => Err(format!("unknown encoding {}", encoding.unwrap_or(-1))),
        }
    }

    /// Byte strings as `all` gives them one by one.
    fn gathered(
        &mut self,
        count: usize,
        all: impl FnOnce(&mut dyn FnMut(&[u8]) -> Result<(), String>) -> Result<(), String>,
    ) -> Result<PageValues, String> {
        let mut values = PageValues::new(self.meaning, self.physical);
        values.reserve(count);
        all(&mut |bytes| {
            match &mut values {
                PageValues::Numbers(numbers) => numbers.push(self.of_bytes(bytes)),
                PageValues::Singles(numbers) => numbers.push(self.of_bytes(bytes) as f32),
                PageValues::Places(places) => places.push(self.texts.place(bytes)?),
            }
            Ok(())
        })?;
        Ok(values)
    }

    /// Values one after the other.
    fn plain(&mut self, bytes: &[u8], count: usize) -> Result<PageValues, String> {
        fn each<const N: usize>(
            bytes: &[u8],
            count: usize,
            number: impl FnMut(&[u8; N]) -> f64,
        ) -> Result<PageValues, String> {
            let total = count.checked_mul(N).ok_or(DAMAGED)?;
            let (chunks, _) = bytes.get(..total).ok_or(DAMAGED)?.as_chunks::<N>();
            Ok(PageValues::Numbers(chunks.iter().map(number).collect()))
        }
        match self.physical {
            Physical::Boolean => {
                let values = bits(bytes, count)?.into_iter();
                Ok(PageValues::Numbers(
                    values.map(|bit| f64::from(u8::from(bit))).collect(),
                ))
            }
            Physical::Int32 => each(bytes, count, |it| self.int32(i32::from_le_bytes(*it))),
            Physical::Int64 => each(bytes, count, |it| self.int64(i64::from_le_bytes(*it))),
            Physical::Int96 => each(bytes, count, julian),
            Physical::Float if self.meaning == Meaning::Number => {
                let total = count.checked_mul(4).ok_or(DAMAGED)?;
                let (chunks, _) = bytes.get(..total).ok_or(DAMAGED)?.as_chunks();
                let numbers = chunks.iter().map(|it| f32::from_le_bytes(*it));
                Ok(PageValues::Singles(numbers.collect()))
            }
            Physical::Float => each(bytes, count, |it| f64::from(f32::from_le_bytes(*it))),
            Physical::Double => each(bytes, count, |it| f64::from_le_bytes(*it)),
            Physical::Fixed(width) => {
                let mut input = Input { rest: bytes };
                self.gathered(count.min(bytes.len() + 1), |each| {
                    (0..count).try_for_each(|_| each(input.take(width)?))
                })
            }
            Physical::Bytes => {
                let mut input = Input { rest: bytes };
                self.gathered(count.min(bytes.len()), |each| {
                    (0..count).try_for_each(|_| each(prefixed(&mut input)?))
                })
            }
        }
    }

    fn int32(&mut self, value: i32) -> f64 {
        match self.meaning {
            Meaning::Unsigned => f64::from(value.cast_unsigned()),
            _ => self.scaled(i64::from(value)),
        }
    }

    fn int64(&mut self, value: i64) -> f64 {
        match self.meaning {
            Meaning::Unsigned => self.rounded(value.cast_unsigned()),
            Meaning::Number => {
                let size = self.rounded(value.unsigned_abs());
                if value < 0 { -size } else { size }
            }
            _ => self.scaled(value),
        }
    }

    fn rounded(&mut self, value: u64) -> f64 {
        let number = value as f64;
        self.is_rounded |= value > EXACT && number as u128 != u128::from(value);
        number
    }

    fn scaled(&self, value: i64) -> f64 {
        match self.meaning {
            Meaning::Decimal(scale) => over(value as f64, scale),
            Meaning::Times(per_day) => value as f64 / per_day,
            _ => value as f64,
        }
    }

    fn of_bytes(&self, bytes: &[u8]) -> f64 {
        match (self.meaning, bytes) {
            (Meaning::Half, [low, high]) => half(u16::from_le_bytes([*low, *high])),
            (Meaning::Decimal(scale), bytes) => over(whole(bytes), scale),
            _ => f64::NAN,
        }
    }
}

/// Bytes whose length stands before them.
fn prefixed<'b>(input: &mut Input<'b>) -> Result<&'b [u8], String> {
    let (length, _) = input.take(4)?.as_chunks::<4>();
    let length = length.first().map_or(0, |it| u32::from_le_bytes(*it));
    input.take(length as usize)
}

/// The bytes of a page before they were compressed.
fn expanded(codec: i64, bytes: &[u8], size: usize) -> Result<Cow<'_, [u8]>, String> {
    let codec = match codec {
        0 => return Ok(Cow::Borrowed(bytes)),
        1 => Compression::Snappy,
        2 => {
            // A page may be several gzip files one after the other.
            let mut page = Vec::new();
            let read = MultiGzDecoder::new(bytes)
                .take(size as u64 + 1)
                .read_to_end(&mut page);
            return match read {
                Ok(found) if found == size => Ok(Cow::Owned(page)),
                _ => Err(DAMAGED.to_owned()),
            };
        }
        3 => return Err("it is compressed by LZO".to_owned()),
        4 => Compression::Brotli,
        5 => Compression::Lz4,
        6 => Compression::Zstd,
        7 => Compression::Lz4Raw,
        codec => return Err(format!("unknown compression {codec}")),
    };
    let mut page = vec![0; size];
    let mut context = DecompressionContext::Unset;
    let read = survive(|| decompress(codec, bytes, &mut page, &mut context).is_ok());
    match read {
        Some(true) => Ok(Cow::Owned(page)),
        _ => Err(DAMAGED.to_owned()),
    }
}

/// The whole number of these bytes, the highest first, with a sign.
fn whole(bytes: &[u8]) -> f64 {
    let is_negative = bytes.first().is_some_and(|byte| *byte >= 0x80);
    if bytes.len() <= 16 {
        let start = if is_negative { -1_i128 } else { 0 };
        let value = bytes
            .iter()
            .fold(start, |sum, byte| (sum << 8) | i128::from(*byte));
        return value as f64;
    }
    // More digits than a float has: rounded with every byte.
    let start = if is_negative { -1.0 } else { 0.0 };
    bytes
        .iter()
        .fold(start, |sum: f64, byte| sum.mul_add(256.0, f64::from(*byte)))
}

/// A number over a power of ten.
fn over(value: f64, scale: i32) -> f64 {
    // Powers up to the 22nd are floats, so that the division alone rounds.
    match scale {
        0 => value,
        scale => value / 10_f64.powi(scale),
    }
}

/// Days since 1970-01-01 of the nanoseconds of a Julian day.
fn julian(bytes: &[u8; 12]) -> f64 {
    let [a, b, c, d, e, f, g, h, day @ ..] = bytes;
    let nanos = u64::from_le_bytes([*a, *b, *c, *d, *e, *f, *g, *h]);
    let day = i128::from(u32::from_le_bytes(*day)) - 2_440_588;
    const DAY: i128 = 86_400_000_000_000;
    (day * DAY + i128::from(nanos)) as f64 / DAY as f64
}

/// The float of two bytes with these bits.
fn half(bits: u16) -> f64 {
    let sign = if bits & 0x8000 == 0 { 1.0 } else { -1.0 };
    let (exponent, fraction) = (i32::from((bits >> 10) & 0x1f), f64::from(bits & 0x3ff));
    match exponent {
        0 => sign * fraction * 2_f64.powi(-24),
        31 if fraction == 0.0 => sign * f64::INFINITY,
        31 => f64::NAN,
        _ => sign * (1.0 + fraction / 1024.0) * 2_f64.powi(exponent - 15),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_floats() {
        for (bits, expected) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_953_125),
            (0x7bff, 65504.0),
            (0x0001, 5.960_464_477_539_063e-8),
            (0x7c00, f64::INFINITY),
        ] {
            assert_eq!(half(bits), expected, "{bits:04x}");
        }
        assert!(half(0x7e00).is_nan());
    }

    #[test]
    fn julian_days_begin_at_midnight() {
        // Noon of 1970-01-02.
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&43_200_000_000_000_u64.to_le_bytes());
        bytes[8..].copy_from_slice(&2_440_589_u32.to_le_bytes());
        assert_eq!(julian(&bytes), 1.5);
    }

    #[test]
    fn decimals_have_a_sign() {
        assert_eq!(over(whole(&[0xff, 0x38]), 2), -2.0);
        assert_eq!(over(whole(&[0x04, 0xd2]), 2), 12.34);
        assert_eq!(whole(&[0xff; 20]), -1.0);
    }
}
