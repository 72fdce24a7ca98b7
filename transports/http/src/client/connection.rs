//! One connection: a request goes out in one piece, and its response comes back.

use std::io::{self, ErrorKind};
use std::time::Instant;

use nearfield_model::{Context, Error, Stage, Stamp};

use super::head::{Head, Length};
use super::patience::Patience;
use super::stream::{Broken, Stream};

/// Bytes that are read at once, at least.
const READ_BYTES: usize = 16 << 10;
/// Bytes that room is made for before they have come, at most.
const AHEAD_BYTES_MAX: usize = 16 << 20;
/// Bytes of room that a waiting connection keeps.
const KEPT_BYTES_MAX: usize = 4 << 20;
/// Bytes of the line before a chunk, at most.
const CHUNK_LINE_BYTES_MAX: usize = 4 << 10;

/// A connection to the server, between calls or during one.
pub(super) struct Connection {
    stream: Stream,
    input: Input,
}

/// Why there is no response.
pub(super) enum Lost {
    /// The call is over: its time, its caller's will, or a limit.
    Over(Error),
    /// The connection broke.
    Connection {
        /// How.
        error: io::Error,
        /// Whether some of the response had come.
        answered: bool,
    },
}

/// A response: its head, and where its body is in the connection's input.
pub(super) struct Reply {
    pub(super) head: Head,
    start: usize,
    end: usize,
}

impl Connection {
    pub(super) fn new(stream: Stream) -> Self {
        Connection {
            stream,
            input: Input::default(),
        }
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.stream.is_quiet()
    }

    /// Sends a request, whole as it travels, and reads its response.
    pub(super) fn exchange(
        &mut self,
        request: &[u8],
        body_bytes_max: usize,
        patience: &Patience<'_>,
        context: &Context,
    ) -> Result<Reply, Lost> {
        self.input.clear();
        let start = Instant::now();
        let sent = self.stream.write_all(request, patience);
        let writing = start.elapsed();
        let reply = match sent {
            // The server may have answered before it had read all, and closed.
            Err(Broken::Connection(error)) => match self.receive(body_bytes_max, patience, context)
            {
                Ok(reply) if !reply.head.keeps_alive || reply.head.status >= 400 => Ok(Reply {
                    head: Head {
                        keeps_alive: false,
                        ..reply.head
                    },
                    ..reply
                }),
                _ => Err(Lost::Connection {
                    error,
                    answered: false,
                }),
            },
            Err(Broken::Over(error)) => Err(Lost::Over(error)),
            Ok(()) => self.receive(body_bytes_max, patience, context),
        };
        // A server that shares the clock tells better when the request had arrived.
        let is_told = |reply: &Reply| reply.head.stages.iter().any(|(at, _)| *at == Stage::Send);
        if !reply.as_ref().is_ok_and(is_told) {
            context.stages.add(Stage::Send, writing);
        }
        reply
    }

    /// The body of the reply that came last.
    pub(super) fn body(&self, reply: &Reply) -> &[u8] {
        &self.input.bytes[reply.start..reply.end]
    }

    /// Whether the next call may use the connection after this reply.
    pub(super) fn is_reusable(&self, reply: &Reply) -> bool {
        reply.head.keeps_alive
            && reply.head.length != Length::UntilClosed
            && self.input.filled == self.input.consumed
    }

    /// Gives back room that only a large response needed.
    pub(super) fn rest(&mut self) {
        if self.input.bytes.len() > KEPT_BYTES_MAX {
            self.input = Input::default();
        }
    }

    fn receive(
        &mut self,
        body_bytes_max: usize,
        patience: &Patience<'_>,
        context: &Context,
    ) -> Result<Reply, Lost> {
        self.fill(patience)?;
        let start = Instant::now();
        let reply = self.read_reply(body_bytes_max, patience);
        let left = reply.as_ref().ok().and_then(|reply| reply.head.left);
        let time = left.map_or_else(|| start.elapsed(), Stamp::elapsed);
        context.stages.add(Stage::Receive, time);
        reply
    }

    fn read_reply(
        &mut self,
        body_bytes_max: usize,
        patience: &Patience<'_>,
    ) -> Result<Reply, Lost> {
        loop {
            let head = loop {
                let unread = &self.input.bytes[self.input.consumed..self.input.filled];
                match Head::parse(unread).map_err(not_http)? {
                    Some((head, length)) => {
                        self.input.consumed += length;
                        break head;
                    }
                    None => self.fill(patience)?,
                }
            };
            // What comes before the response itself.
            if (100..200).contains(&head.status) {
                continue;
            }
            let (start, end) = self.read_body(&head, body_bytes_max, patience)?;
            return Ok(Reply { head, start, end });
        }
    }

