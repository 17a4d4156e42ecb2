//! Networks that a program runs: it is asked for outputs and gradients.
//!
//! What is stored of one names the program by its digest. This process knows how to run the
//! programs that its experiment declares; a network whose program is not among them unwinds with
//! a fault, which the action that runs it reports.

use std::panic::resume_unwind;
use std::sync::Arc;

use engine::artifact::Layout;
use engine::digest::Digest;
use engine::error::Fault;
use engine::foreign::{Given, Parcel, Provided, Values, WEIGHTS, ask_shared, provided_by};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Columns, Differentiate, Loss, Model, Samples, Sums, TrainerChoice, transposed};

/// A network that a program runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForeignNetwork {
    /// What it reads and predicts.
    #[serde(flatten)]
    pub columns: Columns,
    /// Who runs it.
    pub program: Runner,
    /// What training minimises.
    pub loss: Loss,
}

/// The program of a network, and what it was called with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Runner {
    /// What `farcast.toml` calls it.
    pub name: String,
    /// Its identity in keys.
    pub code: Digest,
    /// The tensors of a row of weights.
    pub layout: Layout,
    /// The arguments that made the network.
    pub args: Map<String, Value>,
}

/// How many bytes of weights are sent at once.
const BYTES: usize = 64 << 20;

impl ForeignNetwork {
    fn provided(&self) -> Result<Arc<Provided>, Fault> {
        provided_by(&self.program.code).ok_or_else(|| {
            Fault::Environment(format!(
                "the program of plugin `{}` that runs this network is not declared here",
                self.program.name
            ))
        })
    }

    /// What the program answers, `[sets, …]`; `inputs` are `[sets, rows, inputs]`.
    fn ask(
        &self,
        function: &str,
        (sets, weights): (usize, Vec<f32>),
        inputs: &[f32],
        targets: Option<&[f32]>,
    ) -> Result<Parcel, Fault> {
        let width = self.columns.inputs.len();
        let rows = inputs.len() / width.max(1) / sets.max(1);
        let weights = Values::F32(weights.into());
        let parcel = Parcel::default()
            .with("layout", json!(self.program.layout))
            .with_array(WEIGHTS, vec![sets, self.program.layout.len()], weights)
            .with_array(
                "inputs",
                vec![sets, rows, width],
                Values::F32(inputs.into()),
            );
        let parcel = match targets {
            None => parcel,
            Some(targets) => {
                let shape = vec![sets, rows, self.columns.targets.len()];
                parcel.with_array("targets", shape, Values::F32(targets.into()))
            }
        };
        let given = [(
            "network".to_owned(),
            Given::One("network".to_owned(), parcel),
        )];
        let provided = self.provided()?;
        ask_shared(&provided, function, &given, &self.program.args)
    }

    fn outputs_of(&self, weights: (usize, Vec<f32>), inputs: &[f32]) -> Result<Vec<f32>, Fault> {
        let sets = weights.0;
        let rows = inputs.len() / self.columns.inputs.len().max(1) / sets.max(1);
        let parcel = self.ask("outputs", weights, inputs, None)?;
        let shape = [sets, rows, self.outputs()];
        let outputs = parcel
            .array("outputs")
            .and_then(|it| it.expect_shape(&shape));
        outputs
            .map(|it| it.singles().to_vec())
            .map_err(|why| self.wrong(&why))
    }

    fn wrong(&self, why: &str) -> Fault {
        Fault::Environment(format!(
            "plugin `{}` returned something that is not an answer: {why}",
            self.program.name
        ))
    }
}

/// What a call of a network returned, or the end of the action with its fault.
fn or_unwind<T>(result: Result<T, Fault>) -> T {
    result.unwrap_or_else(|fault| resume_unwind(Box::new(fault)))
}

impl Model for ForeignNetwork {
    fn layout(&self) -> Layout {
        self.program.layout.clone()
    }

    fn columns(&self) -> &Columns {
        &self.columns
    }

