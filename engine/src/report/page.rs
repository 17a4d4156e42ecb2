//! `report.html`: one file without network or fonts of its own; its script only sorts tables.
//!
//! It is readable without that script, on a phone, on paper and in dark mode. The template escapes everything except what
//! this file, `svg`, `highlight` and `draw` produce, which escape themselves.

use std::collections::BTreeSet;

use askama::Template;
use dsl::experiment::Experiment;

use super::scores::{ScoreTable, tables};
use super::{csv, figure, highlight, script, sweep};
use crate::artifact::{Figure, Page, Section};
use crate::choice::Front;
use crate::draw;
use crate::error::Fault;
use crate::headline::{Headline, chosen_points, headlines, read_by_scores};
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
struct PageTemplate<'a> {
    title: &'a str,
    /// What the experiment says about itself.
    about: &'a str,
    authors: String,
    license: &'a str,
    /// What to cite, and its address.
    cite: &'a str,
    link: Option<String>,
    headlines: Vec<Headline>,
    /// The figure that shows the first headline: title and picture.
    lead: Option<(String, String)>,
    /// Anchor and text of each heading.
    contents: Vec<(String, String)>,
    warnings: Warnings,
    /// Path and highlighted text.
    sources: Vec<(&'a str, String)>,
    graph: String,
    tables: Vec<ScoreTable>,
    sections: Vec<SectionView<'a>>,
    command: &'a str,
    facts: &'a [(String, String)],
    /// Statement and plugin, actions, seconds and size.
    costs: Vec<[String; 5]>,
    /// What allows the script, and the script.
    policy: &'static str,
    script: &'static str,
}

/// What is to be known before the numbers are trusted, each as HTML.
#[derive(Default)]
struct Warnings {
    /// Said at once.
    first: Vec<String>,
    /// Shown on demand, by statement.
    more: Vec<(String, Vec<String>)>,
}

impl Warnings {
    fn count_more(&self) -> usize {
        self.more.iter().map(|(_, notes)| notes.len()).sum()
    }
}

struct SectionView<'a> {
    anchor: String,
    heading: String,
    warnings: Vec<String>,
    text: Vec<String>,
    table: Option<&'a (Vec<String>, Vec<Vec<String>>)>,
    /// Title and picture.
    figures: Vec<(String, String)>,
    /// Those of points that a sweep did not choose, shown on demand.
    others: Vec<(String, String)>,
}

/// Headlines beyond this are left to the tables.
const MOST_CARDS: usize = 12;

/// How many notes are shown before the others are folded away.
const MOST_NOTES: usize = 6;

/// How many paragraphs and figures of a section are shown: the points of a sweep would fill a
/// book.
const MOST: usize = 12;

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
    let mut tables = tables(input.scores);
    let means = read_by_scores(input.experiment);
    tables.sort_by_key(|table| means.contains(&table.statement));
    let warnings = warnings(input.notes, &sections);
    let headlines = headlines(input.experiment, input.scores);
    let passed_over = passed_over(input.experiment);
    let lead = lead(&headlines, &sections, &passed_over);
    let sections = sections.into_iter().enumerate();
    let sections: Vec<SectionView> = sections
        .map(|(at, section)| SectionView::of(at, section, &passed_over))
        .collect();
    let said = &input.experiment.metadata;
    let report = PageTemplate {
        title,
        about: &said.about,
        authors: said.authors.join(", "),
        license: &said.license,
        cite: &said.cite,
        link: said.link(),
        lead: lead.map(drawn),
        contents: contents(&sections, !tables.is_empty()),
        headlines: headlines.into_iter().take(MOST_CARDS).collect(),
        warnings,
        sources: input
            .sources
            .iter()
            .map(|(path, text)| (path.as_str(), highlight::highlight(text)))
            .collect(),
        graph: draw::svg(input.experiment),
        tables,
        sections,
        command: input.command,
        facts: input.facts,
        costs: input.costs.iter().map(cost_row).collect(),
        policy: script::POLICY,
        script: script::SORT_TABLES,
    };
    report
        .render()
        .map_err(|error| Fault::Bug(error.to_string()))
}

