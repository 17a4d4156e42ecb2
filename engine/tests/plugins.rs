//! Plugins made at run time, and declarations that are refused when they are registered.

use std::sync::Arc;

use dsl::check::check;
use engine::artifact::{AnyArtifact, DataColumn, Dataset, ScoreRow, Scores, Stored, downcast};
use engine::error::Fault;
use engine::executor::Threads;
use engine::observer::{Ending, Silent};
use engine::outside::Disk;
use engine::params::{Bindings, Input, ParamType};
use engine::plugin::{Context, Declaration, Operation, Plugin, Registry};
use engine::run::Settings;
use engine::scheduler::OnFailure;
use engine::store::{MemStore, Store};
use engine::study::{Finished, Study};
use engine::{plugin, words};

words! {
    /// An end.
    pub enum End {
        /// The first.
        First = "first",
        /// The last.
        Last = "last",
    }
}

plugin! {
    /// The numbers from 1.
    "count" version 1
    pub struct Count {
        /// How many.
        rows: usize = "3", range("1..=10");
        /// Which end they begin at.
        from: End = "first";
    }
}

impl Plugin for Count {
    type Output = Dataset;

    fn run(self, _: &Context) -> Result<Dataset, Fault> {
        let values: Vec<f64> = (1..=self.rows).map(|row| row as f64).collect();
        Dataset::new(vec![DataColumn::numbers("n".to_owned(), None, values)])
    }
}

/// A plugin whose declaration is read from text.
struct Loaded {
    declaration: Declaration,
    body: fn(&Bindings) -> Result<Scores, Fault>,
}

impl Operation for Loaded {
    fn declaration(&self) -> &Declaration {
        &self.declaration
    }

    fn run(&self, bindings: &Bindings, _: &Context<'_>) -> Result<AnyArtifact, Fault> {
        (self.body)(bindings).map(|scores| Arc::new(scores) as AnyArtifact)
    }
}

const SUM: &str = r#"{
    "signature": {
        "name": "sum", "makes": {"kinds": ["score"]}, "version": 4, "doc": "The sum, times a factor.",
        "random": false, "columns": "none", "members": null,
        "params": [
            {"name": "data", "doc": "The rows.", "ty": {"kind": "data"}},
            {"name": "times", "doc": "The factor.", "ty": "float", "default": "2", "range": "0..=10"}
        ]
    },
    "streams": 4
}"#;

fn sum(text: &str) -> Arc<dyn Operation> {
    Arc::new(Loaded {
        declaration: serde_json::from_str(text).expect("a declaration"),
        body: |bindings| {
            let argument = |name: &str| &bindings.args.get(name).expect("checked").value;
            let data = Input::<Dataset>::from_value("data", argument("data"), bindings)?;
            let times = f64::from_value("times", argument("times"), bindings)?;
            let sum: f64 = data.values("n")?.iter().sum();
            Ok(Scores {
                rows: vec![ScoreRow {
                    member: "0".to_owned(),
                    model: "sum".to_owned(),
                    role: "child".to_owned(),
                    metric: "sum".to_owned(),
                    unit: None,
                    horizon: None,
                    group: None,
                    value: Some(times * sum),
                }],
                ..Scores::default()
            })
        },
    })
}

fn registry() -> Registry {
    let mut registry = Registry::default();
    registry.plugin::<Count>();
    registry
}

#[test]
fn a_plugin_made_at_run_time_is_checked_planned_run_and_cached_as_any_other() {
    let mut registry = registry();
    registry.add(sum(SUM)).expect("a valid declaration");
    let text = "data rows = count(rows: 4)\nscore total = sum(rows, times: 3)\n";
    let store = MemStore::default();
    let mut endings = Vec::new();
    let registry = Arc::new(registry);
    let world = Disk {
        registry: &registry,
    };
    let settings = Settings {
        on_failure: OnFailure::Stop,
        stop: Default::default(),
        host: "test".to_owned(),
    };
    for _ in 0..2 {
        let study = Study::of_text("sum", text, Vec::new(), Arc::clone(&registry), &world);
        let mut study = study.expect("a sound experiment");
        let finished = study.run(&store, &Threads { jobs: 1 }, &Silent, &settings);
        let Finished { graph, outcome } = finished.expect("a run");
        endings.push(outcome.endings.last().cloned());
        let result = outcome.results.values().next().expect("a score");
        let scores: Arc<Scores> = downcast(result).expect("scores");
        assert_eq!(scores.rows[0].value, Some(30.0));
        // Its parts can be had without knowing its type.
        assert!(
            Stored::to_parts(&**result)
                .expect("parts")
                .has("scores.json")
        );
        // What it left behind is read without it.
        let record = store.find(&graph.actions[1].key.digest).expect("a record");
        assert_eq!(record.plugin(), "sum");
        let read = self::registry()
            .read("total", &record, &store)
            .expect("scores");
        assert_eq!(*downcast::<Scores>(&read).expect("scores"), *scores);
    }
    assert!(matches!(endings[0], Some(Ending::Ran(_))), "{endings:?}");
    assert!(matches!(endings[1], Some(Ending::Cached)), "{endings:?}");
    let wrong = text.replace("times: 3", "times: 30");
    let checked = check("sum", &wrong, &[], &registry.catalog(), &world);
    assert_eq!(
        checked.diagnostics[0].message,
        "`30` is out of range: `times` must be in `0..=10`"
    );
}

