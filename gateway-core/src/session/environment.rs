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

use super::{
    access::Window,
    leases::{Borrowed, Borrower, Leases},
    registry::{End, Registry},
    understanding::Understandings,
};
use crate::{
    approval::Desk,
    clock::WallClock,
    config::{Connection, Credential, EphemeralRole, LeasePer, Masking},
    credential::{
        CredentialError,
        lease::{LeaseError, Lender, VaultLender},
    },
    mask::Detectors,
    model::{ConnectionFacts, Principal, RunId, SessionId},
    policy::{Circumstances, PolicySet, Source},
    protocol::http::dialect::Dialect,
    record::{Recorder, Sealer},
    store::SessionIndex,
    upstream::{self, Catalogue, Injector, Planner, RoleLender, SshKeys, SshLogin, Target},
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
    /// Where its secrets are had, and its logins of one session.
    pub(super) leases: Leases,
    /// Who makes those.
    lender: Option<Arc<dyn Lender>>,
    /// The gateway's own one of those.
    house: std::sync::Mutex<Option<Borrowed>>,
    /// One of those is made at a time.
    furnishing: Mutex<()>,
    /// The policies that decide here; a change wakes live sessions. A connection that a change of the site took away
    /// gets none any more: what is left of it is decided by what it was opened under.
    pub policies: watch::Receiver<PolicySet>,
    publisher: watch::Sender<PolicySet>,
    retired: watch::Sender<Option<End>>,
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
    pub fn new(connection: Connection, target: Target, leases: Leases, policies: PolicySet) -> Self {
        let (publisher, policies) = watch::channel(policies);
        Self {
            facts: connection.facts(),
            lender: lender(&connection, &target, &leases),
            connection,
            target,
            leases,
            house: std::sync::Mutex::default(),
            furnishing: Mutex::default(),
            policies,
            publisher,
            retired: watch::Sender::new(None),
            planner: Planner::default(),
            http: None,
            ssh: None,
            catalogue: Mutex::new(None),
            generation: AtomicU64::new(0),
        }
    }

    /// The password of the gateway's login now, where it has one.
    pub(super) async fn password(&self) -> Result<Option<SecretString>, CredentialError> {
        match &self.connection.credential {
            Credential::Password { secret, .. }
            | Credential::EphemeralRole(EphemeralRole { secret: Some(secret), .. }) => {
                self.leases.secrets().value(secret).await.map(Some)
            }
            Credential::Trust { .. }
            | Credential::EphemeralRole(_)
            | Credential::VaultRole { .. }
            | Credential::Http(_)
            | Credential::Ssh(_) => Ok(None),
        }
    }

    /// The login of connections of the gateway's own, beside those of sessions.
    pub(crate) async fn own_login(&self) -> Result<tokio_postgres::Config, LeaseError> {
        let mut login = tokio_postgres::Config::new();
        login.user(self.connection.credential.username()).dbname(&self.facts.database);
        login.application_name("hoop gateway").ssl_mode(tokio_postgres::config::SslMode::Disable);
        if let Some(password) = self.password().await? {
            login.password(password.expose_secret());
        }
        match &self.connection.credential {
            // It makes roles, and works as their template: what it reads is what sessions see.
            Credential::EphemeralRole(EphemeralRole { username, role, .. }) => {
                login.user(username).options(format!("-c role={}", escaped(role)));
            }
            Credential::VaultRole { .. } => {
                let _one_at_a_time = self.furnishing.lock().await;
                let now = self.leases.now_millis();
                let kept = self.house().take().filter(|one| one.ends_at_millis - now > HOUSE_EARLY_MILLIS);
                let one = match kept {
                    Some(one) => one,
                    None => self.borrow(None, "gateway".to_owned(), now + HOUSE_MILLIS).await?,
                };
                login.user(&one.username).password(one.password.expose_secret());
                let mut house = self.house();
                if self.retired.borrow().is_some() {
                    return Err(LeaseError::Refused("the connection was taken out of service".to_owned()));
                }
                *house = Some(one);
            }
            Credential::Password { .. } | Credential::Trust { .. } | Credential::Http(_) | Credential::Ssh(_) => {}
        }
        Ok(login)
    }

    /// Who makes logins of one session for this connection.
    pub(crate) fn lender(&self) -> Option<Arc<dyn Lender>> {
        self.lender.clone()
    }

    /// What a session logs in with, where its login is made for it.
    pub(super) async fn session_login(
        &self,
        who: &Principal,
        session: &SessionId,
        window: Option<&Window>,
    ) -> Result<Option<Borrowed>, LeaseError> {
        let (per, lifetime) = match &self.connection.credential {
            Credential::EphemeralRole(role) => (role.per, role.lifetime),
            Credential::VaultRole { per, .. } => (*per, LONGEST),
            Credential::Password { .. } | Credential::Trust { .. } | Credential::Http(_) | Credential::Ssh(_) => {
                return Ok(None);
            }
        };
        let lifetime = i64::try_from(lifetime.as_millis()).unwrap_or(i64::MAX);
        let latest = self.leases.now_millis().saturating_add(lifetime);
        let ends_at_millis = match (window, per) {
            (Some(window), _) => window.ends_at_millis.min(latest),
            (None, LeasePer::Session) => latest,
            (None, LeasePer::Approval) => return Err(LeaseError::NeedsApproval),
        };
        self.borrow(Some(who.clone()), session.to_string(), ends_at_millis).await.map(Some)
    }

    /// Has a login of one session made, logs in with it once, and has it taken away: each may fail by itself.
    pub(crate) async fn trial_login(&self, who: &Principal) -> Result<(), LeaseError> {
        let ends_at_millis = self.leases.now_millis() + 60_000;
        let one = self.borrow(Some(who.clone()), "a test of the connection".to_owned(), ends_at_millis).await?;
        let mut login = tokio_postgres::Config::new();
        login.user(&one.username).password(one.password.expose_secret()).dbname(&self.facts.database);
        login.application_name("hoop gateway").ssl_mode(tokio_postgres::config::SslMode::Disable);
        let wire = upstream::dial(&self.target).await?;
        let tried = login.connect_raw(wire, tokio_postgres::NoTls).await;
        let tried = tried.map(drop).map_err(|error| LeaseError::Refused(error.to_string()));
        // Who may make logins may not be who may give away what they own.
        let returned = self.leases.give_back(one.lease).await;
        tried.and(returned.map_err(|error| LeaseError::Kept(Box::new(error))))
    }

    /// What serves it, where HTTP carries it.
    pub(crate) fn http_side(&self) -> Option<&HttpSide> {
        self.http.as_ref()
    }

    async fn borrow(
        &self,
        who: Option<Principal>,
        session: String,
        ends_at_millis: i64,
    ) -> Result<Borrowed, LeaseError> {
        let nobody = || LeaseError::Refused("this connection lends no logins".to_owned());
        let lender = self.lender().ok_or_else(nobody)?;
        let facts = (self.facts.name.clone(), self.connection.credential.heir().to_owned());
        self.leases.lend(facts, lender, Borrower { who, session, ends_at_millis }).await
    }

    /// Puts other policies in force here: live sessions decide again.
    pub fn publish(&self, policies: PolicySet) {
        self.publisher.send_replace(policies);
    }

    /// Takes it out of service: who waits for it is told, who is on the way in finds it closed. [`Registry::end_retired`]
    /// ends the sessions. What the gateway itself had open there is given up.
    pub fn retire(&self, why: &str) {
        self.retired.send_replace(Some(End::SiteChanged { why: why.to_owned() }));
        self.planner.close();
        drop(self.house().take());
    }

    fn house(&self) -> std::sync::MutexGuard<'_, Option<Borrowed>> {
        self.house.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Why it is out of service, once it is.
    pub(super) fn retired(&self) -> watch::Receiver<Option<End>> {
        self.retired.subscribe()
    }

    /// The same, served over HTTP by these.
    #[must_use]
    pub fn over_http(self, side: HttpSide) -> Self {
        Self { http: Some(side), ..self }
    }

    /// What it is served over SSH by.
    pub(crate) fn ssh_side(&self) -> Option<&SshSide> {
        self.ssh.as_ref()
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

/// How long a login of a Vault lives at most.
const LONGEST: Duration = Duration::from_hours(24);
/// How long the gateway's own does, and how long before its end it is given up for a new one.
const HOUSE_MILLIS: i64 = 3_600_000;
const HOUSE_EARLY_MILLIS: i64 = 30_000;

fn lender(connection: &Connection, target: &Target, leases: &Leases) -> Option<Arc<dyn Lender>> {
    let secrets = leases.secrets().clone();
    match &connection.credential {
        Credential::EphemeralRole(role) => {
            let (target, database, role) = (target.clone(), connection.database.clone(), role.clone());
            Some(Arc::new(RoleLender { target, database, role, secrets }))
        }
        Credential::VaultRole { secret, .. } => Some(Arc::new(VaultLender::new(secrets, secret.clone()))),
        Credential::Password { .. } | Credential::Trust { .. } | Credential::Ssh(_) | Credential::Http(_) => None,
    }
}

/// SPEC: in `options` a backslash takes the meaning of what follows.
fn escaped(value: &str) -> String {
    let mut escaped = String::new();
    for letter in value.chars() {
        if letter.is_whitespace() || letter == '\\' {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}

impl Environment {
    /// The same surroundings, for another version of the site: what was understood before is understood anew.
    #[must_use]
    pub fn shared(&self) -> Self {
        Self {
            recorder: self.recorder.clone(),
            sealer: Arc::clone(&self.sealer),
            desk: self.desk.clone(),
            index: self.index.clone(),
            registry: self.registry.clone(),
            masking: Masking::default(),
            detectors: Detectors::none(),
            understandings: Understandings::default(),
            leases: self.leases.clone(),
            clock: self.clock.clone(),
            connections: BTreeMap::new(),
            export_rows: self.export_rows,
            result_cap_bytes: self.result_cap_bytes,
        }
    }

    /// The moment of a decision, with what the run has used up by now.
    pub fn circumstances(&self, source: Source, run: Option<&RunId>) -> Circumstances {
        let unix_millis = self.clock.unix_millis();
        let usage = run.and_then(|run| self.registry.usage(run, unix_millis));
        Circumstances { run: run.cloned(), usage, ..Circumstances::at(unix_millis.div_euclid(1_000), source) }
    }
}

/// The environment of the moment: a change of the site publishes another one, and live sessions keep theirs.
pub type Surroundings = watch::Receiver<Arc<Environment>>;

/// The surroundings of every session. Cheap to share behind one `Arc`.
#[derive(Debug)]
pub struct Environment {
    /// The log that everything goes to before it goes on.
    pub recorder: Recorder,
    /// Seals what the log must not show.
    pub sealer: Arc<Sealer>,
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
    /// Logins lent to sessions.
    pub leases: Leases,
    /// The wall clock.
    pub clock: WallClock,
    /// Connections by name.
    pub connections: BTreeMap<String, Arc<Served>>,
    /// A read that the planner expects to return more rows than this is an export.
    pub export_rows: u64,
    /// The most bytes of a result that the record keeps for one operation.
    pub result_cap_bytes: usize,
}
