//! Rows of one table that belong to rows of another: alike in some columns.

use std::collections::HashMap;

use dsl::calendar::TimeUnit;
use dsl::types::Content;
use engine::artifact::{DataColumn, Dataset};
use engine::error::Fault;
use engine::params::Column;
use engine::plugin::{Complaint, Sketch};

use super::several::other_content;

/// For each row of the first table the row of the second that is alike.
pub struct Matches {
    /// None where there is no such row.
    pub rows: Vec<Option<u32>>,
    /// How many rows of the second table no row of the first is alike.
    pub unused: usize,
    /// How many more rows would match if numbers might differ a little, and by how much.
    pub near: Option<(usize, f64)>,
}

/// Longitudes are alike when they differ by whole circles and less than this, in degrees: one
/// circle more rounds the last digit.
const CIRCLE: f64 = 1e-9;

/// Numbers that differ less are taken for the same number in another precision.
const NEAR: f64 = 1e-4;

/// How far values may be apart.
#[derive(Clone, Copy, Debug, Default)]
pub struct Within {
    /// Numbers, in their unit.
    pub number: Option<f64>,
    /// Times, in days.
    pub days: Option<f64>,
}

impl From<f64> for Within {
    fn from(number: f64) -> Self {
        Self {
            number: Some(number),
            days: None,
        }
    }
}

/// One column of both tables.
struct Key {
    left: Vec<f64>,
    right: Vec<f64>,
    /// How far values may be apart; none where they must be equal.
    within: Option<f64>,
    /// Whether values go round in a circle.
    is_circle: bool,
}

impl Matches {
    /// The matches by these columns. `within` is how far values may be apart.
    ///
    /// # Errors
    /// When two rows of the second table are alike, or a column is missing.
    pub fn of(
        left: &Dataset,
        right: &Dataset,
        by: &[Column],
        within: Within,
    ) -> Result<Self, Fault> {
        let within = Within {
            number: within.number.filter(|within| *within > 0.0),
            ..within
        };
        let keys = by
            .iter()
            .map(|Column(name)| Key::of(left, right, name, within))
            .collect::<Result<Vec<Key>, Fault>>()?;
        let index = Index::of(&keys, right.rows(), by)?;
        let mut used = vec![false; right.rows()];
        let mut rows = Vec::with_capacity(left.rows());
        for row in 0..left.rows() {
            let found = index.find(&keys, row);
            if let Some(found) = found {
                used[found as usize] = true;
            }
            rows.push(found);
        }
        let lost = rows.iter().filter(|row| row.is_none()).count();
        let near = match within.number.is_none() && lost > 0 {
            true => near(left, right, by, lost, within),
            false => None,
        };
        Ok(Self {
            rows,
            unused: used.iter().filter(|used| !**used).count(),
            near,
        })
    }

    /// How many rows of the first table have no match.
    pub fn lost(&self) -> usize {
        self.rows.iter().filter(|row| row.is_none()).count()
    }

    /// What to say of rows without a match.
    pub fn hint(&self) -> Option<String> {
        let (count, _) = self.near?;
        let rows = if count == 1 {
            "row matches"
        } else {
            "rows match"
        };
        Some(format!("{count} more {rows} with `within: {NEAR:e}`"))
    }
}

/// How many of the lost rows match when numbers may differ a little.
fn near(
    left: &Dataset,
    right: &Dataset,
    by: &[Column],
    lost: usize,
    within: Within,
) -> Option<(usize, f64)> {
    let number = Some(NEAR);
    let loose = Matches::of(left, right, by, Within { number, ..within }).ok()?;
    let more = lost.saturating_sub(loose.lost());
    (more > 0).then_some((more, NEAR))
}

impl Key {
    fn of(left: &Dataset, right: &Dataset, name: &str, within: Within) -> Result<Self, Fault> {
        let (left, right) = (left.column(name)?, right.column(name)?);
        let plain = |left: Vec<f64>, right: Vec<f64>, within| Self {
            left,
            right,
            within,
            is_circle: false,
        };
        match (left.content, right.content) {
            (Content::Text, _) => {
                let places: HashMap<&str, f64> = left
                    .labels
                    .iter()
                    .enumerate()
                    .map(|(place, label)| (label.as_str(), place as f64))
                    .collect();
                // Texts that the first table lacks are apart from one another, too.
                let more = left.labels.len() as f64;
                let place = |value: &f64| match right.labels.get(*value as usize) {
                    Some(label) if !value.is_nan() => {
                        places.get(label.as_str()).copied().unwrap_or(more + value)
                    }
                    _ => f64::NAN,
                };
                let its = right.values.iter().map(place).collect();
                Ok(plain(left.values.to_vec(), its, None))
            }
            (Content::Time(mine), Content::Time(its)) => {
                let converted = right.values.iter().map(|value| its.convert(*value, mine));
                // A microsecond more, as units such as hours and days round differently.
                let least = mine.micros().map_or(1e-9, |micros| 1.0 / micros);
                if let Some(days) = within.days {
                    return Ok(Self::of_days(left, right, mine, its, days));
                }
                let within = least;
                Ok(plain(
                    left.values.to_vec(),
                    converted.collect(),
                    Some(within),
                ))
            }
            _ => Ok(Self::of_numbers(left, right, within.number)),
        }
    }

