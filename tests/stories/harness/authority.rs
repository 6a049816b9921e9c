//! A private certificate authority, and certificates for servers of this machine.

use std::net::Ipv4Addr;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};

/// An authority that nobody trusts unless told to.
pub(crate) struct Authority {
    /// Its certificate.
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut parameters = CertificateParams::new(Vec::new()).expect("no names");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        parameters.distinguished_name.push(DnType::CommonName, "an authority of the stories");
        let pem = parameters.self_signed(&key).expect("signed").pem();
        Self { pem, issuer: Issuer::new(parameters, key) }
    }

    /// A certificate for 127.0.0.1 and its key, in PEM.
    pub(crate) fn issue(&self) -> (String, String) {
        self.issue_for(Ipv4Addr::LOCALHOST)
    }

    /// A certificate for an address and its key, in PEM.
    pub(crate) fn issue_for(&self, address: Ipv4Addr) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let mut leaf = CertificateParams::new(Vec::new()).expect("no names");
        leaf.subject_alt_names.push(SanType::IpAddress(address.into()));
        let signed = leaf.signed_by(&key, &self.issuer).expect("signed");
        (signed.pem(), key.serialize_pem())
    }
}
