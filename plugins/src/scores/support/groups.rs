//! Groups of rows by the values of columns, which come in parts: first their values are counted,
//! then each row finds its group.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use dsl::types::Content;
use engine::artifact::{DataColumn, Dataset};
use engine::error::Fault;
use engine::params::Column;

use crate::data::Counted;

/// A column with more values than this is split into bins.
const MANY: usize = 64;

/// The group of a row that is in none.
pub(crate) const NO_GROUP: u32 = u32::MAX;

/// The values of the columns whose groups rows are in.
#[derive(Default)]
pub(crate) struct Values(Vec<ColumnValues>);

/// The values of one column.
struct ColumnValues {
    /// The column, without its rows.
    head: DataColumn,
    numbers: Counted,
    texts: BTreeSet<String>,
    rows: usize,
    missing: usize,
}

impl Values {
    /// Counts those of more rows.
    ///
    /// # Errors
    /// When the data lack a column.
    pub fn add(&mut self, data: &Dataset, by: &[Column]) -> Result<(), Fault> {
        for (at, Column(name)) in by.iter().enumerate() {
            let column = data.column(name)?;
            if at == self.0.len() {
                self.0.push(ColumnValues {
                    head: column.take(&[]),
                    numbers: Counted::default(),
                    texts: BTreeSet::new(),
                    rows: 0,
                    missing: 0,
                });
            }
            self.0[at].add(column);
        }
        Ok(())
    }

    /// The groups: each value of a column is one, or each of `bins` bins of equally many rows when
    /// it has many values. Of several columns, those of all their groups together that have rows.
    pub fn groups(self, bins: usize) -> Groups {
        Groups {
            columns: { self.0.into_iter() }
                .map(|column| column.bins(bins))
                .collect(),
            met: BTreeMap::new(),
        }
    }

    /// What says how many rows lack a value.
    pub fn missing(&self) -> Vec<String> {
        let columns = self.0.iter().filter(|column| column.missing > 0);
        let note = |column: &ColumnValues| {
            format!(
                "{} of {} rows lack `{}` and are in no group",
                column.missing, column.rows, column.head.name
            )
        };
        columns.map(note).collect()
    }
}

impl ColumnValues {
    fn add(&mut self, column: &DataColumn) {
        self.rows += column.values.len();
        let mut is_met = vec![false; column.labels.len()];
        for value in column.values.pieces().flat_map(|it| it.into_owned()) {
            if !value.is_finite() {
                self.missing += 1;
            } else if column.content != Content::Text {
                // The two zeros are one value.
                self.numbers.add(value + 0.0);
            } else if let Some(is_met) = is_met.get_mut(value as usize) {
                *is_met = true;
            }
        }
        let met = column.labels.iter().zip(is_met);
        let met = met.filter(|(label, is_met)| *is_met && !self.texts.contains(*label));
        self.texts
            .extend(met.map(|(label, _)| label.clone()).collect::<Vec<_>>());
    }

    fn bins(self, bins: usize) -> ColumnBins {
        let head = self.head;
        // Texts have no mean.
        if head.content == Content::Text {
            return ColumnBins {
                names: self.texts.into_iter().collect(),
                starts: Vec::new(),
            };
        }
        let (values, counts) = self.numbers.settled();
        if values.len() <= MANY {
            return ColumnBins {
                names: values.iter().map(|value| head.show(*value)).collect(),
                starts: values,
            };
        }
        let rows: u64 = counts.iter().sum();
        // For each bin with rows its number, first value, sum and count; equal values stay together.
        let mut found: Vec<(u64, f64, f64, u64)> = Vec::new();
        let mut before = 0;
        for (value, count) in values.into_iter().zip(counts) {
            let bin = (u128::from(before) * bins as u128 / u128::from(rows)) as u64;
            if found.last().is_none_or(|(last, ..)| *last != bin) {
                found.push((bin, value, 0.0, 0));
            }
            if let Some((_, _, sum, own)) = found.last_mut() {
                (0..count).for_each(|_| *sum += value);
                *own += count;
            }
            before += count;
        }
        let means = found.iter().map(|(_, _, sum, own)| sum / *own as f64);
        let names: Vec<String> = means.map(|mean| head.show(mean)).collect();
        // The time of day of a mean is of interest only where days do not tell bins apart.
        let days: Vec<String> = names
            .iter()
            .map(|name| match head.content {
                Content::Time(_) => name.split('T').next().unwrap_or(name).to_owned(),
                _ => name.clone(),
            })
            .collect();
        let are_apart = days.iter().collect::<HashSet<_>>().len() == days.len();
        ColumnBins {
            names: if are_apart { days } else { names },
            starts: found.into_iter().map(|(_, start, ..)| start).collect(),
        }
    }
}

