//! What `check` tells of checkpoint files by their headers, and built-in networks that run weights
//! from elsewhere.

use expect_test::expect_file;
use serde_json::json;

use crate::farcast::Folder;

/// A file of tensors in single precision, all numbers as `number` says.
fn file(tensors: &[(&str, &[usize])], number: impl Fn(usize) -> f32) -> Vec<u8> {
    let (mut head, mut end) = (serde_json::Map::new(), 0);
    for (name, shape) in tensors {
        let start = end;
        end += 4 * shape.iter().product::<usize>();
        let entry = json!({"dtype": "F32", "shape": shape, "data_offsets": [start, end]});
        head.insert((*name).to_owned(), entry);
    }
    let head = serde_json::Value::Object(head).to_string();
    let numbers = (0..end / 4).flat_map(|at| number(at).to_le_bytes());
    let length = (head.len() as u64).to_le_bytes();
    let bytes = length.into_iter().chain(head.into_bytes());
    bytes.chain(numbers).collect()
}

const TENSORS: [(&str, &[usize]); 3] = [("a", &[2, 3]), ("b", &[2]), ("c", &[3])];

/// Five states that `harm` has been done to, and what `check` then says.
fn said(call: &str, harm: impl Fn(&Folder)) -> String {
    let folder = Folder::with(&format!(
        "trajectory run = checkpoints({call})\n\
         farcast last = persistence(run, observe: 0..=20, horizon: [30, 40])\n\
         score error = forecast_error(last, truth: run)\n"
    ));
    for step in [0, 10, 20, 30, 40] {
        folder.write(&format!("ck/step-{step}.safetensors"), state(step));
    }
    harm(&folder);
    let said = folder.farcast(&["check", "it.farcast"]);
    said.err + &said.out
}

fn state(step: u16) -> Vec<u8> {
    file(&TENSORS, |at| at as f32 + f32::from(step))
}

/// The shards of five models and their indexes, which `harm` has been done to.
fn sharded(harm: impl Fn(&mut serde_json::Value)) -> impl Fn(&Folder) {
    move |folder| {
        for step in [0_u16, 10, 20, 30, 40] {
            let mut index = json!({"weight_map": {}});
            for (at, tensor) in TENSORS.iter().enumerate() {
                let name = format!("m-0000{}-of-00003.safetensors", at + 1);
                let shard = file(std::slice::from_ref(tensor), |_| f32::from(step));
                folder.write(&format!("sh/checkpoint-{step}/{name}"), shard);
                index["weight_map"][tensor.0] = name.into();
            }
            harm(&mut index);
            let path = format!("sh/checkpoint-{step}/m.safetensors.index.json");
            folder.write(&path, index.to_string());
        }
    }
}

type Harm = Box<dyn Fn(&Folder)>;

fn write(path: &'static str, bytes: impl AsRef<[u8]> + 'static) -> Harm {
    Box::new(move |folder| folder.write(path, &bytes))
}

fn without(path: &'static str) -> Harm {
    Box::new(move |folder| std::fs::remove_file(folder.path(path)).unwrap())
}

/// The states of runs, of which the second has these tensors.
fn runs(second: &'static [(&'static str, &'static [usize])]) -> Harm {
    Box::new(|folder| {
        for step in [0, 10, 20, 30, 40] {
            folder.write(&format!("runs/a/step-{step}.safetensors"), state(step));
            let other = file(second, |at| at as f32);
            folder.write(&format!("runs/b/step-{step}.safetensors"), other);
        }
    })
}

