//! Several files as one: their variables one after the other along one dimension.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use dsl::calendar::{Calendar, TimeUnit};
use dsl::units::are_alike;
use engine::error::Fault;

use super::{Dimension, Element, Source, Values, Variable, whole};

/// A source with the path that people know it by.
pub type Named = (String, Box<dyn Source>);

/// Sources joined along the dimension in which they differ.
struct JoinedSources {
    sources: Vec<Named>,
    variables: Vec<Variable>,
    /// By the place of a variable: its place among the variables of every source.
    places: Vec<Vec<usize>>,
    record: String,
    /// The size of the dimension in every source.
    sizes: Vec<u64>,
}

/// One source of all of these, one or more. They are joined along the dimension that may grow,
/// or else along the only one in which their coordinates differ.
///
/// # Errors
/// When they differ in anything else, with the names of two that do.
pub fn joined(mut sources: Vec<Named>) -> Result<Box<dyn Source>, Fault> {
    if sources.len() < 2 {
        let only = sources.pop().map(|(_, source)| source);
        return only.ok_or_else(|| Fault::at("file", "expected one file or more, found none"));
    }
    let record = record(&sources)?;
    let mut sizes = Vec::new();
    for (shown, source) in &sources {
        let size = dimensions(&**source).get(&record).copied();
        sizes.push(size.ok_or_else(|| {
            let message = format!(
                "`{shown}` has no dimension `{record}`, as `{}` has",
                sources[0].0
            );
            Fault::at("file", message)
        })?);
    }
    let all: u64 = sizes.iter().fold(0, |all, size| all.saturating_add(*size));
    let by_name: Vec<HashMap<&str, usize>> = sources
        .iter()
        .map(|(_, source)| {
            let numbered = source.variables().iter().enumerate();
            numbered.map(|(at, own)| (own.name.as_str(), at)).collect()
        })
        .collect();
    let mut variables = Vec::new();
    let mut places = Vec::new();
    for variable in sources[0].1.variables() {
        let mut joined = variable.clone();
        joined.place = places.len();
        for dimension in &mut joined.dimensions {
            if dimension.name == record {
                dimension.size = all;
            }
        }
        let mut own = Vec::new();
        for ((shown, source), names) in sources.iter().zip(&by_name) {
            let at = names.get(variable.name.as_str()).copied();
            let other = at.map(|at| &source.variables()[at]);
            if let Some(why) = differs(variable, other, &record) {
                let first = &sources[0].0;
                let told = format!("not the same in `{first}` and `{shown}`: {why}");
                joined.element = Element::Unread(told);
            }
            own.push(at.unwrap_or_default());
        }
        variables.push(joined);
        places.push(own);
    }
    let joined = JoinedSources {
        sources,
        variables,
        places,
        record,
        sizes,
    };
    joined.expect_equal_axes()?;
    joined.expect_no_overlap()?;
    Ok(Box::new(joined))
}

/// The dimension to join along.
fn record(sources: &[Named]) -> Result<String, Fault> {
    let growing: Vec<&Dimension> = {
        let all = sources[0].1.variables().iter();
        let mut all: Vec<&Dimension> = all
            .flat_map(|variable| &variable.dimensions)
            .filter(|dimension| dimension.is_record)
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all.dedup_by(|a, b| a.name == b.name);
        all
    };
    if let [only] = growing.as_slice() {
        return Ok(only.name.clone());
    }
    let (first, source) = &sources[0];
    let sizes = dimensions(&**source);
    let mut differing: BTreeMap<&str, &str> = BTreeMap::new();
    for (shown, other) in &sources[1..] {
        let others = dimensions(&**other);
        for (name, size) in &sizes {
            let Some(found) = others.get(name) else {
                continue;
            };
            let [own, its] = [axis(&**source, name)?, axis(&**other, name)?];
            if size != found || !is_same_axis(own.as_ref(), its.as_ref()) {
                differing.entry(name).or_insert(shown);
            }
        }
    }
    if differing.is_empty()
        && let Some((name, other, why)) = other_axis(sources)
    {
        let message = format!("`{name}` of `{first}` and `{other}` differs: {why}");
        return Err(Fault::at("file", message));
    }
    let mut found = differing.iter();
    match (found.next(), found.next()) {
        (Some((only, _)), None) => Ok((*only).to_owned()),
        (None, _) => Err(Fault::at(
            "file",
            format!(
                "`{first}` and `{}` have the same coordinates: nothing to join them along",
                sources[1].0
            ),
        )),
        (Some((one, shown)), Some((two, _))) => Err(Fault::at(
            "file",
            format!(
                "`{first}` and `{shown}` differ in `{one}`, and files differ in `{two}`: expected \
                 one dimension in which they differ"
            ),
        )),
    }
}

