//! Where a training ended, with all that a longer one needs to go on to the same bytes.

use std::collections::BTreeMap;

use engine::error::Fault;
use pulp::Arch;
use serde::{Deserialize, Serialize};

use crate::training::OptimizerState;

/// A training after some steps.
#[derive(Clone, Debug, PartialEq)]
pub struct SoFar {
    /// The steps taken.
    pub step: u64,
    /// The weights.
    pub weights: Vec<f32>,
    /// What the optimiser remembers.
    pub memory: OptimizerState,
    /// The loss of every step.
    pub losses: Vec<f64>,
    /// The loss on the rows held out after some steps.
    pub held_out: BTreeMap<u64, f64>,
    /// The weights of the smallest loss on the rows held out.
    pub best: Option<Best>,
}

/// The weights of the smallest loss on the rows held out.
#[derive(Clone, Debug, PartialEq)]
pub struct Best {
    /// That loss.
    pub loss: f64,
    /// After which epoch.
    pub epoch: u64,
    /// The weights.
    pub weights: Vec<f32>,
}

/// What the bytes begin with, as JSON.
#[derive(Serialize, Deserialize)]
struct Head {
    /// The vector instructions of the CPU: with others a training goes another way.
    machine: String,
    step: u64,
    optimizer_steps: i32,
    weights: usize,
    held_out: Vec<u64>,
    best_epoch: Option<u64>,
}

fn machine() -> String {
    format!("{} {:?}", std::env::consts::ARCH, Arch::new())
}

impl SoFar {
    /// All of it.
    ///
    /// # Errors
    /// A bug when its head has no JSON form.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Fault> {
        let head = Head {
            machine: machine(),
            step: self.step,
            optimizer_steps: self.memory.steps,
            weights: self.weights.len(),
            held_out: self.held_out.keys().copied().collect(),
            best_epoch: self.best.as_ref().map(|best| best.epoch),
        };
        let head = serde_json::to_vec(&head).map_err(|error| Fault::Bug(error.to_string()))?;
        let mut bytes = (head.len() as u64).to_le_bytes().to_vec();
        bytes.extend(head);
        let best = self.best.iter();
        let singles: [&[f32]; 3] = [&self.weights, &self.memory.first, &self.memory.second];
        let singles = singles
            .into_iter()
            .chain(best.clone().map(|best| &*best.weights));
        bytes.extend(singles.flatten().flat_map(|number| number.to_le_bytes()));
        let doubles = self.losses.iter().chain(self.held_out.values());
        let doubles = doubles.chain(best.map(|best| &best.loss));
        bytes.extend(doubles.flat_map(|number| number.to_le_bytes()));
        Ok(bytes)
    }

    /// What was written on a machine with the same vector instructions; none for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (length, rest) = bytes.split_at_checked(8)?;
        let length = u64::from_le_bytes(length.try_into().ok()?);
        let (head, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        let head: Head = serde_json::from_slice(head).ok()?;
        if head.machine != machine() {
            return None;
        }
        let sets = 3 + usize::from(head.best_epoch.is_some());
        let singles = head.weights.checked_mul(sets)?.checked_mul(4)?;
        let (singles, doubles) = rest.split_at_checked(singles)?;
        let steps = usize::try_from(head.step).ok()?;
        let count = steps
            .checked_add(head.held_out.len())?
            .checked_add(sets - 3)?;
        if Some(doubles.len()) != count.checked_mul(8) {
            return None;
        }
        let mut sets = singles.chunks_exact((head.weights * 4).max(1)).map(|set| {
            let (numbers, _) = set.as_chunks::<4>();
            let numbers = numbers.iter().map(|bytes| f32::from_le_bytes(*bytes));
            numbers.collect::<Vec<f32>>()
        });
        let (doubles, _) = doubles.as_chunks::<8>();
        let mut doubles = doubles.iter().map(|bytes| f64::from_le_bytes(*bytes));
        Some(Self {
            step: head.step,
            weights: sets.next()?,
            memory: OptimizerState {
                first: sets.next()?.into_iter().collect(),
                second: sets.next()?.into_iter().collect(),
                steps: head.optimizer_steps,
            },
            losses: doubles.by_ref().take(steps).collect(),
            held_out: head.held_out.into_iter().zip(doubles.by_ref()).collect(),
            best: match head.best_epoch {
                Some(epoch) => Some(Best {
                    loss: doubles.next()?,
                    epoch,
                    weights: sets.next()?,
                }),
                None => None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_from_its_bytes() {
        let mut so_far = SoFar {
            step: 3,
            weights: vec![1.0, -2.5],
            memory: OptimizerState {
                first: [0.1, 0.2].into_iter().collect(),
                second: [1e-30, 3.0].into_iter().collect(),
                steps: 2,
            },
            losses: vec![0.1 + 0.2, 1.0 / 3.0, f64::MIN_POSITIVE],
            held_out: BTreeMap::from([(2, 0.7), (3, f64::NAN)]),
            best: None,
        };
        let bytes = so_far.to_bytes().unwrap();
        let back = SoFar::from_bytes(&bytes).unwrap();
        assert!(back.held_out[&3].is_nan());
        so_far.held_out.insert(3, 0.5);
        so_far.best = Some(Best {
            loss: 0.5,
            epoch: 1,
            weights: vec![7.0, 8.0],
        });
        let bytes = so_far.to_bytes().unwrap();
        assert_eq!(SoFar::from_bytes(&bytes).unwrap(), so_far);
        for cut in 0..bytes.len() {
            assert_eq!(SoFar::from_bytes(&bytes[..cut]), None);
        }
    }
}
