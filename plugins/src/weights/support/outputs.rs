//! What networks say of rows of data, with the truth.

use engine::artifact::Dataset;
use engine::error::Fault;

use crate::complete::complete;
use crate::networks::{Loss, Network, Samples};

/// How many rows are run at once, so that memory stays bounded.
const BLOCK: usize = 4096;

/// Rows of data as a network sees them.
pub(crate) struct Judge<'a> {
    network: &'a Network,
    samples: Samples,
}

/// What one network makes of all rows.
pub(crate) struct Judged {
    /// The mean loss.
    pub loss: f64,
    /// For classes, which rows are wrong.
    pub wrong: Option<Vec<bool>>,
    /// The outputs, `[rows, outputs]`.
    pub outputs: Vec<f32>,
}

impl<'a> Judge<'a> {
    /// The rows of data, all with inputs and truth.
    pub fn new(network: &'a Network, data: &Dataset, param: &'static str) -> Result<Self, Fault> {
        for column in network.inputs().iter().chain(network.targets()) {
            complete(data, &column.name, param)?;
        }
        let samples = network.samples(data).map_err(|fault| fault.inside(param))?;
        if samples.rows == 0 {
            return Err(Fault::at(param, "expected rows, found none"));
        }
        Ok(Self { network, samples })
    }

    /// How many rows.
    pub fn rows(&self) -> usize {
        self.samples.rows
    }

    /// What the network makes of them with these weights.
    pub fn of(&self, weights: &[f32]) -> Judged {
        let (rows, samples) = (self.samples.rows, &self.samples);
        let width = samples.inputs.len() / rows;
        let mut outputs = Vec::new();
        for inputs in samples.inputs.chunks(BLOCK * width.max(1)) {
            let count = inputs.len().checked_div(width).unwrap_or(rows);
            outputs.extend(self.network.evaluate(weights, inputs, count));
        }
        let is_classes = self.network.loss() == Loss::CrossEntropy;
        let wrong = is_classes.then(|| {
            let classes = self.network.unscale(&outputs);
            let pairs = classes.iter().zip(&samples.targets);
            pairs
                .map(|(class, truth)| *class != f64::from(*truth))
                .collect()
        });
        Judged {
            loss: self.network.mean_loss(&outputs, &samples.targets),
            wrong,
            outputs,
        }
    }
}

impl Judged {
    /// For classes, the share of rows that are right.
    pub fn accuracy(&self) -> Option<f64> {
        let wrong = self.wrong.as_ref()?;
        let right = wrong.iter().filter(|wrong| !**wrong).count();
        Some(right as f64 / wrong.len() as f64)
    }
}
