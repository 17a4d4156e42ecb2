//! Files that other programs wrote, read whole and in parts.

use super::*;
use crate::data::support::testing::{complaint, in_doubles, testdata};
use crate::testing::in_parts;
use dsl::ast::BinaryOp;
use engine::artifact::Artifact;
use engine::params::DataPath;

fn tiny() -> Parquet {
    // Written by polars 1.x for Python:
    // pl.DataFrame({"depth [m]": [0, 10, 20], "temp": [4.5, None, 3.25],
    //   "ice": [True, False, None], "ship": ["a", "b", "c"]}).write_parquet("tiny.parquet")
    Parquet {
        file: testdata("tiny.parquet").into(),
        columns: None,
        rows: RowOptions::default(),
    }
}

#[test]
fn numbers_and_booleans_are_read() {
    let context = Context::alone("parquet");
    let schema = tiny().schema(&Files::unchecked()).expect("a schema");
    let data = tiny().run(&context).expect("data");
    assert_eq!(data.schema(), in_doubles(schema.clone()));
    assert_eq!(schema.columns[0].unit.as_deref(), Some("m"));
    assert_eq!(data.values("depth").expect("depth")[..], [0.0, 10.0, 20.0]);
    let temp = data.values("temp").expect("temp");
    assert_eq!((temp[0], temp[1].is_nan(), temp[2]), (4.5, true, 3.25));
    let ice = data.values("ice").expect("ice");
    assert_eq!((ice[0], ice[1], ice[2].is_nan()), (1.0, 0.0, true));
    assert_eq!(data.column("ship").expect("ship").text(2), Some("c"));
}

// Written by pyarrow 26, `row_group_size=10`, no compression: depth 0.0 to 39.0, day
// 2000-01-01 and the 39 days after it, ship "a" and "b" in turn.
fn groups(r#where: Option<ColumnExpr>) -> Parquet {
    Parquet {
        file: testdata("groups.parquet").into(),
        columns: None,
        rows: RowOptions {
            every: 1,
            r#where: r#where.map(Condition),
        },
    }
}

fn above(column: &str, value: f64) -> ColumnExpr {
    ColumnExpr::Binary(
        BinaryOp::Greater,
        Box::new(ColumnExpr::Column(column.to_owned())),
        Box::new(ColumnExpr::Number(value)),
    )
}

#[test]
fn groups_of_rows_that_cannot_meet_the_condition_are_not_read() {
    let mut bytes = std::fs::read(testdata("groups.parquet").0).expect("a file");
    // The pages of the first group, which say no more.
    bytes[4..100].fill(0xff);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("damaged.parquet");
    std::fs::write(&path, bytes).expect("a file");
    let damaged = |condition| Parquet {
        file: DataPath(path.clone()).into(),
        ..groups(condition)
    };
    let context = Context::alone("parquet");
    damaged(None).run(&context).expect_err("damaged pages");
    // 2000-01-25, in days since 1970-01-01.
    for condition in [above("depth", 24.0), above("day", 10_981.0)] {
        let context = Context::alone("parquet");
        let data = damaged(Some(condition)).run(&context).expect("rows");
        let depth = data.values("depth").expect("depth");
        assert!(depth.iter().copied().eq((25..40).map(f64::from)));
        assert_eq!(
            context.take_notes(),
            ["read 20 of 40 rows: none of the others meets `where`"]
        );
    }
    let (param, message) = complaint(groups(Some(above("depth", 50.0))).run(&context));
    assert_eq!(param, Some("where"));
    assert_eq!(message, "no row meets the condition");
}

/// Written by pyarrow 26, `row_group_size=10`: ten rows of each of four stations in turn.
#[test]
fn groups_without_a_text_are_not_read() {
    let stations = |condition: ColumnExpr| Parquet {
        file: testdata("stations.parquet").into(),
        ..groups(Some(condition))
    };
    let column = || Box::new(ColumnExpr::Column("station".to_owned()));
    let text = |text: &str| ColumnExpr::Text(text.to_owned());
    let list = ColumnExpr::List(vec![text("Wien"), text("Bonn"), text("Ulm")]);
    for (op, value, rows) in [
        (BinaryOp::Equal, text("De Bilt"), vec![10..20]),
        (BinaryOp::In, list, vec![0..10, 30..40]),
    ] {
        let condition = ColumnExpr::Binary(op, column(), Box::new(value));
        let context = Context::alone("parquet");
        let data = stations(condition).run(&context).expect("rows");
        let expected: Vec<f64> = rows.into_iter().flatten().map(f64::from).collect();
        let count = expected.len();
        assert_eq!(data.values("value").expect("value")[..], expected);
        assert_eq!(
            context.take_notes(),
            [format!(
                "read {count} of 40 rows: none of the others meets `where`"
            )]
        );
    }
    let none = ColumnExpr::Binary(BinaryOp::Equal, column(), Box::new(text("Ulm")));
    let (_, message) = complaint(stations(none).run(&Context::alone("parquet")));
    assert_eq!(message, "no row meets the condition");
}

