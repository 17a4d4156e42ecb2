//! Sums over sets of subsets, for many weights at once: all that is wanted of the table in one
//! reading of it.
//!
//! The table is read in blocks of some subsets and panels of some weights, which stay in a
//! core's cache while every sum takes what it needs of them. Rows lie far apart in memory, so a
//! block goes through all its panels before the next one is met. Subsets that are in the same
//! sets are treated one after the other and summed once; the sum is added to each of the sets.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use faer::Mat;
use pulp::{Arch, Simd, WithSimd};

use super::moments::Moments;

/// How many weights lie side by side: their sums over all sets stay in the nearest cache.
const STRIP: usize = 16;
/// The most subsets in a block.
const BLOCK: usize = 256;
/// How many weights a panel has: half a megabyte with the subsets of a block.
const PANEL: usize = 256;
/// As many subsets, on average, as a group needs to be worth summing by itself.
const GROUP: usize = 32;
/// The most terms summed while in registers, of which there are 16 or 32.
const FEW: usize = 4;
const MANY: usize = 10;

/// What is summed over sets of subsets: anomalies times factors, and their squares.
pub(super) struct Sums {
    /// The subsets, each with the sets it is in, rising.
    subsets: Vec<(usize, Vec<usize>)>,
    /// `[subsets, terms]`, row after row.
    factors: Vec<f64>,
    terms: usize,
    sets: usize,
}

impl Sums {
    /// Over sets of subsets, with factors `[all subsets, terms]`.
    pub fn over_sets(factors: &Mat<f64>, sets: &[Vec<usize>]) -> Self {
        let mut subsets: Vec<_> = (0..factors.nrows()).map(|at| (at, Vec::new())).collect();
        for (set, members) in sets.iter().enumerate() {
            members.iter().for_each(|at| subsets[*at].1.push(set));
        }
        Self::new(subsets, factors, sets.len())
    }

    /// Over some subsets, with factors `[those, terms]`.
    pub fn over(subsets: &[usize], factors: &Mat<f64>) -> Self {
        let subsets = subsets.iter().map(|at| (*at, vec![0]));
        Self::new(subsets.collect(), factors, 1)
    }

    fn new(subsets: Vec<(usize, Vec<usize>)>, factors: &Mat<f64>, sets: usize) -> Self {
        Self {
            subsets,
            factors: (0..factors.nrows())
                .flat_map(|row| factors.row(row).iter().copied())
                .collect(),
            terms: factors.ncols(),
            sets,
        }
    }

    /// How many sums there are of each weight.
    fn count(&self) -> usize {
        self.sets * (self.terms + 1)
    }

    /// How many of the first sets are taken apart into groups together.
    fn together(&self) -> usize {
        let few = |sets: &usize| {
            let groups = self.subsets.iter().map(|(_, of)| within(of, &(0..*sets)));
            groups.collect::<BTreeSet<_>>().len() * GROUP <= self.subsets.len()
        };
        (2..=self.sets).take_while(few).last().unwrap_or(1)
    }

    /// Its groups in each block of subsets, which are at these places.
    fn groups(&self, places: &[usize]) -> Vec<Vec<Group>> {
        let mut blocks: Vec<Vec<Group>> = Vec::new();
        blocks.resize_with(places.len().div_ceil(BLOCK), Vec::new);
        let together = self.together();
        let parts = std::iter::once(0..together).chain((together..self.sets).map(|s| s..s + 1));
        for part in parts {
            let mut groups = BTreeMap::<_, Vec<Member>>::new();
            for (row, (subset, of)) in self.subsets.iter().enumerate() {
                let key = (places[*subset] / BLOCK, within(of, &part));
                groups.entry(key).or_default().push(Member {
                    place: places[*subset] % BLOCK,
                    row,
                });
            }
            for ((block, sets), members) in groups {
                if !sets.is_empty() {
                    let sets = sets.to_vec();
                    blocks[block].push(Group { members, sets });
                }
            }
        }
        blocks
    }
}

/// Those of the sets, which rise, that are in a range.
fn within<'a>(sets: &'a [usize], range: &Range<usize>) -> &'a [usize] {
    let place = |end: usize| sets.partition_point(|set| *set < end);
    &sets[place(range.start)..place(range.end)]
}

/// Subsets of one block that are in the same sets.
struct Group {
    members: Vec<Member>,
    sets: Vec<usize>,
}

struct Member {
    /// Its place in the block.
    place: usize,
    /// Its row of the factors.
    row: usize,
}

/// Everything wanted, in one pass over the rows.
pub(super) struct Pass {
    /// The subsets in the order they are met.
    order: Vec<usize>,
    /// What is wanted, with its groups in each block of subsets.
    wanted: Vec<(Sums, Vec<Vec<Group>>)>,
}

