//! The database: one match arm per verb.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use nearfield_model::limits::COLLECTIONS_MAX;
use nearfield_model::{
    Context, CreateCollection, Created, DropCollection, Dropped, Error, ErrorKind, Flushed, Listed,
    Request, Response, Result, Search, Service, Snapshot, SnapshotTaken,
};

use crate::background::Background;
use crate::budget::{Budget, Reserved};
use crate::catalog::{Catalog, Entry, collections_directory, directory, snapshots_directory};
use crate::collection::Collection;
use crate::collection::memory::{Need, collection_bytes};
use crate::holder::{self, Held};
use crate::io::{Io, MemoryIo, RealIo};
use crate::leftovers::{refuse_orphans, remove_leftovers};
use crate::lock::{LOCK_STEP, lock_for};
use crate::log::writer::Place;
use crate::options::Options;
use crate::search::search;
use crate::storage::{self, Schema};

type Open = Arc<RwLock<BTreeMap<String, Arc<Collection>>>>;

/// An open store. It answers every request of the model, from any number of threads, and
/// closes when it is dropped: what was acknowledged is durable either way.
#[derive(Debug)]
pub struct Engine {
    root: PathBuf,
    io: Arc<dyn Io>,
    options: Options,
    budget: Option<Budget>,
    collections: Open,
    /// Held while collections come or go.
    catalog: Mutex<Catalog>,
    /// Held while a snapshot is taken.
    snapshots: Mutex<()>,
    background: Option<Background>,
    /// Released last.
    held: Held,
}

impl Engine {
    /// Opens the store at `path`, and makes it if there is none.
    ///
    /// # Errors
    /// `Locked` if another process holds it, `Storage` if it cannot be read or is not a store,
    /// `Corruption` if its files are not what was written, `Unsupported` if a newer version
    /// wrote them.
    pub fn open(path: &Path, options: Options) -> Result<Engine> {
        Engine::open_with(Arc::new(RealIo::new()), path, options)
    }

    /// Opens an empty store that lives in memory and goes with it.
    ///
    /// # Errors
    /// `Storage` if the operating system gives no memory for files.
    pub fn in_memory(options: Options) -> Result<Engine> {
        Engine::open_with(Arc::new(MemoryIo::new()), Path::new("/memory"), options)
    }

    /// Opens the store at `path` on any machine: for simulations.
    ///
    /// # Errors
    /// As [`Engine::open`].
    pub fn open_with(io: Arc<dyn Io>, path: &Path, options: Options) -> Result<Engine> {
        let mut held = prepare_root(&*io, path, &options)?;
        // The process before may have died between giving the catalog its name and syncing that.
        io.sync_directory(path)
            .map_err(|error| storage::error("sync", path, &error))?;
        let catalog = match Catalog::load(&*io, path)? {
            Some(catalog) => catalog,
            None => {
                refuse_orphans(&*io, path)?;
                let catalog = Catalog {
                    next_directory: 1,
                    ..Catalog::default()
                };
                catalog.save(&*io, path)?;
                catalog
            }
        };
        remove_leftovers(&*io, path, &catalog)?;
        let mut collections = BTreeMap::new();
        for (name, entry) in &catalog.collections {
            let place = place(&io, path, entry, &options);
            let collection = Collection::open(
                name.clone(),
                entry.schema.clone(),
                place,
                options.clone(),
                held.same_boot,
                true,
            )?;
            collections.insert(name.clone(), Arc::new(collection));
        }
        held.opened(&*io);
        let collections: Open = Arc::new(RwLock::new(collections));
        let background = options.background.then(|| {
            let collections = collections.clone();
            Background::start(Arc::new(move || {
                let open = collections.read().unwrap_or_else(PoisonError::into_inner);
                open.values().cloned().collect()
            }))
        });
        let background = background.transpose()?;
        Ok(Engine {
            root: path.to_owned(),
            io,
            budget: options.memory_bytes_max.map(Budget::new),
            options,
            collections,
            catalog: Mutex::new(catalog),
            snapshots: Mutex::new(()),
            background,
            held,
        })
    }

    /// Tells others, in the lock file, that they cannot join this process, though
    /// [`Options::shared`] said so: what would let them in could not be set up.
    pub fn not_shared(&self) {
        self.held.not_shared(&*self.io);
    }

