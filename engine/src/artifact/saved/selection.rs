//! Which tensors of a saved model are its weights.

use super::super::tensor_file::{StoredTensor, shown};
use super::model::SavedModel;
use crate::error::Fault;
use crate::files::matches;

/// Patterns over the names of tensors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only tensors that one of these matches are weights; without any, all that are trained as
    /// a rule.
    pub only: Vec<String>,
    /// Tensors that one of these matches are not.
    pub without: Vec<String>,
}

/// What the last part of the name of a tensor is when training counts or averages it instead of
/// following its gradient.
const STATISTICS: [&str; 5] = [
    "running_mean",
    "running_var",
    "num_batches_tracked",
    "inv_freq",
    "position_ids",
];

/// What the first part of the name is when a tensor is a state of what trains the model.
const TRAINERS: [&str; 8] = [
    "optimizer",
    "optimizers",
    "optimizer_state",
    "optimizer_states",
    "optim",
    "scheduler",
    "lr_scheduler",
    "rng_state",
];

/// What is added to the name of a tensor for what scales its whole numbers.
const SCALES: [&str; 9] = [
    ".scale",
    "_scale",
    ".scales",
    "_scale_inv",
    ".zero_point",
    "_zero_point",
    ".absmax",
    ".quant_map",
    ".SCB",
];

impl Selection {
    /// Whether a tensor is a weight.
    pub fn has(&self, stored: &StoredTensor) -> bool {
        let name = &stored.tensor.name;
        let is_one = |patterns: &[String]| patterns.iter().any(|it| matches(it, name));
        let is_asked = match self.only.is_empty() {
            true => !is_state(name),
            false => is_one(&self.only),
        };
        is_asked && !is_one(&self.without) && stored.precision().is_some()
    }

    /// That every pattern matches a tensor, and that no weight is a whole number of a quantised
    /// model: the scales alone say nothing of how it trained.
    ///
    /// # Errors
    /// The user's fault, at `only` or `without` where a pattern is to blame.
    pub fn expect(&self, model: &SavedModel) -> Result<(), Fault> {
        for (field, patterns) in [("only", &self.only), ("without", &self.without)] {
            for pattern in patterns {
                let mut names = model.tensors().map(|stored| &stored.tensor.name);
                if !names.any(|name| matches(pattern, name)) {
                    let some = model.tensors().take(6);
                    let some: Vec<_> = some
                        .map(|it| format!("`{}`", shown(&it.tensor.name)))
                        .collect();
                    let message = format!("no tensor matches `{}`", shown(pattern));
                    let hint = format!("there are {}", some.join(", "));
                    return Err(Fault::at(field, message).with_hint(hint));
                }
            }
        }
        let is_left_out = |name: &str| self.without.iter().any(|it| matches(it, name));
        let quantised = model.tensors().find(|stored| {
            let name = &stored.tensor.name;
            is_quantised(stored, model) && !is_state(name) && !is_left_out(name)
        });
        match quantised {
            Some(stored) => {
                let (path, name) = (model.path().display(), shown(&stored.tensor.name));
                let message = format!(
                    "`{path}`: tensor `{name}` holds the {} numbers of a quantised model",
                    stored.dtype
                );
                Err(Fault::user(message).with_hint(
                    "take the checkpoints it was quantised from, or name in `without` what is not a weight",
                ))
            }
            None => Ok(()),
        }
    }
}

fn is_state(name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    let first = name.split(['.', '/']).next().unwrap_or(name);
    STATISTICS.contains(&last) || TRAINERS.contains(&first)
}

fn is_quantised(stored: &StoredTensor, model: &SavedModel) -> bool {
    if stored.precision().is_some() || stored.dtype == "BOOL" {
        return false;
    }
    let name = &stored.tensor.name;
    let is_eight = stored.dtype == "I8" || stored.dtype.starts_with("F8");
    let is_packed = name.ends_with("qweight") || name.ends_with("qzeros");
    let has_scale = || {
        let mut names = SCALES.iter().map(|end| format!("{name}{end}"));
        names.any(|name| model.tensor(&name).is_some())
    };
    is_eight || is_packed || has_scale()
}
