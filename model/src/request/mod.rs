//! All that nearfield can do, on one page: a request and a response per verb.

mod borrowed;
mod compact;
mod count;
mod create_collection;
mod delete;
mod describe_collection;
mod drop_collection;
mod flush;
mod get;
mod list_collections;
mod scan;
mod search;
mod snapshot;
mod update_metadata;
mod upsert;

pub use compact::{Compact, Compacted};
pub use count::{Count, Counted};
pub use create_collection::{CreateCollection, Created, Storage};
pub use delete::{Delete, Deleted};
pub use describe_collection::{
    Calibration, DescribeCollection, Description, FieldDescription, IndexDescription,
};
pub use drop_collection::{DropCollection, Dropped};
pub use flush::{Flush, Flushed};
pub use get::{Get, Got, Point};
pub use list_collections::{ListCollections, Listed};
pub use scan::{Cursor, Scan, Scanned};
pub use search::{Explanation, Found, Hit, Plan, Search, SearchStage};
pub use snapshot::{Snapshot, SnapshotTaken};
pub use update_metadata::{MetadataUpdated, UpdateMetadata};
pub use upsert::{Batch, Upsert, Upserted};

use crate::context::Rights;
use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::id::Ids;
use crate::limits::COLLECTION_NAME_BYTES_MAX;

macro_rules! verbs {
    ($($(#[$doc:meta])* $name:ident = $wire:literal, $right:ident: $request:ty => $response:ident;)*) => {
        /// A request: one of the verbs.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Request<'a> {
            $($(#[$doc])* $name($request),)*
        }

        /// A response, of the same verb as its request.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Response {
            $(#[doc = concat!("Answers [`Request::", stringify!($name), "`].")] $name($response),)*
        }

        #[cfg(feature = "schema")]
        impl Response {
            /// The JSON schema of each verb's response, by the verb's name.
            pub fn schemas(
                generator: &mut schemars::SchemaGenerator,
            ) -> Vec<(&'static str, schemars::Schema)> {
                vec![$(($wire, generator.subschema_for::<$response>())),*]
            }
        }

        impl Request<'_> {
            /// The names of all verbs.
            pub const VERBS: &'static [&'static str] = &[$($wire),*];

            /// The verb's name on every wire, such as `create_collection`.
            pub fn verb(&self) -> &'static str {
                match self { $(Request::$name(_) => $wire,)* }
            }

            /// The right that the request needs.
            pub fn right(&self) -> Rights {
                match self { $(Request::$name(_) => Rights::$right,)* }
            }

            /// Refuses what breaks a rule that can be told without looking at the store.
            pub fn check(&self) -> Result<()> {
                match self { $(Request::$name(request) => request.check(),)* }
            }
        }

        $(
            impl<'a> From<$request> for Request<'a> {
                fn from(request: $request) -> Self {
                    Request::$name(request)
                }
            }

            impl<'a> Verb<'a> for $request {
                type Answer = $response;
            }

            impl TryFrom<Response> for $response {
                type Error = Error;
                fn try_from(response: Response) -> Result<Self> {
                    match response {
                        Response::$name(answer) => Ok(answer),
                        other => Err(Error::internal(format!(
                            "a {} was answered by {other:?}", $wire
                        ))),
                    }
                }
            }
        )*
    };
}

/// A request whose response type is known: what a typed client calls with.
pub trait Verb<'a>: Into<Request<'a>> {
    /// The response to this request.
    type Answer: TryFrom<Response, Error = Error>;
}

verbs! {
    /// Makes a collection.
    CreateCollection = "create_collection", Admin: CreateCollection => Created;
    /// Removes a collection and all its points.
    DropCollection = "drop_collection", Admin: DropCollection => Dropped;
    /// Names the collections.
    ListCollections = "list_collections", Read: ListCollections => Listed;
    /// Tells a collection's schema and state.
    DescribeCollection = "describe_collection", Read: DescribeCollection => Description;
    /// Writes points; a point whose id is there already is replaced.
    Upsert = "upsert", Write: Upsert<'a> => Upserted;
    /// Reads points by id.
    Get = "get", Read: Get<'a> => Got;
    /// Removes points by id or filter.
    Delete = "delete", Write: Delete<'a> => Deleted;
    /// Merges a patch into the metadata of points.
    UpdateMetadata = "update_metadata", Write: UpdateMetadata<'a> => MetadataUpdated;
    /// Finds the points nearest to one or many vectors.
    Search = "search", Read: Search<'a> => Found;
    /// Reads all points, page by page.
    Scan = "scan", Read: Scan => Scanned;
    /// Counts points.
    Count = "count", Read: Count => Counted;
    /// Makes all acknowledged writes durable.
    Flush = "flush", Write: Flush => Flushed;
    /// Gives back the space of removed points.
    Compact = "compact", Admin: Compact => Compacted;
    /// Copies a consistent view of a collection.
    Snapshot = "snapshot", Admin: Snapshot => SnapshotTaken;
}

/// How durable a write is when it is acknowledged.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize,
)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// On disk (`fdatasync`): survives a crash of the machine.
    #[default]
    Sync,
    /// In the page cache of the operating system: survives a crash of the process.
    Os,
}

impl Durability {
    /// The name on every wire: `sync` or `os`.
    pub fn as_str(self) -> &'static str {
        match self {
            Durability::Sync => "sync",
            Durability::Os => "os",
        }
    }
}

/// The points that a delete or a metadata update is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Selection<'a> {
    /// The points with these ids; ids that are not there are passed over.
    Ids(Ids<'a>),
    /// The points that match.
    Filter(Filter),
}

impl Selection<'_> {
    fn check(&self) -> Result<()> {
        match self {
            Selection::Ids(ids) => check_ids(ids),
            Selection::Filter(filter) => filter.check(),
        }
    }
}

impl<'a> From<Ids<'a>> for Selection<'a> {
    fn from(ids: Ids<'a>) -> Self {
        Selection::Ids(ids)
    }
}

impl From<Filter> for Selection<'_> {
    fn from(filter: Filter) -> Self {
        Selection::Filter(filter)
    }
}

fn check_ids(ids: &Ids<'_>) -> Result<()> {
    if ids.is_empty() {
        return Err(Error::invalid("no ids are given; give at least one").in_field("ids"));
    }
    if ids.len() > crate::limits::BATCH_ROWS_MAX {
        return Err(Error::too_large(format!(
            "{} ids are given; at most {} are allowed",
            ids.len(),
            crate::limits::BATCH_ROWS_MAX
        ))
        .in_field("ids"));
    }
    ids.check()
}

/// Refuses collection names outside `[A-Za-z0-9_-]{1,128}`.
pub fn check_collection_name(name: &str) -> Result<()> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if name.is_empty() || name.len() > COLLECTION_NAME_BYTES_MAX || !name.bytes().all(allowed) {
        let shown: String = name.chars().take(40).collect();
        return Err(Error::invalid(format!(
            "{shown:?} cannot name a collection; use 1 to {COLLECTION_NAME_BYTES_MAX} of the \
             characters A-Z a-z 0-9 _ -"
        ))
        .in_field("collection"));
    }
    Ok(())
}
