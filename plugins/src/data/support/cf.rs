//! NetCDF files read by the CF conventions: variables by name or meaning, values unpacked.

use std::sync::Arc;

use engine::error::Fault;
use engine::files::Files;
use engine::params::DataPath;
use netcdf_reader::masked::MaskParams;
use netcdf_reader::unpack::{SignParams, UnpackParams};
use netcdf_reader::{NcAttrValue, NcFile, NcFormat, NcType, NcVariable, RangeRequestStorage};

use super::source;
use crate::sphere::LONGITUDE;

/// An open NetCDF-3 or NetCDF-4 file.
pub struct CfFile<'a> {
    path: &'a DataPath,
    file: NcFile,
    bytes: u64,
}

impl<'a> CfFile<'a> {
    /// Reads the header.
    ///
    /// # Errors
    /// When the file is not there or not NetCDF.
    pub fn open(path: &'a DataPath, files: &Files) -> Result<Self, Fault> {
        let opened = source::open(path, files)?;
        let bytes = opened.size();
        let storage = RangeRequestStorage::new(bytes, move |start, count| {
            let mut range = vec![0; count];
            opened.read_at(start, &mut range)?;
            Ok(range)
        });
        let file = NcFile::from_storage(Arc::new(storage))
            .map_err(|error| source::unreadable(path, "netcdf", &error))?;
        Ok(Self { path, file, bytes })
    }

    /// The variables that hold numbers.
    ///
    /// # Errors
    /// When the header is damaged.
    pub fn variables(&self) -> Result<Vec<&NcVariable>, Fault> {
        let all = self
            .file
            .variables()
            .map_err(|error| source::unreadable(self.path, "netcdf", &error))?;
        Ok(all.iter().filter(|variable| is_numeric(variable)).collect())
    }

    /// The values in the order of the file, unpacked; missing ones are NaN.
    ///
    /// Values packed with a single-precision `scale_factor` come out in single precision, the
    /// type CF 1.8 (section 8.1) gives them.
    ///
    /// # Errors
    /// When the file does not hold what its header declares.
    pub fn numbers(&self, variable: &NcVariable) -> Result<Vec<f64>, Fault> {
        let elements = self.check_size(variable)?;
        let mut values = self
            .file
            .read_variable_as_f64(&variable.name)
            .map_err(|error| source::unreadable(self.path, "netcdf", &error))?;
        if let Some(sign) = SignParams::from_variable(variable) {
            sign.apply(&mut values);
        }
        if let Some(mask) = MaskParams::from_variable(variable) {
            mask.apply(&mut values);
        }
        if let Some(fill) = default_fill(variable) {
            values.mapv_inplace(|value| if value == fill { f64::NAN } else { value });
        }
        if let Some(unpack) = UnpackParams::from_variable(variable) {
            unpack.apply(&mut values);
            if has_single_scale(variable) {
                values.mapv_inplace(|value| f64::from(value as f32));
            }
        }
        match values.len() as u64 == elements {
            true => Ok(values.iter().copied().collect()),
            false => Err(source::unreadable(self.path, "netcdf", &"damaged data")),
        }
    }

    /// The number of values, kept within what the file can hold: a header may declare far more.
    fn check_size(&self, variable: &NcVariable) -> Result<u64, Fault> {
        // Classic files are not packed; deflate, the usual filter of the others, packs no better
        // than 1032 to 1, and a few small chunks may be all fill.
        let most = match self.file.format() {
            NcFormat::Nc4 | NcFormat::Nc4Classic => self.bytes.saturating_mul(1032).max(1 << 28),
            _ => self.bytes,
        };
        let declared = variable.num_elements().ok().and_then(|elements| {
            let size = u64::try_from(variable.dtype.size().ok()?).ok()?;
            Some((elements, elements.checked_mul(size)?))
        });
        match declared {
            Some((elements, bytes)) if bytes <= most => Ok(elements),
            _ => Err(Fault::at(
                "file",
                format!(
                    "`{}` declares more data for `{}` than it can hold",
                    self.path.0.display(),
                    variable.name
                ),
            )),
        }
    }
}

