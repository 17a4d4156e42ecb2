//! `across(zoo, net)`: what weights are at all points of a sweep, as rows.

use std::collections::BTreeMap;

use dsl::experiment::Value;
use dsl::facts::About;
use engine::error::Fault;
use engine::params::{Input, Origins, Points, SweepName};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use polars::prelude::{Column, DataFrame, NamedFrom, Series};

use super::Weights;
use super::support::facts::{is, made, mixed, most_rows};
use super::support::rows::{all, common};
use super::support::stream::{Target, sources, write};
use crate::parents::Parent;

plugin! {
    /// The networks of all points of a sweep, as rows of one table.
    ///
    /// Each row has the swept params that it depends on as coordinates. Rows of a table that has
    /// several at each point keep their own coordinates beside these. All must have the same tensors;
    /// scores need no table, since they are made at every point.
    ///
    /// ```farcast
    /// param rate: Float = 1e-3
    /// parent tuned = mlp(seen, inputs: [x], target: y, optimizer: adam(rate: rate), members: 2)
    /// sweep rates = grid(rate: [1e-3, 1e-2])
    /// weights settings = across(rates, tuned)
    /// parent mixed = average(settings)
    /// ```
    "across" version 1
    pub struct Across {
        /// The sweep.
        sweep: SweepName;
        /// The weights at each of its points.
        weights: Vec<Input<Weights>>;
        /// The points.
        points: Points, points_of("weights");
        /// The networks that the weights belong to.
        networks: Origins<Parent>, origins("weights");
    }
}

impl Plugin for Across {
    type Output = Weights;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let inputs = call.inputs("weights");
        let several = |input: &About| is(input.degree(), inputs[0].degree());
        let differ = (!inputs.iter().all(several)).then(|| {
            let message = "these are networks at some points and differences at others";
            Complaint::at("weights", message)
        });
        let hint = "scores need no `across`: a report has them at every point";
        let mixed = mixed(&inputs, "weights").map(|complaint| complaint.with_hint(hint));
        Vec::from_iter(mixed.or(differ))
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let inputs = call.inputs("weights");
        let degree = inputs.first().map_or(1.0, |input| input.degree());
        let is_single = inputs.iter().all(About::is_single);
        let mut rows = inputs.iter().map(most_rows);
        Facts {
            single: inputs.len() == 1 && is_single,
            rows: rows.try_fold(0, |sum: u64, rows| Some(sum.saturating_add(rows?))),
            coordinates: None,
            ..made(call, &inputs, degree)
        }
    }

    fn run(self, context: &Context) -> Result<Weights, Fault> {
        let tables = all(&self.weights, context)?;
        let (layout, network) = common(&tables, &self.networks, "weights", context)?;
        let mut own: Option<DataFrame> = None;
        let mut settings: Vec<&BTreeMap<String, Value>> = Vec::new();
        for (table, point) in tables.iter().zip(&self.points.0) {
            settings.extend(std::iter::repeat_n(&point.settings, table.rows.len()));
            let coordinates = table.coordinates.clone();
            own = Some(match own {
                None => coordinates,
                Some(above) => above.vstack(&coordinates).map_err(|_| {
                    let message = "rows have other coordinates at other points";
                    Fault::at("weights", message)
                })?,
            });
        }
        let own = own.ok_or_else(|| Fault::Bug("a sweep without points".to_owned()))?;
        let is_numbered = own.get_column_names().iter().all(|name| *name == "row");
        let swept = swept(&settings)?;
        let coordinates = match (is_numbered, swept.is_empty()) {
            (true, false) => DataFrame::new(settings.len(), swept)?,
            (_, true) => own,
            (false, false) => own.hstack(&swept)?,
        };
        let target = Target {
            layout,
            coordinates,
            network,
        };
        let rows = tables.iter().map(|table| table.rows.clone()).collect();
        let sources = sources(&tables, rows);
        write(target, &sources, context, |columns, blocks, made| {
            let rows = blocks.iter().flat_map(|block| block.rows());
            for (made, row) in made.chunks_exact_mut(columns.len()).zip(rows) {
                for (made, weight) in made.iter_mut().zip(row) {
                    *made = f64::from(*weight);
                }
            }
            Ok(())
        })
    }
}

/// The swept params as columns: numbers where all are, else texts.
fn swept(settings: &[&BTreeMap<String, Value>]) -> Result<Vec<Column>, Fault> {
    let mut names: Vec<&String> = settings.iter().flat_map(|point| point.keys()).collect();
    names.sort_unstable();
    names.dedup();
    let column = |name: &String| {
        let values: Vec<Option<&Value>> = settings.iter().map(|point| point.get(name)).collect();
        let whole = values.iter().map(|value| match value {
            Some(Value::Int(number)) => Some(*number),
            _ => None,
        });
        if let Some(whole) = whole.collect::<Option<Vec<i64>>>() {
            return Series::new(name.as_str().into(), whole).into();
        }
        let numbers = values.iter().map(|value| match value {
            Some(Value::Int(number)) => Some(*number as f64),
            Some(Value::Float(number)) => Some(*number),
            _ => None,
        });
        if let Some(numbers) = numbers.collect::<Option<Vec<f64>>>() {
            return Series::new(name.as_str().into(), numbers).into();
        }
        let texts = values.iter().map(|value| match value {
            Some(Value::Text(text)) => Some(text.clone()),
            other => other.map(ToString::to_string),
        });
        Series::new(name.as_str().into(), texts.collect::<Vec<_>>()).into()
    };
    Ok(names.into_iter().map(column).collect())
}
