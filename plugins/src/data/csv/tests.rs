//! Tables as people have them, read; and what is wrong with others.

use std::io::{Read, Write};

use super::*;
use crate::data::support::testing::{complaint, testdata};
use crate::testing::in_parts;
use dsl::ast::BinaryOp;
use dsl::column::ColumnExpr;
use engine::artifact::Artifact;
use engine::params::Condition;
use engine::params::DataPath;

fn csv(file: DataPath) -> Csv {
    Csv {
        file: file.into(),
        columns: None,
        missing: Vec::new(),
        separator: None,
        decimal: None,
        thousands: None,
        comment: None,
        skip: 0,
        units: None,
        encoding: None,
        dates: None,
        texts: None,
        rows: RowOptions::default(),
    }
}

/// A table of these bytes; the folder holds it.
fn written(bytes: &[u8]) -> (tempfile::TempDir, Csv) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("table.csv");
    std::fs::write(&path, bytes).expect("a file");
    (folder, csv(DataPath(path)))
}

/// The values of two columns, read with these settings.
fn values(bytes: &[u8], set: impl FnOnce(&mut Csv), names: [&str; 2]) -> [Vec<f64>; 2] {
    let (_folder, mut table) = written(bytes);
    set(&mut table);
    let schema = table.schema(&Files::unchecked()).expect("a schema");
    let data = table.run(&Context::alone("csv")).expect("data");
    assert_eq!(data.schema(), schema);
    names.map(|name| data.values(name).expect(name).to_vec())
}

/// What is wrong with these bytes, without the folder.
fn refused(bytes: &[u8], set: impl FnOnce(&mut Csv)) -> String {
    let (folder, mut table) = written(bytes);
    set(&mut table);
    let (param, message) = complaint(table.run(&Context::alone("csv")));
    assert_eq!(param, Some("file"), "{message}");
    message.replace(&format!("{}/", folder.path().display()), "")
}

#[test]
fn numbers_units_and_missing_values_are_read() {
    let table = csv(testdata("tiny.csv"));
    let schema = table.schema(&Files::unchecked()).expect("a schema");
    let data = table.run(&Context::alone("csv")).expect("data");
    assert_eq!(data.schema(), schema);
    let unit = |name| schema.find(name).expect(name).unit.as_deref();
    assert_eq!(unit("depth"), Some("m"));
    assert_eq!(unit("temp"), Some("degC"));
    assert_eq!(data.values("depth").expect("depth")[..], [0.0, 10.0, 20.0]);
    let temp = data.values("temp").expect("temp");
    assert_eq!((temp[0], temp[1].is_nan(), temp[2]), (4.5, true, 3.25));
    assert!(data.values("qc flag").expect("qc flag")[2].is_nan());
}

#[test]
fn columns_are_taken_in_the_order_and_spelling_asked_for() {
    let table = Csv {
        columns: Some(vec![Column("TEMP".to_owned()), Column("depth".to_owned())]),
        ..csv(testdata("tiny.csv"))
    };
    let schema = table.schema(&Files::unchecked()).expect("a schema");
    let names: Vec<_> = schema.columns.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["TEMP", "depth"]);
}

#[test]
fn blank_lines_are_passed_over_and_short_rows_filled() {
    let [a, b] = values(b"a,b\r\n1,2\r\n\r\n3\r\n\r\n", |_| (), ["a", "b"]);
    assert_eq!(a, [1.0, 3.0]);
    assert!(b[1].is_nan());
}

