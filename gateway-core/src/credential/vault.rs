//! `vault:`: secrets of a HashiCorp Vault or an OpenBao over its HTTP API: key-value engines of both versions, and logins
//! that a secrets engine makes for one session, renewed and revoked here.
//!
//! The gateway's own login there is kept until two thirds of its life are over, and taken anew when it is refused.

use std::{
    fmt,
    time::{Duration, Instant},
};

use http::{HeaderMap, HeaderValue, Method, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use url::Url;

use super::{CredentialError, local};
use crate::config::{VaultConfig, VaultLogin, VaultPath};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer.
const MOST_ANSWER_BYTES: usize = 256 * 1024;
/// How long a token is used where nobody says how long it lives.
const USUAL_LIFE: Duration = Duration::from_mins(30);

/// A Vault that the gateway logs in to.
pub struct Vault {
    http: reqwest::Client,
    address: Url,
    namespace: Option<HeaderValue>,
    login: VaultLogin,
    token: Mutex<Option<(SecretString, Instant)>>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Vault").field("address", &self.address.as_str()).finish_non_exhaustive()
    }
}

/// A login that the Vault made, to be revoked when its session ends.
#[derive(Debug)]
pub struct VaultLease {
    /// What renews and revokes it.
    pub id: String,
    /// How long it lives from now on.
    pub life: Duration,
    /// Whether it can be renewed.
    pub is_renewable: bool,
    /// The login's name.
    pub username: String,
    /// Its password.
    pub password: SecretString,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    lease_id: String,
    #[serde(default)]
    lease_duration: u64,
    #[serde(default)]
    renewable: bool,
    #[serde(default)]
    data: Value,
    #[serde(default)]
    auth: Option<Auth>,
}

#[derive(Deserialize)]
struct Auth {
    client_token: String,
    #[serde(default)]
    lease_duration: u64,
}

impl Vault {
    /// A client that has not logged in yet. `authorities` are PEM certificates to trust besides the system's.
    pub fn new(config: &VaultConfig, authorities: Option<&[u8]>) -> Result<Self, CredentialError> {
        let unusable = |why: String| CredentialError::Vault { path: config.address.to_string(), why };
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .no_proxy()
            .user_agent(concat!("hoop/", env!("CARGO_PKG_VERSION")));
        if let Some(pem) = authorities {
            let certificates = reqwest::Certificate::from_pem_bundle(pem)
                .map_err(|_malformed| unusable("ca_file holds no PEM certificates".to_owned()))?;
            builder = builder.tls_certs_merge(certificates);
        }
        let http = builder.build().map_err(|error| unusable(error.to_string()))?;
        let namespace = config.namespace.as_deref().map(HeaderValue::from_str).transpose();
        let namespace = namespace.map_err(|_invalid| unusable("its namespace cannot stand in a header".to_owned()))?;
        let (address, login) = (config.address.clone(), config.login.clone());
        Ok(Self { http, address, namespace, login, token: Mutex::new(None) })
    }

    /// What stands at a path now.
    pub(super) async fn value(&self, path: &VaultPath) -> Result<SecretString, CredentialError> {
        let failed = |why: &str| CredentialError::Vault { path: path.path.clone(), why: why.to_owned() };
        let field = path.field.as_deref().ok_or_else(|| failed("no field is named; write `#FIELD` behind the path"))?;
        let answer = self.ask(Method::GET, &path.path, None).await?;
        let missing = || failed("there is no such field, or it is no text");
        let value = fields(&answer.data).get(field).ok_or_else(missing)?;
        match value {
            Value::String(text) if text.is_empty() => Err(CredentialError::Empty(format!("vault:{}", path.path))),
            Value::String(text) => Ok(SecretString::from(text.as_str())),
            Value::Number(number) => Ok(SecretString::from(number.to_string())),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Err(missing()),
        }
    }

    /// Has the engine at a path make a login.
    pub async fn lease(&self, path: &VaultPath) -> Result<VaultLease, CredentialError> {
        let failed = |why: &str| CredentialError::Vault { path: path.path.clone(), why: why.to_owned() };
        let answer = self.ask(Method::GET, &path.path, None).await?;
        let text = |name: &str| answer.data.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let (Some(username), Some(password)) = (text("username"), text("password")) else {
            return Err(failed("it gives no login; is it the path of a role, as in `vault:database/creds/ROLE`?"));
        };
        if answer.lease_id.is_empty() {
            return Err(failed("the login has no lease, so that nobody could end it"));
        }
        Ok(VaultLease {
            username: username.to_owned(),
            password: SecretString::from(password),
            id: answer.lease_id,
            life: life(answer.lease_duration),
            is_renewable: answer.renewable,
        })
    }

    /// Has a lease live on; says for how long.
    pub async fn renew(&self, lease: &str) -> Result<Duration, CredentialError> {
        let answer = self.ask(Method::PUT, "sys/leases/renew", Some(json!({ "lease_id": lease }))).await?;
        Ok(life(answer.lease_duration))
    }

    /// Ends a lease: the Vault takes the login away at the server.
    pub async fn revoke(&self, lease: &str) -> Result<(), CredentialError> {
        let body = json!({ "lease_id": lease, "sync": true });
        self.ask(Method::PUT, "sys/leases/revoke", Some(body)).await.map(drop)
    }

