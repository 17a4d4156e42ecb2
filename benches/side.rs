//! One measurement for the table of `run.py`, in processor time; prints one JSON object.

use std::hint::black_box;

use benches::machine::{best, peak, peak_memory, reset_peak_memory, seconds, stream};
use benches::{Made, Training, child, conv, finetune, parent, regression, transformer};
use engine::artifact::Dataset;
use plugins::children::Child;
use plugins::networks::{Aligned, TrainerChoice};
use plugins::parents::Parent;
use plugins::training::Trainer;

fn main() {
    let mut words = std::env::args().skip(1);
    let what = words.next().unwrap_or_default();
    let numbers: Vec<usize> = words
        .flat_map(|word| word.split(',').map(str::parse).collect::<Vec<_>>())
        .collect::<Result<_, _>>()
        .unwrap_or_default();
    let found = match (what.as_str(), numbers.as_slice()) {
        ("machine", []) => format!("\"flops\": {:.4e}, \"bytes\": {:.4e}", peak(), stream()),
        ("step", [rows, widths @ ..]) => step(*rows, widths),
        ("finetune", [rows, widths @ ..]) => fine_tuning(*rows, widths),
        ("conv", [rows]) => network(&conv(), *rows),
        ("transformer", [rows]) => network(&transformer(), *rows),
        ("ols", [subsets, predictors, widths @ ..]) => ols(*subsets, *predictors, widths),
        ("child", [rows]) => apply(*rows),
        _ => {
            eprintln!(
                "side machine | step BATCH WIDTHS | finetune BATCH WIDTHS | conv BATCH | \
                 transformer BATCH | ols SUBSETS PREDICTORS WIDTHS | child ROWS"
            );
            std::process::exit(2);
        }
    };
    println!("{{{found}}}");
}

fn in_seconds(seconds: f64) -> String {
    format!("\"seconds\": {seconds:.6e}")
}

/// Of one step of one child, each with its own minibatches, as many at a time as `finetune` takes.
fn step(rows: usize, widths: &[usize]) -> String {
    const STEPS: usize = 20;
    let of = Training::of(widths, rows);
    let mut trainer = Trainer::new(&of.network, TrainerChoice::FanOut, &of.optimizer);
    let at_once = trainer.at_once(usize::MAX);
    let rows_of_all: Vec<u32> = (0..rows as u32).cycle().take(rows * at_once).collect();
    let batches = vec![of.batch.take(&rows_of_all); STEPS];
    let beside = |weight: &f32| std::iter::repeat_n(*weight, at_once);
    let start: Aligned = of.weights.iter().flat_map(beside).collect();
    let mut losses = vec![0.0; at_once];
    // As many children as make a run long enough to be timed.
    let groups = (200_000_000 / (rows * start.len() * 6 * STEPS)).max(1);
    let time = best(9, || {
        for _ in 0..groups {
            let mut weights = start.clone();
            trainer.restart_with(weights.len());
            for batch in &batches {
                trainer.step_all(&mut weights, batch, 1.0, &mut losses);
            }
            black_box(&weights);
        }
    });
    in_seconds(time / (groups * at_once * STEPS) as f64)
}

/// Of one step of the parent `net` of an experiment, by its optimiser.
fn network(text: &str, rows: usize) -> String {
    const STEPS: usize = 20;
    let of = Training::by(text, "net", rows);
    let mut trainer = Trainer::new(&of.network, TrainerChoice::Auto, &of.optimizer);
    let mut weights = of.weights.clone();
    let time = best(9, || {
        for _ in 0..STEPS {
            trainer.step(&mut weights, &of.batch, 1.0);
        }
    });
    in_seconds(time / STEPS as f64)
}

/// Of one step of the plugin, draws of minibatches and losses before and after included.
fn fine_tuning(rows: usize, widths: &[usize]) -> String {
    let (children, steps) = (32, 100);
    let made = Made::by(&finetune(widths, children, rows, steps));
    let time = best(5, || _ = black_box(made.again("shift")));
    in_seconds(time / (children as f64 * steps as f64))
}

/// Of a straight-line regression and what it says of the predictors.
fn ols(subsets: usize, predictors: usize, widths: &[usize]) -> String {
    let made = Made::by(&regression(widths, subsets, predictors));
    let time = best(3, || _ = black_box(made.again("drift")));
    let weights = made.result::<Parent>("net").weights.len();
    format!("{}, \"weights\": {weights}", in_seconds(time))
}

/// Of the outputs of one network per row, and the most memory, with data and outputs.
fn apply(rows: usize) -> String {
    let widths = [2, 16, 16, 1];
    let child = Made::by(&child(&widths)).result::<Child>("adapted");
    let data = Made::by(&parent(&widths, rows, 0)).result::<Dataset>("all");
    reset_peak_memory();
    let start = seconds();
    black_box(child.predict(&data).expect("predicts"));
    let time = seconds() - start;
    format!("{}, \"memory\": {}", in_seconds(time), peak_memory())
}
