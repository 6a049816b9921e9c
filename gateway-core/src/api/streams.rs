//! How many streams of events are open, and of whom: a stream costs as long as it lives, so nobody has many.
//!
//! Knows no event. A [`Place`] is held by whatever streams, and given back when it is dropped.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::response::sse::KeepAlive;
use http::StatusCode;
use tokio::sync::watch;

use super::problem::ApiError;
use crate::model::{Principal, PrincipalKind, PrincipalName};

/// Streams that one principal may have open.
const MOST_OF_ONE: usize = 16;
/// Streams that may be open at all.
const MOST: usize = 2_048;
/// A comment at least this often, so that both ends notice a peer that vanished.
const HEARTBEAT: Duration = Duration::from_secs(10);

type Key = (PrincipalKind, PrincipalName);

/// The open streams of a gateway; cheap to clone.
#[derive(Clone, Default)]
pub struct Streams(Arc<Mutex<HashMap<Key, usize>>>);

impl fmt::Debug for Streams {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Streams")
    }
}

/// One open stream.
pub(super) struct Place {
    streams: Streams,
    key: Key,
}

impl Streams {
    /// Opens a stream, where there is room for one more.
    pub(super) fn enter(&self, who: &Principal) -> Result<Place, ApiError> {
        let key = (who.kind, who.name.clone());
        let mut open = self.lock();
        let total: usize = open.values().sum();
        let own = open.entry(key.clone()).or_default();
        if *own >= MOST_OF_ONE || total >= MOST {
            let whose = if *own >= MOST_OF_ONE { "you have" } else { "this gateway has" };
            return Err(ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too many streams are open")
                .detail(format!("{whose} as many streams of events open as it may"))
                .hint("end a watch or a dashboard that nobody looks at, then try again"));
        }
        *own += 1;
        Ok(Place { streams: self.clone(), key })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Key, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.streams.lock();
        if let Some(count) = open.get_mut(&self.key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                open.remove(&self.key);
            }
        }
    }
}

/// Waits until the gateway stops. Cancel-safe.
pub(super) async fn stopping(stopped: &mut watch::Receiver<bool>) {
    // A registry that is gone has stopped.
    drop(stopped.wait_for(|stopped| *stopped).await);
}

/// The heartbeat of every stream.
pub(super) fn heartbeat() -> KeepAlive {
    KeepAlive::new().interval(HEARTBEAT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approval::testing::person;

    #[test]
    fn nobody_has_more_streams_than_the_bound_and_a_place_is_given_back() {
        let streams = Streams::default();
        let (alice, bob) = (person("alice", &[]), person("bob", &[]));
        let mut places: Vec<Place> = (0..MOST_OF_ONE).map(|_| streams.enter(&alice).ok().unwrap()).collect();
        assert!(streams.enter(&alice).is_err());
        assert!(streams.enter(&bob).is_ok(), "another's streams do not count");
        places.pop();
        places.push(streams.enter(&alice).ok().unwrap());
        drop(places);
        assert!(streams.lock().is_empty());
    }
}
