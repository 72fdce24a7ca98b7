//! Ids, one by one and as columns.

use std::borrow::Cow;

use bytes::Bytes;
use nearfield_model::{Error, Id, IdRef, Ids, Result, Uuid};

use crate::proto;
use crate::proto::ids::{Ids as Column, Mixed, Numbers};

pub(super) fn to_message(ids: &Ids<'_>) -> proto::Ids {
    let column = match ids {
        Ids::U64(numbers) => Column::Numbers(Numbers {
            values: numbers.to_vec(),
        }),
        Ids::Mixed(ids) => Column::Mixed(Mixed {
            values: ids.iter().map(|id| one(id.as_ref())).collect(),
        }),
    };
    proto::Ids { ids: Some(column) }
}

fn one(id: IdRef<'_>) -> proto::Id {
    let id = match id {
        IdRef::U64(number) => proto::id::Id::Number(number),
        IdRef::Uuid(uuid) => proto::id::Id::Uuid(Bytes::copy_from_slice(uuid.as_bytes())),
        IdRef::String(text) => proto::id::Id::Text(text.to_owned()),
    };
    proto::Id { id: Some(id) }
}

/// The column of a request. No column counts as one without ids.
pub(super) fn from_message(ids: Option<&proto::Ids>) -> Result<Ids<'_>> {
    match ids.and_then(|ids| ids.ids.as_ref()) {
        Some(Column::Numbers(numbers)) => Ok(Ids::U64(Cow::Borrowed(&numbers.values))),
        Some(Column::Mixed(mixed)) => mixed_from(mixed).map(|ids| Ids::Mixed(Cow::Owned(ids))),
        None => Ok(Ids::U64(Cow::Borrowed(&[]))),
    }
}

/// The column of a response, one by one.
pub(super) fn list(ids: Option<proto::Ids>) -> Result<Vec<Id>> {
    match ids.and_then(|ids| ids.ids) {
        Some(Column::Numbers(numbers)) => Ok(numbers.values.into_iter().map(Id::U64).collect()),
        Some(Column::Mixed(mixed)) => mixed_from(&mixed),
        None => Ok(Vec::new()),
    }
}

fn mixed_from(mixed: &Mixed) -> Result<Vec<Id>> {
    let ids = mixed.values.iter().enumerate();
    ids.map(|(row, id)| one_from(id).map_err(|error| error.at_row(row).in_field("ids")))
        .collect()
}

fn one_from(id: &proto::Id) -> Result<Id> {
    match &id.id {
        Some(proto::id::Id::Number(number)) => Ok(Id::U64(*number)),
        Some(proto::id::Id::Uuid(bytes)) => Uuid::from_slice(bytes)
            .map(Id::Uuid)
            .map_err(|_| Error::invalid(format!("a UUID has {} bytes; give it 16", bytes.len()))),
        Some(proto::id::Id::Text(text)) => Ok(Id::from(text.as_str())),
        None => Err(Error::invalid(
            "an id is missing; give a number, a UUID or a text",
        )),
    }
}
