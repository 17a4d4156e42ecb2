//! `parquet`: the numeric columns of a Parquet file.

use std::fmt::Display;
use std::io::{self, Cursor, ErrorKind};
use std::sync::Arc;

use dsl::signature::ColumnRule;
use dsl::types::{ColumnInfo, Schema};
use engine::artifact::{DataColumn, Dataset};
use engine::error::Fault;
use engine::files::Files;
use engine::params::{Column, DataPath};
use engine::plugin;
use engine::plugin::{Context, Plugin};
use polars::prelude::{
    ArrowDataType, ArrowField as Field, DataFrame, DataType, ParquetReader, PolarsResult, SerReader,
};

use super::support::damage::survive;
use super::support::source::{self, Heading};

plugin! {
    /// The numeric columns of a Parquet file.
    ///
    /// Booleans, floats and integers of 32 or 64 bits are taken, as 64-bit floats; missing
    /// values stay missing, columns of other types are left out. A unit is read from the `units` of a column's
    /// metadata or from a name such as `depth [m]`.
    ///
    /// ```farcast
    /// data casts = parquet("tiny.parquet", columns: [depth, temp])
    /// ```
    "parquet" version 1
    pub struct Parquet {
        /// The file.
        file: DataPath;
        /// The columns to keep, in this order; all numeric ones when left out.
        columns: Option<Vec<Column>>;
    }
}

impl Plugin for Parquet {
    type Output = Dataset;

    fn columns() -> ColumnRule {
        ColumnRule::Source
    }

    fn schema(&self, files: &Files) -> Result<Schema, Fault> {
        let columns = self
            .footer(self.tail(files)?)?
            .kept
            .into_iter()
            .map(|heading| ColumnInfo {
                name: heading.name,
                unit: heading.unit,
            })
            .collect();
        Ok(Schema { columns })
    }

    fn run(self, context: &Context) -> Result<Dataset, Fault> {
        let file = source::open(&self.file, context.files())?;
        let bytes = file.read_all().map_err(|error| self.unreadable(&error))?;
        let footer = self.footer(bytes)?;
        if !footer.left_out.is_empty() {
            context.note(format!("left out: {}", footer.left_out.join(", ")));
        }
        let names = footer.kept.iter().map(|heading| heading.raw.clone());
        let reader = footer.reader.with_columns(Some(names.collect()));
        let frame = self.guarded(|| reader.finish())?;
        let columns: PolarsResult<Vec<DataColumn>> = self.guarded(|| {
            let columns = footer
                .kept
                .into_iter()
                .map(|heading| column(&frame, heading));
            Ok(columns.collect())
        })?;
        let columns = columns.map_err(|error| self.unreadable(&error))?;
        // Damaged pages can hold more or fewer values than the footer says.
        if columns
            .iter()
            .any(|column| column.values.len() != frame.height())
        {
            return Err(self.unreadable(&DAMAGED));
        }
        Dataset::new(columns)
    }
}

/// What is wrong with pages that do not read.
const DAMAGED: &str = "damaged data";

/// How many bytes begin and end the file.
const MAGIC: u64 = 4;

/// What the end of the file says of its columns.
struct Footer {
    reader: ParquetReader<Cursor<Vec<u8>>>,
    kept: Vec<Heading>,
    left_out: Vec<String>,
}

impl Parquet {
    /// polars panics on some damaged pages (an assertion in `split_buffer` of polars-parquet
    /// 0.55); nothing of its state is used after that.
    fn guarded<T>(&self, read: impl FnOnce() -> PolarsResult<T>) -> Result<T, Fault> {
        match survive(read) {
            Some(read) => read.map_err(|error| self.unreadable(&error)),
            None => Err(self.unreadable(&DAMAGED)),
        }
    }

    fn unreadable(&self, error: &dyn Display) -> Fault {
        source::unreadable(&self.file, "parquet", error)
    }

    /// The end of the file, which has all but the numbers.
    fn tail(&self, files: &Files) -> Result<Vec<u8>, Fault> {
        let file = source::open(&self.file, files)?;
        let read = || -> io::Result<Vec<u8>> {
            // The length of the footer in four bytes, then `PAR1`.
            let mut end = [0; 8];
            let start = file.size().checked_sub(8).ok_or(ErrorKind::UnexpectedEof)?;
            file.read_at(start, &mut end)?;
            let [a, b, c, d, ..] = end;
            let length = u64::from(u32::from_le_bytes([a, b, c, d]));
            let length = (length + 8 + MAGIC).min(file.size());
            let mut tail = vec![0; length as usize];
            file.read_at(file.size() - length, &mut tail)?;
            Ok(tail)
        };
        read().map_err(|error| self.unreadable(&error))
    }

