//! The opening of a session, once it is known who asks for what: the start-up parameters, the record, the upstream's
//! login, and the facts that give statements their meaning. Nothing is dialled before the session is on record.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use aws_lc_rs::rand;
use bytes::{Bytes, BytesMut};
use hoop_tunnel::acceptor::LinkIdentity;
use tokio::{
    io::{AsyncWriteExt as _, ReadHalf},
    sync::watch,
};

use super::{
    access::Window,
    client::ClientStream,
    conversation::Conversation,
    environment::{Environment, Served},
    ledger::Ledger,
    login::{Comer, Failure, Opened, log_in},
    meaning::Meaning,
    metering::SessionMeter,
    names::sight,
    onward::Through,
    overdrawn::Overdraft,
    registry::{self, Entry, Membership},
    relay::{Session, Watches},
    reported::Reported,
    room::Room,
};
use crate::{
    approval::Binding,
    model::{Presence, Principal, RunId, SessionId},
    policy::{PolicySet, Source},
    protocol::postgres::{
        codec::{self, FrameDecoder},
        handshake::{self, Replication, StartPlan},
        message::{CancelKey, Start, Text, backend::TransactionStatus},
        refuse::Report,
    },
    record::{SessionFacts, SessionRecorder},
    store::{SessionCounts, SessionEntry},
    upstream::Wire,
};

/// How long a client may take to say what it wants.
pub(super) const START_TIMEOUT: Duration = Duration::from_mins(1);

/// The system gives no random bytes. Nothing is opened then: an id or a key could be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random bytes, so the gateway goes no further")]
pub(crate) struct NoRandomness;

/// Random bytes for ids and keys.
pub(super) fn random<const LENGTH: usize>() -> Result<[u8; LENGTH], NoRandomness> {
    let mut bytes = [0; LENGTH];
    rand::fill(&mut bytes).map_err(|_unspecified| {
        tracing::error!("the system gives no randomness");
        NoRandomness
    })?;
    Ok(bytes)
}

/// What a session is known by, all of it random.
pub(super) struct Secrets {
    pub(super) id: SessionId,
    process_id: u32,
    pub(super) key: CancelKey,
    fault: u64,
}

impl Secrets {
    pub(super) fn draw(now_millis: i64, key_bytes: usize) -> Result<Self, NoRandomness> {
        let key: [u8; LONG_KEY_BYTES] = random()?;
        let key = key.get(..key_bytes).map(Bytes::copy_from_slice).and_then(CancelKey::new).ok_or(NoRandomness)?;
        Ok(Self {
            id: SessionId::new(u64::try_from(now_millis).unwrap_or(0), random()?),
            process_id: u32::from_be_bytes(random()?) >> 1,
            key,
            fault: u64::from_be_bytes(random()?),
        })
    }
}

/// As long as a server's own keys since protocol 3.2.
pub(super) const LONG_KEY_BYTES: usize = 32;

/// Somebody who came in, by whichever way, was believed, and may connect.
#[derive(Debug)]
pub struct Arrival {
    /// What every session shares.
    pub environment: Arc<Environment>,
    /// The connection asked for.
    pub served: Arc<Served>,
    /// Who asks.
    pub principal: Principal,
    /// Until when, and whether still: an end of it ends the session.
    pub identity: watch::Receiver<LinkIdentity<Presence>>,
    /// When they proved who they are, at the latest: a logout since then ends it.
    pub proved_at: Instant,
    /// The policies that permitted the connection.
    pub policies: PolicySet,
    /// Which way.
    pub source: Source,
    /// The run that it belongs to.
    pub run: Option<RunId>,
    /// From where.
    pub client_address: Option<SocketAddr>,
    /// The window that it came through, where connecting needed an approval.
    pub window: Option<Window>,
    /// The session that it came through, where a machine leads here.
    pub through: Option<Through>,
}

/// What the client asked with, and whether it was answered before its session was open.
#[derive(Clone, Copy)]
struct Greeting<'start> {
    start: &'start Start,
    welcomed: bool,
}

