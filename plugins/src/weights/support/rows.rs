//! The rows of tables that an action works on, and which rows of several tables belong together.

use std::collections::BTreeMap;

use engine::artifact::{Layout, Trajectory};
use engine::error::Fault;
use engine::params::{Input, Origins};
use engine::plugin::Context;
use polars::prelude::{BooleanChunked, DataFrame, DataType, IdxCa, NamedFrom};

use super::super::{Weights, single};
use crate::networks::Network;
use crate::parents::Parent;

/// What is measured of a row, or marks it: no coordinates.
const MEASURED: [&str; 4] = ["rows", "loss_before", "loss_after", DIVERGED];
/// The coordinate that marks rows whose weights are not finite numbers.
pub(crate) const DIVERGED: &str = "diverged";

/// The rows of one table for the member at hand.
pub(crate) struct Rows<'a> {
    /// All rows.
    pub table: &'a Trajectory,
    /// Those of this member.
    pub rows: Vec<usize>,
    /// What is known of them.
    pub coordinates: DataFrame,
    /// How to run one, where the table says it.
    pub network: Option<&'a Network>,
}

impl<'a> Rows<'a> {
    /// The rows of a member; a farcast has those of all members.
    pub fn of(weights: &'a Weights, member: Option<u32>) -> Result<Self, Fault> {
        let (table, network) = (&weights.table, weights.network.as_ref());
        let coordinates = &table.coordinates;
        let Ok(members) = coordinates.column("member") else {
            return Ok(Self {
                rows: (0..table.rows()).collect(),
                coordinates: coordinates.clone(),
                table,
                network,
            });
        };
        let member = u64::from(member.unwrap_or(0));
        let members = members.cast(&DataType::UInt64)?;
        let members = members.u64()?.iter().enumerate();
        let rows: Vec<usize> = members
            .filter(|(_, of)| *of == Some(member))
            .map(|(row, _)| row)
            .collect();
        if rows.is_empty() {
            let message = format!("member {member} has no weights here");
            return Err(Fault::Diverged(message));
        }
        Ok(Self {
            coordinates: take(coordinates, &rows)?.drop("member")?,
            rows,
            table,
            network,
        })
    }

    /// Which of the rows are marked as no finite numbers.
    pub fn diverged(&self) -> Result<Vec<bool>, Fault> {
        match self.coordinates.column(DIVERGED) {
            Ok(marks) => {
                let marks = marks.bool()?.iter();
                Ok(marks.map(|mark| mark.unwrap_or(false)).collect())
            }
            Err(_) => Ok(vec![false; self.rows.len()]),
        }
    }

    /// The same without the rows that diverged, with a note.
    pub fn finished(mut self, context: &Context) -> Result<Self, Fault> {
        let diverged = self.diverged()?;
        let kept: Vec<usize> = (0..self.rows.len()).filter(|row| !diverged[*row]).collect();
        let lost = self.rows.len() - kept.len();
        if kept.is_empty() {
            return Err(Fault::Diverged("all rows diverged".to_owned()));
        }
        if lost > 0 {
            context.note(format!(
                "{lost} of {} rows diverged: left out",
                self.rows.len()
            ));
            self.coordinates = take(&self.coordinates, &kept)?;
            self.rows = kept.into_iter().map(|row| self.rows[row]).collect();
        }
        Ok(self)
    }

    /// The names of its coordinates.
    pub fn keys(&self) -> Vec<&str> {
        let names = self.coordinates.get_column_names().into_iter();
        let names = names.map(|name| name.as_str());
        names.filter(|name| !MEASURED.contains(name)).collect()
    }
}

/// Some rows of a frame, in this order.
pub(crate) fn take(frame: &DataFrame, rows: &[usize]) -> Result<DataFrame, Fault> {
    let indices: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
    Ok(frame.take(&IdxCa::new("rows".into(), indices))?)
}

/// The same coordinates with marks on the rows that are not finite numbers, where there are any.
pub(crate) fn mark(coordinates: &DataFrame, finite: &[bool]) -> Result<DataFrame, Fault> {
    let mut marked = coordinates.clone();
    if marked.column(DIVERGED).is_ok() {
        marked = marked.drop(DIVERGED)?;
    }
    if finite.iter().any(|is_finite| !is_finite) {
        let marks: BooleanChunked = finite.iter().map(|is_finite| Some(!is_finite)).collect();
        let marks = marks.with_name(DIVERGED.into());
        marked.with_column(polars::prelude::IntoSeries::into_series(marks).into())?;
    }
    Ok(marked)
}

/// Rows of several tables that belong together.
pub(crate) struct Joined {
    /// For each table the rows, one for each row of the result.
    pub rows: Vec<Vec<usize>>,
    /// What is known of each row of the result.
    pub coordinates: DataFrame,
}

/// What is known alike of single rows; rows of which nothing is known do not count.
fn shared(tables: &[Rows]) -> Result<DataFrame, Fault> {
    let mut known = tables.iter().filter(|table| table.keys() != ["row"]);
    let Some(first) = known.next() else {
        return single();
    };
    let others: Vec<&Rows> = known.collect();
    let is_alike = |name: &str| {
        let own = first.coordinates.column(name);
        others
            .iter()
            .all(|other| match (&own, other.coordinates.column(name)) {
                (Ok(own), Ok(found)) => found.equals_missing(own),
                _ => false,
            })
    };
    let names = first.coordinates.get_column_names().into_iter();
    let alike: Vec<&str> = names
        .map(|name| name.as_str())
        .filter(|name| is_alike(name))
        .collect();
    match alike.is_empty() {
        true => single(),
        false => Ok(first.coordinates.select(alike)?),
    }
}

