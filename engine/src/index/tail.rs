//! The tail: rows that no index covers, coded in groups behind the writers' backs and
//! scanned code by code; rows whose group is not coded yet are compared exactly.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwap;
use nearfield_model::Result;

use super::centroid::Mean;
use super::{CodeGroup, GROUP_ROWS, Quantizer, Rotation};
use crate::pause::pause;
use crate::points::View;
use crate::storage::Schema;

/// Rows that share a quantizer.
pub(crate) const CHUNK_ROWS: u32 = 1 << 16;
const GROUP: u32 = GROUP_ROWS as u32;
const CHUNK_GROUPS: usize = (CHUNK_ROWS / GROUP) as usize;
/// Rows that a centroid is the mean of, at most.
const SAMPLE_ROWS: u32 = 4_096;
/// The first chunk is coded anew once it has this many rows, if its centroid came from fewer
/// than [`SAMPLE_ROWS`].
const RECODE_ROWS: u32 = 2 * SAMPLE_ROWS;

/// The codes of a collection's tail.
#[derive(Debug)]
pub(crate) struct Tail {
    pub(crate) rotation: Arc<Rotation>,
    chunks: ArcSwap<Vec<Arc<Chunk>>>,
    /// Held while a chunk is added or replaced.
    growing: Mutex<()>,
}

/// Codes of up to [`CHUNK_ROWS`] rows around one centroid.
#[derive(Debug)]
pub(crate) struct Chunk {
    pub(crate) quantizer: Quantizer,
    /// How many rows the centroid is the mean of.
    sample: u32,
    groups: Box<[OnceLock<CodeGroup>]>,
    /// Groups that somebody has begun to code.
    claimed: AtomicU32,
    /// Groups that are coded, or all of whose rows are dead.
    coded: AtomicU32,
}

impl Chunk {
    fn new(quantizer: Quantizer, sample: u32) -> Chunk {
        Chunk {
            quantizer,
            sample,
            groups: std::iter::repeat_with(OnceLock::new)
                .take(CHUNK_GROUPS)
                .collect(),
            claimed: AtomicU32::new(0),
            coded: AtomicU32::new(0),
        }
    }

    /// The codes of a group of rows, if they are made.
    pub(crate) fn group(&self, number: usize) -> Option<&CodeGroup> {
        self.groups.get(number)?.get()
    }

    /// Claims the next group all of whose rows are among the chunk's first `rows`.
    fn claim(&self, rows: u32) -> Option<u32> {
        let complete = rows / GROUP;
        self.claimed
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |next| {
                (next < complete).then_some(next + 1)
            })
            .ok()
    }

    fn put(&self, number: u32, group: CodeGroup) {
        if let Some(slot) = self.groups.get(number as usize)
            && slot.set(group).is_ok()
        {
            self.coded.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Whether nobody codes any of its groups any more.
    fn is_complete(&self) -> bool {
        self.coded.load(Ordering::Acquire) == CHUNK_GROUPS as u32
    }

    /// What a checkpoint keeps of the chunk: sample, centroid, and the coded groups.
    pub(crate) fn parts(&self) -> (u32, &[f32], impl Iterator<Item = (u32, &CodeGroup)>) {
        let groups = self.groups.iter().enumerate();
        let groups = groups.filter_map(|(number, group)| Some((number as u32, group.get()?)));
        (self.sample, self.quantizer.centroid(), groups)
    }

    /// A chunk from what [`parts`](Self::parts) gave. Groups are claimed in order, so one
    /// that is missing in the middle stays uncoded.
    fn from_parts(quantizer: Quantizer, sample: u32, groups: Vec<(u32, CodeGroup)>) -> Chunk {
        let chunk = Chunk::new(quantizer, sample);
        for (number, group) in groups {
            chunk.put(number, group);
            chunk.claimed.fetch_max(number + 1, Ordering::AcqRel);
        }
        let claimed = chunk.claimed.load(Ordering::Acquire);
        chunk.coded.store(claimed, Ordering::Release);
        chunk
    }

    /// The chunk, all done, without codes.
    fn emptied(&self) -> Chunk {
        Chunk {
            quantizer: self.quantizer.clone(),
            sample: self.sample,
            groups: Box::default(),
            claimed: AtomicU32::new(CHUNK_GROUPS as u32),
            coded: AtomicU32::new(CHUNK_GROUPS as u32),
        }
    }

    /// Has no groups before `group` coded any more, as if they were.
    fn skip_to(&self, group: u32) {
        let skipped = self
            .claimed
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |next| {
                (next < group).then_some(group)
            });
        if let Ok(before) = skipped {
            self.coded.fetch_add(group - before, Ordering::AcqRel);
        }
    }

    /// The chunk without the groups that are dead in a view, if there are such; its first row
    /// is `first`.
    fn without_dead(&self, view: &View, first: u32) -> Option<Chunk> {
        let is_dead = |number: u32| is_dead(view, first + number * GROUP);
        if !self.parts().2.any(|(number, _)| is_dead(number)) {
            return None;
        }
        let chunk = Chunk::new(self.quantizer.clone(), self.sample);
        for (number, group) in self.parts().2.filter(|(number, _)| !is_dead(*number)) {
            chunk.put(number, group.clone());
        }
        chunk.claimed.store(CHUNK_GROUPS as u32, Ordering::Release);
        chunk.coded.store(CHUNK_GROUPS as u32, Ordering::Release);
        Some(chunk)
    }
}

