//! `farcast plugins`: lists the plugins, or describes one.

use std::path::Path;

use dsl::diagnostic::{Code, Diagnostic};
use dsl::signature::{Makes, Signature};
use dsl::sweep::forms::signatures;
use dsl::types::Kind;
use serde_json::json;

use super::unknown;
use crate::args::Plugins;
use crate::columns::aligned_within;
use crate::exit::{Abort, Exit};
use crate::session::checked;
use crate::terminal::Terminal;

pub fn run(args: &Plugins, terminal: &Terminal) -> Result<Exit, Abort> {
    if let Some(file) = args.name.as_ref().filter(|name| name.ends_with(".farcast")) {
        return declared(file, args.json, terminal);
    }
    let catalog = plugins::registry().catalog();
    // A word may be both, as `random` is.
    let forms = signatures();
    let all: Vec<&Signature> = catalog.iter().chain(&forms).collect();
    let chosen: Vec<&Signature> = match &args.name {
        None => all,
        Some(name) => match all.iter().copied().filter(|it| it.name == *name).collect() {
            chosen if !Vec::is_empty(&chosen) => chosen,
            _ => {
                let known = all.iter().map(|s| s.name.as_str());
                terminal.error(unknown("plugin", name, known));
                return Err(Abort::Usage);
            }
        },
    };
    if args.json {
        let list: Vec<_> = chosen
            .iter()
            .map(|signature| described(signature))
            .collect();
        terminal.answer(json!({ "plugins": list }));
    } else if args.name.is_some() {
        chosen
            .iter()
            .for_each(|s| terminal.page(plugins::reference::entry(s)));
    } else {
        terminal.out(listing(&chosen, terminal.width()));
    }
    Ok(Exit::Fine)
}

/// The plugins that a file and those it uses declare.
fn declared(file: &str, as_json: bool, terminal: &Terminal) -> Result<Exit, Abort> {
    let checked = checked(Path::new(file), &[], &plugins::registry(), terminal)?;
    let about_plugins = |diagnostic: &&Diagnostic| {
        matches!(
            diagnostic.code,
            Code::BadPlugin | Code::SyntaxError | Code::UnreadableFile
        )
    };
    let experiment = checked.experiment.or(checked.partial).unwrap_or_default();
    let found: Vec<Diagnostic> = checked
        .diagnostics
        .iter()
        .filter(about_plugins)
        .cloned()
        .collect();
    terminal.diagnostics(&found, &checked.sources);
    let signatures = experiment.plugins.iter().map(|plugin| &plugin.signature);
    if as_json {
        let list: Vec<_> = signatures.map(described).collect();
        terminal.answer(json!({ "plugins": list }));
    } else if experiment.plugins.is_empty() {
        terminal.say(format!("`{file}` declares no plugins"));
    } else {
        signatures.for_each(|signature| terminal.page(plugins::reference::entry(signature)));
    }
    match found.iter().any(Diagnostic::is_error) {
        true => Ok(Exit::Failed),
        false => Ok(Exit::Fine),
    }
}

fn described(signature: &Signature) -> serde_json::Value {
    let params: Vec<_> = signature
        .params
        .iter()
        .map(|param| {
            json!({
                "name": param.name, "type": param.ty.to_string(),
                "default": param.default, "doc": param.doc,
            })
        })
        .collect();
    json!({
        "name": signature.name, "kind": kind(signature), "version": signature.version,
        "doc": signature.doc, "params": params,
    })
}

fn kind(signature: &Signature) -> String {
    match &signature.makes {
        Makes::Kinds(kinds) => kinds.first().map_or("", |kind| kind.keyword()).to_owned(),
        Makes::Value(group) => group.clone(),
    }
}

fn listing(all: &[&Signature], width: Option<u16>) -> String {
    let mut text = String::new();
    let mut groups: Vec<String> = Kind::ALL.iter().map(|k| k.keyword().to_owned()).collect();
    for signature in all {
        if !groups.contains(&kind(signature)) {
            groups.push(kind(signature));
        }
    }
    for group in groups {
        let members: Vec<&&Signature> = all.iter().filter(|s| kind(s) == group).collect();
        if members.is_empty() {
            continue;
        }
        text.push_str(&format!("{group}\n"));
        let rows = members.into_iter().map(|signature| {
            let first = signature.doc.lines().next().unwrap_or_default();
            vec![format!("  {:13}", signature.name), first.to_owned()]
        });
        text.push_str(&aligned_within(&rows.collect::<Vec<_>>(), width));
    }
    text + "\nfarcast plugins NAME describes one.\n"
}
