//! Compaction: log files are rewritten without the rows that later writes replaced or removed.
//! Rows keep their numbers and writes theirs, so indexes only forget the rows that are gone.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::IoSlice;
use std::sync::Arc;

use half::f16;
use nearfield_model::{Compacted, Context, Error, Ids, Metadata, MetadataColumn, Result, Storage};

use super::Collection;
use super::removals::{Removals, Taken, is_needless};
use super::wear::{dead_rows, log_bytes};
use crate::lock::{LOCK_STEP, lock_for};
use crate::log::file::{FILE_HEADER_BYTES, FileHeader, LogFile, RecordPlace};
use crate::log::ids;
use crate::log::record::{Header, Kind};
use crate::log::writer::{Sections, write_record};
use crate::points::View;
use crate::storage;

/// Files whose live rows take less than this share of a full file together are rewritten as one.
const SMALL_SHARE: u64 = 16;

/// Neighbouring files that may become one.
#[derive(Default)]
struct Run {
    /// Each with whether nothing in it is to be kept but what its rows had replaced.
    files: Vec<(Arc<LogFile>, bool)>,
    /// Bytes of their live rows.
    bytes: u64,
    is_due: bool,
}

impl Run {
    /// The files to rewrite, each list as one file. Files of which nothing is to be kept are in
    /// none, and do not have their neighbours rewritten.
    fn rewritten(self, removals: &Removals) -> Vec<Vec<Arc<LogFile>>> {
        let is_due = self.is_due;
        let files = self.files.into_iter();
        let files = files.filter(|(file, is_spent)| match is_spent {
            true => removals.are_due_in(file),
            false => is_due,
        });
        let files: Vec<_> = files.map(|(file, _)| file).collect();
        match is_due {
            true => vec![files],
            false => files.into_iter().map(|file| vec![file]).collect(),
        }
    }
}

impl Collection {
    /// Rewrites the log files that hold dead rows, and the index's files.
    pub(crate) fn compact(&self, context: &Context) -> Result<Compacted> {
        let view = self.view();
        let holds_dead = |file: &Arc<LogFile>| dead_rows(&view, file) > 0;
        if view.files.last().is_some_and(holds_dead) {
            self.seal_log()?;
        }
        let mut due: Vec<u64> = view
            .files
            .iter()
            .filter(|file| holds_dead(file))
            .map(|file| file.header.number)
            .collect();
        let mut done = Compacted {
            files: 0,
            bytes_before: log_bytes(&view),
            bytes_after: log_bytes(&view),
        };
        while !due.is_empty() {
            let view = self.view();
            let mut left: Vec<_> = view
                .files
                .iter()
                .filter(|file| due.contains(&file.header.number))
                .cloned()
                .collect();
            // The others were taken along with a neighbour.
            if left.is_empty() {
                break;
            }
            left.sort_by_cached_key(|file| Reverse(dead_rows(&view, file)));
            let round = self.first_round(&left, log_bytes(&view));
            due.retain(|number| !round.contains(number));
            let rewritten = self.rewrite_files(context, &round)?;
            done.files += rewritten.files;
            done.bytes_after = rewritten.bytes_after;
        }
        self.compact_index(context)?;
        Ok(done)
    }

    /// Begins a new log file, so that all rows so far are in files that can be rewritten.
    pub(super) fn seal_log(&self) -> Result<()> {
        let mut writing = self.writing();
        writing.log.seal()?;
        // Every file of the log is in the view, so that snapshots take them all.
        let active = writing.log.end().0;
        let view = self.view();
        if !view.files.iter().any(|file| Arc::ptr_eq(file, active)) {
            let mut view = View::clone(&view);
            Arc::make_mut(&mut view.files).push(active.clone());
            self.view.store(Arc::new(view));
        }
        Ok(())
    }

    /// Rewrites those of the files of these numbers that are sealed and hold dead rows, small
    /// neighbours as one, and removes the sealed files of which nothing is left to keep.
    pub(super) fn rewrite_files(&self, context: &Context, numbers: &[u64]) -> Result<Compacted> {
        let wait = || self.index.wait(LOCK_STEP);
        let mut manifest = lock_for(context, &self.manifest, &wait)?;
        let bytes_before = log_bytes(&self.view());
        let active = self.writing().log.end().0.header.number;
        let view = self.view();
        let mut taken = Taken::default();
        let runs = self.runs(&view, active, numbers, &mut taken);
        let removals = self.removals(&view, taken)?;
        let mut new = BTreeMap::new();
        for files in runs.into_iter().flat_map(|run| run.rewritten(&removals)) {
            match self.rewrite(context, &view, &files, &removals) {
                Ok(file) => new.insert(file.header.number, Arc::new(file)),
                Err(error) => {
                    self.remove_unused(new.values().map(|file| &**file));
                    return Err(error);
                }
            };
        }
        let taken = removals.taken;
        if taken.is_empty() {
            return Ok(Compacted {
                files: 0,
                bytes_before,
                bytes_after: bytes_before,
            });
        }
        {
            let _writing = self.writing();
            let mut view = View::clone(&self.view());
            let files = view.files.iter().filter_map(|file| {
                let number = file.header.number;
                let kept = || (!taken.contains(&number)).then(|| file.clone());
                new.get(&number).cloned().or_else(kept)
            });
            view.files = Arc::new(files.collect());
            self.wear.reset(&view);
            self.view.store(Arc::new(view));
        }
        for number in taken.iter().filter(|number| !new.contains_key(number)) {
            manifest.gone.insert(*number);
        }
        self.forget_dead_rows();
        self.checkpoint_into(&mut manifest)?;
        for file in view.files.iter() {
            if taken.contains(&file.header.number) {
                // What cannot be removed now is removed when the store is opened next.
                let _leftover = self.place.io.remove(&file.path);
            }
        }
        let bytes_after = log_bytes(&self.view());
        Ok(Compacted {
            files: taken.len() as u64,
            bytes_before,
            bytes_after,
        })
    }

