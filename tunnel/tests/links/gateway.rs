//! A gateway to test against: TLS on loopback, tokens that are principals' names, streams handed to the test.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hoop_tunnel::acceptor::{Acceptor, Authenticated, Incoming, Rejection, serve};
use hoop_tunnel::client::{
    DialError, Endpoint, Jitter, LinkClient, LinkConfig, StreamRequest, TokenError, TokenFuture, TokenSource,
};
use hoop_tunnel::link::{ALPN, LinkStream, client_tls_with_roots};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

pub(crate) type Asked = Incoming<String>;

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Tokens read `NAME` or `NAME SECONDS`; `bad` is rejected.
struct Door {
    asked: mpsc::UnboundedSender<Asked>,
}

impl Acceptor for Door {
    type Principal = String;

    async fn authenticate(&self, token: &SecretString) -> Result<Authenticated<String>, Rejection> {
        let mut words = token.expose_secret().split(' ');
        let name = words.next().unwrap_or_default();
        if name == "bad" {
            return Err(Rejection::Invalid("the token is bad".into()));
        }
        let seconds = words.next().map_or(3600, |seconds| seconds.parse().unwrap());
        Ok(Authenticated { principal: name.to_owned(), valid_for: Duration::from_secs(seconds) })
    }

    async fn open(&self, incoming: Asked) {
        drop(self.asked.send(incoming));
    }
}

pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    pub(crate) asked: mpsc::UnboundedReceiver<Asked>,
    pub(crate) links: Arc<AtomicU64>,
    pub(crate) shutdown: CancellationToken,
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
    task: JoinHandle<()>,
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        Self::with(made.cert.der().clone(), made.signing_key.serialize_der(), "127.0.0.1:0".parse().unwrap()).await
    }

    async fn with(certificate: CertificateDer<'static>, key: Vec<u8>, address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tls = rustls::ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.clone())))
            .unwrap();
        tls.alpn_protocols = vec![ALPN.to_vec()];
        let (sender, asked) = mpsc::unbounded_channel();
        let (links, shutdown) = (Arc::new(AtomicU64::new(0)), CancellationToken::new());
        let task = tokio::spawn(listen(
            listener,
            TlsAcceptor::from(Arc::new(tls)),
            sender,
            Arc::clone(&links),
            shutdown.clone(),
        ));
        Self { address, asked, links, shutdown, certificate, key, task }
    }

    /// Kills every link at once and stops listening.
    pub(crate) async fn die(self) -> Grave {
        self.task.abort();
        drop(self.task.await);
        Grave { address: self.address, certificate: self.certificate, key: self.key }
    }

    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::new("127.0.0.1", self.address.port()).unwrap()
    }

    pub(crate) fn config(&self, tokens: Arc<Tokens>) -> LinkConfig {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        LinkConfig {
            endpoint: self.endpoint(),
            tls: Arc::new(client_tls_with_roots(provider(), roots).unwrap()),
            tokens,
            jitter: Jitter::new(|_| Duration::ZERO),
        }
    }

    pub(crate) async fn client(&self, tokens: &Arc<Tokens>) -> Result<LinkClient, DialError> {
        LinkClient::connect(self.config(Arc::clone(tokens))).await
    }

    /// Both ends of a new stream.
    pub(crate) async fn stream(&mut self, client: &LinkClient) -> (LinkStream, LinkStream) {
        let request = request("pg-prod");
        let (near, far) =
            tokio::join!(client.open(&request), async { self.asked.recv().await.unwrap().accept().unwrap() });
        (near.unwrap(), far)
    }
}

/// What is left of a gateway, to come back from.
pub(crate) struct Grave {
    address: SocketAddr,
    certificate: CertificateDer<'static>,
    key: Vec<u8>,
}

impl Grave {
    pub(crate) async fn rise(self) -> Gateway {
        Gateway::with(self.certificate, self.key, self.address).await
    }
}

async fn listen(
    listener: TcpListener,
    tls: TlsAcceptor,
    asked: mpsc::UnboundedSender<Asked>,
    links: Arc<AtomicU64>,
    shutdown: CancellationToken,
) {
    let mut served = tokio::task::JoinSet::new();
    loop {
        let (socket, _) = listener.accept().await.unwrap();
        socket.set_nodelay(true).unwrap();
        let (tls, shutdown) = (tls.clone(), shutdown.clone());
        let (door, links) = (Arc::new(Door { asked: asked.clone() }), Arc::clone(&links));
        served.spawn(async move {
            if let Ok(stream) = tls.accept(socket).await {
                links.fetch_add(1, Ordering::Relaxed);
                drop(serve(stream, door, shutdown).await);
            }
        });
    }
}

/// Tokens a test sets.
pub(crate) struct Tokens {
    token: Mutex<String>,
    refreshed: watch::Sender<u64>,
}

impl Tokens {
    pub(crate) fn of(token: &str) -> Arc<Self> {
        Arc::new(Self { token: Mutex::new(token.to_owned()), refreshed: watch::Sender::new(0) })
    }

    /// The next requests carry another token; nobody is told.
    pub(crate) fn set(&self, token: &str) {
        token.clone_into(&mut self.token.lock().unwrap());
    }

    pub(crate) fn refresh(&self, token: &str) {
        self.set(token);
        self.refreshed.send_modify(|count| *count += 1);
    }
}

impl TokenSource for Tokens {
    fn token(&self) -> TokenFuture<'_> {
        let token = self.token.lock().unwrap().clone();
        Box::pin(async move {
            if token.is_empty() { Err(TokenError::LoggedOut("no login".into())) } else { Ok(SecretString::from(token)) }
        })
    }

    fn refreshed(&self) -> watch::Receiver<u64> {
        self.refreshed.subscribe()
    }
}

pub(crate) fn request(connection: &str) -> StreamRequest {
    StreamRequest { connection: connection.to_owned(), client_address: None, local_password: None }
}
