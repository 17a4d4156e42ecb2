//! One model as it was saved at one time: a file, or shards with or without an index.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::super::tensor_file::{StoredTensor, shown};
use super::super::{Layout, Precision, TensorFile};
use super::open::open_parts;
use crate::error::Fault;
use crate::files::{self, DataFile, Files, INDEX, named_shards};

/// What the name of a file of tensors ends in.
const ENDING: &str = ".safetensors";

/// The tensors of one model.
#[derive(Clone, Debug)]
pub struct SavedModel {
    /// Its path below what all models of a path share, without the number of a shard and the
    /// ending: `checkpoint-10/model`.
    pub name: String,
    /// Whether the path leaves each character of the name open, as a `*` does.
    pub(super) open: Vec<bool>,
    files: Vec<TensorFile>,
    /// Which of the files each tensor is in.
    places: BTreeMap<String, usize>,
    /// Whether an index came with its shards.
    pub has_index: bool,
}

/// The files of one model before they are read.
#[derive(Default)]
struct ModelFiles {
    open: Vec<bool>,
    index: Option<BTreeMap<String, String>>,
    shards: Vec<(Option<Shard>, DataFile)>,
}

/// Which of how many shards.
type Shard = (u64, u64);

impl SavedModel {
    /// Opens the models behind a path, in the order of their names: one file, an index, what a
    /// pattern matches, or all of a folder.
    ///
    /// # Errors
    /// The user's fault when there are none, one is not a whole safetensors file, or shards are
    /// missing, overlap or differ from their index.
    pub fn open_all(path: &Path, files: &Files) -> Result<Vec<Self>, Fault> {
        let groups = groups(path, files)?;
        let models = groups
            .into_iter()
            .map(|(name, group)| Self::of(name, group));
        models.collect()
    }

    /// The first of them, as many as have headers of no more bytes than these together.
    ///
    /// # Errors
    /// As [`open_all`](Self::open_all), of those that are opened.
    pub fn open_until(path: &Path, files: &Files, most: u64) -> Result<Vec<Self>, Fault> {
        let mut bytes = 0_u64;
        let mut models = Vec::new();
        for (name, group) in groups(path, files)? {
            let headers = group
                .shards
                .iter()
                .map(|(_, file)| TensorFile::header_bytes(file));
            bytes = headers.fold(bytes, u64::saturating_add);
            if bytes > most {
                break;
            }
            models.push(Self::of(name, group)?);
        }
        Ok(models)
    }

    fn of(name: String, group: ModelFiles) -> Result<Self, Fault> {
        let ModelFiles {
            open,
            index,
            mut shards,
        } = group;
        shards.sort_by(|(one, a), (other, b)| (one, a.path()).cmp(&(other, b.path())));
        // An index says itself what must be there.
        if index.is_none() {
            expect_all_shards(&shards)?;
        }
        let opened = shards
            .into_iter()
            .map(|(_, file)| TensorFile::read_header(file));
        let mut model = Self {
            name,
            open,
            files: opened.collect::<Result<_, _>>()?,
            places: BTreeMap::new(),
            has_index: index.is_some(),
        };
        for (at, file) in model.files.iter().enumerate() {
            for stored in file.tensors() {
                if let Some(other) = model.places.insert(stored.tensor.name.clone(), at) {
                    return Err(Fault::user(format!(
                        "tensor `{}` is in two shards: `{}` and `{}`",
                        shown(&stored.tensor.name),
                        model.files[other].path().display(),
                        file.path().display()
                    )));
                }
            }
        }
        match index {
            Some(index) => model.expect_indexed(&index).map(|()| model),
            None => Ok(model),
        }
    }

    fn expect_indexed(&self, index: &BTreeMap<String, String>) -> Result<(), Fault> {
        for (name, shard) in index {
            let file = self.file_of(name);
            let found = file.and_then(|file| file.path().file_name());
            if found != Some(shard.as_ref()) {
                return Err(Fault::user(format!(
                    "the index of `{}` wants tensor `{}` in `{}`, where it is not",
                    self.name,
                    shown(name),
                    shown(shard)
                )));
            }
        }
        Ok(())
    }

    /// Whether the path leaves each character of the name open.
    pub fn open(&self) -> &[bool] {
        &self.open
    }

    /// Its files, one or all shards.
    pub fn files(&self) -> &[TensorFile] {
        &self.files
    }

    /// The path of its first file.
    pub fn path(&self) -> &Path {
        self.files.first().map_or(Path::new(""), TensorFile::path)
    }

    /// The end of a file's name that tells it from other shards: `-00001-of-00002`; empty for one
    /// file.
    pub(super) fn shard_ends(&self) -> Vec<String> {
        let count = self.files.len();
        match count {
            1 => vec![String::new()],
            _ => (1..=count)
                .map(|at| format!("-{at:05}-of-{count:05}"))
                .collect(),
        }
    }

