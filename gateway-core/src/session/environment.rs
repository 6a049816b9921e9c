//! What every session of a gateway shares: the recorder, policies, the approval desk, caches and the live registry.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{Mutex, watch};

use super::{registry::Registry, understanding::Understandings};
use crate::{
    approval::Desk,
    clock::WallClock,
    config::{Connection, Credential, Masking},
    credential::{CredentialError, Secrets},
    mask::Detectors,
    model::{ConnectionFacts, RunId},
    policy::{Circumstances, PolicySet, Source},
    protocol::http::dialect::Dialect,
    record::{Recorder, Sealer},
    store::SessionIndex,
    upstream::{Catalogue, Injector, Planner, SshKeys, SshLogin, Target},
};

/// How long a catalogue snapshot serves sessions that want one.
const CATALOGUE_LIFE: Duration = Duration::from_secs(5);

/// A connection that the gateway serves, with everything prepared that a dial needs.
#[derive(Debug)]
pub struct Served {
    /// As the site says.
    pub connection: Connection,
    /// What policies see.
    pub facts: ConnectionFacts,
    /// Where it is.
    pub target: Target,
    /// Where its secrets are had.
    pub(super) secrets: Secrets,
    /// Where the planner is asked.
    pub(super) planner: Planner,
    /// What serves it, where HTTP carries it and its kind is built.
    pub(super) http: Option<HttpSide>,
    /// What serves it, where it is SSH.
    pub(super) ssh: Option<SshSide>,
    catalogue: Mutex<Option<(Instant, Arc<Catalogue>)>>,
    generation: AtomicU64,
}

/// What serves a connection over SSH.
#[derive(Debug, Clone)]
pub struct SshSide {
    /// The gateway's own keys.
    pub keys: SshKeys,
    /// How it logs in to the machine.
    pub login: Arc<SshLogin>,
}

/// What serves a connection that HTTP carries.
#[derive(Debug, Clone)]
pub struct HttpSide {
    /// Reads its requests and answers.
    pub dialect: Arc<dyn Dialect>,
    /// Puts its credential into requests.
    pub injector: Arc<Injector>,
}

impl Served {
    /// A connection ready to be dialled.
    pub fn new(connection: Connection, target: Target, secrets: Secrets) -> Self {
        let facts = connection.facts();
        let (catalogue, generation) = (Mutex::new(None), AtomicU64::new(0));
        Self {
            connection,
            facts,
            target,
            secrets,
            planner: Planner::default(),
            http: None,
            ssh: None,
            catalogue,
            generation,
        }
    }

    /// The password of the gateway's login now, where it has one.
    pub(super) async fn password(&self) -> Result<Option<SecretString>, CredentialError> {
        match &self.connection.credential {
            Credential::Password { secret, .. } => self.secrets.value(secret).await.map(Some),
            Credential::Trust { .. } | Credential::Http(_) | Credential::Ssh(_) => Ok(None),
        }
    }

    /// The login of connections of the gateway's own, beside those of sessions.
    pub(crate) async fn own_login(&self) -> Result<tokio_postgres::Config, CredentialError> {
        let mut login = tokio_postgres::Config::new();
        login.user(self.connection.credential.username()).dbname(&self.facts.database);
        login.application_name("hoop gateway").ssl_mode(tokio_postgres::config::SslMode::Disable);
        if let Some(password) = self.password().await? {
            login.password(password.expose_secret());
        }
        Ok(login)
    }

    /// The same, served over HTTP by these.
    #[must_use]
    pub fn over_http(self, side: HttpSide) -> Self {
        Self { http: Some(side), ..self }
    }

    /// The same, served over SSH by these.
    #[must_use]
    pub fn over_ssh(self, side: SshSide) -> Self {
        Self { ssh: Some(side), ..self }
    }

    /// Forgets the snapshot: a statement may have changed what it says.
    pub(super) fn outdate(&self) {
        self.generation.fetch_add(1, Ordering::SeqCst);
    }

    /// The generation of the catalogue: a session whose snapshot is older must take a new one.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::SeqCst)
    }

    /// The cached snapshot while it is young, or the one that `read` brings.
    pub(super) async fn catalogue<E>(
        &self,
        fresh: bool,
        read: impl AsyncFnOnce() -> Result<Catalogue, E>,
    ) -> Result<Arc<Catalogue>, E> {
        let asked_at = Instant::now();
        let mut kept = self.catalogue.lock().await;
        // Sessions that waited for the same news share one reading: what began after they asked is fresh to them.
        if let Some((began_at, catalogue)) = kept.as_ref()
            && (*began_at > asked_at || (!fresh && began_at.elapsed() < CATALOGUE_LIFE))
        {
            return Ok(Arc::clone(catalogue));
        }
        let began_at = Instant::now();
        let catalogue = Arc::new(read().await?);
        *kept = Some((began_at, Arc::clone(&catalogue)));
        Ok(catalogue)
    }
}

impl Environment {
    /// The moment of a decision, with what the run has used up by now.
    pub fn circumstances(&self, source: Source, run: Option<&RunId>) -> Circumstances {
        let unix_millis = self.clock.unix_millis();
        let usage = run.and_then(|run| self.registry.usage(run, unix_millis));
        Circumstances { run: run.cloned(), usage, ..Circumstances::at(unix_millis.div_euclid(1_000), source) }
    }
}

/// The surroundings of every session. Cheap to share behind one `Arc`.
#[derive(Debug)]
pub struct Environment {
    /// The log that everything goes to before it goes on.
    pub recorder: Recorder,
    /// Seals what the log must not show.
    pub sealer: Arc<Sealer>,
    /// The policies in force; a change wakes live sessions.
    pub policies: watch::Receiver<PolicySet>,
    /// Where held operations wait.
    pub desk: Desk,
    /// The index of sessions for `hoop sessions ls`.
    pub index: SessionIndex,
    /// Live sessions.
    pub registry: Registry,
    /// Which columns carry which tag.
    pub masking: Masking,
    /// Finds tagged values that no column announces: every class that the site turned on.
    pub detectors: Detectors,
    /// Texts that were understood before.
    pub(crate) understandings: Understandings,
    /// The wall clock.
    pub clock: WallClock,
    /// Connections by name.
    pub connections: BTreeMap<String, Arc<Served>>,
    /// A read that the planner expects to return more rows than this is an export.
    pub export_rows: u64,
    /// The most bytes of a result that the record keeps for one operation.
    pub result_cap_bytes: usize,
}
