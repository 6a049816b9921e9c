//! What `hoop exec` and its keepers say to each other over a socket: JSON behind its length, with file descriptors beside it.
//!
//! Blocking, for processes that have one thread. Knows nothing of what is said.

use std::{
    io::{self, IoSlice, IoSliceMut, Read as _, Write as _},
    mem::MaybeUninit,
    os::{
        fd::{AsFd as _, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::{Serialize, de::DeserializeOwned};

/// Sends one value and these descriptors.
pub(super) fn send<T: Serialize>(socket: &UnixStream, value: &T, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let body = serde_json::to_vec(value)?;
    let length =
        u32::try_from(body.len()).ok().filter(|length| *length <= MOST_BYTES).ok_or(io::ErrorKind::InvalidInput)?;
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !beside.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "too many descriptors for one frame"));
    }
    let head = length.to_be_bytes();
    let sent = sendmsg(socket.as_fd(), &[IoSlice::new(&head)], &mut beside, SendFlags::NOSIGNAL)?;
    let mut socket = socket;
    socket.write_all(head.get(sent..).unwrap_or_default())?;
    socket.write_all(&body)
}

/// Receives one value and what came beside it; `None` at the end of the stream.
pub(super) fn receive<T: DeserializeOwned>(socket: &UnixStream) -> io::Result<Option<(T, Vec<OwnedFd>)>> {
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let mut head = [0; 4];
    let received = loop {
        let slices = &mut [IoSliceMut::new(&mut head)];
        match recvmsg(socket.as_fd(), slices, &mut beside, RecvFlags::CMSG_CLOEXEC) {
            Err(rustix::io::Errno::INTR) => {}
            outcome => break outcome?.bytes,
        }
    };
    if received == 0 {
        return Ok(None);
    }
    let mut descriptors = Vec::new();
    for message in beside.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    let mut socket = socket;
    if let Some(rest) = head.get_mut(received..) {
        socket.read_exact(rest)?;
    }
    let length = u32::from_be_bytes(head);
    if length > MOST_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame is far longer than it should be"));
    }
    let mut body = vec![0; usize::try_from(length).unwrap_or_default()];
    socket.read_exact(&mut body)?;
    Ok(Some((serde_json::from_slice(&body)?, descriptors)))
}

/// Arguments and environment of a process have at most a few megabytes.
const MOST_BYTES: u32 = 16 * 1024 * 1024;
/// Room for the listeners of as many connections as a run may have; see [`super::MOST_CONNECTIONS`].
const SPACE: usize = rustix::cmsg_space!(ScmRights(2 * super::MOST_CONNECTIONS));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_and_its_descriptors_arrive() {
        let (near, far) = UnixStream::pair().unwrap();
        let long = "x".repeat(100_000);
        let sender = std::thread::spawn(move || {
            let null = std::fs::File::open("/dev/null").unwrap();
            send(&near, &vec![long], &[null.as_fd(), null.as_fd()]).unwrap();
        });
        let (value, descriptors): (Vec<String>, _) = receive(&far).unwrap().unwrap();
        sender.join().unwrap();
        assert_eq!((value.first().unwrap().len(), descriptors.len()), (100_000, 2));
        assert!(receive::<Vec<String>>(&far).unwrap().is_none());
    }

    #[test]
    fn a_length_beyond_the_bound_is_refused() {
        let (mut near, far) = UnixStream::pair().unwrap();
        near.write_all(&u32::MAX.to_be_bytes()).unwrap();
        assert!(receive::<Vec<String>>(&far).is_err());
    }
}