    fn catalog(&self) -> MutexGuard<'_, Catalog> {
        self.catalog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn collection(&self, name: &str) -> Result<Arc<Collection>> {
        let open = self
            .collections
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        open.get(name).cloned().ok_or_else(|| not_found(name))
    }

    /// Runs `work` on a collection. What fails because the collection was dropped meanwhile,
    /// and its files with it, fails as if it had been dropped before.
    fn within<T>(&self, name: &str, work: impl FnOnce(&Collection) -> Result<T>) -> Result<T> {
        let collection = self.collection(name)?;
        work(&collection).map_err(|error| match collection.is_closed() {
            true => not_found(name),
            false => error,
        })
    }

    /// Bytes that all collections take of the memory budget.
    fn memory_bytes(&self) -> u64 {
        let open = self
            .collections
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        let collections: Vec<Arc<Collection>> = open.values().cloned().collect();
        drop(open);
        // One thread trains for all, so one collection at a time needs what that takes.
        let training = collections.iter().map(|docs| docs.training_bytes()).max();
        let taken = collections.iter().map(|docs| docs.budget_bytes());
        taken.sum::<u64>() + training.unwrap_or(0)
    }

    /// Runs a write if the memory budget has room for it, or if it is a retry, which adds
    /// nothing. `rows` tells how many it wrote.
    fn afford<T>(
        &self,
        collection: &Collection,
        context: &Context,
        need: impl FnOnce(&Collection) -> Result<Need>,
        write: impl FnOnce(&Collection) -> Result<T>,
        rows: impl FnOnce(&T) -> u64,
    ) -> Result<T> {
        let Some(budget) = &self.budget else {
            return write(collection);
        };
        let need = need(collection)?;
        let (ids_before, growth) = collection.id_bytes(need.rows);
        match budget.reserve(need.bytes() + growth, || self.memory_bytes()) {
            Ok(reserved) => {
                let done = write(collection)?;
                let ids_added = collection.id_bytes(0).0.saturating_sub(ids_before);
                reserved.keep(rows(&done) * need.row_bytes + ids_added);
                Ok(done)
            }
            Err(_) if collection.is_retry(context) => write(collection),
            Err(error) => Err(error),
        }
    }

