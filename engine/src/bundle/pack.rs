//! Writes a bundle.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufWriter, Cursor, Write};
use std::path::{Component, Path, PathBuf};

use dsl::check::join;
use dsl::experiment::Metadata;

use super::metadata::{citation, metadata};
use super::{EXPERIMENT, FORMAT, FileEntry, MANIFEST, METADATA, Manifest, OBJECTS, RECORDS};
use crate::artifact::Piece;
use crate::digest::Digest;
use crate::error::Fault;
use crate::files::matching;
use crate::foreign::Provided;
use crate::packages::MANIFEST as SETTINGS;
use crate::path_text::{path_text, text_path};
use crate::record::{RunRecord, Text};
use crate::seal::seal;
use crate::store::{DirStore, Record, Store};
use crate::zip::{Content, write_archive};

/// What is packed.
pub struct Contents<'a> {
    /// The title of the experiment.
    pub title: &'a str,
    /// What it says about itself.
    pub metadata: &'a Metadata,
    /// The folder that relative paths start from.
    pub folder: PathBuf,
    /// The experiment's own text first.
    pub texts: Vec<Text>,
    /// The files of its packages, by path in the bundle; texts below `@` come from them.
    pub packages: BTreeMap<String, Vec<u8>>,
    /// The plugins of its own that no package brings.
    pub plugins: Vec<&'a Provided>,
    /// The data files, or patterns of them, that it reads.
    pub data: BTreeSet<String>,
    /// The run, when one is packed.
    pub run: Option<RunRecord>,
    /// Files of the run's output folder.
    pub outputs: Vec<PathBuf>,
    /// Whether data files are packed, not only named.
    pub with_data: bool,
    /// The keys whose results are packed, and the store they are in.
    pub results: Option<(&'a DirStore, BTreeSet<Digest>)>,
}

/// What was packed.
#[derive(Clone, Debug, PartialEq)]
pub struct Packed {
    /// What the bundle holds.
    pub manifest: Manifest,
    /// Its size in bytes.
    pub bytes: u64,
    /// How many results were asked for and are not in the store.
    pub absent: usize,
}

/// Writes a bundle to a new or existing file: completely, or not at all. The same contents give
/// the same bytes.
///
/// # Errors
/// The user's, when paths do not fit under one folder or a file differs from what the run read;
/// the environment's, when a file cannot be read or written.
pub fn pack(contents: Contents, target: &Path) -> Result<Packed, Fault> {
    let placed = Placed::of(&contents)?;
    let mut entries: BTreeMap<String, Content> = BTreeMap::new();
    for text in placed.texts.iter().filter(|text| !is_packaged(&text.path)) {
        let name = format!("{EXPERIMENT}/{}", text.path);
        entries.insert(name, Content::Text(text.text.clone().into_bytes()));
    }
    for (name, bytes) in &contents.packages {
        entries.insert(name.clone(), Content::Text(bytes.clone()));
    }
    for (name, bytes) in programs(&contents, &placed)? {
        entries.insert(format!("{EXPERIMENT}/{name}"), Content::Text(bytes));
    }
    let mut missing = BTreeMap::new();
    for (inside, path) in &placed.files {
        let name = format!("{EXPERIMENT}/{inside}");
        match contents.with_data {
            true => drop(entries.insert(name, Content::File(path.clone()))),
            false => drop(missing.insert(name, entry_of_file(path)?)),
        }
    }
    if let Some(run) = &placed.run {
        let mut text = Cursor::new(Vec::new());
        seal(run, &mut text).map_err(|error| Fault::Bug(error.to_string()))?;
        entries.insert("run.json".to_owned(), Content::Text(text.into_inner()));
    }
    for path in &contents.outputs {
        let name = path_text(Path::new(path.file_name().unwrap_or_default()));
        let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
        // Parquet is compressed already.
        let is_packed = name.ends_with(".parquet");
        entries.insert(
            name,
            match is_packed {
                true => Content::Bytes(bytes),
                false => Content::Text(bytes),
            },
        );
    }
    let mut records = Vec::new();
    let mut absent = 0;
    if let Some((store, keys)) = &contents.results {
        for key in keys {
            match store.find(key) {
                Some(record) => records.push(record),
                None => absent += 1,
            }
        }
        entries.extend(result_entries(store, &records)?);
    }
    let cff = citation(contents.title, contents.metadata, placed.run.as_ref());
    entries.insert("CITATION.cff".to_owned(), Content::Text(cff.into_bytes()));
    let mut manifest = Manifest {
        format: FORMAT,
        farcast: env!("CARGO_PKG_VERSION").to_owned(),
        title: contents.title.to_owned(),
        metadata: contents.metadata.clone(),
        file: format!(
            "{EXPERIMENT}/{}",
            placed.texts.first().map_or("", |text| &text.path)
        ),
        files: BTreeMap::new(),
        missing,
        results: records.len(),
    };
    for (name, content) in &entries {
        manifest.files.insert(name.clone(), entry_of(content)?);
    }
    verify_data(&placed, &manifest)?;
    let described = metadata(&manifest, placed.run.as_ref());
    let described = Content::Text(described.into_bytes());
    manifest
        .files
        .insert(METADATA.to_owned(), entry_of(&described)?);
    let listed = serde_json::to_vec_pretty(&manifest);
    let listed = listed.map_err(|error| Fault::Bug(error.to_string()))?;
    // The metadata first, where readers of RO-Crates look for them.
    let mut all = vec![
        (METADATA.to_owned(), described),
        (MANIFEST.to_owned(), Content::Text(listed)),
    ];
    all.extend(entries);
    let bytes = write(target, &all)?;
    Ok(Packed {
        manifest,
        bytes,
        absent,
    })
}

