//! `vary(net, copies: 8, permute: true)`: more rows of a population, for what learns from weights.

use engine::artifact::{Layout, Trajectory};
use engine::error::Fault;
use engine::params::{Gather, Origins};
use engine::plugin;
use engine::plugin::{Complaint, Context, Coordinate, Facts, Plugin, Sketch};
use polars::prelude::{DataFrame, NamedFrom, Series};
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use super::Weights;
use super::align::UNKNOWN;
use super::support::facts::{is, mixed, one};
use super::support::population::{Population, lone};
use super::support::symmetry::{Units, hidden, of_network};
use crate::networks::{Activation, CONVOLUTIONS, Network};
use crate::parents::Parent;

plugin! {
    /// Copies of networks that differ in what a network may differ in: augmentation.
    ///
    /// `permute`, `sign` and `scale` leave what a network computes as it is, but for rounding: hidden
    /// units in a random order (also heads and numbers of a token in transformers); half of the
    /// units of a `tanh` with the sign of all their weights turned; units of a `relu` with their
    /// incoming weights times a factor between 1/2 and 2, evenly on a scale of logarithms, and the
    /// outgoing ones divided by it. `noise` adds normal numbers with this share of the standard deviation of the
    /// weights of each tensor. `mix: 0.8` is 0.8 times a network and 0.2 times another one, drawn for
    /// each copy; align networks of other starts first. Mixing goes first, then noise, then the rest.
    ///
    /// All rows of all members are the population, held in memory. Each has `copies` rows with the
    /// coordinates `row`, counted over the population, and `copy`.
    ///
    /// ```farcast
    /// weights more = vary(net, copies: 4, permute: true, noise: 0.01)
    /// score sizes = diagnose(more, metrics: [norm])
    /// ```
    "vary" version 1
    pub struct Vary {
        /// The networks.
        weights: Gather<Weights>;
        /// How many rows each becomes.
        copies: usize = "1", range("1..=100000");
        /// The standard deviation of what is added, in those of the tensors.
        noise: f64 = "0", range("0..");
        /// Whether hidden units change places.
        permute: bool = "false";
        /// Whether signs of hidden units turn.
        sign: bool = "false";
        /// Whether hidden units change their scale.
        scale: bool = "false";
        /// The share of the network in a mix with another one.
        mix: Option<f64>, range("0..=1");
        /// The networks that the weights belong to.
        networks: Origins<Parent>, origins("weights");
    }
}

/// Units are scaled by this at most.
const LARGEST_FACTOR: f64 = 2.0;

const POOLED: &str = "signs of channels cannot turn: pooling takes the largest number";

/// A symmetry of single units, by the argument that asks for it.
#[derive(Clone, Copy)]
enum OfUnits {
    Sign,
    Scale,
}

impl OfUnits {
    const ALL: [Self; 2] = [Self::Sign, Self::Scale];

    fn param(self) -> &'static str {
        match self {
            Self::Sign => "sign",
            Self::Scale => "scale",
        }
    }

    /// The activation that it is a symmetry of.
    fn activation(self) -> Activation {
        match self {
            Self::Sign => Activation::Tanh,
            Self::Scale => Activation::Relu,
        }
    }

    /// Why a network with this activation does not have it.
    fn refused(self, found: &str) -> String {
        let (what, wanted) = match self {
            Self::Sign => ("signs turn", Activation::Tanh),
            Self::Scale => ("scales change", Activation::Relu),
        };
        let wanted = wanted.word();
        format!("{what} with `{wanted}` only, found a network with `{found}`")
    }
}

