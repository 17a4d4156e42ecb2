//! `neighbourhood(cells, share(relief > 0), radius: 500 km)`: what lies around a row.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::{Column, Formula, Input};
use engine::plugin;
use engine::plugin::{Complaint, Context, Facts, Plugin, Sketch};

use super::{PredictorRows, Predictors};
use crate::data::surroundings::{Field, Near, varies};

plugin! {
    /// A number computed from the rows of a grid that lie around a row.
    ///
    /// `neighbourhood(cells, share(relief > 0), radius: 500 km)` is the share of land within
    /// 500 km on the great circle. The grid is given by itself, so that land counts for rows
    /// of ocean whatever rows the predictor is used with; it may not hold what only the
    /// application knows. The formula must give one number: columns stand inside `mean`,
    /// `std`, `median`, `share` and their like. Rows of the grid at one place that are alike
    /// in the columns used count once. Longitudes may run from -180 to 180 or from 0 to 360.
    /// A row with nothing around it has no value.
    ///
    /// ```farcast
    /// predictor density = neighbourhood(all, share(y > 0), radius: 80 km, lat: x, lon: z)
    /// regression spread = ols(shift, density)
    /// ```
    "neighbourhood" version 1
    pub struct Neighbourhood {
        /// The rows that may lie around.
        grid: Input<Dataset>;
        /// The number of the rows around, such as `share(relief > 0)`.
        formula: Formula;
        /// How far away the furthest row may be.
        radius: f64, unit("km"), range("0..=20040");
        /// The column of latitudes, in degrees.
        lat: Column = "lat", needed();
        /// The column of longitudes, in degrees.
        lon: Column = "lon", needed();
    }
}

impl Plugin for Neighbourhood {
    type Output = Predictors;

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        let formula = call.get::<Formula>("formula");
        Vec::from_iter(formula.and_then(|formula| varies("formula", &formula.0)))
    }

    fn facts(_: &Sketch<'_>) -> Facts {
        Facts {
            predictors: Some(1),
            ..Facts::default()
        }
    }

    fn run(self, _: &Context) -> Result<Predictors, Fault> {
        let near = Near {
            radius: self.radius,
            lat: self.lat.0,
            lon: self.lon.0,
        };
        Field::new(&self.grid, &self.formula.0, near).map(Predictors::Neighbourhood)
    }
}

pub(super) fn rows(field: &Field, data: &Dataset) -> Result<PredictorRows, Fault> {
    Ok(PredictorRows {
        names: vec![field.name()],
        values: field.around(data, || Ok(()))?,
    })
}

#[cfg(test)]
mod tests {
    use dsl::column::ColumnExpr;

    use super::*;
    use crate::predictors::tests::dataset;

    #[test]
    fn the_grid_counts_and_not_the_rows_at_hand() {
        let land = ColumnExpr::Call(
            "mean".to_owned(),
            vec![ColumnExpr::Column("land".to_owned())],
        );
        let grid = dataset(&[
            ("lat", &[0.0, 0.0, 0.0]),
            ("lon", &[358.0, 359.0, 0.0]),
            ("land", &[1.0, 1.0, 0.0]),
        ]);
        let call = Neighbourhood {
            grid: Input::new(grid),
            formula: Formula(land),
            radius: 150.0,
            lat: Column("lat".to_owned()),
            lon: Column("lon".to_owned()),
        };
        let recipe = call.run(&Context::alone("around")).unwrap();
        let ocean = dataset(&[("lat", &[0.0, 0.0]), ("lon", &[-1.0, 90.0])]);
        let found = recipe.fit(&ocean).unwrap().rows(&ocean).unwrap();
        assert_eq!(found.names, ["mean(land) within 150 km"]);
        assert_eq!(found.values[0], 2.0 / 3.0);
        assert!(found.values[1].is_nan());
    }
}
