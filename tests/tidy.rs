//! The tree keeps its own rules.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::imports::Crate;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut queue = vec![folder.to_owned()];
    while let Some(folder) = queue.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && name != "out" && !name.starts_with('.') {
                queue.push(path);
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

#[test]
fn every_source_file_says_what_it_is_for_and_is_short() {
    for path in files(root(), "rs") {
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("//!"),
            "{} does not open with `//!`",
            shown(&path)
        );
        let lines = text.lines().count();
        assert!(
            lines <= 800,
            "{} has {lines} lines: are there two nouns in it?",
            shown(&path)
        );
    }
}

#[test]
fn nothing_unfinished_is_left_behind() {
    let marks = [
        "todo!(",
        "unimplemented!(",
        "dbg!(",
        "#[ignore",
        "FIXME",
        "XXX",
    ];
    for path in files(root(), "rs") {
        if path.ends_with("tests/tidy.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for mark in marks {
            assert!(!text.contains(mark), "{} holds `{mark}`", shown(&path));
        }
    }
}

/// Each crate uses only what is left of it: `dsl ← engine ← plugins ← root`.
#[test]
fn dependencies_go_one_way() {
    let forbidden: [(&str, &[&str]); 3] = [
        (
            "dsl",
            &[
                "engine", "plugins", "polars", "dfdx", "std::fs", "std::net", "std::env",
            ],
        ),
        ("engine", &["plugins", "dfdx", "netcdf_reader", "faer"]),
        ("plugins", &["clap", "indicatif", "askama"]),
    ];
    for (folder, words) in forbidden {
        for path in files(&root().join(folder).join("src"), "rs") {
            for line in fs::read_to_string(&path).unwrap().lines() {
                let code = line.trim_start();
                if code.starts_with("//") {
                    continue;
                }
                for word in words {
                    let used = code.contains(&format!("{word}::"))
                        || code.starts_with(&format!("use {word};"));
                    assert!(!used, "{} uses `{word}`: {code}", shown(&path));
                }
            }
        }
    }
}

/// The circles of imports that are left, by crate, each as the modules in it. A new circle, or a
/// new module in an old one, fails the test; this list only shrinks.
const CIRCLES: [(&str, &[&str]); 4] = [
    (
        "dsl/src",
        &[
            "check::checker check::columns check::describe check::params check::sweep check::sweep::form check::sweep::objective check::value",
            "experiment sweep sweep::search sweep::space",
        ],
    ),
    (
        "engine/src",
        &["params params::inputs params::replay params::signature"],
    ),
    (
        "plugins/src",
        &[
            "networks::dfdx networks::dfdx::encoder",
            "predictors predictors::columns predictors::eof predictors::expr predictors::lag predictors::neighbourhood predictors::season predictors::support::foreign predictors::support::matrix predictors::table",
            "parents recipes recipes::recipe recipes::run",
            "regressions regressions::support::evidence regressions::support::fit",
        ],
    ),
    ("src", &[]),
];

#[test]
fn imports_go_in_no_new_circle() {
    let mut new = Vec::new();
    for (source, allowed) in CIRCLES {
        let modules = Crate::read(&root().join(source));
        for circle in [modules.circles(), modules.circles_of_folders()].concat() {
            let is_within = |line: &&str| {
                let known: Vec<&str> = line.split(' ').collect();
                circle.split(' ').all(|module| known.contains(&module))
            };
            if !allowed.iter().any(is_within) {
                new.push(format!("{source}: {circle}"));
            }
        }
    }
    assert!(
        new.is_empty(),
        "these modules import each other in a circle:\n{}",
        new.join("\n")
    );
}

