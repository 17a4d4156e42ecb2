//! `farcast plugins`: lists the plugins, or describes one.

use dsl::signature::{Catalog, Makes, Signature};
use dsl::types::Kind;
use serde_json::json;

use super::unknown;
use crate::args::Plugins;
use crate::exit::{Abort, Exit};
use crate::terminal::Terminal;

pub fn run(args: &Plugins, terminal: &Terminal) -> Result<Exit, Abort> {
    let catalog = plugins::registry().catalog();
    let chosen: Vec<&Signature> = match &args.name {
        None => catalog.iter().collect(),
        Some(name) => match catalog.get(name) {
            Some(signature) => vec![signature],
            None => {
                let known = catalog.iter().map(|s| s.name.as_str());
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
            .for_each(|s| terminal.out(plugins::reference::entry(s)));
    } else {
        terminal.out(listing(&catalog));
    }
    Ok(Exit::Fine)
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

fn listing(catalog: &Catalog) -> String {
    let mut text = String::new();
    let mut groups: Vec<String> = Kind::ALL.iter().map(|k| k.keyword().to_owned()).collect();
    for signature in catalog.iter() {
        if !groups.contains(&kind(signature)) {
            groups.push(kind(signature));
        }
    }
    for group in groups {
        let members: Vec<&Signature> = catalog.iter().filter(|s| kind(s) == group).collect();
        if members.is_empty() {
            continue;
        }
        text.push_str(&format!("{group}\n"));
        for signature in members {
            let first = signature.doc.lines().next().unwrap_or_default();
            text.push_str(&format!("  {:14} {first}\n", signature.name));
        }
    }
    text + "\nfarcast plugins NAME describes one.\n"
}
