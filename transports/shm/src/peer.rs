//! Who is at the other end of a socket, and whether that process still lives.

use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nearfield_model::{Error, ErrorKind, Result};

use crate::descriptor::Descriptor;

/// A process at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Its number, if this process sees it.
    pub(crate) pid: Option<u32>,
    /// Its user.
    pub(crate) uid: u32,
}

impl Peer {
    /// Who made the other end.
    pub(crate) fn of(socket: impl AsFd) -> Result<Peer> {
        credentials(socket).map_err(|error| {
            Error::new(
                ErrorKind::Unavailable,
                format!("it cannot be told who connects: {error}"),
            )
        })
    }

    /// Refuses processes of other users.
    pub(crate) fn check(&self, group: bool) -> Result<()> {
        let own = rustix::process::geteuid().as_raw();
        // The file's mode has let the group in.
        if group || self.uid == own || self.uid == 0 {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Forbidden,
            format!(
                "the store's owner runs as user {own} and this process as user {}; run both as one \
                 user, or let the owner share with its group",
                self.uid
            ),
        ))
    }

    /// Refuses to hand vectors to somebody who merely listens where the owner would: whoever does has
    /// to be this user, root, or whose folder it is.
    pub(crate) fn check_owner(&self, socket: &Path) -> Result<()> {
        let own = rustix::process::geteuid().as_raw();
        let folder = socket.parent().filter(|folder| *folder != Path::new(""));
        let of_folder = || std::fs::metadata(folder.unwrap_or(Path::new("."))).map(|it| it.uid());
        if self.uid == own || self.uid == 0 || of_folder().is_ok_and(|uid| uid == self.uid) {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Forbidden,
            format!(
                "user {} listens at {}, whose folder is not theirs; look who they are, and keep \
                 the folder from others",
                self.uid,
                socket.display()
            ),
        ))
    }

    /// What becomes readable when the process ends; none where there is nothing like it.
    pub(crate) fn end(&self) -> Option<Descriptor> {
        end_of(self.pid?)
    }
}

fn credentials(socket: impl AsFd) -> std::io::Result<Peer> {
    let (pid, uid) = crate::credentials::of(socket)?;
    Ok(Peer {
        pid: u32::try_from(pid).ok().filter(|pid| *pid != 0),
        uid,
    })
}

#[cfg(target_os = "linux")]
fn end_of(pid: u32) -> Option<Descriptor> {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};

    let pid = Pid::from_raw(pid.try_into().ok()?)?;
    pidfd_open(pid, PidfdFlags::empty())
        .ok()
        .map(Descriptor::new)
}

#[cfg(not(target_os = "linux"))]
fn end_of(_: u32) -> Option<Descriptor> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_listens_has_to_be_this_user_or_root_or_whose_folder_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let own = rustix::process::geteuid().as_raw();
        let peer = |uid| Peer { pid: None, uid };
        assert!(peer(own).check_owner(&socket).is_ok());
        assert!(peer(0).check_owner(&socket).is_ok());
        let error = peer(own + 7).check_owner(&socket).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Forbidden);
        if own == 0 {
            std::os::unix::fs::chown(folder.path(), Some(7), None).unwrap();
            assert!(peer(7).check_owner(&socket).is_ok());
        }
    }
}
