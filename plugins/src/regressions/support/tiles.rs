//! Sums over classes of rows straight from a table, eight rows at a time: where rows are read for few sums, and waiting for
//! them takes as long as summing.
//!
//! Of a panel of weights, eight rows are multiplied with each factor in turn, and the next eight asked for meanwhile. Sums of
//! the panel stay in the second cache.

use pulp::{Arch, Simd, WithSimd};

use super::classes::{ClassCost, classes};
use super::strips::{STRIP, Strip, Summand, fetch};

/// How many rows are read at once: more are too many for processors to fetch ahead.
const ROWS: usize = 8;
/// The most tiles whose products are summed one after the other.
const RUN: usize = 8;

/// What sums over classes cost here.
pub(crate) const TILED: ClassCost = ClassCost {
    node: 10,
    together: ROWS / 2,
};

/// Some sets, and the classes of the rows that are in any of them.
pub(crate) struct ClassTree<N> {
    nodes: Vec<ClassNode<N>>,
}

/// A class, and those that are in one more set and perhaps others.
struct ClassNode<N> {
    /// The last of its sets, among those of the tree.
    set: usize,
    tiles: Vec<Tile<N>>,
    more: Vec<ClassNode<N>>,
}

/// Rows that are read at once; what is missing from the last of a class counts nothing.
struct Tile<N> {
    rows: [Option<usize>; ROWS],
    /// Whether no more than half of them are there.
    is_short: bool,
    /// Term after term.
    factors: Vec<[N; ROWS]>,
}

impl<N: Summand> ClassTree<N> {
    /// For some sets of rows, with the factors of each row; `place` is where a row is in the table.
    pub fn new(sets: &[Vec<usize>], factors: &[Vec<N>], place: impl Fn(usize) -> usize) -> Self {
        let mut tree = Self { nodes: Vec::new() };
        for (sets, rows) in classes(factors.len(), sets) {
            let tiles = rows.chunks(ROWS);
            let tiles = tiles.map(|rows| Tile::new(rows, factors, &place));
            tree.insert(&sets, tiles.collect());
        }
        tree
    }

    /// Adds a class; classes come in the order of their sets.
    fn insert(&mut self, sets: &[usize], tiles: Vec<Tile<N>>) {
        let mut nodes = &mut self.nodes;
        let mut tiles = Some(tiles);
        for (at, set) in sets.iter().enumerate() {
            if nodes.last().is_none_or(|node| node.set != *set) {
                nodes.push(ClassNode {
                    set: *set,
                    tiles: Vec::new(),
                    more: Vec::new(),
                });
            }
            let last = nodes.len() - 1;
            if at + 1 == sets.len() {
                nodes[last].tiles = tiles.take().unwrap_or_default();
            }
            nodes = &mut nodes[last].more;
        }
    }

    /// How many sums of nodes are unfinished at once.
    pub fn depth(&self) -> usize {
        depth(&self.nodes)
    }

    /// Adds the sums over each set: strip after strip those of the terms, then that of squares.
    pub fn add<'a>(
        &self,
        row: &dyn Fn(usize) -> &'a [f32],
        shift: &'a [f32],
        (sets, stack): (&mut [Vec<Strip<N>>], &mut [Vec<Strip<N>>]),
    ) {
        let Some((run, stack)) = stack.split_first_mut() else {
            return;
        };
        let mut room = TileRoom { sets, run };
        for (at, node) in self.nodes.iter().enumerate() {
            let next = self.nodes.get(at + 1).and_then(ClassNode::first);
            node.add((row, shift), next, &mut room, (&mut *stack, None));
        }
    }
}

/// Where sums are made.
struct TileRoom<'a, N> {
    sets: &'a mut [Vec<Strip<N>>],
    run: &'a mut [Strip<N>],
}

