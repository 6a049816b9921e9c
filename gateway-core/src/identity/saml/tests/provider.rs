//! An identity provider for tests: it says whatever it is told to, and signs it with a real key.

use std::{path::Path, sync::OnceLock};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize};
use saml_rs::crypto::{construct_saml_signature, keys::load_private_key};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::config::{CertificateDigest, SamlConfig};

pub(super) const ENTITY_ID: &str = "https://idp.example.com/metadata";
pub(super) const RSA_SHA256: &str = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
const SP: &str = "https://hoop.example.com/saml/metadata";
const ACS: &str = "https://hoop.example.com/saml/acs";

/// A key and its certificate.
pub(super) struct Provider {
    pub(super) key: String,
    pub(super) certificate: String,
    der: Vec<u8>,
}

impl Provider {
    /// The one that the gateway believes.
    pub(super) fn genuine() -> &'static Self {
        static GENUINE: OnceLock<Provider> = OnceLock::new();
        GENUINE.get_or_init(Self::make)
    }

    /// Somebody else, with a certificate that says the same.
    pub(super) fn mallory() -> &'static Self {
        static MALLORY: OnceLock<Provider> = OnceLock::new();
        MALLORY.get_or_init(Self::make)
    }

    fn make() -> Self {
        let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let certificate =
            CertificateParams::new(vec!["idp.example.com".to_owned()]).unwrap().self_signed(&key).unwrap();
        Self { key: key.serialize_pem(), certificate: certificate.pem(), der: certificate.der().to_vec() }
    }

    pub(super) fn digest(&self) -> CertificateDigest {
        let sum = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &self.der);
        CertificateDigest(sum.as_ref().try_into().unwrap())
    }

    /// What the operator writes, with the metadata in a file.
    pub(super) fn config(folder: &Path) -> SamlConfig {
        let genuine = Self::genuine();
        let certificate = STANDARD.encode(&genuine.der);
        let metadata = format!(
            "<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"{ENTITY_ID}\">\
             <md:IDPSSODescriptor protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\">\
             <md:KeyDescriptor use=\"signing\"><ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">\
             <ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>\
             </md:KeyDescriptor><md:SingleSignOnService \
             Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" Location=\"https://idp.example.com/sso\"/>\
             </md:IDPSSODescriptor></md:EntityDescriptor>"
        );
        let idp_metadata = folder.join("idp.xml");
        std::fs::write(&idp_metadata, metadata).unwrap();
        SamlConfig {
            idp_metadata,
            certificates: vec![genuine.digest()],
            entity_id: None,
            principal_attribute: None,
            groups_attribute: "groups".to_owned(),
            allow_idp_initiated: false,
            login_minutes: 60,
            encryption: None,
        }
    }
}

/// Something to say, unsigned yet.
#[derive(Clone)]
pub(super) struct Made {
    pub(super) now: i64,
    pub(super) request: Option<String>,
    pub(super) confirmed_request: Option<String>,
    pub(super) name: String,
    pub(super) name_format: &'static str,
    pub(super) issuer: &'static str,
    pub(super) audience: Option<&'static str>,
    pub(super) recipient: &'static str,
    pub(super) destination: &'static str,
    pub(super) status: &'static str,
    pub(super) method: &'static str,
    pub(super) not_before: i64,
    pub(super) not_on_or_after: i64,
    pub(super) session_ends: Option<i64>,
    pub(super) condition: &'static str,
    pub(super) statement: bool,
    pub(super) id: String,
}

fn instant(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds).unwrap().format(&Rfc3339).unwrap()
}

impl Made {
    /// What is true of ana now.
    pub(super) fn new(now: i64, request: Option<&str>) -> Self {
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Self {
            now,
            request: request.map(str::to_owned),
            confirmed_request: request.map(str::to_owned),
            name: "ana".to_owned(),
            name_format: "persistent",
            issuer: ENTITY_ID,
            audience: Some(SP),
            recipient: ACS,
            destination: ACS,
            status: "Success",
            method: "bearer",
            not_before: now - 5,
            not_on_or_after: now + 300,
            session_ends: None,
            condition: "",
            statement: true,
            id: number.to_string(),
        }
    }

