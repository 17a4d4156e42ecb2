//! A tile of rows of all networks, and how rows as a batch has them become lanes.

use pulp::Simd;

use crate::networks::lanes::{Lanes, exchange};

/// How many networks go side by side: the lanes of the widest registers.
pub(super) const ABREAST: usize = 16;
/// Rows of each treated together.
pub(super) const TILE: usize = 16;

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
    /// The numbers of a tile in the order of the batch, each of all networks.
    numbers: Vec<Lanes<ABREAST>>,
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
        let here = TILE.min(rows - start) * width;
        let mut own = [from; ABREAST];
        for (lane, own) in own.iter_mut().enumerate() {
            let network = if lane < networks { lane } else { 0 };
            *own = &from[(network * rows + start) * width..][..here];
        }
        self.numbers.clear();
        self.numbers.resize(TILE * width, Lanes::ZERO);
        let whole = match S::F32_LANES {
            0..4 => 0,
            lanes => here / lanes * lanes,
        };
        self.load_registers(simd, &own, whole);
        for at in whole..here {
            for (lane, own) in self.numbers[at].0.iter_mut().zip(own) {
                *lane = own[at];
            }
        }
        for (row, numbers) in self.numbers.chunks_exact(width).enumerate() {
            for (to, Lanes(number)) in to.iter_mut().zip(numbers) {
                to.0.as_chunks_mut().0[row] = *number;
            }
        }
    }

    /// The first numbers of all networks by whole registers, four networks at a time.
    #[inline(always)]
    fn load_registers<S: Simd>(&mut self, simd: S, own: &[&[f32]; ABREAST], whole: usize) {
        let blocks = self.numbers[..whole].chunks_exact_mut(S::F32_LANES);
        for (at, block) in blocks.enumerate() {
            for (four, own) in own.as_chunks::<4>().0.iter().enumerate() {
                let mut registers = [simd.splat_f32s(0.0); 4];
                for (register, own) in registers.iter_mut().zip(own) {
                    *register = S::as_simd_f32s(own).0[at];
                }
                // Lane `4 b + i` of register `j` becomes lane `4 b + j` of register `i`.
                for (i, register) in exchange(simd, registers).into_iter().enumerate() {
                    let mut lanes = Lanes::<ABREAST>::ZERO;
                    lanes.registers_mut::<S>()[0] = register;
                    for (b, values) in lanes.0[..S::F32_LANES]
                        .as_chunks::<4>()
                        .0
                        .iter()
                        .enumerate()
                    {
                        block[4 * b + i].0.as_chunks_mut::<4>().0[four] = *values;
                    }
                }
            }
        }
    }
}
