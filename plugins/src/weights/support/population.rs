//! A population of networks in memory, and new ones that look like it: the baselines of every
//! learned generator.

use engine::artifact::Layout;
use engine::error::Fault;
use engine::params::{Gather, Numbers, Origins};
use engine::plugin::{Complaint, Context, Sketch};
use faer::{Mat, Side};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use super::super::Weights;
use super::flow::normal;
use super::rows::Rows;
use crate::networks::Network;
use crate::parents::Parent;

/// Networks of one layout.
pub(crate) struct Population {
    /// The tensors of each.
    pub layout: Layout,
    /// How to run them, where it is known.
    pub network: Option<Network>,
    /// The weights of each.
    pub rows: Vec<Vec<f32>>,
}

impl Population {
    /// All rows of all members; those that are not of finite numbers are left out, with a note.
    ///
    /// # Errors
    /// When there are none, or members are different networks.
    pub fn of(
        weights: &Gather<Weights>,
        origins: &Origins<Parent>,
        param: &str,
        context: &Context,
    ) -> Result<Self, Fault> {
        let mut found: Option<Self> = None;
        let mut all = 0;
        let origins: Vec<&Network> = origins
            .0
            .iter()
            .filter_map(|it| it.network.as_ref())
            .collect();
        for (member, table) in weights.members.iter().enumerate() {
            let Some(table) = table else { continue };
            let rows = Rows::of(table, Some(member as u32))?;
            let population = found.get_or_insert_with(|| Self {
                layout: rows.table.layout.clone(),
                network: table.network.as_ref().or(origins.first().copied()).cloned(),
                rows: Vec::new(),
            });
            if population.layout != rows.table.layout {
                return Err(Fault::at(param, "these are weights of different networks"));
            }
            all += rows.rows.len();
            let networks = rows.table.networks(&rows.rows)?.into_iter();
            let is_finite = |row: &Vec<f32>| row.iter().all(|weight| weight.is_finite());
            population.rows.extend(networks.filter(is_finite));
        }
        let found = found.filter(|population| !population.rows.is_empty());
        let found = found
            .ok_or_else(|| Fault::Diverged("there is no network of finite numbers".to_owned()))?;
        let lost = all - found.rows.len();
        if lost > 0 {
            context.note(format!("{lost} of {all} networks diverged: left out"));
        }
        Ok(found)
    }

    /// Which rows are in a choice, and which are not.
    ///
    /// # Errors
    /// When a number is not of a row, or too few are chosen.
    pub fn split(&self, chosen: Option<&Numbers>) -> Result<(Vec<usize>, Vec<usize>), Fault> {
        let known: Vec<u64> = (0..self.rows.len() as u64).collect();
        let train: Vec<usize> = match chosen {
            None => (0..self.rows.len()).collect(),
            Some(numbers) => match numbers.among(&known) {
                Ok(numbers) => numbers.into_iter().map(|number| number as usize).collect(),
                Err(unknown) => {
                    let message = format!("there is no row {unknown} among {}", known.len());
                    return Err(Fault::at("train_on", message));
                }
            },
        };
        if train.len() < 2 {
            let message = format!("expected two networks or more, found {}", train.len());
            return Err(Fault::at("train_on", message));
        }
        let others = (0..self.rows.len())
            .filter(|row| !train.contains(row))
            .collect();
        Ok((train, others))
    }
}

/// Refuses one network where several are expected.
pub(crate) fn lone(call: &Sketch, param: &str) -> Option<Complaint> {
    let input = call.input(param)?;
    let is_one = input.is_single() && input.members.unwrap_or(1) == 1;
    let message = format!("expected two networks or more, `{}` is one", input.name);
    is_one.then(|| Complaint::at(param, message))
}

/// One of the networks with normal numbers of a standard deviation added.
pub(crate) fn jitter(rows: &[&[f32]], sd: f64, rng: &mut impl Rng) -> Vec<f32> {
    let row = rows[rng.random_range(0..rows.len())];
    let drawn = row.iter().map(|weight| {
        let draw: f64 = rng.sample(StandardNormal);
        (f64::from(*weight) + sd * draw) as f32
    });
    drawn.collect()
}

/// The mean of some of the networks, drawn without replacement.
pub(crate) fn blend(rows: &[&[f32]], of: usize, rng: &mut impl Rng) -> Vec<f32> {
    let mut places: Vec<usize> = (0..rows.len()).collect();
    let of = of.clamp(1, rows.len());
    for at in 0..of {
        let other = rng.random_range(at..places.len());
        places.swap(at, other);
    }
    let mean = |weight: usize| {
        let sum: f64 = places[..of]
            .iter()
            .map(|row| f64::from(rows[*row][weight]))
            .sum();
        (sum / of as f64) as f32
    };
    (0..rows[0].len()).map(mean).collect()
}

