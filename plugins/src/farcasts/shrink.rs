//! `shrink`: all weights by the same factor.

use dsl::facts::About;
use engine::error::Fault;
use engine::params::Gather;
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch, Steps};

use super::support::examine;
use super::support::moments::dot;
use super::support::runs::{FitRuns, Runs};
use super::support::window::{Observed, Window, finished};
use super::{Farcast, HorizonUnit, Origin, forecast};

plugin! {
    /// All weights times one factor: the ablation that unmasks shrinkage.
    ///
    /// `ŵ_h = c_h w_n`, `w_n` the last state observed. The factors are given; or those that come
    /// nearest to the predictions of another farcast (`like`): `c_h = ⟨w_n, ŵ_h⟩ / ⟨w_n, w_n⟩` over
    /// all its members; or nearest to the truth of runs that reached the horizons. Without
    /// `horizon` the horizons are those of `like`. A method that is no better than
    /// `shrink(…, like: it)` does nothing but shrink. Where the horizons of `like` are recurrences (`known` in
    /// reverse), so are those here; observe its newest state then. One operation a weight and
    /// horizon; one block in memory.
    ///
    /// ```farcast
    /// farcast ahead = lfd2(walk, observe: 4..=16, horizon: [24, 32], train_on: [0])
    /// farcast smaller = shrink(walk, like: ahead, observe: 4..=16)
    /// farcast by_tenth = shrink(walk, horizon: [24, 32], factor: 0.9)
    /// ```
    "shrink" version 2
    pub struct Shrink {
        /// What is observed and predicted.
        observed: Observed, flatten(horizon = "[]");
        /// The factor at every horizon.
        factor: Option<f64>;
        /// The farcast whose shrinkage is imitated.
        like: Option<Gather<Farcast>>;
        /// What it is fitted on.
        fit_runs: FitRuns, flatten();
    }
}

impl Plugin for Shrink {
    type Output = Farcast;
    // Version 2 lies in other blocks.
    const STREAMS: u32 = 1;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let mut found = Vec::from_iter(examine::no_runs(call));
        let Some(horizons) = horizons(call) else {
            return found;
        };
        let like = call.input("like");
        let beyond = |like: &About| {
            let steps = like.facts.steps.as_ref()?;
            horizons.iter().find(|step| !steps.may_have(**step))
        };
        let unlike = like.and_then(|like| Some((like.name, *beyond(&like)?)));
        if let Some((name, step)) = unlike {
            let message = format!("`{name}` does not predict step {step}");
            found.push(Complaint::at("horizon", message));
        } else if horizons.is_empty() {
            let complaint = Complaint::at("horizon", "expected steps to predict, found none");
            found.push(complaint.with_hint("give `horizon`, or `like`"));
        } else {
            let horizons = like
                .is_none_or(|like| !like.facts.recurrences)
                .then_some(horizons);
            let last = |window: Window| window.thinned(1);
            match call.has("factor") || like.is_some() {
                true => found.extend(examine::unobserved(call, horizons, last)),
                false => found.extend(examine::unfit(call, horizons, last)),
            }
        }
        found
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        let is_like = call
            .get::<Vec<u64>>("horizon")
            .is_some_and(|it| it.is_empty());
        let like = call.input("like").map(|like| like.facts);
        Facts {
            steps: horizons(call).map(examine::listed),
            recurrences: is_like && like.is_some_and(|like| like.recurrences),
            ..examine::of_runs(call)
        }
    }

    fn run(self, context: &Context) -> Result<Farcast, Fault> {
        let like = self
            .like
            .as_ref()
            .and_then(|like| like.members.iter().flatten().next())
            .map(AsRef::as_ref);
        let (window, counts) = self.window(like)?;
        let weights = (window.layout.len() * window.horizons.len()) as f64;
        let (factors, fitted_on, fit_operations) = match (self.factor, like) {
            (Some(factor), _) => (vec![factor; window.horizons.len()], Vec::new(), 0.0),
            (None, Some(like)) => {
                let members = finished(&self.observed.trajectory).count() as f64;
                (
                    self.imitate(like, &window)?,
                    like.origin.fitted_on.clone(),
                    4.0 * weights * members,
                )
            }
            (None, None) => {
                let runs = Runs::new(&self.observed.trajectory, &self.fit_runs, &window)?;
                let mut ratio = Ratio::new(window.horizons.len());
                runs.visit(|example| {
                    ratio.add(example.states[0], &example.targets);
                    Ok(())
                })?;
                let all = (runs.weights() * window.horizons.len()) as f64;
                (ratio.factors(), runs.fitted_on, 4.0 * all)
            }
        };
        let predicted = forecast(
            &self.observed.trajectory,
            &window,
            counts,
            context,
            |_, history| {
                let scaled = |factor: f64| {
                    let weights = history.last().iter();
                    weights.map(move |weight| (f64::from(*weight) * factor) as f32)
                };
                Ok(factors.iter().flat_map(|factor| scaled(*factor)).collect())
            },
        )?;
        Ok(Farcast {
            predicted,
            origin: Origin {
                observed: window.steps,
                fitted_on,
                fit_operations: Some(fit_operations),
                predict_operations: Some(weights),
            },
        })
    }
}

/// The steps that a call predicts: those it names, or those of what it is like.
fn horizons(call: &Sketch) -> Option<Vec<u64>> {
    let named = call.get::<Vec<u64>>("horizon")?;
    match (named.is_empty(), call.input("like")) {
        (true, Some(like)) => match like.facts.steps.as_ref()? {
            Steps::Listed(steps) => Some(steps.to_vec()),
            Steps::Series { .. } => None,
        },
        _ => Some(named),
    }
}

