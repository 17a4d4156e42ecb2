//! Rows of one table that belong to rows of another: alike in some columns.

use std::collections::HashMap;

use dsl::calendar::TimeUnit;
use dsl::types::Content;
use engine::artifact::{DataColumn, Dataset};
use engine::error::Fault;
use engine::params::Column;
use engine::plugin::{Complaint, Sketch};
use rayon::prelude::*;

use super::stacking::other_content;

/// Finds for each row of a first table, which may come in parts, the row of a second that is alike.
pub struct Matcher {
    keys: Vec<Key>,
    index: Index,
    /// Whether a row of the second table is alike one of the first.
    used: Vec<bool>,
    rows: usize,
    lost: usize,
    /// What would match if numbers might differ a little; none where they may.
    loose: Option<Box<Loose>>,
}

/// What matches when numbers may differ a little.
struct Loose {
    right: Dataset,
    by: Vec<Column>,
    within: Within,
    /// Made when a row is lost.
    matcher: Option<Matcher>,
    /// How many of the lost rows it finds.
    more: usize,
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
    name: String,
    /// How values of the first table are compared.
    first: First,
    /// Those of the next rows of the first table.
    left: Vec<f64>,
    right: Vec<f64>,
    /// How far values may be apart; none where they must be equal.
    within: Option<f64>,
    /// Whether values go round in a circle.
    is_circle: bool,
}

/// How values of the first table are compared with those of the second.
enum First {
    /// By the place of their text among these of the second.
    Texts(HashMap<String, f64>),
    /// As they are.
    Same,
    /// In another unit.
    Converted(TimeUnit, TimeUnit),
    /// As numbers, both zeros being one.
    Numbers,
}

impl Matcher {
    /// The matches by these columns. `within` is how far values may be apart; `head` has the
    /// columns of the first table.
    ///
    /// # Errors
    /// When two rows of the second table are alike, or a column is missing.
    pub fn of(
        head: &Dataset,
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
            .map(|Column(name)| Key::of(head, right, name, within))
            .collect::<Result<Vec<Key>, Fault>>()?;
        let number = Some(NEAR);
        let loose = within.number.is_none().then(|| {
            Box::new(Loose {
                right: right.clone(),
                by: by.to_vec(),
                within: Within { number, ..within },
                matcher: None,
                more: 0,
            })
        });
        Ok(Self {
            index: Index::of(&keys, right.rows(), by)?,
            keys,
            used: vec![false; right.rows()],
            rows: 0,
            lost: 0,
            loose,
        })
    }

    /// For each of the next rows of the first table the row of the second that is alike; none
    /// where there is no such row.
    ///
    /// # Errors
    /// When a column is missing.
    pub fn next(&mut self, left: &Dataset) -> Result<Vec<Option<u32>>, Fault> {
        for key in &mut self.keys {
            key.take(left)?;
        }
        let (index, keys) = (&self.index, &self.keys);
        let rows: Vec<Option<u32>> = (0..left.rows())
            .into_par_iter()
            .with_min_len(1 << 10)
            .map(|row| index.find(keys, row))
            .collect();
        for found in rows.iter().flatten() {
            self.used[*found as usize] = true;
        }
        let lost = rows.iter().filter(|row| row.is_none()).count();
        self.rows += left.rows();
        self.lost += lost;
        if lost > 0
            && let Some(loose) = &mut self.loose
        {
            loose.look(left, lost);
        }
        Ok(rows)
    }

    /// How many rows of the first table there were.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// How many of these have no match.
    pub fn lost(&self) -> usize {
        self.lost
    }

    /// How many rows of the second table no row of the first is alike.
    pub fn unused(&self) -> usize {
        self.used.iter().filter(|used| !**used).count()
    }

    /// What to say of rows without a match.
    pub fn hint(&self) -> Option<String> {
        let count = self.loose.as_ref()?.more;
        let rows = match count {
            0 => return None,
            1 => "row matches",
            _ => "rows match",
        };
        Some(format!("{count} more {rows} with `within: {NEAR:e}`"))
    }
}

impl Loose {
    /// Counts how many of the lost rows match when numbers may differ a little.
    fn look(&mut self, left: &Dataset, lost: usize) {
        if self.matcher.is_none() {
            self.matcher = Matcher::of(left, &self.right, &self.by, self.within).ok();
        }
        let found = self.matcher.as_mut().and_then(|it| it.next(left).ok());
        let still = found.map(|found| found.iter().filter(|row| row.is_none()).count());
        self.more += lost.saturating_sub(still.unwrap_or(lost));
    }
}

impl Key {
    fn of(left: &Dataset, right: &Dataset, name: &str, within: Within) -> Result<Self, Fault> {
        let (left, right) = (left.column(name)?, right.column(name)?);
        let plain = |first, right: Vec<f64>, within| Self {
            name: name.to_owned(),
            first,
            left: Vec::new(),
            right,
            within,
            is_circle: false,
        };
        match (left.content, right.content) {
            (Content::Text, _) => {
                let places = (0_u32..).zip(right.labels.iter());
                let places = places.map(|(place, label)| (label.clone(), f64::from(place)));
                let first = First::Texts(places.collect());
                Ok(plain(first, right.values.to_vec(), None))
            }
            (Content::Time(mine), Content::Time(its)) => {
                let converted = right.values.iter().map(|value| its.convert(*value, mine));
                // A microsecond more, as units such as hours and days round differently.
                let least = mine.micros().map_or(1e-9, |micros| 1.0 / micros);
                match within.days {
                    Some(apart) => {
                        let days = TimeUnit::days(mine.calendar());
                        let its = right.values.iter().map(|value| its.convert(*value, days));
                        let within = Some(apart + 1e-6 / 86_400.0);
                        let first = First::Converted(mine, days);
                        Ok(plain(first, its.collect(), within))
                    }
                    None => Ok(plain(First::Same, converted.collect(), Some(least))),
                }
            }
            _ => Ok(Self::of_numbers(left, right, within.number)),
        }
    }

