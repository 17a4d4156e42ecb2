//! Data files named by a pattern or a folder: `ckpt/step-*.safetensors`, `years/year=*`, `tas/`.

use std::fs;
use std::path::{Component, Path, PathBuf};

use super::data_file::DataFile;
use super::shards::shards;
use crate::digest::Digest;
use crate::error::Fault;

/// More files than this in one folder or pattern are taken for a mistake such as `/`.
const MOST_FILES: usize = 200_000;

/// What a path names: itself or, when a part of it contains `*` or `?`, all files and folders
/// whose paths match, in the order of their names. A `*` matches any text within a name, a `?`
/// for one character; a part that is `**` for any number of folders.
///
/// # Errors
/// [`Fault::Environment`] when a folder cannot be listed or nothing matches.
pub fn entries(path: &Path) -> Result<Vec<PathBuf>, Fault> {
    if !is_pattern(path) || path.exists() {
        return Ok(vec![path.to_owned()]);
    }
    let root = root(path);
    let parts: Vec<String> = path
        .strip_prefix(root)
        .unwrap_or(path)
        .components()
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    let mut found = Vec::new();
    expand(root, &parts, &mut found)?;
    found.sort();
    found.dedup();
    match found.is_empty() {
        true => Err(Fault::Environment(format!(
            "no file matches `{}`",
            path.display()
        ))),
        false => Ok(found),
    }
}

/// The files that a path names: those of [`entries`], with the shards of an index, and instead of
/// a folder all files in it and in its folders, in the order of their names.
///
/// # Errors
/// As [`entries`], and when there are too many.
pub fn matching(path: &Path) -> Result<Vec<PathBuf>, Fault> {
    let mut files = Vec::new();
    for entry in entries(path)? {
        match entry.is_dir() {
            true => walk(&entry, &mut Vec::new(), &mut files)?,
            false => {
                files.extend(shards(&entry)?);
                files.push(entry);
            }
        }
    }
    files.sort();
    files.dedup();
    Ok(files)
}

/// The part of a path that stands before its pattern: the names below it are what files of one
/// pattern or folder differ in.
pub fn root(path: &Path) -> &Path {
    if path.is_dir() {
        return path;
    }
    let mut root = path.parent().unwrap_or(Path::new(""));
    if !path.exists() {
        while is_pattern(root)
            && let Some(parent) = root.parent()
        {
            root = parent;
        }
    }
    root
}

fn is_pattern(path: &Path) -> bool {
    let of_names = |part: Component| match part {
        Component::Normal(name) => name.to_string_lossy().contains(['*', '?']),
        _ => false,
    };
    path.components().any(of_names)
}

/// Adds what matches the parts of a pattern below a folder.
fn expand(folder: &Path, parts: &[String], found: &mut Vec<PathBuf>) -> Result<(), Fault> {
    let Some((part, rest)) = parts.split_first() else {
        found.push(folder.to_owned());
        return expect_few(found.len(), folder);
    };
    if part == "**" {
        let mut folders = vec![folder.to_owned()];
        folders_below(folder, &mut Vec::new(), &mut folders)?;
        return folders
            .iter()
            .try_for_each(|folder| expand(folder, rest, found));
    }
    if !part.contains(['*', '?']) {
        let path = folder.join(part);
        return match path.symlink_metadata().is_ok() {
            true => expand(&path, rest, found),
            false => Ok(()),
        };
    }
    for name in names(folder)? {
        let path = folder.join(&name);
        if matches(part, &name.to_string_lossy()) && (rest.is_empty() || path.is_dir()) {
            expand(&path, rest, found)?;
        }
    }
    Ok(())
}

/// Adds the regular files in a folder and in its folders. `above` are the folders that lead
/// there, as links may lead back to them.
fn walk(folder: &Path, above: &mut Vec<PathBuf>, files: &mut Vec<PathBuf>) -> Result<(), Fault> {
    enter(folder, above, &mut |path, above| {
        if path.is_dir() {
            return match is_hidden(&path) {
                true => Ok(()),
                false => walk(&path, above, files),
            };
        }
        if path.is_file() {
            files.push(path);
        }
        expect_few(files.len(), folder)
    })
}

