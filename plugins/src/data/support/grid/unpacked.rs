//! Values as the CF conventions mean them: unpacked, and missing ones NaN (CF 1.8, sections 2.5
//! and 8.1; NetCDF Users Guide, appendix "Attribute Conventions").

use std::ops::Range;

use engine::error::Fault;

use super::variable::Precision;
use super::{Attribute, Element, Number, Source, Values, Variable};

/// A source whose values are unpacked and masked.
pub struct Unpacked {
    source: Box<dyn Source>,
    variables: Vec<Variable>,
    /// Those of the variables, in their order.
    rules: Vec<Rules>,
}

/// What turns stored numbers into values.
#[derive(Clone, Debug, Default, PartialEq)]
struct Rules {
    sign: Option<Sign>,
    missing: Vec<f64>,
    lowest: Option<f64>,
    highest: Option<f64>,
    scale: Option<f64>,
    offset: Option<f64>,
    /// Whether the values have the precision of single numbers, whatever is stored.
    is_single: bool,
}

/// Numbers that are stored with the other kind of sign (attribute `_Unsigned`).
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sign {
    /// Negative numbers encode unsigned ones, larger by this.
    Unsigned(f64),
    /// Numbers from half of this on encode negative ones, smaller by this.
    Signed(f64),
}

impl Sign {
    /// That of numbers of a type, when `_Unsigned` has this value.
    fn of(number: Number, unsigned: &str) -> Option<Self> {
        match (unsigned.to_ascii_lowercase().as_str(), number) {
            ("true", Number::I8) => Some(Self::Unsigned(256.0)),
            ("true", Number::I16) => Some(Self::Unsigned(65_536.0)),
            ("true", Number::I32) => Some(Self::Unsigned(4_294_967_296.0)),
            ("true", Number::I64) => Some(Self::Unsigned(18_446_744_073_709_551_616.0)),
            ("false", Number::U8) => Some(Self::Signed(256.0)),
            ("false", Number::U16) => Some(Self::Signed(65_536.0)),
            ("false", Number::U32) => Some(Self::Signed(4_294_967_296.0)),
            _ => None,
        }
    }

    fn meant(self, value: f64) -> f64 {
        match self {
            Self::Unsigned(wrap) if value < 0.0 => value + wrap,
            Self::Signed(wrap) if value >= wrap / 2.0 => value - wrap,
            _ => value,
        }
    }
}

impl Unpacked {
    /// The values of a source, unpacked.
    pub fn new(source: Box<dyn Source>) -> Self {
        let mut variables = Vec::new();
        let mut rules = Vec::new();
        for variable in source.variables() {
            let mut variable = variable.clone();
            let inherited = inherited(&variable, source.variables());
            variable.attributes.extend(inherited);
            rules.push(Rules::of(&mut variable));
            variables.push(variable);
        }
        Self {
            source,
            variables,
            rules,
        }
    }

    fn rules(&self, variable: &Variable) -> Option<&Rules> {
        let at = self
            .variables
            .iter()
            .position(|own| own.name == variable.name);
        at.map(|at| &self.rules[at])
    }
}

impl Source for Unpacked {
    fn variables(&self) -> &[Variable] {
        &self.variables
    }

    fn read(&self, variable: &Variable, part: &[Range<u64>]) -> Result<Values, Fault> {
        let values = self.source.read(variable, part)?;
        Ok(match self.rules(variable) {
            Some(rules) => rules.apply(values),
            None => values,
        })
    }

    fn together(&self, variable: &Variable, dimension: usize) -> u64 {
        self.source.together(variable, dimension)
    }

    fn is_single(&self, variable: &Variable) -> bool {
        let is_float = variable.element == Element::Number(Number::F32);
        self.rules(variable).is_some_and(|rules| {
            rules.is_single && (is_float || rules.scale.is_some() || rules.offset.is_some())
        })
    }
}

