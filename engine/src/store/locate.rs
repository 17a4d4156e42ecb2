//! The default place of a store.

use std::fs;
use std::path::{Path, PathBuf};

use toml::de::DeTable;

/// The folder of the store: `.farcast` beside the nearest `farcast.toml` at or above the folder of
/// the experiment's file, else beside the file. Commands without a file pass the folder they run in.
pub fn default_path(near: &Path) -> PathBuf {
    let file = project_file(near);
    let project = file.as_deref().and_then(Path::parent);
    project.unwrap_or(folder(near)).join(".farcast")
}

/// The nearest `farcast.toml` above a file, or above or in a folder. One that only says how plugins
/// run belongs to the project above it, if there is one.
pub fn project_file(near: &Path) -> Option<PathBuf> {
    // An empty path has no absolute form, but means this folder, too.
    let absolute = std::path::absolute(Path::new(".").join(folder(near))).ok()?;
    let candidates = absolute.ancestors().map(|above| above.join("farcast.toml"));
    let mut files = candidates.filter(|file| file.is_file());
    let nearest = files.next()?;
    match has_only_plugins(&nearest) {
        true => files.find(|file| !has_only_plugins(file)).or(Some(nearest)),
        false => Some(nearest),
    }
}

fn has_only_plugins(file: &Path) -> bool {
    let text = fs::read_to_string(file).unwrap_or_default();
    let table = DeTable::parse(&text).ok();
    let keys: Vec<String> = { table.iter() }
        .flat_map(|table| table.get_ref().keys())
        .map(|key| key.get_ref().to_string())
        .collect();
    keys == ["plugin"]
}

fn folder(near: &Path) -> &Path {
    if near.is_dir() {
        near
    } else {
        near.parent().unwrap_or(Path::new(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beside_the_project_then_beside_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a/b/x.farcast");
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        assert_eq!(default_path(&file), folder.path().join("a/b/.farcast"));
        fs::write(folder.path().join("farcast.toml"), "").unwrap();
        assert_eq!(default_path(&file), folder.path().join(".farcast"));
        fs::write(folder.path().join("a/farcast.toml"), "").unwrap();
        assert_eq!(default_path(&file), folder.path().join("a/.farcast"));
        let here = default_path(&folder.path().join("a"));
        assert_eq!(here, folder.path().join("a/.farcast"));
        // What says how plugins run is no project of its own.
        let plugins = "[plugin.tally]\nrun = [\"sh\"]\n";
        fs::write(folder.path().join("a/farcast.toml"), plugins).unwrap();
        assert_eq!(default_path(&file), folder.path().join(".farcast"));
        fs::remove_file(folder.path().join("farcast.toml")).unwrap();
        assert_eq!(default_path(&file), folder.path().join("a/.farcast"));
    }
}
