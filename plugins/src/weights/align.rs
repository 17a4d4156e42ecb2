//! `align(net, to: member(net, 0))`: hidden units in the order of another network's.

use dsl::types::Kind;
use engine::artifact::{Dataset, Layout, Tensor, Trajectory};
use engine::error::Fault;
use engine::files::Files;
use engine::params::{DataPath, Input, Origins};
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use engine::{plugin, words};

use super::Weights;
use super::support::activations::Activations;
use super::support::assignment::assign;
use super::support::facts::{is, made, mixed, network};
use super::support::rows::{Rows, common};
use super::support::seen::not_layered;
use super::support::symmetry::{Units, of_network};
use super::support::symmetry_file::SymmetryFile;
use crate::networks::Network;
use crate::parents::Parent;

words! {
    /// What of two units is compared.
    pub enum Compared {
        /// Their weights.
        Weights = "weights",
        /// What they pass on over rows of data.
        Activations = "activations",
    }
}

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
    /// `by: activations` assigns units by the correlation of what they pass on over the rows `on`,
    /// each layer by itself; channels over all places, after pooling. Constant units have the
    /// correlation 0. It is for dense layers and convolutions: the numbers within a head of a
    /// transformer have no order.
    ///
    /// `symmetry` is for weights whose network is not known. The JSON file has a permutation by each
    /// name, a list of the axes that follow it, counted from 0, as `perm_to_axes` of git re-basin:
    /// `{"P0": [["layers.0.weight", 0], ["layers.0.bias", 0], ["layers.1.weight", 1]]}`. A third
    /// number says how many entries one after another belong to a unit, `["fc.weight", 1, 49]` where
    /// a channel has 49 features; a fourth how often all units come one after another,
    /// `["attn.in_proj_weight", 0, 64, 3]` for heads of 64 in questions, keys and values. Whether
    /// the function stays is the word of the file, also where the network is known.
    ///
    /// ```farcast
    /// parent same = align(net, to: member(net, 0))
    /// parent one = soup(same)
    /// ```
    "align" version 3
    pub struct Align {
        /// The networks.
        weights: Input<Weights>;
        /// The network whose order they take.
        to: Input<Weights>;
        /// How often all layers are gone through at most, by weights.
        passes: usize = "100", range("1..=100000");
        /// What of two units is compared.
        by: Compared = "weights";
        /// The rows that activations are of.
        on: Option<Input<Dataset>>;
        /// A file that says which axes of tensors may change places.
        symmetry: Option<DataPath>;
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
        let by_data = call.get::<Compared>("by") == Some(Compared::Activations);
        let lacks = (by_data && !call.has("on")).then(|| {
            let message = "`activations` are of rows of data";
            Complaint::at("by", message).with_hint("say which: `on: …`")
        });
        let unused = (!by_data && call.has("on")).then(|| {
            let message = "weights are compared without rows";
            Complaint::at("on", message).with_hint("write `by: activations`")
        });
        let from_file = call.has("symmetry");
        let both = (by_data && from_file).then(|| {
            let message = "a file says nothing of activations";
            Complaint::at("symmetry", message).with_hint("leave it out, or `by: activations`")
        });
        let hint = "`by: weights` takes transformers, too";
        let layered = not_layered(call, "weights").filter(|_| by_data);
        let layered = layered.map(|complaint| complaint.with_hint(hint));
        let mixed = mixed(&Vec::from_iter(weights.into_iter().chain(to)), "to");
        let found = [
            lacks,
            unused,
            both,
            bare("weights").filter(|_| !from_file),
            difference("weights"),
            difference("to"),
            many,
            mixed,
            layered,
            unlike_file(call),
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
        let units = match &self.symmetry {
            Some(DataPath(path)) => SymmetryFile::read(path, context.files())?.units(&layout)?,
            None => of_known(network.as_ref(), &layout)?,
        };
        let activations = match (&self.on, &network, self.by) {
            (Some(on), Some(network), Compared::Activations) => {
                Some(Activations::new(network, &units, on)?)
            }
            _ => None,
        };
        let total = rows.rows.len();
        let (mut aligned, mut moved) = (Vec::with_capacity(total * layout.len()), 0);
        for (done, row) in rows.rows.iter().enumerate() {
            context.progress(done as u64, total as u64, None);
            let mut weights = rows.table.networks(&[*row])?.concat();
            let orders = match &activations {
                Some(activations) => activations.orders(&reference, &weights, context)?,
                None => orders(&units, &reference, &weights, self.passes, context)?,
            };
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
            network,
        })
    }
}

