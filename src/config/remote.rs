//! `[remote.NAME]`: stores shared with others, in `farcast.toml`.
//!
//! ```toml
//! [remote.team]
//! url = "/shared/farcast"
//! mode = "read-write"              # default: "read"
//! trust = ["ada:3d4017c3…"]        # or "writers"
//! ```

use std::path::Path;

use engine::path_text::path_text;
use engine::remote::{Mode, Remote, Trust};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Reader;

const KEYS: [&str; 3] = ["url", "mode", "trust"];

impl Reader<'_> {
    /// The remote stores of a table.
    pub(super) fn remotes(&mut self, value: &Spanned<DeValue>) -> Vec<Remote> {
        let table = self.table(value, "shared stores: `[remote.NAME]`");
        let mut remotes = Vec::new();
        for (key, value) in table.into_iter().flatten() {
            let name = key.get_ref().to_string();
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
            if name.is_empty() || !name.chars().all(is_plain) {
                let message = "expected a name of letters, digits, `-` and `_`".to_owned();
                self.wrong_key(key, message);
                continue;
            }
            let what = format!("settings: `[remote.{name}]`");
            let remote = self.table(value, &what).map(|table| (table, value));
            remotes.extend(remote.and_then(|(table, value)| self.remote(name, table, value)));
        }
        remotes
    }

    fn remote(
        &mut self,
        name: String,
        table: &DeTable,
        whole: &Spanned<DeValue>,
    ) -> Option<Remote> {
        let mut remote = Remote {
            name,
            url: String::new(),
            mode: Mode::Read,
            trust: Trust::Keys(Vec::new()),
        };
        for (key, value) in table {
            match &**key.get_ref() {
                "url" => remote.url = self.url(value).unwrap_or_default(),
                "mode" => remote.mode = self.mode(value),
                "trust" => remote.trust = self.trust(value),
                _ => self.unknown_key("setting", key, &KEYS),
            }
        }
        if remote.url.is_empty() {
            if !table.iter().any(|(key, _)| key.get_ref() == "url") {
                let message = format!("`[remote.{}]` has no `url`", remote.name);
                let hint = "a folder that others reach, too".to_owned();
                self.wrong(whole, message, Some(hint));
            }
            return None;
        }
        Some(remote)
    }

    /// A folder, relative to that of the file.
    fn url(&mut self, value: &Spanned<DeValue>) -> Option<String> {
        let text = self.text(value)?;
        if !text.contains("://") {
            return Some(path_text(&self.folder.join(Path::new(&text))));
        }
        let message = "expected a folder".to_owned();
        self.wrong(value, message, None);
        None
    }

    fn mode(&mut self, value: &Spanned<DeValue>) -> Mode {
        match value.get_ref() {
            DeValue::String(text) if text == "read" => Mode::Read,
            DeValue::String(text) if text == "read-write" => Mode::ReadWrite,
            _ => {
                let message = "expected `\"read\"` or `\"read-write\"`".to_owned();
                self.wrong(value, message, None);
                Mode::Read
            }
        }
    }

    fn trust(&mut self, value: &Spanned<DeValue>) -> Trust {
        let hint = "`farcast push --key` prints the line of whoever runs it";
        let mut keys = Vec::new();
        match value.get_ref() {
            DeValue::String(text) if text == "writers" => return Trust::Writers,
            DeValue::Array(values) => {
                for value in values {
                    let key = match value.get_ref() {
                        DeValue::String(text) => text.split_once(':').map(|(who, key)| {
                            let key = key.trim().parse();
                            key.map(|key| (who.trim().to_owned(), key))
                        }),
                        _ => None,
                    };
                    match key {
                        Some(Ok(key)) => keys.push(key),
                        Some(Err(message)) => self.wrong(value, message, Some(hint.to_owned())),
                        None => {
                            let message = "expected `\"NAME:KEY\"`".to_owned();
                            self.wrong(value, message, Some(hint.to_owned()));
                        }
                    }
                }
            }
            _ => {
                let message = "expected a list of keys, or `\"writers\"`".to_owned();
                self.wrong(value, message, Some(hint.to_owned()));
            }
        }
        Trust::Keys(keys)
    }
}
