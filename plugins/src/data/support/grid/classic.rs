//! NetCDF-3: the classic formats, by `netcdf-reader`.

use std::ops::Range;
use std::sync::Arc;

use engine::error::Fault;
use engine::files::DataFile;
use netcdf_reader::classic::ClassicFile;
use netcdf_reader::{
    NcAttrValue, NcFile, NcSliceInfo, NcSliceInfoElem, NcType, NcVariable, RangeRequestStorage,
};

use super::variable::{Precision, unreadable};
use super::{
    Attribute, Dimension, Element, Number, Source, Values, Variable, chosen, complete, in_order,
};

/// An open file.
pub struct Classic {
    file: DataFile,
    reader: NcFile,
    variables: Vec<Variable>,
    /// By the place of the variable.
    names: Vec<String>,
}

impl Classic {
    /// Reads the header.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn open(file: DataFile) -> Result<Self, Fault> {
        let opened = file.clone();
        let storage = RangeRequestStorage::new(file.size(), move |start, count| {
            let mut range = vec![0; count];
            opened.read_at(start, &mut range)?;
            Ok(range)
        });
        let reader =
            NcFile::from_storage(Arc::new(storage)).map_err(|error| unreadable(&file, &error))?;
        let found = reader
            .variables()
            .map_err(|error| unreadable(&file, &error))?;
        let records = reader.as_classic().map_or(0, ClassicFile::numrecs);
        let (size, described_size) = (file.size(), end_of_data(found, records));
        if described_size > size {
            let why =
                format!("the file has only {size} bytes, its header describes {described_size}");
            return Err(unreadable(&file, &why));
        }
        let names = found.iter().map(|variable| variable.name.clone()).collect();
        let variables = complete((0..).zip(found).map(|(at, it)| described(at, it)).collect());
        Ok(Self {
            file,
            reader,
            variables,
            names,
        })
    }
}

impl Source for Classic {
    fn variables(&self) -> &[Variable] {
        &self.variables
    }

    fn read(&self, variable: &Variable, part: &[Range<u64>]) -> Result<Values, Fault> {
        let name = &self.names[variable.place];
        let selection = NcSliceInfo {
            selections: part
                .iter()
                .map(|range| NcSliceInfoElem::Slice {
                    start: range.start,
                    end: range.end,
                    step: 1,
                })
                .collect(),
        };
        macro_rules! read {
            ($kind:ty) => {
                in_order(
                    self.reader
                        .read_variable_slice::<$kind>(name, &selection)
                        .map_err(|error| unreadable(&self.file, &error))?,
                )
                .into_iter()
            };
        }
        let values = match &variable.element {
            Element::Number(number) => match number {
                Number::I8 => Values::Single(read!(i8).map(f32::from).collect()),
                Number::U8 => Values::Single(read!(u8).map(f32::from).collect()),
                Number::I16 => Values::Single(read!(i16).map(f32::from).collect()),
                Number::U16 => Values::Single(read!(u16).map(f32::from).collect()),
                Number::I32 => Values::Double(read!(i32).map(f64::from).collect()),
                Number::U32 => Values::Double(read!(u32).map(f64::from).collect()),
                Number::I64 => Values::Double(read!(i64).map(|it| it as f64).collect()),
                Number::U64 => Values::Double(read!(u64).map(|it| it as f64).collect()),
                Number::F32 => Values::Single(read!(f32).collect()),
                Number::F16 | Number::F64 => Values::Double(read!(f64).collect()),
            },
            Element::Text => {
                let all = self
                    .reader
                    .as_classic()
                    .map(|it| it.read_variable_as_strings(name));
                let all = all
                    .transpose()
                    .map_err(|error| unreadable(&self.file, &error))?;
                let all = all.unwrap_or_default().into_iter();
                let all: Vec<String> = all
                    .map(|text| text.trim_end_matches(['\0', ' ']).to_owned())
                    .collect();
                Values::Texts(chosen(&all, &variable.dimensions, part))
            }
            Element::Unread(_) => Values::Double(Vec::new()),
        };
        Ok(values)
    }

