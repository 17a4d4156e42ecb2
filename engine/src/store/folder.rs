//! The folder of a store: files are written completely or not at all, with the permissions of the
//! group that shares the folder.

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use super::Access;
use crate::clock;
use crate::error::Fault;

/// The latest format of a store. It rises when an older farcast can no longer read one: what is in
/// packs an older one would take for lost.
const FORMAT: u32 = 2;

/// The format of a store without packs.
const WITHOUT_PACKS: u32 = 1;

const FOLDERS: [&str; 7] = [
    "objects", "journal", "digests", "runs", "holds", "damaged", "tmp",
];

/// Small results that were stored together: see [`packs`](super::packs).
pub(super) const PACKS: &str = "packs";

/// What is done elsewhere for runs of this store: see [`crate::cluster`].
const WORK: &str = "work";

/// What is known of remote stores: see [`crate::remote`].
const REMOTES: &str = "remotes";

const CACHEDIR_TAG: &str = "\
Signature: 8a477f597d28d172789f06886806bc55
# This file is a cache directory tag created by farcast.
# For information about cache directory tags, see https://bford.info/cachedir/
";

/// The folder of a store.
#[derive(Clone)]
pub(super) struct Folder {
    root: PathBuf,
    access: Access,
}

impl Folder {
    /// Opens the folder and, with [`Access::Write`], creates what is missing in it. A folder that
    /// exists but cannot be written opens, too; writing to it fails later.
    pub(super) fn open(root: &Path, access: Access) -> Result<Self, Fault> {
        let opened = Self {
            root: root.to_owned(),
            access,
        };
        let exists = match fs::metadata(root) {
            Ok(metadata) if metadata.is_dir() => true,
            Ok(_) => {
                let message = format!("the store `{}` is not a directory", root.display());
                return Err(Fault::Environment(message));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => return Err(opened.unreadable(&error)),
        };
        if exists {
            opened.check_format()?;
        }
        if access == Access::Write {
            match opened.lay_out() {
                Err(error) if !(exists && is_read_only(&error)) => {
                    return Err(Fault::Environment(format!(
                        "cannot create the store `{}`: {error}",
                        root.display()
                    )));
                }
                _ => {}
            }
        }
        Ok(opened)
    }

    /// The path of something inside the store.
    pub(super) fn path(&self, inside: &str) -> PathBuf {
        self.root.join(inside)
    }

    /// The store's folder.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// A path for an unfinished file that no other process uses.
    pub(super) fn temporary(&self) -> PathBuf {
        self.path("tmp").join(unique())
    }

    /// Writes a file and syncs it to disk: completely, or not at all. Messages call it `what`.
    ///
    /// # Errors
    /// When the machine cannot write it; nothing is left behind then.
    pub(super) fn write(&self, target: &Path, what: &str, bytes: &[u8]) -> Result<(), Fault> {
        self.check_writable()?;
        self.write_whole(target, bytes)
            .map_err(|error| self.fault(what, &error))
    }

    /// Says that the store has packs, so that an older farcast leaves it alone.
    pub(super) fn raise_format(&self) -> Result<(), Fault> {
        self.check_writable()?;
        let path = self.path("version");
        let text = format!("{FORMAT}\n");
        match fs::read_to_string(&path) {
            Ok(found) if found == text => Ok(()),
            _ => self.write(&path, "the format", text.as_bytes()),
        }
    }

    /// A new file to append to.
    pub(super) fn create(&self, path: &Path) -> io::Result<File> {
        let create = || OpenOptions::new().append(true).create_new(true).open(path);
        let file = match create() {
            // The store was deleted meanwhile, which is allowed at any time.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.make_folders()?;
                create()?
            }
            other => other?,
        };
        self.share(path, 0o060);
        Ok(file)
    }

    /// Moves a damaged file to `damaged/`, where it stays until the next `gc`, and returns its new
    /// path. Best effort: the store may be read-only.
    pub(super) fn set_aside(&self, path: &Path) -> Option<PathBuf> {
        self.check_writable().ok()?;
        let name = path.file_name()?.to_string_lossy();
        let folder = self.path("damaged");
        let mut names = (0_u64..).map(|number| folder.join(format!("{name}-{number}")));
        let aside = names.find(|path| !path.exists())?;
        fs::rename(path, &aside).ok()?;
        Some(aside)
    }

