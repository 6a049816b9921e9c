//! Client certificates for native clients: each for one principal on one connection, short, and of this process only.
//!
//! X.509 here, OpenSSH's own in `ssh`; each kind has an authority, whose key is made at start and never written. Besides the
//! signature, a certificate counts only while it is remembered here: a restart or a logout ends it at once. Knows no TLS
//! and no protocol; `gateway` asks.

mod ssh;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use aws_lc_rs::{digest, rand};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SerialNumber,
};
use russh::keys::{PrivateKey, ssh_key::public::KeyData};
use rustls::pki_types::CertificateDer;
use time::OffsetDateTime;

use super::Verified;
use crate::{
    clock::WallClock,
    model::{ConnectionName, Principal},
};

/// Live certificates of one principal.
const MOST_PER_PRINCIPAL: usize = 32;
/// Live certificates in all.
const MOST: usize = 20_000;
const MAX_REQUEST_BYTES: usize = 8 * 1024;
/// A clock that is behind ours must not find a certificate to be of the future.
const BACKDATED_SECONDS: i64 = 300;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum ClientCertificateError {
    /// The login behind it is over.
    #[error("the login has expired")]
    Expired,
    /// Too many are alive.
    #[error("too many certificates are alive; each is forgotten when it ends, and all of yours when you log out")]
    TooMany,
    /// The request is none, or not signed by its key, or of a key that is not on P-256.
    #[error("the certificate request is not a PEM request for a P-256 key, signed by it")]
    Request,
    /// The key is none, or of a kind that is not certified.
    #[error("the public key is not one of Ed25519 or ECDSA, as ssh-keygen writes it")]
    PublicKey,
    /// It could not be made.
    #[error("no certificate can be made")]
    Unmade,
}

/// A certificate that was just made.
#[derive(Debug)]
pub struct IssuedCertificate {
    /// Its public name, for the record.
    pub id: String,
    /// The certificate: as PEM, or as OpenSSH writes it.
    pub certificate: String,
    /// When it ends, seconds since 1970.
    pub expires_at: i64,
}

/// Who a certificate is of.
#[derive(Debug, Clone)]
pub struct Holder {
    /// Its public name.
    pub id: String,
    /// Who, and until when the login behind it lasts.
    pub verified: Verified,
    /// Where it opens.
    pub connection: ConnectionName,
}

/// Makes and knows client certificates; cheap to clone.
#[derive(Clone)]
pub struct ClientCertificates(Arc<Inner>);

struct Inner {
    authority: CertificateDer<'static>,
    signing: Issuer<'static, KeyPair>,
    ssh_authority: PrivateKey,
    live: Mutex<BTreeMap<Vec<u8>, Live>>,
    longest_seconds: i64,
    clock: WallClock,
}

struct Live {
    holder: Holder,
    expires_at: i64,
    /// Whose key it is for, where it is OpenSSH's.
    ssh_key: Option<KeyData>,
}

impl fmt::Debug for ClientCertificates {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ClientCertificates")
    }
}

impl ClientCertificates {
    /// Makes an authority that nobody else has. Certificates last so many seconds at most.
    pub fn new(longest_seconds: i64, clock: WallClock) -> Result<Self, ClientCertificateError> {
        let unmade = |_failure: rcgen::Error| ClientCertificateError::Unmade;
        let key = KeyPair::generate().map_err(unmade)?;
        let mut parameters = CertificateParams::new(Vec::new()).map_err(unmade)?;
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        parameters.distinguished_name.push(DnType::CommonName, "hoop native clients");
        let authority = parameters.self_signed(&key).map_err(unmade)?.der().clone();
        let signing = Issuer::new(parameters, key);
        let ssh_authority = ssh::authority().ok_or(ClientCertificateError::Unmade)?;
        let live = Mutex::default();
        Ok(Self(Arc::new(Inner { authority, signing, ssh_authority, live, longest_seconds, clock })))
    }

