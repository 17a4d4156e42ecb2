//! What a run would do, and why: a dry run over the store.

use std::collections::BTreeMap;

use crate::graph::{Action, ActionId, Graph, plugin_of};
use crate::store::{Record, Store};

/// For every action of a graph, whether its result is there.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// In the order of the graph's actions.
    pub steps: Vec<Step>,
}

/// What happens to one action.
#[derive(Clone, Debug)]
pub enum Step {
    /// Its result is in the store.
    Cached(Record),
    /// Its result is not in the store, but nothing that runs takes it.
    NotNeeded,
    /// It runs, because.
    Run(String),
}

impl Plan {
    /// How many actions run.
    pub fn to_run(&self) -> usize {
        self.steps
            .iter()
            .filter(|step| matches!(step, Step::Run(_)))
            .count()
    }

    /// The step of an action.
    pub fn step(&self, action: ActionId) -> &Step {
        &self.steps[action.0]
    }
}

/// Plans the graph: what the store has is cached; of the rest, the goals run and whatever
/// something that runs takes.
pub fn plan(graph: &Graph, store: &dyn Store) -> Plan {
    let dependents = graph.dependents();
    let mut steps: Vec<Option<Step>> = vec![None; graph.actions.len()];
    let runs = |step: &Option<Step>| matches!(step, Some(Step::Run(_)));
    for index in (0..graph.actions.len()).rev() {
        let wanted = graph.goals.contains(&ActionId(index))
            || dependents[index]
                .iter()
                .any(|dependent| runs(&steps[dependent.0]));
        steps[index] = Some(match store.find(&graph.actions[index].key) {
            Some(record) => Step::Cached(record),
            None if wanted => Step::Run(String::new()),
            None => Step::NotNeeded,
        });
    }
    let mut steps: Vec<Step> = steps.into_iter().flatten().collect();
    explain(graph, store, &mut steps);
    Plan { steps }
}

fn explain(graph: &Graph, store: &dyn Store, steps: &mut [Step]) {
    if !steps.iter().any(|step| matches!(step, Step::Run(_))) {
        return;
    }
    let earlier = Earlier::new(store.records());
    let running: Vec<bool> = steps
        .iter()
        .map(|step| matches!(step, Step::Run(_)))
        .collect();
    for (action, step) in graph.actions.iter().zip(steps) {
        if let Step::Run(reason) = step {
            *reason = earlier.why(action, &running);
        }
    }
}

/// The records a new action can be compared with, by plugin.
struct Earlier {
    by_plugin: BTreeMap<String, Vec<Record>>,
}

/// How many earlier records of a plugin are compared; more would cost and tell no more.
const COMPARED: usize = 256;

impl Earlier {
    fn new(records: Vec<Record>) -> Self {
        let mut by_plugin: BTreeMap<String, Vec<Record>> = BTreeMap::new();
        for record in records {
            let plugin = record.plugin().to_owned();
            let same = by_plugin.entry(plugin).or_default();
            if same.len() < COMPARED {
                same.push(record);
            }
        }
        Self { by_plugin }
    }

    fn why(&self, action: &Action, running: &[bool]) -> String {
        let plugin = plugin_of(&action.key_text);
        let same = self.by_plugin.get(plugin).map_or(&[][..], Vec::as_slice);
        if same.iter().any(|record| record.key == action.key) {
            return "its stored result is gone".to_owned();
        }
        let running_inputs: Vec<&str> = action
            .inputs
            .iter()
            .filter(|input| input.actions.iter().any(|taken| running[taken.0]))
            .map(|input| input.field.as_str())
            .collect();
        let nearest = same
            .iter()
            .map(|record| differences(&record.key_text, &action.key_text))
            .min_by_key(Vec::len);
        match nearest {
            None => format!("no earlier `{plugin}` in this store"),
            Some(differences) => {
                let own: Vec<String> = differences
                    .into_iter()
                    .filter(|difference| !running_inputs.contains(&difference.name.as_str()))
                    .map(|difference| difference.to_string())
                    .collect();
                let mut reasons = own;
                reasons.extend(
                    running_inputs
                        .iter()
                        .map(|field| format!("its `{field}` runs")),
                );
                reasons.dedup();
                reasons.join(", ")
            }
        }
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
    let (old, new) = (components(old), components(new));
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

/// Name and value of each line; the lines of one input are joined.
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