/// The unit and the calendar that bounds have from the variable that they are the bounds of (CF
/// 1.8, section 7.1).
fn inherited(bounds: &Variable, all: &[Variable]) -> Vec<(String, Attribute)> {
    let group = bounds.name.strip_suffix(bounds.leaf()).unwrap_or_default();
    let is_of = |it: &&Variable| {
        let named = it.text("bounds").or_else(|| it.text("climatology"));
        let beside = it.name.strip_suffix(it.leaf()) == Some(group);
        named == Some(bounds.name.as_str()) || beside && named == Some(bounds.leaf())
    };
    let Some(of) = all.iter().find(is_of) else {
        return Vec::new();
    };
    let lacking = ["units", "calendar"]
        .into_iter()
        .filter(|it| bounds.attribute(it).is_none());
    let given = lacking.filter_map(|name| Some((name.to_owned(), of.attribute(name)?.clone())));
    given.collect()
}

impl Rules {
    /// Those of a variable. Its remarks name attributes that should be numbers and are not,
    /// or make it unreadable where values would be wrong without them.
    fn of(variable: &mut Variable) -> Self {
        let Element::Number(number) = variable.element else {
            return Self::default();
        };
        let mut remarks = Vec::new();
        let mut numbers = |name: &str| match variable.attribute(name)? {
            Attribute::Numbers(values, _) if values.is_empty() => None,
            Attribute::Numbers(values, _) => Some(values.clone()),
            Attribute::Text(text) => {
                let quoted = quoted_number(text);
                if quoted.is_none() {
                    remarks.push((name.to_owned(), text.clone()));
                }
                quoted.map(|value| vec![value])
            }
        };
        let sign = variable
            .text("_Unsigned")
            .and_then(|text| Sign::of(number, text));
        let meant = |value: f64| sign.map_or(value, |sign| sign.meant(value));
        let fill = numbers("_FillValue");
        let missing = numbers("missing_value").unwrap_or_default();
        let default = match (&fill, sign) {
            (None, None) => variable.unwritten,
            _ => None,
        };
        let missing = fill.into_iter().flatten().take(1).chain(missing);
        let missing = missing.map(meant).chain(default).collect();
        let range = numbers("valid_range").filter(|range| range.len() >= 2);
        let lowest = range.as_ref().map(|range| vec![range[0]]);
        let highest = range.map(|range| vec![range[1]]);
        let first = |values: Option<Vec<f64>>| values?.first().copied();
        let lowest = first(lowest.or_else(|| numbers("valid_min")));
        let highest = first(highest.or_else(|| numbers("valid_max")));
        let scale = first(numbers("scale_factor"));
        let offset = first(numbers("add_offset"));
        let single = |name: &str| match variable.attribute(name) {
            Some(Attribute::Numbers(_, precision)) => Some(*precision == Precision::Single),
            _ => None,
        };
        let precisions = [single("scale_factor"), single("add_offset")];
        let is_packed = scale.is_some() || offset.is_some();
        let is_single = match is_packed {
            true => {
                let mut known = precisions.into_iter().flatten();
                let all = known.clone().all(|single| single);
                known.next().is_some() && all
            }
            false => number.is_single(),
        };
        for name in ["scale_factor", "add_offset"] {
            if let Some(Attribute::Numbers(values, _)) = variable.attribute(name)
                && values.len() > 1
            {
                let told = format!("packed with a `{name}` of {} numbers", values.len());
                variable.element = Element::Unread(told);
            }
        }
        let is_false = |text: &str| text.eq_ignore_ascii_case("false");
        if number == Number::U64 && variable.text("_Unsigned").is_some_and(is_false) {
            let told = "stored as unsigned numbers of 64 bits and meant as signed ones";
            variable.element = Element::Unread(told.to_owned());
        }
        for (name, text) in remarks {
            let told = format!("`{name}` = {text:?}, which is not a number");
            match name.as_str() {
                "scale_factor" | "add_offset" => {
                    variable.element = Element::Unread(format!("packed with {told}"));
                }
                _ => variable.remarks.push(format!("{told}, is not used")),
            }
        }
        if range_is_odd(variable) {
            let told = "`valid_range` has not two numbers and is not used";
            variable.remarks.push(told.to_owned());
        }
        Self {
            sign,
            missing,
            lowest: lowest.map(meant),
            highest: highest.map(meant),
            scale,
            offset,
            is_single,
        }
    }

