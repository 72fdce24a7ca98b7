//! What stands around a message: metadata of the call and of its answer.

use std::time::Duration;

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
#[cfg(feature = "server")]
use nearfield_model::server_timing;
use nearfield_model::{Error, RequestId, Result, Stage, StageClock, Stamp};

/// The path of the service, before a method's name.
pub(crate) const SERVICE: &str = "/nearfield.v1.Nearfield/";

/// The version of this wire.
pub(crate) const WIRE: &str = "1";

/// Tells the version of the wire.
pub(crate) static WIRE_HEADER: HeaderName = HeaderName::from_static("nearfield-wire");
/// Names a write: 32 hexadecimal digits, a hyphen, a number.
pub(crate) static REQUEST_ID: HeaderName = HeaderName::from_static("nearfield-request-id");
/// How long the caller waits.
pub(crate) static TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
/// Where the server's time went, in milliseconds.
pub(crate) static TIMING: HeaderName = HeaderName::from_static("server-timing");

/// When the request was sent and when its answer left, by a clock that both sides share.
pub(crate) static SENT: HeaderName = HeaderName::from_static("nearfield-sent-ns");
pub(crate) static LEFT: HeaderName = HeaderName::from_static("nearfield-left-ns");

/// Reads a point in time, if there is one.
pub(crate) fn stamp_from(headers: &HeaderMap, name: &HeaderName) -> Option<Stamp> {
    headers.get(name)?.to_str().ok().and_then(Stamp::read)
}

/// Writes the present.
pub(crate) fn stamp_to(headers: &mut HeaderMap, name: &HeaderName) {
    if let Ok(now) = HeaderValue::try_from(Stamp::now().to_string()) {
        headers.insert(name, now);
    }
}

/// The media type of gRPC.
pub(crate) static GRPC: HeaderValue = HeaderValue::from_static("application/grpc");

/// Whether a body is gRPC's.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(http::header::CONTENT_TYPE)
        .and_then(|value| value.as_bytes().strip_prefix(GRPC.as_bytes()))
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// Writes a request id.
#[cfg(feature = "client")]
pub(crate) fn request_id_to(id: RequestId) -> String {
    format!("{:032x}-{}", u128::from_be_bytes(id.client), id.number)
}

/// Reads the request id, if there is one.
#[cfg(feature = "server")]
pub(crate) fn request_id_from(headers: &HeaderMap) -> Result<Option<RequestId>> {
    let Some(value) = headers.get(&REQUEST_ID) else {
        return Ok(None);
    };
    let read = || {
        let (client, number) = value.to_str().ok()?.split_once('-')?;
        let plain = client.len() == 32
            && client.bytes().all(|byte| byte.is_ascii_hexdigit())
            && number.bytes().all(|byte| byte.is_ascii_digit());
        let client = u128::from_str_radix(client, 16).ok().filter(|_| plain)?;
        Some(RequestId {
            client: client.to_be_bytes(),
            number: number.parse().ok()?,
        })
    };
    read().map(Some).ok_or_else(|| {
        Error::invalid("this is no request id; write 32 hexadecimal digits, a hyphen and a number")
            .in_field(REQUEST_ID.as_str())
    })
}

/// Writes a timeout, in the finest unit that eight digits hold.
#[cfg(feature = "client")]
pub(crate) fn timeout_to(timeout: Duration) -> String {
    const DIGITS_MAX: u128 = 99_999_999;
    let microseconds = timeout.as_micros().max(1);
    if microseconds <= DIGITS_MAX {
        format!("{microseconds}u")
    } else if timeout.as_millis() <= DIGITS_MAX {
        format!("{}m", timeout.as_millis())
    } else {
        format!("{}S", u128::from(timeout.as_secs()).min(DIGITS_MAX))
    }
}

/// Reads the timeout, if there is one.
#[cfg(feature = "server")]
pub(crate) fn timeout_from(headers: &HeaderMap) -> Result<Option<Duration>> {
    let Some(value) = headers.get(&TIMEOUT) else {
        return Ok(None);
    };
    let read = || {
        let text = value.to_str().ok()?;
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let digits = number.len() <= 8 && number.bytes().all(|byte| byte.is_ascii_digit());
        let number: u64 = number.parse().ok().filter(|_| digits)?;
        match unit {
            "H" => Some(Duration::from_secs(number * 3600)),
            "M" => Some(Duration::from_secs(number * 60)),
            "S" => Some(Duration::from_secs(number)),
            "m" => Some(Duration::from_millis(number)),
            "u" => Some(Duration::from_micros(number)),
            "n" => Some(Duration::from_nanos(number)),
            _ => None,
        }
    };
    read().map(Some).ok_or_else(|| {
        Error::invalid("this is no timeout of gRPC, such as 500m").in_field(TIMEOUT.as_str())
    })
}

