//! A grid as NetCDF: the classic format with 64-bit offsets (NetCDF Classic Format Specification,
//! `CDF-2`), which every reader of NetCDF knows.

use super::{Attribute, GridColumn, GridFile, StoredAs, Variable};
use crate::artifact::Take;
use crate::error::Fault;

/// Gives `put` the bytes of a NetCDF file with these data. `about` becomes its attributes.
///
/// # Errors
/// When a column has more bytes than the format allows; those of `put`.
pub fn netcdf(
    data: &[GridColumn],
    about: &[(String, String)],
    put: &mut Take,
) -> Result<(), Fault> {
    Classic::of(GridFile::of(data, about)).write(put)
}

/// A variable of the format may have no more bytes.
const MOST_BYTES: usize = u32::MAX as usize - 3;

/// How many values are written together.
const TOGETHER: usize = 1 << 16;

/// The same grid with texts as rows of characters, along dimensions of their own.
struct Classic<'d>(GridFile<'d>);

impl<'d> Classic<'d> {
    fn of(mut file: GridFile<'d>) -> Self {
        for variable in &mut file.variables {
            if let StoredAs::Text { bytes, .. } = variable.stored {
                variable.dimensions.push(file.dimensions.len());
                let name = format!("{}_length", variable.name);
                file.dimensions.push((name, bytes));
                let encoding = Attribute::Text("utf-8".to_owned());
                variable.attributes.push(("_Encoding".to_owned(), encoding));
            }
        }
        Self(file)
    }

    fn write(&self, put: &mut Take) -> Result<(), Fault> {
        // The head has the same length whatever the places of the values are.
        let start = self.head(&vec![0; self.0.variables.len()])?.len();
        let mut begins = Vec::new();
        let mut end = start;
        for variable in &self.0.variables {
            begins.push(end as u64);
            end += self.bytes(variable).next_multiple_of(4);
        }
        put(&self.head(&begins)?)?;
        let mut bytes = Vec::new();
        for variable in &self.0.variables {
            let values = self.0.values(variable);
            for start in (0..values.len()).step_by(TOGETHER) {
                bytes.clear();
                for value in values
                    .part(start..values.len().min(start + TOGETHER))
                    .iter()
                {
                    match variable.stored {
                        StoredAs::Float => bytes.extend((*value as f32).to_be_bytes()),
                        StoredAs::Double => bytes.extend(value.to_be_bytes()),
                        StoredAs::Text { bytes: length, .. } => {
                            let text = variable.column.head.label(*value).unwrap_or_default();
                            let end = bytes.len() + length;
                            bytes.extend_from_slice(text.as_bytes());
                            bytes.resize(end, 0);
                        }
                    }
                }
                put(&bytes)?;
            }
            let length = self.bytes(variable);
            put(&[0; 4][..length.next_multiple_of(4) - length])?;
        }
        Ok(())
    }

    /// How many bytes the values of a variable take.
    fn bytes(&self, variable: &Variable<'_>) -> usize {
        let each = match variable.stored {
            // Along a dimension of their own.
            StoredAs::Text { .. } => 1,
            StoredAs::Float => 4,
            StoredAs::Double => 8,
        };
        self.0.cells(variable) * each
    }

    fn head(&self, begins: &[u64]) -> Result<Vec<u8>, Fault> {
        let mut head = Head(b"CDF\x02".to_vec());
        // No dimension grows.
        head.number(0);
        head.list(10, self.0.dimensions.len());
        for (name, size) in &self.0.dimensions {
            head.text(name);
            head.number(size32(*size)?);
        }
        head.attributes(&self.0.attributes)?;
        head.list(11, self.0.variables.len());
        for (variable, begin) in self.0.variables.iter().zip(begins) {
            head.text(&variable.name);
            head.number(size32(variable.dimensions.len())?);
            for dimension in &variable.dimensions {
                head.number(size32(*dimension)?);
            }
            head.attributes(&variable.attributes)?;
            head.number(match variable.stored {
                StoredAs::Text { .. } => 2,
                StoredAs::Float => 5,
                StoredAs::Double => 6,
            });
            let bytes = self.bytes(variable).next_multiple_of(4);
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
