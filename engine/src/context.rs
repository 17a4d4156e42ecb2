//! What an action may use while it runs, beside its inputs.

use std::any::Any;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use chacha20::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::artifact::{Blob, Dataset, Each};
use crate::digest::{BlockDigests, Digest};
use crate::error::Fault;
use crate::files::{DataFile, Files};
use crate::helpers::Cores;
use crate::spare::Spare;
use crate::states::States;
use crate::store::Store;
use crate::streams::Streams;

/// What an action may use while it runs, beside its inputs.
pub struct Context<'a> {
    streams: Streams,
    member: Option<u32>,
    stop: Arc<AtomicBool>,
    progress: &'a (dyn Fn(Progress) + Sync),
    notes: Mutex<Vec<String>>,
    store: Option<&'a dyn Store>,
    shared: Option<&'a (dyn Any + Send + Sync)>,
    cores: Cores,
    files: Files,
    keeping: Option<Mutex<States>>,
    states: Option<&'a States>,
    shorter: Vec<Arc<[u8]>>,
    leaves: bool,
    left: Mutex<Option<Vec<u8>>>,
    went_on_from: Mutex<Option<usize>>,
    rows: Option<&'a dyn RowSource>,
    found: Option<&'a Found>,
}

/// Where the rows of an input come from, each time somebody reads them.
pub(crate) trait RowSource: Sync {
    /// Passes all rows to `each`, in parts, in the order of the table; those after the first need not
    /// have columns that it does not read.
    ///
    /// # Errors
    /// Those of the calls that make the rows, and of `each`.
    fn read(&self, each: Each<'_>) -> Result<(), Fault>;
}

/// What a call found in all rows, for the next time that its rows are asked for.
pub(crate) type Found = Mutex<Option<Arc<dyn Any + Send + Sync>>>;

/// How far an action is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
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
            shared: None,
            cores: Cores::default(),
            files: Files::unchecked(),
            keeping: None,
            states: None,
            shorter: Vec::new(),
            leaves: false,
            left: Mutex::default(),
            went_on_from: Mutex::default(),
            rows: None,
            found: None,
        }
    }

    /// The same with a place for what is too large for memory.
    pub fn with_store(mut self, store: &'a dyn Store) -> Self {
        self.store = Some(store);
        self
    }

    /// The same with what outlives single actions, such as processes that wait for calls.
    pub fn with_shared(mut self, shared: &'a (dyn Any + Send + Sync)) -> Self {
        self.shared = Some(shared);
        self
    }

    /// What outlives single actions, where it is of this type.
    pub fn shared<T: 'static>(&self) -> Option<&T> {
        self.shared?.downcast_ref()
    }

    /// The same with the cores that no action uses.
    pub(crate) fn with_spare(mut self, spare: &Arc<Spare>) -> Self {
        self.cores = Cores::of(spare);
        self
    }

    /// What `work` returns for every part of the action's work, in their order; see
    /// [`Cores::share`].
    pub fn share<T: Sync, R: Send>(&self, parts: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
        self.cores.share(parts, work)
    }

    /// The cores that no action uses.
    pub fn cores(&self) -> &Cores {
        &self.cores
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

    /// The same that keeps states it goes through.
    pub fn keeping(mut self, states: Option<States>) -> Self {
        self.keeping = states.map(Mutex::new);
        self
    }

    /// The same with the states that the input went through which it is carried out along with.
    pub fn with_states(mut self, states: Option<&'a States>) -> Self {
        self.states = states;
        self
    }

    /// The same with what shorter ones left, and whether it leaves the like.
    pub fn with_shorter(mut self, shorter: Vec<Arc<[u8]>>, leaves: bool) -> Self {
        self.shorter = shorter;
        self.leaves = leaves;
        self
    }

    /// Shows the weights after a step to what is carried out along with it; cheap where nothing is.
    pub fn state(&self, step: u64, weights: &[f32]) {
        if let Some(keeping) = &self.keeping {
            let mut states = keeping.lock().unwrap_or_else(PoisonError::into_inner);
            states.look(step, weights);
        }
    }

    /// The states that it kept.
    pub fn take_states(&mut self) -> Option<States> {
        let states = self.keeping.take()?;
        Some(states.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    /// The states of the input along with which it is carried out; none when it runs alone.
    pub fn states(&self) -> Option<&States> {
        self.states
    }

    /// What shorter ones left: actions that differ from it in how long they go on.
    pub fn shorter(&self) -> &[Arc<[u8]>] {
        &self.shorter
    }

    /// Tells which of them it goes on from.
    pub fn goes_on_from(&self, at: usize) {
        let mut from = { self.went_on_from.lock() }.unwrap_or_else(PoisonError::into_inner);
        *from = Some(at);
    }

    /// Which of them it went on from.
    pub fn went_on_from(&self) -> Option<usize> {
        *self
            .went_on_from
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether longer ones may want to go on from where it ends.
    pub fn leaves(&self) -> bool {
        self.leaves
    }

    /// Leaves where it ended, for longer ones.
    pub fn leave(&self, bytes: Vec<u8>) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(bytes);
    }

    /// What it left.
    pub fn take_left(&self) -> Option<Vec<u8>> {
        { self.left.lock() }
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// The same with the rows of the input that it reads in parts, and a place for what it finds in
    /// them.
    pub(crate) fn with_rows(mut self, rows: Option<&'a dyn RowSource>, found: &'a Found) -> Self {
        self.rows = rows;
        self.found = Some(found);
        self
    }

    /// Passes the rows of the input that [`InParts::Rereads`](crate::flow::InParts::Rereads) names to
    /// `each`, in parts, anew at every call; `whole` is that input, which has no rows or columns of
    /// its own where they come in parts. The first part has all columns; those after it may lack what
    /// `each` does not read.
    ///
    /// # Errors
    /// Those of the calls that make the rows, and of `each`.
    pub fn rows(&self, whole: &Dataset, each: Each<'_>) -> Result<(), Fault> {
        match self.rows {
            Some(rows) => rows.read(each),
            None => each(whole.clone()).map(|_| ()),
        }
    }

    /// The same rows as one table.
    ///
    /// # Errors
    /// As [`rows`](Self::rows).
    pub fn all_rows(&self, whole: &Dataset) -> Result<Dataset, Fault> {
        Dataset::of_pass(|each| self.rows(whole, each))
    }

    /// What `find` finds in all rows; it is asked once, however often the rows of the call are read.
    ///
    /// # Errors
    /// Those of `find`.
    pub fn once<T: Send + Sync + 'static>(
        &self,
        find: impl FnOnce() -> Result<T, Fault>,
    ) -> Result<Arc<T>, Fault> {
        let lock = |found: &'a Found| found.lock().unwrap_or_else(PoisonError::into_inner);
        let known = self.found.and_then(|found| lock(found).clone());
        if let Some(Ok(known)) = known.map(Arc::downcast::<T>) {
            return Ok(known);
        }
        let new = Arc::new(find()?);
        if let Some(found) = self.found {
            *lock(found) = Some(Arc::clone(&new) as Arc<dyn Any + Send + Sync>);
        }
        Ok(new)
    }

    /// Keeps bytes of the result before all of it is made; in memory without a store.
    ///
    /// # Errors
    /// [`Fault::Environment`] when the machine cannot keep them.
    pub fn keep(&self, bytes: &[u8]) -> Result<Blob, Fault> {
        match self.store {
            Some(store) => store.keep(bytes),
            None => Ok(Blob::in_memory(bytes)),
        }
    }

    /// Refers to a data file as a part of the result: it stays where it is, and what is read of it
    /// later is verified then; in memory without a store.
    ///
    /// # Errors
    /// The user's fault when it cannot be read, [`Fault::Environment`] when the machine cannot
    /// note it.
    pub fn lend(&self, file: &DataFile) -> Result<(Blob, Arc<BlockDigests>), Fault> {
        let bad = |error: std::io::Error| {
            Fault::user(format!(
                "`{}`: cannot be read: {error}",
                file.path().display()
            ))
        };
        let blocks = file.blocks().map_err(bad)?;
        let blob = match self.store {
            Some(store) => store.lend(blocks.digest(), file.size(), file.path())?,
            None => Blob::in_memory(file.read_all().map_err(bad)?),
        };
        Ok((blob, blocks))
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
