//! `[identity.saml]`: the SAML 2.0 identity provider that people log in at, and what of its assertions is used.
//!
//! The provider's metadata is a file of the site, and its signing certificates are named besides by their digests: a
//! changed file alone changes nobody's trust. People log in at one provider, so OIDC and SAML exclude each other; a name
//! would otherwise be whoever either of them says it is.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use super::{OidcConfig, reader::Table};

/// One SAML identity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SamlConfig {
    /// The provider's metadata.
    pub idp_metadata: PathBuf,
    /// The signing certificates that are believed, and no other; never empty.
    pub certificates: Vec<CertificateDigest>,
    /// How the gateway is called at the provider; the address of its metadata unless said otherwise.
    pub entity_id: Option<String>,
    /// The attribute that names the principal; the `NameID` unless said otherwise.
    pub principal_attribute: Option<String>,
    /// The attribute that holds the groups.
    pub groups_attribute: String,
    /// Whether the provider may begin a login that nobody asked for.
    pub allow_idp_initiated: bool,
    /// How long a login lasts at most, in minutes. Nothing renews it.
    pub login_minutes: u32,
    /// The key that assertions are encrypted to. With it, one that is not encrypted is refused.
    pub encryption: Option<SamlEncryption>,
}

/// PEM files, relative to the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SamlEncryption {
    /// The certificate that the gateway's metadata shows.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// The SHA-256 of a certificate in DER.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CertificateDigest(pub [u8; 32]);

impl fmt::Display for CertificateDigest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl FromStr for CertificateDigest {
    type Err = &'static str;

    /// Reads hexadecimal digits, with or without colons, as `openssl x509 -fingerprint -sha256` prints them.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "it is no SHA-256 in 64 hexadecimal digits";
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').collect();
        let mut bytes = [0; 32];
        if digits.len() != 64 {
            return Err(WRONG);
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).ok().filter(|pair| !pair.starts_with('+')).ok_or(WRONG)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_unread| WRONG)?;
        }
        Ok(Self(bytes))
    }
}

const DEFAULT_LOGIN_MINUTES: u32 = 60;
const SHORTEST_LOGIN_MINUTES: u64 = 5;
const LONGEST_LOGIN_MINUTES: u64 = 12 * 60;

/// Reads `[identity.saml]`, where it is.
pub(super) fn read(identity: &mut Table<'_>, oidc: Option<&OidcConfig>, root: &Path) -> Option<SamlConfig> {
    let mut table = identity.table("saml")?;
    if oidc.is_some() {
        let message = "people log in at one identity provider: [identity.oidc] and [identity.saml] exclude each other";
        table.problem(table.span(), message, "remove one; service accounts have [[identity.workload]]");
    }
    let config = provider(&mut table, root);
    table.finish();
    config
}

fn provider(table: &mut Table<'_>, root: &Path) -> Option<SamlConfig> {
    let metadata = table.required("idp_metadata", "idp_metadata = \"idp-metadata.xml\"");
    let certificates = certificates(table);
    let entity_id = table.text("entity_id").map(toml::Spanned::into_inner);
    if entity_id.as_ref().is_some_and(|name| name.trim().is_empty() || name.len() > MOST_NAME_BYTES) {
        let fix = "write the name that the identity provider knows the gateway by";
        table.problem(table.span(), "entity_id is empty or too long", fix);
    }
    let principal_attribute = table.text("principal_attribute").map(toml::Spanned::into_inner);
    let groups_attribute =
        table.text("groups_attribute").map_or_else(|| "groups".to_owned(), toml::Spanned::into_inner);
    let allow_idp_initiated = table.boolean("allow_idp_initiated").is_some_and(toml::Spanned::into_inner);
    let minutes = table.number("login_minutes");
    let login_minutes = match &minutes {
        None => DEFAULT_LOGIN_MINUTES,
        Some(minutes) => {
            let allowed = SHORTEST_LOGIN_MINUTES..=LONGEST_LOGIN_MINUTES;
            let within = Some(*minutes.get_ref()).filter(|minutes| allowed.contains(minutes));
            within.and_then(|minutes| u32::try_from(minutes).ok()).unwrap_or_else(|| {
                let fix = format!("write a number from {SHORTEST_LOGIN_MINUTES} to {LONGEST_LOGIN_MINUTES}");
                table.problem(&minutes.span(), "login_minutes is out of range", fix);
                DEFAULT_LOGIN_MINUTES
            })
        }
    };
    let encryption = encryption(table, root);
    Some(SamlConfig {
        idp_metadata: root.join(metadata?.get_ref()),
        certificates: certificates?,
        entity_id,
        principal_attribute,
        groups_attribute,
        allow_idp_initiated,
        login_minutes,
        encryption,
    })
}

