//! One array of a Zarr store: its metadata, and its values from chunks.

use std::ops::Range;

use engine::error::Fault;
use serde_json::Value;

use super::super::numbers::Order;
use super::super::variable::Precision;
use super::super::{
    Attribute, Dimension, Element, Number, Values, Variable, cells, refuse_large_chunks,
};
use super::pipeline::{Form, Pipeline, Shards, numbers};
use super::store::{Store, refused};

/// An array.
pub struct Array {
    path: String,
    chunk: Vec<u64>,
    keys: Keys,
    kind: Kind,
    fill: Fill,
    pipeline: Pipeline,
}

/// What the values are.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Number(Number),
    /// Texts of this many characters of four bytes each.
    Wide(usize, Order),
    /// Texts of this many bytes.
    Bytes(usize),
    /// Texts of any length.
    Texts,
}

/// What stands where nothing was written.
#[derive(Clone, Debug, PartialEq)]
struct Fill {
    number: f64,
    text: String,
}

/// How the keys of chunks are written.
#[derive(Clone, Debug, PartialEq)]
struct Keys {
    prefix: &'static str,
    separator: String,
    /// That of an array without dimensions.
    alone: &'static str,
}

/// The values of a part of an array, filled chunk by chunk.
struct Canvas<'p> {
    part: &'p [Range<u64>],
    strides: Vec<usize>,
    values: Values,
}

impl Array {
    /// The array of a path, and what it is to those who read it.
    ///
    /// # Errors
    /// When its metadata lack what they must have.
    pub fn of(
        path: &str,
        place: usize,
        document: &Value,
        beside: Option<&Value>,
    ) -> Result<(Self, Variable), String> {
        let is_v3 = document.get("zarr_format").and_then(Value::as_u64) == Some(3);
        let shape = numbers(document.get("shape")).ok_or("it has no `shape`")?;
        let attributes = beside.or_else(|| document.get("attributes"));
        let mut variable = Variable {
            name: path.to_owned(),
            place,
            dimensions: dimensions(path, &shape, document, attributes),
            element: Element::Text,
            attributes: described(attributes),
            remarks: Vec::new(),
            unwritten: None,
        };
        let fill_value = document.get("fill_value").filter(|it| !it.is_null());
        let parsed = match is_v3 {
            true => v3(document),
            false => v2(document),
        };
        let (chunk, keys, kind, pipeline) = match parsed {
            Ok(parsed) => parsed,
            Err(what) => {
                variable.element = Element::Unread(what);
                let unread = Pipeline {
                    transposed: None,
                    values: Form::Texts,
                    bytes: Vec::new(),
                };
                (shape.clone(), Keys::v2("."), Kind::Texts, unread)
            }
        };
        if chunk.len() != shape.len() || chunk.contains(&0) {
            return Err("its chunks do not have its shape".to_owned());
        }
        if let (Kind::Number(number), Element::Text) = (kind, &variable.element) {
            variable.element = Element::Number(number);
        }
        let bytes = chunk
            .iter()
            .copied()
            .fold(kind.bytes() as u64, u64::saturating_mul);
        refuse_large_chunks(&mut variable, bytes);
        let fill = Fill {
            number: fill_value.and_then(number).unwrap_or(f64::NAN),
            text: fill_value
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned(),
        };
        // Version 2 has no other word for missing than its fill value.
        let known = variable
            .attributes
            .iter_mut()
            .find(|(name, _)| name == "_FillValue");
        match known {
            Some((_, Attribute::Text(text))) if matches!(kind, Kind::Number(_)) => {
                if let Some(value) = of_base64(text) {
                    known.into_iter().for_each(|(_, attribute)| {
                        *attribute = Attribute::Numbers(vec![value], Precision::Other);
                    });
                }
            }
            None if !is_v3 && fill_value.is_some() && matches!(kind, Kind::Number(_)) => {
                let value = Attribute::Numbers(vec![fill.number], Precision::Other);
                variable.attributes.push(("_FillValue".to_owned(), value));
            }
            _ => {}
        }
        let array = Self {
            path: path.to_owned(),
            chunk,
            keys,
            kind,
            fill,
            pipeline,
        };
        Ok((array, variable))
    }

