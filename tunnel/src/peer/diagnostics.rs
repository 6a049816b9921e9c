//! Asks the Linux kernel who owns a TCP socket, by its exact address pair, over `NETLINK_SOCK_DIAG`.
//!
//! One request, one answer, nothing listed and nothing parsed from text: a pair names at most one established socket.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bytes::BytesMut;
use netlink_packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{AF_INET, AF_INET6, IPPROTO_TCP, TCP_ESTABLISHED};
use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags};
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use netlink_sys::{Socket, SocketAddr as NetlinkAddress};

use super::PeerError;

/// Whose a socket is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    /// The user.
    pub(super) user: u32,
    /// The socket's number, by which the processes that hold it are known.
    pub(super) inode: u32,
}

/// The owner of the established socket at `from` that is connected to `to`.
pub(super) fn owner(from: SocketAddr, to: SocketAddr) -> Result<Owner, PeerError> {
    let wanted = pair(from, to);
    let response = ask(&wanted)?;
    let header = response.header;
    let found = (header.socket_id.source_address, header.socket_id.source_port);
    let talks_to = (header.socket_id.destination_address, header.socket_id.destination_port);
    if found.0.to_canonical() != wanted.source_address.to_canonical()
        || talks_to.0.to_canonical() != wanted.destination_address.to_canonical()
        || (found.1, talks_to.1) != (wanted.source_port, wanted.destination_port)
    {
        return Err(PeerError::Nonsense);
    }
    if header.state != TCP_ESTABLISHED {
        return Err(PeerError::Gone);
    }
    Ok(Owner { user: header.uid, inode: header.inode })
}

fn ask(wanted: &SocketId) -> Result<InetResponse, PeerError> {
    let family = if wanted.source_address.is_ipv4() { AF_INET } else { AF_INET6 };
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST;
    header.sequence_number = SEQUENCE;
    let request = InetRequest {
        family,
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::empty(),
        states: StateFlags::ESTABLISHED,
        socket_id: wanted.clone(),
    };
    let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    let answer = exchange(&bytes).map_err(PeerError::Lookup)?;
    let answer = NetlinkMessage::<SockDiagMessage>::deserialize(&answer).map_err(|_malformed| PeerError::Nonsense)?;
    if answer.header.sequence_number != SEQUENCE {
        return Err(PeerError::Nonsense);
    }
    if let NetlinkPayload::Error(error) = &answer.payload {
        return Err(refusal(error.to_io()));
    }
    let NetlinkPayload::InnerMessage(SockDiagMessage::InetResponse(response)) = answer.payload else {
        return Err(PeerError::Nonsense);
    };
    Ok(*response)
}

fn refusal(error: io::Error) -> PeerError {
    if error.kind() == io::ErrorKind::NotFound { PeerError::Gone } else { PeerError::Lookup(error) }
}

/// Sends one request and takes one answer. The kernel has answered by the time `send` returns, so nothing here waits.
fn exchange(request: &[u8]) -> io::Result<BytesMut> {
    let mut socket = Socket::new(NETLINK_SOCK_DIAG)?;
    socket.bind_auto()?;
    socket.set_non_blocking(true)?;
    socket.connect(&NetlinkAddress::new(KERNEL_PORT, 0))?;
    if socket.send(request, 0)? != request.len() {
        return Err(io::ErrorKind::WriteZero.into());
    }
    let mut answer = BytesMut::with_capacity(ANSWER_BYTES);
    let (_, sender) = socket.recv_from(&mut answer, 0)?;
    if sender.port_number() != KERNEL_PORT {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(answer)
}

fn pair(from: SocketAddr, to: SocketAddr) -> SocketId {
    // Both ends of a connection are of one family; an IPv6 socket that talks IPv4 is found as IPv4.
    let (source_address, destination_address) = match (from.ip().to_canonical(), to.ip().to_canonical()) {
        (source @ IpAddr::V6(_), IpAddr::V4(destination)) => {
            (source, IpAddr::V6(Ipv4Addr::to_ipv6_mapped(&destination)))
        }
        (IpAddr::V4(source), destination @ IpAddr::V6(_)) => (IpAddr::V6(source.to_ipv6_mapped()), destination),
        same => same,
    };
    SocketId {
        source_port: from.port(),
        destination_port: to.port(),
        source_address,
        destination_address,
        interface_id: 0,
        cookie: ANY_COOKIE,
    }
}

const SEQUENCE: u32 = 1;
const ANSWER_BYTES: usize = 4096;
const KERNEL_PORT: u32 = 0;
/// SPEC: `sock_diag(7)`, `INET_DIAG_NOCOOKIE`.
const ANY_COOKIE: [u8; 8] = [0xff; 8];
