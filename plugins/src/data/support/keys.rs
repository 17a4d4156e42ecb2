//! The groups that rows belong to which come in parts.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use dsl::types::Content;
use engine::artifact::{DataColumn, Dataset, Numbers};
use engine::error::Fault;
use engine::params::Column;
use rayon::prelude::*;

use super::distinct::{DistinctValues, canonical};

/// The group of a row that misses one of the values.
pub const NO_GROUP: u32 = u32::MAX;

/// As many combinations of values have a slot each, whether a row has them or not.
const MOST_SLOTS: usize = 1 << 25;

/// How many rows are worked on at a time.
const TOGETHER: usize = 1 << 15;

/// Groups of rows alike in some columns, numbered as they are first seen.
pub struct GroupKeys {
    columns: Vec<KeyColumn>,
    table: GroupTable,
    /// For each group the code of its value in each column.
    codes: Vec<u32>,
}

impl GroupKeys {
    /// Of the columns of rows to come.
    ///
    /// # Errors
    /// When a column does not exist.
    pub fn of(head: &Dataset, by: &[Column]) -> Result<Self, Fault> {
        let columns = by.iter().map(|Column(name)| {
            Ok(KeyColumn {
                head: head.column(name)?.take(&[]),
                values: DistinctValues::default(),
                labels: Labels::default(),
            })
        });
        let columns: Vec<KeyColumn> = columns.collect::<Result<_, Fault>>()?;
        Ok(Self {
            table: GroupTable::Slots {
                sizes: vec![0; columns.len()],
                groups: Vec::new(),
            },
            codes: Vec::new(),
            columns,
        })
    }

    /// The columns that tell groups apart.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| &*column.head.name)
    }

    /// How many groups there are so far.
    pub fn len(&self) -> usize {
        self.codes.len() / self.columns.len().max(1)
    }

    /// The group of each of the next rows.
    ///
    /// # Errors
    /// When a column is missing.
    pub fn groups(&mut self, rows: &Dataset) -> Result<Vec<u32>, Fault> {
        let mut codes = Vec::with_capacity(self.columns.len());
        for column in &mut self.columns {
            codes.push(column.codes(rows.column(&column.head.name)?));
        }
        self.make_room();
        let mut found = vec![0; rows.rows()];
        match &mut self.table {
            GroupTable::Slots { sizes, groups } => {
                combine(&codes, sizes, &mut found);
                for place in &mut found {
                    if *place == NO_GROUP {
                        continue;
                    }
                    let slot = &mut groups[*place as usize];
                    if *slot == NO_GROUP {
                        *slot = (self.codes.len() / sizes.len().max(1)) as u32;
                        let mut rest = *place as usize;
                        let start = self.codes.len();
                        self.codes.resize(start + sizes.len(), 0);
                        for (code, size) in self.codes[start..].iter_mut().zip(&*sizes).rev() {
                            *code = (rest % size) as u32;
                            rest /= size;
                        }
                    }
                    *place = *slot;
                }
            }
            GroupTable::Pairs(pairs) => {
                let mut own = vec![0; codes.len()];
                for (row, place) in found.iter_mut().enumerate() {
                    for (own, codes) in own.iter_mut().zip(&codes) {
                        *own = codes.get(row);
                    }
                    *place = match own.contains(&NO_GROUP) {
                        true => NO_GROUP,
                        false => group(pairs, &own),
                    };
                    if *place != NO_GROUP && *place as usize * own.len() == self.codes.len() {
                        self.codes.extend_from_slice(&own);
                    }
                }
            }
        }
        Ok(found)
    }

    /// Gives each new value a place in the table.
    fn make_room(&mut self) {
        let GroupTable::Slots { sizes, groups } = &mut self.table else {
            return;
        };
        let counts: Vec<usize> = self.columns.iter().map(KeyColumn::count).collect();
        if counts
            .iter()
            .zip(&*sizes)
            .all(|(count, size)| count <= size)
        {
            return;
        }
        for (size, count) in sizes.iter_mut().zip(counts) {
            // Values that come one by one would move the table each time.
            let is_first = *size == 0;
            if count > *size {
                *size = count + if is_first { 0 } else { count / 2 };
            }
        }
        let slots = sizes
            .iter()
            .try_fold(1_usize, |all, size| all.checked_mul(*size));
        let known = self.codes.chunks_exact(sizes.len().max(1));
        match slots.filter(|slots| *slots <= MOST_SLOTS) {
            Some(slots) => {
                *groups = vec![NO_GROUP; slots];
                for (group, codes) in (0..).zip(known) {
                    let place =
                        |all: usize, (code, size): (&u32, &usize)| all * size + *code as usize;
                    let place = codes.iter().zip(&*sizes).fold(0, place);
                    groups[place] = group;
                }
            }
            None => {
                let mut pairs: Vec<DistinctValues> = Vec::new();
                pairs.resize_with(sizes.len(), DistinctValues::default);
                known.for_each(|codes| {
                    group(&mut pairs, codes);
                });
                self.table = GroupTable::Pairs(pairs);
            }
        }
    }

    /// The groups in the order of their values, and their values.
    pub fn sorted(self) -> (Vec<u32>, Vec<DataColumn>) {
        let width = self.columns.len();
        let mut ranks = self.codes;
        let orders: Vec<Vec<u32>> = self.columns.iter().map(KeyColumn::order).collect();
        let places: Vec<Vec<u32>> = orders.iter().map(|order| inverse(order)).collect();
        for codes in ranks.chunks_exact_mut(width.max(1)) {
            for (code, places) in codes.iter_mut().zip(&places) {
                *code = places[*code as usize];
            }
        }
        let of = |group: u32| &ranks[group as usize * width..][..width];
        let mut groups: Vec<u32> = (0..(ranks.len() / width.max(1)) as u32).collect();
        groups.par_sort_unstable_by(|a, b| of(*a).cmp(of(*b)));
        let columns = self.columns.into_iter().zip(&orders).enumerate();
        let columns = columns.map(|(at, (column, order))| {
            column.of_ranks(order, groups.iter().map(|group| of(*group)[at]))
        });
        let columns = columns.collect();
        (groups, columns)
    }
}