    fn read_body(
        &mut self,
        head: &Head,
        body_bytes_max: usize,
        patience: &Patience<'_>,
    ) -> Result<(usize, usize), Lost> {
        let start = self.input.consumed;
        let too_large = || {
            Lost::Over(Error::too_large(format!(
                "the response has more than {body_bytes_max} bytes; ask for less per request"
            )))
        };
        match head.length {
            Length::Bytes(bytes) => {
                if bytes > body_bytes_max {
                    return Err(too_large());
                }
                while self.input.filled < start + bytes {
                    self.input.make_room(start + bytes - self.input.filled);
                    self.fill(patience)?;
                }
                self.input.consumed = start + bytes;
            }
            Length::UntilClosed => loop {
                if self.input.filled - start > body_bytes_max {
                    return Err(too_large());
                }
                match self.fill(patience) {
                    Ok(()) => {}
                    Err(Lost::Connection { error, .. })
                        if error.kind() == ErrorKind::UnexpectedEof =>
                    {
                        self.input.consumed = self.input.filled;
                        break;
                    }
                    Err(lost) => return Err(lost),
                }
            },
            Length::Chunks => {
                let end = self.read_chunks(start, body_bytes_max, &too_large, patience)?;
                return Ok((start, end));
            }
        }
        Ok((start, self.input.consumed))
    }

    /// Moves chunk after chunk to the end of those before it; tells where the last one ends.
    fn read_chunks(
        &mut self,
        start: usize,
        body_bytes_max: usize,
        too_large: &dyn Fn() -> Lost,
        patience: &Patience<'_>,
    ) -> Result<usize, Lost> {
        let mut end = start;
        loop {
            let length = self.read_chunk_length(patience)?;
            if length > body_bytes_max.saturating_sub(end - start) {
                return Err(too_large());
            }
            // The line's end belongs to the chunk; after the last one come trailers.
            if length == 0 {
                return self.skip_trailers(patience).map(|()| end);
            }
            let chunk = self.input.consumed;
            while self.input.filled < chunk + length + 2 {
                self.input.make_room(chunk + length + 2 - self.input.filled);
                self.fill(patience)?;
            }
            if &self.input.bytes[chunk + length..chunk + length + 2] != b"\r\n" {
                return Err(not_http("a chunk has no end".to_owned()));
            }
            self.input.bytes.copy_within(chunk..chunk + length, end);
            end += length;
            self.input.consumed = chunk + length + 2;
        }
    }

    fn read_chunk_length(&mut self, patience: &Patience<'_>) -> Result<usize, Lost> {
        loop {
            let unread = &self.input.bytes[self.input.consumed..self.input.filled];
            match httparse::parse_chunk_size(unread) {
                Ok(httparse::Status::Complete((line, length))) => {
                    self.input.consumed += line;
                    return usize::try_from(length)
                        .map_err(|_| not_http("a chunk is too long".to_owned()));
                }
                Ok(httparse::Status::Partial) if unread.len() < CHUNK_LINE_BYTES_MAX => {
                    self.fill(patience)?;
                }
                _ => return Err(not_http("a chunk has no length".to_owned())),
            }
        }
    }

    fn skip_trailers(&mut self, patience: &Patience<'_>) -> Result<(), Lost> {
        loop {
            let unread = &self.input.bytes[self.input.consumed..self.input.filled];
            let mut headers = [httparse::EMPTY_HEADER; 16];
            match httparse::parse_headers(unread, &mut headers) {
                Ok(httparse::Status::Complete((length, _))) => {
                    self.input.consumed += length;
                    return Ok(());
                }
                Ok(httparse::Status::Partial) if unread.len() < super::head::HEAD_BYTES_MAX => {
                    self.fill(patience)?;
                }
                _ => return Err(not_http("its trailers cannot be read".to_owned())),
            }
        }
    }

    /// Reads what is there, at least one byte.
    fn fill(&mut self, patience: &Patience<'_>) -> Result<(), Lost> {
        self.input.make_room(1);
        let answered = self.input.filled > 0;
        let lost = |error| Lost::Connection { error, answered };
        match self
            .stream
            .read(&mut self.input.bytes[self.input.filled..], patience)
        {
            Ok(0) => Err(lost(ErrorKind::UnexpectedEof.into())),
            Ok(count) => {
                self.input.filled += count;
                Ok(())
            }
            Err(Broken::Over(error)) => Err(Lost::Over(error)),
            Err(Broken::Connection(error)) => Err(lost(error)),
        }
    }
}

fn not_http(why: String) -> Lost {
    Lost::Over(super::problem::not_nearfield(&why))
}

/// Bytes that have come. Room is made once and used again.
#[derive(Default)]
struct Input {
    bytes: Vec<u8>,
    filled: usize,
    consumed: usize,
}

impl Input {
    fn clear(&mut self) {
        self.filled = 0;
        self.consumed = 0;
    }

    /// Makes room for so many bytes more, or for the first of them if they are very many.
    fn make_room(&mut self, bytes: usize) {
        let wanted = self.filled + bytes.clamp(1, AHEAD_BYTES_MAX);
        if self.bytes.len() < wanted {
            let room = wanted
                .max(READ_BYTES)
                .max(self.bytes.len() + self.bytes.len() / 2);
            self.bytes.resize(room, 0);
        }
    }
}
