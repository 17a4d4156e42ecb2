//! A shared folder: files written aside and renamed, for whoever has rights in it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use super::place::{Entry, MARK, Place, UNFINISHED, VERSION, check_version, is_ours};
use crate::error::Fault;
use crate::files::{self, NotOpened};
use crate::path_text::text_path;
use crate::store::{sync_folder, unique};

/// A folder that others use, too. It must exist: a file system that is not mounted must not be
/// taken for an empty one.
pub(super) struct SharedFolder {
    name: String,
    root: PathBuf,
}

impl SharedFolder {
    pub(super) fn open(name: &str, path: &str) -> Result<Self, Fault> {
        let opened = Self {
            name: name.to_owned(),
            root: text_path(path),
        };
        opened.check()?;
        Ok(opened)
    }

    /// That it is a folder, and nothing else than a shared store.
    fn check(&self) -> Result<(), Fault> {
        match read(&self.root.join(MARK), 64) {
            Ok(version) => {
                let version = String::from_utf8_lossy(&version);
                return check_version(&version).map_err(|why| self.fault(&why));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(self.fault(&error.to_string())),
        }
        let entries = match fs::read_dir(&self.root) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(self.fault("it does not exist; whoever shares it makes the folder"));
            }
            other => other.map_err(|error| self.fault(&error.to_string()))?,
        };
        for entry in entries {
            let name = entry.map_err(|error| self.fault(&error.to_string()))?;
            let name = name.file_name().to_string_lossy().into_owned();
            if !is_ours(&name) {
                let what = format!("it is not a shared store: `{name}` is in it");
                return Err(self.fault(&what));
            }
        }
        Ok(())
    }

    fn fault(&self, why: &str) -> Fault {
        Fault::Environment(format!("`{}`: {why}", self.root.display()))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.make_folder(UNFINISHED)?;
        let target = self.path(name);
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        self.make_folder(folder)?;
        let unfinished = PartialFile(self.path(UNFINISHED).join(unique()));
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&unfinished.0)?;
        file.write_all(bytes)?;
        seal(&file)?;
        file.sync_all()?;
        fs::rename(&unfinished.0, &target)?;
        sync_folder(&self.path(folder))
    }

    /// Makes a folder in it, for the group where the whole is for the group.
    fn make_folder(&self, name: &str) -> io::Result<()> {
        let mut path = self.root.clone();
        for part in name.split('/').filter(|part| !part.is_empty()) {
            path.push(part);
            match fs::create_dir(&path) {
                Ok(()) => share(&self.root, &path)?,
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn add(&self, folder: &Path, name: &str, entries: &mut Vec<Entry>) -> io::Result<()> {
        let listed = match fs::read_dir(folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            other => other?,
        };
        for entry in listed {
            let entry = entry?;
            let Some(file) = entry.file_name().to_str().map(str::to_owned) else {
                continue;
            };
            let name = format!("{name}/{file}");
            match fs::symlink_metadata(entry.path()) {
                Ok(found) if found.is_dir() => self.add(&entry.path(), &name, entries)?,
                Ok(found) if found.is_file() => entries.push(Entry {
                    name,
                    bytes: found.len(),
                    modified: found.modified()?,
                }),
                // Somebody else works here, too.
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Place for SharedFolder {
    fn list(&self, folder: &str) -> Result<Vec<Entry>, Fault> {
        let listed = patiently(|| {
            let mut entries = Vec::new();
            self.add(&self.path(folder), folder, &mut entries)?;
            Ok(entries)
        });
        listed.map_err(|error| self.fault(&error.to_string()))
    }

    fn find(&self, name: &str) -> Result<Option<Entry>, Fault> {
        let found = match fs::symlink_metadata(self.path(name)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other.and_then(|found| Ok((found.len(), found.modified()?))),
        };
        let (bytes, modified) = found.map_err(|error| self.fault(&error.to_string()))?;
        Ok(Some(Entry {
            name: name.to_owned(),
            bytes,
            modified,
        }))
    }

    fn get(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, Fault> {
        match patiently(|| read(&self.path(name), limit)) {
            Ok(bytes) => Ok(Some(bytes)),
            // A folder that is gone as a whole is away, not empty.
            Err(error) if error.kind() == ErrorKind::NotFound && self.root.is_dir() => Ok(None),
            Err(error) => Err(self.fault(&error.to_string())),
        }
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), Fault> {
        let marked = match self.path(MARK).exists() {
            true => Ok(()),
            false => patiently(|| self.write(MARK, format!("{VERSION}\n").as_bytes())),
        };
        let written = marked.and_then(|()| patiently(|| self.write(name, bytes)));
        written.map_err(|error| match error.kind() {
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                let name = &self.name;
                self.fault(&format!("you may not write to `{name}`: {error}"))
            }
            _ => self.fault(&error.to_string()),
        })
    }

    fn remove(&self, name: &str) -> Result<(), Fault> {
        match fs::remove_file(self.path(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(self.fault(&error.to_string()))
            }
            _ => Ok(()),
        }
    }
}

/// Asks again for a second. With the umask of some, a folder that they have just made is closed to
/// the others for a moment, until it is shared.
fn patiently<T>(ask: impl Fn() -> io::Result<T>) -> io::Result<T> {
    for _ in 0..20 {
        match ask() {
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                thread::sleep(Duration::from_millis(50));
            }
            answer => return answer,
        }
    }
    ask()
}

/// The bytes of a file, up to one more than `limit`. Whoever can write to the folder may put a pipe
/// there, which never ends: it counts as missing.
fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = files::open(path).map_err(|error| match error {
        NotOpened::Missing | NotOpened::NotAFile(_) => ErrorKind::NotFound.into(),
        NotOpened::Refused(error) => error,
    })?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// An unfinished file; removed on drop unless it was renamed.
struct PartialFile(PathBuf);

impl Drop for PartialFile {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Nobody changes a file again, not even who wrote it; who may read it, the folders say.
#[cfg(unix)]
fn seal(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o444))
}

#[cfg(not(unix))]
fn seal(_: &File) -> io::Result<()> {
    Ok(())
}

/// A new folder is for the group if the whole is: others add files to it, which belong to the
/// group again.
#[cfg(unix)]
fn share(root: &Path, folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let whole = fs::metadata(root)?;
    let mode = whole.permissions().mode();
    if mode & 0o020 == 0 {
        return Ok(());
    }
    if fs::metadata(folder)?.gid() != whole.gid() {
        // Without the mode 2000 of the whole; whoever is not in its group cannot.
        let _ = chown(folder, None, Some(whole.gid()));
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(0o2775 & (mode | 0o2000)))
}

#[cfg(not(unix))]
fn share(_: &Path, _: &Path) -> io::Result<()> {
    Ok(())
}
