//! The credentials of a socket's other end, as the operating system tells them.

#![allow(
    unsafe_code,
    reason = "the safe interface has no room for a process of another container, whose number is 0"
)]

use std::io;
use std::os::fd::{AsFd, AsRawFd as _};

/// The number of the process, 0 if it is not to be seen from here, and its user.
#[cfg(target_os = "linux")]
pub(crate) fn of(socket: impl AsFd) -> io::Result<(i32, u32)> {
    let mut credentials = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    let mut length = libc::socklen_t::try_from(size_of::<libc::ucred>())
        .map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: the kernel writes at most `length` bytes into a structure of that length, of
    // which any bytes are valid.
    let failed = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut credentials).cast(),
            &raw mut length,
        )
    };
    match failed {
        0 => Ok((credentials.pid, credentials.uid)),
        _ => Err(io::Error::last_os_error()),
    }
}

/// No number of the process, 0, and its user.
#[cfg(not(target_os = "linux"))]
pub(crate) fn of(socket: impl AsFd) -> io::Result<(i32, u32)> {
    let (mut user, mut group) = (0, 0);
    // SAFETY: the system writes the two numbers, or fails.
    let failed =
        unsafe { libc::getpeereid(socket.as_fd().as_raw_fd(), &raw mut user, &raw mut group) };
    match failed {
        0 => Ok((0, user)),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_other_end_of_a_pair_is_this_process() {
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let (pid, uid) = super::of(&one).unwrap();
        if cfg!(target_os = "linux") {
            assert_eq!(pid, i32::try_from(std::process::id()).unwrap());
        }
        assert_eq!(uid, rustix::process::geteuid().as_raw());
    }
}
