//! Several files as one data set: paths, lists, patterns and folders, and their tables one below
//! the other.
//!
//! A plugin that reads files declares `file: DataFiles` and calls [`open_all`], which gives every
//! file with what the names of its folders say (`year=2000/`); [`concatenated`] puts the tables
//! together or says how two of them differ. A plugin whose data sets are folders (Zarr) lists
//! them with [`engine::files::entries`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use dsl::experiment::Value;
use dsl::types::{ColumnInfo, Content, Schema, Type};
use engine::artifact::{DataColumn, Dataset, Numbers};
use engine::error::Fault;
use engine::files::{self, DataFile, Files};
use engine::params::{Bindings, Column, DataPath, ParamType};

use super::csv::field::plain;
use super::csv::infer::{self, Form};
use super::source::{self, Heading};

/// The files of a data set: one path or a list, each a file, a pattern or a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFiles(pub Vec<DataPath>);

impl ParamType for DataFiles {
    fn ty() -> Type {
        Type::List(Box::new(Type::Path))
    }

    fn from_value(field: &str, value: &Value, bindings: &Bindings) -> Result<Self, Fault> {
        Vec::from_value(field, value, bindings).map(Self)
    }
}

/// The files or stores of gridded data: one path, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GridFiles(pub Vec<DataPath>);

impl ParamType for GridFiles {
    fn ty() -> Type {
        Type::OneOf(vec![Type::Path, Type::List(Box::new(Type::Path))])
    }

    fn from_value(field: &str, value: &Value, bindings: &Bindings) -> Result<Self, Fault> {
        match value {
            Value::List(_) => Vec::from_value(field, value, bindings).map(Self),
            one => DataPath::from_value(field, one, bindings).map(|path| Self(vec![path])),
        }
    }
}

impl From<DataPath> for GridFiles {
    fn from(path: DataPath) -> Self {
        Self(vec![path])
    }
}

impl From<DataPath> for DataFiles {
    fn from(path: DataPath) -> Self {
        Self(vec![path])
    }
}

impl DataFiles {
    /// The paths as they were given, for messages.
    pub fn shown(&self) -> String {
        let shown: Vec<String> = self
            .0
            .iter()
            .map(|path| path.0.display().to_string())
            .collect();
        shown.join("`, `")
    }
}

/// One of several files.
#[derive(Clone, Debug)]
pub struct OneFile {
    /// The file.
    pub file: DataFile,
    /// What the names of its folders say: `year` and `2000` of `year=2000/`.
    pub partitions: Vec<(String, String)>,
}

impl OneFile {
    /// Its path.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// The columns asked for that the file itself has, as [`source::select`] finds them: the names
    /// of its folders are columns too.
    ///
    /// # Errors
    /// When there is none of a name.
    pub fn select(
        &self,
        headings: &[Heading],
        wanted: &[Column],
    ) -> Result<Vec<(usize, Heading)>, Fault> {
        let is_folder = |name: &str| {
            self.partitions.iter().any(|(folder, _)| folder == name)
                && !headings.iter().any(|heading| heading.name == name)
        };
        let own = wanted.iter().filter(|Column(name)| !is_folder(name));
        source::select(headings, &own.cloned().collect::<Vec<_>>())
    }
}

