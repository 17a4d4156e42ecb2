//! The memory that runs take, watched from outside: what is larger is worked on in pieces.
#![cfg(target_os = "linux")]

use std::time::Duration;

use serde_json::Value;

use crate::farcast::Folder;
use crate::store::files_below;

const MIB: u64 = 1 << 20;

/// The addresses a run may have: its program takes a hundred megabytes of them, and the allocator
/// asks for more than is used.
const ADDRESSES: u64 = 400 * MIB;

/// What a run took, in bytes.
struct Took {
    /// The most memory at once.
    peak: u64,
    /// What was read from files.
    read: u64,
}

/// Runs `it.farcast`, one action at a time, where more than `ADDRESSES` cannot be had.
fn watch(folder: &Folder, more: &[&str]) -> Took {
    watch_command(
        folder,
        &[&["run", "it.farcast", "--jobs", "1", "--quiet"], more].concat(),
    )
}

/// The same of any command.
fn watch_command(folder: &Folder, command: &[&str]) -> Took {
    let mut child = folder.start_within(ADDRESSES, command);
    let folder = format!("/proc/{}", child.id());
    let look = |file: &str, field: &str| {
        let path = format!("{folder}/{file}");
        let lines = std::fs::read_to_string(path).unwrap_or_default();
        let line = lines.lines().find_map(|line| line.strip_prefix(field));
        let number = line.and_then(|line| line.split_whitespace().next());
        number.map(|number| number.parse::<u64>().unwrap())
    };
    let mut took = Took { peak: 0, read: 0 };
    let code = loop {
        // Both only grow, so that looking now and then misses the last moments at most.
        took.peak = look("status", "VmHWM:").map_or(took.peak, |kilobytes| kilobytes * 1024);
        took.read = look("io", "rchar:").unwrap_or(took.read);
        if let Some(code) = child.try_wait().unwrap() {
            break code;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert!(code.success(), "{code}");
    assert!(took.peak > 0 && took.read > 0);
    took
}

/// A weight of a run in which all decay at the same rate.
fn weight(at: usize, step: usize) -> f32 {
    (at % 97) as f32 * (-(step as f32) / 1000.0).exp()
}

/// A checkpoint of one tensor with this many weights, as safetensors.
fn checkpoint(weights: usize, step: usize) -> Vec<u8> {
    let end = 4 * weights;
    let header =
        format!("{{\"w\":{{\"dtype\":\"F32\",\"shape\":[{weights}],\"data_offsets\":[0,{end}]}}}}");
    let values = (0..weights).flat_map(|at| weight(at, step).to_le_bytes());
    let head = (header.len() as u64).to_le_bytes();
    head.into_iter()
        .chain(header.into_bytes())
        .chain(values)
        .collect()
}

#[test]
fn a_trajectory_is_fitted_and_farcast_in_pieces() {
    let folder = Folder::with(
        "trajectory run = checkpoints(\"states/step-*.safetensors\")\n\
         farcast ahead = lfd2(run, observe: 0..=2000, horizon: [3000, 3900])\n\
         farcast last = persistence(run, observe: 0..=2000, horizon: [3000, 3900])\n\
         score missed = forecast_error(ahead, last, truth: run, metrics: [mse, skill])\n",
    );
    let (states, weights) = (40, 1_250_000);
    for step in (0..states).map(|state| 100 * state) {
        folder.write(
            &format!("states/step-{step:05}.safetensors"),
            checkpoint(weights, step),
        );
    }
    let (trajectory, took) = ((states * weights * 4) as u64, watch(&folder, &[]));
    assert!(took.peak < 128 * MIB, "{} MiB", took.peak / MIB);
    assert!(took.peak < trajectory);
    // Once for the key; the states stay where they are, and few of the forty are asked for:
    // four by the fit, three by the predictions, three for each score beside what it judges.
    let states = took.read as f64 / (trajectory / states as u64) as f64;
    assert!(states < 40.0 + 22.0, "{states} states");
    let kept = files_below(&folder.path(".farcast/objects"));
    let kept: u64 = kept.iter().map(|file| file.metadata().unwrap().len()).sum();
    assert!(kept < 8 * trajectory / 40, "{kept} bytes are kept");

    // The pieces were put together right.
    let answer = folder.run(&[]);
    let scores = answer["scores"].as_array().unwrap();
    let score = |model: &str, metric: &str| {
        let is_it = |row: &&Value| {
            row["model"] == model && row["metric"] == metric && row["horizon"] == 3900.0
        };
        scores.iter().find(is_it).unwrap()["value"]
            .as_f64()
            .unwrap()
    };
    let moves = (0..weights).map(|at| weight(at, 3900) - weight(at, 2000));
    let squares: f64 = moves.map(|by| f64::from(by) * f64::from(by)).sum();
    let off = score("last", "mse") / (squares / weights as f64) - 1.0;
    assert!(off.abs() < 1e-6, "{off}");
    // One factor fits all weights.
    assert!(score("ahead", "skill") > 0.9999, "{scores:?}");
}

#[test]
fn a_million_rows_have_networks_of_their_own_that_are_never_made() {
    let folder = Folder::with(
        "data all = synthetic(regime, rows: 1000, slope: 2)\n\
         data many = synthetic(regime, rows: 1000000, slope: 2)\n\
         parent net = mlp(all, inputs: [x], target: y, hidden: [16, 16], epochs: 2, members: 1)\n\
         subset near = window(all, by: z, count: 16, size: 40)\n\
         anomaly shift = finetune(net, near, steps: 4)\n\
         predictor regime = columns(z)\n\
         regression drift = polynomial(shift, regime, degree: 1)\n\
         child adapted = apply(drift, many)\n\
         score skill = compare(net, adapted, on: many, metrics: [rmse])\n",
    );
    // The weights of all those networks, 321 each, would be 1.2 GiB.
    let peak = watch(&folder, &[]).peak;
    assert!(peak < 256 * MIB, "{} MiB", peak / MIB);
}

#[test]
fn whole_models_are_merged_and_written_in_pieces() {
    let methods = [
        ("task", "base + 0.4 * (a - base) + 0.4 * (b - base)"),
        (
            "ties",
            "base + elect(trim(a - base, keep: 25 %), trim(b - base, keep: 25 %))",
        ),
        ("turned", "slerp(a, b, at: 0.3)"),
        ("stocked", "stock(base, a, b)"),
    ];
    let models = ["base", "a", "b"]
        .map(|name| format!("weights {name} = safetensors(\"{name}.safetensors\")\n"));
    let merges = methods.map(|(name, merge)| format!("parent {name} = {merge}\n"));
    let folder = Folder::with(&[models.concat(), merges.concat()].concat());
    let weights = 16 << 20;
    for (step, name) in ["base", "a", "b"].into_iter().enumerate() {
        folder.write(
            &format!("{name}.safetensors"),
            checkpoint(weights, 100 * step),
        );
    }
    let took = watch(&folder, &["--weights"]);
    // The weights of one network are 64 MiB.
    assert!(took.peak < 100 * MIB, "{} MiB", took.peak / MIB);
    let merged = folder.bytes("out/it/task.safetensors");
    let task = |at: usize| {
        let [base, a, b] = [0, 100, 200].map(|step| f64::from(weight(at, step)));
        (base + 0.4 * (a - base) + 0.4 * (b - base)) as f32
    };
    let (_, numbers) = merged.split_at(merged.len() - 4 * weights);
    let numbers = numbers
        .as_chunks()
        .0
        .iter()
        .map(|four| f32::from_le_bytes(*four));
    for (at, found) in numbers.enumerate() {
        assert!(
            (found - task(at)).abs() <= 1e-6 * task(at).abs(),
            "{at}: {found}"
        );
    }
}

/// A NetCDF-3 file of one variable `u` along `time`, `lat` and `lon`: the place of its time among
/// seven and that of its longitude among three.
fn classic(times: usize, rows: usize, columns: usize) -> Vec<u8> {
    let mut bytes = b"CDF\x01\0\0\0\0".to_vec();
    let number = |bytes: &mut Vec<u8>, value: usize| bytes.extend((value as u32).to_be_bytes());
    let text = |bytes: &mut Vec<u8>, text: &str| {
        number(bytes, text.len());
        bytes.extend(text.as_bytes());
        bytes.resize(bytes.len().next_multiple_of(4), 0);
    };
    let dimensions = [("time", times), ("lat", rows), ("lon", columns)];
    // Dimensions, then no attributes, then variables of floats.
    for value in [10, 3] {
        number(&mut bytes, value);
    }
    for (name, size) in dimensions {
        text(&mut bytes, name);
        number(&mut bytes, size);
    }
    for value in [0, 0, 11, 4] {
        number(&mut bytes, value);
    }
    let variables = [
        ("time", &[0][..]),
        ("lat", &[1]),
        ("lon", &[2]),
        ("u", &[0, 1, 2]),
    ];
    let sizes = [times, rows, columns, times * rows * columns];
    let head: usize = variables
        .iter()
        .map(|(name, own)| 4 + name.len().next_multiple_of(4) + 4 + 4 * own.len() + 8 + 12)
        .sum();
    let mut start = bytes.len() + head;
    for ((name, own), size) in variables.into_iter().zip(sizes) {
        text(&mut bytes, name);
        number(&mut bytes, own.len());
        own.iter().for_each(|at| number(&mut bytes, *at));
        for value in [0, 0, 5, 4 * size, start] {
            number(&mut bytes, value);
        }
        start += 4 * size;
    }
    for (_, size) in dimensions {
        bytes.extend((0..size).flat_map(|at| (at as f32).to_be_bytes()));
    }
    for time in 0..times {
        let value = |at: usize| (time % 7 + at % 3) as f32;
        let row: Vec<u8> = (0..columns)
            .flat_map(|at| value(at).to_be_bytes())
            .collect();
        bytes.extend(row.repeat(rows));
    }
    bytes
}

#[test]
fn rows_pass_from_a_grid_to_its_groups_in_parts() {
    let folder = Folder::with(
        "data cells = netcdf(\"u.nc\", inputs: [u], coords: [time, lat, lon])\n\
         data south = where(cells, lat < 100)\n\
         data more = derive(south, place = time % 7, square = u ^ 2)\n\
         data groups = aggregate(more, by: [lat, place], mu = mean(u), of = sum(square), n = count(u))\n\
         parent line = least_squares(groups, inputs: [place], target: mu)\n\
         score fit = compare(line, on: groups, metrics: [rmse])\n",
    );
    let (times, rows, columns) = (700, 120, 300);
    folder.write("u.nc", classic(times, rows, columns));
    let took = watch(&folder, &[]);
    // A column of doubles would have 202 MB; there are six columns.
    assert!(took.peak < 192 * MIB, "{} MiB", took.peak / MIB);

    let said = folder.farcast(&[
        "export",
        "it.farcast",
        "groups",
        "--format",
        "csv",
        "--quiet",
    ]);
    assert_eq!(said.code, 0, "{said:?}");
    let table = folder.read("out/it/groups.csv");
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("lat,place,mu,of,n"));
    let count = (times / 7 * columns) as f64;
    let expected = (0..100).flat_map(|lat| (0..7).map(move |place| (f64::from(lat), place)));
    for ((lat, place), line) in expected.zip(lines.by_ref()) {
        let place = f64::from(place);
        let found: Vec<f64> = line.split(',').map(|it| it.parse().unwrap()).collect();
        let squares: f64 = (0..3).map(|at| (place + f64::from(at)).powi(2)).sum();
        assert_eq!(
            found,
            [lat, place, place + 1.0, squares * count / 3.0, count]
        );
    }
    assert_eq!(lines.next(), None);
}

#[test]
fn rows_in_parts_make_the_bytes_of_whole_tables() {
    let text = "data cells = netcdf(\"u.nc\", inputs: [u], coords: [time, lat, lon])\n\
         data south = where(cells, lat < 20)\n\
         data more = derive(south, place = time % 7, square = (u - lon / 7) ^ 2)\n\
         data usual = where(more, lon < 9)\n\
         data means = aggregate(more, by: place, u_usual = mean(u))\n\
         data off = anomaly_of(more, usual, by: place, columns: u)\n\
         data both = join(off, means, by: place)\n\
         data groups = aggregate(\n\
             both, by: [lat, place], mu = mean(square), of = std(square), n = count(u_usual),\n\
             middle = median(square), least = lowest(u), share = share(u > 0) - 0.5,\n\
         )\n\
         parent line = least_squares(groups, inputs: [mu], target: of)\n\
         score fit = compare(line, on: groups, metrics: [rmse])\n";
    // Each table is read whole by something else, too.
    let whole = ["cells", "south", "more", "off", "both"];
    let whole = whole.map(|data| {
        format!(
            "parent of_{data} = least_squares({data}, inputs: [lon], target: u)\n\
             score with_{data} = compare(of_{data}, on: {data}, metrics: [rmse])\n"
        )
    });
    let made = |more: &str| {
        let folder = Folder::with(&format!("{text}{more}"));
        folder.write("u.nc", classic(700, 30, 100));
        folder.run(&[]);
        let said = folder.farcast(&[
            "export",
            "it.farcast",
            "groups",
            "means",
            "--format",
            "parquet",
        ]);
        assert_eq!(said.code, 0, "{said:?}");
        (
            folder.bytes("out/it/groups.parquet"),
            folder.bytes("out/it/means.parquet"),
        )
    };
    let in_parts = made("");
    assert_eq!(in_parts, made(&whole.concat()));
    assert_eq!(in_parts, made(&whole[2]));
}

#[test]
fn scores_of_many_rows_hold_neither_them_nor_predictions() {
    let folder = Folder::with(
        "data cells = netcdf(\"u.nc\", inputs: [u], coords: [time, lat, lon])\n\
         data first = where(cells, time < 2)\n\
         data most = split(cells, share: 0.9, part: train)\n\
         parent net = mlp(first, inputs: [lat, lon], target: u, hidden: [2], steps: 4, members: 4)\n\
         score fit = compare(\n\
             net, on: cells, metrics: [rmse, spread, crps, correlation], by: [lat, time], bins: 5,\n\
         )\n\
         score few = compare(net, on: most, metrics: [rmse])\n",
    );
    let (times, rows, columns) = (70, 120, 300);
    folder.write("u.nc", classic(times, rows, columns));
    let took = watch(&folder, &[]);
    // A column of doubles would have 20 MB: with four, and six of predictions, the run took
    // 483 MiB; 155 of this are seen.
    assert!(took.peak < 192 * MIB, "{} MiB", took.peak / MIB);
    let answer = folder.run(&[]);
    let scores = answer["scores"].as_array().unwrap();
    let shares =
        { scores.iter() }.filter(|row| row["metric"] == "share" && row["statement"] == "fit");
    let shares: Vec<f64> = shares.map(|row| row["value"].as_f64().unwrap()).collect();
    // Five bins of 24 latitudes, five of 14 times.
    assert_eq!(shares, [0.04; 25]);
}

#[test]
fn what_reads_rows_twice_makes_the_bytes_of_whole_tables() {
    let text = "data cells = netcdf(\"u.nc\", inputs: [u], coords: [time, lat, lon])\n\
         data more = derive(where(cells, lat > 0), place = time % 7, far = lon / 3 - u)\n\
         data first = where(more, time < 3)\n\
         data drawn = split(more, share: 0.01, part: train, seed: 4)\n\
         data early = split(where(more, u > 0), share: 0.995, part: test, by: far)\n\
         data border = edge(more, first, by: far, hold: 3 %, side: upper)\n\
         data past = derive(\n\
             more, by: [lat, lon], along: time, before = lag(u, 1), off = far - mean(far),\n\
         )\n\
         data sums = aggregate(where(past, before > 0), by: [lat, place], m = mean(off), n = count(u))\n\
         parent net = mlp(first, inputs: [lat, far], target: u, hidden: [4], steps: 9, members: 2)\n\
         score fit = compare(\n\
             net, on: more, by: [lat, far], bins: 3, weights: lat, baselines: [place],\n\
             metrics: [rmse, mae, bias, correlation, skill, r2, crps, spread, spread_ratio],\n\
         )\n\
         score ends = compare(net, on: drawn, metrics: [rmse])\n";
    // The tables are in memory for something else, too.
    let whole = ["cells", "more"].map(|data| {
        format!(
            "parent of_{data} = least_squares({data}, inputs: [lon], target: u)\n\
             score with_{data} = compare(of_{data}, on: {data}, metrics: [rmse])\n"
        )
    });
    let made = |more: &str| {
        let folder = Folder::with(&format!("{text}{more}"));
        folder.write("u.nc", classic(700, 31, 100));
        let answer = folder.run(&[]);
        let scores = answer["scores"].as_array().unwrap();
        let own = ["fit", "ends"];
        let own = scores
            .iter()
            .filter(|row| own.contains(&row["statement"].as_str().unwrap()));
        let own: Vec<String> = own.map(Value::to_string).collect();
        let names = ["drawn", "early", "border", "sums"];
        let export = [&["export", "it.farcast"][..], &names].concat();
        let said = folder.farcast(&[&export[..], &["--format", "parquet"]].concat());
        assert_eq!(said.code, 0, "{said:?}");
        let files = names.map(|name| folder.bytes(&format!("out/it/{name}.parquet")));
        (own, files)
    };
    let in_parts = made("");
    assert!(in_parts.0.len() > 100);
    assert!(in_parts == made(&whole.concat()));
}

#[test]
fn members_learn_from_a_large_table_without_copies_of_it() {
    let peak = |members: usize, more: &str| {
        let folder = Folder::with(&format!(
            "data cells = netcdf(\"u.nc\", inputs: [u], coords: [time, lat, lon])\n\
             parent net = mlp(\n\
                 cells, inputs: [lat, lon], target: u, hidden: [4], steps: 4,\n\
                 members: {members}{more},\n\
             )\n"
        ));
        folder.write("u.nc", classic(60, 200, 300));
        watch(&folder, &[]).peak
    };
    // A cell has a number of 4 bytes and three coordinates of 2, 34 MiB in all, and a place of 4
    // bytes in the order of the epoch. A column of doubles would have 27 MiB.
    let one = peak(1, "");
    assert!(one < 192 * MIB, "{} MiB", one / MIB);
    // Rows held out take two more places of 4 bytes a row.
    let held_out = ", hold_out: 0.1";
    for (members, more, most) in [(8, "", 16 * MIB), (2, held_out, 48 * MIB)] {
        let several = peak(members, more);
        assert!(
            several < one + most,
            "{} and {} MiB",
            one / MIB,
            several / MIB
        );
    }
}

#[test]
fn members_share_a_large_table_of_many_columns() {
    // Columns of one coordinate repeat few values: each takes 2 bytes a row.
    let names: Vec<String> = (0..24).map(|at| format!("c{at}")).collect();
    let columns = names.iter().enumerate().map(|(at, name)| {
        let of = ["lat", "lon"][at % 2];
        format!("{name} = sin({of} / {}) + {of} / 300", at + 3)
    });
    let table = format!(
        "data cells = netcdf(\"u.nc\", inputs: [u], coords: [time, lat, lon])\n\
         data wide = derive(cells, {})\n",
        columns.collect::<Vec<_>>().join(", ")
    );
    let inputs = format!("inputs: [{}], target: u", names.join(", "));
    let peak = |jobs: &str, parent: &str| {
        let folder = Folder::with(&format!("{table}parent net = {parent}\n"));
        folder.write("u.nc", classic(20, 200, 300));
        let run = ["run", "it.farcast", "--jobs", jobs, "--quiet"];
        watch_command(&folder, &run).peak
    };
    // A copy of the standardised numbers would have 114 MiB.
    let mlp =
        |members: u32| format!("mlp(wide, {inputs}, hidden: [4], steps: 40, members: {members})");
    let one = peak("1", &mlp(1));
    assert!(one < 192 * MIB, "{} MiB", one / MIB);
    // Two at a time, each with a place of 4 bytes a row in the order of its epoch.
    let several = peak("2", &mlp(4));
    assert!(
        several < one + 32 * MIB,
        "{} and {} MiB",
        one / MIB,
        several / MIB
    );
    for parent in [
        format!("linear_regression(wide, {inputs}, steps: 50, members: 2)"),
        format!("least_squares(wide, {inputs})"),
    ] {
        let all = peak("1", &parent);
        assert!(all < one + 16 * MIB, "{} and {} MiB", one / MIB, all / MIB);
    }
}

#[test]
fn large_data_are_exported_while_their_rows_pass() {
    let folder = Folder::with(
        "data cells = netcdf(\"u.nc\", inputs: [u], coords: [time, lat, lon])\n\
         data more = derive(where(cells, lat < 100), square = u ^ 2)\n",
    );
    let (times, rows, columns) = (140, 120, 300);
    folder.write("u.nc", classic(times, rows, columns));
    for form in ["csv", "parquet"] {
        let export = ["export", "it.farcast", "more", "--format", form, "--quiet"];
        let took = watch_command(&folder, &export);
        // A column of doubles would have 32 MiB; there are five, and a text of each number.
        assert!(took.peak < 192 * MIB, "{} MiB", took.peak / MIB);
    }
    for form in ["netcdf", "zarr"] {
        let export = ["export", "it.farcast", "more", "--format", form, "--quiet"];
        let took = watch_command(&folder, &export);
        // The columns as they come take 72 MiB, one more at a time at most 32.
        assert!(took.peak < 256 * MIB, "{} MiB", took.peak / MIB);
    }
    let table = folder.read("out/it/more.csv");
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("u,time,lat,lon,square"));
    let mut count = 0;
    for (at, line) in lines.enumerate() {
        let (time, cell) = (at / (100 * columns), at % (100 * columns));
        let (lat, lon) = (cell / columns, cell % columns);
        let u = time % 7 + lon % 3;
        assert_eq!(line, format!("{u}.0,{time}.0,{lat}.0,{lon}.0,{}.0", u * u));
        count += 1;
    }
    assert_eq!(count, times * 100 * columns);

    // The other files have the same rows.
    let squares = (0..7).flat_map(|a| (0..3).map(move |b| (a + b) * (a + b)));
    let squares = squares.sum::<usize>() * times / 7 * columns / 3;
    let rows = (0..100).map(|lat| {
        let (count, last) = (times * columns, times - 1);
        format!("{lat}.0,{count}.0,{squares}.0,{last}.0\n")
    });
    let expected = format!("lat,n,of,last\n{}", rows.collect::<String>());
    let columns = "inputs: [u, square], coords: [time, lat]";
    for again in [
        "parquet(\"out/it/more.parquet\")".to_owned(),
        format!("netcdf(\"out/it/more.nc\", {columns})"),
        format!("zarr(\"out/it/more.zarr.zip\", {columns})"),
    ] {
        folder.write(
            "it.farcast",
            format!(
                "data again = {again}\n\
                 data sums = aggregate(again, by: lat, n = count(u), of = sum(square), last = highest(time))\n"
            ),
        );
        let said = folder.farcast(&["export", "it.farcast", "sums", "--format", "csv", "--quiet"]);
        assert_eq!(said.code, 0, "{said:?}");
        assert_eq!(folder.read("out/it/sums.csv"), expected, "{again}");
    }
}

