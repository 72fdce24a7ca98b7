//! Compaction: log files are rewritten without the rows that later writes replaced or removed.
//! Rows keep their numbers and writes theirs, so indexes only forget the rows that are gone.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::io::IoSlice;
use std::sync::Arc;

use half::f16;
use nearfield_model::{Compacted, Context, Ids, Metadata, MetadataColumn, Result, Storage};

use super::Collection;
use super::wear::{dead_rows, log_bytes};
use crate::log::file::{FILE_HEADER_BYTES, FileHeader, LogFile, RecordPlace};
use crate::log::ids;
use crate::log::record::{Header, Kind};
use crate::log::writer::{Sections, write_record};
use crate::points::View;
use crate::storage;

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
            left.sort_by_cached_key(|file| Reverse(dead_rows(&view, file)));
            let round = self.first_round(&left, log_bytes(&view));
            due.retain(|number| !round.contains(number));
            let rewritten = self.rewrite_files(context, &round)?;
            done.files += rewritten.files;
            done.bytes_after = rewritten.bytes_after;
        }
        self.compact_index()?;
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

    /// Rewrites those of the files of these numbers that are sealed and hold dead rows.
    pub(super) fn rewrite_files(&self, context: &Context, numbers: &[u64]) -> Result<Compacted> {
        let mut manifest = self.manifest();
        let bytes_before = log_bytes(&self.view());
        let active = self.writing().log.end().0.header.number;
        let view = self.view();
        let mut replaced = BTreeMap::new();
        let due = view
            .files
            .iter()
            .filter(|file| file.header.number < active && numbers.contains(&file.header.number));
        for file in due {
            context.check()?;
            if dead_rows(&view, file) > 0 {
                let new = self.rewrite(&view, file, &replaced)?;
                replaced.insert(file.header.number, Arc::new(new));
            }
        }
        if replaced.is_empty() {
            return Ok(Compacted {
                files: 0,
                bytes_before,
                bytes_after: bytes_before,
            });
        }
        {
            let _writing = self.writing();
            let mut view = View::clone(&self.view());
            for file in Arc::make_mut(&mut view.files) {
                if let Some(new) = replaced.get(&file.header.number) {
                    *file = new.clone();
                }
            }
            self.wear.reset(&view);
            self.view.store(Arc::new(view));
        }
        self.forget_dead_rows();
        self.checkpoint_into(&mut manifest)?;
        for file in view
            .files
            .iter()
            .filter(|file| replaced.contains_key(&file.header.number))
        {
            // What cannot be removed now is removed when the store is opened next.
            let _leftover = self.place.io.remove(&file.path);
        }
        let bytes_after = log_bytes(&self.view());
        Ok(Compacted {
            files: replaced.len() as u64,
            bytes_before,
            bytes_after,
        })
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

    /// Writes the next generation of a file, without its dead rows.
    fn rewrite(
        &self,
        view: &View,
        old: &Arc<LogFile>,
        replaced: &BTreeMap<u64, Arc<LogFile>>,
    ) -> Result<LogFile> {
        let header = FileHeader {
            generation: old.header.generation + 1,
            ..old.header
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
        let map_bytes = 2 * old.settled_bytes() + (1 << 20);
        let new = LogFile::new(header, path.clone(), file, map_bytes)?;
        new.settle(FILE_HEADER_BYTES)?;
        let mut out = Output {
            file: &new,
            position: FILE_HEADER_BYTES,
            previous: header.previous,
        };
        let mut position = FILE_HEADER_BYTES;
        while position < old.settled_bytes() {
            let Ok(record) = old.record_header(position) else {
                break;
            };
            match record.kind {
                Kind::Upsert | Kind::UpdateMetadata => {
                    self.keep_rows(view, old, position, &record, &mut out)?;
                }
                Kind::Delete => keep_delete(view, old, position, &record, replaced, &mut out)?,
                Kind::Mark => break,
            }
            position += record.record_bytes();
        }
        new.file.sync_data().map_err(fail)?;
        io.sync_directory(&self.place.directory).map_err(fail)?;
        Ok(new)
    }

    /// Copies the live rows of a record.
    fn keep_rows(
        &self,
        view: &View,
        old: &LogFile,
        offset: u64,
        record: &Header,
        out: &mut Output<'_>,
    ) -> Result<()> {
        let Some(place) = old
            .find(record.first_row)
            .filter(|place| place.offset() == offset)
        else {
            return Ok(());
        };
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
        if rows.is_empty() {
            return Ok(());
        }
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

/// Copies what a delete removed, without the rows that are gone from the log: those no
/// longer need it.
fn keep_delete(
    view: &View,
    old: &LogFile,
    offset: u64,
    record: &Header,
    replaced: &BTreeMap<u64, Arc<LogFile>>,
    out: &mut Output<'_>,
) -> Result<()> {
    let place = RecordPlace::new(offset, record, false);
    let mut list = Vec::new();
    for entry in old.list(&place, record)? {
        let row = u32::from_le_bytes(*entry);
        let gone = match view.place(row) {
            Ok((file, _)) => {
                // Its file is this one or was rewritten before it: only live rows are left.
                file.header.number == old.header.number
                    || replaced.contains_key(&file.header.number)
                    || view.id(row)?.is_none()
            }
            Err(_) => true,
        };
        if !gone {
            list.extend_from_slice(entry);
        }
    }
    if list.is_empty() {
        return Ok(());
    }
    let sections = Sections {
        list: &list,
        ..Sections::default()
    };
    out.record(&mut record.clone(), &sections).map(|_| ())
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
