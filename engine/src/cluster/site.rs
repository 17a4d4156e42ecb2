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

    /// What the jobs of a class need.
    pub fn needs_of(&self, class: &str) -> Needs {
        match self.resources.get(class) {
            Some(needs) => needs.or(&self.needs),
            None => self.needs.clone(),
        }
    }
}
