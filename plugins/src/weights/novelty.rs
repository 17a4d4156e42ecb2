//! `novelty(drawn, of: net, on: test)`: whether generated networks are more than copies.

use engine::artifact::{Dataset, ScoreRow, Scores};
use engine::error::Fault;
use engine::params::{Gather, Input, Numbers, Origins};
use engine::plugin;
use engine::plugin::{Complaint, Context, Plugin, Sketch};

use super::Weights;
use super::similarity::{distance, iou};
use super::support::facts::{is, mixed};
use super::support::outputs::{Judge, Judged};
use super::support::population::{Components, Population, blend, jitter, lone};
use crate::networks::Network;
use crate::parents::Parent;

plugin! {
    /// Whether generated networks are good, and more than copies of those seen.
    ///
    /// After Zeng et al. (2025), who find that learned generators mostly memorise.
    /// `accuracy` is of each network; `max_error_iou` is the largest overlap of its wrong rows with
    /// those of a network seen (rows that both have wrong, divided by rows that one has), and
    /// `min_distance` the least distance of weights. `group` says of which networks a line is the
    /// mean: those `generated`; those of `training`, each against the others; those `held out`;
    /// and as many drawn by `jitter` (standard deviation 0.02), `blend` (of half the population, 16
    /// at most) and `gaussian` (8 components), so that nobody forgets to compare. For networks of
    /// quantities `loss` is used instead of accuracy, and there are no errors to overlap.
    ///
    /// ```farcast
    /// weights drawn = generate(net, jitter(sd: 0.1), count: 4)
    /// score new = novelty(drawn, of: net, on: unseen)
    /// ```
    "novelty" version 2
    pub struct Novelty {
        /// The generated networks.
        weights: Gather<Weights>;
        /// The population.
        of: Gather<Weights>;
        /// The rows, with the truth.
        on: Input<Dataset>, with_truth();
        /// The rows of the population that the generator has seen, counted from 0; all when left
        /// out.
        train_on: Option<Numbers>;
        /// The networks that the weights belong to.
        networks: Origins<Parent>, origins("of");
    }
}

impl Plugin for Novelty {
    type Output = Scores;
    const RANDOM: bool = true;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let inputs = [call.inputs("of"), call.inputs("weights")].concat();
        let bare = call
            .input("of")
            .filter(|input| input.facts.no_network)
            .map(|input| {
                let message = format!(
                    "`{}` says nothing of its network: it cannot be run",
                    input.name
                );
                Complaint::at("of", message)
            });
        let difference = ["of", "weights"].map(|param| {
            let input = call.input(param).filter(|it| !is(it.degree(), 1.0))?;
            let message = format!("`{}` is a difference: expected networks", input.name);
            Some(Complaint::at(param, message))
        });
        bare.into_iter()
            .chain(difference.into_iter().flatten())
            .chain(mixed(&inputs, "weights"))
            .chain(lone(call, "of"))
            .take(1)
            .collect()
    }

    fn run(self, context: &Context) -> Result<Scores, Fault> {
        let population = Population::of(&self.of, &self.networks, "of", context)?;
        let generated = Population::of(&self.weights, &self.networks, "weights", context)?;
        if population.layout != generated.layout {
            return Err(Fault::at(
                "weights",
                "these are weights of different networks",
            ));
        }
        let network = population.network.as_ref().or(generated.network.as_ref());
        let network: &Network =
            network.ok_or_else(|| Fault::at("of", "these weights say nothing of their network"))?;
        let judge = Judge::new(network, &self.on, "on")?;
        let (train, held_out) = population.split(self.train_on.as_ref())?;
        let rows: Vec<&[f32]> = train.iter().map(|row| &population.rows[*row][..]).collect();
        let mut seen = Vec::new();
        for row in &rows {
            context.check_stop()?;
            seen.push(judge.of(row));
        }
        let count = generated.rows.len();
        let components = Components::of(&rows, 8)?;
        let mut groups: Vec<(&str, Vec<Vec<f32>>)> = vec![("generated", generated.rows)];
        groups.push((
            "held out",
            held_out
                .iter()
                .map(|row| population.rows[*row].clone())
                .collect(),
        ));
        let numbers = || (0..count).map(|number| format!("row {number}"));
        let of = (rows.len() / 2).clamp(2, 16);
        let jittered =
            numbers().map(|name| jitter(&rows, 0.02, &mut context.rng(&format!("jitter {name}"))));
        groups.push(("jitter", jittered.collect()));
        let blended =
            numbers().map(|name| blend(&rows, of, &mut context.rng(&format!("blend {name}"))));
        groups.push(("blend", blended.collect()));
        let normal =
            numbers().map(|name| components.draw(&mut context.rng(&format!("gaussian {name}"))));
        groups.push(("gaussian", normal.collect()));
        let mut lines = Vec::new();
        let mut add = |group: &str, found: Vec<[Option<f64>; 4]>| {
            for (at, metric) in METRICS.iter().enumerate() {
                let values: Vec<f64> = found.iter().filter_map(|values| values[at]).collect();
                if values.is_empty() {
                    continue;
                }
                lines.push(ScoreRow {
                    member: "mean".to_owned(),
                    model: self.weights.label.0.clone(),
                    role: "parent".to_owned(),
                    metric: (*metric).to_owned(),
                    horizon: None,
                    group: Some(group.to_owned()),
                    value: Some(values.iter().sum::<f64>() / values.len() as f64),
                    unit: None,
                });
            }
        };
        for (group, networks) in groups {
            let mut found = Vec::new();
            for weights in &networks {
                context.check_stop()?;
                found.push(figures(weights, &judge.of(weights), &rows, &seen, None));
            }
            add(group, found);
        }
        let own = rows.iter().zip(&seen).enumerate();
        let own =
            own.map(|(at, (weights, judged))| figures(weights, judged, &rows, &seen, Some(at)));
        add("training", own.collect());
        Ok(Scores {
            rows: lines,
            ..Scores::default()
        })
    }
}

const METRICS: [&str; 4] = ["accuracy", "loss", "max_error_iou", "min_distance"];

/// The metrics of one network against those seen, without the one that it is.
fn figures(
    weights: &[f32],
    judged: &Judged,
    rows: &[&[f32]],
    seen: &[Judged],
    own: Option<usize>,
) -> [Option<f64>; 4] {
    let others = || (0..rows.len()).filter(|at| Some(*at) != own);
    let overlaps = others().filter_map(|at| iou(judged.wrong.as_ref()?, seen[at].wrong.as_ref()?));
    let overlap = overlaps.reduce(f64::max);
    let distances = others().filter_map(|at| distance(weights, rows[at]));
    let accuracy = judged.accuracy();
    let loss = match accuracy {
        Some(_) => None,
        None => Some(judged.loss),
    };
    [accuracy, loss, overlap, distances.reduce(f64::min)]
}
