//! A gateway's API over parts that live in memory, and what a client sees of it.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::body::{Body, Bytes};
use http::{HeaderMap, Method, Request, StatusCode, header, request};
use http_body_util::BodyExt as _;
use secrecy::ExposeSecret as _;
use serde_json::Value;
use tokio::sync::watch;
use tower::ServiceExt as _;
use url::Url;

use crate::{
    api::{
        self, ApiConnection, ApiParts, ApiState, LineSink, MayReveal, Recordings, RecordingsError,
        types::{self, SessionDetail, SessionItem},
    },
    approval::{Desk, Limits, NoOversight, testing},
    clock::WallClock,
    config::AgentRule,
    identity::{
        ConnectionTokens, DevelopmentMode, DevelopmentProvider, GatewayTokens, LastSeen, PublicOrigin, Verified,
    },
    model::{Authentication, Presence, Principal, SessionId},
    notify::{Addressee, Addresses, Filter, Outbox},
    policy::{PolicySet, PolicySource, TagNames},
    record::GatewayEvent,
    session::registry::Registry,
    store::{RunIndex, Said, SessionCounts, SessionEntry, SessionIndex, Store, ToolShelf, folded},
};

pub(super) const HOST: &str = "127.0.0.1:8443";

const POLICIES: &str = r#"
@id("engineers") permit(principal in Group::"engineers",
  action in [Action::"connect", Action::"read", Action::"write", Action::"reveal"], resource);
@id("visitors") permit(principal in Group::"visitors", action == Action::"connect", resource);
@id("visits-are-held") @approval("dba") @window("2h")
forbid(principal in Group::"visitors", action == Action::"connect", resource);
@id("hold-deletes") @approval("dba") forbid(principal, action == Action::"delete", resource);
@id("mask-pii") @mask("last4") forbid(principal, action == Action::"reveal", resource in DataClass::"pii")
  unless { principal in Group::"auditors" };
@id("dba-approve") permit(principal in Group::"dba", action == Action::"approve", resource);
@id("security-approve") @fresh("15m") @acr("phr")
permit(principal in Group::"security", action == Action::"approve", resource);
@id("officers-approve") permit(principal in Group::"officers", action == Action::"approve", resource);
@id("no-approvals-on-leave") forbid(principal in Group::"on-leave", action == Action::"approve", resource);
@id("auditors") permit(principal in Group::"auditors",
  action in [Action::"replay", Action::"list_sessions", Action::"reveal"], resource);
@id("watchers") permit(principal in Group::"watchers", action == Action::"list_sessions", resource);
@id("engineers-lend") permit(principal in Group::"engineers", action == Action::"act_as", resource);
@id("operators") permit(principal in Group::"operators", action == Action::"administer", resource);
"#;

/// A connection without tables.
pub(super) struct NoTables;

impl api::Prober for NoTables {
    fn configured(&self) -> Vec<types::ConfiguredConnection> {
        Vec::new()
    }

    fn prove<'prober>(
        &'prober self,
        _who: &'prober Principal,
        connection: &'prober crate::model::ConnectionName,
    ) -> api::Proving<'prober> {
        Box::pin(async { types::ConnectionProof { connection: connection.clone(), proofs: Vec::new() } })
    }
}

impl api::Sampler for NoTables {
    fn sample<'sampler>(
        &'sampler self,
        _who: &'sampler Principal,
        _connection: &'sampler crate::model::ConnectionName,
    ) -> Pin<Box<dyn Future<Output = Result<crate::upstream::Survey, api::SamplerError>> + Send + 'sampler>> {
        Box::pin(async { Ok(crate::upstream::Survey::default()) })
    }
}

impl api::Checker for NoTables {
    fn check<'checker>(
        &'checker self,
        _who: &'checker Principal,
        _connection: &'checker crate::model::ConnectionName,
        _request: &'checker types::CheckRequest,
    ) -> api::Checking<'checker> {
        Box::pin(async { Err(api::CheckError("there is no database here".into())) })
    }
}

pub(super) struct World {
    pub(super) state: ApiState,
    pub(super) clock: WallClock,
    pub(super) desk: Desk,
    pub(super) outbox: Outbox,
    pub(super) last_seen: LastSeen,
    pub(super) recordings: Arc<FakeRecordings>,
    pub(super) registry: Registry,
    provider: DevelopmentProvider,
    pub(super) sessions: SessionIndex,
    tokens: GatewayTokens,
    // Kept open, as the gateway does.
    pub(super) policies: watch::Sender<PolicySet>,
    _connections: watch::Sender<Vec<ApiConnection>>,
}

pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
    pub(super) broken_off: bool,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

impl World {
    pub(super) async fn new() -> Self {
        // Nothing listens there.
        Self::reaching(1).await
    }

