//! `bins`: rows whose values of a column fall between two edges.

use dsl::types::Content;
use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::{Column, Input};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::Subsets;
use crate::calls::{at_most_rows, complaints, exactly_one, with_rows};
use crate::complete::complete;

plugin! {
    /// Rows whose values of a column fall between the same two edges, one subset per bin.
    ///
    /// A bin holds its lower edge and not its upper one, the last bin both. Rows outside all
    /// bins are in no subset, nor are those of bins with too few rows. Of a column of texts each
    /// text is a bin: `bins(casts, by: station)`.
    ///
    /// ```farcast
    /// subset slices = bins(seen, by: z, edges: [0, 0.2, 0.4, 0.6])
    /// ```
    "bins" version 1
    pub struct Bins {
        /// The rows.
        data: Input<Dataset>;
        /// The column.
        by: Column, texts();
        /// How many bins of equal width between the smallest and the largest value.
        count: Option<usize>, range("1..=1000000");
        /// The edges instead, rising, in the unit of the column.
        edges: Option<Vec<f64>>;
        /// Fewer rows than this make no subset.
        minimum: usize = "1", range("1..");
    }
}

impl Plugin for Bins {
    type Output = Subsets;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let edges = call.get::<Vec<f64>>("edges");
        let rise = |edges: &Vec<f64>| edges.len() > 1 && edges.is_sorted_by(|a, b| a < b);
        let falling = edges.is_some_and(|edges| !rise(&edges));
        let message = "expected two rising edges or more";
        let of_texts = call.get::<Column>("by").is_some_and(|Column(name)| {
            let column = call.schema("data").and_then(|schema| schema.find(&name));
            column.is_some_and(|column| column.content == Content::Text)
        });
        let written = ["count", "edges"].into_iter().find(|field| call.has(field));
        complaints([
            match of_texts {
                true => written.map(|field| Complaint::at(field, "each text is a bin of its own")),
                false => exactly_one(call, &["count", "edges"]),
            },
            falling.then(|| Complaint::at("edges", message)),
            at_most_rows(call, "data", "minimum", "bins no larger than the data"),
        ])
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let edges = call.get::<Vec<f64>>("edges");
        let bins = edges.map(|edges| edges.len().saturating_sub(1) as u64);
        with_rows(call, call.get("count").or(bins))
    }

    fn run(self, context: &Context) -> Result<Subsets, Fault> {
        let values = complete(&self.data, &self.by.0, "by")?;
        let column = self.data.column(&self.by.0)?;
        if column.content == Content::Text {
            let mut rows = vec![Vec::new(); column.labels.len()];
            for (row, place) in (0..).zip(values.iter()) {
                rows[*place as usize].push(row);
            }
            // Of labels that only other rows had nothing is left.
            rows.retain(|rows: &Vec<u32>| !rows.is_empty());
            return self.large_enough(rows, context);
        }
        let edges = self.edges(values);
        let mut rows = vec![Vec::new(); edges.len() - 1];
        for (row, value) in values.iter().enumerate() {
            if let Some(bin) = bin_of(&edges, *value) {
                rows[bin].push(row as u32);
            }
        }
        self.large_enough(rows, context)
    }
}

impl Bins {
    /// The subsets of bins with enough rows.
    fn large_enough(&self, mut rows: Vec<Vec<u32>>, context: &Context) -> Result<Subsets, Fault> {
        let bins = rows.len();
        rows.retain(|rows| rows.len() >= self.minimum);
        let dropped = bins - rows.len();
        if rows.is_empty() {
            return Err(Fault::at(
                "minimum",
                format!("no bin has {} rows", self.minimum),
            ));
        }
        if dropped > 0 {
            context.note(format!(
                "{dropped} of {bins} bins have fewer than {} rows and make no subset",
                self.minimum
            ));
        }
        Ok(Subsets { rows })
    }

    /// Two edges or more, strictly rising.
    fn edges(&self, values: &[f64]) -> Vec<f64> {
        if let Some(edges) = &self.edges {
            return edges.clone();
        }
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // A single value makes a single bin.
        let count = match low < high {
            true => self.count.unwrap_or(1),
            false => 1,
        };
        let edge = |at| low + (high - low) * (at as f64 / count as f64);
        (0..=count).map(edge).collect()
    }
}

fn bin_of(edges: &[f64], value: f64) -> Option<usize> {
    let above = edges.partition_point(|edge| *edge <= value);
    match above {
        0 => None,
        above if above < edges.len() => Some(above - 1),
        // Only the last edge itself belongs to a bin.
        _ => (edges.last() == Some(&value)).then(|| edges.len() - 2),
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::data;
    use super::*;

    fn run(count: Option<usize>, edges: Option<&[f64]>, minimum: usize) -> Result<Subsets, Fault> {
        Bins {
            data: data(&[("x", &[0.0, 9.0, 2.5, 10.0, 5.0, 4.9])]),
            by: Column("x".to_owned()),
            count,
            edges: edges.map(<[f64]>::to_vec),
            minimum,
        }
        .run(&Context::alone("bins"))
    }

    #[test]
    fn equal_bins_hold_all_rows() {
        let subsets = run(Some(2), None, 1).expect("subsets");
        assert_eq!(subsets.rows, [[0, 2, 5], [1, 3, 4]]);
        let subsets = run(Some(4), None, 2).expect("subsets");
        assert_eq!(subsets.rows, [[2, 5], [1, 3]]);
    }

    #[test]
    fn edges_are_taken_as_given() {
        let subsets = run(None, Some(&[2.5, 5.0, 9.0]), 1).expect("subsets");
        assert_eq!(subsets.rows, [[2, 5], [1, 4]]);
    }

    #[test]
    fn a_constant_column_is_one_bin() {
        let bins = Bins {
            data: data(&[("x", &[3.0, 3.0])]),
            by: Column("x".to_owned()),
            count: Some(5),
            edges: None,
            minimum: 1,
        };
        let subsets = bins.run(&Context::alone("one")).expect("a subset");
        assert_eq!(subsets.rows, [[0, 1]]);
    }

    #[test]
    fn bins_without_rows_are_refused() {
        assert!(run(Some(2), None, 7).is_err());
    }
}
