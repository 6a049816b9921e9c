//! TLS of a native client, and the one authority that a story's gateway has.

use std::{net::TcpStream, path::Path, sync::Arc};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName, pem::PemObject as _},
};

/// A stream inside of TLS.
pub(crate) type Tls = StreamOwned<ClientConnection, TcpStream>;

/// TLS over a connected socket, with these protocols on offer.
pub(crate) fn tls_over(socket: TcpStream, authority: &Path, protocols: &[&str]) -> Tls {
    let mut roots = RootCertStore::empty();
    let pem = std::fs::read(authority).expect("readable");
    roots.add(CertificateDer::from_pem_slice(&pem).expect("a certificate")).expect("added");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("127.0.0.1").expect("an address");
    StreamOwned::new(ClientConnection::new(Arc::new(config), name).expect("a client"), socket)
}
