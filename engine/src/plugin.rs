//! What a plugin is to the engine: a declaration, and a function from inputs to an artifact.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use dsl::signature::{Catalog, ColumnRule, Makes, Signature};
use dsl::types::{Kind, Schema};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::artifact::{Artifact, Parts, Stored};
use crate::digest::Digest;
use crate::error::Fault;
use crate::params::{Bindings, Declared, Implicit, join_doc};
use crate::store::{Record, Store};

/// One thing an experiment can call; declared by [`plugin!`](crate::plugin!).
pub trait Plugin: Declared + 'static {
    /// What it makes.
    type Output: Artifact;

    /// Whether the result depends on the seed.
    const RANDOM: bool = false;

    /// The parameter that counts independent members, each an action of its own.
    const MEMBERS: Option<&'static str> = None;

    /// The kinds it can make, the usual one first.
    fn kinds() -> Vec<Kind> {
        vec![Self::Output::KIND]
    }

    /// Where the columns of the result come from.
    fn columns() -> ColumnRule {
        ColumnRule::None
    }

    /// The columns of the result, read from a header: for [`ColumnRule::Source`].
    ///
    /// # Errors
    /// When the file is not there or not what it should be.
    fn schema(&self) -> Result<Schema, Fault> {
        Err(Fault::Bug(format!("`{}` has no schema", Self::NAME)))
    }

    /// Makes the result.
    ///
    /// # Errors
    /// See [`Fault`]: each says whose fault it is.
    fn run(self, context: &Context) -> Result<Self::Output, Fault>;
}

/// What an action may use while it runs, beside its inputs.
pub struct Context<'a> {
    key: Digest,
    member: Option<u32>,
    stop: Arc<AtomicBool>,
    progress: &'a (dyn Fn(Progress) + Sync),
    notes: Mutex<Vec<String>>,
}

/// How far an action is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Steps done.
    pub done: u64,
    /// Steps in all.
    pub total: u64,
    /// The loss at this step, when there is one.
    pub loss: Option<f64>,
}

impl<'a> Context<'a> {
    /// The context of the action with this key.
    pub fn new(
        key: Digest,
        member: Option<u32>,
        stop: Arc<AtomicBool>,
        progress: &'a (dyn Fn(Progress) + Sync),
    ) -> Self {
        Self {
            key,
            member,
            stop,
            progress,
            notes: Mutex::default(),
        }
    }

    /// A context for tests and direct calls: silent, never stopped, streams derived from `name`.
    pub fn alone(name: &str) -> Self {
        Self::new(Digest::of(name.as_bytes()), None, Arc::default(), &|_| ())
    }

    /// An independent random stream, the same for the same action and name on every machine.
    pub fn rng(&self, name: &str) -> ChaCha8Rng {
        let mut text = self.key.bytes().to_vec();
        text.extend_from_slice(name.as_bytes());
        ChaCha8Rng::from_seed(*Digest::of(&text).bytes())
    }

    /// Which member this action makes, from 0; `None` without members.
    pub fn member(&self) -> Option<u32> {
        self.member
    }

    /// Tells how far the action is; cheap enough to call for every step.
    pub fn progress(&self, done: u64, total: u64, loss: Option<f64>) {
        (self.progress)(Progress { done, total, loss });
    }

