//! Results in memory, by key: what was just produced need not be read from the store.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::artifact::Stored;
use crate::digest::{Digest, DigestMap};
use crate::error::Fault;
use crate::foreign::{Workers, shared_workers};
use crate::spare::Spare;

/// Results in memory, shared by threads.
pub struct Results {
    /// Only looked up, never listed.
    slots: Mutex<DigestMap<Arc<Slot>>>,
    /// The processes of plugins, which live as long.
    pub workers: Arc<Workers>,
    /// The cores that no action uses.
    pub spare: Arc<Spare>,
}

impl Default for Results {
    fn default() -> Self {
        Self {
            slots: Mutex::default(),
            workers: shared_workers(),
            spare: Arc::default(),
        }
    }
}

/// Locked while its result is read from the store, so that it is read once.
type Slot = Mutex<Option<Arc<dyn Stored>>>;

impl Results {
    /// None yet, for a run on several cores.
    pub fn on(cores: usize) -> Self {
        Self {
            spare: Arc::new(Spare::all(cores)),
            ..Self::default()
        }
    }

    /// A result, when it is in memory.
    pub fn get(&self, key: &Digest) -> Option<Arc<dyn Stored>> {
        let slot = lock(&self.slots).get(key).map(Arc::clone)?;
        lock(&slot).clone()
    }

    /// A result, read when it is not in memory.
    pub fn get_or_read(
        &self,
        key: &Digest,
        read: impl FnOnce() -> Result<Arc<dyn Stored>, Fault>,
    ) -> Result<Arc<dyn Stored>, Fault> {
        let slot = Arc::clone(lock(&self.slots).entry(*key).or_default());
        let mut slot = lock(&slot);
        if let Some(result) = &*slot {
            return Ok(Arc::clone(result));
        }
        let result = read()?;
        *slot = Some(Arc::clone(&result));
        Ok(result)
    }

    /// Keeps a result.
    pub fn keep(&self, key: &Digest, result: Arc<dyn Stored>) {
        let slot = Arc::new(Mutex::new(Some(result)));
        lock(&self.slots).insert(*key, slot);
    }

    /// Frees a result.
    pub fn release(&self, key: &Digest) {
        lock(&self.slots).remove(key);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
