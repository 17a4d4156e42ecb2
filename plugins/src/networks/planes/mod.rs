//! Fast gradients of convolutional networks: convolutions as the [`FrontEnd`] of the fused dense
//! layers.
//!
//! Each number of each plane has the rows of a tile, which are images, side by side in vector
//! lanes. A convolution of kernels `k × k` with the maximum over windows is then, without any
//! copy of what kernels see,
//!
//! `z[o,p] = b[o] + Σ_c,κ W[o,c,κ] x[c,p+κ]`, `y[o,w] = f(max_(p in w) z[o,p])`,
//!
//! and with the deltas `δ[o,w]`, at the place of the maximum (the first of equals), backwards
//!
//! `d[c,q] = Σ_o,κ W[o,c,κ] δ[o,q-κ]`, `g[o,c,κ] = Σ_p δ[o,p] x[c,p+κ]`.
//!
//! Roofline: `6 c o k² p` floating-point operations an image and layer of `p` places (4 for the
//! first layer, which passes nothing back): 67 million for 64 images of 28 × 28, 8 and 16
//! channels, `k = 3`, with the dense layers. A register of inputs is multiplied by the weights of
//! 8 outputs, one of deltas by 6 inputs. The planes of a tile (0.9 MB there) are in the second
//! cache; deltas of the first layer, four times as many as it returns, are made window row by
//! window row.

mod convolve;
mod features;
mod layer;
mod pool;

use pulp::Simd;

pub(super) use features::{PlaneFeatures, add_images};
use layer::PlaneLayer;

use super::encoder::taken;
use super::fused::{FrontEnd, FusedLayer, InputRows, Rows};
use super::{Activation, Images};

/// Convolutions on a tile of images; see the module.
#[derive(Clone)]
pub(super) struct Planes {
    layers: Vec<PlaneLayer>,
    /// The deltas of a layer before pooling.
    unpooled: Vec<Rows>,
}

impl Planes {
    /// The convolutions, each with this activation.
    pub fn new(images: &Images, activation: Activation) -> Self {
        let convolutions = images.convolutions();
        let layers: Vec<_> = convolutions
            .into_iter()
            .enumerate()
            .map(|(at, shape)| PlaneLayer::new(shape, activation, at == 0))
            .collect();
        let unpooled = layers.iter().map(PlaneLayer::unpooled).max();
        Self {
            unpooled: vec![Rows::ZERO; unpooled.unwrap_or(0)],
            layers,
        }
    }
}

impl FrontEnd for Planes {
    const PART: usize = 1;

    fn weights(&self) -> usize {
        self.layers.iter().map(PlaneLayer::weights).sum()
    }

    #[inline(always)]
    fn forward<S: Simd>(
        &mut self,
        simd: S,
        mut weights: &[f32],
        rows: InputRows<'_>,
        first: &mut FusedLayer,
    ) {
        match self.layers.first_mut() {
            Some(layer) => rows.columns(simd, layer.incoming()),
            None => rows.columns(simd, first.features()),
        }
        for at in 0..self.layers.len() {
            let (before, after) = self.layers.split_at_mut(at + 1);
            let layer = &mut before[at];
            let weights = taken(&mut weights, layer.weights());
            let to = match after.first_mut() {
                Some(next) => next.incoming(),
                None => first.features(),
            };
            layer.forward(simd, weights, to);
        }
        first.keep_rows(simd);
    }

    fn slopes(&mut self) -> &mut [Rows] {
        match self.layers.last_mut() {
            Some(last) => last.slopes_mut(),
            None => &mut [],
        }
    }

    #[inline(always)]
    fn backward<S: Simd>(&mut self, simd: S, weights: &[f32], gradients: &mut [f32]) {
        let mut end = self.weights();
        for at in (0..self.layers.len()).rev() {
            let (before, after) = self.layers.split_at_mut(at);
            let layer = &mut after[0];
            let start = end - layer.weights();
            let back = before
                .last_mut()
                .map(|before| (&weights[start..end], before.slopes_mut()));
            layer.backward(simd, back, &mut gradients[start..end], &mut self.unpooled);
            end = start;
        }
    }
}

#[cfg(test)]
mod tests;
