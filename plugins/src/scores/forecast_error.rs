//! `forecast_error(ahead, last, truth: run)`: farcast weights against those training reached.

use std::collections::BTreeMap;
use std::sync::Arc;

use engine::artifact::{Dataset, ScoreRow, Scores, Trajectory};
use engine::digest::Digest;
use engine::error::Fault;
use engine::params::{Ancestors, Gather, Input, MaybeVia, Numbers};
use engine::plugin::{Complaint, Context, Plugin, Sketch, Steps};
use engine::{plugin, words};

use super::support::distances::{Distances, distances};
use crate::calls::complaints;
use crate::farcasts::Farcast;
use crate::farcasts::members_among;
use crate::networks::{Loss, Network, Samples};
use crate::outputs::outputs;
use crate::parents::Parent;

words! {
    /// What is measured of a farcast.
    pub enum Measure {
        /// Mean over weights of the squared error.
        Mse = "mse",
        /// Mean over weights of the absolute error.
        Mae = "mae",
        /// 1 less the squared error divided by that of the last weights observed: positive
        /// where better than persistence.
        Skill = "skill",
        /// The first horizon at which the squared error is not smaller than that of the last
        /// weights observed; none where it is smaller at all.
        BreakEven = "break_even",
        /// Root of the mean squared distance to the nearest weights the method has seen: those
        /// of the member up to the last step observed, and all of the members it was fitted on.
        Nearest = "nearest",
        /// The loss of the network with these weights.
        Loss = "loss",
        /// The share of rows that the network with these weights puts in their class.
        Accuracy = "accuracy",
        /// Training steps from the last one observed to the horizon.
        StepsSaved = "steps_saved",
        /// Bytes of weights observed of a member.
        ObservedBytes = "observed_bytes",
        /// Multiplications and additions of fitting the method, once.
        FitOperations = "fit_operations",
        /// Multiplications and additions of predicting a member at all horizons.
        PredictOperations = "predict_operations",
    }
}

words! {
    /// What errors are given apart for.
    pub enum Apart {
        /// Nothing: all weights together.
        Nothing = "nothing",
        /// Each tensor, too.
        Layer = "layer",
    }
}

plugin! {
    /// Farcast weights against the weights that training reached, at every horizon.
    ///
    /// Errors are given for each member judged and as their `mean`; `by: layer` gives them for
    /// each tensor, too. `loss` and `accuracy` are those of the network with farcast weights and,
    /// under the name of the trajectory and the role `parent`, with those truly reached. The
    /// members judged are those that no method here was fitted on, if there are any; others are
    /// named in a note. What observing, fitting and predicting took is counted in bytes and
    /// operations, which are the same on every machine; the seconds of every statement are in
    /// `run.json`. Memory is some blocks; for each method the last state observed and those at the
    /// horizons are read, for `nearest` all that it has seen.
    ///
    /// Does a method more than shrink, or than remember? Score it beside `shrink(…, like: it)`,
    /// and ask for `nearest`.
    ///
    /// ```farcast
    /// farcast ahead = lfd2(walk, observe: 4..=16, horizon: [24, 32], train_on: [0])
    /// farcast smaller = shrink(walk, like: ahead, observe: 4..=16)
    /// score missed = forecast_error(ahead, smaller, truth: walk, metrics: [mse, skill, loss, nearest])
    /// ```
    "forecast_error" version 4
    pub struct ForecastError {
        /// The farcasts.
        farcasts: Vec<Gather<Farcast>>, variadic();
        /// The runs they are to be compared with.
        truth: Gather<Trajectory>;
        /// The members judged, counted from 0; those no method was fitted on when left out.
        on: Option<Numbers>;
        /// What is measured.
        metrics: Vec<Measure> = "[mse, mae]";
        /// What errors are given apart for.
        by: Apart = "nothing";
        /// The rows to measure `loss` and `accuracy` on; the parent's training data when left
        /// out.
        data: Option<Input<Dataset>>, with_truth();
        /// The networks whose weights these are.
        parents: Ancestors<Parent>, ancestors("truth");
        /// The rows the parent was trained on.
        train: MaybeVia<Dataset>, via("truth.parent.data");
    }
}

fn no_parent(truth: &str) -> String {
    format!("`{truth}` has no parent, so that its networks cannot be run")
}

