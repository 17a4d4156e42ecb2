//! Where packages are kept: one folder for each tree, with its index beside it.
//!
//! `<cache>/packages/<tree>/` and `<cache>/packages/<tree>.index`; in a project's `vendor/`, the
//! name goes before the start of the digest. The index digests to the tree, and every file that is
//! read must have the digest the index says: what somebody changed is not used.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::lock::Lock;
use super::tree::{Index, judge};
use crate::digest::Digest;
use crate::error::Fault;
use crate::files;
use crate::path_text::text_path;

/// The folder of everything that can be fetched again; none where there is no home.
pub fn cache_folder() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let is_absolute = |path: &PathBuf| path.is_absolute();
    let cache = folder("XDG_CACHE_HOME").filter(is_absolute);
    let cache = cache.or_else(|| Some(folder("HOME").filter(is_absolute)?.join(".cache")));
    Some(cache?.join("farcast"))
}

/// The folder of a tree in the cache.
pub fn cached(tree: &Digest) -> Option<PathBuf> {
    Some(cache_folder()?.join("packages").join(tree.to_string()))
}

/// The folder of a tree in the `vendor` of a project.
pub fn vendored(project: &Path, name: &str, tree: &Digest) -> PathBuf {
    project
        .join("vendor")
        .join(format!("{name}-{}", tree.short()))
}

/// Where the files of a tree may be: in the `vendor` of a project, under any name, then in the cache.
pub fn places(project: &Path, tree: &Digest) -> Vec<PathBuf> {
    let end = format!("-{}", tree.short());
    let vendor = fs::read_dir(project.join("vendor"));
    let entries = vendor.into_iter().flatten().flatten();
    let folders = entries.map(|entry| entry.path());
    let of_tree = folders.filter(|path| path.to_string_lossy().ends_with(&end));
    of_tree.chain(cached(tree)).collect()
}

fn index_file(folder: &Path) -> PathBuf {
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(".index");
    folder.with_file_name(name)
}

/// The index of a tree that is kept in a folder; none when it is not there or not that of the tree.
pub fn index(folder: &Path, tree: &Digest) -> Option<Index> {
    let text = fs::read_to_string(index_file(folder)).ok()?;
    let index = (Digest::of(text.as_bytes()) == *tree).then(|| Index::parse(&text));
    index.flatten()
}

/// A file of a package, verified.
///
/// # Errors
/// What is wrong with it, in one line.
pub fn read(folder: &Path, index: &Index, path: &str) -> Result<Vec<u8>, String> {
    let Some((size, digest)) = index.files.get(path) else {
        return Err(format!("the package has no file `{path}`"));
    };
    let file = folder.join(text_path(path));
    let opened = files::open(&file).map_err(|error| error.message(&file))?;
    let mut bytes = Vec::new();
    let read = opened.take(size + 1).read_to_end(&mut bytes);
    read.map_err(|error| format!("`{}`: {error}", file.display()))?;
    match Digest::of(&bytes) == *digest {
        true => Ok(bytes),
        false => Err(damaged(&file)),
    }
}

fn damaged(file: &Path) -> String {
    format!(
        "`{}` is not what was fetched: it was changed, and is not used",
        file.display()
    )
}

/// That a file of a package is what the index says, without keeping its bytes.
///
/// # Errors
/// What is wrong with it, in one line.
pub fn verify(folder: &Path, index: &Index, path: &str) -> Result<(), String> {
    let Some((_, digest)) = index.files.get(path) else {
        return Err(format!("the package has no file `{path}`"));
    };
    let file = folder.join(text_path(path));
    let opened = files::open(&file).map_err(|error| error.message(&file))?;
    let found =
        Digest::of_reader(opened).map_err(|error| format!("`{}`: {error}", file.display()))?;
    match found == *digest {
        true => Ok(()),
        false => Err(damaged(&file)),
    }
}

/// Whether a tree is there, with all its files.
pub fn is_whole(folder: &Path, tree: &Digest) -> bool {
    index(folder, tree).is_some_and(|index| {
        let mut files = index.files.keys();
        files.all(|path| verify(folder, &index, path).is_ok())
    })
}

/// Writes a tree aside, then renames it into the cache.
pub struct Writer {
    aside: TempDir,
    index: Index,
}

impl Writer {
    /// # Errors
    /// When the cache cannot be written.
    pub fn new() -> Result<Self, Fault> {
        let missing = || Fault::Environment("no folder for a cache: set `HOME`".to_owned());
        let packages = cache_folder().ok_or_else(missing)?.join("packages");
        let aside = fs::create_dir_all(&packages).and_then(|()| {
            tempfile::Builder::new()
                .prefix(".new-")
                .tempdir_in(&packages)
        });
        let failed =
            |error| Fault::Environment(format!("cannot write `{}`: {error}", packages.display()));
        Ok(Self {
            aside: aside.map_err(failed)?,
            index: Index::default(),
        })
    }

