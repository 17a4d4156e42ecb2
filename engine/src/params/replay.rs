//! An argument that names a model to be repeated inside its training data.
//!
//! Lowering adds the calls (`lower/repeat.rs`); here is what a plugin declares and receives.

use super::*;
use crate::artifact::Dataset;
use dsl::signature::Signature;

/// A model repeated inside its training data: declared with `replay("edge")`.
///
/// `M` is what the model makes, `P` what its parent makes; a parent alone is its own model.
#[derive(Debug)]
pub struct Replay<M, P> {
    /// Stands for the model's name; the model itself is not run for this.
    pub label: Label,
    /// Stands for the name of its parent.
    pub parent: Label,
    /// The repetitions, from the edge inward.
    pub folds: Vec<Fold<M, P>>,
}

/// One repetition of a model on part of its training data.
#[derive(Debug)]
pub struct Fold<M, P> {
    /// What the model made, learned from the rest and applied to the edge.
    pub model: Gather<M>,
    /// The parents, learned from the rest.
    pub parent: Gather<P>,
    /// The edge: the rows held out.
    pub edge: Input<Dataset>,
}

/// What follows the name of a [`Replay`] argument in that of the repetitions.
pub(crate) const FOLDS: &str = "folds";
/// What follows the name of a [`Replay`] argument in that of the parent.
pub(crate) const PARENT: &str = "parent";

impl<M: Artifact, P: Artifact> ParamType for Replay<M, P> {
    const GATHER: bool = true;

    fn ty() -> Type {
        Type::OneOf(vec![Type::Kind(M::KIND), Type::Kind(P::KIND)])
    }

    fn from_value(field: &str, value: &Value, bindings: &Bindings) -> Result<Self, Fault> {
        let Value::Node(model) = value else {
            return Err(mismatch(field, "a statement", value));
        };
        let names = |suffix| {
            let name = format!("{field}.{suffix}");
            let value = bindings.args.get(&name).map(|argument| &argument.value);
            (name, value)
        };
        let ((folds_name, Some(Value::List(folds))), (parent_name, Some(Value::Node(parent)))) =
            (names(FOLDS), names(PARENT))
        else {
            return Err(Fault::Bug(format!("`{field}` was not repeated")));
        };
        let of = |node: NodeId| bindings.loaded(&folds_name, node);
        let fold = |value: &Value| match value {
            Value::List(nodes) => match nodes[..] {
                [Value::Node(model), Value::Node(parent), Value::Node(edge)] => Ok(Fold {
                    model: gathered(field, of(model)?)?,
                    parent: gathered(field, of(parent)?)?,
                    edge: single(field, of(edge)?)?,
                }),
                _ => Err(mismatch(field, "a repetition", value)),
            },
            other => Err(mismatch(field, "a repetition", other)),
        };
        Ok(Self {
            label: bindings.loaded(field, *model)?.label.clone(),
            parent: bindings.loaded(&parent_name, *parent)?.label.clone(),
            folds: folds.iter().map(fold).collect::<Result<_, _>>()?,
        })
    }
}

/// An argument of a plugin that names a model to be repeated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replayed {
    /// The argument.
    pub field: String,
    /// The plugin that cuts the training data; it declares a [`Cutter`]. What else it has under
    /// the same name as the call is copied from there.
    pub cut: String,
}

/// The parameters by which a plugin cuts training data in two, for [`Replay`]: of one fold, the
/// edge or the rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cutter {
    /// The training data.
    pub data: String,
    /// The data the model is applied to: the edge is cut in their direction.
    pub toward: String,
    /// Which side the edge is on.
    pub side: String,
    /// The word for the side with which `toward` is read.
    pub auto: String,
    /// How far the edge reaches, and the word with which `toward` is not read for that. Where it
    /// is not read at all, it has no part in keys.
    pub reach: (String, String),
    /// The fold, from 1.
    pub fold: String,
    /// Which of the two parts is returned.
    pub part: String,
    /// The word for the rows to learn from.
    pub rest: String,
    /// The word for the rows held out.
    pub edge: String,
}

impl Cutter {
    /// A role whose parameter the plugin does not have.
    pub(crate) fn unknown(&self, signature: &Signature) -> Option<&str> {
        let roles = [
            &self.data,
            &self.toward,
            &self.side,
            &self.reach.0,
            &self.fold,
            &self.part,
        ];
        let unknown = roles
            .into_iter()
            .find(|role| signature.param(role).is_none());
        unknown.map(String::as_str)
    }
}
