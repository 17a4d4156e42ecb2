//! Over which weights something is counted: all, those of a tensor, or those of a row of one.

use std::ops::Range;

use engine::artifact::Layout;
use engine::words;

words! {
    /// Over which weights something is counted.
    pub enum Scope {
        /// Over all weights.
        Network = "network",
        /// Over each tensor.
        Tensor = "tensor",
        /// Over each row of a matrix, such as what one unit takes; over the whole of a tensor
        /// with one axis.
        Row = "row",
    }
}

/// The ranges of weights of a scope, in ascending order.
pub(crate) fn parts(layout: &Layout, scope: Scope) -> Vec<Range<usize>> {
    let tensors = layout.ranges();
    match scope {
        Scope::Network => vec![0..layout.len()],
        Scope::Tensor => tensors.map(|(_, range)| range).collect(),
        Scope::Row => tensors
            .flat_map(|(tensor, range)| {
                let rows = match tensor.shape[..] {
                    [rows, _, ..] => rows.max(1),
                    _ => 1,
                };
                let width = range.len() / rows;
                (0..rows).map(move |row| {
                    let start = range.start + row * width;
                    start..start + width
                })
            })
            .collect(),
    }
}

/// The parts that some columns are in, with their places among these columns.
pub(crate) fn within(
    parts: &[Range<usize>],
    columns: &Range<usize>,
) -> impl Iterator<Item = (usize, Range<usize>)> {
    let (from, to) = (columns.start, columns.end);
    let first = parts.partition_point(|part| part.end <= from);
    let parts = parts.iter().enumerate().skip(first);
    let parts = parts.take_while(move |(_, part)| part.start < to);
    parts.filter_map(move |(part, range)| {
        let (start, end) = (from.max(range.start), to.min(range.end));
        (start < end).then(|| (part, start - from..end - from))
    })
}

#[cfg(test)]
mod tests {
    use engine::artifact::Tensor;

    use super::*;

    #[test]
    fn columns_are_in_the_rows_of_matrices() {
        let tensor = |name: &str, shape: &[usize]| Tensor {
            name: name.to_owned(),
            shape: shape.to_vec(),
        };
        let tensors = vec![
            tensor("a", &[2, 3]),
            tensor("none", &[0, 4]),
            tensor("b", &[2]),
            tensor("c", &[2, 1, 2]),
        ];
        let rows = parts(&Layout { tensors }, Scope::Row);
        let of_columns: Vec<_> = within(&rows, &(2..9)).collect();
        let ranges = |all: &[Range<usize>]| -> Vec<Range<usize>> {
            all.iter()
                .filter(|part| !part.is_empty())
                .cloned()
                .collect()
        };
        assert_eq!(ranges(&rows), [0..3, 3..6, 6..8, 8..10, 10..12]);
        let places: Vec<Range<usize>> = of_columns.iter().map(|(_, here)| here.clone()).collect();
        assert_eq!(places, [0..1, 1..4, 4..6, 6..7]);
        for (part, here) in of_columns {
            let columns = here.start + 2..here.end + 2;
            assert!(rows[part].start <= columns.start && columns.end <= rows[part].end);
        }
        assert_eq!(within(&rows, &(12..12)).count(), 0);
    }
}
