//! `persistence`: nothing changes.

use engine::error::Fault;
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::support::examine;
use super::support::window::Observed;
use super::{Farcast, HorizonUnit, Origin, forecast};

plugin! {
    /// The last weights observed, at every horizon.
    ///
    /// `ŵ_h = w_n`: what every other method must beat. No operations; time and memory are those
    /// of copying one state per horizon.
    ///
    /// ```farcast
    /// farcast last = persistence(walk, observe: 4..=16, horizon: [24, 32])
    /// ```
    "persistence" version 2
    pub struct Persistence {
        /// What is observed and predicted.
        observed: Observed, flatten();
    }
}

impl Plugin for Persistence {
    type Output = Farcast;
    // Version 2 lies in other blocks.
    const STREAMS: u32 = 1;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        examine::observing(call, Ok)
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        examine::at_horizons(call)
    }

    fn run(self, context: &Context) -> Result<Farcast, Fault> {
        let window = self.observed.window()?;
        let window = window.thinned(1)?;
        let predicted = forecast(
            &self.observed.trajectory,
            &window,
            HorizonUnit::Steps,
            context,
            |_, history| Ok(history.last().repeat(window.horizons.len())),
        )?;
        Ok(Farcast {
            predicted,
            origin: Origin {
                observed: window.steps,
                fitted_on: Vec::new(),
                fit_operations: Some(0.0),
                predict_operations: Some(0.0),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::support::testing::{predictions, run};
    use super::*;
    use crate::testing::{call, members};

    #[test]
    fn every_horizon_is_the_last_state() {
        let runs = [("w", members([Some(run(0.3)), Some(run(0.1))]))];
        let call: Persistence = call("w, observe: 0..=20, horizon: [30, 1000]", &runs);
        let farcast = call.run(&Context::alone("last")).unwrap();
        let [one, other] = [run(0.3), run(0.1)].map(|run| run.networks(&[2]).unwrap().concat());
        assert_eq!(
            predictions(&farcast),
            [one.clone(), one, other.clone(), other]
        );
        assert_eq!(farcast.origin.observed, [20]);
    }
}
