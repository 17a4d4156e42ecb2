//! `farcast plan`: shows what a run would do, and why.

use dsl::sweep::{Best, Sweep};
use engine::digest::Digest;
use engine::graph::{ActionId, Graph};
use engine::plan::Step;
use engine::remote::Look;
use engine::store::Access;
use engine::study::{Planned, Study};
use engine::sweep::{Sharing, sharing};
use engine::why::{Reason, reasons};
use serde_json::json;

use crate::args::Plan;
use crate::columns::aligned_within;
use crate::exit::{Abort, Exit};
use crate::remotes::{Consent, shared};
use crate::sentences::waits;
use crate::session::{abort, open};
use crate::settings::Settings;
use crate::terminal::Terminal;

pub fn run(args: &Plan, settings: &Settings, terminal: &Terminal) -> Result<Exit, Abort> {
    let terminal = &Terminal {
        json: args.json,
        ..*terminal
    };
    let (mut study, store) = open(&args.experiment, settings, Access::Read, terminal)?;
    // Nothing is asked of a shared store: what earlier runs saw of it is known here.
    let store = shared(&store, settings, Consent::Asked, Look::Known, terminal);
    let planned = study.plan(&store);
    let Planned { graph, plan } = planned.map_err(|error| abort(&error, terminal))?;
    let to_run = plan.to_run();
    let cached = graph.actions.len() - to_run;
    let reasons = reasons(&graph, &store, &plan);
    let from = |key: &Digest| {
        let place = store.place_of(key);
        place.map_or_else(String::new, |place| format!("in `{place}`"))
    };
    let elsewhere = { graph.actions.iter().zip(&plan.steps) }.filter(|(action, step)| {
        let is_cached = matches!(step, Step::Cached(_));
        is_cached && store.place_of(&action.key.digest).is_some()
    });
    let elsewhere = elsewhere.count();
    let actions = graph.actions.iter().enumerate().map(|(index, action)| {
        let node = &study.experiment.nodes[action.node.0];
        let reason = reasons.get(&ActionId(index));
        let (state, reason) = match plan.step(ActionId(index)) {
            Step::Cached(_) => ("cached", from(&action.key.digest)),
            Step::NotNeeded => ("cached", "not needed: its dependents are cached".to_owned()),
            Step::Run => ("run", reason.map(Reason::to_string).unwrap_or_default()),
        };
        (action, node, state, reason)
    });
    if args.json {
        let actions: Vec<_> = actions
            .map(|(action, node, state, reason)| {
                json!({
                    "key": action.key.digest, "statement": node.name, "plugin": node.plugin,
                    "state": state, "reason": reason,
                })
            })
            .collect();
        let waiting = study
            .experiment
            .waiting
            .iter()
            .map(|waiting| json!({ "statement": waiting.statement, "sweeps": waiting.sweeps }));
        let sweeps = study.experiment.sweeps.iter().map(|sweep| {
            let Sharing { shared, alone } = sharing(sweep, &graph);
            json!({
                "sweep": sweep.name, "points": sweep.trials.len(), "to_come": sweep.to_come,
                "actions": shared, "actions_without_sharing": alone,
            })
        });
        let answer = json!({
            "actions": actions, "cached": cached, "run": to_run,
            "trainers": trainers(&study, &graph)
                .into_iter()
                .map(|(statement, trainer)| json!({ "statement": statement, "trainer": trainer }))
                .collect::<Vec<_>>(),
            "waiting": waiting.collect::<Vec<_>>(), "sweeps": sweeps.collect::<Vec<_>>(),
        });
        terminal.answer(&answer);
        return Ok(Exit::Fine);
    }
    let rows = actions.map(|(action, node, state, reason)| {
        let title = action.title(&study.experiment);
        vec![title, node.plugin.clone(), format!("{state:6}"), reason]
    });
    let rows: Vec<Vec<String>> = rows.collect();
    terminal.out(aligned_within(&rows, terminal.width()));
    for (statement, trainer) in trainers(&study, &graph) {
        terminal.out(format!("`{statement}` is trained by {trainer}\n"));
    }
    for waiting in &study.experiment.waiting {
        terminal.tell(format!("{}\n", waits(waiting)));
    }
    for sweep in &study.experiment.sweeps {
        terminal.tell(format!("{}\n", summary(sweep, &graph)));
    }
    let shared = match elsewhere {
        0 => String::new(),
        count => format!(", {count} of them in shared stores"),
    };
    terminal.out(format!("{to_run} to run, {cached} cached{shared}\n"));
    Ok(Exit::Fine)
}

/// The statements that train and what computes their gradients, in the order of the graph.
fn trainers(study: &Study, graph: &Graph) -> Vec<(String, String)> {
    let nodes = study.experiment.nodes.iter().zip(&graph.of_node);
    let mut told: Vec<(String, String)> = Vec::new();
    for (node, _) in nodes.filter(|(_, actions)| !actions.is_empty()) {
        let line = node.trainer.clone();
        let line = line.map(|trainer| (node.name.clone(), trainer));
        told.extend(line.filter(|line| !told.contains(line)));
    }
    told
}

/// The state of a sweep: its points and their actions, those to come, its choice.
fn summary(sweep: &Sweep, graph: &Graph) -> String {
    let name = &sweep.name;
    if sweep.is_waiting {
        return format!("sweep `{name}` waits for another one");
    }
    let Sharing { shared, alone } = sharing(sweep, graph);
    let points = sweep.trials.len();
    let mut parts = vec![
        format!("{points} points"),
        format!("{shared} actions ({alone} without sharing)"),
    ];
    if sweep.objective.is_some() && sweep.ended() < points {
        parts.push(format!("{} with a score", sweep.ended()));
    }
    if sweep.to_come > 0 {
        parts.push(format!("up to {} to come", sweep.to_come));
    }
    match sweep.best {
        Best::Trial(at) => parts.push(format!("best {}", sweep.best_point(at))),
        Best::Nothing => parts.push("no point has a score".to_owned()),
        Best::Never | Best::Open => {}
    }
    format!("sweep `{name}`: {}", parts.join(", "))
}
