//! What is evaluated at every point of a sweep, and what once.

mod catalog;

use std::cell::RefCell;

use dsl::check::{Outside, check};
use dsl::experiment::Arguments;
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
