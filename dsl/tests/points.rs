//! What is evaluated at every point of a sweep, and what once.

mod catalog;

use std::cell::RefCell;

use dsl::check::{Outside, check};
use dsl::experiment::{Arguments, Experiment, NodeId, Value};
use dsl::facts::Complaint;
use dsl::sweep::search::{Finding, Proposal, Search};
use dsl::sweep::space::Setting;
use dsl::types::Schema;

/// Lists the data files whose columns were asked for; those called `missing` are not there.
struct Asked(catalog::Table, RefCell<Vec<String>>);

impl Outside for Asked {
    fn read(&self, path: &str) -> Result<String, String> {
        self.0.read(path)
    }

    fn schema(&self, plugin: &str, args: &Arguments) -> Result<Schema, Complaint> {
        let path = args.get("path").map(|path| path.value.to_string());
        self.1.borrow_mut().extend(path);
        self.0.schema(plugin, args)
    }

    fn propose(&self, search: &Search, score: &mut dyn FnMut(&[Setting]) -> Finding) -> Proposal {
        self.0.propose(search, score)
    }
}

fn asked(text: &str) -> (Vec<String>, Vec<String>) {
    let table = catalog::Table(Default::default());
    let outside = Asked(table, RefCell::default());
    let checked = check("main.farcast", text, &[], &catalog::catalog(), &outside);
    let messages = checked.diagnostics.into_iter().map(|it| it.message);
    (outside.1.into_inner(), messages.collect())
}

#[test]
fn a_mistake_that_does_not_depend_on_the_point_is_found_once() {
    let (files, messages) = asked(
        r#"
param width: Int = 16 in 1..=64
parent net = mlp(netcdf("missing.nc"), [temp], density, hidden: width)
sweep widths = grid(width: [4, 8, 16])
"#,
    );
    assert_eq!(files, [r#""missing.nc""#]);
    assert_eq!(messages, ["cannot read `missing.nc`"]);
}

#[test]
fn a_mistake_that_depends_on_the_point_is_found_at_each() {
    let (files, messages) = asked(
        r#"
param file: Path = "missing.nc"
parent net = mlp(netcdf(file), [temp], density)
sweep files = grid(file: ["missing1.nc", "missing2.nc"])
"#,
    );
    assert_eq!(files, [r#""missing1.nc""#, r#""missing2.nc""#]);
    let expected = ["cannot read `missing1.nc`", "cannot read `missing2.nc`"];
    assert_eq!(messages, expected);
}

/// A call with all its arguments, those it refers to in full.
fn whole_call(experiment: &Experiment, id: NodeId) -> String {
    let node = &experiment.nodes[id.0];
    let mut text = format!("{} seed {} {:?}", node.plugin, node.seed, node.members);
    for (name, argument) in &node.args {
        let (value, span) = (&argument.value, argument.span);
        text.push_str(&format!("\n{name} at {}..{}: ", span.start, span.end));
        match value {
            Value::Formula(_) | Value::Definitions(_) | Value::Constructed(_) => {
                text.push_str(&format!("{value:?}"));
            }
            _ if value.nodes().is_empty() => text.push_str(&value.to_string()),
            _ => {
                let inner = value.nodes().into_iter();
                inner.for_each(|id| text.push_str(&format!("({})", whole_call(experiment, id))));
            }
        }
    }
    text
}

const CALLS: &str = r#"
param width: Int = 4 in 1..=64
param cut: Float = 100
param rate: Float = 1e-3
param fast: Float = 2 * rate
param file: Path = "a.nc"
define deep(rows, least) = where(rows, depth > least and temp > 2)
define warm(rows) = derive(deep(rows, 50), above = temp - mean(temp), twice = 2 * above)
data fixed = where(netcdf("a.nc"), depth > 10 and month > 0)
data other = netcdf(file)
data swept = where(other, depth > cut)
data same = derive(other, z = temp * 3, fourth = z / 4)
data both = derive(swept, z = depth / cut)
data nested = warm(deep(swept, 20))
data again = warm(deep(fixed, 30))
parent one = mlp(nested, [temp, twice], density, hidden: width, optimizer: adam(rate: 2e-3))
parent two = mlp(again, [temp], density, optimizer: sgd(rate: fast))
subset near = window(nested, by: above, count: 64)
anomaly shift = finetune(one, near, optimizer: sgd(), steps: 10)
"#;

/// That evaluating a call once for all points that do not change it takes nothing else for it.
#[test]
fn a_point_of_a_sweep_is_what_the_file_says_of_its_values() {
    let sweeps = [
        ("seed", "1..=3", vec!["1", "2", "3"]),
        ("width", "[4, 8]", vec!["4", "8"]),
        ("cut", "[100, 200, 5]", vec!["100", "200", "5"]),
        ("rate", "[1e-3, 1e-2]", vec!["1e-3", "1e-2"]),
        (
            "file",
            r#"["a.nc", "b.csv", "stations.nc"]"#,
            vec!["a.nc", "b.csv", "stations.nc"],
        ),
    ];
    for (param, list, values) in sweeps {
        let experiment = |text: &str, set: &[(String, String)]| {
            let outside = catalog::Table(Default::default());
            let checked = check("main.farcast", text, set, &catalog::catalog(), &outside);
            let messages: Vec<&String> = checked.diagnostics.iter().map(|it| &it.message).collect();
            checked
                .experiment
                .unwrap_or_else(|| panic!("{param}: {messages:?}"))
        };
        let swept = experiment(&format!("{CALLS}sweep all = grid({param}: {list})\n"), &[]);
        assert_eq!(swept.sweeps[0].trials.len(), values.len());
        for (value, trial) in values.iter().zip(&swept.sweeps[0].trials) {
            let value = match param {
                "file" => format!("{value:?}"),
                _ => (*value).to_owned(),
            };
            let alone = experiment(CALLS, &[(param.to_owned(), value)]);
            for (at, node) in alone.nodes.iter().enumerate() {
                let is_it = |other: &dsl::experiment::Node| {
                    let is_here = other.point.is_empty() || other.point == trial.point;
                    is_here && other.name == node.name
                };
                let found = swept.nodes.iter().position(is_it);
                let found = found.unwrap_or_else(|| panic!("{} at {}", node.name, trial.point));
                let here = whole_call(&swept, NodeId(found));
                assert_eq!(here, whole_call(&alone, NodeId(at)), "{}", trial.point);
            }
        }
    }
}
