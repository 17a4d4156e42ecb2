//! Tables in files: what a user sees of good and bad ones.

use expect_test::expect;

use crate::farcast::Folder;

fn check(folder: &Folder) -> String {
    let said = folder.farcast(&["check", "it.farcast"]);
    assert_eq!(said.code, 1, "{said:?}");
    said.err
}

#[test]
fn what_does_not_fit_is_told_with_line_and_column() {
    let folder = Folder::with("data a = csv(\"a.csv\")\n");
    folder.write("a.csv", "depth;temp\n1;10,5\n2;oops\n3;11,5\n");
    expect![[r#"
        error[data-file]: `a.csv`, line 3, column 3: expected a number in column `temp`, found `oops`
         --> it.farcast:1:14
          |
        1 | data a = csv("a.csv")
          |              ^^^^^^^
          |
          = help: if it marks a missing value, add "oops" to `missing`; if the column holds texts, name it in `texts`; or leave it out of `columns`
        1 error, 0 warnings
    "#]]
    .assert_eq(&check(&folder));
}

#[test]
fn files_that_differ_are_both_named_and_patterns_without_files_explained() {
    let folder = Folder::with("data a = csv(\"y/*.csv\")\ndata b = csv(\"y/*.tsv\")\n");
    folder.write("y/1.csv", "depth [m],temp\n1,2\n");
    folder.write("y/2.csv", "depth [km],temp\n1,2\n");
    expect![[r#"
        error[data-file]: column `depth` is in `m` in `y/1.csv` and in `km` in `y/2.csv`
         --> it.farcast:1:14
          |
        1 | data a = csv("y/*.csv")
          |              ^^^^^^^^^
        error[data-file]: no file matches `y/*.tsv`
         --> it.farcast:2:14
          |
        2 | data b = csv("y/*.tsv")
          |              ^^^^^^^^^
          |
          = help: `y` holds: 1.csv, 2.csv
        2 errors, 0 warnings
    "#]]
    .assert_eq(&check(&folder));
}

#[test]
fn joins_are_checked_and_count_what_they_lose() {
    let folder = Folder::with(
        "data a = csv(\"a.csv\")
data b = csv(\"b.csv\")
data both = join(a, b, by: [station, lat])
",
    );
    folder.write("a.csv", "station,lat,x\nBonn,1,10\nBilt,2,20\nBonn,3,30\n");
    folder.write("b.csv", "lat,station,x\n1,Bonn,7\n2.00001,Bilt,8\n");
    expect![[r#"
        error[impossible-call]: both data have a column `x`
         --> it.farcast:3:21
          |
        3 | data both = join(a, b, by: [station, lat])
          |                     ^
          |
          = help: add it to `by`, or tell them apart: `suffix: "_2"`
        1 error, 0 warnings
    "#]]
    .assert_eq(&check(&folder));
    let text = folder
        .read("it.farcast")
        .replace("lat])", "lat], suffix: \"_b\")");
    folder.write(
        "it.farcast",
        format!("{text}data twice = derive(both, y = x + x_b)\n"),
    );
    let said = folder.farcast(&["run", "it.farcast"]);
    assert_eq!(said.code, 0, "{said:?}");
    let notes: Vec<&str> = said
        .err
        .lines()
        .filter(|line| line.starts_with("note"))
        .collect();
    assert_eq!(
        notes,
        [
            "note: both: 2 of 3 rows of `a` have no partner in `b` and are left out; 1 more row \
             matches with `within: 1e-4`",
            "note: both: 1 of 2 rows of `b` belong to no row of `a`",
        ]
    );
}
