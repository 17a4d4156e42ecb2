//! `resize(big, like: small, pick: importance, on: seen)`: a network with the widths of another.

use engine::artifact::{Dataset, Layout};
use engine::error::Fault;
use engine::params::Input;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use engine::{plugin, words};
use faer::Mat;
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use super::support::seen::{Seen, not_dense};
use crate::networks::precise::Matrix;
use crate::networks::{Activation, Network};
use crate::parents::{Parent, not_runnable};

words! {
    /// Which units a smaller network has.
    pub enum Choice {
        /// Unit `⌊i n / m⌋` of `n` in place `i` of `m`.
        Uniform = "uniform",
        /// The first ones.
        First = "first",
        /// Those with the largest mean size times the norm of the weights that take them.
        Importance = "importance",
    }
}

words! {
    /// What the further units of a larger network are.
    pub enum Grow {
        /// Copies that share the weights which take the unit: the same function (Chen et al. 2016).
        Copy = "copy",
        /// Copies that are not taken: the same function.
        Zero = "zero",
        /// Random sums of units that are not taken: the same function.
        Mix = "mix",
    }
}

plugin! {
    /// Networks with the widths of another one: the start of a smaller or larger training.
    ///
    /// A smaller layer has some of the units, each with its weights, its bias and the weights that
    /// take it (weight selection, Xu et al. 2024); a larger one has more, without another function.
    /// With `scale: true` the weights that take units of a smaller layer are multiplied by the root
    /// of the ratio of widths. Units are those of dense layers and the channels of convolutions; of
    /// transformers, those between the two dense layers of each layer. A transformer may have fewer
    /// layers, too: of `n` layers, layer `i` of `m` is layer `⌊i n / m⌋`. All else must be the same:
    /// the number of layers, kernels and pooling, tokens and heads, activation, inputs and outputs.
    /// Columns, with their means and deviations, stay those of `parent`.
    ///
    /// ```farcast
    /// parent tiny = mlp(seen, inputs: [x], target: y, hidden: [4], epochs: 2, members: 2)
    /// parent big = mlp(seen, inputs: [x], target: y, hidden: [8], epochs: 2, members: 2)
    /// parent cut = resize(big, like: tiny, pick: importance, on: seen)
    /// ```
    "resize" version 1
    pub struct Resize {
        /// The networks.
        parent: Input<Parent>;
        /// A network of the widths to be had; its weights play no part.
        like: Input<Parent>;
        /// Which units a smaller layer has.
        pick: Choice = "uniform";
        /// The rows that importance is about.
        on: Option<Input<Dataset>>;
        /// What the further units of a larger layer are.
        grow: Grow = "copy";
        /// Whether the weights that take fewer units are made larger.
        scale: bool = "false";
    }
}

