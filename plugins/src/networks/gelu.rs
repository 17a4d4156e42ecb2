//! The Gaussian error linear unit `x Φ(x)` (Hendrycks & Gimpel 2016) in its two forms, each with
//! its derivative. `Φ` is the cumulative normal distribution, `φ` its density.

use pulp::Simd;

use super::lanes::{at_least, at_most, exp, mul_add, polynomial};
use super::tangent::rounded;

/// The exact form, as `torch.nn.GELU()`: its value and its derivative `Φ(x) + x φ(x)`.
///
/// The value is within 1e-7 · max(1, |x|) of the truth, the derivative within 3e-7.
#[inline(always)]
pub(super) fn gelu<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
    // 1 / sqrt(2 π).
    const DENSITY: f32 = 0.398_942_3;
    // `(1 - Φ(a)) exp(a²/2)` for `0 <= a <= LIMIT` is `t` times a polynomial in
    // `t = 1 / (1 + SLOPE a)`; minimax fit, relatively within 1.4e-8.
    const LIMIT: f32 = 12.0;
    const SLOPE: f32 = 0.4;
    const TAIL: [f32; 10] = [
        0.031_375_315,
        -0.172_261_25,
        0.371_624_23,
        -0.359_846,
        0.107_770_99,
        -0.020_620_238,
        0.089_220_904,
        0.133_581_46,
        0.159_576_19,
        0.159_578_41,
    ];
    let splat = |value| simd.splat_f32s(value);
    let zero = splat(0.0);
    let size = at_most(simd, LIMIT, simd.abs_f32s(x));
    let bell = exp(simd, simd.mul_f32s(simd.mul_f32s(splat(-0.5), size), size));
    let t = simd.div_f32s(
        splat(1.0),
        simd.mul_add_e_f32s(splat(SLOPE), size, splat(1.0)),
    );
    let tail = simd.mul_f32s(
        simd.mul_f32s(t, polynomial::<_, _, true>(simd, t, TAIL)),
        bell,
    );
    let value = simd.negate_mul_add_e_f32s(size, tail, at_least(simd, 0.0, x));
    let below = simd.less_than_f32s(x, zero);
    let share = simd.select_f32s(below, tail, simd.sub_f32s(splat(1.0), tail));
    // Not `x`: the bell is that of `size`, and zero times infinity is not a number.
    let signed = simd.select_f32s(below, simd.neg_f32s(size), size);
    let slope = simd.mul_add_e_f32s(simd.mul_f32s(splat(DENSITY), signed), bell, share);
    (value, slope)
}

/// The form with a tanh, as `torch.nn.GELU(approximate="tanh")`, and its derivative.
#[inline(always)]
pub(super) fn gelu_tanh<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
    gelu_rounded::<S, true>(simd, x)
}

/// The same with each product of the value rounded before it is added, `FUSED` or not.
#[inline(always)]
pub(super) fn gelu_rounded<S: Simd, const FUSED: bool>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
    // sqrt(2 / π).
    const SCALE: f32 = 0.797_884_6;
    const CUBIC: f32 = 0.044_715;
    let [half, one] = [0.5, 1.0].map(|value| simd.splat_f32s(value));
    let scale = simd.splat_f32s(SCALE);
    let cubic = |factor| simd.splat_f32s(factor * CUBIC);
    let square = simd.mul_f32s(x, x);
    let inner = mul_add::<S, FUSED>(simd, cubic(1.0), square, one);
    let bend = rounded::<S, FUSED>(simd, simd.mul_f32s(simd.mul_f32s(scale, x), inner));
    let share = mul_add::<S, FUSED>(simd, half, bend, half);
    let inner_slope = simd.mul_f32s(scale, simd.mul_add_e_f32s(cubic(3.0), square, one));
    let bend_slope = simd.negate_mul_add_e_f32s(bend, bend, one);
    let half_x = simd.mul_f32s(half, x);
    let slope = simd.mul_add_e_f32s(simd.mul_f32s(half_x, bend_slope), inner_slope, share);
    (simd.mul_f32s(x, share), slope)
}

#[cfg(test)]
pub(super) mod tests {
    use pulp::{Arch, WithSimd};

    use super::*;
    use crate::networks::lanes::Lanes;
    use crate::networks::testing::instruction_sets;

    /// `Φ` by its Taylor series (Marsaglia 2004), in f64.
    pub(in crate::networks) fn cumulative(x: f64) -> f64 {
        let (mut sum, mut term) = (x, x);
        for odd in (3..4000).step_by(2) {
            term *= x * x / f64::from(odd);
            sum += term;
        }
        0.5 + sum * density(x)
    }

