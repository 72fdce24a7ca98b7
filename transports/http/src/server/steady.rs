//! A task that wakes itself goes on at once. The runtime would put it into its queue and wake
//! another thread to look there, which one lone request would pay for.

use std::pin::pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

/// So often a task goes on by itself before others have their turn.
const TURNS_MAX: usize = 16;

const WAITING: u8 = 0;
const RUNNING: u8 = 1;
const WOKEN: u8 = 2;

/// Runs `future`; whenever it woke itself while it ran, it runs again.
pub(crate) async fn steady<F: Future>(future: F) -> F::Output {
    let bell = Arc::new(Bell {
        state: AtomicU8::new(WAITING),
        outer: Mutex::new(Waker::noop().clone()),
    });
    let waker = Waker::from(Arc::clone(&bell));
    let mut future = pin!(future);
    std::future::poll_fn(move |context| {
        bell.connect(context.waker());
        for _ in 0..TURNS_MAX {
            bell.state.store(RUNNING, Ordering::Release);
            let mut inner = Context::from_waker(&waker);
            if let Poll::Ready(output) = future.as_mut().poll(&mut inner) {
                return Poll::Ready(output);
            }
            if bell.rests() {
                return Poll::Pending;
            }
        }
        bell.state.store(WAITING, Ordering::Release);
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// What wakes the task: itself while it runs, the runtime's waker otherwise.
struct Bell {
    state: AtomicU8,
    outer: Mutex<Waker>,
}

impl Bell {
    /// Takes the waker of the task, which may have changed.
    fn connect(&self, waker: &Waker) {
        let mut outer = self.outer.lock().unwrap_or_else(PoisonError::into_inner);
        if !outer.will_wake(waker) {
            outer.clone_from(waker);
        }
    }

    /// Whether nobody rang while the task ran.
    fn rests(&self) -> bool {
        let (from, to) = (RUNNING, WAITING);
        self.state
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let (from, to) = (RUNNING, WOKEN);
        let before = self
            .state
            .compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire);
        if before == Err(WAITING) {
            let outer = self.outer.lock().unwrap_or_else(PoisonError::into_inner);
            outer.wake_by_ref();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[derive(Default)]
    struct Rings(AtomicUsize);

    impl Wake for Rings {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A future that wakes itself so often, and notes its wakers.
    async fn restless(times: usize, seen: &Mutex<Vec<Waker>>) {
        let mut left = times;
        std::future::poll_fn(|context| {
            seen.lock().unwrap().push(context.waker().clone());
            if left == 0 {
                return Poll::Ready(());
            }
            left -= 1;
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    #[test]
    fn a_task_that_wakes_itself_ends_in_one_turn_and_wakes_nobody() {
        let (rings, seen) = (Arc::new(Rings::default()), Mutex::default());
        let waker = Waker::from(Arc::clone(&rings));
        let mut task = pin!(steady(restless(TURNS_MAX - 1, &seen)));
        assert!(
            task.as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_ready()
        );
        assert_eq!(rings.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn a_task_that_never_rests_lets_others_have_their_turn() {
        let (rings, seen) = (Arc::new(Rings::default()), Mutex::default());
        let waker = Waker::from(Arc::clone(&rings));
        let mut task = pin!(steady(restless(TURNS_MAX, &seen)));
        let mut context = Context::from_waker(&waker);
        assert!(task.as_mut().poll(&mut context).is_pending());
        assert_eq!(rings.0.load(Ordering::Relaxed), 1);
        assert!(task.as_mut().poll(&mut context).is_ready());
    }

    #[test]
    fn a_task_that_rests_is_woken_by_its_runtime() {
        let (rings, seen) = (Arc::new(Rings::default()), Mutex::<Vec<Waker>>::default());
        let waker = Waker::from(Arc::clone(&rings));
        let waiting = std::future::poll_fn(|context| {
            seen.lock().unwrap().push(context.waker().clone());
            Poll::<()>::Pending
        });
        let mut task = pin!(steady(waiting));
        let mut context = Context::from_waker(&waker);
        assert!(task.as_mut().poll(&mut context).is_pending());
        seen.lock().unwrap()[0].wake_by_ref();
        assert_eq!(rings.0.load(Ordering::Relaxed), 1);
    }
}
