//! What the checker knows of plugins: their signatures, as data.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use crate::by_name::ByName;
use crate::types::{ColumnInfo, Kind, Type};

/// Every plugin and value constructor a file may call, by name.
///
/// A file names a few of them: a signature is made when it is first asked for, once for all copies
/// of the catalog.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    entries: ByName<Entry>,
    /// Constructors that share their word with a plugin, by group and word.
    shared: BTreeMap<(String, String), Entry>,
}

/// A signature and, of a constructor, the group of its values.
#[derive(Clone, Debug)]
struct Entry {
    group: Option<String>,
    signature: Arc<LazyLock<Signature, Make>>,
}

type Make = Box<dyn FnOnce() -> Signature + Send>;

impl Catalog {
    /// Adds a signature; a later one with the same name replaces the earlier. A constructor may share
    /// its word with a plugin that was added before.
    pub fn add(&mut self, signature: Signature) {
        let (name, makes) = (signature.name.clone(), signature.makes.clone());
        match makes {
            Makes::Value(group) => self.add_constructor(&group, &name, move || signature),
            Makes::Kinds(_) => self.add_plugin(&name, move || signature),
        }
    }

    /// The same of a plugin, whose signature is made when it is asked for.
    pub fn add_plugin(&mut self, name: &str, make: impl FnOnce() -> Signature + Send + 'static) {
        self.entries.insert(name.to_owned(), Entry::new(None, make));
    }

    /// The same of a constructor of a group of values.
    pub fn add_constructor(
        &mut self,
        group: &str,
        name: &str,
        make: impl FnOnce() -> Signature + Send + 'static,
    ) {
        let entry = Entry::new(Some(group.to_owned()), make);
        let is_plugin = |other: &Entry| other.group.is_none();
        if self.entries.get(name).is_some_and(is_plugin) {
            self.shared
                .insert((group.to_owned(), name.to_owned()), entry);
        } else {
            self.entries.insert(name.to_owned(), entry);
        }
    }

    /// The constructors alone.
    pub fn constructors(&self) -> Self {
        let mut constructors = Self::default();
        for (name, entry) in self.entries.iter() {
            if entry.group.is_some() {
                constructors.entries.insert(name.to_owned(), entry.clone());
            }
        }
        for ((_, name), entry) in &self.shared {
            constructors.entries.insert(name.clone(), entry.clone());
        }
        constructors
    }

    /// The groups of constructors, each once.
    pub fn groups(&self) -> Vec<&str> {
        let entries = self.entries.values().chain(self.shared.values());
        let groups: BTreeSet<&str> = entries.filter_map(|it| it.group.as_deref()).collect();
        groups.into_iter().collect()
    }

    /// The signature with this name.
    pub fn get(&self, name: &str) -> Option<&Signature> {
        self.entries.get(name).map(Entry::signature)
    }

    /// Whether a plugin or constructor has this name.
    pub fn has(&self, name: &str) -> bool {
        self.entries.get(name).is_some()
    }

    /// The constructor with this name of a group, or else what has the name.
    pub fn get_making(&self, group: &str, name: &str) -> Option<&Signature> {
        let shared = match self.shared.is_empty() {
            true => None,
            false => self.shared.get(&(group.to_owned(), name.to_owned())),
        };
        shared.map(Entry::signature).or_else(|| self.get(name))
    }

    /// All signatures by name.
    pub fn iter(&self) -> impl Iterator<Item = &Signature> {
        let entries = self.entries.values().chain(self.shared.values());
        entries.map(Entry::signature)
    }
}

impl Entry {
    fn new(group: Option<String>, make: impl FnOnce() -> Signature + Send + 'static) -> Self {
        let make: Make = Box::new(make);
        let signature = Arc::new(LazyLock::new(make));
        Self { group, signature }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }
}

/// What a plugin is called, what it takes and what it makes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signature {
    /// The word after `=`.
    pub name: String,
    /// What it makes.
    pub makes: Makes,
    /// Goes up whenever the same call gives other bytes.
    pub version: u32,
    /// Documentation: the first line stands alone.
    pub doc: String,
    /// The parameters in positional order.
    pub params: Vec<Param>,
    /// Whether the result depends on the seed.
    pub random: bool,
    /// Where the columns of the result come from.
    pub columns: ColumnRule,
    /// The whole-number parameter that says how many independent members there are; each
    /// member is an action of its own, and its dependents work member by member.
    pub members: Option<String>,
}

/// The argument that says at which points of the sweeps a list has its results.
pub const POINTS: &str = "points";

/// What a call returns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Makes {
    /// A statement's thing, of one of these kinds (the keyword picks; the first is the default).
    Kinds(Vec<Kind>),
    /// A value of this group, such as `Optimizer`; only ever an argument.
    Value(String),
}

/// Where the columns of a call's result come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnRule {
    /// The result holds no rows of data.
    None,
    /// From outside: a file's header, or a generator.
    Source,
    /// The same as those of this argument.
    Like(String),
    /// Those of this argument and the `name = formula` arguments.
    Extend(String),
    /// The columns this argument lists and the `name = formula` arguments: one row for all
    /// rows that are alike in the columns listed.
    Groups(String),
    /// Those of this argument, if any, and these.
    Declared {
        /// The argument.
        like: Option<String>,
        /// Columns that the plugin adds.
        columns: Vec<ColumnInfo>,
    },
}

/// One parameter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Param {
    /// Its name.
    pub name: String,
    /// What it was called before: still read, with a warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// Documentation.
    #[serde(default)]
    pub doc: String,
    /// Its type.
    pub ty: Type,
    /// The default, in the language; required when absent unless `optional`.
    #[serde(default)]
    pub default: Option<String>,
    /// Whether it may be left out without a default.
    #[serde(default)]
    pub optional: bool,
    /// The allowed values, in the language: `1..=100`, `0..`.
    #[serde(default)]
    pub range: Option<String>,
    /// The parameter of which it must be a divisor.
    #[serde(default)]
    pub divides: Option<String>,
    /// Whether positional arguments from here on are collected in this list.
    #[serde(default)]
    pub variadic: bool,
    /// Whether `name = formula` arguments go here (type `List(Formula)`).
    #[serde(default)]
    pub definitions: bool,
    /// Whether columns named here may hold texts, which have no order and no sum.
    #[serde(default)]
    pub texts: bool,
    /// What its columns mean for data met later.
    #[serde(default)]
    pub need: Need,
    /// For a data argument: whether rows must carry the target too, not only the inputs.
    #[serde(default)]
    pub truth: bool,
    /// For an argument with members: whether all members are taken together.
    #[serde(default)]
    pub gather: bool,
    /// Whether the result has its members although they are taken together: one action then
    /// makes one result for all of them.
    #[serde(default)]
    pub one_for_all: bool,
    /// Whether a list of results has those of every point of the sweeps.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub every_point: bool,
}

/// Whether columns named here must exist in data the result is used with later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// Only here.
    #[default]
    Here,
    /// In all data the result is used with: a network's inputs, a predictor.
    Always,
    /// Where the truth is asked for: a network's target.
    Truth,
}

impl Signature {
    /// The parameter with this name.
    pub fn param(&self, name: &str) -> Option<&Param> {
        self.params.iter().find(|param| param.name == name)
    }
}
