//! Parents: networks trained on all training data, one action per member.

mod forward;
mod network;

pub use network::{Activation, Loss, Network, Parent, Scaled};
