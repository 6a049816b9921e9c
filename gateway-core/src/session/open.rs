//! The opening of a session: the client's start-up, the connect decision, the record, the upstream's login, and the
//! facts that give statements their meaning. Nothing is dialled before the session is on record.

use std::{
    collections::BTreeMap,
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, LazyLock},
    time::Duration,
};

use aws_lc_rs::{constant_time, rand};
use bytes::{Bytes, BytesMut};
use hoop_tunnel::{
    acceptor::{Incoming, LinkIdentity, RejectStatus},
    link::LinkStream,
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    sync::watch,
};

use super::{
    conversation::Conversation,
    environment::{Environment, Served},
    ledger::Ledger,
    relay::{Ending, Session, Watches},
};
use crate::{
    approval::Binding,
    mask::{DetectedClass, Detectors},
    model::{Principal, Refusal, SessionId, Verdict},
    policy::{Circumstances, PolicySet, Reveal, Source},
    protocol::postgres::{
        codec::{self, FrameDecoder, Piece, parse_startup},
        handshake::{self, Login, LoginStep, StartPlan},
        inspect::{Sight, Veil},
        message::{CancelKey, Frame, Start, Startup, Text},
        refuse::Report,
    },
    record::{OwnPurpose, SessionFacts, SessionRecorder},
    store::{SessionCounts, SessionEntry},
    upstream::{self, Catalogue, CatalogueRead, Outlet, OwnMessage, Wire},
};

/// How long a client may take to say what it wants.
const START_TIMEOUT: Duration = Duration::from_secs(60);

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
        let start = match tokio::time::timeout(START_TIMEOUT, self.startup(&mut client, &mut buffer)).await {
            Ok(Some(start)) => start,
            Ok(None) | Err(_) => return finish(client).await,
        };
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
        mut client: LinkStream,
        buffer: BytesMut,
        start: &Start,
        plan: StartPlan,
        id: SessionId,
        mut recorder: SessionRecorder,
    ) {
        let opened = self.upstream(&mut recorder, &plan).await;
        let Opened { read, outlet, mut greeting, backend_key, search_path, catalogue, upstream_in } = match opened {
            Ok(opened) => opened,
            Err(failure) => {
                let mut out = BytesMut::new();
                let detail = format!("Session {id}.");
                Report::fatal(failure.sqlstate, &failure.message).detail(&detail).hint(&failure.hint).write(&mut out);
                let now = self.environment.clock.unix_millis();
                if let Err(error) = recorder.end(&failure.message) {
                    tracing::error!(session = %id, %error, "the end of a session could not be recorded");
                }
                if let Err(error) =
                    self.environment.index.ended(&id, now, failure.message.clone(), SessionCounts::default()).await
                {
                    tracing::error!(session = %id, %error, "the end of a session could not be indexed");
                }
                return say(client, &out).await;
            }
        };
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
        let (key, process_id) = (CancelKey(u32::from_be_bytes(random())), u32::from_be_bytes(random()) >> 1);
        let membership =
            self.environment.registry.enter(&id, &self.principal, &self.served.connection.name, process_id, key);
        let mut out = BytesMut::new();
        codec::authentication_ok(&mut out);
        if start.minor > 0 || !start.protocol_options.is_empty() {
            let mut negotiate = BytesMut::new();
            codec::negotiate_protocol_version(&start.protocol_options, &mut negotiate);
            negotiate.extend_from_slice(&out);
            out = negotiate;
        }
        out.extend_from_slice(&greeting.split());
        codec::backend_key(process_id, key, &mut out);
        codec::ready_for_query(crate::protocol::postgres::message::backend::TransactionStatus::Idle, &mut out);
        if client.write_all(&out).await.is_err() {
            tracing::debug!(session = %id, "the client left during its login");
        }
        let token = format!("{:016x}", u64::from_be_bytes(random()));
        let text = |text: String| Text::copied(&text).unwrap_or_default();
        let watches = Watches {
            identity: self.identity,
            policies: self.environment.policies.clone(),
            recorder_failed: self.environment.recorder.failed(),
            membership,
        };
        let generation = self.served.generation();
        let sight =
            sight(&self.environment, &self.policies, &self.principal, &self.served, catalogue, search_path.into());
        let session = Session {
            fault_query: text(format!("hoop refused a statement of session {id}")),
            fault_portal: text(format!("hoop-refused-{token}")),
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
            client_in: buffer,
            upstream_in,
            to_client: BytesMut::new(),
            outlet,
            backend_key,
        };
        session.serve(client, read, watches).await;
    }

    /// Dials, logs in with the gateway's credential, and reads what statements will mean.
    async fn upstream(&self, recorder: &mut SessionRecorder, plan: &StartPlan) -> Result<Opened, Failure> {
        let catalogue = read_catalogue(&self.environment, &self.served, recorder, false).await?;
        if catalogue.is_superuser() && !self.served.connection.allow_superuser {
            return Err(Failure {
                sqlstate: "28000",
                message: format!(
                    "the site's login `{}` is a superuser of this server, which no policy can bound",
                    self.served.connection.credential.username()
                ),
                hint: "Give the connection a plain role, or set `allow_superuser = true` in connections.toml."
                    .to_owned(),
            });
        }
        let wire = upstream::dial(&self.served.target).await.map_err(unreachable)?;
        let (mut read, mut write) = tokio::io::split(wire);
        let login = recorder.own(OwnPurpose::Authenticate, ()).map_err(unrecorded)?;
        drop(login);
        let mut upstream_in = BytesMut::with_capacity(8 * 1024);
        let username = self.served.connection.credential.username().to_owned();
        let mut login = Login::new(username, self.served.password.clone());
        let mut out = BytesMut::new();
        codec::encode_startup(&plan.parameters, &mut out);
        let (mut greeting, mut backend_key) = (BytesMut::new(), None);
        let mut decoder = FrameDecoder::backend();
        write.write_all(&out).await.map_err(lost)?;
        loop {
            let frame = next_frame(&mut read, &mut decoder, &mut upstream_in).await?;
            match login.step(&frame).map_err(|error| Failure {
                sqlstate: "08001",
                message: error.to_string(),
                hint: "The gateway's operator must mend the connection's credential.".to_owned(),
            })? {
                LoginStep::Send(bytes) => write.write_all(&bytes).await.map_err(lost)?,
                LoginStep::Wait => {}
                LoginStep::Parameter(frame) => {
                    codec::write_frame(frame.tag, &mut greeting, |out| out.extend_from_slice(&frame.body));
                }
                LoginStep::Key(process_id, key) => backend_key = Some((process_id, key)),
                LoginStep::Ready => break,
            }
        }
        let mut outlet = Outlet::new(write);
        let search_path = read_search_path(recorder, &mut outlet, &mut read, &mut decoder, &mut upstream_in).await?;
        Ok(Opened { read, outlet, greeting, backend_key, search_path, catalogue, upstream_in })
    }
}