#[test]
fn separators_and_marks_of_numbers_are_found() {
    let expected = [vec![1.5, 2.5], vec![10.25, 1175.0]];
    for text in [
        "a;b\n1,5;10,25\n2,5;1.175,0\n",
        "a\tb\n1.5\t10.25\n2.5\t1175\n",
        "a|b\n1.5|10.25\n2.5|1175\n",
        "a,b\n1.5,10.25\n2.5,\"1,175.0\"\n",
        "  a    b\n  1.5 10.25\n 2.5  1175\n",
        "\u{feff}a,b\n1.5,10.25\n2.5,1175\n",
    ] {
        assert_eq!(
            values(text.as_bytes(), |_| (), ["a", "b"]),
            expected,
            "{text}"
        );
    }
    let points = |csv: &mut Csv| csv.thousands = Some(".".to_owned());
    assert_eq!(
        values(b"a;b\n1.234;2\n2.345.678;4,5\n", points, ["a", "b"]),
        [vec![1234.0, 2_345_678.0], vec![2.0, 4.5]]
    );
    let set = |csv: &mut Csv| {
        csv.separator = Some("/".to_owned());
        csv.thousands = Some("'".to_owned());
    };
    assert_eq!(
        values(b"a/b\n1.5/10.25\n2.5/1'175\n", set, ["a", "b"]),
        expected
    );
}

