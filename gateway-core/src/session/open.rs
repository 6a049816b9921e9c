//! The opening of a session: the client's start-up, the connect decision, the record, the upstream's login, and the
//! facts that give statements their meaning. Nothing is dialled before the session is on record.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::{constant_time, rand};
use bytes::BytesMut;
use hoop_tunnel::{
    acceptor::{Incoming, LinkIdentity, RejectStatus},
    link::LinkStream,
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf},
    sync::watch,
};

use super::{
    conversation::Conversation,
    environment::{Environment, Served},
    ledger::Ledger,
    login::{Failure, Opened, log_in},
    names::sight,
    relay::{Session, Watches},
};
use crate::{
    approval::Binding,
    model::{Principal, Refusal, SessionId, Verdict},
    policy::{Circumstances, PolicySet, Source},
    protocol::postgres::{
        codec::{self, FrameDecoder, Piece, parse_startup},
        handshake::{self, StartPlan},
        message::{CancelKey, Frame, Start, Startup, Text, backend::TransactionStatus},
        refuse::Report,
    },
    record::{SessionFacts, SessionRecorder},
    store::{SessionCounts, SessionEntry},
    upstream::Wire,
};

/// How long a client may take to say what it wants.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// Serves one stream that a principal opened for a connection. Returns when the session is over and on record.
pub async fn serve(environment: Arc<Environment>, incoming: Incoming<Principal>) {
    let Some(served) = environment.connections.get(&incoming.connection).cloned() else {
        let message = format!("there is no connection `{}`; `hoop ls` lists yours", printable(&incoming.connection));
        return incoming.reject(RejectStatus::NotFound, &message);
    };
    let (principal, identity) = (incoming.principal.clone(), incoming.identity.clone());
    let policies = environment.policies.borrow().clone();
    let circumstances =
        Circumstances { unix_seconds: environment.clock.unix_seconds(), source: Source::Tunnel, run: None };
    match policies.connect(&principal, &served.facts, &circumstances) {
        Verdict::Permit { .. } => {}
        Verdict::Refuse(refusal) => return incoming.reject(RejectStatus::Refused, &refused(&refusal)),
        Verdict::NeedsApproval(_) => {
            return incoming.reject(RejectStatus::Refused, "connecting here needs an approval, which is not built yet");
        }
    }
    let (local_password, client_address) = (incoming.local_password.clone(), incoming.client_address.clone());
    let Ok(stream) = incoming.accept() else { return };
    let opening = Opening { environment, served, principal, identity, policies, local_password, client_address };
    opening.run(stream).await;
}

fn refused(refusal: &Refusal) -> String {
    match &refusal.rule {
        Some(rule) => format!("{} (rule {rule})", refusal.message),
        None => refusal.message.clone(),
    }
}

fn printable(name: &str) -> String {
    name.chars().filter(|character| !character.is_control()).take(128).collect()
}

/// Random bytes for ids and keys.
pub(super) fn random<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    if rand::fill(&mut bytes).is_err() {
        tracing::error!("the system gives no randomness");
    }
    bytes
}

struct Opening {
    environment: Arc<Environment>,
    served: Arc<Served>,
    principal: Principal,
    identity: watch::Receiver<LinkIdentity<Principal>>,
    policies: PolicySet,
    local_password: Option<SecretString>,
    client_address: Option<String>,
}

