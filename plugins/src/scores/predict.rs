//! `predict(adapted, on: unseen)`: what networks predict, as data.

use std::sync::Arc;

use dsl::name::is_writable;
use dsl::signature::ColumnRule;
use dsl::types::ColumnInfo;
use engine::artifact::{DataColumn, Dataset};
use engine::error::Fault;
use engine::params::Input;
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::Model;
use super::support::ensemble::Ensemble;
use super::support::measure;
use crate::calls::{complaints, with_rows};
use crate::children::Child;
use crate::networks::Network;
use crate::parents::not_runnable;

plugin! {
    /// The rows with what a network predicts for them, as data.
    ///
    /// The column `predicted` is the mean of the members, `predicted_spread` their standard
    /// deviation (over their count less one; missing for one member); of a network of several
    /// targets they are `predicted_u`, `predicted_u_spread` and so on. Rows without an input, or
    /// without a predictor where a child leaves them out, miss both. `farcast export FILE NAME`
    /// writes the result as NetCDF, with the coordinates of the rows as dimensions.
    ///
    /// ```farcast
    /// data predictions = predict(adapted, on: unseen)
    /// ```
    "predict" version 2
    pub struct Predict {
        /// The child, or the parent.
        model: Model;
        /// The rows to predict.
        on: Input<Dataset>;
        /// What the new column is called.
        name: Option<String>;
    }
}

impl Plugin for Predict {
    type Output = Dataset;

    fn columns() -> ColumnRule {
        ColumnRule::Like("on".to_owned())
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let name = call.get::<String>("name");
        let unwritable = name.as_ref().filter(|name| !is_writable(name));
        let message = |name: &String| format!("{name:?} is not a name of a column");
        let schema = call.schema("on");
        let network = call.network("model");
        let targets = network.map_or(&[][..], |network| &network.targets);
        let new = names(name.as_ref(), targets).concat();
        let taken = new
            .iter()
            .find(|name| schema.is_some_and(|it| it.find(name).is_some()));
        let place = if name.is_some() { "name" } else { "on" };
        complaints([
            not_runnable(call, "model"),
            measure::quantity(call, "model"),
            unwritable.map(|name| Complaint::at("name", message(name))),
            taken.map(|name| {
                let message = format!("column `{name}` exists already");
                Complaint::at(place, message).with_hint("give the new column another `name`")
            }),
        ])
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let network = call
            .input("model")
            .and_then(|model| model.facts.network.as_ref());
        let columns = call.schema("on").map(|schema| {
            let mut schema = schema.clone();
            let targets = network.map_or(&[][..], |network| &network.targets);
            let name = call.get::<Option<String>>("name").flatten();
            for (at, names) in names(name.as_ref(), targets).into_iter().enumerate() {
                let unit = targets.get(at).and_then(|it| schema.find(it)?.unit.clone());
                for name in names {
                    let mut column = ColumnInfo::numbers(name, None);
                    column.unit.clone_from(&unit);
                    schema.columns.push(column);
                }
            }
            Arc::new(schema)
        });
        Facts {
            columns,
            ..with_rows(call, call.rows("on"))
        }
    }

