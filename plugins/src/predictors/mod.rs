//! Predictors: what is known about a row before any network is trained for it.
//!
//! A predictor statement is a recipe without data. A regression fits it on the rows of the
//! training data and evaluates it for every subset (the mean over its rows); a child
//! evaluates the fitted recipe for every application row.

mod columns;
mod eof;
mod expr;
mod lag;
mod neighbourhood;
mod season;
pub(crate) mod support;
mod table;

use dsl::column::ColumnExpr;
use dsl::types::Kind;
use engine::artifact::{Artifact, Dataset, Parts};
use engine::error::Fault;
use engine::foreign::Parcel;
use engine::plugin::Registry;
use serde::{Deserialize, Serialize};

use crate::data::surroundings::Field;

pub use columns::Columns;
pub use eof::{Analysis, Eof, Modes};
pub use expr::Expr;
pub use lag::{Lag, Past};
pub use neighbourhood::Neighbourhood;
pub use season::{Cycle, Season};
pub use support::foreign::Asked;
pub use table::{Lookup, Table};

/// Adds the predictors.
pub fn register(registry: &mut Registry) {
    registry.artifact::<Predictors>();
    registry.maker_of(Kind::Predictor, support::foreign::Recipe);
    registry.plugin::<Columns>();
    registry.plugin::<Expr>();
    registry.plugin::<Eof>();
    registry.plugin::<Lag>();
    registry.plugin::<Neighbourhood>();
    registry.plugin::<Season>();
    registry.plugin::<Table>();
}

/// What a predictor statement makes: how to get numbers from a data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Predictors {
    /// The values of columns.
    Columns(Vec<String>),
    /// A number computed from columns.
    Expr(ColumnExpr),
    /// Leading principal components of columns.
    Eof(Analysis),
    /// What a series was before.
    Lag(Past),
    /// Sines and cosines of a time.
    Season(Cycle),
    /// What lies around.
    Neighbourhood(Field),
    /// Columns of other data, by keys.
    Table(Lookup),
    /// What a program computes.
    Foreign(Asked),
}

/// A recipe fitted on training data: the same numbers from any data set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fitted {
    /// The values of columns.
    Columns(Vec<String>),
    /// A number computed from columns.
    Expr(ColumnExpr),
    /// Projections on the modes of the training data.
    Eof(Modes),
    /// What a series was before.
    Lag(Past),
    /// Sines and cosines of a time.
    Season(Cycle),
    /// What lies around.
    Neighbourhood(Field),
    /// Columns of other data, by keys.
    Table(Lookup),
    /// What a program computes.
    Foreign(Asked),
}

/// One value of each predictor for each row: `names.len()` numbers per row, row after row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PredictorRows {
    /// The names of the predictors.
    pub names: Vec<String>,
    /// Row after row.
    pub values: Vec<f64>,
}

impl Predictors {
    /// Learns what the recipe needs from the training data.
    ///
    /// # Errors
    /// When the data lack a column, or have too few complete rows for principal components.
    pub fn fit(&self, data: &Dataset) -> Result<Fitted, Fault> {
        match self {
            Predictors::Columns(names) => Ok(Fitted::Columns(names.clone())),
            Predictors::Expr(formula) => Ok(Fitted::Expr(formula.clone())),
            Predictors::Eof(analysis) => analysis.fit(data).map(Fitted::Eof),
            Predictors::Lag(past) => Ok(Fitted::Lag(past.clone())),
            Predictors::Season(cycle) => Ok(Fitted::Season(cycle.clone())),
            Predictors::Neighbourhood(field) => Ok(Fitted::Neighbourhood(field.clone())),
            Predictors::Table(lookup) => Ok(Fitted::Table(lookup.clone())),
            Predictors::Foreign(asked) => Ok(Fitted::Foreign(asked.clone())),
        }
    }
}

impl Fitted {
    /// The predictors of every row; NaN where a value they need is missing.
    ///
    /// # Errors
    /// When the data lack a column.
    pub fn rows(&self, data: &Dataset) -> Result<PredictorRows, Fault> {
        match self {
            Fitted::Columns(names) => columns::rows(names, data),
            Fitted::Expr(formula) => expr::rows(formula, data),
            Fitted::Eof(modes) => modes.rows(data),
            Fitted::Lag(past) => past.rows(data),
            Fitted::Season(cycle) => cycle.rows(data),
            Fitted::Neighbourhood(field) => neighbourhood::rows(field, data),
            Fitted::Table(lookup) => lookup.rows(data),
            Fitted::Foreign(asked) => support::foreign::rows(asked, data),
        }
    }

