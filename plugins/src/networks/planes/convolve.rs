//! The products of a convolution with planes of lanes, forward and back.

#![expect(
    clippy::needless_range_loop,
    reason = "registers are named by number, as the compiler keeps them apart that way"
)]

use pulp::{Simd, WithSimd};

use super::pool::Pools;
use crate::networks::Convolution;
use crate::networks::fused::{Blocks, RegisterSums, Rows, TILE, add_products, in_blocks};

/// Fills the planes that go out, window by window; each product is rounded before it is added,
/// `FUSED` or not.
pub(super) struct Convolve<'a, P, const FUSED: bool> {
    pub shape: &'a Convolution,
    pub seen: &'a [usize],
    /// `[channels, rows, columns]`.
    pub from: &'a [Rows],
    /// `[out, seen]`.
    pub weight: &'a [f32],
    pub bias: &'a [f32],
    pub pooling: &'a mut P,
    /// For the sums at each place of a window, `[MOST_ROWS, places]`.
    pub sums: &'a mut [Rows],
    /// `[out, rows, columns]`.
    pub to: &'a mut [Rows],
}

impl<P: Pools, const FUSED: bool> WithSimd for Convolve<'_, P, FUSED> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        in_blocks(simd, self.bias.len(), self);
    }
}

/// All windows of some outputs.
impl<S: Simd, P: Pools, const FUSED: bool> Blocks<S> for Convolve<'_, P, FUSED> {
    #[inline(always)]
    fn block<const R: usize>(&mut self, simd: S, out: usize) {
        let ([_, rows, columns], pool) = (self.shape.to, self.shape.pool);
        for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |at| (row, at))) {
            for (place, (y, x)) in (0..pool)
                .flat_map(|y| (0..pool).map(move |x| (y, x)))
                .enumerate()
            {
                let start = (row * pool + y) * self.shape.from[2] + column * pool + x;
                self.place::<S, R>(simd, out, start, place);
            }
            for (r, sums) in self.sums.chunks_exact_mut(pool * pool).take(R).enumerate() {
                let at = ((out + r) * rows + row) * columns + column;
                self.pooling.largest(simd, sums, at, &mut self.to[at]);
            }
        }
    }
}

impl<P, const FUSED: bool> Convolve<'_, P, FUSED> {
    /// The sums at one place.
    #[inline(always)]
    fn place<S: Simd, const R: usize>(&mut self, simd: S, out: usize, start: usize, place: usize) {
        let Self {
            seen, from, weight, ..
        } = *self;
        let (width, places) = (seen.len(), self.shape.pool * self.shape.pool);
        let mut rows = [weight; R];
        for r in 0..R {
            rows[r] = &weight[(out + r) * width..][..width];
        }
        for column in (0..TILE / S::F32_LANES).step_by(2) {
            let mut sums: RegisterSums<S, R, 2> = [[simd.splat_f32s(0.0); 2]; R];
            for r in 0..R {
                sums[r] = [simd.splat_f32s(self.bias[out + r]); 2];
            }
            let from = &from[start..];
            for at in 0..width {
                let values = &from[seen[at]].registers::<S>()[column..column + 2];
                let factors = rows.map(|row| row[at]);
                add_products::<S, _, _, FUSED>(simd, &mut sums, factors, values);
            }
            for r in 0..R {
                let to = self.sums[r * places + place].registers_mut::<S>();
                to[column..column + 2].copy_from_slice(&sums[r]);
            }
        }
    }
}

/// Which deltas each place that came in takes part in.
#[derive(Clone, Default)]
pub(super) struct KernelReach {
    /// For each place, where its pairs end among all.
    ends: Vec<usize>,
    /// Place of the delta, and of the weight in a kernel.
    pairs: Vec<[usize; 2]>,
    /// The weights with channels that come in side by side, `[out, kernel², channels]`.
    turned: Vec<f32>,
}

impl KernelReach {
    pub fn of(shape: &Convolution) -> Self {
        let ([_, rows, columns], [height, width]) = (shape.from, shape.covered());
        let kernel = shape.kernel;
        let mut reach = Self::default();
        for (y, x) in (0..rows).flat_map(|y| (0..columns).map(move |x| (y, x))) {
            for (ky, kx) in (0..kernel).flat_map(|ky| (0..kernel).map(move |kx| (ky, kx))) {
                if (ky..ky + height).contains(&y) && (kx..kx + width).contains(&x) {
                    let delta = (y - ky) * width + x - kx;
                    reach.pairs.push([delta, ky * kernel + kx]);
                }
            }
            reach.ends.push(reach.pairs.len());
        }
        reach
    }
}

/// Turns slopes of the planes that came in into deltas.
pub(super) struct ConvolveBack<'a> {
    pub shape: &'a Convolution,
    pub reach: &'a mut KernelReach,
    /// Deltas of all places, `[out, rows, columns]`.
    pub unpooled: &'a [Rows],
    /// `[out, channels, kernel²]`, then those of biases.
    pub weights: &'a [f32],
    /// `[channels, rows, columns]`.
    pub deltas: &'a mut [Rows],
}

impl WithSimd for ConvolveBack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (channels, square) = (self.shape.from[0], self.shape.kernel * self.shape.kernel);
        let turned = &mut self.reach.turned;
        turned.clear();
        for weights in self.weights[..self.shape.weights()].chunks_exact(channels * square) {
            for at in 0..square {
                turned.extend(weights.iter().skip(at).step_by(square));
            }
        }
        in_blocks(simd, channels, self);
    }
}

impl<S: Simd> Blocks<S> for ConvolveBack<'_> {
    #[inline(always)]
    fn block<const R: usize>(&mut self, simd: S, channel: usize) {
        let (channels, square) = (self.shape.from[0], self.shape.kernel * self.shape.kernel);
        let [height, width] = self.shape.covered();
        let places = self.reach.ends.len();
        let mut start = 0;
        for (place, end) in self.reach.ends.iter().enumerate() {
            for column in (0..TILE / S::F32_LANES).step_by(2) {
                let mut sums: RegisterSums<S, R, 2> = [[simd.splat_f32s(0.0); 2]; R];
                for [delta, at] in &self.reach.pairs[start..*end] {
                    let deltas = self.unpooled[*delta..].iter().step_by(height * width);
                    let weights = self.reach.turned[at * channels + channel..]
                        .chunks(square * channels)
                        .take(self.shape.to[0]);
                    for (delta, weights) in deltas.zip(weights) {
                        let values = &delta.registers::<S>()[column..column + 2];
                        let mut factors = [0.0; R];
                        factors.copy_from_slice(&weights[..R]);
                        add_products::<S, _, _, true>(simd, &mut sums, factors, values);
                    }
                }
                for r in 0..R {
                    let delta = &mut self.deltas[(channel + r) * places + place];
                    let deltas = delta.registers_mut::<S>();
                    for c in 0..2 {
                        deltas[column + c] = simd.mul_f32s(sums[r][c], deltas[column + c]);
                    }
                }
            }
            start = *end;
        }
    }
}