/// The dimensions of a source by name.
fn dimensions(source: &dyn Source) -> BTreeMap<String, u64> {
    let all = source.variables().iter().flat_map(|it| &it.dimensions);
    all.map(|dimension| (dimension.name.clone(), dimension.size))
        .collect()
}

/// The coordinates of a dimension in one source.
struct AxisValues {
    unit: Option<String>,
    values: Vec<f64>,
    is_single: bool,
}

fn is_same_axis(one: Option<&AxisValues>, other: Option<&AxisValues>) -> bool {
    let (one, other) = match (one, other) {
        (Some(one), Some(other)) => (one, other),
        (one, other) => return one.is_none() && other.is_none(),
    };
    let units = match (&one.unit, &other.unit) {
        (Some(unit), Some(its)) => are_alike(unit, its),
        (unit, its) => unit == its,
    };
    let equal = Equal::of(one.is_single, other.is_single);
    units && one.values.len() == other.values.len() && { one.values.iter().zip(&other.values) }
        .all(|(one, other)| equal.are(*one, *other))
}

/// The coordinates of a dimension.
fn axis(source: &dyn Source, dimension: &str) -> Result<Option<AxisValues>, Fault> {
    let Some(variable) = axis_variable(source, dimension) else {
        return Ok(None);
    };
    Ok(Some(AxisValues {
        unit: variable.text("units").map(str::to_owned),
        values: source.read(variable, &whole(variable))?.doubles(),
        is_single: source.is_single(variable),
    }))
}

/// When values of two sources are one.
#[derive(Clone, Copy)]
enum Equal {
    Exactly,
    /// One of them was rounded to 32 bits: the other is, too.
    Rounded,
}

impl Equal {
    fn of(one_is_single: bool, other_is_single: bool) -> Self {
        match one_is_single == other_is_single {
            true => Self::Exactly,
            false => Self::Rounded,
        }
    }

    fn are(self, one: f64, other: f64) -> bool {
        let same = match self {
            Self::Exactly => one == other,
            Self::Rounded => one as f32 == other as f32,
        };
        same || one.is_nan() && other.is_nan()
    }
}

fn axis_variable<'s>(source: &'s dyn Source, dimension: &str) -> Option<&'s Variable> {
    source.variables().iter().find(|variable| {
        let own = variable.dimensions.first();
        own.is_some_and(|own| own.name == dimension && variable.is_axis_of(own))
            && matches!(variable.element, Element::Number(_))
    })
}

/// An axis that does not mean the same in another source although its numbers are equal: its
/// name, that of the source, and why.
fn other_axis(sources: &[Named]) -> Option<(&str, &str, String)> {
    let (_, first) = &sources[0];
    let axes = first.variables().iter();
    let axes = axes.filter(|it| it.dimensions.first().is_some_and(|own| it.is_axis_of(own)));
    let others = axes.flat_map(|axis| sources[1..].iter().map(move |other| (axis, other)));
    { others }.find_map(|(axis, (shown, other))| {
        let own = other.variables().iter().find(|it| it.name == axis.name)?;
        Some((&*axis.name, &**shown, differs(axis, Some(own), "")?))
    })
}