    fn run(self, context: &Context) -> Result<Dataset, Fault> {
        let data = &*self.on;
        let (network, child) = match &self.model {
            Model::Child(children) => {
                let child = measure::first(children)?;
                let network = child
                    .parent
                    .network()
                    .map_err(|fault| fault.inside("model"))?;
                (network, Some(child))
            }
            Model::Baseline(parents) => (measure::network(parents, "model")?, None),
        };
        let targets = measure::targets(network, "model")?;
        let rows = complete_rows(network, child, data)?;
        if rows.is_empty() {
            return Err(Fault::at("on", "no row has all inputs"));
        }
        let without = data.rows() - rows.len();
        if without > 0 {
            let all = data.rows();
            context.note(format!(
                "{without} of {all} rows lack an input or a predictor"
            ));
        }
        let entrant = self.model.entrant()?;
        let targets: Vec<String> = targets.iter().map(|it| it.name.clone()).collect();
        let mut columns = vec![vec![f64::NAN; data.rows()]; 2 * targets.len()];
        let (mut bad, mut all) = (0, 0);
        // Of the predictions of the members no more than these rows are kept.
        let at_once = match child.is_none_or(Child::is_by_row) {
            true => measure::AT_ONCE,
            false => rows.len(),
        };
        for rows in rows.chunks(at_once) {
            context.check_stop()?;
            let ensemble = entrant.predict(&data.take(rows), context)?;
            let (more_bad, more) = ensemble.not_finite();
            (bad, all) = (bad + more_bad, all + more);
            for (at, columns) in columns.chunks_exact_mut(2).enumerate() {
                let own = |values: &[f64]| -> Vec<f64> {
                    let own = values.iter().skip(at).step_by(targets.len());
                    own.copied().collect()
                };
                let of_target = ensemble.each(own);
                let mean = of_target.series("mean").unwrap_or_default();
                for (column, own) in columns.iter_mut().zip([mean, &spread(&of_target, mean)]) {
                    for (row, value) in rows.iter().zip(own) {
                        column[*row as usize] = *value;
                    }
                }
            }
        }
        measure::note_not_finite(&entrant.label, bad, all, context);
        let mut predicted = data.clone();
        let names = names(self.name.as_ref(), &targets);
        for (at, (name, values)) in names.into_iter().flatten().zip(columns).enumerate() {
            let unit = data.column(&targets[at / 2]).ok();
            let mut column = DataColumn::numbers(name, None, values);
            column.unit = unit.and_then(|column| column.unit.clone());
            predicted = predicted.with(column)?;
        }
        Ok(predicted)
    }
}

/// The rows that have all inputs of the network and, where the child leaves out the others, all
/// predictors.
fn complete_rows(
    network: &Network,
    child: Option<&Child>,
    data: &Dataset,
) -> Result<Vec<u32>, Fault> {
    let mut is_complete = vec![true; data.rows()];
    for input in network.inputs() {
        let pieces = data.column(&input.name)?.values.pieces();
        let mut complete = is_complete.iter_mut();
        for piece in pieces {
            let rows = piece.iter().zip(&mut complete);
            rows.for_each(|(value, is_complete)| *is_complete &= value.is_finite());
        }
    }
    if let Some(child) = child {
        let left_out = child.left_out(data)?;
        let rows = is_complete.iter_mut().zip(left_out);
        rows.for_each(|(is_complete, left_out)| *is_complete &= !left_out);
    }
    let rows = (0..)
        .zip(is_complete)
        .filter(|(_, is_complete)| *is_complete);
    Ok(rows.map(|(row, _)| row).collect())
}

/// The standard deviation of the members around their mean in each row.
fn spread(ensemble: &Ensemble, mean: &[f64]) -> Vec<f64> {
    let members: Vec<&[f64]> = ensemble.members().flatten().collect();
    let count = members.len() as f64;
    let spread = (0..mean.len()).map(|row| {
        let squares = members
            .iter()
            .map(|member| (member[row] - mean[row]).powi(2));
        (squares.sum::<f64>() / (count - 1.0)).sqrt()
    });
    spread.collect()
}

/// The columns of the mean and of the spread, for each target.
fn names(name: Option<&String>, targets: &[String]) -> Vec<[String; 2]> {
    let name = name.map_or("predicted", String::as_str);
    let names = match targets {
        [] | [_] => vec![name.to_owned()],
        several => several
            .iter()
            .map(|target| format!("{name}_{target}"))
            .collect(),
    };
    let with_spread = |name: String| {
        let spread = format!("{name}_spread");
        [name, spread]
    };
    names.into_iter().map(with_spread).collect()
}
