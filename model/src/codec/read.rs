//! JSON to request.

use serde_json::value::RawValue;

use super::matrix::{Matrix, Shape};
use super::members::{Members, missing, typed};
use super::vectors::read_matrix;
use crate::decimal;
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::id::{Id, Ids};
use crate::metadata::{Metadata, MetadataColumn};
use crate::request::*;
use crate::vectors::Vectors;

/// Reads an envelope such as `{"count": {"collection": "docs"}}`.
///
/// # Errors
/// `InvalidArgument` with the field, and the row if there is one; `TooLarge` for a filter or
/// metadata over the limits.
pub fn request_from_json(text: &str) -> Result<Request<'static>> {
    let (verb, body) = Members::read(text, "a request")?.single().ok_or_else(|| {
        Error::invalid(
            "a request has one member, its verb, such as {\"count\": {\"collection\": \"docs\"}}",
        )
    })?;
    read(&verb, None, body.get())
}

/// Reads the body of a verb whose collection is named elsewhere. An empty text is an empty
/// body; `list_collections` passes over the collection.
///
/// # Errors
/// As [`request_from_json`].
pub fn request_from_body(verb: &str, collection: &str, text: &str) -> Result<Request<'static>> {
    let text = if trimmed(text).is_empty() { "{}" } else { text };
    read(verb, Some(collection), text)
}

/// A text without the white space of JSON around it, which is less than that of Unicode.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\n', '\r', '\t'])
}

/// The refusal of a name that is no verb's.
pub(super) fn no_verb(verb: &str) -> Error {
    let verb: String = verb.chars().take(40).collect();
    Error::invalid(format!(
        "{verb:?} is no verb; use one of {}",
        Request::VERBS.join(", ")
    ))
}

/// The members that a verb takes, beside its collection.
pub(super) fn fields(verb: &str) -> Option<&'static [&'static str]> {
    Some(match verb {
        "create_collection" => &["dimension", "metric", "storage", "unindexed_fields"],
        "upsert" => &["ids", "vectors", "metadata", "durability"],
        "get" => &["ids", "with_vectors", "with_metadata"],
        "delete" => &["ids", "filter", "durability"],
        "update_metadata" => &["ids", "filter", "patch", "durability"],
        "search" => &[
            "vectors",
            "limit",
            "filter",
            "recall",
            "probes",
            "rerank",
            "explain",
            "with_metadata",
            "with_vectors",
        ],
        "scan" => &["limit", "cursor", "filter", "with_vectors", "with_metadata"],
        "count" => &["filter"],
        "snapshot" => &["destination"],
        "drop_collection" | "list_collections" | "describe_collection" | "flush" | "compact" => &[],
        _ => return None,
    })
}

fn read(verb: &str, collection: Option<&str>, text: &str) -> Result<Request<'static>> {
    let fields = fields(verb).ok_or_else(|| no_verb(verb))?;
    let members = Members::read(text, verb)?;
    if verb == "list_collections" {
        members.allow(verb, fields)?;
        return Ok(ListCollections {}.into());
    }
    let collection = match collection {
        Some(collection) => {
            members.allow(verb, fields)?;
            collection.to_owned()
        }
        None => {
            members.allow(verb, &[&["collection"], fields].concat())?;
            members.required("collection")?
        }
    };
    let columns = Columns {
        ids: members.json("ids").map(read_ids).transpose()?,
        vectors: members.json("vectors").map(read_matrix).transpose()?,
        metadata: members.json("metadata").map(read_column).transpose()?,
    };
    read_verb(verb, collection, &members, columns)
}

/// The members of a batch that have many rows.
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) ids: Option<Ids<'static>>,
    pub(super) vectors: Option<Matrix>,
    pub(super) metadata: Option<MetadataColumn<'static>>,
}

impl Columns {
    fn ids(&mut self) -> Result<Ids<'static>> {
        self.ids.take().ok_or_else(|| missing("ids"))
    }

    fn vectors(&mut self) -> Result<Matrix> {
        self.vectors.take().ok_or_else(|| missing("vectors"))
    }
}

