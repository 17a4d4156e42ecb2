//! `netcdf`: the cells of gridded variables as rows.

use std::path::Path;

use dsl::signature::ColumnRule;
use dsl::types::Schema;
use engine::artifact::Dataset;
use engine::error::Fault;
use engine::files::Files;
use engine::params::DataPath;
use engine::plugin;
use engine::plugin::{Complaint, Context, Each, InParts, Plugin, Sketch};

use super::support::grid::{self, Source, Unpacked};
use super::support::gridded::{self, Gridded};
use super::support::row_choice::of_many_rows;
use super::support::several::{self, GridFiles};

plugin! {
    /// The cells of gridded variables of a NetCDF-3 or NetCDF-4 file, one row each.
    ///
    /// One input must have all dimensions of the others; those with fewer are repeated along
    /// the rest, by the dimensions' names, and so are the coordinates. Values are unpacked
    /// (`scale_factor`, `add_offset`, `_Unsigned`) and masked (`_FillValue`, `missing_value`,
    /// `valid_range`, the default fill of types of two bytes and more) as the CF conventions and
    /// the netCDF library say. Cells where an input is missing are dropped.
    ///
    /// A variable is found by its name, with or without the groups it is in, by its name in
    /// other letters, or by its `standard_name` or `long_name`; `lat`, `lon`, `depth` and `time`
    /// are also found by the units and attributes that mark them. Columns are called as written
    /// here. A variable with a unit such as `hours since 2000-01-01` holds times of the `calendar`
    /// its attribute names, and bounds those of the variable that they belong to; characters and strings are texts. Of a dimension that a variable has
    /// twice, as a covariance `cov(c, c)`, the second is called `c_2`.
    ///
    /// Several files, named by a pattern such as `"tas_*.nc"` or in a list, are joined in the order
    /// of their names, or of the list, along the dimension that may grow, or else along the only one in which their
    /// coordinates differ. Times with other references are converted, each file is unpacked by
    /// its own attributes, and all other coordinates must be equal; those that one file has in 32
    /// bits are compared in 32 bits.
    ///
    /// Chunks may be compressed by deflate, zstd, Blosc 1, bzip2, LZ4, LZF or SZIP; a variable
    /// that is compressed otherwise or has a type of its own is refused, the others are read.
    ///
    /// ```farcast
    /// data surface = netcdf("tiny3.nc", inputs: [sst], coords: [lat, lon, time])
    /// ```
    "netcdf" version 3
    pub struct NetCdf {
        /// The file, a pattern that files match, or a list of these.
        file: GridFiles;
        /// The variables that become columns.
        grid: Gridded, flatten();
    }
}

impl Plugin for NetCdf {
    type Output = Dataset;

    const STREAMS: u32 = 1;
    const REMADE: bool = true;

    fn columns() -> ColumnRule {
        ColumnRule::Source
    }

    fn check(call: &Sketch<'_>) -> Vec<Complaint> {
        Vec::from_iter(of_many_rows(call))
    }

    fn schema(&self, files: &Files) -> Result<Schema, Fault> {
        gridded::schema(&*open(&self.file, files)?, &self.grid)
    }

    fn names(file: &Path, files: &Files) -> Result<Vec<String>, Fault> {
        let file = GridFiles(vec![DataPath(file.to_owned())]);
        Ok(gridded::names(&*open(&file, files)?))
    }

    fn in_parts(_: &Sketch<'_>) -> Option<InParts> {
        Some(InParts::Reads)
    }

    fn read_parts(self, context: &Context, each: Each<'_>) -> Result<(), Fault> {
        gridded::row_parts(
            &*open(&self.file, context.files())?,
            &self.grid,
            context,
            each,
        )
    }

    fn run(self, context: &Context) -> Result<Dataset, Fault> {
        gridded::rows(&*open(&self.file, context.files())?, &self.grid, context)
    }
}

