//! `parquet`: the columns of Parquet files.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Cursor, ErrorKind};
use std::ops::Range;
use std::sync::Arc;

use dsl::calendar::{Calendar, TimeUnit};
use dsl::column::ColumnExpr;
use dsl::signature::ColumnRule;
use dsl::types::Schema;
use engine::artifact::{DataColumn, Dataset};
use engine::error::Fault;
use engine::files::{DataFile, Files};
use engine::params::{Column, Condition};
use engine::plugin;
use engine::plugin::{Complaint, Context, Each, InParts, Plugin, ReadColumns, Sketch};
use polars::prelude::{ParquetReader, SerReader};

use super::support::damage::survive;
use super::support::in_order::{SharedReads, in_order, processors};
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

/// More bytes of rows are not read on all processors at once.
const LARGE: usize = 1 << 26;

/// Where all rows are wanted together, the pages of no more than these are in memory beside them.
const ROWS_AT_MOST: usize = 1 << 20;

impl Parquet {
    /// Passes the rows to `each`, about `together` at a time; returns the columns without rows.
    fn pass(&self, together: usize, context: &Context, each: Each<'_>) -> Result<Dataset, Fault> {
        let opened = several::open_all(&self.file, &ENDINGS, context.files())?;
        let wanted = self.columns.as_deref();
        let (mut left_out, mut all) = (BTreeMap::new(), 0);
        let mut largest = 0;
        let heads = opened.iter().map(|one| {
            let footer = ColumnFooter::read(one)?;
            let columns = footer.kept(wanted, one)?;
            all += footer.footer.rows;
            let groups = columns.groups(&footer.footer, None, together).into_iter();
            let rows = groups.map(|groups| footer.footer.rows_of_all(groups)).max();
            largest = largest.max(rows.unwrap_or_default() * columns.kept.len() * size_of::<f64>());
            let head = columns.head(one);
            left_out.extend(columns.left_out);
            head
        });
        let heads = heads.collect::<Result<Vec<Part>, Fault>>()?;
        let mut stack = Stack::of(heads, wanted, "file")?;
        let none = stack.none();
        let mut choice = RowChoice::of(&self.rows);
        let condition = self.rows.r#where.as_ref().map(|Condition(it)| it);
        let folders: Vec<_> = (0..opened.len()).map(|at| stack.bounds(at)).collect();
        let pieces = opened.iter().zip(folders).enumerate();
        let pieces = pieces.flat_map(|(file, (one, folders))| {
            let of = GroupsOfFile::of(file, one, folders, wanted).map(Arc::new);
            let (groups, failed) = match &of {
                Ok(of) => (of.columns.groups(&of.footer, condition, together), None),
                Err(fault) => (Vec::new(), Some(Err(fault.clone()))),
            };
            let read = of.into_iter().cycle().zip(groups);
            read.map(move |(of, groups)| GroupPiece::of(of, groups, condition))
                .chain(failed)
        });
        let reads = SharedReads::default();
        let read = |piece: Result<GroupPiece, Fault>| {
            let GroupPiece { of, groups, pages } = piece?;
            let count = of.footer.rows_of_all(groups.clone());
            let rows = match pages {
                Some((bytes, footer)) => {
                    let reads = reads.now();
                    Some((of.read(&bytes, &footer, &reads)?, reads))
                }
                None => None,
            };
            Ok((of.file, count, rows))
        };
        // Where groups are large, few are in memory at a time.
        let threads = if largest > LARGE { 1 } else { processors() };
        let (mut rounded, mut skipped) = (Vec::new(), 0);
        in_order(threads, pieces, read, |read: Result<_, Fault>| {
            context.check_stop()?;
            let (file, count, rows) = read?;
            let Some(((rows, of_rows), wanted)) = rows else {
                choice.skip(count as u64);
                skipped += count;
                return Ok(());
            };
            for name in of_rows {
                if !rounded.contains(&name) {
                    rounded.push(name);
                }
            }
            if let Some(rows) = choice.of_next(stack.rows(file, rows, &wanted)?)? {
                let after = each(rows)?;
                reads.set(choice.reads(&stack.reads(&after)).among(&none));
            }
            Ok(())
        })?;
        choice.end(context)?;
        for name in rounded {
            context.note(format!(
                "column `{name}`: whole numbers above 2^53 were rounded"
            ));
        }
        if skipped > 0 {
            let [read, all] = [all - skipped, all].map(source::grouped);
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
        Ok(none)
    }
}

/// The groups of rows of a file.
struct GroupsOfFile<'f> {
    file: usize,
    one: &'f OneFile,
    footer: pages::Footer,
    columns: KeptColumns,
}

