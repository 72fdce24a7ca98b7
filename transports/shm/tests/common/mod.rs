//! A service that answers without an engine, a server before it, and clients.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use nearfield_model::{
    Context, Counted, Error, Flushed, Got, Point, Request, Response, Result, Service, Upserted,
};
use nearfield_shm::client::{self, Client};
use nearfield_shm::server::{self, Server};

/// Keeps what was upserted last, and sleeps where that is asked for.
#[derive(Debug, Default)]
pub(crate) struct Fake {
    pub(crate) values: Mutex<Vec<f32>>,
    pub(crate) calls: AtomicU64,
    /// How long an upsert looks at its batch.
    pub(crate) pause_us: AtomicU64,
    /// Batches that changed while they were looked at.
    pub(crate) unstable: AtomicU64,
}

impl Service for Fake {
    fn call(&self, context: &Context, request: Request<'_>) -> Result<Response> {
        self.calls.fetch_add(1, SeqCst);
        request.check()?;
        match request {
            Request::Upsert(upsert) => {
                let first = upsert.batch.clone().into_owned();
                std::thread::sleep(Duration::from_micros(self.pause_us.load(SeqCst)));
                // Compared by their bits: a component may be no number.
                let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                let is_same = bits(&first.values) == bits(&upsert.batch.values)
                    && first.ids == upsert.batch.ids
                    && first.metadata == upsert.batch.metadata;
                self.unstable.fetch_add(u64::from(!is_same), SeqCst);
                *self.values.lock().unwrap() = first.values.into_owned();
                let upserted = upsert.batch.len() as u64;
                let sequence = context.request_id.map_or(0, |id| id.number);
                Ok(Response::Upsert(Upserted { upserted, sequence }))
            }
            Request::Get(get) => {
                let values = self.values.lock().unwrap().clone();
                let points = get.ids.iter().map(|id| {
                    Some(Point {
                        id: id.to_id(),
                        vector: Some(values.clone()),
                        metadata: None,
                    })
                });
                Ok(Response::Get(Got {
                    points: points.collect(),
                }))
            }
            // Sleeps for as many milliseconds as the name says, or until nobody waits.
            Request::Flush(flush) => {
                let milliseconds: u64 = flush.collection.parse().unwrap_or(0);
                for _ in 0..milliseconds {
                    std::thread::sleep(Duration::from_millis(1));
                    context.check()?;
                }
                Ok(Response::Flush(Flushed {
                    sequence: milliseconds,
                }))
            }
            Request::Count(_) => Ok(Response::Count(Counted {
                count: self.calls.load(SeqCst),
            })),
            Request::Compact(_) => panic!("the fake panics here on purpose"),
            _ => Err(Error::invalid("the fake knows no such request")),
        }
    }
}

/// A server before a fake.
pub(crate) struct Owner {
    pub(crate) fake: Arc<Fake>,
    pub(crate) server: Server,
    pub(crate) socket: PathBuf,
    _folder: tempfile::TempDir,
}

impl Owner {
    pub(crate) fn start() -> Owner {
        Owner::with(server::Settings::default())
    }

    pub(crate) fn with(settings: server::Settings) -> Owner {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let fake = Arc::new(Fake::default());
        let service = Arc::clone(&fake) as Arc<dyn Service>;
        Owner {
            server: Server::start(&socket, service, settings).unwrap(),
            fake,
            socket,
            _folder: folder,
        }
    }

    pub(crate) fn guest(&self, memory: bool) -> Client {
        Client::connect(&self.socket, settings(memory)).unwrap()
    }
}

pub(crate) fn settings(memory: bool) -> client::Settings {
    let mut settings = client::Settings::default();
    settings.memory = memory;
    settings.program = "test".to_owned();
    settings
}

/// Waits until something holds.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..5_000 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("it does not come true that {what}");
}
