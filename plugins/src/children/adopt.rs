//! `adopt`: networks with farcast weights.

use std::sync::Arc;

use dsl::facts::About;
use dsl::types::Kind;
use engine::artifact::{Layout, Saved};
use engine::error::Fault;
use engine::params::{Input, MaybeVia};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, NetworkFacts, Plugin, Sketch, Steps, Training};

use super::support::fitted::fitted;
use crate::farcasts::Farcast;
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
        if parent.is_some_and(|parent| !parent.facts.no_network) && call.has("like") {
            let message = "the network of these weights is known";
            return vec![Complaint::at("like", message).with_hint("leave `like` out")];
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
            .and_then(|like| lone_run(&farcast, &like))
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
        Facts {
            network: network.map(Arc::new),
            no_network: parent.is_none_or(|parent| parent.facts.no_network),
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
            return run_by(like, &layout, &weights, saved);
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

/// Refuses the networks of many members for the weights of one run.
fn lone_run(farcast: &About, like: &About) -> Option<Complaint> {
    let [runs, networks] = [farcast, like].map(|it| it.members.unwrap_or(1));
    let message = format!(
        "`{}` has {networks} members, `{}` is a farcast of one run",
        like.name, farcast.name
    );
    let hint = format!("one network is `member({}, 0)`", like.name);
    (runs == 1 && networks > 1).then(|| Complaint::at("like", message).with_hint(hint))
}

/// Weights of whatever tensors as those of the network of a parent.
fn run_by(
    like: &Parent,
    layout: &Layout,
    weights: &[f32],
    saved: Option<Arc<Saved>>,
) -> Result<Parent, Fault> {
    let places = fitted(layout, &like.layout).map_err(|what| Fault::at("like", what))?;
    let ranges: Vec<_> = layout.ranges().collect();
    let ordered = places
        .iter()
        .flat_map(|place| &weights[ranges[*place].1.clone()]);
    let names = places.iter().zip(&like.layout.tensors);
    let names = names.map(|(place, tensor)| (ranges[*place].0.name.clone(), tensor.name.clone()));
    let names = names.collect();
    Ok(Parent {
        layout: like.layout.clone(),
        weights: ordered.copied().collect(),
        network: Some(like.network()?.clone()),
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
