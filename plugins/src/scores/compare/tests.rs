//! Scores of made-up members, worked out by hand.

use std::sync::Arc;

use dsl::column::ColumnExpr;
use engine::artifact::{Artifact, DataColumn};
use engine::params::Label;
use proptest::prelude::*;

use super::*;
use crate::children::tests::{child, correction_mut, data};
use crate::children::{Cloud, Missing};
use crate::data::support::testing::in_parts;
use crate::networks::testing::network;
use crate::networks::{Loss, Scaled};
use crate::scores::support::ensemble::line;

/// The children's data with a truth, `t`, of 10 in every row.
fn scored(rows: usize) -> Dataset {
    let truth = DataColumn::numbers("t".to_owned(), Some("kg m-3".to_owned()), vec![10.0; rows]);
    data(rows).with(truth).unwrap()
}

/// A child whose network gives `10 + 3 * bias` in every row, whatever its inputs.
fn constant(bias: f32) -> Child {
    let mut child = child(1);
    child.parent.weights.fill(0.0);
    correction_mut(&mut child).regression.coefficients.fill(0.0);
    *child.parent.weights.last_mut().unwrap() = bias;
    child
}

fn gather<T>(label: &str, members: impl IntoIterator<Item = Option<T>>) -> Gather<T> {
    Gather {
        label: Label(label.to_owned()),
        members: members.into_iter().map(|m| m.map(Arc::new)).collect(),
    }
}

/// Three members, the second diverged; parents are off by 3 and 6, children by 0 and 3.
fn compare(data: Dataset) -> Compare {
    let parents = [Some(1.0), None, Some(2.0)];
    let children = [Some(0.0), None, Some(1.0)];
    Compare {
        parent: gather("net", parents.map(|bias| bias.map(|b| constant(b).parent))),
        models: vec![Model::Child(gather(
            "adapted",
            children.map(|b| b.map(constant)),
        ))],
        on: Input::new(data),
        metrics: vec![Metric::Rmse, Metric::Skill],
        by: vec![],
        bins: 20,
        unit: None,
        inner: None,
        rivals: vec![],
        best: 0.5,
        baselines: vec![],
        weights: None,
        climatology: None,
    }
}

fn value(
    scores: &Scores,
    model: &str,
    member: &str,
    metric: &str,
    group: Option<&str>,
) -> Option<f64> {
    let found: Vec<&ScoreRow> = scores
        .rows
        .iter()
        .filter(|row| (&row.model[..], &row.member[..]) == (model, member))
        .filter(|row| (&row.metric[..], row.group.as_deref()) == (metric, group))
        .collect();
    assert_eq!(found.len(), 1, "{model} {member} {metric} {group:?}");
    found[0].value
}

#[test]
fn members_and_ensembles_are_scored_against_the_parent() {
    let context = Context::alone("compare");
    let scores = compare(scored(10)).run(&context).unwrap();
    assert_eq!(scores.rows.len(), 2 * 5 * 2);
    for (model, member, rmse, skill) in [
        ("net", "0", Some(3.0), Some(0.0)),
        ("net", "1", None, None),
        ("net", "2", Some(6.0), Some(0.0)),
        ("net", "mean", Some(4.5), Some(0.0)),
        ("adapted", "0", Some(0.0), Some(1.0)),
        ("adapted", "1", None, None),
        ("adapted", "2", Some(3.0), Some(0.75)),
        // The mean prediction is off by 1.5, the parents' by 4.5: 1 - 2.25 / 20.25.
        ("adapted", "mean", Some(1.5), Some(1.0 - 2.25 / 20.25)),
        ("adapted", "median", Some(1.5), Some(1.0 - 2.25 / 20.25)),
    ] {
        assert_eq!(value(&scores, model, member, "rmse", None), rmse);
        assert_eq!(value(&scores, model, member, "skill", None), skill);
    }
    assert_eq!(scores.rows[0].role, "parent");
    assert_eq!(scores.rows[10].role, "child");
    assert_eq!(
        (&scores.target[..], scores.unit.as_deref()),
        ("t", Some("kg m-3"))
    );
    assert_eq!(
        scores.parity[1],
        ("adapted".to_owned(), vec![(10.0, 11.5); 10])
    );
    assert!(context.take_notes().is_empty());
}

