//! What the fields of a declaration are: from each comes the checker's signature, the decoded
//! value, the entry of the reference page and the text in the key.

mod declare;
mod inputs;
mod replay;
mod signature;

pub use inputs::{
    Ancestors, Gather, Input, MaybeVia, Origins, Point, Points, SweepName, Via, Word,
};
pub(crate) use inputs::{gathered, single};
pub use replay::{Cutter, Fold, Replay, Replayed};
pub(crate) use replay::{FOLDS, PARENT};
pub(crate) use signature::as_written;
pub use signature::{Constructor, DEFINITIONS, constructor_signature};

use std::collections::BTreeMap;
use std::sync::Arc;

use dsl::column::ColumnExpr;
use dsl::experiment::{Arguments, NodeId, Value};
use dsl::signature::{Need, Param};
use dsl::types::{Kind, Over, Type};
use serde::{Deserialize, Serialize};

use crate::artifact::{Artifact, Stored};
use crate::error::Fault;
pub use crate::label::Label;

/// One declared field: a parameter users see, or an input the graph finds by itself.
#[derive(Clone, Debug)]
pub struct Field {
    /// The parameter.
    pub param: Param,
    /// Set for inputs that users do not write.
    pub implicit: Option<Implicit>,
    /// Set for models that are repeated inside their training data: the plugin that cuts these.
    pub replayed: Option<String>,
    /// Whether it has no part in the random streams.
    pub not_in_stream: bool,
    /// Whether it says how long the plugin goes on.
    pub is_length: bool,
}

/// How the graph finds an input that users do not write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Implicit {
    /// The argument reached by this path: `subsets.data` is the `data` of what made `subsets`.
    Via(String),
    /// Everything of one kind that this argument was made from, in graph order.
    Ancestors {
        /// The argument to start from.
        of: String,
        /// The kind asked for.
        kind: Kind,
    },
    /// The networks that the weights in this argument belong to, where these do not hold them.
    Origins(String),
    /// The points of the sweeps at which this argument has its results: the checker says them.
    Points(String),
}

impl Field {
    /// A field with the documentation lines the macro collected.
    pub fn new(name: &str, doc: &[&str], ty: Type, default: Option<&str>) -> Self {
        Self {
            param: Param {
                name: name.to_owned(),
                was: None,
                doc: join_doc(doc),
                ty,
                default: default.map(str::to_owned),
                optional: false,
                range: None,
                divides: None,
                variadic: false,
                definitions: false,
                texts: false,
                need: Need::Here,
                truth: false,
                gather: false,
                one_for_all: false,
                every_point: false,
            },
            implicit: None,
            replayed: None,
            not_in_stream: false,
            is_length: false,
        }
    }

    /// Properties that follow from the Rust type.
    pub fn of_type<T: ParamType>(mut self) -> Self {
        self.param.optional = T::OPTIONAL;
        self.param.gather = T::GATHER;
        self
    }

    /// All members are taken together, and the result has as many all the same.
    pub fn one_for_all(mut self) -> Self {
        self.param.one_for_all = true;
        self
    }

    /// What it was called before.
    pub fn was(mut self, name: &str) -> Self {
        self.param.was = Some(name.to_owned());
        self
    }

    /// The allowed values, in the language.
    pub fn range(mut self, range: &str) -> Self {
        self.param.range = Some(range.to_owned());
        self
    }

    /// The parameter of which it must be a divisor, both whole numbers.
    pub fn divides(mut self, whole: &str) -> Self {
        self.param.divides = Some(whole.to_owned());
        self
    }

    /// The unit numbers are taken and converted to; turns the type into `Quantity(unit)`.
    pub fn unit(mut self, unit: &str) -> Self {
        self.param.ty = Type::Quantity(unit.to_owned());
        self
    }

    /// Positional arguments from here on are collected in this list.
    pub fn variadic(mut self) -> Self {
        self.param.variadic = true;
        self
    }

