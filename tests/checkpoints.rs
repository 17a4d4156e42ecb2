//! What `check` tells of checkpoint files by their headers, and built-in networks that run weights
//! from elsewhere.

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
    for step in [0_u16, 10, 20, 30, 40] {
        let states = file(&TENSORS, |at| at as f32 + f32::from(step));
        folder.write(&format!("ck/step-{step}.safetensors"), states);
    }
    harm(&folder);
    let said = folder.farcast(&["check", "it.farcast"]);
    said.err + &said.out
}

fn expect_said(call: &str, harm: impl Fn(&Folder), expected: &str) {
    let said = said(call, harm);
    assert!(said.contains(expected), "{call}: {said}");
}

const ALL: &str = "\"ck/step-*.safetensors\"";

#[test]
fn check_reads_the_headers_of_checkpoints() {
    expect_said(ALL, |_| (), "no mistakes found");
    let state = |tensors: &[(&str, &[usize])]| file(tensors, |at| at as f32);
    let lacks = |folder: &Folder| folder.write("ck/step-20.safetensors", state(&TENSORS[..2]));
    expect_said(ALL, lacks, "tensor `c` is missing");
    let wide = [TENSORS[0], ("b", &[4][..]), TENSORS[2]];
    let differs = |folder: &Folder| folder.write("ck/step-20.safetensors", state(&wide));
    expect_said(ALL, differs, "tensor `b`: expected shape [2], found [4]");
    let uneven = |folder: &Folder| {
        std::fs::remove_file(folder.path("ck/step-10.safetensors")).unwrap();
    };
    let steps = "the steps are not equally far apart: 0, 20, 30";
    expect_said(ALL, uneven, steps);
    let any = format!("{ALL}, spacing: any");
    expect_said(&any, uneven, "no mistakes found");
    let short = |folder: &Folder| {
        std::fs::remove_file(folder.path("ck/step-40.safetensors")).unwrap();
    };
    expect_said(
        ALL,
        short,
        "`last` predicts step 40, which `run` did not record",
    );
    let only = format!("{ALL}, only: [\"decoder.*\"]");
    expect_said(&only, |_| (), "no tensor matches `decoder.*`");
    let empty = |folder: &Folder| folder.write("ck/step-20.safetensors", "");
    expect_said(ALL, empty, "found an empty file");
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
    for name in [
        "step-1k",
        "step-10e3",
        "step-1,000",
        "step_1_000",
        "step-0x10",
    ] {
        let other = |folder: &Folder| {
            folder.write(
                &format!("ck/{name}.safetensors"),
                file(&TENSORS, |at| at as f32),
            );
        };
        for call in [
            "\"ck/*.safetensors\"",
            "\"ck/*.safetensors\", step: \"step-{step}\"",
        ] {
            let said = said(call, other);
            assert!(said.contains("error[impossible-call]"), "{name}: {said}");
            assert!(said.contains(name), "{name}: {said}");
        }
    }
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
    let refused = |names: [&str; 2], arguments: &str, expected: &str| {
        let adopted = format!("child far = adopt(last, horizon: 30, {arguments})\n");
        let folder = perceptron(names, &adopted);
        let said = folder.farcast(&["check", "it.farcast"]);
        assert_eq!(said.code, 1, "{arguments}: {said:?}");
        let all = said.err + &said.out;
        assert!(all.contains(expected), "{arguments}: {all}");
    };
    let net = ["net.0", "net.2"];
    for (network, expected) in [
        (
            "mlp(hidden: [2])",
            "tensor `net.0.weight` [1, 1] is no `layers.0.weight` [2, 1]",
        ),
        (
            "mlp(hidden: [])",
            "the weights are of 2 modules, its network has 1 layers",
        ),
        ("mlp(hidden: [1], outputs: 3)", "a quantity has one output"),
        ("mpl(hidden: [1])", "`mpl`"),
    ] {
        let arguments = format!("network: {network}, inputs: [x], target: y");
        refused(net, &arguments, expected);
    }
    let fits = "network: mlp(hidden: [1])";
    refused(
        net,
        fits,
        "`network` needs `inputs`, the columns of its data",
    );
    let columns = "inputs: [x], target: y";
    refused(
        net,
        columns,
        "`inputs` is of a `network`, and none is given",
    );
    let unsaid = "modules `decode` and `encode` have tensors of the same shapes";
    refused(["encode", "decode"], &format!("{fits}, {columns}"), unsaid);
}