    /// To be asked now and then during long work: stops it when the run was asked to stop.
    ///
    /// # Errors
    /// [`Fault::Cancelled`] then.
    pub fn check_stop(&self) -> Result<(), Fault> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Fault::Cancelled);
        }
        Ok(())
    }

    /// Something a reader of the results must know; kept with the result, shown on every run.
    pub fn note(&self, text: impl Into<String>) {
        self.notes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(text.into());
    }

    /// The notes so far.
    pub fn take_notes(&self) -> Vec<String> {
        std::mem::take(&mut *self.notes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Runs a call of a plugin with its types erased.
pub type Run = fn(&Bindings, &Context<'_>) -> Result<Arc<dyn Stored>, Fault>;

/// A plugin with its types erased.
#[derive(Clone)]
pub struct Entry {
    /// What the checker knows of it.
    pub signature: Signature,
    /// The inputs users do not write, by field.
    pub implicit: Vec<(String, ImplicitInput)>,
    /// Runs a call.
    pub run: Run,
    /// Reads a stored result.
    pub load: fn(&Parts) -> Result<Arc<dyn Stored>, Fault>,
    /// Reads the columns of a source.
    pub schema: fn(&Bindings) -> Result<Schema, Fault>,
}

/// An input users do not write, and whether all its members are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImplicitInput {
    /// How it is found.
    pub how: Implicit,
    /// Whether all members are taken together.
    pub gather: bool,
}

/// Every plugin and constructor, by name.
#[derive(Clone, Default)]
pub struct Registry {
    entries: BTreeMap<String, Entry>,
    constructors: Vec<Signature>,
}

impl Registry {
    /// Adds a plugin.
    pub fn plugin<P: Plugin>(&mut self) {
        let entry = Entry {
            signature: signature::<P>(),
            implicit: P::fields()
                .into_iter()
                .filter_map(|field| {
                    let how = field.implicit?;
                    let gather = field.param.gather;
                    Some((field.param.name, ImplicitInput { how, gather }))
                })
                .collect(),
            run: |bindings, context| {
                let output = P::decode(bindings)?.run(context)?;
                Ok(Arc::new(output))
            },
            load: |parts| Ok(Arc::new(P::Output::from_parts(parts)?)),
            schema: |bindings| P::decode(bindings)?.schema(),
        };
        self.entries.insert(P::NAME.to_owned(), entry);
    }

    /// Adds the constructors of a value.
    pub fn constructors(&mut self, signatures: Vec<Signature>) {
        self.constructors.extend(signatures);
    }

    /// The plugin with this name.
    pub fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// Reads what a plugin made from the store; `title` is what people call it.
    ///
    /// # Errors
    /// [`Fault::Damaged`] when it is not there as it was stored, [`Fault::Bug`] when it is and
    /// does not read all the same.
    pub fn read(
        &self,
        plugin: &str,
        title: &str,
        record: &Record,
        store: &dyn Store,
    ) -> Result<Arc<dyn Stored>, Fault> {
        let parts = store.load(record)?;
        let entry = self
            .get(plugin)
            .ok_or_else(|| Fault::Bug(format!("plugin `{plugin}` is not registered")))?;
        (entry.load)(&parts).map_err(|fault| {
            Fault::Bug(format!(
                "the stored result of `{title}` does not read: {fault}"
            ))
        })
    }

    /// All plugins by name.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// What the checker needs to know.
    pub fn catalog(&self) -> Catalog {
        let mut catalog = Catalog::default();
        for entry in self.entries.values() {
            catalog.add(entry.signature.clone());
        }
        for signature in &self.constructors {
            catalog.add(signature.clone());
        }
        catalog
    }
}

fn signature<P: Plugin>() -> Signature {
    Signature {
        name: P::NAME.to_owned(),
        makes: Makes::Kinds(P::kinds()),
        version: P::VERSION,
        doc: join_doc(P::DOC),
        params: visible::<P>(),
        random: P::RANDOM,
        columns: P::columns(),
        members: P::MEMBERS.map(str::to_owned),
    }
}

/// The signature of a constructor of `group`.
pub fn constructor_signature<C: Declared>(group: &str) -> Signature {
    Signature {
        name: C::NAME.to_owned(),
        makes: Makes::Value(group.to_owned()),
        version: C::VERSION,
        doc: join_doc(C::DOC),
        params: visible::<C>(),
        random: false,
        columns: ColumnRule::None,
        members: None,
    }
}

fn visible<D: Declared>() -> Vec<dsl::signature::Param> {
    D::fields()
        .into_iter()
        .filter(|field| field.implicit.is_none())
        .map(|field| {
            let mut param = field.param;
            param.definitions = param.name == DEFINITIONS;
            param
        })
        .collect()
}

/// The field name that collects `name = formula` arguments.
pub const DEFINITIONS: &str = "definitions";
