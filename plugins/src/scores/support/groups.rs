//! Groups of rows by the values of columns.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use dsl::types::Content;
use engine::artifact::{DataColumn, Dataset};
use engine::error::Fault;
use engine::params::Column;
use engine::plugin::Context;

/// Rows that are measured together.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Group {
    /// The value of each column, or its mean; none for all rows.
    pub name: Option<String>,
    rows: GroupRows,
}

#[derive(Clone, Debug, PartialEq)]
enum GroupRows {
    /// As many as there are.
    All(usize),
    Some(Vec<usize>),
}

/// A column with more values than this is split into bins.
const MANY: usize = 64;

impl Group {
    /// All rows together.
    pub fn all(rows: usize) -> Self {
        Self {
            name: None,
            rows: GroupRows::All(rows),
        }
    }

    /// The same rows under a name.
    pub fn called(self, name: &str) -> Self {
        let name = Some(name.to_owned());
        Self { name, ..self }
    }

    /// Some of the rows.
    pub fn named(name: &str, rows: impl IntoIterator<Item = usize>) -> Self {
        Self {
            name: Some(name.to_owned()),
            rows: GroupRows::Some(rows.into_iter().collect()),
        }
    }

    /// The same rows where each has as many values one after the other.
    pub fn widened(&self, width: usize) -> Self {
        let values = |row: &usize| row * width..(row + 1) * width;
        Self {
            name: self.name.clone(),
            rows: match &self.rows {
                GroupRows::All(rows) => GroupRows::All(rows * width),
                GroupRows::Some(rows) => GroupRows::Some(rows.iter().flat_map(values).collect()),
            },
        }
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        match &self.rows {
            GroupRows::All(rows) => *rows,
            GroupRows::Some(rows) => rows.len(),
        }
    }

    /// The values of its rows.
    pub fn take<'v>(&self, values: &'v [f64]) -> Cow<'v, [f64]> {
        match &self.rows {
            GroupRows::All(rows) => Cow::Borrowed(&values[..*rows]),
            GroupRows::Some(rows) => rows.iter().map(|row| values[*row]).collect(),
        }
    }
}

/// All rows, then those of each value of a column, or of each of `bins` bins of equally many
/// rows when it has many values; in the order of the values. Of several columns, those of all
/// their groups together that have rows.
pub(crate) fn groups(
    data: &Dataset,
    by: &[Column],
    bins: usize,
    context: &Context,
) -> Result<Vec<Group>, Fault> {
    let columns = by.iter();
    let columns = columns.map(|Column(name)| of_column(data, name, bins, context));
    let mut columns = columns.collect::<Result<Vec<_>, Fault>>()?;
    let own = match columns.len() {
        0 | 1 => columns.pop().unwrap_or_default(),
        _ => together(&columns, data.rows()),
    };
    Ok(std::iter::once(Group::all(data.rows()))
        .chain(own)
        .collect())
}

/// The rows that several columns put into the same groups.
fn together(columns: &[Vec<Group>], rows: usize) -> Vec<Group> {
    let mut places = vec![Vec::new(); rows];
    for groups in columns {
        for (at, group) in groups.iter().enumerate() {
            if let GroupRows::Some(rows) = &group.rows {
                rows.iter().for_each(|row| places[*row].push(at));
            }
        }
    }
    let mut found: BTreeMap<Vec<usize>, Vec<usize>> = BTreeMap::new();
    for (row, places) in places.into_iter().enumerate() {
        // A row without one of the values is in no group.
        if places.len() == columns.len() {
            found.entry(places).or_default().push(row);
        }
    }
    let found = found.into_iter().map(|(places, rows)| {
        let names = places.iter().zip(columns);
        let names = names.filter_map(|(at, groups)| groups[*at].name.clone());
        Group {
            name: Some(names.collect::<Vec<_>>().join(", ")),
            rows: GroupRows::Some(rows),
        }
    });
    found.collect()
}

/// The rows of each group of one column.
fn of_column(
    data: &Dataset,
    by: &str,
    bins: usize,
    context: &Context,
) -> Result<Vec<Group>, Fault> {
    // Adding zero makes the two zeros one value.
    let column = data.column(by)?;
    let values: Vec<f64> = column.values.iter().map(|value| value + 0.0).collect();
    let mut order: Vec<usize> = (0..values.len())
        .filter(|row| values[*row].is_finite())
        .collect();
    let missing = values.len() - order.len();
    if missing > 0 {
        context.note(format!(
            "{missing} of {} rows lack `{by}` and are in no group",
            values.len()
        ));
    }
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let distinct: Vec<&[usize]> = order.chunk_by(|a, b| values[*a] == values[*b]).collect();
    // Texts have no mean.
    if distinct.len() <= MANY || column.content == Content::Text {
        let each = distinct.into_iter().map(|rows| Group {
            name: Some(named(column, values[rows[0]])),
            rows: GroupRows::Some(rows.to_vec()),
        });
        return Ok(each.collect());
    }
    let bins = binned(&distinct, order.len(), bins);
    let mean =
        |rows: &Vec<usize>| rows.iter().map(|row| values[*row]).sum::<f64>() / rows.len() as f64;
    let names: Vec<String> = bins.iter().map(|rows| named(column, mean(rows))).collect();
    // The time of day of a mean is of interest only where days do not tell bins apart.
    let days: Vec<String> = names
        .iter()
        .map(|name| match column.content {
            Content::Time(_) => name.split('T').next().unwrap_or(name).to_owned(),
            _ => name.clone(),
        })
        .collect();
    let are_apart = days.iter().collect::<HashSet<_>>().len() == days.len();
    let names = if are_apart { days } else { names };
    let binned = names.into_iter().zip(bins).map(|(name, rows)| Group {
        name: Some(name),
        rows: GroupRows::Some(rows),
    });
    Ok(binned.collect())
}

