//! Writes: prepare outside of any lock, append to the log, apply, and wait for the disk.

use std::borrow::Cow;
use std::sync::Arc;

use half::f16;
use half::slice::HalfFloatSliceExt;
use nearfield_model::limits::BATCH_BYTES_MAX;
use nearfield_model::{
    Batch, Context, Delete, Deleted, Durability, Error, ErrorKind, Id, Ids, Metadata,
    MetadataColumn, MetadataUpdated, RequestId, Result, Selection, Storage, UpdateMetadata, Upsert,
    Upserted,
};

use super::wear::rows_of;
use super::{Collection, Writing};
use crate::filter::leaves::Leaves;
use crate::filter::select;
use crate::kernel::kernel;
use crate::log::file::{LogFile, RecordPlace};
use crate::log::ids;
use crate::log::outcomes::Outcome;
use crate::log::record::{Header, Kind};
use crate::log::writer::Sections;
use crate::points::View;
use crate::points::id_map::hash;

/// Scalars that are added to the metadata index before searches get a turn.
const INDEX_STEP_ROWS: usize = 64;

/// Ids whose places in the id map are fetched from memory together.
const FETCH_ROWS: usize = 32;

/// Rows that are checked and laid out, ready to be appended.
struct Prepared<'a> {
    header: Header,
    hashes: Vec<u64>,
    leaves: Vec<Leaves>,
    ids: Vec<u8>,
    matrix: Cow<'a, [u8]>,
    scales: Vec<f32>,
    metadata: Option<MetadataColumn<'a>>,
}

impl Collection {
    pub(crate) fn upsert(&self, context: &Context, request: &Upsert<'_>) -> Result<Upserted> {
        self.check_dimension(request.batch.values.len() / request.batch.len())?;
        let id = self.request_id(context);
        let prepared = self.prepare(Kind::Upsert, id, &request.batch)?;
        self.wait_for_index(context)?;
        self.wait_for_compaction(context, request.batch.len() as u64)?;
        context.check()?;
        let mut writing = self.writing();
        let outcome = match self.earlier(&writing, &id, Kind::Upsert)? {
            Some(outcome) => outcome,
            None => self.append_rows(&mut writing, prepared)?,
        };
        drop(writing);
        self.commit(outcome, request.durability)?;
        Ok(Upserted {
            upserted: outcome.affected,
            sequence: outcome.sequence,
        })
    }

    pub(crate) fn delete(&self, context: &Context, request: &Delete<'_>) -> Result<Deleted> {
        let id = self.request_id(context);
        self.wait_for_compaction(context, rows_of(&request.selection))?;
        context.check()?;
        let mut writing = self.writing();
        let outcome = match self.earlier(&writing, &id, Kind::Delete)? {
            Some(outcome) => outcome,
            None => {
                let rows = self.resolve(context, &request.selection)?;
                self.append_delete(&mut writing, id, &rows)?
            }
        };
        drop(writing);
        self.commit(outcome, request.durability)?;
        Ok(Deleted {
            deleted: outcome.affected,
            sequence: outcome.sequence,
        })
    }

    pub(crate) fn update_metadata(
        &self,
        context: &Context,
        request: &UpdateMetadata<'_>,
    ) -> Result<MetadataUpdated> {
        let id = self.request_id(context);
        self.wait_for_compaction(context, rows_of(&request.selection))?;
        context.check()?;
        let mut writing = self.writing();
        let outcome = match self.earlier(&writing, &id, Kind::UpdateMetadata)? {
            Some(outcome) => outcome,
            None => {
                let rows = self.resolve(context, &request.selection)?;
                let batch = self.patched(&rows, &request.patch)?;
                let prepared = self.prepare(Kind::UpdateMetadata, id, &batch)?;
                self.append_rows(&mut writing, prepared)?
            }
        };
        drop(writing);
        self.commit(outcome, request.durability)?;
        Ok(MetadataUpdated {
            updated: outcome.affected,
            sequence: outcome.sequence,
        })
    }

    /// Refuses vectors of another dimension.
    pub(crate) fn check_dimension(&self, given: usize) -> Result<()> {
        if given != self.schema.dimension {
            return Err(Error::invalid(format!(
                "a vector has {given} components; collection {} takes {}",
                self.name, self.schema.dimension
            ))
            .in_field("vectors"));
        }
        Ok(())
    }

