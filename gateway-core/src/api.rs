//! The HTTP API that the CLI and the dashboard call, under `/api/v1`.
//!
//! Thin: checks who calls, asks the one authorization function, records what must be recorded, then answers. Decides
//! nothing itself and knows no protocol. Mounted by `gateway` behind TLS.

mod access;
mod approvals;
mod authorize;
mod caller;
mod check;
mod classify;
mod connections;
mod device;
mod entry;
mod events;
mod guard;
mod health;
mod kill;
mod landing;
mod leftover;
mod notifications;
mod openapi;
mod probe;
mod problem;
mod recordings;
mod relay;
mod run_views;
mod runs;
mod search;
mod secrets;
mod sessions;
mod site;
mod step_up;
mod streams;
mod timeline;
mod tokens;
mod tools;
pub mod types;
mod watch_session;

use std::{fmt, sync::Arc};

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    routing::{get, post},
};
use tokio::sync::watch;

pub use self::check::{CheckError, Checker, Checking};
pub use self::classify::{Sampler, SamplerError, Sampling};
pub use self::probe::{Prober, Proving};
pub use self::recordings::{Follow, LineSink, MayReveal, Recordings, RecordingsError, RecordingsOnDisk};
pub use self::site::{SiteRefusal, SiteWork, Sites};
pub use self::streams::Streams;
use crate::{
    approval::Desk,
    clock::WallClock,
    config::UpstreamAddress,
    credential::Secrets,
    identity::{
        Agents, ClientCertificates, ConnectionTokens, GatewayTokens, LastSeen, PublicOrigin, SamlLogin, Verifier,
    },
    model::ConnectionFacts,
    notify::Outbox,
    policy::PolicySet,
    session::registry::Registry,
    store::{RunIndex, SessionIndex, ToolShelf},
};

/// The largest request body taken.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// A connection as the API lists it.
#[derive(Debug, Clone)]
pub struct ApiConnection {
    /// What policies see of it.
    pub facts: ConnectionFacts,
    /// The tags and detector classes that may be masked there.
    pub tags: Vec<String>,
    /// The upstream role that sessions there work as.
    pub role: String,
    /// Where native clients reach it.
    pub native: Option<types::NativeAddress>,
    /// Templates of variables that `hoop exec` sets for it.
    pub environment: std::collections::BTreeMap<String, String>,
    /// The gateway's own SSH keys, where it is SSH.
    pub ssh: Option<types::SshPublicKeys>,
    /// Where the real server is. It is shown to nobody.
    pub upstream: UpstreamAddress,
}

/// Everything the API works with.
pub struct ApiParts {
    /// The only authority it answers to.
    pub origin: PublicOrigin,
    /// Whether this is a development gateway.
    pub dev: bool,
    /// Validates the issuer's tokens.
    pub verifier: Verifier,
    /// Where people log in by SAML.
    pub saml: Option<SamlLogin>,
    /// Issues and validates the gateway's own.
    pub tokens: GatewayTokens,
    /// Passwords for native clients.
    pub connection_tokens: ConnectionTokens,
    /// Certificates for native clients.
    pub client_certificates: ClientCertificates,
    /// Live sessions, which a logout ends.
    pub registry: Registry,
    /// Who follows what.
    pub streams: Streams,
    /// Requests for approval.
    pub desk: Desk,
    /// Who logged in, as they were then.
    pub last_seen: LastSeen,
    /// The index of sessions.
    pub sessions: SessionIndex,
    /// The index of runs.
    pub runs: RunIndex,
    /// The site's service accounts.
    pub agents: Agents,
    /// Recordings, and the record of what the API does.
    pub recordings: Arc<dyn Recordings>,
    /// What is still to be told.
    pub outbox: Outbox,
    /// Definitions of tools.
    pub tools: ToolShelf,
    /// The gateway's secrets, for those who set them.
    pub secrets: Secrets,
    /// Puts connections to the proof.
    pub prober: Arc<dyn Prober>,
    /// Samples tables, to propose tags.
    pub sampler: Arc<dyn Sampler>,
    /// Says what would become of a statement.
    pub checker: Arc<dyn Checker>,
    /// The site in force, and its versions.
    pub site: Arc<dyn Sites>,
    /// The policies of the moment.
    pub policies: watch::Receiver<PolicySet>,
    /// The connections of the moment.
    pub connections: watch::Receiver<Vec<ApiConnection>>,
    /// The clock.
    pub clock: WallClock,
}

