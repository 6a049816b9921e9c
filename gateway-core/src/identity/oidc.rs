//! Validates the tokens of the login's OIDC issuer, and of those of service accounts: signature first, then every claim, then who that is here.
//!
//! Which algorithm is accepted comes from the settings and the key, never from the token alone. Called by the token
//! exchange of the API.

mod claims;
mod directory;
mod google;
mod keys;
mod relay;
mod remote;

pub use self::relay::{IssuerAnswer, IssuerCall, RelayError};

use std::{collections::BTreeSet, fmt, net::IpAddr, sync::Arc};

use jsonwebtoken::{Algorithm, Validation};
use secrecy::SecretString;
use serde_json::{Map, Value};

use self::{
    claims::Presented,
    directory::Directory,
    google::GoogleGroups,
    keys::{Key, Keys, RemoteKeys},
    relay::Relay,
    remote::{Discovered, Remote},
};
use super::{Agents, IdentityError, Verified};
use crate::{
    api::types::{IdentityInfo, LoginWay, TokenChoice},
    clock::WallClock,
    config::{GroupsFrom, OidcConfig, SigningAlgorithm, WorkloadIssuer, default_claims},
    credential::Secrets,
    model::PrincipalKind,
};

const MAX_TOKEN_BYTES: usize = 32 * 1024;

/// Validates issuer tokens; cheap to clone.
#[derive(Clone)]
pub struct Verifier {
    login: Login,
    workloads: Arc<[Workload]>,
    readable: Arc<BTreeSet<String>>,
}

#[derive(Clone)]
enum Login {
    Issuer(Arc<Inner>),
    /// People do not come with an issuer's token here.
    Elsewhere {
        info: Arc<IdentityInfo>,
        login_seconds: i64,
        clock: WallClock,
    },
}

struct Inner {
    config: OidcConfig,
    agents: Agents,
    keys: Source,
    directory: Directory,
    relay: Option<Relay>,
    clock: WallClock,
}

/// An issuer of service accounts, and who its tokens may be.
struct Workload {
    config: WorkloadIssuer,
    agents: Agents,
    keys: RemoteKeys,
}

enum Source {
    Remote(RemoteKeys),
    /// Of the provider in this very process, which is never asked over the network.
    InProcess(Keys),
}

impl fmt::Debug for Verifier {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Verifier").field("issuer", &self.info().issuer).finish_non_exhaustive()
    }
}

impl Verifier {
    /// Prepares a verifier for a discovered issuer; nothing is fetched yet. `authorities` is the content of
    /// `ca_file`. Refuses settings that could never verify anything safely.
    pub fn discovered(
        config: OidcConfig,
        agents: impl Into<Agents>,
        authorities: Option<&[u8]>,
        secrets: &Secrets,
        clock: WallClock,
    ) -> Result<Self, IdentityError> {
        let remote = Remote::new(&config.issuer, authorities)?;
        let keys = RemoteKeys::new(remote.clone(), allowed(&config.algorithms)?, clock.clone());
        let discovered = || Discovered::new(remote.clone(), clock.clone());
        let directory = match &config.options.groups_from {
            GroupsFrom::Token => Directory::Token,
            GroupsFrom::Userinfo => Directory::Userinfo(discovered()),
            GroupsFrom::Google(directory) => {
                Directory::Google(GoogleGroups::new(directory.clone(), authorities, secrets.clone(), clock.clone())?)
            }
        };
        let secret = config.options.client_secret.clone();
        let relay = secret.map(|secret| Relay::new(discovered(), config.client_id.clone(), secret, secrets.clone()));
        Ok(Self::of(Inner { config, agents: agents.into(), keys: Source::Remote(keys), directory, relay, clock }))
    }

    fn of(login: Inner) -> Self {
        Self::over(Login::Issuer(Arc::new(login)))
    }

    fn over(login: Login) -> Self {
        Self { login, workloads: Arc::from([]), readable: Arc::new(default_claims()) }
    }

