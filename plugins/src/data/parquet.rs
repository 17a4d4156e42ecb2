//! `parquet`: the columns of Parquet files.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, ErrorKind};
use std::ops::Range;

use dsl::calendar::{Calendar, TimeUnit};
use dsl::column::ColumnExpr;
use dsl::signature::ColumnRule;
use dsl::types::Schema;
use engine::artifact::{DataColumn, Dataset};
use engine::error::Fault;
use engine::files::{DataFile, Files};
use engine::params::{Column, Condition};
use engine::plugin;
use engine::plugin::{Complaint, Context, Each, InParts, Plugin, Sketch};
use polars::prelude::{ParquetReader, SerReader};

use super::support::damage::survive;
use super::support::pages::{self, Held, Meaning};
use super::support::row_choice::{RowChoice, RowOptions, ValueBounds, can_meet, of_many_rows};
use super::support::several::{self, DataFiles, OneFile};
use super::support::source::{self, Heading};
use super::support::stacking::{Part, Stack, whole};

plugin! {
    /// The columns of Parquet files.
    ///
    /// `file` is a file, a pattern (`"years/*.parquet"`), a folder or a list of these; the rows
    /// of several files stand one below the other in the order of their names, and folders such
    /// as `year=2000/` become a column. All must have the same columns.
    ///
    /// Booleans, integers, floats and decimals are numbers, as 64-bit floats; a note tells of
    /// integers that none of these is. Dates and timestamps are times (of the proleptic Gregorian
    /// calendar, in UTC), strings are texts. Missing values stay missing. Columns of other types,
    /// and those inside lists and groups, are left out, and a note names them. A unit is read from
    /// the `units` of a column's metadata or from a name such as `depth [m]`.
    ///
    /// `where` keeps the rows that meet a condition; groups of rows that cannot meet it by the
    /// statistics of the file, and files that cannot by the names of their folders, are not read.
    ///
    /// ```farcast
    /// data casts = parquet("tiny.parquet", columns: [depth, temp])
    /// data deep = parquet("tiny.parquet", columns: [depth, temp], where: depth >= 10 m)
    /// ```
    "parquet" version 3
    pub struct Parquet {
        /// The files.
        file: DataFiles;
        /// The columns to keep, in this order; all when left out.
        columns: Option<Vec<Column>>;
        /// Which rows are read.
        rows: RowOptions, flatten();
    }
}

/// The endings of the files that are taken from a folder.
const ENDINGS: [&str; 3] = [".parquet", ".pq", ".parq"];

impl Plugin for Parquet {
    type Output = Dataset;

    const REMADE: bool = true;

    fn columns() -> ColumnRule {
        ColumnRule::Source
    }

    fn schema(&self, files: &Files) -> Result<Schema, Fault> {
        let mut doubles = BTreeSet::new();
        let parts = several::open_all(&self.file, &ENDINGS, files)?
            .into_iter()
            .map(|one| {
                let footer = ColumnFooter::read(&one)?;
                let columns = footer.kept(self.columns.as_deref(), &one)?;
                let of_file = columns.kept.iter();
                let its_doubles = of_file.filter(|kept| !footer.footer.leaves[kept.at].is_single());
                doubles.extend(its_doubles.map(|kept| kept.heading.name.clone()));
                let names = one.partitions.iter().map(|(name, _)| name.clone());
                doubles.extend(names);
                columns.head(&one)
            });
        let heads: Vec<Part> = parts.collect::<Result<_, Fault>>()?;
        let mut schema = Stack::of(heads, self.columns.as_deref(), "file")?
            .none()
            .schema();
        for column in &mut schema.columns {
            column.single = !doubles.contains(&column.name);
        }
        Ok(schema)
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        Vec::from_iter(of_many_rows(call))
    }

    fn in_parts(_: &Sketch<'_>) -> Option<InParts> {
        Some(InParts::Reads)
    }

    fn read_parts(self, context: &Context, each: Each<'_>) -> Result<(), Fault> {
        self.pass(ROWS_TOGETHER, context, each).map(|_| ())
    }

    fn run(self, context: &Context) -> Result<Dataset, Fault> {
        whole(|each| self.pass(ROWS_AT_MOST, context, each))
    }
}

/// As many rows are worth reading at a time.
const ROWS_TOGETHER: usize = 1 << 18;

/// Where all rows are wanted together, the pages of no more than these are in memory beside them.
const ROWS_AT_MOST: usize = 1 << 20;

