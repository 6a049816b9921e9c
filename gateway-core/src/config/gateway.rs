//! `gateway.toml`: where the gateway listens, whom it believes and where it keeps things.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    str::FromStr,
};

use url::{Host, Url};

use super::{
    NotificationsConfig, OidcOptions, ReferencePattern, SamlConfig, SecretsConfig, notifications, oidc,
    reader::{Document, Table},
    saml, secrets, workload,
};
use crate::api::types::TokenChoice;

/// The gateway's own settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayConfig {
    /// Where it listens.
    pub listen: SocketAddr,
    /// How clients reach it.
    pub public_url: Url,
    /// Where it keeps recordings, store and keys.
    pub data_dir: PathBuf,
    /// Its certificate; a development gateway makes its own.
    pub tls: Option<TlsFiles>,
    /// Whom it believes.
    pub identity: IdentityConfig,
    /// Where requests and sessions are kept.
    pub store: StoreConfig,
    /// How recordings are kept.
    pub recordings: RecordingsConfig,
    /// A read of more rows than this is an export.
    pub export_rows: u64,
    /// Who is told of requests for approval.
    pub notifications: NotificationsConfig,
    /// Where secrets come from.
    pub secrets: SecretsConfig,
    /// What applied sites may refer to, besides what the start folder uses.
    pub references: Vec<ReferencePattern>,
}

/// PEM files, relative to the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Whom the gateway believes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityConfig {
    /// An OIDC issuer. `None` with SAML, and in development, where a built-in provider stands in.
    pub oidc: Option<OidcConfig>,
    /// A SAML identity provider, which people log in at instead.
    pub saml: Option<SamlConfig>,
    /// Issuers whose tokens are of service accounts only.
    pub workloads: Vec<WorkloadIssuer>,
    /// The claims that policies may read.
    pub claims: BTreeSet<String>,
    /// How long a client certificate of `hoop cert` lasts at most.
    pub certificate_seconds: i64,
}

impl Default for IdentityConfig {
    fn default() -> Self {
        let certificate_seconds = oidc::DEFAULT_CERTIFICATE_MINUTES * 60;
        Self { oidc: None, saml: None, workloads: Vec::new(), claims: oidc::default_claims(), certificate_seconds }
    }
}

impl IdentityConfig {
    /// Whether people log in at a provider that the site names.
    pub fn names_a_provider(&self) -> bool {
        self.oidc.is_some() || self.saml.is_some()
    }
}

/// One `[[identity.workload]]`: its tokens are agents of `agents.toml`, never people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadIssuer {
    /// Its URL, exactly as its tokens say it.
    pub issuer: String,
    /// What `aud` must hold.
    pub audience: String,
    /// Signatures accepted; never empty.
    pub algorithms: Vec<SigningAlgorithm>,
    /// Certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
}

/// One OIDC issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OidcConfig {
    /// Its URL, exactly as its tokens say it.
    pub issuer: String,
    /// The public client id of the CLI.
    pub client_id: String,
    /// What `aud` must hold.
    pub audience: String,
    /// Where the groups are; the path of a claim, one element per level.
    pub groups_claim: Vec<String>,
    /// The claim that names the principal.
    pub principal_claim: String,
    /// Which token the gateway takes.
    pub token: TokenChoice,
    /// Scopes that the CLI asks for.
    pub scopes: Vec<String>,
    /// Signatures accepted; never empty.
    pub algorithms: Vec<SigningAlgorithm>,
    /// Certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// The rest.
    pub options: OidcOptions,
}

/// Signature algorithms of tokens; symmetric ones and `none` cannot be named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SigningAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// ECDSA on P-256.
    Es256,
    /// ECDSA on P-384.
    Es384,
    /// Ed25519.
    EdDsa,
}

/// Where requests and sessions are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// The embedded store's file, `store.sqlite` in the data directory unless said otherwise.
    pub path: PathBuf,
}

/// When an operation counts as recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// When the disk says so.
    #[default]
    Strict,
    /// When the kernel has it; the disk follows within 50 ms.
    Relaxed,
}

