//! Control-C during a call. Python's own handler of signals only leaves a note, which the main
//! thread reads between two steps of its program; a thread inside of a call would never look. So
//! a handler in front of Python's also cancels the call of the main thread.

#[cfg(not(unix))]
pub(crate) use elsewhere::{prepare, watch};
#[cfg(unix)]
pub(crate) use unix::{prepare, watch};

/// Where signals work otherwise, an interrupt is raised when the call has ended.
#[cfg(not(unix))]
mod elsewhere {
    use nearfield::Context;
    use pyo3::prelude::*;

    pub(crate) fn prepare(_py: Python<'_>) -> PyResult<()> {
        Ok(())
    }

    pub(crate) fn watch(_py: Python<'_>, _context: &mut Context, _long: bool) -> PyResult<()> {
        Ok(())
    }
}

#[cfg(unix)]
mod unix {
    use std::cell::Cell;
    use std::ptr;
    use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
    use std::time::{Duration, Instant};

    use nearfield::{Cancellation, Context};
    use pyo3::prelude::*;

    /// Between two looks at the handler before calls that are short as a rule.
    const LOOK_PAUSE: Duration = Duration::from_millis(50);

    thread_local! {
        /// When the main thread last looked at the handler.
        static LOOKED: Cell<Instant> = Cell::new(Instant::now());
    }

    /// The thread that Python runs its handlers on.
    static MAIN_THREAD: AtomicUsize = AtomicUsize::new(0);
    /// Cancels the call of the main thread, which makes one at a time. It is never freed, since
    /// the handler may look at it whenever; each interrupt makes another.
    static CALL: AtomicPtr<Cancellation> = AtomicPtr::new(ptr::null_mut());
    /// The handler that was there when ours came, and the one that ours stands in front of at
    /// present.
    static FIRST: Before = Before::none();
    static BEFORE: Before = Before::none();
    /// Handlers of ours at work.
    static DEPTH: AtomicUsize = AtomicUsize::new(0);

    /// A handler, and how it is called.
    struct Before {
        handler: AtomicUsize,
        flags: AtomicUsize,
    }

    impl Before {
        const fn none() -> Before {
            Before {
                handler: AtomicUsize::new(0),
                flags: AtomicUsize::new(0),
            }
        }

        fn is_none(&self) -> bool {
            self.handler.load(Ordering::Acquire) == 0
        }

        fn set(&self, action: &libc::sigaction) {
            self.flags
                .store(action.sa_flags as usize, Ordering::Relaxed);
            self.handler.store(action.sa_sigaction, Ordering::Release);
        }

        fn call(
            &self,
            signal: libc::c_int,
            info: *mut libc::siginfo_t,
            context: *mut libc::c_void,
        ) {
            let handler = self.handler.load(Ordering::Acquire);
            if handler == 0 {
                return;
            }
            if self.flags.load(Ordering::Relaxed) as libc::c_int & libc::SA_SIGINFO != 0 {
                type Informed = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
                // SAFETY: it was a handler of this signal with SA_SIGINFO, so it has this type.
                let handler: Informed = unsafe { std::mem::transmute(handler) };
                handler(signal, info, context);
            } else {
                // SAFETY: it was a handler of this signal without SA_SIGINFO, so it has this type.
                let handler: extern "C" fn(libc::c_int) = unsafe { std::mem::transmute(handler) };
                handler(signal);
            }
        }
    }

    /// Learns which thread is the main one, and stands in front of Python's handler.
    pub(crate) fn prepare(py: Python<'_>) -> PyResult<()> {
        let main = py.import("threading")?.call_method0("main_thread")?;
        let ident: usize = main.getattr("ident")?.extract()?;
        MAIN_THREAD.store(ident, Ordering::Relaxed);
        renew();
        stand_in_front();
        Ok(())
    }

    /// Lets an interrupt cancel the call of `context`, if this is the main thread; raises one that
    /// came before. Whether another handler was set meanwhile is looked at before calls that may
    /// be `long`, and now and then.
    pub(crate) fn watch(py: Python<'_>, context: &mut Context, long: bool) -> PyResult<()> {
        // SAFETY: no precondition.
        let this = unsafe { libc::pthread_self() } as usize;
        if this != MAIN_THREAD.load(Ordering::Relaxed) {
            return Ok(());
        }
        LOOKED.with(|looked| {
            let now = Instant::now();
            if long || now.duration_since(looked.get()) > LOOK_PAUSE {
                looked.set(now);
                stand_in_front();
            }
        });
        let mut call = present();
        if call.is_some_and(Cancellation::is_cancelled) {
            call = Some(renew());
            // A signal between these two lines cancels the call; one before is raised here.
            py.check_signals()?;
        }
        context.cancellation = call.cloned();
        Ok(())
    }

    fn present() -> Option<&'static Cancellation> {
        // SAFETY: null, or made by `renew` and never freed.
        unsafe { CALL.load(Ordering::Acquire).as_ref() }
    }

    fn renew() -> &'static Cancellation {
        let call = Box::leak(Box::default());
        CALL.store(call, Ordering::Release);
        call
    }

    fn stand_in_front() {
        // SAFETY: both structures are valid for the calls; zeros are a valid `sigaction`. What is
        // put in front calls what was there, which stays a function of this process.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            if libc::sigaction(libc::SIGINT, ptr::null(), &mut action) != 0 {
                return;
            }
            let ours = on_interrupt as *const () as usize;
            let handler = action.sa_sigaction;
            if handler == ours || handler == libc::SIG_DFL || handler == libc::SIG_IGN {
                return;
            }
            if FIRST.is_none() {
                FIRST.set(&action);
            }
            BEFORE.set(&action);
            action.sa_sigaction = ours;
            action.sa_flags |= libc::SA_SIGINFO;
            let _kept_as_it_was = libc::sigaction(libc::SIGINT, &action, ptr::null_mut());
        }
    }

    /// Runs in the middle of anything, so it only stores a flag and calls the handler before.
    extern "C" fn on_interrupt(
        signal: libc::c_int,
        info: *mut libc::siginfo_t,
        context: *mut libc::c_void,
    ) {
        if let Some(call) = present() {
            call.cancel();
        }
        // Who came in front of ours later may call ours, which is behind it as well as in front.
        let before = match DEPTH.fetch_add(1, Ordering::AcqRel) {
            0 => &BEFORE,
            _ => &FIRST,
        };
        before.call(signal, info, context);
        DEPTH.fetch_sub(1, Ordering::AcqRel);
    }
}
