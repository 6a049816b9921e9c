//! Passwords and certificates for native clients, and the end of a login.

use axum::{
    Json,
    body::Bytes,
    extract::{Path, State, rejection::BytesRejection},
};
use http::StatusCode;
use secrecy::ExposeSecret as _;

use super::{
    ApiConnection, ApiState,
    caller::Caller,
    guard::json,
    problem::ApiError,
    types::{CertificateRequest, ConnectionCertificate, ConnectionToken, NativeAddress, SshCertificateRequest},
};
use crate::{
    identity::{ClientCertificateError, ConnectionTokenError, IssuedCertificate, Verified},
    model::{ConnectionKind, ConnectionName, Refusal, RefusalKind},
    policy::{Circumstances, Source},
    protocol::ssh::handshake::user_name,
    record::GatewayEvent,
    session::{Admission, admission},
};

/// A connection that its caller may reach natively now, where, and as which user.
struct Reached {
    connection: ApiConnection,
    native: NativeAddress,
    user: String,
}

impl Reached {
    /// FAIL-CLOSED: a certificate opens connections of one kind.
    fn is(&self, kind: ConnectionKind) -> Result<(), ApiError> {
        let found = self.connection.facts.kind;
        if found == kind {
            return Ok(());
        }
        Err(ApiError::new(StatusCode::CONFLICT, "this certificate is for connections of another kind")
            .detail(format!("it is for {}, and the connection is of kind {}", kind.as_str(), found.as_str()))
            .hint("`hoop cert` asks for the one that a connection needs"))
    }
}

/// Whether the caller may reach it natively, by the policies of now. They are asked again when what is made is used.
async fn reachable(state: &ApiState, caller: &Caller, name: &str) -> Result<Reached, ApiError> {
    let listed = state.0.connections.borrow().clone();
    let connection = listed.iter().find(|one| one.facts.name.as_str() == name).cloned();
    let connection = connection.ok_or_else(|| ApiError::not_found("no such connection"))?;
    let (now, at) = (state.0.clock.unix_millis(), Circumstances::at(state.0.clock.unix_seconds(), Source::Native));
    let (who, open) = (caller.principal().clone(), state.0.desk.leases().borrow().clone());
    let refusal = match admission(&state.policies(), &open, &who, &connection.facts, &at, now) {
        Admission::Open(_) => None,
        Admission::Refused(refusal) => Some(refusal),
        Admission::Needs(need) => Some(Refusal {
            kind: RefusalKind::Policy,
            rule: need.rules.into_iter().next(),
            message: "connecting here needs an approval".to_owned(),
            hint: Some(format!("ask with `hoop connect {name} --request 'why' --for 1h`, then try again")),
        }),
    };
    if let Some(refusal) = refusal {
        return Err(state.refuse(&who, format!("connect {}", connection.facts.name), refusal).await);
    }
    let native = connection.native.clone().ok_or_else(|| {
        ApiError::new(StatusCode::CONFLICT, "this connection has no native listener")
            .detail("its site sets no `listen` for it")
            .hint(format!("use `hoop connect {}`, or ask the gateway's operator for `listen`", connection.facts.name))
    })?;
    let beside =
        listed.iter().any(|one| one.facts.name != connection.facts.name && one.native.as_ref() == Some(&native));
    let said = (connection.facts.kind == ConnectionKind::Ssh && beside).then_some(&connection.facts.name);
    let user = user_name(who.name.as_str(), said);
    Ok(Reached { connection, native, user })
}

