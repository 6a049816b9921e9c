//! Native listeners: stock clients of PostgreSQL and SSH, straight to the gateway, without the CLI.
//!
//! Owns the sockets, what may be half-open on them, and what a client may prove itself with. How each protocol comes to a
//! login and the connect decision is told below. The session that comes of it is the one that a tunnel's would be.

mod crowd;
mod login;
mod postgres;
mod ssh;
mod start;

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use hoop_tunnel::acceptor::LinkIdentity;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::crowd::Crowd;
use super::{GatewayError, certificate::ServerTls, listen};
use crate::{
    config::{NativeListen, Site},
    identity::{ClientCertificates, ConnectionTokens, GatewayTokens, Verified, Verifier},
    model::{ConnectionKind, ConnectionName, Presence},
    session::{Environment, Stay, Surroundings},
    upstream::SshKeys,
};

/// How long a client may take from its first byte to a login.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);
/// How long to wait when the system gives no more descriptors.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// When a silent connection is probed, so that NATs keep it and the dead are noticed.
const KEEPALIVE_IDLE: Duration = Duration::from_mins(1);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
/// The longest JWT taken.
const MAX_JWT_BYTES: usize = 16 * 1024;

/// One listening socket, and the connections that are reached through it.
#[derive(Debug)]
pub(super) struct NativeListener {
    listener: TcpListener,
    address: SocketAddr,
    kind: ConnectionKind,
    connections: Vec<(ConnectionName, NativeListen)>,
}

/// Opens a socket for every address that the site's connections name.
pub(super) async fn bind(site: &Site) -> Result<Vec<NativeListener>, GatewayError> {
    let mut wanted: BTreeMap<SocketAddr, (ConnectionKind, Vec<_>)> = BTreeMap::new();
    for connection in &site.connections {
        if let Some(native) = connection.native {
            // A site whose kinds differ at one address is not read.
            let (_, connections) = wanted.entry(native.address).or_insert((connection.kind, Vec::new()));
            connections.push((connection.name.clone(), native));
        }
    }
    let mut bound = Vec::new();
    for (address, (kind, connections)) in wanted {
        let (listener, address) = listen(address).await?;
        bound.push(NativeListener { listener, address, kind, connections });
    }
    Ok(bound)
}

impl NativeListener {
    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What its clients speak.
    pub(super) fn kind(&self) -> ConnectionKind {
        self.kind
    }

    /// Whose clients come in here.
    pub(super) fn connections(&self) -> impl Iterator<Item = &ConnectionName> {
        self.connections.iter().map(|(name, _)| name)
    }
}

/// What every native login needs.
#[derive(Debug)]
pub(super) struct Doorkeeper {
    surroundings: Surroundings,
    proofs: Proofs,
    tls: ServerTls,
    ssh: SshKeys,
    crowd: Crowd,
}

/// What a client may prove itself with.
#[derive(Debug)]
pub(super) struct Proofs {
    pub(super) tokens: GatewayTokens,
    pub(super) connection_tokens: ConnectionTokens,
    pub(super) certificates: ClientCertificates,
    pub(super) verifier: Verifier,
}

/// Why a JWT proves nobody.
#[derive(Debug)]
enum Unproved {
    /// It is not one of this user.
    NotThem(String),
    /// Nobody can be proved now.
    Unknown(String),
}

impl Proofs {
    /// Who a bearer of the gateway, or a JWT of the issuer, is of, where that is this user.
    async fn jwt(&self, user: &str, text: &str) -> Result<Verified, Unproved> {
        if text.len() > MAX_JWT_BYTES {
            return Err(Unproved::NotThem("it is too long for a JWT".to_owned()));
        }
        let verified = match self.tokens.verify_with_login(text) {
            Ok((verified, login)) => Verified { expires_at: login, ..verified },
            Err(_not_ours) => self.verifier.verify(text).await.map_err(|error| {
                let why = error.to_string();
                if error.is_the_tokens() { Unproved::NotThem(why) } else { Unproved::Unknown(why) }
            })?,
        };
        if verified.principal.name.as_str() == user {
            Ok(verified)
        } else {
            Err(Unproved::NotThem("the JWT is another principal's".to_owned()))
        }
    }
}

impl Doorkeeper {
    pub(super) fn new(surroundings: Surroundings, proofs: Proofs, tls: ServerTls, ssh: SshKeys) -> Arc<Self> {
        Arc::new(Self { surroundings, proofs, tls, ssh, crowd: Crowd::default() })
    }
}

/// Accepts until `shutdown`.
pub(super) async fn accept(
    listener: NativeListener,
    door: Arc<Doorkeeper>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
) {
    let NativeListener { listener, kind, connections, .. } = listener;
    let connections: Arc<[(ConnectionName, NativeListen)]> = connections.into();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((tcp, peer)) => {
                let (door, connections, shutdown) = (Arc::clone(&door), Arc::clone(&connections), shutdown.clone());
                let arrived = Arrived { door, connections, tcp, peer };
                if kind == ConnectionKind::Ssh {
                    tasks.spawn(async move { ssh::client(arrived, shutdown).await });
                } else {
                    tasks.spawn(async move { postgres::client(arrived, shutdown).await });
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a native connection could not be accepted");
                tokio::time::sleep(EXHAUSTED).await;
            }
        }
    }
}

/// A client that was accepted, and is not known yet.
struct Arrived {
    door: Arc<Doorkeeper>,
    connections: Arc<[(ConnectionName, NativeListen)]>,
    tcp: TcpStream,
    peer: SocketAddr,
}

/// For how long a login lets somebody stay, and what their session watches.
fn stay(environment: &Environment, login: &Verified) -> (Stay, tokio::sync::watch::Receiver<LinkIdentity<Presence>>) {
    let left = login.expires_at.saturating_sub(environment.clock.unix_seconds());
    Stay::of(&login.principal, Duration::from_secs(u64::try_from(left).unwrap_or(0)))
}

/// When a client that still stands in the door has to go.
async fn too_late(peer: SocketAddr, shutdown: &CancellationToken) {
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = tokio::time::sleep(LOGIN_TIMEOUT) => tracing::debug!(%peer, "a native login took too long"),
    }
}

fn tune(tcp: &TcpStream) {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL);
    let tuned = tcp.set_nodelay(true).and_then(|()| SockRef::from(tcp).set_tcp_keepalive(&keepalive));
    if let Err(error) = tuned {
        tracing::debug!(%error, "a native connection could not be tuned");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PostgreSQL has no message that keeps a connection alive, and a held statement may say nothing for a quarter of an
    /// hour.
    #[tokio::test]
    async fn a_held_native_client_is_kept_alive() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (_client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (tcp, _peer) = accepted.unwrap();
        assert!(!SockRef::from(&tcp).keepalive().unwrap());
        tune(&tcp);
        assert!(SockRef::from(&tcp).keepalive().unwrap());
    }
}
