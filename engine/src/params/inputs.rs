//! What an action takes from others: one result, all members, or what is found along the way.

use std::ops::Deref;
use std::sync::Arc;

use dsl::signature::POINTS;

use super::*;

/// What another statement made, for the member at hand.
#[derive(Debug)]
pub struct Input<T> {
    /// Stands for the statement's name.
    pub label: Label,
    artifact: Arc<T>,
}

impl<T> Deref for Input<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.artifact
    }
}

impl<T> Input<T> {
    /// An input for tests and direct calls.
    pub fn new(artifact: T) -> Self {
        Self {
            label: Label::default(),
            artifact: Arc::new(artifact),
        }
    }
}

fn downcast<T: Artifact>(
    field: &str,
    member: &Option<Arc<dyn Stored>>,
) -> Result<Option<Arc<T>>, Fault> {
    let Some(artifact) = member else {
        return Ok(None);
    };
    match T::from_stored(artifact) {
        Some(artifact) => Ok(Some(artifact)),
        None if artifact.kind() == Kind::Weights && T::KIND != Kind::Weights => {
            let message = "expected one row of weights, found many";
            let hint = "`pick` chooses rows, `average` makes one of many";
            Err(Fault::at(field, message).with_hint(hint))
        }
        None => Err(Fault::Bug(format!("input `{field}` is of another type"))),
    }
}

pub(crate) fn single<T: Artifact>(field: &str, loaded: &Loaded) -> Result<Input<T>, Fault> {
    let artifact = match loaded.members.first() {
        Some(member) => downcast(field, member)?,
        None => None,
    };
    match artifact {
        Some(artifact) => Ok(Input {
            label: loaded.label.clone(),
            artifact,
        }),
        None => Err(Fault::Bug(format!("input `{field}` is missing"))),
    }
}

impl<T: Artifact> ParamType for Input<T> {
    fn ty() -> Type {
        Type::Kind(T::KIND)
    }

    fn from_value(field: &str, value: &Value, bindings: &Bindings) -> Result<Self, Fault> {
        match value {
            Value::Node(node) => single(field, bindings.loaded(field, *node)?),
            other => Err(mismatch(field, "a statement", other)),
        }
    }
}

/// What another statement made, all members together.
#[derive(Debug)]
pub struct Gather<T> {
    /// Stands for the statement's name.
    pub label: Label,
    /// The artifacts in member order; `None` where the member diverged.
    pub members: Vec<Option<Arc<T>>>,
}

impl<T: Artifact> ParamType for Gather<T> {
    const GATHER: bool = true;

    fn ty() -> Type {
        Type::Kind(T::KIND)
    }

    fn from_value(field: &str, value: &Value, bindings: &Bindings) -> Result<Self, Fault> {
        match value {
            Value::Node(node) => gathered(field, bindings.loaded(field, *node)?),
            other => Err(mismatch(field, "a statement", other)),
        }
    }
}

pub(crate) fn gathered<T: Artifact>(field: &str, loaded: &Loaded) -> Result<Gather<T>, Fault> {
    Ok(Gather {
        label: loaded.label.clone(),
        members: loaded
            .members
            .iter()
            .map(|member| downcast(field, member))
            .collect::<Result<_, _>>()?,
    })
}

/// An input found along a path of arguments: declared with `via("subsets.data")`.
#[derive(Debug)]
pub struct Via<T>(pub Input<T>);

impl<T> Deref for Via<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Artifact> ParamType for Via<T> {
    fn ty() -> Type {
        Type::Kind(T::KIND)
    }

    fn from_value(field: &str, value: &Value, _: &Bindings) -> Result<Self, Fault> {
        Err(mismatch(field, "nothing written", value))
    }

    fn decode(field: &str, bindings: &Bindings) -> Result<Self, Fault> {
        match bindings.implicit(field).next() {
            Some(loaded) => single(field, loaded).map(Self),
            None => Err(Fault::Bug(format!("input `{field}` was not found"))),
        }
    }
}

/// A [`Via`] that may lead nowhere: the path ends where a call has no such argument.
#[derive(Debug)]
pub struct MaybeVia<T>(pub Option<Input<T>>);

impl<T: Artifact> ParamType for MaybeVia<T> {
    fn ty() -> Type {
        Type::Kind(T::KIND)
    }

