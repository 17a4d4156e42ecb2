//! Plugins of one's own: programs in any language, declared in an experiment, described in
//! `farcast.toml`, called over pipes with their data in files.
//!
//! ```text
//! plugin huber(…) = regression from "huber"     the checker's signature      dsl::experiment::Declared
//! [plugin.huber] run = […] files = […]          how it is run, what it is    Program, Code
//! call ─▶ one line of JSON ─▶ Worker ─▶ one line of JSON, files              wire, Parcel
//!                                        └─▶ parsed, checked, stored as ours  Maker
//! ```
//!
//! Checking and planning read descriptions and digest files; they start nothing. What a program
//! answers is judged like a file from a stranger.

mod code;
mod known;
mod listing;
mod manifest;
mod operation;
mod packing;
mod process;
mod provided;
mod python;
mod results;
mod sandbox;
mod wasm;
mod wire;
mod workers;

pub use code::Code;
pub use known::{ask_shared, provided_by};
pub(crate) use known::{know, shared_workers};
pub use manifest::{Identity, Program, Runner, described, find};
pub use operation::{Foreign, FromParcel, Made, Maker, Makers, Simple, Unfit};
pub use process::end_all;
pub use provided::Provided;
pub use results::{coordinates, weights, with_coordinates};
pub use wire::PROTOCOL;
pub use workers::{Given, Workers};

pub use crate::parcel::{Array, Parcel, Values, WEIGHTS};