/// The rows of tables with equal coordinates; a single row belongs to each of many. Rows without
/// a partner are left out and told.
pub(crate) fn join(tables: &[Rows], param: &str, context: &Context) -> Result<Joined, Fault> {
    let many: Vec<&Rows> = tables.iter().filter(|table| table.rows.len() > 1).collect();
    let Some(first) = many.first() else {
        return Ok(Joined {
            rows: tables.iter().map(|table| table.rows.clone()).collect(),
            coordinates: shared(tables)?,
        });
    };
    if many.len() == 1 {
        let count = first.rows.len();
        let rows = tables.iter().map(|table| match table.rows[..] {
            [row] => vec![row; count],
            _ => table.rows.clone(),
        });
        return Ok(Joined {
            rows: rows.collect(),
            coordinates: first.coordinates.clone(),
        });
    }
    let mut keys = first.keys();
    keys.retain(|key| many.iter().all(|table| table.keys().contains(key)));
    if keys.is_empty() {
        let of = |table: &Rows| format!("`{}`", table.keys().join("`, `"));
        let all: Vec<String> = many.iter().map(|table| of(table)).collect();
        let message = format!(
            "the tables have no coordinate in common: {}",
            all.join("; ")
        );
        return Err(Fault::at(param, message));
    }
    let indices = many.iter().map(|table| index(table, &keys, param));
    let indices = indices.collect::<Result<Vec<_>, Fault>>()?;
    let places: Vec<(usize, Vec<String>)> = texts(first, &keys)?
        .into_iter()
        .enumerate()
        .filter(|(_, key)| indices.iter().all(|index| index.contains_key(key)))
        .collect();
    if places.is_empty() {
        let message = format!(
            "the tables have no row in common: `{}` differ",
            keys.join("`, `")
        );
        return Err(Fault::at(param, message));
    }
    let most = many.iter().map(|table| table.rows.len()).max().unwrap_or(0);
    if places.len() < most {
        let (found, keys) = (places.len(), keys.join("`, `"));
        context.note(format!(
            "{found} of {most} rows have a partner with the same `{keys}`: the others are left out"
        ));
    }
    let mut indices = indices.iter();
    let mut rows = Vec::new();
    for table in tables {
        rows.push(match table.rows[..] {
            [row] => vec![row; places.len()],
            _ => match indices.next() {
                Some(index) => places.iter().map(|(_, key)| index[key]).collect(),
                None => Vec::new(),
            },
        });
    }
    let kept: Vec<usize> = places.iter().map(|(place, _)| *place).collect();
    let coordinates = first.coordinates.select(keys.iter().copied())?;
    Ok(Joined {
        rows,
        coordinates: take(&coordinates, &kept)?,
    })
}

/// The coordinates of each row as texts.
fn texts(table: &Rows, keys: &[&str]) -> Result<Vec<Vec<String>>, Fault> {
    let mut texts = vec![Vec::new(); table.rows.len()];
    for key in keys {
        let column = table.coordinates.column(key)?.cast(&DataType::String)?;
        for (text, value) in texts.iter_mut().zip(column.str()?.iter()) {
            text.push(value.unwrap_or_default().to_owned());
        }
    }
    Ok(texts)
}

/// The row of the table for each set of coordinates.
fn index(table: &Rows, keys: &[&str], param: &str) -> Result<BTreeMap<Vec<String>, usize>, Fault> {
    let mut index = BTreeMap::new();
    for (text, row) in texts(table, keys)?.into_iter().zip(&table.rows) {
        if index.insert(text.clone(), *row).is_some() {
            let message = format!(
                "two rows have the same `{}`: {}",
                keys.join("`, `"),
                text.join(", ")
            );
            return Err(Fault::at(param, message));
        }
    }
    Ok(index)
}

/// The layout that all tables have, and how to run its rows where that is known: the first
/// network says it.
///
/// # Errors
/// When two tables, or their networks, differ.
pub(crate) fn common(
    tables: &[Rows],
    origins: &Origins<Parent>,
    param: &str,
    context: &Context,
) -> Result<(Layout, Option<Network>), Fault> {
    let Some(first) = tables.first() else {
        return Err(Fault::Bug("no tables".to_owned()));
    };
    let layout = &first.table.layout;
    for other in tables {
        if let Some(what) = layout.difference(&other.table.layout) {
            let message = format!("these are weights of different networks: {what}");
            return Err(Fault::at(param, message));
        }
    }
    let found = origins
        .0
        .iter()
        .filter_map(|parent| parent.network.as_ref());
    let mut networks = tables.iter().filter_map(|table| table.network).chain(found);
    let network = networks.next();
    for other in networks {
        match network.map(|network| network.differs(other)) {
            Some(Some(crate::networks::Difference::Scaling)) => context.note(
                "the networks standardise their columns by different means or deviations: the \
                 result has those of the first",
            ),
            Some(Some(crate::networks::Difference::Network)) => {
                let message = "these are weights of networks that run them in different ways";
                return Err(Fault::at(param, message)
                    .with_hint("activation, loss and columns must be the same"));
            }
            _ => {}
        }
    }
    Ok((layout.clone(), network.cloned()))
}

/// The rows of several inputs for the member at hand.
pub(crate) fn all<'a>(
    inputs: impl IntoIterator<Item = &'a Input<Weights>>,
    context: &Context,
) -> Result<Vec<Rows<'a>>, Fault> {
    let member = context.member();
    inputs
        .into_iter()
        .map(|weights| Rows::of(weights, member))
        .collect()
}
