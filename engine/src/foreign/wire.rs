//! What farcast and a program say to each other: one JSON object a line.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::reasons::reason;

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

impl Message {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Hello { .. } => "hello",
            Self::Progress { .. } => "progress",
            Self::Note(_) => "note",
            Self::Done(_) => "done",
            Self::Fault(_) => "fault",
        }
    }
}

/// A message with the number of the call that it is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Which call, where it says so: what ends one must.
    pub call: Option<u64>,
    /// What is said.
    pub message: Message,
}

impl Line {
    /// Reads a line of standard output; none when it is not a JSON object, and why when it is
    /// one that is no message.
    pub fn parse(text: &str) -> Option<Result<Self, String>> {
        let Ok(Value::Object(mut object)) = serde_json::from_str(text) else {
            return None;
        };
        let call = match object.remove("call").map(|call| (call.as_u64(), call)) {
            None => None,
            Some((Some(call), _)) => Some(call),
            Some((None, call)) => {
                return Some(Err(format!("`call`: expected its number, found `{call}`")));
            }
        };
        let mut names = object.keys();
        let (name, other) = (names.next().cloned(), names.next());
        if let Some(other) = other {
            let name = name.unwrap_or_default();
            return Some(Err(format!(
                "expected one message, found `{name}` and `{other}`"
            )));
        }
        let Some(name) = name.filter(|name| MESSAGES.contains(&name.as_str())) else {
            let expected = MESSAGES.join("`, `");
            return Some(Err(format!("expected one of `{expected}`")));
        };
        let message = serde_json::from_value(Value::Object(object));
        let line = message.map(|message| Self { call, message });
        Some(line.map_err(|error| format!("`{name}`: {}", reason(&error))))
    }
}

/// Their names.
const MESSAGES: [&str; 5] = ["hello", "progress", "note", "done", "fault"];

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
    fn messages_are_objects_with_one_name_and_the_number_of_a_call() {
        let read = |line: &str| Line::parse(line).expect("an object").map(|it| it.message);
        assert_eq!(
            read(r#"{"hello": {"protocol": 1}}"#),
            Ok(Message::Hello { protocol: 1 })
        );
        assert_eq!(
            read(r#"{"progress": {"done": 3}}"#),
            Ok(Message::Progress {
                done: 3,
                total: 0,
                loss: None
            })
        );
        let done = Line {
            call: Some(3),
            message: Message::Done(true.into()),
        };
        assert_eq!(Line::parse(r#"{"done": true, "call": 3}"#), Some(Ok(done)));
        let fault = read(r#"{"fault": {"whose": "user", "param": "delta", "message": "no"}}"#);
        assert!(matches!(fault, Ok(Message::Fault(_))));
        assert_eq!(Line::parse("hello"), None);
        assert_eq!(Line::parse("[1]"), None);
    }

    #[test]
    fn what_is_no_message_is_refused_in_the_words_of_who_wrote_it() {
        let why = |line: &str| {
            Line::parse(line)
                .expect("an object")
                .expect_err("a refusal")
        };
        assert_eq!(why(r#"{"progress": {}}"#), "`progress`: `done` is missing");
        assert_eq!(
            why(r#"{"progress": {"done": -1}}"#),
            "`progress`: expected a whole number from 0, found `-1`"
        );
        assert_eq!(why(r#"{"note": 3}"#), "`note`: expected text, found `3`");
        assert_eq!(
            why(r#"{"fault": {"whose": "mine", "message": "no"}}"#),
            "`fault`: expected one of `user`, `diverged`, `bug`, found `mine`"
        );
        assert_eq!(
            why(r#"{"done": true, "note": "x"}"#),
            "expected one message, found `done` and `note`"
        );
        assert_eq!(
            why(r#"{"finished": true}"#),
            "expected one of `hello`, `progress`, `note`, `done`, `fault`"
        );
        assert_eq!(
            why(r#"{"done": true, "call": "1"}"#),
            "`call`: expected its number, found `\"1\"`"
        );
    }
}
