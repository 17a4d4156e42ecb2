//! `neighbours`: the rows nearest to random ones.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::{Column, Input};
use engine::plugin;
use engine::plugin::{Context, Plugin};
use rand::seq::index::sample;

use super::{Subsets, check_size};
use crate::complete::complete;
use crate::parents::Scaled;

plugin! {
    /// The rows nearest to randomly drawn ones, the drawn row first.
    ///
    /// Distance is Euclidean in columns divided by their standard deviations; of rows equally
    /// far the earlier one is taken.
    ///
    /// ```farcast
    /// subset local = neighbours(seen, around: [x, z], count: 16, size: 8)
    /// ```
    "neighbours" version 1
    pub struct Neighbours {
        /// The rows to draw from.
        data: Input<Dataset>;
        /// The columns in which rows are near.
        around: Vec<Column>;
        /// How many subsets, each around a row of its own.
        count: usize = "256", range("1..=1000000");
        /// Rows of a subset.
        size: usize = "8", range("1..");
    }
}

impl Plugin for Neighbours {
    type Output = Subsets;
    const RANDOM: bool = true;

    fn run(self, context: &Context) -> Result<Subsets, Fault> {
        let total = self.data.rows();
        check_size(self.size, total)?;
        if self.count > total {
            return Err(Fault::at(
                "count",
                format!(
                    "expected no more subsets than rows, found {} of {total}",
                    self.count
                ),
            ));
        }
        let points = self.points()?;
        let centres = sample(&mut context.rng("centres"), total, self.count);
        let mut rows = Vec::with_capacity(self.count);
        for centre in centres {
            context.check_stop()?;
            rows.push(nearest(&points, self.around.len(), centre, self.size));
        }
        Ok(Subsets { rows })
    }
}

impl Neighbours {
    /// The standardised coordinates of every row, `[rows, columns]`.
    fn points(&self) -> Result<Vec<f64>, Fault> {
        if self.around.is_empty() {
            return Err(Fault::at(
                "around",
                "expected one column or more, found none",
            ));
        }
        let width = self.around.len();
        let mut points = vec![0.0; self.data.rows() * width];
        for (at, Column(name)) in self.around.iter().enumerate() {
            let values = complete(&self.data, name, "around")?;
            let std = Scaled::of(name, values).std;
            for (point, value) in points.chunks_exact_mut(width).zip(values) {
                point[at] = value / std;
            }
        }
        Ok(points)
    }
}

/// The rows nearest to `centre`, itself first.
fn nearest(points: &[f64], width: usize, centre: usize, size: usize) -> Vec<u32> {
    let origin = &points[centre * width..][..width];
    let mut rows: Vec<(f64, u32)> = points
        .chunks_exact(width)
        .zip(0..)
        .map(|(point, row)| {
            let squares = point.iter().zip(origin).map(|(a, b)| (a - b).powi(2));
            // Its doubles are as near, the row itself stands before them.
            let itself = row as usize == centre;
            (if itself { -1.0 } else { squares.sum() }, row)
        })
        .collect();
    let order = |a: &(f64, u32), b: &(f64, u32)| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1));
    if size < rows.len() {
        rows.select_nth_unstable_by(size, order);
        rows.truncate(size);
    }
    rows.sort_unstable_by(order);
    rows.into_iter().map(|(_, row)| row).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::data;
    use super::*;

    #[test]
    fn the_nearest_come_first_and_ties_in_order() {
        let points = [0.0, 1.0, 5.0, 2.0, 1.0];
        assert_eq!(nearest(&points, 1, 1, 4), [1, 4, 0, 3]);
        assert_eq!(nearest(&points, 1, 4, 2), [4, 1]);
    }

    #[test]
    fn columns_count_alike_whatever_their_scale() {
        // In raw units row 1 is far from row 0; by deviation it is nearer than row 2.
        let neighbours = Neighbours {
            data: data(&[
                ("big", &[0.0, 900.0, 0.0, 9000.0]),
                ("small", &[0.0, 0.0, 0.5, 1.0]),
            ]),
            around: vec![Column("big".to_owned()), Column("small".to_owned())],
            count: 4,
            size: 2,
        };
        let subsets = neighbours.run(&Context::alone("scale")).expect("subsets");
        assert!(subsets.rows.contains(&vec![0, 1]));
        assert_eq!(subsets.rows.len(), 4);
    }

    #[test]
    fn more_subsets_than_rows_are_refused() {
        let neighbours = Neighbours {
            data: data(&[("x", &[0.0, 1.0])]),
            around: vec![Column("x".to_owned())],
            count: 3,
            size: 1,
        };
        assert!(neighbours.run(&Context::alone("many")).is_err());
    }
}
