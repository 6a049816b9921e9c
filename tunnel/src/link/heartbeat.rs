//! Notices a peer that vanished without a word: pings an idle or busy link, and gives up when no answer comes.
//!
//! Both sides run it beside their connection; it ends only when the peer is gone.

use std::time::Duration;

use h2::{Ping, PingPong};
use tokio::time::{sleep, timeout};

const INTERVAL: Duration = Duration::from_secs(15);
const PATIENCE: Duration = Duration::from_secs(15);

/// Returns when the peer did not answer a ping in time, or the connection ended.
///
/// Cancel safe: a ping lost with the future only means that the next one may have to wait for its answer.
pub(crate) async fn heartbeat(mut ping_pong: PingPong) {
    loop {
        sleep(INTERVAL).await;
        match timeout(PATIENCE, ping_pong.ping(Ping::opaque())).await {
            Ok(Ok(_)) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}