impl Parquet {
    /// Passes the rows to `each`, about `together` at a time; returns the columns without rows.
    fn pass(&self, together: usize, context: &Context, each: Each<'_>) -> Result<Dataset, Fault> {
        let opened = several::open_all(&self.file, &ENDINGS, context.files())?;
        let wanted = self.columns.as_deref();
        let heads = opened.iter().map(|one| {
            let footer = ColumnFooter::read(one)?;
            footer.kept(wanted, one)?.head(one)
        });
        let heads = heads.collect::<Result<Vec<Part>, Fault>>()?;
        let mut stack = Stack::of(heads, wanted, "file")?;
        let mut choice = RowChoice::of(&self.rows);
        let mut left_out = BTreeMap::new();
        let mut rounded = Vec::new();
        let condition = self.rows.r#where.as_ref().map(|Condition(it)| it);
        let (mut read, mut all) = (0, 0);
        for (at, one) in opened.iter().enumerate() {
            let footer = ColumnFooter::read(one)?;
            let columns = KeptColumns {
                folders: stack.bounds(at),
                ..footer.kept(wanted, one)?
            };
            left_out.extend(columns.left_out.iter().cloned());
            all += footer.footer.rows;
            for groups in columns.groups(&footer.footer, condition, together) {
                context.check_stop()?;
                let rows: usize = groups.clone().map(|it| footer.footer.rows_of(it)).sum();
                if !columns.can_meet(&footer.footer, groups.start, condition) {
                    choice.skip(rows as u64);
                    continue;
                }
                read += rows;
                let rows_read = columns.read(one, &footer.footer, groups, &mut rounded)?;
                if let Some(rows) = choice.of_next(stack.rows(at, rows_read)?)? {
                    each(rows)?;
                }
            }
        }
        choice.end(context)?;
        for name in rounded {
            context.note(format!(
                "column `{name}`: whole numbers above 2^53 were rounded"
            ));
        }
        if read < all {
            let [read, all] = [read, all].map(source::grouped);
            context.note(format!(
                "read {read} of {all} rows: none of the others meets `where`"
            ));
        }
        if !left_out.is_empty() {
            let left_out = left_out
                .iter()
                .map(|(name, why)| format!("`{name}` ({why})"));
            context.note(format!(
                "left out: {}",
                left_out.collect::<Vec<_>>().join(", ")
            ));
        }
        Ok(stack.none())
    }
}

/// How many bytes end the file: the length of the footer, then `PAR1`.
const TAIL: u64 = 8;

/// What the end of a file says of its columns.
struct ColumnFooter {
    footer: pages::Footer,
    headings: Vec<Heading>,
}

/// Which columns are kept.
struct KeptColumns {
    kept: Vec<KeptColumn>,
    /// What the folders of the file say.
    folders: BTreeMap<String, ValueBounds>,
    left_out: Vec<(String, String)>,
}

struct KeptColumn {
    at: usize,
    heading: Heading,
    meaning: Meaning,
}

