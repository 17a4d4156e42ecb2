//! NetCDF-4: HDF5 files with dimension scales, by `hdf5-reader`.
//!
//! The rules of the format: <https://docs.unidata.ucar.edu/netcdf-c/current/file_format_specifications.html>,
//! "The NetCDF-4 Format". A data set that is a dimension scale is a dimension; `DIMENSION_LIST` of
//! the others refers to those.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use engine::error::Fault;
use engine::files::DataFile;
use hdf5_reader::group::Group;
use hdf5_reader::messages::HdfMessage;
use hdf5_reader::reference::read_object_references;
use hdf5_reader::{
    Attribute as Stored, ByteOrder, Dataset, Datatype, H5Type, Hdf5File, OpenOptions,
    RangeRequestStorage, SliceInfo, SliceInfoElem, StringSize, VarLenKind,
};

use super::classic::texts;
use super::numbers::Order;
use super::small_reads::SmallReads;
use super::variable::{Precision, unreadable};
use super::{
    Attribute, Dimension, Element, LARGEST_CHUNK, Number, Source, Values, Variable, chosen,
    complete, filters, in_order, refuse_large_chunks,
};

/// How deep groups nest, and how many variables a file has, at most.
const DEEPEST: usize = 32;
const MOST_VARIABLES: usize = 100_000;

/// An open file.
pub struct Hdf5 {
    file: DataFile,
    variables: Vec<Variable>,
    /// By the place of the variable.
    datasets: Vec<Dataset>,
}

/// A data set with its path and its group.
struct LocatedDataset {
    path: String,
    dataset: Dataset,
    offset_size: u8,
    raw_type: Vec<u8>,
}

impl Hdf5 {
    /// Reads the metadata of all groups.
    ///
    /// # Errors
    /// When they are damaged.
    pub fn open(file: DataFile) -> Result<Self, Fault> {
        if let Some(end) = end_of(&file)
            && file.size() < end
        {
            let (size, ends) = (file.size(), "the file ends early");
            return Err(unreadable(&file, &format!("{ends}: {size} of {end} bytes")));
        }
        let opened = SmallReads::of(file.clone());
        let storage = RangeRequestStorage::new(file.size(), move |start, count| {
            Ok(opened.read(start, count)?)
        });
        let options = OpenOptions {
            filter_registry: Some(filters::registry()),
            // Every chunk is read once.
            chunk_cache_bytes: 0,
            max_chunk_bytes: LARGEST_CHUNK as usize,
            ..OpenOptions::default()
        };
        let read = || -> hdf5_reader::error::Result<_> {
            let hdf5 = Hdf5File::from_storage_with_options(Arc::new(storage), options)?;
            let mut found = Vec::new();
            walk(&hdf5.root_group()?, "", DEEPEST, &mut found)?;
            Ok((hdf5, found))
        };
        let (hdf5, found) = read().map_err(|error| unreadable(&file, &error))?;
        let scales = Scales::of(&found);
        let mut variables = Vec::new();
        let mut datasets = Vec::new();
        for found in &found {
            if scales.is_without_values(found) {
                continue;
            }
            let dimensions = scales.dimensions(found);
            variables.push(described(datasets.len(), found, dimensions, &hdf5));
            datasets.push(found.dataset.clone());
        }
        Ok(Self {
            file,
            variables: complete(variables),
            datasets,
        })
    }

    fn numbers<T: H5Type, V>(
        &self,
        dataset: &Dataset,
        part: &[Range<u64>],
        value: impl Fn(T) -> V,
    ) -> Result<Vec<V>, Fault> {
        let selection = SliceInfo {
            selections: part
                .iter()
                .map(|range| SliceInfoElem::Slice {
                    start: range.start,
                    end: range.end,
                    step: 1,
                })
                .collect(),
        };
        let read = match part.is_empty() {
            true => dataset.read_array::<T>(),
            false => dataset.read_slice::<T>(&selection),
        };
        let values = read.map_err(|error| unreadable(&self.file, &error))?;
        Ok(in_order(values).into_iter().map(value).collect())
    }

