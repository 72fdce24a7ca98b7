//! Opening a collection: the checkpoint, then what the log holds behind it.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, RwLock};

use arc_swap::ArcSwap;
use nearfield_model::{ErrorKind, Result};

use super::matching::Recent;
use super::scrub::Scrub;
use super::wear::Wear;
use super::{Collection, Writing};
use crate::filter::Fields;
use crate::filter::leaves::Leaves;
use crate::index::live::Index;
use crate::index::tail::Tail;
use crate::log::checkpoint::{self, Checkpoint};
use crate::log::file::{LogFile, RecordPlace, file_name, metadata_text, parse_file_name};
use crate::log::outcomes::{Outcome, Outcomes};
use crate::log::record::{Header, Kind, Section};
use crate::log::recovery::{Recovered, Replay, Start, recover};
use crate::log::syncer::Syncer;
use crate::log::writer::{Place, Writer};
use crate::manifest::{Manifest, checkpoint_path};
use crate::options::Options;
use crate::points::View;
use crate::points::id_map::{IdMap, hash};
use crate::retry::Retries;
use crate::storage::{self, Schema};

impl Collection {
    /// Makes the files of a new, empty collection.
    pub(crate) fn create(place: &Place) -> Result<()> {
        let io = &*place.io;
        io.create_directory(&place.directory)
            .map_err(|error| storage::error("make", &place.directory, &error))?;
        Writer::first_file(place)?;
        Manifest::default().save(io, &place.directory)
    }

    /// Opens a collection. With `repair`, what was never confirmed is cut and leftovers of
    /// interrupted work are removed; without, no file is changed.
    pub(crate) fn open(
        name: String,
        schema: Schema,
        place: Place,
        options: Options,
        same_boot: bool,
        repair: bool,
    ) -> Result<Collection> {
        let io = place.io.clone();
        if repair {
            // The process before may have died between naming a file and syncing its name.
            io.sync_directory(&place.directory)
                .map_err(|error| storage::error("sync", &place.directory, &error))?;
        }
        let mut manifest = Manifest::load(&*io, &place.directory)?.ok_or_else(|| {
            crate::log::file::corruption(
                &Manifest::path(&place.directory),
                0,
                "the collection's manifest is missing: it",
            )
        })?;
        if repair {
            remove_leftovers(&place, &manifest)?;
        }
        let rotation_seed =
            u64::from_le_bytes(place.collection[..8].try_into().unwrap_or_default());
        let mut tail = Tail::new(&schema, rotation_seed);
        let mut checkpoint = Checkpoint::default();
        let mut start = Start::default();
        let mut checkpoint_fault = None;
        if manifest.checkpoint > 0 {
            let path = checkpoint_path(&place.directory, manifest.checkpoint);
            match checkpoint::read(&*io, &path, &schema, &tail) {
                Ok(read)
                    if (read.sequence, read.rows)
                        == (manifest.start.sequence, manifest.start.rows) =>
                {
                    (checkpoint, start) = (read, manifest.start);
                }
                // Written anew before the manifest that was to name it was on disk.
                Ok(_) => {
                    tail = Tail::new(&schema, rotation_seed);
                    checkpoint_fault =
                        Some(crate::log::file::corruption(&path, 0, "the checkpoint"));
                }
                // The log holds all that a checkpoint does, so it is replayed whole.
                Err(error) => {
                    let missing = !io.exists(&path).unwrap_or(true);
                    if error.kind() != ErrorKind::Corruption && !missing {
                        return Err(error);
                    }
                    tail = Tail::new(&schema, rotation_seed);
                    checkpoint_fault = Some(error);
                }
            }
        }
        if start == Start::default() {
            checkpoint.fields = Fields::without(&schema.unindexed_fields);
        }
        let mut seed = [0; 8];
        io.fill_random(&mut seed);
        let view = View {
            sequence: checkpoint.sequence,
            rows: checkpoint.rows,
            tombstones: checkpoint.tombstones,
            files: Arc::default(),
        };
        let mut loading = Loading {
            places: checkpoint.records.into_iter().collect(),
            outcomes: checkpoint.outcomes,
            start,
            ids_filled: false,
            collection: Parts {
                view,
                ids: IdMap::with_capacity(0),
                fields: checkpoint.fields,
                seed: u64::from_le_bytes(seed),
            },
        };
        let Recovered { files, end, cut } =
            recover(&place, &manifest, start, same_boot, repair, &mut loading)?;
        loading.fill_ids()?;
        let Loading {
            outcomes,
            collection:
                Parts {
                    mut view,
                    ids,
                    fields,
                    seed,
                    ..
                },
            ..
        } = loading;
        // Rows that compaction dropped at the end of the log.
        (view.rows..end.rows).for_each(|row| {
            view.tombstones.insert(row);
        });
        view.rows = end.rows;
        view.sequence = end.sequence;
        view.files = Arc::new(files);
        if let Some(cut) = cut {
            manifest.note(cut);
            if repair {
                manifest.save(&*io, &place.directory)?;
            }
        }
        let index = Index::open(
            &place,
            schema.metric,
            &tail.rotation,
            view.rows,
            view.sequence,
            repair,
        )?;
        tail.release(index.live().covered());
        let wear = Wear::default();
        wear.reset(&view);
        let syncer = Arc::new(Syncer::new(end.sequence));
        let mut log = Writer::new(place.clone(), syncer.clone(), end);
        if repair {
            log.mark()?;
        }
        Ok(Collection {
            name,
            schema,
            place,
            options,
            writer: Mutex::new(Writing { log, outcomes }),
            syncer,
            view: ArcSwap::from_pointee(view),
            ids: RwLock::new(ids),
            seed,
            fields: RwLock::new(fields),
            tail,
            index,
            wear,
            retry: Retries::default(),
            recent: Recent::default(),
            manifest: Mutex::new(manifest),
            checkpoint_fault,
            scrub: Scrub::default(),
            closed: AtomicBool::new(false),
        })
    }
}

