//! Responses as MessagePack. Vectors are bytes, metadata maps or text.

use super::super::response::{response_from_body, response_to_body};
use super::super::words::Words;
use super::from_json::append_json;
use super::head::Head;
use super::ids::{append_id, read_id};
use super::metadata::read_metadata;
use super::to_json;
use super::whole::Whole;
use super::write;
use crate::error::{Error, Result};
use crate::id::Id;
use crate::metadata::Metadata;
use crate::request::{Cursor, Explanation, Found, Got, Hit, Point, Response, Scanned};

/// How metadata stands in a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MetadataAs {
    /// As a map, whose numbers have 64 bits.
    #[default]
    Map,
    /// As a string of JSON, byte for byte what was stored.
    Json,
}

/// Appends the body of a response.
///
/// # Errors
/// `Internal` if a part of it is not JSON.
pub fn response_to_msgpack(
    response: &Response,
    metadata: MetadataAs,
    to: &mut Vec<u8>,
) -> Result<()> {
    match response {
        Response::Search(found) => append_found(found, metadata, to),
        Response::Get(got) => {
            write::map(1, to);
            write::text("points", to);
            write::array(got.points.len(), to);
            got.points.iter().try_for_each(|point| match point {
                Some(point) => append_point(point, metadata, to),
                None => {
                    write::nil(to);
                    Ok(())
                }
            })
        }
        Response::Scan(scanned) => {
            write::map(2, to);
            write::text("points", to);
            write::array(scanned.points.len(), to);
            scanned
                .points
                .iter()
                .try_for_each(|point| append_point(point, metadata, to))?;
            write::text("next", to);
            match scanned.next {
                Some(Cursor(next)) => write::u64(next, to),
                None => write::nil(to),
            }
            Ok(())
        }
        response => append_json(&response_to_body(response)?, to).map_err(not_json),
    }
}

fn append_found(found: &Found, metadata: MetadataAs, to: &mut Vec<u8>) -> Result<()> {
    write::map(if found.explained.is_some() { 2 } else { 1 }, to);
    write::text("results", to);
    write::array(found.results.len(), to);
    for hits in &found.results {
        write::array(hits.len(), to);
        hits.iter()
            .try_for_each(|hit| append_hit(hit, metadata, to))?;
    }
    if let Some(explained) = &found.explained {
        write::text("explained", to);
        let json = serde_json::to_string(explained).map_err(not_json)?;
        append_json(&json, to).map_err(not_json)?;
    }
    Ok(())
}

fn append_hit(hit: &Hit, form: MetadataAs, to: &mut Vec<u8>) -> Result<()> {
    let members = 2 + usize::from(hit.metadata.is_some()) + usize::from(hit.vector.is_some());
    write::map(members, to);
    write::text("id", to);
    append_id(hit.id.as_ref(), to);
    write::text("score", to);
    write::f32(hit.score, to);
    append_rest(hit.vector.as_deref(), hit.metadata.as_ref(), form, to)
}

fn append_point(point: &Point, form: MetadataAs, to: &mut Vec<u8>) -> Result<()> {
    let members = 1 + usize::from(point.metadata.is_some()) + usize::from(point.vector.is_some());
    write::map(members, to);
    write::text("id", to);
    append_id(point.id.as_ref(), to);
    append_rest(point.vector.as_deref(), point.metadata.as_ref(), form, to)
}

fn append_rest(
    vector: Option<&[f32]>,
    metadata: Option<&Metadata>,
    form: MetadataAs,
    to: &mut Vec<u8>,
) -> Result<()> {
    if let Some(vector) = vector {
        write::text("vector", to);
        write::components(vector, to);
    }
    if let Some(metadata) = metadata {
        write::text("metadata", to);
        match form {
            MetadataAs::Map => append_json(metadata.as_str(), to).map_err(not_json)?,
            MetadataAs::Json => write::text(metadata.as_str(), to),
        }
    }
    Ok(())
}

fn not_json(error: serde_json::Error) -> Error {
    Error::internal(format!("a response does not become MessagePack: {error}"))
}

/// Reads the body of the response to a verb. Members of a later version are passed over.
///
/// # Errors
/// `InvalidArgument` if the bytes are not that response.
pub fn response_from_msgpack(verb: &str, bytes: &[u8]) -> Result<Response> {
    let mut from = Whole(bytes);
    let response = read_response(verb, &mut from).and_then(|response| {
        from.end()?;
        Ok(response)
    });
    response.map_err(|error| {
        let message = error.message();
        Error::invalid(format!("this does not answer a {verb}: {message}"))
    })
}

fn read_response(verb: &str, from: &mut Whole<'_>) -> Result<Response> {
    Ok(match verb {
        "search" => Response::Search(read_found(from)?),
        "get" => Response::Get(read_got(from)?),
        "scan" => Response::Scan(read_scanned(from)?),
        _ => {
            let mut json = String::new();
            to_json::append(from, to_json::DEPTH_MAX, &mut json)?;
            response_from_body(verb, &json)?
        }
    })
}

