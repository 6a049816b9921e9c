//! The gateway's TLS certificate: from files in production; generated, with a CA of its own, for `--dev`.
//!
//! The development CA signs names of this machine only and its key never leaves the data directory (0600).

use std::{
    fs, io,
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    sync::Arc,
};

use aws_lc_rs::digest;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};
use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::WebPkiClientVerifier,
};

use crate::config::TlsFiles;

/// Application protocols of the listener, in order of preference: the link, then the HTTP API.
pub(super) const LINK_PROTOCOL: &[u8] = hoop_tunnel::link::ALPN;

/// The application protocol of PostgreSQL, which direct TLS must name.
pub(super) const NATIVE_PROTOCOL: &[u8] = b"postgresql";

/// Why the gateway has no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file could not be read or written.
    #[error("{} cannot be {action}", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Read or written.
        action: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A file is not PEM of the expected kind.
    #[error("{} holds no usable {kind} in PEM", .path.display())]
    Pem {
        /// Which file.
        path: PathBuf,
        /// Certificate or private key.
        kind: &'static str,
    },
    /// Generation failed.
    #[error("a development certificate cannot be made")]
    Generate(#[from] rcgen::Error),
    /// rustls refuses the authority of native clients.
    #[error("client certificates cannot be asked for")]
    Clients(#[from] rustls::server::VerifierBuilderError),
    /// rustls refuses the pair.
    #[error("the certificate and key do not make a TLS server")]
    Tls(#[from] rustls::Error),
}

/// The gateway's certificate, ready for each of its listeners.
#[derive(Debug, Clone)]
pub struct ServerTls {
    /// For the one port of links and the API.
    pub link: Arc<rustls::ServerConfig>,
    /// For native PostgreSQL listeners.
    pub native: Arc<rustls::ServerConfig>,
    /// The certificate's hash, to which a native client may bind its login (`tls-server-end-point`); none where the
    /// certificate's signature names no hash, as Ed25519's.
    pub binding: Option<Arc<[u8]>>,
}

/// A server configuration from the operator's files. `clients` vouches for the certificates of native clients.
pub fn from_files(files: &TlsFiles, clients: &CertificateDer<'_>) -> Result<ServerTls, CertificateError> {
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|_unreadable| pem(&files.certificate, "certificate"))?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|_unreadable| pem(&files.key, "private key"))?;
    server(chain, key, clients)
}

fn pem(path: &Path, kind: &'static str) -> CertificateError {
    CertificateError::Pem { path: path.to_owned(), kind }
}

/// A server configuration for `--dev` and the CA certificate (PEM) that vouches for it. The CA is kept in `directory`
/// so that a restart does not break the trust of the same user's CLI.
pub fn development(directory: &Path, clients: &CertificateDer<'_>) -> Result<(ServerTls, String), CertificateError> {
    let wrote = |path: &Path, source| CertificateError::File { path: path.to_owned(), action: "written", source };
    fs::create_dir_all(directory).map_err(|source| wrote(directory, source))?;
    fs::set_permissions(directory, fs::Permissions::from_mode(0o700)).map_err(|source| wrote(directory, source))?;
    let (authority, certificate) = development_authority(directory)?;
    let key = KeyPair::generate()?;
    let mut leaf = CertificateParams::new(vec!["localhost".to_owned()])?;
    leaf.subject_alt_names.push(SanType::IpAddress(std::net::Ipv4Addr::LOCALHOST.into()));
    leaf.subject_alt_names.push(SanType::IpAddress(std::net::Ipv6Addr::LOCALHOST.into()));
    leaf.distinguished_name.push(DnType::CommonName, "hoop development gateway");
    let signed = leaf.signed_by(&key, &authority)?;
    let key = PrivateKeyDer::try_from(key.serialize_der()).map_err(|_malformed| pem(directory, "private key"))?;
    Ok((server(vec![signed.der().clone()], key, clients)?, certificate))
}

fn development_authority(directory: &Path) -> Result<(Issuer<'static, KeyPair>, String), CertificateError> {
    let (key_path, certificate_path) = (directory.join("ca.key.pem"), directory.join("ca.pem"));
    let wrote = |path: &Path, source| CertificateError::File { path: path.to_owned(), action: "written", source };
    if let (Ok(key), Ok(certificate)) = (fs::read_to_string(&key_path), fs::read_to_string(&certificate_path)) {
        let issuer = Issuer::from_ca_cert_pem(&certificate, KeyPair::from_pem(&key)?)?;
        return Ok((issuer, certificate));
    }
    let key = KeyPair::generate()?;
    let mut parameters = CertificateParams::new(Vec::new())?;
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters.distinguished_name.push(DnType::CommonName, "hoop development CA (this machine only)");
    let certificate = parameters.self_signed(&key)?.pem();
    let mut options = fs::OpenOptions::new();
    let mut file =
        options.write(true).create(true).truncate(true).mode(0o600).open(&key_path).map_err(|e| wrote(&key_path, e))?;
    io::Write::write_all(&mut file, key.serialize_pem().as_bytes()).map_err(|source| wrote(&key_path, source))?;
    fs::write(&certificate_path, &certificate).map_err(|source| wrote(&certificate_path, source))?;
    Ok((Issuer::new(parameters, key), certificate))
}

fn server(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    clients: &CertificateDer<'_>,
) -> Result<ServerTls, CertificateError> {
    let binding = chain.first().and_then(|leaf| channel_binding(leaf));
    if binding.is_none() {
        tracing::warn!("the certificate's signature names no hash: native clients cannot use channel_binding=require");
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = || {
        let provider = Arc::clone(&provider);
        rustls::ServerConfig::builder_with_provider(provider).with_protocol_versions(&[&rustls::version::TLS13])
    };
    let mut config = builder()?.with_no_client_auth().with_single_cert(chain.clone(), key.clone_key())?;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(clients.clone().into_owned())?;
    // A client without a certificate proves itself by a password; one of another authority is not let in at all.
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let verifier = verifier.allow_unauthenticated().build()?;
    let mut native = builder()?.with_client_cert_verifier(verifier).with_single_cert(chain, key)?;
    config.alpn_protocols = vec![LINK_PROTOCOL.to_vec(), b"h2".to_vec(), b"http/1.1".to_vec()];
    native.alpn_protocols = vec![NATIVE_PROTOCOL.to_vec()];
    // No PostgreSQL client resumes, so a ticket is only work and memory.
    native.send_tls13_tickets = 0;
    native.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    Ok(ServerTls { link: Arc::new(config), native: Arc::new(native), binding })
}

/// SPEC: RFC 5929 §4.1: the certificate hashed with the hash of its signature, or SHA-256 in place of MD5 and SHA-1.
fn channel_binding(certificate: &CertificateDer<'_>) -> Option<Arc<[u8]>> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let algorithm = match parsed.signature_algorithm.algorithm.to_id_string().as_str() {
        // RSA and ECDSA with MD5, SHA-1 or SHA-256.
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.1"
        | "1.2.840.10045.4.3.2" => &digest::SHA256,
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => &digest::SHA384,
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => &digest::SHA512,
        _ => return None,
    };
    Some(digest::digest(algorithm, certificate).as_ref().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_keeps_the_authority_and_its_key_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let clients = KeyPair::generate().unwrap();
        let clients = CertificateParams::new(Vec::new()).unwrap().self_signed(&clients).unwrap();
        let (_, first) = development(folder.path(), clients.der()).unwrap();
        let (_, second) = development(folder.path(), clients.der()).unwrap();
        assert_eq!(first, second);
        let mode = fs::metadata(folder.path().join("ca.key.pem")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
