//! What the plugins that read files share: opening, headings, and columns found by name.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;

use engine::error::Fault;
use engine::files::{DataFile, Files};
use engine::params::{Column, DataPath};

/// The head of a column in a file: `depth [m]` and `depth (m)` name a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    /// As the file has it.
    pub raw: String,
    /// Without the unit; what backticks cannot hold is `_`.
    pub name: String,
    /// The unit, when the file tells.
    pub unit: Option<String>,
}

impl Heading {
    /// The heading of this text.
    pub fn parse(raw: &str) -> Self {
        let (name, unit) = match raw.trim().strip_suffix([']', ')']) {
            Some(open) => match open.rsplit_once(['[', '(']) {
                Some((name, unit)) if !name.trim().is_empty() => (name, Some(unit.trim())),
                _ => (raw, None),
            },
            None => (raw, None),
        };
        Self {
            raw: raw.to_owned(),
            name: match name.trim() {
                name if dsl::name::is_writable(name) => name.to_owned(),
                name => dsl::name::identifier(name),
            },
            unit: unit.filter(|unit| !unit.is_empty()).map(str::to_owned),
        }
    }
}

/// Gives headings that could not keep their names ones that no other has: `a_b_` where "a`b" is beside
/// `a_b`.
pub fn tell_apart(headings: &mut [Heading]) {
    let mut kept: HashSet<String> = HashSet::with_capacity(headings.len());
    let is_renamed = |heading: &Heading| !heading.raw.contains(&heading.name);
    let own = headings.iter().filter(|heading| !is_renamed(heading));
    kept.extend(own.map(|heading| heading.name.clone()));
    for heading in headings.iter_mut().filter(|heading| is_renamed(heading)) {
        while !kept.insert(heading.name.clone()) {
            heading.name.push('_');
        }
    }
}

/// Opens the file of parameter `file`.
///
/// # Errors
/// When it is missing, something other than a file or unreadable.
pub fn open(path: &DataPath, files: &Files) -> Result<DataFile, Fault> {
    files.open(&path.0).map_err(|fault| match fault {
        Fault::User { message, .. } => Fault::at("file", message),
        other => other,
    })
}

/// The same fault at another parameter.
pub fn moved(fault: Fault, param: &str) -> Fault {
    match fault {
        Fault::User { message, hint, .. } => Fault::User {
            param: Some(param.to_owned()),
            message,
            hint,
        },
        other => other,
    }
}

/// The complaint about a file that is not what it should be; `expected` is such as `parquet`.
pub fn unreadable(path: &DataPath, expected: &str, error: &dyn Display) -> Fault {
    let text = error.to_string();
    let reason = text.lines().next().unwrap_or_default();
    let shown = path.0.display();
    Fault::at(
        "file",
        format!("cannot read `{shown}` as {expected}: {reason}"),
    )
}

/// The columns asked for: where each is among the headings, and its heading as the user spells it.
///
/// # Errors
/// When there is none of a name.
pub fn select(headings: &[Heading], wanted: &[Column]) -> Result<Vec<(usize, Heading)>, Fault> {
    // Of equal names the first.
    let numbered = || headings.iter().enumerate().rev();
    let exact = numbered().map(|(position, heading)| (heading.name.as_str(), position));
    let exact: HashMap<&str, usize> = exact.collect();
    let lower = numbered().map(|(place, heading)| (heading.name.to_ascii_lowercase(), place));
    let lower: HashMap<String, usize> = lower.collect();
    // `sea_level` for `sea level`.
    let bare = numbered().map(|(place, heading)| (dsl::name::identifier(&heading.name), place));
    let bare: HashMap<String, usize> = bare.collect();
    let found = wanted.iter().map(|Column(name)| {
        let position = exact.get(name.as_str()).or_else(|| bare.get(name));
        let position = position.or_else(|| lower.get(&name.to_ascii_lowercase()));
        let position = *position.ok_or_else(|| {
            let names: Vec<&str> = headings.iter().map(|h| h.name.as_str()).collect();
            Fault::at("columns", format!("the file has no column `{name}`"))
                .with_hint(choices(name, &names))
        })?;
        let heading = Heading {
            name: name.clone(),
            ..headings[position].clone()
        };
        Ok((position, heading))
    });
    found.collect()
}