/// The trace that the caller's own work belongs to.
#[cfg(feature = "server")]
pub(crate) fn traceparent(headers: &HeaderMap) -> Option<&str> {
    headers.get("traceparent")?.to_str().ok()
}

/// The stages that a server tells of.
const TIMED: [Stage; 5] = [
    Stage::Send,
    Stage::Decode,
    Stage::Queue,
    Stage::Engine,
    Stage::Encode,
];

/// Writes where the server's time went.
#[cfg(feature = "server")]
pub(crate) fn timing_to(stages: &StageClock) -> Option<HeaderValue> {
    HeaderValue::try_from(server_timing(stages, &TIMED))
        .map(once)
        .ok()
}

/// A value that no other message will have, so that HPACK keeps no room for it, and what all
/// messages have stays in its table.
pub(crate) fn once(mut value: HeaderValue) -> HeaderValue {
    value.set_sensitive(true);
    value
}

/// Adds where the server's time went. What cannot be read is passed over.
#[cfg(feature = "client")]
pub(crate) fn timing_from(headers: &HeaderMap, stages: &StageClock) {
    let text = headers.get(&TIMING).and_then(|value| value.to_str().ok());
    for part in text.into_iter().flat_map(|text| text.split(", ")) {
        let Some((name, milliseconds)) = part.split_once(";dur=") else {
            continue;
        };
        let stage = TIMED.into_iter().find(|stage| stage.as_str() == name);
        let time = milliseconds
            .parse()
            .ok()
            .and_then(|milliseconds: f64| Duration::try_from_secs_f64(milliseconds / 1e3).ok());
        if let (Some(stage), Some(time)) = (stage, time) {
            stages.add(stage, time);
        }
    }
}

#[cfg(all(test, feature = "client", feature = "server"))]
mod tests {
    use super::*;

    #[test]
    fn request_ids_and_timeouts_are_read_as_they_were_written() {
        let mut headers = HeaderMap::new();
        for number in [0, 7, u64::MAX] {
            let id = RequestId {
                client: *b"\x00123456789abcde\xff",
                number,
            };
            headers.insert(&REQUEST_ID, request_id_to(id).parse().unwrap());
            assert_eq!(request_id_from(&headers).unwrap(), Some(id));
        }
        for milliseconds in [1, 1500, 250_000, 400_000_000] {
            let timeout = Duration::from_millis(milliseconds);
            headers.insert(&TIMEOUT, timeout_to(timeout).parse().unwrap());
            assert_eq!(timeout_from(&headers).unwrap(), Some(timeout));
        }
    }

    #[test]
    fn odd_request_ids_and_timeouts_are_refused() {
        let mut headers = HeaderMap::new();
        let hex = "0".repeat(32);
        for wrong in [
            "",
            "-",
            "1-1",
            "+1",
            &hex,
            &format!("{hex}-+1"),
            &format!("+{hex}-1"),
        ] {
            headers.insert(&REQUEST_ID, wrong.parse().unwrap());
            assert!(request_id_from(&headers).is_err(), "{wrong}");
        }
        for wrong in ["", "m", "1", "+1m", "123456789m", "1x", "-1S"] {
            headers.insert(&TIMEOUT, wrong.parse().unwrap());
            assert!(timeout_from(&headers).is_err(), "{wrong}");
        }
    }

    #[test]
    fn stages_come_back_to_the_microsecond() {
        let (server, client) = (StageClock::default(), StageClock::default());
        server.add(Stage::Engine, Duration::from_micros(1_234_567));
        server.add(Stage::Decode, Duration::from_micros(5));
        let mut headers = HeaderMap::new();
        headers.insert(&TIMING, timing_to(&server).unwrap());
        timing_from(&headers, &client);
        for stage in Stage::ALL {
            assert_eq!(client.get(stage), server.get(stage), "{}", stage.as_str());
        }
    }
}
