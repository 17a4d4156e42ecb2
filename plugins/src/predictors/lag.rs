//! `lag(series, salinity, by: time, back: 10)`: what a series was some time before.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::{Column, Input};
use engine::plugin;
use engine::plugin::{Context, Facts, Plugin, Sketch};
use serde::{Deserialize, Serialize};

use super::{PredictorRows, Predictors};
use crate::complete::complete;

plugin! {
    /// The value of a column of a series some time earlier, or its mean up to then.
    ///
    /// For a row at time t it is the last value of the series at or before t - `back`; with
    /// `width`, the mean of all values after t - `back` - `width` and no later than
    /// t - `back`. Times are those of the column `by`, in its unit, so that gaps do no harm.
    /// The series is given by itself: the first rows of the application then know what came
    /// before them. It should not hold what is not known yet at t - `back`. Before the series
    /// begins, or before it has lasted for `width`, there is no value; missing values of the
    /// series are passed over.
    ///
    /// ```farcast
    /// predictor before = lag(all, y, by: z, back: 0.02, width: 0.1)
    /// regression follow = ols(shift, before)
    /// ```
    "lag" version 1
    pub struct Lag {
        /// The series, one row for each time.
        series: Input<Dataset>;
        /// The column whose values are taken.
        column: Column;
        /// The column of times.
        by: Column, needed();
        /// How much earlier.
        back: f64 = "0", range("0..");
        /// Over how long the mean is taken; the single value when left out.
        width: Option<f64>, range("1e-9..");
    }
}

impl Plugin for Lag {
    type Output = Predictors;

    fn facts(_: &Sketch<'_>) -> Facts {
        Facts {
            predictors: Some(1),
            ..Facts::default()
        }
    }

    fn run(self, _: &Context) -> Result<Predictors, Fault> {
        let times = complete(&self.series, &self.by.0, "by")?;
        let values = self.series.values(&self.column.0)?;
        let known = times.iter().copied().zip(values.iter().copied());
        let mut known: Vec<(f64, f64)> = known.filter(|(_, value)| value.is_finite()).collect();
        known.sort_by(|a, b| a.0.total_cmp(&b.0));
        if let Some(twice) = known.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let by = &self.by.0;
            return Err(Fault::at(
                "series",
                format!(
                    "expected one row for each `{by}`, found several for {}",
                    twice[0].0
                ),
            )
            .with_hint("make one of them with `aggregate`"));
        }
        Ok(Predictors::Lag(Past {
            column: self.column.0,
            by: self.by.0,
            back: self.back,
            width: self.width,
            known,
        }))
    }
}

/// Times nearer than this share of what lies between rows are one.
const ROUNDING: f64 = 1e-6;

/// A series and how far to look back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Past {
    column: String,
    by: String,
    back: f64,
    width: Option<f64>,
    /// Times, rising, and values.
    known: Vec<(f64, f64)>,
}

impl Past {
    /// The value for every row, missing where the series does not reach.
    ///
    /// # Errors
    /// When the data have no column of times.
    pub fn rows(&self, data: &Dataset) -> Result<PredictorRows, Fault> {
        let mut name = format!("{} {} before", self.column, self.back);
        if let Some(width) = self.width {
            name = format!("mean of {} over {width}, {} before", self.column, self.back);
        }
        let times = data.values(&self.by)?;
        Ok(PredictorRows {
            names: vec![name],
            values: times
                .iter()
                .map(|time| self.value(time - self.back))
                .collect(),
        })
    }

    fn value(&self, until: f64) -> f64 {
        let end = self.known.partition_point(|(time, _)| *time <= until);
        let ([(first, _), ..], [.., (last, _)]) = (&self.known[..], &self.known[..]) else {
            return f64::NAN;
        };
        let Some(width) = self.width else {
            return end.checked_sub(1).map_or(f64::NAN, |at| self.known[at].1);
        };
        let from = until - width;
        let start = self.known.partition_point(|(time, _)| *time <= from);
        // The series has lasted for `width` when no row before its first one is lacking.
        let spacing = (last - first) / (self.known.len() - 1).max(1) as f64;
        if start == end || first - from > spacing * (1.0 + ROUNDING) {
            return f64::NAN;
        }
        let values = self.known[start..end].iter().map(|(_, value)| value);
        values.sum::<f64>() / (end - start) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predictors::tests::dataset;

    fn lag(
        times: &[f64],
        values: &[f64],
        back: f64,
        width: Option<f64>,
    ) -> Result<Predictors, Fault> {
        Lag {
            series: Input::new(dataset(&[("time", times), ("t", values)])),
            column: Column("t".to_owned()),
            by: Column("time".to_owned()),
            back,
            width,
        }
        .run(&Context::alone("lag"))
    }

    fn values(back: f64, width: Option<f64>, at: &[f64]) -> Vec<Option<f64>> {
        let times = [3.0, 0.0, 1.0, 2.0, 4.0];
        let series = [8.0, 1.0, 2.0, 4.0, f64::NAN];
        let data = dataset(&[("time", at)]);
        let fitted = lag(&times, &series, back, width)
            .unwrap()
            .fit(&data)
            .unwrap();
        let rows = fitted.rows(&data).unwrap();
        let known = rows.values.into_iter().map(|x| (!x.is_nan()).then_some(x));
        known.collect()
    }

    #[test]
    fn the_last_value_some_time_before_is_found() {
        let found = values(1.0, None, &[4.5, 1.0, 0.5, 9.0, f64::NAN]);
        assert_eq!(found, [Some(8.0), Some(1.0), None, Some(8.0), None]);
    }

    #[test]
    fn means_need_a_series_that_has_lasted() {
        let found = values(0.0, Some(2.0), &[0.0, 1.0, 2.0, 3.0, 4.0, 9.0]);
        let expected = [None, Some(1.5), Some(3.0), Some(6.0), Some(8.0), None];
        assert_eq!(found, expected);
    }

    #[test]
    fn two_rows_of_one_time_are_refused() {
        let fault = lag(&[1.0, 1.0], &[0.0, 0.0], 0.0, None).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "expected one row for each `time`, found several for 1"
        );
    }
}
