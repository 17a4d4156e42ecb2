//! A run that is named on the command line: by its name in the store, its folder or its `run.json`.

use std::path::{Path, PathBuf};

use engine::digest::Digest;
use engine::error::Fault;
use engine::path_text::{path_text, text_path};
use engine::record::RunRecord;
use engine::seal::is_changed;
use engine::store::{Access, DirStore, read_limited};
use engine::table::{ScoreLine, read_scores};

use crate::exit::Abort;
use crate::session::open_store;
use crate::settings::Settings;
use crate::terminal::Terminal;

/// A stored run.
pub struct StoredRun {
    /// Its name in the store, or the path of its `run.json`.
    pub name: String,
    /// Its record.
    pub record: RunRecord,
    scores: PathBuf,
}

impl StoredRun {
    /// The run of this name; prints why there is none.
    pub fn find(named: &str, settings: &Settings, terminal: &Terminal) -> Result<Self, Abort> {
        let path = Path::new(named);
        if path.is_dir() || path.is_file() || named.contains('/') {
            return Self::at(path, terminal).map_err(|fault| report_fault(&fault, terminal));
        }
        let store = open_store(settings, Path::new("."), Access::Read, terminal)?;
        Self::stored(named, &store).map_err(|fault| report_fault(&fault, terminal))
    }

    /// The run of an output folder or a `run.json`.
    ///
    /// # Errors
    /// When there is none.
    pub fn at(path: &Path, terminal: &Terminal) -> Result<Self, Fault> {
        let file = if path.is_dir() {
            path.join("run.json")
        } else {
            path.to_owned()
        };
        let shown = file.display();
        let bytes = read_limited(&file)?;
        let mut record = RunRecord::parse(&bytes).map_err(|fault| match fault {
            Fault::User {
                param,
                message,
                hint,
            } => Fault::User {
                param,
                message: format!("`{shown}`: {message}"),
                hint,
            },
            other => other,
        })?;
        if is_changed(&bytes) {
            terminal.note(format!("`{shown}` was changed after the run"));
        }
        // In a bundle, paths start beside the record.
        if Path::new(&record.folder).is_relative()
            && let Some(folder) = file.parent().and_then(|folder| folder.canonicalize().ok())
        {
            record.folder = path_text(&folder.join(text_path(&record.folder)));
        }
        Ok(Self {
            name: shown.to_string(),
            record,
            scores: file.with_file_name("scores.parquet"),
        })
    }

    fn stored(named: &str, store: &DirStore) -> Result<Self, Fault> {
        let mut names = store.runs()?;
        if named.starts_with("last") {
            names.retain(|name| !Self::is_running(name, store));
        }
        let name = chosen(named, &names, &store.path().display().to_string())?.to_owned();
        let record = Self::read(&name, store)?;
        Ok(Self {
            scores: store.scores_file(&name),
            name,
            record,
        })
    }

    /// The record of a run of the store, as it is known now.
    ///
    /// # Errors
    /// When it is damaged or cannot be read.
    pub fn read(name: &str, store: &DirStore) -> Result<RunRecord, Fault> {
        RunRecord::parse(&store.run(name)?).map(RunRecord::as_of_now)
    }

    fn is_running(name: &str, store: &DirStore) -> bool {
        let is_begun = store.is_begun(name);
        is_begun && Self::read(name, store).is_ok_and(|run| run.ended() == "running")
    }

    /// The record of the last run of a store, if it can be read.
    pub fn last(store: &DirStore) -> Option<RunRecord> {
        let name = store.runs().ok()?.pop()?;
        RunRecord::parse(&store.run(&name).ok()?).ok()
    }

    /// Its scores, verified; empty without scores.
    ///
    /// # Errors
    /// When they cannot be read or belong to another run.
    pub fn scores(&self) -> Result<Vec<ScoreLine>, Fault> {
        let Some(promised) = self.record.scores else {
            return Ok(Vec::new());
        };
        let bytes = read_limited(&self.scores)?;
        if Digest::of(&bytes) != promised {
            let name = &self.name;
            return Err(Fault::user(format!(
                "the scores beside `{name}` belong to another run"
            )));
        }
        let mut lines = read_scores(&bytes)?;
        for line in &mut lines {
            line.unit = self.record.units.get(&line.metric).cloned();
        }
        Ok(lines)
    }
}

/// Prints what is wrong, and what to do about it.
pub fn report_fault(fault: &Fault, terminal: &Terminal) -> Abort {
    terminal.error(fault.to_string());
    if let Fault::User {
        hint: Some(hint), ..
    } = fault
    {
        terminal.say(format!("  = help: {hint}"));
    }
    Abort::Failed
}

/// The name that is meant by `last`, `last~2`, a complete name or the start of one.
fn chosen<'a>(named: &str, names: &'a [String], store: &str) -> Result<&'a str, Fault> {
    let back = match named.strip_prefix("last") {
        Some("") => Some(0),
        Some(rest) => rest.strip_prefix('~').and_then(|back| back.parse().ok()),
        None => None,
    };
    if let Some(back) = back {
        let at = names.len().checked_sub(1usize.saturating_add(back));
        return at.map(|at| names[at].as_str()).ok_or_else(|| {
            let count = names.len();
            Fault::user(format!("there is no run `{named}`: `{store}` has {count}"))
        });
    }
    let fit: Vec<&String> = names
        .iter()
        .filter(|name| !named.is_empty() && name.starts_with(named))
        .collect();
    match fit.as_slice() {
        [one] => Ok(one),
        [] => Err(
            Fault::user(format!("there is no run, folder or file `{named}`"))
                .with_hint("`farcast runs` lists the runs of the store"),
        ),
        [first, .., last] => Err(Fault::user(format!(
            "`{named}` is the start of {} runs, `{first}` to `{last}`",
            fit.len()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::chosen;

    #[test]
    fn runs_are_named_by_place_or_start() {
        let names = ["20261120-1-aa", "20261121-1-bb", "20261121-2-cc"].map(str::to_owned);
        let find =
            |named: &str| chosen(named, &names, ".farcast").map_err(|fault| fault.to_string());
        assert_eq!(find("last"), Ok("20261121-2-cc"));
        assert_eq!(find("last~2"), Ok("20261120-1-aa"));
        assert_eq!(
            find("last~3").unwrap_err(),
            "there is no run `last~3`: `.farcast` has 3"
        );
        assert_eq!(find("20261120"), Ok("20261120-1-aa"));
        assert_eq!(
            find("20261121").unwrap_err(),
            "`20261121` is the start of 2 runs, `20261121-1-bb` to `20261121-2-cc`"
        );
        assert_eq!(
            find("x").unwrap_err(),
            "there is no run, folder or file `x`"
        );
    }
}
