//! What is observed of a trajectory and what is asked for.

use std::ops::Range;

use engine::artifact::{Block, Layout, Trajectory};
use engine::error::Fault;
use engine::group;
use engine::params::{Gather, Numbers};

group! {
    /// What is observed of a trajectory and which steps are predicted.
    pub struct Observed {
        /// The runs to go on from.
        trajectory: Gather<Trajectory>, one_for_all();
        /// The steps observed: a range of those recorded, or a list; all before the first
        /// horizon when left out.
        observe: Option<Numbers>;
        /// The steps to predict.
        horizon: Vec<u64>;
    }
}

impl Observed {
    /// The rows observed and the horizons.
    ///
    /// # Errors
    /// The user's fault when the runs lack a step or the horizons are not ahead.
    pub fn window(&self) -> Result<Window, Fault> {
        Window::new(&self.trajectory, self.observe.as_ref(), &self.horizon)
    }
}

/// The observed rows of every member, and the horizons.
#[derive(Clone, Debug)]
pub struct Window {
    /// The tensors of the network.
    pub layout: Layout,
    /// The steps observed, oldest first.
    pub steps: Vec<u64>,
    /// Their rows.
    rows: Vec<usize>,
    /// The steps to predict, nearest first.
    pub horizons: Vec<u64>,
    /// All steps recorded.
    recorded: Vec<u64>,
}

/// What is observed of some weights.
pub struct History<'a> {
    /// Which weights.
    pub columns: Range<usize>,
    /// Their values at each step observed, oldest first.
    pub states: Vec<&'a [f32]>,
}

impl History<'_> {
    /// The newest state.
    pub fn last(&self) -> &[f32] {
        self.states.last().copied().unwrap_or_default()
    }

    /// The states of one weight.
    pub fn of(&self, weight: usize) -> impl Iterator<Item = f32> {
        self.states.iter().map(move |state| state[weight])
    }

    /// How many weights.
    pub fn len(&self) -> usize {
        self.columns.len()
    }
}

/// The members that did not diverge, with their numbers.
pub fn finished(trajectory: &Gather<Trajectory>) -> impl Iterator<Item = (usize, &Trajectory)> {
    let members = trajectory.members.iter().enumerate();
    members.filter_map(|(member, run)| Some((member, run.as_deref()?)))
}

/// The steps of a trajectory, one after another.
pub fn steps_of(trajectory: &Trajectory) -> Result<Vec<u64>, Fault> {
    let steps = trajectory.steps().map_err(|_| {
        Fault::at("trajectory", "the rows have no steps").with_hint(
            "a trajectory is made by `record`, `checkpoints` or `finetune(…, from: previous)`",
        )
    })?;
    match steps.windows(2).all(|pair| pair[0] < pair[1]) {
        true => Ok(steps),
        false => Err(Fault::at("trajectory", "the steps are not in order")),
    }
}

impl Window {
    /// The steps `observe` asks for, or all recorded before the first horizon.
    ///
    /// # Errors
    /// The user's fault when there are none, or a horizon is not after them.
    pub fn new(
        trajectory: &Gather<Trajectory>,
        observe: Option<&Numbers>,
        horizons: &[u64],
    ) -> Result<Self, Fault> {
        let Some((_, first)) = finished(trajectory).next() else {
            let message = format!("all members of `{}` diverged", trajectory.label);
            return Err(Fault::Diverged(message));
        };
        let window = Self::of_steps(&steps_of(first)?, observe, horizons)?;
        Ok(Self {
            layout: first.layout.clone(),
            ..window
        })
    }

