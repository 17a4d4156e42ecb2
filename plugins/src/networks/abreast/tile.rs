//! A tile of rows of all networks, and how rows as a batch has them become lanes.

use pulp::Simd;

use crate::networks::lanes::{Lanes, exchange};

/// How many networks go side by side: the lanes of the widest registers.
pub(super) const ABREAST: usize = 16;
/// Rows of each treated together.
pub(super) const TILE: usize = 8;
/// Tiles whose gradients are summed together.
pub(super) const TILES: usize = 4;

/// One number of each network, for each row of a tile, `[TILE, ABREAST]`.
pub(super) type Rows = Lanes<{ TILE * ABREAST }>;

/// How far the numbers of a tile are from those of the next: not a multiple of 4096 bytes, so that the same numbers
/// of several tiles go to different sets of the first cache.
#[inline(always)]
pub(super) const fn stride(count: usize) -> usize {
    count + (10 - count % 8) % 8
}

/// The registers one number of all networks takes.
#[inline(always)]
pub(super) const fn parts<S: Simd>() -> usize {
    ABREAST / S::F32_LANES
}

/// Makes lanes of rows.
#[derive(Default)]
pub(super) struct Exchange {
    /// The row and the feature of each number of a tile, in the order of the batch.
    places: Vec<[usize; 2]>,
}

impl Exchange {
    /// Fills a tile, feature by feature, with the rows from `start` of all networks; rows that are
    /// missing are zero.
    ///
    /// `from` has `rows` rows for each of `networks`; the lanes left have the first again.
    #[inline(always)]
    pub fn load<S: Simd>(
        &mut self,
        simd: S,
        from: &[f32],
        (start, rows, networks): (usize, usize, usize),
        to: &mut [Rows],
    ) {
        let width = to.len();
        let rows_here = TILE.min(rows - start);
        let here = rows_here * width;
        let mut own = [from; ABREAST];
        for (lane, own) in own.iter_mut().enumerate() {
            let network = if lane < networks { lane } else { 0 };
            *own = &from[(network * rows + start) * width..][..here];
        }
        if rows_here < TILE {
            to.fill(Rows::ZERO);
        }
        self.places.clear();
        for row in 0..rows_here {
            self.places.extend((0..width).map(|feature| [row, feature]));
        }
        match S::F32_LANES {
            0..4 => {
                for (at, [row, feature]) in self.places.iter().enumerate() {
                    let lanes = &mut to[*feature].0[row * ABREAST..][..ABREAST];
                    for (lane, own) in lanes.iter_mut().zip(own) {
                        *lane = own[at];
                    }
                }
            }
            _ => load_registers(simd, &own, &self.places, to),
        }
    }
}

/// As many numbers of all networks at a time as a register has lanes, four networks in four registers.
#[inline(always)]
fn load_registers<S: Simd>(
    simd: S,
    own: &[&[f32]; ABREAST],
    places: &[[usize; 2]],
    to: &mut [Rows],
) {
    let mut block = [[Lanes::<ABREAST>::ZERO; ABREAST / 4]; 4];
    for (at, places) in places.chunks(S::F32_LANES).enumerate() {
        for (four, own) in own.as_chunks::<4>().0.iter().enumerate() {
            let mut registers = [simd.splat_f32s(0.0); 4];
            for (register, own) in registers.iter_mut().zip(own) {
                *register = match S::as_simd_f32s(own) {
                    (whole, _) if at < whole.len() => whole[at],
                    (_, rest) => simd.partial_load_f32s(rest),
                };
            }
            // Lane `4 b + i` of register `j` becomes lane `4 b + j` of register `i`.
            for (i, register) in exchange(simd, registers).into_iter().enumerate() {
                block[i][four].registers_mut::<S>()[0] = register;
            }
        }
        for (number, [row, feature]) in places.iter().enumerate() {
            let lanes = &mut to[*feature].0[row * ABREAST..][..ABREAST];
            let (b, i) = (number / 4, number % 4);
            for (four, lanes) in lanes.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                lanes.copy_from_slice(&block[i][four].0[4 * b..][..4]);
            }
        }
    }
}
