//! Who made a segment: Ed25519 keys and signatures, as hex.

use std::fmt;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::str::FromStr;

use crate::error::Fault;

/// What verifies the signatures of somebody.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

/// What signs; it stays in the user's configuration.
pub struct SecretKey(ed25519_compact::KeyPair);

/// A signature of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Signature([u8; 64]);

impl SecretKey {
    /// The key in this file; a new one where there is none.
    ///
    /// # Errors
    /// [`Fault::Environment`] when the file cannot be read or written, or is not a key.
    pub fn read_or_make(path: &Path) -> Result<Self, Fault> {
        match Self::read(path)? {
            Some(key) => Ok(key),
            None => {
                let seed = random_seed()?;
                let written = write_private(path, format!("{}\n", hex(&seed)).as_bytes());
                written.map_err(|error| {
                    Fault::Environment(format!("cannot write `{}`: {error}", path.display()))
                })?;
                Ok(Self::of_seed(seed))
            }
        }
    }

    /// The key in this file, if there is one.
    ///
    /// # Errors
    /// As [`read_or_make`](Self::read_or_make).
    pub fn read(path: &Path) -> Result<Option<Self>, Fault> {
        let shown = path.display();
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other
                .map_err(|error| Fault::Environment(format!("cannot read `{shown}`: {error}")))?,
        };
        match bytes(text.trim()) {
            Some(seed) => Ok(Some(Self::of_seed(seed))),
            None => Err(Fault::Environment(format!(
                "`{shown}` is not a key: expected 64 hex digits"
            ))),
        }
    }

    /// The key of 32 random bytes.
    pub fn of_seed(seed: [u8; 32]) -> Self {
        let seed = ed25519_compact::Seed::new(seed);
        Self(ed25519_compact::KeyPair::from_seed(seed))
    }

    /// What others know it by.
    pub fn public(&self) -> PublicKey {
        PublicKey(*self.0.pk)
    }

    pub(super) fn sign(&self, message: &[u8]) -> Signature {
        Signature(*self.0.sk.sign(message, None))
    }
}

impl PublicKey {
    /// Whether the owner of this key signed exactly this.
    pub(super) fn has_signed(&self, message: &[u8], signature: &Signature) -> bool {
        let key = ed25519_compact::PublicKey::new(self.0);
        let signature = ed25519_compact::Signature::new(signature.0);
        key.verify(message, &signature).is_ok()
    }
}

impl FromStr for PublicKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let key = bytes(text).map(Self);
        key.ok_or_else(|| format!("expected a key of 64 hex digits, found `{text}`"))
    }
}

impl FromStr for Signature {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        bytes(text)
            .map(Self)
            .ok_or_else(|| "no signature".to_owned())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut bytes = [0; N];
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn random_seed() -> Result<[u8; 32], Fault> {
    let mut seed = [0; 32];
    let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut seed));
    read.map_err(|error| Fault::Environment(format!("no random bytes for a key: {error}")))?;
    Ok(seed)
}

/// Writes a new file that nobody else may read.
fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Test 2 of RFC 8032, section 7.1.
    #[test]
    fn signatures_are_those_of_the_standard() {
        let seed = bytes("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let key = SecretKey::of_seed(seed.unwrap());
        let public = key.public();
        assert_eq!(
            public.to_string(),
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
        );
        let signature = key.sign(&[0x72]);
        assert_eq!(
            signature.to_string(),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        );
        assert!(public.has_signed(&[0x72], &signature));
        assert!(!public.has_signed(&[0x73], &signature));
        let other = SecretKey::of_seed([7; 32]).public();
        assert!(!other.has_signed(&[0x72], &signature));
    }

    #[test]
    fn keys_are_hex_digits() {
        for text in [
            "",
            "00",
            &"g0".repeat(32),
            &"é".repeat(32),
            &"00".repeat(33),
        ] {
            assert!(text.parse::<PublicKey>().is_err(), "{text}");
        }
        let key: PublicKey = "0A".repeat(32).parse().unwrap();
        assert_eq!(key.to_string(), "0a".repeat(32));
    }
}
