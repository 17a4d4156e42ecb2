//! Training that is repeated to see the states on its way.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::plugin::{Complaint, Context, Sketch, Training};

use crate::parents::Parent;

/// Trains a parent again to the bytes that it has, and calls `each` with every step and state.
///
/// # Errors
/// When its training is not known, or gives other weights here; those of `each`.
pub(crate) fn again(
    parent: &Parent,
    data: Option<&Dataset>,
    context: &Context,
    each: &mut dyn FnMut(u64, &[f32]) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let (Some(training), Some(data)) = (&parent.training, data) else {
        let (message, hint) = UNKNOWN;
        return Err(Fault::at("parent", message).with_hint(hint));
    };
    let network = parent.network()?.clone();
    let again = training
        .recipe
        .clone()
        .train(network, data, context, each)?;
    let mut pairs = again.weights.iter().zip(&parent.weights);
    match pairs.all(|(again, weight)| again.to_bits() == weight.to_bits()) {
        true => Ok(()),
        false => Err(Fault::Environment(
            "training again gave other weights than the parent has: it was trained on a machine \
             with other vector instructions, and must be recorded there"
                .to_owned(),
        )),
    }
}

const UNKNOWN: (&str, &str) = (
    "its training is not known: it was made elsewhere",
    "`checkpoints` reads the states that were saved there",
);

/// Refuses a parent without steps of training to repeat.
pub(crate) fn no_steps(call: &Sketch) -> Option<Complaint> {
    let parent = call.input("parent");
    let training = match parent.is_some_and(|parent| parent.facts.no_network) {
        true => Some(Training::Unknown),
        false => call.network("parent").map(|network| network.training),
    };
    let (message, hint) = match training {
        Some(Training::Unknown) => UNKNOWN,
        Some(Training::Solved) => (
            "it was solved exactly, without steps to record",
            "record a parent that is trained by steps, such as `linear_regression`",
        ),
        Some(Training::Steps { .. } | Training::Program) | None => return None,
    };
    Some(Complaint::at("parent", message).with_hint(hint))
}
