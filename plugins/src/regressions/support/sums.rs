//! Rows are partitioned into classes by the sets that contain them; each class is summed once, and
//! the sum of a set is the sum of its classes: `M_s = Σ M_c` over the classes `c` of `s`.
//!
//! The rows are those of the weight table, for many weights at once. A few rows at a time are
//! multiplied by all their factors and added to sums that stay in a core's cache: few enough that
//! the processor prefetches each of them.

use faer::Mat;
use pulp::{Arch, Simd, WithSimd};

use super::moments::Moments;

/// How many rows are read at once: more are too many for processors to fetch ahead.
const ROWS: usize = 8;
/// How many weights lie side by side in sums.
const STRIP: usize = 16;
/// The most sums that are added up before they go to the sets: half a megabyte.
const KEPT: usize = 1 << 16;

/// What is summed over sets of subsets: anomalies times factors, and their squares.
pub(crate) struct Sums {
    classes: Vec<Class>,
    terms: usize,
    sets: usize,
}

/// The rows that the same sets contain.
struct Class {
    tiles: Vec<Tile>,
    sets: Vec<usize>,
}

/// Rows that are read at once; what is missing from the last of a class counts nothing.
struct Tile {
    rows: [Option<usize>; ROWS],
    /// Term after term.
    factors: Vec<[f64; ROWS]>,
}

impl Sums {
    /// Over sets of subsets, with factors `[all subsets, terms]`.
    pub fn over_sets(factors: &Mat<f64>, sets: &[Vec<usize>]) -> Self {
        let parts = parts(factors.nrows(), sets);
        let classes = parts.iter().flat_map(ClassedSets::classes);
        Self {
            classes: classes
                .map(|(sets, rows)| Class::new(sets, &rows, |row| row, factors))
                .collect(),
            terms: factors.ncols(),
            sets: sets.len(),
        }
    }

    /// Over some subsets, with factors `[those, terms]`.
    pub fn over(subsets: &[usize], factors: &Mat<f64>) -> Self {
        let all: Vec<usize> = (0..subsets.len()).collect();
        Self {
            classes: vec![Class::new(vec![0], &all, |row| subsets[row], factors)],
            terms: factors.ncols(),
            sets: 1,
        }
    }

    /// How many sums there are of each weight.
    fn count(&self) -> usize {
        self.sets * (self.terms + 1)
    }

    /// The sums over each set, of the right-hand sides that each row has, less a `shift`.
    fn moments(&self, rows: &[&[f32]], shift: &[f32]) -> Vec<Moments> {
        let zero = || Moments {
            products: Mat::zeros(shift.len(), self.terms),
            squares: vec![0.0; shift.len()],
        };
        let mut found: Vec<Moments> = (0..self.sets).map(|_| zero()).collect();
        let (whole, rest) = shift.split_at(shift.len() / STRIP * STRIP);
        let width = (KEPT / (self.terms + 1)).max(1).next_multiple_of(STRIP);
        let mut sums = vec![Strip::ZERO; width / STRIP * (self.terms + 1)];
        for class in &self.classes {
            for (panel, shift) in whole.chunks(width).enumerate() {
                let start = panel * width;
                let part = |row: &usize| &rows[*row][start..][..shift.len()];
                class.add(part, shift, &mut sums, (&mut found, start));
            }
        }
        if !rest.is_empty() {
            // What does not fill a strip is copied to where it does.
            let padded = |row: &[f32]| {
                let mut strip = [0.0; STRIP];
                strip[..rest.len()].copy_from_slice(&row[whole.len()..]);
                strip
            };
            let rows: Vec<[f32; STRIP]> = rows.iter().map(|row| padded(row)).collect();
            let shift = padded(shift);
            for class in &self.classes {
                let part = |row: &usize| &rows[*row][..];
                class.add(part, &shift, &mut sums, (&mut found, whole.len()));
            }
        }
        found
    }
}

