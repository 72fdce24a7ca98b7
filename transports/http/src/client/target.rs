//! Where a server is: a URL such as `http://h:6327`.

use nearfield_model::{Error, Result};

/// The parts of a server's URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The URL as it was given, for messages.
    pub(super) url: String,
    pub(super) is_tls: bool,
    /// A name or an address, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// Host and port as the `Host` header has them.
    pub(super) authority: String,
    /// What every path begins with; empty, or `/…` without a slash at its end.
    pub(super) prefix: String,
}

impl Target {
    /// Reads a URL. Ports are those of the schemes unless given, 80 and 443.
    pub(super) fn parse(url: &str) -> Result<Target> {
        let refuse = |why: &str| {
            Error::invalid(format!(
                "{url:?} {why}; use a URL such as http://127.0.0.1:6327"
            ))
        };
        let (is_tls, rest) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
            (Some(rest), _) => (false, rest),
            (_, Some(rest)) => (true, rest),
            _ => return Err(refuse("is not a URL of HTTP")),
        };
        if rest.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return Err(refuse("has characters that a URL cannot have"));
        }
        if rest.contains(['?', '#']) {
            return Err(refuse("has a query or a fragment"));
        }
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        if authority.contains('@') {
            return Err(refuse("holds a user; give the API key beside the URL"));
        }
        let (host, port) =
            host_and_port(authority).ok_or_else(|| refuse("has no host or a wrong port"))?;
        Ok(Target {
            url: url.to_owned(),
            is_tls,
            host: host.to_owned(),
            port: port.unwrap_or(if is_tls { 443 } else { 80 }),
            authority: authority.to_owned(),
            prefix: path.trim_end_matches('/').to_owned(),
        })
    }
}

fn host_and_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']')?;
            (
                host,
                rest.strip_prefix(':').or(rest.is_empty().then_some(""))?,
            )
        }
        None => authority.split_once(':').unwrap_or((authority, "")),
    };
    let port = match port {
        "" => None,
        digits => Some(digits.parse().ok().filter(|port| *port > 0)?),
    };
    (!host.is_empty()).then_some((host, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        for (url, host, port, authority, prefix) in [
            ("http://h:6327", "h", 6327, "h:6327", ""),
            ("http://h", "h", 80, "h", ""),
            (
                "https://db.example.com/",
                "db.example.com",
                443,
                "db.example.com",
                "",
            ),
            ("http://[::1]:6327", "::1", 6327, "[::1]:6327", ""),
            ("http://[::1]", "::1", 80, "[::1]", ""),
            ("http://h:1/a/b/", "h", 1, "h:1", "/a/b"),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!(
                (
                    &*target.host,
                    target.port,
                    &*target.authority,
                    &*target.prefix
                ),
                (host, port, authority, prefix),
                "{url}"
            );
            assert_eq!(target.is_tls, url.starts_with("https"));
        }
    }

    #[test]
    fn what_is_no_url_of_a_server_is_refused() {
        for url in [
            "http://",
            "http://:80",
            "http://h:0",
            "http://h:x",
            "http://h:65536",
            "http://[::1",
            "http://[::1]x",
            "http://key@h",
            "http://h/?a",
            "http://h/#a",
            "http://h /",
            "ftp://h",
            "http://h\r\nx: y",
        ] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
    }
}
