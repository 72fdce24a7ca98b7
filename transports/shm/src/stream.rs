//! A socket that frames travel over.

use std::io::{self, IoSlice};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{RecvFlags, SendAncillaryBuffer};

use crate::codec::Raw;
use crate::descriptor::Descriptor;
use crate::platform::NO_SIGNAL;
use crate::wait::Lookout;

/// Pieces that are written at once, at most.
const PIECES_MAX: usize = 64;

/// One end of a connection, as the only one that reads and writes it.
pub(crate) struct Stream {
    socket: Arc<Descriptor>,
    lookout: Lookout,
    /// How long a read sleeps before it looks whether to go on.
    tick: Option<Duration>,
    /// Asked each tick.
    go_on: Box<dyn FnMut() -> io::Result<()> + Send>,
}

impl Stream {
    pub(crate) fn new(socket: Arc<Descriptor>) -> Self {
        Stream {
            socket,
            lookout: Lookout::default(),
            tick: None,
            go_on: Box::new(|| Ok(())),
        }
    }

    /// Has reads and writes that wait ask every `tick` whether to go on.
    pub(crate) fn ask(
        &mut self,
        tick: Duration,
        go_on: impl FnMut() -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        self.go_on = Box::new(go_on);
        if self.tick != Some(tick) {
            set_socket_timeout(&*self.socket, Timeout::Recv, Some(tick))?;
            set_socket_timeout(&*self.socket, Timeout::Send, Some(tick))?;
            self.tick = Some(tick);
        }
        Ok(())
    }

    /// Has writes ask whether to go on whenever not a byte was taken for a `tick`.
    pub(crate) fn ask_when_writing(
        &mut self,
        tick: Duration,
        go_on: impl FnMut() -> io::Result<()> + Send + 'static,
    ) -> io::Result<()> {
        self.go_on = Box::new(go_on);
        Ok(set_socket_timeout(
            &*self.socket,
            Timeout::Send,
            Some(tick),
        )?)
    }

    /// Writes all pieces.
    pub(crate) fn write<'p>(&mut self, pieces: impl Iterator<Item = &'p [u8]>) -> io::Result<()> {
        let mut pieces: Vec<&[u8]> = pieces.collect();
        let mut pieces = &mut pieces[..];
        while !pieces.is_empty() {
            let slices: Vec<IoSlice<'_>> = pieces
                .iter()
                .take(PIECES_MAX)
                .map(|piece| IoSlice::new(piece))
                .collect();
            let sent = rustix::net::sendmsg(
                self.socket.as_fd(),
                &slices,
                &mut SendAncillaryBuffer::default(),
                NO_SIGNAL,
            );
            match sent {
                Ok(count) => pieces = advance(pieces, count),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => (self.go_on)()?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }
}

/// Passes over what was written.
fn advance<'s, 'p>(mut pieces: &'s mut [&'p [u8]], mut count: usize) -> &'s mut [&'p [u8]] {
    while let Some(first) = pieces.first_mut() {
        if first.len() > count {
            *first = &first[count..];
            break;
        }
        count -= first.len();
        pieces = &mut pieces[1..];
    }
    pieces
}

impl Raw for Stream {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let socket = self.socket.as_fd();
        let mut look = || match rustix::net::recv(socket, &mut *to, RecvFlags::DONTWAIT) {
            Ok((count, _)) => Some(Ok(count)),
            Err(Errno::AGAIN | Errno::INTR) => None,
            Err(error) => Some(Err(error.into())),
        };
        if let Some(read) = self.lookout.look(&mut look) {
            return read;
        }
        // Also if bytes keep coming, one at a time. Who asks only when writing reads on.
        if self.tick.is_some() {
            (self.go_on)()?;
        }
        loop {
            match rustix::net::recv(self.socket.as_fd(), &mut *to, RecvFlags::empty()) {
                Ok((count, _)) => return Ok(count),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => (self.go_on)()?,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;
    use std::time::Instant;

    use super::*;

    #[test]
    fn bytes_that_come_one_at_a_time_outlast_no_deadline() {
        let (here, mut there) = UnixStream::pair().unwrap();
        let mut stream = Stream::new(Arc::new(Descriptor::new(here)));
        let deadline = Instant::now() + Duration::from_millis(100);
        let go_on = move || match Instant::now() < deadline {
            true => Ok(()),
            false => Err(io::ErrorKind::TimedOut.into()),
        };
        stream.ask(Duration::from_millis(50), go_on).unwrap();
        let sender = std::thread::spawn(move || {
            let until = Instant::now() + Duration::from_secs(5);
            while Instant::now() < until && there.write_all(b"1").is_ok() {
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let start = Instant::now();
        let ended = loop {
            match stream.read(&mut [0; 4_096]) {
                Ok(count) if count > 0 => {}
                ended => break ended,
            }
        };
        assert_eq!(ended.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(start.elapsed() < Duration::from_secs(3));
        drop(stream);
        sender.join().unwrap();
    }
}