/// How recordings are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingsConfig {
    /// The recordings' folder, `recordings` in the data directory unless said otherwise.
    pub directory: PathBuf,
    /// When an operation counts as recorded.
    pub durability: Durability,
    /// How much of a masked result is kept, in bytes per operation.
    pub result_cap_bytes: u64,
}

/// Where a gateway listens when the site does not say.
pub(super) const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8443);
/// How much of a masked result is kept when the site does not say.
const DEFAULT_RESULT_CAP_BYTES: u64 = 256 * 1024;
/// How many rows a read may return that is no export, when the site does not say.
const DEFAULT_EXPORT_ROWS: u64 = 10_000;
/// The most of a masked result that may be kept.
const MAX_RESULT_CAP_BYTES: u64 = 1 << 30;

impl GatewayConfig {
    /// A gateway on this machine only, with everything in one folder.
    pub fn local(data_dir: &Path, listen: SocketAddr, public_url: Url) -> Self {
        Self {
            listen,
            public_url,
            data_dir: data_dir.to_owned(),
            tls: None,
            identity: IdentityConfig::default(),
            store: StoreConfig { path: data_dir.join("store.sqlite") },
            recordings: RecordingsConfig {
                directory: data_dir.join("recordings"),
                durability: Durability::default(),
                result_cap_bytes: DEFAULT_RESULT_CAP_BYTES,
            },
            export_rows: DEFAULT_EXPORT_ROWS,
            notifications: NotificationsConfig::default(),
            secrets: SecretsConfig::default(),
            references: Vec::new(),
        }
    }
}

