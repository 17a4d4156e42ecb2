//! `box_model`: the Atlantic overturning as two boxes, driven towards its tipping point.

use dsl::signature::ColumnRule;
use dsl::types::{ColumnInfo, Schema};
use engine::artifact::{DataColumn, Dataset};
use engine::error::Fault;
use engine::files::Files;
use engine::plugin;
use engine::plugin::{Context, Facts, Plugin, Sketch};
use rand_distr::{Distribution, StandardNormal};

plugin! {
    /// A two-box model of the Atlantic overturning under slowly rising freshwater forcing.
    ///
    /// Stommel (1961, Tellus 13, 224-230) in the dimensionless form of Lohmann et al. (2021,
    /// Earth Syst. Dynam. 12, 819-835): the differences of temperature T and salinity S
    /// between an equatorial and a polar box, each scaled by its effect on density, follow
    ///
    /// - dT/dt = heating - T - |q| T
    /// - dS/dt = freshwater - exchange S - |q| S
    /// - q = T - S, the overturning
    ///
    /// with `heating` η₁ = 3, `exchange` η₃ = 0.3 and the freshwater forcing η₂, which rises
    /// evenly from `from` to `to` and has red noise of standard deviation `noise` and
    /// e-folding time `memory` upon it. With these constants both circulations, q > 0 driven
    /// by temperature and q < 0 by salinity, exist for η₂ between 0.9 and 1.2201; beyond, the
    /// first is gone. A note tells that forcing, and when the rising forcing reaches it.
    ///
    /// The run starts in equilibrium without noise. Time is in units of the time scale of
    /// temperature. Columns: `time`, `temperature`, `salinity`, `overturning`, and
    /// `freshwater`, the forcing with its noise.
    ///
    /// ```farcast
    /// data amoc = box_model(rows: 500, noise: 0.05)
    /// ```
    "box_model" version 1
    pub struct BoxModel {
        /// How many rows, evenly spaced in time.
        rows: usize = "2000", range("2..=10000000");
        /// The time from row to row.
        interval: f64 = "0.25", range("0.001..=100");
        /// The freshwater forcing in the beginning.
        from: f64 = "0.9", range("0..=10");
        /// The freshwater forcing in the end.
        to: f64 = "1.3", range("0..=10");
        /// The standard deviation of the forcing's noise.
        noise: f64 = "0.05", range("0..=10");
        /// The time in which the noise forgets all but 1/e.
        memory: f64 = "2", range("0.01..=1000");
        /// The forcing of temperature, η₁.
        heating: f64 = "3", range("0.1..=100");
        /// How fast salinity is restored, as a share of temperature, η₃.
        exchange: f64 = "0.3", range("0.001..=10");
    }
}

/// The longest step of the integration.
const STEP: f64 = 0.01;

const COLUMNS: [&str; 5] = [
    "time",
    "temperature",
    "salinity",
    "overturning",
    "freshwater",
];

impl Plugin for BoxModel {
    type Output = Dataset;

    const RANDOM: bool = true;

    fn columns() -> ColumnRule {
        ColumnRule::Source
    }

    fn schema(&self, _: &Files) -> Result<Schema, Fault> {
        let column = |name: &str| ColumnInfo::numbers(name.to_owned(), None);
        Ok(Schema {
            columns: COLUMNS.map(column).to_vec(),
        })
    }

    fn facts(call: &Sketch<'_>) -> Facts {
        Facts {
            rows: call.get("rows"),
            ..Facts::default()
        }
    }

    fn run(self, context: &Context) -> Result<Dataset, Fault> {
        self.note_tipping(context);
        let mut rng = context.rng("noise");
        let mut columns: [Vec<f64>; 5] = Default::default();
        let mut boxes = self.equilibrium(self.from);
        let mut noise = self.noise * normal(&mut rng);
        let steps = (self.interval / STEP).ceil();
        let step = self.interval / steps;
        // The exact update of an Ornstein-Uhlenbeck process over a step.
        let kept = (-step / self.memory).exp();
        let fresh = self.noise * (1.0 - kept * kept).sqrt();
        for row in 0..self.rows {
            if row % 10_000 == 0 {
                context.check_stop()?;
            }
            let time = row as f64 * self.interval;
            let values = [
                time,
                boxes.temperature,
                boxes.salinity,
                boxes.overturning(),
                self.forcing(time) + noise,
            ];
            for (column, value) in columns.iter_mut().zip(values) {
                column.push(value);
            }
            for at in 0..steps as u32 {
                let now = time + f64::from(at) * step;
                boxes = self.advance(boxes, now, step, noise);
                noise = kept * noise + fresh * normal(&mut rng);
            }
        }
        let columns = COLUMNS
            .iter()
            .zip(columns)
            .map(|(name, values)| DataColumn::numbers(*name, None, values));
        Dataset::new(columns.collect())
    }
}

