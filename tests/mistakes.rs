//! Mistakes of users, with the whole message each.

use std::fs;
use std::io::Write;

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
    run_says(
        &Folder::new(),
        expect![[r#"
        error: `it.farcast` does not exist
    "#]],
    );
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_waited_for() {
    let folder = Folder::with("data a = csv(\"a.csv\")\nweights b = safetensors(\"a.csv\")\n");
    for name in ["pipe.farcast", "a.csv", "run.json"] {
        let made = std::process::Command::new("mkfifo")
            .arg(folder.path(name))
            .status();
        assert!(made.unwrap().success());
    }
    fs::create_dir(folder.path("folder.farcast")).unwrap();
    let mut said = String::new();
    for args in [
        &["check", "pipe.farcast"][..],
        &["run", "pipe.farcast"],
        &["fmt", "pipe.farcast"],
        &["cache", "why", "pipe.farcast"],
        &["check", "folder.farcast"],
        &["check", "/dev/zero"],
        &["check", "it.farcast"],
        &["rerun", "run.json"],
    ] {
        let found = folder.farcast(args);
        assert_eq!(found.code, 1, "{args:?}");
        said.push_str(&format!("{}\n{}", args.join(" "), found.err));
    }
    expect![[r#"
        check pipe.farcast
        error: expected a file, found the FIFO `pipe.farcast`
        1 error, 0 warnings
        run pipe.farcast
        error: expected a file, found the FIFO `pipe.farcast`
        fmt pipe.farcast
        error: expected a file, found the FIFO `pipe.farcast`
        cache why pipe.farcast
        error: expected a file, found the FIFO `pipe.farcast`
        check folder.farcast
        error: `folder.farcast` is a folder: expected an experiment file
        1 error, 0 warnings
        check /dev/zero
        error: expected a file, found the device `/dev/zero`
        1 error, 0 warnings
        check it.farcast
        error[data-file]: expected a file, found the FIFO `a.csv`
         --> it.farcast:1:14
          |
        1 | data a = csv("a.csv")
          |              ^^^^^^^
        error[data-file]: expected a file, found the FIFO `a.csv`
         --> it.farcast:2:25
          |
        2 | weights b = safetensors("a.csv")
          |                         ^^^^^^^
        2 errors, 0 warnings
        rerun run.json
        error: there is no run, folder or file `run.json`
          = help: `farcast runs` lists the runs of the store
    "#]]
    .assert_eq(&said);
    // What the shell passes has somebody who writes.
    let mut command = folder.command(&["check", "/dev/stdin"]);
    let command = command.stdin(std::process::Stdio::piped());
    let command = command.stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"data a = synthetic(regime)\n").unwrap();
    drop(input);
    let said = child.wait_with_output().unwrap();
    let said = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said, "no mistakes found\n");
}

#[test]
fn subsets_that_no_regression_can_use_are_counted_with_the_reason() {
    let folder = Folder::with(
        &starter()
            .replace("data all = ", "data every = ")
            .replace(
                "slope: 2)\n",
                "slope: 2)\ndata all = derive(every, w = log(0 - z))\n",
            )
            .replace("columns(z)", "columns(w)")
            .replace("members: 4", "members: 1"),
    );
    run_says(
        &folder,
        expect![[r#"
        error[action-failed]: expected at least 2 usable subsets, found 0
          --> it.farcast:20:31
           |
        20 | regression drift = polynomial(shift, regime, degree: degree)
           |                               ^^^^^
           |
           = help: 64 of 64 subsets have a missing predictor and were left out
    "#]],
    );
}

#[test]
fn an_empty_file() {
    run_says(
        &Folder::with(""),
        expect![[r#"
        error: `it.farcast` has no statements: there is nothing to run
          = help: `farcast new NAME` writes a starter
    "#]],
    );
}

#[test]
fn a_setting_that_does_not_fit() {
    let folder = Folder::with(&starter());
    let said = folder.farcast(&["check", "it.farcast", "--set", "degree=5", "--set", "sed=1"]);
    assert_eq!(said.code, 1, "{said:?}");
    expect![[r#"
        error[out-of-range]: `--set degree=5`: `5` is out of range: `degree` must be in `1..=3`
        error[unknown-param]: `--set`: the experiment has no param `sed`
         |
         = help: did you mean `seed`?
         = help: params: `seed`, `degree`
        2 errors, 0 warnings
    "#]]
    .assert_eq(&said.err);
}

#[test]
fn a_missing_data_file() {
    run_says(
        &Folder::with("data a = csv(\"gone.csv\")\n"),
        expect![[r#"
        error[data-file]: there is no file `gone.csv`
         --> it.farcast:1:14
          |
        1 | data a = csv("gone.csv")
          |              ^^^^^^^^^^
    "#]],
    );
}

#[test]
fn a_data_file_of_another_format() {
    let folder = Folder::with("data a = netcdf(\"a.nc\", inputs: [temp])\n");
    folder.write("a.nc", "depth,temp\n1,2\n");
    run_says(
        &folder,
        expect![[r#"
            error[data-file]: cannot read `a.nc` as netcdf: it does not begin as NetCDF files do
             --> it.farcast:1:17
              |
            1 | data a = netcdf("a.nc", inputs: [temp])
              |                 ^^^^^^
              |
              = help: it is text: `csv` reads tables of text
        "#]],
    );
}

#[test]
fn a_truncated_data_file() {
    let folder = Folder::with("data a = netcdf(\"a.nc\", inputs: [temp])\n");
    let whole = fs::read(shipped("experiments/data/levitus_climatology_2deg.nc")).unwrap();
    folder.write("a.nc", &whole[..whole.len() / 2]);
    run_says(
        &folder,
        expect![[r#"
            error[data-file]: cannot read `a.nc` as netcdf: the file has only 1297124 bytes, its header describes 2594248
             --> it.farcast:1:17
              |
            1 | data a = netcdf("a.nc", inputs: [temp])
              |                 ^^^^^^
        "#]],
    );
}

#[test]
fn a_column_that_does_not_exist() {
    run_says(
        &Folder::with(&starter().replace("by: z, count", "by: zz, count")),
        expect![[r#"
            error[unknown-column]: the data have no column `zz`
              --> it.farcast:15:32
               |
            15 | subset near = window(seen, by: zz, count: 64, size: 200)
               |                      ----      ^^
               |                      |
               |                      these data
               |
               = help: columns: `x`, `z`, `y`
        "#]],
    );
}

#[test]
fn no_rows_after_where() {
    run_says(
        &Folder::with(&starter().replace("z <= 0.6", "z <= -9")),
        expect![[r#"
            error[action-failed]: no row meets the condition
             --> it.farcast:9:24
              |
            9 | data seen = where(all, z <= -9)
              |                        ^^^^^^^
              |
              = help: `z` is 0.00018789042772993092..0.9995172800189004
        "#]],
    );
}

#[test]
fn missing_numbers_in_the_data() {
    let folder =
        Folder::with("data a = csv(\"a.csv\")\nparent net = mlp(a, inputs: [x], target: y)\n");
    folder.write("a.csv", "x,y\n1,2\n2,\n3,NaN\n4,5\n");
    run_says(
        &folder,
        expect![[r#"
        error[action-failed]: column `y` has no value in 2 of 4 rows
         --> it.farcast:2:42
          |
        2 | parent net = mlp(a, inputs: [x], target: y)
          |                                          ^
          |
          = help: keep the rows that have one: `where(…, not is_missing(y))`
    "#]],
    );
}

#[test]
fn every_member_diverges() {
    let text = starter().replace("epochs: 20", "epochs: 20, optimizer: sgd(rate: 1e30)");
    run_says(
        &Folder::with(&text),
        expect![[r#"
        error[action-failed]: all members of `net` diverged
          --> it.farcast:24:23
           |
        24 | score skill = compare(net, adapted, on: unseen, metrics: [rmse, skill], by: z)
           |                       ^^^
           |
           = help: a lower rate or fewer steps may keep them finite
    "#]],
    );
}

#[test]
fn a_window_larger_than_the_data() {
    run_says(
        &Folder::with(&starter().replace("size: 200", "size: 90000")),
        expect![[r#"
            error[impossible-call]: expected subsets no larger than the data, found 90000 of at most 4000 rows
              --> it.farcast:15:52
               |
            15 | subset near = window(seen, by: z, count: 64, size: 90000)
               |                                                    ^^^^^
        "#]],
    );
}

/// Rows whose slope follows `z`, with predictors that do no good: a multiple of `z`, a constant,
/// one with gaps beyond the training rows; and longitudes after both conventions.
fn awkward(rest: &str) -> Folder {
    let folder = Folder::with(&format!("data all = csv(\"a.csv\")\n{rest}"));
    let mut rows = "x,z,y,twice,flat,gaps,lat,lon,west\n".to_owned();
    for row in 0..200 {
        let (x, z) = (
            (f64::from(row) * 1.7).sin(),
            f64::from(row * 37 % 200) / 200.0,
        );
        let (y, twice) = (x * (1.0 + 2.0 * z), 2.0 * z + 1.0);
        let gaps = match z > 0.6 && row % 9 == 0 {
            true => String::new(),
            false => (z * z).to_string(),
        };
        let (lat, lon) = (row % 13 * 10 - 60, row * 7 % 360);
        let west = if lon < 180 { lon } else { lon - 360 };
        rows += &format!("{x},{z},{y},{twice},4,{gaps},{lat},{lon},{west}\n");
    }
    folder.write("a.csv", rows);
    folder
}

/// A child on such rows.
fn moved(subsets: &str, regression: &str) -> Folder {
    awkward(&format!(
        "\
data seen = where(all, z <= 0.6)
data unseen = where(all, z > 0.6)
parent net = least_squares(seen, inputs: [x], target: y)
subset some = {subsets}
anomaly shift = finetune(net, some, steps: 20, mix: 0)
child moved = apply({regression}, unseen)
score skill = compare(net, moved, on: unseen)
"
    ))
}

const WINDOW: &str = "window(seen, by: z, count: 12, size: 20)";

/// What a run notes of the predictors in these columns.
fn notes_of(columns: &str) -> Vec<String> {
    let folder = moved(WINDOW, &format!("ols(shift, columns({columns}))"));
    let said = folder.farcast(&["run", "it.farcast"]);
    assert_eq!(said.code, 0, "{said:?}");
    let lines = said.err.lines().filter(|line| line.starts_with("note: "));
    lines.map(str::to_owned).collect()
}

#[test]
fn predictors_that_say_nothing_new() {
    let plain = notes_of("z");
    for (columns, expected) in [
        (
            "z, twice",
            "note: moved.regression: `twice` is a linear combination of the terms before it over \
             the subsets and was dropped",
        ),
        (
            "z, flat",
            "note: moved.regression: predictor `flat` is the same for every subset and was dropped",
        ),
    ] {
        let mut notes = notes_of(columns);
        notes.retain(|note| !plain.contains(note) && !note.contains("is applied at"));
        assert_eq!(notes, [expected]);
    }
}

#[test]
fn rows_without_a_predictor() {
    let notes = notes_of("gaps");
    for expected in [
        "note: moved: 15 of 79 rows lack a predictor and are left out",
        "note: skill: 15 of 79 rows lack a predictor and were left out",
    ] {
        assert!(notes.contains(&expected.to_owned()), "{notes:#?}");
    }
}

#[test]
fn a_constant_predictor() {
    run_says(
        &moved(WINDOW, "ols(shift, columns(flat))"),
        expect![[r#"
            error[action-failed]: no predictor varies over the subsets
             --> it.farcast:7:32
              |
            7 | child moved = apply(ols(shift, columns(flat)), unseen)
              |                                ^^^^^^^^^^^^^
              |
              = help: draw the subsets along the predictor, as `window(data, by: column)` does
        "#]],
    );
}

#[test]
fn more_terms_than_subsets() {
    run_says(
        &moved(
            WINDOW,
            "polynomial(shift, columns(z, x, lat, lon), degree: 2)",
        ),
        expect![[r#"
            error[impossible-call]: expected at least 15 subsets for 15 terms, found at most 12
             --> it.farcast:7:32
              |
            7 | child moved = apply(polynomial(shift, columns(z, x, lat, lon), degree: 2), unseen)
              |                                ^^^^^
              |
              = help: draw more subsets, or use fewer predictors, fewer knots or a lower degree
        "#]],
    );
}

#[test]
fn regions_without_rows() {
    run_says(
        &moved(
            "regions(seen, areas: [area(south: 80), area(south: 85)])",
            "ols(shift, columns(z))",
        ),
        expect![[r#"
            error[action-failed]: rows in the largest region: 0, expected 1 or more
             --> it.farcast:5:15
              |
            5 | subset some = regions(seen, areas: [area(south: 80), area(south: 85)])
              |               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        "#]],
    );
}

#[test]
fn longitudes_of_both_conventions_are_one_place() {
    let folder = awkward(
        "\
data east = surroundings(all, radius: 2000 km, near = mean(x), lon: lon)
data west = surroundings(all, radius: 2000 km, near = mean(x), lon: west)
score a = compare(least_squares(east, inputs: [near], target: y), on: east)
score b = compare(least_squares(west, inputs: [near], target: y), on: west)
",
    );
    let said = folder.farcast(&["run", "it.farcast", "--quiet"]);
    assert_eq!(said.code, 0, "{said:?}");
    let scores = folder.read("out/it/scores.csv");
    let values = |statement: &str| -> Vec<String> {
        let lines = scores.lines().filter(|line| line.starts_with(statement));
        lines
            .filter_map(|line| Some(line.rsplit_once(',')?.1.to_owned()))
            .collect()
    };
    assert!(!values("a,").is_empty());
    assert_eq!(values("a,"), values("b,"));
}

#[test]
fn a_set_of_an_unknown_name_or_a_wrong_type() {
    let folder = Folder::with(&starter());
    let said = folder.farcast(&["run", "it.farcast", "--set", "degre=2"]);
    assert_eq!(said.code, 1);
    expect![[r#"
        error[unknown-param]: `--set`: the experiment has no param `degre`
         |
         = help: did you mean `degree`?
         = help: params: `seed`, `degree`
    "#]]
    .assert_eq(&said.err);
    let said = folder.farcast(&["run", "it.farcast", "--set", "degree=two"]);
    assert_eq!(said.code, 1);
    expect![[r#"
        error[unknown-name]: `--set degree=two`: expected an `Int` in `1..=3`
    "#]]
    .assert_eq(&said.err);
    let said = folder.farcast(&["run", "it.farcast", "--set", "degree=9"]);
    assert_eq!(said.code, 1);
    expect![[r#"
        error[out-of-range]: `--set degree=9`: `9` is out of range: `degree` must be in `1..=3`
    "#]]
    .assert_eq(&said.err);
}

#[test]
fn a_store_that_cannot_be_made() {
    let folder = Folder::with(&starter());
    folder.write("taken", "a file");
    let said = folder.farcast(&["run", "it.farcast", "--quiet", "--store", "taken"]);
    assert_eq!(said.code, 1);
    expect![[r#"
        error: the store `taken` is not a directory
    "#]]
    .assert_eq(&said.err);
}

#[test]
fn an_out_that_cannot_be_written_is_told_before_anything_runs() {
    let folder = Folder::with(&starter());
    folder.write("taken", "a file");
    let said = folder.farcast(&["run", "it.farcast", "--quiet", "--out", "taken"]);
    assert_eq!(said.code, 1);
    expect![[r#"
        error: cannot write to `taken`: `taken` is not a folder
    "#]]
    .assert_eq(&said.err);
    assert_ne!(folder.planned(&[]), "");
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
    expect![[r#"
        error[out-of-range]: `0` is out of range: `rows` must be in `1..=10000000`
         --> it.farcast:1:34
          |
        1 | data a = synthetic(regime, rows: 0)
          |                                  ^
        error[unknown-plugin]: unknown plugin `mpl`
         --> it.farcast:2:14
          |
        2 | parent net = mpl(a, inputs: [x], target: y)
          |              ^^^
          |
          = help: did you mean `mlp`?
          = help: plugins that make a `parent`: `additive`, `adopt`, `align`, `average`, `boost`, `combine`, `conv`, `ema`, `least_squares`, `linear_regression`, `member`, `members`, `mlp`, `pick`, `project`, `prune`, `quantise`, `resize`, `safetensors`, `slerp`, `soup`, `spectral`, `stock`, `transformer`, `trim`
        error[syntax-error]: unclosed `(`
         --> it.farcast:3:18
          |
        3 | subset s = window(a, by: q
          |                  ^ opened here
        4 | anomaly w = finetune(nett, s, steps: -1)
          | ------- the next item begins here
        error[unknown-name]: unknown name `nett`
         --> it.farcast:4:22
          |
        4 | anomaly w = finetune(nett, s, steps: -1)
          |                      ^^^^
          |
          = help: did you mean `net`?
        error[out-of-range]: `-1` is out of range: `steps` must be in `1..`
         --> it.farcast:4:38
          |
        4 | anomaly w = finetune(nett, s, steps: -1)
          |                                      ^^
        5 errors, 0 warnings
    "#]]
    .assert_eq(&said.err);
}

#[test]
fn the_file_that_was_meant_is_named() {
    let text = "data a = csv(\"cast.csv\")\ndata b = csv(\"data/casts.csv\")\n\
        weights c = safetensors(\"base.safetensor\")\ndata d = csv(\"sea.nc\")\n\
        data e = parquet(\"casts.csv\")\ndata f = netcdf(\"sea.nc\")\n";
    let folder = Folder::with(text);
    folder.write("casts.csv", "depth,temp\n1,2\n");
    folder.write("base.safetensors", "");
    let sea = fs::read(shipped("experiments/data/levitus_climatology_2deg.nc")).unwrap();
    folder.write("sea.nc", sea);
    run_says(
        &folder,
        expect![[r#"
        error[data-file]: there is no file `cast.csv`
         --> it.farcast:1:14
          |
        1 | data a = csv("cast.csv")
          |              ^^^^^^^^^^
          |
          = help: did you mean `casts.csv`?
        error[data-file]: there is no file `data/casts.csv`
         --> it.farcast:2:14
          |
        2 | data b = csv("data/casts.csv")
          |              ^^^^^^^^^^^^^^^^
          |
          = help: there is no folder `data`
        error[data-file]: there is no file `base.safetensor`
         --> it.farcast:3:25
          |
        3 | weights c = safetensors("base.safetensor")
          |                         ^^^^^^^^^^^^^^^^^
          |
          = help: did you mean `base.safetensors`?
        error[data-file]: cannot read `sea.nc` as csv: it is not text: it contains zero bytes
         --> it.farcast:4:14
          |
        4 | data d = csv("sea.nc")
          |              ^^^^^^^^
          |
          = help: `netcdf` reads it
        error[data-file]: cannot read `casts.csv` as parquet: it does not end as Parquet files do
         --> it.farcast:5:18
          |
        5 | data e = parquet("casts.csv")
          |                  ^^^^^^^^^^^
          |
          = help: it is text: `csv` reads tables of text
        error[missing-argument]: `netcdf` is missing `inputs`
         --> it.farcast:6:10
          |
        6 | data f = netcdf("sea.nc")
          |          ^^^^^^^^^^^^^^^^
          |
          = help: `inputs` takes a `List(Column)`: The variables that every row must have.
          = help: the file has: `depth`, `lat`, `lon`, `temp`, `salt`
    "#]],
    );
}
