//! The hyperbolic tangent of numbers side by side, within 2 units in the last place.
//!
//! `tanh(c + t) = v + T (1 - v²) / (1 + v T)` with `v = tanh(c)` and `T = tanh(t)`: `c` is a whole multiple of 1/2 near
//! the number, its `v` one of 19 numbers that a permutation of registers looks up, and `T` a polynomial, as `|t| < 0.3`.
//! Beyond 8.8 the result is ±1.
//!
//! Over all 2³² numbers the largest error is 1.92 units, 1.93 where products are rounded before they are added,
//! found by comparison with the tangent in double precision; a NaN stays one.
//!
//! Roofline: eight multiply-adds and products, a division, a permutation and eight other operations for 16 numbers by
//! AVX-512: 14 cycles of an AMD EPYC core (Zen 4), 12 beside the products of a layer. AVX2 takes three permutations
//! and two choices for each eight numbers.

use pulp::Simd;
use pulp::bytemuck::{cast, cast_slice, cast_slice_mut};

use super::lanes::{at_most, mul_add};

/// Hyperbolic tangent.
#[inline(always)]
pub(crate) fn tanh<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    rounded::<S, true>(simd, x)
}

/// The same with each product rounded before it is added, `FUSED` or not: then all instruction sets give the same bits.
#[inline(always)]
pub(super) fn rounded<S: Simd, const FUSED: bool>(simd: S, x: S::f32s) -> S::f32s {
    const LIMIT: f32 = 9.0;
    // 1.5 * 2^22: adding it rounds to a multiple of 1/2, twice which its low bits are.
    const ROUND: f32 = 6_291_456.0;
    // The first cells end where `v` is as precise as the tangent there.
    const SHIFT: f32 = 3.0 / 64.0;
    // Minimax fit of `(T / t - 1) / t²`: `T` is relatively within 1.2e-8.
    const BEND: [f32; 3] = [-0.050_432_306, 0.133_155_15, -0.333_330_75];
    let splat = |value| simd.splat_f32s(value);
    let sign = simd.and_f32s(x, splat(-0.0));
    let size = at_most(simd, LIMIT, simd.xor_f32s(x, sign));
    let cell = simd.add_f32s(simd.sub_f32s(size, splat(SHIFT)), splat(ROUND));
    let t = simd.sub_f32s(size, simd.sub_f32s(cell, splat(ROUND)));
    let value = look_up(simd, cell);
    let square = simd.mul_f32s(t, t);
    let [a, b, c] = BEND.map(splat);
    let inner = mul_add::<S, FUSED>(simd, a, square, b);
    let bend = mul_add::<S, FUSED>(simd, inner, square, c);
    let tangent = mul_add::<S, FUSED>(simd, simd.mul_f32s(t, square), bend, t);
    let slope = match FUSED {
        true => simd.negate_mul_add_e_f32s(value, value, splat(1.0)),
        false => simd.sub_f32s(splat(1.0), simd.mul_f32s(value, value)),
    };
    let below = mul_add::<S, FUSED>(simd, value, tangent, splat(1.0));
    let more = simd.div_f32s(simd.mul_f32s(tangent, slope), below);
    simd.or_f32s(simd.add_f32s(value, more), sign)
}

/// The tangents of the centers, the last that of all that follow, and zeros.
#[rustfmt::skip]
const VALUES: [f32; 32] = [
    0.0, 0.462_117_17, 0.761_594_2, 0.905_148_27, 0.964_027_6, 0.986_614_3, 0.995_054_8, 0.998_177_9,
    0.999_329_3, 0.999_753_24, 0.999_909_2, 0.999_966_6, 0.999_987_7, 0.999_995_47, 0.999_998_33, 0.999_999_4,
    0.999_999_76, 0.999_999_94, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0,
];