impl KeptColumns {
    /// Neighbouring groups that are read at a time: all that can meet a condition, or none.
    fn groups(
        &self,
        footer: &pages::Footer,
        condition: Option<&ColumnExpr>,
        together: usize,
    ) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = Vec::new();
        let mut rows = 0;
        for group in 0..footer.groups() {
            let can_meet = |group| self.can_meet(footer, group, condition);
            match found.last_mut() {
                Some(last) if rows < together && can_meet(last.start) == can_meet(group) => {
                    last.end = group + 1;
                }
                _ => {
                    rows = 0;
                    found.push(group..group + 1);
                }
            }
            rows = rows.saturating_add(footer.rows_of(group));
        }
        found
    }

    /// Whether rows of a group can meet a condition by what the file says of them.
    fn can_meet(
        &self,
        footer: &pages::Footer,
        group: usize,
        condition: Option<&ColumnExpr>,
    ) -> bool {
        let between = |name: &str| {
            let mut kept = self.kept.iter();
            match kept.find(|kept| kept.heading.name == name) {
                Some(column) => footer.between(group, column.at).cloned(),
                None => self.folders.get(name).cloned(),
            }
        };
        condition.is_none_or(|condition| can_meet(condition, &between))
    }

    /// The rows of some groups of a file.
    fn read(
        &self,
        one: &OneFile,
        footer: &pages::Footer,
        groups: Range<usize>,
        rounded: &mut Vec<String>,
    ) -> Result<Dataset, Fault> {
        let unread = |error: &str| unreadable(&one.file, error);
        let size = usize::try_from(one.file.size()).unwrap_or(usize::MAX);
        let (place, part) = footer.part(groups, size);
        let mut bytes = Vec::new();
        let room = bytes.try_reserve_exact(place.len());
        room.map_err(|error| unread(&error.to_string()))?;
        bytes.resize(place.len(), 0);
        let read = one.file.read_at(place.start as u64, &mut bytes);
        read.map_err(|error| unread(&error.to_string()))?;
        let wanted: Vec<usize> = self.kept.iter().map(|kept| kept.at).collect();
        let read = pages::read(&bytes, &part, &wanted).map_err(|error| unread(&error))?;
        let columns = self.kept.iter().zip(read).map(|(kept, held)| {
            let name = &kept.heading.name;
            if matches!(held, Held::Numbers(_, true)) && !rounded.contains(name) {
                rounded.push(name.clone());
            }
            let is_single = footer.leaves[kept.at].is_single();
            let mut column = column(kept.heading.clone(), held, kept.meaning);
            if is_single && kept.meaning == Meaning::Number {
                // As narrow as they came.
                let values = column.values.iter().map(|value| *value as f32);
                column.values = values.collect::<Vec<f32>>().into();
            }
            column
        });
        Dataset::new(columns.collect())
    }

    /// The head of the table of a file.
    fn head(&self, one: &OneFile) -> Result<Part, Fault> {
        let none = self.kept.iter().map(|kept| {
            let held = match kept.meaning {
                Meaning::Texts => Held::Texts(Vec::new(), Vec::new()),
                _ => Held::Numbers(Vec::new(), false),
            };
            column(kept.heading.clone(), held, kept.meaning)
        });
        let kept = self.kept.iter();
        let empty = kept.filter(|kept| kept.meaning == Meaning::Nothing);
        Ok(Part {
            empty: empty.map(|kept| kept.heading.name.clone()).collect(),
            ..Part::of(one, Dataset::new(none.collect())?)
        })
    }
}

impl ColumnFooter {
    fn read(one: &OneFile) -> Result<Self, Fault> {
        let file = &one.file;
        let tail = tail(file).map_err(|error| unreadable(file, &error.to_string()))?;
        let footer = match &tail[tail.len().saturating_sub(4)..] {
            b"PAR1" => pages::Footer::of(&tail[..tail.len() - TAIL as usize]),
            b"PARE" => Err("it is encrypted".to_owned()),
            _ => Err("it does not end as Parquet files do".to_owned()),
        };
        let footer = footer.map_err(|error| unreadable(file, &error))?;
        let units = units(tail);
        let headings = footer.leaves.iter().map(|leaf| {
            let mut heading = Heading::parse(&leaf.name);
            if let Some(unit) = units.get(&leaf.name) {
                heading.unit = Some(unit.clone());
            }
            heading
        });
        Ok(Self {
            headings: headings.collect(),
            footer,
        })
    }

    fn kept(&self, wanted: Option<&[Column]>, one: &OneFile) -> Result<KeptColumns, Fault> {
        let mut left_out = Vec::new();
        let mut kept = Vec::new();
        let chosen: Vec<(usize, Heading)> = match wanted {
            Some(wanted) => one.select(&self.headings, wanted)?,
            None => self.headings.iter().cloned().enumerate().collect(),
        };
        for (at, heading) in chosen {
            match &self.footer.leaves[at].meaning {
                Ok(meaning) => kept.push(KeptColumn {
                    at,
                    heading,
                    meaning: *meaning,
                }),
                Err(why) if wanted.is_none() => left_out.push((heading.raw, why.clone())),
                Err(why) => {
                    return Err(Fault::at(
                        "columns",
                        format!("column `{}` holds {why}, which are not read", heading.name),
                    ));
                }
            }
        }
        if kept.is_empty() {
            let message = format!("`{}` has no column that can be read", one.path().display());
            return Err(Fault::at("file", message));
        }
        source::distinct("file", kept.iter().map(|kept| kept.heading.name.as_str()))?;
        Ok(KeptColumns {
            kept,
            folders: BTreeMap::new(),
            left_out,
        })
    }
}

