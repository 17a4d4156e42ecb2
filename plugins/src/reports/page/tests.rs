//! The page plugin over made-up scores.

use std::sync::Arc;

use engine::artifact::{Layout, ScoreRow, Series, Style};
use engine::params::Label;
use polars::prelude::{Column as Coordinates, DataFrame};

use super::*;
use crate::networks::Loss;
use crate::networks::testing::network;
use crate::predictors::Fitted;
use crate::regressions::{Basis, Evidence, Form};

fn gather<T>(label: &str, members: Vec<T>) -> Gather<T> {
    Gather {
        label: Label(label.to_owned()),
        members: members
            .into_iter()
            .map(|member| Some(Arc::new(member)))
            .collect(),
    }
}

fn row(model: &str, role: &str, member: &str, group: Option<f64>, value: f64) -> ScoreRow {
    ScoreRow {
        member: member.to_owned(),
        model: model.to_owned(),
        role: role.to_owned(),
        metric: "rmse".to_owned(),
        horizon: None,
        group: group.map(|group| group.to_string()),
        value: Some(value),
        unit: None,
    }
}

fn scores() -> Scores {
    let mut rows = Vec::new();
    for (model, role, slope) in [("net", "parent", 4.0), ("adapted", "child", 0.5)] {
        for (member, shift) in [("0", 0.9), ("1", 1.1), ("mean", 1.0), ("median", 1.0)] {
            rows.push(row(model, role, member, None, 2.0 * slope * shift));
            for depth in [3000.0, 1000.0, 2000.0] {
                let value = slope * shift * depth / 1000.0;
                rows.push(row(model, role, member, Some(depth), value));
            }
        }
    }
    Scores {
        rows,
        parity: vec![
            ("net".to_owned(), vec![(1030.0, 1028.0)]),
            ("adapted".to_owned(), vec![(1030.0, 1029.9)]),
        ],
        target: "density".to_owned(),
        unit: Some("kg m-3".to_owned()),
        group_by: Some("depth".to_owned()),
    }
}

fn parent(weight: f32) -> Parent {
    let scaled = |name: &str| crate::networks::Scaled {
        name: name.to_owned(),
        mean: 0.0,
        std: 1.0,
    };
    let network = network(
        [vec![scaled("temp")], vec![scaled("density")]],
        &[1, 1],
        Loss::Mse,
    );
    Parent {
        losses: vec![(0, 1.0, Some(1.2)), (10, 0.1, None), (20, 0.01, Some(0.03))],
        ..Parent::new(network, vec![weight, -weight])
    }
}

/// Two subsets whose weights are `parent ± moved`: a standard deviation of `moved`.
fn anomalies(weight: f32, moved: f32) -> WeightTable {
    let coordinates = vec![Coordinates::new("subset".into(), &[0_i64, 1])];
    WeightTable {
        layout: Layout::mlp(&[1, 1]),
        coordinates: DataFrame::new(2, coordinates).unwrap(),
        weights: vec![
            weight + moved,
            -weight + moved,
            weight - moved,
            -weight - moved,
        ],
    }
}

fn regression() -> Regression {
    Regression {
        form: Form {
            predictors: vec![Fitted::Columns(vec!["depth".to_owned()])],
            names: vec!["depth".to_owned()],
            scaling: vec![(500.0, 250.0)],
            seen: vec![(0.0, 1000.0)],
            basis: Basis::Polynomial(1),
            rows: 2,
            explained: vec![0.75, 0.5],
            pruned: vec![0.25, 0.0],
            evidence: Evidence {
                edge: vec![Some(0.6), None],
                along: vec![Some(0.5)],
                whole: Some(0.5),
                size: 0.1,
            },
        },
        layout: Layout::mlp(&[1, 1]),
        coefficients: vec![0.0; 4],
    }
}

fn summary(plots: Vec<Plot>, moved: f32) -> Page {
    let summary = Summary {
        scores: vec![gather("skill", vec![scores()])],
        plots,
        parents: Ancestors(vec![gather("net", vec![parent(2.0), parent(2.0)])]),
        anomalies: Ancestors(vec![gather("shift", vec![anomalies(2.0, moved); 2])]),
        regressions: Ancestors(vec![gather("drift", vec![regression(), regression()])]),
    };
    summary.run(&Context::alone("page")).unwrap()
}

fn error_by(column: &str) -> Plot {
    Plot::ErrorByGroup(ErrorByGroup {
        by: vec![Column(column.to_owned())],
    })
}

