//! `netcdf`: the cells of gridded variables as rows.

use std::sync::Arc;

use dsl::signature::ColumnRule;
use dsl::types::{ColumnInfo, Schema};
use engine::artifact::{DataColumn, Dataset};
use engine::error::Fault;
use engine::files::Files;
use engine::params::{Column, DataPath};
use engine::plugin;
use engine::plugin::{Context, Plugin};
use netcdf_reader::{NcDimension, NcVariable};

use super::support::cf::{self, CfFile};
use super::support::source::{self, grouped};

plugin! {
    /// The cells of gridded variables of a NetCDF-3 or NetCDF-4 file, one row each.
    ///
    /// One input must have all dimensions of the others; those with fewer are repeated along
    /// the rest, by the dimensions' names, and so are the coordinates. Values are unpacked
    /// (`scale_factor`, `add_offset`) and masked (`_FillValue`, `missing_value`,
    /// `valid_range`) as the CF conventions say. Cells where an input is missing are dropped.
    ///
    /// A variable is found by its name, by its name in other letters, or by its
    /// `standard_name` or `long_name`; `lat`, `lon`, `depth` and `time` are also found by the
    /// units and attributes that mark them. Columns are called as written here. Times stay
    /// numbers in the unit of the file.
    ///
    /// ```farcast
    /// data surface = netcdf("tiny3.nc", inputs: [sst], coords: [lat, lon, time])
    /// ```
    "netcdf" version 1
    pub struct NetCdf {
        /// The file.
        file: DataPath;
        /// The variables that every row must have.
        inputs: Vec<Column>;
        /// Coordinates and other variables on the same grid to go with them; the coordinate of
        /// every dimension when left out.
        coords: Option<Vec<Column>>;
    }
}

/// Rows are counted in 32 bits elsewhere.
const MOST_CELLS: u64 = 1 << 31;

impl Plugin for NetCdf {
    type Output = Dataset;

    fn columns() -> ColumnRule {
        ColumnRule::Source
    }

    fn schema(&self, files: &Files) -> Result<Schema, Fault> {
        let file = CfFile::open(&self.file, files)?;
        let columns = self
            .choose(&file)?
            .columns()
            .map(|(name, variable)| ColumnInfo {
                name: name.clone(),
                unit: cf::unit(variable),
            })
            .collect();
        Ok(Schema { columns })
    }

    fn run(self, context: &Context) -> Result<Dataset, Fault> {
        let file = CfFile::open(&self.file, context.files())?;
        let chosen = self.choose(&file)?;
        let mut columns = Vec::new();
        for (_, variable) in chosen.columns() {
            columns.push(chosen.grid.spread(variable, file.numbers(variable)?));
        }
        let inputs = &columns[..chosen.inputs.len()];
        let rows: Vec<usize> = (0..chosen.grid.cells)
            .filter(|cell| inputs.iter().all(|input| !input[*cell].is_nan()))
            .collect();
        chosen.note_dropped(rows.len(), context)?;
        let columns = chosen
            .columns()
            .zip(columns)
            .map(|((name, variable), values)| DataColumn {
                name: name.clone(),
                unit: cf::unit(variable),
                values: match rows.len() == values.len() {
                    true => values.into(),
                    false => rows.iter().map(|row| values[*row]).collect::<Arc<[f64]>>(),
                },
            })
            .collect();
        Dataset::new(columns)
    }
}

/// The variables meant, with the names their columns get, and the grid they are on.
struct Chosen<'v> {
    inputs: Vec<(String, &'v NcVariable)>,
    coords: Vec<(String, &'v NcVariable)>,
    grid: Grid<'v>,
}

impl NetCdf {
    fn choose<'v>(&self, file: &'v CfFile) -> Result<Chosen<'v>, Fault> {
        let variables = file.variables()?;
        let inputs = named("inputs", &self.inputs, &variables)?;
        let grid = Grid::of(&inputs)?;
        let fitting: Vec<&NcVariable> = variables
            .into_iter()
            .filter(|variable| grid.holds(variable))
            .collect();
        let coords = match &self.coords {
            Some(wanted) => named("coords", wanted, &fitting)?,
            None => grid
                .dimensions
                .iter()
                .filter_map(|dimension| axis(dimension, &fitting))
                .map(|variable| (variable.name.clone(), variable))
                .filter(|(_, variable)| inputs.iter().all(|(_, input)| input != variable))
                .collect(),
        };
        let chosen = Chosen {
            inputs,
            coords,
            grid,
        };
        source::distinct("coords", chosen.columns().map(|(name, _)| name.as_str()))?;
        Ok(chosen)
    }
}

fn named<'v>(
    param: &'static str,
    wanted: &[Column],
    variables: &[&'v NcVariable],
) -> Result<Vec<(String, &'v NcVariable)>, Fault> {
    wanted
        .iter()
        .map(|Column(name)| Ok((name.clone(), cf::find(param, name, variables)?)))
        .collect()
}

/// The coordinate of a dimension: the variable that has its name and no other dimension.
fn axis<'v>(dimension: &NcDimension, variables: &[&'v NcVariable]) -> Option<&'v NcVariable> {
    variables.iter().copied().find(|variable| {
        variable.name.eq_ignore_ascii_case(&dimension.name)
            && variable.dimensions == std::slice::from_ref(dimension)
    })
}

impl<'v> Chosen<'v> {
    fn columns(&self) -> impl Iterator<Item = &(String, &'v NcVariable)> {
        self.inputs.iter().chain(&self.coords)
    }

