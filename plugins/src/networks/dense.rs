//! Dense layers forward, for one row or many.
//!
//! Rows go side by side in lanes, for the best instructions of the machine. A product is rounded
//! before it is added, so that all machines give the same bits.
//!
//! The weights may be a sum with other factors in each row, `W = W_0 + Σ_s b_s W_s`: a layer is
//! then `W x = [W_0 W_1 …] (b ⊗ x)` with `b_0 = 1`, one matrix for all rows, so that the weights
//! of no row are made. A bias is a weight of a constant input.

use std::ops::Range;

use pulp::{Arch, Simd, WithSimd};

use super::lanes::Lanes;
use super::{Activation, Layers, Sums};

/// How many rows go side by side.
const BLOCK: usize = 16;
/// How many outputs are summed at a time, so that no sum waits for itself.
const GROUP: usize = 4;

/// One number for each row of a block.
type RowBlock = Lanes<BLOCK>;

/// The dense layers of a network, or of as many networks as there are rows.
pub(crate) struct Dense {
    layers: Vec<DenseLayer>,
    activation: Activation,
}

struct DenseLayer {
    /// The columns of the matrix for one group of outputs after the other.
    matrix: Vec<[f32; GROUP]>,
    outputs: usize,
}

impl Dense {
    /// Layers of this shape; `sets` are the weights `W_0`, `W_1`, …, each in parameter order.
    pub fn of(layers: &Layers, sets: &[&[f32]]) -> Self {
        Self::new(&layers.widths, layers.activation, sets)
    }

    /// Layers of these widths: what the first takes, then what each gives.
    ///
    /// `sets` are the weights `W_0`, `W_1`, …, each in parameter order.
    pub fn new(widths: &[usize], activation: Activation, sets: &[&[f32]]) -> Self {
        let mut rests = sets.to_vec();
        let layers = widths.windows(2).map(|pair| {
            let [inputs, outputs] = [pair[0], pair[1]];
            let parts = rests.iter_mut().map(|rest| {
                let (weight, after) = rest.split_at(inputs * outputs);
                let (bias, after) = after.split_at(outputs);
                *rest = after;
                (weight, bias)
            });
            DenseLayer::new(&parts.collect::<Vec<_>>(), inputs, outputs)
        });
        Self {
            layers: layers.collect(),
            activation,
        }
    }

    /// How many weights a set for layers of these widths has.
    pub fn weights(widths: &[usize]) -> usize {
        let pairs = widths.windows(2);
        pairs.map(|pair| (pair[0] + 1) * pair[1]).sum()
    }

    /// The outputs for each row, `[rows, outputs]`.
    ///
    /// `inputs` are `[rows, inputs]`, `factors` those of `W_1`, …, `[rows, sets - 1]`.
    pub fn run(&self, rows: usize, inputs: &[f32], factors: &[f32]) -> Vec<f32> {
        Arch::new().dispatch(RunArguments {
            dense: self,
            rows,
            inputs,
            factors,
        })
    }
}

impl Sums for Dense {
    fn evaluate(&self, inputs: &[f32], factors: &[f32], rows: usize) -> Vec<f32> {
        self.run(rows, inputs, factors)
    }
}

/// The arguments of [`Dense::run`].
struct RunArguments<'a> {
    dense: &'a Dense,
    rows: usize,
    inputs: &'a [f32],
    factors: &'a [f32],
}

impl WithSimd for RunArguments<'_> {
    type Output = Vec<f32>;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Vec<f32> {
        let Dense { layers, activation } = self.dense;
        let mut outputs = Vec::new();
        let [mut factors, mut values, mut sums] = [const { Vec::new() }; 3];
        for start in (0..self.rows).step_by(BLOCK) {
            let block = start..self.rows.min(start + BLOCK);
            load(&mut values, self.inputs, self.rows, block.clone());
            load(&mut factors, self.factors, self.rows, block.clone());
            for (at, layer) in layers.iter().enumerate() {
                if at > 0 {
                    values
                        .iter_mut()
                        .for_each(|Lanes(rows)| activation.apply_by(simd, rows));
                }
                multiply(simd, &mut values, &factors);
                layer.forward(simd, &values, &mut sums);
                std::mem::swap(&mut values, &mut sums);
            }
            for lane in 0..block.len() {
                outputs.extend(values.iter().map(|Lanes(rows)| rows[lane]));
            }
        }
        outputs
    }
}

/// Takes the rows of a block from a table, column by column.
#[inline(always)]
fn load(columns: &mut Vec<RowBlock>, table: &[f32], rows: usize, block: Range<usize>) {
    let width = table.len() / rows;
    columns.resize(width, RowBlock::ZERO);
    for (lane, row) in block.enumerate() {
        for (Lanes(column), value) in columns.iter_mut().zip(&table[row * width..]) {
            column[lane] = *value;
        }
    }
}

