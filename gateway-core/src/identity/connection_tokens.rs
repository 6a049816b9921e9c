//! Passwords for native clients: each for one connection, one use, and a quarter of an hour at most.
//!
//! Kept in memory only, as SCRAM verifiers: a restart forgets every one, so none that was used can come back. All of one
//! user's for one connection share a salt, because SCRAM gives the salt before it learns which password is meant; the
//! proof is then tried on each. A user who has none gets the same exchange, with the same work, and fails at its end.

use std::{
    collections::BTreeMap,
    fmt,
    num::NonZeroU32,
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::{hmac, rand};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::{
    Verified,
    scram::{ScramParameters, ScramProof, ScramVerifier},
};
use crate::{
    clock::WallClock,
    model::{ConnectionName, Principal},
};

/// The longest life of a password.
pub const CONNECTION_TOKEN_LIFE_SECONDS: i64 = 900;

/// Live passwords of one user for one connection. Every proof is tried on exactly as many verifiers.
const MOST_PER_USER: usize = 16;
/// Live passwords in all.
const MOST: usize = 20_000;
/// What RFC 7677 asks for at least. The passwords are random, so that guessing is hopeless however few they are.
const ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).unwrap();
const PASSWORD_BYTES: usize = 24;

/// Why no password is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionTokenError {
    /// The login behind it is over.
    #[error("the login has expired")]
    Expired,
    /// Too many wait to be spent.
    #[error("too many passwords wait to be used; each is forgotten a quarter of an hour after it was made")]
    TooMany,
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    NoRandomness,
}

/// A password that was just made. It is shown once and not kept.
#[derive(Debug)]
pub struct IssuedConnectionToken {
    /// Its public name, for the record.
    pub id: String,
    /// The password.
    pub password: SecretString,
    /// When it ends, seconds since 1970.
    pub expires_at: i64,
}

/// Who came in with a password, which is used up now.
#[derive(Debug)]
pub struct Redeemed {
    /// The password's public name.
    pub id: String,
    /// Who, and until when the login behind it lasts.
    pub verified: Verified,
}

/// Makes and redeems passwords for native clients; cheap to clone.
#[derive(Clone)]
pub struct ConnectionTokens(Arc<Inner>);

struct Inner {
    live: Mutex<BTreeMap<(String, ConnectionName), Vec<Live>>>,
    salting: hmac::Key,
    nobody: ScramVerifier,
    clock: WallClock,
}

struct Live {
    id: String,
    verifier: ScramVerifier,
    verified: Verified,
    expires_at: i64,
}

impl fmt::Debug for ConnectionTokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ConnectionTokens")
    }
}

impl ConnectionTokens {
    /// Starts without any.
    pub fn new(clock: WallClock) -> Result<Self, ConnectionTokenError> {
        let (salting, nobody) = (Zeroizing::new(random::<32>()?), random()?);
        Ok(Self(Arc::new(Inner {
            live: Mutex::default(),
            salting: hmac::Key::new(hmac::HMAC_SHA256, salting.as_ref()),
            nobody: ScramVerifier::unmatchable(nobody),
            clock,
        })))
    }

    /// Makes one for whoever holds this login. It ends with the login, if that is sooner.
    pub fn issue(
        &self,
        login: &Verified,
        connection: &ConnectionName,
    ) -> Result<IssuedConnectionToken, ConnectionTokenError> {
        let now = self.0.clock.unix_seconds();
        let expires_at = login.expires_at.min(now.saturating_add(CONNECTION_TOKEN_LIFE_SECONDS));
        if expires_at <= now {
            return Err(ConnectionTokenError::Expired);
        }
        let secret = Zeroizing::new(random::<PASSWORD_BYTES>()?);
        let id = format!("tok_{}", URL_SAFE_NO_PAD.encode(random::<9>()?));
        let password = SecretString::from(format!("hoop_{}", URL_SAFE_NO_PAD.encode(secret.as_ref())));
        let user = login.principal.name.as_str();
        let verifier = ScramVerifier::derive(password.expose_secret(), &self.parameters(user, connection));
        let mut live = self.lock();
        live.retain(|_, live| {
            live.retain(|one| one.expires_at > now);
            !live.is_empty()
        });
        let all: usize = live.values().map(Vec::len).sum();
        let own = live.entry((user.to_owned(), connection.clone())).or_default();
        if own.len() >= MOST_PER_USER || all >= MOST {
            return Err(ConnectionTokenError::TooMany);
        }
        own.push(Live { id: id.clone(), verifier, verified: login.clone(), expires_at });
        Ok(IssuedConnectionToken { id, password, expires_at })
    }

