//! Which files `@name/…` means, for the experiments of one project.
//!
//! Nothing is read until a text names a package. `@a/@b/x.farcast` is a file of the package that `a`
//! calls `b`: each package has its own dependencies, so two versions of one package can be used at
//! once.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use dsl::check::{Missing, folder};
use dsl::nearest;
use serde::{Deserialize, Serialize};

use super::cache::{self, cached};
use super::lock::{LOCK, Lock};
use super::manifest::{MANIFEST, Manifest, Source, name_fault};
use super::tree::Index;
use crate::digest::Digest;
use crate::files;
use crate::path_text::{path_text, text_path};
use crate::store::project_file;

/// The packages that the experiments of a project may use.
#[derive(Debug, Default)]
pub struct Packages {
    /// The folder of the `farcast.toml`, unless there is none.
    project: Option<PathBuf>,
    /// What a run used, by prefix: these trees are taken, whatever the lock says now.
    kept: BTreeMap<String, PackageRecord>,
    /// Manifest and lock, as they are or as somebody tries them.
    named: OnceLock<Result<(Manifest, Lock), Missing>>,
    opened: Mutex<BTreeMap<String, Result<Arc<Opened>, Missing>>>,
    /// Which file of a dependency defines a name.
    offered: OnceLock<BTreeMap<String, String>>,
}

/// A package that is there.
#[derive(Clone, Debug)]
pub struct Opened {
    /// What it is.
    pub record: PackageRecord,
    /// The folder of its files, absolute.
    pub folder: PathBuf,
    /// Its files; none for a folder that is read as it is.
    pub index: Option<Index>,
    /// What it says of itself, and its dependencies.
    pub manifest: Manifest,
}

/// What a run says of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageRecord {
    /// What whoever uses it calls it.
    pub name: String,
    /// Its version, as it says itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Where it came from.
    pub source: String,
    /// The commit; empty for what is not a repository.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub commit: String,
    /// The digest of its files; none for a folder that was read as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tree: Option<Digest>,
}

fn missing(message: impl Into<String>, hint: impl Into<String>) -> Missing {
    let hint: String = hint.into();
    Missing {
        message: message.into(),
        hints: if hint.is_empty() {
            Vec::new()
        } else {
            vec![hint]
        },
    }
}

const FETCH: &str = "run `farcast fetch`";

impl Packages {
    /// Those of the project with what is at this path.
    pub fn near(path: &Path) -> Self {
        let file = project_file(path);
        Self {
            project: file.and_then(|file| Some(file.parent()?.to_owned())),
            ..Self::default()
        }
    }

    /// Those of a project, with another manifest and lock than it has.
    pub fn tried(project: &Path, manifest: Manifest, lock: Lock) -> Self {
        Self {
            project: Some(project.to_owned()),
            named: OnceLock::from(Ok((manifest, lock))),
            ..Self::default()
        }
    }

    /// Those that a run near this path used.
    pub fn kept(path: &Path, records: &BTreeMap<String, PackageRecord>) -> Self {
        Self {
            kept: records.clone(),
            ..Self::near(path)
        }
    }

