//! What a bundle says of itself to others: RO-Crate metadata and a citation file.
//!
//! With a run, a Provenance Run Crate 0.5 (Leo et al. 2024, doi 10.1371/journal.pone.0309210): the
//! experiment is the workflow, its plugins are the tools, and each statement is a step. Without one,
//! a Workflow RO-Crate 1.0.

use std::collections::BTreeSet;

use dsl::experiment::Metadata;
use serde_json::{Value, json};

use super::{METADATA, Manifest, OBJECTS};
use crate::record::{RunRecord, StatementCost, time};

const CONTEXT: &str = "https://w3id.org/ro/crate/1.1/context";
const WORKFLOW: &str = "https://w3id.org/workflowhub/workflow-ro-crate/1.0";
const RUN_PROFILES: [&str; 3] = [
    "https://w3id.org/ro/wfrun/process/0.5",
    "https://w3id.org/ro/wfrun/workflow/0.5",
    "https://w3id.org/ro/wfrun/provenance/0.5",
];
const LANGUAGE: &str = "https://github.com/farcast/farcast";
/// The day of a bundle without a run: its bytes must not depend on the clock.
const NO_DAY: &str = "1980-01-01";

/// `ro-crate-metadata.json`.
pub fn metadata(manifest: &Manifest, run: Option<&RunRecord>) -> String {
    let mut graph = vec![
        json!({
            "@id": METADATA, "@type": "CreativeWork", "about": { "@id": "./" },
            "conformsTo": [{ "@id": "https://w3id.org/ro/crate/1.1" }, { "@id": WORKFLOW }],
        }),
        root(manifest, run),
        workflow(manifest, run),
        json!({
            "@id": LANGUAGE, "@type": "ComputerLanguage", "name": "farcast", "url": LANGUAGE,
            "version": manifest.farcast,
        }),
        license(manifest),
    ];
    graph.extend(people(manifest));
    graph.extend(files(manifest));
    let mut profiles = vec![WORKFLOW];
    if let Some(run) = run {
        profiles.extend(RUN_PROFILES);
        graph.extend(provenance(manifest, run));
    }
    let profile = |id| json!({ "@id": id, "@type": "CreativeWork", "name": name_of(id), "version": version_of(id) });
    graph.extend(profiles.into_iter().map(profile));
    let json = json!({ "@context": CONTEXT, "@graph": graph });
    format!("{json:#}\n")
}

fn name_of(profile: &str) -> &'static str {
    match profile.rsplit('/').nth(1) {
        Some("process") => "Process Run Crate",
        Some("workflow") => "Workflow Run Crate",
        Some("provenance") => "Provenance Run Crate",
        _ => "Workflow RO-Crate",
    }
}

fn version_of(profile: &str) -> &str {
    profile.rsplit('/').next().unwrap_or_default()
}

fn ids<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Vec<Value> {
    let names = names.into_iter();
    names.map(|name| json!({ "@id": name.as_ref() })).collect()
}

/// An address may not contain blanks and some other characters.
fn address(name: &str) -> String {
    let mut address = String::new();
    for c in name.chars() {
        match c {
            ' ' | '"' | '<' | '>' | '`' | '{' | '}' | '^' | '%' | '#' | '[' | ']' => {
                address += &format!("%{:02X}", c as u32);
            }
            c => address.push(c),
        }
    }
    address
}

fn title(manifest: &Manifest) -> &str {
    match manifest.title.as_str() {
        "" => "An experiment on the weights of neural networks",
        title => title,
    }
}

/// The terms, as an address where they are among the usual ones.
fn license(manifest: &Manifest) -> Value {
    let named = &manifest.metadata.license;
    match (named.as_str(), is_spdx(named)) {
        ("", _) => json!({
            "@id": "#license", "@type": "CreativeWork", "name": "license not stated",
            "description": "Ask the authors of the experiment before you use it.",
        }),
        (_, true) => json!({
            "@id": license_id(manifest), "@type": "CreativeWork", "name": named,
            "identifier": named, "url": license_id(manifest),
        }),
        (_, false) => json!({
            "@id": "#license", "@type": "CreativeWork", "name": named,
            "description": "The terms, in the words of the authors.",
        }),
    }
}