    /// With an upstream at this port of this machine.
    pub(super) async fn reaching(port: u16) -> Self {
        let url = Url::parse(&format!("https://{HOST}")).unwrap();
        // Requests of `approval::testing` begin at the epoch and lapse a minute later.
        let clock = WallClock::manual(1_000);
        let mode = DevelopmentMode::enable(HOST.parse().unwrap()).unwrap();
        let provider = DevelopmentProvider::start(mode, &url, clock.clone()).unwrap();
        let store = Store::in_memory().unwrap();
        let hook = Addressee { name: "hook".into(), filter: Filter::default(), addresses: Addresses::Itself };
        let outbox = Outbox::new(store.clone(), vec![hook], clock.clone());
        let store = store.announcing(Arc::new(outbox.clone()));
        let desk =
            Desk::open(Arc::new(store.clone()), clock.clone(), Limits::STANDARD, Arc::new(NoOversight)).await.unwrap();
        let runs = RunIndex::open(&store, 0).await.unwrap();
        let sessions = SessionIndex::open(store, 0).await.unwrap();
        let tokens = GatewayTokens::ephemeral(url.as_str(), clock.clone()).unwrap();
        let recordings = Arc::new(FakeRecordings::default());
        let source = PolicySource { path: PathBuf::from("test.cedar"), text: POLICIES.to_owned() };
        let set = PolicySet::load(&[source], &TagNames::default()).unwrap();
        let (policy_sender, policies) = watch::channel(set);
        let connection = ApiConnection {
            facts: testing::connection(),
            tags: vec!["email".into(), "jwt".into()],
            role: "hoop".into(),
            native: Some(types::NativeAddress { host: "127.0.0.1".into(), port: 5432 }),
            environment: BTreeMap::new(),
            ssh: None,
            upstream: format!("127.0.0.1:{port}").parse().unwrap(),
        };
        let (connection_sender, connections) = watch::channel(vec![connection]);
        let registry = Registry::default();
        let last_seen = LastSeen::default();
        let shared: Arc<dyn Recordings> = Arc::<FakeRecordings>::clone(&recordings);
        let state = ApiState::new(ApiParts {
            origin: PublicOrigin::new(&url).unwrap(),
            dev: true,
            verifier: provider.verifier().unwrap(),
            saml: None,
            tokens: tokens.clone(),
            connection_tokens: ConnectionTokens::new(clock.clone()).unwrap(),
            client_certificates: crate::identity::ClientCertificates::new(900, clock.clone()).unwrap(),
            registry: registry.clone(),
            streams: api::Streams::default(),
            desk: desk.clone(),
            last_seen: last_seen.clone(),
            sessions: sessions.clone(),
            runs,
            agents: vec![crew()].into(),
            recordings: shared,
            outbox: outbox.clone(),
            tools: ToolShelf::new(Store::in_memory().unwrap()),
            secrets: crate::credential::Secrets::of_store(Store::in_memory().unwrap()).await,
            prober: Arc::new(NoTables),
            sampler: Arc::new(NoTables),
            checker: Arc::new(NoTables),
            site: Arc::new(NoTables),
            policies,
            connections,
            clock: clock.clone(),
        });
        Self {
            state,
            clock,
            desk,
            outbox,
            last_seen,
            recordings,
            registry,
            provider,
            sessions,
            tokens,
            policies: policy_sender,
            _connections: connection_sender,
        }
    }

    /// A bearer for somebody.
    pub(super) fn token(&self, principal: &Principal) -> String {
        self.token_after(principal, Authentication::default())
    }

    /// A bearer for somebody who authenticated like this.
    pub(super) fn token_after(&self, principal: &Principal, authentication: Authentication) -> String {
        let expires_at = self.clock.unix_seconds() + 3_600;
        let verified = Verified { principal: principal.clone(), expires_at, authentication };
        let issued = self.tokens.issue(&verified).unwrap();
        issued.token.expose_secret().to_owned()
    }

    /// A bearer that ended a moment ago.
    pub(super) fn ended_token(&self, principal: &Principal) -> String {
        let expires_at = self.clock.unix_seconds() + 1;
        let verified = Verified { principal: principal.clone(), expires_at, authentication: Authentication::default() };
        let token = self.tokens.issue(&verified).unwrap().token.expose_secret().to_owned();
        self.clock.advance(1_000);
        token
    }

    /// Whom a run's token stands for at the door of the streams.
    pub(super) fn stream(&self, token: &str) -> Presence {
        self.comes_in(token).unwrap()
    }

    /// The same, where a token may be none.
    pub(super) fn comes_in(&self, token: &str) -> Option<Presence> {
        self.tokens.verify_stream(token).ok().map(|(presence, _)| presence)
    }

    /// A token of the development issuer.
    pub(super) fn issuer_token(&self, user: &str) -> String {
        self.provider.access_token(user).unwrap()
    }

