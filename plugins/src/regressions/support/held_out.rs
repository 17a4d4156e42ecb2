//! Squared errors at an edge that a fit is made without, straight from sums over all rows and over the edge.
//!
//! With the columns `Q` of the fit to all rows, `m = Qᵀ y` over all rows and `e = Qₑᵀ yₑ` over the edge, the fit without the
//! edge has the coefficients `b = S⁻¹ (m - e)` by these columns, `S = Qᵀ Q - Qₑᵀ Qₑ` with a penalty in it where there is
//! one, and leaves `‖yₑ‖² + bᵀ G b - 2 bᵀ e` at the edge, `G = Qₑᵀ Qₑ`. As `e = m - S b`, that is `‖yₑ‖² + b · (b - m - e)`
//! where `S = 1 - G`, and `‖yₑ‖² + a · (a - 2 c)` in general, with `L Lᵀ = G + 2 S`, `a = Lᵀ b` and `c = L⁻¹ m`.
//!
//! `S` is that of all rows less `G`: no edge has a decomposition of its own, unless there are columns of which hardly
//! anything is left without it. Then the fit may have fewer terms, and `V Vᵀ` is in the place of `S⁻¹`, where `V` turns
//! coefficients by its own orthonormal columns into those by `Q`: all of this holds for it, too, as `Vᵀ S V = 1`.
//!
//! Roofline: `t²` multiply-adds a weight and edge of `t` terms, half as many more with a penalty: 64 edges of 33 terms are
//! 17 for each number of 4096 rows, a tenth of those of the sums.

use std::ops::Range;

use faer::linalg::solvers::DenseSolveCore;
use faer::{Mat, Side};
use pulp::{Arch, Simd, WithSimd};

use super::design::Design;
use super::strips::{self, SIDE, Strip, StripPart, Summand, add_products, blocks, for_block};

/// A fit without an edge, by the columns of the fit to all rows.
pub(crate) struct HeldOut {
    /// How many rows the edge has, and how many there are.
    rows: (usize, usize),
    /// What the first column has in each row.
    first: f64,
    /// `S⁻¹`, or `V Vᵀ`.
    inverse: Mat<f64>,
    /// `L`.
    root: Mat<f64>,
    /// Whether `S = 1 - G`: no penalty changes with the rows.
    is_free: bool,
}

/// What is left of a column without the edge has to be more than this share of its squares.
const LEAST_LEFT: f64 = 1e-6;

impl HeldOut {
    /// Of a design and some of its rows, where the penalty of the fit to the others has `more` of the columns'
    /// squares than that of all rows; none where a column may be a linear combination of others without the edge.
    pub fn down_dated(whole: &Design, edge: &[usize], more: Option<&Mat<f64>>) -> Option<Self> {
        let gram = gram(whole, edge);
        let one = Mat::<f64>::identity(gram.nrows(), gram.ncols());
        let mut solved = one - &gram;
        if let Some(more) = more {
            solved += more;
        }
        let roots = solved.llt(Side::Lower).ok()?;
        let left: Vec<f64> = (0..gram.ncols()).map(|at| roots.L()[(at, at)]).collect();
        let is_left = left.iter().all(|left| left * left > LEAST_LEFT);
        match is_left && whole.is_independent(&left) {
            true => Self::new(
                whole,
                edge,
                &gram,
                (&solved, roots.inverse()),
                more.is_none(),
            ),
            false => None,
        }
    }

    /// Of a design, some of its rows, and the design of the others, whose terms are some `columns` of the whole; all of
    /// them where there is a penalty. None where hardly anything of a column is left without the edge: sums over all rows
    /// less those over the edge have no digits of it.
    pub fn between(
        whole: &Design,
        edge: &[usize],
        (rest, columns): (&Design, &[usize]),
        has_penalty: bool,
    ) -> Option<Self> {
        let turn = whole.turned_by(rest, columns);
        let inverse = &turn * turn.transpose();
        let largest = (0..inverse.nrows()).map(|at| inverse[(at, at)]);
        if largest.fold(0.0, f64::max) * LEAST_LEFT > 1.0 {
            return None;
        }
        let gram = gram(whole, edge);
        let solved = match has_penalty {
            true => {
                let back = rest.turned_by(whole, columns);
                back.transpose() * &back
            }
            false => Mat::<f64>::identity(gram.nrows(), gram.ncols()) - &gram,
        };
        Self::new(whole, edge, &gram, (&solved, inverse), !has_penalty)
    }

