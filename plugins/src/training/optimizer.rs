//! Update rules and learning-rate schedules, as `torch.optim` defines them.

use engine::{constructor, made};
use pulp::Arch;
use serde::{Deserialize, Deserializer, Serialize};

use crate::networks::{AdamRule, AdamStep, Aligned, Decay, vectorised};

constructor! {
    /// Stochastic gradient descent, with heavy-ball momentum on request.
    ///
    /// `v = momentum v + g; w -= rate v` (torch.optim.SGD).
    ///
    /// ```farcast
    /// anomaly gentle = finetune(net, near, optimizer: sgd(rate: 1e-3, momentum: 0.9), steps: 10)
    /// ```
    #[derive(Clone, PartialEq, Serialize, Deserialize)]
    "sgd"
    pub struct Sgd {
        /// The learning rate.
        rate: f64 = "1e-2", range("0..");
        /// The share of the last move that is kept.
        momentum: f64 = "0", range("0..1");
    }
}

constructor! {
    /// Stochastic gradient descent with decoupled weight decay (Loshchilov & Hutter 2019).
    ///
    /// `v = momentum v + g; w -= rate decay w`, then `w -= rate v`.
    ///
    /// ```farcast
    /// parent decayed = mlp(seen, inputs: [x], target: y, optimizer: sgdw(decay: 0.1), members: 2)
    /// ```
    #[derive(Clone, PartialEq, Serialize, Deserialize)]
    "sgdw"
    pub struct SgdW {
        /// The learning rate.
        rate: f64 = "1e-2", range("0..");
        /// The share of the last move that is kept.
        momentum: f64 = "0", range("0..1");
        /// Weight decay.
        decay: f64 = "1e-2", range("0..");
        /// Whether only those weights decay that the step makes smaller as well (Chen et al. 2025).
        cautious: bool = "false";
    }
}

constructor! {
    /// Adam (Kingma & Ba 2015, algorithm 1).
    ///
    /// ```farcast
    /// parent quick = mlp(seen, inputs: [x], target: y, optimizer: adam(rate: 3e-3), epochs: 2, members: 2)
    /// ```
    #[derive(Clone, PartialEq, Serialize, Deserialize)]
    "adam"
    pub struct Adam {
        /// The learning rate.
        rate: f64 = "1e-3", range("0..");
        /// Decay of the mean of gradients.
        beta1: f64 = "0.9", range("0..1");
        /// Decay of the mean of squared gradients.
        beta2: f64 = "0.999", range("0..1");
        /// Added to the root of the latter.
        epsilon: f64 = "1e-8", range("0..");
    }
}

constructor! {
    /// Adam with weight decay decoupled from the gradient (Loshchilov & Hutter 2019, algorithm 2).
    ///
    /// `w -= rate decay w`, then as Adam (torch.optim.AdamW).
    ///
    /// ```farcast
    /// parent decayed = mlp(seen, inputs: [x], target: y, optimizer: adamw(decay: 0.1), members: 2)
    /// ```
    #[derive(Clone, PartialEq, Serialize)]
    "adamw"
    pub struct AdamW {
        /// The learning rate.
        rate: f64 = "1e-3", range("0..");
        /// Decay of the mean of gradients.
        beta1: f64 = "0.9", range("0..1");
        /// Decay of the mean of squared gradients.
        beta2: f64 = "0.999", range("0..1");
        /// Added to the root of the latter.
        epsilon: f64 = "1e-8", range("0..");
        /// Weight decay.
        decay: f64 = "1e-2", range("0..");
        /// Whether only those weights decay that the step makes smaller as well (Chen et al. 2025).
        cautious: bool = "false";
    }
}

constructor! {
    /// Gradients divided by the root of their running mean square (Hinton 2012, lecture 6e).
    ///
    /// `s = decay s + (1 - decay) g²; w -= rate g / (√s + epsilon)` (torch.optim.RMSprop).
    ///
    /// ```farcast
    /// anomaly scaled = finetune(net, near, optimizer: rmsprop(rate: 1e-3), steps: 10)
    /// ```
    #[derive(Clone, PartialEq, Serialize, Deserialize)]
    "rmsprop"
    pub struct RmsProp {
        /// The learning rate.
        rate: f64 = "1e-3", range("0..");
        /// Decay of the mean of squared gradients.
        decay: f64 = "0.9", range("0..1");
        /// Added to its root.
        epsilon: f64 = "1e-8", range("0..");
    }
}

/// Trainings that were recorded before there was cautious decay do not name it.
impl<'de> Deserialize<'de> for AdamW {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Recorded {
            rate: f64,
            beta1: f64,
            beta2: f64,
            epsilon: f64,
            decay: f64,
            #[serde(default)]
            cautious: bool,
        }