/// Why a variable of another source is not the same, in words.
fn differs(first: &Variable, other: Option<&Variable>, record: &str) -> Option<String> {
    let Some(other) = other else {
        return Some("the second does not have it".to_owned());
    };
    if let Element::Unread(what) = &other.element {
        return Some(format!("the second is {what}"));
    }
    let is_text = |it: &Variable| it.element == Element::Text;
    if is_text(first) != is_text(other) {
        return Some("texts in one, numbers in the other".to_owned());
    }
    let listed = |it: &Variable| {
        let names = it.dimensions.iter().map(|own| match own.name == record {
            true => own.name.clone(),
            false => format!("{}: {}", own.name, own.size),
        });
        names.collect::<Vec<_>>().join(", ")
    };
    if listed(first) != listed(other) {
        return Some(format!("({}) and ({})", listed(first), listed(other)));
    }
    let (left, right) = (first.text("units"), other.text("units"));
    let shown = |unit: Option<&str>| unit.map_or("no unit".to_owned(), |unit| format!("`{unit}`"));
    match (time_unit(first), time_unit(other)) {
        (Some(left), Some(right)) if left.shares_days_with(right) => None,
        (Some(left), Some(right)) => Some(format!(
            "times of the calendars `{}` and `{}`",
            left.calendar().name(),
            right.calendar().name()
        )),
        _ if left == right => None,
        _ if left
            .zip(right)
            .is_some_and(|(left, right)| are_alike(left, right)) =>
        {
            None
        }
        _ => Some(format!("{} and {}", shown(left), shown(right))),
    }
}

/// The unit of times of a variable.
fn time_unit(variable: &Variable) -> Option<TimeUnit> {
    let calendar = match variable.text("calendar") {
        Some(name) => Calendar::named(name)?,
        None => Calendar::Standard,
    };
    TimeUnit::parse(variable.text("units")?, calendar).ok()
}

impl JoinedSources {
    fn variable(&self, of: &Variable, source: usize) -> &Variable {
        &self.sources[source].1.variables()[self.places[of.place][source]]
    }

    fn is_single_in(&self, variable: &Variable, source: usize) -> bool {
        let own = self.variable(variable, source);
        self.sources[source].1.is_single(own)
    }

    /// The values of a part of one source, times in the unit of the first.
    fn read_one(
        &self,
        variable: &Variable,
        source: usize,
        part: &[Range<u64>],
    ) -> Result<Values, Fault> {
        let own = self.variable(variable, source);
        let values = self.sources[source].1.read(own, part)?;
        let first = self.variable(variable, 0);
        Ok(match (time_unit(own), time_unit(first)) {
            (Some(from), Some(to)) if from != to => {
                let times = values.doubles().into_iter();
                Values::Double(times.map(|time| from.convert(time, to)).collect())
            }
            _ => values,
        })
    }

    /// That a variable without the dimension they are joined along is the same in all.
    fn expect_equal(&self, variable: &Variable, first: &Values) -> Result<(), Fault> {
        for source in 1..self.sources.len() {
            let own = self.variable(variable, source);
            let other = self.sources[source].1.read(own, &whole(own))?;
            let singles = [0, source].map(|at| self.is_single_in(variable, at));
            let equal = Equal::of(singles[0], singles[1]);
            if let Some((at, left, right)) = difference(first, &other, equal) {
                return Err(Fault::at(
                    "file",
                    format!(
                        "`{}` differs between `{}` and `{}`: {left} and {right} at index {at}",
                        variable.name, self.sources[0].0, self.sources[source].0
                    ),
                ));
            }
        }
        Ok(())
    }

    fn expect_equal_axes(&self) -> Result<(), Fault> {
        let is_axis = |it: &&Variable| {
            let own = it.dimensions.first();
            own.is_some_and(|own| own.name != self.record && it.is_axis_of(own))
                && !matches!(it.element, Element::Unread(_))
        };
        for variable in self.variables.iter().filter(is_axis) {
            let first = self.variable(variable, 0);
            let values = self.sources[0].1.read(first, &whole(first))?;
            self.expect_equal(variable, &values)?;
        }
        Ok(())
    }