    /// Adds a file; `judge` has seen its path.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn add(&mut self, path: &str, bytes: &[u8]) -> Result<(), Fault> {
        let file = self.aside.path().join("tree").join(path);
        let folder = file.parent().unwrap_or(self.aside.path());
        let written = fs::create_dir_all(folder)
            .and_then(|()| fs::File::create_new(&file))
            .and_then(|mut file| file.write_all(bytes))
            .and_then(|()| read_only(&file));
        written.map_err(|error| Fault::Environment(format!("cannot write `{path}`: {error}")))?;
        let entry = (bytes.len() as u64, Digest::of(bytes));
        self.index.files.insert(path.to_owned(), entry);
        Ok(())
    }

    /// Moves the tree to its place, unless it is there already.
    ///
    /// # Errors
    /// When it cannot be moved, or has no file.
    pub fn finish(self) -> Result<Digest, Fault> {
        let names = self.index.files.iter();
        judge(names.map(|(name, (size, _))| (name.as_str(), *size))).map_err(Fault::user)?;
        if self.index.files.is_empty() {
            return Err(Fault::user("the package has no files"));
        }
        let tree = self.index.digest();
        let missing = || Fault::Environment("no folder for a cache: set `HOME`".to_owned());
        let place = cached(&tree).ok_or_else(missing)?;
        if is_whole(&place, &tree) {
            return Ok(tree);
        }
        let text = self.index.text();
        // What is there is damaged, or half of another process's doing.
        let _ = fs::remove_dir_all(&place);
        let moved = fs::rename(self.aside.path().join("tree"), &place)
            .or_else(|error| match place.is_dir() {
                true => Ok(()),
                false => Err(error),
            })
            .and_then(|()| write_index(&place, &text));
        let failed =
            |error| Fault::Environment(format!("cannot write `{}`: {error}", place.display()));
        moved.map_err(failed)?;
        Ok(tree)
    }
}

fn write_index(folder: &Path, text: &str) -> std::io::Result<()> {
    let file = index_file(folder);
    let aside = file.with_extension(format!("index.{}", std::process::id()));
    fs::write(&aside, text)?;
    fs::rename(aside, file)
}

#[cfg(unix)]
fn read_only(file: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(file, fs::Permissions::from_mode(0o444))
}

#[cfg(not(unix))]
fn read_only(_: &Path) -> std::io::Result<()> {
    Ok(())
}

/// Copies every package of a lock into the `vendor` of a project, and removes what no lock names;
/// the number of packages.
///
/// # Errors
/// When one is not in the cache, or cannot be written.
pub fn vendor(project: &Path, lock: &Lock) -> Result<usize, Fault> {
    let root = project.join("vendor");
    let failed = |error: std::io::Error| {
        Fault::Environment(format!("cannot write `{}`: {error}", root.display()))
    };
    fs::create_dir_all(&root).map_err(failed)?;
    // Git would change line ends, and with them the digests.
    fs::write(root.join(".gitattributes"), "* -text\n").map_err(failed)?;
    let mut kept = Vec::new();
    for locked in lock.packages.values() {
        let place = vendored(project, &locked.name, &locked.tree);
        kept.push(place.clone());
        if is_whole(&place, &locked.tree) {
            continue;
        }
        let from = cached(&locked.tree).unwrap_or_default();
        let absent = || {
            let message = format!("`{}` is not in the cache", locked.name);
            Fault::user(message).with_hint("run `farcast fetch`")
        };
        let index = index(&from, &locked.tree).ok_or_else(absent)?;
        let _ = fs::remove_dir_all(&place);
        for path in index.files.keys() {
            let bytes = read(&from, &index, path).map_err(|message| {
                Fault::Environment(message).with_hint("run `farcast fetch`, which replaces it")
            })?;
            let file = place.join(path);
            let folder = file.parent().unwrap_or(&root);
            fs::create_dir_all(folder).map_err(failed)?;
            fs::write(&file, bytes).map_err(failed)?;
        }
        write_index(&place, &index.text()).map_err(failed)?;
    }
    // Only what we wrote: a folder with its index.
    for entry in fs::read_dir(&root).map_err(failed)?.flatten() {
        let place = entry.path();
        if place.is_dir() && !kept.contains(&place) && index_file(&place).is_file() {
            fs::remove_dir_all(&place).map_err(failed)?;
            fs::remove_file(index_file(&place)).map_err(failed)?;
        }
    }
    Ok(kept.len())
}