fn license_id(manifest: &Manifest) -> String {
    let named = &manifest.metadata.license;
    match is_spdx(named) {
        true => format!("https://spdx.org/licenses/{named}"),
        false => "#license".to_owned(),
    }
}

/// Whether a license is one of those that are usual for data and texts, by its SPDX identifier.
fn is_spdx(name: &str) -> bool {
    SPDX.contains(&name)
}

const SPDX: &[&str] = &[
    "0BSD",
    "AGPL-3.0-only",
    "AGPL-3.0-or-later",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC-BY-3.0",
    "CC-BY-4.0",
    "CC-BY-NC-4.0",
    "CC-BY-NC-ND-4.0",
    "CC-BY-NC-SA-4.0",
    "CC-BY-ND-4.0",
    "CC-BY-SA-3.0",
    "CC-BY-SA-4.0",
    "CC0-1.0",
    "EUPL-1.2",
    "GPL-2.0-only",
    "GPL-2.0-or-later",
    "GPL-3.0-only",
    "GPL-3.0-or-later",
    "ISC",
    "LGPL-3.0-only",
    "LGPL-3.0-or-later",
    "MIT",
    "MPL-2.0",
    "ODC-By-1.0",
    "ODbL-1.0",
    "PDDL-1.0",
    "Unlicense",
];

fn person_id(at: usize) -> String {
    format!("#author-{}", at + 1)
}

fn people(manifest: &Manifest) -> Vec<Value> {
    let authors = manifest.metadata.authors.iter().enumerate();
    authors
        .map(|(at, name)| json!({ "@id": person_id(at), "@type": "Person", "name": name }))
        .collect()
}

fn root(manifest: &Manifest, run: Option<&RunRecord>) -> Value {
    let parts = manifest.files.keys().filter(|name| !is_object(name));
    let profiles = match run {
        Some(_) => ids([&RUN_PROFILES[..], &[WORKFLOW]].concat()),
        None => ids([WORKFLOW]),
    };
    let day = run.map_or(NO_DAY.to_owned(), |run| {
        time(run.when / 1000)[..10].to_owned()
    });
    let mut root = json!({
        "@id": "./", "@type": "Dataset", "name": title(manifest),
        "description": format!(
            "An experiment of farcast, with what it needs: `farcast open` unpacks and verifies it. {}",
            match manifest.metadata.about.as_str() {
                "" => title(manifest),
                about => about,
            },
        ),
        "datePublished": day, "license": { "@id": license_id(manifest) },
        "conformsTo": profiles,
        "mainEntity": { "@id": address(&manifest.file) },
        "hasPart": ids(parts.map(|name| address(name))),
    });
    let said = &manifest.metadata;
    if !said.authors.is_empty() {
        root["author"] = json!(ids((0..said.authors.len()).map(person_id)));
    }
    if !said.cite.is_empty() {
        root["creditText"] = json!(said.cite);
    }
    if run.is_some() {
        root["mentions"] = json!([{ "@id": "#run" }, { "@id": "#farcast" }]);
    }
    if manifest.results > 0 {
        root["hasPart"]
            .as_array_mut()
            .into_iter()
            .for_each(|parts| {
                parts.push(json!({ "@id": "results/objects/" }));
            });
    }
    root
}

/// Objects are too many to be listed one by one; `bundle.json` does.
fn is_object(name: &str) -> bool {
    name.starts_with(OBJECTS)
}