impl Plugin for Resize {
    type Output = Parent;
    const RANDOM: bool = true;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let by_data = call.get::<Choice>("pick") == Some(Choice::Importance);
        let lacks = (by_data && !call.has("on")).then(|| {
            let message = "`importance` is about rows of data";
            Complaint::at("pick", message).with_hint("say which: `on: …`")
        });
        let mut params = ["parent", "like"].into_iter();
        let bare = params.find_map(|param| not_runnable(call, param));
        let hint = "`importance` looks at what dense layers see; `uniform` takes other layers, too";
        let dense = not_dense(call, "parent").filter(|_| by_data);
        let dense = dense.map(|complaint| complaint.with_hint(hint));
        let found = bare
            .or_else(|| unknown_layers(call))
            .or(dense)
            .or_else(|| unlike(call));
        lacks.into_iter().chain(found).collect()
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        super::support::facts::one(call, &call.inputs("like"), 1.0)
    }

    fn run(self, context: &Context) -> Result<Parent, Fault> {
        let [network, like] = [(&self.parent, "parent"), (&self.like, "like")]
            .map(|(parent, param)| parent.network().map_err(|fault| fault.inside(param)));
        let (network, like) = (network?, like?);
        let (layout, wanted) = (network.layout(), like.layout());
        let differ = |message: String| Fault::at("like", message);
        let known = [network, like].map(|it| it.reading(network.columns().clone(), network.loss()));
        let [Some(_), Some(made)] = known else {
            return Err(Fault::at("parent", UNKNOWN));
        };
        comparable(&shapes(&layout), &shapes(&wanted)).map_err(differ)?;
        if network.heads() != like.heads() {
            return Err(differ(SAME_TOKENS.to_owned()));
        }
        // Without hidden layers none follows.
        if network.activation() != like.activation() && layout.tensors.len() > 2 {
            let word = |network: &Network| network.activation().map_or("none", Activation::word);
            let (have, want) = (word(network), word(like));
            return Err(differ(format!(
                "expected a network with `{have}`, found `{want}`"
            )));
        }
        let passed = match (&self.on, self.pick) {
            (Some(on), Choice::Importance) => {
                Some(Seen::of(network, on)?.pass(&self.parent.weights)?)
            }
            (None, Choice::Importance) => {
                return Err(Fault::at("pick", "`importance` is about rows of data"));
            }
            _ => None,
        };
        let names = Stages::of(&layout, &wanted);
        let weights = &self.parent.weights;
        let mut stages = Vec::with_capacity(names.stages.len());
        for name in &names.stages {
            stages.push(stage(&layout, weights, name).ok_or_else(missing)?);
        }
        let whole = stages.clone();
        for at in names.pairs() {
            context.check_stop()?;
            let [own, next] = &mut stages[at..at + 2] else {
                return Err(missing());
            };
            let target = format!("{}.weight", names.targets[at]);
            let have = own.weight.nrows();
            let want = shape_of(&wanted, &target).and_then(|it| it.first().copied());
            let want = want.ok_or_else(missing)?;
            if want <= have {
                let units = match &passed {
                    Some(passed) => {
                        let worth = importance(&passed.inputs[at + 1], &whole[at + 1]);
                        largest(&worth, want)
                    }
                    None if self.pick == Choice::First => (0..want).collect(),
                    None => (0..want).map(|unit| unit * have / want).collect(),
                };
                let factor = match self.scale {
                    true => (have as f64 / want as f64).sqrt(),
                    false => 1.0,
                };
                *own = rows(own, &units);
                next.weight = taking(&next.weight, [have, want], |unit| (units[unit], factor));
            } else {
                let rng = &mut context.rng(&format!("layer {at}"));
                self.grow(own, next, [have, want], rng);
            }
        }
        let mut resized = Vec::with_capacity(wanted.len());
        for tensor in &wanted.tensors {
            let (name, part) = tensor.name.rsplit_once('.').unwrap_or((&tensor.name, ""));
            match names.targets.iter().position(|target| target == name) {
                Some(at) if part == "bias" => {
                    resized.extend(stages[at].bias.iter().map(|bias| *bias as f32));
                }
                Some(at) => {
                    let weight = &stages[at].weight;
                    for row in 0..weight.nrows() {
                        let row = (0..weight.ncols()).map(|column| weight[(row, column)] as f32);
                        resized.extend(row);
                    }
                }
                None => {
                    let from = names.source(&tensor.name);
                    let mut tensors = layout.ranges();
                    let found = tensors.find(|(tensor, _)| tensor.name == from);
                    let (_, range) = found.ok_or_else(missing)?;
                    resized.extend_from_slice(&weights[range]);
                }
            }
        }
        Ok(Parent::new(made, resized))
    }
}

/// Layers one after the other, or those within the layers of a transformer.
struct Stages {
    /// The layers in the network that is resized.
    stages: Vec<String>,
    /// Their names in the result.
    targets: Vec<String>,
    /// How many layers a transformer has before and after; none for another network.
    blocks: Option<[usize; 2]>,
}

