//! Score lines of the rows of tables.

use std::collections::BTreeSet;

use engine::artifact::ScoreRow;
use engine::error::Fault;
use polars::prelude::DataType;

use super::rows::Rows;
use crate::scores::support::table::{Measured, rows_of};

/// The horizon of a row, and its other coordinates in words.
pub(crate) type Place = (Option<f64>, Option<String>);

/// What is measured of the rows of each member.
pub(crate) struct Lines {
    members: usize,
    places: Vec<(Place, Vec<Option<Measured>>)>,
}

impl Lines {
    /// Nothing yet, of this many members.
    pub fn new(members: usize) -> Self {
        Self {
            members,
            places: Vec::new(),
        }
    }

    /// Adds what is measured of one row of a member.
    pub fn add(&mut self, place: Place, member: usize, measured: Measured) {
        let members = self.members;
        match self.places.iter_mut().find(|(known, _)| *known == place) {
            Some((_, values)) => values[member] = Some(measured),
            None => {
                let mut values = vec![None; members];
                values[member] = Some(measured);
                self.places.push((place, values));
            }
        }
    }

    /// The lines of all metrics, place by place; members without a row have no value.
    pub fn rows(mut self, label: &str, metrics: &[&str]) -> Vec<ScoreRow> {
        if self.places.is_empty() {
            self.places.push(((None, None), vec![None; self.members]));
        }
        let lines = self
            .places
            .into_iter()
            .flat_map(|((horizon, group), members)| {
                let lines = rows_of(label, metrics.iter().copied(), &members).into_iter();
                lines.map(move |line| ScoreRow {
                    horizon,
                    group: group.clone(),
                    ..line
                })
            });
        lines.collect()
    }
}

/// The coordinates that have a place of their own.
const KNOWN: [&str; 7] = [
    "step", "horizon", "subset", "repeat", "row", "width", "file",
];

/// The horizon and the other coordinates of each row, for score lines.
pub(crate) fn places(rows: &Rows) -> Result<Vec<Place>, Fault> {
    let mut places: Vec<(Option<f64>, Vec<String>)> = vec![(None, Vec::new()); rows.rows.len()];
    let many = rows.rows.len() > 1;
    for name in ["step", "horizon"] {
        let Ok(column) = rows.coordinates.column(name) else {
            continue;
        };
        let column = column.cast(&DataType::Float64)?;
        for (place, value) in places.iter_mut().zip(column.f64()?.iter()) {
            place.0 = place.0.or(value);
        }
    }
    for name in ["subset", "repeat", "row"] {
        let Ok(column) = rows.coordinates.column(name) else {
            continue;
        };
        let column = column.cast(&DataType::String)?;
        let is_known = places.iter().all(|place| place.0.is_some());
        if !many || is_known {
            continue;
        }
        for (place, value) in places.iter_mut().zip(column.str()?.iter()) {
            place
                .1
                .push(format!("{name} {}", value.unwrap_or_default()));
        }
    }
    // Of models from anywhere, averages of several widths and points of a sweep, a step is not all
    // that is known.
    let others = rows.keys().into_iter();
    let others = others.filter(|name| !KNOWN.contains(name));
    for name in ["width", "file"].into_iter().chain(others) {
        let known: BTreeSet<(Option<u64>, &[String])> = places
            .iter()
            .map(|(horizon, names)| (horizon.map(f64::to_bits), &names[..]))
            .collect();
        let Ok(column) = rows.coordinates.column(name) else {
            continue;
        };
        if known.len() == places.len() {
            break;
        }
        let column = column.cast(&DataType::String)?;
        for (place, value) in places.iter_mut().zip(column.str()?.iter()) {
            let value = value.unwrap_or_default();
            place.1.push(match name {
                "file" => value.to_owned(),
                name => format!("{name} {value}"),
            });
        }
    }
    let joined = places
        .into_iter()
        .map(|(horizon, names)| (horizon, (!names.is_empty()).then(|| names.join(", "))));
    Ok(joined.collect())
}
