//! One call's queries among threads.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use nearfield_model::{Hit, Result};

use super::candidates::Scratch;
use super::query::Query;
use super::trace::Trace;
use super::{Answers, QUERIES_TOGETHER};

/// Queries of the smallest parts that threads take.
const QUERIES_PER_PART_MIN: usize = 4;
/// How long a thread sleeps at most until the threads that it made begin.
const START_MAX: Duration = Duration::from_micros(200);
/// The number of the first query of a part, and the hits of each.
type Part = (usize, Vec<Vec<Hit>>);

/// Has threads take parts of the queries until none is left: one that starts late, as a core that
/// sleeps does, takes fewer. A virtual machine's kernel takes a core that sleeps for one that its host
/// has taken away, and queues a new thread behind the one that made it. So that one sees after its
/// first part whether the others have begun, and if not, lets them: then they [move](spread).
pub(super) fn in_threads(
    queries: &[Query<'_>],
    threads: NonZeroUsize,
    trace: &Trace,
    answer: &(dyn Fn(&[Query<'_>], &mut Scratch, Trace) -> Answers + Sync),
) -> Answers {
    let parts = parts(queries.len(), threads);
    let next = AtomicUsize::new(0);
    let take = || parts.get(next.fetch_add(1, Ordering::Relaxed));
    let work =
        |mut trace: Trace, mut after_part: Option<&dyn Fn()>| -> Result<(Vec<Part>, Trace)> {
            let mut answered = Vec::new();
            // One for all parts: threads that allocate much wait for each other.
            let mut scratch = Scratch::default();
            while let Some(part) = take() {
                let (results, its) = answer(&queries[part.clone()], &mut scratch, trace.sibling())?;
                trace.add(&its);
                answered.push((part.start, results));
                if let Some(after_part) = after_part.take() {
                    after_part();
                }
            }
            Ok((answered, trace))
        };
    let (begun, started) = (Mutex::new(0), Condvar::new());
    let here = core();
    std::thread::scope(|scope| {
        let (work, begun, started) = (&work, &begun, &started);
        let others: Vec<_> = (1..threads.get())
            .map(|_| {
                let trace = trace.sibling();
                scope.spawn(move || {
                    spread(here);
                    *begun.lock().unwrap_or_else(PoisonError::into_inner) += 1;
                    started.notify_one();
                    work(trace, None)
                })
            })
            .collect();
        let make_room = || {
            let begun = begun.lock().unwrap_or_else(PoisonError::into_inner);
            let is_due = |begun: &mut usize| *begun < others.len();
            // Past the time one goes on alone.
            let _begun = started.wait_timeout_while(begun, START_MAX, is_due);
        };
        let (mut answered, mut trace) = work(trace.sibling(), Some(&make_room))?;
        for other in others {
            let part = other
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            let (part, other) = part?;
            answered.extend(part);
            trace.add(&other);
        }
        answered.sort_unstable_by_key(|(start, _)| *start);
        let results = answered.into_iter().flat_map(|(_, results)| results);
        Ok((results.collect(), trace))
    })
}

/// Parts of `count` queries for so many threads to take one after the other: a small one, while
/// the other threads start, then as many as go through the rows together, and fewer towards the end, so
/// that all threads end at about the same time (guided self-scheduling, Polychronopoulos and Kuck 1987).
fn parts(count: usize, threads: NonZeroUsize) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let mut start = 0;
    while start < count {
        let left = count - start;
        let length = match start {
            0 => QUERIES_PER_PART_MIN,
            _ => (left / (2 * threads.get())).clamp(QUERIES_PER_PART_MIN, QUERIES_TOGETHER),
        };
        let end = count.min(start + length);
        parts.push(start..end);
        start = end;
    }
    parts
}

/// The core that this thread runs on, where that can be told.
fn core() -> Option<usize> {
    #[cfg(target_os = "linux")]
    return Some(rustix::thread::sched_getcpu());
    #[cfg(not(target_os = "linux"))]
    None
}

/// Has a thread that is on `core` go on on another, if it may run on one.
fn spread(core: Option<usize>) {
    #[cfg(target_os = "linux")]
    if let Some(core) = core.filter(|core| *core == rustix::thread::sched_getcpu())
        && let Ok(mut cores) = rustix::thread::sched_getaffinity(None)
        && cores.count() > 1
        && core < rustix::thread::CpuSet::MAX_CPU
    {
        cores.unset(core);
        // Where it is refused, the thread stays.
        let _ = rustix::thread::sched_setaffinity(None, &cores);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = core;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_all_queries_and_get_smaller() {
        for threads in [2, 3, 16].map(|threads| NonZeroUsize::new(threads).unwrap()) {
            for count in [0, 1, 15, 16, 100, 10_000] {
                let parts = parts(count, threads);
                let lengths: Vec<usize> = parts.iter().map(Range::len).collect();
                assert_eq!(lengths.iter().sum::<usize>(), count);
                assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
                let after_first = lengths.get(1..).unwrap_or_default();
                assert!(after_first.is_sorted_by(|one, next| one >= next));
                assert!(lengths.iter().all(|length| *length <= QUERIES_TOGETHER));
            }
        }
    }
}
