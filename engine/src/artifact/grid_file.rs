//! Data as a grid where the rows fill one, or else along one dimension `row`, with the attributes of
//! the CF conventions 1.8.

mod columns;
mod netcdf;
mod zarr;

use std::borrow::Cow;
use std::collections::HashSet;

use dsl::types::Content;

use super::dataset::DataColumn;
use super::numbers::is_single;
use columns::{GridColumn, Pieces, rows};

pub(super) use columns::columns;
pub(super) use netcdf::netcdf;
pub(super) use zarr::zarr;

/// What a file of a grid holds, whatever its format.
struct GridFile<'d> {
    columns: &'d [GridColumn],
    shape: Shape,
    /// With names that no variable over other dimensions has.
    dimensions: Vec<(String, usize)>,
    attributes: Vec<(String, Attribute)>,
    variables: Vec<Variable<'d>>,
}

struct Variable<'d> {
    name: String,
    column: &'d GridColumn,
    /// The dimension that it is the coordinate of.
    axis: Option<usize>,
    dimensions: Vec<usize>,
    attributes: Vec<(String, Attribute)>,
    stored: StoredAs,
}

/// How the values of a variable are stored.
#[derive(Clone, Copy)]
enum StoredAs {
    /// The longest text has as many bytes and letters.
    Text {
        bytes: usize,
        letters: usize,
    },
    Float,
    Double,
}

enum Attribute {
    Text(String),
    Float(f32),
    Double(f64),
}

impl<'d> GridFile<'d> {
    /// The grid of these data. `about` becomes its attributes.
    ///
    /// Coordinates are columns of times, and those called or measured as depths, latitudes and
    /// longitudes; each becomes a dimension, in this order, if rows differ in them and fill at
    /// least an eighth of the grid. Cells without a row are missing.
    fn of(columns: &'d [GridColumn], about: &[(String, String)]) -> Self {
        let shape = Shape::of(columns);
        let mut names = VariableNames::default();
        let dimensions: Vec<(String, usize)> = match &shape {
            Shape::Rows => vec![(names.free("row"), rows(columns))],
            Shape::Grid { axes, .. } => axes
                .iter()
                .map(|axis| {
                    (
                        names.free(&columns[axis.column].head.name),
                        axis.values.len(),
                    )
                })
                .collect(),
        };
        let attributes = [("Conventions", "CF-1.8")]
            .map(|(name, text)| (name.to_owned(), text.to_owned()))
            .into_iter()
            .chain(about.iter().cloned())
            .map(|(name, text)| (name, Attribute::Text(text)))
            .collect();
        let variables = columns.iter().enumerate().map(|(at, column)| {
            let axis = shape.axes().iter().position(|axis| axis.column == at);
            let (name, over) = match axis {
                Some(axis) => (dimensions[axis].0.clone(), vec![axis]),
                None => (
                    names.free(&column.head.name),
                    (0..dimensions.len()).collect(),
                ),
            };
            let is_single = match axis {
                Some(axis) => shape.axes()[axis].values.iter().all(is_single),
                None => column.values.0.iter().all(|(_, piece)| piece.are_single()),
            };
            let is_axis = over.len() == 1 && dimensions[over[0]].0 == name;
            let stored = stored_as(column, is_single);
            Variable {
                attributes: attributes_of(&column.head, &name, stored, is_axis),
                name,
                column,
                axis,
                dimensions: over,
                stored,
            }
        });
        let variables = variables.collect();
        Self {
            columns,
            shape,
            dimensions,
            attributes,
            variables,
        }
    }

