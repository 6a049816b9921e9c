//! A way that leads to another connection of the site: its channel is served as that connection serves any client, with
//! its own decisions, inspection and record; here its bytes are carried and counted, and its right is watched.
//!
//! Knows nothing of what goes over it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use russh::{Channel, ChannelMsg, ChannelReadHalf, ChannelWriteHalf, server::Msg};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, ReadHalf, WriteHalf};

use super::{
    conversation::Conversation,
    forward::{self, PATIENCE, Permits},
};
use crate::{
    model::{ConnectionName, Refusal},
    protocol::ssh::{forward::ForwardTarget, refuse},
    record::Status,
    session::{
        client::ClientStream,
        onward::{self, Hold, Traveller},
        open::Arrival,
        outcome::Open,
    },
};

/// What may be on its way in each direction.
const BUFFER_BYTES: usize = 256 * 1024;
const READ_BYTES: usize = 32 * 1024;
/// How long a session that was ended may take to say so.
const GOODBYE: Duration = Duration::from_secs(4);

/// Where a way leads, where the site says so.
pub(super) fn leads<'site>(conversation: &'site Conversation, to: &ForwardTarget) -> Option<&'site ConnectionName> {
    conversation.served.connection.ssh.as_ref()?.ways.get(to)
}

/// The connect decision on where it leads.
pub(super) fn arrive(conversation: &Conversation, name: &ConnectionName) -> Result<(Arrival, Hold), Refusal> {
    let traveller = Traveller {
        environment: &conversation.environment,
        session: &conversation.id,
        principal: &conversation.principal,
        run: conversation.run.as_ref(),
        source: conversation.source,
        onward: &conversation.onward,
    };
    traveller.arrive(name)
}

/// A way that was let through, both times.
pub(super) struct Passage {
    pub(super) conversation: Arc<Conversation>,
    pub(super) to: ForwardTarget,
    pub(super) permits: Permits,
    pub(super) open: Open,
    pub(super) hold: Hold,
}

enum End {
    /// Either side closed it.
    Over,
    /// It may not go on, for this reason.
    Stopped(String),
}

/// The way of the client's channel into its session.
struct Client {
    read: ChannelReadHalf,
    write: ChannelWriteHalf<Msg>,
}

impl Passage {
    /// Serves the channel to its end.
    pub(super) async fn serve(self, arrival: Arrival, channel: Channel<Msg>) {
        let Self { conversation, to, permits, mut open, hold } = self;
        let protocol = arrival.served.facts.kind.as_str();
        let (near, far) = tokio::io::duplex(BUFFER_BYTES);
        // Its session ends by itself, and is awaited by what ends this one.
        conversation.tasks.spawn(onward::serve(arrival, ClientStream::Way(far)));
        let (up_bytes, down_bytes) = (AtomicU64::new(0), AtomicU64::new(0));
        let (read, write) = channel.split();
        let mut client = Client { read, write };
        let (from, into) = tokio::io::split(near);
        let end = {
            let up = std::pin::pin!(upward(&conversation, &mut client.read, into, &up_bytes));
            let mut down = std::pin::pin!(downward(&conversation, &client.write, from, &down_bytes));
            let stopped = std::pin::pin!(permits.no_longer(&conversation));
            let end = tokio::select! {
                biased;
                why = stopped => End::Stopped(why),
                () = up => End::Over,
                () = &mut down => End::Over,
            };
            if let End::Stopped(why) = &end {
                // It says goodbye in its own words.
                hold.end(&format!("the session that it came through ended this way: {why}"));
                drop(tokio::time::timeout(GOODBYE, down).await);
            }
            end
        };
        drop(tokio::time::timeout(PATIENCE, client.write.close()).await);
        let counts = [up_bytes, down_bytes].map(AtomicU64::into_inner);
        forward::note(&conversation, &open, &to, counts, Some(protocol), hold.session());
        open.add_bytes(usize::try_from(counts[1]).unwrap_or(usize::MAX));
        match end {
            End::Over => open.end(Status::Completed { tag: "closed" }),
            End::Stopped(why) => {
                open.end(Status::Failed { sqlstate: "ended" });
                conversation.announce(refuse::notice(&format!("forwarding to {to} ended: {why}"))).await;
            }
        }
    }
}

/// From the client into the session.
#[expect(clippy::wildcard_enum_match_arm, reason = "russh adds messages; each arm that is not named changes nothing")]
async fn upward(
    conversation: &Conversation,
    read: &mut ChannelReadHalf,
    mut into: WriteHalf<DuplexStream>,
    count: &AtomicU64,
) {
    let mut is_over = false;
    while let Some(message) = read.wait().await {
        let sent = match message {
            ChannelMsg::Data { .. } | ChannelMsg::Eof if is_over => continue,
            ChannelMsg::Data { data } => {
                counted(conversation, count, &data);
                into.write_all(&data).await
            }
            ChannelMsg::Eof => {
                is_over = true;
                into.shutdown().await
            }
            ChannelMsg::Close => return,
            _ => continue,
        };
        if sent.is_err() {
            // The other direction says how it ended.
            std::future::pending::<()>().await;
        }
    }
}

/// From the session to the client.
async fn downward(
    conversation: &Conversation,
    write: &ChannelWriteHalf<Msg>,
    mut from: ReadHalf<DuplexStream>,
    count: &AtomicU64,
) {
    let mut buffer = BytesMut::new();
    loop {
        buffer.reserve(READ_BYTES);
        if let Ok(1..) = from.read_buf(&mut buffer).await {
            let bytes = buffer.split().freeze();
            counted(conversation, count, &bytes);
            if write.data_bytes(bytes).await.is_err() {
                return;
            }
        } else {
            // Nobody is left to be told otherwise.
            drop(write.eof().await);
            return;
        }
    }
}

fn counted(conversation: &Conversation, count: &AtomicU64, bytes: &Bytes) {
    conversation.touch();
    count.fetch_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
}
