//! `cluster`: rows that lie together, by k-means.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::{Column, Input};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use rand::{Rng, RngExt};

use super::Subsets;
use super::support::points::Points;
use crate::calls::{at_most_rows, complaints, filled, with_rows};

plugin! {
    /// Rows that lie together in some columns, one subset per cluster.
    ///
    /// k-means in columns divided by their standard deviations: centres are drawn as k-means++
    /// does (Arthur & Vassilvitskii 2007), then rows go to their nearest centre and centres to
    /// the mean of their rows until none changes (Lloyd 1982). Of `tries` drawings the one
    /// whose rows are nearest to their centres is taken. Clusters come in the order of their
    /// first rows. Rows with equal values make fewer clusters than asked for.
    ///
    /// ```farcast
    /// subset kinds = cluster(seen, by: [x, z], count: 8)
    /// ```
    "cluster" version 1
    pub struct Cluster {
        /// The rows.
        data: Input<Dataset>;
        /// The columns in which rows of a cluster are near each other.
        by: Vec<Column>;
        /// How many clusters.
        count: usize = "32", range("1..=100000");
        /// How often to begin anew.
        tries: usize = "4", range("1..=1000");
    }
}

/// Lloyd's iteration ends by itself; this bounds pathological data.
const MOST_ROUNDS: usize = 300;

impl Plugin for Cluster {
    type Output = Subsets;
    const RANDOM: bool = true;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        complaints([
            filled(call, "by", "column"),
            at_most_rows(call, "data", "count", "no more clusters than rows"),
        ])
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        with_rows(call, call.get("count"))
    }

    fn run(self, context: &Context) -> Result<Subsets, Fault> {
        let points = Points::standardised(&self.data, &self.by, "by")?;
        if points.rows() < self.count {
            return Err(Fault::at(
                "count",
                format!(
                    "expected no more clusters than rows, found {} of {}",
                    self.count,
                    points.rows()
                ),
            ));
        }
        let mut best: Option<(f64, Vec<usize>)> = None;
        for attempt in 0..self.tries {
            let mut rng = context.rng(&format!("centres {attempt}"));
            let (inertia, cluster_of) = self.cluster(&points, &mut rng, context)?;
            if best.as_ref().is_none_or(|(least, _)| inertia < *least) {
                best = Some((inertia, cluster_of));
            }
        }
        let cluster_of = best.map(|(_, cluster_of)| cluster_of).unwrap_or_default();
        let mut rows = vec![Vec::new(); self.count];
        for (row, cluster) in (0..).zip(cluster_of) {
            rows[cluster].push(row);
        }
        rows.retain(|rows: &Vec<u32>| !rows.is_empty());
        rows.sort_by_key(|rows| rows.first().copied());
        if rows.len() < self.count {
            context.note(format!(
                "{} clusters asked for, {} different ones exist",
                self.count,
                rows.len()
            ));
        }
        Ok(Subsets { rows })
    }
}

impl Cluster {
    /// The summed squared distances of rows to their centres, and the centre of each row.
    fn cluster(
        &self,
        points: &Points,
        rng: &mut impl Rng,
        context: &Context,
    ) -> Result<(f64, Vec<usize>), Fault> {
        let mut centres = scattered(points, self.count, rng);
        let mut cluster_of = vec![usize::MAX; points.rows()];
        for _ in 0..MOST_ROUNDS {
            context.check_stop()?;
            if !assign(points, &centres, &mut cluster_of) {
                break;
            }
            centres = means(points, &cluster_of, centres);
        }
        let distances =
            (0..points.rows()).map(|row| points.squared(row, &centres[cluster_of[row]]));
        Ok((distances.sum(), cluster_of))
    }
}

/// Centres drawn with a probability that grows with the squared distance to those before.
fn scattered(points: &Points, count: usize, rng: &mut impl Rng) -> Vec<Vec<f64>> {
    let first = points.row(rng.random_range(0..points.rows())).to_vec();
    let mut least: Vec<f64> = (0..points.rows())
        .map(|row| points.squared(row, &first))
        .collect();
    let mut centres = vec![first];
    while centres.len() < count {
        let total: f64 = least.iter().sum();
        if total <= 0.0 {
            break;
        }
        let mut left = rng.random::<f64>() * total;
        let drawn = least.iter().position(|distance| {
            left -= distance;
            left < 0.0
        });
        // Rounding may leave a crumb after the last row.
        let drawn = drawn.or_else(|| least.iter().rposition(|distance| *distance > 0.0));
        let centre = points.row(drawn.unwrap_or_default()).to_vec();
        for (row, least) in least.iter_mut().enumerate() {
            *least = least.min(points.squared(row, &centre));
        }
        centres.push(centre);
    }
    centres
}

