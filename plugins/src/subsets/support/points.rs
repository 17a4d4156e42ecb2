//! Rows as points: in columns divided by their standard deviations, or on the sphere.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::params::Column;

use crate::complete::complete;
use crate::networks::Scaled;
use crate::sphere;

/// Points, row after row.
pub struct Points {
    values: Vec<f64>,
    width: usize,
}

impl Points {
    /// The rows in these columns divided by their standard deviations.
    ///
    /// # Errors
    /// When there is no column or one has a gap: the user's fault, at `param`.
    pub fn standardised(
        data: &Dataset,
        columns: &[Column],
        param: &'static str,
    ) -> Result<Self, Fault> {
        if columns.is_empty() {
            return Err(Fault::at(param, "expected one column or more, found none"));
        }
        let width = columns.len();
        let mut values = vec![0.0; data.rows() * width];
        for (at, Column(name)) in columns.iter().enumerate() {
            let column = complete(data, name, param)?;
            let std = Scaled::of(name, column).std;
            for (point, value) in values.chunks_exact_mut(width).zip(column) {
                point[at] = value / std;
            }
        }
        Ok(Self { values, width })
    }

    /// The rows on the unit sphere: straight distances there grow with those on great circles.
    ///
    /// # Errors
    /// When there are not two columns, latitude and longitude, without a gap.
    pub fn on_sphere(
        data: &Dataset,
        columns: &[Column],
        param: &'static str,
    ) -> Result<Self, Fault> {
        let [lat, lon] = columns else {
            return Err(Fault::at(
                param,
                format!(
                    "expected the columns of latitude and longitude, found {} columns",
                    columns.len()
                ),
            ));
        };
        let (lats, lons) = sphere::coordinates(data, &lat.0, &lon.0)?;
        let points = lats.iter().zip(lons);
        Ok(Self {
            values: points
                .flat_map(|(lat, lon)| sphere::point(*lat, *lon))
                .collect(),
            width: 3,
        })
    }

    /// How many there are.
    pub fn rows(&self) -> usize {
        self.values.len() / self.width
    }

    /// The point of a row.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.width..][..self.width]
    }

    /// The squared distance of a row to a point.
    pub fn squared(&self, row: usize, point: &[f64]) -> f64 {
        let differences = self.row(row).iter().zip(point);
        differences.map(|(a, b)| (a - b).powi(2)).sum()
    }
}
