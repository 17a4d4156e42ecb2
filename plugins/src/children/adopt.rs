//! `adopt`: networks with farcast weights.

use std::sync::Arc;

use dsl::types::Kind;
use engine::artifact::{Dataset, Layout, Saved, Tensor};
use engine::error::Fault;
use engine::params::{Column, Input, MaybeVia};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, NetworkFacts, Plugin, Sketch, Steps, Training};

use super::support::architecture::{Architecture, scaled};
use super::support::fitted::fitted;
use crate::calls::lone_run;
use crate::farcasts::Farcast;
use crate::networks::Network;
use crate::parents::{Parent, not_runnable};

plugin! {
    /// Networks with the weights of a farcast, the same for all rows.
    ///
    /// As a `child` they are compared with their parents, as a `parent` they can be fine-tuned.
    /// A farcast of `checkpoints` has no network to run its weights: `--weights` and `farcast
    /// export` write them with the names, types and shards they came with, and what was saved
    /// beside them in the last state, such as running statistics, unchanged. With `like`, the
    /// network of a parent runs them, when the shapes of its tensors are theirs: by name, or
    /// module after module, `net.0.weight` and `net.2.weight` as `layers.0.weight` and
    /// `layers.1.weight`. It standardises inputs and target by the data of that parent.
    /// `network: mlp(hidden: [8], activation: relu)` is such a network without a parent: it reads
    /// the columns `inputs` and predicts `target`, both as they are or `standardised_by` data.
    /// Rows of other tables of weights become networks by `pick` and `members`.
    ///
    /// Time and memory are those of copying one network.
    ///
    /// ```farcast
    /// farcast later = linear(walk, observe: 4..=16, horizon: [24, 32])
    /// child grown = adopt(later, horizon: 32)
    /// score gained = compare(net, grown, on: unseen)
    /// ```
    "adopt" version 1
    pub struct Adopt {
        /// The weights.
        farcast: Input<Farcast>;
        /// Which of its horizons: a step, or the number of recurrences.
        horizon: u64;
        /// A parent whose network runs weights from elsewhere.
        like: Option<Input<Parent>>;
        /// A network that runs weights from elsewhere.
        network: Option<Architecture>;
        /// The columns that `network` reads, in the order of its inputs.
        inputs: Option<Vec<Column>>, needed();
        /// The column that `network` predicts.
        target: Option<Column>, target();
        /// The data whose mean and deviation `network` standardises inputs and target by; as they
        /// are when left out.
        standardised_by: Option<Input<Dataset>>;
        /// The networks they are weights of; none for runs from elsewhere.
        parent: MaybeVia<Parent>, via("farcast.trajectory.parent");
    }
}

impl Plugin for Adopt {
    type Output = Parent;

    fn kinds() -> Vec<Kind> {
        vec![Kind::Child, Kind::Parent]
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let parent = call.via("farcast.trajectory.parent");
        let has_network = parent.is_some_and(|parent| !parent.facts.no_network);
        if let Some(given) = ["like", "network"].into_iter().find(|it| call.has(it))
            && has_network
        {
            let message = "the network of these weights is known";
            return vec![Complaint::at(given, message).with_hint(format!("leave `{given}` out"))];
        }
        if let Some(complaint) = misfit(call) {
            return vec![complaint];
        }
        if let Some(complaint) = not_runnable(call, "like") {
            return vec![complaint];
        }
        let (horizon, farcast) = (call.get::<u64>("horizon"), call.input("farcast"));
        let (Some(horizon), Some(farcast)) = (horizon, farcast) else {
            return Vec::new();
        };
        if let Some(complaint) = call
            .input("like")
            .and_then(|like| lone_run(&[farcast, like], "like"))
        {
            return vec![complaint];
        }
        let lacking = farcast.facts.steps.as_ref();
        let lacking = lacking.filter(|steps| !steps.may_have(horizon));
        let complaint = |steps: &Steps| {
            let message = format!("`{}` has no horizon {horizon}", farcast.name);
            let complaint = Complaint::at("horizon", message);
            match steps {
                Steps::Listed(steps) => {
                    let known: Vec<String> = steps.iter().map(u64::to_string).collect();
                    complaint.with_hint(format!("horizons: {}", known.join(", ")))
                }
                Steps::Series { .. } => complaint,
            }
        };
        Vec::from_iter(lacking.map(complaint))
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let parent = call.via("farcast.trajectory.parent");
        let parent = call.input("like").or(parent);
        let network = parent.and_then(|parent| parent.facts.network.as_ref());
        let network = network.map(|network| NetworkFacts {
            training: Training::Unknown,
            ..NetworkFacts::clone(network)
        });
        let network = given_network(call).or(network);
        Facts {
            no_network: network.is_none() && parent.is_none_or(|parent| parent.facts.no_network),
            network: network.map(Arc::new),
            ..call.inherited()
        }
    }

