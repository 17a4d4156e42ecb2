//! Networks: how rows of weights are laid out, evaluated, differentiated and scaled.
//!
//! Nothing here knows an optimiser or a plugin. dfdx is used in `dfdx/` alone.

mod abreast;
mod activation;
mod adam;
mod aligned;
mod attention;
mod convolutional;
mod dense;
mod dfdx;
#[cfg(test)]
mod differences;
mod encoder;
mod expanded;
mod fan_out;
mod feedforward;
mod foreign;
mod fused;
mod gelu;
mod gradient;
mod images;
mod initial;
mod lanes;
mod layers;
mod loss;
mod model;
mod network;
mod planes;
pub(crate) mod precise;
mod sample_source;
mod samples;
mod scaled;
mod tangent;
#[cfg(test)]
pub(crate) mod testing;
mod transformer;
mod trees;

pub use activation::Activation;
pub use adam::{AdamRule, AdamStep, Decay};
pub use aligned::Aligned;
pub use convolutional::Convolutional;
pub use encoder::Encoder;
pub use expanded::{Expanded, Product};
pub use feedforward::Feedforward;
pub use foreign::{ForeignNetwork, Runner};
pub(crate) use gradient::transposed;
pub use gradient::{Differentiate, Moves, TrainerChoice};
pub use images::{CONVOLUTIONS, Convolution, Images};
pub(crate) use lanes::vectorised;
pub use layers::Layers;
pub use loss::Loss;
pub use model::{Model, Sums};
pub use network::{Difference, Network};
pub use sample_source::SampleSource;
pub use samples::Samples;
pub use scaled::{Columns, Scaled, TrainingRows, scaled_inputs, scaled_target, standardised};
pub use transformer::EncoderNetwork;
pub use trees::{Node, Trees};

#[cfg(test)]
pub(crate) use fan_out::FanOut;
