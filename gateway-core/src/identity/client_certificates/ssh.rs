//! OpenSSH's user certificates for people: signed by an authority that no machine knows, bound to one connection.
//!
//! The binding is a critical option of our own. Whoever does not know it must refuse the certificate, as every server of
//! SSH does: a machine never takes one, even where it was told to trust the authority by mistake.

use aws_lc_rs::rand;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use russh::keys::{
    Algorithm, Certificate, HashAlg, PrivateKey, PublicKey,
    ssh_key::{
        certificate::{Builder, CertType},
        private::{Ed25519Keypair, KeypairData},
    },
};

use super::{
    BACKDATED_SECONDS, ClientCertificateError, ClientCertificates, Holder, IssuedCertificate, Live, MAX_REQUEST_BYTES,
    fingerprint,
};
use crate::{identity::Verified, model::ConnectionName};

/// The critical option that names the connection.
const CONNECTION: &str = "connection@hoop";

/// A key that nobody else has.
pub(super) fn authority() -> Option<PrivateKey> {
    let mut seed = zeroize::Zeroizing::new([0; 32]);
    rand::fill(seed.as_mut()).ok()?;
    PrivateKey::new(KeypairData::from(Ed25519Keypair::from_seed(&seed)), "hoop people").ok()
}

impl ClientCertificates {
    /// Makes one for this public key. It ends with the login, if that is sooner.
    pub fn issue_ssh(
        &self,
        login: &Verified,
        connection: &ConnectionName,
        public_key: &str,
    ) -> Result<IssuedCertificate, ClientCertificateError> {
        let (now, expires_at) = self.lasting(login)?;
        if public_key.len() > MAX_REQUEST_BYTES {
            return Err(ClientCertificateError::PublicKey);
        }
        let key = PublicKey::from_openssh(public_key).map_err(|_unreadable| ClientCertificateError::PublicKey)?;
        if !matches!(key.algorithm(), Algorithm::Ed25519 | Algorithm::Ecdsa { .. }) {
            return Err(ClientCertificateError::PublicKey);
        }
        let mut serial = [0_u8; 16];
        rand::fill(&mut serial).map_err(|_unspecified| ClientCertificateError::Unmade)?;
        let id = format!("crt_{}", URL_SAFE_NO_PAD.encode(serial));
        let holder = Holder { id: id.clone(), verified: login.clone(), connection: connection.clone() };
        let signed = sign(&self.0.ssh_authority, &key, &holder, (now, expires_at));
        let signed = signed.ok_or(ClientCertificateError::Unmade)?;
        let unwritten = |_error| ClientCertificateError::Unmade;
        let (bytes, certificate) = (signed.to_bytes().map_err(unwritten)?, signed.to_openssh().map_err(unwritten)?);
        self.remember(&bytes, Live { holder, expires_at, ssh_key: Some(key.key_data().clone()) }, now)?;
        Ok(IssuedCertificate { id, certificate, expires_at })
    }

    /// Whether a live certificate is for this key: others need not be proved.
    pub fn knows(&self, key: &PublicKey) -> bool {
        let now = self.0.clock.unix_seconds();
        self.lock().values().any(|live| live.ssh_key.as_ref() == Some(key.key_data()) && live.expires_at > now)
    }

    /// Whose a certificate is, whose key the client proved; or why it does not count.
    pub fn ssh_holder(&self, user: &str, shown: &Certificate) -> Result<Holder, &'static str> {
        let now = self.0.clock.unix_seconds();
        if shown.cert_type() != CertType::User {
            return Err("it is no user's");
        }
        let authority = self.0.ssh_authority.public_key().fingerprint(HashAlg::Sha256);
        // Whose signature, that it fits, and the time.
        let valid = u64::try_from(now).is_ok_and(|now| shown.validate_at(now, [&authority]).is_ok());
        if !valid {
            return Err("our authority did not sign it, or not for now");
        }
        if shown.valid_principals() != [user] {
            return Err("it is another user's");
        }
        let options = shown.critical_options();
        let [connection] = options.iter().filter(|(name, _)| *name == CONNECTION).collect::<Vec<_>>()[..] else {
            return Err("it names no connection");
        };
        if options.len() != 1 {
            return Err("it has a critical option that is not known");
        }
        let ended = "it has ended: by a logout, or by a restart of the gateway";
        let bytes = shown.to_bytes().map_err(|_unwritable| ended)?;
        let live = self.lock();
        let live = live.get(&fingerprint(&bytes)).filter(|live| live.expires_at > now).ok_or(ended)?;
        let is_whole = live.holder.connection.as_str() == connection.1.as_str()
            && live.holder.verified.principal.name.as_str() == user;
        if is_whole { Ok(live.holder.clone()) } else { Err("it is not what was made") }
    }
}