/// The programs of the plugins, by path below the folder of the experiment.
///
/// # Errors
/// When one is not what the run ran.
fn programs(contents: &Contents, placed: &Placed) -> Result<BTreeMap<String, Vec<u8>>, Fault> {
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut known = BTreeSet::new();
    for plugin in &contents.plugins {
        let Provided { program, code, .. } = plugin;
        let name = &plugin.declaration.signature.name;
        let ran = contents.run.as_ref().and_then(|run| run.programs.get(name));
        if ran.is_some_and(|ran| ran.digest != code.digest) {
            let message = format!("plugin `{name}` is not what the run ran: it changed since");
            let hint = "run the experiment again, and pack that run";
            return Err(Fault::user(message).with_hint(hint));
        }
        // Two declarations may call one program.
        if !known.insert((&program.folder, &program.name)) {
            continue;
        }
        let folder = program.folder();
        let folder = folder.strip_prefix(&placed.root).map_err(|_| {
            let message = format!("plugin `{name}` is not below the folder of the experiment");
            Fault::user(message).with_hint("keep them below one folder")
        })?;
        for (file, bytes) in plugin.packed()? {
            let path = path_text(&folder.join(&file));
            match files.get_mut(&path) {
                // Each program has its part of it.
                Some(text) if file == SETTINGS => text.extend(bytes),
                _ => drop(files.insert(path, bytes)),
            }
        }
    }
    Ok(files)
}

/// Texts, data and record with paths below one folder.
struct Placed {
    /// The folder, absolute.
    root: PathBuf,
    texts: Vec<Text>,
    /// Data files: the path in the bundle, and the one on disk.
    files: BTreeMap<String, PathBuf>,
    run: Option<RunRecord>,
}

impl Placed {
    fn of(contents: &Contents) -> Result<Self, Fault> {
        let folder = path_text(&contents.folder);
        let absolute = |path: &str| join(&format!("{folder}/"), path);
        let paths = contents
            .texts
            .iter()
            .map(|text| &text.path)
            .chain(&contents.data)
            .filter(|path| !is_packaged(path));
        let paths: Vec<String> = paths.map(|path| absolute(path)).collect();
        let root = common_folder(&paths);
        if root
            .components()
            .all(|part| !matches!(part, Component::Normal(_)))
        {
            let message = "texts and data have no folder in common";
            return Err(Fault::user(message).with_hint("keep them below one folder"));
        }
        for path in contents
            .texts
            .iter()
            .map(|text| &text.path)
            .chain(&contents.data)
        {
            if Path::new(path).is_absolute() && !Path::new(&contents.texts[0].path).is_absolute() {
                let message = format!("`{path}` is an absolute path, which no other machine has");
                let hint = "write it relative to the experiment, and run that";
                return Err(Fault::user(message).with_hint(hint));
            }
        }
        let inside = |path: &str| {
            if is_packaged(path) {
                return path.to_owned();
            }
            let path = text_path(&absolute(path));
            path_text(path.strip_prefix(&root).unwrap_or(&path))
        };
        let mut files = BTreeMap::new();
        for pattern in contents.data.iter().filter(|path| !is_packaged(path)) {
            let found = matching(&text_path(&absolute(pattern)))?;
            for path in found {
                files.insert(inside(&path_text(&path)), path);
            }
        }
        let texts: Vec<Text> = contents
            .texts
            .iter()
            .map(|text| Text {
                path: inside(&text.path),
                text: text.text.clone(),
            })
            .collect();
        let run = contents.run.clone().map(|run| RunRecord {
            folder: EXPERIMENT.to_owned(),
            texts: texts.clone(),
            data: run
                .data
                .iter()
                .map(|(path, digest)| (inside(path), *digest))
                .collect(),
            ..run
        });
        Ok(Self {
            root,
            texts,
            files,
            run,
        })
    }
}

