//! The gateway's own SSH keys: the host key that its clients know, and the authority that signs certificates of minutes.
//!
//! Kept in the gateway's key folder, readable by its user alone.

use std::{
    fmt, fs, io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use aws_lc_rs::rand;
use russh::keys::{
    Certificate, PrivateKey, PublicKey,
    ssh_key::{
        LineEnding,
        certificate::{Builder, CertType},
        private::{Ed25519Keypair, KeypairData},
    },
};

use crate::{api::types::SshPublicKeys, lasting};

/// How long a certificate lasts: enough to log in with.
pub(super) const CERTIFICATE_LIFE: Duration = Duration::from_mins(5);
/// Clocks differ.
const BACKDATED: Duration = Duration::from_mins(1);
const HOST_FILE: &str = "ssh_host_ed25519_key";
const AUTHORITY_FILE: &str = "ssh_user_ca";

/// Why there are no keys. Never holds one.
#[derive(Debug, thiserror::Error)]
pub enum SshKeyError {
    /// The file cannot be had.
    #[error("the SSH key {} cannot be read or written", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is none.
    #[error("{} is no SSH key that the gateway can use: {why}", .path.display())]
    Key {
        /// Which.
        path: PathBuf,
        /// Why.
        why: &'static str,
    },
    /// There is no randomness.
    #[error("the system gives no random bytes")]
    Randomness,
}

/// What a certificate is good for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Certified<'command> {
    /// Commands, shells and files.
    Session,
    /// This command.
    Command(&'command str),
    /// Ways through the machine.
    Forwarding,
}

/// The gateway's own keys.
#[derive(Clone)]
pub struct SshKeys {
    host: PrivateKey,
    authority: PrivateKey,
}

impl fmt::Debug for SshKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SshKeys").finish_non_exhaustive()
    }
}

impl SshKeys {
    /// Reads them, or makes them where there are none.
    pub fn load_or_create(folder: &Path) -> Result<Self, SshKeyError> {
        let host = load_or_create(&folder.join(HOST_FILE), "hoop gateway")?;
        let authority = load_or_create(&folder.join(AUTHORITY_FILE), "hoop user certificates")?;
        Ok(Self { host, authority })
    }

    /// What proves to a client that it speaks to this gateway.
    pub fn host(&self) -> &PrivateKey {
        &self.host
    }

    /// What a client's `known_hosts` has of it.
    pub fn host_public(&self) -> &PublicKey {
        self.host.public_key()
    }

    /// Both, as they are told to anybody.
    pub fn published(&self) -> SshPublicKeys {
        let line = |key: &PublicKey| key.to_openssh().unwrap_or_default();
        SshPublicKeys { host_key: line(self.host_public()), user_ca: line(self.authority_public()) }
    }

    /// What a machine's `TrustedUserCAKeys` has.
    pub fn authority_public(&self) -> &PublicKey {
        self.authority.public_key()
    }

    /// A key pair for one login, with a certificate for it: one principal, minutes, and for one command where there is
    /// one. Nothing may be forwarded with it, unless the login is for that alone.
    pub(super) fn certify(
        &self,
        principal: &str,
        key_id: &str,
        what: Certified<'_>,
        now_seconds: u64,
    ) -> Option<(PrivateKey, Certificate)> {
        let key = fresh("")?;
        let mut nonce = [0; Builder::RECOMMENDED_NONCE_SIZE];
        rand::fill(&mut nonce).ok()?;
        let from = now_seconds.saturating_sub(BACKDATED.as_secs());
        let until = from + CERTIFICATE_LIFE.as_secs();
        let mut builder = Builder::new(nonce, key.public_key().key_data().clone(), from, until).ok()?;
        builder.cert_type(CertType::User).ok()?.key_id(key_id).ok()?.valid_principal(principal).ok()?;
        match what {
            Certified::Session => builder.extension("permit-pty", "").ok()?,
            Certified::Command(command) => {
                builder.extension("permit-pty", "").ok()?.critical_option("force-command", command).ok()?
            }
            Certified::Forwarding => builder
                .extension("permit-port-forwarding", "")
                .ok()?
                // No command may be run with it.
                .critical_option("force-command", "/bin/false")
                .ok()?,
        };
        Some((key, builder.sign(&self.authority).ok()?))
    }
}

fn fresh(comment: &str) -> Option<PrivateKey> {
    let mut seed = [0; 32];
    rand::fill(&mut seed).ok()?;
    PrivateKey::new(KeypairData::from(Ed25519Keypair::from_seed(&seed)), comment).ok()
}

fn load_or_create(path: &Path, comment: &str) -> Result<PrivateKey, SshKeyError> {
    let failed = |source| SshKeyError::File { path: path.to_owned(), source };
    let unusable = |why| SshKeyError::Key { path: path.to_owned(), why };
    match fs::metadata(path) {
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            return Err(unusable("others may read it; make it 0600, or remove it for a new one"));
        }
        Ok(_found) => {
            let text = fs::read_to_string(path).map_err(failed)?;
            return PrivateKey::from_openssh(text).map_err(|_unreadable| unusable("it is not in OpenSSH's format"));
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let key = fresh(comment).ok_or(SshKeyError::Randomness)?;
    let text = key.to_openssh(LineEnding::LF).map_err(|_unwritable| unusable("it cannot be written"))?;
    lasting::create(path, text.as_bytes()).map_err(failed)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use russh::keys::HashAlg;

    use super::*;

    #[test]
    fn keys_stay_and_are_private() {
        let folder = tempfile::tempdir().unwrap();
        let keys = SshKeys::load_or_create(folder.path()).unwrap();
        let again = SshKeys::load_or_create(folder.path()).unwrap();
        assert_eq!(keys.host_public(), again.host_public());
        assert_ne!(keys.host_public(), keys.authority_public());
        let path = folder.path().join(HOST_FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(SshKeys::load_or_create(folder.path()), Err(SshKeyError::Key { .. })));
    }

    #[test]
    fn a_certificate_is_for_one_account_one_command_and_minutes() {
        let folder = tempfile::tempdir().unwrap();
        let keys = SshKeys::load_or_create(folder.path()).unwrap();
        let (_key, certificate) = keys.certify("deploy", "ses_1", Certified::Command("uptime"), 1_000_000).unwrap();
        assert_eq!(certificate.valid_principals(), ["deploy"]);
        assert_eq!(certificate.key_id(), "ses_1");
        assert_eq!(certificate.valid_before(), 1_000_000 - 60 + 300);
        assert_eq!(certificate.critical_options().get("force-command").map(String::as_str), Some("uptime"));
        let extensions: Vec<&String> = certificate.extensions().keys().collect();
        assert_eq!(extensions, ["permit-pty"], "nothing is forwarded");
        let authority = keys.authority_public().fingerprint(HashAlg::Sha256);
        certificate.validate_at(1_000_000, [&authority]).unwrap();
        assert!(certificate.validate_at(1_000_301, [&authority]).is_err());
        let (_key, certificate) = keys.certify("deploy", "ses_1", Certified::Forwarding, 1_000_000).unwrap();
        let extensions: Vec<&String> = certificate.extensions().keys().collect();
        assert_eq!(extensions, ["permit-port-forwarding"]);
        assert_eq!(certificate.critical_options().get("force-command").map(String::as_str), Some("/bin/false"));
    }
}
