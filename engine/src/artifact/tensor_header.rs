//! The head of a safetensors file, as it is written.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The head of a safetensors file of tensors: name, type, shape and number of bytes of each, in the order of their
/// bytes. The format allows any order; one order keeps bytes equal.
pub(super) fn header<'a>(
    tensors: impl IntoIterator<Item = (&'a str, &'a str, &'a [usize], usize)>,
    metadata: &BTreeMap<String, String>,
) -> Vec<u8> {
    let mut header = Map::new();
    if !metadata.is_empty() {
        header.insert("__metadata__".to_owned(), json!(metadata));
    }
    let mut end = 0;
    for (name, dtype, shape, bytes) in tensors {
        let start = end;
        end += bytes;
        let entry = json!({ "dtype": dtype, "shape": shape, "data_offsets": [start, end] });
        header.insert(name.to_owned(), entry);
    }
    let mut text = Value::Object(header).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut head = (text.len() as u64).to_le_bytes().to_vec();
    head.append(&mut text);
    head
}