struct Opened {
    read: tokio::io::ReadHalf<Wire>,
    outlet: Outlet<tokio::io::WriteHalf<Wire>>,
    greeting: BytesMut,
    backend_key: Option<(u32, CancelKey)>,
    search_path: Vec<String>,
    catalogue: Arc<Catalogue>,
    upstream_in: BytesMut,
}

/// Why a session was not opened, as the client hears it.
pub(super) struct Failure {
    sqlstate: &'static str,
    pub(super) message: String,
    hint: String,
}

fn unreachable(error: upstream::DialError) -> Failure {
    Failure {
        sqlstate: "08001",
        message: chain(&error),
        hint: "Is the database up? The gateway's operator can tell.".to_owned(),
    }
}

fn unrecorded(error: crate::record::RecordError) -> Failure {
    tracing::error!(%error, "the gateway cannot record");
    Failure {
        sqlstate: "58030",
        message: "the gateway cannot record this session, so it is not opened".to_owned(),
        hint: "Tell the gateway's operator.".to_owned(),
    }
}

fn lost(error: std::io::Error) -> Failure {
    Failure {
        sqlstate: "08006",
        message: format!("the upstream was lost during login: {error}"),
        hint: "Connect again.".to_owned(),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

async fn next_frame(
    read: &mut (impl AsyncRead + Unpin),
    decoder: &mut FrameDecoder,
    buffer: &mut BytesMut,
) -> Result<Frame, Failure> {
    let strange = || Failure {
        sqlstate: "08P01",
        message: "the upstream does not speak PostgreSQL's protocol as expected".to_owned(),
        hint: "The gateway's operator must check what listens there.".to_owned(),
    };
    loop {
        match decoder.next(buffer) {
            Ok(Some(Piece::Frame(frame))) => return Ok(frame),
            Ok(Some(_)) | Err(_) => return Err(strange()),
            Ok(None) => {}
        }
        let read = tokio::time::timeout(START_TIMEOUT, read.read_buf(buffer));
        match read.await {
            Ok(Ok(0)) => return Err(lost(std::io::ErrorKind::UnexpectedEof.into())),
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(lost(error)),
            Err(_elapsed) => return Err(lost(std::io::ErrorKind::TimedOut.into())),
        }
    }
}

/// The schemas that unqualified names are looked up in, as the session's own backend sees them.
const SEARCH_PATH: &str = "select s from pg_catalog.unnest(pg_catalog.current_schemas(true)) s";

async fn read_search_path<W: AsyncWrite + Unpin>(
    recorder: &mut SessionRecorder,
    outlet: &mut Outlet<W>,
    read: &mut (impl AsyncRead + Unpin),
    decoder: &mut FrameDecoder,
    buffer: &mut BytesMut,
) -> Result<Vec<String>, Failure> {
    let query = recorder.own(OwnPurpose::Setting, OwnMessage::ReadSetting(SEARCH_PATH)).map_err(unrecorded)?;
    outlet.send_own(query);
    outlet.write_all().await.map_err(lost)?;
    let mut schemas = Vec::new();
    loop {
        let frame = next_frame(read, decoder, buffer).await?;
        match frame.tag {
            b'D' => schemas.extend(first_cell(&frame.body)),
            b'Z' => return Ok(schemas),
            b'E' => {
                return Err(Failure {
                    sqlstate: "08006",
                    message: "the upstream does not say its search_path".to_owned(),
                    hint: "Connect again; tell the gateway's operator if it stays.".to_owned(),
                });
            }
            _ => {}
        }
    }
}

fn first_cell(body: &Bytes) -> Option<String> {
    let mut row = crate::protocol::postgres::message::backend::DataRow::new(body).ok()?;
    row.next_cell().ok()??.map(|value| String::from_utf8_lossy(value).into_owned())
}

/// Reads the catalogue over a side connection, or takes the young snapshot.
pub(super) async fn read_catalogue(
    environment: &Environment,
    served: &Served,
    recorder: &mut SessionRecorder,
    fresh: bool,
) -> Result<Arc<Catalogue>, Failure> {
    served
        .catalogue(fresh, async || {
            let wire = upstream::dial(&served.target).await.map_err(unreachable)?;
            let mut login = tokio_postgres::Config::new();
            login.user(served.connection.credential.username()).dbname(&served.facts.database);
            login.application_name("hoop gateway").ssl_mode(tokio_postgres::config::SslMode::Disable);
            if let Some(password) = &served.password {
                login.password(password.expose_secret());
            }
            let order = recorder.own(OwnPurpose::Catalogue, CatalogueRead { wire, login }).map_err(unrecorded)?;
            let tag_of = |schema: &str, table: &str, column: &str| {
                environment.masking.tags(&served.facts, schema, table, column).into_iter().map(Arc::from).collect()
            };
            Catalogue::read(order, &tag_of).await.map_err(|error| Failure {
                sqlstate: "08001",
                message: error.to_string(),
                hint: "The gateway's operator must mend the connection's credential or its rights.".to_owned(),
            })
        })
        .await
}

/// What a principal's statements mean on a connection now.
pub(super) fn sight(
    environment: &Environment,
    policies: &PolicySet,
    principal: &Principal,
    served: &Served,
    catalogue: Arc<Catalogue>,
    search_path: Arc<[String]>,
) -> Sight {
    let reveal = |tag: &str| policies.reveal(principal, &served.facts, tag);
    let mut veils = BTreeMap::new();
    for tag in catalogue.all_tags() {
        if let Reveal::Masked { function, rule } = reveal(&tag) {
            veils.insert(tag, Veil { function, rule });
        }
    }
    let mut detectors = Detectors::none();
    for class in DetectedClass::ALL {
        if environment.detectors.function(class).is_none() {
            continue;
        }
        if let Reveal::Masked { function, rule } = reveal(class.as_str()) {
            detectors = detectors.with(class, function);
            veils.insert(Arc::from(class.as_str()), Veil { function, rule });
        }
    }
    // The same facts give the same number, so that sessions share what was understood.
    static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);
    let veiled: Vec<(&str, String)> =
        veils.iter().map(|(tag, veil)| (&**tag, format!("{:?}", veil.function))).collect();
    let fingerprint = HASHER.hash_one((catalogue.serial(), served.connection.name.as_str(), &*search_path, veiled));
    let record_detectors = environment.detectors.clone();
    Sight { catalogue, search_path, veils: Arc::new(veils), detectors, record_detectors, fingerprint }
}

impl Session {
    /// Takes a new snapshot of what names mean. Only while nothing is unanswered.
    pub(super) async fn refresh_sight(&mut self) -> Result<(), Ending> {
        let generation = self.served.generation();
        let fresh = self.outdated || generation != self.generation;
        let catalogue = read_catalogue(&self.environment, &self.served, &mut self.recorder, fresh)
            .await
            .map_err(|failure| Ending::Catalogue(failure.message))?;
        let path = Arc::clone(&self.sight.search_path);
        self.sight = sight(&self.environment, &self.policies, &self.principal, &self.served, catalogue, path);
        (self.generation, self.outdated) = (generation, false);
        Ok(())
    }

    /// Asks the server to cancel what runs for this session. Waits until the server took it, so that it cannot hit a
    /// later statement.
    pub(super) async fn cancel_upstream(&mut self) -> Result<(), Ending> {
        let Some((process_id, key)) = self.backend_key else { return Ok(()) };
        drop(self.recorder.own(OwnPurpose::Cancel, ())?);
        let attempt = async {
            let mut wire = upstream::dial(&self.served.target).await.ok()?;
            let mut out = BytesMut::new();
            codec::encode_cancel(process_id, key, &mut out);
            wire.write_all(&out).await.ok()?;
            let mut rest = [0; 16];
            wire.read(&mut rest).await.ok()
        };
        if tokio::time::timeout(Duration::from_secs(5), attempt).await.is_err() {
            tracing::warn!(session = %self.id, "a cancel request was not taken in time");
        }
        Ok(())
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
