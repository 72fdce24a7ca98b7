//! Responses as bytes.

use nearfield_model::{
    Counted, Cursor, Deleted, Error, Flushed, Found, Got, Hit, MetadataUpdated, Point, Response,
    Result, Scanned, Upserted, codec,
};

use super::gather::Gather;
use super::ids::count32;
use super::points::{self, Row};
use super::source::{Fault, Raw, Source};
use super::verb::verb_name;

/// Appends a response.
///
/// # Errors
/// `TooLarge` for columns that no message takes; `Internal` if metadata is not JSON.
pub fn encode_response(response: &Response, to: &mut Gather<'_>) -> Result<()> {
    match response {
        Response::Upsert(Upserted { upserted, sequence }) => two(*upserted, *sequence, to),
        Response::Delete(Deleted { deleted, sequence }) => two(*deleted, *sequence, to),
        Response::UpdateMetadata(MetadataUpdated { updated, sequence }) => {
            two(*updated, *sequence, to);
        }
        Response::Count(Counted { count }) => to.u64(*count),
        Response::Flush(Flushed { sequence }) => to.u64(*sequence),
        Response::Search(found) => encode_found(found, to)?,
        Response::Get(got) => {
            to.u32(count32(got.points.len())?);
            for point in &got.points {
                to.byte(u8::from(point.is_some()));
            }
            points::encode(got.points.iter().flatten().map(row), to)?;
        }
        Response::Scan(scanned) => {
            to.byte(u8::from(scanned.next.is_some()));
            to.u64(scanned.next.map_or(0, |cursor| cursor.0));
            points::encode(scanned.points.iter().map(row), to)?;
        }
        rare => to.put(codec::response_to_body(rare)?.as_bytes()),
    }
    Ok(())
}

fn two(first: u64, second: u64, to: &mut Gather<'_>) {
    to.u64(first);
    to.u64(second);
}

fn row(point: &Point) -> Row<'_> {
    Row {
        id: &point.id,
        metadata: point.metadata.as_ref(),
        vector: point.vector.as_deref(),
    }
}

fn encode_found(found: &Found, to: &mut Gather<'_>) -> Result<()> {
    to.u32(count32(found.results.len())?);
    for hits in &found.results {
        to.u32(count32(hits.len())?);
    }
    let hits = found.results.iter().flatten();
    for hit in hits.clone() {
        to.put(&hit.score.to_le_bytes());
    }
    let rows = hits.map(|hit| Row {
        id: &hit.id,
        metadata: hit.metadata.as_ref(),
        vector: hit.vector.as_deref(),
    });
    points::encode(rows, to)?;
    if let Some(explanation) = &found.explained {
        let json = serde_json::to_vec(explanation)
            .map_err(|error| Error::internal(format!("no JSON of an explanation: {error}")))?;
        to.put(&json);
    }
    Ok(())
}

/// Takes the response to the verb of a number.
///
/// # Errors
/// As [`decode_request`](super::decode_request).
pub fn decode_response<R: Raw>(code: u8, source: &mut Source<R>) -> Result<Response, Fault> {
    let verb = verb_name(code)
        .ok_or_else(|| Fault::malformed(format!("{code} is the number of no verb")))?;
    let response = match verb {
        "upsert" => {
            let (upserted, sequence) = (source.u64()?, source.u64()?);
            Response::Upsert(Upserted { upserted, sequence })
        }
        "delete" => {
            let (deleted, sequence) = (source.u64()?, source.u64()?);
            Response::Delete(Deleted { deleted, sequence })
        }
        "update_metadata" => {
            let (updated, sequence) = (source.u64()?, source.u64()?);
            Response::UpdateMetadata(MetadataUpdated { updated, sequence })
        }
        "count" => Response::Count(Counted {
            count: source.u64()?,
        }),
        "flush" => Response::Flush(Flushed {
            sequence: source.u64()?,
        }),
        "search" => Response::Search(decode_found(source)?),
        "get" => Response::Get(decode_got(source)?),
        "scan" => {
            let has_next = source.flag()?;
            let next = source.u64()?;
            Response::Scan(Scanned {
                next: has_next.then_some(Cursor(next)),
                points: decode_points(source)?,
            })
        }
        verb => codec::response_from_body(verb, &source.rest()?)?,
    };
    source.end()?;
    Ok(response)
}

fn decode_points(source: &mut Source<impl Raw>) -> Result<Vec<Point>, Fault> {
    let rows = points::decode(source)?;
    let columns = rows.ids.into_iter().zip(rows.metadata).zip(rows.vectors);
    Ok(columns
        .map(|((id, metadata), vector)| Point {
            id,
            vector,
            metadata,
        })
        .collect())
}

fn decode_got(source: &mut Source<impl Raw>) -> Result<Got, Fault> {
    let count = source.u32()? as usize;
    let mut present = Vec::new();
    source.column::<u8>(count, &mut present)?;
    let mut there = decode_points(source)?.into_iter();
    let points: Vec<Option<Point>> = present
        .iter()
        .map(|is_there| (*is_there != 0).then(|| there.next()).flatten())
        .collect();
    let expected = present.iter().filter(|is_there| **is_there != 0).count();
    if there.next().is_some() || points.iter().flatten().count() != expected {
        return Err(Fault::malformed("the points are not as many as announced"));
    }
    Ok(Got { points })
}

fn decode_found(source: &mut Source<impl Raw>) -> Result<Found, Fault> {
    let queries = source.u32()? as usize;
    let mut counts: Vec<u32> = Vec::new();
    source.column(queries, &mut counts)?;
    let total: u64 = counts.iter().map(|count| u64::from(*count)).sum();
    let total = usize::try_from(total).unwrap_or(usize::MAX);
    let mut scores: Vec<f32> = Vec::new();
    source.column(total, &mut scores)?;
    let rows = points::decode(source)?;
    if rows.ids.len() != total {
        return Err(Fault::malformed("the hits are not as many as announced"));
    }
    let columns = rows.ids.into_iter().zip(rows.metadata).zip(rows.vectors);
    let mut hits = columns
        .zip(scores)
        .map(|(((id, metadata), vector), score)| Hit {
            id,
            score,
            metadata,
            vector,
        });
    let results = counts
        .iter()
        .map(|count| hits.by_ref().take(*count as usize).collect())
        .collect();
    let explained = match source.left() {
        0 => None,
        _ => Some(serde_json::from_str(&source.rest()?).map_err(|error| {
            Fault::malformed(format!("an explanation is not as it should be: {error}"))
        })?),
    };
    Ok(Found { results, explained })
}
