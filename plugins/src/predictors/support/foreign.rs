//! Predictors that a program computes, row by row of whatever data it is asked for.

use std::sync::Arc;

use engine::artifact::{AnyArtifact, Artifact, Dataset};
use engine::digest::Digest;
use engine::error::Fault;
use engine::foreign::{Given, Made, Maker, Parcel, Unfit, ask_shared, provided_by};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::predictors::{PredictorRows, Predictors};

/// The program of a predictor, and what it was called with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// What `farcast.toml` calls it.
    pub name: String,
    /// Its identity in keys.
    pub code: Digest,
    /// The arguments of the statement.
    pub args: Map<String, Value>,
}

/// Makes predictors: recipes, so the program is not called before there are data.
pub struct Recipe;

impl Maker for Recipe {
    fn is_recipe(&self) -> bool {
        true
    }

    fn make(&self, _: Parcel, made: &Made<'_>) -> Result<AnyArtifact, Unfit> {
        let provided = &made.plugin.provided;
        Ok(Arc::new(Predictors::Foreign(Asked {
            name: provided.program.name.clone(),
            code: provided.identity(),
            args: made.plugin.arguments(made.bindings),
        })))
    }
}

/// The predictors of every row of data.
///
/// # Errors
/// What the program says is wrong, or that it is not declared here.
pub fn rows(asked: &Asked, data: &Dataset) -> Result<PredictorRows, Fault> {
    let name = &asked.name;
    let provided = provided_by(&asked.code).ok_or_else(|| {
        Fault::Environment(format!(
            "the program of plugin `{name}` is not declared here"
        ))
    })?;
    let given = [(
        "data".to_owned(),
        Given::One("data".to_owned(), data.to_parcel()?),
    )];
    let parcel = ask_shared(&provided, "run", &given, &asked.args)?;
    let wrong = |why: String| {
        Fault::Environment(format!(
            "plugin `{name}` returned something that is not a predictor: {why}"
        ))
    };
    let mut columns = Vec::new();
    for array in &parcel.arrays {
        columns.push(array.expect_shape(&[data.rows()]).map_err(wrong)?.doubles());
    }
    if columns.is_empty() {
        return Err(wrong(
            "expected an array for each predictor, found none".to_owned(),
        ));
    }
    let values = (0..data.rows()).flat_map(|row| columns.iter().map(move |column| column[row]));
    Ok(PredictorRows {
        names: parcel
            .arrays
            .iter()
            .map(|array| array.name.clone())
            .collect(),
        values: values.collect(),
    })
}
