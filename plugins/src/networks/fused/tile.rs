//! A tile of a batch: a fixed number of rows, kept feature by feature or row by row.

#![expect(
    clippy::needless_range_loop,
    reason = "registers are named by number, as the compiler keeps them apart that way"
)]

use pulp::Simd;

use crate::networks::lanes::{Lanes, exchange, quads};

/// Rows of a batch treated together.
pub(in crate::networks) const TILE: usize = 32;
/// Features side by side where rows are kept one by one.
pub(super) const GROUP: usize = 16;

/// One value for each row of a tile.
pub(in crate::networks) type Rows = Lanes<TILE>;
/// One value for each of some features, for each row of a tile.
pub(super) type ByRow = [Lanes<GROUP>; TILE];

/// Keeps the inputs row by row too, where that is wanted.
#[inline(always)]
pub(super) fn rows_from_columns<S: Simd>(simd: S, columns: &[Rows], groups: &mut [ByRow]) {
    for (by_row, inputs) in groups.iter_mut().zip(columns.chunks(GROUP)) {
        for (quad, inputs) in inputs.chunks_exact(4).enumerate() {
            if S::F32_LANES < 4 {
                for (row, features) in by_row.iter_mut().enumerate() {
                    for at in 0..4 {
                        features.0[4 * quad + at] = inputs[at].0[row];
                    }
                }
                continue;
            }
            for column in 0..TILE / S::F32_LANES {
                let registers = [0, 1, 2, 3].map(|at| inputs[at].registers::<S>()[column]);
                let registers = exchange(simd, registers);
                for at in 0..4 {
                    for (block, values) in quads::<S>(registers[at]).enumerate() {
                        let row = column * S::F32_LANES + 4 * block + at;
                        by_row[row].0[4 * quad..4 * quad + 4].copy_from_slice(&values);
                    }
                }
            }
        }
    }
}

/// Fills the inputs from those kept row by row, where there are any.
#[inline(always)]
pub(super) fn columns_from_rows<S: Simd>(simd: S, groups: &[ByRow], columns: &mut [Rows]) {
    for (by_row, inputs) in groups.iter().zip(columns.chunks_mut(GROUP)) {
        for (quad, rows) in by_row.chunks_exact(4).enumerate() {
            for column in 0..GROUP / S::F32_LANES {
                let registers = [0, 1, 2, 3].map(|at| rows[at].registers::<S>()[column]);
                let registers = exchange(simd, registers);
                for at in 0..4 {
                    for (block, values) in quads::<S>(registers[at]).enumerate() {
                        let feature = column * S::F32_LANES + 4 * block + at;
                        if let Some(input) = inputs.get_mut(feature) {
                            input.0[4 * quad..4 * quad + 4].copy_from_slice(&values);
                        }
                    }
                }
            }
        }
    }
}