/// The value of each cell, whose number is in the five lowest bits.
#[inline(always)]
fn look_up<S: Simd>(simd: S, cells: S::f32s) -> S::f32s {
    #[cfg(target_arch = "x86_64")]
    {
        use std::any::Any;
        use std::arch::x86_64::{__m256, __m256i, __m512, __m512i};

        use pulp::x86::{V3, V4};
        use pulp::{f32x8, f32x16};

        // What `simd` is, is known when this is compiled.
        let instructions: &dyn Any = &simd;
        if let Some(v4) = instructions.downcast_ref::<V4>() {
            let cells: __m512i = pulp::cast(cast::<S::f32s, f32x16>(cells));
            let [low, high]: [__m512; 2] = pulp::cast(VALUES);
            let found = v4.avx512f._mm512_permutex2var_ps(low, cells, high);
            return cast::<f32x16, S::f32s>(pulp::cast(found));
        }
        if let Some(v3) = instructions.downcast_ref::<V3>() {
            let cells: __m256i = pulp::cast(cast::<S::f32s, f32x8>(cells));
            let parts: [__m256; 4] = pulp::cast(VALUES);
            let [low, middle, high, _] =
                parts.map(|part| v3.avx2._mm256_permutevar8x32_ps(part, cells));
            // The fourth and the fifth bit become the sign, which chooses.
            let upper: __m256 = pulp::cast(v3.avx2._mm256_slli_epi32::<28>(cells));
            let top: __m256 = pulp::cast(v3.avx2._mm256_slli_epi32::<27>(cells));
            let found = v3.avx._mm256_blendv_ps(low, middle, upper);
            let found = v3.avx._mm256_blendv_ps(found, high, top);
            return cast::<f32x8, S::f32s>(pulp::cast(found));
        }
    }
    let mut found = cells;
    let cells: &[u32] = cast_slice(std::slice::from_ref(&cells));
    let values: &mut [f32] = cast_slice_mut(std::slice::from_mut(&mut found));
    for (value, cell) in values.iter_mut().zip(cells) {
        *value = VALUES[*cell as usize % 32];
    }
    found
}

#[cfg(test)]
mod tests {
    use pulp::WithSimd;

    use super::*;
    use crate::networks::lanes::Lanes;
    use crate::networks::testing::instruction_sets;

    /// Tangents of sixteen numbers, and those with products rounded before they are added.
    struct Both([f32; 16]);

    impl WithSimd for Both {
        type Output = [[f32; 16]; 2];

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
            let (mut once, mut twice) = (Lanes(self.0), Lanes(self.0));
            for register in once.registers_mut::<S>() {
                *register = tanh(simd, *register);
            }
            for register in twice.registers_mut::<S>() {
                *register = rounded::<S, false>(simd, *register);
            }
            [once.0, twice.0]
        }
    }

    /// How many units in the last place of the truth a number is off.
    fn units(found: f32, truth: f64) -> f64 {
        let exponent = (truth.abs().to_bits() >> 52) as i32 - 1023;
        (f64::from(found) - truth).abs() * 2_f64.powi(23 - exponent.max(-126))
    }

    #[test]
    fn tangents_are_within_2_units() {
        let mut digests = Vec::new();
        for arch in instruction_sets() {
            let mut digest = 0_u64;
            // Every 97th number, in turn above and below zero.
            for start in (0..0x7f80_0000_u32).step_by(16 * 97) {
                let x = std::array::from_fn(|at| {
                    let size = f32::from_bits((start + 97 * at as u32).min(0x7f80_0000));
                    if at % 2 == 0 { size } else { -size }
                });
                let found = arch.dispatch(Both(x));
                for (found, x) in found.iter().flat_map(|found| found.iter().zip(x)) {
                    let error = units(*found, f64::from(x).tanh());
                    assert!(error < 2.0, "{arch:?} {x}: {error}");
                }
                for found in found[1] {
                    digest = digest.rotate_left(5) ^ u64::from(found.to_bits());
                }
            }
            digests.push(digest);
        }
        assert!(digests.iter().all(|digest| *digest == digests[0]));
    }

    #[test]
    fn a_nan_stays_one() {
        for arch in instruction_sets() {
            let found = arch.dispatch(Both([f32::NAN; 16]));
            assert!(found.as_flattened().iter().all(|value| value.is_nan()));
        }
    }
}