/// Appends the constant input, then for each factor its products with all of these.
#[inline(always)]
fn multiply<S: Simd>(simd: S, values: &mut Vec<RowBlock>, factors: &[RowBlock]) {
    values.push(Lanes([1.0; BLOCK]));
    let inputs = values.len();
    for factor in factors {
        for at in 0..inputs {
            let mut product = values[at];
            let products = product.registers_mut::<S>().iter_mut();
            for (product, factor) in products.zip(factor.registers::<S>()) {
                *product = simd.mul_f32s(*product, *factor);
            }
            values.push(product);
        }
    }
}

impl DenseLayer {
    /// The weights and biases of each set, those of one output together.
    fn new(sets: &[(&[f32], &[f32])], inputs: usize, outputs: usize) -> Self {
        let mut matrix = Vec::with_capacity(outputs.div_ceil(GROUP) * sets.len() * (inputs + 1));
        for group in (0..outputs).step_by(GROUP) {
            for (weight, bias) in sets {
                // Those of outputs beyond the last are zero.
                let of = |numbers: &[f32], stride: usize, at: usize| {
                    std::array::from_fn(|output| {
                        let number = numbers.get((group + output) * stride + at);
                        number.copied().unwrap_or(0.0)
                    })
                };
                matrix.extend((0..inputs).map(|input| of(weight, inputs, input)));
                matrix.push(of(bias, 1, 0));
            }
        }
        Self { matrix, outputs }
    }

    /// The outputs from the products of factors and inputs.
    #[inline(always)]
    fn forward<S: Simd>(&self, simd: S, products: &[RowBlock], outputs: &mut Vec<RowBlock>) {
        outputs.clear();
        for matrix in self.matrix.chunks_exact(products.len()) {
            let mut group = [RowBlock::ZERO; GROUP];
            for column in 0..BLOCK / S::F32_LANES {
                let mut sums = [simd.splat_f32s(0.0); GROUP];
                for (weights, product) in matrix.iter().zip(products) {
                    let product = product.registers::<S>()[column];
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        let product = simd.mul_f32s(simd.splat_f32s(*weight), product);
                        *sum = simd.add_f32s(*sum, product);
                    }
                }
                for (outputs, sum) in group.iter_mut().zip(sums) {
                    outputs.registers_mut::<S>()[column] = sum;
                }
            }
            outputs.extend_from_slice(&group);
        }
        outputs.truncate(self.outputs);
    }
}

#[cfg(test)]
mod tests {
    use pulp::Scalar;

    use super::*;
    use crate::networks::testing::made_up;

    /// What the layers are, row by row and number by number.
    fn plainly(widths: &[usize], mut weights: &[f32], inputs: &[f32]) -> Vec<f32> {
        let mut values = inputs.to_vec();
        for (at, pair) in widths.windows(2).enumerate() {
            if at > 0 {
                Activation::Tanh.apply(&mut values);
            }
            let (weight, rest) = weights.split_at(pair[0] * pair[1]);
            let (bias, rest) = rest.split_at(pair[1]);
            weights = rest;
            let row = |row: &[f32]| -> Vec<f32> {
                let sums = weight.chunks(pair[0]).zip(bias).map(|(weight, bias)| {
                    let products = weight.iter().zip(row).map(|(weight, value)| weight * value);
                    products.fold(0.0, |sum, product| sum + product) + bias
                });
                sums.collect()
            };
            values = values.chunks(pair[0]).flat_map(row).collect();
        }
        values
    }

    #[test]
    fn all_instructions_give_the_bits_of_plain_sums() {
        for (rows, widths) in [
            (1, vec![3, 1]),
            (37, vec![2, 5, 4, 3]),
            (16, vec![4, 16, 16, 1]),
        ] {
            let weights = made_up(Dense::weights(&widths), 1);
            let inputs = made_up(rows * widths[0], 2);
            let dense = Dense::new(&widths, Activation::Tanh, &[&weights]);
            let run = RunArguments {
                dense: &dense,
                rows,
                inputs: &inputs,
                factors: &[],
            };
            let expected = plainly(&widths, &weights, &inputs);
            assert_eq!(run.with_simd(Scalar::new()), expected);
            assert_eq!(dense.run(rows, &inputs, &[]), expected);
        }
    }

    #[test]
    fn weights_may_be_sums_with_factors_for_each_row() {
        let (rows, widths) = (19, [2, 5, 1]);
        let sets = [1, 2, 3].map(|salt| made_up(Dense::weights(&widths), salt));
        let (inputs, factors) = (made_up(rows * 2, 4), made_up(rows * 2, 5));
        let dense = Dense::new(
            &widths,
            Activation::Tanh,
            &sets.each_ref().map(|set| &set[..]),
        );
        let found = dense.run(rows, &inputs, &factors);
        for (row, found) in found.iter().enumerate() {
            let [a, b] = [factors[2 * row], factors[2 * row + 1]];
            let terms = sets[0].iter().zip(&sets[1]).zip(&sets[2]);
            let weights: Vec<f32> = terms.map(|((w, x), y)| w + a * x + b * y).collect();
            let expected = plainly(&widths, &weights, &inputs[2 * row..][..2])[0];
            assert!((found - expected).abs() < 2e-6, "{found} {expected}");
        }
    }
}
