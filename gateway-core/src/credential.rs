//! Where upstream secrets come from: a site names a reference, [`Secrets`] says what stands there now.
//!
//! Nothing is resolved ahead: whoever needs a secret asks when a session opens or a request leaves, so that a rotated one
//! is picked up without a restart. The value is a `SecretString` from here on: no Debug, no Display, wiped on drop.
//! Knows no protocol.

mod command;
mod keyring;
pub mod lease;
pub mod master;
pub mod shelf;
pub mod vault;

use std::{
    collections::BTreeMap,
    fmt, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use secrecy::SecretString;
use tokio::io::AsyncReadExt as _;

use self::{shelf::SecretShelf, vault::Vault};
use crate::config::SecretReference;

/// The longest secret accepted, in bytes.
pub const MAX_SECRET_BYTES: u64 = 48 * 1024;
/// How long the word of a program or a Vault is taken for a new one: requests over HTTP ask every time.
const FRESH: Duration = Duration::from_secs(5);
/// How many such words are kept.
const MOST_KEPT: usize = 1_000;

/// Why a secret could not be had. Never holds the secret.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The environment variable is not there.
    #[error("the environment variable `{0}` is not set; export it before the gateway starts")]
    Environment(String),
    /// The file could not be read.
    #[error("the secret file {} cannot be read", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The value is empty.
    #[error("the secret at `{0}` is empty")]
    Empty(String),
    /// The value is larger than a secret can be.
    #[error("the secret at `{0}` is larger than {MAX_SECRET_BYTES} bytes")]
    TooLong(String),
    /// The value is no text.
    #[error("the secret at `{0}` is not UTF-8 text")]
    NotText(String),
    /// The program gave none.
    #[error("`exec:{}` gave no secret: {why}", .program.display())]
    Command {
        /// Which program.
        program: PathBuf,
        /// Why.
        why: String,
    },
    /// The keyring gave none.
    #[error("the keyring gives nothing for `{account}`: {why}")]
    Keyring {
        /// Which account.
        account: String,
        /// Why.
        why: String,
    },
    /// The gateway's own store has none of this name.
    #[error("the gateway's store has no secret `{0}`; put it there with `hoop secrets set {0}`")]
    Absent(String),
    /// The store's secret cannot be opened.
    #[error("the secret `{name}` of the gateway's store cannot be opened: {why}")]
    Sealed {
        /// Which.
        name: String,
        /// Why.
        why: String,
    },
    /// The master key is none.
    #[error("the master key of the store is not 32 bytes in base64; make one with `openssl rand -base64 32`")]
    MasterKey,
    /// The Vault gave none.
    #[error("the Vault gives nothing for `{path}`: {why}")]
    Vault {
        /// Which path.
        path: String,
        /// Why.
        why: String,
    },
    /// What the reference needs is not part of this gateway's settings.
    #[error("`{reference}` needs {needs} in gateway.toml")]
    Unconfigured {
        /// Which reference.
        reference: String,
        /// What is missing.
        needs: &'static str,
    },
}

/// Says what stands at a reference now. Cheap to clone.
#[derive(Clone)]
pub struct Secrets(Arc<Sources>);

#[derive(Default)]
struct Sources {
    shelf: Option<SecretShelf>,
    vault: Option<Vault>,
    kept: Mutex<BTreeMap<SecretReference, (Instant, SecretString)>>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secrets")
    }
}

impl Secrets {
    /// Those of this machine alone: variables, files, programs and the keyring.
    pub fn local() -> Self {
        Self::new(None, None)
    }

    /// Those of this machine, of the gateway's own store and of a Vault.
    pub fn new(shelf: Option<SecretShelf>, vault: Option<Vault>) -> Self {
        Self(Arc::new(Sources { shelf, vault, kept: Mutex::default() }))
    }

