//! Results shared with others: a second level behind a store, in a folder or a bucket.
//!
//! ```text
//! objects/<aa>/<digest>               bytes, as in a store
//! segments/<millis>-<digest>.seg      records: compressed, signed as a whole, never changed
//! ```
//!
//! Keys follow from the keys of inputs, so all are known before anything runs. A run lists the
//! segments once and fetches those it has not seen; from then on every look-up is local. An
//! object is fetched when something reads it, and verified like any other. Objects are uploaded
//! before the segment that names them, so a killed upload leaves nothing that could be found;
//! nothing is ever overwritten with other bytes, so nobody waits for anybody.

mod address;
#[cfg(feature = "remote")]
mod bucket;
mod folder;
mod gc;
mod known;
mod level;
mod place;
#[cfg(feature = "remote")]
mod profile;
mod push;
mod segment;
mod shared;
mod signature;
#[cfg(test)]
mod tests;

use crate::digest::Digest;
use crate::error::Fault;

pub use address::{Address, BucketAddress, Credentials};
pub use gc::{RemoteGc, gc};
pub use level::{Look, Usage};
pub use push::{Pushed, push};
pub use shared::Shared;
pub use signature::{PublicKey, SecretKey};

use place::Place;

/// A place with results of others, as `[remote.NAME]` describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub address: Address,
    /// What is done there.
    pub mode: Mode,
    /// Whose results are used.
    pub trust: Trust,
}

/// What is done in a remote store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Results are taken from it.
    #[default]
    Read,
    /// They are put there, too.
    ReadWrite,
}

/// Whose segments are used; one's own always are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Those of everybody who can write to the place.
    Writers,
    /// Those signed with one of these keys, each with the name that people know it by.
    Keys(Vec<(String, PublicKey)>),
}

impl Remote {
    /// What a user agrees to who uses it: the place, and whose results are used.
    pub fn identity(&self) -> Digest {
        let trust = match &self.trust {
            Trust::Writers => "writers".to_owned(),
            Trust::Keys(keys) => {
                let mut keys: Vec<String> = keys.iter().map(|(_, key)| key.to_string()).collect();
                keys.sort();
                keys.join(" ")
            }
        };
        let text = format!("remote\n{}\n{trust}\n", self.address);
        Digest::of(text.as_bytes())
    }

    /// Stands for the place in the folder of what is known of it.
    fn id(&self) -> String {
        Digest::of(self.address.to_string().as_bytes()).short()
    }

    /// Opens the place.
    fn open(&self) -> Result<Box<dyn Place>, Fault> {
        match &self.address {
            Address::Folder(path) => Ok(Box::new(folder::SharedFolder::open(&self.name, path)?)),
            #[cfg(feature = "remote")]
            Address::Bucket(bucket) => {
                Ok(Box::new(bucket::SharedBucket::open(&self.name, bucket)?))
            }
            #[cfg(not(feature = "remote"))]
            Address::Bucket(bucket) => Err(Fault::Environment(format!(
                "`{bucket}`: this farcast is built without buckets; the published ones have them, \
                 and `--features remote` builds one: docs/installing.md"
            ))),
        }
    }

    /// Refuses to write where only reading is meant.
    fn check_writable(&self) -> Result<(), Fault> {
        match self.mode {
            Mode::ReadWrite => Ok(()),
            Mode::Read => Err(
                Fault::user(format!("`{}` is only read from here", self.name)).with_hint(format!(
                    "`mode = \"read-write\"` in `[remote.{}]` of farcast.toml changes that",
                    self.name
                )),
            ),
        }
    }
}
