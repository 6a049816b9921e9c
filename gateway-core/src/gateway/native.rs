//! Native listeners: PostgreSQL's own clients, straight to the gateway, without the CLI.
//!
//! Owns the sockets, what may be half-open on them, and the order of start-up, login and the connect decision. The
//! session that comes of it is the one that a tunnel's would be.

mod crowd;
mod login;
mod start;

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use bytes::BytesMut;
use hoop_tunnel::acceptor::LinkIdentity;
use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    time::Instant,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::{crowd::Crowd, login::Believed, start::Started};
use super::{GatewayError, certificate::ServerTls, listen};
use crate::{
    config::{NativeListen, Site},
    identity::{ClientCertificates, ConnectionTokens, GatewayTokens, Verifier},
    model::{ConnectionName, Presence, Verdict},
    policy::{Circumstances, Source},
    protocol::postgres::{message::Start, refuse::Report},
    session::{Arrival, ClientStream, Environment, Served, Surroundings},
};

/// How long a client may take from its first byte to a login.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(30);
/// How long to wait when the system gives no more descriptors.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// When a silent connection is probed, so that NATs keep it and the dead are noticed.
const KEEPALIVE_IDLE: Duration = Duration::from_mins(1);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// One listening socket, and the connections that are reached through it.
#[derive(Debug)]
pub(super) struct NativeListener {
    listener: TcpListener,
    address: SocketAddr,
    connections: Vec<(ConnectionName, NativeListen)>,
}

/// Opens a socket for every address that the site's connections name.
pub(super) async fn bind(site: &Site) -> Result<Vec<NativeListener>, GatewayError> {
    let mut wanted: BTreeMap<SocketAddr, Vec<(ConnectionName, NativeListen)>> = BTreeMap::new();
    for connection in &site.connections {
        if let Some(native) = connection.native {
            wanted.entry(native.address).or_default().push((connection.name.clone(), native));
        }
    }
    let mut bound = Vec::new();
    for (address, connections) in wanted {
        let (listener, address) = listen(address).await?;
        bound.push(NativeListener { listener, address, connections });
    }
    Ok(bound)
}

impl NativeListener {
    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
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

impl Doorkeeper {
    pub(super) fn new(surroundings: Surroundings, proofs: Proofs, tls: ServerTls) -> Arc<Self> {
        Arc::new(Self { surroundings, proofs, tls, crowd: Crowd::default() })
    }
}

/// Accepts until `shutdown`.
pub(super) async fn accept(
    listener: NativeListener,
    door: Arc<Doorkeeper>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
) {
    let NativeListener { listener, connections, .. } = listener;
    let connections: Arc<[(ConnectionName, NativeListen)]> = connections.into();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((tcp, peer)) => {
                let (door, connections, shutdown) = (Arc::clone(&door), Arc::clone(&connections), shutdown.clone());
                tasks.spawn(async move { client(door, connections, tcp, peer, shutdown).await });
            }
            Err(error) => {
                tracing::warn!(%error, "a native connection could not be accepted");
                tokio::time::sleep(EXHAUSTED).await;
            }
        }
    }
}

/// One client from its first byte to the end of its session. The steps before the session are boxed: an idle session
/// keeps nothing of them.
async fn client(
    door: Arc<Doorkeeper>,
    connections: Arc<[(ConnectionName, NativeListen)]>,
    tcp: TcpStream,
    peer: SocketAddr,
    shutdown: CancellationToken,
) {
    let Some(place) = door.crowd.enter(peer.ip()) else {
        return tracing::debug!(%peer, "too many native logins at once");
    };
    tune(&tcp);
    let coming = Box::pin(tokio::time::timeout(LOGIN_TIMEOUT, come_in(&door, &connections, tcp, peer)));
    let came = tokio::select! {
        () = shutdown.cancelled() => return,
        came = coming => came,
    };
    drop(place);
    match came {
        Ok(Some(guest)) => guest.serve().await,
        Ok(None) => {}
        Err(_elapsed) => tracing::debug!(%peer, "a native login took too long"),
    }
}

fn tune(tcp: &TcpStream) {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL);
    let tuned = tcp.set_nodelay(true).and_then(|()| SockRef::from(tcp).set_tcp_keepalive(&keepalive));
    if let Err(error) = tuned {
        tracing::debug!(%error, "a native connection could not be tuned");
    }
}

