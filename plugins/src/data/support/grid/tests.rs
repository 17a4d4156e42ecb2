//! What files of all kinds hold, against what the programs that wrote them say.

use super::*;
use crate::data::support::testing::testdata;

// `kinds4.nc`, `sparse4.nc` by netCDF4 1.7, `chunks4.nc`, `filters4.nc` by h5py 3.16 and hdf5plugin 6.0,
// `codecs2.zarr.zip` and `codecs3.zarr.zip` by zarr 3.1: see `testdata/grids.py`.

fn open(name: &str) -> Unpacked {
    let files = engine::files::Files::unchecked();
    let path = testdata(name).0;
    let file = files.open(&path).expect("a file");
    let source = match name.ends_with(".zip") {
        true => open_zarr(&path, vec![file]),
        false => open_netcdf(file),
    };
    Unpacked::new(source.expect("a source"))
}

fn variable<'s>(source: &'s dyn Source, name: &str) -> &'s Variable {
    let found = source.variables().iter().find(|it| it.name == name);
    found.unwrap_or_else(|| panic!("no variable {name}"))
}

fn numbers(source: &dyn Source, name: &str) -> Vec<f64> {
    let variable = variable(source, name);
    let values = source.read(variable, &whole(variable));
    values.expect(name).doubles()
}

/// `(np.arange(n) // 3 % 90 - 20)`
fn expected(count: usize) -> Vec<f64> {
    (0..count).map(|at| (at / 3 % 90) as f64 - 20.0).collect()
}

fn dimensions(variable: &Variable) -> Vec<&str> {
    variable
        .dimensions
        .iter()
        .map(|d| d.name.as_str())
        .collect()
}

#[test]
fn every_codec_of_zarr_2_is_undone() {
    let source = open("codecs2.zarr.zip");
    assert_eq!(source.variables().len(), 24);
    for variable in source.variables() {
        assert_eq!(dimensions(variable), ["x"]);
        let values = source.read(variable, &whole(variable)).expect("values");
        assert_eq!(values.doubles(), expected(6000), "{}", variable.name);
        let part = source.read(variable, &[2400..5100]).expect("a part");
        assert_eq!(
            part.doubles(),
            expected(6000)[2400..5100],
            "{}",
            variable.name
        );
    }
}

#[test]
fn every_form_of_zarr_3_is_read() {
    let source = open("codecs3.zarr.zip");
    let whole = expected(1200);
    for name in [
        "gzip", "zstd", "blosc", "crc", "big", "turned", "sharded", "half", "int8",
    ] {
        assert_eq!(numbers(&source, name), whole, "{name}");
        let variable = variable(&source, name);
        assert_eq!(dimensions(variable), ["y", "x"]);
        let part = source
            .read(variable, &[7..21, 15..33])
            .expect("a part")
            .doubles();
        let all = &whole;
        let rows = (7..21).flat_map(|y| (15..33).map(move |x| all[y * 40 + x]));
        assert_eq!(part, rows.collect::<Vec<_>>(), "{name}");
    }
    // Chunks that were never written hold the fill value.
    for (name, y, x) in [("gaps", 8..16, 16..32), ("gap_shards", 4..8, 8..16)] {
        for (at, value) in numbers(&source, name).into_iter().enumerate() {
            let is_there = y.contains(&(at / 40)) && x.contains(&(at % 40));
            assert_eq!(value.is_nan(), !is_there, "{name} {at}");
            assert!(value.is_nan() || value == whole[at]);
        }
    }
}

#[test]
fn every_filter_of_hdf5_is_undone_or_named() {
    let source = open("filters4.nc");
    let read = [
        "zstd",
        "bzip2",
        "blosc_lz4",
        "blosc_zstd",
        "blosc_lz",
        "blosc_zlib",
        "lz4",
        "lzf",
        "gzip",
    ];
    for name in read {
        assert_eq!(numbers(&source, name), expected(3000), "{name}");
    }
    let unread = Element::Unread("compressed by Blosc2 (filter 32026)".to_owned());
    assert_eq!(variable(&source, "blosc2").element, unread);
}

