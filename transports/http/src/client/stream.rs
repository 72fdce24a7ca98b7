//! A socket with or without TLS, read and written with a caller's patience.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use nearfield_model::Result;
use rustix::net::{RecvFlags, recv};

use super::patience::Patience;
use super::target::Target;
#[cfg(feature = "tls")]
use super::tls::{self, TlsStream};

/// Why bytes did not travel.
pub(super) enum Broken {
    /// The call is over: its time, or its caller's will.
    Over(nearfield_model::Error),
    /// The connection cannot be used any further.
    Connection(io::Error),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Broken::Connection(error)
    }
}

impl From<nearfield_model::Error> for Broken {
    fn from(error: nearfield_model::Error) -> Self {
        Broken::Over(error)
    }
}

enum Kind {
    Plain(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream>),
}

/// A socket that is connected.
pub(super) struct Stream {
    kind: Kind,
    /// What the socket's timeouts are set to.
    stretch: Duration,
}

impl Stream {
    /// Connects to the first address of the target that answers.
    pub(super) fn connect(
        target: &Target,
        #[cfg(feature = "tls")] tls: Option<&tls::Config>,
        timeout: Duration,
        patience: &Patience<'_>,
    ) -> Result<Stream, Broken> {
        let socket = connect_socket(target, timeout, patience)?;
        socket.set_nodelay(true)?;
        #[cfg(feature = "tls")]
        let kind = match tls {
            Some(tls) => Kind::Tls(Box::new(tls.wrap(socket)?)),
            None => Kind::Plain(socket),
        };
        #[cfg(not(feature = "tls"))]
        let kind = Kind::Plain(socket);
        let mut stream = Stream {
            kind,
            stretch: Duration::ZERO,
        };
        stream.flush(patience)?;
        Ok(stream)
    }

    fn socket(&self) -> &TcpStream {
        match &self.kind {
            Kind::Plain(socket) => socket,
            #[cfg(feature = "tls")]
            Kind::Tls(stream) => stream.get_ref(),
        }
    }

    fn set_timeouts(&mut self, stretch: Duration) -> io::Result<()> {
        if self.stretch != stretch {
            self.socket().set_read_timeout(Some(stretch))?;
            self.socket().set_write_timeout(Some(stretch))?;
            self.stretch = stretch;
        }
        Ok(())
    }

    /// Whether the other side has neither closed nor sent what nobody asked for.
    pub(super) fn is_quiet(&self) -> bool {
        let mut byte = [0];
        let looked = recv(
            self.socket(),
            &mut byte[..],
            RecvFlags::PEEK | RecvFlags::DONTWAIT,
        );
        match (looked, &self.kind) {
            (Err(error), _) => error == rustix::io::Errno::AGAIN,
            (Ok(_), Kind::Plain(_)) => false,
            // Tickets for later sessions come unasked.
            #[cfg(feature = "tls")]
            (Ok((_, count)), Kind::Tls(_)) => count > 0,
        }
    }

    /// Reads what is there, and waits for it if nothing is. Nothing more comes after 0 bytes.
    pub(super) fn read(&mut self, to: &mut [u8], patience: &Patience<'_>) -> Result<usize, Broken> {
        self.with_patience(patience, |stream| match &mut stream.kind {
            Kind::Plain(socket) => socket.read(to),
            #[cfg(feature = "tls")]
            Kind::Tls(stream) => stream.read(to),
        })
    }

    /// Writes all of it.
    pub(super) fn write_all(
        &mut self,
        mut bytes: &[u8],
        patience: &Patience<'_>,
    ) -> Result<(), Broken> {
        while !bytes.is_empty() {
            let written = self.with_patience(patience, |stream| match &mut stream.kind {
                Kind::Plain(socket) => socket.write(bytes),
                #[cfg(feature = "tls")]
                Kind::Tls(stream) => stream.write(bytes),
            })?;
            if written == 0 {
                return Err(io::Error::from(ErrorKind::WriteZero).into());
            }
            bytes = &bytes[written..];
        }
        self.flush(patience)
    }

    /// Ends the handshake, if there is one, and sends what was kept back.
    fn flush(&mut self, patience: &Patience<'_>) -> Result<(), Broken> {
        self.with_patience(patience, |stream| match &mut stream.kind {
            Kind::Plain(_) => Ok(()),
            #[cfg(feature = "tls")]
            Kind::Tls(stream) => stream.flush(),
        })
    }

    /// Does one piece of work on the socket, again after each stretch of waiting.
    fn with_patience<T>(
        &mut self,
        patience: &Patience<'_>,
        mut work: impl FnMut(&mut Stream) -> io::Result<T>,
    ) -> Result<T, Broken> {
        self.set_timeouts(patience.stretch())?;
        loop {
            match work(self) {
                Err(error) if is_pause(&error) => {
                    patience.check()?;
                    self.set_timeouts(patience.stretch())?;
                }
                done => return Ok(done?),
            }
        }
    }
}

fn is_pause(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}

fn connect_socket(
    target: &Target,
    timeout: Duration,
    patience: &Patience<'_>,
) -> Result<TcpStream, Broken> {
    let end = patience.deadline.min(Instant::now() + timeout);
    let mut last = io::Error::new(ErrorKind::NotFound, "the name has no address");
    for address in (&*target.host, target.port).to_socket_addrs()? {
        patience.check()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            last = ErrorKind::TimedOut.into();
            break;
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last.into())
}
