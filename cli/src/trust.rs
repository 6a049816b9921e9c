//! Which certificates are believed: the platform's, or for a development gateway of this user the authority it made.
//!
//! The one place that knows where that authority's certificate lies. Used for the API, the link and issuers.

use std::{net::IpAddr, path::PathBuf, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
    version::{TLS12, TLS13},
};
use rustls_platform_verifier::BuilderVerifierExt as _;

use crate::{
    context::{Directories, GatewayUrl},
    failure::Failure,
    private_file::{self, Readers},
};

/// Where a development gateway puts its authority's certificate (PEM), and where clients of the same user find it.
/// `None` for a gateway that is not on this machine: there is no other way to be believed than the platform's.
pub(crate) fn dev_ca_path(directories: &Directories, gateway: &GatewayUrl) -> Option<PathBuf> {
    dev_ca_path_at(directories, gateway.host(), gateway.port())
}

/// TLS towards a gateway: 1.3 only. The caller sets the application protocols.
pub(crate) fn client_config(directories: &Directories, gateway: &GatewayUrl) -> Result<ClientConfig, Failure> {
    config(directories, gateway.host(), gateway.port(), &[&TLS13])
}

/// TLS towards an identity provider: 1.2 is still common there.
pub(crate) fn issuer_config(directories: &Directories, host: &str, port: u16) -> Result<ClientConfig, Failure> {
    config(directories, host, port, &[&TLS13, &TLS12])
}

/// Whether a host names this machine itself. Names other than `localhost` do not, whatever they resolve to.
pub(crate) fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

fn dev_ca_path_at(directories: &Directories, host: &str, port: u16) -> Option<PathBuf> {
    is_loopback(host).then(|| directories.state().join("dev").join(port.to_string()).join("ca.pem"))
}

fn config(
    directories: &Directories,
    host: &str,
    port: u16,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Result<ClientConfig, Failure> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|error| Failure::internal("TLS could not be set up").caused_by(&error))?;
    let development = match dev_ca_path_at(directories, host, port) {
        Some(path) => private_file::read(&path, Readers::Anybody)?,
        None => None,
    };
    let builder = match development {
        Some(pem) => builder.with_root_certificates(development_roots(&pem)?),
        None => builder.with_platform_verifier().map_err(|error| {
            Failure::failed("the system's trusted certificates could not be loaded")
                .caused_by(&error)
                .next("install the package ca-certificates, or set SSL_CERT_FILE")
        })?,
    };
    Ok(builder.with_no_client_auth())
}

/// Only that authority is believed there: a public one has no business with a loopback address.
fn development_roots(pem: &str) -> Result<RootCertStore, Failure> {
    let damaged = || {
        Failure::failed("the development gateway's authority certificate is damaged")
            .next("start `hoop gateway run --dev` again; it writes a new one")
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| damaged().because(error.to_string()))?;
        roots.add(certificate).map_err(|error| damaged().caused_by(&error))?;
    }
    if roots.is_empty() { Err(damaged()) } else { Ok(roots) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_gateways_have_a_development_authority() {
        let directories = Directories::at(std::path::Path::new("/nowhere"));
        let path = |gateway: &str| dev_ca_path(&directories, &GatewayUrl::parse(gateway).expect(gateway));
        let expected = directories.state().join("dev/8443/ca.pem");
        for gateway in ["https://127.0.0.1:8443", "https://[::1]:8443", "https://localhost:8443"] {
            assert_eq!(path(gateway), Some(expected.clone()));
        }
        assert_eq!(path("https://gw.example.com:8443"), None);
        assert_eq!(path("https://127.0.0.1.example.com:8443"), None);
    }

    #[test]
    fn a_damaged_authority_is_an_error_and_not_an_empty_trust() {
        assert!(development_roots("").is_err());
        assert!(development_roots("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n").is_err());
    }
}