    fn new(
        whole: &Design,
        edge: &[usize],
        gram: &Mat<f64>,
        (solved, inverse): (&Mat<f64>, Mat<f64>),
        is_free: bool,
    ) -> Option<Self> {
        let root = (gram + 2.0 * solved).llt(Side::Lower).ok()?;
        Some(Self {
            rows: (edge.len(), whole.factors().nrows()),
            first: whole.factors()[(0, 0)],
            inverse,
            root: root.L().to_owned(),
            is_free,
        })
    }

    /// `S⁻¹`, or `V Vᵀ`, where `S = 1 - G`; none where a penalty may change with the rows.
    pub fn inverse(&self) -> Option<&Mat<f64>> {
        self.is_free.then_some(&self.inverse)
    }

    /// As it is multiplied with.
    pub fn packed<N: Summand>(&self) -> PackedEdge<N> {
        let terms = self.inverse.ncols();
        let (known, whole) = match self.is_free {
            true => (self.inverse.clone(), None),
            false => {
                let mut onto = -2.0 * Mat::<f64>::identity(terms, terms);
                self.root.solve_lower_triangular_in_place(&mut onto);
                (self.root.transpose() * &self.inverse, Some(onto))
            }
        };
        let rows = |matrix: &Mat<f64>, block: &Range<usize>, count: usize| {
            let row = |term: usize| block.clone().map(move |at| N::rounded(matrix[(at, term)]));
            (0..count).flat_map(row).collect()
        };
        let packed = |block: Range<usize>| EdgeBlock {
            known: rows(&known, &block, terms),
            whole: whole.as_ref().map(|whole| rows(whole, &block, block.end)),
            block,
        };
        PackedEdge {
            rows: self.rows,
            first: self.first,
            blocks: blocks(terms).into_iter().map(packed).collect(),
        }
    }
}

/// The products of a design's columns with each other, over some rows.
fn gram(design: &Design, rows: &[usize]) -> Mat<f64> {
    let q = design.factors();
    let some = Mat::from_fn(rows.len(), q.ncols(), |row, term| q[(rows[row], term)]);
    some.transpose() * &some
}

/// A [`HeldOut`] in blocks of the numbers whose squares are summed.
pub(crate) struct PackedEdge<N> {
    rows: (usize, usize),
    first: f64,
    blocks: Vec<EdgeBlock<N>>,
}

/// Factors of a block, each term after the other.
struct EdgeBlock<N> {
    block: Range<usize>,
    /// Of the sums over the rows that are not held out: `S⁻¹` or `Lᵀ S⁻¹`.
    known: Vec<N>,
    /// Of the first sums over all rows, `-2 L⁻¹`; none where `S = 1 - G`.
    whole: Option<Vec<N>>,
}

impl<N: Summand> PackedEdge<N> {
    /// The squared errors of some weights, and their squared deviations from the mean of the rest, both
    /// summed over the edge: from the sums over all rows and over the edge, those of squares last.
    pub fn predict(
        &self,
        whole: &[Strip<N>],
        edge: &[&Strip<N>],
        (errors, deviations): (&mut [f64], &mut [f64]),
    ) {
        let mut known = whole.to_vec();
        let mut left = Strip::ZERO;
        Arch::new().dispatch(PredictEdge {
            blocks: &self.blocks,
            edge,
            known: &mut known,
            whole,
            left: &mut left,
        });
        let [sums, .., squares] = edge else {
            return;
        };
        // The first column is the same in each row.
        let (count, first) = (self.rows.0 as f64, self.first);
        let rest = 1.0 / ((self.rows.1 - self.rows.0) as f64 * first);
        for (at, (error, deviation)) in errors.iter_mut().zip(deviations).enumerate() {
            let [square, left, sum, known] =
                [squares, &left, sums, &known[0]].map(|strip| strip.0[at].into());
            *error = (square + left).max(0.0);
            let mean = known * rest;
            *deviation = (square + mean * (count * mean - 2.0 * sum / first)).max(0.0);
        }
    }
}

