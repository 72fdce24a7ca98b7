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
}

impl Scheme {
    /// Reads a target such as `./data` or `:memory:`.
    pub(crate) fn parse(target: &str) -> Result<Scheme> {
        if target == ":memory:" {
            return Ok(Scheme::Memory);
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
                "{target:?} is not a target; use a path such as ./data, or :memory:"
            )));
        }
        Ok(Scheme::Path(PathBuf::from(target)))
    }
}

/// Schemes that later versions open, refused here instead of being taken for paths.
const PLANNED: [(&str, &str); 5] = [
    ("shm:", "shared memory"),
    ("unix:", "the Unix socket"),
    ("http://", "HTTP"),
    ("https://", "HTTP"),
    ("grpc://", "gRPC"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_memory_are_doors_and_planned_schemes_are_refused() {
        assert_eq!(Scheme::parse(":memory:").unwrap(), Scheme::Memory);
        assert_eq!(
            Scheme::parse("./data").unwrap(),
            Scheme::Path("./data".into())
        );
        for target in [
            "shm:./data",
            "unix:/run/nf.sock",
            "http://h:6327",
            "grpc://h:6327",
        ] {
            assert_eq!(
                Scheme::parse(target).unwrap_err().kind(),
                ErrorKind::Unsupported
            );
        }
        for target in ["", "a\0b"] {
            assert_eq!(
                Scheme::parse(target).unwrap_err().kind(),
                ErrorKind::InvalidArgument
            );
        }
    }
}
