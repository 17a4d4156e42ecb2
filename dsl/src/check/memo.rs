//! What was evaluated once and is the same wherever it is asked for again.

use std::collections::BTreeMap;
use std::rc::Rc;

use rustc_hash::FxHashMap;

use super::bounds::Bounds;
use super::env::Env;
use super::reads::Reads;
use super::scope::NO_FILE;
use crate::ast::Expr;
use crate::experiment::{NodeId, Value};
use crate::facts::Facts;
use crate::source::Span;
use crate::types::Schema;

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
    /// Calls inside statements, to be shared between points.
    pub shared: BTreeMap<String, NodeId>,
    /// What was last known of the call at each place; only looked up.
    facts: FxHashMap<Span, Rc<Facts>>,
    /// What is wrong at every point, with what it read; only looked up.
    failed: FxHashMap<Failed, Reads>,
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