    fn outputs(&self) -> usize {
        self.columns.targets.len()
    }

    fn loss(&self) -> Loss {
        self.loss
    }

    fn evaluate(&self, weights: &[f32], inputs: &[f32], rows: usize) -> Vec<f32> {
        match rows {
            0 => Vec::new(),
            _ => or_unwind(self.outputs_of((1, weights.to_vec()), inputs)),
        }
    }

    fn differentiate(&self, _: TrainerChoice) -> Box<dyn Differentiate> {
        Box::new(Gradients {
            network: self.clone(),
            gradient: Vec::new(),
        })
    }

    fn sums(&self, sets: &[&[f32]]) -> Option<Box<dyn Sums>> {
        Some(Box::new(RowNetworks {
            network: self.clone(),
            sets: sets.iter().map(|set| set.to_vec()).collect(),
        }))
    }

    fn program(&self) -> Option<&str> {
        Some(&self.program.name)
    }

    fn to_json(&self) -> serde_json::Result<Value> {
        serde_json::to_value(self)
    }
}

/// Asks the program for the gradient of every batch.
struct Gradients {
    network: ForeignNetwork,
    gradient: Vec<f32>,
}

/// The most rows of weights whose gradients are asked for at once.
const SETS: usize = 64;

impl Differentiate for Gradients {
    fn gradient(&mut self, weights: &[f32], batch: &Samples) -> (f64, &[f32]) {
        let mut loss = [0.0];
        let gradient = self.gradients(weights, batch, &mut loss);
        (loss[0], gradient)
    }

    fn at_once(&self, _count: usize) -> usize {
        let bytes = 4 * self.network.program.layout.len();
        (BYTES / bytes.max(1)).clamp(1, SETS)
    }

    fn gradients(&mut self, weights: &[f32], batch: &Samples, losses: &mut [f64]) -> &[f32] {
        let (network, sets) = (&self.network, losses.len());
        let mut asked = || -> Result<Vec<f32>, Fault> {
            let targets = Some(&batch.targets[..]);
            let all = (sets, transposed(weights, sets));
            let parcel = network.ask("gradients", all, &batch.inputs, targets)?;
            let wrong = |why: String| network.wrong(&why);
            let shape = [sets, weights.len() / sets.max(1)];
            let gradients = parcel.array("gradients").map_err(wrong)?;
            let gradients = gradients.expect_shape(&shape).map_err(wrong)?;
            let found = parcel.array("losses").map_err(wrong)?;
            let found = found.expect_shape(&[sets]).map_err(wrong)?.doubles();
            losses.copy_from_slice(&found);
            Ok(transposed(&gradients.singles(), shape[1]))
        };
        self.gradient = or_unwind(asked());
        &self.gradient
    }
}

/// A network for each row, many of them in one call.
struct RowNetworks {
    network: ForeignNetwork,
    sets: Vec<Vec<f32>>,
}

impl Sums for RowNetworks {
    fn evaluate(&self, inputs: &[f32], factors: &[f32], rows: usize) -> Vec<f32> {
        let width = self.network.columns.inputs.len();
        let length = self.network.program.layout.len();
        let at_once = (BYTES / 4 / length.max(1)).max(1);
        let mut outputs = Vec::with_capacity(rows);
        let Some((first, others)) = self.sets.split_first() else {
            return outputs;
        };
        for start in (0..rows).step_by(at_once) {
            let end = (start + at_once).min(rows);
            let mut weights = Vec::with_capacity((end - start) * length);
            for row in start..end {
                let at = weights.len();
                weights.extend_from_slice(first);
                let factors = &factors[row * others.len()..(row + 1) * others.len()];
                for (factor, set) in factors.iter().zip(others) {
                    for (weight, part) in weights[at..].iter_mut().zip(set) {
                        *weight += factor * part;
                    }
                }
            }
            let inputs = &inputs[start * width..end * width];
            let asked = self.network.outputs_of((end - start, weights), inputs);
            outputs.extend(or_unwind(asked));
        }
        outputs
    }
}
