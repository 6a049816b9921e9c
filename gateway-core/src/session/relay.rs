//! The loop of a session: four byte streams, the held request, and what wakes a session from outside.
//!
//! One task owns everything, so no order of events is left to chance. Every buffer is bounded: a slow client stops the
//! reading of its upstream, and the other way round.

use std::{io, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use hoop_tunnel::acceptor::LinkIdentity;
use tokio::{
    io::{AsyncReadExt as _, ReadHalf, WriteHalf},
    sync::watch,
};

pub(super) use super::ending::Ending;
use super::{
    access::{self, Window},
    client::{ClientRead, ClientWrite},
    conversation::Conversation,
    environment::{Environment, Served},
    hold::Held,
    leases::HeldLease,
    ledger::Ledger,
    meaning::Meaning,
    metering::SessionMeter,
    overdrawn::Overdraft,
    registry::{Membership, Signal},
    reported::Reported,
    room::Room,
};
use crate::{
    approval::{Leases, State},
    model::{ConnectionFacts, OperationNumber, Presence, Principal, SessionId},
    policy::{Circumstances, PolicySet, Source},
    protocol::postgres::{
        codec::FrameDecoder,
        handshake::Replication,
        inspect::{Sight, Understood},
        message::{CancelKey, Frontend, Text},
    },
    record::{Admitted, Own, OwnPurpose, Recorded, SessionRecorder},
    store::SessionCounts,
    upstream::{self, CancelOrder, Continuation, Outlet, OwnMessage, Wire},
};

/// What the relay sends next, in order.
#[derive(Debug)]
pub(super) enum Step {
    Open(OperationNumber),
    Follow(Option<OperationNumber>, Continuation),
    Own(Recorded<Own<OwnMessage>>),
}

/// Everything one session owns.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) id: SessionId,
    pub(super) environment: Arc<Environment>,
    pub(super) served: Arc<Served>,
    pub(super) principal: Arc<Principal>,
    pub(super) source: Source,
    pub(super) facts: ConnectionFacts,
    pub(super) role: String,
    pub(super) circumstance: Arc<[u8]>,
    pub(super) policies: PolicySet,
    pub(super) replication: Replication,
    /// The window that it stays open for, where connecting needed an approval.
    pub(super) window: Option<Window>,
    pub(super) sight: Sight,
    pub(super) generation: u64,
    /// When the sight was taken: somebody may have changed the database beside the gateway since.
    pub(super) sighted_at: std::time::Instant,
    pub(super) outdated: bool,
    /// The snapshot was just read: what it does not know is not there.
    pub(super) fresh: bool,
    /// The client said goodbye: what it asked before is still answered.
    pub(super) leaving: bool,
    pub(super) changed_catalogue: bool,
    pub(super) meaning: Meaning,
    pub(super) recorder: SessionRecorder,
    pub(super) counts: SessionCounts,
    pub(super) meter: SessionMeter,
    pub(super) overdraft: Overdraft,
    pub(super) talk: Conversation,
    pub(super) ledger: Ledger,
    pub(super) held: Option<Held>,
    pub(super) waiting: Option<Frontend>,
    pub(super) admitted: Vec<Admitted<Frontend>>,
    pub(super) steps: Vec<Step>,
    pub(super) frontend: FrameDecoder,
    pub(super) backend: FrameDecoder,
    /// The last text that was understood, with the sight that it was understood in.
    pub(super) understood: Option<(u64, Arc<Understood>)>,
    pub(super) client_in: BytesMut,
    pub(super) upstream_in: BytesMut,
    /// How much is read at once from each.
    pub(super) client_room: Room,
    pub(super) upstream_room: Room,
    pub(super) to_client: BytesMut,
    /// What is being written to the client: whole messages, of which a part may have gone.
    pub(super) sending: Bytes,
    pub(super) reported: Reported,
    pub(super) outlet: Outlet<WriteHalf<Wire>>,
    pub(super) fault_query: Text,
    pub(super) fault_portal: Text,
    pub(super) backend_key: Option<(u32, CancelKey)>,
    /// What it logged in with, where that was made for it.
    pub(super) lease: Option<HeldLease>,
}

/// What wakes a session besides bytes.
#[derive(Debug)]
pub(super) struct Watches {
    pub(super) identity: watch::Receiver<LinkIdentity<Presence>>,
    pub(super) policies: watch::Receiver<PolicySet>,
    pub(super) recorder_failed: watch::Receiver<bool>,
    pub(super) leases: watch::Receiver<Leases>,
    pub(super) membership: Membership,
}

