//! Squared errors at an edge that a fit is made without, straight from sums over all rows and over the edge.
//!
//! With the columns `Q` of the fit to all rows, `m = Qᵀ y` over all rows and `e = Qₑᵀ yₑ` over the edge, the fit without the
//! edge has the coefficients `b = P (m - e)` by these columns, `P = (Qᵀ Q - Qₑᵀ Qₑ)⁻¹` with a penalty in it where there is
//! one, and leaves `‖yₑ‖² + b · (G b - 2 e)` at the edge, `G = Qₑᵀ Qₑ`.
//!
//! Roofline: `2 t²` multiply-adds of doubles a weight and edge of `t` terms, on blocks of weights that stay in the first
//! cache: 16 edges of 9 terms are a tenth of the multiply-adds of the sums over 4096 rows, at half their rate.

use faer::Mat;
use pulp::{Arch, Simd, WithSimd};

use super::design::Design;
use super::moments::Moments;

/// A fit without an edge, by the columns of the fit to all rows.
pub(crate) struct HeldOut {
    /// How many rows the edge has, and how many there are.
    rows: (usize, usize),
    /// What the first column has in each row.
    first: f64,
    /// `P`, symmetric.
    solves: Mat<f64>,
    /// `G`, symmetric.
    gram: Mat<f64>,
}

impl HeldOut {
    /// Of a design, some of its rows, and the design of the others with the same terms.
    pub fn new(whole: &Design, edge: &[usize], rest: &Design) -> Self {
        let q = whole.factors();
        let at_edge = Mat::from_fn(edge.len(), q.ncols(), |row, term| q[(edge[row], term)]);
        let turn = whole.turned_by(rest);
        Self {
            rows: (edge.len(), q.nrows()),
            first: q[(0, 0)],
            solves: &turn * turn.transpose(),
            gram: at_edge.transpose() * &at_edge,
        }
    }

    /// The squared errors of each weight, and its squared deviations from the mean of the rest, both
    /// summed over the edge: from the moments of all rows and of the edge, with the factors of all.
    pub fn errors(&self, all: &Moments, edge: &Moments) -> (Vec<f64>, Vec<f64>) {
        let mut errors = edge.squares.clone();
        let mut deviations = edge.squares.clone();
        Arch::new().dispatch(PredictEdge {
            of: self,
            moments: (all, edge),
            errors: &mut errors,
            deviations: &mut deviations,
        });
        (errors, deviations)
    }
}

/// How many weights lie side by side.
const BLOCK: usize = 32;
/// How many registers of sums are made at a time.
const SIDE: usize = 4;

/// Numbers of some weights.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Block([f64; BLOCK]);

impl Block {
    const ZERO: Self = Self([0.0; BLOCK]);
}

/// Makes squares at the edge those of errors and of deviations.
struct PredictEdge<'a> {
    of: &'a HeldOut,
    moments: (&'a Moments, &'a Moments),
    errors: &'a mut [f64],
    deviations: &'a mut [f64],
}

impl WithSimd for PredictEdge<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let HeldOut {
            rows: (edge, all),
            first,
            solves,
            gram,
        } = self.of;
        let terms = gram.ncols();
        let room = || vec![Block::ZERO; terms];
        let (mut known, mut truth, mut found, mut bent) = (room(), room(), room(), room());
        let (whole, held_out) = self.moments;
        let blocks = self.errors.chunks_mut(BLOCK);
        let blocks = blocks.zip(self.deviations.chunks_mut(BLOCK)).enumerate();
        for (block, (errors, deviations)) in blocks {
            let here = block * BLOCK..block * BLOCK + errors.len();
            for term in 0..terms {
                let edge = &held_out.products.col_as_slice(term)[here.clone()];
                let all = &whole.products.col_as_slice(term)[here.clone()];
                let into = truth[term].0.iter_mut().zip(&mut known[term].0);
                for ((truth, known), (edge, all)) in into.zip(edge.iter().zip(all)) {
                    (*truth, *known) = (*edge, all - edge);
                }
            }
            multiply(simd, &known, solves, &mut found);
            multiply(simd, &found, gram, &mut bent);
            let mut left = Block::ZERO;
            for ((b, bent), truth) in found.iter().zip(&bent).zip(&truth) {
                let pairs = b.0.iter().zip(bent.0.iter().zip(&truth.0));
                for (left, (b, (bent, truth))) in left.0.iter_mut().zip(pairs) {
                    *left += b * (bent - 2.0 * truth);
                }
            }
            for (error, left) in errors.iter_mut().zip(&left.0) {
                *error = (*error + left).max(0.0);
            }
            // The first column is the same in each row.
            let count = *edge as f64;
            let rest = 1.0 / ((*all - *edge) as f64 * first);
            let sums = truth[0].0.iter().zip(&known[0].0);
            for (deviation, (sum, known)) in deviations.iter_mut().zip(sums) {
                let mean = known * rest;
                *deviation = (*deviation + mean * (count * mean - 2.0 * sum / first)).max(0.0);
            }
        }
    }
}

/// Each of some weights `[terms]` times a symmetric matrix.
#[inline(always)]
fn multiply<S: Simd>(simd: S, from: &[Block], matrix: &Mat<f64>, into: &mut [Block]) {
    for (term, into) in into.iter_mut().enumerate() {
        let factors = matrix.col_as_slice(term);
        let into = S::as_mut_simd_f64s(&mut into.0).0;
        for (at, into) in into.chunks_exact_mut(SIDE).enumerate() {
            let mut sums = [simd.splat_f64s(0.0); SIDE];
            for (factor, from) in factors.iter().zip(from) {
                let factor = simd.splat_f64s(*factor);
                let from = &S::as_simd_f64s(&from.0).0[at * SIDE..][..SIDE];
                for (sum, from) in sums.iter_mut().zip(from) {
                    *sum = simd.mul_add_e_f64s(factor, *from, *sum);
                }
            }
            into.copy_from_slice(&sums);
        }
    }
}