    fn texts(&self, dataset: &Dataset) -> Result<Vec<String>, Fault> {
        let read = match dataset.dtype() {
            Datatype::String {
                size: StringSize::Fixed(1),
                ..
            } => dataset.read_raw_bytes().map(|bytes| {
                let characters = dataset.shape().last().copied().unwrap_or(1);
                texts(&bytes, characters)
            }),
            _ => dataset.read_strings().map(|texts| {
                let texts = texts.into_iter();
                texts
                    .map(|text| text.trim_end_matches(['\0', ' ']).to_owned())
                    .collect()
            }),
        };
        read.map_err(|error| unreadable(&self.file, &error))
    }
}

/// Where the file ends, as its superblock says (HDF5 File Format Specification 3.0, II.A).
fn end_of(file: &DataFile) -> Option<u64> {
    const SIGNATURE: [u8; 8] = *b"\x89HDF\r\n\x1a\n";
    let starts = std::iter::once(0).chain((9..32).map(|power| 1 << power));
    let starts = starts.take_while(|start| *start < file.size());
    for start in starts {
        let mut head = [0; 64];
        let size = (file.size() - start).min(64) as usize;
        file.read_at(start, &mut head[..size]).ok()?;
        if head[..8] != SIGNATURE {
            continue;
        }
        let (width, addresses) = match head[8] {
            0 => (head[13], 24),
            1 => (head[13], 28),
            2 | 3 => (head[9], 12),
            _ => return None,
        };
        // The third address, in eight bytes as everybody writes them.
        let at = addresses + 16;
        let end = head.get(at..at + 8)?.try_into().ok()?;
        return (width == 8).then(|| u64::from_le_bytes(end));
    }
    None
}

impl Source for Hdf5 {
    fn variables(&self) -> &[Variable] {
        &self.variables
    }

    fn read(&self, variable: &Variable, part: &[Range<u64>]) -> Result<Values, Fault> {
        let dataset = &self.datasets[variable.place];
        // Where the file has fewer records than the dimension, the rest is fill.
        let shape: Vec<u64> = variable.dimensions.iter().map(|d| d.size).collect();
        let padded;
        let is_number = matches!(variable.element, Element::Number(_));
        let dataset = match is_number && dataset.shape() != shape.as_slice() {
            true => {
                let larger = dataset.clone().with_padded_shape(&shape);
                padded = larger.map_err(|error| unreadable(&self.file, &error))?;
                &padded
            }
            false => dataset,
        };
        let values = match &variable.element {
            Element::Number(number) => match number {
                Number::I8 => Values::Single(self.numbers(dataset, part, |it: i8| it.into())?),
                Number::U8 => Values::Single(self.numbers(dataset, part, |it: u8| it.into())?),
                Number::I16 => Values::Single(self.numbers(dataset, part, |it: i16| it.into())?),
                Number::U16 => Values::Single(self.numbers(dataset, part, |it: u16| it.into())?),
                Number::I32 => Values::Double(self.numbers(dataset, part, |it: i32| it.into())?),
                Number::U32 => Values::Double(self.numbers(dataset, part, |it: u32| it.into())?),
                Number::I64 => Values::Double(self.numbers(dataset, part, |it: i64| it as f64)?),
                Number::U64 => Values::Double(self.numbers(dataset, part, |it: u64| it as f64)?),
                Number::F16 => Values::Single(self.numbers(dataset, part, |it: Half| it.0)?),
                Number::F32 => Values::Single(self.numbers(dataset, part, |it: f32| it)?),
                Number::F64 => Values::Double(self.numbers(dataset, part, |it: f64| it)?),
            },
            Element::Text => {
                Values::Texts(chosen(&self.texts(dataset)?, &variable.dimensions, part))
            }
            Element::Unread(_) => Values::Double(Vec::new()),
        };
        Ok(values)
    }

    fn together(&self, variable: &Variable, dimension: usize) -> u64 {
        let chunks = self.datasets[variable.place].chunks();
        let stored = chunks.and_then(|sizes| sizes.get(dimension).copied());
        let whole = variable.dimensions.get(dimension).map_or(1, |d| d.size);
        stored.map_or(1, u64::from).min(whole).max(1)
    }
}

/// A number of half precision.
#[derive(Clone)]
struct Half(f32);

