//! States of weights along an action: what is kept of a training while it runs.

use std::borrow::Cow;

/// The most bytes of weights that are kept; a training with more is done again for them.
const MOST_BYTES: usize = 2 << 30;

/// The weights along an action, after every few steps.
#[derive(Debug, Default)]
pub struct States {
    /// A state is kept when its step is a multiple of one of these.
    every: Vec<u64>,
    steps: Vec<u64>,
    weights: Vec<f32>,
    /// Whether there were more than can be kept.
    is_full: bool,
}

impl States {
    /// None yet; those of steps that are a multiple of one of these will be kept.
    pub fn kept_every(every: Vec<u64>) -> Self {
        Self {
            every,
            ..Self::default()
        }
    }

    /// Looks at the weights after a step.
    pub fn look(&mut self, step: u64, weights: &[f32]) {
        if self.is_full || !self.every.iter().any(|every| step.is_multiple_of(*every)) {
            return;
        }
        if size_of_val(&self.weights[..]) + size_of_val(weights) > MOST_BYTES {
            *self = Self {
                is_full: true,
                ..Self::default()
            };
            return;
        }
        self.steps.push(step);
        self.weights.extend_from_slice(weights);
    }

    /// The steps that are a multiple of `every`, and their weights one after another; none when
    /// they were not kept.
    pub fn of_every(&self, every: u64) -> Option<(Vec<u64>, Cow<'_, [f32]>)> {
        if self.steps.is_empty() || !self.every.contains(&every) {
            return None;
        }
        Some(of_every(&self.steps, &self.weights, every))
    }
}

/// Those of some steps that are a multiple of `every`, and their weights one after another.
pub fn of_every<'a>(steps: &[u64], weights: &'a [f32], every: u64) -> (Vec<u64>, Cow<'a, [f32]>) {
    let is_asked = |step: &u64| step.is_multiple_of(every);
    let asked: Vec<u64> = steps.iter().copied().filter(is_asked).collect();
    if asked.len() == steps.len() {
        return (asked, Cow::Borrowed(weights));
    }
    let states = weights.chunks_exact(weights.len() / steps.len());
    let states = steps.iter().zip(states);
    let states = states.filter(|(step, _)| is_asked(step));
    let weights: Vec<&[f32]> = states.map(|(_, state)| state).collect();
    (asked, Cow::Owned(weights.concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_who_asks_gets_the_states_of_its_own_steps() {
        let mut states = States::kept_every(vec![4, 6]);
        assert_eq!(states.of_every(4), None);
        for step in 0..=12 {
            states.look(step, &[step as f32, 0.5]);
        }
        let of = |every| {
            let (steps, weights) = states.of_every(every).unwrap();
            let firsts = weights.chunks(2).map(|state| state[0] as u64);
            assert_eq!(firsts.collect::<Vec<_>>(), steps);
            steps
        };
        assert_eq!(of(4), [0, 4, 8, 12]);
        assert_eq!(of(6), [0, 6, 12]);
        assert_eq!(states.of_every(3), None);
    }
}
