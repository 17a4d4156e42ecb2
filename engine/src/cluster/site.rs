//! Where and how jobs run, as `farcast.toml` says it. It is in no key: results do not depend on it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What kind of queue takes the jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Slurm.
    #[default]
    Slurm,
    /// Any other, through a command that ends when its chunks have ended.
    Command,
}

/// The class of the job after all others, in `[on.slurm.resources]`.
pub const COORDINATOR: &str = "coordinator";

/// The seconds of a time limit as Slurm and most other queues write it: `30` minutes, `2:30`
/// minutes and seconds, `1:00:00`, `1-12` days and hours, `1-12:30`, `1-12:30:00`.
pub fn limit(text: &str) -> Option<f64> {
    let numbers = |text: &str| -> Option<Vec<f64>> {
        let parts = text.split(':');
        let number = |part: &str| part.parse::<u32>().ok().map(f64::from);
        parts.map(number).collect()
    };
    Some(match text.split_once('-') {
        Some((days, rest)) => {
            let days = f64::from(days.parse::<u32>().ok()?) * 86400.0;
            match numbers(rest)?.as_slice() {
                [hours] => days + hours * 3600.0,
                [hours, minutes] => days + hours * 3600.0 + minutes * 60.0,
                [hours, minutes, seconds] => days + hours * 3600.0 + minutes * 60.0 + seconds,
                _ => return None,
            }
        }
        None => match numbers(text)?.as_slice() {
            [minutes] => minutes * 60.0,
            [minutes, seconds] => minutes * 60.0 + seconds,
            [hours, minutes, seconds] => hours * 3600.0 + minutes * 60.0 + seconds,
            _ => return None,
        },
    })
}

/// What a job needs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Needs {
    /// Cores.
    pub cpus: Option<u32>,
    /// Memory, as the queue writes it: `4G`.
    pub mem: Option<String>,
    /// GPUs, as the queue writes them: `1`, `a100:2`.
    pub gpus: Option<String>,
    /// The longest time, as the queue writes it: `2:00:00`.
    pub time: Option<String>,
    /// The partition.
    pub partition: Option<String>,
    /// Further arguments of the submission.
    #[serde(default)]
    pub args: Vec<String>,
}

impl Needs {
    /// The same; what it does not say, as `other` says it.
    pub fn or(&self, other: &Self) -> Self {
        let text = |own: &Option<String>, other: &Option<String>| own.clone().or(other.clone());
        Self {
            cpus: self.cpus.or(other.cpus),
            mem: text(&self.mem, &other.mem),
            gpus: text(&self.gpus, &other.gpus),
            time: text(&self.time, &other.time),
            partition: text(&self.partition, &other.partition),
            args: other.args.iter().chain(&self.args).cloned().collect(),
        }
    }
}

/// A queue and how to use it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Site {
    /// What it is.
    pub kind: Kind,
    /// The command and its arguments, for [`Kind::Command`].
    pub run: Vec<String>,
    /// The program, where jobs find another one than this.
    pub program: Option<String>,
    /// Lines of shell before the work: modules, an environment.
    pub setup: Vec<String>,
    /// Who pays.
    pub account: Option<String>,
    /// The quality of service.
    pub qos: Option<String>,
    /// How long a chunk should run, in seconds.
    pub chunk: f64,
    /// The largest number of chunks in an array.
    pub max_array: usize,
    /// The largest number of jobs submitted at once; what is beyond waits for the next order.
    pub max_jobs: usize,
    /// Whether a job submits the next round and writes the results.
    pub coordinator: bool,
    /// What every job needs.
    pub needs: Needs,
    /// What the jobs of some plugins need instead.
    pub resources: BTreeMap<String, Needs>,
}

impl Site {
    /// The settings of a `farcast.toml` that says nothing.
    pub fn new(kind: Kind) -> Self {
        Self {
            kind,
            chunk: 20.0 * 60.0,
            max_array: 1000,
            max_jobs: 100_000,
            coordinator: kind == Kind::Slurm,
            ..Self::default()
        }
    }

    /// The name under which the needs of a plugin are found; empty for those of every job.
    pub fn class(&self, plugin: &str) -> String {
        let is_named = self.resources.contains_key(plugin);
        if is_named {
            plugin.to_owned()
        } else {
            String::new()
        }
    }

    /// The shortest time limit of any job, in seconds; none where the settings name none.
    pub fn shortest(&self) -> Option<f64> {
        let classes = self
            .resources
            .iter()
            .filter(|(class, _)| *class != COORDINATOR);
        let times = classes
            .map(|(_, needs)| &needs.time)
            .chain([&self.needs.time]);
        let limits = times.filter_map(|time| limit(time.as_deref()?));
        limits.reduce(f64::min)
    }

    /// What the jobs of a class need.
    pub fn needs_of(&self, class: &str) -> Needs {
        match self.resources.get(class) {
            Some(needs) => needs.or(&self.needs),
            None => self.needs.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::limit;

    #[test]
    fn limits_are_read_as_slurm_reads_them() {
        let found = ["30", "2:30", "1:00:00", "1-12", "1-12:30", "1-0:0:5"].map(limit);
        let expected = [1800.0, 150.0, 3600.0, 129_600.0, 131_400.0, 86_405.0];
        assert_eq!(found, expected.map(Some));
        for text in ["", "UNLIMITED", "1h", "1:2:3:4", "-5", "5-", "1-2:3:4:5"] {
            assert_eq!(limit(text), None, "{text}");
        }
    }
}