/// The sections of gateway.toml that differ and that only a restart puts in force. What is not named here is live.
pub fn needs_restart(running: &GatewayConfig, wanted: &GatewayConfig) -> Vec<&'static str> {
    // INVARIANT: every field stands here, so that a new one is decided and not forgotten.
    let GatewayConfig {
        listen,
        public_url,
        data_dir,
        tls,
        identity,
        store,
        recordings: RecordingsConfig { directory, durability, result_cap_bytes: _ },
        export_rows: _,
        notifications,
        secrets,
        references,
    } = running;
    let differs = [
        ("listen", *listen != wanted.listen),
        ("public_url", *public_url != wanted.public_url),
        ("data_dir", *data_dir != wanted.data_dir),
        ("[tls]", *tls != wanted.tls),
        ("[identity]", *identity != wanted.identity),
        ("[store]", *store != wanted.store),
        (
            "[recordings] directory or durability",
            *directory != wanted.recordings.directory || *durability != wanted.recordings.durability,
        ),
        ("[notifications]", *notifications != wanted.notifications),
        ("[secrets]", *secrets != wanted.secrets),
        ("[apply]", *references != wanted.references),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

/// Reads `gateway.toml`.
pub(super) fn read(document: &Document<'_>, root: &Path) -> Option<GatewayConfig> {
    const LISTEN: &str = "listen = \"0.0.0.0:8443\"";
    const PUBLIC_URL: &str = "public_url = \"https://hoop.example.com\"";
    let mut file = document.root()?;
    let listen = file.text("listen");
    let listen = match listen {
        Some(listen) => file.parsed("listen", Some(listen), LISTEN, SocketAddr::from_str),
        None => Some(DEFAULT_LISTEN),
    };
    let public_url = file.required("public_url", PUBLIC_URL);
    let public_url = file.parsed("public_url", public_url, PUBLIC_URL, public_address);
    let data_dir = file.required("data_dir", "data_dir = \"/var/lib/hoop\"").map(|path| root.join(path.get_ref()));
    let tls = section(&mut file, "tls", |table| certificate(table, root));
    let identity = section(&mut file, "identity", |table| {
        let oidc = section(table, "oidc", |oidc| issuer(oidc, root));
        let saml = saml::read(table, oidc.as_ref(), root);
        let (claims, certificate_seconds) = (oidc::claims(table), oidc::certificate_seconds(table));
        let workloads = workload::read(table, oidc.as_ref(), root);
        Some(IdentityConfig { oidc, saml, workloads, claims, certificate_seconds })
    });
    let store_path = section(&mut file, "store", |table| table.text("path")).map(|path| root.join(path.get_ref()));
    let data_dir_or_root = data_dir.clone().unwrap_or_else(|| root.to_owned());
    let recordings = recordings(&mut file, root, &data_dir_or_root);
    let export_rows = file.number("export_rows").map_or(DEFAULT_EXPORT_ROWS, |rows| *rows.get_ref());
    let notifications = section(&mut file, "notifications", |table| Some(notifications::read(table, root)));
    let secrets = section(&mut file, "secrets", |table| Some(secrets::read(table, root)));
    let references = section(&mut file, "apply", |table| Some(references(table, root)));
    file.finish();
    Some(GatewayConfig {
        listen: listen?,
        public_url: public_url?,
        data_dir: data_dir?,
        tls,
        identity: identity.unwrap_or_default(),
        store: StoreConfig { path: store_path.unwrap_or_else(|| data_dir_or_root.join("store.sqlite")) },
        recordings,
        export_rows,
        notifications: notifications.unwrap_or_default(),
        secrets: secrets.unwrap_or_default(),
        references: references.unwrap_or_default(),
    })
}

fn references(table: &mut Table<'_>, root: &Path) -> Vec<ReferencePattern> {
    const FIX: &str = "references = [\"env:PG_*\", \"file:secrets/*\"]";
    let patterns = table.texts("references").unwrap_or_default();
    let read = |pattern| table.parsed("references", Some(pattern), FIX, |text| ReferencePattern::read(text, root));
    patterns.into_iter().filter_map(read).collect()
}

/// Reads an optional section, and refuses what it does not know.
fn section<T>(table: &mut Table<'_>, key: &'static str, read: impl FnOnce(&mut Table<'_>) -> Option<T>) -> Option<T> {
    let mut inner = table.table(key)?;
    let value = read(&mut inner);
    inner.finish();
    value
}

fn recordings(file: &mut Table<'_>, root: &Path, data_dir: &Path) -> RecordingsConfig {
    let mut recordings = RecordingsConfig {
        directory: data_dir.join("recordings"),
        durability: Durability::default(),
        result_cap_bytes: DEFAULT_RESULT_CAP_BYTES,
    };
    let Some(mut table) = file.table("recordings") else { return recordings };
    if let Some(directory) = table.text("directory") {
        recordings.directory = root.join(directory.get_ref());
    }
    let durability = table.text("durability");
    let durability = table.parsed("durability", durability, "durability = \"strict\"", |word| match word {
        "strict" => Ok(Durability::Strict),
        "relaxed" => Ok(Durability::Relaxed),
        _ => Err("use strict or relaxed"),
    });
    recordings.durability = durability.unwrap_or_default();
    if let Some(cap) = table.number("result_cap_bytes") {
        recordings.result_cap_bytes = *cap.get_ref();
        if *cap.get_ref() > MAX_RESULT_CAP_BYTES {
            table.problem(
                &cap.span(),
                "result_cap_bytes is too large",
                format!("write {MAX_RESULT_CAP_BYTES} at most"),
            );
        }
    }
    table.finish();
    recordings
}

fn certificate(table: &mut Table<'_>, root: &Path) -> Option<TlsFiles> {
    let certificate = table.required("certificate", "certificate = \"tls/certificate.pem\"");
    let key = table.required("key", "key = \"tls/key.pem\"");
    Some(TlsFiles { certificate: root.join(certificate?.get_ref()), key: root.join(key?.get_ref()) })
}

fn issuer(table: &mut Table<'_>, root: &Path) -> Option<OidcConfig> {
    const ISSUER: &str = "issuer = \"https://idp.example.com\"";
    let issuer = table.required("issuer", ISSUER);
    let issuer = table.parsed("issuer", issuer, ISSUER, |text| issuer_address(text).map(|()| text.to_owned()));
    let client_id = table.required("client_id", "client_id = \"hoop-cli\"").map(toml::Spanned::into_inner);
    let audience = table.required("audience", "audience = \"hoop\"").map(toml::Spanned::into_inner);
    let groups_claim = table.text_or_texts("groups_claim").map_or_else(|| vec!["groups".to_owned()], claim_path);
    if groups_claim.iter().any(String::is_empty) || groups_claim.is_empty() {
        table.problem(
            table.span(),
            "groups_claim has an empty part",
            "write `groups_claim = \"groups\"` or `\"realm_access.roles\"`",
        );
    }
    let principal_claim = table.text("principal_claim").map_or_else(|| "sub".to_owned(), toml::Spanned::into_inner);
    let token = table.text("token");
    let token = table.parsed("token", token, "token = \"access\"", |word| match word {
        "access" => Ok(TokenChoice::Access),
        "id" => Ok(TokenChoice::Id),
        _ => Err("use access or id"),
    });
    let scopes = table
        .texts("scopes")
        .map_or_else(default_scopes, |scopes| scopes.into_iter().map(toml::Spanned::into_inner).collect());
    let algorithms = algorithms(table);
    let ca_file = table.text("ca_file").map(|path| root.join(path.get_ref()));
    let options = oidc::read(table, token.unwrap_or(TokenChoice::Access), root);
    Some(OidcConfig {
        issuer: issuer?,
        client_id: client_id?,
        audience: audience?,
        groups_claim,
        principal_claim,
        token: token.unwrap_or(TokenChoice::Access),
        scopes,
        algorithms,
        ca_file,
        options,
    })
}

/// `realm_access.roles` is a path; a claim that is a URL, and each element of a list, is one name.
fn claim_path(parts: Vec<toml::Spanned<String>>) -> Vec<String> {
    let mut parts: Vec<String> = parts.into_iter().map(toml::Spanned::into_inner).collect();
    match parts.as_mut_slice() {
        [path] if !path.contains("://") => path.split('.').map(str::to_owned).collect(),
        _ => parts,
    }
}

fn default_scopes() -> Vec<String> {
    ["openid", "profile", "email", "offline_access"].map(str::to_owned).to_vec()
}

pub(super) fn algorithms(table: &mut Table<'_>) -> Vec<SigningAlgorithm> {
    let default = vec![SigningAlgorithm::Rs256, SigningAlgorithm::Es256, SigningAlgorithm::EdDsa];
    let Some(names) = table.texts("algorithms") else { return default };
    if names.is_empty() {
        table.problem(
            table.span(),
            "algorithms is empty, so no token would be valid",
            "write algorithms = [\"RS256\"]",
        );
    }
    names
        .into_iter()
        .filter_map(|name| {
            table.parsed(
                "algorithms",
                Some(name),
                "algorithms = [\"RS256\", \"ES256\", \"EdDSA\"]",
                |name| match name {
                    "RS256" => Ok(SigningAlgorithm::Rs256),
                    "PS256" => Ok(SigningAlgorithm::Ps256),
                    "ES256" => Ok(SigningAlgorithm::Es256),
                    "ES384" => Ok(SigningAlgorithm::Es384),
                    "EdDSA" => Ok(SigningAlgorithm::EdDsa),
                    _ => Err("use RS256, PS256, ES256, ES384 or EdDSA"),
                },
            )
        })
        .collect()
}

fn public_address(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_unread| "it is no URL")?;
    if url.scheme() != "https" || url.host().is_none() {
        return Err("it is no https URL");
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err("it holds more than host and port");
    }
    if url.path() == "/" { Ok(url) } else { Err("it has a path") }
}

/// An issuer is reached by https; by http only on this machine.
pub(super) fn issuer_address(text: &str) -> Result<(), &'static str> {
    let url = Url::parse(text).map_err(|_unread| "it is no URL")?;
    let here = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return Err("it has no host"),
    };
    match url.scheme() {
        "https" => Ok(()),
        "http" if here => Ok(()),
        _ => Err("an issuer is an https URL, or http on this machine"),
    }
}
