//! The only way commands, shells and files reach a machine: those that are permitted and recorded.
//!
//! Law 1 is carried by the types: [`SshOutlet::open`], [`SshChannel::file`] and
//! [`SshChannel::line`] take only `Recorded<Permitted<SshRequest>>`.
//! What follows on an open channel (its input, signals, a window's size) goes under the permit that opened it.
//!
//! ```compile_fail
//! # use hoop_gateway_core::{upstream::{SshLink, SshOutlet}, policy::Permitted, protocol::ssh::message::SshRequest};
//! async fn run(outlet: &SshOutlet, link: &SshLink, request: Permitted<SshRequest>) {
//!     outlet.open(link, request).await; // decided, not recorded
//! }
//! ```
//! ```
//! # use hoop_gateway_core::{upstream::{SshLink, SshOutlet}, policy::Permitted, record::Recorded};
//! # use hoop_gateway_core::protocol::ssh::message::SshRequest;
//! async fn run(outlet: &SshOutlet, link: &SshLink, request: Recorded<Permitted<SshRequest>>) {
//!     drop(outlet.open(link, request).await);
//! }
//! ```

mod channel;
mod cut;
mod host;
mod keys;
mod login;
mod probe;
mod sweep;

use std::sync::Arc;

use russh::ChannelReadHalf;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

pub(super) use self::{channel::way_to, login::log_in};
pub use self::{
    channel::{SshChannel, Written},
    cut::Cut,
    keys::{SshKeyError, SshKeys},
    login::{LinkPurpose, LoginOrder, SshLink, SshLogin},
    probe::{ReaderOrder, SshAccount, SshProbe},
    sweep::{LinkEnds, SweepOrder},
};
use super::{DialError, Target};
use crate::{
    config::{LoginShell, SshSettings},
    credential::CredentialError,
    policy::Permitted,
    protocol::ssh::message::SshRequest,
    record::{Own, Recorded},
    shell::Reader,
};

/// Why a machine is not to be had. Holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum SshError {
    /// It cannot be reached.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// It is not who it should be.
    #[error(
        "the host key of {host} is not the one of the site (it shows {shown}); if it was changed on purpose, put its new \
         key into connections.toml as `host_key`, else somebody stands in between"
    )]
    HostKey {
        /// Which host.
        host: String,
        /// What it showed: kind and fingerprint.
        shown: String,
    },
    /// It does not take the gateway's credential.
    #[error(
        "the machine does not let the gateway log in as `{0}`; check [connection.credential] and the machine's log"
    )]
    Denied(String),
    /// The credential cannot be used.
    #[error("the gateway's credential cannot be used: {0}")]
    Credential(&'static str),
    /// The credential cannot be had.
    #[error(transparent)]
    Secret(#[from] CredentialError),
    /// The conversation broke.
    #[error("the machine broke the conversation off")]
    Broken(#[from] russh::Error),
    /// It took too long.
    #[error("the machine took too long to let the gateway in")]
    Slow,
}

/// Opens channels for one session.
#[derive(Debug)]
pub struct SshOutlet {
    target: Target,
    settings: SshSettings,
    login: Arc<SshLogin>,
    shared: Mutex<Option<SshLink>>,
    cut: CancellationToken,
}

impl SshOutlet {
    /// An outlet that has not dialled yet. Everything it opens ends when `cut` is cancelled.
    pub fn new(target: Target, settings: SshSettings, login: Arc<SshLogin>, cut: CancellationToken) -> Self {
        Self { target, settings, login, shared: Mutex::default(), cut }
    }

    /// The link that channels share, while it is there.
    pub async fn shared(&self) -> Option<SshLink> {
        self.shared.lock().await.clone().filter(SshLink::is_open)
    }

    /// The link that something goes over: one of its own where a certificate can bind it to that, else the shared one.
    pub fn link_for(&self, purpose: LinkPurpose) -> LinkPurpose {
        if self.login.makes_certificates() { purpose } else { LinkPurpose::Session }
    }

    /// Logs in. What is asked is on record. Without a command of its own, the link is shared from here on.
    pub async fn log_in(&self, order: Recorded<Own<LoginOrder>>) -> Result<SshLink, SshError> {
        let order = order.into_inner().into_message();
        let shared = order.purpose == LinkPurpose::Session;
        let link = log_in(&self.target, &self.settings, &self.login, order, self.cut.clone()).await?;
        if shared {
            *self.shared.lock().await = Some(link.clone());
        }
        Ok(link)
    }

    /// Who reads command lines on the machine, where the site says so or it was seen not long ago.
    pub fn reader(&self) -> Option<Reader> {
        match self.settings.shell {
            LoginShell::Posix => Some(Reader::Known),
            LoginShell::Asked => self.login.reader(),
        }
    }

    /// Asks the machine. What is asked is on record.
    pub async fn ask_reader(&self, link: &SshLink, order: Recorded<Own<ReaderOrder>>) -> Result<Reader, SshError> {
        let reader = probe::reader(link, order).await?;
        self.login.saw(reader);
        Ok(reader)
    }

    /// Ends what still runs behind the shared link. What is asked is on record.
    pub async fn sweep(&self, order: Recorded<Own<SweepOrder>>) -> Result<(), SshError> {
        let SweepOrder = order.into_inner().into_message();
        match self.shared().await {
            Some(link) => sweep::sweep(&link, None).await,
            None => Ok(()),
        }
    }

    /// Ends what still runs behind a link that forces a command, from one that forces this. What is asked is on record.
    pub async fn sweep_forced(
        &self,
        link: &SshLink,
        ends: &LinkEnds,
        order: Recorded<Own<SweepOrder>>,
    ) -> Result<(), SshError> {
        let SweepOrder = order.into_inner().into_message();
        sweep::sweep(link, Some(ends)).await
    }

    /// Opens what was permitted and durably recorded.
    pub async fn open(
        &self,
        link: &SshLink,
        request: Recorded<Permitted<SshRequest>>,
    ) -> Result<(SshChannel, ChannelReadHalf), SshError> {
        SshChannel::open(link, request.into_inner().into_message()).await
    }
}
