//! The tables of several files, or of several statements, one below the other: all at once or in
//! parts, with the same rows.
//!
//! What a column holds, and whether all have it, follows from the heads of all tables, which have no
//! rows: a [`Stack`] is made of these first, and then takes the rows of one table after the other.

use std::collections::BTreeMap;

use dsl::types::{ColumnInfo, Content, Schema};
use engine::artifact::{DataColumn, Dataset, Numbers};
use engine::error::Fault;
use engine::params::Column;
use engine::plugin::{Each, ReadColumns};

use super::csv::field::plain;
use super::csv::infer::{self, Form};
use super::row_choice::ValueBounds;
use super::several::OneFile;

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

/// All rows that a pass hands out; where it hands out none, what it returns, the columns.
///
/// # Errors
/// Those of the pass.
pub fn whole(pass: impl FnOnce(Each<'_>) -> Result<Dataset, Fault>) -> Result<Dataset, Fault> {
    let mut parts = Vec::new();
    let none = pass(&mut |rows| {
        parts.push(rows);
        Ok(ReadColumns::All)
    })?;
    match parts.is_empty() {
        true => Ok(none),
        false => Dataset::of_parts(parts),
    }
}

/// All rows of the parts, one part below the other, with the columns of the first and what the
/// names of folders say; or with the columns `wanted` in their order.
///
/// # Errors
/// As [`Stack::of`] and [`Stack::rows`].
pub fn concatenated(
    parts: Vec<Part>,
    wanted: Option<&[Column]>,
    param: &'static str,
) -> Result<Dataset, Fault> {
    let heads = parts.iter().map(|part| Part {
        data: part.data.take(&[]),
        ..part.clone()
    });
    let mut stack = Stack::of(heads.collect(), wanted, param)?;
    let rows = parts.into_iter().enumerate();
    let rows = rows.map(|(at, part)| stack.rows(at, part.data, &ReadColumns::All));
    Dataset::of_parts(rows.collect::<Result<_, Fault>>()?)
}

/// Tables that are put one below the other.
pub struct Stack {
    heads: Vec<Part>,
    folders: Vec<Folders>,
    /// What columns hold that have no value in some of the tables.
    known: BTreeMap<String, Content>,
    /// The columns of all, without rows.
    none: Dataset,
    param: &'static str,
    /// How many rows of each table came.
    came: Vec<usize>,
}

/// What the folders of all files say under one name.
struct Folders {
    /// As they say it.
    texts: Vec<String>,
    /// The same as columns of one row.
    columns: Vec<DataColumn>,
    /// Whether the files have such a column themselves.
    is_own: bool,
}

impl Stack {
    /// Of tables with these heads, which have no rows: the columns of the first and what the names
    /// of folders say, or the columns `wanted` in their order.
    ///
    /// # Errors
    /// A column that a table lacks or has more, or whose unit differs, with the names of two tables;
    /// at parameter `param`.
    pub fn of(
        heads: Vec<Part>,
        wanted: Option<&[Column]>,
        param: &'static str,
    ) -> Result<Self, Fault> {
        let mut stack = Self {
            folders: folders(&heads, wanted)?,
            known: known(&heads),
            none: Dataset::default(),
            came: vec![0; heads.len()],
            heads,
            param,
        };
        let mut schemas = Vec::with_capacity(stack.heads.len());
        for at in 0..stack.heads.len() {
            let mut none = stack.completed(at, stack.heads[at].data.clone())?;
            if let Some(wanted) = wanted {
                none = in_order(&none, wanted.iter().map(|Column(name)| name.as_str()))?;
            }
            schemas.push((stack.heads[at].name.clone(), none.schema()));
            if at == 0 {
                stack.none = none;
            }
        }
        expect_all_alike(schemas.iter().map(|(name, it)| (name.clone(), it)), param)?;
        Ok(stack)
    }

    /// The columns, without rows.
    pub fn none(&self) -> Dataset {
        self.none.clone()
    }

    /// What the folders of a table say that its own columns do not.
    pub fn bounds(&self, table: usize) -> BTreeMap<String, ValueBounds> {
        let folders = self.folders.iter().filter(|folder| !folder.is_own);
        let bounds = folders.filter_map(|folder| {
            let column = &folder.columns[table];
            let value = column.values.get(0).filter(|value| !value.is_nan())?;
            let bounds = match column.text(0) {
                Some(text) if column.content == Content::Text => {
                    ValueBounds::Texts(text.as_bytes().to_vec(), text.as_bytes().to_vec())
                }
                _ => ValueBounds::Numbers(value, value),
            };
            Some((column.name.clone(), bounds))
        });
        bounds.collect()
    }

    /// The columns that it reads of the next rows, where `after` are those that are read of what it
    /// returns.
    pub fn reads(&self, after: &ReadColumns) -> ReadColumns {
        let own = self.folders.iter().filter(|folder| folder.is_own);
        after.and(own.filter_map(|folder| Some(&*folder.columns.first()?.name)))
    }

    /// The next rows of a table, as they stand below those of others, of the columns that are read.
    ///
    /// # Errors
    /// Where a file says something else than its folder.
    pub fn rows(
        &mut self,
        table: usize,
        rows: Dataset,
        reads: &ReadColumns,
    ) -> Result<Dataset, Fault> {
        for folder in self.folders.iter().filter(|folder| folder.is_own) {
            let (column, text) = (&folder.columns[table], &folder.texts[table]);
            expect_same(
                &self.heads[table].name,
                &rows,
                self.came[table],
                column,
                text,
            )?;
        }
        self.came[table] += rows.rows();
        let rows = self.completed(table, rows)?;
        let none = self.none.only(reads);
        let names = none.columns().iter().map(|column| column.name.as_str());
        let rows = in_order(&rows, names)?;
        let head = |at: usize| self.heads[at].name.clone();
        let [all, own] = [none.schema(), rows.schema()];
        expect_all_alike([(head(0), &all), (head(table), &own)], self.param)?;
        let columns = rows.columns().iter().zip(none.columns());
        let columns = columns.map(|(column, first)| in_unit_of(first, column));
        Dataset::new(columns.collect())
    }

    /// Rows of a table with what its folders say, its columns without a value as those of others.
    fn completed(&self, table: usize, mut rows: Dataset) -> Result<Dataset, Fault> {
        for folder in self.folders.iter().filter(|folder| !folder.is_own) {
            let column = &folder.columns[table];
            let values = Numbers::coded(&column.values[..], vec![0; rows.rows()]);
            let column = DataColumn {
                values,
                ..column.clone()
            };
            rows = rows.with(column)?;
        }
        let empty = &self.heads[table].empty;
        if empty.is_empty() {
            return Ok(rows);
        }
        let filled = rows.columns().iter().map(|column| {
            let name = column.name.clone();
            match self.known.get(&name).filter(|_| empty.contains(&name)) {
                Some(Content::Time(unit)) => DataColumn::times(name, *unit, column.values.clone()),
                Some(Content::Text) => {
                    DataColumn::texts(name, (0..rows.rows()).map(|_| None::<&str>))
                }
                _ => column.clone(),
            }
        });
        Dataset::new(filled.collect())
    }
}

/// What columns hold, by the first table in which they have values.
fn known(heads: &[Part]) -> BTreeMap<String, Content> {
    let mut known = BTreeMap::new();
    for head in heads {
        for column in head.data.columns() {
            if !head.empty.contains(&column.name) {
                known.entry(column.name.clone()).or_insert(column.content);
            }
        }
    }
    known
}

/// What the `name=value` folders say that are wanted.
///
/// # Errors
/// When those of two files have other names.
fn folders(heads: &[Part], wanted: Option<&[Column]>) -> Result<Vec<Folders>, Fault> {
    let Some(first) = heads.first() else {
        return Ok(Vec::new());
    };
    let names = |head: &Part| -> Vec<String> {
        let names = head.partitions.iter();
        names.map(|(name, _)| name.clone()).collect()
    };
    let all = names(first);
    if let Some(other) = heads.iter().find(|head| names(head) != all) {
        let message = format!(
            "the folders of {} and {} say different things",
            first.name, other.name
        );
        return Err(Fault::at("file", message)
            .with_hint("folders such as `year=2000/` must be alike for all files"));
    }
    let is_wanted =
        |name: &str| wanted.is_none_or(|wanted| wanted.iter().any(|Column(it)| it == name));
    let named = all.iter().enumerate();
    let named = named.filter(|(_, name)| is_wanted(name.as_str()));
    let folders = named.map(|(at, name)| {
        let texts = heads.iter().map(|head| head.partitions[at].1.clone());
        let texts: Vec<String> = texts.collect();
        Folders {
            columns: partition(name, &texts),
            texts,
            is_own: heads.iter().any(|head| head.data.column(name).is_ok()),
        }
    });
    Ok(folders.collect())
}

/// A column as it stands below another: times in its unit, numbers with its unit.
fn in_unit_of(first: &DataColumn, column: &DataColumn) -> DataColumn {
    let (Some(unit), Some(its)) = (first.content.time(), column.content.time()) else {
        return DataColumn {
            unit: first.unit.clone(),
            ..column.clone()
        };
    };
    let values = match its == unit {
        true => column.values.clone(),
        false => {
            let values = column.values.iter();
            values.map(|it| its.convert(*it, unit)).collect()
        }
    };
    DataColumn::times(first.name.clone(), unit, values)
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
        let is_same_unit = match (&column.unit, &same.unit) {
            (Some(one), Some(other)) => dsl::units::are_alike(one, other),
            (one, other) => one == other,
        };
        if column.content.is_number() && !is_same_unit {
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

/// The columns of a data set in the order in which they are wanted.
fn in_order<'n>(data: &Dataset, wanted: impl Iterator<Item = &'n str>) -> Result<Dataset, Fault> {
    let columns = wanted.map(|name| data.column(name).cloned());
    Dataset::new(columns.collect::<Result<_, Fault>>()?)
}

/// Refuses rows of a file, after `before` others, whose own column says something else than the
/// name of its folder.
fn expect_same(
    file: &str,
    rows: &Dataset,
    before: usize,
    folder: &DataColumn,
    text: &str,
) -> Result<(), Fault> {
    let Ok(own) = rows.column(&folder.name) else {
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
        file,
        before + row + 1
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
