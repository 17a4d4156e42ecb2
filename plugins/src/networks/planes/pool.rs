//! The activation and the maximum over windows, and the way back of its deltas.

use pulp::{Simd, WithSimd};

use crate::networks::activation::activate;
use crate::networks::fused::{Rows, TILE};
use crate::networks::{Activation, Convolution};

/// What a pass keeps of the pooling of all planes.
#[derive(Clone)]
pub(super) struct Pooling {
    activation: Activation,
    /// Which place of its window each number is of, `[channels, rows, columns]`.
    chosen: Vec<Rows>,
    /// Derivatives of the activation there, then those of the loss by what went into it.
    slopes: Vec<Rows>,
}

impl Pooling {
    pub fn new(shape: &Convolution, activation: Activation) -> Self {
        let count = shape.to.iter().product();
        Self {
            activation,
            chosen: vec![Rows::ZERO; count],
            slopes: vec![Rows::ZERO; count],
        }
    }

    /// See the field.
    pub fn slopes_mut(&mut self) -> &mut [Rows] {
        &mut self.slopes
    }
}

/// Takes the largest activation of each window.
pub(super) trait Pools {
    /// Returns that of one window, number `at`; `sums` are what goes into the activation at its
    /// places, and may change.
    fn largest<S: Simd>(&mut self, simd: S, sums: &mut [Rows], at: usize, to: &mut Rows);
}

/// Of increasing functions, the largest is that of the largest.
fn is_increasing(activation: Activation) -> bool {
    match activation {
        Activation::Tanh | Activation::Relu | Activation::Sigmoid => true,
        Activation::Gelu | Activation::GeluTanh | Activation::Silu => false,
    }
}

/// Keeps what else the way back needs.
impl Pools for Pooling {
    #[inline(always)]
    fn largest<S: Simd>(&mut self, simd: S, sums: &mut [Rows], at: usize, to: &mut Rows) {
        let (chosen, slope) = (&mut self.chosen[at], &mut self.slopes[at]);
        if is_increasing(self.activation) {
            choose(simd, sums, chosen, slope);
            activate(simd, self.activation, slope, to);
            return;
        }
        let mut value = Rows::ZERO;
        for (place, sum) in sums.iter_mut().enumerate() {
            activate(simd, self.activation, sum, &mut value);
            for column in 0..TILE / S::F32_LANES {
                let value = value.registers::<S>()[column];
                let best = &mut to.registers_mut::<S>()[column];
                let larger = larger(simd, value, *best, place);
                *best = simd.select_f32s(larger, value, *best);
                let slope = &mut slope.registers_mut::<S>()[column];
                *slope = simd.select_f32s(larger, sum.registers::<S>()[column], *slope);
                let chosen = &mut chosen.registers_mut::<S>()[column];
                *chosen = simd.select_f32s(larger, simd.splat_f32s(place as f32), *chosen);
            }
        }
    }
}

/// Keeps nothing, to the same bits by every instruction set.
impl Pools for Activation {
    #[inline(always)]
    fn largest<S: Simd>(&mut self, simd: S, sums: &mut [Rows], _: usize, to: &mut Rows) {
        let mut chosen = Rows::ZERO;
        if is_increasing(*self) {
            choose(simd, sums, &mut chosen, to);
            self.apply_by(simd, &mut to.0);
            return;
        }
        for sum in &mut *sums {
            self.apply_by(simd, &mut sum.0);
        }
        choose(simd, sums, &mut chosen, to);
    }
}

/// Takes the largest of some numbers and which it is; one that is not a number is larger than all.
#[inline(always)]
fn choose<S: Simd>(simd: S, numbers: &[Rows], chosen: &mut Rows, largest: &mut Rows) {
    for column in 0..TILE / S::F32_LANES {
        let mut best = numbers[0].registers::<S>()[column];
        let mut which = simd.splat_f32s(0.0);
        for (place, number) in numbers.iter().enumerate().skip(1) {
            let number = number.registers::<S>()[column];
            let larger = larger(simd, number, best, place);
            best = simd.select_f32s(larger, number, best);
            which = simd.select_f32s(larger, simd.splat_f32s(place as f32), which);
        }
        largest.registers_mut::<S>()[column] = best;
        chosen.registers_mut::<S>()[column] = which;
    }
}

/// Whether a number is larger than the best so far, not a number, or the first.
#[inline(always)]
fn larger<S: Simd>(simd: S, number: S::f32s, best: S::f32s, place: usize) -> S::m32s {
    if place == 0 {
        return simd.equal_u32s(simd.splat_u32s(0), simd.splat_u32s(0));
    }
    let proper = simd.equal_f32s(number, number);
    let larger = simd.greater_than_f32s(number, best);
    simd.or_m32s(larger, simd.not_m32s(proper))
}

/// Puts the deltas of one row of windows where the maxima were, and zero everywhere else.
pub(super) struct Unpool<'a> {
    pub shape: &'a Convolution,
    pub pooling: &'a Pooling,
    /// Which row of windows.
    pub row: usize,
    /// Where its first row of places is among those kept.
    pub row_kept: usize,
    pub rows_kept: usize,
    /// `[channels, rows_kept, columns]`.
    pub unpooled: &'a mut [Rows],
}

impl WithSimd for Unpool<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let ([channels, rows, columns], pool) = (self.shape.to, self.shape.pool);
        let width = columns * pool;
        for channel in 0..channels {
            let own = (channel * rows + self.row) * columns;
            let chosen = &self.pooling.chosen[own..own + columns];
            let deltas = &self.pooling.slopes[own..own + columns];
            for y in 0..pool {
                let start = (channel * self.rows_kept + self.row_kept + y) * width;
                let to = self.unpooled[start..start + width].chunks_exact_mut(pool);
                for ((to, chosen), delta) in to.zip(chosen).zip(deltas) {
                    for (x, to) in to.iter_mut().enumerate() {
                        keep_where(simd, chosen, y * pool + x, delta, to);
                    }
                }
            }
        }
    }
}

/// A delta where this place was chosen, and zero elsewhere.
#[inline(always)]
fn keep_where<S: Simd>(simd: S, chosen: &Rows, place: usize, delta: &Rows, to: &mut Rows) {
    let (place, zero) = (simd.splat_f32s(place as f32), simd.splat_f32s(0.0));
    let own = chosen.registers::<S>().iter().zip(delta.registers::<S>());
    for (to, (chosen, delta)) in to.registers_mut::<S>().iter_mut().zip(own) {
        *to = simd.select_f32s(simd.equal_f32s(*chosen, place), *delta, zero);
    }
}
