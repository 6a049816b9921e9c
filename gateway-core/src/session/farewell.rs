//! The end of a session: what was pending is on record, what runs at the server is ended, the client is told why.
//!
//! Both sides at once, each with a bound: a client that does not read keeps no server process alive, and a server that
//! does not answer keeps no client waiting.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt as _, ReadHalf, WriteHalf};

use super::{
    client::{ClientRead, ClientStream, ClientWrite},
    ending::Ending,
    registry,
    relay::{Session, Watches},
};
use crate::{
    protocol::postgres::message::Frontend,
    record::{Own, OwnPurpose, Recorded, Status},
    upstream::{self, CancelOrder, Continuation, Outlet, Target, Wire},
};

/// How long a client may take to read its last words.
const CLIENT_PATIENCE: Duration = Duration::from_secs(5);
/// How long what it still sends is read and dropped: a socket that is closed with bytes unread takes back what was said.
const LINGER: Duration = Duration::from_secs(1);
/// How long the server may take to read a goodbye.
const UPSTREAM_PATIENCE: Duration = Duration::from_secs(5);
/// How long a cancel request may take.
const CANCEL_PATIENCE: Duration = Duration::from_secs(2);

/// How the server's side ends.
enum Parting {
    /// Nothing runs: it is told.
    Goodbye,
    /// Something runs that nobody may want any more: it is ended. What a run asked ends with the run.
    Abort(Option<Recorded<Own<CancelOrder>>>),
    /// It is gone, or what runs may run on: the stream is closed after what was on its way.
    Leave,
}

impl Session {
    /// Runs the session to its end and records it. The client hears why, where it is still there.
    pub(super) async fn serve(mut self, client: ClientStream, mut upstream: ReadHalf<Wire>, watches: Watches) {
        let (mut read, mut write) = client.into_split();
        let mut end = watches.membership.end.clone();
        // An end from outside wins over whatever the relay waits for: a reading of names, the planner, the disk.
        let ending = tokio::select! {
            biased;
            end = registry::told(&mut end) => Ending::from(end),
            ending = self.relay(&mut read, &mut write, &mut upstream, watches) => match ending {
                Ok(never) => match never {},
                Err(ending) => ending,
            },
        };
        Box::pin(self.part(ending, read, write, upstream)).await;
    }

    async fn part(mut self, ending: Ending, mut read: ClientRead, mut write: ClientWrite, upstream: ReadHalf<Wire>) {
        if let Err(error) = self.abandon_held(ending.withdraws_because()) {
            tracing::warn!(session = %self.id, error = ?error, "a withdrawn request could not be recorded");
        }
        self.record_what_was_open();
        // Before anybody is waited for: a login ends with its session, whatever the client or the server still do.
        match self.lease.take() {
            Some(lease) if ending.lets_work_go_on() => lease.let_go(),
            lease => drop(lease),
        }
        let parting = self.parting(&ending);
        let last = self.last_words(&ending);
        let Self { outlet, recorder, environment, served, counts, id, .. } = self;
        let pooled = served.connection.pool.is_some();
        tokio::join!(part_from_server(parting, outlet, upstream, &served.target, pooled), tell(&mut write, last),);
        let (reason, now) = (ending.reason(), environment.clock.unix_millis());
        if let Err(error) = recorder.end(&reason) {
            tracing::error!(session = %id, %error, "the end of a session could not be recorded");
        }
        if let Err(error) = environment.index.ended(&id, now, reason, counts).await {
            tracing::error!(session = %id, %error, "the end of a session could not be indexed");
        }
        if !matches!(ending, Ending::ClientLeft) {
            linger(&mut read).await;
        }
    }

    /// Whatever was forwarded and has no outcome gets the only true one.
    fn record_what_was_open(&mut self) {
        for (number, entry) in self.ledger.drain() {
            self.ledger.open(number, entry);
            if let Err(error) = self.end_operation(number, Status::Unknown) {
                tracing::error!(session = %self.id, error = ?error, "an outcome could not be recorded");
                break;
            }
        }
    }

    fn parting(&mut self, ending: &Ending) -> Parting {
        let is_idle = self.talk.is_settled() && self.outlet.pending() == 0;
        if matches!(ending, Ending::UpstreamEnded(_) | Ending::Io(_)) {
            Parting::Leave
        } else if is_idle || (ending.lets_work_go_on() && self.meter.run().is_none()) {
            Parting::Goodbye
        } else {
            Parting::Abort(self.cancel_order())
        }
    }

    /// The order to cancel what runs. Without a record there is none: then the server notices only that nobody listens.
    pub(super) fn cancel_order(&mut self) -> Option<Recorded<Own<CancelOrder>>> {
        let (process_id, key) = self.backend_key.clone()?;
        let order = self.recorder.own(OwnPurpose::Cancel, CancelOrder { process_id, key });
        order.map_err(|error| tracing::warn!(session = %self.id, %error, "nothing is cancelled unrecorded")).ok()
    }

    /// What was on its way to the client, then why it ends. Inside a row nothing can be said: it would be read as data.
    fn last_words(&mut self, ending: &Ending) -> Bytes {
        let mut last = BytesMut::with_capacity(self.sending.len() + self.to_client.len() + 512);
        last.extend_from_slice(&std::mem::take(&mut self.sending));
        last.extend_from_slice(&self.to_client.split());
        if !self.backend.is_inside() {
            ending.write(&self.id, &mut last);
        }
        last.freeze()
    }
}

async fn part_from_server(
    parting: Parting,
    mut outlet: Outlet<WriteHalf<Wire>>,
    upstream: ReadHalf<Wire>,
    target: &Target,
    pooled: bool,
) {
    match parting {
        Parting::Leave => {}
        Parting::Goodbye => {
            let Some(goodbye) = Continuation::new(Frontend::Terminate) else { return };
            let said = outlet.follow(None, &goodbye).is_ok();
            if said && !matches!(tokio::time::timeout(UPSTREAM_PATIENCE, outlet.write_all()).await, Ok(Ok(()))) {
                tracing::debug!("the upstream left first");
            }
        }
        Parting::Abort(order) => {
            let wire = upstream.unsplit(outlet.into_inner());
            // A server notices a lost client only when it writes. So the stream is reset first: what a cancelled
            // statement says then fails, and with it whatever else was sent ahead. A pool would forget the key with the
            // stream; there the request goes first.
            if !pooled {
                wire.abort();
                return cancel(order, target).await;
            }
            cancel(order, target).await;
            wire.abort();
        }
    }
}

async fn cancel(order: Option<Recorded<Own<CancelOrder>>>, target: &Target) {
    if let Some(order) = order
        && tokio::time::timeout(CANCEL_PATIENCE, upstream::cancel(target, order)).await.is_err()
    {
        tracing::warn!("a cancel request was not taken in time");
    }
}

async fn tell(write: &mut ClientWrite, mut last: Bytes) {
    let said = async {
        write.send(&mut last).await?;
        write.finish().await
    };
    if !matches!(tokio::time::timeout(CLIENT_PATIENCE, said).await, Ok(Ok(()))) {
        tracing::debug!("the client left first");
    }
}

async fn linger(read: &mut ClientRead) {
    let mut dropped = BytesMut::with_capacity(4_096);
    let rest = async {
        while read.read_buf(&mut dropped).await.is_ok_and(|length| length > 0) {
            dropped.clear();
        }
    };
    if tokio::time::timeout(LINGER, rest).await.is_err() {
        tracing::trace!("the client sends on");
    }
}