fn normal(rng: &mut impl rand::Rng) -> f64 {
    StandardNormal.sample(rng)
}

/// The state of the model: differences between the boxes.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Boxes {
    temperature: f64,
    salinity: f64,
}

impl Boxes {
    fn overturning(self) -> f64 {
        self.temperature - self.salinity
    }

    fn plus(self, change: Boxes, factor: f64) -> Self {
        Self {
            temperature: self.temperature + factor * change.temperature,
            salinity: self.salinity + factor * change.salinity,
        }
    }
}

impl BoxModel {
    /// The freshwater forcing without noise.
    fn forcing(&self, time: f64) -> f64 {
        let end = (self.rows - 1) as f64 * self.interval;
        self.from + (self.to - self.from) * time / end
    }

    fn change(&self, boxes: Boxes, freshwater: f64) -> Boxes {
        let flow = boxes.overturning().abs();
        Boxes {
            temperature: self.heating - boxes.temperature * (1.0 + flow),
            salinity: freshwater - boxes.salinity * (self.exchange + flow),
        }
    }

    /// A step of the classical Runge-Kutta method, the noise kept as it is meanwhile.
    fn advance(&self, boxes: Boxes, time: f64, step: f64, noise: f64) -> Boxes {
        let change = |boxes, after| self.change(boxes, self.forcing(time + after) + noise);
        let first = change(boxes, 0.0);
        let second = change(boxes.plus(first, step / 2.0), step / 2.0);
        let third = change(boxes.plus(second, step / 2.0), step / 2.0);
        let fourth = change(boxes.plus(third, step), step);
        boxes
            .plus(first, step / 6.0)
            .plus(second, step / 3.0)
            .plus(third, step / 3.0)
            .plus(fourth, step / 6.0)
    }

    /// The forcing that an overturning q is the equilibrium of: with T = η₁ / (1 + |q|) and
    /// S = η₂ / (η₃ + |q|), q = T - S gives η₂ = (η₃ + |q|) (η₁ / (1 + |q|) - q).
    fn balancing(&self, overturning: f64) -> f64 {
        let flow = overturning.abs();
        (self.exchange + flow) * (self.heating / (1.0 + flow) - overturning)
    }

    /// The overturning and forcing at the fold where the circulation with q > 0 ends: the
    /// largest forcing of that branch.
    fn fold(&self) -> (f64, f64) {
        // Above q = 0 `balancing` rises to the fold, if at all, and falls after it.
        let slope = |q: f64| {
            let warm = 1.0 + q;
            self.heating / warm - q - (self.exchange + q) * (self.heating / (warm * warm) + 1.0)
        };
        let fold = halved(0.0, self.heating, slope);
        (fold, self.balancing(fold))
    }

    /// The equilibrium under a constant forcing: of the circulation with q > 0 where it exists.
    fn equilibrium(&self, freshwater: f64) -> Boxes {
        let (fold, most) = self.fold();
        let lacking = |q: f64| self.balancing(q) - freshwater;
        let overturning = match freshwater <= most {
            true => halved(fold, self.heating, lacking),
            false => halved(-freshwater / self.exchange, 0.0, lacking),
        };
        let flow = overturning.abs();
        Boxes {
            temperature: self.heating / (1.0 + flow),
            salinity: freshwater / (self.exchange + flow),
        }
    }

    fn note_tipping(&self, context: &Context) {
        let (_, most) = self.fold();
        let end = (self.rows - 1) as f64 * self.interval;
        let share = (most - self.from) / (self.to - self.from);
        let reached = match (0.0..=1.0).contains(&share) {
            true => format!("reached at time {:.4}", share * end),
            false => "not reached".to_owned(),
        };
        context.note(format!(
            "the tipping point is at a freshwater forcing of {most:.4}, {reached}"
        ));
    }
}

