//! Packages in zip archives: fetched by the command line of curl, or a file of this machine.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::cache::Writer;
use super::tree::{MOST_BYTES, judge};
use crate::digest::Digest;
use crate::error::Fault;

/// The files of a zip archive, judged by whoever unpacks it.
pub type Unpack<'a> = &'a dyn Fn(&Path) -> Result<Vec<(String, Vec<u8>)>, String>;

/// The digest of what an address holds.
///
/// # Errors
/// When it cannot be reached.
pub fn digest_of(url: &str) -> Result<Digest, Fault> {
    let fetched = Download::of(url)?;
    Ok(Digest::of_reader(std::fs::File::open(&fetched.file)?)?)
}

/// Fetches an archive, verifies its digest and writes its files into the cache.
///
/// # Errors
/// When it cannot be reached, has another digest, or holds what no package has.
pub fn extract(url: &str, digest: &Digest, unpack: Unpack<'_>) -> Result<Digest, Fault> {
    let fetched = Download::of(url)?;
    let found = Digest::of_reader(std::fs::File::open(&fetched.file)?)?;
    if found != *digest {
        let message =
            format!("`{url}` is not the archive that was named: its digest is blake3:{found}");
        return Err(Fault::user(message).with_hint("ask its authors what changed"));
    }
    let refused = |why: String| Fault::user(format!("`{url}` is refused: {why}"));
    let mut files = unpack(&fetched.file).map_err(refused)?;
    // Most archives have all files in one folder, named after the version.
    let first = files.first().and_then(|(name, _)| name.split_once('/'));
    let top = first.map(|(top, _)| format!("{top}/")).unwrap_or_default();
    if files.iter().all(|(name, _)| name.starts_with(&top)) {
        files
            .iter_mut()
            .for_each(|(name, _)| drop(name.drain(..top.len())));
    }
    judge(
        files
            .iter()
            .map(|(name, bytes)| (name.as_str(), bytes.len() as u64)),
    )
    .map_err(refused)?;
    let mut writer = Writer::new()?;
    for (name, bytes) in &files {
        writer.add(name, bytes)?;
    }
    writer.finish()
}

/// A file that goes away with this.
struct Download {
    file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Download {
    fn of(url: &str) -> Result<Self, Fault> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("archive.zip");
        let largest = MOST_BYTES.to_string();
        let said = Command::new("curl")
            // No file with the user's settings: they could add what the address does not say.
            .args([
                "--disable",
                "--fail",
                "--silent",
                "--show-error",
                "--location",
            ])
            .args(["--proto", "=https,http,file", "--proto-redir", "=https"])
            .args(["--max-redirs", "5", "--connect-timeout", "30", "--globoff"])
            .args(["--speed-limit", "1000", "--speed-time", "60"])
            .args(["--max-filesize", &largest, "--output"])
            .arg(&file)
            .args(["--", url])
            .stdin(Stdio::null())
            .output();
        let said = said.map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => {
                Fault::Environment("there is no `curl`, which fetches archives".to_owned())
            }
            _ => Fault::Environment(format!("`curl` cannot run: {error}")),
        })?;
        if !said.status.success() {
            let why = String::from_utf8_lossy(&said.stderr);
            let why: String = why
                .trim()
                .chars()
                .filter(|it| !it.is_control())
                .take(300)
                .collect();
            return Err(Fault::user(format!("cannot fetch `{url}`: {why}")));
        }
        Ok(Self {
            file,
            _folder: folder,
        })
    }
}
