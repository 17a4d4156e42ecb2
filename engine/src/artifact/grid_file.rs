//! Data as a grid where the rows fill one, or else along one dimension `row`, with the attributes of
//! the CF conventions 1.8.

mod netcdf;
mod zarr;

use std::collections::HashSet;

use dsl::types::Content;

use super::dataset::{DataColumn, Dataset};
use super::numbers::singles;

pub(super) use netcdf::netcdf;
pub(super) use zarr::zarr;

/// The grid of these data. `about` becomes its attributes.
///
/// Coordinates are columns of times, and those called or measured as depths, latitudes and
/// longitudes; each becomes a dimension, in this order, if rows differ in them and fill at least an
/// eighth of the grid. Cells without a row are missing.
fn grid(data: &Dataset, about: &[(String, String)]) -> GridFile {
    let shape = Shape::of(data);
    let mut names = VariableNames::default();
    let dimensions: Vec<(String, usize)> = match &shape {
        Shape::Rows => vec![(names.free("row"), data.rows())],
        Shape::Grid { axes, .. } => axes
            .iter()
            .map(|axis| {
                (
                    names.free(&data.columns()[axis.column].name),
                    axis.values.len(),
                )
            })
            .collect(),
    };
    let mut file = GridFile::default();
    for (name, size) in &dimensions {
        file.dimensions.push((name.clone(), *size));
    }
    file.attributes = [("Conventions", "CF-1.8")]
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .into_iter()
        .chain(about.iter().cloned())
        .map(|(name, text)| (name, Attribute::Text(text)))
        .collect();
    for (at, column) in data.columns().iter().enumerate() {
        let axis = shape.axes().iter().position(|axis| axis.column == at);
        let (name, over) = match axis {
            Some(axis) => (dimensions[axis].0.clone(), vec![axis]),
            None => (names.free(&column.name), (0..dimensions.len()).collect()),
        };
        let values = match axis {
            Some(axis) => shape.axes()[axis].values.clone(),
            None => shape.spread(&column.values),
        };
        file.add(name, column, over, &values);
    }
    file
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
        /// The cell of each row.
        cells: Vec<usize>,
        /// How many cells there are.
        count: usize,
    },
}

/// A grid may have as many cells for each row.
const EMPTIEST: usize = 8;

impl Shape {
    fn of(data: &Dataset) -> Self {
        let mut columns: Vec<Option<usize>> = vec![None; 4];
        for (at, column) in data.columns().iter().enumerate() {
            if let Some(rank) = rank(column) {
                columns[rank].get_or_insert(at);
            }
        }
        let axes = columns.into_iter().flatten().map(|at| {
            let mut values = data.columns()[at].values.to_vec();
            values.sort_unstable_by(f64::total_cmp);
            values.dedup();
            GridAxis { column: at, values }
        });
        let axes: Vec<GridAxis> = axes.collect();
        Self::grid(data, axes).unwrap_or(Self::Rows)
    }

    /// The grid of these axes, where each row has a cell of its own.
    fn grid(data: &Dataset, axes: Vec<GridAxis>) -> Option<Self> {
        let sizes = axes.iter().map(|axis| axis.values.len());
        let count = sizes.fold(1, usize::saturating_mul);
        let is_known = axes
            .iter()
            .all(|axis| axis.values.iter().all(|value| !value.is_nan()));
        if axes.is_empty() || !is_known || count > data.rows().saturating_mul(EMPTIEST) {
            return None;
        }
        let mut seen = HashSet::with_capacity(data.rows());
        let mut cells = Vec::with_capacity(data.rows());
        for row in 0..data.rows() {
            let mut cell = 0;
            for axis in &axes {
                let value = data.columns()[axis.column].values[row];
                let place = axis
                    .values
                    .binary_search_by(|own| own.total_cmp(&value))
                    .ok()?;
                cell = cell * axis.values.len() + place;
            }
            if !seen.insert(cell) {
                return None;
            }
            cells.push(cell);
        }
        Some(Self::Grid { axes, cells, count })
    }

    fn axes(&self) -> &[GridAxis] {
        match self {
            Self::Rows => &[],
            Self::Grid { axes, .. } => axes,
        }
    }

    /// The values by cell; NaN where no row is.
    fn spread(&self, values: &[f64]) -> Vec<f64> {
        match self {
            Self::Rows => values.to_vec(),
            Self::Grid { cells, count, .. } => {
                let mut spread = vec![f64::NAN; *count];
                for (cell, value) in cells.iter().zip(values) {
                    spread[*cell] = *value;
                }
                spread
            }
        }
    }
}

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

enum Attribute {
    Text(String),
    Float(f32),
    Double(f64),
}

/// The values of a variable, as they are stored.
enum VariableValues {
    Texts(Vec<String>),
    Float(Vec<f32>),
    Double(Vec<f64>),
}

struct Variable {
    name: String,
    dimensions: Vec<usize>,
    attributes: Vec<(String, Attribute)>,
    values: VariableValues,
}

/// What a file of a grid holds, whatever its format.
#[derive(Default)]
struct GridFile {
    dimensions: Vec<(String, usize)>,
    attributes: Vec<(String, Attribute)>,
    variables: Vec<Variable>,
}

impl GridFile {
    fn add(&mut self, name: String, column: &DataColumn, over: Vec<usize>, values: &[f64]) {
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
        let is_axis = over.len() == 1 && self.dimensions[over[0]].0 == name;
        if let Some((standard, letter)) = rank(column).map(|rank| STANDARD[rank])
            && is_axis
        {
            if standard != "depth" || column.name.eq_ignore_ascii_case("depth") {
                told("standard_name", standard);
            }
            told("axis", letter);
        }
        let stored = match column.content {
            Content::Text => {
                let texts = values.iter().map(|value| column.label(*value));
                let texts = texts.map(|text| text.unwrap_or_default().to_owned());
                VariableValues::Texts(texts.collect())
            }
            _ => match singles(values) {
                Some(singles) => VariableValues::Float(singles),
                None => VariableValues::Double(values.to_vec()),
            },
        };
        if !is_axis {
            let missing = match stored {
                VariableValues::Texts(_) => None,
                VariableValues::Float(_) => Some(Attribute::Float(f32::NAN)),
                VariableValues::Double(_) => Some(Attribute::Double(f64::NAN)),
            };
            attributes.extend(missing.map(|missing| ("_FillValue".to_owned(), missing)));
        }
        self.variables.push(Variable {
            name,
            dimensions: over,
            attributes,
            values: stored,
        });
    }
}
