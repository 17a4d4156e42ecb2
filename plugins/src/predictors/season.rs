//! `season(time)`: sines and cosines of the time of the year.

use std::f64::consts::TAU;

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::Column;
use engine::plugin;
use engine::plugin::{Context, Facts, Plugin, Sketch};
use serde::{Deserialize, Serialize};

use super::{PredictorRows, Predictors};

plugin! {
    /// The seasonal cycle: a sine and a cosine of a time, and of its harmonics.
    ///
    /// A column of times such as `days since 1970-01-01` is taken as the share of its calendar
    /// year that has passed. For any other column say its `period`: 12 for calendar months,
    /// 24 for hours of the day.
    ///
    /// ```farcast
    /// predictor cycle = season(z, period: 1, harmonics: 2)
    /// regression swing = ols(shift, cycle)
    /// ```
    "season" version 2
    pub struct Season {
        /// The column of times.
        time: Column, needed();
        /// How many harmonics: 1 is the cycle itself, 2 has twice its frequency as well.
        harmonics: usize = "1", range("1..=20");
        /// After how much of the column a cycle begins anew; the calendar year when left out.
        period: Option<f64>, range("1e-9..");
    }
}

impl Plugin for Season {
    type Output = Predictors;

    fn facts(call: &Sketch<'_>) -> Facts {
        let time = call.get::<Column>("time").filter(|_| !call.has("period"));
        Facts {
            predictors: call.get::<u64>("harmonics").map(|harmonics| 2 * harmonics),
            times: time.into_iter().map(|column| column.0).collect(),
            ..Facts::default()
        }
    }

    fn run(self, _: &Context) -> Result<Predictors, Fault> {
        Ok(Predictors::Season(Cycle {
            time: self.time.0,
            harmonics: self.harmonics,
            period: self.period,
        }))
    }
}

/// Which cycle is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cycle {
    /// The column of times.
    pub time: String,
    /// How many harmonics.
    pub harmonics: usize,
    /// The length of the cycle; the calendar year when there is none.
    pub period: Option<f64>,
}

impl Cycle {
    /// Sine and cosine of each harmonic for every row.
    ///
    /// # Errors
    /// When the data have no such column, or its unit is not a time and there is no period.
    pub fn rows(&self, data: &Dataset) -> Result<PredictorRows, Fault> {
        let times = data.values(&self.time)?;
        let share = self.share(data)?;
        let harmonics = 1..=self.harmonics;
        let names = harmonics
            .clone()
            .flat_map(|harmonic| ["sin", "cos"].map(|name| self.name(name, harmonic)));
        let values = times.iter().flat_map(|time| {
            let angle = TAU * share(*time);
            harmonics
                .clone()
                .flat_map(move |harmonic| <[f64; 2]>::from((harmonic as f64 * angle).sin_cos()))
        });
        Ok(PredictorRows {
            names: names.collect(),
            values: values.collect(),
        })
    }

    fn name(&self, function: &str, harmonic: usize) -> String {
        match harmonic {
            1 => format!("{function}({})", self.time),
            _ => format!("{function}({harmonic} {})", self.time),
        }
    }

    /// The share of its cycle that has passed at a time.
    fn share(&self, data: &Dataset) -> Result<Box<dyn Fn(f64) -> f64>, Fault> {
        if let Some(period) = self.period {
            return Ok(Box::new(move |time| time / period));
        }
        match data.column(&self.time)?.content.time() {
            Some(unit) => Ok(Box::new(move |time| unit.share_of_year(time))),
            None => Err(Fault::user(format!(
                "column `{}` has no unit such as `days since 1970-01-01`",
                self.time
            ))
            .with_hint("say when a cycle begins anew: `period: 12` for calendar months")),
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::artifact::DataColumn;

    use super::*;
    use crate::predictors::tests::dataset;

    fn cycle(period: Option<f64>) -> Cycle {
        Cycle {
            time: "time".to_owned(),
            harmonics: 2,
            period,
        }
    }

    fn close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
    }

    #[test]
    fn months_go_round_in_twelve() {
        let rows = cycle(Some(12.0))
            .rows(&dataset(&[("time", &[3.0, 12.0])]))
            .unwrap();
        assert_eq!(
            rows.names,
            ["sin(time)", "cos(time)", "sin(2 time)", "cos(2 time)"]
        );
        close(&rows.values, &[1.0, 0.0, 0.0, -1.0, 0.0, 1.0, 0.0, 1.0]);
    }

    #[test]
    fn times_count_from_the_first_of_january() {
        let times = |unit: Option<&str>| {
            Dataset::new(vec![DataColumn::numbers(
                "time".to_owned(),
                unit.map(str::to_owned), // A quarter of 2001 and of the leap year 2004 have passed.
                vec![91.25, 1095.0 + 91.5],
            )])
            .unwrap()
        };
        let data = times(Some("days since 2001-01-01"));
        let rows = cycle(None).rows(&data).unwrap();
        close(&rows.values, &[1.0, 0.0, 0.0, -1.0, 1.0, 0.0, 0.0, -1.0]);
        let fault = cycle(None).rows(&times(None)).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "column `time` has no unit such as `days since 1970-01-01`"
        );
    }
}