    /// The names a condition or formula may use instead of columns.
    pub fn names(mut self, names: &[&str]) -> Self {
        let names = Over::Names(names.iter().map(|name| (*name).to_owned()).collect());
        self.param.ty = match self.param.ty {
            Type::Condition(_) => Type::Condition(names),
            _ => Type::Formula(names),
        };
        self
    }

    /// The condition or formula is about the coordinates of rows of weights instead of columns.
    pub fn coordinates(mut self) -> Self {
        self.param.ty = match self.param.ty {
            Type::Condition(_) => Type::Condition(Over::Coordinates),
            _ => Type::Formula(Over::Coordinates),
        };
        self
    }

    /// The columns named may hold texts.
    pub fn texts(mut self) -> Self {
        self.param.texts = true;
        self
    }

    /// The columns named here are needed in all data the result is used with.
    pub fn needed(mut self) -> Self {
        self.param.need = Need::Always;
        self
    }

    /// The columns named here are the truth.
    pub fn target(mut self) -> Self {
        self.param.need = Need::Truth;
        self
    }

    /// The data given here must carry the target too.
    pub fn with_truth(mut self) -> Self {
        self.param.truth = true;
        self
    }

    /// Repeated inside its training data, cut by this plugin: for
    /// [`Replay`].
    pub fn replay(mut self, cut: &str) -> Self {
        self.replayed = Some(cut.to_owned());
        self
    }

    /// Without part in the random streams: calls that differ in it alone draw the same numbers.
    pub fn not_in_stream(mut self) -> Self {
        self.not_in_stream = true;
        self
    }

    /// How long it goes on: with a larger value it begins as with a smaller one.
    pub fn length(mut self) -> Self {
        self.is_length = true;
        self
    }

    /// Not written by users: found along this path of arguments.
    pub fn via(mut self, path: &str) -> Self {
        self.implicit = Some(Implicit::Via(path.to_owned()));
        self
    }

    /// Not written by users: the networks that the weights in an argument belong to, where they
    /// were recorded, fine-tuned or farcast.
    pub fn origins(mut self, of: &str) -> Self {
        self.implicit = Some(Implicit::Origins(of.to_owned()));
        self
    }

    /// Not written by users: the points of the sweeps, at each of which an argument is taken.
    pub fn points_of(mut self, of: &str) -> Self {
        self.implicit = Some(Implicit::Points(of.to_owned()));
        self
    }

    /// Not written by users: everything of the field's kind that argument was made from.
    pub fn ancestors(mut self, of: &str) -> Self {
        if let Type::Kind(kind) = self.param.ty {
            let of = of.to_owned();
            self.implicit = Some(Implicit::Ancestors { of, kind });
        }
        self
    }
}

/// The fields of a group, one of them with another default.
pub fn with_default(fields: Vec<Field>, name: &str, default: &str) -> Vec<Field> {
    let with = |mut field: Field| {
        if field.param.name == name {
            field.param.default = Some(default.to_owned());
        }
        field
    };
    fields.into_iter().map(with).collect()
}

