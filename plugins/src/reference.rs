//! The reference of all plugins as Markdown, made from their declarations.

use dsl::column::FUNCTIONS;
use dsl::signature::{Makes, Param, Signature};
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
    for kind in Kind::ALL {
        let members: Vec<&Signature> = catalog
            .iter()
            .filter(|s| matches!(&s.makes, Makes::Kinds(kinds) if kinds.first() == Some(&kind)))
            .collect();
        if !members.is_empty() {
            text.push_str(&format!("\n## {kind}\n"));
            members
                .iter()
                .for_each(|signature| text.push_str(&entry(signature)));
        }
    }
    let mut groups: Vec<&str> = Vec::new();
    for signature in catalog.iter() {
        if let Makes::Value(group) = &signature.makes
            && !groups.contains(&group.as_str())
        {
            groups.push(group);
        }
    }
    for group in groups {
        text.push_str(&format!("\n## {group}\n"));
        catalog
            .iter()
            .filter(|s| matches!(&s.makes, Makes::Value(name) if name == group))
            .for_each(|signature| text.push_str(&entry(signature)));
    }
    text.push_str(&sweeps());
    text.push_str("\n## Functions of columns\n\n| function | gives |\n|---|---|\n");
    for function in FUNCTIONS {
        let takes: Vec<&str> = function.takes.iter().map(|(name, _)| *name).collect();
        let usage = format!("{}({})", function.name, takes.join(", "));
        text.push_str(&format!("| `{usage}` | {} |\n", function.doc));
    }
    text
}

/// What may be written in a sweep. The forms are no plugins, and `random` is both.
fn sweeps() -> String {
    let mut text = String::from("\n## Sweeps\n\n[sweeps.md](sweeps.md) says how to use them.\n");
    for signature in signatures() {
        text.push_str(&entry(&signature));
    }
    text
}

/// All about one plugin.
pub fn entry(signature: &Signature) -> String {
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
        text.push_str(&format!(
            "| `{}` | {} | {} | {} |\n",
            param.name,
            type_of(param).replace('|', "\\|"),
            default_of(param),
            param.doc.replace('\n', " ").replace('|', "\\|"),
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
