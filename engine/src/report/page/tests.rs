//! The page as a whole: complete, escaped, self-contained.

use dsl::experiment::Metadata;
use dsl::types::Kind;

use super::*;
use crate::artifact::{Figure, Series, Style};
use crate::draw::tests::node;
use crate::headline::tests::line;

const HOSTILE: &str =
    "</title></pre></svg><script>alert(\"1\")</script><img src='http://x/' onerror=x>`&";

/// A report in which every text comes from `text`.
fn report_of(text: &str) -> String {
    let owned = || text.to_owned();
    let page = Page {
        sections: vec![Section {
            heading: owned(),
            text: vec![owned()],
            warnings: vec![owned()],
            table: Some((vec![owned()], vec![vec![owned()]])),
            figures: vec![Figure {
                title: owned(),
                x: owned(),
                y: owned(),
                x_names: vec![owned()],
                series: vec![Series {
                    name: owned(),
                    style: Style::Line,
                    color: 9,
                    points: vec![(0.0, 1.0)],
                }],
                ..Figure::default()
            }],
        }],
    };
    let mut score = line(text, "parent", text, text, 1.0);
    let mut child = line(text, "child", text, text, 2.0);
    (score.statement, child.statement) = (owned(), owned());
    (score.point, child.point) = (owned(), owned());
    let experiment = Experiment {
        title: owned(),
        metadata: Metadata {
            authors: vec![owned()],
            license: owned(),
            cite: owned(),
            about: owned(),
        },
        nodes: vec![node(text, Kind::Data, text, &[])],
        ..Experiment::default()
    };
    render(&ReportInput {
        title: text,
        sources: &[(owned(), owned())],
        experiment: &experiment,
        pages: &[page],
        scores: &[score, child],
        fronts: &[],
        notes: &[(owned(), owned())],
        command: text,
        facts: &[(owned(), owned())],
        costs: &[StatementCost {
            statement: owned(),
            plugin: owned(),
            actions: 1,
            seconds: 1.0,
            bytes: 1,
        }],
    })
    .unwrap()
}

/// A report with nothing but these.
fn html_of(experiment: &Experiment, pages: &[Page], scores: &[ScoreLine]) -> String {
    render(&ReportInput {
        title: "",
        sources: &[],
        experiment,
        pages,
        scores,
        fronts: &[],
        notes: &[],
        command: "farcast run x.farcast",
        facts: &[],
        costs: &[],
    })
    .unwrap()
}

/// The page without the one script that it allows.
fn without_script(html: &str) -> String {
    let script = format!("<script>{}</script>", script::SORT_TABLES);
    assert_eq!(html.matches(&script).count(), 1);
    html.replace(&script, "")
}

#[test]
fn no_text_becomes_markup() {
    let html = without_script(&report_of(HOSTILE));
    for markup in ["<script", "<img", "onerror=x>"] {
        assert!(!html.contains(markup), "{markup}");
    }
    // The same elements as a harmless report has, but for the colours of its source.
    let elements = |html: &str| html.matches('<').count() - 2 * html.matches("</i>").count();
    let harmless = without_script(&report_of("harmless"));
    assert_eq!(elements(&html), elements(&harmless));
}

#[test]
fn nothing_is_fetched() {
    let html =
        without_script(&report_of("harmless")).replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    // Places on the page, and files beside it, opened by a reader alone.
    let html = [
        "href=\"#",
        "href=\"scores.",
        "href=\"data:text/csv;charset=utf-8,",
    ]
    .iter()
    .fold(html, |html, link| html.replace(link, ""));
    for reach in [
        "http:", "https:", "//", "url(", "@import", "src=", "href=", "<link", "<script",
    ] {
        assert!(!html.contains(reach), "{reach}");
    }
}