/// Whether a folder is of a program, not of data: `.git`, or the store of the run at hand.
fn is_hidden(folder: &Path) -> bool {
    let name = folder.file_name().unwrap_or_default();
    name.to_string_lossy().starts_with('.')
}

fn folders_below(
    folder: &Path,
    above: &mut Vec<PathBuf>,
    folders: &mut Vec<PathBuf>,
) -> Result<(), Fault> {
    enter(folder, above, &mut |path, above| {
        if !path.is_dir() || is_hidden(&path) {
            return Ok(());
        }
        folders.push(path.clone());
        expect_few(folders.len(), folder)?;
        folders_below(&path, above, folders)
    })
}

/// Calls `each` with every entry of a folder, unless the folder is inside itself.
fn enter(
    folder: &Path,
    above: &mut Vec<PathBuf>,
    each: &mut dyn FnMut(PathBuf, &mut Vec<PathBuf>) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let Ok(real) = folder.canonicalize() else {
        return Ok(());
    };
    if above.contains(&real) {
        return Ok(());
    }
    above.push(real);
    for name in names(folder)? {
        each(folder.join(name), above)?;
    }
    above.pop();
    Ok(())
}

/// The names in a folder, in their order.
fn names(folder: &Path) -> Result<Vec<std::ffi::OsString>, Fault> {
    let shown = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let unreadable =
        |error| Fault::Environment(format!("cannot read `{}`: {error}", shown.display()));
    let entries = fs::read_dir(shown).map_err(unreadable)?;
    let names = entries.map(|entry| Ok(entry.map_err(unreadable)?.file_name()));
    let mut names: Vec<_> = names.collect::<Result<_, Fault>>()?;
    names.sort();
    Ok(names)
}

fn expect_few(count: usize, folder: &Path) -> Result<(), Fault> {
    match count > MOST_FILES {
        true => Err(Fault::Environment(format!(
            "`{}` holds more than {MOST_FILES} files",
            folder.display()
        ))),
        false => Ok(()),
    }
}

/// The digest of a file by `of`, or of the names and digests of all files that a pattern matches
/// or a folder holds.
///
/// # Errors
/// As [`matching`], and those of `of`.
pub(crate) fn digest(
    path: &Path,
    of: impl Fn(&Path) -> Result<Digest, Fault>,
) -> Result<Digest, Fault> {
    digest_of(path, &matching(path)?, |file| of(file))
}

/// The same for the files that a path or pattern matches.
pub(super) fn digest_of<F: Named>(
    path: &Path,
    files: &[F],
    of: impl Fn(&F) -> Result<Digest, Fault>,
) -> Result<Digest, Fault> {
    if let [only] = files
        && only.path() == path
    {
        return of(only);
    }
    let root = root(path);
    let mut text = String::new();
    for file in files {
        let name = file.path().strip_prefix(root).unwrap_or(file.path());
        let parts: Vec<_> = name
            .components()
            .map(|part| part.as_os_str().to_string_lossy())
            .collect();
        text.push_str(&format!("{} {}\n", of(file)?, parts.join("/")));
    }
    Ok(Digest::of(text.as_bytes()))
}

/// What has the path of a file.
pub(super) trait Named {
    fn path(&self) -> &Path;
}

impl Named for PathBuf {
    fn path(&self) -> &Path {
        self
    }
}

impl Named for DataFile {
    fn path(&self) -> &Path {
        self.path()
    }
}

/// The names of what is in a folder, sorted; none where it cannot be listed.
pub fn names_in(folder: &Path) -> Option<Vec<String>> {
    let entries = fs::read_dir(folder).ok()?.flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.collect();
    names.sort();
    Some(names)
}

