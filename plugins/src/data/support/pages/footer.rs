//! The end of a file: its columns, what they mean, and where their pages are.

use std::ops::Range;

use super::thrift::{DAMAGED, Input, Value};
use crate::data::support::row_choice::ValueBounds;

/// Whole numbers up to here are floats.
pub(super) const EXACT: u64 = 1 << 53;

/// What the end of a file says.
#[derive(Clone, Debug)]
pub struct Footer {
    /// The columns that hold values, in order.
    pub leaves: Vec<Leaf>,
    /// How many rows.
    pub rows: usize,
    /// Groups of rows, each with a chunk of every column.
    pub(super) groups: Vec<Group>,
}

/// A column.
#[derive(Clone, Debug)]
pub struct Leaf {
    /// Its name as the file has it; those of groups around it before, with points.
    pub name: String,
    /// What it means, or what it holds that has no number.
    pub meaning: Result<Meaning, String>,
    pub(super) physical: Physical,
    /// Whether values may be missing.
    pub(super) is_optional: bool,
}

impl Leaf {
    /// Whether its values are floats of 32 bits.
    pub fn is_single(&self) -> bool {
        self.physical == Physical::Float
    }
}

/// How values are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Physical {
    Boolean,
    Int32,
    Int64,
    Int96,
    Float,
    Double,
    Bytes,
    /// So many bytes each.
    Fixed(usize),
}

/// What the values of a column mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Meaning {
    /// Numbers as they are stored.
    Number,
    /// Whole numbers without a sign.
    Unsigned,
    /// Floats of two bytes.
    Half,
    /// Whole numbers over a power of ten.
    Decimal(i32),
    /// Times: as many of them are a day.
    Times(f64),
    /// Nanoseconds of a Julian day.
    Julian,
    /// Texts in UTF-8.
    Texts,
    /// Nothing but missing values.
    Nothing,
}

/// A group of rows.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub rows: usize,
    pub chunks: Vec<Chunk>,
}

/// The pages of a column for a group of rows.
#[derive(Clone, Debug)]
pub(super) struct Chunk {
    /// Where the first page begins.
    pub start: usize,
    /// How its pages are compressed, by the number of the format.
    pub codec: i64,
    /// The type it says it has.
    pub physical: i64,
    /// What its values lie between, where it says so.
    pub between: Option<ValueBounds>,
}

impl Footer {
    /// The footer of these bytes, which end before its length.
    ///
    /// # Errors
    /// What is wrong with it, in one line.
    pub fn of(bytes: &[u8]) -> Result<Self, String> {
        let data = Input { rest: bytes }.structure()?;
        if data.field(8).is_some() {
            return Err("it is encrypted".to_owned());
        }
        let mut elements = data.list(2).iter();
        let root = elements.next().ok_or(DAMAGED)?;
        let mut leaves = Vec::new();
        for _ in 0..root.count(5)? {
            add_leaves(&mut elements, &ColumnContext::default(), &mut leaves, 0)?;
        }
        let groups = data.list(4).iter().map(|group| Group::of(group, &leaves));
        let groups: Vec<Group> = groups.collect::<Result<_, _>>()?;
        let rows = data.count(3)?;
        let sum = groups
            .iter()
            .try_fold(0_usize, |sum, group| sum.checked_add(group.rows));
        match sum == Some(rows) {
            true => Ok(Self {
                leaves,
                rows,
                groups,
            }),
            false => Err(DAMAGED.to_owned()),
        }
    }
}

impl Footer {
    /// How many groups of rows.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// How many rows a group has.
    pub fn rows_of(&self, group: usize) -> usize {
        self.groups[group].rows
    }

    /// What the values of a column lie between in a group, where the file says so.
    pub fn between(&self, group: usize, leaf: usize) -> Option<&ValueBounds> {
        self.groups[group].chunks[leaf].between.as_ref()
    }

    /// How many rows some groups have.
    pub fn rows_of_all(&self, groups: Range<usize>) -> usize {
        self.groups[groups].iter().map(|group| group.rows).sum()
    }

    /// Whether whole numbers of a column may have more digits than a float.
    pub fn can_be_rounded(&self, leaf: usize) -> bool {
        let Leaf {
            meaning, physical, ..
        } = &self.leaves[leaf];
        let is_whole = *physical == Physical::Int64
            && matches!(meaning, Ok(Meaning::Number | Meaning::Unsigned));
        let is_small = |group| match self.between(group, leaf) {
            Some(ValueBounds::Numbers(low, high)) => low.abs().max(high.abs()) < EXACT as f64,
            _ => false,
        };
        is_whole && !(0..self.groups()).all(is_small)
    }

