//! The floor that the bench compares with: a bare copy, plain or as two halves with TLS between them.
//!
//! `floor tcp LISTEN UPSTREAM` copies. `floor far LISTEN UPSTREAM CERTIFICATE` ends TLS and copies on in plain (the
//! gateway's half; it writes its fresh certificate there), `floor near LISTEN FAR CERTIFICATE` takes plain and dials
//! TLS (the laptop's half). Uses the same TLS library and copy as the product, and nothing else of it.

use std::{error::Error, fs, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, copy_bidirectional_with_sizes, stdout},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

const BUFFER_BYTES: usize = 16 * 1024;
const USAGE: &str = "floor tcp|far|near LISTEN UPSTREAM [CERTIFICATE]";

type Failure = Box<dyn Error + Send + Sync>;

/// What stands between the two sockets.
#[derive(Clone)]
enum Hop {
    Plain,
    Ends(TlsAcceptor),
    Dials(TlsConnector),
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (mode, listen, upstream, certificate) = match arguments.as_slice() {
        [mode, listen, upstream] => (mode, listen, upstream, None),
        [mode, listen, upstream, certificate] => (mode, listen, upstream, Some(certificate)),
        _ => return Err(USAGE.into()),
    };
    let hop = match (mode.as_str(), certificate) {
        ("tcp", None) => Hop::Plain,
        ("far", Some(file)) => Hop::Ends(acceptor(file)?),
        ("near", Some(file)) => Hop::Dials(connector(file)?),
        _ => return Err(USAGE.into()),
    };
    let listener = TcpListener::bind(listen).await?;
    stdout().write_all(b"listening\n").await?;
    stdout().flush().await?;
    loop {
        let (client, _) = listener.accept().await?;
        drop(tokio::spawn(join(client, upstream.clone(), hop.clone())));
    }
}

async fn join(client: TcpStream, upstream: String, hop: Hop) -> Result<(), Failure> {
    let server = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    match hop {
        Hop::Plain => copy(client, server).await,
        Hop::Ends(acceptor) => copy(acceptor.accept(client).await?, server).await,
        Hop::Dials(connector) => {
            let name = ServerName::try_from("localhost")?;
            copy(client, connector.connect(name, server).await?).await
        }
    }
}

async fn copy(mut one: impl Stream, mut other: impl Stream) -> Result<(), Failure> {
    copy_bidirectional_with_sizes(&mut one, &mut other, BUFFER_BYTES, BUFFER_BYTES).await?;
    Ok(())
}

trait Stream: AsyncRead + AsyncWrite + Unpin {}
impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

fn acceptor(file: &str) -> Result<TlsAcceptor, Failure> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key)?;
    fs::write(file, made.cert.der())?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn connector(file: &str) -> Result<TlsConnector, Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(fs::read(file)?))?;
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