/// Removes files that no manifest names: of compactions and checkpoints that were cut short.
fn remove_leftovers(place: &Place, manifest: &Manifest) -> Result<()> {
    let io = &*place.io;
    let names = io
        .list(&place.directory)
        .map_err(|error| storage::error("list", &place.directory, &error))?;
    for name in &names {
        // Without the present generation, the others are all that is left to look at.
        let stale_log = parse_file_name(name).is_some_and(|(number, generation)| {
            manifest.generation(number).is_none_or(|present| {
                generation != present && names.contains(&file_name(number, present))
            })
        });
        let path = place.directory.join(name);
        let stale_checkpoint = name.ends_with(".checkpoint")
            && path != checkpoint_path(&place.directory, manifest.checkpoint);
        if stale_log || stale_checkpoint || name.ends_with(".new") {
            io.remove(&path)
                .map_err(|error| storage::error("remove", &path, &error))?;
        }
    }
    Ok(())
}

/// A collection that is being loaded.
struct Loading {
    /// The places of records that the checkpoint holds, by file.
    places: HashMap<u64, Vec<RecordPlace>>,
    outcomes: Outcomes,
    start: Start,
    ids_filled: bool,
    collection: Parts,
}

/// What records are applied to: the parts of a collection that nobody else sees yet.
struct Parts {
    view: View,
    ids: IdMap,
    fields: Fields,
    seed: u64,
}

impl Replay for Loading {
    fn opened(&mut self, file: &Arc<LogFile>) -> Result<()> {
        if let Some(places) = self.places.remove(&file.header.number) {
            checkpoint::restore_places(file, places);
        }
        Arc::make_mut(&mut self.collection.view.files).push(file.clone());
        Ok(())
    }