    /// What the metadata of its files say under a name.
    pub fn metadata(&self, name: &str) -> Option<&str> {
        let mut files = self.files.iter();
        files.find_map(|file| file.metadata.get(name).map(String::as_str))
    }

    /// All tensors, file after file, each in the order of its bytes.
    pub fn tensors(&self) -> impl Iterator<Item = &StoredTensor> {
        self.files.iter().flat_map(TensorFile::tensors)
    }

    /// Whether neither its metadata nor its name can say a step.
    pub fn says_no_step(&self) -> bool {
        let has_digit = self.name.contains(|c: char| c.is_ascii_digit());
        !has_digit && self.metadata("step").is_none()
    }

    /// The tensor of a name.
    pub fn tensor(&self, name: &str) -> Option<&StoredTensor> {
        let file = self.file_of(name)?;
        file.find_stored(name)
    }

    /// The tensor of a name, and which of the files it is in.
    pub(in super::super) fn place(&self, name: &str) -> Option<(usize, &StoredTensor)> {
        let place = *self.places.get(name)?;
        Some((place, self.files.get(place)?.find_stored(name)?))
    }

    /// Fills `bytes` with those of a tensor, from one of them on, as they are stored.
    ///
    /// # Errors
    /// As [`TensorFile::read_bytes`].
    pub fn read_bytes(&self, name: &str, first: u64, bytes: &mut [u8]) -> Result<(), Fault> {
        self.file(name)?.read_bytes(name, first, bytes)
    }

    /// Writes some of the weights over `bytes`, as numbers of a precision. `names` are the names
    /// that the tensors of the layout have here.
    ///
    /// # Errors
    /// As [`TensorFile::read_part`].
    pub fn read<N: AsRef<str>>(
        &self,
        layout: &Layout,
        names: &[N],
        columns: &Range<usize>,
        precision: Precision,
        bytes: &mut [u8],
    ) -> Result<(), Fault> {
        let mut named = layout.clone();
        for (tensor, name) in named.tensors.iter_mut().zip(names) {
            name.as_ref().clone_into(&mut tensor.name);
        }
        named.read_parts(columns, precision, bytes, |tensor, part, to| {
            self.file(&tensor.name)?
                .read_part(tensor, part, precision, to)
        })
    }

    fn file_of(&self, name: &str) -> Option<&TensorFile> {
        self.files.get(*self.places.get(name)?)
    }

    fn file(&self, name: &str) -> Result<&TensorFile, Fault> {
        self.file_of(name).ok_or_else(|| {
            let (path, name) = (self.path().display(), shown(name));
            Fault::user(format!("`{path}`: tensor `{name}` is missing"))
        })
    }
}

/// The names of the models behind a path, each with what the path leaves open of it; nothing is
/// opened.
///
/// # Errors
/// When a folder cannot be listed or nothing matches.
pub fn model_names(path: &Path) -> Result<Vec<(String, Vec<bool>)>, Fault> {
    let entries: BTreeSet<PathBuf> = files::entries(path)?.into_iter().collect();
    let found = files::matching(path)?;
    let found = found.iter().filter(|file| is_wanted(file, &entries));
    let mut names = BTreeMap::new();
    for file in found {
        let (name, _, open) = name_of(file, path);
        // Of an index and its shards, those that the pattern itself names come first.
        if !names.contains_key(&name) || entries.contains(file) {
            names.insert(name, open);
        }
    }
    Ok(names.into_iter().collect())
}

fn groups(path: &Path, files: &Files) -> Result<BTreeMap<String, ModelFiles>, Fault> {
    let entries = files::entries(path).map_err(|fault| Fault::user(fault.to_string()))?;
    let entries: BTreeSet<PathBuf> = entries.into_iter().collect();
    let opened = files.open_all(path)?;
    let mut groups: BTreeMap<String, ModelFiles> = BTreeMap::new();
    let mut claimed: BTreeMap<PathBuf, String> = BTreeMap::new();
    for file in opened.iter().filter(|file| is_index(file.path())) {
        let (name, _, open) = name_of(file.path(), path);
        let shown = file.path().display();
        let bad = |what: String| Fault::user(format!("`{shown}`: {what}"));
        let index = named_shards(file).map_err(bad)?;
        for shard in index.values() {
            claimed.insert(file.path().with_file_name(shard), name.clone());
        }
        let group = groups.entry(name).or_default();
        (group.open, group.index) = (open, Some(index));
    }
    let wanted = opened
        .iter()
        .filter(|file| is_wanted(file.path(), &entries));
    for file in wanted.filter(|file| !is_index(file.path())) {
        let (name, shard, open) = name_of(file.path(), path);
        let name = claimed.get(file.path()).cloned().unwrap_or(name);
        let group = groups.entry(name).or_default();
        if group.shards.is_empty() && (group.index.is_none() || entries.contains(file.path())) {
            group.open = open;
        }
        group.shards.push((shard, file.clone()));
    }
    match groups.is_empty() {
        false => Ok(groups),
        true => Err(nothing_in(path, &opened)),
    }
}

