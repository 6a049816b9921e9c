//! The issuer's public keys: found by discovery, cached with limits, refreshed when a token names an unknown one.
//!
//! During an outage cached keys serve for a bounded time, then nothing verifies. Knows no claims.

use std::sync::Arc;

use jsonwebtoken::{
    Algorithm, DecodingKey, Header,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use super::remote::Remote;
use crate::{clock::WallClock, identity::IdentityError};

/// Keys older than this are refreshed before use.
const FRESH_MILLIS: i64 = 10 * 60 * 1_000;
/// Keys older than this are not used, whatever the reason that there are no newer ones.
const USABLE_MILLIS: i64 = 60 * 60 * 1_000;
/// The issuer is asked at most this often, so that junk tokens cannot make us flood it.
const ASK_AGAIN_MILLIS: i64 = 10 * 1_000;

const MAX_KEYS: usize = 64;

/// One usable key with the algorithms that it may verify.
#[derive(Clone)]
pub(super) struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    pub(super) decoding: DecodingKey,
}

/// Keys that suit the settings; everything else of the set is left out.
#[derive(Clone)]
pub(super) struct Keys(Arc<[Key]>);

impl Keys {
    /// Reads a JWK set. Keys of unknown types are skipped, as RFC 7517 §5 asks; too many are refused.
    pub(super) fn parse(document: &[u8], allowed: &[Algorithm]) -> Result<Self, IdentityError> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let unusable = |why: &str| IdentityError::Unreachable(format!("its key set is {why}"));
        let set: Set = serde_json::from_slice(document).map_err(|_malformed| unusable("malformed"))?;
        if set.keys.len() > MAX_KEYS {
            return Err(unusable("too large"));
        }
        Ok(Self(set.keys.into_iter().filter_map(|key| usable(key, allowed)).collect()))
    }

    /// The one key that this header may mean. Without a key id, only an unambiguous one.
    pub(super) fn find(&self, header: &Header) -> Option<&Key> {
        let mut fitting = self.0.iter().filter(|key| {
            key.algorithms.contains(&header.alg) && header.kid.as_ref().is_none_or(|id| key.id.as_ref() == Some(id))
        });
        let first = fitting.next();
        if fitting.next().is_some() { None } else { first }
    }
}

fn usable(key: Value, allowed: &[Algorithm]) -> Option<Key> {
    let key: Jwk = serde_json::from_value(key).ok()?;
    if !matches!(key.common.public_key_use, None | Some(PublicKeyUse::Signature)) {
        return None;
    }
    let of_type = of_type(&key.algorithm);
    let named =
        |algorithm: &Algorithm| key.common.key_algorithm.is_none_or(|name| name == KeyAlgorithm::from(*algorithm));
    let algorithms: Vec<_> = of_type.iter().filter(|one| allowed.contains(one) && named(one)).copied().collect();
    if algorithms.is_empty() {
        return None;
    }
    let decoding = DecodingKey::from_jwk(&key).ok()?;
    Some(Key { id: key.common.key_id, algorithms, decoding })
}

/// What a key of this type can verify. Symmetric keys and curves not known here verify nothing.
fn of_type(parameters: &AlgorithmParameters) -> &'static [Algorithm] {
    if let AlgorithmParameters::RSA(_) = parameters {
        return &[Algorithm::RS256, Algorithm::PS256];
    }
    if let AlgorithmParameters::OctetKeyPair(pair) = parameters {
        return if pair.curve == EllipticCurve::Ed25519 { &[Algorithm::EdDSA] } else { &[] };
    }
    let AlgorithmParameters::EllipticCurve(curve) = parameters else { return &[] };
    if curve.curve == EllipticCurve::P256 {
        &[Algorithm::ES256]
    } else if curve.curve == EllipticCurve::P384 {
        &[Algorithm::ES384]
    } else {
        &[]
    }
}

/// The cache of one issuer's keys.
pub(super) struct RemoteKeys {
    remote: Remote,
    allowed: Vec<Algorithm>,
    clock: WallClock,
    cache: Mutex<Cache>,
}

#[derive(Default)]
struct Cache {
    keys: Option<(Keys, i64)>,
    asked_at_millis: Option<i64>,
    failure: Option<IdentityError>,
}

impl RemoteKeys {
    /// Prepares the cache; asks nobody yet.
    pub(super) fn new(remote: Remote, allowed: Vec<Algorithm>, clock: WallClock) -> Self {
        Self { remote, allowed, clock, cache: Mutex::new(Cache::default()) }
    }

    /// The key that a header means, asking the issuer where the cache is stale or lacks it.
    pub(super) async fn find(&self, header: &Header) -> Result<Key, IdentityError> {
        let mut cache = self.cache.lock().await;
        let now = self.clock.unix_millis();
        let cached = cache.keys.as_ref().filter(|(_keys, at)| now - at < FRESH_MILLIS);
        if let Some(key) = cached.and_then(|(keys, _at)| keys.find(header)) {
            return Ok(key.clone());
        }
        if cache.asked_at_millis.is_none_or(|at| now - at >= ASK_AGAIN_MILLIS) {
            cache.asked_at_millis = Some(now);
            match self.fetch().await {
                Ok(keys) => {
                    cache.keys = Some((keys, now));
                    cache.failure = None;
                }
                Err(failure) => {
                    tracing::warn!(issuer = %self.remote.issuer(), %failure, "the issuer's keys could not be refreshed");
                    cache.failure = Some(failure);
                }
            }
        }
        // FAIL-CLOSED: an outage that outlasts this ends every new login.
        let usable = cache.keys.as_ref().filter(|(_keys, at)| now - at < USABLE_MILLIS);
        let missing = IdentityError::Invalid("the issuer has no such key");
        match (usable, &cache.failure) {
            (Some((keys, _at)), failure) => {
                keys.find(header).cloned().ok_or_else(|| failure.clone().unwrap_or(missing))
            }
            (None, failure) => Err(outage(failure.as_ref(), cache.keys.as_ref().map(|(_keys, at)| now - at))),
        }
    }

    /// Whether keys are at hand, asking for them at most as often as [`Self::find`] does.
    pub(super) async fn works(&self) -> bool {
        let mut header = Header::new(self.allowed.first().copied().unwrap_or(Algorithm::EdDSA));
        header.kid = None;
        !matches!(self.find(&header).await, Err(IdentityError::Unreachable(_) | IdentityError::Settings(_)))
    }

    async fn fetch(&self) -> Result<Keys, IdentityError> {
        let endpoints = self.remote.discover().await?;
        Keys::parse(&self.remote.download(&endpoints.jwks_uri).await?, &self.allowed)
    }
}

/// Why there is no key that may be used, and since when.
fn outage(failure: Option<&IdentityError>, age_millis: Option<i64>) -> IdentityError {
    let why = match failure {
        Some(IdentityError::Unreachable(why)) => why.clone(),
        Some(other) => other.to_string(),
        None => "its keys could not be had".to_owned(),
    };
    IdentityError::Unreachable(match age_millis {
        Some(age) => format!(
            "{why}; its keys were last had {} minutes ago, and are used for {} at most",
            age / 60_000,
            USABLE_MILLIS / 60_000
        ),
        None => why,
    })
}
