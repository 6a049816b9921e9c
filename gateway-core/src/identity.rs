//! Who is asking: validates an issuer's tokens, and issues the gateway's own short-lived ones.
//!
//! `oidc` verifies against discovered keys, `tokens` signs and checks the gateway's bearers, `development` is the
//! provider that exists only with `--dev`, `saml` logs people in at a SAML provider through the gateway's own pages, `connection_tokens` keeps passwords for native clients, checked by `scram`. Knows no policy and no protocol. Called by `api` and the tunnel's acceptor.

mod agents;
mod client_certificates;
mod codes;
mod connection_tokens;
mod development;
mod ended;
mod forms;
mod grants;
mod last_seen;
mod network;
mod oidc;
mod origin;
mod pages;
mod saml;
pub mod scram;
mod tokens;
mod verified;

pub use agents::Agents;
pub use client_certificates::{ClientCertificateError, ClientCertificates, Holder, IssuedCertificate};
pub use connection_tokens::{
    CONNECTION_TOKEN_LIFE_SECONDS, ConnectionTokenError, ConnectionTokens, IssuedConnectionToken, Redeemed,
};
pub use development::{DevelopmentMode, DevelopmentProvider};
pub use last_seen::LastSeen;
pub use network::{Network, Place, Places};
pub use oidc::{IssuerAnswer, IssuerCall, RelayError, Verifier};
pub use origin::PublicOrigin;
pub use saml::{DeviceWish, SamlLogin, Unmet};
pub use tokens::{GatewayTokens, Issued, KeyUse, TOKEN_LIFE_SECONDS, TokenKeyError};
pub use verified::{IdentityError, Verified};
