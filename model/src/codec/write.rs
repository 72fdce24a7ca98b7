//! Request to JSON.

use std::collections::BTreeMap;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::RawValue;

use super::vectors::Rows;
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::id::Ids;
use crate::metadata::MetadataColumn;
use crate::request::*;

/// Writes an envelope.
///
/// # Errors
/// `InvalidArgument` with the row if a batch's metadata is not JSON.
pub fn request_to_json(request: &Request<'_>) -> Result<String> {
    let body = Body::new(request, true)?;
    write(&BTreeMap::from([(request.verb(), body)]))
}

/// Writes the body alone, without the collection.
///
/// # Errors
/// As [`request_to_json`].
pub fn request_to_body(request: &Request<'_>) -> Result<String> {
    write(&Body::new(request, false)?)
}

fn write(json: &impl Serialize) -> Result<String> {
    serde_json::to_string(json)
        .map_err(|error| Error::internal(format!("a request does not become JSON: {error}")))
}

/// A request as it is written, with the JSON of its metadata found.
struct Body<'r> {
    request: &'r Request<'r>,
    with_collection: bool,
    rows: Option<Vec<Option<&'r RawValue>>>,
}

impl<'r> Body<'r> {
    fn new(request: &'r Request<'r>, with_collection: bool) -> Result<Self> {
        let column = match request {
            Request::Upsert(upsert) => upsert.batch.metadata.as_ref(),
            _ => None,
        };
        Ok(Body {
            request,
            with_collection,
            rows: column.map(column_rows).transpose()?,
        })
    }
}

fn column_rows<'r>(column: &'r MetadataColumn<'_>) -> Result<Vec<Option<&'r RawValue>>> {
    let row_json = |(row, text): (usize, Option<&'r str>)| {
        text.map(serde_json::from_str).transpose().map_err(|error| {
            Error::invalid(format!("metadata is not a valid JSON object: {error}"))
                .at_row(row)
                .in_field("metadata")
        })
    };
    column.iter().enumerate().map(row_json).collect()
}

struct WrittenIds<'r>(&'r Ids<'r>);

impl Serialize for WrittenIds<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Ids::U64(numbers) => serializer.collect_seq(numbers.iter()),
            Ids::Mixed(ids) => serializer.collect_seq(ids.iter()),
        }
    }
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut body = serializer.serialize_map(None)?;
        if let Some(collection) = collection_of(self.request).filter(|_| self.with_collection) {
            body.serialize_entry("collection", collection)?;
        }
        match self.request {
            Request::CreateCollection(create) => {
                body.serialize_entry("dimension", &create.dimension)?;
                body.serialize_entry("metric", &create.metric)?;
                body.serialize_entry("storage", &create.storage)?;
                if !create.unindexed_fields.is_empty() {
                    body.serialize_entry("unindexed_fields", &create.unindexed_fields)?;
                }
            }
            Request::Upsert(Upsert {
                batch, durability, ..
            }) => {
                let dimension = batch.values.len().checked_div(batch.len()).unwrap_or(0);
                let divides = dimension * batch.len() == batch.values.len();
                body.serialize_entry("ids", &WrittenIds(&batch.ids))?;
                body.serialize_entry(
                    "vectors",
                    &Rows {
                        values: &batch.values,
                        dimension: if divides { dimension } else { 0 },
                    },
                )?;
                if let Some(rows) = &self.rows {
                    body.serialize_entry("metadata", rows)?;
                }
                body.serialize_entry("durability", durability)?;
            }
            Request::Get(get) => {
                body.serialize_entry("ids", &WrittenIds(&get.ids))?;
                body.serialize_entry("with_vectors", &get.with_vectors)?;
                body.serialize_entry("with_metadata", &get.with_metadata)?;
            }
            Request::Delete(delete) => {
                write_selection(&mut body, &delete.selection)?;
                body.serialize_entry("durability", &delete.durability)?;
            }
            Request::UpdateMetadata(update) => {
                write_selection(&mut body, &update.selection)?;
                body.serialize_entry("patch", &update.patch)?;
                body.serialize_entry("durability", &update.durability)?;
            }
            Request::Search(search) => {
                let vectors = Rows {
                    values: search.vectors.values(),
                    dimension: search.vectors.dimension(),
                };
                body.serialize_entry("vectors", &vectors)?;
                body.serialize_entry("limit", &search.limit)?;
                write_filter(&mut body, &search.filter)?;
                body.serialize_entry("recall", &search.recall)?;
                if let Some(probes) = search.probes {
                    body.serialize_entry("probes", &probes)?;
                }
                if let Some(rerank) = search.rerank {
                    body.serialize_entry("rerank", &rerank)?;
                }
                if search.explain {
                    body.serialize_entry("explain", &true)?;
                }
                body.serialize_entry("with_metadata", &search.with_metadata)?;
                body.serialize_entry("with_vectors", &search.with_vectors)?;
            }
            Request::Scan(scan) => {
                body.serialize_entry("limit", &scan.limit)?;
                if let Some(cursor) = scan.cursor {
                    body.serialize_entry("cursor", &cursor)?;
                }
                write_filter(&mut body, &scan.filter)?;
                body.serialize_entry("with_vectors", &scan.with_vectors)?;
                body.serialize_entry("with_metadata", &scan.with_metadata)?;
            }
            Request::Count(count) => write_filter(&mut body, &count.filter)?,
            Request::Snapshot(snapshot) => {
                if let Some(destination) = &snapshot.destination {
                    body.serialize_entry("destination", destination)?;
                }
            }
            Request::DropCollection(_)
            | Request::ListCollections(_)
            | Request::DescribeCollection(_)
            | Request::Flush(_)
            | Request::Compact(_) => {}
        }
        body.end()
    }
}

fn write_selection<M: SerializeMap>(
    body: &mut M,
    selection: &Selection<'_>,
) -> Result<(), M::Error> {
    match selection {
        Selection::Ids(ids) => body.serialize_entry("ids", &WrittenIds(ids)),
        Selection::Filter(filter) => body.serialize_entry("filter", filter),
    }
}

fn write_filter<M: SerializeMap>(body: &mut M, filter: &Option<Filter>) -> Result<(), M::Error> {
    match filter {
        Some(filter) => body.serialize_entry("filter", filter),
        None => Ok(()),
    }
}

fn collection_of<'r>(request: &'r Request<'_>) -> Option<&'r str> {
    Some(match request {
        Request::ListCollections(_) => return None,
        Request::CreateCollection(request) => &request.collection,
        Request::DropCollection(request) => &request.collection,
        Request::DescribeCollection(request) => &request.collection,
        Request::Upsert(request) => &request.collection,
        Request::Get(request) => &request.collection,
        Request::Delete(request) => &request.collection,
        Request::UpdateMetadata(request) => &request.collection,
        Request::Search(request) => &request.collection,
        Request::Scan(request) => &request.collection,
        Request::Count(request) => &request.collection,
        Request::Flush(request) => &request.collection,
        Request::Compact(request) => &request.collection,
        Request::Snapshot(request) => &request.collection,
    })
}
