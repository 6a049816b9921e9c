//! The cancel request: what the server runs under a key is interrupted, by a connection that asks nothing else.

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Target, dial};
use crate::{
    protocol::postgres::{codec, message::CancelKey},
    record::{Own, Recorded},
};

/// Which server process to interrupt, with the key that it gave.
#[derive(Debug)]
pub struct CancelOrder {
    /// The server process.
    pub process_id: u32,
    /// Its key.
    pub key: CancelKey,
}

/// Sends the request, and waits until the server took it, so that it cannot hit a later statement. A server that cannot
/// be reached is logged: there is nothing else to do about it.
pub async fn cancel(target: &Target, order: Recorded<Own<CancelOrder>>) {
    let CancelOrder { process_id, key } = order.into_inner().into_message();
    let mut wire = match dial(target).await {
        Ok(wire) => wire,
        Err(error) => return tracing::warn!(%error, "a cancel request could not be sent"),
    };
    let mut out = BytesMut::new();
    codec::encode_cancel(process_id, &key, &mut out);
    if let Err(error) = wire.write_all(&out).await {
        return tracing::warn!(%error, "a cancel request could not be sent");
    }
    // SPEC: the server closes without an answer.
    let mut nothing = [0; 16];
    if let Err(error) = wire.read(&mut nothing).await {
        tracing::debug!(%error, "a cancel request was answered by a reset");
    }
}
