//! `[on.slurm]` and `[on.command]`: the queues of jobs in `farcast.toml`.
//!
//! ```toml
//! [on.slurm]
//! partition = "cpu"
//! time = "2:00:00"
//! setup = ["module load farcast"]
//!
//! [on.slurm.resources.finetune]
//! gpus = "1"
//! ```

use std::collections::BTreeMap;

use dsl::diagnostic::{Code, Diagnostic};
use dsl::nearest;
use engine::cluster::{Kind, Needs, Site, limit};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Reader, article, span};
use crate::setting::listed;

/// The queues, by the names of `--on`.
const QUEUES: [(&str, Kind); 2] = [("slurm", Kind::Slurm), ("command", Kind::Command)];

/// What a job may need.
const NEEDS: [&str; 6] = ["cpus", "mem", "gpus", "time", "partition", "args"];

/// What is said of a queue beside what its jobs need.
const OF_ALL: [&str; 4] = ["chunk", "max_array", "farcast", "resources"];
const OF_SLURM: [&str; 5] = ["account", "qos", "setup", "max_jobs", "coordinator"];
const OF_COMMAND: [&str; 1] = ["run"];

impl Reader<'_> {
    /// The queues of a table, over those that are said already.
    pub(super) fn queues(
        &mut self,
        value: &Spanned<DeValue>,
        base: &BTreeMap<String, Site>,
    ) -> BTreeMap<String, Site> {
        let mut queues = base.clone();
        let table = self.table(value, "queues: `[on.slurm]` or `[on.command]`");
        for (key, value) in table.into_iter().flatten() {
            let name: &str = key.get_ref();
            let Some((name, kind)) = QUEUES.iter().find(|(known, _)| *known == name) else {
                self.unknown_key("queue", key, &QUEUES.map(|(known, _)| known));
                continue;
            };
            let what = format!("settings: `[on.{name}]`");
            if let Some(table) = self.table(value, &what) {
                let site = queues.entry((*name).to_owned());
                self.queue(table, site.or_insert_with(|| Site::new(*kind)));
            }
        }
        queues
    }

    fn queue(&mut self, table: &DeTable, site: &mut Site) {
        let own: &[&str] = match site.kind {
            Kind::Slurm => &OF_SLURM,
            Kind::Command => &OF_COMMAND,
        };
        let known: Vec<&str> = [&NEEDS[..], &OF_ALL, own].concat();
        for (key, value) in table {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                self.unknown_key("setting", key, &known);
                continue;
            }
            match name {
                "run" => site.run = self.words(value).unwrap_or_default(),
                "setup" => site.setup = self.words(value).unwrap_or_default(),
                "account" => site.account = self.text(value),
                "qos" => site.qos = self.text(value),
                "farcast" => site.program = self.text(value),
                "chunk" => site.chunk = self.duration(value).unwrap_or(site.chunk),
                "max_array" => site.max_array = self.count(value).unwrap_or(site.max_array),
                "max_jobs" => site.max_jobs = self.count(value).unwrap_or(site.max_jobs),
                "coordinator" => match value.get_ref() {
                    DeValue::Boolean(is_on) => site.coordinator = *is_on,
                    other => self.expected("`true` or `false`", value, other),
                },
                "resources" => {
                    let what = "plugins: `[on.slurm.resources.finetune]`";
                    let plugins = self.table(value, what).into_iter().flatten();
                    for (plugin, value) in plugins {
                        let what = "what the jobs of a plugin need: `cpus`, `mem`, `time`";
                        if let Some(table) = self.table(value, what) {
                            let plugin = plugin.get_ref().to_string();
                            let needs = site.resources.entry(plugin).or_default();
                            self.needs(table, site.kind, needs);
                        }
                    }
                }
                _ => self.need(name, value, site.kind, &mut site.needs),
            }
        }
    }

    fn needs(&mut self, table: &DeTable, kind: Kind, needs: &mut Needs) {
        for (key, value) in table {
            let name: &str = key.get_ref();
            match NEEDS.contains(&name) {
                true => self.need(name, value, kind, needs),
                false => self.unknown_key("setting", key, &NEEDS),
            }
        }
    }

    fn need(&mut self, name: &str, value: &Spanned<DeValue>, kind: Kind, needs: &mut Needs) {
        match name {
            "cpus" => needs.cpus = self.count(value).and_then(|it| it.try_into().ok()),
            "mem" => needs.mem = self.slurm_text(value, kind, is_mem, MEM),
            "gpus" => needs.gpus = self.text(value),
            "time" => needs.time = self.slurm_text(value, kind, is_time, TIME),
            "partition" => needs.partition = self.text(value),
            _ => needs.args = self.words(value).unwrap_or_default(),
        }
    }

    /// A text that Slurm would refuse otherwise; other queues have forms of their own.
    fn slurm_text(
        &mut self,
        value: &Spanned<DeValue>,
        kind: Kind,
        is_right: impl Fn(&str) -> bool,
        form: &str,
    ) -> Option<String> {
        let text = self.text(value)?;
        if kind == Kind::Slurm && !is_right(&text) {
            self.wrong(value, format!("expected {form}"), None);
            return None;
        }
        Some(text)
    }

    /// A text, or a number as the text that it is.
    pub(super) fn text(&mut self, value: &Spanned<DeValue>) -> Option<String> {
        match value.get_ref() {
            DeValue::String(text) if !text.is_empty() => Some(text.to_string()),
            DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
            other => {
                self.expected("a quoted text", value, other);
                None
            }
        }
    }

    fn words(&mut self, value: &Spanned<DeValue>) -> Option<Vec<String>> {
        let DeValue::Array(values) = value.get_ref() else {
            self.expected("a list of quoted texts", value, value.get_ref());
            return None;
        };
        values.iter().map(|value| self.text(value)).collect()
    }

    fn count(&mut self, value: &Spanned<DeValue>) -> Option<usize> {
        let count = match value.get_ref() {
            DeValue::Integer(number) => number.as_str().parse().ok(),
            _ => None,
        };
        let count = count.filter(|count| (1..=1_000_000).contains(count));
        if count.is_none() {
            let message = "expected a whole number from 1 to 1000000".to_owned();
            self.wrong(value, message, None);
        }
        count
    }

    /// Seconds, of `90 s`, `20 min` or `2 h`.
    fn duration(&mut self, value: &Spanned<DeValue>) -> Option<f64> {
        let seconds = match value.get_ref() {
            DeValue::String(text) => seconds(text),
            _ => None,
        };
        if seconds.is_none() {
            let message = "expected a time such as `\"90 s\"`, `\"20 min\"` or `\"2 h\"`";
            self.wrong(value, message.to_owned(), None);
        }
        seconds
    }

    fn expected(&mut self, what: &str, value: &Spanned<DeValue>, found: &DeValue) {
        let found = article(found);
        self.wrong(value, format!("expected {what}, found {found}"), None);
    }

    pub(super) fn unknown_key(
        &mut self,
        what: &str,
        key: &Spanned<impl AsRef<str>>,
        known: &[&str],
    ) {
        let name = key.get_ref().as_ref();
        let message = format!("unknown {what} `{name}`");
        let mut diagnostic = Diagnostic::error(Code::UnknownName, span(key.span()), message);
        if let Some(near) = nearest(name, known.iter().copied()) {
            diagnostic = diagnostic.hint(format!("did you mean `{near}`?"));
        }
        let all = listed(known.iter().copied(), ", ");
        self.found.push(diagnostic.hint(format!("{what}s: {all}")));
    }
}

