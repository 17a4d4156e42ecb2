//! `align(net, to: member(net, 0))`: hidden units in the order of another network's.

use dsl::types::Kind;
use engine::artifact::Trajectory;
use engine::error::Fault;
use engine::params::{Input, Origins};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::Weights;
use super::support::assignment::assign;
use super::support::facts::{is, made, mixed, network};
use super::support::rows::{Rows, common};
use super::support::symmetry::{Units, of_network};
use crate::parents::Parent;

plugin! {
    /// The same networks with their hidden units in the order that fits another network best.
    ///
    /// Git re-basin by weights (Ainsworth et al. 2023): orders of units that leave the function
    /// of a network as it is are chosen so that the sum of products of its weights with those
    /// of `to` is largest. For one layer with the others fixed that is a linear assignment, solved
    /// exactly; layers are gone through in order, again and again, from the order they have until
    /// nothing is gained. Hidden units of dense layers and channels of convolutions have such
    /// orders; in transformers the numbers of a token do, in the same order in all layers, the heads of
    /// a layer as wholes, and the units between its dense layers. Memory is that of the networks; time grows with
    /// the cube of the widths.
    ///
    /// ```farcast
    /// parent same = align(net, to: member(net, 0))
    /// parent one = soup(same)
    /// ```
    "align" version 2
    pub struct Align {
        /// The networks.
        weights: Input<Weights>;
        /// The network whose order they take.
        to: Input<Weights>;
        /// How often all layers are gone through at most.
        passes: usize = "100", range("1..=100000");
        /// The networks that the weights belong to.
        networks: Origins<Parent>, origins("weights");
    }
}

/// A gain that rounding can make.
const NO_GAIN: f64 = 1e-12;

impl Plugin for Align {
    type Output = Weights;

    fn kinds() -> Vec<Kind> {
        vec![Kind::Weights, Kind::Parent, Kind::Child]
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let (weights, to) = (call.input("weights"), call.input("to"));
        let bare = |param: &str| {
            let input = call.input(param).filter(|input| input.facts.no_network);
            input.map(|input| {
                let message = format!("`{}` says nothing of its network", input.name);
                Complaint::at(param, message)
                    .with_hint("which units may change places is not known")
            })
        };
        let difference = |param: &str| {
            let input = call.input(param).filter(|input| !is(input.degree(), 1.0));
            input.map(|input| {
                let message = format!("`{}` is a difference: expected a network", input.name);
                Complaint::at(param, message).with_hint("align the networks, then subtract")
            })
        };
        let many = to.filter(|to| !to.is_single()).map(|to| {
            let message = format!("expected one network, `{}` has many rows", to.name);
            Complaint::at("to", message).with_hint("`pick` chooses rows")
        });
        let single = weights.is_some_and(|weights| weights.is_single());
        let mixed = mixed(&Vec::from_iter(weights.into_iter().chain(to)), "to");
        let found = [
            bare("weights"),
            difference("weights"),
            difference("to"),
            many,
            mixed,
        ];
        let found = found.into_iter().flatten().take(1);
        found.chain(network(call, 1.0, single)).collect()
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let inputs = call.inputs("weights");
        made(call, &inputs, 1.0)
    }

    fn run(self, context: &Context) -> Result<Weights, Fault> {
        let rows = Rows::of(&self.weights, context.member())?;
        let to = Rows::of(&self.to, context.member())?;
        let [reference] = to.rows[..] else {
            let message = format!("expected one network, found {} rows", to.rows.len());
            return Err(Fault::at("to", message));
        };
        let reference = to.table.networks(&[reference])?.concat();
        let tables = [rows, to];
        let (layout, network) = common(&tables, &self.networks, "to", context)?;
        let [rows, _] = tables;
        let Some(network) = network else {
            return Err(Fault::at(
                "weights",
                "these weights say nothing of their network",
            ));
        };
        let Some(units) = of_network(&network).filter(|_| network.layout() == layout) else {
            let message = "which units of this network may change places is not known";
            return Err(Fault::at("weights", message));
        };
        let total = rows.rows.len();
        let (mut aligned, mut moved) = (Vec::with_capacity(total * layout.len()), 0);
        for (done, row) in rows.rows.iter().enumerate() {
            context.progress(done as u64, total as u64, None);
            let mut weights = rows.table.networks(&[*row])?.concat();
            let orders = orders(&units, &reference, &weights, self.passes, context)?;
            for (units, order) in units.iter().zip(&orders) {
                moved += order
                    .iter()
                    .enumerate()
                    .filter(|(at, unit)| at != *unit)
                    .count();
                units.permute(&mut weights, order);
            }
            aligned.extend(weights);
        }
        let all = total * units.iter().map(|units| units.count).sum::<usize>();
        context.note(format!("{moved} of {all} units changed their place"));
        let table = Trajectory::from_rows(layout, rows.coordinates, &aligned)?;
        Ok(Weights {
            table: table.with_saved(rows.table.saved.clone()),
            network: Some(network),
        })
    }
}