    /// How many cells along the first dimension are stored together.
    pub fn together(&self, dimension: usize) -> u64 {
        self.chunk.get(dimension).copied().unwrap_or(1)
    }

    /// The values of a part.
    ///
    /// # Errors
    /// When a chunk is damaged.
    pub fn read(&self, store: &Store, part: &[Range<u64>]) -> Result<Values, Fault> {
        let mut canvas = Canvas::new(part, self.kind, &self.fill);
        let count = cells(&self.chunk.iter().map(|size| 0..*size).collect::<Vec<_>>());
        // What does not compress is a little longer than it is plain; texts have any length.
        let plain = count as usize * self.kind.bytes();
        let limit = match (&self.pipeline.values, self.kind) {
            (Form::Numbers(_), _) => plain + plain / 8 + (1 << 16),
            _ => (plain + plain / 8 + 64 * count as usize).max(64 << 20),
        };
        for_each_chunk(part, &self.chunk, &mut |at| {
            let key = self.key(at);
            let Some(bytes) = store.get(&key, limit)? else {
                return Ok(());
            };
            let origin: Vec<u64> = at
                .iter()
                .zip(&self.chunk)
                .map(|(at, size)| at * size)
                .collect();
            self.paint(&self.pipeline, &self.chunk, &origin, bytes, &mut canvas)
                .map_err(|reason| refused(store.shown(), format!("chunk `{key}`: {reason}")))
        })?;
        Ok(canvas.values)
    }

    fn key(&self, at: &[u64]) -> String {
        let folder = match self.path.as_str() {
            "array" if self.keys.prefix.is_empty() || self.keys.prefix == "c" => "",
            path => path,
        };
        let indices: Vec<String> = at.iter().map(u64::to_string).collect();
        let name = match indices.is_empty() {
            true => self.keys.alone.to_owned(),
            false => {
                let joined = indices.join(&self.keys.separator);
                match self.keys.prefix {
                    "" => joined,
                    prefix => format!("{prefix}{}{joined}", self.keys.separator),
                }
            }
        };
        match folder.is_empty() {
            true => name,
            false => format!("{folder}/{name}"),
        }
    }

    /// Puts the values of a chunk where they belong.
    fn paint(
        &self,
        pipeline: &Pipeline,
        chunk: &[u64],
        origin: &[u64],
        bytes: Vec<u8>,
        canvas: &mut Canvas<'_>,
    ) -> Result<(), String> {
        let count = chunk.iter().copied().fold(1, u64::saturating_mul) as usize;
        let plain = count.saturating_mul(self.kind.bytes());
        let order = match &pipeline.values {
            Form::Shards(shards) => {
                let limit = bytes.len().max(plain);
                let bytes = pipeline.undo(bytes, limit).map_err(|it| it.to_string())?;
                return self.shards(shards, chunk, origin, &bytes, canvas);
            }
            Form::Texts => Order::Little,
            Form::Numbers(order) => *order,
        };
        let limit = match pipeline.values {
            Form::Texts => (64 * count).max(64 << 20),
            _ => plain,
        };
        let bytes = pipeline.undo(bytes, limit).map_err(|it| it.to_string())?;
        let is_text = self.kind == Kind::Texts;
        if !is_text && bytes.len() != plain {
            return Err(format!("expected {plain} bytes, found {}", bytes.len()));
        }
        let values = match self.kind {
            Kind::Number(number) => number.decode(&bytes, order),
            Kind::Bytes(size) => Values::Texts(super::super::classic::texts(&bytes, size as u64)),
            Kind::Wide(size, order) => Values::Texts(wide_texts(&bytes, size, order)),
            Kind::Texts => Values::Texts(texts(&bytes, count)?),
        };
        canvas.put(&values, chunk, origin, pipeline.transposed.as_deref());
        Ok(())
    }

