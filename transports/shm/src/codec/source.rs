//! Bytes on their way in: from a socket, from memory that another process shares, or from a slice.

use std::io;

use nearfield_model::Error;

/// Bytes that are read ahead, so that small fields cost no call each.
const AHEAD_BYTES: usize = 8 << 10;

/// Why a message cannot be read.
#[derive(Debug)]
pub enum Fault {
    /// Its bytes are no message. The rest of them can be passed over.
    Malformed(Error),
    /// No more bytes come.
    Lost(io::Error),
}

impl Fault {
    /// A message that breaks the format.
    pub fn malformed(what: impl Into<String>) -> Self {
        Fault::Malformed(Error::invalid(what))
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Fault::Malformed(error)
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Malformed(error) => error,
            Fault::Lost(error) => Error::new(
                nearfield_model::ErrorKind::Unavailable,
                format!("the other process went away: {error}"),
            ),
        }
    }
}

/// Where bytes come from. Each byte is read once: what was read is private from then on.
pub trait Raw {
    /// Fills at least the first byte of `to`, and tells how many bytes it filled.
    ///
    /// # Errors
    /// If no more bytes come.
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize>;
}

impl Raw for &[u8] {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        io::Read::read(self, to)
    }
}

/// Reads one message of a known length after another.
#[derive(Debug)]
pub struct Source<R> {
    raw: R,
    ahead: Box<[u8]>,
    start: usize,
    end: usize,
    left: usize,
}

impl<'b> Source<&'b [u8]> {
    /// One message, all of whose bytes are there.
    pub fn of(bytes: &'b [u8]) -> Self {
        let mut source = Source::new(bytes);
        source.begin(bytes.len());
        source
    }
}

impl<R: Raw> Source<R> {
    /// Reads from `raw`.
    pub fn new(raw: R) -> Self {
        Source {
            raw,
            ahead: vec![0; AHEAD_BYTES].into_boxed_slice(),
            start: 0,
            end: 0,
            left: 0,
        }
    }

    /// Where the bytes come from.
    pub fn raw(&mut self) -> &mut R {
        &mut self.raw
    }

    /// Begins a message of `length` bytes.
    pub fn begin(&mut self, length: usize) {
        self.left = length;
    }

    /// Forgets what was read ahead: the next message lies elsewhere.
    pub fn clear(&mut self) {
        (self.start, self.end, self.left) = (0, 0, 0);
    }

    /// Bytes of the message that are not taken yet.
    pub fn left(&self) -> usize {
        self.left
    }

    /// Whether bytes were read ahead of the message that was taken last.
    pub fn has_ahead(&self) -> bool {
        self.end > self.start
    }

    /// Waits until at least one byte of the next message is there.
    ///
    /// # Errors
    /// If none comes.
    pub fn wait(&mut self) -> io::Result<()> {
        if !self.has_ahead() {
            (self.start, self.end) = (0, read_some(&mut self.raw, &mut self.ahead)?);
        }
        Ok(())
    }

    /// Takes the next bytes of the message.
    pub(crate) fn take(&mut self, mut to: &mut [u8]) -> Result<(), Fault> {
        self.left = self.left.checked_sub(to.len()).ok_or_else(cut_off)?;
        while !to.is_empty() {
            if !self.has_ahead() {
                if to.len() >= AHEAD_BYTES {
                    let count = read_some(&mut self.raw, to).map_err(Fault::Lost)?;
                    to = &mut to[count..];
                    continue;
                }
                self.wait().map_err(Fault::Lost)?;
            }
            let ahead = &self.ahead[self.start..self.end];
            let count = ahead.len().min(to.len());
            to[..count].copy_from_slice(&ahead[..count]);
            self.start += count;
            to = &mut to[count..];
        }
        Ok(())
    }

    /// Passes over the rest of the message.
    pub(crate) fn skip(&mut self) -> Result<(), Fault> {
        let mut bytes = [0; 4_096];
        while self.left > 0 {
            let count = self.left.min(bytes.len());
            self.take(&mut bytes[..count])?;
        }
        Ok(())
    }
}

fn read_some(raw: &mut impl Raw, to: &mut [u8]) -> io::Result<usize> {
    match raw.read(to)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        count => Ok(count.min(to.len())),
    }
}

pub(super) fn cut_off() -> Fault {
    Fault::malformed("the message ends in the middle of a field")
}
