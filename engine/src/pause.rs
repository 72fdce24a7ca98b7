//! Moments between two steps of publishing. A test may let others go on there; otherwise nothing
//! happens.

#[cfg(test)]
use std::cell::RefCell;
#[cfg(test)]
use std::rc::Rc;

#[cfg(test)]
thread_local! {
    static HOOK: RefCell<Option<Rc<dyn Fn()>>> = const { RefCell::new(None) };
}

/// A moment at which other threads may have gone on. Nothing that they wait for is held.
#[inline]
pub(crate) fn pause() {
    #[cfg(test)]
    if let Some(hook) = HOOK.with_borrow(Clone::clone) {
        hook();
    }
}

/// Has the pauses of this thread call `hook` as long as `run` runs.
#[cfg(test)]
pub(crate) fn with_hook<T>(hook: impl Fn() + 'static, run: impl FnOnce() -> T) -> T {
    struct Unset;
    impl Drop for Unset {
        fn drop(&mut self) {
            HOOK.set(None);
        }
    }
    HOOK.set(Some(Rc::new(hook)));
    let _unset = Unset;
    run()
}
