//! Sums over sets of rows of a weight table, for many weights at once: what least squares and its edges need.
//!
//! Sets go together in parts (`classes.rs`), in which each row is read once. Few sums are made straight from the table (`tiles.rs`), many
//! in a copy of a panel of weights (`packed.rs`). Edges that are held out are predicted from the sums of a part at once
//! (`held_out.rs`), while these are in the first caches.
//!
//! Roofline: a row of `n` weights and `t` factors takes `n (t + 1)` multiply-adds in each part that it has a set in, and reading it 4 `n`
//! bytes. 4096 rows, 8 predictors and their 16 edges are two parts, 17 multiply-adds for each number: 24 ms for 20 000 weights
//! at 58 thousand million a second; reading them takes 17 ms at 19 GB/s. With 32 predictors it is 212, 0.30 s.
//!
//! In single precision a product is rounded once and its sum once for each row of a run, run of a class and node of a set,
//! as a rule no more than 64 + 64 + 243 times, before doubles add up batches: a sum is off by 2.2e-5 of `Σ |y f|` at most and,
//! as roundings cancel, by about 1e-7 of `sqrt(Σ y² Σ f²)`.

use std::cell::OnceCell;
use std::ops::Range;
use std::rc::Rc;

use faer::Mat;

use super::classes::parts;
use super::held_out::{HeldOut, PackedEdge};
use super::moments::Moments;
use super::packed::{PACKED, PackedRows};
use super::strips::{STRIP, Strip, Summand};
use super::tiles::{ClassTree, TILED};

/// The most rows that are summed before doubles add up, so that sums in single precision stay short.
const BATCH: usize = 4096;
/// The most sums of a panel of weights straight from the table: a quarter of a megabyte in single precision.
const KEPT: usize = 1 << 15;
/// How many strips are copied at a time: half a kilobyte of each row in single precision.
const COPIED: usize = 4;
/// The most weights that are summed together.
const WIDE: usize = 4096;
/// From this many sums of each row on, a copy costs less than reading rows that are far apart.
const MANY: usize = 40;

/// How precise sums are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Precision {
    /// Products and their sums in single precision, see the module.
    Single,
    Double,
}

/// Rows over which anomalies times factors, and their squares, are summed.
pub(crate) struct SummedSet {
    /// Rows of the factors.
    pub rows: Vec<usize>,
    /// The edge that the rows are, where not the sums are wanted but how well it is predicted
    /// from the rows of the first set.
    pub held_out: Option<Rc<HeldOut>>,
}

/// What was found for a set.
pub(crate) enum Found {
    Moments(Moments),
    Edge(EdgeSquares),
}

/// Squares of each weight, summed over an edge.
pub(crate) struct EdgeSquares {
    /// Of its errors.
    pub errors: Vec<f64>,
    /// Of its deviations from the mean of the rest.
    pub deviations: Vec<f64>,
}

impl Found {
    fn zero(set: &SummedSet, weights: usize, terms: usize) -> Self {
        match set.held_out {
            Some(_) => Self::Edge(EdgeSquares {
                errors: vec![0.0; weights],
                deviations: vec![0.0; weights],
            }),
            None => Self::Moments(Moments {
                products: Mat::zeros(weights, terms),
                squares: vec![0.0; weights],
            }),
        }
    }
}

/// What is summed over sets of subsets.
pub(crate) struct Sums {
    /// The subset of each row of the factors.
    subsets: Vec<usize>,
    factors: Mat<f64>,
    sets: Vec<SummedSet>,
    single: OnceCell<SumPlan<f32>>,
    double: OnceCell<SumPlan<f64>>,
}

impl Sums {
    /// Over sets of subsets, with factors `[all subsets, terms]`.
    pub fn over_sets(factors: &Mat<f64>, sets: Vec<SummedSet>) -> Self {
        let subsets = (0..factors.nrows()).collect();
        Self::new(subsets, factors, sets)
    }

    /// Over some subsets, with factors `[those, terms]`.
    pub fn over(subsets: &[usize], factors: &Mat<f64>) -> Self {
        let all = SummedSet {
            rows: (0..subsets.len()).collect(),
            held_out: None,
        };
        Self::new(subsets.to_vec(), factors, vec![all])
    }

    fn new(subsets: Vec<usize>, factors: &Mat<f64>, sets: Vec<SummedSet>) -> Self {
        Self {
            subsets,
            factors: factors.clone(),
            sets,
            single: OnceCell::new(),
            double: OnceCell::new(),
        }
    }

    /// How many numbers are found for each weight.
    fn count(&self) -> usize {
        let count = |set: &SummedSet| match set.held_out {
            Some(_) => 2,
            None => self.factors.ncols() + 1,
        };
        self.sets.iter().map(count).sum()
    }

