//! Files written by Python's safetensors, and files that cannot be taken.

use std::fs;
use std::path::{Path, PathBuf};

use engine::artifact::{Layout, Tensor};

use super::*;

fn checkpoints(files: impl Into<PathBuf>) -> Checkpoints {
    Checkpoints {
        files: DataPath(files.into()),
        spacing: Spacing::Equal,
        step: None,
        only: None,
        without: None,
        members: None,
        member: None,
    }
}

/// Written by numpy and safetensors 0.8 for Python, weights as `float32`, biases `float16`:
/// `arange(6).reshape(2, 3) + step / 16` and `[-1, 0.5] - step / 16` at steps 0, 10, … 50.
#[test]
fn files_written_by_python_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/checkpoints");
    let context = Context::alone("checkpoints");
    let run = checkpoints(folder.join("step-*.safetensors"))
        .run(&context)
        .unwrap();
    assert_eq!(run.steps().unwrap(), [0, 10, 20, 30, 40, 50]);
    let names: Vec<(&str, &[usize])> = run
        .layout
        .tensors
        .iter()
        .map(|tensor| (&tensor.name[..], &tensor.shape[..]))
        .collect();
    assert_eq!(
        names,
        [("layers.0.weight", &[2, 3][..]), ("layers.0.bias", &[2])]
    );
    for (row, network) in run
        .networks(&[0, 1, 2, 3, 4, 5])
        .unwrap()
        .iter()
        .enumerate()
    {
        let moved = row as f32 * 10.0 / 16.0;
        let weights = (0..6).map(|k| k as f32 + moved);
        let expected: Vec<f32> = weights.chain([-1.0 - moved, 0.5 - moved]).collect();
        assert_eq!(*network, expected);
    }
    let notes = context.take_notes();
    assert_eq!(
        notes,
        ["tensor `steps_seen` is not a weight: it is written unchanged with weights of this run"]
    );
}

#[test]
fn weights_of_64_bits_are_noted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s1.safetensors");
    let header = br#"{"a":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}}"#;
    let length = (header.len() as u64).to_le_bytes();
    let weights = [0.1_f64, 0.2].map(f64::to_le_bytes).concat();
    fs::write(&path, [&length[..], header, &weights].concat()).unwrap();
    let context = Context::alone("checkpoints");
    let run = checkpoints(path).run(&context).unwrap();
    assert_eq!(run.networks(&[0]).unwrap(), [[0.1, 0.2]]);
    assert_eq!(
        context.take_notes(),
        ["weights of `F64` are computed with, and written, in single precision"]
    );
}

fn write(path: &Path, tensors: &[(&str, &[usize])], weights: &[f32], step: Option<&str>) {
    let tensors = tensors.iter().map(|(name, shape)| Tensor {
        name: (*name).to_owned(),
        shape: shape.to_vec(),
    });
    let layout = Layout {
        tensors: tensors.collect(),
    };
    let metadata = step.map(|step| ("step".to_owned(), step.to_owned()));
    fs::write(path, layout.to_safetensors(weights, metadata).unwrap()).unwrap();
}

