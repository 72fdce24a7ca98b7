//! Base64 of little-endian `f32` that comes in pieces, read straight into a matrix.

use base64::Engine as _;
use nearfield_model::codec::{MatrixBuilder, Words, not_base64, not_whole};
use nearfield_model::{Error, Result};

/// The decoder of the standard alphabet, by the instructions that the machine has.
#[cfg(any(
    target_arch = "x86_64",
    all(target_arch = "aarch64", target_feature = "neon")
))]
static STANDARD: std::sync::LazyLock<base64::engine::Simd> = std::sync::LazyLock::new(|| {
    base64::engine::Simd::standard(base64::engine::general_purpose::PAD)
});
#[cfg(not(any(
    target_arch = "x86_64",
    all(target_arch = "aarch64", target_feature = "neon")
)))]
use base64::engine::general_purpose::STANDARD;

/// Letters that are decoded at once, and the bytes that they become.
const LETTERS: usize = 4096;
const BYTES: usize = LETTERS / 4 * 3;

/// Reads the inside of a string, from behind its first quote.
#[derive(Debug, Default)]
pub(super) struct Base64Reader {
    /// Letters that do not make a whole group of four yet.
    held: Vec<u8>,
    /// An escape that is not whole yet, from its backslash on.
    escape: Vec<u8>,
    words: Words<4>,
}

impl Base64Reader {
    /// Takes the next letters; true once the quote at the end came.
    pub(super) fn feed(&mut self, piece: &mut &[u8], to: &mut MatrixBuilder) -> Result<bool> {
        loop {
            if !self.escape.is_empty() && !self.unescape(piece)? {
                return Ok(false);
            }
            let end = memchr::memchr2(b'"', b'\\', piece);
            let (letters, rest) = piece.split_at(end.unwrap_or(piece.len()));
            self.letters(letters, to)?;
            let Some((byte, rest)) = rest.split_first() else {
                *piece = rest;
                return Ok(false);
            };
            *piece = rest;
            if *byte == b'"' {
                self.end(to)?;
                return Ok(true);
            }
            self.escape.push(b'\\');
        }
    }

    /// Takes the rest of an escape; false if more of it is to come. The only letter of the
    /// alphabet with an escape of its own is the slash.
    fn unescape(&mut self, piece: &mut &[u8]) -> Result<bool> {
        while let Some((byte, rest)) = piece.split_first() {
            *piece = rest;
            self.escape.push(*byte);
            let letter = match self.escape[1..] {
                [b'/'] => b'/',
                [b'u', b'0', b'0', high, low] => {
                    let hex = [high, low];
                    let hex = str::from_utf8(&hex).map_err(|_| not_base64())?;
                    u8::from_str_radix(hex, 16).map_err(|_| not_base64())?
                }
                [b'u', ..] if self.escape.len() < 6 => continue,
                _ => return Err(not_base64()),
            };
            self.escape.clear();
            self.held.push(letter);
            return Ok(true);
        }
        Ok(false)
    }

    fn letters(&mut self, mut letters: &[u8], to: &mut MatrixBuilder) -> Result<()> {
        if self.held.len() > 4 {
            let rest = self.held.split_off((self.held.len() - 1) / 4 * 4);
            let held = std::mem::replace(&mut self.held, rest);
            self.decode(&held, to)?;
        }
        if !self.held.is_empty() {
            let missing = self.held.len().wrapping_neg() % 4;
            let (first, rest) = letters.split_at(missing.min(letters.len()));
            self.held.extend_from_slice(first);
            letters = rest;
            if !self.held.len().is_multiple_of(4) {
                return Ok(());
            }
            // Padding is the end's to judge, and nothing may follow it.
            if letters.is_empty() {
                return Ok(());
            }
            let held = std::mem::take(&mut self.held);
            self.decode(&held, to)?;
        }
        let whole = letters.len().saturating_sub(1) / 4 * 4;
        let (groups, rest) = letters.split_at(whole);
        for letters in groups.chunks(LETTERS) {
            self.decode(letters, to)?;
        }
        self.held.extend_from_slice(rest);
        Ok(())
    }

    /// Decodes whole groups without padding.
    fn decode(&mut self, letters: &[u8], to: &mut MatrixBuilder) -> Result<()> {
        let mut bytes = [0; BYTES];
        let count = STANDARD
            .decode_slice(letters, &mut bytes)
            .map_err(|_| not_base64())?;
        if count != letters.len() / 4 * 3 {
            return Err(not_base64());
        }
        self.words
            .feed(&bytes[..count], f32::from_le_bytes, to.values());
        to.check()
    }

    fn end(&mut self, to: &mut MatrixBuilder) -> Result<()> {
        let mut bytes = [0; BYTES];
        let count = STANDARD
            .decode_slice(&self.held, &mut bytes)
            .map_err(|_| not_base64())?;
        self.words
            .feed(&bytes[..count], f32::from_le_bytes, to.values());
        to.check()?;
        match self.words.rest() {
            0 => Ok(()),
            rest => Err::<(), Error>(not_whole("f32", to.values().len() * 4 + rest)),
        }
    }
}