#[test]
fn groups_are_scored_apart() {
    let mut call = compare(scored(10));
    call.by = vec![Column("z".to_owned())];
    let scores = call.run(&Context::alone("compare")).unwrap();
    // All rows and z = 0, 1, 2, 3, 4, for two models, five series, two metrics; five shares.
    assert_eq!(scores.rows.len(), 6 * 2 * 5 * 2 + 5);
    assert_eq!(value(&scores, "net", "all", "share", Some("4")), Some(0.2));
    assert_eq!(value(&scores, "adapted", "2", "rmse", Some("4")), Some(3.0));
    assert_eq!(scores.group_by.as_deref(), Some("z"));
}

fn with_gap(data: &Dataset, name: &str, row: usize) -> Dataset {
    with_value(data, name, row, f64::NAN)
}

fn with_value(data: &Dataset, name: &str, row: usize, value: f64) -> Dataset {
    let columns = data.columns().iter().map(|column| {
        let mut column = column.clone();
        if column.name == name {
            let mut values = column.values.to_vec();
            values[row] = value;
            column.values = values.into();
        }
        column
    });
    Dataset::new(columns.collect()).unwrap()
}

#[test]
fn rows_without_truth_or_input_are_left_out_and_counted() {
    let context = Context::alone("compare");
    let data = with_gap(&with_gap(&scored(10), "t", 3), "a", 4);
    let scores = compare(data).run(&context).unwrap();
    assert_eq!(value(&scores, "net", "0", "rmse", None), Some(3.0));
    assert_eq!(scores.parity[0].1.len(), 8);
    assert_eq!(
        context.take_notes(),
        ["2 of 10 rows lack `t` or an input and were left out"]
    );
}

#[test]
fn predictions_that_are_not_finite_leave_no_value_and_are_counted() {
    let context = Context::alone("compare");
    let mut call = compare(with_value(&scored(10), "z", 7, 1e300));
    let mut moving = constant(0.0);
    *correction_mut(&mut moving)
        .regression
        .coefficients
        .last_mut()
        .unwrap() = 1e-3;
    let members = [Some(moving), None, Some(constant(1.0))];
    call.models = vec![Model::Child(gather("adapted", members))];
    call.by = vec![Column("z".to_owned())];
    let scores = call.run(&context).unwrap();
    assert_eq!(value(&scores, "adapted", "0", "rmse", None), None);
    assert_eq!(value(&scores, "adapted", "mean", "rmse", None), None);
    assert_eq!(value(&scores, "adapted", "2", "rmse", None), Some(3.0));
    assert!(value(&scores, "adapted", "0", "rmse", Some("3")).is_some());
    assert_eq!(scores.parity[1].1.len(), 9);
    assert_eq!(
        context.take_notes(),
        [
            "1 of 20 predictions of `adapted` are not finite: what is measured over them has no value",
        ]
    );
}

#[test]
fn rows_without_a_predictor_are_left_out_for_all_unless_the_parent_takes_them() {
    let context = Context::alone("compare");
    let scores = compare(with_gap(&scored(10), "z", 7))
        .run(&context)
        .unwrap();
    assert_eq!(scores.parity[0].1.len(), 9);
    assert_eq!(
        context.take_notes(),
        ["1 of 10 rows lack a predictor and were left out"]
    );
    let mut call = compare(with_gap(&scored(10), "z", 7));
    let mut falling_back = constant(0.0);
    correction_mut(&mut falling_back).guard.missing = Missing::Parent;
    call.models = vec![Model::Child(gather("adapted", [Some(falling_back)]))];
    let scores = call.run(&context).unwrap();
    assert_eq!(scores.parity[1].1.len(), 10);
    assert!(context.take_notes().is_empty());
}

#[test]
fn parents_and_columns_are_baselines() {
    let mut call = compare(scored(10));
    let rival = gather("rival", [Some(constant(3.0).parent)]);
    call.models.push(Model::Baseline(rival));
    call.baselines = vec![Column("z".to_owned())];
    let scores = call.run(&Context::alone("compare")).unwrap();
    assert_eq!(value(&scores, "rival", "0", "rmse", None), Some(9.0));
    // z is 0, 1, 2, 3, 4, off by 10, 9, 8, 7, 6: squares 330 / 5.
    let rmse = 66f64.sqrt();
    assert_eq!(value(&scores, "z", "mean", "rmse", None), Some(rmse));
    let roles: Vec<&str> = scores.rows.iter().map(|row| &row.role[..]).collect();
    assert_eq!(roles.iter().filter(|role| **role == "baseline").count(), 12);
}

