//! Convolutions over images: what comes before the dense layers of a network that has some.

use engine::artifact::Layout;
use serde::{Deserialize, Serialize};

use super::fused::TILE;

/// What a network with some has beside dense layers, in words.
pub const CONVOLUTIONS: &str = "convolutions";

/// The convolutions of a network, in order, and the images they take.
///
/// Each is followed by the activation and by the maximum over windows that do not overlap
/// (`torch.nn.Conv2d` without padding, then `MaxPool2d`). A feature is numbered by channel,
/// row and column, as `torch.flatten` does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Images {
    /// Channels of an image.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub depth: usize,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// Channels each convolution makes.
    pub channels: Vec<usize>,
    /// Rows and columns of each kernel.
    pub kernel: usize,
    /// Rows and columns of each window of which the maximum is kept.
    pub pool: usize,
}

/// The channels of images that were stored when there was no other number.
fn one() -> usize {
    1
}

fn is_one(depth: &usize) -> bool {
    *depth == 1
}

/// One convolution and its pooling, in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Convolution {
    /// Channels that come in, with rows and columns.
    pub from: [usize; 3],
    /// Channels that go out, with rows and columns after pooling.
    pub to: [usize; 3],
    /// Rows and columns of the kernel.
    pub kernel: usize,
    /// Rows and columns of a pooling window.
    pub pool: usize,
}

impl Images {
    /// How many images a step of training takes at a time.
    pub const AT_ONCE: usize = TILE;

    /// The convolutions in order; none from where an image is smaller than a kernel or window.
    pub fn convolutions(&self) -> Vec<Convolution> {
        let mut from = [self.depth, self.height, self.width];
        let mut convolutions = Vec::with_capacity(self.channels.len());
        for channels in &self.channels {
            let side = |length: usize| (length + 1).saturating_sub(self.kernel) / self.pool;
            let to = [*channels, side(from[1]), side(from[2])];
            if to.contains(&0) {
                break;
            }
            convolutions.push(Convolution {
                from,
                to,
                kernel: self.kernel,
                pool: self.pool,
            });
            from = to;
        }
        convolutions
    }

    /// The tensors of the convolutions and of dense layers of these widths that follow.
    pub fn with_dense(&self, widths: &[usize]) -> Layout {
        let convolutions = self.convolutions().into_iter().map(|layer| {
            let [inputs, outputs] = [layer.from[0], layer.to[0]];
            vec![outputs, inputs, layer.kernel, layer.kernel]
        });
        let dense = widths.windows(2).map(|pair| vec![pair[1], pair[0]]);
        Layout::layers(convolutions.chain(dense))
    }
}

impl Convolution {
    /// How many weights it has beside its biases.
    pub fn weights(&self) -> usize {
        self.to[0] * self.inputs()
    }

    /// How many numbers one output is a sum over.
    pub fn inputs(&self) -> usize {
        self.from[0] * self.kernel * self.kernel
    }

    /// Rows and columns of the convolution before pooling, without those that no window covers.
    pub fn covered(&self) -> [usize; 2] {
        [self.to[1] * self.pool, self.to[2] * self.pool]
    }
}

#[cfg(test)]
pub(in crate::networks) mod tests {
    use super::*;
    use crate::networks::Activation;
    use crate::networks::testing::exactly;

    fn images(channels: &[usize], kernel: usize, pool: usize) -> Images {
        Images {
            depth: 1,
            height: 8,
            width: 7,
            channels: channels.to_vec(),
            kernel,
            pool,
        }
    }

    /// A convolution with everything written out: the definition, in f64.
    pub(crate) fn by_definition(
        layer: &Convolution,
        activation: Activation,
        weights: &[f64],
        image: &[f64],
    ) -> Vec<f64> {
        let [channels, rows, columns] = layer.from;
        let (kernel, pool) = (layer.kernel, layer.pool);
        let mut pooled = Vec::new();
        for out in 0..layer.to[0] {
            for y in 0..layer.to[1] {
                for x in 0..layer.to[2] {
                    let mut largest = f64::NEG_INFINITY;
                    for (py, px) in (0..pool * pool).map(|at| (at / pool, at % pool)) {
                        let mut sum = weights[layer.weights() + out];
                        for c in 0..channels {
                            for (ky, kx) in
                                (0..kernel * kernel).map(|at| (at / kernel, at % kernel))
                            {
                                let weight =
                                    weights[((out * channels + c) * kernel + ky) * kernel + kx];
                                let (iy, ix) = (y * pool + py + ky, x * pool + px + kx);
                                sum += weight * image[(c * rows + iy) * columns + ix];
                            }
                        }
                        largest = largest.max(exactly(activation, sum));
                    }
                    pooled.push(largest);
                }
            }
        }
        pooled
    }

    #[test]
    fn images_shrink_by_kernel_and_pool_until_nothing_is_left() {
        let sides = |images: &Images| -> Vec<[usize; 3]> {
            images.convolutions().iter().map(|layer| layer.to).collect()
        };
        // (8 - 2) / 2, (7 - 2) / 2; then 3 - 2 and 2 - 2 are too few for a window of two.
        assert_eq!(sides(&images(&[4, 4], 3, 2)), [[4, 3, 2]]);
        assert_eq!(sides(&images(&[4, 5], 3, 1)), [[4, 6, 5], [5, 4, 3]]);
        assert_eq!(sides(&images(&[4], 9, 1)), [[0; 3]; 0]);
    }
}