enum Wake {
    Client(io::Result<usize>),
    Upstream(io::Result<usize>),
    ClientWritten(io::Result<()>),
    UpstreamWritten(io::Result<()>),
    Held(State),
    Signal(Option<Signal>),
    Identity,
    Policies,
    Recorder,
    Window,
    Budget,
}

/// More than this waiting for one side stops the reading of the other.
const HIGH_WATER_BYTES: usize = 256 * 1024;
/// What is read ahead from a client that has to wait.
const READ_AHEAD_BYTES: usize = 1024 * 1024;
/// What is read ahead from a client whose statement is held. Its end shows only behind all that it sent: TCP and a
/// link's stream deliver a close after the data before it. So reading never pauses here, and more than this is too much.
pub(super) const HELD_AHEAD_BYTES: usize = 8 << 20;

impl Session {
    /// Moves what comes until something ends it. Dropped half-way it leaves nothing that the farewell cannot take up.
    pub(super) async fn relay(
        &mut self,
        read: &mut ClientRead,
        write: &mut ClientWrite,
        upstream: &mut ReadHalf<Wire>,
        mut watches: Watches,
    ) -> Result<std::convert::Infallible, Ending> {
        // A client need not wait for its login to end before it asks.
        self.take_client_messages().await?;
        loop {
            watches.membership.counts.set(self.counts);
            if self.sending.is_empty() && !self.to_client.is_empty() {
                self.sending = self.to_client.split().freeze();
                self.meter.bytes(self.sending.len() as u64);
            }
            // Its end is behind all that it sent: data that is still awaited will not come.
            if self.leaving && self.talk.takes_data().is_some() {
                return Err(Ending::ClientLeft);
            }
            if self.leaving && self.is_quiet() && self.sending.is_empty() && !write.is_pending() {
                return Err(Ending::ClientLeft);
            }
            let wake = self.wake(read, write, upstream, &mut watches).await;
            match wake {
                Wake::Client(Ok(0)) if self.held.is_some() => return Err(Ending::ClientLeft),
                Wake::Client(Ok(0)) => self.leaving = true,
                Wake::Client(Ok(read)) => {
                    self.client_room.took(read);
                    self.take_client_messages().await?;
                    // FAIL-CLOSED: a client that cannot be watched any more does not keep its request.
                    if self.held.is_some() && self.client_in.len() > HELD_AHEAD_BYTES {
                        return Err(Ending::TooFarAhead);
                    }
                }
                Wake::Upstream(Ok(0)) => {
                    return Err(Ending::UpstreamEnded(String::new()));
                }
                Wake::Upstream(Ok(read)) => {
                    self.upstream_room.took(read);
                    self.take_upstream_messages()?;
                    if self.waiting.is_some() || !self.client_in.is_empty() {
                        self.take_client_messages().await?;
                    }
                }
                Wake::Upstream(Err(error)) | Wake::UpstreamWritten(Err(error)) => return Err(error.into()),
                Wake::Client(Err(_)) | Wake::ClientWritten(Err(_)) => return Err(Ending::ClientLeft),
                Wake::ClientWritten(Ok(())) | Wake::UpstreamWritten(Ok(())) => {}
                Wake::Held(state) => self.held_changed(state).await?,
                Wake::Signal(Some(Signal::Cancel)) => self.cancel().await?,
                Wake::Signal(None) => return Err(Ending::Stopped),
                Wake::Identity => self.check_identity(&mut watches.identity)?,
                Wake::Policies => {
                    let policies = watches.policies.borrow_and_update().clone();
                    self.policies_changed(policies).await?;
                }
                Wake::Window => self.check_window(&self.policies.clone())?,
                Wake::Budget => self.look_at_budget().await?,
                Wake::Recorder => {
                    if *watches.recorder_failed.borrow_and_update() {
                        return Err(Ending::Unrecorded);
                    }
                }
            }
        }
    }