/// Whether a path is in a package, so that the package has the file.
fn is_packaged(path: &str) -> bool {
    path.starts_with('@')
}

/// The deepest folder above all of these absolute paths.
fn common_folder(paths: &[String]) -> PathBuf {
    let folders = paths.iter().map(|path| {
        let path = text_path(path);
        path.parent().map(Path::to_owned).unwrap_or_default()
    });
    let common = folders.reduce(|all, one| {
        let shared = all.components().zip(one.components());
        shared.take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
    });
    common.unwrap_or_default()
}

/// Refuses data that are not what the run read.
fn verify_data(placed: &Placed, manifest: &Manifest) -> Result<(), Fault> {
    let Some(run) = &placed.run else {
        return Ok(());
    };
    for (path, digest) in &run.data {
        let name = format!("{EXPERIMENT}/{path}");
        let found = manifest.files.get(&name).or(manifest.missing.get(&name));
        // The digest of a pattern is of all its files: `open` and the next run verify them.
        if let Some(found) = found
            && found.digest != *digest
        {
            let message = format!("`{path}` is not what the run read: it changed since");
            let hint = "run the experiment again, and pack that run";
            return Err(Fault::user(message).with_hint(hint));
        }
    }
    Ok(())
}

/// Records one a line, ordered by key, and their objects.
fn result_entries(
    store: &DirStore,
    records: &[Record],
) -> Result<BTreeMap<String, Content>, Fault> {
    let mut entries = BTreeMap::new();
    let mut lines = Vec::new();
    for record in records {
        let line = serde_json::to_vec(record).map_err(|error| Fault::Bug(error.to_string()))?;
        lines.extend(line);
        lines.push(b'\n');
        for (part, digest, size) in record.objects() {
            let path = store.file_to_read(&digest);
            let content = match path.exists() {
                true => Content::File(path),
                // Small ones lie together with others.
                false => {
                    let whole = [Piece::whole(digest, size)];
                    let read = store.objects().get(&digest, size, &whole)?;
                    read.map_or(Content::Bytes(Vec::new()), |it| Content::Bytes(it.to_vec()))
                }
            };
            if entry_of(&content)? != (FileEntry { size, digest }) {
                return Err(Fault::Damaged(format!(
                    "part `{part}` is not what was stored: run the experiment again"
                )));
            }
            entries.insert(format!("{OBJECTS}{digest}"), content);
        }
    }
    entries.insert(RECORDS.to_owned(), Content::Text(lines));
    Ok(entries)
}

fn entry_of(content: &Content) -> Result<FileEntry, Fault> {
    match content {
        Content::Text(bytes) | Content::Bytes(bytes) => Ok(FileEntry {
            size: bytes.len() as u64,
            digest: Digest::of(bytes),
        }),
        Content::File(path) => entry_of_file(path),
    }
}

fn entry_of_file(path: &Path) -> Result<FileEntry, Fault> {
    let failed = |error: std::io::Error| unreadable(path, &error);
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let digest = Digest::of_reader(file).map_err(failed)?;
    Ok(FileEntry { size, digest })
}

fn unreadable(path: &Path, error: &std::io::Error) -> Fault {
    Fault::Environment(format!("cannot read `{}`: {error}", path.display()))
}

fn write(target: &Path, entries: &[(String, Content)]) -> Result<u64, Fault> {
    let failed = |error: std::io::Error| {
        Fault::Environment(format!("cannot write `{}`: {error}", target.display()))
    };
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let aside = target.with_file_name(name);
    let file = File::create(&aside).map_err(failed)?;
    let mut out = BufWriter::with_capacity(1 << 20, file);
    let written = write_archive(entries, &mut out)
        .and_then(|()| out.flush())
        .and_then(|()| out.get_ref().sync_all())
        .and_then(|()| fs::rename(&aside, target))
        .and_then(|()| fs::metadata(target));
    match written {
        Ok(metadata) => Ok(metadata.len()),
        Err(error) => {
            // A leftover does no harm; the first error is the one that matters.
            let _ = fs::remove_file(&aside);
            Err(failed(error))
        }
    }
}
