//! Where a server is: `grpc://host:port` or `grpcs://host:port`.

use std::fmt;

use http::Uri;
use http::uri::Authority;
use nearfield_model::{Error, Result};

const PORT: u16 = 6327;

/// Where a server is.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) tls: bool,
    /// Without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) authority: Authority,
}

impl Target {
    pub(super) fn parse(target: &str) -> Result<Self> {
        let shown: String = target.chars().take(100).collect();
        let wrong = |why: &str| {
            Error::invalid(format!(
                "{shown:?} {why}; write grpc://host:{PORT} or grpcs://host:{PORT}"
            ))
        };
        let uri: Uri = target
            .parse()
            .map_err(|error| wrong(&format!("is no address ({error})")))?;
        let tls = match uri.scheme_str() {
            Some("grpc") => false,
            Some("grpcs") => true,
            _ => return Err(wrong("is no gRPC target")),
        };
        if uri
            .path_and_query()
            .is_some_and(|path| path.as_str() != "/")
        {
            return Err(wrong("has a path"));
        }
        let given = uri.authority().ok_or_else(|| wrong("names no host"))?;
        if given.as_str().contains('@') {
            return Err(wrong("holds a user; the key is a setting of its own"));
        }
        let host = given.host();
        if host.is_empty() {
            return Err(wrong("names no host"));
        }
        let after_host = given.as_str().strip_prefix(host).unwrap_or_default();
        let port = match (given.port_u16(), after_host) {
            (Some(port), _) => port,
            (None, "") => PORT,
            (None, _) => return Err(wrong("has no port that is one")),
        };
        let authority = format!("{host}:{port}");
        Ok(Target {
            tls,
            host: host.trim_matches(['[', ']']).to_owned(),
            port,
            authority: authority
                .parse()
                .map_err(|error| wrong(&format!("is no address ({error})")))?,
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "grpcs" } else { "grpc" };
        write!(f, "{scheme}://{}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read() {
        for (text, shown, host) in [
            ("grpc://localhost", "grpc://localhost:6327", "localhost"),
            ("grpcs://a.b:1/", "grpcs://a.b:1", "a.b"),
            ("grpc://[::1]:7", "grpc://[::1]:7", "::1"),
            ("grpc://[::1]", "grpc://[::1]:6327", "::1"),
        ] {
            let target = Target::parse(text).unwrap();
            assert_eq!(target.to_string(), shown);
            assert_eq!(target.host, host);
        }
    }

    #[test]
    fn what_is_no_target_is_refused() {
        for text in [
            "",
            "localhost:6327",
            "http://localhost",
            "grpc://",
            "grpc://:6327",
            "grpc://a:99999",
            "grpc://a:",
            "grpc://a/path",
            "grpc://a?x",
            "grpc://key@a",
        ] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
    }
}
