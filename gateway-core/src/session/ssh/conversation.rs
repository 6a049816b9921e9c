//! What the channels of one session share beside the session itself: the way to the machine, who is told what.

use std::{
    collections::BTreeSet,
    ops::Deref,
    sync::{Arc, Mutex, OnceLock},
};

use russh::{ChannelId, server::Handle};
use tokio_util::sync::CancellationToken;

use crate::{
    mask::Detectors,
    policy::PolicySet,
    session::{
        ending::Ending,
        onward::Onward,
        open::Arrival,
        registry::Membership,
        shared::{SharedSession, veil},
    },
    upstream::{SshKeys, SshOutlet},
};

/// One session. Cancelled `ended`: channels end what they run, and say why.
pub(super) struct Conversation {
    pub(super) session: Arc<SharedSession>,
    pub(super) keys: SshKeys,
    pub(super) outlet: SshOutlet,
    /// What goes on to sessions that come through this one.
    pub(super) onward: Onward,
    /// Cancelled when nothing may be on its way any more.
    pub(super) cut: CancellationToken,
    /// One login at a time, so that channels share it.
    pub(super) dialling: tokio::sync::Mutex<()>,
    /// One channel asks who reads command lines, so that the others know it.
    pub(super) asking: tokio::sync::Mutex<()>,
    /// When something was last said on a channel.
    pub(super) active: Mutex<tokio::time::Instant>,
    /// The way to the client, and its channels that have a standard error.
    pub(super) told: Mutex<Option<Listeners>>,
    why: OnceLock<String>,
}

/// Who hears what concerns a whole session.
pub(super) type Listeners = (Handle, BTreeSet<ChannelId>);

impl Deref for Conversation {
    type Target = SharedSession;

    fn deref(&self) -> &SharedSession {
        &self.session
    }
}

impl Conversation {
    /// Opens a session, before anything is dialled.
    pub(super) async fn open(arrival: &Arrival) -> Result<(Arc<Self>, Membership), String> {
        let served = &arrival.served;
        let (Some(side), Some(settings)) = (served.ssh.clone(), served.connection.ssh.clone()) else {
            return Err("this connection is not served over SSH by this version of the gateway".to_owned());
        };
        let (session, membership) = SharedSession::open(arrival).await?;
        let cut = CancellationToken::new();
        let conversation = Self {
            session,
            keys: side.keys,
            onward: Onward::of(arrival),
            outlet: SshOutlet::new(served.target.clone(), settings, side.login, cut.clone()),
            cut,
            dialling: tokio::sync::Mutex::default(),
            asking: tokio::sync::Mutex::default(),
            active: Mutex::new(tokio::time::Instant::now()),
            told: Mutex::default(),
            why: OnceLock::new(),
        };
        Ok((Arc::new(conversation), membership))
    }

    /// What is masked for the principal by these policies.
    pub(super) fn sight(&self, policies: &PolicySet) -> Arc<Detectors> {
        Arc::new(veil(&self.environment, &self.served, &self.principal, policies))
    }

    /// Tells every channel that it is over, and why.
    pub(super) fn stop(&self, ending: &Ending) {
        // The first reason stays.
        drop(self.why.set(ending.reason()));
        self.ended.cancel();
    }

    /// Why it is over.
    pub(super) fn why(&self) -> &str {
        self.why.get().map_or("the session ended", String::as_str)
    }
}
