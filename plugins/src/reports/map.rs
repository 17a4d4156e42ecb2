//! `map(net, adapted, on: deep)`: where models are wrong, on a map or over any two coordinates.

use dsl::types::Content;
use engine::artifact::{Cells, DataColumn, Dataset, Figure, Page, Section};
use engine::error::Fault;
use engine::params::{Column, Input};
use engine::plugin;
use engine::plugin::{Complaint, Context, Plugin, Sketch};

use super::support::grid::{Grid, along};
use super::support::predicted::{Predicted, PredictedRows};
use crate::calls::complaints;
use crate::scores::Metric;
use crate::scores::support::ensemble::Ensemble;
use crate::scores::support::metric::Rows;

plugin! {
    /// Where models are wrong: the error in each cell of a map, or over any two coordinates.
    ///
    /// The error is that of the mean of the members' predictions. Longitude and latitude make a
    /// map, equirectangular, with the coast drawn where the rows of `domain` end; other columns
    /// make a section, such as latitude and depth, with the surface on top. A column of few
    /// values has a cell for each; one of many is cut evenly. All models share the colours:
    /// they end where one cell in fifty lies beyond.
    ///
    /// ```farcast
    /// report places = map(net, adapted, on: unseen, x: x, y: z, domain: all)
    /// ```
    "map" version 3
    pub struct Map {
        /// The models and the rows.
        rows: PredictedRows, flatten();
        /// What is measured in each cell; `spread` and `spread_ratio` have no map.
        metric: Metric = "rmse";
        /// The column along the horizontal axis.
        x: Column = "lon";
        /// The column along the vertical axis.
        y: Column = "lat";
        /// Rows that say where the domain is, such as all of the sea; those of `on` when left
        /// out.
        domain: Option<Input<Dataset>>;
        /// The unit of the target, where the data do not say it.
        unit: Option<String>;
    }
}

impl Plugin for Map {
    type Output = Page;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let own = [
            not_of_ensembles(call),
            same_column(call),
            without_coordinate(call),
        ];
        [complaints(PredictedRows::check(call)), complaints(own)].concat()
    }

    fn run(self, context: &Context) -> Result<Page, Fault> {
        let Predicted {
            data,
            target,
            unit,
            ensembles,
        } = self.rows.predict(self.unit.as_ref(), context)?;
        let domain = self.domain.as_deref().unwrap_or(&*self.rows.on);
        let grid = Grid::of([&data, domain], [&self.x.0, &self.y.0])?;
        let maps: Vec<Vec<Option<f64>>> = ensembles
            .iter()
            .map(|ensemble| self.errors(ensemble, &ensembles[0], data.values(&target)?, &grid))
            .collect::<Result<_, Fault>>()?;
        let range = range(self.metric, &maps);
        let unit = if self.metric.has_unit() {
            &unit[..]
        } else {
            ""
        };
        let label = format!("{} of {target}{unit}", self.metric.word());
        let (x, y) = (data.column(&self.x.0)?, data.column(&self.y.0)?);
        // The marks of a map say what they count.
        let axis = |column: &DataColumn| match grid.is_map() {
            true => String::new(),
            false => along(column),
        };
        let figures = ensembles
            .iter()
            .zip(&maps)
            .map(|(ensemble, values)| Figure {
                title: format!("{} of `{}`", self.metric.word(), ensemble.label),
                x: axis(x),
                y: axis(y),
                down: is_downward(&self.y.0),
                cells: Some(Cells {
                    x: grid.x.borders.clone(),
                    y: grid.y.borders.clone(),
                    values: values.clone(),
                    inside: grid.inside.clone(),
                    label: label.clone(),
                    range,
                    signed: is_signed(self.metric),
                    map: grid.is_map(),
                }),
                ..Figure::default()
            });
        let head = ["model", "cells", "median", "worst", "at"].map(str::to_owned);
        let rows = ensembles.iter().zip(&maps);
        let rows = rows.map(|(ensemble, values)| {
            let at = |cell: usize| {
                let [cx, cy] = grid.centre(cell);
                format!("{} {}, {} {}", self.x.0, short(cx), self.y.0, short(cy))
            };
            summary(self.metric, &ensemble.label, values, at)
        });
        let text = format!(
            "{} of the mean of the members in each cell of {} and {}.",
            self.metric.word(),
            self.x.0,
            self.y.0
        );
        Ok(Page {
            sections: vec![Section {
                heading: match grid.is_map() {
                    true => "Map of errors".to_owned(),
                    false => format!("Error by {} and {}", self.x.0, self.y.0),
                },
                text: vec![text],
                table: Some((head.to_vec(), rows.collect())),
                figures: figures.collect(),
                ..Section::default()
            }],
        })
    }
}

impl Map {
    fn errors(
        &self,
        ensemble: &Ensemble,
        parent: &Ensemble,
        truth: &[f64],
        grid: &Grid,
    ) -> Result<Vec<Option<f64>>, Fault> {
        let (Some(found), Some(before)) = (ensemble.series("mean"), parent.series("mean")) else {
            return Ok(vec![None; grid.rows.len()]);
        };
        let error = |rows: &Vec<u32>| {
            let take = |values: &[f64]| -> Vec<f64> {
                rows.iter().map(|row| values[*row as usize]).collect()
            };
            let (found, truth, before) = (take(found), take(truth), take(before));
            (!rows.is_empty())
                .then(|| self.metric.of(&found, &of_rows(&truth, &before)))
                .flatten()
        };
        Ok(grid.rows.iter().map(error).collect())
    }
}