    /// Waits for the next thing to do. Cancel-safe: every branch is.
    async fn wake(
        &mut self,
        read: &mut ClientRead,
        write: &mut ClientWrite,
        upstream: &mut ReadHalf<Wire>,
        watches: &mut Watches,
    ) -> Wake {
        let limit = if self.is_blocked() { READ_AHEAD_BYTES } else { usize::MAX };
        let has_room = self.client_in.len() < limit && self.outlet.pending() < HIGH_WATER_BYTES;
        let reads_client = !self.leaving && (has_room || self.held.is_some());
        let reads_upstream = self.to_client.len() < HIGH_WATER_BYTES;
        let look = self.next_look();
        let look_again = async move {
            match look {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let window_moves = access::moves(self.window.clone(), self.environment.clock.clone(), &mut watches.leases);
        // Who said goodbye is not read any more, and still waited for. In a run its loss ends what it asked.
        let watches_client = self.leaving && self.meter.run().is_some();
        let Self { client_in, upstream_in, client_room, upstream_room, outlet, held, sending, .. } = self;
        let writes_upstream = outlet.pending() > 0;
        let writes_client = !sending.is_empty() || write.is_pending();
        let is_held = held.is_some();
        if reads_client {
            client_room.make(client_in);
        }
        if reads_upstream {
            upstream_room.make(upstream_in);
        }
        let waits = async {
            match held {
                Some(held) => held.changed().await,
                None => std::future::pending().await,
            }
        };
        let writing = async {
            if writes_client {
                return Wake::ClientWritten(write.send(sending).await);
            }
            write.gone().await;
            Wake::Client(Err(io::ErrorKind::ConnectionAborted.into()))
        };
        // In no fixed order: a server that never pauses must not make the gateway deaf to the client, nor the other way round.
        let reads = async {
            tokio::select! {
                result = upstream.read_buf(upstream_in), if reads_upstream => Wake::Upstream(result),
                result = read.read_buf(client_in), if reads_client => Wake::Client(result),
            }
        };
        tokio::select! {
            biased;
            // What ends a session comes first: bytes that never pause must not put it off.
            signal = watches.membership.signals.recv() => Wake::Signal(signal),
            _ = watches.identity.changed() => Wake::Identity,
            Ok(()) = watches.policies.changed() => Wake::Policies,
            Ok(()) = watches.recorder_failed.changed() => Wake::Recorder,
            () = window_moves => Wake::Window,
            () = look_again, if look.is_some() => Wake::Budget,
            result = outlet.write_some(), if writes_upstream => Wake::UpstreamWritten(result),
            wake = writing, if writes_client || watches_client => wake,
            wake = reads, if reads_upstream || reads_client => wake,
            state = waits, if is_held => Wake::Held(state),
        }
    }

    /// Whether nothing is on its way in either direction.
    fn is_quiet(&self) -> bool {
        self.talk.is_settled() && self.waiting.is_none() && self.outlet.pending() == 0 && self.to_client.is_empty()
    }

    /// The moment of a decision.
    pub(super) fn circumstances(&self) -> Circumstances {
        self.environment.circumstances(self.source, self.meter.run())
    }

    /// Law 9: an expired or changed principal ends the session at once.
    fn check_identity(&self, identity: &mut watch::Receiver<LinkIdentity<Presence>>) -> Result<(), Ending> {
        match &*identity.borrow_and_update() {
            LinkIdentity::Valid { principal: presence, .. } if presence.is_of(&self.principal, self.meter.run()) => {
                Ok(())
            }
            LinkIdentity::Valid { .. } | LinkIdentity::Expired => Err(Ending::Identity),
        }
    }

    /// Law 9: a policy change decides the connection and what is held again; masks follow it at once.
    async fn policies_changed(&mut self, policies: PolicySet) -> Result<(), Ending> {
        self.check_window(&policies)?;
        self.policies = policies.clone();
        self.outdated = true;
        self.look_again_at_rows();
        self.replicates_still()?;
        self.redecide_held(&policies).await
    }

    /// The client asks to cancel: what is held is withdrawn, what runs is cancelled at the server.
    async fn cancel(&mut self) -> Result<(), Ending> {
        if self.held.is_some() {
            return self.withdraw_held().await;
        }
        if self.talk.is_settled() {
            return Ok(());
        }
        self.cancel_upstream().await
    }

    /// Asks the server to cancel what runs for this session. Waits until the server took it, so that it cannot hit a
    /// later statement.
    pub(super) async fn cancel_upstream(&mut self) -> Result<(), Ending> {
        let Some((process_id, key)) = self.backend_key.clone() else { return Ok(()) };
        let order = self.recorder.own(OwnPurpose::Cancel, CancelOrder { process_id, key })?;
        if tokio::time::timeout(Duration::from_secs(5), upstream::cancel(&self.served.target, order)).await.is_err() {
            tracing::warn!(session = %self.id, "a cancel request was not taken in time");
        }
        Ok(())
    }
}