    /// What stands at the reference now. Of a program and of a Vault it may be five seconds old.
    pub async fn value(&self, reference: &SecretReference) -> Result<SecretString, CredentialError> {
        let is_dear = matches!(reference, SecretReference::Command(_) | SecretReference::Vault(_));
        if is_dear && let Some(kept) = self.kept(reference) {
            return Ok(kept);
        }
        let value = match reference {
            SecretReference::Vault(path) => self.vault(reference)?.value(path).await?,
            SecretReference::Store(name) => {
                let needs = "a store";
                let kept = self.0.shelf.as_ref();
                let kept =
                    kept.ok_or_else(|| CredentialError::Unconfigured { reference: reference.to_string(), needs })?;
                kept.value(name).await?
            }
            SecretReference::Environment(_)
            | SecretReference::File(_)
            | SecretReference::Command(_)
            | SecretReference::Keyring(_) => local(reference).await?,
        };
        if is_dear {
            self.keep(reference, &value);
        }
        Ok(value)
    }

    /// The Vault that a reference means.
    pub fn vault(&self, reference: &SecretReference) -> Result<&Vault, CredentialError> {
        let needs = "[secrets.vault]";
        self.0.vault.as_ref().ok_or_else(|| CredentialError::Unconfigured { reference: reference.to_string(), needs })
    }

    /// The gateway's own store of secrets.
    pub fn shelf(&self) -> Option<&SecretShelf> {
        self.0.shelf.as_ref()
    }

    fn kept(&self, reference: &SecretReference) -> Option<SecretString> {
        let kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(reference).filter(|(at, _)| at.elapsed() < FRESH).map(|(_, value)| value.clone())
    }

    fn keep(&self, reference: &SecretReference, value: &SecretString) {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, (at, _)| at.elapsed() < FRESH);
        if kept.len() < MOST_KEPT {
            kept.insert(reference.clone(), (Instant::now(), value.clone()));
        }
    }
}

#[cfg(test)]
impl Secrets {
    /// Those of a store, under a master key that nobody else has.
    pub(crate) async fn of_store(store: crate::store::Store) -> Self {
        let key = master::MasterKey::parse(&master::MasterKey::generate().unwrap()).unwrap();
        let shelf = SecretShelf::open(crate::store::SecretRows::new(store), key, None).await.unwrap();
        Self::new(Some(shelf), None)
    }
}

/// What this machine alone can say.
pub(crate) async fn local(reference: &SecretReference) -> Result<SecretString, CredentialError> {
    match reference {
        SecretReference::Environment(name) => {
            let value = std::env::var(name).map_err(|_absent| CredentialError::Environment(name.clone()))?;
            checked(reference, value)
        }
        SecretReference::File(path) => of_file(reference, path).await,
        SecretReference::Command(command) => command::run(command).await.and_then(|value| checked(reference, value)),
        SecretReference::Keyring(account) => {
            keyring::read(account.clone()).await.and_then(|value| checked(reference, value))
        }
        SecretReference::Store(_) | SecretReference::Vault(_) => {
            Err(CredentialError::Unconfigured { reference: reference.to_string(), needs: "a local reference" })
        }
    }
}

async fn of_file(reference: &SecretReference, path: &Path) -> Result<SecretString, CredentialError> {
    let failed = |source| CredentialError::File { path: path.to_owned(), source };
    let file = tokio::fs::File::open(path).await.map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MAX_SECRET_BYTES + 1).read_to_end(&mut bytes).await.map_err(failed)?;
    let text = String::from_utf8(bytes).map_err(|_binary| CredentialError::NotText(reference.to_string()))?;
    checked(reference, text)
}

/// One trailing line break is not part of the secret; nothing, or too much, is none.
fn checked(reference: &SecretReference, text: String) -> Result<SecretString, CredentialError> {
    let mut text = zeroize::Zeroizing::new(text);
    if text.len() as u64 > MAX_SECRET_BYTES {
        return Err(CredentialError::TooLong(reference.to_string()));
    }
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    if text.is_empty() {
        Err(CredentialError::Empty(reference.to_string()))
    } else {
        Ok(SecretString::from(text.as_str()))
    }
}

#[cfg(test)]
mod tests;