/// The end of a file, which has all but the values.
fn tail(file: &DataFile) -> io::Result<Vec<u8>> {
    let mut end = [0; TAIL as usize];
    let start = file
        .size()
        .checked_sub(TAIL)
        .ok_or(ErrorKind::UnexpectedEof)?;
    file.read_at(start, &mut end)?;
    let [a, b, c, d, ..] = end;
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    let length = (length + TAIL).min(file.size());
    let mut tail = vec![0; length as usize];
    file.read_at(file.size() - length, &mut tail)?;
    Ok(tail)
}

/// The units in the metadata that Arrow adds, where polars understands the file: it refuses
/// types that it does not know.
fn units(tail: Vec<u8>) -> BTreeMap<String, String> {
    let mut bytes = b"PAR1".to_vec();
    bytes.extend(tail);
    let schema = survive(|| ParquetReader::new(Cursor::new(bytes)).schema());
    let Some(Ok(schema)) = schema else {
        return BTreeMap::new();
    };
    let units = schema.iter_values().filter_map(|field| {
        let unit = field.metadata.as_ref()?.get("units")?;
        Some((field.name.to_string(), unit.to_string()))
    });
    units.collect()
}

fn unreadable(file: &DataFile, reason: &str) -> Fault {
    let shown = file.path().display();
    Fault::at(
        "file",
        format!("cannot read `{shown}` as parquet: {reason}"),
    )
}

