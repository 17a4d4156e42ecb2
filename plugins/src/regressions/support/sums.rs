//! Sums over sets of rows of a weight table, for many weights at once: what least squares and its edges need.
//!
//! Rows are partitioned into classes by the sets that contain them, and the classes are leaves of a tree: a node has the
//! rows of one class and of all classes with one more set, `M_node = Σ_own y f + Σ_child M_child`, and the sum of a set is
//! `M_s = Σ M_node` over the nodes that `s` is the last set of. Each row is read once for as many sets as are
//! cheaper together, and once more for the next as many.
//!
//! Roofline: a row of `n` weights and `t` factors takes `n (t + 1)` multiply-adds, a node `2 n (t + 1)` additions; 4096
//! rows, 8 predictors and their 16 edges are 1031 tiles of 8 rows and 161 nodes, 17 multiply-adds for each number read.
//! In single precision that is 23 ms for 20 000 weights at 58 thousand million a second, and reading them takes 17 ms at
//! 19 GB/s. Sums of a panel of weights stay in the second cache, its rows in the third.
//!
//! In single precision a product is rounded once and its sum once for each row of a run, run of a class and node of a set,
//! as a rule no more than 64 + 64 + 81 times, before doubles add up batches: a sum is off by 1.3e-5 of `Σ |y f|` at most and,
//! as roundings cancel, by about 1e-7 of `sqrt(Σ y² Σ f²)`.

use std::cell::OnceCell;

use faer::Mat;
use pulp::{Arch, Simd, WithSimd};

use super::moments::Moments;

/// How many rows are read at once: more are too many for processors to fetch ahead.
const ROWS: usize = 8;
/// How many weights lie side by side in sums.
const STRIP: usize = 32;
/// The most tiles whose products are summed one after the other.
const RUN: usize = 8;
/// The most rows that a tree has, so that sums in single precision stay short.
const BATCH: usize = 4096;
/// The most sums of a panel of weights: a quarter of a megabyte in single precision.
const KEPT: usize = 1 << 15;
/// The most weights that are summed together.
const WIDE: usize = 4096;
/// How many sets are summed together as a rule, where there are many: those of four predictors.
const TOGETHER: usize = 9;
/// What a node costs, in rows.
const NODE: usize = 10;

/// How precise sums are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Precision {
    /// Products and their sums in single precision, see the module.
    Single,
    Double,
}

/// What is summed over sets of subsets: anomalies times factors, and their squares.
pub(crate) struct Sums {
    /// The subset of each row of the factors.
    subsets: Vec<usize>,
    factors: Mat<f64>,
    /// Rows of the factors.
    sets: Vec<Vec<usize>>,
    single: OnceCell<Vec<ClassTree<f32>>>,
    double: OnceCell<Vec<ClassTree<f64>>>,
}

impl Sums {
    /// Over sets of subsets, with factors `[all subsets, terms]`.
    pub fn over_sets(factors: &Mat<f64>, sets: &[Vec<usize>]) -> Self {
        let subsets = (0..factors.nrows()).collect();
        Self::new(subsets, factors, sets.to_vec())
    }

    /// Over some subsets, with factors `[those, terms]`.
    pub fn over(subsets: &[usize], factors: &Mat<f64>) -> Self {
        let all = (0..subsets.len()).collect();
        Self::new(subsets.to_vec(), factors, vec![all])
    }

    fn new(subsets: Vec<usize>, factors: &Mat<f64>, sets: Vec<Vec<usize>>) -> Self {
        Self {
            subsets,
            factors: factors.clone(),
            sets,
            single: OnceCell::new(),
            double: OnceCell::new(),
        }
    }

    /// How many sums there are of each weight.
    fn count(&self) -> usize {
        self.sets.len() * (self.factors.ncols() + 1)
    }

    /// How many weights are best summed together: whole strips.
    fn width(&self) -> usize {
        let together = self.sets.len().min(TOGETHER);
        let width = KEPT / (together * (self.factors.ncols() + 1)).max(1);
        width.clamp(128, WIDE) / STRIP * STRIP
    }

    /// The sums over each set, of the right-hand sides that each row has, less a `shift`.
    fn moments(&self, rows: &[&[f32]], shift: &[f32], precision: Precision) -> Vec<Moments> {
        match precision {
            Precision::Single => self.sum(self.single.get_or_init(|| self.trees()), rows, shift),
            Precision::Double => self.sum(self.double.get_or_init(|| self.trees()), rows, shift),
        }
    }

