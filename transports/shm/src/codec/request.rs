//! Requests as bytes.

use std::borrow::Cow;

use nearfield_model::{
    Batch, Count, Cursor, Delete, Durability, Error, Filter, Get, Metadata, Request, Result, Scan,
    Search, Selection, UpdateMetadata, Upsert, Vectors, codec,
};

use super::gather::Gather;
use super::ids;
use super::metadata;
use super::scratch::Scratch;
use super::source::{Fault, Raw, Source};
use super::verb::{verb_code, verb_name};

/// Where the components of an upsert lie, if not inside of its message: in memory that both
/// sides share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Bytes before them.
    pub offset: u64,
    /// Components.
    pub count: u64,
}

/// Components follow.
const INLINE: u8 = 0;
/// Their place follows.
const ELSEWHERE: u8 = 1;

/// Appends a request, and tells its verb's number. The components of an upsert are left out if
/// they lie at a `place` that the other side can read.
///
/// # Errors
/// `TooLarge` for columns that no message takes; `Internal` if metadata is not JSON.
pub fn encode_request<'a>(
    request: &'a Request<'_>,
    place: Option<Place>,
    to: &mut Gather<'a>,
) -> Result<u8> {
    match request {
        Request::Upsert(upsert) => encode_upsert(upsert, place, to)?,
        Request::Search(search) => encode_search(search, to)?,
        Request::Get(get) => {
            text(&get.collection, to)?;
            to.byte(bits([get.with_vectors, get.with_metadata]));
            ids::encode(&get.ids, to)?;
        }
        Request::Delete(delete) => {
            text(&delete.collection, to)?;
            durability(delete.durability, to);
            selection(&delete.selection, to)?;
        }
        Request::UpdateMetadata(update) => {
            text(&update.collection, to)?;
            durability(update.durability, to);
            selection(&update.selection, to)?;
            text(update.patch.as_str(), to)?;
        }
        Request::Scan(scan) => {
            text(&scan.collection, to)?;
            to.u64(scan.limit as u64);
            to.byte(bits([
                scan.with_vectors,
                scan.with_metadata,
                scan.cursor.is_some(),
            ]));
            to.u64(scan.cursor.map_or(0, |cursor| cursor.0));
            filter(scan.filter.as_ref(), to)?;
        }
        Request::Count(count) => {
            text(&count.collection, to)?;
            filter(count.filter.as_ref(), to)?;
        }
        rare => to.put(codec::request_to_json(rare)?.as_bytes()),
    }
    Ok(verb_code(request.verb()))
}

fn encode_upsert<'a>(
    upsert: &'a Upsert<'_>,
    place: Option<Place>,
    to: &mut Gather<'a>,
) -> Result<()> {
    text(&upsert.collection, to)?;
    durability(upsert.durability, to);
    ids::encode(&upsert.batch.ids, to)?;
    metadata::encode(upsert.batch.metadata.as_ref(), to)?;
    match place {
        Some(place) => {
            to.byte(ELSEWHERE);
            to.u64(place.offset);
            to.u64(place.count);
        }
        None => {
            to.byte(INLINE);
            to.u64(upsert.batch.values.len() as u64);
            to.lend(bytemuck::cast_slice(&upsert.batch.values));
        }
    }
    Ok(())
}

fn encode_search<'a>(search: &'a Search<'_>, to: &mut Gather<'a>) -> Result<()> {
    text(&search.collection, to)?;
    to.byte(bits([
        search.explain,
        search.with_metadata,
        search.with_vectors,
        search.probes.is_some(),
        search.rerank.is_some(),
    ]));
    to.put(&search.recall.to_le_bytes());
    to.u64(search.limit as u64);
    to.u64(search.probes.unwrap_or(0) as u64);
    to.u64(search.rerank.unwrap_or(0) as u64);
    filter(search.filter.as_ref(), to)?;
    to.u64(search.vectors.dimension() as u64);
    to.u64(search.vectors.values().len() as u64);
    to.lend(bytemuck::cast_slice(search.vectors.values()));
    Ok(())
}