/// Reads a map; `member` reads the value of each name, or passes over it.
fn read_map<'b>(
    from: &mut Whole<'b>,
    mut member: impl FnMut(&str, &mut Whole<'b>) -> Result<()>,
) -> Result<()> {
    let Head::Map(members) = from.head()? else {
        return Err(Error::invalid("expected a map"));
    };
    for _ in 0..members {
        let name = from.name()?;
        member(name, from)?;
    }
    Ok(())
}

/// Reads an array, whose values `value` reads.
fn read_array<'b, T>(
    from: &mut Whole<'b>,
    mut value: impl FnMut(&mut Whole<'b>) -> Result<T>,
) -> Result<Vec<T>> {
    let Head::Array(count) = from.head()? else {
        return Err(Error::invalid("expected an array"));
    };
    // What is read takes more room than its bytes, so room is made as values come.
    let mut values = Vec::with_capacity(from.credible(count).min(1 << 10));
    for _ in 0..count {
        values.push(value(from)?);
    }
    Ok(values)
}

/// Reads a value that may be nil.
fn optional<'b, T>(
    from: &mut Whole<'b>,
    value: impl FnOnce(&mut Whole<'b>) -> Result<T>,
) -> Result<Option<T>> {
    let mut rest = *from;
    if rest.head()? == Head::Nil {
        *from = rest;
        return Ok(None);
    }
    value(from).map(Some)
}

/// Reads a value of a type that serde knows.
fn read_json<T: serde::de::DeserializeOwned>(from: &mut Whole<'_>) -> Result<T> {
    let mut json = String::new();
    to_json::append(from, to_json::DEPTH_MAX, &mut json)?;
    serde_json::from_str(&json).map_err(|error| Error::invalid(error.to_string()))
}

fn read_found(from: &mut Whole<'_>) -> Result<Found> {
    let mut results = None;
    let mut explained: Option<Explanation> = None;
    read_map(from, |name, from| {
        match name {
            "results" => results = Some(read_array(from, |from| read_array(from, read_hit))?),
            "explained" => explained = optional(from, read_json)?,
            _ => from.skip()?,
        }
        Ok(())
    })?;
    Ok(Found {
        results: results.ok_or_else(|| missing("results"))?,
        explained,
    })
}

fn read_got(from: &mut Whole<'_>) -> Result<Got> {
    let mut points = None;
    read_map(from, |name, from| {
        match name {
            "points" => points = Some(read_array(from, |from| optional(from, read_point))?),
            _ => from.skip()?,
        }
        Ok(())
    })?;
    let points = points.ok_or_else(|| missing("points"))?;
    Ok(Got { points })
}

fn read_scanned(from: &mut Whole<'_>) -> Result<Scanned> {
    let mut points = None;
    let mut next = None;
    read_map(from, |name, from| {
        match name {
            "points" => points = Some(read_array(from, read_point)?),
            "next" => next = optional(from, read_json)?.map(Cursor),
            _ => from.skip()?,
        }
        Ok(())
    })?;
    let points = points.ok_or_else(|| missing("points"))?;
    Ok(Scanned { points, next })
}

/// What hits and points hold.
#[derive(Default)]
struct Row {
    id: Option<Id>,
    score: Option<f32>,
    metadata: Option<Metadata>,
    vector: Option<Vec<f32>>,
}

fn read_row(from: &mut Whole<'_>) -> Result<Row> {
    let mut row = Row::default();
    read_map(from, |name, from| {
        match name {
            "id" => row.id = Some(read_id(from)?),
            "score" => row.score = Some(read_number(from)?),
            "metadata" => row.metadata = read_metadata(from)?,
            "vector" => row.vector = optional(from, read_vector)?,
            _ => from.skip()?,
        }
        Ok(())
    })?;
    Ok(row)
}

fn read_hit(from: &mut Whole<'_>) -> Result<Hit> {
    let row = read_row(from)?;
    Ok(Hit {
        id: row.id.ok_or_else(|| missing("id"))?,
        score: row.score.ok_or_else(|| missing("score"))?,
        metadata: row.metadata,
        vector: row.vector,
    })
}

fn read_point(from: &mut Whole<'_>) -> Result<Point> {
    let row = read_row(from)?;
    Ok(Point {
        id: row.id.ok_or_else(|| missing("id"))?,
        vector: row.vector,
        metadata: row.metadata,
    })
}

/// Reads bytes of components, or an array of numbers.
fn read_vector(from: &mut Whole<'_>) -> Result<Vec<f32>> {
    let value = *from;
    let Head::Bin(length) = from.head()? else {
        *from = value;
        return read_array(from, read_number);
    };
    let (mut words, mut vector) = (Words::default(), Vec::new());
    words.feed(from.bytes(length)?, f32::from_le_bytes, &mut vector);
    match words.rest() {
        0 => Ok(vector),
        _ => Err(Error::invalid(
            "the bytes of a vector do not make whole f32",
        )),
    }
}

fn read_number(from: &mut Whole<'_>) -> Result<f32> {
    match from.head()? {
        Head::F32(number) => Ok(number),
        Head::F64(number) => Ok(number as f32),
        Head::U64(number) => Ok(number as f32),
        Head::I64(number) => Ok(number as f32),
        _ => Err(Error::invalid("expected a number")),
    }
}

fn missing(name: &str) -> Error {
    Error::invalid(format!("{name} is missing"))
}