impl Stages {
    fn of(have: &Layout, want: &Layout) -> Self {
        let count = |layout: &Layout| blocks(&shapes(layout));
        let [before, after] = [count(have), count(want)];
        if before == 0 {
            let stages = (0..have.tensors.len() / 2).map(|at| format!("layers.{at}"));
            let stages: Vec<String> = stages.collect();
            return Self {
                targets: stages.clone(),
                stages,
                blocks: None,
            };
        }
        let pair = |block: usize| [1, 2].map(|at| format!("layers.{block}.linear{at}"));
        Self {
            stages: (0..after)
                .flat_map(|at| pair(at * before / after))
                .collect(),
            targets: (0..after).flat_map(pair).collect(),
            blocks: Some([before, after]),
        }
    }

    /// The first of each two layers between which there are units.
    fn pairs(&self) -> impl Iterator<Item = usize> + use<> {
        let step = if self.blocks.is_some() { 2 } else { 1 };
        (0..self.stages.len().saturating_sub(1)).step_by(step)
    }

    /// The tensor that one of the result comes from.
    fn source(&self, name: &str) -> String {
        let block = name.strip_prefix("layers.").and_then(|rest| {
            let (block, part) = rest.split_once('.')?;
            Some((block.parse::<usize>().ok()?, part))
        });
        match (self.blocks, block) {
            (Some([before, after]), Some((block, part))) => {
                format!("layers.{}.{part}", block * before / after)
            }
            _ => name.to_owned(),
        }
    }
}

fn missing() -> Fault {
    Fault::Bug("a layer without its tensors".to_owned())
}

type Shapes = Vec<(String, Vec<usize>)>;

fn shapes(layout: &Layout) -> Shapes {
    let tensors = layout.tensors.iter();
    tensors
        .map(|it| (it.name.clone(), it.shape.clone()))
        .collect()
}

fn shape_of<'a>(layout: &'a Layout, name: &str) -> Option<&'a Vec<usize>> {
    let tensor = layout.tensors.iter().find(|tensor| tensor.name == name)?;
    Some(&tensor.shape)
}

/// How many layers a transformer has; none of another network.
fn blocks(tensors: &[(String, Vec<usize>)]) -> usize {
    let inner = |(name, _): &&(String, Vec<usize>)| name.ends_with(".linear1.weight");
    tensors.iter().filter(inner).count()
}

/// A layer as a matrix: a convolution has a column for each weight of a kernel.
fn stage(layout: &Layout, weights: &[f32], name: &str) -> Option<Matrix> {
    let values = |part: &str| {
        let name = format!("{name}.{part}");
        let (tensor, range) = layout.ranges().find(|(tensor, _)| tensor.name == name)?;
        Some((tensor.shape.first().copied()?, &weights[range]))
    };
    let ((rows, weight), (_, bias)) = (values("weight")?, values("bias")?);
    let columns = weight.len().checked_div(rows)?;
    Some(Matrix {
        weight: Mat::from_fn(rows, columns, |row, column| {
            f64::from(weight[row * columns + column])
        }),
        bias: bias.iter().map(|bias| f64::from(*bias)).collect(),
    })
}

const SAME_TOKENS: &str = "expected a transformer with the same tokens, width and heads: only \
                           `layers` and `feedforward` may differ";

/// Refuses networks that differ in more than widths, and the layers that a transformer has less.
fn comparable(have: &Shapes, want: &Shapes) -> Result<(), String> {
    let (before, after) = (blocks(have), blocks(want));
    match (before, after) {
        (0, 0) => chains(have, want),
        (0, _) | (_, 0) => Err("expected a network of the same kind".to_owned()),
        _ if after > before => Err(format!(
            "expected a network of at most {before} layers, found {after}"
        )),
        _ => {
            let is_alike = want.iter().all(|(name, shape)| {
                // The first layer has what all have.
                let from = match name
                    .strip_prefix("layers.")
                    .and_then(|it| it.split_once('.'))
                {
                    Some((_, part)) => format!("layers.0.{part}"),
                    None => name.clone(),
                };
                let free = match from.as_str() {
                    "layers.0.linear1.weight" | "layers.0.linear1.bias" => Some(0),
                    "layers.0.linear2.weight" => Some(1),
                    _ => None,
                };
                let mut tensors = have.iter();
                tensors
                    .find(|(name, _)| *name == from)
                    .is_some_and(|(_, found)| {
                        let pairs = found.iter().zip(shape).enumerate();
                        let mut pairs = pairs.filter(|(axis, _)| Some(*axis) != free);
                        found.len() == shape.len() && pairs.all(|(_, (a, b))| a == b)
                    })
            });
            match is_alike {
                true => Ok(()),
                false => Err(SAME_TOKENS.to_owned()),
            }
        }
    }
}