/// The most bytes of a name; SPEC: SAML Core §8.3.6.
const MOST_NAME_BYTES: usize = 1024;

fn certificates(table: &mut Table<'_>) -> Option<Vec<CertificateDigest>> {
    const EXAMPLE: &str = "idp_certificate_sha256 = \"4f:0a:…\"";
    let Some(texts) = table.text_or_texts("idp_certificate_sha256") else {
        table.missing("idp_certificate_sha256", EXAMPLE);
        return None;
    };
    if texts.is_empty() {
        table.missing("idp_certificate_sha256", EXAMPLE);
    }
    let parse = |text| table.parsed("idp_certificate_sha256", Some(text), EXAMPLE, CertificateDigest::from_str);
    let digests: Vec<_> = texts.into_iter().filter_map(parse).collect();
    (!digests.is_empty()).then_some(digests)
}

fn encryption(table: &mut Table<'_>, root: &Path) -> Option<SamlEncryption> {
    let mut inner = table.table("encryption")?;
    let certificate = inner.required("certificate", "certificate = \"saml/encryption.pem\"");
    let key = inner.required("key", "key = \"saml/encryption.key\"");
    inner.finish();
    Some(SamlEncryption { certificate: root.join(certificate?.get_ref()), key: root.join(key?.get_ref()) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Problem, Site, check_production};

    fn load(settings: &str) -> Result<Site, Vec<Problem>> {
        let folder = tempfile::tempdir().unwrap();
        let general = "public_url = \"https://hoop.example.com\"\ndata_dir = \"data\"\n";
        std::fs::write(folder.path().join("gateway.toml"), format!("{general}{settings}")).unwrap();
        std::fs::write(folder.path().join("connections.toml"), "").unwrap();
        Site::load(folder.path())
    }

    fn saml(more: &str) -> String {
        let digest = "0f".repeat(32);
        format!("[identity.saml]\nidp_metadata = \"idp.xml\"\nidp_certificate_sha256 = \"{digest}\"\n{more}")
    }

    #[test]
    fn a_site_has_one_provider_for_people() {
        let site = load(&saml("")).unwrap();
        let config = site.gateway.identity.saml.clone().unwrap();
        assert_eq!((config.login_minutes, config.allow_idp_initiated, config.encryption), (60, false, None));
        assert!(check_production(&site).iter().all(|problem| !problem.message.contains("identity")));
        let oidc = "[identity.oidc]\nissuer = \"https://idp.example.com\"\nclient_id = \"hoop\"\naudience = \"hoop\"\n";
        let both = load(&format!("{}{oidc}", saml(""))).unwrap_err();
        assert!(both.first().unwrap().message.contains("exclude each other"), "{both:?}");
    }

    #[test]
    fn a_login_for_ever_and_a_provider_without_a_pin_are_problems() {
        for wrong in ["login_minutes = 0", "login_minutes = 100000", "entity_id = \"\"", "alow_idp_initiated = true"] {
            assert_eq!(load(&saml(wrong)).unwrap_err().len(), 1, "{wrong}");
        }
        assert_eq!(load("[identity.saml]\nidp_metadata = \"idp.xml\"\n").unwrap_err().len(), 1);
    }

    #[test]
    fn a_digest_is_read_as_openssl_prints_it() {
        let plain = "0f".repeat(32);
        let digest: CertificateDigest = plain.parse().unwrap();
        assert_eq!(digest.to_string(), plain);
        let spaced = vec!["0F"; 32].join(":");
        assert_eq!(spaced.parse(), Ok(digest));
        for wrong in ["", "0f", &"0g".repeat(32), &"+f".repeat(32), &"0f".repeat(33)] {
            assert!(wrong.parse::<CertificateDigest>().is_err(), "{wrong}");
        }
    }
}
