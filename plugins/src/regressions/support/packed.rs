//! Sums over classes of rows in a copy of a panel of a table: where each row is summed for many sums.
//!
//! A panel of weights is read once, less a shift, into strips whose rows lie one after the other, and each strip stays in the second
//! cache while the products of its rows are summed in registers, block after block and part after part.
//!
//! Roofline: a row of `n` weights takes `n` multiply-adds for each factor in each part, a node some seven times as many. With 4096
//! rows and 32 predictors there are seven parts that each read nearly all rows, 6.2 in all: 212 multiply-adds for each number,
//! 0.30 s for 20 000 weights at 58 thousand million a second. Rows are summed at 93 % of that; the 1500 nodes take as long as
//! 2.5 readings, most of it to store them, and larger or smaller parts take no less.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::classes::{ClassCost, ClassSteps, Then};
use super::strips::{
    self, SIDE, STRIP, Strip, StripPart, Summand, add_products, blocks, fetch, for_block,
};

/// How many rows ahead a row is asked for.
const AHEAD: usize = 8;

/// What sums over classes cost here.
pub(crate) const PACKED: ClassCost = ClassCost {
    node: 7,
    together: 1,
};

/// Some rows, in the order of their classes, with their factors.
pub(crate) struct PackedRows<N> {
    /// Where they are in the table.
    rows: Vec<usize>,
    /// Sums that are made together: those of the terms, then that of squares.
    blocks: Vec<Range<usize>>,
    /// Of each block, row after row.
    factors: Vec<Vec<N>>,
    /// Of each part.
    steps: Vec<ClassSteps>,
}

impl<N: Summand> PackedRows<N> {
    /// Of rows with factors, and sets of these in parts; `place` is where a row is in the table.
    pub fn new(
        sets: &[Vec<usize>],
        parts: &[Range<usize>],
        factors: &[Vec<N>],
        place: impl Fn(usize) -> usize,
    ) -> Self {
        let blocks = blocks(factors.first().map_or(0, Vec::len) + 1);
        let steps = |part: &Range<usize>| ClassSteps::new(factors.len(), &sets[part.clone()]);
        let of_row = |row: &[N], block: &Range<usize>| {
            // Squares have no factor.
            let factor = |at| row.get(at).copied().unwrap_or(N::ZERO);
            block.clone().map(factor).collect::<Vec<_>>()
        };
        let packed = |block| factors.iter().flat_map(move |row| of_row(row, block));
        Self {
            rows: (0..factors.len()).map(place).collect(),
            factors: blocks.iter().map(|block| packed(block).collect()).collect(),
            steps: parts.iter().map(steps).collect(),
            blocks,
        }
    }

    /// How many rows there are.
    pub fn height(&self) -> usize {
        self.rows.len()
    }

    /// How many strips of sums of nodes are unfinished at once.
    pub fn depth(&self) -> usize {
        let depth = self.steps.iter().map(|steps| steps.depth + 1).max();
        let widest = self.blocks.iter().map(Range::len).max();
        depth.unwrap_or(0) * widest.unwrap_or(0)
    }

    /// Reads weights less the shift, strip after strip.
    pub fn read(&self, rows: &[&[f32]], shift: &[f32], into: &mut [Strip<N>]) {
        Arch::new().dispatch(ReadStrips {
            which: &self.rows,
            rows,
            shift,
            into,
        });
    }

    /// Makes the sums over the sets of a part, block after block those of each set, from the values of a strip.
    pub fn sum(
        &self,
        part: usize,
        values: &[Strip<N>],
        (sums, stack): (&mut [Strip<N>], &mut [Strip<N>]),
    ) {
        sums.fill(Strip::ZERO);
        let (mut rest, count) = (sums, self.blocks.last().map_or(1, |block| block.end));
        let sets = rest.len() / count;
        for (block, factors) in self.blocks.iter().zip(&self.factors) {
            let (sums, after) = rest.split_at_mut(block.len() * sets);
            rest = after;
            Arch::new().dispatch(SumBlock {
                steps: &self.steps[part],
                count: block.len(),
                is_last: rest.is_empty(),
                factors,
                values,
                stack,
                sums,
            });
        }
    }

    /// The sums over a set among those of its part.
    pub fn of_set<'a, T>(&self, set: usize, sums: &'a [T]) -> Vec<&'a T> {
        let count = self.blocks.last().map_or(1, |block| block.end);
        let sets = sums.len() / count;
        let of_block = |block: &Range<usize>| {
            let start = block.start * sets + set * block.len();
            sums[start..start + block.len()].iter()
        };
        self.blocks.iter().flat_map(of_block).collect()
    }
}