/// For nobody's terminal, and with nothing permitted: what may be done is decided as it is asked.
fn sign(authority: &PrivateKey, key: &PublicKey, holder: &Holder, (now, until): (i64, i64)) -> Option<Certificate> {
    let mut nonce = [0; Builder::RECOMMENDED_NONCE_SIZE];
    rand::fill(&mut nonce).ok()?;
    let mut serial = [0; 8];
    rand::fill(&mut serial).ok()?;
    let from = u64::try_from(now.saturating_sub(BACKDATED_SECONDS)).ok()?;
    let mut builder = Builder::new(nonce, key.key_data().clone(), from, u64::try_from(until).ok()?).ok()?;
    builder.serial(u64::from_be_bytes(serial)).ok()?;
    builder.cert_type(CertType::User).ok()?.key_id(&holder.id).ok()?;
    builder.valid_principal(holder.verified.principal.name.as_str()).ok()?;
    builder.critical_option(CONNECTION, holder.connection.as_str()).ok()?;
    builder.sign(authority).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        approval::testing::person, clock::WallClock, identity::client_certificates::MOST_PER_PRINCIPAL,
        model::Authentication,
    };

    const NOW: i64 = 1_800_000_000;

    struct World {
        clock: WallClock,
        certificates: ClientCertificates,
        key: PublicKey,
    }

    fn world() -> World {
        let clock = WallClock::manual(NOW * 1_000);
        let certificates = ClientCertificates::new(900, clock.clone()).unwrap();
        World { clock, certificates, key: authority().unwrap().public_key().clone() }
    }

    fn login(name: &str) -> Verified {
        let (principal, expires_at) = (person(name, &[]), NOW + 3_600);
        Verified { principal, expires_at, authentication: Authentication::default() }
    }

    fn bastion() -> ConnectionName {
        ConnectionName::new("bastion").unwrap()
    }

    impl World {
        fn issue(&self, name: &str) -> Certificate {
            let key = self.key.to_openssh().unwrap();
            let issued = self.certificates.issue_ssh(&login(name), &bastion(), &key).unwrap();
            Certificate::from_openssh(&issued.certificate).unwrap()
        }

        /// Signed by our own authority, though nobody asked for it.
        fn signed(&self, fill: impl FnOnce(&mut Builder)) -> Certificate {
            let (from, until) = (u64::try_from(NOW - 60).unwrap(), u64::try_from(NOW + 60).unwrap());
            let mut builder = Builder::new([7; 32], self.key.key_data().clone(), from, until).unwrap();
            builder.key_id("crt_forged").unwrap();
            fill(&mut builder);
            builder.sign(&self.certificates.0.ssh_authority).unwrap()
        }
    }

    #[test]
    fn a_certificate_is_its_holders_on_one_connection_until_it_ends() {
        let world = world();
        let shown = world.issue("alice");
        assert_eq!((shown.cert_type(), shown.valid_principals()), (CertType::User, &["alice".to_owned()][..]));
        assert!(shown.key_id().starts_with("crt_") && shown.extensions().is_empty());
        assert_eq!(shown.valid_before(), u64::try_from(NOW + 900).unwrap());
        let holder = world.certificates.ssh_holder("alice", &shown).unwrap();
        assert_eq!((holder.id.as_str(), &holder.connection), (shown.key_id(), &bastion()));
        assert!(world.certificates.ssh_holder("bob", &shown).is_err());
        assert!(world.certificates.knows(&world.key));
        assert!(!world.certificates.knows(authority().unwrap().public_key()));
        world.clock.advance(900_000);
        assert!(world.certificates.ssh_holder("alice", &shown).is_err() && !world.certificates.knows(&world.key));
    }

    /// Principals, critical options, kind, and why it is none.
    type Forgery<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], CertType, &'a str);

    #[test]
    fn what_is_signed_by_another_or_was_not_made_here_is_none() {
        let (world, other) = (world(), world());
        let foreign = other.issue("alice");
        assert!(world.certificates.ssh_holder("alice", &foreign).is_err());
        let ended = "it has ended: by a logout, or by a restart of the gateway";
        let cases: [Forgery<'_>; 7] = [
            (&["alice"], &[(CONNECTION, "bastion")], CertType::Host, "it is no user's"),
            (&[], &[(CONNECTION, "bastion")], CertType::User, "it is another user's"),
            (&["alice", "bob"], &[(CONNECTION, "bastion")], CertType::User, "it is another user's"),
            (&["alice"], &[], CertType::User, "it names no connection"),
            (&["alice"], &[("force-command", "id")], CertType::User, "it names no connection"),
            (
                &["alice"],
                &[(CONNECTION, "bastion"), ("source-address", "127.0.0.1")],
                CertType::User,
                "it has a critical option that is not known",
            ),
            (&["alice"], &[(CONNECTION, "bastion")], CertType::User, ended),
        ];
        for (principals, options, kind, why) in cases {
            let shown = world.signed(|builder| {
                builder.cert_type(kind).unwrap();
                for principal in principals {
                    builder.valid_principal(*principal).unwrap();
                }
                if principals.is_empty() {
                    builder.all_principals_valid().unwrap();
                }
                for (name, value) in options {
                    builder.critical_option(*name, *value).unwrap();
                }
            });
            assert_eq!(world.certificates.ssh_holder("alice", &shown).unwrap_err(), why, "{principals:?} {options:?}");
        }
    }

    #[test]
    fn a_logout_ends_it_and_keys_are_few_and_modern() {
        let world = world();
        let (hers, his) = (world.issue("alice"), world.issue("bob"));
        world.certificates.forget(&person("alice", &["any"]));
        assert!(world.certificates.ssh_holder("alice", &hers).is_err());
        assert!(world.certificates.ssh_holder("bob", &his).is_ok());
        let issue = |key: &str| world.certificates.issue_ssh(&login("alice"), &bastion(), key);
        let rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7 x";
        for bad in ["", "no key", rsa, &"x".repeat(10_000), &hers.to_openssh().unwrap()] {
            assert!(matches!(issue(bad), Err(ClientCertificateError::PublicKey)), "{bad}");
        }
        let key = world.key.to_openssh().unwrap();
        for _ in 0..MOST_PER_PRINCIPAL {
            issue(&key).unwrap();
        }
        assert!(matches!(issue(&key), Err(ClientCertificateError::TooMany)));
        let over = Verified { expires_at: NOW, ..login("carol") };
        let late = world.certificates.issue_ssh(&over, &bastion(), &key);
        assert!(matches!(late, Err(ClientCertificateError::Expired)));
    }
}
