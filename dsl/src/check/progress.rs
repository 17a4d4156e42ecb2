//! How far the statements are evaluated.

use std::collections::BTreeSet;

use rustc_hash::{FxHashMap, FxHashSet};

use super::known::Inferred;
use super::reads::Reads;
use crate::experiment::{Node, NodeId};

/// Which value of each swept param is in force; none is the default.
pub type Point = Vec<Option<u32>>;

/// The calls made so far.
#[derive(Default)]
pub struct Calls {
    pub nodes: Vec<Node>,
    /// What is known of each.
    pub facts: Vec<Inferred>,
    /// How many there were after the first point.
    pub at_first_point: usize,
    /// Which of these are those of other points, taken by a call that looks at all.
    pub elsewhere: FxHashSet<usize>,
    /// Which values of which swept params a call depends on that was taken at every point.
    pub points: FxHashMap<NodeId, Vec<(usize, u32)>>,
}

/// What every statement made, and which others it named.
pub struct Progress {
    states: Vec<StatementState>,
    /// The statements each statement refers to.
    pub edges: Vec<BTreeSet<usize>>,
    /// The statements being evaluated, outermost first.
    pub open: Vec<usize>,
}

#[derive(Clone, Default)]
struct StatementState {
    reads: Reads,
    /// Only looked up, never listed.
    results: FxHashMap<Point, Option<NodeId>>,
}

impl Progress {
    pub fn new(statements: usize) -> Self {
        Self {
            states: vec![StatementState::default(); statements],
            edges: vec![BTreeSet::new(); statements],
            open: Vec::new(),
        }
    }

    /// Notes that the statement at hand refers to another.
    pub fn refer(&mut self, to: usize) {
        if let Some(user) = self.open.last() {
            self.edges[*user].insert(to);
        }
    }

    /// What a statement was found to read.
    pub fn reads(&self, statement: usize) -> Reads {
        self.states[statement].reads
    }

    /// What a statement made at a point; outer none when it is not evaluated there yet.
    pub fn made(&self, statement: usize, point: &[Option<u32>]) -> Option<Option<NodeId>> {
        let state = &self.states[statement];
        state.results.get(&state.reads.key(point)).copied()
    }

    /// Remembers what a statement made at a point and read for it.
    pub fn note(
        &mut self,
        statement: usize,
        point: &[Option<u32>],
        reads: Reads,
        made: Option<NodeId>,
    ) {
        let state = &mut self.states[statement];
        if state.reads != reads {
            state.reads = reads;
            state.results.clear();
        }
        state.results.insert(reads.key(point), made);
    }
}