/// How often `passes` is, where nobody says it.
pub(crate) const PASSES: usize = 100;

/// The free orders of a network with this layout.
fn of_known(network: Option<&Network>, layout: &Layout) -> Result<Vec<Units>, Fault> {
    let at = |message: &str| Fault::at("weights", message);
    let network = network.ok_or_else(|| at("these weights say nothing of their network"))?;
    let units = of_network(network).filter(|_| network.layout() == *layout);
    units.ok_or_else(|| at(UNKNOWN).with_hint("say it by `symmetry`, a file"))
}

/// What is said of networks of programs.
pub(crate) const UNKNOWN: &str = "which units of this network may change places is not known";

/// Why a file says nothing of these weights.
fn unlike_file(call: &Sketch) -> Option<Complaint> {
    let DataPath(path) = call.get("symmetry")?;
    // One that is not there is the checker's to tell.
    let file = path.is_file().then_some(path)?;
    let read = SymmetryFile::read(&file, &Files::unchecked());
    let mut known = ["weights", "to"].into_iter();
    let tensors = known.find_map(|param| call.input(param)?.facts.tensors.clone());
    let units = read.and_then(|read| match tensors {
        Some(tensors) => {
            let tensors = tensors.iter().cloned();
            let tensors = tensors.map(|(name, shape)| Tensor { name, shape });
            let layout = Layout {
                tensors: tensors.collect(),
            };
            read.units(&layout).map(drop)
        }
        None => Ok(()),
    });
    units.err().map(Complaint::from)
}

/// For each layer the order of its units that fits a reference best.
pub(crate) fn orders(
    units: &[Units],
    reference: &[f32],
    weights: &[f32],
    passes: usize,
    context: &Context,
) -> Result<Vec<Vec<usize>>, Fault> {
    let mut orders = unmoved(units);
    if !are_finite(weights, reference) {
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
            let agreement = units[layer].agreement(reference, &others, &orders[layer]);
            let Some(better) = better(&agreement, &orders[layer]) else {
                continue;
            };
            // What is a gain for one axis of a tensor may be none for both.
            let products = |order: &[usize]| -> f64 {
                let mut moved = others.clone();
                units[layer].permute(&mut moved, order);
                let pairs = moved.iter().zip(reference);
                pairs.map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
            };
            let is_squared = units[layer].is_squared();
            if !is_squared || products(&better) - products(&orders[layer]) > NO_GAIN {
                orders[layer] = better;
                gained = true;
            }
        }
        if !gained {
            break;
        }
    }
    Ok(orders)
}

/// All units in the order they have.
fn unmoved(units: &[Units]) -> Vec<Vec<usize>> {
    let orders = units.iter().map(|units| (0..units.count).collect());
    orders.collect()
}

/// Whether both rows are of numbers: one that is not a network fits nothing.
fn are_finite(weights: &[f32], reference: &[f32]) -> bool {
    let mut all = weights.iter().chain(reference);
    all.all(|weight| weight.is_finite())
}

/// The order whose units agree best, where it is better than the one at hand.
fn better(agreement: &[f64], order: &[usize]) -> Option<Vec<usize>> {
    let size = order.len();
    let best = assign(agreement, size);
    let sum = |order: &[usize]| -> f64 {
        let pairs = order.iter().enumerate();
        pairs
            .map(|(row, column)| agreement[row * size + column])
            .sum()
    };
    (sum(&best) - sum(order) > NO_GAIN).then_some(best)
}

