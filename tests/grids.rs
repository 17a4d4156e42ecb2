//! Grids in and out: which of their parts are read, and the files that data are exported to.

use crate::farcast::Folder;

const DAYS: usize = 4;

/// A Zarr store of version 2 without compression: `v(time, lat)` with a chunk for each day, in which
/// `v` counts the cells. The chunk of `damaged` is cut short.
fn store(folder: &Folder, damaged: Option<usize>) {
    let array = |name: &str, shape: &str, chunks: &str, attributes: &str| {
        folder.write(
            &format!("days.zarr/{name}/.zarray"),
            format!(
                r#"{{"zarr_format":2,"shape":{shape},"chunks":{chunks},"dtype":"<f8","compressor":null,"fill_value":null,"order":"C","filters":null}}"#
            ),
        );
        folder.write(&format!("days.zarr/{name}/.zattrs"), attributes);
    };
    let bytes = |values: &[f64]| -> Vec<u8> {
        values
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect()
    };
    folder.write("days.zarr/.zgroup", r#"{"zarr_format":2}"#);
    array(
        "time",
        "[4]",
        "[4]",
        r#"{"_ARRAY_DIMENSIONS":["time"],"units":"days since 2000-01-30"}"#,
    );
    array(
        "lat",
        "[3]",
        "[3]",
        r#"{"_ARRAY_DIMENSIONS":["lat"],"units":"degrees_north"}"#,
    );
    array(
        "v",
        "[4, 3]",
        "[1, 3]",
        r#"{"_ARRAY_DIMENSIONS":["time","lat"],"units":"K"}"#,
    );
    folder.write("days.zarr/time/0", bytes(&[0.0, 1.0, 2.0, 3.0]));
    folder.write("days.zarr/lat/0", bytes(&[-60.0, 0.0, 60.0]));
    for day in 0..DAYS {
        let first = 3.0 * day as f64;
        let mut chunk = bytes(&[first, first + 1.0, first + 2.0]);
        if damaged == Some(day) {
            chunk.truncate(5);
        }
        folder.write(&format!("days.zarr/v/{day}.0"), chunk);
    }
}

fn exported(folder: &Folder, form: &str) -> String {
    let said = folder.farcast(&["export", "it.farcast", "rows", "--format", form, "--quiet"]);
    assert_eq!(said.code, 0, "{said:?}");
    said.out
}

#[test]
fn chunks_that_no_row_can_come_from_are_not_read() {
    let folder = Folder::with(
        "data rows = zarr(\"days.zarr\", inputs: [v], where: time >= 2000-02-01 and lat > 0)\n",
    );
    store(&folder, Some(0));
    exported(&folder, "csv");
    assert_eq!(
        folder.read("out/it/rows.csv"),
        "v,time,lat\n8.0,2000-02-01,60.0\n11.0,2000-02-02,60.0\n"
    );
    // The whole of it is damaged.
    folder.write(
        "it.farcast",
        "data rows = zarr(\"days.zarr\", inputs: [v])\n",
    );
    let said = folder.farcast(&["export", "it.farcast", "rows", "--quiet"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("days.zarr"), "{said:?}");
}

#[test]
fn a_condition_at_reading_leaves_the_rows_that_where_does() {
    let folder = Folder::with(
        "data all = zarr(\"days.zarr\", inputs: [v])
data after = where(all, (month(time) == 1 or v > 10) and lat != 0)
data rows = zarr(\"days.zarr\", inputs: [v], where: (month(time) == 1 or v > 10) and lat != 0)
",
    );
    store(&folder, None);
    exported(&folder, "csv");
    let said = folder.farcast(&[
        "export",
        "it.farcast",
        "after",
        "--format",
        "csv",
        "--quiet",
    ]);
    assert_eq!(said.code, 0, "{said:?}");
    let rows = folder.read("out/it/rows.csv");
    assert_eq!(rows.lines().count(), 6, "{rows}");
    assert_eq!(rows, folder.read("out/it/after.csv"));
}

#[test]
fn conditions_at_reading_are_checked() {
    let folder = Folder::with(
        "data a = zarr(\"days.zarr\", inputs: [v], where: lot > 0)
data b = zarr(\"days.zarr\", inputs: [v], where: v > mean(v))
data c = zarr(\"days.zarr\", inputs: [v], where: time > 3)
",
    );
    store(&folder, None);
    let said = folder.farcast(&["check", "it.farcast"]);
    assert_eq!(said.code, 1, "{said:?}");
    expect_test::expect![[r#"
        error[unknown-column]: the data have no column `lot`
         --> it.farcast:1:48
          |
        1 | data a = zarr("days.zarr", inputs: [v], where: lot > 0)
          |          --------------------------------------^^^----- these data
          |
          = help: did you mean `lat`?
          = help: columns: `v`, `time`, `lat`
        error[impossible-call]: expected a condition on one row, found `mean` of many
         --> it.farcast:2:48
          |
        2 | data b = zarr("days.zarr", inputs: [v], where: v > mean(v))
          |                                                ^^^^^^^^^^^
          |
          = help: ask it of the rows afterwards: `where(rows, …)`
        error[wrong-type]: expected a time, found a number
         --> it.farcast:3:55
          |
        3 | data c = zarr("days.zarr", inputs: [v], where: time > 3)
          |                                                       ^
          |
          = help: write a date, `time > 2012-01-01`, or `days_since(time, 2012-01-01)` for a number
        3 errors, 0 warnings
    "#]]
    .assert_eq(&said.err);
}

/// What is exported as Zarr reads back as it was, dates and texts among it.
#[test]
fn grids_come_back_from_zarr_and_netcdf() {
    let folder = Folder::with(
        "data rows = csv(\"a.csv\")
data back = zarr(\"out/it/rows.zarr.zip\", inputs: [temp, name], coords: [time, lat])
data nc = netcdf(\"out/it/rows.nc\", inputs: [temp, name], coords: [time, lat])
",
    );
    folder.write(
        "a.csv",
        "time,lat,temp,name\n2000-01-01,10,1.5,é\n2000-01-01,20,2.5,two\n2000-01-02,10,3.5,\u{1f600}b\n2000-01-02,20,4.5,d\n",
    );
    folder.write("all.farcast", folder.read("it.farcast"));
    folder.write("it.farcast", "data rows = csv(\"a.csv\")\n");
    exported(&folder, "zarr");
    exported(&folder, "netcdf");
    folder.write("it.farcast", folder.read("all.farcast"));
    for back in ["back", "nc"] {
        let said = folder.farcast(&[
            "export",
            "it.farcast",
            back,
            "--format",
            "csv",
            "--quiet",
            "--out",
            "apart",
        ]);
        assert_eq!(said.code, 0, "{said:?}");
        assert_eq!(
            folder.read(&format!("apart/{back}.csv")),
            "temp,name,time,lat\n1.5,é,2000-01-01,10.0\n2.5,two,2000-01-01,20.0\n3.5,\u{1f600}b,2000-01-02,10.0\n4.5,d,2000-01-02,20.0\n"
        );
    }
}

#[test]
fn a_chunk_that_was_not_written_is_missing_and_one_cut_short_is_damaged() {
    let folder = Folder::with("data rows = zarr(\"days.zarr\", inputs: [v])\n");
    store(&folder, None);
    let head = folder.read("days.zarr/v/.zarray");
    folder.write(
        "days.zarr/v/.zarray",
        head.replace("\"fill_value\":null", "\"fill_value\":-1.0"),
    );
    std::fs::remove_file(folder.path("days.zarr/v/2.0")).unwrap();
    exported(&folder, "csv");
    let table = folder.read("out/it/rows.csv");
    let days: Vec<String> = { table.lines().skip(1) }
        .map(|line| line.split(',').nth(1).unwrap().to_owned())
        .collect();
    assert_eq!(days.len(), 9);
    assert!(!days.contains(&"2000-02-01".to_owned()), "{days:?}");
    store(&folder, Some(3));
    let said = folder.farcast(&["export", "it.farcast", "rows", "--quiet"]);
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.err.contains("`days.zarr`"), "{said:?}");
}

#[test]
fn files_of_other_calendars_are_not_joined() {
    let folder = Folder::with("data rows = zarr([\"days.zarr\", \"other.zarr\"], inputs: [v])\n");
    store(&folder, None);
    for file in [
        ".zgroup",
        "time/.zarray",
        "time/0",
        "lat/.zarray",
        "lat/.zattrs",
        "lat/0",
        "v/.zarray",
        "v/.zattrs",
        "v/0.0",
        "v/1.0",
        "v/2.0",
        "v/3.0",
    ] {
        folder.write(
            &format!("other.zarr/{file}"),
            folder.bytes(&format!("days.zarr/{file}")),
        );
    }
    let later: Vec<u8> = [10.0_f64, 11.0, 12.0, 13.0].map(f64::to_le_bytes).concat();
    folder.write("other.zarr/time/0", later);
    let time = folder.read("days.zarr/time/.zattrs");
    folder.write(
        "other.zarr/time/.zattrs",
        time.replace("\"units\"", "\"calendar\":\"noleap\",\"units\""),
    );
    let said = folder.farcast(&["check", "it.farcast"]);
    assert_eq!(said.code, 1, "{said:?}");
    for told in ["days.zarr", "other.zarr", "calendars", "noleap"] {
        assert!(said.err.contains(told), "{told}: {}", said.err);
    }
}
