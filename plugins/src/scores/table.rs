//! Score lines of numbers that members have each for themselves.

use engine::artifact::ScoreRow;

/// The values of one member, one for each metric; `None` where there is none.
pub(super) type Measured = Vec<Option<f64>>;

/// A line for each member and metric, then the `mean` and the `median` of the members that
/// have the value; members that diverged are `None` and have none.
pub(super) fn rows_of<'a>(
    label: &str,
    metrics: impl IntoIterator<Item = &'a str>,
    members: &[Option<Measured>],
) -> Vec<ScoreRow> {
    let mut rows = Vec::new();
    for (at, metric) in metrics.into_iter().enumerate() {
        let value = |member: &Option<Measured>| {
            let value = member
                .as_ref()
                .and_then(|values| values.get(at).copied().flatten());
            value.filter(|value| value.is_finite())
        };
        let values: Vec<Option<f64>> = members.iter().map(value).collect();
        let mut known: Vec<f64> = values.iter().flatten().copied().collect();
        known.sort_by(f64::total_cmp);
        let numbers = (0..values.len()).map(|member| member.to_string());
        let summaries = [
            ("mean".to_owned(), mean(&known)),
            ("median".to_owned(), median(&known)),
        ];
        rows.extend(
            numbers
                .zip(values)
                .chain(summaries)
                .map(|(member, value)| ScoreRow {
                    member,
                    model: label.to_owned(),
                    role: "parent".to_owned(),
                    metric: metric.to_owned(),
                    horizon: None,
                    group: None,
                    value,
                    unit: None,
                }),
        );
    }
    rows
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Of values in order.
fn median(values: &[f64]) -> Option<f64> {
    let middle = values.len() / 2;
    match values.len() % 2 {
        1 => Some(values[middle]),
        _ if middle == 0 => None,
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_without_a_value_are_left_out_of_mean_and_median() {
        let members = [
            Some(vec![Some(1.0), None]),
            None,
            Some(vec![Some(2.0), None]),
            Some(vec![Some(6.0), Some(f64::NAN)]),
            Some(vec![Some(4.0), Some(7.0)]),
        ];
        let rows = rows_of("net", ["a", "b"], &members);
        let lines: Vec<_> = rows
            .iter()
            .map(|row| (&row.metric[..], &row.member[..], row.value))
            .collect();
        let line = |metric, member, value| (metric, member, value);
        assert_eq!(
            lines,
            [
                line("a", "0", Some(1.0)),
                line("a", "1", None),
                line("a", "2", Some(2.0)),
                line("a", "3", Some(6.0)),
                line("a", "4", Some(4.0)),
                line("a", "mean", Some(13.0 / 4.0)),
                line("a", "median", Some(3.0)),
                line("b", "0", None),
                line("b", "1", None),
                line("b", "2", None),
                line("b", "3", None),
                line("b", "4", Some(7.0)),
                line("b", "mean", Some(7.0)),
                line("b", "median", Some(7.0)),
            ]
        );
        assert_eq!(rows_of("net", ["a"], &[None])[1].value, None);
    }
}
