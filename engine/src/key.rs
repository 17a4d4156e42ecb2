//! What a result depends on, as a text people can read and its digest.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{self, Write};

use dsl::experiment::{Arguments, Constructed, Value};
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// The version of the key text; rises when equal calls must no longer share results.
pub const KEY_VERSION: u32 = 1;

/// Bytes for which most key texts have room.
const TEXT_BYTES: usize = 256;

/// The identity of a result: equal keys, equal bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The digest of `text`.
    pub digest: Digest,
    /// Everything the result depends on, one thing a line.
    pub text: String,
}

impl Key {
    /// The key with this text.
    pub fn of(text: String) -> Self {
        Self {
            digest: Digest::of(text.as_bytes()),
            text,
        }
    }

    /// The plugin that the text names.
    pub fn plugin(&self) -> &str {
        plugin_of(&self.text)
    }
}

/// The plugin that a key text names.
pub fn plugin_of(key_text: &str) -> &str {
    key_text
        .lines()
        .find_map(|line| line.strip_prefix("plugin "))
        .and_then(|rest| rest.split(' ').next())
        .unwrap_or_default()
}

/// What the key of one call of a plugin is made of.
pub(crate) struct KeyParts<'a> {
    /// The plugin.
    pub plugin: &'a str,
    /// The lines that say what it is, of a program of its own.
    pub code: &'a str,
    /// Its version, or that of its random streams.
    pub version: u32,
    /// The seed, where the result depends on it.
    pub seed: Option<u64>,
    /// The member, where each has a result of its own.
    pub member: Option<u32>,
    /// The arguments.
    pub args: &'a Arguments,
    /// The arguments that are not in the text.
    pub without: &'a dyn Fn(&str) -> bool,
    /// The digest of every data file among the arguments.
    pub files: &'a BTreeMap<String, Digest>,
}

impl KeyParts<'_> {
    /// The text, with a line for each input: the field and the digest of what it reads.
    pub fn text<'a>(&self, inputs: impl Iterator<Item = (&'a str, Digest)>) -> String {
        let mut text = String::with_capacity(TEXT_BYTES);
        let mut line = |line: fmt::Arguments| {
            // Writing to a `String` cannot fail.
            let _ = writeln!(text, "{line}");
        };
        line(format_args!("farcast-key {KEY_VERSION}"));
        line(format_args!("plugin {} {}", self.plugin, self.version));
        self.code
            .lines()
            .for_each(|code| line(format_args!("{code}")));
        if let Some(seed) = self.seed {
            line(format_args!("seed {seed}"));
        }
        if let Some(member) = self.member {
            line(format_args!("member {member}"));
        }
        for (name, argument) in self.args {
            if !argument.value.is_reference() && !(self.without)(name) {
                let value = by_content(&argument.value, self.files);
                line(format_args!("{name} = {value}"));
            }
        }
        for (field, digest) in inputs {
            line(format_args!("{field} <- {digest}"));
        }
        text
    }
}

/// The value with every path replaced by the digest of what is in the file; the nodes it
/// refers to are in the lines of the inputs, in the same order.
fn by_content<'a>(value: &'a Value, files: &BTreeMap<String, Digest>) -> Cow<'a, Value> {
    let replaced = match value {
        Value::Node(_) => Value::Text("input".to_owned()),
        Value::Path(path) => Value::Text(match files.get(path) {
            Some(digest) => format!("file {digest}"),
            None => "no file".to_owned(),
        }),
        Value::List(values) => {
            let values = values.iter().map(|value| by_content(value, files));
            Value::List(values.map(Cow::into_owned).collect())
        }
        Value::Constructed(made) => {
            let mut args = made.args.clone();
            for (_, argument) in &mut args {
                argument.value = by_content(&argument.value, files).into_owned();
            }
            let name = made.name.clone();
            Value::Constructed(Constructed { name, args }.into())
        }
        other => return Cow::Borrowed(other),
    };
    Cow::Owned(replaced)
}
