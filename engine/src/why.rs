//! Why an action runs: its key beside those of earlier actions of the same plugin.

use std::collections::BTreeMap;

use crate::graph::{Action, ActionId, Graph};
use crate::key::plugin_of;
use crate::plan::{Plan, Step};
use crate::store::{Record, Store};

/// Why an action runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It has run, but its result was taken away or damaged.
    Gone,
    /// The store has no result of this plugin.
    First(String),
    /// Its key is new; this is how it differs from the nearest earlier one.
    Differs {
        /// The components of the key that are not as they were, inputs that run left out.
        own: Vec<Difference>,
        /// The fields of the inputs that run themselves.
        inputs: Vec<String>,
    },
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Gone => f.write_str("its stored result is gone"),
            Self::First(plugin) => write!(f, "no earlier `{plugin}` in this store"),
            Self::Differs { own, inputs } => {
                let own = own.iter().map(Difference::to_string);
                let mut reasons: Vec<String> = own
                    .chain(inputs.iter().map(|field| format!("its `{field}` runs")))
                    .collect();
                reasons.dedup();
                f.write_str(&reasons.join(", "))
            }
        }
    }
}

/// Why each action that a plan runs does.
pub fn reasons(graph: &Graph, store: &dyn Store, plan: &Plan) -> BTreeMap<ActionId, Reason> {
    let runs = |id: &ActionId| matches!(plan.step(*id), Step::Run);
    let running: Vec<ActionId> = (0..graph.actions.len())
        .map(ActionId)
        .filter(runs)
        .collect();
    if running.is_empty() {
        return BTreeMap::new();
    }
    let earlier = Earlier::new(store.records().all(), running.len());
    let why = |id: ActionId| (id, earlier.why(&graph.actions[id.0], &runs));
    running.into_iter().map(why).collect()
}

/// The records a new action can be compared with, by plugin.
struct Earlier {
    by_plugin: BTreeMap<String, Vec<(Record, Components)>>,
    compared: usize,
}

/// How many pairs of keys are compared in all; more would cost seconds and tell little more.
const COMPARISONS: usize = 4_000_000;

impl Earlier {
    fn new(records: Vec<Record>, actions: usize) -> Self {
        let mut by_plugin: BTreeMap<String, Vec<(Record, Components)>> = BTreeMap::new();
        for record in records {
            let components = components(&record.key_text);
            let plugin = record.plugin().to_owned();
            by_plugin
                .entry(plugin)
                .or_default()
                .push((record, components));
        }
        Self {
            by_plugin,
            compared: (COMPARISONS / actions).max(16),
        }
    }

    fn why(&self, action: &Action, runs: &dyn Fn(&ActionId) -> bool) -> Reason {
        let plugin = plugin_of(&action.key.text);
        let Some(same) = self.by_plugin.get(plugin) else {
            return Reason::First(plugin.to_owned());
        };
        // Records come ordered by key.
        let by_key = |(record, _): &(Record, Components)| record.key.cmp(&action.key.digest);
        if same.binary_search_by(by_key).is_ok() {
            return Reason::Gone;
        }
        let mut inputs: Vec<String> = action
            .inputs
            .iter()
            .filter(|input| input.actions.iter().any(runs))
            .map(|input| input.field.clone())
            .collect();
        inputs.dedup();
        let new = components(&action.key.text);
        let mut nearest: Option<Vec<Difference>> = None;
        for (_, old) in same.iter().take(self.compared) {
            let found = between(old, &new);
            let nearer = nearest
                .as_ref()
                .is_none_or(|least| found.len() < least.len());
            // No two keys differ in less than one component.
            let is_least = found.len() == 1;
            if nearer {
                nearest = Some(found);
            }
            if is_least {
                break;
            }
        }
        let mut own = nearest.unwrap_or_default();
        own.retain(|difference| !inputs.contains(&difference.name));
        Reason::Differs { own, inputs }
    }
}

/// One component of a key that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The component: a parameter, an input, `seed`, `member`, `plugin`.
    pub name: String,
    /// What it was.
    pub old: Option<String>,
    /// What it is.
    pub new: Option<String>,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
        let name = &self.name;
        let (old, new) = (shown(&self.old), shown(&self.new));
        if old.contains("file ") || new.contains("file ") {
            return write!(f, "the content of `{name}` changed");
        }
        if is_key(&old) || is_key(&new) {
            // A file of a program.
            let name = name.strip_prefix("file ").unwrap_or(name);
            return write!(f, "its `{name}` changed");
        }
        write!(f, "`{name}` was {old}, is {new}")
    }
}

fn is_key(text: &str) -> bool {
    text.len() >= 64 && text.split(' ').all(|word| word.len() == 64)
}

/// The components in which two key texts differ, in the order of the newer one.
pub fn differences(old: &str, new: &str) -> Vec<Difference> {
    between(&components(old), &components(new))
}

/// Name and value of each line of a key text; the lines of one input are joined.
type Components = BTreeMap<String, String>;

fn between(old: &Components, new: &Components) -> Vec<Difference> {
    let gone = old.keys().filter(|name| !new.contains_key(*name));
    new.keys()
        .chain(gone)
        .filter(|name| old.get(*name) != new.get(*name))
        .map(|name| Difference {
            name: name.clone(),
            old: old.get(name).cloned(),
            new: new.get(name).cloned(),
        })
        .collect()
}

fn components(key_text: &str) -> BTreeMap<String, String> {
    let mut components: BTreeMap<String, String> = BTreeMap::new();
    for line in key_text.lines() {
        let split = line
            .split_once(" = ")
            .or_else(|| line.split_once(" <- "))
            .or_else(|| line.split_once(' '));
        if let Some((name, value)) = split {
            components
                .entry(name.to_owned())
                .and_modify(|values| {
                    values.push(' ');
                    values.push_str(value);
                })
                .or_insert_with(|| value.to_owned());
        }
    }
    components
}