/// Why a folder holds no models: what it holds, where that is known.
fn nothing_in(path: &Path, opened: &[DataFile]) -> Fault {
    let known = [
        "pt", "pth", "bin", "ckpt", "h5", "keras", "npz", "npy", "gguf", "onnx", "msgpack",
        "distcp",
    ];
    let foreign = opened.iter().find(|file| {
        let extension = file.path().extension().and_then(|end| end.to_str());
        extension.is_some_and(|end| known.contains(&end))
    });
    let foreign = foreign.map(|file| TensorFile::read_header(file.clone()));
    match foreign {
        Some(Err(fault)) => fault,
        _ => Fault::user(format!("`{}` holds no safetensors files", path.display())),
    }
}

fn is_index(path: &Path) -> bool {
    path.to_string_lossy().ends_with(INDEX)
}

/// Whether a file is asked for: by its own name, or as one of a folder that can hold tensors.
fn is_wanted(path: &Path, entries: &BTreeSet<PathBuf>) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_ours = (name.ends_with(ENDING) || name.ends_with(INDEX)) && !name.starts_with('.');
    is_ours || entries.contains(path)
}

/// The name of the model that a file belongs to, which shard it is, and what a path leaves open.
fn name_of(file: &Path, path: &Path) -> (String, Option<Shard>, Vec<bool>) {
    let root = files::root(path);
    let below = |path: &Path| -> Vec<String> {
        let below = path.strip_prefix(root).unwrap_or(path);
        let parts = below.components();
        parts
            .map(|part| part.as_os_str().to_string_lossy().into_owned())
            .collect()
    };
    let parts = below(file);
    let pattern = match path.exists() {
        true => Vec::new(),
        false => below(path),
    };
    let whole = parts.join("/");
    let mut open = open_parts(&pattern, &parts);
    let stem = whole.strip_suffix(INDEX).unwrap_or(&whole);
    let stem = stem.strip_suffix(ENDING).unwrap_or(stem);
    let (name, shard) = match shard_of(stem) {
        Some((name, shard)) => (name, Some(shard)),
        None => (stem, None),
    };
    open.truncate(name.chars().count());
    (name.to_owned(), shard, open)
}

/// `model-00002-of-00003` as `model` and 2 of 3.
fn shard_of(stem: &str) -> Option<(&str, Shard)> {
    let (rest, total) = stem.rsplit_once("-of-")?;
    let digits = rest.len() - rest.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let (name, number) = rest.split_at(rest.len() - digits);
    let is_number = total.bytes().all(|byte| byte.is_ascii_digit());
    let shard = (
        number.parse().ok()?,
        total.parse().ok().filter(|_| is_number)?,
    );
    Some((name.trim_end_matches(['-', '_', '.']), shard))
}