/// A number, a date or a text as the name of a group.
fn named(column: &DataColumn, value: f64) -> String {
    match column.content {
        Content::Text => column.label(value).unwrap_or_default().to_owned(),
        _ => column.show(value),
    }
}

/// Runs of rows, each of one value, put together to bins; equal values stay together.
fn binned(distinct: &[&[usize]], rows: usize, bins: usize) -> Vec<Vec<usize>> {
    let mut binned = vec![Vec::new(); bins];
    let mut before = 0;
    for run in distinct {
        binned[before * bins / rows].extend_from_slice(run);
        before += run.len();
    }
    binned.retain(|bin| !bin.is_empty());
    binned
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

    fn rows(group: &Group) -> Vec<usize> {
        match &group.rows {
            GroupRows::All(rows) => (0..*rows).collect(),
            GroupRows::Some(rows) => rows.clone(),
        }
    }

    fn named(groups: &[Group]) -> Vec<(Option<&str>, Vec<usize>)> {
        let groups = groups.iter();
        groups
            .map(|group| (group.name.as_deref(), rows(group)))
            .collect()
    }

    #[test]
    fn few_values_are_groups_in_their_order() {
        let data = dataset(&[("z", &[1100.0, 0.1, f64::NAN, 1100.0, -0.0, 0.0])]);
        let context = Context::alone("groups");
        let groups = groups(&data, &by(&["z"]), 2, &context).unwrap();
        assert_eq!(
            named(&groups),
            [
                (None, vec![0, 1, 2, 3, 4, 5]),
                (Some("0"), vec![4, 5]),
                (Some("0.1"), vec![1]),
                (Some("1100"), vec![0, 3]),
            ]
        );
        assert_eq!(
            context.take_notes(),
            ["1 of 6 rows lack `z` and are in no group"]
        );
    }

    #[test]
    fn many_values_make_bins_of_equally_many_rows_named_by_their_mean() {
        let values: Vec<f64> = (0..100).map(|row| f64::from(99 - row)).collect();
        let data = dataset(&[("z", &values)]);
        let groups = groups(&data, &by(&["z"]), 4, &Context::alone("groups")).unwrap();
        let names: Vec<&str> = groups
            .iter()
            .filter_map(|group| group.name.as_deref())
            .collect();
        assert_eq!(names, ["12", "37", "62", "87"]);
        assert!(groups[1..].iter().all(|group| group.len() == 25));
        assert_eq!(rows(&groups[1])[0], 99);
    }

    #[test]
    fn equal_values_stay_in_one_bin() {
        let values: Vec<f64> = (0..140).map(|row| f64::from((row - 70).max(0))).collect();
        let data = dataset(&[("z", &values)]);
        let groups = groups(&data, &by(&["z"]), 4, &Context::alone("groups")).unwrap();
        let sizes: Vec<usize> = groups[1..].iter().map(Group::len).collect();
        // Rows 0..=70 share the value 0 and fill what would be two bins.
        assert_eq!(sizes, [71, 34, 35]);
    }
    #[test]
    fn two_columns_make_a_group_of_each_pair_that_has_rows() {
        let data = dataset(&[
            ("z", &[2.0, 1.0, 1.0, 2.0, 1.0, f64::NAN]),
            ("m", &[7.0, 8.0, 7.0, 7.0, f64::NAN, 8.0]),
        ]);
        let context = Context::alone("groups");
        let groups = groups(&data, &by(&["z", "m"]), 2, &context).unwrap();
        assert_eq!(
            named(&groups),
            [
                (None, vec![0, 1, 2, 3, 4, 5]),
                (Some("1, 7"), vec![2]),
                (Some("1, 8"), vec![1]),
                (Some("2, 7"), vec![0, 3]),
            ]
        );
        assert_eq!(
            context.take_notes(),
            [
                "1 of 6 rows lack `z` and are in no group",
                "1 of 6 rows lack `m` and are in no group"
            ]
        );
    }
}
