//! The predictions of all members of a model, and their mean and median.

use std::sync::Arc;

use engine::error::Fault;
use engine::params::Gather;

/// What a model predicts for every row.
pub(super) struct Ensemble {
    /// The label of the statement.
    pub label: String,
    /// Its role in the scores.
    pub role: &'static str,
    /// The predictions by member number, then `mean` and `median`; `None` where diverged.
    pub series: Vec<(String, Option<Vec<f64>>)>,
}

impl Ensemble {
    /// The predictions of each member that did not diverge.
    pub fn of<T>(
        model: &Gather<T>,
        role: &'static str,
        predict: impl Fn(&T) -> Result<Vec<f64>, Fault>,
    ) -> Result<Self, Fault> {
        let predict = |member: &Option<Arc<T>>| member.as_deref().map(&predict).transpose();
        let members = model
            .members
            .iter()
            .map(predict)
            .collect::<Result<Vec<_>, Fault>>()?;
        let finished: Vec<&Vec<f64>> = members.iter().flatten().collect();
        let mean = by_row(&finished, |row| row.iter().sum::<f64>() / row.len() as f64);
        let median = by_row(&finished, median);
        let numbers = (0..members.len()).map(|member| member.to_string());
        Ok(Self {
            label: model.label.0.clone(),
            role,
            series: numbers
                .zip(members)
                .chain([
                    ("mean".to_owned(), Some(mean)),
                    ("median".to_owned(), Some(median)),
                ])
                .collect(),
        })
    }

    /// The predictions of a member, or the `mean` or `median`.
    pub fn series(&self, member: &str) -> Option<&[f64]> {
        let found = self.series.iter().find(|(name, _)| name == member);
        found.and_then(|(_, values)| values.as_deref())
    }

    /// How many predictions of members are not finite, and how many there are.
    pub fn not_finite(&self) -> (usize, usize) {
        let members = self.series.len() - 2;
        let values = || {
            self.series[..members]
                .iter()
                .filter_map(|(_, v)| v.as_ref())
                .flatten()
        };
        let bad = values().filter(|value| !value.is_finite()).count();
        (bad, values().count())
    }
}

/// A number for each row from the predictions of all members, in member order.
fn by_row(members: &[&Vec<f64>], statistic: impl Fn(&mut [f64]) -> f64) -> Vec<f64> {
    let rows = members.first().map_or(0, |member| member.len());
    let mut row = vec![0.0; members.len()];
    (0..rows)
        .map(|index| {
            for (value, member) in row.iter_mut().zip(members) {
                *value = member[index];
            }
            statistic(&mut row)
        })
        .collect()
}

/// The middle value, the mean of the two middle ones of an even count; NaN if any is not finite.
fn median(row: &mut [f64]) -> f64 {
    if row.iter().any(|value| !value.is_finite()) {
        return f64::NAN;
    }
    row.sort_by(f64::total_cmp);
    let middle = row.len() / 2;
    match row.len() % 2 {
        0 => (row[middle - 1] + row[middle]) / 2.0,
        _ => row[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::params::Label;

    #[test]
    fn statistics_are_of_the_members_that_finished() {
        let member = |values: &[f64]| Some(Arc::new(values.to_vec()));
        let model = Gather {
            label: Label("m".to_owned()),
            members: vec![
                member(&[1.0, 5.0]),
                None,
                member(&[2.0, f64::NAN]),
                member(&[9.0, 6.0]),
            ],
        };
        let ensemble = Ensemble::of(&model, "child", |values| Ok(values.clone())).unwrap();
        let names: Vec<&str> = ensemble
            .series
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(names, ["0", "1", "2", "3", "mean", "median"]);
        assert_eq!(ensemble.series("1"), None);
        assert_eq!(ensemble.series("mean").unwrap()[0], 4.0);
        assert_eq!(ensemble.series("median").unwrap()[0], 2.0);
        assert!(ensemble.series("mean").unwrap()[1].is_nan());
        assert!(ensemble.series("median").unwrap()[1].is_nan());
        assert_eq!(ensemble.not_finite(), (1, 6));
    }

    #[test]
    fn an_even_count_has_the_mean_of_the_middle_two() {
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 100.0]), 3.5);
    }
}