/// The leading principal components of networks.
pub(crate) struct Components {
    mean: Vec<f64>,
    /// Orthonormal directions, each with its standard deviation over the networks.
    directions: Vec<(Vec<f64>, f64)>,
}

impl Components {
    /// The first `count` of them; fewer where the networks span fewer.
    ///
    /// # Errors
    /// When a decomposition does not end.
    pub fn of(rows: &[&[f32]], count: usize) -> Result<Self, Fault> {
        let (all, width) = (rows.len(), rows[0].len());
        let mean =
            |weight: usize| rows.iter().map(|row| f64::from(row[weight])).sum::<f64>() / all as f64;
        let mean: Vec<f64> = (0..width).map(mean).collect();
        let centred: Vec<Vec<f64>> = rows
            .iter()
            .map(|row| {
                row.iter()
                    .zip(&mean)
                    .map(|(weight, mean)| f64::from(*weight) - mean)
                    .collect()
            })
            .collect();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let gram = Mat::from_fn(all, all, |row, column| dot(&centred[row], &centred[column]));
        let failed = |_| Fault::Diverged("an eigenvalue decomposition did not end".to_owned());
        let eigen = gram.self_adjoint_eigen(Side::Lower).map_err(failed)?;
        let values: Vec<f64> = eigen.S().column_vector().iter().copied().collect();
        let largest = values.iter().copied().fold(0.0, f64::max);
        let mut directions = Vec::new();
        // Ascending: the last is the largest.
        for mode in (0..all).rev().take(count.min(all - 1)) {
            let value = values[mode];
            if value <= largest * 1e-12 {
                break;
            }
            let mut direction = vec![0.0; width];
            for (row, centred) in centred.iter().enumerate() {
                let factor = eigen.U()[(row, mode)] / value.sqrt();
                direction
                    .iter_mut()
                    .zip(centred)
                    .for_each(|(to, from)| *to += factor * from);
            }
            let top = direction
                .iter()
                .copied()
                .max_by(|a, b| a.abs().total_cmp(&b.abs()));
            if top.is_some_and(|top| top < 0.0) {
                direction.iter_mut().for_each(|number| *number = -*number);
            }
            directions.push((direction, (value / (all - 1) as f64).sqrt()));
        }
        Ok(Self { mean, directions })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.directions.len()
    }

    /// The network this many standard deviations along each direction.
    pub fn at(&self, scores: &[f64]) -> Vec<f32> {
        let mut sums = self.mean.clone();
        for ((direction, sd), score) in self.directions.iter().zip(scores) {
            sums.iter_mut()
                .zip(direction)
                .for_each(|(sum, number)| *sum += score * sd * number);
        }
        sums.into_iter().map(|sum| sum as f32).collect()
    }

    /// How many standard deviations a network is from the mean along each direction.
    pub fn scores(&self, row: &[f32]) -> Vec<f64> {
        let along = |(direction, sd): &(Vec<f64>, f64)| {
            let parts = row.iter().zip(&self.mean).zip(direction);
            let sum: f64 = parts
                .map(|((weight, mean), part)| (f64::from(*weight) - mean) * part)
                .sum();
            sum / sd
        };
        self.directions.iter().map(along).collect()
    }

    /// A network with normal scores.
    pub fn draw(&self, rng: &mut impl Rng) -> Vec<f32> {
        self.at(&normal(self.count(), rng))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::super::testing::golden;
    use super::*;

    #[derive(Deserialize)]
    struct Golden {
        population: Vec<Vec<f32>>,
        z: Vec<Vec<f64>>,
        standard_deviations: Vec<f64>,
        gaussian_pca: Vec<Vec<f64>>,
    }

    #[test]
    fn components_are_those_of_the_golden_file() {
        let golden: Golden = golden(include_str!(
            "../../../testdata/golden/weightspace/generate.json"
        ));
        let rows: Vec<&[f32]> = golden.population.iter().map(|row| &row[..]).collect();
        let components = Components::of(&rows, 2).expect("components");
        for ((_, sd), expected) in components
            .directions
            .iter()
            .zip(&golden.standard_deviations)
        {
            assert!((sd / expected - 1.0).abs() < 1e-6);
        }
        for (z, expected) in golden.z.iter().zip(&golden.gaussian_pca) {
            for (found, expected) in components.at(z).iter().zip(expected) {
                assert!(
                    (f64::from(*found) - expected).abs() < 1e-5,
                    "{found} {expected}"
                );
            }
        }
        // Six directions span seven networks about their mean.
        assert_eq!(Components::of(&rows, 100).expect("components").count(), 5);
    }
}
