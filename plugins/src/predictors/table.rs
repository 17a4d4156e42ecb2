//! `table(indices, by: [year, month])`: columns of other data, joined by keys.

use std::collections::BTreeMap;

use dsl::types::Content;
use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::{Column, Input};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use serde::{Deserialize, Serialize};

use super::{PredictorRows, Predictors};
use crate::calls::{complaints, distinct, filled};
use crate::sphere;

plugin! {
    /// Columns of other data, found by the values of key columns.
    ///
    /// `table(csv("nino34.csv"), by: [year, month])` gives every row the index of its month.
    /// Both data have the key columns; their values must be equal, times in whatever unit, except
    /// that longitudes (by
    /// their unit, or by the names `lon` and `longitude`) may run from -180 to 180 in one and
    /// from 0 to 360 in the other. A row whose keys the table does not have has no value.
    ///
    /// ```farcast
    /// data coarse = aggregate(all, by: z, index = mean(x))
    /// predictor known = table(coarse, by: z)
    /// regression line = ols(shift, known)
    /// ```
    "table" version 2
    pub struct Table {
        /// The data with a row for each combination of keys.
        rows: Input<Dataset>;
        /// The key columns.
        by: Vec<Column>, needed(), texts();
        /// The columns to take, one predictor each; all but the keys when left out.
        columns: Option<Vec<Column>>;
    }
}

impl Plugin for Table {
    type Output = Predictors;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let is_empty = taken(call) == Some(0);
        let message = "the table has no column beside its keys";
        let place = if call.has("columns") {
            "columns"
        } else {
            "rows"
        };
        complaints([
            filled(call, "by", "column"),
            distinct(call, "by"),
            is_empty.then(|| Complaint::at(place, message)),
        ])
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        Facts {
            predictors: taken(call).map(|columns| columns as u64),
            ..Facts::default()
        }
    }

    fn run(self, _: &Context) -> Result<Predictors, Fault> {
        let keys: Vec<String> = self.by.into_iter().map(|column| column.0).collect();
        let names: Vec<String> = match self.columns {
            Some(columns) => columns.into_iter().map(|column| column.0).collect(),
            None => {
                let all = self.rows.columns().iter().map(|column| column.name.clone());
                all.filter(|name| !keys.contains(name)).collect()
            }
        };
        let columns = names
            .iter()
            .map(|name| self.rows.values(name))
            .collect::<Result<Vec<_>, _>>()?;
        let mut known = BTreeMap::new();
        for (row, key) in key_of_rows(&self.rows, &keys)?.into_iter().enumerate() {
            let values = columns
                .iter()
                .map(|column| Some(column[row]).filter(|x| x.is_finite()));
            if known.insert(key, values.collect()).is_some() {
                return Err(Fault::at(
                    "rows",
                    format!("row {} has the keys of a row before it", row + 1),
                )
                .with_hint("make one row of them with `aggregate`, or give more keys in `by`"));
            }
        }
        Ok(Predictors::Table(Lookup { keys, names, known }))
    }
}

/// How many columns a call takes; none when those of the table are not known.
fn taken(call: &Sketch) -> Option<usize> {
    if let Some(columns) = call.get::<Vec<Column>>("columns") {
        return Some(columns.len());
    }
    let keys = call.get::<Vec<Column>>("by")?;
    let columns = call.schema("rows")?.columns.iter();
    Some(
        columns
            .filter(|column| keys.iter().all(|key| key.0 != column.name))
            .count(),
    )
}

/// Values by keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lookup {
    keys: Vec<String>,
    names: Vec<String>,
    known: BTreeMap<String, Vec<Option<f64>>>,
}

impl Lookup {
    /// The values for every row, missing where the table has none.
    ///
    /// # Errors
    /// When the data lack a key column, or none of their keys is in the table.
    pub fn rows(&self, data: &Dataset) -> Result<PredictorRows, Fault> {
        let found = key_of_rows(data, &self.keys)?;
        let found: Vec<_> = found.iter().map(|key| self.known.get(key)).collect();
        if data.rows() > 0 && found.iter().all(Option::is_none) {
            return Err(Fault::user(format!(
                "no row has keys that are in the table of `{}`",
                self.names.join("`, `")
            ))
            .with_hint(format!("keys: {}", self.keys.join(", "))));
        }
        let none = vec![None; self.names.len()];
        let values = found.into_iter().flat_map(|values| values.unwrap_or(&none));
        Ok(PredictorRows {
            names: self.names.clone(),
            values: values.map(|value| value.unwrap_or(f64::NAN)).collect(),
        })
    }
}

/// The values of the keys of each row as text; equal ones are written equally.
pub(super) fn key_of_rows(data: &Dataset, keys: &[String]) -> Result<Vec<String>, Fault> {
    let mut texts = vec![String::new(); data.rows()];
    for name in keys {
        let column = data.column(name)?;
        let around = sphere::is_longitude(name, column.unit.as_deref());
        for (row, (text, value)) in texts.iter_mut().zip(column.values.iter()).enumerate() {
            let moment = column.content.time().and_then(|unit| unit.moment(*value));
            let key = match (column.content, moment) {
                // As long as it is: no end of one is the beginning of another.
                (Content::Text, _) => match column.text(row) {
                    Some(label) => format!("{}:{label} ", label.len()),
                    None => "NaN ".to_owned(),
                },
                (_, Some(moment)) => format!("{}d{} ", moment.day, moment.micros),
                _ if around => format!("{} ", sphere::east(*value)),
                _ => format!("{} ", value + 0.0),
            };
            text.push_str(&key);
        }
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predictors::tests::dataset;

    fn table(lon: &[f64], month: &[f64], columns: Option<&str>) -> Result<Predictors, Fault> {
        let index: Vec<f64> = (1..=lon.len()).map(|row| row as f64).collect();
        Table {
            rows: Input::new(dataset(&[
                ("lon", lon),
                ("month", month),
                ("index", &index),
            ])),
            by: vec![Column("month".to_owned()), Column("lon".to_owned())],
            columns: columns.map(|name| vec![Column(name.to_owned())]),
        }
        .run(&Context::alone("table"))
    }

    #[test]
    fn rows_find_their_keys_whatever_the_longitudes() {
        let recipe = table(&[190.0, 10.0], &[1.0, 1.0], None).unwrap();
        let data = dataset(&[("lon", &[10.0, -170.0, 10.0]), ("month", &[1.0, 1.0, 2.0])]);
        let rows = recipe.fit(&data).unwrap().rows(&data).unwrap();
        assert_eq!(rows.names, ["index"]);
        assert_eq!(rows.values[..2], [2.0, 1.0]);
        assert!(rows.values[2].is_nan());
    }

    #[test]
    fn keys_that_come_twice_or_never_are_told() {
        let twice = table(&[-170.0, 190.0], &[1.0, 1.0], None).unwrap_err();
        assert_eq!(twice.to_string(), "row 2 has the keys of a row before it");
        let recipe = table(&[190.0], &[1.0], Some("index")).unwrap();
        let data = dataset(&[("lon", &[1.0]), ("month", &[1.0])]);
        let never = recipe.fit(&data).unwrap().rows(&data).unwrap_err();
        assert_eq!(
            never.to_string(),
            "no row has keys that are in the table of `index`"
        );
    }
}