fn named<'a>(series: &'a [Series], name: &str) -> Vec<&'a Series> {
    series.iter().filter(|series| series.name == name).collect()
}

#[test]
fn error_by_depth_is_a_profile_of_members_and_means() {
    let page = summary(vec![error_by("depth")], 0.1);
    let figure = &page.sections[0].figures[0];
    assert!(figure.down);
    assert_eq!(figure.x, "rmse of density (kg m⁻³)");
    assert_eq!(figure.y, "depth");
    let net = named(&figure.series, "net");
    assert_eq!(
        net[0].points,
        [(4.0, 1000.0), (8.0, 2000.0), (12.0, 3000.0)]
    );
    assert_eq!(net[0].color, 0);
    assert_eq!(named(&figure.series, "adapted")[0].color, 1);
    let members = named(&figure.series, "");
    assert_eq!(members.len(), 4);
    assert!(members.iter().all(|member| member.style == Style::Faint));
}

#[test]
fn groups_that_are_not_there_are_said() {
    let section = plots::error(&[("skill", &scores())], Some("lat"));
    assert_eq!(
        section.text,
        ["`skill` has errors by `depth`, not by `lat`"]
    );
    assert!(summary(vec![error_by("lat")], 0.1).sections.is_empty());
    let none = Scores::default();
    let section = plots::error(&[("skill", &none)], Some("lat"));
    assert!(section.text.is_empty() && section.figures.is_empty());
}

#[test]
fn groups_that_are_dates_have_an_axis_of_days() {
    for (calendar, dates, days) in [
        (
            "proleptic_gregorian",
            ["1970-01-02", "1970-03-01T12:00"],
            [1.0, 59.5],
        ),
        ("360_day", ["1970-01-02", "1970-02-30"], [1.0, 59.0]),
    ] {
        let mut scores = scores();
        scores.group_by = Some("time".to_owned());
        scores
            .rows
            .retain(|row| row.group.as_deref() != Some("3000"));
        for row in &mut scores.rows {
            row.group = (row.group.take()).map(|it| dates[usize::from(it == "2000")].to_owned());
        }
        let section = plots::error(&[("skill", &scores)], None);
        let figure = &section.figures[0];
        assert_eq!(figure.days.as_deref(), Some(calendar));
        let net = named(&figure.series, "net");
        assert_eq!(net[0].points, [(days[0], 4.0), (days[1], 8.0)]);
    }
}

#[test]
fn groups_that_are_words_stand_on_the_axis() {
    let mut scores = scores();
    scores.group_by = Some("basin".to_owned());
    for row in &mut scores.rows {
        row.group = row.group.take().map(|group| format!("basin {group}"));
    }
    let section = plots::error(&[("skill", &scores)], None);
    let figure = &section.figures[0];
    assert_eq!(figure.x_names, ["basin 3000", "basin 1000", "basin 2000"]);
    let net = named(&figure.series, "net");
    assert_eq!(net[0].points, [(0.0, 12.0), (1.0, 4.0), (2.0, 8.0)]);
}

#[test]
fn of_many_words_those_with_the_largest_errors_are_drawn() {
    let values = (0..100).map(|at| f64::from(at % 10));
    let rows = values.enumerate().map(|(at, value)| ScoreRow {
        group: Some(format!("layers.{at}")),
        ..row("net", "parent", "mean", None, value)
    });
    let scores = Scores {
        rows: rows.collect(),
        group_by: Some("layer".to_owned()),
        ..scores()
    };
    let section = plots::error(&[("skill", &scores)], None);
    let figure = &section.figures[0];
    assert_eq!(
        figure.title,
        "rmse in `skill` by layer: the 60 largest of 100"
    );
    assert_eq!(figure.x_names.len(), 60);
    assert_eq!(figure.x_names[..3], ["layers.4", "layers.5", "layers.6"]);
    let net = named(&figure.series, "net");
    assert_eq!(net[0].points[..3], [(0.0, 4.0), (1.0, 5.0), (2.0, 6.0)]);
}

#[test]
fn anomalies_are_measured_against_the_weights_of_the_parent() {
    let page = summary(vec![Plot::AnomalySize(AnomalySize {})], 0.5);
    let section = &page.sections[0];
    let median = named(&section.figures[0].series, "ensemble median");
    assert_eq!(median[0].points, [(0.0, 0.25), (1.0, 0.25)]);
    assert!(section.warnings.is_empty());
    let (_, rows) = section.table.as_ref().unwrap();
    assert_eq!(
        rows[0],
        [
            "0.weight", "1 × 1", "2.0000", "0.5000", "0.2500", "75 %", "60 %", "25 %",
        ]
    );
    assert_eq!(rows[1][6], "", "nothing is known of the edge");
    let told = &section.text[1];
    assert_eq!(told, "Predicted by `drift` at the edge: 50 % along depth.");
}

