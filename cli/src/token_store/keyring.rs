//! Tokens in the operating system's keyring: Secret Service on Linux, the Keychain on macOS, the Credential Manager on
//! Windows; or in the Linux kernel's keyring of the session, for who asks for that.
//!
//! A keyring may ask the person to unlock it; it gets a minute on a thread of its own.

use std::time::Duration;

use keyring::{Entry, Error};

use crate::failure::Failure;

/// Which keyring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyring {
    /// The operating system's, which survives a restart.
    System,
    /// The kernel's, which ends with the session.
    Kernel,
}

/// Reads the entry of `gateway`; `None` where there is none.
pub(super) async fn read(which: Keyring, gateway: String) -> Result<Option<String>, Failure> {
    patiently("read from", move || match entry(which, &gateway)?.get_password() {
        Ok(text) => Ok(Some(text)),
        Err(Error::NoEntry) => Ok(None),
        Err(error) => Err(Trouble::from(&error)),
    })
    .await
}

/// Writes the entry of `gateway`.
pub(super) async fn write(which: Keyring, gateway: String, text: String) -> Result<(), Failure> {
    patiently("written to", move || entry(which, &gateway)?.set_password(&text).map_err(|error| Trouble::from(&error)))
        .await
}

/// Deletes the entry of `gateway`; its absence is fine.
pub(super) async fn delete(which: Keyring, gateway: String) -> Result<(), Failure> {
    patiently("deleted from", move || match entry(which, &gateway)?.delete_credential() {
        Ok(()) | Err(Error::NoEntry) => Ok(()),
        Err(error) => Err(Trouble::from(&error)),
    })
    .await
}

/// Why the keyring did not work, in words that hold no secret.
struct Trouble(String);

impl From<&Error> for Trouble {
    fn from(error: &Error) -> Self {
        if let Error::PlatformFailure(cause) | Error::NoStorageAccess(cause) = error {
            return Self(cause.to_string());
        }
        // These carry the secret itself.
        if matches!(error, Error::BadEncoding(_) | Error::BadDataFormat(..)) {
            return Self("the entry holds something that is not ours".to_owned());
        }
        Self(error.to_string())
    }
}

const SERVICE: &str = "hoop";
const PATIENCE: Duration = Duration::from_mins(1);

fn entry(which: Keyring, gateway: &str) -> Result<keyring_core::Entry, Trouble> {
    let failed = |error: Error| Trouble::from(&error);
    match which {
        Keyring::System => {
            Entry::store_status().as_ref().map_err(Trouble::from)?;
            Entry::new(SERVICE, gateway).map(|entry| entry.inner).map_err(failed)
        }
        Keyring::Kernel => kernel_entry(gateway),
    }
}

#[cfg(target_os = "linux")]
fn kernel_entry(gateway: &str) -> Result<keyring_core::Entry, Trouble> {
    use keyring_core::api::CredentialStoreApi as _;
    let store = linux_keyutils_keyring_store::Store::new().map_err(|error| Trouble::from(&error))?;
    store.build(SERVICE, gateway, None).map_err(|error| Trouble::from(&error))
}

#[cfg(not(target_os = "linux"))]
fn kernel_entry(_gateway: &str) -> Result<keyring_core::Entry, Trouble> {
    Err(Trouble("only Linux has a kernel keyring; set HOOP_TOKEN_STORE to `keyring` or `file`".to_owned()))
}

async fn patiently<T: Send + 'static>(
    done: &str,
    work: impl FnOnce() -> Result<T, Trouble> + Send + 'static,
) -> Result<T, Failure> {
    let failed = |why: String| {
        Failure::failed(format!("the tokens could not be {done} the keyring"))
            .because(why)
            .next("unlock the keyring, or log in with HOOP_TOKEN_STORE=file to keep tokens in a private file")
    };
    match tokio::time::timeout(PATIENCE, tokio::task::spawn_blocking(work)).await {
        Ok(Ok(outcome)) => outcome.map_err(|Trouble(why)| failed(why)),
        Ok(Err(fault)) => Err(failed(fault.to_string())),
        Err(_elapsed) => Err(failed("it did not answer within a minute".to_owned())),
    }
}