    /// Salt and iterations for a user on a connection: always the same, whether there is such a user or not.
    pub fn parameters(&self, user: &str, connection: &ConnectionName) -> ScramParameters {
        let mut context = hmac::Context::with_key(&self.0.salting);
        for part in [connection.as_str(), user] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut salt = [0; 16];
        salt.iter_mut().zip(context.sign().as_ref()).for_each(|(to, from)| *to = *from);
        ScramParameters { salt, iterations: ITERATIONS }
    }

    /// Uses up the password that the proof is of. Nobody else can use it from then on. With it comes server-final-message.
    pub fn redeem(&self, user: &str, connection: &ConnectionName, proof: &ScramProof) -> Option<(Redeemed, String)> {
        let spent = self.take(user, connection, |verifier| proof.fits(verifier))?;
        Some((Redeemed { id: spent.id, verified: spent.verified }, proof.answer(&spent.verifier)))
    }

    /// Uses up a password that was said itself, where a protocol knows no proof of it and encrypts what is said.
    pub fn redeem_said(&self, user: &str, connection: &ConnectionName, password: &str) -> Option<Redeemed> {
        let said = ScramVerifier::derive(password, &self.parameters(user, connection));
        let spent = self.take(user, connection, |verifier| verifier.is(&said))?;
        Some(Redeemed { id: spent.id, verified: spent.verified })
    }

    fn take(&self, user: &str, connection: &ConnectionName, fits: impl Fn(&ScramVerifier) -> bool) -> Option<Live> {
        let now = self.0.clock.unix_seconds();
        let mut all = self.lock();
        let own = all.get_mut(&(user.to_owned(), connection.clone()));
        let mut none = Vec::new();
        let own = own.unwrap_or(&mut none);
        // The same number of checks whoever asks, and no end at the first that fits.
        let mut found = None;
        for place in 0..MOST_PER_USER {
            let fits = fits(own.get(place).map_or(&self.0.nobody, |live| &live.verifier));
            if fits && place < own.len() {
                found = Some(place);
            }
        }
        let spent = own.swap_remove(found?);
        (spent.expires_at > now).then_some(spent)
    }

