//! What training minimises.

use engine::words;

words! {
    /// What training makes small.
    pub enum Loss {
        /// Mean squared error of standardised targets.
        Mse = "mse",
        /// Cross-entropy of class indices.
        CrossEntropy = "cross_entropy",
    }
}

/// Minus the logarithm of the softmax probability of a class.
pub(super) fn surprise(logits: &[f32], class: usize) -> f64 {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits
        .iter()
        .map(|logit| f64::from(logit - largest).exp())
        .sum();
    sum.ln() - f64::from(logits[class] - largest)
}

/// The index of the largest logit; not a number when the logits are not.
pub(super) fn likeliest(logits: &[f32]) -> f64 {
    if logits.iter().any(|logit| logit.is_nan()) {
        return f64::NAN;
    }
    let mut best = 0;
    for (class, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = class;
        }
    }
    best as f64
}
