//! A call before it runs: its arguments, and what is known of its inputs.

use std::sync::Arc;

use dsl::experiment::{Arguments, NodeId};
use dsl::facts::{About, Complaint, Facts, NetworkFacts, Steps};
use dsl::types::{Kind, Schema};

use crate::params::{Bindings, Fields, ParamType};

/// A call before it runs, for [`Plugin::check`](crate::plugin::Plugin::check).
pub struct Sketch<'a> {
    kind: Kind,
    args: &'a Arguments,
    about: &'a dyn Fn(NodeId) -> About<'a>,
}

impl<'a> Sketch<'a> {
    /// Of these arguments; `about` says what is known of the calls they refer to.
    pub fn new(kind: Kind, args: &'a Arguments, about: &'a dyn Fn(NodeId) -> About<'a>) -> Self {
        Self { kind, args, about }
    }

    /// The kind that the statement asks for.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether an argument has a value: one that was written, or a default.
    pub fn has(&self, field: &str) -> bool {
        self.args.get(field).is_some()
    }

    /// An argument that is not an input, as the plugin's field has it; none when it is left out.
    pub fn get<T: ParamType>(&self, field: &str) -> Option<T> {
        let argument = self.args.get(field)?;
        T::from_value(field, &argument.value, &Bindings::default()).ok()
    }

    /// An argument as canonical text; none when it is left out.
    pub fn text(&self, field: &str) -> Option<String> {
        Some(self.args.get(field)?.value.to_string())
    }

    /// A group of parameters without inputs.
    pub fn group<G: Fields>(&self) -> Option<G> {
        G::decode(&Bindings::default().inside(self.args)).ok()
    }

    /// What is known of each input in an argument, in order.
    pub fn inputs(&self, field: &str) -> Vec<About<'a>> {
        self.inputs_of(self.args, field)
    }

    fn inputs_of(&self, args: &Arguments, field: &str) -> Vec<About<'a>> {
        let argument = args.get(field);
        let nodes = argument.map_or_else(Vec::new, |argument| argument.value.nodes());
        nodes.into_iter().map(self.about).collect()
    }

    /// What is known of the input that this path of arguments leads to: `subsets.data` is the
    /// `data` of what makes `subsets`.
    pub fn via(&self, path: &str) -> Option<About<'a>> {
        let mut fields = path.split('.');
        let mut reached = self.input(fields.next()?)?;
        for field in fields {
            reached = self.inputs_of(reached.args, field).first().copied()?;
        }
        Some(reached)
    }

    /// What is known of the first input in an argument.
    pub fn input(&self, field: &str) -> Option<About<'a>> {
        self.inputs(field).first().copied()
    }

    /// The largest number of rows that an input can have.
    pub fn rows(&self, field: &str) -> Option<u64> {
        self.input(field)?.facts.rows
    }

    /// The steps of an input's states.
    pub fn steps(&self, field: &str) -> Option<&'a Steps> {
        self.input(field)?.facts.steps.as_ref()
    }

    /// The network that an input holds or belongs to.
    pub fn network(&self, field: &str) -> Option<&'a Arc<NetworkFacts>> {
        self.input(field)?.facts.network.as_ref()
    }

    /// The columns of an input.
    pub fn schema(&self, field: &str) -> Option<&'a Schema> {
        self.input(field)?.schema
    }

    /// What a result has of its inputs where its plugin says nothing else: the first network,
    /// and all columns that must be times.
    pub fn inherited(&self) -> Facts {
        let mut facts = Facts::default();
        for node in self.args.values().flat_map(|it| it.value.nodes()) {
            let input = (self.about)(node).facts;
            facts.network = facts.network.or_else(|| input.network.clone());
            for column in &input.times {
                if !facts.times.contains(column) {
                    facts.times.push(column.clone());
                }
            }
        }
        facts
    }

    /// Why arguments do not decode, inputs aside.
    pub(crate) fn undecodable<F: Fields>(&self) -> Vec<Complaint> {
        let faults = F::undecodable(self.args);
        faults.into_iter().map(Complaint::from).collect()
    }
}
