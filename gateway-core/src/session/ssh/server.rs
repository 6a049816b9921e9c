//! The gateway as an SSH server: who is let in, what is opened. Sessions become channels; every other kind is refused
//! and on record.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use aws_lc_rs::constant_time;
use russh::{
    Channel, ChannelId, ChannelOpenFailure, Pty,
    keys::Certificate,
    server::{Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Session, VerifiedPublicKey},
};
use secrecy::{ExposeSecret as _, SecretString};

use super::{channel, conversation::Conversation, forward};
use crate::{model::Refusal, protocol::ssh::forward::ForwardTarget};

/// As many channels may be open at a time.
const MOST_CHANNELS: usize = 64;

/// One client at the door.
pub(super) struct Door {
    conversation: Arc<Conversation>,
    local_password: Option<SecretString>,
    open: Arc<AtomicUsize>,
    /// Channels that run something already.
    begun: BTreeSet<ChannelId>,
}

impl Door {
    pub(super) fn new(conversation: Arc<Conversation>, local_password: Option<SecretString>) -> Self {
        Self { conversation, local_password, open: Arc::default(), begun: BTreeSet::new() }
    }

    /// Who came through a tunnel that checks its peers is known already: what they prove besides decides nothing.
    fn known(&self) -> Auth {
        if self.local_password.is_none() { Auth::Accept } else { Auth::reject() }
    }

    /// SPEC: RFC 4254, 6.5: one channel runs one thing. What comes second fails, and is not run.
    fn begin(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), russh::Error> {
        if self.begun.insert(channel) { session.channel_success(channel) } else { session.channel_failure(channel) }
    }

    /// Puts on record that something was asked that no policy is asked about.
    fn refuse(&self, what: &str) {
        self.refuse_with(what, forward::unclear(&format!("{what} is never let through")));
    }

    /// A way through the machine. Its task asks the policies; the loop that calls this goes on.
    async fn forward(
        &self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        to: Option<ForwardTarget>,
        shown: &str,
    ) -> Result<(), russh::Error> {
        let conversation = &self.conversation;
        let (Some(to), false) = (to, conversation.ended.is_cancelled() || conversation.tasks.is_closed()) else {
            let message = format!("forwarding to {shown} could mean more than one place");
            self.refuse_with(&format!("forwarding to {shown}"), forward::unclear(&message));
            reply.reject(prohibited()).await;
            return Ok(());
        };
        let Some(place) = Place::of(&self.open) else {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        };
        let serving = forward::serve(Arc::clone(conversation), channel, reply, to);
        conversation.tasks.spawn(async move {
            Box::pin(serving).await;
            drop(place);
        });
        Ok(())
    }

    fn refuse_with(&self, what: &str, refusal: Refusal) {
        let text = self.conversation.environment.sealed(what, &[]);
        if let Ok(number) = self.conversation.number() {
            drop(self.conversation.refused(number, &[], &text, refusal));
        }
    }
}

/// One of the channels that may be open at a time.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn of(open: &Arc<AtomicUsize>) -> Option<Self> {
        let place = Self(Arc::clone(open));
        (open.fetch_add(1, Ordering::SeqCst) < MOST_CHANNELS).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A way for other bytes around what is recorded.
fn prohibited() -> ChannelOpenFailure {
    ChannelOpenFailure::AdministrativelyProhibited
}

impl Handler for Door {
    type Error = russh::Error;

    async fn auth_none(&mut self, _user: &str) -> Result<Auth, Self::Error> {
        Ok(self.known())
    }

    async fn auth_publickey_offered(&mut self, _user: &str, _offer: PublicKeyOffer<'_>) -> Result<Auth, Self::Error> {
        Ok(self.known())
    }

    async fn auth_publickey(&mut self, _user: &str, _key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        Ok(self.known())
    }

    async fn auth_openssh_certificate(&mut self, _user: &str, _shown: &Certificate) -> Result<Auth, Self::Error> {
        Ok(self.known())
    }

