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

use std::sync::Arc;

use dsl::diagnostic::{Code as DiagnosticCode, Diagnostic};
use dsl::experiment::Declared;

pub use code::Code;
pub use known::{ask_shared, provided_by};
pub(crate) use known::{know, shared_workers};
pub use manifest::{Identity, Program, Runner, described, find};
pub use operation::{Foreign, FromParcel, Made, Maker, Makers, Simple, Unfit};
pub use process::end_all;
pub use provided::Provided;
pub use results::{WEIGHTS, coordinates, weights, with_coordinates};
pub use wire::PROTOCOL;
pub use workers::{Given, Workers};

pub use crate::parcel::{Array, Parcel, Values};
use crate::plugin::Registry;

/// The registry with the plugins that an experiment declares.
///
/// # Errors
/// A diagnostic at the plugin whose program cannot be read.
pub fn with_declared(
    registry: &Arc<Registry>,
    declared: &[Declared],
) -> Result<Arc<Registry>, Box<Diagnostic>> {
    if declared.is_empty() {
        return Ok(Arc::clone(registry));
    }
    let mut extended = (**registry).clone();
    for plugin in declared {
        let refuse = |message: String| {
            Box::new(Diagnostic::error(
                DiagnosticCode::BadPlugin,
                plugin.place,
                message,
            ))
        };
        let described = find(plugin).map_err(|fault| refuse(fault.message))?;
        let code = Code::of(&described).map_err(|fault| refuse(fault.to_string()))?;
        let operation = Foreign::new(plugin, described, code, registry.makers());
        let operation = operation.map_err(|fault| refuse(fault.to_string()))?;
        know(&operation.provided);
        let added = extended.add(Arc::new(operation));
        added.map_err(|error| refuse(error.to_string()))?;
    }
    Ok(Arc::new(extended))
}