impl Plugin for Vary {
    type Output = Weights;
    const RANDOM: bool = true;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let input = call.input("weights");
        let difference = input.filter(|input| !is(input.degree(), 1.0)).map(|input| {
            let message = format!("`{}` is a difference: expected networks", input.name);
            Complaint::at("weights", message)
        });
        let is_asked = |param: &&str| call.get::<bool>(param) == Some(true);
        let mut asked = ["permute", "sign", "scale"].into_iter().filter(is_asked);
        let bare = input
            .filter(|input| input.facts.no_network)
            .and_then(|input| {
                let message = format!("`{}` says nothing of its network", input.name);
                let complaint = Complaint::at(asked.next()?, message);
                Some(complaint.with_hint("`noise` and `mix` need none"))
            });
        let alone = lone(call, "weights").filter(|_| call.has("mix"));
        let alone = alone.map(|complaint| complaint.with_hint("`mix` draws another one"));
        let unlike = OfUnits::ALL.into_iter().find_map(|of| {
            is_asked(&of.param()).then_some(())?;
            let found = activation(call)?;
            let complaint = Complaint::at(of.param(), of.refused(&found));
            (found != of.activation().word()).then_some(complaint)
        });
        let beside = call
            .network("weights")
            .and_then(|network| network.beside_dense);
        let pooled = (beside == Some(CONVOLUTIONS) && is_asked(&"sign"))
            .then(|| Complaint::at("sign", POOLED));
        let mixed = mixed(&call.inputs("weights"), "weights");
        let found = [difference, bare, alone, unlike, pooled, mixed];
        found.into_iter().flatten().take(1).collect()
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let inputs = call.inputs("weights");
        let members = inputs.first().and_then(|input| input.members).unwrap_or(1);
        let rows = inputs.first().and_then(|input| match input.is_single() {
            true => Some(u64::from(members)),
            false => Some(input.facts.rows? * u64::from(members)),
        });
        let rows = rows.zip(call.get::<u64>("copies"));
        let rows = rows.map(|(rows, copies)| rows.saturating_mul(copies));
        Facts {
            rows,
            single: rows == Some(1),
            coordinates: Coordinate::numbers(["row", "copy"]),
            ..one(call, &inputs, 1.0)
        }
    }

    fn run(self, context: &Context) -> Result<Weights, Fault> {
        let population = Population::of(&self.weights, &self.networks, "weights", context)?;
        let Population {
            layout,
            network,
            rows,
        } = &population;
        if self.mix.is_some() && rows.len() < 2 {
            let message = "expected two networks or more, found 1";
            return Err(Fault::at("weights", message).with_hint("`mix` draws another one"));
        }
        let symmetries = self.symmetries(layout, network.as_ref())?;
        let total = rows.len() * self.copies;
        let mut made = Vec::with_capacity(total * layout.len());
        let (mut numbers, mut copies) = (Vec::new(), Vec::new());
        for number in 0..rows.len() {
            for copy in 0..self.copies {
                context.check_stop()?;
                context.progress(numbers.len() as u64, total as u64, None);
                let mut rng = context.rng(&format!("row {number} copy {copy}"));
                made.extend(self.copy(rows, number, layout, &symmetries, &mut rng));
                numbers.push(number as u32);
                copies.push(copy as u32);
            }
        }
        let row = Series::new("row".into(), numbers).into();
        let copy = Series::new("copy".into(), copies).into();
        let coordinates = DataFrame::new(total, vec![row, copy])?;
        Ok(Weights {
            table: Trajectory::from_rows(layout.clone(), coordinates, &made)?,
            network: population.network,
        })
    }
}

/// The activation of a network, where the arguments say it.
fn activation(call: &Sketch) -> Option<String> {
    let layers = call.network("weights")?.layers.clone()?;
    let (_, rest) = layers.split_once("activation \"")?;
    Some(rest.split('"').next()?.to_owned())
}

/// The orders and the units that copies differ in.
struct Symmetries {
    orders: Vec<Units>,
    units: Vec<Units>,
}

