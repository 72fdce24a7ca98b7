//! A record of the log: its header and its sections, byte for byte as `docs/format.md`
//! draws them.

use nearfield_model::RequestId;
use xxhash_rust::xxh3::{Xxh3, xxh3_64, xxh3_64_with_seed};

/// Bytes of a record's header.
pub(crate) const HEADER_BYTES: usize = 128;
/// Records, and the sections inside them, begin at multiples of this many bytes.
pub(crate) const ALIGNMENT: u64 = 64;
const MAGIC: [u8; 4] = *b"NFR1";
const CHECKED_BYTES: usize = HEADER_BYTES - 8;

/// What a record does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Writes points.
    Upsert,
    /// Removes rows.
    Delete,
    /// Writes points that were there before, with other metadata.
    UpdateMetadata,
    /// Changes nothing. At the end of the log it tells that all before it was synced, until
    /// the next record replaces it; at the end of another file, that there is a next file.
    Mark,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Kind> {
        [Kind::Upsert, Kind::Delete, Kind::UpdateMetadata, Kind::Mark]
            .into_iter()
            .find(|kind| *kind as u8 + 1 == byte)
    }
}

/// A record's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// What the record does.
    pub(crate) kind: Kind,
    /// All ids are numbers, kept as one array.
    pub(crate) numeric_ids: bool,
    /// The record lost rows to a compaction; its row list names those that are left, then older
    /// rows that those it lost had replaced.
    pub(crate) compacted: bool,
    /// The number of this write.
    pub(crate) sequence: u64,
    /// The number of the last write that was known to be on disk when this was written.
    pub(crate) synced: u64,
    /// Who wrote it.
    pub(crate) request: RequestId,
    /// The row number of its first row.
    pub(crate) first_row: u32,
    /// Row numbers that it takes; more than are stored if it was compacted.
    pub(crate) rows: u32,
    /// Rows that it stores.
    pub(crate) stored: u32,
    /// Points that the request affected: its outcome. Of a mark, 1 if another file follows.
    pub(crate) affected: u32,
    /// Bytes of the ids.
    pub(crate) ids_bytes: u32,
    /// Entries of the row list: rows left by a compaction, and rows removed.
    pub(crate) listed: u32,
    /// Bytes of the matrix.
    pub(crate) matrix_bytes: u64,
    /// Bytes of the scales (4 per row, or none).
    pub(crate) scales_bytes: u32,
    /// Bytes of the metadata: its ends and its text.
    pub(crate) metadata_bytes: u32,
    /// Checksums of the three sections.
    pub(crate) checksums: [u64; 3],
    /// The checksum of the record before.
    pub(crate) previous: u64,
}

/// A part of a record with a checksum of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    /// The ids and the row list.
    Ids,
    /// The matrix and the scales.
    Vectors,
    /// The metadata.
    Metadata,
}

impl Section {
    pub(crate) const ALL: [Section; 3] = [Section::Ids, Section::Vectors, Section::Metadata];

    /// The section's name in messages.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Section::Ids => "ids",
            Section::Vectors => "vectors",
            Section::Metadata => "metadata",
        }
    }
}

/// What the checksums of a collection's records are made under: a hash of its mark.
pub(crate) fn salt(mark: &[u8; 16]) -> u64 {
    xxh3_64(mark)
}

/// The next multiple of [`ALIGNMENT`].
pub(crate) fn align(offset: u64) -> u64 {
    offset.next_multiple_of(ALIGNMENT)
}

impl Header {
    /// A header without content, to be filled in.
    pub(crate) fn empty(kind: Kind, request: RequestId) -> Header {
        Header {
            kind,
            numeric_ids: false,
            compacted: false,
            sequence: 0,
            synced: 0,
            request,
            first_row: 0,
            rows: 0,
            stored: 0,
            affected: 0,
            ids_bytes: 0,
            listed: 0,
            matrix_bytes: 0,
            scales_bytes: 0,
            metadata_bytes: 0,
            checksums: [0; 3],
            previous: 0,
        }
    }

    /// The header of a mark, to be filled in; it tells whether another file follows.
    pub(crate) fn mark(followed: bool) -> Header {
        let nobody = RequestId {
            client: [0; 16],
            number: 0,
        };
        Header {
            affected: followed.into(),
            ..Header::empty(Kind::Mark, nobody)
        }
    }

    /// Where a section begins and how many bytes it has, from the record's start.
    pub(crate) fn section(&self, section: Section) -> (u64, u64) {
        let ids = HEADER_BYTES as u64;
        let ids_bytes = u64::from(self.ids_bytes) + u64::from(self.listed) * 4;
        let vectors = align(ids + ids_bytes);
        let vectors_bytes = self.matrix_bytes + u64::from(self.scales_bytes);
        let metadata = align(vectors + vectors_bytes);
        match section {
            Section::Ids => (ids, ids_bytes),
            Section::Vectors => (vectors, vectors_bytes),
            Section::Metadata => (metadata, self.metadata_bytes.into()),
        }
    }

