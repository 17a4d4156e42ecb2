//! Several files as one data set: paths, lists, patterns and folders.
//!
//! A plugin that reads files declares `file: DataFiles` and calls [`open_all`], which returns every
//! file with what the names of its folders say (`year=2000/`); [`stacking`](super::stacking) puts the
//! tables together or says how two of them differ. A plugin whose data sets are folders (Zarr) lists
//! them with [`engine::files::entries`].

use std::collections::BTreeSet;
use std::path::Path;

use dsl::experiment::Value;
use dsl::types::Type;
use engine::error::Fault;
use engine::files::{self, DataFile, Files};
use engine::params::{Bindings, Column, DataPath, ParamType};

use super::source::{self, Heading};

/// The files of a data set: one path or a list, each a file, a pattern or a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFiles(pub Vec<DataPath>);

impl ParamType for DataFiles {
    fn ty() -> Type {
        Type::List(Box::new(Type::Path))
    }

    fn from_value(field: &str, value: &Value, bindings: &Bindings) -> Result<Self, Fault> {
        Vec::from_value(field, value, bindings).map(Self)
    }
}

/// The files or stores of gridded data: one path, or a list of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GridFiles(pub Vec<DataPath>);

impl ParamType for GridFiles {
    fn ty() -> Type {
        Type::OneOf(vec![Type::Path, Type::List(Box::new(Type::Path))])
    }

    fn from_value(field: &str, value: &Value, bindings: &Bindings) -> Result<Self, Fault> {
        match value {
            Value::List(_) => Vec::from_value(field, value, bindings).map(Self),
            one => DataPath::from_value(field, one, bindings).map(|path| Self(vec![path])),
        }
    }
}

impl From<DataPath> for GridFiles {
    fn from(path: DataPath) -> Self {
        Self(vec![path])
    }
}

impl From<DataPath> for DataFiles {
    fn from(path: DataPath) -> Self {
        Self(vec![path])
    }
}

impl DataFiles {
    /// The paths as they were given, for messages.
    pub fn shown(&self) -> String {
        let shown: Vec<String> = self
            .0
            .iter()
            .map(|path| path.0.display().to_string())
            .collect();
        shown.join("`, `")
    }
}

/// One of several files.
#[derive(Clone, Debug)]
pub struct OneFile {
    /// The file.
    pub file: DataFile,
    /// What the names of its folders say: `year` and `2000` of `year=2000/`.
    pub partitions: Vec<(String, String)>,
}

impl OneFile {
    /// Its path.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// The columns asked for that the file itself has, as [`source::select`] finds them: the names
    /// of its folders are columns too.
    ///
    /// # Errors
    /// When there is none of a name.
    pub fn select(
        &self,
        headings: &[Heading],
        wanted: &[Column],
    ) -> Result<Vec<(usize, Heading)>, Fault> {
        let is_folder = |name: &str| {
            self.partitions.iter().any(|(folder, _)| folder == name)
                && !headings.iter().any(|heading| heading.name == name)
        };
        let own = wanted.iter().filter(|Column(name)| !is_folder(name));
        source::select(headings, &own.cloned().collect::<Vec<_>>())
    }
}