/// A session that is on record and can be ended, though it has no upstream yet.
struct Begun {
    secrets: Secrets,
    recorder: SessionRecorder,
    membership: Membership,
}

/// A session that is open, with its streams.
struct Ready {
    session: Session,
    client: ClientStream,
    upstream: ReadHalf<Wire>,
    watches: Watches,
}

/// A backend that is logged in, and what for.
struct Opening {
    replication: Replication,
    opened: Opened,
}

impl Arrival {
    /// Opens the session and serves it. Returns when it is over and on record. `buffer` is what the client sent ahead.
    pub async fn open(self, client: ClientStream, buffer: BytesMut, start: Start) {
        // Boxed apart, so that a session that lives long does not hold what only its opening needed.
        if let Some(ready) = Box::pin(self.prepare(client, buffer, start)).await {
            let Ready { session, client, upstream, watches } = *ready;
            Box::pin(session.serve(client, upstream, watches)).await;
        }
    }

    /// Everything before the relay; `None` where the client was told why there is no session.
    async fn prepare(mut self, mut client: ClientStream, mut buffer: BytesMut, start: Start) -> Option<Box<Ready>> {
        let mut plan = match handshake::plan(&start, &self.served.facts, self.served.connection.credential.username()) {
            Ok(plan) => plan,
            Err(error) => {
                let mut out = BytesMut::new();
                Report::fatal(error.sqlstate(), &error.to_string()).hint(error.hint()).write(&mut out);
                say(client, &out).await;
                return None;
            }
        };
        if let Some(refusal) = self.refused_replication(plan.replication) {
            let mut out = BytesMut::new();
            let rule = refusal
                .rule
                .as_ref()
                .map_or_else(|| "No policy permits it.".to_owned(), |rule| format!("Rule {rule}."));
            let hint = refusal.hint.unwrap_or_default();
            Report::fatal("42501", &refusal.message).detail(&rule).hint(&hint).write(&mut out);
            say(client, &out).await;
            return None;
        }
        if let (Some(name), Replication::No) = (self.name_upstream(), plan.replication) {
            plan.call_it(&name);
        }
        let Ok(welcomed) = self.admit(&mut client, &mut buffer, &start).await else {
            finish(client).await;
            return None;
        };
        let now = self.environment.clock.unix_millis();
        // Protocol 3.0 knows keys of four bytes only.
        let key_bytes = if start.spoken_minor() >= 2 { LONG_KEY_BYTES } else { CancelKey::LEAST_BYTES };
        let prepared = match Secrets::draw(now, key_bytes) {
            Ok(secrets) => {
                self.recorded(&secrets.id, plan.application_name.clone(), now).await.map(|recorder| (secrets, recorder))
            }
            Err(error) => Err(error.to_string()),
        };
        let (secrets, (recorder, known)) = match prepared {
            Ok(prepared) => prepared,
            Err(message) => {
                let mut out = BytesMut::new();
                Report::fatal("58030", &message).hint("Tell the gateway's operator.").write(&mut out);
                say(client, &out).await;
                return None;
            }
        };
        // From here on it can be ended, even while the upstream does not answer.
        let membership = self.enter(known, secrets.process_id, secrets.key.clone());
        let greeting = Greeting { start: &start, welcomed };
        self.log_in(client, buffer, greeting, plan, Begun { secrets, recorder, membership }).await
    }

