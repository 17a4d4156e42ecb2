//! NetCDF files of all formats.

use engine::error::Fault;
use engine::files::DataFile;

use super::variable::unreadable;
use super::{Source, classic, hdf5};
use crate::data::support::source::other_reader;

/// Opens a NetCDF-3 or NetCDF-4 file.
///
/// # Errors
/// When it is not NetCDF or its header is damaged.
pub fn open(file: DataFile) -> Result<Box<dyn Source>, Fault> {
    let mut magic = vec![0; file.size().min(8) as usize];
    let unreadable = |error: &dyn std::fmt::Display| unreadable(&file, error);
    file.read_at(0, &mut magic)
        .map_err(|error| unreadable(&error))?;
    match magic.as_slice() {
        [b'C', b'D', b'F', ..] => Ok(Box::new(classic::Classic::open(file)?)),
        // HDF5 may begin after a block of the user's own, at a power of two from 512 on.
        [0x89, b'H', b'D', b'F', ..] => Ok(Box::new(hdf5::Hdf5::open(file)?)),
        [b'G', b'R', b'I', b'B', ..] => Err(unreadable(&"it is GRIB").with_hint(
            "convert it, for example with `cdo -f nc4 copy in.grib out.nc` or `grib_to_netcdf`",
        )),
        [b'P', b'K', ..] => {
            Err(unreadable(&"it is a zip file").with_hint("a zipped Zarr store is read by `zarr`"))
        }
        [0x1f, 0x8b, ..] => Err(unreadable(&"it is compressed by gzip")
            .with_hint("decompress it: NetCDF-4 compresses inside the file")),
        [] => Err(unreadable(&"it is empty")),
        _ => hdf5::Hdf5::open(file.clone())
            .map(|source| Box::new(source) as Box<dyn Source>)
            .map_err(|_| {
                let fault = unreadable(&"it does not begin as NetCDF files do");
                match other_reader(&file) {
                    Some(hint) => fault.with_hint(hint),
                    None => fault,
                }
            }),
    }
}
