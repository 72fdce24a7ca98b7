//! Sockets at paths, also at those that are longer than a socket's address may be.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Instant;

use nearfield_model::{Error, ErrorKind, Result};

use crate::handshake::TIMEOUT;
use crate::platform::prepare;
use crate::time::after;

/// Bytes of a path in an address, at most; the shortest of the platforms'.
const ADDRESS_BYTES_MAX: usize = 103;

/// A path as an address takes it. What it names stays valid as long as this lives.
struct Address {
    path: PathBuf,
    /// The folder that a short path goes through.
    _folder: Option<OwnedFd>,
}

impl Address {
    fn of(socket: &Path) -> io::Result<Address> {
        if socket.as_os_str().len() <= ADDRESS_BYTES_MAX {
            return Ok(Address {
                path: socket.to_owned(),
                _folder: None,
            });
        }
        let too_long = || {
            io::Error::new(
                io::ErrorKind::InvalidFilename,
                "the path is longer than the address of a socket may be",
            )
        };
        let name = socket.file_name().ok_or_else(too_long)?;
        let folder = socket.parent().filter(|_| cfg!(target_os = "linux"));
        let folder = File::open(folder.ok_or_else(too_long)?)?;
        let through = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string());
        if !through.exists() {
            return Err(too_long());
        }
        let path = through.join(name);
        if path.as_os_str().len() > ADDRESS_BYTES_MAX {
            return Err(too_long());
        }
        Ok(Address {
            path,
            _folder: Some(folder.into()),
        })
    }
}

/// Listens at a path, for this user's processes, and for those of the file's group if asked to.
/// A socket that is there is replaced.
///
/// # Errors
/// `Storage` with the path, also for something that is there and is no socket.
pub(crate) fn listen(socket: &Path, group: bool) -> Result<UnixListener> {
    let listening = || -> io::Result<UnixListener> {
        match fs::symlink_metadata(socket) {
            Ok(found) if found.file_type().is_socket() => fs::remove_file(socket)?,
            Ok(_) => return Err(io::ErrorKind::AlreadyExists.into()),
            Err(_) => {}
        }
        let address = Address::of(socket)?;
        let listener = UnixListener::bind(&address.path)?;
        // Who got in before is told by the credentials of each connection.
        let mode = if group { 0o660 } else { 0o600 };
        fs::set_permissions(socket, fs::Permissions::from_mode(mode))?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    listening().map_err(|error| {
        let socket = socket.display();
        Error::new(
            ErrorKind::Storage,
            format!("{socket}: no socket for other processes can be made here: {error}"),
        )
    })
}

/// Connects to whoever listens at a path, as [`connect_by`], within the time of a handshake.
pub(crate) fn connect(socket: &Path) -> Result<UnixStream> {
    connect_by(socket, after(TIMEOUT))
}

/// Connects to whoever listens at a path. One who takes no connections is waited for until `until`.
///
/// # Errors
/// `Unavailable` if nobody does, or takes no connection in time; `Forbidden` if the file does not
/// allow it.
pub(crate) fn connect_by(socket: &Path, until: Instant) -> Result<UnixStream> {
    Address::of(socket)
        .and_then(|address| reach(&address.path, until))
        .and_then(|stream| prepare(&stream).map(|()| stream))
        .map_err(|error| {
            match error.kind() {
                io::ErrorKind::WouldBlock => Error::new(
                    ErrorKind::Unavailable,
                    format!(
                        "{}: who listens here takes no more connections: that process is \
                         stopped, or has much to do; wait and try again, let it go on (`kill -CONT`), \
                         or end it",
                        socket.display()
                    ),
                ),
                io::ErrorKind::PermissionDenied => not_let_in(socket, &error),
                _ => Error::new(
                    ErrorKind::Unavailable,
                    format!("{}: no process answers here: {error}", socket.display()),
                ),
            }
        })
}

/// What the file of a socket tells about those who may not connect.
fn not_let_in(socket: &Path, error: &io::Error) -> Error {
    let own = rustix::process::geteuid().as_raw();
    let whose = fs::symlink_metadata(socket).map(|found| {
        let with = match found.mode() & 0o060 {
            0 => "with nobody else".to_owned(),
            _ => format!("with group {} alone", found.gid()),
        };
        format!(
            "this process runs as user {own}, and the store's owner as user {}, who shares it {with}; \
             run both as one user, or let the owner share with a group of this one \
             (`share_with_group`, `nearfield serve --share-group`)",
            found.uid()
        )
    });
    let whose = whose.unwrap_or_else(|_| {
        format!(
            "user {own} may not look into this folder; give it the right to, or use another user"
        )
    });
    Error::new(
        ErrorKind::Forbidden,
        format!("{}: {error}: {whose}", socket.display()),
    )
}

/// Connects; `WouldBlock` if as many as may wait for the listener did so all the time.
#[cfg(target_os = "linux")]
fn reach(path: &Path, until: Instant) -> io::Result<UnixStream> {
    use rustix::io::Errno;
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, socket_with};
    use std::time::Duration;

    /// Pauses between two tries, from the first to the longest.
    const PAUSES: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(20)];

    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    let address = SocketAddrUnix::new(path)?;
    let mut pause = PAUSES[0];
    loop {
        match rustix::net::connect(&socket, &address) {
            Ok(()) => break,
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) if Instant::now() + pause < until => {
                std::thread::sleep(pause);
                pause = (pause * 2).min(PAUSES[1]);
            }
            Err(error) => return Err(error.into()),
        }
    }
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// Connects. Elsewhere nobody waits for a listener: where too many would, one is refused at once.
#[cfg(not(target_os = "linux"))]
fn reach(path: &Path, _: Instant) -> io::Result<UnixStream> {
    UnixStream::connect(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_paths_work_and_stale_sockets_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let long = folder.path().join("a".repeat(120)).join("b".repeat(120));
        fs::create_dir_all(&long).unwrap();
        let socket = long.join("socket");
        for group in [false, true] {
            let listener = listen(&socket, group).unwrap();
            connect(&socket).unwrap();
            drop(listener);
            let kind = connect(&socket).unwrap_err().kind();
            assert_eq!(kind, ErrorKind::Unavailable);
            let mode = fs::metadata(&socket).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, if group { 0o660 } else { 0o600 });
        }
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("socket");
        fs::write(&file, "mine").unwrap();
        let error = listen(&file, false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Storage);
        assert_eq!(fs::read(&file).unwrap(), b"mine");
    }

    #[test]
    fn nobody_at_a_path_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let error = connect(&folder.path().join("socket")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
}