    /// A tree for each part of the sets and batch of rows.
    fn trees<N: Summand>(&self) -> Vec<ClassTree<N>> {
        let mut trees = Vec::new();
        for start in (0..self.subsets.len()).step_by(BATCH) {
            let batch = start..(start + BATCH).min(self.subsets.len());
            let within = |set: &Vec<usize>| {
                let rows = set.iter().filter(|row| batch.contains(row));
                rows.map(|row| row - start).collect::<Vec<_>>()
            };
            let sets: Vec<Vec<usize>> = self.sets.iter().map(within).collect();
            for part in parts(batch.len(), &sets) {
                let mut tree = ClassTree {
                    sets: Vec::new(),
                    nodes: Vec::new(),
                };
                for (sets, rows) in part.classes() {
                    let rows: Vec<usize> = rows.iter().map(|row| row + start).collect();
                    let tiles = rows.chunks(ROWS).map(|rows| self.tile(rows)).collect();
                    tree.insert(&sets, tiles);
                }
                trees.push(tree);
            }
        }
        trees
    }

    /// Of some rows of the factors.
    fn tile<N: Summand>(&self, rows: &[usize]) -> Tile<N> {
        let some = |at: usize| rows.get(at).copied();
        let factor = |at, term| some(at).map_or(0.0, |row| self.factors[(row, term)]);
        Tile {
            rows: std::array::from_fn(|at| some(at).map(|row| self.subsets[row])),
            is_short: 2 * rows.len() <= ROWS,
            factors: (0..self.factors.ncols())
                .map(|term| std::array::from_fn(|at| N::rounded(factor(at, term))))
                .collect(),
        }
    }

    fn sum<N: Summand>(
        &self,
        trees: &[ClassTree<N>],
        rows: &[&[f32]],
        shift: &[f32],
    ) -> Vec<Moments> {
        let terms = self.factors.ncols();
        let zero = || Moments {
            products: Mat::zeros(shift.len(), terms),
            squares: vec![0.0; shift.len()],
        };
        let mut found: Vec<Moments> = self.sets.iter().map(|_| zero()).collect();
        let (whole, rest) = shift.split_at(shift.len() / STRIP * STRIP);
        let width = self.width();
        for (panel, shift) in whole.chunks(width).enumerate() {
            let start = panel * width;
            let part = |row: usize| &rows[row][start..][..shift.len()];
            add_panel(trees, &part, shift, (&mut found, start));
        }
        if !rest.is_empty() {
            // What does not fill a strip is copied to where it does.
            let padded = |row: &[f32]| {
                let mut strip = [0.0; STRIP];
                strip[..rest.len()].copy_from_slice(&row[whole.len()..]);
                strip
            };
            let rows: Vec<[f32; STRIP]> = rows.iter().map(|row| padded(row)).collect();
            let part = |row: usize| &rows[row][..];
            add_panel(trees, &part, &padded(shift), (&mut found, whole.len()));
        }
        found
    }
}

/// Adds the sums of weights whose rows fill strips to what is found, from `start` on.
fn add_panel<'a, N: Summand>(
    trees: &[ClassTree<N>],
    row: &dyn Fn(usize) -> &'a [f32],
    shift: &'a [f32],
    (found, start): (&mut [Moments], usize),
) {
    let terms = found.first().map_or(0, |set| set.products.ncols());
    let zero = vec![Strip::<N>::ZERO; shift.len() / STRIP * (terms + 1)];
    let most = |of: fn(&ClassTree<N>) -> usize| trees.iter().map(of).max().unwrap_or(0);
    let mut room = Room {
        sets: vec![zero.clone(); most(|tree| tree.sets.len())],
        run: zero.clone(),
    };
    let mut stack = vec![zero; most(|tree| depth(&tree.nodes))];
    for tree in trees {
        for (at, node) in tree.nodes.iter().enumerate() {
            let next = tree.nodes.get(at + 1).and_then(ClassNode::first);
            node.add((row, shift), next, &mut room, (&mut stack, None));
        }
        for (set, sums) in tree.sets.iter().zip(&mut room.sets) {
            let Moments { products, squares } = &mut found[*set];
            for term in 0..=terms {
                let column = match term < terms {
                    true => products.col_as_slice_mut(term),
                    false => &mut squares[..],
                };
                let strips = sums[term..].iter().step_by(terms + 1);
                for (into, strip) in column[start..].chunks_mut(STRIP).zip(strips) {
                    for (into, sum) in into.iter_mut().zip(&strip.0) {
                        *into += (*sum).into();
                    }
                }
            }
            sums.fill(Strip::ZERO);
        }
    }
}

