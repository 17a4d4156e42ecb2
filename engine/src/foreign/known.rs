//! The programs that this process knows how to run, for what is run inside other actions: a
//! network holds the digest of its program, and no path.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use serde_json::{Map, Value};

use super::provided::Provided;
use super::workers::{Given, Request, Workers};
use crate::digest::Digest;
use crate::error::Fault;
use crate::parcel::Parcel;
use crate::plugin::Context;

/// Only looked up, never listed.
static KNOWN: LazyLock<Mutex<HashMap<Digest, Arc<Provided>>>> = LazyLock::new(Mutex::default);

/// The processes of the runs of this process, as long as one of these goes on.
static SHARED: Mutex<Weak<Workers>> = Mutex::new(Weak::new());

/// Makes a program known.
pub fn know(provided: &Provided) {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known
        .entry(provided.identity())
        .or_insert_with(|| Arc::new(provided.clone()));
}

/// The program with this digest.
pub fn provided_by(digest: &Digest) -> Option<Arc<Provided>> {
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.get(digest).map(Arc::clone)
}

/// The processes that all who ask share; they end with the last who holds them.
pub fn shared_workers() -> Arc<Workers> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    match shared.upgrade() {
        Some(workers) => workers,
        None => {
            let workers = Arc::new(Workers::default());
            *shared = Arc::downgrade(&workers);
            workers
        }
    }
}

/// What a program answers to a call of one of its functions, inside another action.
///
/// # Errors
/// As [`Workers::call`].
pub fn ask_shared(
    provided: &Provided,
    function: &str,
    inputs: &[(String, Given)],
    args: &Map<String, Value>,
) -> Result<Parcel, Fault> {
    let asked = Request {
        program: &provided.program,
        code: &provided.code,
        function,
        version: provided.declaration.signature.version,
        inputs,
        args,
    };
    shared_workers().call(&asked, &Context::alone(function))
}