    /// The same for the chunks inside a chunk.
    fn shards(
        &self,
        shards: &Shards,
        chunk: &[u64],
        origin: &[u64],
        bytes: &[u8],
        canvas: &mut Canvas<'_>,
    ) -> Result<(), String> {
        let damaged = || "its index is damaged".to_owned();
        let fits = |(outer, inner): (&u64, &u64)| *inner > 0 && outer.is_multiple_of(*inner);
        if shards.chunk.len() != chunk.len() || !chunk.iter().zip(&shards.chunk).all(fits) {
            return Err("its inner chunks do not divide it".to_owned());
        }
        let counts: Vec<u64> = chunk
            .iter()
            .zip(&shards.chunk)
            .map(|(o, i)| o / i)
            .collect();
        let all = counts.iter().product::<u64>() as usize;
        let size = shards.index_size(all);
        let index = match shards.is_index_first {
            true => bytes.get(..size),
            false => bytes.len().checked_sub(size).map(|start| &bytes[start..]),
        };
        let index = index.ok_or_else(damaged)?.to_vec();
        let index = shards.index.undo(index, 16 * all);
        let index = index.map_err(|it| it.to_string())?;
        // The part that is wanted, seen from the chunk.
        let local: Vec<Range<u64>> = canvas
            .part
            .iter()
            .zip(origin.iter().zip(chunk))
            .map(|(range, (origin, size))| {
                let low = range.start.saturating_sub(*origin).min(*size);
                low..range.end.saturating_sub(*origin).min(*size)
            })
            .collect();
        for_each_chunk(&local, &shards.chunk, &mut |at| {
            let flat = at
                .iter()
                .zip(&counts)
                .fold(0, |flat, (at, count)| flat * count + at);
            let entry = index
                .get(16 * flat as usize..)
                .and_then(|it| it.first_chunk::<16>());
            let entry = entry.ok_or_else(damaged)?;
            let (start, length) = entry.split_at(8);
            let word = |bytes: &[u8]| bytes.try_into().map_or(u64::MAX, u64::from_le_bytes);
            let (start, length) = (word(start), word(length));
            if start == u64::MAX && length == u64::MAX {
                return Ok(());
            }
            let end = start
                .checked_add(length)
                .filter(|end| *end <= bytes.len() as u64);
            let end = end.ok_or_else(damaged)?;
            let inner = bytes[start as usize..end as usize].to_vec();
            let corner = at.iter().zip(&shards.chunk).zip(origin);
            let corner: Vec<u64> = corner.map(|((at, size), o)| o + at * size).collect();
            self.paint(&shards.inner, &shards.chunk, &corner, inner, canvas)
        })
    }
}

/// Calls `each` with the indices of all chunks that a part touches.
fn for_each_chunk<E>(
    part: &[Range<u64>],
    chunk: &[u64],
    each: &mut dyn FnMut(&[u64]) -> Result<(), E>,
) -> Result<(), E> {
    if part.iter().any(|range| range.start >= range.end) {
        return Ok(());
    }
    let bounds: Vec<(u64, u64)> = part
        .iter()
        .zip(chunk)
        .map(|(range, size)| (range.start / size, (range.end - 1) / size))
        .collect();
    let mut at: Vec<u64> = bounds.iter().map(|(first, _)| *first).collect();
    loop {
        each(&at)?;
        let mut axis = at.len();
        loop {
            let Some(next) = axis.checked_sub(1) else {
                return Ok(());
            };
            axis = next;
            if at[axis] < bounds[axis].1 {
                at[axis] += 1;
                break;
            }
            at[axis] = bounds[axis].0;
        }
    }
}

impl<'p> Canvas<'p> {
    fn new(part: &'p [Range<u64>], kind: Kind, fill: &Fill) -> Self {
        let count = cells(part) as usize;
        let values = match kind {
            Kind::Number(number) if number.is_single() => {
                Values::Single(vec![fill.number as f32; count])
            }
            Kind::Number(_) => Values::Double(vec![fill.number; count]),
            Kind::Wide(..) | Kind::Bytes(_) | Kind::Texts => {
                Values::Texts(vec![fill.text.clone(); count])
            }
        };
        let sizes: Vec<usize> = part.iter().map(|it| (it.end - it.start) as usize).collect();
        Self {
            part,
            strides: strides(&sizes),
            values,
        }
    }

