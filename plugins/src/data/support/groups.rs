//! Rows in groups: those alike in some columns, in the order of another.

use std::cmp::Ordering;
use std::ops::Range;

use engine::artifact::{Dataset, Numbers};
use engine::error::Fault;
use engine::params::Column;

use super::distinct::{DistinctValues, canonical};

/// The rows of a data set, group after group.
pub struct Groups {
    /// Row indices: groups by rising values of their columns, rows of a group in order.
    pub rows: Vec<u32>,
    /// Where each group lies in `rows`.
    pub ranges: Vec<Range<usize>>,
}

impl Groups {
    /// Groups of rows alike in the columns `by`, each in the order of `along` or else of the
    /// data. Rows without a value stand last.
    ///
    /// # Errors
    /// When a column does not exist.
    pub fn of(data: &Dataset, by: &[Column], along: Option<&Column>) -> Result<Self, Fault> {
        let keys = by
            .iter()
            .map(|column| Ok(&data.column(&column.0)?.values))
            .collect::<Result<Vec<&Numbers>, Fault>>()?;
        let order = match along {
            Some(column) => Some(&data.column(&column.0)?.values),
            None => None,
        };
        if keys.is_empty() && order.is_none() {
            let all = 0..data.rows();
            return Ok(Self {
                rows: (0..data.rows() as u32).collect(),
                ranges: Vec::from_iter((!all.is_empty()).then_some(all)),
            });
        }
        let mut groups = match Codes::of(data.rows(), &keys) {
            Some(codes) => codes.groups(),
            None => sorted(data.rows(), &keys),
        };
        if let Some(order) = order {
            for range in &groups.ranges {
                let rows = &mut groups.rows[range.clone()];
                if !rows.is_sorted_by(|a, b| compare(order, *a, *b).is_le()) {
                    rows.sort_by(|a, b| compare(order, *a, *b));
                }
            }
        }
        Ok(groups)
    }

    /// Whether it is all rows in the order of the data.
    pub fn is_order_of_data(&self) -> bool {
        self.rows.iter().zip(0..).all(|(row, at)| *row == at)
    }
}

/// A number for every row: equal for rows that are alike, and in the order of the groups.
struct Codes {
    codes: Vec<u32>,
    /// All codes are less than this.
    count: usize,
}

impl Codes {
    /// Those of rows with these keys; none where there are too many combinations to count rows
    /// by them.
    fn of(rows: usize, keys: &[&Numbers]) -> Option<Self> {
        let most = rows.saturating_mul(4).max(1 << 16).min(u32::MAX as usize);
        let mut all = Self {
            codes: vec![0; rows],
            count: 1,
        };
        for key in keys {
            match key.codes() {
                // Each value is looked at once, not each row.
                Some((values, places)) => {
                    let key = Self::of_values(values, most)?;
                    let codes = places.iter().map(|place| key.codes[usize::from(*place)]);
                    all.then(codes, key.count, most)?;
                }
                None => {
                    let key = Self::of_values(key, most)?;
                    all.then(key.codes.into_iter(), key.count, most)?;
                }
            }
        }
        Some(all)
    }

    /// Tells rows apart by another column, too.
    fn then(&mut self, codes: impl Iterator<Item = u32>, count: usize, most: usize) -> Option<()> {
        self.count = self
            .count
            .checked_mul(count)
            .filter(|count| *count <= most)?;
        for (code, own) in self.codes.iter_mut().zip(codes) {
            *code = *code * count as u32 + own;
        }
        Some(())
    }

