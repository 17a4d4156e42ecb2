//! `report.html`: one file without network, script or fonts of its own.
//!
//! Readable on a phone, on paper and in the dark. The template escapes everything; what is
//! passed on unescaped is made here or in `svg`, `highlight` and `draw`, which escape.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use dsl::experiment::Experiment;

use super::scores::{Headline, ScoreTable, headlines, tables};
use super::{figure, highlight, sweep};
use crate::artifact::{Page, Section};
use crate::draw;
use crate::error::Fault;
use crate::svg::escape;
use crate::table::ScoreLine;

/// What a report is made of.
pub struct ReportInput<'a> {
    /// The title of the experiment.
    pub title: &'a str,
    /// Path and text of each file, the experiment's own first.
    pub sources: &'a [(String, String)],
    /// For the graph.
    pub experiment: &'a Experiment,
    /// What the report statements made, labels replaced by names.
    pub pages: &'a [Page],
    /// All score tables.
    pub scores: &'a [ScoreLine],
    /// Statement and what was noted while it ran.
    pub notes: &'a [(String, String)],
    /// The command lines that make this report again.
    pub command: &'a str,
    /// Name and value: version, actions, seconds, parameters, keys.
    pub facts: &'a [(String, String)],
}

#[derive(Template)]
#[template(path = "report.html")]
struct Report<'a> {
    title: &'a str,
    headlines: Vec<Headline>,
    /// Each as HTML.
    warnings: Vec<String>,
    /// Path and highlighted text.
    sources: Vec<(&'a str, String)>,
    graph: String,
    tables: Vec<ScoreTable>,
    /// Whether a table of scores needs the whole width of the page.
    wide: bool,
    sections: Vec<SectionView<'a>>,
    command: &'a str,
    facts: &'a [(String, String)],
}

struct SectionView<'a> {
    heading: String,
    warnings: Vec<String>,
    text: Vec<String>,
    table: Option<&'a (Vec<String>, Vec<Vec<String>>)>,
    /// Title and picture.
    figures: Vec<(String, String)>,
}

/// How many columns of a table fit into half the width of the page.
const NARROW: usize = 5;

/// The whole report as HTML.
///
/// # Errors
/// When the template fails, which is a bug.
pub fn render(input: &ReportInput) -> Result<String, Fault> {
    let sweeps = sweep::sections(input.experiment, input.scores);
    let pages = input.pages.iter().flat_map(|page| &page.sections);
    let sections: Vec<&Section> = pages.chain(&sweeps).collect();
    let title = if input.title.is_empty() {
        "Experiment"
    } else {
        input.title
    };
    let tables = tables(input.scores);
    let report = Report {
        title,
        headlines: headlines(input.scores),
        warnings: warnings(input.notes, &sections),
        sources: input
            .sources
            .iter()
            .map(|(path, text)| (path.as_str(), highlight::highlight(text)))
            .collect(),
        graph: draw::svg(input.experiment),
        wide: tables.iter().any(|table| table.header.len() > NARROW),
        tables,
        sections: sections.into_iter().map(SectionView::of).collect(),
        command: input.command,
        facts: input.facts,
    };
    report
        .render()
        .map_err(|error| Fault::Bug(error.to_string()))
}

/// Notes of statements, then what the sections warn of; of those that differ in numbers only,
/// as from member to member, the first with their count.
fn warnings(notes: &[(String, String)], sections: &[&Section]) -> Vec<String> {
    let notes = notes
        .iter()
        .map(|(statement, note)| format!("<b>{}</b>: {}", escape(statement), prose(note)));
    let sections = sections.iter().flat_map(|section| &section.warnings);
    let mut seen = BTreeSet::new();
    let mut places = BTreeMap::new();
    let mut warnings: Vec<(String, usize)> = Vec::new();
    for warning in notes.chain(sections.map(|warning| prose(warning))) {
        if !seen.insert(warning.clone()) {
            continue;
        }
        let place = places.entry(without_numbers(&warning));
        let place = *place.or_insert(warnings.len());
        match warnings.get_mut(place) {
            Some((_, more)) => *more += 1,
            None => warnings.push((warning, 0)),
        }
    }
    let shown = warnings.into_iter().map(|(warning, more)| match more {
        0 => warning,
        _ => format!("{warning} <i>({more} more with other numbers)</i>"),
    });
    shown.collect()
}

/// A text without the numbers that are not part of a name.
fn without_numbers(text: &str) -> String {
    let mut rest = String::new();
    for character in text.chars() {
        let in_name = rest.ends_with(|before: char| before.is_alphanumeric() || before == '_');
        if !matches!(character, '.' | '-') && (in_name || !character.is_ascii_digit()) {
            rest.push(character);
        }
    }
    rest
}

impl<'a> SectionView<'a> {
    fn of(section: &'a Section) -> Self {
        Self {
            heading: prose(&section.heading),
            warnings: section.warnings.iter().map(|text| prose(text)).collect(),
            text: section.text.iter().map(|text| prose(text)).collect(),
            table: section.table.as_ref(),
            figures: section
                .figures
                .iter()
                .map(|figure| (prose(&figure.title), figure::svg(figure)))
                .collect(),
        }
    }
}

/// Plain text as HTML, names in backticks set as code.
pub(super) fn prose(text: &str) -> String {
    let pieces: Vec<&str> = text.split('`').collect();
    if pieces.len().is_multiple_of(2) {
        return escape(text);
    }
    pieces
        .iter()
        .enumerate()
        .map(|(index, piece)| match index.is_multiple_of(2) {
            true => escape(piece),
            false => format!("<code>{}</code>", escape(piece)),
        })
        .collect()
}

#[cfg(test)]
mod tests;
