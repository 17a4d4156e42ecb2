//! What an inner extrapolation says about the members of a model.

use engine::artifact::Scores;

use super::metric::correlation;

/// The inner errors of a model's members and of their parents, by member number.
pub(crate) struct Trial {
    own: Vec<Option<f64>>,
    parent: Vec<Option<f64>>,
}

impl Trial {
    /// What the scores of an `inner` say about a model with this label; `None` when nothing.
    pub fn of(scores: &Scores, label: &str) -> Option<Self> {
        let errors = |is_model: &dyn Fn(&str, &str) -> bool| -> Vec<Option<f64>> {
            let rows = scores.rows.iter().filter(|row| {
                is_model(&row.model, &row.role)
                    && (row.metric == "rmse" && row.group.is_none())
                    && row.member.parse::<usize>().is_ok()
            });
            rows.map(|row| row.value).collect()
        };
        let own = errors(&|model, _| model == label);
        let parent = errors(&|_, role| role == "parent");
        (!own.is_empty()).then_some(Self { own, parent })
    }

    /// The weight of each member: one over its inner mean squared error.
    pub fn weights(&self) -> Vec<Option<f64>> {
        // A member without any error must not make the sum of the weights infinite.
        let weight = |error: f64| 1.0 / (error * error).max(1e-300);
        self.own.iter().map(|error| error.map(weight)).collect()
    }

    /// A weight of 1 for the given share of the members, those of least inner error; none that
    /// is worse than its parent there, unless all are.
    pub fn best(&self, share: f64) -> Vec<Option<f64>> {
        let known = |member: &usize| self.own[*member].is_some();
        let mut order: Vec<usize> = (0..self.own.len()).filter(known).collect();
        let count = (share * order.len() as f64).round().max(1.0) as usize;
        let error = |member: &usize| self.own[*member].unwrap_or(f64::INFINITY);
        order.sort_by(|a, b| error(a).total_cmp(&error(b)));
        let worse = self.worse();
        if order.iter().any(|member| !worse.contains(member)) {
            order.retain(|member| !worse.contains(member));
        }
        order.truncate(count);
        (0..self.own.len())
            .map(|member| order.contains(&member).then_some(1.0))
            .collect()
    }

    /// 1 less the inner squared error divided by the parent's, of each member.
    pub fn skills(&self) -> Vec<Option<f64>> {
        let skill = |(own, parent): (&Option<f64>, &Option<f64>)| {
            let skill = 1.0 - ((*own)? / (*parent)?).powi(2);
            skill.is_finite().then_some(skill)
        };
        self.own.iter().zip(&self.parent).map(skill).collect()
    }

    /// The members that are worse than their parents there.
    pub fn worse(&self) -> Vec<usize> {
        let skills = self.skills().into_iter().enumerate();
        let worse = skills.filter(|(_, skill)| skill.is_some_and(|skill| skill < 0.0));
        worse.map(|(member, _)| member).collect()
    }
}

/// How two numbers about each member go together, over the members that have both.
pub(crate) struct Agreement {
    /// How many members have both.
    pub members: usize,
    /// Pearson's correlation.
    pub linear: Option<f64>,
    /// Spearman's rank correlation.
    pub ranks: Option<f64>,
}

impl Agreement {
    /// Of the numbers of members in the same order.
    pub fn of(a: &[Option<f64>], b: &[Option<f64>]) -> Self {
        let both = a.iter().zip(b).filter_map(|(a, b)| a.zip(*b));
        let (a, b): (Vec<f64>, Vec<f64>) = both.unzip();
        let known = |value: f64| value.is_finite().then_some(value);
        Self {
            members: a.len(),
            linear: known(correlation(&a, &b)),
            ranks: known(correlation(&ranks(&a), &ranks(&b))),
        }
    }
}

/// The rank of each value from 1; equal values share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |value: &f64| {
        let below = values.iter().filter(|other| *other < value).count();
        let equal = values.iter().filter(|other| *other == value).count();
        below as f64 + (equal as f64 + 1.0) / 2.0
    };
    values.iter().map(rank).collect()
}

#[cfg(test)]
mod tests {
    use engine::artifact::ScoreRow;

    use super::*;

    fn scores(child: &[Option<f64>], parent: &[Option<f64>]) -> Scores {
        let rows = |model: &'static str, role: &'static str, values: &[Option<f64>]| {
            let row = move |(member, value): (usize, &Option<f64>)| ScoreRow {
                member: member.to_string(),
                model: model.to_owned(),
                role: role.to_owned(),
                metric: "rmse".to_owned(),
                horizon: None,
                group: None,
                value: *value,
                unit: None,
            };
            values.iter().enumerate().map(row).collect::<Vec<_>>()
        };
        let rows = [
            rows("net", "parent", parent),
            rows("adapted", "child", child),
        ];
        Scores {
            rows: rows.concat(),
            ..Scores::default()
        }
    }

    #[test]
    fn members_are_weighed_and_chosen_by_inner_error() {
        let child = [Some(0.5), None, Some(2.0), Some(0.25), Some(1.0)];
        let parent = [Some(1.0), Some(1.0), Some(1.0), Some(0.2), Some(2.0)];
        let trial = Trial::of(&scores(&child, &parent), "adapted").unwrap();
        let weights = [Some(4.0), None, Some(0.25), Some(16.0), Some(1.0)];
        assert_eq!(trial.weights(), weights);
        assert_eq!(trial.worse(), [2, 3]);
        assert_eq!(trial.skills()[..3], [Some(0.75), None, Some(-3.0)]);
        // Half of the four are two; member 3 has the least error, but its parent's is less.
        let chosen = [Some(1.0), None, None, None, Some(1.0)];
        assert_eq!(trial.best(0.5), chosen);
        assert_eq!(trial.best(0.0), [Some(1.0), None, None, None, None]);
        assert!(Trial::of(&scores(&child, &parent), "other").is_none());
    }

    #[test]
    fn correlations_agree_with_scipy() {
        // a = [0.1, 0.4, 0.4, 0.9, 0.7]; b = [1, 3, 2, 4, 9]
        // scipy.stats.pearsonr(a, b)[0], scipy.stats.spearmanr(a, b)[0]
        let a = [0.1, 0.4, 0.4, 0.9, 0.7].map(Some);
        let b = [1.0, 3.0, 2.0, 4.0, 9.0].map(Some);
        let found = Agreement::of(&a, &b);
        assert!((found.linear.unwrap() - 0.651_076_990_812_357).abs() < 1e-12);
        assert!((found.ranks.unwrap() - 0.872_081_599_272_381).abs() < 1e-12);
        let gaps = Agreement::of(&[Some(1.0), None], &[Some(1.0), Some(2.0)]);
        assert_eq!((gaps.members, gaps.linear), (1, None));
    }
}