    /// Puts the session on record and into the index, before anything is dialled.
    pub(super) async fn recorded(
        &self,
        id: &SessionId,
        application_name: Option<String>,
        now: i64,
    ) -> Result<(SessionRecorder, Arc<SessionEntry>), String> {
        let facts = SessionFacts {
            id: id.clone(),
            principal: self.principal.clone(),
            connection: self.served.connection.name.clone(),
            kind: self.served.facts.kind,
            database: self.served.facts.database.clone(),
            role: self.served.connection.credential.username().to_owned(),
            source: self.source,
            client_address: self.client_address,
            application_name,
            run: self.run.clone(),
            through: self.through.as_ref().map(|through| through.session.clone()),
        };
        let unrecorded = "the gateway cannot record this session, so it is not opened";
        let recorder = self.environment.recorder.session(facts).map_err(|error| {
            tracing::error!(session = %id, %error, "a session could not be recorded");
            unrecorded.to_owned()
        })?;
        recorder.durable(recorder.begun()).await.map_err(|error| {
            tracing::error!(session = %id, %error, "a session could not be recorded");
            unrecorded.to_owned()
        })?;
        let entry = SessionEntry {
            id: id.clone(),
            principal: self.principal.clone(),
            connection: self.served.facts.clone(),
            started_at_millis: now,
            ended_at_millis: None,
            end_reason: None,
            run: self.run.clone(),
            counts: SessionCounts::default(),
        };
        self.environment.index.started(entry.clone()).await.map_err(|error| {
            tracing::error!(session = %id, %error, "a session could not be indexed");
            unrecorded.to_owned()
        })?;
        if let Some(through) = &self.through {
            through.is(id);
        }
        Ok((recorder, Arc::new(entry)))
    }

    /// Puts a session that is on record among the live ones: it can be ended from here on.
    pub(super) fn enter(&self, known: Arc<SessionEntry>, process_id: u32, key: CancelKey) -> Membership {
        let (source, proved_at, retired) = (self.source, self.proved_at, self.served.retired());
        // The session that it came through may have to end meanwhile.
        let outer = self.through.as_ref().map(|through| through.end.clone());
        self.environment.registry.enter(Entry { known, source, process_id, key, proved_at, retired, outer })
    }

    /// Whether nobody answered what the client said of the protocol's version: a listener has.
    pub(super) fn negotiates(&self) -> bool {
        self.source == Source::Tunnel || self.through.is_some()
    }

    async fn log_in(
        self,
        client: ClientStream,
        buffer: BytesMut,
        greeting: Greeting<'_>,
        plan: StartPlan,
        mut begun: Begun,
    ) -> Option<Box<Ready>> {
        let comer = Comer { who: &self.principal, session: &begun.secrets.id, window: self.window.as_ref() };
        let opened = tokio::select! {
            biased;
            end = registry::told(&mut begun.membership.end) => Err(Failure::ended(&end)),
            opened = log_in(&self.environment, &self.served, &mut begun.recorder, &plan, comer) => opened,
        };
        match opened {
            Ok(opened) => {
                let opening = Opening { replication: plan.replication, opened };
                Some(self.begin(client, buffer, greeting, begun, opening).await)
            }
            Err(failure) => {
                let Begun { secrets, recorder, .. } = begun;
                self.give_up(client, &secrets.id, recorder, failure).await;
                None
            }
        }
    }

    /// The upstream is not to be had: the client is told why, and the session's end is on record.
    async fn give_up(self, client: ClientStream, id: &SessionId, recorder: SessionRecorder, failure: Failure) {
        let mut out = BytesMut::new();
        let detail = format!("Session {id}.");
        Report::fatal(failure.sqlstate, &failure.message).detail(&detail).hint(&failure.hint).write(&mut out);
        if let Err(error) = recorder.end(&failure.message) {
            tracing::error!(session = %id, %error, "the end of a session could not be recorded");
        }
        let now = self.environment.clock.unix_millis();
        let ended = self.environment.index.ended(id, now, failure.message, SessionCounts::default());
        if let Err(error) = ended.await {
            tracing::error!(session = %id, %error, "the end of a session could not be indexed");
        }
        say(client, &out).await;
    }

