//! Children whose weights a program computes: the network of its `parent` runs them, the same for
//! all rows.

use std::sync::Arc;

use engine::artifact::AnyArtifact;
use engine::error::Fault;
use engine::foreign::{Made, Maker, Parcel, Unfit};
use engine::params::{Input, ParamType};
use engine::plugin::{Facts, NetworkFacts, Sketch, Training};

use crate::children::Child;
use crate::parents::Parent;

/// Makes children of a row of weights.
pub struct Reweigh;

impl Maker for Reweigh {
    fn make(&self, parcel: Parcel, made: &Made<'_>) -> Result<AnyArtifact, Unfit> {
        let parent = Input::<Parent>::decode("parent", made.bindings)?;
        let mut parcel = parcel;
        parcel.weights_are_rows();
        let (layout, rows, weights) = engine::foreign::weights(&parcel)?;
        if layout != parent.layout {
            return Err("`layout` is not that of `parent`".to_owned().into());
        }
        if rows != 1 {
            return Err(format!("expected one row of weights, found {rows}").into());
        }
        if weights.iter().any(|weight| !weight.is_finite()) {
            return Err(Fault::Diverged("weights that are not finite".to_owned()).into());
        }
        let parent = Parent {
            layout,
            weights: weights.to_vec(),
            network: parent.network.clone(),
            losses: Vec::new(),
            training: None,
            states: None,
            saved: parent.saved.clone(),
        };
        let correction = None;
        Ok(Arc::new(Child { parent, correction }))
    }

    fn facts(&self, call: &Sketch<'_>) -> Facts {
        let parent = call.input("parent");
        let network = call.network("parent").map(|network| {
            Arc::new(NetworkFacts {
                training: Training::Unknown,
                ..NetworkFacts::clone(network)
            })
        });
        Facts {
            no_network: parent.is_some_and(|parent| parent.facts.no_network),
            network,
            ..call.inherited()
        }
    }
}
