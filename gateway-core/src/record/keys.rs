//! The gateway's keys: Ed25519 to sign recordings, AES-256 to seal in them, and the key of masks. Files of mode 0600 in `<data_dir>/keys`.
//!
//! The public key is written beside them as PEM: auditors keep their own copy of it elsewhere.

use std::{
    fmt, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_lc_rs::{
    rand,
    signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use zeroize::Zeroizing;

use super::{RecordError, Sealer};
use crate::{lasting, mask::MaskKeys};

/// File of the signing key, PKCS#8.
const SIGNING_FILE: &str = "recording.key";
/// File of the sealing key, 32 bytes.
const SEALING_FILE: &str = "recording.seal";
/// File of the masking key, 32 bytes: what hashes and pseudonyms are made with.
const MASKING_FILE: &str = "masking.key";
/// File of the public key, PEM.
const PUBLIC_FILE: &str = "recording.pub.pem";
/// No key file is larger.
const MAX_KEY_FILE_BYTES: u64 = 4096;

/// The keys that sign and seal recordings. Cheap to clone; shows nothing of itself.
#[derive(Clone)]
pub struct RecordKeys {
    signing: Arc<Ed25519KeyPair>,
    sealer: Arc<Sealer>,
    masking: Arc<MaskKeys>,
}

impl RecordKeys {
    /// Loads the keys in `directory`, creating what is missing, and writes the public key beside them.
    ///
    /// Refuses a key file that others may read, or that is not a key.
    pub fn load_or_create(directory: &Path) -> Result<Self, RecordError> {
        fs::create_dir_all(directory).map_err(|error| RecordError::file("create", directory, error))?;
        fs::set_permissions(directory, fs::Permissions::from_mode(0o700))
            .map_err(|error| RecordError::file("protect", directory, error))?;
        let signing_path = directory.join(SIGNING_FILE);
        let pkcs8 = secret_file(&signing_path, || {
            let pair = Ed25519KeyPair::generate().ok()?;
            pair.to_pkcs8().ok().map(|document| document.as_ref().to_vec())
        })?;
        let signing = Ed25519KeyPair::from_pkcs8(&pkcs8)
            .map_err(|_rejected| RecordError::Key { path: signing_path, why: "it is no Ed25519 key in PKCS#8" })?;
        let sealing_path = directory.join(SEALING_FILE);
        let sealing = secret_file(&sealing_path, || {
            let mut key = vec![0; 32];
            rand::fill(&mut key).ok().map(|()| key)
        })?;
        let sealer =
            Sealer::new(&sealing).ok_or(RecordError::Key { path: sealing_path, why: "it is not 32 bytes long" })?;
        let masking_path = directory.join(MASKING_FILE);
        let masking = secret_file(&masking_path, || {
            let mut key = vec![0; MaskKeys::SECRET_BYTES];
            rand::fill(&mut key).ok().map(|()| key)
        })?;
        let masking =
            MaskKeys::new(&masking).ok_or(RecordError::Key { path: masking_path, why: "it is not 32 bytes long" })?;
        let keys = Self { signing: Arc::new(signing), sealer: Arc::new(sealer), masking: Arc::new(masking) };
        let public_path = directory.join(PUBLIC_FILE);
        fs::write(&public_path, keys.public().to_pem())
            .map_err(|error| RecordError::file("write", public_path, error))?;
        Ok(keys)
    }

    /// What seals texts for these recordings.
    pub fn sealer(&self) -> &Arc<Sealer> {
        &self.sealer
    }

    /// What hashes and pseudonyms are made with.
    pub fn masking(&self) -> &Arc<MaskKeys> {
        &self.masking
    }

    /// The public half, which auditors keep elsewhere.
    pub fn public(&self) -> PublicKey {
        let mut key = [0; 32];
        key.copy_from_slice(self.signing.public_key().as_ref());
        PublicKey(key)
    }

    pub(super) fn sign(&self, statement: &str) -> Option<[u8; 64]> {
        self.signing.try_sign(statement.as_bytes()).ok()?.as_ref().try_into().ok()
    }
}

impl fmt::Debug for RecordKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RecordKeys").field("public", &self.public()).finish_non_exhaustive()
    }
}

