//! `prune(net, keep: 20 %)`: networks with few weights or units that are not zero.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::Input;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use engine::{plugin, words};
use faer::Mat;

use super::support::seen::{Seen, not_dense};
use super::support::symmetry;
use crate::networks::precise::Passed;
use crate::parents::{Parent, not_runnable};

words! {
    /// What makes a weight or unit worth keeping.
    pub enum Worth {
        /// Its size: of a unit the norm of its weights and bias.
        Magnitude = "magnitude",
        /// Its size times that of what it multiplies.
        Contribution = "contribution",
        /// How much of what the next layer sums the unit alone accounts for.
        Fidelity = "fidelity",
    }
}

words! {
    /// What is kept or not.
    pub enum Piece {
        /// Single weights.
        Weight = "weight",
        /// Hidden units.
        Unit = "unit",
    }
}

words! {
    /// Among which the share is kept.
    pub enum Among {
        /// All of the network.
        Network = "network",
        /// Those of a layer.
        Layer = "layer",
        /// The weights of one output.
        Row = "row",
    }
}

plugin! {
    /// Networks with a share of their weights, or of their hidden units; the others are zero.
    ///
    /// Of weights, those of matrices and kernels are counted; biases stay. `contribution` of the
    /// weight from input `j` to output `i` is `|w_ij|` times the norm of the input over the rows `on`
    /// (Sun et al. 2024 with `among: row`); of a unit it is the mean size of what it gives times
    /// the norm of the weights that take it. `fidelity` of a unit is `1 - ‖O - a wᵀ‖² / ‖O‖²`, with `O` the
    /// sums of the next layer, `a` what the unit gives and `w` the weights that take it. Of a unit that is
    /// not kept, the weights, the bias and the weights that take it are zero. The round(keep · n)
    /// of largest worth are kept, of equal ones those that come first.
    ///
    /// By `magnitude` any network is pruned: the units of a convolution are its channels, those of
    /// a transformer are between the two dense layers of each of its layers. What looks at rows of
    /// data takes dense layers alone.
    ///
    /// Training goes on with the zeros by `mask:`; in stages, each with fewer weights, that is
    /// gradual pruning.
    ///
    /// ```farcast
    /// parent few = prune(net, keep: 20 %, by: contribution, on: seen)
    /// parent tuned = mlp(seen, inputs: [x], target: y, hidden: [4], members: 2, start: few, mask: few)
    /// ```
    "prune" version 1
    pub struct Prune {
        /// The networks.
        parent: Input<Parent>;
        /// The share that is kept.
        keep: f64, range("0..=1");
        /// What makes one worth keeping.
        by: Worth = "magnitude";
        /// What is kept.
        unit: Piece = "weight";
        /// Among which the share is counted.
        among: Among = "network";
        /// The rows that contributions and fidelity are about.
        on: Option<Input<Dataset>>;
    }
}

impl Plugin for Prune {
    type Output = Parent;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let by = call.get::<Worth>("by").unwrap_or(Worth::Magnitude);
        let of_units = call.get::<Piece>("unit") == Some(Piece::Unit);
        let by_data = by != Worth::Magnitude;
        let lacks = (by_data && !call.has("on")).then(|| {
            let message = format!("`{}` is about rows of data", by.word());
            Complaint::at("by", message).with_hint("say which: `on: …`")
        });
        let unused = (!by_data && call.has("on"))
            .then(|| Complaint::at("on", "`magnitude` needs no rows").as_warning());
        let fidelity = (by == Worth::Fidelity && !of_units)
            .then(|| Complaint::at("by", "`fidelity` is of units").with_hint("write `unit: unit`"));
        let rows = (of_units && call.get::<Among>("among") == Some(Among::Row))
            .then(|| Complaint::at("among", "`row` is of weights"));
        let needs_network = by_data || of_units;
        let bare = not_runnable(call, "parent").filter(|_| needs_network);
        let hint = "`by: magnitude` needs no rows, and takes other layers too";
        let dense = not_dense(call, "parent").filter(|_| by_data);
        let dense = dense.map(|complaint| complaint.with_hint(hint));
        let found = [lacks, unused, fidelity, rows, bare.or(dense)];
        found.into_iter().flatten().collect()
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        super::support::facts::one(call, &call.inputs("parent"), 1.0)
    }

    fn run(self, context: &Context) -> Result<Parent, Fault> {
        let mut weights = self.parent.weights.clone();
        let pieces = match self.unit {
            Piece::Weight => self.weights_of_matrices()?,
            Piece::Unit => self.units()?,
        };
        let (mut kept, mut all) = (0, 0);
        for group in pieces {
            let count = (self.keep * group.len() as f64 + 0.5).floor() as usize;
            let mut order: Vec<usize> = (0..group.len()).collect();
            order.sort_by(|a, b| group[*b].worth.total_cmp(&group[*a].worth));
            for at in &order[count.min(order.len())..] {
                group[*at]
                    .places
                    .iter()
                    .for_each(|place| weights[*place] = 0.0);
            }
            (kept, all) = (kept + count, all + group.len());
        }
        let what = self.unit.word();
        context.note(format!("{kept} of {all} {what}s are kept"));
        Ok(Parent {
            layout: self.parent.layout.clone(),
            weights,
            network: self.parent.network.clone(),
            losses: Vec::new(),
            training: None,
            states: None,
            saved: self.parent.saved.clone(),
        })
    }
}

