//! A native client of SSH: who it is, by a password or a certificate, and whether it may connect.
//!
//! Whatever is wrong looks the same from outside, and takes as long; the log says which. Only who is believed, and needs
//! an approval to connect, is told so. What a client says is read by the session's porch.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use futures_util::future::BoxFuture;
use russh::keys::PublicKey;
use tokio::{io::AsyncWriteExt as _, net::TcpStream};
use tokio_util::sync::CancellationToken;

use super::{Arrived, Doorkeeper, Unproved, stay, too_late, tune};
use crate::{
    config::NativeListen,
    identity::{Holder, Redeemed, Verified},
    model::{ConnectionKind, ConnectionName},
    policy::Source,
    protocol::ssh::handshake::who_and_where,
    session::{Admission, Arrival, Gatekeeper, Judgement, SshGuest, SshProof, admission, admit_ssh},
};

/// What every password of `hoop token` begins with, and no JWT.
const TOKEN: &str = "hoop_";

/// One client from its first byte to the end of its session.
pub(super) async fn client(arrived: Arrived, shutdown: CancellationToken) {
    let Arrived { door, connections, mut tcp, peer } = arrived;
    let Some(place) = door.crowd.enter(peer.ip()) else {
        return tracing::debug!(%peer, "too many native logins at once");
    };
    tune(&tcp);
    if door.crowd.must_wait(peer.ip(), Instant::now()) {
        return wait(&mut tcp).await;
    }
    let host = door.ssh.host().clone();
    let keeper = Box::new(Keeper { door, connections, peer, proved_at: Instant::now() });
    let entered = Box::pin(admit_ssh(tcp, &host, keeper, too_late(peer, &shutdown))).await;
    drop(place);
    if let Some(entered) = entered {
        Box::pin(entered.serve()).await;
    }
}

/// SPEC: RFC 4253, 4.2: lines may come before the version; a client with `-v` shows them.
async fn wait(tcp: &mut TcpStream) {
    let said = tcp.write_all(b"hoop: too many logins from this address failed; wait a minute\r\n").await;
    if said.is_err() || tcp.shutdown().await.is_err() {
        tracing::trace!("the client left first");
    }
}

/// Judges one client.
struct Keeper {
    door: Arc<Doorkeeper>,
    connections: Arc<[(ConnectionName, NativeListen)]>,
    peer: SocketAddr,
    proved_at: Instant,
}

/// Why somebody does not come in.
#[derive(Debug)]
enum Turned {
    /// They proved nothing: that counts.
    Unproved(String),
    /// Nobody can be proved now.
    Unknown(String),
    /// They are who they say, and may not.
    Refused(String),
    /// They are who they say, and have to ask first.
    Told(String),
}

impl Gatekeeper for Keeper {
    fn knows(&self, key: &PublicKey) -> bool {
        self.door.proofs.certificates.knows(key)
    }

    fn judge<'shown>(&'shown self, user: &'shown str, proof: SshProof<'shown>) -> BoxFuture<'shown, Judgement> {
        Box::pin(async move {
            let peer = self.peer;
            let Some((person, connection)) = who_and_where(user, self.connections.iter().map(|(name, _)| name)) else {
                self.door.crowd.failed(peer.ip(), Instant::now());
                tracing::info!(%peer, "a native login over SSH names no connection of its address");
                return Judgement::Unbelieved;
            };
            match self.judged(person, connection, proof).await {
                Ok(guest) => Judgement::Believed(Box::new(guest)),
                Err(Turned::Told(message)) => Judgement::SentAway(message),
                Err(Turned::Unproved(why)) => {
                    self.door.crowd.failed(peer.ip(), Instant::now());
                    tracing::info!(%peer, %connection, ?proof, why, "a native login over SSH failed");
                    Judgement::Unbelieved
                }
                Err(Turned::Refused(why)) => {
                    tracing::info!(%peer, %connection, person, why, "a native login over SSH was refused");
                    Judgement::Unbelieved
                }
                Err(Turned::Unknown(why)) => {
                    tracing::warn!(%peer, %connection, why, "a native login over SSH could not be checked");
                    Judgement::Unbelieved
                }
            }
        })
    }
}

impl Keeper {
    async fn judged(&self, person: &str, connection: &ConnectionName, proof: SshProof<'_>) -> Result<SshGuest, Turned> {
        let verified = match proof {
            SshProof::Password(password) if password.starts_with(TOKEN) => self.token(person, connection, password)?,
            SshProof::Password(password) => {
                self.door.proofs.jwt(person, password).await.map_err(|unproved| match unproved {
                    Unproved::NotThem(why) => Turned::Unproved(why),
                    Unproved::Unknown(why) => Turned::Unknown(why),
                })?
            }
            SshProof::Certificate(shown) => {
                let holder = self.door.proofs.certificates.ssh_holder(person, shown);
                let Holder { id, verified, connection: bound } =
                    holder.map_err(|why| Turned::Unproved(why.to_owned()))?;
                if bound != *connection {
                    return Err(Turned::Unproved("it is for another connection".to_owned()));
                }
                tracing::info!(certificate = id, %connection, "a certificate was used");
                verified
            }
            SshProof::Key => return Err(Turned::Unproved("the key came without its certificate".to_owned())),
        };
        self.admitted(verified, connection)
    }

    /// A password of `hoop token`. Used up as soon as it was accepted.
    fn token(&self, person: &str, connection: &ConnectionName, password: &str) -> Result<Verified, Turned> {
        let redeemed = self.door.proofs.connection_tokens.redeem_said(person, connection, password);
        let Some(Redeemed { id, verified }) = redeemed else {
            return Err(Turned::Unproved("no live password fits".to_owned()));
        };
        tracing::info!(token = id, %connection, "a password was used");
        Ok(verified)
    }

    /// The connect decision, after the client proved who it is.
    fn admitted(&self, verified: Verified, connection: &ConnectionName) -> Result<SshGuest, Turned> {
        // One site for the decision and the session.
        let environment = self.door.surroundings.borrow().clone();
        // What listened at the start may have been taken from native clients since.
        let served = environment.connections.get(connection.as_str());
        let served =
            served.filter(|served| served.connection.native.is_some() && served.facts.kind == ConnectionKind::Ssh);
        let served =
            served.cloned().ok_or_else(|| Turned::Refused("it is not reached natively any more".to_owned()))?;
        let policies = served.policies.borrow().clone();
        let open = environment.desk.leases().borrow().clone();
        let (now, at) = (environment.clock.unix_millis(), environment.circumstances(Source::Native, None));
        let window = match admission(&policies, &open, &verified.principal, &served.facts, &at, now) {
            Admission::Open(window) => window,
            Admission::Refused(refusal) => {
                let rule = refusal.rule.map(|rule| format!(" (rule {rule})")).unwrap_or_default();
                return Err(Turned::Refused(format!("{}{rule}", refusal.message)));
            }
            Admission::Needs(_) => {
                let asking = format!("`hoop connect {connection} --request 'why' --for 1h`");
                return Err(Turned::Told(format!("connecting needs an approval; ask with {asking}, then come again")));
            }
        };
        let (stay, identity) = stay(&environment, &verified);
        let arrival = Arrival {
            environment,
            served,
            principal: verified.principal,
            identity,
            proved_at: self.proved_at,
            policies,
            source: Source::Native,
            client_address: Some(self.peer),
            run: None,
            window,
            through: None,
        };
        Ok(SshGuest { arrival, stay })
    }
}