    fn apply(&self, values: Values) -> Values {
        let is_packed = self.scale.is_some() || self.offset.is_some();
        match values {
            Values::Texts(texts) => Values::Texts(texts),
            Values::Single(mut values) => {
                self.mask_single(&mut values);
                match (is_packed, self.is_single) {
                    (false, _) => Values::Single(values),
                    (true, true) => {
                        let unpacked = values.into_iter().map(f64::from);
                        Values::Single(unpacked.map(|it| self.unpack(it) as f32).collect())
                    }
                    (true, false) => {
                        let unpacked = values.into_iter().map(f64::from);
                        Values::Double(unpacked.map(|it| self.unpack(it)).collect())
                    }
                }
            }
            Values::Double(mut values) => {
                for value in &mut values {
                    *value = self.masked(*value);
                    if is_packed {
                        *value = self.unpack(*value);
                    }
                }
                match is_packed && self.is_single {
                    true => Values::Single(values.into_iter().map(|it| it as f32).collect()),
                    false => Values::Double(values),
                }
            }
        }
    }

    /// The same in single precision: attributes are compared as the type of the variable.
    fn mask_single(&self, values: &mut [f32]) {
        if let Some(sign) = self.sign {
            let stored = values.iter_mut();
            stored.for_each(|value| *value = sign.meant(f64::from(*value)) as f32);
        }
        for missing in &self.missing {
            let missing = *missing as f32;
            let found = values.iter_mut().filter(|value| **value == missing);
            found.for_each(|value| *value = f32::NAN);
        }
        if let Some(lowest) = self.lowest {
            let below = values.iter_mut().filter(|value| **value < lowest as f32);
            below.for_each(|value| *value = f32::NAN);
        }
        if let Some(highest) = self.highest {
            let above = values.iter_mut().filter(|value| **value > highest as f32);
            above.for_each(|value| *value = f32::NAN);
        }
    }

    fn masked(&self, value: f64) -> f64 {
        let value = self.sign.map_or(value, |sign| sign.meant(value));
        let is_outside = self.lowest.is_some_and(|lowest| value < lowest)
            || self.highest.is_some_and(|highest| value > highest);
        match is_outside || self.missing.contains(&value) {
            true => f64::NAN,
            false => value,
        }
    }

    fn unpack(&self, value: f64) -> f64 {
        let scaled = self.scale.map_or(value, |scale| value * scale);
        self.offset.map_or(scaled, |offset| scaled + offset)
    }
}

fn range_is_odd(variable: &Variable) -> bool {
    match variable.attribute("valid_range") {
        Some(Attribute::Numbers(values, _)) => values.len() < 2,
        Some(Attribute::Text(text)) => quoted_number(text).is_some(),
        None => false,
    }
}

/// The number that a text is, such as `0.01` or `-99.9f`.
fn quoted_number(text: &str) -> Option<f64> {
    let text = text.trim_matches(['\0', ' ']);
    match text.strip_suffix(['f', 'F']) {
        Some(single) => single.parse::<f32>().ok().map(f64::from),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_quotes_are_numbers() {
        assert_eq!(quoted_number("0.5"), Some(0.5));
        assert_eq!(quoted_number("-99.9f"), Some(f64::from(-99.9_f32)));
        assert_eq!(quoted_number("-90.0 ... 90.0"), None);
        assert_eq!(quoted_number("none"), None);
    }
}
