//! The head of a response: its status and the headers that the client goes by.

use std::time::Duration;

use nearfield_model::{Stage, Stamp};

use crate::body::Format;

/// Bytes of a head, at most.
pub(super) const HEAD_BYTES_MAX: usize = 64 << 10;
const HEADERS_MAX: usize = 100;

/// How the end of a body is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    Bytes(usize),
    Chunks,
    /// The connection closes.
    UntilClosed,
}

/// What the client goes by.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) length: Length,
    /// `None` for bodies of other types.
    pub(super) format: Option<Format>,
    pub(super) is_problem: bool,
    pub(super) keeps_alive: bool,
    pub(super) retry_after: Option<Duration>,
    /// The wire that the server speaks, as it tells it.
    pub(super) wire: Option<String>,
    pub(super) stages: Vec<(Stage, Duration)>,
    /// When the response left, by the clock that both sides share.
    pub(super) left: Option<Stamp>,
}

impl Head {
    /// Reads a head and tells its length in bytes; `None` while it is not whole.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, String> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut headers);
        let length = match response.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) if bytes.len() < HEAD_BYTES_MAX => return Ok(None),
            Ok(httparse::Status::Partial) => return Err("its head is too long".to_owned()),
            Err(error) => return Err(error.to_string()),
        };
        let status = response.code.unwrap_or_default();
        let mut head = Head {
            status,
            length: Length::UntilClosed,
            format: None,
            is_problem: false,
            keeps_alive: response.version == Some(1),
            retry_after: None,
            wire: None,
            stages: Vec::new(),
            left: None,
        };
        for header in response.headers.iter() {
            // Bytes outside of ASCII are in no header that matters.
            let value = str::from_utf8(header.value).unwrap_or_default().trim();
            head.take(header.name, value)?;
        }
        if matches!(status, 100..200 | 204 | 304) {
            head.length = Length::Bytes(0);
        }
        Ok(Some((head, length)))
    }

    fn take(&mut self, name: &str, value: &str) -> Result<(), String> {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        if is("content-length") {
            let bytes = value
                .parse()
                .map_err(|_| "its content-length is no number".to_owned())?;
            match self.length {
                Length::Bytes(other) if other != bytes => {
                    return Err("it has two lengths".to_owned());
                }
                Length::Chunks => {}
                _ => self.length = Length::Bytes(bytes),
            }
        } else if is("transfer-encoding") {
            match value.eq_ignore_ascii_case("chunked") {
                true => self.length = Length::Chunks,
                false => return Err(format!("its transfer-encoding is {value:?}")),
            }
        } else if is("content-encoding") && !value.eq_ignore_ascii_case("identity") {
            return Err(format!("its content-encoding is {value:?}"));
        } else if is("connection") {
            let has = |word: &str| {
                value
                    .split(',')
                    .any(|it| it.trim().eq_ignore_ascii_case(word))
            };
            self.keeps_alive = !has("close") && (self.keeps_alive || has("keep-alive"));
        } else if is("content-type") {
            let kind = value.split(';').next().unwrap_or_default().trim();
            self.is_problem = kind.eq_ignore_ascii_case("application/problem+json");
            self.format = [Format::Json, Format::MessagePack]
                .into_iter()
                .find(|format| kind.eq_ignore_ascii_case(format.media_type()));
        } else if is("retry-after") {
            self.retry_after = value.parse().ok().map(Duration::from_secs);
        } else if is("nearfield-wire") {
            self.wire = Some(value.chars().take(40).collect());
        } else if is("nearfield-left-ns") {
            self.left = Stamp::read(value);
        } else if is("server-timing") {
            self.stages.extend(value.split(',').filter_map(timing));
        }
        Ok(())
    }
}

/// One entry of `Server-Timing`, such as `engine;dur=0.125`, in milliseconds.
fn timing(entry: &str) -> Option<(Stage, Duration)> {
    let mut parts = entry.split(';').map(str::trim);
    let name = parts.next()?;
    let stage = Stage::ALL
        .into_iter()
        .find(|stage| stage.as_str() == name)?;
    let duration = parts.find_map(|part| part.strip_prefix("dur="))?;
    let milliseconds: f64 = duration.parse().ok()?;
    let time = Duration::try_from_secs_f64(milliseconds / 1_000.0).ok()?;
    Some((stage, time))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Option<(Head, usize)>, String> {
        Head::parse(text.as_bytes())
    }

    #[test]
    fn heads_are_read() {
        let text = "HTTP/1.1 503 Busy\r\nContent-Length: 5\r\nContent-Type: application/problem+json; charset=utf-8\r\n\
            Retry-After: 2\r\nNearfield-Wire: 1\r\nServer-Timing: decode;dur=0.5, engine;dur=1, other;dur=9\r\n\r\nhello";
        let (head, length) = parse(text).unwrap().unwrap();
        assert_eq!(&text[length..], "hello");
        assert_eq!((head.status, head.length), (503, Length::Bytes(5)));
        assert!(head.is_problem && head.keeps_alive && head.format.is_none());
        assert_eq!(head.retry_after, Some(Duration::from_secs(2)));
        assert_eq!(head.wire.as_deref(), Some("1"));
        let stages = [
            (Stage::Decode, Duration::from_micros(500)),
            (Stage::Engine, Duration::from_millis(1)),
        ];
        assert_eq!(head.stages, stages);
        for cut in 0..length {
            assert!(parse(&text[..cut]).unwrap().is_none(), "{cut}");
        }
    }

    #[test]
    fn ends_of_bodies_are_told_apart() {
        for (lines, length, keeps_alive) in [
            ("", Length::UntilClosed, true),
            ("transfer-encoding: chunked\r\n", Length::Chunks, true),
            (
                "transfer-encoding: chunked\r\ncontent-length: 3\r\n",
                Length::Chunks,
                true,
            ),
            (
                "content-length: 3\r\nconnection: close\r\n",
                Length::Bytes(3),
                false,
            ),
        ] {
            let (head, _) = parse(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n"))
                .unwrap()
                .unwrap();
            assert_eq!(
                (head.length, head.keeps_alive),
                (length, keeps_alive),
                "{lines}"
            );
        }
        let (head, _) = parse("HTTP/1.0 204 None\r\n\r\n").unwrap().unwrap();
        assert_eq!((head.length, head.keeps_alive), (Length::Bytes(0), false));
    }

    #[test]
    fn heads_that_are_not_http_are_refused() {
        for lines in [
            "content-length: x\r\n",
            "content-length: 3\r\ncontent-length: 4\r\n",
            "transfer-encoding: gzip\r\n",
            "content-encoding: gzip\r\n",
            "no colon\r\n",
        ] {
            let text = format!("HTTP/1.1 200 OK\r\n{lines}\r\n");
            assert!(parse(&text).is_err(), "{lines}");
        }
        assert!(parse("+OK ready\r\n").is_err());
        assert!(
            parse(&format!(
                "HTTP/1.1 200 OK\r\na: {}",
                "x".repeat(HEAD_BYTES_MAX)
            ))
            .is_err()
        );
    }
}