    fn together(&self, _: &Variable, _: usize) -> u64 {
        1
    }
}

/// Texts of a fixed number of characters each, up to the first zero, without blanks at the end.
pub fn texts(bytes: &[u8], characters: u64) -> Vec<String> {
    let width = usize::try_from(characters).unwrap_or(usize::MAX).max(1);
    bytes
        .chunks(width)
        .map(|text| {
            let end = text.iter().position(|byte| *byte == 0);
            let text = String::from_utf8_lossy(&text[..end.unwrap_or(text.len())]);
            text.trim_end().to_owned()
        })
        .collect()
}

/// Where the last value ends, as the header says: records hold a piece of each variable that may
/// grow, padded to four bytes where there are several (NetCDF Classic Format Specification).
fn end_of_data(variables: &[NcVariable], records: u64) -> u64 {
    let growing = || variables.iter().filter(|it| it.is_record_var);
    let padded = |size: u64| size.div_ceil(4).saturating_mul(4);
    let record = match growing().count() {
        1 => growing().map(|it| it.record_size).sum(),
        _ => growing()
            .map(|it| padded(it.record_size))
            .fold(0, u64::saturating_add),
    };
    let size = |variable: &NcVariable| match variable.is_record_var {
        true if records == 0 => 0,
        true => record
            .saturating_mul(records - 1)
            .saturating_add(variable.record_size),
        false => variable
            .dimensions
            .iter()
            .map(|dimension| dimension.size)
            .fold(bytes_of(&element(&variable.dtype)), u64::saturating_mul),
    };
    let ends = variables.iter().map(|variable| match size(variable) {
        0 => 0,
        size => variable.data_offset.saturating_add(size),
    });
    ends.max().unwrap_or(0)
}

/// How many bytes a value takes, a character of a text one; none for types that classic files do not have.
fn bytes_of(element: &Element) -> u64 {
    match element {
        Element::Number(number) => number.bytes() as u64,
        Element::Text => 1,
        Element::Unread(_) => 0,
    }
}

fn is_text(variable: &NcVariable) -> bool {
    variable.dtype == NcType::Char
}

fn element(kind: &NcType) -> Element {
    match kind {
        NcType::Byte => Element::Number(Number::I8),
        NcType::Short => Element::Number(Number::I16),
        NcType::Int => Element::Number(Number::I32),
        NcType::Float => Element::Number(Number::F32),
        NcType::Double => Element::Number(Number::F64),
        NcType::UByte => Element::Number(Number::U8),
        NcType::UShort => Element::Number(Number::U16),
        NcType::UInt => Element::Number(Number::U32),
        NcType::Int64 => Element::Number(Number::I64),
        NcType::UInt64 => Element::Number(Number::U64),
        NcType::Char | NcType::String => Element::Text,
        _ => Element::Unread("of a type of its own".to_owned()),
    }
}

fn described(place: usize, variable: &NcVariable) -> Variable {
    let element = element(&variable.dtype);
    let mut dimensions: Vec<Dimension> = variable
        .dimensions
        .iter()
        .map(|dimension| Dimension {
            name: dimension.name.clone(),
            size: dimension.size,
            is_record: dimension.is_unlimited,
        })
        .collect();
    if is_text(variable) {
        dimensions.pop();
    }
    let attributes = variable
        .attributes
        .iter()
        .filter_map(|own| Some((own.name.clone(), attribute(&own.value)?)))
        .collect();
    let unwritten = match &element {
        Element::Number(number) => number.default_fill(),
        _ => None,
    };
    Variable {
        name: variable.name.clone(),
        place,
        dimensions,
        element,
        attributes,
        remarks: Vec::new(),
        unwritten,
    }
}

fn attribute(value: &NcAttrValue) -> Option<Attribute> {
    if let Some(text) = value.as_string() {
        return Some(Attribute::Text(text));
    }
    let precision = match value {
        NcAttrValue::Floats(_) => Precision::Single,
        _ => Precision::Other,
    };
    Some(Attribute::Numbers(value.as_f64_vec()?, precision))
}
