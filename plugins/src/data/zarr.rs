//! `zarr`: the cells of gridded variables of a Zarr store as rows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use dsl::signature::ColumnRule;
use dsl::types::Schema;
use engine::artifact::Dataset;
use engine::error::Fault;
use engine::files::{DataFile, Files};
use engine::params::DataPath;
use engine::plugin;
use engine::plugin::{Complaint, Context, Each, InParts, Plugin, Sketch};

use super::support::grid::{self, Source, Unpacked};
use super::support::gridded::{self, Gridded};
use super::support::row_choice::of_many_rows;
use super::support::several::GridFiles;
use super::support::source;

plugin! {
    /// The cells of gridded variables of a Zarr store, one row each.
    ///
    /// Versions 2 and 3 of the format, a folder or a zip file of it, with or without
    /// consolidated metadata. Chunks may be encoded by zstd, gzip, zlib, Blosc 1, bzip2, LZ4,
    /// shuffle, transpose, CRC-32C and shards; an array that is encoded otherwise is refused, the
    /// others are read. Absent chunks hold the fill value, which means missing
    /// in version 2, and in version 3 where the attribute `_FillValue` says so, as xarray reads
    /// them.
    ///
    /// Several stores, named by a pattern such as `"tas_*.zarr"`, by the folder that they are in or
    /// in a list, are joined as `netcdf` joins files.
    ///
    /// Variables, coordinates and columns are found as `netcdf` finds them; dimensions have the
    /// names of `dimension_names` or `_ARRAY_DIMENSIONS`.
    ///
    /// ```farcast
    /// data cells = zarr("tiny.zarr.zip", inputs: [v], coords: [time, lat])
    /// ```
    "zarr" version 2
    pub struct Zarr {
        /// The folder or zip file, a pattern that several match, or a list of these.
        file: GridFiles;
        /// The variables that become columns.
        grid: Gridded, flatten();
    }
}

impl Plugin for Zarr {
    type Output = Dataset;

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
    let mut all = Vec::new();
    for DataPath(root) in &paths.0 {
        let opened = files
            .open_all(root)
            .map_err(|fault| source::moved(fault, "file"))?;
        all.extend(stores(root, opened));
    }
    let mut seen = BTreeSet::new();
    if let Some((twice, _)) = all.iter().find(|(root, _)| !seen.insert(root)) {
        let message = format!("`{}` is named twice", twice.display());
        return Err(Fault::at("file", message));
    }
    let stores = all.into_iter().map(|(root, files)| {
        let source = Unpacked::new(grid::open_zarr(&root, files)?);
        Ok((
            root.display().to_string(),
            Box::new(source) as Box<dyn Source>,
        ))
    });
    grid::joined(stores.collect::<Result<_, Fault>>()?)
}

