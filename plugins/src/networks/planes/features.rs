//! What convolutions make of images, with nothing kept for the way back.
//!
//! The sums are those of the module, `z[o,p] = b[o] + Σ_c,κ W[o,c,κ] x[c,p+κ]`, with the images of a tile side
//! by side in lanes; a product is rounded before it is added, so that all machines give the same bits.
//!
//! Roofline: a product and a sum a cycle, on parts of a core that work at the same time.

use pulp::{Simd, WithSimd};

use super::convolve::Convolve;
use super::layer::seen;
use crate::networks::encoder::taken;
use crate::networks::fused::{InputRows, MOST_ROWS, Rows, TILE};
use crate::networks::{Activation, Images};

/// Passes images through all convolutions, a tile at a time.
pub(in crate::networks) struct PlaneFeatures<'a, F> {
    pub images: &'a Images,
    pub activation: Activation,
    /// Those of the convolutions.
    pub weights: &'a [f32],
    /// `[images, pixels]`.
    pub inputs: &'a [f32],
    /// What to do with the features after each convolution: its number, how many images there are
    /// and the features, each of a whole tile of images.
    pub keep: F,
}

impl<F: FnMut(usize, usize, &[Rows])> WithSimd for PlaneFeatures<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let convolutions = self.images.convolutions();
        let pixels = self.images.depth * self.images.height * self.images.width;
        let mut planes = vec![vec![Rows::ZERO; pixels]];
        planes.extend(convolutions.iter().map(|layer| {
            let features: usize = layer.to.iter().product();
            vec![Rows::ZERO; features]
        }));
        let seen: Vec<_> = convolutions.iter().map(seen).collect();
        let mut sums = vec![Rows::ZERO; MOST_ROWS * self.images.pool * self.images.pool];
        for inputs in self.inputs.chunks(TILE * pixels) {
            let rows = InputRows {
                count: inputs.len() / pixels,
                width: pixels,
                inputs,
            };
            rows.columns(simd, &mut planes[0]);
            let mut weights = self.weights;
            for (at, shape) in convolutions.iter().enumerate() {
                let (before, after) = planes.split_at_mut(at + 1);
                let [weight, bias] =
                    [shape.weights(), shape.to[0]].map(|count| taken(&mut weights, count));
                simd.vectorize(Convolve::<_, false> {
                    shape,
                    seen: &seen[at],
                    from: &before[at],
                    weight,
                    bias,
                    pooling: &mut self.activation,
                    sums: &mut sums,
                    to: &mut after[0],
                });
                (self.keep)(at, rows.count, &after[0]);
            }
        }
    }
}

/// Adds the features of the images of a tile, image after image.
pub(in crate::networks) fn add_images(to: &mut Vec<f32>, count: usize, features: &[Rows]) {
    for image in 0..count {
        to.extend(features.iter().map(|feature| feature.0[image]));
    }
}