/// Makes the request of a verb from its members; those with many rows are among `columns`.
pub(super) fn read_verb(
    verb: &str,
    collection: String,
    members: &Members<'_>,
    mut columns: Columns,
) -> Result<Request<'static>> {
    Ok(match verb {
        "create_collection" => CreateCollection {
            collection,
            dimension: members.required("dimension")?,
            metric: members.optional("metric")?.unwrap_or_default(),
            storage: members.optional("storage")?.unwrap_or_default(),
            unindexed_fields: members.optional("unindexed_fields")?.unwrap_or_default(),
        }
        .into(),
        "drop_collection" => DropCollection { collection }.into(),
        "describe_collection" => DescribeCollection { collection }.into(),
        "upsert" => Upsert {
            collection,
            batch: read_batch(columns)?,
            durability: members.optional("durability")?.unwrap_or_default(),
        }
        .into(),
        "get" => {
            let mut get = Get::new(collection, columns.ids()?);
            set(&mut get.with_vectors, members.optional("with_vectors")?);
            set(&mut get.with_metadata, members.optional("with_metadata")?);
            get.into()
        }
        "delete" => Delete {
            collection,
            selection: read_selection(members, columns)?,
            durability: members.optional("durability")?.unwrap_or_default(),
        }
        .into(),
        "update_metadata" => UpdateMetadata {
            collection,
            selection: read_selection(members, columns)?,
            patch: Metadata::parse(members.required_json("patch")?.get())
                .map_err(|error| error.in_field("patch"))?,
            durability: members.optional("durability")?.unwrap_or_default(),
        }
        .into(),
        "search" => read_search(collection, members, columns.vectors()?)?.into(),
        "scan" => {
            let mut scan = Scan::new(collection);
            set(&mut scan.limit, members.optional("limit")?);
            scan.cursor = members.optional("cursor")?;
            scan.filter = read_filter(members)?;
            set(&mut scan.with_vectors, members.optional("with_vectors")?);
            set(&mut scan.with_metadata, members.optional("with_metadata")?);
            scan.into()
        }
        "count" => Count {
            collection,
            filter: read_filter(members)?,
        }
        .into(),
        "flush" => Flush { collection }.into(),
        "compact" => Compact { collection }.into(),
        _ => Snapshot {
            collection,
            destination: members.optional("destination")?,
        }
        .into(),
    })
}

fn set<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

fn read_search(
    collection: String,
    members: &Members<'_>,
    matrix: Matrix,
) -> Result<Search<'static>> {
    let vectors = match matrix.shape {
        Shape::Rows { dimension, .. } if dimension > 0 => Vectors::new(matrix.values, dimension)?,
        _ => Vectors::one(matrix.values),
    };
    let mut search = Search::new(collection, vectors);
    set(&mut search.limit, members.optional("limit")?);
    search.filter = read_filter(members)?;
    if let Some(json) = members.json("recall") {
        search.recall = decimal::read(json)
            .ok_or_else(|| Error::invalid("the recall is not a number").in_field("recall"))?;
    }
    search.probes = members.optional("probes")?;
    search.rerank = members.optional("rerank")?;
    set(&mut search.explain, members.optional("explain")?);
    set(
        &mut search.with_metadata,
        members.optional("with_metadata")?,
    );
    set(&mut search.with_vectors, members.optional("with_vectors")?);
    Ok(search)
}

fn read_batch(mut columns: Columns) -> Result<Batch<'static>> {
    let ids = columns.ids()?;
    let matrix = columns.vectors()?;
    let rows = match matrix.shape {
        Shape::Rows { rows, .. } => rows,
        Shape::Unknown => ids.len(),
        Shape::One => {
            return Err(
                Error::invalid("one vector is given; write it as a list of one list")
                    .in_field("vectors"),
            );
        }
    };
    if rows != ids.len() {
        return Err(Error::invalid(format!(
            "{} ids and {rows} vectors are given; give one vector per id",
            ids.len()
        ))
        .in_field("vectors"));
    }
    Ok(Batch {
        ids,
        values: matrix.values.into(),
        metadata: columns.metadata,
    })
}

pub(super) fn read_ids(json: &RawValue) -> Result<Ids<'static>> {
    let elements: Vec<&RawValue> = typed(json, "ids")?;
    elements
        .iter()
        .enumerate()
        .map(|(row, element)| typed::<Id>(element, "ids").map_err(|error| error.at_row(row)))
        .collect()
}

pub(super) fn read_column(json: &RawValue) -> Result<MetadataColumn<'static>> {
    let rows: Vec<Option<&RawValue>> = typed(json, "metadata")?;
    let mut column = MetadataColumn::default();
    for (row, json) in rows.into_iter().enumerate() {
        let metadata = json
            .map(|json| Metadata::parse(json.get()))
            .transpose()
            .map_err(|error| error.at_row(row).in_field("metadata"))?;
        column.push(metadata.as_ref())?;
    }
    Ok(column)
}

fn read_filter(members: &Members<'_>) -> Result<Option<Filter>> {
    members
        .json("filter")
        .map(|json| Filter::from_json(json.get()))
        .transpose()
}

fn read_selection(members: &Members<'_>, columns: Columns) -> Result<Selection<'static>> {
    match (columns.ids, read_filter(members)?) {
        (Some(ids), None) => Ok(Selection::Ids(ids)),
        (None, Some(filter)) => Ok(Selection::Filter(filter)),
        (Some(_), Some(_)) => Err(Error::invalid(
            "ids and filter are both given; give one of them",
        )
        .in_field("filter")),
        (None, None) => {
            Err(Error::invalid("neither ids nor filter is given; give one of them").in_field("ids"))
        }
    }
}
