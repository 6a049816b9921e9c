//! How long a session may last, and how long it may be silent. Clients are told before it ends.

use std::{collections::BTreeSet, sync::PoisonError, time::Duration};

use bytes::Bytes;
use russh::{ChannelId, server::Handle};
use tokio::time::Instant;

use super::{channel::STDERR, conversation::Conversation};
use crate::protocol::ssh::refuse;

/// Clients are told so long before, or a quarter of the limit where that is less.
const WARNING: Duration = Duration::from_mins(1);

impl Conversation {
    /// Something went one way or the other on a channel.
    pub(super) fn touch(&self) {
        *self.active.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Waits until a limit is reached, and says which.
    pub(super) async fn limited(&self) -> String {
        let Some(settings) = &self.served.connection.ssh else { return std::future::pending().await };
        let (idle, longest) = (settings.idle_limit, settings.session_limit);
        let begun = Instant::now();
        let mut warned = (false, None);
        loop {
            let active = *self.active.lock().unwrap_or_else(PoisonError::into_inner);
            let (now, quiet, over) = (Instant::now(), active + idle, begun + longest);
            if now >= over {
                return format!("it has lasted for {}, the limit of this connection", spoken(longest));
            }
            if now >= quiet {
                return format!("nothing was said for {}, the limit of this connection", spoken(idle));
            }
            let (quiet_soon, over_soon) = (quiet - early(idle), over - early(longest));
            if now >= over_soon && !warned.0 {
                warned.0 = true;
                let left = spoken(early(longest));
                self.announce(refuse::notice(&format!("this session ends in {left}: it may last {}", spoken(longest))))
                    .await;
            }
            if now >= quiet_soon && warned.1 != Some(active) {
                warned.1 = Some(active);
                let left = spoken(early(idle));
                self.announce(refuse::notice(&format!("this session ends in {left} unless something is said"))).await;
            }
            let next = [quiet_soon, over_soon, quiet, over].into_iter().filter(|moment| *moment > now).min();
            tokio::time::sleep_until(next.unwrap_or(over)).await;
        }
    }

    /// A channel with a standard error was opened.
    pub(super) fn hears(&self, handle: &Handle, channel: ChannelId) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.get_or_insert_with(|| (handle.clone(), BTreeSet::new())).1.insert(channel);
    }

    /// It is gone.
    pub(super) fn hears_no_more(&self, channel: ChannelId) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, channels)) = &mut *told {
            channels.remove(&channel);
        }
    }

    /// Says something on the standard error of every command, shell and SFTP that is open.
    pub(super) async fn announce(&self, text: String) {
        let open = self.told.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((handle, channels)) = open else { return };
        for channel in channels {
            if handle.extended_data(channel, STDERR, Bytes::from(text.clone())).await.is_err() {
                tracing::debug!(session = %self.id, "a channel was gone before it was told");
            }
        }
    }
}

fn early(limit: Duration) -> Duration {
    WARNING.min(limit / 4)
}

fn spoken(length: Duration) -> String {
    let seconds = length.as_secs();
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}
