//! What is known of weights before they exist, and what is wrong with a call over them.

use std::sync::Arc;

use dsl::facts::{About, Coordinate};
use dsl::types::Kind;
use engine::plugin::{Complaint, Facts, NetworkFacts, Sketch, Steps, Training};

use crate::calls::lone_run;
use crate::patterns::unmatched;

/// What is known of weights computed from some inputs, row by row; `degree` is the sum of the
/// factors.
pub(crate) fn made(call: &Sketch, inputs: &[About], degree: f64) -> Facts {
    rows(call, inputs, degree, inputs.iter().all(About::is_single))
}

/// What is known of one row of weights computed from some inputs.
pub(crate) fn one(call: &Sketch, inputs: &[About], degree: f64) -> Facts {
    rows(call, inputs, degree, true)
}

fn rows(call: &Sketch, inputs: &[About], degree: f64, single: bool) -> Facts {
    let network = inputs.iter().find_map(|input| input.facts.network.as_ref());
    let network = network.map(|network| NetworkFacts {
        training: Training::Unknown,
        ..NetworkFacts::clone(network)
    });
    let many = inputs.iter().find(|input| !input.is_single());
    Facts {
        no_network: network.is_none(),
        network: network.map(Arc::new),
        degree: Some(degree),
        single,
        steps: many
            .and_then(|input| input.facts.steps.clone())
            .filter(|_| !single),
        tensors: inputs.iter().find_map(|it| it.facts.tensors.clone()),
        rows: many.and_then(most_rows).filter(|_| !single),
        coordinates: match single {
            true => any(inputs),
            false => in_common(inputs),
        },
        ..call.inherited()
    }
}

/// The largest number of rows that a table can have for each member, where it is known.
pub(crate) fn most_rows(input: &About) -> Option<u64> {
    if input.is_single() {
        return Some(1);
    }
    let of_steps = || match input.facts.steps.as_ref()? {
        Steps::Listed(steps) => Some(steps.len() as u64),
        Steps::Series { first, every, most } => {
            let after = (*most)?.saturating_sub(*first) / every.max(&1);
            Some(after.saturating_add(1))
        }
    };
    // Elsewhere several rows can have one step.
    let is_row_by_step = matches!(input.kind, Kind::Trajectory | Kind::Farcast);
    let known = input.facts.rows;
    known.or_else(|| of_steps().filter(|_| is_row_by_step))
}

/// The coordinates that one of these may have, each once.
pub(crate) fn any(inputs: &[About]) -> Option<Vec<Coordinate>> {
    inputs
        .iter()
        .try_fold(vec![Coordinate::number("row")], |mut all, input| {
            for coordinate in input.coordinates()? {
                if !has(&all, &coordinate) {
                    all.push(coordinate);
                }
            }
            Some(all)
        })
}

fn has(all: &[Coordinate], coordinate: &Coordinate) -> bool {
    all.iter().any(|it| it.name == coordinate.name)
}

/// The coordinates that all tables of many rows may have.
fn in_common(inputs: &[About]) -> Option<Vec<Coordinate>> {
    let tables = inputs.iter().filter(|input| !input.is_single());
    let mut all = tables.map(About::coordinates);
    let first = all.next()??;
    all.try_fold(first, |mut common, other| {
        let other = other?;
        common.retain(|coordinate| has(&other, coordinate));
        Some(common)
    })
}

/// Refuses patterns that are empty or match no name of the tensors of `weights`.
pub(crate) fn misnamed(call: &Sketch, param: &str) -> Option<Complaint> {
    let patterns = call.get::<Vec<String>>(param)?;
    if patterns.iter().any(|pattern| pattern.is_empty()) {
        return Some(unnamed(param));
    }
    let tensors = call.input("weights")?.facts.tensors.clone()?;
    let names: Vec<&str> = tensors.iter().map(|(name, _)| &name[..]).collect();
    let (message, hint) = unmatched(&names, &patterns)?;
    Some(Complaint::at(param, message).with_hint(hint))
}

/// Refuses to choose tensors without a name.
pub(crate) fn unnamed(param: &str) -> Complaint {
    let message = "expected names of tensors, found an empty one";
    Complaint::at(param, message).with_hint("`\"layers.0.*\"` is the first layer")
}

/// Refuses inputs that are known to be of different networks, or of other members.
pub(crate) fn mixed(inputs: &[About], param: &str) -> Option<Complaint> {
    different(inputs, param).or_else(|| lone_run(inputs, param))
}

fn different(inputs: &[About], param: &str) -> Option<Complaint> {
    let known = inputs
        .iter()
        .filter_map(|input| Some((input, input.facts.network.as_ref()?)));
    let mut known = known;
    let (first, network) = known.next()?;
    let differs = |other: &NetworkFacts| {
        let pairs = network.weights.zip(other.weights);
        let layers = network.layers.as_ref().zip(other.layers.as_ref());
        let reads = |network: &NetworkFacts| (network.inputs.clone(), network.targets.clone());
        let is_known = |network: &NetworkFacts| !network.inputs.is_empty();
        let reads_others = is_known(network) && is_known(other) && reads(network) != reads(other);
        pairs.is_some_and(|(a, b)| a != b) || layers.is_some_and(|(a, b)| a != b) || reads_others
    };
    let (other, found) = known.find(|(_, other)| differs(other))?;
    let message = format!(
        "`{}` and `{}` are different networks",
        first.name, other.name
    );
    let is_alike = network.layers == found.layers;
    let say = |about: &About, network: &NetworkFacts| match is_alike {
        true => format!(
            "`{}` predicts {} from {}",
            about.name,
            network.targets.join(", "),
            network.inputs.join(", ")
        ),
        false => format!(
            "`{}` has {}",
            about.name,
            network.layers.clone().unwrap_or_default()
        ),
    };
    let complaint = Complaint::at(param, message);
    Some(complaint.with_hint(format!("{}; {}", say(first, network), say(other, found))))
}

/// What to do with many rows where one is expected.
pub(crate) const MANY: &str =
    "`pick` chooses rows, `average` makes one of many, `members` a member of each";

/// Refuses to call what is no single network a parent or a child.
pub(crate) fn network(call: &Sketch, degree: f64, single: bool) -> Option<Complaint> {
    if !matches!(call.kind(), Kind::Parent | Kind::Child) {
        return None;
    }
    if !is(degree, 1.0) {
        let message = match is(degree, 0.0) {
            true => "these are differences of networks, not a network".to_owned(),
            false => format!("expected factors that sum to 1, found {degree}"),
        };
        let hint = "add them to a network, or write `weights` as the keyword";
        return Some(Complaint::new(message).with_hint(hint));
    }
    if !single {
        let message = format!(
            "expected one row of weights for a {}, found many",
            call.kind()
        );
        return Some(Complaint::new(message).with_hint(MANY));
    }
    None
}

/// Whether a sum of factors is this number.
pub(crate) fn is(degree: f64, number: f64) -> bool {
    (degree - number).abs() <= 1e-9
}

/// A sum of numbers, without the noise of its last digits.
pub(crate) fn short(degree: f64) -> f64 {
    let rounded = (degree * 1e9).round() / 1e9;
    // No negative zero.
    rounded + 0.0
}