impl Pass {
    /// Over so many subsets, in an order that suits the first that is wanted.
    pub fn new(subsets: usize, wanted: Vec<Sums>) -> Self {
        let mut order: Vec<usize> = (0..subsets).collect();
        if let Some(first) = wanted.first() {
            let together = 0..first.together();
            let mut sets = vec![&[][..]; subsets];
            for (subset, of) in &first.subsets {
                sets[*subset] = within(of, &together);
            }
            order.sort_by_key(|subset| sets[*subset]);
        }
        let mut places = vec![0; subsets];
        for (place, subset) in order.iter().enumerate() {
            places[*subset] = place;
        }
        let wanted = wanted.into_iter();
        Self {
            wanted: wanted
                .map(|sums| {
                    let groups = sums.groups(&places);
                    (sums, groups)
                })
                .collect(),
            order,
        }
    }

    /// How many sums there are of each weight.
    pub fn count(&self) -> usize {
        self.wanted.iter().map(|(sums, _)| sums.count()).sum()
    }

    /// The sums over each set, of the right-hand sides that each row has, less a `shift` of
    /// each.
    ///
    /// A shift near the values keeps what is common to all rows from drowning what differs.
    pub fn moments(&self, rows: &[&[f32]], shift: &[f32]) -> Vec<Vec<Moments>> {
        let rows: Vec<&[f32]> = self.order.iter().map(|subset| rows[*subset]).collect();
        let strips = shift.len().div_ceil(STRIP);
        let totals = |(sums, _): &(Sums, _)| vec![Strip::ZERO; sums.count() * strips];
        let mut totals: Vec<Vec<Strip>> = self.wanted.iter().map(totals).collect();
        let mut values = vec![Strip::ZERO; BLOCK * PANEL / STRIP];
        let arch = Arch::new();
        for (block, rows) in rows.chunks(BLOCK).enumerate() {
            for (panel, shift) in shift.chunks(PANEL).enumerate() {
                arch.dispatch(Unpack {
                    rows,
                    start: panel * PANEL,
                    shift,
                    values: &mut values,
                });
                for ((sums, groups), totals) in self.wanted.iter().zip(&mut totals) {
                    let totals = totals.chunks_exact_mut(sums.count());
                    let totals = totals.skip(panel * PANEL / STRIP);
                    for (values, totals) in values.chunks_exact(BLOCK).zip(totals) {
                        arch.dispatch(AddGroups {
                            sums,
                            groups: &groups[block],
                            values,
                            totals,
                        });
                    }
                }
            }
        }
        let all = self.wanted.iter().zip(&totals);
        all.map(|((sums, _), totals)| sums.moments(totals, shift.len()))
            .collect()
    }
}

impl Sums {
    /// The sums over each set from those of all strips.
    fn moments(&self, totals: &[Strip], weights: usize) -> Vec<Moments> {
        let sums = |at: usize| -> Vec<f64> {
            let strips = totals.iter().skip(at).step_by(self.count());
            let mut sums: Vec<f64> = strips.flat_map(|strip| strip.0).collect();
            sums.truncate(weights);
            sums
        };
        (0..self.sets)
            .map(|set| {
                let first = set * (self.terms + 1);
                let mut products = Mat::zeros(weights, self.terms);
                for term in 0..self.terms {
                    let column = products.col_as_slice_mut(term);
                    column.copy_from_slice(&sums(first + term));
                }
                Moments {
                    products,
                    squares: sums(first + self.terms),
                }
            })
            .collect()
    }
}

/// Numbers of some weights side by side.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Strip([f64; STRIP]);

impl Strip {
    const ZERO: Self = Self([0.0; STRIP]);
}

/// Takes a panel from the rows of a block, less the shift.
struct Unpack<'a> {
    rows: &'a [&'a [f32]],
    start: usize,
    shift: &'a [f32],
    /// Strip after strip, `BLOCK` rows each.
    values: &'a mut [Strip],
}

impl WithSimd for Unpack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let (whole, rest) = self.shift.as_chunks::<STRIP>();
        for (place, row) in self.rows.iter().enumerate() {
            let row = &row[self.start..][..self.shift.len()];
            let (row, last) = row.as_chunks::<STRIP>();
            for (at, (row, shift)) in row.iter().zip(whole).enumerate() {
                // All is read before anything is written, which lets the compiler make vectors.
                let (row, shift) = (row.map(f64::from), shift.map(f64::from));
                let values = std::array::from_fn(|lane| row[lane] - shift[lane]);
                self.values[at * BLOCK + place] = Strip(values);
            }
            if !rest.is_empty() {
                let values = &mut self.values[whole.len() * BLOCK + place].0;
                for (value, (row, shift)) in values.iter_mut().zip(last.iter().zip(rest)) {
                    *value = f64::from(*row) - f64::from(*shift);
                }
            }
        }
    }
}

