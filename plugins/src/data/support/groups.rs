//! Rows in groups: those alike in some columns, in the order of another.

use std::cmp::Ordering;
use std::ops::Range;

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::Column;

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
            .map(|column| Ok(&data.values(&column.0)?[..]))
            .collect::<Result<Vec<&[f64]>, Fault>>()?;
        let order = match along {
            Some(column) => Some(&data.values(&column.0)?[..]),
            None => None,
        };
        let alike = |a: u32, b: u32| {
            let unlike = keys.iter().map(|key| compare(key, a, b));
            unlike.fold(Ordering::Equal, Ordering::then)
        };
        let mut rows: Vec<u32> = (0..data.rows() as u32).collect();
        rows.sort_by(|a, b| {
            let along = order.map_or(Ordering::Equal, |order| compare(order, *a, *b));
            alike(*a, *b).then(along)
        });
        let mut ranges: Vec<Range<usize>> = Vec::new();
        for at in 0..rows.len() {
            match ranges.last_mut() {
                Some(last) if alike(rows[at - 1], rows[at]).is_eq() => last.end = at + 1,
                _ => ranges.push(at..at + 1),
            }
        }
        Ok(Self { rows, ranges })
    }
}

fn compare(values: &[f64], a: u32, b: u32) -> Ordering {
    // Both zeros are one value, and so is whatever stands for missing.
    let key = |row: u32| match values[row as usize] {
        value if value.is_nan() => f64::NAN,
        value => value + 0.0,
    };
    key(a).total_cmp(&key(b))
}

#[cfg(test)]
mod tests {
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
}
