//! Numbers side by side in vector registers, and the functions of them that training needs.
//!
//! What takes an `S` is inlined into the caller, who is compiled for these instructions.

use pulp::{Arch, Simd, WithSimd};

/// Does work; its inlined code is compiled for the instructions of `arch`.
///
/// Not by [`Arch::dispatch`] alone: it calls closures once, which the compiler does through
/// another function, that is not inlined.
pub(crate) fn vectorised<R>(arch: Arch, work: impl FnMut() -> R) -> R {
    struct Work<F>(F);

    impl<R, F: FnMut() -> R> WithSimd for Work<F> {
        type Output = R;

        #[inline(always)]
        fn with_simd<S: Simd>(mut self, _: S) -> R {
            (self.0)()
        }
    }

    arch.dispatch(Work(work))
}

/// Numbers that fill whole registers of every instruction set.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(crate) struct Lanes<const N: usize>(pub [f32; N]);

impl<const N: usize> Lanes<N> {
    /// All zero.
    pub const ZERO: Self = Self([0.0; N]);

    /// The registers.
    #[inline(always)]
    pub fn registers<S: Simd>(&self) -> &[S::f32s] {
        S::as_simd_f32s(&self.0).0
    }

    /// The registers.
    #[inline(always)]
    pub fn registers_mut<S: Simd>(&mut self) -> &mut [S::f32s] {
        S::as_mut_simd_f32s(&mut self.0).0
    }
}

/// Exchanges rows and columns of the blocks of four by four that four registers hold side by
/// side: lane `4 b + i` of register `j` becomes lane `4 b + j` of register `i`.
///
/// For registers of four lanes or more.
#[inline(always)]
pub(in crate::networks) fn exchange<S: Simd>(simd: S, registers: [S::f32s; 4]) -> [S::f32s; 4] {
    simd.deinterleave_shfl_f32s(registers)
}

/// The lanes of a register, four by four.
#[inline(always)]
pub(in crate::networks) fn quads<S: Simd>(register: S::f32s) -> impl Iterator<Item = [f32; 4]> {
    let mut lanes = Lanes([0.0; 16]);
    lanes.registers_mut::<S>()[0] = register;
    (0..S::F32_LANES / 4).map(move |at| std::array::from_fn(|lane| lanes.0[4 * at + lane]))
}

/// The sums of the lanes of each of four registers.
#[inline(always)]
pub(in crate::networks) fn sums<S: Simd>(simd: S, registers: [S::f32s; 4]) -> [f32; 4] {
    if S::F32_LANES < 4 {
        return registers.map(|register| simd.reduce_sum_f32s(register));
    }
    let [a, b, c, d] = exchange(simd, registers);
    let all = simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d));
    quads::<S>(all).fold([0.0; 4], |mut sums, quad| {
        for (sum, lane) in sums.iter_mut().zip(quad) {
            *sum += lane;
        }
        sums
    })
}

/// The larger of `x` and `limit`; a NaN stays one.
#[inline(always)]
pub(in crate::networks) fn at_least<S: Simd>(simd: S, limit: f32, x: S::f32s) -> S::f32s {
    let limit = simd.splat_f32s(limit);
    match S::F32_LANES {
        1 => simd.select_f32s(simd.less_than_f32s(x, limit), limit, x),
        // Registers keep a NaN that is the second.
        _ => simd.max_f32s(limit, x),
    }
}

/// The smaller of `x` and `limit`; a NaN stays one.
#[inline(always)]
pub(in crate::networks) fn at_most<S: Simd>(simd: S, limit: f32, x: S::f32s) -> S::f32s {
    let limit = simd.splat_f32s(limit);
    match S::F32_LANES {
        1 => simd.select_f32s(simd.greater_than_f32s(x, limit), limit, x),
        _ => simd.min_f32s(limit, x),
    }
}

/// `a b + c`, rounded once where `FUSED` and the processor can.
#[inline(always)]
pub(in crate::networks) fn mul_add<S: Simd, const FUSED: bool>(
    simd: S,
    a: S::f32s,
    b: S::f32s,
    c: S::f32s,
) -> S::f32s {
    match FUSED {
        true => simd.mul_add_e_f32s(a, b, c),
        false => simd.add_f32s(simd.mul_f32s(a, b), c),
    }
}

/// The value of the polynomial with these coefficients, highest power first.
#[inline(always)]
pub(in crate::networks) fn polynomial<S: Simd, const N: usize, const FUSED: bool>(
    simd: S,
    x: S::f32s,
    coefficients: [f32; N],
) -> S::f32s {
    let mut value = simd.splat_f32s(coefficients[0]);
    for coefficient in &coefficients[1..] {
        value = mul_add::<S, FUSED>(simd, value, x, simd.splat_f32s(*coefficient));
    }
    value
}

/// Exponential function: a power of two times a polynomial of degree 5 (Cephes `expf`).
/// Relatively within 2.4e-7 of the truth between -87 and 88, clamped beyond.
#[inline(always)]
pub(crate) fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    exp_rounded::<S, true>(simd, x)
}