#[test]
fn columns_that_nobody_reads_are_left_out_and_change_nothing() {
    let text = "data all = csv(\"all.csv\")\n\
         data more = derive(all, square = x ^ 2)\n\
         data groups = aggregate(where(more, y > 0), by: z, m = mean(square), n = count(x))\n";
    let whole = "parent line = least_squares(more, inputs: [x], target: y)\n\
         score fit = compare(line, on: more, metrics: [rmse])\n";
    let row = |at: usize| {
        let ship = ["Bonn", "", "a ship of a longer name", "NA"][at % 4];
        let missing = ["-", "7"][at % 2];
        let (x, y, z) = (at % 97, at % 5, at % 7);
        format!("{x}.5,{y},{z},{missing},{ship}\n")
    };
    let rows: String = (0..700_000).map(row).collect();
    let table = format!("x,y,z,w,ship\n{rows}");
    let made = |more: &str| {
        let folder = Folder::with(&format!("{text}{more}"));
        folder.write("all.csv", &table);
        folder.run(&[]);
        let export = ["export", "it.farcast", "groups", "--format", "parquet"];
        let said = folder.farcast(&export);
        assert_eq!(said.code, 0, "{said:?}");
        folder.bytes("out/it/groups.parquet")
    };
    assert_eq!(made(""), made(whole));

    // What is wrong with a column is reported, also where nobody reads it.
    let folder = Folder::with(text);
    folder.write("all.csv", format!("{table}1,2,3,oops,Bonn\n"));
    let said = folder.farcast(&["run", "it.farcast", "--quiet"]);
    assert_eq!(said.code, 1, "{said:?}");
    let told = "line 700002, column 7: expected a number in column `w`, found `oops`";
    assert!(said.err.contains(told), "{said:?}");
}