/// Makes a password for one connection.
pub(super) async fn issue(
    State(state): State<ApiState>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Json<ConnectionToken>, ApiError> {
    let Reached { connection, native, user } = reachable(&state, &caller, &name).await?;
    let who = caller.principal().clone();
    let login = Verified { expires_at: caller.1, ..caller.0.clone() };
    let issued = state.0.connection_tokens.issue(&login, &connection.facts.name).map_err(|error| match error {
        ConnectionTokenError::Expired => ApiError::unauthenticated(&error),
        ConnectionTokenError::TooMany => {
            ApiError::new(StatusCode::TOO_MANY_REQUESTS, "no more passwords now").detail(error.to_string())
        }
        ConnectionTokenError::NoRandomness => ApiError::unavailable("no password can be made", &error),
    })?;
    let event = GatewayEvent::TokenIssued {
        who: who.clone(),
        connection: connection.facts.name.clone(),
        token: issued.id.clone(),
        expires_at: issued.expires_at,
    };
    state.0.recordings.note(event).await?;
    caller.still_in(&state).inspect_err(|_ended| state.0.connection_tokens.forget(&who))?;
    Ok(Json(ConnectionToken {
        id: issued.id,
        host: native.host,
        port: native.port,
        user,
        database: connection.facts.name,
        ssh: connection.ssh,
        password: issued.password.expose_secret().to_owned(),
        expires_at: issued.expires_at,
        login_expires_at: login.expires_at,
    }))
}

/// Makes a client certificate for one connection of PostgreSQL.
pub(super) async fn certify(
    State(state): State<ApiState>,
    caller: Caller,
    Path(name): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<ConnectionCertificate>, ApiError> {
    let CertificateRequest { request } = json(body)?;
    let reached = reachable(&state, &caller, &name).await?;
    reached.is(ConnectionKind::Postgres)?;
    let issue = |login: &_, connection: &_| state.0.client_certificates.issue(login, connection, &request);
    certified(&state, &caller, reached, issue).await
}

/// Makes a user certificate for one connection of SSH.
pub(super) async fn certify_ssh(
    State(state): State<ApiState>,
    caller: Caller,
    Path(name): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<ConnectionCertificate>, ApiError> {
    let SshCertificateRequest { public_key } = json(body)?;
    let reached = reachable(&state, &caller, &name).await?;
    reached.is(ConnectionKind::Ssh)?;
    let issue = |login: &_, connection: &_| state.0.client_certificates.issue_ssh(login, connection, &public_key);
    certified(&state, &caller, reached, issue).await
}

/// Puts it on record, and gives it where the login is still there.
async fn certified(
    state: &ApiState,
    caller: &Caller,
    reached: Reached,
    issue: impl FnOnce(&Verified, &ConnectionName) -> Result<IssuedCertificate, ClientCertificateError>,
) -> Result<Json<ConnectionCertificate>, ApiError> {
    let Reached { connection, native, user } = reached;
    let (who, connection) = (caller.principal().clone(), connection.facts.name);
    let login = Verified { expires_at: caller.1, ..caller.0.clone() };
    let issued = issue(&login, &connection).map_err(|error| match error {
        ClientCertificateError::Expired => ApiError::unauthenticated(&error),
        ClientCertificateError::TooMany => {
            ApiError::new(StatusCode::TOO_MANY_REQUESTS, "no more certificates now").detail(error.to_string())
        }
        ClientCertificateError::Request | ClientCertificateError::PublicKey => {
            ApiError::new(StatusCode::BAD_REQUEST, "the certificate request does not do").detail(error.to_string())
        }
        ClientCertificateError::Unmade => ApiError::unavailable("no certificate can be made", &error),
    })?;
    let (token, expires_at) = (issued.id.clone(), issued.expires_at);
    let event = GatewayEvent::TokenIssued { who: who.clone(), connection: connection.clone(), token, expires_at };
    state.0.recordings.note(event).await?;
    caller.still_in(state).inspect_err(|_ended| state.0.client_certificates.forget(&who))?;
    Ok(Json(ConnectionCertificate {
        id: issued.id,
        host: native.host,
        port: native.port,
        user,
        database: connection,
        certificate: issued.certificate,
        expires_at: issued.expires_at,
        login_expires_at: login.expires_at,
    }))
}

/// Ends everything that the caller's login gave: tokens, live sessions, who is on the way in, passwords, certificates,
/// and what they asked reviewers for. In this order nothing new is given once the last is forgotten.
pub(super) async fn log_out(State(state): State<ApiState>, caller: Caller) -> Result<Json<()>, ApiError> {
    let who = caller.principal();
    let ended = state.0.tokens.end(who);
    state.0.registry.log_out(who);
    state.0.connection_tokens.forget(who);
    state.0.client_certificates.forget(who);
    let taken_back = state.0.desk.log_out(who).await;
    // FAIL-CLOSED: what a restart would forget is not said to be ended.
    ended.map_err(|failure| ApiError::unavailable("the logout could not be kept", &failure))?;
    taken_back?;
    Ok(Json(()))
}
