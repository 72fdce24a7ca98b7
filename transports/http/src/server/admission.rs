//! Who may come in: hosts and origins that are listed, and callers by their key.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use arc_swap::ArcSwap;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HOST, HeaderValue, ORIGIN};
use hyper::http::uri::Authority;
use nearfield_model::{Error, ErrorKind, Result, Rights};

use super::keys::Keys;
use super::settings::Settings;

/// The rules of who may come in.
#[derive(Debug)]
pub(crate) struct Admission {
    hosts: Vec<String>,
    origins: Vec<String>,
    keys: Option<KeyFile>,
}

/// The keys and where they come from.
#[derive(Debug)]
struct KeyFile {
    path: PathBuf,
    keys: ArcSwap<Keys>,
}

impl Admission {
    /// Reads the rules from the settings.
    ///
    /// # Errors
    /// Those of a key file that cannot be read; `Forbidden` if everybody could come in from
    /// elsewhere.
    pub(crate) fn new(settings: &Settings, address: SocketAddr) -> Result<Self> {
        let keys = match &settings.keys {
            Some(path) => Some(KeyFile {
                path: path.clone(),
                keys: ArcSwap::from_pointee(read_keys(path)?),
            }),
            None => None,
        };
        if keys.is_none() && !settings.insecure && !address.ip().is_loopback() {
            return Err(Error::new(
                ErrorKind::Forbidden,
                format!(
                    "{address} can be reached from other machines, and there are no keys; make \
                     one, or allow everybody in with --insecure"
                ),
            )
            .in_field("listen"));
        }
        Ok(Admission {
            hosts: lower(&settings.allowed_hosts),
            origins: lower(&settings.allowed_origins),
            keys,
        })
    }

    /// Whether callers need a key.
    pub(crate) fn has_keys(&self) -> bool {
        self.keys.is_some()
    }

    /// Reads the key file again. The keys stay as they were if it cannot be read.
    ///
    /// # Errors
    /// Those of a key file that cannot be read.
    pub(crate) fn reload(&self) -> Result<()> {
        if let Some(file) = &self.keys {
            let keys = read_keys(&file.path)?;
            tracing::info!(keys = keys.len(), "keys read");
            file.keys.store(keys.into());
        }
        Ok(())
    }

    /// Refuses requests to a host or from a page that is not listed, which a browser may have
    /// been tricked into sending.
    pub(crate) fn check_place(
        &self,
        headers: &HeaderMap,
        authority: Option<&Authority>,
        local: IpAddr,
    ) -> Result<()> {
        for name in [HOST, ORIGIN] {
            if headers.get_all(&name).iter().nth(1).is_some() {
                return Err(Error::invalid(format!(
                    "the request has two {name} headers"
                )));
            }
        }
        let host = match authority {
            Some(authority) => Some(authority.as_str()),
            None => headers.get(HOST).map(text).transpose()?,
        };
        let host = host.ok_or_else(|| Error::invalid("the request has no Host header"))?;
        if !self.allows_host(host, local) {
            return Err(unlisted("host", host, "--allowed-host"));
        }
        match headers.get(ORIGIN).map(text).transpose()? {
            Some(origin) if !self.allows_origin(origin, local) => {
                Err(unlisted("origin", origin, "--allowed-origin"))
            }
            _ => Ok(()),
        }
    }

    /// The origin of the request if its pages may read answers: one that was listed by name.
    pub(crate) fn shares_with(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(ORIGIN)?;
        let listed = |text: &str| {
            let text = text.to_ascii_lowercase();
            self.origins
                .iter()
                .any(|origin| *origin == text || origin == "*")
        };
        origin.to_str().ok().filter(|text| listed(text))?;
        Some(origin.clone())
    }

    /// What the caller may do, by its key.
    pub(crate) fn rights(&self, headers: &HeaderMap) -> Result<Rights> {
        let Some(file) = &self.keys else {
            return Ok(Rights::Admin);
        };
        match key(headers) {
            Some(key) => file.keys.load().right_of(key),
            None => Err(Error::new(
                ErrorKind::Unauthenticated,
                "no key is given; send one as `Authorization: Bearer KEY` or `api-key: KEY`",
            )),
        }
    }

    fn allows_host(&self, authority: &str, local: IpAddr) -> bool {
        let name = host_of(authority);
        is_loopback_name(name)
            || name.parse().is_ok_and(|address: IpAddr| address == local)
            || self.hosts.iter().any(|host| {
                host == "*"
                    || host.eq_ignore_ascii_case(name)
                    || host.eq_ignore_ascii_case(authority)
            })
    }