    fn record(&mut self, file: &Arc<LogFile>, offset: u64, header: &Header) -> Result<()> {
        self.fill_ids()?;
        match header.kind {
            Kind::Upsert | Kind::UpdateMetadata => self.collection.rows(file, offset, header)?,
            Kind::Delete => self.collection.pass_over(header.first_row),
            Kind::Mark => return Ok(()),
        }
        self.collection.remove(file, offset, header)?;
        self.collection.view.sequence = header.sequence;
        let outcome = Outcome {
            kind: header.kind as u8,
            sequence: header.sequence,
            affected: header.affected.into(),
        };
        if header.request.client != [0; 16] || header.request.number != 0 {
            self.outcomes.insert(&header.request, outcome);
        }
        Ok(())
    }
}

impl Loading {
    /// Fills the id map with the live rows of the checkpoint, before the first record.
    fn fill_ids(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.ids_filled, true) || self.start == Start::default() {
            return Ok(());
        }
        let Parts {
            view, ids, seed, ..
        } = &mut self.collection;
        *ids = IdMap::with_capacity(view.count() as usize);
        for file in view.files.iter() {
            for place in file.records() {
                file.visit_ids(place, &mut |row, id| {
                    if view.is_live(row) {
                        ids.insert(hash(*seed, id), row);
                    }
                })?;
            }
        }
        Ok(())
    }
}

impl Parts {
    fn rows(&mut self, file: &Arc<LogFile>, offset: u64, header: &Header) -> Result<()> {
        let place = RecordPlace::new(offset, header, true);
        // Rows that compaction dropped, between records and inside this one.
        let end = header.first_row + header.rows;
        let mut stored = Vec::with_capacity(header.stored as usize);
        file.visit_ids(&place, &mut |row, id| {
            stored.push((row, hash(self.seed, id)))
        })?;
        let mut next = stored.iter().map(|(row, _)| *row).peekable();
        for row in self.view.rows..end {
            if next.next_if_eq(&row).is_none() {
                self.view.tombstones.insert(row);
            }
        }
        if header.metadata_bytes > 0 {
            let bytes = file.section(&place, header, Section::Metadata)?;
            let mut leaves = Leaves::default();
            for (position, (row, _)) in stored.iter().enumerate() {
                let text = metadata_text(bytes, header.stored as usize, position)
                    .ok_or_else(|| file.corrupt(offset, "metadata"))?;
                if !text.is_empty() {
                    leaves.read_row(row - header.first_row, text)?;
                }
            }
            self.fields.insert(header.first_row, &leaves);
        }
        if header.rows > 0 {
            file.push(place);
        }
        self.view.rows = end;
        for (row, hash) in stored {
            let mut old = None;
            for candidate in self.ids.candidates(hash) {
                if self.view.id(candidate)? == self.view.id(row)? {
                    old = Some(candidate);
                    break;
                }
            }
            match old {
                Some(old) => {
                    self.ids.replace(hash, old, row);
                    self.view.tombstones.insert(old);
                }
                None => self.ids.insert(hash, row),
            }
        }
        Ok(())
    }

    /// Takes rows up to `end` for dead: compaction dropped them.
    fn pass_over(&mut self, end: u32) {
        for row in self.view.rows..end {
            self.view.tombstones.insert(row);
        }
        self.view.rows = self.view.rows.max(end);
    }

    /// Removes the rows that a record lists.
    fn remove(&mut self, file: &Arc<LogFile>, offset: u64, header: &Header) -> Result<()> {
        let place = RecordPlace::new(offset, header, true);
        for row in file.removed(&place, header)? {
            if row >= self.view.rows {
                return Err(file.corrupt(offset, "a removed row's number"));
            }
            if self.view.tombstones.insert(row)
                && let Ok(Some(id)) = self.view.id(row)
            {
                self.ids.remove(hash(self.seed, id), row);
            }
        }
        Ok(())
    }
}