/// Adds the groups of a block to the sums of a strip.
struct AddGroups<'a> {
    sums: &'a Sums,
    groups: &'a [Group],
    /// The rows of the block.
    values: &'a [Strip],
    /// For each set the terms, then the squares.
    totals: &'a mut [Strip],
}

impl WithSimd for AddGroups<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let most = if S::REGISTER_COUNT >= 32 { MANY } else { FEW };
        let terms = self.sums.terms;
        let parts = terms.div_ceil(most).max(1);
        let end = |part| part * terms / parts;
        for part in 1..parts {
            self.add::<S, false>(simd, end(part - 1)..end(part));
        }
        self.add::<S, true>(simd, end(parts - 1)..terms);
    }
}

impl AddGroups<'_> {
    /// Some terms, and the squares after the last of them.
    #[inline(always)]
    fn add<S: Simd, const LAST: bool>(&mut self, simd: S, some: Range<usize>) {
        match some.len() {
            0 => self.add_terms::<S, 0, LAST>(simd, some.start),
            1 => self.add_terms::<S, 1, LAST>(simd, some.start),
            2 => self.add_terms::<S, 2, LAST>(simd, some.start),
            3 => self.add_terms::<S, 3, LAST>(simd, some.start),
            4 => self.add_terms::<S, 4, LAST>(simd, some.start),
            5 => self.add_terms::<S, 5, LAST>(simd, some.start),
            6 => self.add_terms::<S, 6, LAST>(simd, some.start),
            7 => self.add_terms::<S, 7, LAST>(simd, some.start),
            8 => self.add_terms::<S, 8, LAST>(simd, some.start),
            9 => self.add_terms::<S, 9, LAST>(simd, some.start),
            _ => self.add_terms::<S, MANY, LAST>(simd, some.start),
        }
    }

    #[inline(always)]
    fn add_terms<S: Simd, const TERMS: usize, const LAST: bool>(&mut self, simd: S, first: usize) {
        let terms = self.sums.terms;
        for lanes in (0..STRIP / S::F64_LANES).step_by(2) {
            for group in self.groups {
                let zero = [simd.splat_f64s(0.0); 2];
                let (mut products, mut squares) = ([zero; TERMS], zero);
                for member in &group.members {
                    let values = &self.values[member.place].0;
                    let values = &S::as_simd_f64s(values).0[lanes..lanes + 2];
                    let factors = &self.sums.factors[member.row * terms + first..][..TERMS];
                    for (sums, factor) in products.iter_mut().zip(factors) {
                        let factor = simd.splat_f64s(*factor);
                        for (sum, value) in sums.iter_mut().zip(values) {
                            *sum = simd.mul_add_e_f64s(factor, *value, *sum);
                        }
                    }
                    if LAST {
                        for (sum, value) in squares.iter_mut().zip(values) {
                            *sum = simd.mul_add_e_f64s(*value, *value, *sum);
                        }
                    }
                }
                for set in &group.sets {
                    let totals = &mut self.totals[set * (terms + 1) + first..][..TERMS + 1];
                    for (total, sums) in totals.iter_mut().zip(&products) {
                        add_to(simd, total, lanes, sums);
                    }
                    if LAST {
                        add_to(simd, &mut totals[TERMS], lanes, &squares);
                    }
                }
            }
        }
    }
}

/// Adds two registers to those of a strip from `lanes` on.
#[inline(always)]
fn add_to<S: Simd>(simd: S, total: &mut Strip, lanes: usize, sums: &[S::f64s; 2]) {
    let total = &mut S::as_mut_simd_f64s(&mut total.0).0[lanes..lanes + 2];
    for (total, sum) in total.iter_mut().zip(sums) {
        *total = simd.add_f64s(*total, *sum);
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

    fn assert_close(found: &Moments, expected: &Moments) {
        for weight in 0..expected.squares.len() {
            let error = found.squares[weight] - expected.squares[weight];
            assert!(error.abs() < 1e-9, "weight {weight}: {error}");
            for term in 0..expected.products.ncols() {
                let error = found.products[(weight, term)] - expected.products[(weight, term)];
                assert!(error.abs() < 1e-9, "weight {weight} term {term}: {error}");
            }
        }
    }

    #[test]
    fn sums_are_those_of_the_plain_formulas() {
        // Several blocks, panels and parts of sets, more terms than registers, and a rest of
        // each of them.
        let (count, weights) = (2 * BLOCK + 19, PANEL + 150);
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
            let found = Pass::new(count, wanted.into()).moments(&rows, shift);
            for (found, set) in found[0].iter().zip(&sets) {
                let of_set = |at: usize, term: usize| factors[(set[at], term)];
                assert_close(found, &expected(&rows, shift, set, of_set, terms));
            }
            let of_some = |at: usize, term: usize| of_some[(at, term)];
            assert_close(&found[1][0], &expected(&rows, shift, &some, of_some, 2));
        }
    }
}