    /// A write without a request id is one that nobody can retry: all zeros.
    fn request_id(&self, context: &Context) -> RequestId {
        context.request_id.unwrap_or(RequestId {
            client: [0; 16],
            number: 0,
        })
    }

    /// What came of this write at an earlier try.
    fn earlier(&self, writing: &Writing, id: &RequestId, kind: Kind) -> Result<Option<Outcome>> {
        if *id
            == (RequestId {
                client: [0; 16],
                number: 0,
            })
        {
            return Ok(None);
        }
        match writing.outcomes.get(id) {
            Some(outcome) if outcome.kind != kind as u8 => Err(Error::invalid(
                "the request id was used for another request; count up for each request",
            )),
            outcome => Ok(outcome),
        }
    }

    /// The live rows of a selection, ascending.
    fn resolve(&self, context: &Context, selection: &Selection<'_>) -> Result<Vec<u32>> {
        let view = self.view();
        match selection {
            Selection::Ids(ids) => {
                let mut rows: Vec<u32> = self.find_rows(ids)?.1.into_iter().flatten().collect();
                rows.sort_unstable();
                rows.dedup();
                Ok(rows)
            }
            Selection::Filter(filter) => {
                let selected = select(&self.fields(), &view, filter);
                Ok(selected.rows(context, &view, filter)?.into_iter().collect())
            }
        }
    }