#[test]
fn encodings_and_compression_are_undone() {
    let expected = [vec![1.0], vec![2.0]];
    let text = "a,b\n1,2\n";
    let utf16: Vec<u8> = format!("\u{feff}{text}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(values(&utf16, |_| (), ["a", "b"]), expected);
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(text.as_bytes()).expect("gz");
    assert_eq!(
        values(&gz.finish().expect("gz"), |_| (), ["a", "b"]),
        expected
    );
    let zst = zstd::encode_all(text.as_bytes(), 1).expect("zst");
    assert_eq!(values(&zst, |_| (), ["a", "b"]), expected);
    let latin = b"a,b,ort\n1,2,Z\xfcrich\n";
    assert_eq!(
        values(
            latin,
            |csv| csv.encoding = Some(Encoding::Latin1),
            ["a", "b"]
        ),
        expected
    );
    assert_eq!(
        refused(latin, |_| ()),
        "cannot read `table.csv` as csv: line 2, column 6: byte 0xFC is not UTF-8"
    );
}

#[test]
fn what_expands_beyond_all_tables_is_refused() {
    let zeros = std::io::repeat(b'0').take(70 << 20);
    let zst = zstd::encode_all((&b"a\n"[..]).chain(zeros), 1).expect("zst");
    let message = refused(&zst, |_| ());
    assert!(
        message.contains("expand to more than 67108864: too many"),
        "{message}"
    );
}

#[test]
fn lines_that_are_no_rows_are_passed_over_when_asked() {
    let expected = [vec![1.0, 2.0], vec![10.5, 11.5]];
    let comment = |csv: &mut Csv| csv.comment = Some("#".to_owned());
    let text = b"# station: X\n# source: lab\na,b\n1,10.5\n# moved\n2,11.5\n";
    assert_eq!(values(text, comment, ["a", "b"]), expected);
    let skip = |csv: &mut Csv| csv.skip = 2;
    let text = b"Station 7, at sea\nCreated\n\na,b\n1,10.5\n2,11.5\n";
    assert_eq!(values(text, skip, ["a", "b"]), expected);
    let (_folder, mut table) = written(b"a,b\n[m],(degC)\n1,10.5\n");
    table.units = Some(2);
    let schema = table.schema(&Files::unchecked()).expect("a schema");
    assert_eq!(schema.find("a").expect("a").unit.as_deref(), Some("m"));
    assert_eq!(schema.find("b").expect("b").unit.as_deref(), Some("degC"));
}

#[test]
fn missing_values_are_told_by_value_by_text_and_by_custom() {
    let set = |csv: &mut Csv| {
        csv.missing = vec![Mark::Number(-9999.0), Mark::Text("x".to_owned())];
    };
    let text = b"a,b\n-9999,1\n-9999.0,x\nNA,-\n4,****\n";
    let [a, b] = values(text, set, ["a", "b"]);
    let known = |values: &[f64]| -> Vec<bool> { values.iter().map(|x| !x.is_nan()).collect() };
    assert_eq!(known(&a), [false, false, false, true]);
    assert_eq!(known(&b), [true, false, false, false]);
    let (_folder, table) = written(b"a,b\n1,2\n-,N/A\n-,3\n");
    let context = Context::alone("csv");
    table.run(&context).expect("data");
    assert_eq!(
        context.take_notes(),
        ["column `a`: read as missing: `-` (2)"]
    );
}

#[test]
fn a_column_may_begin_late() {
    let text = format!("a,b\n{}1,7\n", "1,\n".repeat(3000));
    let [_, b] = values(text.as_bytes(), |_| (), ["a", "b"]);
    assert_eq!(b[3000], 7.0);
}

#[test]
fn dates_and_texts_are_columns_too() {
    let text = b"day,ort,code\n2000-02-29,De Bilt,07\n2000-03-01T12:00Z,,08\nNA,Bonn,09\n";
    let (_folder, mut table) = written(text);
    table.texts = Some(vec![Column("code".to_owned())]);
    let schema = table.schema(&Files::unchecked()).expect("a schema");
    let data = table.run(&Context::alone("csv")).expect("data");
    assert_eq!(data.schema(), schema);
    let day = data.column("day").expect("day");
    assert_eq!(day.unit.as_deref(), Some("days since 1970-01-01"));
    assert_eq!(day.values[..2], [11016.0, 11017.5]);
    assert!(day.values[2].is_nan());
    let texts = |name: &str| {
        let column = data.column(name).expect(name);
        (0..3)
            .map(|row| column.text(row).map(str::to_owned))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        texts("ort"),
        [Some("De Bilt".to_owned()), None, Some("Bonn".to_owned())]
    );
    assert_eq!(texts("code")[0].as_deref(), Some("07"));
    let (_folder, mut table) = written(b"day,x\n20000229,1\n20000301,2\n");
    table.dates = Some("%Y%m%d".to_owned());
    let data = table.run(&Context::alone("csv")).expect("data");
    assert_eq!(data.values("day").expect("day")[..], [11016.0, 11017.0]);
    let late = format!("day\n{}2000-13-01\n", "2000-01-01\n".repeat(1000));
    assert_eq!(
        refused(late.as_bytes(), |_| ()),
        "`table.csv`, line 1002, column 1: expected a date in column `day`, found `2000-13-01`, which is not in the calendar"
    );
}

#[test]
fn bad_files_are_explained_with_line_and_column() {
    let cases: [(&[u8], &str); 14] = [
        (b"", "`table.csv` is empty"),
        (b" \n\n", "`table.csv` is empty"),
        (b"a,b\n", "`table.csv` has a header but no rows"),
        (
            b"1,2\n3,4\n",
            "`table.csv` has no header: its first line is numbers",
        ),
        (b"a,a\n1,2\n", "column `a` exists twice"),
        (
            b"a\0b",
            "cannot read `table.csv` as csv: it is not text: it contains zero bytes",
        ),
        (
            b"a,b\n1,2\n3,4,5\n",
            "`table.csv`, line 3, column 5: expected 2 fields, found 3",
        ),
        (
            b"a,b\n1,\"2\n3,4\n",
            "`table.csv`, line 2, column 3: the field in quotes never ends",
        ),
        (
            b"a,b\n1,\"2\"3\n",
            "`table.csv`, line 2, column 6: expected `,` or the end of the line after a field in quotes",
        ),
        (
            b"a b\n1 2\n3 4 5\n",
            "`table.csv`, line 3, column 5: expected 2 fields, found 3",
        ),
        (
            b"a b\n1 2\n3 4\n3\n",
            "`table.csv`, line 4, column 1: expected 2 fields, found 1",
        ),
        (
            b"a,b\n1,2\n# x\n",
            "`table.csv`, line 3, column 1: expected a row, found a line with `#`",
        ),
        (
            b"a;b\n1,234;2\n",
            "`table.csv`, line 2, column 1: `1,234` may be a fraction or thousands",
        ),
        (
            b"a,b\n1,2\n2,oops\n3,4\n",
            "`table.csv`, line 3, column 3: expected a number in column `b`, found `oops`",
        ),
    ];
    for (bytes, expected) in cases {
        assert_eq!(refused(bytes, |_| ()), expected);
    }
    let mut cut = zstd::encode_all(&b"a,b\n1,2\n"[..], 1).expect("zst");
    cut.truncate(cut.len() - 3);
    assert!(refused(&cut, |_| ()).contains("as csv: "));
}

#[test]
fn a_word_after_the_sample_is_an_error_with_its_line() {
    let text = format!("a\n{}oops\n", "1\n".repeat(1000));
    let (_folder, table) = written(text.as_bytes());
    assert!(table.schema(&Files::unchecked()).is_ok());
    let message = refused(text.as_bytes(), |_| ());
    assert_eq!(
        message,
        "`table.csv`, line 1002, column 1: expected a number in column `a`, found `oops`"
    );
}

#[test]
fn parts_of_a_long_file_give_the_same_as_the_whole() {
    let rows: Vec<String> = (0..300_000)
        .map(|row| format!("{row},{}.5\n", row % 7))
        .collect();
    let text = format!("a,b\n{}", rows.concat());
    assert!(text.len() > 2 << 20);
    let [a, b] = values(text.as_bytes(), |_| (), ["a", "b"]);
    assert!(
        a.iter()
            .enumerate()
            .all(|(row, value)| *value == row as f64)
    );
    assert!(
        b.iter()
            .enumerate()
            .all(|(row, value)| *value == (row % 7) as f64 + 0.5)
    );
}

#[test]
fn several_files_stand_one_below_the_other() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in [
        ("year=2001/b.csv", "a,b\n3,4\n"),
        ("year=2000/a.csv", "a,b\n1,2\n"),
        ("year=2001/_SUCCESS", ""),
    ] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    let read = |path: &str| {
        let table = csv(DataPath(folder.path().join(path)));
        let schema = table.schema(&Files::unchecked()).expect("a schema");
        let data = table.run(&Context::alone("csv")).expect("data");
        assert_eq!(data.schema(), schema);
        data
    };
    for path in ["", "year=*/*.csv", "**"] {
        let data = read(path);
        assert_eq!(data.values("b").expect("b")[..], [2.0, 4.0], "{path}");
        assert_eq!(data.values("year").expect("year")[..], [2000.0, 2001.0]);
    }
    assert!(read("year=2000/a.csv").values("year").is_err());
    std::fs::write(folder.path().join("year=2000/c.csv"), "a,c\n1,2\n").expect("a file");
    let (param, message) =
        complaint(csv(DataPath(folder.path().into())).schema(&Files::unchecked()));
    let message = message.replace(&format!("{}/", folder.path().display()), "");
    assert_eq!(
        (param, message.as_str()),
        (
            Some("file"),
            "`year=2000/c.csv` has no column `b`, which `year=2000/a.csv` has"
        )
    );
    let (_, message) =
        complaint(csv(DataPath(folder.path().join("*.tsv"))).schema(&Files::unchecked()));
    assert!(message.starts_with("no file matches `"), "{message}");
}