    /// That no two files have the same coordinate along which they are joined.
    fn expect_no_overlap(&self) -> Result<(), Fault> {
        let Some(axis) = axis_variable(self, &self.record) else {
            let told = self.variables.iter().find(|it| it.leaf() == self.record);
            return match told.map(|it| &it.element) {
                Some(Element::Unread(why)) => {
                    Err(Fault::at("file", format!("`{}` is {why}", self.record)))
                }
                _ => Ok(()),
            };
        };
        let unit = time_unit(axis);
        // By the bits of the value, and of those that the sources of the other precision would have.
        let mut seen: HashMap<u64, usize> = HashMap::new();
        let mut rounded: [HashMap<u32, usize>; 2] = Default::default();
        let are_mixed = unit.is_none()
            && !self.is_single(axis)
            && (0..self.sources.len()).any(|source| self.is_single_in(axis, source));
        for source in 0..self.sources.len() {
            let own = self.variable(axis, source);
            let is_single = self.is_single_in(axis, source);
            let values = self.read_one(axis, source, &whole(own))?.doubles();
            for value in values.into_iter().filter(|value| !value.is_nan()) {
                let mut before = seen.insert((value + 0.0).to_bits(), source);
                if are_mixed {
                    let bits = (value as f32 + 0.0).to_bits();
                    rounded[usize::from(is_single)].insert(bits, source);
                    let other = rounded[usize::from(!is_single)].get(&bits).copied();
                    before = before.filter(|before| *before != source).or(other);
                }
                if let Some(before) = before.filter(|before| *before != source) {
                    let shown = unit.map_or(value.to_string(), |unit| unit.show(value));
                    return Err(Fault::at(
                        "file",
                        format!(
                            "`{}` and `{}` both have `{}` = {shown}",
                            self.sources[before].0, self.sources[source].0, self.record
                        ),
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Where two variables differ first, with both values.
fn difference(left: &Values, right: &Values, equal: Equal) -> Option<(usize, String, String)> {
    if let (Values::Texts(left), Values::Texts(right)) = (left, right) {
        let mut pairs = left.iter().zip(right).enumerate();
        let found = pairs.find(|(_, (left, right))| left != right)?;
        return Some((found.0, found.1.0.clone(), found.1.1.clone()));
    }
    let (left, right) = (left.doubles(), right.doubles());
    let mut pairs = left.iter().zip(&right).enumerate();
    let found = pairs.find(|(_, (left, right))| !equal.are(**left, **right))?;
    Some((found.0, found.1.0.to_string(), found.1.1.to_string()))
}

impl Source for JoinedSources {
    fn variables(&self) -> &[Variable] {
        &self.variables
    }

    fn read(&self, variable: &Variable, part: &[Range<u64>]) -> Result<Values, Fault> {
        let record = variable
            .dimensions
            .iter()
            .position(|own| own.name == self.record);
        let Some(record) = record else {
            let own = self.variable(variable, 0);
            let values = self.sources[0].1.read(own, part)?;
            if part == whole(variable) {
                self.expect_equal(variable, &values)?;
            }
            return Ok(values);
        };
        // What each source has of the part, with the number of its records.
        let mut pieces = Vec::new();
        let mut start = 0;
        for (source, size) in self.sizes.iter().enumerate() {
            let range = &part[record];
            let low = range.start.max(start) - start;
            let high = range.end.min(start + size).saturating_sub(start);
            start += size;
            if low < high {
                let mut own = part.to_vec();
                own[record] = low..high;
                pieces.push((self.read_one(variable, source, &own)?, high - low));
            }
        }
        let length = |range: &Range<u64>| (range.end - range.start) as usize;
        let outer: usize = part[..record].iter().map(length).product();
        let inner: usize = part[record + 1..].iter().map(length).product();
        let mut all: Option<Values> = None;
        for at in 0..outer {
            for (values, records) in &pieces {
                let width = *records as usize * inner;
                let piece = slice(values, at * width, width);
                match &mut all {
                    Some(all) => all.extend(piece),
                    None => all = Some(piece),
                }
            }
        }
        Ok(all.unwrap_or_else(|| Values::Single(Vec::new())))
    }

    fn together(&self, variable: &Variable, dimension: usize) -> u64 {
        let first = self.variable(variable, 0);
        self.sources[0].1.together(first, dimension)
    }

    fn is_single(&self, variable: &Variable) -> bool {
        (0..self.sources.len()).all(|at| self.is_single_in(variable, at))
    }
}

fn slice(values: &Values, start: usize, length: usize) -> Values {
    let range = start..start + length;
    match values {
        Values::Single(values) => Values::Single(values[range].to_vec()),
        Values::Double(values) => Values::Double(values[range].to_vec()),
        Values::Texts(texts) => Values::Texts(texts[range].to_vec()),
    }
}