/// A file whose metadata say a step.
fn stepped(step: &str) -> Vec<u8> {
    let head = json!({"__metadata__": {"step": step},
                      "a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}});
    let head = head.to_string();
    let length = (head.len() as u64).to_le_bytes();
    [&length, head.as_bytes(), &[0; 4]].concat()
}

#[test]
fn check_reads_the_headers_of_checkpoints() {
    const ALL: &str = "\"ck/step-*.safetensors\"";
    const RUNS: &str = "\"runs/*/step-*.safetensors\", members: 2";
    const INDEX: &str = "\"sh/checkpoint-*/m.safetensors.index.json\"";
    const AMID: &str = "ck/step-20.safetensors";
    const WIDE: [(&str, &[usize]); 3] = [TENSORS[0], ("b", &[4]), TENSORS[2]];
    let of = |tensors: &[(&str, &[usize])]| file(tensors, |at| at as f32);
    let with = |more: &str| format!("{ALL}, {more}");
    let shards = |harm: fn(&mut serde_json::Value)| -> Harm { Box::new(sharded(harm)) };
    let named = |name: &'static str| -> Harm {
        Box::new(move |folder| folder.write(&format!("names/{name}"), state(0)))
    };
    let cases: Vec<(&str, String, Harm)> = vec![
        ("nothing wrong", ALL.into(), Box::new(|_| ())),
        ("a tensor less", ALL.into(), write(AMID, of(&TENSORS[..2]))),
        ("another shape", ALL.into(), write(AMID, of(&WIDE))),
        (
            "uneven steps",
            ALL.into(),
            without("ck/step-10.safetensors"),
        ),
        (
            "uneven steps, allowed",
            with("spacing: any"),
            without("ck/step-10.safetensors"),
        ),
        (
            "a horizon without its state",
            ALL.into(),
            without("ck/step-40.safetensors"),
        ),
        (
            "a pattern without a match",
            with("only: [\"decoder.*\"]"),
            Box::new(|_| ()),
        ),
        ("no patterns", with("only: []"), Box::new(|_| ())),
        (
            "an empty pattern",
            with("without: [\"\"]"),
            Box::new(|_| ()),
        ),
        (
            "patterns that leave nothing",
            with("without: [\"*\"]"),
            Box::new(|_| ()),
        ),
        (
            "nothing of what is asked",
            with("only: [\"a\"], without: [\"a\"]"),
            Box::new(|_| ()),
        ),
        ("an empty file", ALL.into(), write(AMID, "")),
        (
            "a file cut short",
            ALL.into(),
            write(AMID, state(20).into_iter().take(180).collect::<Vec<u8>>()),
        ),
        (
            "a web page",
            ALL.into(),
            write(AMID, "<!DOCTYPE html>\n<html>"),
        ),
        ("a text", ALL.into(), write(AMID, "Entry not found")),
        (
            "a pickle",
            ALL.into(),
            write(AMID, b"\x80\x02}q\x00(X\x01\x00"),
        ),
        (
            "a pointer",
            ALL.into(),
            write(AMID, "/annex/objects/SHA256E-s1--aa"),
        ),
        ("no such header", ALL.into(), write(AMID, [7; 40])),
        (
            "PyTorch by its name",
            "\"p/step-*.pt\"".into(),
            write("p/step-1.pt", [0; 9]),
        ),
        (
            "ONNX by its name",
            "\"p/step-*.onnx\"".into(),
            write("p/step-1.onnx", [8; 40]),
        ),
        (
            "a folder of PyTorch",
            "\"p\"".into(),
            write("p/step-1.pt", b"\x80\x02}q\x00"),
        ),
        (
            "two numbers",
            "\"names/*\"".into(),
            named("resnet18_40.safetensors"),
        ),
        (
            "a date",
            "\"names/*\"".into(),
            named("2024-01-31.safetensors"),
        ),
        (
            "a minus",
            "\"names/*\"".into(),
            named("step=-1.safetensors"),
        ),
        (
            "two steps",
            "\"names/*\"".into(),
            write("names/step-3.safetensors", stepped("300")),
        ),
        (
            "no step",
            "\"names/*\"".into(),
            write("names/last.safetensors", stepped("ten")),
        ),
        ("shards", INDEX.into(), shards(|_| ())),
        (
            "an absent shard",
            INDEX.into(),
            shards(|it| it["weight_map"]["b"] = "no".into()),
        ),
        (
            "a shard elsewhere",
            INDEX.into(),
            shards(|it| it["weight_map"]["b"] = "../x".into()),
        ),
        (
            "an index of nothing",
            INDEX.into(),
            shards(|it| it["weight_map"] = json!({})),
        ),
        ("no index", INDEX.into(), shards(|it| *it = json!([]))),
        (
            "a tensor in another shard",
            INDEX.into(),
            shards(|it| {
                it["weight_map"]["b"] = "m-00001-of-00003.safetensors".into();
            }),
        ),
        ("runs", RUNS.into(), runs(&TENSORS)),
        ("runs of two networks", RUNS.into(), runs(&WIDE)),
        ("runs of fewer tensors", RUNS.into(), runs(&[TENSORS[0]])),
        (
            "another number of runs",
            RUNS.replace('2', "3"),
            runs(&TENSORS),
        ),
        (
            "a run without a name",
            format!("{RUNS}, member: \"seed-{{member}}/\""),
            runs(&TENSORS),
        ),
        (
            "runs that are not told apart",
            RUNS.replace(", members: 2", ""),
            runs(&TENSORS),
        ),
    ];
    let said = cases.iter().map(|(name, call, harm)| {
        let said = said(call, harm);
        format!("# {name}: checkpoints({call})\n{said}\n")
    });
    let said: String = said.collect();
    expect_file!["checkpoints/said.txt"].assert_eq(&said);
}

#[test]
fn one_state_needs_no_step() {
    let folder = Folder::with(
        "trajectory run = checkpoints(\"last.safetensors\")\n\
         farcast same = persistence(run, horizon: [10])\n\
         child far = adopt(same, horizon: 10)\n",
    );
    folder.write("last.safetensors", file(&TENSORS, |at| at as f32));
    let said = folder.farcast(&["run", "it.farcast", "--quiet", "--weights"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(folder.path("out/it/far.safetensors").exists());
}

#[test]
fn a_step_is_digits_alone() {
    let mut all = String::new();
    for name in [
        "step-1k",
        "step-10e3",
        "step-1,000",
        "step_1_000",
        "step-0x10",
    ] {
        let other = |folder: &Folder| folder.write(&format!("ck/{name}.safetensors"), state(50));
        for call in [
            "\"ck/*.safetensors\"",
            "\"ck/*.safetensors\", step: \"step-{step}\"",
        ] {
            all += &format!("# {name}: checkpoints({call})\n{}\n", said(call, other));
        }
    }
    expect_file!["checkpoints/steps.txt"].assert_eq(&all);
}

/// A network with one input, one hidden unit and one output: `2 tanh(x) + 1/2`.
fn perceptron(names: [&str; 2], rest: &str) -> Folder {
    let folder = Folder::with(&format!(
        "data rows = csv(\"rows.csv\")\n\
         trajectory run = checkpoints(\"step-*.safetensors\")\n\
         farcast last = persistence(run, observe: 0..=20, horizon: [30])\n{rest}"
    ));
    let names = names.map(|name| [format!("{name}.weight"), format!("{name}.bias")]);
    let names: Vec<&str> = names.iter().flatten().map(String::as_str).collect();
    let shapes: [&[usize]; 2] = [&[1, 1], &[1]];
    let tensors: Vec<_> = names.into_iter().zip(shapes.into_iter().cycle()).collect();
    for step in [0, 10, 20] {
        let states = file(&tensors, |at| [1.0, 0.0, 2.0, 0.5][at]);
        folder.write(&format!("step-{step}.safetensors"), states);
    }
    folder.write("rows.csv", "x,y\n0,1\n1,2\n2,3\n");
    folder
}

#[test]
fn a_built_in_network_runs_weights_from_elsewhere() {
    let adopted = "parent far = adopt(last, horizon: 30, network: mlp(hidden: [1]), inputs: [x], target: y)\n\
                   score error = compare(far, on: rows, metrics: [rmse])\n";
    let folder = perceptron(["net.0", "net.2"], adopted);
    let answer = folder.run(&["--weights"]);
    // In Python: sqrt(mean((2 * tanh(x) + 0.5 - y) ** 2)).
    let errors = [0.0_f64, 1.0, 2.0].map(|x| 2.0 * x.tanh() + 0.5 - (x + 1.0));
    let expected = (errors.iter().map(|error| error * error).sum::<f64>() / 3.0).sqrt();
    assert!((expected - 0.438_809).abs() < 1e-5);
    let found = answer["scores"][0]["value"].as_f64().unwrap();
    assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    // They are written with the names they came with.
    let bytes = folder.bytes("out/it/far.safetensors");
    let head = String::from_utf8_lossy(&bytes);
    assert!(head.contains("net.2.weight") && !head.contains("layers.0"));
}

#[test]
fn a_network_that_does_not_fit_is_refused_with_the_tensor() {
    let net = ["net.0", "net.2"];
    let of = |network: &str| format!("network: {network}, inputs: [x], target: y");
    let mut all = String::new();
    for (names, arguments) in [
        (net, of("mlp(hidden: [2])")),
        (net, of("mlp(hidden: [])")),
        (net, of("mlp(hidden: [1], outputs: 3)")),
        (net, of("mpl(hidden: [1])")),
        (net, "network: mlp(hidden: [1])".to_owned()),
        (net, "inputs: [x], target: y".to_owned()),
        (["encode", "decode"], of("mlp(hidden: [1])")),
    ] {
        let adopted = format!("child far = adopt(last, horizon: 30, {arguments})\n");
        let folder = perceptron(names, &adopted);
        let said = folder.farcast(&["check", "it.farcast"]);
        assert_eq!(said.code, 1, "{arguments}: {said:?}");
        all += &format!("# {names:?} {arguments}\n{}\n", said.err + &said.out);
    }
    expect_file!["checkpoints/networks.txt"].assert_eq(&all);
}