/// Where sums are made.
struct Room<N> {
    /// Of a tree.
    sets: Vec<Vec<Strip<N>>>,
    run: Vec<Strip<N>>,
}

/// Some sets, and the classes of the rows that are in any of them.
struct ClassTree<N> {
    sets: Vec<usize>,
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

impl<N> ClassTree<N> {
    /// Adds a class; classes come in the order of their sets.
    fn insert(&mut self, sets: &[usize], tiles: Vec<Tile<N>>) {
        let mut nodes = &mut self.nodes;
        let mut tiles = Some(tiles);
        for (at, set) in sets.iter().enumerate() {
            let found = self.sets.iter().position(|known| known == set);
            let set = found.unwrap_or_else(|| {
                self.sets.push(*set);
                self.sets.len() - 1
            });
            if nodes.last().is_none_or(|node| node.set != set) {
                nodes.push(ClassNode {
                    set,
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
        room: &mut Room<N>,
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
                sums: if at < RUN { &mut *own } else { &mut room.run },
                begins: at.is_multiple_of(RUN),
            });
            if at >= RUN && ((at + 1).is_multiple_of(RUN) || following.is_none()) {
                arch.dispatch(Add(&room.run, own));
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

/// Some of the sets, and the class of each subset: which of these it is in.
struct ClassedSets {
    classes: Vec<usize>,
    /// Of each class.
    sets: Vec<Vec<usize>>,
}

/// The sets in parts, each of which is cheaper than its sets by themselves.
fn parts(subsets: usize, sets: &[Vec<usize>]) -> Vec<ClassedSets> {
    let none = ClassedSets {
        classes: vec![0; subsets],
        sets: vec![Vec::new()],
    };
    let mut parts: Vec<(ClassedSets, usize)> = Vec::new();
    for (set, members) in sets.iter().enumerate() {
        let alone = none.with(set, members);
        let cost = alone.cost();
        if let Some(last) = parts.last_mut() {
            let both = last.0.with(set, members);
            let together = both.cost();
            if together <= last.1 + cost {
                *last = (both, together);
                continue;
            }
        }
        parts.push((alone, cost));
    }
    parts.into_iter().map(|(part, _)| part).collect()
}

impl ClassedSets {
    fn with(&self, set: usize, members: &[usize]) -> Self {
        let (mut classes, mut sets) = (self.classes.clone(), self.sets.clone());
        let mut joint = vec![None; sets.len()];
        for member in members {
            let class = &mut classes[*member];
            *class = *joint[*class].get_or_insert_with(|| {
                sets.push([&sets[*class][..], &[set]].concat());
                sets.len() - 1
            });
        }
        Self { classes, sets }
    }

    /// The subsets of each class that is in any set, with these sets, and in their order.
    fn classes(&self) -> Vec<(Vec<usize>, Vec<usize>)> {
        let none = |sets: &Vec<usize>| (sets.clone(), Vec::new());
        let mut classes: Vec<_> = self.sets.iter().map(none).collect();
        for (subset, class) in self.classes.iter().enumerate() {
            classes[*class].1.push(subset);
        }
        classes.retain(|(sets, subsets)| !sets.is_empty() && !subsets.is_empty());
        classes.sort();
        classes
    }

    /// What its sums take, in rows.
    fn cost(&self) -> usize {
        let mut cost = 0;
        let mut before: Vec<usize> = Vec::new();
        for (sets, subsets) in self.classes() {
            let pairs = before.iter().zip(&sets);
            let shared = pairs.take_while(|(a, b)| a == b).count();
            cost += subsets.len().next_multiple_of(ROWS / 2) + NODE * (sets.len() - shared);
            before = sets;
        }
        cost
    }
}

/// Everything wanted of the rows.
pub(crate) struct Pass(pub Vec<Sums>);

impl Pass {
    /// How many sums there are of each weight.
    pub fn count(&self) -> usize {
        self.0.iter().map(Sums::count).sum()
    }

    /// How many weights are best summed together.
    pub fn width(&self) -> usize {
        self.0.iter().map(Sums::width).min().unwrap_or(WIDE)
    }

    /// The sums over each set, of the right-hand sides that each row has, less a `shift` of
    /// each.
    ///
    /// A shift near the values keeps what is common to all rows from drowning what differs.
    pub fn moments(
        &self,
        rows: &[&[f32]],
        shift: &[f32],
        precision: Precision,
    ) -> Vec<Vec<Moments>> {
        let wanted = self.0.iter();
        wanted
            .map(|sums| sums.moments(rows, shift, precision))
            .collect()
    }
}

/// What sums are made of.
trait Summand: Copy + Into<f64> {
    const ZERO: Self;

    type Register<S: Simd>: Copy;

    fn rounded(value: f64) -> Self;

    fn registers<S: Simd>(strip: &[Self; STRIP]) -> &[Self::Register<S>];

    fn registers_mut<S: Simd>(strip: &mut [Self; STRIP]) -> &mut [Self::Register<S>];

    /// The register `at` of a row of weights less the shift.
    fn less<S: Simd>(
        simd: S,
        row: &[f32; STRIP],
        shift: &[f32; STRIP],
        at: usize,
    ) -> Self::Register<S>;

    fn splat<S: Simd>(simd: S, value: Self) -> Self::Register<S>;

    fn add<S: Simd>(simd: S, a: Self::Register<S>, b: Self::Register<S>) -> Self::Register<S>;

    /// `a b + c`.
    fn mul_add<S: Simd>(
        simd: S,
        a: Self::Register<S>,
        b: Self::Register<S>,
        c: Self::Register<S>,
    ) -> Self::Register<S>;
}

impl Summand for f32 {
    const ZERO: Self = 0.0;

    type Register<S: Simd> = S::f32s;

    fn rounded(value: f64) -> Self {
        value as f32
    }

    #[inline(always)]
    fn registers<S: Simd>(strip: &[Self; STRIP]) -> &[S::f32s] {
        S::as_simd_f32s(strip).0
    }

    #[inline(always)]
    fn registers_mut<S: Simd>(strip: &mut [Self; STRIP]) -> &mut [S::f32s] {
        S::as_mut_simd_f32s(strip).0
    }

    #[inline(always)]
    fn less<S: Simd>(simd: S, row: &[f32; STRIP], shift: &[f32; STRIP], at: usize) -> S::f32s {
        simd.sub_f32s(
            Self::registers::<S>(row)[at],
            Self::registers::<S>(shift)[at],
        )
    }

    #[inline(always)]
    fn splat<S: Simd>(simd: S, value: Self) -> S::f32s {
        simd.splat_f32s(value)
    }

    #[inline(always)]
    fn add<S: Simd>(simd: S, a: S::f32s, b: S::f32s) -> S::f32s {
        simd.add_f32s(a, b)
    }

    #[inline(always)]
    fn mul_add<S: Simd>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
        simd.mul_add_e_f32s(a, b, c)
    }
}

impl Summand for f64 {
    const ZERO: Self = 0.0;

    type Register<S: Simd> = S::f64s;

    fn rounded(value: f64) -> Self {
        value
    }

    #[inline(always)]
    fn registers<S: Simd>(strip: &[Self; STRIP]) -> &[S::f64s] {
        S::as_simd_f64s(strip).0
    }

    #[inline(always)]
    fn registers_mut<S: Simd>(strip: &mut [Self; STRIP]) -> &mut [S::f64s] {
        S::as_mut_simd_f64s(strip).0
    }

    #[inline(always)]
    fn less<S: Simd>(_: S, row: &[f32; STRIP], shift: &[f32; STRIP], at: usize) -> S::f64s {
        let mut values = Strip::<f64>::ZERO;
        let here = at * S::F64_LANES..(at + 1) * S::F64_LANES;
        let pairs = row[here.clone()].iter().zip(&shift[here]);
        for (value, (row, shift)) in values.0.iter_mut().zip(pairs) {
            *value = f64::from(*row) - f64::from(*shift);
        }
        Self::registers::<S>(&values.0)[0]
    }

    #[inline(always)]
    fn splat<S: Simd>(simd: S, value: Self) -> S::f64s {
        simd.splat_f64s(value)
    }

    #[inline(always)]
    fn add<S: Simd>(simd: S, a: S::f64s, b: S::f64s) -> S::f64s {
        simd.add_f64s(a, b)
    }

    #[inline(always)]
    fn mul_add<S: Simd>(simd: S, a: S::f64s, b: S::f64s, c: S::f64s) -> S::f64s {
        simd.mul_add_e_f64s(a, b, c)
    }
}

/// Numbers of some weights side by side.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Strip<N>([N; STRIP]);

impl<N: Summand> Strip<N> {
    const ZERO: Self = Self([N::ZERO; STRIP]);
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
                fetch(&next[at * STRIP..]);
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
                for (sums, factors) in products.iter_mut().zip(self.factors) {
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

/// Asks for the numbers of a strip, where a processor can be asked: rows of a table are far apart, and each is
/// read for too few weights at a time to be foreseen.
#[inline(always)]
fn fetch(numbers: &[f32]) {
    #[cfg(target_arch = "x86_64")]
    if let Some(sse) = pulp::core_arch::x86::Sse::try_new() {
        for line in numbers[..STRIP].chunks_exact(16) {
            sse._mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(line.as_ptr().cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = numbers;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn row(at: usize, weights: usize) -> Vec<f32> {
        let value = |weight: usize| ((at * 31 + weight * 17) as f32).sin() + 3.0;
        (0..weights).map(value).collect()
    }

    /// The plain formulas, over some rows.
    fn expected(
        rows: &[&[f32]],
        shift: &[f32],
        subsets: &[usize],
        factors: impl Fn(usize, usize) -> f64,
        terms: usize,
    ) -> Moments {
        let values = Mat::from_fn(shift.len(), subsets.len(), |weight, at| {
            f64::from(rows[subsets[at]][weight]) - f64::from(shift[weight])
        });
        let factors = Mat::from_fn(subsets.len(), terms, factors);
        Moments::of(&values, &factors)
    }

    fn assert_close(found: &Moments, expected: &Moments, tolerance: f64) {
        for weight in 0..expected.squares.len() {
            let error = found.squares[weight] - expected.squares[weight];
            assert!(error.abs() < tolerance, "weight {weight}: {error}");
            for term in 0..expected.products.ncols() {
                let error = found.products[(weight, term)] - expected.products[(weight, term)];
                assert!(
                    error.abs() < tolerance,
                    "weight {weight} term {term}: {error}"
                );
            }
        }
    }

    #[test]
    fn sums_are_those_of_the_plain_formulas() {
        // Several panels, tiles and parts of sets, and a rest of each of them.
        let (count, weights) = (64 * ROWS + 3, KEPT / 11 + 150);
        let table: Vec<Vec<f32>> = (0..count).map(|at| row(at, weights)).collect();
        let rows: Vec<&[f32]> = table.iter().map(Vec::as_slice).collect();
        let shift = rows[4];
        for terms in [1, 3, 10, 23] {
            let factor = |row: usize, term: usize| ((row * (term + 3)) as f64).cos();
            let factors = Mat::from_fn(count, terms, factor);
            let every = |step: usize| (0..count).step_by(step).collect::<Vec<_>>();
            let sets: Vec<Vec<usize>> = (1..=9).map(every).collect();
            let some = every(7);
            let of_some = Mat::from_fn(some.len(), 2, |at, term| factor(at, term + 1));
            let wanted = [
                Sums::over_sets(&factors, &sets),
                Sums::over(&some, &of_some),
            ];
            let pass = Pass(wanted.into());
            // Sums of squares are near 1000: single precision is 3e-7 of them off at most.
            for (precision, tolerance) in [(Precision::Double, 1e-9), (Precision::Single, 3e-4)] {
                let found = pass.moments(&rows, shift, precision);
                for (found, set) in found[0].iter().zip(&sets) {
                    let of_set = |at: usize, term: usize| factors[(set[at], term)];
                    assert_close(
                        found,
                        &expected(&rows, shift, set, of_set, terms),
                        tolerance,
                    );
                }
                let of_some = |at: usize, term: usize| of_some[(at, term)];
                assert_close(
                    &found[1][0],
                    &expected(&rows, shift, &some, of_some, 2),
                    tolerance,
                );
            }
        }
    }
}