    pub(super) fn assertion(&self) -> String {
        let Self { name, name_format, issuer, recipient, method, id, condition, .. } = self;
        let (now, before, after) = (instant(self.now), instant(self.not_before), instant(self.not_on_or_after));
        let answers = |request: &Option<String>| match request {
            Some(request) => format!(" InResponseTo=\"{request}\""),
            None => String::new(),
        };
        let confirmed = answers(&self.confirmed_request);
        let audience = self.audience.map_or_else(String::new, |audience| {
            format!("<saml:AudienceRestriction><saml:Audience>{audience}</saml:Audience></saml:AudienceRestriction>")
        });
        let ends = self.session_ends.map_or_else(String::new, |at| format!(" SessionNotOnOrAfter=\"{}\"", instant(at)));
        let statement = format!(
            "<saml:AuthnStatement AuthnInstant=\"{now}\" SessionIndex=\"_s{id}\"{ends}><saml:AuthnContext>\
             <saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef>\
             </saml:AuthnContext></saml:AuthnStatement>"
        );
        let statement = if self.statement { statement } else { String::new() };
        format!(
            "<saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"_a{id}\" Version=\"2.0\" \
             IssueInstant=\"{now}\"><saml:Issuer>{issuer}</saml:Issuer><saml:Subject>\
             <saml:NameID Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:{name_format}\">{name}</saml:NameID>\
             <saml:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:{method}\">\
             <saml:SubjectConfirmationData NotOnOrAfter=\"{after}\" Recipient=\"{recipient}\"{confirmed}/>\
             </saml:SubjectConfirmation></saml:Subject>\
             <saml:Conditions NotBefore=\"{before}\" NotOnOrAfter=\"{after}\">{audience}{condition}</saml:Conditions>\
             {statement}<saml:AttributeStatement><saml:Attribute Name=\"groups\">\
             <saml:AttributeValue>dba</saml:AttributeValue><saml:AttributeValue>eng</saml:AttributeValue>\
             </saml:Attribute><saml:Attribute Name=\"mail\"><saml:AttributeValue>ana@example.test</saml:AttributeValue>\
             </saml:Attribute></saml:AttributeStatement></saml:Assertion>"
        )
    }

    /// The whole response, with these assertions in it.
    pub(super) fn around(&self, assertions: &str) -> String {
        let Self { issuer, destination, status, id, .. } = self;
        let now = instant(self.now);
        let answers = self.request.as_ref().map_or_else(String::new, |id| format!(" InResponseTo=\"{id}\""));
        format!(
            "<samlp:Response xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" \
             xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"_r{id}\" Version=\"2.0\" IssueInstant=\"{now}\" \
             Destination=\"{destination}\"{answers}><saml:Issuer>{issuer}</saml:Issuer><samlp:Status>\
             <samlp:StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:{status}\"/></samlp:Status>{assertions}\
             </samlp:Response>"
        )
    }

    pub(super) fn unsigned(&self) -> String {
        self.around(&self.assertion())
    }

    /// Signed by the provider that the gateway believes.
    pub(super) fn signed(&self) -> String {
        signed_by(&self.unsigned(), Provider::genuine(), &Provider::genuine().certificate, Signed::Assertion)
    }
}

/// What a signature covers.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Signed {
    Assertion,
    Response,
}

/// Signs with this key, and shows this certificate.
pub(super) fn signed_by(xml: &str, signer: &Provider, shown: &str, what: Signed) -> String {
    let key = load_private_key(&signer.key, None).unwrap();
    construct_saml_signature(xml, what == Signed::Response, &key, shown, RSA_SHA256, &[], None).unwrap()
}
