//! `reach(plain, leaping)`: how many steps training takes to a loss, and where it ends.

use dsl::facts::About;
use engine::artifact::Scores;
use engine::error::Fault;
use engine::params::Gather;
use engine::plugin;
use engine::plugin::{Complaint, Context, Plugin, Sketch, Training};

use super::support::table::{Measured, rows_of};
use crate::parents::Parent;

plugin! {
    /// How many steps training takes to a loss on the rows held out, and where it ends.
    ///
    /// From the loss curve kept with each network, which has about 200 points, for each member
    /// and as `mean` and `median` of the members, which have a value only where all members do:
    ///
    /// - `steps_to_loss`: the first point at which the loss is the target or less; no value
    ///   where that was never so
    /// - `reached`: 1 where it was so, 0 where not; its mean is the share of members
    /// - `final_loss`, `best_loss`: at the end, and the smallest on the way
    /// - `steps`, `jumps`, `rejected`, `guard_evaluations`: what was done on the way
    ///
    /// Without `loss` the target of each member is the smallest loss of the same member of the
    /// first network: what training without jumps has, say, is what training with jumps must
    /// come to.
    ///
    /// ```farcast
    /// parent plain = mlp(seen, inputs: [x], target: y, hold_out: 0.2, steps: 60, members: 2)
    /// parent leaping = mlp(
    ///     seen,
    ///     inputs: [x],
    ///     target: y,
    ///     hold_out: 0.2,
    ///     steps: 60,
    ///     members: 2,
    ///     jump: nowcast(linear, every: 20, ahead: 10),
    /// )
    /// score sooner = reach(plain, leaping)
    /// ```
    "reach" version 1
    pub struct Reach {
        /// The networks; the first sets the target.
        parents: Vec<Gather<Parent>>, variadic();
        /// The loss to be reached.
        loss: Option<f64>;
    }
}

/// What is given of each member.
const METRICS: [&str; 8] = [
    "steps_to_loss",
    "reached",
    "final_loss",
    "best_loss",
    "steps",
    "jumps",
    "rejected",
    "guard_evaluations",
];

impl Plugin for Reach {
    type Output = Scores;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let complaint = |parent: &About| {
            let training = parent.facts.network.as_ref()?.training;
            let (message, hint) = match training {
                Training::Steps { held_out: true, .. } => return None,
                Training::Steps { .. } => (
                    format!("`{}` was trained without rows held out", parent.name),
                    "give `hold_out: 0.1` to each",
                ),
                Training::Solved | Training::Unknown | Training::Program => (
                    format!(
                        "`{}` was not trained by steps here: it has no loss curve",
                        parent.name
                    ),
                    "`evaluate` and `compare` measure networks however they came about",
                ),
            };
            Some(Complaint::at("parents", message).with_hint(hint))
        };
        let parents = call.inputs("parents");
        Vec::from_iter(parents.iter().find_map(complaint))
    }

    fn run(self, _: &Context) -> Result<Scores, Fault> {
        let first = self.parents.first().map_or(&[][..], |first| &first.members);
        let mut rows = Vec::new();
        for parents in &self.parents {
            let mut members = Vec::with_capacity(parents.members.len());
            for (number, member) in parents.members.iter().enumerate() {
                let target = self.loss.or_else(|| {
                    let first = first.get(number)?.as_deref()?;
                    best(first)
                });
                members.push(match member {
                    Some(parent) => Some(measured(parent, target)?),
                    None => None,
                });
            }
            rows.extend(rows_of(&parents.label.0, METRICS, &members));
        }
        Ok(Scores {
            rows,
            ..Scores::default()
        })
    }
}