#[test]
fn a_missing_file_and_an_unknown_column_are_named() {
    let gone = csv(DataPath("/nowhere/at/all.csv".into()));
    let (param, message) = complaint(gone.schema(&Files::unchecked()));
    assert_eq!(
        (param, message.as_str()),
        (Some("file"), "there is no file `/nowhere/at/all.csv`")
    );
    let unknown = Csv {
        columns: Some(vec![Column("dept".to_owned())]),
        ..csv(testdata("tiny.csv"))
    };
    let (param, message) = complaint(unknown.schema(&Files::unchecked()));
    assert_eq!(
        (param, message.as_str()),
        (Some("columns"), "the file has no column `dept`")
    );
}

#[test]
fn a_date_that_does_not_exist_is_told_and_makes_no_texts() {
    let (_folder, table) = written(b"d,x\n2012-02-29,1\n2012-02-30,2\n2012-03-01,3\n");
    let (param, message) = complaint(table.schema(&Files::unchecked()));
    let message = message.split_once("`, ").expect("a place").1;
    assert_eq!(param, Some("file"));
    assert_eq!(
        message,
        "line 3, column 1: expected a date in column `d`, found `2012-02-30`, which is not in the calendar"
    );
    let gone = Csv {
        missing: vec![Mark::Text("2012-02-30".to_owned())],
        ..table
    };
    let data = gone.run(&Context::alone("csv")).expect("data");
    let dates = data.column("d").expect("d");
    assert!(dates.content.time().is_some() && dates.values[1].is_nan());
}

