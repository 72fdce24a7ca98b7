//! The body of a request on its way in: decompressed, counted, and decoded as it arrives.

use std::io::{self, Write};
use std::time::Instant;

use flate2::write::MultiGzDecoder;
use nearfield_model::{Error, Result, Share, Stage, StageClock};

use super::media::Coding;
use crate::body::RequestReader;

/// Zstandard frames may look back so far, as a power of two; more would take more memory.
const ZSTD_WINDOW_LOG_MAX: u32 = 23;

/// Takes the pieces of a body.
pub(crate) struct Intake<'c> {
    decoder: Decoder<'c>,
}

#[allow(
    clippy::large_enum_variant,
    reason = "plain bodies are the common ones, and a box would be an allocation for each"
)]
enum Decoder<'c> {
    Plain(Sink<'c>),
    Gzip(Box<MultiGzDecoder<Sink<'c>>>),
    Zstd(Box<zstd::stream::write::Decoder<'static, Sink<'c>>>),
}

impl<'c> Intake<'c> {
    /// Will feed `reader`, at most `bytes_max` bytes after decompression.
    pub(crate) fn new(
        coding: Option<Coding>,
        reader: RequestReader,
        bytes_max: usize,
        mut share: Share,
        stages: &'c StageClock,
    ) -> Result<Self> {
        if coding == Some(Coding::Zstd) {
            share.grow(1 << ZSTD_WINDOW_LOG_MAX)?;
        }
        let sink = Sink {
            reader,
            share,
            stages,
            bytes: 0,
            bytes_max,
            error: None,
        };
        let decoder = match coding {
            None => Decoder::Plain(sink),
            Some(Coding::Gzip) => Decoder::Gzip(Box::new(MultiGzDecoder::new(sink))),
            Some(Coding::Zstd) => {
                let mut decoder =
                    zstd::stream::write::Decoder::new(sink).map_err(|error| broken(&error))?;
                decoder
                    .window_log_max(ZSTD_WINDOW_LOG_MAX)
                    .map_err(|error| broken(&error))?;
                Decoder::Zstd(Box::new(decoder))
            }
        };
        Ok(Intake { decoder })
    }

    /// Whether pieces may take long to decode.
    pub(crate) fn is_compressed(&self) -> bool {
        !matches!(self.decoder, Decoder::Plain(_))
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// What the body is refused for.
    pub(crate) fn feed(&mut self, piece: &[u8]) -> Result<()> {
        let outcome = match &mut self.decoder {
            Decoder::Plain(sink) => return sink.feed(piece),
            Decoder::Gzip(decoder) => decoder.write_all(piece),
            Decoder::Zstd(decoder) => decoder.write_all(piece),
        };
        outcome.map_err(|error| self.reason(&error))
    }

    /// Ends the body. Returns what was read, and what it holds of the budget.
    ///
    /// # Errors
    /// As [`feed`](Self::feed).
    pub(crate) fn finish(mut self) -> Result<(RequestReader, Share)> {
        let outcome = match &mut self.decoder {
            Decoder::Plain(_) => Ok(()),
            Decoder::Gzip(decoder) => decoder.try_finish(),
            Decoder::Zstd(decoder) => decoder.flush(),
        };
        outcome.map_err(|error| self.reason(&error))?;
        let sink = match self.decoder {
            Decoder::Plain(sink) => sink,
            Decoder::Gzip(decoder) => decoder.finish().map_err(|error| broken(&error))?,
            Decoder::Zstd(decoder) => decoder.into_inner(),
        };
        Ok((sink.reader, sink.share))
    }

    /// Why a decoder failed: what its sink refused, or the bytes themselves.
    fn reason(&mut self, error: &io::Error) -> Error {
        let refused = match &mut self.decoder {
            Decoder::Plain(sink) => sink.error.take(),
            Decoder::Gzip(decoder) => decoder.get_mut().error.take(),
            Decoder::Zstd(decoder) => decoder.get_mut().error.take(),
        };
        refused.unwrap_or_else(|| broken(error))
    }
}

fn broken(error: &io::Error) -> Error {
    Error::invalid(format!("the body cannot be decompressed: {error}"))
}

/// Takes plain bytes.
struct Sink<'c> {
    reader: RequestReader,
    share: Share,
    stages: &'c StageClock,
    bytes: usize,
    bytes_max: usize,
    error: Option<Error>,
}

impl Sink<'_> {
    fn feed(&mut self, piece: &[u8]) -> Result<()> {
        self.bytes += piece.len();
        if self.bytes > self.bytes_max {
            return Err(too_large(self.bytes_max));
        }
        self.share.grow(piece.len())?;
        let start = Instant::now();
        let outcome = self.reader.feed(piece);
        self.stages.add(Stage::Decode, start.elapsed());
        outcome
    }
}

/// A body over the bound.
pub(crate) fn too_large(bytes_max: usize) -> Error {
    Error::too_large(format!(
        "the body is over {bytes_max} bytes; send less per request"
    ))
}

impl Write for Sink<'_> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        match self.feed(piece) {
            Ok(()) => Ok(piece.len()),
            Err(error) => {
                self.error = Some(error);
                Err(io::ErrorKind::InvalidData.into())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