#[test]
fn trusted_rows_are_scored_apart() {
    let mut call = compare(scored(10));
    let mut child = constant(0.0);
    let points: Vec<Vec<f64>> = (-1..=1).map(|x| vec![f64::from(x)]).collect();
    correction_mut(&mut child).guard.cloud = Cloud::of(&points);
    correction_mut(&mut child).guard.trust = 1.5;
    call.models = vec![Model::Child(gather("adapted", [Some(child)]))];
    // Standardised, z is -1.25, -0.42, 0.42, 1.25 and 2.08; the subsets vary by 1.
    let scores = call.run(&Context::alone("compare")).unwrap();
    assert_eq!(
        value(&scores, "net", "all", "rows", Some(TRUSTED)),
        Some(8.0)
    );
    assert_eq!(
        value(&scores, "net", "all", "rows", Some(UNTRUSTED)),
        Some(2.0)
    );
    let trusted = value(&scores, "net", "2", "rmse", Some(TRUSTED));
    assert_eq!(trusted, Some(6.0));
}

#[test]
fn members_are_weighted_and_chosen_by_their_inner_errors() {
    let rmse = |label: &str, role: &str, values: [f64; 3]| {
        let rows = values
            .into_iter()
            .enumerate()
            .map(|(member, value)| ScoreRow {
                role: role.to_owned(),
                ..line(label, "child", &member.to_string(), "rmse", Some(value))
            });
        rows.collect::<Vec<_>>()
    };
    let inner = Scores {
        rows: [
            rmse("net", "parent", [2.0, 2.0, 2.0]),
            rmse("adapted", "child", [1.0, 4.0, 0.5]),
        ]
        .concat(),
        ..Scores::default()
    };
    let mut call = compare(scored(10));
    let parents = [1.0, 1.0, 1.0].map(|bias| Some(constant(bias).parent));
    call.parent = gather("net", parents);
    let children = [0.5, -1.0, 0.25].map(|bias| Some(constant(bias)));
    call.models = vec![Model::Child(gather("adapted", children))];
    call.inner = Some(Input::new(inner));
    call.best = 0.3;
    let context = Context::alone("compare");
    let scores = call.run(&context).unwrap();
    // Errors 1.5, -3, 0.75 with weights 1, 1 / 16, 4: 4.3125 / 5.0625.
    let found = value(&scores, "adapted", "weighted", "rmse", None).unwrap();
    assert!((found - 4.3125 / 5.0625).abs() < 1e-6);
    assert_eq!(value(&scores, "adapted", "best", "rmse", None), Some(0.75));
    assert_eq!(value(&scores, "net", "weighted", "rmse", None), Some(3.0));
    assert_eq!(
        value(&scores, "adapted", "1", "inner_skill", None),
        Some(-3.0)
    );
    // Inner skills 0.75, -3, 0.9375 and skills 0.75, 0, 0.9375:
    // scipy.stats.pearsonr gives 0.98908….
    let found = value(&scores, "adapted", "all", "inner_correlation", None).unwrap();
    assert!((found - 0.989_081_897_347).abs() < 1e-6, "{found}");
    let ranks = value(&scores, "adapted", "all", "inner_rank_correlation", None);
    assert!((ranks.unwrap() - 1.0).abs() < 1e-12);
    assert_eq!(
        context.take_notes()[0],
        "worse than their parents in the inner extrapolation: 1 of `adapted`"
    );
}

#[test]
fn what_inner_extrapolations_say_of_rivals_is_given() {
    let inside = |label: &str, value: f64| {
        Input::new(Scores {
            rows: vec![line(label, "parent", "mean", "rmse", Some(value))],
            ..Scores::default()
        })
    };
    let mut call = compare(scored(10));
    let baseline = |label| Model::Baseline(gather(label, [Some(constant(3.0).parent)]));
    call.models.extend([baseline("one"), baseline("two")]);
    call.rivals = vec![inside("one", 0.5), inside("two", 0.25)];
    let scores = call.run(&Context::alone("compare")).unwrap();
    let found = ["one", "two"].map(|label| value(&scores, label, "all", "inner_rmse", None));
    assert_eq!(found, [Some(0.5), Some(0.25)]);
    assert!(
        scores
            .rows
            .iter()
            .all(|row| row.model != "net" || row.metric != "inner_rmse")
    );
}