#[test]
fn values_never_written_are_missing_except_those_of_bytes() {
    let source = open("kinds4.nc");
    for name in ["i2", "u2", "i4", "u4", "i8", "u8", "f4"] {
        let values = numbers(&source, name);
        assert_eq!(values[..2], [1.0, 2.0], "{name}");
        assert!(
            values[2..].iter().all(|value| value.is_nan()),
            "{name} {values:?}"
        );
    }
    assert_eq!(numbers(&source, "u1"), [1.0, 2.0, 255.0, 255.0]);
    assert_eq!(numbers(&source, "i1"), [1.0, 2.0, -127.0, -127.0]);
    let sparse = open("sparse4.nc");
    let v = numbers(&sparse, "v");
    assert_eq!(v.len(), 50 * 300 * 400);
    let there: Vec<f64> = v.into_iter().filter(|value| !value.is_nan()).collect();
    assert_eq!(there, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
}

#[test]
fn chunks_that_are_too_large_are_told_before_anything_is_read() {
    let source = open("chunks4.nc");
    let told = "in chunks of 3600000000 bytes, more than 2147483648";
    let unread = Element::Unread(told.to_owned());
    assert_eq!(variable(&source, "v").element, unread);
    assert_eq!(numbers(&source, "w"), [1.0, 2.0, 3.0]);
}

#[test]
fn attributes_say_what_numbers_mean() {
    let source = open("kinds4.nc");
    let unsigned = numbers(&source, "unsigned");
    assert_eq!(unsigned[..3], [255.0, 200.0, 3.0]);
    assert!(unsigned[3].is_nan());
    let quoted = numbers(&source, "quoted");
    assert_eq!(quoted[..3], [1.5, 2.0, 2.5]);
    assert!(quoted[3].is_nan());
    let told = "`valid_range` = \"-90.0 ... 90.0\", which is not a number, is not used";
    assert_eq!(variable(&source, "ranged").remarks, [told]);
    let told = "packed with `scale_factor` = \"half\", which is not a number";
    assert_eq!(
        variable(&source, "unscaled").element,
        Element::Unread(told.to_owned())
    );
    let half = numbers(&source, "half");
    assert_eq!((half[0], half[1], half[3]), (1.0, 2.5, -3.0));
    assert!(half[2].is_nan());
}

#[test]
fn groups_texts_and_types_of_their_own_do_not_hide_the_rest() {
    let source = open("kinds4.nc");
    assert_eq!(numbers(&source, "obs/temp"), [1.0, 2.0, 3.0, 4.0]);
    assert_eq!(dimensions(variable(&source, "obs/qc/flag")), ["time", "j"]);
    let texts = |name: &str| {
        let variable = variable(&source, name);
        assert_eq!(dimensions(variable), ["x"]);
        source.read(variable, &whole(variable)).expect(name)
    };
    let owned = |all: [&str; 4]| Values::Texts(all.map(str::to_owned).to_vec());
    assert_eq!(texts("name"), owned(["A", "Bc", "", "De Bi"]));
    assert_eq!(texts("word"), owned(["one", "two", "one", ""]));
    for (name, what) in [
        ("sky", "an enumeration"),
        ("lists", "made of lists of various lengths"),
        ("pairs", "made of compound values"),
    ] {
        let unread = Element::Unread(what.to_owned());
        assert_eq!(variable(&source, name).element, unread, "{name}");
    }
    assert_eq!(dimensions(variable(&source, "cov")), ["c", "c_2"]);
    assert_eq!(numbers(&source, "c_2"), [1.0, 2.0, 3.0]);
}

/// Values in memory, all of one dimension each.
struct Held(Vec<(Variable, Values)>, Vec<Variable>);

impl Held {
    fn unpacked(all: Vec<(Variable, Values)>) -> Unpacked {
        let variables = all.iter().map(|(variable, _)| variable.clone()).collect();
        Unpacked::new(Box::new(Self(all, variables)))
    }
}

impl Source for Held {
    fn variables(&self) -> &[Variable] {
        &self.1
    }

    fn read(&self, variable: &Variable, part: &[Range<u64>]) -> Result<Values, Fault> {
        let [Range { start, end }] = part else {
            return Err(Fault::user("expected one dimension"));
        };
        let range = *start as usize..*end as usize;
        Ok(match &self.0[variable.place].1 {
            Values::Single(all) => Values::Single(all[range].to_vec()),
            Values::Double(all) => Values::Double(all[range].to_vec()),
            Values::Texts(all) => Values::Texts(all[range].to_vec()),
        })
    }

    fn together(&self, _: &Variable, _: usize) -> u64 {
        1
    }
}

fn held(
    place: usize,
    name: &str,
    along: &str,
    number: Number,
    values: Values,
) -> (Variable, Values) {
    let variable = Variable {
        name: name.to_owned(),
        place,
        dimensions: vec![Dimension {
            name: along.to_owned(),
            size: values.len() as u64,
            is_record: false,
        }],
        element: Element::Number(number),
        attributes: Vec::new(),
        remarks: Vec::new(),
        unwritten: None,
    };
    (variable, values)
}

#[test]
fn unsigned_numbers_that_are_meant_as_signed_ones_are_read_as_such() {
    // xarray.coding.variables.UnsignedMaskCoder: numpy.array([0, 127, 128, 255], "u1").view("i1")
    let all = |number, values: &[f32], fill: f64| {
        let mut held = held(0, "v", "x", number, Values::Single(values.to_vec()));
        let text = Attribute::Text("false".to_owned());
        held.0.attributes.push(("_Unsigned".to_owned(), text));
        let fill = Attribute::Numbers(vec![fill], variable::Precision::Other);
        held.0.attributes.push(("_FillValue".to_owned(), fill));
        let source = Held::unpacked(vec![held]);
        let values = numbers(&source, "v");
        (source, values)
    };
    let (_, bytes) = all(Number::U8, &[0.0, 127.0, 128.0, 255.0, 200.0], 200.0);
    assert_eq!(bytes[..4], [0.0, 127.0, -128.0, -1.0]);
    assert!(bytes[4].is_nan());
    let (_, shorts) = all(Number::U16, &[32_767.0, 32_768.0, 65_535.0], 1.0);
    assert_eq!(shorts, [32_767.0, -32_768.0, -1.0]);
    let (_, signed) = all(Number::I8, &[-1.0, 127.0], 1.0);
    assert_eq!(signed, [-1.0, 127.0]);
    // In double precision the largest of 64 bits would be 0 instead of -1.
    let (source, _) = all(Number::U64, &[0.0], 1.0);
    let told = "stored as unsigned numbers of 64 bits and meant as signed ones";
    let unread = Element::Unread(told.to_owned());
    assert_eq!(variable(&source, "v").element, unread);
}

#[test]
fn coordinates_of_32_and_64_bits_are_the_same_when_the_files_are_joined() {
    let file = |lat: Values, time: Values| {
        let kind = |values: &Values| match values {
            Values::Single(_) => Number::F32,
            _ => Number::F64,
        };
        let (of_lat, of_time) = (kind(&lat), kind(&time));
        let source = Held::unpacked(vec![
            held(0, "lat", "lat", of_lat, lat),
            held(1, "t", "t", of_time, time),
        ]);
        ("it.nc".to_owned(), Box::new(source) as Box<dyn Source>)
    };
    let single = |values: &[f32]| Values::Single(values.to_vec());
    let double = |values: &[f64]| Values::Double(values.to_vec());
    let (lat, thin) = (double(&[0.1, 0.2]), single(&[0.1, 0.2]));
    let both = joined(vec![
        file(thin.clone(), double(&[1.0])),
        file(lat.clone(), double(&[2.0])),
    ]);
    let both = both.map_err(|fault| fault.to_string()).expect("one source");
    assert_eq!(numbers(&*both, "t"), [1.0, 2.0]);
    assert_eq!(
        numbers(&*both, "lat"),
        [f64::from(0.1_f32), f64::from(0.2_f32)]
    );
    let refused = |one, other| {
        let fault = joined(vec![one, other]).err().expect("a fault");
        fault.to_string()
    };
    // What 32 bits tell apart is not the same, nor is it in 64 bits in both.
    let other = double(&[0.1, 0.200_001]);
    let told = refused(
        file(thin, double(&[1.0])),
        file(other.clone(), double(&[2.0])),
    );
    assert!(told.contains("differ in `lat`"), "{told}");
    let near = double(&[0.1, 0.2 + 1e-12]);
    let told = refused(
        file(lat.clone(), double(&[1.0])),
        file(near, double(&[2.0])),
    );
    assert!(told.contains("differ in `lat`"), "{told}");
    // The same coordinate in both files is found whatever its precision.
    let told = refused(
        file(lat.clone(), double(&[0.1, 0.3])),
        file(lat, single(&[0.3, 0.5])),
    );
    assert!(told.contains("both have `t` = 0.3"), "{told}");
}