fn open(paths: &GridFiles, files: &Files) -> Result<Box<dyn Source>, Fault> {
    let opened = several::open_patterns(paths, files)?;
    let of_zarr = opened.iter().filter(|file| {
        let name = file.path().file_name().unwrap_or_default();
        name == "zarr.json" || name == ".zgroup"
    });
    // Groups and arrays of Zarr 3 have such a file each.
    let folders = of_zarr.filter_map(|file| file.path().parent());
    if let Some(store) = folders.min_by_key(|folder| folder.components().count()) {
        let message = format!("`{}` is a Zarr store", store.display());
        return Err(Fault::at("file", message).with_hint("`zarr` reads it"));
    }
    let sources = opened.into_iter().map(|file| {
        let shown = file.path().display().to_string();
        let source = Unpacked::new(grid::open_netcdf(file)?);
        Ok((shown, Box::new(source) as Box<dyn Source>))
    });
    grid::joined(sources.collect::<Result<_, Fault>>()?)
}

#[cfg(test)]
mod tests {
    use dsl::calendar::time::Part;
    use dsl::calendar::{Calendar, TimeUnit};
    use engine::artifact::{Artifact, DataColumn, DataForm};
    use engine::params::Column;

    use super::*;
    use crate::data::support::testing::{complaint, in_doubles, testdata};

    // `tiny3.nc` and `tiny4.nc` hold the same and were written by netCDF4 1.7 for Python:
    //
    // for name, form in [("tiny3.nc", "NETCDF3_CLASSIC"), ("tiny4.nc", "NETCDF4")]:
    //     f = netCDF4.Dataset(name, "w", format=form)
    //     f.createDimension("TAXMNTH", None); f.createDimension("y", 2); f.createDimension("x", 3)
    //     zip = {"zlib": True, "shuffle": True} if form == "NETCDF4" else {}
    //     def var(name, kind, dims, values, **attributes):
    //         fill = attributes.pop("fill", None)
    //         v = f.createVariable(name, kind, dims, fill_value=fill, **zip)
    //         v.set_auto_maskandscale(False); v.setncatts(attributes); v[:] = values
    //     var("TAXMNTH", "f8", ("TAXMNTH",), [15.0, 45.0], units="days since 2000-01-01")
    //     var("y", "f4", ("y",), [-10.0, 10.0], units="degrees_north")
    //     var("x", "f4", ("x",), [0.0, 120.0, 240.0], units="degrees_east")
    //     var("SST", "i2", ("TAXMNTH", "y", "x"), np.array(
    //         [[[0, 100, -999], [250, -250, 5]], [[7, -999, 1], [2, 3, 9000]]], "i2"),
    //         fill=np.int16(-999), scale_factor=0.01, add_offset=10.0,
    //         valid_range=np.array([-500, 5000], "i2"),
    //         units="degree_Celsius", standard_name="sea_surface_temperature")
    //     var("relief", "f4", ("y", "x"), np.array([[1, -2, 3], [-4, 5, 1e20]], "f4"),
    //         missing_value=np.float64(1e20), units="m")
    //     var("bounds", "f4", ("x", "y"), np.zeros((3, 2), "f4"))
    //     f.close()

    fn columns(names: &[&str]) -> Vec<Column> {
        names
            .iter()
            .map(|name| Column((*name).to_owned()))
            .collect()
    }

    fn netcdf(file: DataPath, inputs: &[&str], coords: &[&str]) -> NetCdf {
        NetCdf {
            file: file.into(),
            grid: Gridded {
                inputs: columns(inputs),
                coords: Some(columns(coords)),
                every: 1,
                r#where: None,
            },
        }
    }

    fn levitus(inputs: &[&str], coords: &[&str]) -> NetCdf {
        let path = [
            env!("CARGO_MANIFEST_DIR"),
            "../experiments/data/levitus_climatology_2deg.nc",
        ];
        netcdf(DataPath(path.iter().collect()), inputs, coords)
    }

    fn near(values: &[f64], expected: &[f64]) -> bool {
        values.len() == expected.len()
            && values
                .iter()
                .zip(expected)
                .all(|(value, expected)| (value - expected).abs() < 1e-12)
    }

