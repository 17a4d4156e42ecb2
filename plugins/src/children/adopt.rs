//! `adopt`: networks with farcast weights.

use std::sync::Arc;

use dsl::types::Kind;
use engine::error::Fault;
use engine::params::{Input, MaybeVia};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, NetworkFacts, Plugin, Sketch, Steps, Training};

use crate::farcasts::Farcast;
use crate::parents::Parent;

plugin! {
    /// Networks with the weights of a farcast, the same for all rows.
    ///
    /// As a `child` they are compared with their parents, as a `parent` they can be fine-tuned.
    /// A farcast of `checkpoints` has no network to run its weights: `--weights` writes them with
    /// the tensor names they came with. Time and memory are those of copying one network.
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
        let (horizon, farcast) = (call.get::<u64>("horizon"), call.input("farcast"));
        let (Some(horizon), Some(farcast)) = (horizon, farcast) else {
            return Vec::new();
        };
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
        })
    }
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