    /// Reserves memory for what a search finds.
    fn afford_result(
        &self,
        collection: &Collection,
        request: &Search<'_>,
    ) -> Result<Option<Reserved<'_>>> {
        let Some(budget) = &self.budget else {
            return Ok(None);
        };
        let bytes = collection.found_bytes(request);
        budget
            .reserve_result(bytes, || self.memory_bytes())
            .map(Some)
    }

    fn create_collection(&self, context: &Context, request: CreateCollection) -> Result<Created> {
        let mut catalog = self.catalog();
        let name = request.collection.clone();
        if self.is_retry(&catalog, context, "create_collection", &name)? {
            return Ok(Created { collection: name });
        }
        if catalog.collections.contains_key(&name) {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                format!("collection {name} exists; open it, or choose another name"),
            )
            .in_field("collection"));
        }
        if catalog.collections.len() >= COLLECTIONS_MAX {
            return Err(Error::too_large(format!(
                "the store has {COLLECTIONS_MAX} collections; drop one first, or use another store"
            )));
        }
        let memory_bytes = collection_bytes(request.dimension);
        let reserved = match &self.budget {
            Some(budget) => Some(budget.reserve(memory_bytes, || self.memory_bytes())?),
            None => None,
        };
        let mut mark = [0; 16];
        self.io.fill_random(&mut mark);
        let mut next = catalog.clone();
        let entry = Entry {
            directory: next.next_directory,
            mark,
            schema: Schema::new(request),
        };
        let place = place(&self.io, &self.root, &entry, &self.options);
        // Left over from a creation that failed half-way.
        if self.io.exists(&place.directory).unwrap_or(false) {
            self.remove_directory(&place.directory)?;
        }
        Collection::create(&place)?;
        let collection = Collection::open(
            name.clone(),
            entry.schema.clone(),
            place,
            self.options.clone(),
            true,
            true,
        )?;
        next.next_directory += 1;
        next.collections.insert(name.clone(), entry);
        if let Some(id) = &context.request_id {
            next.remember(id, "create_collection", &name);
        }
        if let Err(error) = next.save(&*self.io, &self.root) {
            // The new catalog may be on disk, with this number: no other collection gets it.
            catalog.next_directory = next.next_directory;
            return Err(error);
        }
        *catalog = next;
        let mut open = self
            .collections
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        open.insert(name.clone(), Arc::new(collection));
        if let Some(reserved) = reserved {
            reserved.keep(memory_bytes);
        }
        Ok(Created { collection: name })
    }

    fn drop_collection(&self, context: &Context, request: &DropCollection) -> Result<Dropped> {
        let mut catalog = self.catalog();
        let name = &request.collection;
        let dropped = Dropped {
            collection: name.clone(),
        };
        if self.is_retry(&catalog, context, "drop_collection", name)? {
            return Ok(dropped);
        }
        let mut next = catalog.clone();
        let entry = next
            .collections
            .remove(name)
            .ok_or_else(|| not_found(name))?;
        if let Some(id) = &context.request_id {
            next.remember(id, "drop_collection", name);
        }
        if let Err(error) = next.save(&*self.io, &self.root) {
            // The new catalog may be on disk, so a write could be acknowledged and lost.
            if let Ok(collection) = self.collection(name) {
                collection.stop_writes(&Catalog::path(&self.root), &error);
            }
            return Err(error);
        }
        *catalog = next;
        let open = self
            .collections
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(name);
        if let Some(collection) = open {
            collection
                .closed
                .store(true, std::sync::atomic::Ordering::Release);
        }
        // The collection is gone; files that stay behind are removed at the next opening.
        let _leftover = self.remove_directory(&directory(&self.root, entry.directory));
        Ok(dropped)
    }

    /// Takes over a copy of a collection's files from another store.
    pub(crate) fn adopt(
        &self,
        name: &str,
        schema: Schema,
        from: &Path,
        mark: [u8; 16],
    ) -> Result<()> {
        let mut catalog = self.catalog();
        if catalog.collections.contains_key(name) {
            return Err(Error::new(
                ErrorKind::AlreadyExists,
                format!("collection {name} exists; restore under another name, or drop it first"),
            ));
        }
        let mut next = catalog.clone();
        let entry = Entry {
            directory: next.next_directory,
            mark,
            schema,
        };
        let to = directory(&self.root, entry.directory);
        if self.io.exists(&to).unwrap_or(false) {
            self.remove_directory(&to)?;
        }
        self.io
            .create_directory(&to)
            .map_err(|error| storage::error("make", &to, &error))?;
        crate::copy::copy_files(&*self.io, from, &to)?;
        next.next_directory += 1;
        next.collections.insert(name.to_owned(), entry);
        next.save(&*self.io, &self.root)?;
        *catalog = next;
        Ok(())
    }

    /// Whether this very request was answered before.
    fn is_retry(
        &self,
        catalog: &Catalog,
        context: &Context,
        verb: &str,
        name: &str,
    ) -> Result<bool> {
        let earlier = context
            .request_id
            .as_ref()
            .and_then(|id| catalog.earlier(id));
        match earlier {
            Some(change) if change.verb == verb && change.collection == name => Ok(true),
            Some(_) => Err(Error::invalid(
                "the request id was used for another request; count up for each request",
            )),
            None => Ok(false),
        }
    }

    fn remove_directory(&self, path: &Path) -> Result<()> {
        self.io
            .remove_directory(path)
            .and_then(|()| self.io.sync_directory(&collections_directory(&self.root)))
            .map_err(|error| storage::error("remove", path, &error))
    }

    fn list_collections(&self) -> Listed {
        let open = self
            .collections
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        Listed {
            collections: open.keys().cloned().collect(),
        }
    }

    fn snapshot(&self, context: &Context, request: &Snapshot) -> Result<SnapshotTaken> {
        let name = &request.collection;
        self.within(name, |collection| {
            let wait = || collection.index.wait(LOCK_STEP);
            let _turn = lock_for(context, &self.snapshots, &wait)?;
            let destination = match &request.destination {
                Some(destination) => PathBuf::from(destination),
                None => {
                    let sequence = collection.view().sequence;
                    snapshots_directory(&self.root).join(format!("{name}-{sequence}"))
                }
            };
            crate::copy::snapshot(&self.io, context, collection, &destination)
        })
    }
}