/// The groups of one column, in the order of its values.
struct ColumnBins {
    names: Vec<String>,
    /// The least value of each; none of texts, which are their names.
    starts: Vec<f64>,
}

impl ColumnBins {
    /// The place of the group of every row.
    fn of(&self, column: &DataColumn) -> Vec<u32> {
        let known = |at: usize| u32::try_from(at).unwrap_or(NO_GROUP);
        let labels = column.labels.iter();
        let of_label = labels.map(|label| self.names.binary_search(label).map_or(NO_GROUP, known));
        let of_label: Vec<u32> = of_label.collect();
        let place = |value: f64| match column.content {
            _ if !value.is_finite() => NO_GROUP,
            Content::Text => of_label.get(value as usize).copied().unwrap_or(NO_GROUP),
            _ => match self.starts.partition_point(|start| *start <= value) {
                0 => NO_GROUP,
                after => known(after - 1),
            },
        };
        let values = column.values.pieces();
        values
            .flat_map(|it| it.iter().map(|value| place(*value)).collect::<Vec<_>>())
            .collect()
    }
}

/// The groups of rows.
pub(crate) struct Groups {
    columns: Vec<ColumnBins>,
    /// The numbers of the groups of several columns that were met, by their places.
    met: BTreeMap<Vec<u32>, u32>,
}

impl Groups {
    /// The number of the group of every row, [`NO_GROUP`] where it lacks a value; nothing where
    /// there are no groups.
    ///
    /// # Errors
    /// When the data lack a column.
    pub fn of(&mut self, data: &Dataset, by: &[Column]) -> Result<Option<Vec<u32>>, Fault> {
        let columns = by.iter().zip(&self.columns);
        let columns = columns.map(|(Column(name), bins)| Ok(bins.of(data.column(name)?)));
        let mut columns = columns.collect::<Result<Vec<Vec<u32>>, Fault>>()?;
        if columns.len() < 2 {
            return Ok(columns.pop());
        }
        let mut places = Vec::new();
        let numbers = (0..data.rows()).map(|row| {
            places.clear();
            places.extend(columns.iter().map(|column| column[row]));
            if places.contains(&NO_GROUP) {
                return NO_GROUP;
            }
            if let Some(number) = self.met.get(&places) {
                return *number;
            }
            let number = u32::try_from(self.met.len()).unwrap_or(NO_GROUP);
            self.met.insert(places.clone(), number);
            number
        });
        Ok(Some(numbers.collect()))
    }

