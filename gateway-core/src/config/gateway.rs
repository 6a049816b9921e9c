//! `gateway.toml`: where the gateway listens, whom it believes and where it keeps things.

use std::{net::SocketAddr, path::PathBuf};

use url::Url;

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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IdentityConfig {
    /// An OIDC issuer. `None` only in development, where a built-in provider stands in.
    pub oidc: Option<OidcConfig>,
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