/// Where the group of a combination of values is found.
enum GroupTable {
    /// By a place that follows from the codes, each column having room for as many values.
    Slots { sizes: Vec<usize>, groups: Vec<u32> },
    /// By the codes of the columns, one after the other.
    Pairs(Vec<DistinctValues>),
}

/// The group with these codes.
fn group(pairs: &mut [DistinctValues], codes: &[u32]) -> u32 {
    let pairs = pairs.iter_mut().zip(codes);
    pairs.fold(0, |known, (pair, code)| {
        pair.code(u64::from(known) << 32 | u64::from(*code))
    })
}

/// The place of each row in a table with room for as many codes of each column.
fn combine(columns: &[RowCodes], sizes: &[usize], places: &mut [u32]) {
    let parts = places.par_chunks_mut(TOGETHER).enumerate();
    parts.for_each(|(part, places)| {
        let start = part * TOGETHER;
        for (codes, size) in columns.iter().zip(sizes) {
            let size = *size as u32;
            let add = |place: &mut u32, code: u32| {
                *place = match code == NO_GROUP || *place == NO_GROUP {
                    true => NO_GROUP,
                    false => *place * size + code,
                };
            };
            match codes {
                RowCodes::Own(codes) => {
                    let own = places.iter_mut().zip(&codes[start..]);
                    own.for_each(|(place, code)| add(place, *code));
                }
                RowCodes::Repeated(codes, places_of) => {
                    let own = places.iter_mut().zip(&places_of[start..]);
                    own.for_each(|(place, at)| add(place, codes[usize::from(*at)]));
                }
            }
        }
    });
}

/// A column that tells groups apart.
struct KeyColumn {
    /// The column without rows.
    head: DataColumn,
    /// Its numbers.
    values: DistinctValues,
    /// Its texts.
    labels: Labels,
}