    /// An error when the store may not be written.
    pub(super) fn check_writable(&self) -> Result<(), Fault> {
        match self.access {
            Access::Write => Ok(()),
            Access::Read => Err(self.read_only()),
        }
    }

    /// The fault of failing to store `what`.
    pub(super) fn fault(&self, what: &str, error: &io::Error) -> Fault {
        let root = self.root.display();
        match error.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                Fault::Environment(format!("no space left on `{root}` while storing {what}"))
            }
            _ if is_read_only(error) => self.read_only(),
            _ => Fault::Environment(format!("cannot store {what} in `{root}`: {error}")),
        }
    }

    /// The fault of failing to read the store.
    pub(super) fn unreadable(&self, error: &io::Error) -> Fault {
        Fault::Environment(format!(
            "cannot read the store `{}`: {error}",
            self.root.display()
        ))
    }

    /// The time on the machine that stamps the store's files; on a network it is not this one.
    pub(super) fn now(&self) -> SystemTime {
        let stamp = || -> io::Result<SystemTime> {
            self.check_writable().map_err(io::Error::other)?;
            let temporary = Temporary(self.temporary());
            self.create(&temporary.0)?.metadata()?.modified()
        };
        stamp().unwrap_or_else(|_| clock::now())
    }

    fn read_only(&self) -> Fault {
        Fault::Environment(format!(
            "the store `{}` is read-only: name another with `--store` or `FARCAST_STORE`",
            self.root.display()
        ))
    }

    fn check_format(&self) -> Result<(), Fault> {
        let root = self.root.display();
        let text = match fs::read_to_string(self.path("version")) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return self.refuse_other_folders();
            }
            Err(error) => return Err(self.unreadable(&error)),
        };
        match text.trim().parse::<u32>() {
            Ok(format) if format <= FORMAT => Ok(()),
            Ok(format) => Err(Fault::Environment(format!(
                "the store `{root}` was written by a newer farcast: \
                 expected format {FORMAT}, found {format}"
            ))),
            Err(_) => Err(Fault::Environment(format!(
                "the store `{root}` has no format number: expected {FORMAT} in `version`, found `{}`; \
                 if only that file is damaged, write {FORMAT} into it",
                text.trim().escape_debug()
            ))),
        }
    }

    /// A folder with other files in it is more likely a mistyped path than a store.
    fn refuse_other_folders(&self) -> Result<(), Fault> {
        let ours = |name: &str| {
            let others = [WORK, REMOTES, PACKS];
            FOLDERS.contains(&name)
                || others.contains(&name)
                || marks().iter().any(|mark| mark.0 == name)
        };
        for entry in fs::read_dir(&self.root).map_err(|error| self.unreadable(&error))? {
            let name = entry.map_err(|error| self.unreadable(&error))?.file_name();
            let name = name.to_string_lossy();
            if !ours(&name) && !name.starts_with(".nfs") {
                return Err(Fault::Environment(format!(
                    "`{}` is not a store: expected an empty folder, found `{name}` in it",
                    self.root.display()
                )));
            }
        }
        Ok(())
    }

    fn lay_out(&self) -> io::Result<()> {
        self.make_folders()?;
        for (name, text) in marks() {
            let path = self.path(name);
            if !path.exists() {
                self.write_whole(&path, text.as_bytes())?;
            }
        }
        Ok(())
    }

    fn make_folders(&self) -> io::Result<()> {
        self.make_root()?;
        FOLDERS
            .iter()
            .try_for_each(|folder| self.make_folder(&self.path(folder)))
    }

    fn make_root(&self) -> io::Result<()> {
        let parent = self.root.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(parent)?;
        match fs::create_dir(&self.root) {
            Ok(()) => inherit_group(parent, &self.root),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn make_folder(&self, path: &Path) -> io::Result<()> {
        match fs::create_dir(path) {
            Ok(()) => self.share(path, 0o070),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
            Err(error) => return Err(error),
        }
        path.parent().map_or(Ok(()), sync_folder)
    }

    fn write_whole(&self, target: &Path, bytes: &[u8]) -> io::Result<()> {
        let folder = target.parent().unwrap_or(&self.root);
        let temporary = Temporary(self.temporary());
        let mut file = self.create(&temporary.0)?;
        io::Write::write_all(&mut file, bytes)?;
        file.sync_all()?;
        self.make_folder(folder)?;
        fs::rename(&temporary.0, target)?;
        sync_folder(folder)
    }

    /// Gives the group these rights if it has them on the store. Best effort: some file systems
    /// have no permissions.
    #[cfg(unix)]
    fn share(&self, path: &Path, rights: u32) {
        if mode(&self.root) & 0o020 != 0 {
            add_rights(path, rights);
        }
    }

    #[cfg(not(unix))]
    fn share(&self, _: &Path, _: u32) {}
}

/// An unfinished file; removed on drop unless it was renamed.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Files that mark the folder as a store; the format comes last, when the rest is there.
fn marks() -> [(&'static str, String); 3] {
    [
        ("CACHEDIR.TAG", CACHEDIR_TAG.to_owned()),
        (".gitignore", "*\n".to_owned()),
        ("version", format!("{WITHOUT_PACKS}\n")),
    ]
}

/// Makes files created or renamed in a folder survive a power cut, where the file system can sync
/// folders.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    match File::open(folder)?.sync_all() {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::InvalidInput | ErrorKind::Unsupported
            ) =>
        {
            Ok(())
        }
        other => other,
    }
}