    /// The same of recorded steps alone: it has no layout, and reads nothing.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn of_steps(
        recorded: &[u64],
        observe: Option<&Numbers>,
        horizons: &[u64],
    ) -> Result<Self, Fault> {
        let mut horizons = horizons.to_vec();
        horizons.sort_unstable();
        horizons.dedup();
        let nearest = horizons.first().copied().unwrap_or(u64::MAX);
        let shown = || format!("recorded: {}", shown(recorded));
        let steps = match observe {
            None => recorded
                .iter()
                .copied()
                .filter(|step| *step < nearest)
                .collect(),
            Some(numbers) => {
                let mut steps = numbers.among(recorded).map_err(|step| {
                    let message = format!("step {step} was not recorded");
                    Fault::at("observe", message).with_hint(shown())
                })?;
                steps.sort_unstable();
                steps.dedup();
                steps
            }
        };
        let Some(last) = steps.last() else {
            return Err(Fault::at("observe", "no recorded step is observed").with_hint(shown()));
        };
        if nearest <= *last {
            let message = format!("step {nearest} is not after the last step observed, {last}");
            return Err(Fault::at("horizon", message));
        }
        Ok(Self {
            layout: Layout::default(),
            recorded: recorded.to_vec(),
            rows: rows(recorded, &steps)?,
            steps,
            horizons,
        })
    }

    /// The steps observed, with nothing asked for yet: any recorded step may be observed.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn open(trajectory: &Gather<Trajectory>, observe: Option<&Numbers>) -> Result<Self, Fault> {
        let mut window = Self::new(trajectory, observe, &[u64::MAX])?;
        window.horizons.clear();
        Ok(window)
    }

    /// The same looked at backwards: the newest state is the oldest one.
    pub fn reversed(mut self) -> Self {
        self.steps.reverse();
        self.rows.reverse();
        self
    }

    /// All steps recorded.
    pub fn recorded(&self) -> &[u64] {
        &self.recorded
    }

    /// The steps of the next `times` states, as far apart as those observed.
    pub fn recurrences(&self, times: u64) -> Vec<u64> {
        let gap = self.steps[1] - self.steps[0];
        let step = |time: u64| self.last().saturating_add(time.saturating_mul(gap));
        (1..=times).map(step).collect()
    }

    /// The last step observed.
    pub fn last(&self) -> u64 {
        self.steps.last().copied().unwrap_or_default()
    }

    /// The same with `count` of the states: the first, the last, and others evenly between.
    ///
    /// # Errors
    /// The user's fault when fewer are observed.
    pub fn thinned(mut self, count: usize) -> Result<Self, Fault> {
        self.expect(count)?;
        let kept = (0..count).map(|at| match count {
            1 => self.rows.len() - 1,
            _ => (at * (self.rows.len() - 1) + (count - 1) / 2) / (count - 1),
        });
        let kept: Vec<usize> = kept.collect();
        self.rows = kept.iter().map(|at| self.rows[*at]).collect();
        self.steps = kept.iter().map(|at| self.steps[*at]).collect();
        Ok(self)
    }

    /// The same with only the newest `count` states.
    ///
    /// # Errors
    /// The user's fault when fewer are observed.
    pub fn newest(mut self, count: usize) -> Result<Self, Fault> {
        self.expect(count)?;
        self.rows.drain(..self.rows.len() - count);
        self.steps.drain(..self.steps.len() - count);
        Ok(self)
    }

    /// The same with `history` of the states, or all of them.
    ///
    /// # Errors
    /// As [`thinned`](Self::thinned).
    pub fn with_history(self, history: Option<usize>) -> Result<Self, Fault> {
        match history {
            Some(count) => self.thinned(count),
            None => Ok(self),
        }
    }

    /// The same with `count` states that are equally far apart.
    ///
    /// # Errors
    /// The user's fault when there are none such.
    pub fn equally_spaced(self, count: usize) -> Result<Self, Fault> {
        let thinned = self.thinned(count)?;
        let gaps: Vec<u64> = thinned
            .steps
            .windows(2)
            .map(|pair| pair[1].abs_diff(pair[0]))
            .collect();
        match gaps.windows(2).all(|pair| pair[0] == pair[1]) {
            true => Ok(thinned),
            false => Err(Fault::at(
                "observe",
                format!(
                    "expected {count} states equally far apart, found steps {}",
                    shown(&thinned.steps)
                ),
            )
            .with_hint("name them: `observe: [0, 10, 20]`")),
        }
    }

    /// Refuses fewer observed states than `count`.
    ///
    /// # Errors
    /// The user's fault when they are not.
    pub fn expect(&self, count: usize) -> Result<(), Fault> {
        match self.rows.len() < count {
            false => Ok(()),
            true => Err(Fault::at(
                "observe",
                format!(
                    "expected at least {count} observed states, found {}",
                    self.rows.len()
                ),
            )),
        }
    }

    /// The observed states nearest to these shares of the way from the first to the last.
    pub fn nearest_to(mut self, shares: &[f64]) -> Self {
        let (first, last) = (self.steps[0], self.last());
        let nearest = |share: &f64| {
            let wanted = first as f64 + share * (last - first) as f64;
            let off = |at: &usize| (self.steps[*at] as f64 - wanted).abs();
            (0..self.steps.len())
                .min_by(|a, b| off(a).total_cmp(&off(b)))
                .unwrap_or_default()
        };
        let kept: Vec<usize> = shares.iter().map(nearest).collect();
        self.rows = kept.iter().map(|at| self.rows[*at]).collect();
        self.steps = kept.iter().map(|at| self.steps[*at]).collect();
        self
    }

    /// The distance of each horizon from the last step observed, in units of `spacing`.
    pub fn ahead(&self, spacing: f64) -> Vec<f64> {
        let ahead = |horizon: &u64| (horizon - self.last()) as f64 / spacing;
        self.horizons.iter().map(ahead).collect()
    }

    /// The observed states of some columns.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn read(&self, run: &Trajectory, columns: Range<usize>) -> Result<Block, Fault> {
        run.read(&self.rows, columns)
    }

    /// What is observed of weights that [`read`](Self::read) gave.
    pub fn history<'a>(&self, block: &'a Block) -> History<'a> {
        History {
            columns: block.columns.clone(),
            states: block.rows().collect(),
        }
    }

    /// The rows of another run at the steps observed, and at the horizons.
    ///
    /// # Errors
    /// The user's fault when a step was not recorded there.
    pub fn rows_in(&self, run: &Trajectory) -> Result<(Vec<usize>, Vec<usize>), Fault> {
        self.rows_among(&steps_of(run)?)
    }

    /// The same window, when its horizons were recorded too, so that a method can be fitted.
    ///
    /// # Errors
    /// As [`rows_in`](Self::rows_in).
    pub fn within_recorded(self) -> Result<Self, Fault> {
        self.rows_among(&self.recorded)?;
        Ok(self)
    }

    /// The same among recorded steps.
    ///
    /// # Errors
    /// As [`rows_in`](Self::rows_in).
    pub fn rows_among(&self, recorded: &[u64]) -> Result<(Vec<usize>, Vec<usize>), Fault> {
        let mut horizons = self.horizons.iter();
        if let Some(beyond) = horizons.find(|horizon| !recorded.contains(horizon)) {
            let message =
                format!("step {beyond} was not recorded, so that nothing can be fitted to it");
            return Err(
                Fault::at("horizon", message).with_hint(format!("recorded: {}", shown(recorded)))
            );
        }
        Ok((
            rows(recorded, &self.steps)?,
            rows(recorded, &self.horizons)?,
        ))
    }
}

