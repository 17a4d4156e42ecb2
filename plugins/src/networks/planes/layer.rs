//! One convolution with its pooling on a tile of images, forward and backward.

use pulp::Simd;

use super::convolve::{Convolve, ConvolveBack, KernelReach};
use super::pool::{Pooling, Unpool};
use crate::networks::fused::{MOST_ROWS, PlaceSums, Rows, sum_planes};
use crate::networks::{Activation, Convolution};

/// What a pass keeps of a convolution.
#[derive(Clone)]
pub(super) struct PlaneLayer {
    shape: Convolution,
    /// Planes that come in, `[channels, rows, columns]`.
    from: Vec<Rows>,
    /// How far the numbers under each weight of a kernel are from the place, `[inputs]`.
    seen: Vec<usize>,
    pooling: Pooling,
    /// What goes into the activation at each place of a window, for some outputs.
    sums: Vec<Rows>,
    /// Where inputs and deltas of each row of windows are, for all places under it.
    places: Vec<[usize; 2]>,
    /// Places whose deltas are kept at a time, in rows: all, or those of one row of windows.
    rows_kept: usize,
    /// Which deltas each number that came in takes part in; nothing for the first layer.
    reach: KernelReach,
}

impl PlaneLayer {
    pub fn new(shape: Convolution, activation: Activation, first: bool) -> Self {
        let [channels, rows, columns] = shape.from;
        let [height, width] = shape.covered();
        let grid = |rows: usize, columns: usize| {
            (0..rows).flat_map(move |row| (0..columns).map(move |column| (row, column)))
        };
        let places = grid(shape.pool, width).map(|(y, x)| [y * columns + x, y * width + x]);
        Self {
            from: vec![Rows::ZERO; channels * rows * columns],
            seen: seen(&shape),
            pooling: Pooling::new(&shape, activation),
            sums: vec![Rows::ZERO; MOST_ROWS * shape.pool * shape.pool],
            places: places.collect(),
            rows_kept: if first { shape.pool } else { height },
            reach: if first {
                KernelReach::default()
            } else {
                KernelReach::of(&shape)
            },
            shape,
        }
    }

    /// How many weights it has, biases included.
    pub fn weights(&self) -> usize {
        self.shape.weights() + self.shape.to[0]
    }

    /// How many deltas before pooling are kept at a time.
    pub fn unpooled(&self) -> usize {
        self.shape.to[0] * self.rows_kept * self.shape.covered()[1]
    }

    /// The planes that come in.
    pub fn incoming(&mut self) -> &mut [Rows] {
        &mut self.from
    }

    /// Derivatives of what it returns by what went into the activation, then of the loss.
    pub fn slopes_mut(&mut self) -> &mut [Rows] {
        self.pooling.slopes_mut()
    }

    /// Fills the planes that go out.
    #[inline(always)]
    pub fn forward<S: Simd>(&mut self, simd: S, weights: &[f32], to: &mut [Rows]) {
        let (weight, bias) = weights.split_at(self.shape.weights());
        simd.vectorize(Convolve::<_, true> {
            shape: &self.shape,
            seen: &self.seen,
            from: &self.from,
            weight,
            bias,
            pooling: &mut self.pooling,
            sums: &mut self.sums,
            to,
        });
    }

    /// Adds the gradients, and turns the slopes of the layer before, where there is one, into
    /// deltas by these weights.
    #[inline(always)]
    pub fn backward<S: Simd>(
        &mut self,
        simd: S,
        back: Option<(&[f32], &mut [Rows])>,
        gradients: &mut [f32],
        unpooled: &mut [Rows],
    ) {
        let (weight, bias) = gradients.split_at_mut(self.shape.weights());
        sum_planes(simd, self.pooling.slopes_mut(), bias);
        let [pool, columns, width] = [self.shape.pool, self.shape.from[2], self.shape.covered()[1]];
        for row in 0..self.shape.to[1] {
            let row_kept = row * pool % self.rows_kept;
            simd.vectorize(Unpool {
                shape: &self.shape,
                pooling: &self.pooling,
                row,
                row_kept,
                rows_kept: self.rows_kept,
                unpooled,
            });
            simd.vectorize(PlaceSums {
                inputs: &self.from[row * pool * columns..],
                seen: &self.seen,
                deltas: &unpooled[row_kept * width..],
                stride: self.rows_kept * width,
                places: &self.places,
                weight,
            });
        }
        if let Some((weights, deltas)) = back {
            simd.vectorize(ConvolveBack {
                shape: &self.shape,
                reach: &mut self.reach,
                unpooled,
                weights,
                deltas,
            });
        }
    }
}

/// How far the numbers under each weight of a kernel are from the place, `[inputs]`.
pub(super) fn seen(shape: &Convolution) -> Vec<usize> {
    let [channels, rows, columns] = shape.from;
    let kernels = (0..channels).flat_map(|channel| {
        let kernel = (0..shape.kernel).flat_map(|ky| (0..shape.kernel).map(move |kx| (ky, kx)));
        kernel.map(move |(ky, kx)| (channel * rows + ky) * columns + kx)
    });
    kernels.collect()
}
