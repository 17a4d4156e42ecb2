//! The table of settings: what people say once for many commands. Help, documentation,
//! `farcast config` and `farcast.toml` all come from it.

use clap::Arg;
use clap::builder::{PossibleValuesParser, ValueParser};

/// One setting. Flag, variable and key in the file follow from its name.
#[derive(Debug)]
pub struct Setting {
    /// `jobs`: the flag is `--jobs`, the variable `FARCAST_JOBS`.
    pub name: &'static str,
    /// What it takes.
    pub takes: Takes,
    /// What holds when nobody says anything, in words.
    pub default: &'static str,
    /// What it is for, in a line.
    pub doc: &'static str,
}

/// What a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// A path; in the file, as seen from the file's folder.
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
        takes: Takes::Path,
        default: ".farcast beside farcast.toml, or beside the experiment",
        doc: "Where results are kept and found again",
    },
    Setting {
        name: "out",
        takes: Takes::Path,
        default: "out/{name}",
        doc: "Where tables and report are written; {name} is the experiment's file name",
    },
    Setting {
        name: "jobs",
        takes: Takes::Count,
        default: "one per core",
        doc: "How many actions run at a time",
    },
    Setting {
        name: "color",
        takes: Takes::Choice(&["auto", "always", "never"]),
        default: "auto",
        doc: "When to use colour; auto honours NO_COLOR",
    },
    Setting {
        name: "profile",
        takes: Takes::Profile,
        default: "none",
        doc: "Which [profile.NAME] of farcast.toml to use",
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

    /// The text when the setting can be that, or what was expected.
    pub fn checked(&self, text: &str) -> Result<String, String> {
        let wrong = |expected: String| Err(format!("expected {expected}, found `{text}`"));
        match self.takes {
            Takes::Count if text.parse::<u16>().is_ok_and(|count| count > 0) => {}
            Takes::Count => return wrong("a whole number from 1 to 65535".to_owned()),
            Takes::Choice(words) if words.contains(&text) => {}
            Takes::Choice(words) => return wrong(listed(words.iter().copied(), " or ")),
            Takes::Path | Takes::Profile if text.is_empty() => {
                return wrong(match self.takes {
                    Takes::Path => "a path".to_owned(),
                    _ => "a name".to_owned(),
                });
            }
            Takes::Path | Takes::Profile => {}
        }
        Ok(text.to_owned())
    }

    /// The flag.
    pub fn flag(&'static self) -> Arg {
        let (value_name, parser) = match self.takes {
            Takes::Choice(words) => ("WHEN", PossibleValuesParser::new(words).into()),
            Takes::Path => ("DIR", self.parser()),
            Takes::Count => ("N", self.parser()),
            Takes::Profile => ("NAME", self.parser()),
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

    fn parser(&'static self) -> ValueParser {
        ValueParser::from(|text: &str| self.checked(text))
    }
}

/// The names in backticks with this between them.
pub fn listed<'a>(names: impl Iterator<Item = &'a str>, between: &str) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    names.join(between)
}