#[test]
fn files_are_read_in_parts_and_not_where_their_folders_rule_them_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = std::fs::read(testdata("groups.parquet").0).expect("a file");
    for (name, year) in [("a", 2000), ("b", 2001), ("c", 2001)] {
        let below = folder.path().join(format!("year={year}"));
        std::fs::create_dir_all(&below).expect("a folder");
        let path = below.join(format!("{name}.parquet"));
        std::fs::write(path, &whole).expect("a file");
    }
    let later = above("year", 2000.0);
    let both = ColumnExpr::Binary(
        BinaryOp::And,
        Box::new(later.clone()),
        Box::new(above("depth", 24.0)),
    );
    let read = |condition: Option<ColumnExpr>, every| {
        let some = || {
            let mut some = groups(condition.clone());
            some.file = DataPath(folder.path().to_owned()).into();
            some.rows.every = every;
            some
        };
        let context = Context::alone("parquet");
        let whole = some().run(&context).expect("rows");
        assert_eq!(in_parts(some(), &context), whole);
        whole
    };
    let all = read(None, 1);
    assert_eq!(all.rows(), 120);
    let year = all.values("year").expect("year");
    assert!(year[..40].iter().all(|it| *it == 2000.0) && year[40..].iter().all(|it| *it == 2001.0));
    let thin = read(Some(both.clone()), 7);
    let rows = (0..120)
        .step_by(7)
        .filter(|row| *row >= 40 && row % 40 > 24);
    let expected: Vec<f64> = rows.map(|row| f64::from(row % 40)).collect();
    assert_eq!(thin.values("depth").expect("depth")[..], expected);

    let first = folder.path().join("year=2000/a.parquet");
    let mut bytes = whole.clone();
    bytes[4..100].fill(0xff);
    std::fs::write(first, bytes).expect("a file");
    assert_eq!(read(Some(later), 1).rows(), 80);
    assert_eq!(read(Some(both), 1).rows(), 30);
}

#[test]
fn rows_in_parts_are_those_of_the_whole_file() {
    let thin = |condition: Option<ColumnExpr>, every| {
        let mut some = groups(condition);
        some.rows.every = every;
        some
    };
    for (condition, every) in [
        (None, 1),
        (None, 7),
        (Some(above("depth", 14.0)), 1),
        (Some(above("depth", 14.0)), 3),
    ] {
        let context = Context::alone("parquet");
        let whole = thin(condition.clone(), every).run(&context).expect("rows");
        let again = thin(condition.clone(), every);
        assert_eq!(in_parts(again, &context), whole);
        let depth = whole.values("depth").expect("depth");
        let all = (0..40).filter(|at| at % every == 0).map(|at| at as f64);
        let all = all.filter(|at| condition.is_none() || *at > 14.0);
        assert!(depth.iter().copied().eq(all));
    }
}

#[test]
fn columns_can_be_chosen() {
    let some = Parquet {
        columns: Some(vec![Column("Temp".to_owned())]),
        ..tiny()
    };
    let data = some.run(&Context::alone("parquet")).expect("data");
    assert_eq!(data.columns().len(), 1);
    assert_eq!(data.values("Temp").expect("Temp")[0], 4.5);
}

