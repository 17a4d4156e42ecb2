//! `neighbours`: the rows nearest to random ones.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::{Column, Input};
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use engine::{plugin, words};
use rand::seq::index::sample;

use super::support::points::Points;
use super::{Subsets, check_size};
use crate::calls::{at_most_rows, complaints, filled, too_many_rows, with_rows};

words! {
    /// In which space rows are near.
    pub enum Space {
        /// Columns divided by their standard deviations.
        Columns = "columns",
        /// Latitude and longitude on the sphere.
        Sphere = "sphere",
    }
}

plugin! {
    /// The rows nearest to randomly drawn ones, the drawn row first.
    ///
    /// Distance is Euclidean in columns divided by their standard deviations or, with
    /// `space: sphere` and the columns of latitude and longitude, along great circles, across
    /// the date line and the poles. Of rows equally far the earlier one is taken.
    ///
    /// ```farcast
    /// subset local = neighbours(seen, around: [x, z], count: 16, size: 8)
    /// ```
    "neighbours" version 2
    pub struct Neighbours {
        /// The rows to draw from.
        data: Input<Dataset>;
        /// The columns in which rows are near.
        around: Vec<Column>;
        /// How many subsets, each around a row of its own.
        count: usize = "256", range("1..=1000000");
        /// Rows of a subset.
        size: usize = "8", range("1..");
        /// In which space rows are near.
        space: Space = "columns";
    }
}

impl Plugin for Neighbours {
    type Output = Subsets;
    const RANDOM: bool = true;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let around = call.get::<Vec<Column>>("around").unwrap_or_default();
        let is_sphere = call.get::<Space>("space") == Some(Space::Sphere);
        let off_sphere = is_sphere && around.len() != 2;
        let message = format!(
            "expected the columns of latitude and longitude, found {} columns",
            around.len()
        );
        complaints([
            filled(call, "around", "column"),
            off_sphere.then(|| Complaint::at("around", message)),
            at_most_rows(call, "data", "count", "no more subsets than rows"),
            at_most_rows(call, "data", "size", "subsets no larger than the data"),
            too_many_rows(call),
        ])
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        with_rows(call, call.get("count"))
    }

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
        let points = match self.space {
            Space::Columns => Points::standardised(&self.data, &self.around, "around")?,
            Space::Sphere => Points::on_sphere(&self.data, &self.around, "around")?,
        };
        let centres = sample(&mut context.rng("centres"), total, self.count);
        let mut rows = Vec::with_capacity(self.count);
        for centre in centres {
            context.check_stop()?;
            rows.push(nearest(&points, centre, self.size));
        }
        Ok(Subsets { rows })
    }
}

/// The rows nearest to `centre`, itself first.
fn nearest(points: &Points, centre: usize, size: usize) -> Vec<u32> {
    let mut rows: Vec<(f64, u32)> = (0..points.rows())
        .map(|row| {
            // Its doubles are as near, the row itself stands before them.
            let itself = row == centre;
            let squared = points.squared(row, points.row(centre));
            (if itself { -1.0 } else { squared }, row as u32)
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
        let data = data(&[("x", &[0.0, 1.0, 5.0, 2.0, 1.0])]);
        let around = [Column("x".to_owned())];
        let points = Points::standardised(&data, &around, "around").expect("points");
        assert_eq!(nearest(&points, 1, 4), [1, 4, 0, 3]);
        assert_eq!(nearest(&points, 4, 2), [4, 1]);
    }

    #[test]
    fn on_the_sphere_the_date_line_and_the_poles_do_not_part() {
        let data = data(&[
            ("lat", &[0.0, 0.0, 0.0, 85.0, 85.0, 80.0]),
            ("lon", &[179.0, -179.0, 170.0, 0.0, 180.0, 0.0]),
        ]);
        let around = ["lat", "lon"].map(|name| Column(name.to_owned()));
        let points = Points::on_sphere(&data, &around, "around").expect("points");
        assert_eq!(nearest(&points, 0, 3), [0, 1, 2]);
        // From 85° N across the pole it is 10° to the other side, and 5° to 80° N.
        assert_eq!(nearest(&points, 3, 3), [3, 5, 4]);
        assert!(Points::on_sphere(&data, &around[..1], "around").is_err());
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
            space: Space::Columns,
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
            space: Space::Columns,
        };
        assert!(neighbours.run(&Context::alone("many")).is_err());
    }
}
