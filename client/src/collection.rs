//! A handle on one collection: each method prepares a request, and `run` sends it.

use nearfield_model::{
    Batch, Compact, Compacted, Context, Count, Cursor, Delete, DescribeCollection, Description,
    Durability, Filter, Flush, Flushed, Get, Ids, Metadata, MetadataColumn, Result, Scan, Search,
    Selection, Snapshot, SnapshotTaken, UpdateMetadata, Upsert, Vectors, Verb,
};

use crate::database::Database;
use crate::reservation::Reservation;

/// A collection of an open store. Clones share the store.
///
/// ```
/// use nearfield::{Batch, Filter, Metadata, MetadataColumn, Metric};
///
/// # fn main() -> nearfield::Result<()> {
/// let db = nearfield::connect(":memory:")?;
/// let albums = db.create_collection("albums", 2, Metric::Euclidean)?;
/// let metadata = [serde_json::json!({"year": 1959}), serde_json::json!({"year": 1971})];
/// let batch = Batch::new(&["kind-of-blue", "blue"], &[0., 0.,  3., 4.])
///     .metadata(MetadataColumn::try_from(&metadata[..])?);
/// albums.upsert(batch).run()?;
///
/// let after_1960 = Filter::parse("year > 1960")?;
/// let found = albums.search(&[0., 0.]).filter(after_1960.clone()).with_metadata(true).run()?;
/// assert_eq!(found.results[0][0].score, 5.0);
///
/// albums.update_metadata(["blue"], Metadata::parse(r#"{"genre": "folk"}"#)?).run()?;
/// assert_eq!(albums.count().filter(after_1960).run()?.count, 1);
/// assert_eq!(albums.get(["blue", "red"]).run()?.points.iter().flatten().count(), 1);
/// albums.delete(["blue"]).run()?;
/// assert_eq!(albums.scan().run()?.points.len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Collection {
    database: Database,
    name: String,
}

impl Collection {
    pub(crate) fn new(database: Database, name: String) -> Self {
        Collection { database, name }
    }

    /// The collection's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The store that the collection is in.
    pub fn database(&self) -> &Database {
        &self.database
    }

    pub(crate) fn prepare<V>(&self, request: V) -> Call<'_, V> {
        Call {
            database: &self.database,
            request,
        }
    }

    /// Writes points; a point whose id is there already is replaced.
    pub fn upsert<'a>(&self, batch: Batch<'a>) -> Call<'_, Upsert<'a>> {
        self.prepare(Upsert::new(&self.name, batch))
    }

    /// Memory for `rows` vectors, from which an upsert takes them with the fewest copies: a
    /// program writes its vectors there and [commits](Reservation::commit) them.
    ///
    /// # Errors
    /// `TooLarge` if no upsert could send so many, `Overloaded` while too much is reserved,
    /// `NotFound` if the collection was dropped.
    pub fn reserve(&self, rows: usize) -> Result<Reservation> {
        let dimension = self.describe()?.dimension;
        let components = rows.saturating_mul(dimension);
        let memory = self.database.service().reserve(components)?;
        Ok(Reservation::new(self.clone(), memory, dimension))
    }

    /// Reads points by id.
    pub fn get<'a>(&self, ids: impl Into<Ids<'a>>) -> Call<'_, Get<'a>> {
        self.prepare(Get::new(&self.name, ids))
    }

    /// Removes points by id.
    pub fn delete<'a>(&self, ids: impl Into<Ids<'a>>) -> Call<'_, Delete<'a>> {
        self.prepare(Delete::new(&self.name, Selection::Ids(ids.into())))
    }

    /// Removes the points that match.
    pub fn delete_matching(&self, filter: Filter) -> Call<'_, Delete<'static>> {
        self.prepare(Delete::new(&self.name, Selection::Filter(filter)))
    }

    /// Merges a patch (RFC 7396) into the metadata of points.
    pub fn update_metadata<'a>(
        &self,
        ids: impl Into<Ids<'a>>,
        patch: Metadata,
    ) -> Call<'_, UpdateMetadata<'a>> {
        self.prepare(UpdateMetadata::new(
            &self.name,
            Selection::Ids(ids.into()),
            patch,
        ))
    }

    /// Merges a patch (RFC 7396) into the metadata of the points that match.
    pub fn update_metadata_matching(
        &self,
        filter: Filter,
        patch: Metadata,
    ) -> Call<'_, UpdateMetadata<'static>> {
        self.prepare(UpdateMetadata::new(
            &self.name,
            Selection::Filter(filter),
            patch,
        ))
    }

    /// Finds the points nearest to a vector, or to each row of a matrix.
    pub fn search<'a>(&self, vectors: impl Into<Vectors<'a>>) -> Call<'_, Search<'a>> {
        self.prepare(Search::new(&self.name, vectors))
    }

    /// Reads all points, page by page.
    pub fn scan(&self) -> Call<'_, Scan> {
        self.prepare(Scan::new(&self.name))
    }

    /// Counts points.
    pub fn count(&self) -> Call<'_, Count> {
        self.prepare(Count::new(&self.name))
    }

    /// Tells the collection's schema and state.
    ///
    /// # Errors
    /// `NotFound` if the collection was dropped.
    pub fn describe(&self) -> Result<Description> {
        self.prepare(DescribeCollection::new(&self.name)).run()
    }

    /// Makes all acknowledged writes durable.
    ///
    /// # Errors
    /// `WritesStopped` if a write to disk failed.
    pub fn flush(&self) -> Result<Flushed> {
        self.prepare(Flush::new(&self.name)).run()
    }

    /// Gives back the space of removed points.
    ///
    /// # Errors
    /// `Storage` if the files cannot be written.
    pub fn compact(&self) -> Result<Compacted> {
        self.prepare(Compact::new(&self.name)).run()
    }

    /// Copies a consistent view into the folder `destination`, which must not exist.
    ///
    /// # Errors
    /// `Storage` if the files cannot be written.
    pub fn snapshot(&self, destination: impl Into<String>) -> Result<SnapshotTaken> {
        self.prepare(Snapshot::new(&self.name).destination(destination))
            .run()
    }
}

