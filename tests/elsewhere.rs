//! Weights from elsewhere: what works without a network to run them, and what is refused.

use std::collections::BTreeMap;

use expect_test::expect;
use serde_json::{Value, json};

use crate::farcast::Folder;

/// Two tensors with names unlike ours, of weights that move by the same amount every step.
fn checkpoint(step: u32) -> Vec<u8> {
    let head = json!({
        "encoder.kernel": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
        "encoder.bias": {"dtype": "F32", "shape": [1], "data_offsets": [16, 20]},
    });
    let head = head.to_string();
    let weights = (0..5_u8).map(|at| f32::from(at) + 0.25 * step as f32);
    let weights = weights.flat_map(f32::to_le_bytes);
    let length = (head.len() as u64).to_le_bytes();
    let bytes = length.into_iter().chain(head.into_bytes());
    bytes.chain(weights).collect()
}

/// The shape and the numbers of a tensor.
type Contents = (Value, Vec<f32>);

/// Each tensor of a file, and the names of its metadata.
fn tensors(bytes: &[u8]) -> (BTreeMap<String, Contents>, Vec<String>) {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let (head, numbers) = bytes[8..].split_at(length);
    let mut head: serde_json::Map<String, Value> = serde_json::from_slice(head).unwrap();
    let metadata = head.remove("__metadata__").unwrap_or_else(|| json!({}));
    let of = |(name, tensor): (String, Value)| {
        let offset = |at: usize| tensor["data_offsets"][at].as_u64().unwrap() as usize;
        let bytes = numbers[offset(0)..offset(1)].as_chunks::<4>().0;
        let values = bytes.iter().map(|four| f32::from_le_bytes(*four));
        (name, (tensor["shape"].clone(), values.collect()))
    };
    let names = metadata.as_object().unwrap().keys().cloned().collect();
    (head.into_iter().map(of).collect(), names)
}

/// A folder with checkpoints of the steps 0 to 30 and an experiment that goes on from them.
fn folder(rest: &str) -> Folder {
    let folder = Folder::with(&format!(
        "trajectory walk = checkpoints(\"step-*.safetensors\")\n\
         farcast later = linear(walk, observe: 0..=30, horizon: [40])\n\
         parent grown = adopt(later, horizon: 40)\n\
         {rest}"
    ));
    for step in [0, 10, 20, 30] {
        folder.write(&format!("step-{step}.safetensors"), checkpoint(step));
    }
    folder
}

#[test]
fn adopted_weights_are_written_with_the_names_they_came_with() {
    let folder = folder("child same = adopt(later, horizon: 40)\n");
    folder.run(&["--weights"]);
    let (expected, _) = tensors(&checkpoint(40));
    for file in ["grown", "same"] {
        let (found, metadata) = tensors(&folder.bytes(&format!("out/it/{file}.safetensors")));
        assert_eq!(metadata, ["format", "key"]);
        assert_eq!(found.len(), expected.len());
        for (name, (shape, values)) in &expected {
            assert_eq!(&found[name].0, shape);
            for (found, expected) in found[name].1.iter().zip(values) {
                assert!(
                    (found - expected).abs() < 1e-4,
                    "{name}: {found} {expected}"
                );
            }
        }
    }
    // They are read back from the store.
    assert_eq!(folder.run(&["--weights"])["actions"]["ran"], 0);
}