impl Tail {
    /// The empty tail of a collection whose rotation belongs to `seed`.
    pub(crate) fn new(schema: &Schema, seed: u64) -> Tail {
        Tail {
            rotation: Arc::new(Rotation::new(schema.dimension, seed)),
            chunks: ArcSwap::default(),
            growing: Mutex::new(()),
        }
    }

    /// The chunks, in the order of their rows.
    pub(crate) fn chunks(&self) -> Arc<Vec<Arc<Chunk>>> {
        self.chunks.load_full()
    }

    /// Adds the next chunk, from a checkpoint.
    pub(crate) fn restore(
        &self,
        schema: &Schema,
        sample: u32,
        centroid: &[f32],
        groups: Vec<(u32, CodeGroup)>,
    ) {
        let quantizer = Quantizer::new(schema.metric, self.rotation.clone(), centroid);
        let mut chunks = Vec::clone(&self.chunks.load());
        chunks.push(Arc::new(Chunk::from_parts(quantizer, sample, groups)));
        self.chunks.store(Arc::new(chunks));
    }

    /// How many of the first `rows` rows are not coded.
    pub(crate) fn unencoded(&self, rows: u32) -> u32 {
        let chunks = self.chunks.load();
        let coded: u32 = chunks
            .iter()
            .map(|chunk| chunk.coded.load(Ordering::Acquire))
            .sum();
        rows.saturating_sub(coded * GROUP)
    }

    /// Codes one group of the view's rows, if there is one to code; false if there is none.
    /// Any number of threads may do this at a time.
    pub(crate) fn encode_group(&self, schema: &Schema, view: &View) -> Result<bool> {
        let chunks = self.chunks.load_full();
        // All chunks but the last two are complete but for gaps, which stay.
        for (number, chunk) in chunks
            .iter()
            .enumerate()
            .skip(chunks.len().saturating_sub(2))
        {
            let first = number as u32 * CHUNK_ROWS;
            let rows = view.rows.saturating_sub(first).min(CHUNK_ROWS);
            if let Some(group) = chunk.claim(rows) {
                pause();
                self.encode_into(chunk, schema, view, first, group)?;
                self.recode(schema, view, number, chunk)?;
                return Ok(true);
            }
        }
        // The last chunk ends where row numbers do.
        let first = (chunks.len() as u32).checked_mul(CHUNK_ROWS);
        let Some(first) = first.filter(|first| view.rows.saturating_sub(*first) >= GROUP) else {
            return Ok(false);
        };
        let _growing = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.chunks.load().len() == chunks.len() {
            let chunk = self.new_chunk(schema, view, first)?;
            let mut chunks = Vec::clone(&chunks);
            chunks.push(Arc::new(chunk));
            self.chunks.store(Arc::new(chunks));
        }
        Ok(true)
    }

    /// A chunk for the rows from `first` on, around the mean of rows that are there already.
    fn new_chunk(&self, schema: &Schema, view: &View, first: u32) -> Result<Chunk> {
        let there = (view.rows - first).min(CHUNK_ROWS);
        // A new chunk begins with few rows; those of the chunk before tell as much.
        let (from, rows) = if there < SAMPLE_ROWS && first > 0 {
            (first - CHUNK_ROWS, CHUNK_ROWS + there)
        } else {
            (first, there)
        };
        let step = (rows / SAMPLE_ROWS).max(1) as usize;
        let sampled = (from..from + rows)
            .step_by(step)
            .filter(|row| view.is_live(*row));
        let mut mean = Mean::new(schema.dimension);
        view.visit_vectors(schema, sampled, |_, vector, scale| {
            mean.add(vector, scale);
            Ok(())
        })?;
        let sample = mean.rows;
        let rotation = self.rotation.clone();
        let quantizer = Quantizer::new(schema.metric, rotation, &mean.centroid());
        Ok(Chunk::new(quantizer, sample))
    }

