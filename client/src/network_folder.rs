//! Folders of other machines, on which no store is shared: a lock may hold on one machine alone,
//! a socket never leads to another, and mapped files change late or not at all.

use std::fs::File;
use std::path::Path;

use nearfield_model::{Error, ErrorKind, Result};

/// Refuses a folder on a network file system.
///
/// # Errors
/// `Unsupported`, with what to do instead.
pub(crate) fn refuse(folder: &File, path: &Path) -> Result<()> {
    match network(folder) {
        None => Ok(()),
        Some(name) => Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "{} is on a network file system ({name}), on which a store cannot be kept safely; \
                 keep it on a disk of one machine, and serve it to others: `nearfield serve`",
                path.display()
            ),
        )),
    }
}

/// The kinds by the numbers that `statfs` gives. 9P is not among them: it is how sandboxes and
/// virtual machines show folders of the very machine.
#[cfg(target_os = "linux")]
const KINDS: [(u32, &str); 11] = [
    (0x0000_6969, "nfs"),
    (0xff53_4d42, "cifs"),
    (0xfe53_4d42, "smb"),
    (0x0000_517b, "smb"),
    (0x00c3_6400, "ceph"),
    (0x5346_414f, "afs"),
    (0x6b41_4653, "afs"),
    (0x7375_7245, "coda"),
    (0x0bd0_0bd0, "lustre"),
    (0x4750_4653, "gpfs"),
    (0x1983_0326, "beegfs"),
];

/// File systems in user space all have one number. Many are local, so these are known by name.
#[cfg(target_os = "linux")]
const FUSE: u32 = 0x6573_5546;
#[cfg(target_os = "linux")]
const FUSE_KINDS: [&str; 15] = [
    "sshfs",
    "s3fs",
    "gcsfuse",
    "rclone",
    "glusterfs",
    "ceph",
    "davfs",
    "curlftpfs",
    "goofys",
    "mountpoint-s3",
    "juicefs",
    "seaweedfs",
    "blobfuse",
    "blobfuse2",
    "lizardfs",
];

#[cfg(target_os = "linux")]
fn network(folder: &File) -> Option<String> {
    use std::os::unix::fs::MetadataExt;

    // The number has 32 bits, whatever the type of the field is here.
    let kind = rustix::fs::fstatfs(folder).ok()?.f_type as u32;
    if kind == FUSE {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
        return fuse_kind(&mounts, folder.metadata().ok()?.dev());
    }
    let (_, name) = KINDS.iter().find(|(number, _)| *number == kind)?;
    Some((*name).to_owned())
}

#[cfg(not(target_os = "linux"))]
fn network(_folder: &File) -> Option<String> {
    None
}

/// The kind of the file system in user space that has this device, if it is one of a network.
#[cfg(target_os = "linux")]
fn fuse_kind(mounts: &str, device: u64) -> Option<String> {
    let device = format!(
        "{}:{}",
        rustix::fs::major(device),
        rustix::fs::minor(device)
    );
    let line = mounts
        .lines()
        .find(|line| line.split(' ').nth(2) == Some(&device))?;
    let (_, rest) = line.split_once(" - ")?;
    let kind = rest.split(' ').next()?.strip_prefix("fuse.")?;
    FUSE_KINDS.contains(&kind).then(|| kind.to_owned())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_local_folder_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        refuse(&File::open(folder.path()).unwrap(), folder.path()).unwrap();
    }

    #[test]
    fn file_systems_in_user_space_are_told_apart() {
        let mounts = "\
22 1 8:1 / / rw - ext4 /dev/sda1 rw
90 22 0:51 / /home/a/far rw,nosuid - fuse.sshfs host:/srv rw,user_id=1000
91 22 0:52 / /home/a/near rw - fuse.gocryptfs /home/a/.near rw
92 22 0:53 / /media/usb rw - fuseblk /dev/sdb1 rw
";
        let device = |minor| rustix::fs::makedev(0, minor);
        assert_eq!(fuse_kind(mounts, device(51)), Some("sshfs".to_owned()));
        for minor in [52, 53, 54] {
            assert_eq!(fuse_kind(mounts, device(minor)), None);
        }
    }
}