/// A weight, or all that belong to a unit.
struct Candidate {
    worth: f64,
    places: Vec<usize>,
}

fn grouped(among: Among, layers: Vec<Vec<Vec<Candidate>>>) -> Vec<Vec<Candidate>> {
    let layers = layers.into_iter();
    match among {
        Among::Network => vec![layers.flatten().flatten().collect()],
        Among::Layer => layers
            .map(|rows| rows.into_iter().flatten().collect())
            .collect(),
        Among::Row => layers.flatten().collect(),
    }
}

impl Prune {
    fn seen(&self) -> Result<Option<(Seen<'_>, Passed)>, Fault> {
        let Some(on) = &self.on else {
            return Ok(None);
        };
        let network = self
            .parent
            .network()
            .map_err(|fault| fault.inside("parent"))?;
        let seen = Seen::of(network, on)?;
        let passed = seen.pass(&self.parent.weights)?;
        Ok(Some((seen, passed)))
    }

    /// The weights of all matrices, layer by layer and row by row.
    fn weights_of_matrices(&self) -> Result<Vec<Vec<Candidate>>, Fault> {
        let passed = match self.by {
            Worth::Magnitude => None,
            Worth::Contribution | Worth::Fidelity => self.seen()?.map(|(_, passed)| passed),
        };
        let layout = &self.parent.layout;
        let matrices = layout
            .ranges()
            .filter(|(tensor, _)| tensor.shape.len() >= 2);
        let layers = matrices.enumerate().map(|(at, (tensor, range))| {
            let width = (tensor.len() / tensor.shape[0].max(1)).max(1);
            let norms = passed.as_ref().map(|passed| norms(&passed.inputs[at]));
            let rows = range.step_by(width).map(|start| {
                let weights = (0..width).map(|column| Candidate {
                    worth: f64::from(self.parent.weights[start + column].abs())
                        * norms.as_ref().map_or(1.0, |norms| norms[column]),
                    places: vec![start + column],
                });
                weights.collect()
            });
            rows.collect()
        });
        Ok(grouped(self.among, layers.collect()))
    }

    /// The hidden units, layer by layer.
    fn units(&self) -> Result<Vec<Vec<Candidate>>, Fault> {
        let network = self
            .parent
            .network()
            .map_err(|fault| fault.inside("parent"))?;
        let Some(layers) = symmetry::hidden(network) else {
            return Err(Fault::at(
                "parent",
                "this network has no hidden units that are known",
            ));
        };
        let passed = self.seen()?.map(|(_, passed)| passed);
        let weights = &self.parent.weights;
        let of = |places: &[usize]| -> Vec<f64> {
            let weights = places.iter().map(|place| f64::from(weights[*place]));
            weights.collect()
        };
        let layers = layers.iter().enumerate().map(|(layer, units)| {
            let candidates = (0..units.count).map(|unit| {
                let [mine, taken] = units.places(unit);
                let worth = match &passed {
                    None => norm(&of(&mine)),
                    Some(passed) => {
                        let given = &passed.inputs[layer + 1];
                        let given: Vec<f64> =
                            (0..given.nrows()).map(|row| given[(row, unit)]).collect();
                        match self.by {
                            Worth::Fidelity => {
                                fidelity(&given, &of(&taken), &passed.sums[layer + 1])
                            }
                            Worth::Contribution | Worth::Magnitude => {
                                let sizes = given.iter().map(|number| number.abs());
                                sizes.sum::<f64>() / given.len() as f64 * norm(&of(&taken))
                            }
                        }
                    }
                };
                Candidate {
                    worth,
                    places: [mine, taken].concat(),
                }
            });
            vec![candidates.collect()]
        });
        Ok(grouped(self.among, layers.collect()))
    }
}

