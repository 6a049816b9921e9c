//! A site folder → validated values. Nothing half-checked leaves here: unknown keys, literal secrets and invalid
//! policies are problems with file, line, column and fix, all of them at once.
//!
//! Reads files, resolves no secret, opens no socket. The gateway loads a [`Site`] at start; `hoop policy check` too.

use std::path::PathBuf;

mod agents;
mod cases;
mod connection;
mod development;
mod files;
mod gateway;
mod http;
mod lease;
mod masking;
mod notifications;
mod oidc;
pub(crate) mod place;
mod reader;
mod references;
mod saml;
mod schema;
mod secret;
mod secrets;
mod site;
mod ssh;
mod starters;
mod workload;

pub use agents::AgentRule;
pub use cases::{ExpectedDecision, PolicyCase};
pub use connection::{
    ApplicationName, Connection, Credential, NativeAuthentication, NativeListen, UpstreamAddress, UpstreamAddressError,
    UpstreamPool, UpstreamTls,
};
pub use development::{check_development, check_production, write_sample};
pub use files::{MAX_SITE_BYTES, SiteFiles};
pub use gateway::{
    Durability, GatewayConfig, IdentityConfig, OidcConfig, RecordingsConfig, SigningAlgorithm, StoreConfig, TlsFiles,
    WorkloadIssuer, needs_restart,
};
pub use http::{HttpCredential, HttpSettings, Streams, TokenExchange, TokenExchanger, TokenLogin, secrets_of};
pub use lease::{EphemeralRole, LeasePer};
pub use masking::{ColumnPattern, ColumnPatternError, ColumnRule, ConnectionSelector, Masking};
pub(crate) use notifications::EMAIL;
pub use notifications::{ChatConfig, EmailConfig, MailTls, NotificationsConfig, WebhookConfig};
pub use oidc::{DEFAULT_CLOCK_SKEW_SECONDS, GoogleDirectory, GroupsFrom, OidcOptions, default_claims};
pub use references::{ReferencePattern, ungranted};
pub use saml::{CertificateDigest, SamlConfig, SamlEncryption};
pub use schema::SiteFile;
pub use secret::{SecretCommand, SecretName, SecretReference, SecretReferenceError, VaultPath};
pub use secrets::{SecretsConfig, VaultConfig, VaultLogin};
pub use site::Site;
pub use ssh::{
    HostTrust, LoginShell, MaskedDownloads, MaskedTerminal, ShellLines, SshCredential, SshSettings, Watching,
};
pub use starters::Starter;

#[cfg(test)]
mod tests;

/// One thing wrong with a site, with its place and the fix, as it is shown to the operator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}:{column}: {message}\n  fix: {fix}", .file.display())]
pub struct Problem {
    /// The file, relative to the site where possible.
    pub file: PathBuf,
    /// Line, from 1; 0 where the whole file is meant.
    pub line: usize,
    /// Column in characters, from 1; 0 where the whole line is meant.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub fix: String,
}
