//! A running gateway: a validated site becomes a listener, a log, a store, identities, the API and live sessions.
//!
//! Owns start and stop, and the order of both. Decides nothing. Called by `hoop gateway run`.

pub mod certificate;
mod connections;
mod listener;
mod native;
mod oversight;
mod people;
mod prober;
mod receivers;
mod sampler;
mod secrets;
mod site;
mod upstream_tls;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use rustls::pki_types::CertificateDer;
use secrecy::SecretString;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use url::Url;

use crate::{
    api::{self, ApiParts, ApiState, Recordings as _, RecordingsOnDisk, types::SiteStanding},
    approval::{Desk, Limits},
    clock::WallClock,
    config::Site,
    credential::{CredentialError, Secrets},
    identity::{
        Agents, ClientCertificateError, ClientCertificates, ConnectionTokenError, ConnectionTokens,
        DevelopmentProvider, GatewayTokens, IdentityError, KeyUse, LastSeen, PublicOrigin, TokenKeyError,
    },
    mask::{Detectors, MaskKeys},
    model::{ConnectionKind, ConnectionName},
    notify::{Couriers, Outbox},
    policy::PolicySet,
    record::{GatewayEvent, RecordError, RecordKeys, Recorder, SystemClock},
    session::{self, Environment, Leases, Served, Surroundings, registry::Registry},
    store::{LeaseRows, RunIndex, SaidIndex, SessionIndex, SiteShelf, Store, StoreError, ToolShelf},
    upstream::SshKeys,
};

pub use certificate::CertificateError;
pub use site::LiveSite;
pub use upstream_tls::UpstreamTlsError;

/// How long live sessions may take to end when the gateway stops.
const DRAIN: Duration = Duration::from_secs(5);

/// How often what sessions said is gathered for searches.
const GATHERING: Duration = Duration::from_secs(5);

/// How late the end of a run that nobody renewed may be noticed.
const LAPSES: Duration = Duration::from_secs(1);

