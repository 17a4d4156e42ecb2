//! Variables found by the CF conventions: by name or by meaning.

use dsl::calendar::time::NotATime;
use dsl::calendar::{Calendar, TimeUnit};
use dsl::types::{ColumnInfo, Content};
use engine::error::Fault;

use super::grid::{Element, Variable};
use super::source;
use crate::sphere::LONGITUDE;

/// The variable meant by `wanted`: of this very name, of this name in some group, of this name in
/// other letters, with this `standard_name` or `long_name`, or the axis that `lat`, `lon`,
/// `depth` or `time` mean.
///
/// # Errors
/// At parameter `param`, when there is none or more than one.
pub fn find<'v>(
    param: &'static str,
    wanted: &str,
    variables: &[&'v Variable],
) -> Result<&'v Variable, Fault> {
    let ways: [fn(&Variable, &str) -> bool; 5] = [
        |variable, wanted| variable.name == wanted,
        |variable, wanted| variable.leaf() == wanted,
        |variable, wanted| variable.leaf().eq_ignore_ascii_case(wanted),
        |variable, wanted| {
            ["standard_name", "long_name"].iter().any(|attribute| {
                let text = variable.text(attribute);
                text.is_some_and(|text| same_words(text, wanted))
            })
        },
        is_axis,
    ];
    for way in ways {
        let hits: Vec<&Variable> = variables
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
pub fn unit(variable: &Variable) -> Option<String> {
    variable.text("units").map(str::to_owned)
}

/// The column that a variable is: texts, times by their unit and calendar, else numbers.
///
/// # Errors
/// When it says to be a time, but in a calendar or unit that has no dates.
pub fn column(name: &str, variable: &Variable) -> Result<ColumnInfo, Fault> {
    if variable.element == Element::Text {
        return Ok(ColumnInfo::texts(name));
    }
    let mut column = ColumnInfo::numbers(name, unit(variable));
    let is_time = |unit: &String| unit.to_ascii_lowercase().contains(" since ");
    let Some(unit) = column.unit.as_ref().filter(|unit| is_time(unit)) else {
        return Ok(column);
    };
    let refused = |why: String| {
        Fault::at(
            "file",
            format!("the times of `{name}` cannot be read: {why}"),
        )
    };
    let calendar = match variable.text("calendar") {
        None => Calendar::Standard,
        Some(named) => Calendar::named(named).ok_or_else(|| {
            let known: Vec<&str> = Calendar::names().collect();
            refused(format!("`{named}` is not a calendar with dates"))
                .with_hint(format!("calendars: {}", known.join(", ")))
        })?,
    };
    let time = TimeUnit::parse(unit, calendar).map_err(|why| match why {
        NotATime::Unreadable(why) => refused(format!("in its unit `{unit}`, {why}")),
        NotATime::NoReference => refused(format!("`{unit}` is not a unit since a date")),
    })?;
    column.content = Content::Time(time);
    Ok(column)
}

fn same_words(left: &str, right: &str) -> bool {
    left.replace(' ', "_").eq_ignore_ascii_case(right)
}

/// Whether a variable is the axis that a common name means, by CF 1.8 chapter 4.
pub fn is_axis(variable: &Variable, wanted: &str) -> bool {
    let unit = unit(variable);
    let unit_is = |names: &[&str]| unit.as_deref().is_some_and(|unit| names.contains(&unit));
    let axis_is = |letter: &str| {
        variable
            .text("axis")
            .is_some_and(|axis| axis.eq_ignore_ascii_case(letter))
    };
    match wanted.to_ascii_lowercase().as_str() {
        "lat" | "latitude" => unit_is(&LATITUDE) || unit.is_none() && axis_is("Y"),
        "lon" | "longitude" => unit_is(&LONGITUDE) || unit.is_none() && axis_is("X"),
        "depth" => {
            let positive = variable.text("positive").map(str::to_ascii_lowercase);
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