        let recorded = Recorded::deserialize(deserializer)?;
        Ok(Self {
            rate: recorded.rate,
            beta1: recorded.beta1,
            beta2: recorded.beta2,
            epsilon: recorded.epsilon,
            decay: recorded.decay,
            cautious: recorded.cautious,
        })
    }
}

made! {
    /// How gradients move weights.
    #[derive(Clone, PartialEq, Serialize, Deserialize)]
    pub enum Optimizer { Sgd, SgdW, Adam, AdamW, RmsProp }
}

/// What an optimiser remembers between steps.
#[derive(Clone, Debug, PartialEq)]
pub struct OptimizerState {
    /// Running mean of gradients, or velocity.
    pub first: Aligned,
    /// Running mean of squared gradients.
    pub second: Aligned,
    /// Steps taken.
    pub steps: i32,
}

impl OptimizerState {
    /// An empty memory for a number of weights.
    pub fn new(weights: usize) -> Self {
        Self {
            first: Aligned::zeros(weights),
            second: Aligned::zeros(weights),
            steps: 0,
        }
    }

    /// Counts one more step.
    pub fn begin_step(&mut self) {
        self.steps = self.steps.saturating_add(1);
    }

    /// Forgets everything.
    pub fn reset(&mut self) {
        self.reset_for(self.first.len());
    }

    /// The same, for another number of weights.
    pub fn reset_for(&mut self, weights: usize) {
        for moments in [&mut self.first, &mut self.second] {
            if moments.len() == weights {
                moments.fill(0.0);
            } else {
                *moments = Aligned::zeros(weights);
            }
        }
        self.steps = 0;
    }
}

impl Optimizer {
    /// Moves the weights one step, with the learning rate times `share`.
    ///
    /// All slices have the length the state was made for.
    pub fn update(
        &self,
        state: &mut OptimizerState,
        weights: &mut [f32],
        gradients: &[f32],
        share: f64,
    ) {
        state.begin_step();
        self.move_part(state, 0, weights, gradients, share, Arch::new());
    }

    /// Moves the weights from the `first` on, in a step that has begun, by these instructions.
    pub fn move_part(
        &self,
        state: &mut OptimizerState,
        first: usize,
        weights: &mut [f32],
        gradients: &[f32],
        share: f64,
        arch: Arch,
    ) {
        if let Some(mut step) = self.adam(state, share, arch) {
            return step.move_part(first, weights, gradients);
        }
        vectorised(
            arch,
            #[inline(always)]
            || self.move_by_rule(state, first, weights, gradients, share),
        );
    }

    /// The step that has begun, where it is one of Adam.
    pub fn adam<'a>(
        &self,
        state: &'a mut OptimizerState,
        share: f64,
        arch: Arch,
    ) -> Option<AdamStep<'a>> {
        let step = state.steps;
        let rule = match self {
            Optimizer::Adam(adam) => {
                let numbers = [adam.beta1, adam.beta2, adam.epsilon];
                AdamRule::new(step, adam.rate * share, numbers, None)
            }
            Optimizer::AdamW(adam) => {
                let rate = adam.rate * share;
                let decay = Decay {
                    kept: (1.0 - rate * adam.decay) as f32,
                    is_cautious: adam.cautious,
                };
                let numbers = [adam.beta1, adam.beta2, adam.epsilon];
                AdamRule::new(step, rate, numbers, (decay.kept != 1.0).then_some(decay))
            }
            _ => return None,
        };
        Some(AdamStep {
            rule,
            means: &mut state.first,
            squares: &mut state.second,
            arch,
        })
    }

    /// Moves weights by other rules than Adam.
    #[inline(always)]
    fn move_by_rule(
        &self,
        state: &mut OptimizerState,
        first: usize,
        weights: &mut [f32],
        gradients: &[f32],
        share: f64,
    ) {
        let part = first..first + weights.len();
        let (means, squares) = (&mut state.first[part.clone()], &mut state.second[part]);
        match self {
            Optimizer::Sgd(sgd) if sgd.momentum == 0.0 => {
                let rate = (sgd.rate * share) as f32;
                for (weight, gradient) in weights.iter_mut().zip(gradients) {
                    *weight -= rate * gradient;
                }
            }
            Optimizer::Sgd(sgd) => {
                let (rate, momentum) = ((sgd.rate * share) as f32, sgd.momentum as f32);
                for ((weight, gradient), velocity) in weights.iter_mut().zip(gradients).zip(means) {
                    *velocity = momentum * *velocity + gradient;
                    *weight -= rate * *velocity;
                }
            }
            Optimizer::SgdW(sgd) => {
                let (rate, momentum) = ((sgd.rate * share) as f32, sgd.momentum as f32);
                let kept = (1.0 - sgd.rate * share * sgd.decay) as f32;
                for ((weight, gradient), velocity) in weights.iter_mut().zip(gradients).zip(means) {
                    *velocity = momentum * *velocity + gradient;
                    let grows = *weight * *velocity < 0.0;
                    *weight *= if sgd.cautious && grows { 1.0 } else { kept };
                    *weight -= rate * *velocity;
                }
            }
            Optimizer::RmsProp(rule) => {
                let rate = (rule.rate * share) as f32;
                let (decay, epsilon) = (rule.decay as f32, rule.epsilon as f32);
                let new = (1.0 - rule.decay) as f32;
                for ((weight, gradient), square) in weights.iter_mut().zip(gradients).zip(squares) {
                    *square = decay * *square + new * gradient * gradient;
                    *weight -= rate * gradient / (square.sqrt() + epsilon);
                }
            }
            Optimizer::Adam(_) | Optimizer::AdamW(_) => (),
        }
    }
}