/// Documentation lines as rustc hands them over, joined and with their indent removed.
pub fn join_doc(lines: &[&str]) -> String {
    let mut text = String::with_capacity(lines.iter().map(|line| line.len() + 1).sum());
    for line in lines {
        text.push_str(line.strip_prefix(' ').unwrap_or(line));
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text
}

/// A struct with declared fields: a plugin, a constructor, or a group of parameters that several
/// of these flatten into their own.
pub trait Fields: Sized {
    /// The declared fields in positional order.
    fn fields() -> Vec<Field>;

    /// The struct from checked arguments and loaded inputs.
    ///
    /// # Errors
    /// When an argument has a type that the checker refuses, which is a bug, or a value that the
    /// Rust type cannot hold, which is the user's fault.
    fn decode(bindings: &Bindings) -> Result<Self, Fault>;

    /// Why arguments do not decode, inputs aside: numbers that the Rust types cannot hold.
    fn undecodable(args: &Arguments) -> Vec<Fault>;
}

/// Why an argument does not decode through the user's fault.
pub fn undecodable<T: ParamType>(field: &str, args: &Arguments) -> Option<Fault> {
    let value = &args.get(field)?.value;
    if !may_misfit(value) {
        return None;
    }
    match T::from_value(field, value, &Bindings::default()) {
        Err(fault @ Fault::User { .. }) => Some(fault),
        // Inputs are missing before the run.
        Err(_) | Ok(_) => None,
    }
}

/// Whether a Rust type may not hold a value of the right type in the language: numbers alone have
/// narrower types there.
fn may_misfit(value: &Value) -> bool {
    match value {
        Value::Int(_) | Value::Float(_) | Value::Range(..) => true,
        Value::List(values) => values.iter().any(may_misfit),
        Value::Constructed(made) => made.args.values().any(|it| may_misfit(&it.value)),
        _ => false,
    }
}

/// A struct declared by [`plugin!`](crate::plugin!) or [`constructor!`](crate::constructor!).
pub trait Declared: Fields {
    /// The name in the language.
    const NAME: &'static str;
    /// Rises whenever the same call returns other bytes.
    const VERSION: u32;
    /// The documentation lines.
    const DOC: &'static [&'static str];
}

/// What is bound to the fields of one call when it runs.
#[derive(Clone, Default)]
pub struct Bindings {
    /// The checked arguments.
    pub args: Arguments,
    /// The artifacts of referred calls by field and node.
    pub inputs: BTreeMap<(String, NodeId), Loaded>,
}

/// A loaded input: one artifact for each member taken.
#[derive(Clone)]
pub struct Loaded {
    /// Stands for the statement's name until tables and pages are written.
    pub label: Label,
    /// What the plugin that made it gives where no keyword says otherwise.
    ///
    /// The keyword itself is in no key, so nothing may follow from it.
    pub kind: Option<Kind>,
    /// The artifacts in member order; `None` where the member diverged.
    pub members: Vec<Option<Arc<dyn Stored>>>,
}

impl Bindings {
    /// The same inputs with other arguments: those of a value made inside.
    pub fn inside(&self, args: &Arguments) -> Self {
        Self {
            args: args.clone(),
            inputs: self.inputs.clone(),
        }
    }

    /// What a referred call gives by default; none for a value that is not a reference.
    pub fn kind(&self, field: &str, value: &Value) -> Option<Kind> {
        match value {
            Value::Node(node) => self.loaded(field, *node).ok()?.kind,
            _ => None,
        }
    }

    pub(crate) fn loaded(&self, field: &str, node: NodeId) -> Result<&Loaded, Fault> {
        self.inputs
            .get(&(field.to_owned(), node))
            .ok_or_else(|| Fault::Bug(format!("input `{field}` was not loaded")))
    }
}

/// A Rust type that a parameter can have.
pub trait ParamType: Sized {
    /// Whether it may be left out without a default.
    const OPTIONAL: bool = false;
    /// Whether it takes all members of what it refers to.
    const GATHER: bool = false;

    /// The type in the language.
    fn ty() -> Type;

    /// The value from what the checker made of it.
    ///
    /// # Errors
    /// When the value has another type (a bug) or does not fit (the user's fault).
    fn from_value(field: &str, value: &Value, bindings: &Bindings) -> Result<Self, Fault>;

    /// The field from its argument.
    ///
    /// # Errors
    /// As [`from_value`](Self::from_value), or when it is missing.
    fn decode(field: &str, bindings: &Bindings) -> Result<Self, Fault> {
        match bindings.args.get(field) {
            Some(argument) => Self::from_value(field, &argument.value, bindings),
            None => Self::absent()
                .ok_or_else(|| Fault::Bug(format!("argument `{field}` was not checked"))),
        }
    }

    /// The default of an argument that is left out.
    fn absent() -> Option<Self> {
        None
    }
}

/// The complaint about a value of a type the checker should not have let pass.
pub fn mismatch(field: &str, expected: &str, value: &Value) -> Fault {
    Fault::Bug(format!("`{field}`: expected {expected}, found {value}"))
}