    /// The files before `active`, in runs of which each may become one: neighbours that are small.
    /// Due are those of these numbers that hold dead rows; they, their runs and the files without
    /// live rows of which nothing is left to keep go into `taken`.
    fn runs(&self, view: &View, active: u64, numbers: &[u64], taken: &mut Taken) -> Vec<Run> {
        let bytes_max = self.place.file_bytes / SMALL_SHARE;
        let mut runs: Vec<Run> = Vec::new();
        let sealed = view.files.iter();
        for file in sealed.filter(|file| file.header.number < active) {
            let (stored, dead) = (file.stored_rows(), dead_rows(view, file));
            let is_due = dead > 0 && numbers.contains(&file.header.number);
            // Damage is met, and reported, where there are rows to copy.
            let is_spent = (is_due || stored == 0)
                && dead == stored
                && is_needless(view, file, taken).unwrap_or(false);
            if is_due || is_spent {
                taken.insert(file.header.number);
            }
            let live = match stored {
                _ if is_spent => 0,
                0 => file.settled_bytes(),
                _ => {
                    (u128::from(file.settled_bytes()) * u128::from(stored - dead)
                        / u128::from(stored)) as u64
                }
            };
            let run = match runs.last_mut() {
                Some(run) if is_spent || run.bytes + live <= bytes_max => run,
                _ => runs.push_mut(Run::default()),
            };
            run.files.push((file.clone(), is_spent));
            run.bytes += live;
            run.is_due |= is_due && !is_spent;
        }
        let due = runs.iter().filter(|run| run.is_due);
        taken.extend(due.flat_map(|run| run.files.iter().map(|(file, _)| file.header.number)));
        runs
    }

    /// Takes the rows that are dead by now out of the indexes.
    fn forget_dead_rows(&self) {
        let view = self.view();
        self.tail.forget(&view);
        self.shrink_ids();
        let paths: Vec<Box<str>> = {
            let mut fields = self.fields_mut();
            fields.forgotten = view.sequence;
            fields.fields.keys().cloned().collect()
        };
        if paths.is_empty() {
            return;
        }
        let dead = view.tombstones.to_bitmap();
        // Writers and readers wait for one field at most.
        for path in paths {
            self.fields_mut().forget(&path, &dead);
        }
    }

    /// Writes the next generation of the first of these files: all of them without dead rows.
    /// What is half made is removed.
    fn rewrite(
        &self,
        context: &Context,
        view: &View,
        run: &[Arc<LogFile>],
        removals: &Removals,
    ) -> Result<LogFile> {
        let first = run
            .first()
            .ok_or_else(|| Error::internal("no file is to be rewritten"))?;
        let header = FileHeader {
            generation: first.header.generation + 1,
            ..first.header
        };
        let path = self.place.path(header.number, header.generation);
        let io = &*self.place.io;
        let fail = |error| storage::error("write", &path, &error);
        if io.exists(&path).map_err(fail)? {
            io.remove(&path).map_err(fail)?;
        }
        let file = io.create(&path).map_err(fail)?;
        file.write_at(0, &[IoSlice::new(&header.encode())])
            .map_err(fail)?;
        // What is left of a record may take more room than it did, as its rows are listed.
        let old_bytes: u64 = run.iter().map(|old| old.settled_bytes()).sum();
        let map_bytes = 2 * old_bytes + removals.bytes() + (1 << 20);
        let new = LogFile::new(header, path.clone(), file, map_bytes)?;
        new.settle(FILE_HEADER_BYTES)?;
        let copied = self.copy_records(context, view, run, removals, &new);
        let synced = copied.and_then(|()| new.file.sync_data().map_err(fail));
        let synced = synced.and_then(|()| io.sync_directory(&self.place.directory).map_err(fail));
        if let Err(error) = synced {
            self.remove_unused([&new]);
            return Err(error);
        }
        Ok(new)
    }

