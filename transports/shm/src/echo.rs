//! The bare primitives that the doors stand on, with the same waiting and nothing else: what a door's
//! latency is measured against.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nearfield_model::{Error, ErrorKind, Result};

use crate::address;
use crate::codec::Raw as _;
use crate::descriptor::Descriptor;
use crate::stream::Stream;
use crate::time::now_ns;

#[cfg(target_os = "linux")]
use memory::{Asking, answer_memory};
#[cfg(not(target_os = "linux"))]
use no_memory::{Asking, answer_memory};

/// Listens at a path, tells `ready`, and answers one asker until it hangs up.
///
/// # Errors
/// As [`Server::start`](crate::server::Server::start); `Unavailable` if nobody comes.
pub fn answer(socket: &Path, memory: bool, ready: impl FnOnce()) -> Result<()> {
    let listener = address::listen(socket, false)?;
    listener
        .set_nonblocking(false)
        .map_err(|error| lost(&error))?;
    ready();
    let (stream, _) = listener.accept().map_err(|error| lost(&error))?;
    if memory {
        return answer_memory(&stream);
    }
    let mut stream = Stream::new(Arc::new(Descriptor::new(stream)));
    while let Ok(hold_ns) = word(&mut stream) {
        hold(hold_ns);
        let written = stream.write([&hold_ns.to_le_bytes()[..]].into_iter());
        written.map_err(|error| lost(&error))?;
    }
    Ok(())
}

/// Asks whoever [answers](answer).
pub struct Asker(Way);

enum Way {
    Socket(Stream),
    Memory(Box<Asking>),
}

impl Asker {
    /// Connects to who answers at a path.
    ///
    /// # Errors
    /// As [`Client::connect`](crate::client::Client::connect).
    pub fn connect(socket: &Path, memory: bool) -> Result<Asker> {
        let stream = address::connect(socket)?;
        Ok(Asker(match memory {
            true => Way::Memory(Box::new(Asking::connect(stream)?)),
            false => Way::Socket(Stream::new(Arc::new(Descriptor::new(stream)))),
        }))
    }

    /// Goes there and back; the other side computes for as long as `hold` in between.
    ///
    /// # Errors
    /// `Unavailable` if it is gone.
    pub fn round_trip(&mut self, hold: Duration) -> Result<()> {
        let hold_ns = u32::try_from(hold.as_nanos()).unwrap_or(u32::MAX);
        match &mut self.0 {
            Way::Socket(stream) => {
                let asked = stream.write([&hold_ns.to_le_bytes()[..]].into_iter());
                asked
                    .and_then(|()| word(stream))
                    .map(|_| ())
                    .map_err(|error| lost(&error))
            }
            Way::Memory(asking) => asking.round_trip(hold_ns),
        }
    }
}

fn word(stream: &mut Stream) -> std::io::Result<u32> {
    let mut word = [0; 4];
    let mut count = 0;
    while count < word.len() {
        match stream.read(&mut word[count..])? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            more => count += more,
        }
    }
    Ok(u32::from_le_bytes(word))
}

fn hold(hold_ns: u32) {
    let start = now_ns();
    while now_ns().saturating_sub(start) < u64::from(hold_ns) {
        std::hint::spin_loop();
    }
}

fn lost(error: &std::io::Error) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("the other side is gone: {error}"),
    )
}

#[cfg(target_os = "linux")]
mod memory {
    use std::os::fd::AsFd as _;
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::handshake::{Hello, Mode};
    use crate::layout::{PENDING, Slot};
    use crate::region::Region;
    use crate::ring::{Inbox, Taken, Words as _, submit, wait_for_answer};
    use crate::wait::Lookout;

    const TICK: Duration = Duration::from_millis(100);

    pub(super) struct Asking {
        _socket: UnixStream,
        region: Region,
        lookout: Lookout,
    }

    impl Asking {
        pub(super) fn connect(socket: UnixStream) -> Result<Asking> {
            let (region, descriptor) = Region::make().map_err(|error| lost(&error))?;
            let hello = Hello {
                mode: Mode::Memory,
                guest: [0; 16],
                program: String::new(),
            };
            hello
                .send(&socket, Some(descriptor.as_fd()))
                .map_err(|error| lost(&error))?;
            Ok(Asking {
                _socket: socket,
                region,
                lookout: Lookout::default(),
            })
        }

        pub(super) fn round_trip(&mut self, hold_ns: u32) -> Result<()> {
            let slot = Slot(0);
            let before = self.region.load(slot.answers());
            self.region.store(slot.length(), hold_ns);
            submit(&self.region, slot);
            let mut ticks = 0;
            let lookout = &mut self.lookout;
            wait_for_answer(&self.region, slot, before, lookout, TICK, || {
                ticks += 1;
                ticks < 100
            })
            .map(|_| ())
            .ok_or_else(|| lost(&std::io::ErrorKind::TimedOut.into()))
        }
    }

    pub(super) fn answer_memory(socket: &UnixStream) -> Result<()> {
        let (_, descriptors) = Hello::receive(socket)?;
        let memory = descriptors.first();
        let memory = memory.ok_or_else(|| Error::invalid("no memory came along"))?;
        let region = Arc::new(Region::open(memory)?);
        let woken = Arc::clone(&region);
        let socket = socket.try_clone().map_err(|error| lost(&error))?;
        std::thread::spawn(move || {
            // Nothing comes until it hangs up.
            let _ = rustix::net::recv(&socket, &mut [0_u8; 1][..], rustix::net::RecvFlags::empty());
            woken.set(PENDING, u32::MAX);
            woken.wake(PENDING, u32::MAX >> 1);
        });
        let inbox = Inbox::default();
        let mut lookout = Lookout::default();
        let mut promise = None;
        loop {
            match inbox.wait(&*region, promise.take(), &mut lookout, None) {
                Taken::Call(Slot(0)) => {}
                Taken::Nothing => continue,
                _ => return Ok(()),
            }
            let slot = Slot(0);
            super::hold(region.load(slot.length()));
            promise = inbox.promise(&*region);
            inbox.hand_over(&*region, slot, true);
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod no_memory {
    use std::os::unix::net::UnixStream;

    use super::*;

    pub(super) enum Asking {}

    impl Asking {
        pub(super) fn connect(_: UnixStream) -> Result<Asking> {
            Err(unsupported())
        }

        pub(super) fn round_trip(&mut self, _: u32) -> Result<()> {
            match *self {}
        }
    }

    pub(super) fn answer_memory(_: &UnixStream) -> Result<()> {
        Err(unsupported())
    }

    fn unsupported() -> Error {
        Error::new(
            ErrorKind::Unsupported,
            "this platform has no memory to share safely",
        )
    }
}
