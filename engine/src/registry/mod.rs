//! Every plugin, constructor and artifact type of a program, by name.

mod declared;
mod validate;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use dsl::by_name::ByName;
use dsl::signature::Catalog;
use dsl::types::Kind;
use thiserror::Error;

use crate::artifact::{Artifact, Dataset, Page, Parts, Scores, Stored, Trajectory, WeightTable};
use crate::error::Fault;
use crate::foreign::{Maker, Makers, Provided, Simple};
use crate::params::Constructor;
use crate::plugin::{Operation, Plugin, typed};
use crate::store::{Record, Store};

/// Every plugin and constructor, and how stored results are read back.
#[derive(Clone)]
pub struct Registry {
    operations: ByName<Arc<dyn Operation>>,
    constructors: Vec<Constructor>,
    readers: Vec<ArtifactReader>,
    makers: Makers,
    /// What those are that are programs of their own.
    provided: BTreeMap<String, Provided>,
}

/// Reads one type of artifact.
#[derive(Clone, Copy)]
struct ArtifactReader {
    parts: &'static [&'static str],
    read: fn(&Parts) -> Result<Arc<dyn Stored>, Fault>,
}

/// Why a plugin cannot be registered; names the plugin, the field and the part of it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{}: {message}", place(plugin, field.as_deref()))]
pub struct RegistryError {
    /// The plugin or constructor.
    pub plugin: String,
    /// The field, when one is to blame.
    pub field: Option<String>,
    /// One line.
    pub message: String,
}

fn place(plugin: &str, field: Option<&str>) -> String {
    match field {
        Some(field) => format!("plugin `{plugin}`, field `{field}`"),
        None => format!("plugin `{plugin}`"),
    }
}

impl Default for Registry {
    /// No plugins; the artifact types of the engine.
    fn default() -> Self {
        let mut registry = Self {
            operations: ByName::default(),
            constructors: Vec::new(),
            readers: Vec::new(),
            makers: BTreeMap::new(),
            provided: BTreeMap::new(),
        };
        registry.artifact::<Dataset>();
        registry.artifact::<Page>();
        registry.artifact::<Scores>();
        registry.artifact::<Trajectory>();
        registry.artifact::<WeightTable>();
        registry.maker_of(Kind::Data, Simple::<Dataset>::default());
        registry.maker_of(Kind::Anomaly, Simple::<WeightTable>::default());
        registry.maker_of(Kind::Score, Simple::<Scores>::default());
        registry.maker_of(Kind::Trajectory, Simple::<Trajectory>::default());
        registry
    }
}

impl Registry {
    /// Adds a plugin of this program. [`validate`](Self::validate) checks its declaration: a
    /// test does, so that a program need not at every start.
    ///
    /// # Panics
    /// When two plugins of this program have one name.
    pub fn plugin<P: Plugin>(&mut self) {
        let before = self.operations.insert(P::NAME.to_owned(), typed::<P>());
        assert!(before.is_none(), "two plugins are named `{}`", P::NAME);
    }

    /// Adds a plugin made at run time, once its declaration is valid.
    ///
    /// # Errors
    /// The first fault of its declaration, such as a name that exists, a default that does not
    /// fit its type, or an input that no path of arguments leads to.
    pub fn add(&mut self, operation: Arc<dyn Operation>) -> Result<(), RegistryError> {
        let name = operation.declaration().signature.name.clone();
        if self.names().contains(name.as_str()) {
            return Err(RegistryError {
                message: "the name exists already".to_owned(),
                plugin: name,
                field: None,
            });
        }
        self.operations.insert(name.clone(), operation);
        let valid = self.validate_plugin(&name);
        if valid.is_err() {
            self.operations.remove(&name);
        }
        valid
    }

    /// Adds the constructors of a value.
    pub fn constructors(&mut self, constructors: &[Constructor]) {
        self.constructors.extend(constructors);
    }

    /// Adds a type of artifact, so that its stored results are read back. Which plugin produced
    /// them does not matter: the reader is the one with the most parts that are all there.
    ///
    /// # Panics
    /// When another type of this program has the same parts.
    pub fn artifact<A: Artifact>(&mut self) {
        let (parts, is_new) = (A::PARTS, |reader: &ArtifactReader| reader.parts != A::PARTS);
        assert!(
            self.readers.iter().all(is_new),
            "two artifacts of {parts:?}"
        );
        self.readers.push(ArtifactReader {
            parts,
            read: |parts| Ok(Arc::new(A::from_parts(parts)?)),
        });
    }

    /// Adds how results of a kind are made from what programs answer.
    pub fn maker_of(&mut self, kind: Kind, maker: impl Maker + 'static) {
        self.makers.insert(kind, Arc::new(maker));
    }

    /// How results are made from what programs answer, by kind.
    pub fn makers(&self) -> &Makers {
        &self.makers
    }

    /// The plugin with this name.
    pub fn get(&self, name: &str) -> Option<&dyn Operation> {
        self.operations.get(name).map(|operation| &**operation)
    }

    /// The same, to be held.
    pub fn shared(&self, name: &str) -> Option<Arc<dyn Operation>> {
        self.operations.get(name).map(Arc::clone)
    }

    /// What a plugin returns where no keyword says otherwise.
    pub fn default_kind(&self, name: &str) -> Option<Kind> {
        self.get(name)?.declaration().default_kind()
    }

    /// Reads a result from the store; `title` is what people call it.
    ///
    /// # Errors
    /// [`Fault::Damaged`] when it is not there as it was stored, [`Fault::Bug`] when it is and
    /// still cannot be read.
    pub fn read(
        &self,
        title: &str,
        record: &Record,
        store: &dyn Store,
    ) -> Result<Arc<dyn Stored>, Fault> {
        let parts = store.load(record)?;
        if parts.has(Parts::REMADE) {
            let message = format!("`{title}` is not stored: a run makes it where it is needed");
            return Err(Fault::Environment(message));
        }
        let is_there = |reader: &&ArtifactReader| reader.parts.iter().all(|name| parts.has(name));
        let readers = self.readers.iter().filter(is_there);
        let reader = readers.max_by_key(|reader| reader.parts.len());
        let read = reader.map(|reader| (reader.read)(&parts));
        let unknown = || Err(Fault::Bug("no artifact has these parts".to_owned()));
        read.unwrap_or_else(unknown).map_err(|fault| {
            Fault::Bug(format!(
                "the stored result of `{title}` cannot be read: {fault}"
            ))
        })
    }

    /// All plugins by name.
    pub fn iter(&self) -> impl Iterator<Item = &dyn Operation> {
        self.operations.values().map(|operation| &**operation)
    }

    /// What the checker needs to know; what files declare it reads there.
    pub fn catalog(&self) -> Catalog {
        let mut catalog = Catalog::default();
        for (name, operation) in self.operations.iter() {
            if !self.provided.contains_key(name) {
                let operation = Arc::clone(operation);
                catalog.add_plugin(name, move || operation.declaration().signature.clone());
            }
        }
        for constructor in &self.constructors {
            let Constructor { group, name, .. } = constructor;
            catalog.add_constructor(group, name, constructor.signature);
        }
        catalog
    }

    fn names(&self) -> BTreeSet<&str> {
        let constructors = self.constructors.iter().map(|it| it.name);
        constructors.chain(self.operations.names()).collect()
    }
}
