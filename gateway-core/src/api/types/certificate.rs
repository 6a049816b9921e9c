//! Client certificates for native clients, as they cross the API.

use serde::{Deserialize, Serialize};

use crate::model::ConnectionName;

/// Body of `POST /api/v1/connections/{name}/certificate`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateRequest {
    /// A certificate request (PKCS #10, PEM) for a P-256 key that stays with the client.
    pub request: String,
}

/// Body of `POST /api/v1/connections/{name}/ssh-certificate`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SshCertificateRequest {
    /// A public key in OpenSSH's format, Ed25519 or ECDSA, whose private key stays with the client.
    pub public_key: String,
}

/// A certificate that opens one connection as the caller.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ConnectionCertificate {
    /// Its public name, as in the record.
    pub id: String,
    /// Where to connect.
    pub host: String,
    /// The port there.
    pub port: u16,
    /// The user to say.
    pub user: String,
    /// The connection; to be said as the database where it is PostgreSQL.
    pub database: ConnectionName,
    /// The certificate: as PEM, or as OpenSSH writes it.
    pub certificate: String,
    /// When it can no longer be used.
    pub expires_at: i64,
    /// When a session that was opened with it ends: with the login behind it.
    pub login_expires_at: i64,
}
