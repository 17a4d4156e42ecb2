//! `farcast.toml`: settings and profiles; a diagnostic points at every mistake.
//!
//! ```toml
//! jobs = 4
//! out = "results/{name}"
//!
//! [profile.quick]
//! jobs = 1
//! set = { members = 2, hidden = "[8, 8]" }
//! ```

mod on;
mod remote;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use dsl::diagnostic::{Code, Diagnostic};
use dsl::nearest;
use dsl::source::{FileId, Source, Sources, Span};
use engine::cluster::Site;
use engine::path_text::path_text;
use engine::remote::Remote;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::setting::{SETTINGS, Setting, ValueType, listed};

/// A value and the line that sets it.
pub type Given = (String, String);

/// The content of a `farcast.toml`.
#[derive(Clone, Debug, Default)]
pub struct ConfigFile {
    /// Values of settings by name.
    pub values: BTreeMap<&'static str, Given>,
    /// The profiles by name.
    pub profiles: BTreeMap<String, Profile>,
    /// The queues by name.
    pub queues: BTreeMap<String, Site>,
    /// The shared stores, in the order of their names.
    pub remotes: Vec<Remote>,
}

/// A named set of values, used on demand.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// Values of settings by name.
    pub values: BTreeMap<&'static str, Given>,
    /// Values of params, in the form of `--set`.
    pub params: Vec<(String, String)>,
    /// The queues by name, as they are with this profile.
    pub queues: BTreeMap<String, Site>,
}

impl ConfigFile {
    /// The text of the file at this path.
    ///
    /// # Errors
    /// Every mistake in it, with the text for rendering.
    pub fn parse(path: &str, text: &str) -> Result<Self, (Vec<Diagnostic>, Sources)> {
        let mut reader = Reader {
            source: Source::new(path, text),
            folder: Path::new(path).parent().unwrap_or(Path::new("")),
            found: Vec::new(),
        };
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut config = ConfigFile::default();
        if errors.is_empty() {
            config = reader.config(table.get_ref());
        }
        for error in errors {
            let span = span(error.span().unwrap_or_default());
            let message = error.message().replace('\n', ", ");
            let diagnostic = Diagnostic::error(Code::SyntaxError, span, message);
            reader.found.push(diagnostic);
        }
        if reader.found.is_empty() {
            return Ok(config);
        }
        reader.found.sort_by_key(|diagnostic| {
            let label = diagnostic.labels.first();
            label.map(|label| label.span)
        });
        let mut sources = Sources::default();
        sources.add(reader.source);
        Err((reader.found, sources))
    }
}

struct Reader<'a> {
    source: Source,
    folder: &'a Path,
    found: Vec<Diagnostic>,
}

/// The names that a table may contain beside settings.
const PROFILE: &str = "profile";
const SET: &str = "set";
const PLUGIN: &str = "plugin";
const PACKAGE: &str = "package";
const DEPENDENCIES: &str = "dependencies";
const ON: &str = "on";
const REMOTE: &str = "remote";