    /// What is wanted of the right-hand sides that each row has, less a `shift`.
    fn find(&self, rows: &[&[f32]], shift: &[f32], precision: Precision) -> Vec<Found> {
        match precision {
            Precision::Single => self.find_by(self.single.get_or_init(|| self.plan()), rows, shift),
            Precision::Double => self.find_by(self.double.get_or_init(|| self.plan()), rows, shift),
        }
    }

    fn plan<N: Summand>(&self) -> SumPlan<N> {
        let count = self.subsets.len();
        let starts = (0..count).step_by(BATCH);
        let batches: Vec<_> = (starts.map(|start| start..(start + BATCH).min(count))).collect();
        let sets = |batch: &Range<usize>| {
            let within = |set: &SummedSet| {
                let rows = set.rows.iter().filter(|row| batch.contains(row));
                rows.map(|row| row - batch.start).collect()
            };
            self.sets.iter().map(within).collect::<Vec<Vec<usize>>>()
        };
        let factors = |batch: &Range<usize>| {
            let row = |row| {
                self.factors
                    .row(row)
                    .iter()
                    .map(|factor| N::rounded(*factor))
            };
            let rows = batch.clone().map(|at| row(at).collect());
            rows.collect::<Vec<Vec<N>>>()
        };
        let place = |start: usize| move |row: usize| self.subsets[start + row];
        let first = 0..count.min(BATCH);
        let of_first = sets(&first);
        let in_parts = |by| parts(first.len(), &of_first, by).0;
        let tiled = in_parts(TILED);
        let (parts, way) = match tiled.len() * (self.factors.ncols() + 1) < MANY {
            true => {
                let trees = |batch: &Range<usize>| {
                    let (sets, factors) = (sets(batch), factors(batch));
                    let tree = |part: &Range<usize>| {
                        ClassTree::new(&sets[part.clone()], &factors, place(batch.start))
                    };
                    tiled.iter().map(tree).collect()
                };
                let trees = batches.iter().map(trees).collect();
                (tiled, Way::Tiled(trees))
            }
            false => {
                let parts = in_parts(PACKED);
                let packed = |batch: &Range<usize>| {
                    let place = place(batch.start);
                    PackedRows::new(&sets(batch), &parts, &factors(batch), place)
                };
                let packed = batches.iter().map(packed).collect();
                (parts, Way::Packed(packed))
            }
        };
        let edge = |set: &SummedSet| set.held_out.as_ref().map(|edge| edge.packed());
        SumPlan {
            parts,
            way,
            count: self.factors.ncols() + 1,
            edges: self.sets.iter().map(edge).collect(),
        }
    }

    fn find_by<N: Summand>(&self, plan: &SumPlan<N>, rows: &[&[f32]], shift: &[f32]) -> Vec<Found> {
        let zero = |set| Found::zero(set, shift.len(), self.factors.ncols());
        let mut found: Vec<Found> = self.sets.iter().map(zero).collect();
        let (whole, rest) = shift.split_at(shift.len() / STRIP * STRIP);
        let width = plan.width();
        let mut room = SumRoom::new(plan);
        for (panel, shift) in whole.chunks(width).enumerate() {
            let start = panel * width;
            let part = rows.iter().map(|row| &row[start..][..shift.len()]);
            let rows: Vec<&[f32]> = part.collect();
            plan.add_panel(&rows, shift, &mut room, (&mut found, start));
        }
        if !rest.is_empty() {
            // What does not fill a strip is copied to where it does.
            let padded = |row: &[f32]| {
                let mut strip = [0.0; STRIP];
                strip[..rest.len()].copy_from_slice(&row[whole.len()..]);
                strip
            };
            let rows: Vec<[f32; STRIP]> = rows.iter().map(|row| padded(row)).collect();
            let rows: Vec<&[f32]> = rows.iter().map(|row| &row[..]).collect();
            plan.add_panel(&rows, &padded(shift), &mut room, (&mut found, whole.len()));
        }
        found
    }
}

/// How sums are made.
struct SumPlan<N> {
    /// Sets that are summed together.
    parts: Vec<Range<usize>>,
    way: Way<N>,
    /// How many sums there are of each set.
    count: usize,
    /// Of each set.
    edges: Vec<Option<PackedEdge<N>>>,
}

/// Where sums are made.
struct SumRoom<N> {
    /// The rows of a panel, where they are copied.
    copied: Vec<Strip<N>>,
    /// Sums of nodes.
    stack: Vec<Vec<Strip<N>>>,
    /// Of each set of a part, or of each part.
    sums: Vec<Vec<Strip<N>>>,
}

