//! `window`: neighbouring rows in the order of a column.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::{Column, Input};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::{Subsets, check_size};
use crate::calls::{at_most_rows, complaints, with_rows};
use crate::complete::complete;

plugin! {
    /// Windows of neighbouring rows in the order of a column, their starts evenly spaced.
    ///
    /// The first window holds the smallest values, the last one the largest. Rows with equal
    /// values stand in the order of the data.
    ///
    /// ```farcast
    /// subset layers = window(seen, by: z, count: 16, size: 32)
    /// ```
    "window" version 1
    pub struct Window {
        /// The rows to draw from.
        data: Input<Dataset>;
        /// The column whose order the windows follow.
        by: Column;
        /// How many windows; fewer when the data do not have as many different ones.
        count: usize = "256", range("1..=1000000");
        /// Rows of a window.
        size: usize = "400", range("1..");
    }
}

impl Plugin for Window {
    type Output = Subsets;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        complaints([at_most_rows(
            call,
            "data",
            "size",
            "subsets no larger than the data",
        )])
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        with_rows(call, call.get("count"))
    }

    fn run(self, context: &Context) -> Result<Subsets, Fault> {
        let values = complete(&self.data, &self.by.0, "by")?;
        check_size(self.size, values.len())?;
        let mut order: Vec<u32> = (0..values.len() as u32).collect();
        order.sort_by(|a, b| values[*a as usize].total_cmp(&values[*b as usize]));
        let room = values.len() - self.size;
        let count = self.count.min(room + 1);
        if count < self.count {
            context.note(format!(
                "{} windows asked for, {count} different ones of {} rows exist",
                self.count, self.size
            ));
        }
        let rows = (0..count)
            .map(|window| room * window / (count - 1).max(1))
            .map(|start| order[start..start + self.size].to_vec())
            .collect();
        Ok(Subsets { rows })
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::data;
    use super::*;

    fn run(values: &[f64], count: usize, size: usize) -> Result<Subsets, Fault> {
        Window {
            data: data(&[("x", values)]),
            by: Column("x".to_owned()),
            count,
            size,
        }
        .run(&Context::alone("window"))
    }

    #[test]
    fn windows_slide_from_the_smallest_to_the_largest() {
        let subsets = run(&[5.0, 1.0, 4.0, 2.0, 3.0, 2.0], 3, 2).expect("subsets");
        assert_eq!(subsets.rows, [[1, 3], [5, 4], [2, 0]]);
        assert_eq!(run(&[3.0, 1.0, 2.0], 1, 2).expect("one").rows, [[1, 2]]);
    }

    #[test]
    fn there_are_no_more_windows_than_starts() {
        assert_eq!(run(&[1.0, 2.0, 3.0], 9, 2).expect("two").rows.len(), 2);
        assert_eq!(run(&[1.0, 2.0], 9, 2).expect("one").rows.len(), 1);
    }

    #[test]
    fn windows_larger_than_the_data_and_gaps_are_refused() {
        let message = |values: &[f64]| {
            let result = run(values, 3, 4).map(|_| ());
            result.expect_err("a fault").to_string()
        };
        assert_eq!(
            message(&[1.0, 2.0]),
            "expected subsets no larger than the data, found 4 of 2 rows"
        );
        assert_eq!(
            message(&[1.0, f64::NAN]),
            "column `x` has no value in 1 of 2 rows"
        );
    }
}