/// A request that is prepared and not yet sent.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent until `run`"]
pub struct Call<'d, V> {
    database: &'d Database,
    request: V,
}

impl<'a, V: Verb<'a>> Call<'_, V> {
    /// Sends the request.
    ///
    /// # Errors
    /// Those of the request; see [`nearfield_model::ErrorKind`].
    pub fn run(self) -> Result<V::Answer> {
        self.database.call(self.request)
    }

    /// Sends the request with a deadline, a cancellation, or a request id of the caller's.
    ///
    /// A context names one request: its request id stays in it, so that a call with the same context is a
    /// retry, which is applied once. Another write needs another context.
    ///
    /// # Errors
    /// As [`run`](Self::run), and `DeadlineExceeded` or `Cancelled`.
    pub fn run_with(self, context: &mut Context) -> Result<V::Answer> {
        self.database.call_with(context, self.request)
    }
}

/// Hands setters through to the request.
macro_rules! setters {
    ($($request:ty { $($(#[$doc:meta])* $name:ident: $argument:ty,)* })*) => {
        $(impl<'d> Call<'d, $request> {
            $($(#[$doc])* pub fn $name(mut self, $name: $argument) -> Self {
                self.request = self.request.$name($name);
                self
            })*
        })*
    };
}

impl<'a> Call<'_, Upsert<'a>> {
    /// Gives the points metadata: one row per point.
    pub fn metadata(mut self, metadata: MetadataColumn<'a>) -> Self {
        self.request.batch.metadata = Some(metadata);
        self
    }
}

setters! {
    Upsert<'_> {
        /// Sets how durable the points are when `run` returns; `sync` unless said otherwise.
        durability: Durability,
    }
    Delete<'_> {
        /// Sets how durable the removal is when `run` returns; `sync` unless said otherwise.
        durability: Durability,
    }
    UpdateMetadata<'_> {
        /// Sets how durable the update is when `run` returns; `sync` unless said otherwise.
        durability: Durability,
    }
    Get<'_> {
        /// Sets whether the answer holds vectors; true unless said otherwise.
        with_vectors: bool,
        /// Sets whether the answer holds metadata; true unless said otherwise.
        with_metadata: bool,
    }
    Search<'_> {
        /// Sets the number of hits per query vector; 10 unless said otherwise.
        limit: usize,
        /// Finds only points that match.
        filter: Filter,
        /// Sets the recall asked for, 0.5 to 1; 0.95 unless said otherwise, 1 is exact.
        recall: f32,
        /// Sets the lists probed per query vector, 1 to 65,535, in place of what the recall is
        /// translated to; a raw knob, for benchmarks.
        probes: usize,
        /// Sets how many rows are compared exactly per query vector at most, 1 to 1,000,000; a
        /// raw knob, for benchmarks.
        rerank: usize,
        /// Sets whether the answer tells how it was found; false unless said otherwise.
        explain: bool,
        /// Sets whether hits hold metadata; false unless said otherwise.
        with_metadata: bool,
        /// Sets whether hits hold vectors; false unless said otherwise.
        with_vectors: bool,
    }
    Scan {
        /// Sets the number of points per page; 1,000 unless said otherwise.
        limit: usize,
        /// Goes on where the page before ended.
        cursor: Option<Cursor>,
        /// Reads only points that match.
        filter: Filter,
        /// Sets whether points hold vectors; false unless said otherwise.
        with_vectors: bool,
        /// Sets whether points hold metadata; true unless said otherwise.
        with_metadata: bool,
    }
    Count {
        /// Counts only points that match.
        filter: Filter,
    }
}