/// What Slurm takes as a time limit and as a size of memory.
const TIME: &str = "a time as Slurm writes it: minutes, `\"2:00:00\"` or `\"1-12:00:00\"`";
const MEM: &str = "a size as Slurm writes it, such as `\"800M\"` or `\"8G\"`";

fn is_time(text: &str) -> bool {
    let is_none = ["INFINITE", "UNLIMITED"].contains(&text.to_ascii_uppercase().as_str());
    is_none || limit(text).is_some()
}

fn is_mem(text: &str) -> bool {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text[digits.len()..].to_ascii_uppercase();
    let is_unit = ["", "K", "M", "G", "T", "KB", "MB", "GB", "TB"].contains(&unit.as_str());
    is_unit && digits.parse::<u64>().is_ok()
}

fn seconds(text: &str) -> Option<f64> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
    let (number, unit) = text.split_at(end);
    let factor = match unit.trim() {
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => return None,
    };
    let number: f64 = number.parse().ok()?;
    Some(number * factor).filter(|seconds| *seconds >= 1.0)
}

#[cfg(test)]
mod tests {
    use super::{is_mem, is_time, seconds};

    #[test]
    fn slurm_has_forms_of_its_own() {
        assert!(["2:00:00", "30", "infinite"].into_iter().all(is_time));
        assert!(!["2 h", "2h", ""].into_iter().any(is_time));
        assert!(["800M", "8G", "8GB", "0", "4000"].into_iter().all(is_mem));
        assert!(!["8 G", "8.5G", "G", "8Gi", "-1"].into_iter().any(is_mem));
    }

    #[test]
    fn durations_have_units() {
        let found = ["20 min", "90s", "1.5 h", "5", "0 s", "min", "1 d"].map(seconds);
        let expected = [
            Some(1200.0),
            Some(90.0),
            Some(5400.0),
            None,
            None,
            None,
            None,
        ];
        assert_eq!(found, expected);
    }
}
