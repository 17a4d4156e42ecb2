//! What was evaluated once and is the same wherever it is asked for again.

use std::collections::BTreeMap;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::bounds::Bounds;
use super::env::Env;
use super::known::{Args, Columns};
use super::reads::Reads;
use super::scope::NO_FILE;
use crate::ast::Expr;
use crate::experiment::{Arguments, NodeId, Value};
use crate::facts::Facts;
use crate::signature::Param;
use crate::source::Span;
use crate::types::{ColumnInfo, Schema};

/// An expression that comes from no file, with what follows it after `in`.
pub type Snippet = Rc<(Expr, Option<Expr>)>;

/// A parameter of a plugin.
pub type ParamOf<'p> = (&'p str, &'p str);

/// Results that do not depend on where they are used.
#[derive(Default)]
pub struct Memo<'p> {
    pub snippets: BTreeMap<String, Option<Snippet>>,
    /// The defaults of parameters of plugins; only looked up.
    pub defaults: FxHashMap<ParamOf<'p>, Value>,
    /// The ranges of parameters of plugins; only looked up.
    pub ranges: FxHashMap<ParamOf<'p>, Option<Bounds>>,
    /// The columns of sources.
    pub schemas: BTreeMap<String, Rc<Schema>>,
    /// The arguments of the source last called at each place, and its columns; only looked up.
    pub sources: FxHashMap<Span, (Arguments, Rc<Schema>)>,
    /// The columns last added to others by the call at each place; only looked up.
    extended: FxHashMap<Span, Extended>,
    /// Arguments that are the same at every point; only looked up.
    arguments: FxHashMap<ArgumentPlace, SameArgument>,
    /// Calls inside statements, to be shared between points.
    pub shared: BTreeMap<String, NodeId>,
    /// What was last known of the call at each place; only looked up.
    facts: FxHashMap<Span, Rc<Facts>>,
    /// What is wrong at every point, with what it read; only looked up.
    failed: FxHashMap<Failed, Reads>,
}

/// Columns that a call adds to those of its data.
struct Extended {
    base: Rc<Schema>,
    added: Vec<ColumnInfo>,
    schema: Rc<Schema>,
}

/// An argument of a call in a file, in the definitions it is in.
#[derive(PartialEq, Eq, Hash)]
pub struct ArgumentPlace {
    /// The address of the parameter.
    param: usize,
    /// The call, the argument, then the calls of definitions around it.
    at: [Span; 2],
    around: Vec<Span>,
}

/// An argument that follows from its text and the columns of its data alone.
pub struct SameArgument {
    /// The columns that it may name.
    pub columns: Columns,
    pub value: Value,
    /// The columns that it names.
    pub named: Vec<(String, Span)>,
    /// The columns that it defines.
    pub defined: Vec<ColumnInfo>,
    /// How many values were made on the way.
    pub extent: usize,
}

impl ArgumentPlace {
    /// None where texts that come from no file have equal places.
    pub fn of(param: &Param, call: Span, argument: Span, env: Env) -> Option<Self> {
        let mut around = Vec::new();
        let mut frame = env.frame;
        while let Some(inner) = frame {
            around.push(inner.call);
            frame = inner.caller.frame;
        }
        let at = [call, argument];
        let is_in_file = at.iter().chain(&around).all(|span| span.file != NO_FILE);
        is_in_file.then_some(Self {
            param: std::ptr::from_ref(param).addr(),
            at,
            around,
        })
    }
}

/// An argument of a call, or all of them, in the definitions it is in.
#[derive(PartialEq, Eq, Hash)]
pub struct Failed {
    param: String,
    /// The argument, then the calls of definitions around it.
    places: Vec<Span>,
}

impl Failed {
    pub fn at(param: &str, span: Span, env: Env) -> Self {
        let mut places = vec![span];
        let mut frame = env.frame;
        while let Some(inner) = frame {
            places.push(inner.call);
            frame = inner.caller.frame;
        }
        Self {
            param: param.to_owned(),
            places,
        }
    }
}

impl Memo<'_> {
    /// The same facts, in one piece of memory with those of the call at this place at another point.
    pub fn shared_facts(&mut self, place: Span, facts: Facts) -> Rc<Facts> {
        if let Some(last) = self.facts.get(&place).filter(|last| ***last == facts) {
            return Rc::clone(last);
        }
        let facts = Rc::new(facts);
        self.facts.insert(place, Rc::clone(&facts));
        facts
    }

    /// The columns of data with those that a call defines, in one piece of memory with those of the
    /// call at this place at another point.
    pub fn extended(&mut self, place: Span, base: Rc<Schema>, args: &Args) -> Rc<Schema> {
        let last = self.extended.get(&place);
        if let Some(last) =
            last.filter(|it| Rc::ptr_eq(&it.base, &base) && it.added == args.defined)
        {
            return Rc::clone(&last.schema);
        }
        let mut schema = Rc::clone(&base);
        let columns = &mut Rc::make_mut(&mut schema).columns;
        columns.extend(args.defined.iter().cloned());
        let extended = Extended {
            base,
            added: args.defined.clone(),
            schema: Rc::clone(&schema),
        };
        self.extended.insert(place, extended);
        schema
    }

    /// What an argument was found to be at another point, where it may name the same columns.
    pub fn argument(&self, place: &ArgumentPlace, columns: &Columns) -> Option<&SameArgument> {
        let known = self.arguments.get(place);
        known.filter(|known| known.columns.is(columns))
    }

    /// Remembers an argument that reads nothing of the sweeps.
    pub fn keep_argument(&mut self, place: ArgumentPlace, argument: SameArgument) {
        self.arguments.insert(place, argument);
    }

    /// What was read for something that was found to be wrong at every point.
    pub fn failed(&self, place: impl FnOnce() -> Failed) -> Option<Reads> {
        match self.failed.is_empty() {
            true => None,
            false => self.failed.get(&place()).copied(),
        }
    }

    /// Remembers that something is wrong at every point, so that it is found once.
    pub fn fail(&mut self, place: Failed, reads: Reads) {
        // Texts from no file have equal places.
        if place.places[0].file != NO_FILE {
            self.failed.insert(place, reads);
        }
    }
}