/// Refuses layers one after the other that differ in more than widths.
fn chains(have: &Shapes, want: &Shapes) -> Result<(), String> {
    if have.len() != want.len() {
        let (expected, found) = (have.len() / 2, want.len() / 2);
        return Err(format!(
            "expected a network of {expected} layers, found {found}"
        ));
    }
    let ends = |tensors: &Shapes| {
        let inputs = tensors.first();
        let inputs = inputs.map(|(_, shape)| shape.iter().skip(1).copied().collect::<Vec<_>>());
        (inputs, tensors.last().map(|(_, shape)| shape.clone()))
    };
    let kinds = |tensors: &Shapes| -> Vec<Vec<usize>> {
        let shapes = tensors.iter().map(|(_, shape)| shape);
        shapes
            .map(|shape| shape.iter().skip(2).copied().collect())
            .collect()
    };
    let is_kernel = kinds(have).iter().any(|kernel| !kernel.is_empty());
    if kinds(have) != kinds(want) || (is_kernel && blocks_of(have) != blocks_of(want)) {
        let message = "expected convolutions with the same kernel and pooling";
        return Err(message.to_owned());
    }
    match ends(have) == ends(want) {
        true => Ok(()),
        false => Err("expected a network with as many inputs and outputs".to_owned()),
    }
}

/// How many columns of each layer belong to one unit of the layer before.
fn blocks_of(tensors: &Shapes) -> Vec<usize> {
    let weights: Vec<&Vec<usize>> = tensors.iter().step_by(2).map(|(_, shape)| shape).collect();
    let pairs = weights.windows(2);
    pairs
        .map(|pair| {
            pair[1].get(1).copied().unwrap_or(0) / pair[0].first().copied().unwrap_or(1).max(1)
        })
        .collect()
}

impl Resize {
    /// Gives a layer more units, and the next one weights that take them.
    fn grow(
        &self,
        own: &mut Matrix,
        next: &mut Matrix,
        [have, want]: [usize; 2],
        rng: &mut impl Rng,
    ) {
        // Where each unit comes from: itself, then copies from the first on.
        let from: Vec<usize> = (0..want).map(|unit| unit % have).collect();
        let copies = |unit: usize| from.iter().filter(|it| **it == unit).count() as f64;
        let taken = taking(&next.weight, [have, want], |unit| match self.grow {
            Grow::Copy => (from[unit], 1.0 / copies(from[unit])),
            Grow::Zero | Grow::Mix if unit < have => (unit, 1.0),
            Grow::Zero | Grow::Mix => (0, 0.0),
        });
        let before = own.clone();
        *own = rows(own, &from);
        if self.grow == Grow::Mix {
            for unit in have..want {
                let scale = 1.0 / (have as f64).sqrt();
                let factors: Vec<f64> = (0..have)
                    .map(|_| scale * rng.sample::<f64, _>(StandardNormal))
                    .collect();
                let sum = |of: &dyn Fn(usize) -> f64| -> f64 {
                    factors
                        .iter()
                        .enumerate()
                        .map(|(row, factor)| factor * of(row))
                        .sum()
                };
                for column in 0..before.weight.ncols() {
                    own.weight[(unit, column)] = sum(&|row| before.weight[(row, column)]);
                }
                own.bias[unit] = sum(&|row| before.bias[row]);
            }
        }
        next.weight = taken;
    }
}

const UNKNOWN: &str = "this network has no layers that are known";

/// Refuses networks whose layers are not known, such as trees.
fn unknown_layers(call: &Sketch) -> Option<Complaint> {
    let mut params = ["parent", "like"].into_iter();
    params.find_map(|param| {
        let network = call.network(param)?;
        let what = network.beside_dense?;
        let message = format!("expected a network of layers, found {what}");
        (!network.layered).then(|| Complaint::at(param, message))
    })
}