/// The same with each product rounded before it is added, `FUSED` or not: then all instruction sets give the same bits.
#[inline(always)]
pub(in crate::networks) fn exp_rounded<S: Simd, const FUSED: bool>(simd: S, x: S::f32s) -> S::f32s {
    // 1.5 * 2^23: adding it rounds to a whole number.
    const ROUND: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    const SERIES: [f32; 6] = [
        1.987_569_1e-4,
        1.398_2e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ];
    let x = at_least(simd, -87.0, at_most(simd, 88.0, x));
    let times = |a, b: f32, c| mul_add::<S, FUSED>(simd, a, simd.splat_f32s(b), c);
    let shifted = times(x, std::f32::consts::LOG2_E, simd.splat_f32s(ROUND));
    let whole = simd.sub_f32s(shifted, simd.splat_f32s(ROUND));
    let rest = times(whole, -LN2_LOW, times(whole, -LN2_HIGH, x));
    let series = polynomial::<_, _, FUSED>(simd, rest, SERIES);
    let bend = mul_add::<S, FUSED>(simd, simd.mul_f32s(rest, rest), series, rest);
    let mantissa = simd.add_f32s(bend, simd.splat_f32s(1.0));
    // The low bits of `shifted` are the exponent; 127 is its bias, 23 its place.
    let bias = simd.splat_u32s(127u32.wrapping_sub(ROUND.to_bits()));
    let exponent = simd.add_u32s(simd.transmute_u32s_f32s(shifted), bias);
    let power = simd.wrapping_dyn_shl_u32s(exponent, simd.splat_u32s(23));
    simd.mul_f32s(mantissa, simd.transmute_f32s_u32s(power))
}

#[cfg(test)]
mod tests {
    use pulp::Scalar;

    use super::*;

    /// `exp` of sixteen numbers.
    struct Exp(Lanes<16>);

    impl WithSimd for Exp {
        type Output = [f32; 16];

        fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
            let mut exps = self.0;
            for register in exps.registers_mut::<S>() {
                *register = exp(simd, *register);
            }
            exps.0
        }
    }

    /// Each of many numbers between two with its `exp`.
    fn samples(low: f32, high: f32) -> impl Iterator<Item = (f64, f64)> {
        let blocks = 20_000;
        (0..blocks).flat_map(move |block| {
            let share = |lane| (block * 16 + lane) as f32 / (blocks * 16) as f32;
            let x: [f32; 16] = std::array::from_fn(|lane| low + (high - low) * share(lane));
            let exps = Arch::new().dispatch(Exp(Lanes(x)));
            (0..16).map(move |at| (x[at].into(), exps[at].into()))
        })
    }

    #[test]
    fn exp_is_within_2_4e_7() {
        for (x, found) in samples(-87.0, 88.0) {
            assert!((found / x.exp() - 1.0).abs() < 2.4e-7, "{x}");
        }
    }

    #[test]
    fn nan_stays_nan() {
        let nan = || Exp(Lanes([f32::NAN; 16]));
        for found in [Arch::new().dispatch(nan()), nan().with_simd(Scalar)] {
            assert!(found.iter().all(|value| value.is_nan()));
        }
    }

    /// The sums of the lanes of four registers, after and before an exchange.
    struct Sums;

    impl WithSimd for Sums {
        type Output = [[f32; 4]; 2];

        fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
            let lane = |register: usize, lane: usize| (register * 100 + lane * lane) as f32;
            let registers = [0, 1, 2, 3].map(|register| {
                let lanes = Lanes::<16>(std::array::from_fn(|at| lane(register, at)));
                lanes.registers::<S>()[0]
            });
            let expected =
                [0, 1, 2, 3].map(|register| (0..S::F32_LANES).map(|at| lane(register, at)).sum());
            [sums(simd, registers), expected]
        }
    }

    #[test]
    fn lanes_sum_to_the_sum() {
        for [found, expected] in [Arch::new().dispatch(Sums), Sums.with_simd(Scalar)] {
            assert_eq!(found, expected);
        }
    }

    /// Whether an exchange does what it says.
    struct Exchanged;

    impl WithSimd for Exchanged {
        type Output = bool;

        fn with_simd<S: Simd>(self, simd: S) -> bool {
            let registers = [0, 1, 2, 3].map(|register| {
                let lanes = std::array::from_fn(|lane| (register * 16 + lane) as f32);
                Lanes::<16>(lanes).registers::<S>()[0]
            });
            let found = exchange(simd, registers);
            (0..4).all(|register| {
                quads::<S>(found[register])
                    .enumerate()
                    .all(|(block, quad)| {
                        let from = 4 * block + register;
                        quad == [0, 1, 2, 3].map(|other| (other * 16 + from) as f32)
                    })
            })
        }
    }

    #[test]
    fn an_exchange_exchanges_rows_and_columns() {
        assert!(Arch::new().dispatch(Exchanged));
    }
}
