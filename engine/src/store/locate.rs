//! Where the store of an experiment is when nobody opened it yet.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The folder of the store: what `--store` says, else what `FARCAST_STORE` says, else
/// `.farcast` beside the nearest `farcast.toml` above the experiment's file, else beside the
/// file. Commands without a file give the folder they run in instead.
pub fn default_path(near: &Path, flag: Option<&Path>, env: Option<OsString>) -> PathBuf {
    if let Some(path) = flag {
        return path.to_owned();
    }
    if let Some(path) = env.filter(|path| !path.is_empty()) {
        return path.into();
    }
    let folder = if near.is_dir() {
        near
    } else {
        near.parent().unwrap_or(Path::new(""))
    };
    // An empty path has no absolute form, but means this folder too.
    let absolute = std::path::absolute(Path::new(".").join(folder));
    absolute
        .unwrap_or_else(|_| folder.to_owned())
        .ancestors()
        .find(|above| above.join("farcast.toml").is_file())
        .unwrap_or(folder)
        .join(".farcast")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flag_then_variable_then_project_then_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a/b/x.farcast");
        std::fs::create_dir_all(folder.path().join("a/b")).unwrap();
        let find = |flag: Option<&str>, env: Option<&str>| {
            default_path(&file, flag.map(Path::new), env.map(OsString::from))
        };
        assert_eq!(find(Some("s"), Some("t")), Path::new("s"));
        assert_eq!(find(None, Some("t")), Path::new("t"));
        assert_eq!(find(None, Some("")), folder.path().join("a/b/.farcast"));
        std::fs::write(folder.path().join("farcast.toml"), "").unwrap();
        assert_eq!(find(None, None), folder.path().join(".farcast"));
        std::fs::write(folder.path().join("a/farcast.toml"), "").unwrap();
        assert_eq!(find(None, None), folder.path().join("a/.farcast"));
        let here = default_path(&folder.path().join("a"), None, None);
        assert_eq!(here, folder.path().join("a/.farcast"));
    }
}
