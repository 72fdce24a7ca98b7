//! How a target chooses a door.

use std::path::PathBuf;

use nearfield_model::{Error, ErrorKind, Result};

/// A door, as a target names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// A store in this process, in files at a path.
    Path(PathBuf),
    /// A store in this process that goes with it.
    Memory,
    /// Nothing: what remains is the door. For measuring.
    Null,
    /// Another target, whose calls are timed into a file. For measuring.
    Timed(PathBuf, Box<Scheme>),
    /// A server, by its URL over HTTP.
    #[cfg(feature = "http")]
    Http(String),
    /// A server, by its URL over gRPC.
    #[cfg(feature = "grpc")]
    Grpc(String),
}

impl Scheme {
    /// Reads a target such as `./data`, `:memory:` or `http://127.0.0.1:6327`.
    pub(crate) fn parse(target: &str) -> Result<Scheme> {
        if target == ":memory:" {
            return Ok(Scheme::Memory);
        }
        if target == "null:" {
            return Ok(Scheme::Null);
        }
        if let Some((file, target)) = timed(target) {
            let target = Box::new(Scheme::parse(target)?);
            return Ok(Scheme::Timed(PathBuf::from(file), target));
        }
        if let Some((scheme, rest)) = target.split_once("://") {
            return Scheme::of_url(target, scheme, rest);
        }
        for (scheme, door) in PLANNED {
            if target.starts_with(scheme) {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("{target}: {door} is not in this version; use a path or :memory:"),
                ));
            }
        }
        if target.is_empty() || target.contains('\0') {
            return Err(Error::invalid(format!(
                "{target:?} is not a target; use a path such as ./data, :memory:, or the URL of a \
                 server such as http://127.0.0.1:6327"
            )));
        }
        Ok(Scheme::Path(PathBuf::from(target)))
    }

    fn of_url(target: &str, scheme: &str, rest: &str) -> Result<Scheme> {
        // A path may hold `://` too, behind a slash.
        if scheme.contains('/') {
            return Ok(Scheme::Path(PathBuf::from(target)));
        }
        let scheme = scheme.to_ascii_lowercase();
        let url = format!("{scheme}://{rest}");
        match &*scheme {
            "http" | "https" => http(url),
            "grpc" | "grpcs" => grpc(url),
            _ => Err(Error::invalid(format!(
                "{target}: {scheme}:// is no door; use a path, :memory:, http://, https://, grpc:// or grpcs://"
            ))),
        }
    }
}

/// The file and the target of `timed:FILE:TARGET`.
fn timed(target: &str) -> Option<(&str, &str)> {
    target.strip_prefix("timed:")?.split_once(':')
}

#[cfg(feature = "http")]
fn http(url: String) -> Result<Scheme> {
    Ok(Scheme::Http(url))
}

#[cfg(not(feature = "http"))]
fn http(url: String) -> Result<Scheme> {
    Err(without(&url, "http"))
}

#[cfg(feature = "grpc")]
fn grpc(url: String) -> Result<Scheme> {
    Ok(Scheme::Grpc(url))
}

#[cfg(not(feature = "grpc"))]
fn grpc(url: String) -> Result<Scheme> {
    Err(without(&url, "grpc"))
}

#[cfg(not(all(feature = "http", feature = "grpc")))]
fn without(url: &str, feature: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!(
            "{url}: this program is built without that door; turn on the feature `{feature}` of \
             the crate nearfield"
        ),
    )
}

/// Schemes that later versions open, refused here instead of being taken for paths.
const PLANNED: [(&str, &str); 2] = [("shm:", "shared memory"), ("unix:", "the Unix socket")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_memory_are_doors() {
        assert_eq!(Scheme::parse(":memory:").unwrap(), Scheme::Memory);
        for path in ["./data", "/srv/a://b", "c:data"] {
            assert_eq!(Scheme::parse(path).unwrap(), Scheme::Path(path.into()));
        }
    }

    #[test]
    fn targets_for_measuring_wrap_others() {
        assert_eq!(Scheme::parse("null:").unwrap(), Scheme::Null);
        let inner = Box::new(Scheme::Path("./data".into()));
        let timed = Scheme::Timed("/tmp/times".into(), inner);
        assert_eq!(Scheme::parse("timed:/tmp/times:./data").unwrap(), timed);
    }

    #[test]
    fn planned_schemes_and_what_is_no_target_are_refused() {
        for target in ["shm:./data", "unix:/run/nf.sock"] {
            assert_eq!(
                Scheme::parse(target).unwrap_err().kind(),
                ErrorKind::Unsupported
            );
        }
        for target in ["", "a\0b", "ftp://h", "redis://h:1"] {
            assert_eq!(
                Scheme::parse(target).unwrap_err().kind(),
                ErrorKind::InvalidArgument
            );
        }
    }

    #[cfg(feature = "http")]
    #[test]
    fn urls_of_http_are_a_door() {
        for (target, url) in [
            ("http://h:6327", "http://h:6327"),
            ("HTTPS://h", "https://h"),
        ] {
            assert_eq!(Scheme::parse(target).unwrap(), Scheme::Http(url.to_owned()));
        }
    }

    #[cfg(feature = "grpc")]
    #[test]
    fn urls_of_grpc_are_a_door() {
        let scheme = Scheme::parse("grpc://h:6327").unwrap();
        assert_eq!(scheme, Scheme::Grpc("grpc://h:6327".to_owned()));
    }

    #[cfg(not(feature = "http"))]
    #[test]
    fn a_door_that_is_not_built_in_names_its_feature() {
        let error = Scheme::parse("http://h:6327").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains("feature `http`"), "{error}");
    }
}