/// Whether a name matches: every `*` takes as little as it can, and more when the rest asks.
pub fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut at, mut of) = (0, 0);
    // Where the last `*` stands, and up to where it takes the name.
    let mut star: Option<(usize, usize)> = None;
    while at < name.len() {
        match pattern.get(of) {
            Some('*') => {
                star = Some((of, at));
                of += 1;
            }
            Some(c) if *c == '?' || *c == name[at] => {
                at += 1;
                of += 1;
            }
            _ => match star {
                Some((stands, taken)) => {
                    star = Some((stands, taken + 1));
                    (at, of) = (taken + 1, stands + 1);
                }
                None => return false,
            },
        }
    }
    pattern[of..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_matches_any_text() {
        for (pattern, name, expected) in [
            ("step-*.bin", "step-10.bin", true),
            ("step-*.bin", "step-.bin", true),
            ("step-*.bin", "step-10.bin.tmp", false),
            ("*", "anything", true),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("ab*ba", "aba", false),
            ("plain", "plain", true),
            ("plain", "plainer", false),
            ("year_?.nc", "year_7.nc", true),
            ("year_?.nc", "year_17.nc", false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_matches_its_files_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let of = |path: &Path| Ok(Digest::of(&fs::read(path)?));
        assert_eq!(
            matching(&at("w-*")).unwrap_err().to_string(),
            format!("no file matches `{}`", at("w-*").display())
        );
        for (name, text) in [("w-2", "two"), ("w-1", "one"), ("v-1", "other")] {
            fs::write(at(name), text).unwrap();
        }
        assert_eq!(matching(&at("w-*")).unwrap(), [at("w-1"), at("w-2")]);
        assert_eq!(matching(&at("v-1")).unwrap(), [at("v-1")]);
        assert_eq!(digest(&at("w-1"), of).unwrap(), Digest::of(b"one"));
        let both = digest(&at("w-*"), of).unwrap();
        fs::rename(at("w-2"), at("w-3")).unwrap();
        let renamed = digest(&at("w-*"), of).unwrap();
        assert_ne!(both, renamed);
        fs::write(at("w-3"), "new").unwrap();
        assert_ne!(digest(&at("w-*"), of).unwrap(), renamed);
    }

    #[test]
    fn folders_and_patterns_of_folders_stand_for_their_files() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        // Hidden folders are of programs.
        let hidden = [".git/a", "y=1/.store/a"];
        for name in ["y=1/m=2/a", "y=1/m=1/a", "y=2/b", "c"]
            .into_iter()
            .chain(hidden)
        {
            fs::create_dir_all(at(name).parent().unwrap()).unwrap();
            fs::write(at(name), name).unwrap();
        }
        let all = ["c", "y=1/m=1/a", "y=1/m=2/a", "y=2/b"].map(at);
        assert_eq!(matching(folder.path()).unwrap(), all);
        assert_eq!(matching(&at("**")).unwrap(), all);
        assert_eq!(matching(&at("y=*")).unwrap(), all[1..]);
        assert_eq!(matching(&at("y=*/m=*/a")).unwrap(), all[1..3]);
        assert_eq!(matching(&at("**/a")).unwrap(), all[1..3]);
        assert_eq!(entries(&at("y=*")).unwrap(), [at("y=1"), at("y=2")]);
        assert_eq!(root(&at("y=*/m=*/a")), folder.path());
        assert_eq!(root(&at("y=1/m=*")), at("y=1"));
        assert_eq!(root(&at("c")), folder.path());
        // The key holds the names below the root, not where it is.
        let of = |path: &Path| Ok(Digest::of(&fs::read(path)?));
        let before = digest(folder.path(), of).unwrap();
        fs::rename(at("y=2"), at("y=3")).unwrap();
        assert_ne!(digest(folder.path(), of).unwrap(), before);
    }

    #[cfg(unix)]
    #[test]
    fn links_that_lead_back_are_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), "a").unwrap();
        for link in ["x", "y"] {
            std::os::unix::fs::symlink(folder.path(), folder.path().join(link)).unwrap();
        }
        let found = matching(folder.path()).unwrap();
        assert_eq!(found, [folder.path().join("a")]);
    }
}
