//! The identity provider that a gateway started with `--dev` carries within itself, so that login needs nothing else.
//!
//! Its keys live in memory and die with the process; nothing without a [`DevelopmentMode`] can make or trust it. Its
//! page takes a secret that only the starting terminal printed, so that no other user, page or agent logs in.

mod page;
mod refreshes;
mod routes;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    signature::{Ed25519KeyPair, KeyPair as _},
};
use axum::Router;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use url::Url;

use self::refreshes::Refreshes;
use super::{IdentityError, PublicOrigin, Verifier, codes::random_text, forms::Forms, grants::Grants};
use crate::{
    api::types::TokenChoice,
    clock::WallClock,
    config::{AgentRule, OidcConfig, OidcOptions, SigningAlgorithm},
    model::{GroupName, PrincipalName},
};

/// Proof that the gateway was started with `--dev` and listens to this machine alone.
#[derive(Debug, Clone, Copy)]
pub struct DevelopmentMode(());

impl DevelopmentMode {
    /// Only the start-up path of `--dev` calls this. Refuses a listener that other machines reach.
    pub fn enable(listen: SocketAddr) -> Result<Self, IdentityError> {
        if listen.ip().is_loopback() {
            return Ok(Self(()));
        }
        Err(IdentityError::Settings(format!("--dev listens on loopback only, not on {listen}")))
    }
}

/// The one public client that the provider knows.
const CLIENT_ID: &str = "hoop-cli";
const AUDIENCE: &str = "hoop-development";
const SCOPES: &[&str] = &["openid", "offline_access", "groups"];
const TOKEN_SECONDS: i64 = 900;
/// How strong a login is here: whoever reads the terminal.
const ACR: &str = "development";
const PATH: &str = "/dev/idp";

/// Who can log in, and the groups of each; `crew` is an agent that alice answers for.
const USERS: &[(&str, &[&str])] =
    &[("alice", &["engineers"]), ("bob", &["dba"]), ("carol", &["auditors"]), ("crew", &["agents"])];
const AGENT: (&str, &str) = ("crew", "alice");

/// The development provider; cheap to clone.
#[derive(Clone)]
pub struct DevelopmentProvider(Arc<Inner>);

struct Inner {
    origin: PublicOrigin,
    issuer: String,
    key_id: String,
    key_set: Value,
    signing: EncodingKey,
    secret: SecretString,
    clock: WallClock,
    desk: Mutex<Desk>,
}

/// What changes: grants under way, forms handed out, attempts counted.
struct Desk {
    grants: Grants<String>,
    refreshes: Refreshes,
    forms: Forms<()>,
}

impl fmt::Debug for DevelopmentProvider {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DevelopmentProvider").field("issuer", &self.0.issuer).finish_non_exhaustive()
    }
}

impl DevelopmentProvider {
    /// Makes the provider with new keys and a new secret. Refuses a public URL of another machine.
    pub fn start(_mode: DevelopmentMode, public_url: &Url, clock: WallClock) -> Result<Self, IdentityError> {
        let origin = PublicOrigin::new(public_url)
            .filter(|_origin| is_loopback(public_url))
            .ok_or_else(|| IdentityError::Settings("--dev needs a public_url on loopback".to_owned()))?;
        let unmade = || IdentityError::Settings("no development key could be made".to_owned());
        let pair = Ed25519KeyPair::generate().map_err(|_unmade| unmade())?;
        let document = pair.to_pkcs8().map_err(|_unmade| unmade())?;
        let key_id = random_text(8)?;
        let key_set = json!({ "keys": [{
            "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": key_id,
            "x": URL_SAFE_NO_PAD.encode(pair.public_key().as_ref()),
        }]});
        Ok(Self(Arc::new(Inner {
            issuer: format!("{}{PATH}", origin.as_str()),
            origin,
            key_id,
            key_set,
            signing: EncodingKey::from_ed_der(document.as_ref()),
            secret: SecretString::from(random_text(16)?),
            clock,
            desk: Mutex::new(Desk {
                grants: Grants::default(),
                refreshes: Refreshes::default(),
                forms: Forms::default(),
            }),
        })))
    }

