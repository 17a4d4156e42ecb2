//! What a copy of a plugin's folder needs, so that its program runs there.

use std::collections::BTreeMap;
use std::fs;

use super::manifest::{FILE, Runner};
use super::provided::Provided;
use crate::digest::Digest;
use crate::error::Fault;

impl Provided {
    /// The files of its program by name, and the part of `farcast.toml` about it.
    ///
    /// # Errors
    /// When a file cannot be read, or is no longer what the identity of the program says.
    pub fn packed(&self) -> Result<BTreeMap<String, Vec<u8>>, Fault> {
        let folder = self.program.folder();
        let mut packed = BTreeMap::new();
        for (path, digest) in &self.code.files {
            let bytes = fs::read(folder.join(path))?;
            if *digest != Digest::of(&bytes) {
                let name = &self.declaration.signature.name;
                let message = format!("`{path}` of plugin `{name}` changed while it was packed");
                return Err(Fault::Environment(message));
            }
            packed.insert(path.clone(), bytes);
        }
        // The project that `uv.lock` is the lock of.
        let project = folder.join("pyproject.toml");
        if self.program.runner.python.as_deref() == Some("uv") && project.is_file() {
            packed.insert("pyproject.toml".to_owned(), fs::read(project)?);
        }
        let text = toml(&self.program.name, &self.program.runner)?;
        packed.insert(FILE.to_owned(), text.into_bytes());
        Ok(packed)
    }
}

/// The table of a program, without what goes without saying.
fn toml(name: &str, runner: &Runner) -> Result<String, Fault> {
    let bug = |error: serde_json::Error| Fault::Bug(error.to_string());
    let usual: Runner = serde_json::from_value(serde_json::json!({})).map_err(bug)?;
    let [own, usual] = [runner, &usual].map(|it| serde_json::to_value(it).map_err(bug));
    let (own, usual) = (own?, usual?);
    let mut text = format!("[plugin.{}]\n", serde_json::Value::from(name));
    for (key, value) in own.as_object().into_iter().flatten() {
        if Some(value) != usual.get(key) {
            text += &format!("{key} = {value}\n");
        }
    }
    // TOML escapes what JSON does, and this character.
    Ok(text.replace('\u{7f}', "\\u007f"))
}