    /// Of neighbouring groups where their pages are in a file of this size, and the footer that
    /// the bytes there would have.
    pub fn part(&self, groups: Range<usize>, size: usize) -> (Range<usize>, Self) {
        let mut part = Self {
            leaves: self.leaves.clone(),
            rows: 0,
            groups: self.groups[groups].to_vec(),
        };
        let starts = |all: &[Group]| -> Vec<usize> {
            let chunks = all.iter().flat_map(|group| &group.chunks);
            chunks.map(|chunk| chunk.start).collect()
        };
        let own = starts(&part.groups);
        let start = own.iter().min().copied().unwrap_or_default().min(size);
        let last = own.iter().max().copied().unwrap_or_default();
        // What a chunk says of its length is not always true.
        let others = starts(&self.groups).into_iter();
        let end = others.filter(|it| *it > last).min().unwrap_or(size);
        for group in &mut part.groups {
            part.rows += group.rows;
            group.chunks.iter_mut().for_each(|it| it.start -= start);
        }
        (start..end.clamp(start, size), part)
    }
}

impl Leaf {
    /// What the statistics of a chunk say its values lie between.
    fn between(&self, statistics: &Value) -> Option<ValueBounds> {
        let meaning = self.meaning.as_ref().ok()?;
        if let (Physical::Bytes, Meaning::Texts) = (self.physical, meaning) {
            // The older bounds of texts were compared as bytes with signs.
            let (low, high) = (statistics.bytes(6)?, statistics.bytes(5)?);
            return (low <= high).then(|| ValueBounds::Texts(low.to_vec(), high.to_vec()));
        }
        let value = |bytes: &[u8]| match (self.physical, meaning) {
            (Physical::Int32, Meaning::Number | Meaning::Times(_)) => {
                Some(f64::from(i32::from_le_bytes(bytes.try_into().ok()?)))
            }
            (Physical::Int64, Meaning::Number | Meaning::Times(_)) => {
                Some(i64::from_le_bytes(bytes.try_into().ok()?) as f64)
            }
            (Physical::Float, Meaning::Number) => {
                Some(f64::from(f32::from_le_bytes(bytes.try_into().ok()?)))
            }
            (Physical::Double, Meaning::Number) => Some(f64::from_le_bytes(bytes.try_into().ok()?)),
            _ => None,
        };
        let bound = |id, old| value(statistics.bytes(id).or_else(|| statistics.bytes(old))?);
        let (low, high) = (bound(6, 2)?, bound(5, 1)?);
        let a_day = match meaning {
            Meaning::Times(a_day) => *a_day,
            _ => 1.0,
        };
        // Some writers let a missing value spoil them.
        (low <= high).then_some(ValueBounds::Numbers(low / a_day, high / a_day))
    }
}

impl Group {
    fn of(group: &Value, leaves: &[Leaf]) -> Result<Self, String> {
        let mut own = leaves.iter();
        let chunks = group.list(1).iter().map(|chunk| {
            let leaf = own.next().ok_or(DAMAGED)?;
            if chunk.field(1).is_some() {
                return Err("its pages are in other files".to_owned());
            }
            let data = chunk.field(3).ok_or("its columns are encrypted")?;
            let first = data.count(9)?;
            // Some writers say 0 where there is no dictionary.
            let dictionary = data.count(11).ok().filter(|at| *at > 0 && *at < first);
            Ok(Chunk {
                start: dictionary.unwrap_or(first),
                codec: data.int(4).ok_or(DAMAGED)?,
                physical: data.int(1).ok_or(DAMAGED)?,
                between: data.field(12).and_then(|it| leaf.between(it)),
            })
        });
        let chunks: Vec<Chunk> = chunks.collect::<Result<_, String>>()?;
        match chunks.len() == leaves.len() {
            true => Ok(Self {
                rows: group.count(3)?,
                chunks,
            }),
            false => Err(DAMAGED.to_owned()),
        }
    }
}

/// What is around a column.
#[derive(Clone, Debug, Default)]
struct ColumnContext {
    names: String,
    is_list: bool,
    is_group: bool,
}

/// Groups are not nested deeper than this.
const DEEPEST: u8 = 64;

