//! Parents: networks trained on all training data, one action per member.

mod conv;
mod dense;
mod dfdx_encoder;
mod dfdx_trainer;
mod encoder;
mod forward;
mod images;
mod jump;
mod least_squares;
mod linear_regression;
mod mlp;
mod network;
mod parent;
mod recipe;
mod run;
mod scaling;
mod trained;
mod transformer;

pub use conv::Conv;
pub(crate) use dense::Dense;
pub use dfdx_trainer::DfdxTrainer;
pub use encoder::Encoder;
pub(crate) use forward::{GELU_CUBIC, GELU_SCALE};
pub(crate) use images::pixel;
pub use images::{Convolution, Images};
pub use jump::{Counts, Guard, Jump, Jumps, Method, Nowcast, OptimizerMemory};
pub use least_squares::LeastSquares;
pub use linear_regression::LinearRegression;
pub use mlp::Mlp;
pub use network::{Activation, Front, Loss, Network, Scaled};
pub use parent::Parent;
pub use recipe::{Length, Recipe, TrainerChoice, Training, Watch, parent_of, trainer_of};
pub use transformer::Transformer;

use engine::plugin::Registry;

/// Adds the parents to the registry, with the optimisers and schedules they train by.
pub fn register(registry: &mut Registry) {
    crate::training::register(registry);
    registry.plugin::<LeastSquares>();
    registry.constructors(Jump::constructors());
    registry.plugin::<Conv>();
    registry.plugin::<LinearRegression>();
    registry.plugin::<Mlp>();
    registry.plugin::<Transformer>();
}