fn text(text: &str, to: &mut Gather<'_>) -> Result<()> {
    to.u32(ids::count32(text.len())?);
    to.put(text.as_bytes());
    Ok(())
}

fn filter(filter: Option<&Filter>, to: &mut Gather<'_>) -> Result<()> {
    let Some(filter) = filter else {
        to.byte(0);
        return Ok(());
    };
    let json = serde_json::to_string(filter)
        .map_err(|error| Error::internal(format!("a filter does not become JSON: {error}")))?;
    to.byte(1);
    text(&json, to)
}

fn selection<'a>(selection: &'a Selection<'_>, to: &mut Gather<'a>) -> Result<()> {
    match selection {
        Selection::Ids(selected) => {
            to.byte(0);
            ids::encode(selected, to)
        }
        Selection::Filter(selected) => filter(Some(selected), to),
    }
}

fn durability(durability: Durability, to: &mut Gather<'_>) {
    to.byte(match durability {
        Durability::Sync => 0,
        Durability::Os => 1,
    });
}

fn bits<const N: usize>(flags: [bool; N]) -> u8 {
    let numbered = flags.into_iter().enumerate();
    numbered.fold(0, |byte, (bit, flag)| byte | (u8::from(flag) << bit))
}

/// Takes the request of a verb's number. Its columns are borrowed from `scratch`; components that
/// lie elsewhere are fetched by `fetch`, which copies them.
///
/// # Errors
/// `Malformed` with `InvalidArgument` or `TooLarge`, `Lost` if the bytes stop.
pub fn decode_request<'s, R: Raw>(
    code: u8,
    source: &mut Source<R>,
    scratch: &'s mut Scratch,
    fetch: &mut dyn FnMut(Place, &mut Vec<f32>) -> Result<()>,
) -> Result<Request<'s>, Fault> {
    let request = match verb_name(code) {
        Some("upsert") => decode_upsert(source, scratch, fetch)?.into(),
        Some("search") => decode_search(source, scratch)?.into(),
        Some("get") => {
            let collection = source.text()?;
            let [with_vectors, with_metadata] = flags(source)?;
            let ids = ids::decode(source, &mut scratch.numbers, &mut scratch.packed)?;
            Request::Get(Get {
                collection,
                ids,
                with_vectors,
                with_metadata,
            })
        }
        Some("delete") => {
            let collection = source.text()?;
            let durability = take_durability(source)?;
            let selection = take_selection(source, scratch)?;
            Delete::new(collection, selection)
                .durability(durability)
                .into()
        }
        Some("update_metadata") => {
            let collection = source.text()?;
            let durability = take_durability(source)?;
            let selection = take_selection(source, scratch)?;
            let in_field = |error: Error| error.in_field("patch");
            let patch = Metadata::parse(&source.text()?).map_err(in_field)?;
            UpdateMetadata::new(collection, selection, patch)
                .durability(durability)
                .into()
        }
        Some("scan") => decode_scan(source)?.into(),
        Some("count") => Request::Count(Count {
            collection: source.text()?,
            filter: maybe_filter(source)?,
        }),
        Some(verb) => decode_rare(verb, source)?,
        None => return Err(Fault::malformed(format!("{code} is the number of no verb"))),
    };
    source.end()?;
    Ok(request)
}

