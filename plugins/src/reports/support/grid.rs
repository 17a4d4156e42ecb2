//! A plane cut into cells along two columns, and which rows lie in which.

use dsl::types::Content;
use engine::artifact::{DataColumn, Dataset};
use engine::error::Fault;

use super::plots::raised;
use crate::sphere::LONGITUDE;

/// Of an axis with more values than this, neighbours are put together.
const MOST: usize = 120;
/// An axis with more values than this is cut evenly,
const GRID: usize = 1000;
/// into this many parts.
const PARTS: usize = 60;

/// One axis.
#[derive(Debug, PartialEq)]
pub struct Cut {
    /// The borders of the parts, ascending.
    pub borders: Vec<f64>,
    /// The values in the middle of each part.
    centres: Vec<f64>,
}

impl Cut {
    /// Around each of the values where they are few; none without a finite value.
    fn of<'a>(values: impl Iterator<Item = &'a f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.copied().filter(|v| v.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        values.dedup();
        let (low, high) = (*values.first()?, *values.last()?);
        if values.len() > GRID {
            let step = (high - low) / PARTS as f64;
            let border = |part: usize| low + step * part as f64;
            let borders: Vec<f64> = (0..PARTS).map(border).chain([high]).collect();
            return Some(Self {
                centres: borders
                    .windows(2)
                    .map(|pair| (pair[0] + pair[1]) / 2.0)
                    .collect(),
                borders,
            });
        }
        let together = values.len().div_ceil(MOST);
        let (borders, centres) = (borders_of(&values), values);
        let last = borders.last().copied();
        let borders = borders.iter().copied().step_by(together);
        let mut borders: Vec<f64> = borders.take(centres.len().div_ceil(together)).collect();
        borders.extend(last);
        let middle = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
        Some(Self {
            borders,
            centres: centres.chunks(together).map(middle).collect(),
        })
    }

    fn len(&self) -> usize {
        self.centres.len()
    }

    fn part(&self, value: f64) -> Option<usize> {
        let last = *self.borders.last()?;
        if !value.is_finite() || value < self.borders[0] || value > last {
            return None;
        }
        let after = self.borders.partition_point(|border| *border <= value);
        Some(after.saturating_sub(1).min(self.len() - 1))
    }
}

/// Half way between ascending values, and as far beyond the first and the last.
fn borders_of(values: &[f64]) -> Vec<f64> {
    let middle = |pair: &[f64]| (pair[0] + pair[1]) / 2.0;
    let between: Vec<f64> = values.windows(2).map(middle).collect();
    let first = between.first().map_or(0.5, |border| border - values[0]);
    let last = between.last().zip(values.last());
    let last = last.map_or(0.5, |(border, last)| last - border);
    let ends = (
        values.first().map(|it| it - first),
        values.last().map(|it| it + last),
    );
    ends.0.into_iter().chain(between).chain(ends.1).collect()
}

/// The cells of two axes.
#[derive(Debug, PartialEq)]
pub struct Grid {
    /// From left to right.
    pub x: Cut,
    /// From below.
    pub y: Cut,
    /// The rows of the first data set in each cell, column by column within a row.
    pub rows: Vec<Vec<u32>>,
    /// Whether the second data set has a row in a cell.
    pub inside: Vec<bool>,
    is_map: bool,
}

