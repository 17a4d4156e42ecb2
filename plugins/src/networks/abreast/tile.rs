//! A tile of rows of all networks, and how rows as a batch has them become lanes.

use pulp::Simd;

use crate::networks::lanes::{Lanes, exchange, quads};

/// How many networks go side by side: the lanes of the widest registers.
pub(super) const ABREAST: usize = 16;
/// Rows of each treated together.
pub(super) const TILE: usize = 8;
/// Tiles whose gradients are summed together.
pub(super) const TILES: usize = 4;

/// One number of each network, for each row of a tile, `[TILE, ABREAST]`.
pub(super) type Rows = Lanes<{ TILE * ABREAST }>;

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
        let whole = match S::F32_LANES {
            0..4 => 0,
            lanes => here / lanes * lanes,
        };
        let (blocks, rest) = self.places.split_at(whole);
        load_registers(simd, &own, blocks, to);
        for (at, [row, feature]) in rest.iter().enumerate() {
            let lanes = &mut to[*feature].0[row * ABREAST..][..ABREAST];
            for (lane, own) in lanes.iter_mut().zip(own) {
                *lane = own[whole + at];
            }
        }
    }
}

/// The first numbers of all networks by whole registers, four networks at a time.
#[inline(always)]
fn load_registers<S: Simd>(
    simd: S,
    own: &[&[f32]; ABREAST],
    places: &[[usize; 2]],
    to: &mut [Rows],
) {
    for (at, places) in places.chunks_exact(S::F32_LANES).enumerate() {
        for (four, own) in own.as_chunks::<4>().0.iter().enumerate() {
            let mut registers = [simd.splat_f32s(0.0); 4];
            for (register, own) in registers.iter_mut().zip(own) {
                *register = S::as_simd_f32s(own).0[at];
            }
            // Lane `4 b + i` of register `j` becomes lane `4 b + j` of register `i`.
            for (i, register) in exchange(simd, registers).into_iter().enumerate() {
                for (b, values) in quads::<S>(register).enumerate() {
                    let [row, feature] = places[4 * b + i];
                    let lanes = &mut to[feature].0[row * ABREAST + 4 * four..][..4];
                    lanes.copy_from_slice(&values);
                }
            }
        }
    }
}
