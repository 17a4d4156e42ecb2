//! The texts that are open in the editor, by path, and the edits that arrive.

use std::collections::BTreeMap;
use std::path::Path;

use engine::path_text::{path_text, text_path};
use serde::Deserialize;

use super::position::{Lines, Range};

/// Open texts by path, as the checker names them.
#[derive(Clone, Debug, Default)]
pub struct Documents(BTreeMap<String, String>);

/// One change of a text: a range replaced, or the whole.
#[derive(Debug, Deserialize)]
pub struct Change {
    range: Option<Range>,
    text: String,
}

impl Documents {
    pub fn open(&mut self, path: String, text: String) {
        self.0.insert(path, text);
    }

    pub fn close(&mut self, path: &str) {
        self.0.remove(path);
    }

    pub fn get(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Applies changes in their order; each counts places in the text after the one before.
    pub fn change(&mut self, path: &str, changes: Vec<Change>) {
        let Some(text) = self.0.get_mut(path) else {
            return;
        };
        for change in changes {
            match change.range {
                None => *text = change.text,
                Some(range) => {
                    let lines = Lines::new(text);
                    let (start, end) = (lines.byte(range.start), lines.byte(range.end));
                    text.replace_range(start..end.max(start), &change.text);
                }
            }
        }
    }
}

/// The path of a `file:` address; another address, such as `untitled:1`, is its own path.
pub fn path_of(uri: &str) -> String {
    let Some(rest) = uri.strip_prefix("file://") else {
        return uri.to_owned();
    };
    let path = rest.find('/').map_or(rest, |at| &rest[at..]);
    let mut bytes = Vec::with_capacity(path.len());
    let mut left = path.as_bytes().iter();
    while let Some(byte) = left.next().copied() {
        let digits = left.as_slice().get(..2).filter(|_| byte == b'%');
        let code = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match code {
            Some(code) => {
                bytes.push(code);
                left.nth(1);
            }
            None => bytes.push(byte),
        }
    }
    path_text(&bytes_path(bytes))
}

/// The address of a path.
pub fn uri_of(path: &str) -> String {
    if path.contains(':') && !path.starts_with('/') {
        return path.to_owned();
    }
    let path = text_path(path);
    let path = std::path::absolute(&path).unwrap_or(path);
    let mut uri = "file://".to_owned();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => {
                uri.push(char::from(*byte));
            }
            byte => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(unix)]
fn bytes_path(bytes: Vec<u8>) -> std::path::PathBuf {
    use std::os::unix::ffi::OsStringExt;
    Path::new(&std::ffi::OsString::from_vec(bytes)).to_owned()
}

#[cfg(not(unix))]
fn bytes_path(bytes: Vec<u8>) -> std::path::PathBuf {
    Path::new(&*String::from_utf8_lossy(&bytes)).to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::position::Position;
    use super::*;

    #[test]
    fn addresses_and_paths_are_each_others_inverse() {
        let path = "/a b/größe %41.farcast";
        assert_eq!(
            uri_of(path),
            "file:///a%20b/gr%C3%B6%C3%9Fe%20%2541.farcast"
        );
        assert_eq!(path_of(&uri_of(path)), path);
        assert_eq!(path_of("untitled:One"), "untitled:One");
        assert_eq!(path_of("file://host/a%zz"), "/a%zz");
    }

    #[test]
    fn changes_follow_each_other() {
        let mut documents = Documents::default();
        documents.open("a".to_owned(), "one\ntwo\n".to_owned());
        let at = |line, character| Position { line, character };
        let change = |start, end, text: &str| Change {
            range: Some(Range { start, end }),
            text: text.to_owned(),
        };
        documents.change(
            "a",
            vec![
                change(at(0, 0), at(1, 0), ""),
                change(at(0, 3), at(0, 3), "😀"),
                change(at(0, 5), at(9, 9), "!"),
            ],
        );
        assert_eq!(documents.get("a"), Some("two😀!"));
    }
}
