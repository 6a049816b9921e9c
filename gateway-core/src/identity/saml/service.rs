//! The service provider: the protocol's library with the one strict profile that the gateway speaks.
//!
//! The assertion itself is signed, with RSA and SHA-2, by a certificate that the settings pin; audience, recipient,
//! destination, request and times are checked, each message is used once. Where the gateway has a key, the assertion is
//! encrypted and the response around it signed too, so that nothing is decrypted that the provider did not send.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use saml_rs::{
    AcsEndpoint, AssertionSignaturePolicy, AudienceValidationPolicy, BrowserInput, CertificatePem, ClockSkew,
    Credentials, EntityId, ForceAuthn, FormField, IdpDescriptor, LogoutPolicy, MetadataTrustPolicy,
    NameIdCreationPolicy, PendingAuthnRequest, PrivateKeyPem, RelayStateParam, ReplayPolicy, ResponseSignaturePolicy,
    Saml, SamlError, SamlValidationContext, Sp, SpConfig, SpValidationPolicy, SsoResponse, SsoSession, StartSso,
    XmlEncryptionPolicy, XmlPolicy, XmlSignatureProfile,
    constants::{Binding, CertUse},
    xml::XmlLimits,
};
use url::Url;
use x509_parser::{prelude::FromDer as _, public_key::PublicKey};

use super::{
    refusal::Refusal,
    replay::Replays,
    screen::{self, MAX_XML_BYTES, Posted},
};
use crate::{
    config::{CertificateDigest, SamlConfig, SamlEncryption},
    identity::{IdentityError, PublicOrigin},
};

/// How far the provider's clock may be off, each way.
const SKEW_MILLIS: i64 = 60_000;
const MAX_FILE_BYTES: u64 = 1024 * 1024;
const SMALLEST_RSA_BITS: usize = 2048;

/// A response is shallow: nothing in one is nested a third as deep.
const LIMITS: XmlLimits = XmlLimits {
    max_bytes: MAX_XML_BYTES,
    max_depth: 32,
    max_nodes: 4_000,
    max_attributes_per_element: 32,
    max_attribute_value_bytes: 4 * 1024,
    max_text_bytes: MAX_XML_BYTES,
};

/// Exactly these; the library's profile holds the same, and is asked first.
const SIGNATURES: [&str; 3] = [
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512",
];

/// The gateway as a service provider, and the one provider it knows.
pub(super) struct Service {
    gateway: Saml<Sp>,
    provider: IdpDescriptor,
    replays: Mutex<Replays>,
}

/// A request that is to be carried to the provider by the person's browser.
pub(super) struct Outgoing {
    /// Where the browser goes.
    pub(super) address: Url,
    /// What the answer must fit.
    pub(super) pending: PendingAuthnRequest,
}

impl Service {
    /// Reads metadata and key. Refuses a certificate that is not pinned, is weak, or is missing.
    pub(super) fn open(config: &SamlConfig, origin: &PublicOrigin) -> Result<Self, IdentityError> {
        let settings = |why: String| IdentityError::Settings(format!("[identity.saml]: {why}"));
        let provider = provider(config).map_err(settings)?;
        let credentials = credentials(config.encryption.as_ref()).map_err(settings)?;
        let entity_id = config.entity_id.clone().unwrap_or_else(|| format!("{}/saml/metadata", origin.as_str()));
        let responses = match config.encryption {
            Some(_) => ResponseSignaturePolicy::RequireSigned,
            None => ResponseSignaturePolicy::RequireForEncryptedCbc,
        };
        let validation = SpValidationPolicy {
            assertions: AssertionSignaturePolicy::RequireSigned,
            responses,
            xml_signatures: XmlSignatureProfile::StrictRsaSha2,
            authn_requests: saml_rs::AuthnRequestSigningPolicy::DoNotSignForCompatibility,
            audience: AudienceValidationPolicy::Validate,
            name_id_creation: NameIdCreationPolicy::AllowCreate,
            logout: LogoutPolicy::recommended(),
        };
        let encryption = match config.encryption {
            Some(_) => XmlEncryptionPolicy::encrypt_assertions(),
            None => XmlEncryptionPolicy::default(),
        };
        let build = || -> Result<Saml<Sp>, SamlError> {
            let config = SpConfig::builder(EntityId::try_new(entity_id)?)
                .acs_endpoint(AcsEndpoint::post(format!("{}/saml/acs", origin.as_str()))?.mark_default())
                .credentials(credentials)
                .validation(validation)
                .xml(XmlPolicy {
                    clock_drifts: (-SKEW_MILLIS, SKEW_MILLIS),
                    limits: LIMITS,
                    encryption,
                    ..XmlPolicy::default()
                })
                .build()?;
            Saml::sp(config)
        };
        let gateway = build().map_err(|error| settings(error.to_string()))?;
        let service = Self { gateway, provider, replays: Mutex::default() };
        // What cannot make a request now could not make one when somebody logs in.
        service.begin("probe", false).map_err(|refusal| settings(format!("no login can be begun: {refusal}")))?;
        Ok(service)
    }

