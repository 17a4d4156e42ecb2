//! What people say once for many commands: one table of settings, and where each value comes
//! from. The first to say something counts: flag, environment, profile, `farcast.toml`, default.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, ValueParser};
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use dsl::nearest;
use engine::outside::read_text;
use engine::store::{default_path, project_file};

use crate::config::Config;
use crate::exit::Abort;
use crate::terminal::{ColorChoice, Terminal};

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

    fn flag(&'static self) -> Arg {
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

/// The settings given as flags, as typed.
#[derive(Clone, Debug, Default)]
pub struct Flags(BTreeMap<&'static str, String>);

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        command.args(SETTINGS.iter().map(Setting::flag))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let typed = SETTINGS.iter().filter_map(|setting| {
            let text = matches.get_one::<String>(setting.name)?;
            Some((setting.name, text.clone()))
        });
        Ok(Self(typed.collect()))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.extend(Self::from_arg_matches(matches)?.0);
        Ok(())
    }
}

/// The value of every setting.
#[derive(Clone, Debug)]
pub struct Settings {
    /// In the order of the table.
    pub values: Vec<Effective>,
    /// The params that the profile sets.
    pub params: Vec<(String, String)>,
    /// The `farcast.toml` that was read.
    pub file: Option<PathBuf>,
}

/// The value of one setting.
#[derive(Clone, Debug)]
pub struct Effective {
    /// The setting.
    pub setting: &'static Setting,
    /// What it is; none when nobody said anything.
    pub value: Option<String>,
    /// Who said so: `--jobs`, `FARCAST_JOBS`, `farcast.toml:3`, `default`.
    pub from: String,
}

impl Settings {
    /// The settings for a command that works near this path, which has no `farcast.toml` to
    /// look at when there is none; says what is wrong.
    pub fn resolve(flags: &Flags, near: Option<&Path>, terminal: &Terminal) -> Result<Self, Abort> {
        let file = near.and_then(project_file);
        let config = match &file {
            Some(file) => read(file, terminal)?,
            None => Config::default(),
        };
        let typed = typed(flags).map_err(|message| {
            terminal.error(message);
            Abort::Usage
        })?;
        let profile = match typed.get("profile") {
            None => None,
            Some((name, from)) => match config.profiles.get(name) {
                Some(profile) => Some((name, profile)),
                None => {
                    unknown_profile(name, from, &config, file.as_deref(), terminal);
                    return Err(Abort::Usage);
                }
            },
        };
        let find = |setting: &'static Setting| {
            let name = setting.name;
            let by_profile = || {
                let (profile, layer) = profile?;
                let given = layer.values.get(name)?;
                Some((given.0.clone(), format!("profile {profile}, {}", given.1)))
            };
            let (value, from) = typed
                .get(name)
                .cloned()
                .or_else(by_profile)
                .or_else(|| config.values.get(name).cloned())
                .map_or((None, "default".to_owned()), |(value, from)| {
                    (Some(value), from)
                });
            Effective {
                setting,
                value,
                from,
            }
        };
        Ok(Self {
            values: SETTINGS.iter().map(find).collect(),
            params: profile.map_or_else(Vec::new, |(_, profile)| profile.params.clone()),
            file,
        })
    }

    /// `profile quick`; the empty text without one.
    pub fn profile(&self) -> String {
        let name = self.get("profile");
        name.map_or_else(String::new, |name| format!("profile {name}"))
    }

    /// The folder of the store for what is at this path.
    pub fn store(&self, near: &Path) -> PathBuf {
        self.get("store")
            .map_or_else(|| default_path(near), PathBuf::from)
    }

    /// The folder for the results of an experiment of this name.
    pub fn out(&self, name: &str) -> PathBuf {
        let pattern = self.get("out").unwrap_or("out/{name}");
        pattern.replace("{name}", name).into()
    }

    /// How many actions run at a time.
    pub fn jobs(&self) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let jobs = self.get("jobs").and_then(|text| text.parse().ok());
        jobs.unwrap_or_else(cores)
    }

    /// When to use colour.
    pub fn color(&self) -> ColorChoice {
        ColorChoice::from_word(self.get("color"))
    }

    fn get(&self, name: &str) -> Option<&str> {
        let found = self.values.iter().find(|value| value.setting.name == name);
        found?.value.as_deref()
    }
}

/// When to use colour while the settings themselves are read.
pub fn first_color(flags: &Flags) -> ColorChoice {
    let typed = typed(flags).unwrap_or_default();
    ColorChoice::from_word(typed.get("color").map(|(word, _)| word.as_str()))
}

/// What flags and environment say, with who says so.
fn typed(flags: &Flags) -> Result<BTreeMap<&'static str, (String, String)>, String> {
    let mut typed = BTreeMap::new();
    for setting in &SETTINGS {
        let variable = setting.variable();
        if let Some(text) = flags.0.get(setting.name) {
            let from = format!("--{}", setting.name);
            typed.insert(setting.name, (text.clone(), from));
        } else if let Some(text) = std::env::var_os(&variable).filter(|text| !text.is_empty()) {
            let text = text
                .to_str()
                .ok_or_else(|| format!("`{variable}` is not text in UTF-8"))?;
            let text = setting.checked(text);
            let text = text.map_err(|wrong| format!("`{variable}`: {wrong}"))?;
            typed.insert(setting.name, (text, variable));
        }
    }
    Ok(typed)
}

fn read(file: &Path, terminal: &Terminal) -> Result<Config, Abort> {
    let path = file.to_string_lossy();
    let text = read_text(&path).map_err(|message| {
        terminal.error(message);
        Abort::Failed
    })?;
    Config::parse(&path, &text).map_err(|(diagnostics, sources)| {
        terminal.diagnostics(&diagnostics, &sources);
        Abort::Failed
    })
}

fn unknown_profile(
    name: &str,
    from: &str,
    config: &Config,
    file: Option<&Path>,
    terminal: &Terminal,
) {
    let Some(file) = file else {
        terminal.error(format!(
            "`{from}`: there is no `farcast.toml` with a profile `{name}`"
        ));
        return;
    };
    let file = file.display();
    terminal.error(format!(
        "`{from}`: there is no profile `{name}` in `{file}`"
    ));
    let names = || config.profiles.keys().map(String::as_str);
    if let Some(near) = nearest(name, names()) {
        terminal.say(format!("  = help: did you mean `{near}`?"));
    }
    if !config.profiles.is_empty() {
        terminal.say(format!("  = help: profiles: {}", listed(names(), ", ")));
    }
}

/// The names in backticks with this between them.
pub fn listed<'a>(names: impl Iterator<Item = &'a str>, between: &str) -> String {
    let names: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    names.join(between)
}