impl<N: Summand> Tile<N> {
    fn new(rows: &[u32], factors: &[Vec<N>], place: impl Fn(usize) -> usize) -> Self {
        let some = |at: usize| rows.get(at).map(|row| *row as usize);
        let terms = factors.first().map_or(0, Vec::len);
        let factor = |at, term: usize| some(at).map_or(N::ZERO, |row| factors[row][term]);
        Self {
            rows: std::array::from_fn(|at| some(at).map(&place)),
            is_short: 2 * rows.len() <= ROWS,
            factors: (0..terms)
                .map(|term| std::array::from_fn(|at| factor(at, term)))
                .collect(),
        }
    }
}

fn depth<N>(nodes: &[ClassNode<N>]) -> usize {
    let deepest = nodes.iter().map(|node| 1 + depth(&node.more)).max();
    deepest.unwrap_or(0)
}

impl<N: Summand> ClassNode<N> {
    /// The first tile of it and those below.
    fn first(&self) -> Option<&Tile<N>> {
        let own = self.tiles.first();
        own.or_else(|| self.more.iter().find_map(Self::first))
    }

    /// Adds its sums to those of its set and of the node `above`; `stack` is room for them and those below.
    /// The `next` tile is asked for while the last is added.
    fn add<'a>(
        &self,
        (row, shift): (&dyn Fn(usize) -> &'a [f32], &'a [f32]),
        next: Option<&Tile<N>>,
        room: &mut TileRoom<N>,
        (stack, above): (&mut [Vec<Strip<N>>], Option<&mut [Strip<N>]>),
    ) {
        let arch = Arch::new();
        let Some((own, stack)) = stack.split_first_mut() else {
            return;
        };
        if self.tiles.is_empty() {
            own.fill(Strip::ZERO);
        }
        // The shift less itself is zero.
        let rows = |tile: &Tile<N>| tile.rows.map(|at| at.map_or(shift, row));
        let mut here = self.tiles.first().map_or([shift; ROWS], rows);
        for (at, tile) in self.tiles.iter().enumerate() {
            let following = self.tiles.get(at + 1);
            let below = || self.more.iter().find_map(Self::first);
            let after = rows(following.or_else(below).or(next).unwrap_or(tile));
            arch.dispatch(AddTile {
                rows: std::mem::replace(&mut here, after),
                next: after,
                is_short: tile.is_short,
                factors: &tile.factors,
                shift,
                sums: if at < RUN { own } else { room.run },
                begins: at.is_multiple_of(RUN),
            });
            if at >= RUN && ((at + 1).is_multiple_of(RUN) || following.is_none()) {
                arch.dispatch(Add(room.run, own));
            }
        }
        for (at, node) in self.more.iter().enumerate() {
            let next = self.more.get(at + 1).and_then(Self::first).or(next);
            node.add((row, shift), next, room, (stack, Some(own)));
        }
        arch.dispatch(Add(own, &mut room.sets[self.set]));
        if let Some(above) = above {
            arch.dispatch(Add(own, above));
        }
    }
}

/// Adds the products and squares of some rows to the sums of a run.
struct AddTile<'a, N> {
    rows: [&'a [f32]; ROWS],
    /// What is read after them.
    next: [&'a [f32]; ROWS],
    is_short: bool,
    /// Term after term.
    factors: &'a [[N; ROWS]],
    shift: &'a [f32],
    /// Strip after strip the terms, then the squares.
    sums: &'a mut [Strip<N>],
    /// Whether they are the first of the run, and what is in the sums counts nothing.
    begins: bool,
}

impl<N: Summand> WithSimd for AddTile<'_, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // With the values of all rows, as many sums as the registers have room for.
        match (S::REGISTER_COUNT >= 32, self.is_short) {
            (true, false) => self.add::<S, ROWS, 2>(simd),
            (true, true) => self.add::<S, { ROWS / 2 }, 2>(simd),
            (false, false) => self.add::<S, ROWS, 1>(simd),
            (false, true) => self.add::<S, { ROWS / 2 }, 1>(simd),
        }
    }
}