/// What the squared errors are more than the squares at the edge.
struct PredictEdge<'a, N> {
    blocks: &'a [EdgeBlock<N>],
    /// Sums over the edge, term after term.
    edge: &'a [&'a Strip<N>],
    /// Those over all rows, which become those over the others.
    known: &'a mut [Strip<N>],
    whole: &'a [Strip<N>],
    left: &'a mut Strip<N>,
}

impl<N: Summand> WithSimd for PredictEdge<'_, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let less = N::splat(simd, N::rounded(-1.0));
        for (known, edge) in self.known.iter_mut().zip(self.edge) {
            let known = N::registers_mut::<S>(&mut known.0).iter_mut();
            for (known, edge) in known.zip(N::registers::<S>(&edge.0)) {
                *known = N::mul_add(simd, less, *edge, *known);
            }
        }
        for block in self.blocks {
            for_block!(block.block.len(), T => {
                block.add::<S, T>(simd, (self.known, self.whole), self.left);
            });
        }
    }
}

impl<N: Summand> EdgeBlock<N> {
    #[inline(always)]
    fn add<S: Simd, const T: usize>(
        &self,
        simd: S,
        (of_rest, of_all): (&[Strip<N>], &[Strip<N>]),
        left: &mut Strip<N>,
    ) {
        let (known, _) = self.known.as_chunks::<T>();
        let less_two = N::splat(simd, N::rounded(-2.0));
        for first in strips::parts::<N, S>() {
            let mut sums: [StripPart<N, S>; T] = [[N::splat(simd, N::ZERO); SIDE]; T];
            for (factors, values) in known.iter().zip(of_rest) {
                let values = strips::part::<N, S>(values, first);
                add_products::<N, S, T, false>(simd, &mut sums, factors, values);
            }
            let bent = sums;
            match &self.whole {
                Some(whole) => {
                    let (whole, _) = whole.as_chunks::<T>();
                    for (factors, values) in whole.iter().zip(of_all) {
                        let values = strips::part::<N, S>(values, first);
                        add_products::<N, S, T, false>(simd, &mut sums, factors, values);
                    }
                }
                // The sums over all rows and over the edge are twice the former less those over the rest.
                None => {
                    for (at, sums) in sums.iter_mut().enumerate() {
                        let at = self.block.start + at;
                        let rest = strips::part::<N, S>(&of_rest[at], first);
                        let all = strips::part::<N, S>(&of_all[at], first);
                        for (sum, (rest, all)) in sums.iter_mut().zip(rest.into_iter().zip(all)) {
                            *sum = N::mul_add(simd, less_two, all, N::add(simd, *sum, rest));
                        }
                    }
                }
            }
            let mut total = strips::part::<N, S>(left, first);
            for (bent, sums) in bent.iter().zip(&sums) {
                for (total, (bent, sum)) in total.iter_mut().zip(bent.iter().zip(sums)) {
                    *total = N::mul_add(simd, *bent, *sum, *total);
                }
            }
            N::registers_mut::<S>(&mut left.0)[first..][..SIDE].copy_from_slice(&total);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::regressions::support::edge_alone::{
        ROWS, TERMS, expected, table, term, with_a_mark, without_a_mark,
    };
    use crate::regressions::support::sums::{Found, Pass, Precision, SummedSet, Sums};

    #[test]
    fn edges_are_predicted_as_by_fits_to_the_rest() {
        let matrix = Mat::from_fn(ROWS, TERMS, term);
        let below = |scale: f64, rows: usize| {
            let root = |row, column| [0.0, scale][usize::from(row + 1 == column)];
            Mat::from_fn(rows, TERMS, root)
        };
        let edges: [Vec<usize>; 2] = [(0..9).collect(), (0..ROWS).step_by(4).collect()];
        let weights = 41;
        let table = table(weights);
        let rows: Vec<&[f32]> = table.iter().map(Vec::as_slice).collect();
        // Without a penalty, and with one that is smaller for fewer rows.
        for penalty in [None, Some((2.0, 1.5))] {
            let (all, rest) = match penalty {
                None => (below(0.0, 0), below(0.0, 0)),
                Some((all, rest)) => (below(all, TERMS - 1), below(rest, TERMS - 1)),
            };
            let (whole, _) = Design::independent(&matrix, &all);
            let more = whole.gram_of(&rest) - whole.gram_of(&all);
            let set = |edge: &Vec<usize>| SummedSet {
                rows: edge.clone(),
                held_out: HeldOut::down_dated(&whole, edge, penalty.map(|_| &more)).map(Rc::new),
            };
            let mut sets = vec![SummedSet {
                rows: (0..ROWS).collect(),
                held_out: None,
            }];
            sets.extend(edges.iter().map(set));
            let pass = Pass(vec![Sums::over_sets(whole.factors(), sets)]);
            for (precision, tolerance) in [(Precision::Double, 1e-11), (Precision::Single, 2e-4)] {
                let found = pass.find(&rows, rows[3], precision);
                for (found, edge) in found[0][1..].iter().zip(&edges) {
                    let Found::Edge(found) = found else {
                        panic!("expected an edge that is held out");
                    };
                    for weight in 0..weights {
                        let y: Vec<f64> = rows
                            .iter()
                            .map(|row| f64::from(row[weight]) - f64::from(rows[3][weight]))
                            .collect();
                        let (errors, deviations) = expected(&y, edge, &rest);
                        let off = (found.errors[weight] / errors - 1.0).abs();
                        assert!(off < tolerance, "{precision:?} {weight}: {off}");
                        let off = (found.deviations[weight] / deviations - 1.0).abs();
                        assert!(off < tolerance, "{precision:?} {weight}: {off}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_column_that_only_the_edge_has_is_left_out_of_the_fit() {
        let (whole, edge) = with_a_mark();
        assert!(HeldOut::down_dated(&whole, &edge, None).is_none());
        assert!(HeldOut::down_dated(&whole, &[16, 17, 18, 19], None).is_some());
        // Where something is left, but less than sums in single precision know, the fit sums over the rest.
        let faint = |row: usize, column: usize| match column {
            1 if !edge.contains(&row) => 1e-4 * term(row, 1),
            column => term(row, column),
        };
        let [faint_whole, faint_rest] = [Vec::new(), edge.clone()].map(|without| {
            let rows: Vec<usize> = (0..ROWS).filter(|row| !without.contains(row)).collect();
            let matrix = Mat::from_fn(rows.len(), 2, |at, column| faint(rows[at], column));
            let (design, kept) = Design::independent(&matrix, &Mat::zeros(0, 2));
            assert_eq!(kept.len(), 2);
            design
        });
        assert!(HeldOut::between(&faint_whole, &edge, (&faint_rest, &[0, 1]), false).is_none());
        let weights = 21;
        let table = table(weights);
        let rows: Vec<&[f32]> = table.iter().map(Vec::as_slice).collect();
        let sets = vec![
            SummedSet {
                rows: (0..ROWS).collect(),
                held_out: None,
            },
            SummedSet {
                held_out: Some(Rc::new(without_a_mark(&whole, &edge))),
                rows: edge.clone(),
            },
        ];
        let pass = Pass(vec![Sums::over_sets(whole.factors(), sets)]);
        let found = pass.find(&rows, &vec![0.0; weights], Precision::Double);
        let Found::Edge(found) = &found[0][1] else {
            panic!("expected an edge that is held out");
        };
        for weight in 0..weights {
            let y: Vec<f64> = rows.iter().map(|row| row[weight].into()).collect();
            let (errors, deviations) = expected(&y, &edge, &Mat::zeros(0, TERMS));
            assert!((found.errors[weight] / errors - 1.0).abs() < 1e-11);
            assert!((found.deviations[weight] / deviations - 1.0).abs() < 1e-11);
        }
    }
}