#[test]
fn an_address_to_cite_is_a_link_and_nothing_else() {
    let experiment = Experiment {
        metadata: Metadata {
            cite: "https://example.org/\"onclick=x".to_owned(),
            ..Metadata::default()
        },
        ..Experiment::default()
    };
    let html = html_of(&experiment, &[], &[]);
    assert!(html.contains("<a href=\"https://example.org/"));
    assert!(!html.contains("\"onclick"), "{html}");
}

#[test]
fn a_comparison_is_said_in_words_too() {
    let html = report_of("harmless");
    assert!(html.contains("+100 % <small>worse</small>"), "{html}");
}

#[test]
fn a_doubtful_difference_is_neither_better_nor_worse() {
    let scores: Vec<_> = [
        ("net", "parent", [1.0, 2.0, 3.0]),
        ("it", "child", [2.0, 1.0, 2.5]),
    ]
    .iter()
    .flat_map(|(model, role, values)| {
        let members = values.iter().zip(["0", "1", "2"]);
        let members = members.map(|(value, member)| line(model, role, member, "", *value));
        let mean = values.iter().sum::<f64>() / 3.0;
        members.chain([line(model, role, "mean", "", mean)])
    })
    .collect();
    let html = html_of(&Experiment::default(), &[], &scores);
    assert!(html.contains("<small>not told apart</small>"), "{html}");
}

#[test]
fn figures_of_points_that_were_not_chosen_are_folded() {
    let figure = |title: &str| Figure {
        title: title.to_owned(),
        ..Figure::default()
    };
    let titles = ["a at width=4", "a at width=8"].map(|name| figure(&format!("Loss of `{name}`")));
    let section = Section {
        figures: titles.to_vec(),
        ..Section::default()
    };
    let view = SectionView::of(0, &section, &["width=4"]);
    assert_eq!((view.figures.len(), view.others.len()), (1, 1));
    assert!(view.others[0].0.contains("width=4"));
}

#[test]
fn the_first_figure_is_of_the_point_of_the_first_headline() {
    let figure = |point: &str| Figure {
        title: format!("rmse in `skill at {point}` by z"),
        ..Figure::default()
    };
    let sections = [Section {
        figures: ["width=4", "width=8", "width=16"].map(figure).to_vec(),
        ..Section::default()
    }];
    let at = |width: &str, value| ScoreLine {
        point: format!("width={width}"),
        ..line("adapted", "child", "mean", "rmse", value)
    };
    let lines = [at("4", 1.0), at("8", 2.0), at("16", 3.0)];
    let headlines = headlines(&Experiment::default(), &lines);
    let lead = lead(&headlines, &[&sections[0]], &[]).unwrap();
    assert!(lead.title.contains("width=8"), "{}", lead.title);
}

#[test]
fn an_empty_report_is_a_page() {
    let html = html_of(&Experiment::default(), &[], &[]);
    assert!(html.contains("<h1>Experiment</h1>"));
    assert!(html.contains("farcast run x.farcast"));
}

#[test]
fn backticks_make_code_only_in_pairs() {
    assert_eq!(prose("`a<b` is"), "<code>a&lt;b</code> is");
    assert_eq!(prose("a ` b"), "a ` b");
}

#[test]
fn the_first_note_of_each_statement_is_shown_and_the_others_are_folded() {
    let notes: Vec<(String, String)> = [("a", 1), ("b", 1), ("b", 2), ("c", 3), ("c", 4), ("c", 5)]
        .map(|(statement, note)| (statement.to_owned(), note.to_string()))
        .to_vec();
    let warning = Section {
        warnings: vec!["flat".to_owned()],
        ..Section::default()
    };
    let warnings = warnings(&notes, &[&warning, &warning]);
    assert_eq!(
        warnings.first,
        ["flat", "<b>a</b>: 1", "<b>b</b>: 1", "<b>c</b>: 3"]
    );
    let folded = |name: &str, notes: &[&str]| {
        (
            name.to_owned(),
            notes.iter().map(|it| (*it).to_owned()).collect(),
        )
    };
    assert_eq!(
        warnings.more,
        [folded("b", &["2"]), folded("c", &["4", "5"])]
    );
}
