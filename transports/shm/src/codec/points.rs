//! Points on their way back: ids, metadata and vectors as columns.

use nearfield_model::{Id, IdRef, Metadata, Result};

use super::gather::Gather;
use super::ids::{self, count32};
use super::metadata;
use super::source::{Fault, Raw, Source};

/// What is read of a point.
pub(super) struct Row<'p> {
    pub(super) id: &'p Id,
    pub(super) metadata: Option<&'p Metadata>,
    pub(super) vector: Option<&'p [f32]>,
}

/// No point has a vector.
const NONE: u8 = 0;
/// All have one, of one length.
const ALIKE: u8 = 1;
/// Each says the length of its own.
const EACH: u8 = 2;
/// The length of a vector that is not there.
const ABSENT: u32 = u32::MAX;

/// Appends the columns of `rows`.
pub(super) fn encode<'p>(
    rows: impl Iterator<Item = Row<'p>> + Clone,
    to: &mut Gather<'_>,
) -> Result<()> {
    ids::encode_each(rows.clone().map(|row| -> IdRef<'_> { row.id.as_ref() }), to)?;
    metadata::encode_each(rows.clone().map(|row| row.metadata), to)?;
    let vectors = rows.map(|row| row.vector);
    let dimension = vectors.clone().flatten().next().map(<[f32]>::len);
    let Some(dimension) = dimension else {
        to.byte(NONE);
        return Ok(());
    };
    if vectors
        .clone()
        .all(|vector| vector.map(<[f32]>::len) == Some(dimension))
    {
        to.byte(ALIKE);
        to.u32(count32(dimension)?);
    } else {
        to.byte(EACH);
        for vector in vectors.clone() {
            to.u32(vector.map_or(Ok(ABSENT), |vector| count32(vector.len()))?);
        }
    }
    for vector in vectors.flatten() {
        to.put(bytemuck::cast_slice(vector));
    }
    Ok(())
}

/// The columns of points, taken apart.
pub(super) struct Rows {
    pub(super) ids: Vec<Id>,
    pub(super) metadata: Vec<Option<Metadata>>,
    pub(super) vectors: Vec<Option<Vec<f32>>>,
}

/// Takes columns.
pub(super) fn decode(source: &mut Source<impl Raw>) -> Result<Rows, Fault> {
    let ids = ids::decode_each(source)?;
    let metadata = metadata::decode_each(source, ids.len())?;
    let vectors = vectors(source, ids.len())?;
    Ok(Rows {
        ids,
        metadata,
        vectors,
    })
}

fn vectors(source: &mut Source<impl Raw>, rows: usize) -> Result<Vec<Option<Vec<f32>>>, Fault> {
    let lengths = match source.byte()? {
        NONE => return Ok(vec![None; rows]),
        ALIKE => vec![source.u32()?; rows],
        EACH => {
            let mut lengths = Vec::new();
            source.column(rows, &mut lengths)?;
            lengths
        }
        kind => return Err(Fault::malformed(format!("{kind} is no kind of vectors"))),
    };
    let mut vectors = Vec::with_capacity(rows);
    for length in lengths {
        vectors.push(match length {
            ABSENT => None,
            length => {
                let mut vector = Vec::new();
                source.column(length as usize, &mut vector)?;
                Some(vector)
            }
        });
    }
    Ok(vectors)
}