    #[test]
    fn packed_masked_and_broadcast_values_are_read_from_both_formats() {
        for file in ["tiny3.nc", "tiny4.nc"] {
            let context = Context::alone("netcdf");
            let wanted = ["lat", "lon", "time"];
            let source = netcdf(testdata(file), &["sst", "relief"], &wanted);
            let schema = source.schema(&Files::unchecked()).expect("a schema");
            let data = source.run(&context).expect("data");
            assert_eq!(data.schema(), in_doubles(schema.clone()));
            // stored * 0.01 + 10 where not -999, not above 5000, and relief is not 1e20.
            let sst = [10.0, 11.0, 12.5, 7.5, 10.07, 10.01, 10.02, 10.03];
            assert!(near(data.values("sst").expect("sst"), &sst));
            let relief = [1.0, -2.0, -4.0, 5.0, 1.0, 3.0, -4.0, 5.0];
            assert_eq!(data.values("relief").expect("relief")[..], relief);
            let lon = [0.0, 120.0, 0.0, 120.0, 0.0, 240.0, 0.0, 120.0];
            assert_eq!(data.values("lon").expect("lon")[..], lon);
            let time = [15.0, 15.0, 15.0, 15.0, 45.0, 45.0, 45.0, 45.0];
            assert_eq!(data.values("time").expect("time")[..], time);
            assert_eq!(
                context.take_notes(),
                ["dropped 4 of 12 cells without `sst` or `relief`"]
            );
        }
    }

