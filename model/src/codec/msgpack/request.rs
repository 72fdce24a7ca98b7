//! Request to MessagePack.

use super::super::write::request_to_body;
use super::from_json::append_json;
use super::ids::append_ids;
use super::metadata::append_column;
use super::write;
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::request::{Durability, Request, Search, Selection, Upsert};
use crate::vectors::Vectors;

/// Appends the body of a request, without the collection. Ids that are all numbers and vectors
/// become bytes, metadata its JSON text.
///
/// # Errors
/// `Internal` if a part of it is not JSON.
pub fn request_to_msgpack(request: &Request<'_>, to: &mut Vec<u8>) -> Result<()> {
    match request {
        Request::Upsert(upsert) => append_upsert(upsert, to),
        Request::Search(search) => append_search(search, to)?,
        Request::Get(get) => {
            write::map(3, to);
            write::text("ids", to);
            append_ids(&get.ids, to);
            append_flag("with_vectors", get.with_vectors, to);
            append_flag("with_metadata", get.with_metadata, to);
        }
        Request::Delete(delete) => {
            write::map(2, to);
            append_selection(&delete.selection, to)?;
            append_durability(delete.durability, to);
        }
        Request::UpdateMetadata(update) => {
            write::map(3, to);
            append_selection(&update.selection, to)?;
            write::text("patch", to);
            write::text(update.patch.as_str(), to);
            append_durability(update.durability, to);
        }
        request => append_json(&request_to_body(request)?, to).map_err(not_json)?,
    }
    Ok(())
}

fn append_upsert(upsert: &Upsert<'_>, to: &mut Vec<u8>) {
    let Upsert {
        batch, durability, ..
    } = upsert;
    to.reserve(batch.byte_len() + batch.len() + 64);
    write::map(if batch.metadata.is_some() { 4 } else { 3 }, to);
    write::text("ids", to);
    append_ids(&batch.ids, to);
    write::text("vectors", to);
    write::components(&batch.values, to);
    if let Some(column) = &batch.metadata {
        write::text("metadata", to);
        append_column(column, to);
    }
    append_durability(*durability, to);
}

fn append_search(search: &Search<'_>, to: &mut Vec<u8>) -> Result<()> {
    let knobs = [("probes", search.probes), ("rerank", search.rerank)];
    let knobs = knobs
        .into_iter()
        .filter_map(|(name, knob)| Some((name, knob?)));
    let members = 5 + knobs.clone().count() + usize::from(search.filter.is_some());
    write::map(members + usize::from(search.explain), to);
    write::text("vectors", to);
    append_vectors(&search.vectors, to);
    append_whole("limit", search.limit, to);
    if let Some(filter) = &search.filter {
        append_filter(filter, to)?;
    }
    write::text("recall", to);
    write::f32(search.recall, to);
    knobs.for_each(|(name, knob)| append_whole(name, knob, to));
    if search.explain {
        append_flag("explain", true, to);
    }
    append_flag("with_metadata", search.with_metadata, to);
    append_flag("with_vectors", search.with_vectors, to);
    Ok(())
}

/// One vector is bytes; several are bytes with their dimension.
fn append_vectors(vectors: &Vectors<'_>, to: &mut Vec<u8>) {
    if vectors.values().len() == vectors.dimension() {
        return write::components(vectors.values(), to);
    }
    write::map(2, to);
    write::text("f32", to);
    write::components(vectors.values(), to);
    append_whole("dimension", vectors.dimension(), to);
}

fn append_whole(name: &str, number: usize, to: &mut Vec<u8>) {
    write::text(name, to);
    write::u64(number as u64, to);
}

fn append_flag(name: &str, flag: bool, to: &mut Vec<u8>) {
    write::text(name, to);
    write::bool(flag, to);
}

fn append_durability(durability: Durability, to: &mut Vec<u8>) {
    write::text("durability", to);
    write::text(durability.as_str(), to);
}

fn append_selection(selection: &Selection<'_>, to: &mut Vec<u8>) -> Result<()> {
    match selection {
        Selection::Ids(ids) => {
            write::text("ids", to);
            append_ids(ids, to);
            Ok(())
        }
        Selection::Filter(filter) => append_filter(filter, to),
    }
}

fn append_filter(filter: &Filter, to: &mut Vec<u8>) -> Result<()> {
    write::text("filter", to);
    let json = serde_json::to_string(filter).map_err(not_json)?;
    append_json(&json, to).map_err(not_json)
}

fn not_json(error: serde_json::Error) -> Error {
    Error::internal(format!("a request does not become MessagePack: {error}"))
}