fn rows(recorded: &[u64], steps: &[u64]) -> Result<Vec<usize>, Fault> {
    let row = |step: &u64| {
        let message = || Fault::at("observe", format!("step {step} was not recorded"));
        recorded
            .iter()
            .position(|known| known == step)
            .ok_or_else(message)
    };
    steps.iter().map(row).collect()
}

/// Some of the numbers, when there are many: `0, 10, 20, …, 500`.
fn shown(steps: &[u64]) -> String {
    let text = |steps: &[u64]| {
        let steps: Vec<String> = steps.iter().map(u64::to_string).collect();
        steps.join(", ")
    };
    match steps {
        [] => "none".to_owned(),
        [first @ .., last] if steps.len() > 8 => format!("{}, …, {last}", text(&first[..3])),
        _ => text(steps),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{gather, run};
    use super::*;

    fn window(observe: Option<Numbers>, horizons: &[u64]) -> Result<Window, String> {
        let runs = gather([None, Some(run(0.1))]);
        Window::new(&runs, observe.as_ref(), horizons).map_err(|fault| fault.to_string())
    }

    #[test]
    fn observed_steps_are_a_range_a_list_or_all_before_the_horizon() {
        // The run is recorded at 0, 10, … 60.
        assert_eq!(window(None, &[40, 30]).unwrap().steps, [0, 10, 20]);
        assert_eq!(window(None, &[40, 30]).unwrap().horizons, [30, 40]);
        let every = Numbers::Ranged(0, 45, 20);
        assert_eq!(window(Some(every), &[60]).unwrap().steps, [0, 20, 40]);
        let listed = Numbers::Listed(vec![30, 0]);
        assert_eq!(window(Some(listed), &[1000]).unwrap().steps, [0, 30]);
    }

    #[test]
    fn what_cannot_be_observed_or_predicted_is_refused() {
        let listed = |steps: &[i64]| Some(Numbers::Listed(steps.to_vec()));
        for (observe, horizons, expected) in [
            (listed(&[0, 15]), [60], "step 15 was not recorded"),
            (listed(&[-10]), [60], "step -10 was not recorded"),
            (
                Some(Numbers::Ranged(1, 9, 1)),
                [60],
                "no recorded step is observed",
            ),
            (
                listed(&[0, 30]),
                [30],
                "step 30 is not after the last step observed, 30",
            ),
            (None, [0], "no recorded step is observed"),
        ] {
            assert_eq!(window(observe, &horizons).unwrap_err(), expected);
        }
        let all_diverged = Window::new(&gather([None]), None, &[1]).unwrap_err();
        assert_eq!(all_diverged.to_string(), "all members of `w` diverged");
    }

    #[test]
    fn states_are_thinned_evenly() {
        let window = window(None, &[60]).unwrap();
        let steps = |count: usize| window.clone().thinned(count).map(|thinned| thinned.steps);
        assert_eq!(steps(1).unwrap(), [50]);
        assert_eq!(steps(2).unwrap(), [0, 50]);
        assert_eq!(steps(6).unwrap(), [0, 10, 20, 30, 40, 50]);
        assert_eq!(
            steps(7).unwrap_err().to_string(),
            "expected at least 7 observed states, found 6"
        );
        assert!(window.clone().equally_spaced(6).is_ok());
        let uneven = window.equally_spaced(3).unwrap_err();
        assert_eq!(
            uneven.to_string(),
            "expected 3 states equally far apart, found steps 0, 30, 50"
        );
    }
}
