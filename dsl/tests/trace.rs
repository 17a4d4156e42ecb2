//! What an editor hears while a file is checked.

mod catalog;

use std::cell::RefCell;
use std::collections::BTreeSet;

use dsl::check::{Checked, Meaning, Trace, check_traced};
use dsl::experiment::Value;
use dsl::signature::Signature;
use dsl::source::Span;
use dsl::sweep::Choices;
use dsl::types::{Schema, Type};
use expect_test::expect;

/// Lists everything in the order of the text, with the text it is about.
struct Collector<'a> {
    text: &'a str,
    lines: RefCell<BTreeSet<(u32, String)>>,
}

impl Collector<'_> {
    fn at(&self, place: Span) -> &str {
        &self.text[place.start as usize..place.end as usize]
    }

    fn note(&self, place: Span, line: String) {
        let line = format!("{}: {line}", self.at(place));
        self.lines.borrow_mut().insert((place.start, line));
    }
}

impl Trace for Collector<'_> {
    fn name(&self, place: Span, meaning: Meaning, said: Span) {
        self.note(place, format!("{meaning:?} of `{}`", self.at(said)));
    }

    fn value(&self, place: Span, value: &Value, ty: &Type) {
        self.note(place, format!("{ty} {value}"));
    }

    fn call(&self, place: Span, signature: &Signature, columns: Option<&Schema>) {
        let columns = columns.map_or("no columns".to_owned(), |columns| {
            let names = columns.columns.iter().map(|column| column.name.as_str());
            names.take(2).collect::<Vec<_>>().join(" ")
        });
        self.note(place, format!("call of {} with {columns}", signature.name));
    }
}

fn traced(text: &str) -> (Checked, String) {
    let collector = Collector {
        text,
        lines: RefCell::default(),
    };
    let outside = catalog::Table(Default::default());
    let given = ([].as_slice(), &Choices::default());
    let catalog = catalog::catalog();
    let checked = check_traced(
        "it.farcast",
        text,
        given,
        &catalog,
        &outside,
        Some(&collector),
    );
    let lines = collector.lines.into_inner().into_iter();
    let lines = lines.map(|(_, line)| line + "\n");
    (checked, lines.collect())
}

#[test]
fn names_values_and_calls_are_heard_of() {
    let (_, heard) = traced(
        r#"
param width: Int = 4
define deep(limit) = depth > limit
data sea = netcdf("casts.nc")
data far = where(sea, deep(width + 1))
sweep widths = grid(width: [8])
"#,
    );
    expect![[r#"
        4: Int 4
        depth > limit: Condition depth > 9.0
        depth: Column of `sea`
        limit: Argument of `width + 1`
        netcdf("casts.nc"): call of netcdf with no columns
        netcdf("casts.nc"): data node 0
        "casts.nc": Path "casts.nc"
        where(sea, deep(width + 1)): call of where with temp salt
        where(sea, deep(width + 1)): data node 1
        sea: Statement of `sea`
        sea: data node 0
        deep(width + 1): Condition depth > 9.0
        deep: Define of `deep`
        width: Param of `width`
        width: Param of `width`
        8: Int 8
    "#]]
    .assert_eq(&heard);
}

#[test]
fn what_is_around_a_mistake_is_heard_of_and_kept() {
    let (checked, heard) = traced(
        r#"
data sea = netcdf("casts.nc")
data far = where(sea, dept > 1 m)
data torn = where(sea,
data warm = where(sea, temp > 1)
"#,
    );
    expect![[r#"
        netcdf("casts.nc"): call of netcdf with no columns
        netcdf("casts.nc"): data node 0
        "casts.nc": Path "casts.nc"
        where(sea, dept > 1 m): call of where with temp salt
        sea: Statement of `sea`
        sea: data node 0
        where(sea, temp > 1): call of where with temp salt
        where(sea, temp > 1): data node 1
        sea: Statement of `sea`
        sea: data node 0
        temp > 1: Condition temp > 1.0
        temp: Column of `sea`
    "#]]
    .assert_eq(&heard);
    let kept = checked.partial.unwrap().nodes.into_iter();
    let kept: Vec<String> = kept.map(|node| node.name).collect();
    assert_eq!(kept, ["sea", "warm"]);
    assert_eq!((checked.experiment, checked.diagnostics.len()), (None, 2));
}
