//! Data files named by a pattern: `ckpt/step-*.safetensors`.

use std::fs;
use std::path::{Path, PathBuf};

use super::data_file::DataFile;
use crate::digest::Digest;
use crate::error::Fault;

/// The files that a path names: itself or, when its last part contains a `*`, all files of that
/// folder whose names match, sorted by name. A `*` matches any text.
///
/// # Errors
/// [`Fault::Environment`] when the folder cannot be listed or no file matches.
pub fn matching(path: &Path) -> Result<Vec<PathBuf>, Fault> {
    let pattern = path.file_name().unwrap_or_default().to_string_lossy();
    if !pattern.contains('*') || path.exists() {
        return Ok(vec![path.to_owned()]);
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let shown = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let unreadable =
        |error| Fault::Environment(format!("cannot read `{}`: {error}", shown.display()));
    let mut files = Vec::new();
    for entry in fs::read_dir(shown).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        if matches(&pattern, &name.to_string_lossy()) {
            files.push(folder.join(name));
        }
    }
    files.sort();
    match files.is_empty() {
        true => Err(Fault::Environment(format!(
            "no file matches `{}`",
            path.display()
        ))),
        false => Ok(files),
    }
}

/// The digest of a file by `of`, or of the names and digests of all files that a pattern matches.
///
/// # Errors
/// As [`matching`], and those of `of`.
pub(crate) fn digest(
    path: &Path,
    of: impl Fn(&Path) -> Result<Digest, Fault>,
) -> Result<Digest, Fault> {
    digest_of(path, &matching(path)?, |file| of(file))
}

/// The same for the files that a path or pattern stands for.
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
    let mut text = String::new();
    for file in files {
        let name = file
            .path()
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        text.push_str(&format!("{} {name}\n", of(file)?));
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

fn matches(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
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
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn a_pattern_stands_for_its_files_in_order() {
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
}
