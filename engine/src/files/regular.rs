//! Opening regular files only: a FIFO, a socket or a device would be waited for. Of all else only
//! what the shell has opened is read. Of what is missing, the file that may be meant.

use std::fs::{File, FileType, Metadata, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;

/// What an action cannot read as a file.
#[derive(Debug)]
pub enum NotOpened {
    /// Nothing has this path.
    Missing,
    /// Something other than a file has it: a directory, a FIFO, a socket, a device.
    NotAFile(&'static str),
    /// The machine refuses.
    Refused(io::Error),
}

impl NotOpened {
    /// What is wrong with the file of this path, in one line.
    pub fn message(&self, path: &Path) -> String {
        let shown = path.display();
        match self {
            Self::Missing => format!("there is no file `{shown}`"),
            Self::NotAFile(found) => format!("expected a file, found the {found} `{shown}`"),
            Self::Refused(error) => format!("cannot read `{shown}`: {error}"),
        }
    }
}

/// How many names of a folder are searched for the one that was meant.
const MOST_NAMES: usize = 4096;

/// What to do about a path that nothing has: a file of nearly this name beside it, or the folder
/// that is missing, too.
pub fn hint_for_missing(path: &Path) -> Option<String> {
    let (folder, name) = (path.parent()?, path.file_name()?.to_str()?);
    let listed = match folder == Path::new("") {
        true => Path::new("."),
        false => folder,
    };
    if !listed.is_dir() {
        return Some(format!("there is no folder `{}`", folder.display()));
    }
    let listed = listed.read_dir().ok()?.take(MOST_NAMES).flatten();
    let names: Vec<String> = listed
        .filter_map(|it| it.file_name().into_string().ok())
        .collect();
    let near = dsl::nearest(name, names.iter().map(String::as_str))?;
    Some(format!("did you mean `{}`?", folder.join(near).display()))
}

impl From<io::Error> for NotOpened {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound => Self::Missing,
            _ => Self::Refused(error),
        }
    }
}

/// That this is a file, and what is known of it; it is not opened.
///
/// # Errors
/// See [`NotOpened`].
pub fn look_at(path: &Path) -> Result<Metadata, NotOpened> {
    let metadata = path.metadata()?;
    expect_file(&metadata)?;
    Ok(metadata)
}

/// Opens a file for reading, without waiting for whatever has its path.
///
/// # Errors
/// See [`NotOpened`].
pub fn open(path: &Path) -> Result<File, NotOpened> {
    // Before opening, as that can be enough to make a device act.
    look_at(path)?;
    let mut options = OpenOptions::new();
    options.read(true);
    without_waiting(&mut options);
    let file = options.open(path)?;
    // Again: something else may have taken its place in between.
    expect_file(&file.metadata()?)?;
    Ok(file)
}

/// Opens a text that the user names: a file, or what the shell passes as a descriptor, such as the
/// pipe of `<(…)`. Whoever waits for that has somebody who writes, which a FIFO need not have.
///
/// # Errors
/// See [`NotOpened`].
pub fn open_or_passed(path: &Path) -> Result<File, NotOpened> {
    let passed = ["/dev/fd", "/proc/self/fd"].map(Path::new);
    let is_passed =
        path == Path::new("/dev/stdin") || path.parent().is_some_and(|it| passed.contains(&it));
    match is_passed {
        true => Ok(File::open(path)?),
        false => open(path),
    }
}

fn expect_file(metadata: &Metadata) -> Result<(), NotOpened> {
    match metadata.is_file() {
        true => Ok(()),
        false => Err(NotOpened::NotAFile(name(metadata.file_type()))),
    }
}

#[cfg(unix)]
fn without_waiting(options: &mut OpenOptions) {
    use std::os::unix::fs::OpenOptionsExt;
    options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
}

#[cfg(not(unix))]
fn without_waiting(_: &mut OpenOptions) {}

#[cfg(unix)]
fn name(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    match kind {
        kind if kind.is_dir() => "directory",
        kind if kind.is_fifo() => "FIFO",
        kind if kind.is_socket() => "socket",
        _ => "device",
    }
}

#[cfg(not(unix))]
fn name(kind: FileType) -> &'static str {
    match kind.is_dir() {
        true => "directory",
        false => "device",
    }
}