impl Service for Engine {
    fn call(&self, context: &Context, request: Request<'_>) -> Result<Response> {
        context.require(request.right())?;
        context.check()?;
        request.check()?;
        let response = match request {
            Request::CreateCollection(r) => {
                Response::CreateCollection(self.create_collection(context, r)?)
            }
            Request::DropCollection(r) => {
                Response::DropCollection(self.drop_collection(context, &r)?)
            }
            Request::ListCollections(_) => Response::ListCollections(self.list_collections()),
            Request::DescribeCollection(r) => {
                Response::DescribeCollection(self.within(&r.collection, |c| Ok(c.describe()))?)
            }
            Request::Upsert(r) => {
                let need = |c: &Collection| Ok(c.upsert_need(&r));
                let write = |c: &Collection| c.upsert(context, &r);
                Response::Upsert(self.within(&r.collection, |c| {
                    self.afford(c, context, need, write, |done| done.upserted)
                })?)
            }
            Request::Get(r) => Response::Get(self.within(&r.collection, |c| c.get(context, &r))?),
            Request::Delete(r) => {
                Response::Delete(self.within(&r.collection, |c| c.delete(context, &r))?)
            }
            Request::UpdateMetadata(r) => {
                let need = |c: &Collection| c.update_need(context, &r);
                let write = |c: &Collection| c.update_metadata(context, &r);
                Response::UpdateMetadata(self.within(&r.collection, |c| {
                    self.afford(c, context, need, write, |done| done.updated)
                })?)
            }
            Request::Search(r) => Response::Search(self.within(&r.collection, |c| {
                let _result = self.afford_result(c, &r)?;
                search(c, context, &r, self.options.search_threads)
            })?),
            Request::Scan(r) => {
                Response::Scan(self.within(&r.collection, |c| c.scan(context, &r))?)
            }
            Request::Count(r) => {
                Response::Count(self.within(&r.collection, |c| c.count(context, &r))?)
            }
            Request::Flush(r) => {
                let sequence = self.within(&r.collection, |c| {
                    let sequence = c.flush()?;
                    c.rest();
                    Ok(sequence)
                })?;
                Response::Flush(Flushed { sequence })
            }
            Request::Compact(r) => {
                Response::Compact(self.within(&r.collection, |c| c.compact(context))?)
            }
            Request::Snapshot(r) => Response::Snapshot(self.snapshot(context, &r)?),
        };
        if let (
            Response::Upsert(_) | Response::Delete(_) | Response::UpdateMetadata(_),
            Some(background),
        ) = (&response, &self.background)
        {
            background.signal().wrote();
        }
        Ok(response)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.background = None;
        let open = self
            .collections
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        for collection in open.values() {
            // What was acknowledged is in the log already; closing only shortens the next opening.
            let _best_effort = collection.close();
        }
    }
}

fn not_found(name: &str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        format!(
            "there is no collection {name}; create it, or list the collections to see their names"
        ),
    )
    .in_field("collection")
}

/// Where a collection's log is.
pub(crate) fn place(io: &Arc<dyn Io>, root: &Path, entry: &Entry, options: &Options) -> Place {
    Place {
        io: io.clone(),
        directory: directory(root, entry.directory),
        collection: entry.mark,
        file_bytes: options.log_file_bytes.max(1 << 20),
    }
}

/// Makes the store's folder if there is none, refuses a folder of something else, and locks it.
fn prepare_root(io: &dyn Io, root: &Path, options: &Options) -> Result<Held> {
    let fail = |error| storage::error("open", root, &error);
    // A store has one or the other; one without a catalog is damaged, which is told later.
    let is_store = io.exists(&Catalog::path(root)).map_err(fail)?
        || io.exists(&collections_directory(root)).map_err(fail)?;
    if !options.create && !is_store {
        return Err(Error::new(
            ErrorKind::NotFound,
            format!(
                "there is no store at {}; check the path, or import something first",
                root.display()
            ),
        ));
    }
    if io.exists(root).map_err(fail)? {
        let names = io.list(root).map_err(fail)?;
        let ours = |name: &String| {
            ["catalog", "catalog.new", "collections", "lock", "snapshots"].contains(&name.as_str())
        };
        if !names.is_empty() && !names.iter().any(ours) {
            return Err(Error::new(
                ErrorKind::Storage,
                format!(
                    "{} is a folder with other files in it, not a store; choose another path",
                    root.display()
                ),
            ));
        }
    }
    io.create_directory(&collections_directory(root))
        .map_err(fail)?;
    holder::lock(io, root, options)
}