impl Opening {
    async fn run(self, mut client: LinkStream) {
        let mut buffer = BytesMut::with_capacity(1024);
        let started = tokio::time::timeout(START_TIMEOUT, self.startup(&mut client, &mut buffer)).await;
        let Ok(Some(start)) = started else { return finish(client).await };
        let plan = match handshake::plan(&start, &self.served.facts, self.served.connection.credential.username()) {
            Ok(plan) => plan,
            Err(error) => {
                let mut out = BytesMut::new();
                Report::fatal(error.sqlstate(), &error.to_string()).hint(error.hint()).write(&mut out);
                return say(client, &out).await;
            }
        };
        if !self.password_fits(&mut client, &mut buffer).await {
            let mut out = BytesMut::new();
            let report = Report::fatal("28P01", "the password of this tunnel does not match");
            report.hint("Use the password in the URL that `hoop connect` printed.").write(&mut out);
            return say(client, &out).await;
        }
        let now = self.environment.clock.unix_millis();
        let id = SessionId::new(u64::try_from(now).unwrap_or(0), random());
        let recorder = match self.recorded(&id, &plan, now).await {
            Ok(recorder) => recorder,
            Err(message) => {
                let mut out = BytesMut::new();
                Report::fatal("58030", &message).hint("Tell the gateway's operator.").write(&mut out);
                return say(client, &out).await;
            }
        };
        self.open(client, buffer, &start, plan, id, recorder).await;
    }

    /// Reads start-up packets until one opens a session. A cancel request is passed on and ends the stream.
    async fn startup(&self, client: &mut LinkStream, buffer: &mut BytesMut) -> Option<Start> {
        loop {
            match parse_startup(buffer) {
                // The link is TLS already: the local socket needs none, and libpq goes on without.
                Ok(Some(Startup::Ssl | Startup::Gss)) => {
                    if !buffer.is_empty() {
                        return None;
                    }
                    client.write_all(b"N").await.ok()?;
                }
                Ok(Some(Startup::Cancel { process_id, key })) => {
                    let connection = &self.served.connection.name;
                    self.environment.registry.cancel(&self.principal, connection, process_id, key);
                    return None;
                }
                Ok(Some(Startup::Start(start))) => return Some(start),
                Ok(None) => {
                    if client.read_buf(buffer).await.ok()? == 0 {
                        return None;
                    }
                }
                Err(error) => {
                    let mut out = BytesMut::new();
                    Report::fatal(error.sqlstate(), &error.to_string()).write(&mut out);
                    client.write_all(&out).await.ok()?;
                    return None;
                }
            }
        }
    }

    /// Where the laptop cannot tell whose socket it is, the client shows the tunnel's own password.
    async fn password_fits(&self, client: &mut LinkStream, buffer: &mut BytesMut) -> bool {
        let Some(expected) = &self.local_password else { return true };
        let mut out = BytesMut::new();
        codec::authentication_cleartext(&mut out);
        if client.write_all(&out).await.is_err() {
            return false;
        }
        let mut decoder = FrameDecoder::frontend();
        loop {
            match decoder.next(buffer) {
                Ok(Some(Piece::Frame(Frame { tag: b'p', body }))) => {
                    let given = body.strip_suffix(b"\0").unwrap_or(&body);
                    let expected = expected.expose_secret().as_bytes();
                    return constant_time::verify_slices_are_equal(given, expected).is_ok();
                }
                Ok(Some(_)) | Err(_) => return false,
                Ok(None) => match tokio::time::timeout(START_TIMEOUT, client.read_buf(buffer)).await {
                    Ok(Ok(read)) if read > 0 => {}
                    _ => return false,
                },
            }
        }
    }

    /// Puts the session on record and into the index, before anything is dialled.
    async fn recorded(&self, id: &SessionId, plan: &StartPlan, now: i64) -> Result<SessionRecorder, String> {
        let facts = SessionFacts {
            id: id.clone(),
            principal: self.principal.clone(),
            connection: self.served.connection.name.clone(),
            database: self.served.facts.database.clone(),
            role: self.served.connection.credential.username().to_owned(),
            source: Source::Tunnel,
            client_address: self.client_address.as_deref().and_then(|address| address.parse().ok()),
            application_name: plan.application_name.clone(),
            run: None,
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
            counts: SessionCounts::default(),
        };
        self.environment.index.started(entry).await.map_err(|error| {
            tracing::error!(session = %id, %error, "a session could not be indexed");
            unrecorded.to_owned()
        })?;
        Ok(recorder)
    }

