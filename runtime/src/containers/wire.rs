//! What is asked of a container's keeper, and its answer.
//!
//! A message is its length (four bytes, little endian) and JSON. The length of a request brings descriptors along.

use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nix::sys::socket::{ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Folder, SOCKET};
use crate::exec::sys;

/// No message is longer.
const MOST: usize = 4 << 20;

/// What can be asked of a keeper.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// Run a further program inside; its standard streams come along.
    Run(Inside),
    /// Send a signal.
    Signal(i32),
    /// Ask it to stop; kill it when it has not after so many seconds.
    Stop {
        /// How long it may take.
        seconds: u64,
    },
}

/// A program that is to run inside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inside {
    /// Program and arguments.
    pub args: Vec<String>,
    /// Variables beside the container's own.
    pub env: Vec<(String, String)>,
    /// The working directory, where it is not the container's.
    pub cwd: Option<String>,
    /// The user, where it is not the container's.
    pub user: Option<String>,
    /// It gets a terminal: standard input is the socket of a [`Terminal`](crate::exec::Terminal).
    pub terminal: bool,
}

/// What a keeper answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Done; the exit code of what was run.
    Done(i32),
    /// It could not be done: why, and the exit code for that.
    Failed(String, i32),
}

/// Asks the keeper of a container and waits for its answer.
pub fn ask(folder: &Folder, request: &Request, descriptors: &[BorrowedFd<'_>]) -> io::Result<Answer> {
    let mut stream = connect(folder)?;
    let bytes = serde_json::to_vec(request)?;
    let length = length_of(&bytes)?;
    let raw: Vec<i32> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
    let message: &[ControlMessage<'_>] = if raw.is_empty() { &[] } else { &[ControlMessage::ScmRights(&raw)] };
    let sent = sendmsg::<()>(stream.as_raw_fd(), &[IoSlice::new(&length)], message, MsgFlags::empty(), None)?;
    stream.write_all(length.get(sent..).unwrap_or_default())?;
    stream.write_all(&bytes)?;
    receive(&mut stream)
}

/// A path may be too long for a socket's address; through an open folder none is.
pub(super) fn through<T>(folder: &Folder, act: impl FnOnce(&str) -> io::Result<T>) -> io::Result<T> {
    let open = std::fs::File::open(folder.path())?;
    act(&format!("/proc/self/fd/{}/{SOCKET}", open.as_raw_fd()))
}

fn connect(folder: &Folder) -> io::Result<UnixStream> {
    through(folder, |path| UnixStream::connect(path))
}

fn length_of(bytes: &[u8]) -> io::Result<[u8; 4]> {
    let length = u32::try_from(bytes.len()).ok().filter(|length| *length as usize <= MOST);
    length.map(u32::to_le_bytes).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the message is too long"))
}

pub(super) fn answer(stream: &mut UnixStream, answer: &Answer) -> io::Result<()> {
    let bytes = serde_json::to_vec(answer)?;
    stream.write_all(&length_of(&bytes)?)?;
    stream.write_all(&bytes)
}

/// A request with the descriptors that came along.
pub(super) fn request(stream: &mut UnixStream) -> io::Result<(Request, Vec<OwnedFd>)> {
    let mut length = [0; 4];
    let mut descriptors = Vec::new();
    let read = {
        let mut parts = [IoSliceMut::new(&mut length)];
        let mut space = nix::cmsg_space!([i32; 3]);
        let message = recvmsg::<()>(stream.as_raw_fd(), &mut parts, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)?;
        for part in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(raw) = part {
                descriptors.extend(raw.into_iter().map(sys::inherited));
            }
        }
        message.bytes
    };
    stream.read_exact(length.get_mut(read..).unwrap_or_default())?;
    Ok((body(stream, length)?, descriptors))
}

fn receive<T: DeserializeOwned>(stream: &mut UnixStream) -> io::Result<T> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    body(stream, length)
}

fn body<T: DeserializeOwned>(stream: &mut UnixStream, length: [u8; 4]) -> io::Result<T> {
    let length = u32::from_le_bytes(length) as usize;
    if length > MOST {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the message is too long"));
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn a_request_brings_descriptors_and_a_long_one_is_refused() {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        let wanted = Request::Run(Inside { args: vec!["true".into()], ..Inside::default() });
        let bytes = serde_json::to_vec(&wanted).unwrap();
        let raw = [ours.as_fd().as_raw_fd()];
        let length = length_of(&bytes).unwrap();
        let message = [ControlMessage::ScmRights(&raw)];
        sendmsg::<()>(ours.as_raw_fd(), &[IoSlice::new(&length)], &message, MsgFlags::empty(), None).unwrap();
        ours.write_all(&bytes).unwrap();
        let (got, descriptors) = request(&mut theirs).unwrap();
        assert_eq!((got, descriptors.len()), (wanted, 1));
        ours.write_all(&u32::MAX.to_le_bytes()).unwrap();
        assert!(request(&mut theirs).unwrap_err().to_string().contains("too long"));
        assert!(length_of(&vec![0; MOST + 1]).is_err());
    }
}