#[test]
fn dates_of_a_pattern_stand_beside_those_of_iso() {
    let (_folder, table) = written(b"a,b\n31.01.2012,2012-01-31\n01.02.2012,2012-02-01\n");
    let table = Csv {
        dates: Some("%d.%m.%Y".to_owned()),
        ..table
    };
    let data = table.run(&Context::alone("csv")).expect("data");
    let column = |name: &str| data.column(name).expect(name).clone();
    assert_eq!(column("a").values, column("b").values);
    assert_eq!(column("b").show(column("b").values[1]), "2012-02-01");
}

#[test]
fn numbers_as_other_programs_write_them() {
    for (text, expected) in [
        ("sep=;\na;b\n1,5;2\n", [1.5, 2.0]),
        ("a;b\n1\u{a0}234,5;2\n", [1234.5, 2.0]),
        ("a,b\n1.5D+02,-2d-1\n", [150.0, -0.2]),
        ("a,b\r1,2\r", [1.0, 2.0]),
    ] {
        let (_folder, table) = written(text.as_bytes());
        let data = table.run(&Context::alone("csv")).expect("data");
        let found = ["a", "b"].map(|name| data.values(name).expect(name)[0]);
        assert_eq!((found, data.rows()), (expected, 1), "{text}");
    }
    let (_folder, table) = written(b"a\n1\n2\n-1.5e400\n");
    let (_, message) = complaint(table.run(&Context::alone("csv")));
    assert!(
        message.ends_with(
            "line 4, column 1: expected a number in column `a`, found `-1.5e400`, which is larger \
             than any number of 64 bits"
        ),
        "{message}"
    );
}

/// Files below a folder, and the table of all of them.
fn several(files: &[(&str, &str)]) -> (tempfile::TempDir, Csv) {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    let table = csv(DataPath(folder.path().into()));
    (folder, table)
}

#[test]
fn a_column_without_a_value_holds_what_it_holds_in_other_files() {
    let (_folder, table) = several(&[
        ("a.csv", "x,day,word\n1,,\n"),
        ("b.csv", "x,day,word\n,2012-01-31,rain\n"),
    ]);
    let schema = table.schema(&Files::unchecked()).expect("a schema");
    let data = table.run(&Context::alone("csv")).expect("data");
    assert_eq!(data.schema(), schema);
    let day = data.column("day").expect("day");
    assert!(day.values[0].is_nan());
    assert_eq!(day.show(day.values[1]), "2012-01-31");
    let word = data.column("word").expect("word");
    assert_eq!((word.text(0), word.text(1)), (None, Some("rain")));
    assert_eq!(data.values("x").expect("x")[0], 1.0);
}

#[test]
fn folders_and_columns_of_one_name_must_agree() {
    let (_folder, table) = several(&[
        ("year=2000/a.csv", "year,x\n2000,1\n"),
        ("year=2001/a.csv", "year,x\n2001,2\n"),
    ]);
    let data = table.run(&Context::alone("csv")).expect("data");
    assert_eq!(data.values("year").expect("year")[..], [2000.0, 2001.0]);
    let (folder, table) = several(&[
        ("year=2000/a.csv", "year,x\n2000,1\n"),
        ("year=2001/a.csv", "year,x\n2001,2\n1999,3\n"),
    ]);
    let (param, message) = complaint(table.run(&Context::alone("csv")));
    let message = message.replace(&format!("{}/", folder.path().display()), "");
    assert_eq!(param, Some("file"));
    assert_eq!(
        message,
        "the folder of `year=2001/a.csv` says `year=2001`, its own column `year` is 1999 in row 2"
    );
}

