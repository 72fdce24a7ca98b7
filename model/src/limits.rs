//! Every bound of the model, named once.

/// Components of a vector, at most.
pub const DIMENSION_MAX: usize = 65_536;
/// Bytes of a collection's name, at most; the alphabet is `[A-Za-z0-9_-]`.
pub const COLLECTION_NAME_BYTES_MAX: usize = 128;
/// Collections in one store, at most.
pub const COLLECTIONS_MAX: usize = 10_000;
/// Bytes of a string id, at most.
pub const ID_BYTES_MAX: usize = 512;
/// Bytes of one point's metadata as JSON text, at most.
pub const METADATA_BYTES_MAX: usize = 1 << 20;
/// Objects and arrays inside each other in metadata, at most.
pub const METADATA_DEPTH_MAX: usize = 32;
/// Bytes of a path into metadata (`author.name`), at most.
pub const FIELD_BYTES_MAX: usize = 512;
/// Metadata fields that one collection indexes, at most; rows with further
/// fields are stored, and filters on those fields read the rows.
pub const FIELDS_MAX: usize = 256;
/// Bytes of one upsert (ids, vectors and metadata together), at most.
pub const BATCH_BYTES_MAX: usize = 64 << 20;
/// Bytes of a member of a body that has no rows, such as a filter, at most.
pub const MEMBER_BYTES_MAX: usize = 16 << 20;
/// Rows of one upsert, ids of one get or delete, at most.
pub const BATCH_ROWS_MAX: usize = 1 << 20;
/// Hits per query vector, at most.
pub const SEARCH_LIMIT_MAX: usize = 10_000;
/// Query vectors of one search, at most.
pub const SEARCH_VECTORS_MAX: usize = 10_000;
/// Hits of one search over all its query vectors, at most.
pub const SEARCH_HITS_MAX: usize = 1_000_000;
/// Lists probed per query vector of a search that sets them itself, at most.
pub const PROBES_MAX: usize = 65_535;
/// Rows compared exactly per query vector of a search that sets them itself, at most.
pub const RERANK_MAX: usize = 1_000_000;
/// Smallest recall that can be asked for; the largest is 1.
pub const RECALL_MIN: f32 = 0.5;
/// Points of one page of a scan, at most.
pub const SCAN_LIMIT_MAX: usize = 10_000;
/// Conditions and groups inside each other in a filter, at most.
pub const FILTER_DEPTH_MAX: usize = 32;
/// Conditions and groups of a filter, at most.
pub const FILTER_NODES_MAX: usize = 1_024;
/// Values in all `in` lists of a filter together, at most.
pub const FILTER_VALUES_MAX: usize = 65_536;
/// Bytes of a filter's text form, at most.
pub const FILTER_TEXT_BYTES_MAX: usize = 1 << 20;
/// Outcomes remembered per writing client, so that a retried write is applied once.
pub const OUTCOMES_PER_CLIENT_MAX: usize = 1_024;
/// Writing clients whose outcomes a collection remembers, at most; the one that
/// has been silent longest is forgotten first.
pub const OUTCOME_CLIENTS_MAX: usize = 1_024;
/// Bytes of a frame between the processes of one machine, at most: a batch, what stands between
/// its columns, and a filter.
pub const FRAME_BYTES_MAX: usize = BATCH_BYTES_MAX + 32 * BATCH_ROWS_MAX;
/// Bytes of requests of one other process that are under way at once, at most, written-in-place
/// vectors included.
pub const GUEST_REQUEST_BYTES_MAX: usize = 2 * FRAME_BYTES_MAX;
/// Bytes of those that another process may have reserved at once; the rest is left for calls.
pub const GUEST_RESERVED_BYTES_MAX: usize = GUEST_REQUEST_BYTES_MAX - FRAME_BYTES_MAX;