    fn note_dropped(&self, rows: usize, context: &Context) -> Result<(), Fault> {
        let names: Vec<String> = self
            .inputs
            .iter()
            .map(|(name, _)| format!("`{name}`"))
            .collect();
        if rows == 0 {
            let names = names.join(" and ");
            return Err(Fault::at("inputs", format!("no cell has {names}")));
        }
        let dropped = self.grid.cells - rows;
        if dropped > 0 {
            context.note(format!(
                "dropped {} of {} cells without {}",
                grouped(dropped),
                grouped(self.grid.cells),
                names.join(" or ")
            ));
        }
        Ok(())
    }
}

/// The dimensions rows run over, the last one fastest.
struct Grid<'v> {
    dimensions: &'v [NcDimension],
    cells: usize,
}

impl<'v> Grid<'v> {
    fn of(inputs: &[(String, &'v NcVariable)]) -> Result<Self, Fault> {
        let widest = inputs
            .iter()
            .max_by_key(|(_, variable)| variable.ndim())
            .ok_or_else(|| Fault::at("inputs", "expected at least one variable, found none"))?;
        let (name, variable) = widest;
        let cells = variable.num_elements().unwrap_or(u64::MAX);
        if cells == 0 {
            return Err(Fault::at("inputs", format!("`{name}` has no cells")));
        }
        let cells = match usize::try_from(cells) {
            Ok(count) if cells <= MOST_CELLS => count,
            _ => {
                return Err(Fault::at(
                    "inputs",
                    format!("`{name}` has too many cells: expected at most 2^31, found {cells}"),
                ));
            }
        };
        let grid = Self {
            dimensions: variable.dimensions(),
            cells,
        };
        match inputs.iter().find(|(_, input)| !grid.holds(input)) {
            None => Ok(grid),
            Some((other, input)) => Err(Fault::at(
                "inputs",
                format!(
                    "`{other}` ({}) is not on the grid of `{name}` ({})",
                    listed(input.dimensions()),
                    listed(grid.dimensions)
                ),
            )),
        }
    }

    /// Whether every dimension of the variable is one of the grid's.
    fn holds(&self, variable: &NcVariable) -> bool {
        variable
            .dimensions
            .iter()
            .all(|own| self.dimensions.iter().any(|d| same(d, own)))
    }

    /// The value for every cell, repeated along the dimensions the variable does not have.
    fn spread(&self, variable: &NcVariable, values: Vec<f64>) -> Vec<f64> {
        if variable.dimensions == self.dimensions {
            return values;
        }
        let sizes: Vec<usize> = self.dimensions.iter().map(|d| d.size as usize).collect();
        let strides: Vec<usize> = self
            .dimensions
            .iter()
            .map(|dimension| stride(variable, dimension))
            .collect();
        let mut counter = vec![0; sizes.len()];
        let mut at = 0;
        let mut spread = Vec::with_capacity(self.cells);
        while spread.len() < self.cells {
            spread.push(values[at]);
            for axis in (0..sizes.len()).rev() {
                counter[axis] += 1;
                at += strides[axis];
                if counter[axis] < sizes[axis] {
                    break;
                }
                at -= strides[axis] * sizes[axis];
                counter[axis] = 0;
            }
        }
        spread
    }
}

/// How far apart in the variable's values two neighbours along a dimension are; 0 when it does
/// not have the dimension.
fn stride(variable: &NcVariable, dimension: &NcDimension) -> usize {
    let own = &variable.dimensions;
    match own.iter().position(|own| same(own, dimension)) {
        Some(position) => own[position + 1..]
            .iter()
            .map(|d| d.size as usize)
            .product(),
        None => 0,
    }
}

fn same(left: &NcDimension, right: &NcDimension) -> bool {
    left.name == right.name && left.size == right.size
}

fn listed(dimensions: &[NcDimension]) -> String {
    let names: Vec<&str> = dimensions.iter().map(|d| d.name.as_str()).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::support::testing::{complaint, testdata};

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
            file,
            inputs: columns(inputs),
            coords: Some(columns(coords)),
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
            assert_eq!(data.schema(), schema);
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
        let grid = [("x", 3), ("y", 2)].map(|(name, size)| NcDimension {
            name: name.to_owned(),
            size,
            is_unlimited: false,
        });
        let path = testdata("tiny3.nc");
        let file = CfFile::open(&path, &Files::unchecked()).expect("a file");
        let variables = file.variables().expect("variables");
        let relief = cf::find("inputs", "relief", &variables).expect("relief");
        let turned = Grid {
            dimensions: &grid,
            cells: 6,
        }
        .spread(relief, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(turned, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    }

    #[test]
    fn without_coords_every_axis_comes_along_as_the_file_names_it() {
        let source = NetCdf {
            file: testdata("tiny3.nc"),
            inputs: columns(&["sea_surface_temperature"]),
            coords: None,
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
        let hours = dsl::calendar::days_since_1970(
            data.schema()
                .find("time")
                .and_then(|time| time.unit.as_deref())
                .expect("a unit"),
        );
        let (factor, start) = hours.expect("a time");
        for row in marches {
            assert_eq!(
                dsl::calendar::month(column("time")[row] * factor + start),
                3.0
            );
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
        assert!(message.contains("invalid NetCDF magic bytes"), "{message}");
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
        let (param, message) = read("wide");
        assert_eq!(param, Some("file"));
        assert!(message.ends_with("declares more data for `wide` than it can hold"));
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