impl<N: Summand> AddTile<'_, N> {
    #[inline(always)]
    fn add<S: Simd, const R: usize, const SIDE: usize>(self, simd: S) {
        let (shift, _) = self.shift.as_chunks::<STRIP>();
        let mut rows = [&[][..]; R];
        for (into, row) in rows.iter_mut().zip(self.rows) {
            *into = &row.as_chunks::<STRIP>().0[..shift.len()];
        }
        let registers = N::registers::<S>(&[N::ZERO; STRIP]).len();
        let strips = self.sums.chunks_exact_mut(self.factors.len() + 1);
        for (at, (shift, sums)) in shift.iter().zip(strips).enumerate() {
            for next in &self.next {
                fetch(&next[at * STRIP..][..STRIP]);
            }
            let (products, squares) = sums.split_at_mut(self.factors.len());
            for lanes in (0..registers).step_by(SIDE) {
                let mut values = [[N::splat(simd, N::ZERO); SIDE]; R];
                for (values, row) in values.iter_mut().zip(&rows) {
                    for (side, value) in values.iter_mut().enumerate() {
                        *value = N::less(simd, &row[at], shift, lanes + side);
                    }
                }
                let start = |sums: &[N::Register<S>]| {
                    let mut start = [N::splat(simd, N::ZERO); SIDE];
                    if !self.begins {
                        start.copy_from_slice(sums);
                    }
                    start
                };
                // Two at a time, so that more sums than two wait for each other.
                let (pairs, last) = products.as_chunks_mut::<2>();
                let (factors_of_pairs, factors_of_last) = self.factors.as_chunks::<2>();
                for ([a, b], [of_a, of_b]) in pairs.iter_mut().zip(factors_of_pairs) {
                    let a = &mut N::registers_mut::<S>(&mut a.0)[lanes..][..SIDE];
                    let b = &mut N::registers_mut::<S>(&mut b.0)[lanes..][..SIDE];
                    let (mut total_a, mut total_b) = (start(a), start(b));
                    for (values, (of_a, of_b)) in values.iter().zip(of_a.iter().zip(of_b)) {
                        let (of_a, of_b) = (N::splat(simd, *of_a), N::splat(simd, *of_b));
                        for ((a, b), value) in total_a.iter_mut().zip(&mut total_b).zip(values) {
                            *a = N::mul_add(simd, of_a, *value, *a);
                            *b = N::mul_add(simd, of_b, *value, *b);
                        }
                    }
                    a.copy_from_slice(&total_a);
                    b.copy_from_slice(&total_b);
                }
                for (sums, factors) in last.iter_mut().zip(factors_of_last) {
                    let sums = &mut N::registers_mut::<S>(&mut sums.0)[lanes..][..SIDE];
                    let mut total = start(sums);
                    for (values, factor) in values.iter().zip(factors) {
                        let factor = N::splat(simd, *factor);
                        for (sum, value) in total.iter_mut().zip(values) {
                            *sum = N::mul_add(simd, factor, *value, *sum);
                        }
                    }
                    sums.copy_from_slice(&total);
                }
                let squares = &mut N::registers_mut::<S>(&mut squares[0].0)[lanes..][..SIDE];
                let mut total = start(squares);
                for values in &values {
                    for (sum, value) in total.iter_mut().zip(values) {
                        *sum = N::mul_add(simd, *value, *value, *sum);
                    }
                }
                squares.copy_from_slice(&total);
            }
        }
    }
}

/// Adds sums to others.
struct Add<'a, N>(&'a [Strip<N>], &'a mut [Strip<N>]);

impl<N: Summand> WithSimd for Add<'_, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self(from, into) = self;
        for (from, into) in from.iter().zip(into) {
            let from = N::registers::<S>(&from.0);
            let into = N::registers_mut::<S>(&mut into.0);
            for (into, from) in into.iter_mut().zip(from) {
                *into = N::add(simd, *into, *from);
            }
        }
    }
}