/// Opens the files of parameter `file`: those of a list in its order, those of a pattern or folder
/// in the order of their names. Of a folder it takes the files whose names have one of these
/// `endings` (`.csv`), but none that begins with `.` or `_`.
///
/// # Errors
/// When a file is missing or unreadable, a pattern matches none, a folder holds none, or a file
/// is named twice.
pub fn open_all(paths: &DataFiles, endings: &[&str], files: &Files) -> Result<Vec<OneFile>, Fault> {
    let mut opened = Vec::new();
    for DataPath(path) in &paths.0 {
        opened.extend(open_some(path, endings, files)?);
    }
    if opened.is_empty() {
        return Err(Fault::at("file", "expected one file or more, found none"));
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = opened
        .iter()
        .find(|one: &&OneFile| !seen.insert(one.path()))
    {
        let message = format!("`{}` is named twice", twice.path().display());
        return Err(Fault::at("file", message));
    }
    Ok(opened)
}

/// Opens the files of parameter `file`: those of a list in its order, those of a pattern in the
/// order of their names.
///
/// # Errors
/// As [`open_all`].
pub fn open_patterns(paths: &GridFiles, files: &Files) -> Result<Vec<DataFile>, Fault> {
    let mut opened: Vec<DataFile> = Vec::new();
    for DataPath(path) in &paths.0 {
        opened.extend(
            files
                .open_all(path)
                .map_err(|fault| source::moved(fault, "file"))?,
        );
    }
    if opened.is_empty() {
        return Err(Fault::at("file", "expected one file or more, found none"));
    }
    let mut seen = BTreeSet::new();
    if let Some(twice) = opened
        .iter()
        .find(|file: &&DataFile| !seen.insert(file.path()))
    {
        let message = format!("`{}` is named twice", twice.path().display());
        return Err(Fault::at("file", message));
    }
    Ok(opened)
}

/// Those of one path.
fn open_some(path: &Path, endings: &[&str], files: &Files) -> Result<Vec<OneFile>, Fault> {
    let at_file = |fault| source::moved(fault, "file");
    let entries = files::entries(path).map_err(|fault| none_matches(path, &fault))?;
    let is_alone = entries.as_slice() == [path] && !path.is_dir();
    if is_alone {
        let file = files.open(path).map_err(at_file)?;
        let partitions = Vec::new();
        return Ok(vec![OneFile { file, partitions }]);
    }
    let root = files::root(path).to_owned();
    // What a pattern names by itself is taken whatever its ending.
    let is_wanted = |file: &Path| {
        entries.iter().any(|entry| entry == file) || is_of_folder(&root, file, endings)
    };
    let all = files.open_all(path).map_err(at_file)?;
    let wanted: Vec<OneFile> = all
        .into_iter()
        .filter(|file| is_wanted(file.path()))
        .map(|file| OneFile {
            partitions: partitions(&root, file.path()),
            file,
        })
        .collect();
    if wanted.is_empty() {
        let message = format!(
            "`{}` holds no file `*{}`",
            path.display(),
            endings.join("`, `*")
        );
        return Err(Fault::at("file", message));
    }
    Ok(wanted)
}

/// Whether a file in a folder is one of its data: `_SUCCESS`, `.crc` and others are not.
fn is_of_folder(root: &Path, file: &Path, endings: &[&str]) -> bool {
    let below = file.strip_prefix(root).unwrap_or(file);
    let mut names = below
        .components()
        .map(|part| part.as_os_str().to_string_lossy());
    let is_hidden = names.any(|name| name.starts_with('.') || name.starts_with('_'));
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let name = name.to_ascii_lowercase();
    !is_hidden && endings.iter().any(|ending| name.ends_with(ending))
}

/// What the names of the folders between the root and a file say.
fn partitions(root: &Path, file: &Path) -> Vec<(String, String)> {
    let folders = file.parent().unwrap_or(Path::new(""));
    let below = folders.strip_prefix(root).unwrap_or(Path::new(""));
    let names = below
        .components()
        .map(|part| part.as_os_str().to_string_lossy());
    let pairs = names.filter_map(|name| {
        let (key, value) = name.split_once('=')?;
        (!key.is_empty()).then(|| (unescaped(key), unescaped(value)))
    });
    pairs.collect()
}

/// The text with `%2F` and the like decoded.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// The complaint about a pattern without files, with the names that are there.
fn none_matches(path: &Path, fault: &Fault) -> Fault {
    let complaint = Fault::at("file", fault.to_string());
    let folder = files::root(path);
    let Some(mut names) = files::names_in(folder) else {
        return complaint;
    };
    let more = names.len().saturating_sub(SHOWN_NAMES);
    names.truncate(SHOWN_NAMES);
    let more = match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    match names.is_empty() {
        true => complaint.with_hint(format!("`{}` is empty", folder.display())),
        false => complaint.with_hint(format!(
            "`{}` holds: {}{more}",
            folder.display(),
            names.join(", ")
        )),
    }
}

/// How many names a hint lists.
const SHOWN_NAMES: usize = 8;
