//! Bytes on their way out: small pieces joined in one buffer, large ones borrowed where they lie.

/// From this length on a piece is borrowed and not copied into the buffer.
const BORROWED_BYTES_MIN: usize = 512;

/// The bytes of one message, in order.
#[derive(Debug, Default)]
pub struct Gather<'a> {
    own: Vec<u8>,
    /// Borrowed pieces, each with the length of the buffer before it.
    borrowed: Vec<(usize, &'a [u8])>,
    borrowed_bytes: usize,
}

impl<'a> Gather<'a> {
    /// A message whose small pieces are joined in `buffer`, which is emptied.
    pub fn new(mut buffer: Vec<u8>) -> Self {
        buffer.clear();
        Gather {
            own: buffer,
            borrowed: Vec::new(),
            borrowed_bytes: 0,
        }
    }

    /// The length of the message.
    pub fn len(&self) -> usize {
        self.own.len() + self.borrowed_bytes
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends a copy.
    pub fn put(&mut self, bytes: &[u8]) {
        self.own.extend_from_slice(bytes);
    }

    /// Appends bytes that stay where they are.
    pub fn lend(&mut self, bytes: &'a [u8]) {
        if bytes.len() < BORROWED_BYTES_MIN {
            return self.put(bytes);
        }
        self.borrowed.push((self.own.len(), bytes));
        self.borrowed_bytes += bytes.len();
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.own.push(byte);
    }

    pub(super) fn u32(&mut self, number: u32) {
        self.put(&number.to_le_bytes());
    }

    pub(super) fn u64(&mut self, number: u64) {
        self.put(&number.to_le_bytes());
    }

    /// Overwrites the first bytes, which were put there before.
    pub(crate) fn set_start(&mut self, bytes: &[u8]) {
        if let Some(start) = self.own.get_mut(..bytes.len()) {
            start.copy_from_slice(bytes);
        }
    }

    /// The pieces in order.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let mut from = 0;
        let cuts = self.borrowed.iter().flat_map(move |(cut, piece)| {
            let own = &self.own[from..*cut];
            from = *cut;
            [own, *piece]
        });
        let last = self.borrowed.last().map_or(0, |(cut, _)| *cut);
        cuts.chain([&self.own[last..]])
            .filter(|piece| !piece.is_empty())
    }

    /// The buffer, to be used again.
    pub fn into_buffer(self) -> Vec<u8> {
        self.own
    }

    /// All bytes in one place.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len());
        self.pieces()
            .for_each(|piece| bytes.extend_from_slice(piece));
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_come_in_the_order_in_which_they_were_given() {
        let large = vec![7_u8; 2_000];
        let mut gather = Gather::new(vec![1, 2, 3]);
        gather.lend(&large);
        gather.put(b"ab");
        gather.lend(b"small");
        gather.lend(&large[..1_000]);
        let expected = [&large[..], b"absmall", &large[..1_000]].concat();
        assert_eq!(gather.len(), expected.len());
        assert_eq!(gather.to_vec(), expected);
        assert_eq!(gather.pieces().count(), 3);
    }
}