impl Grid {
    /// The cells of the rows that are measured and of those of the domain.
    ///
    /// # Errors
    /// When a column does not exist, holds texts, or has no number.
    pub fn of([data, domain]: [&Dataset; 2], [x, y]: [&str; 2]) -> Result<Self, Fault> {
        let cut = |name: &str, field: &'static str| {
            let columns = [data.column(name)?, domain.column(name)?];
            if columns.iter().any(|column| column.content == Content::Text) {
                return Err(Fault::at(
                    field,
                    format!("`{name}` holds texts, not numbers"),
                ));
            }
            let values = columns.iter().flat_map(|column| column.values.iter());
            let missing = || Fault::at(field, format!("`{name}` has no finite value"));
            Cut::of(values).ok_or_else(missing)
        };
        let (cut_x, cut_y) = (cut(x, "x")?, cut(y, "y")?);
        let count = cut_x.len() * cut_y.len();
        let cells = |data: &Dataset| -> Result<Vec<Option<usize>>, Fault> {
            let places = data.values(x)?.iter().zip(data.values(y)?.iter());
            let cell = |(x, y): (&f64, &f64)| Some(cut_y.part(*y)? * cut_x.len() + cut_x.part(*x)?);
            Ok(places.map(cell).collect())
        };
        let mut rows = vec![Vec::new(); count];
        for (row, cell) in cells(data)?.into_iter().enumerate() {
            if let Some(cell) = cell {
                rows[cell].push(row as u32);
            }
        }
        let mut inside = vec![false; count];
        for cell in cells(domain)?.into_iter().flatten() {
            inside[cell] = true;
        }
        let is_map = is_longitude(data.column(x)?) && is_latitude(data.column(y)?);
        Ok(Self {
            x: cut_x,
            y: cut_y,
            rows,
            inside,
            is_map,
        })
    }

    /// Whether it is one of longitudes and latitudes.
    pub fn is_map(&self) -> bool {
        self.is_map
    }

    /// The middle of a cell.
    pub fn centre(&self, cell: usize) -> [f64; 2] {
        let (row, column) = (cell / self.x.len(), cell % self.x.len());
        [self.x.centres[column], self.y.centres[row]]
    }
}

fn is_longitude(column: &DataColumn) -> bool {
    let is_named = ["lon", "long", "longitude"].contains(&&*column.name.to_ascii_lowercase());
    match column.unit.as_deref() {
        Some(unit) => LONGITUDE.contains(&unit) || is_named,
        None => is_named,
    }
}

fn is_latitude(column: &DataColumn) -> bool {
    let is_named = ["lat", "latitude"].contains(&&*column.name.to_ascii_lowercase());
    let unit = column.unit.as_deref().unwrap_or_default();
    is_named
        || (unit.starts_with("degree") && unit.ends_with(['N', 'n']))
        || unit.ends_with("_north")
}

/// What an axis is called: the column, with its unit unless the marks say it.
pub fn along(column: &DataColumn) -> String {
    match (&column.unit, column.content) {
        (Some(unit), Content::Number) => format!("{} ({})", column.name, raised(unit)),
        _ => column.name.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predictors::tests::dataset;

    #[test]
    fn few_values_have_a_cell_each() {
        let data = dataset(&[("lon", &[4.0, 0.0, 2.0]), ("lat", &[1.0, 1.0, f64::NAN])]);
        let world = dataset(&[("lon", &[0.0, 2.0]), ("lat", &[1.0, 3.0])]);
        let grid = Grid::of([&data, &world], ["lon", "lat"]).unwrap();
        assert_eq!(grid.x.borders, [-1.0, 1.0, 3.0, 5.0]);
        assert_eq!(grid.y.borders, [0.0, 2.0, 4.0]);
        assert_eq!(
            grid.rows,
            [vec![1], vec![], vec![0], vec![], vec![], vec![]]
        );
        assert_eq!(grid.inside, [true, false, false, false, true, false]);
        assert_eq!((grid.is_map(), grid.centre(4)), (true, [2.0, 3.0]));
    }

    #[test]
    fn neighbours_of_many_values_share_a_cell() {
        let many: Vec<f64> = (0..241).map(f64::from).collect();
        let data = dataset(&[("a", &many), ("b", &many)]);
        let cut = Grid::of([&data, &data], ["a", "b"]).unwrap().x;
        assert_eq!(
            (cut.len(), cut.centres[0], cut.centres[80]),
            (81, 1.0, 240.0)
        );
        assert_eq!(cut.borders[..3], [-0.5, 2.5, 5.5]);
        assert_eq!(cut.borders[80..], [239.5, 240.5]);
    }

    #[test]
    fn very_many_values_are_cut_evenly() {
        let many: Vec<f64> = (0..1200).map(f64::from).collect();
        let flat = vec![7.0; 1200];
        let data = dataset(&[("a", &many), ("b", &flat)]);
        let grid = Grid::of([&data, &data], ["a", "b"]).unwrap();
        assert_eq!((grid.x.len(), grid.y.borders.clone()), (60, vec![6.5, 7.5]));
        assert!(grid.rows.iter().all(|rows| rows.len() == 20));
        assert!(!grid.is_map());
    }
}
