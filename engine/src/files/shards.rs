//! The index of a model in shards, as transformers writes it: `model.safetensors.index.json`
//! names the file that each tensor is in. Whoever names the index names its shards, too.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::data_file::DataFile;
use super::regular;
use crate::error::Fault;

/// What the name of an index ends in.
pub const INDEX: &str = ".safetensors.index.json";

/// The largest index that is read; those of the largest published models have a few MiB.
const LARGEST_INDEX: u64 = 64 << 20;

#[derive(Deserialize)]
struct ShardIndex {
    #[serde(deserialize_with = "entries")]
    weight_map: Vec<(String, String)>,
}

/// The entries of a map as they are written: a map of serde's would keep the last one of each name.
fn entries<'de, D: Deserializer<'de>>(map: D) -> Result<Vec<(String, String)>, D::Error> {
    struct Entries;

    impl<'de> Visitor<'de> for Entries {
        type Value = Vec<(String, String)>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the file of each tensor")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            std::iter::from_fn(|| map.next_entry().transpose()).collect()
        }
    }

    map.deserialize_map(Entries)
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
    if text.len() as u64 > LARGEST_INDEX {
        return Err(bad(too_large()));
    }
    let named = named(&text).map_err(bad)?;
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

fn too_large() -> String {
    let most = LARGEST_INDEX >> 20;
    format!("expected an index of at most {most} MiB")
}

/// The name of the file that each tensor of an index is in.
///
/// # Errors
/// What is wrong with the index: it is too large, is not JSON, lacks `weight_map`, or names files
/// elsewhere or for one tensor twice.
pub fn named_shards(index: &DataFile) -> Result<BTreeMap<String, String>, String> {
    if index.size() > LARGEST_INDEX {
        return Err(too_large());
    }
    named(&index.read_all().map_err(|error| error.to_string())?)
}

fn named(text: &[u8]) -> Result<BTreeMap<String, String>, String> {
    let index: ShardIndex = serde_json::from_slice(text)
        .map_err(|_| "expected an index, a JSON object with `weight_map`".to_owned())?;
    let is_beside = |name: &str| {
        let mut parts = Path::new(name).components();
        matches!(parts.next(), Some(Component::Normal(part)) if part == name)
            && parts.next().is_none()
    };
    let mut files = BTreeMap::new();
    for (tensor, file) in index.weight_map {
        if !is_beside(&file) {
            let shown = file.escape_default();
            return Err(format!(
                "names the shard `{shown}`: expected a file beside it"
            ));
        }
        match files.entry(tensor) {
            Entry::Vacant(place) => place.insert(file),
            Entry::Occupied(place) => {
                let shown = place.key().escape_default();
                return Err(format!("names the file of a tensor twice: `{shown}`"));
            }
        };
    }
    match files.is_empty() {
        true => Err("names no shards: its `weight_map` is empty".to_owned()),
        false => Ok(files),
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
        let twice = said(r#"{"weight_map": {"x": "a", "y": "b", "x": "b"}}"#).unwrap_err();
        let expected = "`model.safetensors.index.json`: names the file of a tensor twice: `x`";
        assert_eq!(twice, expected);
        let mut large = " ".repeat(LARGEST_INDEX as usize);
        large.insert_str(0, both);
        let expected = "`model.safetensors.index.json`: expected an index of at most 64 MiB";
        assert_eq!(said(&large).unwrap_err(), expected);
        let empty = said(r#"{"weight_map": {}}"#).unwrap_err();
        let expected = "`model.safetensors.index.json`: names no shards: its `weight_map` is empty";
        assert_eq!(empty, expected);
        assert_eq!(shards(&at("a")).unwrap(), [] as [PathBuf; 0]);
    }
}
