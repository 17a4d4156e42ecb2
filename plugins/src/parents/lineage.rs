//! Which call made the networks that another one goes on from, and what computes their gradients.

use dsl::experiment::{Experiment, Node, NodeId, Value};
use engine::params::Declared;

use super::{Conv, Transformer};
use crate::recipes::trainer_words;

/// What trains the networks that `parent` made in a call that may choose, in the words of the plan.
pub fn trainer_of(call: &Node, parent: &Node) -> String {
    let refused = match &parent.plugin {
        plugin if *plugin == Conv::NAME => Conv::not_fused(parent),
        plugin if *plugin == Transformer::NAME => Some(Transformer::NOT_FUSED),
        _ => None,
    };
    trainer_words(call, refused)
}

/// What leads from a call to the networks it goes on from: `adopt` takes those that its farcast
/// foretells.
const LEADS: [&str; 3] = ["parent", "farcast", "trajectory"];

/// The call that made the networks that a call goes on from, farcast and adopted or not.
pub fn parent_of<'a>(call: &Node, experiment: &'a Experiment) -> Option<&'a Node> {
    let lead = LEADS.iter().find_map(|lead| call.args.get(*lead))?;
    let Value::Node(NodeId(from)) = lead.value else {
        return None;
    };
    let from = experiment.nodes.get(from)?;
    parent_of(from, experiment).or(Some(from))
}
