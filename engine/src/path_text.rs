//! Paths as text, and back: texts are UTF-8, paths on Unix are any bytes.
//!
//! A byte that is not UTF-8 becomes the character `U+10FF00` plus the byte, of the private plane 16;
//! messages show it as `\xE9` (see `printable` of the language).

use std::path::{Path, PathBuf};

const FIRST: u32 = 0x10_FF80;
const OFFSET: u32 = 0x10_FF00;

/// The path as text from which [`text_path`] makes the same path.
pub fn path_text(path: &Path) -> String {
    if let Some(text) = path.to_str()
        && !text.chars().any(is_byte)
    {
        return text.to_owned();
    }
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            match is_byte(c) {
                true => text.extend(c.encode_utf8(&mut [0; 4]).bytes().map(character)),
                false => text.push(c),
            }
        }
        text.extend(chunk.invalid().iter().copied().map(character));
    }
    text
}

/// The path of a text.
pub fn text_path(text: &str) -> PathBuf {
    if !text.chars().any(is_byte) {
        return text.into();
    }
    let mut bytes = Vec::with_capacity(text.len());
    for c in text.chars() {
        match u8::try_from(u32::from(c).wrapping_sub(OFFSET)) {
            Ok(byte) if is_byte(c) => bytes.push(byte),
            _ => bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    of_bytes(bytes)
}

fn is_byte(c: char) -> bool {
    u32::from(c) >= FIRST
}

fn character(byte: u8) -> char {
    char::from_u32(OFFSET + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn of_bytes(bytes: Vec<u8>) -> PathBuf {
    #[cfg(unix)]
    return PathBuf::from(<std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes));
    #[cfg(not(unix))]
    return String::from_utf8_lossy(&bytes).into_owned().into();
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    #[test]
    fn any_path_comes_back() {
        let paths: [&[u8]; 5] = [
            b"plain/path",
            "Z\u{fc}rich/\u{4e16}".as_bytes(),
            b"caf\xe9/\xff\xfe",
            "\u{10ffe9}".as_bytes(),
            b"\xc3/\xe4\xb8",
        ];
        for bytes in paths {
            let path = Path::new(OsStr::from_bytes(bytes));
            assert_eq!(text_path(&path_text(path)), path, "{bytes:?}");
        }
        assert_eq!(path_text(Path::new("plain/path")), "plain/path");
        let latin = Path::new(OsStr::from_bytes(b"caf\xe9"));
        assert_eq!(dsl::render::printable(&path_text(latin)), "caf\\xE9");
    }
}
