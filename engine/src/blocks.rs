//! Block bootstrap: what a difference of errors would be over other groups of rows.

use crate::search::stream::Stream;

/// What two models have in one group of rows.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// The share of all rows.
    pub share: f64,
    /// The value of the one model.
    pub value: f64,
    /// The value of the other.
    pub base: f64,
}

/// How often groups are drawn.
const DRAWS: usize = 4000;

/// Of fewer groups the ends of an interval mean nothing.
const FEWEST: usize = 8;

/// The 95 % interval of the difference between two models when as many groups are drawn from
/// these, with replacement (percentiles; Efron and Tibshirani 1993, chapter 13).
///
/// Groups are drawn whole, so rows of a group may depend on each other; groups may not. None for
/// metrics that are no mean over rows, and for fewer than eight groups.
pub fn interval(metric: &str, blocks: &[Block]) -> Option<(f64, f64)> {
    let power = match metric {
        "rmse" => 2,
        "mae" | "crps" => 1,
        _ => return None,
    };
    if blocks.len() < FEWEST {
        return None;
    }
    let mut stream = Stream::new(0);
    let mut differences: Vec<f64> = (0..DRAWS)
        .map(|_| {
            let drawn = blocks.iter().map(|_| blocks[stream.below(blocks.len())]);
            let mut sums = [0.0; 3];
            for Block { share, value, base } in drawn {
                sums[0] += share;
                sums[1] += share * value.powi(power);
                sums[2] += share * base.powi(power);
            }
            let [value, base] = [sums[1], sums[2]].map(|sum| sum / sums[0]);
            match power {
                2 => value.sqrt() - base.sqrt(),
                _ => value - base,
            }
        })
        .collect();
    differences.sort_by(f64::total_cmp);
    let ends = (quantile(&differences, 0.025), quantile(&differences, 0.975));
    (ends.0.is_finite() && ends.1.is_finite()).then_some(ends)
}

/// Between the two values around it, in proportion.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let at = place.floor() as usize;
    let next = (at + 1).min(sorted.len() - 1);
    sorted[at] + (place - place.floor()) * (sorted[next] - sorted[at])
}

#[cfg(test)]
mod tests {
    use super::*;

    // share = np.array([5, 10, 15, 20, 5, 10, 15, 10, 5, 5]) / 100
    // value = np.array([1, .8, 1.2, .9, 1.5, .7, 1.1, 1, .6, 1.3])
    // base = np.array([1.2, .9, 1.1, 1.3, 1.4, 1, 1, 1.4, .9, 1.2])
    // i = np.random.default_rng(0).integers(0, 10, (1_000_000, 10))
    // m = lambda e: (share[i] * e[i]).sum(1) / share[i].sum(1)
    // np.percentile(m(value**2) ** .5 - m(base**2) ** .5, [2.5, 97.5]); np.percentile(m(value - base), …)
    const SHARES: [f64; 10] = [5., 10., 15., 20., 5., 10., 15., 10., 5., 5.];
    const VALUES: [f64; 10] = [1., 0.8, 1.2, 0.9, 1.5, 0.7, 1.1, 1., 0.6, 1.3];
    const BASES: [f64; 10] = [1.2, 0.9, 1.1, 1.3, 1.4, 1., 1., 1.4, 0.9, 1.2];

    fn blocks() -> Vec<Block> {
        (0..10)
            .map(|at| Block {
                share: SHARES[at] / 100.0,
                value: VALUES[at],
                base: BASES[at],
            })
            .collect()
    }

    #[test]
    fn ends_are_those_of_numpy() {
        for (metric, low, high) in [
            ("rmse", -0.289_400_83, 0.024_022_11),
            ("mae", -0.294_736_84, 0.011_764_71),
        ] {
            let found = interval(metric, &blocks()).unwrap();
            // What 4000 draws leave open.
            let near = (high - low) / 25.0;
            assert!((found.0 - low).abs() < near, "{metric} {found:?}");
            assert!((found.1 - high).abs() < near, "{metric} {found:?}");
        }
    }

    #[test]
    fn few_groups_and_other_metrics_have_none() {
        assert_eq!(interval("rmse", &blocks()[..7]), None);
        assert_eq!(interval("correlation", &blocks()), None);
    }

    #[test]
    fn groups_that_agree_leave_no_doubt() {
        let alike = [Block {
            share: 0.1,
            value: 1.0,
            base: 3.0,
        }; 10];
        let (low, high) = interval("mae", &alike).unwrap();
        assert!((low + 2.0).abs() < 1e-12 && (high + 2.0).abs() < 1e-12);
    }
}