    /// What the provider is told of the gateway.
    pub(super) fn metadata(&self) -> &str {
        self.gateway.metadata_xml()
    }

    /// A request for a login. `anew` has the provider ask the person again, whatever it remembers.
    pub(super) fn begin(&self, relay_state: &str, anew: bool) -> Result<Outgoing, Refusal> {
        let relay_state = RelayStateParam::try_from_option(Some(relay_state.to_owned()))?;
        let start = StartSso::redirect().relay_state(relay_state).apply_web_browser_sso_generation_rules();
        let start = if anew { start.force_authn(ForceAuthn::Required) } else { start };
        let started = self.gateway.start_sso(&self.provider, start)?;
        let address = started.outbound.redirect_url()?;
        let address = Url::parse(address).map_err(|_malformed| Refusal("the provider's address is no URL"))?;
        Ok(Outgoing { address, pending: started.pending })
    }

    /// Believes an answer to a request of ours, or says why not.
    pub(super) fn finish(
        &self,
        pending: &PendingAuthnRequest,
        posted: Posted,
        now: SystemTime,
    ) -> Result<SsoSession, Refusal> {
        let mut replays = self.replays.lock().unwrap_or_else(PoisonError::into_inner);
        let context = context(&mut replays, now);
        sole(self.gateway.finish_sso(&self.provider, pending, input(posted), context)?)
    }

    /// Believes a login that the provider began, or says why not.
    pub(super) fn accept(&self, posted: Posted, now: SystemTime) -> Result<SsoSession, Refusal> {
        let mut replays = self.replays.lock().unwrap_or_else(PoisonError::into_inner);
        let context = context(&mut replays, now);
        sole(self.gateway.accept_unsolicited_sso(&self.provider, input(posted), context)?)
    }
}

fn context(replays: &mut Replays, now: SystemTime) -> SamlValidationContext<'_> {
    SamlValidationContext::new(now, ReplayPolicy::RequireCache(replays.at(now)))
        .with_clock_skew(ClockSkew::from_millis(-SKEW_MILLIS, SKEW_MILLIS))
        .with_replay_retention(Duration::from_mins(10))
}

fn input(posted: Posted) -> BrowserInput<SsoResponse> {
    let response = FormField::new("SAMLResponse", posted.response);
    let state = posted.relay_state.map(|state| FormField::new("RelayState", state));
    BrowserInput::<SsoResponse>::post(std::iter::once(response).chain(state).collect())
}

/// What the gateway wants besides: one assertion and no more, algorithms of the list, nothing hidden in what was
/// decrypted.
fn sole(session: SsoSession) -> Result<SsoSession, Refusal> {
    // One key is the response's, and each assertion has one.
    if session.replay_keys().len() != 2 {
        return Err(Refusal("it holds more than one assertion"));
    }
    let signatures = session.verified_xml_signatures();
    if signatures.is_empty() || signatures.iter().any(|one| !SIGNATURES.contains(&one.algorithm_uri())) {
        return Err(Refusal("it is signed with an algorithm that is not accepted"));
    }
    screen::look_at(session.raw_flow().saml_content.as_bytes())?;
    Ok(session)
}