    /// A verifier of service accounts alone: people log in as `info` says.
    /// `login_seconds` is how long such a login lasts at most.
    pub fn without_people(info: IdentityInfo, login_seconds: i64, clock: WallClock) -> Self {
        Self::over(Login::Elsewhere { info: Arc::new(info), login_seconds, clock })
    }

    /// The same, whose principals have the claims of these names and no others.
    #[must_use]
    pub fn with_claims(self, readable: BTreeSet<String>) -> Self {
        Self { readable: Arc::new(readable), ..self }
    }

    /// The same, which takes tokens of these issuers besides: as agents only. With each comes the content of its
    /// `ca_file`.
    pub fn with_workloads(
        self,
        issuers: Vec<(WorkloadIssuer, Option<Vec<u8>>)>,
        agents: &Agents,
    ) -> Result<Self, IdentityError> {
        let workload = |(config, authorities): (WorkloadIssuer, Option<Vec<u8>>)| {
            let (allowed, clock) = (allowed(&config.algorithms)?, self.clock().clone());
            let keys = RemoteKeys::new(Remote::new(&config.issuer, authorities.as_deref())?, allowed, clock);
            Ok(Workload { config, agents: agents.clone(), keys })
        };
        let workloads = issuers.into_iter().map(workload).collect::<Result<Arc<[_]>, IdentityError>>()?;
        Ok(Self { workloads, ..self })
    }

    /// A verifier with keys handed over in this process.
    pub(super) fn in_process(
        config: OidcConfig,
        agents: impl Into<Agents>,
        key_set: &[u8],
        clock: WallClock,
    ) -> Result<Self, IdentityError> {
        let keys = Keys::parse(key_set, &allowed(&config.algorithms)?)?;
        let (keys, directory, relay) = (Source::InProcess(keys), Directory::Token, None);
        Ok(Self::of(Inner { config, agents: agents.into(), keys, directory, relay, clock }))
    }

    /// Where and how to log in, for clients.
    pub fn info(&self) -> IdentityInfo {
        let login = match &self.login {
            Login::Issuer(login) => login,
            Login::Elsewhere { info, .. } => return info.as_ref().clone(),
        };
        let config = &login.config;
        IdentityInfo {
            issuer: config.issuer.clone(),
            client_id: config.client_id.clone(),
            scopes: config.scopes.clone(),
            token: config.token,
            way: LoginWay::Issuer,
            redirect_uri: config.options.redirect_uri.clone(),
            via_gateway: login.relay.is_some(),
            wants_access_token: config.token == TokenChoice::Id && config.options.groups_from == GroupsFrom::Userinfo,
        }
    }

    fn clock(&self) -> &WallClock {
        match &self.login {
            Login::Issuer(login) => &login.clock,
            Login::Elsewhere { clock, .. } => clock,
        }
    }

    /// How long a person whom the issuer disabled may go on at most, in seconds.
    pub fn login_seconds(&self) -> i64 {
        match &self.login {
            Login::Issuer(login) => login.config.options.login_seconds,
            Login::Elsewhere { login_seconds, .. } => *login_seconds,
        }
    }

    /// Asks the issuer for the CLI, where the client has a secret that the CLI must not see.
    /// `from` is where it came from.
    pub async fn relay(&self, call: IssuerCall, form: &[u8], from: Option<IpAddr>) -> Result<IssuerAnswer, RelayError> {
        let Login::Issuer(login) = &self.login else { return Err(RelayError::NotNeeded) };
        login.relay.as_ref().ok_or(RelayError::NotNeeded)?.ask(call, form, from).await
    }

    /// Whether tokens can be verified now.
    pub async fn works(&self) -> bool {
        let Login::Issuer(login) = &self.login else { return true };
        match &login.keys {
            Source::Remote(keys) => keys.works().await,
            Source::InProcess(_) => true,
        }
    }

    /// Validates a token and names its principal. Refuses whatever it cannot prove.
    pub async fn verify(&self, token: &str) -> Result<Verified, IdentityError> {
        self.verify_with(token, None).await
    }

