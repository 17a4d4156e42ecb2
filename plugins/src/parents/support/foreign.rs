//! Parents that a program trains: its weights, and how it runs them.

use std::sync::Arc;

use engine::artifact::{AnyArtifact, Dataset};
use engine::error::Fault;
use engine::foreign::{Foreign, Given, Made, Maker, Parcel, Unfit, Values, WEIGHTS};
use engine::params::{Bindings, Column, Input, ParamType};
use engine::plugin::{Context, Facts, Sketch, Training};
use serde_json::json;

use super::examine;
use crate::networks::{
    Columns, ForeignNetwork, Loss, Network, Runner, scaled_inputs, scaled_target,
};
use crate::parents::Parent;

/// Makes parents of weights.
pub struct Train;

/// The training data as networks see them.
fn columns(bindings: &Bindings) -> Result<(Columns, Input<Dataset>), Fault> {
    let data = Input::<Dataset>::decode("data", bindings)?;
    let inputs = Vec::<Column>::decode("inputs", bindings)?;
    let target = Column::decode("target", bindings)?;
    let inputs = scaled_inputs(&inputs, &data, &data)?;
    let (target, _) = scaled_target(&target, Loss::Mse, &data, &data)?;
    let targets = vec![target];
    Ok((Columns { inputs, targets }, data))
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
        for array in parcel
            .arrays
            .iter_mut()
            .filter(|array| array.name == WEIGHTS)
        {
            if array.shape.len() == 1 {
                array.shape.insert(0, 1);
            }
        }
        let (layout, rows, weights) = engine::foreign::weights(&parcel)?;
        if rows != 1 {
            return Err(format!("expected one row of weights, found {rows}").into());
        }
        if weights.iter().any(|weight| !weight.is_finite()) {
            return Err(Fault::Diverged("weights that are not finite".to_owned()).into());
        }
        let losses: Option<Vec<(u64, f64, Option<f64>)>> = parcel.said("losses")?;
        let provided = &made.plugin.provided;
        let network = ForeignNetwork {
            columns,
            program: Runner {
                name: provided.program.name.clone(),
                code: provided.stands_for(),
                layout,
                args: made.plugin.arguments(made.bindings),
            },
            loss: Loss::Mse,
        };
        let parent = Parent {
            losses: losses.unwrap_or_default(),
            ..Parent::new(Network::from(network), weights.to_vec())
        };
        Ok(Arc::new(parent))
    }

    fn facts(&self, call: &Sketch<'_>) -> Facts {
        examine::network(call, None, Training::Solved, None)
    }
}
