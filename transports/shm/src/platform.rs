//! What platforms name differently, or lack.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use rustix::event::PollFlags;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{RecvFlags, SendFlags};

/// Sends without the signal that ends programs when the other end is gone.
#[cfg(not(target_vendor = "apple"))]
pub(crate) const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;
/// There is no such flag here: [`prepare`] tells it to each socket.
#[cfg(target_vendor = "apple")]
pub(crate) const NO_SIGNAL: SendFlags = SendFlags::empty();

/// What a poll waits for that only wants to know of a hang-up.
#[cfg(any(target_os = "linux", target_os = "freebsd"))]
pub(crate) const HANG_UP: PollFlags = PollFlags::RDHUP;
/// An end that merely stops to write is noticed here by whoever reads.
#[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
pub(crate) const HANG_UP: PollFlags = PollFlags::HUP;

/// Has descriptors that come along closed in programs that are run.
#[cfg(not(target_vendor = "apple"))]
pub(crate) const CLOSE_ON_RUN: RecvFlags = RecvFlags::CMSG_CLOEXEC;
/// There is no such flag here: [`close_on_run`] tells it to each descriptor.
#[cfg(target_vendor = "apple")]
pub(crate) const CLOSE_ON_RUN: RecvFlags = RecvFlags::empty();

/// Makes a fresh socket what it is on Linux: one that waits, whatever its listener does, and raises no
/// signal.
pub(crate) fn prepare(socket: &UnixStream) -> io::Result<()> {
    #[cfg(target_vendor = "apple")]
    rustix::net::sockopt::set_socket_nosigpipe(socket, true)?;
    match cfg!(target_os = "linux") {
        true => Ok(()),
        false => socket.set_nonblocking(false),
    }
}

/// Has a descriptor that came along closed in programs that are run, where [`CLOSE_ON_RUN`] did not.
pub(crate) fn close_on_run(descriptor: &OwnedFd) -> io::Result<()> {
    match cfg!(target_vendor = "apple") {
        true => Ok(fcntl_setfd(descriptor, FdFlags::CLOEXEC)?),
        false => Ok(()),
    }
}
