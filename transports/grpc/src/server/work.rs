//! Calls the engine, which blocks, without stalling the runtime.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use nearfield_model::{Cancellation, Context, Error, ErrorKind, Response, Result, Stage};
use tokio::runtime::{Handle, RuntimeFlavor};

use super::Door;
use crate::convert::Incoming;

/// Query vectors of a quick search, at most.
const QUICK_VECTORS: usize = 4;

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
    let pace = pace(&incoming);
    let cancellation = context.cancellation.clone();
    let call = {
        let door = Arc::clone(door);
        move || {
            context.stages.add(Stage::Queue, start.elapsed());
            let called = catch_unwind(AssertUnwindSafe(|| call(&door, &context, &incoming)));
            (context, called.unwrap_or_else(|_| Err(panicked())))
        }
    };
    // A sleeping core takes longer to wake than a quick call takes to answer, so such a call
    // stays on this thread as long as another one is left for the sockets; from a call that may
    // last, the thread's other tasks move away.
    let runtime = Handle::current();
    let many = runtime.runtime_flavor() == RuntimeFlavor::MultiThread;
    let here = match pace {
        Pace::Quick if many => Here::take(&door.here, runtime.metrics().num_workers()),
        _ => None,
    };
    let answer = if here.is_some() {
        call()
    } else if many && pace != Pace::Long {
        tokio::task::block_in_place(call)
    } else {
        let mut abandoned = CancelOnDrop(cancellation);
        let answer = tokio::task::spawn_blocking(call).await;
        abandoned.0 = None;
        answer.unwrap_or_else(|_| (Context::default(), Err(panicked())))
    };
    drop(here);
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

/// How long a request is likely to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pace {
    /// About as long as it takes to wake a thread.
    Quick,
    /// As long as the disk takes, and it cannot be abandoned half-way.
    Disk,
    /// Perhaps so long that its caller gives up.
    Long,
}

fn pace(incoming: &Incoming) -> Pace {
    match incoming {
        Incoming::Search(search) => {
            let row = usize::try_from(search.dimension).unwrap_or(usize::MAX);
            let few = row == 0 || search.vectors.len() / 4 <= row.saturating_mul(QUICK_VECTORS);
            match search.recall {
                Some(recall) if recall >= 1.0 => Pace::Long,
                _ if few && search.filter.is_none() => Pace::Quick,
                _ => Pace::Long,
            }
        }
        Incoming::ListCollections(_) | Incoming::DescribeCollection(_) => Pace::Quick,
        Incoming::Upsert(_) | Incoming::Get(_) => Pace::Disk,
        Incoming::CreateCollection(_)
        | Incoming::DropCollection(_)
        | Incoming::Delete(_)
        | Incoming::UpdateMetadata(_)
        | Incoming::Scan(_)
        | Incoming::Count(_)
        | Incoming::Flush(_)
        | Incoming::Compact(_)
        | Incoming::Snapshot(_) => Pace::Long,
    }
}

/// A place for a call on a thread that drives sockets too; one thread is always left to them.
struct Here<'d>(&'d AtomicUsize);

impl<'d> Here<'d> {
    fn take(taken: &'d AtomicUsize, threads: usize) -> Option<Self> {
        let more = |taken: usize| (taken + 1 < threads).then_some(taken + 1);
        taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, more)
            .ok()
            .map(|_| Here(taken))
    }
}

impl Drop for Here<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
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
