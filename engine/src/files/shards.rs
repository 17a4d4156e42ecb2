//! The index of a model in shards, as transformers writes it: `model.safetensors.index.json`
//! names the file that each tensor is in. Whoever names the index names its shards, too.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;

use super::regular;
use crate::error::Fault;

/// What the name of an index ends in.
pub const INDEX: &str = ".safetensors.index.json";

/// The largest index that is read; those of the largest published models have a few MiB.
const LARGEST_INDEX: u64 = 64 << 20;

#[derive(Deserialize)]
struct ShardIndex {
    weight_map: BTreeMap<String, String>,
}

/// The shards that a file names, beside it; none when it is not an index.
///
/// # Errors
/// [`Fault::Environment`] when it is not what an index should be, or names a file that is absent.
pub(super) fn shards(path: &Path) -> Result<Vec<PathBuf>, Fault> {
    if !path.to_string_lossy().ends_with(INDEX) {
        return Ok(Vec::new());
    }
    let shown = path.display();
    let bad = |what: String| Fault::Environment(format!("`{shown}`: {what}"));
    let file = regular::open(path).map_err(|error| Fault::Environment(error.message(path)))?;
    let mut text = Vec::new();
    let read = file.take(LARGEST_INDEX + 1).read_to_end(&mut text);
    read.map_err(|error| bad(format!("cannot be read: {error}")))?;
    let named = named_shards(&text).map_err(bad)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut found: Vec<PathBuf> = named.values().map(|name| folder.join(name)).collect();
    found.sort();
    found.dedup();
    match found.iter().find(|shard| !shard.is_file()) {
        Some(absent) => Err(bad(format!(
            "names the shard `{}`, which is not there",
            absent.display()
        ))),
        None => Ok(found),
    }
}

/// The name of the file that each tensor of an index is in.
///
/// # Errors
/// What is wrong with the index: it is not JSON, lacks `weight_map`, or names files elsewhere.
pub fn named_shards(text: &[u8]) -> Result<BTreeMap<String, String>, String> {
    let index: ShardIndex = serde_json::from_slice(text)
        .map_err(|_| "expected an index, a JSON object with `weight_map`".to_owned())?;
    let is_beside = |name: &str| {
        let mut parts = Path::new(name).components();
        matches!(parts.next(), Some(Component::Normal(part)) if part == name)
            && parts.next().is_none()
    };
    if index.weight_map.is_empty() {
        return Err("names no shards: its `weight_map` is empty".to_owned());
    }
    match index.weight_map.values().find(|name| !is_beside(name)) {
        Some(name) => Err(format!(
            "names the shard `{}`: expected a file beside it",
            name.escape_default()
        )),
        None => Ok(index.weight_map),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_brings_its_shards() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let index = at("model.safetensors.index.json");
        let said = |text: &str| {
            std::fs::write(&index, text).unwrap();
            let shards = shards(&index).map_err(|fault| fault.to_string());
            shards.map_err(|said| said.replace(&format!("{}/", folder.path().display()), ""))
        };
        std::fs::write(at("a"), "").unwrap();
        let both = r#"{"weight_map": {"x": "a", "y": "b", "z": "a"}}"#;
        let absent = "`model.safetensors.index.json`: names the shard `b`, which is not there";
        assert_eq!(said(both).unwrap_err(), absent);
        std::fs::write(at("b"), "").unwrap();
        assert_eq!(said(both).unwrap(), [at("a"), at("b")]);
        for name in ["../a", "/etc/passwd", "sub/a", "..", ""] {
            let text = format!(r#"{{"weight_map": {{"x": "{name}"}}}}"#);
            let expected = format!(
                "`model.safetensors.index.json`: names the shard `{name}`: expected a file beside it"
            );
            assert_eq!(said(&text).unwrap_err(), expected);
        }
        let expected = "`model.safetensors.index.json`: \
                        expected an index, a JSON object with `weight_map`";
        assert_eq!(said("[]").unwrap_err(), expected);
        let empty = said(r#"{"weight_map": {}}"#).unwrap_err();
        let expected = "`model.safetensors.index.json`: names no shards: its `weight_map` is empty";
        assert_eq!(empty, expected);
        assert_eq!(shards(&at("a")).unwrap(), [] as [PathBuf; 0]);
    }
}
