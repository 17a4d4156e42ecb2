//! Packages: definitions of other teams, by `use "@name/file.farcast" as x`.
//!
//! ```text
//! farcast.toml [dependencies] ──fetch──▶ farcast.lock     what each source is: commit and tree
//!                                └─────▶ the cache        the files, by the digest of their tree
//! check, run, …: @name/file ──Packages──▶ vendor/ or the cache, verified as it is read
//! ```
//!
//! Texts hold neither addresses nor versions; digests decide which bytes are read. Only `fetch`
//! touches the network; what a package contains is judged before it is written.

mod archive;
mod bundled;
mod cache;
mod fetch;
mod git;
mod interface;
mod lock;
mod manifest;
mod resolve;
mod tree;
mod world;

pub use archive::Unpack;
pub use cache::{cache_folder, vendor};
pub use fetch::{Fetched, Fetcher, Freedom, newest, project_files};
pub use interface::{Change, changes, documented, interface};
pub use lock::{LOCK, Lock, Locked};
pub use manifest::{About, Author, Dependency, MANIFEST, Manifest, Pin, Source, name_fault};
pub use resolve::{Opened, PackageRecord, Packages};
pub use tree::Index;
pub use world::WithPackages;
