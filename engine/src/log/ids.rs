//! Ids as a record keeps them: one array of numbers, or ends and tagged bytes.

use nearfield_model::{Id, IdRef, Ids, Uuid};

const NUMBER: u8 = 0;
const UUID: u8 = 1;
const TEXT: u8 = 2;

/// Encodes ids; true if they are one array of little-endian numbers. Otherwise it is
/// one little-endian `u32` end per id, then each id as a tag and its bytes.
pub(crate) fn encode(ids: &Ids<'_>) -> (Vec<u8>, bool) {
    match ids {
        Ids::U64(numbers) => (
            numbers
                .iter()
                .flat_map(|number| number.to_le_bytes())
                .collect(),
            true,
        ),
        Ids::Mixed(ids) => {
            let mut ends = Vec::with_capacity(ids.len() * 4);
            let mut body = Vec::new();
            for id in ids.iter() {
                match id {
                    Id::U64(number) => {
                        body.push(NUMBER);
                        body.extend_from_slice(&number.to_le_bytes());
                    }
                    Id::Uuid(uuid) => {
                        body.push(UUID);
                        body.extend_from_slice(uuid.as_bytes());
                    }
                    Id::String(text) => {
                        body.push(TEXT);
                        body.extend_from_slice(text.as_bytes());
                    }
                }
                // A batch is limited to 64 MiB, so an end fits.
                ends.extend_from_slice(&(body.len() as u32).to_le_bytes());
            }
            ends.extend_from_slice(&body);
            (ends, false)
        }
    }
}

/// The id at `position` among `count` encoded ids; `None` if the bytes are not what
/// [`encode`] makes.
pub(crate) fn get(bytes: &[u8], numeric: bool, count: usize, position: usize) -> Option<IdRef<'_>> {
    if numeric {
        let number = bytes.get(position * 8..)?.first_chunk()?;
        return Some(IdRef::U64(u64::from_le_bytes(*number)));
    }
    let end_at = |position: usize| -> Option<usize> {
        let end = bytes.get(position * 4..count * 4)?.first_chunk()?;
        Some(u32::from_le_bytes(*end) as usize)
    };
    let start = position.checked_sub(1).map_or(Some(0), end_at)?;
    let (tag, id) = bytes
        .get(count * 4..)?
        .get(start..end_at(position)?)?
        .split_first()?;
    match *tag {
        NUMBER => Some(IdRef::U64(u64::from_le_bytes(id.try_into().ok()?))),
        UUID => Some(IdRef::Uuid(Uuid::from_bytes(id.try_into().ok()?))),
        TEXT => std::str::from_utf8(id).ok().map(IdRef::String),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_all_kinds_are_read_back() {
        let uuid = "67e55044-10b1-426f-9247-bb680e5fe0c8";
        for ids in [
            Ids::from([1, u64::MAX]),
            Ids::from(vec![
                Id::from(5),
                Id::from(uuid),
                Id::from("a"),
                Id::from(""),
            ]),
        ] {
            let (bytes, numeric) = encode(&ids);
            for (position, id) in ids.iter().enumerate() {
                assert_eq!(get(&bytes, numeric, ids.len(), position), Some(id));
            }
            for cut in 0..bytes.len() {
                let _no_panic = get(&bytes[..cut], numeric, ids.len(), ids.len() - 1);
            }
        }
    }
}
