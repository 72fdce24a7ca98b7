//! The client half: blocking calls over one connection that is made when it is first needed.

mod attempt;
mod body;
mod connection;
mod gather;
mod ingest;
mod retry;
mod settings;
mod target;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use nearfield_model::{
    Context, Error, Request, RequestId, Response, Result, Rights, Service, Stage,
};
use tokio::runtime::Runtime;

use crate::convert::{encode_request, method};
use attempt::Call;
use connection::Connection;

pub use settings::Settings;
use target::Target;

/// A Nearfield server behind gRPC.
///
/// Threads share it and its one connection. The thread that waits for an answer is the one that
/// moves the bytes, so a call wakes no other thread; nothing happens between calls. A call that
/// fails on its way is tried again where that is safe: writes bear a request id, which the
/// engine applies once.
pub struct Client {
    /// There until the client is dropped.
    runtime: Option<Runtime>,
    connection: Connection,
    settings: Settings,
    writer: [u8; 16],
    next_number: AtomicU64,
}

impl Client {
    /// A client of `grpc://host:port` or `grpcs://host:port` (TLS); the port is 6327 unless
    /// given. The server is not called yet.
    ///
    /// # Errors
    /// `InvalidArgument` if the target or the roots cannot be read.
    pub fn connect(target: &str, settings: Settings) -> Result<Self> {
        let target = Target::parse(target)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Error::internal(format!("no runtime: {error}")))?;
        let mut writer = [0; 16];
        getrandom::fill(&mut writer)
            .map_err(|error| Error::internal(format!("no random bytes: {error}")))?;
        Ok(Client {
            runtime: Some(runtime),
            connection: Connection::new(target, &settings)?,
            settings,
            writer,
            next_number: AtomicU64::new(1),
        })
    }

    /// A request id for a write whose caller gave none.
    fn new_request_id(&self) -> RequestId {
        RequestId {
            client: self.writer,
            number: self.next_number.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// When a call that starts now has to end. What may take as long as the disk needs has no
    /// end of its own.
    fn deadline(&self, context: &Context, request: &Request<'_>) -> Option<Instant> {
        let timeout = match request {
            Request::Compact(_) | Request::Snapshot(_) => None,
            _ => self.settings.timeout,
        };
        context
            .deadline
            .or_else(|| Instant::now().checked_add(timeout?))
    }

    /// Waits for `work` on this thread.
    fn wait<T: Send>(&self, work: impl Future<Output = T> + Send) -> Result<T> {
        let runtime = self
            .runtime
            .as_ref()
            .ok_or_else(|| Error::internal("the client is dropped"))?;
        if tokio::runtime::Handle::try_current().is_err() {
            return Ok(runtime.block_on(work));
        }
        // Inside another runtime a thread may not wait, except one that is made for it.
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| runtime.block_on(work));
            waiting
                .join()
                .map_err(|_| Error::internal("a call of the client panicked"))
        })
    }
}

impl Service for Client {
    fn call(&self, context: &Context, request: Request<'_>) -> Result<Response> {
        context.check()?;
        request.check()?;
        let message = context
            .stages
            .time(Stage::ClientEncode, || encode_request(&request))?;
        let call = Call {
            method: method(&request),
            message,
            request_id: (request.right() > Rights::Read)
                .then(|| context.request_id.unwrap_or_else(|| self.new_request_id())),
            deadline: self.deadline(context, &request),
            cancellation: context.cancellation.as_ref(),
            stages: &context.stages,
        };
        self.wait(retry::call(self, &call, retry::is_repeatable(&request)))?
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("connection", &self.connection)
            .finish_non_exhaustive()
    }
}