    /// The number of each cell of a variable, and for a text the place of its label; NaN where no row is.
    fn values(&self, variable: &Variable<'d>) -> Cow<'d, Pieces> {
        let own = &variable.column.values;
        match (&self.shape, variable.axis) {
            (Shape::Grid { axes, .. }, Some(axis)) => Cow::Owned(axes[axis].values.clone().into()),
            (Shape::Rows, _) | (Shape::Grid { in_order: true, .. }, None) => Cow::Borrowed(own),
            (Shape::Grid { axes, count, .. }, None) => Cow::Owned(match variable.stored {
                StoredAs::Float => {
                    let mut spread = vec![f32::NAN; *count];
                    self.spread(axes, own, |cell, value| spread[cell] = value as f32);
                    spread.into()
                }
                StoredAs::Text { .. } | StoredAs::Double => {
                    let mut spread = vec![f64::NAN; *count];
                    self.spread(axes, own, |cell, value| spread[cell] = value);
                    spread.into()
                }
            }),
        }
    }

    /// Calls `each` with the cell and the number of every row.
    fn spread(&self, axes: &[GridAxis], own: &Pieces, mut each: impl FnMut(usize, f64)) {
        let mut rows = 0..0;
        let mut numbers = Cow::default();
        each_cell(axes, self.columns, |row, cell| {
            if row >= rows.end {
                rows = row..own.len().min(row + TOGETHER);
                numbers = own.part(rows.clone());
            }
            each(cell, numbers[row - rows.start]);
            true
        });
    }

    /// How many cells a variable has.
    fn cells(&self, variable: &Variable<'_>) -> usize {
        let sizes = variable.dimensions.iter();
        sizes.map(|at| self.dimensions[*at].1).product()
    }
}

fn stored_as(column: &GridColumn, is_single: bool) -> StoredAs {
    match column.head.content {
        Content::Text => {
            let sizes = column
                .texts()
                .map(|text| (text.len(), text.chars().count()));
            let longest = |(bytes, letters): (usize, usize), own: (usize, usize)| {
                (bytes.max(own.0), letters.max(own.1))
            };
            let (bytes, letters) = sizes.fold((1, 1), longest);
            StoredAs::Text { bytes, letters }
        }
        _ if is_single => StoredAs::Float,
        _ => StoredAs::Double,
    }
}

/// The attributes of the variable `name` of a column.
fn attributes_of(
    column: &DataColumn,
    name: &str,
    stored: StoredAs,
    is_axis: bool,
) -> Vec<(String, Attribute)> {
    let mut attributes = Vec::new();
    let mut told = |name: &str, text: &str| {
        attributes.push((name.to_owned(), Attribute::Text(text.to_owned())));
    };
    match column.content {
        Content::Time(unit) => {
            told("units", &unit.text());
            told("calendar", unit.calendar().name());
        }
        _ => {
            if let Some(unit) = &column.unit {
                told("units", unit);
            }
        }
    }
    if name != column.name {
        told("long_name", &column.name);
    }
    if !is_axis {
        let missing = match stored {
            StoredAs::Text { .. } => None,
            StoredAs::Float => Some(Attribute::Float(f32::NAN)),
            StoredAs::Double => Some(Attribute::Double(f64::NAN)),
        };
        attributes.extend(missing.map(|missing| ("_FillValue".to_owned(), missing)));
    } else if let Some((standard, letter)) = rank(column).map(|rank| STANDARD[rank]) {
        if standard != "depth" || column.name.eq_ignore_ascii_case("depth") {
            told("standard_name", standard);
        }
        told("axis", letter);
    }
    attributes
}

/// A coordinate: its column and its different values in ascending order.
struct GridAxis {
    column: usize,
    values: Vec<f64>,
}

/// How rows lie in the dimensions.
enum Shape {
    Rows,
    Grid {
        axes: Vec<GridAxis>,
        /// How many cells there are.
        count: usize,
        /// Whether each cell has a row, and rows come in the order of the cells.
        in_order: bool,
    },
}

/// A grid may have as many cells for each row.
const EMPTIEST: usize = 8;

impl Shape {
    fn of(columns: &[GridColumn]) -> Self {
        let mut ranked: Vec<Option<usize>> = vec![None; 4];
        for (at, column) in columns.iter().enumerate() {
            if let Some(rank) = rank(&column.head) {
                ranked[rank].get_or_insert(at);
            }
        }
        let axes = ranked.into_iter().flatten().map(|at| GridAxis {
            column: at,
            values: columns[at].values.different(),
        });
        let axes: Vec<GridAxis> = axes.collect();
        Self::grid(columns, axes).unwrap_or(Self::Rows)
    }

