//! A store that answers at once and keeps nothing but the shape of its collections: what a call
//! takes in front of it is the door alone.

use std::collections::BTreeMap;
#[cfg(feature = "shm")]
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use nearfield_model::{
    Context, Counted, CreateCollection, Created, Deleted, Description, Dropped, Error, ErrorKind,
    Flushed, Found, Got, Hit, Id, Listed, Request, Response, Result, Scanned, Search, Service,
    Upserted,
};

/// Opens the store; at `socket`, if that is not empty, guests are let in.
pub(super) fn open(socket: &str) -> Result<Arc<dyn Service>> {
    let null = Arc::new(Null::default());
    match socket {
        "" => Ok(null),
        socket => shared(null, socket),
    }
}

#[cfg(feature = "shm")]
fn shared(null: Arc<Null>, socket: &str) -> Result<Arc<dyn Service>> {
    use nearfield_shm::server::{Server, Settings};

    /// The store, and the door that others come in by.
    struct Shared(
        Arc<Null>,
        #[expect(dead_code, reason = "lives as long as the store")] Server,
    );

    impl Service for Shared {
        fn call(&self, context: &Context, request: Request<'_>) -> Result<Response> {
            self.0.call(context, request)
        }
    }

    let server = Server::start(Path::new(socket), null.clone(), Settings::default())?;
    Ok(Arc::new(Shared(null, server)))
}

#[cfg(not(feature = "shm"))]
fn shared(_: Arc<Null>, socket: &str) -> Result<Arc<dyn Service>> {
    let message = format!("null:{socket}: shared memory is not built in");
    Err(Error::new(ErrorKind::Unsupported, message))
}

/// The store.
#[derive(Debug, Default)]
struct Null {
    collections: RwLock<BTreeMap<String, CreateCollection>>,
    sequence: AtomicU64,
}

impl Null {
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<String, CreateCollection>> {
        // The map is whole after every step.
        self.collections
            .read()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<String, CreateCollection>> {
        self.collections
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn create(&self, request: CreateCollection) -> Result<Created> {
        let name = request.collection.clone();
        match self.write().insert(name.clone(), request) {
            None => Ok(Created { collection: name }),
            Some(_) => Err(Error::new(
                ErrorKind::AlreadyExists,
                format!("the collection {name} is there already"),
            )),
        }
    }

    fn describe(&self, name: &str) -> Result<Description> {
        let schema = self.read().get(name).cloned();
        let schema = schema.ok_or_else(|| not_found(name))?;
        let sequence = self.sequence.load(Ordering::Relaxed);
        Ok(Description {
            sequence,
            synced: sequence,
            ..Description::empty(schema)
        })
    }

    fn next_sequence(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl Service for Null {
    fn call(&self, _: &Context, request: Request<'_>) -> Result<Response> {
        request.check()?;
        Ok(match request {
            Request::CreateCollection(request) => Response::CreateCollection(self.create(request)?),
            Request::DropCollection(request) => {
                let gone = self.write().remove(&request.collection);
                gone.ok_or_else(|| not_found(&request.collection))?;
                Response::DropCollection(Dropped {
                    collection: request.collection,
                })
            }
            Request::ListCollections(_) => Response::ListCollections(Listed {
                collections: self.read().keys().cloned().collect(),
            }),
            Request::DescribeCollection(request) => {
                Response::DescribeCollection(self.describe(&request.collection)?)
            }
            Request::Upsert(request) => Response::Upsert(Upserted {
                upserted: request.batch.len() as u64,
                sequence: self.next_sequence(),
            }),
            Request::Get(request) => Response::Get(Got {
                points: vec![None; request.ids.len()],
            }),
            Request::Delete(_) => Response::Delete(Deleted {
                deleted: 0,
                sequence: self.next_sequence(),
            }),
            Request::Search(request) => Response::Search(found(&request)),
            Request::Scan(_) => Response::Scan(Scanned {
                points: Vec::new(),
                next: None,
            }),
            Request::Count(_) => Response::Count(Counted { count: 0 }),
            Request::Flush(_) => Response::Flush(Flushed {
                sequence: self.sequence.load(Ordering::Relaxed),
            }),
            other @ (Request::UpdateMetadata(_) | Request::Compact(_) | Request::Snapshot(_)) => {
                let verb = other.verb();
                let message = format!("null: does not answer {verb}; it is there to measure doors");
                return Err(Error::new(ErrorKind::Unsupported, message));
            }
        })
    }
}

/// As many hits as are asked for, so that doors have them to carry.
fn found(search: &Search<'_>) -> Found {
    let hits = (0..search.limit as u64).map(|id| Hit {
        id: Id::from(id),
        score: 0.0,
        metadata: None,
        vector: None,
    });
    let hits: Vec<Hit> = hits.collect();
    Found {
        results: vec![hits; search.vectors.len()],
        explained: None,
    }
}

fn not_found(name: &str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        format!("there is no collection {name}"),
    )
}
