//! Judges a bundle, and unpacks it into a new folder.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use toml::de::DeTable;

use super::reader::Archive;
use super::{FORMAT, FileEntry, MANIFEST, Manifest, OBJECTS, RECORDS};
use crate::digest::{Digest, Hasher};
use crate::error::Fault;
use crate::store::{Access, DirStore, Record, Store};

/// Keeps the store of the bundle beside it.
const PROJECT: &str =
    "# The project of this bundle: results are in `.farcast`, beside this file.\n";

/// A bundle that was unpacked.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenedBundle {
    /// What it holds.
    pub manifest: Manifest,
    /// The new folder.
    pub folder: PathBuf,
}

/// Verifies a bundle and unpacks it into a folder that does not exist yet: completely, or not at
/// all. Nothing runs. Results go into a store in the folder.
///
/// # Errors
/// The user's, when it is not a bundle, is damaged, or contains what no bundle contains; the
/// environment's, when the machine cannot read or write.
pub fn open(bundle: &Path, folder: &Path) -> Result<OpenedBundle, Fault> {
    let refused = |why: String| Fault::user(format!("`{}` is refused: {why}", bundle.display()));
    if folder.symlink_metadata().is_ok() {
        let message = format!("`{}` already exists", folder.display());
        return Err(Fault::user(message).with_hint("name a new folder"));
    }
    let mut archive = Archive::open(bundle).map_err(refused)?;
    let manifest = manifest(&mut archive).map_err(refused)?;
    refuse_settings(&mut archive, &manifest).map_err(refused)?;
    let mut name = folder.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let aside = folder.with_file_name(name);
    let unpacked = unpack(&mut archive, &manifest, &aside);
    let moved = unpacked.and_then(|()| fs::rename(&aside, folder).map_err(OpenError::Machine));
    if let Err(problem) = moved {
        // What was unpacked so far is of no use to anybody.
        let _ = fs::remove_dir_all(&aside);
        return Err(match problem {
            OpenError::Bundle(why) => refused(why),
            OpenError::Machine(error) => {
                Fault::Environment(format!("cannot write `{}`: {error}", folder.display()))
            }
            OpenError::Store(fault) => fault,
        });
    }
    Ok(OpenedBundle {
        manifest,
        folder: folder.to_owned(),
    })
}

enum OpenError {
    Bundle(String),
    Machine(io::Error),
    Store(Fault),
}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Machine(error)
    }
}

/// The list of files, which must be those that are there.
fn manifest(archive: &mut Archive) -> Result<Manifest, String> {
    #[derive(serde::Deserialize)]
    struct ManifestVersion {
        format: u32,
        farcast: String,
    }
    let none = |_| format!("it has no `{MANIFEST}`: it is not a bundle of farcast");
    let bytes = archive.read(MANIFEST).map_err(none)?;
    let wrong = |error: serde_json::Error| format!("`{MANIFEST}`: {error}");
    let version: ManifestVersion = serde_json::from_slice(&bytes).map_err(wrong)?;
    if version.format != FORMAT {
        let (found, by) = (version.format, version.farcast.escape_debug().to_string());
        return Err(format!(
            "expected format {FORMAT}, found {found} of farcast `{by}`"
        ));
    }
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(wrong)?;
    let mut listed: BTreeMap<&str, u64> = manifest
        .files
        .iter()
        .map(|(name, entry)| (&**name, entry.size))
        .collect();
    for (name, size) in archive.files().filter(|(name, _)| *name != MANIFEST) {
        match listed.remove(name) {
            Some(expected) if expected == size => {}
            Some(_) => return Err(format!("`{name}` has another size than listed")),
            None => return Err(format!("`{name}` is not listed in `{MANIFEST}`")),
        }
    }
    if let Some(name) = listed.keys().next() {
        return Err(format!(
            "`{}` is listed, but not there",
            name.escape_debug()
        ));
    }
    Ok(manifest)
}

