//! A dense layer on rows of numbers, forward and backward.

use std::ops::Range;

/// Where a layer's numbers stand among all of a network.
#[derive(Clone, Debug)]
pub struct Dense {
    /// `[inputs, outputs]`.
    pub kernel: Range<usize>,
    /// `[outputs]`.
    pub bias: Range<usize>,
}

impl Dense {
    /// `x · kernel + bias` for every row of `x`.
    pub fn forward(&self, weights: &[f32], x: &[f32]) -> Vec<f32> {
        let (kernel, bias) = (&weights[self.kernel.clone()], &weights[self.bias.clone()]);
        let (inputs, outputs) = (kernel.len() / bias.len(), bias.len());
        let mut y = Vec::with_capacity(x.len() / inputs * outputs);
        for row in x.chunks_exact(inputs) {
            let start = y.len();
            y.extend_from_slice(bias);
            let sums = &mut y[start..];
            for (value, kernel) in row.iter().zip(kernel.chunks_exact(outputs)) {
                sums.iter_mut()
                    .zip(kernel)
                    .for_each(|(sum, weight)| *sum += value * weight);
            }
        }
        y
    }

    /// Adds the derivatives by the numbers to `gradient`; returns those by `x`, from those by `y`.
    pub fn backward(
        &self,
        weights: &[f32],
        x: &[f32],
        dy: &[f32],
        gradient: &mut [f32],
    ) -> Vec<f32> {
        let kernel = &weights[self.kernel.clone()];
        let outputs = self.bias.len();
        let inputs = kernel.len() / outputs;
        let mut dx = Vec::with_capacity(x.len());
        for (row, dy) in x.chunks_exact(inputs).zip(dy.chunks_exact(outputs)) {
            let by_bias = &mut gradient[self.bias.clone()];
            by_bias.iter_mut().zip(dy).for_each(|(sum, d)| *sum += d);
            let by_kernel = gradient[self.kernel.clone()].chunks_exact_mut(outputs);
            for ((value, kernel), sums) in
                row.iter().zip(kernel.chunks_exact(outputs)).zip(by_kernel)
            {
                sums.iter_mut()
                    .zip(dy)
                    .for_each(|(sum, d)| *sum += value * d);
                dx.push(kernel.iter().zip(dy).map(|(weight, d)| weight * d).sum());
            }
        }
        dx
    }
}