    fn run(self, context: &Context) -> Result<Parent, Fault> {
        let member = context.member().unwrap_or(0);
        let rows = self.farcast.rows_of(member)?;
        if rows.is_empty() {
            return Err(Fault::Diverged(format!("member {member} was not farcast")));
        }
        let Some((_, row)) = rows.iter().find(|(horizon, _)| *horizon == self.horizon) else {
            let known: Vec<String> = rows.iter().map(|(h, _)| h.to_string()).collect();
            let message = format!("`{}` has no horizon {}", self.farcast.label, self.horizon);
            return Err(
                Fault::at("horizon", message).with_hint(format!("horizons: {}", known.join(", ")))
            );
        };
        let weights = self.farcast.predicted.networks(&[*row])?.concat();
        if weights.iter().any(|weight| !weight.is_finite()) {
            return Err(Fault::Diverged(
                "the farcast weights are not finite".to_owned(),
            ));
        }
        let layout = self.farcast.predicted.layout.clone();
        let saved = self.farcast.predicted.saved.clone();
        if let Some(like) = &self.like {
            let network = like.network()?.clone();
            return run_by(network, "like", &layout, &weights, saved);
        }
        if let Some(network) = &self.network {
            let network = self.over_columns(network)?;
            return run_by(network, "network", &layout, &weights, saved);
        }
        let parent = self.parent.0.as_deref();
        if parent.is_some_and(|parent| parent.layout != layout) {
            let what = "the farcast is of another network than the parent";
            return Err(Fault::Bug(what.to_owned()));
        }
        Ok(Parent {
            layout,
            weights,
            network: parent.and_then(|parent| parent.network.clone()),
            losses: Vec::new(),
            training: None,
            states: None,
            saved,
        })
    }
}

/// What is known of the network of a call that gives it itself.
fn given_network(call: &Sketch) -> Option<NetworkFacts> {
    let network = call.get::<Architecture>("network")?;
    let inputs: Vec<Column> = call.get("inputs")?;
    let layout = network.layout(inputs.len());
    Some(NetworkFacts {
        inputs: inputs.into_iter().map(|column| column.0).collect(),
        targets: vec![call.get::<Column>("target")?.0],
        classes: network.is_of_classes(),
        weights: Some(layout.len() as u64),
        layers: call.text("network"),
        training: Training::Unknown,
        beside_dense: None,
        layered: true,
    })
}

/// Why the network of a call cannot run its weights.
fn misfit(call: &Sketch) -> Option<Complaint> {
    const OF_NETWORK: [&str; 3] = ["inputs", "target", "standardised_by"];
    if !call.has("network") {
        let idle = OF_NETWORK.into_iter().find(|it| call.has(it))?;
        let message = format!("`{idle}` is of a `network`, and none is given");
        return Some(Complaint::at(idle, message).with_hint("give `network: mlp(hidden: [8])`"));
    }
    if call.has("like") {
        let message = "`like` and `network` both give the network: expected one";
        return Some(Complaint::at("network", message));
    }
    if let Some(lacking) = ["inputs", "target"].into_iter().find(|it| !call.has(it)) {
        let message = format!("`network` needs `{lacking}`, the columns of its data");
        return Some(Complaint::at("network", message));
    }
    let network = call.get::<Architecture>("network")?;
    if let Some(complaint) = network.complaint() {
        return Some(complaint);
    }
    let inputs: Vec<Column> = call.get("inputs")?;
    if inputs.is_empty() {
        let message = "expected one input or more, found none";
        return Some(Complaint::at("inputs", message));
    }
    let farcast = call.input("farcast")?;
    let tensors = farcast.facts.tensors.as_ref()?.iter();
    let tensors = tensors.map(|(name, shape)| Tensor {
        name: name.clone(),
        shape: shape.clone(),
    });
    let weights = Layout {
        tensors: tensors.collect(),
    };
    let misfit = fitted(&weights, &network.layout(inputs.len())).err()?;
    Some(Complaint::at("network", misfit))
}

