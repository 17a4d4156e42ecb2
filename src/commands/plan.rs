//! `farcast plan`: what a run would do, and why.

use engine::plan::{Step, plan};
use engine::store::Access;
use serde_json::json;

use super::Exit;
use crate::args::Plan;
use crate::session::{Session, Stop, open_store};
use crate::settings::Settings;
use crate::terminal::Terminal;

pub fn run(args: &Plan, settings: &Settings, terminal: &Terminal) -> Result<Exit, Stop> {
    let session = Session::open(&args.subject, settings, terminal)?;
    let store = open_store(settings, &args.subject.file, Access::Read, terminal)?;
    let graph = session.graph(&store, terminal)?;
    let plan = plan(&graph, &store);
    let to_run = plan.to_run();
    let cached = graph.actions.len() - to_run;
    let actions = graph.actions.iter().zip(&plan.steps).map(|(action, step)| {
        let node = &session.experiment.nodes[action.node.0];
        let (state, reason) = match step {
            Step::Cached(_) => ("cached", ""),
            Step::NotNeeded => ("cached", "not needed: what takes it is cached"),
            Step::Run(reason) => ("run", reason.as_str()),
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
    let rows: Vec<(String, &str, &str, &str)> = actions
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
