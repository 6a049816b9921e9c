//! Logging in to a machine: who it is is checked before anything is said, then the gateway's own credential.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use russh::{
    client,
    keys::{Algorithm, EcdsaCurve, HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKey},
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::io::BufReader;
use tokio_util::sync::CancellationToken;

use super::{Cut, LinkEnds, SshError, SshKeys, host::Host, keys::Certified};
use crate::{
    clock::WallClock,
    config::{Credential, HostTrust, SshCredential, SshSettings},
    credential::Secrets,
    shell::Reader,
    upstream::{Target, Wire, dial},
};

/// How long a login may take.
const PATIENCE: Duration = Duration::from_secs(20);
const READ_AHEAD_BYTES: usize = 64 * 1024;

/// How the gateway logs in to one machine.
pub struct SshLogin {
    credential: Credential,
    secrets: Secrets,
    keys: SshKeys,
    clock: WallClock,
    /// When the account's shell was last seen to be one that is known. Another one is asked again each time.
    reader_known: Mutex<Option<Instant>>,
}

/// For so long a shell is taken for what it was: somebody may give the account another one.
const READER_GOOD_FOR: Duration = Duration::from_mins(5);

impl fmt::Debug for SshLogin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SshLogin").field("username", &self.credential.username()).finish_non_exhaustive()
    }
}

impl SshLogin {
    /// By a site's credential; what it refers to is had anew for each login.
    pub fn new(credential: Credential, secrets: Secrets, keys: SshKeys, clock: WallClock) -> Self {
        Self { credential, secrets, keys, clock, reader_known: Mutex::default() }
    }

    /// Who reads the account's command lines, where that was seen not long ago.
    pub(super) fn reader(&self) -> Option<Reader> {
        let known = *self.reader_known.lock().unwrap_or_else(PoisonError::into_inner);
        known.filter(|since| since.elapsed() < READER_GOOD_FOR).map(|_recently| Reader::Known)
    }

    /// Remembers it.
    pub(super) fn saw(&self, reader: Reader) {
        let known = (reader == Reader::Known).then(Instant::now);
        *self.reader_known.lock().unwrap_or_else(PoisonError::into_inner) = known;
    }

    pub(super) fn makes_certificates(&self) -> bool {
        matches!(self.credential, Credential::Ssh(SshCredential::Certificate { .. }))
    }
}

/// A private key as a site keeps it.
fn private_key(text: &SecretString) -> Result<PrivateKey, SshError> {
    // The last line break of a file is not part of a secret; here it is of the format.
    let key = PrivateKey::from_openssh(format!("{}\n", text.expose_secret().trim_end()))
        .map_err(|_unreadable| SshError::Credential("it is no private key in OpenSSH's format"))?;
    if key.is_encrypted() {
        return Err(SshError::Credential("the private key has a passphrase; take it off, or use another key"));
    }
    Ok(key)
}

/// What the gateway does by itself: log in, for a session, and for less where a certificate binds to it.
#[derive(Debug)]
pub struct LoginOrder {
    /// For whom: the certificate's key id, and so the machine's own log, names it.
    pub key_id: String,
    /// What the link is for.
    pub purpose: LinkPurpose,
}

/// What a link is for, as far as a certificate can bind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkPurpose {
    /// What the channels of a session share.
    Session,
    /// This command alone.
    Command(Bytes),
    /// Ways through the machine, and nothing else.
    Forwarding,
}

/// A conversation with a machine, logged in.
#[derive(Clone)]
pub struct SshLink {
    pub(super) handle: Arc<client::Handle<Host>>,
    /// Where a certificate forces a command on it: no signal reaches what runs.
    pub(super) forced: Option<LinkEnds>,
}

impl fmt::Debug for SshLink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SshLink")
    }
}

impl SshLink {
    pub(super) fn is_open(&self) -> bool {
        !self.handle.is_closed()
    }
}

