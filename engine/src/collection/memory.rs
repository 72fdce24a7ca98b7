//! What a collection takes of memory, and what requests will add to that.

use nearfield_model::{Context, Count, Result, Search, Selection, Storage, UpdateMetadata, Upsert};

use super::Collection;
use crate::index::fine::Piece;
use crate::index::{CodeGroup, GROUP_ROWS, calibration, train};
use crate::log::file::RECORD_PLACE_BYTES;
use crate::points::View;
use crate::points::id_map::SHARDS;

/// What a row takes while it is laid out for the log, its vector and metadata apart: its id
/// twice, hash, scale.
const PASSING_ROW_BYTES: u64 = 96;
/// What becomes of a byte of metadata while it is laid out: the request's text, a copy of its
/// scalars, and where they lie.
const PASSING_METADATA: u64 = 4;
/// Bytes of a hit, its vector and metadata apart.
const HIT_BYTES: u64 = size_of::<nearfield_model::Hit>() as u64 + 16;

/// What a collection takes of memory, however many points it has: its own parts, and parts that
/// grow with the dimension.
pub(crate) fn collection_bytes(dimension: usize) -> u64 {
    (32 << 10) + 48 * dimension as u64
}

/// What a write adds to memory, the id map apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    /// Rows that it writes, at most.
    pub(crate) rows: u64,
    /// Bytes while it is under way.
    pub(crate) passing_bytes: u64,
    /// Bytes that stay for each row.
    pub(crate) row_bytes: u64,
}

impl Need {
    /// All bytes.
    pub(crate) fn bytes(&self) -> u64 {
        self.passing_bytes + self.rows * self.row_bytes
    }
}