    // `times.nc` was written by netCDF4 1.7 for Python, NETCDF3_CLASSIC, each variable with a
    // dimension of its own name. The dates of `noleap` and `short` are those of cftime 1.6;
    // the others follow from what `TimeUnit` says of months, zones and case.
    #[test]
    fn times_have_the_calendar_of_their_variable() {
        let shown = |name: &str| {
            let source = netcdf(testdata("times.nc"), &[name], &[]);
            let schema = source.schema(&Files::unchecked()).expect("a schema");
            let data = source.run(&Context::alone("netcdf")).expect("data");
            assert_eq!(data.schema(), in_doubles(schema.clone()));
            let stored = data.to_parts().expect("parts");
            assert_eq!(Dataset::from_parts(&stored).expect("the same"), data);
            let column = data.column(name).expect(name);
            let dates = column.values.iter().map(|value| column.show(*value));
            dates.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(shown("noleap"), "1850-01-01 1850-03-01 2000-02-27T12:00");
        assert_eq!(shown("short"), "1850-01-01 1850-02-30 1950-12-30");
        assert_eq!(
            shown("months"),
            "1960-01-01 1960-01-16T12:00 1960-02-01 1961-01-01 1970-01-16T12:00 2018-05-01"
        );
        assert_eq!(
            shown("years"),
            "1960-01-01 1961-01-01 1962-07-02T12:00 2010-01-01"
        );
        assert_eq!(shown("zoned"), "1999-12-31T18:00 2000-01-30T18:00");
        assert_eq!(shown("shouted"), "2000-01-01 2000-03-01");
        for (name, calendar) in [("none", "none"), ("lunar", "lunar")] {
            let source = netcdf(testdata("times.nc"), &[name], &[]);
            let (param, message) = complaint(source.schema(&Files::unchecked()));
            assert_eq!(param, Some("file"));
            let why = format!("`{calendar}` is not a calendar with dates");
            assert_eq!(
                message,
                format!("the times of `{name}` cannot be read: {why}")
            );
        }
    }

    // xarray 2026.9 opens such a file with dims time: 2, lat: 3, units and a calendar.
    #[test]
    fn exported_data_are_a_grid_that_comes_back() {
        let unit = TimeUnit::parse("days since 2000-01-01", Calendar::NoLeap).expect("a unit");
        let degrees = Some("degrees_north".to_owned());
        let columns = vec![
            DataColumn::numbers(
                "sst",
                Some("degC".to_owned()),
                vec![1.5, 2.5, 3.5, 0.1, f64::NAN],
            ),
            DataColumn::numbers("lat", degrees, vec![10.0, 0.0, -10.0, 0.0, 10.0]),
            DataColumn::times("time", unit, vec![59.0, 59.0, 59.0, 90.0, 90.0]),
            DataColumn::texts(
                "sea",
                ["north", "middle", "south", "middle", "north"].map(Some),
            ),
        ];
        let data = Dataset::new(columns).expect("data");
        let about = vec![("title".to_owned(), "a test".to_owned())];
        let bytes = DataForm::NetCdf.file(&data, &about).expect("a file");
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("out.nc");
        std::fs::write(&path, bytes).expect("a file");
        let read = netcdf(DataPath(path), &["sst"], &["time", "lat", "sea"]);
        let read = read.run(&Context::alone("netcdf")).expect("data");
        // In the order of the grid, without the row that misses a value.
        let order = data.take(&[2, 1, 0, 3]);
        for column in order.columns() {
            let found = read.column(&column.name).expect("a column");
            assert_eq!(found.info(), column.info());
            for row in 0..order.rows() {
                assert_eq!(
                    found.show(found.values[row]),
                    column.show(column.values[row])
                );
            }
        }
        assert_eq!(read.rows(), order.rows());
    }

    #[test]
    fn bounds_are_times_and_a_scale_of_two_numbers_is_refused() {
        // Written by netCDF4 1.7: `time` with `bounds = "time_bnds"` in days since 2000-01-01 of
        // noleap, time_bnds(time, nv) without attributes; `packed` i2 with scale_factor [0.1, 0.2].
        let of = |name: &str| netcdf(testdata("bounds.nc"), &[name], &[]);
        let data = of("time_bnds")
            .run(&Context::alone("netcdf"))
            .expect("data");
        let bounds = data.column("time_bnds").expect("bounds");
        let shown: Vec<String> = bounds
            .values
            .iter()
            .map(|value| bounds.show(*value))
            .collect();
        assert_eq!(
            shown,
            [
                "2000-01-01",
                "2000-02-01",
                "2000-02-01",
                "2000-03-01",
                "2000-03-01",
                "2000-04-01"
            ]
        );
        let (param, message) = complaint(of("packed").schema(&Files::unchecked()));
        assert_eq!(param, Some("inputs"));
        assert_eq!(
            message,
            "`packed` is not read: it is packed with a `scale_factor` of 2 numbers"
        );
    }

    #[test]
    fn a_file_that_ends_early_is_refused() {
        let whole = std::fs::read(testdata("tiny4.nc").0).expect("tiny4.nc");
        let folder = tempfile::tempdir().expect("a folder");
        for kept in [whole.len() - 8, whole.len() / 2] {
            let path = folder.path().join("cut.nc");
            std::fs::write(&path, &whole[..kept]).expect("a shorter file");
            let source = netcdf(DataPath(path), &["sst"], &["lat"]);
            let (_, message) = complaint(source.schema(&Files::unchecked()));
            assert!(message.contains("the file ends early"), "{kept}: {message}");
        }
        // A classic file ends with its last value, whether it has records or not.
        for (name, told) in [
            ("tiny3.nc", "the file has only 796 bytes"),
            (
                "times.nc",
                "the file has only 1188 bytes, its header describes 1196",
            ),
            (
                "bounds.nc",
                "the file has only 396 bytes, its header describes 402",
            ),
        ] {
            let whole = std::fs::read(testdata(name).0).expect(name);
            let path = folder.path().join("cut3.nc");
            std::fs::write(&path, &whole[..whole.len() - 8]).expect("a shorter file");
            let source = netcdf(DataPath(path), &["v"], &[]);
            let (_, message) = complaint(source.schema(&Files::unchecked()));
            assert!(message.contains(told), "{name}: {message}");
        }
    }

    #[test]
    fn other_dimension_orders_are_turned() {
        let source = netcdf(testdata("tiny4.nc"), &["SST"], &["bounds"]);
        let data = source.run(&Context::alone("netcdf")).expect("data");
        assert!(
            data.values("bounds")
                .expect("bounds")
                .iter()
                .all(|v| *v == 0.0)
        );
    }

    #[test]
    fn several_files_are_joined_along_the_dimension_that_may_grow() {
        // years/tas_2000.nc to tas_2002.nc: tas(time, lat) holds the year; `time` counts days
        // since the first of January of each, in the calendar without leap days.
        let pattern = testdata("years/tas_*.nc");
        let data = netcdf(pattern, &["tas"], &["time", "lat"]);
        let data = data.run(&Context::alone("netcdf")).expect("data");
        assert_eq!(data.rows(), 3 * 12 * 3);
        let time = data.column("time").expect("time");
        let unit = time.content.time().expect("a unit of times");
        let years = time.values.iter().map(|time| Part::Year.of(*time, unit));
        assert!(years.eq(data.values("tas").expect("tas").iter().copied()));
        assert_eq!(Part::Month.of(time.values[3 * 12], unit), 1.0);
    }

    #[test]
    fn a_thinner_grid_keeps_its_times() {
        let mut source = levitus(&["temp"], &["depth", "lat", "lon"]);
        source.grid.every = 30;
        let data = source.run(&Context::alone("netcdf")).expect("data");
        let different = |name: &str| {
            let mut values = data.values(name).expect(name).to_vec();
            values.sort_by(f64::total_cmp);
            values.dedup();
            values
        };
        assert_eq!(different("depth"), [0.0]);
        assert_eq!(different("lat"), [-29.5, 30.5]);
        let mut years = netcdf(testdata("years/tas_*.nc"), &["tas"], &["time"]);
        years.grid.every = 2;
        let data = years.run(&Context::alone("netcdf")).expect("data");
        assert_eq!(data.rows(), 3 * 12 * 2);
    }

    #[test]
    fn files_that_do_not_fit_are_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let copy = |from: &str, to: &str| {
            std::fs::copy(testdata(from).0, folder.path().join(to)).expect("a copy")
        };
        let refused = |pattern: &str| {
            let pattern = DataPath(folder.path().join(pattern));
            let source = netcdf(pattern, &["tas"], &["time"]);
            let (param, message) = complaint(source.schema(&Files::unchecked()));
            let shown = format!("{}/", folder.path().display());
            (param, message.replace(&shown, ""))
        };
        copy("years/tas_2000.nc", "a1.nc");
        copy("years/tas_2000.nc", "a2.nc");
        let (param, message) = refused("a*.nc");
        assert_eq!(param, Some("file"));
        assert_eq!(message, "`a1.nc` and `a2.nc` both have `time` = 2000-01-16");
        copy("years/tas_2000.nc", "b1.nc");
        copy("tiny4.nc", "b2.nc");
        let (_, message) = refused("b*.nc");
        assert_eq!(message, "`b2.nc` has no dimension `time`, as `b1.nc` has");
        let (_, message) = refused("c*.nc");
        assert_eq!(message, "no file matches `c*.nc`");
    }

