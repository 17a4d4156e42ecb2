//! What tokens get from each other: `s[t,u] = softmax_u(q[t] · k[u] / √p)`, `a[t] = Σ_u s[t,u] v[u]`.
//!
//! Backwards `dv[u] = Σ_t s[t,u] da[t]`, `ds[t,u] = da[t] · v[u]`,
//! `dr[t,u] = s[t,u] (ds[t,u] - Σ_w s[t,w] ds[t,w]) / √p`, `dq[t] = Σ_u dr[t,u] k[u]` and
//! `dk[u] = Σ_t dr[t,u] q[t]`: five products of matrices whose numbers are lanes.

#![expect(
    clippy::needless_range_loop,
    reason = "registers are named by number, as the compiler keeps them apart that way"
)]

use pulp::{Simd, WithSimd};

use crate::networks::fused::{Rows, TILE};
use crate::networks::lanes::{Lanes, exp_rounded, mul_add};

/// The heads of a layer on one tile.
#[derive(Clone, Copy)]
pub(super) struct HeadShape {
    pub tokens: usize,
    pub width: usize,
    pub heads: usize,
}

impl HeadShape {
    /// Numbers of a token that one head has.
    fn part(self) -> usize {
        self.width / self.heads
    }

    /// What to multiply products of questions and keys by.
    fn scale(self) -> f32 {
        1.0 / (self.part() as f32).sqrt()
    }

    /// Question (0), key (1) or value (2) of each token as the rows of a matrix, `[tokens, part]`.
    fn asked(self, asked: &[Rows], which: usize, head: usize) -> LaneMatrix<'_> {
        LaneMatrix {
            numbers: &asked[which * self.width + head * self.part()..],
            strides: [3 * self.width, 1],
        }
    }

    /// The part of a head of each token, `[tokens, part]`.
    fn of_tokens(self, tokens: &[Rows], head: usize) -> LaneMatrix<'_> {
        LaneMatrix {
            numbers: &tokens[head * self.part()..],
            strides: [self.width, 1],
        }
    }

    /// `[tokens, tokens]`.
    fn square(self, shares: &[Rows]) -> LaneMatrix<'_> {
        LaneMatrix {
            numbers: shares,
            strides: [self.tokens, 1],
        }
    }
}

/// A matrix whose numbers have one lane for each row of the tile.
#[derive(Clone, Copy)]
struct LaneMatrix<'a> {
    numbers: &'a [Rows],
    /// How far numbers are from those below and those to the right.
    strides: [usize; 2],
}

impl LaneMatrix<'_> {
    fn transposed(self) -> Self {
        let [down, right] = self.strides;
        Self {
            strides: [right, down],
            ..self
        }
    }
}

/// Where a product goes.
struct LaneProduct<'a> {
    numbers: &'a mut [Rows],
    /// How far numbers are from those below; those to the right are next to them.
    down: usize,
    /// Its size, and over how many the sum is.
    sizes: [usize; 3],
}

/// `to[m,n] = Σ_k one[m,k] other[k,n]`; each product is rounded before it is added, `FUSED` or not.
#[inline(always)]
fn multiply<S: Simd, const FUSED: bool>(
    simd: S,
    one: LaneMatrix,
    other: LaneMatrix,
    to: LaneProduct,
) {
    let [rows, ..] = to.sizes;
    let mut to = to;
    let mut row = 0;
    while row + 4 <= rows {
        multiply_rows::<S, 4, FUSED>(simd, one, other, &mut to, row);
        row += 4;
    }
    while row < rows {
        multiply_rows::<S, 1, FUSED>(simd, one, other, &mut to, row);
        row += 1;
    }
}

#[inline(always)]
fn multiply_rows<S: Simd, const R: usize, const FUSED: bool>(
    simd: S,
    one: LaneMatrix,
    other: LaneMatrix,
    to: &mut LaneProduct,
    row: usize,
) {
    let columns = to.sizes[1];
    let mut column = 0;
    while column + 4 <= columns {
        multiply_block::<S, R, 4, FUSED>(simd, one, other, to, [row, column]);
        column += 4;
    }
    while column < columns {
        multiply_block::<S, R, 1, FUSED>(simd, one, other, to, [row, column]);
        column += 1;
    }
}