    pub(super) async fn session(&self, name: &str, number: u64) -> SessionId {
        self.counted_session(name, number, SessionCounts::default()).await
    }

    pub(super) async fn counted_session(&self, name: &str, number: u64, counts: SessionCounts) -> SessionId {
        let entry = SessionEntry { counts, ..Self::entry(name, number) };
        let id = entry.id.clone();
        self.sessions.started(entry).await.unwrap();
        id
    }

    pub(super) fn entry(name: &str, number: u64) -> SessionEntry {
        SessionEntry {
            id: SessionId::new(number, [0; 10]),
            principal: testing::person(name, &[]),
            connection: testing::connection(),
            started_at_millis: i64::try_from(number).unwrap(),
            ended_at_millis: None,
            end_reason: None,
            run: None,
            counts: SessionCounts::default(),
        }
    }

    /// Opens a stream of events.
    pub(super) async fn follow(&self, token: &str, path: &str) -> (StatusCode, Events) {
        let request = with_token(Self::request(Method::GET, path), Some(token)).body(Body::empty()).unwrap();
        let (parts, body) = api::router(self.state.clone()).oneshot(request).await.unwrap().into_parts();
        (parts.status, Events { body, text: String::new() })
    }

    pub(super) fn request(method: Method, path: &str) -> request::Builder {
        Request::builder().method(method).uri(format!("/api/v1{path}")).header(header::HOST, HOST)
    }

    pub(super) async fn send(&self, request: request::Builder, body: &str) -> Answer {
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let (parts, mut body) = api::router(self.state.clone()).oneshot(request).await.unwrap().into_parts();
        let (mut text, mut broken_off) = (Vec::new(), false);
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => text.extend_from_slice(&frame.into_data().unwrap_or_default()),
                Err(_broken) => broken_off = true,
            }
        }
        Answer { status: parts.status, headers: parts.headers, body: String::from_utf8(text).unwrap(), broken_off }
    }

    pub(super) async fn get(&self, token: Option<&str>, path: &str) -> Answer {
        self.send(with_token(Self::request(Method::GET, path), token), "").await
    }

    pub(super) async fn post(&self, token: Option<&str>, path: &str, body: &str) -> Answer {
        self.send(with_token(Self::request(Method::POST, path), token), body).await
    }
}

/// A service account that alice answers for.
fn crew() -> AgentRule {
    AgentRule {
        name: "crew".parse().unwrap(),
        issuer: "https://idp.example.com".into(),
        claims: BTreeMap::from([("client_id".to_owned(), "crew".to_owned())]),
        owner: "alice".parse().unwrap(),
        groups: std::collections::BTreeSet::from(["engineers".parse().unwrap()]),
    }
}

fn with_token(request: request::Builder, token: Option<&str>) -> request::Builder {
    match token {
        Some(token) => request.header(header::AUTHORIZATION, format!("Bearer {token}")),
        None => request,
    }
}

/// The events of a stream, as a client reads them.
pub(super) struct Events {
    body: Body,
    text: String,
}

impl Events {
    /// The next one with its name; `None` where the stream ended.
    pub(super) async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let Some(data) = field("data: ") else { continue };
                return Some((field("event: ").unwrap_or_default(), serde_json::from_str(&data).unwrap()));
            }
            let frame = tokio::time::timeout(std::time::Duration::from_secs(20), self.body.frame()).await;
            let bytes = frame.expect("nothing came for long")?.unwrap().into_data().unwrap_or_default();
            self.text.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
}

/// Notes what it is told, gives the same three lines for every session, and fails on demand.
#[derive(Default)]
pub(super) struct FakeRecordings {
    notes: Mutex<Vec<String>>,
    failing: AtomicBool,
    breaking: AtomicBool,
    said: Mutex<BTreeMap<SessionId, Said>>,
}

impl FakeRecordings {
    pub(super) fn fail(&self, failing: bool) {
        self.failing.store(failing, Ordering::SeqCst);
    }

    pub(super) fn break_off(&self) {
        self.breaking.store(true, Ordering::SeqCst);
    }

    /// What the index of what was said knows of a session.
    pub(super) fn say(&self, id: &SessionId, text: &str, is_whole: bool) {
        self.said.lock().unwrap().insert(id.clone(), Said { text: folded(text), is_whole });
    }

    pub(super) fn notes(&self) -> Vec<String> {
        self.notes.lock().unwrap().clone()
    }
}