    #[test]
    fn without_coords_every_axis_comes_along_as_the_file_names_it() {
        let source = NetCdf {
            file: testdata("tiny3.nc").into(),
            grid: Gridded {
                inputs: columns(&["sea_surface_temperature"]),
                coords: None,
                every: 1,
                r#where: None,
            },
        };
        let names: Vec<String> = source
            .schema(&Files::unchecked())
            .expect("a schema")
            .columns
            .into_iter()
            .map(|column| column.name)
            .collect();
        assert_eq!(names, ["sea_surface_temperature", "TAXMNTH", "y", "x"]);
    }

    #[test]
    fn the_levitus_climatology_has_the_figures_numpy_finds() {
        // import netCDF4, numpy as np
        // d = netCDF4.Dataset("levitus_climatology_2deg.nc")
        // t, s = (d[v][:].astype("f8") for v in ("temp", "salt"))
        // ok = ~(np.ma.getmaskarray(t) | np.ma.getmaskarray(s))
        // ok.size, ok.sum(), t.data[ok].mean(), s.data[ok].mean(), t.data[ok][[0, 1, -1]]
        // z, la, lo = np.meshgrid(d["depth"][:], d["lat"][:], d["lon"][:], indexing="ij")
        let context = Context::alone("netcdf");
        let data = levitus(&["temp", "salt"], &["depth", "lat", "lon"])
            .run(&context)
            .expect("data");
        assert_eq!(data.rows(), 178_981);
        assert_eq!(
            context.take_notes(),
            ["dropped 145 019 of 324 000 cells without `temp` or `salt`"]
        );
        let column = |name: &str| data.values(name).expect(name);
        let mean = |name: &str| column(name).iter().sum::<f64>() / data.rows() as f64;
        assert!((mean("temp") - 8.301246356835165).abs() < 1e-10);
        assert!((mean("salt") - 34.61224483422618).abs() < 1e-10);
        let row =
            |row: usize| ["temp", "salt", "depth", "lat", "lon"].map(|name| column(name)[row]);
        assert_eq!(
            row(0),
            [-0.9689998626708984, 34.42599868774414, 0.0, -77.5, 174.5]
        );
        assert_eq!(
            row(1),
            [-1.0109996795654297, 34.39799880981445, 0.0, -77.5, 176.5]
        );
        assert_eq!(
            row(178_980),
            [1.545999526977539, 34.69300079345703, 5000.0, 52.5, 198.5]
        );
        let schema = data.schema();
        assert_eq!(schema.columns[2].unit.as_deref(), Some("m"));
    }

