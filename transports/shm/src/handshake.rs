//! The first words: who calls, in which version, and with what memory; and the answer.

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use nearfield_model::{Error, ErrorKind, Result, codec};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage,
};

use crate::platform::{CLOSE_ON_RUN, NO_SIGNAL, close_on_run};

/// How the first words begin, in every version.
const MAGIC: [u8; 8] = *b"nearfld\0";
/// The version of the frames and of the shared memory's layout.
const PROTOCOL: u32 = 1;
/// The version of this program.
const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Bytes of magic, protocol and length.
const HEAD_BYTES: usize = 16;
/// Bytes of the first words behind their head, at most.
const WORDS_BYTES_MAX: usize = 4_096;
/// Descriptors that come along, at most; one more is no guest's.
const DESCRIPTORS_MAX: usize = 4;
/// How long the other side may take over its first words, and between two pieces of them.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Frames go over the socket.
    Frames = 0,
    /// Frames go through the memory that comes along.
    Memory = 1,
    /// No frames: the owner tells who its guests are, and hangs up.
    Look = 2,
}

/// A guest's first words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) mode: Mode,
    /// The guest's own number, by which its connections are known to be one guest's.
    pub(crate) guest: [u8; 16],
    /// What runs there, for people.
    pub(crate) program: String,
}

impl Hello {
    /// Sends the words, and the memory if there is one.
    pub(crate) fn send(&self, socket: impl AsFd, memory: Option<BorrowedFd<'_>>) -> io::Result<()> {
        let mut words = vec![self.mode as u8];
        words.extend_from_slice(&self.guest);
        put_text(VERSION, &mut words);
        put_text(&self.program, &mut words);
        send(socket, &words, memory)
    }

    /// Takes a guest's first words, and the descriptors that came along.
    ///
    /// # Errors
    /// `Unsupported` for another version, `InvalidArgument` for what is no guest.
    pub(crate) fn receive(socket: impl AsFd) -> Result<(Hello, Vec<OwnedFd>)> {
        let mut descriptors = Vec::new();
        let words = receive(socket, &mut descriptors)?;
        let words = &mut &words[..];
        let mode = match take::<1>(words)? {
            [0] => Mode::Frames,
            [1] => Mode::Memory,
            [2] => Mode::Look,
            [mode] => return Err(Error::invalid(format!("{mode} is no way to talk"))),
        };
        let guest = take(words)?;
        let version = take_text(words)?;
        check_version(&version, "the guest", "the owner")?;
        let program = take_text(words)?;
        Ok((
            Hello {
                mode,
                guest,
                program,
            },
            descriptors,
        ))
    }
}

/// The owner's answer to a guest's first words.
pub(crate) fn welcome(socket: impl AsFd, admitted: &Result<()>) -> io::Result<()> {
    let mut words = vec![u8::from(admitted.is_err())];
    put_text(VERSION, &mut words);
    if let Err(error) = admitted {
        put_text(&codec::error_to_json(error), &mut words);
    }
    send(socket, &words, None)
}

/// Takes the owner's answer.
///
/// # Errors
/// What the owner refuses, and `Unsupported` for an owner of another version.
pub(crate) fn welcomed(socket: impl AsFd) -> Result<()> {
    let words = receive(socket, &mut Vec::new())?;
    let words = &mut &words[..];
    let [refused] = take::<1>(words)?;
    let version = take_text(words)?;
    if refused != 0 {
        return Err(codec::error_from_json(&take_text(words)?)?);
    }
    check_version(&version, "the owner", "the guest")
}

fn send(socket: impl AsFd, words: &[u8], memory: Option<BorrowedFd<'_>>) -> io::Result<()> {
    let mut bytes = Vec::with_capacity(HEAD_BYTES + words.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&PROTOCOL.to_le_bytes());
    let length = u32::try_from(words.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(words);
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    let descriptors = memory.as_slice();
    if !descriptors.is_empty() {
        control.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    let sent = rustix::net::sendmsg(socket, &[IoSlice::new(&bytes)], &mut control, NO_SIGNAL)?;
    // A fresh socket takes a few hundred bytes at once.
    if sent == bytes.len() {
        Ok(())
    } else {
        Err(io::ErrorKind::WriteZero.into())
    }
}

/// Takes words whose head is alike in all versions.
fn receive(socket: impl AsFd, descriptors: &mut Vec<OwnedFd>) -> Result<Vec<u8>> {
    let until = Instant::now() + TIMEOUT;
    let mut head = [0; HEAD_BYTES];
    fill(&socket, &mut head, descriptors, until)?;
    let (magic, rest) = head.split_at(MAGIC.len());
    let (protocol, length) = rest.split_at(4);
    if magic != MAGIC {
        return Err(Error::invalid(
            "the other side does not speak this wire; is it another program's socket?",
        ));
    }
    let number = |bytes: &[u8]| bytes.try_into().map_or(u32::MAX, u32::from_le_bytes);
    let (protocol, length) = (number(protocol), number(length) as usize);
    if protocol != PROTOCOL {
        return Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "the other process speaks version {protocol} of the protocol and this one \
                 (nearfield {VERSION}) version {PROTOCOL}; run the same version in both"
            ),
        ));
    }
    if length > WORDS_BYTES_MAX {
        return Err(Error::invalid("the first words are too long"));
    }
    let mut words = vec![0; length];
    fill(&socket, &mut words, descriptors, until)?;
    Ok(words)
}