fn workflow(manifest: &Manifest, run: Option<&RunRecord>) -> Value {
    let mut workflow = json!({
        "@id": address(&manifest.file),
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
        "name": title(manifest), "programmingLanguage": { "@id": LANGUAGE },
        "encodingFormat": "text/plain",
    });
    if let Some(run) = run {
        workflow["@type"] = json!([
            "File",
            "SoftwareSourceCode",
            "ComputationalWorkflow",
            "HowTo"
        ]);
        let steps = run.costs.iter().map(step_id);
        workflow["step"] = json!(ids(steps));
        workflow["hasPart"] = json!(ids(plugins(run).iter().map(|name| tool_id(name))));
        let data = data_files(manifest);
        workflow["input"] = json!(ids(data.iter().map(|name| parameter_id(name))));
        workflow["output"] = json!([{ "@id": "#scores" }]);
    }
    workflow
}

fn data_files(manifest: &Manifest) -> Vec<&str> {
    let files = manifest
        .files
        .keys()
        .filter(|name| name.starts_with("experiment/"));
    let data = files.filter(|name| !name.ends_with(".farcast"));
    data.map(String::as_str).collect()
}

fn files(manifest: &Manifest) -> Vec<Value> {
    let mut described = Vec::new();
    for (name, entry) in &manifest.files {
        if *name == manifest.file || is_object(name) || name == METADATA {
            continue;
        }
        described.push(json!({
            "@id": address(name), "@type": "File", "name": name, "contentSize": entry.size.to_string(),
            "encodingFormat": format_of(name), "identifier": format!("blake3:{}", entry.digest),
        }));
    }
    if manifest.results > 0 {
        described.push(json!({
            "@id": "results/objects/", "@type": "Dataset", "name": "stored results",
            "description": "The bytes of results, each named by its blake3 digest.",
        }));
    }
    described
}

fn format_of(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("json") => "application/json",
        Some("jsonl") => "application/jsonl",
        Some("csv") => "text/csv",
        Some("html") => "text/html",
        Some("parquet") => "application/vnd.apache.parquet",
        Some("nc") => "application/x-netcdf",
        Some("cff" | "toml" | "farcast") => "text/plain",
        _ => "application/octet-stream",
    }
}

fn plugins(run: &RunRecord) -> BTreeSet<&str> {
    run.costs.iter().map(|cost| &*cost.plugin).collect()
}

fn step_id(cost: &StatementCost) -> String {
    format!("#step/{}", address(&cost.statement))
}

fn tool_id(plugin: &str) -> String {
    format!("#plugin/{}", address(plugin))
}

fn parameter_id(file: &str) -> String {
    format!("#input/{}", address(file))
}