/// Which plugin reads a file, by its first bytes: what to say where another one was asked to.
pub fn other_reader(file: &DataFile) -> Option<&'static str> {
    let mut first = vec![0; file.size().min(512) as usize];
    file.read_at(0, &mut first).ok()?;
    let is_text = !first.is_empty() && !first.contains(&0);
    match first.as_slice() {
        [b'C', b'D', b'F', 1 | 2 | 5, ..] | [0x89, b'H', b'D', b'F', ..] => {
            Some("`netcdf` reads it")
        }
        [b'P', b'A', b'R', b'1', ..] => Some("`parquet` reads it"),
        [b'P', b'K', 3, 4, ..] => {
            Some("it is a zip file, as those of spreadsheets are: save the table as CSV")
        }
        _ if is_text
            && std::str::from_utf8(&first).is_ok_and(|it| it.contains([',', ';', '\t'])) =>
        {
            Some("it is text: `csv` reads tables of text")
        }
        _ => None,
    }
}

/// Refuses two columns of one name.
///
/// # Errors
/// The name that comes twice, at parameter `param`.
pub fn distinct<'a>(
    param: &'static str,
    names: impl IntoIterator<Item = &'a str>,
) -> Result<(), Fault> {
    let mut seen = HashSet::new();
    match names.into_iter().find(|name| !seen.insert(*name)) {
        Some(name) => Err(Fault::at(param, format!("column `{name}` exists twice"))),
        None => Ok(()),
    }
}

/// A hint with the nearest name, when one is near, and all the others.
pub fn choices(wanted: &str, names: &[&str]) -> String {
    if names.is_empty() {
        return "the file has none".to_owned();
    }
    let listed = format!("the file has: {}", names.join(", "));
    let wanted = wanted.to_lowercase();
    let lower: Vec<String> = names.iter().map(|name| name.to_lowercase()).collect();
    let near = dsl::nearest(&wanted, lower.iter().map(String::as_str));
    match near.and_then(|near| names.iter().zip(&lower).find(|(_, lower)| *lower == near)) {
        Some((name, _)) => format!("did you mean `{name}`? {listed}"),
        None => listed,
    }
}

/// `12345` as `12 345`.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_name_their_unit() {
        let parsed = |raw| {
            let heading = Heading::parse(raw);
            (heading.name, heading.unit)
        };
        let metres = Some("m".to_owned());
        assert_eq!(parsed("depth [m]"), ("depth".to_owned(), metres.clone()));
        assert_eq!(parsed(" depth (m) "), ("depth".to_owned(), metres));
        assert_eq!(parsed("sea level"), ("sea level".to_owned(), None));
        assert_eq!(parsed("2m temp"), ("2m temp".to_owned(), None));
        assert_eq!(parsed("[m]"), ("[m]".to_owned(), None));
        assert_eq!(parsed("a []"), ("a".to_owned(), None));
    }

    #[test]
    fn a_name_that_cannot_be_written_gives_way_to_one_that_can() {
        let names = |raw: &[&str]| {
            let mut headings: Vec<Heading> = raw.iter().map(|raw| Heading::parse(raw)).collect();
            tell_apart(&mut headings);
            headings.into_iter().map(|it| it.name).collect::<Vec<_>>()
        };
        assert_eq!(names(&["a`b", "a_b", "a`b"]), ["a_b_", "a_b", "a_b__"]);
        // What the file itself calls the same stays so, and is refused.
        assert_eq!(names(&["a", "a"]), ["a", "a"]);
    }

    #[test]
    fn the_nearest_name_is_told() {
        assert_eq!(
            choices("tmep", &["salt", "temp"]),
            "did you mean `temp`? the file has: salt, temp"
        );
        assert_eq!(choices("xyz", &["salt"]), "the file has: salt");
        assert_eq!(choices("xyz", &[]), "the file has none");
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(grouped(12), "12");
        assert_eq!(grouped(123_456), "123 456");
        assert_eq!(grouped(1_234_567), "1 234 567");
    }
}
