//! How far anomalies of different subsets stand out from the scatter of their repeats.

use engine::artifact::Layout;
use engine::plugin::Context;

/// Tells the median signal-to-noise ratio of each layer.
///
/// `table` holds the anomalies row after row, the repeats of a subset one after the other.
pub fn note_ratios(context: &Context, layout: &Layout, table: &[f32], repeats: usize) {
    let Some(ratios) = ratios(table, layout.len(), repeats) else {
        return;
    };
    let medians: Vec<String> = layout
        .ranges()
        .filter_map(|(tensor, range)| Some((tensor, median(ratios.get(range)?)?)))
        .map(|(tensor, median)| format!("`{}` {median:.2}", tensor.name))
        .collect();
    context.note(format!(
        "signal-to-noise of the anomalies over {repeats} repeats, median per layer: {}",
        medians.join(", ")
    ));
}

/// The root of the F statistic of a one-way analysis of variance for each weight; subsets
/// with a repeat that diverged are left out. None with fewer than two others.
fn ratios(table: &[f32], weights: usize, repeats: usize) -> Option<Vec<f64>> {
    let subsets: Vec<&[f32]> = table
        .chunks_exact(weights * repeats)
        .filter(|subset| subset.iter().all(|weight| weight.is_finite()))
        .collect();
    if subsets.len() < 2 {
        return None;
    }
    let ratio = |weight: usize| {
        let (mut means, mut within) = (Vec::with_capacity(subsets.len()), 0.0);
        for subset in &subsets {
            let values = subset
                .iter()
                .skip(weight)
                .step_by(weights)
                .map(|w| f64::from(*w));
            let (mean, variance) = moments(values);
            means.push(mean);
            within += variance / subsets.len() as f64;
        }
        let (_, between) = moments(means.into_iter());
        (between * repeats as f64 / within).sqrt()
    };
    Some((0..weights).map(ratio).collect())
}

/// The mean and the variance, the latter divided by the number less one.
fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    let squares: f64 = values.map(|value| (value - mean).powi(2)).sum();
    (mean, squares / (count - 1.0))
}

/// The median of the ratios there are: a weight that never moves has none.
fn median(ratios: &[f64]) -> Option<f64> {
    let mut sorted: Vec<f64> = ratios
        .iter()
        .copied()
        .filter(|ratio| !ratio.is_nan())
        .collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let lower = sorted.get(sorted.len().checked_sub(1)? / 2)?;
    let upper = sorted.get(sorted.len() / 2)?;
    // Both may be infinite.
    Some(if lower == upper {
        *lower
    } else {
        (lower + upper) / 2.0
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // from scipy.stats import f_oneway
    // print(f_oneway([1, 2, 3], [4, 4, 7], [2, 0, 1]).statistic ** 0.5)
    #[test]
    fn the_ratio_is_the_root_of_the_f_statistic_of_scipy() {
        let of_subsets = [[1.0, 2.0, 3.0], [4.0, 4.0, 7.0], [2.0, 0.0, 1.0]];
        // A second weight that never moves, and a subset that diverged.
        let table: Vec<f32> = of_subsets
            .iter()
            .flatten()
            .chain(&[f32::NAN, 0.0, 0.0])
            .flat_map(|value| [*value, 0.0])
            .collect();
        let ratios = ratios(&table, 2, 3).expect("ratios");
        assert!(
            (ratios[0] - 2.7928480087537895).abs() < 1e-12,
            "{}",
            ratios[0]
        );
        assert!(ratios[1].is_nan());
        assert_eq!(median(&[f64::NAN, 3.0, 1.0, 2.0, 9.0]), Some(2.5));
        assert_eq!(median(&[f64::NAN]), None);
    }
}