impl H5Type for Half {
    fn hdf5_type() -> Datatype {
        Datatype::FloatingPoint {
            size: 2,
            byte_order: ByteOrder::LittleEndian,
        }
    }

    fn from_bytes(bytes: &[u8], dtype: &Datatype) -> hdf5_reader::error::Result<Self> {
        let order = match dtype {
            Datatype::FloatingPoint {
                byte_order: ByteOrder::BigEndian,
                ..
            } => Order::Big,
            _ => Order::Little,
        };
        match Number::F16.decode(bytes, order) {
            Values::Single(values) if !values.is_empty() => Ok(Self(values[0])),
            _ => Err(hdf5_reader::error::Error::InvalidData(
                "a number of half precision has two bytes".to_owned(),
            )),
        }
    }

    fn element_size(_: &Datatype) -> usize {
        2
    }
}

/// All data sets of a group and the groups inside it.
fn walk(
    group: &Group,
    prefix: &str,
    depth: usize,
    found: &mut Vec<LocatedDataset>,
) -> hdf5_reader::error::Result<()> {
    let (groups, datasets) = group.member_names()?;
    for name in datasets {
        // One that uses what is not supported does not hide the others.
        let Ok(dataset) = group.dataset(&name) else {
            continue;
        };
        if found.len() == MOST_VARIABLES {
            return Err(hdf5_reader::error::Error::InvalidData(format!(
                "it has more than {MOST_VARIABLES} variables"
            )));
        }
        found.push(LocatedDataset {
            path: format!("{prefix}{name}"),
            raw_type: dataset.raw_datatype().unwrap_or_default(),
            dataset,
            offset_size: group.offset_size(),
        });
    }
    for name in groups {
        // Links may lead in circles.
        if depth > 0 {
            let inner = group.group(&name)?;
            walk(&inner, &format!("{prefix}{name}/"), depth - 1, found)?;
        }
    }
    Ok(())
}

/// The dimension scales of a file.
struct Scales {
    by_address: HashMap<u64, Dimension>,
    by_id: HashMap<i32, Dimension>,
}

impl Scales {
    fn of(found: &[LocatedDataset]) -> Self {
        let mut scales = Self {
            by_address: HashMap::new(),
            by_id: HashMap::new(),
        };
        for found in found {
            let dataset = &found.dataset;
            if text(dataset, "CLASS").as_deref() != Some("DIMENSION_SCALE") {
                continue;
            }
            let dimension = Dimension {
                name: found.path.clone(),
                size: dataset.shape().first().copied().unwrap_or(0),
                is_record: is_record(dataset, 0),
            };
            if let Ok(id) = dataset.attribute("_Netcdf4Dimid") {
                let id = id.read_scalar::<i32>();
                id.map(|id| scales.by_id.insert(id, dimension.clone())).ok();
            }
            scales.by_address.insert(dataset.address(), dimension);
        }
        scales.lengthen(found);
        scales
    }

    /// A dimension that may grow is as long as the longest variable on it.
    fn lengthen(&mut self, found: &[LocatedDataset]) {
        let mut longest: HashMap<String, u64> = HashMap::new();
        for found in found {
            for (dimension, size) in self.dimensions(found).iter().zip(found.dataset.shape()) {
                let known = longest.entry(dimension.name.clone()).or_default();
                *known = (*known).max(*size);
            }
        }
        let known = self.by_address.values_mut().chain(self.by_id.values_mut());
        for dimension in known.filter(|dimension| dimension.is_record) {
            let longest = longest.get(&dimension.name).copied().unwrap_or_default();
            dimension.size = dimension.size.max(longest);
        }
    }

    /// Whether it is a dimension and no variable.
    fn is_without_values(&self, found: &LocatedDataset) -> bool {
        self.by_address.contains_key(&found.dataset.address())
            && text(&found.dataset, "NAME").is_some_and(|name| {
                name.starts_with("This is a netCDF dimension but not a netCDF variable")
            })
    }

