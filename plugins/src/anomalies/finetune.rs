//! `finetune`: forgetful online learning, one network per subset.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dsl::signature::ColumnRule;
use dsl::types::Kind;
use engine::artifact::{Dataset, WeightTable};
use engine::error::Fault;
use engine::params::{Formula, Input, MaybeVia, Via};
use engine::plugin::{
    Complaint, Context, Coordinate, Facts, NetworkFacts, Plugin, Sketch, Steps, Training,
};
use engine::{plugin, words};
use polars::prelude::{DataFrame, NamedFrom, Series};
use rand::Rng;

use super::support::signal;
use crate::calls::{complaints, too_large};
use crate::complete::check_complete;
use crate::networks::{Aligned, Network, SampleSource, Samples, TrainerChoice, TrainingRows};
use crate::outputs::outputs;
use crate::parents::{Parent, not_runnable};
use crate::recipes::trainer_words;
use crate::row_weights::{any_counts, constant_weight, not_by_program, row_weights};
use crate::subsets::Subsets;
use crate::training::{Ahead, Draws, Optimizer, Trainer};

words! {
    /// The weights a subset's fine-tuning starts from.
    pub enum Start {
        /// The parent's, for every subset anew.
        Parent = "parent",
        /// Those of the subset before; the weights are noted as they are.
        Previous = "previous",
        /// Those of the subset before; the weights are noted less the parent's.
        Chain = "chain",
    }
}

plugin! {
    /// A parent fine-tuned on every subset, mixed with its own training data.
    ///
    /// Forgetful online learning (arXiv 2512.03653): for each subset the parent's weights are
    /// loaded, a few steps taken on minibatches of the subset's rows and rows of the parent's
    /// training data, and the weights noted, less the parent's: the *anomaly* of the subset.
    /// With `from: previous` each subset goes on from the one before, and the weights are
    /// noted as they are: a trajectory. With `from: chain` they go on alike, and are noted less the
    /// parent's, so that a regression takes them: absolute weights along subsets. Networks of `adopt` have no training data: `mix: 0`.
    ///
    /// With `repeats`, each subset is fine-tuned several times from independent streams, so that
    /// the scatter of an anomaly is known; a note tells for each layer the median over its
    /// weights of the signal-to-noise ratio, the root of the F statistic: the variance of the
    /// subsets' means over that expected from the scatter of repeats alone. Noise has about 1.
    ///
    /// The table has the columns `subset` and `repeat` (from 0), `rows`, `loss_before` and `loss_after` (on
    /// the subset's rows, standardised), `diverged` and, along a trajectory, `step`. A subset
    /// that leaves the finite numbers is marked there, its weights are NaN.
    ///
    /// ```farcast
    /// trajectory path = finetune(net, near, steps: 10, from: previous)
    /// anomaly along = finetune(net, near, steps: 10, from: chain)
    /// anomaly moved = finetune(net, near, optimizer: sgd(rate: 1e-2), steps: 10, mix: 0.25)
    /// ```
    "finetune" version 10
    pub struct Finetune {
        /// The networks to start from.
        parent: Input<Parent>;
        /// The rows of each fine-tuning.
        subsets: Input<Subsets>, with_truth(), not_in_stream();
        /// How gradients move weights; fresh for every subset.
        optimizer: Optimizer = "sgd(rate: 1e-2)", not_in_stream();
        /// Steps on each subset.
        steps: u64 = "200", range("1.."), not_in_stream();
        /// Rows of a minibatch.
        batch: usize = "32", range("1..=1000000"), not_in_stream();
        /// Share of each minibatch that is drawn from the parent's training data.
        mix: f64 = "0.5", range("0..=1"), not_in_stream();
        /// How many rows of each minibatch are drawn from it, instead of the share.
        mix_rows: Option<usize>, range("0..=1000000"), not_in_stream();
        /// How often each subset is fine-tuned.
        repeats: u32 = "1", range("1..=1000"), not_in_stream();
        /// Where each subset starts.
        from: Start = "parent";
        /// How much each row counts: a column, or a formula such as `area(lat)`. Those of a subset
        /// count as rows repeated that often would, and so do those of the training data.
        weights: Option<Formula>, not_in_stream();
        /// What computes the gradients.
        trainer: TrainerChoice = "auto", not_in_stream();
        /// The rows the subsets are of.
        data: Via<Dataset>, via("subsets.data"), not_in_stream();
        /// The rows the parent was trained on.
        train: MaybeVia<Dataset>, via("parent.data"), not_in_stream();
    }
}

