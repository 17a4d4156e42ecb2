//! Runs whose actions are carried out by jobs of a queue: Slurm, or any other through a command.
//!
//! ```text
//! experiment ─plan▶ what is left ─cut▶ arrays of chunks ─▶ work/<run>/<n>/order.json ─submit▶ Queue
//!                        ▲                                                              │
//!                        │ what is missing, the next round of a sweep     farcast work ORDER CHUNK
//!                        └──────────── records, reports ◀──────────────────────────────┘
//! ```
//!
//! The truth is in the store: an action has run when its record is there, and what a queue says is a
//! hint. Whoever looks, `farcast attach` or a coordinator job, computes from the store what is
//! missing and submits no more than that. A result made twice is the same bytes under the same key.

mod campaign;
mod chunks;
mod command;
mod elsewhere;
mod gc;
mod outline;
mod queue;
mod site;
mod slurm;
mod work;

pub use campaign::{About, Attempt, Campaign, ChunkReport, Verdict, WorkOrder, graph_digest};
pub use chunks::{Array, Limits, Task, UNKNOWN, cut};
pub use command::CommandQueue;
pub use elsewhere::{Did, Elsewhere, Occasion, Stay};
pub use gc::{Forgotten, KEPT, forget_ended};
pub use queue::{Job, JobState, Part, Patience, Queue};
pub use site::{COORDINATOR, Kind, Needs, Site, limit};
pub use slurm::{Seen, Slurm};
pub use work::{Carried, Chunk, carry_chunk};