    /// Copies what belongs to the part of the values of a chunk.
    fn put(
        &mut self,
        values: &Values,
        chunk: &[u64],
        origin: &[u64],
        transposed: Option<&[usize]>,
    ) {
        let sizes: Vec<usize> = chunk.iter().map(|size| *size as usize).collect();
        let from = match transposed {
            Some(order) => {
                let turned: Vec<usize> = order.iter().map(|axis| sizes[*axis]).collect();
                let mut from = vec![0; sizes.len()];
                for (axis, stride) in order.iter().zip(strides(&turned)) {
                    from[*axis] = stride;
                }
                from
            }
            None => strides(&sizes),
        };
        let mut axes = Vec::with_capacity(sizes.len());
        let (mut source, mut target) = (0, 0);
        for axis in 0..sizes.len() {
            let range = &self.part[axis];
            let low = range.start.max(origin[axis]);
            let high = range.end.min(origin[axis] + chunk[axis]);
            if low >= high {
                return;
            }
            source += (low - origin[axis]) as usize * from[axis];
            target += (low - range.start) as usize * self.strides[axis];
            axes.push(((high - low) as usize, from[axis], self.strides[axis]));
        }
        match (&mut self.values, values) {
            (Values::Single(to), Values::Single(from)) => copy(&axes, from, source, to, target),
            (Values::Double(to), Values::Double(from)) => copy(&axes, from, source, to, target),
            (Values::Texts(to), Values::Texts(from)) => copy(&axes, from, source, to, target),
            _ => {}
        }
    }
}

/// Copies along axes of a size and two strides each.
fn copy<T: Clone>(
    axes: &[(usize, usize, usize)],
    from: &[T],
    source: usize,
    to: &mut [T],
    target: usize,
) {
    match axes {
        [] => to[target] = from[source].clone(),
        [(size, 1, 1)] => {
            to[target..target + size].clone_from_slice(&from[source..source + size]);
        }
        [(size, here, there), rest @ ..] => {
            for at in 0..*size {
                copy(rest, from, source + at * here, to, target + at * there);
            }
        }
    }
}

fn strides(sizes: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; sizes.len()];
    for axis in (1..sizes.len()).rev() {
        strides[axis - 1] = strides[axis] * sizes[axis];
    }
    strides
}

impl Kind {
    /// How many bytes one value has; 0 where they differ.
    fn bytes(self) -> usize {
        match self {
            Self::Number(number) => number.bytes(),
            Self::Wide(size, _) => 4 * size,
            Self::Bytes(size) => size,
            Self::Texts => 0,
        }
    }
}

impl Keys {
    fn v2(separator: &str) -> Self {
        Self {
            prefix: "",
            separator: separator.to_owned(),
            alone: "0",
        }
    }
}

type Parsed = (Vec<u64>, Keys, Kind, Pipeline);

/// Of version 2; what is not supported, in words.
fn v2(document: &Value) -> Result<Parsed, String> {
    let chunk = numbers(document.get("chunks")).ok_or("without chunks")?;
    let name = document.get("dtype").and_then(Value::as_str);
    let name = name.ok_or("values of several fields")?;
    let (kind, order) = numpy(name).ok_or_else(|| format!("of type `{name}`"))?;
    let pipeline = Pipeline::of_v2(document, kind.bytes(), order)?;
    if name == "|O" && pipeline.values != Form::Texts {
        return Err("objects of Python".to_owned());
    }
    let separator = document.get("dimension_separator").and_then(Value::as_str);
    Ok((chunk, Keys::v2(separator.unwrap_or(".")), kind, pipeline))
}

/// The type of a name as numpy writes it.
fn numpy(name: &str) -> Option<(Kind, Order)> {
    let order = match name.get(..1)? {
        ">" => Order::Big,
        _ => Order::Little,
    };
    let number = match name.get(1..)? {
        "b1" | "u1" => Number::U8,
        "i1" => Number::I8,
        "i2" => Number::I16,
        "u2" => Number::U16,
        "i4" => Number::I32,
        "u4" => Number::U32,
        "i8" => Number::I64,
        "u8" => Number::U64,
        "f2" => Number::F16,
        "f4" => Number::F32,
        "f8" => Number::F64,
        "O" => return Some((Kind::Texts, order)),
        text => {
            let size: usize = text.get(1..)?.parse().ok().filter(|size| *size > 0)?;
            return match text.get(..1)? {
                "U" if size <= 1 << 20 => Some((Kind::Wide(size, order), order)),
                "S" if size <= 1 << 20 => Some((Kind::Bytes(size), order)),
                _ => None,
            };
        }
    };
    Some((Kind::Number(number), order))
}