/// Adds the columns of the next element of the schema and of all elements inside it.
fn add_leaves<'v, 'b: 'v>(
    elements: &mut impl Iterator<Item = &'v Value<'b>>,
    outside: &ColumnContext,
    leaves: &mut Vec<Leaf>,
    depth: u8,
) -> Result<(), String> {
    let element = elements.next().ok_or(DAMAGED)?;
    let name = element.text(4).ok_or(DAMAGED)?;
    let full = match outside.is_group {
        true => format!("{}.{name}", outside.names),
        false => name,
    };
    let repetition = element.int(3).unwrap_or_default();
    let is_list = outside.is_list || repetition == 2;
    let children = element.count(5).unwrap_or_default();
    let Some(physical) = element.int(1).filter(|_| children == 0) else {
        if depth > DEEPEST || children == 0 {
            return Err(DAMAGED.to_owned());
        }
        let inside = ColumnContext {
            names: full,
            is_list,
            is_group: true,
        };
        return (0..children).try_for_each(|_| add_leaves(elements, &inside, leaves, depth + 1));
    };
    let physical = match physical {
        0 => Physical::Boolean,
        1 => Physical::Int32,
        2 => Physical::Int64,
        3 => Physical::Int96,
        4 => Physical::Float,
        5 => Physical::Double,
        6 => Physical::Bytes,
        7 => Physical::Fixed(element.count(2)?),
        _ => return Err(DAMAGED.to_owned()),
    };
    let meaning = match (is_list, outside.is_group) {
        (true, _) => Err("in lists".to_owned()),
        (_, true) => Err("in a group".to_owned()),
        _ => meaning(element, physical).map_err(str::to_owned),
    };
    leaves.push(Leaf {
        name: full,
        meaning,
        physical,
        is_optional: repetition == 1,
    });
    Ok(())
}

/// As many milliseconds, microseconds and nanoseconds are a day.
const DAYS: [f64; 3] = [86_400e3, 86_400e6, 86_400e9];

/// What a column means; else what it holds.
fn meaning(element: &Value, physical: Physical) -> Result<Meaning, &'static str> {
    use Physical as P;
    let scale = |scale: Option<i64>| i32::try_from(scale.unwrap_or_default()).unwrap_or_default();
    let integer = |is_signed| match is_signed {
        true => Meaning::Number,
        false => Meaning::Unsigned,
    };
    let is_whole = matches!(physical, P::Int32 | P::Int64);
    if let Some(Value::Struct(logical)) = element.field(10)
        && let Some((kind, logical)) = logical.first()
    {
        return match kind {
            1 | 4 if physical == P::Bytes => Ok(Meaning::Texts),
            5 => Ok(Meaning::Decimal(scale(logical.int(1)))),
            6 if physical == P::Int32 => Ok(Meaning::Times(1.0)),
            7 => Err("times of day"),
            8 if physical == P::Int64 => match logical.field(2) {
                Some(Value::Struct(unit)) => match unit.first() {
                    Some((unit @ 1..=3, _)) => Ok(Meaning::Times(DAYS[*unit as usize - 1])),
                    _ => Err("times in an unknown unit"),
                },
                _ => Err("times in an unknown unit"),
            },
            10 if is_whole => Ok(integer(logical.bool(2).unwrap_or(true))),
            11 if is_whole => Ok(Meaning::Nothing),
            12 => Err("JSON"),
            13 => Err("BSON"),
            14 => Err("UUIDs"),
            15 if physical == P::Fixed(2) => Ok(Meaning::Half),
            16 => Err("variants"),
            17 | 18 => Err("shapes"),
            _ => Err("an unknown type"),
        };
    }
    match (element.int(6), physical) {
        (Some(0 | 4), P::Bytes) => Ok(Meaning::Texts),
        (Some(5), _) => Ok(Meaning::Decimal(scale(element.int(7)))),
        (Some(6), P::Int32) => Ok(Meaning::Times(1.0)),
        (Some(7 | 8), _) => Err("times of day"),
        (Some(9), P::Int64) => Ok(Meaning::Times(DAYS[0])),
        (Some(10), P::Int64) => Ok(Meaning::Times(DAYS[1])),
        (Some(11..=14), _) if is_whole => Ok(Meaning::Unsigned),
        (Some(15..=18), _) if is_whole => Ok(Meaning::Number),
        (Some(19), _) => Err("JSON"),
        (Some(20), _) => Err("BSON"),
        (Some(21), _) => Err("intervals"),
        (Some(_), _) => Err("an unknown type"),
        (None, P::Int96) => Ok(Meaning::Julian),
        (None, P::Bytes | P::Fixed(_)) => Err("bytes"),
        (None, _) => Ok(Meaning::Number),
    }
}