    /// The same; `access` is the access token that came with an ID token, for groups that are asked for with it.
    pub async fn verify_with(&self, token: &str, access: Option<&SecretString>) -> Result<Verified, IdentityError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(IdentityError::Invalid("it is too long"));
        }
        let header = jsonwebtoken::decode_header(token)
            .map_err(|_malformed| IdentityError::Invalid("it is not a signed JWT, or of an algorithm not accepted"))?;
        if header.crit.is_some() {
            return Err(IdentityError::Invalid("it demands extensions that are not understood"));
        }
        let now = self.clock().unix_seconds();
        // Which issuer is asked for its keys is chosen by what the token says; what it says is believed only then.
        let said = claims::said_issuer(token);
        if let Some(workload) = self.workloads.iter().find(|one| said.as_deref() == Some(one.config.issuer.as_str())) {
            let key = workload.key_for(&header).await?;
            let token = proved(token, &header, &key)?;
            let presented = Presented { header_type: token.header.typ.as_deref(), claims: &token.claims };
            return claims::prove_workload(&presented, &workload.config, &workload.agents.rules(), &self.readable, now);
        }
        let Login::Issuer(login) = &self.login else {
            return Err(IdentityError::Invalid(
                "people log in at the gateway's device page here, without an issuer's token",
            ));
        };
        let key = login.key_for(&header).await?;
        let itself = (login.config.token == TokenChoice::Access).then(|| SecretString::from(token));
        let token = proved(token, &header, &key)?;
        let presented = Presented { header_type: token.header.typ.as_deref(), claims: &token.claims };
        let mut verified = claims::prove(&presented, &login.config, &login.agents.rules(), &self.readable, now)?;
        if verified.principal.kind == PrincipalKind::User {
            let asked = login.directory.groups(&token.claims, itself.as_ref().or(access), &login.config).await?;
            verified.principal.groups.extend(asked.into_iter().flatten());
        }
        Ok(verified)
    }
}

type Proved = jsonwebtoken::TokenData<Map<String, Value>>;

/// The claims of a token whose signature this key made.
fn proved(token: &str, header: &jsonwebtoken::Header, key: &Key) -> Result<Proved, IdentityError> {
    // INVARIANT: the key was found by this algorithm, which is both in the settings and of the key's type.
    let mut validation = Validation::new(header.alg);
    // Claims are checked in `claims`, strictly and against the clock that was passed in.
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    jsonwebtoken::decode(token, &key.decoding, &validation)
        .map_err(|_refused| IdentityError::Invalid("its signature does not verify"))
}

fn check_algorithm(header: &jsonwebtoken::Header, accepted: &[SigningAlgorithm]) -> Result<(), IdentityError> {
    if allowed(accepted)?.contains(&header.alg) {
        return Ok(());
    }
    Err(IdentityError::Invalid("its algorithm is not accepted"))
}

impl Workload {
    async fn key_for(&self, header: &jsonwebtoken::Header) -> Result<Key, IdentityError> {
        check_algorithm(header, &self.config.algorithms)?;
        self.keys.find(header).await
    }
}

impl Inner {
    async fn key_for(&self, header: &jsonwebtoken::Header) -> Result<Key, IdentityError> {
        check_algorithm(header, &self.config.algorithms)?;
        match &self.keys {
            Source::Remote(keys) => keys.find(header).await,
            Source::InProcess(keys) => {
                keys.find(header).cloned().ok_or(IdentityError::Invalid("the issuer has no such key"))
            }
        }
    }
}

fn allowed(accepted: &[SigningAlgorithm]) -> Result<Vec<Algorithm>, IdentityError> {
    let algorithms: Vec<_> = accepted
        .iter()
        .map(|algorithm| match algorithm {
            SigningAlgorithm::Rs256 => Algorithm::RS256,
            SigningAlgorithm::Ps256 => Algorithm::PS256,
            SigningAlgorithm::Es256 => Algorithm::ES256,
            SigningAlgorithm::Es384 => Algorithm::ES384,
            SigningAlgorithm::EdDsa => Algorithm::EdDSA,
        })
        .collect();
    if algorithms.is_empty() {
        return Err(IdentityError::Settings("algorithms names none".to_owned()));
    }
    Ok(algorithms)
}

#[cfg(test)]
mod tests;