impl Class {
    /// Adds the sums of weights whose rows fill strips to what is found, from `start` on; `sums`
    /// is room for them.
    fn add<'a>(
        &self,
        row: impl Fn(&usize) -> &'a [f32],
        shift: &'a [f32],
        sums: &mut [Strip],
        (found, start): (&mut [Moments], usize),
    ) {
        let arch = Arch::new();
        let terms = found[0].products.ncols();
        let sums = &mut sums[..shift.len() / STRIP * (terms + 1)];
        sums.fill(Strip::ZERO);
        for tile in &self.tiles {
            arch.dispatch(AddTile {
                // The shift less itself is zero.
                rows: (tile.rows.each_ref()).map(|at| at.as_ref().map_or(shift, &row)),
                factors: &tile.factors,
                shift,
                sums,
            });
        }
        for set in &self.sets {
            let Moments { products, squares } = &mut found[*set];
            for term in 0..=terms {
                let column = match term < terms {
                    true => products.col_as_slice_mut(term),
                    false => &mut squares[..],
                };
                arch.dispatch(AddColumn {
                    sums: &sums[term..],
                    step: terms + 1,
                    column: &mut column[start..],
                });
            }
        }
    }

    /// Of some rows of the factors, which are of these subsets.
    fn new(
        sets: Vec<usize>,
        rows: &[usize],
        subset: impl Fn(usize) -> usize,
        factors: &Mat<f64>,
    ) -> Self {
        let tile = |rows: &[usize]| {
            let some = |at: usize| rows.get(at).copied();
            let factor = |row: Option<usize>, term| row.map_or(0.0, |row| factors[(row, term)]);
            Tile {
                rows: std::array::from_fn(|at| some(at).map(&subset)),
                factors: (0..factors.ncols())
                    .map(|term| std::array::from_fn(|at| factor(some(at), term)))
                    .collect(),
            }
        };
        Self {
            tiles: rows.chunks(ROWS).map(tile).collect(),
            sets,
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
    let mut parts: Vec<ClassedSets> = Vec::new();
    for (set, members) in sets.iter().enumerate() {
        let alone = none.with(set, members);
        let Some(last) = parts.last_mut() else {
            parts.push(alone);
            continue;
        };
        let both = last.with(set, members);
        match both.cost() <= last.cost() + alone.cost() {
            true => *last = both,
            false => parts.push(alone),
        }
    }
    parts
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

    /// The subsets of each class that is in any set, with these sets.
    fn classes(&self) -> Vec<(Vec<usize>, Vec<usize>)> {
        let none = |sets: &Vec<usize>| (sets.clone(), Vec::new());
        let mut classes: Vec<_> = self.sets.iter().map(none).collect();
        for (subset, class) in self.classes.iter().enumerate() {
            classes[*class].1.push(subset);
        }
        classes.retain(|(sets, subsets)| !sets.is_empty() && !subsets.is_empty());
        classes
    }

    /// What its sums take: to add those of a class to a set is about as dear as a tile.
    fn cost(&self) -> usize {
        let classes = self.classes().into_iter();
        classes
            .map(|(sets, subsets)| subsets.len().div_ceil(ROWS) + sets.len())
            .sum()
    }
}

/// Everything wanted of the rows.
pub(crate) struct Pass(pub Vec<Sums>);

impl Pass {
    /// How many sums there are of each weight.
    pub fn count(&self) -> usize {
        self.0.iter().map(Sums::count).sum()
    }

    /// The sums over each set, of the right-hand sides that each row has, less a `shift` of
    /// each.
    ///
    /// A shift near the values keeps what is common to all rows from drowning what differs.
    pub fn moments(&self, rows: &[&[f32]], shift: &[f32]) -> Vec<Vec<Moments>> {
        let wanted = self.0.iter();
        wanted.map(|sums| sums.moments(rows, shift)).collect()
    }
}

/// Numbers of some weights side by side.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Strip([f64; STRIP]);

impl Strip {
    const ZERO: Self = Self([0.0; STRIP]);

    #[inline(always)]
    fn less(row: &[f32; STRIP], shift: &[f32; STRIP]) -> Self {
        let mut strip = Self::ZERO;
        for (value, (row, shift)) in strip.0.iter_mut().zip(row.iter().zip(shift)) {
            *value = f64::from(*row) - f64::from(*shift);
        }
        strip
    }
}

/// Adds the products and squares of some rows to the sums of a class.
struct AddTile<'a> {
    rows: [&'a [f32]; ROWS],
    /// Term after term.
    factors: &'a [[f64; ROWS]],
    shift: &'a [f32],
    /// Strip after strip the terms, then the squares.
    sums: &'a mut [Strip],
}

impl WithSimd for AddTile<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // With the values of all rows, as many sums as the registers have room for.
        match S::REGISTER_COUNT >= 32 {
            true => self.add::<S, 2>(simd),
            false => self.add::<S, 1>(simd),
        }
    }
}