fn of_rows<'a>(truth: &'a [f64], parent: &'a [f64]) -> Rows<'a> {
    Rows {
        truth,
        parent: Some(parent),
        weights: None,
        climatology: None,
    }
}

/// Whether values below zero mean something else than those above.
fn is_signed(metric: Metric) -> bool {
    !matches!(metric, Metric::Rmse | Metric::Mae)
}

/// The ends of the colours: one cell in fifty is beyond; the same for all models.
fn range(metric: Metric, maps: &[Vec<Option<f64>>]) -> (f64, f64) {
    let values = maps.iter().flatten().flatten();
    let mut sizes: Vec<f64> = values.map(|value| value.abs()).collect();
    sizes.sort_by(f64::total_cmp);
    let end = sizes.get(sizes.len().saturating_sub(1) * 49 / 50).copied();
    let end = match metric {
        Metric::Skill | Metric::R2 | Metric::Correlation | Metric::AnomalyCorrelation => 1.0,
        _ => end.filter(|end| *end > 0.0).unwrap_or(1.0),
    };
    (if is_signed(metric) { -end } else { 0.0 }, end)
}

fn summary(
    metric: Metric,
    label: &str,
    values: &[Option<f64>],
    at: impl Fn(usize) -> String,
) -> Vec<String> {
    // The worst is the lowest of what is good when high, else the furthest from zero.
    let badness = |value: f64| match metric {
        Metric::Skill | Metric::R2 | Metric::Correlation | Metric::AnomalyCorrelation => -value,
        _ => value.abs(),
    };
    let mut cells: Vec<(f64, usize)> = (values.iter().enumerate())
        .filter_map(|(cell, value)| Some(((*value)?, cell)))
        .collect();
    cells.sort_by(|(a, _), (b, _)| badness(*a).total_cmp(&badness(*b)));
    let middle = cells.get(cells.len() / 2);
    let worst = cells.last();
    let number = |cell: Option<&(f64, usize)>| {
        cell.map_or_else(|| "none".to_owned(), |(value, _)| short(*value))
    };
    vec![
        label.to_owned(),
        cells.len().to_string(),
        number(middle),
        number(worst),
        worst.map_or(String::new(), |(_, cell)| at(*cell)),
    ]
}

fn short(value: f64) -> String {
    engine::metric::significant(value)
}

/// Whether a vertical coordinate grows downwards.
pub(super) fn is_downward(name: &str) -> bool {
    matches!(name, "depth" | "pressure" | "p" | "level")
}

fn not_of_ensembles(call: &Sketch) -> Option<Complaint> {
    let metric = call.get::<Metric>("metric")?;
    let message = format!("`{}` has no map", metric.word());
    (metric.is_of_ensembles() || metric == Metric::AnomalyCorrelation)
        .then(|| Complaint::at("metric", message).with_hint("`compare` measures it by group"))
}

fn same_column(call: &Sketch) -> Option<Complaint> {
    let (x, y) = (call.get::<Column>("x")?, call.get::<Column>("y")?);
    let message = format!("expected two columns, found `{}` twice", y.0);
    (x.0 == y.0).then(|| Complaint::at("y", message))
}

/// That the domain has both coordinates, as numbers.
fn without_coordinate(call: &Sketch) -> Option<Complaint> {
    let schema = call.schema("domain")?;
    let names = ["x", "y"]
        .into_iter()
        .filter_map(|it| call.get::<Column>(it));
    let missing = { names }.find(|Column(name)| {
        let column = schema.find(name);
        column.is_none_or(|column| column.content == Content::Text)
    })?;
    let message = format!("the domain has no column of numbers `{}`", missing.0);
    Some(Complaint::at("domain", message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_end_where_one_cell_in_fifty_is_beyond() {
        let values: Vec<Option<f64>> = (0..=100).map(|v| Some(f64::from(v))).collect();
        assert_eq!(
            range(Metric::Rmse, std::slice::from_ref(&values)),
            (0.0, 98.0)
        );
        assert_eq!(range(Metric::Bias, &[values]), (-98.0, 98.0));
        assert_eq!(range(Metric::Skill, &[vec![Some(-7.0)]]), (-1.0, 1.0));
        assert_eq!(range(Metric::Rmse, &[vec![None, Some(0.0)]]), (0.0, 1.0));
    }

    #[test]
    fn the_worst_cell_is_the_one_that_is_worst_by_its_metric() {
        let values = [Some(0.5), None, Some(-2.0), Some(0.9)];
        let at = |cell: usize| cell.to_string();
        let row = |metric| summary(metric, "net", &values, at);
        assert_eq!(row(Metric::Skill), ["net", "3", "0.5000", "−2.000", "2"]);
        assert_eq!(row(Metric::Bias), ["net", "3", "0.9000", "−2.000", "2"]);
    }
}
