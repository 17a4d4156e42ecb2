//! A grid as NetCDF: the classic format with 64-bit offsets (NetCDF Classic Format Specification,
//! `CDF-2`), which every reader of NetCDF knows.

use super::{Attribute, Dataset, GridFile, VariableValues, grid};
use crate::error::Fault;

/// The bytes of a NetCDF file with these data. `about` becomes its attributes.
///
/// # Errors
/// When a column has more bytes than the format allows.
pub fn netcdf(data: &Dataset, about: &[(String, String)]) -> Result<Vec<u8>, Fault> {
    Classic::of(grid(data, about)).bytes()
}

/// A variable of the format may have no more bytes.
const MOST_BYTES: usize = u32::MAX as usize - 3;

/// The same grid with texts as rows of characters, along dimensions of their own.
struct Classic {
    dimensions: Vec<(String, usize)>,
    attributes: Vec<(String, Attribute)>,
    variables: Vec<ClassicVariable>,
}

struct ClassicVariable {
    name: String,
    dimensions: Vec<usize>,
    attributes: Vec<(String, Attribute)>,
    values: ClassicValues,
}

/// The values of a variable, as they are stored.
enum ClassicValues {
    Characters(Vec<u8>),
    Float(Vec<f32>),
    Double(Vec<f64>),
}

impl Classic {
    fn of(file: GridFile) -> Self {
        let mut dimensions = file.dimensions;
        let variables = file.variables.into_iter().map(|variable| {
            let (mut over, mut attributes) = (variable.dimensions, variable.attributes);
            let values = match variable.values {
                VariableValues::Float(values) => ClassicValues::Float(values),
                VariableValues::Double(values) => ClassicValues::Double(values),
                VariableValues::Texts(texts) => {
                    let longest = texts.iter().map(String::len).max().unwrap_or_default();
                    let length = longest.max(1);
                    over.push(dimensions.len());
                    dimensions.push((format!("{}_length", variable.name), length));
                    let encoding = Attribute::Text("utf-8".to_owned());
                    attributes.push(("_Encoding".to_owned(), encoding));
                    let mut bytes = Vec::with_capacity(length * texts.len());
                    for text in texts {
                        bytes.extend_from_slice(text.as_bytes());
                        bytes.resize(bytes.len() + length - text.len(), 0);
                    }
                    ClassicValues::Characters(bytes)
                }
            };
            ClassicVariable {
                name: variable.name,
                dimensions: over,
                attributes,
                values,
            }
        });
        let variables = variables.collect();
        Self {
            dimensions,
            attributes: file.attributes,
            variables,
        }
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
                ClassicValues::Characters(values) => bytes.extend_from_slice(values),
                ClassicValues::Float(values) => {
                    values
                        .iter()
                        .for_each(|value| bytes.extend(value.to_be_bytes()));
                }
                ClassicValues::Double(values) => {
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
                ClassicValues::Characters(_) => 2,
                ClassicValues::Float(_) => 5,
                ClassicValues::Double(_) => 6,
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

impl ClassicValues {
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
