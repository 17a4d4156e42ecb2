//! Where the weights of a training begin, and which of them stay there.

use engine::error::Fault;
use engine::plugin::Context;

/// The random stream that the first weights are drawn from.
pub const FIRST: &str = "init";

/// What training may do with a weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Freedom {
    /// Move it.
    Free = 0,
    /// Nothing: it stays as it begins.
    Frozen = 1,
    /// Nothing: it is zero.
    Zero = 2,
}

/// Where training begins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StartingPoint {
    /// The weights; drawn where there are none.
    pub weights: Option<Vec<f32>>,
    /// What may be done with each; all are free where there is nothing.
    pub freedom: Vec<Freedom>,
}

impl StartingPoint {
    /// The weights of step 0; `drawn` draws them.
    pub(super) fn first(&self, drawn: impl FnOnce() -> Vec<f32>) -> Vec<f32> {
        let mut weights = self.weights.clone().unwrap_or_else(drawn);
        for (weight, freedom) in weights.iter_mut().zip(&self.freedom) {
            if *freedom == Freedom::Zero {
                *weight = 0.0;
            }
        }
        weights
    }

    /// Puts weights that are not free back to those of step 0.
    pub(super) fn hold(&self, weights: &mut [f32], first: &[f32]) {
        let all = weights.iter_mut().zip(first).zip(&self.freedom);
        for ((weight, first), freedom) in all {
            if *freedom != Freedom::Free {
                *weight = *first;
            }
        }
    }

    /// Says how many weights stay.
    pub(super) fn note(&self, context: &Context) {
        let all = self.freedom.len();
        for (freedom, what) in [(Freedom::Frozen, "frozen"), (Freedom::Zero, "kept at zero")] {
            let count = self.freedom.iter().filter(|it| **it == freedom).count();
            if count > 0 {
                context.note(format!("{count} of {all} weights are {what}"));
            }
        }
    }

    /// The freedoms as bytes.
    pub fn freedom_bytes(&self) -> Vec<u8> {
        self.freedom.iter().map(|it| *it as u8).collect()
    }

    /// The freedoms of such bytes.
    ///
    /// # Errors
    /// When a byte is none.
    pub fn freedom_of(bytes: &[u8]) -> Result<Vec<Freedom>, Fault> {
        let one = |byte: &u8| match byte {
            0 => Ok(Freedom::Free),
            1 => Ok(Freedom::Frozen),
            2 => Ok(Freedom::Zero),
            _ => Err(Fault::Bug(format!("{byte} is no freedom of a weight"))),
        };
        bytes.iter().map(one).collect()
    }
}
