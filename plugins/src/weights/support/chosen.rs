//! Which of several networks are averaged, by how good they are on rows of data.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::Input;
use engine::plugin::{Complaint, Context, Sketch};
use engine::{group, words};

use super::super::evaluate::{OF_CLASSES, Quality};
use super::facts::is;
use super::outputs::Judge;
use crate::networks::{Loss, Network};
use crate::parents::not_runnable;

words! {
    /// Which networks are averaged.
    pub enum Choose {
        /// The best, then each next one that makes the mean no worse.
        Greedy = "greedy",
        /// A share of them, the best.
        Best = "best",
    }
}

group! {
    /// Which networks are averaged, by how good they are on rows of data.
    pub struct Chosen {
        /// The rows to judge networks by, not those of the test; without them all are averaged.
        on: Option<Input<Dataset>>, with_truth();
        /// How they are chosen; `greedy` when left out.
        choose: Option<Choose>;
        /// What is good: a small loss, unless this says otherwise.
        metric: Option<Quality>;
        /// The share that `best` takes, at least one network; half when left out.
        share: Option<f64>, range("0..=1");
    }
}

/// Networks to choose from.
pub(crate) struct Candidates<'a> {
    /// How to run them.
    pub network: Option<&'a Network>,
    /// How much each counts in the mean.
    pub factors: &'a [f64],
    /// The weights of one.
    pub weights: &'a dyn Fn(usize) -> Result<Vec<f32>, Fault>,
}

impl Chosen {
    /// What is wrong with the choice among the networks of an argument.
    pub fn check(call: &Sketch, param: &str) -> Option<Complaint> {
        if !call.has("on") {
            let idle = ["choose", "metric", "share"];
            let idle = idle.into_iter().find(|field| call.has(field))?;
            let message = format!("`{idle}` needs rows to judge networks by");
            return Some(
                Complaint::at(idle, message).with_hint("give `on`, not the rows of the test"),
            );
        }
        if call.has("share") && call.get::<Choose>("choose") != Some(Choose::Best) {
            let message = "`share` is of `choose: best` alone";
            return Some(Complaint::at("share", message));
        }
        let inputs = call.inputs(param);
        if let Some(input) = inputs.iter().find(|input| !is(input.degree(), 1.0)) {
            let message = format!("`{}` is a difference: expected networks", input.name);
            return Some(Complaint::at(param, message).with_hint("add it to a network"));
        }
        let mut networks = inputs.iter().filter_map(|it| it.facts.network.as_ref());
        let of_quantities = call.get::<Quality>("metric") == Some(Quality::Accuracy)
            && networks.any(|network| !network.classes);
        let of_quantities = of_quantities.then(|| Complaint::at("metric", OF_CLASSES));
        not_runnable(call, param).or(of_quantities)
    }

    /// Which of the networks are averaged, the best first; all, in their order, without rows to
    /// judge them by. Those that count nothing or are not of finite numbers are never chosen.
    ///
    /// # Errors
    /// When they cannot be run, the rows lack values, or no network has a finite loss.
    pub(crate) fn among(
        &self,
        candidates: &Candidates,
        context: &Context,
    ) -> Result<Vec<usize>, Fault> {
        let Some(on) = &self.on else {
            return Ok((0..candidates.factors.len()).collect());
        };
        let network = candidates.network.ok_or_else(|| {
            let message = "these weights say nothing of their network: they cannot be judged";
            Fault::at("on", message)
        })?;
        let metric = self.metric.unwrap_or(Quality::Loss);
        if metric == Quality::Accuracy && network.loss() != Loss::CrossEntropy {
            return Err(Fault::at("metric", OF_CLASSES));
        }
        let judge = Judge::new(network, on, "on")?;
        let mut ranked = Vec::new();
        let mut lost = 0;
        for (at, factor) in candidates.factors.iter().enumerate() {
            context.check_stop()?;
            let weights = (candidates.weights)(at)?;
            match cost(&judge, metric, &weights) {
                Some(_) if *factor == 0.0 => {}
                Some(cost) => ranked.push((cost, at)),
                None => lost += 1,
            }
        }
        if lost > 0 {
            context.note(format!("{lost} networks have no finite loss: left out"));
        }
        if ranked.is_empty() {
            let message = "no network has a finite loss on these rows";
            return Err(Fault::Diverged(message.to_owned()));
        }
        // Stable: of equal ones the first goes first.
        ranked.sort_by(|a, b| a.0.total_cmp(&b.0));
        let all = ranked.len();
        let chosen = match self.choose.unwrap_or(Choose::Greedy) {
            Choose::Greedy => greedy(&judge, metric, &ranked, candidates, context)?,
            Choose::Best => {
                let share = self.share.unwrap_or(0.5) * all as f64;
                let count = ((share + 0.5).floor() as usize).clamp(1, all);
                ranked[..count].iter().map(|(_, at)| *at).collect()
            }
        };
        context.note(format!("the mean of {} of {all} networks", chosen.len()));
        Ok(chosen)
    }
}

