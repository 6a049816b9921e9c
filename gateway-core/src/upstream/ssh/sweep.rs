//! Ending what no signal reached: sshd passes none on where the account is root, where it does not separate privileges, or
//! to a command that a certificate forces.
//!
//! Knows no session.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use russh::ChannelMsg;

use super::{SshError, SshLink};
use crate::upstream::Wire;

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whatever came in by the same connection as this command has the same variable: sshd sets it, and programs inherit it.
/// Linux, and a POSIX shell; elsewhere it finds nothing.
const BY_THIS_LINK: &str = "c=$SSH_CONNECTION";
const SWEEP: &str = "for e in /proc/[0-9]*/environ; do p=${e#/proc/}; p=${p%/environ}; [ \"$p\" = $$ ] || \
    { tr '\\0' '\\n' <\"$e\" | grep -qxF \"SSH_CONNECTION=$c\" && kill -KILL \"$p\"; } 2>/dev/null; done";

/// What the gateway does by itself: end what still runs behind one link.
#[derive(Debug)]
pub struct SweepOrder;

/// The two ends of a link's socket. Where an address is translated in between, the machine knows others, and nothing is
/// found by these: better nothing than what somebody else started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkEnds {
    gateway: SocketAddr,
    machine: SocketAddr,
}

impl LinkEnds {
    pub(super) fn of(wire: &Wire) -> Option<Self> {
        let stream = wire.line().tcp()?;
        Some(Self { gateway: stream.local_addr().ok()?, machine: stream.peer_addr().ok()? })
    }

    /// A command that ends everything that was started by that link, from another one.
    pub fn sweep(&self) -> Bytes {
        let Self { gateway, machine } = self;
        let [from, to] = [gateway, machine].map(|end| format!("{} {}", end.ip().to_canonical(), end.port()));
        Bytes::from(format!("c='{from} {to}'; {SWEEP}"))
    }
}

/// Ends everything that was started by this link, or by the one that `ends` are of.
pub(super) async fn sweep(link: &SshLink, ends: Option<&LinkEnds>) -> Result<(), SshError> {
    let command = ends.map_or_else(|| Bytes::from(format!("{BY_THIS_LINK}; {SWEEP}")), LinkEnds::sweep);
    let sweeping = async {
        let mut channel = link.handle.channel_open_session().await?;
        channel.exec(false, command.to_vec()).await?;
        while let Some(message) = channel.wait().await {
            if matches!(message, ChannelMsg::Close) {
                break;
            }
        }
        Ok(())
    };
    tokio::time::timeout(PATIENCE, sweeping).await.map_err(|_elapsed| SshError::Slow)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_link_is_named_as_sshd_names_it() {
        let ends = |gateway: &str, machine: &str| {
            let ends = LinkEnds { gateway: gateway.parse().unwrap(), machine: machine.parse().unwrap() };
            String::from_utf8(ends.sweep().to_vec()).unwrap()
        };
        assert!(ends("10.0.0.1:4711", "10.0.0.2:22").starts_with("c='10.0.0.1 4711 10.0.0.2 22'; for "));
        assert!(ends("[::ffff:10.0.0.1]:4711", "[::ffff:10.0.0.2]:22").starts_with("c='10.0.0.1 4711 10.0.0.2 22'; "));
        assert!(ends("[2001:db8::1]:4711", "[2001:db8::2]:22").starts_with("c='2001:db8::1 4711 2001:db8::2 22'; "));
    }
}