impl Reader<'_> {
    fn config(&mut self, table: &DeTable) -> ConfigFile {
        let mut config = ConfigFile::default();
        let queues = table.iter().find(|(key, _)| key.get_ref() == ON);
        if let Some((_, value)) = queues {
            config.queues = self.queues(value, &BTreeMap::new());
        }
        for (key, value) in table {
            // Read already.
            if key.get_ref() == ON {
                continue;
            }
            // How plugins of one's own are run, and packages: see `engine::foreign`, `engine::packages`.
            if [PLUGIN, PACKAGE, DEPENDENCIES].contains(&key.get_ref().as_ref()) {
                continue;
            }
            if key.get_ref() == REMOTE {
                config.remotes = self.remotes(value);
                continue;
            }
            if key.get_ref() != PROFILE {
                let tables = [PROFILE, ON, REMOTE, PLUGIN, PACKAGE, DEPENDENCIES];
                self.setting(key, value, &tables, &mut config.values);
                continue;
            }
            let Some(profiles) = self.table(value, "profiles: `[profile.NAME]`") else {
                continue;
            };
            for (name, value) in profiles {
                let what = format!("settings: `[profile.{}]`", name.get_ref());
                if let Some(table) = self.table(value, &what) {
                    let profile = self.profile(table, &config.queues);
                    config.profiles.insert(name.get_ref().to_string(), profile);
                }
            }
        }
        config
    }

    fn profile(&mut self, table: &DeTable, queues: &BTreeMap<String, Site>) -> Profile {
        let mut profile = Profile {
            queues: queues.clone(),
            ..Profile::default()
        };
        for (key, value) in table {
            if key.get_ref() == ON {
                profile.queues = self.queues(value, queues);
                continue;
            }
            if key.get_ref() != SET {
                self.setting(key, value, &[SET, ON], &mut profile.values);
                continue;
            }
            let params = self.table(value, "params: `set = { width = 16 }`");
            for (name, value) in params.into_iter().flatten() {
                match written(value.get_ref()) {
                    Some(text) => profile.params.push((name.get_ref().to_string(), text)),
                    None => {
                        let found = format!(
                            "expected a number, `true`, `false` or a quoted text, found {}",
                            article(value.get_ref())
                        );
                        let hint =
                            "a text is read like the value of `--set`: `\"[8, 16]\"` is a list";
                        self.wrong(value, found, Some(hint.to_owned()));
                    }
                }
            }
        }
        profile
    }

    /// ValueType in `key = value`; `other` is what the table may hold beside settings.
    fn setting(
        &mut self,
        key: &Spanned<impl AsRef<str>>,
        value: &Spanned<DeValue>,
        other: &[&str],
        values: &mut BTreeMap<&'static str, Given>,
    ) {
        let name = key.get_ref().as_ref();
        let known = Setting::named(name).filter(|setting| setting.value_type != ValueType::Profile);
        let Some(setting) = known else {
            self.unknown(name, key.span(), other);
            return;
        };
        let text = match (setting.value_type, value.get_ref()) {
            (ValueType::Path, DeValue::String(text)) if !text.is_empty() => {
                Ok(path_text(&self.folder.join(&**text)))
            }
            (ValueType::Count, DeValue::Integer(number)) => setting.checked(number.as_str()),
            (ValueType::Choice(_), DeValue::String(text)) => setting.checked(text),
            (ValueType::Count, other) => {
                Err(format!("expected a number, found {}", article(other)))
            }
            (_, DeValue::String(text)) => setting.checked(text),
            (_, other) => Err(format!("expected a quoted text, found {}", article(other))),
        };
        match text {
            Ok(text) => {
                let line = self.source.position(value.span().start as u32).line;
                values.insert(setting.name, (text, format!("farcast.toml:{line}")));
            }
            Err(message) => self.wrong(value, message, None),
        }
    }

    fn unknown(&mut self, name: &str, place: Range<usize>, other: &[&str]) {
        let names = || {
            let settings = SETTINGS
                .iter()
                .filter(|setting| setting.value_type != ValueType::Profile);
            let settings = settings.map(|setting| setting.name);
            settings.chain(other.iter().copied())
        };
        let message = format!("unknown setting `{name}`");
        let mut diagnostic = Diagnostic::error(Code::UnknownName, span(place), message);
        if let Some(near) = nearest(name, names()) {
            diagnostic = diagnostic.hint(format!("did you mean `{near}`?"));
        }
        let all = listed(names(), ", ");
        self.found.push(diagnostic.hint(format!("settings: {all}")));
    }

    fn table<'t, 'i>(
        &mut self,
        value: &'t Spanned<DeValue<'i>>,
        what: &str,
    ) -> Option<&'t DeTable<'i>> {
        match value.get_ref() {
            DeValue::Table(table) => Some(table),
            other => {
                let message = format!("expected a table of {what}, found {}", article(other));
                self.wrong(value, message, None);
                None
            }
        }
    }

    fn wrong_key(&mut self, key: &Spanned<impl AsRef<str>>, message: String) {
        let diagnostic = Diagnostic::error(Code::WrongType, span(key.span()), message);
        self.found.push(diagnostic);
    }

    fn wrong(&mut self, value: &Spanned<DeValue>, message: String, hint: Option<String>) {
        let mut diagnostic = Diagnostic::error(Code::WrongType, span(value.span()), message);
        diagnostic.hints.extend(hint);
        self.found.push(diagnostic);
    }
}

fn span(place: Range<usize>) -> Span {
    Span::new(FileId(0), place.start, place.end)
}

/// A value in the form of `--set`.
fn written(value: &DeValue) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(value) => Some(value.to_string()),
        _ => None,
    }
}

fn article(value: &DeValue) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "`true` or `false`",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
