//! Request to JSON.

use nearfield_model::codec::request_to_body;
use nearfield_model::{Error, MetadataColumn, Request, Result, Search, Upsert};
use serde_json::value::RawValue;

use super::write;

/// Appends the body of a request.
pub(in super::super) fn write_request(request: &Request<'_>, to: &mut Vec<u8>) -> Result<()> {
    match request {
        Request::Upsert(upsert) => write_upsert(upsert, to),
        Request::Search(search) => write_search(search, to),
        request => {
            to.extend_from_slice(request_to_body(request)?.as_bytes());
            Ok(())
        }
    }
}

fn write_upsert(upsert: &Upsert<'_>, to: &mut Vec<u8>) -> Result<()> {
    let batch = &upsert.batch;
    let dimension = batch.values.len().checked_div(batch.len()).unwrap_or(0);
    if dimension == 0 || dimension * batch.len() != batch.values.len() {
        // Not rows of one length: left to the plain writer, and then to the server to refuse.
        let body = request_to_body(&Request::Upsert(upsert.clone()))?;
        to.extend_from_slice(body.as_bytes());
        return Ok(());
    }
    to.push(b'{');
    write::name(true, "ids", to);
    write::ids(&batch.ids, to)?;
    write::name(false, "vectors", to);
    write_rows(&batch.values, dimension, to)?;
    if let Some(column) = &batch.metadata {
        write::name(false, "metadata", to);
        write_column(column, to)?;
    }
    write::name(false, "durability", to);
    write::value(&upsert.durability, to)?;
    to.push(b'}');
    Ok(())
}

fn write_rows(values: &[f32], dimension: usize, to: &mut Vec<u8>) -> Result<()> {
    write::list(values.chunks_exact(dimension), to, |row, to| {
        write::components(row, to);
        Ok(())
    })
}

/// Appends the rows' texts, which may come from anybody and so are read before.
fn write_column(column: &MetadataColumn<'_>, to: &mut Vec<u8>) -> Result<()> {
    write::list(column.iter().enumerate(), to, |(row, text), to| {
        let json = text.map(serde_json::from_str::<&RawValue>).transpose();
        let json = json.map_err(|error| {
            Error::invalid(format!("metadata is not a valid JSON object: {error}"))
                .at_row(row)
                .in_field("metadata")
        })?;
        to.extend_from_slice(json.map_or("null", RawValue::get).as_bytes());
        Ok(())
    })
}

fn write_search(search: &Search<'_>, to: &mut Vec<u8>) -> Result<()> {
    to.push(b'{');
    write::name(true, "vectors", to);
    match search.vectors.dimension() {
        0 => to.extend_from_slice(b"[]"),
        dimension => write_rows(search.vectors.values(), dimension, to)?,
    }
    write::name(false, "limit", to);
    write::whole(search.limit as u64, to);
    if let Some(filter) = &search.filter {
        write::name(false, "filter", to);
        write::value(filter, to)?;
    }
    write::name(false, "recall", to);
    write::number(search.recall, to);
    for (name, knob) in [("probes", search.probes), ("rerank", search.rerank)] {
        if let Some(knob) = knob {
            write::name(false, name, to);
            write::whole(knob as u64, to);
        }
    }
    for (name, flag) in [
        ("explain", search.explain),
        ("with_metadata", search.with_metadata),
        ("with_vectors", search.with_vectors),
    ] {
        write::name(false, name, to);
        write::flag(flag, to);
    }
    to.push(b'}');
    Ok(())
}
