//! The predictions of all members of a model, and what they are combined to.

use std::sync::Arc;

use engine::artifact::ScoreRow;
use engine::error::Fault;
use engine::params::Gather;
use engine::plugin::Context;

/// What a model predicts for every row.
#[derive(Clone)]
pub(crate) struct Ensemble {
    /// The label of the statement.
    pub label: String,
    /// Its role in the scores.
    pub role: &'static str,
    /// The predictions by member number, then `mean`, `median` and other combinations; `None`
    /// where diverged.
    pub series: Vec<(String, Option<Vec<f64>>)>,
    /// How many members there are.
    count: usize,
}

impl Ensemble {
    /// The predictions of each member that did not diverge.
    pub fn of<T: Send + Sync>(
        label: &str,
        model: &Gather<T>,
        role: &'static str,
        context: &Context,
        predict: impl Fn(&T) -> Result<Vec<f64>, Fault> + Sync,
    ) -> Result<Self, Fault> {
        let predict = |member: &Option<Arc<T>>| member.as_deref().map(&predict).transpose();
        let members = context.share(&model.members, predict);
        let members = members.into_iter().collect::<Result<_, _>>()?;
        Ok(Self::new(label, role, members))
    }

    /// What has no members: one series of predictions.
    pub fn single(label: &str, role: &'static str, predictions: Vec<f64>) -> Self {
        Self::new(label, role, vec![Some(predictions)])
    }

    fn new(label: &str, role: &'static str, members: Vec<Option<Vec<f64>>>) -> Self {
        let finished: Vec<&Vec<f64>> = members.iter().flatten().collect();
        let mean = by_row(&finished, |row| row.iter().sum::<f64>() / row.len() as f64);
        let median = by_row(&finished, median);
        let count = members.len();
        let numbers = (0..count).map(|member| member.to_string());
        let combined = [("mean", mean), ("median", median)];
        Self {
            label: label.to_owned(),
            role,
            series: numbers
                .zip(members)
                .chain(combined.map(|(name, values)| (name.to_owned(), Some(values))))
                .collect(),
            count,
        }
    }

    /// The same with other predictions in place of those of each series.
    pub fn each(&self, change: impl Fn(&[f64]) -> Vec<f64>) -> Self {
        let changed = |(name, values): &(String, Option<Vec<f64>>)| {
            (name.clone(), values.as_deref().map(&change))
        };
        Self {
            label: self.label.clone(),
            role: self.role,
            series: self.series.iter().map(changed).collect(),
            count: self.count,
        }
    }

    /// The predictions of the members by number; `None` where diverged.
    pub fn members(&self) -> impl Iterator<Item = Option<&[f64]>> {
        let members = self.series.iter().take(self.count);
        members.map(|(_, values)| values.as_deref())
    }

    /// Adds the mean of the members with these weights; those without one take no part.
    ///
    /// Nothing is added when none takes part.
    pub fn combine(&mut self, name: &str, weights: &[Option<f64>]) {
        let (weights, members): (Vec<f64>, Vec<&[f64]>) = (weights.iter().zip(self.members()))
            .filter_map(|(weight, values)| Some(((*weight)?, values?)))
            .unzip();
        let total: f64 = weights.iter().sum();
        if total > 0.0 {
            let combined = by_row(&members, |row| {
                let products = row
                    .iter()
                    .zip(&weights)
                    .map(|(value, weight)| value * weight);
                products.sum::<f64>() / total
            });
            self.series.push((name.to_owned(), Some(combined)));
        }
    }

    /// The predictions of a member, or the `mean` or `median`.
    pub fn series(&self, member: &str) -> Option<&[f64]> {
        let found = self.series.iter().find(|(name, _)| name == member);
        found.and_then(|(_, values)| values.as_deref())
    }

    /// How many predictions of members are not finite, and how many there are.
    pub fn not_finite(&self) -> (usize, usize) {
        let values = || self.members().flatten().flatten();
        let bad = values().filter(|value| !value.is_finite()).count();
        (bad, values().count())
    }
}

/// A number about a member of a model, over all rows.
pub(crate) fn line(
    label: &str,
    role: &str,
    member: &str,
    metric: &str,
    value: Option<f64>,
) -> ScoreRow {
    ScoreRow {
        member: member.to_owned(),
        model: label.to_owned(),
        role: role.to_owned(),
        metric: metric.to_owned(),
        horizon: None,
        group: None,
        value,
        unit: None,
    }
}

/// A number for each row from the predictions of all members, in member order.
fn by_row<M: AsRef<[f64]>>(members: &[M], statistic: impl Fn(&mut [f64]) -> f64) -> Vec<f64> {
    let rows = members.first().map_or(0, |member| member.as_ref().len());
    let mut row = vec![0.0; members.len()];
    (0..rows)
        .map(|index| {
            for (value, member) in row.iter_mut().zip(members) {
                *value = member.as_ref()[index];
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
        let ensemble = Ensemble::of(
            "m",
            &model,
            "child",
            &Context::alone("ensemble"),
            |values: &Vec<f64>| Ok(values.clone()),
        )
        .unwrap();
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
    fn combinations_are_those_worked_out_by_hand() {
        let member = |values: &[f64]| Some(Arc::new(values.to_vec()));
        let model = Gather {
            label: Label("m".to_owned()),
            members: vec![member(&[1.0, 5.0]), None, member(&[4.0, 9.0])],
        };
        let mut ensemble = Ensemble::of(
            "m",
            &model,
            "child",
            &Context::alone("ensemble"),
            |values: &Vec<f64>| Ok(values.clone()),
        )
        .unwrap();
        ensemble.combine("weighted", &[Some(2.0), Some(7.0), Some(1.0)]);
        ensemble.combine("best", &[Some(1.0), None, None]);
        ensemble.combine("nothing", &[None, Some(1.0), None]);
        // (2 * 1 + 4) / 3 and (2 * 5 + 9) / 3.
        let expected = [2.0, 19.0 / 3.0];
        assert_eq!(ensemble.series("weighted"), Some(&expected[..]));
        assert_eq!(ensemble.series("best"), Some(&[1.0, 5.0][..]));
        assert_eq!(ensemble.series("nothing"), None);
        assert_eq!(ensemble.not_finite(), (0, 4));
    }

    #[test]
    fn an_even_count_has_the_mean_of_the_middle_two() {
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 100.0]), 3.5);
    }
}
