//! Where this gateway's secrets come from: the shelf in its store, opened with the master key, and a Vault.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

use super::GatewayError;
use crate::{
    config::{SecretReference, Site},
    credential::{CredentialError, Secrets, local, master::MasterKey, shelf::SecretShelf, vault::Vault},
    lasting,
    store::{SecretRows, Store},
};

/// File of the master key where the site names none.
const KEY_FILE: &str = "secrets.key";

/// Opens the shelf and prepares the Vault. A key that cannot be had stops the start: nobody could rotate a secret.
pub(super) async fn prepare(site: &Site, store: &Store) -> Result<Secrets, GatewayError> {
    let config = &site.gateway.secrets;
    let wrong = |error: &CredentialError| GatewayError::Setting(format!("secrets: {error}"));
    let key = match &config.key {
        Some(reference) => reference.clone(),
        None => SecretReference::File(own_key(&site.gateway.data_dir.join("keys"))?),
    };
    let key = master(&key).await.map_err(|error| wrong(&error))?;
    let previous = match &config.previous_key {
        Some(reference) => Some(master(reference).await.map_err(|error| wrong(&error))?),
        None => None,
    };
    let shelf = SecretShelf::open(SecretRows::new(store.clone()), key, previous).await;
    let shelf = shelf.map_err(|error| GatewayError::Setting(format!("secrets: {error}")))?;
    let vault = match &config.vault {
        Some(vault) => {
            let authorities = super::people::authorities(vault.ca_file.as_ref())?;
            Some(Vault::new(vault, authorities.as_deref()).map_err(|error| wrong(&error))?)
        }
        None => None,
    };
    Ok(Secrets::new(Some(shelf), vault))
}

async fn master(reference: &SecretReference) -> Result<MasterKey, CredentialError> {
    MasterKey::parse(&local(reference).await?)
}

/// The gateway's own key file, made when it is first needed. Refuses one that others may read.
fn own_key(folder: &Path) -> Result<PathBuf, GatewayError> {
    let path = folder.join(KEY_FILE);
    let failed = |source| GatewayError::File { path: path.clone(), source };
    match fs::metadata(&path) {
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            let message = format!("{} may be read by others; chmod 600 it, and rotate what it opens", path.display());
            return Err(GatewayError::Setting(message));
        }
        Ok(_private) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = MasterKey::generate();
            let key = key.ok_or_else(|| GatewayError::Setting("the system gives no randomness".to_owned()))?;
            let line = Zeroizing::new(format!("{}\n", key.expose_secret()));
            lasting::replace(&path, line.as_bytes()).map_err(failed)?;
        }
        Err(error) => return Err(failed(error)),
    }
    Ok(path)
}