    /// The points of `rows` with a patch merged into their metadata.
    fn patched(&self, rows: &[u32], patch: &Metadata) -> Result<Batch<'static>> {
        let view = self.view();
        let bytes = rows.len() * self.schema.dimension * 4;
        if bytes > 4 * BATCH_BYTES_MAX {
            return Err(Error::too_large(format!(
                "{} points are to be updated, {bytes} bytes with their vectors; at most {} per request: \
                 narrow the filter and send several",
                rows.len(),
                4 * BATCH_BYTES_MAX
            )));
        }
        let none = Metadata::from_checked("{}");
        let mut ids: Vec<Id> = Vec::with_capacity(rows.len());
        let mut values = Vec::with_capacity(rows.len() * self.schema.dimension);
        let mut metadata = MetadataColumn::default();
        for &row in rows {
            ids.push(view.live_id(row)?.to_id());
            let old = view.metadata(row)?.map(Metadata::from_checked);
            let merged = old.as_ref().unwrap_or(&none).merged(patch);
            let merged = merged.map_err(|error| error.in_field("patch"))?;
            metadata.push(Some(&merged))?;
        }
        view.visit_vectors(&self.schema, rows.iter().copied(), |_, vector, _| {
            values.extend_from_slice(vector);
            Ok(())
        })?;
        Ok(Batch::from_values(Ids::from(ids), values).metadata(metadata))
    }

    /// Checks a batch and lays it out.
    fn prepare<'a>(
        &self,
        kind: Kind,
        request: RequestId,
        batch: &'a Batch<'_>,
    ) -> Result<Prepared<'a>> {
        let dimension = self.schema.dimension;
        if let Some(position) = kernel().first_non_finite(&batch.values) {
            return Err(Error::invalid(format!(
                "component {} is not a finite number",
                position % dimension
            ))
            .at_row(position / dimension)
            .in_field("vectors"));
        }
        let matrix = self.encode_matrix(&batch.values)?;
        let scales = match self.schema.has_scales() {
            true => self.scales(&batch.values, &matrix)?,
            false => Vec::new(),
        };
        let leaves = match &batch.metadata {
            Some(column) => Leaves::read_in_steps(column, INDEX_STEP_ROWS)?,
            None => Vec::new(),
        };
        let (ids, numeric_ids) = ids::encode(&batch.ids);
        let hashes = batch.ids.iter().map(|id| hash(self.seed, id)).collect();
        let rows = batch.len() as u32;
        let mut header = Header {
            numeric_ids,
            rows,
            stored: rows,
            affected: rows,
            ..Header::empty(kind, request)
        };
        let metadata = batch.metadata.as_ref().map(MetadataColumn::borrowed);
        let metadata = metadata.filter(|column| !column.text().is_empty());
        let mut prepared = Prepared {
            header: header.clone(),
            hashes,
            leaves,
            ids,
            matrix,
            scales,
            metadata,
        };
        prepared.sections().describe(&mut header)?;
        prepared.header = header;
        Ok(prepared)
    }

    /// The scale of each vector as it is stored.
    fn scales(&self, values: &[f32], matrix: &[u8]) -> Result<Vec<f32>> {
        let dimension = self.schema.dimension;
        let stored = matrix.chunks_exact(self.schema.vector_bytes());
        let mut widened = Vec::new();
        let scales = values.chunks_exact(dimension).zip(stored).enumerate();
        let scales = scales.map(|(row, (vector, stored))| {
            if self.schema.storage == Storage::F32 {
                return scale(vector).map_err(|error| error.at_row(row));
            }
            self.schema.widen(stored, &mut widened);
            let is_zero = |vector: &[f32]| vector.iter().all(|component| *component == 0.0);
            if is_zero(&widened) && !is_zero(vector) {
                return Err(Error::invalid(
                    "the vector rounds to zero in f16 storage and has no direction, which cosine \
                     compares; scale it up, or store it as f32",
                )
                .at_row(row)
                .in_field("vectors"));
            }
            scale(&widened).map_err(|error| error.at_row(row))
        });
        scales.collect()
    }

    fn encode_matrix<'a>(&self, values: &'a [f32]) -> Result<Cow<'a, [u8]>> {
        match self.schema.storage {
            Storage::F32 => Ok(Cow::Borrowed(bytemuck::cast_slice(values))),
            Storage::F16 => {
                let mut halves = vec![f16::ZERO; values.len()];
                halves.convert_from_f32_slice(values);
                if let Some(position) = halves.iter().position(|half| !half.is_finite()) {
                    return Err(Error::invalid(format!(
                        "component {} is {}, beyond the range of f16 storage (65,504)",
                        position % self.schema.dimension,
                        values[position]
                    ))
                    .at_row(position / self.schema.dimension)
                    .in_field("vectors"));
                }
                Ok(Cow::Owned(bytemuck::cast_slice(&halves).to_vec()))
            }
        }
    }

    /// Appends prepared rows and applies them.
    fn append_rows(&self, writing: &mut Writing, mut prepared: Prepared<'_>) -> Result<Outcome> {
        let mut header = prepared.header.clone();
        let offset = writing.log.append(&mut header, &prepared.sections())?;
        self.wear.grew(header.record_bytes(), header.stored);
        let file = writing.log.end().0.clone();
        let leaves = std::mem::take(&mut prepared.leaves);
        self.apply_rows(&file, offset, &header, &prepared.hashes, &leaves)
            .map_err(|error| self.stop(&file, error))?;
        Ok(self.remember(writing, &header))
    }

    fn append_delete(&self, writing: &mut Writing, id: RequestId, rows: &[u32]) -> Result<Outcome> {
        let list: Vec<u8> = rows.iter().flat_map(|row| row.to_le_bytes()).collect();
        let mut header = Header {
            affected: rows.len() as u32,
            ..Header::empty(Kind::Delete, id)
        };
        let sections = Sections {
            list: &list,
            ..Sections::default()
        };
        sections.describe(&mut header)?;
        writing.log.append(&mut header, &sections)?;
        self.wear.grew(header.record_bytes(), 0);
        let file = writing.log.end().0.clone();
        self.apply_delete(&file, &header, rows.iter().copied())
            .map_err(|error| self.stop(&file, error))?;
        Ok(self.remember(writing, &header))
    }

    /// A record is in the log and could not be applied: nothing may follow it.
    fn stop(&self, file: &LogFile, error: Error) -> Error {
        self.syncer
            .fail(&file.path, &std::io::Error::other(error.to_string()));
        error
    }

    /// Takes no more writes: what is on disk of the collection's own existence is in doubt.
    pub(crate) fn stop_writes(&self, path: &std::path::Path, error: &Error) {
        self.syncer
            .fail(path, &std::io::Error::other(error.to_string()));
    }

    pub(super) fn remember(&self, writing: &mut Writing, header: &Header) -> Outcome {
        let outcome = Outcome {
            kind: header.kind as u8,
            sequence: header.sequence,
            affected: header.affected.into(),
        };
        if header.request
            != (RequestId {
                client: [0; 16],
                number: 0,
            })
        {
            writing.outcomes.insert(&header.request, outcome);
        }
        outcome
    }

    /// Brings points and indexes up to date with a record of rows at `offset` of `file`.
    pub(super) fn apply_rows(
        &self,
        file: &Arc<LogFile>,
        offset: u64,
        header: &Header,
        hashes: &[u64],
        leaves: &[Leaves],
    ) -> Result<()> {
        if header.rows > 0 {
            file.push(RecordPlace::new(offset, header, true));
        }
        for step in leaves {
            self.fields_mut().insert(header.first_row, step);
        }
        let mut view = self.next_view(file, header);
        let mut ids = self.ids_mut();
        for (position, (row, hash)) in (header.first_row..).zip(hashes).enumerate() {
            if position % FETCH_ROWS == 0 {
                ids.fetch(&hashes[position..hashes.len().min(position + FETCH_ROWS)]);
            }
            match find_row(&view, ids.candidates(*hash), row)? {
                Some(old) => {
                    ids.replace(*hash, old, row);
                    view.tombstones.insert(old);
                }
                None => ids.insert(*hash, row),
            }
        }
        self.view.store(Arc::new(view));
        Ok(())
    }

    /// Brings points up to date with a record that removes rows.
    pub(super) fn apply_delete(
        &self,
        file: &Arc<LogFile>,
        header: &Header,
        rows: impl Iterator<Item = u32>,
    ) -> Result<()> {
        let mut view = self.next_view(file, header);
        let mut ids = self.ids_mut();
        for row in rows {
            if row >= view.rows {
                return Err(file.corrupt(0, "a removed row's number"));
            }
            if view.tombstones.insert(row)
                && let Some(id) = view.id(row)?
            {
                ids.remove(hash(self.seed, id), row);
            }
        }
        self.view.store(Arc::new(view));
        Ok(())
    }

    /// The present view, moved on to a record in `file`.
    fn next_view(&self, file: &Arc<LogFile>, header: &Header) -> View {
        let mut view = View::clone(&self.view.load());
        view.sequence = header.sequence;
        view.rows = view.rows.max(header.first_row + header.rows);
        if !view
            .files
            .last()
            .is_some_and(|last| Arc::ptr_eq(last, file))
        {
            Arc::make_mut(&mut view.files).push(file.clone());
        }
        view
    }

    /// Waits until a write is as durable as was asked for, and has its rows encoded.
    fn commit(&self, outcome: Outcome, durability: Durability) -> Result<()> {
        self.after_write();
        if durability == Durability::Sync {
            self.syncer.note_wait();
            if self.syncer.sync_to(outcome.sequence)? {
                self.mark();
            }
        }
        Ok(())
    }

    /// Leaves a mark behind the last record, unless a writer is at work.
    pub(crate) fn mark(&self) {
        if let Ok(mut writing) = self.writer.try_lock() {
            // A mark that could not be written stops the writers; this write is durable.
            let _noted = writing.log.mark();
        }
    }

    /// Makes all acknowledged writes durable.
    pub(crate) fn flush(&self) -> Result<u64> {
        let sequence = self.writing().log.sequence();
        self.syncer.check()?;
        self.syncer.sync_to(sequence)?;
        self.mark();
        Ok(sequence)
    }
}