    #[test]
    fn the_navy_winds_have_the_figures_numpy_finds() {
        // from scipy.io import netcdf_file; import numpy as np
        // f = netcdf_file("navy_monthly_winds.nc", mmap=False).variables
        // u, v = ((f[k][:].astype("f4") * np.float32(0.001)).astype("f8") for k in ("uwnd", "vwnd"))
        // u.mean(), v.mean(), f["relief"][:][57, 141], np.hypot(u, v)[2::12, 57, 141].std(ddof=1)
        let path = [
            env!("CARGO_MANIFEST_DIR"),
            "../experiments/data/navy_monthly_winds.nc",
        ];
        let source = netcdf(
            DataPath(path.iter().collect()),
            &["uwnd", "vwnd"],
            &["time", "lat", "lon", "relief"],
        );
        let context = Context::alone("netcdf");
        let data = source.run(&context).expect("data");
        assert_eq!(data.rows(), 132 * 73 * 144);
        assert_eq!(context.take_notes(), [""; 0]);
        let column = |name: &str| data.values(name).expect(name);
        let mean = |name: &str| column(name).iter().sum::<f64>() / data.rows() as f64;
        assert!((mean("uwnd") - 0.026498336505861357).abs() < 1e-10);
        assert!((mean("vwnd") - -0.07292498095894853).abs() < 1e-10);
        // Berlin in March: the height stands beside every month.
        let marches: Vec<usize> = (0..11)
            .map(|year| (year * 12 + 2) * 73 * 144 + 57 * 144 + 141)
            .collect();
        for row in &marches {
            let place = ["lat", "lon", "relief"].map(|name| column(name)[*row]);
            assert_eq!(place, [52.5, 12.5, 53.0]);
        }
        let speeds: Vec<f64> = marches
            .iter()
            .map(|row| column("uwnd")[*row].hypot(column("vwnd")[*row]))
            .collect();
        let middle = speeds.iter().sum::<f64>() / 11.0;
        let squares: f64 = speeds.iter().map(|speed| (speed - middle).powi(2)).sum();
        assert!(((squares / 10.0).sqrt() - 1.167514090345544).abs() < 1e-9);
        let time = data.column("time").expect("time");
        let unit = time.content.time().expect("a unit of times");
        for row in marches {
            assert_eq!(Part::Month.of(time.values[row], unit), 3.0);
        }
    }

    #[test]
    fn unknown_variables_are_answered_with_what_there_is() {
        let fault = levitus(&["tempp"], &[])
            .schema(&Files::unchecked())
            .expect_err("no such variable");
        let Fault::User {
            param,
            message,
            hint,
        } = fault
        else {
            panic!("expected the user's fault, found {fault:?}");
        };
        assert_eq!(param.as_deref(), Some("inputs"));
        assert_eq!(message, "the file has no variable `tempp`");
        assert_eq!(
            hint.as_deref(),
            Some("did you mean `temp`? the file has: depth, lat, lon, temp, salt")
        );
    }

