//! TLS towards upstreams: verified against the platform's or the site's authorities, or encrypted only where the site
//! says `require`, as libpq's `sslmode=require` does.

use std::{path::PathBuf, sync::Arc};

use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
};
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::{config::UpstreamTls, upstream::TlsMode};

/// Why TLS towards an upstream cannot be configured.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamTlsError {
    /// The CA file could not be read or holds no certificate.
    #[error("{} holds no certificate authority in PEM", .0.display())]
    Authority(PathBuf),
    /// The platform's authorities could not be loaded.
    #[error("the system's certificate authorities cannot be loaded")]
    Platform(#[source] rustls::Error),
    /// rustls refuses the versions.
    #[error("TLS cannot be configured")]
    Versions(#[source] rustls::Error),
}

/// The TLS mode of a connection.
pub(super) fn mode(tls: &UpstreamTls) -> Result<TlsMode, UpstreamTlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(UpstreamTlsError::Versions)?;
    let config = match tls {
        UpstreamTls::Disable => return Ok(TlsMode::Disable),
        UpstreamTls::Require => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
            .with_no_client_auth(),
        UpstreamTls::VerifyFull { ca_file: None } => {
            builder.with_platform_verifier().map_err(UpstreamTlsError::Platform)?.with_no_client_auth()
        }
        UpstreamTls::VerifyFull { ca_file: Some(path) } => {
            builder.with_root_certificates(roots(path)?).with_no_client_auth()
        }
    };
    Ok(TlsMode::Use(Arc::new(config)))
}

fn roots(path: &PathBuf) -> Result<RootCertStore, UpstreamTlsError> {
    let unusable = || UpstreamTlsError::Authority(path.clone());
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|_unreadable| unusable())?;
    let mut roots = RootCertStore::empty();
    let (added, _ignored) = roots.add_parsable_certificates(certificates);
    if added == 0 { Err(unusable()) } else { Ok(roots) }
}

/// `require`: the wire is encrypted, the server is not authenticated. The site asked for exactly that.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
