//! Response to JSON.

use nearfield_model::codec::response_to_body;
use nearfield_model::{Cursor, Found, Hit, Metadata, Point, Response, Result};

use super::write;

/// Appends the body of a response.
pub(in super::super) fn write_response(response: &Response, to: &mut Vec<u8>) -> Result<()> {
    match response {
        Response::Search(found) => write_found(found, to),
        Response::Get(got) => {
            to.extend_from_slice(b"{\"points\":");
            write::list(&got.points, to, |point, to| match point {
                Some(point) => write_point(point, to),
                None => {
                    to.extend_from_slice(b"null");
                    Ok(())
                }
            })?;
            to.push(b'}');
            Ok(())
        }
        Response::Scan(scanned) => {
            to.extend_from_slice(b"{\"points\":");
            write::list(&scanned.points, to, write_point)?;
            write::name(false, "next", to);
            match scanned.next {
                Some(Cursor(next)) => write::whole(next, to),
                None => to.extend_from_slice(b"null"),
            }
            to.push(b'}');
            Ok(())
        }
        response => {
            to.extend_from_slice(response_to_body(response)?.as_bytes());
            Ok(())
        }
    }
}

fn write_found(found: &Found, to: &mut Vec<u8>) -> Result<()> {
    to.extend_from_slice(b"{\"results\":");
    write::list(&found.results, to, |hits, to| {
        write::list(hits, to, write_hit)
    })?;
    if let Some(explained) = &found.explained {
        write::name(false, "explained", to);
        write::value(explained, to)?;
    }
    to.push(b'}');
    Ok(())
}

fn write_hit(hit: &Hit, to: &mut Vec<u8>) -> Result<()> {
    to.extend_from_slice(b"{\"id\":");
    write::id(hit.id.as_ref(), to)?;
    write::name(false, "score", to);
    write::number(hit.score, to);
    write_metadata(hit.metadata.as_ref(), to);
    write_vector(hit.vector.as_deref(), to);
    to.push(b'}');
    Ok(())
}

fn write_point(point: &Point, to: &mut Vec<u8>) -> Result<()> {
    to.extend_from_slice(b"{\"id\":");
    write::id(point.id.as_ref(), to)?;
    write_vector(point.vector.as_deref(), to);
    write_metadata(point.metadata.as_ref(), to);
    to.push(b'}');
    Ok(())
}

/// Metadata is JSON since it was made, and goes out as it is.
fn write_metadata(metadata: Option<&Metadata>, to: &mut Vec<u8>) {
    if let Some(metadata) = metadata {
        write::name(false, "metadata", to);
        to.extend_from_slice(metadata.as_str().as_bytes());
    }
}

fn write_vector(vector: Option<&[f32]>, to: &mut Vec<u8>) {
    if let Some(vector) = vector {
        write::name(false, "vector", to);
        write::components(vector, to);
    }
}