impl Activations<'_> {
    /// For each layer the order of its units whose activations correlate best with a reference.
    fn orders(
        &self,
        reference: &[f32],
        weights: &[f32],
        context: &Context,
    ) -> Result<Vec<Vec<usize>>, Fault> {
        let mut orders = unmoved(self.units);
        if !are_finite(weights, reference) {
            return Ok(orders);
        }
        let correlations = self.correlations(reference, weights, context)?;
        let correlations = correlations.ok_or_else(|| {
            let message = "expected a network of dense layers and convolutions";
            Fault::at("weights", message).with_hint("`by: weights` takes transformers, too")
        })?;
        for (order, correlation) in orders.iter_mut().zip(&correlations) {
            if let Some(better) = better(correlation, order) {
                *order = better;
            }
        }
        Ok(orders)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::support::testing::table;
    use crate::networks::testing::{made_up, small_transformer};
    use crate::networks::{Activation, Network};
    use crate::testing::{Given, call, given};
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

    /// Weights that say nothing of their network.
    fn bare(parent: &Parent) -> Weights {
        Weights {
            network: None,
            ..Weights::of(parent).expect("weights")
        }
    }

    #[test]
    fn a_file_of_symmetries_does_what_a_network_does() {
        let golden = alignment();
        let (reference, network) = (parent(&golden.reference), parent(&golden.other.network));
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("symmetry.json");
        let layers = network.layout.tensors.len() / 2 - 1;
        let orders = (0..layers).map(|at| {
            let (next, own) = (at + 1, format!("layers.{at}"));
            format!(
                "\"P{at}\": [[\"{own}.weight\", 0], [\"{own}.bias\", 0], \
                 [\"layers.{next}.weight\", 1]]"
            )
        });
        let orders: Vec<String> = orders.collect();
        std::fs::write(&path, format!("{{{}}}", orders.join(", "))).expect("a file");
        let call_of = |more: &str, inputs: [Given; 2]| {
            let [weights, to] = inputs;
            let inputs = [("w", weights), ("r", to)];
            let align: Align = call(&format!("w, to: r{more}"), &inputs);
            align.run(&Context::alone("align")).expect("runs")
        };
        let known = call_of("", [given(network.clone()), given(reference.clone())]);
        let more = format!(", symmetry: {:?}", path.display().to_string());
        let inputs = [given(bare(&network)), given(bare(&reference))];
        let found = call_of(&more, inputs);
        assert_eq!(weights_of(&found), weights_of(&known));
        assert_eq!(found.network, None);
        // Numbers of the golden file: 11.397 before, 0.799 after.
        let distance = |weights: &[f32]| {
            let pairs = weights.iter().zip(&reference.weights);
            let squares = pairs.map(|(a, b)| f64::from(a - b).powi(2));
            squares.sum::<f64>().sqrt()
        };
        let (before, after) = (distance(&network.weights), distance(&weights_of(&found)));
        assert!(
            (before - 11.397).abs() < 5e-4 && (after - 0.799).abs() < 5e-4,
            "{before} {after}"
        );
    }

    #[test]
    fn both_axes_of_a_recurrent_weight_change_places() {
        let tensor = |name: &str, shape: &[usize]| Tensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
        };
        let layout = Layout {
            tensors: vec![
                tensor("in", &[7, 3]),
                tensor("again", &[7, 7]),
                tensor("out", &[2, 7]),
            ],
        };
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("symmetry.json");
        let text = r#"{"hidden": [["in", 0], ["again", 0], ["again", 1], ["out", 1]]}"#;
        std::fs::write(&path, text).expect("a file");
        let file = SymmetryFile::read(&path, &Files::unchecked()).expect("a file");
        let units = file.units(&layout).expect("units");
        let mut reference = made_up(layout.len(), 3);
        // With both axes the assignment is not linear: what is searched step by step is found
        // where the other tensors say enough.
        for weight in &mut reference[21..70] {
            *weight *= 0.1;
        }
        let mut moved = reference.clone();
        let order = [3, 0, 6, 1, 5, 2, 4];
        units[0].permute(&mut moved, &order);
        // The unit that was 3 is the first, in rows and in columns.
        assert_eq!(moved[21 + 1], reference[21 + 3 * 7]);
        let context = Context::alone("align");
        let found = orders(&units, &reference, &moved, 100, &context).expect("orders");
        units[0].permute(&mut moved, &found[0]);
        assert_eq!(moved, reference);
    }

    #[test]
    fn activations_find_units_whose_weights_have_other_sizes() {
        let golden = alignment();
        let reference = parent(&golden.reference);
        let columns: Vec<Vec<f64>> = (0..golden.x[0].len())
            .map(|at| golden.x.iter().map(|row| row[at]).collect())
            .collect();
        let names: Vec<String> = (0..columns.len()).map(|at| format!("x{at}")).collect();
        let named: Vec<(&str, &[f64])> = names
            .iter()
            .zip(&columns)
            .map(|(name, column)| (&name[..], &column[..]))
            .collect();
        let run = |weights: &Parent, to: &Parent| {
            let inputs = [
                ("w", given(weights.clone())),
                ("r", given(to.clone())),
                ("d", given(table(&named))),
            ];
            let align: Align = call("w, to: r, by: activations, on: d", &inputs);
            weights_of(&align.run(&Context::alone("align")).expect("runs"))
        };
        assert_eq!(run(&reference, &reference), reference.weights);
        // The hidden permutation, by what the units say.
        let other = parent(&golden.other.network);
        let mut moved = other.weights.clone();
        let units = of_layers(&other.layout).expect("layers");
        for (units, order) in units.iter().zip(&golden.other.permutation) {
            units.permute(&mut moved, order);
        }
        assert_eq!(run(&other, &reference), moved);
    }

    #[test]
    fn correlations_are_those_of_the_definition() {
        let text = r#"{"inputs":[],"targets":[],"images":{"height":6,"width":7,"channels":[3],"kernel":3,"pool":2},"widths":[12,5,2],"activation":"relu","loss":"cross_entropy"}"#;
        let network: Network = serde_json::from_str(text).expect("a network");
        let units = of_network(&network).expect("units");
        let count = network.layout().len();
        let (one, mut other) = (made_up(count, 3), made_up(count, 8));
        // A channel that says nothing.
        other[..9].fill(0.0);
        other[27] = -1.0;
        // More rows than are run at once.
        let rows = 1500;
        let inputs = made_up(42 * rows, 9);
        let activations = Activations {
            network: &network,
            units: &units,
            inputs: inputs.clone(),
            rows,
        };
        let found = activations.correlations(&one, &other, &Context::alone("align"));
        let found = found.expect("finite").expect("layers");
        let passed = [&one, &other].map(|it| network.hidden(it, &inputs, rows).expect("layers"));
        let mut constant = 0;
        for (layer, units) in units.iter().enumerate() {
            // Images of 6 by 7 are 2 by 2 after the convolution and the pooling.
            let places = [4, 1][layer];
            let samples = |side: usize, unit: usize| -> Vec<f64> {
                let all = (0..rows).flat_map(|row| (0..places).map(move |at| (row, at)));
                let value = |(row, at)| passed[side][layer][(row, unit * places + at)];
                all.map(value).collect()
            };
            assert_eq!(passed[0][layer].ncols(), places * units.count);
            for a in 0..units.count {
                for b in 0..units.count {
                    let (x, y) = (samples(0, a), samples(1, b));
                    let mean = |x: &[f64]| x.iter().sum::<f64>() / x.len() as f64;
                    let (mx, my) = (mean(&x), mean(&y));
                    let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
                        x.iter().zip(&y).map(|(x, y)| f(x - mx, y - my)).sum()
                    };
                    let scale = (sum(&|x, _| x * x) * sum(&|_, y| y * y)).sqrt();
                    let expected = if scale == 0.0 {
                        0.0
                    } else {
                        sum(&|x, y| x * y) / scale
                    };
                    constant += usize::from(scale == 0.0);
                    let found = found[layer][a * units.count + b];
                    assert!((found - expected).abs() < 1e-12, "{layer} {a} {b}");
                }
            }
        }
        assert!(constant >= 3);
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
        let network = small_transformer(Activation::Gelu);
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
