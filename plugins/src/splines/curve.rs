//! Natural cubic splines: straight beyond the last knots.

use serde::Serialize;

/// A curve of one variable with straight tails, from the truncated power basis of natural
/// cubic splines (Hastie, Tibshirani & Friedman 2009, eq. 5.4 and 5.5).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Curve {
    /// Which variable it is of; `predictor` in the files of children.
    #[serde(rename = "predictor")]
    pub variable: usize,
    /// The knot it starts to bend at.
    pub first: f64,
    /// The last knot but one.
    inner: f64,
    /// The last knot.
    last: f64,
}

/// Knots nearer than this, in standard deviations, are one.
const NEAR: f64 = 1e-6;

impl Curve {
    /// The curves of a variable with these knots: two fewer than knots.
    pub fn all(variable: usize, knots: &[f64]) -> Vec<Self> {
        let [bends @ .., inner, last] = knots else {
            return Vec::new();
        };
        let curve = |first: &f64| Self {
            variable,
            first: *first,
            inner: *inner,
            last: *last,
        };
        bends.iter().map(curve).collect()
    }

    /// Its value.
    pub fn value(&self, z: f64) -> f64 {
        let Self {
            first, inner, last, ..
        } = *self;
        if z >= last {
            // The cubic and quadratic parts cancel; far out they would leave only rounding.
            return (inner - first) * (3.0 * z - first - inner - last);
        }
        let cube = |knot: f64| (z - knot).max(0.0).powi(3);
        cube(first) / (last - first) - cube(inner) / (last - inner)
    }

    /// Its second derivative between the first and the last knot.
    pub fn bend(&self, z: f64) -> f64 {
        let hinge = |knot: f64| 6.0 * (z - knot).max(0.0) / (self.last - knot);
        hinge(self.first) - hinge(self.inner)
    }
}

/// Knots at evenly spaced quantiles, no more than there are values.
///
/// Between two values a quantile is on the straight line (type 7 of Hyndman & Fan 1996).
pub fn knots(mut values: Vec<f64>, count: usize) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    let distinct = 1 + values.windows(2).filter(|w| w[1] - w[0] >= NEAR).count();
    let count = count.min(distinct).max(2);
    let mut knots: Vec<f64> = (0..count)
        .filter_map(|knot| quantile(&values, knot as f64 / (count - 1) as f64))
        .collect();
    knots.dedup_by(|next, knot| *next - *knot < NEAR);
    knots
}

/// A quantile of sorted values.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (
        sorted.get(place.floor() as usize)?,
        sorted.get(place.ceil() as usize)?,
    );
    Some(below + (place - place.floor()) * (above - below))
}

/// The natural splines that are 1 at one knot and 0 at the others, each at `x`: any natural
/// spline is the sum of these with its values at the knots.
///
/// Second derivatives at the knots are `B⁻¹ D` times the values (Wood 2017, section 5.3.1);
/// `B` is symmetric, so that one solution for each `x` is enough. There are two knots at least.
pub fn cardinal(knots: &[f64], x: f64) -> Vec<f64> {
    let mut values = vec![0.0; knots.len()];
    let Some(last) = knots.len().checked_sub(2) else {
        return values;
    };
    let width = |interval: usize| knots[interval + 1] - knots[interval];
    let at = knots.partition_point(|knot| *knot <= x);
    let at = at.saturating_sub(1).min(last);
    let (h, left, right) = (width(at), x - knots[at], knots[at + 1] - x);
    values[at] = right / h;
    values[at + 1] = left / h;
    // How much the second derivative at each knot adds; that at the ends is zero. Beyond the
    // ends there is no cubic part.
    let share = |distance: f64| (distance.max(0.0).powi(3) / h - h * distance) / 6.0;
    let mut bends = vec![0.0; knots.len()];
    bends[at] = share(right);
    bends[at + 1] = share(left);
    let inner = 1..last + 1;
    let diagonal = |knot: usize| (width(knot - 1) + width(knot)) / 3.0;
    let beside = |knot: usize| width(knot) / 6.0;
    let mut pivots = vec![0.0; knots.len()];
    for knot in inner.clone() {
        pivots[knot] = diagonal(knot);
        if knot > 1 {
            let factor = beside(knot - 1) / pivots[knot - 1];
            pivots[knot] -= factor * beside(knot - 1);
            bends[knot] -= factor * bends[knot - 1];
        }
    }
    for knot in inner.rev() {
        let next = if knot < last {
            beside(knot) * bends[knot + 1]
        } else {
            0.0
        };
        bends[knot] = (bends[knot] - next) / pivots[knot];
        let (before, after) = (1.0 / width(knot - 1), 1.0 / width(knot));
        values[knot - 1] += bends[knot] * before;
        values[knot] -= bends[knot] * (before + after);
        values[knot + 1] += bends[knot] * after;
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_have_straight_tails() {
        let knots = [-1.5, -0.2, 0.4, 1.7];
        let curves = Curve::all(0, &knots);
        assert_eq!(curves.len(), 2);
        for curve in curves {
            let second = |z: f64, h: f64| {
                (curve.value(z + h) - 2.0 * curve.value(z) + curve.value(z - h)) / (h * h)
            };
            for tail in [-40.0, -2.0, 2.5, 40.0] {
                assert!(second(tail, 0.5).abs() < 1e-9, "{}", second(tail, 0.5));
            }
            for inside in [-0.9, 0.1, 1.0] {
                assert!((second(inside, 1e-3) - curve.bend(inside)).abs() < 1e-5);
            }
            // Neither value nor slope jumps where the right tail begins.
            let slope = |z: f64| (curve.value(z + 1e-7) - curve.value(z)) / 1e-7;
            assert!((slope(1.7) - slope(1.7 - 2e-7)).abs() < 1e-5);
        }
    }

    #[test]
    fn a_spline_is_the_sum_of_its_values_at_the_knots() {
        for knots in [
            &[-1.5, -0.2, 0.4, 1.7, 1.9][..],
            &[0.0, 1.0, 3.0],
            &[0.0, 2.0],
        ] {
            let curves = Curve::all(0, knots);
            let spline = |z: f64| {
                let bent = curves.iter().zip([0.3, -0.7, 0.2]);
                0.5 - 2.0 * z + bent.map(|(curve, b)| b * curve.value(z)).sum::<f64>()
            };
            for x in [-9.0, -1.5, -1.0, -0.2, 0.1, 1.0, 1.8, 1.9, 3.0, 12.0] {
                let sum: f64 = (cardinal(knots, x).iter().zip(knots))
                    .map(|(share, knot)| share * spline(*knot))
                    .sum();
                assert!(
                    (sum - spline(x)).abs() < 1e-12 * spline(x).abs().max(1.0),
                    "{x}: {sum}"
                );
            }
        }
        assert_eq!(cardinal(&[0.5], 1.0), [0.0]);
        assert!(cardinal(&[0.0, 1.0, 2.0], f64::NAN)[1].is_nan());
    }

    #[test]
    fn knots_are_quantiles_of_what_differs() {
        let values = vec![3.0, 1.0, 2.0, 5.0, 4.0];
        assert_eq!(knots(values.clone(), 3), [1.0, 3.0, 5.0]);
        assert_eq!(knots(values, 40), [1.0, 2.0, 3.0, 4.0, 5.0]);
        assert_eq!(knots(vec![2.0; 4], 8), [2.0]);
        assert_eq!(knots(Vec::new(), 8), [0.0; 0]);
    }
}
