//! `csv`: rows of a text table with a header.

use std::collections::BTreeSet;
use std::io::{self, Cursor, Read};
use std::sync::Arc;

use dsl::signature::ColumnRule;
use dsl::types::Schema;
use engine::artifact::{DataColumn, Dataset};
use engine::error::Fault;
use engine::files::Files;
use engine::params::{Column, DataPath};
use engine::plugin;
use engine::plugin::{Context, Plugin};
use polars::prelude::{CsvReadOptions, DataFrame, PolarsResult, SerReader};

use super::support::source::{self, Heading};

plugin! {
    /// Rows of a text table with a header line.
    ///
    /// Fields are separated by commas, or by `;` or tabs when the header has no comma. A
    /// column is numeric when every field of its first thousand rows is a number or missing;
    /// other columns are left out, blank lines are passed over. A header such as `depth [m]` or `depth (m)` gives the
    /// name `depth` and the unit `m`; what a name cannot hold becomes `_`.
    ///
    /// ```farcast
    /// data casts = csv("tiny.csv", columns: [depth, qc_flag])
    /// ```
    "csv" version 1
    pub struct Csv {
        /// The file.
        file: DataPath;
        /// The columns to keep, in this order; all numeric ones when left out.
        columns: Option<Vec<Column>>;
        /// Texts that stand for a missing value, as an empty field does.
        missing: Vec<String> = "[\"NA\", \"null\"]";
    }
}

/// How many rows tell which columns are numeric.
const SAMPLE: usize = 1000;

/// How many bytes the sample is taken from, so that a schema never waits for a long file.
const PREFIX: u64 = 1 << 22;

/// How much of the file to read.
#[derive(Clone, Copy)]
enum Rows {
    Sample,
    All,
}

impl Plugin for Csv {
    type Output = Dataset;

    fn columns() -> ColumnRule {
        ColumnRule::Source
    }

    fn schema(&self, files: &Files) -> Result<Schema, Fault> {
        Ok(self.load(Rows::Sample, files)?.0.schema())
    }

    fn run(self, context: &Context) -> Result<Dataset, Fault> {
        let (data, left_out) = self.load(Rows::All, context.files())?;
        if !left_out.is_empty() {
            context.note(format!("left out: {}", left_out.join(", ")));
        }
        Ok(data)
    }
}

impl Csv {
    /// The data and the names of the columns left out.
    fn load(&self, rows: Rows, files: &Files) -> Result<(Dataset, Vec<String>), Fault> {
        let frame = self.read(rows, files)?;
        let headings = self.headings(&frame)?;
        if frame.height() == 0 {
            return Err(self.fault("has a header but no rows"));
        }
        let chosen = match &self.columns {
            Some(wanted) => source::select(&headings, wanted)?,
            None => self.numeric(&frame, &headings)?,
        };
        if chosen.is_empty() {
            return Err(self.fault("has no column of numbers"));
        }
        let left_out = match &self.columns {
            Some(_) => Vec::new(),
            None => {
                let chosen: BTreeSet<usize> = chosen.iter().map(|(index, _)| *index).collect();
                let headings = headings.iter().enumerate();
                headings
                    .filter(|(index, _)| !chosen.contains(index))
                    .map(|(_, heading)| format!("`{}`", heading.name))
                    .collect()
            }
        };
        let columns = chosen
            .into_iter()
            .map(|(index, heading)| self.column(&frame, index, heading))
            .collect::<Result<_, Fault>>()?;
        Ok((Dataset::new(columns)?, left_out))
    }

    /// Every field as text, so that what counts as a number or as missing is decided here.
    fn read(&self, rows: Rows, files: &Files) -> Result<DataFrame, Fault> {
        let bytes = self.bytes(rows, files)?;
        let separator = self.separator(&bytes[..bytes.len().min(PREFIX as usize)])?;
        let options = CsvReadOptions::default()
            .with_infer_schema_length(Some(0))
            .with_n_rows(match rows {
                Rows::Sample => Some(SAMPLE),
                Rows::All => None,
            })
            .map_parse_options(|options| options.with_separator(separator));
        options
            .into_reader_with_file_handle(Cursor::new(bytes))
            .finish()
            .and_then(without_blank_lines)
            .map_err(|error| source::unreadable(&self.file, "csv", &error))
    }

