//! `each`: every row by itself.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::Input;
use engine::plugin;
use engine::plugin::{Context, Facts, Plugin, Sketch};

use super::Subsets;
use crate::calls::with_rows;

plugin! {
    /// Every row as a subset of its own, in the order of the data.
    ///
    /// ```farcast
    /// subset single = each(seen, limit: 16)
    /// ```
    "each" version 1
    pub struct Each {
        /// The rows.
        data: Input<Dataset>;
        /// How many rows at most, from the first.
        limit: Option<usize>, range("1..");
    }
}

impl Plugin for Each {
    type Output = Subsets;

    fn facts(call: &Sketch<'_>) -> Facts {
        let (rows, limit) = (call.rows("data"), call.get("limit"));
        with_rows(call, rows.into_iter().chain(limit).min())
    }

    fn run(self, _: &Context) -> Result<Subsets, Fault> {
        let rows = self.data.rows().min(self.limit.unwrap_or(usize::MAX));
        if rows == 0 {
            return Err(Fault::at("data", "the data have no rows"));
        }
        Ok(Subsets {
            rows: (0..rows as u32).map(|row| vec![row]).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::data;
    use super::*;

    #[test]
    fn rows_stand_alone() {
        let run = |values: &[f64], limit| {
            let data = data(&[("x", values)]);
            Each { data, limit }.run(&Context::alone("each"))
        };
        let subsets = run(&[4.0, 5.0, 6.0], Some(2)).expect("subsets");
        assert_eq!(subsets.rows, [[0], [1]]);
        assert_eq!(run(&[4.0], Some(9)).expect("subsets").rows, [[0]]);
        assert!(run(&[], None).is_err());
    }
}