/// Where a function that falls from positive to negative crosses zero.
fn halved(mut low: f64, mut high: f64, function: impl Fn(f64) -> f64) -> f64 {
    for _ in 0..200 {
        let middle = low + (high - low) / 2.0;
        match function(middle) > 0.0 {
            true => low = middle,
            false => high = middle,
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(from: f64, to: f64, noise: f64) -> BoxModel {
        BoxModel {
            rows: 2000,
            interval: 0.25,
            from,
            to,
            noise,
            memory: 2.0,
            heating: 3.0,
            exchange: 0.3,
        }
    }

    fn run(model: BoxModel, name: &str) -> (Dataset, Vec<String>) {
        let context = Context::alone(name);
        let data = model.run(&context).expect("data");
        (data, context.take_notes())
    }

    // import numpy as np
    // from scipy.optimize import brentq
    // eta2 = lambda q: (0.3 + q) * (3 / (1 + q) - q)
    // slope = lambda q: 3 / (1 + q) - q - (0.3 + q) * (3 / (1 + q)**2 + 1)
    // fold = brentq(slope, 0, 1, xtol=1e-15)
    // print(fold, eta2(fold), brentq(lambda q: eta2(q) - 1.0, fold, 3, xtol=1e-15))
    #[test]
    fn fold_and_equilibrium_agree_with_scipy() {
        let (overturning, forcing) = model(0.9, 1.3, 0.0).fold();
        assert!(
            (overturning - 0.391_937_938_459_122).abs() < 1e-12,
            "{overturning}"
        );
        assert!(
            (forcing - 1.220_115_317_195_524_6).abs() < 1e-12,
            "{forcing}"
        );
        let equilibrium = model(1.0, 1.0, 0.0).equilibrium(1.0).overturning();
        assert!(
            (equilibrium - 0.761_065_280_826_313_9).abs() < 1e-12,
            "{equilibrium}"
        );
    }

    #[test]
    fn an_equilibrium_stays() {
        for forcing in [1.0, 1.2, 1.5] {
            let start = model(forcing, forcing, 0.0).equilibrium(forcing);
            let (data, notes) = run(model(forcing, forcing, 0.0), "still");
            let overturning = data.values("overturning").expect("overturning");
            let last = overturning[1999];
            assert!(
                (last - start.overturning()).abs() < 1e-9,
                "{forcing}: {last}"
            );
            assert!(notes[0].ends_with("not reached"), "{notes:?}");
        }
    }

    #[test]
    fn the_circulation_tips_after_the_fold_and_not_before() {
        let (data, notes) = run(model(0.9, 1.3, 0.0), "ramp");
        let overturning = data.values("overturning").expect("overturning");
        let forcing = data.values("freshwater").expect("freshwater");
        let last = (0..2000)
            .rfind(|row| overturning[*row] > 0.0)
            .expect("a row");
        assert!((1.2201..1.25).contains(&forcing[last]), "{}", forcing[last]);
        // At the end the forcing is 1.3, where (q - heating / (1 - q)) (q - exchange) = 1.3 has
        // its root q < 0 at -0.17689 (by bisection).
        let end = overturning[1999];
        assert!((end + 0.17689).abs() < 1e-3, "{end}");
        assert_eq!(
            notes,
            ["the tipping point is at a freshwater forcing of 1.2201, reached at time 399.9441"]
        );
    }

    #[test]
    fn the_noise_is_red() {
        let long = BoxModel {
            rows: 40_000,
            ..model(0.9, 0.9, 0.05)
        };
        let (data, _) = run(long, "noise");
        let forcing = data.values("freshwater").expect("freshwater");
        let noise: Vec<f64> = forcing.iter().map(|value| value - 0.9).collect();
        let mean_of = |lag: usize| {
            let products = noise.iter().zip(&noise[lag..]).map(|(a, b)| a * b);
            products.sum::<f64>() / (noise.len() - lag) as f64
        };
        // 40 000 rows hold 40000 · 0.25 / (2 · 2) = 2500 independent values of the square: its
        // standard error is 0.0025 √(2 / 2500) = 7e-5; four of them.
        assert!((mean_of(0) - 0.0025).abs() < 2.8e-4, "{}", mean_of(0));
        // After its memory, 8 rows, 1/e is left.
        let left = mean_of(8) / mean_of(0);
        assert!((left - (-1f64).exp()).abs() < 0.06, "{left}");
    }

    #[test]
    fn equal_streams_give_equal_data() {
        let data = |name| run(model(0.9, 1.3, 0.05), name).0;
        assert_eq!(data("a"), data("a"));
        assert_ne!(data("a"), data("b"));
    }
}