/// Opens the files of parameter `file`: those of a list in its order, those of a pattern or folder
/// in the order of their names. Of a folder it takes the files whose names have one of these
/// `endings` (`.csv`), but none that begins with `.` or `_`.
///
/// # Errors
/// When a file is missing or unreadable, a pattern matches none, a folder holds none, or a file
/// is named twice.
pub fn open_all(paths: &DataFiles, endings: &[&str], files: &Files) -> Result<Vec<OneFile>, Fault> {
    let mut opened = Vec::new();
    for DataPath(path) in &paths.0 {
        opened.extend(open_some(path, endings, files)?);
    }
    if opened.is_empty() {
        return Err(Fault::at("file", "expected one file or more, found none"));
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = opened
        .iter()
        .find(|one: &&OneFile| !seen.insert(one.path()))
    {
        let message = format!("`{}` is named twice", twice.path().display());
        return Err(Fault::at("file", message));
    }
    Ok(opened)
}

/// Opens the files of parameter `file`: those of a list in its order, those of a pattern in the
/// order of their names.
///
/// # Errors
/// As [`open_all`].
pub fn open_patterns(paths: &GridFiles, files: &Files) -> Result<Vec<DataFile>, Fault> {
    let mut opened: Vec<DataFile> = Vec::new();
    for DataPath(path) in &paths.0 {
        opened.extend(
            files
                .open_all(path)
                .map_err(|fault| source::moved(fault, "file"))?,
        );
    }
    if opened.is_empty() {
        return Err(Fault::at("file", "expected one file or more, found none"));
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = opened
        .iter()
        .find(|file: &&DataFile| !seen.insert(file.path()))
    {
        let message = format!("`{}` is named twice", twice.path().display());
        return Err(Fault::at("file", message));
    }
    Ok(opened)
}

/// Those of one path.
fn open_some(path: &Path, endings: &[&str], files: &Files) -> Result<Vec<OneFile>, Fault> {
    let at_file = |fault| source::moved(fault, "file");
    let entries = files::entries(path).map_err(|fault| none_matches(path, &fault))?;
    let is_alone = entries.as_slice() == [path] && !path.is_dir();
    if is_alone {
        let file = files.open(path).map_err(at_file)?;
        let partitions = Vec::new();
        return Ok(vec![OneFile { file, partitions }]);
    }
    let root = files::root(path).to_owned();
    // What a pattern names by itself is taken whatever its ending.
    let is_wanted = |file: &Path| {
        entries.iter().any(|entry| entry == file) || is_of_folder(&root, file, endings)
    };
    let all = files.open_all(path).map_err(at_file)?;
    let wanted: Vec<OneFile> = all
        .into_iter()
        .filter(|file| is_wanted(file.path()))
        .map(|file| OneFile {
            partitions: partitions(&root, file.path()),
            file,
        })
        .collect();
    if wanted.is_empty() {
        let message = format!(
            "`{}` holds no file `*{}`",
            path.display(),
            endings.join("`, `*")
        );
        return Err(Fault::at("file", message));
    }
    Ok(wanted)
}

/// Whether a file in a folder is one of its data: `_SUCCESS`, `.crc` and others are not.
fn is_of_folder(root: &Path, file: &Path, endings: &[&str]) -> bool {
    let below = file.strip_prefix(root).unwrap_or(file);
    let mut names = below
        .components()
        .map(|part| part.as_os_str().to_string_lossy());
    let is_hidden = names.any(|name| name.starts_with('.') || name.starts_with('_'));
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_ascii_lowercase();
    !is_hidden && endings.iter().any(|ending| name.ends_with(ending))
}

/// What the names of the folders between the root and a file say.
fn partitions(root: &Path, file: &Path) -> Vec<(String, String)> {
    let folders = file.parent().unwrap_or(Path::new(""));
    let below = folders.strip_prefix(root).unwrap_or(Path::new(""));
    let names = below
        .components()
        .map(|part| part.as_os_str().to_string_lossy());
    let pairs = names.filter_map(|name| {
        let (key, value) = name.split_once('=')?;
        (!key.is_empty()).then(|| (unescaped(key), unescaped(value)))
    });
    pairs.collect()
}

/// The text with `%2F` and the like decoded.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// The complaint about a pattern without files, with the names that are there.
fn none_matches(path: &Path, fault: &Fault) -> Fault {
    let complaint = Fault::at("file", fault.to_string());
    let folder = files::root(path);
    let Some(mut names) = files::names_in(folder) else {
        return complaint;
    };
    let more = names.len().saturating_sub(SHOWN_NAMES);
    names.truncate(SHOWN_NAMES);
    let more = match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    match names.is_empty() {
        true => complaint.with_hint(format!("`{}` is empty", folder.display())),
        false => complaint.with_hint(format!(
            "`{}` holds: {}{more}",
            folder.display(),
            names.join(", ")
        )),
    }
}

/// How many names a hint lists.
const SHOWN_NAMES: usize = 8;

/// A table of one of several files, or of one of several statements.
#[derive(Clone, Debug)]
pub struct Part {
    /// What messages call it: `` `a.csv` ``.
    pub name: String,
    /// What the names of its folders say.
    pub partitions: Vec<(String, String)>,
    /// Its rows; none where only its columns are asked for.
    pub data: Dataset,
    /// The columns without a value, which hold whatever those of other parts do.
    pub empty: Vec<String>,
}

impl Part {
    /// The table of a file.
    pub fn of(one: &OneFile, data: Dataset) -> Self {
        Self {
            name: format!("`{}`", one.path().display()),
            partitions: one.partitions.clone(),
            data,
            empty: Vec::new(),
        }
    }
}

/// All rows of the parts, one part below the other, with the columns of the first and what the
/// names of folders say; or with the columns `wanted` in their order.
///
/// # Errors
/// A column that a part lacks or has more, or whose unit differs, with the names of two parts; at
/// parameter `param`.
pub fn concatenated(
    parts: Vec<Part>,
    wanted: Option<&[Column]>,
    param: &str,
) -> Result<Dataset, Fault> {
    let mut parts = parts;
    add_partitions(&mut parts, wanted)?;
    fill_empty(&mut parts)?;
    if let Some(wanted) = wanted {
        for part in &mut parts {
            part.data = in_order(&part.data, wanted)?;
        }
    }
    let Some((first, others)) = parts.split_first() else {
        return Ok(Dataset::default());
    };
    let schemas = parts
        .iter()
        .map(|part| (part.name.clone(), part.data.schema()));
    let schemas: Vec<(String, Schema)> = schemas.collect();
    expect_all_alike(schemas.iter().map(|(name, it)| (name.clone(), it)), param)?;
    if others.is_empty() {
        return Ok(parts.swap_remove(0).data);
    }
    let columns = first.data.columns().iter().map(|column| {
        let pieces = parts.iter().map(|part| part.data.column(&column.name));
        Ok(stacked(column, &pieces.collect::<Result<Vec<_>, Fault>>()?))
    });
    Dataset::new(columns.collect::<Result<_, Fault>>()?)
}

/// Columns of one content one below the other: times in the unit of the first.
fn stacked(first: &DataColumn, pieces: &[&DataColumn]) -> DataColumn {
    let name = first.name.clone();
    match first.content {
        Content::Text => {
            let texts = pieces
                .iter()
                .flat_map(|piece| (0..piece.values.len()).map(move |row| piece.text(row)));
            DataColumn::texts(name, texts)
        }
        Content::Time(unit) => {
            let values =
                pieces.iter().map(
                    |piece| match piece.content.time().filter(|its| *its != unit) {
                        Some(its) => piece
                            .values
                            .iter()
                            .map(|it| its.convert(*it, unit))
                            .collect(),
                        None => piece.values.clone(),
                    },
                );
            let values: Vec<Numbers> = values.collect();
            DataColumn::times(
                name,
                unit,
                Numbers::concat(&values.iter().collect::<Vec<_>>()),
            )
        }
        Content::Number => {
            let values: Vec<&Numbers> = pieces.iter().map(|piece| &piece.values).collect();
            DataColumn::numbers(name, first.unit.clone(), Numbers::concat(&values))
        }
    }
}

/// Refuses parts whose columns differ from those of the first.
///
/// # Errors
/// The first difference, with the names of two parts; at parameter `param`.
pub fn expect_all_alike<'a>(
    parts: impl IntoIterator<Item = (String, &'a Schema)>,
    param: &str,
) -> Result<(), Fault> {
    let mut parts = parts.into_iter();
    let Some(first) = parts.next() else {
        return Ok(());
    };
    parts.try_for_each(|other| expect_alike(&first, &other, param))
}

type NamedTable<'a> = (String, &'a Schema);

fn expect_alike(first: &NamedTable, other: &NamedTable, param: &str) -> Result<(), Fault> {
    let ((first_name, mine), (other_name, its)) = (first, other);
    let lacks = |has: &str, lacks: &str, column: &str| {
        let message = format!("{lacks} has no column `{column}`, which {has} has");
        Err(Fault::at(param, message)
            .with_hint("name the columns that all have, or make one statement of each"))
    };
    for column in &mine.columns {
        let Some(same) = its.find(&column.name) else {
            return lacks(first_name, other_name, &column.name);
        };
        if let Some((here, there)) = other_content(column, same) {
            let message = format!(
                "column `{}` holds {here} in {first_name} and {there} in {other_name}",
                column.name
            );
            return Err(Fault::at(param, message));
        }
        if column.content.is_number() && same.unit != column.unit {
            let unit = |unit: &Option<String>| match unit {
                Some(unit) => format!("in `{unit}`"),
                None => "without a unit".to_owned(),
            };
            let message = format!(
                "column `{}` is {} in {} and {} in {}",
                column.name,
                unit(&column.unit),
                first_name,
                unit(&same.unit),
                other_name
            );
            return Err(Fault::at(param, message));
        }
    }
    match its
        .columns
        .iter()
        .find(|column| mine.find(&column.name).is_none())
    {
        Some(column) => lacks(other_name, first_name, &column.name),
        None => Ok(()),
    }
}

/// What both columns hold where that differs; times may differ in their unit.
pub fn other_content(one: &ColumnInfo, other: &ColumnInfo) -> Option<(String, String)> {
    let shown = |column: &ColumnInfo| match column.content {
        Content::Number => "numbers".to_owned(),
        Content::Text => "texts".to_owned(),
        Content::Time(unit) => format!("times of the {} calendar", unit.calendar().name()),
    };
    let is_same = match (one.content, other.content) {
        (Content::Number, Content::Number) | (Content::Text, Content::Text) => true,
        (Content::Time(one), Content::Time(other)) => one.shares_days_with(other),
        _ => false,
    };
    (!is_same).then(|| (shown(one), shown(other)))
}

/// The folder's name of a value that is missing, as Hive writes it.
const NO_VALUE: &str = "__HIVE_DEFAULT_PARTITION__";

/// Makes columns without a value hold what those of other parts do.
fn fill_empty(parts: &mut [Part]) -> Result<(), Fault> {
    let mut known: BTreeMap<String, Content> = BTreeMap::new();
    for part in parts.iter() {
        for column in part.data.columns() {
            if !part.empty.contains(&column.name) {
                known.entry(column.name.clone()).or_insert(column.content);
            }
        }
    }
    for part in parts.iter_mut().filter(|part| !part.empty.is_empty()) {
        let filled = part.data.columns().iter().map(|column| {
            let name = column.name.clone();
            match known.get(&name).filter(|_| part.empty.contains(&name)) {
                Some(Content::Time(unit)) => DataColumn::times(name, *unit, column.values.clone()),
                Some(Content::Text) => {
                    DataColumn::texts(name, column.values.iter().map(|_| None::<&str>))
                }
                _ => column.clone(),
            }
        });
        part.data = Dataset::new(filled.collect())?;
    }
    Ok(())
}

/// Adds a column for every `name=value` folder that is wanted. Where the files have it
/// themselves both must say the same.
fn add_partitions(parts: &mut [Part], wanted: Option<&[Column]>) -> Result<(), Fault> {
    let Some(first) = parts.first() else {
        return Ok(());
    };
    let names: Vec<String> = first
        .partitions
        .iter()
        .map(|(name, _)| name.clone())
        .collect();
    for part in parts.iter() {
        if part
            .partitions
            .iter()
            .map(|(name, _)| name)
            .ne(names.iter())
        {
            let message = format!(
                "the folders of {} and {} say different things",
                parts[0].name, part.name
            );
            return Err(Fault::at("file", message)
                .with_hint("folders such as `year=2000/` must be alike for all files"));
        }
    }
    for (at, name) in names.iter().enumerate() {
        let is_wanted = |wanted: &[Column]| wanted.iter().any(|Column(it)| it == name);
        if !wanted.is_none_or(is_wanted) {
            continue;
        }
        let texts: Vec<String> = parts
            .iter()
            .map(|part| part.partitions[at].1.clone())
            .collect();
        let columns = partition(name, &texts);
        if parts.iter().any(|part| part.data.values(name).is_ok()) {
            for ((part, column), text) in parts.iter().zip(&columns).zip(&texts) {
                expect_same(part, column, text)?;
            }
            continue;
        }
        for (part, column) in parts.iter_mut().zip(columns) {
            let rows = vec![0; part.data.rows()];
            let column = rows_of(&column, &rows);
            part.data = std::mem::take(&mut part.data).with(column)?;
        }
    }
    Ok(())
}

/// The columns of a data set in the order in which they are wanted.
fn in_order(data: &Dataset, wanted: &[Column]) -> Result<Dataset, Fault> {
    let columns = wanted.iter().map(|Column(name)| data.column(name).cloned());
    Dataset::new(columns.collect::<Result<_, Fault>>()?)
}

/// Refuses a file whose own column says something else than the name of its folder.
fn expect_same(part: &Part, folder: &DataColumn, text: &str) -> Result<(), Fault> {
    let Ok(own) = part.data.column(&folder.name) else {
        return Ok(());
    };
    let said = folder.values.first().copied().unwrap_or(f64::NAN);
    let is_same = |row: usize| {
        let value = own.values[row];
        match (own.content, folder.content) {
            (Content::Number, Content::Number) => value == said || value.is_nan() && said.is_nan(),
            (Content::Time(mine), Content::Time(its)) => its.convert(said, mine) == value,
            (Content::Text, _) => own.text(row) == Some(text).filter(|text| *text != NO_VALUE),
            _ => false,
        }
    };
    let Some(row) = (0..own.values.len()).find(|row| !is_same(*row)) else {
        return Ok(());
    };
    let (name, shown) = (&folder.name, own.show(own.values[row]));
    let message = format!(
        "the folder of {} says `{name}={text}`, its own column `{name}` is {shown} in row {}",
        part.name,
        row + 1
    );
    Err(Fault::at("file", message).with_hint("rename the folders, or the column of the files"))
}

/// A column of one row for each text: numbers if all are, or dates, or texts.
fn partition(name: &str, texts: &[String]) -> Vec<DataColumn> {
    let all = |value: &dyn Fn(&str) -> Option<f64>| {
        let value = |text: &String| match text.as_str() {
            NO_VALUE => Some(f64::NAN),
            text => value(text),
        };
        texts.iter().map(value).collect::<Option<Vec<f64>>>()
    };
    if let Some(numbers) = all(&|text: &str| plain(text.as_bytes())) {
        let column = |value: f64| DataColumn::numbers(name, None, vec![value]);
        return numbers.into_iter().map(column).collect();
    }
    if let Some(dates) = all(&|text: &str| infer::date(text, Form::Iso, None)) {
        let column = |value: f64| DataColumn::times(name, infer::unit(), vec![value]);
        return dates.into_iter().map(column).collect();
    }
    let text = |text: &String| (text != NO_VALUE).then(|| text.clone());
    texts
        .iter()
        .map(|it| DataColumn::texts(name, [text(it)]))
        .collect()
}

/// The values of a column at these rows.
fn rows_of(column: &DataColumn, rows: &[usize]) -> DataColumn {
    DataColumn {
        values: rows.iter().map(|row| column.values[*row]).collect(),
        ..column.clone()
    }
}
