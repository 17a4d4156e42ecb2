//! What comes before the dense layers of a network.

use pulp::Simd;

use super::layer::FusedLayer;
use super::tile::{ByRow, GROUP, Rows, TILE, columns_from_rows};
use crate::networks::lanes::Lanes;

/// Some rows of a batch, as many as a tile has or fewer.
#[derive(Clone, Copy)]
pub(in crate::networks) struct InputRows<'a> {
    /// How many.
    pub count: usize,
    /// How many inputs each has.
    pub width: usize,
    /// `[rows, width]`, and those of later rows.
    pub inputs: &'a [f32],
}

impl<'a> InputRows<'a> {
    /// The inputs of each row.
    fn rows(self) -> std::slice::ChunksExact<'a, f32> {
        self.inputs[..self.count * self.width].chunks_exact(self.width)
    }

    /// The rows side by side, `[width]`; missing ones are zero.
    #[inline(always)]
    pub fn columns<S: Simd>(self, simd: S, columns: &mut [Rows]) {
        if S::F32_LANES < 4 || self.width < 4 {
            if self.count < TILE {
                columns.fill(Rows::ZERO);
            }
            match self.width {
                2 => self.short_columns::<2>(columns),
                3 => self.short_columns::<3>(columns),
                _ => {
                    for (at, column) in columns.iter_mut().enumerate() {
                        for (lane, values) in column.0.iter_mut().zip(self.rows()) {
                            *lane = values[at];
                        }
                    }
                }
            }
            return;
        }
        let mut group = [[Lanes::ZERO; TILE]];
        for (at, columns) in columns.chunks_mut(GROUP).enumerate() {
            self.by_row(simd, at, &mut group[0]);
            columns_from_rows(simd, &group, columns);
        }
    }

    /// Columns of `WIDTH` inputs: by shuffles, which take a quarter of the time of loads one by one.
    #[inline(always)]
    fn short_columns<const WIDTH: usize>(self, columns: &mut [Rows]) {
        let rows = &self.inputs.as_chunks::<WIDTH>().0[..self.count];
        for (at, column) in columns.iter_mut().enumerate().take(WIDTH) {
            for (lane, values) in column.0.iter_mut().zip(rows) {
                *lane = values[at];
            }
        }
    }

    /// One group of inputs, row by row.
    #[inline(always)]
    fn by_row<S: Simd>(self, simd: S, group: usize, to: &mut ByRow) {
        for (features, values) in to.iter_mut().zip(self.rows()) {
            let values = &values[group * GROUP..];
            for (at, register) in features.registers_mut::<S>().iter_mut().enumerate() {
                let start = values.len().min(at * S::F32_LANES);
                *register = simd.partial_load_f32s(&values[start..]);
            }
        }
    }
}

/// Turns rows into the inputs of the first dense layer.
///
/// Its weights come before those of the dense layers; it is handed the weights and gradients of
/// the whole network.
pub(in crate::networks) trait FrontEnd: Clone + Send {
    /// How many tiles a part of a batch has at least, so that to add the gradients of parts takes
    /// little of the time.
    const PART: usize;

    /// How many weights it has.
    fn weights(&self) -> usize;

    /// Fills the inputs of the first dense layer for a tile.
    fn forward<S: Simd>(
        &mut self,
        simd: S,
        weights: &[f32],
        rows: InputRows<'_>,
        first: &mut FusedLayer,
    );

    /// The derivatives of those inputs by the last numbers of the front; they become those of
    /// the loss. Empty where the front has no weights.
    fn slopes(&mut self) -> &mut [Rows];

    /// Adds the gradients by its weights.
    fn backward<S: Simd>(&mut self, simd: S, weights: &[f32], gradients: &mut [f32]);
}

/// Nothing: the rows are the inputs.
#[derive(Clone)]
pub struct Bare;

impl FrontEnd for Bare {
    const PART: usize = 4;

    fn weights(&self) -> usize {
        0
    }

    #[inline(always)]
    fn forward<S: Simd>(
        &mut self,
        simd: S,
        _: &[f32],
        rows: InputRows<'_>,
        first: &mut FusedLayer,
    ) {
        if rows.count < TILE {
            first.by_row.fill([Lanes::ZERO; TILE]);
        }
        if first.by_row.is_empty() || S::F32_LANES < 4 {
            rows.columns(simd, &mut first.inputs[..rows.width]);
        }
        for (group, by_row) in first.by_row.iter_mut().enumerate() {
            rows.by_row(simd, group, by_row);
        }
        if S::F32_LANES >= 4 {
            columns_from_rows(simd, &first.by_row, &mut first.inputs);
        }
    }

    fn slopes(&mut self) -> &mut [Rows] {
        &mut []
    }

    #[inline(always)]
    fn backward<S: Simd>(&mut self, _: S, _: &[f32], _: &mut [f32]) {}
}