    /// Manifest and lock.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn named(&self) -> Result<&(Manifest, Lock), Missing> {
        let named = self.named.get_or_init(|| {
            let Some(project) = &self.project else {
                return Err(missing(
                    format!("there is no `{MANIFEST}`, which names the packages"),
                    "`farcast add NAME --git URL` writes it",
                ));
            };
            read_named(project)
        });
        named.as_ref().map_err(Clone::clone)
    }

    /// The package of a path such as `@ocean/@common/sea.farcast`.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn open(&self, path: &str) -> Result<Arc<Opened>, Missing> {
        let (prefix, _) = split(path);
        let found = self.opened().get(prefix).cloned();
        if let Some(found) = found {
            return found;
        }
        let opened = self.find(prefix).map(Arc::new);
        self.opened().insert(prefix.to_owned(), opened.clone());
        opened
    }

    fn opened(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Result<Arc<Opened>, Missing>>> {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, prefix: &str) -> Result<Opened, Missing> {
        if let Some(record) = self.kept.get(prefix)
            && let Some(tree) = &record.tree
            && let Some((folder, index)) = self.tree(tree)
        {
            return open_tree(record.clone(), folder, index);
        }
        let (parent, name) = match prefix.rfind("/@") {
            Some(at) => (Some(self.open(&prefix[..at])?), &prefix[at + 2..]),
            None => (None, prefix.trim_start_matches('@')),
        };
        let manifest = match &parent {
            Some(parent) => &parent.manifest,
            None => &self.named()?.0,
        };
        let Some(dependency) = manifest.dependencies.get(name) else {
            let whose = match &parent {
                Some(parent) => format!("package `{}`", parent.record.name),
                None => format!("`{MANIFEST}`"),
            };
            let near = nearest(name, manifest.dependencies.keys().map(String::as_str));
            if name_fault(name).is_some() {
                let message = format!("`{name}` is not the name of a package");
                return Err(missing(
                    message,
                    "write `use \"@ocean/file.farcast\" as ocean`",
                ));
            }
            let hint = match near {
                Some(near) => format!("did you mean `@{near}`?"),
                None => format!("`farcast add {name} --git URL` adds it"),
            };
            return Err(missing(format!("{whose} has no dependency `{name}`"), hint));
        };
        let source = dependency.source.to_string();
        let record = PackageRecord {
            name: name.to_owned(),
            version: String::new(),
            source: source.clone(),
            commit: String::new(),
            tree: None,
        };
        let locked = self.named()?.1.packages.get(&source);
        if let Source::Path(path) = &dependency.source {
            // A bundle has the folders of others in its `vendor`.
            if let Some(locked) = locked.filter(|_| parent.is_none())
                && let Some((folder, index)) = self.tree(&locked.tree)
            {
                let tree = Some(locked.tree);
                return open_tree(PackageRecord { tree, ..record }, folder, index);
            }
            return self.beside(parent.as_deref(), path, record);
        }
        let Some(locked) = locked else {
            return Err(missing(format!("`{LOCK}` has no `{source}`"), FETCH));
        };
        let record = PackageRecord {
            commit: locked.commit.clone(),
            tree: Some(locked.tree),
            ..record
        };
        let Some((folder, index)) = self.tree(&locked.tree) else {
            return Err(missing(
                format!("package `{name}` is not fetched yet"),
                FETCH,
            ));
        };
        open_tree(record, folder, index)
    }

    /// The files of a tree, in `vendor` or the cache.
    fn tree(&self, tree: &Digest) -> Option<(PathBuf, Index)> {
        let project = self.project.as_deref().unwrap_or(Path::new(""));
        cache::places(project, tree).into_iter().find_map(|folder| {
            let index = cache::index(&folder, tree)?;
            Some((std::path::absolute(&folder).unwrap_or(folder), index))
        })
    }

    /// The package in a folder beside the project, or inside the package that names it.
    fn beside(
        &self,
        parent: Option<&Opened>,
        path: &str,
        record: PackageRecord,
    ) -> Result<Opened, Missing> {
        let base = match parent {
            Some(parent) => &parent.folder,
            None => self.project.as_deref().unwrap_or(Path::new("")),
        };
        if let Some(parent) = parent
            && let Some(index) = &parent.index
        {
            let inside = dsl::check::join("", path);
            if path.starts_with('/') || inside.starts_with("..") {
                return Err(missing(
                    format!(
                        "package `{}` names the folder `{path}` outside of itself",
                        parent.record.name
                    ),
                    "its authors have to publish that folder, too",
                ));
            }
            let prefix = format!("{inside}/");
            let files = index
                .files
                .iter()
                .filter_map(|(path, entry)| Some((path.strip_prefix(&prefix)?.to_owned(), *entry)));
            let index = Index {
                files: files.collect(),
            };
            return open_tree(record, base.join(text_path(&inside)), index);
        }
        let folder = base.join(text_path(path));
        if !folder.is_dir() {
            let message = format!("package `{}`: there is no folder `{path}`", record.name);
            return Err(missing(
                message,
                format!("the path starts at the folder of `{MANIFEST}`"),
            ));
        }
        let manifest = match read_file(&folder.join(MANIFEST)) {
            Ok(None) => Manifest::default(),
            Ok(Some(text)) => parsed(&text, &path_text(&folder.join(MANIFEST)))?,
            Err(message) => return Err(missing(message, "")),
        };
        let folder = folder.canonicalize().unwrap_or(folder);
        Ok(Opened {
            record: PackageRecord {
                version: version(&manifest),
                ..record
            },
            folder,
            index: None,
            manifest,
        })
    }

    /// The text of a file of a package; none when that is read as it is, like any other file.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn text(&self, path: &str) -> Option<Result<String, String>> {
        let opened = match self.open(path) {
            Ok(opened) => opened,
            Err(missing) => return Some(Err(missing.message)),
        };
        let index = opened.index.as_ref()?;
        let (_, inside) = split(path);
        if !inside.ends_with(".farcast") {
            return Some(Err(format!("`{path}` is not a `.farcast` file")));
        }
        if !index.files.contains_key(inside) {
            let files = index.files.keys().map(String::as_str);
            let texts = files.filter(|file| file.ends_with(".farcast"));
            let near = nearest(inside, texts);
            let near = near.map_or(String::new(), |near| format!("; did you mean `{near}`?"));
            return Some(Err(format!("the package has no file `{inside}`{near}")));
        }
        let bytes = cache::read(&opened.folder, index, inside);
        Some(bytes.and_then(|bytes| {
            String::from_utf8(bytes).map_err(|_| format!("`{path}` is not text in UTF-8"))
        }))
    }

    /// The file or folder on disk of a path in a package.
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn place(&self, path: &str) -> Result<PathBuf, Missing> {
        let (prefix, inside) = split(path);
        match self.open(path) {
            Ok(opened) => Ok(opened.folder.join(text_path(inside))),
            // Its texts are there; a missing file is reported when it is read.
            Err(missing) => match self.kept.get(prefix).map(|kept| kept.tree) {
                Some(tree) => {
                    let folder = tree.and_then(|tree| cached(&tree));
                    Ok(folder
                        .unwrap_or_else(|| prefix.into())
                        .join(text_path(inside)))
                }
                None => Err(missing),
            },
        }
    }

    /// Verifies the files of a package that are at this path, a pattern of paths or a folder; other
    /// paths are not of its business.
    ///
    /// # Errors
    /// The first that is not what was fetched.
    pub fn verify(&self, path: &str) -> Result<(), String> {
        let real = text_path(path);
        let opened: Vec<Arc<Opened>> = self.opened().values().flatten().cloned().collect();
        for opened in opened {
            let (Some(index), Ok(inside)) = (&opened.index, real.strip_prefix(&opened.folder))
            else {
                continue;
            };
            let inside = path_text(inside);
            let literal = inside
                .split(['*', '?', '[', '{'])
                .next()
                .unwrap_or_default();
            let mut files = index.files.keys().filter(|file| file.starts_with(literal));
            files.try_for_each(|file| cache::verify(&opened.folder, index, file))?;
        }
        Ok(())
    }

    /// A path as the texts of packages write it: `@ocean/data/sea.nc` for the file in the cache.
    pub fn shown(&self, path: &str) -> String {
        let opened = self.opened();
        let real = text_path(path);
        let found = opened.iter().find_map(|(prefix, opened)| {
            let inside = real.strip_prefix(&opened.as_ref().ok()?.folder).ok()?;
            Some(format!("{prefix}/{}", path_text(inside)))
        });
        found.unwrap_or_else(|| path.to_owned())
    }

    /// What a run says of the packages that these texts come from.
    pub fn records<'p>(
        &self,
        paths: impl Iterator<Item = &'p str>,
    ) -> BTreeMap<String, PackageRecord> {
        let mut records = BTreeMap::new();
        for path in paths.filter(|path| path.starts_with('@')) {
            let (prefix, _) = split(path);
            let found = self.open(path).map(|opened| opened.record.clone());
            if let Some(record) = found.ok().or_else(|| self.kept.get(prefix).cloned()) {
                records.insert(prefix.to_owned(), record);
            }
        }
        records
    }
}