impl Vary {
    fn symmetries(&self, layout: &Layout, network: Option<&Network>) -> Result<Symmetries, Fault> {
        let asked = [
            (self.permute, "permute"),
            (self.sign, "sign"),
            (self.scale, "scale"),
        ];
        let Some((_, param)) = asked.iter().find(|(is_asked, _)| *is_asked) else {
            return Ok(Symmetries {
                orders: Vec::new(),
                units: Vec::new(),
            });
        };
        let bare = || Fault::at(*param, "these weights say nothing of their network");
        let network = network.ok_or_else(bare)?;
        let unknown = || Fault::at(*param, UNKNOWN);
        let known = Some(network).filter(|network| network.layout() == *layout);
        let orders = known.and_then(of_network).ok_or_else(unknown)?;
        let units = hidden(network).ok_or_else(unknown)?;
        for (is_asked, of) in [(self.sign, OfUnits::Sign), (self.scale, OfUnits::Scale)] {
            let found = network
                .activation()
                .filter(|found| *found != of.activation());
            if let Some(found) = found.filter(|_| is_asked && !units.is_empty()) {
                return Err(Fault::at(of.param(), of.refused(found.word())));
            }
        }
        let has_channels = network.dense().is_none() && network.heads().is_none();
        if self.sign && has_channels && !units.is_empty() {
            return Err(Fault::at("sign", POOLED));
        }
        Ok(Symmetries { orders, units })
    }

    fn copy(
        &self,
        rows: &[Vec<f32>],
        number: usize,
        layout: &Layout,
        symmetries: &Symmetries,
        rng: &mut impl Rng,
    ) -> Vec<f32> {
        let mut weights = rows[number].clone();
        if let Some(share) = self.mix {
            let drawn = rng.random_range(0..rows.len() - 1);
            let other = &rows[drawn + usize::from(drawn >= number)];
            for (weight, other) in weights.iter_mut().zip(other) {
                *weight = (share * f64::from(*weight) + (1.0 - share) * f64::from(*other)) as f32;
            }
        }
        if self.noise > 0.0 {
            for (_, range) in layout.ranges() {
                let tensor = &mut weights[range];
                let sd = self.noise * deviation(tensor);
                for weight in tensor {
                    let draw: f64 = rng.sample(StandardNormal);
                    *weight = (f64::from(*weight) + sd * draw) as f32;
                }
            }
        }
        if self.permute {
            for units in &symmetries.orders {
                let mut order: Vec<usize> = (0..units.count).collect();
                order.shuffle(rng);
                units.permute(&mut weights, &order);
            }
        }
        for units in symmetries.units.iter().filter(|_| self.sign || self.scale) {
            for unit in 0..units.count {
                let sign = if self.sign && rng.random() { -1.0 } else { 1.0 };
                let size = match self.scale {
                    true => LARGEST_FACTOR.powf(rng.random_range(-1.0..1.0)),
                    false => 1.0,
                };
                let factor = sign * size;
                let [own, takes] = units.places(unit);
                own.iter()
                    .for_each(|at| weights[*at] = (f64::from(weights[*at]) * factor) as f32);
                takes
                    .iter()
                    .for_each(|at| weights[*at] = (f64::from(weights[*at]) / factor) as f32);
            }
        }
        weights
    }
}