    /// Forgets what a principal has not used: they logged out.
    pub fn forget(&self, principal: &Principal) {
        let same = |live: &Live| {
            live.verified.principal.kind == principal.kind && live.verified.principal.name == principal.name
        };
        self.lock().retain(|_, live| {
            live.retain(|one| !same(one));
            !live.is_empty()
        });
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(String, ConnectionName), Vec<Live>>> {
        self.0.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn random<const LENGTH: usize>() -> Result<[u8; LENGTH], ConnectionTokenError> {
    let mut bytes = [0; LENGTH];
    rand::fill(&mut bytes).map_err(|_unspecified| ConnectionTokenError::NoRandomness)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};

    use super::{
        super::scram::{SCRAM_SHA_256, challenge},
        *,
    };
    use crate::model::{Authentication, PrincipalKind, PrincipalName};

    struct World {
        tokens: ConnectionTokens,
        clock: WallClock,
        login: Verified,
    }

    fn world() -> World {
        let clock = WallClock::manual(1_000_000_000);
        let principal = Principal {
            kind: PrincipalKind::User,
            name: PrincipalName::new("alice").unwrap(),
            groups: BTreeSet::new(),
            claims: BTreeMap::new(),
            owner: None,
            lent_by: None,
        };
        let expires_at = clock.unix_seconds() + 3600;
        let login = Verified { principal, expires_at, authentication: Authentication::default() };
        World { tokens: ConnectionTokens::new(clock.clone()).unwrap(), clock, login }
    }

    fn prod() -> ConnectionName {
        ConnectionName::new("pg-prod").unwrap()
    }

    impl World {
        fn issue(&self) -> String {
            self.tokens.issue(&self.login, &prod()).unwrap().password.expose_secret().to_owned()
        }

        fn redeem(&self, user: &str, connection: &ConnectionName, password: &str) -> Option<Redeemed> {
            let mut client = ScramSha256::new(password.as_bytes(), ChannelBinding::unsupported());
            let parameters = self.tokens.parameters(user, connection);
            let challenge = challenge(SCRAM_SHA_256, client.message(), None, "server", &parameters).unwrap();
            client.update(challenge.message.as_bytes()).unwrap();
            let proof = challenge.proof(client.message()).unwrap();
            let (redeemed, answer) = self.tokens.redeem(user, connection, &proof)?;
            client.finish(answer.as_bytes()).expect("the server proves itself");
            Some(redeemed)
        }
    }

    #[test]
    fn a_password_works_once_for_its_user_on_its_connection() {
        let world = world();
        let password = world.issue();
        let other = ConnectionName::new("pg-dev").unwrap();
        assert!(world.redeem("alice", &other, &password).is_none());
        assert!(world.redeem("bob", &prod(), &password).is_none());
        assert_eq!(world.redeem("alice", &prod(), &password).unwrap().verified, world.login);
        assert!(world.redeem("alice", &prod(), &password).is_none());
    }

    #[test]
    fn a_password_that_is_said_itself_is_checked_and_used_up_likewise() {
        let world = world();
        let (password, proven) = (world.issue(), world.issue());
        let (here, other) = (prod(), ConnectionName::new("pg-dev").unwrap());
        let said = |user, connection, password: &str| world.tokens.redeem_said(user, connection, password);
        assert!(said("alice", &other, &password).is_none() && said("bob", &here, &password).is_none());
        for wrong in ["", "hoop_", &password.to_lowercase(), &format!("{password}x"), "p\u{e4}ssword"] {
            assert!(said("alice", &here, wrong).is_none(), "{wrong}");
        }
        assert_eq!(said("alice", &here, &password).unwrap().verified, world.login);
        assert!(said("alice", &here, &password).is_none());
        assert!(world.redeem("alice", &here, &proven).is_some() && said("alice", &here, &proven).is_none());
        let late = world.issue();
        world.clock.advance(CONNECTION_TOKEN_LIFE_SECONDS * 1000);
        assert!(said("alice", &here, &late).is_none());
    }

    #[test]
    fn several_live_passwords_of_one_user_each_work() {
        let world = world();
        let passwords: Vec<String> = (0..MOST_PER_USER).map(|_| world.issue()).collect();
        assert_eq!(world.tokens.issue(&world.login, &prod()).unwrap_err(), ConnectionTokenError::TooMany);
        for password in passwords.iter().rev().step_by(2).chain(passwords.iter().step_by(2)) {
            assert!(world.redeem("alice", &prod(), password).is_some());
        }
        world.issue();
    }

    #[test]
    fn a_password_ends_after_a_quarter_of_an_hour_and_with_its_login() {
        let mut world = world();
        let password = world.issue();
        world.clock.advance(CONNECTION_TOKEN_LIFE_SECONDS * 1000);
        assert!(world.redeem("alice", &prod(), &password).is_none());
        let now = world.clock.unix_seconds();
        world.login.expires_at = now + 60;
        assert_eq!(world.tokens.issue(&world.login, &prod()).unwrap().expires_at, now + 60);
        world.login.expires_at = now;
        assert_eq!(world.tokens.issue(&world.login, &prod()).unwrap_err(), ConnectionTokenError::Expired);
    }

    #[test]
    fn a_logout_voids_what_was_not_used() {
        let world = world();
        let password = world.issue();
        world.tokens.forget(&world.login.principal);
        assert!(world.redeem("alice", &prod(), &password).is_none());
    }

    #[test]
    fn a_stranger_is_asked_as_a_user_is() {
        let world = world();
        let before = world.tokens.parameters("alice", &prod());
        world.issue();
        assert_eq!(world.tokens.parameters("alice", &prod()), before);
        let stranger = world.tokens.parameters("mallory", &prod());
        assert_eq!(stranger, world.tokens.parameters("mallory", &prod()));
        assert_eq!(stranger.iterations, before.iterations);
        assert_ne!(stranger.salt, before.salt);
    }
}