/// The variable meant by `wanted`: of this very name, of this name in other letters, with this
/// `standard_name` or `long_name`, or the axis that `lat`, `lon`, `depth` or `time` stand for.
///
/// # Errors
/// At parameter `param`, when there is none or more than one.
pub fn find<'v>(
    param: &'static str,
    wanted: &str,
    variables: &[&'v NcVariable],
) -> Result<&'v NcVariable, Fault> {
    let ways: [fn(&NcVariable, &str) -> bool; 4] = [
        |variable, wanted| variable.name == wanted,
        |variable, wanted| variable.name.eq_ignore_ascii_case(wanted),
        |variable, wanted| {
            ["standard_name", "long_name"].iter().any(|attribute| {
                text(variable, attribute).is_some_and(|text| same_words(&text, wanted))
            })
        },
        is_axis,
    ];
    for way in ways {
        let hits: Vec<&NcVariable> = variables
            .iter()
            .copied()
            .filter(|variable| way(variable, wanted))
            .collect();
        match hits.as_slice() {
            [] => {}
            [variable] => return Ok(variable),
            several => {
                let names: Vec<&str> = several.iter().map(|v| v.name.as_str()).collect();
                return Err(
                    Fault::at(param, format!("more than one variable may be `{wanted}`"))
                        .with_hint(format!("say which: {}", names.join(", "))),
                );
            }
        }
    }
    let names: Vec<&str> = variables.iter().map(|v| v.name.as_str()).collect();
    Err(
        Fault::at(param, format!("the file has no variable `{wanted}`"))
            .with_hint(source::choices(wanted, &names)),
    )
}

/// The unit of a variable, when the file tells.
pub fn unit(variable: &NcVariable) -> Option<String> {
    text(variable, "units")
}

fn text(variable: &NcVariable, attribute: &str) -> Option<String> {
    let text = variable.attribute(attribute)?.value.as_string()?;
    let text = text.trim_matches(['\0', ' ']);
    (!text.is_empty()).then(|| text.to_owned())
}

fn same_words(left: &str, right: &str) -> bool {
    left.replace(' ', "_").eq_ignore_ascii_case(right)
}

/// Whether a variable is the axis a common name stands for, by CF 1.8 chapter 4.
fn is_axis(variable: &NcVariable, wanted: &str) -> bool {
    let unit = unit(variable);
    let unit_is = |names: &[&str]| unit.as_deref().is_some_and(|unit| names.contains(&unit));
    let axis_is =
        |letter: &str| text(variable, "axis").is_some_and(|axis| axis.eq_ignore_ascii_case(letter));
    match wanted.to_ascii_lowercase().as_str() {
        "lat" | "latitude" => unit_is(&LATITUDE) || unit.is_none() && axis_is("Y"),
        "lon" | "longitude" => unit_is(&LONGITUDE) || unit.is_none() && axis_is("X"),
        "depth" => {
            let positive = text(variable, "positive").map(|text| text.to_ascii_lowercase());
            let down = match positive.as_deref() {
                Some(direction) => direction == "down",
                None => axis_is("Z"),
            };
            down && (unit.is_none() || unit_is(&LENGTH))
        }
        "time" => {
            axis_is("T")
                || unit
                    .as_deref()
                    .is_some_and(|unit| unit.to_ascii_lowercase().contains(" since "))
        }
        _ => false,
    }
}

/// The spellings of CF 1.8, section 4.1.
const LATITUDE: [&str; 6] = [
    "degrees_north",
    "degree_north",
    "degree_N",
    "degrees_N",
    "degreeN",
    "degreesN",
];

const LENGTH: [&str; 8] = ["m", "meter", "meters", "metre", "metres", "km", "cm", "dam"];

fn is_numeric(variable: &NcVariable) -> bool {
    variable.dtype.is_primitive() && !matches!(variable.dtype, NcType::Char | NcType::String)
}

/// What the netCDF library writes where nothing was written, for variables that name no fill
/// value of their own. Bytes have none: all their values are in common use.
fn default_fill(variable: &NcVariable) -> Option<f64> {
    if variable.attribute("_FillValue").is_some() {
        return None;
    }
    match variable.dtype {
        NcType::Short => Some(-32_767.0),
        NcType::Int => Some(-2_147_483_647.0),
        NcType::Float => Some(f64::from(9.969_21e36_f32)),
        NcType::Double => Some(9.969_209_968_386_869e36),
        _ => None,
    }
}

fn has_single_scale(variable: &NcVariable) -> bool {
    ["scale_factor", "add_offset"]
        .iter()
        .filter_map(|name| variable.attribute(name))
        .all(|attribute| matches!(attribute.value, NcAttrValue::Floats(_)))
}