    /// Those of the whole file, or of its first lines.
    fn bytes(&self, rows: Rows, files: &Files) -> Result<Vec<u8>, Fault> {
        let file = source::open(&self.file, files)?;
        let read = || -> io::Result<Vec<u8>> {
            let Rows::Sample = rows else {
                return file.read_all();
            };
            let mut prefix = Vec::new();
            file.reader().take(PREFIX).read_to_end(&mut prefix)?;
            if prefix.len() as u64 == PREFIX {
                let line = prefix.iter().rposition(|byte| *byte == b'\n');
                prefix.truncate(line.map_or(prefix.len(), |end| end + 1));
            }
            Ok(prefix)
        };
        read().map_err(|error| source::unreadable(&self.file, "csv", &error))
    }

    fn separator(&self, prefix: &[u8]) -> Result<u8, Fault> {
        if prefix.iter().all(u8::is_ascii_whitespace) {
            return Err(self.fault("is empty"));
        }
        // An error without a length is a character cut in two by the end of the prefix.
        let text = std::str::from_utf8(prefix).or_else(|error| match error.error_len() {
            None => std::str::from_utf8(&prefix[..error.valid_up_to()]),
            Some(_) => Err(error),
        });
        match text {
            Ok(text) if !text.contains('\0') => {
                let header = text.lines().next().unwrap_or_default();
                let separator = [b',', b';', b'\t']
                    .into_iter()
                    .find(|separator| header.contains(char::from(*separator)));
                Ok(separator.unwrap_or(b','))
            }
            _ => Err(self
                .fault("is not text")
                .with_hint("expected comma-separated values in UTF-8")),
        }
    }

    fn headings(&self, frame: &DataFrame) -> Result<Vec<Heading>, Fault> {
        let raw: Vec<&str> = frame
            .columns()
            .iter()
            .map(|column| column.name().as_str())
            .map(|name| match name.split_once(REPEATED) {
                Some((original, _)) => original,
                None => name,
            })
            .collect();
        if raw.iter().all(|name| name.trim().parse::<f64>().is_ok()) {
            return Err(self
                .fault("has no header: its first line is numbers")
                .with_hint("the first line must name the columns"));
        }
        let headings: Vec<Heading> = raw.into_iter().map(Heading::parse).collect();
        source::distinct("file", headings.iter().map(|heading| heading.name.as_str()))?;
        Ok(headings)
    }

    fn numeric(
        &self,
        frame: &DataFrame,
        headings: &[Heading],
    ) -> Result<Vec<(usize, Heading)>, Fault> {
        let mut numeric = Vec::new();
        for (index, (column, heading)) in frame.columns().iter().zip(headings).enumerate() {
            let sample: Option<Vec<f64>> = column
                .str()?
                .iter()
                .take(SAMPLE)
                .map(|field| self.number(field))
                .collect();
            if sample.is_some_and(|values| values.iter().any(|value| !value.is_nan())) {
                numeric.push((index, heading.clone()));
            }
        }
        Ok(numeric)
    }

    fn column(
        &self,
        frame: &DataFrame,
        index: usize,
        heading: Heading,
    ) -> Result<DataColumn, Fault> {
        let fields = frame.columns()[index].str()?;
        let values = fields
            .iter()
            .enumerate()
            .map(|(row, field)| {
                self.number(field).ok_or_else(|| {
                    let field = field.unwrap_or_default();
                    let name = &heading.name;
                    Fault::at(
                        "file",
                        format!(
                            "row {}: expected a number in column `{name}`, found `{field}`",
                            row + 1
                        ),
                    )
                    .with_hint(format!(
                        "if it stands for a missing value, add {field:?} to `missing`"
                    ))
                })
            })
            .collect::<Result<Arc<[f64]>, Fault>>()?;
        Ok(DataColumn {
            name: heading.name,
            unit: heading.unit,
            values,
        })
    }

    /// The value of a field, NaN when it is missing; none when it is not a number.
    fn number(&self, field: Option<&str>) -> Option<f64> {
        let field = field.unwrap_or_default().trim();
        if field.is_empty() || self.missing.iter().any(|missing| missing == field) {
            return Some(f64::NAN);
        }
        field.parse().ok()
    }

    fn fault(&self, what: &str) -> Fault {
        Fault::at("file", format!("`{}` {what}", self.file.0.display()))
    }
}

/// polars reads a blank line as a row of missing values.
fn without_blank_lines(frame: DataFrame) -> PolarsResult<DataFrame> {
    let filled = frame.columns().iter().map(|column| column.is_not_null());
    match filled.reduce(|left, right| left | right) {
        Some(filled) if !filled.all() => frame.filter(&filled),
        _ => Ok(frame),
    }
}