impl ParamType for i64 {
    fn ty() -> Type {
        Type::Int
    }

    fn from_value(field: &str, value: &Value, _: &Bindings) -> Result<Self, Fault> {
        match value {
            Value::Int(value) => Ok(*value),
            other => Err(mismatch(field, "Int", other)),
        }
    }
}

macro_rules! whole_numbers {
    ($($ty:ty),*) => {$(
        impl ParamType for $ty {
            fn ty() -> Type {
                Type::Int
            }

            fn from_value(field: &str, value: &Value, bindings: &Bindings) -> Result<Self, Fault> {
                let value = i64::from_value(field, value, bindings)?;
                <$ty>::try_from(value)
                    .map_err(|_| Fault::at(field, format!("{value} is out of range for `{field}`")))
            }
        }
    )*};
}
whole_numbers!(u32, u64, usize);

impl ParamType for f64 {
    fn ty() -> Type {
        Type::Float
    }

    fn from_value(field: &str, value: &Value, _: &Bindings) -> Result<Self, Fault> {
        match value {
            Value::Float(value) => Ok(*value),
            Value::Int(value) => Ok(*value as f64),
            other => Err(mismatch(field, "Float", other)),
        }
    }
}

impl ParamType for bool {
    fn ty() -> Type {
        Type::Bool
    }

    fn from_value(field: &str, value: &Value, _: &Bindings) -> Result<Self, Fault> {
        match value {
            Value::Bool(value) => Ok(*value),
            other => Err(mismatch(field, "Bool", other)),
        }
    }
}

impl ParamType for String {
    fn ty() -> Type {
        Type::String
    }

    fn from_value(field: &str, value: &Value, _: &Bindings) -> Result<Self, Fault> {
        match value {
            Value::Text(text) => Ok(text.clone()),
            other => Err(mismatch(field, "String", other)),
        }
    }
}

/// A number of steps, written `10` or `10 steps`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Steps(pub u64);

impl ParamType for Steps {
    fn ty() -> Type {
        Type::Quantity("steps".to_owned())
    }

    fn from_value(field: &str, value: &Value, bindings: &Bindings) -> Result<Self, Fault> {
        let steps = f64::from_value(field, value, bindings)?;
        match steps.fract() == 0.0 && (0.0..2f64.powi(53)).contains(&steps) {
            true => Ok(Self(steps as u64)),
            false => {
                let message = format!("expected a whole number of steps, found {steps}");
                Err(Fault::at(field, message))
            }
        }
    }
}

/// Whole numbers: a list of them or a range, as `[0, 10, 50]`, `0..=50` and `0..=50 step 10`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// These.
    Listed(Vec<i64>),
    /// The first, the last and the distance.
    Ranged(i64, i64, i64),
}

impl Numbers {
    /// Those of `known` that are among them; the listed ones that are not known are errors.
    ///
    /// # Errors
    /// The first listed number that is not known.
    pub fn among(&self, known: &[u64]) -> Result<Vec<u64>, i64> {
        let is_known = |number: &i64| u64::try_from(*number).is_ok_and(|n| known.contains(&n));
        match self {
            Numbers::Listed(listed) => match listed.iter().find(|number| !is_known(number)) {
                Some(unknown) => Err(*unknown),
                None => Ok(listed.iter().map(|number| number.unsigned_abs()).collect()),
            },
            Numbers::Ranged(first, last, step) => {
                let holds = |number: &&u64| {
                    i64::try_from(**number).is_ok_and(|number| {
                        (*first..=*last).contains(&number)
                            && number.abs_diff(*first) % step.unsigned_abs().max(1) == 0
                    })
                };
                Ok(known.iter().filter(holds).copied().collect())
            }
        }
    }
}

impl ParamType for Numbers {
    fn ty() -> Type {
        Type::OneOf(vec![
            Type::Range(Box::new(Type::Int)),
            Type::List(Box::new(Type::Int)),
        ])
    }

