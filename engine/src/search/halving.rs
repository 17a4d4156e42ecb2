//! Successive halving: many points on a small budget, the best of them on larger ones.

use dsl::experiment::Value;
use dsl::sweep::search::{Finding, Proposal};
use dsl::sweep::space::{Setting, Space};

use super::sampling::latin;
use super::stream::Stream;

/// How many of `count` points run on each budget: as many as make every budget cost the same
/// in all, at least one (Jamieson and Talwalkar, 2016, with `count · first / budget` points).
fn rungs(count: usize, budgets: &[i64]) -> Vec<usize> {
    let first = budgets.first().copied().unwrap_or(1) as f64;
    budgets
        .iter()
        .map(|budget| ((count as f64 * first / *budget as f64) as usize).max(1))
        .collect()
}

/// `count` points of a Latin hypercube on the first budget, the best of them on the next, and
/// so on. The budget is the last setting of each point; `score` returns what is known of one.
pub fn halving(
    space: &Space,
    count: usize,
    budgets: &[i64],
    seed: u64,
    score: &mut dyn FnMut(&[Setting]) -> Finding,
) -> Proposal {
    let mut points = latin(space, count, &mut Stream::new(seed));
    let sizes = rungs(points.len(), budgets);
    let mut proposed: Vec<Vec<Setting>> = Vec::new();
    for (rung, budget) in budgets.iter().enumerate() {
        points.truncate(sizes[rung]);
        let on_budget = points.iter().map(|point| {
            let mut point = point.clone();
            point.push(Some(Value::Int(*budget)));
            point
        });
        let on_budget: Vec<Vec<Setting>> = on_budget.collect();
        let found: Vec<Finding> = on_budget.iter().map(|point| score(point)).collect();
        proposed.extend(on_budget);
        if found.contains(&Finding::Unknown) {
            return Proposal {
                points: proposed,
                to_come: sizes[rung + 1..].iter().sum(),
            };
        }
        let mut ranked: Vec<(f64, Vec<Setting>)> = found
            .iter()
            .zip(points)
            .filter(|(found, _)| matches!(found, Finding::Cost(_)))
            .map(|(found, point)| (found.cost(), point))
            .collect();
        ranked.sort_by(|(one, _), (other, _)| one.total_cmp(other));
        points = ranked.into_iter().map(|(_, point)| point).collect();
    }
    Proposal {
        points: proposed,
        to_come: 0,
    }
}

#[cfg(test)]
mod tests {
    use dsl::sweep::space::{Axis, Scale, Values};

    use super::*;

    #[test]
    fn every_budget_costs_the_same() {
        assert_eq!(rungs(27, &[1, 3, 9, 27]), [27, 9, 3, 1]);
        assert_eq!(rungs(10, &[5, 15, 45]), [10, 3, 1]);
        assert_eq!(rungs(2, &[1, 10]), [2, 1]);
    }

    #[test]
    fn the_best_go_on_and_what_failed_does_not() {
        let space = Space {
            axes: vec![Axis {
                values: Values::Whole(1, 9, Scale::Linear),
                when: None,
            }],
        };
        let value = |point: &[Setting]| match (&point[0], &point[1]) {
            (Some(Value::Int(value)), Some(Value::Int(budget))) => (*value, *budget),
            _ => unreachable!(),
        };
        let mut score = |point: &[Setting]| match value(point) {
            (1, _) => Finding::Nothing,
            (value, _) => Finding::Cost(value as f64),
        };
        let done = halving(&space, 9, &[1, 3, 9], 4, &mut score);
        let on = |budget: i64| -> Vec<i64> {
            let points = done.points.iter().map(|point| value(point));
            points
                .filter(|(_, on)| *on == budget)
                .map(|(value, _)| value)
                .collect()
        };
        assert_eq!(on(1).len(), 9);
        assert_eq!((on(3), on(9)), (vec![2, 3, 4], vec![2]));
        assert_eq!(done.to_come, 0);
        let start = halving(&space, 9, &[1, 3, 9], 4, &mut |_| Finding::Unknown);
        assert_eq!((start.points.len(), start.to_come), (9, 4));
    }
}