/// Refuses networks that are known to differ in more than the widths of hidden layers.
fn unlike(call: &Sketch) -> Option<Complaint> {
    let tensors = |param| call.input(param)?.facts.tensors.clone();
    let (have, want) = (tensors("parent")?, tensors("like")?);
    if let Err(message) = comparable(&have, &want) {
        return Some(Complaint::at("like", message));
    }
    let activation = |param| {
        let layers = call.network(param)?.layers.clone()?;
        let (_, rest) = layers.split_once("activation \"")?;
        Some(rest.split('"').next()?.to_owned())
    };
    let (have, want) = (activation("parent")?, activation("like")?);
    let message = format!("expected a network with `{have}`, found `{want}`");
    (have != want && tensors("like")?.len() > 2).then(|| Complaint::at("like", message))
}

/// Some units of a layer.
fn rows(layer: &Matrix, units: &[usize]) -> Matrix {
    Matrix {
        weight: Mat::from_fn(units.len(), layer.weight.ncols(), |row, column| {
            layer.weight[(units[row], column)]
        }),
        bias: units.iter().map(|unit| layer.bias[*unit]).collect(),
    }
}

/// Weights that read units, with `want` of them instead of `have`: for each, which one it was and what its
/// weights are multiplied by.
fn taking(
    weight: &Mat<f64>,
    [have, want]: [usize; 2],
    from: impl Fn(usize) -> (usize, f64),
) -> Mat<f64> {
    // The columns of a unit follow each other.
    let inner = weight.ncols() / have.max(1);
    Mat::from_fn(weight.nrows(), want * inner, |row, column| {
        let (unit, factor) = from(column / inner);
        factor * weight[(row, unit * inner + column % inner)]
    })
}

/// The mean size of what each unit gives, times the norm of the weights that take it.
fn importance(given: &Mat<f64>, next: &Matrix) -> Vec<f64> {
    let worth = (0..given.ncols()).map(|unit| {
        let sizes: f64 = (0..given.nrows()).map(|row| given[(row, unit)].abs()).sum();
        let squares: f64 = (0..next.weight.nrows())
            .map(|row| next.weight[(row, unit)].powi(2))
            .sum();
        sizes / given.nrows() as f64 * squares.sqrt()
    });
    worth.collect()
}

