//! One channel to a machine: opened by what is on record, fed under that permit, read until it closes.

use bytes::Bytes;
use russh::{Channel, ChannelReadHalf, ChannelWriteHalf, Pty, Sig, client};

use super::{LinkEnds, SshError, SshLink};
use crate::{
    policy::Permitted,
    protocol::ssh::{
        forward::ForwardTarget,
        message::{SshRequest, Surroundings, TerminalSize},
    },
    record::Recorded,
};

/// Whether a packet was written.
pub type Written = Result<(), SshError>;

/// What goes to the machine.
#[derive(Debug)]
pub struct SshChannel {
    write: ChannelWriteHalf<client::Msg>,
    /// Kept for as long as the channel is used.
    link: SshLink,
}

/// A way of the gateway's own, over a link that it logged in for that.
pub(in crate::upstream) async fn way_to(
    link: &SshLink,
    host: &str,
    port: u16,
) -> Result<Channel<client::Msg>, SshError> {
    Ok(link.handle.channel_open_direct_tcpip(host.to_owned(), u32::from(port), "127.0.0.1", 0).await?)
}

impl SshChannel {
    pub(super) async fn open(link: &SshLink, request: SshRequest) -> Result<(Self, ChannelReadHalf), SshError> {
        let channel = match &request {
            SshRequest::Forward { to: ForwardTarget::Host { host, port }, .. } => {
                // Nobody's business whose laptop it comes from.
                link.handle.channel_open_direct_tcpip(host.clone(), u32::from(*port), "127.0.0.1", 0).await?
            }
            SshRequest::Forward { to: ForwardTarget::Socket(path), .. } => {
                link.handle.channel_open_direct_streamlocal(path.clone()).await?
            }
            SshRequest::Exec { .. } | SshRequest::Shell { .. } | SshRequest::Files { .. } => {
                link.handle.channel_open_session().await?
            }
            SshRequest::File(_) | SshRequest::Line { .. } => {
                return Err(SshError::Credential("a packet opens no channel"));
            }
        };
        let (read, write) = channel.split();
        let opened = Self { write, link: link.clone() };
        match request {
            SshRequest::Exec { command, within, .. } => {
                opened.surround(within).await?;
                opened.write.exec(true, command.to_vec()).await?;
            }
            SshRequest::Shell { within } => {
                opened.surround(within).await?;
                opened.write.request_shell(true).await?;
            }
            SshRequest::Files { within } => {
                opened.surround(within).await?;
                opened.write.request_subsystem(true, "sftp").await?;
            }
            SshRequest::Forward { .. } | SshRequest::File(_) | SshRequest::Line { .. } => {}
        }
        Ok((opened, read))
    }

    async fn surround(&self, within: Surroundings) -> Written {
        if let Some(terminal) = within.terminal {
            let TerminalSize { columns, rows, pixel_width, pixel_height } = terminal.size;
            let modes: Vec<(Pty, u32)> =
                terminal.modes.into_iter().filter_map(|(code, value)| Some((Pty::from_u8(code)?, value))).collect();
            let name = terminal.name;
            self.write.request_pty(false, &name, columns, rows, pixel_width, pixel_height, &modes).await?;
        }
        for (name, value) in within.environment {
            self.write.set_env(false, name, value).await?;
        }
        Ok(())
    }

    /// Writes a packet of SFTP that was permitted and durably recorded.
    pub async fn file(&self, request: Recorded<Permitted<SshRequest>>) -> Written {
        match request.into_inner().into_message() {
            SshRequest::File(request) => Ok(self.write.data_bytes(request.packet).await?),
            SshRequest::Exec { .. }
            | SshRequest::Shell { .. }
            | SshRequest::Files { .. }
            | SshRequest::Line { .. }
            | SshRequest::Forward { .. } => Err(SshError::Credential("what opens a channel is no packet")),
        }
    }

    /// Presses Enter behind a line that was permitted and durably recorded.
    pub async fn line(&self, request: Recorded<Permitted<SshRequest>>) -> Written {
        match request.into_inner().into_message() {
            SshRequest::Line { enter, .. } if enter.is_empty() => Ok(()),
            SshRequest::Line { enter, .. } => Ok(self.write.data_bytes(enter).await?),
            SshRequest::Exec { .. }
            | SshRequest::Shell { .. }
            | SshRequest::Files { .. }
            | SshRequest::File(_)
            | SshRequest::Forward { .. } => Err(SshError::Credential("what opens a channel is no line")),
        }
    }

    /// The link's ends, where a certificate forces what runs: signals do not reach it.
    pub fn forced(&self) -> Option<LinkEnds> {
        self.link.forced
    }

    /// Input of what runs; under the permit that opened the channel.
    pub async fn input(&self, bytes: Bytes) -> Written {
        Ok(self.write.data_bytes(bytes).await?)
    }

    /// No input follows.
    pub async fn end_input(&self) -> Written {
        Ok(self.write.eof().await?)
    }

    /// A signal for what runs.
    pub async fn signal(&self, signal: Sig) -> Written {
        Ok(self.write.signal(signal).await?)
    }

    /// The terminal has another size.
    pub async fn resize(&self, size: TerminalSize) -> Written {
        let TerminalSize { columns, rows, pixel_width, pixel_height } = size;
        Ok(self.write.window_change(columns, rows, pixel_width, pixel_height).await?)
    }

    /// Ends it.
    pub async fn close(&self) -> Written {
        Ok(self.write.close().await?)
    }
}
