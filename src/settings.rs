//! The value of every setting, and its source. The first source that sets it wins: flag,
//! environment, profile, `farcast.toml`, default.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{ArgMatches, Args, Command, FromArgMatches};
use dsl::nearest;
use engine::cluster::Site;
use engine::outside::read_text;
use engine::path_text::{path_text, text_path};
use engine::remote::Remote;
use engine::store::{default_path, project_file};

use crate::config::ConfigFile;
use crate::exit::Abort;
use crate::setting::{SETTINGS, Setting, ValueType, listed};
use crate::terminal::{ColorChoice, Terminal};

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
    /// The queues of jobs by name.
    pub queues: BTreeMap<String, Site>,
    /// The shared stores, in the order of their names.
    pub remotes: Vec<Remote>,
    /// The `farcast.toml` that was read.
    pub file: Option<PathBuf>,
}

/// The value of one setting.
#[derive(Clone, Debug)]
pub struct Effective {
    /// The setting.
    pub setting: &'static Setting,
    /// Its value; none by default.
    pub value: Option<String>,
    /// Its source: `--jobs`, `FARCAST_JOBS`, `farcast.toml:3`, `default`.
    pub from: String,
}

impl Settings {
    /// The settings of a command that works near this path; without a path, `farcast.toml` is not
    /// read. Prints what is wrong.
    pub fn resolve(flags: &Flags, near: Option<&Path>, terminal: &Terminal) -> Result<Self, Abort> {
        let file = near.and_then(project_file);
        let config = match &file {
            Some(file) => read(file, terminal)?,
            None => ConfigFile::default(),
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
            queues: match profile {
                Some((_, profile)) => profile.queues.clone(),
                None => config.queues.clone(),
            },
            remotes: config.remotes,
            file,
        })
    }

    /// `profile quick`; the empty text without one.
    pub fn profile(&self) -> String {
        let name = self.get("profile");
        name.map_or_else(String::new, |name| format!("profile {name}"))
    }

    /// The folder of the store for an experiment at this path.
    pub fn store(&self, near: &Path) -> PathBuf {
        self.get("store")
            .map_or_else(|| default_path(near), text_path)
    }

    /// The folder for the results of an experiment of this name.
    pub fn out(&self, name: &str) -> PathBuf {
        let pattern = self.get("out").unwrap_or("out/{name}");
        text_path(&pattern.replace("{name}", name))
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

/// The values of flags and environment, with their source.
fn typed(flags: &Flags) -> Result<BTreeMap<&'static str, (String, String)>, String> {
    let mut typed = BTreeMap::new();
    for setting in &SETTINGS {
        let variable = setting.variable();
        if let Some(text) = flags.0.get(setting.name) {
            let from = format!("--{}", setting.name);
            typed.insert(setting.name, (text.clone(), from));
        } else if let Some(text) = std::env::var_os(&variable).filter(|text| !text.is_empty()) {
            let text = match setting.value_type {
                ValueType::Path => path_text(Path::new(&text)),
                _ => text
                    .into_string()
                    .map_err(|_| format!("`{variable}` is not text in UTF-8"))?,
            };
            let text = setting.checked(&text);
            let text = text.map_err(|wrong| format!("`{variable}`: {wrong}"))?;
            typed.insert(setting.name, (text, variable));
        }
    }
    Ok(typed)
}

fn read(file: &Path, terminal: &Terminal) -> Result<ConfigFile, Abort> {
    let path = path_text(file);
    let text = read_text(&path).map_err(|message| {
        terminal.error(message);
        Abort::Failed
    })?;
    ConfigFile::parse(&path, &text).map_err(|(diagnostics, sources)| {
        terminal.diagnostics(&diagnostics, &sources);
        Abort::Failed
    })
}

fn unknown_profile(
    name: &str,
    from: &str,
    config: &ConfigFile,
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
