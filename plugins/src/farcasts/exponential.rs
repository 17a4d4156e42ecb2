//! `exponential`: every weight relaxes towards its own end.

use engine::error::Fault;
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::support::examine;
use super::support::window::Observed;
use super::{Farcast, HorizonUnit, Origin, forecast};

plugin! {
    /// Every weight relaxes towards its own end, as fast as it was seen to.
    ///
    /// `w(t) = w_∞ + (w_0 − w_∞) q^t` through the first, middle and last state observed, which
    /// must be equally far apart (Aitken's Δ² process, 1926): with the moves `d1` and `d2` and
    /// `q = d2 / d1`, `ŵ_h = w_n + d2 q (1 − q^s) / (1 − q)`, `s` the way ahead in units of one
    /// move. A weight whose moves grow (`q ≥ 1`) goes on straight, one that turns back (`q ≤ 0`)
    /// stays. The exact solution of gradient descent on a quadratic with a diagonal Hessian.
    /// Some ten operations and one power a weight and horizon; three states in memory, block by
    /// block.
    ///
    /// ```farcast
    /// farcast relaxed = exponential(walk, observe: [8, 12, 16], horizon: [24, 32])
    /// ```
    "exponential" version 2
    pub struct Exponential {
        /// What is observed and predicted.
        observed: Observed, flatten();
    }
}

impl Plugin for Exponential {
    type Output = Farcast;
    // Version 2 lies in other blocks.
    const STREAMS: u32 = 1;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        examine::observing(call, |window| window.equally_spaced(3))
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        examine::at_horizons(call)
    }

    fn run(self, context: &Context) -> Result<Farcast, Fault> {
        let window = self.observed.window()?;
        let window = window.equally_spaced(3)?;
        let ahead = window.ahead((window.steps[1] - window.steps[0]) as f64);
        let predicted = forecast(
            &self.observed.trajectory,
            &window,
            HorizonUnit::Steps,
            context,
            |_, history| {
                let weights = 0..history.len();
                let horizon = |ahead| {
                    let states = &history.states;
                    weights
                        .clone()
                        .map(move |k| relax(states.iter().map(|state| state[k]), ahead))
                };
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
                predict_operations: Some(11.0 * weights as f64),
            },
        })
    }
}

/// Where a weight with these three states is, `ahead` moves later.
fn relax(states: impl Iterator<Item = f32>, ahead: f64) -> f32 {
    let states: Vec<f64> = states.map(f64::from).collect();
    let [first, middle, last] = states[..] else {
        return f32::NAN;
    };
    let (before, move_) = (middle - first, last - middle);
    let ratio = move_ / before;
    let way = match ratio {
        _ if move_ == 0.0 || ratio <= 0.0 => 0.0,
        ratio if ratio < 1.0 => ratio * (1.0 - ratio.powf(ahead)) / (1.0 - ratio),
        _ => ahead,
    };
    (last + move_ * way) as f32
}

#[cfg(test)]
mod tests {
    use super::super::support::testing::{predictions, run};
    use super::*;
    use crate::testing::{call, given};

    #[test]
    fn relaxing_runs_go_on_as_they_must() {
        let runs = [("w", given(run(0.3)))];
        let call: Exponential = call("w, observe: [0, 10, 20], horizon: [30, 60]", &runs);
        let farcast = call.run(&Context::alone("exponential")).unwrap();
        let truth = run(0.3).networks(&[3, 6]).unwrap();
        for (found, expected) in predictions(&farcast).concat().iter().zip(truth.concat()) {
            assert!((found - expected).abs() < 1e-5, "{found} {expected}");
        }
    }

    #[test]
    fn weights_that_do_not_relax_go_straight_or_stay() {
        let at = |states: [f32; 3], ahead| relax(states.into_iter(), ahead);
        assert_eq!(at([0.0, 1.0, 2.0], 3.0), 5.0);
        assert_eq!(at([0.0, 1.0, 3.0], 2.0), 7.0);
        assert_eq!(at([0.0, 1.0, 0.5], 2.0), 0.5);
        assert_eq!(at([1.0, 1.0, 1.0], 2.0), 1.0);
        assert_eq!(at([0.0, 0.0, 1.0], 2.0), 3.0);
        // Half the way each move: 1, 1/2, then 1/4 + 1/8.
        assert_eq!(at([0.0, 1.0, 1.5], 2.0), 1.875);
        assert!(at([0.0, f32::NAN, 1.0], 2.0).is_nan());
    }
}