    async fn auth_password(&mut self, _user: &str, password: &str) -> Result<Auth, Self::Error> {
        let expected = self.local_password.as_ref().map(|expected| expected.expose_secret().as_bytes());
        let fits = expected
            .is_some_and(|expected| constant_time::verify_slices_are_equal(password.as_bytes(), expected).is_ok());
        Ok(if fits { Auth::Accept } else { Auth::reject() })
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let conversation = &self.conversation;
        if conversation.ended.is_cancelled() || conversation.tasks.is_closed() {
            reply.reject(prohibited()).await;
            return Ok(());
        }
        let Some(place) = Place::of(&self.open) else {
            reply.reject(ChannelOpenFailure::ResourceShortage).await;
            return Ok(());
        };
        reply.accept().await;
        let (handle, id) = (session.handle(), channel.id());
        conversation.hears(&handle, id);
        let (served, conversation) = (Arc::clone(conversation), Arc::clone(conversation));
        let serving = channel::serve(served, channel, handle);
        let tasks = conversation.tasks.clone();
        tasks.spawn(async move {
            Box::pin(serving).await;
            conversation.hears_no_more(id);
            drop(place);
        });
        Ok(())
    }

    async fn channel_open_x11(
        &mut self,
        _channel: Channel<Msg>,
        _from: &str,
        _port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.refuse("forwarding of X11");
        reply.reject(prohibited()).await;
        Ok(())
    }

    async fn channel_open_direct_tcpip(
        &mut self,
        channel: Channel<Msg>,
        host: &str,
        port: u32,
        _from: &str,
        _from_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.forward(channel, reply, ForwardTarget::host(host, port), &format!("{}:{port}", short(host))).await
    }

    async fn channel_open_forwarded_tcpip(
        &mut self,
        _channel: Channel<Msg>,
        host: &str,
        port: u32,
        _from: &str,
        _from_port: u32,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.refuse(&format!("forwarding from {}:{port}", short(host)));
        reply.reject(prohibited()).await;
        Ok(())
    }

    async fn channel_open_direct_streamlocal(
        &mut self,
        channel: Channel<Msg>,
        path: &str,
        reply: ChannelOpenHandle,
        _session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.forward(channel, reply, ForwardTarget::socket(path), &format!("the socket {}", short(path))).await
    }

    async fn data(&mut self, _channel: ChannelId, _data: &[u8], _session: &mut Session) -> Result<(), Self::Error> {
        self.conversation.touch();
        Ok(())
    }

    async fn tcpip_forward(&mut self, host: &str, port: &mut u32, _session: &mut Session) -> Result<bool, Self::Error> {
        self.refuse(&format!("forwarding from {}:{port}", short(host)));
        Ok(false)
    }

    async fn streamlocal_forward(&mut self, path: &str, _session: &mut Session) -> Result<bool, Self::Error> {
        self.refuse(&format!("forwarding from the socket {}", short(path)));
        Ok(false)
    }

    async fn agent_request(&mut self, _channel: ChannelId, _session: &mut Session) -> Result<bool, Self::Error> {
        self.refuse("forwarding of the agent");
        Ok(false)
    }

    async fn x11_request(
        &mut self,
        channel: ChannelId,
        _single: bool,
        _protocol: &str,
        _cookie: &str,
        _screen: u32,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.refuse("forwarding of X11");
        session.channel_failure(channel)
    }

    async fn pty_request(
        &mut self,
        channel: ChannelId,
        _term: &str,
        _columns: u32,
        _rows: u32,
        _width: u32,
        _height: u32,
        _modes: &[(Pty, u32)],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        session.channel_success(channel)
    }

    async fn env_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        _value: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let settings = self.conversation.served.connection.ssh.as_ref();
        let accepted = settings.is_some_and(|settings| settings.accept_env.iter().any(|one| one == name));
        if accepted { session.channel_success(channel) } else { session.channel_failure(channel) }
    }

    // A refusal of what is asked comes as lines and a status, which every client shows: the request itself succeeds.
    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        self.begin(channel, session)
    }

    async fn channel_close(&mut self, channel: ChannelId, _session: &mut Session) -> Result<(), Self::Error> {
        self.begun.remove(&channel);
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.begin(channel, session)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if name == "sftp" {
            return self.begin(channel, session);
        }
        self.refuse(&format!("the subsystem {}", short(name)));
        session.channel_failure(channel)
    }
}

fn short(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(256).collect()
}
