//! The parts of a grid that are read at a time: whole chunks of the file where they are not too large.

use std::ops::Range;

use super::super::grid::cells;
use super::{CELLS_TOGETHER, Cells};

/// A part has no more cells, although chunks may then be decoded several times.
const MOST_TOGETHER: u64 = 1 << 25;

/// Parts of a grid in the order of its cells: the indices of its first dimensions one by one, and
/// stretches of the next.
pub struct Slabs {
    /// The indices of the first dimensions.
    firsts: Vec<Vec<u64>>,
    /// The stretches of the dimension after these; none of a grid without dimensions.
    stretches: Option<Vec<Range<u64>>>,
    /// What is read of the other dimensions.
    others: Vec<Range<u64>>,
}

impl Slabs {
    /// How many there are.
    pub fn len(&self) -> usize {
        let stretches = self.stretches.as_ref().map_or(1, Vec::len);
        let firsts = self.firsts.iter().map(Vec::len);
        firsts.fold(stretches, usize::saturating_mul)
    }

    /// The ranges of one along all dimensions.
    pub fn grid(&self, place: usize) -> Vec<Range<u64>> {
        let Some(stretches) = &self.stretches else {
            return Vec::new();
        };
        let mut grid = vec![stretches[place % stretches.len()].clone()];
        let mut rest = place / stretches.len();
        for indices in self.firsts.iter().rev() {
            let index = indices[rest % indices.len()];
            grid.insert(0, index..index + 1);
            rest /= indices.len();
        }
        grid.extend(self.others.iter().cloned());
        grid
    }

    /// The cells of the largest one.
    pub fn largest(&self) -> u64 {
        let stretches = self.stretches.iter().flatten();
        let longest = stretches.map(|it| it.end - it.start).max().unwrap_or(1);
        longest.saturating_mul(cells(&self.others))
    }

    /// How many cells are taken, of every dimension those at these steps.
    pub fn cells(&self, steps: &[u64]) -> u64 {
        let taken = |range: &Range<u64>, step: u64| (range.end - range.start).div_ceil(step);
        let (_, steps) = steps.split_at(self.firsts.len());
        let Some((step, others)) = steps.split_first() else {
            return 1;
        };
        let stretches = self.stretches.iter().flatten();
        let stretches: u64 = stretches.map(|range| taken(range, *step)).sum();
        let others = self.others.iter().zip(others);
        let others = others.map(|(range, step)| taken(range, *step));
        let firsts = self.firsts.iter().map(|indices| indices.len() as u64);
        others.chain(firsts).fold(stretches, u64::saturating_mul)
    }
}

impl Cells<'_> {
    /// The parts that have an index that is wanted.
    pub(super) fn slabs(&self) -> Slabs {
        let is_large = |at: usize| {
            let others = cells(&self.ranges[at + 1..]);
            others.saturating_mul(self.steps[at]) > MOST_TOGETHER
        };
        // Where one index of the first dimensions is too much, the next one is cut.
        let last = self.ranges.len().saturating_sub(1);
        let cut = (0..last).find(|at| !is_large(*at)).unwrap_or(last);
        let is_wanted = |at: usize, index: u64| match &self.wanted[at] {
            Some(wanted) => wanted.get(index as usize).copied().unwrap_or_default(),
            None => true,
        };
        let indices = |at: usize| {
            let all = self.ranges[at].clone().step_by(self.steps[at] as usize);
            all.filter(|index| is_wanted(at, *index)).collect()
        };
        Slabs {
            firsts: (0..cut).map(indices).collect(),
            stretches: self.ranges.get(cut).map(|range| {
                let stretches = self.stretches(cut, range);
                let has_wanted = |it: &Range<u64>| it.clone().any(|index| is_wanted(cut, index));
                stretches.filter(has_wanted).collect()
            }),
            others: self.ranges.iter().skip(cut + 1).cloned().collect(),
        }
    }

    /// A dimension in stretches of whole chunks.
    fn stretches(&self, at: usize, range: &Range<u64>) -> impl Iterator<Item = Range<u64>> {
        let (range, others) = (range.clone(), cells(&self.ranges[at + 1..]).max(1));
        let inputs = self.columns[..self.inputs].iter();
        let together = inputs.filter_map(|(_, variable)| {
            let own = variable.dimensions.iter();
            let own = { own }.position(|own| super::same(own, &self.dimensions[at]))?;
            Some(self.source.together(variable, own))
        });
        let together = together.max().unwrap_or(1).max(1);
        let every = self.steps[at];
        let most = (MOST_TOGETHER / others / every).max(1) * every;
        let step = (CELLS_TOGETHER / others)
            .max(1)
            .next_multiple_of(together)
            .next_multiple_of(every)
            .min(most);
        let starts = (range.start / step * step..range.end).step_by(step as usize);
        starts.map(move |start| start.max(range.start)..(start + step).min(range.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slabs(sizes: &[u64]) -> Slabs {
        Slabs {
            firsts: vec![vec![0, 2], vec![5]],
            stretches: Some(vec![0..3, 3..4]),
            others: sizes.iter().map(|size| 0..*size).collect(),
        }
    }

    #[test]
    fn parts_come_in_the_order_of_cells() {
        let slabs = slabs(&[7]);
        let grids: Vec<_> = (0..slabs.len()).map(|at| slabs.grid(at)).collect();
        assert_eq!(
            grids,
            [
                [0..1, 5..6, 0..3, 0..7],
                [0..1, 5..6, 3..4, 0..7],
                [2..3, 5..6, 0..3, 0..7],
                [2..3, 5..6, 3..4, 0..7],
            ]
        );
        assert_eq!(slabs.largest(), 21);
        assert_eq!(slabs.cells(&[1, 1, 1, 1]), 2 * 4 * 7);
        assert_eq!(slabs.cells(&[2, 1, 2, 3]), 2 * 3 * 3);
    }
}
