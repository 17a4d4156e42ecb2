//! What is known of a call before it runs: facts of its inputs in, complaints and facts out.

use std::sync::Arc;

use crate::experiment::{Arguments, NodeId, Value};
use crate::source::Span;
use crate::types::{Kind, Schema};

/// What follows from arguments about a result, before it exists.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Facts {
    /// The largest number of rows it can have.
    pub rows: Option<u64>,
    /// The steps of its states: those recorded, or those predicted.
    pub steps: Option<Steps>,
    /// Whether its steps count recurrences of a method, not steps of training.
    pub recurrences: bool,
    /// How many numbers it has for each row, when it is a predictor.
    pub predictors: Option<u64>,
    /// The columns that must be times, in a unit such as `days since 1970-01-01`, in all data
    /// that it is used with.
    pub times: Vec<String>,
    /// Its columns, where they follow from the columns of several inputs.
    pub columns: Option<Arc<Schema>>,
    /// The model it scores inside that model's training data, when it does.
    pub inside: Option<NodeId>,
    /// The network it holds, or that its weights belong to.
    pub network: Option<Arc<NetworkFacts>>,
    /// Whether its weights are known to come without a network to run them.
    pub no_network: bool,
    /// What computes gradients in the call, and why that: for the plan.
    pub trainer: Option<String>,
    /// The sum of the factors that its weights were made with: 1 for networks, 0 for differences.
    /// Without it, as its kind says.
    pub degree: Option<f64>,
    /// Whether it is one row of weights.
    pub single: bool,
    /// The coordinates that rows of weights may have, such as `step`; without it, any.
    pub coordinates: Option<Vec<Coordinate>>,
    /// The tensors of its weights by name and shape, in their order.
    pub tensors: Option<Tensors>,
    /// Whether it is another network in each row of data, so that it has no weights of its own.
    pub by_row: bool,
}

/// Names and shapes of tensors.
pub type Tensors = Arc<Vec<(String, Vec<usize>)>>;

/// A coordinate of rows of weights, such as `step`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coordinate {
    /// Its name.
    pub name: String,
    /// Whether it holds texts; otherwise numbers.
    pub is_text: bool,
    /// Whether it is a swept param: its name means what a row has where rows are spoken of.
    pub is_swept: bool,
}

impl Coordinate {
    /// A number for each row.
    pub fn number(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            is_text: false,
            is_swept: false,
        }
    }

    /// Numbers of these names.
    pub fn numbers<const N: usize>(names: [&str; N]) -> Option<Vec<Self>> {
        Some(names.map(Self::number).to_vec())
    }

    /// A text for each row.
    pub fn text(name: &str) -> Self {
        Self {
            is_text: true,
            ..Self::number(name)
        }
    }
}

/// What is known of a network.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkFacts {
    /// The columns it reads; empty when these follow from the data.
    pub inputs: Vec<String>,
    /// The columns it predicts.
    pub targets: Vec<String>,
    /// Whether it predicts classes; otherwise a quantity.
    pub classes: bool,
    /// The least number of weights it has.
    pub weights: Option<u64>,
    /// Its layers, in the words of the arguments: networks of different ones have different layouts.
    pub layers: Option<String>,
    /// How its weights came about.
    pub training: Training,
    /// What it has beside dense layers, such as `convolutions` or `trees`.
    pub beside_dense: Option<&'static str>,
    /// Whether it is layers throughout, as convolutions are and trees are not.
    pub layered: bool,
}

/// How the weights of a network came about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Training {
    /// By gradient steps of this program, with or without rows held out.
    Steps {
        /// The largest number of steps.
        most: Option<u64>,
        /// Whether it is that many for certain.
        exact: bool,
        /// Whether some rows were held out.
        held_out: bool,
    },
    /// By an exact solution, on rows that are known.
    Solved,
    /// By a program of one's own, on rows that are known; it may keep states of it.
    Program,
    /// Elsewhere, or by a prediction: the rows it was trained on are not known.
    Unknown,
}

