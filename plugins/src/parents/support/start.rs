//! `start`, `init`, `freeze` and `mask`: where the training of a parent begins, and what stays there.

use std::collections::BTreeMap;

use engine::artifact::Layout;
use engine::error::Fault;
use engine::group;
use engine::params::Input;
use engine::plugin::{Complaint, Context, Sketch};

use super::init::Init;
use crate::networks::{Difference, Network};
use crate::parents::Parent;
use crate::patterns::{chosen, unmatched};
use crate::recipes::{FIRST, Freedom, StartingPoint};

group! {
    /// Where training begins, and which weights stay there.
    #[derive(Default)]
    pub struct StartOptions {
        /// The weights that training begins with, instead of drawn ones: a network with the same
        /// tensors. One that reads and predicts the same columns in the same way gives the
        /// means and deviations of these columns, too.
        start: Option<Input<Parent>>, not_in_stream();
        /// How the first weights are drawn where there is no `start`; as `torch()` when left out.
        init: Option<Init>, not_in_stream();
        /// The names of tensors that stay as they begin; a `*` matches any text.
        freeze: Vec<String> = "[]", not_in_stream();
        /// A network with the same tensors: where its weights are zero, those trained are zero
        /// from the start to the end.
        mask: Option<Input<Parent>>, not_in_stream();
    }
}

const NOTHING: &str = "all weights stay as they begin: there is nothing to train";

impl StartOptions {
    /// What is wrong with the start of a call whose network has these tensors, where they are
    /// known.
    pub fn check(call: &Sketch, layout: Option<&Layout>) -> Vec<Complaint> {
        let members = call.get::<u32>("members").unwrap_or(1);
        let networks = ["start", "mask"].into_iter().filter_map(|param| {
            let input = call.input(param)?;
            let found = input.members.unwrap_or(1);
            if found != 1 && found != members {
                let message = format!("expected {members} members, or one, found {found}");
                let hint = format!("write `members: {found}`, or `member({}, 0)`", input.name);
                return Some(Complaint::at(param, message).with_hint(hint));
            }
            let (wanted, found) = (layout?, input.facts.tensors.as_ref()?);
            let wanted: BTreeMap<_, _> = (wanted.tensors.iter())
                .map(|it| (it.name.clone(), it.shape.clone()))
                .collect();
            let found: BTreeMap<_, _> = found.iter().cloned().collect();
            let (name, shape) = wanted
                .iter()
                .find(|(name, shape)| found.get(*name) != Some(shape))?;
            let message = format!("`{}` is a network of other tensors", input.name);
            let hint = match found.get(name) {
                Some(found) => format!("`{name}` is {found:?} there, {shape:?} here"),
                None => format!("it has no `{name}`"),
            };
            let resize = "`resize(…, like: …)` makes a network of another size";
            Some(Complaint::at(param, message).with_hint(format!("{hint}; {resize}")))
        });
        let patterns = call.get::<Vec<String>>("freeze").unwrap_or_default();
        let frozen = layout.filter(|_| !patterns.is_empty()).and_then(|layout| {
            let names: Vec<&str> = layout.tensors.iter().map(|it| &it.name[..]).collect();
            if let Some((message, hint)) = unmatched(&names, &patterns) {
                return Some(Complaint::at("freeze", message).with_hint(hint));
            }
            let frozen = chosen(layout, &patterns, "freeze").ok()?;
            let all = frozen.iter().all(|is_frozen| *is_frozen);
            all.then(|| Complaint::at("freeze", NOTHING))
        });
        let empty = patterns.iter().any(|pattern| pattern.is_empty()).then(|| {
            let message = "expected names of tensors, found an empty one";
            Complaint::at("freeze", message).with_hint("`\"layers.0.*\"` is the first layer")
        });
        let init = call.get::<Init>("init").and_then(|init| {
            let twice = call.has("start").then(|| {
                let complaint = Complaint::at("init", "`start` has the first weights");
                complaint.with_hint("leave `init` or `start` out")
            });
            twice.or_else(|| init.complaint(layout))
        });
        networks.chain(empty.or(frozen)).chain(init).collect()
    }

    /// Where a network of this shape begins, with the columns that it has then.
    ///
    /// # Errors
    /// When `start` or `mask` have other tensors, a pattern matches none, or nothing is left to
    /// train.
    pub fn of(
        &self,
        network: Network,
        context: &Context,
    ) -> Result<(Network, StartingPoint), Fault> {
        let layout = network.layout();
        for (param, given) in [("start", &self.start), ("mask", &self.mask)] {
            let others = given.as_ref().and_then(|it| layout.difference(&it.layout));
            if let Some(what) = others {
                let message = format!("these are weights of a network of other tensors: {what}");
                return Err(Fault::at(param, message));
            }
        }
        let weights = match (&self.start, &self.init) {
            (Some(start), _) => Some(start.weights.clone()),
            (None, Some(init)) => init.draw(&network, &mut context.rng(FIRST))?,
            (None, None) => None,
        };
        let mut point = StartingPoint {
            weights,
            freedom: Vec::new(),
        };
        if !self.freeze.is_empty() || self.mask.is_some() {
            point.freedom = vec![Freedom::Free; layout.len()];
            let frozen = chosen(&layout, &self.freeze, "freeze")?;
            for ((_, range), is_frozen) in layout.ranges().zip(frozen) {
                if is_frozen {
                    point.freedom[range].fill(Freedom::Frozen);
                }
            }
            let mask = self.mask.iter().flat_map(|mask| &mask.weights);
            for (freedom, weight) in point.freedom.iter_mut().zip(mask) {
                if *weight == 0.0 {
                    *freedom = Freedom::Zero;
                }
            }
            if !point.freedom.contains(&Freedom::Free) {
                let param = if self.mask.is_some() {
                    "mask"
                } else {
                    "freeze"
                };
                return Err(Fault::at(param, NOTHING));
            }
        }
        let started = self.start.as_ref().and_then(|start| start.network.as_ref());
        let scaled = started.filter(|it| network.differs(it) == Some(Difference::Scaling));
        Ok((scaled.cloned().unwrap_or(network), point))
    }
}

