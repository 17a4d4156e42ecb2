//! The table of settings that many commands share. Help, documentation, `farcast config` and
//! `farcast.toml` all derive from it.

use std::path::Path;

use clap::Arg;
use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser, ValueParser};
use engine::path_text::path_text;

/// One setting. Flag, variable and key in the file follow from its name.
#[derive(Debug)]
pub struct Setting {
    /// `jobs`: the flag is `--jobs`, the variable `FARCAST_JOBS`.
    pub name: &'static str,
    /// The type of its values.
    pub value_type: ValueType,
    /// The default, in words.
    pub default: &'static str,
    /// Its meaning, in one line.
    pub doc: &'static str,
}

/// The type of the values of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    /// A path; in `farcast.toml`, relative to its folder.
    Path,
    /// A whole number of at least 1.
    Count,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// The name of a profile; not in the file, where profiles are written.
    Profile,
}

/// Every setting: help, documentation, `farcast config` and `farcast.toml` all come from here.
pub const SETTINGS: [Setting; 5] = [
    Setting {
        name: "store",
        value_type: ValueType::Path,
        default: ".farcast beside farcast.toml, or beside the experiment",
        doc: "The folder of stored results",
    },
    Setting {
        name: "out",
        value_type: ValueType::Path,
        default: "out/{name}",
        doc: "The folder for tables and report; {name} is the experiment's file name",
    },
    Setting {
        name: "jobs",
        value_type: ValueType::Count,
        default: "one per core",
        doc: "How many actions run at the same time",
    },
    Setting {
        name: "color",
        value_type: ValueType::Choice(&["auto", "always", "never"]),
        default: "auto",
        doc: "When to use colour; auto honours NO_COLOR",
    },
    Setting {
        name: "profile",
        value_type: ValueType::Profile,
        default: "none",
        doc: "The [profile.NAME] of farcast.toml to use",
    },
];

impl Setting {
    /// The setting of this name.
    pub fn named(name: &str) -> Option<&'static Setting> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }

    /// The environment variable.
    pub fn variable(&self) -> String {
        format!("FARCAST_{}", self.name.to_uppercase())
    }

    /// The text if it is a valid value, or what was expected.
    pub fn checked(&self, text: &str) -> Result<String, String> {
        let wrong = |expected: String| Err(format!("expected {expected}, found `{text}`"));
        match self.value_type {
            ValueType::Count if text.parse::<u16>().is_ok_and(|count| count > 0) => {}
            ValueType::Count => return wrong("a whole number from 1 to 65535".to_owned()),
            ValueType::Choice(words) if words.contains(&text) => {}
            ValueType::Choice(words) => return wrong(listed(words.iter().copied(), " or ")),
            ValueType::Path | ValueType::Profile if text.is_empty() => {
                return wrong(match self.value_type {
                    ValueType::Path => "a path".to_owned(),
                    _ => "a name".to_owned(),
                });
            }
            ValueType::Path | ValueType::Profile => {}
        }
        Ok(text.to_owned())
    }

    /// The flag.
    pub fn flag(&'static self) -> Arg {
        let (value_name, parser) = match self.value_type {
            ValueType::Choice(words) => ("WHEN", PossibleValuesParser::new(words).into()),
            ValueType::Path => ("DIR", self.path_parser()),
            ValueType::Count => ("N", self.parser()),
            ValueType::Profile => ("NAME", self.parser()),
        };
        let help = format!(
            "{} [default: {}] [env: {}]",
            self.doc,
            self.default,
            self.variable()
        );
        let flag = Arg::new(self.name)
            .long(self.name)
            .value_name(value_name)
            .value_parser(parser)
            .help(help)
            .help_heading("Settings")
            .global(true);
        match self.name {
            "jobs" => flag.short('j'),
            _ => flag,
        }
    }

    fn path_parser(&'static self) -> ValueParser {
        let parser = OsStringValueParser::new();
        ValueParser::from(parser.try_map(|path| self.checked(&path_text(Path::new(&path)))))
    }

    fn parser(&'static self) -> ValueParser {
        ValueParser::from(|text: &str| self.checked(text))
    }
}

/// The names in backticks with this between them.
pub fn listed<'a>(names: impl Iterator<Item = &'a str>, between: &str) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    names.join(between)
}