#[test]
fn a_flat_parent_is_warned_of() {
    for moved in [0.0, 1e-3] {
        let page = summary(vec![Plot::AnomalySize(AnomalySize {})], moved);
        assert_eq!(page.sections[0].warnings.len(), 1, "moved by {moved}");
        assert!(page.sections[0].warnings[0].contains("flat minimum"));
    }
}

#[test]
fn loss_shows_members_and_their_mean() {
    let page = summary(vec![Plot::LossCurves(LossCurves {})], 0.1);
    let figure = &page.sections[0].figures[0];
    let mean = named(&figure.series, "training");
    assert_eq!(mean[0].points, [(0.0, 1.0), (10.0, 0.1), (20.0, 0.01)]);
    let held_out = named(&figure.series, "held out");
    assert_eq!(held_out[0].points, [(0.0, 1.2), (20.0, 0.03)]);
    assert_eq!(figure.series.len(), 6);
}

#[test]
fn members_stand_side_by_side() {
    let page = summary(vec![Plot::EachMember(EachMember {})], 0.1);
    let figure = &page.sections[0].figures[0];
    let net = named(&figure.series, "net");
    assert_eq!(net[0].points, [(0.0, 7.2), (1.0, 8.8)]);
    assert_eq!(figure.x_names, ["0", "1"]);
}

#[test]
fn spread_stands_against_the_error_of_each_group() {
    let mut scores = scores();
    for (group, spread) in [(1000.0, 0.2), (2000.0, 0.4)] {
        scores.rows.push(ScoreRow {
            metric: "spread".to_owned(),
            ..row("adapted", "child", "mean", Some(group), spread)
        });
    }
    let section = members::section(&[("skill", &scores)]);
    let figure = &section.figures[1];
    assert!(figure.diagonal);
    assert_eq!(figure.series.len(), 1);
    assert_eq!(figure.series[0].points, [(0.2, 0.5), (0.4, 1.0)]);
}

#[test]
fn trusted_and_untrusted_rows_have_a_table() {
    assert!(members::trust(&[("skill", &scores())]).is_empty());
    let mut scores = scores();
    let mut add = |metric: &str, member: &str, model: &str, group: &str, value: f64| {
        scores.rows.push(ScoreRow {
            metric: metric.to_owned(),
            group: Some(group.to_owned()),
            ..row(model, "child", member, None, value)
        });
    };
    for (group, count, errors) in [("trusted", 3.0, [2.0, 0.5]), ("untrusted", 9.0, [4.0, 3.0])] {
        add("rows", "all", "net", group, count);
        add("rmse", "mean", "net", group, errors[0]);
        add("rmse", "mean", "adapted", group, errors[1]);
        add("rmse", "0", "adapted", group, 7.0);
    }
    let sections = members::trust(&[("skill", &scores)]);
    let (header, rows) = sections[0].table.as_ref().unwrap();
    assert_eq!(header[..], ["model", "trusted", "untrusted"]);
    assert_eq!(rows[0], ["net", "2.0000", "4.0000"]);
    assert_eq!(rows[1], ["adapted", "0.5000", "3.0000"]);
    assert!(sections[0].text[0].contains("in the 3 rows"));
    assert!(sections[0].text[0].contains("other 9"));
}

#[test]
fn diverged_members_and_missing_ancestors_leave_a_page() {
    let nothing = Summary {
        scores: vec![Gather {
            label: Label("skill".to_owned()),
            members: vec![None],
        }],
        plots: vec![
            error_by("depth"),
            Plot::Parity(Parity {}),
            Plot::LossCurves(LossCurves {}),
            Plot::AnomalySize(AnomalySize {}),
            Plot::EachMember(EachMember {}),
        ],
        parents: Ancestors(vec![Gather {
            label: Label("net".to_owned()),
            members: vec![None],
        }]),
        anomalies: Ancestors(vec![Gather {
            label: Label("shift".to_owned()),
            members: vec![None],
        }]),
        regressions: Ancestors(Vec::new()),
    };
    let page = nothing.run(&Context::alone("page")).unwrap();
    assert_eq!(page.sections, [], "there is nothing to show");
}