/// Written by pyarrow 22: pages of the second version with checksums, by zstd; differences,
/// bytes apart, shared beginnings and runs; the second of three rows is missing.
#[test]
fn every_kind_of_column_is_read_or_named() {
    let context = Context::alone("parquet");
    let kinds = Parquet {
        file: testdata("kinds.parquet").into(),
        columns: None,
        rows: RowOptions::default(),
    };
    let schema = kinds.schema(&Files::unchecked()).expect("a schema");
    let data = kinds.run(&context).expect("data");
    assert_eq!(data.schema(), in_doubles(schema.clone()));
    for (name, first, last) in [
        ("flag", 1.0, 0.0),
        ("i8", -1.0, 127.0),
        ("u16", 0.0, 65535.0),
        ("u32", 0.0, 4_294_967_295.0),
        ("i64", -5.0, 9_007_199_254_740_992.0),
        ("half", 0.5, -2.0),
        ("f32", 0.25, 1e10),
        ("f64", 0.1, -1e300),
        ("dec", 1.25, -3.5),
        ("long", 123_456_789_012_345_678.5, -0.5),
        ("day", 11016.0, -1.0),
        ("ms", 11016.5, 1.0),
        ("ns", 11016.25, 1.0),
    ] {
        let values = data.values(name).expect(name);
        assert_eq!((values[0], values[2]), (first, last), "{name}");
        assert!(values[1].is_nan(), "{name}");
    }
    for (name, first, last) in [("word", "Bonn", "De Bilt"), ("group", "b", "a")] {
        let column = data.column(name).expect(name);
        let texts = [0, 1, 2].map(|row| column.text(row));
        assert_eq!(texts, [Some(first), None, Some(last)], "{name}");
    }
    assert!(data.column("day").expect("day").content.time().is_some());
    assert_eq!(
        context.take_notes(),
        [
            "column `i64`: whole numbers above 2^53 were rounded",
            "left out: `bytes` (bytes), `list.list.element` (in lists), `point.x` (in a \
             group), `time` (times of day)"
        ]
    );
}

#[test]
fn cut_and_foreign_files_are_explained() {
    let whole = std::fs::read(&tiny().file.0[0].0).expect("the test file");
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("broken.parquet");
    let no_end = "it does not end as Parquet files do";
    for (bytes, why) in [
        (&whole[..whole.len() / 2], no_end),
        (b"", "it is empty"),
        (b"PAR1", no_end),
        (b"depth,temp\n1,2\n", no_end),
    ] {
        std::fs::write(&path, bytes).expect("a file");
        let broken = Parquet {
            file: DataPath(path.clone()).into(),
            columns: None,
            rows: RowOptions::default(),
        };
        let (param, message) = complaint(broken.run(&Context::alone("parquet")));
        assert_eq!(param, Some("file"));
        assert!(
            message.ends_with(&format!("as parquet: {why}")),
            "{message}"
        );
    }
}

#[test]
fn no_damaged_byte_makes_it_panic() {
    for name in ["tiny.parquet", "kinds.parquet"] {
        damage_each_byte(&std::fs::read(testdata(name).0).expect("the test file"));
    }
}

fn damage_each_byte(whole: &[u8]) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("broken.parquet");
    for at in 0..whole.len() {
        for value in [0x00, 0xff] {
            let mut bytes = whole.to_vec();
            bytes[at] = value;
            std::fs::write(&path, bytes).expect("a file");
            let broken = Parquet {
                file: DataPath(path.clone()).into(),
                columns: None,
                rows: RowOptions::default(),
            };
            // Either it is read or refused; a panic would fail the test.
            if let Err(fault) = broken.run(&Context::alone("parquet")) {
                assert!(matches!(fault, Fault::User { .. }), "{at}: {fault:?}");
            }
        }
    }
}

/// Whatever columns are read: their bytes and the notes are those of all columns.
#[test]
fn columns_that_nobody_reads_are_left_out() {
    for condition in [None, Some(above("depth", 12.0))] {
        for read in [&["ship"][..], &["day"], &["depth", "ship"], &[]] {
            let pass = |reads: &ReadColumns| {
                let context = Context::alone("parquet");
                let mut parts = Vec::new();
                let none = groups(condition.clone()).pass(1, &context, &mut |rows| {
                    parts.push(rows);
                    Ok(reads.clone())
                });
                let only = ReadColumns::none().and(read.iter().copied());
                let only = only.among(&none.expect("rows"));
                let widths: Vec<usize> = parts.iter().map(|part| part.columns().len()).collect();
                let parts = parts.iter().map(|part| part.only(&only)).collect();
                let rows = Dataset::of_parts(parts).expect("rows");
                (
                    rows.to_parts().expect("bytes"),
                    context.take_notes(),
                    widths,
                )
            };
            let whole = pass(&ReadColumns::All);
            let some = pass(&ReadColumns::none().and(read.iter().copied()));
            assert_eq!((&some.0, &some.1), (&whole.0, &whole.1), "{read:?}");
            assert!(some.2.iter().sum::<usize>() <= whole.2.iter().sum());
        }
    }
}
