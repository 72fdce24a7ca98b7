//! A request as it travels: head and body in one buffer, so that one write sends both.

use std::fmt::Write as _;
use std::time::Duration;

use nearfield_model::{Request, RequestId, Result, Stamp};

use super::settings::Settings;
use super::target::Target;
use crate::body::{Format, write_request};

/// Bytes that the lines of a head take that differ from call to call, at most: the method, the
/// path below the prefix with a collection's name all in escapes, and the headers of a call.
const CALL_BYTES_MAX: usize = 1 << 10;

/// The lines of a head that are the same for all calls.
pub(super) struct Lines {
    prefix: String,
    common: String,
    shares_clock: bool,
    format: Format,
}

impl Lines {
    pub(super) fn new(target: &Target, settings: &Settings) -> Self {
        let mut common = format!(
            "host: {}\r\nuser-agent: nearfield/{}\r\naccept: {}\r\n",
            target.authority,
            env!("CARGO_PKG_VERSION"),
            accepted(settings.format),
        );
        if let Some(key) = &settings.api_key {
            common.push_str("authorization: Bearer ");
            common.push_str(key);
            common.push_str("\r\n");
        }
        if !settings.keep_alive {
            common.push_str("connection: close\r\n");
        }
        Lines {
            prefix: target.prefix.clone(),
            common,
            shares_clock: settings.shares_clock,
            format: settings.format,
        }
    }

    fn bytes_max(&self) -> usize {
        self.prefix.len() + self.common.len() + CALL_BYTES_MAX
    }
}

/// What a client reads. Metadata comes as text, which it has to become anyway, and which keeps
/// every digit.
fn accepted(format: Format) -> &'static str {
    match format {
        Format::Json => format.media_type(),
        Format::MessagePack => "application/msgpack;metadata=json",
    }
}

/// One request. The head is written before the body, right up to it, anew for each try.
pub(super) struct Message {
    bytes: Vec<u8>,
    method: &'static str,
    path: String,
    body_start: usize,
}

impl Message {
    /// Writes the body into `buffer`.
    pub(super) fn new(
        lines: &Lines,
        request: &Request<'_>,
        mut buffer: Vec<u8>,
    ) -> Result<Message> {
        let (method, path) = route(&lines.prefix, request);
        let body_start = lines.bytes_max();
        buffer.resize(body_start, 0);
        if method == "PUT" || method == "POST" {
            write_request(lines.format, request, &mut buffer)?;
        }
        Ok(Message {
            bytes: buffer,
            method,
            path,
            body_start,
        })
    }

    /// All bytes of the request, for a try that may take `timeout`.
    pub(super) fn bytes(
        &mut self,
        lines: &Lines,
        timeout: Duration,
        id: Option<&RequestId>,
    ) -> &[u8] {
        let mut head = String::with_capacity(self.body_start);
        // A `String` takes all that is written.
        let _ = write!(
            head,
            "{} {} HTTP/1.1\r\n{}",
            self.method, self.path, lines.common
        );
        if matches!(self.method, "PUT" | "POST") {
            let length = self.bytes.len() - self.body_start;
            let media_type = lines.format.media_type();
            let _ = write!(
                head,
                "content-type: {media_type}\r\ncontent-length: {length}\r\n"
            );
        }
        let milliseconds = timeout.as_millis().max(1);
        let _ = write!(head, "nearfield-timeout-ms: {milliseconds}\r\n");
        if let Some(id) = id {
            let client = u128::from_be_bytes(id.client);
            let _ = write!(
                head,
                "nearfield-request-id: {client:032x}-{}\r\n",
                id.number
            );
        }
        if lines.shares_clock {
            let _ = write!(head, "nearfield-sent-ns: {}\r\n", Stamp::now());
        }
        head.push_str("\r\n");
        let start = self.body_start - head.len();
        self.bytes[start..self.body_start].copy_from_slice(head.as_bytes());
        &self.bytes[start..]
    }

    /// The buffer, for the next request.
    pub(super) fn into_buffer(self) -> Vec<u8> {
        self.bytes
    }
}

/// The method and the path of a request.
fn route(prefix: &str, request: &Request<'_>) -> (&'static str, String) {
    let (method, collection, verb) = match request {
        Request::ListCollections(_) => return ("GET", format!("{prefix}/v1/collections")),
        Request::CreateCollection(request) => ("PUT", &request.collection, None),
        Request::DropCollection(request) => ("DELETE", &request.collection, None),
        Request::DescribeCollection(request) => ("GET", &request.collection, None),
        Request::Upsert(request) => ("POST", &request.collection, Some("upsert")),
        Request::Get(request) => ("POST", &request.collection, Some("get")),
        Request::Delete(request) => ("POST", &request.collection, Some("delete")),
        Request::UpdateMetadata(request) => ("POST", &request.collection, Some("update_metadata")),
        Request::Search(request) => ("POST", &request.collection, Some("search")),
        Request::Scan(request) => ("POST", &request.collection, Some("scan")),
        Request::Count(request) => ("POST", &request.collection, Some("count")),
        Request::Flush(request) => ("POST", &request.collection, Some("flush")),
        Request::Compact(request) => ("POST", &request.collection, Some("compact")),
        Request::Snapshot(request) => ("POST", &request.collection, Some("snapshot")),
    };
    let mut path = format!("{prefix}/v1/collections/{collection}");
    if let Some(verb) = verb {
        path.push('/');
        path.push_str(verb);
    }
    (method, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use nearfield_model::{Count, Flush};

    fn text(settings: &Settings, request: Request<'_>, id: Option<&RequestId>) -> String {
        let target = Target::parse("http://h:6327/below").unwrap();
        let lines = Lines::new(&target, settings);
        let mut message = Message::new(&lines, &request, vec![7; 3]).unwrap();
        let bytes = message
            .bytes(&lines, Duration::from_millis(1_500), id)
            .to_vec();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn head_and_body_are_one_piece() {
        let settings = Settings {
            format: Format::Json,
            api_key: Some("secret".to_owned()),
            ..Settings::default()
        };
        let id = RequestId {
            client: [0x0a; 16],
            number: 7,
        };
        let sent = text(&settings, Flush::new("docs").into(), Some(&id));
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            sent,
            format!(
                "POST /below/v1/collections/docs/flush HTTP/1.1\r\nhost: h:6327\r\n\
                 user-agent: nearfield/{version}\r\naccept: application/json\r\n\
                 authorization: Bearer secret\r\ncontent-type: application/json\r\n\
                 content-length: 2\r\nnearfield-timeout-ms: 1500\r\n\
                 nearfield-request-id: 0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a-7\r\n\r\n{{}}"
            )
        );
    }

    #[test]
    fn the_longest_head_fits() {
        let settings = Settings {
            format: Format::Json,
            ..Settings::default()
        };
        let id = RequestId {
            client: [0xff; 16],
            number: u64::MAX,
        };
        let sent = text(&settings, Count::new("c".repeat(128)).into(), Some(&id));
        assert!(sent.starts_with("POST /below/"));
        assert!(sent.ends_with("\r\n\r\n{}"));
    }

    #[test]
    fn what_has_no_body_sends_none() {
        let sent = text(
            &Settings::default(),
            nearfield_model::ListCollections {}.into(),
            None,
        );
        assert!(sent.starts_with("GET /below/v1/collections HTTP/1.1\r\n"));
        assert!(!sent.contains("content-"));
    }
}
