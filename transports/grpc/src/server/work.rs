//! Calls the engine, which blocks, without stalling the runtime.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use nearfield_model::{Cancellation, Context, Error, ErrorKind, Response, Result, Stage};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::Door;
use crate::convert::Incoming;

/// Query vectors of a search that counts as short, at most.
const SHORT_SEARCH_VECTORS: usize = 16;

/// Answers a request that has arrived. The context comes back with the stages.
pub(super) async fn work(
    door: &Arc<Door>,
    context: Context,
    incoming: Incoming,
) -> (Context, Result<Response>) {
    let start = Instant::now();
    let permit = match wait(door, &context).await {
        Ok(permit) => permit,
        Err(error) => return (context, Err(error)),
    };
    context.stages.add(Stage::Queue, start.elapsed());
    let short = is_short(&incoming);
    let cancellation = context.cancellation.clone();
    let call = {
        let door = Arc::clone(door);
        move || {
            let called = catch_unwind(AssertUnwindSafe(|| call(&door, &context, &incoming)));
            (context, called.unwrap_or_else(|_| Err(panicked())))
        }
    };
    // A sleeping core takes longer to wake than a short call takes to answer, so such a call
    // stays on this thread, whose other tasks move to another one.
    let answer = if short && Handle::current().runtime_flavor() == RuntimeFlavor::MultiThread {
        tokio::task::block_in_place(call)
    } else {
        let mut abandoned = CancelOnDrop(cancellation);
        let answer = tokio::task::spawn_blocking(call).await;
        abandoned.0 = None;
        answer.unwrap_or_else(|_| (Context::default(), Err(panicked())))
    };
    drop(permit);
    answer
}

fn call(door: &Door, context: &Context, incoming: &Incoming) -> Result<Response> {
    let request = context.stages.time(Stage::Decode, || incoming.request())?;
    context.require(request.right())?;
    context.check()?;
    let start = Instant::now();
    let answer = door.service.call(context, request);
    context.stages.add(Stage::Engine, start.elapsed());
    answer
}

fn panicked() -> Error {
    Error::internal("the call panicked; the server's log tells where")
}

/// Waits for a place in the engine, up to the deadline.
async fn wait<'d>(door: &'d Door, context: &Context) -> Result<tokio::sync::SemaphorePermit<'d>> {
    if let Ok(permit) = door.calls.try_acquire() {
        return Ok(permit);
    }
    let closing = |_| Error::new(ErrorKind::Unavailable, "the server is closing");
    let acquire = door.calls.acquire();
    match context.deadline {
        None => acquire.await.map_err(closing),
        Some(deadline) => match tokio::time::timeout_at(deadline.into(), acquire).await {
            Ok(permit) => permit.map_err(closing),
            Err(_) => Err(context.check().err().unwrap_or_else(|| {
                Error::new(
                    ErrorKind::DeadlineExceeded,
                    "the deadline passed in the queue",
                )
            })),
        },
    }
}

/// Whether a request is answered soon, or cannot be abandoned anyway.
fn is_short(incoming: &Incoming) -> bool {
    match incoming {
        Incoming::Search(search) => {
            let row = usize::try_from(search.dimension).unwrap_or(usize::MAX);
            let exact = search.recall.is_some_and(|recall| recall >= 1.0);
            !exact && search.vectors.len() / 4 <= row.saturating_mul(SHORT_SEARCH_VECTORS)
        }
        Incoming::Upsert(_)
        | Incoming::Get(_)
        | Incoming::ListCollections(_)
        | Incoming::DescribeCollection(_) => true,
        Incoming::CreateCollection(_)
        | Incoming::DropCollection(_)
        | Incoming::Delete(_)
        | Incoming::UpdateMetadata(_)
        | Incoming::Scan(_)
        | Incoming::Count(_)
        | Incoming::Flush(_)
        | Incoming::Compact(_)
        | Incoming::Snapshot(_) => false,
    }
}

/// Cancels the call whose caller went away.
struct CancelOnDrop(Option<Cancellation>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        if let Some(cancellation) = &self.0 {
            cancellation.cancel();
        }
    }
}