/// What registering a changed declaration says.
fn refusal(from: &str, to: &str) -> String {
    assert!(SUM.contains(from), "{from}");
    let added = registry().add(sum(&SUM.replace(from, to)));
    added.expect_err("a refusal").to_string()
}

#[test]
fn faults_of_a_declaration_are_found_when_it_is_registered() {
    let name = refusal(r#""name": "sum""#, r#""name": "count""#);
    assert_eq!(name, "plugin `count`: the name exists already");
    let twice = refusal(r#""name": "times""#, r#""name": "data""#);
    assert_eq!(
        twice,
        "plugin `sum`, field `data`: the parameter exists already"
    );
    let times = "plugin `sum`, field `times`: ";
    let cases = [
        (
            r#""default": "2""#,
            r#""default": "2 +""#,
            "the default `2 +` does not parse",
        ),
        (
            r#""default": "2""#,
            r#""default": "true""#,
            "the default `true`: expected a `Float`, found `true`",
        ),
        (
            r#""default": "2""#,
            r#""default": "11""#,
            "the default `11` is out of the range `0..=10`",
        ),
        (
            r#""range": "0..=10""#,
            r#""range": "0..=""#,
            "the range `0..=` does not parse",
        ),
        (
            r#""range": "0..=10""#,
            r#""range": "true""#,
            "the range `true`: expected allowed values of `Float`, found `true`",
        ),
        (
            r#""range": "0..=10""#,
            r#""divides": "data""#,
            "`divides` expects whole numbers here and in `data`",
        ),
        (
            r#""range": "0..=10""#,
            r#""variadic": true"#,
            "expected a list: it is variadic",
        ),
        (
            r#""range": "0..=10""#,
            r#""one_for_all": true"#,
            "expected an input with all members: one result serves all",
        ),
    ];
    for (from, to, message) in cases {
        assert_eq!(refusal(from, to), format!("{times}{message}"));
    }
    let implicit = |how: &str| {
        let input =
            format!(r#""implicit": [["rows", {{"how": {how}, "gather": false}}]], "streams""#);
        refusal(r#""streams""#, &input)
    };
    assert_eq!(
        implicit(r#"{"via": "data.times"}"#),
        "plugin `sum`, field `rows`: the path `data.times` leads nowhere: no plugin has a \
         statement as `times` there"
    );
    assert_eq!(
        implicit(r#"{"via": "dat"}"#),
        "plugin `sum`, field `rows`: the path `dat` leads nowhere: no plugin has a statement as \
         `dat` there"
    );
    assert_eq!(
        implicit(r#"{"ancestors": {"of": "scores", "kind": "data"}}"#),
        "plugin `sum`, field `rows`: `scores` is not a parameter"
    );
    assert_eq!(
        refusal(
            r#""streams""#,
            r#""remade": true, "by_content": true, "streams""#
        ),
        "plugin `sum`: its dependents are keyed by its bytes, which are not stored"
    );
    let replayed = |cut: &str| {
        let replayed = format!(r#""replayed": {{"field": "data", "cut": "{cut}"}}, "streams""#);
        refusal(r#""streams""#, &replayed)
    };
    assert_eq!(
        replayed("edg"),
        "plugin `sum`, field `data`: `replay` names `edg`, which is not a plugin"
    );
    assert_eq!(
        replayed("count"),
        "plugin `sum`, field `data`: `replay` names `count`, which does not cut training data"
    );
}