const NO_ROWS: &str = "the rows these networks were trained on are not known";

impl Plugin for Finetune {
    type Output = WeightTable;
    const RANDOM: bool = true;
    const STREAMS: u32 = 3;

    fn kinds() -> Vec<Kind> {
        vec![Kind::Anomaly, Kind::Trajectory]
    }

    /// Predictors say where the subsets are: they read the rows of these, which may be other data than the parent's.
    fn columns() -> ColumnRule {
        ColumnRule::Like("subsets".to_owned())
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let (batch, repeats) = (call.get::<usize>("batch"), call.get::<u32>("repeats"));
        let rows = call.get::<usize>("mix_rows");
        let many = rows.zip(batch).filter(|(rows, batch)| rows > batch);
        let many = many.map(|(rows, batch)| {
            let message = format!("expected at most `batch` ({batch}) rows, found {rows}");
            Complaint::at("mix_rows", message)
        });
        let mixed = rows.or(call
            .get("mix")
            .zip(batch)
            .map(|(mix, batch)| mixed(mix, batch)));
        let is_unknown = |network: &&Arc<NetworkFacts>| network.training == Training::Unknown;
        let unknown = call.network("parent").filter(is_unknown);
        let unknown = unknown
            .filter(|_| mixed.is_some_and(|rows| rows > 0))
            .map(|_| {
                let place = if rows.is_some() { "mix_rows" } else { "mix" };
                Complaint::at(place, NO_ROWS).with_hint(format!("write `{place}: 0`"))
            });
        let kind = match (call.get::<Start>("from"), call.kind()) {
            (Some(Start::Previous), Kind::Anomaly) => Some((
                "weights that go on from the previous ones are not anomalies",
                "call it a `trajectory`, write `from: chain`, or leave `from` out",
            )),
            (Some(Start::Chain), Kind::Trajectory) => Some((
                "differences from the parent make no trajectory",
                "write `from: previous`, or call it an `anomaly`",
            )),
            (Some(Start::Parent), Kind::Trajectory) => Some((
                "fine-tunings that all start from the parent make no trajectory",
                "write `from: previous`, or call it an `anomaly`",
            )),
            _ => None,
        };
        let kind = kind.map(|(message, hint)| Complaint::at("from", message).with_hint(hint));
        let goes_on = call.kind() == Kind::Trajectory || call.get("from") == Some(Start::Chain);
        let again = repeats.filter(|count| goes_on && *count > 1);
        let again = again.map(|count| {
            let message = format!("expected 1 repeat of what goes on, found {count}");
            Complaint::at("repeats", message)
        });
        let large = Self::too_large(call);
        complaints([
            not_runnable(call, "parent"),
            not_by_program(call),
            constant_weight(call),
            many,
            unknown,
            kind,
            again,
            large,
        ])
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let (subsets, repeats) = (call.rows("subsets"), call.get::<u64>("repeats"));
        let rows = subsets
            .zip(repeats)
            .map(|(subsets, repeats)| subsets.saturating_mul(repeats));
        let every = call
            .get::<u64>("steps")
            .filter(|_| call.kind() == Kind::Trajectory);
        let steps = every.map(|every| Steps::Series {
            first: every,
            every,
            most: rows.map(|rows| rows.saturating_mul(every)),
        });
        let mut coordinates = ["subset", "repeat", "rows"]
            .map(Coordinate::number)
            .to_vec();
        if every.is_some() {
            coordinates.push(Coordinate::number("step"));
        }
        Facts {
            rows,
            steps,
            coordinates: Some(coordinates),
            trainer: Some(trainer_words(call.get("trainer"))),
            ..call.inherited()
        }
    }