/// The stores that files belong to, by name: folders with the metadata of a group, and zip files.
fn stores(root: &Path, files: Vec<DataFile>) -> Vec<(PathBuf, Vec<DataFile>)> {
    let is_head = |file: &&DataFile| {
        let name = file.path().file_name();
        name.is_some_and(|name| {
            [".zgroup", ".zmetadata", "zarr.json"]
                .iter()
                .any(|it| name == *it)
        })
    };
    let mut folders: Vec<&Path> = files
        .iter()
        .filter(is_head)
        .filter_map(|file| file.path().parent())
        .collect();
    folders.sort_unstable_by_key(|folder| (folder.components().count(), *folder));
    let mut tops: Vec<PathBuf> = Vec::new();
    for folder in folders {
        if !tops.iter().any(|top| folder.starts_with(top)) {
            tops.push(folder.to_owned());
        }
    }
    let is_zip = |file: &DataFile| {
        let is_named = file.path().extension().is_some_and(|end| end == "zip");
        is_named && !tops.iter().any(|top| file.path().starts_with(top))
    };
    let zips: Vec<PathBuf> = files
        .iter()
        .filter(|file| is_zip(file))
        .map(|file| file.path().to_owned())
        .collect();
    if tops.len() + zips.len() < 2 {
        return vec![(root.to_owned(), files)];
    }
    tops.extend(zips);
    let mut stores: BTreeMap<PathBuf, Vec<DataFile>> = BTreeMap::new();
    for file in files {
        if let Some(top) = tops.iter().find(|top| file.path().starts_with(top)) {
            stores.entry(top.clone()).or_default().push(file);
        }
    }
    stores.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use engine::params::Column;

    use super::*;
    use crate::data::support::testing::{complaint, testdata};

    #[test]
    fn rows_are_those_that_xarray_finds() {
        // xr.Dataset({"v": (("time", "lat"), [[1., 2.], [np.nan, 4.], [5., 6.]])},
        //            {"time": [10, 20, 30], "lat": [-5.5, 5.5]}).to_zarr("tiny.zarr.zip")
        let columns = |names: [&str; 2]| names.map(|name| Column(name.to_owned())).to_vec();
        let zarr = Zarr {
            file: testdata("tiny.zarr.zip").into(),
            grid: Gridded {
                inputs: vec![Column("v".to_owned())],
                coords: Some(columns(["time", "lat"])),
                every: 1,
                r#where: None,
            },
        };
        let context = Context::alone("zarr");
        let data = zarr.run(&context).expect("rows");
        let values = |name: &str| data.values(name).expect(name).to_vec();
        assert_eq!(values("v"), [1.0, 2.0, 4.0, 5.0, 6.0]);
        assert_eq!(values("time"), [10.0, 10.0, 20.0, 30.0, 30.0]);
        assert_eq!(values("lat"), [-5.5, 5.5, 5.5, -5.5, 5.5]);
        assert_eq!(context.take_notes(), ["dropped 1 of 6 cells without `v`"]);
    }
    /// A zip file with one deflated entry for each name; the last number is the size it declares.
    fn zipped(entries: &[(&str, Vec<u8>, usize)]) -> Vec<u8> {
        use std::io::Write;
        let (mut bytes, mut directory) = (Vec::new(), Vec::new());
        for (name, content, size) in entries {
            let mut packer = flate2::write::DeflateEncoder::new(Vec::new(), Default::default());
            packer.write_all(content).expect("deflated");
            let packed = packer.finish().expect("deflated");
            let mut crc = flate2::Crc::new();
            crc.update(content);
            let mut shared = vec![20, 0, 0, 0, 8, 0, 0, 0, 0, 0];
            for number in [crc.sum(), packed.len() as u32, *size as u32] {
                shared.extend(number.to_le_bytes());
            }
            shared.extend([name.len() as u8, 0, 0, 0]);
            directory.extend(b"PK\x01\x02\x14\0");
            directory.extend(&shared);
            directory.extend([0; 10]);
            directory.extend((bytes.len() as u32).to_le_bytes());
            directory.extend(name.as_bytes());
            bytes.extend(b"PK\x03\x04");
            bytes.extend(&shared);
            bytes.extend(name.as_bytes());
            bytes.extend(packed);
        }
        let start = bytes.len() as u32;
        bytes.extend(&directory);
        bytes.extend(b"PK\x05\x06\0\0\0\0");
        bytes.extend([entries.len() as u8, 0, entries.len() as u8, 0]);
        bytes.extend((directory.len() as u32).to_le_bytes());
        bytes.extend(start.to_le_bytes());
        bytes.extend([0, 0]);
        bytes
    }

    /// A store whose one chunk, of four numbers, has this content.
    fn run_with_chunk(content: Vec<u8>, size: usize) -> Result<Dataset, Fault> {
        let text = |text: &str| text.as_bytes().to_vec();
        let array = r#"{"zarr_format":2,"shape":[4],"chunks":[4],"dtype":"<f8","compressor":null,
            "fill_value":null,"order":"C","filters":null}"#;
        let attributes = r#"{"_ARRAY_DIMENSIONS":["x"]}"#;
        let whole = |name, content: Vec<u8>| {
            let size = content.len();
            (name, content, size)
        };
        let zip = zipped(&[
            whole(".zgroup", text(r#"{"zarr_format":2}"#)),
            whole("v/.zarray", text(array)),
            whole("v/.zattrs", text(attributes)),
            ("v/0", content, size),
        ]);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("it.zarr.zip");
        std::fs::write(&path, zip).expect("a file");
        let zarr = Zarr {
            file: DataPath(path).into(),
            grid: Gridded {
                inputs: vec![Column("v".to_owned())],
                coords: None,
                every: 1,
                r#where: None,
            },
        };
        zarr.run(&Context::alone("zip"))
    }

    #[test]
    fn a_netcdf_file_is_told_what_reads_it() {
        let zarr = Zarr {
            file: testdata("tiny3.nc").into(),
            grid: Gridded {
                inputs: vec![Column("sst".to_owned())],
                coords: None,
                every: 1,
                r#where: None,
            },
        };
        let (_, message) = complaint(zarr.schema(&Files::unchecked()));
        assert!(
            message.ends_with("as zarr: it is a NetCDF file"),
            "{message}"
        );
    }

    #[test]
    fn entries_that_expand_to_more_than_a_chunk_are_refused() {
        let four: Vec<u8> = [1.0_f64, 2.0, 3.0, 4.0].map(f64::to_le_bytes).concat();
        let data = run_with_chunk(four.clone(), 32).expect("rows");
        assert_eq!(data.values("v").expect("v")[..], [1.0, 2.0, 3.0, 4.0]);
        let refused = |content: Vec<u8>, size| {
            let read = run_with_chunk(content, size).map(|_| ());
            read.expect_err("a fault").to_string()
        };
        let bomb = vec![0; 50 << 20];
        let told = refused(bomb.clone(), 50 << 20);
        assert!(told.contains("more than"), "{told}");
        // It says less than it holds.
        let lied = refused(bomb, 32);
        assert!(lied.contains("`v/0`"), "{lied}");
        let cut = refused(four[..24].to_vec(), 24);
        assert!(cut.contains('v'), "{cut}");
    }
}