impl Adopt {
    /// The network over the columns of the call.
    fn over_columns(&self, network: &Architecture) -> Result<Network, Fault> {
        let lacks = |what: &str| Fault::at("network", format!("`network` needs `{what}`"));
        let inputs = self.inputs.as_ref().ok_or_else(|| lacks("inputs"))?;
        let target = self.target.as_ref().ok_or_else(|| lacks("target"))?;
        let of_column = |name: &str| match &self.standardised_by {
            None => scaled(name, None),
            Some(data) => scaled(name, Some(data.values(name)?)),
        };
        let inputs = inputs.iter().map(|column| of_column(&column.0));
        let target = match network.is_of_classes() {
            // Classes are counted, not measured.
            true => scaled(&target.0, None)?,
            false => of_column(&target.0)?,
        };
        Ok(network.network(inputs.collect::<Result<_, _>>()?, target))
    }
}

/// Weights of whatever tensors as those of a network that an argument gives.
fn run_by(
    network: Network,
    given: &str,
    layout: &Layout,
    weights: &[f32],
    saved: Option<Arc<Saved>>,
) -> Result<Parent, Fault> {
    let own = network.layout();
    let places = fitted(layout, &own).map_err(|what| Fault::at(given, what))?;
    let ranges: Vec<_> = layout.ranges().collect();
    let ordered = places
        .iter()
        .flat_map(|place| &weights[ranges[*place].1.clone()]);
    let names = places.iter().zip(&own.tensors);
    let names = names.map(|(place, tensor)| (ranges[*place].0.name.clone(), tensor.name.clone()));
    let names = names.collect();
    Ok(Parent {
        weights: ordered.copied().collect(),
        layout: own,
        network: Some(network),
        losses: Vec::new(),
        training: None,
        states: None,
        saved: saved.map(|saved| Arc::new(Saved::clone(&saved).relabelled(&names))),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use engine::artifact::{AnyArtifact, Artifact};

    use super::*;
    use crate::children::Child;
    use crate::farcasts::Persistence;
    use crate::farcasts::support::testing::run;
    use crate::networks::testing::network;
    use crate::networks::{Loss, Scaled};
    use crate::predictors::tests::dataset;
    use crate::testing::{call, given};

    fn adopt(horizon: u64) -> Adopt {
        let runs = [("w", given(run(0.3)))];
        let last: Persistence = call("w, observe: [20], horizon: [30]", &runs);
        let columns = |names: &[&str]| names.iter().map(|name| Scaled::as_is(name)).collect();
        Adopt {
            farcast: Input::new(last.run(&Context::alone("last")).unwrap()),
            horizon,
            like: None,
            network: None,
            inputs: None,
            target: None,
            standardised_by: None,
            parent: MaybeVia(Some(Input::new(Parent::new(
                network(
                    [columns(&["a", "b", "c"]), columns(&["s", "t"])],
                    &[3, 4, 2],
                    Loss::Mse,
                ),
                vec![0.0; 26],
            )))),
        }
    }

    #[test]
    fn the_network_has_the_farcast_weights_as_a_parent_and_as_a_child() {
        let parent = adopt(30).run(&Context::alone("adopt")).unwrap();
        let expected = run(0.3).networks(&[2]).unwrap().concat();
        assert_eq!(parent.weights, expected);
        let stored: AnyArtifact = Arc::new(parent.clone());
        let child = Child::from_stored(&stored).unwrap();
        let data = dataset(&[("a", &[0.1, 0.2]), ("b", &[0.3, -0.4]), ("c", &[0.0, 1.0])]);
        let network = parent.network().unwrap();
        let inputs = network.inputs_of(&data).unwrap();
        let expected = network.unscale(&network.evaluate(&expected, &inputs, 2));
        for (found, expected) in child.predict(&data).unwrap().iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn a_horizon_that_is_not_there_is_refused() {
        let fault = adopt(40).run(&Context::alone("adopt")).unwrap_err();
        assert_eq!(fault.to_string(), "`` has no horizon 40");
    }
}