/// Why a gateway does not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The address is taken or not of this machine.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// `--dev` or the site's identity settings.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The gateway's own token key.
    #[error(transparent)]
    TokenKey(#[from] TokenKeyError),
    /// The certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The log.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A secret of a connection.
    #[error("connection `{connection}`: {source}")]
    Credential {
        /// Which connection.
        connection: String,
        /// Why.
        source: CredentialError,
    },
    /// TLS towards an upstream.
    #[error("connection `{connection}`: {source}")]
    UpstreamTls {
        /// Which connection.
        connection: String,
        /// Why.
        source: UpstreamTlsError,
    },
    /// Passwords for native clients.
    #[error("passwords for native clients cannot be made")]
    ConnectionTokens(#[from] ConnectionTokenError),
    /// Certificates for native clients.
    #[error("certificates for native clients cannot be made")]
    ClientCertificates(#[from] ClientCertificateError),
    /// The approvals.
    #[error(transparent)]
    Approvals(#[from] crate::approval::StorageError),
    /// A setting that cannot be used.
    #[error("{0}")]
    Setting(String),
    /// A file of the site could not be read.
    #[error("{} cannot be read", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// What a gateway is started with.
#[derive(Debug)]
pub struct Options {
    /// The validated site.
    pub site: Site,
    /// Whether this is a development gateway: the caller has checked that everything is on loopback.
    pub dev: bool,
    /// The version, for the record and the API.
    pub version: &'static str,
}

/// What the starting terminal is told about a development gateway.
#[derive(Debug)]
pub struct DevelopmentFacts {
    /// The CA that vouches for the generated certificate, as PEM.
    pub authority: String,
    /// What the device page asks for; `None` where the site names a provider of its own.
    pub secret: Option<SecretString>,
}

/// A gateway that listens.
#[derive(Debug)]
pub struct Gateway {
    address: SocketAddr,
    public_url: Url,
    development: Option<DevelopmentFacts>,
    listener: TcpListener,
    tls: certificate::ServerTls,
    native: Vec<native::NativeListener>,
    door: Arc<native::Doorkeeper>,
    router: axum::Router,
    api: ApiState,
    environment: Arc<Environment>,
    tokens: GatewayTokens,
    recordings: Arc<RecordingsOnDisk>,
    couriers: Couriers,
    surroundings: Surroundings,
    live: LiveSite,
    standing: Option<SiteStanding>,
    version: &'static str,
}

impl Gateway {
    /// Opens everything and listens. Nothing is served before [`Gateway::run`].
    #[expect(clippy::too_many_lines, reason = "puts the parts together, in the order in which they need each other")]
    pub async fn start(options: Options) -> Result<Self, GatewayError> {
        let Options { mut site, dev, version } = options;
        let (listener, address) = listen(site.gateway.listen).await?;
        settle_public_port(&mut site, dev, address)?;
        let public_url = site.gateway.public_url.clone();
        let clock = WallClock::system();
        let data = site.gateway.data_dir.clone();
        let certificates = ClientCertificates::new(site.gateway.identity.certificate_seconds, clock.clone())?;
        let (tls, authority) = server_tls(&site, dev, certificates.authority())?;
        let provider = people::development_provider(&site, dev, address, &clock)?;
        let origin =
            PublicOrigin::new(&public_url).ok_or_else(|| GatewayError::Setting("public_url has no host".to_owned()))?;
        let saml = people::saml(&site.gateway.identity, &origin, &clock)?;
        let connection_tokens = ConnectionTokens::new(clock.clone())?;
        let key_use = if dev { KeyUse::Development } else { KeyUse::Production };
        let tokens = GatewayTokens::open(&data.join("keys"), key_use, public_url.as_str(), clock.clone())?;
        let keys = RecordKeys::load_or_create(&data.join("keys"))?;
        let (sealer, audit_key, masking) = (Arc::clone(keys.sealer()), keys.public(), Arc::clone(keys.masking()));
        let recorder = open_recorder(&site, keys, version).await?;
        let store = Store::open(&site.gateway.store.path)?;
        let secrets = secrets::prepare(&site, &store).await?;
        let lent = LeaseRows::new(store.clone());
        let Kept { index, runs, said, store, tools, outbox, couriers, shelf } =
            keep(&site, store, &secrets, dev, &clock).await?;
        let start = site.clone();
        let (site, standing) = site::settle(site, &shelf, &recorder, &clock).await?;
        let agents = Agents::new(site.agents.clone());
        let verifier = people::verifier(&site, provider.as_ref(), &agents, saml.as_ref(), &secrets, &clock)?;
        let native = native::bind(&site).await?;
        let recordings = Arc::new(RecordingsOnDisk::new(recorder, audit_key, said));
        let (policies, in_force) = watch::channel(site.policies.clone());
        let last_seen = LastSeen::default();
        let desk = open_desk(store, &clock, &in_force, &last_seen, recordings.recorder()).await?;
        let ssh =
            SshKeys::load_or_create(&data.join("keys")).map_err(|error| GatewayError::Setting(error.to_string()))?;
        let leases = Leases::new(secrets.clone(), lent, recordings.recorder().clone(), clock.clone());
        let served = connections::serve(&site, &|_all_anew| None, &leases, dev, &clock, &tools, &ssh).await?;
        let host_keys = ssh.clone();
        let environment = Arc::new(Environment {
            recorder: recordings.recorder().clone(),
            sealer,
            desk: desk.clone(),
            index: index.clone(),
            registry: Registry::default(),
            masking: site.masking.clone(),
            detectors: detectors(&site, Arc::clone(&masking)),
            understandings: session::Understandings::default(),
            leases,
            clock: clock.clone(),
            connections: served,
            export_rows: site.gateway.export_rows,
            result_cap_bytes: usize::try_from(site.gateway.recordings.result_cap_bytes).unwrap_or(usize::MAX),
        });
        let addresses = connections::native_addresses(&site, &native);
        let (listed, connections) = watch::channel(connections::listed(&site, &addresses, &ssh));
        let (published, surroundings) = watch::channel(Arc::clone(&environment));
        let live = LiveSite::new(
            site::Parts {
                start,
                dev,
                shelf,
                recorder: recordings.recorder().clone(),
                clock: clock.clone(),
                tools: tools.clone(),
                leases: environment.leases.clone(),
                keys: masking,
                ssh,
                agents: agents.clone(),
                native: addresses,
                surroundings: published,
                policies,
                listed,
            },
            site,
            standing.clone(),
        );
        let api = ApiState::new(ApiParts {
            origin,
            dev,
            verifier: verifier.clone(),
            saml: saml.clone(),
            tokens: tokens.clone(),
            connection_tokens: connection_tokens.clone(),
            client_certificates: certificates.clone(),
            registry: environment.registry.clone(),
            streams: api::Streams::default(),
            desk,
            last_seen,
            sessions: index,
            runs,
            agents,
            recordings: Arc::<RecordingsOnDisk>::clone(&recordings),
            outbox,
            tools: tools.clone(),
            secrets,
            prober: Arc::new(prober::UpstreamProber::new(surroundings.clone())),
            sampler: Arc::new(sampler::UpstreamSampler::new(surroundings.clone())),
            checker: Arc::new(session::StatementChecker::new(surroundings.clone())),
            site: Arc::new(live.clone()),
            policies: in_force,
            connections,
            clock,
        });
        let pages =
            provider.as_ref().map(DevelopmentProvider::router).into_iter().chain(saml.map(|saml| saml.router()));
        let router = pages.fold(api::router(api.clone()), axum::Router::merge);
        let proofs = native::Proofs { tokens: tokens.clone(), connection_tokens, certificates, verifier };
        let door = native::Doorkeeper::new(surroundings.clone(), proofs, tls.clone(), host_keys);
        let secret = provider.map(|provider| provider.terminal_secret().clone());
        let development = dev.then_some(DevelopmentFacts { authority, secret });
        Ok(Self {
            address,
            public_url,
            development,
            listener,
            tls,
            native,
            door,
            router,
            api,
            environment,
            tokens,
            recordings,
            couriers,
            surroundings,
            live,
            standing,
            version,
        })
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where native clients come in, of which kind, and which connections they reach there.
    pub fn native_addresses(&self) -> impl Iterator<Item = (SocketAddr, ConnectionKind, Vec<ConnectionName>)> {
        let reached = |listener: &native::NativeListener| listener.connections().cloned().collect();
        self.native.iter().map(move |listener| (listener.address(), listener.kind(), reached(listener)))
    }

    /// The URL that clients use.
    pub fn public_url(&self) -> &Url {
        &self.public_url
    }

    /// What the starting terminal is told with `--dev`.
    pub fn development(&self) -> Option<&DevelopmentFacts> {
        self.development.as_ref()
    }

    /// The site in force, to read its folder again.
    pub fn live_site(&self) -> LiveSite {
        self.live.clone()
    }

    /// Which version of the site is in force at the start; none for the built-in one.
    pub fn standing(&self) -> Option<&SiteStanding> {
        self.standing.as_ref()
    }

    /// Serves until `shutdown`, then stops accepting, lets sessions end for a few seconds, and closes the log.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), GatewayError> {
        let tasks = TaskTracker::new();
        self.couriers.start(&tasks, &shutdown).await?;
        let acceptor = listener::SessionAcceptor::new(self.surroundings.clone(), self.tokens.clone());
        for native in self.native {
            tasks.spawn(native::accept(native, Arc::clone(&self.door), tasks.clone(), shutdown.clone()));
        }
        let Environment { leases, registry, desk, recorder, .. } = self.environment.shared();
        // A connection that a change of the site takes away is not held on to here.
        drop(self.environment);
        tasks.spawn(session::keep_leases(leases, self.surroundings.clone(), shutdown.clone()));
        tasks.spawn(gather(self.recordings, shutdown.clone()));
        tasks.spawn(end_lapsed_runs(self.api.clone(), shutdown.clone()));
        listener::accept(self.listener, self.tls.link, self.router, Arc::new(acceptor), &tasks, &shutdown).await;
        tasks.close();
        registry.stop();
        self.api.end_every_run().await;
        desk.close().await;
        if tokio::time::timeout(DRAIN, tasks.wait()).await.is_err() {
            tracing::warn!("some sessions did not end in time");
        }
        recorder.gateway(&GatewayEvent::Stopped { version: self.version.to_owned() })?;
        recorder.close()?;
        Ok(())
    }
}

/// Reads on what sessions said, so that a search finds most of it read. A failure is said once in a while; searches
/// try again themselves.
async fn gather(recordings: Arc<RecordingsOnDisk>, shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(GATHERING);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
        let recordings = Arc::clone(&recordings);
        match tokio::task::spawn_blocking(move || recordings.gather()).await {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => tracing::warn!(%failure, "what sessions said could not be gathered for searches"),
            Err(_ended) => return,
        }
    }
}

/// Ends runs that nobody renewed, soon after their token did.
async fn end_lapsed_runs(api: ApiState, shutdown: CancellationToken) {
    let mut ticks = tokio::time::interval(LAPSES);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while shutdown.run_until_cancelled(ticks.tick()).await.is_some() {
        api.end_lapsed_runs().await;
    }
}

/// Opens the log and notes the start in it; says what the last run left open.
async fn open_recorder(site: &Site, keys: RecordKeys, version: &str) -> Result<Recorder, GatewayError> {
    let recordings = &site.gateway.recordings;
    let (recorder, recovery) =
        Recorder::open(&recordings.directory, keys, recordings.durability, Arc::new(SystemClock))?;
    if recovery.unknown_outcomes > 0 || recovery.ended_sessions > 0 || recovery.cut_bytes > 0 {
        tracing::warn!(?recovery, "the last run did not end in order; its open operations are marked outcome unknown");
    }
    let started = recorder.gateway(&GatewayEvent::Started { version: version.to_owned() })?;
    recorder.durable(started).await?;
    Ok(recorder)
}

/// Opens the desk of approvals over the store, with what it asks of policies, identities and the record.
async fn open_desk(
    store: Store,
    clock: &WallClock,
    policies: &watch::Receiver<PolicySet>,
    last_seen: &LastSeen,
    recorder: &Recorder,
) -> Result<Desk, GatewayError> {
    let (policies, last_seen, recorder) = (policies.clone(), last_seen.clone(), recorder.clone());
    let oversight = oversight::GatewayOversight { policies, last_seen, recorder };
    Ok(Desk::open(Arc::new(store), clock.clone(), Limits::STANDARD, Arc::new(oversight)).await?)
}

/// A development gateway on port 0 is reached at the port that it got.
fn settle_public_port(site: &mut Site, dev: bool, address: SocketAddr) -> Result<(), GatewayError> {
    if dev && site.gateway.public_url.port() == Some(0) {
        let set = site.gateway.public_url.set_port(Some(address.port()));
        set.map_err(|()| GatewayError::Setting("public_url takes no port".to_owned()))?;
    }
    Ok(())
}

/// The certificate for all listeners, and the development authority's as PEM.
fn server_tls(
    site: &Site,
    dev: bool,
    clients: &CertificateDer<'_>,
) -> Result<(certificate::ServerTls, String), GatewayError> {
    match &site.gateway.tls {
        Some(files) => Ok((certificate::from_files(files, clients)?, String::new())),
        None if dev => Ok(certificate::development(&site.gateway.data_dir.join("dev-tls"), clients)?),
        None => Err(GatewayError::Setting("gateway.toml names no certificate ([tls])".to_owned())),
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), GatewayError> {
    let failed = |source| GatewayError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

/// What is kept in the store, and who tells of it.
struct Kept {
    index: SessionIndex,
    runs: RunIndex,
    said: SaidIndex,
    store: Store,
    tools: ToolShelf,
    outbox: Outbox,
    couriers: Couriers,
    shelf: SiteShelf,
}

/// Opens the store, the desk over it, and the couriers; what an earlier run left pending is told too.
async fn keep(
    site: &Site,
    store: Store,
    secrets: &Secrets,
    dev: bool,
    clock: &WallClock,
) -> Result<Kept, GatewayError> {
    let config = &site.gateway.notifications;
    let (receivers, addressees) = receivers::prepare(config, secrets, dev).await?;
    let index = SessionIndex::open(store.clone(), clock.unix_millis()).await?;
    let runs = RunIndex::open(&store, clock.unix_millis()).await?;
    let said = SaidIndex::open(&store)?;
    let outbox = Outbox::new(store.clone(), addressees, clock.clone());
    let retry = (config.retry_base, config.attempts);
    let public_url = site.gateway.public_url.clone();
    let couriers = Couriers::new(receivers, outbox.clone(), public_url, retry, clock.clone());
    let tools = ToolShelf::new(store.clone());
    let shelf = SiteShelf::new(store.clone());
    let store = store.announcing(Arc::new(outbox.clone()));
    Ok(Kept { index, runs, said, store, tools, outbox, couriers, shelf })
}

fn detectors(site: &Site, keys: Arc<MaskKeys>) -> Detectors {
    let known = Detectors::none().keyed(keys).knowing(Arc::clone(&site.masking.custom));
    site.masking.detected().fold(known, |detectors, class| detectors.with(class, class.default_function()))
}

/// The connections of a site by name, for sessions.
type ServedConnections = BTreeMap<String, Arc<Served>>;