impl Prepared<'_> {
    fn sections(&self) -> Sections<'_> {
        let metadata = match &self.metadata {
            Some(column) => [
                bytemuck::cast_slice(column.ends()),
                column.text().as_bytes(),
            ],
            None => [&[][..], &[]],
        };
        Sections {
            ids: &self.ids,
            list: &[],
            matrix: &self.matrix,
            scales: bytemuck::cast_slice(&self.scales),
            metadata,
        }
    }
}

/// The row among `candidates` that has the same id as `row`.
fn find_row(view: &View, candidates: impl Iterator<Item = u32>, row: u32) -> Result<Option<u32>> {
    for candidate in candidates {
        if view.id(candidate)? == view.id(row)? {
            return Ok(Some(candidate));
        }
    }
    Ok(None)
}

/// 1 over a vector's norm.
pub(crate) fn scale(vector: &[f32]) -> Result<f32> {
    let squared = kernel().dot(vector, vector);
    let norm = if squared.is_normal() {
        f64::from(squared).sqrt()
    } else {
        vector
            .iter()
            .map(|component| f64::from(*component).powi(2))
            .sum::<f64>()
            .sqrt()
    };
    let scale = (1.0 / norm) as f32;
    if norm == 0.0 {
        return Err(Error::invalid(
            "the vector is zero and has no direction, which cosine compares; leave it out or use another metric",
        )
        .in_field("vectors"));
    }
    if !scale.is_normal() {
        return Err(Error::new(
            ErrorKind::InvalidArgument,
            format!("the vector's norm {norm:e} is beyond the range of f32; scale it first"),
        )
        .in_field("vectors"));
    }
    Ok(scale)
}