    /// The names of the groups in the order of their values, with their numbers.
    pub fn named(&self) -> Vec<(String, u32)> {
        if let [column] = &self.columns[..] {
            return column.names.iter().cloned().zip(0..).collect();
        }
        let met = self.met.iter().map(|(places, number)| {
            let names = places.iter().zip(&self.columns);
            let names = names.map(|(at, bins)| &bins.names[*at as usize][..]);
            (names.collect::<Vec<_>>().join(", "), *number)
        });
        met.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predictors::tests::dataset;

    fn by(names: &[&str]) -> Vec<Column> {
        names
            .iter()
            .map(|name| Column((*name).to_owned()))
            .collect()
    }

    /// The names of the groups with their rows, and the notes, of parts of this many rows.
    fn grouped(
        data: &Dataset,
        names: &[&str],
        bins: usize,
        size: usize,
    ) -> (Vec<(String, Vec<usize>)>, Vec<String>) {
        let by = by(names);
        let starts = (0..data.rows()).step_by(size);
        let parts = starts.map(|start| data.part(start..data.rows().min(start + size)));
        let parts: Vec<Dataset> = parts.collect();
        let mut values = Values::default();
        parts.iter().for_each(|part| values.add(part, &by).unwrap());
        let notes = values.missing();
        let mut groups = values.groups(bins);
        let numbers = parts
            .iter()
            .flat_map(|part| groups.of(part, &by).unwrap().unwrap());
        let numbers: Vec<u32> = numbers.collect();
        let rows = |number: u32| {
            let own = (0..numbers.len()).filter(|row| numbers[*row] == number);
            own.collect::<Vec<usize>>()
        };
        let named = groups.named().into_iter();
        let named = named.map(|(name, number)| (name, rows(number)));
        (named.collect(), notes)
    }

    fn group(name: &str, rows: &[usize]) -> (String, Vec<usize>) {
        (name.to_owned(), rows.to_vec())
    }

    #[test]
    fn few_values_are_groups_in_their_order() {
        let data = dataset(&[("z", &[1100.0, 0.1, f64::NAN, 1100.0, -0.0, 0.0])]);
        for size in [1, 2, 6] {
            let (groups, notes) = grouped(&data, &["z"], 2, size);
            assert_eq!(
                groups,
                [
                    group("0", &[4, 5]),
                    group("0.1", &[1]),
                    group("1100", &[0, 3]),
                ]
            );
            assert_eq!(notes, ["1 of 6 rows lack `z` and are in no group"]);
        }
    }

    #[test]
    fn texts_are_groups_whatever_their_places() {
        let texts = ["b", "a", "b", "c", "a"].map(Some);
        let texts = texts.into_iter().chain([None]);
        let data = Dataset::new(vec![DataColumn::texts("s".to_owned(), texts)]).unwrap();
        let expected = [group("a", &[1, 4]), group("b", &[0, 2]), group("c", &[3])];
        for size in [1, 4, 6] {
            assert_eq!(grouped(&data, &["s"], 2, size).0, expected);
        }
    }

    #[test]
    fn many_values_make_bins_of_equally_many_rows_named_by_their_mean() {
        let values: Vec<f64> = (0..100).map(|row| f64::from(99 - row)).collect();
        let data = dataset(&[("z", &values)]);
        let (groups, _) = grouped(&data, &["z"], 4, 7);
        let names: Vec<&str> = groups.iter().map(|(name, _)| &name[..]).collect();
        assert_eq!(names, ["12", "37", "62", "87"]);
        assert!(groups.iter().all(|(_, rows)| rows.len() == 25));
        assert_eq!(groups[0].1[24], 99);
    }

    #[test]
    fn equal_values_stay_in_one_bin() {
        let values: Vec<f64> = (0..140).map(|row| f64::from((row - 70).max(0))).collect();
        let data = dataset(&[("z", &values)]);
        let (groups, _) = grouped(&data, &["z"], 4, 140);
        let sizes: Vec<usize> = groups.iter().map(|(_, rows)| rows.len()).collect();
        // Rows 0..=70 share the value 0 and fill what would be two bins.
        assert_eq!(sizes, [71, 34, 35]);
    }

    #[test]
    fn two_columns_make_a_group_of_each_pair_that_has_rows() {
        let data = dataset(&[
            ("z", &[2.0, 1.0, 1.0, 2.0, 1.0, f64::NAN]),
            ("m", &[7.0, 8.0, 7.0, 7.0, f64::NAN, 8.0]),
        ]);
        let (groups, notes) = grouped(&data, &["z", "m"], 2, 2);
        assert_eq!(
            groups,
            [
                group("1, 7", &[2]),
                group("1, 8", &[1]),
                group("2, 7", &[0, 3]),
            ]
        );
        assert_eq!(
            notes,
            [
                "1 of 6 rows lack `z` and are in no group",
                "1 of 6 rows lack `m` and are in no group"
            ]
        );
    }
}
