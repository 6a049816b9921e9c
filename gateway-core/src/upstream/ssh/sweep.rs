//! Ending what no signal reached: sshd passes none on where the account is root, or where it does not separate privileges.
//!
//! Knows no session.

use std::time::Duration;

use russh::ChannelMsg;

use super::{SshError, SshLink};

/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whatever came in by the same connection as this command has the same variable: sshd sets it, and programs inherit it.
/// Linux, and a POSIX shell; elsewhere it finds nothing.
const SWEEP: &str = "for e in /proc/[0-9]*/environ; do p=${e#/proc/}; p=${p%/environ}; [ \"$p\" = $$ ] || \
    { tr '\\0' '\\n' <\"$e\" | grep -qxF \"SSH_CONNECTION=$SSH_CONNECTION\" && kill -KILL \"$p\"; } 2>/dev/null; done";

/// What the gateway does by itself: end what still runs behind one link.
#[derive(Debug)]
pub struct SweepOrder;

/// Ends everything that was started by this link.
pub(super) async fn sweep(link: &SshLink) -> Result<(), SshError> {
    let sweeping = async {
        let mut channel = link.0.channel_open_session().await?;
        channel.exec(false, SWEEP).await?;
        while let Some(message) = channel.wait().await {
            if matches!(message, ChannelMsg::Close) {
                break;
            }
        }
        Ok(())
    };
    tokio::time::timeout(PATIENCE, sweeping).await.map_err(|_elapsed| SshError::Slow)?
}
