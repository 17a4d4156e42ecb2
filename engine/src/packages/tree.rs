//! The files of a package, judged by name and size, and the digest of them all.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::digest::Digest;
use crate::files;
use crate::path_text::path_text;

/// The most files of a package.
pub const MOST_FILES: usize = 20_000;
/// The most bytes of all files of a package.
pub const MOST_BYTES: u64 = 512 << 20;
/// The longest path of a file.
const LONGEST: usize = 400;

/// Size and digest of every file of a package, by path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// By path from the folder of the package.
    pub files: BTreeMap<String, (u64, Digest)>,
}

impl Index {
    /// The digest of the tree: of the sorted paths, the length and the digest of each file.
    pub fn digest(&self) -> Digest {
        Digest::of(self.text().as_bytes())
    }

    /// One line for each file: digest, length and path. No path contains a line end.
    pub fn text(&self) -> String {
        let mut text = String::from("farcast-tree 1\n");
        for (path, (size, digest)) in &self.files {
            text += &format!("{digest} {size} {path}\n");
        }
        text
    }

    /// Reads [`text`](Self::text) back.
    pub fn parse(text: &str) -> Option<Self> {
        let mut files = BTreeMap::new();
        for line in text.strip_prefix("farcast-tree 1\n")?.lines() {
            let mut parts = line.splitn(3, ' ');
            let digest = parts.next()?.parse().ok()?;
            let size = parts.next()?.parse().ok()?;
            files.insert(parts.next()?.to_owned(), (size, digest));
        }
        Some(Self { files })
    }

    /// Of the files below a folder; folders and files whose name begins with a point, `out`,
    /// `vendor` and `target` at its top are not part of it.
    ///
    /// # Errors
    /// What is wrong with it, in one line.
    pub fn of_folder(folder: &Path) -> Result<Self, String> {
        let mut names = Vec::new();
        walk(folder, "", &mut names)?;
        let mut sizes = BTreeMap::new();
        for name in &names {
            let size = fs::metadata(folder.join(name)).map_err(|error| error.to_string())?;
            sizes.insert(name.clone(), size.len());
        }
        judge(sizes.iter().map(|(name, size)| (name.as_str(), *size)))?;
        let mut files = BTreeMap::new();
        for (name, _) in sizes {
            let path = folder.join(&name);
            let file = files::open(&path).map_err(|error| error.message(&path))?;
            let size = file.metadata().map_err(|error| error.to_string())?.len();
            let digest = Digest::of_reader(file).map_err(|error| error.to_string())?;
            files.insert(name, (size, digest));
        }
        Ok(Self { files })
    }
}

fn walk(folder: &Path, prefix: &str, names: &mut Vec<String>) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("`{}`: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = path_text(Path::new(&entry.file_name()));
        let is_ours = prefix.is_empty() && matches!(&*name, "out" | "vendor" | "target");
        if name.starts_with('.') || is_ours {
            continue;
        }
        let kind = entry.file_type().map_err(failed)?;
        let path = format!("{prefix}{name}");
        if kind.is_symlink() {
            return Err(format!(
                "`{path}` is a link: a package has plain files only"
            ));
        }
        match kind.is_dir() {
            true => walk(&entry.path(), &format!("{path}/"), names)?,
            false => names.push(path),
        }
        if names.len() > MOST_FILES {
            return Err(too_many());
        }
    }
    Ok(())
}

fn too_many() -> String {
    format!("it has more than {MOST_FILES} files")
}