#[inline(always)]
fn multiply_block<S: Simd, const R: usize, const C: usize, const FUSED: bool>(
    simd: S,
    one: LaneMatrix,
    other: LaneMatrix,
    to: &mut LaneProduct,
    [row, column]: [usize; 2],
) {
    let ([down, right], [under, beside]) = (one.strides, other.strides);
    for register in 0..TILE / S::F32_LANES {
        let mut sums = [[simd.splat_f32s(0.0); C]; R];
        for at in 0..to.sizes[2] {
            let mut values = [simd.splat_f32s(0.0); C];
            for c in 0..C {
                let number = &other.numbers[at * under + (column + c) * beside];
                values[c] = number.registers::<S>()[register];
            }
            for r in 0..R {
                let factor = one.numbers[(row + r) * down + at * right].registers::<S>()[register];
                for c in 0..C {
                    sums[r][c] = mul_add::<S, FUSED>(simd, factor, values[c], sums[r][c]);
                }
            }
        }
        for r in 0..R {
            for c in 0..C {
                let number = &mut to.numbers[(row + r) * to.down + column + c];
                number.registers_mut::<S>()[register] = sums[r][c];
            }
        }
    }
}

/// Fills the shares of all heads, and what each token gets; each product is rounded before it is added,
/// `FUSED` or not.
pub(super) struct Attend<'a, const FUSED: bool> {
    pub heads: HeadShape,
    /// Questions, keys and values, `[tokens, 3 width]`.
    pub asked: &'a [Rows],
    /// `[heads, tokens, tokens]`.
    pub shares: &'a mut [Rows],
    /// `[tokens, width]`.
    pub attended: &'a mut [Rows],
}

impl<const FUSED: bool> WithSimd for Attend<'_, FUSED> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (heads, asked) = (self.heads, self.asked);
        let (tokens, part) = (heads.tokens, heads.part());
        let shares = self.shares.chunks_exact_mut(tokens * tokens);
        for (head, shares) in shares.enumerate() {
            let to = LaneProduct {
                numbers: shares,
                down: tokens,
                sizes: [tokens, tokens, part],
            };
            let keys = heads.asked(asked, 1, head).transposed();
            multiply::<S, FUSED>(simd, heads.asked(asked, 0, head), keys, to);
            for shares in shares.chunks_exact_mut(tokens) {
                softmax::<S, FUSED>(simd, heads.scale(), shares);
            }
            let to = LaneProduct {
                numbers: &mut self.attended[head * part..],
                down: heads.width,
                sizes: [tokens, part, tokens],
            };
            let values = heads.asked(asked, 2, head);
            multiply::<S, FUSED>(simd, heads.square(shares), values, to);
        }
    }
}

/// Turns numbers, times `scale`, into shares of one in proportion to their exponentials; rounded after each operation,
/// `FUSED` or not.
#[inline(always)]
fn softmax<S: Simd, const FUSED: bool>(simd: S, scale: f32, numbers: &mut [Rows]) {
    let mut scale = simd.splat_f32s(scale);
    if !FUSED {
        for number in numbers.iter_mut().flat_map(Lanes::registers_mut::<S>) {
            *number = simd.mul_f32s(scale, *number);
        }
        scale = simd.splat_f32s(1.0);
    }
    let Some(first) = numbers.first() else {
        return;
    };
    let mut largest = *first;
    for number in &*numbers {
        let numbers = number.registers::<S>();
        for (largest, number) in largest.registers_mut::<S>().iter_mut().zip(numbers) {
            *largest = simd.max_f32s(*largest, *number);
        }
    }
    let mut sums = Rows::ZERO;
    for number in &mut *numbers {
        let sums = sums.registers_mut::<S>().iter_mut();
        let largest = largest.registers::<S>();
        for ((number, largest), sum) in number
            .registers_mut::<S>()
            .iter_mut()
            .zip(largest)
            .zip(sums)
        {
            let above = simd.sub_f32s(*number, *largest);
            *number = exp_rounded::<S, FUSED>(simd, simd.mul_f32s(scale, above));
            *sum = simd.add_f32s(*sum, *number);
        }
    }
    if FUSED {
        for sum in sums.registers_mut::<S>() {
            *sum = simd.div_f32s(simd.splat_f32s(1.0), *sum);
        }
    }
    for number in numbers {
        let sums = sums.registers::<S>();
        for (number, sum) in number.registers_mut::<S>().iter_mut().zip(sums) {
            *number = match FUSED {
                true => simd.mul_f32s(*number, *sum),
                false => simd.div_f32s(*number, *sum),
            };
        }
    }
}

