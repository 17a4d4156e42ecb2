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
        error[impossible-call]: `walk` has no parent, so that its networks cannot be run
          --> it.farcast:10:69
           |
        10 | score missed = forecast_error(later, truth: walk, on: [0], metrics: [loss])
           |                                                                     ^^^^^^
           |
           = help: measure `mse` and `mae`, or export the weights and run them elsewhere
        5 errors, 0 warnings
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