/// The places of the largest numbers, in ascending order; of equal ones the first.
fn largest(numbers: &[f64], count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_by(|a, b| numbers[*b].total_cmp(&numbers[*a]));
    order.truncate(count);
    order.sort_unstable();
    order
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::data::support::testing::table;
    use crate::networks::testing::{made_up, network};
    use crate::networks::{
        Columns, Convolutional, Encoder, EncoderNetwork, Images, Layers, Loss, Scaled,
    };
    use crate::testing::{call, given};
    use crate::weights::support::symmetry::hidden;
    use crate::weights::support::testing::golden;

    #[derive(Deserialize)]
    struct Golden {
        w: Vec<Vec<f64>>,
        selected_rows_uniform_3_of_6: Vec<Vec<f64>>,
    }

    fn made(inputs: usize, hidden: usize) -> Parent {
        let columns = (0..inputs)
            .map(|at| Scaled::as_is(&format!("x{at}")))
            .collect();
        let network = network(
            [columns, vec![Scaled::as_is("y")]],
            &[inputs, hidden, 2],
            Loss::CrossEntropy,
        );
        let weights = made_up(network.layout().len(), hidden);
        Parent::new(network, weights)
    }

    fn resized(net: &Parent, like: usize, text: &str) -> Parent {
        let inputs = net.network.as_ref().expect("a network").inputs().len();
        let data = table(&[
            ("x0", &[1.0, 2.0]),
            ("x1", &[0.5, -1.0]),
            ("y", &[0.0, 1.0]),
        ]);
        let given = [
            ("p", given(net.clone())),
            ("q", given(made(inputs, like))),
            ("d", given(data)),
        ];
        let resize: Resize = call(&format!("p, like: q{text}"), &given);
        let found = resize.run(&Context::alone("resize")).expect("runs");
        assert_eq!(found.layout.tensors[0].shape, [like, inputs]);
        found
    }

    #[test]
    fn rows_are_those_of_the_golden_file() {
        let golden: Golden = golden(include_str!(
            "../../testdata/golden/weightspace/tensor.json"
        ));
        let mut net = made(4, 6);
        let rows = golden.w.concat().into_iter().map(|it| it as f32);
        net.weights.splice(..24, rows);
        let made = resized(&net, 3, "");
        let expected = golden.selected_rows_uniform_3_of_6.concat();
        let expected: Vec<f32> = expected.into_iter().map(|it| it as f32).collect();
        assert_eq!(made.weights[..12], expected);
        // Biases and the columns that take them go with them.
        assert_eq!(made.weights[12..15], [24, 26, 28].map(|at| net.weights[at]));
        assert_eq!(made.weights[15..18], [30, 32, 34].map(|at| net.weights[at]));
        let scaled = resized(&net, 3, ", scale: true");
        assert!((scaled.weights[15] / net.weights[30] - 2f32.sqrt()).abs() < 1e-6);
        let first = resized(&net, 3, ", pick: first");
        assert_eq!(first.weights[..12], net.weights[..12]);
    }

    #[test]
    fn a_larger_network_is_the_same_function() {
        let small = made(2, 5);
        let inputs = made_up(2 * 30, 8);
        let run = |parent: &Parent| {
            let network = parent.network.as_ref().expect("a network");
            network.evaluate(&parent.weights, &inputs, 30)
        };
        for grow in ["copy", "zero", "mix"] {
            let large = resized(&small, 12, &format!(", grow: {grow}"));
            for (before, after) in run(&small).iter().zip(run(&large)) {
                assert!((before - after).abs() < 1e-5, "{grow}");
            }
        }
        assert_eq!(resized(&small, 5, "").weights, small.weights);
    }

    #[test]
    fn the_important_units_stay() {
        let mut small = made(2, 4);
        // Units 1 and 3 are not taken.
        for unit in [1, 3] {
            for row in [0, 1] {
                small.weights[12 + row * 4 + unit] = 0.0;
            }
        }
        let made = resized(&small, 2, ", pick: importance, on: d");
        let expected = [0, 1, 4, 5].map(|at| small.weights[at]);
        assert_eq!(made.weights[..4], expected);
        let inputs = made_up(2 * 30, 8);
        let run = |parent: &Parent| {
            parent
                .network
                .as_ref()
                .expect("a network")
                .evaluate(&parent.weights, &inputs, 30)
        };
        for (before, after) in run(&small).iter().zip(run(&made)) {
            assert!((before - after).abs() < 1e-5);
        }
    }
    fn columns(inputs: usize) -> Columns {
        Columns {
            inputs: (0..inputs)
                .map(|at| Scaled::as_is(&format!("x{at}")))
                .collect(),
            targets: vec![Scaled::as_is("y")],
        }
    }

    fn conv(channels: usize, hidden: usize, pool: usize) -> Parent {
        let images = Images {
            depth: 1,
            height: 6,
            width: 6,
            channels: vec![channels],
            kernel: 3,
            pool,
        };
        let side = 4 / pool;
        let network = Network::from(Convolutional {
            columns: columns(36),
            images,
            layers: Layers {
                widths: vec![channels * side * side, hidden, 2],
                activation: Activation::Relu,
            },
            loss: Loss::CrossEntropy,
        });
        let weights = made_up(network.layout().len(), channels + hidden);
        Parent::new(network, weights)
    }

    fn transformer(layers: usize, feedforward: usize, width: usize) -> Parent {
        let network = Network::from(EncoderNetwork {
            columns: columns(3),
            encoder: Encoder {
                tokens: 3,
                width,
                heads: 2,
                layers,
                feedforward,
            },
            layers: Layers {
                widths: vec![width, 2],
                activation: Activation::Gelu,
            },
            loss: Loss::CrossEntropy,
        });
        let weights = made_up(network.layout().len(), layers + feedforward);
        Parent::new(network, weights)
    }

    fn like(net: &Parent, like: &Parent, text: &str) -> Result<Parent, Fault> {
        let given = [("p", given(net.clone())), ("q", given(like.clone()))];
        let resize: Resize = call(&format!("p, like: q{text}"), &given);
        resize.run(&Context::alone("resize"))
    }

    /// What a network gives for five rows.
    fn outputs(parent: &Parent, inputs: usize) -> Vec<f32> {
        let network = parent.network.as_ref().expect("a network");
        network.evaluate(&parent.weights, &made_up(inputs * 5, 3), 5)
    }

    #[test]
    fn channels_and_transformers_grow_without_another_function() {
        let pairs = [
            (conv(3, 4, 2), conv(7, 9, 2), 36),
            (transformer(2, 5, 4), transformer(2, 12, 4), 3),
        ];
        for (small, large, inputs) in pairs {
            for grow in ["copy", "zero", "mix"] {
                let made = like(&small, &large, &format!(", grow: {grow}")).expect("larger");
                assert_eq!(made.layout, large.layout);
                for (before, after) in outputs(&small, inputs).iter().zip(outputs(&made, inputs)) {
                    assert!((before - after).abs() < 1e-5, "{grow} {before} {after}");
                }
            }
            assert_eq!(
                like(&small, &small, "").expect("the same").weights,
                small.weights
            );
        }
    }

    #[test]
    fn channels_that_do_nothing_are_left_out_without_another_function() {
        let mut big = conv(4, 6, 2);
        let network = big.network.clone().expect("a network");
        let units = hidden(&network).expect("units");
        // Every other unit, the first in its place, is what `uniform` takes.
        for units in &units {
            for unit in (1..units.count).step_by(2) {
                let [_, taken] = units.places(unit);
                taken.iter().for_each(|place| big.weights[*place] = 0.0);
            }
        }
        let made = like(&big, &conv(2, 3, 2), "").expect("smaller");
        for (before, after) in outputs(&big, 36).iter().zip(outputs(&made, 36)) {
            assert!((before - after).abs() < 1e-5, "{before} {after}");
        }
    }

    #[test]
    fn a_transformer_has_every_other_layer() {
        let big = transformer(4, 5, 4);
        let made = like(&big, &transformer(2, 5, 4), "").expect("smaller");
        let of = |parent: &Parent, name: &str| -> Vec<f32> {
            let mut tensors = parent.layout.ranges();
            let (_, range) = tensors.find(|(tensor, _)| tensor.name == name).expect(name);
            parent.weights[range].to_vec()
        };
        for (to, from) in [(0, 0), (1, 2)] {
            for part in [
                "self_attn.in_proj_weight",
                "linear1.weight",
                "linear2.bias",
                "norm2.weight",
            ] {
                let name = |layer| format!("layers.{layer}.{part}");
                assert_eq!(of(&made, &name(to)), of(&big, &name(from)), "{part}");
            }
        }
        assert_eq!(of(&made, "tokens.weight"), of(&big, "tokens.weight"));
        assert_eq!(outputs(&made, 3).len(), 10);
    }

    #[test]
    fn networks_of_another_kind_are_refused() {
        let refused =
            |net: &Parent, other: &Parent| like(net, other, "").expect_err("refused").to_string();
        assert_eq!(
            refused(&transformer(2, 5, 4), &transformer(3, 5, 4)),
            "expected a network of at most 2 layers, found 3"
        );
        assert_eq!(
            refused(&transformer(2, 5, 4), &transformer(2, 5, 6)),
            SAME_TOKENS
        );
        assert_eq!(
            refused(&conv(3, 4, 2), &transformer(2, 5, 4)),
            "expected a network of the same kind"
        );
        assert_eq!(
            refused(&conv(3, 4, 2), &conv(3, 4, 1)),
            "expected convolutions with the same kernel and pooling"
        );
    }
}