#[test]
fn the_names_of_folders_are_columns_to_choose() {
    let files = [
        ("year=2000/a.csv", "x,y\n1,2\n"),
        ("year=2001/a.csv", "x,y\n3,4\n"),
    ];
    let names = |wanted: &[&str]| {
        let (_folder, table) = several(&files);
        let wanted = wanted.iter().map(|name| Column((*name).to_owned()));
        let table = Csv {
            columns: Some(wanted.collect()),
            ..table
        };
        let schema = table.schema(&Files::unchecked()).expect("a schema");
        let data = table.run(&Context::alone("csv")).expect("data");
        assert_eq!(data.schema(), schema);
        let names = schema.columns.into_iter().map(|column| column.name);
        names.collect::<Vec<String>>()
    };
    assert_eq!(names(&["year", "x"]), ["year", "x"]);
    assert_eq!(names(&["y"]), ["y"]);
}

#[test]
fn a_small_file_that_expands_to_a_large_one_is_refused() {
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(b"a,b\n").expect("gz");
    for _ in 0..80 {
        gz.write_all("1,2\n".repeat(1 << 18).as_bytes())
            .expect("gz");
    }
    let small = gz.finish().expect("gz");
    let most = (small.len() * 200).max(64 << 20);
    let (_folder, table) = written(&small);
    let read = table.run(&Context::alone("csv")).map(|_| ());
    let message = read.expect_err("a fault").to_string();
    let expected = format!("{} bytes expand to more than {most}", small.len());
    assert!(message.contains(&expected), "{message}");
}

#[test]
fn rows_that_do_not_meet_the_condition_are_left_out_as_they_are_read() {
    use dsl::ast::BinaryOp;
    use dsl::column::ColumnExpr;
    use engine::params::Condition;

    let lines = (0..30).map(|at| format!("{at},{}\n", if at % 2 == 0 { "a" } else { "b" }));
    let text = format!("depth,ship\n{}", lines.collect::<String>());
    let deep = ColumnExpr::Binary(
        BinaryOp::Greater,
        Box::new(ColumnExpr::Column("depth".to_owned())),
        Box::new(ColumnExpr::Number(20.0)),
    );
    let (_folder, whole) = written(text.as_bytes());
    let chosen = |every, condition: Option<ColumnExpr>| Csv {
        file: whole.file.clone(),
        rows: RowOptions {
            every,
            r#where: condition.map(Condition),
        },
        ..written(b"").1
    };
    let depths = |csv: Csv| -> Vec<f64> {
        let data = csv.run(&Context::alone("csv")).expect("rows");
        data.values("depth").expect("depth").to_vec()
    };
    assert_eq!(
        depths(chosen(1, Some(deep.clone()))),
        (21..30).map(f64::from).collect::<Vec<_>>()
    );
    assert_eq!(depths(chosen(4, Some(deep.clone()))), [24.0, 28.0]);
    assert_eq!(depths(chosen(10, None)), [0.0, 10.0, 20.0]);
    let none = ColumnExpr::Binary(
        BinaryOp::And,
        Box::new(deep),
        Box::new(ColumnExpr::Number(0.0)),
    );
    let (param, message) = complaint(chosen(1, Some(none)).run(&Context::alone("csv")));
    assert_eq!(param, Some("where"));
    assert_eq!(message, "no row meets the condition");
    let context = Context::alone("csv");
    let all = chosen(4, None).run(&context).expect("rows");
    assert_eq!(in_parts(chosen(4, None), &context), all);
}

