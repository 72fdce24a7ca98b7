//! Requests, verb by verb.

use bytes::Bytes;
use nearfield_model::{
    Batch, Compact, Count, CreateCollection, Cursor, Delete, DescribeCollection, DropCollection,
    Durability, Error, Filter, Flush, Get, ListCollections, Metadata, Metric, RequestId, Result,
    Scan, Search, Selection, Snapshot, Storage, UpdateMetadata, Upsert, Vectors,
};

use super::{ToMessage, ToRequest, filter, ids, metadata, size, vectors};
use crate::frame::frame;
use crate::proto;

/// The numbers of the fields that hold the vectors.
const UPSERT_VECTORS: u32 = 3;
const SEARCH_VECTORS: u32 = 2;

/// An upsert without its vectors; in a stream it bears its request id.
fn upsert_message(upsert: &Upsert<'_>, request_id: Option<RequestId>) -> proto::UpsertRequest {
    proto::UpsertRequest {
        collection: upsert.collection.clone(),
        ids: Some(ids::to_message(&upsert.batch.ids)),
        vectors: Bytes::new(),
        metadata: upsert.batch.metadata.as_ref().map(metadata::to_message),
        durability: durability(upsert.durability),
        request_id: request_id.map(|id| proto::RequestId {
            client: Bytes::copy_from_slice(&id.client),
            number: id.number,
        }),
    }
}

/// An upsert of a stream as one framed message.
pub(crate) fn encode_upsert(upsert: &Upsert<'_>, request_id: RequestId) -> Result<Bytes> {
    frame(&upsert_message(upsert, Some(request_id)), upsert.matrix())
}

impl ToMessage for Upsert<'_> {
    type Message = proto::UpsertRequest;

    fn to_message(&self) -> Result<Self::Message> {
        Ok(upsert_message(self, None))
    }

    fn matrix(&self) -> Option<(u32, &[f32])> {
        Some((UPSERT_VECTORS, &self.batch.values))
    }
}

impl ToRequest for proto::UpsertRequest {
    type Request<'m> = Upsert<'m>;

    fn to_request(&self) -> Result<Upsert<'_>> {
        Ok(Upsert {
            collection: self.collection.clone(),
            batch: Batch {
                ids: ids::from_message(self.ids.as_ref())?,
                values: vectors::from_bytes(&self.vectors)?,
                metadata: self
                    .metadata
                    .as_ref()
                    .map(metadata::from_message)
                    .transpose()?,
            },
            durability: durability_from(self.durability)?,
        })
    }
}

impl ToMessage for Search<'_> {
    type Message = proto::SearchRequest;

    fn to_message(&self) -> Result<Self::Message> {
        Ok(proto::SearchRequest {
            collection: self.collection.clone(),
            vectors: Bytes::new(),
            dimension: self.vectors.dimension() as u64,
            limit: Some(self.limit as u64),
            filter: self.filter.as_ref().map(filter::to_message),
            recall: Some(self.recall),
            probes: self.probes.map(|probes| probes as u64),
            rerank: self.rerank.map(|rerank| rerank as u64),
            explain: self.explain,
            with_metadata: self.with_metadata,
            with_vectors: self.with_vectors,
        })
    }

    fn matrix(&self) -> Option<(u32, &[f32])> {
        Some((SEARCH_VECTORS, self.vectors.values()))
    }
}

impl ToRequest for proto::SearchRequest {
    type Request<'m> = Search<'m>;

    fn to_request(&self) -> Result<Search<'_>> {
        let values = vectors::from_bytes(&self.vectors)?;
        let vectors = match size(self.dimension) {
            0 => Vectors::one(values),
            dimension => Vectors::new(values, dimension)?,
        };
        let defaults = Search::new(self.collection.as_str(), vectors);
        Ok(Search {
            limit: self.limit.map_or(defaults.limit, size),
            filter: filter::from_message(self.filter.as_ref())?,
            recall: self.recall.unwrap_or(defaults.recall),
            probes: self.probes.map(size),
            rerank: self.rerank.map(size),
            explain: self.explain,
            with_metadata: self.with_metadata,
            with_vectors: self.with_vectors,
            ..defaults
        })
    }
}

impl ToMessage for CreateCollection {
    type Message = proto::CreateCollectionRequest;

    fn to_message(&self) -> Result<Self::Message> {
        Ok(proto::CreateCollectionRequest {
            collection: self.collection.clone(),
            dimension: self.dimension as u64,
            metric: metric(self.metric),
            storage: storage(self.storage),
            unindexed_fields: self.unindexed_fields.clone(),
        })
    }
}

impl ToRequest for proto::CreateCollectionRequest {
    type Request<'m> = CreateCollection;