/// The points that sweeps passed over for another one.
fn passed_over(experiment: &Experiment) -> Vec<&str> {
    let chosen = chosen_points(experiment);
    let points = experiment.nodes.iter().map(|node| &*node.point);
    let mut others: Vec<&str> = points
        .filter(|point| !chosen.is_empty() && !point.is_empty() && !chosen.contains(point))
        .collect();
    others.sort_unstable();
    others.dedup();
    others
}

/// Whether the title of a figure names a statement at one of these points, `net at width=4`.
fn is_of(figure: &Figure, points: &[&str]) -> bool {
    let mut points = points.iter();
    points.any(|point| figure.title.contains(&format!(" at {point}`")))
}

/// The first figure that names the metric and the statement of the first headline, at its point of a sweep where
/// there is one.
fn lead<'s>(
    headlines: &[Headline],
    sections: &[&'s Section],
    passed_over: &[&str],
) -> Option<&'s Figure> {
    let first = headlines.first()?;
    let metric = first.metric.split(" [").next().unwrap_or_default();
    let names = [metric, first.statement.as_str()];
    let figures = sections.iter().flat_map(|section| &section.figures);
    let about: Vec<&Figure> = figures
        .filter(|figure| {
            let is_about = names.iter().all(|name| figure.title.contains(name));
            is_about && !is_of(figure, passed_over)
        })
        .collect();
    let points: &[&str] = if first.point.is_empty() {
        &[]
    } else {
        &[&first.point]
    };
    let at_point = about.iter().find(|figure| is_of(figure, points));
    at_point.or(about.first()).copied()
}

fn contents(sections: &[SectionView], has_scores: bool) -> Vec<(String, String)> {
    let fixed = |anchor: &str, text: &str| (anchor.to_owned(), text.to_owned());
    let of_sections = sections.iter();
    let of_sections = of_sections.map(|section| (section.anchor.clone(), section.heading.clone()));
    of_sections
        .chain(has_scores.then(|| fixed("scores", "Scores")))
        .chain([
            fixed("experiment", "The experiment"),
            fixed("again", "How to run it again"),
        ])
        .collect()
}

fn drawn(figure: &Figure) -> (String, String) {
    (prose(&figure.title), figure::svg(figure))
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

/// The warnings of the sections, then the first note of each statement, as many as are read.
fn warnings(notes: &[(String, String)], sections: &[&Section]) -> Warnings {
    let mut said = BTreeSet::new();
    let of_sections = sections.iter().flat_map(|section| &section.warnings);
    let mut first: Vec<String> = of_sections
        .filter(|warning| said.insert(*warning))
        .map(|warning| prose(warning))
        .collect();
    let mut more: Vec<(String, Vec<String>)> = Vec::new();
    let mut told = BTreeSet::new();
    for (statement, note) in notes {
        if first.len() < MOST_NOTES && told.insert(statement) {
            first.push(format!("<b>{}</b>: {}", escape(statement), prose(note)));
            continue;
        }
        match more.iter_mut().find(|(other, _)| other == statement) {
            Some((_, notes)) => notes.push(prose(note)),
            None => more.push((statement.clone(), vec![prose(note)])),
        }
    }
    Warnings { first, more }
}

impl<'a> SectionView<'a> {
    fn of(at: usize, section: &'a Section, passed_over: &[&str]) -> Self {
        let text = section.text.iter().take(MOST).map(|text| prose(text));
        let figures = section.figures.iter();
        let (others, own): (Vec<&Figure>, Vec<&Figure>) =
            figures.partition(|figure| is_of(figure, passed_over));
        let left_out = left_out(section, own.len().max(others.len()));
        let some = |figures: Vec<&Figure>| figures.into_iter().take(MOST).map(drawn).collect();
        Self {
            anchor: format!("section-{}", at + 1),
            heading: prose(&section.heading),
            warnings: section.warnings.iter().map(|text| prose(text)).collect(),
            text: text.chain(left_out).collect(),
            table: section.table.as_ref(),
            figures: some(own),
            others: some(others),
        }
    }
}

/// The sentence about paragraphs and figures that are left out.
fn left_out(section: &Section, figures: usize) -> Option<String> {
    let more = |count: usize, noun: &str| {
        let more = count.saturating_sub(MOST);
        (more > 0).then(|| format!("{more} more {noun}"))
    };
    let paragraphs = more(section.text.len(), "lines");
    let figures = more(figures, "figures");
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