fn fill(
    socket: &impl AsFd,
    mut to: &mut [u8],
    descriptors: &mut Vec<OwnedFd>,
    until: Instant,
) -> Result<()> {
    while !to.is_empty() {
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received = rustix::net::recvmsg(
            socket,
            &mut [IoSliceMut::new(to)],
            &mut control,
            CLOSE_ON_RUN,
        );
        let (count, is_cut) = match received {
            Ok(message) => (message.bytes, message.flags.contains(ReturnFlags::CTRUNC)),
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(silent(&error.into())),
        };
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(received) = message {
                for descriptor in received {
                    close_on_run(&descriptor).map_err(|error| silent(&error))?;
                    descriptors.push(descriptor);
                }
            }
        }
        if count == 0 {
            return Err(silent(&io::ErrorKind::UnexpectedEof.into()));
        }
        if is_cut {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "there is no place for the descriptors that come along: this process has as many \
                 open as it may",
            ));
        }
        if descriptors.len() > DESCRIPTORS_MAX {
            return Err(Error::invalid("too many descriptors come along"));
        }
        to = &mut to[count..];
        // Words that come byte by byte may not keep a thread for hours.
        if !to.is_empty() && Instant::now() >= until {
            return Err(silent(&io::ErrorKind::WouldBlock.into()));
        }
    }
    Ok(())
}

fn silent(error: &io::Error) -> Error {
    let what = match error.kind() {
        io::ErrorKind::WouldBlock => {
            "it does not answer, as it is stopped, or has much to do; let it go on (`kill -CONT`), or \
             end it"
                .to_owned()
        }
        io::ErrorKind::UnexpectedEof => "it hung up".to_owned(),
        _ => error.to_string(),
    };
    Error::new(
        ErrorKind::Unavailable,
        format!("the other process did not say who it is: {what}"),
    )
}

/// Versions understand each other if they differ in nothing but the last number.
fn check_version(theirs: &str, other: &str, this: &str) -> Result<()> {
    let series = |version: &str| {
        let mut numbers = version.splitn(3, '.');
        (
            numbers.next().map(str::to_owned),
            numbers.next().map(str::to_owned),
        )
    };
    if series(theirs) == series(VERSION) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        format!(
            "{other} is nearfield {theirs} and {this} nearfield {VERSION}; run the same version in both"
        ),
    ))
}

fn put_text(text: &str, to: &mut Vec<u8>) {
    let mut end = text.len().min(WORDS_BYTES_MAX / 2);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    to.extend_from_slice(&u16::try_from(end).unwrap_or(0).to_le_bytes());
    to.extend_from_slice(&text.as_bytes()[..end]);
}

fn take<const N: usize>(words: &mut &[u8]) -> Result<[u8; N]> {
    let (first, rest) = words.split_first_chunk().ok_or_else(cut_off)?;
    *words = rest;
    Ok(*first)
}

fn take_text(words: &mut &[u8]) -> Result<String> {
    let length = usize::from(u16::from_le_bytes(take(words)?));
    let (text, rest) = words.split_at_checked(length).ok_or_else(cut_off)?;
    *words = rest;
    Ok(String::from_utf8_lossy(text).into_owned())
}

fn cut_off() -> Error {
    Error::invalid("the first words end too early")
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn words_and_memory_arrive() {
        let (guest, owner) = UnixStream::pair().unwrap();
        let hello = Hello {
            mode: Mode::Memory,
            guest: [3; 16],
            program: "test".to_owned(),
        };
        let memory = std::fs::File::open("/dev/null").unwrap();
        hello.send(&guest, Some(memory.as_fd())).unwrap();
        let (received, descriptors) = Hello::receive(&owner).unwrap();
        assert_eq!(received, hello);
        assert_eq!(descriptors.len(), 1);
        welcome(&owner, &Ok(())).unwrap();
        welcomed(&guest).unwrap();
        let refusal = Error::new(ErrorKind::Forbidden, "no");
        welcome(&owner, &Err(refusal.clone())).unwrap();
        assert_eq!(welcomed(&guest).unwrap_err(), refusal);
    }

    #[test]
    fn another_version_is_told_with_both_numbers() {
        let (guest, owner) = UnixStream::pair().unwrap();
        let mut words = MAGIC.to_vec();
        words.extend_from_slice(&7_u32.to_le_bytes());
        words.extend_from_slice(&0_u32.to_le_bytes());
        io::Write::write_all(&mut &guest, &words).unwrap();
        let error = Hello::receive(&owner).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.message().contains("version 7"), "{error}");
        assert!(error.message().contains("version 1"), "{error}");
        let error = check_version("9.1.0", "the guest", "the owner").unwrap_err();
        assert!(error.message().contains("9.1.0") && error.message().contains(VERSION));
        check_version(VERSION, "the guest", "the owner").unwrap();
    }

    #[test]
    fn strangers_are_told_apart() {
        let (guest, owner) = UnixStream::pair().unwrap();
        io::Write::write_all(&mut &guest, b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let error = Hello::receive(&owner).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    }
}
