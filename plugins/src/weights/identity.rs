//! Parameters that change nothing give the input back to the bit, whatever the plugin; and so do
//! spans of any width.

use std::collections::BTreeSet;
use std::ops::Range;

use engine::artifact::{Layout, Tensor};
use engine::plugin::{Context, Plugin, Registry};

use super::support::testing::{merge, parent, weights_of};
use super::*;
use crate::data::support::testing::table as data;
use crate::networks::testing::made_up;
use crate::testing::{Given, call, given, members};

/// What has no parameters that change nothing, and why.
const OTHERS: [(&str, &str); 13] = [
    ("diagnose", "a score"),
    ("evaluate", "a score"),
    ("landscape", "a score"),
    ("novelty", "a score"),
    ("path", "a score"),
    ("similarity", "a score"),
    ("ema", "solves for factors"),
    ("quantise", "rounds at any number of bits"),
    ("stock", "divides by the distance from the base"),
    ("across", "is about a sweep"),
    ("track", "trains again"),
    ("generate", "draws"),
    (
        "safetensors",
        "reads files, compared with theirs in its own tests",
    ),
];

/// Weights of all sizes that single precision has.
fn awkward() -> Parent {
    let mut net = parent(&merge().base);
    let sizes = [
        f32::MIN_POSITIVE / 4.0,
        1e-30,
        0.1,
        1.0 / 3.0,
        1e-3,
        -3.0,
        0.0,
        -0.0,
    ];
    for (weight, size) in net
        .weights
        .iter_mut()
        .zip(sizes.into_iter().cycle())
        .step_by(2)
    {
        *weight = size;
    }
    net
}

/// The weights that a call makes of a network `n`, and data `d` where they are named.
fn made<P: Plugin>(arguments: &str, of: fn(P::Output) -> Vec<f32>) -> (&'static str, Vec<f32>) {
    let net = awkward();
    let mut columns = ["x0", "x1", "x2", "y"].map(|name| (name, [0.5, -1.0, 2.0]));
    columns[3].1 = [0.0, 1.0, 1.0];
    let columns: Vec<(&str, &[f64])> = columns.iter().map(|(name, it)| (*name, &it[..])).collect();
    let mut inputs: Vec<(&str, Given)> = vec![("n", given(net))];
    if arguments.contains("on: d") {
        inputs.push(("d", given(data(&columns))));
    }
    let plugin: P = call(arguments, &inputs);
    let found = plugin.run(&Context::alone(P::NAME)).expect(arguments);
    (P::NAME, of(found))
}

#[test]
fn the_input_comes_back_to_the_bit() {
    let rows = |weights: Weights| weights_of(&weights);
    let lone = |parent: Parent| parent.weights;
    let found = [
        made::<Combine>("terms: [n], factors: [1]", rows),
        made::<Combine>("terms: [n, n, n], factors: [0.5, 0.25, 0.25]", rows),
        made::<Average>("n", rows),
        made::<Average>("n, on: d", rows),
        made::<Soup>("n", rows),
        made::<Soup>("n, on: d, choose: best", rows),
        made::<Pick>("n, row == 0", rows),
        made::<Member>("n, 0", rows),
        made::<Members>("n, count: 1", rows),
        made::<Trim>("n, keep: 1", rows),
        made::<Trim>("n, keep: 1, by: chance, rescale: share", rows),
        made::<Trim>("n, keep: 1, by: middle", rows),
        made::<Trim>("n, keep: 1, by: rank, epsilon: 0, rescale: share", rows),
        made::<Only>("n, tensors: \"*\"", rows),
        made::<Elect>("n, n", rows),
        made::<Slerp>("n, n, at: 0", rows),
        made::<Slerp>("n, n, at: 1", rows),
        made::<Spectral>("n, edit: truncate, energy: 1", rows),
        made::<Spectral>("n, edit: cap, value: 1e38", rows),
        made::<Spectral>("n, edit: clip, value: 1e38", rows),
        made::<Spectral>("n, edit: max_rows, value: 1e38", rows),
        made::<Spectral>("n, edit: match_norm, like: n", rows),
        made::<Align>("n, to: n", rows),
        made::<Align>("n, to: n, by: activations, on: d", rows),
        made::<Vary>("n", rows),
        made::<Project>("n, on: d, share: 100 %", lone),
        made::<Prune>("n, keep: 1", lone),
        made::<Prune>("n, keep: 1, unit: unit", lone),
        made::<Resize>("n, like: n", lone),
    ];
    let expected: Vec<u32> = awkward().weights.iter().map(|it| it.to_bits()).collect();
    for (name, weights) in &found {
        let bits: Vec<u32> = weights.iter().map(|it| it.to_bits()).collect();
        assert_eq!(bits, expected, "{name}");
    }
    let mut registry = Registry::default();
    register(&mut registry);
    let all: BTreeSet<String> = registry
        .iter()
        .map(|it| it.declaration().signature.name.clone())
        .collect();
    let tried = found.iter().map(|(name, _)| *name);
    let others = OTHERS.iter().map(|(name, _)| *name);
    let known: BTreeSet<String> = tried.chain(others).map(str::to_owned).collect();
    assert_eq!(
        all, known,
        "a plugin over weights has a case here, or says why not"
    );
}

