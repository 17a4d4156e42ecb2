//! Data as NetCDF: a grid where the rows fill one, or else one dimension `row`.
//!
//! The classic format with 64-bit offsets (NetCDF Classic Format Specification, `CDF-2`), which
//! every reader of NetCDF knows, with the attributes of the CF conventions 1.8.

use std::collections::HashSet;

use dsl::types::Content;

use super::dataset::{DataColumn, Dataset};
use super::numbers::singles;
use crate::error::Fault;

/// The bytes of a NetCDF file with these data. `about` becomes its attributes.
///
/// Coordinates are columns of times, and those called or measured as depths, latitudes and
/// longitudes; each becomes a dimension, in this order, if rows differ in them and fill at least an
/// eighth of the grid. Cells without a row are missing.
///
/// # Errors
/// When a column has more bytes than the format allows.
pub fn netcdf(data: &Dataset, about: &[(String, String)]) -> Result<Vec<u8>, Fault> {
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
    let mut file = GridWriter::default();
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
    file.bytes()
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
    Characters(Vec<u8>),
    Float(Vec<f32>),
    Double(Vec<f64>),
}

struct Variable {
    name: String,
    dimensions: Vec<usize>,
    attributes: Vec<(String, Attribute)>,
    values: VariableValues,
}

#[derive(Default)]
struct GridWriter {
    dimensions: Vec<(String, usize)>,
    attributes: Vec<(String, Attribute)>,
    variables: Vec<Variable>,
}

/// A variable of the format may have no more bytes.
const MOST_BYTES: usize = u32::MAX as usize - 3;

impl GridWriter {
    fn add(&mut self, name: String, column: &DataColumn, mut over: Vec<usize>, values: &[f64]) {
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
                let texts: Vec<&str> = values
                    .iter()
                    .map(|value| column.label(*value).unwrap_or_default())
                    .collect();
                let longest = texts
                    .iter()
                    .map(|text| text.len())
                    .max()
                    .unwrap_or_default();
                over.push(self.dimensions.len());
                let length = longest.max(1);
                self.dimensions.push((format!("{name}_length"), length));
                told("_Encoding", "utf-8");
                let mut bytes = Vec::with_capacity(length * texts.len());
                for text in texts {
                    bytes.extend_from_slice(text.as_bytes());
                    bytes.resize(bytes.len() + length - text.len(), 0);
                }
                VariableValues::Characters(bytes)
            }
            _ => match singles(values) {
                Some(singles) => VariableValues::Float(singles),
                None => VariableValues::Double(values.to_vec()),
            },
        };
        if !is_axis {
            let missing = match stored {
                VariableValues::Characters(_) => None,
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

    fn bytes(&self) -> Result<Vec<u8>, Fault> {
        // The head has the same length whatever the places of the values are.
        let start = self.head(&vec![0; self.variables.len()])?.len();
        let mut begins = Vec::new();
        let mut end = start;
        for variable in &self.variables {
            begins.push(end as u64);
            end += variable.values.bytes().next_multiple_of(4);
        }
        let mut bytes = self.head(&begins)?;
        bytes.reserve(end - start);
        for variable in &self.variables {
            match &variable.values {
                VariableValues::Characters(values) => bytes.extend_from_slice(values),
                VariableValues::Float(values) => {
                    values
                        .iter()
                        .for_each(|value| bytes.extend(value.to_be_bytes()));
                }
                VariableValues::Double(values) => {
                    values
                        .iter()
                        .for_each(|value| bytes.extend(value.to_be_bytes()));
                }
            }
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        Ok(bytes)
    }

    fn head(&self, begins: &[u64]) -> Result<Vec<u8>, Fault> {
        let mut head = Head(b"CDF\x02".to_vec());
        // No dimension grows.
        head.number(0);
        head.list(10, self.dimensions.len());
        for (name, size) in &self.dimensions {
            head.text(name);
            head.number(size32(*size)?);
        }
        head.attributes(&self.attributes)?;
        head.list(11, self.variables.len());
        for (variable, begin) in self.variables.iter().zip(begins) {
            head.text(&variable.name);
            head.number(size32(variable.dimensions.len())?);
            for dimension in &variable.dimensions {
                head.number(size32(*dimension)?);
            }
            head.attributes(&variable.attributes)?;
            head.number(match variable.values {
                VariableValues::Characters(_) => 2,
                VariableValues::Float(_) => 5,
                VariableValues::Double(_) => 6,
            });
            let bytes = variable.values.bytes().next_multiple_of(4);
            if bytes > MOST_BYTES {
                let message = format!("`{}` has more than 4 GB", variable.name);
                return Err(Fault::user(message).with_hint("write it with `--format parquet`"));
            }
            head.number(bytes as u32);
            head.0.extend(begin.to_be_bytes());
        }
        Ok(head.0)
    }
}

fn size32(size: usize) -> Result<u32, Fault> {
    let told = |_| Fault::user("NetCDF holds no dimension of more than 2^32 values");
    u32::try_from(size).map_err(told)
}

impl VariableValues {
    fn bytes(&self) -> usize {
        match self {
            Self::Characters(values) => values.len(),
            Self::Float(values) => 4 * values.len(),
            Self::Double(values) => 8 * values.len(),
        }
    }
}

/// The head of a file while it is written.
struct Head(Vec<u8>);

impl Head {
    fn number(&mut self, number: u32) {
        self.0.extend(number.to_be_bytes());
    }

    /// The beginning of a list; an empty one has no tag.
    fn list(&mut self, tag: u32, length: usize) {
        self.number(if length == 0 { 0 } else { tag });
        self.number(length as u32);
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u32);
        self.0.extend_from_slice(text.as_bytes());
        self.0.resize(self.0.len().next_multiple_of(4), 0);
    }

    fn attributes(&mut self, attributes: &[(String, Attribute)]) -> Result<(), Fault> {
        self.list(12, attributes.len());
        for (name, attribute) in attributes {
            self.text(name);
            match attribute {
                Attribute::Text(text) => {
                    self.number(2);
                    self.text(text);
                }
                Attribute::Float(value) => {
                    self.number(5);
                    self.number(1);
                    self.0.extend(value.to_be_bytes());
                }
                Attribute::Double(value) => {
                    self.number(6);
                    self.number(1);
                    self.0.extend(value.to_be_bytes());
                }
            }
        }
        Ok(())
    }
}