    #[test]
    fn grids_that_do_not_fit_are_refused() {
        let (param, message) = complaint(levitus(&["lat", "lon"], &[]).schema(&Files::unchecked()));
        assert_eq!(param, Some("inputs"));
        assert_eq!(message, "`lat` (lat) is not on the grid of `lon` (lon)");
        let (param, message) = complaint(levitus(&["temp"], &["temp"]).schema(&Files::unchecked()));
        assert_eq!(param, Some("coords"));
        assert_eq!(message, "column `temp` exists twice");
        let (param, _) = complaint(levitus(&[], &[]).schema(&Files::unchecked()));
        assert_eq!(param, Some("inputs"));
    }

    fn broken(bytes: &[u8]) -> Result<Dataset, Fault> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("broken.nc");
        std::fs::write(&path, bytes).expect("a file");
        netcdf(DataPath(path), &["SST", "relief"], &["lat", "lon", "time"])
            .run(&Context::alone("netcdf"))
    }

    #[test]
    fn cut_and_foreign_files_are_explained() {
        for file in ["tiny3.nc", "tiny4.nc"] {
            let whole = std::fs::read(testdata(file).0).expect("the test file");
            for length in [0, 3, 40, whole.len() / 2] {
                let (param, message) = complaint(broken(&whole[..length]));
                assert_eq!(param, Some("file"), "{message}");
                assert!(message.contains("as netcdf: ") || message.contains("can hold"));
            }
        }
        let (_, message) = complaint(broken(b"depth,temp\n1,2\n"));
        assert!(
            message.contains("it does not begin as NetCDF files do"),
            "{message}"
        );
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path().join("a.zarr");
        std::fs::create_dir_all(store.join("a_v")).expect("a folder");
        for file in ["a_v/zarr.json", "zarr.json"] {
            std::fs::write(store.join(file), "{}").expect("a file");
        }
        let source = netcdf(DataPath(store), &["v"], &[]);
        let (_, message) = complaint(source.schema(&Files::unchecked()));
        assert!(message.ends_with("a.zarr` is a Zarr store"), "{message}");
    }

    #[test]
    fn no_damaged_byte_makes_it_panic() {
        for file in ["tiny3.nc", "tiny4.nc"] {
            let whole = std::fs::read(testdata(file).0).expect("the test file");
            let step = whole.len() / 400 + 1;
            for at in (0..whole.len()).step_by(step) {
                for value in [0x00, 0x7f, 0xff] {
                    let mut bytes = whole.clone();
                    bytes[at] = value;
                    // Either it is read or refused; a panic would fail the test.
                    let _ = broken(&bytes);
                }
            }
        }
    }

    #[test]
    fn a_header_that_declares_too_much_is_refused() {
        // f = netCDF4.Dataset("hollow4.nc", "w")
        // for name, size in [("y", 70000), ("x", 70000), ("a", 40000), ("b", 40000)]:
        //     f.createDimension(name, size)
        // f.createVariable("vast", "f4", ("y", "x"), zlib=True, chunksizes=(100, 100))
        // f.createVariable("wide", "f4", ("a", "b"), zlib=True, chunksizes=(100, 100))
        // f.close()
        let read = |name| {
            let source = netcdf(testdata("hollow4.nc"), &[name], &[]);
            complaint(source.run(&Context::alone("netcdf")))
        };
        let (param, message) = read("vast");
        assert_eq!(param, Some("inputs"));
        assert_eq!(
            message,
            "`vast` has too many cells: expected at most 2^31, found 4900000000"
        );
        // The size of a dimension of a classic file follows its name, padded to four bytes.
        let mut bytes = std::fs::read(testdata("tiny3.nc").0).expect("the test file");
        let name = b"\0\0\0\x01x\0\0\0";
        let start = bytes.windows(name.len()).position(|window| window == name);
        let at = start.expect("the dimension `x`") + name.len();
        bytes[at..at + 4].copy_from_slice(&0x7fff_ffff_u32.to_be_bytes());
        let (_, message) = complaint(broken(&bytes));
        assert!(message.contains("the file has only 804 bytes"), "{message}");
    }
}