/// Refuses files that mean two things, leave their folder, or are too many or too large.
///
/// # Errors
/// What is wrong, in one line.
pub fn judge<'n>(files: impl Iterator<Item = (&'n str, u64)>) -> Result<(), String> {
    let (mut count, mut bytes) = (0, 0_u64);
    // Every name and every folder, without case, with how it is written.
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    let mut leaves: BTreeSet<&str> = BTreeSet::new();
    for (name, size) in files {
        count += 1;
        bytes = bytes.saturating_add(size);
        if count > MOST_FILES {
            return Err(too_many());
        }
        if bytes > MOST_BYTES {
            return Err(format!(
                "its files have more than {} MiB: data belongs into an archive, not a package",
                MOST_BYTES >> 20
            ));
        }
        if let Some(fault) = path_fault(name) {
            let name: String = name.chars().flat_map(char::escape_default).collect();
            return Err(format!("`{name}` {fault}"));
        }
        if !leaves.insert(name) {
            return Err(format!("`{name}` is there twice"));
        }
        let ends = name
            .match_indices('/')
            .map(|(at, _)| at)
            .chain([name.len()]);
        for end in ends {
            let part = &name[..end];
            let before = *seen.entry(part.to_lowercase()).or_insert(part);
            if before != part {
                return Err(format!(
                    "`{before}` and `{part}` differ only in case: they are one file on some systems"
                ));
            }
        }
    }
    match leaves.iter().find(|name| {
        let folder = format!("{name}/");
        let next = leaves.range(folder.as_str()..).next();
        next.is_some_and(|next| next.starts_with(&folder))
    }) {
        Some(name) => Err(format!("`{name}` is a file and a folder")),
        None => Ok(()),
    }
}

/// Why a path is not safe on every system; none when it is.
fn path_fault(path: &str) -> Option<&'static str> {
    let is_strange =
        |it: char| it.is_control() || matches!(it, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|');
    if path.is_empty() || path.len() > LONGEST {
        return Some("is not a path, or too long a one");
    }
    if path.chars().any(is_strange) {
        return Some("has a character that not every system allows");
    }
    let is_outside = |part: &str| matches!(part, "" | "." | "..");
    if path.split('/').any(is_outside) {
        return Some("leaves the folder of the package");
    }
    let is_git = |part: &str| {
        // `.git` under the names that systems take for it.
        let part = part.trim_end_matches([' ', '.']).to_ascii_lowercase();
        matches!(&*part, ".git" | "git~1" | ".gitmodules")
    };
    if path.split('/').any(is_git) {
        return Some("is git's own");
    }
    if path.split('/').any(|part| part.ends_with([' ', '.'])) {
        return Some("ends with a blank or point");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(names: &[&str]) -> Option<String> {
        judge(names.iter().map(|name| (*name, 1))).err()
    }

    #[test]
    fn names_that_mean_two_things_are_refused() {
        assert_eq!(fault(&["lib.farcast", "a/b.farcast", "a/c", "ab"]), None);
        for names in [
            &["../x"][..],
            &["/x"],
            &["a//x"],
            &["a/./x"],
            &["a\\x"],
            &["c:x"],
            &["a\nx"],
            &[".git/config"],
            &["a/.GIT/hooks/x"],
            &["git~1/x"],
            &[".gitmodules"],
            &["x."],
            &["Lib.farcast", "lib.farcast"],
            &["A/x", "a/y"],
            &["a", "a/x"],
            &["x", "x"],
            &[""],
        ] {
            assert!(fault(names).is_some(), "{names:?}");
        }
        let large = judge([("x", MOST_BYTES + 1)].into_iter());
        assert!(large.unwrap_err().contains("more than 512 MiB"));
        let many: Vec<String> = (0..=MOST_FILES).map(|at| format!("f{at}")).collect();
        assert!(judge(many.iter().map(|name| (name.as_str(), 0))).is_err());
    }

    #[test]
    fn the_digest_is_of_paths_lengths_and_contents() {
        let index = |name: &str, text: &str| Index {
            files: [(
                name.to_owned(),
                (text.len() as u64, Digest::of(text.as_bytes())),
            )]
            .into(),
        };
        let one = index("a b", "text");
        assert_eq!(Index::parse(&one.text()), Some(one.clone()));
        assert_ne!(one.digest(), index("a c", "text").digest());
        assert_ne!(one.digest(), index("a b", "txet").digest());
        assert_eq!(Index::parse("x"), None);
    }
}
