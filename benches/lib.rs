//! The work that is measured, made up the same way every time.

use engine::artifact::{DataColumn, Dataset, Layout, WeightTable};
use engine::params::{Input, Via};
use engine::plugin::{Context, Plugin};
use plugins::anomalies::{Finetune, Start};
use plugins::children::Child;
use plugins::parents::{Activation, Loss, Network, Parent, Scaled};
use plugins::predictors::Predictors;
use plugins::regressions::{Against, Ols, Regression};
use plugins::subsets::Subsets;
use plugins::training::{Optimizer, Samples, Sgd};
use polars::prelude::{Column, DataFrame};

pub mod machine;

/// Numbers in ±1, the same every time.
pub fn made_up(count: usize) -> Vec<f32> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005);
        state = state.wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// A multilayer perceptron of tangents with these widths and its weights.
pub fn parent(widths: &[usize]) -> Parent {
    let named = |prefix: &str, count: usize| {
        let names = (0..count).map(|at| format!("{prefix}{at}"));
        names.map(|name| Scaled::as_is(&name)).collect()
    };
    let network = Network {
        inputs: named("x", widths[0]),
        targets: named("y", widths[widths.len() - 1]),
        widths: widths.to_vec(),
        activation: Activation::Tanh,
        loss: Loss::Mse,
    };
    let mut weights = made_up(network.layout().len());
    weights.iter_mut().for_each(|weight| *weight *= 0.2);
    Parent {
        network,
        weights,
        losses: Vec::new(),
    }
}

/// Plain stochastic gradient descent.
pub fn descent() -> Optimizer {
    Optimizer::Sgd(Sgd {
        rate: 1e-3,
        momentum: 0.0,
    })
}

/// A minibatch of a network.
pub fn batch(network: &Network, rows: usize) -> Samples {
    Samples {
        inputs: made_up(rows * network.inputs.len()),
        targets: made_up(rows * network.targets.len()),
        rows,
    }
}

/// So many rows of what the network reads and is trained for, and of predictors `p0`, `p1`, ….
pub fn data(network: &Network, predictors: usize, rows: usize) -> Dataset {
    let columns = network.inputs.iter().chain(&network.targets);
    let names = columns.map(|column| column.name.clone());
    let names: Vec<String> = names.chain((0..predictors).map(predictor)).collect();
    let numbers = made_up(rows * names.len());
    let columns = names
        .into_iter()
        .zip(numbers.chunks(rows))
        .map(|(name, values)| DataColumn {
            name,
            unit: None,
            values: values.iter().map(|value| f64::from(*value)).collect(),
        });
    Dataset::new(columns.collect()).expect("columns of one length")
}

fn predictor(at: usize) -> String {
    format!("p{at}")
}

/// A fine-tuning of one parent on so many subsets, minibatches drawn from 400 rows each.
pub fn finetune(parent: &Parent, children: usize, batch: usize, steps: u64) -> Finetune {
    let rows = 20_000;
    let data = data(&parent.network, 0, rows);
    let subset = |child: usize| {
        (0..400)
            .map(|at| ((child * 37 + at) % rows) as u32)
            .collect()
    };
    Finetune {
        parent: Input::new(parent.clone()),
        subsets: Input::new(Subsets {
            rows: (0..children).map(subset).collect(),
        }),
        optimizer: descent(),
        steps,
        batch,
        mix: 0.25,
        from: Start::Parent,
        data: Via(Input::new(data.clone())),
        train: Via(Input::new(data)),
    }
}

/// A straight-line regression of so many anomalies on so many predictors.
pub fn regression(parent: &Parent, subsets: usize, predictors: usize) -> Ols {
    let width = parent.weights.len();
    let numbers: Vec<u32> = (0..subsets as u32).collect();
    let coordinate = Column::new("subset".into(), &numbers[..]);
    let data = data(&parent.network, predictors, subsets);
    let recipe = |at| Input::new(Predictors::Columns(vec![predictor(at)]));
    Ols {
        anomalies: Input::new(WeightTable {
            layout: parent.network.layout(),
            coordinates: DataFrame::new(subsets, vec![coordinate]).expect("one column"),
            weights: made_up(subsets * width),
        }),
        predictors: (0..predictors).map(recipe).collect(),
        keep: None,
        pca: None,
        against: Against::Anomalies,
        subsets: Via(Input::new(Subsets {
            rows: numbers.into_iter().map(|subset| vec![subset]).collect(),
        })),
        data: Via(Input::new(data.clone())),
        training: Via(Input::new(data)),
        parent: Via(Input::new(parent.clone())),
    }
}

/// A parent and a regression of its weights on so many predictors.
pub fn child(widths: &[usize], predictors: usize) -> Child {
    let parent = parent(widths);
    Child {
        regression: run(regression(&parent, 64, predictors)),
        parent,
    }
}

/// What a plugin makes.
pub fn run<P: Plugin>(plugin: P) -> P::Output {
    plugin.run(&Context::alone("bench")).expect("runs")
}

/// The regression of a plugin call; named so that a bench reads as what it measures.
pub fn regress(call: Ols) -> Regression {
    run(call)
}

/// The layout of a network with these widths has this many weights.
pub fn weights(widths: &[usize]) -> usize {
    Layout::mlp(widths).len()
}
