//! `linear`: the velocity stays.

use engine::error::Fault;
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};
use engine::words;

use super::support::examine;
use super::support::window::Observed;
use super::{Farcast, HorizonUnit, Origin, forecast};

words! {
    /// Over which of the observed states a velocity is taken.
    pub enum Velocity {
        /// Over all: from the first to the last.
        First = "first",
        /// Over the last two.
        Last = "last",
    }
}

plugin! {
    /// Every weight goes on at its mean velocity over the steps observed.
    ///
    /// `ŵ_h = w_n + (w_n − w_0) (h − t_n) / (t_n − t_0)`, the first and last state observed; with
    /// `from: last` the last two, so that the velocity is the newest one known.
    /// Three operations a weight and horizon; two states in memory, block by block.
    ///
    /// ```farcast
    /// farcast straight = linear(walk, observe: 4..=16, horizon: [24, 32])
    /// farcast tangent = linear(walk, observe: 4..=16, horizon: [24, 32], from: last)
    /// ```
    "linear" version 2
    pub struct Linear {
        /// What is observed and predicted.
        observed: Observed, flatten();
        /// Over which states the velocity is taken.
        from: Velocity = "first";
    }
}

impl Plugin for Linear {
    type Output = Farcast;
    // Version 2 lies in other blocks.
    const STREAMS: u32 = 1;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        examine::observing(call, |window| window.expect(2).map(|()| window))
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        examine::at_horizons(call)
    }

    fn run(self, context: &Context) -> Result<Farcast, Fault> {
        let window = self.observed.window()?;
        let window = match self.from {
            Velocity::First => window.thinned(2)?,
            Velocity::Last => window.newest(2)?,
        };
        let ahead = window.ahead((window.steps[1] - window.steps[0]) as f64);
        let predicted = forecast(
            &self.observed.trajectory,
            &window,
            HorizonUnit::Steps,
            context,
            |_, history| {
                let (first, last) = (history.states[0], history.last());
                let weight = |(first, last): (&f32, &f32), ahead: f64| {
                    let (first, last) = (f64::from(*first), f64::from(*last));
                    (last + (last - first) * ahead) as f32
                };
                let horizon = |ahead| first.iter().zip(last).map(move |pair| weight(pair, ahead));
                Ok(ahead.iter().flat_map(|ahead| horizon(*ahead)).collect())
            },
        )?;
        let weights = window.layout.len() * window.horizons.len();
        Ok(Farcast {
            predicted,
            origin: Origin {
                observed: window.steps,
                fitted_on: Vec::new(),
                fit_operations: Some(0.0),
                predict_operations: Some(3.0 * weights as f64),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::support::testing::{predictions, run_of};
    use super::*;
    use crate::testing::{call, given};

    #[test]
    fn straight_runs_go_on_exactly() {
        let straight = |k: usize, step: u64| k as f32 - 0.25 * step as f32;
        let runs = [("w", given(run_of(&[0, 3, 4], straight)))];
        let call: Linear = call("w, horizon: [6, 100]", &runs);
        let farcast = call.run(&Context::alone("linear")).unwrap();
        let expected = [6, 100].map(|step| (0..26).map(|k| straight(k, step)).collect::<Vec<_>>());
        assert_eq!(predictions(&farcast), expected);
    }

    #[test]
    fn the_velocity_is_that_of_the_states_asked_for() {
        // Fast at first, then slow.
        let bent = |k: usize, step: u64| k as f32 + [0.0, 6.0, 7.0][step as usize / 10];
        let runs = [("w", given(run_of(&[0, 10, 20], bent)))];
        let predicted = |arguments: &str| {
            let call: Linear = call(arguments, &runs);
            let farcast = call.run(&Context::alone("linear")).unwrap();
            (
                predictions(&farcast)[0][..2].to_vec(),
                farcast.origin.observed,
            )
        };
        assert_eq!(
            predicted("w, horizon: [40]"),
            (vec![14.0, 15.0], vec![0, 20])
        );
        assert_eq!(
            predicted("w, horizon: [40], from: last"),
            (vec![9.0, 10.0], vec![10, 20])
        );
    }
}