    /// Bytes of the whole record, padding included.
    pub(crate) fn record_bytes(&self) -> u64 {
        let (start, bytes) = self.section(Section::Metadata);
        align(start + bytes)
    }

    /// The header as it is written, and its checksum, which the next record repeats. Checksums
    /// are made under the [`salt`] of the collection, so that no vector or text can pass for a
    /// header.
    pub(crate) fn encode(&self, salt: u64) -> ([u8; HEADER_BYTES], u64) {
        let mut bytes = [0; HEADER_BYTES];
        let flags = u8::from(self.numeric_ids) | u8::from(self.compacted) << 1;
        let mut at = 0;
        let mut put = |field: &[u8]| {
            bytes[at..at + field.len()].copy_from_slice(field);
            at += field.len();
        };
        put(&MAGIC);
        put(&[self.kind as u8 + 1, flags, 0, 0]);
        put(&self.sequence.to_le_bytes());
        put(&self.synced.to_le_bytes());
        put(&self.request.client);
        put(&self.request.number.to_le_bytes());
        put(&self.first_row.to_le_bytes());
        put(&self.rows.to_le_bytes());
        put(&self.stored.to_le_bytes());
        put(&self.affected.to_le_bytes());
        put(&self.ids_bytes.to_le_bytes());
        put(&self.listed.to_le_bytes());
        put(&self.matrix_bytes.to_le_bytes());
        put(&self.scales_bytes.to_le_bytes());
        put(&self.metadata_bytes.to_le_bytes());
        for checksum in self.checksums {
            put(&checksum.to_le_bytes());
        }
        put(&self.previous.to_le_bytes());
        let checksum = xxh3_64_with_seed(&bytes[..CHECKED_BYTES], salt);
        bytes[CHECKED_BYTES..].copy_from_slice(&checksum.to_le_bytes());
        (bytes, checksum)
    }

    /// Reads a header and its checksum; `None` if these bytes are not one of the collection
    /// with this [`salt`].
    pub(crate) fn decode(bytes: &[u8; HEADER_BYTES], salt: u64) -> Option<(Header, u64)> {
        let mut fields = Fields(bytes);
        let checksum = u64::from_le_bytes(bytes[CHECKED_BYTES..].try_into().ok()?);
        if fields.take::<4>()? != MAGIC
            || checksum != xxh3_64_with_seed(&bytes[..CHECKED_BYTES], salt)
        {
            return None;
        }
        let [kind, flags, 0, 0] = fields.take()? else {
            return None;
        };
        let header = Header {
            kind: Kind::from_byte(kind)?,
            numeric_ids: flags & 1 != 0,
            compacted: flags & 2 != 0,
            sequence: fields.u64()?,
            synced: fields.u64()?,
            request: RequestId {
                client: fields.take()?,
                number: fields.u64()?,
            },
            first_row: fields.u32()?,
            rows: fields.u32()?,
            stored: fields.u32()?,
            affected: fields.u32()?,
            ids_bytes: fields.u32()?,
            listed: fields.u32()?,
            matrix_bytes: fields.u64()?,
            scales_bytes: fields.u32()?,
            metadata_bytes: fields.u32()?,
            checksums: [fields.u64()?, fields.u64()?, fields.u64()?],
            previous: fields.u64()?,
        };
        let sound = header.matrix_bytes < 1 << 40
            && header.stored <= header.rows
            && header.first_row.checked_add(header.rows).is_some();
        sound.then_some((header, checksum))
    }
}

/// Little-endian fields, one after the other.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}

/// The checksum of a section that is made of these parts, one after the other.
pub(crate) fn checksum(parts: &[&[u8]]) -> u64 {
    let mut full = parts.iter().filter(|part| !part.is_empty());
    let (first, second) = (full.next(), full.next());
    match (first, second) {
        (None, _) => xxh3_64(&[]),
        (Some(only), None) => xxh3_64(only),
        (Some(_), Some(_)) => {
            let mut hash = Xxh3::new();
            parts.iter().for_each(|part| hash.update(part));
            hash.digest()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_round_trip_and_any_flipped_bit_is_noticed() {
        let request = RequestId {
            client: [7; 16],
            number: 9,
        };
        let header = Header {
            numeric_ids: true,
            sequence: 3,
            synced: 2,
            first_row: 40,
            rows: 10,
            stored: 10,
            affected: 10,
            ids_bytes: 80,
            matrix_bytes: 5_120,
            scales_bytes: 40,
            metadata_bytes: 44,
            checksums: [1, 2, 3],
            previous: 4,
            ..Header::empty(Kind::Upsert, request)
        };
        let (bytes, checksum) = header.encode(5);
        assert_eq!(Header::decode(&bytes, 6), None);
        assert_eq!(Header::decode(&bytes, 5), Some((header.clone(), checksum)));
        assert_eq!(header.section(Section::Vectors), (256, 5_160));
        assert_eq!(header.record_bytes() % ALIGNMENT, 0);
        for bit in 0..HEADER_BYTES * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::decode(&flipped, 5), None, "bit {bit}");
        }
        assert_eq!(Header::decode(&[0; HEADER_BYTES], 5), None);
    }
}
