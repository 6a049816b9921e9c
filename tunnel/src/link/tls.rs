//! The client's TLS for a link: 1.3 only, the link's own ALPN name, whatever trust the caller has.
//!
//! Loads no certificate itself; the caller decides whom to trust. The gateway's side is its listener's business.

use std::sync::Arc;

use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::CryptoProvider;
use rustls::{ClientConfig, RootCertStore};

use super::ALPN;

/// TLS for a link, trusting what `verifier` accepts (a platform verifier, say). TLS 1.2 is never offered.
pub fn client_tls(
    provider: Arc<CryptoProvider>,
    verifier: Arc<dyn ServerCertVerifier>,
) -> Result<ClientConfig, rustls::Error> {
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(named(config))
}

/// TLS for a link, trusting the certificates in `roots` only.
pub fn client_tls_with_roots(
    provider: Arc<CryptoProvider>,
    roots: RootCertStore,
) -> Result<ClientConfig, rustls::Error> {
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(named(config))
}

fn named(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![ALPN.to_vec()];
    config
}
