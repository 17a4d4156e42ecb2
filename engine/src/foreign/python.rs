//! Python's side of the protocol, which every Python plugin finds on its path: it is the one that
//! belongs to this farcast.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::Fault;

/// The files of the package.
const FILES: [(&str, &str); 9] = [
    (
        "__init__.py",
        include_str!("../../../python/farcast/__init__.py"),
    ),
    (
        "_program.py",
        include_str!("../../../python/farcast/_program.py"),
    ),
    ("_runs.py", include_str!("../../../python/farcast/_runs.py")),
    (
        "_safetensors.py",
        include_str!("../../../python/farcast/_safetensors.py"),
    ),
    (
        "_serve.py",
        include_str!("../../../python/farcast/_serve.py"),
    ),
    (
        "_tensors.py",
        include_str!("../../../python/farcast/_tensors.py"),
    ),
    (
        "_values.py",
        include_str!("../../../python/farcast/_values.py"),
    ),
    ("jax.py", include_str!("../../../python/farcast/jax.py")),
    ("torch.py", include_str!("../../../python/farcast/torch.py")),
];

/// The folder with the package, written into `folder` when it is not there.
///
/// # Errors
/// When the machine cannot write it.
pub fn unpacked(folder: &Path) -> Result<PathBuf, Fault> {
    let path = folder.join("python");
    if !path.is_dir() {
        let aside = tempfile::tempdir_in(folder)?;
        let package = aside.path().join("farcast");
        fs::create_dir(&package)?;
        for (name, text) in FILES {
            fs::write(package.join(name), text)?;
        }
        let aside = aside.keep();
        if fs::rename(&aside, &path).is_err() {
            fs::remove_dir_all(&aside)?;
        }
    }
    Ok(path)
}