    fn dimensions(&self, found: &LocatedDataset) -> Vec<Dimension> {
        let shape = found.dataset.shape();
        let known = self
            .own(found)
            .or_else(|| self.listed(found))
            .filter(|known| known.len() == shape.len());
        known.unwrap_or_else(|| {
            // Files that are HDF5 without the conventions of NetCDF: every axis has its own.
            let axis = |(at, size): (usize, &u64)| Dimension {
                name: format!("{}_axis_{}", found.path, at + 1),
                size: *size,
                is_record: is_record(&found.dataset, at),
            };
            shape.iter().enumerate().map(axis).collect()
        })
    }

    /// Those of a variable that is a dimension itself.
    fn own(&self, found: &LocatedDataset) -> Option<Vec<Dimension>> {
        let own = self.by_address.get(&found.dataset.address())?;
        if found.dataset.ndim() == 1 {
            return Some(vec![own.clone()]);
        }
        let ids = found.dataset.attribute("_Netcdf4Coordinates").ok()?;
        let ids = ids.read_1d::<i32>().ok()?;
        ids.iter().map(|id| self.by_id.get(id).cloned()).collect()
    }

    /// Those that `DIMENSION_LIST` refers to.
    fn listed(&self, found: &LocatedDataset) -> Option<Vec<Dimension>> {
        let dataset = &found.dataset;
        if dataset.ndim() == 0 {
            return Some(Vec::new());
        }
        let list = dataset.attribute("DIMENSION_LIST").ok()?;
        let entry = 4 + usize::from(found.offset_size) + 4;
        let entries = list.raw_data.chunks_exact(entry).take(dataset.ndim());
        entries
            .map(|entry| {
                let offset_size = usize::from(found.offset_size);
                let bytes = dataset.resolve_vlen_reference_bytes(entry, offset_size);
                let references = read_object_references(&bytes.ok()?, found.offset_size);
                let first = references.ok()?.first().copied()?;
                self.by_address.get(&first).cloned()
            })
            .collect()
    }
}

fn is_record(dataset: &Dataset, axis: usize) -> bool {
    let most = dataset.max_dims().and_then(|most| most.get(axis));
    most == Some(&u64::MAX)
}

fn text(dataset: &Dataset, name: &str) -> Option<String> {
    dataset.attribute(name).ok()?.read_string().ok()
}

fn described(
    place: usize,
    found: &LocatedDataset,
    mut dimensions: Vec<Dimension>,
    hdf5: &Hdf5File,
) -> Variable {
    let dataset = &found.dataset;
    let unknown = unknown_filter(dataset, hdf5);
    let element = match unknown {
        Some(filter) => Element::Unread(format!("compressed by {filter}")),
        None => element(dataset.dtype(), &found.raw_type),
    };
    if is_characters(dataset) {
        dimensions.pop();
    }
    let unwritten = match &element {
        Element::Number(number) => number.default_fill(),
        _ => None,
    };
    let mut variable = Variable {
        name: found.path.clone(),
        place,
        dimensions,
        element,
        attributes: attributes(dataset),
        remarks: Vec::new(),
        unwritten,
    };
    if let (Element::Number(number), Some(sizes)) = (&variable.element, dataset.chunks()) {
        // The layout may name the size of a number after these.
        let sizes = sizes.iter().take(dataset.ndim());
        let bytes = sizes.map(|size| u64::from(*size));
        let bytes = bytes.fold(number.bytes() as u64, u64::saturating_mul);
        refuse_large_chunks(&mut variable, bytes);
    }
    variable
}

fn is_characters(dataset: &Dataset) -> bool {
    let one = StringSize::Fixed(1);
    matches!(dataset.dtype(), Datatype::String { size, .. } if *size == one) && dataset.ndim() > 0
}

fn unknown_filter(dataset: &Dataset, hdf5: &Hdf5File) -> Option<String> {
    let header = hdf5.get_or_parse_header(dataset.address()).ok()?;
    header.messages.iter().find_map(|message| match message {
        HdfMessage::FilterPipeline(pipeline) => pipeline
            .filters
            .iter()
            .find_map(|filter| filters::unknown(filter.id, filter.name.as_deref())),
        _ => None,
    })
}