    fn allows_origin(&self, origin: &str, local: IpAddr) -> bool {
        let place = origin
            .split_once("://")
            .filter(|(scheme, _)| ["http", "https"].contains(scheme));
        self.origins
            .iter()
            .any(|listed| listed == "*" || listed.eq_ignore_ascii_case(origin))
            || place.is_some_and(|(_, authority)| self.allows_host(authority, local))
    }
}

fn read_keys(path: &PathBuf) -> Result<Keys> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::new(
            ErrorKind::Storage,
            format!("{}: cannot read the keys: {error}", path.display()),
        )
    })?;
    Keys::parse(&text)
        .map_err(|error| Error::invalid(format!("{}: {}", path.display(), error.message())))
}

fn lower(names: &[String]) -> Vec<String> {
    names.iter().map(|name| name.to_ascii_lowercase()).collect()
}

fn text(value: &HeaderValue) -> Result<&str> {
    value
        .to_str()
        .map_err(|_| Error::invalid("Host and Origin are plain text"))
}

fn unlisted(what: &str, name: &str, flag: &str) -> Error {
    let name: String = name.chars().take(80).collect();
    Error::new(
        ErrorKind::Forbidden,
        format!("the {what} {name:?} is not listed; list it with {flag}"),
    )
}

/// A host without its port, and an IPv6 address without its brackets.
fn host_of(authority: &str) -> &str {
    if let Some((address, _)) = authority
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(']'))
    {
        return address;
    }
    authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host)
}

fn is_loopback_name(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost") || matches!(name, "127.0.0.1" | "::1")
}

/// The key of a request.
fn key(headers: &HeaderMap) -> Option<&[u8]> {
    if let Some(key) = headers.get("api-key") {
        return Some(key.as_bytes());
    }
    let value = headers.get(AUTHORIZATION)?.as_bytes();
    let (scheme, key) = value.split_at_checked(7)?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| key.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(change: impl FnOnce(&mut Settings)) -> Admission {
        let mut settings = Settings::default();
        change(&mut settings);
        Admission::new(&settings, "127.0.0.1:1".parse().unwrap()).unwrap()
    }

    fn place(admission: &Admission, host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(ORIGIN, origin.parse().unwrap());
        }
        admission
            .check_place(&headers, None, "10.0.0.5".parse().unwrap())
            .is_ok()
    }

    #[test]
    fn only_listed_hosts_and_origins_come_in() {
        let plain = admission(|_| {});
        for host in [
            "localhost",
            "LOCALHOST:80",
            "127.0.0.1:6327",
            "[::1]:6327",
            "10.0.0.5:1",
        ] {
            assert!(place(&plain, host, None), "{host}");
        }
        for host in [
            "example.com",
            "localhost.example.com",
            "10.0.0.6",
            "",
            "[::2]",
            "127.0.0.1.nip.io",
        ] {
            assert!(!place(&plain, host, None), "{host}");
        }
        assert!(place(&plain, "localhost", Some("http://localhost:3000")));
        for origin in [
            "https://example.com",
            "null",
            "file://localhost",
            "http://localhost.example.com",
        ] {
            assert!(!place(&plain, "localhost", Some(origin)), "{origin}");
        }
        let listed = admission(|settings| {
            settings.allowed_hosts = vec!["db.example.com".into()];
            settings.allowed_origins = vec!["https://App.example.com".into()];
        });
        assert!(place(
            &listed,
            "DB.example.com:443",
            Some("https://app.example.com")
        ));
        assert!(!place(
            &listed,
            "db.example.com",
            Some("http://app.example.com")
        ));
    }

    #[test]
    fn a_second_host_or_origin_is_refused() {
        let plain = admission(|_| {});
        for name in [HOST, ORIGIN] {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, HeaderValue::from_static("localhost"));
            headers.append(&name, HeaderValue::from_static("http://localhost"));
            headers.append(&name, HeaderValue::from_static("http://example.com"));
            let refused = plain.check_place(&headers, None, "127.0.0.1".parse().unwrap());
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidArgument);
        }
    }

    #[test]
    fn nobody_is_anonymous_beyond_loopback_unless_asked_for() {
        let mut settings = Settings::default();
        let outside = "0.0.0.0:6327".parse().unwrap();
        let error = Admission::new(&settings, outside).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Forbidden);
        settings.insecure = true;
        assert!(Admission::new(&settings, outside).is_ok());
    }
}