/// The best, then each next one with which the mean is no worse.
fn greedy(
    judge: &Judge,
    metric: Quality,
    ranked: &[(f64, usize)],
    candidates: &Candidates,
    context: &Context,
) -> Result<Vec<usize>, Fault> {
    let mut chosen = Vec::new();
    let mut sums: Vec<f64> = Vec::new();
    let (mut counted, mut least) = (0.0, f64::INFINITY);
    for (_, at) in ranked {
        context.check_stop()?;
        let (factor, weights) = (candidates.factors[*at], (candidates.weights)(*at)?);
        sums.resize(weights.len(), 0.0);
        let added = sums.iter().zip(&weights);
        let added = added.map(|(sum, weight)| sum + factor * f64::from(*weight));
        let added: Vec<f64> = added.collect();
        let mean = added.iter().map(|sum| (sum / (counted + factor)) as f32);
        let cost = cost(judge, metric, &mean.collect::<Vec<f32>>());
        if let Some(cost) = cost.filter(|cost| *cost <= least) {
            (sums, counted, least) = (added, counted + factor, cost);
            chosen.push(*at);
        }
    }
    Ok(chosen)
}

/// What is to be small; none where the weights or the loss are not finite.
fn cost(judge: &Judge, metric: Quality, weights: &[f32]) -> Option<f64> {
    let is_finite = weights.iter().all(|weight| weight.is_finite());
    let judged = is_finite.then(|| judge.of(weights))?;
    judged.loss.is_finite().then_some(())?;
    match metric {
        Quality::Loss => Some(judged.loss),
        Quality::Accuracy => Some(1.0 - judged.accuracy()?),
    }
}

#[cfg(test)]
mod tests {
    use engine::artifact::Trajectory;
    use engine::plugin::Plugin;
    use polars::prelude::{DataFrame, NamedFrom, Series};

    use super::*;
    use crate::data::support::testing::table;
    use crate::parents::Parent;
    use crate::testing::{call, given, members};
    use crate::weights::support::testing::{Alignment, alignment, close, flat, parent, weights_of};
    use crate::weights::{Average, Soup, Weights};

    /// The mean loss and the share of wrong classes, in double precision.
    fn measured(golden: &Alignment, weights: &[f32]) -> [f64; 2] {
        let (mut loss, mut wrong) = (0.0, 0.0);
        for (x, y) in golden.x.iter().zip(&golden.y) {
            let (mut state, mut rest) = (x.clone(), weights);
            for (layer, (matrix, bias)) in golden.reference.iter().enumerate() {
                let (weight, after) = rest.split_at(matrix.len() * state.len());
                let (own, after) = after.split_at(bias.len());
                let sum = |(row, bias): (&[f32], &f32)| {
                    let products = row.iter().zip(&state).map(|(a, b)| f64::from(*a) * b);
                    f64::from(*bias) + products.sum::<f64>()
                };
                let sums = weight.chunks_exact(state.len()).zip(own).map(sum);
                let last = layer + 1 == golden.reference.len();
                state = sums.map(|it| if last { it } else { it.tanh() }).collect();
                rest = after;
            }
            loss += state.iter().map(|it| it.exp()).sum::<f64>().ln() - state[*y as usize];
            wrong += f64::from(state.iter().any(|it| *it > state[*y as usize]));
        }
        [loss, wrong].map(|sum| sum / golden.y.len() as f64)
    }

    /// The weighted mean of some rows.
    fn mean(rows: &[Vec<f32>], factors: &[f64], chosen: &[usize]) -> Vec<f64> {
        let all: f64 = chosen.iter().map(|at| factors[*at]).sum();
        let of = |weight: usize| {
            let products = chosen
                .iter()
                .map(|at| factors[*at] * f64::from(rows[*at][weight]));
            products.sum::<f64>() / all
        };
        (0..rows[0].len()).map(of).collect()
    }