impl Collection {
    /// Bytes of memory that ids, codes, the model of the index, metadata indexes and the places
    /// of records take, about; codes in segment files are not among them.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let view = self.view();
        let records: usize = view.files.iter().map(|file| file.memory_bytes()).sum();
        let ids = self.ids().memory_bytes();
        // One field at a time, so that writers do not wait for all of them.
        let paths: Vec<Box<str>> = self.fields().fields.keys().cloned().collect();
        let field_bytes = |path| self.fields().memory_bytes(path);
        let fields: usize = paths.iter().map(|path| field_bytes(path)).sum();
        let codes =
            self.tail.memory_bytes() + self.index.memory_bytes() + self.recent.memory_bytes();
        (records + ids + fields + codes) as u64
    }

    /// Bytes that count against the memory budget: [`memory_bytes`](Self::memory_bytes), codes
    /// that are still to be made, and files, where those are in memory.
    pub(crate) fn budget_bytes(&self) -> u64 {
        let view = self.view();
        let mut codes = u64::from(self.tail.unencoded(view.rows)) * self.code_bytes();
        let made = self.index.memory_bytes() as u64;
        codes += self.index_bytes(&view, 0).saturating_sub(made);
        let files: u64 = match self.place.io.is_memory() {
            true => {
                let live = self.index.live();
                let segments = live.segments.iter().map(|segment| segment.bytes);
                let files = view.files.iter().map(|file| file.settled_bytes());
                files.chain(segments).sum()
            }
            false => 0,
        };
        collection_bytes(self.schema.dimension) + self.memory_bytes() + codes + files
    }

    /// Bytes that training and calibrating an epoch take for a while, about. As the index itself,
    /// they are counted little by little before there is one.
    pub(crate) fn training_bytes(&self) -> u64 {
        let points = self.view().count();
        let padded = self.tail.rotation.padded();
        let bytes = train::passing_bytes(points, self.options.index_list_rows.into(), padded)
            .max(calibration::passing_bytes(points, padded));
        let half = u64::from(self.options.index_rows) / 2;
        let beyond = points.saturating_sub(half).min(half);
        (u128::from(bytes) * u128::from(beyond) / u128::from(half.max(1))) as u64
    }

    /// Bytes that the id map takes, and bytes that it needs besides while it takes in `points`
    /// more.
    pub(crate) fn id_bytes(&self, points: u64) -> (u64, u64) {
        let ids = self.ids();
        (ids.memory_bytes() as u64, ids.growth_bytes(points))
    }

    /// Lets the id map give back the room of points that are gone.
    pub(super) fn shrink_ids(&self) {
        // Writers and readers wait for one shard at most.
        (0..SHARDS).for_each(|shard| self.ids_mut().shrink(shard));
    }

    /// Whether this very write was answered before.
    pub(crate) fn is_retry(&self, context: &Context) -> bool {
        let id = context.request_id.as_ref();
        id.is_some_and(|id| self.writing().outcomes.get(id).is_some())
    }

    /// What an upsert adds.
    pub(crate) fn upsert_need(&self, request: &Upsert<'_>) -> Need {
        let batch = &request.batch;
        let rows = batch.len() as u64;
        let text = batch.metadata.as_ref();
        let text = text.map_or(0, |column| column.text().len()) as u64;
        self.need(rows, batch.values.len() as u64, text)
    }

    /// What an update of metadata adds.
    ///
    /// # Errors
    /// As a count of the points that it is about.
    pub(crate) fn update_need(
        &self,
        context: &Context,
        request: &UpdateMetadata<'_>,
    ) -> Result<Need> {
        let rows = match &request.selection {
            Selection::Ids(ids) => ids.len() as u64,
            Selection::Filter(filter) => {
                let count = Count::new(&self.name).filter(filter.clone());
                self.count(context, &count)?.count
            }
        };
        let patch = request.patch.as_str().len() as u64;
        let text = rows * (self.metadata_bytes() + patch);
        Ok(self.need(rows, rows * self.schema.dimension as u64, text))
    }

    fn need(&self, rows: u64, components: u64, metadata_bytes: u64) -> Need {
        let matrix = components
            * match self.schema.storage {
                Storage::F32 => 4,
                // The request's own, and what is stored, twice.
                Storage::F16 => 8,
            };
        let stored = match self.place.io.is_memory() {
            true => self.schema.vector_bytes() as u64 + 16,
            false => 0,
        };
        // A scalar takes up to 16 bytes in the index and rarely less in the text.
        let kept = metadata_bytes * if stored > 0 { 2 } else { 1 };
        let view = self.view();
        let index = self
            .index_bytes(&view, rows)
            .saturating_sub(self.index_bytes(&view, 0));
        let shared = kept + index + RECORD_PLACE_BYTES as u64;
        Need {
            rows,
            passing_bytes: matrix + rows * PASSING_ROW_BYTES + metadata_bytes * PASSING_METADATA,
            row_bytes: self.code_bytes() + stored + shared.div_ceil(rows.max(1)),
        }
    }

    /// Bytes that the result of a search takes, about.
    pub(crate) fn found_bytes(&self, request: &Search<'_>) -> u64 {
        let hits = self.view().count().min(request.limit as u64) * request.vectors.len() as u64;
        let mut hit = HIT_BYTES;
        if request.with_vectors {
            hit += self.schema.dimension as u64 * 4;
        }
        if request.with_metadata {
            hit += self.metadata_bytes();
        }
        hits * hit
    }

    /// Bytes that the index takes once it has caught up with `more` rows than those of a view.
    ///
    /// A collection is indexed all at once when it has points enough. That is counted little by
    /// little, from half so many points on, so that no write has to find room for all of it.
    fn index_bytes(&self, view: &View, more: u64) -> u64 {
        let padded = self.tail.rotation.padded() as u64;
        // A centroid for each list, twice.
        let model = 2 * 4 * padded / u64::from(self.options.index_list_rows.max(1));
        // An 8-bit code per component, and three factors.
        let fine = if self.options.lean {
            0
        } else {
            Piece::row_bytes(self.tail.rotation.padded())
        };
        let rows = u64::from(view.rows) + more;
        let points = (view.count() + more).max(1);
        let enough = u64::from(self.options.index_rows);
        let counted = match self.index.live().newest() {
            None if points < enough => 2 * points.saturating_sub(enough / 2),
            _ => points,
        };
        // Removed rows are indexed as well.
        (u128::from(counted.min(points)) * u128::from(rows) / u128::from(points)) as u64
            * (model + fine)
    }

    /// Bytes of the 1-bit code of a row of the tail.
    fn code_bytes(&self) -> u64 {
        CodeGroup::byte_len(self.tail.rotation.padded()).div_ceil(GROUP_ROWS) as u64
    }

    /// Bytes of the metadata of a row: what the log holds besides vectors, on average.
    fn metadata_bytes(&self) -> u64 {
        let view = self.view();
        let (mut bytes, mut rows) = (0, 0);
        for file in view.files.iter() {
            bytes += file.settled_bytes();
            rows += file.stored_rows();
        }
        (bytes / rows.max(1)).saturating_sub(self.schema.vector_bytes() as u64)
    }
}
