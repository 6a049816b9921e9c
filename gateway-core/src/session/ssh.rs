//! A session over SSH: the client's stream is served by russh; each command, shell and file is decided, held, recorded,
//! forwarded and answered; the session ends as any other does.
//!
//! One session for each stream of a client. Its channels overlap; the record is one chain.

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
mod server;
mod terminal;

use std::{sync::Arc, time::Duration};

use russh::Disconnect;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use self::{conversation::Conversation, server::Door};
use super::{
    client::ClientStream,
    ending::Ending,
    open::{Arrival, START_TIMEOUT},
    registry::Membership,
    wake::wake,
};
use crate::{
    protocol::ssh::handshake::{LocalGuard, serving},
    upstream::Cut,
};

/// How long what is on its way may take once the session has to end.
const PATIENCE: Duration = Duration::from_secs(6);

/// Serves a client to its end. Returns when the session is over and on record. `local_password` is asked for where the
/// laptop cannot tell whose a local connection is.
pub(super) async fn serve(arrival: Arrival, client: ClientStream, local_password: Option<SecretString>) {
    match Box::pin(Conversation::open(&arrival)).await {
        Ok((conversation, membership)) => {
            Box::pin(run(arrival, conversation, membership, client, local_password)).await;
        }
        Err(message) => {
            // SPEC: RFC 4253, 4.2: lines may come before the version; a client with `-v` shows them.
            super::open::say(client, format!("hoop: {message}\r\n").as_bytes()).await;
        }
    }
}

async fn run(
    arrival: Arrival,
    conversation: Arc<Conversation>,
    mut membership: Membership,
    client: ClientStream,
    local_password: Option<SecretString>,
) {
    let wake = wake(&arrival, &mut membership);
    let mut wake = std::pin::pin!(wake);
    let cable = CancellationToken::new();
    let guard = if local_password.is_some() { LocalGuard::Password } else { LocalGuard::Peer };
    let config = serving(conversation.keys.host().clone(), guard);
    let door = Door::new(Arc::clone(&conversation), local_password);
    let begun = tokio::time::timeout(START_TIMEOUT, russh::server::run_stream(config, Cut::new(client, &cable), door));
    let Ok(Ok(mut session)) = begun.await else { return conversation.end(&Ending::ClientLeft).await };
    let handle = session.handle();
    let (ending, over) = tokio::select! {
        biased;
        ending = &mut wake => (ending, false),
        () = conversation.ended.cancelled() => (Ending::Unrecorded, false),
        why = conversation.limited() => (Ending::Limit(why), false),
        result = &mut session => {
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
        drop(tokio::time::timeout(PATIENCE, &mut session).await);
    }
    cable.cancel();
    conversation.cut.cancel();
    conversation.end(&ending).await;
}