constructor! {
    /// The same learning rate from start to end.
    ///
    /// ```farcast
    /// parent steady = mlp(seen, inputs: [x], target: y, schedule: constant(), epochs: 2, members: 2)
    /// ```
    #[derive(Clone, PartialEq, Serialize, Deserialize)]
    "constant"
    pub struct Constant {}
}

constructor! {
    /// Half a cosine from the full learning rate down to a share of it (Loshchilov & Hutter 2017).
    ///
    /// ```farcast
    /// parent cooled = mlp(seen, inputs: [x], target: y, schedule: cosine(to: 0.1), epochs: 2, members: 2)
    /// ```
    #[derive(Clone, PartialEq, Serialize, Deserialize)]
    "cosine"
    pub struct Cosine {
        /// The share left at the end.
        to: f64 = "0", range("0..=1");
    }
}

constructor! {
    /// The learning rate times a factor after every N steps.
    ///
    /// ```farcast
    /// parent halved = mlp(seen, inputs: [x], target: y, schedule: step(every: 20), members: 2)
    /// ```
    #[derive(Clone, PartialEq, Serialize, Deserialize)]
    "step"
    pub struct Step {
        /// The steps between two changes.
        every: u64, range("1..");
        /// The factor.
        factor: f64 = "0.1", range("0..");
    }
}

constructor! {
    /// The learning rate down and up again in straight lines, over and over (Smith 2017).
    ///
    /// ```farcast
    /// parent waving = mlp(seen, inputs: [x], target: y, schedule: cyclic(period: 20), members: 2)
    /// ```
    #[derive(Clone, PartialEq, Serialize, Deserialize)]
    "cyclic"
    pub struct Cyclic {
        /// The steps of one cycle, from the full rate to the full rate.
        period: u64, range("2..");
        /// The share left in its middle.
        to: f64 = "0.1", range("0..=1");
    }
}

made! {
    /// How the learning rate changes along training.
    #[derive(Clone, PartialEq, Serialize, Deserialize)]
    pub enum Schedule { Constant, Cosine, Cyclic, Step }
}

impl Schedule {
    /// Whether the share at a step depends on how many there are in all.
    pub fn looks_ahead(&self) -> bool {
        matches!(self, Schedule::Cosine(_))
    }