/// What the values are; `raw` are the bytes that describe the type in the file.
fn element(datatype: &Datatype, raw: &[u8]) -> Element {
    let number = match datatype {
        Datatype::FixedPoint { size, signed, .. } => match (size, signed) {
            (1, true) => Number::I8,
            (1, false) => Number::U8,
            (2, true) => Number::I16,
            (2, false) => Number::U16,
            (4, true) => Number::I32,
            (4, false) => Number::U32,
            (8, true) => Number::I64,
            (8, false) => Number::U64,
            _ => return Element::Unread(format!("in integers of {size} bytes")),
        },
        Datatype::FloatingPoint { size, .. } => match (size, is_ieee(*size, raw)) {
            (2, true) => Number::F16,
            (4, true) => Number::F32,
            (8, true) => Number::F64,
            _ => {
                let bits = u32::from(*size) * 8;
                return Element::Unread(format!("in {bits}-bit numbers that are not IEEE 754"));
            }
        },
        Datatype::String { .. }
        | Datatype::VarLen {
            kind: VarLenKind::String,
            ..
        } => return Element::Text,
        Datatype::Compound { .. } => return Element::Unread("made of compound values".to_owned()),
        Datatype::Enum { .. } => return Element::Unread("an enumeration".to_owned()),
        Datatype::VarLen { .. } => {
            return Element::Unread("made of lists of various lengths".to_owned());
        }
        Datatype::Array { .. } => return Element::Unread("made of arrays".to_owned()),
        Datatype::Opaque { .. } => return Element::Unread("made of opaque bytes".to_owned()),
        Datatype::Reference { .. } => return Element::Unread("made of references".to_owned()),
        Datatype::Bitfield { .. } => return Element::Unread("made of fields of bits".to_owned()),
    };
    Element::Number(number)
}

/// Whether exponent and fraction lie where IEEE 754 has them (HDF5 specification 3.0, IV.A.2.d).
fn is_ieee(size: u8, raw: &[u8]) -> bool {
    let expected: [u8; 8] = match size {
        // Exponent at, size; fraction at, size; bias.
        2 => [10, 5, 0, 10, 15, 0, 0, 0],
        4 => [23, 8, 0, 23, 127, 0, 0, 0],
        8 => [52, 11, 0, 52, 0xff, 3, 0, 0],
        _ => return false,
    };
    // Where its description is not at hand, the usual one.
    raw.get(12..20).is_none_or(|found| found == expected)
}

fn attributes(dataset: &Dataset) -> Vec<(String, Attribute)> {
    let own = |name: &str| {
        name.starts_with("_Netcdf4")
            || [
                "CLASS",
                "NAME",
                "DIMENSION_LIST",
                "REFERENCE_LIST",
                "_NCProperties",
            ]
            .contains(&name)
    };
    let stored = dataset.attributes().into_iter();
    stored
        .filter(|stored| !own(&stored.name))
        .filter_map(|stored| Some((stored.name.clone(), attribute(&stored)?)))
        .collect()
}

fn attribute(stored: &Stored) -> Option<Attribute> {
    let numbers = |values: Option<Vec<f64>>| Some(Attribute::Numbers(values?, Precision::Other));
    macro_rules! read {
        ($kind:ty) => {{
            let values = stored.read_1d::<$kind>().ok();
            values.map(|values| values.into_iter().map(|it| it as f64).collect())
        }};
    }
    match stored.datatype {
        Datatype::FixedPoint { size, signed, .. } => numbers(match (size, signed) {
            (1, true) => read!(i8),
            (1, false) => read!(u8),
            (2, true) => read!(i16),
            (2, false) => read!(u16),
            (4, true) => read!(i32),
            (4, false) => read!(u32),
            (8, true) => read!(i64),
            (8, false) => read!(u64),
            _ => None,
        }),
        Datatype::FloatingPoint { size: 2, .. } => {
            let values = stored.read_1d::<Half>().ok();
            numbers(values.map(|values| values.into_iter().map(|it| f64::from(it.0)).collect()))
        }
        Datatype::FloatingPoint { size: 4, .. } => {
            let values: Vec<f64> = read!(f32)?;
            Some(Attribute::Numbers(values, Precision::Single))
        }
        Datatype::FloatingPoint { .. } => numbers(read!(f64)),
        _ => {
            let text = stored.read_string().ok();
            let text = text.or_else(|| Some(stored.read_strings().ok()?.join(" ")));
            Some(Attribute::Text(text?))
        }
    }
}