impl Recordings for FakeRecordings {
    fn note(&self, event: GatewayEvent) -> Pin<Box<dyn Future<Output = Result<(), RecordingsError>> + Send + '_>> {
        let note = match event {
            GatewayEvent::LoggedIn { who, .. } => format!("logged in: {}", who.name),
            GatewayEvent::TokenIssued { who, connection, .. } => format!("token: {} for {connection}", who.name),
            GatewayEvent::Sampled { who, connection } => format!("sampled: {} at {connection}", who.name),
            GatewayEvent::Searched { who, sessions, found, .. } => {
                format!("searched: {} in {sessions}, {found} found", who.name)
            }
            GatewayEvent::Looked { who, session } => format!("looked: {} at {session}", who.name),
            GatewayEvent::Reviewed { who, approved, reason, .. } => {
                format!("reviewed: {} {approved} {}", who.name, reason.unwrap_or_default())
            }
            GatewayEvent::Administered { who, action } => format!("administered: {} {action}", who.name),
            GatewayEvent::Killed { who, session, reason } => {
                format!("killed: {} {session} {}", who.name, reason.unwrap_or_default())
            }
            GatewayEvent::Checked { who, connection, decision, .. } => {
                format!("checked: {} {} at {connection}", who.name, decision.unwrap_or_default())
            }
            GatewayEvent::Denied { who, action, .. } => format!("denied: {} {action}", who.name),
            GatewayEvent::RunStarted { run, who, .. } => format!("run started: {run} {}", who.name),
            GatewayEvent::RunLooked { run, who } => format!("run looked: {} at {run}", who.name),
            GatewayEvent::RunEnded { run, why, .. } => format!("run ended: {run} {why}"),
            other @ (GatewayEvent::Started { .. }
            | GatewayEvent::Stopped { .. }
            | GatewayEvent::Recovered { .. }
            | GatewayEvent::AccessAsked { .. }
            | GatewayEvent::AccessDecided { .. }
            | GatewayEvent::LeaseOpened { .. }
            | GatewayEvent::LeaseClosed { .. }
            | GatewayEvent::LoginLent { .. }
            | GatewayEvent::LoginReturned { .. }
            | GatewayEvent::Probed { .. }
            | GatewayEvent::Reached { .. }
            | GatewayEvent::SiteChanged { .. }) => format!("{other:?}"),
        };
        Box::pin(async move {
            if !self.works() {
                return Err(RecordingsError::Failed("the disk is full".into()));
            }
            self.notes.lock().unwrap().push(note);
            Ok(())
        })
    }

    fn detail(&self, id: &SessionId) -> Result<SessionDetail, RecordingsError> {
        let session = SessionItem {
            id: id.clone(),
            principal: testing::person("alice", &[]),
            connection: testing::connection().name,
            started_at_millis: 1,
            ended_at_millis: None,
            end_reason: None,
            run: None,
            operations: 1,
            refused: 0,
            held: 0,
            masked: 0,
            partly_searched: false,
        };
        Ok(SessionDetail { session, operations: Vec::new() })
    }

    fn lines(&self, _id: &SessionId, may_reveal: &MayReveal, to: &mut LineSink<'_>) -> Result<(), RecordingsError> {
        let literal = if may_reveal("email") { "ada@example.com" } else { "<email, 15>" };
        for line in ["{}\n", &format!("{{\"text\":\"SELECT '{literal}'\"}}\n"), "{}\n"] {
            to(Bytes::from(line.to_owned()));
            if self.breaking.load(Ordering::SeqCst) {
                return Err(RecordingsError::Failed("the chain is broken".into()));
            }
        }
        Ok(())
    }

    fn gather(&self) -> Result<(), RecordingsError> {
        Ok(())
    }

    fn said(&self, id: &SessionId) -> Result<Option<Said>, RecordingsError> {
        let said = self.said.lock().map_err(|_poisoned| RecordingsError::NotFound)?;
        Ok(said.get(id).cloned())
    }

    fn follow(&self, _id: &SessionId) -> Result<Box<dyn api::Follow>, RecordingsError> {
        Ok(Box::new(Three(1)))
    }

    fn news(&self) -> watch::Receiver<u64> {
        watch::Sender::new(0).subscribe()
    }

    fn audit_key(&self) -> String {
        "-----BEGIN PUBLIC KEY-----\n".into()
    }

    fn works(&self) -> bool {
        !self.failing.load(Ordering::SeqCst)
    }
}

/// Three events, of which the second quotes an address, then the end.
struct Three(u64);

impl api::Follow for Three {
    fn next(&mut self, may_reveal: &MayReveal) -> Result<Option<types::RecordedEvent>, RecordingsError> {
        let seq = self.0;
        if self.is_over() {
            return Ok(None);
        }
        self.0 += 1;
        let text = if may_reveal("email") { "ada@example.com" } else { "<email, 15>" };
        let fields = std::iter::once(("text".to_owned(), text.to_owned())).collect();
        Ok(Some(types::RecordedEvent { seq, at_micros: seq, kind: "operation".into(), fields }))
    }

    fn is_over(&self) -> bool {
        self.0 > 3
    }
}