#[test]
fn what_is_no_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let pattern = at("s*.safetensors");
    let refused = || {
        let run = checkpoints(&pattern).run(&Context::alone("checkpoints"));
        let message = run.unwrap_err().to_string();
        message.replace(&format!("{}/", folder.path().display()), "")
    };
    let tensors: &[(&str, &[usize])] = &[("w", &[2]), ("b", &[1])];
    assert_eq!(refused(), "no file matches `s*.safetensors`");
    write(&at("s1.safetensors"), tensors, &[1.0, 2.0, 3.0], None);
    for (name, tensors, weights, step, expected) in [
        (
            "s.safetensors",
            tensors,
            &[1.0, 2.0, 3.0][..],
            None,
            "`s.safetensors`: expected a step in its name, found none",
        ),
        (
            "s2.safetensors",
            tensors,
            &[1.0, 2.0, 3.0],
            Some("ten"),
            "`s2.safetensors`: expected a step in its metadata, found `ten`",
        ),
        (
            "s2.safetensors",
            tensors,
            &[1.0, 2.0, 3.0],
            Some("1"),
            "`s1.safetensors` and `s2.safetensors` are both of step 1",
        ),
        (
            "s2.safetensors",
            &[("w", &[2])],
            &[1.0, 2.0],
            None,
            "`s2.safetensors`: tensor `b` is missing",
        ),
        (
            "s2.safetensors",
            &[("w", &[1]), ("b", &[2])],
            &[1.0, 2.0, 3.0],
            None,
            "`s2.safetensors`: tensor `b`: expected shape [1], found [2]",
        ),
        (
            "s2.safetensors",
            &[("w", &[2]), ("b", &[1]), ("c", &[1])],
            &[1.0, 2.0, 3.0, 4.0],
            None,
            "`s2.safetensors`: tensor `c` is not expected",
        ),
        (
            "s2.safetensors",
            tensors,
            &[1.0, 2.0, f32::NAN],
            None,
            "`s2.safetensors`: tensor `b` holds a number that is not finite",
        ),
    ] {
        write(&at(name), tensors, weights, step);
        assert_eq!(refused(), expected);
        fs::remove_file(at(name)).unwrap();
    }
    fs::write(at("s2.safetensors"), "text").unwrap();
    assert_eq!(
        refused(),
        "`s2.safetensors`: expected safetensors, found a text that begins with `text`"
    );
    write(&at("s2.safetensors"), tensors, &[1.0, 2.0, 3.0], None);
    write(&at("s4.safetensors"), tensors, &[1.0, 2.0, 3.0], None);
    assert_eq!(refused(), "the steps are not equally far apart: 1, 2, 4");
    let mut any = checkpoints(&pattern);
    any.spacing = Spacing::Any;
    let run = any.run(&Context::alone("any")).unwrap();
    assert_eq!(run.steps().unwrap(), [1, 2, 4]);
}

/// A head that is a copy of the embedding, which the second file names once, and a scale that is
/// no weight.
#[test]
fn tied_tensors_may_be_named_once_and_patterns_choose() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let both: &[(&str, &[usize])] = &[("embed", &[2]), ("head", &[2]), ("scale", &[1])];
    write(
        &at("s1.safetensors"),
        both,
        &[1.0, 2.0, 1.0, 2.0, 9.0],
        None,
    );
    let once: &[(&str, &[usize])] = &[("embed", &[2]), ("scale", &[1])];
    write(&at("s2.safetensors"), once, &[3.0, 4.0, 9.0], None);
    let mut call = checkpoints(at("s*.safetensors"));
    call.without = Some(vec!["sc*".to_owned()]);
    let context = Context::alone("checkpoints");
    let run = call.run(&context).unwrap();
    assert_eq!(run.networks(&[0, 1]).unwrap(), [[1.0, 2.0], [3.0, 4.0]]);
    let notes = context.take_notes();
    assert_eq!(
        notes[0],
        "tensor `head` is missing in some files and equal to `embed` in others: tied"
    );
    // Another head is not a copy.
    write(
        &at("s1.safetensors"),
        both,
        &[1.0, 2.0, 1.0, 2.5, 9.0],
        None,
    );
    let refused = |only: Option<&str>| {
        let mut call = checkpoints(at("s*.safetensors"));
        call.only = only.map(|only| vec![only.to_owned()]);
        call.run(&Context::alone("checkpoints"))
            .map(|run| run.layout.len())
    };
    let message = refused(None).unwrap_err().to_string();
    assert!(
        message.ends_with("`: tensor `head` is missing"),
        "{message}"
    );
    let message = refused(Some("tail")).unwrap_err().to_string();
    assert_eq!(message, "no tensor matches `tail`");
    assert_eq!(refused(Some("*e*ed")).unwrap(), 2);
}

/// As many tensors as the largest models have, with names that no file system would take.
#[test]
fn many_tensors_of_any_name_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let tensors = (0..40_000).map(|at| Tensor {
        name: format!(
            "../{at}/\"'\n{}",
            "x".repeat(if at == 7 { 2000 } else { 3 })
        ),
        shape: vec![1],
    });
    let layout = Layout {
        tensors: tensors.collect(),
    };
    for step in [1, 2] {
        let weights: Vec<f32> = (0..40_000).map(|at| at as f32 * step as f32).collect();
        let path = folder.path().join(format!("s{step}.safetensors"));
        fs::write(path, layout.to_safetensors(&weights, []).unwrap()).unwrap();
    }
    let run = checkpoints(folder.path().join("s*.safetensors"));
    let run = run.run(&Context::alone("many")).unwrap();
    assert_eq!(run.layout, layout);
    assert_eq!(run.read(&[1], 39_999..40_000).unwrap().values, [79_998.0]);
}
