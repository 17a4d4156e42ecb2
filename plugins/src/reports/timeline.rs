//! `timeline(net, adapted, on: late)`: the truth and what models predict, along time.

use dsl::calendar::DAY;
use dsl::types::Content;
use engine::artifact::{DataColumn, Figure, Page, Section, Series, Style};
use engine::error::Fault;
use engine::params::Column;
use engine::plugin;
use engine::plugin::{Complaint, Context, Plugin, Sketch};

use super::support::grid::along;
use super::support::predicted::{Predicted, PredictedRows};
use crate::calls::complaints;

plugin! {
    /// The truth and what the models predict, along time or another column.
    ///
    /// Each point is the mean over the rows of one time: of the truth, of the mean of the
    /// members' predictions (bold) and of every member's (faint). Times have dates below them.
    /// Of more than 500 times, neighbours are put together.
    ///
    /// ```farcast
    /// report record = timeline(net, adapted, on: unseen, by: z)
    /// ```
    "timeline" version 3
    pub struct Timeline {
        /// The models and the rows.
        rows: PredictedRows, flatten();
        /// The column along the horizontal axis.
        by: Column = "time";
        /// The unit of the target, where the data do not say it.
        unit: Option<String>;
    }
}

/// More times than this are put together.
const MOST: usize = 500;

impl Plugin for Timeline {
    type Output = Page;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        complaints(PredictedRows::check(call))
    }

    fn run(self, context: &Context) -> Result<Page, Fault> {
        let Predicted {
            data,
            target,
            unit,
            ensembles,
        } = self.rows.predict(self.unit.as_ref(), context)?;
        let column = data.column(&self.by.0)?;
        let (places, days) = places(column);
        let times = Times::of(&places);
        let mut series: Vec<Series> = Vec::new();
        for (index, ensemble) in ensembles.iter().enumerate() {
            for values in ensemble.members().flatten() {
                series.push(Series {
                    name: String::new(),
                    style: Style::Faint,
                    color: index + 1,
                    points: times.means(values),
                });
            }
        }
        for (index, ensemble) in ensembles.iter().enumerate() {
            if let Some(values) = ensemble.series("mean") {
                series.push(Series {
                    name: ensemble.label.clone(),
                    style: Style::Line,
                    color: index + 1,
                    points: times.means(values),
                });
            }
        }
        series.push(Series {
            name: "truth".to_owned(),
            style: Style::Line,
            color: 0,
            points: times.means(data.values(&target)?),
        });
        Ok(Page {
            sections: vec![Section {
                heading: format!("{target} along {}", self.by.0),
                text: vec![
                    "Means over the rows of each time. Bold: the truth and the mean of the \
                     members. Faint: single members."
                        .to_owned(),
                ],
                figures: vec![Figure {
                    title: format!("{target} along {}", self.by.0),
                    x: along(column),
                    y: format!("{target}{unit}"),
                    days,
                    series,
                    ..Figure::default()
                }],
                ..Section::default()
            }],
        })
    }
}

/// Where each row lies on the axis, and the calendar where that is a number of days.
fn places(column: &DataColumn) -> (Vec<f64>, Option<String>) {
    let Content::Time(unit) = column.content else {
        return (column.values.to_vec(), None);
    };
    let day = |value: &f64| {
        let moment = unit.moment(*value);
        moment.map_or(f64::NAN, |it| it.day as f64 + it.micros as f64 / DAY as f64)
    };
    (
        column.values.iter().map(day).collect(),
        Some(unit.calendar().name().to_owned()),
    )
}

/// The rows of each time, in order.
struct Times {
    rows: Vec<(f64, Vec<u32>)>,
}

impl Times {
    fn of(places: &[f64]) -> Self {
        let mut order: Vec<u32> = (0..places.len() as u32)
            .filter(|row| places[*row as usize].is_finite())
            .collect();
        order.sort_by(|a, b| places[*a as usize].total_cmp(&places[*b as usize]));
        let distinct: Vec<&[u32]> = order
            .chunk_by(|a, b| places[*a as usize] == places[*b as usize])
            .collect();
        let together = distinct.len().div_ceil(MOST).max(1);
        let rows = distinct.chunks(together).map(|times| {
            let rows: Vec<u32> = times.iter().flat_map(|rows| rows.iter().copied()).collect();
            let sum: f64 = rows.iter().map(|row| places[*row as usize]).sum();
            (sum / rows.len() as f64, rows)
        });
        Self {
            rows: rows.collect(),
        }
    }

    fn means(&self, values: &[f64]) -> Vec<(f64, f64)> {
        let mean = |(place, rows): &(f64, Vec<u32>)| {
            let sum: f64 = rows.iter().map(|row| values[*row as usize]).sum();
            (*place, sum / rows.len() as f64)
        };
        self.rows.iter().map(mean).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_one_time_are_one_point() {
        let times = Times::of(&[3.0, 1.0, f64::NAN, 3.0]);
        assert_eq!(
            times.means(&[10.0, 4.0, 9.0, 20.0]),
            [(1.0, 4.0), (3.0, 15.0)]
        );
    }

    #[test]
    fn neighbours_of_many_times_are_put_together() {
        let places: Vec<f64> = (0..1000).map(f64::from).collect();
        let points = Times::of(&places).means(&places);
        assert_eq!((points.len(), points[0]), (500, (0.5, 0.5)));
    }
}
