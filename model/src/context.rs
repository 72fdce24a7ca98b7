//! What surrounds one call: its deadline, its cancellation, who calls, and where its time went.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};

/// The circumstances of one call. `Context::default()` has no deadline, every right, and
/// no request id.
#[derive(Debug, Default)]
pub struct Context {
    /// When the caller stops waiting.
    pub deadline: Option<Instant>,
    /// Set by the caller to abandon the call.
    pub cancellation: Option<Cancellation>,
    /// Names a write, so that a retry is applied once.
    pub request_id: Option<RequestId>,
    /// What the caller may do.
    pub rights: Rights,
    /// Where the time of this call went.
    pub stages: StageClock,
}

impl Context {
    /// A context whose deadline is `timeout` from now.
    pub fn with_timeout(timeout: Duration) -> Self {
        Context {
            deadline: Instant::now().checked_add(timeout),
            ..Context::default()
        }
    }

    /// Fails once the deadline has passed or the caller has cancelled.
    pub fn check(&self) -> Result<()> {
        if self
            .cancellation
            .as_ref()
            .is_some_and(Cancellation::is_cancelled)
        {
            return Err(Error::new(
                ErrorKind::Cancelled,
                "the caller cancelled the request",
            ));
        }
        if self
            .deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
        {
            return Err(Error::new(
                ErrorKind::DeadlineExceeded,
                "the deadline passed; allow more time or ask for less per request",
            ));
        }
        Ok(())
    }

    /// Fails unless the caller has `right`.
    pub fn require(&self, right: Rights) -> Result<()> {
        if self.rights < right {
            return Err(Error::new(
                ErrorKind::Forbidden,
                format!("this request needs the {} right", right.as_str()),
            ));
        }
        Ok(())
    }
}

/// A flag by which a caller abandons a call, from any thread.
#[derive(Clone, Debug, Default)]
pub struct Cancellation(Arc<AtomicBool>);

impl Cancellation {
    /// Abandons the calls that hold this flag.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether [`cancel`](Self::cancel) was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The name of a write: a client, and that client's number for it. A number is used once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId {
    /// The writer, chosen at random.
    pub client: [u8; 16],
    /// Counted by the writer.
    pub number: u64,
}

/// What a caller may do; each right includes those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rights {
    /// Reading requests.
    Read,
    /// Reading and writing points.
    Write,
    /// Everything, collections and snapshots included.
    #[default]
    Admin,
}

impl Rights {
    /// `read`, `write` or `admin`.
    pub fn as_str(self) -> &'static str {
        match self {
            Rights::Read => "read",
            Rights::Write => "write",
            Rights::Admin => "admin",
        }
    }
}

/// A stretch of a call's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    /// The client turns the request into bytes.
    ClientEncode,
    /// The request's bytes travel.
    Send,
    /// The server turns bytes into a request.
    Decode,
    /// Bytes are copied within a process.
    Copy,
    /// The request waits for its turn.
    Queue,
    /// The engine works.
    Engine,
    /// The server turns the response into bytes.
    Encode,
    /// The response's bytes travel.
    Receive,
    /// The client turns bytes into a response.
    ClientDecode,
    /// A language border is crossed.
    Ffi,
}

impl Stage {
    /// All stages, in the order of a call's way.
    pub const ALL: [Stage; 10] = [
        Stage::ClientEncode,
        Stage::Send,
        Stage::Decode,
        Stage::Copy,
        Stage::Queue,
        Stage::Engine,
        Stage::Encode,
        Stage::Receive,
        Stage::ClientDecode,
        Stage::Ffi,
    ];

    /// The stage's name in `Server-Timing` and in the ladder, such as `client_encode`.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::ClientEncode => "client_encode",
            Stage::Send => "send",
            Stage::Decode => "decode",
            Stage::Copy => "copy",
            Stage::Queue => "queue",
            Stage::Engine => "engine",
            Stage::Encode => "encode",
            Stage::Receive => "receive",
            Stage::ClientDecode => "client_decode",
            Stage::Ffi => "ffi",
        }
    }
}

/// Adds up the time that one call spends per [`Stage`].
#[derive(Debug, Default)]
pub struct StageClock([AtomicU64; Stage::ALL.len()]);

impl StageClock {
    /// Adds `time` to a stage.
    pub fn add(&self, stage: Stage, time: Duration) {
        let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.0[stage as usize].fetch_add(nanoseconds, Ordering::Relaxed);
    }

    /// Runs `work` and adds its time to a stage.
    pub fn time<T>(&self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.add(stage, start.elapsed());
        result
    }

    /// The time added to a stage so far.
    pub fn get(&self, stage: Stage) -> Duration {
        Duration::from_nanos(self.0[stage as usize].load(Ordering::Relaxed))
    }
}