fn decode_upsert<'s>(
    source: &mut Source<impl Raw>,
    scratch: &'s mut Scratch,
    fetch: &mut dyn FnMut(Place, &mut Vec<f32>) -> Result<()>,
) -> Result<Upsert<'s>, Fault> {
    let collection = source.text()?;
    let durability = take_durability(source)?;
    let ids = ids::decode(source, &mut scratch.numbers, &mut scratch.packed)?;
    let metadata = metadata::decode(source, &mut scratch.text, &mut scratch.ends)?;
    let values = match source.byte()? {
        INLINE => {
            let count = source.size()?;
            source.column(count, &mut scratch.values)?
        }
        ELSEWHERE => {
            let (offset, count) = (source.u64()?, source.u64()?);
            fetch(Place { offset, count }, &mut scratch.values)?;
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            let fetched = scratch.values.get(..count);
            fetched.ok_or_else(|| Fault::malformed("components are missing"))?
        }
        kind => return Err(Fault::malformed(format!("{kind} is no place of vectors"))),
    };
    let values = Cow::Borrowed(values);
    let batch = Batch {
        ids,
        values,
        metadata,
    };
    Ok(Upsert::new(collection, batch).durability(durability))
}

fn decode_search<'s>(
    source: &mut Source<impl Raw>,
    scratch: &'s mut Scratch,
) -> Result<Search<'s>, Fault> {
    let collection = source.text()?;
    let [explain, with_metadata, with_vectors, has_probes, has_rerank] = flags(source)?;
    let recall = f32::from_le_bytes(source.array()?);
    let limit = source.size()?;
    let (probes, rerank) = (source.size()?, source.size()?);
    let filter = maybe_filter(source)?;
    let dimension = source.size()?;
    let count = source.size()?;
    let values = Cow::Borrowed(source.column(count, &mut scratch.values)?);
    let vectors = match dimension {
        0 if count == 0 => Vectors::one(values),
        _ => Vectors::new(values, dimension)?,
    };
    Ok(Search {
        collection,
        vectors,
        limit,
        filter,
        recall,
        probes: has_probes.then_some(probes),
        rerank: has_rerank.then_some(rerank),
        explain,
        with_metadata,
        with_vectors,
    })
}

fn decode_scan(source: &mut Source<impl Raw>) -> Result<Scan, Fault> {
    let collection = source.text()?;
    let limit = source.size()?;
    let [with_vectors, with_metadata, has_cursor] = flags(source)?;
    let cursor = source.u64()?;
    Ok(Scan {
        collection,
        limit,
        cursor: has_cursor.then_some(Cursor(cursor)),
        filter: maybe_filter(source)?,
        with_vectors,
        with_metadata,
    })
}

fn decode_rare(verb: &str, source: &mut Source<impl Raw>) -> Result<Request<'static>, Fault> {
    let request = codec::request_from_json(&source.rest()?)?;
    if request.verb() != verb {
        return Err(Fault::malformed(format!(
            "a {} is inside of a {verb}",
            request.verb()
        )));
    }
    Ok(request)
}

fn maybe_filter(source: &mut Source<impl Raw>) -> Result<Option<Filter>, Fault> {
    match source.flag()? {
        true => take_filter(source).map(Some),
        false => Ok(None),
    }
}

fn take_filter(source: &mut Source<impl Raw>) -> Result<Filter, Fault> {
    let json = source.text()?;
    let in_field = |error: Error| error.in_field("filter");
    Ok(Filter::from_json(&json).map_err(in_field)?)
}

fn take_selection<'s>(
    source: &mut Source<impl Raw>,
    scratch: &'s mut Scratch,
) -> Result<Selection<'s>, Fault> {
    Ok(match source.flag()? {
        true => Selection::Filter(take_filter(source)?),
        false => {
            let (numbers, packed) = (&mut scratch.numbers, &mut scratch.packed);
            Selection::Ids(ids::decode(source, numbers, packed)?)
        }
    })
}

fn take_durability(source: &mut Source<impl Raw>) -> Result<Durability, Fault> {
    Ok(match source.flag()? {
        true => Durability::Os,
        false => Durability::Sync,
    })
}

fn flags<const N: usize>(source: &mut Source<impl Raw>) -> Result<[bool; N], Fault> {
    let byte = source.byte()?;
    if u32::from(byte) >> N != 0 {
        return Err(Fault::malformed(format!("{byte:#b} are no flags")));
    }
    Ok(std::array::from_fn(|bit| byte >> bit & 1 == 1))
}