impl Shrink {
    /// What is observed, and the horizons: those of `like` where none are given.
    fn window(&self, like: Option<&Farcast>) -> Result<(Window, HorizonUnit), Fault> {
        let horizons = match (&self.observed.horizon[..], like) {
            ([], Some(like)) => like.horizons()?,
            (horizons, _) => horizons.to_vec(),
        };
        let observe = self.observed.observe.as_ref();
        if self.observed.horizon.is_empty() && like.is_some_and(|like| !like.has_steps()) {
            let mut window = Window::open(&self.observed.trajectory, observe)?.thinned(1)?;
            window.horizons = horizons;
            return Ok((window, HorizonUnit::Recurrences));
        }
        let window = Window::new(&self.observed.trajectory, observe, &horizons)?;
        Ok((window.thinned(1)?, HorizonUnit::Steps))
    }

    /// The factors that come nearest to the predictions of another farcast.
    fn imitate(&self, like: &Farcast, window: &Window) -> Result<Vec<f64>, Fault> {
        let mut ratio = Ratio::new(window.horizons.len());
        for (member, run) in finished(&self.observed.trajectory) {
            let rows = like.rows_of(member as u32)?;
            let row = |horizon: &u64| rows.iter().find(|(h, _)| h == horizon).map(|(_, row)| *row);
            let Some(rows) = window.horizons.iter().map(row).collect::<Option<Vec<_>>>() else {
                return Err(Fault::at(
                    "like",
                    format!("it lacks member {member} or a horizon"),
                ));
            };
            if like.predicted.layout != run.layout {
                return Err(Fault::at("like", "it is of another network"));
            }
            for columns in run.spans(0..run.layout.len(), 1 + rows.len()) {
                let block = window.read(run, columns.clone())?;
                let predicted = like.predicted.read(&rows, columns)?;
                let rows: Vec<&[f32]> = predicted.rows().collect();
                ratio.add(window.history(&block).last(), &rows);
            }
        }
        Ok(ratio.factors())
    }
}

/// `⟨last, state⟩ / ⟨last, last⟩` for each horizon.
struct Ratio {
    products: Vec<f64>,
    square: f64,
}

impl Ratio {
    fn new(horizons: usize) -> Self {
        Self {
            products: vec![0.0; horizons],
            square: 0.0,
        }
    }

    fn add(&mut self, last: &[f32], states: &[&[f32]]) {
        self.square += dot(last, last);
        for (product, state) in self.products.iter_mut().zip(states) {
            *product += dot(last, state);
        }
    }

    fn factors(&self) -> Vec<f64> {
        self.products
            .iter()
            .map(|product| product / self.square)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Known;
    use super::super::support::testing::{predictions, run, run_of};
    use super::*;
    use crate::testing::{Given, call, given};

    /// Weights that shrink to a half and a quarter, one of them with a flipped sign.
    fn shrink(arguments: &str, like: &[(&'static str, Given)]) -> Farcast {
        let weight = |k: usize, step: u64| (k as f32 - 9.0) * 0.5f32.powi(step as i32);
        let mut inputs = vec![("w", given(run_of(&[0, 1, 2], weight)))];
        inputs.extend_from_slice(like);
        let shrink: Shrink = call(arguments, &inputs);
        shrink.run(&Context::alone("shrink")).unwrap()
    }

    #[test]
    fn factors_are_given_fitted_or_imitated() {
        let at = |factor: f32| {
            (0..26)
                .map(|k| (k as f32 - 9.0) * factor)
                .collect::<Vec<_>>()
        };
        let by_factor = shrink("w, observe: [0], horizon: [1, 2], factor: 0.75", &[]);
        assert_eq!(predictions(&by_factor), [at(0.75), at(0.75)]);
        let fitted = shrink("w, observe: [0], horizon: [1, 2]", &[]);
        assert_eq!(predictions(&fitted), [at(0.5), at(0.25)]);
        assert_eq!(fitted.origin.fitted_on, [0]);
        let like = [("ahead", given(by_factor.clone()))];
        let imitated = shrink("w, observe: [0], like: ahead", &like);
        assert_eq!(imitated.predicted, by_factor.predicted);
    }

    #[test]
    fn recurrences_are_imitated_as_recurrences() {
        let runs = [("w", given(run(0.3)))];
        let known: Known = call(
            "w, observe: 20..=60, reverse: true, recur: 2, sample: 10, epochs: 1",
            &runs,
        );
        let known = known.run(&Context::alone("known")).unwrap();
        let [walk] = runs;
        let inputs = [walk, ("more", given(known.clone()))];
        let like: Shrink = call("w, observe: [20], like: more", &inputs);
        let shrunk = like.run(&Context::alone("shrink")).unwrap();
        assert!(!shrunk.has_steps());
        assert_eq!(shrunk.horizons().unwrap(), [1, 2]);
        let newest = run(0.3).networks(&[2]).unwrap().concat();
        for (shrunk, known) in predictions(&shrunk).iter().zip(predictions(&known)) {
            let factor = dot(&newest, &known) / dot(&newest, &newest);
            for (shrunk, newest) in shrunk.iter().zip(&newest) {
                let expected = f64::from(*newest) * factor;
                assert!((f64::from(*shrunk) - expected).abs() < 1e-6);
            }
        }
    }
}