fn column(heading: Heading, held: Held, meaning: Meaning) -> DataColumn {
    let Heading { name, unit, .. } = heading;
    match (held, meaning) {
        (Held::Numbers(values, _), Meaning::Times(_) | Meaning::Julian) => {
            DataColumn::times(name, TimeUnit::days(Calendar::ProlepticGregorian), values)
        }
        (Held::Numbers(values, _), _) => DataColumn::numbers(name, unit, values),
        (Held::Texts(places, labels), _) => {
            let text = |place: &Option<u32>| place.map(|place| &labels[place as usize]);
            DataColumn::texts(name, places.iter().map(text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::support::testing::{complaint, in_doubles, testdata};
    use crate::testing::in_parts;
    use dsl::ast::BinaryOp;
    use engine::params::DataPath;

    fn tiny() -> Parquet {
        // Written by polars 1.x for Python:
        // pl.DataFrame({"depth [m]": [0, 10, 20], "temp": [4.5, None, 3.25],
        //   "ice": [True, False, None], "ship": ["a", "b", "c"]}).write_parquet("tiny.parquet")
        Parquet {
            file: testdata("tiny.parquet").into(),
            columns: None,
            rows: RowOptions::default(),
        }
    }

    #[test]
    fn numbers_and_booleans_are_read() {
        let context = Context::alone("parquet");
        let schema = tiny().schema(&Files::unchecked()).expect("a schema");
        let data = tiny().run(&context).expect("data");
        assert_eq!(data.schema(), in_doubles(schema.clone()));
        assert_eq!(schema.columns[0].unit.as_deref(), Some("m"));
        assert_eq!(data.values("depth").expect("depth")[..], [0.0, 10.0, 20.0]);
        let temp = data.values("temp").expect("temp");
        assert_eq!((temp[0], temp[1].is_nan(), temp[2]), (4.5, true, 3.25));
        let ice = data.values("ice").expect("ice");
        assert_eq!((ice[0], ice[1], ice[2].is_nan()), (1.0, 0.0, true));
        assert_eq!(data.column("ship").expect("ship").text(2), Some("c"));
    }

    // Written by pyarrow 26, `row_group_size=10`, no compression: depth 0.0 to 39.0, day
    // 2000-01-01 and the 39 days after it, ship "a" and "b" in turn.
    fn groups(r#where: Option<ColumnExpr>) -> Parquet {
        Parquet {
            file: testdata("groups.parquet").into(),
            columns: None,
            rows: RowOptions {
                every: 1,
                r#where: r#where.map(Condition),
            },
        }
    }

    fn above(column: &str, value: f64) -> ColumnExpr {
        ColumnExpr::Binary(
            BinaryOp::Greater,
            Box::new(ColumnExpr::Column(column.to_owned())),
            Box::new(ColumnExpr::Number(value)),
        )
    }

    #[test]
    fn groups_of_rows_that_cannot_meet_the_condition_are_not_read() {
        let mut bytes = std::fs::read(testdata("groups.parquet").0).expect("a file");
        // The pages of the first group, which say no more.
        bytes[4..100].fill(0xff);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("damaged.parquet");
        std::fs::write(&path, bytes).expect("a file");
        let damaged = |condition| Parquet {
            file: DataPath(path.clone()).into(),
            ..groups(condition)
        };
        let context = Context::alone("parquet");
        damaged(None).run(&context).expect_err("damaged pages");
        // 2000-01-25, in days since 1970-01-01.
        for condition in [above("depth", 24.0), above("day", 10_981.0)] {
            let context = Context::alone("parquet");
            let data = damaged(Some(condition)).run(&context).expect("rows");
            let depth = data.values("depth").expect("depth");
            assert!(depth.iter().copied().eq((25..40).map(f64::from)));
            assert_eq!(
                context.take_notes(),
                ["read 20 of 40 rows: none of the others meets `where`"]
            );
        }
        let (param, message) = complaint(groups(Some(above("depth", 50.0))).run(&context));
        assert_eq!(param, Some("where"));
        assert_eq!(message, "no row meets the condition");
    }

    /// Written by pyarrow 26, `row_group_size=10`: ten rows of each of four stations in turn.
    #[test]
    fn groups_without_a_text_are_not_read() {
        let stations = |condition: ColumnExpr| Parquet {
            file: testdata("stations.parquet").into(),
            ..groups(Some(condition))
        };
        let column = || Box::new(ColumnExpr::Column("station".to_owned()));
        let text = |text: &str| ColumnExpr::Text(text.to_owned());
        let list = ColumnExpr::List(vec![text("Wien"), text("Bonn"), text("Ulm")]);
        for (op, value, rows) in [
            (BinaryOp::Equal, text("De Bilt"), vec![10..20]),
            (BinaryOp::In, list, vec![0..10, 30..40]),
        ] {
            let condition = ColumnExpr::Binary(op, column(), Box::new(value));
            let context = Context::alone("parquet");
            let data = stations(condition).run(&context).expect("rows");
            let expected: Vec<f64> = rows.into_iter().flatten().map(f64::from).collect();
            let count = expected.len();
            assert_eq!(data.values("value").expect("value")[..], expected);
            assert_eq!(
                context.take_notes(),
                [format!(
                    "read {count} of 40 rows: none of the others meets `where`"
                )]
            );
        }
        let none = ColumnExpr::Binary(BinaryOp::Equal, column(), Box::new(text("Ulm")));
        let (_, message) = complaint(stations(none).run(&Context::alone("parquet")));
        assert_eq!(message, "no row meets the condition");
    }

    #[test]
    fn files_are_read_in_parts_and_not_where_their_folders_rule_them_out() {
        let folder = tempfile::tempdir().expect("a folder");
        let whole = std::fs::read(testdata("groups.parquet").0).expect("a file");
        for (name, year) in [("a", 2000), ("b", 2001), ("c", 2001)] {
            let below = folder.path().join(format!("year={year}"));
            std::fs::create_dir_all(&below).expect("a folder");
            let path = below.join(format!("{name}.parquet"));
            std::fs::write(path, &whole).expect("a file");
        }
        let later = above("year", 2000.0);
        let both = ColumnExpr::Binary(
            BinaryOp::And,
            Box::new(later.clone()),
            Box::new(above("depth", 24.0)),
        );
        let read = |condition: Option<ColumnExpr>, every| {
            let some = || {
                let mut some = groups(condition.clone());
                some.file = DataPath(folder.path().to_owned()).into();
                some.rows.every = every;
                some
            };
            let context = Context::alone("parquet");
            let whole = some().run(&context).expect("rows");
            assert_eq!(in_parts(some(), &context), whole);
            whole
        };
        let all = read(None, 1);
        assert_eq!(all.rows(), 120);
        let year = all.values("year").expect("year");
        assert!(
            year[..40].iter().all(|it| *it == 2000.0) && year[40..].iter().all(|it| *it == 2001.0)
        );
        let thin = read(Some(both.clone()), 7);
        let rows = (0..120)
            .step_by(7)
            .filter(|row| *row >= 40 && row % 40 > 24);
        let expected: Vec<f64> = rows.map(|row| f64::from(row % 40)).collect();
        assert_eq!(thin.values("depth").expect("depth")[..], expected);

        let first = folder.path().join("year=2000/a.parquet");
        let mut bytes = whole.clone();
        bytes[4..100].fill(0xff);
        std::fs::write(first, bytes).expect("a file");
        assert_eq!(read(Some(later), 1).rows(), 80);
        assert_eq!(read(Some(both), 1).rows(), 30);
    }

    #[test]
    fn rows_in_parts_are_those_of_the_whole_file() {
        let thin = |condition: Option<ColumnExpr>, every| {
            let mut some = groups(condition);
            some.rows.every = every;
            some
        };
        for (condition, every) in [
            (None, 1),
            (None, 7),
            (Some(above("depth", 14.0)), 1),
            (Some(above("depth", 14.0)), 3),
        ] {
            let context = Context::alone("parquet");
            let whole = thin(condition.clone(), every).run(&context).expect("rows");
            let again = thin(condition.clone(), every);
            assert_eq!(in_parts(again, &context), whole);
            let depth = whole.values("depth").expect("depth");
            let all = (0..40).filter(|at| at % every == 0).map(|at| at as f64);
            let all = all.filter(|at| condition.is_none() || *at > 14.0);
            assert!(depth.iter().copied().eq(all));
        }
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
    }

    /// Written by pyarrow 22: pages of the second version with checksums, by zstd; differences,
    /// bytes apart, shared beginnings and runs; the second of three rows is missing.
    #[test]
    fn every_kind_of_column_is_read_or_named() {
        let context = Context::alone("parquet");
        let kinds = Parquet {
            file: testdata("kinds.parquet").into(),
            columns: None,
            rows: RowOptions::default(),
        };
        let schema = kinds.schema(&Files::unchecked()).expect("a schema");
        let data = kinds.run(&context).expect("data");
        assert_eq!(data.schema(), in_doubles(schema.clone()));
        for (name, first, last) in [
            ("flag", 1.0, 0.0),
            ("i8", -1.0, 127.0),
            ("u16", 0.0, 65535.0),
            ("u32", 0.0, 4_294_967_295.0),
            ("i64", -5.0, 9_007_199_254_740_992.0),
            ("half", 0.5, -2.0),
            ("f32", 0.25, 1e10),
            ("f64", 0.1, -1e300),
            ("dec", 1.25, -3.5),
            ("long", 123_456_789_012_345_678.5, -0.5),
            ("day", 11016.0, -1.0),
            ("ms", 11016.5, 1.0),
            ("ns", 11016.25, 1.0),
        ] {
            let values = data.values(name).expect(name);
            assert_eq!((values[0], values[2]), (first, last), "{name}");
            assert!(values[1].is_nan(), "{name}");
        }
        for (name, first, last) in [("word", "Bonn", "De Bilt"), ("group", "b", "a")] {
            let column = data.column(name).expect(name);
            let texts = [0, 1, 2].map(|row| column.text(row));
            assert_eq!(texts, [Some(first), None, Some(last)], "{name}");
        }
        assert!(data.column("day").expect("day").content.time().is_some());
        assert_eq!(
            context.take_notes(),
            [
                "column `i64`: whole numbers above 2^53 were rounded",
                "left out: `bytes` (bytes), `list.list.element` (in lists), `point.x` (in a \
                 group), `time` (times of day)"
            ]
        );
    }

    #[test]
    fn cut_and_foreign_files_are_explained() {
        let whole = std::fs::read(&tiny().file.0[0].0).expect("the test file");
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
                file: DataPath(path.clone()).into(),
                columns: None,
                rows: RowOptions::default(),
            };
            let (param, message) = complaint(broken.run(&Context::alone("parquet")));
            assert_eq!(param, Some("file"));
            assert!(message.contains("as parquet: "), "{message}");
        }
    }

    #[test]
    fn no_damaged_byte_makes_it_panic() {
        for name in ["tiny.parquet", "kinds.parquet"] {
            damage_each_byte(&std::fs::read(testdata(name).0).expect("the test file"));
        }
    }

    fn damage_each_byte(whole: &[u8]) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("broken.parquet");
        for at in 0..whole.len() {
            for value in [0x00, 0xff] {
                let mut bytes = whole.to_vec();
                bytes[at] = value;
                std::fs::write(&path, bytes).expect("a file");
                let broken = Parquet {
                    file: DataPath(path.clone()).into(),
                    columns: None,
                    rows: RowOptions::default(),
                };
                // Either it is read or refused; a panic would fail the test.
                if let Err(fault) = broken.run(&Context::alone("parquet")) {
                    assert!(matches!(fault, Fault::User { .. }), "{at}: {fault:?}");
                }
            }
        }
    }
}
