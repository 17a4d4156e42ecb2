//! Farcasts: the weights of steps to come, from those observed.

mod dlinear;
mod exponential;
mod introspection;
mod known;
mod lfd;
mod lfd2;
mod linear;
pub mod nino;
mod nlinear;
mod persistence;
mod shrink;
pub(crate) mod support;
mod wnn;

use dsl::types::Kind;
use engine::artifact::{Artifact, Metadata, Parts, Precision, Row, Trajectory, WeightsFiles};
use engine::error::Fault;
use engine::foreign::Parcel;
use engine::params::Gather;
use engine::plugin::{Context, Registry};
use polars::prelude::{DataFrame, DataType, NamedFrom, Series};
use serde::{Deserialize, Serialize};

pub use dlinear::DLinear;
pub use exponential::Exponential;
pub use introspection::Introspection;
pub use known::Known;
pub use lfd::Lfd;
pub use lfd2::Lfd2;
pub use linear::{Linear, Velocity};
pub use nino::Nino;
pub use nlinear::NLinear;
pub use persistence::Persistence;
pub use shrink::Shrink;
pub use support::adam::AdamOptions;
pub(crate) use support::examine::members_among;
pub use support::linear_map::{FitBy, LayerFit};
pub use support::nets::NinoNet;
pub use support::objective::Norm;
pub use support::runs::FitRuns;
pub use support::window::Observed;
pub use wnn::Wnn;

pub(crate) use support::nets::tensors_in;
use support::window::{History, Window};

/// Adds the farcasters.
pub fn register(registry: &mut Registry) {
    registry.artifact::<Farcast>();
    registry.maker_of(Kind::Farcast, support::foreign::Predict);
    registry.plugin::<Persistence>();
    registry.plugin::<Linear>();
    registry.plugin::<Exponential>();
    registry.plugin::<Shrink>();
    registry.plugin::<Lfd2>();
    registry.plugin::<Lfd>();
    registry.plugin::<DLinear>();
    registry.plugin::<NLinear>();
    registry.plugin::<Introspection>();
    registry.plugin::<Wnn>();
    registry.plugin::<Known>();
    registry.plugin::<Nino>();
}

/// The predicted weights of all members at all horizons.
#[derive(Clone, Debug, PartialEq)]
pub struct Farcast {
    /// A row per member and horizon, with the columns `member` and `horizon`, and `step` where
    /// the horizon is a step of the trajectory.
    pub predicted: Trajectory,
    /// What they were made from.
    pub origin: Origin,
}

/// What a farcast was made from, and what that took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// The steps observed, in the order the method saw them.
    pub observed: Vec<u64>,
    /// The members of the trajectory it was fitted on, counted from 0; they are not a test of it.
    pub fitted_on: Vec<u32>,
    /// Multiplications and additions of fitting, once; unknown of programs that do not say.
    pub fit_operations: Option<f64>,
    /// Multiplications and additions of predicting, per member; likewise.
    pub predict_operations: Option<f64>,
}

impl Farcast {
    /// The step or number of recurrences and the row of each prediction for a member.
    ///
    /// # Errors
    /// When the coordinates are not those of a farcast.
    pub fn rows_of(&self, member: u32) -> Result<Vec<(u64, usize)>, Fault> {
        let members = self.coordinate("member")?;
        let horizons = self.coordinate("horizon")?;
        let rows = members.into_iter().zip(horizons).enumerate();
        Ok(rows
            .filter(|(_, (of, _))| *of == u64::from(member))
            .map(|(row, (_, horizon))| (horizon, row))
            .collect())
    }

    /// Its horizons, nearest first.
    ///
    /// # Errors
    /// A bug when the artifact lacks them.
    pub fn horizons(&self) -> Result<Vec<u64>, Fault> {
        let mut horizons = self.coordinate("horizon")?;
        horizons.sort_unstable();
        horizons.dedup();
        Ok(horizons)
    }

    /// Whether its horizons are steps of the trajectory, so that there can be a truth.
    pub fn has_steps(&self) -> bool {
        self.predicted.coordinates.column("step").is_ok()
    }

    fn coordinate(&self, name: &str) -> Result<Vec<u64>, Fault> {
        let column = self.predicted.coordinates.column(name)?;
        let numbers = column.cast(&DataType::UInt64)?;
        Ok(numbers
            .u64()?
            .iter()
            .map(Option::unwrap_or_default)
            .collect())
    }
}