#[test]
fn what_cannot_be_scored_is_refused() {
    let refused = |call: Compare| {
        call.run(&Context::alone("compare"))
            .unwrap_err()
            .to_string()
    };
    let mut call = compare(scored(3));
    call.models = vec![Model::Child(gather("adapted", [None, None, None]))];
    assert_eq!(refused(call), "all members of `adapted` diverged");
    let mut call = compare(scored(3));
    call.parent = gather("net", [None]);
    assert_eq!(refused(call), "all members of `net` diverged");
    assert_eq!(
        refused(compare(scored(0))),
        "expected rows with `t` and all inputs, found none among 0"
    );
    let mut classes = constant(0.0).parent;
    let quantity = classes.network().unwrap();
    let columns = [quantity.inputs(), quantity.targets()].map(<[Scaled]>::to_vec);
    classes.network = Some(network(columns, &[2, 5, 4, 1], Loss::CrossEntropy));
    let mut call = compare(scored(3));
    call.parent = gather("net", [Some(classes)]);
    assert_eq!(
        refused(call),
        "expected a network that predicts quantities, found one of classes"
    );
}

#[test]
fn parity_has_evenly_spaced_rows() {
    let scores = compare(scored(5000))
        .run(&Context::alone("compare"))
        .unwrap();
    assert_eq!(scores.parity[0].1.len(), PARITY);
}

/// A column of texts that come in parts with places of their own.
fn season(row: usize) -> Option<&'static str> {
    [Some("winter"), Some("spring"), None, Some("autumn")][row / 7 % 4]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn rows_in_parts_have_the_scores_of_all_at_once(
        rows in 1..150_000_usize,
        size in 500..90_000_usize,
        which in 0..4_usize,
        is_weighted in any::<bool>(),
    ) {
        let truth = |row: usize| (row as f64 * 0.37).sin() + 9.5;
        let numbers = |name: &str, value: &dyn Fn(usize) -> f64| {
            DataColumn::numbers(name.to_owned(), None, (0..rows).map(value).collect::<Vec<f64>>())
        };
        let data = with_gap(&data(rows), "a", rows / 2);
        let data = data.with(numbers("t", &truth)).unwrap();
        let data = data.with(numbers("usual", &|row| truth(row).round())).unwrap();
        let data = data.with(numbers("deep", &|row| (row % 1013) as f64 / 8.0)).unwrap();
        let texts = DataColumn::texts("season".to_owned(), (0..rows).map(season));
        let data = data.with(texts).unwrap();
        let mut call = compare(data.clone());
        let mut moving = constant(0.1);
        *correction_mut(&mut moving).regression.coefficients.last_mut().unwrap() = 1e-3;
        let members = [Some(moving), Some(constant(0.5)), Some(constant(-0.2))];
        call.models = vec![Model::Child(gather("adapted", members))];
        call.baselines = vec![Column("usual".to_owned())];
        call.metrics = vec![
            Metric::Rmse,
            Metric::Mae,
            Metric::Bias,
            Metric::Correlation,
            Metric::Skill,
            Metric::R2,
            Metric::AnomalyCorrelation,
            Metric::Crps,
            Metric::Spread,
            Metric::SpreadRatio,
        ];
        call.climatology = Some(Column("usual".to_owned()));
        let by: &[&str] = [&[][..], &["deep"], &["season"], &["season", "deep"]][which];
        call.by = by.iter().map(|name| Column((*name).to_owned())).collect();
        call.weights = is_weighted.then(|| Formula(ColumnExpr::Column("deep".to_owned())));
        let run = |size: usize| {
            let context = Context::alone("compare");
            let scores = call.scores(&in_parts(&data, size), &context);
            let parts = scores.map(|scores| scores.to_parts().unwrap());
            (parts.map_err(|fault| fault.to_string()), context.take_notes())
        };
        let whole = run(rows);
        prop_assert_eq!(run(size), whole);
    }
}
