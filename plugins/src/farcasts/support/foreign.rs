//! Farcasts that a program computes: it sees the runs whole and answers with the weights of every
//! member at every horizon.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::artifact::{AnyArtifact, Trajectory};
use engine::error::Fault;
use engine::foreign::{Made, Maker, Parcel, Unfit};
use engine::params::{Gather, ParamType};
use engine::plugin::{Facts, Sketch};
use polars::prelude::{DataFrame, NamedFrom, Series};

use super::examine;
use super::window::{finished, steps_of};
use crate::farcasts::{Farcast, Origin};

/// Makes farcasts of rows of weights.
pub struct Predict;

/// The whole numbers of an array.
fn counts(parcel: &Parcel, name: &str, rows: usize) -> Result<Vec<u64>, Unfit> {
    let values = parcel.array(name)?.expect_shape(&[rows])?.doubles();
    let is_count = |value: &f64| value.fract() == 0.0 && (0.0..9e15).contains(value);
    match values.iter().find(|value| !is_count(value)) {
        Some(value) => {
            Err(format!("`{name}`: expected whole numbers from 0, found {value}").into())
        }
        None => Ok(values.iter().map(|value| *value as u64).collect()),
    }
}

impl Maker for Predict {
    fn make(&self, parcel: Parcel, made: &Made<'_>) -> Result<AnyArtifact, Unfit> {
        let runs = Gather::<Trajectory>::decode("trajectory", made.bindings)?;
        let mut horizons = Vec::<u64>::decode("horizon", made.bindings)?;
        horizons.sort_unstable();
        horizons.dedup();
        let Some((_, first)) = finished(&runs).next() else {
            let message = format!("all members of `{}` diverged", runs.label);
            return Err(Fault::Diverged(message).into());
        };
        let (layout, rows, weights) = engine::foreign::weights(&parcel)?;
        if layout != first.layout {
            return Err("`layout` is not that of `trajectory`".to_owned().into());
        }
        let members = counts(&parcel, "member", rows)?;
        let steps = counts(&parcel, "horizon", rows)?;
        let mut places: BTreeMap<(u64, u64), usize> = BTreeMap::new();
        for (row, place) in members.into_iter().zip(steps).enumerate() {
            if places.insert(place, row).is_some() {
                let (member, horizon) = place;
                return Err(format!("two rows of member {member} at horizon {horizon}").into());
            }
        }
        let members: Vec<u32> = finished(&runs).map(|(member, _)| member as u32).collect();
        let mut ordered = Vec::with_capacity(weights.len());
        for member in &members {
            for horizon in &horizons {
                let Some(row) = places.remove(&(u64::from(*member), *horizon)) else {
                    return Err(format!("no row of member {member} at horizon {horizon}").into());
                };
                ordered.extend_from_slice(&weights[row * layout.len()..(row + 1) * layout.len()]);
            }
        }
        if let Some(((member, horizon), _)) = places.first_key_value() {
            return Err(format!(
                "a row of member {member} at horizon {horizon}, which was not asked for"
            )
            .into());
        }
        let fitted_on: Option<Vec<u32>> = parcel.answered("fitted_on")?;
        let fitted_on = fitted_on.unwrap_or_default();
        if let Some(member) = fitted_on.iter().find(|it| !members.contains(it)) {
            return Err(format!("`fitted_on` has {member}, which is not a member").into());
        }
        let recorded = steps_of(first)?;
        let observed: Option<Vec<u64>> = parcel.answered("observed")?;
        let observed = match observed {
            Some(observed) => observed,
            // All but what is to be foretold.
            None => { recorded.iter().copied() }
                .filter(|step| horizons.first().is_none_or(|nearest| step < nearest))
                .collect(),
        };
        if let Some(step) = observed.iter().find(|step| !recorded.contains(step)) {
            return Err(format!("`observed` has step {step}, which was not recorded").into());
        }
        let numbers: Vec<u32> = { members.iter() }
            .flat_map(|member| horizons.iter().map(move |_| *member))
            .collect();
        let ahead = horizons.repeat(members.len());
        let columns = vec![
            Series::new("member".into(), numbers).into(),
            Series::new("horizon".into(), &ahead).into(),
            Series::new("step".into(), &ahead).into(),
        ];
        let coordinates = DataFrame::new(ahead.len(), columns).map_err(Fault::from)?;
        let saved = first.saved.clone();
        let predicted = Trajectory::from_rows(layout, coordinates, &ordered)?.with_saved(saved);
        Ok(Arc::new(Farcast {
            predicted,
            origin: Origin {
                observed,
                fitted_on,
                fit_operations: parcel.answered("fit_operations")?,
                predict_operations: parcel.answered("predict_operations")?,
            },
        }))
    }

    fn facts(&self, call: &Sketch<'_>) -> Facts {
        examine::at_horizons(call)
    }
}
