//! `init: orthogonal()`: how the weights that training begins with are drawn.

use engine::artifact::{Layout, Tensor};
use engine::error::Fault;
use engine::plugin::Complaint;
use engine::{constructor, made};
use faer::Mat;
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;

use crate::networks::Network;

constructor! {
    /// Weights and biases uniform within ±1/√inputs, as `torch.nn.Linear` and `Conv2d` begin.
    ///
    /// ```farcast
    /// parent small = mlp(seen, inputs: [x], target: y, epochs: 2, members: 2, init: torch())
    /// ```
    "torch"
    pub struct Torch {}
}

constructor! {
    /// Normal weights of variance gain / inputs, biases of zero (He et al. 2015).
    ///
    /// ```farcast
    /// parent small = mlp(seen, inputs: [x], target: y, epochs: 2, members: 2, init: kaiming())
    /// ```
    "kaiming"
    pub struct Kaiming {
        /// 2 where relu follows, 1 where nothing does.
        gain: f64 = "2", range("0..");
    }
}

constructor! {
    /// Weights uniform within ±√(6 / (inputs + outputs)), biases of zero (Glorot and Bengio 2010).
    ///
    /// ```farcast
    /// parent small = mlp(seen, inputs: [x], target: y, epochs: 2, members: 2, init: xavier())
    /// ```
    "xavier"
    pub struct Xavier {}
}

constructor! {
    /// Ones from each input to the output of its number, biases of zero: what goes in comes out.
    ///
    /// All other weights are normal numbers, so that units without an input of their own
    /// can learn; of a convolution the middle of the kernel has the ones. It is a reading of
    /// IDInit (Pan et al. 2025), which sets and repeats further parts.
    ///
    /// ```farcast
    /// parent small = mlp(seen, inputs: [x], target: y, epochs: 2, members: 2, init: identity(tail: 0.01))
    /// ```
    "identity"
    pub struct IdentityInit {
        /// The standard deviation of the other weights.
        tail: f64 = "1e-6", range("0..");
    }
}

constructor! {
    /// As `torch`, each matrix then reduced to a rank and scaled to the norm that it had.
    ///
    /// ```farcast
    /// parent small = mlp(seen, inputs: [x], target: y, epochs: 2, members: 2, init: low_rank(rank: 2))
    /// ```
    "low_rank"
    pub struct LowRank {
        /// How many singular values are kept; matrices of a smaller rank stay.
        rank: usize, range("1..");
    }
}

constructor! {
    /// Matrices with orthonormal rows, or columns where these are fewer, and biases of zero.
    ///
    /// Saxe et al. 2014.
    ///
    /// ```farcast
    /// parent small = mlp(seen, inputs: [x], target: y, epochs: 2, members: 2, init: orthogonal())
    /// ```
    "orthogonal"
    pub struct Orthogonal {
        /// What the matrices are multiplied by.
        gain: f64 = "1", range("0..");
    }
}

made! {
    /// How the weights that training begins with are drawn.
    pub enum Init { Torch, Kaiming, Xavier, IdentityInit, LowRank, Orthogonal }
}

/// The sizes of a matrix of outputs by inputs; a convolution has a kernel for each pair.
struct MatrixSizes {
    outputs: usize,
    inputs: usize,
    kernel: usize,
    /// The place of the middle of a kernel.
    middle: usize,
}

impl MatrixSizes {
    /// None of a tensor of one axis.
    fn of(tensor: &Tensor) -> Option<Self> {
        let [outputs, inputs, kernel @ ..] = &tensor.shape[..] else {
            return None;
        };
        Some(Self {
            outputs: *outputs,
            inputs: *inputs,
            kernel: kernel.iter().product(),
            middle: kernel.iter().fold(0, |place, size| place * size + size / 2),
        })
    }

    /// The numbers of a row.
    fn columns(&self) -> usize {
        self.inputs * self.kernel
    }

    fn rank(&self) -> usize {
        self.outputs.min(self.columns())
    }
}

impl Init {
    /// Refuses a rank that all matrices are below.
    pub fn complaint(&self, layout: Option<&Layout>) -> Option<Complaint> {
        let Self::LowRank(LowRank { rank }) = self else {
            return None;
        };
        let matrices = layout?.tensors.iter().filter_map(MatrixSizes::of);
        let most = matrices.map(|sizes| sizes.rank()).max()?;
        let message = format!("expected a rank of at most {most}, found {rank}");
        (*rank > most).then(|| Complaint::at("init.rank", message))
    }