impl<N: Summand> SumRoom<N> {
    fn new(plan: &SumPlan<N>) -> Self {
        match &plan.way {
            Way::Tiled(batches) => {
                let depth = batches.iter().flatten().map(ClassTree::depth).max();
                Self {
                    copied: Vec::new(),
                    stack: vec![Vec::new(); depth.unwrap_or(0) + 1],
                    sums: vec![Vec::new(); plan.most_sets()],
                }
            }
            Way::Packed(batches) => {
                let height = batches.iter().map(PackedRows::height).max();
                let depth = batches.iter().map(PackedRows::depth).max();
                let sums = |part: &Range<usize>| vec![Strip::ZERO; part.len() * plan.count];
                Self {
                    copied: vec![Strip::ZERO; height.unwrap_or(0) * COPIED],
                    stack: vec![vec![Strip::ZERO; depth.unwrap_or(0)]],
                    sums: plan.parts.iter().map(sums).collect(),
                }
            }
        }
    }
}

/// Of each batch of rows.
enum Way<N> {
    /// Straight from the table: of each part.
    Tiled(Vec<Vec<ClassTree<N>>>),
    /// From a copy.
    Packed(Vec<PackedRows<N>>),
}

impl<N: Summand> SumPlan<N> {
    /// How many sets the largest part has.
    fn most_sets(&self) -> usize {
        self.parts.iter().map(Range::len).max().unwrap_or(0)
    }

    /// How many weights are summed together: whole strips.
    fn width(&self) -> usize {
        match self.way {
            Way::Tiled(_) => {
                let width = KEPT / (self.most_sets() * self.count).max(1);
                width.clamp(128, WIDE) / STRIP * STRIP
            }
            Way::Packed(_) => COPIED * STRIP,
        }
    }

    /// Finds what is wanted of weights whose rows fill strips, from `start` on.
    fn add_panel(
        &self,
        rows: &[&[f32]],
        shift: &[f32],
        room: &mut SumRoom<N>,
        to: (&mut [Found], usize),
    ) {
        match &self.way {
            Way::Tiled(batches) => self.add_tiled(batches, (rows, shift), room, to),
            Way::Packed(batches) => self.add_packed(batches, (rows, shift), room, to),
        }
    }

    fn add_tiled(
        &self,
        batches: &[Vec<ClassTree<N>>],
        (rows, shift): (&[&[f32]], &[f32]),
        room: &mut SumRoom<N>,
        (found, start): (&mut [Found], usize),
    ) {
        let strips = shift.len() / STRIP * self.count;
        let resized = |sums: &mut Vec<Strip<N>>| sums.resize(strips, Strip::ZERO);
        room.stack.iter_mut().for_each(resized);
        room.sums.iter_mut().for_each(resized);
        let mut whole = Vec::new();
        for (at, part) in self.parts.iter().enumerate() {
            let sums = &mut room.sums[..part.len()];
            let mut totals = Totals::of(batches.len(), sums.len(), strips);
            for trees in batches {
                sums.iter_mut().for_each(|set| set.fill(Strip::ZERO));
                trees[at].add(&|row| rows[row], shift, (&mut *sums, &mut room.stack));
                totals.add(sums);
            }
            totals.take(sums);
            if at == 0 {
                whole.clone_from(&sums[0]);
            }
            for (set, sums) in part.clone().zip(sums) {
                let of_strips = sums.chunks(self.count).zip(whole.chunks(self.count));
                for (strip, (sums, whole)) in of_strips.enumerate() {
                    let own: Vec<&Strip<N>> = sums.iter().collect();
                    let here = start + strip * STRIP;
                    self.finish(
                        &mut found[set],
                        self.edges[set].as_ref(),
                        (whole, &own),
                        here,
                    );
                }
            }
        }
    }

    fn add_packed(
        &self,
        batches: &[PackedRows<N>],
        (rows, shift): (&[&[f32]], &[f32]),
        room: &mut SumRoom<N>,
        (found, start): (&mut [Found], usize),
    ) {
        let strips = shift.len() / STRIP;
        let mut totals: Vec<Vec<Totals>> = Vec::new();
        for _ in 0..strips {
            let of_part = |sums: &Vec<_>| Totals::of(batches.len(), 1, sums.len());
            totals.push(room.sums.iter().map(of_part).collect());
        }
        let mut whole = vec![Vec::new(); strips];
        for (batch, packed) in batches.iter().enumerate() {
            let height = packed.height();
            packed.read(rows, shift, &mut room.copied);
            for strip in 0..strips {
                let values = &room.copied[strip * height..][..height];
                for (at, part) in self.parts.iter().enumerate() {
                    let sums = &mut room.sums[at];
                    packed.sum(at, values, (sums, &mut room.stack[0]));
                    let totals = &mut totals[strip][at];
                    totals.add(std::slice::from_ref(sums));
                    if batch + 1 < batches.len() {
                        continue;
                    }
                    totals.take(std::slice::from_mut(sums));
                    let here = start + strip * STRIP;
                    for (at, set) in part.clone().enumerate() {
                        let own = packed.of_set(at, sums);
                        if set == 0 {
                            whole[strip] = own.iter().map(|strip| **strip).collect();
                        }
                        let of = (&whole[strip][..], &own[..]);
                        self.finish(&mut found[set], self.edges[set].as_ref(), of, here);
                    }
                }
            }
        }
    }

