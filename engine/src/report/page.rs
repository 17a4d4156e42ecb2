//! `report.html`: one file without network, script or fonts of its own.
//!
//! It is readable on a phone, on paper and in dark mode. The template escapes everything except what
//! this file, `svg`, `highlight` and `draw` produce, which escape themselves.

use std::collections::BTreeSet;

use askama::Template;
use dsl::experiment::Experiment;

use super::scores::{ScoreTable, tables};
use super::{figure, highlight, sweep};
use crate::artifact::{Page, Section};
use crate::choice::Front;
use crate::draw;
use crate::error::Fault;
use crate::headline::{Headline, headlines};
use crate::record::StatementCost;
use crate::store::size_text;
use crate::svg::escape;
use crate::table::ScoreLine;

/// The content of a report.
pub struct ReportInput<'a> {
    /// The title of the experiment.
    pub title: &'a str,
    /// Path and text of each file, the experiment's own first.
    pub sources: &'a [(String, String)],
    /// For the graph.
    pub experiment: &'a Experiment,
    /// The results of report statements, with names instead of labels.
    pub pages: &'a [Page],
    /// All score tables.
    pub scores: &'a [ScoreLine],
    /// The best points of sweeps with several objectives.
    pub fronts: &'a [Front],
    /// Statement and note.
    pub notes: &'a [(String, String)],
    /// The command lines that reproduce this report.
    pub command: &'a str,
    /// Name and value: version, actions, seconds, parameters, keys.
    pub facts: &'a [(String, String)],
    /// What the results of each statement cost.
    pub costs: &'a [StatementCost],
}

#[derive(Template)]
#[template(path = "report.html")]
struct Report<'a> {
    title: &'a str,
    /// What the experiment says about itself.
    about: &'a str,
    authors: String,
    license: &'a str,
    /// What to cite, and its address.
    cite: &'a str,
    link: Option<String>,
    headlines: Vec<Headline>,
    warnings: Vec<Warnings>,
    /// Path and highlighted text.
    sources: Vec<(&'a str, String)>,
    graph: String,
    tables: Vec<ScoreTable>,
    /// Whether a table of scores needs the whole width of the page.
    wide: bool,
    sections: Vec<SectionView<'a>>,
    command: &'a str,
    facts: &'a [(String, String)],
    /// Statement and plugin, actions, seconds and size.
    costs: Vec<[String; 5]>,
}

/// What is to be known of one statement, each as HTML.
#[derive(Default)]
struct Warnings {
    /// Said at once.
    first: Vec<String>,
    /// Shown on demand.
    more: Vec<String>,
}

struct SectionView<'a> {
    heading: String,
    warnings: Vec<String>,
    text: Vec<String>,
    table: Option<&'a (Vec<String>, Vec<Vec<String>>)>,
    /// Title and picture.
    figures: Vec<(String, String)>,
}

/// Headlines beyond this are left to the tables.
const MOST_CARDS: usize = 12;

/// How many notes of one statement are shown before the others are folded away.
const MOST_NOTES: usize = 3;

/// How many paragraphs and figures of a section are shown: the points of a sweep would fill a
/// book.
const MOST: usize = 12;

/// How many columns of a table fit into half the width of the page.
const NARROW: usize = 5;

/// The whole report as HTML.
///
/// # Errors
/// When the template fails, which is a bug.
pub fn render(input: &ReportInput) -> Result<String, Fault> {
    let sweeps = sweep::sections(input.experiment, input.scores, input.fronts);
    let pages = input.pages.iter().flat_map(|page| &page.sections);
    let sections: Vec<&Section> = sweeps.iter().chain(pages).collect();
    let title = if input.title.is_empty() {
        "Experiment"
    } else {
        input.title
    };
    let tables = tables(input.scores);
    let said = &input.experiment.metadata;
    let report = Report {
        title,
        about: &said.about,
        authors: said.authors.join(", "),
        license: &said.license,
        cite: &said.cite,
        link: said.link(),
        headlines: headlines(input.experiment, input.scores)
            .into_iter()
            .take(MOST_CARDS)
            .collect(),
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
        costs: input.costs.iter().map(cost_row).collect(),
    };
    report
        .render()
        .map_err(|error| Fault::Bug(error.to_string()))
}

fn cost_row(cost: &StatementCost) -> [String; 5] {
    [
        cost.statement.clone(),
        cost.plugin.clone(),
        cost.actions.to_string(),
        format!("{:.1}", cost.seconds),
        size_text(cost.bytes),
    ]
}

/// Notes statement by statement, then the warnings of the sections, each once.
fn warnings(notes: &[(String, String)], sections: &[&Section]) -> Vec<Warnings> {
    let mut said = BTreeSet::new();
    let mut is_new = |warning: &String| said.insert(warning.clone());
    let of_statement = |notes: &[(String, String)]| {
        let told = notes
            .iter()
            .map(|(statement, note)| format!("<b>{}</b>: {}", escape(statement), prose(note)));
        let mut first: Vec<String> = told.filter(&mut is_new).collect();
        let more = first.split_off(first.len().min(MOST_NOTES));
        Warnings { first, more }
    };
    let mut warnings: Vec<Warnings> = notes
        .chunk_by(|(a, _), (b, _)| a == b)
        .map(of_statement)
        .collect();
    let of_sections = sections.iter().flat_map(|section| &section.warnings);
    let told = of_sections.map(|warning| prose(warning));
    warnings.push(Warnings {
        first: told.filter(is_new).collect(),
        more: Vec::new(),
    });
    warnings.retain(|warnings| !warnings.first.is_empty());
    warnings
}

impl<'a> SectionView<'a> {
    fn of(section: &'a Section) -> Self {
        let text = section.text.iter().take(MOST).map(|text| prose(text));
        let figures = section.figures.iter().take(MOST);
        Self {
            heading: prose(&section.heading),
            warnings: section.warnings.iter().map(|text| prose(text)).collect(),
            text: text.chain(left_out(section)).collect(),
            table: section.table.as_ref(),
            figures: figures
                .map(|figure| (prose(&figure.title), figure::svg(figure)))
                .collect(),
        }
    }
}

/// The sentence about paragraphs and figures that are left out.
fn left_out(section: &Section) -> Option<String> {
    let more = |count: usize, noun: &str| {
        let more = count.saturating_sub(MOST);
        (more > 0).then(|| format!("{more} more {noun}"))
    };
    let paragraphs = more(section.text.len(), "lines");
    let figures = more(section.figures.len(), "figures");
    let more: Vec<String> = paragraphs.into_iter().chain(figures).collect();
    (!more.is_empty()).then(|| format!("… and {}, of other points", more.join(" and ")))
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
