//! `pick(walk, step >= 4000)`: some rows of a table.

use dsl::types::Kind;
use engine::error::Fault;
use engine::params::{Condition, Input, Origins};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::Weights;
use super::average::values;
use super::support::facts::{made, network, one};
use super::support::rows::{Rows, common, take};
use super::support::stream::{Source, Target, write};
use crate::parents::Parent;

plugin! {
    /// The rows of a table whose coordinates meet a condition.
    ///
    /// The coordinates are `step` along training, `subset` and `repeat` of anomalies, `horizon`
    /// of farcasts, the swept params of `across`, the columns that `safetensors` has of its models,
    /// and `row`. The name of a swept param means what the row has of it; words and constructors are
    /// texts, `optimizer == "sgd"`. As a `parent` or a `child` it must be one row; whether it is
    /// shows in the run. `adopt(farcast, horizon: h)` is `pick(farcast, horizon == h)`.
    ///
    /// ```farcast
    /// weights late = pick(walk, step >= 8)
    /// parent swa = average(late)
    /// ```
    "pick" version 2
    pub struct Pick {
        /// The rows.
        weights: Input<Weights>;
        /// Which of them.
        when: Condition, coordinates();
        /// The networks that the weights belong to.
        networks: Origins<Parent>, origins("weights");
    }
}

impl Plugin for Pick {
    type Output = Weights;

    fn kinds() -> Vec<Kind> {
        vec![Kind::Weights, Kind::Parent, Kind::Child]
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let degree = call.input("weights").map_or(1.0, |input| input.degree());
        let wrong = network(call, degree, true).or_else(|| miscounted(call));
        Vec::from_iter(wrong)
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let inputs = call.inputs("weights");
        let degree = inputs.first().map_or(1.0, |input| input.degree());
        let counts = met(call).map(|(_, counts)| counts);
        let is_one = counts
            .as_ref()
            .is_some_and(|counts| counts.iter().all(|count| *count == 1));
        let known = match is_one || matches!(call.kind(), Kind::Parent | Kind::Child) {
            true => one(call, &inputs, degree),
            false => made(call, &inputs, degree),
        };
        Facts {
            steps: None,
            rows: match counts.filter(|_| !known.single) {
                Some(counts) => counts.iter().max().map(|most| *most as u64),
                None => known.rows,
            },
            // A single row keeps what is known of it.
            coordinates: inputs.first().and_then(|input| input.coordinates()),
            ..known
        }
    }

    fn run(self, context: &Context) -> Result<Weights, Fault> {
        let rows = Rows::of(&self.weights, context.member())?;
        let met = values(&rows, &self.when.0, "when")?;
        let kept: Vec<usize> = (0..met.len()).filter(|row| met[*row] == 1.0).collect();
        if kept.is_empty() {
            let message = format!("none of {} rows meets the condition", met.len());
            return Err(Fault::at("when", message));
        }
        let (layout, network) = common(
            std::slice::from_ref(&rows),
            &self.networks,
            "weights",
            context,
        )?;
        let target = Target {
            layout,
            coordinates: take(&rows.coordinates, &kept)?,
            network,
        };
        let sources = [Source {
            table: rows.table,
            rows: kept.iter().map(|row| rows.rows[*row]).collect(),
        }];
        write(target, &sources, context, |_, blocks, made| {
            for (to, weight) in made.iter_mut().zip(&blocks[0].values) {
                *to = f64::from(*weight);
            }
            Ok(())
        })
    }
}

/// How many rows there are and how many are picked, in each case that the data may decide; none
/// where that does not follow from the steps alone.
fn met(call: &Sketch) -> Option<(usize, Vec<usize>)> {
    let condition = call.get::<Condition>("when")?.0;
    // Of a farcast, the steps are its horizons.
    let is_farcast = call.input("weights")?.kind == Kind::Farcast;
    match condition.columns()[..] {
        ["step"] => {}
        ["horizon"] if is_farcast => {}
        _ => return None,
    }
    let cases = call.steps("weights")?.possible(None)?;
    let counts = cases.iter().map(|steps| {
        let steps: Vec<f64> = steps.iter().map(|step| *step as f64).collect();
        let met = condition.evaluate(steps.len(), &|_| Some(steps[..].into()));
        let met = met.ok()?.into_iter();
        Some(met.filter(|is_met| *is_met == 1.0).count())
    });
    let rows = cases.last().map_or(0, Vec::len);
    Some((rows, counts.collect::<Option<_>>()?))
}

/// Refuses a condition that no row meets, or several where one is asked for, whatever the data.
fn miscounted(call: &Sketch) -> Option<Complaint> {
    if let Some(wrong) = without_coordinate(call) {
        return Some(wrong);
    }
    let (rows, counts) = met(call)?;
    let most = counts.iter().copied().max()?;
    if most == 0 {
        let message = format!("none of {rows} rows meets the condition");
        let wrong = Complaint::at("when", message);
        return Some(match steps_text(call) {
            Some(text) => wrong.with_hint(text),
            None => wrong,
        });
    }
    let is_network = matches!(call.kind(), Kind::Parent | Kind::Child);
    let is_many = is_network && counts.iter().all(|count| *count > 1);
    is_many.then(|| {
        let message = format!("expected one row for a {}, found {most}", call.kind());
        Complaint::at("when", message).with_hint("`average` makes one of many")
    })
}

/// Refuses a condition that is false whatever the row, as one of a param is.
fn without_coordinate(call: &Sketch) -> Option<Complaint> {
    let condition = call.get::<Condition>("when")?.0;
    if !condition.columns().is_empty() {
        return None;
    }
    let met = condition.evaluate(1, &|_| None).ok()?;
    (met.first() == Some(&0.0)).then(|| {
        let message = "no row meets the condition: it names no coordinate of the rows";
        Complaint::at("when", message)
    })
}

/// The steps that there are: all of a few, the ends of many.
fn steps_text(call: &Sketch) -> Option<String> {
    let steps = call.steps("weights")?.possible(None)?.pop()?;
    let name = match call.input("weights")?.kind {
        Kind::Farcast => "horizons",
        _ => "steps",
    };
    Some(match &steps[..] {
        few if few.len() <= 8 => {
            let few: Vec<String> = few.iter().map(ToString::to_string).collect();
            format!("{name}: {}", few.join(", "))
        }
        [first, second, .., last] => format!("{name}: {first}, {second}, … {last}"),
        _ => return None,
    })
}