    fn to_request(&self) -> Result<CreateCollection> {
        Ok(CreateCollection {
            collection: self.collection.clone(),
            dimension: size(self.dimension),
            metric: metric_from(self.metric)?,
            storage: storage_from(self.storage)?,
            unindexed_fields: self.unindexed_fields.clone(),
        })
    }
}

impl ToMessage for Get<'_> {
    type Message = proto::GetRequest;

    fn to_message(&self) -> Result<Self::Message> {
        Ok(proto::GetRequest {
            collection: self.collection.clone(),
            ids: Some(ids::to_message(&self.ids)),
            with_vectors: Some(self.with_vectors),
            with_metadata: Some(self.with_metadata),
        })
    }
}

impl ToRequest for proto::GetRequest {
    type Request<'m> = Get<'m>;

    fn to_request(&self) -> Result<Get<'_>> {
        let ids = ids::from_message(self.ids.as_ref())?;
        let defaults = Get::new(self.collection.as_str(), ids);
        Ok(Get {
            with_vectors: self.with_vectors.unwrap_or(defaults.with_vectors),
            with_metadata: self.with_metadata.unwrap_or(defaults.with_metadata),
            ..defaults
        })
    }
}

impl ToMessage for Delete<'_> {
    type Message = proto::DeleteRequest;

    fn to_message(&self) -> Result<Self::Message> {
        Ok(proto::DeleteRequest {
            collection: self.collection.clone(),
            selection: Some(selection(&self.selection)),
            durability: durability(self.durability),
        })
    }
}

impl ToRequest for proto::DeleteRequest {
    type Request<'m> = Delete<'m>;

    fn to_request(&self) -> Result<Delete<'_>> {
        Ok(Delete {
            collection: self.collection.clone(),
            selection: selection_from(self.selection.as_ref())?,
            durability: durability_from(self.durability)?,
        })
    }
}

impl ToMessage for UpdateMetadata<'_> {
    type Message = proto::UpdateMetadataRequest;

    fn to_message(&self) -> Result<Self::Message> {
        Ok(proto::UpdateMetadataRequest {
            collection: self.collection.clone(),
            selection: Some(selection(&self.selection)),
            patch: self.patch.as_str().to_owned(),
            durability: durability(self.durability),
        })
    }
}

impl ToRequest for proto::UpdateMetadataRequest {
    type Request<'m> = UpdateMetadata<'m>;

    fn to_request(&self) -> Result<UpdateMetadata<'_>> {
        Ok(UpdateMetadata {
            collection: self.collection.clone(),
            selection: selection_from(self.selection.as_ref())?,
            patch: Metadata::parse(&self.patch).map_err(|error| error.in_field("patch"))?,
            durability: durability_from(self.durability)?,
        })
    }
}

impl ToMessage for Scan {
    type Message = proto::ScanRequest;

    fn to_message(&self) -> Result<Self::Message> {
        Ok(proto::ScanRequest {
            collection: self.collection.clone(),
            limit: Some(self.limit as u64),
            cursor: self.cursor.map(|cursor| cursor.0),
            filter: self.filter.as_ref().map(filter::to_message),
            with_vectors: self.with_vectors,
            with_metadata: Some(self.with_metadata),
        })
    }
}

impl ToRequest for proto::ScanRequest {
    type Request<'m> = Scan;

    fn to_request(&self) -> Result<Scan> {
        let defaults = Scan::new(self.collection.as_str());
        Ok(Scan {
            limit: self.limit.map_or(defaults.limit, size),
            cursor: self.cursor.map(Cursor),
            filter: filter::from_message(self.filter.as_ref())?,
            with_vectors: self.with_vectors,
            with_metadata: self.with_metadata.unwrap_or(defaults.with_metadata),
            ..defaults
        })
    }
}

impl ToMessage for Count {
    type Message = proto::CountRequest;

    fn to_message(&self) -> Result<Self::Message> {
        Ok(proto::CountRequest {
            collection: self.collection.clone(),
            filter: self.filter.as_ref().map(filter::to_message),
        })
    }
}

impl ToRequest for proto::CountRequest {
    type Request<'m> = Count;

    fn to_request(&self) -> Result<Count> {
        Ok(Count {
            collection: self.collection.clone(),
            filter: filter::from_message(self.filter.as_ref())?,
        })
    }
}

impl ToMessage for ListCollections {
    type Message = proto::ListCollectionsRequest;

    fn to_message(&self) -> Result<Self::Message> {
        Ok(proto::ListCollectionsRequest {})
    }
}

impl ToRequest for proto::ListCollectionsRequest {
    type Request<'m> = ListCollections;

    fn to_request(&self) -> Result<ListCollections> {
        Ok(ListCollections {})
    }
}

impl ToMessage for Snapshot {
    type Message = proto::SnapshotRequest;