#[test]
fn what_needs_a_network_is_refused_before_anything_runs() {
    let folder = folder(
        "data all = synthetic(regime, rows: 40)\n\
         subset near = window(all, by: z, count: 4, size: 10)\n\
         anomaly shift = finetune(grown, near, mix: 0)\n\
         trajectory again = record(grown)\n\
         score errors = compare(grown, on: all)\n\
         score losses = evaluate(grown, on: all)\n\
         score missed = forecast_error(later, truth: walk, on: [0], metrics: [loss])\n",
    );
    let said = folder.farcast(&["check", "it.farcast"]);
    assert_eq!(said.code, 1, "{said:?}");
    expect![[r#"
        error[impossible-call]: these weights cannot be run: they come from files, which hold no network
         --> it.farcast:6:26
          |
        6 | anomaly shift = finetune(grown, near, mix: 0)
          |                          ^^^^^
          |
          = help: export them with `--weights` and run them elsewhere
        error[impossible-call]: its training is not known: it was made elsewhere
         --> it.farcast:7:27
          |
        7 | trajectory again = record(grown)
          |                           ^^^^^
          |
          = help: `checkpoints` reads the states that were saved there
        error[impossible-call]: these weights cannot be run: they come from files, which hold no network
         --> it.farcast:8:24
          |
        8 | score errors = compare(grown, on: all)
          |                        ^^^^^
          |
          = help: export them with `--weights` and run them elsewhere
        error[impossible-call]: these weights cannot be run: they come from files, which hold no network
         --> it.farcast:9:25
          |
        9 | score losses = evaluate(grown, on: all)
          |                         ^^^^^
          |
          = help: export them with `--weights` and run them elsewhere
        error[impossible-call]: `later` predicts step 40, which `walk` did not record
          --> it.farcast:10:31
           |
        10 | score missed = forecast_error(later, truth: walk, on: [0], metrics: [loss])
           |                               ^^^^^
        error[impossible-call]: `walk` has no parent, so that its networks cannot be run
          --> it.farcast:10:69
           |
        10 | score missed = forecast_error(later, truth: walk, on: [0], metrics: [loss])
           |                                                                     ^^^^^^
           |
           = help: measure `mse` and `mae`, or export the weights and run them elsewhere
        6 errors, 0 warnings
    "#]]
    .assert_eq(&said.err);
}

#[test]
fn networks_that_were_not_trained_by_steps_are_not_recorded() {
    let folder = Folder::with(
        "data all = synthetic(regime, rows: 400, slope: 2)\n\
         parent net = mlp(all, inputs: [x], target: y, hidden: [4], epochs: 2, members: 2)\n\
         trajectory walk = record(net, every: 2 steps)\n\
         parent grown = adopt(linear(walk, observe: 0..=4, horizon: [8]), horizon: 8)\n\
         trajectory again = record(grown)\n",
    );
    let said = folder.farcast(&["run", "it.farcast", "--quiet"]);
    assert_eq!(said.code, 1, "{said:?}");
    expect![[r#"
        error[impossible-call]: its training is not known: it was made elsewhere
         --> it.farcast:5:27
          |
        5 | trajectory again = record(grown)
          |                           ^^^^^
          |
          = help: `checkpoints` reads the states that were saved there
    "#]]
    .assert_eq(&said.err);
}

/// A tensor of a file: its name, type and shape, and its bytes.
type Stored = (&'static str, &'static str, Vec<u64>, Vec<u8>);

/// A safetensors file.
fn file(tensors: &[Stored]) -> Vec<u8> {
    let (mut head, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, dtype, shape, bytes) in tensors {
        let start = data.len();
        data.extend_from_slice(bytes);
        let entry = json!({"dtype": dtype, "shape": shape, "data_offsets": [start, data.len()]});
        head.insert((*name).to_owned(), entry);
    }
    let head = Value::Object(head).to_string();
    let length = (head.len() as u64).to_le_bytes();
    [&length[..], head.as_bytes(), &data].concat()
}

/// The head of a file, without metadata and offsets.
fn head(bytes: &[u8]) -> BTreeMap<String, (String, Value)> {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let head: BTreeMap<String, Value> = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    let tensors = head.into_iter().filter(|(name, _)| name != "__metadata__");
    let kind = |tensor: &Value| tensor["dtype"].as_str().unwrap().to_owned();
    tensors
        .map(|(name, it)| (name, (kind(&it), it["shape"].clone())))
        .collect()
}

/// Weights that rise by a sixteenth every step, from a half on.
fn doubles(step: u32) -> Vec<u8> {
    let weights = [0.5, 1.5].map(|weight: f64| weight + f64::from(step) / 16.0);
    weights.into_iter().flat_map(f64::to_le_bytes).collect()
}

/// The same two in half precision: 1/16 is exact in it.
fn halves(step: u32) -> Vec<u8> {
    let bits = |weight: f32| {
        let bits = weight.to_bits();
        (((bits >> 13) - (112 << 10)) as u16).to_le_bytes()
    };
    [0.5, 1.5]
        .map(|weight| weight + step as f32 / 16.0)
        .into_iter()
        .flat_map(bits)
        .collect()
}

/// Two shards with their index: `w` in double precision, `half` in half, and running statistics.
fn sharded(folder: &Folder, step: u32, prefix: &'static str) {
    let name = |name: &str| -> &'static str { Box::leak(format!("{prefix}{name}").into()) };
    let statistics: Vec<u8> = [step as f32; 2]
        .iter()
        .flat_map(|it| it.to_le_bytes())
        .collect();
    let shards = [
        vec![(name("w"), "F64", vec![2], doubles(step))],
        vec![
            (name("bn.running_mean"), "F32", vec![2], statistics),
            (
                name("bn.num_batches_tracked"),
                "I64",
                vec![],
                vec![step as u8, 0, 0, 0, 0, 0, 0, 0],
            ),
            (name("half"), "F16", vec![2, 1], halves(step)),
        ],
    ];
    let mut map = serde_json::Map::new();
    for (at, tensors) in shards.iter().enumerate() {
        let shard = format!("model-0000{}-of-00002.safetensors", at + 1);
        for (name, ..) in tensors {
            map.insert((*name).to_owned(), json!(shard));
        }
        folder.write(&format!("ck/checkpoint-{step}/{shard}"), file(tensors));
    }
    let index = json!({"metadata": {}, "weight_map": map}).to_string();
    folder.write(
        &format!("ck/checkpoint-{step}/model.safetensors.index.json"),
        index,
    );
}

const AHEAD: &str = "farcast ahead = linear(run, observe: 0..=30, horizon: [40])\n\
                     child far = adopt(ahead, horizon: 40)\n";

#[test]
fn weights_leave_in_the_form_they_came_in() {
    for files in [
        "ck",
        "ck/checkpoint-*",
        "ck/*/model-*.safetensors",
        "ck/*/*.index.json",
    ] {
        let folder = Folder::with(&format!(
            "trajectory run = checkpoints(\"{files}\")\n{AHEAD}"
        ));
        for step in [0, 10, 20, 30] {
            sharded(&folder, step, if step < 20 { "" } else { "_orig_mod." });
        }
        let said = folder.farcast(&["run", "it.farcast", "--weights"]);
        assert_eq!(said.code, 0, "{said:?}");
        for note in [
            "differ between files by `_orig_mod.`",
            "and another one are not weights",
        ] {
            assert!(said.err.contains(note), "{}", said.err);
        }
        let [one, two] =
            ["1", "2"].map(|at| folder.bytes(&format!("out/it/far-0000{at}-of-00002.safetensors")));
        let expected =
            |name: &str, dtype: &str, shape: Value| (name.to_owned(), (dtype.to_owned(), shape));
        assert_eq!(head(&one), [expected("w", "F64", json!([2]))].into());
        let names = [
            expected("bn.running_mean", "F32", json!([2])),
            expected("bn.num_batches_tracked", "I64", json!([])),
            expected("half", "F16", json!([2, 1])),
        ];
        assert_eq!(head(&two), names.into());
        // Weights go on in their straight lines; statistics are those of the last state.
        let found = one[one.len() - 16..].as_chunks().0.iter();
        let found: Vec<f64> = found.map(|eight| f64::from_le_bytes(*eight)).collect();
        for (found, expected) in found.iter().zip([3.0, 4.0]) {
            assert!((found - expected).abs() < 1e-4, "{found} {expected}");
        }
        let statistics: Vec<u8> = [30_f32; 2].iter().flat_map(|it| it.to_le_bytes()).collect();
        let counter = [30, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(
            two[two.len() - 20..],
            [&statistics[..], &counter, &halves(40)].concat()
        );
        let index = folder.read("out/it/far.safetensors.index.json");
        let index: Value = serde_json::from_str(&index).unwrap();
        assert_eq!(
            index["weight_map"]["half"],
            "far-00002-of-00002.safetensors"
        );
        assert_eq!(index["metadata"]["total_size"], 36);
    }
}

#[test]
fn weights_that_are_named_are_made_and_written_whatever_reads_them() {
    let folder = folder(
        "child far = adopt(later, horizon: 40)\n\
         score error = forecast_error(later, truth: walk, metrics: [mse])\n",
    );
    folder.write("step-40.safetensors", checkpoint(40));
    let written = || {
        let found = std::fs::read_dir(folder.path("out/it")).unwrap();
        let names = found.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|it| it.ends_with(".safetensors")).collect();
        names.sort();
        names
    };
    folder.run(&["--weights", "far"]);
    assert_eq!(written(), ["far.safetensors"]);
    folder.run(&["--weights", "later,far"]);
    assert_eq!(written(), ["far.safetensors", "later.h40.safetensors"]);
    folder.run(&["--weights"]);
    assert!(written().contains(&"grown.safetensors".to_owned()));
    let said = folder.farcast(&["run", "--weights", "it.farcast", "--quiet"]);
    assert_eq!(said.code, 0, "{said:?}");
    let said = folder.farcast(&["export", "it.farcast", "grown", "--out", "apart", "--quiet"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(folder.path("apart/grown.safetensors").exists());
    assert!(!folder.path("apart/run.json").exists());
    // Each file says what made it.
    let said = folder.farcast(&["show", "out/it/grown.safetensors"]);
    assert_eq!(said.code, 0, "{said:?}");
    let facts: Vec<Vec<&str>> = { said.out.lines() }
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(facts[0], ["file", "out/it/grown.safetensors"]);
    assert_eq!(facts[1], ["statement", "grown"]);
    assert_eq!(facts[2][..2], ["plugin", "adopt"]);
    assert_eq!(facts[4], ["run", "out/it/run.json"]);
    assert_eq!(folder.farcast(&["show", "out/it/scores.csv"]).code, 0);
    let said = folder.farcast(&["show", "apart/grown.safetensors", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    let shown: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(shown["made"]["statement"], "grown");
    assert_eq!(shown["run"], Value::Null);
    folder.write("apart/grown.safetensors", "something else");
    assert_eq!(folder.farcast(&["show", "apart/grown.safetensors"]).code, 1);
    let refused = folder.farcast(&["show", "step-40.safetensors"]);
    let why = "there is no `run.json` beside `step-40.safetensors`, which says what made it";
    assert!(
        refused.code == 1 && refused.err.contains(why),
        "{refused:?}"
    );
    // What is written is used.
    let warned = |args: &[&str]| {
        let said = folder.farcast(&[&["run", "it.farcast", "--quiet"], args].concat());
        let lines = said.err.lines();
        let unused = lines.filter_map(|line| Some(line.split_once("]: ")?.1.to_owned()));
        unused.collect::<Vec<String>>()
    };
    assert_eq!(warned(&["--weights", "grown"]), ["`far` is never used"]);
    assert!(warned(&["--weights"]).is_empty());
    let refused = |name: &str| {
        let said = folder.farcast(&["run", "it.farcast", "--weights", name]);
        assert_eq!(said.code, 2);
        said.err
    };
    expect![[r#"
        warning[unused-statement]: `grown` is never used
         --> it.farcast:3:8
          |
        3 | parent grown = adopt(later, horizon: 40)
          |        ^^^^^
        warning[unused-statement]: `far` is never used
         --> it.farcast:4:7
          |
        4 | child far = adopt(later, horizon: 40)
          |       ^^^
        error: there is no statement `fra`
          = help: statements to write: `far`, `grown`, `later`
    "#]]
    .assert_eq(&refused("fra"));
    expect![[r#"
        warning[unused-statement]: `grown` is never used
         --> it.farcast:3:8
          |
        3 | parent grown = adopt(later, horizon: 40)
          |        ^^^^^
        warning[unused-statement]: `far` is never used
         --> it.farcast:4:7
          |
        4 | child far = adopt(later, horizon: 40)
          |       ^^^
        error: `walk` is a trajectory: expected a parent, a child, a farcast or data
          = help: statements to write: `far`, `grown`, `later`
    "#]]
    .assert_eq(&refused("walk"));
}

#[test]
fn files_that_are_no_states_of_one_run_are_called_what_they_are() {
    let folder = Folder::new();
    let refused = |files: &str, rest: &str| {
        folder.write(
            "it.farcast",
            format!("trajectory run = checkpoints(\"{files}\"{rest})\n{AHEAD}"),
        );
        let said = folder.farcast(&["run", "it.farcast", "--quiet"]);
        assert_eq!(said.code, 1, "{said:?}");
        let real = folder.real_path();
        let lines: Vec<String> = said
            .err
            .lines()
            .filter(|line| line.contains("error") || line.contains("= help"))
            .map(|line| line.replace(&format!("{real}/"), ""))
            .collect();
        lines.join("\n")
    };
    for (at, loss) in [(0, "0.90"), (10, "0.25")] {
        folder.write(
            &format!("l/epoch={at}-loss={loss}.safetensors"),
            checkpoint(at),
        );
    }
    let mut archive = b"PK\x03\x04".to_vec();
    archive.resize(26, 0);
    archive.extend(b"\x10\0\0\0archive/data.pkl and more");
    folder.write("z/step-0.zip", archive);
    folder.write("p/step-0.state", b"\x80\x02 and more");
    folder.write("h/step-0.state", b"\x89HDF\r\n\x1a\n");
    let pointer = "version https://git-lfs.github.com/spec/v1\n";
    folder.write("g/step-0.safetensors", pointer);
    folder.write("c/step-0.safetensors", &checkpoint(0)[..150]);
    folder.write("step-0.pt", "PK");
    let quantised = [
        ("w", "I8", vec![2], vec![1, 2]),
        ("w.scale", "F32", vec![], vec![0, 0, 128, 63]),
    ];
    folder.write("q/step-1.safetensors", file(&quantised));
    for (files, rest, expected) in [
        (
            "l/*.safetensors",
            "",
            "its name has several numbers, `0` and `0.90`: which is the step?",
        ),
        ("l/*", "", "as in `step: \"epoch={step}-loss={}\"`"),
        (
            "z/*",
            "",
            "found a PyTorch file (a ZIP archive with a pickle)",
        ),
        (
            "p/*",
            "",
            "found a Python pickle, as older PyTorch files are",
        ),
        (
            "h/*",
            "",
            "expected safetensors, found HDF5, as Keras writes it",
        ),
        ("g/*", "", "run `git lfs pull` in its repository"),
        ("c/*", "", "cut short: it has 150 bytes"),
        (
            "q/*",
            "",
            "tensor `w` holds the I8 numbers of a quantised model",
        ),
        (
            "step-*.pt",
            "",
            "`step-0.pt`: expected safetensors, found PyTorch by its name (`.pt`)",
        ),
        (
            "l",
            ", step: \"epoch={}\"",
            "expected `{step}` in it, as in `run-{step}`",
        ),
        (
            "l",
            ", step: \"epoch={step}\", only: [\"decoder.*\"]",
            "no tensor matches `decoder.*`",
        ),
        (
            "l",
            ", step: \"epoch={step}\", members: 3",
            "expected 3 runs, found 2",
        ),
        ("nothing-*", "", "no file matches"),
    ] {
        let said = refused(files, rest);
        assert!(said.contains(expected), "{files}: {said}");
    }
}

#[test]
fn many_runs_are_members() {
    let folder = Folder::with(&format!(
        "trajectory run = checkpoints(\"runs/*/step-*.safetensors\", members: 2)\n{AHEAD}\
         score error = forecast_error(ahead, truth: run, metrics: [mse])\n"
    ));
    for (run, from) in [("seed-9", 0), ("seed-10", 100)] {
        for step in [0, 10, 20, 30, 40] {
            folder.write(
                &format!("runs/{run}/step-{step}.safetensors"),
                checkpoint(from + step),
            );
        }
    }
    folder.run(&["--weights"]);
    for (member, expected) in [(0, 40), (1, 140)] {
        let found = tensors(&folder.bytes(&format!("out/it/far.{member}.safetensors"))).0;
        let expected = tensors(&checkpoint(expected)).0;
        for (name, (_, values)) in expected {
            for (found, expected) in found[&name].1.iter().zip(values) {
                assert!(
                    (found - expected).abs() < 1e-3,
                    "{name}: {found} {expected}"
                );
            }
        }
    }
}