    /// The share of the learning rate at a step, from 0, of all steps.
    pub fn share(&self, step: u64, steps: u64) -> f64 {
        match self {
            Schedule::Constant(_) => 1.0,
            Schedule::Cosine(cosine) => {
                let done = step as f64 / steps.max(1) as f64;
                cosine.to + (1.0 - cosine.to) * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
            }
            Schedule::Cyclic(cyclic) => {
                let period = cyclic.period.max(1);
                let done = (step % period) as f64 / period as f64;
                cyclic.to + (1.0 - cyclic.to) * (1.0 - 2.0 * done).abs()
            }
            Schedule::Step(rule) => rule.factor.powf((step / rule.every.max(1)) as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The loss is `(w0² + 10 w1²) / 2`, so the gradient is `(w0, 10 w1)`; three steps
    /// from `(1, -2)`.
    fn three_steps(optimizer: &Optimizer) -> [f32; 2] {
        let mut weights = [1.0, -2.0];
        let mut state = OptimizerState::new(2);
        for _ in 0..3 {
            let gradients = [weights[0], 10.0 * weights[1]];
            optimizer.update(&mut state, &mut weights, &gradients, 1.0);
        }
        weights
    }

    fn assert_close(optimizer: &Optimizer, expected: [f64; 2]) {
        let found = three_steps(optimizer);
        for (found, expected) in found.into_iter().zip(expected) {
            assert!(
                (f64::from(found) - expected).abs() < 2e-6,
                "{optimizer:?}: expected {expected}, found {found}"
            );
        }
    }

    // The figures are float64 numpy:
    //   w, v = array([1., -2.]), zeros(2)
    //   for t in 1, 2, 3:
    //       g = w * [1, 10]
    //       SGD      v = .9 * v + g;  w = w - .05 * v
    //       Adam     m = .9 * m + .1 * g;  v = .999 * v + .001 * g**2
    //                w = w - .1 * (m / (1 - .9**t)) / (sqrt(v / (1 - .999**t)) + 1e-8)
    //       AdamW    w = w * (1 - .1 * .5) first
    //       RMSprop  s = .9 * s + .1 * g**2;  w = w - .01 * g / (sqrt(s) + 1e-8)
    #[test]
    fn plain_descent_follows_its_formula() {
        assert_close(
            &Optimizer::Sgd(Sgd {
                rate: 0.05,
                momentum: 0.0,
            }),
            [0.857375000, -0.250000000],
        );
    }

    #[test]
    fn momentum_follows_its_formula() {
        assert_close(
            &Optimizer::Sgd(Sgd {
                rate: 0.05,
                momentum: 0.9,
            }),
            [0.731375000, 1.460000000],
        );
    }

    #[test]
    fn adam_follows_its_formula() {
        assert_close(
            &Optimizer::Adam(Adam {
                rate: 0.1,
                beta1: 0.9,
                beta2: 0.999,
                epsilon: 1e-8,
            }),
            [0.701586275, -1.700623391],
        );
    }

    #[test]
    fn adamw_follows_its_formula() {
        assert_close(
            &Optimizer::AdamW(AdamW {
                rate: 0.1,
                beta1: 0.9,
                beta2: 0.999,
                epsilon: 1e-8,
                decay: 0.5,
                cautious: false,
            }),
            [0.574973932, -1.431025243],
        );
    }

    #[derive(Deserialize)]
    struct Golden {
        w: Vec<f32>,
        g: Vec<f32>,
        rate: f64,
        decay: f64,
        adamw: Vec<f64>,
        cautious: Vec<f64>,
        sgd_cautious: Vec<f64>,
    }

    #[test]
    fn cautious_decay_is_that_of_the_golden_file() {
        let golden: Golden =
            serde_json::from_str(include_str!("../../testdata/golden/weightspace/steps.json"))
                .expect("figures");
        let (rate, decay) = (golden.rate, golden.decay);
        let adam = |cautious| {
            Optimizer::AdamW(AdamW {
                rate,
                beta1: 0.9,
                beta2: 0.999,
                epsilon: 1e-8,
                decay,
                cautious,
            })
        };
        let sgd = Optimizer::SgdW(SgdW {
            rate,
            momentum: 0.0,
            decay,
            cautious: true,
        });
        for (optimizer, expected) in [
            (adam(false), &golden.adamw),
            (adam(true), &golden.cautious),
            (sgd, &golden.sgd_cautious),
        ] {
            let mut weights = golden.w.clone();
            let mut state = OptimizerState::new(weights.len());
            optimizer.update(&mut state, &mut weights, &golden.g, 1.0);
            for (found, expected) in weights.iter().zip(expected) {
                let apart = (f64::from(*found) - expected).abs();
                assert!(
                    apart <= 1e-6 * expected.abs(),
                    "{optimizer:?}: {found} {expected}"
                );
            }
        }
    }

    #[test]
    fn rmsprop_follows_its_formula() {
        assert_close(
            &Optimizer::RmsProp(RmsProp {
                rate: 0.01,
                decay: 0.9,
                epsilon: 1e-8,
            }),
            [0.927053100, -1.926633682],
        );
    }

    #[test]
    fn schedules_start_full_and_end_where_they_say() {
        let cosine = Schedule::Cosine(Cosine { to: 0.2 });
        assert_eq!(cosine.share(0, 100), 1.0);
        assert!((cosine.share(50, 100) - 0.6).abs() < 1e-12);
        assert!((cosine.share(100, 100) - 0.2).abs() < 1e-12);
        let step = Schedule::Step(Step {
            every: 10,
            factor: 0.5,
        });
        assert_eq!(
            [0, 9, 10, 25].map(|at| step.share(at, 30)),
            [1.0, 1.0, 0.5, 0.25]
        );
        let cyclic = Schedule::Cyclic(Cyclic { period: 8, to: 0.5 });
        assert_eq!(
            [0, 2, 4, 6, 8].map(|at| cyclic.share(at, 30)),
            [1.0, 0.75, 0.5, 0.75, 1.0]
        );
        assert_eq!(Schedule::Constant(Constant {}).share(7, 9), 1.0);
    }
}
