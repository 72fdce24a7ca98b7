//! How a target chooses a door.

use std::path::PathBuf;

#[cfg(not(all(feature = "shm", feature = "http", feature = "grpc")))]
use nearfield_model::ErrorKind;
use nearfield_model::{Error, Result};

/// A door, as a target names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// A store in files at a path: in this process, or in the one that has it.
    Path(PathBuf),
    /// The process that has a path, by shared memory.
    #[cfg(feature = "shm")]
    SharedMemory(PathBuf),
    /// The same, over its Unix socket alone.
    #[cfg(feature = "shm")]
    UnixSocket(PathBuf),
    /// A store in this process that goes with it.
    Memory,
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
        if let Some((scheme, rest)) = target.split_once("://") {
            return Scheme::of_url(target, scheme, rest);
        }
        let (path, door): (_, fn(PathBuf) -> Result<Scheme>) =
            match (target.strip_prefix("shm:"), target.strip_prefix("unix:")) {
                (Some(path), _) => (path, shared_memory),
                (_, Some(path)) => (path, unix_socket),
                _ => (target, |path| Ok(Scheme::Path(path))),
            };
        if path.is_empty() || path.contains('\0') {
            return Err(Error::invalid(format!(
                "{target:?} is not a target; use a path such as ./data, :memory:, or the URL of a \
                 server such as http://127.0.0.1:6327"
            )));
        }
        door(PathBuf::from(path))
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

#[cfg(feature = "shm")]
fn shared_memory(path: PathBuf) -> Result<Scheme> {
    Ok(Scheme::SharedMemory(path))
}

#[cfg(feature = "shm")]
fn unix_socket(path: PathBuf) -> Result<Scheme> {
    Ok(Scheme::UnixSocket(path))
}

#[cfg(not(feature = "shm"))]
fn shared_memory(path: PathBuf) -> Result<Scheme> {
    Err(without(&format!("shm:{}", path.display()), "shm"))
}

#[cfg(not(feature = "shm"))]
fn unix_socket(path: PathBuf) -> Result<Scheme> {
    Err(without(&format!("unix:{}", path.display()), "shm"))
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

#[cfg(not(all(feature = "shm", feature = "http", feature = "grpc")))]
fn without(url: &str, feature: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!(
            "{url}: this program is built without that door; turn on the feature `{feature}` of \
             the crate nearfield"
        ),
    )
}

#[cfg(test)]
mod tests {
    use nearfield_model::ErrorKind;

    use super::*;

    #[test]
    fn paths_and_memory_are_doors() {
        assert_eq!(Scheme::parse(":memory:").unwrap(), Scheme::Memory);
        for path in ["./data", "/srv/a://b", "c:data"] {
            assert_eq!(Scheme::parse(path).unwrap(), Scheme::Path(path.into()));
        }
    }

    #[test]
    fn what_is_no_target_is_refused() {
        for target in ["", "a\0b", "ftp://h", "redis://h:1", "shm:", "unix:a\0b"] {
            assert_eq!(
                Scheme::parse(target).unwrap_err().kind(),
                ErrorKind::InvalidArgument
            );
        }
    }

    #[cfg(feature = "shm")]
    #[test]
    fn owners_are_reached_by_memory_or_by_their_socket() {
        let owner = |target| Scheme::parse(target).unwrap();
        assert_eq!(owner("shm:./data"), Scheme::SharedMemory("./data".into()));
        let socket = "/run/nf.sock".into();
        assert_eq!(owner("unix:/run/nf.sock"), Scheme::UnixSocket(socket));
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
