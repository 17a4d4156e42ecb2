//! How a model is saved where it comes from, and what is saved beside its weights: the form in
//! which other weights of the model are written.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::super::tensor_file::shown;
use super::super::tensor_header::header;
use super::super::weights_file::{Take, TakeWeights, WeightsFile, WeightsFiles};
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

    /// The files of the weights that `each` gives to its argument, some columns at a time; `stem` is
    /// what their names begin with.
    ///
    /// # Errors
    /// A bug when the layout is of other weights. Making a file fails, by the user's fault, when a
    /// weight is out of the range of its precision.
    pub(in super::super) fn files<'a>(
        &'a self,
        stem: &str,
        layout: &'a Layout,
        each: impl Fn(Range<usize>, &mut TakeWeights) -> Result<(), Fault> + Copy + 'a,
        made_by: &Metadata,
    ) -> Result<WeightsFiles<'a>, Fault> {
        let ranges: BTreeMap<&str, _> = layout
            .ranges()
            .map(|(tensor, range)| (&tensor.name[..], range))
            .collect();
        let mut files = WeightsFiles::new();
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
                let content = tensor.content(&ranges)?;
                total += content.bytes();
                index.insert(&tensor.name[..], name.clone());
                contents.push((tensor, content));
            }
            files.push(WeightsFile::new(name, move |take| {
                let tensors = contents.iter();
                let tensors = tensors.map(|(tensor, content)| {
                    let (name, dtype) = (&tensor.name[..], &tensor.dtype[..]);
                    (name, dtype, &tensor.shape[..], content.bytes())
                });
                take(&header(tensors, &metadata))?;
                let mut contents = contents.iter();
                contents.try_for_each(|(tensor, content)| match content {
                    Bytes::Weights(columns, precision) => each(columns.clone(), &mut |weights| {
                        take(&tensor.encoded(*precision, weights)?)
                    }),
                    Bytes::Rest(bytes) => self.each_rest(bytes.clone(), take),
                })
            }));
        }
        if self.files.len() > 1 {
            let index = serde_json::json!({
                "metadata": { "total_size": total }, "weight_map": index,
            });
            let text = serde_json::to_vec_pretty(&index);
            let text = text.map_err(|error| Fault::Bug(error.to_string()))?;
            let name = format!("{stem}.safetensors.index.json");
            files.push(WeightsFile::of(name, text));
        }
        Ok(files)
    }

    /// Gives some bytes of what is not a weight to `take`, block after block.
    fn each_rest(&self, bytes: Range<usize>, take: &mut Take) -> Result<(), Fault> {
        let missing = || Fault::Damaged("a block of tensors is missing".to_owned());
        let mut at = bytes.start;
        while at < bytes.end {
            let block = self.rest.get(at / BLOCK).ok_or_else(missing)?.read()?;
            let from = at % BLOCK;
            let until = BLOCK.min(from + bytes.end - at);
            take(block.get(from..until).ok_or_else(missing)?)?;
            at += until - from;
        }
        Ok(())
    }
}

/// What is written of a tensor.
enum Bytes {
    /// Some columns of the weights, in a precision.
    Weights(Range<usize>, Precision),
    /// Some bytes of the rest.
    Rest(Range<usize>),
}

impl Bytes {
    fn bytes(&self) -> usize {
        match self {
            Self::Weights(columns, precision) => columns.len() * precision.bytes(),
            Self::Rest(bytes) => bytes.len(),
        }
    }
}

impl SavedTensor {
    /// What is written of it, where tensors of weights are at these columns.
    fn content(&self, ranges: &BTreeMap<&str, Range<usize>>) -> Result<Bytes, Fault> {
        match &self.content {
            FileContent::Weights(own) => {
                let missing = || Fault::Bug(format!("no weights of `{}`", shown(own)));
                let precision = Precision::of_dtype(&self.dtype);
                let precision =
                    precision.ok_or_else(|| Fault::Bug(format!("weights of {}", self.dtype)))?;
                let columns = ranges.get(&own[..]).ok_or_else(missing)?;
                Ok(Bytes::Weights(columns.clone(), precision))
            }
            FileContent::Rest { start, bytes } => {
                let ends = [Some(*start), start.checked_add(*bytes)];
                match ends.map(|end| usize::try_from(end?).ok()) {
                    [Some(start), Some(end)] => Ok(Bytes::Rest(start..end)),
                    _ => Err(Fault::Damaged("a block of tensors is missing".to_owned())),
                }
            }
        }
    }

    fn encoded(&self, precision: Precision, weights: &[f32]) -> Result<Vec<u8>, Fault> {
        precision.encode(weights).ok_or_else(|| {
            let (name, dtype) = (shown(&self.name), &self.dtype);
            Fault::user(format!(
                "tensor `{name}` has a weight that {dtype}, in which it came, cannot hold"
            ))
        })
    }
}
