//! `farcast cache why`: why a statement runs, or does not.

use std::collections::{BTreeMap, BTreeSet};

use dsl::nearest;
use engine::graph::{ActionId, Graph};
use engine::plan::Step;
use engine::store::{Access, Store};
use engine::study::{Planned, Study};
use engine::why::{Reason, reasons};

use crate::args::Why;
use crate::exit::{Abort, Exit};
use crate::session::{abort, open};
use crate::settings::Settings;
use crate::terminal::Terminal;

pub fn run(args: &Why, settings: &Settings, terminal: &Terminal) -> Result<Exit, Abort> {
    let (mut study, store) = open(&args.experiment, settings, Access::Read, terminal)?;
    let planned = study.plan(&store);
    let Planned { graph, plan } = planned.map_err(|error| abort(&error, terminal))?;
    let reasons = reasons(&graph, &store, &plan);
    let asked = asked(args, &study, &graph, &reasons, terminal)?;
    let mut told = BTreeSet::new();
    for id in asked {
        let action = &graph.actions[id.0];
        let title = action.title(&study.experiment);
        match (plan.step(id), reasons.get(&id)) {
            (Step::Run, Some(_)) => {
                terminal.out(format!("{title} runs\n"));
                for root in roots(id, &graph, &reasons) {
                    say(root, &study, &graph, &reasons[&root], &mut told, terminal);
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
        if reasons.is_empty() {
            terminal.out("nothing runs: all results are in the store\n");
        }
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

/// Prints the reasons of a root cause once, each component of the key with its place in the text.
fn say(
    id: ActionId,
    study: &Study,
    graph: &Graph,
    reason: &Reason,
    told: &mut BTreeSet<String>,
    terminal: &Terminal,
) {
    let node = &study.experiment.nodes[graph.actions[id.0].node.0];
    let place = |name: &str| {
        let span = node.args.get(name).map_or(node.span, |arg| arg.span);
        let source = study.sources.get(span.file);
        format!("{}:{}", source.path, source.position(span.start))
    };
    let lines: Vec<String> = match reason {
        Reason::Differs { own, .. } => own
            .iter()
            .map(|difference| {
                let place = place(&difference.name);
                format!("  {}: {difference}\n    --> {place}\n", node.name)
            })
            .collect(),
        other => vec![format!("  {}: {other}\n    --> {}\n", node.name, place(""))],
    };
    for line in lines {
        if told.insert(line.clone()) {
            terminal.out(line);
        }
    }
}