/// Dials, checks the host, logs in.
pub(in crate::upstream) async fn log_in(
    target: &Target,
    settings: &SshSettings,
    login: &SshLogin,
    order: LoginOrder,
    cut: CancellationToken,
) -> Result<SshLink, SshError> {
    let attempt = async {
        let wire = dial(target).await?;
        let ends = LinkEnds::of(&wire).filter(|_| matches!(order.purpose, LinkPurpose::Command(_)));
        let shown = Arc::new(Mutex::new(None));
        let host = Host {
            name: target.host.clone(),
            trust: settings.trust.clone(),
            now_seconds: u64::try_from(login.clock.unix_seconds()).unwrap_or(0),
            shown: Arc::clone(&shown),
        };
        let (keys, certificates) = wanted(&settings.trust);
        let config = crate::protocol::ssh::handshake::asking(keys, certificates);
        let mut handle = client::connect_stream(config, Cut::new(ahead(wire), &cut), host).await.map_err(|error| {
            let shown = shown.lock().unwrap_or_else(PoisonError::into_inner).take();
            shown.map_or(SshError::Broken(error), |shown| SshError::HostKey {
                host: format!("{}:{}", target.host, target.port),
                shown,
            })
        })?;
        authenticate(&mut handle, login, &order).await?;
        Ok(SshLink { handle: Arc::new(handle), forced: ends })
    };
    tokio::time::timeout(PATIENCE, attempt).await.map_err(|_elapsed| SshError::Slow)?
}

/// SSH reads four bytes, then what they announce: with a buffer that is one reading, often of two packets.
fn ahead(wire: Wire) -> BufReader<Wire> {
    BufReader::with_capacity(READ_AHEAD_BYTES, wire)
}

/// The kinds of keys, and of certificates, that could be believed: a host with several shows the right one.
fn wanted(trust: &HostTrust) -> (Vec<Algorithm>, Vec<Algorithm>) {
    match trust {
        HostTrust::Keys(keys) => (keys.iter().flat_map(kinds).collect(), Vec::new()),
        HostTrust::Authority(_) => {
            let curves = [EcdsaCurve::NistP256, EcdsaCurve::NistP384, EcdsaCurve::NistP521];
            let mut all = vec![Algorithm::Ed25519];
            all.extend(curves.map(|curve| Algorithm::Ecdsa { curve }));
            all.push(Algorithm::Rsa { hash: Some(HashAlg::Sha512) });
            // Without a plain kind there would be no proposal at all; a plain key is not believed then.
            (all.clone(), all)
        }
    }
}

fn kinds(key: &PublicKey) -> Vec<Algorithm> {
    let algorithm = key.algorithm();
    if algorithm.clone().is_rsa() {
        [HashAlg::Sha512, HashAlg::Sha256].map(|hash| Algorithm::Rsa { hash: Some(hash) }).to_vec()
    } else {
        vec![algorithm]
    }
}

async fn authenticate(handle: &mut client::Handle<Host>, login: &SshLogin, order: &LoginOrder) -> Result<(), SshError> {
    let user = login.credential.username().to_owned();
    let result = match &login.credential {
        Credential::Password { secret, .. } => {
            let password = login.secrets.value(secret).await?;
            handle.authenticate_password(user, password.expose_secret()).await?
        }
        Credential::Ssh(SshCredential::Key { secret, .. }) => {
            let key = private_key(&login.secrets.value(secret).await?)?;
            let hash = key.algorithm().is_rsa().then_some(HashAlg::Sha512);
            handle.authenticate_publickey(user, PrivateKeyWithHashAlg::new(Arc::new(key), hash)).await?
        }
        Credential::Ssh(SshCredential::Certificate { .. }) => {
            let what = match &order.purpose {
                LinkPurpose::Session => Certified::Session,
                LinkPurpose::Forwarding => Certified::Forwarding,
                LinkPurpose::Command(command) => Certified::Command(
                    std::str::from_utf8(command).map_err(|_bytes| SshError::Credential("the command is no text"))?,
                ),
            };
            let now = u64::try_from(login.clock.unix_seconds()).unwrap_or(0);
            let made = login.keys.certify(&user, &order.key_id, what, now);
            let (key, certificate) = made.ok_or(SshError::Credential("no certificate could be made"))?;
            handle.authenticate_openssh_cert(user, Arc::new(key), certificate).await?
        }
        Credential::Trust { .. }
        | Credential::EphemeralRole(_)
        | Credential::VaultRole { .. }
        | Credential::Http(_) => {
            return Err(SshError::Credential("its type is not one of SSH"));
        }
    };
    if result.success() { Ok(()) } else { Err(SshError::Denied(login.credential.username().to_owned())) }
}