    fn run(self, context: &Context) -> Result<WeightTable, Fault> {
        let network = self.network()?;
        let mixed_rows = self.mixed_rows();
        let rows = self.complete_rows(&self.data, "subsets")?;
        let train = match &self.train.0 {
            Some(train) => self.complete_rows(train, "parent")?,
            None if mixed_rows == 0 => TrainingRows {
                rows: Some(Vec::new()),
                ..TrainingRows::alike(Dataset::clone(&self.data))
            },
            // Known to the checker, unless the parent is of a plugin that says nothing of it.
            None => return Err(Fault::at("mix", NO_ROWS).with_hint("write `mix: 0`")),
        };
        let subsets = self.subsets.rows.iter().enumerate();
        let runs = subsets.flat_map(|(subset, rows)| {
            (0..self.repeats).map(move |repeat| Tuning {
                subset,
                rows,
                repeat,
            })
        });
        let runs: Vec<Tuning> = runs.collect();
        let (at_once, at_a_time) = match self.from {
            Start::Parent => {
                let trainer = Trainer::new(network, self.trainer, &self.optimizer);
                (trainer.at_once(runs.len()), PARTS)
            }
            Start::Previous | Start::Chain => (1, 1),
        };
        let rows = SampleSource::of(network, &rows)?;
        let work = FineTuning {
            finetune: &self,
            network,
            rows: &rows,
            of_parent: self.of_parent(network, &rows, &runs, context),
            train: &SampleSource::of(network, &train)?,
            mixed_rows,
            context,
            done: AtomicU64::new(0),
            total: runs.len() as u64,
        };
        let mut notes = Notes::default();
        let mut table = Vec::with_capacity(runs.len() * self.parent.weights.len());
        let mut start = self.parent.weights.clone();
        for some in runs.chunks(at_once * at_a_time) {
            let parts: Vec<&[Tuning]> = some.chunks(at_once).collect();
            let tuned = context.share(&parts, |part| work.tune(part, &start));
            let tuned = tuned.into_iter().collect::<Result<Vec<_>, Fault>>()?;
            for (run, tuned) in some.iter().zip(tuned.into_iter().flatten()) {
                notes.add(run, &tuned);
                match &tuned.weights {
                    None => table.extend(start.iter().map(|_| f32::NAN)),
                    Some(weights) if self.from == Start::Previous => {
                        table.extend_from_slice(weights);
                    }
                    Some(weights) => {
                        let pairs = weights.iter().zip(&self.parent.weights);
                        table.extend(pairs.map(|(weight, parent)| weight - parent));
                    }
                }
                if let Some(weights) = tuned.weights.filter(|_| self.from != Start::Parent) {
                    start = weights;
                }
            }
        }
        notes.tell(context)?;
        if self.from != Start::Previous {
            note_flatness(context, &self.parent.weights, &table);
        }
        if self.repeats > 1 {
            let layout = network.layout();
            signal::note_ratios(context, &layout, &table, self.repeats as usize);
        }
        Ok(WeightTable {
            layout: network.layout(),
            coordinates: self.coordinates(notes)?,
            weights: table,
        })
    }
}

/// The stream a subset's minibatches are drawn from.
fn stream(subset: usize, repeat: u32) -> String {
    match repeat {
        0 => format!("subset {subset}"),
        _ => format!("subset {subset} repeat {repeat}"),
    }
}

/// The rows of a subset, those that count with 1 on average.
fn own_rows(all: &SampleSource, subset: usize, rows: &[u32]) -> Result<Samples, Fault> {
    let own = all.take(rows);
    if own.weights.is_empty() {
        return Ok(own);
    }
    let weights: Vec<f64> = own.weights.iter().copied().map(f64::from).collect();
    any_counts(&weights, &format!("all rows of subset {subset}"))?;
    Ok(own.weighted(Some(&weights)))
}