/// That the numbers of shards are 1 to their total, each once.
fn expect_all_shards(shards: &[(Option<Shard>, DataFile)]) -> Result<(), Fault> {
    let path = |at: usize| shards[at].1.path().display();
    // Those without a number come first.
    if let [(None, _), .., (Some(_), _)] = shards {
        let (one, other) = (path(0), path(shards.len() - 1));
        let message = format!("`{one}` and the shard `{other}` are of one name");
        return Err(Fault::user(message).with_hint("name one of them by the pattern"));
    }
    for (at, (shard, _)) in shards.iter().enumerate() {
        let Some((number, total)) = shard else {
            continue;
        };
        let expected = at as u64 + 1;
        if *number != expected || *total != shards.len() as u64 {
            return Err(Fault::user(match *number == expected {
                true if *total > shards.len() as u64 => format!(
                    "`{}` is one of {total} shards, {} are there",
                    path(at),
                    shards.len()
                ),
                // Those up to the total are there.
                true => format!(
                    "`{}`: there is no such shard of {total}",
                    path(shards.len() - 1)
                ),
                _ => format!("`{}`: shard {expected} of {total} is missing", path(at)),
            }));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::super::Tensor;
    use super::*;

    fn write(path: &Path, tensors: &[(&str, &[f32])]) {
        let layout = Layout {
            tensors: tensors
                .iter()
                .map(|(name, numbers)| Tensor {
                    name: (*name).to_owned(),
                    shape: vec![numbers.len()],
                })
                .collect(),
        };
        let weights: Vec<f32> = tensors.iter().flat_map(|(_, it)| it.to_vec()).collect();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, layout.to_safetensors(&weights, []).unwrap()).unwrap();
    }

    struct Place(tempfile::TempDir);

    impl Place {
        fn at(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn names(&self, path: &str) -> Result<Vec<String>, String> {
            let models = SavedModel::open_all(&self.at(path), &Files::unchecked());
            let names = models.map(|models| models.into_iter().map(|model| model.name).collect());
            names.map_err(|fault| {
                let folder = format!("{}/", self.0.path().display());
                fault.to_string().replace(&folder, "")
            })
        }
    }

    #[test]
    fn a_model_is_a_file_or_its_shards_wherever_they_are() {
        let place = Place(tempfile::tempdir().unwrap());
        for step in [10, 20] {
            let at = |name: &str| place.at(&format!("checkpoint-{step}/{name}.safetensors"));
            write(&at("model-00001-of-00002"), &[("a", &[1.0, 2.0])]);
            write(&at("model-00002-of-00002"), &[("b", &[3.0])]);
            let index = r#"{"weight_map": {"a": "model-00001-of-00002.safetensors",
                                            "b": "model-00002-of-00002.safetensors"}}"#;
            fs::write(at("model").with_extension("safetensors.index.json"), index).unwrap();
        }
        fs::write(place.at("checkpoint-10/optimizer.pt"), "PK").unwrap();
        let both = ["checkpoint-10/model", "checkpoint-20/model"];
        for path in [
            "",
            "checkpoint-*",
            "checkpoint-*/model-*.safetensors",
            "checkpoint-*/model.safetensors.index.json",
            "*/*.safetensors",
        ] {
            assert_eq!(place.names(path).unwrap(), both, "{path}");
            let names = model_names(&place.at(path)).unwrap();
            let names: Vec<&str> = names.iter().map(|(name, _)| &name[..]).collect();
            assert_eq!(names, both, "{path}");
        }
        let one = "checkpoint-10/model.safetensors.index.json";
        assert_eq!(place.names(one).unwrap(), ["model"]);
        let models = SavedModel::open_all(&place.at(one), &Files::unchecked()).unwrap();
        let layout = Layout {
            tensors: models[0].tensors().map(|it| it.tensor.clone()).collect(),
        };
        let mut bytes = [0; 8];
        let read = models[0].read(&layout, &["a", "b"], &(1..3), Precision::F32, &mut bytes);
        read.unwrap();
        assert_eq!(
            bytes,
            [2_f32.to_le_bytes(), 3_f32.to_le_bytes()].concat()[..]
        );
    }

    #[test]
    fn shards_that_do_not_fit_together_are_refused() {
        let place = Place(tempfile::tempdir().unwrap());
        let shard = |at: u32| place.at(&format!("m-0000{at}-of-00003.safetensors"));
        write(&shard(1), &[("a", &[1.0])]);
        let refused = || place.names("m-*.safetensors").unwrap_err();
        let first = "`m-00001-of-00003.safetensors` is one of 3 shards, 1 are there";
        assert_eq!(refused(), first);
        write(&shard(3), &[("c", &[1.0])]);
        let two = "`m-00001-of-00003.safetensors` is one of 3 shards, 2 are there";
        assert_eq!(refused(), two);
        write(&shard(2), &[("a", &[1.0])]);
        let twice = "tensor `a` is in two shards: `m-00001-of-00003.safetensors` \
                     and `m-00002-of-00003.safetensors`";
        assert_eq!(refused(), twice);
        write(&shard(2), &[("b", &[1.0])]);
        assert_eq!(place.names("m-*.safetensors").unwrap(), ["m"]);
        write(&shard(4), &[("d", &[1.0])]);
        let more = "`m-00004-of-00003.safetensors`: there is no such shard of 3";
        assert_eq!(refused(), more);
        fs::remove_file(shard(4)).unwrap();
        write(&place.at("m.safetensors"), &[("a", &[1.0])]);
        let both = "`m.safetensors` and the shard `m-00003-of-00003.safetensors` are of one name";
        assert_eq!(place.names("m*.safetensors").unwrap_err(), both);
        fs::remove_file(place.at("m.safetensors")).unwrap();
        let index = r#"{"weight_map": {"b": "m-00001-of-00003.safetensors"}}"#;
        fs::write(place.at("m.safetensors.index.json"), index).unwrap();
        assert_eq!(
            place.names("m.safetensors.index.json").unwrap_err(),
            "the index of `m` wants tensor `b` in `m-00001-of-00003.safetensors`, where it is not"
        );
    }
}
