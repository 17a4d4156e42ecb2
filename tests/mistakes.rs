//! What users get wrong, and the whole of what they are told.

use std::fs;

use expect_test::{Expect, expect};

use crate::farcast::{Folder, shipped};

/// A run of this text fails with these words and exit code 1, and leaves the store sound.
fn run_says(folder: &Folder, expected: Expect) {
    let said = folder.farcast(&["run", "it.farcast", "--quiet"]);
    assert_eq!(said.code, 1, "{said:?}");
    expected.assert_eq(&said.err);
    assert_eq!(folder.farcast(&["cache", "verify"]).code, 0);
}

fn starter() -> String {
    fs::read_to_string(shipped("experiments/smoke/starter.farcast")).unwrap()
}

#[test]
fn a_file_that_is_not_there() {
    run_says(&Folder::new(), expect![[""]]);
}

#[test]
fn an_empty_file() {
    run_says(&Folder::with(""), expect![[""]]);
}

#[test]
fn a_missing_data_file() {
    run_says(&Folder::with("data a = csv(\"gone.csv\")\n"), expect![[""]]);
}

#[test]
fn a_data_file_of_another_format() {
    let folder = Folder::with("data a = netcdf(\"a.nc\", inputs: [temp])\n");
    folder.write("a.nc", "depth,temp\n1,2\n");
    run_says(&folder, expect![[""]]);
}

#[test]
fn a_truncated_data_file() {
    let folder = Folder::with("data a = netcdf(\"a.nc\", inputs: [temp])\n");
    let whole = fs::read(shipped("experiments/data/levitus_climatology_2deg.nc")).unwrap();
    folder.write("a.nc", &whole[..whole.len() / 2]);
    run_says(&folder, expect![[""]]);
}

#[test]
fn a_column_that_does_not_exist() {
    run_says(
        &Folder::with(&starter().replace("by: z, count", "by: zz, count")),
        expect![[""]],
    );
}

#[test]
fn no_rows_after_where() {
    run_says(
        &Folder::with(&starter().replace("z <= 1", "z <= -9")),
        expect![[""]],
    );
}

#[test]
fn missing_numbers_in_the_data() {
    let folder =
        Folder::with("data a = csv(\"a.csv\")\nparent net = mlp(a, inputs: [x], target: y)\n");
    folder.write("a.csv", "x,y\n1,2\n2,\n3,NaN\n4,5\n");
    run_says(&folder, expect![[""]]);
}

#[test]
fn every_member_diverges() {
    let text = starter().replace("epochs: 20", "epochs: 20, optimizer: sgd(rate: 1e30)");
    run_says(&Folder::with(&text), expect![[""]]);
}

#[test]
fn a_window_larger_than_the_data() {
    run_says(
        &Folder::with(&starter().replace("size: 200", "size: 90000")),
        expect![[""]],
    );
}

#[test]
fn a_set_of_an_unknown_name_or_a_wrong_type() {
    let folder = Folder::with(&starter());
    let said = folder.farcast(&["run", "it.farcast", "--set", "degre=2"]);
    assert_eq!(said.code, 1);
    expect![[""]].assert_eq(&said.err);
    let said = folder.farcast(&["run", "it.farcast", "--set", "degree=two"]);
    assert_eq!(said.code, 1);
    expect![[""]].assert_eq(&said.err);
    let said = folder.farcast(&["run", "it.farcast", "--set", "degree=9"]);
    assert_eq!(said.code, 1);
    expect![[""]].assert_eq(&said.err);
}

#[test]
fn a_store_that_cannot_be_made() {
    let folder = Folder::with(&starter());
    folder.write("taken", "a file");
    let said = folder.farcast(&["run", "it.farcast", "--quiet", "--store", "taken"]);
    assert_eq!(said.code, 1);
    expect![[""]].assert_eq(&said.err);
}

#[test]
fn results_that_cannot_be_written_lose_nothing() {
    let folder = Folder::with(&starter());
    folder.write("taken", "a file");
    let said = folder.farcast(&["run", "it.farcast", "--quiet", "--out", "taken"]);
    assert_eq!(said.code, 1);
    expect![[""]].assert_eq(&said.err);
    assert_eq!(folder.planned(&[]), "");
}

#[test]
fn several_mistakes_are_told_in_one_go() {
    let text = "\
data a = synthetic(regime, rows: 0)
parent net = mpl(a, inputs: [x], target: y)
subset s = window(a, by: q
anomaly w = finetune(nett, s, steps: -1)
";
    let said = Folder::with(text).farcast(&["check", "it.farcast"]);
    assert_eq!(said.code, 1);
    expect![[""]].assert_eq(&said.err);
}
