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
        let (network, left_out) = match &self.model {
            Model::Child(children) => {
                let child = measure::first(children)?;
                let network = child
                    .parent
                    .network()
                    .map_err(|fault| fault.inside("model"))?;
                (network, Some(child.left_out(data)?))
            }
            Model::Baseline(parents) => (measure::network(parents, "model")?, None),
        };
        let targets = measure::targets(network, "model")?;
        let inputs = network
            .inputs()
            .iter()
            .map(|input| data.values(&input.name));
        let inputs = inputs.collect::<Result<Vec<_>, Fault>>()?;
        let is_complete = |row: &u32| {
            let row = *row as usize;
            inputs.iter().all(|input| input[row].is_finite())
                && !left_out.as_ref().is_some_and(|left_out| left_out[row])
        };
        let rows: Vec<u32> = (0..).take(data.rows()).filter(is_complete).collect();
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
        let ensemble = self.model.predict(&data.take(&rows), context)?;
        measure::note_not_finite(&ensemble, context);
        let targets: Vec<String> = targets.iter().map(|it| it.name.clone()).collect();
        let mut predicted = data.clone();
        for (at, names) in names(self.name.as_ref(), &targets).into_iter().enumerate() {
            let own = |values: &[f64]| -> Vec<f64> {
                let own = values.iter().skip(at).step_by(targets.len());
                own.copied().collect()
            };
            let of_target = ensemble.each(own);
            let mean = of_target.series("mean").unwrap_or_default();
            let unit = data.column(&targets[at]).ok();
            let unit = unit.and_then(|column| column.unit.clone());
            for (name, own) in names.into_iter().zip([mean, &spread(&of_target, mean)]) {
                let mut values = vec![f64::NAN; data.rows()];
                for (row, value) in rows.iter().zip(own) {
                    values[*row as usize] = *value;
                }
                let mut column = DataColumn::numbers(name, None, values);
                column.unit.clone_from(&unit);
                predicted = predicted.with(column)?;
            }
        }
        Ok(predicted)
    }
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