fn open_tree(record: PackageRecord, folder: PathBuf, index: Index) -> Result<Opened, Missing> {
    let manifest = match index.files.contains_key(MANIFEST) {
        false => Manifest::default(),
        true => {
            let bytes = cache::read(&folder, &index, MANIFEST);
            let bytes = bytes.map_err(|message| missing(message, FETCH))?;
            let name = format!("@{}/{MANIFEST}", record.name);
            parsed(&String::from_utf8_lossy(&bytes), &name)?
        }
    };
    Ok(Opened {
        record: PackageRecord {
            version: version(&manifest),
            ..record
        },
        folder,
        index: Some(index),
        manifest,
    })
}

fn version(manifest: &Manifest) -> String {
    let about = manifest.about.as_ref();
    about.map_or_else(String::new, |about| about.version.clone())
}

/// The prefix of a path, `@a/@b`, and the path inside that package.
pub fn split(path: &str) -> (&str, &str) {
    let mut end = 0;
    for part in path.split('/') {
        if !part.starts_with('@') {
            break;
        }
        end += part.len() + 1;
    }
    match end {
        0 => ("", path),
        end => (&path[..end - 1], path.get(end..).unwrap_or_default()),
    }
}

/// The largest manifest or lock that is read.
const LARGEST: u64 = 4 << 20;

