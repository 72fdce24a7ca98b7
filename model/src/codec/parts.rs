//! The members of a body, gathered one by one on the way to a request.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

use super::matrix::{FIELD, Matrix, over_batch_bytes};
use super::members::{Members, TWICE, typed, unknown};
use super::read::{Columns, fields, no_verb, read_ids, read_verb};
use crate::error::{Error, Result};
use crate::id::Ids;
use crate::limits::{BATCH_BYTES_MAX, BATCH_ROWS_MAX, MEMBER_BYTES_MAX};
use crate::metadata::MetadataColumn;
use crate::request::{ListCollections, Request};

/// The members of a body that is read from its start to its end.
///
/// A reader of some format names each member as it meets it, then gives what it holds; a member
/// that is `null` is given nothing.
#[derive(Debug)]
pub struct Parts {
    verb: &'static str,
    collection: String,
    named: Vec<&'static str>,
    columns: Columns,
    json: BTreeMap<&'static str, Box<RawValue>>,
}

impl Parts {
    /// No members yet, of the body of a `verb` on `collection`.
    pub fn new(verb: &'static str, collection: impl Into<String>) -> Self {
        Parts {
            verb,
            collection: collection.into(),
            named: Vec::new(),
            columns: Columns::default(),
            json: BTreeMap::new(),
        }
    }

    /// The verb.
    pub fn verb(&self) -> &'static str {
        self.verb
    }

    /// Rows that the ids have told; none before them.
    pub fn rows(&self) -> Option<usize> {
        self.columns.ids.as_ref().map(Ids::len)
    }

    /// Begins a member.
    ///
    /// # Errors
    /// `InvalidArgument` if the verb has no such member, or had it already.
    pub fn name(&mut self, name: &str) -> Result<&'static str> {
        let fields = fields(self.verb).ok_or_else(|| no_verb(self.verb))?;
        let known = fields.iter().find(|field| **field == name);
        let name = *known.ok_or_else(|| unknown(self.verb, name, fields))?;
        if self.named.contains(&name) {
            return Err(Error::invalid(TWICE).in_field(name));
        }
        self.named.push(name);
        Ok(name)
    }

    /// Gives the `vectors`.
    ///
    /// # Errors
    /// `TooLarge` if the columns are over [`BATCH_BYTES_MAX`].
    pub fn vectors(&mut self, matrix: Matrix) -> Result<()> {
        self.columns.vectors = Some(matrix);
        self.check()
    }

    /// Gives the `ids`.
    ///
    /// # Errors
    /// As [`vectors`](Self::vectors).
    pub fn ids(&mut self, ids: Ids<'static>) -> Result<()> {
        self.columns.ids = Some(ids);
        self.check()
    }

    /// Gives the `metadata`.
    ///
    /// # Errors
    /// As [`vectors`](Self::vectors).
    pub fn metadata(&mut self, column: MetadataColumn<'static>) -> Result<()> {
        self.columns.metadata = Some(column);
        self.check()
    }

    /// Gives a member of few rows as JSON; `null` gives nothing.
    ///
    /// # Errors
    /// `InvalidArgument` with the field if it is not JSON.
    pub fn json(&mut self, name: &'static str, text: String) -> Result<()> {
        let json = RawValue::from_string(text).map_err(|error| not_json(name, &error))?;
        if json.get() != "null" {
            self.json.insert(name, json);
        }
        Ok(())
    }

    /// Makes the request of all that was given.
    ///
    /// # Errors
    /// `InvalidArgument` with the field, and the row if there is one.
    pub fn finish(self) -> Result<Request<'static>> {
        let fields = fields(self.verb).ok_or_else(|| no_verb(self.verb))?;
        debug_assert!(self.named.iter().all(|name| fields.contains(name)));
        if self.verb == "list_collections" {
            return Ok(ListCollections {}.into());
        }
        let json = self.json.iter().map(|(name, json)| (*name, &**json));
        read_verb(self.verb, self.collection, &Members::of(json), self.columns)
    }

    /// Refuses the text or bytes of a member that are more than are kept until it is whole.
    ///
    /// # Errors
    /// `TooLarge`.
    pub fn check_bytes(name: &'static str, bytes: u64) -> Result<()> {
        let column = matches!(name, "ids" | "metadata");
        if column && bytes > (BATCH_BYTES_MAX + COLUMN_FRAME_BYTES_MAX) as u64 {
            return Err(over_batch_bytes());
        }
        if !column && bytes > MEMBER_BYTES_MAX as u64 {
            return Err(
                Error::too_large(format!("{name} has more than {MEMBER_BYTES_MAX} bytes"))
                    .in_field(name),
            );
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        let Columns {
            ids,
            vectors,
            metadata,
        } = &self.columns;
        let bytes = ids.as_ref().map_or(0, Ids::byte_len)
            + vectors.as_ref().map_or(0, |matrix| matrix.values.len() * 4)
            + metadata.as_ref().map_or(0, |column| column.text().len());
        if bytes > BATCH_BYTES_MAX {
            return Err(over_batch_bytes());
        }
        Ok(())
    }
}

