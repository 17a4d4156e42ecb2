//! One dense layer and what a pass keeps of it.

use pulp::Simd;

use super::products::{sum_biases, sum_narrow, sum_wide};
use super::tile::{ByRow, GROUP, Rows, TILE, rows_from_columns};
use crate::networks::lanes::Lanes;

/// An affine map and what a pass keeps of it.
#[derive(Clone)]
pub(in crate::networks) struct FusedLayer {
    /// Where its weights start among all.
    pub(super) start: usize,
    /// Width of the input.
    pub(super) width: usize,
    /// Inputs for each row of the tile, `[width]`, and zeros up to a multiple of four.
    pub(super) inputs: Vec<Rows>,
    /// The inputs again, row by row, for each group of features; empty for a narrow layer.
    pub(super) by_row: Vec<ByRow>,
    /// Outputs, then the derivatives of the activation by them, then those of the loss, `[out]`.
    pub(super) outputs: Vec<Rows>,
}

/// Layers with no more inputs or outputs than this are narrow.
const NARROW: usize = 4;

impl FusedLayer {
    pub(super) fn new(start: usize, width: usize, out: usize) -> Self {
        let narrow = width.min(out) <= NARROW;
        let groups = if narrow { 0 } else { width.div_ceil(GROUP) };
        Self {
            start,
            width,
            inputs: vec![Rows::ZERO; width.next_multiple_of(4)],
            by_row: vec![[Lanes::ZERO; TILE]; groups],
            outputs: vec![Rows::ZERO; out],
        }
    }

    /// Its weights and biases, of all.
    pub(super) fn weights<'w>(&self, all: &'w [f32]) -> (&'w [f32], &'w [f32]) {
        let out = self.outputs.len();
        all[self.start..][..out * self.width + out].split_at(out * self.width)
    }

    /// Adds to the gradients, of all, those by its weights and biases.
    #[inline(always)]
    pub(super) fn sum_gradients<S: Simd>(&self, simd: S, all: &mut [f32]) {
        let (out, width) = (self.outputs.len(), self.width);
        let (weight, bias) = all[self.start..][..out * width + out].split_at_mut(out * width);
        if self.by_row.is_empty() {
            sum_narrow(simd, &self.inputs, &self.outputs, weight);
        } else {
            sum_wide(simd, &self.by_row, &self.outputs, weight);
        }
        sum_biases(simd, &self.outputs, bias);
    }

    /// What a front fills: the inputs for each row of the tile.
    pub(in crate::networks) fn features(&mut self) -> &mut [Rows] {
        &mut self.inputs[..self.width]
    }

    /// Keeps the inputs, once filled, row by row too, where that is wanted.
    #[inline(always)]
    pub(in crate::networks) fn keep_rows<S: Simd>(&mut self, simd: S) {
        rows_from_columns(simd, &self.inputs, &mut self.by_row);
    }
}