    fn density(x: f64) -> f64 {
        (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
    }

    /// Values and derivatives of both forms.
    struct Both(Lanes<16>);

    impl WithSimd for Both {
        type Output = [[f32; 16]; 4];

        fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
            let mut found = [self.0; 4];
            for at in 0..16 / S::F32_LANES {
                let x = self.0.registers::<S>()[at];
                let (value, slope) = gelu(simd, x);
                let (value_tanh, slope_tanh) = gelu_tanh(simd, x);
                let all = [value, slope, value_tanh, slope_tanh];
                for (found, one) in found.iter_mut().zip(all) {
                    found.registers_mut::<S>()[at] = one;
                }
            }
            found.map(|Lanes(lanes)| lanes)
        }
    }

    fn both(arch: Arch, x: f32) -> [f64; 4] {
        arch.dispatch(Both(Lanes([x; 16])))
            .map(|found| f64::from(found[0]))
    }

    #[test]
    fn values_and_derivatives_are_those_of_scipy() {
        // scipy 1.17 in f64: x * ndtr(x) and ndtr(x) + x * norm.pdf(x).
        for (x, value, slope) in [
            (-6.0, -5.919_525_870_226e-9, -3.546_870_945_390e-8),
            (-3.5, -8.142_017_766_243e-4, -2.821_760_353_625e-3),
            (-2.0, -4.550_026_389_636e-2, -8.523_180_107_820e-2),
            (-1.0, -1.586_552_539_315e-1, -8.331_547_058_769e-2),
            (-0.5, -1.542_687_693_630e-1, 1.325_048_753_438e-1),
            (0.0, 0.0, 0.5),
            (0.25, 1.496_765_814_207e-1, 6.953_733_548_836e-1),
            (0.75, 5.800_294_857_173e-1, 9.992_257_217_392e-1),
            (1.0, 8.413_447_460_685e-1, 1.083_315_470_588),
            (1.5, 1.399_789_198_097, 1.127_469_192_230),
            (3.0, 2.995_950_305_905, 1.011_945_647_204),
            (5.0, 4.999_998_566_742, 1.000_007_146_946),
        ] {
            for arch in instruction_sets() {
                let [found, found_slope, ..] = both(arch, x);
                let scale = f64::from(x.abs().max(1.0));
                assert!((found - value).abs() < 1e-7 * scale, "{x} {arch:?}");
                assert!((found_slope - slope).abs() < 3e-7, "{x} {arch:?}");
            }
        }
    }

    #[test]
    fn values_and_derivatives_are_those_of_the_definition() {
        for arch in instruction_sets() {
            for at in -60_000..=60_000_i32 {
                let x = at as f32 * 1e-4;
                let [found, slope, found_tanh, slope_tanh] = both(arch, x);
                let exact = f64::from(x);
                let (share, scale) = (cumulative(exact), exact.abs().max(1.0));
                assert!((found - exact * share).abs() < 1.05e-7 * scale, "{x}");
                assert!((slope - share - exact * density(exact)).abs() < 3e-7, "{x}");
                let scale_tanh = (2.0 / std::f64::consts::PI).sqrt();
                let bend = (scale_tanh * (exact + 0.044_715 * exact.powi(3))).tanh();
                let inner_slope = scale_tanh * (1.0 + 3.0 * 0.044_715 * exact * exact);
                let expected = 0.5 * exact * (1.0 + bend);
                let slope_expected =
                    0.5 * (1.0 + bend) + 0.5 * exact * (1.0 - bend * bend) * inner_slope;
                assert!((found_tanh - expected).abs() < 3e-7 * scale, "{x}");
                assert!((slope_tanh - slope_expected).abs() < 3e-6 * scale, "{x}");
            }
        }
    }

    #[test]
    fn far_from_zero_it_is_the_rectifier() {
        for arch in instruction_sets() {
            for (x, expected) in [(40.0, 40.0), (f32::INFINITY, f64::INFINITY)] {
                assert_eq!(both(arch, x)[..2], [expected, 1.0]);
                let [value, slope, ..] = both(arch, -x);
                assert!(
                    value.abs() < 1e-30 && slope.abs() < 1e-30,
                    "{value} {slope}"
                );
            }
            assert!(both(arch, f32::NAN).iter().all(|found| found.is_nan()));
        }
    }
}