    /// What vouches for the certificates.
    pub fn authority(&self) -> &CertificateDer<'static> {
        &self.0.authority
    }

    /// Makes one for the key of this request (PKCS #10), whose other content is not looked at. It ends with the login, if
    /// that is sooner.
    pub fn issue(
        &self,
        login: &Verified,
        connection: &ConnectionName,
        request: &str,
    ) -> Result<IssuedCertificate, ClientCertificateError> {
        let (now, expires_at) = self.lasting(login)?;
        if request.len() > MAX_REQUEST_BYTES {
            return Err(ClientCertificateError::Request);
        }
        let request =
            CertificateSigningRequestParams::from_pem(request).map_err(|_refused| ClientCertificateError::Request)?;
        if rcgen::PublicKeyData::algorithm(&request.public_key) != &PKCS_ECDSA_P256_SHA256 {
            return Err(ClientCertificateError::Request);
        }
        let mut serial = [0_u8; 16];
        rand::fill(&mut serial).map_err(|_unspecified| ClientCertificateError::Unmade)?;
        let parameters = leaf(login, connection, serial, now, expires_at)?;
        let signed = parameters.signed_by(&request.public_key, &self.0.signing);
        let signed = signed.map_err(|_failure| ClientCertificateError::Unmade)?;
        let id = format!("crt_{}", URL_SAFE_NO_PAD.encode(serial));
        let holder = Holder { id: id.clone(), verified: login.clone(), connection: connection.clone() };
        self.remember(signed.der(), Live { holder, expires_at, ssh_key: None }, now)?;
        Ok(IssuedCertificate { id, certificate: signed.pem(), expires_at })
    }

    /// Now, and when a certificate of this login ends that is made now.
    fn lasting(&self, login: &Verified) -> Result<(i64, i64), ClientCertificateError> {
        let now = self.0.clock.unix_seconds();
        let expires_at = login.expires_at.min(now.saturating_add(self.0.longest_seconds));
        if expires_at > now { Ok((now, expires_at)) } else { Err(ClientCertificateError::Expired) }
    }

    fn remember(&self, certificate: &[u8], one: Live, now: i64) -> Result<(), ClientCertificateError> {
        let mut live = self.lock();
        live.retain(|_, one| one.expires_at > now);
        let own = live.values().filter(|other| other.holder.verified.principal.is(&one.holder.verified.principal));
        if own.count() >= MOST_PER_PRINCIPAL || live.len() >= MOST {
            return Err(ClientCertificateError::TooMany);
        }
        live.insert(fingerprint(certificate), one);
        Ok(())
    }

    /// Whose a certificate is, whose key the client proved in its handshake; `None` where it does not count any more.
    pub fn holder(&self, certificate: &[u8]) -> Option<Holder> {
        let now = self.0.clock.unix_seconds();
        let live = self.lock();
        live.get(&fingerprint(certificate)).filter(|live| live.expires_at > now).map(|live| live.holder.clone())
    }

    /// Forgets every certificate of a principal: they logged out.
    pub fn forget(&self, principal: &Principal) {
        self.lock().retain(|_, live| !live.holder.verified.principal.is(principal));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Vec<u8>, Live>> {
        self.0.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn leaf(
    login: &Verified,
    connection: &ConnectionName,
    serial: [u8; 16],
    now: i64,
    expires_at: i64,
) -> Result<CertificateParams, ClientCertificateError> {
    let time =
        |seconds| OffsetDateTime::from_unix_timestamp(seconds).map_err(|_out_of_range| ClientCertificateError::Unmade);
    let mut leaf = CertificateParams::new(Vec::new()).map_err(|_failure| ClientCertificateError::Unmade)?;
    leaf.distinguished_name.push(DnType::CommonName, login.principal.name.as_str());
    leaf.distinguished_name.push(DnType::OrganizationalUnitName, connection.as_str());
    leaf.serial_number = Some(SerialNumber::from_slice(&serial));
    leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    leaf.is_ca = IsCa::ExplicitNoCa;
    (leaf.not_before, leaf.not_after) = (time(now.saturating_sub(BACKDATED_SECONDS))?, time(expires_at)?);
    Ok(leaf)
}

fn fingerprint(certificate: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, certificate).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject as _;

    use super::*;
    use crate::{approval::testing::person, model::Authentication};

    fn login(name: &str, expires_at: i64) -> Verified {
        Verified { principal: person(name, &[]), expires_at, authentication: Authentication::default() }
    }

    fn request(key: &KeyPair) -> String {
        CertificateParams::new(Vec::new()).unwrap().serialize_request(key).unwrap().pem().unwrap()
    }

    fn der(issued: &IssuedCertificate) -> CertificateDer<'static> {
        CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap()
    }

    fn prod() -> ConnectionName {
        ConnectionName::new("pg-prod").unwrap()
    }

    #[test]
    fn a_certificate_is_its_holders_on_one_connection_until_it_ends() {
        let clock = WallClock::manual(1_800_000_000_000);
        let certificates = ClientCertificates::new(900, clock.clone()).unwrap();
        let key = KeyPair::generate().unwrap();
        let alice = login("alice", clock.unix_seconds() + 3_600);
        let issued = certificates.issue(&alice, &prod(), &request(&key)).unwrap();
        assert_eq!(issued.expires_at, clock.unix_seconds() + 900);
        let held = certificates.holder(&der(&issued)).unwrap();
        assert_eq!((held.verified, held.connection), (alice, prod()));
        let (_, parsed) = x509_parser::parse_x509_certificate(&der(&issued))
            .map(|(rest, one)| (rest.len(), one.subject().to_string()))
            .unwrap();
        assert!(parsed.contains("CN=alice") && parsed.contains("OU=pg-prod"), "{parsed}");
        clock.advance(900_000);
        assert!(certificates.holder(&der(&issued)).is_none());
        let short = login("alice", clock.unix_seconds() + 60);
        assert_eq!(certificates.issue(&short, &prod(), &request(&key)).unwrap().expires_at, clock.unix_seconds() + 60);
        let over = login("alice", clock.unix_seconds());
        assert!(matches!(certificates.issue(&over, &prod(), &request(&key)), Err(ClientCertificateError::Expired)));
    }

    #[test]
    fn a_logout_and_another_process_end_it() {
        let clock = WallClock::manual(1_800_000_000_000);
        let certificates = ClientCertificates::new(900, clock.clone()).unwrap();
        let other = ClientCertificates::new(900, clock.clone()).unwrap();
        let (key, until) = (KeyPair::generate().unwrap(), clock.unix_seconds() + 3_600);
        let issue = |name| certificates.issue(&login(name, until), &prod(), &request(&key)).unwrap();
        let (alices, bobs) = (issue("alice"), issue("bob"));
        assert!(other.holder(&der(&alices)).is_none());
        certificates.forget(&person("alice", &["any"]));
        assert!(certificates.holder(&der(&alices)).is_none());
        assert!(certificates.holder(&der(&bobs)).is_some());
    }

    #[test]
    fn requests_are_signed_by_their_key_and_certificates_are_few() {
        let clock = WallClock::manual(1_800_000_000_000);
        let certificates = ClientCertificates::new(900, clock.clone()).unwrap();
        let alice = login("alice", clock.unix_seconds() + 3_600);
        let (key, other) = (KeyPair::generate().unwrap(), KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap());
        let good = request(&key);
        let middle = good.lines().nth(2).unwrap();
        let swapped: String = middle.chars().rev().collect();
        for bad in ["", "not PEM", &good.replace(middle, &swapped), &request(&other), &"x".repeat(10_000)] {
            assert!(matches!(certificates.issue(&alice, &prod(), bad), Err(ClientCertificateError::Request)));
        }
        for _ in 0..MOST_PER_PRINCIPAL {
            certificates.issue(&alice, &prod(), &good).unwrap();
        }
        assert!(matches!(certificates.issue(&alice, &prod(), &good), Err(ClientCertificateError::TooMany)));
    }
}