    /// Times as days of their calendar, which may be apart.
    fn of_days(
        left: &DataColumn,
        right: &DataColumn,
        mine: TimeUnit,
        its: TimeUnit,
        apart: f64,
    ) -> Self {
        let days = TimeUnit::days(mine.calendar());
        let converted = |column: &DataColumn, from: TimeUnit| {
            let values = column.values.iter().map(|value| from.convert(*value, days));
            values.collect::<Vec<f64>>()
        };
        Self {
            left: converted(left, mine),
            right: converted(right, its),
            within: Some(apart + 1e-6 / 86_400.0),
            is_circle: false,
        }
    }

    fn of_numbers(left: &DataColumn, right: &DataColumn, within: Option<f64>) -> Self {
        let is_circle = is_longitude(left) || is_longitude(right);
        let canonical = |value: &f64| match is_circle {
            true => value.rem_euclid(360.0),
            // Both zeros are one.
            false => value + 0.0,
        };
        let values = |column: &DataColumn| column.values.iter().map(canonical).collect();
        Self {
            left: values(left),
            right: values(right),
            within: match (within, is_circle) {
                (Some(within), true) => Some(within.max(CIRCLE)),
                (Some(within), false) => Some(within),
                (None, true) => Some(CIRCLE),
                (None, false) => None,
            },
            is_circle,
        }
    }

    fn distance(&self, a: f64, b: f64) -> f64 {
        let distance = (a - b).abs();
        match self.is_circle {
            true => distance.min(360.0 - distance),
            false => distance,
        }
    }

    /// The cell of a value; cells of a tolerance are twice as wide, so that what is alike lies in
    /// the same one or in the next.
    fn cell(&self, value: f64) -> u64 {
        match self.within {
            None => value.to_bits(),
            Some(within) => ((value / (2.0 * within)).floor() as i64).cast_unsigned(),
        }
    }

    /// The cells in which values alike this one can lie.
    fn cells(&self, value: f64) -> Vec<u64> {
        let Some(within) = self.within else {
            return vec![value.to_bits()];
        };
        let mut cells = vec![self.cell(value - within), self.cell(value + within)];
        if self.is_circle {
            if value < within {
                cells.push(self.cell(value + 360.0));
                cells.push(self.cell(value + 360.0 - within));
            }
            if value + within >= 360.0 {
                cells.push(self.cell(value + within - 360.0));
            }
        }
        cells.dedup();
        cells
    }
}

/// Whether a column goes round the earth: by its unit, or by its name where it has none.
fn is_longitude(column: &DataColumn) -> bool {
    const UNITS: [&str; 6] = [
        "degrees_east",
        "degree_east",
        "degrees_e",
        "degree_e",
        "degreese",
        "degreee",
    ];
    let name = column.name.to_ascii_lowercase();
    match column.unit.as_deref() {
        Some(unit) if UNITS.contains(&unit.to_ascii_lowercase().as_str()) => true,
        Some("degrees" | "degree" | "deg") | None => {
            matches!(name.as_str(), "lon" | "longitude" | "long" | "lons")
        }
        Some(_) => false,
    }
}

/// The rows of the second table by their cells.
struct Index {
    rows: HashMap<Box<[u64]>, Vec<u32>>,
}

impl Index {
    fn of(keys: &[Key], rows: usize, by: &[Column]) -> Result<Self, Fault> {
        let mut index: HashMap<Box<[u64]>, Vec<u32>> = HashMap::with_capacity(rows);
        for row in 0..rows {
            if keys.iter().any(|key| key.right[row].is_nan()) {
                continue;
            }
            let cell: Box<[u64]> = keys.iter().map(|key| key.cell(key.right[row])).collect();
            let same = index.entry(cell).or_default();
            let is_equal = |other: &&u32| {
                let other = **other as usize;
                keys.iter().all(|key| key.right[other] == key.right[row])
            };
            if let Some(other) = same.iter().find(is_equal) {
                let names: Vec<String> =
                    by.iter().map(|Column(name)| format!("`{name}`")).collect();
                let message = format!(
                    "rows {} and {} of the second data are alike in {}",
                    other + 1,
                    row + 1,
                    names.join(", ")
                );
                return Err(Fault::at("other", message).with_hint(
                    "make one row of them with `aggregate`, join by more columns, or join the \
                     other way round",
                ));
            }
            same.push(row as u32);
        }
        Ok(Self { rows: index })
    }

