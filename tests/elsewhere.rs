//! Weights from elsewhere: what works without a network to run them, and what is refused.

use std::collections::BTreeMap;

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

/// Each tensor of a file with its shape and numbers, and the names of its metadata.
fn tensors(bytes: &[u8]) -> (BTreeMap<String, (Value, Vec<f32>)>, Vec<String>) {
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