const WEIGHTS_ALONE: &str = "measure `mse` and `mae`, or export the weights and run them elsewhere";
const RELATED: &str = "judge a farcast by the runs that it goes on from";
const RECURRENCES: &str =
    "has recurrences for horizons, not steps: there is no truth to compare with";

impl Plugin for ForecastError {
    type Output = Scores;
    // Version 3 sums in another order.
    const STREAMS: u32 = 2;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let metrics = call.get::<Vec<Measure>>("metrics").unwrap_or_default();
        let network = call.network("truth");
        let quantity =
            metrics.contains(&Measure::Accuracy) && network.is_some_and(|it| !it.classes);
        complaints([
            members_among(call, "on", "truth", "to judge by"),
            Self::no_truth(call),
            quantity
                .then(|| Complaint::at("metrics", "`accuracy` needs a parent trained on classes")),
            Self::no_parent(call, &metrics),
        ])
    }

    fn run(self, context: &Context) -> Result<Scores, Fault> {
        let members = self.members(context)?;
        let mut judge = self.judge()?;
        let mut rows = Vec::new();
        let mut horizons = Vec::new();
        for farcast in &self.farcasts {
            let made = the_one(farcast)?;
            for member in &members {
                context.check_stop()?;
                let pair = Pair::new(&self.truth, farcast, made, *member)?;
                horizons.extend(&pair.horizons);
                rows.extend(self.of_weights(&pair)?);
                if let Some(judge) = &mut judge {
                    let networks = made.predicted.networks(&pair.predicted)?;
                    let named = (&farcast.label.0[..], "farcast");
                    rows.extend(judge.rows(named, *member, &pair.horizons, &networks, context));
                }
            }
        }
        if let Some(judge) = &mut judge {
            horizons.sort_unstable();
            horizons.dedup();
            for member in &members {
                let Some(run) = &self.truth.members[*member as usize] else {
                    continue;
                };
                let steps = run.steps()?;
                let row = |horizon: &u64| steps.iter().position(|step| step == horizon);
                let networks =
                    run.networks(&horizons.iter().filter_map(row).collect::<Vec<_>>())?;
                let named = (&self.truth.label.0[..], "parent");
                rows.extend(judge.rows(named, *member, &horizons, &networks, context));
            }
        }
        rows.extend(means(&rows));
        Ok(Scores {
            rows,
            parity: Vec::new(),
            target: "weights".to_owned(),
            unit: None,
            group_by: (self.by == Apart::Layer).then(|| "layer".to_owned()),
        })
    }
}

impl ForecastError {
    /// Why the networks of the truth cannot be run.
    fn no_parent(call: &Sketch, metrics: &[Measure]) -> Option<Complaint> {
        let truth = call.input("truth")?;
        let runs = |metric: &Measure| matches!(metric, Measure::Loss | Measure::Accuracy);
        let lacks = metrics.iter().any(runs) && call.via("truth.parent").is_none();
        lacks.then(|| Complaint::at("metrics", no_parent(truth.name)).with_hint(WEIGHTS_ALONE))
    }

    /// Why a farcast cannot be compared with the truth: it has no steps, or others.
    fn no_truth(call: &Sketch) -> Option<Complaint> {
        let truth = call.input("truth")?;
        let recorded = truth.facts.steps.as_ref();
        call.inputs("farcasts").into_iter().find_map(|farcast| {
            let name = farcast.name;
            if farcast.facts.recurrences {
                let message = format!("`{name}` {RECURRENCES}");
                return Some(Complaint::at("farcasts", message));
            }
            let networks = (&farcast.facts.network, &truth.facts.network);
            if matches!(networks, (Some(own), Some(other)) if !Arc::ptr_eq(own, other)) {
                let message = format!("`{name}` is of other networks than `{}`", truth.name);
                return Some(Complaint::at("truth", message).with_hint(RELATED));
            }
            let Some(Steps::Listed(steps)) = &farcast.facts.steps else {
                return None;
            };
            let mut steps = steps.iter();
            let beyond = steps.find(|step| recorded.is_some_and(|it| !it.may_have(**step)))?;
            let message = format!(
                "`{name}` predicts step {beyond}, which `{}` did not record",
                truth.name
            );
            Some(Complaint::at("farcasts", message))
        })
    }

