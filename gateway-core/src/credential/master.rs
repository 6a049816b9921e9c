//! The keys that open the gateway's own store of secrets: a master key wraps a data key for each secret.
//!
//! AES-256-GCM twice. Name and version of the secret are associated data of both, so that neither a value nor a key can be
//! passed off as another's or as a later one. Pure: knows no disk.

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    digest::{SHA256, digest},
    rand,
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::CredentialError;
use crate::config::SecretName;

/// Bytes of every key here.
const KEY_BYTES: usize = 32;

/// One master key.
pub struct MasterKey {
    key: RandomizedNonceKey,
    id: String,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MasterKey").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A secret as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedSecret {
    /// Which master key wraps the data key.
    pub key_id: String,
    /// The data key: nonce, ciphertext, tag.
    pub wrapped: Vec<u8>,
    /// The value: nonce, ciphertext, tag.
    pub sealed: Vec<u8>,
}

/// What both are bound to.
#[derive(Debug, Clone, Copy)]
pub struct Bound<'name> {
    /// The secret's name.
    pub name: &'name SecretName,
    /// Its version.
    pub version: u64,
}

impl MasterKey {
    /// Reads 32 bytes in base64.
    pub fn parse(text: &SecretString) -> Result<Self, CredentialError> {
        let bytes = BASE64.decode(text.expose_secret().trim()).map(Zeroizing::new);
        let bytes = bytes.ok().filter(|bytes| bytes.len() == KEY_BYTES).ok_or(CredentialError::MasterKey)?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_rejected| CredentialError::MasterKey)?;
        let named = digest(&SHA256, &[b"hoop master key\0".as_slice(), &bytes].concat());
        let id = named.as_ref().iter().take(8).fold(String::new(), |id, byte| format!("{id}{byte:02x}"));
        Ok(Self { key, id })
    }

    /// A new one, as [`Self::parse`] reads it; `None` where the system gives no randomness.
    pub fn generate() -> Option<SecretString> {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        rand::fill(&mut *bytes).ok()?;
        Some(SecretString::from(BASE64.encode(*bytes)))
    }

    /// What it is known by; says nothing of the key.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Seals a value under a data key of its own; `None` where the system gives no randomness.
    pub fn seal(&self, bound: Bound<'_>, value: &SecretString) -> Option<SealedSecret> {
        let mut data_key = Zeroizing::new([0; KEY_BYTES]);
        rand::fill(&mut *data_key).ok()?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, &*data_key).ok()?;
        let sealed = sealed(&key, bound.of_value(), value.expose_secret().as_bytes())?;
        let wrapped = sealed_key(&self.key, bound, &*data_key)?;
        Some(SealedSecret { key_id: self.id.clone(), wrapped, sealed })
    }

    /// Opens a value; `None` where it is another secret's, another version's, another key's, or changed.
    pub fn open(&self, bound: Bound<'_>, kept: &SealedSecret) -> Option<SecretString> {
        let data_key = opened(&self.key, bound.of_key(), &kept.wrapped)?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, &data_key).ok()?;
        let value = opened(&key, bound.of_value(), &kept.sealed)?;
        std::str::from_utf8(&value).ok().map(SecretString::from)
    }

    /// The same secret, its data key wrapped by this master key instead of `before`. The value is not touched.
    pub fn rewrap(&self, before: &Self, bound: Bound<'_>, kept: &SealedSecret) -> Option<SealedSecret> {
        let data_key = opened(&before.key, bound.of_key(), &kept.wrapped)?;
        let wrapped = sealed_key(&self.key, bound, &data_key)?;
        Some(SealedSecret { key_id: self.id.clone(), wrapped, sealed: kept.sealed.clone() })
    }
}

impl Bound<'_> {
    fn of_key(self) -> Vec<u8> {
        format!("hoop data key\0{}\0{}", self.name, self.version).into_bytes()
    }

    fn of_value(self) -> Vec<u8> {
        format!("hoop secret\0{}\0{}", self.name, self.version).into_bytes()
    }
}

fn sealed_key(master: &RandomizedNonceKey, bound: Bound<'_>, data_key: &[u8]) -> Option<Vec<u8>> {
    sealed(master, bound.of_key(), data_key)
}

fn sealed(key: &RandomizedNonceKey, associated: Vec<u8>, plain: &[u8]) -> Option<Vec<u8>> {
    // Room for the tag: growing would leave a copy behind.
    let mut body = Zeroizing::new(Vec::with_capacity(plain.len() + AES_256_GCM.tag_len()));
    body.extend_from_slice(plain);
    let nonce = key.seal_in_place_append_tag(Aad::from(associated), &mut *body).ok()?;
    Some([nonce.as_ref(), body.as_slice()].concat())
}

fn opened(key: &RandomizedNonceKey, associated: Vec<u8>, packed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let nonce: [u8; NONCE_LEN] = packed.get(..NONCE_LEN)?.try_into().ok()?;
    let mut body = Zeroizing::new(packed.get(NONCE_LEN..)?.to_vec());
    let length = key.open_in_place(Nonce::from(&nonce), Aad::from(associated), &mut body).ok()?.len();
    body.truncate(length);
    Some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> MasterKey {
        MasterKey::parse(&MasterKey::generate().unwrap()).unwrap()
    }

    #[test]
    fn a_secret_opens_under_its_own_name_version_and_key_only() {
        let (master, other) = (key(), key());
        let (pg, web) = (SecretName::parse("pg").unwrap(), SecretName::parse("web").unwrap());
        let bound = Bound { name: &pg, version: 3 };
        let kept = master.seal(bound, &SecretString::from("hunter2")).unwrap();
        assert_eq!(master.open(bound, &kept).unwrap().expose_secret(), "hunter2");
        assert!(master.open(Bound { name: &web, version: 3 }, &kept).is_none());
        assert!(master.open(Bound { name: &pg, version: 4 }, &kept).is_none());
        assert!(other.open(bound, &kept).is_none());
        for part in 0..kept.sealed.len() {
            let mut changed = kept.clone();
            changed.sealed[part] ^= 1;
            assert!(master.open(bound, &changed).is_none());
        }
        assert!(!format!("{master:?} {kept:?}").contains("hunter2"));
    }

    #[test]
    fn a_new_master_key_wraps_anew_and_the_old_one_opens_nothing_any_more() {
        let (old, new) = (key(), key());
        let name = SecretName::parse("pg").unwrap();
        let bound = Bound { name: &name, version: 1 };
        let kept = old.seal(bound, &SecretString::from("hunter2")).unwrap();
        let moved = new.rewrap(&old, bound, &kept).unwrap();
        assert_eq!((moved.key_id.as_str(), &moved.sealed), (new.id(), &kept.sealed));
        assert_eq!(new.open(bound, &moved).unwrap().expose_secret(), "hunter2");
        assert!(old.open(bound, &moved).is_none());
        assert!(new.rewrap(&new, bound, &kept).is_none());
    }

    #[test]
    fn what_is_not_32_bytes_is_no_master_key() {
        for text in ["", "hunter2", "c2hvcnQ=", &BASE64.encode([7; 33])] {
            assert!(matches!(MasterKey::parse(&SecretString::from(text)), Err(CredentialError::MasterKey)));
        }
        assert!(MasterKey::parse(&SecretString::from(format!("{}\n", BASE64.encode([7; 32])))).is_ok());
    }
}
