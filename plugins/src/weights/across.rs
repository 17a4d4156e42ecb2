//! `across(zoo, net)`: what weights are at all points of a sweep, as rows.

use std::collections::BTreeMap;

use dsl::experiment::Value;
use dsl::facts::{About, Coordinate};
use engine::error::Fault;
use engine::params::{Input, Origins, Points, SweepName};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use polars::prelude::{Column, DataFrame, NamedFrom, Series};

use super::Weights;
use super::support::facts::{any, is, made, mixed, most_rows};
use super::support::rows::{DIVERGED, all, common};
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
    /// weights slow = pick(settings, rate < 5e-3)
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
        Vec::from_iter(mixed.or(differ).or_else(|| taken(call, &inputs)))
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let inputs = call.inputs("weights");
        let degree = inputs.first().map_or(1.0, |input| input.degree());
        let is_single = inputs.iter().all(About::is_single);
        let mut rows = inputs.iter().map(most_rows);
        Facts {
            single: inputs.len() == 1 && is_single,
            rows: rows.try_fold(0, |sum: u64, rows| Some(sum.saturating_add(rows?))),
            coordinates: coordinates(call, &inputs),
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

/// The swept params as coordinates.
fn swept_coordinates(call: &Sketch) -> Vec<Coordinate> {
    let points = call
        .get::<Points>("points")
        .map_or_else(Vec::new, |points| points.0);
    let settings: Vec<&BTreeMap<String, Value>> = points.iter().map(|it| &it.settings).collect();
    let coordinate = |name: &String| Coordinate {
        is_text: numbers(&settings, name).is_none(),
        is_swept: true,
        ..Coordinate::number(name)
    };
    names(&settings).into_iter().map(coordinate).collect()
}

/// What is known of the rows: their own coordinates, where these are more than a number, and the
/// swept params.
fn coordinates(call: &Sketch, inputs: &[About]) -> Option<Vec<Coordinate>> {
    let swept = swept_coordinates(call);
    let mut all = any(inputs)?;
    if all.len() == 1 && !swept.is_empty() {
        all.clear();
    }
    all.extend(swept);
    Some(all)
}

/// Refuses a swept param whose name the rows have for something else.
fn taken(call: &Sketch, inputs: &[About]) -> Option<Complaint> {
    let mut own = vec![Coordinate::number("member"), Coordinate::number(DIVERGED)];
    if !inputs.iter().all(About::is_single) {
        own.extend(any(inputs)?);
    }
    let swept = swept_coordinates(call);
    let mut swept = swept.iter();
    let taken = swept.find(|it| own.iter().any(|own| own.name == it.name))?;
    let message = format!(
        "rows have a coordinate `{}` that means something else",
        taken.name
    );
    Some(Complaint::at("sweep", message).with_hint("rename the param"))
}

/// The swept params that points name, each once.
fn names<'a>(settings: &[&'a BTreeMap<String, Value>]) -> Vec<&'a String> {
    let mut names: Vec<&String> = settings.iter().flat_map(|point| point.keys()).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The values of a param at all points, where all are numbers.
fn numbers(settings: &[&BTreeMap<String, Value>], name: &str) -> Option<Vec<f64>> {
    let numbers = settings.iter().map(|point| match point.get(name) {
        Some(Value::Int(number)) => Some(*number as f64),
        Some(Value::Float(number)) => Some(*number),
        _ => None,
    });
    numbers.collect()
}

/// The swept params as columns: numbers where all are, else texts.
fn swept(settings: &[&BTreeMap<String, Value>]) -> Result<Vec<Column>, Fault> {
    let column = |name: &String| {
        let values: Vec<Option<&Value>> = settings.iter().map(|point| point.get(name)).collect();
        let whole = values.iter().map(|value| match value {
            Some(Value::Int(number)) => Some(*number),
            _ => None,
        });
        if let Some(whole) = whole.collect::<Option<Vec<i64>>>() {
            return Series::new(name.as_str().into(), whole).into();
        }
        if let Some(numbers) = numbers(settings, name) {
            return Series::new(name.as_str().into(), numbers).into();
        }
        let texts = values.iter().map(|value| match value {
            Some(Value::Text(text)) => Some(text.clone()),
            other => other.map(ToString::to_string),
        });
        Series::new(name.as_str().into(), texts.collect::<Vec<_>>()).into()
    };
    Ok(names(settings).into_iter().map(column).collect())
}
