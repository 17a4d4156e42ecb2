//! Zarr stores, versions 2 and 3 of the format
//! (<https://zarr-specs.readthedocs.io/en/latest/specs.html>): a folder or a zip file.

mod array;
mod pipeline;
mod store;

use std::ops::Range;
use std::path::Path;

use engine::error::Fault;
use engine::files::DataFile;
use serde_json::Value;

use super::{Element, Source, Values, Variable, complete};
use array::Array;
use store::{LARGEST_DOCUMENT, Store, refused};

/// An open store.
pub struct Zarr {
    store: Store,
    variables: Vec<Variable>,
    /// By the place of the variable.
    arrays: Vec<Array>,
}

/// Opens a store: one zip file, or all files in the folder `root`.
///
/// # Errors
/// When it is none, or its metadata are damaged.
pub fn open(root: &Path, files: Vec<DataFile>) -> Result<Box<dyn Source>, Fault> {
    let store = match files.as_slice() {
        [file] if file.path() == root => {
            let mut magic = vec![0; file.size().min(4) as usize];
            let is_read = file.read_at(0, &mut magic).is_ok();
            if is_read && (magic.starts_with(b"CDF") || magic == *b"\x89HDF") {
                let shown = root.display().to_string();
                return Err(refused(&shown, "it is a NetCDF file").with_hint("`netcdf` reads it"));
            }
            Store::of_zip(file)?
        }
        _ => Store::of_folder(root, files),
    };
    let mut arrays = Vec::new();
    let mut variables = Vec::new();
    for (path, document, attributes) in documents(&store)? {
        let (array, variable) = Array::of(&path, arrays.len(), &document, attributes.as_ref())
            .map_err(|reason| refused(store.shown(), format!("`{path}`: {reason}")))?;
        arrays.push(array);
        variables.push(variable);
    }
    if arrays.is_empty() {
        let reason = "it holds no array: neither `zarr.json` nor `.zarray`";
        return Err(refused(store.shown(), reason));
    }
    Ok(Box::new(Zarr {
        store,
        variables: complete(variables),
        arrays,
    }))
}

impl Source for Zarr {
    fn variables(&self) -> &[Variable] {
        &self.variables
    }

    fn read(&self, variable: &Variable, part: &[Range<u64>]) -> Result<Values, Fault> {
        if let Element::Unread(_) = variable.element {
            return Ok(Values::Double(Vec::new()));
        }
        self.arrays[variable.place].read(&self.store, part)
    }

    fn together(&self, variable: &Variable, dimension: usize) -> u64 {
        self.arrays[variable.place].together(dimension)
    }
}

/// The metadata of all arrays: path, document, and the attributes beside it.
fn documents(store: &Store) -> Result<Vec<(String, Value, Option<Value>)>, Fault> {
    let parse = |key: &str| -> Result<Option<Value>, Fault> {
        let Some(bytes) = store.get(key, LARGEST_DOCUMENT)? else {
            return Ok(None);
        };
        let parsed = serde_json::from_slice(&bytes);
        let parsed = parsed.map_err(|error| refused(store.shown(), format!("`{key}`: {error}")));
        parsed.map(Some)
    };
    let mut found = Vec::new();
    for key in store.keys() {
        if let Some(path) = folder(key, "zarr.json") {
            let Some(document) = parse(key)? else {
                continue;
            };
            if document.get("node_type").and_then(Value::as_str) == Some("array") {
                found.push((path.to_owned(), document, None));
            }
        }
        if let Some(path) = folder(key, ".zarray") {
            let Some(document) = parse(key)? else {
                continue;
            };
            let beside = format!("{}.zattrs", &key[..key.len() - ".zarray".len()]);
            found.push((path.to_owned(), document, parse(&beside)?));
        }
    }
    // A store in both versions has every array twice: the newer one is taken.
    found.sort_by(|(left, a, _), (right, b, _)| {
        let version = |it: &Value| it.get("zarr_format").and_then(Value::as_u64);
        left.cmp(right).then(version(b).cmp(&version(a)))
    });
    found.dedup_by(|(left, ..), (right, ..)| left == right);
    Ok(found)
}

/// The folder of a document of this name: `obs/temp` of `obs/temp/zarr.json`.
fn folder<'k>(key: &'k str, name: &str) -> Option<&'k str> {
    let folder = key.strip_suffix(name)?;
    match folder.is_empty() {
        true => Some("array"),
        false => folder.strip_suffix('/'),
    }
}