    fn from_value(field: &str, value: &Value, _: &Bindings) -> Result<Self, Fault> {
        Err(mismatch(field, "nothing written", value))
    }

    fn decode(field: &str, bindings: &Bindings) -> Result<Self, Fault> {
        let loaded = bindings.implicit(field).next();
        loaded
            .map(|loaded| single(field, loaded))
            .transpose()
            .map(Self)
    }
}

/// Everything of one kind an argument was made from: declared with `ancestors("scores")`.
#[derive(Debug)]
pub struct Ancestors<T>(pub Vec<Gather<T>>);

impl<T: Artifact> ParamType for Ancestors<T> {
    const GATHER: bool = true;

    fn ty() -> Type {
        Type::Kind(T::KIND)
    }

    fn from_value(field: &str, value: &Value, _: &Bindings) -> Result<Self, Fault> {
        Err(mismatch(field, "nothing written", value))
    }

    fn decode(field: &str, bindings: &Bindings) -> Result<Self, Fault> {
        bindings
            .implicit(field)
            .map(|loaded| gathered(field, loaded))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// The networks that weights in an argument belong to, for the member at hand: declared with
/// `origins("terms")`.
#[derive(Debug)]
pub struct Origins<T>(pub Vec<Input<T>>);

impl<T: Artifact> ParamType for Origins<T> {
    fn ty() -> Type {
        Type::Kind(T::KIND)
    }

    fn from_value(field: &str, value: &Value, _: &Bindings) -> Result<Self, Fault> {
        Err(mismatch(field, "nothing written", value))
    }

    fn decode(field: &str, bindings: &Bindings) -> Result<Self, Fault> {
        let loaded = bindings.implicit(field);
        loaded
            .map(|loaded| single(field, loaded))
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

/// The points at which the results in an argument were made, one for each: declared with
/// `points_of("scores")`, in a field called `points`.
#[derive(Clone, Debug, Default)]
pub struct Points(pub Vec<Point>);

/// The point of one result.
#[derive(Clone, Debug, Default)]
pub struct Point {
    /// Which of the statements in the argument it is of, counted from 0.
    pub of: usize,
    /// The swept params that it depends on, with their values.
    pub settings: BTreeMap<String, Value>,
}

impl ParamType for Points {
    fn ty() -> Type {
        Type::List(Box::new(Type::String))
    }

    fn from_value(field: &str, value: &Value, _: &Bindings) -> Result<Self, Fault> {
        let wrong = || mismatch(field, "points", value);
        let Value::List(points) = value else {
            return Err(wrong());
        };
        let point = |value: &Value| {
            let Value::List(parts) = value else {
                return None;
            };
            let (Value::Int(of), settings) = parts.split_first()? else {
                return None;
            };
            let setting = |value: &Value| match value {
                Value::List(pair) => match &pair[..] {
                    [Value::Text(name), value] => Some((name.clone(), value.clone())),
                    _ => None,
                },
                _ => None,
            };
            Some(Point {
                of: usize::try_from(*of).ok()?,
                settings: settings.iter().map(setting).collect::<Option<_>>()?,
            })
        };
        let points = points.iter().map(point);
        points.collect::<Option<_>>().map(Self).ok_or_else(wrong)
    }

    fn decode(field: &str, bindings: &Bindings) -> Result<Self, Fault> {
        match bindings.args.get(POINTS) {
            Some(argument) => Self::from_value(field, &argument.value, bindings),
            None => Err(Fault::Bug("the points of a sweep are not known".to_owned())),
        }
    }
}

/// The name of a sweep: it says at which points other arguments are taken.
#[derive(Clone, Copy, Debug, Default)]
pub struct SweepName;

impl ParamType for SweepName {
    fn ty() -> Type {
        Type::Kind(Kind::Sweep)
    }

    fn from_value(_: &str, _: &Value, _: &Bindings) -> Result<Self, Fault> {
        Ok(Self)
    }

    /// Only the checker looks at it.
    fn absent() -> Option<Self> {
        Some(Self)
    }
}

/// Any word, such as the name of a metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word(pub String);

impl ParamType for Word {
    fn ty() -> Type {
        Type::Word(Vec::new())
    }

    fn from_value(field: &str, value: &Value, _: &Bindings) -> Result<Self, Fault> {
        match value {
            Value::Text(word) => Ok(Self(word.clone())),
            other => Err(mismatch(field, "a word", other)),
        }
    }
}