    /// Takes the next rows of the first table.
    fn take(&mut self, left: &Dataset) -> Result<(), Fault> {
        let column = left.column(&self.name)?;
        let values = column.values.part(0..left.rows());
        self.left = match &self.first {
            First::Texts(places) => {
                // A text that the second table lacks is alike none.
                let place = |label: &String| places.get(label).copied().unwrap_or(f64::NAN);
                let places: Vec<f64> = column.labels.iter().map(place).collect();
                let place = |value: &f64| match value.is_nan() {
                    true => f64::NAN,
                    false => places.get(*value as usize).copied().unwrap_or(f64::NAN),
                };
                values.iter().map(place).collect()
            }
            First::Same => values.into_owned(),
            First::Converted(from, to) => values
                .iter()
                .map(|value| from.convert(*value, *to))
                .collect(),
            First::Numbers => values.iter().map(|value| self.canonical(*value)).collect(),
        };
        Ok(())
    }

    fn canonical(&self, value: f64) -> f64 {
        match self.is_circle {
            true => value.rem_euclid(360.0),
            // Both zeros are one.
            false => value + 0.0,
        }
    }

    fn of_numbers(left: &DataColumn, right: &DataColumn, within: Option<f64>) -> Self {
        let is_circle = is_longitude(left) || is_longitude(right);
        let mut key = Self {
            name: left.name.clone(),
            first: First::Numbers,
            left: Vec::new(),
            right: Vec::new(),
            within: match (within, is_circle) {
                (Some(within), true) => Some(within.max(CIRCLE)),
                (Some(within), false) => Some(within),
                (None, true) => Some(CIRCLE),
                (None, false) => None,
            },
            is_circle,
        };
        let right = right.values.iter().map(|value| key.canonical(*value));
        key.right = right.collect();
        key
    }

    fn distance(&self, a: f64, b: f64) -> f64 {
        // Infinities are equal to themselves, although their difference is not a number.
        if a == b {
            return 0.0;
        }
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
        if keys.iter().all(|key| key.within.is_none()) {
            let cell: Vec<u64> = keys.iter().map(|key| key.cell(key.left[row])).collect();
            return self.rows.get(&cell[..])?.first().copied();
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
            && !dsl::units::are_alike(unit, its)
        {
            let message = format!("column `{name}` is in `{unit}` here and in `{its}` there");
            found.push(Complaint::at(field, message));
        }
    }
    found
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

    /// For each row of the first table that of the second.
    struct Matches {
        rows: Vec<Option<u32>>,
        hint: Option<String>,
        unused: usize,
    }

    fn matches(
        left: &Dataset,
        right: &Dataset,
        by: &[Column],
        within: Within,
    ) -> Result<Matches, Fault> {
        let mut matcher = Matcher::of(left, right, by, within)?;
        let rows = matcher.next(left)?;
        // Row by row it is the same.
        let mut again = Matcher::of(&left.take(&[]), right, by, within)?;
        for (row, found) in (0..).zip(&rows) {
            assert_eq!(again.next(&left.take(&[row]))?, [*found]);
        }
        assert_eq!(
            (again.lost(), again.hint()),
            (matcher.lost(), matcher.hint())
        );
        Ok(Matches {
            rows,
            hint: matcher.hint(),
            unused: matcher.unused(),
        })
    }

    #[test]
    fn rows_are_matched_exactly_or_within_a_tolerance() {
        let left = table(&[("lat", &[0.1_f32 as f64, 0.35_f32 as f64, 7.0, f64::NAN])]);
        let right = table(&[("lat", &[0.35, 0.1, 7.0, 9.0])]);
        let exact = matches(&left, &right, &by(&["lat"]), Within::default()).expect("matches");
        assert_eq!(exact.rows, [None, None, Some(2), None]);
        assert_eq!(
            exact.hint.as_deref(),
            Some("2 more rows match with `within: 1e-4`")
        );
        assert_eq!(exact.unused, 3);
        let loose = matches(&left, &right, &by(&["lat"]), Within::from(1e-6)).expect("matches");
        assert_eq!(loose.rows, [Some(1), Some(0), Some(2), None]);
    }

    #[test]
    fn longitudes_go_round() {
        let left = table(&[("lon", &[-179.9, -0.1, 180.0, 360.0])]);
        let right = table(&[("lon", &[359.9, 180.1, -180.0, 0.0])]);
        let found = matches(&left, &right, &by(&["lon"]), Within::default()).expect("matches");
        assert_eq!(found.rows, [Some(1), Some(0), Some(2), Some(3)]);
        let left = table(&[("lon", &[359.9999])]);
        let found = matches(&left, &right, &by(&["lon"]), Within::from(1e-3)).expect("matches");
        assert_eq!(found.rows, [Some(3)]);
        let left = table(&[("lon", &[1e-5])]);
        let right = table(&[("lon", &[-1e-5])]);
        let found = matches(&left, &right, &by(&["lon"]), Within::from(1e-4)).expect("matches");
        assert_eq!(found.rows, [Some(0)]);
    }

    #[test]
    fn two_rows_alike_are_refused() {
        let left = table(&[("a", &[1.0]), ("b", &[2.0])]);
        let right = table(&[("a", &[1.0, 1.0]), ("b", &[2.0, 2.0])]);
        let (param, message) =
            complaint(matches(&left, &right, &by(&["a", "b"]), Within::default()));
        assert_eq!(param, Some("other"));
        assert_eq!(
            message,
            "rows 1 and 2 of the second data are alike in `a`, `b`"
        );
    }
}
