//! `[remote.NAME]`: stores shared with others, in `farcast.toml`.
//!
//! ```toml
//! [remote.team]
//! url = "/shared/farcast"
//! mode = "read-write"              # default: "read"
//! trust = ["ada:3d4017c3…"]        # or "writers"
//!
//! [remote.bucket]
//! url = "s3://lab/farcast"
//! endpoint = "https://s3.example.org"
//! region = "eu-central-1"
//! credentials = "none"             # or "instance"; default: those of the user
//! ```

use std::path::Path;

use engine::path_text::path_text;
use engine::remote::{Address, BucketAddress, Credentials, Mode, Remote, Trust};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Reader;

const KEYS: [&str; 6] = ["url", "mode", "trust", "endpoint", "region", "credentials"];

/// The settings that only buckets have.
const OF_BUCKETS: [&str; 3] = ["endpoint", "region", "credentials"];

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
        let (mut mode, mut trust, mut address) = (Mode::Read, Trust::Keys(Vec::new()), None);
        for (key, value) in table {
            match &**key.get_ref() {
                "url" => address = self.address(value),
                "mode" => mode = self.mode(value),
                "trust" => trust = self.trust(value),
                key if OF_BUCKETS.contains(&key) => {}
                _ => self.unknown_key("setting", key, &KEYS),
            }
        }
        if !table.iter().any(|(key, _)| key.get_ref() == "url") {
            let message = format!("`[remote.{name}]` has no `url`");
            let hint = "a folder that others reach, too, or `s3://BUCKET/PREFIX`".to_owned();
            self.wrong(whole, message, Some(hint));
        }
        let of_buckets = |key: &str| OF_BUCKETS.contains(&key);
        for (key, value) in table.iter().filter(|(key, _)| of_buckets(key.get_ref())) {
            match &mut address {
                Some(Address::Bucket(bucket)) => self.of_bucket(key.get_ref(), value, bucket),
                Some(Address::Folder(_)) => {
                    let message = format!("`{}` is for buckets: `s3://…`", key.get_ref());
                    self.wrong_key(key, message);
                }
                None => {}
            }
        }
        address.map(|address| Remote {
            name,
            address,
            mode,
            trust,
        })
    }

    /// A folder, relative to that of the file, or a bucket.
    fn address(&mut self, value: &Spanned<DeValue>) -> Option<Address> {
        let text = self.text(value)?;
        let wrong = match text.split_once("://") {
            None if text.contains(char::is_control) => "expected a folder's path on one line",
            None => {
                let path = self.folder.join(Path::new(&text));
                return Some(Address::Folder(path_text(&path)));
            }
            Some(("s3", _)) => match BucketAddress::parse(&text) {
                Ok(bucket) => return Some(Address::Bucket(bucket)),
                Err(wrong) => wrong,
            },
            _ => "expected a folder or `s3://BUCKET/PREFIX`",
        };
        self.wrong(value, wrong.to_owned(), None);
        None
    }

    /// A setting that only buckets have.
    fn of_bucket(&mut self, key: &str, value: &Spanned<DeValue>, bucket: &mut BucketAddress) {
        let Some(text) = self.text(value) else {
            return;
        };
        let is_region = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let wrong = match key {
            "endpoint" => match BucketAddress::endpoint(&text) {
                Ok(endpoint) => {
                    bucket.endpoint = Some(endpoint);
                    return;
                }
                Err(wrong) => wrong,
            },
            "region" if !text.is_empty() && text.chars().all(is_region) => {
                bucket.region = Some(text);
                return;
            }
            "region" => "expected a region, such as `eu-central-1`",
            _ => {
                bucket.credentials = match &*text {
                    "none" => Credentials::Nobody,
                    "instance" => Credentials::Instance,
                    _ => {
                        let hint = "without it, the environment (`AWS_ACCESS_KEY_ID` …) or \
                                    the profile in `~/.aws` says them"
                            .to_owned();
                        let message = "expected `\"none\"` or `\"instance\"`".to_owned();
                        self.wrong(value, message, Some(hint));
                        return;
                    }
                };
                return;
            }
        };
        self.wrong(value, wrong.to_owned(), None);
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
