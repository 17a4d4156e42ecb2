//! The normal distribution, as an axis of a search.

use std::f64::consts::SQRT_2;

/// Numbers around a mean, cut off at both ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Normal {
    /// The mean before the ends are cut off.
    pub mean: f64,
    /// The standard deviation before that, above 0.
    pub deviation: f64,
    /// The least and the largest value.
    pub ends: (f64, f64),
    /// Whether values are whole numbers.
    pub is_whole: bool,
}

impl Normal {
    /// Where on the axis a value lies: the share of the distribution below it.
    pub(super) fn share(&self, value: f64) -> f64 {
        let (first, last) = self.shares();
        let share = (self.below(value) - first) / (last - first);
        if share.is_finite() {
            share.clamp(0.0, 1.0)
        } else {
            0.5
        }
    }

    /// The value that this share of the distribution lies below, with four digits.
    pub(super) fn at(&self, share: f64) -> f64 {
        let (first, last) = self.shares();
        let share = first + share * (last - first);
        let value = self.mean + self.deviation * quantile(share.clamp(1e-9, 1.0 - 1e-9));
        let (least, most) = self.ends;
        match self.is_whole {
            true => value.round().clamp(least, most),
            false => short(value).clamp(least, most),
        }
    }

    fn shares(&self) -> (f64, f64) {
        (self.below(self.ends.0), self.below(self.ends.1))
    }

    fn below(&self, value: f64) -> f64 {
        below((value - self.mean) / self.deviation)
    }
}

/// Four digits of a number.
pub(super) fn short(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

/// The share of a standard normal below a value; the error function is that of Abramowitz and
/// Stegun, 7.1.26, good to 1.5e-7.
pub fn below(value: f64) -> f64 {
    let x = value.abs() / SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let series = t
        * (0.254_829_592
            + t * (-0.284_496_736
                + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    let error = 1.0 - series * (-x * x).exp();
    0.5 * (1.0 + error.copysign(value))
}

/// The value that a share of a standard normal lies below; Acklam's rational approximation, good
/// to 1.2e-9 of the value.
fn quantile(share: f64) -> f64 {
    const CENTRE: [f64; 6] = [
        -3.969_683_028_665_376e1,
        2.209_460_984_245_205e2,
        -2.759_285_104_469_687e2,
        1.383_577_518_672_69e2,
        -3.066_479_806_614_716e1,
        2.506_628_277_459_239,
    ];
    const CENTRE_BELOW: [f64; 6] = [
        -5.447_609_879_822_406e1,
        1.615_858_368_580_409e2,
        -1.556_989_798_598_866e2,
        6.680_131_188_771_972e1,
        -1.328_068_155_288_572e1,
        1.0,
    ];
    const TAIL: [f64; 6] = [
        -7.784_894_002_430_293e-3,
        -3.223_964_580_411_365e-1,
        -2.400_758_277_161_838,
        -2.549_732_539_343_734,
        4.374_664_141_464_968,
        2.938_163_982_698_783,
    ];
    const TAIL_BELOW: [f64; 5] = [
        7.784_695_709_041_462e-3,
        3.224_671_290_700_398e-1,
        2.445_134_137_142_996,
        3.754_408_661_907_416,
        1.0,
    ];
    let polynomial = |factors: &[f64], x: f64| factors.iter().fold(0.0, |sum, it| sum * x + it);
    let tail = |share: f64| {
        let x = (-2.0 * share.ln()).sqrt();
        polynomial(&TAIL, x) / polynomial(&TAIL_BELOW, x)
    };
    match share {
        ..0.02425 => tail(share),
        0.97575.. => -tail(1.0 - share),
        _ => {
            let x = share - 0.5;
            let square = x * x;
            x * polynomial(&CENTRE, square) / polynomial(&CENTRE_BELOW, square)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_normal_distribution_is_normal() {
        // scipy.stats.norm.cdf
        for (value, share) in [(0.0, 0.5), (1.0, 0.841_344_746), (-2.5, 0.006_209_665)] {
            assert!((below(value) - share).abs() < 2e-7, "{value}");
            assert!((quantile(share) - value).abs() < 1e-7, "{share}");
        }
    }

    #[test]
    fn ends_are_cut_off_and_the_middle_is_the_mean() {
        let normal = |ends, is_whole| Normal {
            mean: 4.0,
            deviation: 2.0,
            ends,
            is_whole,
        };
        let free = normal((f64::NEG_INFINITY, f64::INFINITY), false);
        // 4 + 2 · scipy.stats.norm.ppf([0.5, 0.1])
        assert_eq!([0.5, 0.1].map(|it| free.at(it)), [4.0, 1.437]);
        let cut = normal((3.0, 5.0), false);
        assert_eq!([0.0, 0.999_999_9].map(|it| cut.at(it)), [3.0, 5.0]);
        assert!((cut.share(4.0) - 0.5).abs() < 1e-6);
        let whole = normal((1.0, 9.0), true);
        assert_eq!([0.0, 0.5].map(|it| whole.at(it)), [1.0, 4.0]);
    }
}