#[derive(Default)]
struct Labels {
    all: Vec<String>,
    /// Only looked up, never listed.
    known: HashMap<String, u32>,
}

impl Labels {
    fn code(&mut self, label: &str) -> u32 {
        if let Some(code) = self.known.get(label) {
            return *code;
        }
        let code = self.all.len() as u32;
        self.known.insert(label.to_owned(), code);
        self.all.push(label.to_owned());
        code
    }
}

/// The code of each row.
enum RowCodes {
    Own(Vec<u32>),
    /// Those of some values, and for each row the place of its value.
    Repeated(Vec<u32>, Arc<Vec<u16>>),
}

impl RowCodes {
    fn get(&self, row: usize) -> u32 {
        match self {
            Self::Own(codes) => codes[row],
            Self::Repeated(codes, places) => codes[usize::from(places[row])],
        }
    }
}

impl KeyColumn {
    fn is_text(&self) -> bool {
        self.head.content == Content::Text
    }

    fn count(&self) -> usize {
        match self.is_text() {
            true => self.labels.all.len(),
            false => self.values.values().len(),
        }
    }

    fn codes(&mut self, column: &DataColumn) -> RowCodes {
        let labels: Vec<u32> = match self.is_text() {
            true => { column.labels.iter() }
                .map(|it| self.labels.code(it))
                .collect(),
            false => Vec::new(),
        };
        let is_text = self.is_text();
        let mut last = (f64::NAN.to_bits(), NO_GROUP);
        let mut code = |value: f64| {
            let bits = canonical(value).to_bits();
            if bits != last.0 {
                let code = match is_text {
                    _ if value.is_nan() => NO_GROUP,
                    true => labels.get(value as usize).copied().unwrap_or(NO_GROUP),
                    false => self.values.code(bits),
                };
                last = (bits, code);
            }
            last.1
        };
        match column.values.codes() {
            Some((values, places)) => {
                let codes = values.iter().map(|value| code(*value)).collect();
                RowCodes::Repeated(codes, Arc::clone(places))
            }
            None => {
                let rows = column.values.len();
                let mut codes = Vec::with_capacity(rows);
                for start in (0..rows).step_by(TOGETHER) {
                    let part = column.values.part(start..rows.min(start + TOGETHER));
                    codes.extend(part.iter().map(|value| code(*value)));
                }
                RowCodes::Own(codes)
            }
        }
    }

    /// The codes in the order of their values.
    fn order(&self) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.count() as u32).collect();
        let compare = |a: &u32, b: &u32| -> Ordering {
            match self.is_text() {
                true => self.labels.all[*a as usize].cmp(&self.labels.all[*b as usize]),
                false => self.value(*a).total_cmp(&self.value(*b)),
            }
        };
        order.sort_unstable_by(compare);
        order
    }

    fn value(&self, code: u32) -> f64 {
        f64::from_bits(self.values.values()[code as usize])
    }

    /// The column with values by their rank.
    fn of_ranks(self, order: &[u32], ranks: impl Iterator<Item = u32>) -> DataColumn {
        if self.is_text() {
            let label = |rank: u32| Some(&self.labels.all[order[rank as usize] as usize]);
            return DataColumn::texts(self.head.name, ranks.map(label));
        }
        let value = |code: &u32| self.value(*code);
        let values = match order.len() <= 1 << u16::BITS {
            true => {
                let few: Vec<f64> = order.iter().map(value).collect();
                Numbers::coded(few, ranks.map(|rank| rank as u16).collect::<Vec<u16>>())
            }
            false => ranks.map(|rank| value(&order[rank as usize])).collect(),
        };
        DataColumn {
            values,
            ..self.head
        }
    }
}

fn inverse(order: &[u32]) -> Vec<u32> {
    let mut places = vec![0; order.len()];
    for (place, code) in (0..).zip(order) {
        places[*code as usize] = place;
    }
    places
}