/// For each layer the order of its units that fits a reference best.
pub(crate) fn orders(
    units: &[Units],
    reference: &[f32],
    weights: &[f32],
    passes: usize,
    context: &Context,
) -> Result<Vec<Vec<usize>>, Fault> {
    let mut orders: Vec<Vec<usize>> = units
        .iter()
        .map(|units| (0..units.count).collect())
        .collect();
    // A row that is not a network fits nothing.
    if weights
        .iter()
        .chain(reference)
        .any(|weight| !weight.is_finite())
    {
        return Ok(orders);
    }
    for _ in 0..passes {
        let mut gained = false;
        for layer in 0..units.len() {
            context.check_stop()?;
            let mut others = weights.to_vec();
            for (other, (units, order)) in units.iter().zip(&orders).enumerate() {
                if other != layer {
                    units.permute(&mut others, order);
                }
            }
            let size = units[layer].count;
            let agreement = units[layer].agreement(reference, &others);
            let best = assign(&agreement, size);
            let sum = |order: &[usize]| -> f64 {
                order
                    .iter()
                    .enumerate()
                    .map(|(row, column)| agreement[row * size + column])
                    .sum()
            };
            if sum(&best) - sum(&orders[layer]) > NO_GAIN {
                orders[layer] = best;
                gained = true;
            }
        }
        if !gained {
            break;
        }
    }
    Ok(orders)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::testing::{encoder, made_up};
    use crate::networks::{Activation, Columns, EncoderNetwork, Layers, Loss, Network, Scaled};
    use crate::testing::{call, given};
    use crate::weights::support::symmetry::of_layers;
    use crate::weights::support::testing::{alignment, parent, weights_of};

    #[test]
    fn orders_and_distances_are_those_of_the_golden_file() {
        let golden = alignment();
        let reference = parent(&golden.reference);
        for case in [golden.other, golden.far] {
            let network = parent(&case.network);
            let units = of_layers(&network.layout).expect("layers");
            let context = Context::alone("align");
            let found = orders(&units, &reference.weights, &network.weights, 100, &context);
            assert_eq!(found.expect("orders"), case.permutation);
            let inputs = [("w", given(network)), ("r", given(reference.clone()))];
            let align: Align = call("w, to: r", &inputs);
            let aligned = weights_of(&align.run(&context).expect("runs"));
            let squares = aligned.iter().zip(&reference.weights);
            let distance = squares
                .map(|(a, b)| f64::from(a - b).powi(2))
                .sum::<f64>()
                .sqrt();
            assert!((distance / case.distance_after - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn the_function_stays_and_a_network_is_aligned_to_itself() {
        let golden = alignment();
        let (one, other) = (parent(&golden.far.network), parent(&golden.reference));
        let run = |to: &Parent| {
            let inputs = [("w", given(one.clone())), ("r", given(to.clone()))];
            let align: Align = call("w, to: r", &inputs);
            weights_of(&align.run(&Context::alone("align")).expect("runs"))
        };
        assert_eq!(run(&one), one.weights);
        let aligned = run(&other);
        assert_ne!(aligned, one.weights);
        let network = one.network.as_ref().expect("a network");
        let inputs = made_up(3 * 20, 5);
        let [before, after] = [&one.weights, &aligned].map(|it| network.evaluate(it, &inputs, 20));
        for (before, after) in before.iter().zip(after) {
            assert!((before - after).abs() < 1e-5);
        }
    }

    #[test]
    fn channels_carry_their_features_along() {
        let text = r#"{"inputs":[],"targets":[],"images":{"height":6,"width":7,"channels":[3],"kernel":3,"pool":2},"widths":[12,5],"activation":"relu","loss":"cross_entropy"}"#;
        let network: Network = serde_json::from_str(text).expect("a network");
        let layout = network.layout();
        let units = of_layers(&layout).expect("layers");
        assert_eq!(
            units.iter().map(|units| units.count).collect::<Vec<_>>(),
            [3]
        );
        let weights = made_up(layout.len(), 3);
        let mut moved = weights.clone();
        units[0].permute(&mut moved, &[2, 0, 1]);
        assert_ne!(weights, moved);
        let images = made_up(42 * 4, 9);
        let [before, after] = [&weights, &moved].map(|it| network.evaluate(it, &images, 4));
        for (before, after) in before.iter().zip(after) {
            assert!((before - after).abs() < 1e-6);
        }
    }
    #[test]
    fn transformers_are_aligned_with_the_same_function() {
        let encoder = encoder();
        let widths = vec![encoder.width, 2];
        let network = Network::from(EncoderNetwork {
            columns: Columns {
                inputs: vec![Scaled::as_is("x"); 3],
                targets: vec![Scaled::as_is("y")],
            },
            encoder,
            layers: Layers {
                widths,
                activation: Activation::Gelu,
            },
            loss: Loss::Mse,
        });
        let units = of_network(&network).expect("units");
        let counts: Vec<usize> = units.iter().map(|units| units.count).collect();
        assert_eq!(counts, [4, 2, 5, 2, 5]);
        let weights = made_up(network.layout().len(), 4);
        let inputs = made_up(3 * 20, 7);
        let unlike = |a: &[f32], b: &[f32]| {
            let [a, b] = [a, b].map(|it| network.evaluate(it, &inputs, 20));
            let pairs = a.iter().zip(&b);
            pairs.fold(0.0_f32, |worst, (a, b)| worst.max((a - b).abs()))
        };
        let mut moved = weights.clone();
        for units in &units {
            let before = moved.clone();
            let order: Vec<usize> = (1..units.count).chain([0]).collect();
            units.permute(&mut moved, &order);
            assert_ne!(before, moved);
            assert!(unlike(&weights, &moved) < 1e-5);
        }
        let inputs = [
            ("w", given(Parent::new(network.clone(), moved))),
            ("r", given(Parent::new(network.clone(), weights.clone()))),
        ];
        let align: Align = call("w, to: r", &inputs);
        let aligned = weights_of(&align.run(&Context::alone("align")).expect("runs"));
        assert_eq!(aligned, weights);
    }
}