/// The provider of the metadata file, whose every signing certificate is pinned.
fn provider(config: &SamlConfig) -> Result<IdpDescriptor, String> {
    let path = &config.idp_metadata;
    let text = file(path)?;
    screen_metadata(&text, path)?;
    // The file is the operator's; what it says is trusted as far as the pins go, which come from elsewhere.
    let provider = IdpDescriptor::from_metadata_xml(&text, MetadataTrustPolicy::UnsignedForCompatibility)
        .map_err(|error| format!("{} is no metadata of an identity provider: {error}", path.display()))?;
    let certificates = provider.metadata().x509_certificates(CertUse::Signing);
    if certificates.is_empty() {
        return Err(format!("{} names no signing certificate", path.display()));
    }
    let pinned: BTreeSet<_> = config.certificates.iter().collect();
    for certificate in &certificates {
        let (found, bits) = examine(certificate).map_err(|why| format!("{}: {why}", path.display()))?;
        if !pinned.contains(&found) {
            return Err(format!(
                "{} has a signing certificate whose SHA-256 is {found}, and idp_certificate_sha256 does not name it; \
                 compare it with what the identity provider's administrator says before you add it",
                path.display()
            ));
        }
        if bits < SMALLEST_RSA_BITS {
            return Err(format!("the signing certificate {found} has only {bits} bits, or is not RSA"));
        }
    }
    let address = provider
        .metadata()
        .get_single_sign_on_service(Binding::Redirect)
        .ok_or_else(|| format!("{} names no SingleSignOnService with the HTTP-Redirect binding", path.display()))?;
    safe(&address)?;
    Ok(provider)
}

/// The library reads metadata without limits of ours, and a document type has no place in it either.
fn screen_metadata(text: &str, path: &Path) -> Result<(), String> {
    if text.contains("<!DOCTYPE") || text.contains("<!ENTITY") {
        return Err(format!("{} has a document type, which metadata does not need", path.display()));
    }
    Ok(())
}

/// The digest of a certificate as metadata writes it, and the size of its RSA key.
fn examine(certificate: &str) -> Result<(CertificateDigest, usize), String> {
    let text: String = certificate.chars().filter(|letter| !letter.is_whitespace()).collect();
    let der = STANDARD.decode(text).map_err(|_malformed| "a certificate in it is not Base64".to_owned())?;
    let mut sum = [0; 32];
    sum.iter_mut().zip(digest(&SHA256, &der).as_ref()).for_each(|(to, from)| *to = *from);
    let (_rest, parsed) = x509_parser::certificate::X509Certificate::from_der(&der)
        .map_err(|_malformed| "a certificate in it cannot be read".to_owned())?;
    let bits = match parsed.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => key.key_size(),
        Ok(_) | Err(_) => 0,
    };
    Ok((CertificateDigest(sum), bits))
}

/// People are sent to https, or to this machine.
fn safe(address: &str) -> Result<(), String> {
    let url = Url::parse(address).map_err(|error| format!("the provider's address `{address}`: {error}"))?;
    let here = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() == "https" || (url.scheme() == "http" && here) {
        return Ok(());
    }
    Err(format!("the provider's address `{address}` is not https"))
}

fn credentials(encryption: Option<&SamlEncryption>) -> Result<Credentials, String> {
    let Some(SamlEncryption { certificate, key }) = encryption else { return Ok(Credentials::default()) };
    Ok(Credentials {
        encryption_certificate: Some(CertificatePem::new(file(certificate)?)),
        decryption_key: Some(PrivateKeyPem::new(file(key)?)),
        ..Credentials::default()
    })
}

fn file(path: &Path) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("{} cannot be read: {error}", path.display());
    if fs::metadata(path).map_err(unreadable)?.len() > MAX_FILE_BYTES {
        return Err(format!("{} is too large", path.display()));
    }
    fs::read_to_string(path).map_err(unreadable)
}
