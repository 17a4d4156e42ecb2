//! Which hidden units of two networks say the same of rows of data: correlations of what they pass on.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::plugin::Context;
use faer::Mat;

use super::seen::expect_inputs;
use super::symmetry::Units;
use crate::networks::Network;

/// How many rows are run at once, so that memory stays bounded.
const BLOCK: usize = 1024;

/// Units whose deviation is less than this share of their mean are constant: it is rounding.
const CONSTANT: f64 = 1e-10;

/// Rows of data as a network sees them.
pub(crate) struct Activations<'a> {
    /// How to run rows of weights.
    pub network: &'a Network,
    /// Its free orders, layer after layer.
    pub units: &'a [Units],
    /// The standardised inputs, `[rows, inputs]`.
    pub inputs: Vec<f32>,
    /// How many rows.
    pub rows: usize,
}

impl<'a> Activations<'a> {
    /// Of a network with these free orders.
    ///
    /// # Errors
    /// When the data lack values or have no rows.
    pub fn new(network: &'a Network, units: &'a [Units], on: &Dataset) -> Result<Self, Fault> {
        expect_inputs(network, on)?;
        Ok(Self {
            network,
            units,
            inputs: network.inputs_of(on)?,
            rows: on.rows(),
        })
    }

    /// For each layer the correlation of each unit of one network with each of another, over rows
    /// and, for channels, places; 0 for units that are constant. `[count, count]` each; none where the
    /// network has other layers than convolutions and dense ones.
    pub fn correlations(
        &self,
        one: &[f32],
        other: &[f32],
        context: &Context,
    ) -> Result<Option<Vec<Vec<f64>>>, Fault> {
        let counts = self.units.iter().map(|units| units.count);
        let mut moments: Vec<CoMoments> = counts.map(CoMoments::new).collect();
        let width = self.inputs.len() / self.rows;
        for start in (0..self.rows).step_by(BLOCK) {
            context.check_stop()?;
            let rows = start..self.rows.min(start + BLOCK);
            let inputs = &self.inputs[rows.start * width..rows.end * width];
            let pass = |weights| self.network.hidden(weights, inputs, rows.len());
            let (Some(one), Some(other)) = (pass(one), pass(other)) else {
                return Ok(None);
            };
            for ((moments, one), other) in moments.iter_mut().zip(&one).zip(&other) {
                moments.add(&moments.by_unit(one), &moments.by_unit(other));
            }
        }
        Ok(Some(moments.iter().map(CoMoments::correlations).collect()))
    }
}

/// Means, squares and products of the deviations of units of two networks (Chan et al. 1983).
struct CoMoments {
    samples: f64,
    means: [Vec<f64>; 2],
    squares: [Vec<f64>; 2],
    products: Mat<f64>,
}

impl CoMoments {
    fn new(units: usize) -> Self {
        let none = || vec![0.0; units];
        Self {
            samples: 0.0,
            means: [none(), none()],
            squares: [none(), none()],
            products: Mat::zeros(units, units),
        }
    }

    /// A column for each unit: what a channel says at each place follows one another in a row.
    fn by_unit(&self, passed: &Mat<f64>) -> Mat<f64> {
        let units = self.means[0].len();
        let places = passed.ncols() / units;
        Mat::from_fn(passed.nrows() * places, units, |sample, unit| {
            passed[(sample / places, unit * places + sample % places)]
        })
    }

    fn add(&mut self, one: &Mat<f64>, other: &Mat<f64>) {
        let samples = one.nrows() as f64;
        let all = self.samples + samples;
        let mut ahead = [const { Vec::new() }; 2];
        let mut centred = [one.clone(), other.clone()];
        for (side, values) in centred.iter_mut().enumerate() {
            for unit in 0..values.ncols() {
                let mean = values.col(unit).iter().sum::<f64>() / samples;
                values
                    .col_mut(unit)
                    .iter_mut()
                    .for_each(|value| *value -= mean);
                let squares: f64 = values.col(unit).iter().map(|value| value * value).sum();
                let by = mean - self.means[side][unit];
                ahead[side].push(by);
                self.squares[side][unit] += squares + by * by * self.samples * samples / all;
                self.means[side][unit] += by * samples / all;
            }
        }
        let [one, other] = &centred;
        self.products += one.transpose() * other;
        for column in 0..self.products.ncols() {
            for row in 0..self.products.nrows() {
                let by = ahead[0][row] * ahead[1][column];
                self.products[(row, column)] += by * self.samples * samples / all;
            }
        }
        self.samples = all;
    }

    fn correlations(&self) -> Vec<f64> {
        let deviation = |side: usize, unit: usize| {
            let deviation = (self.squares[side][unit] / self.samples).sqrt();
            let is_constant = deviation <= CONSTANT * self.means[side][unit].abs();
            if is_constant { 0.0 } else { deviation }
        };
        let units = self.means[0].len();
        let places = (0..units).flat_map(|row| (0..units).map(move |column| (row, column)));
        let correlation = |(row, column)| {
            let scale = deviation(0, row) * deviation(1, column) * self.samples;
            match scale == 0.0 {
                true => 0.0,
                false => self.products[(row, column)] / scale,
            }
        };
        places.map(correlation).collect()
    }
}
