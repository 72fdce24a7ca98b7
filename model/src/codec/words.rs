//! Little-endian words out of bytes that come in pieces.

/// Words of `N` bytes, cut out of pieces that may end inside of one.
#[derive(Debug)]
pub struct Words<const N: usize> {
    held: [u8; N],
    count: usize,
}

impl<const N: usize> Default for Words<N> {
    fn default() -> Self {
        Words {
            held: [0; N],
            count: 0,
        }
    }
}

impl<const N: usize> Words<N> {
    /// Takes the next bytes, and appends all words that are whole.
    pub fn feed<T>(&mut self, mut bytes: &[u8], from: impl Fn([u8; N]) -> T, to: &mut Vec<T>) {
        while self.count > 0
            && let Some((byte, rest)) = bytes.split_first()
        {
            self.held[self.count] = *byte;
            self.count += 1;
            bytes = rest;
            if self.count == N {
                to.push(from(self.held));
                self.count = 0;
            }
        }
        let (words, rest) = bytes.as_chunks::<N>();
        to.extend(words.iter().map(|word| from(*word)));
        self.held[self.count..][..rest.len()].copy_from_slice(rest);
        self.count += rest.len();
    }

    /// Bytes of a word that is not whole.
    pub fn rest(&self) -> usize {
        self.count
    }
}

/// Appends the bytes of little-endian words.
pub(super) fn append<T: Copy, const N: usize>(
    words: &[T],
    bytes: impl Fn(T) -> [u8; N],
    to: &mut Vec<u8>,
) {
    let start = to.len();
    to.resize(start + words.len() * N, 0);
    let (slots, _) = to[start..].as_chunks_mut::<N>();
    for (slot, word) in slots.iter_mut().zip(words) {
        *slot = bytes(*word);
    }
}
