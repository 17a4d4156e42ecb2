//! Which files patterns with `*` and `**` find below a folder.

use std::fs;
use std::path::Path;

use crate::error::Fault;
use crate::files;
use crate::path_text::path_text;

/// The most files a program may be made of.
const MOST_FILES: usize = 10_000;

/// The files below a folder that match any of the patterns, sorted.
///
/// # Errors
/// When a pattern leaves the folder or matches nothing, or too many files match.
pub(super) fn listed(folder: &Path, patterns: &[String]) -> Result<Vec<String>, Fault> {
    let mut found = Vec::new();
    for pattern in patterns {
        if Path::new(pattern).is_absolute() || pattern.split('/').any(|part| part == "..") {
            return Err(Fault::Environment(format!(
                "`{pattern}` leaves the folder of `farcast.toml`"
            )));
        }
        let parts: Vec<&str> = pattern
            .split('/')
            .filter(|part| !matches!(*part, "" | "."))
            .collect();
        let before = found.len();
        walk(folder, "", &parts, &mut found)?;
        if found.len() == before {
            return Err(Fault::Environment(format!("no file matches `{pattern}`")));
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// The files below a folder that match; `**` matches any folders except hidden ones.
fn walk(
    folder: &Path,
    prefix: &str,
    pattern: &[&str],
    found: &mut Vec<String>,
) -> Result<(), Fault> {
    let Some((first, rest)) = pattern.split_first() else {
        return Ok(());
    };
    if *first == "**" {
        walk(folder, prefix, rest, found)?;
    }
    let is_literal = !first.contains('*') && *first != "**";
    if is_literal {
        let path = folder.join(first);
        let name = format!("{prefix}{first}");
        return match fs::metadata(&path) {
            Ok(it) if it.is_file() && rest.is_empty() => add(found, name),
            Ok(it) if it.is_dir() && !rest.is_empty() => {
                walk(&path, &format!("{name}/"), rest, found)
            }
            _ => Ok(()),
        };
    }
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(_) => return Ok(()),
    };
    for entry in entries {
        let entry = entry?;
        let name = path_text(Path::new(&entry.file_name()));
        let kind = entry.file_type()?;
        let is_hidden = name.starts_with('.') || name == "__pycache__";
        if *first == "**" {
            if kind.is_dir() && !is_hidden {
                walk(&entry.path(), &format!("{prefix}{name}/"), pattern, found)?;
            }
        } else if files::matches(first, &name) && (!is_hidden || first.starts_with('.')) {
            let name = format!("{prefix}{name}");
            if rest.is_empty() && !kind.is_dir() && entry.path().is_file() {
                add(found, name)?;
            } else if !rest.is_empty() && kind.is_dir() {
                walk(&entry.path(), &format!("{name}/"), rest, found)?;
            }
        }
    }
    Ok(())
}

fn add(found: &mut Vec<String>, name: String) -> Result<(), Fault> {
    found.push(name);
    match found.len() > MOST_FILES {
        true => Err(Fault::Environment(format!(
            "more than {MOST_FILES} files match"
        ))),
        false => Ok(()),
    }
}