    /// The row that is alike a row of the first table, the nearest if there are several.
    fn find(&self, keys: &[Key], row: usize) -> Option<u32> {
        if keys.iter().any(|key| key.left[row].is_nan()) {
            return None;
        }
        let choices: Vec<Vec<u64>> = keys.iter().map(|key| key.cells(key.left[row])).collect();
        let mut cells = vec![Vec::new()];
        for choice in &choices {
            let longer = |cell: &Vec<u64>| {
                let cell = cell.clone();
                choice
                    .iter()
                    .map(move |next| [&cell[..], &[*next]].concat())
            };
            cells = cells.iter().flat_map(longer).collect();
        }
        let mut best: Option<(f64, u32)> = None;
        for cell in cells {
            for other in self.rows.get(&cell[..]).into_iter().flatten() {
                let mut furthest = 0.0_f64;
                let is_alike = keys.iter().all(|key| {
                    let distance = key.distance(key.left[row], key.right[*other as usize]);
                    furthest = furthest.max(distance);
                    distance <= key.within.unwrap_or(0.0)
                });
                if is_alike && best.is_none_or(|best| (furthest, *other) < best) {
                    best = Some((furthest, *other));
                }
            }
        }
        best.map(|(_, row)| row)
    }
}

/// What is wrong with the columns that the argument `field` names in both data, before anything
/// runs.
pub fn complaints(call: &Sketch, field: &str, left: &str, right: &str) -> Vec<Complaint> {
    let (Some(mine), Some(its)) = (call.schema(left), call.schema(right)) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for Column(name) in call.get::<Vec<Column>>(field).unwrap_or_default() {
        let (Some(one), Some(other)) = (mine.find(&name), its.find(&name)) else {
            if its.find(&name).is_none() {
                let names: Vec<String> = its
                    .columns
                    .iter()
                    .map(|column| format!("`{}`", column.name))
                    .collect();
                let message = format!("the second data have no column `{name}`");
                let complaint = Complaint::at(field, message);
                found.push(complaint.with_hint(format!("columns: {}", names.join(", "))));
            }
            continue;
        };
        if let Some((here, there)) = other_content(one, other) {
            let message = format!("column `{name}` holds {here} here and {there} there");
            found.push(Complaint::at(field, message));
        } else if one.content.is_number()
            && let (Some(unit), Some(its)) = (&one.unit, &other.unit)
            && !is_same(unit, its)
        {
            let message = format!("column `{name}` is in `{unit}` here and in `{its}` there");
            found.push(Complaint::at(field, message));
        }
    }
    found
}

/// Whether numbers in both units mean the same.
fn is_same(one: &str, other: &str) -> bool {
    let is_equal = |value: f64| dsl::units::convert(value, one, other) == Ok(value);
    one == other || (is_equal(0.0) && is_equal(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::support::testing::{complaint, table};

    fn by(names: &[&str]) -> Vec<Column> {
        names
            .iter()
            .map(|name| Column((*name).to_owned()))
            .collect()
    }

    #[test]
    fn rows_are_matched_exactly_or_within_a_tolerance() {
        let left = table(&[("lat", &[0.1_f32 as f64, 0.35_f32 as f64, 7.0, f64::NAN])]);
        let right = table(&[("lat", &[0.35, 0.1, 7.0, 9.0])]);
        let exact = Matches::of(&left, &right, &by(&["lat"]), Within::default()).expect("matches");
        assert_eq!(exact.rows, [None, None, Some(2), None]);
        assert_eq!(exact.near, Some((2, NEAR)));
        assert_eq!(exact.unused, 3);
        let loose = Matches::of(&left, &right, &by(&["lat"]), Within::from(1e-6)).expect("matches");
        assert_eq!(loose.rows, [Some(1), Some(0), Some(2), None]);
    }

    #[test]
    fn longitudes_go_round() {
        let left = table(&[("lon", &[-179.9, -0.1, 180.0, 360.0])]);
        let right = table(&[("lon", &[359.9, 180.1, -180.0, 0.0])]);
        let found = Matches::of(&left, &right, &by(&["lon"]), Within::default()).expect("matches");
        assert_eq!(found.rows, [Some(1), Some(0), Some(2), Some(3)]);
        let left = table(&[("lon", &[359.9999])]);
        let found = Matches::of(&left, &right, &by(&["lon"]), Within::from(1e-3)).expect("matches");
        assert_eq!(found.rows, [Some(3)]);
        let left = table(&[("lon", &[1e-5])]);
        let right = table(&[("lon", &[-1e-5])]);
        let found = Matches::of(&left, &right, &by(&["lon"]), Within::from(1e-4)).expect("matches");
        assert_eq!(found.rows, [Some(0)]);
    }

    #[test]
    fn two_rows_alike_are_refused() {
        let left = table(&[("a", &[1.0]), ("b", &[2.0])]);
        let right = table(&[("a", &[1.0, 1.0]), ("b", &[2.0, 2.0])]);
        let (param, message) = complaint(Matches::of(
            &left,
            &right,
            &by(&["a", "b"]),
            Within::default(),
        ));
        assert_eq!(param, Some("other"));
        assert_eq!(
            message,
            "rows 1 and 2 of the second data are alike in `a`, `b`"
        );
    }
}
