//! What a run and its worker processes say to each other: one JSON value a line.

use serde::{Deserialize, Serialize};

use super::Answer;
use crate::digest::Digest;
use crate::order::Order;
use crate::plugin::Progress;

/// A line on the standard input of a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Carry out this order; one at a time.
    Carry(Box<Order>),
    /// Free this result: nothing will read it any more.
    Release(Digest),
    /// End what runs soon; it still gets its answer.
    Stop,
}

/// A line on the standard output of a worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// How far the order is.
    Progress(Progress),
    /// The order has ended.
    Ended(Answer),
}

/// The line of a message, line break included.
pub fn line<T: Serialize>(message: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}