/// What polars adds to a name that comes again.
const REPEATED: &str = "_duplicated_";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::support::testing::{complaint, testdata};

    fn csv(file: DataPath) -> Csv {
        Csv {
            file,
            columns: None,
            missing: vec!["NA".to_owned()],
        }
    }

    fn written(bytes: &[u8]) -> (tempfile::TempDir, Csv) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("table.csv");
        std::fs::write(&path, bytes).expect("a file");
        (folder, csv(DataPath(path)))
    }

    #[test]
    fn numbers_units_and_missing_values_are_read() {
        let context = Context::alone("csv");
        let table = csv(testdata("tiny.csv"));
        let schema = table.schema(&Files::unchecked()).expect("a schema");
        let data = table.run(&context).expect("data");
        assert_eq!(data.schema(), schema);
        let units: Vec<_> = schema
            .columns
            .iter()
            .map(|column| (column.name.as_str(), column.unit.as_deref()))
            .collect();
        assert_eq!(
            units,
            [
                ("depth", Some("m")),
                ("temp", Some("degC")),
                ("qc_flag", None)
            ]
        );
        assert_eq!(data.values("depth").expect("depth")[..], [0.0, 10.0, 20.0]);
        let temp = data.values("temp").expect("temp");
        assert_eq!((temp[0], temp[1].is_nan(), temp[2]), (4.5, true, 3.25));
        assert!(data.values("qc_flag").expect("qc_flag")[2].is_nan());
        assert_eq!(context.take_notes(), ["left out: `ship`"]);
    }

    #[test]
    fn columns_are_taken_in_the_order_and_spelling_asked_for() {
        let table = Csv {
            columns: Some(vec![Column("TEMP".to_owned()), Column("depth".to_owned())]),
            ..csv(testdata("tiny.csv"))
        };
        let schema = table.schema(&Files::unchecked()).expect("a schema");
        let names: Vec<_> = schema.columns.iter().map(|c| c.name.as_str()).collect();
        assert_eq!(names, ["TEMP", "depth"]);
    }

    #[test]
    fn blank_lines_are_passed_over_and_short_rows_filled() {
        let (_folder, table) = written(b"a,b\r\n1,2\r\n\r\n3\r\n\r\n");
        let data = table.run(&Context::alone("csv")).expect("data");
        assert_eq!(data.values("a").expect("a")[..], [1.0, 3.0]);
        assert!(data.values("b").expect("b")[1].is_nan());
    }

    #[test]
    fn semicolons_and_tabs_separate_too() {
        for text in ["a;b\n1;2\n", "a\tb\n1\t2\n"] {
            let (_folder, table) = written(text.as_bytes());
            let data = table.run(&Context::alone("csv")).expect("data");
            assert_eq!(data.values("b").expect("b")[..], [2.0]);
        }
    }

    #[test]
    fn bad_files_are_explained() {
        let cases: [(&[u8], &str); 9] = [
            (b"", "is empty"),
            (b" \n\n", "is empty"),
            (b"a,b\n", "has a header but no rows"),
            (b"1,2\n3,4\n", "has no header: its first line is numbers"),
            (b"a,b\nx,y\n", "has no column of numbers"),
            (b"a,a\n1,2\n", "column `a` exists twice"),
            (b"\x1f\x8b\x08\x00\x00\xff\xfe", "is not text"),
            (b"a,b\n1,2\n3,4,5\n", "as csv"),
            (b"a,b\n1,\"2\n3,4\n", "as csv"),
        ];
        for (bytes, expected) in cases {
            let (_folder, table) = written(bytes);
            let (param, message) = complaint(table.run(&Context::alone("csv")));
            assert_eq!(param, Some("file"), "{message}");
            assert!(message.contains(expected), "{message}");
        }
    }

    #[test]
    fn a_word_after_the_sample_is_an_error_with_its_row() {
        let text = format!("a\n{}oops\n", "1\n".repeat(SAMPLE));
        let (_folder, table) = written(text.as_bytes());
        assert!(table.schema(&Files::unchecked()).is_ok());
        let (_, message) = complaint(table.run(&Context::alone("csv")));
        assert_eq!(
            message,
            "row 1001: expected a number in column `a`, found `oops`"
        );
    }

    #[test]
    fn a_missing_file_and_an_unknown_column_are_named() {
        let gone = csv(DataPath("/nowhere/at/all.csv".into()));
        let (param, message) = complaint(gone.schema(&Files::unchecked()));
        assert_eq!(
            (param, message.as_str()),
            (Some("file"), "there is no file `/nowhere/at/all.csv`")
        );
        let unknown = Csv {
            columns: Some(vec![Column("dept".to_owned())]),
            ..csv(testdata("tiny.csv"))
        };
        let (param, message) = complaint(unknown.schema(&Files::unchecked()));
        assert_eq!(
            (param, message.as_str()),
            (Some("columns"), "the file has no column `dept`")
        );
    }
}