/// The text of a file; none when it is not there.
pub fn read_file(path: &Path) -> Result<Option<String>, String> {
    let file = match files::open(path) {
        Ok(file) => file,
        Err(files::NotOpened::Missing) => return Ok(None),
        Err(other) => return Err(other.message(path)),
    };
    let mut text = String::new();
    let read = file.take(LARGEST).read_to_string(&mut text);
    read.map_err(|error| format!("`{}`: {error}", path.display()))?;
    Ok(Some(text))
}

/// A manifest, or its first mistake.
fn parsed(text: &str, shown: &str) -> Result<Manifest, Missing> {
    Manifest::parse(text).map_err(|found| {
        let first = found.into_iter().next();
        let Some(first) = first else {
            return missing(format!("`{shown}` cannot be read"), "");
        };
        let at = first
            .labels
            .first()
            .map_or(0, |label| label.span.start as usize);
        let line = 1 + text[..at.min(text.len())].matches('\n').count();
        Missing {
            message: format!("`{shown}`, line {line}: {}", first.message),
            hints: first.hints,
        }
    })
}

/// Manifest and lock of a project.
pub fn read_named(project: &Path) -> Result<(Manifest, Lock), Missing> {
    let read = |name: &str| {
        let read = read_file(&project.join(name));
        read.map_err(|message| missing(message, ""))
    };
    let manifest = match read(MANIFEST)? {
        Some(text) => parsed(&text, MANIFEST)?,
        None => Manifest::default(),
    };
    let lock = match read(LOCK)? {
        Some(text) => {
            Lock::parse(&text).map_err(|why| missing(format!("`{LOCK}`, {why}"), FETCH))?
        }
        None => Lock::default(),
    };
    Ok((manifest, lock))
}

impl Packages {
    /// The file of a dependency that defines a name, as `use` writes it.
    pub fn offers(&self, name: &str) -> Option<String> {
        self.offered
            .get_or_init(|| self.all_names())
            .get(name)
            .cloned()
    }

    /// Every name that a dependency defines, with its file; of several, the first.
    fn all_names(&self) -> BTreeMap<String, String> {
        /// Packages with more texts than these are data, not definitions.
        const MOST: usize = 100;
        let mut found = BTreeMap::new();
        let manifest = self.named().map(|(manifest, _)| manifest);
        for dependency in manifest.iter().flat_map(|it| it.dependencies.keys()) {
            let Ok(opened) = self.open(&format!("@{dependency}")) else {
                continue;
            };
            let mut files: Vec<String> = match &opened.index {
                Some(index) => index.files.keys().cloned().collect(),
                None => { fs::read_dir(&opened.folder).into_iter().flatten().flatten() }
                    .map(|entry| path_text(Path::new(&entry.file_name())))
                    .collect(),
            };
            files.retain(|file| file.ends_with(".farcast"));
            files.sort_by_key(|file| (file != "lib.farcast", file.clone()));
            for file in files.iter().take(MOST) {
                let path = format!("@{dependency}/{file}");
                let text = match self.text(&path) {
                    Some(text) => text.ok(),
                    None => read_file(&opened.folder.join(text_path(file)))
                        .ok()
                        .flatten(),
                };
                let used = match file.as_str() {
                    "lib.farcast" => format!("@{dependency}"),
                    _ => path,
                };
                for name in super::interface::names(&text.unwrap_or_default()) {
                    found.entry(name).or_insert_with(|| used.clone());
                }
            }
        }
        found
    }

    /// The folder on disk of a path in a package, as the checker wants it: empty or with a `/`.
    pub fn folder_of(&self, path: &str) -> Result<String, Missing> {
        let place = self.place(folder(path).trim_end_matches('/'))?;
        Ok(format!("{}/", path_text(&place).trim_end_matches('/')))
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn prefixes_are_the_packages() {
        assert_eq!(split("@a/x/y.farcast"), ("@a", "x/y.farcast"));
        assert_eq!(split("@a/@b/y.farcast"), ("@a/@b", "y.farcast"));
        assert_eq!(split("@a"), ("@a", ""));
        assert_eq!(split("a/@b"), ("", "a/@b"));
    }
}