    /// The weights that a network begins with; none where they are drawn as always. Its tensors are pairs of a weight and its bias;
    /// norms begin as they always do.
    ///
    /// # Errors
    /// When a decomposition does not end.
    pub fn draw(&self, network: &Network, rng: &mut impl Rng) -> Result<Option<Vec<f32>>, Fault> {
        if matches!(self, Self::Torch(_)) {
            return Ok(None);
        }
        let layout = network.layout();
        let mut weights = network.initial(rng);
        let ranges: Vec<_> = layout.ranges().collect();
        for pair in ranges.chunks_exact(2) {
            let Some(sizes) = MatrixSizes::of(pair[0].0) else {
                continue;
            };
            self.fill(&mut weights[pair[0].1.clone()], &sizes, rng)?;
            if !matches!(self, Self::LowRank(_)) {
                weights[pair[1].1.clone()].fill(0.0);
            }
        }
        Ok(Some(weights))
    }

    /// Fills a matrix that has the weights of `torch`.
    fn fill(
        &self,
        weights: &mut [f32],
        sizes: &MatrixSizes,
        rng: &mut impl Rng,
    ) -> Result<(), Fault> {
        let mut normal = || rng.sample::<f64, _>(StandardNormal);
        let columns = sizes.columns();
        match self {
            Self::Torch(_) => {}
            Self::Kaiming(Kaiming { gain }) => {
                let sd = (gain / columns as f64).sqrt();
                weights
                    .iter_mut()
                    .for_each(|it| *it = (sd * normal()) as f32);
            }
            Self::Xavier(_) => {
                let both = (sizes.inputs + sizes.outputs) * sizes.kernel;
                let limit = (6.0 / both as f64).sqrt() as f32;
                for weight in weights {
                    *weight = rng.random_range(-limit..=limit);
                }
            }
            Self::IdentityInit(IdentityInit { tail }) => {
                for (at, weight) in weights.iter_mut().enumerate() {
                    let (output, column) = (at / columns, at % columns);
                    let is_own = column == output * sizes.kernel + sizes.middle;
                    *weight = if is_own {
                        1.0
                    } else {
                        (tail * normal()) as f32
                    };
                }
            }
            Self::Orthogonal(Orthogonal { gain }) => {
                let (long, short) = (sizes.outputs.max(columns), sizes.rank());
                let drawn = Mat::from_fn(long, short, |_, _| normal());
                let qr = drawn.qr();
                let (q, r) = (qr.compute_thin_Q(), qr.thin_R());
                for (at, weight) in weights.iter_mut().enumerate() {
                    let (row, column) = (at / columns, at % columns);
                    let (row, column) = match sizes.outputs >= columns {
                        true => (row, column),
                        false => (column, row),
                    };
                    // Of either sign alike, whatever the decomposition prefers.
                    let sign = if r[(column, column)] < 0.0 { -1.0 } else { 1.0 };
                    *weight = (gain * sign * q[(row, column)]) as f32;
                }
            }
            Self::LowRank(LowRank { rank }) if *rank < sizes.rank() => {
                let norm = |weights: &[f32]| {
                    let squares = weights.iter().map(|it| f64::from(*it).powi(2));
                    squares.sum::<f64>().sqrt()
                };
                let before = norm(weights);
                let matrix = Mat::from_fn(sizes.outputs, columns, |row, column| {
                    f64::from(weights[row * columns + column])
                });
                let failed =
                    |_| Fault::Diverged("a singular value decomposition did not end".to_owned());
                let svd = matrix.thin_svd().map_err(failed)?;
                let values = svd.S().column_vector();
                for (at, weight) in weights.iter_mut().enumerate() {
                    let (row, column) = (at / columns, at % columns);
                    let parts = (0..*rank)
                        .map(|mode| svd.U()[(row, mode)] * values[mode] * svd.V()[(column, mode)]);
                    *weight = parts.sum::<f64>() as f32;
                }
                let factor = before / norm(weights);
                if factor.is_finite() {
                    let scaled = |it: &mut f32| *it = (f64::from(*it) * factor) as f32;
                    weights.iter_mut().for_each(scaled);
                }
            }
            Self::LowRank(_) => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use engine::plugin::{Context, Plugin};

    use super::*;
    use crate::data::support::testing::table;
    use crate::parents::{Conv, Mlp, Parent};
    use crate::testing::{call, given};

    /// The weights of a network of three layers at step 0, tensor by tensor.
    fn begun(init: &str) -> Vec<(Tensor, Vec<f64>)> {
        let x: Vec<f64> = (0..40).map(|row| (f64::from(row) * 0.7).sin()).collect();
        let data = given(table(&[("x", &x[..]), ("z", &x), ("y", &x)]));
        let mlp: Mlp = call(
            &format!(
                "d, inputs: [x, z], target: y, hidden: [40, 60], members: 1, steps: 1, \
                 optimizer: sgd(rate: 0){init}"
            ),
            &[("d", data)],
        );
        let Parent {
            layout, weights, ..
        } = mlp.run(&Context::alone("init")).expect("trains");
        let tensors = layout.ranges().map(|(tensor, range)| {
            let weights = weights[range].iter().map(|weight| f64::from(*weight));
            (tensor.clone(), weights.collect())
        });
        tensors.collect()
    }

    fn deviation(weights: &[f64]) -> f64 {
        (weights.iter().map(|it| it * it).sum::<f64>() / weights.len() as f64).sqrt()
    }

    fn matrix((tensor, weights): &(Tensor, Vec<f64>)) -> Mat<f64> {
        let columns = tensor.shape[1];
        Mat::from_fn(tensor.shape[0], columns, |row, column| {
            weights[row * columns + column]
        })
    }

    #[test]
    fn deviations_are_those_of_the_papers() {
        let torch = begun("");
        assert_eq!(begun(", init: torch()"), torch);
        // 2400 weights: a relative deviation of 1 / √4800 = 1.4 %.
        let of = |init: &str| {
            let begun = begun(init);
            assert!(
                begun
                    .iter()
                    .skip(1)
                    .step_by(2)
                    .all(|(_, bias)| deviation(bias) == 0.0)
            );
            begun[2].1.clone()
        };
        let close = |found: f64, expected: f64| {
            assert!((found / expected - 1.0).abs() < 0.06, "{found} {expected}");
        };
        close(deviation(&of(", init: kaiming()")), (2.0_f64 / 40.0).sqrt());
        close(
            deviation(&of(", init: kaiming(gain: 1)")),
            (1.0_f64 / 40.0).sqrt(),
        );
        let xavier = of(", init: xavier()");
        let limit = (6.0_f64 / 100.0).sqrt();
        close(deviation(&xavier), limit / 3.0_f64.sqrt());
        let most = xavier.iter().fold(0.0_f64, |most, it| most.max(it.abs()));
        assert!(
            most <= limit + 1e-6 && most > 0.98 * limit,
            "{most} {limit}"
        );
    }

    #[test]
    fn matrices_are_orthogonal_or_the_identity_or_of_a_rank() {
        for tensor in begun(", init: orthogonal(gain: 3)").iter().step_by(2) {
            let matrix = matrix(tensor);
            let product = match matrix.nrows() >= matrix.ncols() {
                true => matrix.transpose() * &matrix,
                false => &matrix * matrix.transpose(),
            };
            for row in 0..product.nrows() {
                for column in 0..product.ncols() {
                    let expected = if row == column { 9.0 } else { 0.0 };
                    assert!((product[(row, column)] - expected).abs() < 1e-5);
                }
            }
        }
        for tensor in begun(", init: identity(tail: 0)").iter().step_by(2) {
            let columns = tensor.0.shape[1];
            let expected = |at: usize| f64::from(u8::from(at / columns == at % columns));
            let weights = tensor.1.iter().enumerate();
            assert!(
                weights
                    .into_iter()
                    .all(|(at, weight)| *weight == expected(at))
            );
        }
        let tail = begun(", init: identity(tail: 0.5)");
        let padded = deviation(&tail[2].1[40 * 40..]);
        assert!((padded / 0.5 - 1.0).abs() < 0.1, "{padded}");
        for (tensor, before) in begun(", init: low_rank(rank: 2)").iter().zip(&begun("")) {
            let (now, was) = (deviation(&tensor.1), deviation(&before.1));
            assert!((now / was - 1.0).abs() < 1e-5, "{now} {was}");
            if tensor.0.name == "layers.1.weight" {
                let svd = matrix(tensor).thin_svd().expect("values");
                let values = svd.S().column_vector();
                assert!(values[1] > 0.1 && values[2] < 1e-5 * values[0]);
            }
        }
    }

    #[test]
    fn a_convolution_has_its_ones_in_the_middle_of_the_kernel() {
        let names = (0..25).map(|at| format!("pixel_{}_{}", at / 5, at % 5));
        let names: Vec<String> = names.collect();
        let values: Vec<f64> = (0..12).map(f64::from).collect();
        let classes: Vec<f64> = (0..12).map(|row| f64::from(row % 2)).collect();
        let columns = names.iter().map(|name| (&name[..], &values[..]));
        let columns: Vec<(&str, &[f64])> = columns.chain([("label", &classes[..])]).collect();
        let arguments = "d, channels: [2], kernel: 3, dense: [], members: 1, steps: 1, \
                         optimizer: sgd(rate: 0), init: identity(tail: 0)";
        let conv: Conv = call(arguments, &[("d", given(table(&columns)))]);
        let parent = conv.run(&Context::alone("init")).expect("trains");
        let (tensor, range) = parent.layout.ranges().next().expect("a tensor");
        assert_eq!(tensor.shape, [2, 1, 3, 3]);
        let ones = range.filter(|at| parent.weights[*at] != 0.0);
        assert_eq!(ones.collect::<Vec<_>>(), [4]);
        assert_eq!(parent.weights[4], 1.0);
    }
}
