//! What a plugin is to the engine: a declaration, and a function from inputs to an artifact.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use dsl::experiment::{Experiment, Node};
use dsl::signature::{Catalog, ColumnRule, Makes, Signature};
use dsl::types::{Kind, Schema};
use rand_chacha::ChaCha8Rng;

use crate::artifact::{Artifact, Kept, Parts, Stored};
use crate::digest::Digest;
use crate::error::Fault;
use crate::files::Files;
use crate::params::{Bindings, Declared, Implicit, join_doc};
use crate::params::{PARENT, Replayed};
use crate::store::{Record, Store};
use crate::streams::Streams;

/// One thing an experiment can call; declared by [`plugin!`](crate::plugin!).
pub trait Plugin: Declared + 'static {
    /// What it makes.
    type Output: Artifact;

    /// Whether the result depends on the seed.
    const RANDOM: bool = false;

    /// The version whose random streams it draws from: a later version that gives other bytes
    /// by the same chance leaves it alone.
    const STREAMS: u32 = Self::VERSION;

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
    fn schema(&self, files: &Files) -> Result<Schema, Fault> {
        let _ = files;
        Err(Fault::Bug(format!("`{}` has no schema", Self::NAME)))
    }

    /// What computes its gradients, where it trains, and why that: for the plan.
    fn trainer(call: &Node, experiment: &Experiment) -> Option<String> {
        let _ = (call, experiment);
        None
    }

    /// Makes the result.
    ///
    /// # Errors
    /// See [`Fault`]: each says whose fault it is.
    fn run(self, context: &Context) -> Result<Self::Output, Fault>;
}

/// What an action may use while it runs, beside its inputs.
pub struct Context<'a> {
    streams: Streams,
    member: Option<u32>,
    stop: Arc<AtomicBool>,
    progress: &'a (dyn Fn(Progress) + Sync),
    notes: Mutex<Vec<String>>,
    store: Option<&'a dyn Store>,
    files: Files,
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
    /// The context of an action with these streams.
    pub fn new(
        streams: Streams,
        member: Option<u32>,
        stop: Arc<AtomicBool>,
        progress: &'a (dyn Fn(Progress) + Sync),
    ) -> Self {
        Self {
            streams,
            member,
            stop,
            progress,
            notes: Mutex::default(),
            store: None,
            files: Files::unchecked(),
        }
    }

    /// The same with a place for what is too large for memory.
    pub fn with_store(mut self, store: &'a dyn Store) -> Self {
        self.store = Some(store);
        self
    }

    /// The same with the data files that its key holds the digests of.
    pub fn with_files(mut self, files: Files) -> Self {
        self.files = files;
        self
    }

    /// What opens its data files: the only way for a plugin to read them.
    pub fn files(&self) -> &Files {
        &self.files
    }

    /// Keeps bytes of the result before all of it is made; in memory without a store.
    ///
    /// # Errors
    /// [`Fault::Environment`] when the machine cannot keep them.
    pub fn keep(&self, bytes: &[u8]) -> Result<Kept, Fault> {
        match self.store {
            Some(store) => store.keep(bytes),
            None => Ok(Kept::in_memory(bytes)),
        }
    }

    /// A context for tests and direct calls: silent, never stopped, streams derived from `name`.
    pub fn alone(name: &str) -> Self {
        let streams = Streams(Digest::of(name.as_bytes()));
        Self::new(streams, None, Arc::default(), &|_| ())
    }

    /// An independent random stream, the same for the same action and name on every machine.
    pub fn rng(&self, name: &str) -> ChaCha8Rng {
        self.streams.rng(name)
    }

    /// What all its random streams are derived from, to be kept by what will be done again.
    pub fn streams(&self) -> Streams {
        self.streams
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
    /// The argument that names a model to be repeated inside its training data.
    pub replayed: Option<Replayed>,
    /// The version of its random streams.
    pub streams: u32,
    /// The parameters that have no part in its random streams.
    pub apart: Vec<String>,
    /// What computes the gradients of a call.
    pub trainer: fn(&Node, &Experiment) -> Option<String>,
    /// Runs a call.
    pub run: Run,
    /// Reads a stored result.
    pub load: fn(&Parts) -> Result<Arc<dyn Stored>, Fault>,
    /// Reads the columns of a source.
    pub schema: fn(&Bindings, &Files) -> Result<Schema, Fault>,
}

impl Entry {
    /// Whether an argument is there for the names in results alone: nothing of it is taken.
    pub fn only_names(&self, field: &str) -> bool {
        self.replayed.as_ref().is_some_and(|replayed| {
            field == replayed.field || field == format!("{}.{PARENT}", replayed.field)
        })
    }
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
            streams: P::STREAMS,
            apart: P::fields()
                .into_iter()
                .filter(|field| field.apart)
                .map(|field| field.param.name)
                .collect(),
            implicit: P::fields()
                .into_iter()
                .filter_map(|field| {
                    let how = field.implicit?;
                    let gather = field.param.gather;
                    Some((field.param.name, ImplicitInput { how, gather }))
                })
                .collect(),
            replayed: P::fields().into_iter().find_map(|field| {
                let cut = field.replayed?;
                let field = field.param.name;
                Some(Replayed { field, cut })
            }),
            trainer: P::trainer,
            run: |bindings, context| {
                let output = P::decode(bindings)?.run(context)?;
                Ok(Arc::new(output))
            },
            load: |parts| Ok(Arc::new(P::Output::from_parts(parts)?)),
            schema: |bindings, files| P::decode(bindings)?.schema(files),
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

    /// What a plugin makes where no keyword says otherwise.
    pub fn default_kind(&self, name: &str) -> Option<Kind> {
        match &self.get(name)?.signature.makes {
            Makes::Kinds(kinds) => kinds.first().copied(),
            Makes::Value(_) => None,
        }
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