impl Artifact for Farcast {
    const KIND: Kind = Kind::Farcast;
    const PARTS: &'static [&'static str] = &[
        "coordinates.parquet",
        "layout.json",
        "width.json",
        "weights.digests",
        "origin.json",
    ];

    fn to_parts(&self) -> Result<Parts, Fault> {
        self.predicted
            .to_parts()?
            .with_json("origin.json", &self.origin)
    }

    /// A file for each horizon, and each member where there are several.
    fn weights_files(&self, stem: &str, made_by: Metadata) -> Result<WeightsFiles<'_>, Fault> {
        let (members, horizons) = (self.coordinate("member")?, self.coordinate("horizon")?);
        let are_several = members.iter().any(|member| *member != members[0]);
        let mut files = WeightsFiles::new();
        for (row, (member, horizon)) in members.iter().zip(horizons).enumerate() {
            let stem = match are_several {
                true => format!("{stem}.{member}.h{horizon}"),
                false => format!("{stem}.h{horizon}"),
            };
            let (layout, saved) = (&self.predicted.layout, self.predicted.saved.as_deref());
            let row = Row::InTable(&self.predicted, row);
            files.extend(row.files(&stem, layout, saved, made_by.clone())?);
        }
        Ok(files)
    }

    /// The weights as of a trajectory; `member` and `horizon` say which row is which.
    fn to_parcel(&self) -> Result<Parcel, Fault> {
        self.predicted.to_parcel()
    }

    fn from_parts(parts: &Parts) -> Result<Self, Fault> {
        Ok(Self {
            predicted: Trajectory::from_parts(parts)?,
            origin: parts.json("origin.json")?,
        })
    }
}

/// What a horizon counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HorizonUnit {
    /// Steps of the trajectory.
    Steps,
    /// Recurrences of the method.
    Recurrences,
}

/// Predicts every member, some columns after others; only what is observed is read.
///
/// `predict` returns the weights at the window's horizons, `[horizons, columns]`, from the
/// number of a member and what is observed of some of its weights.
fn forecast(
    trajectory: &Gather<Trajectory>,
    window: &Window,
    counts: HorizonUnit,
    context: &Context,
    predict: impl Fn(usize, &History) -> Result<Vec<f32>, Fault>,
) -> Result<Trajectory, Fault> {
    let members: Vec<(usize, &Trajectory)> = support::window::finished(trajectory).collect();
    let numbers = members.iter().map(|(member, _)| *member as u32);
    let numbers: Vec<u32> = numbers
        .flat_map(|member| window.horizons.iter().map(move |_| member))
        .collect();
    let horizons = window.horizons.repeat(members.len());
    let mut columns = vec![Series::new("member".into(), numbers).into()];
    columns.push(Series::new("horizon".into(), &horizons).into());
    if counts == HorizonUnit::Steps {
        columns.push(Series::new("step".into(), &horizons).into());
    }
    let coordinates = DataFrame::new(horizons.len(), columns)?;
    let width = Trajectory::block_width(horizons.len(), Precision::F32);
    let keep = |bytes: &[u8]| context.keep(bytes);
    let layout = window.layout.clone();
    let saved = members.first().and_then(|(_, run)| run.saved.clone());
    let total = layout.len() as u64;
    let (observed, ahead) = (window.steps.len(), window.horizons.len());
    let written = Trajectory::write(layout, coordinates, width, keep, |columns, weights| {
        let of_members = weights.chunks_exact_mut((ahead * columns.len()).max(1));
        for ((member, trajectory), weights) in members.iter().zip(of_members) {
            for span in trajectory.spans(columns.clone(), observed + ahead) {
                context.check_stop()?;
                context.progress(span.start as u64, total, None);
                let block = window.read(trajectory, span.clone())?;
                let predicted = predict(*member, &window.history(&block))?;
                let here = span.start - columns.start..span.end - columns.start;
                let rows = weights.chunks_exact_mut(columns.len());
                for (row, predicted) in rows.zip(predicted.chunks_exact(span.len())) {
                    for (to, weight) in row[here.clone()].iter_mut().zip(predicted) {
                        *to = weight.to_le_bytes();
                    }
                }
            }
        }
        Ok(())
    })?;
    Ok(written.with_saved(saved))
}

#[cfg(test)]
mod tests {
    use super::support::testing::run;
    use super::*;
    use crate::testing::{call, members};

    #[test]
    fn a_farcast_comes_back_from_its_parts_and_finds_its_rows() {
        let runs = members([Some(run(0.1)), None, Some(run(0.2))]);
        let last: Persistence = call("w, horizon: [30, 40]", &[("w", runs)]);
        let farcast = engine::plugin::Plugin::run(last, &Context::alone("last")).unwrap();
        let read = Farcast::from_parts(&farcast.to_parts().unwrap()).unwrap();
        assert_eq!(read, farcast);
        assert_eq!(farcast.rows_of(0).unwrap(), [(30, 0), (40, 1)]);
        assert_eq!(farcast.rows_of(1).unwrap(), []);
        assert_eq!(farcast.rows_of(2).unwrap(), [(30, 2), (40, 3)]);
        assert!(farcast.has_steps());
    }
}
