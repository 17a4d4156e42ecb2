//! `parquet`: the numeric columns of a Parquet file.

use std::fs::File;
use std::sync::Arc;

use dsl::signature::ColumnRule;
use dsl::types::{ColumnInfo, Schema};
use engine::artifact::{DataColumn, Dataset};
use engine::error::Fault;
use engine::params::{Column, DataPath};
use engine::plugin;
use engine::plugin::{Context, Plugin};
use polars::prelude::{ArrowDataType, DataFrame, DataType, ParquetReader, SerReader};

use super::source::{self, Heading};

plugin! {
    /// The numeric columns of a Parquet file.
    ///
    /// Integers, floats and booleans are taken, as 64-bit floats; missing values stay missing,
    /// columns of other types are left out. A unit is read from the `units` of a column's
    /// metadata or from a name such as `depth [m]`.
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

    fn schema(&self) -> Result<Schema, Fault> {
        let columns = self
            .footer()?
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
        let footer = self.footer()?;
        if !footer.left_out.is_empty() {
            context.note(format!(
                "left out without numbers: {}",
                footer.left_out.join(", ")
            ));
        }
        let names = footer.kept.iter().map(|heading| heading.raw.clone());
        let frame = footer
            .reader
            .with_columns(Some(names.collect()))
            .finish()
            .map_err(|error| source::unreadable(&self.file, "parquet", &error))?;
        let columns = footer
            .kept
            .into_iter()
            .map(|heading| column(&frame, heading))
            .collect::<Result<_, Fault>>()?;
        Dataset::new(columns)
    }
}

/// What the end of the file says of its columns.
struct Footer {
    reader: ParquetReader<File>,
    kept: Vec<Heading>,
    left_out: Vec<String>,
}

impl Parquet {
    fn footer(&self) -> Result<Footer, Fault> {
        let mut reader = ParquetReader::new(source::open(&self.file)?);
        let schema = reader
            .schema()
            .map_err(|error| source::unreadable(&self.file, "parquet", &error))?;
        let mut numeric = Vec::new();
        let mut left_out = Vec::new();
        for field in schema.iter_values() {
            let mut heading = Heading::parse(&field.name);
            if let Some(unit) = field.metadata.as_ref().and_then(|data| data.get("units")) {
                heading.unit = Some(unit.to_string());
            }
            match is_numeric(field.dtype()) {
                true => numeric.push(heading),
                false => left_out.push(format!("`{}`", heading.name)),
            }
        }
        let kept = match &self.columns {
            Some(wanted) => {
                left_out.clear();
                let found = source::select(&numeric, wanted)?;
                found.into_iter().map(|(_, heading)| heading).collect()
            }
            None => numeric,
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

fn is_numeric(ty: &ArrowDataType) -> bool {
    use ArrowDataType as T;
    matches!(
        ty,
        T::Boolean
            | T::Int8
            | T::Int16
            | T::Int32
            | T::Int64
            | T::UInt8
            | T::UInt16
            | T::UInt32
            | T::UInt64
            | T::Float32
            | T::Float64
    )
}

fn column(frame: &DataFrame, heading: Heading) -> Result<DataColumn, Fault> {
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
    use crate::data::testing::{complaint, testdata};

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
        let schema = tiny().schema().expect("a schema");
        let data = tiny().run(&context).expect("data");
        assert_eq!(data.schema(), schema);
        assert_eq!(schema.columns[0].unit.as_deref(), Some("m"));
        assert_eq!(data.values("depth").expect("depth")[..], [0.0, 10.0, 20.0]);
        let temp = data.values("temp").expect("temp");
        assert_eq!((temp[0], temp[1].is_nan(), temp[2]), (4.5, true, 3.25));
        let ice = data.values("ice").expect("ice");
        assert_eq!((ice[0], ice[1], ice[2].is_nan()), (1.0, 0.0, true));
        assert_eq!(context.take_notes(), ["left out without numbers: `ship`"]);
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
        let (param, message) = complaint(text.schema());
        assert_eq!(param, Some("columns"));
        assert_eq!(message, "the file has no column `ship`");
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
}
