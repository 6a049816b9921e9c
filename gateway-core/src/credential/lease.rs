//! Leases: logins that are made for one session and taken away when it ends.
//!
//! A [`Lender`] makes one kind of them: a role of PostgreSQL, a login of a Vault; a user of `MySQL`, an SSH certificate or a
//! token of Kubernetes are others. What a lender is asked to do is on record before it does it: it takes [`Recorded`].
//! Knows no session and no store.

use std::{fmt, future::Future, pin::Pin, time::Duration};

use secrecy::SecretString;

use super::CredentialError;
use crate::{
    record::{Own, Recorded},
    store::LeasePlace,
    upstream::DialError,
};

/// An order to make a login.
#[derive(Debug)]
pub struct LendOrder {
    /// What it is to be called, where the lender lets the gateway choose: random, and kept before anything is sent.
    pub name: String,
    /// When it ends at the latest, milliseconds since 1970.
    pub ends_at_millis: i64,
    /// What is written beside it at the server.
    pub comment: String,
}

/// A login that was made.
#[derive(Debug)]
pub struct Lent {
    /// What takes it back.
    pub id: String,
    /// The login's name.
    pub username: String,
    /// Its password.
    pub password: SecretString,
    /// How long it lives, where the server says.
    pub life: Option<Duration>,
    /// Whether that can be made longer.
    pub is_renewable: bool,
}

/// An order to take a login away.
#[derive(Debug)]
pub struct ReturnOrder {
    /// Which.
    pub id: String,
    /// Who gets what it owns.
    pub heir: String,
    /// How long what still runs may take to end by itself.
    pub grace: Duration,
    /// Where it was made; another database of the server, maybe, than where such are made now.
    pub place: Option<LeasePlace>,
}

/// Why a login could not be made or taken away. Holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// The gateway's own credential is not to be had.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The server cannot be reached.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The server refuses.
    #[error("the server refuses it: {0}")]
    Refused(String),
    /// The system gives no randomness.
    #[error("the system gives no randomness")]
    Randomness,
    /// The name is none that this gateway gives.
    #[error("`{0}` is no role of this gateway's making")]
    Foreign(String),
    /// It was made at another server.
    #[error("it was made at {0}, which is another server")]
    Elsewhere(String),
    /// Only an approval lets a session have one.
    #[error("the site gives logins of this connection to sessions that an approval let in")]
    NeedsApproval,
    /// It was made, and is not taken away.
    #[error("it cannot be taken away again: {0}")]
    Kept(Box<Self>),
    /// Something still uses it.
    #[error("{0} of its connections do not end")]
    InUse(u64),
}

/// What a lender answers, when it comes.
pub type Answer<'lender, T> = Pin<Box<dyn Future<Output = Result<T, LeaseError>> + Send + 'lender>>;

/// Makes logins of one kind for one connection, and takes them away.
pub trait Lender: fmt::Debug + Send + Sync {
    /// Whether the name that the gateway chose is the one that takes it back. Then it is kept before anything is sent.
    fn takes_names(&self) -> bool;

    /// Where it makes them, where what takes one back has to know it.
    fn place(&self) -> Option<LeasePlace>;

    /// Makes a login.
    fn lend(&self, order: Recorded<Own<LendOrder>>) -> Answer<'_, Lent>;

    /// Has a login live on; says for how long.
    fn renew<'lender>(&'lender self, id: &'lender str) -> Answer<'lender, Option<Duration>>;

    /// Takes a login away, with everything that still uses it; false where there is none such. What failed is tried again
    /// with the same order.
    fn take_back<'lender>(&'lender self, order: &'lender Recorded<Own<ReturnOrder>>) -> Answer<'lender, bool>;
}

/// Logins that a Vault makes.
#[derive(Debug)]
pub struct VaultLender {
    secrets: super::Secrets,
    reference: crate::config::SecretReference,
}

impl VaultLender {
    /// Has them made at this path.
    pub fn new(secrets: super::Secrets, reference: crate::config::SecretReference) -> Self {
        Self { secrets, reference }
    }

    async fn lent(&self) -> Result<Lent, LeaseError> {
        let crate::config::SecretReference::Vault(path) = &self.reference else {
            let (reference, needs) = (self.reference.to_string(), "a path of a Vault");
            return Err(CredentialError::Unconfigured { reference, needs }.into());
        };
        let lease = self.secrets.vault(&self.reference)?.lease(path).await?;
        let (life, is_renewable) = (Some(lease.life).filter(|life| !life.is_zero()), lease.is_renewable);
        Ok(Lent { id: lease.id, username: lease.username, password: lease.password, life, is_renewable })
    }
}

impl Lender for VaultLender {
    fn takes_names(&self) -> bool {
        false
    }

    fn place(&self) -> Option<LeasePlace> {
        None
    }

    fn lend(&self, order: Recorded<Own<LendOrder>>) -> Answer<'_, Lent> {
        drop(order.into_inner().into_message());
        Box::pin(self.lent())
    }

    fn renew<'lender>(&'lender self, id: &'lender str) -> Answer<'lender, Option<Duration>> {
        Box::pin(async move { Ok(Some(self.secrets.vault(&self.reference)?.renew(id).await?)) })
    }

    fn take_back<'lender>(&'lender self, order: &'lender Recorded<Own<ReturnOrder>>) -> Answer<'lender, bool> {
        let ReturnOrder { id, .. } = order.get().message();
        Box::pin(async move {
            self.secrets.vault(&self.reference)?.revoke(id).await?;
            Ok(true)
        })
    }
}
