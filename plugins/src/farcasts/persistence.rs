//! `persistence`: nothing changes.

use engine::artifact::Trajectory;
use engine::error::Fault;
use engine::params::{Gather, Numbers};
use engine::plugin;
use engine::plugin::{Context, Plugin};

use super::window::Window;
use super::{Counts, Farcast, Origin, forecast};

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
        /// The runs to go on from.
        trajectory: Gather<Trajectory>, one_for_all();
        /// The steps observed: a range of those recorded, or a list; all before the first
        /// horizon when left out.
        observe: Option<Numbers>;
        /// The steps to predict.
        horizon: Vec<u64>;
    }
}

impl Plugin for Persistence {
    type Output = Farcast;
    // Version 2 lies in other blocks.
    const STREAMS: u32 = 1;

    fn run(self, context: &Context) -> Result<Farcast, Fault> {
        let window = Window::new(&self.trajectory, self.observe.as_ref(), &self.horizon)?;
        let window = window.thinned(1)?;
        let predicted = forecast(
            &self.trajectory,
            &window,
            Counts::Steps,
            context,
            |_, history| Ok(history.last().repeat(window.horizons.len())),
        )?;
        Ok(Farcast {
            predicted,
            origin: Origin {
                observed: window.steps,
                fitted_on: Vec::new(),
                fit_operations: 0.0,
                predict_operations: 0.0,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{gather, predictions, run};
    use super::*;

    #[test]
    fn every_horizon_is_the_last_state() {
        let call = Persistence {
            trajectory: gather([Some(run(0.3)), Some(run(0.1))]),
            observe: Some(Numbers::Ranged(0, 20, 1)),
            horizon: vec![30, 1000],
        };
        let farcast = call.run(&Context::alone("last")).unwrap();
        let [one, other] = [run(0.3), run(0.1)].map(|run| run.networks(&[2]).unwrap().concat());
        assert_eq!(
            predictions(&farcast),
            [one.clone(), one, other.clone(), other]
        );
        assert_eq!(farcast.origin.observed, [20]);
    }
}