/// The numbers of some rows among those of `all`.
fn of_rows(numbers: &[f32], all: usize, rows: &[u32]) -> Vec<f32> {
    let width = numbers.len() / all.max(1);
    let rows = rows.iter().map(|row| *row as usize * width);
    rows.flat_map(|start| &numbers[start..start + width])
        .copied()
        .collect()
}

/// How many rows of a batch a share of it is.
fn mixed(share: f64, batch: usize) -> usize {
    (share * batch as f64).round() as usize
}

impl Finetune {
    /// Warns of a table of weights that does not fit in memory; subsets may turn out fewer.
    fn too_large(call: &Sketch) -> Option<Complaint> {
        let weights = call.network("parent")?.weights?;
        let rows = { call.rows("subsets")? }.saturating_mul(call.get::<u64>("repeats")?);
        let bytes = rows
            .saturating_mul(weights)
            .saturating_mul(size_of::<f32>() as u64);
        too_large("subsets", bytes).map(Complaint::as_warning)
    }

    /// Rows of each minibatch that are drawn from the training data.
    fn mixed_rows(&self) -> usize {
        self.mix_rows.unwrap_or_else(|| mixed(self.mix, self.batch))
    }

    /// How to run the weights.
    fn network(&self) -> Result<&Network, Fault> {
        let network = self.parent.network();
        network.map_err(|fault| fault.inside("parent"))
    }

    /// The outputs of the parent on all rows: where every subset starts from it, and together they have as many rows.
    fn of_parent(
        &self,
        network: &Network,
        rows: &SampleSource,
        runs: &[Tuning],
        context: &Context,
    ) -> Option<Vec<f32>> {
        let tuned: usize = runs.iter().map(|run| run.rows.len()).sum();
        let all = rows.all().filter(|all| all.rows <= tuned)?;
        // The outputs of a program may depend on how many rows there are.
        if self.from != Start::Parent || network.program().is_some() || network.inputs().is_empty()
        {
            return None;
        }
        let inputs = (&all.inputs[..], all.rows);
        Some(outputs(network, &self.parent.weights, inputs, context))
    }

    /// The rows of `data`, none with a gap in what the network sees.
    fn complete_rows(&self, data: &Dataset, param: &'static str) -> Result<TrainingRows, Fault> {
        let network = self.network()?;
        for column in network.inputs().iter().chain(network.targets()) {
            check_complete(data, &column.name, param)?;
        }
        let weights = row_weights(self.weights.as_ref().map(|it| &it.0), data)?;
        Ok(TrainingRows::weighted(data.clone(), weights))
    }

    fn coordinates(&self, notes: Notes) -> Result<DataFrame, Fault> {
        let height = notes.subset.len();
        let mut columns = vec![
            Series::new("subset".into(), notes.subset).into(),
            Series::new("repeat".into(), notes.repeat).into(),
            Series::new("rows".into(), notes.rows).into(),
            Series::new("loss_before".into(), notes.loss_before).into(),
            Series::new("loss_after".into(), notes.loss_after).into(),
            Series::new("diverged".into(), notes.diverged).into(),
        ];
        if self.from == Start::Previous {
            let steps: Vec<u64> = (1..=height as u64).map(|at| at * self.steps).collect();
            columns.push(Series::new("step".into(), steps).into());
        }
        Ok(DataFrame::new(height, columns)?)
    }
}

/// How many parts of the work wait for each other at most.
const PARTS: usize = 64;

/// One subset, once.
struct Tuning<'a> {
    subset: usize,
    rows: &'a [u32],
    repeat: u32,
}

/// What came of one.
struct Tuned {
    /// None where they are not finite numbers.
    weights: Option<Vec<f32>>,
    loss_before: f64,
    loss_after: f64,
}