    fn to_message(&self) -> Result<Self::Message> {
        Ok(proto::SnapshotRequest {
            collection: self.collection.clone(),
            destination: self.destination.clone(),
        })
    }
}

impl ToRequest for proto::SnapshotRequest {
    type Request<'m> = Snapshot;

    fn to_request(&self) -> Result<Snapshot> {
        Ok(Snapshot {
            collection: self.collection.clone(),
            destination: self.destination.clone(),
        })
    }
}

/// Requests that only name a collection.
macro_rules! on_a_collection {
    ($($request:ident $message:ident,)*) => {$(
        impl ToMessage for $request {
            type Message = proto::$message;

            fn to_message(&self) -> Result<Self::Message> {
                Ok(proto::$message {
                    collection: self.collection.clone(),
                })
            }
        }

        impl ToRequest for proto::$message {
            type Request<'m> = $request;

            fn to_request(&self) -> Result<$request> {
                Ok($request {
                    collection: self.collection.clone(),
                })
            }
        }
    )*};
}

on_a_collection! {
    DropCollection DropCollectionRequest,
    DescribeCollection DescribeCollectionRequest,
    Flush FlushRequest,
    Compact CompactRequest,
}

fn selection(selection: &Selection<'_>) -> proto::Selection {
    let selection = match selection {
        Selection::Ids(ids) => proto::selection::Selection::Ids(ids::to_message(ids)),
        Selection::Filter(filter) => {
            proto::selection::Selection::Filter(filter::to_message(filter))
        }
    };
    proto::Selection {
        selection: Some(selection),
    }
}

fn selection_from(message: Option<&proto::Selection>) -> Result<Selection<'_>> {
    match message.and_then(|message| message.selection.as_ref()) {
        Some(proto::selection::Selection::Ids(ids)) => {
            ids::from_message(Some(ids)).map(Selection::Ids)
        }
        Some(proto::selection::Selection::Filter(message)) => {
            let filter: Option<Filter> = filter::from_message(Some(message))?;
            filter.map(Selection::Filter).ok_or_else(no_selection)
        }
        None => Err(no_selection()),
    }
}

fn no_selection() -> Error {
    Error::invalid("neither ids nor a filter is given; give one of them")
}

fn durability(durability: Durability) -> i32 {
    let durability = match durability {
        Durability::Sync => proto::Durability::Sync,
        Durability::Os => proto::Durability::Os,
    };
    durability.into()
}

fn durability_from(number: i32) -> Result<Durability> {
    match proto::Durability::try_from(number) {
        Ok(proto::Durability::Unspecified) => Ok(Durability::default()),
        Ok(proto::Durability::Sync) => Ok(Durability::Sync),
        Ok(proto::Durability::Os) => Ok(Durability::Os),
        Err(_) => Err(no_such("durability", number)),
    }
}

pub(super) fn metric(metric: Metric) -> i32 {
    let metric = match metric {
        Metric::Cosine => proto::Metric::Cosine,
        Metric::Dot => proto::Metric::Dot,
        Metric::Euclidean => proto::Metric::Euclidean,
    };
    metric.into()
}

pub(super) fn metric_from(number: i32) -> Result<Metric> {
    match proto::Metric::try_from(number) {
        Ok(proto::Metric::Unspecified) => Ok(Metric::default()),
        Ok(proto::Metric::Cosine) => Ok(Metric::Cosine),
        Ok(proto::Metric::Dot) => Ok(Metric::Dot),
        Ok(proto::Metric::Euclidean) => Ok(Metric::Euclidean),
        Err(_) => Err(no_such("metric", number)),
    }
}

pub(super) fn storage(storage: Storage) -> i32 {
    let storage = match storage {
        Storage::F32 => proto::Storage::F32,
        Storage::F16 => proto::Storage::F16,
    };
    storage.into()
}

pub(super) fn storage_from(number: i32) -> Result<Storage> {
    match proto::Storage::try_from(number) {
        Ok(proto::Storage::Unspecified) => Ok(Storage::default()),
        Ok(proto::Storage::F32) => Ok(Storage::F32),
        Ok(proto::Storage::F16) => Ok(Storage::F16),
        Err(_) => Err(no_such("storage", number)),
    }
}

fn no_such(field: &str, number: i32) -> Error {
    Error::invalid(format!("{number} is no {field} that this version knows")).in_field(field)
}

/// The request id that a message of a stream bears.
pub(crate) fn request_id_from(message: &proto::RequestId) -> Result<RequestId> {
    let client = <[u8; 16]>::try_from(message.client.as_ref()).map_err(|_| {
        Error::invalid(format!(
            "the client of a request id has {} bytes; give it 16",
            message.client.len()
        ))
        .in_field("request_id")
    })?;
    Ok(RequestId {
        client,
        number: message.number,
    })
}