/// A name that a reader meets in one file means the same in the next.
#[test]
fn private_types_share_no_name_within_a_crate() {
    for folder in ["dsl/src", "engine/src", "plugins/src", "src"] {
        let mut homes: BTreeMap<String, Vec<(String, bool)>> = BTreeMap::new();
        for path in files(&root().join(folder), "rs") {
            if path.ends_with("tests.rs") {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or(&text);
            for (name, is_private) in code.lines().filter_map(declared_type) {
                homes
                    .entry(name)
                    .or_default()
                    .push((shown(&path), is_private));
            }
        }
        for (name, homes) in homes {
            let is_alone = homes.len() == 1 || homes.iter().all(|(_, is_private)| !is_private);
            assert!(
                is_alone,
                "more than one type `{name}` in {folder}: {homes:?}"
            );
        }
    }
}

/// The type that a line at the top of a module declares, and whether it is private to it.
fn declared_type(line: &str) -> Option<(String, bool)> {
    let (is_private, rest) = match line.split_once(' ') {
        Some((word, rest)) if word.starts_with("pub") => (false, rest),
        _ => (true, line),
    };
    let mut words = ["struct ", "enum ", "trait ", "type "].into_iter();
    let rest = words.find_map(|word| rest.strip_prefix(word))?;
    let name = rest
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()?;
    Some((name.to_owned(), is_private))
}

/// Plugins read files through their context alone, which notices those that change meanwhile.
#[test]
fn plugins_open_no_files_themselves() {
    let words = ["std::fs", "File::open", "with_file_path", "memmap", "Mmap"];
    let own = ["TensorFile::open(", "CfFile::open("];
    for path in files(&root().join("plugins/src"), "rs") {
        if shown(&path).ends_with("tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let code = own
            .iter()
            .fold(code.to_owned(), |code, own| code.replace(own, ""));
        for word in words {
            assert!(!code.contains(word), "{} uses `{word}`", shown(&path));
        }
    }
}

#[test]
fn foreign_crates_have_one_home() {
    let homes = [
        ("pest::", "dsl/src/parse"),
        ("pest_derive::", "dsl/src/parse"),
        ("annotate_snippets::", "dsl/src/render"),
        ("dfdx::", "plugins/src/networks/dfdx"),
        ("netcdf_reader::", "plugins/src/data"),
        ("hdf5_reader::", "plugins/src/data"),
        ("askama::", "engine/src/report"),
        ("indicatif::", "src/progress.rs"),
        ("comfy_table::", "src/scores.rs"),
        (
            "toml::",
            "src/config.rs src/config/ engine/src/bundle/open.rs engine/src/foreign/manifest.rs engine/src/packages/ engine/src/store/locate.rs",
        ),
        ("clap_mangen::", "src/commands/docs.rs"),
        ("object_store::", "engine/src/remote/bucket.rs"),
        ("tokio::", "engine/src/remote/bucket.rs"),
        ("rustls::", "engine/src/remote/bucket.rs"),
    ];
    for path in files(root(), "rs") {
        let text = fs::read_to_string(&path).unwrap();
        for (name, home) in homes {
            let used = text
                .lines()
                .any(|line| line.trim_start().starts_with(&format!("use {name}")));
            assert!(
                !used || home.split(' ').any(|home| shown(&path).starts_with(home)),
                "{} uses {name}",
                shown(&path)
            );
        }
    }
}

#[test]
fn the_reference_is_what_the_declarations_say() {
    let committed = fs::read_to_string(root().join("docs/reference.md")).unwrap();
    assert!(
        committed == plugins::reference::page(),
        "docs/reference.md is stale: run `cargo run --release -- docs > docs/reference.md`"
    );
}

#[test]
fn every_plugin_file_is_in_its_list() {
    let source = root().join("plugins/src");
    let registry = plugins::registry();
    for path in files(&source, "rs") {
        let text = fs::read_to_string(&path).unwrap();
        for (at, _) in text.match_indices("\" version ") {
            let name = text[..at].rsplit('"').next().unwrap();
            assert!(
                registry.get(name).is_some(),
                "`{name}` of {} is in no list",
                shown(&path)
            );
        }
    }
}

/// Listing the folder of a kind lists its plugins; what they share is in `support/`.
#[test]
fn beside_mod_are_plugins_alone() {
    let kinds = [
        "anomalies",
        "children",
        "data",
        "farcasts",
        "parents",
        "predictors",
        "regressions",
        "reports",
        "scores",
        "subsets",
        "trajectories",
    ];
    for kind in kinds {
        let folder = root().join("plugins/src").join(kind);
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() {
                let own = path.with_extension("rs").exists();
                assert!(
                    own || name == "support",
                    "{} is not a plugin's",
                    shown(&path)
                );
            } else if !["mod.rs", "tests.rs"].contains(&name) {
                let text = fs::read_to_string(&path).unwrap();
                assert!(
                    text.contains("\" version "),
                    "{} declares no plugin: move it to support/",
                    shown(&path)
                );
            }
        }
    }
}

#[test]
fn architecture_is_short() {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    assert!(text.lines().count() <= 250);
}

#[test]
fn shipped_experiments_are_canonical() {
    for path in files(&root().join("experiments"), "farcast") {
        let text = fs::read_to_string(&path).unwrap();
        let formatted = dsl::format::format(&text).unwrap_or_default();
        assert!(text == formatted, "run `farcast fmt {}`", shown(&path));
    }
}