    /// The rows that a greedy soup takes, or the best of them.
    fn chosen(
        golden: &Alignment,
        rows: &[Vec<f32>],
        factors: &[f64],
        metric: usize,
        share: Option<f64>,
    ) -> Vec<usize> {
        let cost = |weights: &[f32]| measured(golden, weights)[metric];
        let finite = (0..rows.len()).filter(|at| rows[*at].iter().all(|it| it.is_finite()));
        let mut order: Vec<usize> = finite.filter(|at| factors[*at] > 0.0).collect();
        order.sort_by(|a, b| cost(&rows[*a]).total_cmp(&cost(&rows[*b])));
        if let Some(share) = share {
            let count = (share * order.len() as f64).round().max(1.0);
            return order[..count as usize].to_vec();
        }
        let (mut taken, mut least) = (Vec::new(), f64::INFINITY);
        for at in order {
            let more = [&taken[..], &[at]].concat();
            let weights = mean(rows, factors, &more);
            let cost = cost(&weights.iter().map(|it| *it as f32).collect::<Vec<_>>());
            if cost <= least {
                (taken, least) = (more, cost);
            }
        }
        taken
    }

    #[test]
    fn chosen_are_those_that_ten_lines_choose() {
        let golden = alignment();
        let ends = [flat(&golden.reference), flat(&golden.far.network)];
        let places = [0.1, 0.05, 0.0, f64::NAN, 0.02, 0.3, 1.4, 0.01, -0.04, 0.05];
        let row = |(number, at): (usize, &f64)| -> Vec<f32> {
            let pairs = ends[0].iter().zip(&ends[1]).enumerate();
            // Each row has noise of its own.
            let noise = |weight: usize| 1.2 * ((weight * (number + 3)) as f64).sin();
            let weights = pairs.map(|(at_weight, (a, b))| a + at * (b - a) + noise(at_weight));
            weights.map(|weight| weight as f32).collect()
        };
        let rows: Vec<Vec<f32>> = places.iter().enumerate().map(row).collect();
        let names = ["x0", "x1", "x2"];
        let column = |at: usize| golden.x.iter().map(|row| row[at]).collect::<Vec<f64>>();
        let columns = [0, 1, 2].map(column);
        let columns = names
            .into_iter()
            .zip(columns.iter().map(|column| &column[..]));
        let columns: Vec<(&str, &[f64])> = columns.chain([("y", &golden.y[..])]).collect();
        let data = given(table(&columns));
        let Parent {
            network, layout, ..
        } = parent(&golden.reference);
        let network = network.expect("a network");
        let number = Series::new("row".into(), (0..rows.len() as u32).collect::<Vec<_>>());
        let coordinates = DataFrame::new(rows.len(), vec![number.into()]).expect("a frame");
        let table = Trajectory::from_rows(layout, coordinates, &rows.concat()).expect("rows");
        let walk = Weights {
            table,
            network: Some(network.clone()),
        };
        let averaged = |arguments: &str| {
            let inputs = [("w", given(walk.clone())), ("d", data.clone())];
            let average: Average = call(&format!("w, on: d{arguments}"), &inputs);
            weights_of(&average.run(&Context::alone("average")).expect("runs"))
        };
        let nets = rows.iter().map(|row| {
            let is_finite = row.iter().all(|weight| weight.is_finite());
            is_finite.then(|| Parent::new(network.clone(), row.clone()))
        });
        let nets: Vec<_> = nets.collect();
        let mixed = |arguments: &str| {
            let inputs = [("p", members(nets.clone())), ("d", data.clone())];
            let soup: Soup = call(&format!("p, on: d{arguments}"), &inputs);
            weights_of(&soup.run(&Context::alone("soup")).expect("runs"))
        };
        let alike = vec![1.0; rows.len()];
        let uneven: Vec<f64> = (0..rows.len())
            .map(|row| (row as f64 - 2.0).powi(2))
            .collect();
        let mut counts = Vec::new();
        for (arguments, metric, share) in [
            ("", 0, None),
            (", choose: greedy, metric: accuracy", 1, None),
            (", choose: best", 0, Some(0.5)),
            (
                ", choose: best, metric: accuracy, share: 30 %",
                1,
                Some(0.3),
            ),
            (", choose: best, share: 0", 0, Some(0.0)),
        ] {
            let expected = chosen(&golden, &rows, &alike, metric, share);
            counts.push(expected.len());
            let expected = mean(&rows, &alike, &expected);
            close(&averaged(arguments), &expected, 1e-6);
            close(&mixed(arguments), &expected, 1e-6);
            let expected = chosen(&golden, &rows, &uneven, metric, share);
            let expected = mean(&rows, &uneven, &expected);
            close(
                &averaged(&format!(", weight: (row - 2) ^ 2{arguments}")),
                &expected,
                1e-6,
            );
        }
        assert_eq!(counts, [4, 4, 5, 3, 1]);
    }
}
