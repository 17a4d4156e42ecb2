//! The notes of results, grouped so that people can read them.

use std::collections::{BTreeMap, BTreeSet};

use dsl::experiment::Node;
use dsl::types::Kind;

use crate::terminal::Terminal;

/// Of the notes of a statement that differ only in their numbers, this many are kept.
const MOST_ALIKE: usize = 1;

/// How many notes the terminal shows.
const TOLD: usize = 6;

/// Statement and note, statement by statement, what weighs most first: each note once, those at
/// points of a sweep last. Of
/// those that differ only in their numbers, as for members and points, the first.
pub fn gathered(mut notes: Vec<(&Node, String)>) -> Vec<(String, String)> {
    notes.sort_by_key(|(node, _)| (weight(node), !node.point.is_empty()));
    let mut kept: Vec<(String, String)> = Vec::new();
    let mut told = BTreeSet::new();
    let mut alike: BTreeMap<(String, String), (usize, usize)> = BTreeMap::new();
    for (node, note) in notes {
        let line = (node.name.clone(), note);
        if !told.insert(line.clone()) {
            continue;
        }
        let (last, count) = alike.entry((line.0.clone(), wording(&line.1))).or_default();
        *count += 1;
        if *count <= MOST_ALIKE {
            *last = kept.len();
            kept.push(line);
        }
    }
    for (last, count) in alike.into_values().filter(|(_, count)| *count > MOST_ALIKE) {
        let more = count - MOST_ALIKE;
        kept[last]
            .1
            .push_str(&format!(" (and {more} more like it)"));
    }
    by_statement(kept)
}

/// A note without its numbers.
fn wording(note: &str) -> String {
    note.replace(|c: char| c.is_ascii_digit() || "-.".contains(c), "")
}

/// How much what is said of such a statement weighs for who reads its scores: what models do
/// outside their training comes before what was read from files.
fn weight(node: &Node) -> usize {
    match node.kind {
        _ if !node.named => 4,
        Kind::Child | Kind::Farcast | Kind::Score => 0,
        Kind::Regression => 1,
        Kind::Data => 3,
        _ => 2,
    }
}

/// The notes of each statement, those at all points of a sweep together.
fn by_statement(mut notes: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut first = BTreeMap::new();
    for (at, (statement, _)) in notes.iter().enumerate() {
        first.entry(statement.clone()).or_insert(at);
    }
    notes.sort_by_key(|(statement, _)| first.get(statement).copied());
    notes
}

/// Prints the first note of each statement, then the second ones, in a line each, and how many
/// more there are.
pub fn say_notes(notes: &[(String, String)], terminal: &Terminal) {
    let groups: Vec<&[(String, String)]> = notes.chunk_by(|a, b| a.0 == b.0).collect();
    let mut order: Vec<(usize, usize)> = Vec::new();
    for (at, group) in groups.iter().enumerate() {
        order.extend((0..group.len()).map(|round| (round, at)));
    }
    order.sort_unstable();
    let mut told = order[..order.len().min(TOLD)].to_vec();
    told.sort_by_key(|(round, at)| (*at, *round));
    for (round, at) in told {
        let (statement, note) = &groups[at][round];
        terminal.note(format!("{statement}: {note}"));
    }
    if let more @ 1.. = notes.len().saturating_sub(TOLD) {
        let notes = if more == 1 { "note" } else { "notes" };
        terminal.note(format!("{more} more {notes} in the report"));
    }
}
