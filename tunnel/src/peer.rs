//! Who is on the local socket: only the same operating-system user may use a tunnel.
//!
//! On Linux the kernel is asked for the owner of the other end of the exact address pair; elsewhere, and where the kernel does not answer,
//! a per-tunnel password takes its place. Knows nothing of links; called by the CLI's tunnels for each accepted connection.

#[cfg(target_os = "linux")]
mod descent;
#[cfg(target_os = "linux")]
mod diagnostics;

#[cfg(target_os = "linux")]
pub use descent::{RUN_MARK, descendants};

use std::io;
use std::net::SocketAddr;

/// Where a socket may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Descent {
    /// From nobody's run.
    NoRun,
    /// From the run with this keeper, and not from a run inside it.
    Run(u32),
}

/// How the local peer is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerCheck {
    /// By its user: the kernel names the owner of its socket.
    SameUser,
    /// By a password that only this tunnel's user was shown; the gateway asks for it.
    Password,
}

/// Why a local peer is refused.
#[derive(Debug, thiserror::Error)]
pub enum PeerError {
    /// It is another user's.
    #[error("the local client runs as user {0}, not as you")]
    OtherUser(u32),
    /// It belongs to a run of `hoop exec`, which has tunnels of its own.
    #[error("the local client belongs to a run of `hoop exec`, which may only use the tunnels of that run")]
    OfARun,
    /// It does not belong to the run that the tunnel is for.
    #[error("the local client does not belong to this run")]
    NotOfTheRun,
    /// No process that we can see holds its socket.
    #[error("no process can be found that holds the local client's socket")]
    Hidden,
    /// Its socket is gone, or not an established connection.
    #[error("the local client's socket has no owner any more")]
    Gone,
    /// The kernel did not say.
    #[error("the local client's user could not be looked up")]
    Lookup(#[source] io::Error),
    /// The answer was about something else.
    #[error("the kernel's answer about the local client makes no sense")]
    Nonsense,
}

/// Which check works on this machine: tried on a connection to ourselves, so that a tunnel says at its start how it is guarded.
pub async fn available() -> PeerCheck {
    match probe().await {
        Ok(()) => PeerCheck::SameUser,
        Err(error) => {
            tracing::debug!(%error, "owners of sockets cannot be looked up here");
            PeerCheck::Password
        }
    }
}

async fn probe() -> Result<(), PeerError> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.map_err(PeerError::Lookup)?;
    let address = listener.local_addr().map_err(PeerError::Lookup)?;
    let client = tokio::net::TcpStream::connect(address).await.map_err(PeerError::Lookup)?;
    same_user(client.local_addr().map_err(PeerError::Lookup)?, address)
}

/// Passes only when the socket at `peer` that talks to `local` (our end) is established and belongs to our own user.
///
/// Takes a few microseconds and does not block. Every doubt is an error: the connection must then be closed.
#[cfg(target_os = "linux")]
pub fn same_user(peer: SocketAddr, local: SocketAddr) -> Result<(), PeerError> {
    belongs_to(peer, local, nix::unistd::geteuid().as_raw()).map(drop)
}

/// As [`same_user`]; besides, every process that holds the socket must have this descent.
///
/// Reads the process table where a run lives, or one is wanted: milliseconds.
#[cfg(target_os = "linux")]
pub fn of_descent(peer: SocketAddr, local: SocketAddr, descent: Descent) -> Result<(), PeerError> {
    let inode = belongs_to(peer, local, nix::unistd::geteuid().as_raw())?;
    descent::check(inode, descent)
}

/// Passes only when the socket at `peer` that talks to `local` is established and belongs to `user`; gives its inode.
#[cfg(target_os = "linux")]
fn belongs_to(peer: SocketAddr, local: SocketAddr, user: u32) -> Result<u32, PeerError> {
    match diagnostics::owner(peer, local)? {
        owner if owner.user == user => Ok(owner.inode),
        other => Err(PeerError::OtherUser(other.user)),
    }
}

/// Where the kernel cannot be asked, nobody passes.
#[cfg(not(target_os = "linux"))]
pub fn same_user(_: SocketAddr, _: SocketAddr) -> Result<(), PeerError> {
    Err(PeerError::Lookup(io::ErrorKind::Unsupported.into()))
}

/// Where the kernel cannot be asked, nobody passes.
#[cfg(not(target_os = "linux"))]
pub fn of_descent(peer: SocketAddr, local: SocketAddr, _: Descent) -> Result<(), PeerError> {
    same_user(peer, local)
}

/// Passes only when a Unix socket's other end belongs to our own user.
#[cfg(unix)]
pub fn same_user_unix(stream: &tokio::net::UnixStream) -> Result<(), PeerError> {
    let user = stream.peer_cred().map_err(PeerError::Lookup)?.uid();
    if user == nix::unistd::geteuid().as_raw() { Ok(()) } else { Err(PeerError::OtherUser(user)) }
}

/// As [`same_user_unix`]; besides, the process that connected must have this descent.
#[cfg(target_os = "linux")]
pub fn of_descent_unix(stream: &tokio::net::UnixStream, descent: Descent) -> Result<(), PeerError> {
    same_user_unix(stream)?;
    let process = stream.peer_cred().map_err(PeerError::Lookup)?.pid();
    let process = process.and_then(|process| u32::try_from(process).ok()).ok_or(PeerError::Hidden)?;
    descent::check_process(process, descent)
}

/// Runs need Linux: where there are none, whoever is our own user comes from none, and nobody from a certain one.
#[cfg(all(unix, not(target_os = "linux")))]
pub fn of_descent_unix(stream: &tokio::net::UnixStream, descent: Descent) -> Result<(), PeerError> {
    match descent {
        Descent::NoRun => same_user_unix(stream),
        Descent::Run(_) => Err(PeerError::NotOfTheRun),
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