    /// The members judged: those asked for, or those no method was fitted on.
    fn members(&self, context: &Context) -> Result<Vec<u32>, Fault> {
        let mut fitted = Vec::new();
        for farcast in &self.farcasts {
            fitted.extend(&the_one(farcast)?.origin.fitted_on);
        }
        let finished: Vec<u64> = (0..self.truth.members.len())
            .filter(|member| self.truth.members[*member].is_some())
            .map(|member| member as u64)
            .collect();
        let chosen: Vec<u32> = match &self.on {
            Some(on) => {
                let all: Vec<u64> = (0..self.truth.members.len() as u64).collect();
                let wanted = on.among(&all).map_err(|member| {
                    let message = format!("there is no member {member} in `{}`", self.truth.label);
                    Fault::at("on", message)
                        .with_hint(format!("members: 0..={}", all.len().saturating_sub(1)))
                })?;
                finished
                    .iter()
                    .filter(|m| wanted.contains(m))
                    .map(|m| *m as u32)
                    .collect()
            }
            None => {
                let all = finished.iter().map(|member| *member as u32);
                let fresh: Vec<u32> = all.clone().filter(|m| !fitted.contains(m)).collect();
                if fresh.is_empty() {
                    all.collect()
                } else {
                    fresh
                }
            }
        };
        if chosen.is_empty() {
            let message = format!("no member of `{}` to judge by is left", self.truth.label);
            return Err(Fault::at("on", message));
        }
        let known: Vec<String> = chosen
            .iter()
            .filter(|m| fitted.contains(m))
            .map(u32::to_string)
            .collect();
        if !known.is_empty() {
            let known = known.join(", ");
            context.note(format!(
                "a method was fitted on member {known}, which it is judged by: no test of it"
            ));
        }
        Ok(chosen)
    }

    fn wants(&self, measure: Measure) -> bool {
        self.metrics.contains(&measure)
    }

    /// What measures networks, when that is asked for.
    fn judge(&self) -> Result<Option<NetworkRunner<'_>>, Fault> {
        let wanted = [Measure::Loss, Measure::Accuracy];
        let wanted: Vec<Measure> = wanted.into_iter().filter(|m| self.wants(*m)).collect();
        if wanted.is_empty() {
            return Ok(None);
        }
        let parents = self.parents.0.iter().flat_map(|parent| &parent.members);
        let Some(parent) = parents.flatten().next() else {
            let message = no_parent(&self.truth.label.0);
            return Err(Fault::at("metrics", message).with_hint(WEIGHTS_ALONE));
        };
        let network = parent.network().map_err(|fault| fault.inside("metrics"))?;
        if self.wants(Measure::Accuracy) && network.loss() != Loss::CrossEntropy {
            return Err(Fault::at(
                "metrics",
                "`accuracy` needs a parent trained on classes",
            ));
        }
        let Some(data) = self.data.as_ref().or(self.train.0.as_ref()) else {
            return Err(Fault::at("metrics", "no rows to measure on are known")
                .with_hint("name them: `data: …`"));
        };
        Ok(Some(NetworkRunner {
            network,
            samples: network.samples(data)?,
            wanted,
            known: BTreeMap::new(),
        }))
    }

    /// All that is measured of weights and of what they took.
    fn of_weights(&self, pair: &Pair) -> Result<Vec<ScoreRow>, Fault> {
        let mut rows = Vec::new();
        let seen = match self.wants(Measure::Nearest) {
            true => pair.seen(&self.truth)?,
            false => Vec::new(),
        };
        let found = distances(
            pair.run,
            pair.last,
            &pair.truth,
            pair.made,
            &pair.predicted,
            &seen,
        )?;
        for (at, horizon) in pair.horizons.iter().enumerate() {
            let mut add = |measure: Measure, group: Option<String>, value: Option<f64>| {
                rows.push(pair.row(measure, Some(*horizon), group, value));
            };
            for measure in &self.metrics {
                let found = &found[at];
                match measure {
                    Measure::Mse | Measure::Mae | Measure::Skill => {
                        add(*measure, None, of(*measure, &found.all()));
                        for (tensor, part) in pair.run.layout.tensors.iter().zip(&found.tensors) {
                            if self.by == Apart::Layer {
                                add(*measure, Some(tensor.name.clone()), of(*measure, part));
                            }
                        }
                    }
                    Measure::Nearest => add(*measure, None, found.nearest),
                    Measure::StepsSaved => {
                        let saved = horizon.checked_sub(pair.last_step);
                        add(*measure, None, saved.map(|steps| steps as f64));
                    }
                    _ => {}
                }
            }
        }
        let origin = &pair.made.origin;
        let bytes = size_of::<f32>() * pair.run.layout.len() * origin.observed.len();
        for measure in &self.metrics {
            let value = match measure {
                Measure::BreakEven => {
                    let skills = found.iter().map(|found| of(Measure::Skill, &found.all()));
                    let mut skills = skills.zip(&pair.horizons);
                    let lost = skills.find(|(skill, _)| skill.is_none_or(|skill| skill <= 0.0));
                    lost.map(|(_, horizon)| *horizon as f64)
                }
                Measure::ObservedBytes => Some(bytes as f64),
                Measure::FitOperations => origin.fit_operations,
                Measure::PredictOperations => origin.predict_operations,
                _ => continue,
            };
            rows.push(pair.row(*measure, None, None, value));
        }
        Ok(rows)
    }
}

