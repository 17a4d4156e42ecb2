//! Parents: networks trained on all training data, one action per member.

mod network;

pub use network::{Activation, Loss, Network, Parent, Scaled};