/// Turns deltas of what tokens get into those of questions, keys and values.
pub(super) struct AttendBack<'a> {
    pub heads: HeadShape,
    /// Questions, keys and values, `[tokens, 3 width]`.
    pub asked: &'a [Rows],
    /// `[heads, tokens, tokens]`.
    pub shares: &'a [Rows],
    /// Of what tokens get, `[tokens, width]`.
    pub deltas: &'a [Rows],
    /// `[tokens, tokens]`, for numbers in between.
    pub scores: &'a mut [Rows],
    /// `[tokens, 3 width]`.
    pub asked_deltas: &'a mut [Rows],
}

impl WithSimd for AttendBack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (heads, asked) = (self.heads, self.asked);
        let (tokens, part, width) = (heads.tokens, heads.part(), heads.width);
        let shares = self.shares.chunks_exact(tokens * tokens);
        for (head, shares) in shares.enumerate() {
            let deltas = heads.of_tokens(self.deltas, head);
            let values = heads.asked(asked, 2, head).transposed();
            let to = LaneProduct {
                numbers: self.scores,
                down: tokens,
                sizes: [tokens, tokens, part],
            };
            multiply::<S, true>(simd, deltas, values, to);
            let rows = self.scores.chunks_exact_mut(tokens);
            for (deltas, shares) in rows.zip(shares.chunks_exact(tokens)) {
                softmax_back(simd, heads.scale(), shares, deltas);
            }
            let scores = heads.square(self.scores);
            for (which, left, right) in [
                (0, scores, heads.asked(asked, 1, head)),
                (1, scores.transposed(), heads.asked(asked, 0, head)),
                (2, heads.square(shares).transposed(), deltas),
            ] {
                let to = LaneProduct {
                    numbers: &mut self.asked_deltas[which * width + head * part..],
                    down: 3 * width,
                    sizes: [tokens, part, tokens],
                };
                multiply::<S, true>(simd, left, right, to);
            }
        }
    }
}

/// Turns deltas of shares into those of the numbers before they were scaled.
#[inline(always)]
fn softmax_back<S: Simd>(simd: S, scale: f32, shares: &[Rows], deltas: &mut [Rows]) {
    let scale = simd.splat_f32s(scale);
    let mut means: Rows = Lanes::ZERO;
    for (share, delta) in shares.iter().zip(&*deltas) {
        let pairs = share.registers::<S>().iter().zip(delta.registers::<S>());
        for (mean, (share, delta)) in means.registers_mut::<S>().iter_mut().zip(pairs) {
            *mean = simd.mul_add_e_f32s(*share, *delta, *mean);
        }
    }
    for (share, delta) in shares.iter().zip(deltas) {
        let shares = share.registers::<S>().iter().zip(means.registers::<S>());
        for (delta, (share, mean)) in delta.registers_mut::<S>().iter_mut().zip(shares) {
            let apart = simd.sub_f32s(*delta, *mean);
            *delta = simd.mul_f32s(simd.mul_f32s(scale, *share), apart);
        }
    }
}