/// What fine-tuning needs, wherever it is done.
struct FineTuning<'a> {
    finetune: &'a Finetune,
    network: &'a Network,
    rows: &'a SampleSource<'a>,
    /// See [`Finetune::of_parent`].
    of_parent: Option<Vec<f32>>,
    train: &'a SampleSource<'a>,
    mixed_rows: usize,
    context: &'a Context<'a>,
    done: AtomicU64,
    total: u64,
}

impl FineTuning<'_> {
    /// Fine-tunes on some subsets, all from `start`.
    fn tune(&self, runs: &[Tuning], start: &[f32]) -> Result<Vec<Tuned>, Fault> {
        self.context.check_stop()?;
        let Finetune {
            trainer,
            optimizer,
            batch,
            steps,
            ..
        } = self.finetune;
        let own = runs
            .iter()
            .map(|run| own_rows(self.rows, run.subset, run.rows));
        let own = own.collect::<Result<Vec<Samples>, Fault>>()?;
        let mix = Mix {
            subsets: &own,
            train: self.train,
            mixed_rows: self.mixed_rows,
            batch: *batch,
        };
        let streams = runs.iter().map(|run| stream(run.subset, run.repeat));
        let draws = streams.map(|name| Draws::new(self.context.rng(&name)));
        let mut trainer = Trainer::new(self.network, *trainer, optimizer);
        let tuned = mix.train(&mut trainer, start, *steps, draws.collect());
        let tuned = tuned.into_iter().zip(runs).zip(&own);
        let tuned = tuned.map(|((weights, run), own)| {
            let loss = |weights: &[f32]| self.network.loss_on(own, weights);
            let loss_before = match &self.of_parent {
                Some(outputs) => self
                    .network
                    .loss_of(&of_rows(outputs, self.rows.rows(), run.rows), own),
                None => loss(start),
            };
            let loss_after = weights.as_deref().map_or(f64::NAN, loss);
            let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
            self.context.progress(done, self.total, Some(loss_after));
            Tuned {
                loss_before,
                loss_after,
                weights,
            }
        });
        Ok(tuned.collect())
    }
}

/// Where the minibatches of subsets come from that are fine-tuned together.
struct Mix<'a> {
    subsets: &'a [Samples],
    train: &'a SampleSource<'a>,
    /// Rows of a minibatch drawn from `train`.
    mixed_rows: usize,
    batch: usize,
}

impl Mix<'_> {
    /// Takes the steps from `start`; the weights of each subset after them, none where they are
    /// not finite numbers.
    fn train<R: Rng>(
        &self,
        trainer: &mut Trainer,
        start: &[f32],
        steps: u64,
        mut draws: Vec<Draws<R>>,
    ) -> Vec<Option<Vec<f32>>> {
        // Side by side, weight by weight, from the first step to the last.
        let sets = self.subsets.len();
        let beside = |weight: &f32| std::iter::repeat_n(*weight, sets);
        let mut weights: Aligned = start.iter().flat_map(beside).collect();
        let (mut finite, mut losses) = (vec![true; sets], vec![0.0; sets]);
        trainer.restart_with(weights.len());
        let mut batch = Samples::default();
        let (mut ahead, mut mixed, mut own) = (Ahead::default(), Vec::new(), Vec::new());
        let own_rows = self.batch - self.mixed_rows;
        // The rows of several steps are fetched together where they come from a large table.
        let together = match self.train.all() {
            Some(_) => 1,
            None => (Ahead::most(self.train) / (sets * self.mixed_rows).max(1)).max(1),
        };
        for step in 0..steps {
            let at = step as usize % together;
            if at == 0 {
                let left = (steps - step).min(together as u64);
                mixed.clear();
                own.clear();
                for _ in 0..left {
                    for (subset, draws) in self.subsets.iter().zip(&mut draws) {
                        draws.add(self.train.rows() as u32, self.mixed_rows, &mut mixed);
                        draws.add(subset.rows as u32, own_rows, &mut own);
                    }
                }
                if self.train.all().is_none() {
                    ahead.fetch(self.train, &mixed);
                }
            }
            batch.clear();
            for (set, subset) in (at * sets..).zip(self.subsets) {
                let places = set * self.mixed_rows..(set + 1) * self.mixed_rows;
                match self.train.all() {
                    Some(_) => self.train.draw(&mixed[places], &mut batch),
                    None => ahead.add(places, &mut batch),
                }
                batch.extend(subset, &own[set * own_rows..(set + 1) * own_rows]);
            }
            trainer.step_all(&mut weights, &batch, 1.0, &mut losses);
            for (set, (finite, loss)) in finite.iter_mut().zip(&losses).enumerate() {
                *finite &= loss.is_finite();
                if !*finite {
                    // The others go on; a program need not cope with what is not finite.
                    let own = weights.iter_mut().skip(set).step_by(sets);
                    own.for_each(|weight| *weight = 0.0);
                }
            }
            if !finite.contains(&true) {
                break;
            }
        }
        let rows = finite.into_iter().enumerate().map(|(set, finite)| {
            let own = weights.iter().skip(set).step_by(sets).copied();
            let own = finite.then(|| own.collect::<Vec<f32>>());
            own.filter(|row| row.iter().all(|weight| weight.is_finite()))
        });
        rows.collect()
    }
}

