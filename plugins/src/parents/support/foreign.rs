//! Parents that a program trains: its weights, and how it runs them.

use std::sync::Arc;

use engine::artifact::{AnyArtifact, Dataset};
use engine::error::Fault;
use engine::foreign::{Foreign, Given, Made, Maker, Parcel, Unfit, Values};
use engine::params::{Bindings, Column, Input, ParamType};
use engine::plugin::{Context, Facts, Sketch, Training};
use serde_json::json;

use super::examine;
use crate::networks::{
    Columns, ForeignNetwork, Loss, Network, Runner, TrainingRows, scaled_inputs, scaled_target,
};
use crate::parents::{Parent, States};

/// Makes parents of weights.
pub struct Train;

/// The training data as networks see them.
fn columns(bindings: &Bindings) -> Result<(Columns, Input<Dataset>), Fault> {
    let data = Input::<Dataset>::decode("data", bindings)?;
    let inputs = Vec::<Column>::decode("inputs", bindings)?;
    let target = Column::decode("target", bindings)?;
    let rows = TrainingRows::alike((*data).clone());
    let inputs = scaled_inputs(&inputs, &data, &rows)?;
    let (target, _) = scaled_target(&target, Loss::Mse, &data, &rows)?;
    let targets = vec![target];
    Ok((Columns { inputs, targets }, data))
}

/// The states of training that an answer with several rows of weights has.
fn states(parcel: &Parcel, rows: usize, weights: &[f32]) -> Result<Option<States>, Unfit> {
    if rows < 2 {
        return Ok(None);
    }
    let steps = parcel.array("step")?.expect_shape(&[rows])?.doubles();
    let is_step = |step: &f64| *step >= 0.0 && step.fract() == 0.0 && *step < 2.0_f64.powi(53);
    if !steps.iter().all(is_step) || !steps.is_sorted_by(|one, next| one < next) {
        let message = "expected whole numbers from 0 in `step`, each above the one before";
        return Err(message.to_owned().into());
    }
    Ok(Some(States {
        steps: steps.iter().map(|step| *step as u64).collect(),
        weights: weights.to_vec(),
    }))
}

impl Maker for Train {
    fn further(
        &self,
        _: &Foreign,
        bindings: &Bindings,
        _: &Context<'_>,
    ) -> Result<Vec<(String, Given)>, Fault> {
        let (columns, data) = columns(bindings)?;
        let (inputs, targets) = (columns.inputs_of(&data)?, columns.targets_of(&data)?);
        let parcel = Parcel::default()
            .with("rows", data.rows())
            .with("columns", json!(columns))
            .with_array(
                "inputs",
                vec![data.rows(), columns.inputs.len()],
                Values::F32(inputs.into()),
            )
            .with_array(
                "targets",
                vec![data.rows(), columns.targets.len()],
                Values::F32(targets.into()),
            );
        Ok(vec![(
            "samples".to_owned(),
            Given::One("samples".to_owned(), parcel),
        )])
    }

    fn make(&self, parcel: Parcel, made: &Made<'_>) -> Result<AnyArtifact, Unfit> {
        let (columns, _) = columns(made.bindings)?;
        let mut parcel = parcel;
        parcel.weights_are_rows();
        let (layout, rows, weights) = engine::foreign::weights(&parcel)?;
        let states = states(&parcel, rows, &weights)?;
        let last = rows.saturating_sub(1) * layout.len();
        let weights = weights.get(last..).unwrap_or_default();
        if rows == 0 {
            return Err("expected a row of weights, found none".to_owned().into());
        }
        if weights.iter().any(|weight| !weight.is_finite()) {
            return Err(Fault::Diverged("weights that are not finite".to_owned()).into());
        }
        let losses: Option<Vec<(u64, f64, Option<f64>)>> = parcel.answered("losses")?;
        let provided = &made.plugin.provided;
        let network = ForeignNetwork {
            columns,
            program: Runner {
                name: provided.program.name.clone(),
                code: provided.identity(),
                layout,
                args: made.plugin.arguments(made.bindings),
            },
            loss: Loss::Mse,
        };
        let parent = Parent {
            losses: losses.unwrap_or_default(),
            states,
            ..Parent::new(Network::from(network), weights.to_vec())
        };
        Ok(Arc::new(parent))
    }

    fn facts(&self, call: &Sketch<'_>) -> Facts {
        let facts = examine::network(call, None, Training::Program, None);
        examine::with_other(facts, "a program of its own")
    }
}