/// Text that no other process and no other call returns.
pub(crate) fn unique() -> String {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u64(CALLS.fetch_add(1, Ordering::Relaxed));
    format!("{}-{:016x}", std::process::id(), hasher.finish())
}

fn is_read_only(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem
    )
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).map_or(0, |metadata| metadata.permissions().mode())
}

#[cfg(unix)]
fn add_rights(path: &Path, rights: u32) {
    use std::os::unix::fs::PermissionsExt;
    let before = mode(path);
    if before & rights != rights {
        let _ = fs::set_permissions(path, fs::Permissions::from_mode(before | rights));
    }
}

/// A new store in a folder whose files belong to a group (set-group-id and writable by it)
/// belongs to that group too.
#[cfg(unix)]
fn inherit_group(parent: &Path, root: &Path) {
    if mode(parent) & 0o2020 == 0o2020 {
        add_rights(root, 0o070);
    }
}

#[cfg(not(unix))]
fn inherit_group(_: &Path, _: &Path) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_say_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("s");
        let opened = Folder::open(&root, Access::Write).unwrap();
        let told = |kind: ErrorKind| {
            let text = opened.fault("part `w`", &kind.into()).to_string();
            text.replace(&root.display().to_string(), "S")
        };
        assert_eq!(
            told(ErrorKind::StorageFull),
            "no space left on `S` while storing part `w`"
        );
        assert_eq!(
            told(ErrorKind::QuotaExceeded),
            "no space left on `S` while storing part `w`"
        );
        let read_only =
            "the store `S` is read-only: name another with `--store` or `FARCAST_STORE`";
        assert_eq!(told(ErrorKind::PermissionDenied), read_only);
        assert_eq!(told(ErrorKind::ReadOnlyFilesystem), read_only);
    }

    #[test]
    fn a_failed_write_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let opened = Folder::open(&folder.path().join("s"), Access::Write).unwrap();
        let target = opened.path("version").join("below-a-file");
        assert!(opened.write(&target, "it", b"bytes").is_err());
        assert_eq!(fs::read_dir(opened.path("tmp")).unwrap().count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_group_keeps_its_rights() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let set = |bits| fs::set_permissions(folder.path(), fs::Permissions::from_mode(bits));
        set(0o2775).unwrap();
        let opened = Folder::open(&folder.path().join("ours"), Access::Write).unwrap();
        let target = opened.path("objects").join("ab").join("x");
        opened.write(&target, "it", b"bytes").unwrap();
        assert_eq!(mode(&target) & 0o060, 0o060);
        assert_eq!(mode(target.parent().unwrap()) & 0o070, 0o070);
        set(0o755).unwrap();
        let opened = Folder::open(&folder.path().join("mine"), Access::Write).unwrap();
        assert_eq!(
            mode(opened.root()) & 0o020,
            mode(&fresh(folder.path())) & 0o020
        );
    }

    /// A folder with the rights our umask gives.
    #[cfg(unix)]
    fn fresh(folder: &Path) -> PathBuf {
        let path = folder.join("fresh");
        fs::create_dir(&path).unwrap();
        path
    }
}