/// The run, its steps, and who organised them.
fn provenance(manifest: &Manifest, run: &RunRecord) -> Vec<Value> {
    let ended = iso(run.when);
    let started = iso(run.when.saturating_sub((run.seconds * 1e3) as u64));
    let data = data_files(manifest);
    let results: Vec<&str> = ["scores.csv", "scores.parquet", "report.html"]
        .into_iter()
        .filter(|name| manifest.files.contains_key(*name))
        .collect();
    let status = match run.ok {
        true => "http://schema.org/CompletedActionStatus",
        false => "http://schema.org/FailedActionStatus",
    };
    let mut graph = vec![json!({
        "@id": "#run", "@type": "CreateAction", "name": format!("a run of {}", title(manifest)),
        "instrument": { "@id": address(&manifest.file) }, "startTime": started, "endTime": ended,
        "actionStatus": status, "object": ids(data.iter().map(|name| address(name))),
        "result": ids(results.iter().map(|name| address(name))),
    })];
    let controls = run
        .costs
        .iter()
        .map(|cost| format!("#control/{}", address(&cost.statement)));
    graph.push(json!({
        "@id": "#organise", "@type": "OrganizeAction", "name": "farcast runs the experiment",
        "instrument": { "@id": "#farcast" }, "object": ids(controls),
        "result": { "@id": "#run" }, "startTime": started, "endTime": ended,
    }));
    graph.push(json!({
        "@id": "#farcast", "@type": "SoftwareApplication", "name": "farcast",
        "softwareVersion": run.farcast, "url": LANGUAGE,
    }));
    graph.push(json!({
        "@id": "#scores", "@type": "FormalParameter", "name": "scores", "additionalType": "File",
        "conformsTo": { "@id": "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE" },
    }));
    for name in &data {
        graph.push(json!({
            "@id": parameter_id(name), "@type": "FormalParameter", "name": name,
            "additionalType": "File", "workExample": { "@id": address(name) },
            "conformsTo": { "@id": "https://bioschemas.org/profiles/FormalParameter/1.0-RELEASE" },
        }));
    }
    for plugin in plugins(run) {
        let version = run.plugins.get(plugin).copied().unwrap_or_default();
        graph.push(json!({
            "@id": tool_id(plugin), "@type": "SoftwareApplication", "name": plugin,
            "softwareVersion": version.to_string(), "url": LANGUAGE,
        }));
    }
    for (at, cost) in run.costs.iter().enumerate() {
        let action = format!("#action/{}", address(&cost.statement));
        graph.push(json!({
            "@id": step_id(cost), "@type": "HowToStep", "position": at.to_string(),
            "name": cost.statement, "workExample": { "@id": tool_id(&cost.plugin) },
        }));
        graph.push(json!({
            "@id": format!("#control/{}", address(&cost.statement)), "@type": "ControlAction",
            "name": format!("farcast runs `{}`", cost.statement),
            "instrument": { "@id": step_id(cost) }, "object": [{ "@id": action }],
        }));
        graph.push(json!({
            "@id": action, "@type": "CreateAction", "name": cost.statement,
            "instrument": { "@id": tool_id(&cost.plugin) }, "endTime": ended,
            "description": format!("{} actions, {:.3} s", cost.actions, cost.seconds),
        }));
    }
    graph
}

fn iso(millis: u64) -> String {
    format!("{}Z", time(millis / 1000).replace(' ', "T"))
}

/// `CITATION.cff` of the experiment.
pub fn citation(title: &str, said: &Metadata, run: Option<&RunRecord>) -> String {
    let title = match title {
        "" => "An experiment on the weights of neural networks",
        title => title,
    };
    // A JSON text is a YAML text, too.
    let quoted = |text: &str| json!(text).to_string();
    let mut lines = vec![
        "cff-version: 1.2.0".to_owned(),
        match (said.doi(), said.cite.as_str()) {
            (None, cite) if !cite.is_empty() => {
                format!("message: {}", quoted(&format!("Please cite {cite}")))
            }
            _ => "message: Please cite this experiment, and its authors.".to_owned(),
        },
        "type: dataset".to_owned(),
        format!("title: {}", quoted(title)),
        "authors:".to_owned(),
    ];
    match said.authors.as_slice() {
        [] => lines.push("  - name: The authors of the experiment".to_owned()),
        authors => lines.extend(
            authors
                .iter()
                .map(|name| format!("  - name: {}", quoted(name))),
        ),
    }
    if !said.about.is_empty() {
        lines.push(format!("abstract: {}", quoted(&said.about)));
    }
    // The schema of the file knows SPDX identifiers and no other terms.
    if is_spdx(&said.license) {
        lines.push(format!("license: {}", said.license));
    }
    if let Some(doi) = said.doi() {
        lines.push(format!("doi: {}", quoted(doi)));
    } else if let Some(link) = said.link() {
        lines.push(format!("url: {}", quoted(&link)));
    }
    if let Some(run) = run {
        lines.push(format!("date-released: {}", &time(run.when / 1000)[..10]));
    }
    let version = env!("CARGO_PKG_VERSION");
    lines.push(format!(
        "references:\n  - type: software\n    title: farcast\n    version: {version}\n    \
         authors:\n      - name: The farcast developers\n    repository-code: {LANGUAGE}\n"
    ));
    lines.join("\n")
}