/// What is noted of every subset beside its weights.
#[derive(Default)]
struct Notes {
    subset: Vec<u32>,
    repeat: Vec<u32>,
    rows: Vec<u32>,
    loss_before: Vec<f64>,
    loss_after: Vec<f64>,
    diverged: Vec<bool>,
}

impl Notes {
    fn add(&mut self, run: &Tuning, tuned: &Tuned) {
        self.subset.push(run.subset as u32);
        self.repeat.push(run.repeat);
        self.rows.push(run.rows.len() as u32);
        self.loss_before.push(tuned.loss_before);
        self.loss_after.push(tuned.loss_after);
        self.diverged.push(tuned.weights.is_none());
    }

    /// Says how many subsets diverged.
    fn tell(&self, context: &Context) -> Result<(), Fault> {
        let total = self.diverged.len();
        match self.diverged.iter().filter(|diverged| **diverged).count() {
            0 => Ok(()),
            all if all == total => Err(Fault::Diverged(format!("all {total} subsets diverged"))),
            some => {
                context.note(format!("{some} of {total} subsets diverged"));
                Ok(())
            }
        }
    }
}

/// Anomalies that vary by less than this share of the size of the weights make a flat parent.
const FLAT: f64 = 1e-4;

/// Says when the anomalies hardly differ from subset to subset.
fn note_flatness(context: &Context, weights: &[f32], table: &[f32]) {
    let size = root_mean_square(weights.iter().map(|weight| f64::from(*weight)));
    let rows: Vec<&[f32]> = table
        .chunks_exact(weights.len())
        .filter(|row| row.iter().all(|weight| weight.is_finite()))
        .collect();
    if rows.len() < 2 {
        return;
    }
    let mut means = vec![0.0; weights.len()];
    for row in &rows {
        for (mean, weight) in means.iter_mut().zip(*row) {
            *mean += f64::from(*weight) / rows.len() as f64;
        }
    }
    let deviations = rows.iter().flat_map(|row| {
        let values = row.iter().zip(&means);
        values.map(|(value, mean)| f64::from(*value) - mean)
    });
    let share = root_mean_square(deviations) / size;
    if share < FLAT {
        context.note(format!(
            "flat parent: the anomalies differ by {share:.1e} of the size of the weights; \
             take more steps, a larger rate, or leave out the input that tells the subsets apart"
        ));
    }
}

fn root_mean_square(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| {
        (sum + value * value, count + 1.0)
    });
    f64::sqrt(sum / count)
}

#[cfg(test)]
mod tests;
