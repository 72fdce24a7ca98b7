//! A stream that sends what is written shortly one after the other in one piece: the head of a
//! request and its message otherwise go apart, and the server is woken for each.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that are gathered, at most; more goes out as it comes.
const GATHERED_BYTES_MAX: usize = 16 << 10;

/// Keeps writes back until they are flushed and whatever else is ready has had its turn.
pub(super) struct Gather<S> {
    stream: S,
    bytes: Vec<u8>,
    /// How many of the bytes are sent.
    sent: usize,
    /// Whether a flush lets others have their turn.
    waits: bool,
}

impl<S> Gather<S> {
    pub(super) fn new(stream: S) -> Self {
        Gather {
            stream,
            bytes: Vec::new(),
            sent: 0,
            waits: false,
        }
    }
}

impl<S: AsyncWrite + Unpin> Gather<S> {
    /// Sends what was gathered.
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest @ [_, ..]) = self.bytes.get(self.sent..) {
            match ready!(Pin::new(&mut self.stream).poll_write(context, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.sent += count,
            }
        }
        self.bytes.clear();
        self.sent = 0;
        self.waits = false;
        Poll::Ready(Ok(()))
    }

    fn has_room(&self, bytes: usize) -> bool {
        self.bytes.len() + bytes <= GATHERED_BYTES_MAX
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Gather<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Gather<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.has_room(bytes.len()) {
            self.bytes.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        ready!(self.poll_send(context))?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let count = slices.iter().map(|slice| slice.len()).sum();
        if self.has_room(count) {
            for slice in slices {
                self.bytes.extend_from_slice(slice);
            }
            return Poll::Ready(Ok(count));
        }
        ready!(self.poll_send(context))?;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.bytes.is_empty() && !self.waits {
            self.waits = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        ready!(self.poll_send(context))?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(context))?;
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    fn run(work: impl Future<Output = ()>) {
        let runtime = tokio::runtime::Builder::new_current_thread();
        { runtime }.build().unwrap().block_on(work);
    }

    #[test]
    fn what_is_written_before_the_flush_ends_goes_in_one_piece() {
        run(async {
            let (near, mut far) = tokio::io::duplex(1 << 20);
            let mut gather = Gather::new(near);
            gather.write_all(b"head").await.unwrap();
            let mut context = Context::from_waker(std::task::Waker::noop());
            assert!(Pin::new(&mut gather).poll_flush(&mut context).is_pending());
            gather.write_all(b" and message").await.unwrap();
            gather.flush().await.unwrap();
            let mut bytes = [0; 100];
            assert_eq!(far.read(&mut bytes).await.unwrap(), 16);
            assert_eq!(&bytes[..16], b"head and message");
        });
    }

    #[test]
    fn much_goes_through_in_order() {
        run(async {
            let (near, mut far) = tokio::io::duplex(1_000);
            let mut gather = Gather::new(near);
            let all: Vec<u8> = (0..100_000_u32).map(|number| number as u8).collect();
            let expected = all.clone();
            let writing = tokio::spawn(async move {
                for piece in all.chunks(30_000) {
                    gather.write_all(&piece[..10]).await.unwrap();
                    gather.write_all(&piece[10..]).await.unwrap();
                }
                gather.shutdown().await.unwrap();
            });
            let mut read = Vec::new();
            far.read_to_end(&mut read).await.unwrap();
            assert!(read == expected);
            writing.await.unwrap();
        });
    }
}