/// Gives every row its nearest centre, the first of equals; whether one changed.
fn assign(points: &Points, centres: &[Vec<f64>], cluster_of: &mut [usize]) -> bool {
    let mut changed = false;
    for (row, cluster) in cluster_of.iter_mut().enumerate() {
        let distances = centres.iter().map(|centre| points.squared(row, centre));
        let nearest = distances.enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
        let nearest = nearest.map_or(0, |(centre, _)| centre);
        changed |= nearest != *cluster;
        *cluster = nearest;
    }
    changed
}

/// The mean of the rows of each centre; a centre without rows stays.
fn means(points: &Points, cluster_of: &[usize], centres: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let mut sums: Vec<Vec<f64>> = centres
        .iter()
        .map(|centre| vec![0.0; centre.len()])
        .collect();
    let mut counts = vec![0.0; centres.len()];
    for (row, cluster) in cluster_of.iter().enumerate() {
        counts[*cluster] += 1.0;
        for (sum, value) in sums[*cluster].iter_mut().zip(points.row(row)) {
            *sum += value;
        }
    }
    let of = sums.into_iter().zip(centres).zip(counts);
    of.map(|((sum, centre), count)| match count > 0.0 {
        true => sum.into_iter().map(|sum| sum / count).collect(),
        false => centre,
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::fixtures::data;
    use super::*;

    fn cluster(x: &[f64], y: &[f64], count: usize, name: &str) -> Result<Subsets, Fault> {
        Cluster {
            data: data(&[("x", x), ("y", y)]),
            by: vec![Column("x".to_owned()), Column("y".to_owned())],
            count,
            tries: 4,
        }
        .run(&Context::alone(name))
    }

    // from sklearn.cluster import KMeans; import numpy as np
    // x = np.array([0, .1, .2, 5, 5.2, 5.1, 0, .3, 9, 9.1]); y = np.array([0, .2, .1, 5, 5.1, 4.9, 6, 6.2, 0, .3])
    // Z = np.c_[x / x.std(), y / y.std()]
    // print(KMeans(4, n_init=50, random_state=0).fit(Z).labels_)
    const X: [f64; 10] = [0.0, 0.1, 0.2, 5.0, 5.2, 5.1, 0.0, 0.3, 9.0, 9.1];
    const Y: [f64; 10] = [0.0, 0.2, 0.1, 5.0, 5.1, 4.9, 6.0, 6.2, 0.0, 0.3];

    #[test]
    fn clusters_agree_with_scikit_learn() {
        let subsets = cluster(&X, &Y, 4, "four").expect("subsets");
        let expected: [&[u32]; 4] = [&[0, 1, 2], &[3, 4, 5], &[6, 7], &[8, 9]];
        assert_eq!(subsets.rows, expected);
    }

    #[test]
    fn the_order_of_rows_does_not_matter_to_who_is_together() {
        let order = [9, 3, 0, 6, 5, 1, 8, 2, 7, 4];
        let turned = |values: &[f64; 10]| order.map(|row| values[row]);
        let subsets = cluster(&turned(&X), &turned(&Y), 4, "turned").expect("subsets");
        let together: BTreeSet<BTreeSet<usize>> = subsets
            .rows
            .iter()
            .map(|rows| rows.iter().map(|row| order[*row as usize]).collect())
            .collect();
        let expected = [vec![0, 1, 2], vec![3, 4, 5], vec![6, 7], vec![8, 9]];
        assert_eq!(
            together,
            expected.map(|rows| rows.into_iter().collect()).into()
        );
    }

    #[test]
    fn equal_rows_make_no_clusters_of_their_own() {
        let subsets = cluster(&[1.0, 1.0, 2.0], &[0.0; 3], 3, "few").expect("subsets");
        assert_eq!(subsets.rows, [vec![0, 1], vec![2]]);
        assert!(cluster(&[1.0], &[1.0], 2, "many").is_err());
    }
}
