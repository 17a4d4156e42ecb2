//! What the texts of a package define, and how two versions of it differ.

use std::collections::BTreeMap;

use dsl::ast::{Item, ItemKind, Name};
use dsl::parse::parse;
use dsl::source::FileId;

/// One difference of two interfaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Only the new one has it.
    Added(String),
    /// Only the old one has it.
    Removed(String),
    /// Both have it, and not as it was.
    Changed(String, String),
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Added(text) => write!(f, "+ {text}"),
            Self::Removed(text) => write!(f, "- {text}"),
            Self::Changed(old, new) => write!(f, "- {old}\n+ {new}"),
        }
    }
}

/// What texts define, by file and name: `define climatology(data, depth = 10 m)`.
pub fn interface<'t>(
    texts: impl Iterator<Item = (&'t str, &'t str)>,
) -> BTreeMap<(String, String), String> {
    let mut found = BTreeMap::new();
    for (path, text) in texts {
        let (file, _) = parse(FileId::default(), text);
        for item in &file.items {
            if let Some((name, _)) = named(item) {
                let line = format!("{path}: {}", signature(item, text));
                found.insert((path.to_owned(), name.text.clone()), line);
            }
        }
    }
    found
}

/// What a text defines, by name.
pub(super) fn names(text: &str) -> Vec<String> {
    let (file, _) = parse(FileId::default(), text);
    let names = file.items.iter().filter_map(named);
    names.map(|(name, _)| name.text.clone()).collect()
}

/// The definitions and plugins of a text, and whether a comment stands directly above each.
pub fn documented(text: &str) -> Vec<(String, bool)> {
    let (file, _) = parse(FileId::default(), text);
    let items = { file.items.iter() }
        .filter(|item| matches!(item.kind, ItemKind::Define { .. } | ItemKind::Plugin(_)));
    let found = items.filter_map(|item| {
        let (name, _) = named(item)?;
        let above = text.get(..item.span.start as usize).unwrap_or_default();
        let above = above.trim_end_matches([' ', '\t']).strip_suffix('\n');
        let line = above.and_then(|above| above.lines().next_back());
        let is_documented = line.is_some_and(|line| line.trim_start().starts_with('#'));
        Some((name.text.clone(), is_documented))
    });
    found.collect()
}

/// How a new interface differs from an old one.
pub fn changes(
    old: &BTreeMap<(String, String), String>,
    new: &BTreeMap<(String, String), String>,
) -> Vec<Change> {
    let mut keys: Vec<&(String, String)> = old.keys().chain(new.keys()).collect();
    keys.sort();
    keys.dedup();
    let change = |key: &(String, String)| match (old.get(key), new.get(key)) {
        (Some(old), Some(new)) if old == new => None,
        (Some(old), Some(new)) => Some(Change::Changed(old.clone(), new.clone())),
        (Some(old), None) => Some(Change::Removed(old.clone())),
        (None, Some(new)) => Some(Change::Added(new.clone())),
        (None, None) => None,
    };
    keys.into_iter().filter_map(change).collect()
}

/// The name of an item, and where what it means begins.
fn named(item: &Item) -> Option<(&Name, u32)> {
    match &item.kind {
        ItemKind::Param { name, ty, .. } => Some((name, item.span.end)).filter(|_| ty.is_some()),
        ItemKind::Define { name, body, .. } => Some((name, body.span.start)),
        ItemKind::Plugin(plugin) => Some((&plugin.name, item.span.end)),
        ItemKind::Statement { name, .. } => Some((name, name.span.end)),
        ItemKind::Experiment { .. } | ItemKind::Use { .. } | ItemKind::Broken { .. } => None,
    }
}

/// What others need to know of an item, on one line.
fn signature(item: &Item, text: &str) -> String {
    let end = named(item).map_or(item.span.end, |(_, end)| end);
    let written = text.get(item.span.start as usize..end as usize);
    let written = written.unwrap_or_default().lines();
    let lines = written.map(|line| line.split_once('#').map_or(line, |(line, _)| line));
    let words: Vec<String> = lines.map(str::to_owned).collect();
    let line = words.join(" ");
    let line: Vec<&str> = line.split_whitespace().collect();
    let line = line.join(" ");
    // Brackets of a define may hold the start of its body: `= (a)`.
    line.trim_end_matches(['(', ' '])
        .trim_end_matches('=')
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_told_by_what_users_write() {
        let old = "param depth: Float = 10 in 0..100\ndefine deep(d,\n  limit = 5) = where(d, z > limit)\ndata sea = csv(\"a\")\n";
        let new = "param depth: Int = 10 in 0..100\ndefine deep(d, limit = 6) = (where(d, z > 2))\nparent net = mlp(sea)\n";
        let of = |text| interface([("lib.farcast", text)].into_iter());
        let told: Vec<String> = changes(&of(old), &of(new))
            .iter()
            .map(Change::to_string)
            .collect();
        assert_eq!(
            told,
            [
                "- lib.farcast: define deep(d, limit = 5)\n+ lib.farcast: define deep(d, limit = 6)",
                "- lib.farcast: param depth: Float = 10 in 0..100\n+ lib.farcast: param depth: Int = 10 in 0..100",
                "+ lib.farcast: parent net",
                "- lib.farcast: data sea",
            ]
        );
    }
}