/// Bytes of a column around and between its rows, at most: quotes, commas, `null`.
const COLUMN_FRAME_BYTES_MAX: usize = 16 * BATCH_ROWS_MAX;

/// The refusal of a member whose text is not JSON.
fn not_json(name: &str, error: &serde_json::Error) -> Error {
    Error::invalid(format!("{name} is not JSON: {error}")).in_field(name)
}

/// Reads `ids` from JSON.
///
/// # Errors
/// `InvalidArgument` with the row.
pub fn ids_from_json(text: &str) -> Result<Option<Ids<'static>>> {
    let json: &RawValue = serde_json::from_str(text).map_err(|error| not_json("ids", &error))?;
    (json.get() != "null").then(|| read_ids(json)).transpose()
}

/// Reads `metadata` from JSON. What is inside of a row's object is left to the batch's check.
///
/// # Errors
/// `InvalidArgument` with the row if it is not an object or `null`.
pub fn metadata_from_json(text: &str) -> Result<Option<MetadataColumn<'static>>> {
    const FIELD: &str = "metadata";
    let json: &RawValue = serde_json::from_str(text).map_err(|error| not_json(FIELD, &error))?;
    let rows: Option<Vec<Option<&RawValue>>> = typed(json, FIELD)?;
    rows.map(|rows| {
        let mut column = ColumnBuilder::default();
        rows.into_iter()
            .try_for_each(|row| column.push(row.map_or("", RawValue::get)))?;
        column.finish()
    })
    .transpose()
}

/// A metadata column whose rows come one after another as text.
#[derive(Debug, Default)]
pub(super) struct ColumnBuilder {
    text: String,
    ends: Vec<u32>,
}

impl ColumnBuilder {
    /// Appends a row; an empty text means none.
    pub(super) fn push(&mut self, row: &str) -> Result<()> {
        if !row.is_empty() && !row.starts_with('{') {
            return Err(self.fault(
                "metadata is not a valid JSON object: it has to be an object, such as {\"genre\": \"jazz\"}",
            ));
        }
        self.text.push_str(row);
        self.end_row()
    }

    /// The text, for a row to be written at its end.
    pub(super) fn text(&mut self) -> &mut String {
        &mut self.text
    }

    /// Ends a row that was written into the text.
    pub(super) fn end_row(&mut self) -> Result<()> {
        if self.text.len() > BATCH_BYTES_MAX {
            return Err(over_batch_bytes());
        }
        let end = u32::try_from(self.text.len()).map_err(|_| over_batch_bytes())?;
        self.ends.push(end);
        Ok(())
    }

    /// An error of the row that is read.
    pub(super) fn fault(&self, message: &str) -> Error {
        Error::invalid(message)
            .at_row(self.ends.len())
            .in_field("metadata")
    }

    pub(super) fn finish(self) -> Result<MetadataColumn<'static>> {
        MetadataColumn::from_parts(self.text, self.ends)
    }
}

/// Whether a member is one of the matrix's own.
///
/// # Errors
/// `InvalidArgument` with the member if it is not.
pub fn matrix_member(name: &str) -> Result<&'static str> {
    let known = super::vectors::MATRIX_FIELDS
        .iter()
        .find(|field| **field == name);
    known
        .copied()
        .ok_or_else(|| unknown(FIELD, name, super::vectors::MATRIX_FIELDS))
}