#[test]
fn rows_of_several_files_in_parts_are_those_of_the_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    // What `late` holds says the second file alone, and the order of columns differs.
    let files = [
        ("year=1999/a.csv", "temp,late,ship\n1,,a\n2,,b\n"),
        (
            "year=2000/b.csv",
            "late,ship,temp\n2000-01-31,c,3\n,a,4\n2001-01-31,b,5\n",
        ),
    ];
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    let late = |op| {
        let year = Box::new(ColumnExpr::Column("year".to_owned()));
        let condition = ColumnExpr::Binary(op, year, Box::new(ColumnExpr::Number(2000.0)));
        Some(Condition(condition))
    };
    for (r#where, every, temps) in [
        (None, 1, vec![1.0, 2.0, 3.0, 4.0, 5.0]),
        (None, 2, vec![1.0, 3.0, 5.0]),
        (late(BinaryOp::Equal), 1, vec![3.0, 4.0, 5.0]),
        (late(BinaryOp::Less), 2, vec![1.0]),
    ] {
        let some = || Csv {
            rows: RowOptions {
                every,
                r#where: r#where.clone(),
            },
            ..csv(DataPath(folder.path().to_owned()))
        };
        let context = Context::alone("csv");
        let whole = some().run(&context).expect("rows");
        // As text, where a missing value is equal to another.
        let parts = in_parts(some(), &context);
        assert_eq!(format!("{parts:?}"), format!("{whole:?}"));
        assert_eq!(
            whole.schema(),
            some().schema(&Files::unchecked()).expect("a schema")
        );
        assert_eq!(whole.values("temp").expect("temp")[..], temps);
        let late = whole.column("late").expect("late");
        assert!(late.content.time().is_some() && late.values[0].is_nan() == (temps[0] < 3.0));
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    /// Wherever the text is cut and whatever columns are read: their bytes, the notes and the
    /// complaint are those of all columns of the whole text.
    #[test]
    fn neither_pieces_nor_columns_that_nobody_reads_change_anything(
        rows in proptest::collection::vec((0..9_usize, 0..8_usize, 0..9_usize, 0..12_usize), 1..40),
        read in proptest::sample::subsequence(vec!["a", "day", "ship"], 0..3),
        together in 1..300_usize,
        end in 0..3_usize,
        is_positive in proptest::bool::ANY,
        is_late in proptest::bool::ANY,
    ) {
        let end = ["\n", "\r\n", "\r"][end];
        let numbers = ["1.5", "-2", "", "NA", "-", "1e3", " 7", "0.1000000000000000055", "2."];
        let days = ["2000-01-01", "2012-02-29", "", "NA", "1999-12-31", "2001-01-01T06:00", "", ""];
        let ships = ["Bonn", "", "NA", "\"a, b\"", "\"two\nlines\"", " Kiel ", "Ålesund am Meer", "N", "n"];
        let mut text = format!("a,day,ship{end}3,2000-01-01,Bonn{end}4,2000-01-02,Kiel{end}");
        if is_late {
            // What follows does not tell what columns hold.
            text += &format!("5,2000-01-03,Oslo{end}").repeat(1000);
        }
        for (number, day, ship, odd) in rows {
            let (number, day) = (numbers[number], days[day]);
            text += &match odd {
                0 => format!("{number}{end}"),
                1 => end.to_owned(),
                2 => format!("x,{day},Bonn{end}"),
                _ => format!("{number},{day},{}{end}", ships[ship]),
            };
        }
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("table.csv");
        std::fs::write(&path, &text).expect("a file");
        let table = || Csv {
            rows: RowOptions {
                every: 1,
                r#where: is_positive.then(|| Condition(ColumnExpr::Binary(
                    BinaryOp::Greater,
                    ColumnExpr::Column("a".to_owned()).into(),
                    ColumnExpr::Number(0.0).into(),
                ))),
            },
            ..csv(DataPath(path.clone()))
        };
        let reads = ReadColumns::none().and(read.iter().copied());
        let pass = |together: usize, reads: &ReadColumns| {
            let context = Context::alone("csv");
            let mut parts = Vec::new();
            let passed = table().pass(together, &context, &mut |rows| {
                parts.push(rows);
                Ok(reads.clone())
            });
            let bytes = passed.map(|none| {
                let reads = reads_of(&none, &read);
                let all = std::iter::once(&none).chain(&parts).map(|part| part.only(&reads));
                let all = Dataset::of_parts(all.collect()).expect("rows");
                all.to_parts().expect("bytes")
            });
            (bytes.map_err(|fault| fault.to_string()), context.take_notes())
        };
        let whole = pass(1 << 20, &ReadColumns::All);
        assert_eq!(pass(together, &ReadColumns::All), whole, "{text:?}");
        assert_eq!(pass(together, &reads), whole, "{text:?}");
    }
}

/// The columns of these names, or the first.
fn reads_of(none: &Dataset, names: &[&str]) -> ReadColumns {
    ReadColumns::none().and(names.iter().copied()).among(none)
}
