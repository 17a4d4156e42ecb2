//! Parents: networks trained on all training data, one action per member.

mod dfdx_trainer;
mod forward;
mod least_squares;
mod mlp;
mod network;

pub use dfdx_trainer::DfdxTrainer;
pub(crate) use forward::{GELU_CUBIC, GELU_SCALE};
pub use least_squares::LeastSquares;
pub use mlp::{Mlp, TrainerChoice};
pub use network::{Activation, Loss, Network, Parent, Scaled};

use engine::plugin::Registry;

/// Adds the parents to the registry, with the optimisers and schedules they train by.
pub fn register(registry: &mut Registry) {
    crate::training::register(registry);
    registry.plugin::<LeastSquares>();
    registry.plugin::<Mlp>();
}
