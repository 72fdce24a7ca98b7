//! Points of responses as columns.

use nearfield_model::{Id, Ids, Metadata, Point, Result};

use super::{ids, metadata, vectors};
use crate::proto;

/// A point's parts, wherever they stand.
pub(super) struct Parts<'p> {
    pub(super) id: &'p Id,
    pub(super) vector: Option<&'p [f32]>,
    pub(super) metadata: Option<&'p Metadata>,
}

impl<'p> From<&'p Point> for Parts<'p> {
    fn from(point: &'p Point) -> Self {
        Parts {
            id: &point.id,
            vector: point.vector.as_deref(),
            metadata: point.metadata.as_ref(),
        }
    }
}

pub(super) fn to_message<'p>(
    points: impl Iterator<Item = Parts<'p>> + Clone,
) -> Result<Option<proto::Points>> {
    let column: Ids<'_> = points.clone().map(|point| point.id.clone()).collect();
    Ok(Some(proto::Points {
        ids: Some(ids::to_message(&column)),
        vectors: vectors::column(points.clone().map(|point| point.vector))?,
        metadata: metadata::column(points.map(|point| point.metadata))?,
    }))
}

pub(super) fn from_message(message: Option<proto::Points>) -> Result<Vec<Point>> {
    let message = message.unwrap_or_default();
    let ids = ids::list(message.ids)?;
    let vectors = vectors::rows(message.vectors, ids.len())?;
    let metadata = metadata::rows(message.metadata, ids.len())?;
    let rows = ids.into_iter().zip(vectors).zip(metadata);
    Ok(rows
        .map(|((id, vector), metadata)| Point {
            id,
            vector,
            metadata,
        })
        .collect())
}