/// Of version 3; what is not supported, in words.
fn v3(document: &Value) -> Result<Parsed, String> {
    let grid = document.get("chunk_grid");
    let grid_name = grid.and_then(|it| it.get("name")).and_then(Value::as_str);
    let grid_name = grid_name.unwrap_or_default();
    if grid_name != "regular" {
        return Err(format!("in chunks of the kind `{grid_name}`"));
    }
    let chunk = grid.and_then(|it| it.get("configuration")?.get("chunk_shape"));
    let chunk = numbers(chunk).ok_or("without chunks")?;
    let data_type = document.get("data_type");
    let name = data_type.and_then(|it| it.get("name").unwrap_or(it).as_str());
    let name = name.unwrap_or_default();
    let length = data_type.and_then(|it| it.get("configuration")?.get("length_bytes")?.as_u64());
    let length = length.unwrap_or_default() as usize;
    let kind = match name {
        "bool" | "uint8" => Kind::Number(Number::U8),
        "int8" => Kind::Number(Number::I8),
        "int16" => Kind::Number(Number::I16),
        "uint16" => Kind::Number(Number::U16),
        "int32" => Kind::Number(Number::I32),
        "uint32" => Kind::Number(Number::U32),
        "int64" => Kind::Number(Number::I64),
        "uint64" => Kind::Number(Number::U64),
        "float16" => Kind::Number(Number::F16),
        "float32" => Kind::Number(Number::F32),
        "float64" => Kind::Number(Number::F64),
        "string" => Kind::Texts,
        "fixed_length_utf32" if (4..=4 << 20).contains(&length) => {
            Kind::Wide(length / 4, Order::Little)
        }
        "null_terminated_bytes" if (1..=1 << 20).contains(&length) => Kind::Bytes(length),
        _ => return Err(format!("of type `{name}`")),
    };
    let transformers = document
        .get("storage_transformers")
        .and_then(Value::as_array);
    if transformers.is_some_and(|all| !all.is_empty()) {
        return Err("stored by a transformer".to_owned());
    }
    let codecs = document.get("codecs").ok_or("without codecs")?;
    let pipeline = Pipeline::of_v3(codecs, kind.bytes())?;
    let rank = chunk.len();
    let is_order = |order: &Vec<usize>| {
        let mut sorted = order.clone();
        sorted.sort_unstable();
        sorted == (0..rank).collect::<Vec<_>>()
    };
    if !pipeline.transposed.as_ref().is_none_or(is_order) {
        return Err("transposed in a way that is not an order of its dimensions".to_owned());
    }
    let kind = match (kind, &pipeline.values) {
        (Kind::Wide(size, _), Form::Numbers(order)) => Kind::Wide(size, *order),
        (kind, _) => kind,
    };
    let encoding = document.get("chunk_key_encoding");
    let style = encoding.and_then(|it| it.get("name").unwrap_or(it).as_str());
    let separator = encoding.and_then(|it| it.get("configuration")?.get("separator")?.as_str());
    let keys = match style {
        Some("v2") => Keys::v2(separator.unwrap_or(".")),
        Some("default") | None => Keys {
            prefix: "c",
            separator: separator.unwrap_or("/").to_owned(),
            alone: "c",
        },
        Some(other) => return Err(format!("in chunks with keys of the kind `{other}`")),
    };
    Ok((chunk, keys, kind, pipeline))
}

fn dimensions(
    path: &str,
    shape: &[u64],
    document: &Value,
    attributes: Option<&Value>,
) -> Vec<Dimension> {
    let names = document.get("dimension_names").filter(|it| !it.is_null());
    let names = names.or_else(|| attributes?.get("_ARRAY_DIMENSIONS"));
    let names = names.and_then(Value::as_array);
    shape
        .iter()
        .enumerate()
        .map(|(axis, size)| {
            let name = names.and_then(|names| names.get(axis)?.as_str());
            Dimension {
                name: name.map_or_else(|| format!("{path}_axis_{}", axis + 1), str::to_owned),
                size: *size,
                is_record: false,
            }
        })
        .collect()
}

