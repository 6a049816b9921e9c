//! `keyring:`: the operating system's keyring, under the service `hoop-gateway`. It may wait for somebody to unlock it.

use std::time::Duration;

use keyring::{Entry, Error};

use super::CredentialError;

const SERVICE: &str = "hoop-gateway";
const PATIENCE: Duration = Duration::from_secs(20);

/// Reads the entry of an account.
pub(super) async fn read(account: String) -> Result<String, CredentialError> {
    let asked = account.clone();
    let work = tokio::task::spawn_blocking(move || {
        Entry::store_status().as_ref().map_err(why)?;
        Entry::new(SERVICE, &asked).map_err(|error| why(&error))?.get_password().map_err(|error| why(&error))
    });
    let outcome = match tokio::time::timeout(PATIENCE, work).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_ended)) => Err("the thread that asked it ended".to_owned()),
        Err(_elapsed) => Err(format!("it did not answer within {} s", PATIENCE.as_secs())),
    };
    outcome.map_err(|why| CredentialError::Keyring { account, why })
}

/// Some errors carry the secret itself.
fn why(error: &Error) -> String {
    if matches!(error, Error::BadEncoding(_) | Error::BadDataFormat(..)) {
        return "the entry holds no text".to_owned();
    }
    error.to_string()
}
