//! A look at who the guests of an owner are, by a process that need not be one.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nearfield_model::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use crate::address;
use crate::handshake::{self, Hello, Mode};
use crate::platform::NO_SIGNAL;
use crate::server::GuestReport;
use crate::time::after;

/// Bytes of an answer, at most.
const BYTES_MAX: u64 = 16 << 20;

/// Asks the owner that listens at a socket who its guests are.
///
/// # Errors
/// `Unavailable` if no process answers there in time, `Forbidden` if it does not take this user,
/// `Unsupported` if it is of another version.
pub fn guests(socket: &Path, timeout: Duration) -> Result<Vec<GuestReport>> {
    let away = |error: io::Error| {
        Error::new(
            ErrorKind::Unavailable,
            format!("the owner of the store does not say who its guests are: {error}"),
        )
    };
    let until = after(timeout);
    let stream = address::connect_by(socket, until)?;
    // A socket takes no timeout of nothing.
    let left = until.saturating_duration_since(Instant::now());
    let timeout = Some(left.max(Duration::from_millis(1)));
    stream.set_read_timeout(timeout).map_err(away)?;
    stream.set_write_timeout(timeout).map_err(away)?;
    let hello = Hello {
        mode: Mode::Look,
        guest: [0; 16],
        program: String::new(),
    };
    hello.send(stream.as_fd(), None).map_err(away)?;
    handshake::welcomed(&stream)?;
    let mut text = Vec::new();
    (&stream)
        .take(BYTES_MAX)
        .read_to_end(&mut text)
        .map_err(away)?;
    read(&text).ok_or_else(|| Error::internal("the owner's answer cannot be read"))
}

/// Answers [`guests`].
pub(crate) fn tell(guests: &[GuestReport], socket: impl AsFd) -> io::Result<()> {
    let seconds = |time: SystemTime| {
        time.duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs()
    };
    let guests = guests.iter().map(|guest| {
        json!({
            "pid": guest.pid,
            "uid": guest.uid,
            "program": guest.program,
            "memory": guest.memory,
            "since": seconds(guest.since),
            "requests": guest.requests,
            "vectors": guest.vectors,
            "bytes": guest.bytes,
        })
    });
    let text = Value::from_iter(guests).to_string();
    Socket(socket.as_fd()).write_all(text.as_bytes())
}

fn read(text: &[u8]) -> Option<Vec<GuestReport>> {
    let told: Value = serde_json::from_slice(text).ok()?;
    let guest = |guest: &Value| {
        let number = |name: &str| guest[name].as_u64();
        let small = |name: &str| u32::try_from(number(name)?).ok();
        Some(GuestReport {
            pid: small("pid"),
            uid: small("uid")?,
            program: guest["program"].as_str()?.to_owned(),
            memory: guest["memory"].as_bool()?,
            since: UNIX_EPOCH.checked_add(Duration::from_secs(number("since")?))?,
            requests: number("requests")?,
            vectors: number("vectors")?,
            bytes: number("bytes")?,
        })
    };
    told.as_array()?.iter().map(guest).collect()
}

/// A socket whose other end may be gone.
struct Socket<'s>(BorrowedFd<'s>);

impl io::Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::net::send(self.0, bytes, NO_SIGNAL)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_arrive_as_they_were_sent() {
        let report = GuestReport {
            pid: Some(7),
            uid: 1_000,
            program: "a \"program\"".to_owned(),
            memory: true,
            since: UNIX_EPOCH + Duration::from_secs(1_764_500_000),
            requests: 3,
            vectors: u64::MAX,
            bytes: 5,
        };
        let unseen = GuestReport {
            pid: None,
            ..report.clone()
        };
        let reports = [report, unseen];
        let (here, mut there) = std::os::unix::net::UnixStream::pair().unwrap();
        tell(&reports, &here).unwrap();
        drop(here);
        let mut text = Vec::new();
        there.read_to_end(&mut text).unwrap();
        assert_eq!(read(&text).unwrap(), reports);
        assert_eq!(read(b"[{}]"), None);
    }
}
