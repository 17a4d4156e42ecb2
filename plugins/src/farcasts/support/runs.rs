//! The runs that a method is fitted on: some members, or another statement's.

use engine::artifact::Trajectory;
use engine::error::Fault;
use engine::group;
use engine::params::{Gather, Numbers};

use super::window::{Window, finished};

group! {
    /// Which runs a method is fitted on.
    pub struct FitRuns {
        /// The members to fit on, counted from 0; all when left out.
        train_on: Option<Numbers>;
        /// Other runs to fit on.
        runs: Option<Gather<Trajectory>>;
    }
}

/// Runs with what is observed of them and what came after.
pub struct Runs<'a> {
    runs: Vec<MemberRun<'a>>,
    /// How many states are observed.
    observed: usize,
    /// Which members of the predicted trajectory are among them.
    pub fitted_on: Vec<u32>,
}

struct MemberRun<'a> {
    trajectory: &'a Trajectory,
    /// The rows observed, then those at the horizons.
    rows: Vec<usize>,
}

/// Some weights of one run: what is observed of them and what came after.
pub struct Example<'a> {
    /// Where these weights start among those of all runs.
    pub start: usize,
    /// The states observed, oldest first.
    pub states: Vec<&'a [f32]>,
    /// The states at the horizons, nearest first.
    pub targets: Vec<&'a [f32]>,
}

/// The `runs` of `fit`, or else `own`; of these the members that `train_on` lists. Returns the
/// numbers of those members of `own`, too.
///
/// # Errors
/// The user's fault when there are none.
pub fn choose<'a>(
    own: &'a Gather<Trajectory>,
    fit: &'a FitRuns,
) -> Result<(Vec<&'a Trajectory>, Vec<u32>), Fault> {
    let other = fit.runs.as_ref();
    let from = other.unwrap_or(own);
    let members: Vec<u64> = (0..from.members.len() as u64).collect();
    let wanted = match &fit.train_on {
        None => members,
        Some(numbers) => numbers.among(&members).map_err(|member| {
            let message = format!("there is no member {member} in `{}`", from.label);
            Fault::at("train_on", message)
                .with_hint(format!("members: 0..={}", members.len().saturating_sub(1)))
        })?,
    };
    let (numbers, runs): (Vec<u32>, Vec<&Trajectory>) = finished(from)
        .filter(|(member, _)| wanted.contains(&(*member as u64)))
        .map(|(member, run)| (member as u32, run))
        .unzip();
    match (runs.is_empty(), other) {
        (true, _) => {
            let message = format!("no member of `{}` to fit on is left", from.label);
            Err(Fault::at("train_on", message))
        }
        (false, Some(_)) => Ok((runs, Vec::new())),
        (false, None) => Ok((runs, numbers)),
    }
}

impl<'a> Runs<'a> {
    /// The chosen runs with the window's steps; see [`choose`].
    ///
    /// # Errors
    /// Those of [`choose`]; the user's fault when a run lacks a step.
    pub fn new(
        own: &'a Gather<Trajectory>,
        fit: &'a FitRuns,
        window: &Window,
    ) -> Result<Self, Fault> {
        let (chosen, fitted_on) = choose(own, fit)?;
        let run = |trajectory: &'a Trajectory| {
            let (history, targets) = window.rows_in(trajectory)?;
            Ok(MemberRun {
                trajectory,
                rows: [history, targets].concat(),
            })
        };
        let runs = chosen.into_iter().map(run).collect::<Result<_, Fault>>()?;
        Ok(Self {
            runs,
            observed: window.steps.len(),
            fitted_on,
        })
    }

    /// How many weights all runs have together.
    pub fn weights(&self) -> usize {
        self.runs
            .iter()
            .map(|run| run.trajectory.layout.len())
            .sum()
    }

    /// Goes through all weights of all runs, some columns after others.
    ///
    /// # Errors
    /// Those of `visit`; the user's fault when a state is not finite.
    pub fn visit(&self, mut visit: impl FnMut(&Example) -> Result<(), Fault>) -> Result<(), Fault> {
        let mut before = 0;
        for run in &self.runs {
            let all = run.trajectory.layout.len();
            for columns in run.trajectory.spans(0..all, run.rows.len()) {
                let block = run.trajectory.read(&run.rows, columns)?;
                if block.values.iter().any(|value| !value.is_finite()) {
                    let message = "a run to fit on has states that are not finite";
                    return Err(
                        Fault::at("trajectory", message).with_hint("leave it out with `train_on`")
                    );
                }
                let mut states: Vec<&[f32]> = block.rows().collect();
                let targets = states.split_off(self.observed);
                visit(&Example {
                    start: before + block.columns.start,
                    states,
                    targets,
                })?;
            }
            before += all;
        }
        Ok(())
    }
}