/// What is known of the steps of states before these exist.
#[derive(Clone, Debug, PartialEq)]
pub enum Steps {
    /// These, in ascending order.
    Listed(Arc<[u64]>),
    /// `first`, then every `every` steps, to an end that the data decide.
    Series {
        /// The first.
        first: u64,
        /// The distance of two.
        every: u64,
        /// The last one is not after this.
        most: Option<u64>,
    },
}

impl Steps {
    /// More possible ends than these are not tried.
    const MOST_ENDS: u64 = 256;

    /// Whether a step can be among them.
    pub fn may_have(&self, step: u64) -> bool {
        match self {
            Steps::Listed(steps) => steps.contains(&step),
            Steps::Series { first, every, most } => {
                let is_in_range = step >= *first && most.is_none_or(|most| step <= most);
                is_in_range && (step - first).is_multiple_of(*every)
            }
        }
    }

    /// All that they can be, the longest last, when they matter up to a step beyond `until`
    /// only; none when these are too many to list.
    pub fn possible(&self, until: Option<u64>) -> Option<Vec<Vec<u64>>> {
        match self {
            Steps::Listed(steps) => Some(vec![steps.to_vec()]),
            Steps::Series { first, every, most } => {
                let until = until.map(|until| until.saturating_add(*every));
                let last = until.into_iter().chain(*most).min()?;
                let count = last.checked_sub(*first)? / every + 1;
                let prefix = |count: u64| (0..count).map(|at| first + at * every).collect();
                (count <= Self::MOST_ENDS).then(|| (1..=count).map(prefix).collect())
            }
        }
    }
}

/// What is known of an input of a call.
#[derive(Clone, Copy)]
pub struct About<'a> {
    /// Its name in the experiment.
    pub name: &'a str,
    /// Its kind.
    pub kind: Kind,
    /// The call that makes it.
    pub node: NodeId,
    /// The arguments of that call.
    pub args: &'a Arguments,
    /// What follows from its arguments.
    pub facts: &'a Facts,
    /// The columns of the data it is, or was made from.
    pub schema: Option<&'a Schema>,
    /// How many members it has.
    pub members: Option<u32>,
}

impl About<'_> {
    /// The sum of the factors of its weights: 1 for networks, 0 for differences of networks.
    pub fn degree(&self) -> f64 {
        let usual = match self.kind {
            Kind::Anomaly => 0.0,
            _ => 1.0,
        };
        self.facts.degree.unwrap_or(usual)
    }

    /// The coordinates that its rows of weights may have; none where they are not known.
    pub fn coordinates(&self) -> Option<Vec<Coordinate>> {
        match self.is_single() && self.facts.coordinates.is_none() {
            true => Coordinate::numbers(["row"]),
            false => self.facts.coordinates.clone(),
        }
    }

    /// Whether it is one row of weights.
    pub fn is_single(&self) -> bool {
        self.facts.single || matches!(self.kind, Kind::Parent | Kind::Child)
    }
}

/// What examining a call finds.
#[derive(Clone, Debug, Default)]
pub struct Examined {
    /// What is wrong with it.
    pub complaints: Vec<Complaint>,
    /// What is known of its result.
    pub facts: Facts,
}

/// What is wrong with a call, or unlikely to be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The argument to point at, `jump.every` for one inside another; the call when none.
    pub param: Option<String>,
    /// One line.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// Whether it is a warning: the call can run.
    pub warning: bool,
}

impl Complaint {
    /// About the call.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            param: None,
            message: message.into(),
            hint: None,
            warning: false,
        }
    }

    /// About an argument.
    pub fn at(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            param: Some(param.into()),
            ..Self::new(message)
        }
    }

    /// The same with what to do about it.
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same as a warning.
    pub fn as_warning(mut self) -> Self {
        self.warning = true;
        self
    }
}

/// The place of an argument, `jump.every` for one inside another, or of the nearest one around
/// it; none when the call has no such argument.
pub fn place_of(args: &Arguments, path: &str) -> Option<Span> {
    let (first, rest) = match path.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => (path, None),
    };
    let argument = args.get(first)?;
    let inner = match (&argument.value, rest) {
        (Value::Constructed(made), Some(rest)) => place_of(&made.args, rest),
        _ => None,
    };
    Some(inner.unwrap_or(argument.span))
}