/// The API's state; cheap to clone.
#[derive(Clone)]
pub struct ApiState(Arc<ApiParts>);

impl fmt::Debug for ApiState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ApiState").field("origin", &self.0.origin).finish_non_exhaustive()
    }
}

impl fmt::Debug for ApiParts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ApiParts").field("origin", &self.origin).finish_non_exhaustive()
    }
}

impl ApiState {
    /// Joins the parts.
    pub fn new(parts: ApiParts) -> Self {
        Self(Arc::new(parts))
    }

    fn policies(&self) -> PolicySet {
        self.0.policies.borrow().clone()
    }
}

/// The routes. Whatever is not addressed to the public authority, too large or too slow is refused before them.
pub fn router(state: ApiState) -> Router {
    let routes = Router::new()
        .route("/gateway", get(entry::gateway))
        .route("/openapi.json", get(openapi::openapi))
        .route("/token", post(entry::token))
        .route("/device", post(device::begin))
        .route("/device/token", post(device::token))
        .route("/issuer/{endpoint}", post(relay::ask))
        .route("/health", get(health::health))
        .route("/health/detail", get(health::detail))
        .route("/whoami", get(entry::whoami))
        .route("/audit/key", get(entry::audit_key))
        .route("/connections", get(connections::list))
        .route("/connections/configured", get(probe::list))
        .route("/connections/{name}/test", post(probe::prove))
        .route("/secrets", get(secrets::list))
        .route("/secrets/{name}", post(secrets::set))
        .route("/secrets/{name}/remove", post(secrets::remove))
        .route("/connections/{name}/token", post(tokens::issue))
        .route("/connections/{name}/certificate", post(tokens::certify))
        .route("/connections/{name}/ssh-certificate", post(tokens::certify_ssh))
        .route("/logout", post(tokens::log_out))
        .route("/connections/{name}/classify", post(classify::propose))
        .route("/connections/{name}/check", post(check::check))
        .route("/approvals", get(approvals::list))
        .route("/approvals/{id}", get(approvals::show))
        .route("/approvals/{id}/approve", post(approvals::approve))
        .route("/approvals/{id}/deny", post(approvals::deny))
        .route("/approvals/{id}/withdraw", post(approvals::withdraw))
        .route("/access", get(access::list))
        .route("/connections/{name}/access", post(access::ask))
        .route("/reviewers", get(access::reviewers))
        .route("/notifications", get(notifications::list))
        .route("/notifications/{id}/retry", post(notifications::retry))
        .route("/notifications/{id}/drop", post(notifications::forget))
        .route("/connections/{name}/tools", get(tools::list))
        .route("/connections/{name}/tools/{tool}/accept", post(tools::accept))
        .route("/events", get(events::follow))
        .route("/runs", get(run_views::list).post(runs::begin))
        .route("/runs/{id}", get(run_views::show))
        .route("/runs/{id}/token", post(runs::renew))
        .route("/runs/{id}/end", post(runs::end))
        .route("/runs/{id}/timeline", get(timeline::follow))
        .route("/sessions", get(search::list))
        .route("/sessions/{id}", get(sessions::show))
        .route("/sessions/{id}/recording", get(sessions::recording))
        .route("/sessions/{id}/events", get(watch_session::follow))
        .route("/sessions/{id}/kill", post(kill::kill))
        .route("/site", get(site::standing))
        .route("/site/versions", get(site::versions))
        .route("/site/versions/{version}", get(site::version))
        .route("/site/diff", post(site::compare).layer(DefaultBodyLimit::max(site::MAX_SITE_BODY_BYTES)))
        .route("/site/apply", post(site::apply).layer(DefaultBodyLimit::max(site::MAX_SITE_BODY_BYTES)))
        .route("/site/rollback", post(site::roll_back))
        .fallback(guard::unknown)
        .method_not_allowed_fallback(guard::wrong_method)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn_with_state(state.clone(), guard::guard));
    Router::new().nest("/api/v1", routes.with_state(state.clone())).merge(landing::routes(state))
}

#[cfg(test)]
mod tests;
