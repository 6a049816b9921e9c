//! The gateway's own short-lived bearer tokens: what a laptop presents after its issuer's token was validated once.
//!
//! Ed25519-signed JWTs of a type, issuer and audience that no other token of ours has. The key is a 0600 file, a
//! different one with `--dev`. Knows no HTTP. Called by the token exchange and by whoever takes a bearer.

use std::{
    collections::BTreeSet,
    fmt, fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{IdentityError, Verified, ended::EndedLogins};
use crate::{
    clock::WallClock,
    lasting,
    model::{Authentication, ConnectionName, Presence, Principal, RunId, RunScope},
};

/// The longest life of a token of a login that can be renewed.
pub const TOKEN_LIFE_SECONDS: i64 = 600;

const AUDIENCE: &str = "hoop-gateway";
const ENDED_FILE: &str = "ended-logins.json";
const TYPE: &str = "hoop-gateway+jwt";
const MAX_TOKEN_BYTES: usize = 16 * 1024;
const MAX_KEY_FILE_BYTES: u64 = 4 * 1024;

/// Why the signing key cannot be used. The gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum TokenKeyError {
    /// The file cannot be read or written.
    #[error("the token key `{}` cannot be used", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// Others can read it.
    #[error("the token key `{}` is readable by others; run `chmod 600` on it, or delete it to make a new one", .0.display())]
    Exposed(PathBuf),
    /// It is not an Ed25519 key.
    #[error("the token key `{}` is damaged; delete it to make a new one", .0.display())]
    Damaged(PathBuf),
    /// The list of logins that were ended cannot be read.
    #[error(
        "the list of ended logins `{}` cannot be read; delete it only if every token of the last twelve hours may count",
        .0.display()
    )]
    Ended(PathBuf, #[source] io::Error),
    /// No key could be made.
    #[error("no token key could be made")]
    Unmade,
}

/// Which gateway a key belongs to: a key made with `--dev` is never valid without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyUse {
    /// A real gateway.
    Production,
    /// A gateway started with `--dev`.
    Development,
}

/// A freshly issued token.
#[derive(Debug)]
pub struct Issued {
    /// The bearer.
    pub token: SecretString,
    /// When it ends, seconds since 1970.
    pub expires_at: i64,
}

/// Issues and verifies the gateway's own tokens; cheap to clone.
#[derive(Clone)]
pub struct GatewayTokens(Arc<Inner>);

struct Inner {
    signing: EncodingKey,
    verifying: DecodingKey,
    issuer: String,
    validation: Validation,
    clock: WallClock,
    ended: EndedLogins,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    iat: i64,
    exp: i64,
    /// When it was made, to the millisecond: a logout ends what was made before it.
    #[serde(default)]
    made_millis: i64,
    /// When the login that proved it ends: what native sessions live by, which nobody renews.
    #[serde(default)]
    login: Option<i64>,
    /// When and how they proved who they are; a new token of the same login says the same.
    #[serde(default)]
    authentication: Authentication,
    principal: Principal,
    /// A run's token opens streams on its connections; everything else refuses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<RunId>,
    /// Where a run may go.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    connections: BTreeSet<ConnectionName>,
}

impl fmt::Debug for GatewayTokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("GatewayTokens").field("issuer", &self.0.issuer).finish_non_exhaustive()
    }
}

/// No token lasts longer: a login that nothing renews has at most twelve hours (`[identity.saml] login_minutes`).
const LONGEST_TOKEN_SECONDS: i64 = 12 * 60 * 60;