fn norm(numbers: &[f64]) -> f64 {
    numbers
        .iter()
        .map(|number| number * number)
        .sum::<f64>()
        .sqrt()
}

/// The norms of columns.
fn norms(matrix: &Mat<f64>) -> Vec<f64> {
    let column = |at| -> Vec<f64> { (0..matrix.nrows()).map(|row| matrix[(row, at)]).collect() };
    (0..matrix.ncols()).map(|at| norm(&column(at))).collect()
}

/// The share of the sums that one unit accounts for.
fn fidelity(given: &[f64], taken: &[f64], sums: &Mat<f64>) -> f64 {
    let (mut all, mut left) = (0.0, 0.0);
    for (row, given) in given.iter().enumerate() {
        for (column, taken) in taken.iter().enumerate() {
            let sum = sums[(row, column)];
            all += sum * sum;
            left += (sum - given * taken).powi(2);
        }
    }
    if all > 0.0 { 1.0 - left / all } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::data::support::testing::table;
    use crate::networks::testing::{encoder, made_up, network};
    use crate::networks::{
        Activation, Columns, Convolutional, EncoderNetwork, Images, Layers, Loss, Network, Scaled,
    };
    use crate::testing::{Given, call, given};
    use crate::weights::support::testing::golden;

    #[derive(Deserialize)]
    struct Golden {
        w: Vec<Vec<f64>>,
        inputs: Vec<Vec<f64>>,
        contribution: Vec<Vec<f64>>,
    }

    fn run(text: &str, inputs: &[(&str, Given)]) -> Vec<f32> {
        let prune: Prune = call(text, inputs);
        prune.run(&Context::alone("prune")).expect("runs").weights
    }

    /// A layer with the weights of the golden file, and its data.
    fn layer() -> (Golden, [(&'static str, Given); 2]) {
        let golden: Golden = golden(include_str!(
            "../../testdata/golden/weightspace/tensor.json"
        ));
        let names = ["a", "b", "c", "d"];
        let columns = names.map(Scaled::as_is).to_vec();
        let targets = vec![Scaled::as_is("y")];
        let net = network([columns, targets], &[4, 6], Loss::CrossEntropy);
        let weights = golden.w.concat().into_iter().chain([0.5; 6]);
        let net = Parent::new(net, weights.map(|it| it as f32).collect());
        let column = |at: usize| {
            golden
                .inputs
                .iter()
                .map(|row| row[at])
                .collect::<Vec<f64>>()
        };
        let columns = [0, 1, 2, 3].map(column);
        let pairs: Vec<(&str, &[f64])> = names
            .iter()
            .zip(&columns)
            .map(|(name, it)| (*name, &it[..]))
            .collect();
        let data = table(&pairs);
        (golden, [("p", given(net)), ("d", given(data))])
    }

    #[test]
    fn the_largest_of_the_golden_contributions_are_kept() {
        let (golden, inputs) = layer();
        for (among, groups) in [
            ("network", vec![golden.contribution.concat()]),
            ("row", golden.contribution.clone()),
        ] {
            let found = run(
                &format!("p, keep: 0.5, by: contribution, on: d, among: {among}"),
                &inputs,
            );
            let mut at = 0;
            for group in groups {
                let mut order = group.clone();
                order.sort_by(|a, b| b.total_cmp(a));
                let least = order[group.len() / 2 - 1];
                for worth in group {
                    assert_eq!(found[at] != 0.0, worth >= least, "{among} {at}");
                    at += 1;
                }
            }
            assert_eq!(&found[24..], [0.5; 6]);
        }
    }

    #[test]
    fn all_or_nothing_is_kept() {
        let (golden, inputs) = layer();
        let all: Vec<f32> = golden.w.concat().into_iter().map(|it| it as f32).collect();
        assert_eq!(run("p, keep: 1", &inputs)[..24], all);
        assert_eq!(run("p, keep: 0", &inputs)[..24], [0.0; 24]);
        let magnitude = run("p, keep: 25 %", &inputs);
        let mut sizes: Vec<f32> = all.iter().map(|it| it.abs()).collect();
        sizes.sort_by(|a, b| b.total_cmp(a));
        for (found, weight) in magnitude.iter().zip(&all) {
            assert_eq!(*found != 0.0, weight.abs() >= sizes[5]);
        }
    }

    #[test]
    fn a_unit_goes_with_all_that_belongs_to_it() {
        let columns = [vec![Scaled::as_is("x")], vec![Scaled::as_is("y")]];
        let net = network(columns, &[1, 3, 1], Loss::Mse);
        // Unit 1 has the largest weights but is taken little, unit 2 the other way round.
        let weights = vec![0.5, 4.0, 0.25, 0.1, 0.2, 0.3, 0.5, 0.01, 2.0, 1.0];
        let net = Parent::new(net, weights);
        let data = table(&[("x", &[-1.0, 0.5, 1.0]), ("y", &[0.0; 3])]);
        let inputs = [("p", given(net)), ("d", given(data))];
        let kept = |text: &str| -> Vec<usize> {
            let weights = run(text, &inputs);
            let is_whole = |unit: &usize| {
                let mine = [weights[*unit], weights[3 + unit], weights[6 + unit]];
                assert!(mine.iter().all(|it| *it == 0.0) || mine.iter().all(|it| *it != 0.0));
                mine[0] != 0.0
            };
            (0..3).filter(is_whole).collect()
        };
        assert_eq!(kept("p, keep: 0.34, unit: unit"), [1]);
        assert_eq!(
            kept("p, keep: 0.34, unit: unit, by: contribution, on: d"),
            [2]
        );
        assert_eq!(kept("p, keep: 0.34, unit: unit, by: fidelity, on: d"), [2]);
    }
    /// The columns of a network without data.
    fn columns(inputs: usize) -> Columns {
        Columns {
            inputs: (0..inputs)
                .map(|at| Scaled::as_is(&format!("x{at}")))
                .collect(),
            targets: vec![Scaled::as_is("y")],
        }
    }

    /// What a network gives for some rows.
    fn outputs(parent: &Parent, inputs: usize) -> Vec<f32> {
        let network = parent.network.as_ref().expect("a network");
        network.evaluate(&parent.weights, &made_up(inputs * 5, 3), 5)
    }

    #[test]
    fn channels_and_what_is_between_the_dense_layers_of_a_transformer_are_units() {
        let images = Images {
            depth: 1,
            height: 6,
            width: 6,
            channels: vec![4],
            kernel: 3,
            pool: 2,
        };
        let widths = vec![4 * 2 * 2, 3, 2];
        let layers = Layers {
            widths,
            activation: Activation::Relu,
        };
        let conv = Network::from(Convolutional {
            columns: columns(36),
            images,
            layers,
            loss: Loss::CrossEntropy,
        });
        let encoder = Network::from(EncoderNetwork {
            columns: columns(3),
            encoder: encoder(),
            layers: Layers {
                widths: vec![4, 2],
                activation: Activation::Relu,
            },
            loss: Loss::CrossEntropy,
        });
        for (network, inputs, counts) in [(conv, 36, vec![4, 3]), (encoder, 3, vec![5, 5])] {
            let mut net = Parent::new(network.clone(), made_up(network.layout().len(), 1));
            let units = symmetry::hidden(&network).expect("units");
            let found: Vec<usize> = units.iter().map(|units| units.count).collect();
            assert_eq!(found, counts);
            // The last unit of each layer is the smallest, and does nothing.
            for units in &units {
                let [mine, taken] = units.places(units.count - 1);
                mine.iter().for_each(|place| net.weights[*place] *= 1e-3);
                taken.iter().for_each(|place| net.weights[*place] = 0.0);
            }
            let keep = 1.0 - 0.9 / counts[0] as f64;
            let inputs_given = [("p", given(net.clone()))];
            let arguments = format!("p, keep: {keep}, unit: unit, among: layer");
            let weights = run(&arguments, &inputs_given);
            let pruned = Parent::new(network.clone(), weights);
            for units in &units {
                for unit in 0..units.count {
                    let places = units.places(unit).concat();
                    let gone = places.iter().all(|place| pruned.weights[*place] == 0.0);
                    assert_eq!(gone, unit == units.count - 1, "unit {unit} of {counts:?}");
                }
            }
            for (before, after) in outputs(&net, inputs).iter().zip(outputs(&pruned, inputs)) {
                assert!((before - after).abs() < 1e-5, "{before} {after}");
            }
            assert_eq!(run("p, keep: 1, unit: unit", &inputs_given), net.weights);
        }
    }
}