    async fn open(
        self,
        client: LinkStream,
        buffer: BytesMut,
        start: &Start,
        plan: StartPlan,
        id: SessionId,
        mut recorder: SessionRecorder,
    ) {
        match log_in(&self.environment, &self.served, &mut recorder, &plan).await {
            Ok(opened) => self.begin(client, buffer, start, id, recorder, opened).await,
            Err(failure) => self.give_up(client, &id, recorder, failure).await,
        }
    }

    /// The upstream is not to be had: the client is told why, and the session's end is on record.
    async fn give_up(self, client: LinkStream, id: &SessionId, recorder: SessionRecorder, failure: Failure) {
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

    /// Tells the client that it is in, and hands everything to the relay.
    async fn begin(
        self,
        mut client: LinkStream,
        buffer: BytesMut,
        start: &Start,
        id: SessionId,
        recorder: SessionRecorder,
        opened: Opened,
    ) {
        let (key, process_id) = (CancelKey(u32::from_be_bytes(random())), u32::from_be_bytes(random()) >> 1);
        let name = &self.served.connection.name;
        let membership = self.environment.registry.enter(&id, &self.principal, name, process_id, key);
        let mut out = BytesMut::new();
        if start.minor > 0 || !start.protocol_options.is_empty() {
            codec::negotiate_protocol_version(&start.protocol_options, &mut out);
        }
        codec::authentication_ok(&mut out);
        out.extend_from_slice(&opened.greeting);
        codec::backend_key(process_id, key, &mut out);
        codec::ready_for_query(TransactionStatus::Idle, &mut out);
        if client.write_all(&out).await.is_err() {
            tracing::debug!(session = %id, "the client left during its login");
        }
        let watches = Watches {
            identity: self.identity.clone(),
            policies: self.environment.policies.clone(),
            recorder_failed: self.environment.recorder.failed(),
            membership,
        };
        let (session, read) = self.session(buffer, id, recorder, opened);
        session.serve(client, read, watches).await;
    }

    fn session(
        self,
        client_in: BytesMut,
        id: SessionId,
        recorder: SessionRecorder,
        opened: Opened,
    ) -> (Session, ReadHalf<Wire>) {
        let Opened { read, outlet, backend_key, search_path, catalogue, upstream_in, .. } = opened;
        let role = self.served.connection.credential.username().to_owned();
        let binding = Binding {
            requester: &self.principal,
            session: &id,
            connection: &self.served.facts,
            database: &self.served.facts.database,
            role: &role,
            search_path: &search_path,
        };
        let circumstance = binding.circumstance();
        let generation = self.served.generation();
        let path = search_path.into();
        let sight = sight(&self.environment, &self.policies, &self.principal, &self.served, catalogue, path);
        let text = |text: String| Text::copied(&text).unwrap_or_default();
        let session = Session {
            fault_query: text(format!("hoop refused a statement of session {id}")),
            fault_portal: text(format!("hoop-refused-{:016x}", u64::from_be_bytes(random()))),
            id,
            environment: self.environment,
            facts: self.served.facts.clone(),
            served: self.served,
            principal: self.principal,
            role,
            circumstance,
            policies: self.policies,
            sight,
            generation,
            sighted_at: std::time::Instant::now(),
            outdated: false,
            fresh: false,
            leaving: false,
            changed_catalogue: false,
            recorder,
            counts: SessionCounts::default(),
            talk: Conversation::new(),
            ledger: Ledger::default(),
            held: None,
            waiting: None,
            admitted: Vec::new(),
            steps: Vec::new(),
            frontend: FrameDecoder::frontend(),
            backend: FrameDecoder::backend(),
            client_in,
            upstream_in,
            to_client: BytesMut::new(),
            outlet,
            backend_key,
        };
        (session, read)
    }
}

async fn say(mut client: LinkStream, message: &[u8]) {
    if client.write_all(message).await.is_err() {
        tracing::debug!("the client left before it could be told");
    }
    finish(client).await;
}

async fn finish(mut client: LinkStream) {
    if client.shutdown().await.is_err() {
        tracing::trace!("the client left first");
    }
}