impl<'f> GroupsOfFile<'f> {
    fn of(
        file: usize,
        one: &'f OneFile,
        folders: BTreeMap<String, ValueBounds>,
        wanted: Option<&[Column]>,
    ) -> Result<Self, Fault> {
        let footer = ColumnFooter::read(one)?;
        let columns = KeptColumns {
            folders,
            ..footer.kept(wanted, one)?
        };
        let footer = footer.footer;
        Ok(Self {
            file,
            one,
            footer,
            columns,
        })
    }

    /// The rows of some groups, of the columns that are read, from their pages and the footer of
    /// these; and in which columns whole numbers were rounded.
    fn read(
        &self,
        bytes: &[u8],
        footer: &pages::Footer,
        reads: &ReadColumns,
    ) -> Result<(Dataset, Vec<String>), Fault> {
        let kept = &self.columns.kept;
        // A note says that numbers were rounded, also where nobody reads them.
        let is_read =
            |kept: &&KeptColumn| reads.has(&kept.heading.name) || footer.can_be_rounded(kept.at);
        let mut columns: Vec<&KeptColumn> = kept.iter().filter(is_read).collect();
        if columns.is_empty() {
            // It says how many rows there are.
            columns.extend(kept.first());
        }
        let wanted: Vec<usize> = columns.iter().map(|kept| kept.at).collect();
        let read = pages::read(bytes, footer, &wanted);
        let read = read.map_err(|error| unreadable(&self.one.file, &error))?;
        let mut rounded = Vec::new();
        let columns = columns.into_iter().zip(read).map(|(kept, held)| {
            if matches!(held, Held::Numbers(_, true)) {
                rounded.push(kept.heading.name.clone());
            }
            column(kept.heading.clone(), held, kept.meaning)
        });
        let data = Dataset::new(columns.collect())?;
        Ok((data, rounded))
    }
}

/// Neighbouring groups of rows.
struct GroupPiece<'f> {
    of: Arc<GroupsOfFile<'f>>,
    groups: Range<usize>,
    /// Their pages, and the footer of these; none where no row can meet the condition.
    pages: Option<(Vec<u8>, pages::Footer)>,
}

impl<'f> GroupPiece<'f> {
    fn of(
        of: Arc<GroupsOfFile<'f>>,
        groups: Range<usize>,
        condition: Option<&ColumnExpr>,
    ) -> Result<Self, Fault> {
        let (footer, file) = (&of.footer, &of.one.file);
        let pages = match of.columns.can_meet(footer, groups.start, condition) {
            true => {
                let unread = |error: &str| unreadable(file, error);
                let size = usize::try_from(file.size()).unwrap_or(usize::MAX);
                let (place, part) = footer.part(groups.clone(), size);
                let mut bytes = Vec::new();
                let room = bytes.try_reserve_exact(place.len());
                room.map_err(|error| unread(&error.to_string()))?;
                bytes.resize(place.len(), 0);
                let read = file.read_at(place.start as u64, &mut bytes);
                read.map_err(|error| unread(&error.to_string()))?;
                Some((bytes, part))
            }
            false => None,
        };
        Ok(Self { of, groups, pages })
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
        if file.size() == 0 {
            return Err(unreadable(file, "it is empty"));
        }
        if file.size() < TAIL {
            return Err(unreadable(file, "it does not end as Parquet files do"));
        }
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
        let mut headings: Vec<Heading> = headings.collect();
        source::tell_apart(&mut headings);
        Ok(Self { headings, footer })
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
    let fault = Fault::at(
        "file",
        format!("cannot read `{shown}` as parquet: {reason}"),
    );
    match source::other_reader(file).filter(|hint| !hint.starts_with("`parquet`")) {
        Some(hint) => fault.with_hint(hint),
        None => fault,
    }
}

fn column(heading: Heading, held: Held, meaning: Meaning) -> DataColumn {
    let Heading { name, unit, .. } = heading;
    match (held, meaning) {
        (Held::Numbers(values, _), Meaning::Times(_) | Meaning::Julian) => {
            DataColumn::times(name, TimeUnit::days(Calendar::ProlepticGregorian), values)
        }
        (Held::Numbers(values, _), _) => DataColumn::numbers(name, unit, values),
        (Held::Singles(values), _) => DataColumn::numbers(name, unit, values),
        (Held::Texts(places, labels), _) => DataColumn::among(name, labels, &places),
    }
}

#[cfg(test)]
mod tests;