fn described(attributes: Option<&Value>) -> Vec<(String, Attribute)> {
    let attributes = attributes.and_then(Value::as_object).into_iter().flatten();
    attributes
        .filter(|(name, _)| *name != "_ARRAY_DIMENSIONS")
        .filter_map(|(name, value)| {
            let attribute = match value {
                Value::String(text) => Attribute::Text(text.clone()),
                Value::Array(all) => {
                    let all: Option<Vec<f64>> = all.iter().map(number).collect();
                    Attribute::Numbers(all?, Precision::Other)
                }
                value => Attribute::Numbers(vec![number(value)?], Precision::Other),
            };
            Some((name.clone(), attribute))
        })
        .collect()
}

/// The number of a JSON value, `"NaN"` and the like included.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::Bool(is_true) => Some(f64::from(u8::from(*is_true))),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            // The bits of a number, as `0x7fc00000`.
            text => match text.strip_prefix("0x") {
                Some(digits) if digits.len() == 8 => {
                    let bits = u32::from_str_radix(digits, 16).ok()?;
                    Some(f64::from(f32::from_bits(bits)))
                }
                Some(digits) => Some(f64::from_bits(u64::from_str_radix(digits, 16).ok()?)),
                None => text.parse().ok(),
            },
        },
        _ => None,
    }
}

/// The number whose eight bytes a text is in base 64, as xarray writes fill values.
fn of_base64(text: &str) -> Option<f64> {
    let digit = |byte: u8| match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let text = text.strip_suffix('=').filter(|text| text.len() == 11)?;
    let mut bits: u128 = 0;
    for byte in text.bytes() {
        bits = bits << 6 | u128::from(digit(byte)?);
    }
    let bytes = ((bits >> 2) as u64).to_be_bytes();
    Some(f64::from_le_bytes(bytes))
}

/// Texts of four bytes a character.
fn wide_texts(bytes: &[u8], size: usize, order: Order) -> Vec<String> {
    let text = |bytes: &[u8]| -> String {
        let codes = bytes.as_chunks::<4>().0.iter().map(|code| match order {
            Order::Little => u32::from_le_bytes(*code),
            Order::Big => u32::from_be_bytes(*code),
        });
        let codes = codes.take_while(|code| *code != 0);
        codes
            .map(|code| char::from_u32(code).unwrap_or('\u{fffd}'))
            .collect()
    };
    bytes.chunks(4 * size).map(text).collect()
}

/// Texts after their number and each after its length in four bytes.
fn texts(bytes: &[u8], count: usize) -> Result<Vec<String>, String> {
    let damaged = || "its texts are damaged".to_owned();
    let (found, mut rest) = bytes.split_first_chunk().ok_or_else(damaged)?;
    if u32::from_le_bytes(*found) as usize != count {
        return Err(damaged());
    }
    let mut texts = Vec::new();
    for _ in 0..count {
        let (length, after) = rest.split_first_chunk().ok_or_else(damaged)?;
        let length = u32::from_le_bytes(*length) as usize;
        let (text, after) = after.split_at_checked(length).ok_or_else(damaged)?;
        texts.push(String::from_utf8_lossy(text).into_owned());
        rest = after;
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fill_values_of_xarray_are_numbers() {
        // base64.standard_b64encode(struct.pack("<d", x)) for nan and -9999.0
        assert!(of_base64("AAAAAAAA+H8=").is_some_and(f64::is_nan));
        assert_eq!(of_base64("AAAAAICHw8A="), Some(-9999.0));
        assert_eq!(of_base64("NaN"), None);
    }

    #[test]
    fn every_chunk_that_a_part_touches_is_visited_once() {
        let mut seen = Vec::new();
        let done: Result<(), ()> = for_each_chunk(&[1..5, 0..1], &[2, 3], &mut |at| {
            seen.push(at.to_vec());
            Ok(())
        });
        assert_eq!(done, Ok(()));
        assert_eq!(seen, [[0, 0], [1, 0], [2, 0]]);
    }
}
