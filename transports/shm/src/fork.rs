//! What happens to descriptors when the process forks: the child closes them.
//!
//! A forked child that kept a socket open would hide its parent's death, and one that kept a
//! lock's descriptor would keep the lock. Descriptors that are registered here are closed in the
//! child before `fork` returns there; [`generation`] tells the child that it is one.

#![allow(
    unsafe_code,
    reason = "the handler of fork is set through the C library"
)]

use std::os::fd::RawFd;
use std::sync::Once;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

/// Descriptors that are registered at once, at most.
const PLACES: usize = 16_384;
const FREE: i32 = -1;

static DESCRIPTORS: [AtomicI32; PLACES] = [const { AtomicI32::new(FREE) }; PLACES];
/// No place from here on was ever taken.
static REACH: AtomicU64 = AtomicU64::new(0);
static GENERATION: AtomicU64 = AtomicU64::new(0);
static HANDLER: Once = Once::new();

/// How many forks lie between this process and the first one that used this crate, counted in
/// the children. Who keeps state that a child must not use remembers the number, and compares.
pub fn generation() -> u64 {
    HANDLER.call_once(install);
    GENERATION.load(Ordering::Relaxed)
}

/// A registered descriptor; dropping this ends the registration, and closes nothing.
#[derive(Debug)]
#[must_use = "the registration ends when this is dropped"]
pub struct Registration {
    place: Option<usize>,
    generation: u64,
}

/// Has `fd` closed in children that are forked from now on. Drop the registration before the
/// descriptor is closed, or the child would close another that got its number.
///
/// A process that holds over 16,384 registrations registers no more; its children then keep what is
/// beyond until they run another program.
pub fn close_in_child(fd: RawFd) -> Registration {
    let generation = generation();
    let place = DESCRIPTORS.iter().position(|place| {
        place
            .compare_exchange(FREE, fd, Ordering::SeqCst, Ordering::Relaxed)
            .is_ok()
    });
    if let Some(place) = place {
        REACH.fetch_max(place as u64 + 1, Ordering::SeqCst);
    }
    Registration { place, generation }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // In a child the place is free already, and may be another's.
        if let Some(place) = self.place
            && self.generation == generation()
        {
            DESCRIPTORS[place].store(FREE, Ordering::SeqCst);
        }
    }
}

fn install() {
    // SAFETY: the handler is a function that lives as long as the program, and only does what is
    // safe after a fork in a process of many threads: it takes no lock and no memory.
    let failed = unsafe { libc::pthread_atfork(None, None, Some(in_child)) };
    debug_assert_eq!(failed, 0, "out of memory for a handler");
}

extern "C" fn in_child() {
    GENERATION.fetch_add(1, Ordering::SeqCst);
    let reach = usize::try_from(REACH.load(Ordering::SeqCst)).unwrap_or(PLACES);
    for place in &DESCRIPTORS[..reach.min(PLACES)] {
        let fd = place.swap(FREE, Ordering::SeqCst);
        if fd != FREE {
            // SAFETY: the descriptor was open when the process forked, as whoever registered it
            // unregisters it before closing it; nobody in the child uses it, as they look at the
            // generation first. `close` is safe to call here.
            unsafe { libc::close(fd) };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::os::fd::AsRawFd as _;

    use super::*;

    #[test]
    fn a_child_closes_what_is_registered_and_keeps_the_rest() {
        let (registered, kept, given_up) = (open(), open(), open());
        let _registration = close_in_child(registered.as_raw_fd());
        drop(close_in_child(given_up.as_raw_fd()));
        let before = generation();
        // SAFETY: the child only asks for descriptors and ends at once.
        match unsafe { libc::fork() } {
            0 => {
                let is_open = |fd: RawFd| {
                    // SAFETY: asks for the flags of a number, whatever it stands for.
                    unsafe { libc::fcntl(fd, libc::F_GETFD) != -1 }
                };
                let right = !is_open(registered.as_raw_fd())
                    && is_open(kept.as_raw_fd())
                    && is_open(given_up.as_raw_fd())
                    && generation() == before + 1;
                // SAFETY: ends the child without running what belongs to the parent.
                unsafe { libc::_exit(i32::from(!right)) }
            }
            child => {
                let mut status = 0;
                // SAFETY: waits for the child of above.
                assert_eq!(unsafe { libc::waitpid(child, &mut status, 0) }, child);
                assert_eq!(status, 0, "the child found something else");
                assert_eq!(generation(), before);
            }
        }
    }

    fn open() -> File {
        File::open("/dev/null").unwrap()
    }
}
