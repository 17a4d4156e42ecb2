//! How a model is saved where it comes from, and what is saved beside its weights: the form in
//! which other weights of the model are written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::tensor_file::shown;
use super::super::{Blob, Layout, Metadata, Parts, Precision};
use super::model::SavedModel;
use crate::error::Fault;

/// The files of a model without its weights.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    files: Vec<SavedFile>,
    has_index: bool,
    /// What is not a weight, one tensor after another, in blocks.
    #[serde(skip)]
    rest: Vec<Blob>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SavedFile {
    /// What its name ends in beside the ending, such as `-00001-of-00002`.
    end: String,
    metadata: BTreeMap<String, String>,
    tensors: Vec<SavedTensor>,
}

/// A tensor of a file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SavedTensor {
    name: String,
    shape: Vec<usize>,
    dtype: String,
    content: FileContent,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum FileContent {
    /// The weights of the tensor of this name in the layout.
    Weights(String),
    /// This many bytes of what is not a weight, from here on.
    Rest { start: u64, bytes: u64 },
}

/// How many bytes a block has at most.
const BLOCK: usize = 16 << 20;

/// What the names of the parts begin with that hold blocks.
const REST: &str = "rest.";

/// Metadata that are of the state which was saved, not of the model.
const OF_STATE: [&str; 4] = ["step", "epoch", "key", "seed"];

impl Saved {
    /// That of a model. `weights` says what a tensor of the model that holds weights is called in
    /// what is written, and which tensor of the layout it is; `renamed` what another is called.
    ///
    /// # Errors
    /// Those of reading the model and of `keep`.
    pub fn of(
        model: &SavedModel,
        weights: &BTreeMap<String, (String, String)>,
        renamed: impl Fn(&str) -> String,
        keep: impl Fn(&[u8]) -> Result<Blob, Fault>,
    ) -> Result<Self, Fault> {
        let (mut rest, mut block, mut start) = (Vec::new(), Vec::new(), 0);
        let mut files = Vec::new();
        for (file, end) in model.files().iter().zip(model.shard_ends()) {
            let mut tensors = Vec::new();
            for stored in file.tensors() {
                let name = &stored.tensor.name;
                let (name, content) = match weights.get(name) {
                    Some((written, own)) => (written.clone(), FileContent::Weights(own.clone())),
                    None => {
                        let bytes = stored.bytes;
                        let mut first = 0;
                        while first < bytes {
                            let room = (BLOCK - block.len()) as u64;
                            let count = room.min(bytes - first) as usize;
                            let from = block.len();
                            block.resize(from + count, 0);
                            file.read_bytes(name, first, &mut block[from..])?;
                            first += count as u64;
                            if block.len() == BLOCK {
                                rest.push(keep(&block)?);
                                block.clear();
                            }
                        }
                        let content = FileContent::Rest { start, bytes };
                        start += bytes;
                        (renamed(name), content)
                    }
                };
                tensors.push(SavedTensor {
                    name,
                    shape: stored.tensor.shape.clone(),
                    dtype: stored.dtype.clone(),
                    content,
                });
            }
            let mut metadata = file.metadata.clone();
            metadata.retain(|name, _| !OF_STATE.contains(&&name[..]));
            files.push(SavedFile {
                end,
                metadata,
                tensors,
            });
        }
        if !block.is_empty() {
            rest.push(keep(&block)?);
        }
        Ok(Self {
            files,
            has_index: model.has_index,
            rest,
        })
    }

    /// The same for a layout in which the tensors are called `names` says.
    #[must_use]
    pub fn relabelled(mut self, names: &BTreeMap<String, String>) -> Self {
        let tensors = self.files.iter_mut().flat_map(|file| &mut file.tensors);
        for tensor in tensors {
            if let FileContent::Weights(own) = &mut tensor.content
                && let Some(name) = names.get(own)
            {
                own.clone_from(name);
            }
        }
        self
    }

    /// Adds what it is made of to the parts of an artifact.
    ///
    /// # Errors
    /// A bug when it has no JSON form.
    pub fn add_to(&self, parts: Parts) -> Result<Parts, Fault> {
        let parts = parts.with_json("saved.json", self)?;
        let blocks = self.rest.iter().enumerate();
        Ok(blocks.fold(parts, |parts, (index, block)| {
            let name = format!("{REST}{index:06}{}", Parts::LARGE);
            parts.with_kept(&name, block.clone())
        }))
    }

