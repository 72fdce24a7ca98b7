//! API keys: how they are made, stored and compared.
//!
//! A file holds one key per line: a name, its right, and the SHA-256 of the key. Keys are random
//! 32 bytes, so a plain hash cannot be turned back into one.
//! ```text
//! # name  right  hash
//! ingest  write  sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
//! ```

use std::fmt::Write as _;

use nearfield_model::{Error, ErrorKind, Result, Rights};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const PREFIX: &str = "nf_";
const HASH_PREFIX: &str = "sha256:";

/// The keys of a file.
#[derive(Clone, Debug, Default)]
pub struct Keys(Vec<Key>);

#[derive(Clone, Debug)]
struct Key {
    name: String,
    right: Rights,
    hash: [u8; 32],
}

impl Keys {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// `InvalidArgument` with the line's number (counted from 1) in the message.
    pub fn parse(text: &str) -> Result<Keys> {
        let mut keys: Vec<Key> = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key = parse_line(line).ok_or_else(|| {
                Error::invalid(format!(
                    "line {} is not a key; a line holds a name, a right (read, write or admin) \
                     and sha256: with 64 hex digits",
                    number + 1
                ))
            })?;
            if keys.iter().any(|other| other.name == key.name) {
                return Err(Error::invalid(format!(
                    "line {} names {} again; names are used once",
                    number + 1,
                    key.name
                )));
            }
            keys.push(key);
        }
        Ok(Keys(keys))
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The right of a key. All keys are compared, each in the same time, so that the time taken
    /// tells nothing.
    ///
    /// # Errors
    /// `Unauthenticated` if no key is this one.
    pub fn right_of(&self, key: &[u8]) -> Result<Rights> {
        let hash = hash(key);
        let mut right = None;
        for stored in &self.0 {
            if bool::from(stored.hash.ct_eq(&hash)) {
                right = Some(stored.right);
            }
        }
        right.ok_or_else(|| {
            Error::new(
                ErrorKind::Unauthenticated,
                "the key is not known; send a valid one",
            )
        })
    }
}

/// Makes a key. Returns the key, which is kept nowhere, and the line that stores it.
///
/// # Errors
/// `InvalidArgument` if the name has other characters than `A-Z a-z 0-9 _ - .`; `Internal` if
/// the operating system gives no random bytes.
pub fn create_key(name: &str, right: Rights) -> Result<(String, String)> {
    if !is_name(name) {
        return Err(Error::invalid(format!(
            "{name:?} cannot name a key; use 1 to 64 of the characters A-Z a-z 0-9 _ - ."
        )));
    }
    let mut random = [0; 32];
    getrandom::fill(&mut random)
        .map_err(|error| Error::internal(format!("no random bytes: {error}")))?;
    let key = format!("{PREFIX}{}", hex(&random));
    let hash = hex(&hash(key.as_bytes()));
    let line = format!("{name} {} {HASH_PREFIX}{hash}", right.as_str());
    Ok((key, line))
}

fn parse_line(line: &str) -> Option<Key> {
    let mut words = line.split_whitespace();
    let (name, right, hash) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() || !is_name(name) {
        return None;
    }
    Some(Key {
        name: name.to_owned(),
        right: [Rights::Read, Rights::Write, Rights::Admin]
            .into_iter()
            .find(|known| known.as_str() == right)?,
        hash: unhex(hash.strip_prefix(HASH_PREFIX)?)?,
    })
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(allowed)
}

fn hash(key: &[u8]) -> [u8; 32] {
    Sha256::digest(key).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads bytes written as two hex digits each.
pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
        *byte = u8::try_from(high? * 16 + low?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_created_key_is_known_by_its_line_and_no_other_is() {
        let (key, line) = create_key("ingest", Rights::Write).unwrap();
        let keys = Keys::parse(&format!("# keys\n\n{line}\n")).unwrap();
        assert_eq!(keys.right_of(key.as_bytes()), Ok(Rights::Write));
        assert!(!line.contains(&key));
        for wrong in ["", "nf_", &key[1..], &format!("{key}0")] {
            assert_eq!(
                keys.right_of(wrong.as_bytes()).unwrap_err().kind(),
                ErrorKind::Unauthenticated
            );
        }
    }

    #[test]
    fn lines_that_are_no_keys_are_named() {
        let (_, line) = create_key("a", Rights::Read).unwrap();
        for wrong in [
            "a read".to_owned(),
            "a read sha256:00".to_owned(),
            line.replace("read", "root"),
            format!("{line} more"),
            format!("{line}\n{line}"),
        ] {
            let error = Keys::parse(&wrong).unwrap_err();
            assert!(error.message().starts_with("line "), "{wrong}: {error}");
        }
        assert!(create_key("a b", Rights::Read).is_err());
    }
}