    /// What the sums over the first set and its own say of a set, for the weights of a strip from `start` on.
    fn finish(
        &self,
        found: &mut Found,
        edge: Option<&PackedEdge<N>>,
        (whole, own): (&[Strip<N>], &[&Strip<N>]),
        start: usize,
    ) {
        match (found, edge) {
            (Found::Moments(Moments { products, squares }), _) => {
                for (term, strip) in own.iter().enumerate() {
                    let column = match term < products.ncols() {
                        true => products.col_as_slice_mut(term),
                        false => &mut squares[..],
                    };
                    for (into, sum) in column[start..].iter_mut().zip(strip.0) {
                        *into = sum.into();
                    }
                }
            }
            (Found::Edge(EdgeSquares { errors, deviations }), Some(edge)) => {
                let here = start..errors.len().min(start + STRIP);
                let into = (&mut errors[here.clone()], &mut deviations[here]);
                edge.predict(whole, own, into);
            }
            (Found::Edge(_), None) => {}
        }
    }
}

/// Sums over several batches in double precision; nothing where there is one.
struct Totals(Vec<Vec<Strip<f64>>>);

impl Totals {
    fn of(batches: usize, sets: usize, strips: usize) -> Self {
        let sets = if batches > 1 { sets } else { 0 };
        Self(vec![vec![Strip::ZERO; strips]; sets])
    }

    fn add<N: Summand>(&mut self, sums: &[Vec<Strip<N>>]) {
        let pairs = self.0.iter_mut().flatten().zip(sums.iter().flatten());
        for (total, sum) in pairs {
            for (total, sum) in total.0.iter_mut().zip(sum.0) {
                *total += sum.into();
            }
        }
    }

    /// Rounds them.
    fn take<N: Summand>(&self, sums: &mut [Vec<Strip<N>>]) {
        let pairs = self.0.iter().flatten().zip(sums.iter_mut().flatten());
        for (total, sum) in pairs {
            sum.0 = total.0.map(N::rounded);
        }
    }
}

/// Everything wanted of the rows.
pub(crate) struct Pass(pub Vec<Sums>);

impl Pass {
    /// How many numbers are found for each weight.
    pub fn count(&self) -> usize {
        self.0.iter().map(Sums::count).sum()
    }

    /// What is wanted of the right-hand sides that each row has, less a `shift` of each.
    ///
    /// A shift near the values keeps what is common to all rows from drowning what differs.
    pub fn find(&self, rows: &[&[f32]], shift: &[f32], precision: Precision) -> Vec<Vec<Found>> {
        let wanted = self.0.iter();
        wanted
            .map(|sums| sums.find(rows, shift, precision))
            .collect()
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

    fn moments(found: &Found) -> &Moments {
        match found {
            Found::Moments(moments) => moments,
            Found::Edge(_) => panic!("expected sums"),
        }
    }

    #[test]
    fn sums_are_those_of_the_plain_formulas() {
        // Several panels, runs, blocks and parts of sets, and a rest of each of them; then several batches.
        for (count, weights) in [(515, 3 * COPIED * STRIP + 1200), (BATCH + 100, 70)] {
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
                let set = |rows: &Vec<usize>| SummedSet {
                    rows: rows.clone(),
                    held_out: None,
                };
                let wanted = [
                    Sums::over_sets(&factors, sets.iter().map(set).collect()),
                    Sums::over(&some, &of_some),
                ];
                let pass = Pass(wanted.into());
                // Single precision is 3e-7 of sums of squares off at most, which are near twice the rows.
                let single = 6e-7 * count as f64;
                for (precision, tolerance) in
                    [(Precision::Double, 1e-9), (Precision::Single, single)]
                {
                    let found = pass.find(&rows, shift, precision);
                    for (found, set) in found[0].iter().zip(&sets) {
                        let of_set = |at: usize, term: usize| factors[(set[at], term)];
                        let expected = expected(&rows, shift, set, of_set, terms);
                        assert_close(moments(found), &expected, tolerance);
                    }
                    let of_some = |at: usize, term: usize| of_some[(at, term)];
                    let expected = expected(&rows, shift, &some, of_some, 2);
                    assert_close(moments(&found[1][0]), &expected, tolerance);
                }
            }
        }
    }
}
