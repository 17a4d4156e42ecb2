//! Parents: networks trained on all training data, one action per member.

mod additive;
mod boost;
mod conv;
mod least_squares;
mod linear_regression;
mod mlp;
pub(crate) mod support;
mod transformer;

pub use additive::Additive;
pub use boost::Boost;
pub use conv::Conv;
pub use least_squares::LeastSquares;
pub use linear_regression::LinearRegression;
pub use mlp::Mlp;
pub use support::parent::{Parent, States};
pub(crate) use support::parent::{about_network, not_runnable};
pub use transformer::Transformer;

use dsl::types::Kind;
use engine::plugin::Registry;

/// Adds the parents to the registry, with the optimisers, schedules and jumps they train by.
pub fn register(registry: &mut Registry) {
    registry.artifact::<Parent>();
    registry.maker_of(Kind::Parent, support::foreign::Train);
    crate::training::register(registry);
    crate::recipes::register(registry);
    registry.constructors(support::init::Init::CONSTRUCTORS);
    registry.plugin::<LeastSquares>();
    registry.plugin::<Additive>();
    registry.plugin::<Boost>();
    registry.plugin::<Conv>();
    registry.plugin::<LinearRegression>();
    registry.plugin::<Mlp>();
    registry.plugin::<Transformer>();
}
