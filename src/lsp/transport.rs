//! Messages over standard input and output. What is not a message is answered and passed over: an
//! editor that sends one broken message keeps its server.

use std::io::{self, BufRead, Read, Write};
use std::thread::{JoinHandle, spawn};

use lsp_server::{Connection, ErrorCode, Message};
use serde_json::{Value, json};

/// No message is longer, in bytes.
const LONGEST: usize = 1 << 29;

/// The connection to the editor, and the thread that ends when all is written.
pub fn stdio() -> (Connection, JoinHandle<io::Result<()>>) {
    let (ours, theirs) = Connection::memory();
    let Connection { sender, receiver } = theirs;
    let writer = spawn(move || {
        for message in receiver {
            message.write(&mut io::stdout().lock())?;
        }
        Ok(())
    });
    // It waits for input until the process ends: nobody waits for it.
    spawn(move || {
        let mut input = io::stdin().lock();
        while let Ok(Some(bytes)) = frame(&mut input) {
            let sent = match read(&bytes) {
                Ok(message) => {
                    let is_exit =
                        matches!(&message, Message::Notification(it) if it.method == "exit");
                    sender.send(message).is_ok() && !is_exit
                }
                Err(answer) => write(&answer).is_ok(),
            };
            if !sent {
                break;
            }
        }
    });
    (ours, writer)
}

/// The message in a frame; else the answer to what is none.
fn read(bytes: &[u8]) -> Result<Message, Value> {
    let refused = |id: Value, code: ErrorCode, message: String| {
        let error = json!({ "code": code as i32, "message": message });
        json!({ "jsonrpc": "2.0", "id": id, "error": error })
    };
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| refused(Value::Null, ErrorCode::ParseError, error.to_string()))?;
    let id = value.get("id").filter(|id| id.is_string() || id.is_i64());
    let id = id.cloned().unwrap_or_default();
    serde_json::from_value(value).map_err(|_| {
        refused(
            id,
            ErrorCode::InvalidRequest,
            "expected a message".to_owned(),
        )
    })
}

fn write(answer: &Value) -> io::Result<()> {
    let text = answer.to_string();
    let mut output = io::stdout().lock();
    write!(output, "Content-Length: {}\r\n\r\n{text}", text.len())?;
    output.flush()
}

/// The bytes of the next frame; none at the end. Lines that are not a header are passed over.
fn frame(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut length = None;
    loop {
        let mut line = Vec::new();
        if input.by_ref().take(1 << 16).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim_end();
        if let (true, Some(length)) = (line.is_empty(), length) {
            let mut bytes = Vec::new();
            input.by_ref().take(length as u64).read_to_end(&mut bytes)?;
            return Ok((bytes.len() == length).then_some(bytes));
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            let read: Option<usize> = value.trim().parse().ok();
            length = read.filter(|length| *length <= LONGEST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_again_after_what_is_none() {
        let mut input: &[u8] =
            b"Content-Length: 2\r\n\r\n{}noise\r\ncontent-length:3\r\nX: y\r\n\r\nabc\
            Content-Length: x\r\n\r\nContent-Length: 9\r\n\r\nshort";
        assert_eq!(frame(&mut input).unwrap().unwrap(), b"{}");
        assert_eq!(frame(&mut input).unwrap().unwrap(), b"abc");
        assert_eq!(frame(&mut input).unwrap(), None);
    }

    #[test]
    fn what_is_no_message_has_an_answer() {
        let code = |bytes: &[u8]| read(bytes).unwrap_err()["error"]["code"].clone();
        assert_eq!(code(b"{bad"), -32700);
        assert_eq!(code(b"\xff"), -32700);
        assert_eq!(code(b"[]"), -32600);
        assert_eq!(read(b"{\"id\": 7}").unwrap_err()["id"], 7);
        assert!(read(br#"{"jsonrpc":"2.0","method":"exit"}"#).is_ok());
    }
}
