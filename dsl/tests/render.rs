//! What people and programs are shown.

mod catalog;

use std::collections::BTreeMap;

use dsl::check::{Checked, check};
use dsl::render::{Style, json, render, render_within};
use expect_test::{Expect, expect};

fn checked(text: &str, settings: &[(&str, &str)]) -> Checked {
    let library = "define deep(rows) = where(rows, dept > 1 km)\n";
    let files = BTreeMap::from([("lib.farcast".to_owned(), library.to_owned())]);
    let settings: Vec<(String, String)> = settings
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let outside = catalog::Table(files);
    check(
        "main.farcast",
        text,
        &settings,
        &catalog::catalog(),
        &outside,
    )
}

fn shown(text: &str, settings: &[(&str, &str)], expected: Expect) {
    let checked = checked(text, settings);
    let all: Vec<String> = checked
        .diagnostics
        .iter()
        .map(|diagnostic| render(diagnostic, &checked.sources, Style::Plain) + "\n")
        .collect();
    expected.assert_eq(&all.join("\n"));
}

#[test]
fn a_column_is_unknown() {
    shown(
        "data sea = netcdf(\"a.nc\")\ndata b = where(sea, dept < 1 km)\n",
        &[],
        expect![[r#"
            error[unknown-column]: the data have no column `dept`
             --> main.farcast:2:21
              |
            2 | data b = where(sea, dept < 1 km)
              |                ---  ^^^^
              |                |
              |                these data
              |
              = help: did you mean `depth`?
              = help: columns: `temp`, `salt`, `density`, `depth`, `pressure`, `lat`, `lon`, `month`, `e`
        "#]],
    );
}

#[test]
fn places_in_other_files_are_shown() {
    shown(
        "use \"lib.farcast\" as lib\ndata sea = netcdf(\"a.nc\")\ndata b = lib.deep(sea)\n",
        &[],
        expect![[r#"
            error[unknown-column]: the data have no column `dept`
             --> lib.farcast:1:33
              |
            1 | define deep(rows) = where(rows, dept > 1 km)
              |                           ----  ^^^^
              |                           |
              |                           these data
              |
             ::: main.farcast:3:10
              |
            3 | data b = lib.deep(sea)
              |          ------------- in `deep`, called here
              |
              = help: did you mean `depth`?
              = help: columns: `temp`, `salt`, `density`, `depth`, `pressure`, `lat`, `lon`, `month`, `e`
        "#]],
    );
}

#[test]
fn a_setting_has_no_place() {
    shown(
        "param width: Int = 3\ndata sea = csv(\"a.csv\")\n",
        &[("width", "2.5")],
        expect![[r#"
            error[wrong-type]: `--set width=2.5`: expected an `Int`, found `2.5`
        "#]],
    );
}

#[test]
fn long_lines_are_cut() {
    let columns = "temp, ".repeat(100);
    let text = format!("predictor z = columns({columns}3, {columns}salt)\n");
    let checked = checked(&text, &[]);
    let text = render(&checked.diagnostics[0], &checked.sources, Style::Plain);
    assert!(text.contains("..."), "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() < 140),
        "{text}"
    );
    let narrow = render_within(&checked.diagnostics[0], &checked.sources, Style::Plain, 80);
    assert!(
        narrow.lines().all(|line| line.chars().count() <= 100),
        "{narrow}"
    );
}

#[test]
fn on_a_narrow_terminal_sentences_break_between_words() {
    let text = "data sea = netcdf(\"a.nc\")\ndata warm = where(sea, tempp > 3)\n\
        parent net = least_squares_of_all_members(sea, inputs: [temp], target: density)\n";
    let checked = checked(text, &[]);
    let all: Vec<String> = (checked.diagnostics.iter())
        .map(|it| render_within(it, &checked.sources, Style::Plain, 60) + "\n")
        .collect();
    expect![[r#"
        error[unknown-column]: the data have no column `tempp`
         --> main.farcast:2:24
          |
        2 | data warm = where(sea, tempp > 3)
          |                   ---  ^^^^^
          |                   |
          |                   these data
          |
          = help: did you mean `temp`?
          = help: columns: `temp`, `salt`, `density`, `depth`,
                  `pressure`, `lat`, `lon`, `month`, `e`

        error[unknown-plugin]: unknown plugin
                               `least_squares_of_all_members`
         --> main.farcast:3:14
          |
        3 | parent net = least_squares_of_all_members(sea, inputs...
          |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          |
          = help: plugins that make a `parent`: `combine`,
                  `members`, `mlp`, `transformer`
    "#]]
    .assert_eq(&all.join("\n"));
    let mut lines = all.iter().flat_map(|it| it.lines());
    assert!(lines.all(|line| line.chars().count() <= 60));
}

#[test]
fn what_follows_the_first_line_of_a_message_is_printed_as_lines() {
    let checked = checked("data sea = nothing()\n", &[]);
    let mut diagnostic = checked.diagnostics[0].clone();
    diagnostic.message = "it failed; it said:\nfirst \u{1b}[2Jline\nsecond".to_owned();
    let text = render(&diagnostic, &checked.sources, Style::Plain);
    let title = "it failed; it said:\n";
    assert!(
        text.lines()
            .next()
            .is_some_and(|line| line.ends_with(title.trim_end())),
        "{text}"
    );
    let note = "= note: first \\u{1b}[2Jline\n          second";
    assert!(text.contains(note), "{text}");
}

#[test]
fn colours_are_for_terminals() {
    let checked = checked("data sea = nothing()\n", &[]);
    let diagnostic = &checked.diagnostics[0];
    let plain = render(diagnostic, &checked.sources, Style::Plain);
    assert!(!plain.contains('\u{1b}'));
    assert!(render(diagnostic, &checked.sources, Style::Color).contains('\u{1b}'));
}

#[test]
fn programs_get_places_in_characters() {
    let checked = checked(
        "data b = where(é, depth > 1 m)  # é\ndata c = ünknown()\n",
        &[],
    );
    let all: Vec<_> = checked
        .diagnostics
        .iter()
        .map(|diagnostic| json(diagnostic, &checked.sources))
        .collect();
    expect![[r#"
        [
            Json {
                code: "syntax-error",
                severity: "error",
                message: "unexpected letter `é` (U+00E9)",
                file: Some(
                    "main.farcast",
                ),
                line: 1,
                column: 16,
                end_line: 1,
                end_column: 17,
                hints: [
                    "names are made of the letters a to z, digits and `_`; write a column of another name in backticks",
                ],
                fixes: [],
            },
            Json {
                code: "syntax-error",
                severity: "error",
                message: "unexpected letter `ü` (U+00FC)",
                file: Some(
                    "main.farcast",
                ),
                line: 2,
                column: 10,
                end_line: 2,
                end_column: 11,
                hints: [
                    "names are made of the letters a to z, digits and `_`; write a column of another name in backticks",
                ],
                fixes: [],
            },
        ]
    "#]]
    .assert_debug_eq(&all);
}

#[test]
fn programs_get_no_file_without_a_place() {
    let checked = checked("param width: Int = 3\n", &[("width", "x")]);
    let json = json(&checked.diagnostics[0], &checked.sources);
    assert_eq!((json.file, json.line, json.end_column), (None, 1, 1));
}