    /// Those of one column.
    fn of_values(values: &[f64], most: usize) -> Option<Self> {
        let mut seen = DistinctValues::default();
        let mut codes = Vec::with_capacity(values.len());
        let mut last = (f64::NAN.to_bits(), None);
        for value in values {
            let bits = canonical(*value).to_bits();
            let code = match last {
                (known, Some(code)) if known == bits => code,
                _ => seen.code(bits),
            };
            last = (bits, Some(code));
            codes.push(code);
            if seen.values().len() > most {
                return None;
            }
        }
        // In the order of the values instead of that of their first rows.
        let mut order: Vec<u32> = (0..seen.values().len() as u32).collect();
        let value = |code: &u32| f64::from_bits(seen.values()[*code as usize]);
        order.sort_unstable_by(|a, b| value(a).total_cmp(&value(b)));
        let mut places = vec![0; order.len()];
        for (place, code) in (0..).zip(&order) {
            places[*code as usize] = place;
        }
        for code in &mut codes {
            *code = places[*code as usize];
        }
        Some(Self {
            codes,
            count: order.len().max(1),
        })
    }

    /// The rows counted by code: linear in their number.
    fn groups(self) -> Groups {
        let mut ends = vec![0_u32; self.count];
        for code in &self.codes {
            ends[*code as usize] += 1;
        }
        let mut ranges = Vec::new();
        let mut start = 0;
        for end in &mut ends {
            let length = *end as usize;
            if length > 0 {
                ranges.push(start..start + length);
            }
            // The next place of the group, until all its rows are placed.
            *end = start as u32;
            start += length;
        }
        let mut rows = vec![0; self.codes.len()];
        for (row, code) in (0..).zip(&self.codes) {
            let place = &mut ends[*code as usize];
            rows[*place as usize] = row;
            *place += 1;
        }
        Groups { rows, ranges }
    }
}

/// The same by comparing rows.
fn sorted(count: usize, keys: &[&Numbers]) -> Groups {
    let alike = |a: u32, b: u32| {
        let unlike = keys.iter().map(|key| compare(key, a, b));
        unlike.fold(Ordering::Equal, Ordering::then)
    };
    let mut rows: Vec<u32> = (0..count as u32).collect();
    rows.sort_by(|a, b| alike(*a, *b));
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for at in 0..rows.len() {
        match ranges.last_mut() {
            Some(last) if alike(rows[at - 1], rows[at]).is_eq() => last.end = at + 1,
            _ => ranges.push(at..at + 1),
        }
    }
    Groups { rows, ranges }
}

fn compare(values: &Numbers, a: u32, b: u32) -> Ordering {
    let key = |row: u32| canonical(values.get(row as usize).unwrap_or(f64::NAN));
    key(a).total_cmp(&key(b))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::support::testing::table;

    #[test]
    fn rows_lie_group_by_group_in_order() {
        let data = table(&[
            ("cell", &[2.0, 0.0, 2.0, -0.0, f64::NAN]),
            ("time", &[5.0, 9.0, 1.0, 8.0, 0.0]),
        ]);
        let by = [Column("cell".to_owned())];
        let groups = Groups::of(&data, &by, Some(&Column("time".to_owned()))).expect("groups");
        assert_eq!(groups.rows, [3, 1, 2, 0, 4]);
        assert_eq!(groups.ranges, [0..2, 2..4, 4..5]);
        let whole = Groups::of(&data, &[], None).expect("one group");
        assert_eq!(whole.rows, [0, 1, 2, 3, 4]);
        assert_eq!(whole.ranges.first(), Some(&(0..5)));
        assert_eq!(whole.ranges.len(), 1);
    }

    proptest! {
        #[test]
        fn counting_and_comparing_agree(
            rows in proptest::collection::vec((-3..3_i8, -2..2_i8, any::<bool>()), 0..60),
        ) {
            let values = |(_, y, gap): &(i8, i8, bool)| if *gap { f64::NAN } else { f64::from(*y) };
            let first: Numbers = rows.iter().map(|row| f64::from(row.0) / 2.0).collect();
            let second: Numbers = rows.iter().map(values).collect();
            let keys = [&first, &second];
            let counted = Codes::of(rows.len(), &keys).expect("few values").groups();
            let compared = sorted(rows.len(), &keys);
            prop_assert_eq!(counted.rows, compared.rows);
            prop_assert_eq!(counted.ranges, compared.ranges);
        }
    }
}
