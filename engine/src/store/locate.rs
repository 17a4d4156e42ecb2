//! Where the store of an experiment is when nobody opened it yet.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The folder of the store: what `--store` says, else what `FARCAST_STORE` says, else
/// `.farcast` beside the nearest `farcast.toml` above the file, else beside the file.
pub fn default_path(experiment_file: &Path, flag: Option<&Path>, env: Option<OsString>) -> PathBuf {
    if let Some(path) = flag {
        return path.to_owned();
    }
    if let Some(path) = env.filter(|path| !path.is_empty()) {
        return path.into();
    }
    let file = std::path::absolute(experiment_file).unwrap_or_else(|_| experiment_file.to_owned());
    file.ancestors()
        .skip(1)
        .find(|folder| folder.join("farcast.toml").is_file())
        .map_or_else(
            || experiment_file.with_file_name(".farcast"),
            |folder| folder.join(".farcast"),
        )
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
    }
}
