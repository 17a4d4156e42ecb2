//! `farcast cache`: look after the store of results.

use std::path::Path;

use engine::store::{DirStore, Removal, Store};

use super::Exit;
use crate::args::{Cache, StoreAt};
use crate::session::{Stop, open_store};
use crate::terminal::Terminal;

pub fn run(args: &Cache, terminal: &Terminal) -> Result<Exit, Stop> {
    match args {
        Cache::Path(at) => {
            let path = DirStore::default_path(Path::new("."), at.store.as_deref());
            terminal.out(format!("{}\n", path.display()));
            Ok(Exit::Fine)
        }
        Cache::Ls(at) => ls(&open(at, terminal)?, terminal),
        Cache::Verify(at) => verify(&open(at, terminal)?, terminal),
        Cache::Gc { at, dry_run } => gc(&open(at, terminal)?, *dry_run, terminal),
    }
}

fn open(at: &StoreAt, terminal: &Terminal) -> Result<DirStore, Stop> {
    open_store(Path::new("."), at.store.as_ref(), terminal)
}
