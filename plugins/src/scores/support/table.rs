//! Score lines of numbers that members have each for themselves.

use engine::artifact::ScoreRow;

/// The values of one member, one for each metric; `None` where there is none.
pub(crate) type Measured = Vec<Option<f64>>;

/// A line for each member and metric, then the `mean` and the `median` of the members;
/// diverged members, `None`, are left out of both, and a value that is missing leaves none.
pub(crate) fn rows_of<'a>(
    label: &str,
    metrics: impl IntoIterator<Item = &'a str>,
    members: &[Option<Measured>],
) -> Vec<ScoreRow> {
    let mut rows = Vec::new();
    for (at, metric) in metrics.into_iter().enumerate() {
        let finite = |values: &Measured| {
            let value = values.get(at).copied().flatten();
            value.filter(|value| value.is_finite())
        };
        let finished = members.iter().flatten().map(finite);
        let mut all: Vec<f64> = finished.collect::<Option<_>>().unwrap_or_default();
        all.sort_by(f64::total_cmp);
        let each = members.iter().enumerate();
        let each =
            each.map(|(number, member)| (number.to_string(), member.as_ref().and_then(finite)));
        let summaries = [("mean", mean(&all)), ("median", median(&all))];
        let summaries = summaries.map(|(name, value)| (name.to_owned(), value));
        rows.extend(each.chain(summaries).map(|(member, value)| ScoreRow {
            member,
            model: label.to_owned(),
            role: "parent".to_owned(),
            metric: metric.to_owned(),
            horizon: None,
            group: None,
            value,
            unit: None,
        }));
    }
    rows
}

/// None of no values.
pub(crate) fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// Of values in order; none of no values.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
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
    fn diverged_members_are_left_out_and_missing_values_are_not_passed_over() {
        let members = [
            Some(vec![Some(1.0), None]),
            None,
            Some(vec![Some(2.0), Some(f64::NAN)]),
            Some(vec![Some(6.0), Some(7.0)]),
            Some(vec![Some(4.0), Some(7.0)]),
        ];
        let rows = rows_of("net", ["a", "b"], &members);
        let lines: Vec<_> = rows
            .iter()
            .map(|row| (&row.metric[..], &row.member[..], row.value))
            .collect();
        assert_eq!(
            lines,
            [
                ("a", "0", Some(1.0)),
                ("a", "1", None),
                ("a", "2", Some(2.0)),
                ("a", "3", Some(6.0)),
                ("a", "4", Some(4.0)),
                ("a", "mean", Some(13.0 / 4.0)),
                ("a", "median", Some(3.0)),
                ("b", "0", None),
                ("b", "1", None),
                ("b", "2", None),
                ("b", "3", Some(7.0)),
                ("b", "4", Some(7.0)),
                ("b", "mean", None),
                ("b", "median", None),
            ]
        );
        assert_eq!(rows_of("net", ["a"], &[None])[1].value, None);
    }
}