struct ReadStrips<'a, N> {
    which: &'a [usize],
    rows: &'a [&'a [f32]],
    shift: &'a [f32],
    into: &'a mut [Strip<N>],
}

impl<N: Summand> WithSimd for ReadStrips<'_, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let height = self.which.len();
        let row = |at: usize| &self.rows[self.which[at]][..self.shift.len()];
        let (shift, _) = self.shift.as_chunks::<STRIP>();
        for at in 0..height {
            fetch(row((at + AHEAD).min(height - 1)));
            let (row, _) = row(at).as_chunks::<STRIP>();
            for (strip, (row, shift)) in row.iter().zip(shift).enumerate() {
                let into = &mut self.into[strip * height + at].0;
                for (at, into) in N::registers_mut::<S>(into).iter_mut().enumerate() {
                    *into = N::less(simd, row, shift, at);
                }
            }
        }
    }
}

/// Makes the sums of a block over the sets of a part.
struct SumBlock<'a, N> {
    steps: &'a ClassSteps,
    /// How many sums there are of each set.
    count: usize,
    /// Whether the last of them is that of squares.
    is_last: bool,
    /// Row after row.
    factors: &'a [N],
    /// Of each row.
    values: &'a [Strip<N>],
    /// Of nodes that are unfinished.
    stack: &'a mut [Strip<N>],
    /// Set after set.
    sums: &'a mut [Strip<N>],
}

impl<N: Summand> WithSimd for SumBlock<'_, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for_block!(self.count, T => match self.is_last {
            true => self.sum::<S, T, true>(simd),
            false => self.sum::<S, T, false>(simd),
        });
    }
}

impl<N: Summand> SumBlock<'_, N> {
    #[inline(always)]
    fn sum<S: Simd, const T: usize, const SQUARES: bool>(self, simd: S) {
        let ClassSteps { order, steps, .. } = self.steps;
        let (factors, _) = self.factors.as_chunks::<T>();
        let (stack, _) = self.stack.as_chunks_mut::<T>();
        let (sets, _) = self.sums.as_chunks_mut::<T>();
        for first in strips::parts::<N, S>() {
            for step in steps {
                let mut sums: [StripPart<N, S>; T] = [[N::splat(simd, N::ZERO); SIDE]; T];
                let mut soon = order[step.rows.start..].iter().skip(AHEAD);
                for row in &order[step.rows.clone()] {
                    if let Some(next) = soon.next() {
                        fetch(&self.values[*next as usize].0);
                        fetch(&factors[*next as usize]);
                    }
                    let row = *row as usize;
                    let values = strips::part::<N, S>(&self.values[row], first);
                    add_products::<N, S, T, SQUARES>(simd, &mut sums, &factors[row], values);
                }
                let node = step.depth;
                match step.then {
                    Then::Begin => {
                        for (into, sum) in stack[node].iter_mut().zip(&sums) {
                            let into = &mut N::registers_mut::<S>(&mut into.0)[first..];
                            into[..sum.len()].copy_from_slice(sum);
                        }
                    }
                    Then::Add => add_sums::<N, S, T>(simd, &mut stack[node], first, &sums),
                    Then::Leaf | Then::End => {
                        if let Then::End = step.then {
                            for (sum, from) in sums.iter_mut().zip(&stack[node]) {
                                *sum = strips::part::<N, S>(from, first);
                            }
                        }
                        add_sums::<N, S, T>(simd, &mut sets[step.set], first, &sums);
                        if let Some(above) = node.checked_sub(1) {
                            add_sums::<N, S, T>(simd, &mut stack[above], first, &sums);
                        }
                    }
                }
            }
        }
    }
}

/// Adds registers to those of sums from the first on.
#[inline(always)]
fn add_sums<N: Summand, S: Simd, const T: usize>(
    simd: S,
    into: &mut [Strip<N>; T],
    first: usize,
    sums: &[StripPart<N, S>; T],
) {
    for (into, sums) in into.iter_mut().zip(sums) {
        let into = &mut N::registers_mut::<S>(&mut into.0)[first..];
        for (into, sum) in into.iter_mut().zip(sums) {
            *into = N::add(simd, *into, *sum);
        }
    }
}