    /// Tells the client that it is in, and makes everything that the relay needs.
    async fn begin(
        self,
        mut client: ClientStream,
        buffer: BytesMut,
        greeting: Greeting<'_>,
        begun: Begun,
        opening: Opening,
    ) -> Box<Ready> {
        let opened = &opening.opened;
        let Begun { secrets, recorder, membership } = begun;
        let Secrets { id, process_id, key, fault } = secrets;
        // The server's own number: clients compare it with those of notifications and of pg_stat_activity.
        let process_id = opened.backend_key.as_ref().map_or(process_id, |(announced, _)| *announced);
        membership.announce(process_id);
        let mut out = BytesMut::new();
        if !greeting.welcomed {
            if self.negotiates() {
                negotiate(greeting.start, &mut out);
            }
            codec::authentication_ok(&mut out);
        }
        out.extend_from_slice(&opened.greeting);
        codec::backend_key(process_id, &key, &mut out);
        codec::ready_for_query(TransactionStatus::Idle, &mut out);
        if client.say(&out).await.is_err() {
            tracing::debug!(session = %id, "the client left during its login");
        }
        let watches = Watches {
            identity: self.identity.clone(),
            policies: self.served.policies.clone(),
            recorder_failed: self.environment.recorder.failed(),
            leases: self.environment.desk.leases(),
            membership,
        };
        let (session, upstream) = self.session(buffer, id, fault, recorder, opening);
        Box::new(Ready { session, client, upstream, watches })
    }

    fn session(
        self,
        client_in: BytesMut,
        id: SessionId,
        fault: u64,
        recorder: SessionRecorder,
        Opening { replication, opened }: Opening,
    ) -> (Session, ReadHalf<Wire>) {
        let Opened { read, outlet, greeting, backend_key, search_path, catalogue, upstream_in, lease } = opened;
        let role = self.served.connection.credential.username().to_owned();
        let binding = Binding {
            requester: &self.principal,
            session: Some(&id),
            connection: &self.served.facts,
            database: &self.served.facts.database,
            role: &role,
            search_path: &search_path,
        };
        let circumstance = binding.circumstance();
        let generation = self.served.generation();
        let text = |text: String| Text::copied(&text).unwrap_or_default();
        let name = |what: &str| text(format!("hoop-{what}-{fault:016x}"));
        let path = search_path.into();
        let meaning = Meaning::new(Arc::clone(&catalogue), generation, name("reads"));
        let sight = sight(&self.environment, &self.policies, &self.principal, &self.served, catalogue, path);
        let meter = SessionMeter::of(self.run.as_ref(), &self.environment.registry);
        let session = Session {
            fault_query: text(format!("hoop refused a statement of session {id}")),
            fault_portal: name("refused"),
            id,
            environment: self.environment,
            facts: self.served.facts.clone(),
            served: self.served,
            principal: Arc::new(self.principal),
            source: self.source,
            role,
            circumstance,
            policies: self.policies,
            replication,
            window: self.window,
            sight,
            generation,
            sighted_at: Instant::now(),
            outdated: false,
            fresh: false,
            leaving: false,
            changed_catalogue: false,
            meaning,
            overdraft: Overdraft::default(),
            recorder,
            counts: SessionCounts::default(),
            meter,
            talk: Conversation::new(),
            ledger: Ledger::default(),
            held: None,
            waiting: None,
            admitted: Vec::new(),
            steps: Vec::new(),
            frontend: FrameDecoder::frontend(),
            backend: FrameDecoder::backend(),
            understood: None,
            client_in,
            upstream_in,
            client_room: Room::default(),
            upstream_room: Room::default(),
            to_client: BytesMut::new(),
            sending: Bytes::new(),
            outlet,
            backend_key,
            lease,
            reported: Reported::greeting(&greeting),
        };
        (session, read)
    }
}

/// Tells a client that asked for more than there is what it gets.
pub(crate) fn negotiate(start: &Start, out: &mut BytesMut) {
    if start.needs_negotiation() {
        codec::negotiate_protocol_version(start.spoken_minor(), &start.protocol_options, out);
    }
}

/// The last word to a client.
pub(super) async fn say(mut client: ClientStream, message: &[u8]) {
    if client.say(message).await.is_err() {
        tracing::debug!("the client left before it could be told");
    }
    finish(client).await;
}

pub(super) async fn finish(mut client: ClientStream) {
    if client.shutdown().await.is_err() {
        tracing::trace!("the client left first");
    }
}
