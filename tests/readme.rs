//! What the README says is so.

use std::fs;

use crate::farcast::{Folder, shipped};

fn readme() -> String {
    fs::read_to_string(shipped("README.md")).unwrap()
}

/// The fenced blocks of a language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    text.split("```")
        .filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn its_experiment_runs_and_its_commands_are_fine() {
    let text = readme();
    let experiments = blocks(&text, "farcast");
    assert_eq!(experiments.len(), 1);
    let folder = Folder::new();
    folder.write("storms.farcast", &experiments[0]);
    let commands = blocks(&text, "sh").concat();
    let mut ran = 0;
    for line in commands
        .lines()
        .filter_map(|line| line.strip_prefix("farcast "))
    {
        let line = line.split(" #").next().unwrap();
        let args: Vec<&str> = line.split_whitespace().collect();
        let said = folder.farcast(&args);
        assert_eq!(said.code, 0, "farcast {line}: {said:?}");
        ran += 1;
    }
    assert_eq!(ran, 4);
}

#[test]
fn its_experiment_is_the_starter_without_comments() {
    let bare = |text: &str| -> String {
        let kept = text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty());
        kept.collect::<Vec<_>>().join("\n")
    };
    let starter = fs::read_to_string(shipped("experiments/smoke/starter.farcast")).unwrap();
    assert_eq!(bare(&blocks(&readme(), "farcast")[0]), bare(&starter));
}

#[test]
fn its_two_commands_are_those_of_the_ci() {
    let ci = fs::read_to_string(shipped(".ci/run")).unwrap();
    let two = blocks(&readme(), "sh")[0].clone();
    assert_eq!(two.lines().count(), 2);
    assert!(ci.contains(two.lines().nth(1).unwrap()));
}

#[test]
fn its_mistake_is_what_check_says() {
    let folder = Folder::new();
    let text = fs::read_to_string(shipped("experiments/smoke/starter.farcast")).unwrap();
    folder.write(
        "storms.farcast",
        text.replace("by: z, count", "by: zz, count"),
    );
    let said = folder.farcast(&["check", "storms.farcast"]);
    let shown = blocks(&readme(), "text")[0].clone();
    assert!(said.err.starts_with(&shown), "{}", said.err);
}

#[test]
fn the_blocks_of_the_language_page_are_fine() {
    let text = fs::read_to_string(shipped("docs/language.md")).unwrap();
    let blocks = blocks(&text, "farcast");
    assert_eq!(blocks.len(), 7);
    let folder = Folder::new();
    let data = shipped("experiments/data").to_str().unwrap().to_owned();
    let testdata = shipped("plugins/testdata").to_str().unwrap().to_owned();
    for block in blocks {
        let block = block.replace("../experiments/data", &data);
        let block = block.replace("../plugins/testdata", &testdata);
        folder.write("block.farcast", &block);
        let said = folder.farcast(&["check", "block.farcast"]);
        assert_eq!(said.code, 0, "{block}\n{}", said.err);
    }
}

/// What the page about weights calls `net`, `tuned` and so on; a block has its own of some.
const WEIGHTS: &str = "\
param lambda: Float = 0.5
data all = synthetic(regime, rows: 400, slope: 2)
data seen = where(all, z <= 0.6)
data later = where(all, z > 0.4)
data unseen = where(all, z > 0.6)
parent net = mlp(seen, inputs: [x], target: y, hidden: [16], epochs: 2)
parent a = mlp(later, inputs: [x], target: y, hidden: [16], steps: 4, start: net)
parent b = mlp(later, inputs: [x], target: y, hidden: [16], steps: 8, start: net)
parent tuned = mlp(later, inputs: [x], target: y, hidden: [16], steps: 2, start: net)
trajectory walk = record(net, every: 4 steps)
weights first = pick(walk, step == 0)
";

/// A file of tensors of these shapes, all zero.
fn tensors(shapes: &[(&str, &[usize])]) -> Vec<u8> {
    let mut end = 0;
    let described = shapes.iter().map(|(name, shape)| {
        let start = end;
        end += 4 * shape.iter().product::<usize>();
        format!(
            "\"{name}\":{{\"dtype\":\"F32\",\"shape\":{shape:?},\"data_offsets\":[{start},{end}]}}"
        )
    });
    let header = format!("{{{}}}", described.collect::<Vec<_>>().join(","));
    let length = (header.len() as u64).to_le_bytes();
    [&length[..], header.as_bytes(), &vec![0; end]].concat()
}

#[test]
fn the_blocks_of_the_weights_page_are_fine() {
    let text = fs::read_to_string(shipped("docs/weights.md")).unwrap();
    let blocks_of_weights = blocks(&text, "farcast");
    assert_eq!(blocks_of_weights.len(), 10);
    let folder = Folder::new();
    // The tensors that the permutations of the page name.
    let model: [(&str, &[usize]); 6] = [
        ("conv.weight", &[2, 1, 3, 3]),
        ("conv.bias", &[2]),
        ("fc1.weight", &[3, 98]),
        ("fc1.bias", &[3]),
        ("fc2.weight", &[4, 3]),
        ("fc2.bias", &[4]),
    ];
    for name in [
        "hub/base",
        "hub/chat",
        "hub/one",
        "hub/other",
        "zoo/one",
        "zoo/two",
    ] {
        folder.write(&format!("{name}/model.safetensors"), tensors(&model));
    }
    folder.write("runs.csv", "run,width\none,32\ntwo,64\n");
    folder.write("symmetry.json", &blocks(&text, "json")[0]);
    let name = |line: &str| {
        let rest = line.split_once(' ')?.1;
        let end = rest.find([' ', ':', '('])?;
        Some(rest[..end].to_owned())
    };
    for block in blocks_of_weights {
        let own: Vec<String> = block.lines().filter_map(name).collect();
        let given = WEIGHTS.lines();
        let given = given.filter(|line| name(line).is_none_or(|name| !own.contains(&name)));
        let given: String = given.map(|line| format!("{line}\n")).collect();
        folder.write("block.farcast", format!("{given}{block}"));
        let said = folder.farcast(&["check", "block.farcast"]);
        assert_eq!(said.code, 0, "{block}\n{}", said.err);
    }
}

#[test]
fn the_sweeps_of_the_manual_run() {
    let text = fs::read_to_string(shipped("docs/sweeps.md")).unwrap();
    let blocks = blocks(&text, "farcast");
    let (first, rest) = blocks.split_first().unwrap();
    for form in [
        "grid", "random", "latin", "tpe", "halving", "product", "zip",
    ] {
        let start = format!("= {form}(");
        assert!(rest.iter().any(|block| block.contains(&start)), "{form}");
    }
    for word in [
        "log(",
        "normal(",
        "choice(",
        "when(",
        "best(",
        "minimise:",
        "maximise:",
    ] {
        assert!(rest.iter().any(|block| block.contains(word)), "{word}");
    }
    let folder = Folder::new();
    for block in rest {
        folder.write("block.farcast", format!("{first}{block}"));
        let said = folder.farcast(&["run", "block.farcast", "--quiet"]);
        assert_eq!(said.code, 0, "{block}\n{}", said.err);
        assert!(said.err.is_empty(), "{block}\n{}", said.err);
    }
}

#[test]
fn the_citation_names_this_version() {
    let citation = fs::read_to_string(shipped("CITATION.cff")).unwrap();
    assert!(citation.contains(&format!("\nversion: {}\n", env!("CARGO_PKG_VERSION"))));
}
