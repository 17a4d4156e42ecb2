//! Products of strips of weights with factors, summed in registers: the inner loops of sums over rows and of held-out edges.
//!
//! A strip has numbers of 32 weights side by side. A block of up to twelve sums over rows stays in registers, two of them
//! wide, so that each number and each factor that is loaded takes part in many multiply-adds: 12 × 2 for 2 + 12 loads.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

/// How many weights lie side by side.
pub(crate) const STRIP: usize = 32;

/// How many registers of a strip are summed at a time.
pub(crate) const SIDE: usize = 2;

/// Numbers of some weights side by side.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Strip<N>(pub [N; STRIP]);

impl<N: Summand> Strip<N> {
    pub const ZERO: Self = Self([N::ZERO; STRIP]);
}

/// Some registers of a strip.
pub(crate) type StripPart<N, S> = [<N as Summand>::Register<S>; SIDE];

/// What sums are made of.
pub(crate) trait Summand: Copy + Into<f64> {
    const ZERO: Self;

    type Register<S: Simd>: Copy;

    fn rounded(value: f64) -> Self;

    /// The register `at` of a row of weights less the shift.
    fn less<S: Simd>(
        simd: S,
        row: &[f32; STRIP],
        shift: &[f32; STRIP],
        at: usize,
    ) -> Self::Register<S>;

    fn registers<S: Simd>(strip: &[Self; STRIP]) -> &[Self::Register<S>];

    fn registers_mut<S: Simd>(strip: &mut [Self; STRIP]) -> &mut [Self::Register<S>];

    fn splat<S: Simd>(simd: S, value: Self) -> Self::Register<S>;

    fn add<S: Simd>(simd: S, a: Self::Register<S>, b: Self::Register<S>) -> Self::Register<S>;

    /// `a b + c`.
    fn mul_add<S: Simd>(
        simd: S,
        a: Self::Register<S>,
        b: Self::Register<S>,
        c: Self::Register<S>,
    ) -> Self::Register<S>;
}

/// A [`Summand`] of pulp's names for registers.
macro_rules! summand {
    ($N:ident, $Register:ident, $less:expr, $registers:ident $registers_mut:ident $splat:ident $add:ident $mul_add:ident) => {
        impl Summand for $N {
            const ZERO: Self = 0.0;

            type Register<S: Simd> = S::$Register;

            fn rounded(value: f64) -> Self {
                value as Self
            }

            #[inline(always)]
            fn less<S: Simd>(
                simd: S,
                row: &[f32; STRIP],
                shift: &[f32; STRIP],
                at: usize,
            ) -> S::$Register {
                $less(simd, row, shift, at)
            }

            #[inline(always)]
            fn registers<S: Simd>(strip: &[Self; STRIP]) -> &[S::$Register] {
                S::$registers(strip).0
            }

            #[inline(always)]
            fn registers_mut<S: Simd>(strip: &mut [Self; STRIP]) -> &mut [S::$Register] {
                S::$registers_mut(strip).0
            }

            #[inline(always)]
            fn splat<S: Simd>(simd: S, value: Self) -> S::$Register {
                simd.$splat(value)
            }

            #[inline(always)]
            fn add<S: Simd>(simd: S, a: S::$Register, b: S::$Register) -> S::$Register {
                simd.$add(a, b)
            }

            #[inline(always)]
            fn mul_add<S: Simd>(
                simd: S,
                a: S::$Register,
                b: S::$Register,
                c: S::$Register,
            ) -> S::$Register {
                simd.$mul_add(a, b, c)
            }
        }
    };
}

summand!(f32, f32s, less, as_simd_f32s as_mut_simd_f32s splat_f32s add_f32s mul_add_e_f32s);
summand!(f64, f64s, less_in_double, as_simd_f64s as_mut_simd_f64s splat_f64s add_f64s mul_add_e_f64s);

#[inline(always)]
fn less<S: Simd>(simd: S, row: &[f32; STRIP], shift: &[f32; STRIP], at: usize) -> S::f32s {
    simd.sub_f32s(S::as_simd_f32s(row).0[at], S::as_simd_f32s(shift).0[at])
}

#[inline(always)]
fn less_in_double<S: Simd>(_: S, row: &[f32; STRIP], shift: &[f32; STRIP], at: usize) -> S::f64s {
    let mut values = Strip::<f64>::ZERO;
    let here = at * S::F64_LANES..(at + 1) * S::F64_LANES;
    let pairs = row[here.clone()].iter().zip(&shift[here]);
    for (value, (row, shift)) in values.0.iter_mut().zip(pairs) {
        *value = f64::from(*row) - f64::from(*shift);
    }
    S::as_simd_f64s(&values.0).0[0]
}

/// Which sums are made together, of this many.
pub(crate) fn blocks(sums: usize) -> Vec<Range<usize>> {
    let count = sums.div_ceil(Arch::new().dispatch(MostSums)).max(1);
    let cut = |block: usize| sums * block / count;
    (0..count).map(|block| cut(block)..cut(block + 1)).collect()
}

/// How many sums, with a factor and the numbers of a row, fit into the registers.
struct MostSums;

impl WithSimd for MostSums {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        match S::REGISTER_COUNT {
            32.. => 12,
            _ => 6,
        }
    }
}

/// What to do for a number of sums that is known while compiling.
macro_rules! for_block {
    ($count:expr, $T:ident => $body:expr) => {
        $crate::regressions::support::strips::for_block!(
            @arms $count, $T => $body, 1 2 3 4 5 6 7 8 9 10 11 12
        )
    };
    (@arms $count:expr, $T:ident => $body:expr, $($known:literal)*) => {
        match $count {
            $($known => {
                const $T: usize = $known;
                $body
            })*
            _ => {}
        }
    };
}
pub(crate) use for_block;

/// Some registers of a strip, from the first on.
#[inline(always)]
pub(crate) fn part<N: Summand, S: Simd>(strip: &Strip<N>, first: usize) -> StripPart<N, S> {
    let registers = N::registers::<S>(&strip.0);
    std::array::from_fn(|at| registers[first + at])
}

/// The registers of a strip, `SIDE` at a time: the first of each.
#[inline(always)]
pub(crate) fn parts<N: Summand, S: Simd>() -> impl Iterator<Item = usize> {
    (0..N::registers::<S>(&[N::ZERO; STRIP]).len()).step_by(SIDE)
}

/// Adds products of the values of a row to sums; the last factor is the values where these are to be squared.
#[inline(always)]
pub(crate) fn add_products<N: Summand, S: Simd, const T: usize, const SQUARES: bool>(
    simd: S,
    sums: &mut [StripPart<N, S>; T],
    factors: &[N; T],
    values: StripPart<N, S>,
) {
    for (at, (sums, factor)) in sums.iter_mut().zip(factors).enumerate() {
        let factor = match SQUARES && at == T - 1 {
            true => values,
            false => [N::splat(simd, *factor); SIDE],
        };
        for (sum, (factor, value)) in sums.iter_mut().zip(factor.into_iter().zip(values)) {
            *sum = N::mul_add(simd, factor, value, *sum);
        }
    }
}

/// Asks for numbers, where a processor can be asked, before they are read: rows of a table are far apart, and each is
/// read for too few weights at a time to be foreseen.
#[inline(always)]
pub(crate) fn fetch<N>(numbers: &[N]) {
    #[cfg(target_arch = "x86_64")]
    if let Some(sse) = pulp::core_arch::x86::Sse::try_new() {
        for line in numbers.chunks((64 / size_of::<N>()).max(1)) {
            sse._mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(line.as_ptr().cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = numbers;
}
