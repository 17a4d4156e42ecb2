//! Networks: how rows of weights are laid out, evaluated, differentiated and scaled.
//!
//! Nothing here knows an optimiser or a plugin. dfdx is used in `dfdx/` alone.

mod activation;
mod dense;
mod dfdx;
mod encoder;
mod fused;
mod gradient;
mod images;
mod lanes;
mod loss;
mod network;
mod samples;
mod scaled;
#[cfg(test)]
pub(crate) mod testing;

pub use activation::Activation;
pub(crate) use dense::Dense;
pub use encoder::Encoder;
pub use gradient::{Differentiate, TrainerChoice};
pub use images::{Convolution, Images};
pub(crate) use lanes::vectorised;
pub use loss::Loss;
pub use network::{Front, Network};
pub use samples::Samples;
pub use scaled::{Scaled, scaled_inputs, scaled_target};

#[cfg(test)]
pub(crate) use fused::Fused;
