//! What farcast and a program say to each other: one JSON object a line.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The version of the protocol; a program says in its `hello` which one it speaks.
pub const PROTOCOL: u32 = 1;

/// A call, on the standard input of a program.
#[derive(Clone, Debug, Serialize)]
pub struct Call<'a> {
    /// Counts the calls of a worker, from 1.
    pub call: u64,
    /// What `farcast.toml` calls the plugin.
    pub plugin: &'a str,
    /// What is asked: `run`, or a function of a network.
    pub function: &'a str,
    /// The version in the declaration.
    pub version: u32,
    /// The folder of the call, absolute.
    pub dir: String,
    /// The inputs by parameter: the kind, and the files they are in.
    pub inputs: Map<String, Value>,
    /// The other arguments by parameter.
    pub args: Map<String, Value>,
    /// What all randomness follows from: 64 hex digits.
    pub seed: String,
    /// Which member is made, from 0.
    pub member: Option<u32>,
    /// How many threads may be used.
    pub threads: u32,
}

/// Asks for the end of the running call, on standard input.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Cancel {
    /// Which.
    pub cancel: u64,
}

/// A line on the standard output of a program.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// The first line of a worker.
    Hello {
        /// The version of the protocol.
        protocol: u32,
    },
    /// How far the call is.
    Progress {
        /// Steps done.
        done: u64,
        /// Steps in all.
        #[serde(default)]
        total: u64,
        /// The loss at this step.
        #[serde(default)]
        loss: Option<f64>,
    },
    /// Something a reader of the result must know.
    Note(String),
    /// The result: `true` when it is in `result.json`, or the object itself.
    Done(Value),
    /// Why there is none.
    Fault(Told),
}

/// Why a program has no result.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Told {
    /// Whose fault it is.
    pub whose: Whose,
    /// The parameter to point at.
    #[serde(default)]
    pub param: Option<String>,
    /// One line.
    pub message: String,
    /// What to do about it.
    #[serde(default)]
    pub hint: Option<String>,
}

/// Whose fault it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// The arguments or the data ask for something that cannot be done.
    User,
    /// Training left the finite numbers.
    Diverged,
    /// The program's own.
    Bug,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_objects_with_one_name() {
        let read = |line: &str| serde_json::from_str::<Message>(line).ok();
        assert_eq!(
            read(r#"{"hello": {"protocol": 1}}"#),
            Some(Message::Hello { protocol: 1 })
        );
        assert_eq!(
            read(r#"{"progress": {"done": 3}}"#),
            Some(Message::Progress {
                done: 3,
                total: 0,
                loss: None
            })
        );
        assert_eq!(read(r#"{"done": true}"#), Some(Message::Done(true.into())));
        let fault = read(r#"{"fault": {"whose": "user", "param": "delta", "message": "no"}}"#);
        assert!(matches!(fault, Some(Message::Fault(_))));
        assert_eq!(read("hello"), None);
        assert_eq!(read(r#"{"progress": {}}"#), None);
    }
}
