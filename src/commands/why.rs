//! `farcast cache why`: why a statement runs, or does not.

use std::collections::{BTreeMap, BTreeSet};

use dsl::nearest;
use dsl::source::Position;
use engine::graph::{ActionId, Graph};
use engine::plan::Step;
use engine::store::{Access, Store};
use engine::study::{Planned, Study};
use engine::why::{Reason, reasons};
use serde_json::{Value, json};

use crate::args::Why;
use crate::exit::{Abort, Exit};
use crate::session::{abort, open};
use crate::settings::Settings;
use crate::terminal::Terminal;

pub fn run(args: &Why, settings: &Settings, terminal: &Terminal) -> Result<Exit, Abort> {
    let json = args.output.json;
    let terminal = &Terminal { json, ..*terminal };
    let (mut study, store) = open(&args.experiment, settings, Access::Read, terminal)?;
    let planned = study.plan(&store);
    let Planned { graph, plan } = planned.map_err(|error| abort(&error, terminal))?;
    let reasons = reasons(&graph, &store, &plan);
    let asked = asked(args, &study, &graph, &reasons, terminal)?;
    if json {
        let actions = asked.iter().map(|id| {
            let action = &graph.actions[id.0];
            let (state, record) = match plan.step(*id) {
                Step::Run => ("run", None),
                Step::Cached(_) => ("cached", store.find(&action.key.digest)),
                Step::NotNeeded => ("not needed", None),
            };
            let mut why = Vec::new();
            if state == "run" {
                let mut known = BTreeSet::new();
                for root in roots(*id, &graph, &reasons) {
                    let causes = causes(root, &study, &graph, &reasons[&root]);
                    why.extend(causes.into_iter().filter(|it| known.insert(it.text())));
                }
            }
            json!({
                "action": action.title(&study.experiment), "key": action.key.digest,
                "statement": study.experiment.nodes[action.node.0].name, "state": state,
                "reasons": why.iter().map(Cause::json).collect::<Vec<_>>(),
                "seconds": record.as_ref().map(|record| record.seconds),
                "host": record.as_ref().map(|record| &record.host),
            })
        });
        let actions: Vec<Value> = actions.collect();
        terminal.answer(json!({ "actions": actions }));
        return Ok(Exit::Fine);
    }
    if asked.is_empty() {
        terminal.out("nothing runs: all results are in the store\n");
    }
    let mut told = BTreeSet::new();
    for id in asked {
        let action = &graph.actions[id.0];
        let title = action.title(&study.experiment);
        match (plan.step(id), reasons.get(&id)) {
            (Step::Run, Some(_)) => {
                terminal.out(format!("{title} runs\n"));
                for root in roots(id, &graph, &reasons) {
                    for cause in causes(root, &study, &graph, &reasons[&root]) {
                        let text = cause.text();
                        if told.insert(text.clone()) {
                            terminal.out(text);
                        }
                    }
                }
            }
            (Step::Cached(_), _) => {
                let made = store
                    .find(&action.key.digest)
                    .map_or(String::new(), |record| {
                        format!(": computed in {:.1} s on {}", record.seconds, record.host)
                    });
                terminal.out(format!("{title} is cached{made}\n"));
            }
            _ => terminal.out(format!(
                "{title} is not needed: its dependents are cached\n"
            )),
        }
    }
    Ok(Exit::Fine)
}

/// The actions of the statement, or all that run.
fn asked(
    args: &Why,
    study: &Study,
    graph: &Graph,
    reasons: &BTreeMap<ActionId, Reason>,
    terminal: &Terminal,
) -> Result<Vec<ActionId>, Abort> {
    let Some(name) = &args.statement else {
        return Ok(reasons.keys().copied().collect());
    };
    let nodes = &study.experiment.nodes;
    let found: BTreeSet<ActionId> = nodes
        .iter()
        .zip(&graph.of_node)
        .filter(|(node, _)| node.name == *name)
        .flat_map(|(_, actions)| actions.iter().copied())
        .collect();
    if found.is_empty() {
        terminal.error(format!("no statement that is needed is called `{name}`"));
        let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
        if let Some(near) = nearest(name, names) {
            terminal.say(format!("  = help: did you mean `{near}`?"));
        }
        return Err(Abort::Failed);
    }
    Ok(found.into_iter().collect())
}

/// The root causes of an action: those of its inputs, and of their inputs, that run for another
/// reason than an input.
fn roots(id: ActionId, graph: &Graph, reasons: &BTreeMap<ActionId, Reason>) -> BTreeSet<ActionId> {
    let (mut roots, mut seen, mut queue) = (BTreeSet::new(), BTreeSet::new(), vec![id]);
    while let Some(id) = queue.pop() {
        let Some(reason) = reasons.get(&id).filter(|_| seen.insert(id)) else {
            continue;
        };
        let is_root = match reason {
            Reason::Differs { own, inputs } => !own.is_empty() || inputs.is_empty(),
            Reason::Gone | Reason::First(_) => true,
        };
        if is_root {
            roots.insert(id);
        }
        queue.extend(graph.actions[id.0].taken());
    }
    roots
}

/// A reason why an action runs, with its place in the text.
struct Cause<'a> {
    statement: &'a str,
    reason: String,
    file: &'a str,
    position: Position,
}

impl Cause<'_> {
    fn text(&self) -> String {
        let Self {
            statement,
            reason,
            file,
            position,
        } = self;
        format!("  {statement}: {reason}\n    --> {file}:{position}\n")
    }

    fn json(&self) -> Value {
        json!({
            "statement": self.statement, "reason": self.reason, "file": self.file,
            "line": self.position.line, "column": self.position.column,
        })
    }
}

/// The reasons of a root cause, one for each component of its key that differs.
fn causes<'a>(id: ActionId, study: &'a Study, graph: &Graph, reason: &Reason) -> Vec<Cause<'a>> {
    let node = &study.experiment.nodes[graph.actions[id.0].node.0];
    let cause = |name: &str, reason: String| {
        let span = node.args.get(name).map_or(node.span, |arg| arg.span);
        let source = study.sources.get(span.file);
        Cause {
            statement: &node.name,
            reason,
            file: &source.path,
            position: source.position(span.start),
        }
    };
    match reason {
        Reason::Differs { own, .. } => {
            let own = own.iter();
            let causes = own.map(|difference| cause(&difference.name, difference.to_string()));
            causes.collect()
        }
        other => vec![cause("", other.to_string())],
    }
}
