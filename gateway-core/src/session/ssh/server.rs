//! The gateway as an SSH server: who is let in, what is opened. Sessions become channels; every other kind is refused
//! and on record.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use aws_lc_rs::constant_time;
use russh::{
    Channel, ChannelId, ChannelOpenFailure, Disconnect, Pty,
    keys::Certificate,
    server::{Auth, ChannelOpenHandle, Handler, Msg, PublicKeyOffer, Response, Session, VerifiedPublicKey},
};
use secrecy::{ExposeSecret as _, SecretString};

use super::{
    channel,
    conversation::Conversation,
    forward,
    porch::{Next, Porch, SshProof},
};
use crate::{model::Refusal, protocol::ssh::forward::ForwardTarget};

/// As many channels may be open at a time.
const MOST_CHANNELS: usize = 64;

/// Where a client is.
pub(super) enum Door {
    /// At a listener of the gateway, and not believed yet.
    Porch(Porch),
    /// Believed, and about to be told why it cannot come in.
    Leaving(String),
    /// Inside, through a tunnel, which may have a password of its own.
    Tunnel(Room, Option<SecretString>),
    /// Inside, from the porch.
    Inside(Room),
}

impl Door {
    /// Who came through a tunnel that checks its peers is known already: what they prove besides decides nothing.
    fn known(&self) -> Option<Auth> {
        match self {
            Self::Tunnel(_, None) => Some(Auth::Accept),
            Self::Tunnel(_, Some(_)) | Self::Leaving(_) | Self::Inside(_) => Some(Auth::reject()),
            Self::Porch(_) => None,
        }
    }

    /// What a client that is not known shows on the porch.
    async fn show(&mut self, user: &str, proof: SshProof<'_>) -> Auth {
        let Self::Porch(porch) = self else { return Auth::reject() };
        match Box::pin(porch.show(user, proof)).await {
            Next::Stays => return Auth::reject(),
            Next::Leaves(message) => *self = Self::Leaving(message),
            Next::Enters(room) => *self = Self::Inside(room),
        }
        Auth::Accept
    }

    /// FAIL-CLOSED: nothing is asked of a session that there is not; whoever asks is cut off.
    fn room(&mut self) -> Result<&mut Room, russh::Error> {
        match self {
            Self::Tunnel(room, _) | Self::Inside(room) => Ok(room),
            Self::Porch(_) | Self::Leaving(_) => Err(russh::Error::NotAuthenticated),
        }
    }
}

/// One client inside.
pub(super) struct Room {
    conversation: Arc<Conversation>,
    open: Arc<AtomicUsize>,
    /// Channels that run something already.
    begun: BTreeSet<ChannelId>,
}

impl Room {
    pub(super) fn new(conversation: Arc<Conversation>) -> Self {
        Self { conversation, open: Arc::default(), begun: BTreeSet::new() }
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
        Ok(self.known().unwrap_or_else(Auth::reject))
    }

    async fn auth_publickey_offered(&mut self, _user: &str, offer: PublicKeyOffer<'_>) -> Result<Auth, Self::Error> {
        match self {
            Self::Porch(porch) if porch.knows(offer.public_key) => Ok(Auth::Accept),
            Self::Porch(_) | Self::Leaving(_) | Self::Tunnel(..) | Self::Inside(_) => {
                Ok(self.known().unwrap_or_else(Auth::reject))
            }
        }
    }

    async fn auth_publickey(&mut self, user: &str, _key: VerifiedPublicKey<'_>) -> Result<Auth, Self::Error> {
        if let Some(known) = self.known() { Ok(known) } else { Ok(self.show(user, SshProof::Key).await) }
    }

    async fn auth_openssh_certificate(&mut self, user: &str, shown: &Certificate) -> Result<Auth, Self::Error> {
        if let Some(known) = self.known() { Ok(known) } else { Ok(self.show(user, SshProof::Certificate(shown)).await) }
    }

    async fn auth_password(&mut self, user: &str, password: &str) -> Result<Auth, Self::Error> {
        let Self::Tunnel(_, expected) = self else { return Ok(self.show(user, SshProof::Password(password)).await) };
        let expected = expected.as_ref().map(|expected| expected.expose_secret().as_bytes());
        let fits = expected
            .is_some_and(|expected| constant_time::verify_slices_are_equal(password.as_bytes(), expected).is_ok());
        Ok(if fits { Auth::Accept } else { Auth::reject() })
    }