/// A client that was let in.
struct Guest {
    arrival: Arrival,
    client: ClientStream,
    buffer: BytesMut,
    start: Start,
    identity: watch::Sender<LinkIdentity<Presence>>,
    expires_at: Instant,
}

impl Guest {
    /// Serves the session. It ends with the login that it came in by, which nobody renews here.
    async fn serve(self) {
        let Self { arrival, client, buffer, start, identity, expires_at } = self;
        let serving = Box::pin(arrival.open(client, buffer, start));
        let expiring = async {
            tokio::time::sleep_until(expires_at).await;
            identity.send_replace(LinkIdentity::Expired);
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = serving => {}
            () = expiring => {}
        }
    }
}

async fn come_in(
    door: &Doorkeeper,
    connections: &[(ConnectionName, NativeListen)],
    tcp: TcpStream,
    peer: SocketAddr,
) -> Option<Guest> {
    let proved_at = std::time::Instant::now();
    let names: Vec<ConnectionName> = connections.iter().map(|(name, _)| name.clone()).collect();
    let acceptor = TlsAcceptor::from(Arc::clone(&door.tls.native));
    let cancel = |process_id, key: &_| door.surroundings.borrow().registry.cancel_native(&names, process_id, key);
    let Started { mut client, mut buffer, start, certificate } = start::start(tcp, &acceptor, cancel).await?;
    let from = login::From { peer, certificate: certificate.as_deref() };
    // One site for the decision and the session.
    let outcome = login::log_in(door, connections, &from, &mut client, &mut buffer, &start).await;
    let environment = door.surroundings.borrow().clone();
    let decided = match outcome {
        Ok(believed) => admitted(&environment, believed),
        Err(refusal) => Err(refusal),
    };
    match decided {
        Ok((believed, served, policies)) => {
            let left = believed.verified.expires_at.saturating_sub(environment.clock.unix_seconds());
            let expires_at = Instant::now() + Duration::from_secs(u64::try_from(left).unwrap_or(0));
            let principal = believed.verified.principal;
            let (identity, watched) =
                watch::channel(LinkIdentity::Valid { principal: Presence::outside(principal.clone()), expires_at });
            let (source, client_address) = (Source::Native, Some(peer));
            let arrival = Arrival {
                environment,
                served,
                principal,
                identity: watched,
                proved_at,
                policies,
                source,
                client_address,
                run: None,
                window: None,
                through: None,
            };
            Some(Guest { arrival, client, buffer, start, identity, expires_at })
        }
        Err(refusal) => {
            start::refuse(&mut client, &refusal).await;
            None
        }
    }
}

/// The connect decision, after the client proved who it is.
fn admitted(
    environment: &Environment,
    believed: Believed,
) -> Result<(Believed, Arc<Served>, crate::policy::PolicySet), BytesMut> {
    let refused = |message: &str, rule: Option<String>, hint: Option<&str>| {
        let (mut out, detail) = (BytesMut::new(), rule.map(|rule| format!("Rule {rule}.")));
        let mut report = Report::fatal("42501", message);
        if let Some(detail) = &detail {
            report = report.detail(detail);
        }
        report.hint(hint.unwrap_or("`hoop ls` lists the connections that you may use.")).write(&mut out);
        out
    };
    // What listened at the start may have been taken from native clients since.
    let served = environment.connections.get(believed.connection.as_str());
    let Some(served) = served.filter(|served| served.connection.native.is_some()).cloned() else {
        return Err(refused("there is no such connection", None, None));
    };
    let policies = served.policies.borrow().clone();
    let unix_seconds = environment.clock.unix_seconds();
    let circumstances = Circumstances::at(unix_seconds, Source::Native);
    match policies.connect(&believed.verified.principal, &served.facts, &circumstances) {
        // What needs an approval waits for it when the session is opened: the client is told then.
        Verdict::Permit { .. } | Verdict::NeedsApproval(_) => Ok((believed, served, policies)),
        Verdict::Refuse(refusal) => {
            Err(refused(&refusal.message, refusal.rule.map(|rule| rule.to_string()), refusal.hint.as_deref()))
        }
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