    /// Asks as the gateway; a refused token is taken anew once.
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Answer, CredentialError> {
        let token = self.token(None).await?;
        match self.exchange(method.clone(), path, body.as_ref(), Some(&token)).await {
            Err((StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED, _)) => {
                let token = self.token(Some(&token)).await?;
                self.exchange(method, path, body.as_ref(), Some(&token)).await.map_err(|(_, error)| error)
            }
            outcome => outcome.map_err(|(_, error)| error),
        }
    }

    /// The kept token, or that of a new login where it is old or `refused`.
    async fn token(&self, refused: Option<&SecretString>) -> Result<SecretString, CredentialError> {
        let mut kept = self.token.lock().await;
        let is_refused = |token: &SecretString| refused.is_some_and(|one| one.expose_secret() == token.expose_secret());
        if let Some((token, until)) = kept.as_ref()
            && *until > Instant::now()
            && !is_refused(token)
        {
            return Ok(token.clone());
        }
        let (token, life) = self.log_in().await?;
        *kept = Some((token.clone(), Instant::now() + life));
        Ok(token)
    }

    async fn log_in(&self) -> Result<(SecretString, Duration), CredentialError> {
        let (path, body) = match &self.login {
            // Somebody else renews it: it is read again each time that it may have changed.
            VaultLogin::Token(reference) => return Ok((local(reference).await?, Duration::from_secs(5))),
            VaultLogin::AppRole { mount, role_id, secret_id } => {
                let (role, secret) = (local(role_id).await?, local(secret_id).await?);
                let body = json!({ "role_id": role.expose_secret(), "secret_id": secret.expose_secret() });
                (format!("auth/{mount}/login"), body)
            }
            VaultLogin::Kubernetes { mount, role, token } => {
                let token = local(token).await?;
                (format!("auth/{mount}/login"), json!({ "role": role, "jwt": token.expose_secret() }))
            }
        };
        let answer = self.exchange(Method::POST, &path, Some(&body), None).await.map_err(|(_, error)| error)?;
        let why = || CredentialError::Vault { path: path.clone(), why: "the login gives no token".to_owned() };
        let auth = answer.auth.ok_or_else(why)?;
        let life = if auth.lease_duration == 0 { USUAL_LIFE } else { life(auth.lease_duration) * 2 / 3 };
        Ok((SecretString::from(auth.client_token), life))
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        token: Option<&SecretString>,
    ) -> Result<Answer, (StatusCode, CredentialError)> {
        let failed = |status: StatusCode, why: String| (status, CredentialError::Vault { path: path.to_owned(), why });
        let broken = |why: &str| failed(StatusCode::BAD_GATEWAY, why.to_owned());
        let url = self.address.join(&format!("v1/{path}")).map_err(|_invalid| broken("the path makes no URL"))?;
        let mut headers = HeaderMap::new();
        headers.insert("x-vault-request", HeaderValue::from_static("true"));
        if let Some(namespace) = &self.namespace {
            headers.insert("x-vault-namespace", namespace.clone());
        }
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(token.expose_secret())
                .map_err(|_invalid| broken("the gateway's token cannot stand in a header"))?;
            value.set_sensitive(true);
            headers.insert("x-vault-token", value);
        }
        let mut request = self.http.request(method, url).headers(headers);
        if let Some(body) = body {
            request = request.json(body);
        }
        let mut response = request.send().await.map_err(|error| {
            broken(if error.is_timeout() { "it did not answer in time" } else { "it cannot be reached" })
        })?;
        let status = response.status();
        if !status.is_success() {
            return Err(failed(status, refusal(status).to_owned()));
        }
        let mut text = zeroize::Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(|_broken| broken("its answer broke off"))? {
            if text.len() + chunk.len() > MOST_ANSWER_BYTES {
                return Err(broken("its answer is too long"));
            }
            text.extend_from_slice(&chunk);
        }
        // SPEC: a revocation is answered with 204 and nothing.
        let text: &[u8] = if text.is_empty() { b"{}" } else { &text };
        serde_json::from_slice(text).map_err(|_malformed| broken("its answer is not understood"))
    }
}

/// A Vault may say any number; one that is over a year is a year, so that no moment lies beyond what a clock can say.
fn life(seconds: u64) -> Duration {
    Duration::from_secs(seconds).min(LONGEST_LIFE)
}

const LONGEST_LIFE: Duration = Duration::from_hours(366 * 24);

/// Version 2 of the key-value engine wraps what is kept in `data`, with `metadata` beside it.
fn fields(data: &Value) -> &Value {
    match (data.get("data"), data.get("metadata")) {
        (Some(inner @ Value::Object(_)), Some(Value::Object(_))) => inner,
        _ => data,
    }
}

/// Its own words may quote what was asked with; the status says enough.
fn refusal(status: StatusCode) -> &'static str {
    match status {
        StatusCode::BAD_REQUEST => "it takes the request for wrong (status 400); is the path, or the login, right?",
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => "its policies do not let the gateway in there",
        StatusCode::NOT_FOUND => "nothing stands there",
        StatusCode::SERVICE_UNAVAILABLE => "it is sealed, or under maintenance",
        StatusCode::TOO_MANY_REQUESTS => "it limits how often the gateway asks",
        _ => "it answered with an error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_that_no_clock_can_reach_is_a_long_one() {
        assert_eq!(life(3_600), Duration::from_hours(1));
        for seconds in [u64::MAX, u64::MAX / 2, 1 << 62] {
            let life = life(seconds);
            assert!(Instant::now().checked_add(life * 2 / 3).is_some() && life > Duration::from_hours(24 * 365));
        }
    }
}
