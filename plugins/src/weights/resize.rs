//! `resize(big, like: small, pick: importance, on: seen)`: a network with the widths of another.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::Input;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use engine::{plugin, words};
use faer::Mat;
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use super::support::seen::{Seen, dense, not_dense};
use crate::networks::precise::{Matrix, matrices};
use crate::networks::{Columns, Feedforward, Layers, Network};
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
    /// of the ratio of widths. Both networks are dense layers, equally many, with the same columns
    /// and activation; means and deviations of columns stay those of `parent`.
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
        let networks = ["parent", "like"]
            .into_iter()
            .find_map(|param| not_runnable(call, param).or_else(|| not_dense(call, param)));
        let found = networks.or_else(|| unlike(call));
        lacks.into_iter().chain(found).collect()
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        super::support::facts::one(call, &call.inputs("like"), 1.0)
    }

    fn run(self, context: &Context) -> Result<Parent, Fault> {
        let (network, layers) = dense(&self.parent, "parent")?;
        let (_, wanted) = dense(&self.like, "like")?;
        self.comparable(layers, wanted)?;
        let doubles: Vec<f64> = self
            .parent
            .weights
            .iter()
            .map(|it| f64::from(*it))
            .collect();
        let mut made = matrices(&layers.widths, &doubles);
        let passed = match (&self.on, self.pick) {
            (Some(on), Choice::Importance) => {
                Some(Seen::of(network, on)?.pass(&self.parent.weights)?)
            }
            (None, Choice::Importance) => {
                return Err(Fault::at("pick", "`importance` is about rows of data"));
            }
            _ => None,
        };
        let whole = made.clone();
        for layer in 0..made.len() - 1 {
            let (have, want) = (layers.widths[layer + 1], wanted.widths[layer + 1]);
            let [own, next] = &mut made[layer..layer + 2] else {
                return Err(Fault::Bug("a layer without a next".to_owned()));
            };
            if want <= have {
                let units = match &passed {
                    Some(passed) => {
                        let worth = importance(&passed.inputs[layer + 1], &whole[layer + 1]);
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
                next.weight = columns(
                    &next.weight,
                    |row, unit| factor * next.weight[(row, units[unit])],
                    want,
                );
            } else {
                self.grow(
                    own,
                    next,
                    have,
                    want,
                    &mut context.rng(&format!("layer {layer}")),
                );
            }
        }
        let network = Network::from(Feedforward {
            columns: Columns {
                inputs: network.inputs().to_vec(),
                targets: network.targets().to_vec(),
            },
            layers: wanted.clone(),
            loss: network.loss(),
        });
        let mut weights = Vec::with_capacity(network.layout().len());
        for Matrix { weight, bias } in &made {
            for row in 0..weight.nrows() {
                weights.extend((0..weight.ncols()).map(|column| weight[(row, column)] as f32));
            }
            weights.extend(bias.iter().map(|bias| *bias as f32));
        }
        Ok(Parent::new(network, weights))
    }
}

impl Resize {
    /// Refuses networks that differ in more than the widths of hidden layers.
    fn comparable(&self, have: &Layers, want: &Layers) -> Result<(), Fault> {
        let ends = |layers: &Layers| {
            (
                layers.widths.first().copied(),
                layers.widths.last().copied(),
            )
        };
        let differ = |message: String| Err(Fault::at("like", message));
        if have.widths.len() != want.widths.len() {
            let (found, expected) = (want.widths.len() - 1, have.widths.len() - 1);
            return differ(format!(
                "expected a network of {expected} layers, found {found}"
            ));
        }
        if ends(have) != ends(want) {
            return differ("expected a network with as many inputs and outputs".to_owned());
        }
        // Without hidden layers none follows.
        if have.activation != want.activation && have.widths.len() > 2 {
            let (have, want) = (have.activation.word(), want.activation.word());
            return differ(format!("expected a network with `{have}`, found `{want}`"));
        }
        Ok(())
    }

    /// Gives a layer more units, and the next one weights that take them.
    fn grow(
        &self,
        own: &mut Matrix,
        next: &mut Matrix,
        have: usize,
        want: usize,
        rng: &mut impl Rng,
    ) {
        // Where each unit comes from: itself, then copies from the first on.
        let from: Vec<usize> = (0..want).map(|unit| unit % have).collect();
        let copies = |unit: usize| from.iter().filter(|it| **it == unit).count() as f64;
        let taken = match self.grow {
            Grow::Copy => columns(
                &next.weight,
                |row, unit| next.weight[(row, from[unit])] / copies(from[unit]),
                want,
            ),
            Grow::Zero | Grow::Mix => columns(
                &next.weight,
                |row, unit| {
                    if unit < have {
                        next.weight[(row, unit)]
                    } else {
                        0.0
                    }
                },
                want,
            ),
        };
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

/// Refuses networks that are known to differ in more than the widths of hidden layers.
fn unlike(call: &Sketch) -> Option<Complaint> {
    let tensors = |param| call.input(param)?.facts.tensors.clone();
    let (have, want) = (tensors("parent")?, tensors("like")?);
    let layers = |tensors: &[(String, Vec<usize>)]| tensors.len() / 2;
    if layers(&have) != layers(&want) {
        let (expected, found) = (layers(&have), layers(&want));
        let message = format!("expected a network of {expected} layers, found {found}");
        return Some(Complaint::at("like", message));
    }
    let ends = |tensors: &[(String, Vec<usize>)]| {
        let inputs = tensors.first().and_then(|(_, shape)| shape.last().copied());
        let outputs = tensors.last().and_then(|(_, shape)| shape.first().copied());
        (inputs, outputs)
    };
    if ends(&have) != ends(&want) {
        let message = "expected a network with as many inputs and outputs";
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

/// A matrix of the same rows with other columns.
fn columns(weight: &Mat<f64>, of: impl Fn(usize, usize) -> f64, count: usize) -> Mat<f64> {
    Mat::from_fn(weight.nrows(), count, of)
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
    use crate::networks::{Loss, Scaled};
    use crate::testing::{call, given};
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
}