impl GatewayTokens {
    /// Opens the key in `directory`, making it on first use. Refuses a key that others can read.
    pub fn open(directory: &Path, key_use: KeyUse, issuer: &str, clock: WallClock) -> Result<Self, TokenKeyError> {
        let name = match key_use {
            KeyUse::Production => "gateway-token.pk8",
            KeyUse::Development => "gateway-token-dev.pk8",
        };
        let path = directory.join(name);
        let key = match fs::symlink_metadata(&path) {
            Ok(metadata) => read_key(&path, &metadata)?,
            Err(failure) if failure.kind() == io::ErrorKind::NotFound => make_key(directory, &path)?,
            Err(failure) => return Err(TokenKeyError::File(path, failure)),
        };
        let pair = Ed25519KeyPair::from_pkcs8(&key).map_err(|_damaged| TokenKeyError::Damaged(path))?;
        let list = directory.join(ENDED_FILE);
        let ended = EndedLogins::open(&list).map_err(|failure| TokenKeyError::Ended(list, failure))?;
        Ok(Self::with_key(&key, &pair, issuer, clock, ended))
    }

    /// Tokens of a key that lives in memory only.
    pub fn ephemeral(issuer: &str, clock: WallClock) -> Result<Self, TokenKeyError> {
        let key = generate()?;
        let pair = Ed25519KeyPair::from_pkcs8(&key).map_err(|_unmade| TokenKeyError::Unmade)?;
        Ok(Self::with_key(&key, &pair, issuer, clock, EndedLogins::in_memory()))
    }

    /// Ends every token that was made for a principal until now. One that cannot be kept is an error, and ends nothing.
    pub fn end(&self, principal: &Principal) -> io::Result<()> {
        let now = self.0.clock.unix_millis();
        self.0.ended.end(principal, now, now.saturating_sub(LONGEST_TOKEN_SECONDS * 1_000))
    }

    fn with_key(key: &[u8], pair: &Ed25519KeyPair, issuer: &str, clock: WallClock, ended: EndedLogins) -> Self {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Times are checked here, against the clock that was passed in.
        validation.validate_exp = false;
        Self(Arc::new(Inner {
            signing: EncodingKey::from_ed_der(key),
            verifying: DecodingKey::from_ed_der(pair.public_key().as_ref()),
            issuer: issuer.to_owned(),
            validation,
            clock,
            ended,
        }))
    }

    /// Issues a token for a verified principal: ten minutes, never longer than what proved it.
    pub fn issue(&self, verified: &Verified) -> Result<Issued, IdentityError> {
        self.issue_for(verified, None, TOKEN_LIFE_SECONDS)
    }

    /// Issues a token that lasts as long as what proved it: of a login that nothing can renew.
    pub fn issue_whole_login(&self, verified: &Verified) -> Result<Issued, IdentityError> {
        self.issue_for(verified, None, i64::MAX)
    }

    /// Issues the token of a run: good for opening streams on its connections and for nothing else.
    pub fn issue_run(&self, verified: &Verified, scope: RunScope) -> Result<Issued, IdentityError> {
        self.issue_for(verified, Some(scope), TOKEN_LIFE_SECONDS)
    }