#[cfg(test)]
mod tests {
    use engine::artifact::Artifact;
    use engine::plugin::Plugin;

    use super::super::again::again;
    use super::*;
    use crate::data::support::testing::table;
    use crate::parents::Mlp;
    use crate::testing::{Given, call, given};

    fn wave(from: f64) -> Given {
        let x: Vec<f64> = (0..60).map(|row| from + f64::from(row) / 10.0).collect();
        let y: Vec<f64> = x.iter().map(|x| x.sin()).collect();
        given(table(&[("x", &x[..]), ("y", &y)]))
    }

    fn train(arguments: &str, inputs: &[(&str, Given)]) -> Parent {
        let inputs = [inputs, &[("first", wave(0.0)), ("later", wave(2.0))]].concat();
        let arguments = format!("{arguments}, inputs: [x], target: y, hidden: [6], members: 1");
        let mlp: Mlp = call(&arguments, &inputs);
        mlp.run(&Context::alone("start")).expect("trains")
    }

    #[test]
    fn it_goes_on_from_the_weights_and_scales_columns_as_they_do() {
        let net = train("first, epochs: 20", &[]);
        let inputs = [("net", given(net.clone()))];
        let tuned = train(
            "later, start: net, steps: 1, optimizer: sgd(rate: 1e-9)",
            &inputs,
        );
        assert_eq!(tuned.network, net.network);
        for (tuned, weight) in tuned.weights.iter().zip(&net.weights) {
            assert!((tuned - weight).abs() < 1e-6);
        }
        let free = train("later, steps: 1, optimizer: sgd(rate: 1e-9)", &[]);
        assert_ne!(free.network, net.network);
    }

    #[test]
    fn frozen_tensors_stay_and_masked_weights_are_zero() {
        let net = train("first, epochs: 20", &[]);
        let layout = net.layout.clone();
        let mut mask = net.clone();
        let last = layout.ranges().find(|(it, _)| it.name == "layers.1.weight");
        let zeros = last.expect("a layer").1.step_by(2);
        zeros.clone().for_each(|at| mask.weights[at] = 0.0);
        let inputs = [("net", given(net.clone())), ("mask", given(mask))];
        let arguments = "later, start: net, mask: mask, freeze: [\"layers.0.*\"], epochs: 5, \
                         optimizer: adamw(rate: 1e-2, decay: 0.1)";
        let tuned = train(arguments, &inputs);
        for (tensor, range) in layout.ranges() {
            let is_frozen = tensor.name.starts_with("layers.0");
            for at in range {
                let is_masked = zeros.clone().any(|zero| zero == at);
                match (is_frozen, is_masked) {
                    (true, _) => assert_eq!(tuned.weights[at], net.weights[at]),
                    (_, true) => assert_eq!(tuned.weights[at].to_bits(), 0),
                    _ => assert_ne!(tuned.weights[at], net.weights[at]),
                }
            }
        }
        // What is stored of it trains it again to the same bits.
        let read = Parent::from_parts(&tuned.to_parts().expect("parts")).expect("a parent");
        assert_eq!(read, tuned);
        let x: Vec<f64> = (0..60).map(|row| 2.0 + f64::from(row) / 10.0).collect();
        let y: Vec<f64> = x.iter().map(|x| x.sin()).collect();
        let data = table(&[("x", &x[..]), ("y", &y)]);
        let mut states = 0;
        let context = Context::alone("start");
        let repeated = again(&read, Some(&data), &context, &mut |_, weights| {
            states += 1;
            assert_eq!(weights[0], net.weights[0]);
            Ok(())
        });
        repeated.expect("the same weights");
        assert_eq!(states, 6);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let net = train("first, epochs: 1", &[]);
        let message = |options: StartOptions| {
            let network = net.network.clone().expect("a network");
            options
                .of(network, &Context::alone("start"))
                .map(|_| ())
                .expect_err("a fault")
                .to_string()
        };
        let wide: Parent = train("first, epochs: 1, activation: relu", &[]);
        assert_eq!(wide.layout, net.layout);
        let mut other = net.clone();
        other.layout = Layout::mlp(&[2, 6, 1]);
        let options = StartOptions {
            start: Some(Input::new(other)),
            ..StartOptions::default()
        };
        assert_eq!(
            message(options),
            "these are weights of a network of other tensors: `layers.0.weight` [6, 1] against \
             `layers.0.weight` [6, 2]"
        );
        let frozen = |pattern: &str| StartOptions {
            freeze: vec![pattern.to_owned()],
            ..StartOptions::default()
        };
        assert_eq!(message(frozen("*")), NOTHING);
        assert_eq!(message(frozen("head.*")), "no tensor is named `head.*`");
    }
}
