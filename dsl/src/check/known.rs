//! What is known of a call's result beside its value, and of the columns a call may name.

use std::collections::HashSet;
use std::rc::Rc;

use super::reads::Reads;
use crate::experiment::Arguments;
use crate::facts::Facts;
use crate::signature::Need;
use crate::source::Span;
use crate::types::{ColumnInfo, Kind, Schema, Type};

/// What is known of a node.
#[derive(Clone, Default)]
pub struct Inferred {
    /// The columns of the data it is, or was made from.
    pub schema: Option<Rc<Schema>>,
    /// The columns that data it is used with must have.
    pub needs: Rc<Vec<Needed>>,
    /// How many members it has, and where that is said.
    pub members: Option<(u32, Span)>,
    /// The swept params and choices it reads.
    pub reads: Reads,
    /// What its plugin says of it; most points of a sweep share it.
    pub known: Rc<Facts>,
}

/// A column that data met later must have.
#[derive(Clone, Debug, PartialEq)]
pub struct Needed {
    pub column: String,
    pub span: Span,
    pub need: Need,
    /// Whether it must hold numbers.
    pub numbers: bool,
}

/// The arguments of a call that passed the check.
#[derive(Default)]
pub struct Args {
    pub values: Arguments,
    pub needs: Vec<Needed>,
    /// The columns of `name = formula` arguments.
    pub defined: Vec<ColumnInfo>,
    pub broken: bool,
    /// What the data were found to read, whose columns the other arguments name.
    pub data_reads: Reads,
}

/// The columns that names in a call may mean.
#[derive(Clone)]
pub enum Columns {
    /// Those of the data at this place.
    Known(Rc<Schema>, Span),
    /// Any: no data are at hand yet.
    Free,
    /// Those of data that did not check; nothing is said about them.
    Poisoned,
}

impl Columns {
    /// Whether these are the very same columns of data at the same place.
    pub fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Known(schema, place), Self::Known(other, at)) => {
                Rc::ptr_eq(schema, other) && place == at
            }
            (Self::Free, Self::Free) => true,
            _ => false,
        }
    }
}

/// Whether results of some kind may stand here.
pub fn takes_kind(ty: &Type) -> bool {
    match ty {
        Type::Kind(_) => true,
        Type::List(inner) | Type::Range(inner) => takes_kind(inner),
        Type::OneOf(types) => types.iter().any(takes_kind),
        _ => false,
    }
}

/// Whether a thing of this kind is rows of data, or groups them.
pub fn holds_rows(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Data | Kind::Subset | Kind::Anomaly | Kind::Trajectory
    )
}

/// Both lists of needs, each column once.
pub fn union(left: &Rc<Vec<Needed>>, right: &[Needed]) -> Rc<Vec<Needed>> {
    let key = |needed: &Needed| (needed.column.clone(), needed.need, needed.numbers);
    let mut known: HashSet<_> = match right.is_empty() {
        true => return Rc::clone(left),
        false => left.iter().map(key).collect(),
    };
    let fresh: Vec<&Needed> = right.iter().filter(|it| known.insert(key(it))).collect();
    if fresh.is_empty() {
        return Rc::clone(left);
    }
    let mut all = left.to_vec();
    all.extend(fresh.into_iter().cloned());
    Rc::new(all)
}