    fn issue_for(&self, verified: &Verified, scope: Option<RunScope>, longest: i64) -> Result<Issued, IdentityError> {
        let now = self.0.clock.unix_seconds();
        let expires_at = verified.expires_at.min(now.saturating_add(longest));
        if expires_at <= now {
            return Err(IdentityError::Expired);
        }
        let principal = verified.principal.clone();
        let (run, connections) = scope.map(|scope| (scope.run, scope.connections)).unzip();
        let connections = connections.unwrap_or_default();
        let claims = Claims {
            iss: self.0.issuer.clone(),
            aud: AUDIENCE.to_owned(),
            sub: principal.name.to_string(),
            iat: now,
            exp: expires_at,
            made_millis: self.0.clock.unix_millis(),
            login: Some(verified.expires_at),
            authentication: verified.authentication.clone(),
            principal,
            run,
            connections,
        };
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYPE.to_owned());
        let token = jsonwebtoken::encode(&header, &claims, &self.0.signing)
            .map_err(|_unsigned| IdentityError::Invalid("it could not be signed"))?;
        if token.len() > MAX_TOKEN_BYTES {
            return Err(IdentityError::Invalid("groups and claims are too large for a token"));
        }
        Ok(Issued { token: SecretString::from(token), expires_at })
    }

    /// Verifies a bearer. Refuses everything that this gateway did not sign for itself and for now.
    pub fn verify(&self, token: &str) -> Result<Verified, IdentityError> {
        self.verify_with_login(token).map(|(verified, _login)| verified)
    }

    /// Verifies the bearer of a stream: somebody's own, or a run's. When it ends is seconds since 1970.
    pub fn verify_stream(&self, token: &str) -> Result<(Presence, i64), IdentityError> {
        let claims = self.claims(token)?;
        let connections = claims.connections;
        let scope = claims.run.map(|run| Arc::new(RunScope { run, connections }));
        let presence = Presence { principal: claims.principal, scope };
        Ok((presence, claims.exp))
    }

    /// Verifies a bearer, and gives besides when the login that proved it ends, which is later than the bearer's own end.
    pub fn verify_with_login(&self, token: &str) -> Result<(Verified, i64), IdentityError> {
        let claims = self.claims(token)?;
        // FAIL-CLOSED: what runs inside a run must not approve, list or look in the name of who started it.
        if claims.run.is_some() || !claims.connections.is_empty() {
            return Err(IdentityError::Invalid("it is a run's, which opens the run's connections and nothing else"));
        }
        let login = claims.login.unwrap_or(claims.exp).max(claims.exp);
        let Claims { principal, exp: expires_at, authentication, .. } = claims;
        Ok((Verified { principal, expires_at, authentication }, login))
    }

    fn claims(&self, token: &str) -> Result<Claims, IdentityError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(IdentityError::Invalid("it is too long"));
        }
        let data = jsonwebtoken::decode::<Claims>(token, &self.0.verifying, &self.0.validation)
            .map_err(|_refused| IdentityError::Invalid("this gateway did not issue it"))?;
        if data.header.typ.as_deref() != Some(TYPE) {
            return Err(IdentityError::Invalid("it is of another type"));
        }
        // The library takes a list of issuers too, if ours is in it.
        if data.claims.iss != self.0.issuer || data.claims.aud != AUDIENCE {
            return Err(IdentityError::Invalid("this gateway did not issue it"));
        }
        let now = self.0.clock.unix_seconds();
        // Our own clock signed it, so there is no leeway.
        if data.claims.exp <= now {
            return Err(IdentityError::Expired);
        }
        // A run's token counts for its agent and for whoever lent it their presence.
        if data.claims.principal.everyone().any(|one| self.0.ended.covers(one, data.claims.made_millis)) {
            return Err(IdentityError::Invalid("its login was ended (`hoop logout`)"));
        }
        Ok(data.claims)
    }
}

fn read_key(path: &Path, metadata: &fs::Metadata) -> Result<Zeroizing<Vec<u8>>, TokenKeyError> {
    if !metadata.is_file() || metadata.len() > MAX_KEY_FILE_BYTES {
        return Err(TokenKeyError::Damaged(path.to_owned()));
    }
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(TokenKeyError::Exposed(path.to_owned()));
    }
    fs::read(path).map(Zeroizing::new).map_err(|failure| TokenKeyError::File(path.to_owned(), failure))
}

fn make_key(directory: &Path, path: &Path) -> Result<Zeroizing<Vec<u8>>, TokenKeyError> {
    let key = generate()?;
    write_key(directory, path, &key).map_err(|failure| TokenKeyError::File(path.to_owned(), failure))?;
    Ok(key)
}

fn write_key(directory: &Path, path: &Path, key: &[u8]) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700))?;
    lasting::create(path, key)
}

fn generate() -> Result<Zeroizing<Vec<u8>>, TokenKeyError> {
    let pair = Ed25519KeyPair::generate().map_err(|_unmade| TokenKeyError::Unmade)?;
    let document = pair.to_pkcs8().map_err(|_unmade| TokenKeyError::Unmade)?;
    Ok(Zeroizing::new(document.as_ref().to_vec()))
}

#[cfg(test)]
mod tests;