    /// The secret that its page takes; to be printed in the starting terminal and nowhere else.
    pub fn terminal_secret(&self) -> &SecretString {
        &self.0.secret
    }

    /// The issuer's URL.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// A verifier that trusts this provider's keys within this process.
    pub fn verifier(&self) -> Result<Verifier, IdentityError> {
        let name = |name: &str| PrincipalName::new(name).map_err(|wrong| IdentityError::Settings(wrong.to_string()));
        let (agent, owner) = AGENT;
        let groups = USERS.iter().filter(|(user, _groups)| *user == agent).flat_map(|(_user, groups)| *groups);
        let groups: Result<BTreeSet<_>, _> = groups.map(GroupName::new).collect();
        let rule = AgentRule {
            name: name(agent)?,
            issuer: self.0.issuer.clone(),
            claims: BTreeMap::from([("sub".to_owned(), agent.to_owned())]),
            owner: name(owner)?,
            groups: groups.map_err(|wrong| IdentityError::Settings(wrong.to_string()))?,
        };
        let config = OidcConfig {
            issuer: self.0.issuer.clone(),
            client_id: CLIENT_ID.to_owned(),
            audience: AUDIENCE.to_owned(),
            groups_claim: vec!["groups".to_owned()],
            principal_claim: "sub".to_owned(),
            token: TokenChoice::Access,
            scopes: SCOPES.iter().map(|scope| (*scope).to_owned()).collect(),
            algorithms: vec![SigningAlgorithm::EdDsa],
            ca_file: None,
            options: OidcOptions::default(),
        };
        Verifier::in_process(config, vec![rule], self.0.key_set.to_string().as_bytes(), self.0.clock.clone())
    }

    /// Its HTTP side, under `/dev/idp`. Every answer checks the Host first.
    pub fn router(&self) -> Router {
        routes::router(self.clone())
    }

    /// An access token without a login, for the tests of the token exchange.
    #[cfg(test)]
    pub(crate) fn access_token(&self, user: &str) -> Result<String, IdentityError> {
        self.tokens(user, &[], self.0.clock.unix_seconds()).map(|(access, _id)| access)
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_secret(&self, given: &str) -> bool {
        let given: String = given.chars().filter(char::is_ascii_alphanumeric).take(64).collect();
        verify_slices_are_equal(given.to_ascii_lowercase().as_bytes(), self.0.secret.expose_secret().as_bytes()).is_ok()
    }

    /// An access token (RFC 9068) and, for `openid`, an ID token.
    fn tokens(
        &self,
        user: &str,
        scopes: &[String],
        authenticated_at: i64,
    ) -> Result<(String, Option<String>), IdentityError> {
        let now = self.0.clock.unix_seconds();
        let groups = USERS.iter().find(|(name, _groups)| *name == user).map(|(_name, groups)| *groups);
        let groups = groups.ok_or(IdentityError::Invalid("there is no such user"))?;
        let claims = |audience: &str| {
            json!({
                "iss": self.0.issuer, "sub": user, "aud": audience, "client_id": CLIENT_ID,
                "iat": now, "exp": now + TOKEN_SECONDS, "auth_time": authenticated_at, "acr": ACR,
                "groups": groups, "scope": scopes.join(" "),
            })
        };
        let access = self.sign("at+jwt", &claims(AUDIENCE))?;
        let id = scopes.iter().any(|scope| scope == "openid").then(|| self.sign("JWT", &claims(CLIENT_ID)));
        Ok((access, id.transpose()?))
    }

    fn sign(&self, kind: &str, claims: &Value) -> Result<String, IdentityError> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(kind.to_owned());
        header.kid = Some(self.0.key_id.clone());
        jsonwebtoken::encode(&header, claims, &self.0.signing)
            .map_err(|_unsigned| IdentityError::Invalid("it could not be signed"))
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(url::Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests;