    /// The columns whose values in a row its predictors follow from, so that rows may come in parts;
    /// none where they follow from other rows, too.
    pub fn of_row(&self) -> Option<Vec<&str>> {
        match self {
            Fitted::Columns(names) => Some(names.iter().map(String::as_str).collect()),
            Fitted::Season(cycle) => Some(vec![&cycle.time]),
            Fitted::Expr(formula) => formula.of_rows().is_none().then(|| formula.columns()),
            Fitted::Eof(modes) => modes.analysis.of_row(),
            // These look at other rows, or complain where no row of all has what they look for.
            Fitted::Lag(_) | Fitted::Neighbourhood(_) | Fitted::Table(_) | Fitted::Foreign(_) => {
                None
            }
        }
    }

    /// What a reader should know of the fit.
    pub fn note(&self) -> Option<String> {
        match self {
            Fitted::Eof(modes) => Some(modes.note()),
            _ => None,
        }
    }
}

impl PredictorRows {
    /// The predictors of several recipes side by side, for every row.
    ///
    /// # Errors
    /// As [`Fitted::rows`].
    pub fn of(fitted: &[Fitted], data: &Dataset) -> Result<Self, Fault> {
        let parts = fitted
            .iter()
            .map(|fitted| fitted.rows(data))
            .collect::<Result<Vec<_>, _>>()?;
        let names: Vec<String> = parts.iter().flat_map(|part| part.names.clone()).collect();
        let mut values = Vec::with_capacity(data.rows() * names.len());
        for row in 0..data.rows() {
            for part in &parts {
                values.extend_from_slice(part.row(row));
            }
        }
        Ok(Self { names, values })
    }

    /// The mean of each predictor over some rows.
    pub fn mean(&self, rows: &[u32]) -> Vec<f64> {
        let sum = |predictor: usize| -> f64 {
            rows.iter()
                .map(|row| self.row(*row as usize)[predictor])
                .sum()
        };
        let count = rows.len() as f64;
        (0..self.names.len())
            .map(|predictor| sum(predictor) / count)
            .collect()
    }

    /// The predictors of one row.
    pub fn row(&self, row: usize) -> &[f64] {
        let width = self.names.len();
        &self.values[row * width..(row + 1) * width]
    }
}

impl Artifact for Predictors {
    const KIND: Kind = Kind::Predictor;
    const PARTS: &'static [&'static str] = &["predictors.json"];

    fn to_parts(&self) -> Result<Parts, Fault> {
        Parts::default().with_json("predictors.json", self)
    }

    fn to_parcel(&self) -> Result<Parcel, Fault> {
        let recipe = serde_json::to_value(self).map_err(|error| Fault::Bug(error.to_string()))?;
        Ok(Parcel::default().with("recipe", recipe))
    }

    fn from_parts(parts: &Parts) -> Result<Self, Fault> {
        parts.json("predictors.json")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) use crate::data::support::testing::table as dataset;

    #[test]
    fn recipes_stand_side_by_side_row_after_row() {
        let data = dataset(&[("a", &[1.0, 2.0]), ("b", &[3.0, 4.0]), ("c", &[5.0, 6.0])]);
        let recipes = [
            Predictors::Columns(vec!["c".to_owned()]),
            Predictors::Columns(vec!["a".to_owned(), "b".to_owned()]),
        ];
        let fitted: Vec<Fitted> = recipes
            .iter()
            .map(|recipe| recipe.fit(&data).unwrap())
            .collect();
        let rows = PredictorRows::of(&fitted, &data).unwrap();
        assert_eq!(rows.names, ["c", "a", "b"]);
        assert_eq!(rows.values, [5.0, 1.0, 3.0, 6.0, 2.0, 4.0]);
        assert_eq!(rows.row(1), [6.0, 2.0, 4.0]);
    }

    #[test]
    fn a_recipe_comes_back_from_its_parts() {
        let recipe = Predictors::Eof(Analysis {
            columns: vec!["a".to_owned(), "b".to_owned()],
            modes: 1,
            standardise: true,
            ..Analysis::default()
        });
        let parts = recipe.to_parts().unwrap();
        assert_eq!(Predictors::from_parts(&parts).unwrap(), recipe);
    }
}