/// Rows of two matrices and a vector, too long for one span.
fn long(rows: Range<usize>) -> Weights {
    let tensor = |name: &str, shape: &[usize]| Tensor {
        name: name.to_owned(),
        shape: shape.to_vec(),
    };
    let tensors = vec![
        tensor("a.weight", &[300, 1000]),
        tensor("a.bias", &[300]),
        tensor("b.weight", &[100, 1000]),
    ];
    let layout = Layout { tensors };
    let numbers: Vec<u32> = (0..rows.len() as u32).collect();
    let row = Series::new("row".into(), numbers);
    let coordinates = DataFrame::new(rows.len(), vec![row.into()]).expect("a frame");
    let weights: Vec<f32> = rows.flat_map(|row| made_up(layout.len(), row)).collect();
    Weights {
        table: Trajectory::from_rows(layout, coordinates, &weights).expect("rows"),
        network: None,
    }
}

#[test]
fn spans_of_any_width_give_the_same_bytes() {
    fn row_by_row<P: Plugin<Output = Weights>>(arguments: &str) {
        let run = |rows: Range<usize>| {
            let others = rows.start + 10..rows.end + 10;
            let mut inputs = vec![("a", given(long(rows)))];
            if arguments
                .split([',', ' ', '[', ']'])
                .any(|word| word == "b")
            {
                inputs.push(("b", given(long(others))));
            }
            let plugin: P = call(arguments, &inputs);
            weights_of(&plugin.run(&Context::alone(P::NAME)).expect(arguments))
        };
        // The more rows, the fewer columns in a span.
        let together = run(0..5);
        let length = together.len() / 5;
        for (row, weights) in together.chunks_exact(length).enumerate() {
            assert!(run(row..row + 1) == weights, "{} {row}", P::NAME);
        }
    }
    row_by_row::<Combine>("terms: [a, b], factors: [0.7, 0.3]");
    row_by_row::<Elect>("a, b");
    row_by_row::<Slerp>("a, b, at: 0.3, scope: tensor");
    row_by_row::<Slerp>("a, b, at: 0.3, scope: network");
    row_by_row::<Trim>("a, keep: 0.2");
    row_by_row::<Trim>("a, keep: 0.2, scope: tensor, rescale: l2");
    row_by_row::<Trim>("a, keep: 0.2, by: middle, drop_top: 0.1");
    row_by_row::<Trim>("a, keep: 0.2, scope: row");
    row_by_row::<Stock>("a, b, b, scope: row");
    row_by_row::<Only>("a, tensors: \"*.weight\"");
    row_by_row::<Quantise>("a, bits: 4");
    row_by_row::<Stock>("a, b, b");
}

/// Some columns of rows, as one tensor.
fn columns_of(weights: &Weights, columns: Range<usize>) -> Weights {
    let all: Vec<usize> = (0..weights.table.rows()).collect();
    let rows = weights.table.networks(&all).expect("rows");
    let some: Vec<f32> = rows
        .iter()
        .flat_map(|row| row[columns.clone()].to_vec())
        .collect();
    let tensor = Tensor {
        name: "some".to_owned(),
        shape: vec![columns.len()],
    };
    let layout = Layout {
        tensors: vec![tensor],
    };
    let coordinates = weights.table.coordinates.clone();
    Weights {
        table: Trajectory::from_rows(layout, coordinates, &some).expect("rows"),
        network: None,
    }
}

#[test]
fn three_columns_alone_give_the_same_bytes_as_all() {
    fn alike(make: impl Fn(&Weights) -> Weights) {
        let rows = long(0..5);
        let all = weights_of(&make(&rows));
        let length = rows.table.layout.len();
        for start in (0..length - 3).step_by(length / 97) {
            let columns = start..start + 3;
            let some = weights_of(&make(&columns_of(&rows, columns.clone())));
            for (row, some) in some.chunks_exact(3).enumerate() {
                let place = row * length + columns.start;
                assert!(all[place..place + 3] == *some, "{start}");
            }
        }
    }
    alike(|rows| {
        let average: Average = call("w, weight: row + 1", &[("w", given(rows.clone()))]);
        average.run(&Context::alone("average")).expect("runs")
    });
    alike(|rows| {
        let inputs = [("a", given(rows.clone()))];
        let sum: Combine = call("terms: [a, a], factors: [0.7, -0.1]", &inputs);
        sum.run(&Context::alone("combine")).expect("runs")
    });
    alike(|rows| {
        let all: Vec<usize> = (0..rows.table.rows()).collect();
        let networks = rows.table.networks(&all).expect("rows").into_iter();
        let parents = networks.map(|weights| {
            let single = single().expect("a frame");
            let layout = rows.table.layout.clone();
            let table = Trajectory::from_rows(layout, single, &weights).expect("a row");
            Weights {
                table,
                network: None,
            }
            .parent()
        });
        let soup: Soup = call("p", &[("p", members(parents))]);
        soup.run(&Context::alone("soup")).expect("runs")
    });
}