    /// What the end of these bytes says.
    fn footer(&self, bytes: Vec<u8>) -> Result<Footer, Fault> {
        let mut reader = ParquetReader::new(Cursor::new(bytes));
        let schema = self.guarded(|| reader.schema())?;
        let fields: Vec<&Field> = schema.iter_values().collect();
        let headings: Vec<Heading> = fields.iter().map(|field| heading(field)).collect();
        let mut left_out = Vec::new();
        let kept = match &self.columns {
            Some(wanted) => source::select(&headings, wanted)?
                .into_iter()
                .map(|(index, heading)| match fields[index].dtype() {
                    ty if is_numeric(ty) => Ok(heading),
                    ty => Err(not_numeric(&heading.name, ty)),
                })
                .collect::<Result<_, Fault>>()?,
            None => {
                let mut kept = Vec::new();
                for (field, heading) in fields.iter().zip(headings) {
                    match is_numeric(field.dtype()) {
                        true => kept.push(heading),
                        false => left_out.push(format!("`{}`", heading.name)),
                    }
                }
                kept
            }
        };
        if kept.is_empty() {
            let shown = self.file.0.display();
            return Err(Fault::at(
                "file",
                format!("`{shown}` has no column of numbers"),
            ));
        }
        source::distinct("file", kept.iter().map(|heading| heading.name.as_str()))?;
        Ok(Footer {
            reader,
            kept,
            left_out,
        })
    }
}

fn heading(field: &Field) -> Heading {
    let mut heading = Heading::parse(&field.name);
    if let Some(unit) = field.metadata.as_ref().and_then(|data| data.get("units")) {
        heading.unit = Some(unit.to_string());
    }
    heading
}

fn not_numeric(name: &str, ty: &ArrowDataType) -> Fault {
    Fault::at(
        "columns",
        format!("expected booleans, floats or integers in column `{name}`, found {ty:?}"),
    )
    .with_hint("integers must have 32 or 64 bits")
}

/// polars is built without 8- and 16-bit integers.
fn is_numeric(ty: &ArrowDataType) -> bool {
    use ArrowDataType as T;
    matches!(
        ty,
        T::Boolean | T::Int32 | T::Int64 | T::UInt32 | T::UInt64 | T::Float32 | T::Float64
    )
}

fn column(frame: &DataFrame, heading: Heading) -> PolarsResult<DataColumn> {
    let numbers = frame.column(&heading.raw)?.cast(&DataType::Float64)?;
    let values: Arc<[f64]> = numbers
        .f64()?
        .iter()
        .map(|value| value.unwrap_or(f64::NAN))
        .collect();
    Ok(DataColumn {
        name: heading.name,
        unit: heading.unit,
        values,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::support::testing::{complaint, testdata};

    fn tiny() -> Parquet {
        // Written by polars 1.x for Python:
        // pl.DataFrame({"depth [m]": [0, 10, 20], "temp": [4.5, None, 3.25],
        //   "ice": [True, False, None], "ship": ["a", "b", "c"]}).write_parquet("tiny.parquet")
        Parquet {
            file: testdata("tiny.parquet"),
            columns: None,
        }
    }

    #[test]
    fn numbers_and_booleans_are_read() {
        let context = Context::alone("parquet");
        let schema = tiny().schema(&Files::unchecked()).expect("a schema");
        let data = tiny().run(&context).expect("data");
        assert_eq!(data.schema(), schema);
        assert_eq!(schema.columns[0].unit.as_deref(), Some("m"));
        assert_eq!(data.values("depth").expect("depth")[..], [0.0, 10.0, 20.0]);
        let temp = data.values("temp").expect("temp");
        assert_eq!((temp[0], temp[1].is_nan(), temp[2]), (4.5, true, 3.25));
        let ice = data.values("ice").expect("ice");
        assert_eq!((ice[0], ice[1], ice[2].is_nan()), (1.0, 0.0, true));
        assert_eq!(context.take_notes(), ["left out: `ship`"]);
    }

    #[test]
    fn columns_can_be_chosen() {
        let some = Parquet {
            columns: Some(vec![Column("Temp".to_owned())]),
            ..tiny()
        };
        let data = some.run(&Context::alone("parquet")).expect("data");
        assert_eq!(data.columns().len(), 1);
        assert_eq!(data.values("Temp").expect("Temp")[0], 4.5);
        let text = Parquet {
            columns: Some(vec![Column("ship".to_owned())]),
            ..tiny()
        };
        let (param, message) = complaint(text.schema(&Files::unchecked()));
        assert_eq!(param, Some("columns"));
        assert_eq!(
            message,
            "expected booleans, floats or integers in column `ship`, found Utf8View"
        );
    }

    #[test]
    fn cut_and_foreign_files_are_explained() {
        let whole = std::fs::read(tiny().file.0).expect("the test file");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("broken.parquet");
        for bytes in [
            &whole[..whole.len() / 2],
            b"",
            b"PAR1",
            b"depth,temp\n1,2\n",
        ] {
            std::fs::write(&path, bytes).expect("a file");
            let broken = Parquet {
                file: DataPath(path.clone()),
                columns: None,
            };
            let (param, message) = complaint(broken.run(&Context::alone("parquet")));
            assert_eq!(param, Some("file"));
            assert!(message.contains("as parquet: "), "{message}");
        }
    }

    #[test]
    fn no_damaged_byte_makes_it_panic() {
        let whole = std::fs::read(tiny().file.0).expect("the test file");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("broken.parquet");
        for at in 0..whole.len() {
            for value in [0x00, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                std::fs::write(&path, bytes).expect("a file");
                let broken = Parquet {
                    file: DataPath(path.clone()),
                    columns: None,
                };
                // Either it is read or refused; a panic would fail the test.
                if let Err(fault) = broken.run(&Context::alone("parquet")) {
                    assert!(matches!(fault, Fault::User { .. }), "{at}: {fault:?}");
                }
            }
        }
    }
}