/// The farcast of all members: they share one action.
fn the_one(farcast: &Gather<Farcast>) -> Result<&Farcast, Fault> {
    let made = farcast.members.iter().flatten().next();
    made.map(AsRef::as_ref)
        .ok_or_else(|| Fault::Diverged(format!("all members of `{}` diverged", farcast.label)))
}

/// A measure of some weights; `None` where it is not finite.
fn of(measure: Measure, found: &Distances) -> Option<f64> {
    let value = match measure {
        Measure::Mae => found.absolute / found.count,
        Measure::Skill => 1.0 - found.squared / found.persistence,
        _ => found.squared / found.count,
    };
    value.is_finite().then_some(value)
}

/// One member of a farcast and of the truth.
struct Pair<'a> {
    label: &'a str,
    made: &'a Farcast,
    run: &'a Trajectory,
    member: u32,
    horizons: Vec<u64>,
    /// The rows of the farcast at the horizons.
    predicted: Vec<usize>,
    /// The rows of the truth at the horizons.
    truth: Vec<usize>,
    /// The last step observed, and its row of the truth.
    last_step: u64,
    last: usize,
}

impl<'a> Pair<'a> {
    fn new(
        truth: &'a Gather<Trajectory>,
        farcast: &'a Gather<Farcast>,
        made: &'a Farcast,
        member: u32,
    ) -> Result<Self, Fault> {
        let label = &farcast.label.0;
        let bad = |what: String| Fault::at("farcasts", format!("`{label}` {what}"));
        if !made.has_steps() {
            return Err(bad(RECURRENCES.to_owned()));
        }
        let run = truth
            .members
            .get(member as usize)
            .and_then(Option::as_deref);
        let (horizons, predicted): (Vec<u64>, Vec<usize>) =
            made.rows_of(member)?.into_iter().unzip();
        let (Some(run), false) = (run, horizons.is_empty()) else {
            return Err(bad(format!("does not predict member {member}")));
        };
        if run.layout != made.predicted.layout {
            return Err(bad(format!("is of another network than `{}`", truth.label)));
        }
        let steps = run.steps()?;
        let row = |step: u64| {
            let at = steps.iter().position(|known| *known == step);
            let what = || {
                bad(format!(
                    "predicts step {step}, which `{}` did not record",
                    truth.label
                ))
            };
            at.ok_or_else(what)
        };
        let last_step = made
            .origin
            .observed
            .iter()
            .copied()
            .max()
            .unwrap_or_default();
        Ok(Self {
            label,
            made,
            run,
            member,
            truth: horizons
                .iter()
                .map(|step| row(*step))
                .collect::<Result<_, _>>()?,
            last: row(last_step)?,
            last_step,
            horizons,
            predicted,
        })
    }

    /// The states the method has seen: runs and their rows.
    fn seen<'t>(
        &'t self,
        truth: &'t Gather<Trajectory>,
    ) -> Result<Vec<(&'t Trajectory, Vec<usize>)>, Fault> {
        let mut seen = vec![(self.run, (0..=self.last).collect())];
        for member in &self.made.origin.fitted_on {
            if let Some(Some(run)) = truth.members.get(*member as usize)
                && *member != self.member
            {
                seen.push((run.as_ref(), (0..run.rows()).collect()));
            }
        }
        Ok(seen)
    }

    fn row(
        &self,
        measure: Measure,
        horizon: Option<u64>,
        group: Option<String>,
        value: Option<f64>,
    ) -> ScoreRow {
        ScoreRow {
            member: self.member.to_string(),
            model: self.label.to_owned(),
            role: "farcast".to_owned(),
            metric: measure.word().to_owned(),
            horizon: horizon.map(|step| step as f64),
            group,
            value: value.filter(|value| value.is_finite()),
            unit: None,
        }
    }
}