    fn from_value(field: &str, value: &Value, bindings: &Bindings) -> Result<Self, Fault> {
        let number = |value: &Value| i64::from_value(field, value, bindings);
        match value {
            Value::Range(first, last, step) => {
                Ok(Self::Ranged(number(first)?, number(last)?, number(step)?))
            }
            other => Vec::from_value(field, other, bindings).map(Self::Listed),
        }
    }
}

/// A file given by the user, joined to the folder of the text that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataPath(pub std::path::PathBuf);

impl ParamType for DataPath {
    fn ty() -> Type {
        Type::Path
    }

    fn from_value(field: &str, value: &Value, _: &Bindings) -> Result<Self, Fault> {
        match value {
            Value::Path(path) => Ok(Self(crate::path_text::text_path(path))),
            other => Err(mismatch(field, "Path", other)),
        }
    }
}

/// The name of a column.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Column(pub String);

impl ParamType for Column {
    fn ty() -> Type {
        Type::Column
    }

    fn from_value(field: &str, value: &Value, _: &Bindings) -> Result<Self, Fault> {
        match value {
            Value::Text(text) => Ok(Self(text.clone())),
            other => Err(mismatch(field, "Column", other)),
        }
    }
}

/// What users write for a field: one called `r#where`, a keyword of Rust, is their `where`.
#[doc(hidden)]
pub fn written_name(field: &'static str) -> &'static str {
    field.strip_prefix("r#").unwrap_or(field)
}

/// A number for every row, computed from columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Formula(pub ColumnExpr);

impl ParamType for Formula {
    fn ty() -> Type {
        Type::Formula(Over::Columns)
    }

    fn from_value(field: &str, value: &Value, _: &Bindings) -> Result<Self, Fault> {
        match value {
            Value::Formula(formula) => Ok(Self((**formula).clone())),
            other => Err(mismatch(field, "Formula", other)),
        }
    }
}

/// Yes or no for every row, computed from columns.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition(pub ColumnExpr);

impl ParamType for Condition {
    fn ty() -> Type {
        Type::Condition(Over::Columns)
    }

    fn from_value(field: &str, value: &Value, _: &Bindings) -> Result<Self, Fault> {
        match value {
            Value::Formula(formula) => Ok(Self((**formula).clone())),
            other => Err(mismatch(field, "Condition", other)),
        }
    }
}

/// The `name = formula` arguments of a call, in the order written.
#[derive(Clone, Debug, PartialEq)]
pub struct Definitions(pub Vec<(String, ColumnExpr)>);

impl ParamType for Definitions {
    fn ty() -> Type {
        Type::List(Box::new(Type::Formula(Over::Columns)))
    }

    fn from_value(field: &str, value: &Value, _: &Bindings) -> Result<Self, Fault> {
        match value {
            Value::Definitions(definitions) => Ok(Self((**definitions).clone())),
            other => Err(mismatch(field, "definitions", other)),
        }
    }
}

impl<T: ParamType> ParamType for Vec<T> {
    const GATHER: bool = T::GATHER;

    fn ty() -> Type {
        Type::List(Box::new(T::ty()))
    }

    fn from_value(field: &str, value: &Value, bindings: &Bindings) -> Result<Self, Fault> {
        match value {
            Value::List(values) => values
                .iter()
                .map(|value| T::from_value(field, value, bindings))
                .collect(),
            other => Err(mismatch(field, "List", other)),
        }
    }
}

impl<T: ParamType> ParamType for Option<T> {
    const OPTIONAL: bool = true;
    const GATHER: bool = T::GATHER;

    fn ty() -> Type {
        T::ty()
    }

    fn from_value(field: &str, value: &Value, bindings: &Bindings) -> Result<Self, Fault> {
        T::from_value(field, value, bindings).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl Bindings {
    fn implicit<'a>(&'a self, field: &'a str) -> impl Iterator<Item = &'a Loaded> {
        self.inputs
            .iter()
            .filter(move |((name, _), _)| name == field)
            .map(|(_, loaded)| loaded)
    }
}
