//! The reference of all plugins as Markdown, made from their declarations.

use std::collections::BTreeMap;

use dsl::column::FUNCTIONS;
use dsl::signature::{Catalog, Makes, Param, Signature};
use dsl::sweep::forms::signatures;
use dsl::types::Kind;

/// The experiment that the examples in the documentation of plugins go on from.
pub const PRELUDE: &str = "\
data all = synthetic(regime, rows: 400, slope: 2)
data seen = where(all, z <= 0.6)
data unseen = where(all, z > 0.6)
parent net = mlp(seen, inputs: [x], target: y, hidden: [4], epochs: 2, members: 2)
subset near = window(seen, by: z, count: 8, size: 40)
anomaly shift = finetune(net, near, steps: 4)
trajectory walk = finetune(net, near, from: previous, steps: 4)
predictor regime = columns(z)
regression drift = polynomial(shift, regime, degree: 1)
child adapted = apply(drift, unseen)
score skill = compare(net, adapted, on: unseen, by: z)
";

/// A parameter that this many plugins share, with one documentation, is described once.
const SHARED: usize = 4;

/// The whole reference page.
pub fn page() -> String {
    let catalog = crate::registry().catalog();
    let mut text = String::from(
        "# Reference\n\n\
         Generated from the declarations by `farcast docs`; a test says when it is stale.\n",
    );
    text.push_str(&format!(
        "\nThe examples, all of them run by a test, go on from these statements:\n\n\
         ```farcast\n{PRELUDE}```\n"
    ));
    let sections = sections(&catalog);
    let forms = signatures();
    let all = sections
        .iter()
        .flat_map(|(_, members)| members.iter().copied());
    let shared = shared(all);
    text.push_str(&index(&sections, &forms));
    text.push_str(&common(&shared));
    for (heading, members) in &sections {
        text.push_str(&format!("\n## {heading}\n"));
        for signature in members {
            text.push_str(&described(signature, &shared));
        }
    }
    text.push_str("\n## Sweeps\n\n[sweeps.md](sweeps.md) says how to use them.\n");
    // The forms are not plugins, and `random` is both.
    forms.iter().for_each(|form| text.push_str(&entry(form)));
    text.push_str("\n## Functions of columns\n\n| function | returns |\n|---|---|\n");
    for function in FUNCTIONS {
        let takes: Vec<&str> = function.takes.iter().map(|(name, _)| *name).collect();
        let usage = format!("{}({})", function.name, takes.join(", "));
        text.push_str(&format!("| `{usage}` | {} |\n", function.doc));
    }
    text
}

/// The plugins of each kind, then the constructors of each group.
fn sections(catalog: &Catalog) -> Vec<(String, Vec<&Signature>)> {
    let mut sections: Vec<(String, Vec<&Signature>)> = Vec::new();
    for kind in Kind::ALL {
        let is_of = |s: &&Signature| matches!(&s.makes, Makes::Kinds(kinds) if kinds.first() == Some(&kind));
        sections.push((kind.to_string(), catalog.iter().filter(is_of).collect()));
    }
    for signature in catalog.iter() {
        let Makes::Value(group) = &signature.makes else {
            continue;
        };
        match sections.iter_mut().find(|(heading, _)| heading == group) {
            Some((_, members)) => members.push(signature),
            None => sections.push((group.clone(), vec![signature])),
        }
    }
    sections.retain(|(_, members)| !members.is_empty());
    sections
}

