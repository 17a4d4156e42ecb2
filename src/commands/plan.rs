//! `farcast plan`: what a run would do, and why.

use engine::graph::ActionId;
use engine::plan::{Step, plan};
use engine::store::Access;
use engine::why::{Reason, reasons};
use serde_json::json;

use super::Exit;
use crate::args::Plan;
use crate::session::{Session, Stop, open_store};
use crate::terminal::Terminal;

pub fn run(args: &Plan, terminal: &Terminal) -> Result<Exit, Stop> {
    let session = Session::open(&args.subject, terminal)?;
    let store = open_store(
        &args.subject.file,
        args.subject.store.as_deref(),
        Access::Read,
        terminal,
    )?;
    let graph = session.graph(&store, terminal)?;
    let plan = plan(&graph, &store);
    let to_run = plan.to_run();
    let cached = graph.actions.len() - to_run;
    let reasons = reasons(&graph, &store, &plan);
    let actions = graph.actions.iter().enumerate().map(|(index, action)| {
        let node = &session.experiment.nodes[action.node.0];
        let reason = reasons.get(&ActionId(index));
        let (state, reason) = match plan.step(ActionId(index)) {
            Step::Cached(_) => ("cached", String::new()),
            Step::NotNeeded => ("cached", "not needed: what takes it is cached".to_owned()),
            Step::Run => ("run", reason.map(Reason::to_string).unwrap_or_default()),
        };
        (action, node, state, reason)
    });
    if args.json {
        let actions: Vec<_> = actions
            .map(|(action, node, state, reason)| {
                json!({
                    "key": action.key, "statement": node.name, "plugin": node.plugin,
                    "state": state, "reason": reason,
                })
            })
            .collect();
        let answer = json!({ "actions": actions, "cached": cached, "run": to_run });
        terminal.out(format!("{answer}\n"));
        return Ok(Exit::Fine);
    }
    let rows: Vec<(String, &str, &str, String)> = actions
        .map(|(action, node, state, reason)| {
            (
                action.title(&session.experiment),
                node.plugin.as_str(),
                state,
                reason,
            )
        })
        .collect();
    let name_width = rows
        .iter()
        .map(|row| row.0.chars().count())
        .max()
        .unwrap_or(0);
    let plugin_width = rows.iter().map(|row| row.1.len()).max().unwrap_or(0);
    for (name, plugin, state, reason) in rows {
        let line = format!("{name:name_width$}  {plugin:plugin_width$}  {state:6}  {reason}");
        terminal.out(format!("{}\n", line.trim_end()));
    }
    terminal.out(format!("{to_run} to run, {cached} cached\n"));
    Ok(Exit::Fine)
}
