//! Golden numbers, made in double precision by `testdata/golden/weightspace/gen.py`.

use std::collections::BTreeMap;

use engine::artifact::{Layout, Tensor, Trajectory, WeightTable};
use polars::prelude::{DataFrame, NamedFrom, Series};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::super::Weights;
use crate::networks::testing::network;
use crate::networks::{Loss, Scaled};
use crate::parents::Parent;

/// Layers of an MLP: rows of weights and biases.
pub(crate) type Net = Vec<(Vec<Vec<f64>>, Vec<f64>)>;

/// Sums and merges.
#[derive(Deserialize)]
pub(crate) struct Merge {
    pub base: Net,
    pub a: Net,
    pub b: Net,
    pub c: Net,
    pub half: Vec<f64>,
    pub add: Vec<f64>,
    pub negate: Vec<f64>,
    pub analogy: Vec<f64>,
    pub mean: Vec<f64>,
    pub trim_a: Vec<f64>,
    pub elect_untrimmed: Vec<f64>,
    pub slerp_tensorwise: Vec<f64>,
    pub slerp_whole: Vec<f64>,
    pub stock: Vec<f64>,
    pub only_layer0: Vec<f64>,
}

/// Averages along training.
#[derive(Deserialize)]
pub(crate) struct Averages {
    pub path: Vec<Vec<f64>>,
    pub std_to_gamma: BTreeMap<String, f64>,
    pub power_average_steps: Vec<u64>,
    pub power_average: Vec<f64>,
    pub snapshots: Vec<[f64; 2]>,
    pub tracked: Vec<Vec<f64>>,
    pub posthoc: BTreeMap<String, Posthoc>,
}

/// An average of another width, from those that were tracked.
#[derive(Deserialize)]
pub(crate) struct Posthoc {
    pub gamma: f64,
    pub coefficients: Vec<f64>,
    pub weights: Vec<f64>,
}

/// Networks in line with another one, and the losses on the way there.
#[derive(Deserialize)]
pub(crate) struct Alignment {
    pub reference: Net,
    pub x: Vec<Vec<f64>>,
    pub y: Vec<f64>,
    /// The reference with its units in another order, and some noise.
    pub other: Aligned,
    /// A network of another start.
    pub far: Aligned,
}

#[derive(Deserialize)]
pub(crate) struct Aligned {
    pub network: Net,
    pub permutation: Vec<Vec<usize>>,
    pub distance_after: f64,
    pub losses_before: Vec<f64>,
    pub barrier_before: f64,
    pub barrier_after: f64,
}

pub(crate) fn merge() -> Merge {
    golden(include_str!(
        "../../../testdata/golden/weightspace/merge.json"
    ))
}

pub(crate) fn averages() -> Averages {
    golden(include_str!(
        "../../../testdata/golden/weightspace/averages.json"
    ))
}

pub(crate) fn alignment() -> Alignment {
    golden(include_str!(
        "../../../testdata/golden/weightspace/align.json"
    ))
}

/// The numbers of a golden file.
pub(crate) fn golden<T: DeserializeOwned>(text: &str) -> T {
    serde_json::from_str(text).expect("figures")
}

/// All weights in parameter order.
pub(crate) fn flat(net: &Net) -> Vec<f64> {
    let layers = net
        .iter()
        .map(|(weight, bias)| [weight.concat(), bias.clone()].concat());
    layers.collect::<Vec<_>>().concat()
}

/// A network that classifies, tanh between its layers, with these weights.
pub(crate) fn parent(net: &Net) -> Parent {
    let mut widths = vec![net[0].0[0].len()];
    widths.extend(net.iter().map(|(_, bias)| bias.len()));
    let inputs = (0..widths[0])
        .map(|at| Scaled::as_is(&format!("x{at}")))
        .collect();
    let network = network(
        [inputs, vec![Scaled::as_is("y")]],
        &widths,
        Loss::CrossEntropy,
    );
    let weights = flat(net).into_iter().map(|weight| weight as f32).collect();
    Parent::new(network, weights)
}

/// Rows of weights of one tensor.
pub(crate) fn table(rows: &[Vec<f64>], steps: Option<&[u64]>) -> Weights {
    let layout = Layout {
        tensors: vec![Tensor {
            name: "w".to_owned(),
            shape: vec![rows[0].len()],
        }],
    };
    let coordinate = match steps {
        Some(steps) => Series::new("step".into(), steps),
        None => Series::new("row".into(), (0..rows.len() as u32).collect::<Vec<_>>()),
    };
    let coordinates = DataFrame::new(rows.len(), vec![coordinate.into()]).expect("a frame");
    let weights: Vec<f32> = rows
        .concat()
        .into_iter()
        .map(|weight| weight as f32)
        .collect();
    Weights {
        table: Trajectory::from_rows(layout, coordinates, &weights).expect("rows"),
        network: None,
    }
}

/// The difference of a network from what it was tuned from, as an anomaly.
pub(crate) fn moved(base: &Net, tuned: &Net) -> WeightTable {
    let row = flat(tuned)
        .into_iter()
        .zip(flat(base))
        .map(|(a, b)| (a - b) as f32)
        .collect();
    let subset = Series::new("subset".into(), [0_u32]);
    WeightTable {
        layout: parent(base).layout,
        coordinates: DataFrame::new(1, vec![subset.into()]).expect("a frame"),
        weights: row,
    }
}

/// All weights, row after row.
pub(crate) fn weights_of(weights: &Weights) -> Vec<f32> {
    let rows: Vec<usize> = (0..weights.table.rows()).collect();
    weights.table.networks(&rows).expect("rows").concat()
}

/// That numbers differ by a share of the largest at most.
pub(crate) fn close(found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    let size = expected
        .iter()
        .fold(0.0_f64, |size, number| size.max(number.abs()));
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(*found) - expected).abs();
        assert!(error <= tolerance * size, "{at}: {found} {expected}");
    }
}
