//! What a client sends on one channel: what comes while something waits is kept, within bounds, in its order.

use std::collections::VecDeque;

use russh::{ChannelMsg, ChannelReadHalf};

/// More than this behind something that waits is refused.
const MOST_AHEAD_BYTES: usize = 8 << 20;
const MOST_AHEAD_MESSAGES: usize = 4096;

/// The client's half of a channel.
pub(super) struct Incoming {
    read: ChannelReadHalf,
    ahead: VecDeque<ChannelMsg>,
    bytes: usize,
}

/// What a wait came to.
pub(super) enum Meanwhile<T> {
    /// What was waited for.
    Done(T),
    /// The client went away.
    Left,
    /// It sent more than is kept.
    TooMuch,
}

impl Incoming {
    pub(super) fn new(read: ChannelReadHalf) -> Self {
        Self { read, ahead: VecDeque::new(), bytes: 0 }
    }

    /// The next message; `None` when the client is gone. Cancel safe.
    pub(super) async fn next(&mut self) -> Option<ChannelMsg> {
        if let Some(message) = self.ahead.pop_front() {
            self.bytes = self.bytes.saturating_sub(size(&message));
            return Some(message);
        }
        self.read.wait().await
    }

    /// Waits for something, and keeps what the client sends meanwhile.
    pub(super) async fn during<T>(&mut self, waiting: impl Future<Output = T>) -> Meanwhile<T> {
        // Nothing cancels it.
        self.during_unless(waiting, |_message| false).await.unwrap_or(Meanwhile::Left)
    }

    /// The same, until the client says something that cancels it: then `None`, and what it said before is gone.
    pub(super) async fn during_unless<T>(
        &mut self,
        waiting: impl Future<Output = T>,
        cancels: impl Fn(&ChannelMsg) -> bool,
    ) -> Option<Meanwhile<T>> {
        let mut waiting = std::pin::pin!(waiting);
        loop {
            let message = tokio::select! {
                biased;
                done = &mut waiting => return Some(Meanwhile::Done(done)),
                message = self.read.wait() => message,
            };
            match message {
                None | Some(ChannelMsg::Close) => return Some(Meanwhile::Left),
                Some(message) if cancels(&message) => {
                    self.ahead.retain(|message| !matches!(message, ChannelMsg::Data { .. }));
                    self.bytes = 0;
                    return None;
                }
                Some(message) => {
                    self.bytes += size(&message);
                    self.ahead.push_back(message);
                }
            }
            if self.bytes > MOST_AHEAD_BYTES || self.ahead.len() > MOST_AHEAD_MESSAGES {
                return Some(Meanwhile::TooMuch);
            }
        }
    }
}

fn size(message: &ChannelMsg) -> usize {
    if let ChannelMsg::Data { data } | ChannelMsg::ExtendedData { data, .. } = message { data.len() } else { 0 }
}