impl AddTile<'_> {
    #[inline(always)]
    fn add<S: Simd, const SIDE: usize>(self, simd: S) {
        let (shift, _) = self.shift.as_chunks::<STRIP>();
        let mut rows = [&[][..]; ROWS];
        for (into, row) in rows.iter_mut().zip(self.rows) {
            *into = &row.as_chunks::<STRIP>().0[..shift.len()];
        }
        let strips = self.sums.chunks_exact_mut(self.factors.len() + 1);
        for (at, (shift, sums)) in shift.iter().zip(strips).enumerate() {
            let (products, squares) = sums.split_at_mut(self.factors.len());
            let mut strips = [Strip::ZERO; ROWS];
            for (strip, row) in strips.iter_mut().zip(&rows) {
                *strip = Strip::less(&row[at], shift);
            }
            for lanes in (0..STRIP / S::F64_LANES).step_by(SIDE) {
                let mut values = [[simd.splat_f64s(0.0); SIDE]; ROWS];
                for (values, strip) in values.iter_mut().zip(&strips) {
                    values.copy_from_slice(&S::as_simd_f64s(&strip.0).0[lanes..][..SIDE]);
                }
                for (sums, factors) in products.iter_mut().zip(self.factors) {
                    let sums = &mut S::as_mut_simd_f64s(&mut sums.0).0[lanes..][..SIDE];
                    // Two sums, each of half the rows, need not wait for one another.
                    let mut halves = [[simd.splat_f64s(0.0); SIDE]; 2];
                    halves[0].copy_from_slice(sums);
                    for (row, (values, factor)) in values.iter().zip(factors).enumerate() {
                        let factor = simd.splat_f64s(*factor);
                        for (sum, value) in halves[row % 2].iter_mut().zip(values) {
                            *sum = simd.mul_add_e_f64s(factor, *value, *sum);
                        }
                    }
                    for (sum, (one, other)) in sums.iter_mut().zip(halves[0].iter().zip(&halves[1]))
                    {
                        *sum = simd.add_f64s(*one, *other);
                    }
                }
                let squares = &mut S::as_mut_simd_f64s(&mut squares[0].0).0[lanes..][..SIDE];
                for values in &values {
                    for (sum, value) in squares.iter_mut().zip(values) {
                        *sum = simd.mul_add_e_f64s(*value, *value, *sum);
                    }
                }
            }
        }
    }
}

/// Adds the sums of one term, which are `step` strips apart, to those of a set.
struct AddColumn<'a> {
    sums: &'a [Strip],
    step: usize,
    column: &'a mut [f64],
}

impl WithSimd for AddColumn<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (whole, rest) = self.column.as_chunks_mut::<STRIP>();
        let mut strips = self.sums.iter().step_by(self.step);
        for (column, strip) in whole.iter_mut().zip(&mut strips) {
            let totals = S::as_mut_simd_f64s(column).0.iter_mut();
            for (total, sum) in totals.zip(S::as_simd_f64s(&strip.0).0) {
                *total = simd.add_f64s(*total, *sum);
            }
        }
        for (total, sum) in rest.iter_mut().zip(strips.flat_map(|strip| &strip.0)) {
            *total += sum;
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
            let found = Pass(wanted.into()).moments(&rows, shift);
            for (found, set) in found[0].iter().zip(&sets) {
                let of_set = |at: usize, term: usize| factors[(set[at], term)];
                assert_close(found, &expected(&rows, shift, set, of_set, terms));
            }
            let of_some = |at: usize, term: usize| of_some[(at, term)];
            assert_close(&found[1][0], &expected(&rows, shift, &some, of_some, 2));
        }
    }
}