/// One line for each plugin.
fn index(sections: &[(String, Vec<&Signature>)], forms: &[Signature]) -> String {
    let mut text = String::from("\n## Index\n");
    let forms: Vec<&Signature> = forms.iter().collect();
    let mut taken = BTreeMap::new();
    for (heading, members) in sections.iter().chain([&("Sweeps".to_owned(), forms)]) {
        text.push_str(&format!("\n| {heading} | |\n|---|---|\n"));
        for signature in members {
            let first = signature.doc.lines().next().unwrap_or_default();
            let anchor = match taken.entry(signature.name.as_str()).or_insert(0) {
                0 => signature.name.clone(),
                count => format!("{}-{count}", signature.name),
            };
            *taken.entry(signature.name.as_str()).or_insert(0) += 1;
            let first = first.replace('|', "\\|");
            text.push_str(&format!(
                "| [`{}`](#{anchor}) | {first} |\n",
                signature.name
            ));
        }
    }
    text
}

/// The name and documentation of parameters that many plugins have, with one of them.
type Shared<'a> = BTreeMap<(&'a str, &'a str), (usize, &'a Param)>;

fn shared<'a>(signatures: impl Iterator<Item = &'a Signature>) -> Shared<'a> {
    let mut shared = Shared::new();
    for param in signatures.flat_map(|signature| &signature.params) {
        let known = shared.entry((&*param.name, &*param.doc));
        known.or_insert((0, param)).0 += 1;
    }
    // What is as short as a link needs none.
    shared.retain(|(_, doc), (count, _)| *count >= SHARED && doc.len() > 30);
    shared
}

/// The parameters that many plugins have.
fn common(shared: &Shared) -> String {
    let mut text = String::from(
        "\n## Common parameters\n\nMany plugins have these; their tables give the default and \
         point here.\n\n| parameter | type | |\n|---|---|---|\n",
    );
    for (_, param) in shared.values() {
        text.push_str(&format!(
            "| `{}` | {} | {} |\n",
            param.name,
            type_of(param).replace('|', "\\|"),
            param.doc.replace('\n', " ").replace('|', "\\|"),
        ));
    }
    text
}

/// All about one plugin.
pub fn entry(signature: &Signature) -> String {
    described(signature, &Shared::new())
}

/// The same, which points to what is described elsewhere.
fn described(signature: &Signature, shared: &Shared) -> String {
    let mut text = format!("\n### {}\n\n", signature.name);
    text.push_str(&format!(
        "```text\n{}\n```\n\n{}\n",
        usage(signature),
        signature.doc
    ));
    if !signature.params.is_empty() {
        text.push_str("\n| parameter | type | default | |\n|---|---|---|---|\n");
    }
    for param in &signature.params {
        let doc = match shared.contains_key(&(&*param.name, &*param.doc)) {
            true => "[common](#common-parameters)".to_owned(),
            false => param.doc.replace('\n', " ").replace('|', "\\|"),
        };
        text.push_str(&format!(
            "| `{}` | {} | {} | {doc} |\n",
            param.name,
            type_of(param).replace('|', "\\|"),
            default_of(param),
        ));
    }
    text
}

/// One line: `window(data, by, [count]) -> subset`.
pub fn usage(signature: &Signature) -> String {
    let params: Vec<String> = signature
        .params
        .iter()
        .map(|param| match () {
            () if param.definitions => "name = formula, …".to_owned(),
            () if param.variadic => format!("{}, …", param.name),
            () if is_required(param) => param.name.clone(),
            () => format!("[{}]", param.name),
        })
        .collect();
    let makes = match &signature.makes {
        Makes::Kinds(kinds) => kinds
            .iter()
            .map(|k| k.keyword())
            .collect::<Vec<_>>()
            .join(" or "),
        Makes::Value(group) => group.clone(),
    };
    format!("{}({}) -> {makes}", signature.name, params.join(", "))
}

fn is_required(param: &Param) -> bool {
    param.default.is_none() && !param.optional && !param.definitions
}

fn type_of(param: &Param) -> String {
    match &param.range {
        Some(range) => format!("{} in `{range}`", param.ty),
        None => param.ty.to_string(),
    }
}

fn default_of(param: &Param) -> String {
    match &param.default {
        Some(default) => format!("`{default}`"),
        None if is_required(param) => "required".to_owned(),
        None => "none".to_owned(),
    }
}