/// Refuses settings of a project: whoever reruns the bundle says where results go, and what is used
/// beside it. Packages have settings of their own, which nothing reads. A repository has settings,
/// too, with programs that git runs.
fn refuse_settings(archive: &mut Archive, manifest: &Manifest) -> Result<(), String> {
    let is_repository = |name: &&String| {
        let mut parts = name.split('/');
        parts.any(|part| part.eq_ignore_ascii_case(".git"))
    };
    if let Some(name) = manifest.files.keys().find(is_repository) {
        return Err(format!("`{name}` is of a repository"));
    }
    let is_project = |name: &&String| {
        let file = name.rsplit('/').next();
        file.is_some_and(|file| file.eq_ignore_ascii_case("farcast.toml"))
            && !name.starts_with("vendor/")
    };
    for name in manifest.files.keys().filter(is_project) {
        let bytes = archive.read(name)?;
        let text = String::from_utf8(bytes).map_err(|_| format!("`{name}` is not text"))?;
        let table = DeTable::parse(&text).map_err(|_| format!("`{name}` is not TOML"))?;
        let known = ["dependencies", "package", "plugin"];
        let mut keys = table.get_ref().keys().map(|key| key.get_ref().as_ref());
        if let Some(key) = keys.find(|key| !known.contains(key)) {
            let key = key.escape_debug();
            return Err(format!(
                "`{name}` sets `{key}`: a bundle has no settings but its packages"
            ));
        }
    }
    Ok(())
}

fn unpack(archive: &mut Archive, manifest: &Manifest, folder: &Path) -> Result<(), OpenError> {
    fs::create_dir(folder)?;
    let is_result = |name: &String| name == RECORDS || name.starts_with(OBJECTS);
    let store = manifest.files.keys().any(is_result).then(|| {
        let path = folder.join(".farcast");
        DirStore::open(&path, Access::Write).map_err(OpenError::Store)
    });
    let store = store.transpose()?;
    for (name, entry) in &manifest.files {
        match (name.strip_prefix(OBJECTS), &store) {
            (Some(digest), Some(store)) => {
                if digest != entry.digest.to_string() {
                    let message = format!("`{name}` is named after another digest");
                    return Err(OpenError::Bundle(message));
                }
                // Straight to the store's own file, verified on the way.
                unpack_file(archive, name, entry, &store.object_file(&entry.digest))?;
            }
            _ if name == RECORDS => {}
            _ => unpack_file(archive, name, entry, &folder.join(name))?,
        }
    }
    if let (Some(entry), Some(store)) = (manifest.files.get(RECORDS), &store) {
        let bytes = archive.read(RECORDS).map_err(OpenError::Bundle)?;
        if Digest::of(&bytes) != entry.digest {
            return Err(damaged(RECORDS));
        }
        take_records(&bytes, store)?;
    }
    let project = folder.join("farcast.toml");
    if !project.exists() {
        fs::write(project, PROJECT)?;
    }
    Ok(())
}

fn unpack_file(
    archive: &mut Archive,
    name: &str,
    entry: &FileEntry,
    target: &Path,
) -> Result<(), OpenError> {
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder)?;
    }
    let file = File::options().write(true).create_new(true).open(target)?;
    let mut out = DigestingWriter {
        out: BufWriter::with_capacity(1 << 18, file),
        hasher: Hasher::default(),
        failed: None,
    };
    let copied = archive.copy(name, &mut out);
    if let Some(error) = out.failed {
        return Err(OpenError::Machine(error));
    }
    copied.map_err(OpenError::Bundle)?;
    out.out.flush()?;
    match out.hasher.finish() == entry.digest {
        true => Ok(()),
        false => Err(damaged(name)),
    }
}

fn damaged(name: &str) -> OpenError {
    OpenError::Bundle(format!(
        "`{name}` is not what `{MANIFEST}` lists: it was changed"
    ))
}

/// Adds the records whose keys are of their own text and whose objects are there.
fn take_records(bytes: &[u8], store: &DirStore) -> Result<(), OpenError> {
    for line in bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        let record: Record = serde_json::from_slice(line)
            .map_err(|error| OpenError::Bundle(format!("`{RECORDS}`: {error}")))?;
        if Digest::of(record.key_text.as_bytes()) != record.key {
            return Err(OpenError::Bundle(format!(
                "`{RECORDS}`: a key is not of its text"
            )));
        }
        let objects = store.objects();
        if let Some((part, ..)) = record
            .objects()
            .find(|(_, digest, size)| !objects.has(digest, *size))
        {
            let part = part.escape_debug();
            return Err(OpenError::Bundle(format!(
                "the object of part `{part}` is missing"
            )));
        }
        store.records().append(&record).map_err(OpenError::Store)?;
    }
    Ok(())
}

/// Digests what is written, and keeps the error of the machine apart from those of the bundle.
struct DigestingWriter<W> {
    out: W,
    hasher: Hasher,
    failed: Option<io::Error>,
}

impl<W: Write> Write for DigestingWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hasher.update(bytes);
        match self.out.write_all(bytes) {
            Ok(()) => Ok(bytes.len()),
            Err(error) => {
                self.failed = Some(io::Error::new(error.kind(), error.to_string()));
                Err(error)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
