//! Comparisons of small made-up runs.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::record::{RunRecord, Text};
use crate::report::render_comparison;
use crate::table::ScoreLine;

fn line(model: &str, metric: &str, member: &str, value: Option<f64>) -> ScoreLine {
    ScoreLine {
        statement: "skill".to_owned(),
        point: String::new(),
        member: member.to_owned(),
        model: model.to_owned(),
        role: "child".to_owned(),
        metric: metric.to_owned(),
        horizon: None,
        group: None,
        value,
        unit: None,
    }
}

/// A run of which every member has a parent of this name.
fn side(name: &str, parents: &str, metric: &str, members: &[f64]) -> Side {
    let mut lines = vec![line("net", metric, "mean", Some(1.0))];
    let mut shared = BTreeMap::new();
    for (member, value) in members.iter().enumerate() {
        lines.push(line("net", metric, &member.to_string(), Some(*value)));
        let parent = BTreeSet::from([format!("{parents}{member}")]);
        shared.insert(member as u32, parent);
    }
    let record = RunRecord {
        format: crate::record::FORMAT,
        experiment: "Title".to_owned(),
        metadata: dsl::experiment::Metadata::default(),
        packages: BTreeMap::new(),
        farcast: "1".to_owned(),
        key_version: 1,
        when: 0,
        host: "here".to_owned(),
        folder: "/".to_owned(),
        texts: vec![Text {
            path: "it.farcast".to_owned(),
            text: "text".to_owned(),
        }],
        set: Vec::new(),
        params: BTreeMap::from([("width".to_owned(), name.to_owned())]),
        plugins: BTreeMap::new(),
        programs: BTreeMap::new(),
        data: BTreeMap::new(),
        members: shared,
        ok: true,
        unfinished: None,
        process: None,
        counts: Default::default(),
        seconds: 1.0,
        costs: Vec::new(),
        out: "out".to_owned(),
        jobs: None,
        headlines: Vec::new(),
        choices: Vec::new(),
        means: BTreeSet::new(),
        scores: None,
        units: BTreeMap::new(),
    };
    Side {
        name: name.to_owned(),
        record,
        lines,
    }
}

const A: [f64; 4] = [0.79, 0.81, 0.77, 0.84];
const B: [f64; 4] = [0.54, 0.53, 0.58, 0.55];

fn members(sides: &[Side]) -> ScoreComparison {
    let row = compare(sides).scores.into_iter().next_back();
    row.filter(|row| row.of == "members").unwrap()
}

fn only(row: &ScoreComparison) -> &ScoreDifference {
    row.differences[0].as_ref().unwrap()
}

/// `scipy.stats.ttest_rel(B, A).confidence_interval(0.95)` of scipy 1.17.1.
#[test]
fn members_of_the_same_parents_are_paired() {
    let row = members(&[side("8", "p", "rmse", &A), side("16", "p", "rmse", &B)]);
    let found = only(&row);
    assert_eq!(found.method, Method::Paired(4));
    let (low, high) = found.interval.unwrap();
    assert!((low + 0.32410504186888334).abs() < 1e-12);
    assert!((high + 0.18089495813111664).abs() < 1e-12);
    assert_eq!(found.verdict, "better");
}

/// `scipy.stats.ttest_ind(B, A, equal_var=False).confidence_interval(0.95)` of scipy 1.17.1.
#[test]
fn members_of_other_parents_are_not() {
    let row = members(&[side("8", "p", "rmse", &A), side("16", "q", "rmse", &B)]);
    assert_eq!(only(&row).method, Method::Welch);
    let (low, high) = only(&row).interval.unwrap();
    assert!((low + 0.2986831245889065).abs() < 1e-12 && (high + 0.20631687541109342).abs() < 1e-12);
}

#[test]
fn a_grown_ensemble_is_paired_over_what_it_had() {
    let more = [0.54, 0.53, 0.58, 0.55, 0.9];
    let row = members(&[side("8", "p", "rmse", &A), side("16", "p", "rmse", &more)]);
    assert_eq!(only(&row).method, Method::Paired(4));
    assert_eq!(row.members, [4, 5]);
}

#[test]
fn what_is_good_depends_on_the_metric() {
    let verdict = |metric: &str| {
        let row = members(&[side("8", "p", metric, &A), side("16", "p", metric, &B)]);
        only(&row).verdict
    };
    assert_eq!(verdict("rmse"), "better");
    assert_eq!(verdict("skill"), "worse");
    assert_eq!(verdict("bias"), "");
}

#[test]
fn single_members_and_missing_values_have_no_interval() {
    let row = members(&[
        side("8", "p", "rmse", &A[..1]),
        side("16", "p", "rmse", &B[..1]),
    ]);
    assert_eq!(
        (only(&row).interval, only(&row).method),
        (None, Method::None)
    );
    let mut without = side("16", "p", "rmse", &B);
    without.lines[1].value = None;
    let row = members(&[side("8", "p", "rmse", &A), without]);
    assert_eq!(only(&row).method, Method::Paired(3));
    assert_eq!(row.members, [4, 3]);
    let mut none = side("16", "p", "rmse", &[]);
    none.lines.clear();
    let rows = compare(&[side("8", "p", "rmse", &A), none]).scores;
    assert!(rows.iter().all(|row| row.values[1].is_none()));
    assert!(rows.iter().all(|row| row.differences[0].is_none()));
}

#[test]
fn only_what_differs_is_listed() {
    let comparison = compare(&[side("8", "p", "rmse", &A), side("16", "p", "rmse", &B)]);
    let values = vec![Some("8".to_owned()), Some("16".to_owned())];
    let what = "param `width`".to_owned();
    assert_eq!(comparison.given, [InputDifference { what, values }]);
    let rows: Vec<&str> = comparison.scores.iter().map(|row| &*row.of).collect();
    assert_eq!(rows, ["mean", "members"]);
}

#[test]
fn the_page_escapes_what_runs_say() {
    let mut wicked = side("8", "p", "rmse", &A);
    wicked.name = "<script>alert(1)</script>".to_owned();
    let page = render_comparison(&compare(&[wicked, side("16", "p", "rmse", &B)])).unwrap();
    assert!(!page.contains("<script") && page.contains("<svg"));
}