fn measured(parent: &Parent, target: Option<f64>) -> Result<Measured, Fault> {
    let Some((_, final_loss)) = held_out(parent).last() else {
        let message = "the networks were trained without rows held out";
        return Err(Fault::at("parents", message).with_hint("give `hold_out: 0.1` to each"));
    };
    let mut curve = held_out(parent);
    let reached = target.and_then(|target| curve.find(|(_, loss)| *loss <= target));
    let counts = parent.training.as_ref().map(|training| training.counts);
    let count = |count: Option<u64>| count.map(|count| count as f64);
    Ok(vec![
        count(reached.map(|(step, _)| step)),
        count(Some(u64::from(reached.is_some()))),
        Some(final_loss),
        best(parent),
        count(counts.map(|counts| counts.steps)),
        count(counts.map(|counts| counts.jumps)),
        count(counts.map(|counts| counts.rejected)),
        count(counts.map(|counts| counts.guard_evaluations)),
    ])
}

/// The loss on the rows held out, step by step.
fn held_out(parent: &Parent) -> impl Iterator<Item = (u64, f64)> {
    let losses = parent.losses.iter();
    losses.filter_map(|(step, _, held_out)| Some((*step, (*held_out)?)))
}

fn best(parent: &Parent) -> Option<f64> {
    held_out(parent)
        .map(|(_, loss)| loss)
        .min_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use engine::params::Label;

    use super::*;
    use crate::children::tests::child;

    fn parents(label: &str, curves: &[Option<&[f64]>]) -> Gather<Parent> {
        let member = |curve: &Option<&[f64]>| {
            let mut parent = child(1).parent;
            let losses = curve.as_ref()?.iter().enumerate();
            parent.losses = losses
                .map(|(at, loss)| (10 * (at as u64 + 1), 1.0, Some(*loss)))
                .collect();
            Some(Arc::new(parent))
        };
        Gather {
            label: Label(label.to_owned()),
            members: curves.iter().map(member).collect(),
        }
    }

    fn values(scores: &Scores, model: &str, metric: &str) -> Vec<Option<f64>> {
        let rows = scores.rows.iter();
        rows.filter(|row| (&row.model[..], &row.metric[..]) == (model, metric))
            .map(|row| row.value)
            .collect()
    }

    fn reach(loss: Option<f64>) -> Scores {
        let call = Reach {
            parents: vec![
                parents(
                    "plain",
                    &[Some(&[3.0, 2.0, 1.0, 1.5]), Some(&[2.0, 1.0]), None],
                ),
                parents(
                    "leaping",
                    &[Some(&[1.0, 2.0]), Some(&[1.5, 1.25]), Some(&[1.0])],
                ),
            ],
            loss,
        };
        call.run(&Context::alone("reach")).expect("scores")
    }

    #[test]
    fn the_target_is_the_best_of_the_first_member_by_member() {
        let scores = reach(None);
        assert_eq!(
            values(&scores, "plain", "steps_to_loss"),
            [Some(30.0), Some(20.0), None, Some(25.0), Some(25.0)]
        );
        assert_eq!(
            values(&scores, "leaping", "steps_to_loss"),
            [Some(10.0), None, None, None, None]
        );
        // The third member has no target: the first network diverged there.
        assert_eq!(
            values(&scores, "leaping", "reached")[..3],
            [Some(1.0), Some(0.0), Some(0.0)]
        );
        assert_eq!(values(&scores, "plain", "final_loss")[0], Some(1.5));
        assert_eq!(values(&scores, "plain", "best_loss")[0], Some(1.0));
        assert_eq!(values(&scores, "plain", "jumps")[0], None);
    }

    #[test]
    fn a_target_that_is_given_holds_for_all() {
        assert_eq!(
            values(&reach(Some(2.0)), "plain", "steps_to_loss")[..2],
            [Some(20.0), Some(10.0)]
        );
    }

    #[test]
    fn curves_without_rows_held_out_are_refused() {
        let mut none = child(1).parent;
        none.losses = vec![(10, 1.0, None)];
        let call = Reach {
            parents: vec![Gather {
                label: Label::default(),
                members: vec![Some(Arc::new(none))],
            }],
            loss: None,
        };
        assert_eq!(
            call.run(&Context::alone("reach")).unwrap_err().to_string(),
            "the networks were trained without rows held out"
        );
    }
}