/// The standard deviation of the weights of a tensor.
fn deviation(weights: &[f32]) -> f64 {
    let count = weights.len().max(1) as f64;
    let mean = weights.iter().map(|weight| f64::from(*weight)).sum::<f64>() / count;
    let squares = weights
        .iter()
        .map(|weight| (f64::from(*weight) - mean).powi(2));
    (squares.sum::<f64>() / count).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::Loss;
    use crate::networks::testing::{dense, made_up, small_transformer};
    use crate::testing::{call, given, members};
    use crate::weights::support::testing::{alignment, parent, weights_of};

    fn random(network: Network, salt: usize) -> Parent {
        let weights = made_up(network.layout().len(), salt);
        Parent::new(network, weights)
    }

    fn run(parent: &Parent, more: &str) -> Weights {
        let vary: Vary = call(&format!("w{more}"), &[("w", given(parent.clone()))]);
        vary.run(&Context::alone("vary")).expect("runs")
    }

    #[test]
    fn copies_without_changes_are_the_input_to_the_bit() {
        let network = random(dense(&[3, 7, 5, 2], Activation::Tanh, Loss::Mse).into(), 3);
        assert_eq!(weights_of(&run(&network, "")), network.weights);
        let copies = run(&network, ", copies: 3, noise: 0");
        assert_eq!(weights_of(&copies), network.weights.repeat(3));
        let copy = copies.table.coordinates.column("copy").expect("copies");
        let copy: Vec<Option<u32>> = copy.u32().expect("numbers").iter().collect();
        assert_eq!(copy, [Some(0), Some(1), Some(2)]);
    }

    #[test]
    fn what_leaves_the_function_as_it_is_leaves_outputs_as_they_are() {
        let mlp = |activation| Network::from(dense(&[3, 7, 5, 2], activation, Loss::Mse));
        let conv = r#"{"inputs":[],"targets":[],"images":{"height":6,"width":7,"channels":[3],"kernel":3,"pool":2},"widths":[12,5,2],"activation":"relu","loss":"cross_entropy"}"#;
        let conv: Network = serde_json::from_str(conv).expect("a network");
        let transformer = small_transformer(Activation::Relu);
        for (network, inputs, more) in [
            (mlp(Activation::Silu), 3, "permute: true"),
            (mlp(Activation::Tanh), 3, "sign: true"),
            (mlp(Activation::Relu), 3, "scale: true"),
            (mlp(Activation::Tanh), 3, "permute: true, sign: true"),
            (conv, 42, "permute: true, scale: true"),
            (transformer, 3, "permute: true, scale: true"),
        ] {
            let before = random(network.clone(), 5);
            let made = run(&before, &format!(", copies: 4, {more}"));
            let rows = made_up(inputs * 20, 9);
            let expected = network.evaluate(&before.weights, &rows, 20);
            for copy in weights_of(&made).chunks(before.weights.len()) {
                assert_ne!(copy, before.weights, "{more}");
                let found = network.evaluate(copy, &rows, 20);
                for (found, expected) in found.iter().zip(&expected) {
                    assert!(
                        (found - expected).abs() < 1e-5,
                        "{more}: {found} {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn noise_has_the_share_of_each_tensor() {
        let network = random(dense(&[40, 60, 50], Activation::Relu, Loss::Mse).into(), 3);
        let made = run(&network, ", copies: 20, noise: 0.1");
        let mut start = 0;
        for tensor in &network.layout.tensors {
            let range = start..start + tensor.len();
            start = range.end;
            let before = &network.weights[range.clone()];
            let wanted = 0.1 * deviation(before);
            let mut added = Vec::new();
            for copy in weights_of(&made).chunks(network.weights.len()) {
                let pairs = copy[range.clone()].iter().zip(before);
                added.extend(pairs.map(|(after, before)| after - before));
            }
            let count = added.len() as f64;
            let mean = added.iter().map(|it| f64::from(*it)).sum::<f64>() / count;
            // Four standard errors of a mean and of a standard deviation.
            assert!(mean.abs() < 4.0 * wanted / count.sqrt(), "{}", tensor.name);
            let off = deviation(&added) / wanted - 1.0;
            assert!(
                off.abs() < 4.0 / (2.0 * count).sqrt(),
                "{}: {off}",
                tensor.name
            );
        }
    }

    #[test]
    fn a_mix_lies_between_two_networks() {
        let golden = alignment();
        let pair = [&golden.reference, &golden.far.network].map(parent);
        let inputs = [("w", members(pair.clone().map(Some)))];
        let vary: Vary = call("w, copies: 2, mix: 0.75", &inputs);
        let made = weights_of(&vary.run(&Context::alone("vary")).expect("runs"));
        let length = pair[0].weights.len();
        for (at, copy) in made.chunks(length).enumerate() {
            let (own, other) = (&pair[at / 2].weights, &pair[1 - at / 2].weights);
            for (found, (own, other)) in copy.iter().zip(own.iter().zip(other)) {
                let expected = 0.75 * f64::from(*own) + 0.25 * f64::from(*other);
                assert_eq!(*found, expected as f32);
            }
        }
    }
}