/// The public half of a signing key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; 32]);

/// Why a text is no public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no Ed25519 public key in PEM (`-----BEGIN PUBLIC KEY-----`)")]
pub struct PublicKeyError;

/// What stands before the 32 bytes in a `SubjectPublicKeyInfo` of an Ed25519 key (RFC 8410, section 4).
const SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

impl PublicKey {
    /// The curve's base point: a sound key whose seed nobody has.
    pub(super) const NOBODY: Self = {
        let mut point = [0x66; 32];
        point[0] = 0x58;
        Self(point)
    };

    /// The key as PEM.
    pub fn to_pem(self) -> String {
        let der = [&SPKI_PREFIX[..], &self.0].concat();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", BASE64.encode(der))
    }

    /// Reads a key from PEM.
    pub fn from_pem(text: &str) -> Result<Self, PublicKeyError> {
        let body = text
            .trim()
            .strip_prefix("-----BEGIN PUBLIC KEY-----")
            .and_then(|rest| rest.strip_suffix("-----END PUBLIC KEY-----"))
            .ok_or(PublicKeyError)?;
        let packed: String = body.split_ascii_whitespace().collect();
        let der = BASE64.decode(packed).map_err(|_not_base64| PublicKeyError)?;
        let key = der.strip_prefix(&SPKI_PREFIX).ok_or(PublicKeyError)?;
        key.try_into().map(Self).map_err(|_wrong_length| PublicKeyError)
    }

    /// Whether this key signed the statement.
    pub fn verifies(&self, statement: &str, signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0).verify(statement.as_bytes(), signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&super::hex::encode(&self.0))
    }
}

/// Reads a secret file, or makes it with mode 0600.
fn secret_file(path: &PathBuf, make: impl Fn() -> Option<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, RecordError> {
    match fs::metadata(path) {
        Ok(found) if found.len() > MAX_KEY_FILE_BYTES => {
            Err(RecordError::Key { path: path.clone(), why: "it is too long for a key" })
        }
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            Err(RecordError::Key { path: path.clone(), why: "others may read it; chmod 600 it, and consider it known" })
        }
        Ok(_private) => fs::read(path).map(Zeroizing::new).map_err(|error| RecordError::file("read", path, error)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => create_secret(path, &make),
        Err(error) => Err(RecordError::file("read", path, error)),
    }
}

/// Written beside and renamed, so that a crash never leaves half a key.
fn create_secret(path: &PathBuf, make: &impl Fn() -> Option<Vec<u8>>) -> Result<Zeroizing<Vec<u8>>, RecordError> {
    let secret = Zeroizing::new(make().ok_or(RecordError::Randomness)?);
    lasting::replace(path, &secret).map_err(|error| RecordError::file("create", path, error))?;
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_a_restart_and_the_public_key_survives_pem() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = RecordKeys::load_or_create(folder.path()).expect("created");
        let second = RecordKeys::load_or_create(folder.path()).expect("loaded");
        assert_eq!(first.public(), second.public());
        let pem = fs::read_to_string(folder.path().join(PUBLIC_FILE)).expect("written");
        let public = PublicKey::from_pem(&pem).expect("reads");
        let signature = second.sign("statement").expect("signs");
        assert!(public.verifies("statement", &signature));
        assert!(!public.verifies("another", &signature));
    }

    #[test]
    fn refuses_a_key_that_others_may_read_and_one_that_is_none() {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = RecordKeys::load_or_create(folder.path()).expect("created");
        assert!(!format!("{keys:?}").contains("signing"));
        let path = folder.path().join(SEALING_FILE);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("chmod");
        assert!(matches!(RecordKeys::load_or_create(folder.path()), Err(RecordError::Key { .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
        fs::write(&path, b"short").expect("write");
        assert!(matches!(RecordKeys::load_or_create(folder.path()), Err(RecordError::Key { .. })));
        assert_eq!(PublicKey::from_pem("nonsense"), Err(PublicKeyError));
    }
}