    fn encode_into(
        &self,
        chunk: &Chunk,
        schema: &Schema,
        view: &View,
        first: u32,
        group: u32,
    ) -> Result<()> {
        let base = first + group * GROUP;
        let mut values = vec![0.0; GROUP_ROWS * schema.dimension];
        let mut scales = [1.0; GROUP_ROWS];
        if is_dead(view, base) {
            chunk.coded.fetch_add(1, Ordering::AcqRel);
            return Ok(());
        }
        // Also of rows that are dead: a power loss may take what removed them, and leave a
        // checkpoint with their codes.
        view.visit_vectors(schema, base..base + GROUP, |row, vector, scale| {
            let position = (row - base) as usize;
            values[position * schema.dimension..][..schema.dimension].copy_from_slice(vector);
            scales[position] = scale;
            Ok(())
        })?;
        let rows = values
            .chunks_exact(schema.dimension)
            .zip(scales.iter().copied());
        chunk.put(group, chunk.quantizer.encode(rows));
        Ok(())
    }

    /// Codes a chunk anew around a better centroid, once it has rows enough for one.
    fn recode(&self, schema: &Schema, view: &View, number: usize, chunk: &Chunk) -> Result<()> {
        let first = number as u32 * CHUNK_ROWS;
        let rows = chunk.claimed.load(Ordering::Acquire) * GROUP;
        if chunk.sample >= SAMPLE_ROWS / 2 || rows < RECODE_ROWS {
            return Ok(());
        }
        let _growing = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
        let chunks = self.chunks.load_full();
        if chunks
            .get(number)
            .is_none_or(|current| current.sample != chunk.sample)
        {
            return Ok(());
        }
        let better = self.new_chunk(schema, view, first)?;
        while let Some(group) = better.claim(rows.min(view.rows - first)) {
            self.encode_into(&better, schema, view, first, group)?;
        }
        // Samples of dead rows may be small for good; one attempt is enough.
        let better = Chunk {
            sample: better.sample.max(SAMPLE_ROWS),
            ..better
        };
        let mut chunks = Vec::clone(&chunks);
        chunks[number] = Arc::new(better);
        self.chunks.store(Arc::new(chunks));
        Ok(())
    }

    /// Lets go of the codes of the rows before `covered`, chunk by chunk, and has none made any
    /// more: the index has them.
    pub(crate) fn release(&self, covered: u32) {
        let _growing = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut chunks = Vec::clone(&self.chunks.load());
        let mut changed = false;
        for (number, chunk) in chunks.iter_mut().enumerate() {
            let rows = covered.saturating_sub(number as u32 * CHUNK_ROWS);
            if rows >= CHUNK_ROWS && !chunk.groups.is_empty() {
                *chunk = Arc::new(chunk.emptied());
                changed = true;
            } else if rows > 0 && rows < CHUNK_ROWS {
                chunk.skip_to(rows / GROUP);
            }
        }
        // A chunk that is covered whole need not be made to be let go.
        while covered / CHUNK_ROWS > chunks.len() as u32
            && let Some(last) = chunks.last()
        {
            let next = last.emptied();
            chunks.push(Arc::new(next));
            changed = true;
        }
        if changed {
            self.chunks.store(Arc::new(chunks));
        }
    }

    /// Bytes that the codes take, about.
    pub(crate) fn memory_bytes(&self) -> usize {
        let chunks = self.chunks.load();
        let groups: usize = chunks.iter().map(|chunk| chunk.parts().2.count()).sum();
        groups * CodeGroup::byte_len(self.rotation.padded())
    }

    /// Lets go of the codes of rows that are dead in a view, group by group. Chunks that others
    /// may be coding are left as they are.
    pub(crate) fn forget(&self, view: &View) {
        let _growing = self.growing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut chunks = Vec::clone(&self.chunks.load());
        let complete = chunks.len().saturating_sub(2);
        for (number, chunk) in chunks.iter_mut().enumerate() {
            if number >= complete && !chunk.is_complete() {
                continue;
            }
            if let Some(rest) = chunk.without_dead(view, number as u32 * CHUNK_ROWS) {
                *chunk = Arc::new(rest);
            }
        }
        self.chunks.store(Arc::new(chunks));
    }
}

/// Whether all rows of the group from `base` on are dead in a view.
fn is_dead(view: &View, base: u32) -> bool {
    view.rows.saturating_sub(base) >= GROUP
        && (base..base + GROUP)
            .step_by(64)
            .all(|first| view.live_word(first) == 0)
}