    /// What was added to the parts of an artifact; none when nothing was.
    ///
    /// # Errors
    /// When it is not what [`add_to`](Self::add_to) adds.
    pub fn from_parts(parts: &Parts) -> Result<Option<Self>, Fault> {
        if !parts.has("saved.json") {
            return Ok(None);
        }
        let mut saved: Self = parts.json("saved.json")?;
        let blocks = parts.kept().filter(|(name, _)| Self::is_part(name));
        saved.rest = blocks.map(|(_, kept)| kept.clone()).collect();
        Ok(Some(saved))
    }

    /// Whether a part of an artifact is one of these.
    pub fn is_part(name: &str) -> bool {
        name.starts_with(REST)
    }

    /// The files of these weights, by name; `stem` is what their names begin with.
    ///
    /// # Errors
    /// The user's fault when a weight is out of the range of its precision.
    pub fn files(
        &self,
        stem: &str,
        layout: &Layout,
        weights: &[f32],
        made_by: &Metadata,
    ) -> Result<Vec<(String, Vec<u8>)>, Fault> {
        let ranges: BTreeMap<&str, _> = layout
            .ranges()
            .map(|(tensor, range)| (&tensor.name[..], range))
            .collect();
        let rest = self.rest.iter().map(Blob::read);
        let rest: Vec<_> = rest.collect::<Result<_, _>>()?;
        let mut files = Vec::new();
        let mut index = BTreeMap::new();
        let mut total = 0;
        for file in &self.files {
            let name = format!("{stem}{}.safetensors", file.end);
            let mut metadata = file.metadata.clone();
            // Some readers want it.
            let format = metadata.entry("format".to_owned());
            format.or_insert_with(|| "pt".to_owned());
            metadata.extend(made_by.iter().cloned());
            let mut contents = Vec::new();
            for tensor in &file.tensors {
                let bytes = match &tensor.content {
                    FileContent::Weights(own) => {
                        let range = ranges
                            .get(&own[..])
                            .and_then(|range| weights.get(range.clone()));
                        let missing = || Fault::Bug(format!("no weights of `{}`", shown(own)));
                        encoded(tensor, range.ok_or_else(missing)?)?
                    }
                    FileContent::Rest { start, bytes } => bytes_of(&rest, *start, *bytes)
                        .ok_or_else(|| {
                            Fault::Damaged("a block of tensors is missing".to_owned())
                        })?,
                };
                total += bytes.len();
                index.insert(&tensor.name[..], name.clone());
                contents.push((tensor, bytes));
            }
            files.push((name, file_of(&contents, &metadata)));
        }
        if self.files.len() > 1 {
            let index = serde_json::json!({
                "metadata": { "total_size": total }, "weight_map": index,
            });
            let text = serde_json::to_vec_pretty(&index);
            let text = text.map_err(|error| Fault::Bug(error.to_string()))?;
            files.push((format!("{stem}.safetensors.index.json"), text));
        }
        Ok(files)
    }
}

fn encoded(tensor: &SavedTensor, weights: &[f32]) -> Result<Vec<u8>, Fault> {
    let precision = Precision::of_dtype(&tensor.dtype);
    let precision = precision.ok_or_else(|| Fault::Bug(format!("weights of {}", tensor.dtype)))?;
    precision.encode(weights).ok_or_else(|| {
        let (name, dtype) = (shown(&tensor.name), &tensor.dtype);
        Fault::user(format!(
            "tensor `{name}` has a weight that {dtype}, in which it came, cannot hold"
        ))
    })
}

/// Some bytes of blocks that follow one another.
fn bytes_of(blocks: &[std::sync::Arc<[u8]>], start: u64, bytes: u64) -> Option<Vec<u8>> {
    let (mut at, end) = (
        usize::try_from(start).ok()?,
        usize::try_from(start + bytes).ok()?,
    );
    let mut found = Vec::with_capacity(end - at);
    while at < end {
        let block = blocks.get(at / BLOCK)?;
        let from = at % BLOCK;
        let until = BLOCK.min(from + end - at);
        found.extend_from_slice(block.get(from..until)?);
        at += until - from;
    }
    Some(found)
}

/// A safetensors file of these tensors, in their order.
fn file_of(tensors: &[(&SavedTensor, Vec<u8>)], metadata: &BTreeMap<String, String>) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    if !metadata.is_empty() {
        header.insert("__metadata__".to_owned(), serde_json::json!(metadata));
    }
    let mut end = 0;
    for (tensor, bytes) in tensors {
        let start = end;
        end += bytes.len();
        let entry = serde_json::json!({
            "dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [start, end],
        });
        header.insert(tensor.name.clone(), entry);
    }
    let mut text = serde_json::Value::Object(header).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut file = (text.len() as u64).to_le_bytes().to_vec();
    file.append(&mut text);
    for (_, bytes) in tensors {
        file.extend_from_slice(bytes);
    }
    file
}