/// Runs networks on rows.
struct NetworkRunner<'a> {
    network: &'a Network,
    samples: Samples,
    wanted: Vec<Measure>,
    /// What is wanted of networks that were run, by the digests of their weights: many are equal,
    /// such as those of one state at all horizons.
    known: BTreeMap<Digest, Vec<f64>>,
}

impl NetworkRunner<'_> {
    /// The measures of the networks of one member, one per horizon.
    fn rows(
        &mut self,
        (label, role): (&str, &str),
        member: u32,
        horizons: &[u64],
        networks: &[Vec<f32>],
        context: &Context,
    ) -> Vec<ScoreRow> {
        let measured = self.measured(networks, context);
        let mut rows = Vec::new();
        for (horizon, values) in horizons.iter().zip(measured) {
            for (measure, value) in self.wanted.iter().zip(values) {
                rows.push(ScoreRow {
                    member: member.to_string(),
                    model: label.to_owned(),
                    role: role.to_owned(),
                    metric: measure.word().to_owned(),
                    horizon: Some(*horizon as f64),
                    group: None,
                    value: value.is_finite().then_some(value),
                    unit: None,
                });
            }
        }
        rows
    }

    /// What is wanted of each network; equal ones are run once.
    fn measured(&mut self, networks: &[Vec<f32>], context: &Context) -> Vec<Vec<f64>> {
        let keys: Vec<Digest> = networks.iter().map(|weights| digest(weights)).collect();
        let pairs = keys.iter().zip(networks);
        let new: BTreeMap<_, _> = pairs
            .filter(|(key, _)| !self.known.contains_key(key))
            .collect();
        let new: Vec<_> = new.into_iter().collect();
        let found = context.share(&new, |(_, weights)| self.measured_of(weights, context));
        let found = new.iter().zip(found);
        self.known
            .extend(found.map(|((key, _), found)| (**key, found)));
        let known = |key| self.known.get(key).cloned().unwrap_or_default();
        keys.iter().map(known).collect()
    }

    /// What is wanted, of one network.
    fn measured_of(&self, weights: &[f32], context: &Context) -> Vec<f64> {
        let Samples {
            inputs,
            targets,
            rows,
            ..
        } = &self.samples;
        let outputs = outputs(self.network, weights, (inputs, *rows), context);
        let accuracy = || {
            let found = self.network.unscale(&outputs);
            let pairs = found.iter().zip(targets);
            let right = pairs.filter(|(found, truth)| **found == f64::from(**truth));
            right.count() as f64 / *rows as f64
        };
        let values = self.wanted.iter().map(|measure| match measure {
            Measure::Accuracy => accuracy(),
            _ => self.network.mean_loss(&outputs, targets),
        });
        values.collect()
    }
}

/// The digest of weights, bit by bit.
fn digest(weights: &[f32]) -> Digest {
    let bytes = weights.iter().flat_map(|weight| weight.to_le_bytes());
    Digest::of(&bytes.collect::<Vec<u8>>())
}

/// The mean over members of whatever all of them have, in the order of the first.
fn means(rows: &[ScoreRow]) -> Vec<ScoreRow> {
    let series = |row: &ScoreRow| {
        let horizon = row.horizon.map(f64::to_bits);
        (
            row.model.clone(),
            row.role.clone(),
            row.metric.clone(),
            horizon,
            row.group.clone(),
        )
    };
    let mut order = Vec::new();
    let mut members: BTreeMap<_, Vec<&ScoreRow>> = BTreeMap::new();
    for row in rows {
        let key = series(row);
        if !members.contains_key(&key) {
            order.push(key.clone());
        }
        members.entry(key).or_default().push(row);
    }
    let mean = |key| {
        let rows: &Vec<&ScoreRow> = members.get(&key)?;
        let values: Option<Vec<f64>> = rows.iter().map(|row| row.value).collect();
        let mean = values.map(|values| values.iter().sum::<f64>() / values.len() as f64);
        (rows.len() > 1).then(|| ScoreRow {
            member: "mean".to_owned(),
            value: mean,
            ..rows[0].clone()
        })
    };
    order.into_iter().filter_map(mean).collect()
}

#[cfg(test)]
mod tests;