    /// A password for clients that ask nothing else, as some do that run in a terminal.
    async fn auth_keyboard_interactive<'said>(
        &'said mut self,
        user: &str,
        _submethods: &str,
        response: Option<Response<'said>>,
    ) -> Result<Auth, Self::Error> {
        let Self::Porch(_) = self else { return Ok(Auth::reject()) };
        let Some(said) = response else {
            let prompts = Cow::Borrowed(&[(Cow::Borrowed("Password: "), false)][..]);
            return Ok(Auth::Partial { name: Cow::Borrowed(""), instructions: Cow::Borrowed(""), prompts });
        };
        let said: Vec<_> = said.take(2).collect();
        let [password] = said.as_slice() else { return Ok(Auth::reject()) };
        let Ok(password) = std::str::from_utf8(password) else { return Ok(Auth::reject()) };
        Ok(self.show(user, SshProof::Password(password)).await)
    }

    async fn auth_succeeded(&mut self, session: &mut Session) -> Result<(), Self::Error> {
        if let Self::Leaving(why) = self {
            session.disconnect(Disconnect::ByApplication, &format!("hoop: {why}"), "")?;
        }
        Ok(())
    }

    async fn channel_open_session(
        &mut self,
        channel: Channel<Msg>,
        reply: ChannelOpenHandle,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        let room = self.room()?;
        let conversation = &room.conversation;
        if conversation.ended.is_cancelled() || conversation.tasks.is_closed() {
            reply.reject(prohibited()).await;
            return Ok(());
        }
        let Some(place) = Place::of(&room.open) else {
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
        self.room()?.refuse("forwarding of X11");
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
        self.room()?.forward(channel, reply, ForwardTarget::host(host, port), &format!("{}:{port}", short(host))).await
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
        self.room()?.refuse(&format!("forwarding from {}:{port}", short(host)));
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
        self.room()?.forward(channel, reply, ForwardTarget::socket(path), &format!("the socket {}", short(path))).await
    }

    async fn data(&mut self, _channel: ChannelId, _data: &[u8], _session: &mut Session) -> Result<(), Self::Error> {
        self.room()?.conversation.touch();
        Ok(())
    }

    async fn tcpip_forward(&mut self, host: &str, port: &mut u32, _session: &mut Session) -> Result<bool, Self::Error> {
        self.room()?.refuse(&format!("forwarding from {}:{port}", short(host)));
        Ok(false)
    }

    async fn streamlocal_forward(&mut self, path: &str, _session: &mut Session) -> Result<bool, Self::Error> {
        self.room()?.refuse(&format!("forwarding from the socket {}", short(path)));
        Ok(false)
    }

    async fn agent_request(&mut self, _channel: ChannelId, _session: &mut Session) -> Result<bool, Self::Error> {
        self.room()?.refuse("forwarding of the agent");
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
        self.room()?.refuse("forwarding of X11");
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
        let settings = self.room()?.conversation.served.connection.ssh.as_ref();
        let accepted = settings.is_some_and(|settings| settings.accept_env.iter().any(|one| one == name));
        if accepted { session.channel_success(channel) } else { session.channel_failure(channel) }
    }

    // A refusal of what is asked comes as lines and a status, which every client shows: the request itself succeeds.
    async fn shell_request(&mut self, channel: ChannelId, session: &mut Session) -> Result<(), Self::Error> {
        self.room()?.begin(channel, session)
    }

    async fn channel_close(&mut self, channel: ChannelId, _session: &mut Session) -> Result<(), Self::Error> {
        self.room()?.begun.remove(&channel);
        Ok(())
    }

    async fn exec_request(
        &mut self,
        channel: ChannelId,
        _command: &[u8],
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        self.room()?.begin(channel, session)
    }

    async fn subsystem_request(
        &mut self,
        channel: ChannelId,
        name: &str,
        session: &mut Session,
    ) -> Result<(), Self::Error> {
        if name == "sftp" {
            return self.room()?.begin(channel, session);
        }
        self.room()?.refuse(&format!("the subsystem {}", short(name)));
        session.channel_failure(channel)
    }
}

fn short(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(256).collect()
}
