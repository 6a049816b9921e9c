//! A session over SSH: the client's stream is served by russh; each command, shell and file is decided, held, recorded,
//! forwarded and answered; the session ends as any other does.
//!
//! One session for each stream of a client. Its channels overlap; the record is one chain. Who comes through a tunnel is
//! known; a native client stands on the porch until it is believed.

mod channel;
mod command;
mod conversation;
mod files;
mod forward;
mod hold;
mod incoming;
mod limits;
mod lines;
mod passage;
mod porch;
mod server;
mod terminal;

use std::{fmt, future::Future, sync::Arc, time::Duration};

use russh::{Disconnect, keys::PrivateKey, server::RunningSession};
use secrecy::SecretString;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::mpsc,
};
use tokio_util::sync::CancellationToken;

pub use self::porch::{Gatekeeper, Judgement, SshGuest, SshProof};
use self::{
    conversation::Conversation,
    porch::Porch,
    server::{Door, Room},
};
use super::{
    client::ClientStream,
    ending::Ending,
    open::{Arrival, START_TIMEOUT},
    registry::Membership,
    stay::Stay,
    wake::wake,
};
use crate::{
    protocol::ssh::handshake::{Entrance, serving},
    upstream::Cut,
};

/// How long what is on its way may take once the session has to end.
const PATIENCE: Duration = Duration::from_secs(6);

/// What carries SSH. It brings its own encryption, so that a plain socket does, which no other protocol is given.
trait Carrier: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Carrier for S {}

/// A session that is on record and among the live ones.
struct Opened {
    arrival: Arrival,
    conversation: Arc<Conversation>,
    membership: Membership,
}

/// Serves a client that a tunnel brought to its end. Returns when the session is over and on record. `local_password` is
/// asked for where the laptop cannot tell whose a local connection is.
pub(super) async fn serve(arrival: Arrival, client: ClientStream, local_password: Option<SecretString>) {
    match Box::pin(open(arrival)).await {
        Ok(opened) => Box::pin(begin(opened, client, local_password)).await,
        Err(message) => {
            // SPEC: RFC 4253, 4.2: lines may come before the version; a client with `-v` shows them.
            super::open::say(client, format!("hoop: {message}\r\n").as_bytes()).await;
        }
    }
}

/// Puts the session on record and among the live ones, before anything is dialled.
async fn open(arrival: Arrival) -> Result<Opened, String> {
    let (conversation, membership) = Conversation::open(&arrival).await?;
    Ok(Opened { arrival, conversation, membership })
}

async fn begin(opened: Opened, client: ClientStream, local_password: Option<SecretString>) {
    let conversation = Arc::clone(&opened.conversation);
    let cable = CancellationToken::new();
    let entrance = if local_password.is_some() { Entrance::TunnelWithPassword } else { Entrance::Tunnel };
    let config = serving(conversation.keys.host().clone(), entrance);
    let door = Door::Tunnel(Room::new(Arc::clone(&conversation)), local_password);
    let carrier: Box<dyn Carrier> = Box::new(client);
    let begun = tokio::time::timeout(START_TIMEOUT, russh::server::run_stream(config, Cut::new(carrier, &cable), door));
    match begun.await {
        Ok(Ok(running)) => attend(opened, running, cable).await,
        _ => conversation.end(&Ending::ClientLeft).await,
    }
}

/// A native client that was believed. Its session is open.
pub struct Entered {
    opened: Opened,
    stay: Stay,
    running: RunningSession<Door>,
    cable: CancellationToken,
}

impl fmt::Debug for Entered {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Entered").field("session", &self.opened.conversation.id).finish_non_exhaustive()
    }
}

/// Keeps a native client at the door until it is believed; `None` where it is not, leaves, or `gone` is over. Must be
/// awaited to its end.
pub async fn admit(
    tcp: TcpStream,
    host: &PrivateKey,
    keeper: Box<dyn Gatekeeper>,
    gone: impl Future<Output = ()>,
) -> Option<Entered> {
    let cable = CancellationToken::new();
    let hanging_up = cable.clone().drop_guard();
    let (inside, mut believed) = mpsc::channel(1);
    let carrier: Box<dyn Carrier> = Box::new(tcp);
    let (config, door) = (serving(host.clone(), Entrance::Native), Door::Porch(Porch::new(keeper, inside)));
    let mut gone = std::pin::pin!(gone);
    let mut running = tokio::select! {
        () = &mut gone => return None,
        begun = russh::server::run_stream(config, Cut::new(carrier, &cable), door) => begun.ok()?,
    };
    let entered = tokio::select! {
        biased;
        Some(entered) = believed.recv() => Some(entered),
        result = &mut running => {
            tracing::debug!(?result, "a native client left before it was believed");
            None
        }
        () = &mut gone => None,
    };
    if let Some((opened, stay)) = entered {
        hanging_up.disarm();
        return Some(Entered { opened, stay, running, cable });
    }
    believed.close();
    if let Ok((opened, _stay)) = believed.try_recv() {
        opened.conversation.end(&Ending::ClientLeft).await;
    }
    None
}

impl Entered {
    /// Serves it to its end, which is also that of the login that it came in by: nobody renews that here.
    pub async fn serve(self) {
        let Self { opened, stay, running, cable } = self;
        let serving = Box::pin(attend(opened, running, cable));
        tokio::select! {
            () = serving => {}
            never = stay.end() => match never {},
        }
    }
}

/// Waits for what ends a session, and ends it.
async fn attend(opened: Opened, mut running: RunningSession<Door>, cable: CancellationToken) {
    let Opened { arrival, conversation, mut membership } = opened;
    let wake = wake(&arrival, &mut membership);
    let mut wake = std::pin::pin!(wake);
    let handle = running.handle();
    let (ending, over) = tokio::select! {
        biased;
        ending = &mut wake => (ending, false),
        () = conversation.ended.cancelled() => (Ending::Unrecorded, false),
        why = conversation.limited() => (Ending::Limit(why), false),
        result = &mut running => {
            if let Err(error) = result {
                tracing::debug!(session = %conversation.id, %error, "a client broke off");
            }
            (Ending::ClientLeft, true)
        }
    };
    conversation.stop(&ending);
    conversation.tasks.close();
    // Channels say why to their clients, and end what they run.
    if tokio::time::timeout(PATIENCE, conversation.tasks.wait()).await.is_err() {
        tracing::debug!(session = %conversation.id, "a channel did not end in time");
    }
    if !over {
        let goodbye = handle.disconnect(Disconnect::ByApplication, ending.reason(), String::new());
        drop(tokio::time::timeout(PATIENCE, goodbye).await);
        drop(tokio::time::timeout(PATIENCE, &mut running).await);
    }
    cable.cancel();
    conversation.cut.cancel();
    conversation.end(&ending).await;
}
