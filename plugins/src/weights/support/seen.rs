//! What the dense layers of a network see of rows of data.

use engine::artifact::Dataset;
use engine::error::Fault;
use engine::plugin::{Complaint, Sketch};
use faer::{Mat, Side};

use crate::complete::{check_complete, complete};
use crate::networks::precise::{Passed, Precise, Slope, table};
use crate::networks::{CONVOLUTIONS, Layers, Network};
use crate::parents::Parent;

/// A network of dense layers with rows that it sees.
pub(crate) struct Seen<'a> {
    pub network: &'a Network,
    pub layers: &'a Layers,
    data: &'a Dataset,
}

const NOT_DENSE: &str = "this network has other layers than dense ones";

/// Refuses a network that is known to have other layers than dense ones.
pub(crate) fn not_dense(call: &Sketch, param: &str) -> Option<Complaint> {
    let what = call
        .network(param)
        .and_then(|network| network.beside_dense)?;
    let message = format!("expected a network of dense layers alone, found {what}");
    Some(Complaint::at(param, message))
}

/// Refuses a network that is known to have other layers than dense ones and convolutions.
pub(crate) fn not_layered(call: &Sketch, param: &str) -> Option<Complaint> {
    let what = call.network(param)?.beside_dense?;
    let message = format!("expected a network of dense layers and convolutions, found {what}");
    (what != CONVOLUTIONS).then(|| Complaint::at(param, message))
}

/// Refuses rows `on` which a network is to see that are none, or lack values.
///
/// # Errors
/// As is said.
pub(crate) fn expect_inputs(network: &Network, on: &Dataset) -> Result<(), Fault> {
    for column in network.inputs() {
        check_complete(on, &column.name, "on")?;
    }
    match on.rows() {
        0 => Err(Fault::at("on", "expected rows, found none")),
        _ => Ok(()),
    }
}

/// The dense layers of a network.
pub(crate) fn dense<'a>(
    parent: &'a Parent,
    param: &str,
) -> Result<(&'a Network, &'a Layers), Fault> {
    let network = parent.network().map_err(|fault| fault.inside(param))?;
    match network.dense() {
        Some(layers) => Ok((network, layers)),
        None => Err(Fault::at(param, NOT_DENSE)),
    }
}

impl<'a> Seen<'a> {
    /// A network and rows of data with all its inputs.
    ///
    /// # Errors
    /// When it has other layers than dense ones, or the data lack values.
    pub fn of(network: &'a Network, data: &'a Dataset) -> Result<Self, Fault> {
        let layers = network.dense();
        let layers = layers.ok_or_else(|| Fault::user(NOT_DENSE))?;
        expect_inputs(network, data)?;
        Ok(Self {
            network,
            layers,
            data,
        })
    }

    fn precise(&self, weights: &[f32]) -> Precise<'a> {
        let weights: Vec<f64> = weights.iter().map(|weight| f64::from(*weight)).collect();
        Precise::new(self.layers, self.network.loss(), &weights)
    }

    /// The standardised inputs, `[rows, inputs]`.
    pub fn inputs(&self) -> Result<Mat<f64>, Fault> {
        Ok(table(&self.network.inputs_of(self.data)?, self.data.rows()))
    }

    /// What each layer takes and gives.
    pub fn pass(&self, weights: &[f32]) -> Result<Passed, Fault> {
        Ok(self.precise(weights).pass(self.inputs()?))
    }

    /// The gradients of the mean loss.
    pub fn slope(&self, weights: &[f32]) -> Result<Slope, Fault> {
        for column in self.network.targets() {
            complete(self.data, &column.name, "on")?;
        }
        Ok(self
            .precise(weights)
            .slope(&self.network.samples(self.data)?))
    }
}

/// A symmetric matrix: its eigenvalues, largest first, and eigenvectors as columns.
pub(crate) fn eigen(matrix: &Mat<f64>) -> Result<(Vec<f64>, Mat<f64>), Fault> {
    let failed = |_| Fault::Diverged("an eigenvalue decomposition did not end".to_owned());
    let found = matrix.self_adjoint_eigen(Side::Lower).map_err(failed)?;
    let size = matrix.nrows();
    // Ascending there.
    let values = found.S().column_vector().iter().rev().copied();
    let vectors = Mat::from_fn(size, size, |row, column| {
        found.U()[(row, size - 1 - column)]
    });
    Ok((values.map(|value| value.max(0.0)).collect(), vectors))
}

/// The mean of products of columns, `XᵀX / rows`.
pub(crate) fn second_moments(rows: &Mat<f64>) -> Mat<f64> {
    rows.transpose() * rows * faer::Scale(1.0 / rows.nrows() as f64)
}

/// How many of the first numbers hold this share of the sum of all; all of them for the whole.
pub(crate) fn leading(numbers: &[f64], share: f64) -> usize {
    let all: f64 = numbers.iter().sum();
    if share >= 1.0 || all <= 0.0 {
        return numbers.len();
    }
    let mut sum = 0.0;
    let reaches = |number: &f64| {
        sum += number;
        sum / all >= share
    };
    numbers
        .iter()
        .position(reaches)
        .map_or(numbers.len(), |at| at + 1)
}
