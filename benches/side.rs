//! One measurement for the table of `run.py`, in processor time; prints one JSON object.

use std::hint::black_box;

use benches::machine::{best, peak, peak_memory, seconds, stream};
use benches::{batch, child, data, descent, finetune, parent, regression, run};
use plugins::training::{FanOut, Trainer};

fn main() {
    let mut words = std::env::args().skip(1);
    let what = words.next().unwrap_or_default();
    let numbers: Vec<usize> = words
        .flat_map(|word| word.split(',').map(str::parse).collect::<Vec<_>>())
        .collect::<Result<_, _>>()
        .unwrap_or_default();
    let found = match (what.as_str(), numbers.as_slice()) {
        ("machine", []) => format!("\"flops\": {:.4e}, \"bytes\": {:.4e}", peak(), stream()),
        ("step", [rows, widths @ ..]) => seconds_of(step(*rows, widths)),
        ("finetune", [rows, widths @ ..]) => seconds_of(fine_tuning(*rows, widths)),
        ("ols", [subsets, predictors, weights]) => seconds_of(ols(*subsets, *predictors, *weights)),
        ("child", [rows]) => apply(*rows),
        _ => {
            eprintln!(
                "side machine | step BATCH WIDTHS | finetune BATCH WIDTHS | \
                 ols SUBSETS PREDICTORS WEIGHTS | child ROWS"
            );
            std::process::exit(2);
        }
    };
    println!("{{{found}}}");
}

fn seconds_of(seconds: f64) -> String {
    format!("\"seconds\": {seconds:.6e}")
}

/// Of one step of one child, each with its own minibatches.
fn step(rows: usize, widths: &[usize]) -> f64 {
    const STEPS: usize = 20;
    let parent = parent(widths);
    let optimizer = descent();
    let batches = vec![batch(&parent.network, rows); STEPS];
    let mut trainer = FanOut::new(&parent.network, &optimizer);
    // As many children as make a run long enough to be timed.
    let children = (200_000_000 / (rows * parent.weights.len() * 6 * STEPS)).max(1);
    let time = best(9, || {
        for _ in 0..children {
            let mut weights = parent.weights.clone();
            trainer.restart();
            for batch in &batches {
                trainer.step(&mut weights, batch, 1.0);
            }
            black_box(&weights);
        }
    });
    time / (children * STEPS) as f64
}

/// Of one step of the plugin, draws of minibatches and losses before and after included.
fn fine_tuning(rows: usize, widths: &[usize]) -> f64 {
    let (children, steps) = (32, 100);
    let parent = parent(widths);
    let time = best(5, || {
        black_box(run(finetune(&parent, children, rows, steps)));
    });
    time / (children as f64 * steps as f64)
}

/// Of a straight-line regression and what it says of the predictors.
fn ols(subsets: usize, predictors: usize, weights: usize) -> f64 {
    let parent = parent(&[weights - 1, 1]);
    let mut least = f64::INFINITY;
    for _ in 0..3 {
        let call = regression(&parent, subsets, predictors);
        let start = seconds();
        black_box(run(call));
        least = least.min(seconds() - start);
    }
    least
}

/// Of the outputs of one network per row, and the memory it takes beside data and outputs.
fn apply(rows: usize) -> String {
    let child = child(&[2, 16, 16, 1], 1);
    let data = data(&child.parent.network, 1, rows);
    let before = peak_memory();
    let start = seconds();
    let outputs = child.predict(&data).expect("predicts");
    let time = seconds() - start;
    black_box(&outputs);
    let memory = peak_memory() - before;
    format!("{}, \"memory\": {memory}", seconds_of(time))
}