    /// Removes files that were made for nothing.
    fn remove_unused<'a>(&self, files: impl IntoIterator<Item = &'a LogFile>) {
        for file in files {
            // What cannot be removed now is removed when the store is opened next.
            let _leftover = self.place.io.remove(&file.path);
        }
    }

    /// Copies what is to be kept of files into a new one.
    fn copy_records(
        &self,
        context: &Context,
        view: &View,
        run: &[Arc<LogFile>],
        removals: &Removals,
        new: &LogFile,
    ) -> Result<()> {
        let mut out = Output {
            file: new,
            position: FILE_HEADER_BYTES,
            previous: new.header.previous,
        };
        for old in run {
            for record in records(old) {
                context.check()?;
                let (position, record) = record?;
                let removed = removals.kept(view, old, position, &record)?;
                self.keep(view, old, position, &record, removed, &mut out)?;
            }
        }
        Ok(())
    }

    /// Copies the live rows of a record, and the rows that it still has to remove.
    fn keep(
        &self,
        view: &View,
        old: &LogFile,
        offset: u64,
        record: &Header,
        removed: Vec<u8>,
        out: &mut Output<'_>,
    ) -> Result<()> {
        let place = old.find(record.first_row);
        let place = place.filter(|place| place.offset() == offset);
        if let Some(place) = place
            && view.live_between(place.first_row, place.first_row + place.rows) > 0
        {
            return self.keep_rows(view, old, place, record, &removed, out);
        }
        if removed.is_empty() {
            return Ok(());
        }
        let sections = Sections {
            list: &removed,
            ..Sections::default()
        };
        let mut header = Header {
            numeric_ids: false,
            compacted: record.kind != Kind::Delete,
            rows: 0,
            stored: 0,
            ..record.clone()
        };
        out.record(&mut header, &sections).map(|_| ())
    }

    /// Copies the live rows of a record that has some.
    fn keep_rows(
        &self,
        view: &View,
        old: &LogFile,
        place: &RecordPlace,
        record: &Header,
        removed: &[u8],
        out: &mut Output<'_>,
    ) -> Result<()> {
        old.verify_all(place)?;
        let mut kept_ids = Vec::new();
        let mut list = Vec::new();
        let mut rows = Vec::new();
        old.visit_ids(place, &mut |row, id| {
            if view.is_live(row) {
                kept_ids.push(id.to_id());
                list.extend_from_slice(&(row - record.first_row).to_le_bytes());
                rows.push(row);
            }
        })?;
        list.extend_from_slice(removed);
        let mut matrix = Vec::with_capacity(rows.len() * self.schema.vector_bytes());
        let mut scales: Vec<u8> = Vec::new();
        let mut scratch = Vec::new();
        let mut metadata = MetadataColumn::default();
        for &row in &rows {
            if let Some((vector, scale)) = old.vector(place, row, &self.schema, &mut scratch)? {
                match self.schema.storage {
                    Storage::F32 => matrix.extend_from_slice(bytemuck::cast_slice(vector)),
                    Storage::F16 => vector.iter().for_each(|component| {
                        matrix.extend_from_slice(&f16::from_f32(*component).to_le_bytes());
                    }),
                }
                if self.schema.has_scales() {
                    scales.extend_from_slice(&scale.to_le_bytes());
                }
            }
            if record.metadata_bytes > 0 {
                let text = old.metadata(place, row)?;
                metadata.push(text.map(Metadata::from_checked).as_ref())?;
            }
        }
        let (encoded, numeric_ids) = ids::encode(&Ids::from(kept_ids));
        let texts = if metadata.text().is_empty() {
            [&[][..], &[]]
        } else {
            [
                bytemuck::cast_slice(metadata.ends()),
                metadata.text().as_bytes(),
            ]
        };
        let sections = Sections {
            ids: &encoded,
            list: &list,
            matrix: &matrix,
            scales: &scales,
            metadata: texts,
        };
        let mut header = Header {
            numeric_ids,
            compacted: true,
            stored: rows.len() as u32,
            ..record.clone()
        };
        let offset = out.record(&mut header, &sections)?;
        out.file.push(RecordPlace::new(offset, &header, true));
        Ok(())
    }
}

/// The records of a file and their offsets, up to a mark or zeros. Anything else is damage:
/// what is behind it would be lost.
pub(super) fn records(file: &LogFile) -> impl Iterator<Item = Result<(u64, Header)>> {
    let mut next = FILE_HEADER_BYTES;
    std::iter::from_fn(move || {
        let position = next;
        if file.is_blank(position) {
            return None;
        }
        match file.record_header(position) {
            Ok(record) => {
                next += record.record_bytes();
                (record.kind != Kind::Mark).then_some(Ok((position, record)))
            }
            Err(error) => {
                next = u64::MAX;
                Some(Err(error))
            }
        }
    })
}

/// The end of a file that is being rewritten.
struct Output<'a> {
    file: &'a LogFile,
    position: u64,
    previous: u64,
}

impl Output<'_> {
    /// Appends a record with these sections; gives its offset.
    fn record(&mut self, header: &mut Header, sections: &Sections<'_>) -> Result<u64> {
        sections.describe(header)?;
        header.previous = self.previous;
        let offset = self.position;
        self.previous = write_record(self.file, offset, header, sections)
            .map_err(|error| storage::error("write", &self.file.path, &error))?;
        self.position += header.record_bytes();
        self.file.settle(self.position)?;
        Ok(offset)
    }
}