    /// The grid of these axes, where each row has a cell of its own.
    fn grid(columns: &[GridColumn], axes: Vec<GridAxis>) -> Option<Self> {
        let sizes = axes.iter().map(|axis| axis.values.len());
        let count = sizes.fold(1, usize::saturating_mul);
        let is_known = axes
            .iter()
            .all(|axis| axis.values.iter().all(|value| !value.is_nan()));
        if axes.is_empty() || !is_known || count > rows(columns).saturating_mul(EMPTIEST) {
            return None;
        }
        // A bit for each cell.
        let mut seen = vec![0_u64; count.div_ceil(64)];
        let mut in_order = count == rows(columns);
        let is_grid = each_cell(&axes, columns, |row, cell| {
            let (word, bit) = (&mut seen[cell / 64], 1 << (cell % 64));
            let is_new = *word & bit == 0;
            *word |= bit;
            in_order &= row == cell;
            is_new
        });
        is_grid.then_some(Self::Grid {
            axes,
            count,
            in_order,
        })
    }

    fn axes(&self) -> &[GridAxis] {
        match self {
            Self::Rows => &[],
            Self::Grid { axes, .. } => axes,
        }
    }
}

/// Calls `each` with every row and its cell until it is false; returns whether it never was.
fn each_cell(
    axes: &[GridAxis],
    columns: &[GridColumn],
    mut each: impl FnMut(usize, usize) -> bool,
) -> bool {
    let count = rows(columns);
    let mut cells = Vec::new();
    for start in (0..count).step_by(TOGETHER) {
        let rows = start..count.min(start + TOGETHER);
        cells.clear();
        cells.resize(rows.len(), 0);
        for axis in axes {
            let values = columns[axis.column].values.part(rows.clone());
            let mut place = 0;
            for (cell, value) in cells.iter_mut().zip(values.iter()) {
                place = axis.place(*value, place);
                *cell = *cell * axis.values.len() + place;
            }
        }
        if !rows.zip(&cells).all(|(row, cell)| each(row, *cell)) {
            return false;
        }
    }
    true
}

impl GridAxis {
    /// The place of one of its values, where `last` is the one before: often the same, or the next.
    fn place(&self, value: f64, last: usize) -> usize {
        let is_it = |at: &usize| self.values.get(*at) == Some(&value);
        let near = [last, last + 1, 0].into_iter().find(is_it);
        near.unwrap_or_else(|| self.values.partition_point(|own| *own < value))
    }
}

/// How many rows are looked at together.
const TOGETHER: usize = 1 << 14;

/// The place of a coordinate among the dimensions: time, depth, latitude, longitude.
fn rank(column: &DataColumn) -> Option<usize> {
    let name = column.name.to_ascii_lowercase();
    let unit = column
        .unit
        .as_deref()
        .unwrap_or_default()
        .to_ascii_lowercase();
    match column.content {
        Content::Time(_) => Some(0),
        Content::Text => None,
        Content::Number => match name.as_str() {
            "depth" | "level" | "lev" | "plev" | "height" => Some(1),
            "lat" | "latitude" => Some(2),
            "lon" | "longitude" => Some(3),
            _ if matches!(&*unit, "degrees_north" | "degree_north") => Some(2),
            _ if matches!(&*unit, "degrees_east" | "degree_east") => Some(3),
            _ => None,
        },
    }
}

/// What CF calls the coordinates of each rank, and the letter of their axis.
const STANDARD: [(&str, &str); 4] = [
    ("time", "T"),
    ("depth", "Z"),
    ("latitude", "Y"),
    ("longitude", "X"),
];

/// Names that no other variable has: letters, digits and what else the format allows.
#[derive(Default)]
struct VariableNames {
    taken: HashSet<String>,
}

impl VariableNames {
    fn free(&mut self, wanted: &str) -> String {
        // A store of files has names of its own that begin with a dot.
        let wanted = match wanted.strip_prefix('.') {
            Some(rest) => format!("_{rest}"),
            None => wanted.to_owned(),
        };
        let is_allowed = |letter: char| !letter.is_control() && letter != '/';
        let plain: String = { wanted.chars() }
            .map(|letter| if is_allowed(letter) { letter } else { '_' })
            .collect();
        let mut name = plain.clone();
        let mut count = 1;
        while !self.taken.insert(name.clone()) {
            count += 1;
            name = format!("{plain}_{count}");
        }
        name
    }
}
